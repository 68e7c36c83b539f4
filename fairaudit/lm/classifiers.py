"""Text classifiers of transformers: read texts, give probabilities, the same in any batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError
from fairaudit.lm import checkpoints
from fairaudit.lm.checkpoints import first_line
from fairaudit.lm.devices import device_named, quiet

Result = TypeVar("Result")

#: Half precision is not among them: a product of two gradients soon vanishes in it.
DTYPES = ("float32", "float64")
#: Files of which a tokenizer needs one. Without them transformers makes an empty one up.
_VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model", "*.tiktoken")
#: More tokens than any model reads; tokenizers say such numbers where they know none.
_NO_LIMIT = 10**9


@dataclass(frozen=True)
class Piece:
    """What the model reads at once: a text, its beginning, or one window of it.

    Attributes
    ----------
    text : str
        The whole text.
    tokens : sequence of int
        With the special tokens that the model wants.
    kinds : sequence of int or None
        Token types, for models that have them.
    spans : sequence of (int, int)
        Where each token begins and ends in the text.
    special : sequence of int
        1 for tokens that the tokenizer added.
    """

    text: str
    tokens: Sequence[int]
    kinds: Sequence[int] | None
    spans: Sequence[tuple[int, int]]
    special: Sequence[int]


@dataclass(frozen=True)
class Reading:
    """Texts as the model reads them.

    Attributes
    ----------
    pieces : sequence of Piece
        In the order of the texts.
    record : array of int, shape (pieces,)
        The text that each belongs to.
    windows : array of int, shape (n,)
        Pieces of each text.
    truncated : array of bool, shape (n,)
        Whether the end of a text was cut off.
    """

    pieces: Sequence[Piece]
    record: Array
    windows: Array
    truncated: Array


@dataclass(frozen=True)
class Batch:
    """Pieces side by side, as tensors of shape (pieces, tokens).

    Attributes
    ----------
    places : sequence of int
        Which pieces these are of those given to `TextClassifier.each`.
    pieces : sequence of Piece
        Themselves.
    inputs : dict of str to tensor
        What the model's forward pass takes.
    counted : tensor of bool
        Tokens of the text: neither special nor padding.
    """

    places: Sequence[int]
    pieces: Sequence[Piece]
    inputs: dict[str, Any]
    counted: Any


class TextClassifier:
    """A classifier of texts with one label each, in evaluation mode.

    Parameters
    ----------
    folder : Path
        A model folder from `fairaudit.lm.checkpoints.find`.
    name : str
        What messages call the model.
    device : str
        ``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``cuda:N``.
    dtype : {"float32", "float64"}
        Precision of weights and arithmetic.
    batch : int
        Texts read at once; halved, for good, when the memory does not suffice.
    window : bool
        Read a text that is longer than the context in windows that do not overlap, and average
        their probabilities; otherwise only its beginning is read.
    allow_pickle : bool
        Read weights that are there as pickle alone, by PyTorch's loader for weights only.
    option : str
        The option that named the model.
    warn : callable
        Told once when the batch is halved.

    Attributes
    ----------
    classes : tuple of str
        Labels, in the order of the probabilities.
    context : int or None
        The most tokens that the model reads at once, special tokens included.

    Raises
    ------
    FairauditError
        If the model cannot be loaded, is no classifier of texts with one label each, lacks
        weights or a tokenizer, or its tokenizer does not fit.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        device: str = "auto",
        dtype: str = "float32",
        batch: int = 32,
        window: bool = False,
        allow_pickle: bool = False,
        option: str = "--model",
        warn: Callable[[str], None] = lambda message: None,
    ) -> None:
        _check(dtype, batch)
        self.called = f"{option} {name}"
        self._folder, self._size, self._window, self._warn = folder, batch, window, warn
        self._warned = False
        with quiet():
            self._model = _load(folder, self.called, dtype, allow_pickle).to(device_named(device))
            self._tokenizer = _tokenizer(folder, self.called)
        self._embeddings = self._model.get_input_embeddings()
        _check_vocabulary(self._tokenizer, self._embeddings, self.called)
        self.context = _context(self._model, self._tokenizer, self.called)
        self._tokenizer.model_max_length = _NO_LIMIT  # or else it warns of what is cut here
        self._padding = _padding(self._model.config, self._tokenizer, self.called)
        self.classes = _labels(self._model.config, self.called)

    @cached_property
    def name(self) -> str:
        """Digest of the files that decide what the model answers."""
        return checkpoints.digest(self._folder)

    @property
    def width(self) -> int:
        """Components of a token's embedding."""
        return int(self._embeddings.weight.shape[1])

    @property
    def embedding_matrix(self) -> Any:
        """Embeddings of the vocabulary, a tensor of shape (tokens, width)."""
        return self._embeddings.weight

    def vocabulary(self) -> str:
        """The tokenizer in words: two that say the same make the same tokens."""
        self._tokenizer.backend_tokenizer.no_truncation()
        self._tokenizer.backend_tokenizer.no_padding()
        return str(self._tokenizer.backend_tokenizer.to_str())

    def token(self, number: int) -> str:
        """A token by its name in the vocabulary."""
        return str(self._tokenizer.convert_ids_to_tokens(number))

    def read(self, texts: Sequence[str]) -> Reading:
        """Cut texts into tokens, and those that are too long into pieces."""
        if not len(texts):
            nothing = np.zeros(0, np.int64)
            return Reading([], nothing, nothing, nothing.astype(bool))
        read = self._tokenizer(
            list(texts),
            truncation=self.context is not None,
            max_length=self.context,
            return_overflowing_tokens=self.context is not None,
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
        )
        record = np.array(read.get("overflow_to_sample_mapping", range(len(texts))), np.int64)
        windows = np.bincount(record, minlength=len(texts))
        first = np.r_[True, record[1:] != record[:-1]]
        kept = np.flatnonzero(first | self._window).tolist()
        pieces = [self._piece(read, i, texts[record[i]]) for i in kept]
        if self._window:
            return Reading(pieces, record, windows, np.zeros(len(texts), bool))
        return Reading(pieces, record[kept], np.ones_like(windows), windows > 1)

    def _piece(self, read: Any, i: int, text: str) -> Piece:
        kinds = read["token_type_ids"][i] if "token_type_ids" in read else None
        tokens = read["input_ids"][i]
        if not tokens:
            # A model needs something to read; what it says of nothing is what it says of this.
            return Piece(text, [self._padding], None if kinds is None else [0], [(0, 0)], [1])
        return Piece(text, tokens, kinds, read["offset_mapping"][i], read["special_tokens_mask"][i])

    def predict(self, texts: Sequence[str]) -> Array:
        """Probabilities of the classes, shape (n, K), averaged over a text's windows."""
        return self.probabilities(self.read(texts))

    def probabilities(self, reading: Reading) -> Array:
        """Probabilities of texts that were read, shape (n, K)."""
        rows = self.each(reading.pieces, self._predict)
        return self.average(reading, rows)

    def average(self, reading: Reading, rows: Sequence[Array]) -> Array:
        """Averages over the windows of each text of what the model says of each piece."""
        whole = np.zeros((len(reading.windows), len(self.classes)))
        if rows:
            np.add.at(whole, reading.record, np.stack(rows))
        return whole / np.maximum(reading.windows, 1)[:, None]

    def _predict(self, batch: Batch) -> list[Array]:
        import torch

        with torch.no_grad():
            return list(self.forward(batch)[0].cpu().numpy())

    def forward(self, batch: Batch) -> tuple[Any, Any]:
        """Probabilities, shape (pieces, K), and the embeddings that they can be derived by.

        The model adds positions and token types to the embeddings itself, and some take from the
        tokens where a text ends; so it is given tokens, and its embeddings are caught inside.
        """
        with _caught(self._embeddings) as caught:
            logits = self._model(**batch.inputs).logits
        if len(caught) != 1 or caught[0].shape[:2] != batch.counted.shape:
            raise FairauditError(
                f"{self.called}: reads its embeddings in a way of its own, so that nothing can be "
                "derived by them. Use a model such as BERT, RoBERTa or GPT-2."
            )
        # In float32, one minus a probability that is nearly one is mostly rounding.
        probabilities = logits.double().softmax(-1)
        if not probabilities.isfinite().all():
            raise FairauditError(
                f"{self.called}: gives no probabilities (not a number): its weights are broken. "
                "Save the model again."
            )
        return probabilities, caught[0]

    def embed(self, tokens: Any) -> Any:
        """Embeddings of tokens, without gradients."""
        import torch

        with torch.no_grad():
            return self._embeddings(torch.as_tensor(tokens, device=self._model.device))

    def each(
        self, pieces: Sequence[Piece], work: Callable[[Batch], Sequence[Result]]
    ) -> list[Result]:
        """Do some work batch by batch; if the memory does not suffice, in smaller batches.

        Parameters
        ----------
        pieces : sequence of Piece
            In any order; those of one batch are of about one length.
        work : callable
            Gives one result for each piece of a batch.

        Returns
        -------
        list
            A result for each piece.

        Raises
        ------
        FairauditError
            If the memory does not suffice for a single piece.
        """
        # The longest first: if the memory is too small, that shows at once.
        order = sorted(range(len(pieces)), key=lambda i: -len(pieces[i].tokens))
        results: dict[int, Result] = {}
        while places := order[len(results) : len(results) + self._size]:
            done = self._try(work, places, pieces)
            if done is None:
                self._halve(len(places), len(pieces[places[0]].tokens))
            else:
                results.update(zip(places, done, strict=True))
        return [results[i] for i in range(len(pieces))]

    def _try(
        self,
        work: Callable[[Batch], Sequence[Result]],
        places: Sequence[int],
        pieces: Sequence[Piece],
    ) -> Sequence[Result] | None:
        """The results of a batch, or None where the memory did not suffice."""
        try:
            return work(self._batch(places, [pieces[i] for i in places]))
        except RuntimeError as error:
            if not _is_memory(error):
                raise
        return None

    def _halve(self, size: int, length: int) -> None:
        import torch

        if size == 1:
            raise FairauditError(
                f"{self.called}: not enough memory for one text of {length:,} tokens. "
                "Use --device cpu, or a smaller model."
            )
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self._size = size // 2
        if not self._warned:
            self._warned = True
            self._warn(
                f"{self.called}: not enough memory for {size} texts of {length:,} tokens at "
                f"once; goes on with {self._size} or fewer. --batch-size {self._size} would have "
                "spared the attempt."
            )

    def _batch(self, places: Sequence[int], pieces: Sequence[Piece]) -> Batch:
        import torch

        length = max(len(piece.tokens) for piece in pieces)

        def tensor(rows: Iterator[Sequence[int]], filling: int) -> Any:
            filled = [[*row, *[filling] * (length - len(row))] for row in rows]
            return torch.tensor(filled, device=self._model.device)

        inputs = {
            "input_ids": tensor((piece.tokens for piece in pieces), self._padding),
            "attention_mask": tensor(([1] * len(piece.tokens) for piece in pieces), 0),
        }
        if pieces[0].kinds is not None:
            inputs["token_type_ids"] = tensor((piece.kinds or () for piece in pieces), 0)
        special = tensor((piece.special for piece in pieces), 1)
        return Batch(places, pieces, inputs, special == 0)


