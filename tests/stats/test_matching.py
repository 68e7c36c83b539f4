import numpy as np
import pytest
from scipy import optimize

from fairaudit.exceptions import FairauditError
from fairaudit.stats.matching import balance, match, propensity


def confounded(seed, n=3000):
    """Records of a group that are older and longer, and keys that name them."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(size=n), rng.exponential(size=n), rng.integers(0, 2, n)])
    odds = np.exp(0.9 * x[:, 0] + 0.5 * x[:, 1] + 0.4 * x[:, 2] - 2)
    return x, rng.random(n) < odds / (1 + odds), rng.permutation(n).astype(np.uint64)


def greedy(scores, treated, key, widest):
    """What the docstring of `match` says, word by word."""
    free = set(np.flatnonzero(~treated))
    pairs = []
    for i in sorted(np.flatnonzero(treated), key=lambda i: (-scores[i], key[i])):
        near = min(free, key=lambda j: (abs(scores[i] - scores[j]), key[j]), default=None)
        if near is not None and abs(scores[i] - scores[near]) <= widest:
            pairs.append([i, near])
            free.remove(near)
    return np.array(pairs, dtype=int).reshape(-1, 2)


@pytest.mark.parametrize("caliper", [None, 1.0, 0.2, 0.0])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("digits", [0, 1, 9])  # with few digits most scores are tied
def test_greedy_matching_against_brute_force(caliper, share, digits):
    rng = np.random.default_rng(round(100 * share) + digits)
    for n in (2, 7, 40, 200):
        scores = rng.normal(size=n).round(digits) + 0.0
        treated = rng.random(n) < share
        key = rng.permutation(n)
        widest = np.inf if caliper is None else caliper * np.std(scores, ddof=1)
        expected = greedy(scores, treated, key, widest)
        np.testing.assert_array_equal(match(scores, treated, key, caliper), expected)


def test_many_equal_scores_are_matched_in_the_order_of_their_keys():
    key = np.random.default_rng(1).permutation(20_000)
    treated = key % 2 == 0
    pairs = match(np.zeros(20_000), treated, key)
    np.testing.assert_array_equal(key[pairs], np.arange(20_000).reshape(-1, 2))


def test_nobody_to_match_with():
    assert match(np.zeros(1), np.array([True]), np.zeros(1)).shape == (0, 2)
    assert match(np.zeros(3), np.ones(3, bool), np.arange(3)).shape == (0, 2)
    assert match(np.zeros(3), np.zeros(3, bool), np.arange(3)).shape == (0, 2)


def test_propensity_against_scipy():
    x, treated, _ = confounded(2)
    design = np.column_stack([np.ones(len(x)), x])

    def loss(b):
        return np.logaddexp(0, design @ b).sum() - (design @ b)[treated].sum()

    expected = design @ optimize.minimize(loss, np.zeros(4), method="BFGS").x
    np.testing.assert_allclose(propensity(treated, x), expected, atol=2e-3)


def test_propensity_with_outliers():
    # Newton's method with full steps runs away here.
    rng = np.random.default_rng(140)
    n = int(rng.integers(10, 200))
    x = rng.standard_t(1.2, size=(n, 2)) * rng.choice([1, 10])
    treated = rng.random(n) < 1 / (1 + np.exp(-2 * x[:, 0]))
    scores = propensity(treated, x)
    left = treated - 1 / (1 + np.exp(-scores))
    np.testing.assert_allclose(
        [left.sum(), *(left @ (x / x.std(axis=0)))], 0, atol=0.02
    )  # penalised


def test_scores_do_not_depend_on_units_or_repeated_covariates():
    x, treated, _ = confounded(3)
    moved = np.column_stack([2020 + 1e4 * x, x[:, 0], np.full(len(x), 0.1)])
    np.testing.assert_allclose(propensity(treated, moved), propensity(treated, x), atol=1e-4)


def test_without_covariates_all_scores_are_the_share():
    scores = propensity(np.array([True, False, False, False]), np.empty((4, 0)))
    np.testing.assert_allclose(scores, np.log(1 / 3))


def test_the_order_of_records_changes_nothing():
    x, treated, key = confounded(4)
    x[:, :2] = x[:, :2].round(0)  # many equal scores
    scores = propensity(treated, x)
    pairs = key[match(scores, treated, key, 0.1)]
    assert len(pairs) > 300
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(x))
        again = propensity(treated[order], x[order])
        np.testing.assert_array_equal(again, scores[order])  # to the last bit
        found = key[order][match(again, treated[order], key[order], 0.1)]
        np.testing.assert_array_equal(found, pairs)


def test_groups_that_a_covariate_tells_apart_find_no_match():
    treated = np.arange(100) < 40
    noise = np.random.default_rng(5).normal(size=100)
    x = np.column_stack([treated * 1.0, noise])
    scores = propensity(treated, x)
    design = np.column_stack([np.ones(100), (x - x.mean(axis=0)) / x.std(axis=0)])

    def slopes(b):  # of the likelihood less 1/2 1e-4 b^2
        p = 1 / (1 + np.exp(-(design @ b)))
        return design.T @ (treated - p) - 1e-4 * np.array([0, b[1], b[2]])

    best = optimize.root(slopes, [0, 9, 0]).x
    np.testing.assert_allclose(scores, design @ best, rtol=1e-5)
    assert scores[treated].min() > scores[~treated].max() + 10
    assert len(match(scores, treated, np.arange(100))) == 0


@pytest.mark.parametrize("kind", [True, False])
def test_one_kind_of_records_is_an_error(kind):
    with pytest.raises(FairauditError, match="inside and outside the group; [03] of 3"):
        propensity(np.full(3, kind), np.zeros((3, 1)))


def test_scores_of_unknown_covariates_are_refused():
    with pytest.raises(ValueError, match="finite"):
        propensity(np.array([True, False]), np.array([[1.0], [np.nan]]))


def test_matching_balances_what_confounds():
    x, treated, key = confounded(6)
    pairs = match(propensity(treated, x), treated, key)
    before, after = balance(x, treated, pairs)
    assert (np.abs(before) > 0.15).all()
    assert (np.abs(after) < 0.1).all()
    assert len(pairs) > 0.7 * treated.sum()
    assert len(np.unique(pairs)) == pairs.size  # without replacement
    assert treated[pairs[:, 0]].all()
    assert not treated[pairs[:, 1]].any()


def test_a_narrower_caliper_balances_more_with_fewer():
    x, treated, key = confounded(7)
    scores = propensity(treated, x)
    wide, narrow = (match(scores, treated, key, width) for width in (None, 0.001))
    left = [np.abs(balance(scores[:, None], treated, pairs)[1][0]) for pairs in (wide, narrow)]
    assert len(narrow) < len(wide)
    assert left[1] < 0.001 < left[0]


def test_balance_by_hand():
    # Means 3 and 1, variances 2 and 2; the pair is equal.
    x = np.array([[2.0], [4.0], [0.0], [2.0]])
    before, after = balance(x, np.array([1, 1, 0, 0], bool), np.array([[0, 3]]))
    assert np.isclose(before[0], 2 / np.sqrt(2))
    assert after[0] == 0


def test_balance_of_constants_is_perfect_and_of_opposites_undefined():
    treated = np.arange(10) < 3
    x = np.column_stack([np.full(10, 0.1), np.where(treated, 0.2, 0.1)])
    before, after = balance(x, treated, np.array([[0, 5], [1, 6]]))
    np.testing.assert_array_equal(before, [0, np.nan])
    np.testing.assert_array_equal(after, [0, np.nan])


def test_balance_without_pairs_or_with_single_records():
    x, none = np.array([[1.0], [2.0], [4.0]]), np.empty((0, 2), dtype=int)
    before, after = balance(x, np.array([True, False, False]), none)
    assert np.isclose(before[0], -2 / 1)  # the variances are 0 and 2
    assert np.isnan(after).all()
