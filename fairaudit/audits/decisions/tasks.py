"""What is counted in a record: of yes or no, of one of several classes, of a number, of a rank."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from fairaudit.arrays import Array
from fairaudit.audits.decisions.roles import Roles
from fairaudit.audits.decisions.values import Positives, check_named
from fairaudit.exceptions import FairauditError
from fairaudit.groups import Vocabulary
from fairaudit.metrics import BINARY, MULTICLASS, RANKING, REGRESSION, SCORES, SELECTION
from fairaudit.table import Batch

CELLS = ("true_positives", "false_positives", "false_negatives", "true_negatives")

#: Metrics of a class against all others; inequality is of all classes or of none.
ONE_VS_REST = [name for name in BINARY if name not in ("generalized_entropy_index", "theil_index")]


@dataclass(frozen=True)
class Tally:
    """One way of counting the records.

    Attributes
    ----------
    variant : mapping or None
        What marks its rows, where there are several.
    columns : tuple of str
        Names of its counts; the first is ``records``.
    metrics : sequence of str
        What can be computed from them.
    """

    variant: Mapping[str, Any] | None
    columns: tuple[str, ...]
    metrics: Sequence[str]


class Task(Protocol):
    """What is counted in a record.

    Attributes
    ----------
    labels, numbers : list of str
        Columns that are read as values and as numbers.
    alike : bool
        Whether records that are alike may be put together.
    tallies : list of Tally
        In which ways records are counted.
    further : list of str
        Metrics that need every record.
    """

    labels: list[str]
    numbers: list[str]
    alike: bool
    tallies: list[Tally]
    further: list[str]

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Look at all records before they are counted, where that is needed."""

    def count(self, batch: Batch) -> list[Array]:
        """Counts of n records in each way, shape (n, K) each."""

    def keep(self, batch: Batch) -> dict[str, Array]:
        """What `further` metrics need of n records, shape (n,) each."""

    def check(self) -> None:
        """Require that what was found makes sense, when all is read."""

    def settings(self) -> dict[str, Any]:
        """For the signature."""

    def notes(self) -> Iterable[str]:
        """What a reader must know."""


def weights(batch: Batch, roles: Roles) -> Array:
    """Weight of each record, 1 where none are given; shape (n,)."""
    return np.ones(len(batch.keep)) if roles.weight is None else batch.numbers[roles.weight]


def _matrix(weight: Array, columns: Sequence[Array]) -> Array:
    """Records, weights and weighted columns of counts, shape (n, 2 + len(columns))."""
    weighted = [weight * column for column in columns]
    return np.column_stack([np.ones_like(weight), weight, *weighted])


def _cells(prediction: Array, label: Array) -> list[Array]:
    """Which of `CELLS` a record is, from bools of shape (n,)."""
    return [prediction & label, prediction & ~label, ~prediction & label, ~prediction & ~label]


def _given(*columns: str | None) -> list[str]:
    return [column for column in columns if column is not None]


