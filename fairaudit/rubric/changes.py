"""What two audits of the same groups show together: changes, growth of gaps, and their bounds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from fairaudit.arrays import Array
from fairaudit.audit import Audit
from fairaudit.metrics import LIMITS, Metric, own_variance
from fairaudit.rubric.claims import Subject
from fairaudit.stats.comparisons import Contrast, pairs
from fairaudit.stats.estimates import Estimates
from fairaudit.stats.intervals import Interval, newcombe, t_quantiles
from fairaudit.stats.sums import Sums, small_sample_factor

#: How a pair's chance of a wrong ``pass`` is shared out: the pair's own old difference, the same
#: turned around, and any other.
_OWN, _TURNED, _OTHER = 0.8, 0.1, 0.1
#: Settings that a reader must know of where they differ.
_TELLING = ("ref", "label", "query", "cluster", "where", "na", "bins")
#: More than so many times the data is no plan.
_MOST_GROWTH = 1e6
_MOST_NAMES = 10


@dataclass(frozen=True)
class Change:
    """What a finding rests on.

    Attributes
    ----------
    value : float
        How much worse.
    low, high : float
        The bound that must lie beyond the margin to fail, and the one that must lie within it to
        pass.
    ends : tuple of int
        The judged groups that the value is about.
    size : int
        Over how many comparisons the lower bound is simultaneous.
    told : str
        The values that were compared, in words.
    times : float
        How many times the data would decide; nan where that cannot be told.
    concerned : array, shape (G,), bool
        Judged groups of which there should be more data.
    """

    value: float
    low: float
    high: float
    ends: tuple[int, ...]
    size: int
    told: str
    times: float
    concerned: Array


@dataclass(frozen=True)
class _Side:
    """The groups that are judged in one of the audits.

    Attributes
    ----------
    audit : Audit
    sums : Sums
    estimates : Estimates
        As among all groups.
    """

    audit: Audit
    sums: Sums
    estimates: Estimates

    @classmethod
    def of(cls, whole: Subject, names: Sequence[str]) -> _Side:
        """Pick groups by name."""
        keep = np.array([name in names for name in whole.groups], dtype=bool)
        found = whole.estimates.take(np.flatnonzero(keep))
        return cls(whole.audit, whole.sums.select(keep), found)

    @property
    def clustered(self) -> bool:
        """Whether there are clusters."""
        return self.sums.clusters is not None


@dataclass(frozen=True)
class Both:
    """One metric in both audits, over the G groups that are judged.

    Attributes
    ----------
    whole : tuple of Subject
        New and old, with all groups.
    names : tuple of str
        The groups judged.
    now, then : _Side
        These groups only.
    """

    whole: tuple[Subject, Subject]
    names: tuple[str, ...]
    now: _Side
    then: _Side

    @classmethod
    def of(cls, new: Subject, old: Subject) -> Both:
        """Find the groups that can be judged in both."""
        in_old = {name for name, judged in zip(old.groups, old.judged, strict=True) if judged}
        named = zip(new.groups, new.judged, strict=True)
        names = tuple(name for name, judged in named if judged and name in in_old)
        return cls((new, old), names, _Side.of(new, names), _Side.of(old, names))

    @property
    def metric(self) -> Metric:
        """What is compared."""
        return self.now.estimates.metric

    @property
    def clustered(self) -> bool:
        """Whether both have clusters."""
        return self.now.clustered and self.then.clustered

    @cached_property
    def cells(self) -> _Cells:
        """The cells of both, joined by cluster and group."""
        return _Cells.of(self.now.sums, self.then.sums)

    @cached_property
    def known_same(self) -> bool:
        """Whether ids, or else files, say that the records are the same."""
        return same_records(self.now.audit, self.then.audit)

    @cached_property
    def known_other(self) -> bool:
        """Whether as many records have other ids; of more or fewer the cells tell."""
        now, then = self.now.audit.records, self.then.audit.records
        return None not in (now.ids, then.ids) and now.used == then.used and now.ids != then.ids

    @cached_property
    def paired(self) -> bool:
        """Whether both have the same clusters with the same records."""
        return self.clustered and self.cells.same_records and not self.known_other

    @cached_property
    def unchanged(self) -> bool:
        """Whether the records are the same, and all their counts as well."""
        now, then = self.now.sums, self.then.sums
        apart = self.now.clustered or self.then.clustered
        if now.columns != then.columns or not (self.paired or (self.known_same and not apart)):
            return False
        if not self.paired:
            return np.array_equal(now.matrix, then.matrix)
        return np.array_equal(now.matrix[self.cells.new], then.matrix[self.cells.old])

    @cached_property
    def bounds(self) -> _Bounds:
        """Bounds of changes at any level."""
        return _Paired(self.now, self.then, self.cells) if self.paired else _Apart(self)

    def n(self, ends: Sequence[int]) -> float:
        """The metric's denominator in these groups, both audits together."""
        return float(sum(side.estimates.n[list(ends)].sum() for side in (self.now, self.then)))

    def change(self, alpha: float, together: int, limit: float) -> Change:
        """How much worse the group is that has become worst, and bounds for all groups."""
        metric, size = self.metric, len(self.names)
        now, then = self.now.estimates.value, self.then.estimates.value
        value = (now - then) * (-1 if metric.direction == "higher" else 1)
        low, high = self._worse(alpha / together / size)[0], self._worse(alpha)[1]
        worst = int(np.argmax(value))
        return Change(
            float(value[worst]),
            float(np.max(low, initial=-np.inf, where=np.isfinite(low))),
            float(np.max(high)),
            (worst,),
            size,
            f"{self.names[worst]}: {level(metric, now[worst])}, before "
            f"{level(metric, then[worst])}",
            *_times(value, low, high, limit),
        )

    def _worse(self, tail: float) -> Interval:
        """Bounds of how much worse each group is, shape (G,) each."""
        if self.unchanged:
            return np.zeros(len(self.names)), np.zeros(len(self.names))
        low, high = self._possible(*self.bounds.changes(tail))
        return (-high, -low) if self.metric.direction == "higher" else (low, high)

    def _possible(self, low: Array, high: Array) -> Interval:
        """Bounds no farther out than the metric's range allows."""
        span = float(np.ptp(LIMITS[self.metric.range]))
        return np.maximum(low, -span), np.minimum(high, span)

    def gap_change(self, alpha: float, together: int, limit: float) -> Change:
        """How much the gap has grown."""
        sides = [side.estimates.value for side in (self.now, self.then)]
        (now, then), size = map(np.ptp, sides), len(self.names) * (len(self.names) - 1)
        value = np.array([now - then])
        low, high = np.zeros(1), np.zeros(1)
        if not self.unchanged:
            low[0], high[0] = self._grown_by_least(alpha / together), self._grown_by_most(alpha)
            low, high = self._possible(low, high)
        ends = [(int(np.argmax(values)), int(np.argmin(values))) for values in sides]
        worst_first = ends[0][::-1] if self.metric.direction == "higher" else ends[0]
        times, _ = _times(value, low, high, limit)
        return Change(
            float(value[0]),
            float(low[0]),
            float(high[0]),
            worst_first,
            size,
            f"The gap is {self._gap(now, ends[0])}, before {self._gap(then, ends[1])}",
            times,
            np.ones(len(self.names), dtype=bool),
        )

    def _gap(self, value: float, ends: tuple[int, int]) -> str:
        largest, smallest = (self.names[end] for end in ends)
        return f"{figure(self.metric, value)} ({largest} over {smallest})"

    @cached_property
    def _pairs(self) -> tuple[Array, Array]:
        """All P ordered pairs of groups, shape (P,) each."""
        first, second = np.nonzero(~np.eye(len(self.names), dtype=bool))
        return first, second

    def _candidates(self, side: _Side, tail: float) -> Iterator[_Ends]:
        """For each pair, pairs of groups of `side` that may be farther apart.

        The pair that is shown to be farthest apart, and the two that have one end in common with
        it and the other with the pair at hand, whose own changes then cancel out.
        """
        first, second = self._pairs
        low, _ = pairs(side.sums, side.estimates, *self._pairs).difference_interval(1 - 2 * tail)
        widest = int(np.argmax(np.where(np.isfinite(low), low, -np.inf)))
        largest, smallest = (np.full(len(low), ends[widest]) for ends in self._pairs)
        yield largest, smallest
        yield largest, np.where(second == largest, smallest, second)
        yield np.where(first == smallest, largest, first), smallest

    def _grown_by_most(self, alpha: float) -> float:
        """Upper bound of the gap's growth: of each new pair the least over old pairs."""
        new = self._pairs
        tail = _OTHER * alpha / len(new[0])
        bounds = [
            self.bounds.growths(new, new, _OWN * alpha)[1],
            self.bounds.growths(new, new[::-1], _TURNED * alpha)[1],
            *(self.bounds.growths(new, old, tail)[1] for old in self._candidates(self.then, tail)),
        ]
        return float(np.max(_least(bounds)))

    def _grown_by_least(self, alpha: float) -> float:
        """Lower bound of the gap's growth: of each old pair the most over new pairs."""
        old = self._pairs
        tail = alpha / 2 / len(old[0])
        bounds = [
            -self.bounds.growths(old, old, alpha / 2)[0],
            *(-self.bounds.growths(new, old, tail)[0] for new in self._candidates(self.now, tail)),
        ]
        return -float(np.max(_least(bounds)))

    def further(self, found: Change) -> tuple[int | None, int | None]:
        """About how many more records, and clusters, would decide: of each audit."""
        if not 1 < found.times < _MOST_GROWTH:
            return None, None
        more = found.times - 1
        records, units = (
            math.ceil(more * sizes[found.concerned].sum())
            for sizes in (self.now.sums.records, self.now.sums.spread.units)
        )
        return records, units if self.now.clustered else None

    # --- In words ---

    def remarks(self) -> Iterator[str]:
        """What was compared with what."""
        if self.unchanged:
            yield "All counts of all records are the same in both audits."
        elif self.paired:
            yield f"The same records, compared over {len(self.cells.shared)} clusters."
        elif self.clustered:
            yield f"Compared as if independent, as {self._other_records()}."
        elif self.now.clustered != self.then.clustered:
            which = "new audit" if self.now.clustered else "baseline"
            yield f"Compared as if independent, as only the {which} has clusters."
        else:
            same = " The records are the same, so bounds are wide rather than narrow."
            yield "Compared as if independent, as the audits have no clusters: nothing says which "
            yield f"records changed.{same if self.known_same else ''} Use --cluster for pairs."
        yield from self._settings()

    def _other_records(self) -> str:
        """How the records differ."""
        shared, every = len(self.cells.shared), len(self.cells.every)
        if self.known_other and self.cells.same_records:
            return "the records differ: clusters are the same, the records' ids are not"
        if shared < every:
            return f"the records differ: {shared} of {every} clusters are in both"
        return "the records differ: clusters are the same, but not the numbers of their records"

    def _settings(self) -> Iterator[str]:
        """Settings that differ."""
        audits = self.now.audit, self.then.audit
        for name in _TELLING:
            now, then = (setting(audit, name) for audit in audits)
            if now != then and not (name == "cluster" and self.paired):
                yield f"Setting {name} is {now}, before {then}."

    def not_judged(self) -> Iterator[str]:
        """Groups left out, by reason."""
        if self.now.sums.attribute is None:
            return
        said: dict[str, dict[str, None]] = {}
        for side, other, label in zip(
            self.whole, self.whole[::-1], ("new audit", "baseline"), strict=True
        ):
            alone = [name for name in side.groups if name not in other.groups]
            said[f"only in the {label}"] = dict.fromkeys(
                name for name in alone if side.asked[side.groups.index(name)]
            )
            for why, groups in side.left_out.items():
                names = [side.groups[g] for g in np.flatnonzero(groups & side.asked)]
                listed = said.setdefault(why, {})
                listed.update(dict.fromkeys(name for name in names if name not in alone))
        parts = [f"{_listed(list(names))} ({why})" for why, names in said.items() if names]
        if parts:
            yield f"Not judged: {'; '.join(parts)}."