@contextmanager
def _caught(embeddings: Any) -> Iterator[list[Any]]:
    """Outputs of an embedding layer during a forward pass, as leaves of its graph."""
    caught: list[Any] = []

    def catch(module: Any, arguments: Any, output: Any) -> Any:
        caught.append(output.detach().requires_grad_())
        return caught[-1]

    handle = embeddings.register_forward_hook(catch)
    try:
        yield caught
    finally:
        handle.remove()


def _is_memory(error: RuntimeError) -> bool:
    """Whether memory was lacking: on a CPU, PyTorch has no error of its own for it."""
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


def _check(dtype: str, batch: int) -> None:
    if dtype not in DTYPES:
        raise FairauditError(f"--dtype {dtype}: expected one of {', '.join(DTYPES)}.")
    if batch < 1:
        raise FairauditError(f"--batch-size {batch}: expected 1 or more.")


def _load(folder: Path, called: str, dtype: str, allow_pickle: bool) -> Any:
    """Build the model from a folder's data alone: no network, no foreign code."""
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    local = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(folder, **local)
        _check_kind(config, called)
        model, found = AutoModelForSequenceClassification.from_pretrained(
            folder,
            config=config,
            dtype=getattr(torch, dtype),
            use_safetensors=not allow_pickle or checkpoints.is_safe(folder),
            weights_only=True,
            ignore_mismatched_sizes=True,  # refused below, with a better message
            output_loading_info=True,
            **local,
        )
    except FairauditError:
        raise
    except Exception as error:
        # Whatever transformers cannot make of the folder is the folder's fault.
        raise FairauditError(f"{called}: cannot be loaded: {first_line(error)}") from error
    _refuse_mismatched(found["mismatched_keys"], called)
    _refuse_missing(sorted(found["missing_keys"]), called)
    model.config.use_cache, model.config.return_dict = False, True
    return model.eval().requires_grad_(False)


