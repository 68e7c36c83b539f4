"""Speech recognition by transformers' pipeline, greedy, and the same in any batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError
from fairaudit.lm.checkpoints import first_line
from fairaudit.lm.devices import device_named, quiet

#: Seconds of sound that a CTC model hears at once; longer recordings are cut into pieces that
#: overlap by a third, and of each piece the inner part counts, so that no word is cut.
CHUNK = 30
#: The least seconds for a model that does not say what it needs.
LEAST = 0.1
DTYPES = ("float32", "float16", "bfloat16")
TASKS = ("transcribe", "translate")
#: A parameter that only training uses; published CTC models leave it out.
_UNUSED = "masked_spec_embed"


class Recognizer:
    """A speech recognition model, ready to transcribe.

    Whisper hears 30 seconds at a time, so its recordings are transcribed side by side, and those
    that are longer by its own long-form method, one by one. Other models pad the shorter
    recordings of a batch, which changes their transcripts (in models that normalise over time,
    or by what is heard in the padding), so they get one recording at a time.

    Parameters
    ----------
    folder : Path
        A model folder from `fairaudit.lm.checkpoints.find`.
    name : str
        What messages call the model.
    device : str
        ``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``cuda:N``.
    dtype : {"float32", "float16", "bfloat16"}
        Precision of weights and arithmetic.
    language, task : str, optional
        For Whisper: the language spoken, and ``transcribe`` or ``translate``.

    Attributes
    ----------
    rate : int
        Samples per second that it expects.
    least : int
        The fewest samples that it can transcribe.

    Raises
    ------
    FairauditError
        If the model cannot be loaded, is no speech recogniser, lacks weights, or does not have
        these settings.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        device: str = "auto",
        dtype: str = "float32",
        language: str | None = None,
        task: str | None = None,
    ) -> None:
        place = device_named(device)
        with quiet():
            self._pipeline = _load(folder, name, place, dtype)
        model = self._pipeline.model
        self._whisper = model.config.model_type == "whisper"
        self.rate = int(self._pipeline.feature_extractor.sampling_rate)
        self.least = _least(model.config, self.rate)
        # The pipeline's own default is a beam of five.
        self._generate = {"num_beams": 1, "do_sample": False}
        self._generate |= self._spoken(model, name, language, task)

    def _spoken(self, model: Any, name: str, language: str | None, task: str | None) -> Any:
        """Language and task as Whisper's generation takes them."""
        if language is None and task is None:
            return {}
        if not self._whisper:
            raise FairauditError(
                f"--model {name}: --language and --task are for Whisper models; this one is "
                f"{model.config.model_type}."
            )
        if not getattr(model.generation_config, "is_multilingual", False):
            raise FairauditError(
                f"--model {name}: does not say that it knows several languages (is_multilingual in "
                "generation_config.json). Leave --language and --task out."
            )
        given = {"language": _language(model, name, language), "task": task}
        return {key: value for key, value in given.items() if value is not None}

    def transcribe(self, sounds: Sequence[Array]) -> list[str]:
        """Transcribe recordings.

        Parameters
        ----------
        sounds : sequence of float32 arrays, shape (samples,)
            At `rate`, of at least `least` samples.

        Returns
        -------
        list of str
            One line of text each; white space at the ends and line breaks are taken out.

        Raises
        ------
        FairauditError
            If the graphics memory does not suffice.
        """
        import torch

        texts = [""] * len(sounds)
        try:
            with quiet():
                for places, options in self._batches(sounds):
                    batch = [sounds[i] for i in places]
                    answers = self._pipeline(batch, batch_size=len(batch), **options)
                    for i, answer in zip(places, answers, strict=True):
                        texts[i] = _one_line(answer["text"])
        except torch.OutOfMemoryError:
            raise FairauditError(
                f"not enough graphics memory for {len(sounds)} recordings at once. "
                "Lower --batch-size, or try --dtype float16."
            ) from None
        return texts

    def _batches(self, sounds: Sequence[Array]) -> Iterator[tuple[list[int], dict[str, Any]]]:
        """Which recordings are transcribed together, and how."""
        if not self._whisper:
            for i, sound in enumerate(sounds):
                yield [i], self._options(sound)
            return
        window = self._pipeline.feature_extractor.n_samples
        short = [i for i, sound in enumerate(sounds) if len(sound) <= window]
        if short:
            yield short, {"generate_kwargs": self._generate}
        for i in set(range(len(sounds))).difference(short):
            # Long-form decoding moves its window by the time stamps it predicts.
            yield [i], {"generate_kwargs": self._generate, "return_timestamps": True}

    def _options(self, sound: Array) -> dict[str, Any]:
        """Settings for one recording of a model other than Whisper."""
        if self._pipeline.type != "ctc":
            return {"generate_kwargs": self._generate}
        # Only with this ratio can the pipeline tell which frames of a piece are its inner part.
        divisible = getattr(self._pipeline.model.config, "inputs_to_logits_ratio", 1) > 1
        return {"chunk_length_s": CHUNK} if divisible and len(sound) > CHUNK * self.rate else {}


