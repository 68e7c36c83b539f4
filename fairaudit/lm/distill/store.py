"""A text as blocks of tokens on disk, each beside the tokens of its reversal."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError
from fairaudit.lm.distill import checkpoint
from fairaudit.lm.distill.alignment import UNALIGNED, align
from fairaudit.lm.swap import Swapper

#: Documents that are cut into tokens at once.
_AT_ONCE = 512
_HEAD = "store.json"
#: Files of numbers, and their types: what stands in them of each block.
_FILES = {"tokens": "u4", "twin": "i4", "twins": "u4", "aligned": "i4", "lengths": "u4"}


@dataclass(frozen=True)
class Blocks:
    """Some texts of up to B tokens, beside their reversals.

    Attributes
    ----------
    tokens : array of int, shape (n, B)
        What is short is filled up with 0.
    lengths : array of int, shape (n,)
        Tokens of each.
    changed : array of int, shape (k,)
        Which of them are of documents with a word that gives way.
    twins : array of int, shape (k, R)
        Their reversals, which may be longer; what is short is filled up with 0.
    aligned : array of int, shape (k, B)
        For each token of a changed document the place in its twin, `UNALIGNED` where there is
        none; of documents without a word that gives way there is none either, whatever stands
        beside them.
    """

    tokens: Array
    lengths: Array
    changed: Array
    twins: Array
    aligned: Array


class Store:
    """Blocks of tokens in memory-mapped files: any of them at once, whatever their number.

    Blocks have the numbers from 0 on; after the last one come the reversals of those that have one,
    in the same order, as texts in their own right.

    Attributes
    ----------
    folder : Path
    about : mapping
        What it was made from.
    block, room : int
        Tokens of a block, and of a reversal at most.
    documents, documents_changed : int

    Raises
    ------
    FairauditError
        If a file is missing, or is not as long as it was.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self._open(json.loads((folder / _HEAD).read_text(encoding="utf-8")))
        except (OSError, ValueError, LookupError, TypeError):
            raise FairauditError(
                f"{folder}: its tokens are not whole. Remove it, and it is made anew."
            ) from None

    def _open(self, head: Mapping[str, Any]) -> None:
        self.about, self.block, self.room = head["about"], head["block"], head["room"]
        self.documents, self.documents_changed = head["documents"], head["documents_changed"]
        self._tokens = self._map("tokens", head["blocks"], self.block)
        self._twin = self._map("twin", head["blocks"], 1)[:, 0]
        self._twins = self._map("twins", head["twins"], self.room)
        self._aligned = self._map("aligned", head["twins"], self.block)
        self._lengths = self._map("lengths", head["twins"], 1)[:, 0]
        self._turned = np.flatnonzero(self._twin >= 0)

    def _map(self, name: str, rows: int, width: int) -> Array:
        path, dtype = self.folder / f"{name}.bin", np.dtype(_FILES[name])
        if path.stat().st_size != rows * width * dtype.itemsize:
            raise ValueError
        if not rows:  # which cannot be mapped
            return np.zeros((0, width), dtype)
        return np.memmap(path, dtype, "r", shape=(rows, width))

    def __len__(self) -> int:
        return len(self._tokens)

    def __getitem__(self, places: Sequence[int] | Array) -> Blocks:
        """Blocks in their order, then reversals in theirs."""
        places = np.asarray(places, np.int64)
        own = places[places < len(self)]
        if len(own) == len(places):
            return self._blocks(own)
        reversals = self._reversals(places[places >= len(self)] - len(self))
        return _stacked(self._blocks(own), reversals) if len(own) else reversals

    def _blocks(self, places: Array) -> Blocks:
        twin = self._twin[places]
        changed = np.flatnonzero(twin >= 0)
        at = twin[changed]
        tokens, twins, aligned = self._tokens[places], self._twins[at], self._aligned[at]
        lengths = np.full(len(places), self.block)
        return Blocks(tokens.astype(np.int64), lengths, changed, twins.astype(np.int64), aligned)

    def _reversals(self, numbers: Array) -> Blocks:
        """Reversals as texts, with the blocks as their reversals."""
        lengths = self._lengths[numbers].astype(np.int64)
        tokens = self._twins[numbers][:, : lengths.max()].astype(np.int64)
        aligned, back = self._aligned[numbers], np.full((len(numbers), self.room), UNALIGNED)
        rows, at = np.nonzero(aligned != UNALIGNED)
        back[rows, aligned[rows, at]] = at
        blocks = self._tokens[self._turned[numbers]].astype(np.int64)
        every = np.arange(len(numbers))
        return Blocks(tokens, lengths, every, blocks, back[:, : lengths.max()])

    def lengths(self, places: Array) -> Array:
        """Tokens of texts by their numbers."""
        found = np.full(len(places), self.block)
        back = places >= len(self)
        found[back] = self._lengths[places[back] - len(self)]
        return found

    @property
    def changed(self) -> int:
        """Blocks that have a reversal."""
        return len(self._twins)