def _least(bounds: Sequence[Array]) -> Array:
    """The least of the bounds that there are, nan where there is none."""
    least = np.min([np.where(np.isnan(each), np.inf, each) for each in bounds], axis=0)
    return np.where(np.isinf(least), np.nan, least)


# --- Bounds ------------------------------------------------------------------------------------

#: M ordered pairs of groups, shape (M,) each.
_Ends = tuple[Array, Array]


class _Bounds(Protocol):
    """One-sided bounds of changes, each with `tail` probability outside."""

    def changes(self, tail: float) -> Interval:
        """Of new - old in each group, shape (G,) each."""

    def growths(self, new: _Ends, old: _Ends, tail: float) -> Interval:
        """Of differences of `new` pairs now less those of `old` pairs before, shape (M,) each."""


@dataclass(frozen=True)
class _Apart:
    """Bounds for independent samples: variances add up."""

    both: Both

    def changes(self, tail: float) -> Interval:
        """Of new - old in each group, shape (G,) each."""
        now, then = self.both.now, self.both.then
        found = now.estimates, then.estimates
        units = now.estimates.units + then.estimates.units
        contrast = Contrast(*found, np.zeros(len(units)), units)
        return contrast.difference_interval(1 - 2 * tail)

    def growths(self, new: _Ends, old: _Ends, tail: float) -> Interval:
        """From the intervals of either difference; see `newcombe`."""
        sides = [
            (contrast.difference, contrast.difference_interval(1 - 2 * tail))
            for contrast in (
                pairs(self.both.now.sums, self.both.now.estimates, *new),
                pairs(self.both.then.sums, self.both.then.estimates, *old),
            )
        ]
        return newcombe(*sides[0], *sides[1])


