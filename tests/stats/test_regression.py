import math
import tracemalloc
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import interpolate, optimize, special, stats

from fairaudit.stats.regression import adjusted_ratios, indicators, spline


@dataclass
class Data:
    errors: np.ndarray
    words: np.ndarray
    group: np.ndarray
    covariates: np.ndarray
    cluster: np.ndarray

    def ratios(self, reference=None, cluster=True, covariates=True, confidence=0.95):
        columns = self.covariates if covariates else np.empty((len(self.errors), 0))
        speakers = self.cluster if cluster else None
        return adjusted_ratios(
            self.errors, self.words, self.group, columns, speakers, reference, confidence
        )

    def take(self, index):
        columns = (self.errors, self.words, self.group, self.covariates, self.cluster)
        return Data(*(column[index] for column in columns))

    @property
    def crude(self):
        return np.bincount(self.group, self.errors) / np.bincount(self.group, self.words)


def utterances(rng, speakers, ratios, longer=0.6, deviation=0.5, each=40):
    """Log-normal speakers, some hundred words each; long utterances and men fare worse.

    The groups differ in their rates by `ratios`, in duration by `longer` standard deviations from
    one to the next, and in their share of men.
    """
    group = np.repeat(np.arange(len(speakers)), speakers)
    man = np.concatenate([np.arange(s) % (2 + g) == 0 for g, s in enumerate(speakers)])
    own = np.exp(rng.normal(-(deviation**2) / 2, deviation, len(group)))
    cluster = np.repeat(np.arange(len(group)), each)
    n = len(cluster)
    usual = longer * group + rng.normal(0, 0.3, len(group))
    duration = rng.normal(usual[cluster], 1)
    words = np.maximum(rng.poisson(12, n), 1)
    rate = 0.15 * np.array(ratios)[group] * own * np.exp(0.25 * man)
    errors = rng.poisson(words * rate[cluster] * np.exp(0.3 * duration))
    return Data(errors, words, group[cluster], np.column_stack([duration, man[cluster]]), cluster)


