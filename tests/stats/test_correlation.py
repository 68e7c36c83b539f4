"""Correlations against scipy, p-values against all permutations, intervals by simulation."""

import itertools

import numpy as np
import pytest
from scipy import stats

from fairaudit.metrics import METRICS
from fairaudit.stats.correlation import coefficients, correlation, ranks


def draws(seed, n, digits=None):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = 0.6 * x + rng.normal(size=n)
    return (x, y) if digits is None else (x.round(digits), y.round(digits))


@pytest.mark.parametrize("digits", [None, 0])
@pytest.mark.parametrize("n", [3, 6, 25])
def test_values_are_scipys(n, digits):
    x, y = draws(n, n, digits)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        pytest.fail("the draw does not vary")
    assert correlation(x, y).value == pytest.approx(stats.pearsonr(x, y).statistic)
    assert correlation(x, y, ranked=True).value == pytest.approx(stats.spearmanr(x, y).statistic)
    np.testing.assert_array_equal(ranks(x), stats.rankdata(x))


@pytest.mark.parametrize("ranked", [False, True])
def test_sums_give_the_value_again(ranked):
    x, y = draws(2, 12, 1)
    found = correlation(x, y, ranked=ranked)
    metric = METRICS["spearman_correlation" if ranked else "pearson_correlation"]
    columns, sums = zip(*found.sums.items(), strict=True)
    assert metric.value(columns, np.array(sums)) == pytest.approx(found.value)
    assert metric.n(columns, np.array(sums)) == found.n == 12


@pytest.mark.parametrize("ranked", [False, True])
@pytest.mark.parametrize(("n", "digits"), [(4, None), (6, 0), (6, None)])
def test_p_value_is_that_of_all_permutations(n, digits, ranked):
    x, y = draws(n + 1, n, digits)
    statistic = stats.spearmanr if ranked else stats.pearsonr
    seen = abs(statistic(x, y).statistic)
    orders = list(itertools.permutations(y))
    reached = sum(abs(statistic(x, np.array(order)).statistic) >= seen - 1e-9 for order in orders)
    found = correlation(x, y, ranked=ranked)
    assert found.p_value == pytest.approx(reached / len(orders))


def test_p_value_of_many_units_is_sampled():
    x, y = draws(5, 15)
    found = correlation(x, y, resamples=20_000)
    assert found.p_value == pytest.approx(stats.pearsonr(x, y).pvalue, abs=0.01)
    extreme = correlation(np.arange(15.0), np.arange(15.0) ** 2, resamples=500)
    assert extreme.p_value == pytest.approx(1 / 501)


def test_p_values_are_even_where_nothing_goes_together():
    rng = np.random.default_rng(0)
    small = [correlation(*rng.normal(size=(2, 10)), resamples=200).p_value for _ in range(400)]
    assert 0.02 < np.mean(np.array(small) <= 0.05) < 0.08


@pytest.mark.parametrize("ranked", [False, True])
@pytest.mark.parametrize("values", [[1, 2], [5, 5, 5, 5], []])
def test_undefined(values, ranked):
    found = correlation(np.array(values, float), np.arange(len(values)), ranked=ranked)
    assert np.isnan([found.value, found.low, found.high, found.p_value]).all()


@pytest.mark.parametrize("ranked", [False, True])
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_has_no_coefficient(odd, ranked):
    x, y = np.array([1.0, odd, 3, 4, 6]), np.array([1.0, 3, 2, 4, 5])
    for pair in ((x, y), (y, x)):
        found = correlation(*pair, ranked=ranked)
        assert np.isnan([found.value, found.low, found.high, found.p_value]).all()
        assert found.n == 5
        assert np.isfinite(list(found.sums.values())).all()


def test_a_straight_line_has_no_interval():
    found = correlation(np.arange(6.0), 2 * np.arange(6.0) + 1)
    assert found.value == pytest.approx(1)
    assert np.isnan([found.low, found.high]).all()
    assert found.p_value == pytest.approx(2 / 720)


def test_three_units_have_a_value_alone():
    found = correlation(np.array([1.0, 2, 4]), np.array([1.0, 3, 2]))
    assert np.isnan(found.low)
    assert np.isfinite(found.value)


def test_same_numbers_twice_and_either_way_round():
    x, y = draws(8, 20)
    assert correlation(x, y, seed=4) == correlation(x, y, seed=4)
    assert correlation(x, y).low != correlation(x, y, seed=1).low
    assert correlation(x, y).value == pytest.approx(correlation(y, x).value)


def skewed(rng, n, rho):
    """Variances of three scores each, as those of groups are, and their true correlation."""
    a = rng.normal(size=(n, 3))
    b = rho * a + np.sqrt(1 - rho**2) * rng.normal(size=(n, 3))
    return (a**2).sum(1), (b**2).sum(1), rho**2


@pytest.mark.parametrize("ranked", [False, True])
@pytest.mark.parametrize("n", [10, 20])
@pytest.mark.parametrize("rho", [0.0, 0.9])
def test_intervals_cover(n, rho, ranked):
    rng = np.random.default_rng(1)
    true = skewed(rng, 2, rho)[2]
    if ranked:
        x, y, _ = skewed(rng, 20_000, rho)
        true = stats.spearmanr(x, y).statistic
    covered = 0
    for _ in range(300):
        x, y, _ = skewed(rng, n, rho)
        found = correlation(x, y, ranked=ranked, resamples=300)
        covered += found.low <= true <= found.high
    # Three standard errors of 300 draws below 94 %, and not always.
    assert 0.90 <= covered / 300 < 1


def test_coefficients_work_along_the_last_axis():
    x, y = draws(1, 9)
    several = coefficients(np.stack([x, y]), np.stack([y, y]))
    np.testing.assert_allclose(several, [stats.pearsonr(x, y).statistic, 1])
