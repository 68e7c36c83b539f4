"""Quantiles and tails of the normal, Student's t and Poisson distributions.

SciPy would add 140 MB to the core install and a third of a second to every start for these few
lines. The tests hold them against SciPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np

from fairaudit.arrays import Array

_TINY = 1e-300
_EPSILON = 1e-15
_MAX_STEPS = 10_000
#: Degrees of freedom above which the expansion of t's quantiles is exact to nine digits.
_EXPANDED = 1e4
_lgamma = np.vectorize(math.lgamma, otypes=[float])


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


def _lentz(numerator: Callable[[int], Array], denominator: Callable[[int], Array]) -> Array:
    """Evaluate n1 / (d1 + n2 / (d2 + ...)) by the modified Lentz method, elementwise."""
    value = c = np.asarray(_TINY)
    d = np.asarray(0.0)
    for i in range(1, _MAX_STEPS):
        over, under = numerator(i), denominator(i)
        d = 1.0 / _nonzero(under + over * d)
        c = _nonzero(under + over / c)
        value = value * (c * d)
        if np.all(np.abs(c * d - 1.0) < _EPSILON):
            break
    return value


def _nonzero(value: Array) -> Array:
    return np.where(value == 0, _TINY, value)


def regularised_beta(x: Array, a: Array, b: Array) -> Array:
    """Regularised incomplete beta function I_x(a, b), for a, b > 0, elementwise.

    Continued fraction 26.5.8 of Abramowitz & Stegun, on the side where it converges fast.

    >>> float(regularised_beta(np.array(0.5), np.array(2.0), np.array(2.0)).round(12))
    0.5
    """
    x, a, b = np.broadcast_arrays(x, a, b)
    swap = x > (a + 1) / (a + b + 2)
    y, p, q = np.where(swap, 1 - x, x), np.where(swap, b, a), np.where(swap, a, b)

    def numerator(i: int) -> Array:
        if i == 1:
            return np.ones_like(p)
        m = (i - 1) // 2
        if i % 2:
            return m * (q - m) * y / ((p + 2 * m - 1) * (p + 2 * m))
        return -(p + m) * (p + q + m) * y / ((p + 2 * m) * (p + 2 * m + 1))

    log_beta = _lgamma(p) + _lgamma(q) - _lgamma(p + q)
    with np.errstate(divide="ignore"):
        front = np.exp(p * np.log(y) + q * np.log1p(-y) - log_beta) / p
    tail = front * _lentz(numerator, lambda i: np.ones_like(p))
    return np.where(swap, 1 - tail, tail)


def regularised_gamma(a: Array, x: Array) -> Array:
    """Upper regularised incomplete gamma function Q(a, x), for a > 0 and x >= 0, elementwise.

    Series 6.5.29 or continued fraction 6.5.31 of Abramowitz & Stegun, whichever converges fast.

    >>> bool(np.isclose(regularised_gamma(np.array(1.0), np.array(2.0)), math.exp(-2)))
    True
    """
    a, x = np.broadcast_arrays(np.asarray(a, dtype=float), np.asarray(x, dtype=float))
    with np.errstate(divide="ignore"):
        front = np.exp(a * np.log(x) - x - _lgamma(a))
    far = x >= a + 1
    z = np.where(far, x, a + 1)
    fraction = _lentz(
        lambda i: np.ones_like(a) if i == 1 else (i - 1) * (a - i + 1),
        lambda i: z - a + 2 * i - 1,
    )
    return np.where(far, front * fraction, 1 - front * _series(a, np.where(far, 0.0, x)))


def _series(a: Array, x: Array) -> Array:
    """Sum over k of x^k / (a (a + 1) ... (a + k))."""
    term = total = 1 / a
    for step in range(1, _MAX_STEPS):
        term = term * x / (a + step)
        total = total + term
        if np.all(term <= total * _EPSILON):
            break
    return total


def t_two_sided(t: Array, df: Array) -> Array:
    """P(abs(T) >= abs(t)) for Student's t with `df` degrees of freedom, elementwise.

    >>> float(t_two_sided(np.array(2.228), np.array(10.0)).round(3))
    0.05
    """
    return regularised_beta(df / (df + t * t), df / 2, np.full_like(df, 0.5))


def t_quantiles(p: float, df: Array) -> Array:
    """Quantiles of Student's t for p > 0.5, one for each df > 0 (inf is the normal).

    Fisher & Cornish's expansion (Technometrics 2, 1960), then Newton's method on the logarithm
    of the tail against the logarithm of t, which is concave: from the second step on it comes
    down to the root from above.

    >>> t_quantiles(0.975, np.array([10.0, np.inf])).round(3).tolist()
    [2.228, 1.96]
    """
    df = np.asarray(df, dtype=float)
    z = normal_quantile(p)
    t = z + (z**3 + z) / (4 * df) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df**2)
    few = df <= _EXPANDED
    n, index = np.unique(df[few], return_inverse=True)
    t[few] = _refined_t(p, n, t[few][np.unique(index, return_index=True)[1]])[index]
    return t


def _refined_t(p: float, n: Array, t: Array) -> Array:
    """Newton's method for t's quantiles with n degrees of freedom, from nearby."""
    log_density = _lgamma((n + 1) / 2) - _lgamma(n / 2) - np.log(n * np.pi) / 2
    for _ in range(100) if len(n) else ():
        tail = t_two_sided(t, n)
        density = np.exp(log_density - (n + 1) / 2 * np.log1p(t * t / n))
        step = np.log(tail / (2 * (1 - p))) * tail / (2 * density * t)
        t = t * np.exp(step)
        if np.all(np.abs(step) < 1e-7):  # the error is now that squared
            break
    return t


def _gamma_quantiles(a: Array, tail: float) -> Array:
    """Where Q(a, x) = `tail`, elementwise.

    Wilson & Hilferty's cube (PNAS 17, 1931), then Newton's method on x within the limits that
    hold the root so far; a step that leaves them is halved instead.
    """
    root = 1 - 1 / (9 * a) + normal_quantile(1 - tail) / (3 * np.sqrt(a))
    # Where the cube fails, for small a, Q(a, x) is nearly 1 - x^a / gamma(a + 1).
    small = np.exp((np.log1p(-tail) + _lgamma(a + 1)) / a)
    low, high = np.zeros_like(a), np.full_like(a, np.inf)
    x = np.where(root > 0.3, a * root**3, small)
    for _ in range(200):
        above = regularised_gamma(a, x) - tail
        low, high = np.where(above > 0, x, low), np.where(above > 0, high, x)
        with np.errstate(over="ignore", divide="ignore"):
            slope = np.exp((a - 1) * np.log(x) - x - _lgamma(a))
            new = x + np.where(slope > 0, above / slope, np.inf)
        inside = (new > low) & (new < high)
        new = np.where(inside, new, np.where(np.isinf(high), 2 * x, (low + high) / 2))
        done = np.all(np.abs(new - x) <= 1e-13 * x)
        x = new
        if done:
            break
    return x


def poisson_limits(count: Array, tail: float) -> tuple[Array, Array]:
    """Exact limits of Poisson means, `tail` probability outside on either side, elementwise.

    Garwood, "Fiducial limits for the Poisson distribution", Biometrika 28, 1936. Counts may be
    fractional (effective counts).

    >>> low, high = poisson_limits(np.array([0.0, 10.0]), 0.025)
    >>> low.round(2).tolist(), high.round(2).tolist()
    ([0.0, 4.8], [3.69, 18.39])
    """
    count = np.asarray(count, dtype=float)
    seen = np.maximum(count, 1e-9)
    lower, upper = _gamma_quantiles(seen, 1 - tail), _gamma_quantiles(count + 1, tail)
    return np.where(count > 0, lower, 0.0), upper
