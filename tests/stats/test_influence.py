import math
from functools import partial

import numpy as np
import pytest
from scipy import optimize, special, stats

from fairaudit.exceptions import FairauditError
from fairaudit.stats import intervals
from fairaudit.stats.influence import (
    average_precision,
    calibration_error,
    calibration_error_interval,
    calibration_intercept,
    calibration_slope,
    quantile,
    roc_auc,
    separation,
    units_of_rarer_label,
)

CLUSTER = np.arange(60) // 4
STATISTICS = {
    "auc": roc_auc,
    "ap": average_precision,
    "intercept": calibration_intercept,
    "slope": calibration_slope,
    "error": calibration_error,
    "clustered": lambda s, y, w: calibration_error(s, y, w, bins=4, cluster=CLUSTER),
}
#: Those without clusters that stand in a certain order.
ORDERLESS = [name for name in STATISTICS if name != "clustered"]


def records(seed, n=60, ties=True):
    """Scores, some of them equal, labels with too few positives for the scores, and weights."""
    rng = np.random.default_rng(seed)
    score = rng.random(n)
    score = score.round(1) if ties else score
    return score, rng.random(n) < score**2, rng.exponential(size=n)


@pytest.fixture
def fast_t(monkeypatch):
    """Quantiles from SciPy, as thousands of single ones are slow."""
    monkeypatch.setattr(
        intervals, "t_quantiles", lambda level, df: stats.t.ppf((1 + level) / 2, df)
    )


def by_differences(statistic, weight, step=1e-6):
    def value(i, factor):
        changed = weight.copy()
        changed[i] *= factor
        return statistic(changed).value

    return [(value(i, 1 + step) - value(i, 1 - step)) / (2 * step) for i in range(len(weight))]


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize("ties", [True, False])
def test_influences_are_derivatives_by_the_weights(name, ties):
    score, positive, weight = records(1, ties=ties)
    found = STATISTICS[name](score, positive, weight)
    expected = by_differences(lambda w: STATISTICS[name](score, positive, w), weight)
    assert 0.01 < np.abs(expected).max() < 1
    np.testing.assert_allclose(found.influence, expected, atol=1e-8)
    assert abs(found.influence.sum()) < 1e-12


@pytest.mark.parametrize("name", ["auc", "ap", "intercept", "slope"])
def test_weights_repeat_records_and_their_scale_means_nothing(name):
    score, positive, _ = records(2)
    times = np.random.default_rng(3).integers(0, 4, len(score))
    statistic = STATISTICS[name]
    once = statistic(score, positive, times * 0.1)
    repeated = statistic(*(np.repeat(column, times) for column in (score, positive)), None)
    assert np.isclose(once.value, repeated.value, rtol=1e-9)
    assert not once.influence[times == 0].any()
    index = np.repeat(np.arange(len(score)), times)
    np.testing.assert_allclose(
        np.bincount(index, repeated.influence, len(score)), once.influence, atol=1e-9
    )


def pairs(positive_score, negative_score):
    """Of each pair, whether it is in order; shape (n, m)."""
    ahead = np.subtract.outer(positive_score, negative_score)
    return (ahead > 0) + (ahead == 0) / 2


def test_auc_and_its_influences_against_delong_by_pairs():
    score, positive, _ = records(4)
    won = pairs(score[positive], score[~positive])
    found = roc_auc(score, positive)
    assert np.isclose(found.value, won.mean(), rtol=1e-12)
    structural = (won.mean(axis=1), won.mean(axis=0))
    for component, label in zip(structural, (positive, ~positive), strict=True):
        own = found.influence[label]
        np.testing.assert_allclose(own, (component - won.mean()) / len(own), atol=1e-15)
        # DeLong's S10 / m and S01 / n, but for the factor of small samples.
        m = len(own)
        assert np.isclose(own @ own * m / (m - 1), component.var(ddof=1) / m)


def test_weighted_separation_by_pairs():
    score, positive, weight = records(5)
    up, down = weight[positive], weight[~positive]
    chance = up @ pairs(score[positive], score[~positive]) @ down / (up.sum() * down.sum())
    samples = separation(score[positive], score[~positive], up, down)
    for sample in samples:
        assert np.isclose(sample.value, chance)
        assert abs(sample.influence.sum()) < 1e-14
    turned = separation(score[~positive], score[positive], down, up)
    assert np.isclose(turned[0].value, 1 - chance)
    np.testing.assert_allclose(turned[1].influence, -samples[0].influence, atol=1e-15)


