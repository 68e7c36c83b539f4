"""Prediction sensitivity of neural text classifiers, by the embeddings of their tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError
from fairaudit.lm.classifiers import Batch, Piece, Reading, TextClassifier
from fairaudit.lm.sensitivity.measured import Form, Measured, Weighting, accumulate, mass
from fairaudit.lm.sensitivity.protected import Protected


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
    has its own v, and v is normalised over all of them.

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
        Divide v by its sum over the text, so that P can be compared between lengths.

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
        tokens: list[list[tuple[str, float]]] = [[] for _ in texts]
        for record, piece, own in zip(reading.record, reading.pieces, shares, strict=True):
            tokens[record] += zip(self._names(piece), own.tolist(), strict=True)
        sums = np.array([sum(share for _, share in row) for row in tokens])
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

    def _names(self, piece: Piece) -> list[str]:
        """The tokens of a text as they stand in it."""
        return [
            piece.text[start:end].strip() or self._classifier.token(token)
            for token, (start, end), added in zip(
                piece.tokens, piece.spans, piece.special, strict=True
            )
            if not added
        ]


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
