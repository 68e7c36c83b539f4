"""What a criterion claims about an audit, number by number, with one-sided bounds at any level.

A claim is one number that must lie within the limit: a pair's difference, a group's value. All are
computed from the audit's summed counts, because one 95 % interval per row yields neither
simultaneous nor intersection-union bounds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.audit import Audit, Estimate
from fairaudit.metrics import LIMITS, Metric
from fairaudit.rubric.bounds import difference_bounds, one_sided, quotient, ratio_bounds
from fairaudit.rubric.model import Criterion
from fairaudit.stats.comparisons import Contrast, pairs, versus_rest
from fairaudit.stats.distributions import normal_quantile
from fairaudit.stats.estimates import Estimates, estimate
from fairaudit.stats.homogeneity import homogeneity
from fairaudit.stats.intervals import Interval
from fairaudit.stats.sums import MISSING, Sums

#: In place of a group's index: all other groups, or nothing.
NOBODY = -1
_RESAMPLES = 2000
_MOST_RESAMPLES = 100_000
#: Draws beyond the level of a test, so that its p-value can fall well below.
_DRAWS_PER_LEVEL = 20


@dataclass(frozen=True)
class Claims:
    """M numbers that must lie within a limit.

    Attributes
    ----------
    value : array, shape (M,)
        The numbers; nan where undefined.
    first, second : array of int, shape (M,)
        Whom they are about: indices of groups, `NOBODY` where there is none.
    n : array, shape (M,)
        The metric's denominators, both sides together.
    bounds : callable
        One-sided tail probability to lower and upper bounds, shape (M,) each.
    """

    value: Array
    first: Array
    second: Array
    n: Array
    bounds: Callable[[float], Interval]


@dataclass(frozen=True)
class Judged(ABC):
    """One metric over the G groups of one attribute, of which some are judged.

    Attributes
    ----------
    audit : Audit
        Says how it was made.
    metric : Metric
    criterion : Criterion
        Says which groups are judged, and how.
    attribute, variant : str and mapping, or None
        What the groups are values of, and under which of several settings.
    groups : tuple of str
        Names.
    records, units : array, shape (G,)
        Records of each group, and clusters; records again where there are no clusters.
    clustered : bool
        Whether units are clusters.
    """

    audit: Audit
    metric: Metric
    criterion: Criterion
    attribute: str | None
    variant: Mapping[str, Any] | None
    groups: tuple[str, ...]
    records: Array
    units: Array
    clustered: bool

    @abstractmethod
    def claims(self) -> Claims:
        """What the criterion claims; nothing where too few groups can be judged."""

    @abstractmethod
    def differ(self, level: float) -> bool:
        """Whether groups are found at `level` to differ at all."""

    @abstractmethod
    def _unusable(self) -> dict[str, Array]:
        """Further reasons to leave groups out, and which they are; shape (G,), bool."""

    @cached_property
    def asked(self) -> Array:
        """Groups that the criterion is about, shape (G,), bool."""
        on = self.criterion.on
        return np.array([not on or group in on for group in self.groups], dtype=bool)

    @cached_property
    def left_out(self) -> Mapping[str, Array]:
        """Why groups cannot be judged, and which; shape (G,), bool. One reason for each."""
        share, least = self.criterion.min_share, self.criterion.min_n
        if least is None:
            least = int(self.audit.settings.get("min_n") or 0)
        reasons = {
            "no value of the attribute": np.array([g == MISSING for g in self.groups], dtype=bool),
            f"under {least} records": self.records < least,
            f"under {100 * share:.3g} % of the records": self.records < share * self.records.sum(),
            **self._unusable(),
        }
        seen = np.zeros(len(self.groups), dtype=bool)
        for reason, groups in reasons.items():
            reasons[reason] = groups & ~seen
            seen = seen | groups
        return reasons

    @cached_property
    def usable(self) -> Array:
        """Groups that can be judged, shape (G,), bool."""
        return ~np.any(list(self.left_out.values()), axis=0)

    @cached_property
    def judged(self) -> Array:
        """Groups that are judged, shape (G,), bool."""
        return self.usable & self.asked


@dataclass(frozen=True)
class Subject(Judged):
    """What can be recomputed from summed counts.

    Attributes
    ----------
    sums : Sums
        The metric must find its counts in them.
    """

    sums: Sums

    @classmethod
    def of(cls, audit: Audit, metric: Metric, criterion: Criterion, sums: Sums) -> Subject:
        """Of these sums."""
        clustered, units = sums.clusters is not None, sums.spread.units
        about = (sums.attribute, sums.variant, sums.groups, sums.records, units, clustered)
        return cls(audit, metric, criterion, *about, sums)

    @cached_property
    def estimates(self) -> Estimates:
        """The metric in every group."""
        settings = self.audit.settings
        # Weighted records are no independent trials, whatever their number.
        score = settings.get("int", "auto") == "auto" and settings.get("weight") is None
        found = estimate(
            self.metric, self.sums.columns, self.sums.spread, clustered=self.clustered, score=score
        )
        return self._fewer_free(found)

    def _fewer_free(self, found: Estimates) -> Estimates:
        """Degrees of freedom of metrics that compare positives with negatives: of the rarer."""
        if f"{self.metric.name}_n" not in self.sums.columns:
            return found
        return replace(found, units=np.minimum(found.units, found.n))

    def _unusable(self) -> dict[str, Array]:
        """No value, or one unit only."""
        unit = "cluster" if self.clustered else "record"
        return {
            "no value": ~np.isfinite(self.estimates.value),
            f"one {unit}": self.estimates.units < 2,
        }

    def claims(self) -> Claims:
        """What the criterion claims; none where too few groups can be judged."""
        return {
            "gap": self._gap,
            "ratio": self._ratio,
            "difference": self._difference,
        }.get(self.criterion.comparison, self._own)()

    def _own(self) -> Claims:
        """Each group's value."""
        at = np.flatnonzero(self.judged)
        found = self.estimates.take(at)
        return Claims(
            found.value,
            at,
            np.full(len(at), NOBODY),
            found.n,
            lambda tail: one_sided(found, tail),
        )

    @cached_property
    def _pairs(self) -> Contrast:
        """Each pair of judged groups, the first in order against the second."""
        at = np.flatnonzero(self.judged)
        first, second = np.triu_indices(len(at), 1)
        return pairs(self.sums, self.estimates, at[first], at[second])

    def _both_ways(self, value: Array, bounds: Callable[[float], Interval]) -> Claims:
        """Claims about each pair, then about each pair turned around."""
        at = np.flatnonzero(self.judged)
        first, second = (at[side] for side in np.triu_indices(len(at), 1))
        n = self._pairs.a.n + self._pairs.b.n
        return Claims(
            value,
            np.concatenate([first, second]),
            np.concatenate([second, first]),
            np.concatenate([n, n]),
            bounds,
        )

    @cached_property
    def _third(self) -> Array:
        """Summed cubes of the clusters' influences on each group, shape (G,); 0 of records."""
        if not self.clustered:
            return np.zeros(len(self.groups))
        influence = np.einsum("ck,ck->c", self.sums.matrix, self._gradients[self.sums.group])
        return np.bincount(self.sums.group, influence**3, len(self.groups))

    @property
    def _gradients(self) -> Array:
        """The metric's gradient at each group's totals, 0 where it has none; shape (G, K)."""
        return np.nan_to_num(self.metric.gradient(self.sums.columns, self.sums.spread.totals))

    @property
    def _third_of_pairs(self) -> Array:
        """The same of the difference of each pair."""
        third = self._third[np.flatnonzero(self.judged)]
        first, second = np.triu_indices(len(third), 1)
        return third[first] - third[second]

    def _gap(self) -> Claims:
        difference = self._pairs.difference
        return self._both_ways(
            np.concatenate([difference, -difference]),
            lambda tail: difference_bounds(self._pairs, tail, self._third_of_pairs),
        )

    def _ratio(self) -> Claims:
        a, b = self._pairs.a, self._pairs.b
        value = np.concatenate([quotient(a.value, b.value), quotient(b.value, a.value)])
        return self._both_ways(value, lambda tail: ratio_bounds(self._pairs, tail))

    def _difference(self) -> Claims:
        """How much worse each group is than the rest; both ways where neither is better."""
        contrast, at = self._to_rest
        third = self._third[at]  # the rest is large, and its skewness small
        sign = -1 if self.metric.direction == "higher" else 1
        twice = self.metric.direction is None

        def bounds(tail: float) -> Interval:
            low, high = difference_bounds(contrast, tail, third)
            if twice:
                return low, high
            one = slice(len(at)) if sign > 0 else slice(len(at), None)
            return low[one], high[one]

        value = sign * contrast.difference
        copies = 2 if twice else 1
        return Claims(
            np.concatenate([value, -value]) if twice else value,
            np.tile(at, copies),
            np.full(len(at) * copies, NOBODY),
            np.tile(contrast.a.n + contrast.b.n, copies),
            bounds,
        )

    @cached_property
    def _to_rest(self) -> tuple[Contrast, Array]:
        """Each judged group against all others whose value of the attribute is known."""
        known = np.array([group != MISSING for group in self.groups])
        judged = self.judged & (known.sum() > 1)
        sums, found = self.sums.select(known), self.estimates.take(np.flatnonzero(known))
        contrast = versus_rest(sums, found, None)
        contrast = replace(contrast, b=self._fewer_free(contrast.b))
        return contrast.take(np.flatnonzero(judged[known])), np.flatnonzero(judged)

    def differ(self, level: float) -> bool:
        """Whether the test of homogeneity finds at `level` that groups differ at all.

        With a handful of clusters in some groups Welch's limits alone are too narrow; see
        `fairaudit.stats.comparisons.gap`.
        """
        compared = self.usable if self.criterion.comparison == "difference" else self.judged
        if np.count_nonzero(compared) < 2:
            return True
        settings = self.audit.settings
        draws = max(int(settings.get("boot") or _RESAMPLES), int(_DRAWS_PER_LEVEL / level))
        p_value = homogeneity(
            self.metric,
            self.sums.select(compared),
            self.estimates.take(np.flatnonzero(compared)),
            min(draws, _MOST_RESAMPLES),
            int(settings.get("seed") or 0),
        )
        return p_value <= level


