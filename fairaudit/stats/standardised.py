"""Comparisons at equal levels of a control, as departments may explain a difference of groups.

Each group is compared with the reference within every level (stratum), and the differences are
averaged with the weights of Mantel & Haenszel (JNCI 22, 1959). A crude difference can vanish or
turn round when it comes from where groups are, not from how they are treated there (Simpson,
JRSS B 13, 1951; Bickel, Hammel & O'Connell, Science 187, 1975).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fairaudit.arrays import Array
from fairaudit.metrics import Metric
from fairaudit.stats import distributions
from fairaudit.stats.comparisons import Contrast, pairs, versus_rest
from fairaudit.stats.estimates import Estimates, estimate
from fairaudit.stats.intervals import Interval
from fairaudit.stats.sums import Sums, small_sample_factor

REST = "(rest)"
#: Degrees of freedom from which on F is a chi-square to all digits that are printed.
_MANY = 1e6


@dataclass(frozen=True, eq=False)
class Standardised:
    """Differences of G groups to a reference, at equal levels of the control.

    Attributes
    ----------
    groups : tuple of str
        G labels, sorted; the reference is not among them.
    levels : tuple of str
        K levels of the control.
    difference, low, high : array, shape (G,)
        Weighted mean of the differences within levels, and its interval, in the metric's unit;
        nan where no level counts.
    variance, df, p_value : array, shape (G,)
        Linearised variance, its degrees of freedom, and the p-value of no difference.
    share : array, shape (G,)
        Share of the group's n that lies in levels that count.
    weights : array, shape (K, G)
        Weights of the levels, which add up to 1; 0 where a level does not count.
    by_level : array, shape (K, G)
        Differences within levels; nan where a level does not count.
    heterogeneity : array, shape (G,)
        P-value of the hypothesis that the difference is the same in all levels; nan where fewer
        than two count.
    """

    groups: tuple[str, ...]
    levels: tuple[str, ...]
    difference: Array
    low: Array
    high: Array
    variance: Array
    df: Array
    p_value: Array
    share: Array
    weights: Array
    by_level: Array
    heterogeneity: Array

    @property
    def left_out(self) -> tuple[tuple[str, ...], ...]:
        """Levels that do not count, for each group.

        There is no such group or no reference in them, no value, or a single unit on a side.
        """
        return tuple(
            tuple(level for level, w in zip(self.levels, weights, strict=True) if not w)
            for weights in self.weights.T
        )

    def reversed(self, crude: Array, interval: Interval) -> Array:
        """Whether the control turns the crude difference round, shape (G,), bool.

        Simpson's paradox is shown, not only seen: the crude and the standardised difference
        have opposite signs and both intervals exclude 0.

        Parameters
        ----------
        crude, interval : array and pair of arrays, shape (G,)
            Crude differences of `groups` to the same reference, and their intervals.
        """
        low, high = interval
        above, below = (crude > 0) & (low > 0), (crude < 0) & (high < 0)
        return np.asarray((above & (self.high < 0)) | (below & (self.low > 0)))


def standardise(
    strata: Sequence[Sums],
    levels: Sequence[str],
    metric: Metric,
    reference: str,
    confidence: float,
) -> Standardised:
    """Compare each group with a reference at equal levels of the control.

    The difference is the sum over levels of ``w (group - reference)``, with Mantel-Haenszel
    weights ``w = n m / (n + m)`` scaled to 1, n and m the metric's denominators on both sides.
    They are nearly the best weights where differences and variances are alike, do not blow up
    in small levels, and are held fixed in the variance (Greenland & Robins, Biometrics 41, 1985).

    The variance adds up the units' weighted influences: a cluster's over all levels first, then
    squared. Each side's influences in a level carry ``sqrt(S / (S - 1))`` of their own S units,
    as they add up to 0 there. The interval is Student's t. Degrees of freedom are Welch's over
    levels and sides, and never more than the clusters of a side, less a part for each level.

    Shares of independent records have Sato's variance (Biometrics 45, 1989) at the difference
    in question, not at the estimate: that gives Klingenberg's interval (Statistics in Medicine
    33, 2014), good for many small levels and for few large ones, and a p-value that agrees.

    Whether the differences vary between levels is asked with the same weights: the weighted
    squares around the mean, compared with an F whose degrees of freedom are those of the
    covariance (Box 1954; Brunner, Dette & Munk, JASA 92, 1997). Nothing is inverted, so small
    levels and clusters with records in several of them do no harm.

    Parameters
    ----------
    strata : sequence of Sums
        One per level, with the same columns; groups may be missing in some, and the same key is
        the same cluster in all. Only the groups given are compared and make up the rest.
    levels : sequence of str
        Names of the K levels.
    metric : Metric
        Must find its counts in the columns.
    reference : str
        A group, or ``(rest)`` for all other groups of the level.
    confidence : float
        Level of the intervals.

    Examples
    --------
    Of the women 1 in 10 and 6 in 10 are wrong in two levels, of the men 3 and 8 in 10: equal
    weights, and a difference of 0.2 in each.

    >>> from fairaudit.metrics import METRICS
    >>> from fairaudit.stats.sums import Accumulator
    >>> def level(women, men):
    ...     total = Accumulator(("records", "wrong"), clustered=False)
    ...     wrong = [i < n for n in (women, men) for i in range(10)]
    ...     rows = np.column_stack([np.ones(20), wrong])
    ...     total.add(np.repeat([0, 1], 10), None, rows)
    ...     return total.result("gender", ["f", "m"], None)
    >>> found = standardise([level(1, 3), level(6, 8)], ["A", "B"], METRICS["ser"], "f", 0.95)
    >>> found.groups, found.weights[:, 0].tolist(), found.difference.round(6).tolist()
    (('m',), [0.5, 0.5], [0.2])
    """
    groups = sorted({group for sums in strata for group in sums.groups} - {reference})
    parts = [_Part.of(sums, metric, reference, groups) for sums in strata]
    table = _Table(parts, strata[0].clusters is not None)
    contrast = table.contrast
    (low, high), p_value = contrast.difference_interval(confidence), contrast.p_value
    if contrast.a.binomial:
        low, high, p_value = _score(table, low, high, p_value, confidence)
    return Standardised(
        tuple(groups),
        tuple(levels),
        contrast.difference,
        low,
        high,
        contrast.variance,
        contrast.df,
        p_value,
        table.share,
        table.weights,
        np.where(table.counts, table.difference, np.nan),
        _heterogeneity(table),
    )


@dataclass(frozen=True, eq=False)
class _Part:
    """One level: both sides of every comparison, and what each cluster adds to them.

    Attributes
    ----------
    value, n, units, variance : array, shape (2, G)
        Group and reference; nan where the level lacks either.
    spread : array, shape (2, G)
        Variance of the difference, and its degrees of freedom.
    keys : array of str, shape (C,)
        The level's clusters, none where there are no clusters.
    influence, member : array, shape (2, C, G)
        What clusters add to the sides' deviations, and whether they have records there.
    """

    metric: Metric
    value: Array
    n: Array
    units: Array
    variance: Array
    spread: Array
    keys: Array
    influence: Array
    member: Array

    @classmethod
    def of(cls, sums: Sums, metric: Metric, reference: str, groups: Sequence[str]) -> _Part:
        """Compare the groups of one level and put them where they are among all `groups`."""
        contrast = _contrast(sums, metric, reference)
        here = np.array([g for g, name in enumerate(sums.groups) if name in groups], dtype=int)
        there = np.array([groups.index(sums.groups[g]) for g in here], dtype=int)

        def put(rows: Sequence[Array], absent: float = np.nan) -> Array:
            table = np.stack([np.asarray(row, dtype=float) for row in rows])
            placed = np.full((*table.shape[:-1], len(groups)), absent)
            placed[..., there] = table[..., here]
            return placed

        if contrast is None:
            nothing = np.full((2, len(groups)), np.nan)
            own = estimate(metric, sums.columns, sums.spread, clustered=sums.clusters is not None)
            n = put([own.n, np.zeros_like(own.n)], 0.0)
            none = np.zeros((2, 0, len(groups)))
            return cls(metric, nothing, n, nothing, nothing, nothing, _no_keys(), none, none > 0)
        sides = (contrast.a, contrast.b)
        keys, influence, member = _influences(sums, contrast, reference)
        return cls(
            metric,
            put([side.value for side in sides]),
            put([side.n for side in sides], 0.0),
            put([side.units for side in sides]),
            put([side.variance for side in sides]),
            put([contrast.variance, contrast.df]),
            keys,
            put(list(influence), 0.0),
            put(list(member), 0.0) > 0,
        )


def _no_keys() -> Array:
    return np.zeros(0, dtype=object)


def _contrast(sums: Sums, metric: Metric, reference: str) -> Contrast | None:
    """All groups of one level against its reference; None where it has none."""
    found = estimate(metric, sums.columns, sums.spread, clustered=sums.clusters is not None)
    if reference == REST:
        return versus_rest(sums, found, None)
    if reference not in sums.groups:
        return None
    every = np.arange(len(sums.groups))
    return pairs(sums, found, every, np.full_like(every, sums.groups.index(reference)))


def _influences(sums: Sums, contrast: Contrast, reference: str) -> tuple[Array, Array, Array]:
    """Keys of clusters (C,), their influences and where they have records, (2, C, G) each."""
    if sums.clusters is None:
        none = np.zeros((2, 0, len(sums.groups)))
        return _no_keys(), none, none > 0
    whole = sums.pooled("")
    keys = np.array(sums.clusters, dtype=object)[whole.cluster]
    inside = sums.spread_out(np.ones(len(sums.group))) > 0
    own, other = (side.gradients for side in (contrast.a, contrast.b))
    a, b = (
        sums.spread_out((sums.matrix * slope[sums.group]).sum(axis=1)) for slope in (own, other)
    )
    if reference == REST:
        outside = inside.sum(axis=1, keepdims=True) > inside
        b = whole.matrix @ other.T - b
    else:
        at = [sums.groups.index(reference)]
        outside, b = (np.broadcast_to(table[:, at], a.shape) for table in (inside, b))
    factor = np.stack([small_sample_factor(side.units) for side in (contrast.a, contrast.b)])
    member = np.stack([inside, outside])
    # What is left of a difference of equal sums is rounding, not a contribution.
    return keys, np.where(member, np.stack([a, b]), 0.0) * np.sqrt(factor)[:, None], member


@dataclass(frozen=True, eq=False)
class _Table:
    """All levels side by side; arrays over sides, levels and groups have shape (2, K, G)."""

    parts: Sequence[_Part]
    clustered: bool

    def _stack(self, name: str) -> Array:
        return np.stack([getattr(part, name) for part in self.parts], axis=1)

    @cached_property
    def value(self) -> Array:
        """The metric on both sides."""
        return self._stack("value")

    @cached_property
    def n(self) -> Array:
        """Its denominators."""
        return np.nan_to_num(self._stack("n"))

    @cached_property
    def units(self) -> Array:
        """Clusters, or records, on both sides."""
        return self._stack("units")

    @cached_property
    def spread(self) -> Array:
        """Variance of the difference, and its degrees of freedom."""
        return self._stack("spread")

    @property
    def difference(self) -> Array:
        """Difference within levels, shape (K, G)."""
        return self.value[0] - self.value[1]

    @cached_property
    def counts(self) -> Array:
        """Whether a level counts, shape (K, G), bool."""
        enough = self.units >= 2
        if not self.clustered and self.parts[0].metric.range == "proportion":
            enough &= self.n >= 2
        return np.asarray((enough & np.isfinite(self.value) & (self.n > 0)).all(axis=0))

    @cached_property
    def weights(self) -> Array:
        """Mantel-Haenszel weights that add up to 1, shape (K, G); 0 where no level counts."""
        with np.errstate(invalid="ignore"):
            weight = np.where(self.counts, self.n[0] * self.n[1] / self.n.sum(axis=0), 0.0)
            return np.nan_to_num(weight / weight.sum(axis=0))

    def over_levels(self, values: Array) -> Array:
        """Add up over the levels that count."""
        return np.asarray(np.where(self.counts, values, 0.0).sum(axis=-2))

    @property
    def share(self) -> Array:
        """Share of each group's n in levels that count, shape (G,)."""
        return _divide(self.over_levels(self.n[0]), self.n[0].sum(axis=0))

    @cached_property
    def rows(self) -> list[Array]:
        """Each level's clusters, numbered over all levels."""
        keys = np.concatenate([part.keys for part in self.parts])
        number = np.unique(keys, return_inverse=True)[1]
        return np.split(number, np.cumsum([len(part.keys) for part in self.parts])[:-1])

    @property
    def apart(self) -> bool:
        """Whether each cluster lies in one level."""
        every = np.concatenate(self.rows)
        return len(np.unique(every)) == len(every)

    @cached_property
    def clusters(self) -> tuple[Array, Array, Array]:
        """Weighted influences and membership over all levels, (2, C, G); and cells, (G,).

        Cells are the clusters on either side, counted once per level.
        """
        size = 1 + max((int(row.max(initial=-1)) for row in self.rows), default=-1)
        total = np.zeros((2, size, self.n.shape[-1]))
        member, cells = total > 0, np.zeros(self.n.shape[-1])
        for part, row, weight in zip(self.parts, self.rows, self.weights, strict=True):
            counts = weight > 0
            total[:, row] += np.where(counts, part.influence, 0.0) * weight
            member[:, row] |= part.member & counts
            cells += (part.member.any(axis=0) & counts).sum(axis=0)
        return total, member, cells

    @cached_property
    def contrast(self) -> Contrast:
        """The standardised values of both sides, as if they were two estimates."""
        variance = self.over_levels(self.weights**2 * self._stack("variance"))
        covariance, cells = np.zeros_like(variance[0]), self.over_levels(self.units)
        distinct, either = cells, (cells.sum(axis=0), cells.sum(axis=0))
        if self.clustered:
            total, member, union = self.clusters
            variance, covariance = (total**2).sum(axis=1), total.prod(axis=0).sum(axis=0)
            distinct, either = member.sum(axis=1), (member.any(axis=0).sum(axis=0), union)
        df = np.fmin(self._welch, self._free(distinct, cells))
        own, other = (self._side(s, variance[s], df[s], distinct[s]) for s in (0, 1))
        return Contrast(own, other, covariance, 1 + self._free(*either))

    def _free(self, distinct: Array, cells: Array) -> Array:
        """Degrees of freedom of clusters that occur in so many cells of levels.

        Influences add up to 0 in each level. That takes a degree of freedom per level where
        each cluster lies in one level, and one in all where each lies in all of them.
        """
        levels = self.counts.sum(axis=0)
        return np.asarray(distinct * (1 - _divide(levels, cells)))

    @property
    def _welch(self) -> Array:
        """Welch's degrees of freedom of each side, over levels, shape (2, G)."""
        part = self.weights**2 * self._stack("variance")
        parts = self.over_levels(part**2 / np.maximum(self.units - 1, 1))
        return _divide(self.over_levels(part) ** 2, parts)

    def _side(self, side: int, variance: Array, df: Array, distinct: Array) -> Estimates:
        """One side's standardised value; its n is that of equally weighted trials."""
        value = self.over_levels(self.weights * self.value[side])
        value = np.where(self.counts.any(axis=0), value, np.nan)
        variance = np.where(variance < (1e-12 * value) ** 2, 0.0, variance)
        n = _divide(np.ones_like(value), self.over_levels(self.weights**2 / self._n(side)))
        return Estimates(
            self.parts[0].metric,
            self.clustered,
            value,
            n,
            np.where(np.isfinite(value), df + 1, 0),
            self.n[side].sum(axis=0),
            np.where(np.isfinite(value), variance, np.nan),
            np.zeros((len(value), 0)),
            np.maximum(_divide(n, distinct), 1.0),
        )

    def _n(self, side: int) -> Array:
        return np.where(self.counts, self.n[side], 1.0)

    def covariance(self, g: int) -> Array:
        """Covariance of a group's differences between levels that count, shape (k, k)."""
        levels = np.flatnonzero(self.counts[:, g])
        if not self.clustered:
            return np.diag(self.spread[0][levels, g])
        table = np.zeros((self.clusters[0].shape[1], len(levels)))
        for column, k in enumerate(levels.tolist()):
            influence = self.parts[k].influence[:, :, g]
            table[self.rows[k], column] = influence[0] - influence[1]
        return table.T @ table


