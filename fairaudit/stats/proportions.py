"""Two independent proportions set side by side: score intervals, and tests that agree with them.

All functions take `x` of `n` and `y` of `m`, work elementwise on arrays, and give nan where a
number is not finite, `n` or `m` is 0, or a count lies outside 0 and its total.

The score intervals hold each value that the score test does not reject. The test compares the
difference with its variance at the two proportions that are most likely under that value, which
elsewhere takes a cubic equation inside a search. Here both are one: with Lagrange's multiplier of
the constraint as the unknown, those proportions are given in closed form, and so is the test
statistic, which is a convex increasing function of the multiplier. Newton's method from above then
comes down to the limit in a few steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from fairaudit.arrays import Array
from fairaudit.stats.distributions import normal_two_sided
from fairaudit.stats.intervals import Interval

_MAX_STEPS = 50
#: Relative tolerance within which two tables count as equally likely, as in R's fisher.test.
_EQUALLY_LIKELY = 1 + 1e-7


def miettinen_nurminen(x: Array, n: Array, y: Array, m: Array, z: Array | float) -> Interval:
    """Score interval of the difference x/n - y/m.

    Miettinen & Nurminen, "Comparative analysis of two rates", Statistics in Medicine 4, 1985,
    with their factor N / (N - 1) on the variance, N = n + m.

    Parameters
    ----------
    x, n, y, m : array
        Counts and their totals, in shapes that broadcast.
    z : array or float
        Two-sided normal quantile of the level, above 0.

    Returns
    -------
    low, high : array
        They lie in [-1, 1], enclose the difference, and exclude 0 just where `score_p_value`
        is below the level.

    Notes
    -----
    Let l be the multiplier and p, q the most likely proportions, given their difference D < x/n -
    y/m. Setting the derivatives to 0 gives x - n p = l p (1 - p) and y - m q = -l q (1 - q).
    Divided by n and m and subtracted: x/n - y/m - D = l V, with V the variance at p and q. So
    the limit is where l^2 V = z^2 N / (N - 1).

    Examples
    --------
    None of 10 against none of 10. At the lower limit p is 0, so D^2 = k q (1 - q) / 10 with
    q = -D and k = 1.96^2 * 20 / 19 = 4.044; hence D = -k / (10 + k) = -4.044 / 14.044.

    >>> low, high = miettinen_nurminen(*np.array([0.0, 10.0, 0.0, 10.0]), 1.96)
    >>> round(float(low), 4), round(float(high), 4)
    (-0.2879, 0.2879)
    """
    x, n, y, m, k, defined = _tables(x, n, y, m, z)
    difference = x / n - y / m
    low = np.maximum(difference - _distance(x, n, m - y, m, k), -1.0)
    high = np.minimum(difference + _distance(n - x, n, y, m, k), 1.0)
    return np.where(defined, low, np.nan), np.where(defined, high, np.nan)


def koopman(x: Array, n: Array, y: Array, m: Array, z: Array | float) -> Interval:
    """Score interval of the ratio (x/n) / (y/m).

    Koopman, "Confidence limits for the ratio of two binomial proportions", Biometrics 40, 1984,
    with the factor N / (N - 1) on the variance (Miettinen & Nurminen 1985). At a ratio of 1 the
    test is that of a difference of 0, so this interval excludes 1 just where
    `miettinen_nurminen` excludes 0.

    Parameters
    ----------
    x, n, y, m : array
        Counts and their totals, in shapes that broadcast.
    z : array or float
        Two-sided normal quantile of the level, above 0.

    Returns
    -------
    low, high : array
        They enclose the ratio. The lower limit is 0 where `x` is 0, the upper one infinite
        where `y` is 0; nan where both are.

    Notes
    -----
    Let s be the multiplier times p, and p, q the most likely proportions, given their ratio.
    Setting the derivatives to 0 gives p = (x - s) / (n - s) and q = (y + s) / (m + s), and the
    limit is where s^2 [(1 - p) / (n p) + (1 - q) / (m q)] = z^2 N / (N - 1).

    Examples
    --------
    All of 10 against all of 10. At the lower limit q is 1 and p the ratio R, so
    (1 - R)^2 = k R (1 - R) / 10 with k = 4.044; hence R = 10 / (10 + k).

    >>> low, high = koopman(*np.array([10.0, 10.0, 10.0, 10.0]), 1.96)
    >>> round(float(low), 4), round(float(high), 4)
    (0.7121, 1.4044)
    """
    x, n, y, m, k, defined = _tables(x, n, y, m, z)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (x / n) / (y / m)  # nan where both are 0, and so are its limits
        low = np.minimum(_smallest_ratio(x, n, y, m, k), ratio)
        high = np.maximum(1 / _smallest_ratio(y, m, x, n, k), ratio)
    return np.where(defined, low, np.nan), np.where(defined, high, np.nan)


def score_p_value(x: Array, n: Array, y: Array, m: Array) -> Array:
    """Two-sided p-values of equal proportions, by the test that both score intervals invert.

    The pooled z test with (N - 1) / N on the squared statistic (the "N - 1" chi-squared test;
    Campbell, Statistics in Medicine 26, 2007): below 0.05 just where the 95 % intervals exclude
    equality. It is 1 where there are no successes at all, or no failures.

    Examples
    --------
    9 of 10 against 3 of 10: z^2 = 0.6^2 / (0.6 * 0.4 * 0.2) * 19 / 20 = 7.125.

    >>> float(score_p_value(*np.array([9.0, 10.0, 3.0, 10.0])).round(4))
    0.0076
    """
    x, n, y, m, factor, defined = _tables(x, n, y, m, 1.0)
    pooled = (x + y) / (n + m)
    variance = pooled * (1 - pooled) * (1 / n + 1 / m) * factor
    distinct = variance > 0
    z = np.where(distinct, x / n - y / m, 0.0) / np.sqrt(np.where(distinct, variance, 1.0))
    return np.where(defined, np.vectorize(normal_two_sided, otypes=[float])(z), np.nan)


def fisher_exact(x: Array, n: Array, y: Array, m: Array) -> Array:
    """Two-sided p-values of Fisher's exact test, for whole counts (nan for others).

    The probability, given the margins, of all tables no more likely than the one observed
    (Fisher, Statistical Methods for Research Workers, section 21.02; Freeman & Halton, Biometrika
    38, 1951); tables within a factor of 1 + 1e-7 are equally likely, as in R. P-values below
    1e-300 may come out as 0.

    Examples
    --------
    The lady tasting tea, 3 of 4 against 1 of 4. The tables have weights 1, 16, 36, 16 and 1 of
    70; all but the middle one are no more likely: 34 / 70.

    >>> float(fisher_exact(*np.array([3.0, 4.0, 1.0, 4.0])).round(4))
    0.4857
    """
    x, n, y, m, _, defined = _tables(x, n, y, m, 1.0)
    for count in (x, n, y, m):
        defined = defined & (count == np.floor(count))
    x, n, y, m = (np.where(defined, count, 1.0) for count in (x, n, y, m))
    return np.where(defined, np.vectorize(_exact_p_value, otypes=[float])(x, n, y, m), np.nan)


def one_person_reverses(x: Array, n: Array, y: Array, m: Array) -> Array:
    """Whether one selection moved to the group with the lower rate would undo its disadvantage.

    The "flip-flop" check of adverse-impact analysis. Question 21 of the Questions and Answers on
    the Uniform Guidelines (44 Fed. Reg. 11996, 1979) advises against enforcement where numbers
    are so small that selecting "one different person for one job" would give the group with the
    lower selection rate the higher one.

    Exactly: where x/n < y/m, whether (x + 1)/n > (y - 1)/m; where x/n > y/m, whether
    (x - 1)/n < (y + 1)/m: as in Question 21, the rate must become higher, not equal. False where
    the rates are equal from the start (nobody is at a disadvantage) or undefined.

    Returns
    -------
    array of bool

    Examples
    --------
    3 of 20 against 16 of 80, 15 % against 20 %. One selection moved makes it 4 of 20 against 15
    of 80, 20 % against 18.75 %.

    >>> bool(one_person_reverses(*np.array([3.0, 20.0, 16.0, 80.0])))
    True
    """
    x, n, y, m, _, defined = _tables(x, n, y, m, 1.0)
    # Multiplied out, as fractions that are equal need not be so in floating point.
    first_lower = (x * m < y * n) & ((x + 1) * m > (y - 1) * n)
    second_lower = (x * m > y * n) & ((x - 1) * m < (y + 1) * n)
    return np.asarray(defined & (first_lower | second_lower))


def _tables(
    x: Array, n: Array, y: Array, m: Array, z: Array | float
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Counts in one shape, z^2 N / (N - 1), and where all is defined (elsewhere dummies)."""
    given = np.broadcast_arrays(*(np.asarray(value, dtype=float) for value in (x, n, y, m, z)))
    x, n, y, m, z = given
    defined = np.all([np.isfinite(value) for value in given], axis=0) & (z > 0)
    defined = defined & (x >= 0) & (x <= n) & (n > 0) & (y >= 0) & (y <= m) & (m > 0)
    # One person or less in all leaves no N - 1.
    defined = defined & (n + m > 1)
    x, n, y, m, z = (
        np.where(defined, value, harmless)
        for value, harmless in zip(given, (1.0, 2.0, 1.0, 2.0, 1.0), strict=True)
    )
    return x, n, y, m, z**2 * (n + m) / (n + m - 1), defined


