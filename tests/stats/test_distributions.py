import math

import numpy as np
import pytest
from scipy import special

from fairaudit.stats import distributions as ours

rng = np.random.default_rng(1)


def test_beta_against_scipy():
    a, b, x = rng.exponential(20, 2000) + 0.05, rng.exponential(20, 2000) + 0.05, rng.random(2000)
    x[:2] = 0, 1
    np.testing.assert_allclose(ours.regularised_beta(x, a, b), special.betainc(a, b, x), atol=1e-12)


def test_gamma_against_scipy():
    a = rng.exponential(50, 2000) + 0.05
    x = rng.exponential(a)
    x[0] = 0
    np.testing.assert_allclose(ours.regularised_gamma(a, x), special.gammaincc(a, x), atol=1e-12)


@pytest.mark.parametrize("p", [0.55, 0.9, 0.975, 0.9995, 1 - 1e-6])
def test_t_quantiles_against_scipy(p):
    df = np.concatenate([[0.5, 1, 2], rng.exponential(10, 500) + 0.5, 10 ** rng.uniform(0, 8, 500)])
    np.testing.assert_allclose(ours.t_quantiles(p, df), special.stdtrit(df, p), rtol=1e-8)


def test_t_of_infinite_df_is_normal():
    assert ours.t_quantiles(0.975, np.array([np.inf]))[0] == ours.normal_quantile(0.975)


def test_t_tail_against_scipy():
    t, df = rng.normal(0, 4, 500), rng.exponential(20, 500) + 0.5
    expected = 2 * special.stdtr(df, -np.abs(t))
    np.testing.assert_allclose(ours.t_two_sided(t, df), expected, rtol=1e-9)


def test_normal_tail():
    assert math.isclose(ours.normal_two_sided(-1.5), 2 * special.ndtr(-1.5), rel_tol=1e-13)


def test_poisson_limits_against_scipy():
    count = np.concatenate([[0.0, 0.5, 1.0], rng.exponential(100, 200)])
    low, high = ours.poisson_limits(count, 0.025)
    np.testing.assert_allclose(high, special.gammaincinv(count + 1, 0.975), rtol=1e-10)
    np.testing.assert_allclose(low[1:], special.gammaincinv(count[1:], 0.025), rtol=1e-8)
    assert low[0] == 0
