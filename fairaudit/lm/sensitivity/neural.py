"""Prediction sensitivity of neural text classifiers, by the embeddings of their tokens."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError
from fairaudit.lm.classifiers import TextClassifier
from fairaudit.lm.models import Batch, Piece, Reading
from fairaudit.lm.scripts import is_without_blanks
from fairaudit.lm.sensitivity.measured import Form, Measured, Weighting, accumulate, mass
from fairaudit.lm.sensitivity.protected import Protected

#: What stands for a token of blanks, which the word after it takes in.
_BLANK = " "
#: Makes one emoji of two.
_JOINER = "\u200d"


@dataclass(frozen=True)
class _Part:
    """What one piece of a text adds: to its probabilities, to P by tokens, and to the sum of v."""

    probabilities: Array
    shares: Array
    mass: float


class NeuralProbe:
    """Accumulated prediction sensitivity of a text classifier.

    A text is differentiated by the embeddings of its tokens, before the model adds positions.
    Special tokens and padding count neither in G nor in v, so a text without other tokens has
    P = 0. Of a text read in windows the mean of the probabilities is differentiated; each window
    has its own v, and v is normalised over all of them. The tokens of one word are shown as the
    word, with the sum of their shares.

    Parameters
    ----------
    classifier : TextClassifier
        The audited model.
    protected : Protected
        What the tokens say about the protected attribute.
    form : {"elementwise", "token"}
        See `accumulate`.
    weighting : {"predicted", "gold", "uniform"}
        Which classes count: the likeliest, the true one, or each by 1 / K.
    normalize : bool
        Divide v by its sum over the text: P is then a weighted mean of |G|, see `accumulate`.

    Notes
    -----
    P falls as a prediction becomes certain (softmax is flat there) and depends on the size of the
    embeddings: compare groups within one model, not the figures of two models.
    """

    def __init__(
        self,
        classifier: TextClassifier,
        protected: Protected,
        form: Form = "elementwise",
        weighting: Weighting = "predicted",
        normalize: bool = True,
    ) -> None:
        self._classifier, self._protected = classifier, protected
        self._form, self._weighting, self._normalize = form, weighting, normalize

    @property
    def classes(self) -> tuple[str, ...]:
        """Labels of the classifier, in the order of its probabilities."""
        return self._classifier.classes

    @property
    def name(self) -> str:
        """Digest of the classifier's files."""
        return self._classifier.name

    def predict(self, texts: Sequence[str]) -> Array:
        """Probabilities alone, shape (n, K)."""
        return self._classifier.predict(texts)

    def measure(self, texts: Sequence[str], gold: Sequence[int] | None = None) -> Measured:
        """Probabilities and sensitivity of texts.

        Parameters
        ----------
        texts : sequence of str
        gold : sequence of int, optional
            Places of the true labels in `classes`; needed for the weighting "gold".

        Raises
        ------
        FairauditError
            If gold labels are needed and missing, or the model or memory fails.
        """
        reading = self._classifier.read(texts)
        chosen = self._chosen(reading, gold)[reading.record]
        parts = self._classifier.each(reading.pieces, lambda batch: self._parts(batch, chosen))
        rows = [part.probabilities for part in parts]
        shares = self._shares(reading, parts)
        words: list[list[_Word]] = [[] for _ in texts]
        for record, piece, own in zip(reading.record, reading.pieces, shares, strict=True):
            self._add(words[record], piece, own)
        tokens = [
            [(word.name or _shown(text, word), word.share) for word in row]
            for text, row in zip(texts, words, strict=True)
        ]
        sums = np.array([sum(word.share for word in row) for row in words])
        return Measured(self._classifier.average(reading, rows), sums, tokens, reading.truncated)

    def _chosen(self, reading: Reading, gold: Sequence[int] | None) -> Array:
        """The class that counts of each text; -1 where its batch will tell, or all count."""
        n = len(reading.windows)
        if self._weighting == "gold":
            return _places(gold, n, len(self.classes))
        chosen = np.full(n, -1)
        several = reading.windows > 1
        if self._weighting == "predicted" and several.any():
            # The likeliest class of a text is that of the mean of its windows.
            chosen[several] = self._classifier.probabilities(_only(reading, several)).argmax(1)
        return chosen

    def _parts(self, batch: Batch, chosen: Array) -> list[_Part]:
        import torch

        with torch.enable_grad():
            probabilities, embeddings = self._classifier.forward(batch)
            protected = self._protected.weigh(batch)
            counted = batch.counted if protected.ndim == 2 else batch.counted[..., None]
            protected = torch.where(counted, protected, 0).double()
            picked = torch.as_tensor(chosen[list(batch.places)], device=probabilities.device)
            shares = self._accumulate(probabilities, embeddings, protected, picked)
        return _split(
            batch, probabilities, shares, mass(embeddings[:, None], protected, self._form)
        )

    def _accumulate(self, probabilities: Any, embeddings: Any, protected: Any, picked: Any) -> Any:
        """Shares of P, shape (pieces, tokens); class by class, so that one G is held at a time."""
        weight = 1 / len(self.classes) if self._weighting == "uniform" else 1
        shares = 0
        for slope in self._slopes(probabilities, embeddings, picked):
            weights = slope.new_full((1,), weight)
            shares = shares + accumulate(slope[:, None], protected, weights, self._form)
        return shares

    def _slopes(self, probabilities: Any, embeddings: Any, picked: Any) -> Any:
        """G of each class that counts. Texts of one batch do not touch, so one pass serves all."""
        import torch

        if self._weighting != "uniform":
            picked = torch.where(picked < 0, probabilities.argmax(1), picked)
            total = probabilities.gather(1, picked[:, None]).sum()
            yield torch.autograd.grad(total, embeddings)[0].double()
            return
        last = 0
        for k in range(len(self.classes) - 1):
            slope = torch.autograd.grad(probabilities[:, k].sum(), embeddings, retain_graph=True)[0]
            last = last - slope.double()
            yield slope.double()
        yield last  # probabilities add up to one, and so their gradients to zero

    def _shares(self, reading: Reading, parts: Sequence[_Part]) -> list[Array]:
        """Shares of P by piece, for the mean over the windows of a text."""
        total = np.bincount(reading.record, [part.mass for part in parts], len(reading.windows))
        divisor = reading.windows * (np.where(total == 0, 1, total) if self._normalize else 1)
        return [part.shares / divisor[i] for i, part in zip(reading.record, parts, strict=True)]

    def _add(self, words: list[_Word], piece: Piece, shares: Array) -> None:
        """Add a piece's tokens to the words of its text; the last one may go on here."""
        for token in self._tokens(piece, shares):
            last = words[-1] if words else None
            if last is not None and last.name == _BLANK:
                words[-1] = replace(token, share=token.share + last.share)
            elif last is None or token.name or last.name:
                words.append(token)
            elif _goes_on(piece.text, last.end, token.start):
                last.end, last.share = token.end, last.share + token.share
            else:
                words.append(token)

    def _tokens(self, piece: Piece, shares: Array) -> Iterator[_Word]:
        """The tokens of a text by where they stand in it, blanks around them taken off."""
        own = zip(piece.tokens, piece.spans, piece.special, strict=True)
        counted = ((token, span) for token, span, added in own if not added)
        for (token, (start, end)), share in zip(counted, shares.tolist(), strict=True):
            letters = piece.text[start:end].strip()
            start = piece.text.index(letters, start)
            blank = _BLANK if end > start else self._classifier.token(token)
            name = "" if letters else blank
            yield _Word(start, start + len(letters), share, name)


