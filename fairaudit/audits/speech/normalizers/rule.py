"""What a normaliser is, and what several of them share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

#: Plain, curly on either side, modifier letter, full width.
APOSTROPHES = "'\u2019\u2018\u02bc\uff07"


@dataclass(frozen=True)
class Normalizer:
    """A rule with a name.

    Attributes
    ----------
    name : str
        As chosen by the user.
    version : str
        What the signature shows: the name, and the version of a borrowed rule.
    apply : callable
        Lines to lines, a batch at a time.
    """

    name: str
    version: str
    apply: Callable[[str], str]


class Phrases:
    """Replaces whole words and phrases, the longest first; what was put in is not looked at again.

    Parameters
    ----------
    table : mapping of str to str
        What stands for a word, or for several with spaces between them; an empty text drops them.

    Examples
    --------
    >>> Phrases({"you know": "", "you": "thou", "gonna": "going to"})("you gonna  you know ask you")
    'thou going to ask thou'
    """

    def __init__(self, table: Mapping[str, str]) -> None:
        self._by_first: dict[str, list[tuple[list[str], str]]] = {}
        for phrase in sorted(table, key=lambda phrase: -len(phrase.split())):
            words = phrase.split()
            self._by_first.setdefault(words[0], []).append((words, table[phrase]))

    def __call__(self, line: str) -> str:
        """Replace in a line; words are then one space apart."""
        words = line.split()
        kept: list[str] = []
        i = 0
        while i < len(words):
            for phrase, text in self._by_first.get(words[i], ()):
                if words[i : i + len(phrase)] == phrase:
                    kept.append(text)
                    i += len(phrase)
                    break
            else:
                kept.append(words[i])
                i += 1
        return " ".join(filter(None, kept))
