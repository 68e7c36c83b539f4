"""The NIST AI Risk Management Framework: what MEASURE asks of tests of fairness.

NIST AI 100-1 (2023), MEASURE 2.1, 2.10, 2.11 and 2.13; kinds of bias after NIST SP 1270 (2022).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from fairaudit.report.card.annexes.items import accuracy, metrics, stated, tested, verdicts
from fairaudit.report.card.info import Info
from fairaudit.report.card.model import AuditFile, Block, Prose, Section

TITLE = "Annex: NIST AI Risk Management Framework, MEASURE"
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
