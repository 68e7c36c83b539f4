"""Sparse logistic regressions that tell a determiner from what has no noun: *her*, and *his*.

Their features are the words around the pronoun, classes of these words, and pairs of both. They
see what the network of `fairaudit.lm.swap.slots` blurs (this word before that one), and it sees
what they count only one by one: together they err less than either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from io import BytesIO
from zlib import crc32

import numpy as np

from fairaudit.arrays import Array

STEP = 1 / 16  #: what a weight of 1 stands for, in log odds
_BREAK = "\u00b6"
_FINGERPRINT = 0xFFFFFF


def log_odds(form: str, parts: Sequence[str], at: int, canonical: Mapping[str, str]) -> float:
    """How much speaks against a determiner.

    Where the other form's regression says that no noun follows, one less is needed here.
    """
    found = context(parts, at, canonical)
    other = "his" if form == "her" else "her"
    return (score(form, found) + max(score(other, found), 0)) * STEP


def score(form: str, found: Sequence[int]) -> int:
    """How much speaks against a determiner: the sum of the weights of a form's regression."""
    weights = _weights()[form]
    return weights[0] + sum([weights[feature] for feature in found if feature in weights])


def context(parts: Sequence[str], at: int, canonical: Mapping[str, str]) -> list[int]:
    """What is seen of a pronoun's context: neighbours, their classes and endings, and pairs.

    Returns
    -------
    list of int
        Features as fingerprints of 24 bits, always the same number in the same order; the first
        `RIGHT` are of what follows the pronoun.
    """
    after, before = _after(parts, at, canonical), _before(parts, at, canonical)
    (r1, a, end), (r2, b, end2), (r3, c, _) = map(_seen, after)
    (l1, p, _), (l2, q, _) = map(_seen, before)
    follower = parts[at + 2][:1] if at + 2 < len(parts) else ""
    shape = 1 if follower.isupper() else 2 if follower.isdigit() else 0
    return [
        (key * 0x9E3779B1 + x * 0x85EBCA6B + y * 0xC2B2AE35 + z * 0x27D4EB2F) >> 8 & _FINGERPRINT
        for key, x, y, z in (
            (1, r1, 0, 0), (2, r2, 0, 0), (3, r3, 0, 0), (4, a, 0, 0), (5, b, 0, 0), (6, c, 0, 0),
            (7, a, b, 0), (8, a, b, c), (9, a, r2, 0), (10, r1, b, 0), (11, end, 0, 0),
            (12, end2, 0, 0), (13, shape, 0, 0), (14, shape, r1, 0), (15, shape, r2, 0),
            (16, l1, 0, 0), (17, l2, 0, 0), (18, p, 0, 0), (19, l2, l1, 0), (20, q, p, 0),
            (21, l1, r1, 0), (22, l1, r2, 0), (23, l1, a, 0), (24, l1, b, 0), (25, l1, a, b),
            (26, p, a, 0), (27, p, a, b), (28, p, r1, 0), (29, q, p, a), (30, l1, shape, 0),
            (31, parts[at][:1].isupper(), 0, 0),
        )
    ]  # fmt: skip


#: How many features of a context are of what follows the pronoun.
RIGHT = 15


@lru_cache(maxsize=1 << 16)
def _seen(token: str) -> tuple[int, int, int]:
    """Numbers that stand for a token, for its class of words, and for its ending."""
    number = fingerprint(token)
    ending = crc32(token[-3:].encode())
    # A word of no class is classed by its ending: "-ing", "-ed", "-ly".
    return (
        number,
        _weights()["classes"].get(number, crc32(token[-2:].encode())) if token else 0,
        ending,
    )


def fingerprint(token: str) -> int:
    """24 bits that stand for a token."""
    return crc32(token.encode()) & _FINGERPRINT


_QUOTES = frozenset("\"'`\u2018\u2019\u201c\u201d")


def _mark(between: str, side: int) -> str:
    """What stands between two words, as one token: a mark, a quote that opens or closes, a break.

    `side` is 0 for the mark nearest the word before, -1 for the one nearest the word after.
    """
    mark = between.strip()
    if not mark:
        return _BREAK if between.count("\n") > 1 else ""
    if mark[side] not in _QUOTES or len(between) == 1:
        return "'" if mark[side] == "\u2019" else mark[side]
    opens = between[0].isspace() if side == 0 else not between[-1].isspace()
    return "\u201c" if opens else "\u201d"


def _after(parts: Sequence[str], at: int, canonical: Mapping[str, str]) -> list[str]:
    """The next three tokens; the end of the text ends a sentence, and past it all are empty."""
    found: list[str] = []
    while len(found) < 3:
        if parts[at + 1] != " " and (mark := _mark(parts[at + 1], 0)):
            found.append(mark)
        at += 2
        if at >= len(parts):
            return [*(found or ["."]), "", "", ""][:3]
        word = parts[at].lower()
        found.append(canonical.get(word, word))
    return found[:3]


def _before(parts: Sequence[str], at: int, canonical: Mapping[str, str]) -> list[str]:
    """The last two tokens, the nearest first; before the text a sentence has ended."""
    found: list[str] = []
    while len(found) < 2:
        if parts[at - 1] != " " and (mark := _mark(parts[at - 1], -1)):
            found.append(mark)
        at -= 2
        if at < 0:
            return [*(found or ["."]), "", ""][:2]
        word = parts[at].lower()
        found.append(canonical.get(word, word))
    return found[:2]


def pack(tables: Mapping[str, Mapping[int, int]]) -> bytes:
    """Tables of small weights by fingerprint, compressed.

    >>> unpack(pack({"her": {9: 1, 2: -1}}))
    {'her': {2: -1, 9: 1}}
    """
    saved: dict[str, Array] = {}
    for name, table in tables.items():
        keys = sorted(table)
        saved[f"{name}_steps"] = np.diff(keys, prepend=0).astype(np.int32)
        saved[name] = np.array([table[key] for key in keys], dtype=np.int8)
    file = BytesIO()
    np.savez_compressed(file, **saved)  # type: ignore[arg-type]
    return file.getvalue()


def unpack(content: bytes) -> dict[str, dict[int, int]]:
    """The reverse of `pack`."""
    with np.load(BytesIO(content), allow_pickle=False) as file:
        return {
            name: dict(
                zip(np.cumsum(file[f"{name}_steps"]).tolist(), file[name].tolist(), strict=True)
            )
            for name in file.files
            if not name.endswith("_steps")
        }


@lru_cache(maxsize=1)
def _weights() -> dict[str, dict[int, int]]:
    """The shipped classes of words, and the weights by form; the bias is under 0."""
    return unpack((files("fairaudit.lm.swap") / "data" / "linear.npz").read_bytes())
