"""Tokens that are words with a counterpart."""

import pytest

from fairaudit.exceptions import FairauditError
from fairaudit.lm.distill.vocabulary import counterparts
from fairaudit.lm.swap import Lexicon
from tests.lm import tiny


class Letters:
    """A tokenizer that knows these words and can spell all else, letter by letter."""

    def __init__(self, *words):
        self.words = list(words)

    def __call__(self, text, add_special_tokens):
        known = text in self.words
        self.input_ids = [self.words.index(text)] if known else [-ord(letter) for letter in text]
        return self

    def decode(self, tokens):
        return "".join(self.words[t] if t >= 0 else chr(-t) for t in tokens)


def test_words_in_all_their_forms():
    tokenizer = Letters(" he", " she", "He", "She", " HE", " king", "queen", " him")
    assert counterparts(Lexicon.default(), tokenizer).classes == (([0], [1]), ([2], [3]))


def test_words_with_several_counterparts_are_classes():
    tokenizer = Letters(" him", " his", " her", " hers", " Mr", " Mrs", " Ms", " dad", " mum")
    found = counterparts(Lexicon.default(), tokenizer)
    assert {frozenset(map(frozenset, pair)) for pair in found.classes} == {
        frozenset([frozenset({0, 1}), frozenset({2, 3})]),
        frozenset([frozenset({4}), frozenset({5, 6})]),
        frozenset([frozenset({7}), frozenset({8})]),
    }


def test_no_token_stands_in_two_classes():
    lexicon = Lexicon("x", pairs=(("us", "them"), ("US", "UK")))
    found = counterparts(lexicon, Letters(" us", " them", " US", " THEM", " UK"))
    tokens = found.tokens
    assert len(tokens) == len(set(tokens))
    assert ([0], [1]) in found.classes


def test_a_list_without_a_clear_inverse_is_refused():
    lexicon = Lexicon("x", pairs=(("a", "b"),), one_way=(("c", "a"), ("d", "c"), ("e", "d")))
    counterparts(lexicon, Letters())
    circle = Lexicon("x", pairs=(("a", "b"),), one_way=(("c", "a"), ("b2", "b")))
    counterparts(circle, Letters())
    with pytest.raises(FairauditError, match="no clear inverse"):
        counterparts(Lexicon("x", one_way=(("a", "b"), ("b", "c"), ("c", "a"))), Letters())


def test_a_real_tokenizer():
    tokenizer = tiny.tokenizer("gpt2")
    found = counterparts(Lexicon.default(), tokenizer)
    written = [[[tokenizer.decode([t]) for t in side] for side in pair] for pair in found.classes]
    assert [[" he"], [" she"]] in written or [["He"], ["She"]] in written
