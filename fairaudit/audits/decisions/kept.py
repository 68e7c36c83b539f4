"""Metrics that are no function of summed counts: they need every record's score or error.

Within a group each record gets a pseudo-value, the group's value and the record's influence on it.
Their mean is the value and their spread its sampling error, so from here on such a metric is a
ratio of sums like any other (see `fairaudit.stats.influence`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.assess import Assessment, Design, Part, defined
from fairaudit.audit import Comparison, Estimate
from fairaudit.audits.decisions.tasks import Task
from fairaudit.groups import Codes, Grouping
from fairaudit.metrics import METRICS
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
            for variant, statistics in _statistics(names):
                sums = by.sums(variant, statistics)
                metrics = [METRICS[name] for name in statistics]
                yield Assessment(sums, metrics, design, by.values, weighted=True)
            yield _Alone(by, [name for name in names if name in _ALONE], design)

    def _members(self) -> Iterator[_Members]:
        columns = {
            name: np.concatenate([part[name] for part in self._columns])
            for name in self._columns[0]
        }
        names, cluster = self.grouping.cluster_names, None
        if names is not None:
            codes = np.concatenate([codes.cluster for codes in self._codes])  # type: ignore[arg-type]
            names, merged = np.unique(np.array(names, dtype=object), return_inverse=True)
            cluster = merged[codes]
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


def _statistics(
    names: Sequence[str],
) -> Iterator[tuple[Mapping[str, Any] | None, dict[str, Statistic]]]:
    """Statistics that groups are compared in, with what marks them."""
    if of_scores := {name: partial(_of_scores, name) for name in names if name in _OF_SCORES}:
        yield None, of_scores
    if "error_quantile" in names:
        for tau in QUANTILES:
            yield {"quantile": tau}, {"error_quantile": partial(_quantile, tau)}


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

    def at(self, g: int) -> Array:
        """Indices of the records of a group."""
        return np.flatnonzero(self.group == g)

    def pick(self, rows: Array) -> dict[str, Array]:
        """What was kept of these records."""
        return {name: column[rows] for name, column in self.columns.items()}

    def sums(self, variant: Mapping[str, Any] | None, statistics: Mapping[str, Statistic]) -> Sums:
        """Pseudo-values of every statistic, summed up."""
        columns = ["records"] + [n for name in statistics for n in (name, f"{name}_n")]
        counts = np.zeros((len(self.group), len(columns)))
        counts[:, 0] = 1
        for g in range(len(self.groups)):
            rows = self.at(g)
            kept = self.pick(rows)
            for k, statistic in enumerate(statistics.values()):
                counts[rows, 1 + 2 * k : 3 + 2 * k] = _pseudo(statistic(kept), kept["weight"])
        total = Accumulator(columns, self.clusters is not None)
        total.add(self.group, self.cluster, counts)
        found = total.result(self.attribute, self.groups, self.clusters)
        return found if variant is None else _with(found, variant)


def _with(sums: Sums, variant: Mapping[str, Any]) -> Sums:
    from dataclasses import replace

    return replace(sums, variant=variant)


def _pseudo(found: Influence, weight: Array) -> Array:
    """Pseudo-values and weights, shape (n, 2); 0 where the value is undefined."""
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
        if "calibration_error" in self.names and self.by.attribute is None:
            yield (
                "Calibration errors, BPSN and BNSP have intervals, but their groups are not "
                "compared."
            )

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
        cluster = None if self.by.cluster is None else self.by.cluster[rows]
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
        found = Influence(sides[0].value, np.concatenate([side.influence for side in sides]))
        return rows, found.value, *self._interval(found, rows)

    def _interval(self, found: Influence, rows: Array) -> tuple[float, float]:
        own = found.influence
        if self.by.cluster is not None:
            own = np.bincount(np.unique(self.by.cluster[rows], return_inverse=True)[1], own)
        units = len(own)
        if units < 2:
            return np.nan, np.nan
        variance = np.array([units / (units - 1) * own @ own])
        low, high = intervals.linearised(
            np.array([found.value]),
            variance,
            np.array([units - 1.0]),
            "bounded",
            self.design.confidence,
        )
        return float(low[0]), float(high[0])
