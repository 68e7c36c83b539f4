"""A linear head on a given encoder, trained here, for records whose own model is not at hand.

The encoder is frozen: a text is the mean of its last hidden layer, and of that a logistic
regression learns. As in `baseline`, each text is answered by the head that has not seen it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.lm import checkpoints, require
from fairaudit.lm.classifiers import TextClassifier
from fairaudit.lm.models import ENCODER, Batch
from fairaudit.lm.sensitivity.baseline import FOLDS, Folds, majority, regression
from fairaudit.lm.sensitivity.measured import Form, Weighting
from fairaudit.lm.sensitivity.neural import NeuralProbe
from fairaudit.lm.sensitivity.protected import Protected

#: Texts that are read at once for training, so that memory does not hold the tokens of all.
_TEXTS = 1024


def train_encoder_baseline(
    encoder: str | Path,
    texts: Sequence[str],
    labels: Sequence[str],
    seed: int = 0,
    *,
    allow_pickle: bool = False,
    option: str = "--encoder",
    progress: Callable[[int, int], None] = lambda done, total: None,
    **settings: Any,
) -> EncoderBaseline:
    """Train a linear head on an encoder in five folds, and measure it on what it has not seen.

    The folds are those of `train_baseline`; the encoder reads each text once for all of them.

    Parameters
    ----------
    encoder : str or Path
        A model folder, or a name on the Hugging Face hub: any model of texts that transformers
        knows, such as BERT, RoBERTa or GPT-2, with a head of its own or without.
    texts, labels : sequence of str, length n
    seed : int
        Decides the folds.
    allow_pickle, **settings
        As of `TextClassifier`: ``device``, ``dtype``, ``batch``, ``window``, ``warn``.
    option : str
        The option that named the encoder.
    progress : callable
        Told how many of how many texts the encoder has read.

    Raises
    ------
    FairauditError
        If there is one label alone, a label has fewer than five different texts, the encoder
        cannot be loaded, or PyTorch, transformers or scikit-learn is missing.
    """
    require("sensitivity", "torch", "transformers")
    require("sensitivity", "sklearn", extra="sklearn")
    folds = Folds.deal(texts, np.asarray(labels, dtype=str), seed)
    folder = checkpoints.find(encoder, allow_pickle, option)
    settings |= {"allow_pickle": allow_pickle, "option": option}
    return EncoderBaseline(
        folder, str(encoder), texts, labels, folds, progress=progress, **settings
    )


class EncoderBaseline(TextClassifier):
    """An encoder with five linear heads, each trained without the texts of one fold.

    It gives probabilities and gradients as any `TextClassifier` does, through head and encoder.
    Features are standardised for training, and the head takes that back. A text read in windows
    counts once in training; each window is an example.

    Parameters
    ----------
    folder, name, **settings
        See `TextClassifier`.
    texts, labels : sequence of str, length n
    folds : Folds
        Which head has not seen a text.
    progress : callable

    Attributes
    ----------
    folds : Folds
        As given.
    accuracy : float
        Share of records whose label the head predicts that has not seen their text.
    majority : float
        Share of the commonest label: the accuracy of a model that has learnt nothing.
    """

    _kind = ENCODER

    def __init__(
        self,
        folder: Path,
        name: str,
        texts: Sequence[str],
        labels: Sequence[str],
        folds: Folds,
        *,
        progress: Callable[[int, int], None] = lambda done, total: None,
        **settings: Any,
    ) -> None:
        self._values = tuple(sorted(set(labels)))
        super().__init__(folder, name, **settings)
        self.folds = folds
        features, record = self._features(texts, progress)
        answers = np.asarray(labels, dtype=str)
        said = self._train(features, record, answers, folds.of(texts))
        self.accuracy = float((np.array(self.classes)[said.argmax(1)] == answers).mean())
        self.majority = majority(answers)

    def _labels(self, config: Any) -> tuple[str, ...]:
        return self._values

    @cached_property
    def name(self) -> str:
        """The kinds of encoder and head, and a digest of the encoder's files."""
        encoder = f"{type(self._model).__name__} {checkpoints.digest(self._folder)[:16]}"
        return f"baseline: {encoder}, LogisticRegression"

    def probe(
        self,
        protected: Protected,
        form: Form = "elementwise",
        weighting: Weighting = "predicted",
        normalize: bool = True,
    ) -> EncoderProbe:
        """Sensitivity of each text in the model that has not seen it; see `NeuralProbe`."""
        return EncoderProbe(self, protected, form, weighting, normalize)

    def predict_as(self, texts: Sequence[str], others: Sequence[str]) -> Array:
        """Probabilities of other texts, each by the head that answers the text in its place."""
        reading = self.read(others)
        # The text decides which head answers; the tokens are what is read.
        pieces = [
            replace(piece, text=texts[record])
            for piece, record in zip(reading.pieces, reading.record.tolist(), strict=True)
        ]
        return self.probabilities(replace(reading, pieces=pieces))

    def _probabilities(self, output: Any, batch: Batch) -> Any:
        """Probabilities of the classes, shape (pieces, K)."""
        fold = self.folds.of(piece.text for piece in batch.pieces)
        weights, biases = self._weights[fold], self._biases[fold]  # (b, K, d) and (b, K)
        means = _means(output.last_hidden_state, batch).double()  # (b, d)
        return ((weights @ means[..., None])[..., 0] + biases).softmax(-1)

    def _features(
        self, texts: Sequence[str], progress: Callable[[int, int], None]
    ) -> tuple[Array, Array]:
        """What the encoder makes of each piece, shape (pieces, d), and the text of each piece."""
        rows: list[Array] = []
        records: list[Array] = []
        for start in range(0, len(texts), _TEXTS):
            reading = self.read(texts[start : start + _TEXTS])
            rows += self.each(reading.pieces, self._encode)
            records.append(start + reading.record)
            progress(min(start + _TEXTS, len(texts)), len(texts))
        return np.stack(rows), np.concatenate(records)

    def _encode(self, batch: Batch) -> list[Array]:
        import torch

        with torch.no_grad():
            hidden = self._model(**batch.inputs).last_hidden_state
            return list(self._checked(_means(hidden, batch)).cpu().numpy())

    def _train(self, features: Array, record: Array, answers: Array, fold: Array) -> Array:
        """Train the heads; what each says of the texts that it has not seen, shape (n, K)."""
        import torch

        each = 1 / np.bincount(record)[record]  # the share of a piece in its text
        said = np.zeros((len(answers), len(self.classes)))
        heads = []
        for k in range(FOLDS):
            held = fold[record] == k
            model = _fitted(features[~held], answers[record[~held]], each[~held])
            heads.append(_head(model))
            rows = model.predict_proba(features[held].astype(float))
            np.add.at(said, record[held], rows * each[held, None])
        self._weights, self._biases = (
            torch.as_tensor(np.stack(part), device=self._model.device)
            for part in zip(*heads, strict=True)
        )
        return said


