"""Quantiles and tails of the normal, Student's t and Poisson distributions.

Scalar functions on the standard library: SciPy would add 140 MB to the core install and a
third of a second to every start for these few lines. The tests hold them against SciPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist

_TINY = 1e-300
_EPSILON = 1e-16
_MAX_STEPS = 10_000


def normal_quantile(p: float) -> float:
    """Quantile of the standard normal.

    >>> round(normal_quantile(0.975), 4)
    1.96
    """
    return NormalDist().inv_cdf(p)


def normal_two_sided(z: float) -> float:
    """P(abs(Z) >= abs(z)) for a standard normal Z.

    >>> round(normal_two_sided(1.96), 3)
    0.05
    """
    return math.erfc(abs(z) / math.sqrt(2))


def _lentz(numerator: Callable[[int], float], denominator: Callable[[int], float]) -> float:
    """Evaluate n1 / (d1 + n2 / (d2 + ...)) by the modified Lentz method."""
    value, c, d = _TINY, _TINY, 0.0
    for i in range(1, _MAX_STEPS):
        d = 1.0 / (denominator(i) + numerator(i) * d or _TINY)
        c = denominator(i) + numerator(i) / c or _TINY
        value *= c * d
        if abs(c * d - 1.0) < _EPSILON:
            break
    return value


def regularised_beta(x: float, a: float, b: float) -> float:
    """Regularised incomplete beta function I_x(a, b), for a, b > 0.

    Continued fraction 26.5.8 of Abramowitz & Stegun, on the side where it converges fast.

    >>> round(regularised_beta(0.5, 2, 2), 12)
    0.5
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1.0 - regularised_beta(1 - x, b, a)

    def numerator(i: int) -> float:
        if i == 1:
            return 1.0
        m = (i - 1) // 2
        if i % 2:
            return m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        return -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))

    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - log_beta) / a
    return front * _lentz(numerator, lambda i: 1.0)


def regularised_gamma(a: float, x: float) -> float:
    """Upper regularised incomplete gamma function Q(a, x), for a > 0 and x >= 0.

    Series 6.5.29 or continued fraction 6.5.31 of Abramowitz & Stegun, whichever converges fast.

    >>> round(regularised_gamma(1, 2), 6) == round(math.exp(-2), 6)
    True
    """
    if x <= 0:
        return 1.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x >= a + 1:
        return front * _lentz(
            lambda i: 1.0 if i == 1 else (i - 1) * (a - i + 1), lambda i: x - a + 2 * i - 1
        )
    term = total = 1.0 / a
    step = 0
    while term > total * _EPSILON:
        step += 1
        term *= x / (a + step)
        total += term
    return 1.0 - front * total


def t_two_sided(t: float, df: float) -> float:
    """P(abs(T) >= abs(t)) for Student's t with `df` degrees of freedom.

    >>> round(t_two_sided(2.228, 10), 3)
    0.05
    """
    if math.isinf(df):
        return normal_two_sided(t)
    return regularised_beta(df / (df + t * t), df / 2, 0.5)


@lru_cache(maxsize=65536)
def t_quantile(p: float, df: float) -> float:
    """Quantile of Student's t for p > 0.5, df > 0.

    Newton's method on the logarithm of the tail against the logarithm of t, which is concave:
    after one step it comes down to the root from above.

    >>> round(t_quantile(0.975, 10), 3)
    2.228
    """
    t = normal_quantile(p)
    if df > 1e6:
        return t
    log_density = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - math.log(df * math.pi) / 2
    for _ in range(100):
        tail = t_two_sided(t, df)
        density = math.exp(log_density - (df + 1) / 2 * math.log1p(t * t / df))
        step = math.log(tail / (2 * (1 - p))) * tail / (2 * density * t)
        t *= math.exp(step)
        if abs(step) < 1e-14:
            break
    return t


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Bisect a decreasing function's root, after doubling `high` until it is enclosed."""
    while function(high) > 0:
        low, high = high, 2 * high
    while high - low > 1e-14 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) > 0 else (low, middle)
    return (low + high) / 2


@lru_cache(maxsize=4096)
def poisson_limits(count: float, tail: float) -> tuple[float, float]:
    """Exact limits of a Poisson mean, `tail` probability outside on either side.

    Garwood, "Fiducial limits for the Poisson distribution", Biometrika 28, 1936. `count` may
    be fractional (an effective count).

    >>> [round(limit, 2) for limit in poisson_limits(0, 0.025)]
    [0.0, 3.69]
    >>> [round(limit, 2) for limit in poisson_limits(10, 0.025)]
    [4.8, 18.39]
    """
    upper = _root(lambda m: regularised_gamma(count + 1, m) - tail, 0.0, count + 4.0)
    if count <= 0:
        return 0.0, upper
    lower = _root(lambda m: regularised_gamma(count, m) - (1 - tail), 0.0, count)
    return lower, upper