def _stacked(first: Blocks, second: Blocks) -> Blocks:
    """Texts of two kinds, one after the other."""
    changed = np.r_[first.changed, second.changed + len(first.tokens)]
    return Blocks(
        _under(first.tokens, second.tokens, 0),
        np.r_[first.lengths, second.lengths],
        changed,
        _under(first.twins, second.twins, 0),
        _under(first.aligned, second.aligned, UNALIGNED),
    )


def _under(first: Array, second: Array, filling: int) -> Array:
    found = np.full((len(first) + len(second), max(first.shape[1], second.shape[1])), filling)
    found[: len(first), : first.shape[1]] = first
    found[len(first) :, : second.shape[1]] = second
    return found


def prepare(
    documents: Iterable[str],
    folder: Path,
    tokenizer: Any,
    swapper: Swapper,
    block: int,
    room: int,
    end: int,
    about: Mapping[str, Any],
    progress: Callable[[int], None] = lambda documents: None,
) -> Store:
    """Make a store, or take the one that is there if it was made from the same.

    Documents stand one after the other, each followed by the token that ends a text, and are cut
    into blocks; what is left over at the end is no block.

    Parameters
    ----------
    documents : iterable of str
        Read once; not at all if the store is there.
    folder : Path
        Appears whole or not at all, and is never shared half-made by two processes.
    tokenizer : transformers fast tokenizer
    swapper : Swapper
    block, room : int
        Tokens in a block, and in its reversal at most.
    end : int
        The token that ends a text.
    about : mapping
        What decides the content, for `Store.about`.
    progress : callable
        Told how many documents are done.

    Raises
    ------
    FairauditError
        If there is too little text for a block, or the folder holds something else or cannot be
        written.
    """
    folder, wanted = folder.resolve(), json.loads(json.dumps(dict(about)))
    if (found := _made(folder, wanted)) is not None:
        return found
    check_folder(folder)
    beside = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        beside.mkdir(parents=True)
        head = _write(documents, beside, tokenizer, swapper, (block, room), end, progress)
        head |= {"about": wanted, "block": block, "room": room}
        (beside / _HEAD).write_text(json.dumps(head))
        for each in beside.iterdir():
            checkpoint.sync(each)
        # Another distillation may have made the same by now, and be reading it.
        if _made(folder, wanted) is None:
            shutil.rmtree(folder, ignore_errors=True)
            beside.replace(folder)
    except OSError as error:
        raise FairauditError(f"{folder}: cannot be written: {error.strerror}.") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return Store(folder)


def _made(folder: Path, about: Mapping[str, Any]) -> Store | None:
    """The store in a folder, if there is a whole one that was made from the same."""
    with suppress(FairauditError):
        found = Store(folder)
        return found if found.about == about else None
    return None


def check_folder(folder: Path) -> None:
    """Require that a folder can be written over: that there is none, or nothing but a store.

    Raises
    ------
    FairauditError
    """
    own = {_HEAD, *(f"{name}.bin" for name in _FILES)}
    if folder.exists() and not folder.is_dir():
        raise FairauditError(f"{folder}: not a folder; expected one for tokens, or none yet.")
    others = sorted({each.name for each in folder.iterdir()} - own) if folder.is_dir() else []
    if others:
        raise FairauditError(
            f"{folder}: holds something else than tokens ({others[0]}). Give another folder."
        )


def _write(
    documents: Iterable[str],
    folder: Path,
    tokenizer: Any,
    swapper: Swapper,
    sizes: tuple[int, int],
    end: int,
    progress: Callable[[int], None],
) -> dict[str, Any]:
    """Write the files of numbers; what there was."""
    count = changed = 0
    with ExitStack() as stack:
        files = {name: stack.enter_context((folder / f"{name}.bin").open("wb")) for name in _FILES}
        packer = _Packer(*sizes, files)
        for some in _several(documents):
            for twinned in _twins(some, tokenizer, swapper, end):
                packer.add(twinned)
                changed += twinned.changed
            count += len(some)
            progress(count)
    if not packer.blocks:
        raise FairauditError(
            f"--corpus: {packer.total:,} tokens of {count:,} documents; expected {sizes[0]:,} or "
            "more, a block. Give more text, or a smaller --block."
        )
    counts = {"documents": count, "documents_changed": changed}
    return {**counts, "blocks": packer.blocks, "twins": packer.twins}


