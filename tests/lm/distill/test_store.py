"""Blocks of tokens and their reversals, on disk."""

import json
import os
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


def test_most_places_of_changed_documents_are_aligned(tmp_path):
    changed = [text for text in tiny.SENTENCES if Swapper().swap_spans(text)]
    store = made(tmp_path, changed, 32)
    assert (store[range(len(store))].aligned != UNALIGNED).mean() > 0.9


def test_a_neighbour_does_not_change_a_text(tmp_path):
    """Of two documents in one block, that without gender is taught as if it stood alone."""
    he = "He left."
    tokenizer = tiny.tokenizer("gpt2")
    sizes = [len(tokenizer(text).input_ids) + 1 for text in (NEUTRAL[0], he)]
    store = made(tmp_path, [NEUTRAL[0], he], sum(sizes))
    (aligned,) = store[[0]].aligned
    assert (aligned[: sizes[0]] == UNALIGNED).all()
    assert (aligned[sizes[0] :] != UNALIGNED).any()
    # As a text of its own the reversal is whole.
    assert decoded(store[[1]].tokens[0]).replace(" ", "").count("Sheleft") == 1


def test_a_part_of_a_changed_document_without_gender_has_no_twin(tmp_path):
    store = made(tmp_path, [" ".join(["He left.", *NEUTRAL * 20])], 16)
    assert store.documents_changed == store.changed == 1
    assert len(store) > 9


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


@pytest.mark.parametrize("name", [f"{name}.bin" for name in ("tokens", "twin", "lengths")])
def test_a_torn_store_is_made_anew(tmp_path, name):
    whole = made(tmp_path, tiny.SENTENCES)
    path = tmp_path / "store" / name
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(FairauditError, match="are not whole"):
        Store(tmp_path / "store")
    assert len(made(tmp_path, tiny.SENTENCES)) == len(whole)
    (tmp_path / "store" / "store.json").write_text("{")
    assert len(made(tmp_path, tiny.SENTENCES)) == len(whole)


def test_two_that_make_the_same_at_once(tmp_path, monkeypatch):
    """The one that is ready first may be reading already: what is there stays."""
    head, seen = tmp_path / "store" / "store.json", []

    def while_another_process_does():
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: 1)
            made(tmp_path, tiny.SENTENCES)
        seen.append(head.stat().st_ino)
        yield from tiny.SENTENCES

    made(tmp_path, while_another_process_does())
    assert head.stat().st_ino == seen[0]
    assert [each.name for each in tmp_path.iterdir()] == ["store"]


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    mine = tmp_path / "store" / "thesis.txt"
    mine.parent.mkdir()
    mine.write_text("all of it")
    with pytest.raises(FairauditError, match=r"something else than tokens \(thesis.txt\)"):
        made(tmp_path, tiny.SENTENCES)
    assert mine.read_text() == "all of it"


def test_too_little_text_is_said(tmp_path):
    with pytest.raises(FairauditError, match=r"--corpus: \d+ tokens of 1 documents; expected 999"):
        made(tmp_path, ["He left."], 999)
    assert list(tmp_path.iterdir()) == []


def test_the_head_is_plain_json(tmp_path):
    store = made(tmp_path, tiny.SENTENCES)
    head = json.loads((tmp_path / "store" / "store.json").read_text())
    assert head["about"] == {"corpus": 1}
    assert len(Store(tmp_path / "store")) == len(store)