class Binary:
    """Decisions of yes or no, or scores with thresholds.

    Parameters
    ----------
    roles : Roles
        The columns.
    positive, positive_label : sequence of str
        Positive values of the prediction, and of the label where they are others.
    thresholds : sequence of str
        Numbers, or ``median``.
    na : collection of str
        What stands for a missing value.
    """

    def __init__(
        self,
        roles: Roles,
        positive: Sequence[str],
        positive_label: Sequence[str],
        thresholds: Sequence[str],
        na: Collection[str],
    ) -> None:
        self.roles = roles
        self.labels = _given(roles.label, roles.prediction)
        self.numbers = _given(roles.score, roles.weight)
        self.alike = not self.numbers
        self.prediction = self._positives(roles.prediction, positive, na, "--positive")
        _check_used(self.roles, positive, positive_label)
        option = "--positive-label" if positive_label else "--positive"
        self.label = self._positives(roles.label, positive_label or positive, na, option)
        self.thresholds = self._thresholds(thresholds)
        self.median = self.share_tied = np.nan
        self.tallies = self._tallies()
        scored = roles.score is not None and roles.label is not None
        self.further = [name for name in SCORES if name not in _OF_SUMS] if scored else []

    @staticmethod
    def _positives(
        column: str | None, named: Sequence[str], na: Collection[str], option: str
    ) -> Positives | None:
        return None if column is None else Positives(column, named, na, option)

    def _thresholds(self, given: Sequence[str]) -> list[float | str | None]:
        """Thresholds as numbers; None stands for decisions as they are."""
        if self.roles.prediction is not None:
            if given:
                raise FairauditError(
                    f"--threshold {given[0]}: decisions are given already (--prediction)."
                )
            return [None]
        return list(dict.fromkeys(map(_threshold, given))) or [0.5]

    def _tallies(self) -> list[Tally]:
        """A tally per threshold; what the scores themselves show does not depend on it."""
        columns, metrics = ["records", "weight", "selected"], list(SELECTION)
        of_scores: list[str] = []
        if self.label is not None:
            columns += ["correct", *CELLS]
            metrics = list(BINARY)
        if self.roles.score is not None:
            of_scores = ["score"] if self.label is None else ["score", "squared_score_error"]
        if len(self.thresholds) == 1:
            shown = [*metrics, *_OF_SUMS[: len(of_scores)]]
            return [Tally(None, (*columns, *of_scores), shown)]
        tallies = [Tally({"threshold": t}, tuple(columns), metrics) for t in self.thresholds]
        alone = Tally(None, ("records", "weight", *of_scores), _OF_SUMS[: len(of_scores)])
        return [*tallies, alone]

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Find the median of all scores, where it is a threshold."""
        if "median" in self.thresholds and self.roles.score is not None:
            scores = np.concatenate([[], *(batch.numbers[self.roles.score] for batch in batches)])
            if len(scores):
                self.median = float(np.median(scores))
                self.share_tied = float(np.mean(scores == self.median))

    def count(self, batch: Batch) -> list[Array]:
        """Counts of n records, per threshold, and of the scores."""
        label = self._truth(batch)
        columns = [self._decisions(batch, threshold, label) for threshold in self.thresholds]
        scores = self._scores(batch, label)
        together = [[*columns[0], *scores]] if len(columns) == 1 else [*columns, scores]
        return [_matrix(weights(batch, self.roles), each) for each in together]

    def _decisions(
        self, batch: Batch, threshold: float | str | None, label: Array | None
    ) -> list[Array]:
        decided = self._decided(batch, threshold)
        return [decided] if label is None else [decided, decided == label, *_cells(decided, label)]

    def _truth(self, batch: Batch) -> Array | None:
        if self.label is None or self.roles.label is None:
            return None
        return self.label.encode(batch.labels[self.roles.label]) == 1

    def _decided(self, batch: Batch, threshold: float | str | None) -> Array:
        """What is decided of each record, shape (n,), bool."""
        if self.prediction is not None and self.roles.prediction is not None:
            return self.prediction.encode(batch.labels[self.roles.prediction]) == 1
        score = batch.numbers[str(self.roles.score)]
        # Local Law 144 counts scores above the median, not at it.
        return score > self.median if threshold == "median" else score >= float(threshold or 0)

    def _scores(self, batch: Batch, label: Array | None) -> list[Array]:
        if self.roles.score is None:
            return []
        score = batch.numbers[str(self.roles.score)]
        return [score] if label is None else [score, (score - label) ** 2]

    def keep(self, batch: Batch) -> dict[str, Array]:
        """Scores, labels and weights."""
        truth = self._truth(batch)
        if truth is None or not self.further:
            return {}
        score = batch.numbers[str(self.roles.score)]
        return {"score": score, "positive": truth, "weight": weights(batch, self.roles)}

    @property
    def bounded(self) -> bool:
        """Whether scores must lie in [0, 1]: they need not for the median alone."""
        return self.label is not None or self.thresholds != ["median"]

    def check(self) -> None:
        """Require that it can be told which values are positive."""
        for side in (self.prediction, self.label):
            if side is not None:
                side.check()
        check_named(self.prediction, self.label)

    def settings(self) -> dict[str, Any]:
        """Thresholds, and the values named as positive."""
        sides = {"positive": self.prediction, "positive_label": self.label}
        named = {role: ",".join(side.named) or None for role, side in sides.items() if side}
        if self.roles.score is None or self.prediction is not None:
            return named
        return {"threshold": ",".join(map(str, self.thresholds)), **named}

    def notes(self) -> Iterable[str]:
        """What a label that is constant leaves open; where the median lies, and how many on it."""
        if self.label is not None and len(self.label.values) == 1:
            yield (
                f"All labels in column '{self.label.column}' are '{self.label.values[0]}', so "
                "rates among others have no value."
            )
        if "median" in self.thresholds:
            yield (
                f"The median of all scores is {self.median:g}; scores above it are selected. "
                f"{100 * self.share_tied:.1f} % of the scores lie on it."
            )


#: Metrics of scores that are functions of sums.
_OF_SUMS = ["mean_score", "brier_score"]


def _threshold(text: str) -> float | str:
    if text == "median":
        return text
    try:
        number = float(text)
    except ValueError:
        number = np.nan
    if not 0 <= number <= 1:
        raise FairauditError(
            f"--threshold {text}: expected a number from 0 to 1, as scores are, or median."
        )
    return number


def _check_used(roles: Roles, positive: Sequence[str], positive_label: Sequence[str]) -> None:
    """Refuse positive values of a column that is not there."""
    if positive_label and roles.label is None:
        raise FairauditError(f"--positive-label {positive_label[0]}: no --label was given.")
    if positive and roles.label is None and roles.prediction is None:
        raise FairauditError(
            f"--positive {positive[0]}: neither --prediction nor --label was given."
        )


class Multiclass:
    """One of several classes: all together, and chosen classes against all others.

    Parameters
    ----------
    roles : Roles
        The columns.
    classes : sequence of str
        Classes that are reported on their own, against all others.
    """

    def __init__(self, roles: Roles, classes: Sequence[str]) -> None:
        if roles.label is None or roles.prediction is None:
            raise FairauditError("--task multiclass needs --label and --prediction.")
        self.roles, self.chosen = roles, list(dict.fromkeys(classes))
        self.labels = [roles.label, roles.prediction]
        self.numbers = _given(roles.weight)
        self.alike = not self.numbers
        self.further: list[str] = []
        self.classes: list[str] = []
        self.tallies: list[Tally] = []

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Find the classes."""
        found: dict[str, set[str | None]] = {name: set() for name in self.labels}
        for batch in batches:
            for name, values in found.items():
                values.update(batch.labels[name])
        self.classes = sorted(str(value) for value in set().union(*found.values()))
        if len(self.classes) > _MOST_CLASSES:
            raise FairauditError(
                f"columns '{self.labels[0]}' and '{self.labels[1]}' hold {len(self.classes)} "
                f"classes, more than {_MOST_CLASSES}. Are they numbers? --task regression"
            )
        self._check_common(*found.values())
        for name in self.chosen:
            if name not in self.classes:
                raise FairauditError(
                    f"--class {name}: no such class. Classes: {', '.join(self.classes[:20])}."
                )
        families = ("true_positives", "positives", "selected")
        columns = [f"{family}:{name}" for name in self.classes for family in families]
        together = ("records", "weight", "correct", *columns)
        self.tallies = [Tally(None, together, MULTICLASS)]
        one = ("records", "weight", "selected", "correct", *CELLS)
        self.tallies += [Tally({"class": name}, one, ONE_VS_REST) for name in self.chosen]

    def _check_common(self, labels: set[str | None], predictions: set[str | None]) -> None:
        """Require that labels and predictions speak of the same classes: 1 is not 1.0."""
        if labels and not labels & predictions:
            true, decided = (
                ", ".join(f"'{value}'" for value in sorted(map(str, values))[:5])
                for values in (labels, predictions)
            )
            raise FairauditError(
                f"column '{self.labels[0]}' holds {true}, none of them a value of "
                f"'{self.labels[1]}': {decided}. Write the classes alike in both."
            )

    def count(self, batch: Batch) -> list[Array]:
        """Counts of n records: over all classes, then for each that was chosen."""
        label, prediction = (np.array(batch.labels[name], dtype=object) for name in self.labels)
        weight = weights(batch, self.roles)
        columns = [label == prediction]
        for name in self.classes:
            true, decided = label == name, prediction == name
            columns += [true & decided, true, decided]
        counts = [_matrix(weight, columns)]
        for name in self.chosen:
            true, decided = label == name, prediction == name
            one = [decided, true == decided, *_cells(decided, true)]
            counts.append(_matrix(weight, one))
        return counts

    def keep(self, batch: Batch) -> dict[str, Array]:
        """Nothing."""
        return {}

    def check(self) -> None:
        """Nothing: every value is a class."""

    def settings(self) -> dict[str, Any]:
        """The chosen classes."""
        return {"task": "multiclass", "class": ",".join(self.chosen) or None}

    def notes(self) -> Iterable[str]:
        """Nothing."""
        return ()