def test_average_precision_threshold_by_threshold():
    score, positive, weight = records(6)
    value = before = 0.0
    for threshold in sorted(set(score), reverse=True):
        chosen = score >= threshold
        hits = weight[chosen & positive].sum()
        recall = hits / weight[positive].sum()
        value += (recall - before) * hits / weight[chosen].sum()
        before = recall
    assert np.isclose(average_precision(score, positive, weight).value, value, rtol=1e-12)


def test_ranking_that_says_nothing_or_all():
    positive = np.array([1, 0, 1, 0])
    assert roc_auc(np.ones(4), positive).value == 0.5
    assert average_precision(np.ones(4), positive).value == 0.5
    perfect = roc_auc(positive, positive)
    assert perfect.value == average_precision(positive, positive).value == 1
    assert not perfect.influence.any()
    assert average_precision(np.arange(3), np.ones(3)).value == 1


def logistic(design, positive, weight, offset):
    """Maximum likelihood by a general optimiser."""

    def loss(b):
        linear = offset + design @ b
        return weight @ (np.logaddexp(0, linear) - positive * linear)

    return optimize.minimize(loss, np.zeros(design.shape[1]), tol=1e-12).x


def test_calibration_against_a_general_optimiser():
    score, positive, weight = records(7)
    log_odds = special.logit(np.clip(score, 1e-6, 1 - 1e-6))
    ones = np.ones((len(score), 1))
    a = logistic(ones, positive, weight, log_odds)[0]
    b = logistic(np.column_stack([log_odds, ones]), positive, weight, np.zeros(len(score)))[0]
    assert np.isclose(calibration_intercept(score, positive, weight).value, a, atol=1e-5)
    assert np.isclose(calibration_slope(score, positive, weight).value, b, atol=1e-5)


def test_newton_finds_far_maxima():
    # Scores that are wrong without exception but two, and scores that are right but for two.
    score = np.concatenate([np.linspace(1e-6, 0.4, 50), np.linspace(0.6, 1, 50)])
    positive = score > 0.5
    positive[[49, 50]] = [True, False]
    for label in (positive, ~positive):
        log_odds = special.logit(np.clip(score, 1e-6, 1 - 1e-6))
        design = np.column_stack([log_odds, np.ones(100)])
        expected = logistic(design, label, np.ones(100), np.zeros(100))[0]
        found = calibration_slope(score, label)
        assert np.isclose(found.value, expected, rtol=1e-4)
        assert abs(found.influence.sum()) < 1e-10
    near_zero = calibration_intercept(np.full(1000, 0.0), np.arange(1000) < 999)
    assert np.isclose(near_zero.value, math.log(999) - special.logit(1e-6))


@pytest.mark.parametrize(
    ("score", "positive"),
    [
        ([0.1, 0.3, 0.7], [1, 1, 1]),  # one label
        ([0.4, 0.4, 0.4], [0, 1, 1]),  # one score
        ([0.1, 0.3, 0.3, 0.7], [0, 0, 1, 1]),  # separated but for a tie
        ([0.1, 0.2, 0.7, 0.8], [1, 1, 0, 0]),  # separated the wrong way
        ([0.0, 1e-9, 1e-7, 0.0], [0, 1, 0, 1]),  # one score once clipped
        ([], []),
    ],
)
def test_no_slope_fits_best(score, positive):
    found = calibration_slope(np.array(score), np.array(positive))
    assert math.isnan(found.value)
    assert found.influence.tolist() == [0.0] * len(score)


def test_undefined_values_are_nan_with_influence_zero():
    score = np.array([0.2, 0.4])
    for statistic in (roc_auc, average_precision, calibration_intercept):
        found = statistic(score, np.zeros(2))
        assert math.isnan(found.value)
        assert found.influence.tolist() == [0, 0]
    # A label that has no weight is not there.
    assert math.isnan(roc_auc(score, np.array([0, 1]), np.array([1.0, 0.0])).value)
    assert math.isnan(calibration_slope(score, np.array([0, 1]), np.array([1.0, 0.0])).value)


