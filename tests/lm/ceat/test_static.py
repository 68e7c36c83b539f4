import numpy as np
import pytest

from fairaudit.lm.ceat import static as static_module
from fairaudit.lm.ceat.static import static
from fairaudit.lm.ceat.weat import associations, effect_size, permutation_p, unit
from tests.lm.ceat.worlds import association_test


def words(rng, sizes, lean=0.3, width=20):
    """Random words of four lists; those of X lean to A, those of Y to B."""
    toward = dict(zip("xyab", (lean, -lean, 1, -1), strict=True))
    pole = np.eye(width)[0]
    return {
        f"{side}{i}": 0.5 * rng.standard_normal(width) + toward[side] * pole
        for side, n in zip("xyab", sizes, strict=True)
        for i in range(n)
    }


def slowly(test, vectors):
    """Effect size of the words that there are."""
    x, y, a, b = (np.stack([vectors[w] for w in side.words if w in vectors]) for side in test.sides)
    return float(effect_size(associations(x, a, b), associations(y, a, b)))


def test_effect_size_and_p():
    test = association_test(5, 5, 3, 4)
    vectors = words(np.random.default_rng(0), (5, 5, 3, 4))
    found = static(test, vectors)
    x, y, a, b = (np.stack([vectors[w] for w in side.words]) for side in test.sides)
    assert found.effect == pytest.approx(slowly(test, vectors))
    expected = permutation_p(associations(x, a, b), associations(y, a, b))
    assert found.p_value == pytest.approx(expected)
    assert static(association_test(4, 5, 3, 4), vectors).p_value is None


def test_half_width_is_the_jackknifes():
    """Leave out each word in turn, list by list; degrees of freedom by Satterthwaite."""
    test = association_test(3, 4, 5, 2)
    vectors = words(np.random.default_rng(1), (3, 4, 5, 2))
    parts = []
    for side in test.sides:
        n = len(side.words)
        without = [
            slowly(test, {w: v for w, v in vectors.items() if w != gone}) for gone in side.words
        ]
        parts.append((n - 1) / n * np.square(np.array(without) - np.mean(without)).sum())
    df = sum(parts) ** 2 / sum(p**2 / (n - 1) for p, n in zip(parts, (3, 4, 5, 2), strict=True))
    from scipy import stats

    expected = stats.t.ppf(0.975, df) * sum(parts) ** 0.5
    assert static(test, vectors).half_width(0.95) == pytest.approx(expected, rel=1e-6)


def test_interval_covers():
    """400 samples of eight words for each list from a world whose effect size is known."""
    rng = np.random.default_rng(1)
    many = words(rng, [4000] * 4)
    x, y, a, b = (unit(np.stack([v for w, v in many.items() if w[0] == side])) for side in "xyab")
    pole = a.mean(0) - b.mean(0)
    truth = float(effect_size(x @ pole, y @ pole))
    test = association_test(8, 8, 8, 8)
    covered = 0
    for _ in range(400):
        found = static(test, words(rng, [8] * 4))
        covered += abs(found.effect - truth) <= found.half_width(0.95)
    assert 0.92 <= covered / 400 <= 0.975


def test_no_interval_of_a_single_word():
    vectors = words(np.random.default_rng(1), (3, 3, 3, 1))
    assert np.isnan(static(association_test(3, 3, 3, 1), vectors).half_width(0.95))


def sentences(vectors, per_word, noise=0.5, seed=0):
    """So many vectors of each word, all about its own."""
    rng = np.random.default_rng(seed)
    return {
        word: own + noise * rng.standard_normal((per_word, len(own)))
        for word, own in vectors.items()
    }


def slowly_of_sentences(test, vectors, gone=None):
    """SEAT's effect size with SciPy's cosines, a sentence at a time."""
    from scipy.spatial.distance import cosine

    x, y, a, b = ([v for w in side.words if w != gone for v in vectors[w]] for side in test.sides)

    def near(u, side):
        return np.mean([1 - cosine(u, v) for v in side])

    s = [[near(u, a) - near(u, b) for u in side] for side in (x, y)]
    return (np.mean(s[0]) - np.mean(s[1])) / np.std(np.concatenate(s), ddof=1), s


def test_each_sentence_is_a_data_point():
    test = association_test(2, 2, 3, 2)
    vectors = sentences(words(np.random.default_rng(3), (2, 2, 3, 2), width=5), 3)
    found = static(test, vectors)
    effect, (x, y) = slowly_of_sentences(test, vectors)
    assert found.effect == pytest.approx(effect)
    assert found.points == (6, 6, 9, 6)
    assert found.p_value == pytest.approx(permutation_p(np.array(x), np.array(y)))
    assert len(found.pulls[0]) == 2, "a pull for each word, not for each sentence"


def test_all_sentences_of_a_word_leave_together():
    sizes = (3, 2, 4, 3)
    test = association_test(*sizes)
    vectors = sentences(words(np.random.default_rng(4), sizes, width=5), 2)
    parts = []
    for side, n in zip(test.sides, sizes, strict=True):
        without = [slowly_of_sentences(test, vectors, gone)[0] for gone in side.words]
        parts.append((n - 1) / n * np.square(np.array(without) - np.mean(without)).sum())
    df = sum(parts) ** 2 / sum(p**2 / (n - 1) for p, n in zip(parts, sizes, strict=True))
    from scipy import stats

    expected = stats.t.ppf(0.95, df) * sum(parts) ** 0.5
    assert static(test, vectors).half_width(0.9) == pytest.approx(expected, rel=1e-6)


def test_copies_of_a_sentence_tell_no_more():
    """The interval is that of WEAT, but for the n - 1 of the deviation; p is not."""
    test = association_test(6, 6, 6, 6)
    one = words(np.random.default_rng(5), [6] * 4)
    several = {word: np.stack([own] * 8) for word, own in one.items()}
    weat, seat = static(test, one), static(test, several)
    assert seat.effect == pytest.approx(weat.effect * np.sqrt((95 / 96) / (11 / 12)))
    assert seat.half_width(0.95) == pytest.approx(weat.half_width(0.95), rel=0.1)
    assert seat.p_value < weat.p_value


def test_interval_of_sentences_covers(monkeypatch):
    """400 samples of eight words a list with four sentences each; words and sentences vary."""
    monkeypatch.setattr(static_module, "permutation_p", lambda *lists, **options: 1.0)
    many = sentences(words(np.random.default_rng(1), [4000] * 4), 2)
    x, y, a, b = (
        unit(np.concatenate([v for w, v in many.items() if w[0] == side])) for side in "xyab"
    )
    pole = a.mean(0) - b.mean(0)
    truth = float(effect_size(x @ pole, y @ pole))
    test = association_test(8, 8, 8, 8)
    rng, covered = np.random.default_rng(2), 0
    for i in range(400):
        found = static(test, sentences(words(rng, [8] * 4), 4, seed=i + 10))
        covered += abs(found.effect - truth) <= found.half_width(0.95)
    assert 0.92 <= covered / 400 <= 0.98
