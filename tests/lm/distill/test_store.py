"""Blocks of tokens and their reversals, on disk."""

import json
from itertools import pairwise

import numpy as np
import pytest

from fairaudit.exceptions import FairauditError
from fairaudit.lm.distill.alignment import UNALIGNED
from fairaudit.lm.distill.store import Store, prepare
from fairaudit.lm.swap import Swapper
from tests.lm import tiny

END = 2
NEUTRAL = ["The bear sleeps by the sea.", "Nobody works at night in a school."]


def made(tmp_path, documents, block=16, about=None, **options):
    return prepare(
        documents, tmp_path / "store", tiny.tokenizer("gpt2"), Swapper(), block, block + 8, END,
        about or {"corpus": 1}, **options,
    )  # fmt: skip


def decoded(tokens):
    return tiny.tokenizer("gpt2").decode(tokens)


def test_blocks_are_the_documents_one_after_the_other(tmp_path):
    documents = [f"{text}\n" for text in tiny.SENTENCES[:9]]
    store = made(tmp_path, documents)
    tokenizer = tiny.tokenizer("gpt2")
    whole = [t for text in tiny.SENTENCES[:9] for t in [*tokenizer(text).input_ids, END]]
    blocks = store[range(len(store))]
    assert blocks.tokens.ravel().tolist() == whole[: 16 * (len(whole) // 16)]
    assert store.documents == 9


@pytest.mark.parametrize("block", [7, 16, 33])
def test_what_is_aligned_reads_as_the_reversal(tmp_path, block):
    """From one aligned place to the next, the text is the reversal of its twin."""
    store = made(tmp_path, tiny.SENTENCES, block)
    swapper, seen = Swapper(), 0
    blocks = store[range(len(store))]
    for place, twin, aligned in zip(blocks.changed, blocks.twins, blocks.aligned, strict=True):
        tokens = blocks.tokens[place]
        at = np.flatnonzero(aligned != UNALIGNED)
        assert (np.diff(aligned[at]) > 0).all()
        for one, two in pairwise(at):
            own = decoded(tokens[one + 1 : two + 1])
            other = decoded(twin[aligned[one] + 1 : aligned[two] + 1])
            if own != other:
                # Whole words, so that their own reversal is the twin's; "her" is him or his.
                assert other.strip().lower() in {
                    swapper.swap(own).strip().lower(), "his", "him", "hers", "her"
                }  # fmt: skip
                seen += 1
    assert seen > 50


def test_a_text_without_gender_has_no_twin(tmp_path):
    store = made(tmp_path, NEUTRAL * 9)
    assert (store.changed, store.documents_changed) == (0, 0)
    blocks = store[[0, 1]]
    assert (len(blocks.changed), blocks.twins.shape, blocks.aligned.shape) == (0, (0, 24), (0, 16))


def test_most_places_are_aligned(tmp_path):
    store = made(tmp_path, tiny.SENTENCES, 32)
    assert (store[range(len(store))].aligned != UNALIGNED).mean() > 0.9


def test_a_store_that_is_there_is_taken(tmp_path):
    made(tmp_path, tiny.SENTENCES)
    again = made(tmp_path, iter(()))
    assert again.documents == len(tiny.SENTENCES)
    other = made(tmp_path, NEUTRAL * 9, about={"corpus": 2})
    assert other.about == {"corpus": 2}
    assert other.documents == 18


def test_half_a_store_is_none(tmp_path):
    def interrupted():
        yield from tiny.SENTENCES * 20
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made(tmp_path, interrupted())
    assert list(tmp_path.iterdir()) == []


def test_too_little_text_is_said(tmp_path):
    with pytest.raises(FairauditError, match=r"--corpus: \d+ tokens of 1 documents; expected 999"):
        made(tmp_path, ["He left."], 999)
    assert list(tmp_path.iterdir()) == []


def test_the_head_is_plain_json(tmp_path):
    store = made(tmp_path, tiny.SENTENCES)
    head = json.loads((tmp_path / "store" / "store.json").read_text())
    assert head["about"] == {"corpus": 1}
    assert len(Store(tmp_path / "store")) == len(store)