@dataclass(frozen=True)
class _Cells:
    """The cells of two audits, joined by cluster and group.

    Attributes
    ----------
    new, old : array of int, shape (cells,)
        Cells of either audit, so ordered that they match where both have the same.
    same_records : bool
        Whether they do, with as many records in each.
    shared, every : set of str
        Clusters in both, and in either.
    """

    new: Array
    old: Array
    same_records: bool
    shared: set[str]
    every: set[str]

    @classmethod
    def of(cls, new: Sums, old: Sums) -> _Cells:
        """Join them."""
        keys = [_keys(sums) for sums in (new, old)]
        orders = [sorted(range(len(each)), key=each.__getitem__) for each in keys]
        at = [np.array(order, dtype=np.int64) for order in orders]
        same = [keys[0][c] for c in orders[0]] == [keys[1][c] for c in orders[1]]
        records = [
            sums.matrix[order, sums.columns.index("records")]
            for sums, order in zip((new, old), at, strict=True)
        ]
        clusters = [{cluster for cluster, _ in each} for each in keys]
        return cls(
            at[0],
            at[1],
            same and bool(np.array_equal(*records)),
            clusters[0] & clusters[1],
            clusters[0] | clusters[1],
        )


def _keys(sums: Sums) -> list[tuple[str, str]]:
    """Cluster and group of each cell."""
    names = sums.clusters or ()
    cells = zip(sums.cluster.tolist(), sums.group.tolist(), strict=True)
    return [(names[c], sums.groups[g]) for c, g in cells]