@dataclass
class _Word:
    """A word, where it stands in its text, and its share of P; or a token without letters."""

    start: int
    end: int
    share: float
    name: str = ""


def _goes_on(text: str, end: int, start: int) -> bool:
    """Whether the token that begins at `start` is of the word that ends at `end`.

    Tokens of words touch, but for marks that a tokenizer leaves out. Tokens of the bytes of one
    letter stand at the same place.

    >>> [_goes_on("Mothering a pearl's", *at) for at in [(6, 6), (9, 10), (17, 17), (18, 18)]]
    [True, False, False, False]
    """
    if start < end:
        return True
    if start == end and (_adheres(text[start]) or text[end - 1] == _JOINER):
        return True
    return all(map(_is_inner, text[end - 1 : start + 1]))


def _shown(text: str, word: _Word) -> str:
    """The word as it stands in its text, with accents that a tokenizer leaves out."""
    end = word.end
    while end < len(text) and _adheres(text[end]):
        end += 1
    return text[word.start : end]


@cache
def _adheres(character: str) -> bool:
    """Whether a character belongs to the one before: accents, parts and colours of emojis."""
    kind = unicodedata.category(character)
    return kind[0] == "M" or character == _JOINER or "\U0001f3fb" <= character <= "\U0001f3ff"


@cache
def _is_inner(character: str) -> bool:
    """Whether what stands beside a character, and is such a one, belongs to the same word.

    Letters, digits, their marks, and what is not seen (soft hyphens, joiners). Not the letters of
    scripts without blanks between words: there the tokenizer's are the best words there are.
    """
    kind = unicodedata.category(character)
    if kind == "Cf":
        return character != "\u200b"  # a space of no width
    return kind[0] in "LMN" and not is_without_blanks(character)


def _split(batch: Batch, probabilities: Any, shares: Any, masses: Any) -> list[_Part]:
    """What belongs to each piece, without special tokens and padding."""
    rows = probabilities.detach().cpu().numpy()
    whole, counted = shares.cpu().numpy(), batch.counted.cpu().numpy()
    return [
        _Part(*row)
        for row in zip(rows, map(np.compress, counted, whole), masses.tolist(), strict=True)
    ]


def _only(reading: Reading, records: Array) -> Reading:
    """Some of the texts that were read."""
    renumbered = records.cumsum() - 1
    kept = np.flatnonzero(records[reading.record]).tolist()
    pieces = [reading.pieces[i] for i in kept]
    places = renumbered[reading.record[kept]]
    return Reading(pieces, places, reading.windows[records], reading.truncated[records])


def _places(gold: Sequence[int] | None, n: int, classes: int) -> Array:
    if gold is None:
        raise FairauditError("--weighting gold needs the true labels: name their column.")
    places = np.asarray(gold, np.int64)
    if places.shape != (n,) or np.any((places < 0) | (places >= classes)):
        raise ValueError(f"gold: expected {n} numbers from 0 to {classes - 1}")
    return places
