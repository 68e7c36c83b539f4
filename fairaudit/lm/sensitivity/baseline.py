"""A text classifier trained here, for records whose own model is not at hand.

TF-IDF with logistic regression, cross-fitted: the texts are dealt into five folds, and what is
said of a text comes from a model that was trained on the four folds without it. A model's
gradient at a text that it has learnt says more about the training than about the model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError
from fairaudit.lm import require
from fairaudit.lm.sensitivity.columns import few
from fairaudit.lm.sensitivity.linear import Bag, LinearProbe, check_known
from fairaudit.lm.sensitivity.measured import Measured, Weighting

FOLDS = 5
#: The commonest words and pairs of words that are kept.
_VOCABULARY = 50_000


@dataclass(frozen=True)
class Folds:
    """Which texts are measured by which model: the one that was trained without them.

    Attributes
    ----------
    known : mapping of str to int
        Fold of each text that was there.
    seed : int
        Decides that of others.
    """

    known: Mapping[str, int] = field(repr=False)
    seed: int

    @classmethod
    def deal(cls, texts: Sequence[str], labels: Array, seed: int) -> Folds:
        """Deal out each label's texts in turn, in the order of their digests.

        A text with two labels goes with the first of them.

        Raises
        ------
        FairauditError
            If there is one label alone, or one of fewer than five different texts.
        """
        label_of = dict(zip(reversed(texts), reversed(labels.tolist()), strict=True))
        by_label: dict[str, list[str]] = {label: [] for label in sorted(set(labels.tolist()))}
        for text in sorted(label_of, key=lambda text: _number(text, seed)):
            by_label[label_of[text]].append(text)
        _check_labels(by_label)
        dealt = {t: place % FOLDS for own in by_label.values() for place, t in enumerate(own)}
        return cls(dealt, seed)

    def of(self, texts: Iterable[str]) -> Array:
        """Fold of each text, shape (n,); a text that was not there in training has one, too."""
        return np.array(
            [
                self.known[text] if text in self.known else _number(text, self.seed) % FOLDS
                for text in texts
            ],
            dtype=int,
        )


@dataclass(frozen=True)
class Baseline:
    """Five pipelines of TF-IDF and logistic regression, each trained without one fold.

    Attributes
    ----------
    pipelines : tuple of scikit-learn Pipeline
        The one at place k has not seen the texts of fold k.
    accuracy : float
        Share of records whose label the model predicts that has not seen their text.
    majority : float
        Share of the commonest label: the accuracy of a model that has learnt nothing.
    protected : tuple of classifier
        Models of a protected attribute on the features of each pipeline: `with_protected`.
    protected_accuracy, protected_majority : float
        As above, of the protected attribute; nan without one. If they are about equal, what
        `protected` points at is noise.
    """

    pipelines: tuple[Any, ...]
    folds: Folds
    accuracy: float
    majority: float
    protected: tuple[Any, ...] = ()
    protected_accuracy: float = float("nan")
    protected_majority: float = float("nan")

    def probe(
        self,
        words: Collection[str] | None = None,
        weighting: Weighting = "predicted",
        *,
        normalize: bool = True,
        named: bool = True,
    ) -> CrossFitted:
        """Sensitivity of each text in the model that has not seen it; see `LinearProbe`.

        What is about the protected attribute are the words; without words the protected models;
        without these every feature alike. A model that knows none of the words does not use them.

        Raises
        ------
        FairauditError
            If no model knows any of the words.
        """
        about: Sequence[Any] = self.protected or [None] * FOLDS
        if words is not None:
            sizes = [len(pipeline[0].vocabulary_) for pipeline in self.pipelines]
            bags = [Bag(pipeline[:-1]) for pipeline in self.pipelines]
            about = [bag.containing(words, d) for bag, d in zip(bags, sizes, strict=True)]
            check_known(words, *about)
        return CrossFitted(
            self,
            tuple(
                LinearProbe(pipeline, each, weighting, normalize=normalize, named=named)
                for pipeline, each in zip(self.pipelines, about, strict=True)
            ),
        )


@dataclass(frozen=True)
class CrossFitted:
    """A probe that asks, of each text, the model that has not seen it."""

    baseline: Baseline
    probes: tuple[LinearProbe, ...]
    name: str = "baseline: TfidfVectorizer, LogisticRegression"

    @property
    def classes(self) -> tuple[str, ...]:
        """Labels in the order of the probabilities."""
        return self.probes[0].classes

    def predict(self, texts: Sequence[str]) -> Array:
        """Probabilities of texts, shape (n, K)."""
        return self.predict_as(texts, texts)

    def predict_as(self, texts: Sequence[str], others: Sequence[str]) -> Array:
        """Probabilities of other texts, each by the model that measures the text in its place.

        Of a text that role reversal has changed, that is the one that measured the text itself:
        two models would differ by what they were trained on, too.
        """
        fold = self.baseline.folds.of(texts)
        found = np.empty((len(texts), len(self.classes)))
        for k in np.unique(fold):
            places = np.flatnonzero(fold == k).tolist()
            found[places] = self.probes[k].predict([others[i] for i in places])
        return found

    def measure(self, texts: Sequence[str], gold: Sequence[int] | None = None) -> Measured:
        """Probabilities and sensitivity of texts, and the shares of their words."""
        fold = self.baseline.folds.of(texts)
        probabilities = np.empty((len(texts), len(self.classes)))
        sensitivity = np.empty(len(texts))
        tokens: list[Sequence[tuple[str, float]]] = [()] * len(texts)
        for k in np.unique(fold):
            places = np.flatnonzero(fold == k).tolist()
            own = None if gold is None else [gold[i] for i in places]
            part = self.probes[k].measure([texts[i] for i in places], own)
            probabilities[places], sensitivity[places] = part.probabilities, part.sensitivity
            for place, named in zip(places, part.tokens, strict=True):
                tokens[place] = named
        return Measured(probabilities, sensitivity, tokens, np.zeros(len(texts), dtype=bool))


def train_baseline(texts: Sequence[str], labels: Sequence[str], seed: int = 0) -> Baseline:
    """Train TF-IDF with logistic regression in five folds, and measure it on what it has not seen.

    Words and pairs of words that stand in at least two texts, the 50,000 commonest of them,
    weighted by 1 + log(count) and inverse document frequency; scikit-learn's logistic regression
    with its standard penalty. Equal texts share a fold. Each label's texts are dealt out evenly,
    in an order that the seed and the texts decide, not the order of the records.

    Parameters
    ----------
    texts, labels : sequence of str, length n
    seed : int
        Decides the folds.

    Raises
    ------
    FairauditError
        If scikit-learn is missing, there is one label alone, a label has fewer than five
        different texts, or no word stands in two texts.
    """
    require("sensitivity", "sklearn", extra="sklearn")
    answers = np.asarray(labels, dtype=str)
    folds = Folds.deal(texts, answers, seed)
    fold = folds.of(texts)
    pipelines, right = [], np.zeros(len(texts), dtype=bool)
    for k in range(FOLDS):
        train, held = (np.flatnonzero(each).tolist() for each in (fold != k, fold == k))
        pipeline = _fitted([texts[i] for i in train], answers[train])
        right[held] = pipeline.predict([texts[i] for i in held]) == answers[held]
        pipelines.append(pipeline)
    return Baseline(tuple(pipelines), folds, float(right.mean()), majority(answers))


@dataclass(frozen=True)
class Trained:
    """A linear model of a protected attribute, and whether there was anything to learn.

    Attributes
    ----------
    model : classifier
        Trained on all records; `LinearProbe` takes v from it.
    accuracy : float
        Share of records that models trained on the other folds get right.
    majority : float
        Share of the commonest value. If `accuracy` is not above it, v is noise.
    """

    model: Any
    accuracy: float
    majority: float


def train_protected_linear(
    pipeline: Any, texts: Sequence[str], attribute: Sequence[str], seed: int = 0
) -> Trained:
    """Train a model of a protected attribute on the features of a text pipeline.

    Parameters
    ----------
    pipeline : scikit-learn Pipeline
        The audited model; only its vectoriser is used, and it is not changed.
    texts, attribute : sequence of str, length n
        Texts and the attribute's values; they need not be the audited records.
    seed : int
        Decides the folds in which the accuracy is measured.

    Raises
    ------
    FairauditError
        If there is one value alone, or one of fewer than five different texts.
    """
    values = np.asarray(attribute, dtype=str)
    fold = Folds.deal(texts, values, seed).of(texts)
    features = pipeline[:-1].transform(texts)
    right = np.zeros(len(texts), dtype=bool)
    for k in range(FOLDS):
        model = regression().fit(features[fold != k], values[fold != k])
        right[fold == k] = model.predict(features[fold == k]) == values[fold == k]
    model = regression().fit(features, values)
    return Trained(model, float(right.mean()), majority(values))


def with_protected(baseline: Baseline, texts: Sequence[str], attribute: Sequence[str]) -> Baseline:
    """Add models of a protected attribute, each trained without the texts of its fold.

    Raises
    ------
    FairauditError
        If there is one value alone, or one that stands in one fold alone.
    """
    values, fold = np.asarray(attribute, dtype=str), baseline.folds.of(texts)
    models, right = [], np.zeros(len(texts), dtype=bool)
    for k, pipeline in enumerate(baseline.pipelines):
        held = fold == k
        if len(set(values[~held])) < max(2, len(set(values))):
            found = np.unique(values).tolist()
            raise FairauditError(
                "the protected attribute needs two values or more, each in several texts; "
                f"found {len(found):,}: {few(found) or 'none'}"
            )
        features = pipeline[:-1].transform(texts)
        models.append(regression().fit(features[~held], values[~held]))
        if held.any():
            right[held] = models[-1].predict(features[held]) == values[held]
    return replace(
        baseline,
        protected=tuple(models),
        protected_accuracy=float(right.mean()),
        protected_majority=majority(values),
    )


def regression() -> Any:
    """A logistic regression, fitted so closely that no version's optimiser shows in a figure."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=10_000, tol=1e-7)


def _fitted(texts: Sequence[str], labels: Array) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    words = TfidfVectorizer(
        ngram_range=(1, 2), sublinear_tf=True, min_df=2, max_features=_VOCABULARY
    )
    try:
        return make_pipeline(words, regression()).fit(texts, labels)
    except ValueError:
        raise FairauditError(
            f"{len(texts)} texts are too few to train a model: no word stands in two of them"
        ) from None


def _check_labels(by_label: Mapping[str, Sequence[str]]) -> None:
    if len(by_label) < 2:
        raise FairauditError(
            f"a model cannot be trained: found {len(by_label)} label where two or more are needed"
        )
    for label, own in by_label.items():
        if len(own) < FOLDS:
            raise FairauditError(
                f"label '{label}' has {len(own)} different texts; to train a model on some and "
                f"measure it on others takes {FOLDS} or more"
            )


def _number(text: str, seed: int) -> int:
    digest = hashlib.sha256(f"{seed}\0{text}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big")


def majority(labels: Array) -> float:
    """Share of the commonest label."""
    return float(np.unique(labels, return_counts=True)[1].max() / len(labels))