class _Paired:
    """Bounds from the same clusters in both audits.

    With u and v what a cluster adds to a group's new and old value (its influences, see
    `Spread.variance`), any change a new - b old varies with the sum over clusters of (a u - b v)^2.

    Where few clusters change, and those by much, Student's t is too sure: of 500 clusters of one
    record, of which 5 should go wrong, it would pass what is worse by just one point in 12 % of
    samples. So the bounds allow for variances that grow with the change; see `beyond`.
    """

    def __init__(self, new: _Side, old: _Side, cells: _Cells) -> None:
        self.new, self.old = new.estimates, old.estimates
        group, cluster = new.sums.group[cells.new], new.sums.cluster[cells.new]
        size = len(new.sums.groups)
        (u, noise_u), (v, noise_v) = _influences(new, cells.new), _influences(old, cells.old)
        # What rounding may leave of sums of squares.
        self._noise = [np.bincount(group, each, minlength=size) for each in (noise_u, noise_v)]
        self._powers = {
            (p, q): np.bincount(group, weights=u**p * v**q, minlength=size)
            for p in range(4)
            for q in range(4)
            if p + q in (2, 3)
        }
        self._clusters = len(np.unique(cluster))
        self._factor = small_sample_factor(new.sums.spread.units)
        self._between = None if new.sums.nested else self._covariances(new, group, cluster, u, v)
        weighted = new.audit.settings.get("weight") is not None
        self._one, self._effective = _trials(new.estimates, weighted)

    def _covariances(self, new: _Side, group: Array, cluster: Array, u: Array, v: Array) -> Any:
        """Covariances between different groups, (new, new), (new, old) and (old, old)."""
        sums = replace(new.sums, group=group, cluster=cluster)
        scale = np.sqrt(self._factor)
        a, b = (sums.spread_out(each) * scale for each in (u, v))
        outside = ~np.eye(len(self._factor), dtype=bool)
        return [(x.T @ y) * outside for x, y in ((a, a), (a, b), (b, b))]

    def changes(self, tail: float) -> Interval:
        """Of new - old in each group, shape (G,) each."""
        each = np.eye(len(self._factor))
        return self._limits(each, each, tail)

    def growths(self, new: _Ends, old: _Ends, tail: float) -> Interval:
        """Of differences of `new` pairs now less those of `old` pairs before, shape (M,) each."""
        each = np.eye(len(self._factor))
        return self._limits(each[new[0]] - each[new[1]], each[old[0]] - each[old[1]], tail)

    def _limits(self, a: Array, b: Array, tail: float) -> Interval:
        """Of a new - b old, with M rows of coefficients of the groups, shape (M, G) each."""
        value = a @ self.new.value - b @ self.old.value
        parts, still = self._parts(a, b)
        variance = parts.sum(axis=1) + self._shared(a, b)
        t = t_quantiles(1 - 2 * tail, self._df(parts, (a != 0) | (b != 0)))
        unit, least = self._units(a, b, still)
        upper = beyond(value, variance, np.maximum(unit, least), t)
        return -beyond(-value, variance, np.maximum(-unit, least), t), upper

    def _sum(self, a: Array, b: Array, power: int) -> Array:
        """Sum over clusters of (a u - b v)^power in each group, shape (M, G)."""
        total = np.zeros_like(a)
        for q in range(power + 1):
            sign = (-1) ** q * math.comb(power, q)
            total += sign * a ** (power - q) * b**q * self._powers[power - q, q]
        return total

    def _parts(self, a: Array, b: Array) -> tuple[Array, Array]:
        """Variance that each group adds, and where it adds none, shape (M, G) each.

        A value in which clusters do not vary has a variance all the same, that of one effective
        trial, unless the group's own change is in question: what has not changed cancels out.
        """
        squares, (new, old) = self._sum(a, b, 2), self._noise
        still = squares <= a**2 * new + b**2 * old
        alike = a**2 * (self._powers[2, 0] <= new) + b**2 * (self._powers[0, 2] <= old)
        unseen = np.where(a != b, alike * self._effective**2, 0.0)
        return np.where(still, 0.0, squares) * self._factor + unseen, still

    def _shared(self, a: Array, b: Array) -> Array:
        """Variance from clusters that are in several groups, shape (M,)."""
        if self._between is None:
            return np.zeros(len(a))
        same, across, old = self._between
        return np.asarray(
            np.einsum("mg,gh,mh->m", a, same, a)
            - 2 * np.einsum("mg,gh,mh->m", a, across, b)
            + np.einsum("mg,gh,mh->m", b, old, b)
        )

    def _df(self, parts: Array, involved: Array) -> Array:
        """Welch's degrees of freedom, below the number of clusters, shape (M,)."""
        df, units = np.minimum(self.new.df, self.old.df), self.new.units
        with np.errstate(divide="ignore", invalid="ignore"):
            found = parts.sum(axis=1) ** 2 / (parts**2 / df).sum(axis=1)
        fewest = np.where(involved, df, np.inf).min(axis=1)
        most = np.minimum((involved * units).sum(axis=1), self._clusters) - 1
        return np.minimum(np.where(np.isfinite(found), found, fewest), most)

    def _units(self, a: Array, b: Array, still: Array) -> tuple[Array, Array]:
        """How much a cluster that changes changes the value, and the least it can; shape (M,).

        The third moment over the second. The least is one trial, an effective one where nothing
        has changed. As if no cluster were in several groups.
        """
        involved = (a != 0) | (b != 0)
        squares = self._sum(a, b, 2).sum(axis=1)
        cubes = self._sum(a, b, 3).sum(axis=1)
        unit = np.divide(cubes, squares, out=np.zeros_like(cubes), where=squares > 0)
        least = np.where(still, self._effective, self._one)
        return unit, np.where(involved, least, 0.0).max(axis=1)


