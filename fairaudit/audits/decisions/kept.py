"""Metrics that are no function of summed counts: they need every record's score or error.

Within a group each record gets a pseudo-value, the group's value and the record's influence on it.
Their mean is the value and their spread its sampling error, so from here on such a metric is a
ratio of sums like any other (see `fairaudit.stats.influence`).

What compares positives with negatives rests on the rarer of the two: 5 positives among 100 are
five observations, not a hundred. Their number is the metric's n: the variance of an AUC is at most
AUC (1 - AUC) / n (van Dantzig, Statistica Neerlandica 5, 1951), which stands in where there is
none; and degrees of freedom are n - 1. Of 1,500 samples of 100 with 5 positives, intervals with 99
degrees of freedom cover the AUC in 86 to 89 %, with 4 in 95 % or more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.assess import Assessment, Design, Part, defined
from fairaudit.audit import Comparison, Estimate
from fairaudit.audits.decisions.tasks import Task
from fairaudit.groups import Codes, Grouping
from fairaudit.metrics import METRICS, Metric
from fairaudit.stats import influence, intervals
from fairaudit.stats.influence import Influence
from fairaudit.stats.sums import ALL, MISSING, Accumulator, Sums

#: Quantiles of errors that are reported.
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

#: Kept columns of the records of one group to the value and their influences on it.
Statistic = Callable[[Mapping[str, Array]], Influence]

_OF_SCORES: dict[str, Callable[..., Influence]] = {
    "roc_auc": influence.roc_auc,
    "average_precision": influence.average_precision,
    "calibration_intercept": influence.calibration_intercept,
    "calibration_slope": influence.calibration_slope,
}


def _of_scores(name: str, kept: Mapping[str, Array]) -> Influence:
    return _OF_SCORES[name](kept["score"], kept["positive"], kept["weight"])


def _quantile(tau: float, kept: Mapping[str, Array]) -> Influence:
    return influence.quantile(kept["error"], tau, kept["weight"])


class Kept:
    """Keeps what the task needs of every record, and whom it is about.

    Parameters
    ----------
    task : Task
        Says what is to be kept.
    grouping : Grouping
        Gives groups and clusters.
    """

    def __init__(self, task: Task, grouping: Grouping) -> None:
        self.task, self.grouping = task, grouping
        self._columns: list[dict[str, Array]] = []
        self._codes: list[Codes] = []

    def add(self, columns: dict[str, Array], codes: Codes) -> None:
        """Keep columns of n records, shape (n,) each."""
        if self.task.further:
            self._columns.append(columns)
            self._codes.append(codes)

    def parts(self, names: Sequence[str], design: Design) -> Iterator[Part]:
        """What the metrics of these names show, over all records and per attribute."""
        if not self._columns or not names:
            return
        for by in self._members():
            if of_scores := {
                name: partial(_of_scores, name) for name in names if name in _OF_SCORES
            }:
                yield _OfLabels(*by.assessed(None, of_scores, by.of_rarer_label), design, by.values)
            for tau in QUANTILES if "error_quantile" in names else ():
                quantile = {"error_quantile": partial(_quantile, tau)}
                found = by.assessed({"quantile": tau}, quantile, by.weight)
                yield Assessment(*found, design, by.values, weighted=True)
            yield _Alone(by, [name for name in names if name in _ALONE], design)

    def _members(self) -> Iterator[_Members]:
        columns = {
            name: np.concatenate([part[name] for part in self._columns])
            for name in self._columns[0]
        }
        clusters = self.grouping.cluster_names
        names: Sequence[str] | None = None
        cluster = None
        if clusters is not None:
            keys, merged = np.unique(np.array(clusters, dtype=object), return_inverse=True)
            names = tuple(keys)
            codes = [each.cluster for each in self._codes if each.cluster is not None]
            cluster = merged[np.concatenate(codes)]
        everyone = np.zeros(len(columns["weight"]), dtype=np.int64)
        yield _Members(None, (ALL,), everyone, names, cluster, columns, lambda group: {})
        for i, attribute in enumerate(self.grouping.attributes):
            found, merged = np.unique(
                np.array(self.grouping.group_names(i), dtype=object), return_inverse=True
            )
            group = merged[np.concatenate([codes.groups[i] for codes in self._codes])]
            yield _Members(
                attribute.name, tuple(found), group, names, cluster, columns, attribute.values
            )


class _OfLabels(Assessment):
    """What compares positives with negatives: n is how many units have the rarer label."""

    @cached_property
    def _n(self) -> Array:
        """Units with the rarer label in each group, shape (G,)."""
        return np.max([found.n for found in self.found.values()], axis=0)

    def compared(self, value: Array) -> Array:
        """Groups that take part in comparisons, shape (G,), bool."""
        return super().compared(value) & (self._n >= 2)

    def notes(self) -> Iterator[str]:
        """What a reader must know about these groups, and what their rest is."""
        name, labels = self.sums.attribute, ", ".join(m.label for m in self.metrics)
        for n, says in (
            (0, "one label only, so no"),
            (1, "one record with the rarer label, so no"),
        ):
            if name is not None and (self._n == n).any():
                groups = ", ".join(np.array(self.sums.groups, dtype=object)[self._n == n][:10])
                yield f"{name}: {groups}: {says} {'' if n == 0 else 'interval of '}{labels}."
        if name is not None and self.design.compare_to == "rest":
            yield f"{labels}: the rest is the mean of what the other groups have each on its own."


@dataclass(frozen=True, eq=False)
class _Members:
    """The records of each group of an attribute.

    Attributes
    ----------
    attribute : str or None
        The attribute, None for all records together.
    groups : tuple of str
        G labels, sorted.
    group, cluster : array of int, shape (n,)
        Group and cluster of each record; `cluster` is None where there are none.
    clusters : sequence of str or None
        Names of the clusters.
    columns : mapping of str to array, shape (n,)
        What was kept.
    values : callable
        Label of a group to the value of each column.
    """

    attribute: str | None
    groups: tuple[str, ...]
    group: Array
    clusters: Sequence[str] | None
    cluster: Array | None
    columns: Mapping[str, Array]
    values: Callable[[str], Mapping[str, str]]

    @cached_property
    def _by_group(self) -> list[Array]:
        order = np.argsort(self.group, kind="stable")
        sizes = np.bincount(self.group, minlength=len(self.groups))
        return np.split(order, np.cumsum(sizes)[:-1])

    def at(self, g: int) -> Array:
        """Indices of the records of a group."""
        return self._by_group[g]

    def pick(self, rows: Array) -> dict[str, Array]:
        """What was kept of these records."""
        return {name: column[rows] for name, column in self.columns.items()}

    def cluster_of(self, rows: Array) -> Array | None:
        """Cluster of each of these records."""
        return None if self.cluster is None else self.cluster[rows]

    def weight(self, rows: Array) -> Array:
        """Weights of records, which add up to n."""
        return self.columns["weight"][rows]

    def of_rarer_label(self, rows: Array) -> Array:
        """1 for one record of each unit with the rarer label, 0 for the others."""
        kept, cluster = self.pick(rows), self.cluster_of(rows)
        used = kept["weight"] > 0
        labels = (used & kept["positive"], used & ~kept["positive"])
        return min((_one_of_each(label, cluster) for label in labels), key=np.sum)

    def assessed(
        self,
        variant: Mapping[str, Any] | None,
        statistics: Mapping[str, Statistic],
        weight: Callable[[Array], Array],
    ) -> tuple[Sums, list[Metric]]:
        """Pseudo-values of every statistic, summed up, and the metrics that they are of."""
        columns = ["records"] + [n for name in statistics for n in (name, f"{name}_n")]
        counts = np.ones((len(self.group), len(columns)))
        for rows in self._by_group:
            kept, own = self.pick(rows), weight(rows)
            for k, statistic in enumerate(statistics.values()):
                counts[rows, 1 + 2 * k : 3 + 2 * k] = _pseudo(statistic(kept), own)
        total = Accumulator(columns, self.clusters is not None)
        total.add(self.group, self.cluster, counts)
        sums = total.result(self.attribute, self.groups, self.clusters)
        return replace(sums, variant=variant), [METRICS[name] for name in statistics]


def _one_of_each(among: Array, cluster: Array | None) -> Array:
    """1 for the first record of each cluster among these, or for each of them; shape (n,)."""
    rows = np.flatnonzero(among)
    if cluster is not None:
        rows = rows[np.unique(cluster[rows], return_index=True)[1]]
    ones = np.zeros(len(among))
    ones[rows] = 1
    return ones


def _pseudo(found: Influence, weight: Array) -> Array:
    """Pseudo-values and weights, shape (n, 2); 0 where the value is undefined.

    Whatever the weights, the mean is the value and the linearised influences are those found.
    """
    if not np.isfinite(found.value):
        return np.zeros((len(weight), 2))
    return np.column_stack([found.value * weight + weight.sum() * found.influence, weight])


#: Metrics whose groups are not compared: records of one group are in the values of others, or
#: the sampling error is no spread of influences.
_ALONE = ("calibration_error", "bpsn_auc", "bnsp_auc")


@dataclass(frozen=True)
class _Alone:
    """Metrics with an interval in each group, but without comparisons."""

    by: _Members
    names: Sequence[str]
    design: Design

    def estimates(self) -> Iterator[Estimate]:
        """A row per metric and group."""
        for name in self.names:
            if name == "calibration_error" or self.by.attribute is not None:
                for g, group in enumerate(self.by.groups):
                    yield self._row(name, g, group)

    def comparisons(self) -> Iterator[Comparison]:
        """None."""
        return iter(())

    def notes(self) -> Iterator[str]:
        """Why there are none."""
        if self.names and self.by.attribute is not None:
            labels = ", ".join(METRICS[name].label for name in self.names)
            yield f"{labels}: each group has an interval, but groups are not compared."

    def _row(self, name: str, g: int, group: str) -> Estimate:
        rows = self.by.at(g)
        if name == "calibration_error":
            value, low, high = self._calibration(rows)
        else:
            rows, value, low, high = self._against_others(name, g)
        return Estimate(
            attribute=self.by.attribute,
            group=group,
            values=self.by.values(group),
            metric=name,
            value=defined(value),
            ci_low=defined(low),
            ci_high=defined(high),
            n=float(self.by.columns["weight"][rows].sum()),
            records=len(rows),
            clusters=None if self.by.cluster is None else len(np.unique(self.by.cluster[rows])),
            counts={},
        )

    def _calibration(self, rows: Array) -> tuple[float, float, float]:
        kept = self.by.pick(rows)
        data = kept["score"], kept["positive"], kept["weight"]
        cluster = self.by.cluster_of(rows)
        low, high = influence.calibration_error_interval(
            *data, cluster=cluster, confidence=self.design.confidence
        )
        return influence.calibration_error(*data, cluster=cluster).value, low, high

    def _against_others(self, name: str, g: int) -> tuple[Array, float, float, float]:
        """Positives of one side against negatives of the other (Borkan et al. 2019)."""
        inside = self.by.group == g
        others = ~inside & np.array([name != MISSING for name in self.by.groups])[self.by.group]
        positive = self.by.columns["positive"]
        above, below = (others, inside) if name == "bpsn_auc" else (inside, others)
        up, down = np.flatnonzero(above & positive), np.flatnonzero(below & ~positive)
        score, weight = self.by.columns["score"], self.by.columns["weight"]
        sides = influence.separation(score[up], score[down], weight[up], weight[down])
        rows = np.concatenate([up, down])
        own = np.concatenate([side.influence for side in sides])
        value = min(sides[0].value, 1.0)  # rounding may exceed it
        return rows, value, *self._interval(value, own, rows)

    def _interval(self, value: float, own: Array, rows: Array) -> tuple[float, float]:
        """Interval of an AUC from influences, with the units of the rarer label."""
        cluster = self.by.cluster_of(rows)
        n = int(self.by.of_rarer_label(rows).sum())
        if n < 2:
            return np.nan, np.nan
        if cluster is not None:
            own = np.bincount(np.unique(cluster, return_inverse=True)[1], own)
        variance = len(own) / (len(own) - 1) * own @ own
        found, df = np.array([value]), np.array([n - 1.0])
        confidence = self.design.confidence
        if variance > _NO_VARIANCE:
            low, high = intervals.linearised(found, np.array([variance]), df, "bounded", confidence)
        else:
            low, high = intervals.from_effective_n(
                found, np.array([float(n)]), np.ones(1), "bounded", df, confidence
            )
        return float(low[0]), float(high[0])


#: What rounding leaves of a variance of 0.
_NO_VARIANCE = 1e-24
