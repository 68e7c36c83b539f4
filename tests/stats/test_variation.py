import math
from dataclasses import replace

import numpy as np
import pytest

from fairaudit.metrics import METRICS
from fairaudit.stats.comparisons import between_group_deviation
from fairaudit.stats.estimates import estimate
from fairaudit.stats.sums import Sums
from fairaudit.stats.variation import between_group_entropy, deviation_interval
from tests.conftest import speakers, sums_of

WER, SER = METRICS["wer"], METRICS["ser"]


def shares(wrong, n):
    """Sums of independent records: `wrong` of `n` in each group."""
    matrix = np.column_stack([n, wrong]).astype(float)
    moments = np.empty((len(matrix), 2, 2))
    moments[:, 0, 0], moments[:, 1, 1] = n, wrong
    moments[:, 0, 1] = moments[:, 1, 0] = wrong
    every = np.arange(len(matrix))
    names = tuple(f"g{g:03d}" for g in every)
    return Sums("group", ("records", "wrong"), names, None, every, every, matrix, moments)


def found_in(sums, metric):
    clustered = sums.clusters is not None
    return estimate(metric, sums.columns, sums.spread, clustered=clustered)


def coverage(make, metric, truth, runs=300):
    covered = 0
    for run in range(runs):
        sums = make()
        low, high = deviation_interval(sums, found_in(sums, metric), 0.95, 200, run)
        covered += low <= truth <= high
    return covered / runs


# The paper's settings: K groups of n, equal or not (part G3 of its simulations: .996 for 100 equal
# groups of 50, .945 for unequal ones, .96 for five of 100).
@pytest.mark.parametrize(
    ("n", "rates"),
    [
        (50, [0.5] * 100),
        (50, np.linspace(0.3, 0.7, 100)),
        (100, [0.5] * 5),
        (100, [0.3, 0.4, 0.5, 0.6, 0.7]),
        (8, np.linspace(0.2, 0.8, 20)),
    ],
)
def test_interval_covers_the_deviation_of_shares(n, rates):
    rng, rates = np.random.default_rng(1), np.array(rates)

    def make():
        return shares(rng.binomial(n, rates), np.full(len(rates), n))

    seen = coverage(make, SER, rates.std(ddof=1), runs=200)
    assert seen >= 0.985 if np.ptp(rates) == 0 else seen >= 0.92


@pytest.mark.parametrize("sizes", [[6] * 5, [6, 30, 12, 8, 20]])
@pytest.mark.parametrize("rates", [[0.15] * 5, [0.1, 0.14, 0.18, 0.21, 0.25]])
def test_interval_covers_the_deviation_of_clusters(sizes, rates):
    rng = np.random.default_rng(2)
    seen = coverage(lambda: speakers(rng, sizes, rates), WER, np.std(rates, ddof=1))
    assert seen >= 0.985 if np.ptp(rates) == 0 else seen >= 0.92


def shared(rng, rates, clusters, words=200):
    """Each cluster with words in every group; clusters differ far more than groups."""
    own = np.exp(rng.normal(0, 0.5, clusters))[:, None] * np.array(rates)
    errors = rng.poisson(own * words)
    zero = np.zeros_like(errors)
    matrix = np.stack([zero + 10, words - errors, errors, zero, zero], axis=-1).reshape(-1, 5)
    group = np.tile(np.arange(len(rates)), clusters)
    return sums_of(matrix, group, np.repeat(np.arange(clusters), len(rates)))


def test_groups_that_share_clusters_are_compared_within_them():
    # Unlike separate clusters, shared ones show a deviation that is small beside their own.
    rng, rates = np.random.default_rng(3), [0.10, 0.115, 0.13]
    sums = shared(rng, rates, 30, 2000)
    low, high = deviation_interval(sums, found_in(sums, WER), 0.95, 500, 0)
    truth = np.std(rates, ddof=1) * math.exp(0.125)
    assert 0 < low < truth < high
    apart = sums_of(sums.matrix, sums.group)
    assert deviation_interval(apart, found_in(apart, WER), 0.95, 500, 0)[0] == 0


def test_equal_groups_that_share_clusters_are_covered():
    rng = np.random.default_rng(4)
    assert coverage(lambda: shared(rng, [0.15] * 3, 10), WER, 0.0) >= 0.985


def test_single_correction_alone_would_exclude_equality():
    # Percentiles of V* - mean s2 lie above 0 for 100 equal groups, whatever the data.
    rng = np.random.default_rng(5)
    n = np.full(100, 50)
    sums = shares(rng.binomial(50, 0.5, 100), n)
    draws = rng.binomial(50, sums.matrix[:, 1] / 50, (2000, 100)) / 50
    single = np.var(draws, axis=1, ddof=1) - (draws * (1 - draws) / 50).mean(axis=1)
    assert np.quantile(single, 0.025) > 0
    assert deviation_interval(sums, found_in(sums, SER), 0.95, 2000, 0)[0] == 0


