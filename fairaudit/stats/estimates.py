"""A metric's value in each group, with its interval at any level."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from fairaudit.arrays import Array
from fairaudit.metrics import LIMITS, Metric, own_variance, trial_variance
from fairaudit.stats import intervals
from fairaudit.stats.distributions import normal_quantile
from fairaudit.stats.intervals import Interval
from fairaudit.stats.sums import Spread

#: How intervals are made; ``auto`` is Student's t by linearisation, Wilson for shares of
#: independent records.
Method = Literal["auto", "t", "bootstrap", "percentile"]


@dataclass(frozen=True)
class Estimates:
    """One metric over G sets of units.

    Attributes
    ----------
    metric : Metric
        What is estimated.
    clustered : bool
        Whether the units are clusters; otherwise they are records.
    value, n : array, shape (G,)
        Estimates (nan where undefined) and their denominators, of weighted records in effective
        numbers.
    units, records : array, shape (G,)
        Numbers of units (of weighted records their effective number) and of records.
    variance : array, shape (G,)
        Linearised variances; nan for a single unit.
    gradients : array, shape (G, K)
        The metric's gradients at the totals.
    design_effect : array, shape (G,)
        Variance relative to that of n independent trials, at least 1.
    replicates : array, shape (B, G), or None
        The metric in resampled data; then intervals are percentiles.
    score : bool
        Whether shares of independent records get score intervals and tests.
    """

    metric: Metric
    clustered: bool
    value: Array
    n: Array
    units: Array
    records: Array
    variance: Array
    gradients: Array
    design_effect: Array
    replicates: Array | None = None
    score: bool = True

    @property
    def df(self) -> Array:
        """Degrees of freedom, units less one; shape (G,)."""
        return (np.minimum(self.units, self.n) if self.metric.scarce else self.units) - 1.0

    @property
    def binomial(self) -> bool:
        """Whether the values are shares of independent records, to be treated as such."""
        return self.score and self.metric.range == "proportion" and not self.clustered

    @property
    def effective_n(self) -> Array:
        """Independent trials that would vary as much as these, shape (G,)."""
        trial = trial_variance(self.metric.range, self.value)
        with np.errstate(divide="ignore", invalid="ignore"):
            own = trial / self.variance
        return np.where(self.uniform, self.n / self.design_effect, own)

    @property
    def uniform(self) -> Array:
        """Where the units do not vary at all, shape (G,), bool."""
        return self.variance == 0

    def take(self, index: Array) -> Estimates:
        """Pick the sets at `index` (M,), in that order; repeats are allowed."""
        names = ("value", "n", "units", "records", "variance", "gradients", "design_effect")
        picked = {name: getattr(self, name)[index] for name in names}
        replicates = None if self.replicates is None else self.replicates[:, index]
        return replace(self, replicates=replicates, **picked)

    def interval(self, confidence: float) -> Interval:
        """Confidence intervals, shape (G,) each.

        Percentiles where there are replicates; else Wilson for shares of independent records;
        else Student's t by linearisation. Where units do not vary, an effective n stands in. A
        single cluster has no interval.
        """
        if self.replicates is not None:
            low, high = quantiles(self.replicates, confidence)
            # Normal replicates of few records may leave the range.
            least, most = LIMITS[self.metric.range]
            low, high = np.maximum(low, least), np.minimum(high, most)
        elif self.binomial:
            z = normal_quantile((1 + confidence) / 2)
            low, high = intervals.wilson(self.value * self.n, self.n, z)
            return np.where(self.df >= 1, low, np.nan), np.where(self.df >= 1, high, np.nan)
        else:
            low, high = intervals.linearised(
                self.value, self.variance, self.df, self.metric.range, confidence
            )
        return self._guarded(low, high, confidence)

    def _guarded(self, low: Array, high: Array, confidence: float) -> Interval:
        """Replace intervals where units do not vary, drop them where there is one unit."""
        none = ~(self.df >= 1) | ~np.isfinite(self.value)
        low, high = np.where(none, np.nan, low), np.where(none, np.nan, high)
        alike = np.flatnonzero(self.uniform & ~none)
        if len(alike):
            these = self.take(alike)
            low[alike], high[alike] = intervals.from_effective_n(
                these.value, these.n, these.design_effect, self.metric.range, these.df, confidence
            )
        return low, high


def quantiles(replicates: Array, confidence: float) -> Interval:
    """Percentile limits over the first axis of (B, M); nan where all are undefined."""
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    finite = np.isfinite(replicates)
    limits = np.full((2, replicates.shape[1]), np.nan)
    whole, some = finite.all(axis=0), finite.any(axis=0) & ~finite.all(axis=0)
    limits[:, whole] = np.quantile(replicates[:, whole], tails, axis=0)
    if some.any():
        limits[:, some] = np.nanquantile(replicates[:, some], tails, axis=0)
    return limits[0], limits[1]


def estimate(
    metric: Metric,
    columns: tuple[str, ...],
    spread: Spread,
    *,
    clustered: bool,
    resampled: Array | None = None,
    score: bool = True,
) -> Estimates:
    """Estimate a metric in each of G sets of units.

    Parameters
    ----------
    metric : Metric
        Must find its counts in `columns`.
    columns : tuple of str
        Names of the K counts.
    spread : Spread
        Totals (G, K), second moments and numbers of units.
    clustered : bool
        Whether the units are clusters.
    resampled : array, shape (B, G, K), optional
        Resampled totals; then intervals are percentiles.
    score : bool
        Whether shares of independent records get score intervals and tests.
    """
    value, n = metric.value(columns, spread.totals), metric.n(columns, spread.totals)
    units = spread.units
    if not clustered and "weight" in columns:
        units, n = _by_weight(columns.index("weight"), spread, n)
    gradients = metric.gradient(columns, spread.totals)
    variance = spread.variance(gradients)
    # Influences that cancel to rounding errors are no variance.
    slopes = np.abs(gradients)
    squares = np.einsum("gk,gkl,gl->g", slopes, np.abs(spread.moments), slopes)
    variance = np.where(variance <= 1e-12 * squares, 0.0, variance)
    return Estimates(
        metric,
        clustered,
        value,
        n,
        units,
        spread.totals[:, columns.index("records")],
        variance,
        gradients,
        _design_effect(metric, value, n, units, variance),
        None if resampled is None else metric.value(columns, resampled),
        score,
    )


def _by_weight(at: int, spread: Spread, n: Array) -> tuple[Array, Array]:
    """Effective numbers of weighted records, and denominators in terms of them.

    Kish, Survey Sampling, 1965, section 11.7: (sum of weights)^2 / sum of their squares. A record
    of weight 10^9 among a hundred others is one record, not 10^9.
    """
    total, squares = spread.totals[:, at], spread.moments[:, at, at]
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = np.where(squares > 0, total**2 / squares, 0.0)
        return effective, np.where(total > 0, n * effective / total, 0.0)


def _design_effect(metric: Metric, value: Array, n: Array, units: Array, variance: Array) -> Array:
    """Variance relative to that of n independent trials, at least 1 where that follows from values.

    A group without variance borrows from the others; where no group has any, a unit counts as
    one trial.
    """
    trial = trial_variance(metric.range, value)
    with np.errstate(divide="ignore", invalid="ignore"):
        independent = trial / n
        seen = (variance > 0) & (independent > 0)
        borrowed = variance[seen].sum() / independent[seen].sum() if seen.any() else n / units
        effect = np.where(seen, variance / independent, borrowed)
    return effect if own_variance(metric.range) else np.maximum(effect, 1.0)
