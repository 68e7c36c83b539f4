"""Two or more estimates set side by side: differences, ratios, gaps and homogeneity."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from fairaudit.arrays import Array
from fairaudit.metrics import LIMITS
from fairaudit.stats import intervals, power, proportions
from fairaudit.stats.distributions import normal_quantile
from fairaudit.stats.estimates import Estimates, estimate, quantiles
from fairaudit.stats.homogeneity import chance_gaps, homogeneity
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
    units : array, shape (M,)
        Units on either side; those on both count once.
    """

    a: Estimates
    b: Estimates
    covariance: Array
    units: Array

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
        """Degrees of freedom of the difference, shape (M,): Welch's, and below the units."""
        return self._welch(self.a.variance, self.b.variance)

    def _welch(self, a: Array, b: Array) -> Array:
        # Where both sides are the same S units there are S - 1 differences, not 2 (S - 1).
        return np.minimum(intervals.welch_df(a, self.a.df, b, self.b.df), self.units - 1.0)

    @property
    def _by_sides(self) -> Array:
        """Where the interval must come from the sides' own intervals, shape (M,), bool.

        Units that do not vary have a linearised variance of 0, which nobody should believe.
        """
        return self.a.uniform | self.b.uniform

    @property
    def counts(self) -> tuple[Array, Array, Array, Array]:
        """Of shares of independent records: successes and trials of a, then of b, shape (M,)."""
        a, b = self.a, self.b
        return np.round(a.value * a.n), a.n, np.round(b.value * b.n), b.n

    def difference_interval(self, confidence: float, comparisons: int = 1) -> Interval:
        """Intervals of the differences, simultaneous over so many `comparisons` (Bonferroni).

        Score intervals of shares of independent records; else Welch's t, or from the sides'
        intervals by Newcombe's method where units do not vary; from replicates where there are
        any, but not for simultaneous intervals, whose tails no practical number of resamples
        reaches.
        """
        level = 1 - (1 - confidence) / comparisons
        if self.a.binomial:
            z = normal_quantile((1 + level) / 2)
            low, high = proportions.miettinen_nurminen(*self.counts, z)
            return self._guarded(low), self._guarded(high)
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

        Score intervals of shares of independent records; else by the delta method on their
        logarithms (Katz et al., Biometrics 34, 1978), with
        linearised variances and Welch's degrees of freedom; from replicates where there are any.
        Simultaneous over so many `comparisons`, as `difference_interval`.
        """
        level = 1 - (1 - confidence) / comparisons
        if self.a.binomial:
            low, high = proportions.koopman(*self.counts, normal_quantile((1 + level) / 2))
            none = ~np.isfinite(high)
            low, high = np.where(none, np.nan, low), np.where(none, np.nan, high)
            return self._guarded(low), self._guarded(high)
        if self.a.replicates is not None and self.b.replicates is not None and comparisons == 1:
            low, high = quantiles(_divide(self.a.replicates, self.b.replicates), confidence)
        else:
            a, b = (_divide(side.variance, side.value**2) for side in (self.a, self.b))
            shared = _divide(self.covariance, self.a.value * self.b.value)
            df = self._welch(a, b)
            half = intervals.t_quantiles(level, df) * np.sqrt(np.maximum(a + b - 2 * shared, 0))
            with np.errstate(over="ignore"):
                low, high = self.ratio * np.exp(-half), self.ratio * np.exp(half)
        none = self.a.uniform | self.b.uniform | ~(self.df > 0) | ~np.isfinite(high)
        return np.where(none, np.nan, low), np.where(none, np.nan, high)

    @cached_property
    def p_value(self) -> Array:
        """Two-sided p-values of no difference, shape (M,).

        Welch's t; for shares of independent records the score test; where the interval comes from
        the sides' own, so does the p-value. Undefined where a side has one unit.
        """
        if self.a.binomial:
            return self._guarded(proportions.score_p_value(*self.counts))
        usable = self.variance > 0
        t = self.difference / np.sqrt(np.where(usable, self.variance, np.nan))
        p = intervals.t_p_values(t, self.df)
        if (by_sides := np.flatnonzero(self._by_sides)).size:
            p[by_sides] = self.take(by_sides)._p_from_sides()
        return p

    def _p_from_sides(self) -> Array:
        """P-values that are below 0.05 just where the sides' 95 % intervals exclude equality.

        Newcombe's half width towards 0 stands for so many standard errors as its quantile says.
        """
        a, b = self.a.interval(0.95), self.b.interval(0.95)
        low, high = intervals.newcombe(self.a.value, a, self.b.value, b)
        towards = np.where(self.difference > 0, self.difference - low, high - self.difference)
        df = np.where(self.df >= 1, self.df, np.minimum(self.a.df, self.b.df))
        t = _divide(self.difference, towards) * intervals.t_quantiles(0.95, df)
        return intervals.t_p_values(t, df)

    def _guarded(self, values: Array) -> Array:
        """Values, undefined where a side has a single unit."""
        return np.where((self.a.df >= 1) & (self.b.df >= 1), values, np.nan)

    def take(self, index: Array) -> Contrast:
        """Pick the pairs at `index`."""
        units = self.units[index]
        return Contrast(self.a.take(index), self.b.take(index), self.covariance[index], units)

    def plan(self, confidence: float, comparisons: int = 1) -> power.Plan:
        """Describe the pairs for planning, with tests at the level of the intervals."""
        shared = _divide(self.a.variance + self.b.variance, self.variance)
        n, m = (side.effective_n * np.where(shared > 0, shared, 1) for side in (self.a, self.b))
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
    units = sums.spread.units[first] + sums.spread.units[second] - sums.shared[first, second]
    same = first == second
    covariance = np.where(same, estimates.variance[first], covariance)
    return Contrast(estimates.take(first), estimates.take(second), covariance, units)


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
        estimates.metric,
        sums.columns,
        sums.rest,
        clustered=estimates.clustered,
        resampled=others,
        score=estimates.score,
    )
    shared = np.einsum("gk,gkl,gl->g", estimates.gradients, sums.rest_moments(), rest.gradients)
    factor = small_sample_factor(estimates.units) * small_sample_factor(rest.units)
    every = sums.spread.units.sum() if sums.nested else len(np.unique(sums.cluster))
    units = np.full(len(sums.groups), every)
    return Contrast(estimates, rest, shared * np.sqrt(factor), units)


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
        Worst over best value, at least 1, where lower is better; smallest over largest, at most
        1, of other metrics and of those with a parity of their own (as Fairlearn has them); and
        its simultaneous interval.
    chance, p_value : float
        The gap expected if no group differed, and the p-value of that hypothesis.
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


def gap(sums: Sums, estimates: Estimates, confidence: float, resamples: int, seed: int) -> Gap:
    """Measure the gap between the worst and the best of G >= 2 groups.

    The largest of many differences is biased upward, and its percentile interval covers the
    truth 0 % of the time when the groups are equal. So the interval is the hull of simultaneous
    intervals of all pairs: the largest lower and the largest upper limit, with Bonferroni's
    correction. Beside it stands the gap that sampling alone would give.

    With a handful of clusters in some groups Welch's limits alone exclude 0 in up to 8 % of
    equal cases, as a group with low rates has a low variance as well. The test of homogeneity
    does not, so the interval excludes equality only where that test does.

    Parameters
    ----------
    sums : Sums
        The groups compared; each must have a value and at least two units.
    estimates : Estimates
        One metric over them.
    confidence : float
        Level of the simultaneous interval.
    resamples, seed : int
        Number of draws under homogeneity, and their seed.
    """
    first, second = np.triu_indices(len(sums.groups), 1)
    # No practical number of resamples reaches the tails of simultaneous intervals.
    contrast = pairs(sums, replace(estimates, replicates=None), first, second)
    low, high = contrast.difference_interval(confidence, len(first))
    order = np.argsort(estimates.value, kind="stable")
    smallest, largest = int(order[0]), int(order[-1])
    p_value = homogeneity(estimates.metric, sums, estimates, resamples, seed)
    differ = p_value <= 1 - confidence
    smallest_is_worst = estimates.metric.direction == "higher"
    ends = int(np.flatnonzero((first == min(order[[0, -1]])) & (second == max(order[[0, -1]])))[0])
    ratio, ratio_low, ratio_high = _gap_ratio(contrast, ends, confidence, differ)
    return Gap(
        worst=smallest if smallest_is_worst else largest,
        best=largest if smallest_is_worst else smallest,
        value=float(estimates.value[largest] - estimates.value[smallest]),
        low=max(_largest(low, -high), 0.0) if differ else 0.0,
        high=min(_largest(high, -low), float(np.ptp(LIMITS[estimates.metric.range]))),
        ratio=ratio,
        ratio_low=ratio_low,
        ratio_high=ratio_high,
        chance=float(np.mean(chance_gaps(sums, estimates, resamples, seed))),
        p_value=p_value,
    )


def _gap_ratio(
    contrast: Contrast, ends: int, confidence: float, differ: bool
) -> tuple[float, float, float]:
    """Worst over best value (the pair `ends`), and its simultaneous interval over all pairs.

    Undefined where one divides by 0 or by less, without interval where either group's units do not
    vary, and up to equality where no group is shown to differ.
    """
    low, high = contrast.ratio_interval(confidence, len(contrast.difference))
    sides = np.sort([contrast.a.value[ends], contrast.b.value[ends]])
    metric = contrast.a.metric
    inverted = metric.direction != "lower" or metric.parity is not None
    if sides[0] == 0 < sides[1] and inverted:
        return 0.0, np.nan, np.nan
    found = [float(_divide(sides[1], sides[0])) if sides[0] > 0 else np.nan, np.nan, np.nan]
    if np.isfinite(low[ends]) and sides[0] > 0:
        largest_low, largest_high = (
            _largest(low, _divide(1.0, high)),
            _largest(high, _divide(1.0, low)),
        )
        found[1:] = max(largest_low, 1.0) if differ else 1.0, largest_high
    if not inverted:
        return found[0], found[1], found[2]
    return 1 / found[0], 1 / found[2], 1 / found[1]


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


def between_group_deviation(sums: Sums, estimates: Estimates) -> float:
    """Standard deviation between groups, the sampling error taken off.

    Square root of the single-corrected variance of Lum, Zhang & Bower ("De-biasing 'bias'
    measurement", FAccT 2022): the variance of the estimates less their mean sampling variance
    (and plus their mean covariance, where they share clusters), 0 where that is negative.
    """
    g = len(estimates.value)
    covariance = np.nan_to_num(sums.covariance(estimates.gradients))
    noise = np.trace(covariance) / g
    shared = (covariance.sum() - np.trace(covariance)) / (g * (g - 1))
    return math.sqrt(max(float(np.var(estimates.value, ddof=1)) - noise + shared, 0.0))
