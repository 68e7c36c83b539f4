"""Vectors of stimuli in their sentences, or of the sentences, by a language model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError
from fairaudit.lm.ceat.contexts import Context
from fairaudit.lm.language_models import Encoder, is_masked
from fairaudit.lm.models import Batch, Piece

#: Which of a stimulus's sub-tokens stands for it, or the mean of all; or the whole sentence.
Pooling = Literal["last", "first", "mean", "sentence"]


class Place(NamedTuple):
    """The tokens to pool, a stimulus's: the first one, and the one after its last."""

    first: int
    end: int


class StimulusEncoder(Encoder):
    """A model without its head, for the vectors of stimuli.

    Parameters
    ----------
    folder, name, **options
        See `Encoder`.
    layer : int
        Of the hidden states: -1 is the last one, 0 the embeddings.
    pooling : {"last", "first", "mean", "sentence"}
        Which of a stimulus's sub-tokens stands for it, or their mean. ``sentence``: the special
        token in front stands for the whole sentence (BERT's [CLS]), or the last token where there
        is none or the model reads from the left, as then the first one knows nothing of the
        others (GPT-2): May et al., NAACL 2019, section 4. Their program leaves [CLS] out, and
        takes the first word's vector.
    code_compatible : bool
        As the program of Guo & Caliskan: no special tokens, a blank before the text for models
        that read words with the blank before them (GPT-2), and the first place in the text of
        the id of the stimulus's last sub-token, even where that belongs to another word.

    Raises
    ------
    FairauditError
        If the model has no such layer, or sentences are to be told apart by the embeddings of a
        token that all have; see `Encoder`.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        layer: int = -1,
        pooling: Pooling = "last",
        code_compatible: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(folder, name, **options)
        most = self.layers
        if not -most - 1 <= layer <= most:
            raise FairauditError(
                f"--layer {layer}: {self.called} has layers 1 to {most}; expected one of them, 0 "
                f"for the embeddings, or -1 to {-most - 1} counted from the end."
            )
        if pooling == "sentence" and layer in (0, -most - 1):
            raise FairauditError(
                f"--layer {layer}: an embedding knows nothing of the sentence around it. Beside "
                "--pooling sentence name another layer, or none."
            )
        self._masked = pooling == "sentence" and is_masked(folder, self.called)
        self._layer, self._pooling, self._plain = layer, pooling, code_compatible
        self._blank = " " if code_compatible and self._reads_blanks() else ""
        self._last_tokens: dict[str, int] = {}

    def _reads_blanks(self) -> bool:
        """Whether the blank before a word is part of its token."""
        state = self._tokenizer.backend_tokenizer.pre_tokenizer
        return "ByteLevel" in repr(state)

    def embed(
        self, contexts: Sequence[Context], progress: Callable[[int], None] = lambda done: None
    ) -> tuple[Array, Array]:
        """Vectors of stimuli.

        A sentence that is longer than the model's context is cut to the words around the
        stimulus.

        Parameters
        ----------
        contexts : sequence of Context
        progress : callable
            Told how many were read.

        Returns
        -------
        vectors : array of float32, shape (m, width)
        kept : array of int, shape (m,)
            Which sentences they are of: those whose stimulus the model reads.
        """
        if not len(contexts):
            return np.zeros((0, self.width), np.float32), np.zeros(0, np.int64)
        found = [(i, *each) for i, each in enumerate(self._pieces(contexts)) if each is not None]
        places = [place for _, _, place in found]

        def work(batch: Batch) -> list[Array]:
            return list(self._vectors(batch, [places[i] for i in batch.places]))

        rows = self.each([piece for _, piece, _ in found], work, progress=progress)
        vectors = np.stack(rows) if rows else np.zeros((0, self.width), np.float32)
        return vectors, np.array([i for i, _, _ in found], np.int64)

    def _vectors(self, batch: Batch, places: Sequence[Place]) -> Array:
        import torch

        states = self.hidden(batch, self._layer)
        if self._pooling == "mean":
            weights = torch.zeros(states.shape[:2])
            for row, place in zip(weights, places, strict=True):
                row[place.first : place.end] = 1 / (place.end - place.first)
            found = torch.einsum("ntw,nt->nw", states, weights.to(states))
        else:
            last = self._pooling == "last"
            at = [place.end - 1 if last else place.first for place in places]
            found = states[torch.arange(len(at)), torch.tensor(at)]
        # A copy: a row of the batch would keep all of it in memory.
        vectors: Array = found.float().cpu().numpy()
        return vectors.copy()

    def _pieces(self, contexts: Sequence[Context]) -> list[tuple[Piece, Place] | None]:
        """What the model reads, and where the stimulus stands; None where it cannot."""
        own = [self._own(context) for context in contexts]
        read = self._tokens([context.text for context in own])
        found = []
        for i, context in enumerate(own):
            piece = self._piece(read, i, context.text)
            if self.context is not None and len(piece.tokens) > self.context:
                found.append(self._cut(piece, context))
            else:
                found.append(self._placed(piece, context))
        return found

    def _own(self, context: Context) -> Context:
        if not self._blank or context.text.startswith(self._blank):
            return context
        return Context(self._blank + context.text, context.start + 1, context.end + 1)

    def _tokens(self, texts: Sequence[str]) -> Any:
        return self._tokenizer(
            list(texts),
            add_special_tokens=not self._plain,
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
        )

    def _placed(self, piece: Piece, context: Context) -> tuple[Piece, Place] | None:
        if self._plain:
            last = self._last_token(context)
            at = list(piece.tokens).index(last) if last in piece.tokens else None
            return None if at is None else (piece, Place(at, at + 1))
        place = _overlap(piece, context)
        if place is not None and self._pooling == "sentence":
            place = self._sentence(piece)
        return None if place is None else (piece, place)

    def _sentence(self, piece: Piece) -> Place:
        """The token that has read the whole sentence."""
        at = 0 if self._masked and piece.special[0] else len(piece.tokens) - 1
        return Place(at, at + 1)

    def _last_token(self, context: Context) -> int:
        """The last sub-token of the stimulus on its own; -1 where it has none."""
        word = context.text[context.start : context.end]
        if word not in self._last_tokens:
            tokens = self._tokens([self._blank + word])["input_ids"][0]
            self._last_tokens[word] = tokens[-1] if tokens else -1
        return self._last_tokens[word]

    def _cut(self, piece: Piece, context: Context) -> tuple[Piece, Place] | None:
        """Only so many tokens around the stimulus as the model reads."""
        place = _overlap(piece, context)
        room = (self.context or 0) - sum(piece.special)
        if place is None:
            return None
        # Cut off from its neighbours a word may need more tokens: try again with fewer.
        while room >= place.end - place.first:
            shorter = _around(piece, context, place, room)
            read = self._piece(self._tokens([shorter.text]), 0, shorter.text)
            excess = len(read.tokens) - (self.context or 0)
            if excess <= 0:
                return self._placed(read, shorter)
            room -= excess
        return None


def _overlap(piece: Piece, context: Context) -> Place | None:
    """Tokens that have a character of the stimulus."""
    inside = [
        i
        for i, ((start, end), special) in enumerate(zip(piece.spans, piece.special, strict=True))
        if not special and start < end and start < context.end and end > context.start
    ]
    return Place(inside[0], inside[-1] + 1) if inside else None


def _around(piece: Piece, context: Context, place: Place, room: int) -> Context:
    """The characters of so many tokens, about as many before the stimulus as after it."""
    spans = [span for span, special in zip(piece.spans, piece.special, strict=True) if not special]
    ahead = sum(piece.special[: place.first])
    size = place.end - place.first
    first = place.first - ahead - (room - size) // 2
    first = max(0, min(first, len(spans) - room))
    start = min(spans[first][0], context.start)
    end = max(spans[min(first + room, len(spans)) - 1][1], context.end)
    text = context.text
    # Half a word would be another word.
    if start and not text[start - 1].isspace():
        start = min(text.find(" ", start) + 1 or context.start, context.start)
    if end < len(text) and not text[end].isspace():
        end = max(text.rfind(" ", 0, end), context.end)
    return Context(text[start:end], context.start - start, context.end - start)
