"""Language models: how likely tokens are, what comes next, and vectors of words in context."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError
from fairaudit.formats.rows import excerpt
from fairaudit.lm.devices import quiet
from fairaudit.lm.models import ENCODER, Batch, Kind, Model, Piece, read_config

_CAUSAL, _MASKED = (
    Kind(
        f"AutoModelFor{kind}LM",
        "language model",
        "Use a model that was saved with its head.",
        mapping=f"MODEL_FOR_{kind.upper()}_LM_MAPPING",
    )
    for kind in ("Causal", "Masked")
)
#: Parts of the names of classes whose models answer questions, not the next word.
_HEADS = ("Classification", "QuestionAnswering", "MultipleChoice")
#: Numbers in the logits of one batch: a quarter of a gigabyte in float32.
_LOGITS = 1 << 26


@dataclass(frozen=True)
class Question:
    """Tokens whose probability is asked for, and where.

    Attributes
    ----------
    piece : Piece
        What the model reads, with mask tokens where it has some.
    at : sequence of int
        Places in the piece at whose output each answer is looked up: of a causal model the place
        before the token, of a masked one the masked place itself.
    answers : sequence of int
        Tokens.
    """

    piece: Piece
    at: Sequence[int]
    answers: Sequence[int]


class LanguageModel(Model):
    """A causal or a masked language model with its head.

    Parameters
    ----------
    folder, name, **options
        See `Model`.

    Attributes
    ----------
    masked : bool
        Whether it fills masks (BERT), rather than going on from the left (GPT-2).
    start : int or None
        The token that stands for the start of a text, so that its first token has a probability
        too: the beginning-of-text token, or else the end-of-text token. None if there is none.

    Raises
    ------
    FairauditError
        If the model is a classifier or has no head that gives the probabilities of tokens; see
        `Model`.
    """

    def __init__(self, folder: Path, name: str, **options: Any) -> None:
        self.masked = is_masked(folder, f"{options.get('option', '--model')} {name}")
        self._kind = _MASKED if self.masked else _CAUSAL
        super().__init__(folder, name, **options)
        self.start = self._first("bos_token_id", "eos_token_id")
        if self.masked and self._tokenizer.mask_token_id is None:
            raise FairauditError(
                f"{self.called}: a masked language model, but its tokenizer has no mask token. "
                "Save its own tokenizer to the same folder."
            )

    def _settle(self, config: Any) -> None:
        for architecture in config.architectures or ():
            if any(head in architecture for head in _HEADS):
                raise FairauditError(
                    f"{self.called}: a classifier ({architecture}), which has no probabilities of "
                    "words; expected a language model."
                )

    def _find_padding(self) -> int:
        return _any_token(self._tokenizer)

    def _first(self, *names: str) -> int | None:
        """The first special token that there is."""
        numbers = [getattr(self._tokenizer, name) for name in names]
        return next(
            (n for n in numbers if n is not None and n < len(self._embeddings.weight)), None
        )

    @property
    def _room(self) -> int | None:
        # A window after the start must leave room for it, or else its last token has no score.
        if not self._window or self.masked or self.start is None or self.context is None:
            return self.context
        return self.context - (self._tokenizer("a").input_ids[:1] != [self.start])

    def log_likelihood(self, texts: Sequence[str]) -> list[Array]:
        """Log probability of each token of each text.

        Of a causal model, given the tokens before it; the first one given `start`, and left out
        where there is none. Of a masked model, given all others, one masked at a time: the
        pseudo-log-likelihood (Salazar et al., "Masked Language Model Scoring", ACL 2020). Natural
        logarithms; special tokens are not counted. Of a text that is longer than the context,
        the beginning alone, or its windows one after the other.

        Returns
        -------
        list of array, each of shape (tokens,)
        """
        reading = self.read(texts)
        asked = [question for piece in reading.pieces for question in self.questions(piece)]
        per_piece = [1 if not self.masked else _counted(piece) for piece in reading.pieces]
        answered = iter(self.answer(asked))
        found: list[list[Array]] = [[] for _ in texts]
        for record, count in zip(reading.record.tolist(), per_piece, strict=True):
            found[record] += [next(answered) for _ in range(count)]
        return [np.concatenate([np.zeros(0), *each]) for each in found]

    def questions(self, piece: Piece, places: Sequence[int] | None = None) -> list[Question]:
        """What to ask so as to score the tokens of a piece.

        Parameters
        ----------
        piece : Piece
        places : sequence of int, optional
            Which tokens; all that are not special by default.

        Returns
        -------
        list of Question
            One for all tokens if the model is causal, else one for each token.
        """
        if places is None:
            places = [i for i, special in enumerate(piece.special) if not special]
        if self.masked:
            return [self._hidden(piece, place) for place in places]
        whole = self._started(piece)
        shift = len(whole.tokens) - len(piece.tokens)
        # Nothing stands before the first token of a model that knows no start.
        ends = [place + shift for place in places if place + shift > 0]
        return [Question(whole, [end - 1 for end in ends], [whole.tokens[end] for end in ends])]

    def _hidden(self, piece: Piece, place: int) -> Question:
        """The piece with one token masked, and that token."""
        tokens = list(piece.tokens)
        answer, tokens[place] = tokens[place], self._tokenizer.mask_token_id
        return Question(replace(piece, tokens=tokens), [place], [answer])

    def _started(self, piece: Piece) -> Piece:
        """The piece after the token that stands for the start, where it has none."""
        if self.start is None or piece.tokens[0] == self.start:
            return piece
        kinds = None if piece.kinds is None else [piece.kinds[0], *piece.kinds][: self.context]
        spans, special = [(0, 0), *piece.spans], [1, *piece.special]
        most = self.context or len(special)
        return Piece(
            piece.text,
            [self.start, *piece.tokens][:most],
            kinds,
            spans[:most],
            special[:most],
        )

    def answer(
        self, questions: Sequence[Question], progress: Callable[[int], None] = lambda done: None
    ) -> list[Array]:
        """Log probabilities of the tokens that are asked for, an array for each question."""

        def work(batch: Batch) -> list[Array]:
            return self._answer(batch, [questions[i] for i in batch.places])

        pieces = [question.piece for question in questions]
        most = _LOGITS // len(self._embeddings.weight)
        return self.each(pieces, work, most, progress)

    def _answer(self, batch: Batch, questions: Sequence[Question]) -> list[Array]:
        import torch

        sizes = [len(question.at) for question in questions]
        rows = np.repeat(np.arange(len(questions)), sizes)
        columns = np.concatenate([np.asarray(q.at, np.int64) for q in questions])
        answers = np.concatenate([np.asarray(q.answers, np.int64) for q in questions])
        device = self._model.device
        with torch.no_grad(), self._only(rows, columns):
            logits = self._model(**batch.inputs).logits.float()
        wanted = torch.as_tensor(answers, device=device)[:, None]
        found = logits.gather(1, wanted)[:, 0] - logits.logsumexp(1)
        self._check(found)
        return np.split(found.double().cpu().numpy(), np.cumsum(sizes)[:-1])

    def _check(self, found: Any) -> None:
        if found.isnan().any():
            raise FairauditError(
                f"{self.called}: gives no probabilities (not a number): its weights are broken. "
                "Save the model again."
            )

    @contextmanager
    def _only(self, rows: Array, columns: Array) -> Iterator[None]:
        """Have the head read some places alone: those of all others need most of the memory."""

        def pick(module: Any, arguments: Any) -> Any:
            return (arguments[0][rows, columns],)

        handle = self._model.get_output_embeddings().register_forward_pre_hook(pick)
        try:
            yield
        finally:
            handle.remove()

    def generate(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        tokens: int = 40,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        progress: Callable[[int], None] = lambda done: None,
    ) -> list[str]:
        """Go on from prompts by sampling; what is drawn depends on a prompt's own seed alone.

        Parameters
        ----------
        prompts : sequence of str
        seeds : sequence of int
            One for each prompt.
        tokens : int
            New tokens of each text at most.
        temperature, top_k, top_p : float, int, float
            0 as temperature takes the likeliest token. 0 as `top_k` and 1 as `top_p` are off;
            `top_p` is the nucleus of Holtzman et al., "The Curious Case of Neural Text
            Degeneration", ICLR 2020.
        progress : callable
            Told how many texts are done.

        Returns
        -------
        list of str
            What follows each prompt, without special tokens.

        Raises
        ------
        FairauditError
            If the model is a masked one, or a prompt leaves no room in its context.
        """
        pieces = self.check_prompts(prompts, tokens)

        def work(batch: Batch) -> list[str]:
            drawn = [np.random.default_rng(seeds[i]).random(tokens) for i in batch.places]
            return self._continue(batch, np.stack(drawn), temperature, top_k, top_p)

        with quiet():
            return self.each(pieces, work, progress=progress)

    def check_prompts(self, prompts: Sequence[str], tokens: int) -> list[Piece]:
        """Prompts as the model reads them, before it is asked to go on by so many tokens.

        Raises
        ------
        FairauditError
            As `generate` does.
        """
        if self.masked:
            raise FairauditError(
                f"{self.called}: a masked language model, which does not go on from a text; "
                "expected one such as GPT-2."
            )
        return [self._prompt(text, tokens) for text in prompts]

    def _prompt(self, text: str, tokens: int) -> Piece:
        """A prompt as the model reads it: without the tokens that would end it."""
        piece = self.read([text]).pieces[0]
        kept = len(piece.tokens)
        while kept and piece.special[kept - 1]:
            kept -= 1
        if not kept:
            piece, kept = self._started(piece), 1
        if self.context is not None and kept + tokens > self.context:
            whole = len(self._tokenizer(text, add_special_tokens=False).input_ids)
            raise FairauditError(
                f"{self.called}: the prompt '{excerpt(text)}' has {whole:,} tokens and gets up to "
                f"{tokens:,} new ones; the model reads {self.context:,} at once. Shorten the "
                "prompt, or generate fewer tokens."
            )
        return Piece(text, piece.tokens[:kept], None, piece.spans[:kept], piece.special[:kept])

    def _continue(
        self, batch: Batch, drawn: Array, temperature: float, top_k: int, top_p: float
    ) -> list[str]:
        import torch
        from transformers import GenerationConfig

        inputs = {name: _right_aligned(values, batch) for name, values in batch.inputs.items()}
        length = inputs["input_ids"].shape[1]
        ends = self._model.generation_config.eos_token_id
        config = GenerationConfig(
            max_new_tokens=drawn.shape[1],
            do_sample=False,  # the draw is the processor's
            use_cache=True,
            pad_token_id=self._padding,
            eos_token_id=self._tokenizer.eos_token_id if ends is None else ends,
        )
        steps = _processors(drawn, length, temperature, top_k, top_p)
        with torch.no_grad():
            found = self._model.generate(**inputs, generation_config=config, logits_processor=steps)
        return self._written(found, length)

    def _written(self, found: Any, length: int) -> list[str]:
        """What follows prompts of so many tokens, from its first character on.

        Some tokenizers drop the blank before the first word of what they are given, so prompt and
        text are put into words together.
        """

        def words(tokens: Any) -> list[str]:
            return list(self._tokenizer.batch_decode(tokens, skip_special_tokens=True))

        parts = zip(words(found), words(found[:, :length]), words(found[:, length:]), strict=True)
        return [
            whole.removeprefix(prompt) if whole.startswith(prompt) else text
            for whole, prompt, text in parts
        ]


class Encoder(Model):
    """A model of text without its head, for the vectors of words in their context.

    Parameters
    ----------
    folder, name, **options
        See `Model`.
    """

    _kind = ENCODER

    def _find_padding(self) -> int:
        return _any_token(self._tokenizer)

    @property
    def layers(self) -> int:
        """Layers of hidden states, without the embeddings."""
        return int(self._model.config.num_hidden_layers)

    def hidden(self, batch: Batch, layer: int = -1) -> Any:
        """Hidden states of a layer, a tensor of shape (pieces, tokens, width).

        Parameters
        ----------
        batch : Batch
        layer : int
            -1 is the last one, as the model gives it on; 0 the embeddings.
        """
        import torch

        with torch.no_grad():
            if layer == -1:
                return self._model(**batch.inputs).last_hidden_state
            return self._model(**batch.inputs, output_hidden_states=True).hidden_states[layer]


def _any_token(tokenizer: Any) -> int:
    """A token to fill up with: attention masks hide it, so that any will do."""
    known = (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id)
    return next((token for token in known if token is not None), 0)


def is_masked(folder: Path, called: str) -> bool:
    """Whether the model fills masks, by its settings."""
    import transformers

    config = read_config(folder, called)
    causal = any("LMHead" in name or "CausalLM" in name for name in config.architectures or ())
    known = type(config) in transformers.MODEL_FOR_MASKED_LM_MAPPING
    return known and not causal and not getattr(config, "is_decoder", False)


def _counted(piece: Piece) -> int:
    return len(piece.special) - sum(piece.special)


def _right_aligned(values: Any, batch: Batch) -> Any:
    """Rows with their padding in front: a text goes on at its end."""
    import torch

    length = values.shape[1]
    return torch.stack(
        [
            row.roll(length - len(piece.tokens))
            for row, piece in zip(values, batch.pieces, strict=True)
        ]
    )


def _processors(drawn: Array, length: int, temperature: float, top_k: int, top_p: float) -> Any:
    """What transformers does to the scores of the next token before it takes the greatest."""
    import transformers

    steps: list[Any] = []
    if temperature not in (0, 1):
        steps.append(transformers.TemperatureLogitsWarper(float(temperature)))
    if temperature and top_k:
        steps.append(transformers.TopKLogitsWarper(top_k))
    if temperature and top_p < 1:
        steps.append(transformers.TopPLogitsWarper(top_p))
    if temperature:
        steps.append(_Draw(drawn, length))
    return transformers.LogitsProcessorList(steps)


class _Draw:
    """Leaves one token of each row, drawn by a number that is the row's own.

    transformers draws a batch with one generator, so that a text would depend on its neighbours.
    """

    def __init__(self, drawn: Array, length: int) -> None:
        self._drawn, self._length = drawn, length

    def __call__(self, tokens: Any, scores: Any) -> Any:
        import torch

        step = tokens.shape[1] - self._length
        below = scores.double().softmax(1).cumsum(1)
        number = torch.as_tensor(self._drawn[:, step, None], device=scores.device)
        chosen = torch.searchsorted(below, number * below[:, -1:], right=True)
        kept = torch.full_like(scores, -torch.inf)
        return kept.scatter(1, chosen.clamp_max(scores.shape[1] - 1), 0.0)