def mixed(seed, speakers=12, groups=3, each=15):
    """Speakers who are now of this group, now of that: of a recording condition, say."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(speakers), each)
    n = len(cluster)
    group, x = rng.integers(0, groups, n), rng.normal(size=(n, 2))
    words = rng.poisson(12, n) + 1
    own = rng.gamma(1 / 0.4, 0.4, speakers)[cluster]
    errors = rng.poisson(0.2 * words * own * np.exp(0.3 * x[:, 0] + 0.3 * group))
    return Data(errors, words, group, x, cluster)


# What is estimated


def most_likely(data):
    """Coefficients and k that maximise the written-out gamma frailty likelihood."""
    design = np.column_stack([np.eye(data.group.max() + 1)[data.group], data.covariates])
    c = np.bincount(data.cluster, data.errors)

    def loss(parameters):
        k, linear = np.exp(parameters[-1]), design @ parameters[:-1]
        mean = np.bincount(data.cluster, data.words * np.exp(linear))
        clusters = special.gammaln(c + k) - special.gammaln(k) + k * np.log(k)
        clusters = clusters - (c + k) * np.log(mean + k)
        return -(clusters.sum() + data.errors @ (np.log(data.words) + linear))

    start = np.zeros(design.shape[1] + 1)
    start[: data.group.max() + 1] = -1.5
    fine = {"xatol": 1e-8, "fatol": 1e-10, "maxiter": 9000}
    with np.errstate(over="ignore", invalid="ignore"):
        rough = optimize.minimize(loss, start, method="BFGS").x
        best = optimize.minimize(loss, rough, method="Nelder-Mead", options=fine).x
    return design, best[:-1], math.exp(best[-1])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_fit_against_the_written_out_likelihood(seed):
    data = mixed(seed)
    _, b, k = most_likely(data)
    found = data.ratios(reference=0)
    np.testing.assert_allclose(found.ratio, np.exp(b[:3] - b[0]), rtol=1e-5)
    assert math.isclose(found.frailty_sd, k**-0.5, rel_tol=1e-4)


@pytest.mark.parametrize("seed", [506, 640])
def test_fit_with_outliers_among_the_covariates(seed):
    # Newton's method with full steps ends elsewhere here.
    rng = np.random.default_rng(seed)
    n, speakers = int(rng.integers(30, 150)), int(rng.integers(5, 12))
    cluster, group = np.arange(n) % speakers, rng.integers(0, 2, n)
    x, words = rng.standard_t(1.5, size=(n, 2)), rng.poisson(12, n) + 1
    own = rng.gamma(2, 0.5, speakers)[cluster]
    errors = rng.poisson(0.15 * words * np.exp(np.clip(x[:, 0], -5, 3)) * own)
    data = Data(errors, words, group, x, cluster)
    _, b, k = most_likely(data)
    found = data.ratios(reference=0)
    assert math.isclose(found.ratio[1], math.exp(b[1] - b[0]), rel_tol=1e-5)
    assert math.isclose(found.frailty_sd, k**-0.5, rel_tol=1e-4)


def test_data_far_from_the_model_are_undefined():
    # A silent speaker at an outlier: nothing stops his expected errors from growing.
    rng = np.random.default_rng(1)
    n, speakers = int(rng.integers(5, 150)), int(rng.integers(2, 12))
    cluster, group = rng.integers(0, speakers, n), rng.integers(0, 2, n)
    x, words = rng.standard_t(1.1, size=(n, 2)), rng.poisson(12, n) + 1
    own = rng.gamma(0.3, 3, speakers)[cluster]
    errors = rng.poisson(0.15 * words * np.exp(np.clip(x[:, 0], -5, 4)) * own)
    found = Data(errors, words, group, x, cluster).ratios()
    assert not found.identified.any()
    assert np.isnan([found.ratio, found.low, found.high]).all()


def test_without_clusters_it_is_negative_binomial_regression():
    rng = np.random.default_rng(4)
    data = mixed(4, speakers=300, each=1)
    data.errors = rng.negative_binomial(2, 2 / (2 + 0.3 * data.words))
    design = np.column_stack([np.eye(3)[data.group], data.covariates])

    def loss(parameters):
        k, mean = np.exp(parameters[-1]), data.words * np.exp(design @ parameters[:-1])
        return -stats.nbinom.logpmf(data.errors, k, k / (k + mean)).sum()

    best = optimize.minimize(loss, np.zeros(6), method="BFGS", options={"gtol": 1e-6}).x
    found = data.ratios(reference=2, cluster=False)
    np.testing.assert_allclose(found.ratio, np.exp(best[:3] - best[2]), rtol=1e-5)
    assert math.isclose(found.frailty_sd, math.exp(-best[-1] / 2), rel_tol=1e-4)
    assert found.clusters == 300


def alike(groups=3, speakers=8, each=20, silent=()):
    """Speakers who differ by less than Poisson counts do, so that there is no speaker effect."""
    rng = np.random.default_rng(5)
    cluster = np.repeat(np.arange(groups * speakers), each)
    group = cluster % groups
    words = rng.integers(5, 20, len(cluster))
    errors = rng.binomial(words, 0.2 + 0.25 * group) * ~np.isin(group, silent)
    return Data(errors, words, group, rng.normal(size=(len(cluster), 1)), cluster)


def test_without_covariates_and_speaker_effects_it_is_the_crude_ratio():
    data = alike()
    found = data.ratios(covariates=False)
    assert found.frailty_sd == 0
    errors, words = np.bincount(data.group, data.errors), np.bincount(data.group, data.words)
    rest = (errors.sum() - errors) / (words.sum() - words)
    np.testing.assert_allclose(found.ratio, data.crude / rest, rtol=1e-6)
    against = data.ratios(covariates=False, reference=1)
    np.testing.assert_allclose(against.ratio, data.crude / data.crude[1], rtol=1e-6)


def test_a_group_without_errors_has_ratio_0_and_counts_for_the_rest():
    data = alike(silent=[1])
    found = data.ratios(covariates=False)
    assert found.ratio[1] == 0
    assert np.isnan([found.low[1], found.high[1], found.df[1]]).all()
    words = np.bincount(data.group, data.words)
    rest = data.crude[2] * words[2] / (words[1] + words[2])
    np.testing.assert_allclose(found.ratio[0], data.crude[0] / rest, rtol=1e-6)
    assert np.isfinite([found.low[0], found.high[2]]).all()
    assert found.identified.all()
    against = data.ratios(covariates=False, reference=1)
    assert np.isnan(against.ratio[[0, 2]]).all()


def test_what_is_said_of_records():
    data = mixed(6)
    found = data.ratios()
    data.words[:7] = 0
    fewer = data.ratios()
    assert (found.records, found.dropped, found.clusters) == (180, 0, 12)
    assert (fewer.records, fewer.dropped, fewer.clusters) == (173, 7, 12)
    without = data.take(slice(7, None)).ratios()
    np.testing.assert_array_equal(fewer.ratio, without.ratio)


@pytest.mark.parametrize("reference", [None, 1])
def test_the_order_of_records_and_the_units_of_covariates_change_nothing(reference):
    data = mixed(7)
    found = data.ratios(reference)
    other = data.take(np.random.default_rng(7).permutation(len(data.errors)))
    x = other.covariates
    other.covariates = np.column_stack([2020 + 1e3 * x, x.sum(axis=1), np.full(len(x), 0.1)])
    other.cluster = 10 - other.cluster  # from -1 on
    again = other.ratios(reference)
    for name in ("ratio", "low", "high", "df"):
        np.testing.assert_allclose(getattr(again, name), getattr(found, name), rtol=1e-6)
    assert again.identified.all()


# Intervals


def by_hand(data, contrast):
    """Mancl & DeRouen's variance and its Satterthwaite df, record by record, with n x n arrays."""
    design, b, k = most_likely(data)
    mean = data.words * np.exp(design @ b)
    same = data.cluster[:, None] == data.cluster
    covariance = np.diag(mean) + same * np.outer(mean, mean) / k
    slopes = design * mean[:, None]
    weighted = np.linalg.solve(covariance, slopes)  # inv(V) D
    bread = np.linalg.inv(slopes.T @ weighted)
    hat = slopes @ bread @ weighted.T
    residuals = np.eye(len(mean)) - hat
    rows = []  # what each cluster adds to the contrast, as a linear function of residuals
    for s in np.unique(data.cluster):
        own = data.cluster == s
        inflated = np.linalg.inv(residuals[np.ix_(own, own)])
        rows.append(own * 0.0)
        rows[-1][own] = contrast @ bread @ weighted[own].T @ inflated
    rows = np.array(rows)
    s = len(rows)
    variance = (s - 1) / s * np.sum((rows @ (data.errors - mean)) ** 2)
    omega = rows @ residuals @ covariance @ residuals.T @ rows.T
    return variance, np.trace(omega) ** 2 / np.sum(omega**2)


