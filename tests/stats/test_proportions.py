"""Score intervals and tests of two proportions.

The oracle inverts the score test as its definition reads: at each value tried the constrained
likelihood is maximised by bisection, and the limits are bisected in turn.
"""

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from scipy import stats

from fairaudit.stats import proportions
from fairaudit.stats.intervals import t_quantiles

Z = 1.959963984540054


def columns(rows):
    return [np.array(column, dtype=float) for column in zip(*rows, strict=True)]


def small_tables(largest=8):
    sizes = range(1, largest + 1)
    rows = [
        (x, n, y, m)
        for n, m in product(sizes, sizes)
        for x, y in product(range(n + 1), range(m + 1))
    ]
    return columns(rows)


def random_tables(size, largest, seed):
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, largest, (2, size))
    x, y = rng.binomial(n, rng.random(size) ** 2), rng.binomial(m, rng.random(size) ** 2)
    return [v.astype(float) for v in (x, n, y, m)]


SMALL = small_tables()


def bisect(positive, low, high, steps=60):
    """Where a decreasing function changes its sign."""
    low, high = low + np.zeros_like(high), high + np.zeros_like(low)
    for _ in range(steps):
        middle = (low + high) / 2
        above = positive(middle)
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return (low + high) / 2


def share(count, p):
    """A term of the likelihood's derivative; without such cases it is absent."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(count > 0, count / p, 0.0)


def statistic(difference, variance):
    """Standard errors away; 0 where the value tried is just what was seen, without variance."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(difference == 0, 0.0, difference / np.sqrt(variance))


def score_of_difference(x, n, y, m, value):
    def derivative(q):
        p = q + value
        return share(x, p) - share(n - x, 1 - p) + share(y, q) - share(m - y, 1 - q)

    q = bisect(lambda q: derivative(q) > 0, np.maximum(0, -value), np.minimum(1, 1 - value))
    p = q + value
    variance = (p * (1 - p) / n + q * (1 - q) / m) * (n + m) / (n + m - 1)
    return statistic(x / n - y / m - value, variance)


def score_of_ratio(x, n, y, m, value):
    def derivative(q):
        down = share(n - x, 1 - value * q) * value
        return share(x, q) - down + share(y, q) - share(m - y, 1 - q)

    q = bisect(lambda q: derivative(q) > 0, np.zeros_like(value), np.minimum(1, 1 / value))
    p = q * value
    variance = (p * (1 - p) / n + value**2 * q * (1 - q) / m) * (n + m) / (n + m - 1)
    return statistic(x / n - value * y / m, variance)


def inverted(score, table, z, low, high, scale=lambda v: v):
    """Values between `low` and `high` whose score is within z of 0."""
    ends = np.full_like(table[0], low), np.full_like(table[0], high)
    return [
        scale(bisect(lambda v, c=c: score(*table, scale(v)) > c, *ends, steps=50)) for c in (z, -z)
    ]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ((56, 70, 48, 80), (0.0528, 0.3382)),
        ((9, 10, 3, 10), (0.1700, 0.8406)),
        ((6, 7, 2, 7), (0.0342, 0.8534)),
        ((5, 56, 0, 29), (-0.0326, 0.1933)),
        ((0, 10, 0, 20), (-0.1658, 0.2844)),
        ((0, 10, 0, 10), (-0.2879, 0.2879)),
        ((10, 10, 0, 20), (0.7156, 1.0)),
        # Ritland et al. 2007, as the R package contingencytables has it.
        ((0, 16, 15, 72), (-0.3164, -0.0056)),
    ],
)
def test_difference_against_published(table, expected):
    # Newcombe, Statistics in Medicine 17, 1998, table II, method 6.
    low, high = proportions.miettinen_nurminen(*map(np.array, table), Z)
    assert (round(float(low), 4), round(float(high), 4)) == expected