class EncoderProbe(NeuralProbe):
    """Sensitivity of an encoder with cross-fitted heads."""

    _classifier: EncoderBaseline

    def predict_as(self, texts: Sequence[str], others: Sequence[str]) -> Array:
        """Probabilities of other texts, each by the head that answers the text in its place."""
        return self._classifier.predict_as(texts, others)


def _means(hidden: Any, batch: Batch) -> Any:
    """Mean of the last hidden layer, shape (pieces, d), over the tokens of the text."""
    import torch

    # Of a text without any, over what the tokenizer put in their place.
    read = batch.inputs["attention_mask"].bool()
    counted = torch.where(batch.counted.any(1, keepdim=True), batch.counted, read)
    weights = counted.to(hidden.dtype)
    return (weights[:, None] @ hidden)[:, 0] / weights.sum(1, keepdim=True)


def _fitted(features: Array, labels: Array, weights: Array) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), regression())
    named = {f"{name}__sample_weight": weights for name in model.named_steps}
    return model.fit(features.astype(float), labels, **named)


def _head(model: Any) -> tuple[Array, Array]:
    """Weights (K, d) and biases (K,) of a softmax, of features that are not standardised."""
    scaler, regression = (step for _, step in model.steps)
    weights = regression.coef_ / scaler.scale_
    biases = regression.intercept_ - weights @ scaler.mean_
    if len(weights) == 1:  # of two classes, a sigmoid
        return np.concatenate([0 * weights, weights]), np.concatenate([0 * biases, biases])
    return weights, biases
