"""Confidence intervals of one value, and of the difference or ratio of two.

All functions work elementwise on arrays and return ``(low, high)``, nan where there is no
interval to be had.
"""

from __future__ import annotations

import numpy as np

from fairaudit.arrays import Array
from fairaudit.metrics import LIMITS, Range, own_variance
from fairaudit.stats import distributions

Interval = tuple[Array, Array]


def t_quantiles(confidence: float, df: Array) -> Array:
    """Two-sided t quantiles, one for each number of degrees of freedom (nan below 1/2)."""
    usable = df >= 0.5
    found = distributions.t_quantiles((1 + confidence) / 2, np.where(usable, df, 1.0))
    return np.where(usable, found, np.nan)


def t_p_values(t: Array, df: Array) -> Array:
    """Two-sided p-values of t statistics; nan where undefined."""
    usable = np.isfinite(t) & (df >= 0.5)
    found = distributions.t_two_sided(np.where(usable, t, 0.0), np.where(usable, df, 1.0))
    return np.where(usable, found, np.nan)


def wilson(successes: Array, n: Array, z: Array | float) -> Interval:
    """Wilson's score interval of a proportion.

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22,
    1927. `successes` and `n` may be fractional (effective numbers).

    >>> low, high = wilson(np.array(8.0), np.array(10.0), 1.96)
    >>> round(float(low), 3), round(float(high), 3)
    (0.49, 0.943)
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.asarray(successes / n, dtype=float)
        centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    # At 0 and at n the limit is exact; rounding must not leave the value outside.
    low = np.where(p == 0, 0.0, centre - half)
    return low, np.where(p == 1, 1.0, centre + half)


def linearised(
    value: Array, variance: Array, df: Array, range: Range, confidence: float
) -> Interval:
    """Student's t interval on the scale that fits the range: logarithm, or log odds.

    With ten speakers a 95 % interval of pooled WER covers 94.7 % on the logarithmic scale and
    93.6 % on the plain one (2,000 simulated data sets).

    Parameters
    ----------
    value, variance : array
        Estimate and its linearised variance.
    df : array
        Degrees of freedom: units less one.
    range : Range
        Where values may lie; rates and amounts are taken to their logarithm, shares to their log
        odds, what may be negative is left as it is.
    confidence : float
        Level in (0, 1).

    Returns
    -------
    low, high : array
        nan where the variance is 0 or undefined.

    Examples
    --------
    >>> low, high = linearised(np.array([0.2]), np.array([0.0004]), np.array([9]), "rate", 0.95)
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.16], [0.251])
    """
    least, most = LIMITS[range]
    usable = (variance > 0) & (value > least) & (value < most) & (df >= 1)
    v = np.where(usable, value, 0.5)
    half = t_quantiles(confidence, np.where(usable, df, 1))
    half *= np.sqrt(np.where(usable, variance, np.nan))
    if least < 0:
        return v - half, v + half
    # With one degree of freedom the factor may overflow: the limit is then the range's end.
    with np.errstate(over="ignore"):
        if most > 1:
            return v * np.exp(-half / v), v * np.exp(half / v)
        half, against = half / (v * (1 - v)), (1 - v) / v
        return 1 / (1 + against * np.exp(half)), 1 / (1 + against * np.exp(-half))


def from_effective_n(
    value: Array, n: Array, design_effect: Array, range: Range, df: Array, confidence: float
) -> Interval:
    """Interval from an effective sample size, for values without variance between units.

    No errors in ten speakers do not prove a rate of 0: the interval must not be [0, 0]. The
    denominator `n` is divided by the design effect seen elsewhere; then Wilson's interval with
    a t quantile (Korn & Graubard, Survey Methodology 24(2), 1998) or, for rates, Garwood's
    Poisson limits. Of amounts the design effect is the variance of a trial elsewhere: Student's t.

    Examples
    --------
    No error in 300 words that are worth 30 independent ones: at most 3.69 / 30.

    >>> low, high = from_effective_n(
    ...     np.array([0.0]), np.array([300.0]), np.array([10.0]), "rate", np.array([9]), 0.95
    ... )
    >>> low.tolist(), high.round(3).tolist()
    ([0.0], [0.123])
    """
    effective = np.asarray(n / design_effect, dtype=float)
    if own_variance(range):
        half = t_quantiles(confidence, df) / np.sqrt(effective)
        return np.maximum(value - half, LIMITS[range][0]), value + half
    if range != "rate":
        return wilson(value * effective, effective, t_quantiles(confidence, df))
    tail = (1 - confidence) / 2

    usable = (effective > 0) & np.isfinite(value)
    low, high = distributions.poisson_limits(np.where(usable, value * effective, 0.0), tail)
    return np.where(usable, low / effective, np.nan), np.where(usable, high / effective, np.nan)


def newcombe(a: Array, interval_a: Interval, b: Array, interval_b: Interval) -> Interval:
    """Difference a - b of independent values from their own intervals.

    Newcombe, "Interval estimation for the difference between independent proportions",
    Statistics in Medicine 17, 1998, method 10; with other intervals than Wilson's it is the
    method of variance estimates recovery (Zou & Donner 2008).

    Examples
    --------
    56 of 70 against 48 of 80:

    >>> a, b = np.array(56 / 70), np.array(48 / 80)
    >>> low, high = newcombe(a, wilson(56, 70, 1.96), b, wilson(48, 80, 1.96))
    >>> round(float(low), 4), round(float(high), 4)
    (0.0524, 0.3339)
    """
    (low_a, high_a), (low_b, high_b) = interval_a, interval_b
    difference = a - b
    low = difference - np.hypot(a - low_a, high_b - b)
    high = difference + np.hypot(high_a - a, b - low_b)
    return low, high


def welch_df(variance_a: Array, df_a: Array, variance_b: Array, df_b: Array) -> Array:
    """Degrees of freedom of a difference (Satterthwaite 1946; Welch, Biometrika 34, 1947).

    >>> float(welch_df(np.array(1.0), np.array(4.0), np.array(1.0), np.array(4.0)))
    8.0
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = variance_a**2 / df_a + variance_b**2 / df_b
        return np.asarray((variance_a + variance_b) ** 2 / parts)