def _newton(function: Callable[[Array], tuple[Array, Array]], start: Array) -> Array:
    """Root of a convex increasing function (value and slope) from points above it, elementwise."""
    at = start
    for _ in range(_MAX_STEPS):
        value, slope = function(at)
        step = np.where(slope > 0, value / np.where(slope > 0, slope, 1.0), 0.0)
        at = at - step
        if np.all(np.abs(step) <= 1e-13 * at):
            break
    return at


def _distance(a: Array, n: Array, b: Array, m: Array, k: Array) -> Array:
    """How far the limit lies from the difference, where a/n and b/m both fall towards it.

    For the lower limit these are the first group's successes and the second one's failures, for
    the upper limit the others. Where both are 0 the difference is at its bound: 0.
    """
    # With the other group's share of the variance left out the multiplier is too large.
    start = np.minimum(_multiplier(a, n, k), _multiplier(b, m, k))
    at_bound = np.isinf(start)

    def excess(at: Array) -> tuple[Array, Array]:
        p, slope_p = _variance(a, n, at)
        q, slope_q = _variance(b, m, at)
        return at**2 * (p / n + q / m) - k, at * (p / n + q / m + slope_p + slope_q)

    return np.where(at_bound, 0.0, k / _newton(excess, np.where(at_bound, 1.0, start)))


