"""Annex IV of the EU's Artificial Intelligence Act: technical documentation.

Regulation (EU) 2024/1689, Article 11(1) and Annex IV, points 1 to 9 in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from fairaudit.report.card.annexes.items import accuracy, metrics, stated, tested, verdicts
from fairaudit.report.card.info import Info
from fairaudit.report.card.model import AuditFile, Block, Prose, Section

TITLE = "Annex: technical documentation, EU AI Act, Annex IV"
_INTRODUCTION = (
    "The points of Annex IV of Regulation (EU) 2024/1689, in its order. Numbers come from the "
    "audits of this card, all else from the provider; that a point is filled in does not say that "
    "the Regulation is complied with. Article 18 has the documentation kept for ten years."
)


def blocks(files: Sequence[AuditFile], info: Info) -> Iterator[Block]:
    """Points 1 to 9."""
    yield Prose(_INTRODUCTION)
    yield _point("1", "General description", _general(info))
    yield _point("2", "Elements of the system, and how it was developed", _elements(files, info))
    yield _point("3", "Monitoring, functioning and control", _control(files, info))
    yield _point("4", "Appropriateness of the metrics", _metrics(files, info))
    for number, title, key in (
        ("5", "Risk management system", "eu_ai_act.risk_management"),
        ("6", "Changes during the life of the system", "eu_ai_act.changes"),
        ("7", "Standards applied", "eu_ai_act.standards"),
        ("8", "EU declaration of conformity", "eu_ai_act.declaration"),
        ("9", "Evaluation after it was placed on the market", "eu_ai_act.monitoring"),
    ):
        yield _point(number, title, stated(info, key))


def _point(number: str, title: str, content: Iterable[Block]) -> Section:
    """A point, or a letter of it: ``2`` or ``2(g)``."""
    name = number.replace("(", "-").rstrip(")")
    return Section(f"{number} {title}", list(content), f"annex-eu-ai-act-{name}")


def _general(info: Info) -> Iterator[Block]:
    yield from stated(info, "use.intended", "service.provider", "service.version")
    for name in "interaction software forms hardware product interface instructions".split():
        yield from stated(info, f"eu_ai_act.{name}")


def _elements(files: Sequence[AuditFile], info: Info) -> Iterator[Block]:
    """Letters (a) to (h)."""
    keys = {
        "(a) Methods and steps": ("eu_ai_act.development",),
        "(b) Design": ("design.machine_learning",),
        "(c) Architecture and resources": ("eu_ai_act.architecture",),
        "(d) Data": ("training.data", "training.procedure", "data.source"),
        "(e) Human oversight": ("use.oversight",),
        "(f) Changes determined beforehand": ("eu_ai_act.predetermined_changes",),
    }
    for letter, names in keys.items():
        yield _point(f"2{letter[:3]}", letter[4:], stated(info, *names))
    yield _point("2(g)", "Validation and testing", _testing(files, info))
    yield _point("2(h)", "Cybersecurity", stated(info, "design.security"))


def _testing(files: Sequence[AuditFile], info: Info) -> Iterator[Block]:
    """Data, metrics, potentially discriminatory impacts, and reports dated and signed."""
    yield from tested(files)
    yield from verdicts(files)
    yield from stated(info, "data.description", "design.methodology", "design.robustness")
    yield Prose("Test reports must be dated and signed by those responsible.")
    yield from stated(info, "review.signed", "review.date")


def _control(files: Sequence[AuditFile], info: Info) -> Iterator[Block]:
    """Accuracy, also for groups of persons; foreseeable outcomes; oversight; input data."""
    yield from accuracy(files)
    yield from stated(
        info, "use.limitations", "eu_ai_act.unintended_outcomes", "use.oversight", "use.inputs"
    )


def _metrics(files: Sequence[AuditFile], info: Info) -> Iterator[Block]:
    yield from metrics(files)
    yield from stated(info, "eu_ai_act.metrics")