@pytest.mark.parametrize(
    ("table", "factor", "expected"),
    [
        # Koopman 1984 has no N / (N - 1).
        ((36, 40, 16, 80), 119 / 120, (2.94, 7.15)),
        # Perondi et al. 2004, as contingencytables has it: Koopman, then Miettinen & Nurminen.
        ((7, 34, 1, 34), 67 / 68, (1.2209, 42.5757)),
        ((7, 34, 1, 34), 1, (1.2086, 43.0330)),
    ],
)
def test_ratio_against_published(table, factor, expected):
    found = proportions.koopman(*map(np.array, table), Z * math.sqrt(factor))
    places = 2 if factor == 119 / 120 else 4
    assert tuple(round(float(limit), places) for limit in found) == expected


@pytest.mark.parametrize("z", [0.5, Z, 4.5])
def test_difference_of_every_small_table_against_inversion(z):
    found = proportions.miettinen_nurminen(*SMALL, z)
    expected = inverted(score_of_difference, SMALL, z, -1.0, 1.0)
    np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize("z", [0.5, Z, 4.5])
def test_ratio_of_every_small_table_against_inversion(z):
    some = SMALL[0] + SMALL[2] > 0
    table = [v[some] for v in SMALL]
    low, high = proportions.koopman(*table, z)
    oracle_low, oracle_high = inverted(score_of_ratio, table, z, -12.0, 12.0, scale=np.exp)
    positive = table[0] > 0
    np.testing.assert_allclose(low[positive], oracle_low[positive], rtol=1e-9)
    assert (low[~positive] == 0).all()
    bounded = table[2] > 0
    np.testing.assert_allclose(high[bounded], oracle_high[bounded], rtol=1e-9)
    assert np.isposinf(high[~bounded]).all()


@pytest.mark.parametrize("largest", [60, 3000])
def test_larger_tables_against_inversion(largest):
    table = random_tables(400, largest, seed=largest)
    found = proportions.miettinen_nurminen(*table, Z)
    np.testing.assert_allclose(
        found, inverted(score_of_difference, table, Z, -1.0, 1.0), atol=1e-10
    )
    table = [v[(table[0] > 0) & (table[2] > 0)] for v in table]
    found = proportions.koopman(*table, Z)
    expected = inverted(score_of_ratio, table, Z, -12.0, 12.0, scale=np.exp)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_limits_at_the_edges_in_closed_form():
    k = 1.5**2 * 20 / 19
    difference = proportions.miettinen_nurminen(
        *columns([(0, 10, 0, 10), (10, 10, 10, 10), (0, 10, 10, 10), (10, 10, 0, 10)]), 1.5
    )
    lone, opposed = k / (10 + k), 1 - 2 * k / (20 + k)
    expected = [-lone, -lone, -1, opposed], [lone, lone, -opposed, 1]
    np.testing.assert_allclose(difference, expected, atol=1e-14)
    assert difference[0][2] == -1
    assert difference[1][3] == 1
    ratio = proportions.koopman(*columns([(10, 10, 10, 10), (0, 10, 10, 10)]), 1.5)
    np.testing.assert_allclose(ratio[0], [10 / (10 + k), 0], atol=1e-14)
    np.testing.assert_allclose(ratio[1][0], (10 + k) / 10, atol=1e-14)


@pytest.mark.parametrize("z", [0.1, Z, 4.4, 12.3])
@pytest.mark.parametrize(
    "table", [SMALL, random_tables(20_000, 300, 1), random_tables(20_000, 10_000_000, 2)]
)
def test_intervals_hold_the_value_and_agree_with_the_test(table, z):
    x, n, y, m = table
    low, high = proportions.miettinen_nurminen(*table, z)
    difference = x / n - y / m
    assert ((low >= -1) & (low <= difference) & (difference <= high) & (high <= 1)).all()
    rejected = proportions.score_p_value(*table) < 2 * stats.norm.sf(z)
    np.testing.assert_array_equal((low > 0) | (high < 0), rejected)

    low, high = proportions.koopman(*table, z)
    undefined = (x == 0) & (y == 0)
    np.testing.assert_array_equal(np.isnan(low) & np.isnan(high), undefined)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (x / n) / (y / m)
    assert ((low >= 0) & (low <= ratio) & (ratio <= high) | undefined).all()
    # A ratio of nothing is undefined, and so excludes nothing; nor is anything rejected.
    np.testing.assert_array_equal((low > 1) | (high < 1), rejected)


