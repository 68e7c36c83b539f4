"""Which tokens of a vocabulary are words with a counterpart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

from fairaudit.exceptions import FairauditError
from fairaudit.lm.distill.targets import Counterparts
from fairaudit.lm.swap import Lexicon

#: *his* is *her* or *hers*, *her* is *him* or *his*, by grammar.
_PRONOUNS = (("him", "her"), ("his", "her"), ("his", "hers"))


def counterparts(lexicon: Lexicon, tokenizer: Any) -> Counterparts:
    """Words of a list that are single tokens, with their counterparts.

    A word is looked for in small letters, capitalised and in capitals, and each with and without
    a blank before it; a form has its counterpart in the same form. A word with several
    counterparts makes a class with them: {mr} and {mrs, ms}. What has more than one token is left
    out.

    Parameters
    ----------
    lexicon : Lexicon
    tokenizer : transformers tokenizer

    Raises
    ------
    FairauditError
        If the list makes a word its own counterpart, by way of others.
    """
    classes: list[tuple[list[int], list[int]]] = []
    taken: set[int] = set()
    for first, second in _classes(lexicon):
        for blank, form in product((" ", ""), _FORMS):
            sides = [
                [token for word in side for token in _single(blank + form(word), tokenizer)]
                for side in (first, second)
            ]
            # *us* in capitals is a country: the first that has a token keeps it.
            sides = [[token for token in side if token not in taken] for side in sides]
            if all(sides):
                classes.append((sides[0], sides[1]))
                taken.update(*sides)
    return Counterparts(tuple(classes))


def _capitalised(word: str) -> str:
    return word[:1].upper() + word[1:]


_FORMS: tuple[Callable[[str], str], ...] = (str, _capitalised, str.upper)


def _single(text: str, tokenizer: Any) -> list[int]:
    """The token that is a text, if it is one token."""
    tokens = tokenizer(text, add_special_tokens=False).input_ids
    return tokens if len(tokens) == 1 and tokenizer.decode(tokens) == text else []


def _classes(lexicon: Lexicon) -> Iterator[tuple[list[str], list[str]]]:
    """Words that are each other's counterparts, on two sides."""
    neighbours: dict[str, list[str]] = {}
    for one, other in (*lexicon.pairs, *lexicon.one_way, *(_PRONOUNS * lexicon.pronouns)):
        neighbours.setdefault(one, []).append(other)
        neighbours.setdefault(other, []).append(one)
    seen: set[str] = set()
    for word in neighbours:
        if word not in seen:
            side = _sides(word, neighbours)
            seen.update(side)
            yield [w for w in side if not side[w]], [w for w in side if side[w]]


def _sides(start: str, neighbours: Mapping[str, list[str]]) -> dict[str, bool]:
    """All words that can be reached from one, each on the other side of its neighbours."""
    side, waiting = {start: False}, [start]
    while waiting:
        word = waiting.pop()
        for other in neighbours[word]:
            if other not in side:
                side[other] = not side[word]
                waiting.append(other)
            elif side[other] == side[word]:
                raise FairauditError(
                    f"the word list: '{word}' and '{other}' have a counterpart in common and are "
                    "counterparts themselves, so the list has no clear inverse. Give each word "
                    "one counterpart."
                )
    return side
