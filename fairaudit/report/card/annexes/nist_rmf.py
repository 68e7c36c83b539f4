"""The NIST AI Risk Management Framework: what MEASURE asks of tests of fairness.

NIST AI 100-1 (2023), MEASURE 2.1, 2.10, 2.11 and 2.13; kinds of bias after NIST SP 1270 (2022).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from fairaudit.report.card.annexes.items import accuracy, metrics, stated, tested, verdicts
from fairaudit.report.card.fields import Field
from fairaudit.report.card.model import AuditFile, Block, Prose, Section

if TYPE_CHECKING:
    from fairaudit.report.card.info import Info

TITLE = "Annex: NIST AI Risk Management Framework, MEASURE"
FIELDS = (
    Field(
        "nist_rmf.tools",
        "MEASURE 2.1: which other test sets, metrics and tools were used?",
        "None but those of the audits.",
        several=True,
    ),
    Field(
        "nist_rmf.privacy_risk",
        "MEASURE 2.10: which risks to privacy did MAP identify, and how were they examined?",
        "That a voice is recognised; recordings are deleted after transcription.",
        several=True,
    ),
    Field(
        "nist_rmf.harms",
        "MEASURE 2.11: which harms to whom did MAP identify?",
        "Callers with an accent are misunderstood more often.",
        several=True,
    ),
    Field(
        "nist_rmf.systemic_bias",
        "Systemic bias (SP 1270): which habits of institutions may the data or the use carry on?",
        "Calls come from customers alone, who are younger than the public.",
        several=True,
    ),
    Field(
        "nist_rmf.statistical_bias",
        "Statistical and computational bias (SP 1270): where may samples or the model be off, "
        "beyond what the audits measure?",
        "Recordings of landlines are missing.",
        several=True,
    ),
    Field(
        "nist_rmf.human_bias",
        "Human bias (SP 1270): whose judgement enters the data or the use, and how is it checked?",
        "Transcribers know few of the accents; a third person settles.",
        several=True,
    ),
    Field(
        "nist_rmf.effectiveness",
        "MEASURE 2.13: how was it evaluated whether these metrics and tests do what they should?",
        "Complaints were compared with what the metrics had said.",
        several=True,
    ),
)

_INTRODUCTION = (
    "Four outcomes of MEASURE in the NIST AI Risk Management Framework 1.0. Numbers come from the "
    "audits of this card, all else from the owner. The framework is voluntary, and this annex does "
    "not say that it is followed."
)
_BIAS = ("harms", "systemic_bias", "statistical_bias", "human_bias")


def blocks(files: Sequence[AuditFile], info: Info) -> Iterator[Block]:
    """MEASURE 2.1, 2.10, 2.11 and 2.13."""
    yield Prose(_INTRODUCTION)
    yield _outcome("2.1", "Test sets, metrics and tools", _documented(files, info))
    privacy = stated(info, "nist_rmf.privacy_risk", "design.privacy", "data.consent")
    yield _outcome("2.10", "Privacy", privacy)
    yield _outcome("2.11", "Fairness and bias", _fairness(files, info))
    yield _outcome("2.13", "Effectiveness of metrics and tests", _effective(files, info))


def _outcome(number: str, title: str, content: Iterable[Block]) -> Section:
    name = number.replace(".", "-")
    return Section(f"MEASURE {number} {title}", list(content), f"annex-nist-rmf-{name}")


def _documented(files: Sequence[AuditFile], info: Info) -> Iterator[Block]:
    yield from tested(files)
    yield from stated(info, "nist_rmf.tools")


def _fairness(files: Sequence[AuditFile], info: Info) -> Iterator[Block]:
    yield from accuracy(files)
    yield from verdicts(files)
    yield from stated(info, *(f"nist_rmf.{name}" for name in _BIAS))


def _effective(files: Sequence[AuditFile], info: Info) -> Iterator[Block]:
    yield from metrics(files)
    yield from stated(info, "nist_rmf.effectiveness")
