"""Two or more estimates set side by side: differences, ratios, gaps and homogeneity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fairaudit.arrays import Array
from fairaudit.metrics import Metric
from fairaudit.stats import intervals, power
from fairaudit.stats.distributions import normal_two_sided
from fairaudit.stats.estimates import Estimates, estimate, quantiles
from fairaudit.stats.intervals import Interval
from fairaudit.stats.sums import Sums, small_sample_factor


@dataclass(frozen=True)
class Contrast:
    """M pairs of estimates: side a against side b.

    Attributes
    ----------
    a, b : Estimates
        M values each.
    covariance : array, shape (M,)
        Linearised covariance of the two sides; 0 where they share no unit.
    """

    a: Estimates
    b: Estimates
    covariance: Array

    @property
    def difference(self) -> Array:
        """Differences a - b, shape (M,)."""
        return self.a.value - self.b.value

    @property
    def ratio(self) -> Array:
        """Ratios a / b, shape (M,); nan where b is 0."""
        return _divide(self.a.value, self.b.value)

    @cached_property
    def variance(self) -> Array:
        """Linearised variance of the difference, shape (M,)."""
        return np.maximum(self.a.variance + self.b.variance - 2 * self.covariance, 0)

    @cached_property
    def df(self) -> Array:
        """Welch's degrees of freedom of the difference, shape (M,)."""
        return intervals.welch_df(self.a.variance, self.a.df, self.b.variance, self.b.df)

    @property
    def _by_sides(self) -> Array:
        """Where the interval must come from the sides' own intervals, shape (M,), bool.

        Shares of independent records have better intervals than the linearised one; and units
        that do not vary have a linearised variance of 0, which nobody should believe.
        """
        return self.a.uniform | self.b.uniform | self.a.binomial

    def difference_interval(self, confidence: float, comparisons: int = 1) -> Interval:
        """Intervals of the differences, simultaneous over so many `comparisons` (Bonferroni).

        Welch's t; from the sides' intervals by Newcombe's method where that is better; from
        replicates where there are any, but not for simultaneous intervals, whose tails no
        practical number of resamples reaches.
        """
        level = 1 - (1 - confidence) / comparisons
        if self.a.replicates is not None and self.b.replicates is not None and comparisons == 1:
            own = quantiles(self.a.replicates - self.b.replicates, confidence)
        else:
            half = intervals.t_quantiles(level, self.df) * np.sqrt(self.variance)
            own = (self.difference - half, self.difference + half)
        low, high = own
        if (by_sides := np.flatnonzero(self._by_sides)).size:
            a, b = self.a.take(by_sides), self.b.take(by_sides)
            low[by_sides], high[by_sides] = intervals.newcombe(
                a.value, a.interval(level), b.value, b.interval(level)
            )
        return low, high

    def ratio_interval(self, confidence: float, comparisons: int = 1) -> Interval:
        """Intervals of the ratios, shape (M,) each; nan where a side is 0 or does not vary.

        By the delta method on their logarithms (Katz et al., Biometrics 34, 1978), with
        linearised variances and Welch's degrees of freedom; from replicates where there are any.
        Simultaneous over so many `comparisons`, as `difference_interval`.
        """
        level = 1 - (1 - confidence) / comparisons
        if self.a.replicates is not None and self.b.replicates is not None and comparisons == 1:
            low, high = quantiles(_divide(self.a.replicates, self.b.replicates), confidence)
        else:
            a, b = (_divide(side.variance, side.value**2) for side in (self.a, self.b))
            shared = _divide(self.covariance, self.a.value * self.b.value)
            df = intervals.welch_df(a, self.a.df, b, self.b.df)
            half = intervals.t_quantiles(level, df) * np.sqrt(np.maximum(a + b - 2 * shared, 0))
            with np.errstate(over="ignore"):
                low, high = self.ratio * np.exp(-half), self.ratio * np.exp(half)
        none = self.a.uniform | self.b.uniform | ~(self.df > 0) | ~np.isfinite(high)
        return np.where(none, np.nan, low), np.where(none, np.nan, high)

    @cached_property
    def p_value(self) -> Array:
        """Two-sided p-values of no difference, shape (M,).

        Welch's t, or for shares of independent records the pooled two-sample z test. Undefined
        where a side has one unit or units that do not vary.
        """
        if self.a.binomial:
            return self._pooled_z_test()
        usable = (self.variance > 0) & ~self._by_sides
        t = self.difference / np.sqrt(np.where(usable, self.variance, np.nan))
        return intervals.t_p_values(t, self.df)

    def _pooled_z_test(self) -> Array:
        a, b, n, m = self.a.value, self.b.value, self.a.n, self.b.n
        pooled = _divide(a * n + b * m, n + m)
        z = _divide(a - b, np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m)))
        return np.array([normal_two_sided(v) if np.isfinite(v) else np.nan for v in z])

    def take(self, index: Array) -> Contrast:
        """Pick the pairs at `index`."""
        return Contrast(self.a.take(index), self.b.take(index), self.covariance[index])

    def plan(self, confidence: float, comparisons: int = 1) -> power.Plan:
        """Describe the pairs for planning, with tests at the level of the intervals."""
        n, m = (side.n / side.design_effect for side in (self.a, self.b))
        alpha = (1 - confidence) / comparisons
        return power.Plan(self.a.value, self.b.value, n, m, self.df, self.a.metric.range, alpha)