@pytest.mark.parametrize("cluster", [None, CLUSTER])
def test_calibration_error_pair_by_pair(cluster):
    score, positive, weight = records(8)
    unit = np.arange(60) if cluster is None else cluster
    error, bin = positive - score, np.minimum(np.floor(score * 5), 4)
    square = total = 0.0
    for b in range(5):
        here = np.flatnonzero(bin == b)
        different = unit[here][:, None] != unit[here]
        both = np.outer(weight[here], weight[here]) * different
        square += (
            weight[here].sum() * (both * np.outer(error[here], error[here])).sum() / both.sum()
        )
        total += weight[here].sum()
    assert square > 0
    found = calibration_error(score, positive, weight, 5, cluster)
    assert np.isclose(found.value, math.sqrt(square / total), rtol=1e-12)


def test_calibration_error_leaves_out_what_tells_nothing():
    score, positive = np.array([0.65, 0.65, 0.05]), np.array([1, 1, 1])
    assert np.isclose(calibration_error(score, positive).value, 0.35)
    assert math.isnan(calibration_error(score[1:], positive[1:]).value)
    assert np.isnan(calibration_error_interval(score[1:], positive[1:])).all()
    one_speaker = calibration_error(score, positive, cluster=np.zeros(3, dtype=int))
    assert math.isnan(one_speaker.value)
    assert not one_speaker.influence.any()


def right_scores(rng, n, shift=0.0):
    log_odds = rng.normal(-0.5, 1.2, n)
    return special.expit(log_odds), rng.random(n) < special.expit(log_odds + shift)


def plug_in(score, positive, bins=10):
    bin = np.minimum((score * bins).astype(int), bins - 1)
    return np.abs(np.bincount(bin, positive - score)).sum() / len(score)


@pytest.mark.parametrize(("n", "usual", "ours"), [(50, 0.142, 0.052), (200, 0.071, 0.024)])
def test_small_groups_are_not_accused(n, usual, ours):
    # The figures of the docstring: scores are right, so that the true error is 0.
    rng = np.random.default_rng(9)
    samples = [right_scores(rng, n) for _ in range(1500)]
    assert abs(np.mean([plug_in(*sample) for sample in samples]) - usual) < 0.005
    assert abs(np.mean([calibration_error(*sample).value for sample in samples]) - ours) < 0.006


@pytest.mark.parametrize(("shift", "truth"), [(0.0, 0.0), (0.4, 0.0798), (1.5, 0.2921)])
@pytest.mark.parametrize("n", [30, 200])
def test_coverage_of_the_calibration_error(shift, truth, n, fast_t):
    rng = np.random.default_rng(10)
    hits = 0
    for _ in range(400):
        score, positive = right_scores(rng, n, shift)
        low, high = calibration_error_interval(score, positive)
        hits += low <= truth <= high
        assert low <= calibration_error(score, positive).value <= high
    assert hits / 400 >= 0.92


def test_errors_that_speakers_share_are_no_errors_of_the_scores(fast_t):
    rng = np.random.default_rng(15)
    speaker, hits, values = np.repeat(np.arange(40), 25), 0, []
    for _ in range(300):
        own = rng.normal(0, 0.5, 40)[speaker]
        log_odds = rng.normal(-0.5, 0.85, 1000) + rng.normal(0, 0.85, 40)[speaker]
        positive = rng.random(1000) < special.expit(log_odds + own)
        score = special.expit(log_odds)
        low, high = calibration_error_interval(score, positive, cluster=speaker)
        hits += low <= 0.0083 <= high
        kinds = (None, speaker)
        values.append([calibration_error(score, positive, cluster=kind).value for kind in kinds])
    assert hits / 300 >= 0.95
    ignored, known = np.mean(values, axis=0)
    assert known < 0.016
    assert ignored > 1.15 * known


def test_quantile_is_numpys_without_weights():
    values = np.random.default_rng(11).normal(size=37).round(1)
    for tau in (0.01, 0.25, 0.5, 0.9, 0.99):
        assert quantile(values, tau).value == pytest.approx(np.quantile(values, tau), rel=1e-14)
        same = quantile(values, tau, np.full(37, 0.3))
        assert np.isclose(same.value, np.quantile(values, tau))


def test_weighted_quantile_by_hand():
    # Middles of the weights 1, 2, 1 from the first on: 0, 1.5, 3.
    values, weight = np.array([30.0, 10.0, 20.0]), np.array([1.0, 1.0, 2.0])
    assert [quantile(values, tau, weight).value for tau in (0.25, 0.5, 0.75)] == [15, 20, 25]
    assert quantile(values, 0.25, np.array([0.0, 1.0, 1.0])).value == 12.5
    assert quantile(values[:1], 0.9).value == 30
    assert math.isnan(quantile(values[:0], 0.9).value)


