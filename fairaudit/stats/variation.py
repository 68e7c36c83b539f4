"""How much groups vary, with the noise of sampling taken off; and inequality between groups."""

from __future__ import annotations

import numpy as np

from fairaudit.arrays import Array
from fairaudit.stats.comparisons import between_group_deviation
from fairaudit.stats.estimates import Estimates, quantiles
from fairaudit.stats.resampling import bootstrap_totals, seeded
from fairaudit.stats.sums import Sums, small_sample_factor


def deviation_interval(
    sums: Sums, estimates: Estimates, confidence: float, resamples: int, seed: int
) -> tuple[float, float]:
    """Interval of the standard deviation between groups, the sampling error taken off.

    Percentiles of the double-corrected variance of Lum, Zhang & Bower ("De-biasing 'bias'
    measurement", FAccT 2022): a resample of noisy groups is noisy twice over, so
    the noise must be taken off twice, or the interval lies above the truth. For shares of
    independent records that is theirs, ``V - 2 mean(s2) + mean(s2 / n)`` at binomial draws.

    For any other metric, write D(C) for what sampling covariances C add to the variance of the
    groups' values: the mean of the diagonal less the mean off it, which clusters with records in
    several groups fill. The data's noise D(C) is estimated with the factor S / (S - 1), and a
    resample adds the noise of the S units at hand, which is C without that factor. Both are
    taken off: theirs, but exact for few units, and with covariances.

    Where the percentiles miss the single-corrected `between_group_deviation` they are extended
    to it: an estimate outside its own interval cannot be explained to anyone.

    Parameters
    ----------
    sums : Sums
        G groups, each with a value and at least two units.
    estimates : Estimates
        One metric over them.
    confidence : float
        Level in (0, 1).
    resamples, seed : int
        Number of resamples, and their seed.

    Returns
    -------
    low, high : float
        In the metric's unit, 0 or more; nan for fewer than two groups.
    """
    if len(estimates.value) < 2:
        return np.nan, np.nan
    draw = _shares if estimates.binomial else _resampled
    variance = draw(sums, estimates, resamples, seed)[:, None]
    low, high = (float(limit[0]) for limit in quantiles(variance, confidence))
    point = between_group_deviation(sums, estimates)
    return min(_root(low), point), max(_root(high), point)


def _root(variance: float) -> float:
    return float(np.sqrt(max(variance, 0.0)))


def _shares(sums: Sums, estimates: Estimates, resamples: int, seed: int) -> Array:
    """Double-corrected variances of B binomial draws, shape (B,)."""
    n = estimates.n
    draw = seeded(seed, sums.attribute, "variation")
    share = draw.binomial(n.astype(int), estimates.value, (resamples, len(n))) / n
    less = np.maximum(n - 1, 1)
    noise = share * (1 - share) / less * (1 + n / less)
    return np.var(share, axis=1, ddof=1) - noise.mean(axis=1)


def _resampled(sums: Sums, estimates: Estimates, resamples: int, seed: int) -> Array:
    """Double-corrected variances of B resamples, shape (B,); nan where a group has no value."""
    value = estimates.replicates
    if value is None:
        totals = bootstrap_totals(sums, resamples, seed)
        value = estimates.metric.value(sums.columns, totals)
    covariance = np.nan_to_num(sums.covariance(estimates.gradients))
    stretch = np.sqrt(np.nan_to_num(small_sample_factor(estimates.units), nan=1.0))
    value = estimates.value + stretch * (value - estimates.value)
    return np.var(value, axis=1, ddof=1) - 2 * _noise(covariance)


def _noise(covariance: Array) -> float:
    """What these sampling covariances (G, G) add to the variance of G values."""
    g = len(covariance)
    own = float(np.trace(covariance))
    return own / g - float(covariance.sum() - own) / (g * (g - 1))


def between_group_entropy(weight: Array, benefit: Array, alpha: float = 2) -> float:
    """Inequality between groups: the part of the generalised entropy index that groups explain.

    Everyone's benefit is replaced by the mean of the own group (Speicher et al., "A unified
    approach to quantifying algorithmic unfairness", KDD 2018, arXiv 1807.00787): with mean benefits
    m_g and m over all, ``sum of w_g ((m_g / m)^alpha - 1) / (alpha (alpha - 1)) / sum of w_g``.
    What is left of the index is the inequality within groups.

    Parameters
    ----------
    weight : array, shape (G,)
        Total weight of each group (its number of people); groups of weight 0 do not count.
    benefit : array, shape (G,)
        Summed benefit of each group, 0 or more.
    alpha : float
        2 is half the squared coefficient of variation; 1 is Theil's index, 0 the mean
        logarithmic deviation, both the formula's limits.

    Returns
    -------
    float
        0 or more; nan where nobody has any benefit, inf where `alpha` is 0 or less and a group
        has none.

    Raises
    ------
    ValueError
        If a weight or a benefit is negative.

    Examples
    --------
    Two groups of one half each, with mean benefits 0.5 and 1.5, of which the mean is 1:
    (0.25 - 1) / 2 and (2.25 - 1) / 2, on average 0.125.

    >>> between_group_entropy(np.array([2.0, 2.0]), np.array([1.0, 3.0]))
    0.125
    """
    weight, benefit = np.asarray(weight, dtype=float), np.asarray(benefit, dtype=float)
    if (weight < 0).any() or (benefit < 0).any():
        raise ValueError("weights and benefits must not be negative")
    if not benefit.sum() > 0:
        return np.nan
    some = weight > 0
    share = weight[some] / weight.sum()
    relative = benefit[some] / weight[some] * weight.sum() / benefit[some].sum()
    return float(share @ _inequality(relative, alpha))


def _inequality(relative: Array, alpha: float) -> Array:
    """A benefit's contribution to the index, from its ratio to the mean."""
    with np.errstate(divide="ignore"):
        if alpha == 0:
            return -np.log(relative)
        if alpha == 1:
            return relative * np.log(np.where(relative > 0, relative, 1))
        return (relative**alpha - 1) / (alpha * (alpha - 1))
