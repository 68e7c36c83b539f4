import numpy as np
import pytest
from scipy import stats

from fairaudit.metrics import METRICS
from fairaudit.stats import intervals
from fairaudit.stats.estimates import estimate
from fairaudit.stats.resampling import bootstrap_totals
from fairaudit.stats.sums import Accumulator, Spread
from tests.conftest import COUNTS, speakers, sums_of

WER = METRICS["wer"]
Z = 1.959963984540054


def wer_of(sums, resampled=None):
    return estimate(WER, sums.columns, sums.spread, clustered=True, resampled=resampled)


def test_wilson_against_scipy():
    for x, n in [(0, 10), (1, 10), (5, 7), (10, 10), (250, 1000)]:
        low, high = intervals.wilson(np.array(x), np.array(n), Z)
        expected = stats.binomtest(x, n).proportion_ci(method="wilson")
        np.testing.assert_allclose([low, high], expected, atol=1e-12)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [((56, 70), (48, 80), (0.0524, 0.3339)), ((9, 10), (3, 10), (0.1705, 0.8090))],
)
def test_newcombe_against_published(a, b, expected):
    # Newcombe, Statistics in Medicine 17, 1998, table II, method 10.
    sides = [(np.array(x / n), intervals.wilson(x, n, Z)) for x, n in (a, b)]
    low, high = intervals.newcombe(*sides[0], *sides[1])
    assert (round(float(low), 4), round(float(high), 4)) == expected


def test_welch_against_scipy():
    rng = np.random.default_rng(2)
    a, b = rng.normal(0, 1, 12), rng.normal(0, 3, 7)
    variances = [x.var(ddof=1) / len(x) for x in (a, b)]
    df = intervals.welch_df(variances[0], np.array(11.0), variances[1], np.array(6.0))
    assert np.isclose(df, stats.ttest_ind(a, b, equal_var=False).df)


def test_linearised_variance_is_the_jackknife_to_first_order():
    sums = speakers(np.random.default_rng(3), [60], [0.15])
    totals, rows = sums.spread.totals[0], sums.matrix
    without = WER.value(sums.columns, totals - rows)
    s = len(rows)
    jackknife = (s - 1) / s * ((without - without.mean()) ** 2).sum()
    assert np.isclose(wer_of(sums).variance[0], jackknife, rtol=0.05)


@pytest.mark.parametrize("metric", ["wer", "mer", "wil", "ser"])
def test_linearised_interval_holds_the_value(metric):
    sums = speakers(np.random.default_rng(4), [5, 9], [0.1, 0.6])
    columns = (*sums.columns, "wrong")
    spread = Spread(
        np.column_stack([sums.spread.totals, [100, 300]]),
        np.pad(sums.spread.moments, ((0, 0), (0, 1), (0, 1))) + np.eye(6) * 3000,
        sums.spread.units,
    )
    found = estimate(METRICS[metric], columns, spread, clustered=True)
    low, high = found.interval(0.95)
    assert (low < found.value).all()
    assert (found.value < high).all()
    if METRICS[metric].range != "rate":
        assert (high <= 1).all()


@pytest.mark.parametrize("size", [10, 30, 100])
def test_coverage_of_pooled_wer(size):
    rng = np.random.default_rng(size)
    hits = 0
    for _ in range(4000):
        low, high = wer_of(speakers(rng, [size], [0.15])).interval(0.95)
        hits += low[0] <= 0.15 <= high[0]
    assert 0.92 <= hits / 4000 <= 0.97


def test_utterances_taken_for_independent_cover_far_too_little():
    # The figure that the README states.
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(600):
        own = np.repeat(0.15 * np.exp(rng.normal(-0.125, 0.5, 30)), 40)
        words = np.maximum(rng.poisson(12, 1200), 1)
        errors = np.minimum(rng.poisson(own * words), words)
        zero = np.zeros_like(words)
        total = Accumulator(COUNTS, clustered=False)
        total.add(zero, None, np.column_stack([zero + 1, words - errors, errors, zero, zero]) * 1.0)
        spread = total.result(None, ["(all)"], None).spread
        low, high = estimate(WER, COUNTS, spread, clustered=False).interval(0.95)
        hits += low[0] <= 0.15 <= high[0]
    assert abs(hits / 600 - 0.39) < 0.06


def test_coverage_of_the_bootstrap():
    rng = np.random.default_rng(5)
    hits = 0
    for run in range(1000):
        sums = speakers(rng, [60], [0.15])
        low, high = wer_of(sums, bootstrap_totals(sums, 400, run)).interval(0.95)
        hits += low[0] <= 0.15 <= high[0]
    assert 0.92 <= hits / 1000 <= 0.97


def test_coverage_of_wilson():
    rng = np.random.default_rng(6)
    wrong = rng.binomial(40, 0.12, 4000)
    low, high = intervals.wilson(wrong, np.full(4000, 40), Z)
    assert 0.92 <= np.mean((low <= 0.12) & (high >= 0.12)) <= 0.97


def test_one_speaker_has_a_value_and_no_interval():
    sums = sums_of(np.array([[9, 80, 10, 5, 5], [9, 70, 20, 10, 0]]), np.array([0, 1]))
    found = wer_of(sums)
    low, high = found.interval(0.95)
    assert np.isfinite(found.value).all()
    assert np.isnan(low).all()
    assert np.isnan(high).all()


def test_no_errors_is_not_certainty():
    perfect = [[10, 100, 0, 0, 0]] * 5
    others = [[10, 90, 10, 0, 0], [10, 80, 20, 0, 0], [10, 70, 30, 0, 0]]
    sums = sums_of(np.array(perfect + others), np.array([0] * 5 + [1] * 3))
    low, high = wer_of(sums).interval(0.95)
    assert low[0] == 0
    # More than the 3.69 / 500 of independent words: the design effect is borrowed.
    assert 3.69 / 500 < high[0] < 1


def test_equal_speakers_are_not_certainty():
    alike = sums_of(np.array([[10, 90, 10, 0, 0]] * 4), np.zeros(4, dtype=int))
    found = wer_of(alike)
    low, high = found.interval(0.95)
    assert np.isclose(found.value[0], 0.1)
    assert low[0] < 0.1 < high[0]
    for bootstrap in (bootstrap_totals(alike, 200, 0),):
        low, high = wer_of(alike, bootstrap).interval(0.95)
        assert low[0] < 0.1 < high[0]


def test_a_group_without_reference_words_is_undefined():
    sums = sums_of(np.array([[3, 0, 0, 0, 2], [4, 0, 0, 0, 0]]), np.zeros(2, dtype=int))
    found = wer_of(sums)
    assert np.isnan(found.value[0])
    assert np.isnan(found.interval(0.95)).all()
