from functools import lru_cache

import jiwer
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fairaudit.audits.speech.alignment import COLUMNS, count

words = st.lists(st.sampled_from("a b c d ee".split()), max_size=12)
sentences = st.lists(st.tuples(words.filter(bool), words), min_size=1, max_size=20)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(sentences)
def test_kinds_of_errors_are_jiwers(pairs):
    references = [" ".join(reference) for reference, _ in pairs]
    hypotheses = [" ".join(hypothesis) for _, hypothesis in pairs]
    ours = count(references, hypotheses, characters=False)
    for row, reference, hypothesis in zip(ours, references, hypotheses, strict=True):
        theirs = jiwer.process_words(reference, hypothesis)
        expected = [theirs.hits, theirs.substitutions, theirs.deletions, theirs.insertions]
        assert row[1:5].tolist() == expected


def brute_force(a, b):
    @lru_cache(None)
    def edits(i, j):
        if not i or not j:
            return i + j
        same = a[i - 1] == b[j - 1]
        return min(edits(i - 1, j) + 1, edits(i, j - 1) + 1, edits(i - 1, j - 1) + (not same))

    return edits(len(a), len(b))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(words, words)
def test_edits_are_the_fewest_possible(spoken, heard):
    counts = dict(zip(COLUMNS, count([" ".join(spoken)], [" ".join(heard)])[0], strict=False))
    edits = counts["substitutions"] + counts["deletions"] + counts["insertions"]
    assert edits == brute_force(tuple(spoken), tuple(heard))
    assert counts["hits"] + counts["substitutions"] + counts["deletions"] == len(spoken)
    assert counts["hits"] + counts["substitutions"] + counts["insertions"] == len(heard)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(words, words)
def test_character_errors_are_jiwers(spoken, heard):
    edits, characters = count([" ".join(spoken)], [" ".join(heard)])[0, -2:]
    assert edits == brute_force(" ".join(spoken), " ".join(heard))
    assert characters == len(" ".join(spoken))
    if spoken:
        assert np.isclose(edits / characters, jiwer.cer(" ".join(spoken), " ".join(heard)))


def test_empty_texts():
    counts = count(["", "", "a b"], ["", "x y", ""])
    table = {name: counts[:, k].tolist() for k, name in enumerate(COLUMNS)}
    assert table["insertions"] == [0, 2, 0]
    assert table["deletions"] == [0, 0, 2]
    assert table["wrong"] == [0, 1, 1]
    assert table["over_half"] == [0, 1, 1]
    assert table["scored"] == [0, 0, 1]
    assert table["utterance_wer"] == [0, 0, 1]


def test_white_space_is_no_word():
    np.testing.assert_array_equal(count(["  a\tb "], ["a b"]), count(["a b"], ["a b"]))


def test_long_texts():
    spoken, heard = " ".join(map(str, range(3000))), " ".join(map(str, range(5, 3000)))
    assert count([spoken], [heard], characters=False)[0, 1:5].tolist() == [2995, 0, 5, 0]
