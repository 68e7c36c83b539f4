"""Sensitivity of linear text classifiers, whose gradients have a closed form.

The features are a bag of words: what a vectoriser of scikit-learn makes of a text. The scores are
linear in them, z = W x + b, so the gradient of the class probabilities is a small matrix per
record, their derivatives with respect to the scores, times W.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import numpy as np

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError
from fairaudit.lm.sensitivity.measured import Measured, Weighting

#: How scores become probabilities.
Link = Literal["sigmoid", "softmax", "one_vs_rest"]
#: Words in a row: most often one.
Phrase = tuple[str, ...]
#: Records at a time.
_RECORDS = 1024


@dataclass(frozen=True)
class Linear:
    """Class probabilities that are a function of linear scores.

    Attributes
    ----------
    weights : array, shape (C, d)
        One row of coefficients per score: one of two classes, else one per class.
    intercept : array, shape (C,)
        What is added to the scores.
    link : str
        ``sigmoid`` (two classes, one score), ``softmax``, or ``one_vs_rest``: sigmoids that are
        divided by their sum.
    """

    weights: Array
    intercept: Array
    link: Link

    def probabilities(self, features: Any) -> Array:
        """Probabilities of the classes, shape (n, K), from features of shape (n, d)."""
        return self._probabilities(self._scores(features))

    def slopes(self, features: Any) -> Array:
        """Derivatives of the probabilities with respect to the scores, shape (n, K, C).

        With t_c = f_c for softmax and t_c = s'(z_c) / sum_j s(z_j) for one against the rest, both
        are t_c (delta_kc - f_k). 1 - f_k is summed from the others: a sure model still has one.
        """
        scores = self._scores(features)
        f = self._probabilities(scores)
        if self.link == "sigmoid":
            slope = (f[:, 0] * f[:, 1])[:, None, None]
            return np.concatenate([-slope, slope], axis=1)
        t = f if self.link == "softmax" else f * _sigmoid(-scores)
        slopes = -f[:, :, None] * t[:, None, :]
        every = np.arange(f.shape[1])
        slopes[:, every, every] = t * (f @ (1 - np.eye(len(every))))
        return slopes

    def _scores(self, features: Any) -> Array:
        return np.asarray(features @ self.weights.T) + self.intercept

    def _probabilities(self, scores: Array) -> Array:
        if self.link == "sigmoid":
            return _sigmoid(np.concatenate([-scores, scores], axis=1))
        if self.link == "softmax":
            raised = np.exp(scores - scores.max(axis=1, keepdims=True))
        else:
            raised = _sigmoid(scores)
        return raised / raised.sum(axis=1, keepdims=True)


def _sigmoid(scores: Array) -> Array:
    small = np.exp(-np.abs(scores))
    return np.where(scores >= 0, 1.0, small) / (1 + small)


def linear(classifier: Any) -> Linear:
    """Read a fitted linear classifier of scikit-learn, and check that it is understood.

    A logistic regression, `SGDClassifier` with log loss, or `OneVsRestClassifier` of them. How
    its scores become probabilities is tried, not looked up: the settings that say so have changed
    from one scikit-learn to the next.

    Raises
    ------
    FairauditError
        If it is not linear, not fitted, or its probabilities are another function of the scores.
    """
    kind = type(classifier).__name__
    weights, intercept = _coefficients(classifier)
    if len(weights) and hasattr(classifier, "predict_proba"):
        links: tuple[Link, ...] = ("sigmoid",) if len(weights) == 1 else ("softmax", "one_vs_rest")
        points = _points(weights)
        expected = classifier.predict_proba(points)
        for link in links:
            model = Linear(weights, intercept, link)
            if np.allclose(model.probabilities(points), expected, atol=1e-7):
                return model
    raise FairauditError(
        f"--model: {kind} is no fitted linear classifier with probabilities. For texts the last "
        "step of the pipeline must be a LogisticRegression or an SGDClassifier(loss='log_loss')"
    )


def _coefficients(classifier: Any) -> tuple[Array, Array]:
    """Weights (C, d) and intercepts (C,); no rows if there are none."""
    parts = [classifier] if hasattr(classifier, "coef_") else getattr(classifier, "estimators_", [])
    if not len(parts) or not all(hasattr(part, "coef_") for part in parts):
        return np.empty((0, 0)), np.empty(0)
    rows = [part.coef_ for part in parts]
    dense = [row.toarray() if hasattr(row, "toarray") else np.asarray(row) for row in rows]
    weights = np.concatenate([np.atleast_2d(row) for row in dense]).astype(float)
    biases = [np.broadcast_to(part.intercept_, len(np.atleast_2d(part.coef_))) for part in parts]
    return weights, np.concatenate(biases).astype(float)


def _points(weights: Array) -> Array:
    """Feature vectors at which the scores differ: the origin, and along each row of weights."""
    length = np.square(weights).sum(axis=1, keepdims=True)
    return np.concatenate([np.zeros_like(weights[:1]), 2 * weights / np.where(length, length, 1)])


@dataclass(frozen=True)
class _Pull:
    """Weights of features, one row per record, without the (n, d) array: scale * |slopes W|."""

    scale: Array  # (n,) or (1,)
    slopes: Array  # (n, k, C), or (1, k, C) for all records alike
    weights: Array  # (C, d)

    def at(self, rows: Array, columns: Array) -> Array:
        """Of single features of single records, without the scale: shape (m,)."""
        slopes = self.slopes[rows if len(self.slopes) > 1 else np.zeros_like(rows)]
        return np.abs(np.einsum("mkc,cm->mk", slopes, self.weights[:, columns])).sum(axis=1)


def _pull(model: Linear, features: Any, class_weights: Array) -> _Pull:
    """sum_k w_k |d f_k / d x_i| of each record."""
    slopes = model.slopes(features) * class_weights[:, :, None]
    if slopes.shape[2] == 1:
        # One score: all gradients are multiples of one row.
        return _Pull(np.abs(slopes).sum(axis=(1, 2)), np.ones((1, 1, 1)), model.weights)
    if (np.count_nonzero(class_weights, axis=1) == 1).all():
        chosen = class_weights.argmax(axis=1)[:, None, None]
        slopes = np.take_along_axis(slopes, chosen, axis=1)
    return _Pull(np.ones(len(slopes)), slopes, model.weights)


def _fixed(weights: Array) -> _Pull:
    return _Pull(np.ones(1), np.ones((1, 1, 1)), weights[None, :])


def class_weights(
    probabilities: Array, weighting: Weighting, gold: Sequence[int] | Array | None = None
) -> Array:
    """Weights w of the classes in each record, shape (n, K): one-hot, or 1 / K each.

    Raises
    ------
    FairauditError
        If gold classes are asked for and there are none, or one of them is not a class.

    Examples
    --------
    >>> class_weights(np.array([[0.2, 0.8], [0.6, 0.4]]), "predicted").tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    n, classes = probabilities.shape
    if weighting == "uniform":
        return np.full((n, classes), 1 / classes)
    if weighting == "predicted":
        return np.eye(classes)[probabilities.argmax(axis=1)]
    if gold is None:
        raise FairauditError("--weighting gold: the records' true labels are needed, too")
    places = np.asarray(gold, dtype=int).reshape(n)
    if not np.isin(places, np.arange(classes)).all():
        raise FairauditError(f"--weighting gold: a label is none of the model's {classes} classes")
    return np.eye(classes)[places]