@dataclass(frozen=True)
class Rows(Judged):
    """What an audit has intervals of, but no sums.

    So it is with metrics in which records of other groups have a part. The intervals are
    stretched to other levels as if the values were normal.

    Attributes
    ----------
    rows : sequence of Estimate
        One for each group.
    """

    rows: Sequence[Estimate]

    @classmethod
    def of(cls, audit: Audit, criterion: Criterion, rows: Sequence[Estimate]) -> Rows:
        """Of these rows, which have an attribute and a variant in common."""
        records = np.array([row.records for row in rows])
        clustered = rows[0].clusters is not None
        units = np.array([row.clusters for row in rows]) if clustered else records
        groups = tuple(row.group for row in rows)
        about = (rows[0].attribute, rows[0].variant, groups, records, units, clustered)
        return cls(audit, criterion.metrics[0], criterion, *about, rows)

    @cached_property
    def _numbers(self) -> tuple[Array, Array, Array]:
        """Values and their limits, nan where there are none."""
        found = [[row.value, row.ci_low, row.ci_high] for row in self.rows]
        value, low, high = np.array(found, dtype=float).T
        return value, low, high

    def _unusable(self) -> dict[str, Array]:
        """No value, or no interval."""
        value, low, _ = self._numbers
        return {"no value": ~np.isfinite(value), "no interval": ~np.isfinite(low)}

    def claims(self) -> Claims:
        """Each group's value."""
        at = np.flatnonzero(self.judged)
        value, low, high = (numbers[at] for numbers in self._numbers)
        z = normal_quantile((1 + float(self.audit.settings.get("ci", 0.95))) / 2)
        least, most = LIMITS[self.metric.range]

        def bounds(tail: float) -> Interval:
            stretch = normal_quantile(1 - tail) / z
            return (
                np.maximum(value - stretch * (value - low), least),
                np.minimum(value + stretch * (high - value), most),
            )

        n = np.array([row.n for row in self.rows])[at]
        return Claims(value, at, np.full(len(at), NOBODY), n, bounds)

    def differ(self, level: float) -> bool:
        """Not asked: nothing is compared."""
        return True