def nested(seed):
    """Groups and a covariate that are the same in all records of a speaker; unequal speakers."""
    data = utterances(np.random.default_rng(seed), [4, 7], [1, 2], each=12)
    return data.take(np.arange(len(data.errors)) % 12 < 3 + data.cluster)


@pytest.mark.parametrize("make", [mixed, nested])
@pytest.mark.parametrize("reference", [None, 0])
def test_interval_against_dense_algebra(make, reference):
    data = make(8)
    found = data.ratios(reference)
    _, b, _ = most_likely(data)
    groups = len(found.ratio)
    words = np.bincount(data.group, data.words)
    for g in range(1, groups):
        weights = words * np.exp(b[:groups]) * (np.arange(groups) != g)
        if reference is not None:
            weights = (np.arange(groups) == reference) * 1.0
        contrast = np.zeros(len(b))
        contrast[:groups] = (np.arange(groups) == g) - weights / weights.sum()
        variance, df = by_hand(data, contrast)
        half = stats.t.ppf(0.975, df) * math.sqrt(variance)
        assert math.isclose(found.df[g], df, rel_tol=1e-3)
        assert math.isclose(found.high[g] / found.ratio[g], math.exp(half), rel_tol=1e-3)
        assert math.isclose(found.ratio[g] / found.low[g], math.exp(half), rel_tol=1e-3)


