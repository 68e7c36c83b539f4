"""Reverses the roles of a text: every listed word gives way to its counterpart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from fairaudit.lm.swap import cues
from fairaudit.lm.swap.articles import article, following
from fairaudit.lm.swap.lexicon import Lexicon, Pair
from fairaudit.lm.swap.slots import Slot, slot

_ASCII = re.compile(r"(\w+)", re.ASCII)
#: A letter and its combining accent are one word.
_WORD = re.compile(r"([\w\u0300-\u036f]+)")
#: Addresses, handles and tags name things and are left alone, whole. Before the @ of an address
#: stand 64 characters at most (RFC 5321, 4.5.3.1.1): without a bound, a long line of dashes would
#: be read to its end from each of them.
_ADDRESS = re.compile(
    r"((?:https?://|www\.)\S+|[\w.+-]{1,64}@[\w-]+\.[\w.-]+|[@#]\w+|[\w\u0300-\u036f]+)",
    re.IGNORECASE,
)
_MARKERS = ("://", "www.", "WWW.", "@", "#")
_PRONOUNS: Mapping[str, Mapping[Slot, str]] = {
    "her": {"object": "him", "determiner": "his"},
    "his": {"determiner": "her", "independent": "hers"},
}
_SURE = {"him": "her", "hers": "his"}
_APOSTROPHES = ("'", "\u2019")
_SINGLE = (*_APOSTROPHES, "\u2018")
#: From the first up to the second place of the split text, replace by the third.
_Change = tuple[int, int, str]


def split(text: str) -> list[str]:
    """Split a text: what is between words at even places, words at odd ones; joined it is the text.

    Letters, digits and the underscore make a word; a mail or web address, a handle and a tag are
    one word each.

    >>> split("He's self-made.")
    ['', 'He', "'", 's', ' ', 'self', '-', 'made', '.']
    """
    if any(marker in text for marker in _MARKERS):
        return _ADDRESS.split(text)
    return (_ASCII if text.isascii() else _WORD).split(text)


@dataclass(frozen=True)
class Coverage:
    """What a reversal touched; sums of coverages are coverages.

    Attributes
    ----------
    documents, documents_changed : int
    words, words_changed : int
        Words seen, and replaced (a phrase counts once).
    replaced : mapping of (str, str) to int
        How often a word gave way to another, both in small letters.
    """

    documents: int = 0
    documents_changed: int = 0
    words: int = 0
    words_changed: int = 0
    replaced: Mapping[Pair, int] = field(default_factory=dict)

    def __add__(self, other: Coverage) -> Coverage:
        return Coverage(
            self.documents + other.documents,
            self.documents_changed + other.documents_changed,
            self.words + other.words,
            self.words_changed + other.words_changed,
            dict(Counter(self.replaced) + Counter(other.replaced)),
        )


class Tally:
    """Adds up what reversals touch as they go, at little more cost than not to.

    Examples
    --------
    >>> tally = Tally()
    >>> [Swapper().swap(text, tally) for text in ("He left.", "They left.")]
    ['She left.', 'They left.']
    >>> tally.coverage.documents, tally.coverage.words_changed
    (2, 1)
    """

    def __init__(self) -> None:
        self._documents = self._documents_changed = self._words = 0
        self._replaced: Counter[Pair] = Counter()

    def add(self, parts: Sequence[str], changes: Sequence[_Change]) -> None:
        """Add a text, split, and what gives way in it."""
        self._documents += 1
        self._words += len(parts) // 2
        if changes:
            self._documents_changed += 1
            for start, stop, new in changes:
                old = parts[start] if stop == start + 1 else "".join(parts[start:stop])
                # A possessive mark comes with all that stands before the next word.
                more = len(parts[stop - 1]) - 1 if stop % 2 else 0
                self._replaced[old[: len(old) - more], new[: len(new) - more]] += 1

    @property
    def coverage(self) -> Coverage:
        """What all reversals so far touched."""
        # Small letters here, once per kind of change: there are far more changes than kinds.
        replaced: Counter[Pair] = Counter()
        for (old, new), times in self._replaced.items():
            replaced[old.lower(), new.lower()] += times
        return Coverage(
            self._documents, self._documents_changed, self._words, replaced.total(), dict(replaced)
        )


class Swapper:
    """Writes the counterfactual of a text.

    Parameters
    ----------
    lexicon : Lexicon, optional
        The word pairs; those of gender by default.
    names : mapping of str to str, optional
        Names with their counterparts; each pair counts both ways.

    Examples
    --------
    >>> swapper = Swapper(names={"John": "Mary"})
    >>> swapper.swap("John's sister said he'd lost her keys; HE told her so. Are they his?")
    "Mary's brother said she'd lost his keys; SHE told him so. Are they hers?"
    """

    def __init__(
        self, lexicon: Lexicon | None = None, names: Mapping[str, str] | None = None
    ) -> None:
        lexicon = Lexicon.default() if lexicon is None else lexicon
        self.lexicon = lexicon.with_names(names) if names else lexicon
        self._canonical = self.lexicon.canonical
        self._table = _table(self.lexicon)

    def swap(self, text: str, tally: Tally | None = None) -> str:
        """The reversed text; the same object where no listed word occurs.

        Parameters
        ----------
        text : str
        tally : Tally, optional
            Adds up what is touched, in the same pass.
        """
        parts, changes = self._changes(text)
        if tally is not None:
            tally.add(parts, changes)
        if not changes:
            return text
        for start, stop, replacement in changes:
            parts[start] = replacement
            if stop > start + 1:
                parts[start + 1 : stop] = [""] * (stop - start - 1)
        return "".join(parts)

    def swap_spans(self, text: str) -> list[tuple[int, int, str]]:
        """What to replace: start and end in characters, and the replacement, in order.

        >>> Swapper().swap_spans("So he left.")
        [(3, 5, 'she')]
        """
        parts, changes = self._changes(text)
        at = [0, *accumulate(map(len, parts))]
        return [(at[start], at[stop], replacement) for start, stop, replacement in changes]

    def count(self, text: str) -> Coverage:
        """What a reversal of the text touches.

        >>> Swapper().count("He saw the man.").replaced
        {('he', 'she'): 1, ('man', 'woman'): 1}
        """
        tally = Tally()
        tally.add(*self._changes(text))
        return tally.coverage

    def _changes(self, text: str) -> tuple[list[str], list[_Change]]:
        """The split text, and what to replace in it."""
        parts = split(text)
        table = self._table
        changes: list[_Change] = []
        done = 0
        for at in [2 * i + 1 for i, word in enumerate(parts[1::2]) if word in table]:
            if at < done:
                continue
            entry = table[parts[at]]
            if isinstance(entry, str):
                follows = parts[at + 1][:1]
                plain = (at, at + 1, entry)
                changes.append(_possessive(parts, *plain) if follows in _APOSTROPHES else plain)
                done = changes[-1][1]
                continue
            start, stop, replacement = self._resolve(entry, parts, at, done)
            if replacement is not None:
                changes += _with_article(parts, start, stop, replacement, done)
            done = stop
        return parts, changes

    def _resolve(
        self, entry: _Entry, parts: list[str], at: int, done: int
    ) -> tuple[int, int, str | None]:
        """Where an entry that depends on its context starts and ends, and what takes its place."""
        for spellings, length, offset, new in entry.phrases:
            start = at - offset
            stop = start + length
            found = start >= done and parts[start:stop] in spellings
            if found and (new is not None or not self._is_title(parts, stop - 1)):
                return start, stop, new
        if entry.cues and any(is_other(parts, at) for is_other in entry.cues):
            return at, at + 1, None
        if entry.title and _before_capital(parts, at):
            return at, at + 1, entry.title
        if entry.pronoun:
            form = entry.pronoun
            filled = slot(form, parts, at, self._canonical)
            return at, at + 1, _like(parts[at], _PRONOUNS[form][filled])
        if entry.plain and parts[at + 1][:1] in _APOSTROPHES:
            return _possessive(parts, at, at + 1, entry.plain)
        return at, at + 1, entry.plain

    def _is_title(self, parts: list[str], at: int) -> bool:
        """Whether a word is a title before a name: in "the Lord Ian" what is kept is not meant."""
        entry = self._table.get(parts[at])
        return isinstance(entry, _Entry) and bool(entry.title) and _before_capital(parts, at)


#: Tells by the neighbours of a word that it is not the word that the list means.
_Cue = Callable[[Sequence[str], int], bool]


class _Phrase(NamedTuple):
    """A phrase, with either apostrophe; where in it the word is at which it is looked for."""

    spellings: tuple[list[str], list[str]]
    length: int
    at: int
    replacement: str | None


@dataclass
class _Entry:
    """A word whose counterpart depends on what is around it."""

    phrases: list[_Phrase] = field(default_factory=list)
    cues: list[_Cue] = field(default_factory=list)
    title: str | None = None
    pronoun: str | None = None
    plain: str | None = None


def _with_article(
    parts: list[str], start: int, stop: int, new: str, done: int
) -> Iterator[_Change]:
    """A replacement, and that of the article directly before it where the sound changes."""
    if start - 2 >= done and not parts[start - 1].strip():
        other = following(parts[start - 2], parts[start], new)
        if other:
            yield start - 2, start - 1, other
    yield start, stop, new


def _possessive(parts: list[str], at: int, stop: int, new: str) -> _Change:
    """A replacement with its possessive mark: *ladies' room* is the *gentlemen's*, and back."""
    old, mark = parts[at].lower(), parts[stop][0]
    with_s = parts[stop] == mark and parts[stop + 1 : stop + 2] in (["s"], ["S"])
    if with_s and _is_plural(new.lower()) and old[-1:] != "s":
        return at, stop + 2, new + mark
    if _is_bare(parts, at, stop) and new[-1:].lower() != "s":
        return at, stop + 1, f"{new}{mark}{'S' if new.isupper() else 's'}{parts[stop][1:]}"
    return at, stop, new


def _is_plural(word: str) -> bool:
    return len(word) > 3 and word[-1] == "s" and word[-2:] not in ("ss", "us")


def _is_bare(parts: list[str], at: int, stop: int) -> bool:
    """Whether the mark after a word is a possessive one without *s*: *ladies'*, *actress'*.

    After a singular it may as well close a quotation, and does where one was opened.
    """
    word, between = parts[at].lower(), parts[stop][1:]
    if word[-1:] != "s" or not between[:1].isspace():
        return False
    if not between.startswith(" ") and (stop + 1 == len(parts) or between.count("\n") > 1):
        return False  # the last word of a line or of a paragraph
    return _is_plural(word) or not _is_quoted(parts, at)


def _is_quoted(parts: list[str], at: int) -> bool:
    """Whether a single quotation mark was opened before a word, and not closed."""
    for place in range(at - 1, -1, -2):
        between = parts[place]
        last = max(map(between.rfind, _SINGLE))
        # Alone between two words it is an apostrophe.
        if last >= 0 and (place == 0 or between not in _APOSTROPHES):
            return between[last] == "\u2018" or last == len(between) - 1
    return False


def _before_capital(parts: list[str], at: int) -> bool:
    """Whether a capitalised word follows, as a name does after a title."""
    follows = at + 2 < len(parts) and parts[at + 2][:1].isupper()
    return follows and parts[at + 1] in (" ", "\u00a0")


def _capitalised(phrase: str) -> str:
    return phrase[:1].upper() + phrase[1:]


def _like(model: str, word: str) -> str:
    """Write a word like another: in capitals, capitalised, or small."""
    if model.isupper():
        return word.upper()
    return _capitalised(word) if model[:1].isupper() else word


def _written(first: str, second: str) -> Iterator[Pair]:
    """The ways to write a word, each with its replacement; see `Lexicon`."""
    yield first, second
    if first == first.lower():
        yield _capitalised(first), _capitalised(second)
        if " " in first:
            yield tuple(" ".join(map(_capitalised, p.split())) for p in (first, second))  # type: ignore[misc]
    yield first.upper(), second.upper()


def _table(lexicon: Lexicon) -> dict[str, str | _Entry]:
    """What to do at each word: replace it, or look around.

    Entries with a capital come before those in small letters, and pairs before one-way words:
    of two that are written alike the first counts.
    """
    directed = [*lexicon.pairs, *((b, a) for a, b in lexicon.pairs), *lexicon.one_way]
    if lexicon.pronouns:
        directed += _SURE.items()
    directed.sort(key=lambda pair: pair[0] == pair[0].lower())
    plain: dict[str, str] = {}
    for first, second in directed:
        for word, replacement in _written(first, second):
            plain.setdefault(word, replacement)
    entries = _entries(lexicon, plain)
    _add_cues(entries, lexicon, directed)
    single = {w: r for w, r in plain.items() if len(split(w)) == 3}
    for word, replacement in single.items():
        if article(word) != article(replacement):
            entries.setdefault(word, _Entry())
    for word, entry in entries.items():
        entry.plain = single.get(word)
    return {**single, **{w: e for w, e in entries.items() if e != _Entry()}}


def _entries(lexicon: Lexicon, plain: dict[str, str]) -> dict[str, _Entry]:
    """The words that need a look around; takes those that are kept out of the plain ones."""
    entries: dict[str, _Entry] = {}
    for word in lexicon.keep:
        plain.pop(word, None)
    for pair in lexicon.titles:
        for first, second in (pair, pair[::-1]):
            for word, replacement in ((first, second), (first.upper(), second.upper())):
                entries.setdefault(word, _Entry()).title = replacement
    if lexicon.pronouns:
        for form in _PRONOUNS:
            for word in (form, _capitalised(form), form.upper()):
                entries.setdefault(word, _Entry()).pronoun = form
    phrases: dict[str, str | None] = {**plain, **dict.fromkeys(lexicon.keep)}
    listed = {*plain, *entries}
    for phrase, new in sorted(phrases.items(), key=lambda item: -len(item[0])):
        words, curly = (split(phrase.replace(*turn))[1:-1] for turn in ("\u2019'", "'\u2019"))
        if len(words) > 1:
            at = _place(words, listed)
            found = _Phrase((words, curly), len(words), at, new)
            entries.setdefault(words[at], _Entry()).phrases.append(found)
    return entries


def _place(words: Sequence[str], listed: Collection[str]) -> int:
    """The word of a phrase at which to look for it: the first listed one, else the longest.

    Not simply the first: *the* is in every line.
    """
    places = range(0, len(words), 2)
    first = next((at for at in places if words[at] in listed), None)
    return max(places, key=lambda at: len(words[at])) if first is None else first


def _add_cues(entries: dict[str, _Entry], lexicon: Lexicon, directed: Iterable[Pair]) -> None:
    """Add to the words that may be other words what tells so."""
    told: list[tuple[str, _Cue]] = []
    for word in lexicon.verbs:
        told += [(form, cues.is_verb) for form in (word, _capitalised(word), word.upper())]
    told += [(_capitalised(word), cues.is_surname) for word in lexicon.surnames]
    told += [(first, cues.is_ordinary) for first, _ in directed if first in cues.ORDINARY]
    for word, cue in told:
        entries.setdefault(word, _Entry()).cues.append(cue)