def _several(documents: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(documents)
    while some := list(islice(rest, _AT_ONCE)):
        yield some


@dataclass(frozen=True)
class _Twinned:
    """A document and its reversal in tokens, and which correspond."""

    tokens: Array
    twin: Array
    aligned: Array
    changed: bool


def _twins(
    documents: Sequence[str], tokenizer: Any, swapper: Swapper, end: int
) -> Iterator[_Twinned]:
    texts = [document.rstrip() for document in documents]
    spans = [swapper.swap_spans(text) for text in texts]
    other = [_replaced(text, of) for text, of in zip(texts, spans, strict=True) if of]
    read, again = _read(texts, tokenizer), iter(_read(other, tokenizer))
    for (tokens, ends), of in zip(read, spans, strict=True):
        twin, twin_ends = next(again) if of else (tokens, ends)
        aligned = align(ends, twin_ends, of) if of else np.arange(len(tokens))
        yield _Twinned(
            np.append(tokens, end), np.append(twin, end), np.append(aligned, len(twin)), bool(of)
        )


def _replaced(text: str, spans: Sequence[tuple[int, int, str]]) -> str:
    for start, stop, new in reversed(spans):
        text = text[:start] + new + text[stop:]
    return text


def _read(texts: Sequence[str], tokenizer: Any) -> list[tuple[Array, Array]]:
    """Tokens of each text, and where each ends."""
    if not texts:
        return []
    read = tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True)
    return [
        (np.array(tokens, np.int64), np.array([stop for _, stop in spans], np.int64))
        for tokens, spans in zip(read["input_ids"], read["offset_mapping"], strict=True)
    ]


@dataclass
class _Packer:
    """Cuts a stream of documents into blocks, and their reversals along with them."""

    block: int
    room: int
    files: Mapping[str, BinaryIO]
    blocks: int = 0
    twins: int = 0
    total: int = 0
    _pending: list[_Twinned] = field(default_factory=list)
    _size: int = 0

    def add(self, document: _Twinned) -> None:
        self._pending.append(document)
        self._size += len(document.tokens)
        self.total += len(document.tokens)
        if self._size >= self.block:
            self._cut()

    def _cut(self) -> None:
        """Write all blocks that are full, and keep the rest."""
        tokens, twin, aligned, changed = _joined(self._pending)
        done = begin = 0
        while done + self.block <= len(tokens):
            part = slice(done, done + self.block)
            places = aligned[part]
            known = places[places != UNALIGNED]
            stop = int(known[-1]) + 1 if len(known) else begin
            own = np.where(places == UNALIGNED, UNALIGNED, places - begin)
            self._write(tokens[part], twin[begin:stop], own, changed[part])
            done, begin = part.stop, stop
        rest = np.where(aligned[done:] == UNALIGNED, UNALIGNED, aligned[done:] - begin)
        # What is left is of the last document, and changed if that is.
        self._pending = [_Twinned(tokens[done:], twin[begin:], rest, self._pending[-1].changed)]
        self._size = len(tokens) - done

    def _write(self, tokens: Array, twin: Array, aligned: Array, changed: Array) -> None:
        # What there is no room for has no counterpart.
        fits = np.where(aligned < self.room, aligned, UNALIGNED)
        length = int(fits.max()) + 1
        told = np.where(changed, fits, UNALIGNED)
        # A part of a long document may have no word that gives way, though the document has.
        twinned = (told != UNALIGNED).any() and not np.array_equal(tokens, twin[:length])
        self.blocks += 1
        self._put(tokens=tokens, twin=np.array([self.twins if twinned else -1]))
        if twinned:
            self.twins += 1
            filled = np.zeros(self.room, np.int64)
            filled[:length] = twin[:length]
            self._put(twins=filled, aligned=told, lengths=np.array([length]))

    def _put(self, **arrays: Array) -> None:
        for name, array in arrays.items():
            self.files[name].write(array.astype(_FILES[name]).tobytes())


def _joined(documents: Sequence[_Twinned]) -> tuple[Array, Array, Array, Array]:
    """Tokens, twins and their places one after the other; which tokens are of changed documents."""
    aligned, shift = [], 0
    for each in documents:
        aligned.append(np.where(each.aligned == UNALIGNED, UNALIGNED, each.aligned + shift))
        shift += len(each.twin)
    return (
        np.concatenate([each.tokens for each in documents]),
        np.concatenate([each.twin for each in documents]),
        np.concatenate(aligned),
        np.concatenate([np.full(len(each.tokens), each.changed) for each in documents]),
    )