def _check_kind(config: Any, called: str) -> None:
    import transformers

    wanted = "expected a text classifier (AutoModelForSequenceClassification)"
    known = type(config) in transformers.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING
    if not known or not hasattr(config, "vocab_size"):
        raise FairauditError(f"{called}: a model of another kind, {config.model_type}; {wanted}.")
    if config.is_encoder_decoder:
        raise FairauditError(
            f"{called}: an encoder and a decoder ({config.model_type}), which read a text twice; "
            "expected a classifier such as BERT, RoBERTa or GPT-2."
        )
    if config.problem_type == "multi_label_classification":
        raise FairauditError(
            f"{called}: gives several labels to one text (problem_type in config.json); "
            "expected a classifier whose labels exclude each other."
        )
    if config.problem_type == "regression" or config.num_labels < 2:
        raise FairauditError(
            f"{called}: gives a number, not one of several labels (num_labels in config.json is "
            f"{config.num_labels}); expected a classifier of two or more classes."
        )


def _refuse_mismatched(mismatched: Iterable[tuple[str, Any, Any]], called: str) -> None:
    for key, held, wanted in sorted(mismatched, key=lambda each: each[0]):
        raise FairauditError(
            f"{called}: {key} has the shape {tuple(held)}, but by config.json {tuple(wanted)}: "
            "settings and weights belong to two models. Save the model again."
        )