def _one_line(text: str) -> str:
    # A NUL may come out of a byte-level vocabulary, and no table could hold it.
    return " ".join(text.replace("\0", " ").split())


def _load(folder: Path, name: str, device: str, dtype: str) -> Any:
    """Build the pipeline from a folder's data alone: no network, no pickle, no foreign code."""
    import torch
    from transformers import AutoConfig, AutoFeatureExtractor, AutoTokenizer, pipeline

    local = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(folder, **local)
        model, found = _model_class(config, name).from_pretrained(
            folder,
            config=config,
            dtype=getattr(torch, dtype),
            use_safetensors=True,
            output_loading_info=True,
            **local,
        )
        extractor = AutoFeatureExtractor.from_pretrained(folder, **local)
        tokenizer = AutoTokenizer.from_pretrained(folder, **local)
    except FairauditError:
        raise
    except Exception as error:
        # Whatever transformers cannot make of the folder is the folder's fault.
        raise FairauditError(f"--model {name}: cannot be loaded: {first_line(error)}") from error
    _refuse_missing(found["missing_keys"], name)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token  # only fills up the shorter texts of a batch
    return pipeline(
        "automatic-speech-recognition",
        model=model,
        feature_extractor=extractor,
        tokenizer=tokenizer,
        device=device,
    )


def _model_class(config: Any, name: str) -> Any:
    import transformers

    if type(config) in transformers.MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING:
        return transformers.AutoModelForSpeechSeq2Seq
    if type(config) in transformers.MODEL_FOR_CTC_MAPPING:
        return transformers.AutoModelForCTC
    raise FairauditError(
        f"--model {name}: is of type {config.model_type}; expected a speech recogniser such as "
        "Whisper or wav2vec2."
    )


def _refuse_missing(missing: Sequence[str], name: str) -> None:
    """Refuse a model whose weights are partly made up: its answers would be noise."""
    lacking = sorted(key for key in missing if not key.endswith(_UNUSED))
    if lacking:
        raise FairauditError(
            f"--model {name}: weights are missing ({lacking[0]}, {len(lacking)} in all); it may "
            "not have been trained to transcribe. Use a model fine-tuned for speech recognition."
        )


def _least(config: Any, rate: int) -> int:
    """The fewest samples from which a model makes one frame.

    >>> from types import SimpleNamespace
    >>> wav2vec2 = SimpleNamespace(conv_kernel=(10, 3, 3, 3, 3, 2, 2), conv_stride=(5,) + (2,) * 6)
    >>> _least(wav2vec2, 16_000)
    400
    """
    if getattr(config, "model_type", None) == "whisper":
        return 1
    kernels = getattr(config, "conv_kernel", None)
    if not isinstance(kernels, list | tuple):
        return round(LEAST * rate)
    least = 1
    for kernel, stride in zip(reversed(kernels), reversed(config.conv_stride), strict=True):
        least = (least - 1) * stride + kernel
    return int(least)


def _language(model: Any, name: str, language: str | None) -> str | None:
    """A language's code, from its code or English name."""
    if language is None:
        return None
    from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

    code = TO_LANGUAGE_CODE.get(language.lower(), language.lower())
    known = getattr(model.generation_config, "lang_to_id", {})
    if f"<|{code}|>" not in known:
        codes = ", ".join(sorted(token.strip("<|>") for token in known))
        raise FairauditError(
            f"--language {language}: not a language of {name}. Expected one of {codes}."
        )
    return str(code)
