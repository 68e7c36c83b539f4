"""Word lists: which word takes which one's place when roles are reversed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import Any

from fairaudit import toml
from fairaudit.exceptions import FairauditError

Pair = tuple[str, str]
Pairs = tuple[Pair, ...]
_KEYS = (
    "attribute", "extends", "pronouns", "pairs", "one_way", "titles", "keep", "verbs", "surnames",
    "names",
)  # fmt: skip
#: What stands for him, her, his and hers where gender must not show.
PRONOUN = "him"
_PRONOUNS = ("him", "her", "his", "hers")


@dataclass(frozen=True)
class Lexicon:
    """Pairs of words that trade places, and the exceptions.

    A word in small letters is found in small letters, capitalised and in capitals, and what takes
    its place is written alike; a word with a capital only as it stands and in capitals (so the
    name *Mark* leaves the verb alone, see also `fairaudit.lm.swap.cues`). An entry may be a
    phrase: ``first lady``.

    Attributes
    ----------
    attribute : str
        What the words tell: ``gender``.
    pairs : tuple of (str, str)
        Each word takes the other's place. No word stands in two pairs.
    one_way : tuple of (str, str)
        The first word gives way to the second, never the other way round.
    titles : tuple of (str, str)
        Pairs that only count before a capitalised word: *Sir Ian*.
    keep : tuple of str
        Words and phrases that are left alone, exactly as written.
    verbs : tuple of str
        Words that are verbs too, and left alone where they are: *to groom the dog*.
    surnames : tuple of str
        Words that are surnames too, and left alone where they are: *Stephen King*.
    pronouns : bool
        Whether him, her, his and hers are reversed, by their slot of grammar.
    where : str
        Where it is from, for messages.

    Raises
    ------
    FairauditError
        If a word has two counterparts.

    Examples
    --------
    >>> Lexicon("species", pairs=(("dog", "cat"), ("puppy", "kitten"))).counterpart("puppy")
    'kitten'
    """

    attribute: str
    pairs: Pairs = ()
    one_way: Pairs = ()
    titles: Pairs = ()
    keep: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    surnames: tuple[str, ...] = ()
    pronouns: bool = False
    where: str = "word list"

    def __post_init__(self) -> None:
        both_ways = [*self.pairs, *((second, first) for first, second in self.pairs)]
        _counterparts(self.where, "pairs", [*both_ways, *self.one_way])
        turned = [(second, first) for first, second in self.titles]
        _counterparts(self.where, "titles", [*self.titles, *turned])
        if self.pronouns:
            self._refuse_pronouns()

    def _refuse_pronouns(self) -> None:
        """A pair with *her* would contradict the slots."""
        for word in chain(*self.pairs, (first for first, _ in self.one_way)):
            if word.lower() in _PRONOUNS:
                raise FairauditError(
                    f"{self.where}: '{word}' stands in a pair, but pronouns = true swaps it by its "
                    "slot of grammar. Take the pair out, or set pronouns = false."
                )

    @property
    def digest(self) -> str:
        """Short digest of what the list says, wherever it lies."""
        return hashlib.sha256(repr(replace(self, where="")).encode()).hexdigest()[:12]

    @staticmethod
    @lru_cache(maxsize=1)
    def default() -> Lexicon:
        """The shipped pairs of gender: ``data/gender.toml``.

        >>> Lexicon.default().counterpart("stepmother")
        'stepfather'
        """
        source = files("fairaudit.lm.swap") / "data" / "gender.toml"
        return _lexicon("gender.toml", toml.parse("gender.toml", source.read_bytes()))

    @classmethod
    def read(cls, path: str | Path) -> Lexicon:
        """Read a word list from a TOML file.

        Keys: ``attribute`` (a name), ``pairs``, ``one_way`` and ``titles`` (lists of two words
        each), ``keep`` (a list of words and phrases), ``verbs`` and ``surnames`` (lists of paired
        words in small letters), ``pronouns`` (true or false), ``names`` (pairs of names),
        ``extends = "gender"`` (start from the shipped list; where both have a word, the file's
        pair counts).

        Raises
        ------
        FairauditError
            If it cannot be read, a key is unknown, an entry is no pair, a word has two
            counterparts, or one of ``verbs`` or ``surnames`` has none.
        """
        return _lexicon(str(path), toml.read(Path(path)))

    def with_names(self, names: Mapping[str, str]) -> Lexicon:
        """Add names; each pair counts both ways, before what the list has for its words.

        >>> Lexicon("gender", keep=("Guy",)).with_names({"Guy": "Joy"}).counterpart("Joy")
        'Guy'
        """
        return self._extended(_once(names.items()), "names")

    def counterpart(self, word: str) -> str | None:
        """The word that takes a word's place by the pairs, None where there is none."""
        return self._partners.get(word)

    @cached_property
    def _partners(self) -> dict[str, str]:
        turned = ((second, first) for first, second in self.pairs)
        return dict(chain(self.pairs, turned, self.one_way))

    @cached_property
    def canonical(self) -> Mapping[str, str]:
        """For each listed word, in small letters, the one that stands for its whole class.

        Two words are in one class where one takes the other's place, directly or through others:
        what is read from a text by classes cannot tell the text from its reversal.

        >>> canonical = Lexicon("gender", (("dad", "mom"),), one_way=(("mum", "dad"),)).canonical
        >>> canonical["mum"] == canonical["mom"] == canonical["dad"]
        True
        """
        classes: dict[str, list[str]] = {}
        for pair in chain(self.pairs, self.one_way, self.titles):
            first, second = (classes.setdefault(w, [w]) for w in map(str.lower, pair))
            if first is not second:
                classes.update(dict.fromkeys(second, first))
                first += second
        found = {word: members[0] for word, members in classes.items() if " " not in word}
        return found | (dict.fromkeys(_PRONOUNS, PRONOUN) if self.pronouns else {})

    def _extended(self, pairs: Iterable[Pair], where: str) -> Lexicon:
        """Put pairs before those of the list; a word that loses its counterpart still gives way."""
        pairs = tuple(pairs)
        taken = set(chain(*pairs))
        lost = [pair for pair in self.pairs if not taken.isdisjoint(pair)]
        turned = chain(*((pair, pair[::-1]) for pair in lost))
        orphans = tuple((a, b) for a, b in turned if a not in taken)
        one_way = (*(p for p in self.one_way if p[0] not in taken), *orphans)
        return replace(
            self,
            pairs=(*(pair for pair in self.pairs if pair not in lost), *pairs),
            one_way=one_way,
            titles=tuple(p for p in self.titles if taken.isdisjoint(p)),
            keep=tuple(word for word in self.keep if word not in taken),
            surnames=tuple(w for w in self.surnames if w.capitalize() not in taken),
            where=where,
        )


