import numpy as np
import pytest

from fairaudit.metrics import METRICS
from fairaudit.stats import homogeneity as module
from fairaudit.stats.comparisons import pairs
from fairaudit.stats.estimates import estimate
from fairaudit.stats.homogeneity import chance_gaps, homogeneity
from tests.conftest import sums_of
from tests.stats.test_sums import accumulate

WER = METRICS["wer"]


def nested(rng, sizes, words, rates, spread):
    """Speakers of one group each; groups differ in how much a speaker says."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    own = np.array(rates)[group] * np.exp(rng.normal(-(spread**2) / 2, spread, len(group)))
    n = np.array(words)[group]
    return _sums(rng, own, n, group, None)


def crossed(rng, size, words, rates, spread):
    """Speakers who are in every group, with very different amounts of speech."""
    k = len(words)
    own = np.repeat(np.exp(rng.normal(-(spread**2) / 2, spread, size)), k) * np.tile(rates, size)
    return _sums(rng, own, np.tile(words, size), np.tile(range(k), size), np.repeat(range(size), k))


def _sums(rng, rate, n, group, cluster):
    errors = np.minimum(rng.poisson(rate * n), n)
    zero = np.zeros_like(n)
    return sums_of(np.column_stack([n // 12 + 1, n - errors, errors, zero, zero]), group, cluster)


def p_value(sums, seed, clustered=True):
    found = estimate(WER, sums.columns, sums.spread, clustered=clustered)
    return homogeneity(WER, sums, found, 199, seed)


def rejected(draw, runs=1000, **options):
    return np.mean([p_value(draw(), seed, **options) <= 0.05 for seed in range(runs)])


@pytest.mark.parametrize(
    ("sizes", "words", "spread"),
    [
        ([20, 20], [900, 100], 0.0),
        ([40, 40], [900, 20], 0.0),
        ([20, 20], [900, 20], 0.3),
        ([40, 8], [50, 500], 0.3),
        ([12, 10, 15], [100, 600, 300], 0.5),
    ],
)
def test_level_where_groups_say_more_or_less(sizes, words, spread):
    rng = np.random.default_rng(1)
    rates = [0.2] * len(sizes)
    assert rejected(lambda: nested(rng, sizes, words, rates, spread)) <= 0.07


@pytest.mark.parametrize(("size", "spread"), [(20, 0.0), (20, 0.5), (6, 0.5)])
def test_level_where_speakers_are_in_every_group(size, spread):
    rng = np.random.default_rng(2)
    assert rejected(lambda: crossed(rng, size, [900, 100, 300], [0.2] * 3, spread)) <= 0.07


def test_power_where_speakers_are_in_every_group():
    # The speakers' own rates vary by half, and cancel.
    rng = np.random.default_rng(3)
    assert rejected(lambda: crossed(rng, 20, [900, 100], [0.2, 0.26], 0.5), runs=200) > 0.9


def test_power_where_groups_are_of_other_speakers():
    rng = np.random.default_rng(4)
    draw = lambda: nested(rng, [20, 20], [900, 100], [0.2, 0.3], 0.3)  # noqa: E731
    assert rejected(draw, runs=200) > 0.85


@pytest.mark.parametrize("sizes", [[60, 200], [8, 500], [30, 30, 30]])
def test_level_without_clusters(sizes):
    rng = np.random.default_rng(5)

    def draw():
        n = rng.integers(4, 20, sum(sizes))
        errors = rng.binomial(n, 0.15)
        zero = np.zeros_like(n)
        counts = np.column_stack([np.ones_like(n), n - errors, errors, zero, zero])
        return accumulate(counts, np.repeat(range(len(sizes)), sizes), zero, clustered=False)

    assert rejected(draw, clustered=False) <= 0.07


@pytest.mark.parametrize("sizes", [[3, 1000], [5, 500], [3, 3, 1000]])
def test_a_few_records_without_an_error_prove_nothing(sizes):
    rng = np.random.default_rng(10)

    def draw():
        errors = rng.binomial(1, 0.15, sum(sizes))
        zero = np.zeros_like(errors)
        counts = np.column_stack([zero + 1, 1 - errors, errors, zero, zero])
        return accumulate(counts, np.repeat(range(len(sizes)), sizes), zero, clustered=False)

    assert rejected(draw, clustered=False) <= 0.07


def test_many_clusters_are_as_good_as_normal(monkeypatch):
    rng = np.random.default_rng(6)
    sums = [nested(rng, [30, 40, 25], [400, 300, 500], [0.15, 0.17, 0.16], 0.4) for _ in range(60)]
    dealt = [p_value(each, 0) for each in sums]
    monkeypatch.setattr(module, "PERMUTED_CLUSTERS", 10)
    normal = [p_value(each, 0) for each in sums]
    assert np.corrcoef(dealt, normal)[0, 1] > 0.97


def test_two_groups_make_it_welchs_test():
    rng = np.random.default_rng(7)
    ours, welch = [], []
    for seed in range(60):
        sums = nested(rng, [25, 15], [300, 300], [0.15, 0.18], 0.3)
        ours.append(p_value(sums, seed))
        found = estimate(WER, sums.columns, sums.spread, clustered=True)
        welch.append(pairs(sums, found, np.array([0]), np.array([1])).p_value[0])
    assert np.corrcoef(ours, welch)[0, 1] > 0.98


def test_nothing_but_perfect_groups():
    sums = sums_of(np.array([[10, 100, 0, 0, 0]] * 6), np.repeat([0, 1], 3))
    assert p_value(sums, 0) == 1


def test_chance_gap_is_the_gap_of_equal_groups():
    rng = np.random.default_rng(8)
    seen, chance = [], []
    for seed in range(400):
        sums = nested(rng, [20, 10, 30, 15], [200, 400, 300, 100], [0.15] * 4, 0.4)
        found = estimate(WER, sums.columns, sums.spread, clustered=True)
        seen.append(np.ptp(found.value))
        chance.append(chance_gaps(sums, found, 200, seed).mean())
    assert abs(np.mean(seen) / np.mean(chance) - 1) < 0.1


def test_same_seed_same_p_value():
    sums = nested(np.random.default_rng(9), [5, 6], [100, 200], [0.1, 0.2], 0.3)
    assert p_value(sums, 1) == p_value(sums, 1)
