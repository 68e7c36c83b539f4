"""What the neighbours of a listed word say against its being the word that is meant.

*King* is a noun in "the King" and a surname in "Stephen King"; *groom* a noun in "the groom" and a
verb in "to groom the dog"; *Will* begins a question, or names a man. Each cue is a few closed lists
of words around such a word. A word that is met without its cue is taken for what the list says.

Each function takes a text, split as by `fairaudit.lm.swap.swapper.split`, and the place of a word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_BEFORE_VERB = frozenset(
    "to will would can could must should may might shall ll help "
    "i we you they he she it who".split()
)
_POSSESSIVES = "my your his her its our their"
_DETERMINERS = frozenset(f"the a an {_POSSESSIVES}".split())
_OBJECTS = _DETERMINERS | frozenset(
    "this that these those all every each it them him us me".split()
)


def is_verb(parts: Sequence[str], at: int) -> bool:
    """Whether a noun is a verb here: between *to*, a modal or a subject and an object; or first.

    >>> is_verb(["", "to", " ", "groom", " ", "the", " ", "dog", "."], 3)
    True
    """
    following = _next(parts, at).lower()
    if following not in _OBJECTS:
        return False
    # "Man that is born of a woman": at the start only what can but begin an object.
    first = following in _DETERMINERS and _starts(parts, at)
    return first or _previous(parts, at).lower() in _BEFORE_VERB


_HONORIFICS = frozenset(
    "Mr Mrs Ms Miss Mister Dr Doctor Prof Professor Capt Captain Col Colonel Gen General Lt Sgt "
    "Judge Justice Senator Sen Rep Rev".split()
)
#: Capitalised words that no first name is, before a rank.
_NO_NAMES = frozenset(
    "the a an this that these those my your his her its our their whose some any no every each "
    "another both all one when while where if as since because though although but and or nor so "
    "then thus now here there yet not even only also perhaps meanwhile once soon in on at by "
    "for from to of with without under after before until till upon against between among "
    "through over about like than o oh ah ye yes well what which who how why is was are were be "
    "has had have did do does will would can could should may might must shall never "
    "he she it we you they i him them us me "
    "old young good great dear poor little big late noble brave mad wise evil false true last "
    "first second third former future new next grand high royal holy hereditary electoral "
    "imperial crown black white red green blue golden silver iron dark lord lady sir madam dame "
    "count marshal brigade prime french english british irish scottish welsh spanish german "
    "russian prussian roman greek dutch danish swedish norwegian polish persian egyptian indian "
    "chinese italian austrian european american catholic protestant christian papist "
    "lion frog snow fairy goblin pirate warrior god".split()
)  # fmt: skip
_DEFINITE = frozenset(f"the this that an a {_POSSESSIVES} s every no".split())
_SUFFIXES = frozenset("Jr Sr Junior Senior II III IV".split())


def is_surname(parts: Sequence[str], at: int) -> bool:
    """Whether a capitalised rank is a surname: after a name, a title or an initial, not before one.

    "the French King" is none (for the article), nor are "When King Hal" and "Old King Cole" (a name
    follows), nor "Edward King of England".

    >>> [is_surname(["", "Stephen", " ", "King", " ", "wrote", "."], 3),
    ...  is_surname(["", "Then", " ", "King", " ", "Hal", "."], 3)]
    [True, False]
    """
    after = _next(parts, at)
    if after == "of" or (after[:1].isupper() and after not in _SUFFIXES):
        return False
    before = parts[at - 2] if at > 2 else ""
    if not before[:1].isupper():
        return False
    if (before in _HONORIFICS or len(before) == 1) and parts[at - 1] in (". ", ".\u00a0"):
        return True
    if parts[at - 1] not in (" ", "\u00a0") or before.lower() in _NO_NAMES:
        return False
    # A word with a hyphen describes: "the tale of One-Handed Monk".
    return parts[at - 3] != "-" and _previous(parts, at - 2).lower() not in _DEFINITE


#: First names whose word stands bare before no finite verb: verbs, and nouns that need an article.
_NEVER_SUBJECTS = frozenset(
    "Will Mark Pat Sue Drew Chase Grant Skip Pierce Frank Bill Rose Cliff Chip Herb Hunter Page "
    "Miles Angel Star Judge Major Prince King Duke Earl Ruby Pearl Penny Cherry Reed".split()
)
_OTHERS = frozenset(
    "May April June August Summer Autumn Dawn Grace Hope Joy Faith Charity Mercy Patience Prudence "
    "Honor Honour Destiny Harmony Glory Art Rich Chance Cash Sky Crystal Amber Ginger Olive Candy "
    "Brandy Sherry Gay Merry Sunny Rocky Rusty Happy Young Noble Royal Sterling Precious Clay "
    "Ivy".split()
)
#: First names that are ordinary words too, which only their capital tells from these.
ORDINARY = _NEVER_SUBJECTS | _OTHERS
_SAID = frozenset(
    "said says asked asks told tells replied answered smiled laughed nodded shrugged sighed "
    "whispered shouted cried thought knew wanted liked loved felt looked turned went came walked "
    "ran sat stood wrote called".split()
)
_FINITE = _SAID | frozenset(
    "is isn was wasn has hasn had hadn did didn does doesn will won would wouldn can could couldn "
    "may might must should never always made got let took brought held shook rose burst spoke "
    "heard saw kept began fell lay gave put met".split()
)
_MODALS = frozenset(("Will", "May"))
#: Capitalised words that follow a word that is no name: "May Heaven help us".
_NO_FAMILY = frozenset("I God Heaven Providence Allah".split())


def is_ordinary(parts: Sequence[str], at: int) -> bool:
    """Whether a name of `ORDINARY` begins a sentence and nothing shows that it is a name.

    What shows it: a possessive *'s*, a capitalised word after it ("Rose Tyler"; after *Will* and
    *May* not in a question), *and* with one, a verb of what people do ("Hope said"). A word that
    never is a subject without an article is also one before a comma, an auxiliary or a past tense
    ("Mark was"; yet "Hope was").

    >>> [is_ordinary(["", "Will", " ", word, "."], 1) for word in ("you", "Smith", "said")]
    [True, False, False]
    """
    if not _starts(parts, at) or parts[at + 1][:1] in ("'", "\u2019"):
        return False
    name, after = parts[at], _next(parts, at)
    if name in _NEVER_SUBJECTS and (
        parts[at + 1][:1] == "," or after in _FINITE or after.endswith("ed")
    ):
        return False
    if after == "and":
        after = _next(parts, at + 2)
    if after[:1].isupper() and after not in _NO_FAMILY:
        return name in _MODALS and _asks(parts, at)
    return after not in _SAID


_MARK = re.compile("[.!?]")
_STARTING = re.compile(r"[!?\u2026]|:\s*\Z")
_OPENING = tuple("\"\u201c\u2018'")
_ABBREVIATED = _HONORIFICS | frozenset(("St", "Messrs"))


def _starts(parts: Sequence[str], at: int) -> bool:
    """Whether a capital is due to the place of a word: in front of a sentence or a quotation."""
    between = parts[at - 1]
    quoted = between.strip()[-1:] in _OPENING and not between[-1:].isspace()
    if at == 1 or quoted or between.count("\n") > 1 or _STARTING.search(between):
        return True
    before = parts[at - 2]
    initial = len(before) == 1 and before.isupper()
    return "." in between and not initial and before not in _ABBREVIATED


def _asks(parts: Sequence[str], at: int) -> bool:
    """Whether the sentence ends with a question mark."""
    marks = (_MARK.search(part) for part in parts[at + 1 :: 2])
    return next((found[0] for found in marks if found), ".") == "?"


def _next(parts: Sequence[str], at: int) -> str:
    """The word after a word, where but a blank is between; else nothing."""
    return parts[at + 2] if at + 2 < len(parts) and not parts[at + 1].strip() else ""


def _previous(parts: Sequence[str], at: int) -> str:
    """The word before a word, where but a blank or an apostrophe is between; else nothing."""
    return parts[at - 2] if at > 2 and not parts[at - 1].strip(" \n\u00a0'\u2019") else ""