def match_names(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, str]:
    """Pair names of two groups that are about equally frequent.

    The most frequent of one group with the most frequent of the other, and so on down; that order
    has the least total difference of log frequencies of all one-to-one pairings of equal lists.
    Matching by frequency follows Hall Maudslay et al., "It's all in the name", EMNLP 2019.
    Names that both groups bear are left out; so are the rarest of the longer list.

    Parameters
    ----------
    first, second : mapping of str to int
        How often each name was counted.

    Returns
    -------
    dict of str to str
        Names of the first group with their counterparts.

    Examples
    --------
    >>> match_names({"Tom": 90, "Kim": 70, "Abe": 5}, {"Ann": 7, "Eve": 80, "Kim": 60})
    {'Tom': 'Eve', 'Abe': 'Ann'}
    """
    ranked = [
        sorted((name for name in ours if name not in other), key=lambda n: (-ours[n], n))
        for ours, other in ((dict(first), second), (dict(second), first))
    ]
    return dict(zip(*ranked, strict=False))


def _lexicon(where: str, content: Any) -> Lexicon:
    """The word list that a parsed TOML file holds."""
    section = toml.Section(where, content, _KEYS)
    pairs, one_way, titles, names = (
        tuple(_pairs(section, key)) for key in ("pairs", "one_way", "titles", "names")
    )
    pronouns = section.truth("pronouns") if "pronouns" in section else False
    keep = section.texts("keep")
    attribute = section.text("attribute", "gender" if "extends" in section else "group")
    verbs, surnames = section.texts("verbs"), section.texts("surnames")
    own = Lexicon(attribute, pairs, one_way, titles, keep, verbs, surnames, pronouns, where)
    if "extends" in section:
        own = _on_top(section, own)
    elif not (pairs or one_way or titles or names or pronouns):
        raise FairauditError(f'{where}: no words. Add pairs = [["he", "she"]].')
    for key in ("verbs", "surnames"):
        _refuse_unpaired(section, key, own)
    return replace(own._extended(_once(names), where), where=where) if names else own