def _divide(a: Array | float, b: Array) -> Array:
    """Divide elementwise; nan where the result is not finite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = np.asarray(np.divide(a, b))
    return np.where(np.isfinite(quotient), quotient, np.nan)


def pairs(sums: Sums, estimates: Estimates, first: Array, second: Array) -> Contrast:
    """Contrast the groups at `first` with those at `second`, each shape (M,)."""
    covariance = sums.covariance(estimates.gradients)[first, second]
    same = first == second
    covariance = np.where(same, estimates.variance[first], covariance)
    return Contrast(estimates.take(first), estimates.take(second), covariance)


def versus_rest(sums: Sums, estimates: Estimates, resampled: Array | None) -> Contrast:
    """Contrast each group with all others together.

    Parameters
    ----------
    sums : Sums
        G groups.
    estimates : Estimates
        One metric over them.
    resampled : array, shape (B, G, K), or None
        Resampled totals, where intervals come from them.
    """
    others = None if resampled is None else resampled.sum(axis=1, keepdims=True) - resampled
    rest = estimate(
        estimates.metric, sums.columns, sums.rest, clustered=estimates.clustered, resampled=others
    )
    shared = np.einsum("gk,gkl,gl->g", estimates.gradients, sums.rest_moments(), rest.gradients)
    factor = small_sample_factor(estimates.units) * small_sample_factor(rest.units)
    return Contrast(estimates, rest, shared * np.sqrt(factor))


@dataclass(frozen=True)
class Gap:
    """Worst against best group of one metric.

    Attributes
    ----------
    worst, best : int
        Indices of the groups.
    value, low, high : float
        Largest minus smallest value, at least 0, and its simultaneous interval.
    ratio, ratio_low, ratio_high : float
        Largest over smallest value, at least 1, and its simultaneous interval.
    chance, p_value : float
        The gap expected if no group differed, and how often it would be at least as large.
    """

    worst: int
    best: int
    value: float
    low: float
    high: float
    ratio: float
    ratio_low: float
    ratio_high: float
    chance: float
    p_value: float


def gap(sums: Sums, estimates: Estimates, permuted: Array, confidence: float) -> Gap:
    """Measure the gap between the worst and the best of G >= 2 groups.

    The largest of many differences is biased upward, and its percentile interval covers the
    truth 0 % of the time when the groups are equal. So the interval is the hull of simultaneous
    intervals of all pairs: the largest lower and the largest upper limit, with Bonferroni's
    correction. Beside it stands the mean gap when units are dealt to groups at random.

    With a handful of clusters in some groups Welch's limits alone exclude 0 in up to 8 % of
    equal cases, as a group with low rates has a low variance as well. The permutation test does
    not, so the interval excludes equality only where that test does.

    Parameters
    ----------
    sums : Sums
        The groups compared; each must have a value and at least two units.
    estimates : Estimates
        One metric over them.
    permuted : array, shape (B, G, K)
        Totals under permutation.
    confidence : float
        Level of the simultaneous interval.
    """
    first, second = np.triu_indices(len(sums.groups), 1)
    contrast = pairs(sums, estimates, first, second)
    low, high = contrast.difference_interval(confidence, len(first))
    ratio_low, ratio_high = contrast.ratio_interval(confidence, len(first))
    ceiling = np.inf if estimates.metric.range == "rate" else 1.0
    order = np.argsort(estimates.value, kind="stable")
    smallest, largest = int(order[0]), int(order[-1])
    lower_is_better = estimates.metric.direction == "lower"
    value = float(estimates.value[largest] - estimates.value[smallest])
    chance = _spans(estimates.metric.value(sums.columns, permuted))
    p_value = _tail(chance, value)
    differ = p_value <= 1 - confidence
    ratio = float(_divide(estimates.value[largest], estimates.value[smallest]))
    one = ratio / ratio  # nan where the ratio is
    return Gap(
        worst=largest if lower_is_better else smallest,
        best=smallest if lower_is_better else largest,
        value=value,
        low=max(_largest(low, -high), 0.0) if differ else 0.0,
        high=min(_largest(high, -low), ceiling),
        ratio=ratio,
        ratio_low=one * max(_largest(ratio_low, _divide(1.0, ratio_high)), 1.0) if differ else one,
        ratio_high=one * _largest(ratio_high, _divide(1.0, ratio_low)),
        chance=float(np.mean(chance)),
        p_value=p_value,
    )


def percentile_gap(estimates: Estimates, confidence: float) -> tuple[float, float]:
    """Percentile interval of the resampled gaps, as some papers print it.

    It does not cover the truth when groups are equal, so it is for reproducing papers only.
    """
    if estimates.replicates is None:
        return np.nan, np.nan
    low, high = quantiles(_spans(estimates.replicates)[:, None], confidence)
    return float(low[0]), float(high[0])


def _largest(*limits: Array) -> float:
    """The largest of the limits that are defined, nan if none is."""
    defined = np.concatenate(limits)
    defined = defined[np.isfinite(defined)]
    return float(defined.max()) if len(defined) else np.nan


def _spans(values: Array) -> Array:
    """Largest minus smallest over the last axis, undefined values left out."""
    return np.asarray(np.nanmax(values, axis=-1) - np.nanmin(values, axis=-1))


def _tail(draws: Array, observed: float) -> float:
    """Permutation p-value (Phipson & Smyth 2010): the observed arrangement is one of them."""
    at_least = np.count_nonzero(draws >= observed * (1 - 1e-12))
    return (1 + at_least) / (1 + len(draws))


def homogeneity(metric: Metric, sums: Sums, permuted: Array) -> float:
    """P-value of the hypothesis that no group differs, by permutation.

    The statistic is the between-group sum of squares of the units' influences at the pooled
    value: sum over groups of D_g^2 / S_g, where D_g adds up the influences of the group's S_g
    units. It is the one-way analysis of variance's F, as the total is the same in every
    permutation; exact where the units can change places.

    Parameters
    ----------
    metric : Metric
        What is compared.
    sums : Sums
        The groups compared.
    permuted : array, shape (B, G, K)
        Totals under permutation.
    """
    totals = sums.spread.totals
    gradient = metric.gradient(sums.columns, totals.sum(axis=0))

    def statistic(totals: Array) -> Array:
        return np.asarray(((totals @ gradient) ** 2 / sums.spread.units).sum(axis=-1))

    return _tail(statistic(permuted), float(statistic(totals)))


def between_group_deviation(estimates: Estimates) -> float:
    """Standard deviation between groups, the sampling error taken off.

    Square root of the single-corrected variance of Lum, Zhang & Bower ("De-biasing 'bias'
    measurement", FAccT 2022): the variance of the estimates less their mean sampling variance,
    0 where that is negative.
    """
    corrected = float(np.var(estimates.value, ddof=1) - np.nanmean(estimates.variance))
    return math.sqrt(max(corrected, 0.0))
