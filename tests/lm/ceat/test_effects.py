import math

import numpy as np
import pytest

from fairaudit.exceptions import FairauditError
from fairaudit.lm.ceat import Draws, combine, sample
from fairaudit.lm.ceat.effects import Tables, hedges_olkin, magnitude
from fairaudit.lm.ceat.weat import associations, effect_size
from tests.lm.ceat.worlds import World, association_test

#: Effect sizes, variances; tau squared, combined effect, standard error, two-tailed p. By hand
#: from the supplement's formulas.
COMBINED = [
    ([0.5, 1, 1.5], [0.1, 0.2, 0.3], 0.0666667, 0.8688525, 0.2831002, 0.00214731),
    ([0.5, 1, 1.5], [0.01, 0.02, 0.03], 0.2316667, 0.9867480, 0.2894832, 6.52844e-4),
    ([-0.4, 0.1, 0.9, -0.2], [0.02, 0.01, 0.05, 0.04], 0.1842857, 0.0802602, 0.2308229,
     0.728056),
]  # fmt: skip


@pytest.mark.parametrize(("effect", "variance", "tau", "value", "error", "p"), COMBINED)
def test_worked_examples(effect, variance, tau, value, error, p):
    found = combine(np.array(effect), np.array(variance))
    assert found.between_variance == pytest.approx(tau, abs=1e-7)
    assert found.effect == pytest.approx(value, abs=1e-7)
    assert found.standard_error == pytest.approx(error, abs=1e-7)
    assert found.p_value == pytest.approx(p, abs=1e-6)
    assert found.z == pytest.approx(value / error, abs=1e-5)


def plainly(effect, variance):
    """The formulas of the supplement, term by term: effect, standard error, tau squared."""
    weights = [1 / v for v in variance]
    total = sum(weights)
    weighted = sum(w * e for w, e in zip(weights, effect, strict=True))
    q = sum(w * e * e for w, e in zip(weights, effect, strict=True)) - weighted**2 / total
    c = total - sum(w * w for w in weights) / total
    n = len(effect)
    tau = (q - (n - 1)) / c if q >= n - 1 else 0
    again = [1 / (v + tau) for v in variance]
    value = sum(w * e for w, e in zip(again, effect, strict=True)) / sum(again)
    return value, (1 / sum(again)) ** 0.5, tau


@pytest.mark.parametrize("scale", [0.001, 0.1, 10])
def test_against_the_plain_formulas(scale):
    rng = np.random.default_rng(2)
    effect, variance = rng.normal(0.3, 0.5, 40), scale * rng.uniform(0.5, 2, 40)
    found = combine(effect, variance)
    got = found.effect, found.standard_error, found.between_variance
    assert got == pytest.approx(plainly(effect, variance), rel=1e-9)


def test_the_one_sided_p_of_the_authors():
    effect, variance = np.array([0.5, 1, 1.5]), np.array([0.1, 0.2, 0.3])
    upper = combine(effect, variance, code_compatible=True)
    assert upper.p_value == pytest.approx(0.00214731 / 2, abs=1e-7)
    lower = combine(-effect, variance, code_compatible=True)
    assert lower.p_value == pytest.approx(1 - 0.00214731 / 2, abs=1e-7)
    assert combine(-effect, variance).p_value == pytest.approx(0.00214731, abs=1e-7)


def test_one_draw_and_none():
    one = combine(np.array([0.5, np.nan]), np.array([0.04, np.nan]))
    assert (one.effect, one.between_variance, one.draws) == (0.5, 0, 1)
    assert one.standard_error == pytest.approx(0.2)
    none = combine(np.array([np.nan]), np.array([np.nan]))
    assert math.isnan(none.effect)
    assert none.draws == 0


def test_hedges_olkin_makes_weights_of_the_effects():
    rng = np.random.default_rng(4)
    draws = sample(association_test(), World(association_test()).sentences(rng, 9), 200)
    variance = [(4 + 4) / 16 + d * d / 16 for d in draws.effect]
    assert hedges_olkin(draws.effect, 4, 4) == pytest.approx(variance)
    found = draws.combined("hedges-olkin")
    assert (found.effect, found.standard_error) == pytest.approx(
        plainly(draws.effect, variance)[:2]
    )
    assert found.effect != pytest.approx(draws.combined().effect, rel=1e-6)


