"""Tokens of a text and of its reversal that correspond."""

import numpy as np
import pytest

from fairaudit.lm.distill.alignment import UNALIGNED, align
from fairaudit.lm.swap import Swapper
from tests.lm import tiny

NO = UNALIGNED


@pytest.mark.parametrize(
    ("ends", "reversed_ends", "spans", "wanted"),
    [
        ([2, 5, 10], [2, 6, 11], [(3, 5, "she")], [0, 1, 2]),
        ([2, 4, 5, 10], [2, 6, 11], [(3, 5, "she")], [0, NO, 1, 2]),  # two tokens to one
        ([2, 5, 10], [2, 4, 6, 11], [(3, 5, "she")], [0, 2, 3]),  # one to two
        ([2, 4, 5, 10], [2, 4, 6, 11], [(3, 5, "she")], [0, 1, 2, 3]),  # two to two
        ([5, 9, 12, 13], [6, 10, 13, 14], [(3, 5, "she"), (10, 12, "sh")], [0, 1, 2, 3]),
        ([2, 3, 3, 3, 6], [3, 4, 4, 4, 7], [(0, 2, "she")], [0, 1, 2, 3, 4]),  # a letter of bytes
        ([2, 8], [2, 6, 9], [(3, 5, "she")], [0, 2]),  # a token across the word's end
        ([1, 2], [1, 2], [], [0, 1]),
        ([], [], [], []),
    ],
)
def test_by_hand(ends, reversed_ends, spans, wanted):
    found = align(np.array(ends, np.int64), np.array(reversed_ends, np.int64), spans)
    assert found.tolist() == wanted


@pytest.mark.parametrize("text", [*tiny.SENTENCES[::7], "Él said «he’s 😀 hers» 男 king's"])
def test_what_has_been_read_is_the_reversal_of_what_has_been_read(text):
    """Of every pair of tokens the texts up to their ends are each other's reversals."""
    swapper, tokenizer = Swapper(), tiny.tokenizer("gpt2")
    spans, other = swapper.swap_spans(text), swapper.swap(text)
    ends, reversed_ends = (
        np.array([end for _, end in tokenizer(t, return_offsets_mapping=True).offset_mapping])
        for t in (text, other)
    )
    found = align(ends, reversed_ends, spans)
    kept = found[found != UNALIGNED]
    assert (np.diff(kept) > 0).all()
    for place, end in enumerate(ends):
        if any(start < end < stop for start, stop, _ in spans):
            continue
        reads = written(text[:end], [span for span in spans if span[1] <= end])
        # A blank may be a token of its own before the one word, and part of the other.
        assert (found[place] != UNALIGNED) == (len(reads) in reversed_ends)
        if found[place] != UNALIGNED:
            assert reads == other[: reversed_ends[found[place]]]


def written(text, spans):
    for start, stop, new in reversed(spans):
        text = text[:start] + new + text[stop:]
    return text
