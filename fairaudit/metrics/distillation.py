"""Metrics of two models on the same records: how much one changed against another.

Counts of one record are those of `fairaudit.metrics.likelihood` and `fairaudit.metrics.generation`,
of the student as such, of the model that it is compared with under names that begin with `BEFORE`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.metrics.registry import BEFORE, Counts, metric

_OTHERS = "of the same records by the model compared with"


@metric(
    "gap less",
    denominator=lambda c: c.records,
    counted="records",
    unit="share by which the pronoun gap is smaller than the other model's",
    range="real",
    direction="higher",
    source=f"1 less the ratio of two pronoun gaps, the other {_OTHERS}",
)
def disparity_reduction(c: Counts) -> Any:
    """Share by which the pronoun gap fell: 1 - gap / gap of the other model.

    0 is no change, 1 no gap left; below 0 the gap has grown.

    Examples
    --------
    Over four sentences the gaps add up to 2, those of the other model to 8:

    >>> counts = {"pronoun_distance": 2, "records": 4}
    >>> counts |= {"before:pronoun_distance": 8, "before:records": 4}
    >>> float(disparity_reduction(Counts.of(**counts)))
    0.75
    """
    other = c[f"{BEFORE}pronoun_distance"] / c[f"{BEFORE}records"]
    return 1 - c.pronoun_distance / c.records / other


@metric(
    "ppl increase",
    denominator=lambda c: c.words,
    counted="words",
    unit="perplexity per word over the other model's, less 1",
    range="real",
    direction="lower",
    source=f"the ratio of two perplexities per word less 1, the other {_OTHERS}",
)
def perplexity_increase(c: Counts) -> Any:
    """How much higher the perplexity per word is: perplexity / that of the other model - 1.

    Examples
    --------
    Of 100 words with negative log-likelihoods of 402 against 400: exp(0.02) - 1.

    >>> counts = {"loss": 402, "words": 100, "before:loss": 400, "before:words": 100}
    >>> round(float(perplexity_increase(Counts.of(**counts))), 4)
    0.0202
    """
    return np.exp(c.loss / c.words - c[f"{BEFORE}loss"] / c[f"{BEFORE}words"]) - 1


def _own_change(c: Counts) -> tuple[Array, Array]:
    """Of a profession the change of its equity ratio, and whether both models have one."""
    new, gendered = _equity(c, "")
    old, also = _equity(c, BEFORE)
    defined = gendered & also
    return np.where(defined, new - old, 0.0), defined


def _equity(c: Counts, run: str) -> tuple[Array, Array]:
    """Equity ratios, 0 where no text is gendered, and where any is."""
    male, female = c[f"{run}male"], c[f"{run}female"]
    most = np.maximum(male, female)
    return np.minimum(male, female) / np.maximum(most, 1), most > 0


@metric(
    "equity change",
    denominator=lambda c: c.equity_change_clusters,
    counted="professions",
    unit="mean over professions of the equity ratio less the other model's",
    range="real",
    direction="higher",
    scale="number",
    source=f"difference of mean equity ratios (see equity_ratio), the other {_OTHERS}",
    per_cluster=_own_change,
)
def equity_change(c: Counts) -> Any:
    """Mean over professions of the equity ratio's difference to the other model's.

    Of the professions of which both models write gendered texts.

    Examples
    --------
    Two professions, 0.3 against 0.1 and 0.5 against 0.4:

    >>> c = Counts.of(equity_change=0.3, equity_change_clusters=2)
    >>> float(equity_change(c))
    0.15
    """
    return c.equity_change / c.equity_change_clusters


#: What is reported of a student against another model, by what both were asked.
CHANGES = {
    "pronouns": "disparity_reduction",
    "perplexity": "perplexity_increase",
    "generation": "equity_change",
}