def accumulated(
    task: Linear,
    features: Any,
    weights: Array,
    protected: Linear | Array,
    normalize: bool = True,
) -> tuple[Array, Array]:
    """Accumulated prediction sensitivity P(x) = w' |J| v of linear models of texts.

    Krishna et al., "Measuring Fairness of Text Classifiers via Prediction Sensitivity", ACL 2022.
    The sum runs over the features in the text, as over the tokens of a text for a neural model.
    Over the whole vocabulary the gradient of a model of two classes would have one direction in
    every record, and two records would differ by p (1 - p) alone.

    Parameters
    ----------
    task : Linear
        The audited model.
    features : sparse array by rows, shape (n, d)
        Features of the records, m of them in all.
    weights : array, shape (n, K)
        Of the classes: `class_weights`.
    protected : Linear or array of shape (d,)
        A model of the protected attribute, from which v = abs(d g / d x) with g the probability
        of the class that it predicts; or v itself.
    normalize : bool
        Divide v by its sum. Where v is 0 everywhere, so is P.

    Returns
    -------
    sensitivity : array, shape (n,)
    parts : array, shape (m,)
        What each feature adds, in the order in which they are stored.
    """
    pull, v = _pull(task, features, weights), _about(protected, features)
    n = features.shape[0]
    rows = np.repeat(np.arange(n), np.diff(features.indptr))
    about = v.at(rows, features.indices)
    joint = pull.at(rows, features.indices) * about
    # Of no feature at all bincount gives integers.
    whole, total = (np.bincount(rows, each, n).astype(float) for each in (joint, about))
    factor = _factor(pull, v, total, normalize)
    return factor * whole, factor[rows] * joint


