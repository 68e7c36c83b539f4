"""Annexes of a card: what a law or a framework asks for, item by item.

Items that an audit can answer are answered by it; all others are the owner's to answer, and stand
in the card as not stated until then. No annex claims that anything is complied with.
"""

from __future__ import annotations

from collections.abc import Sequence

from fairaudit.report.card.annexes import eu_ai_act, ll144, nist_rmf
from fairaudit.report.card.info import Info
from fairaudit.report.card.model import Annex, AuditFile, Section

_ANNEXES = {"ll144": ll144, "eu-ai-act": eu_ai_act, "nist-rmf": nist_rmf}


def section(annex: Annex, files: Sequence[AuditFile], info: Info) -> Section:
    """One annex.

    Parameters
    ----------
    annex : {"ll144", "eu-ai-act", "nist-rmf"}
    files : sequence of AuditFile
        Without what may not be shown.
    info : Info
        What the owner states.

    Raises
    ------
    FairauditError
        If an audit does not have what the table of its rule shows.
    """
    made = _ANNEXES[annex]
    return Section(made.TITLE, list(made.blocks(files, info)), f"annex-{annex}")
