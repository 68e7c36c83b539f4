"""Scores of sentences by a language model: of whole ones, of parts of them, given the rest."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import chain, groupby

import numpy as np

from fairaudit.arrays import Array
from fairaudit.lm.language_models import LanguageModel, Question
from fairaudit.lm.models import Piece

#: Part of a text: from the first character up to the second.
Span = tuple[int, int]


def fit(model: LanguageModel, texts: Sequence[str]) -> Array:
    """Whether the model reads each text as a whole, shape (n,), bool."""
    reading = model.read(texts)
    if model.context is None:
        return np.ones(len(texts), dtype=bool)
    started = not model.masked and model.start is not None
    lengths = [
        len(piece.tokens) + (started and piece.tokens[0] != model.start) for piece in reading.pieces
    ]
    return ~reading.truncated & (np.array(lengths, dtype=np.int64) <= model.context)


def scorable(
    model: LanguageModel, texts: Sequence[str], spans: Sequence[Span] | None = None
) -> Array:
    """Whether each text, or a part of it, has a token with a probability, shape (n,), bool.

    Some tokenizers drop characters of no width; of a model that knows no start, the first token
    of a text has no probability.
    """
    reading = model.read(texts)
    found = np.zeros(len(texts), dtype=bool)
    for piece, record in zip(reading.pieces, reading.record.tolist(), strict=True):
        found[record] |= _is_scorable(model, piece, None if spans is None else spans[record])
    return found


def _is_scorable(model: LanguageModel, piece: Piece, span: Span | None) -> bool:
    places = [i for i, special in enumerate(piece.special) if not special]
    if span is not None:
        places = _places(piece, span)
    # A masked model can be asked for every token: no need to write down the questions.
    return bool(places) and (model.masked or any(q.at for q in model.questions(piece, places)))


def log_likelihoods(model: LanguageModel, texts: Sequence[str]) -> Array:
    """Log-likelihood of each text, of a masked model pseudo-log-likelihood, shape (n,).

    Equal texts are asked about once: their scores are then equal to the last digit.
    """
    unique = list(dict.fromkeys(texts))
    scores = [float(each.sum()) for each in model.log_likelihood(unique)]
    of = dict(zip(unique, scores, strict=True))
    return np.array([of[text] for text in texts])


def mean_log_probabilities(
    model: LanguageModel, texts: Sequence[str], begins: Sequence[int] | None = None
) -> Array:
    """Mean log probability of each text's tokens, from a character on, shape (n,).

    Parameters
    ----------
    model : LanguageModel
        A causal one.
    texts : sequence of str
    begins : sequence of int, optional
        Where the part begins whose tokens count; what is before it is given.
    """
    begins = [0] * len(texts) if begins is None else begins
    unique = list(dict.fromkeys(zip(texts, begins, strict=True)))
    pieces = model.read([text for text, _ in unique]).pieces
    questions = [
        model.questions(piece, _places(piece, (begin, len(piece.text))))
        for piece, (_, begin) in zip(pieces, unique, strict=True)
    ]
    means = [each.mean() if each.size else np.nan for each in answers(model, questions)]
    of = dict(zip(unique, means, strict=True))
    return np.array([of[key] for key in zip(texts, begins, strict=True)])


def filled_in(model: LanguageModel, texts: Sequence[str], spans: Sequence[Span]) -> Array:
    """Mean probability of the tokens that fill a blank, by a masked model, shape (n,).

    Each token is asked for at a mask that follows the tokens of the blank before it; those after
    it are absent, so that the number of masks does not tell how long the word is.
    """
    unique = list(dict.fromkeys(zip(texts, spans, strict=True)))
    pieces = model.read([text for text, _ in unique]).pieces
    questions = [
        _blank_questions(model, piece, _places(piece, span))
        for piece, (_, span) in zip(pieces, unique, strict=True)
    ]
    means = [np.exp(each).mean() if each.size else np.nan for each in answers(model, questions)]
    of = dict(zip(unique, means, strict=True))
    return np.array([of[key] for key in zip(texts, spans, strict=True)])


def _blank_questions(model: LanguageModel, piece: Piece, places: Sequence[int]) -> list[Question]:
    """One question for each token of the blank, those after it cut out."""
    end = places[-1] + 1 if places else 0
    return [
        question
        for place in places
        for question in model.questions(_without(piece, place + 1, end), [place])
    ]


def _without(piece: Piece, start: int, stop: int) -> Piece:
    """The piece without some of its tokens."""
    kinds = None if piece.kinds is None else [*piece.kinds[:start], *piece.kinds[stop:]]
    return Piece(
        piece.text,
        [*piece.tokens[:start], *piece.tokens[stop:]],
        kinds,
        [*piece.spans[:start], *piece.spans[stop:]],
        [*piece.special[:start], *piece.special[stop:]],
    )


def _places(piece: Piece, span: Span) -> list[int]:
    """Tokens that have a part in a span of the text."""
    start, stop = span
    return [
        place
        for place, ((first, last), special) in enumerate(
            zip(piece.spans, piece.special, strict=True)
        )
        if not special and first < stop and last > start
    ]


def shared_likelihoods(
    model: LanguageModel, pairs: Sequence[tuple[str, str]]
) -> tuple[Array, Array]:
    """Pseudo-log-likelihood of the tokens that the two sentences of a pair share.

    The modified tokens are given. Sums over the shared tokens, each masked alone; rounded to
    three decimals (Nangia et al., EMNLP 2020, and their ``metric.py``).

    Parameters
    ----------
    model : LanguageModel
        A masked one.
    pairs : sequence of (str, str)

    Returns
    -------
    first, second : array, shape (n,)
    """
    pieces = model.read(list(chain.from_iterable(pairs))).pieces
    questions = []
    for one, other in zip(pieces[::2], pieces[1::2], strict=True):
        first, second = _shared(one, other)
        questions += [model.questions(one, first), model.questions(other, second)]
    sums = np.array([round(float(each.sum()), 3) for each in answers(model, questions)])
    return sums[::2], sums[1::2]


def sharing(model: LanguageModel, pairs: Sequence[tuple[str, str]]) -> Array:
    """Whether the two sentences of each pair share a token, shape (n,), bool."""
    pieces = model.read(list(chain.from_iterable(pairs))).pieces
    both = zip(pieces[::2], pieces[1::2], strict=True)
    return np.array([bool(_shared(*each)[0]) for each in both], dtype=bool)


def _shared(one: Piece, other: Piece) -> tuple[list[int], list[int]]:
    """Places of the tokens that two pieces have in common, special ones left out."""
    blocks = SequenceMatcher(None, list(one.tokens), list(other.tokens)).get_matching_blocks()
    both = [
        (block.a + i, block.b + i)
        for block in blocks
        for i in range(block.size)
        if not one.special[block.a + i]
    ]
    return [a for a, _ in both], [b for _, b in both]


def answers(model: LanguageModel, questions: Sequence[Sequence[Question]]) -> list[Array]:
    """Log probabilities that are asked for, those of each list of questions joined."""
    asked = [(i, question) for i, each in enumerate(questions) for question in each if question.at]
    found = model.answer([question for _, question in asked])
    joined = [np.zeros(0)] * len(questions)
    owners = ((i, scores) for (i, _), scores in zip(asked, found, strict=True))
    for i, several in groupby(owners, key=lambda each: each[0]):
        joined[i] = np.concatenate([scores for _, scores in several])
    return joined
