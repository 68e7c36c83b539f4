"""The indefinite article before a word that gave way: *an earl* becomes *a countess*.

English chooses it by the sound that follows. Spelling tells that sound but for a few beginnings:
a vowel letter sounds as a vowel, except where it is read *you* or *won* (union, useful, European,
one); *h* is silent in hour, honest, honour and heir. Abbreviations that are read letter by letter
(an MP) are taken for words.
"""

from __future__ import annotations

import re

_ARTICLES = frozenset(("a", "an", "A", "An", "AN"))
#: Read with a consonant; "uninformed", "unimportant" and "unidentified" are "un-" and are not.
_YOU_OR_WON = re.compile(r"uni(?!n|m|de|ll)|u[st][aeiu]|ubi|ura|u[ks]?\b|eu|ew|on(?:e|ce)\b")
_SILENT_H = ("hour", "honest", "honor", "honour", "heir")


def article(word: str) -> str:
    """The indefinite article that a word asks for.

    >>> [article(word) for word in ("earl", "countess", "heiress", "university", "Asian")]
    ['an', 'a', 'an', 'a', 'an']
    """
    small = word.lower()
    if small.startswith(_SILENT_H):
        return "an"
    return "an" if small[:1] in tuple("aeiouáéíóú") and not _YOU_OR_WON.match(small) else "a"


def following(found: str, old: str, new: str) -> str | None:
    """The article for a new word, written like the one that was found before the old word.

    None where there is none, or where it stays: the two begin with like sounds, so that an
    article that a writer chose otherwise is the writer's.

    >>> following("An", "earl", "countess"), following("a", "man", "woman")
    ('A', None)
    """
    if found not in _ARTICLES:
        return None
    right = article(new)
    if right == article(old):
        return None
    if found == "AN" or (found == "A" and len(new) > 1 and new.isupper()):
        return right.upper()
    return right.capitalize() if found[0] == "A" else right