@pytest.mark.parametrize("table", [SMALL, random_tables(2000, 10_000_000, 3)])
def test_exchanged_groups_and_outcomes_mirror_the_interval(table):
    x, n, y, m = table
    low, high = proportions.miettinen_nurminen(x, n, y, m, Z)
    for other in [(y, m, x, n), (n - x, n, m - y, m)]:
        other_low, other_high = proportions.miettinen_nurminen(*other, Z)
        np.testing.assert_allclose([-other_high, -other_low], [low, high], atol=1e-13)
    low, high = proportions.koopman(x, n, y, m, Z)
    other_low, other_high = proportions.koopman(y, m, x, n, Z)
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose([1 / other_high, 1 / other_low], [low, high], rtol=1e-13)


def test_score_p_value_is_the_n_minus_1_chi_squared():
    x, n, y, m = table = random_tables(300, 200, 5)
    p = proportions.score_p_value(*table)
    some = (x + y > 0) & (x + y < n + m)
    assert not some.all()
    assert (p[~some] == 1).all()
    for i in np.flatnonzero(some):
        cells = [[x[i], n[i] - x[i]], [y[i], m[i] - y[i]]]
        chi2 = stats.chi2_contingency(cells, correction=False).statistic
        total = n[i] + m[i]
        assert np.isclose(p[i], stats.chi2.sf(chi2 * (total - 1) / total, 1), rtol=1e-10)


def test_fisher_against_scipy_on_every_small_table():
    x, n, y, m = small_tables(7)
    expected = [
        stats.fisher_exact([[a, b - a], [c, d - c]]).pvalue
        for a, b, c, d in zip(x, n, y, m, strict=True)
    ]
    np.testing.assert_allclose(proportions.fisher_exact(x, n, y, m), expected, rtol=1e-12)


def test_fisher_against_whole_numbers():
    for x, n, y, m in zip(*random_tables(60, 400, 6), strict=True):
        a, b, c, d = int(x), int(n), int(y), int(m)
        rows = range(max(0, a + c - d), min(b, a + c) + 1)
        ways = [math.comb(b, i) * math.comb(d, a + c - i) for i in rows]
        bound = math.comb(b, a) * math.comb(d, c) * (10**7 + 1)
        exact = Fraction(sum(w for w in ways if w * 10**7 <= bound), sum(ways))
        found = float(proportions.fisher_exact(*map(np.array, (x, n, y, m))))
        assert math.isclose(found, float(exact), rel_tol=1e-10)


def test_fisher_of_millions():
    million = 1e6
    tables = columns(
        [
            (5 * million, 10 * million, 5 * million + 2000, 10 * million),
            (2 * million, 10 * million, 200, 1000),
            (3, 10 * million, 10, 10 * million),
            (10 * million, 10 * million, 10 * million - 20, 10 * million),
            (2 * million, 10 * million, 3 * million, 10 * million),
        ]
    )
    found = proportions.fisher_exact(*tables)
    # With so many people the first is the normal's, with half a person's correction on each side.
    z = (2000 - 1) / math.sqrt(20 * million / 4)
    assert np.isclose(found[0], 2 * stats.norm.sf(z), rtol=1e-6)
    assert 0.97 < found[1] <= 1
    # 13 people fall to either side evenly; 20 to the same side.
    assert np.isclose(found[2], 2 * stats.binom.cdf(3, 13, 0.5), rtol=1e-5)
    assert np.isclose(found[3], 2 * 0.5**20, rtol=1e-4)
    assert found[4] == 0


def test_fisher_far_out_in_a_skewed_tail():
    # Hundreds of standard deviations from the mode, and yet not 0: all 50 from 1,000 in millions.
    found = proportions.fisher_exact(*columns([(50, 1000, 0, 10_000_000)]))
    expected = Fraction(math.comb(1000, 50), math.comb(10_001_000, 50))
    assert math.isclose(found[0], float(expected), rel_tol=1e-9)