def _influences(side: _Side, at: Array) -> tuple[Array, Array]:
    """What cells add to their groups' values, and squares of what rounding may leave of it."""
    terms = side.sums.matrix[at] * side.estimates.gradients[side.sums.group[at]]
    return terms.sum(axis=1), 1e-12 * np.abs(terms).sum(axis=1) ** 2


def _trials(found: Estimates, weighted: bool) -> tuple[Array, Array]:
    """By how much one trial, and one effective trial, changes the value; shape (G,) each."""
    trials = found.records if weighted else found.n
    if own_variance(found.metric.range):
        return np.zeros(len(trials)), np.sqrt(found.design_effect) / trials
    return 1 / trials, found.design_effect / trials


def beyond(value: Array, variance: Array, unit: Array, t: Array) -> Array:
    """Upper bound of a sum whose variance grows by `unit` with each 1 that it grows.

    The score limit: the largest m with m - value <= t * sqrt(variance + unit * (m - value)). For
    a sum of independent changes of size `unit`, and as many as a Poisson variable, that is exactly
    how the variance grows; there the unit is the third moment over the second.

    Parameters
    ----------
    value, variance : array
        The sum and its estimated variance.
    unit : array
        0 for Student's t.
    t : array
        Quantile.

    Examples
    --------
    Two events; with 1.645 the bound m of their number has m - 2 = 1.645 * sqrt(m).

    >>> round(float(beyond(2.0, 2.0, 1.0, 1.645)), 3)
    6.044
    """
    shift = unit * t**2 / 2
    return np.asarray(value + shift + np.sqrt(t**2 * variance + shift**2))