def test_magnitudes_are_cohens():
    found = [magnitude(d) for d in (0.19, -0.2, 0.49, 0.5, -0.79, 0.8, -2)]
    assert found == ["negligible", "small", "small", "medium", "medium", "large", "large"]


@pytest.mark.parametrize("common", [0, 10])
def test_effects_draw_by_draw(common):
    test = association_test(3, 5, 4, 2)
    rng = np.random.default_rng(1)
    sentences = World(test).sentences(rng, dict(zip(test.words, range(1, 15), strict=True)))
    sentences = {word: each + common for word, each in sentences.items()}
    draws = sample(test, sentences, draws=1100, seed=3)
    for i in [*range(20), *range(1020, 1100)]:
        taken = {w: sentences[w][n] for w, n in zip(test.words, draws.context[:, i], strict=True)}
        x, y, a, b = (np.stack([taken[word] for word in side.words]) for side in test.sides)
        s = [associations(side, a, b) for side in (x, y)]
        assert draws.effect[i] == pytest.approx(effect_size(*s), abs=1e-5)
        assert draws.variance[i] == pytest.approx(np.concatenate(s).var(ddof=1), rel=1e-4)


def test_draws_are_uniform_and_independent():
    test = association_test(1, 1, 1, 1)
    sentences = World(test).sentences(np.random.default_rng(0), 3)
    draws = sample(test, sentences, draws=9000)
    table = np.zeros((3, 3))
    np.add.at(table, (draws.context[0], draws.context[2]), 1)
    assert np.abs(table - 1000).max() < 5 * 1000**0.5


def test_draws_of_a_word_depend_on_the_seed_alone():
    small, large = association_test(2, 2, 2, 2), association_test(3, 2, 2, 2)
    rng = np.random.default_rng(0)
    sentences = World(large).sentences(rng, 20)
    one, two = (sample(test, sentences, 50) for test in (small, large))
    again, other = sample(small, sentences, 50), sample(small, sentences, 50, seed=1)
    np.testing.assert_array_equal(one.context[[0, 1]], two.context[[0, 1]])
    np.testing.assert_array_equal(one.effect, again.effect)
    assert (one.context != other.context).any(axis=1).all()


def test_more_draws_prove_nothing():
    """The paper's p-value falls with the number of draws; the interval does not narrow to 0."""
    test = association_test()
    sentences = World(test, lean=0.05).sentences(np.random.default_rng(8), 10)
    few, many = (sample(test, sentences, number) for number in (500, 20_000))
    assert many.combined().p_value < 1e-6 * few.combined().p_value
    widths = [np.ptp(draws.interval()) for draws in (few, many)]
    assert widths[1] > 0.8 * widths[0]


def bootstrap_error(tables, rng, resamples=1500, draws=300):
    """Standard error by drawing the sentences of each word anew.

    Each resample is combined from two sets of draws, whose covariance is that of the sentences.
    """
    values = []
    for _ in range(resamples):
        chosen = [rng.integers(n, size=n) for n in tables.sentences]
        context = np.stack([rng.choice(each, 2 * draws) for each in chosen])
        effect, variance = (each.reshape(2, draws) for each in tables.effects(context))
        values.append([combine(*pair).effect for pair in zip(effect, variance, strict=True)])
    return np.cov(values, rowvar=False)[0, 1] ** 0.5


def test_interval_against_a_bootstrap_of_sentences():
    test = association_test(4, 3, 4, 3)
    rng = np.random.default_rng(6)
    sizes = {word: 20 + 3 * i for i, word in enumerate(test.words)}
    sentences = World(test, seed=2).sentences(rng, sizes)
    draws = sample(test, sentences, 20_000)
    low, high = draws.interval(0.95)
    assert (low + high) / 2 == pytest.approx(draws.combined().effect)
    bootstrap = bootstrap_error(Tables(test, sentences), rng)
    # Of n sentences a bootstrap misses a share of 1 / n of the variance.
    assert (high - low) / 2 / 2.0 == pytest.approx(bootstrap, rel=0.1)


