"""Annex IV of the EU's Artificial Intelligence Act: technical documentation.

Regulation (EU) 2024/1689, Article 11(1) and Annex IV, points 1 to 9 in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from fairaudit.report.card.annexes.items import accuracy, metrics, stated, tested, verdicts
from fairaudit.report.card.fields import Field
from fairaudit.report.card.model import AuditFile, Block, Prose, Section

if TYPE_CHECKING:
    from fairaudit.report.card.info import Info

TITLE = "Annex: technical documentation, EU AI Act, Annex IV"
FIELDS = (
    Field(
        "eu_ai_act.interaction",
        "1(b) How does the system interact with hardware, software or other AI systems?",
        "It is called over HTTP and calls no other system.",
        several=True,
    ),
    Field(
        "eu_ai_act.software",
        "1(c) Which versions of software or firmware does it need, and how are they updated?",
        "Linux and Python 3.12; updates come with each release.",
        several=True,
    ),
    Field(
        "eu_ai_act.forms",
        "1(d) In which forms is it placed on the market or put into service?",
        "As a web service.",
        several=True,
    ),
    Field(
        "eu_ai_act.hardware",
        "1(e) On which hardware is it meant to run?",
        "Servers with 8 cores.",
        several=True,
    ),
    Field(
        "eu_ai_act.product",
        "1(f) If it is a part of products: where are their pictures, markings and layout?",
        "It is no part of a product.",
        several=True,
    ),
    Field(
        "eu_ai_act.interface",
        "1(g) What does the deployer's user interface look like?",
        "A list of calls, each with its transcript.",
        several=True,
    ),
    Field(
        "eu_ai_act.instructions",
        "1(h) Where are the instructions for use?",
        "https://example.org/guide",
        several=True,
    ),
    Field(
        "eu_ai_act.development",
        "2(a) By which methods and steps was it developed, and which systems or tools of others "
        "were used?",
        "Trained from scratch with an open toolkit.",
        several=True,
    ),
    Field(
        "eu_ai_act.architecture",
        "2(c) How do its parts fit together, and which computing resources made and tested it?",
        "One model behind a queue; 200 hours of eight accelerators.",
        several=True,
    ),
    Field(
        "eu_ai_act.predetermined_changes",
        "2(f) Which changes of the system and its performance were determined beforehand?",
        "None.",
        several=True,
    ),
    Field(
        "eu_ai_act.unintended_outcomes",
        "3 Which unintended outcomes, and which risks to health, safety, fundamental rights and "
        "of discrimination are foreseeable?",
        "Words that nobody said; more of them for accents that are rare in the training data.",
        several=True,
    ),
    Field(
        "eu_ai_act.metrics",
        "4 Why are these metrics the right ones for this system?",
        "Users read the words, so every wrong word counts alike.",
        several=True,
    ),
    Field(
        "eu_ai_act.risk_management",
        "5 What is the risk management system (Article 9)?",
        "Risks are listed and rated before each release.",
        several=True,
    ),
    Field(
        "eu_ai_act.changes",
        "6 What has the provider changed during the system's life?",
        "2.3.0: a new punctuation model.",
        several=True,
    ),
    Field(
        "eu_ai_act.standards",
        "7 Which harmonised standards were applied, in full or in part, and where none was, how "
        "are the requirements met?",
        "None; see the risk management system.",
        several=True,
    ),
    Field(
        "eu_ai_act.declaration",
        "8 Where is the copy of the EU declaration of conformity (Article 47)?",
        "https://example.org/declaration",
        several=True,
    ),
    Field(
        "eu_ai_act.monitoring",
        "9 How is performance evaluated after the system was placed on the market, and what is the "
        "monitoring plan (Article 72)?",
        "Every month on 500 new calls; the plan is plan.pdf.",
        several=True,
    ),
)

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