def _refuse_missing(missing: Sequence[str], called: str) -> None:
    """Refuse a model whose weights are partly made up: its answers would be noise."""
    if missing:
        raise FairauditError(
            f"{called}: a model of another kind: weights of a text classifier are missing "
            f"({missing[0]}, {len(missing)} in all). Use a model fine-tuned for classification."
        )


def _tokenizer(folder: Path, called: str) -> Any:
    from transformers import AutoTokenizer

    if not any(any(folder.glob(pattern)) for pattern in _VOCABULARIES):
        raise FairauditError(
            f"{called}: no tokenizer (tokenizer.json, vocab.txt or the like) beside config.json. "
            "Save the tokenizer to the same folder."
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:
        # As with the model's weights.
        raise FairauditError(
            f"{called}: its tokenizer cannot be loaded: {first_line(error)}"
        ) from error
    if not tokenizer.is_fast:
        raise FairauditError(
            f"{called}: its tokenizer does not say where a token stands in the text. "
            "Save it in the form of tokenizer.json (a fast tokenizer)."
        )
    tokenizer.truncation_side = "right"
    return tokenizer


def _check_vocabulary(tokenizer: Any, embeddings: Any, called: str) -> None:
    greatest, rows = max(tokenizer.get_vocab().values(), default=-1), len(embeddings.weight)
    if greatest >= rows:
        raise FairauditError(
            f"{called}: its tokenizer has {greatest + 1:,} tokens, the model {rows:,}: "
            "it belongs to another model."
        )


def _padding(config: Any, tokenizer: Any, called: str) -> int:
    """The token that fills up shorter texts; models that look for a text's end are told it."""
    end = tokenizer.eos_token_id
    if end is not None and tokenizer("a").input_ids[-1:] == [end]:
        end = None  # where texts end with it, the model would take it for padding
    for token in (config.pad_token_id, tokenizer.pad_token_id, end):
        if token is not None and 0 <= token < config.vocab_size:
            config.pad_token_id = token
            return int(token)
    raise FairauditError(
        f"{called}: neither the model nor its tokenizer has a padding token. Set pad_token_id in "
        "config.json to the one it was trained with."
    )


def _labels(config: Any, called: str) -> tuple[str, ...]:
    labels = tuple(str(config.id2label.get(i, i)) for i in range(config.num_labels))
    if len(set(labels)) < len(labels):
        raise FairauditError(
            f"{called}: two classes have one name (id2label in config.json): {', '.join(labels)}."
        )
    return labels


def _context(model: Any, tokenizer: Any, called: str) -> int | None:
    """The most tokens that a model reads, where there is a limit."""
    limits = [tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", None)]
    for name, module in model.named_modules():
        # RoBERTa and its kin count positions from the padding's on.
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None):
            limits.append(module.num_embeddings - module.padding_idx - 1)
    numbers = [limit for limit in limits if isinstance(limit, int | float)]
    context = min((int(limit) for limit in numbers if 0 < limit < _NO_LIMIT), default=None)
    if context is not None and context <= tokenizer.num_special_tokens_to_add():
        raise FairauditError(
            f"{called}: reads {context} tokens at once, special ones included; expected more "
            "(model_max_length in tokenizer_config.json)."
        )
    return context
