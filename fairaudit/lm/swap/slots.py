"""Which slot of grammar a pronoun fills, told from the words around it.

English has five slots of a third-person pronoun::

    subject      he       she
    object       him      her
    determiner   his      her      before its noun: "her book"
    independent  his      hers     without a noun: "the book is hers"
    reflexive    himself  herself

Two forms fill two slots each, and only these need their context: *her* is object or determiner,
*his* is determiner or independent. A small network reads the words around the pronoun and gives
each of three slots its probability; its input is the sum of vectors of a word, its ending and its
capital, for three tokens before the pronoun and four after it, within the sentence. Sparse
regressions (`fairaudit.lm.swap.linear`) are its second opinion.

Both were trained on forms that name their slot themselves (*me*, *my*, *mine*; *him* and *his*),
so nobody had to label text: see `fairaudit.lm.swap.train`. All they see of a gendered word is its
class, never which word of the class it is. A text and its reversal therefore look alike, and a
second reversal meets the same probabilities.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from io import BytesIO
from math import log
from typing import Literal
from zlib import crc32

import numpy as np

from fairaudit.arrays import Array
from fairaudit.lm.swap import linear
from fairaudit.lm.swap.linear import fingerprint

Slot = Literal["object", "determiner", "independent"]
#: The slots that each form may fill.
SLOTS: Mapping[str, tuple[Slot, ...]] = {
    "him": ("object",),
    "her": ("object", "determiner"),
    "his": ("independent", "determiner"),
    "hers": ("independent",),
}
#: The network's output, in order.
ORDER: tuple[Slot, ...] = ("object", "determiner", "independent")
#: Tokens read before and after the pronoun.
BEFORE, AFTER = 3, 4
#: Nothing beyond these is read.
ENDS = frozenset(".!?\u00b6")
#: Where no noun follows, *his* is independent; the network, which meets few independent forms,
#: calls some of these objects. That share of an object's probability counts; 0.1 loses fewest on
#: held-out text.
_SHARE = {"her": 1.0, "his": 0.1}
ENDINGS = 1024
#: Where the regression's log odds are this large the network is not asked, for speed.
_SURE = 4.0
Rows = tuple[int, int, int]


def slot(form: str, parts: Sequence[str], at: int, canonical: Mapping[str, str]) -> Slot:
    """The slot that a pronoun fills.

    In "his or her" and "him/her" either form narrows the other's slots, and where a clause ends
    there is no noun to determine ("it is his."). Elsewhere, and where both leave two, it is no
    determiner where the log odds of regression and network say so in sum.

    Parameters
    ----------
    form : str
        One of `SLOTS`.
    parts : sequence of str
        The text, split: what is between words at even places, words at odd ones.
    at : int
        Place of the pronoun.
    canonical : mapping of str to str
        What stands for the class of a gendered word, in small letters.

    Examples
    --------
    >>> parts = ["", "I", " ", "saw", " ", "her", " ", "mother", " ", "with", " ", "her", "."]
    >>> [slot("her", parts, at, {"her": "him", "mother": "father"}) for at in (5, 11)]
    ['determiner', 'object']
    """
    possible = SLOTS[form]
    if len(possible) > 1:
        other = _alternative(parts, at)
        if other:
            possible = tuple(s for s in possible if s in SLOTS[other]) or possible
    if len(possible) == 1 or _ends_clause(form, parts, at):
        return possible[0]
    against = linear.log_odds(form, parts, at, canonical)
    if abs(against) < _SURE:
        objective, determiner, independent = probabilities(context(parts, at, canonical))
        against += log((independent + _SHARE[form] * objective) / determiner)
    return possible[0] if against > 0 else possible[1]


def _alternative(parts: Sequence[str], at: int) -> str | None:
    """The form that a pronoun shares its slot with: the other one of "his or her", "him/her"."""
    for step in (2, -2):
        near = at + step
        if not 0 < near < len(parts):
            continue
        if parts[at + step // 2].strip() == "/":
            return _form(parts[near])
        if parts[near] == "or" and 0 < near + step < len(parts):
            return _form(parts[near + step])
    return None


#: What ends a clause, behind a closing quote or bracket; several dots stand for a pause.
_END = re.compile(r"[\"'\u2019\u201d)\]*_]*(?:[?!;:]|\.(?![.\s]*\.))")
_BLANK = " \t\r\n\"'\u2019\u201d)]*_"
_INDEPENDENT = frozenset("mine yours hers ours theirs".split())
_LINKS = frozenset("and or nor but not".split())


def _ends_clause(form: str, parts: Sequence[str], at: int) -> bool:
    """Whether no noun can follow: "it is his.", "his, not yours"."""
    between = parts[at + 1]
    if _END.match(between) or (at + 2 >= len(parts) and not between.strip(_BLANK)):
        return True
    if form != "his" or between not in (" ", ", "):
        return False
    after = [word.lower() for word in parts[at + 2 : at + 7 : 2]]
    linked = next((word for word in after if word not in _LINKS), "")
    return linked in _INDEPENDENT and (between == ", " or after[0] in _LINKS)


def _form(word: str) -> str | None:
    return word.lower() if word.lower() in SLOTS else None


def context(parts: Sequence[str], at: int, canonical: Mapping[str, str]) -> list[str]:
    """The tokens around a pronoun: three before it, the nearest first, and four after it.

    The start and the end of a text end a sentence; past the end of the sentence all are empty.

    >>> context(["", "Yes", ". ", "Ask", " ", "her", "!"], 5, {})
    ['Ask', '.', '', '!', '', '', '']
    """
    first, last = at - 2 * BEFORE - 1, at + 2 * AFTER + 2
    before = tokens(parts[max(first, 0) : at])[::-1]
    after = tokens(parts[at + 1 : last])
    found = [*_sentence(before, BEFORE), *_sentence(after, AFTER)]
    return [_classed(token, canonical) for token in found]


def _sentence(near: list[str], number: int) -> list[str]:
    """The first tokens up to the end of the sentence, and empty ones."""
    found = []
    for token in [*near, "."][:number]:
        found.append(token)
        if token in ENDS:
            break
    return found + [""] * (number - len(found))


def _classed(token: str, canonical: Mapping[str, str]) -> str:
    """A token, or the word of its class written like it."""
    other = canonical.get(token.lower())
    if other is None:
        return token
    if token.isupper() and len(token) > 1:
        return other.upper()
    return other.capitalize() if token[:1].isupper() else other


def tokens(parts: Iterable[str]) -> list[str]:
    r"""The words of a split text, and the marks between them.

    >>> tokens(["", "Oh", "... ", "he", "'", "s", "--", "gone", ".\u201d\n\n"])
    ['Oh', '.', 'he', "'", 's', '-', 'gone', '.', '\u201d']
    """
    found: list[str] = []
    for at, part in enumerate(parts):
        if at % 2:
            found.append(part)
        elif part != " " and part:
            found += _marks(part)
    return found


_APOSTROPHES = frozenset("'\u2019")
_QUOTES = frozenset("\"'`\u2018\u2019\u201c\u201d")
_SAME = {"\u2014": "-", "\u2013": "-", "\u2026": "."}
_EMPHASIS = frozenset("*_~")
_BEFORE_QUOTES = frozenset("-(")


@lru_cache(maxsize=1 << 14)
def _marks(between: str) -> tuple[str, ...]:
    """What stands between two words: marks, quotes that open or close, the break of a paragraph."""
    if between in _APOSTROPHES:
        return ("'",)
    found: list[str] = []
    opening = False
    for mark in between:
        token = _SAME.get(mark, mark)
        if mark in _QUOTES:
            token = "\u201c" if opening else "\u201d"
        elif mark not in _EMPHASIS:
            opening = mark.isspace() or token in _BEFORE_QUOTES
        if not mark.isspace() and mark not in _EMPHASIS and token not in found[-1:]:
            found.append(token)
    return tuple(found) or ("\u00b6",) * (between.count("\n") > 1)


def rows(token: str, words: Mapping[int, int]) -> Rows:
    """Rows of a token in the tables of words, endings and shapes; 0 is no token, 1 a rare word."""
    if not token:
        return 0, 0, 0
    small = token.lower()
    ending = crc32(small[-3:].encode()) % ENDINGS + 1
    return words.get(fingerprint(small), 1), ending, _shape(token)


def _shape(token: str) -> int:
    """1 small, 2 capitalised, 3 in capitals, 4 a number, 5 a mark."""
    if token[0].isdigit():
        return 4
    if not token[0].isalpha():
        return 5
    return 1 if not token[0].isupper() else 3 if len(token) > 1 and token.isupper() else 2


def probabilities(tokens_around: Sequence[str]) -> list[float]:
    """The network's probability of each slot, in `ORDER`, from a context."""
    network = _network()
    x = np.concatenate([_vector(token) for token in tokens_around])
    hidden = np.maximum(x @ network["hidden"] + network["hidden_bias"], 0)
    score = hidden @ network["out"] + network["out_bias"]
    # Not below -20: no probability is 0.
    odds = np.exp(np.maximum(score - score.max(), -20))
    result: list[float] = (odds / odds.sum()).tolist()
    return result


@lru_cache(maxsize=1 << 15)
def _vector(token: str) -> Array:
    """What the network sees of a token."""
    word, ending, shape = rows(token, _words())
    network = _network()
    found: Array = network["word"][word] + network["ending"][ending] + network["shape"][shape]
    return found


@lru_cache(maxsize=1)
def _words() -> dict[int, int]:
    """The row of each known word, by fingerprint."""
    known = np.cumsum(_network()["steps"])
    return {int(word): row for row, word in enumerate(known.tolist(), 2)}


@lru_cache(maxsize=1)
def _network() -> dict[str, Array]:
    """The shipped weights, see `fairaudit.lm.swap.train.pack`."""
    return unpack((files("fairaudit.lm.swap") / "data" / "slots.npz").read_bytes())


def unpack(content: bytes) -> dict[str, Array]:
    """The arrays of a weights file; small whole numbers times the scale of their column."""
    with np.load(BytesIO(content), allow_pickle=False) as file:
        found = {name: file[name] for name in file.files}
    for name in [name for name in found if f"{name}_scale" in found]:
        found[name] = (found[name] * found.pop(f"{name}_scale")).astype(np.float32)
    return found