def _refuse_unpaired(section: toml.Section, key: str, lexicon: Lexicon) -> None:
    """Refuse a word under a key that the list would leave alone anyway."""
    for word in section.texts(key):
        if lexicon.counterpart(word) is None or word != word.lower():
            raise FairauditError(
                f"{section.where}: {key}: '{word}' stands in no pair. {key} names words of pairs, "
                "in small letters, that are left alone where their neighbours tell."
            )


def _on_top(section: toml.Section, own: Lexicon) -> Lexicon:
    """A file's words on top of the shipped ones."""
    if section.text("extends") != "gender":
        raise section.refuse("extends", "the name of a shipped list: gender")
    base = Lexicon.default()._extended(own.pairs, own.where)
    given = {first for first, _ in own.one_way}
    gone = [pair for pair in base.pairs if not given.isdisjoint(pair) and pair not in own.pairs]
    back = tuple(p for pair in gone for p in (pair, pair[::-1]) if p[0] not in given)
    return replace(
        base,
        attribute=own.attribute,
        pairs=tuple(pair for pair in base.pairs if pair not in gone),
        one_way=(*(p for p in base.one_way if p[0] not in given), *back, *own.one_way),
        titles=(*(p for p in base.titles if set(p).isdisjoint(chain(*own.titles))), *own.titles),
        keep=(*base.keep, *own.keep),
        verbs=(*base.verbs, *own.verbs),
        surnames=(*base.surnames, *own.surnames),
        pronouns=own.pronouns if "pronouns" in section else base.pronouns,
    )


def _pairs(section: toml.Section, key: str) -> Iterable[Pair]:
    """The pairs under a key, checked; none where it is absent."""
    entries = section.content.get(key, [])
    if not isinstance(entries, list):
        raise section.refuse(key, 'pairs: [["he", "she"]]')
    for number, entry in enumerate(entries, 1):
        two = isinstance(entry, list) and len(entry) == 2
        if not two or not all(isinstance(word, str) and word.strip() for word in entry):
            raise FairauditError(
                f"{section.where}: {key}: entry {number}: expected two words: "
                f'["he", "she"]; found {entry!r}.'
            )
        first, second = (word.strip() for word in entry)
        if first == second:
            raise FairauditError(
                f"{section.where}: {key}: entry {number}: '{first}' is paired with itself. Take "
                "the pair out, or name its counterpart."
            )
        yield first, second


def _once(pairs: Iterable[Pair]) -> list[Pair]:
    """Pairs without those that say the same the other way round."""
    found: list[Pair] = []
    for pair in pairs:
        if pair[::-1] not in found and pair not in found:
            found.append(pair)
    return found


def _counterparts(where: str, key: str, pairs: Iterable[Pair]) -> None:
    """Refuse a word with two counterparts."""
    known: dict[str, str] = {}
    for first, second in pairs:
        other = known.setdefault(first, second)
        if other != second:
            raise FairauditError(
                f"{where}: {key}: '{first}' has two counterparts, '{other}' and '{second}'. Keep "
                f'one pair, and give the other word one way: one_way = [["{second}", "{first}"]].'
            )
