"""Association tests: two lists of target words and two lists of attribute words."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from fairaudit.exceptions import FairauditError
from fairaudit.toml import Section, choices, parse, read

#: Words listed in a message or note; the explanations have all.
_LISTED = 10
_KEYS = ("title", "targets", "attributes", "source")


class Stimuli(NamedTuple):
    """One named list of words."""

    name: str
    words: tuple[str, ...]


class NoWordsError(FairauditError):
    """A list of a test has no word that is known.

    Parameters
    ----------
    test : str
    side : Stimuli

    Attributes
    ----------
    reason : str
        What is wrong, without the test's name, the words, and what to do.
    fault : str
        What is wrong, without what to do.
    """

    def __init__(self, test: str, side: Stimuli) -> None:
        self.reason = f"not one word of '{side.name}' was found"
        self.fault = f"test {test}: {self.reason}: {', '.join(side.words)}"
        super().__init__(f"{self.fault}. Use a larger text, or other words.")


def listed(words: Sequence[str]) -> str:
    """Words in a sentence, the first ten of them where they are many.

    >>> listed(["a", "b"]), listed("abcdefghijkl")
    ('a, b', 'a, b, c, d, e, f, g, h, i, j and 2 more')
    """
    more = f" and {len(words) - _LISTED} more" if len(words) > _LISTED else ""
    return ", ".join(words[:_LISTED]) + more


@dataclass(frozen=True)
class AssociationTest:
    """Whether one list of targets is nearer to one list of attributes than the other is.

    The lists may differ in length; only the permutation test needs as many words in both lists of
    targets.

    Attributes
    ----------
    name : str
        ``C6``.
    targets : tuple of Stimuli
        X and Y: a positive effect says that X is nearer to A, and Y to B.
    attributes : tuple of Stimuli
        A and B.
    source : str
        Where the words are from.
    title : str
        What is compared, for people.

    Raises
    ------
    FairauditError
        If a list is empty, or a word stands in two lists or twice in one: its similarity to
        itself would be counted as an association.

    Examples
    --------
    >>> test = AssociationTest.shipped()["C6"]
    >>> test.title
    'male and female names, by career and family'
    >>> [side.name for side in test.sides]
    ['male names', 'female names', 'career', 'family']
    """

    name: str
    targets: tuple[Stimuli, Stimuli]
    attributes: tuple[Stimuli, Stimuli]
    source: str = ""
    title: str = ""

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        for side in self.sides:
            if not side.words:
                raise FairauditError(f"test {self.name}: '{side.name}' has no words. Add some.")
            for word in side.words:
                if word in seen:
                    raise FairauditError(
                        f"test {self.name}: '{word}' stands in '{seen[word]}' and again in "
                        f"'{side.name}'. Keep it once."
                    )
                seen[word] = side.name

    @property
    def sides(self) -> tuple[Stimuli, Stimuli, Stimuli, Stimuli]:
        """X, Y, A and B."""
        return (*self.targets, *self.attributes)

    @property
    def words(self) -> tuple[str, ...]:
        """All words, those of X first, then Y, A and B."""
        return tuple(word for side in self.sides for word in side.words)

    def only(self, known: Collection[str]) -> AssociationTest:
        """The test without the words that are not known.

        Raises
        ------
        NoWordsError
            If a list would be left empty.

        Examples
        --------
        >>> one = AssociationTest("t", (Stimuli("X", ("a", "b")), Stimuli("Y", ("c",))),
        ...     (Stimuli("A", ("d",)), Stimuli("B", ("e",))))
        >>> one.only({"a", "c", "d", "e"}).words
        ('a', 'c', 'd', 'e')
        """
        x, y, a, b = (self._known(side, known) for side in self.sides)
        return replace(self, targets=(x, y), attributes=(a, b))

    def _known(self, side: Stimuli, known: Collection[str]) -> Stimuli:
        left = tuple(word for word in side.words if word in known)
        if not left:
            raise NoWordsError(self.name, side)
        return Stimuli(side.name, left)

    @staticmethod
    @lru_cache(maxsize=1)
    def shipped() -> dict[str, AssociationTest]:
        """The tests of Guo & Caliskan (AIES 2021), C1 to C10 and I1 to I4, by name."""
        source = files("fairaudit.lm.ceat") / "data" / "stimuli.toml"
        return _tests("stimuli.toml", parse("stimuli.toml", source.read_bytes()))

    @staticmethod
    def read(path: str | Path) -> dict[str, AssociationTest]:
        """Read tests from a TOML file.

        A file has a table ``lists`` (name = list of words) and for each test a table
        ``tests.NAME`` with ``targets`` and ``attributes`` (two names of lists each) and, if you
        like, ``title`` and ``source``. The shipped lists can be named as well.

        Raises
        ------
        FairauditError
            If it cannot be read, a key or list is unknown, or a test cannot be.
        """
        return _tests(str(path), read(Path(path)), _shipped_lists())


def _shipped_lists() -> dict[str, Stimuli]:
    return {side.name: side for test in AssociationTest.shipped().values() for side in test.sides}


def _tests(
    where: str, content: object, known: dict[str, Stimuli] | None = None
) -> dict[str, AssociationTest]:
    """The tests that a parsed file holds."""
    file = Section(where, content, ("lists", "tests"))
    if not file.content.get("tests"):
        raise FairauditError(f"{where}: no tests. Add a table [tests.NAME].")
    lists = dict(known or {}) | {side.name: side for side in _lists(file)}
    tests = file.section("tests", file.content["tests"])
    return {name: _test(tests.section(name, _KEYS), name, lists) for name in tests.content}


def _lists(file: Section) -> Iterator[Stimuli]:
    given = file.content.get("lists", {})
    section = Section(f"{file.where}, lists", given, given)
    for name in section.content:
        words = tuple(word.strip() for word in section.texts(name))
        if not all(words):
            raise section.refuse(name, "words, none of them blank")
        yield Stimuli(name, words)


def _test(section: Section, name: str, lists: dict[str, Stimuli]) -> AssociationTest:
    x, y = _pair(section, "targets", lists)
    a, b = _pair(section, "attributes", lists)
    source, title = section.text("source", ""), section.text("title", "")
    try:
        return AssociationTest(name, (x, y), (a, b), source, title)
    except FairauditError as error:
        raise FairauditError(f"{section.where}: {error}") from None


def _pair(section: Section, key: str, lists: dict[str, Stimuli]) -> tuple[Stimuli, Stimuli]:
    names = section.texts(key)
    if len(names) != 2:
        raise section.refuse(key, 'the names of two lists: ["flowers", "insects"]')
    for name in names:
        if name not in lists:
            hint = choices("Lists", name, lists)
            raise FairauditError(f"{section.where}: {key}: no list '{name}'. {hint}")
    return lists[names[0]], lists[names[1]]
