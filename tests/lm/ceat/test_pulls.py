"""An effect size as a mean of records: the same value, and the same interval."""

import numpy as np
import pytest

from fairaudit.lm.ceat import sample
from fairaudit.lm.ceat.audit import _audited_sums
from fairaudit.lm.ceat.pulls import effects
from fairaudit.metrics import METRICS
from fairaudit.stats.estimates import estimate
from tests.lm.ceat.worlds import World, association_test

CEAT = METRICS["ceat_effect"]


def summed(value, pulls, half, confidence=0.95):
    """Value and interval, from sums as every audit makes them."""
    found = effects(value, pulls, half, confidence)
    counts = np.column_stack([np.ones(len(found)), found, np.ones(len(found))])
    sums = _audited_sums(CEAT, {"t": counts})
    made = estimate(CEAT, sums.columns, sums.spread, clustered=False)
    (low,), (high,) = made.interval(confidence)
    return float(made.value[0]), low, high


def audited(draws, confidence=0.95, variance="paper"):
    low, high = draws.interval(confidence, variance)
    value = draws.combined(variance).effect
    return summed(value, draws.pulls(variance), (high - low) / 2, confidence)


@pytest.mark.parametrize("variance", ["paper", "hedges-olkin"])
@pytest.mark.parametrize("sentences", [2, 3, 25])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_sums_give_the_interval_of_the_draws(variance, sentences, confidence):
    test = association_test(3, 4, 3, 2)
    vectors = World(test).sentences(np.random.default_rng(sentences), sentences)
    draws = sample(test, vectors, 2000)
    value, low, high = audited(draws, confidence, variance)
    assert value == pytest.approx(draws.combined(variance).effect, abs=1e-9)
    assert (low, high) == pytest.approx(draws.interval(confidence, variance), rel=1e-6, abs=1e-9)


def test_other_levels_agree_within_a_few_per_cent():
    """Gates take their bounds from the sums at levels of their own."""
    test = association_test()
    vectors = World(test).sentences(np.random.default_rng(0), 40)
    draws = sample(test, vectors, 5000)
    low, high = draws.interval(0.95)
    found = effects(draws.combined().effect, draws.pulls(), (high - low) / 2, 0.95)
    for level in (0.8, 0.9, 0.99):
        counts = np.column_stack([np.ones(len(found)), found, np.ones(len(found))])
        sums = _audited_sums(CEAT, {"t": counts})
        made = estimate(CEAT, sums.columns, sums.spread, clustered=False)
        assert np.ptp(made.interval(level)) == pytest.approx(
            np.ptp(draws.interval(level)), rel=0.03
        )


def test_pulls_are_those_of_the_sentences():
    """As other draws tell them: the mean effect size of those that took the sentence."""
    test = association_test(2, 2, 2, 2)
    vectors = World(test).sentences(np.random.default_rng(3), 6)
    pulls = sample(test, vectors, 20_000).pulls()
    assert [len(each) for each in pulls] == [6] * 8
    others = sample(test, vectors, 50_000, seed=1)
    for taken, pull in zip(others.context, pulls, strict=True):
        means = np.array([others.effect[taken == i].mean() for i in range(6)])
        assert abs(pull.sum()) < 1e-9
        # Their squares add up to a sixth of the unbiased variance of six means.
        np.testing.assert_allclose(pull * 30**0.5, means - means.mean(), atol=0.1)


def test_covers_what_it_says():
    """400 samples of sentences from a world whose combined effect size is known."""
    test = association_test(2, 2, 2, 2)
    world, rng = World(test, seed=5), np.random.default_rng(12)
    truth = sample(test, world.sentences(rng, 20_000), 100_000).combined().effect
    covered = 0
    for seed in range(400):
        draws = sample(test, world.sentences(rng, 15), 300, seed)
        _, low, high = audited(draws)
        covered += low <= truth <= high
    assert 0.92 <= covered / 400 <= 0.975


def test_one_record_where_there_is_no_interval():
    assert effects(0.5, [], np.nan, 0.95).tolist() == [0.5]
    assert effects(0.5, [np.zeros(1)], 0.1, 0.95).tolist() == [0.5]


def test_draws_that_tell_no_sentence_apart():
    value, low, high = summed(0.5, [np.zeros(4), np.zeros(3)], 0.2)
    assert (value, low, high) == pytest.approx((0.5, 0.3, 0.7))