def test_variance_is_about_that_of_refitting_without_each_speaker():
    data = utterances(np.random.default_rng(9), [12, 10], [1, 1.65])
    found = data.ratios(reference=0)
    logs = [
        math.log(data.take(data.cluster != s).ratios(reference=0).ratio[1])
        for s in np.unique(data.cluster)
    ]
    jackknife = 21 / 22 * np.sum((np.array(logs) - math.log(found.ratio[1])) ** 2)
    half = math.log(found.high[1] / found.ratio[1]) / stats.t.ppf(0.975, found.df[1])
    assert math.isclose(half**2, jackknife, rel_tol=0.08)


@pytest.mark.parametrize("speakers", [(6, 6), (10, 10), (30, 30), (4, 12)])
def test_planted_ratio_is_in_its_interval_as_often_as_promised(speakers):
    rng = np.random.default_rng(sum(speakers))
    hits = 0
    for _ in range(200):
        found = utterances(rng, speakers, [1, 1.65]).ratios(reference=0)
        hits += found.low[1] <= 1.65 <= found.high[1]
    assert 185 <= hits <= 199


def test_planted_ratios_against_the_rest():
    rng = np.random.default_rng(10)
    planted = np.array([1, 1.3, 2])
    true = planted / ((planted.sum() - planted) / 2)  # equal words, but for chance
    hits = np.zeros(3)
    for _ in range(200):
        found = utterances(rng, [9, 9, 9], planted, longer=0.3).ratios()
        hits += (found.low <= true) & (true <= found.high)
    assert (hits >= 184).all()
    assert hits.sum() <= 595


def test_a_gap_that_is_all_duration_goes_away():
    rng = np.random.default_rng(11)
    crude, logs, hits = [], [], 0
    for _ in range(200):
        data = utterances(rng, (10, 10), [1, 1], longer=1.1)
        crude.append(data.crude[1] / data.crude[0])
        found = data.ratios(reference=0)
        logs.append(math.log(found.ratio[1]))
        hits += found.low[1] <= 1 <= found.high[1]
    assert np.mean(crude) > 1.3
    assert abs(np.mean(logs)) < 2.5 * np.std(logs) / math.sqrt(200)
    assert np.std(logs) / math.sqrt(200) < 0.02  # so the line above says something
    assert 183 <= hits <= 199


def test_a_spline_takes_up_what_a_straight_line_leaves():
    rng = np.random.default_rng(12)
    cluster = np.repeat(np.arange(100), 100)
    group = cluster % 2
    x = rng.normal(1.5 * group, 1)
    words = rng.poisson(12, len(x)) + 1
    errors = rng.poisson(0.1 * words * np.exp(1.2 * np.minimum(x, 1)))  # whatever the group
    straight = Data(errors, words, group, x[:, None], cluster).ratios(reference=0)
    bent = Data(errors, words, group, spline(x), cluster).ratios(reference=0)
    assert not straight.low[1] < 1 < straight.high[1]
    assert bent.low[1] < 1 < bent.high[1]


# What cannot be told


def women_of_one_accent(groups=3):
    """All speakers of the last accent are women, and none of the others."""
    data = utterances(np.random.default_rng(13), [8] * groups, [1, 1.3, 2][:groups])
    woman = (data.group == groups - 1).astype(float)
    data.covariates = np.column_stack([data.covariates[:, 0], woman])
    return data


def test_two_groups_confounded_with_gender_have_no_ratio():
    found = women_of_one_accent(groups=2).ratios()
    assert not found.identified.any()
    assert np.isnan([found.ratio, found.low, found.high, found.df]).all()


def test_a_confounded_group_is_left_out_of_the_others_rest():
    data = women_of_one_accent()
    found = data.ratios()
    assert found.identified.tolist() == [True, True, False]
    assert np.isnan([found.ratio[2], found.low[2], found.high[2]]).all()
    np.testing.assert_allclose(found.ratio[:2], data.ratios(reference=0).ratio[1] ** [-1, 1])
    others = data.take(data.group < 2).ratios()
    np.testing.assert_allclose(found.ratio[:2], others.ratio, rtol=0.05)


def test_a_confounded_reference_has_nobody_to_compare_with():
    found = women_of_one_accent().ratios(reference=2)
    assert not found.identified.any()
    assert np.isnan(found.ratio).all()


def test_one_man_is_enough_to_tell_accent_from_gender():
    data = women_of_one_accent(groups=2)
    data.covariates[data.cluster == 15, 1] = 0
    found = data.ratios()
    assert found.identified.all()
    assert np.isfinite(found.ratio).all()
    # Without him it could not be told: what he says has no spread.
    assert np.isnan(found.low).all()