def _multiplier(a: Array, n: Array, k: Array) -> Array:
    """Multiplier at which l^2 p (1 - p) / n alone is `k`; infinite where `a` is 0."""
    p = a / n
    root = np.sqrt(k**2 + 4 * p * (1 - p) * k * n) + k * (2 * p - 1)
    usable = (a > 0) & (root > 0)
    return np.where(usable, 2 * k * (k + n) / np.where(usable, root, 1.0), np.inf)


def _variance(a: Array, n: Array, at: Array) -> tuple[Array, Array]:
    """Solve a - n p = l p (1 - p) for p, and give p (1 - p) and p (1 - p) / (n + l - 2 l p).

    The second is the speed at which p falls with the multiplier l.
    """
    root = np.sqrt((n - at) ** 2 + 4 * at * (n - a))
    p = 2 * a / (n + at + root)
    # Where p is near 1, 1 - p would lose its digits.
    near = n - at + root
    inside = (at < n) & (near > 0)
    q = np.where(inside, 2 * (n - a) / np.where(inside, near, 1.0), (at - n + root) / (2 * at))
    return p * q, np.where(root > 0, p * q / np.where(root > 0, root, 1.0), 0.0)


def _smallest_ratio(x: Array, n: Array, y: Array, m: Array, k: Array) -> Array:
    """Lower limit of the ratio of x/n to y/m; 0 where `x` is 0."""
    successes = np.where(x > 0, x, n / 2)
    a, b = (n - successes) / n, (m - y) / m
    # As in `_distance`, each group's share alone gives an s that is too large.
    own = 2 * k * successes / (k + np.sqrt(k**2 + 4 * a * successes * k))
    other = (k + np.sqrt(k**2 + 4 * b * y * k)) / (2 * b)
    start = np.minimum(np.where(a > 0, own, successes), other)
    full = a == 0

    def excess(s: Array) -> tuple[Array, Array]:
        left, right = np.where(full, 1.0, successes - s), y + s
        value, bend = a / left + b / right, a / left**2 - b / right**2
        return s**2 * value - k, 2 * s * value + s**2 * bend

    # Without failures the first share is 0 up to s = n, where p leaves 1: no root to search for.
    s = np.where(full, start, _newton(excess, start))
    rest = np.maximum(n * (k / s**2 - b / (y + s)), 0.0)
    odds = np.where(full, rest, n * a / np.where(full, 1.0, successes - s))
    return np.where(x > 0, (m + s) / (y + s) / (1 + odds), 0.0)


def _exact_p_value(x: float, n: float, y: float, m: float) -> float:
    """Fisher's two-sided p-value of one table, from probabilities relative to the mode's."""
    total = x + y
    mode = math.floor((n + 1) * (total + 1) / (n + m + 2))
    # By Bernstein's inequality (it holds for the hypergeometric: Hoeffding, JASA 58, 1963) there
    # is less than e^-745 beyond, which is 0 in floating point.
    share = total / (n + m)
    reach = math.ceil(39 * math.sqrt(min(n, m) * share * (1 - share))) + 500
    first, last = max(0, total - m, mode - reach), min(n, total, mode + reach)
    if not first <= x <= last:
        return 0.0
    up, down = np.arange(mode, last), np.arange(mode, first, -1.0)
    above = np.cumprod((n - up) / (up + 1) * (total - up) / (m - total + up + 1))
    below = np.cumprod(down / (n - down + 1) * (m - total + down) / (total - down + 1))
    weights = np.concatenate([below[::-1], [1.0], above])
    observed = weights[int(x - first)]
    return float(weights[weights <= observed * _EQUALLY_LIKELY].sum() / weights.sum())
