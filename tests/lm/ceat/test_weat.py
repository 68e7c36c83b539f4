import itertools

import numpy as np
import pytest

from fairaudit.exceptions import FairauditError
from fairaudit.lm.ceat.weat import associations, effect_size, permutation_p, unit, wefat


def cosine(a, b):
    return sum(p * q for p, q in zip(a, b, strict=True)) / (
        sum(p * p for p in a) ** 0.5 * sum(q * q for q in b) ** 0.5
    )


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def sample_deviation(values):
    centre = mean(values)
    return (sum((v - centre) ** 2 for v in values) / (len(values) - 1)) ** 0.5


@pytest.fixture
def vectors():
    return [np.random.default_rng(3).normal(0.5, 1, (n, 5)) for n in (4, 3, 5, 2)]


def test_associations_and_effect_size_word_by_word(vectors):
    x, y, a, b = vectors
    s = [[mean(cosine(w, v) for v in a) - mean(cosine(w, v) for v in b) for w in t] for t in (x, y)]
    np.testing.assert_allclose(associations(x, a, b), s[0], rtol=1e-12)
    expected = (mean(s[0]) - mean(s[1])) / sample_deviation(s[0] + s[1])
    assert effect_size(np.array(s[0]), np.array(s[1])) == pytest.approx(expected, rel=1e-12)


def test_wefat_word_by_word(vectors):
    words, a, b, _ = vectors
    for word, found in zip(words, wefat(words, a, b), strict=True):
        near_a, near_b = ([cosine(word, v) for v in names] for names in (a, b))
        expected = (mean(near_a) - mean(near_b)) / sample_deviation(near_a + near_b)
        assert found == pytest.approx(expected, rel=1e-12)


def test_the_greatest_effect_size():
    x = np.ones(8)
    assert effect_size(x, -x) == pytest.approx(2 * (15 / 16) ** 0.5)


def test_effect_size_is_undefined_where_all_are_alike():
    alike = np.full(7, 0.1)
    assert np.isnan(effect_size(alike[:3], alike[3:]))
    both = np.stack([np.array([0.1, 0.1]), np.array([0.1, 0.2])])
    assert np.isnan(effect_size(both, both)).tolist() == [True, False]


def test_lengths_that_squares_could_not_hold():
    np.testing.assert_allclose(unit([[3e-200, 4e-200], [3e200, 4e200]]), [[0.6, 0.8]] * 2)
    assert np.isnan(unit([0.0, 0.0])).all()


@pytest.mark.parametrize("strict", [False, True])
def test_exact_p_split_by_split(strict):
    both = np.random.default_rng(5).normal(size=8).round(1)  # ties
    observed = round(2 * both[:4].sum() - both.sum(), 6)
    splits = [round(2 * both[list(h)].sum() - both.sum(), 6)
              for h in itertools.combinations(range(8), 4)]  # fmt: skip
    expected = mean(s > observed if strict else s >= observed for s in splits)
    assert permutation_p(both[:4], both[4:], strict=strict) == expected
    assert any(s == observed for s in splits[1:]), "no tie: the test would not tell"


def test_the_least_exact_p_of_eight_words():
    x = np.arange(8, 16.0)
    assert permutation_p(x, x - 8) * 12870 == pytest.approx(1)


def test_drawn_p_is_near_the_exact_one():
    rng = np.random.default_rng(7)
    x, y = rng.normal(0.4, 1, 10), rng.normal(0, 1, 10)  # 184,756 splits
    both = np.concatenate([x, y])
    sums = [both[list(half)].sum() for half in itertools.combinations(range(20), 10)]
    exact = np.mean(np.array(sums) >= x.sum() - 1e-12)
    assert 0.03 < exact < 0.5
    drawn = permutation_p(x, y, resamples=20_000, seed=1)
    assert abs(drawn - exact) < 4 * (exact * (1 - exact) / 20_000) ** 0.5
    assert drawn == permutation_p(x, y, resamples=20_000, seed=1)
    assert drawn != permutation_p(x, y, resamples=20_000, seed=2)


def test_a_drawn_p_is_never_0():
    x = np.arange(12.0)
    assert permutation_p(x + 12, x, resamples=99) == pytest.approx(0.01)
    assert permutation_p(x + 12, x, resamples=99, strict=True) == 0


def test_permutation_needs_as_many_words():
    with pytest.raises(FairauditError, match="2 and 3 target words; it needs as many in both"):
        permutation_p(np.zeros(2), np.zeros(3))