_MOST_CLASSES = 100


class Regression:
    """Predicted numbers."""

    def __init__(self, roles: Roles) -> None:
        if roles.label is None or roles.prediction is None:
            raise FairauditError("--task regression needs --label and --prediction.")
        self.roles = roles
        self.labels: list[str] = []
        self.numbers = _given(roles.label, roles.prediction, roles.weight)
        self.alike = False
        columns = "records weight error absolute_error squared_error label squared_label".split()
        names = [name for name in REGRESSION if name != "error_quantile"]
        self.tallies = [Tally(None, tuple(columns), names)]
        self.further = ["error_quantile"]

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Nothing."""

    def _errors(self, batch: Batch) -> tuple[Array, Array]:
        label = batch.numbers[str(self.roles.label)]
        return batch.numbers[str(self.roles.prediction)] - label, label

    def count(self, batch: Batch) -> list[Array]:
        """Errors and labels, and their squares."""
        error, label = self._errors(batch)
        columns = [error, np.abs(error), error**2, label, label**2]
        return [_matrix(weights(batch, self.roles), columns)]

    def keep(self, batch: Batch) -> dict[str, Array]:
        """Errors and weights."""
        return {"error": self._errors(batch)[0], "weight": weights(batch, self.roles)}

    def check(self) -> None:
        """Nothing: numbers were checked as they were read."""

    def settings(self) -> dict[str, Any]:
        """The task."""
        return {"task": "regression"}

    def notes(self) -> Iterable[str]:
        """Nothing."""
        return ()


class Ranking:
    """Ranks by score, within queries or over all records.

    Parameters
    ----------
    roles : Roles
        The columns; a label is the relevance.
    top : sequence of str
        How many of the first ranks are selected; 10 where none is given.
    """

    def __init__(self, roles: Roles, top: Sequence[str]) -> None:
        if roles.score is None:
            raise FairauditError("--task ranking needs --score.")
        self.roles, self.top = roles, list(dict.fromkeys(map(_top, top))) or [10]
        self.labels = _given(roles.query)
        self.numbers = _given(roles.label, roles.score, roles.weight)
        self.alike = False
        self.further: list[str] = []
        columns: tuple[str, ...] = ("records", "weight", "selected")
        extra: tuple[str, ...] = ("exposure",)
        names = ["exposure"]
        if roles.label is not None:
            extra, names = ("exposure", "relevance"), RANKING[1:]
        several = len(self.top) > 1
        self.tallies = [Tally({"k": k} if several else None, columns, SELECTION) for k in self.top]
        first = self.tallies[0]
        self.tallies[0] = Tally(first.variant, columns + extra, [*SELECTION, *names])
        self._seen = 0

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Rank all records; those with the same score share their places."""
        scores: list[Array] = [np.zeros(0)]
        queries = Vocabulary()
        asked: list[Array] = []
        for batch in batches:
            scores.append(batch.numbers[str(self.roles.score)])
            if self.roles.query is not None:
                asked.append(queries.encode(batch.labels[self.roles.query]))
        score = np.concatenate(scores)
        query = np.concatenate(asked) if asked else np.zeros(len(score))
        self._exposure, self._selected = _places(score, query, self.top)

    def count(self, batch: Batch) -> list[Array]:
        """Selection in each top k; exposure and relevance with the first."""
        here = slice(self._seen, self._seen + len(batch.keep))
        self._seen = here.stop
        weight = weights(batch, self.roles)
        counts = []
        for i, tally in enumerate(self.tallies):
            columns = [self._selected[i][here]]
            if "exposure" in tally.columns:
                columns.append(self._exposure[here])
            if "relevance" in tally.columns:
                columns.append(batch.numbers[str(self.roles.label)])
            counts.append(_matrix(weight, columns))
        return counts

    def keep(self, batch: Batch) -> dict[str, Array]:
        """Nothing."""
        return {}

    def check(self) -> None:
        """Nothing: numbers were checked as they were read."""

    def settings(self) -> dict[str, Any]:
        """How many are selected."""
        return {"task": "ranking", "top_k": ",".join(map(str, self.top))}

    def notes(self) -> Iterable[str]:
        """What ranks depend on."""
        yield "Records with the same score share their places: each has the mean of them."
        if self.roles.query is not None:
            yield (
                "Records of one query share its places, so intervals are for other queries only "
                f"with --cluster {self.roles.query}."
            )


