"""Whether any group differs at all, and the gap that chance alone would give.

The statistic is James's: squared deviations of the groups' values from their weighted mean, each
weighted by its own precision (James, Biometrika 38, 1951). It is studentised, because groups
differ in how much their units say and vary: dealing whole units to the groups and comparing raw
gaps finds differences in a quarter of equal cases where one group's speakers say nine times as
much. What it is compared with depends on the data:

- clusters that lie in one group each: their influences are dealt to the groups at random, and
  the statistic is studentised anew (Janssen, Statistics & Probability Letters 36, 1997; Chung &
  Romano, Annals of Statistics 41, 2013). Exact where all clusters can change places;
- clusters with records in several groups: each cluster's influences change sign at random, so
  that only the comparison within clusters counts;
- no clusters, or more than `PERMUTED_CLUSTERS`: normal means with estimated variances are drawn
  (Krishnamoorthy, Lu & Mathew, Computational Statistics & Data Analysis 51, 2007).
"""

from __future__ import annotations

import numpy as np

from fairaudit.arrays import Array
from fairaudit.metrics import Metric, trial_variance
from fairaudit.stats.estimates import Estimates
from fairaudit.stats.resampling import chunks, seeded
from fairaudit.stats.sums import Sums

#: Clusters up to which influences are really dealt; so many are as good as normal.
PERMUTED_CLUSTERS = 5_000
#: Least variance of a group, as a share of that of all units: few units may be alike by chance.
_FLOOR = 0.01


def homogeneity(
    metric: Metric, sums: Sums, estimates: Estimates, resamples: int, seed: int
) -> float:
    """P-value of the hypothesis that no group differs.

    Parameters
    ----------
    metric : Metric
        What is compared.
    sums : Sums
        The groups compared, each with a value and at least two units.
    estimates : Estimates
        The metric in them.
    resamples, seed : int
        Number of draws B under the hypothesis, and their seed.
    """
    draw = seeded(seed, sums.attribute, "homogeneity")
    if not sums.nested:
        return _signs(metric, sums, resamples, draw)
    if sums.clusters is None or len(sums.matrix) > PERMUTED_CLUSTERS:
        return _normal(metric, sums, estimates, resamples, draw)
    return _dealt(metric, sums, resamples, draw)


def chance_gaps(sums: Sums, estimates: Estimates, resamples: int, seed: int, *names: str) -> Array:
    """Gaps between the worst and the best group, were there no difference, shape (B,).

    From normal draws with the groups' own sampling covariances: groups of few or uneven units
    scatter more. Draws of different `names` are independent.
    """
    covariance = np.nan_to_num(sums.covariance(estimates.gradients))
    np.fill_diagonal(covariance, _believable(estimates.metric, sums, estimates))
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    draw = seeded(seed, sums.attribute, "chance", *names)
    drawn = draw.standard_normal((resamples, len(values))) @ root
    return np.asarray(np.ptp(drawn, axis=1))


def _james(value: Array, variance: Array) -> Array:
    """James's statistic over the last axis of values and their variances."""
    weight = 1 / variance
    mean = (weight * value).sum(axis=-1, keepdims=True) / weight.sum(axis=-1, keepdims=True)
    return np.asarray((weight * (value - mean) ** 2).sum(axis=-1))


def _tail(draws: Array, observed: float) -> float:
    """Permutation p-value (Phipson & Smyth 2010): what was observed is one of the draws."""
    at_least = np.count_nonzero(draws >= observed * (1 - 1e-12))
    return (1 + at_least) / (1 + len(draws))


def _contributions(metric: Metric, sums: Sums) -> Array:
    """What each cell adds to its group's deviation from the common value, shape (cells,).

    Influences at the common value, in units of the group's own denominator: only then do the
    units of groups that say much and of groups that say little stand for the same thing.
    """
    totals = sums.spread.totals
    gradient = metric.gradient(sums.columns, totals.sum(axis=0))
    share = metric.n(sums.columns, totals) / metric.n(sums.columns, totals.sum(axis=0))
    contribution = sums.matrix @ gradient
    # Terms that cancel leave their rounding errors, which are no contribution.
    negligible = np.abs(contribution) <= 1e-12 * (np.abs(sums.matrix) @ np.abs(gradient))
    return np.where(negligible, 0.0, contribution) / share[sums.group]


def _dealt(metric: Metric, sums: Sums, resamples: int, draw: np.random.Generator) -> float:
    """Deal the clusters' contributions to the groups."""
    order = np.argsort(sums.group, kind="stable")
    starts = np.unique(sums.group[order], return_index=True)[1]
    size = np.diff([*starts, len(order)])
    # Times the group's size: then its mean, not its sum, is the deviation.
    unit = (_contributions(metric, sums) * sums.spread.units[sums.group])[order]
    if not unit.any():
        return 1.0

    def statistic(dealt: Array) -> Array:
        mean = np.add.reduceat(dealt, starts, axis=-1) / size
        square = np.add.reduceat(dealt**2, starts, axis=-1) - size * mean**2
        variance = np.maximum(square / (size - 1), _FLOOR * np.var(unit)) / size
        return _james(mean, variance)

    draws = np.empty(resamples)
    for part in chunks(resamples, len(unit)):
        copies = np.broadcast_to(unit, (part.stop - part.start, len(unit)))
        draws[part] = statistic(draw.permuted(copies, axis=1))
    return _tail(draws, float(statistic(unit)))


def _signs(metric: Metric, sums: Sums, resamples: int, draw: np.random.Generator) -> float:
    """Turn the signs of whole clusters' contributions."""
    parts = sums.spread_out(_contributions(metric, sums))
    # Differences to the last group; which one does not matter to the quadratic form.
    contrast = parts[:, :-1] - parts[:, -1:]
    inverse = np.linalg.pinv(contrast.T @ contrast, rcond=1e-10, hermitian=True)
    value = contrast.sum(axis=0)
    draws = np.empty(resamples)
    for part in chunks(resamples, len(contrast)):
        sign = draw.integers(0, 2, (part.stop - part.start, len(contrast))) * 2.0 - 1
        drawn = sign @ contrast
        draws[part] = np.einsum("bg,gh,bh->b", drawn, inverse, drawn)
    return _tail(draws, float(value @ inverse @ value))


def _normal(
    metric: Metric, sums: Sums, estimates: Estimates, resamples: int, draw: np.random.Generator
) -> float:
    """Draw normal values with the groups' variances, and the variances themselves."""
    variance = _believable(metric, sums, estimates)
    if not (variance > 0).all():
        return 1.0
    shape = (resamples, len(variance))
    value = draw.standard_normal(shape) * np.sqrt(variance)
    spread = draw.chisquare(estimates.df, shape) / estimates.df
    drawn = _james(value, variance * np.maximum(spread, _FLOOR))
    return _tail(drawn, float(_james(estimates.value, variance)))


def _believable(metric: Metric, sums: Sums, estimates: Estimates) -> Array:
    """Sampling variances; where units do not vary, what they would have at the common value.

    Three records without an error are no proof of a rate of 0.
    """
    common = metric.value(sums.columns, sums.spread.totals.sum(axis=0))
    stand_in = trial_variance(metric.range, common) * estimates.design_effect / estimates.n
    return np.where(estimates.uniform, stand_in, estimates.variance)