@pytest.mark.parametrize(
    ("table", "reverses"),
    [
        ((3, 20, 16, 80), True),  # 4/20 = 20 % against 15/80 = 18.75 %
        ((16, 80, 3, 20), True),
        ((10, 40, 24, 60), False),  # 11/40 = 27.5 % against 23/60 = 38.3 %
        ((4, 10, 6, 10), False),  # 5/10 against 5/10: level is not enough
        ((4, 10, 7, 10), False),  # 5/10 against 6/10
        ((0, 3, 1, 3), True),
        ((1, 1, 0, 1), True),
        ((5, 10, 5, 10), False),  # nobody is behind
        ((1, 3, 3, 9), False),
        ((0, 10, 0, 10), False),
        ((0, 0, 1, 3), False),
    ],
)
def test_one_person_reverses(table, reverses):
    assert bool(proportions.one_person_reverses(*map(np.array, table))) is reverses


def test_one_person_reverses_in_fractions():
    def moved(x, n, y, m):
        a, b = Fraction(x, n), Fraction(y, m)
        if a > b:
            return moved(y, m, x, n)
        return a < b and Fraction(x + 1, n) > Fraction(y - 1, m)

    expected = [moved(*map(int, row)) for row in zip(*SMALL, strict=True)]
    assert 0 < sum(expected) < len(expected)
    np.testing.assert_array_equal(proportions.one_person_reverses(*SMALL), expected)


NOWHERE = columns(
    [
        (0, 0, 1, 3),
        (1, 3, 0, 0),
        (np.nan, 3, 1, 3),
        (1, np.inf, 1, 3),
        (1, 3, 1, np.nan),
        (4, 3, 1, 3),
        (1, 3, -1, 3),
    ]
)


def test_what_is_undefined_is_nan():
    for interval in (proportions.miettinen_nurminen, proportions.koopman):
        assert np.isnan(interval(*NOWHERE, Z)).all()
        assert np.isnan(interval(*columns([(1, 3, 2, 3)]), np.nan)).all()
    for test in (proportions.score_p_value, proportions.fisher_exact):
        assert np.isnan(test(*NOWHERE)).all()
    assert not proportions.one_person_reverses(*NOWHERE).any()
    assert np.isnan(proportions.fisher_exact(*columns([(1.5, 3, 2, 3)]))).all()


def test_whole_numbers_of_any_kind_and_no_pairs_at_all():
    whole = [v.astype(int) for v in SMALL]
    for integer, real in (
        (proportions.koopman(*whole, Z), proportions.koopman(*SMALL, Z)),
        (proportions.fisher_exact(*whole), proportions.fisher_exact(*SMALL)),
    ):
        np.testing.assert_array_equal(integer, real)
    none = [np.zeros(0)] * 4
    assert proportions.miettinen_nurminen(*none, Z)[0].shape == (0,)
    assert proportions.fisher_exact(*none).shape == (0,)
    assert proportions.score_p_value(*none).shape == (0,)


def test_one_quantile_for_each_pair():
    z = t_quantiles(0.95, np.array([5.0, 50.0]))
    table = columns([(9, 10, 3, 10)] * 2)
    low, _ = proportions.miettinen_nurminen(*table, z)
    for i in range(2):
        alone, _ = proportions.miettinen_nurminen(*[v[i] for v in table], z[i])
        assert np.isclose(low[i], alone, atol=1e-13)
    assert low[0] < low[1]


DESIGNS = [
    (10, 30, 0.1, 0.2),
    (10, 10, 0.5, 0.5),
    (30, 30, 0.2, 0.2),
    (20, 200, 0.05, 0.1),
    (100, 100, 0.9, 0.8),
    (50, 1000, 0.02, 0.02),
]


@pytest.mark.parametrize(("n", "m", "p", "q"), DESIGNS)
def test_coverage(n, m, p, q):
    rng = np.random.default_rng(1984)
    x, y = rng.binomial(n, p, 4000), rng.binomial(m, q, 4000)
    n, m = np.full(4000, n), np.full(4000, m)
    low, high = proportions.miettinen_nurminen(x, n, y, m, Z)
    assert 0.92 <= np.mean((low <= p - q) & (p - q <= high)) <= 0.98
    low, high = proportions.koopman(x, n, y, m, Z)
    some = np.isfinite(low)
    assert 0.92 <= np.mean(((low <= p / q) & (p / q <= high))[some]) <= 0.98
