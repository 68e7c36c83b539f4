import gzip
import itertools

import numpy as np
import pytest

from fairaudit.exceptions import FairauditError
from fairaudit.lm.ceat.vectors import Tied, read_vectors
from fairaudit.lm.ceat.weat import wefat

GLOVE = "rose 0.5 1 -2e-1\nant 1 2 3\nJosé 0 0 1\nrose 9 9 9\n"


def written(tmp_path, content, name="vectors.txt"):
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("header", ["", "4 3\n"])
def test_only_the_words_that_are_needed(tmp_path, header):
    found = read_vectors(written(tmp_path, header + GLOVE), ["rose", "José", "Rose"])
    assert {word: v.round(6).tolist() for word, v in found.items()} == {
        "rose": [0.5, 1.0, pytest.approx(-0.2)],
        "José": [0, 0, 1],
    }
    assert found["rose"].dtype == np.float32


def test_a_byte_order_mark_is_no_part_of_the_first_word(tmp_path):
    for content in ("rose 1 2\n", "2 2\nrose 1 2\n"):
        path = written(tmp_path, b"\xef\xbb\xbf" + content.encode())
        assert read_vectors(path, ["rose"])["rose"].tolist() == [1, 2]


def test_packed_and_blanks_at_the_ends(tmp_path):
    path = written(tmp_path, gzip.compress(b"2 2\r\nrose 1 2 \r\nant 3 4 \r\n"), "vectors.txt.gz")
    assert {w: v.tolist() for w, v in read_vectors(path, ["rose", "ant"]).items()} == {
        "rose": [1, 2],
        "ant": [3, 4],
    }


def test_words_with_blanks_are_other_words(tmp_path):
    found = read_vectors(
        written(tmp_path, "ant 1 2\nat name@host 3 4\nat 5 6\n. . . 7 8\n"), ["at"]
    )
    assert found["at"].tolist() == [5, 6]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("3 3\nrose 1 2\n", "vectors.txt, line 2: 2 numbers; expected 3, as before."),
        ("ant 1 2\nbee 1\n", "vectors.txt, line 2: 1 numbers; expected 2, as before."),
        ("ant 1 2\nrose 1 2 3\n", "vectors.txt, line 2: 3 numbers; expected 2, as before."),
        ("ant 1 2\n\nrose 1 2\n", "vectors.txt, line 2: 0 numbers; expected 2"),
        ("", "vectors.txt: the file is empty; expected a word"),
        ("1 " + "9" * 5000 + "\nrose 1 2\n", "vectors.txt, line 2: 2 numbers; expected 1"),
        ("rose\n", "vectors.txt, line 1: 0 numbers; expected a word and its numbers"),
        ("ant 1 2\nrose 1 x\n", "vectors.txt, line 2: 'rose' has something that is no number."),
        ("ant 1 2\nrose 1 inf\n", "vectors.txt, line 2: 'rose' has a number that is not finite."),
    ],
)
def test_odd_lines(tmp_path, content, message):
    with pytest.raises(FairauditError, match=message):
        read_vectors(written(tmp_path, content), ["rose"])


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(FairauditError, match=r"none.txt: cannot be read: No such file"):
        read_vectors(tmp_path / "none.txt", ["rose"])
    cut = gzip.compress(GLOVE.encode())[:-9]
    with pytest.raises(FairauditError, match=r"v.gz: cannot be read: "):
        read_vectors(written(tmp_path, cut, "v.gz"), ["rose"])


@pytest.fixture
def people():
    """Names of six groups and sixty words, with something of both attributes in them."""
    rng = np.random.default_rng(4)
    gender, race = (
        dict(zip(values, rng.normal(0, 1, (3, 8)), strict=False)) for values in ("fm", "123")
    )
    groups = {
        (g, r): gender[g] + race[r] + 0.7 * rng.standard_normal((5, 8))
        for g, r in itertools.product("fm", "123")
    }
    words = {
        f"w{i}": gender["fm"[i % 2]] * (i % 3) + race["123"[i % 3]] + rng.standard_normal(8)
        for i in range(60)
    }
    return words, groups


def by_sets(words, groups, target, threshold):
    """IBD and EIBD as the supplement writes them: unions of differences of sets."""

    def tied(among, names, other):
        return {w for w in among if wefat(words[w][None], names, other)[0] > threshold}

    def those(axis, value):
        return np.concatenate([v for group, v in groups.items() if group[axis] == value])

    gender, race = target
    ib = set().union(*(tied(words, groups[target], v) for g, v in groups.items() if g != target))
    by_race = [tied(ib, those(1, race), those(1, r)) for r in "123" if r != race]
    by_gender = [tied(ib, those(0, gender), those(0, g)) for g in "fm" if g != gender]
    return ib, set().union(*(ib - each for each in by_race + by_gender))


@pytest.mark.parametrize("threshold", [0.3, 0.8])
def test_detection_by_sets(people, threshold):
    words, groups = people
    sizes = set()
    for target in groups:
        ib, eib = by_sets(words, groups, target, threshold)
        tied = Tied.of(words, groups, target)
        assert tied.words == list(words)
        assert tied.intersectional(threshold).tolist() == [w in ib for w in words]
        assert tied.emergent(threshold).tolist() == [w in eib for w in words]
        sizes.add((len(ib) < len(words), len(eib) < len(ib)))
    assert (True, True) in sizes, "nothing was left out: the test would not tell"


def test_nothing_found(people):
    words, groups = people
    assert not Tied.of(words, groups, ("f", "1")).emergent(9).any()


def test_a_group_without_names(people):
    words, groups = people
    with pytest.raises(FairauditError, match="no names of x-1, or of no other group. Groups: f-1,"):
        Tied.of(words, groups, ("x", "1"))
    with pytest.raises(FairauditError, match="no names of f-1"):
        Tied.of(words, {("f", "1"): groups["f", "1"]}, ("f", "1"))