@pytest.mark.parametrize(
    ("number", "variance"), [(5, "paper"), (20, "paper"), (10, "hedges-olkin")]
)
def test_interval_covers(number, variance):
    """500 samples of sentences from a world whose combined effect size is known."""
    test = association_test(3, 3, 3, 3)
    world, rng = World(test, seed=5), np.random.default_rng(11)
    truth = sample(test, world.sentences(rng, 20_000), 100_000).combined(variance).effect
    covered = 0
    for seed in range(500):
        draws = sample(test, world.sentences(rng, number), 600, seed)
        low, high = draws.interval(0.95, variance)
        covered += low <= truth <= high
    assert 460 <= covered <= 490


def test_words_with_one_sentence_widen_the_interval():
    test = association_test()
    world, rng = World(test), np.random.default_rng(1)
    sentences = world.sentences(rng, 12)
    whole = sample(test, sentences, 3000).interval()
    single = sample(test, sentences | {"x0": sentences["x0"][:1]}, 3000).interval()
    assert np.ptp(single) > 1.1 * np.ptp(whole)
    none = {word: each[:1] for word, each in sentences.items()}
    assert np.isnan(sample(test, none, 50).interval()).all()


def test_interval_of_few_draws_is_no_wider_than_they_are_few():
    test = association_test()
    sentences = World(test).sentences(np.random.default_rng(1), 100)
    few, many = (sample(test, sentences, number) for number in (1000, 50_000))
    drawn = 2 * few.deviation / 1000**0.5
    expected = (np.ptp(many.interval()) ** 2 + (2 * drawn) ** 2) ** 0.5
    assert np.ptp(few.interval()) == pytest.approx(expected, rel=0.2)


def test_interval_where_no_sentence_is_drawn_twice():
    test = association_test()
    sentences = World(test).sentences(np.random.default_rng(1), 10_000)
    draws = sample(test, sentences, 5)
    assert all(len(set(taken)) == 5 for taken in draws.context.tolist())
    assert 0 < np.ptp(draws.interval()) < 6 * draws.deviation


def test_summaries():
    effect = np.array([np.nan, 1.0, 2.0, 3.0, 6.0])
    rest = np.ones(5), np.zeros((4, 5), dtype=int), np.ones(4, dtype=int)
    draws = Draws((1, 1, 1, 1), effect, *rest)
    assert draws.undefined == 1
    assert draws.deviation == pytest.approx((14 / 3) ** 0.5)
    assert draws.quantiles([0, 0.5, 1]).tolist() == [1, 2.5, 6]


def test_targets_that_are_alike_have_no_effect_size():
    test = association_test(2, 2, 1, 1)
    rng = np.random.default_rng(0)
    alike = rng.standard_normal((1, 5))
    sentences = World(test, width=5).sentences(rng, 4)
    sentences |= dict.fromkeys(test.words[:4], alike)
    draws = sample(test, sentences, 30)
    assert draws.undefined == 30
    assert math.isnan(draws.combined().effect)
    assert math.isnan(draws.deviation)
    assert np.isnan([*draws.interval(), *draws.quantiles()]).all()


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ([], "test world: 'y1' has no vectors. Leave the word out."),
        ([1.0, 2.0], "test world: 'y1' has no vectors."),
        ([[1.0, 2.0]], "test world: 'y1' has vectors of 2 numbers, 'x0' of 6. Use one model"),
        ([[1.0] * 6, [0.0] * 6], "vectors of 'y1' hold one that is all zeros or not finite"),
        ([[1.0] * 5 + [np.nan]], "vectors of 'y1' hold one that is all zeros or not finite"),
    ],
)
def test_odd_vectors(vectors, message):
    test = association_test()
    sentences = World(test).sentences(np.random.default_rng(1), 2)
    with pytest.raises(FairauditError, match=message):
        sample(test, sentences | {"y1": np.array(vectors)}, 5)


def test_words_that_add_nothing_do_not_cancel_what_one_adds():
    """The sentences of one word matter; estimates of forty others are noise around 0."""
    shift = np.array([-0.1, 0, 0.1])
    least = 2 * (shift.var(ddof=1) / 3) ** 0.5
    for seed in range(20):
        rng = np.random.default_rng(seed)
        context = rng.integers(3, size=(40, 1000))
        effect = rng.standard_normal(1000) + shift[context[0]]
        draws = Draws((10, 10, 10, 10), effect, np.ones(1000), context, np.full(40, 3))
        assert np.ptp(draws.interval()) / 2 > least