def _about(protected: Linear | Array, features: Any) -> _Pull:
    """The features' weights v: of a model, or the same for all records."""
    if isinstance(protected, Linear):
        predicted = class_weights(protected.probabilities(features), "predicted")
        return _pull(protected, features, predicted)
    return _fixed(protected)


def _factor(pull: _Pull, v: _Pull, total: Array, normalize: bool) -> Array:
    """What the sums are multiplied by: the scale of v cancels when v is divided by its sum."""
    if not normalize:
        return pull.scale * v.scale
    return np.divide(pull.scale, total, out=np.zeros_like(total), where=total > 0)


class Bag:
    """The features of a text pipeline: how texts become numbers, and what each number is called.

    Parameters
    ----------
    steps : scikit-learn Pipeline
        A `CountVectorizer`, `TfidfVectorizer` or `HashingVectorizer`, fitted, and perhaps a
        `TfidfTransformer`.

    Raises
    ------
    FairauditError
        If it has other steps: their outputs are no words any more.
    """

    def __init__(self, steps: Any) -> None:
        from sklearn.feature_extraction.text import (
            CountVectorizer,
            HashingVectorizer,
            TfidfTransformer,
        )

        parts = [step for _, step in steps.steps if step not in (None, "passthrough")]
        known = [(CountVectorizer, HashingVectorizer), (TfidfTransformer,)]
        fits = [isinstance(part, kind) for part, kind in zip(parts, known, strict=False)]
        if not parts or len(parts) > 2 or not all(fits):
            raise FairauditError(
                "--model: for texts the steps before the classifier must be one vectoriser "
                "(TfidfVectorizer, CountVectorizer, HashingVectorizer) and at most a "
                f"TfidfTransformer; found {', '.join(type(part).__name__ for part in parts)}"
            )
        self._steps, self._vectorizer = steps, parts[0]
        self._analyze = self._vectorizer.build_analyzer()
        self._hashed = isinstance(self._vectorizer, HashingVectorizer)
        self._prepare = self._vectorizer.build_preprocessor()
        self._split = self._vectorizer.build_tokenizer()
        self._stop_words = self._vectorizer.get_stop_words() or frozenset()
        self._names: Array | None = None if self._hashed else parts[0].get_feature_names_out()

    def transform(self, texts: Sequence[str]) -> Any:
        """Features of texts: a sparse array, shape (n, d)."""
        # Some steps refuse to read no text at all.
        features = self._steps.transform(texts if len(texts) else [""]).tocsr()[: len(texts)]
        features.sort_indices()
        return features

    def names(self, text: str, columns: Array) -> list[str]:
        """What features of a text are called; what a hash does not tell apart, by all its names."""
        if self._names is not None:
            return self._names[columns].tolist()
        found: dict[int, list[str]] = {}
        tokens = list(dict.fromkeys(self._analyze(text)))
        for column, token in zip(self._hash(tokens), tokens, strict=True):
            found.setdefault(column, []).append(token)
        return [" | ".join(found.get(column, [])) for column in columns.tolist()]

    @property
    def reads_words(self) -> bool:
        """Whether features are words, and words in a row, so that they have places in a text."""
        return str(self._vectorizer.analyzer) == "word"

    def shared(self, text: str, columns: Array, shares: Array) -> list[tuple[str, float]]:
        """Words of a text in its order, as the vectoriser reads them, with their shares.

        What a feature adds is split evenly over the places where it stands, and there over its
        words. Words that are no part of a feature, such as stop words, have none.

        Parameters
        ----------
        text : str
        columns, shares : array, shape (m,)
            Features in the text, and what each adds.

        Examples
        --------
        The share of *kind man*, 0.2, is split over its two words, and that of *kind*, 0.6, over
        the two places of it:

        >>> from sklearn.feature_extraction.text import CountVectorizer
        >>> from sklearn.pipeline import make_pipeline
        >>> bag = Bag(make_pipeline(CountVectorizer(ngram_range=(1, 2))).fit(["kind man"] * 2))
        >>> shares = bag.shared("Kind man, kind.", np.array([0, 1, 2]), np.array([0.6, 0.2, 0.1]))
        >>> [(word, round(share, 3)) for word, share in shares]
        [('kind', 0.4), ('man', 0.2), ('kind', 0.3)]
        """
        words = self._words(text)
        read = [place for place, word in enumerate(words) if word not in self._stop_words]
        rows = self._rows([words[place] for place in read])
        share = dict(zip(columns.tolist(), shares.tolist(), strict=True))
        found = self._columns([name for name, _, _ in rows])
        times = Counter(found)
        own = [0.0] * len(words)
        for column, (_, start, end) in zip(found, rows, strict=True):
            for place in read[start:end]:
                own[place] += share.get(column, 0.0) / times[column] / (end - start)
        return list(zip(words, own, strict=True))

    def _words(self, text: str) -> list[str]:
        prepared = self._prepare(self._vectorizer.decode(text))
        return list(self._split(prepared))

    def _rows(self, words: list[str]) -> list[tuple[str, int, int]]:
        """Words, and words in a row, that may be features: the name, and from where up to where."""
        least, most = self._vectorizer.ngram_range
        return [
            (" ".join(words[start : start + n]), start, start + n)
            for n in range(least, most + 1)
            for start in range(len(words) - n + 1)
        ]

    def _columns(self, names: list[str]) -> list[int]:
        """The features of these names; -1 where there is none."""
        if self._hashed:
            return self._hash(names)
        return [self._vectorizer.vocabulary_.get(name, -1) for name in names]

    def containing(self, words: Iterable[str], d: int) -> Array:
        """Which features are a listed word, or hold one: 0 or 1 each, shape (d,).

        A feature of several words holds each word and phrase in it; a feature of characters, each
        word that it spells out. Hashed features have no names: only the words themselves are
        found there, not the pairs of words that hold them.
        """
        found = np.zeros(d)
        found[list(self._matches(list(words)))] = 1.0
        return found

    def _matches(self, words: list[str]) -> Iterator[int]:
        prepare, split, phrases = self._prepare, self._split, set[Phrase]()
        if str(self._vectorizer.analyzer).startswith("char"):
            phrases |= {(prepare(word).strip(),) for word in words} - {("",)}
            holds = _spells
        else:
            phrases |= {tuple(split(prepare(word))) for word in words} - {()}
            holds = _holds
        if self._names is None:
            yield from self._hash(sorted(map(" ".join, phrases)))
        else:
            yield from (i for i, name in enumerate(self._names.tolist()) if holds(name, phrases))

    def _hash(self, tokens: list[str]) -> list[int]:
        from sklearn.feature_extraction import FeatureHasher

        size = self._vectorizer.n_features
        hasher = FeatureHasher(size, input_type="string")
        return hasher.transform([[token] for token in tokens]).indices.tolist() if tokens else []