def matches(audit: Audit, criterion: Criterion) -> Iterator[list[Judged]]:
    """What a criterion is about in an audit: per attribute, its metrics.

    Of several variants the first one that the criterion allows.
    """
    found: dict[str | None, list[Judged]] = {}
    for sums in audit.sums:
        if sums.attribute not in found and _fits(sums, criterion):
            found[sums.attribute] = [
                Subject.of(audit, metric, criterion, sums) for metric in criterion.metrics
            ]
    if not found and criterion.comparison not in ("gap", "ratio", "difference"):
        found = _from_rows(audit, criterion)
    yield from found.values()


def _fits(sums: Sums, criterion: Criterion) -> bool:
    """Whether the criterion is about these sums, and they suffice."""
    return (
        _is_about(criterion, sums.attribute, sums.variant)
        and set(criterion.on) <= set(sums.groups)
        and all(computable(metric, sums) for metric in criterion.metrics)
    )


def _is_about(
    criterion: Criterion, attribute: str | None, variant: Mapping[str, Any] | None
) -> bool:
    if criterion.comparison == "overall":
        right = attribute is None
    else:
        right = attribute is not None and criterion.by in (None, attribute)
    wanted = criterion.variant or {}
    there = variant or {}
    return right and all(str(there.get(key)) == str(value) for key, value in wanted.items())


def computable(metric: Metric, sums: Sums) -> bool:
    """Whether these sums have what the metric reads."""
    reads = metric.reads(sums.columns)
    return bool(reads) and set(reads) <= set(sums.columns)


def _from_rows(audit: Audit, criterion: Criterion) -> dict[str | None, list[Judged]]:
    """Rows of a metric of which there are no sums."""
    by: dict[str | None, list[Estimate]] = {}
    for row in audit.estimates:
        if row.metric == criterion.metric and _is_about(criterion, row.attribute, row.variant):
            rows = by.setdefault(row.attribute, [])
            if not rows or rows[0].variant == row.variant:
                rows.append(row)
    return {
        attribute: [Rows.of(audit, criterion, rows)]
        for attribute, rows in by.items()
        if set(criterion.on) <= {row.group for row in rows}
    }