def test_a_group_of_one_speaker_has_no_interval_and_leaves_the_others_theirs():
    data = utterances(np.random.default_rng(14), [8, 8, 1], [1, 1.65, 1.5])
    found = data.ratios()
    assert np.isfinite(found.ratio).all()
    assert np.isnan([found.low[2], found.high[2]]).all()
    assert np.isfinite([found.low[:2], found.high[:2]]).all()
    assert np.isfinite(data.ratios(reference=0).low[1])
    assert np.isnan(data.ratios(reference=2).low).all()


def test_a_lone_speaker_makes_the_rest_less_certain():
    # What he is worth only the model can tell, and he says most of what the rest says.
    data = utterances(np.random.default_rng(15), [20, 20, 1], [1, 1, 1])
    talkative = np.repeat(np.arange(len(data.errors)), np.where(data.group == 2, 40, 1))
    found = data.take(talkative).ratios(covariates=False)
    half = math.log(found.high[0] / found.ratio[0]) / stats.t.ppf(0.975, found.df[0])
    assert half > 0.4 * found.frailty_sd  # the others alone: 0.25


def test_an_interval_without_end_is_none():
    # Two speakers on either side, a thousand times apart, at a level that t with few df ends at.
    words, cluster = np.full(80, 1000), np.repeat(np.arange(4), 20)
    errors = np.where(cluster % 2, 500, 1)
    data = Data(errors, words, cluster // 2, np.empty((80, 0)), cluster)
    data.errors[0] = 2
    found = data.ratios(confidence=1 - 1e-7)
    assert np.isfinite(found.ratio).all()
    assert np.isnan([found.low, found.high, found.df]).all()
    assert np.isfinite(data.ratios(confidence=0.95).high).all()


def test_one_speaker_in_each_group_gives_no_interval():
    found = utterances(np.random.default_rng(16), [1, 1, 1], [1, 2, 3]).ratios(covariates=False)
    assert np.isfinite(found.ratio).all()
    assert np.isnan([found.low, found.high]).all()


def test_speakers_who_do_not_vary_give_no_interval():
    errors, words, cluster = np.full(8, 2), np.full(8, 10), np.arange(8) // 2
    data = Data(errors, words, np.arange(8) % 2, np.empty((8, 0)), cluster)
    found = data.ratios()
    np.testing.assert_allclose(found.ratio, 1)
    assert np.isnan([found.low, found.high]).all()


def test_one_group_has_nothing_to_compare_with():
    data = mixed(17)
    data.group[:] = 0
    found = data.ratios()
    assert (found.ratio.shape, found.identified.tolist()) == ((1,), [False])
    assert np.isnan(found.ratio).all()


def test_no_errors_at_all():
    data = mixed(18)
    data.errors[:] = 0
    for found in (data.ratios(), data.ratios(reference=1, cluster=False)):
        assert np.isnan([found.ratio, found.low, found.high]).all()
        assert math.isnan(found.frailty_sd)
        assert found.identified.all()


def test_a_group_without_words_is_undefined():
    data = mixed(19)
    data.words[data.group == 1] = 0
    found = data.ratios()
    assert found.identified.tolist() == [True, False, True]
    assert np.isnan([found.ratio[1], found.low[1], found.high[1]]).all()
    assert math.isclose(found.ratio[0] * found.ratio[2], 1)
    assert np.isnan(data.ratios(reference=1).ratio).all()


@pytest.mark.parametrize("n", [0, 3])
def test_no_words_at_all(n):
    data = Data(*np.zeros((2, n)), np.arange(n), np.zeros((n, 1)), np.arange(n))
    found = data.ratios()
    assert (found.records, found.dropped, found.clusters, len(found.ratio)) == (0, n, 0, n)
    assert not found.identified.any()


def test_a_covariate_level_without_errors_harms_nobody():
    data = mixed(20)
    quiet = np.arange(len(data.errors)) % 5 == 0
    data.errors[quiet] = 0
    data.covariates = np.column_stack([data.covariates, quiet])
    found = data.ratios()
    others = data.take(~quiet)
    others.covariates = others.covariates[:, :2]
    expected = others.ratios(reference=0).ratio
    np.testing.assert_allclose(data.ratios(reference=0).ratio, expected, rtol=1e-6)
    assert np.isfinite([found.low, found.high]).all()


def test_groups_that_share_no_level_with_errors_cannot_be_told_apart():
    # Group 0 is recorded in noise only; of the others' records only those in quiet have errors.
    data = mixed(21)
    noisy = (data.group == 0) | (np.arange(len(data.errors)) % 3 == 0)
    data.errors[noisy & (data.group > 0)] = 0
    data.covariates = np.column_stack([data.covariates, noisy])
    found = data.ratios()
    assert found.identified.tolist() == [False, True, True]
    assert np.isnan(found.ratio[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"covariates": np.array([[np.nan], [0.0]])}, "finite"),
        ({"errors": np.array([0.5, 1])}, "whole"),
        ({"errors": np.array([-1, 1])}, "negative"),
        ({"words": np.array([-1, 1])}, "negative"),
    ],
)
def test_broken_input_is_refused(change, message):
    two = np.array([1, 1])
    data = Data(two, two, np.array([0, 1]), np.zeros((2, 1)), np.array([0, 1]))
    for name, value in change.items():
        setattr(data, name, value)
    with pytest.raises(ValueError, match=message):
        data.ratios()


