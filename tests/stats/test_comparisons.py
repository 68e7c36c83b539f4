import numpy as np
import pytest
from scipy import stats

from fairaudit.metrics import METRICS
from fairaudit.stats.comparisons import (
    between_group_deviation,
    gap,
    pairs,
    percentile_gap,
    versus_rest,
)
from fairaudit.stats.estimates import estimate
from fairaudit.stats.resampling import bootstrap_totals
from fairaudit.stats.sums import Accumulator
from tests.conftest import speakers, sums_of

WER, SER = METRICS["wer"], METRICS["ser"]
Z = 1.959963984540054


def wer_of(sums, resampled=None):
    return estimate(WER, sums.columns, sums.spread, clustered=True, resampled=resampled)


def shares(*counts):
    """Sums of independent records: (wrong, records) per group."""
    total = Accumulator(("records", "wrong"), clustered=False)
    for g, (wrong, n) in enumerate(counts):
        rows = np.column_stack([np.ones(n), np.arange(n) < wrong]).astype(float)
        total.add(np.full(n, g), None, rows)
    sums = total.result("group", [f"g{g}" for g in range(len(counts))], None)
    return sums, estimate(SER, sums.columns, sums.spread, clustered=False)


def test_equal_word_counts_make_it_the_welch_t_test():
    # With as many words for each speaker, pooled WER is the mean of speakers' rates.
    rng = np.random.default_rng(1)
    a, b = rng.integers(5, 40, 9), rng.integers(20, 80, 6)
    matrix = np.array([[1, 100 - e, e, 0, 0] for e in [*a, *b]])
    sums = sums_of(matrix, np.repeat([0, 1], [9, 6]))
    contrast = pairs(sums, wer_of(sums), np.array([0]), np.array([1]))
    expected = stats.ttest_ind(a / 100, b / 100, equal_var=False)
    assert np.isclose(contrast.p_value[0], expected.pvalue)
    low, high = contrast.difference_interval(0.95)
    np.testing.assert_allclose([low[0], high[0]], expected.confidence_interval(0.95))


def test_speakers_heard_in_both_conditions_make_it_the_paired_t_test():
    rng = np.random.default_rng(2)
    a = rng.integers(5, 40, 12)
    b = a + rng.integers(0, 12, 12)
    matrix = np.array([[1, 100 - e, e, 0, 0] for pair in zip(a, b, strict=True) for e in pair])
    sums = sums_of(matrix, np.tile([0, 1], 12), np.repeat(np.arange(12), 2))
    contrast = pairs(sums, wer_of(sums), np.array([0]), np.array([1]))
    expected = stats.ttest_rel(a / 100, b / 100)
    t = contrast.difference[0] / np.sqrt(contrast.variance[0])
    assert np.isclose(t, expected.statistic)
    assert np.isclose(contrast.p_value[0], expected.pvalue)


def test_shares_of_records_are_compared_by_scores():
    sums, found = shares((56, 70), (48, 80))
    contrast = pairs(sums, found, np.array([0]), np.array([1]))
    low, high = contrast.difference_interval(0.95)
    # Miettinen & Nurminen, Statistics in Medicine 4, 1985; Newcombe's would be [.0524, .3339].
    assert (round(low[0], 4), round(high[0], 4)) == (0.0528, 0.3382)
    chi2 = stats.chi2_contingency([[56, 14], [48, 32]], correction=False)
    assert np.isclose(contrast.p_value[0], stats.chi2.sf(chi2.statistic * 149 / 150, 1))


def test_ratio_of_shares_excludes_1_just_where_their_difference_excludes_0():
    for x in range(40, 60):
        sums, found = shares((x, 70), (48, 80))
        contrast = pairs(sums, found, np.array([0]), np.array([1]))
        low, high = contrast.difference_interval(0.95)
        below, above = contrast.ratio_interval(0.95)
        assert (low[0] > 0, high[0] < 0) == (below[0] > 1, above[0] < 1)
        assert below[0] < contrast.ratio[0] < above[0]


def test_ratio_to_zero_is_undefined():
    sums, found = shares((5, 70), (0, 80))
    contrast = pairs(sums, found, np.array([0]), np.array([1]))
    assert np.isnan(contrast.ratio[0])
    assert np.isnan(contrast.ratio_interval(0.95)).all()
    assert np.isfinite(contrast.difference_interval(0.95)).all()


def test_a_perfect_group_does_not_make_a_difference_certain():
    matrix = [[10, 100, 0, 0, 0]] * 4 + [[10, 95, 5, 0, 0], [10, 90, 10, 0, 0], [10, 99, 1, 0, 0]]
    sums = sums_of(np.array(matrix), np.repeat([0, 1], [4, 3]))
    contrast = pairs(sums, wer_of(sums), np.array([1]), np.array([0]))
    low, high = contrast.difference_interval(0.95)
    assert low[0] < contrast.difference[0] < high[0]
    # The interval and the p-value tell the same.
    assert (contrast.p_value[0] < 0.05) == (low[0] > 0 or high[0] < 0)


