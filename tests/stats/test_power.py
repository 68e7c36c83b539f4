import numpy as np

from fairaudit.metrics import METRICS
from fairaudit.stats.comparisons import pairs
from fairaudit.stats.estimates import estimate
from fairaudit.stats.multiplicity import adjust
from fairaudit.stats.power import Plan, growth_needed, minimum_detectable
from tests.conftest import speakers

INF = np.array([np.inf])


def plan(p, q, n, m, range="proportion", alpha=0.05):
    return Plan(*(np.array([float(x)]) for x in (p, q, n, m)), INF, range, alpha)


def test_a_detectable_difference_is_detected_four_times_in_five():
    d = minimum_detectable(plan(0.1, 0.1, 1000, 600))[0]
    rng = np.random.default_rng(1)
    a, b = rng.binomial(1000, 0.1, 20_000) / 1000, rng.binomial(600, 0.1 + d, 20_000) / 600
    pooled = (1000 * a + 600 * b) / 1600
    z = (b - a) / np.sqrt(pooled * (1 - pooled) * (1 / 1000 + 1 / 600))
    assert abs(np.mean(np.abs(z) > 1.96) - 0.8) < 0.015


def test_clustered_differences_are_detected_about_as_promised():
    wer = METRICS["wer"]
    rng = np.random.default_rng(2)
    planned = []
    for _ in range(200):
        sums = speakers(rng, [40, 40], [0.2, 0.2])
        found = estimate(wer, sums.columns, sums.spread, clustered=True)
        contrast = pairs(sums, found, np.array([0]), np.array([1]))
        planned.append(minimum_detectable(contrast.plan(0.95))[0])
    d = float(np.mean(planned))
    detected = 0
    for _ in range(1000):
        sums = speakers(rng, [40, 40], [0.2, 0.2 + d])
        found = estimate(wer, sums.columns, sums.spread, clustered=True)
        detected += pairs(sums, found, np.array([0]), np.array([1])).p_value[0] <= 0.05
    # The spread of rates grows with the rate itself, which the plan takes for Poisson's.
    assert 0.7 < detected / 1000 < 0.87


def test_growth_is_what_shows_the_difference():
    grown = plan(0.1, 0.12, 1000, 1000)
    factor = growth_needed(grown)[0]
    assert np.isclose(growth_needed(plan(0.1, 0.12, 1000 * factor, 1000 * factor))[0], 1)


def test_nothing_to_plan_is_undefined():
    assert np.isnan(minimum_detectable(plan(0, 0, 50, 50))[0])
    assert np.isnan(growth_needed(plan(0.1, 0.1, 50, 50))[0])
    assert np.isnan(minimum_detectable(plan(0.5, 0.5, 2, 2))[0])


def test_rates_may_differ_by_more_than_one():
    assert minimum_detectable(plan(1, 1, 3, 3, "rate"))[0] > 1


def test_more_comparisons_need_larger_differences():
    one, many = (minimum_detectable(plan(0.1, 0.1, 500, 500, alpha=a))[0] for a in (0.05, 0.005))
    assert many > one


def test_holm_and_benjamini_hochberg_by_definition():
    rng = np.random.default_rng(3)
    p = rng.random(9) ** 3
    order = np.argsort(p)
    holm, bh = np.empty(9), np.empty(9)
    for i, j in enumerate(order):
        holm[j] = min(1, max((9 - k) * p[order[k]] for k in range(i + 1)))
        bh[j] = min(1, min(9 / (k + 1) * p[order[k]] for k in range(i, 9)))
    np.testing.assert_allclose(adjust(p, "holm"), holm)
    np.testing.assert_allclose(adjust(p, "bh"), bh)
    np.testing.assert_array_equal(adjust(p, "none"), p)


def test_undefined_p_values_are_no_part_of_the_family():
    adjusted = adjust(np.array([0.01, np.nan, 0.03]), "holm")
    np.testing.assert_allclose(adjusted, [0.02, np.nan, 0.03])