def _spells(name: str, phrases: set[Phrase]) -> bool:
    """Whether one of the words stands in a feature of characters."""
    return any(word in name for (word,) in phrases)


def _holds(name: str, phrases: set[Phrase]) -> bool:
    """Whether one of the words and phrases stands in a feature of words."""
    words = name.split(" ")
    return any(
        tuple(words[start:end]) in phrases
        for start in range(len(words))
        for end in range(start + 1, len(words) + 1)
    )


class LinearProbe:
    """Sensitivity of a scikit-learn pipeline of a vectoriser and a linear classifier.

    See `accumulated`: the features in a text count, not all of the vocabulary.

    Parameters
    ----------
    pipeline : scikit-learn Pipeline
        Fitted: a vectoriser, perhaps a `TfidfTransformer`, a linear classifier.
    protected : classifier, collection of str, array of shape (d,) or None
        What is about the protected attribute: a linear classifier of the attribute, fitted on the
        features of the same vectoriser; words; v itself; or, if None, every feature alike.
    weighting : {"predicted", "gold", "uniform"}
        Which classes count. Of two classes both have the same gradient: it makes no difference.
    normalize : bool
        Divide v by its sum.
    name : str, optional
        What the model is called in an audit's settings; the kinds of its steps by default.
    named : bool
        Whether to say what each word adds, or of a vectoriser that reads no words each feature.

    Raises
    ------
    FairauditError
        If the pipeline or the protected classifier is not of these kinds, or their features
        differ, or no feature holds a listed word.
    """

    def __init__(
        self,
        pipeline: Any,
        protected: Any | Collection[str] | Array | None = None,
        weighting: Weighting = "predicted",
        *,
        normalize: bool = True,
        name: str = "",
        named: bool = True,
    ) -> None:
        if not hasattr(pipeline, "steps"):
            raise FairauditError(
                f"--model: {type(pipeline).__name__} reads no texts; "
                "expected a scikit-learn Pipeline of a vectoriser and a linear classifier"
            )
        classifier = pipeline.steps[-1][1]
        self._bag, self._task = Bag(pipeline[:-1]), linear(classifier)
        self._protected = _protected(protected, self._bag, self._task.weights.shape[1])
        self.classes = tuple(str(label) for label in np.asarray(classifier.classes_).tolist())
        self.name = name or ", ".join(type(step).__name__ for _, step in pipeline.steps)
        self._weighting, self._normalize = weighting, normalize
        self._named = named

    @property
    def reads_words(self) -> bool:
        """Whether what each word adds is known, not each feature alone."""
        return self._bag.reads_words

    def predict(self, texts: Sequence[str]) -> Array:
        """Probabilities of texts, shape (n, K)."""
        return self._task.probabilities(self._bag.transform(texts))

    def measure(self, texts: Sequence[str], gold: Sequence[int] | None = None) -> Measured:
        """Probabilities and sensitivity of texts, and the shares of the words in each."""
        starts = range(0, len(texts), _RECORDS)
        parts = [slice(start, start + _RECORDS) for start in starts] or [slice(0)]
        done = [self._measure(texts[some], None if gold is None else gold[some]) for some in parts]
        return Measured(
            np.concatenate([part.probabilities for part in done]),
            np.concatenate([part.sensitivity for part in done]),
            list(chain.from_iterable(part.tokens for part in done)),
            np.zeros(len(texts), dtype=bool),
        )

    def _measure(self, texts: Sequence[str], gold: Sequence[int] | None) -> Measured:
        x = self._bag.transform(texts)
        probabilities = self._task.probabilities(x)
        weights = class_weights(probabilities, self._weighting, gold)
        sensitivity, parts = accumulated(self._task, x, weights, self._protected, self._normalize)
        tokens = self._tokens(texts, x, parts)
        return Measured(probabilities, sensitivity, tokens, np.zeros(len(texts), dtype=bool))

    def _tokens(self, texts: Sequence[str], x: Any, shares: Array) -> list[list[tuple[str, float]]]:
        """Words of each text in its order, or else its features, the largest share first."""
        if not self._named:
            return [[] for _ in texts]
        name = self._bag.shared if self._bag.reads_words else self._features
        return [
            name(text, x.indices[start:end], shares[start:end])
            for text, start, end in zip(texts, x.indptr[:-1], x.indptr[1:], strict=True)
        ]

    def _features(self, text: str, columns: Array, shares: Array) -> list[tuple[str, float]]:
        order = np.argsort(-shares, kind="stable")
        names = self._bag.names(text, columns[order])
        return list(zip(names, shares[order].tolist(), strict=True))


def check_known(words: Collection[str], *features: Array) -> None:
    """Check that a listed word is a feature of one of some models: else all would be 0.

    Raises
    ------
    FairauditError
        If none is.
    """
    if not any(each.any() for each in features):
        raise FairauditError(
            f"none of the {len(words)} listed words is known to the model's vectoriser; "
            "list words as they stand in the texts"
        )


def _protected(protected: Any, bag: Bag, d: int) -> Linear | Array:
    if protected is None:
        return np.ones(d)
    if isinstance(protected, np.ndarray):
        return np.abs(protected).astype(float).reshape(d)
    if not hasattr(protected, "classes_"):
        found = bag.containing(protected, d)
        check_known(protected, found)
        return found
    model = linear(protected)
    if model.weights.shape[1] != d:
        raise FairauditError(
            f"the protected model reads {model.weights.shape[1]} features and the task model {d}; "
            "train it on the features of the task model's vectoriser"
        )
    return model