def _score(
    table: _Table, low: Array, high: Array, p_value: Array, confidence: float
) -> tuple[Array, Array, Array]:
    """Klingenberg's interval and p-value, in place of those given where there is variance.

    The limits d solve ``(estimate - d)^2 = z^2 (d P + Q) / W^2``.
    """
    (n, m), (x, y) = table.n, table.n * table.value
    with np.errstate(invalid="ignore"):
        total = n + m
        slope = (n**2 * y - m**2 * x + n * m * (m - n) / 2) / total**2
        base = (x * (m - y) + y * (n - x)) / (2 * total)
        weight = table.over_levels(n * m / total)
    p, q = (_divide(table.over_levels(v), weight**2) for v in (slope, base))
    d, z = table.contrast.difference, distributions.normal_quantile((1 + confidence) / 2)
    middle = d + z**2 * p / 2
    square = middle**2 - d**2 + z**2 * q
    usable = (q > 0) & (square > 0)
    half = np.sqrt(np.where(usable, square, 0.0))
    own = np.array([distributions.normal_two_sided(v) for v in _divide(d, np.sqrt(q))])
    return (
        np.where(usable, np.maximum(middle - half, -1), low),
        np.where(usable, np.minimum(middle + half, 1), high),
        np.where(usable, own, p_value),
    )