def test_quantile_influence_is_that_of_the_distribution_function_over_the_density():
    values = np.random.default_rng(12).normal(size=20_000)
    for tau in (0.1, 0.5, 0.9):
        true = stats.norm.ppf(tau)
        expected = (tau - (values <= true)) / (20_000 * stats.norm.pdf(true))
        found = quantile(values, tau).influence
        assert np.isclose(found @ found, expected @ expected, rtol=0.2)
        assert np.corrcoef(found, expected)[0, 1] > 0.98
        assert abs(found.sum()) < 1e-12


def test_no_influence_where_the_density_is_unknown():
    assert not quantile(np.ones(50), 0.5).influence.any()
    assert not quantile(np.arange(29.0), 0.9).influence.any()
    assert quantile(np.arange(30.0), 0.9).influence.any()
    # Fifty records that weigh as much as ten.
    few = np.where(np.arange(50) < 10, 1.0, 1e-9)
    assert not quantile(np.arange(50.0), 0.9, few).influence.any()


@pytest.mark.parametrize("name", [*ORDERLESS, "quantile"])
def test_order_of_records_means_nothing(name):
    score, positive, weight = records(13)
    order = np.random.default_rng(14).permutation(60)
    if name == "quantile":
        first, second = quantile(score, 0.8, weight), quantile(score[order], 0.8, weight[order])
    else:
        first = STATISTICS[name](score, positive, weight)
        second = STATISTICS[name](score[order], positive[order], weight[order])
    assert np.isclose(first.value, second.value, rtol=1e-12)
    np.testing.assert_allclose(first.influence[order], second.influence, atol=1e-13)


def test_scores_must_be_probabilities():
    with pytest.raises(FairauditError, match=r"1 of 2 are not, the first is 1\.5"):
        calibration_error(np.array([0.2, 1.5]), np.array([0, 1]))


@pytest.mark.parametrize(
    ("score", "positive", "weight", "message"),
    [
        ([0.1, math.nan], [0, 1], [1, 1], "finite"),
        ([0.1, 0.2], [0, 1], [1, -1], "negative"),
        ([0.1, 0.2], [0, 2], [1, 1], "0 or 1"),
        ([0.1, 0.2], [0, 1, 1], [1, 1], "0 or 1"),
        ([0.1, 0.2], [0, 1], [1, 1, 1], "equally many"),
    ],
)
def test_what_would_make_numbers_wrong_is_refused(score, positive, weight, message):
    columns = (np.array(column) for column in (score, positive, weight))
    with pytest.raises(ValueError, match=message):
        roc_auc(*columns)


def variance_of(found, cluster):
    own = found.influence if cluster is None else np.bincount(cluster, found.influence)
    return own @ own * len(own) / (len(own) - 1)


def coverage(statistic, sample, truth, bounded, cluster=None, runs=1000):
    """Share of t intervals with df from the units of the rarer label that hold the truth."""
    found = []
    for _ in range(runs):
        score, positive = sample()
        one = statistic(score, positive)
        units = units_of_rarer_label(positive, cluster=cluster)
        if np.isfinite(one.value) and units > 1:
            found.append((one.value, variance_of(one, cluster), units))
    low, high = limits(*np.transpose(found), bounded)
    return np.mean((low <= truth) & (truth <= high))


def limits(value, variance, units, bounded):
    df, range = units - 1, "bounded"
    if not bounded:
        half = intervals.t_quantiles(0.95, df) * np.sqrt(variance)
        return value - half, value + half
    low, high = intervals.linearised(value, variance, df, range, 0.95)
    alike = variance <= 1e-24
    none = intervals.from_effective_n(value, units, np.ones(len(units)), range, df, 0.95)
    return np.where(alike, none[0], low), np.where(alike, none[1], high)