def test_draws_of_shares_are_corrected_by_hand():
    # Two groups of 2 with one wrong each: draws 0, 1/2, 1 with probabilities 1/4, 1/2, 1/4.
    # V* is 0 (3/8), 1/8 (1/2) or 1/2 (1/8); s2* is 1/4 with n - 1 at 1/2, and twice is
    # 1 + 2 / 1 times. Only {0, 1} draws, with V* = 1/2 and no noise, lie above the rest:
    # 97.5 % is sqrt(1/2); 80 % is at most sqrt(1/8 - 3/8) -> 0.
    sums = shares(np.array([1, 1]), np.array([2, 2]))
    found = found_in(sums, SER)
    assert deviation_interval(sums, found, 0.95, 2000, 0) == (0.0, pytest.approx(math.sqrt(0.5)))
    assert deviation_interval(sums, found, 0.6, 2000, 0) == (0.0, 0.0)


def test_interval_contains_the_estimate():
    rng = np.random.default_rng(6)
    for run in range(50):
        sums = speakers(rng, [4, 5, 6], [0.1, 0.2, 0.15])
        found = found_in(sums, WER)
        low, high = deviation_interval(sums, found, 0.2, 200, run)
        assert 0 <= low <= between_group_deviation(sums, found) <= high


def test_records_that_are_no_shares_are_resampled():
    sums = shares(np.array([10, 60]), np.array([100, 100]))
    rate = replace(SER, range="rate")
    low, high = deviation_interval(sums, found_in(sums, rate), 0.95, 2000, 0)
    # |d| / sqrt(2) with d = 0.5 and its standard error.
    error = math.sqrt(0.1 * 0.9 / 99 + 0.6 * 0.4 / 99)
    middle = math.hypot(0.5, error) / math.sqrt(2)
    assert low == pytest.approx(middle - 1.96 * error / math.sqrt(2), abs=0.02)
    assert high == pytest.approx(middle + 1.96 * error / math.sqrt(2), abs=0.02)


def test_resamples_without_a_value_are_left_aside():
    # Of group b, one speaker of four has words: a third of the resamples have none.
    matrix = np.array([[9, 9, 1, 0, 0], [9, 8, 2, 0, 0], *[[1, 0, 0, 0, 0]] * 3, [9, 5, 5, 0, 0]])
    sums = sums_of(matrix, np.array([0, 0, 1, 1, 1, 1]))
    low, high = deviation_interval(sums, found_in(sums, WER), 0.95, 200, 0)
    assert 0 <= low < high < 1


def test_one_group_has_no_interval():
    sums = shares(np.array([1]), np.array([9]))
    assert np.isnan(deviation_interval(sums, found_in(sums, SER), 0.95, 200, 0)).all()


def test_same_seed_same_interval():
    sums = shares(np.array([3, 9, 5]), np.array([20, 30, 25]))
    found = found_in(sums, SER)
    first = deviation_interval(sums, found, 0.95, 200, 7)
    assert deviation_interval(sums, found, 0.95, 200, 7) == first
    assert deviation_interval(sums, found, 0.95, 200, 8) != first


def entropy(benefit, alpha):
    """Generalised entropy index, person by person."""
    mean, total = sum(benefit) / len(benefit), 0.0
    for b in benefit:
        r = b / mean
        if alpha == 0:
            total -= math.log(r)
        elif alpha == 1:
            total += r * math.log(r) if r else 0.0
        else:
            total += (r**alpha - 1) / (alpha * (alpha - 1))
    return total / len(benefit)


@pytest.mark.parametrize("alpha", [0, 0.5, 1, 2, 3])
def test_entropy_is_between_plus_within(alpha):
    rng = np.random.default_rng(8)
    benefit = rng.integers(0 if alpha > 0 else 1, 3, 60).astype(float)
    group = rng.integers(0, 4, 60)
    mean, within = benefit.mean(), 0.0
    for g in range(4):
        own = benefit[group == g]
        within += len(own) / 60 * (own.mean() / mean) ** alpha * entropy(own, alpha)
    between = between_group_entropy(np.bincount(group), np.bincount(group, benefit), alpha)
    assert between > 0
    assert entropy(benefit, alpha) == pytest.approx(between + within, rel=1e-12)


def test_entropy_of_two_is_half_the_squared_coefficient_of_variation():
    weight, benefit = np.array([1.0, 3.0]), np.array([2.0, 1.0])
    means = np.array([2, 1 / 3, 1 / 3, 1 / 3])
    expected = np.var(means) / np.mean(means) ** 2 / 2
    assert between_group_entropy(weight, benefit) == pytest.approx(expected)


def test_entropy_at_the_edges():
    none, some = np.array([0.0, 0.0]), np.array([0.0, 4.0])
    assert math.isnan(between_group_entropy(np.array([2.0, 2.0]), none))
    assert between_group_entropy(np.array([2.0, 2.0]), some, 0) == math.inf
    assert between_group_entropy(np.array([2.0, 2.0]), some, 1) == pytest.approx(math.log(2))
    # A group of nobody changes nothing.
    assert between_group_entropy(np.array([0.0, 2.0]), some, 0) == 0
    with pytest.raises(ValueError, match="negative"):
        between_group_entropy(np.array([2.0, 2.0]), np.array([-1.0, 4.0]))