def _heterogeneity(table: _Table) -> Array:
    """P-values of equal differences in all levels that count, shape (G,)."""
    return np.array([_varies(table, g) for g in range(table.n.shape[-1])])


def _varies(table: _Table, g: int) -> float:
    """One group's p-value: weighted squares around the weighted mean, against an F."""
    at = table.counts[:, g]
    if at.sum() < 2:
        return np.nan
    w, d = table.weights[at, g], table.difference[at, g]
    form = np.diag(w) - np.outer(w, w)
    product = form @ table.covariance(g)
    expected = float(np.trace(product))
    if not expected > 0:
        return np.nan
    own = np.diag(form) * table.spread[0][at, g]
    df = np.fmax(table.spread[1][at, g], 1)  # undefined where nothing varies, and weighs nothing
    squares = float((product * product.T).sum())
    if table.apart:  # then squared variances, 1 + 2 / df times too large, make up the most of it
        squares -= float((own**2 * 2 / (df + 2)).sum())
    numerator = min(expected**2 / squares, len(d) - 1.0)
    denominator = own.sum() ** 2 / (own**2 / df).sum()
    # Where the same clusters are in all levels, they are not so many independent ones.
    denominator = min(denominator, numerator * max(table.contrast.df[g], 1.0), _MANY)
    return _f_tail(float(d @ form @ d) / expected, numerator, denominator)


def _f_tail(f: float, numerator: float, denominator: float) -> float:
    """P(F >= f) for so many degrees of freedom."""
    x = np.array(denominator / (denominator + numerator * f))
    return float(
        distributions.regularised_beta(x, np.array(denominator / 2), np.array(numerator / 2))
    )


def _divide(a: Array, b: Array) -> Array:
    """Divide elementwise; nan where the result is not finite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = np.asarray(np.divide(a, b))
    return np.where(np.isfinite(quotient), quotient, np.nan)