def test_gap_is_worst_minus_best_with_bonferroni_over_pairs():
    sums = speakers(np.random.default_rng(3), [6, 8, 7], [0.1, 0.3, 0.2])
    found = wer_of(sums)
    result = gap(sums, found, 0.95, 199, 0)
    assert (result.worst, result.best) == (int(found.value.argmax()), int(found.value.argmin()))
    assert np.isclose(result.value, np.ptp(found.value))
    limits = []
    for i, j in ((0, 1), (0, 2), (1, 2)):
        df = (found.variance[i] + found.variance[j]) ** 2 / (
            found.variance[i] ** 2 / found.df[i] + found.variance[j] ** 2 / found.df[j]
        )
        half = stats.t.ppf(1 - 0.025 / 3, df) * np.sqrt(found.variance[i] + found.variance[j])
        d = abs(found.value[i] - found.value[j])
        limits.append((d - half, d + half))
    assert np.isclose(result.low, max(0, *(low for low, _ in limits)))
    assert np.isclose(result.high, max(high for _, high in limits))


def test_gap_of_shares_stays_within_one():
    sums, found = shares((1, 4), (4, 5), (2, 3))
    result = gap(sums, found, 0.95, 199, 0)
    assert result.high <= 1


def test_where_higher_is_better_the_lowest_is_worst():
    from dataclasses import replace

    sums, found = shares((50, 100), (90, 100))
    better = replace(found, metric=replace(SER, direction="higher"))
    assert (gap(sums, found, 0.95, 199, 0).worst, gap(sums, better, 0.95, 199, 0).worst) == (
        1,
        0,
    )


@pytest.mark.parametrize("sizes", [[10] * 5, [4, 20, 6]])
def test_false_alarms_when_groups_are_equal(sizes):
    rng = np.random.default_rng(len(sizes))
    low, homogeneous, larger = 0, 0, 0
    for run in range(4000):
        sums = speakers(rng, sizes, [0.15] * len(sizes))
        result = gap(sums, wer_of(sums), 0.95, 199, run)
        low += result.low > 0
        homogeneous += result.p_value <= 0.05
        larger += result.value > result.chance
    assert low / 4000 <= 0.05
    assert homogeneous / 4000 <= 0.06
    # What chance alone gives is about what is seen when there is nothing but chance.
    assert 0.35 < larger / 4000 < 0.65


def test_a_true_gap_is_covered_and_found():
    rng = np.random.default_rng(7)
    covered, found_it = 0, 0
    for run in range(1000):
        sums = speakers(rng, [30, 30, 30], [0.1, 0.15, 0.25])
        result = gap(sums, wer_of(sums), 0.95, 199, run)
        covered += result.low <= 0.15 <= result.high
        found_it += result.p_value <= 0.05
    assert covered / 1000 >= 0.95
    assert found_it / 1000 >= 0.95


def test_a_gap_ratio_holds_its_value_or_has_no_interval():
    rng = np.random.default_rng(11)
    for _ in range(50):
        sums = speakers(rng, [5, 6, 4], [0.1, 0.3, 0.2])
        result = gap(sums, wer_of(sums), 0.95, 199, 0)
        assert result.ratio == pytest.approx(max(wer_of(sums).value) / min(wer_of(sums).value))
        assert 1 <= result.ratio_low <= result.ratio <= result.ratio_high
    deaf = [[10, 0, 0, 100, 0]] * 4 + [[10, 90 + i, 10 - i, 0, 0] for i in range(8)]
    sums = sums_of(np.array(deaf), np.repeat([0, 1, 2], 4))
    result = gap(sums, wer_of(sums), 0.95, 199, 0)
    assert result.ratio > 5
    assert np.isnan([result.ratio_low, result.ratio_high]).all()


def test_a_group_that_fails_wholly_is_found():
    deaf = [[10, 0, 0, 100, 0]] * 4 + [[10, 90 + i, 10 - i, 0, 0] for i in range(8)]
    sums = sums_of(np.array(deaf), np.repeat([0, 1, 2], 4))
    contrast = versus_rest(sums, wer_of(sums), None)
    low, _ = contrast.difference_interval(0.95)
    assert low[0] > 0
    assert contrast.p_value[0] < 0.05
    assert gap(sums, wer_of(sums), 0.95, 999, 0).p_value < 0.01


def test_differences_to_the_rest_keep_their_level():
    rng = np.random.default_rng(8)
    rejected = 0
    for _ in range(4000):
        sums = speakers(rng, [12, 10, 15], [0.15] * 3)
        rejected += versus_rest(sums, wer_of(sums), None).p_value[0] <= 0.05
    assert rejected / 4000 <= 0.06


def test_percentile_gap_is_the_one_that_cannot_cover_zero():
    sums = speakers(np.random.default_rng(9), [20] * 5, [0.15] * 5)
    found = wer_of(sums, bootstrap_totals(sums, 500, 0))
    assert percentile_gap(found, 0.95)[0] > 0
    assert gap(sums, found, 0.95, 199, 0).low == 0


def deviation(sums):
    return between_group_deviation(sums, wer_of(sums))


def test_between_group_deviation_takes_the_sampling_error_off():
    rng = np.random.default_rng(10)
    equal = [deviation(speakers(rng, [20] * 6, [0.15] * 6)) for _ in range(200)]
    assert np.median(equal) < 0.012
    unequal = [deviation(speakers(rng, [20] * 4, [0.1, 0.2, 0.3, 0.4])) for _ in range(200)]
    assert abs(np.mean(unequal) - np.std([0.1, 0.2, 0.3, 0.4], ddof=1)) < 0.01