def _top(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise FairauditError(f"--top-k {text}: expected a whole number, 1 or more.")
    return int(text)


def _places(score: Array, query: Array, top: Sequence[int]) -> tuple[Array, list[Array]]:
    """Exposure of each record, and its chance to be among the top k for each k, shape (n,) each.

    Ranks run from 1 within each query, highest score first; ties share the mean over all
    orders. Exposure is 1 / log2(1 + rank): Singh & Joachims, KDD 2018.

    Examples
    --------
    >>> exposure, (first,) = _places(np.array([0.9, 0.1, 0.9]), np.zeros(3), [1])
    >>> exposure.round(3).tolist(), first.tolist()
    ([0.815, 0.5, 0.815], [0.5, 0.0, 0.5])
    """
    order = np.lexsort((-score, query))
    by_query, by_score = query[order], score[order]
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = by_query[1:] != by_query[:-1]
    place = np.arange(len(order))
    rank = place - np.maximum.accumulate(np.where(fresh, place, 0)) + 1
    tied = np.cumsum(fresh | np.concatenate([[True], by_score[1:] != by_score[:-1]])[: len(order)])
    exposure = _shared(1 / np.log2(1 + rank), tied, order)
    return exposure, [_shared((rank <= k).astype(float), tied, order) for k in top]


def _shared(value: Array, tied: Array, order: Array) -> Array:
    """Mean of `value` within ties, back in the order of the records."""
    mean = np.bincount(tied, weights=value) / np.maximum(np.bincount(tied), 1)
    shared = np.empty(len(order))
    shared[order] = mean[tied]
    return shared
