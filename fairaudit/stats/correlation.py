"""Correlation of two numbers over few units, with an interval and a permutation p-value."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from fairaudit.arrays import Array
from fairaudit.stats.intervals import t_quantiles
from fairaudit.stats.resampling import chunks, seeded

#: Coefficients that differ by less are equal: sums differ by the order of additions.
_EQUAL = 1e-12
#: Resamples of few units may lie on a line; their z is cut here, not infinite.
_STRAIGHT = 0.999


@dataclass(frozen=True)
class Correlation:
    """How two numbers go together over n units.

    Attributes
    ----------
    value : float
        The coefficient; nan for fewer than three units, where one number does not vary, or where
        one is not finite.
    low, high : float
        Its interval; nan where there is none.
    p_value : float
        Two-sided: of all ways to pair the numbers anew, the share with as large a coefficient.
    n : int
        Units.
    sums : mapping of str to float
        Sums of values (or of ranks), squares and products.
    """

    value: float
    low: float
    high: float
    p_value: float
    n: int
    sums: Mapping[str, float]


def ranks(values: Array) -> Array:
    """Ranks from 1 on along the last axis; ties have their mean rank.

    >>> ranks(np.array([30.0, 10.0, 30.0])).tolist()
    [2.5, 1.0, 2.5]
    """
    less = (values[..., :, None] > values[..., None, :]).sum(axis=-1)
    equal = (values[..., :, None] == values[..., None, :]).sum(axis=-1)
    return less + (equal + 1) / 2


def coefficients(first: Array, second: Array) -> Array:
    """Pearson's r along the last axis; nan where one side does not vary.

    >>> float(coefficients(np.array([1.0, 2, 3]), np.array([1.0, 3, 2])).round(12))
    0.5
    """
    a = first - first.mean(axis=-1, keepdims=True)
    b = second - second.mean(axis=-1, keepdims=True)
    # Of equal numbers the mean may differ from them by rounding.
    varies = (np.ptp(first, axis=-1) > 0) & (np.ptp(second, axis=-1) > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        r = (a * b).sum(axis=-1) / np.sqrt((a**2).sum(axis=-1) * (b**2).sum(axis=-1))
    return np.where(varies, np.clip(r, -1, 1), np.nan)


def correlation(
    first: Array,
    second: Array,
    *,
    ranked: bool = False,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Correlation:
    """Correlate two numbers over units.

    Parameters
    ----------
    first, second : array, shape (n,)
    ranked : bool
        Spearman's coefficient, of the ranks, instead of Pearson's.
    confidence : float
        Level of the interval.
    resamples, seed : int
        Resamples of the interval, permutations of the p-value, and the seed of both.

    Returns
    -------
    Correlation

    Examples
    --------
    >>> found = correlation(np.array([1.0, 2, 3, 4]), np.array([1.0, 3, 2, 4]), ranked=True)
    >>> round(found.value, 6), round(found.p_value, 6)
    (0.8, 0.333333)
    """
    x, y = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        nothing, nan = np.zeros(0), math.nan
        return Correlation(nan, nan, nan, nan, len(x), _sums(nothing, nothing))
    own = (ranks(x), ranks(y)) if ranked else (x, y)
    value = float(coefficients(*own)) if len(x) >= 3 else math.nan
    name = "spearman" if ranked else "pearson"
    low, high = interval(x, y, ranked, confidence, resamples, seeded(seed, name, "interval"))
    p_value = permutation_p(*own, resamples, seeded(seed, name, "permutation"))
    return Correlation(value, low, high, p_value, len(x), _sums(*own))


def _sums(x: Array, y: Array) -> dict[str, float]:
    sums = {"n": len(x), "x": x.sum(), "y": y.sum()}
    sums |= {"xx": (x * x).sum(), "yy": (y * y).sum(), "xy": (x * y).sum()}
    return {name: float(value) for name, value in sums.items()}


def interval(
    x: Array,
    y: Array,
    ranked: bool,
    confidence: float,
    resamples: int,
    generator: np.random.Generator,
) -> tuple[float, float]:
    """Bootstrap interval of a coefficient, units resampled.

    Of ranks the percentiles. Of Pearson's r they are too narrow: there the bootstrap's standard
    error on the scale of Fisher's z, with Student's t of n - 2 degrees of freedom. Covered of
    95 %, over normal, log-normal and chi-squared numbers with correlations of 0, 0.5 and 0.9
    (1,000 draws each): Pearson 95.7 to 97.9 % of 10 units and 92.0 to 94.9 % of 20, where
    percentiles cover 89 to 93 %; Spearman 94.0 to 98.1 % and 93.9 to 97.4 %.

    Returns
    -------
    low, high : float
        nan for fewer than four units, or where there is no spread.
    """
    if len(x) < 4:
        return math.nan, math.nan
    drawn = []
    for part in chunks(resamples, len(x) ** 2):
        at = generator.integers(len(x), size=(part.stop - part.start, len(x)))
        a, b = (ranks(x[at]), ranks(y[at])) if ranked else (x[at], y[at])
        drawn.append(coefficients(a, b))
    found = np.concatenate(drawn)
    found = found[np.isfinite(found)]
    value = coefficients(ranks(x), ranks(y)) if ranked else coefficients(x, y)
    # All on one line: every resample says the same, whatever the truth.
    if not len(found) or np.isnan(value) or abs(float(value)) > 1 - _EQUAL:
        return math.nan, math.nan
    tail = (1 - confidence) / 2
    if ranked:
        low, high = np.quantile(found, [tail, 1 - tail])
        return float(low), float(high)
    spread = np.arctanh(np.clip(found, -_STRAIGHT, _STRAIGHT)).std()
    half = float(t_quantiles(confidence, np.array([len(x) - 2.0]))[0] * spread)
    return math.tanh(math.atanh(value) - half), math.tanh(math.atanh(value) + half)


def permutation_p(x: Array, y: Array, resamples: int, generator: np.random.Generator) -> float:
    """Two-sided p-value of a coefficient.

    Exact where there are no more than `resamples` orders, or 40,320 (eight units); otherwise of a
    sample, in which the order that was seen counts as one (Phipson & Smyth, "Permutation p-values
    should never be zero", 2010).
    """
    if len(x) < 3 or np.isnan(coefficients(x, y)):
        return math.nan
    seen = abs(float(coefficients(x, y))) - _EQUAL
    exact = len(x) <= 8 or math.factorial(len(x)) <= resamples
    reached = total = 0
    for orders in _orders(len(x), exact, resamples, generator):
        reached += int((np.abs(coefficients(x[None], y[orders])) >= seen).sum())
        total += len(orders)
    return reached / total if exact else (reached + 1) / (total + 1)


def _orders(n: int, exact: bool, resamples: int, generator: np.random.Generator) -> Iterator[Array]:
    """All orders of n units, or a sample of them, each of shape (some, n)."""
    if exact:
        yield np.array(list(permutations(range(n))))
        return
    for part in chunks(resamples, n):
        several = np.tile(np.arange(n), (part.stop - part.start, 1))
        yield generator.permuted(several, axis=1)