@pytest.mark.parametrize("clustered", [True, False])
def test_many_records_take_bounded_memory(clustered):
    rng = np.random.default_rng(22)
    n = 200_000 if clustered else 100_000
    cluster = rng.integers(0, 500, n)
    words = rng.poisson(11, n)
    errors = rng.poisson(0.15 * words * rng.gamma(4, 0.25, 500)[cluster])
    data = Data(errors, words, cluster % 8, rng.normal(size=(n, 5)), cluster)
    tracemalloc.start()
    found = data.ratios(cluster=clustered)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.isfinite(found.low).all()
    assert peak < n * (1000 if clustered else 1500)  # the design alone takes 104


# Columns


def test_spline_spans_the_natural_cubic_splines_of_its_knots():
    x = np.random.default_rng(23).exponential(size=300)
    columns = spline(x)
    assert columns.shape == (300, 3)
    np.testing.assert_allclose(columns.T @ columns / 300, np.eye(3), atol=1e-10)
    np.testing.assert_allclose(columns.mean(axis=0), 0, atol=1e-12)
    knots = np.quantile(x, [0.05, 0.35, 0.65, 0.95])
    for heights in np.eye(4):
        natural = interpolate.CubicSpline(knots, heights, bc_type="natural")
        inside = np.clip(x, knots[0], knots[-1])
        target = natural(inside) + natural(inside, 1) * (x - inside)  # straight beyond the ends
        design = np.column_stack([np.ones(300), columns])
        fitted = design @ np.linalg.lstsq(design, target, rcond=None)[0]
        np.testing.assert_allclose(fitted, target, atol=1e-8)


@pytest.mark.parametrize(
    ("values", "columns"),
    [
        (np.full(9, 3.7e6), 0),
        (np.arange(40) % 2, 1),
        (np.arange(40) % 4, 1),
        (np.arange(40) % 5, 3),
        (np.append(np.zeros(60), np.arange(40)), 2),  # 5 and 35 % quantiles are 0: three knots
        (np.append(np.zeros(96), np.arange(9)), 1),
        (np.concatenate([np.full(40, 0.3), np.full(40, 0.1 * 3), np.arange(20) + 0.4]), 1),
        (np.empty(0), 0),
    ],
)
def test_spline_has_fewer_knots_where_values_coincide(values, columns):
    assert spline(values).shape == (len(values), columns)


def test_spline_does_not_depend_on_units():
    x = np.random.default_rng(24).normal(size=100)
    np.testing.assert_allclose(np.abs(spline(2020 + 1e4 * x)), np.abs(spline(x)), atol=1e-6)


def test_indicators():
    columns = indicators(np.array([7, 3, 3, 9]))
    np.testing.assert_array_equal(columns, [[1, 0], [0, 0], [0, 0], [0, 1]])
    assert indicators(np.zeros(4)).shape == (4, 0)