def binormal(rng, n, share, apart, clusters=None):
    """Positives score `apart` standard deviations higher; half the variance is the cluster's."""
    positive = rng.random(n) < share
    if clusters is None:
        return rng.normal(size=n) + apart * positive, positive
    own = np.repeat(rng.normal(0, math.sqrt(0.5), clusters), n // clusters)
    return rng.normal(0, math.sqrt(0.5), n) + own + apart * positive, positive


def true_average_precision(share, apart):
    at = np.linspace(-8, 12, 200_001)
    hits, others = share * stats.norm.sf(at - apart), (1 - share) * stats.norm.sf(at)
    return (stats.norm.pdf(at - apart) * hits / (hits + others)).sum() * (at[1] - at[0])


DESIGNS = [(30, 0.5, None), (30, 0.1, None), (200, 0.5, None), (200, 0.1, None), (200, 0.3, 40)]


@pytest.mark.parametrize("apart", [0.4, 1.2])
@pytest.mark.parametrize(("n", "share", "clusters"), DESIGNS)
def test_coverage_of_rankings(n, share, clusters, apart, fast_t):
    rng = np.random.default_rng(16)
    cluster = None if clusters is None else np.arange(n) // (n // clusters)
    truths = {
        roc_auc: stats.norm.cdf(apart / math.sqrt(2)),
        average_precision: true_average_precision(share, apart),
    }
    for statistic, truth in truths.items():
        sample = partial(binormal, rng, n, share, apart, clusters)
        covered = coverage(statistic, sample, truth, True, cluster)
        assert covered >= 0.91, (statistic, covered)
        assert covered <= 0.975 or n == 30, (statistic, covered)


def test_all_records_as_degrees_of_freedom_cover_too_little():
    # Why `units_of_rarer_label` is there: 3 positives among 30.
    rng = np.random.default_rng(17)
    found = []
    for _ in range(1000):
        one = roc_auc(*binormal(rng, 30, 0.1, 0.4))
        found.append((one.value, variance_of(one, None)))
    value, variance = np.transpose(found)[:, np.isfinite(np.transpose(found)[0])]
    low, high = intervals.linearised(value, variance, np.full(len(value), 29.0), "bounded", 0.95)
    truth = stats.norm.cdf(0.4 / math.sqrt(2))
    assert np.mean((low <= truth) & (truth <= high)) < 0.9


def logit_normal(rng, n, share, shift, slope):
    log_odds = rng.normal(special.logit(share), 1, n)
    positive = rng.random(n) < special.expit(shift + slope * log_odds)
    return special.expit(log_odds), positive


@pytest.mark.parametrize(("n", "share"), [(30, 0.5), (200, 0.5), (200, 0.1)])
def test_coverage_of_calibration_curves(n, share, fast_t):
    rng = np.random.default_rng(18)
    for shift, slope, truth, statistic in (
        (0, 1, 0, calibration_intercept),
        (1, 1, 1, calibration_intercept),
        (0, 1, 1, calibration_slope),
        (0, 0.5, 0.5, calibration_slope),
    ):
        sample = partial(logit_normal, rng, n, share, shift, slope)
        covered = coverage(statistic, sample, truth, False, runs=400)
        assert 0.91 <= covered <= 0.995, (statistic, shift, slope, covered)


@pytest.mark.parametrize(("n", "tau"), [(30, 0.5), (30, 0.9), (200, 0.5), (200, 0.95)])
def test_coverage_of_quantiles(n, tau, fast_t):
    rng = np.random.default_rng(19)
    found = [quantile(rng.lognormal(size=n), tau) for _ in range(1500)]
    value = np.array([one.value for one in found])
    variance = np.array([variance_of(one, None) for one in found])
    low, high = limits(value, variance, n, bounded=False)
    truth = stats.lognorm(1).ppf(tau)
    assert 0.91 <= np.mean((low <= truth) & (truth <= high)) <= 0.97


def test_coverage_of_a_median_of_clusters(fast_t):
    rng = np.random.default_rng(20)
    found = []
    for _ in range(1500):
        one = quantile((rng.normal(size=(40, 1)) + rng.normal(size=(40, 5))).ravel(), 0.5)
        found.append((one.value, variance_of(one, np.repeat(np.arange(40), 5))))
    low, high = limits(*np.transpose(found), 40, bounded=False)
    assert 0.92 <= np.mean((low <= 0) & (high >= 0)) <= 0.97


def test_units_of_the_rarer_label_by_hand():
    positive = np.array([1, 1, 0, 0, 0])
    assert units_of_rarer_label(positive) == units_of_rarer_label(1 - positive) == 2
    assert units_of_rarer_label(positive, np.array([1, 0, 1, 1, 1])) == 1
    assert units_of_rarer_label(positive, None, np.array([3, 4, 7, 7, 7])) == 1


def test_density_of_evenly_spread_values_up_to_their_end():
    # 0 ... 29: the density is 1/29, also where the interval about 0.9 goes beyond the last value.
    found = quantile(np.arange(30.0), 0.9)
    below = np.arange(30) <= 26
    np.testing.assert_allclose(found.influence, (0.9 - below) / 30 * 29, atol=1e-12)