def figure(metric: Metric, value: float) -> str:
    """A difference of the metric."""
    return _digits(value) if metric.scale == "number" else f"{_digits(100 * value)} points"


def level(metric: Metric, value: float) -> str:
    """A value of the metric."""
    return _digits(value) if metric.scale == "number" else f"{_digits(100 * value)} %"


def _digits(value: float) -> str:
    """Three digits, never as a power of ten where the number is large.

    >>> _digits(12.345), _digits(-51883.11)
    ('12.3', '-51,883')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _times(value: Array, low: Array, high: Array, limit: float) -> tuple[float, Array]:
    """How many times the data would decide about M changes, and which decide, shape (M,), bool.

    Widths shrink with the square root of the data; the present values are taken to be true. Where
    one is beyond the limit it must be shown to be, else all must be shown to be within.
    """
    over = value > limit
    with np.errstate(divide="ignore", invalid="ignore"):
        if over.any():
            times = np.where(over, ((value - low) / (value - limit)) ** 2, np.inf)
            times = np.where(np.isnan(times), np.inf, times)
            return float(times.min()), np.arange(len(value)) == np.argmin(times)
        times = ((high - value) / (limit - value)) ** 2
    concerned = ~(high <= limit)
    return float(np.max(times[concerned], initial=0.0)), concerned


def setting(audit: Audit, name: str) -> str:
    """A setting of an audit, in a sentence."""
    value = audit.settings.get(name)
    return "not given" if value is None else f"'{value}'"


def same_records(new: Audit, old: Audit) -> bool:
    """Whether both are known to be about the same records."""
    if new.records.ids is not None and old.records.ids is not None:
        return new.records.ids == old.records.ids
    files = [[data.sha256 for data in audit.data] for audit in (new, old)]
    return bool(files[0]) and files[0] == files[1] and new.records.used == old.records.used
