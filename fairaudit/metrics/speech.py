"""Metrics of speech recognition.

Counts of one utterance: hits, substitutions, deletions, insertions (words); character_errors,
characters (of the reference); wrong (1 where any word is), over_half (1 where WER > 0.5), scored
(1 where the reference has words), utterance_wer (0 where it has none).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fairaudit.metrics.registry import Counts, metric


def errors(c: Counts) -> Any:
    """Word errors: S + D + I."""
    return c.substitutions + c.deletions + c.insertions


def reference_words(c: Counts) -> Any:
    """Words of the reference: H + S + D."""
    return c.hits + c.substitutions + c.deletions


def hypothesis_words(c: Counts) -> Any:
    """Words of the hypothesis: H + S + I."""
    return c.hits + c.substitutions + c.insertions


_LEVENSHTEIN = "Levenshtein, Soviet Physics Doklady 10, 1966"
_MORRIS = "Morris, Maier & Green, Interspeech 2004"
_KOENECKE = "Koenecke et al., PNAS 117(14), 2020"
_PER_WORD = "per reference word"


@metric(
    "WER",
    denominator=reference_words,
    counted="words",
    unit=f"errors {_PER_WORD}",
    range="rate",
    source=f"{_LEVENSHTEIN}; pooled: all errors over all reference words",
)
def wer(c: Counts) -> Any:
    """Word error rate, pooled: (S + D + I) / (H + S + D). May exceed 1.

    Examples
    --------
    "the cat sat on the mat" heard as "a cat sat the mat today": one substitution, one
    deletion, one insertion in six words.

    >>> float(wer(Counts.of(hits=4, substitutions=1, deletions=1, insertions=1)))
    0.5
    """
    return errors(c) / reference_words(c)


@metric(
    "sub",
    denominator=reference_words,
    counted="words",
    unit=f"substitutions {_PER_WORD}",
    range="bounded",
    source=_LEVENSHTEIN,
)
def substitution_rate(c: Counts) -> Any:
    """Substitutions over reference words: S / (H + S + D).

    >>> float(substitution_rate(Counts.of(hits=5, substitutions=2, deletions=1)))
    0.25
    """
    return c.substitutions / reference_words(c)


@metric(
    "del",
    denominator=reference_words,
    counted="words",
    unit=f"deletions {_PER_WORD}",
    range="bounded",
    source=_LEVENSHTEIN,
)
def deletion_rate(c: Counts) -> Any:
    """Deletions over reference words: D / (H + S + D).

    >>> float(deletion_rate(Counts.of(hits=5, substitutions=2, deletions=1)))
    0.125
    """
    return c.deletions / reference_words(c)


@metric(
    "ins",
    denominator=reference_words,
    counted="words",
    unit=f"insertions {_PER_WORD}",
    range="rate",
    source=_LEVENSHTEIN,
)
def insertion_rate(c: Counts) -> Any:
    """Insertions over reference words: I / (H + S + D). May exceed 1.

    >>> float(insertion_rate(Counts.of(hits=3, substitutions=1, deletions=0, insertions=1)))
    0.25
    """
    return c.insertions / reference_words(c)


@metric(
    "missed",
    denominator=reference_words,
    counted="words",
    unit=f"substitutions and deletions {_PER_WORD}",
    range="bounded",
    source="one less recall",
)
def miss_rate(c: Counts) -> Any:
    """Share of reference words that were not recognised: (S + D) / (H + S + D).

    >>> float(miss_rate(Counts.of(hits=5, substitutions=2, deletions=1)))
    0.375
    """
    return (c.substitutions + c.deletions) / reference_words(c)


@metric(
    "MER",
    denominator=lambda c: errors(c) + c.hits,
    counted="aligned words",
    unit="errors per aligned word",
    range="bounded",
    source=_MORRIS,
)
def mer(c: Counts) -> Any:
    """Match error rate: (S + D + I) / (H + S + D + I), never above 1.

    >>> float(mer(Counts.of(hits=3, substitutions=1, deletions=1, insertions=1)))
    0.5
    """
    return errors(c) / (errors(c) + c.hits)


@metric(
    "WIL",
    denominator=reference_words,
    counted="words",
    unit="share of word information",
    range="bounded",
    source=_MORRIS,
)
def wil(c: Counts) -> Any:
    """Word information lost: 1 - H / (H + S + D) * H / (H + S + I).

    Examples
    --------
    Three hits of four reference words and of six hypothesis words: 1 - 3/4 * 3/6.

    >>> float(wil(Counts.of(hits=3, substitutions=1, deletions=0, insertions=2)))
    0.625
    """
    # Nothing heard means nothing kept: 0 hits of 0 hypothesis words count as 0, as in jiwer.
    precision = c.hits / np.maximum(hypothesis_words(c), 1)
    return 1 - c.hits / reference_words(c) * precision


@metric(
    "CER",
    denominator=lambda c: c.characters,
    counted="characters",
    unit="errors per reference character",
    range="rate",
    source=f"{_LEVENSHTEIN}; characters, single spaces counted",
)
def cer(c: Counts) -> Any:
    """Character error rate, pooled; one space between words counts as a character.

    Examples
    --------
    "the cat" heard as "the bat": one of seven characters.

    >>> round(float(cer(Counts.of(character_errors=1, characters=7))), 4)
    0.1429
    """
    return c.character_errors / c.characters


@metric(
    "SER",
    denominator=lambda c: c.records,
    counted="utterances",
    unit="share of utterances with an error",
    range="proportion",
    source="NIST sclite, sentence error",
)
def ser(c: Counts) -> Any:
    """Sentence error rate: the share of utterances with at least one word error.

    >>> float(ser(Counts.of(wrong=3, records=4)))
    0.75
    """
    return c.wrong / c.records


@metric(
    "WER > 0.5",
    denominator=lambda c: c.records,
    counted="utterances",
    unit="share of utterances with WER > 0.5",
    range="proportion",
    source=f"{_KOENECKE}: share of hardly usable transcripts",
)
def wer_over_half(c: Counts) -> Any:
    """Share of utterances whose own WER is above 0.5.

    An utterance without reference words counts as above where anything was inserted.

    >>> float(wer_over_half(Counts.of(over_half=1, records=8)))
    0.125
    """
    return c.over_half / c.records


@metric(
    "WER macro",
    denominator=lambda c: c.scored,
    counted="utterances",
    unit="mean of the utterances' WERs",
    range="rate",
    source=f"{_KOENECKE}: unweighted mean over utterances",
)
def wer_macro(c: Counts) -> Any:
    """Mean of utterance WERs; utterances without reference words have none and are left out.

    Examples
    --------
    Two utterances with WERs 0.5 and 0.25:

    >>> float(wer_macro(Counts.of(utterance_wer=0.75, scored=2)))
    0.375
    """
    return c.utterance_wer / c.scored


def _cluster_wer(c: Counts) -> tuple[Any, Any]:
    """A cluster's own WER (0 where it has no reference words), and whether it has one."""
    words = reference_words(c)
    return np.where(words > 0, errors(c) / np.maximum(words, 1), 0.0), words > 0


@metric(
    "WER speaker",
    denominator=lambda c: c.wer_speaker_clusters,
    counted="clusters",
    unit="mean of the clusters' pooled WERs",
    range="rate",
    source="mean over speakers, each speaker's WER pooled",
    per_cluster=_cluster_wer,
)
def wer_speaker(c: Counts) -> Any:
    """Mean of the speakers' pooled WERs: each speaker weighs the same.

    Examples
    --------
    Two speakers with WERs 0.5 and 0.25, however much they say:

    >>> float(wer_speaker(Counts.of(wer_speaker=0.75, wer_speaker_clusters=2)))
    0.375
    """
    return c.wer_speaker / c.wer_speaker_clusters


#: The metrics of a speech audit, in the order in which they are reported.
SPEECH = (
    "wer wer_macro wer_speaker mer wil cer ser substitution_rate deletion_rate insertion_rate "
    "wer_over_half"
).split()
