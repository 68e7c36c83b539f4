"""Sentences of a text in which the stimuli stand."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

#: A sentence longer than this is cut to the words around the stimulus: models read so much.
_WINDOW = 100
_WORD = re.compile(r"\w+")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"'\u2019\u201d)\]]*\s+")
#: Sentences that say next to nothing: May et al., "On Measuring Social Biases in Sentence
#: Encoders", NAACL 2019.
BLEACHED = (
    "This is {}.", "That is {}.", "There is {}.", "Here is {}.", "It is {}.", "They are {}.",
    "{} is here.", "{} is there.",
)  # fmt: skip
_ENTITY = re.compile(r"&(?:\w+|#\d+);")


class Context(NamedTuple):
    """A sentence, and the characters at which the stimulus stands in it."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Contexts:
    """Sentences of each stimulus.

    Attributes
    ----------
    sentences : mapping of str to tuple of Context
        A random sample for each word that was found.
    found : mapping of str to int
        How many sentences have each word, those of the sample and others.
    """

    sentences: Mapping[str, tuple[Context, ...]]
    found: Mapping[str, int]


def find(
    texts: Iterable[str],
    words: Collection[str],
    per_stimulus: int = 1000,
    seed: int = 0,
    code_compatible: bool = False,
) -> Contexts:
    """Look for words in a text, in one pass, and keep a random sample of the sentences of each.

    Words count as written (``Rose`` is not ``rose``) and whole (``roses`` is not ``rose``; marks
    on letters, as vowels of some scripts are, belong to a word), but for those without a letter or
    digit, such as emojis. Only the first place in a sentence counts. A stimulus may be a phrase.
    Each sentence with the word
    is equally likely to be kept (reservoir sampling: Vitter, ACM TOMS 11, 1985, algorithm R).

    Parameters
    ----------
    texts : iterable of str
        Lines or documents; they are split into sentences and forgotten.
    words : collection of str
        Stimuli.
    per_stimulus : int
        Sentences kept of each, at most.
    seed : int
        Seed of the sample; a word's sample does not depend on the other words.
    code_compatible : bool
        As the program of Guo & Caliskan: a text is not split, loses its punctuation and HTML
        entities, and is cut to nine words with the stimulus in the middle: eight, in fact, as its
        slice ends one word early; nine at either end of a text.

    Examples
    --------
    >>> contexts = find(["A rose is a rose. Roses fade! No rose lasts."], ["rose", "iris"])
    >>> [context.text for context in contexts.sentences["rose"]], dict(contexts.found)
    (['A rose is a rose.', 'No rose lasts.'], {'rose': 2, 'iris': 0})
    """
    search = _Search(words)
    keep = {word: _Reservoir(per_stimulus, f"{seed} {word}") for word in words}
    cut = _nine_words if code_compatible else _shortened
    for text in texts:
        for sentence in (_plain(text),) if code_compatible else _sentences(text):
            for word, start, end in search(sentence):
                keep[word].offer(Context(sentence, start, end))
    return Contexts(
        {w: tuple(cut(c) for c in each.kept) for w, each in keep.items() if each.kept},
        {word: each.seen for word, each in keep.items()},
    )


def in_templates(words: Iterable[str], templates: Sequence[str]) -> Contexts:
    """Put each word into sentences that say nothing else.

    Parameters
    ----------
    words : iterable of str
        Stimuli.
    templates : sequence of str
        Sentences with ``{}`` where the word goes.

    Examples
    --------
    >>> in_templates(["rose"], BLEACHED).sentences["rose"][0]
    Context(text='This is rose.', start=8, end=12)
    """
    found = {}
    for word in words:
        halves = (template.split("{}") for template in templates)
        found[word] = tuple(
            Context(before + word + after, len(before), len(before) + len(word))
            for before, after in halves
        )
    return Contexts(found, {word: len(each) for word, each in found.items()})


class _Search:
    """Finds which of many words a sentence has, by looking up its own words."""

    def __init__(self, words: Collection[str]) -> None:
        self._by_first: dict[str, list[str]] = {}
        for word in words:
            first = _WORD.search(_composed(word))
            self._by_first.setdefault(first[0] if first else "", []).append(word)
        self._pattern = {word: re.compile(_bordered(_composed(word))) for word in words}

    def __call__(self, sentence: str) -> Iterator[tuple[str, int, int]]:
        for first in self._by_first.keys() & {"", *_WORD.findall(sentence)}:
            for word in self._by_first[first]:
                for found in self._pattern[word].finditer(sentence):
                    # Words without a letter or digit have no ends that could go on.
                    if not first or _is_whole(sentence, *found.span()):
                        yield word, *found.span()
                        break


def _bordered(word: str) -> str:
    """A pattern of a word; a letter or digit beside it would be of another word."""
    return rf"(?<!\w){re.escape(word)}(?!\w)" if _WORD.search(word) else re.escape(word)


def _is_whole(sentence: str, start: int, end: int) -> bool:
    """Whether no marks beside a part of a sentence tie it to a letter."""
    if _is_mark(sentence[end : end + 1]):
        return False
    base = start
    while base and _is_mark(sentence[base - 1]):
        base -= 1
    # What makes an emoji of a sign is a mark, too.
    return base == start or not sentence[max(base - 1, 0) : base].isalnum()


def _is_mark(character: str) -> bool:
    return not character.isascii() and unicodedata.category(character)[0] == "M"


class _Reservoir:
    """A uniform sample of a stream of unknown length."""

    def __init__(self, size: int, seed: str) -> None:
        self.kept: list[Context] = []
        self.seen = 0
        self._size = size
        self._draw = random.Random(seed)

    def offer(self, context: Context) -> None:
        self.seen += 1
        if len(self.kept) < self._size:
            self.kept.append(context)
            return
        at = self._draw.randrange(self.seen)
        if at < self._size:
            self.kept[at] = context


def _composed(text: str) -> str:
    """Letters with their accents as one character, so that é is é however it was typed."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _sentences(text: str) -> list[str]:
    return _SENTENCE_END.split(_composed(text).strip())


def _plain(text: str) -> str:
    """A text without HTML entities and punctuation, single spaces between words."""
    return " ".join(_WORD.findall(_ENTITY.sub(" ", _composed(text))))


def _shortened(context: Context) -> Context:
    """At most 100 words, the stimulus about in the middle."""
    return _window(context, _WINDOW, _WINDOW)


def _nine_words(context: Context) -> Context:
    return _window(context, 9, 8)


def _window(context: Context, at_edge: int, inside: int) -> Context:
    """So many words around the stimulus, fewer where it is not near the start or end."""
    words = [match.span() for match in re.finditer(r"\S+", context.text)]
    if len(words) <= at_edge:
        return context
    at = sum(end <= context.start for _, end in words)
    before, half = at, at_edge // 2
    if before < half:
        part = words[:at_edge]
    elif len(words) - 1 - before < half:
        part = words[-at_edge:]
    else:
        part = words[at - half : at - half + inside]
    first, last = part[0][0], max(part[-1][1], context.end)
    return Context(context.text[first:last], context.start - first, context.end - first)
