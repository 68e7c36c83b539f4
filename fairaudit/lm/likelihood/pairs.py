"""CrowS-Pairs: whether the more stereotypical sentence of a pair is the likelier one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fairaudit.arrays import Array
from fairaudit.lm.language_models import LanguageModel
from fairaudit.lm.likelihood.probes import Probe, Rows, differences, first_reasons, stacked
from fairaudit.lm.likelihood.scoring import log_likelihoods, shared_likelihoods, sharing
from fairaudit.metrics.likelihood import PAIRS
from fairaudit.table import Table, Workspace


class CrowsPairs(Probe):
    """Pairs of sentences, one more stereotypical than the other.

    Of a masked model the tokens that both sentences share are scored given those that differ; of
    a causal one the sentences are scored whole. Nangia et al., "CrowS-Pairs", EMNLP 2020; causal:
    EleutherAI's lm-evaluation-harness.
    """

    name = "crows-pairs"
    form = "a table with sent_more, sent_less, stereo_antistereo and bias_type"
    metrics = PAIRS
    columns = ("records", "stereotypical", "antistereotypical", "absolute_difference")
    fields = scored = ("sent_more", "sent_less")

    def __init__(self, source: object) -> None:
        self._source = source
        self._ties = 0

    def open(self, workspace: Workspace) -> Table:
        """Read the data as a table."""
        self._ties = 0
        table = workspace.open(self._source)
        for name in self.fields:
            table.text(name)
        known: Sequence[str] = ("bias_type", "stereo_antistereo")
        self.by = tuple(name for name in known if name in table.names)
        return table

    def refuse(self, model: LanguageModel, rows: Rows) -> list[str | None]:
        """Why each record cannot be scored, None where it can."""
        found = super().refuse(model, rows)
        if not model.masked:
            return found
        return first_reasons(found, sharing(model, _both(rows)), "no shared token")

    def measure(self, model: LanguageModel, rows: Rows) -> Array:
        """Counts of some records, shape (n, K)."""
        more, less = rows["sent_more"], rows["sent_less"]
        if model.masked:
            scores = shared_likelihoods(model, _both(rows))
        else:
            both = log_likelihoods(model, [*more, *less])
            scores = both[: len(more)], both[len(more) :]
        self._ties += int((scores[0] == scores[1]).sum())
        return stacked(self.columns, differences(*scores), len(more))

    def notes(self) -> Iterator[str]:
        """What a reader must know."""
        yield from ties(self._ties)
        yield (
            "Many of the published pairs are flawed (Blodgett et al., ACL 2021): read shares of "
            "them as a hint."
        )


def _both(rows: Rows) -> list[tuple[str, str]]:
    return list(zip(rows["sent_more"], rows["sent_less"], strict=True))


def ties(number: int) -> Iterator[str]:
    """What a reader must know of pairs without a likelier sentence.

    >>> list(ties(2)), list(ties(0))
    (['Equally likely and counted as not stereotypical: 2 of the pairs.'], [])
    """
    if number:
        yield f"Equally likely and counted as not stereotypical: {number:,} of the pairs."
