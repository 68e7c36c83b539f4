import bisect
import itertools
import json
import lzma
import re

import numpy as np
import pytest

from fairaudit.exceptions import FairauditError
from fairaudit.lm.generate.polarity import by_vectors, strongest, unigram, wavg

MALE = "he him his himself man men he's boy boys".split()
FEMALE = "she her hers herself woman women she's girl girls".split()


def slow(text):
    """Letter by letter, list by list."""
    text = "".join(c if c.isalnum() or c == "'" else " " for c in text.lower().replace("’", "'"))
    found = {-1: 0, 1: 0}
    for word in (word.strip("'") for word in text.split()):
        for sign, names in ((-1, MALE), (1, FEMALE)):
            plain = [name for name in names if "'" not in name]
            found[sign] += word in names or any(word.startswith(f"{name}'") for name in plain)
    if found[1] > found[-1]:
        return 1
    return -1 if found[-1] > found[1] else 0


@pytest.mark.parametrize(
    ("text", "polarity"),
    [
        ("", 0),
        ("A nurse.", 0),
        ("HE works.", -1),
        ("Her book, and hers.", 1),
        ("She’s here; he left. Women came.", 1),
        ("he she", 0),
        ("the manly mankind of Hermann's heroes", 0),
        ("the man's hat and the boys' shoes", -1),
        ("he'd, he'll and she'd", -1),
        ("'she'", 1),
        ("(his)", -1),
        ("his_own", -1),
    ],
)
def test_by_hand(text, polarity):
    assert unigram(text) == polarity


def test_slow_and_obvious():
    rng = np.random.default_rng(0)
    pieces = [*MALE, *FEMALE, "nurse", "the", "hero", "sheer", "herb", "boy's", "Man", "SHE"]
    marks = [" ", " ", ", ", ". ", " (", ") ", "-", "\n", " '", "' "]
    seen = set()
    for _ in range(3000):
        n = rng.integers(1, 6)
        text = "".join(itertools.chain(*zip(rng.choice(pieces, n), rng.choice(marks, n))))  # noqa: B905
        assert unigram(text) == slow(text), text
        seen.add(unigram(text))
    assert seen == {-1, 0, 1}


@pytest.fixture
def sentences(data):
    """The sentences of Wikipedia from which BOLD's prompts were cut."""
    return lzma.open(data / "corpus" / "wikipedia-bold.txt.xz", "rt").read().split("\n")


def test_slow_and_obvious_on_real_text(sentences):
    some = sentences[::5]
    assert [unigram(line) for line in some] == [slow(line) for line in some]


#: BOLD, section 6.4: which professions are reported together, by the beginnings of their names.
MERGED = {
    "arts": ("dance", "film", "entertainer", "writing", "artistic", "theatre"),
    "science": ("engineering", "computer", "scientific"),
    "industry": ("metalworking", "industrial", "railway"),
    "health": ("healthcare", "nursing", "mental"),
}


def test_professions_lean_as_published(data, sentences):
    # The published ratios are by Gender-Max with vectors that are not to be had here, so only
    # their order can be held against words: science is the most male, health is female.
    prompts = json.loads((data / "lm" / "bold" / "profession_prompt.json").read_text())
    lines, found = sorted(sentences), {name: [0, 0] for name in MERGED}
    for category, items in prompts.items():
        name = next((name for name, begin in MERGED.items() if category.startswith(begin)), None)
        for prompt in {prompt.strip() for each in items.values() for prompt in each}:
            line = lines[min(bisect.bisect_left(lines, prompt), len(lines) - 1)]
            if name is not None and line.startswith(prompt) and unigram(line):
                found[name][(unigram(line) + 1) // 2] += 1
    ratio = {name: male / female for name, (male, female) in found.items()}
    assert ratio["science"] > 7 > 3 > ratio["industry"] > ratio["arts"] > 1 > 0.5 > ratio["health"]
    assert sum(map(sum, found.values())) > 200


def test_wavg_and_max_by_hand():
    assert wavg([0.1, 0.1, -0.1, 0.4]) == pytest.approx((0.01 + 0.01 - 0.01 + 0.16) / 0.7)
    assert strongest([0.1, 0.1, -0.1, 0.4]) == 0.4
    assert strongest([0.1, -0.5, 0.4]) == -0.5
    assert wavg([]) == strongest([]) == wavg([0.0]) == 0
    assert strongest([0.3, -0.3, 0.1]) == 0


@pytest.fixture
def vectors(tmp_path):
    """he and she at right angles; b of x is 1 / sqrt(2), of y 0.2 and of z 0."""
    path = tmp_path / "vectors.txt"
    y = f"y {0.2 * 2**0.5:.9f} 0 {(1 - 0.08) ** 0.5:.9f}"
    path.write_text(f"he 0 2 0\nshe 1 0 0\nx 3 0 0\n{y}\nz 5 5 0\n")
    return path


def test_projections_decide(vectors):
    texts = ["He.", "x", "y y", "z z", "he she", "y he's", "unknown", "", "x z z z z"]
    most = [-1, 1, 0, 0, 0, -1, 0, 0, 1]
    assert by_vectors(texts, vectors, "max").tolist() == most
    # (0.04 * 1 - 0.5) / 0.907 is below -0.25; without vectors there is nothing to average.
    assert by_vectors(texts, vectors, "wavg").tolist() == most


def test_words_with_apostrophes_are_looked_up_whole(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("he 0 1\nshe 1 0\ndon 0 1\nqueen 1 0\ncan't 1 0\nlet's 0 1\nlet 1 0\n")
    texts = ["don't", "queen's", "can't", "he'd've", "She\u2019ll", "let's", "queens'", "Don's"]
    assert by_vectors(texts, path, "max").tolist() == [0, 1, 1, -1, 1, -1, 0, -1]


def test_the_threshold_is_part_of_it(tmp_path):
    path = tmp_path / "vectors.txt"
    lines = ["he 0 1 0", "she 1 0 0"]
    for name, b in (("at", 0.25), ("below", 0.2499), ("minus", -0.25)):
        # Of the direction (1, -1, 0) / sqrt(2).
        lines.append(f"{name} {b / 2**0.5:.12f} {-b / 2**0.5:.12f} {(1 - b * b) ** 0.5:.12f}")
    path.write_text("\n".join(lines))
    assert by_vectors(["at", "below", "minus"], path, "max").tolist() == [1, 0, -1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("he 1 0\nx 0 1\n", "no vectors of both 'he' and 'she'"),
        ("he 1 0\nshe 1 0\n", "the same vector"),
        ("he 1 0\nshe 1 0 0\n", "line 2"),
        ("he 1 0\nshe 1\n", "line 2"),
    ],
)
def test_bad_vectors(tmp_path, content, said):
    path = tmp_path / "vectors.txt"
    path.write_text(content)
    with pytest.raises(FairauditError, match=re.escape(said)):
        by_vectors(["he"], path, "max")
