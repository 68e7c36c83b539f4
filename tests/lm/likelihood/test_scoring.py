"""Scores are those of the slow, obvious way."""

import difflib

import numpy as np
import pytest

from fairaudit.lm.likelihood import scoring
from fairaudit.lm.likelihood.probes import differences

TEXTS = ["The nurse sees her.", "He", "My mother reads his book by the sea.", "He"]
#: Of one length, of several, and one that only goes on.
PAIRS = [
    ("The nurse sees her.", "The doctor sees her."),
    ("He reads his book.", "My mother, the king, reads his book."),
    ("She works", "She works at night."),
]


def test_log_likelihoods(both):
    model, slow = both
    found = scoring.log_likelihoods(model, TEXTS)
    np.testing.assert_allclose(found, [slow.total(text) for text in TEXTS], atol=1e-3)
    assert found[1] == found[3]


def test_mean_log_probability_of_all_and_of_what_follows(causal):
    model, slow = causal
    found = scoring.mean_log_probabilities(model, TEXTS)
    np.testing.assert_allclose(found, [slow.tokens(text).mean() for text in TEXTS], atol=1e-4)
    first, second = "The nurse works.", " She was tired."
    given = len(slow.own(first))
    assert slow.own(first + second)[:given] == slow.own(first)
    (found,) = scoring.mean_log_probabilities(model, [first + second], [len(first)])
    assert found == pytest.approx(slow.tokens(first + second)[given:].mean(), abs=1e-4)


def authors(slow, one, other):
    """CrowS-Pairs' metric.py in a few lines: sums over the shared tokens of each sentence."""
    tokens = [[0, *slow.own(text), 2] for text in (one, other)]
    blocks = difflib.SequenceMatcher(None, *[[str(t) for t in each] for each in tokens])
    equal = [code[1:] for code in blocks.get_opcodes() if code[0] == "equal"]
    places = [
        [i for a, b, _, _ in equal for i in range(a, b)],
        [j for _, _, a, b in equal for j in range(a, b)],
    ]
    sums = []
    for each, at in zip(tokens, places, strict=True):
        inner = each[1:-1]
        sums.append(sum(slow.token(inner[: i - 1], each[i], inner[i:]) for i in at[1:-1]))
    return [round(each, 3) for each in sums]


def test_shared_tokens_as_the_authors_score_them(masked):
    model, slow = masked
    found = np.transpose(scoring.shared_likelihoods(model, PAIRS))
    expected = [authors(slow, *pair) for pair in PAIRS]
    np.testing.assert_allclose(found, expected, atol=1.1e-3)
    assert (found == found.round(3)).all()
    # What is scored is the same tokens, not the same number of all.
    assert len({len(slow.own(text)) for text in PAIRS[1]}) == 2


def test_a_pair_of_equal_sentences_ties(both):
    model, _ = both
    score = scoring.log_likelihoods
    if model.masked:
        first, second = scoring.shared_likelihoods(model, [("He reads.", "He reads.")])
    else:
        first, second = np.split(score(model, ["He reads.", "He reads."]), 2)
    counts = differences(first, second)
    assert not counts["stereotypical"].any()
    assert not counts["antistereotypical"].any()
    assert counts["absolute_difference"].tolist() == [0]


def test_a_blank_is_filled_from_left_to_right(masked):
    model, slow = masked
    text, word = "The doctor xylophones at night.", "xylophones"
    start = text.index(word)
    tokens = slow.own(text)
    spans = model.read([text]).pieces[0].spans[1:-1]
    at = [i for i, (a, b) in enumerate(spans) if b > start and a < start + len(word)]
    assert len(at) > 2
    before, after = tokens[: at[0]], tokens[at[-1] + 1 :]
    filling = [tokens[i] for i in at]
    # Tokens of the word that come later are absent.
    scores = [slow.token([*before, *filling[:i]], t, after) for i, t in enumerate(filling)]
    (found,) = scoring.filled_in(model, [text], [(start, start + len(word))])
    assert found == pytest.approx(np.exp(scores).mean(), rel=1e-4)


def test_what_the_model_cannot_read_whole_does_not_fit(both):
    model, slow = both
    word = "q"
    assert len(slow.own(word)) == 1
    # GPT-2 needs room for the token in front, the others for one or two of their own.
    room = {"gpt2": 1, "llama": 1}.get(model._model.config.model_type, 2)
    longest = word * (model.context - room)
    assert scoring.fit(model, [longest, longest + word, "He"]).tolist() == [True, False, True]
