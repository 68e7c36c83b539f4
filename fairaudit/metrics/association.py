"""Metrics of association tests on embeddings.

Counts of one record, a sentence with a stimulus: records (1); contexts (1); effect (the combined
effect size, and how far the sentence pulls it). Of static vectors a record is a stimulus: words
(1); static_effect (the effect size, and how far the word pulls it); of sentences' vectors too, as
all sentences of a word leave the jackknife together. So their sums give the effect
size, and their variance that of the effect size; see `fairaudit.lm.ceat.pulls`.
"""

from __future__ import annotations

from typing import Any

from fairaudit.metrics.registry import Counts, metric


@metric(
    "CEAT d",
    denominator=lambda c: c.contexts,
    counted="contexts",
    unit="combined effect size",
    range="real",
    direction=None,
    scale="number",
    source=(
        "Guo & Caliskan, Detecting Emergent Intersectional Biases: Contextualized Word Embeddings "
        "Contain a Distribution of Human-like Biases, AIES 2021"
    ),
)
def ceat_effect(c: Counts) -> Any:
    """Combined effect size of a Contextualized Embedding Association Test, in deviations.

    Above 0 the first targets are nearer to the first attributes; below 0 the second ones are.

    Examples
    --------
    Two sentences that pull a combined effect size of 0.5 up and down by 0.25:

    >>> float(ceat_effect(Counts.of(effect=0.75 + 0.25, contexts=2)))
    0.5
    """
    return c.effect / c.contexts


@metric(
    "WEAT d",
    denominator=lambda c: c.words,
    counted="words",
    unit="effect size",
    range="real",
    direction=None,
    scale="number",
    source=(
        "Caliskan, Bryson & Narayanan, Semantics derived automatically from language corpora "
        "contain human-like biases, Science 356, 2017"
    ),
)
def weat_effect(c: Counts) -> Any:
    """Effect size of a Word Embedding Association Test, in deviations.

    >>> float(weat_effect(Counts.of(static_effect=4.8, words=4)))
    1.2
    """
    return c.static_effect / c.words


@metric(
    "SEAT d",
    denominator=lambda c: c.words,
    counted="words",
    unit="effect size",
    range="real",
    direction=None,
    scale="number",
    source=(
        "May, Wang, Bordia, Bowman & Rudinger, On Measuring Social Biases in Sentence Encoders, "
        "NAACL 2019"
    ),
)
def seat_effect(c: Counts) -> Any:
    """Effect size of a Sentence Encoder Association Test, in deviations.

    WEAT's, of the vectors of sentences that differ in the word alone.

    Examples
    --------
    Four words, each with some sentences, that pull an effect size of 1.2 up and down by 0.5:

    >>> float(seat_effect(Counts.of(static_effect=1.7 + 0.7 + 1.7 + 0.7, words=4)))
    1.2
    """
    return c.static_effect / c.words


#: The metrics of association tests: with sentences drawn, one vector per word, whole sentences.
ASSOCIATION = "ceat_effect weat_effect seat_effect".split()
