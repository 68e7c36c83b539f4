"""The service card: sections in the order of the AI service cards of AWS, filled from audits.

Source of the order: the card of Amazon Textract AnalyzeID, 2022,
https://docs.aws.amazon.com/ai/responsible-ai/textract-analyzeid/overview.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fairaudit.report.card.disclosure import LEAST_CLUSTERS
from fairaudit.report.card.evidence import NOTHING_JUDGED, RULE, sources
from fairaudit.report.card.glossary import glossary
from fairaudit.report.card.info import Info
from fairaudit.report.card.kinds import kind
from fairaudit.report.card.model import (
    AuditFile,
    Block,
    Bullets,
    Facts,
    Prose,
    Section,
    Wanted,
)
from fairaudit.report.card.statements import (
    INTRINSIC,
    PRACTICES,
    applies_to,
    asked,
    concluded,
    difference_sheet,
    each,
    gap_sheet,
    held,
    identity,
    is_varied,
    judged,
    measured,
    picked,
    questions,
    review,
    scope,
    settings_sheet,
    varied,
    worst,
)
from fairaudit.report.sheets import printable

_PREAMBLE = (
    "A service card says what a service is for, how it was tested and how well it does for "
    "different groups of people. It changes as the service and the tests do. Results on the data "
    "named here do not carry over to other data by themselves: test on your own content."
)
_COUNTED = (
    "Counts of the records are summed by group and divided last; only what is called a mean is "
    "one of quotients, and records count by their weights where an audit names some. Tables of a "
    "headline metric have the number of records behind each value, and its interval where there "
    "is one. Values of further metrics stand alone; the audit files have their intervals."
)
_WHOM = (
    "Groups may be what fairness is about, what may confound it, or both: who reads a difference "
    "must ask what else differs between the groups."
)


def sections(files: Sequence[AuditFile], info: Info, wanted: Wanted) -> Iterator[Section]:
    """All sections before the evidence."""
    yield _overview(files, info)
    yield _use(info)
    yield _design(files, info, wanted)
    practices: list[Block] = [Bullets(PRACTICES), info.stated("deployment.practices")]
    yield Section("Deployment and performance optimization best practices", practices, "deployment")
    yield Section("Further information", [info.stated("further.links")], "further")
    yield glossary(files)


def _overview(files: Sequence[AuditFile], info: Info) -> Section:
    truth = "How results are compared with the truth"
    blocks: list[Block] = [
        Prose(_PREAMBLE),
        Prose(applies_to(files, info), strong=True),
        identity(info),
        asked(info, "What it does", "overview.what"),
        asked(info, truth, "overview.ground_truth", *measured(files)),
        asked(info, "Intrinsic variation", "overview.intrinsic_variation"),
        asked(info, "Confounding variation", "overview.confounding_variation"),
    ]
    return Section("Overview", blocks, "overview")


def _use(info: Info) -> Section:
    keys = {
        "Intended use": "use.intended",
        "Unsupported use": "use.unsupported",
        "Supported inputs": "use.inputs",
        "Languages": "use.languages",
        "Human oversight": "use.oversight",
        "Limitations": "use.limitations",
    }
    return Section("Intended use cases and limitations", questions(info, keys), "use")


def _design(files: Sequence[AuditFile], info: Info, wanted: Wanted) -> Section:
    tests = [*_methodology(files), info.stated("design.methodology")]
    privacy = Bullets([*held(files, wanted.texts), *_left_out(wanted)])
    blocks: list[Block] = [
        asked(info, "Machine learning", "design.machine_learning"),
        asked(info, "Performance expectations", "design.expectations"),
        Section("Test-driven methodology", tests, "design-methodology"),
        asked(info, "Fairness and bias", "design.fairness", *_fairness(files)),
        asked(info, "Explainability", "design.explainability"),
        asked(info, "Robustness", "design.robustness", *_robustness(files)),
        asked(info, "Privacy", "design.privacy", privacy),
        asked(info, "Security", "design.security"),
        asked(info, "Transparency", "design.transparency", *_transparency(files)),
        asked(info, "Governance", "design.governance", *_governance(files, info)),
    ]
    return Section(f"Design of {info.text('service.name') or 'the service'}", blocks, "design")


def _left_out(wanted: Wanted) -> Iterator[str]:
    if wanted.suppress:
        yield (
            f"Groups with fewer than {wanted.suppress:,} records, or from fewer than "
            f"{LEAST_CLUSTERS} clusters, are left out of this card."
        )


def _methodology(files: Sequence[AuditFile]) -> Iterator[Block]:
    yield Bullets(each(files, scope))
    if any(kind(file.audit).compares for file in files):
        yield Prose(_COUNTED)
    if any(file.audit.findings for file in files):
        yield Prose(RULE)


def _fairness(files: Sequence[AuditFile]) -> Iterator[Block]:
    """The worst group of each audit, gaps beside what chance gives, verdicts."""
    yield Bullets(worst(files))
    yield from map(Prose, picked(files))
    yield from filter(None, (gap_sheet(files), difference_sheet(files)))
    if said := each(files, concluded):
        yield Bullets(said)
    yield Prose(judged([file.audit for file in files]))
    if any(kind(file.audit).compares for file in files):
        yield Prose(_WHOM)
    if any(kind(file.audit).intrinsic for file in files):
        yield Prose(INTRINSIC)


def _robustness(files: Sequence[AuditFile]) -> Iterator[Block]:
    found, others = settings_sheet(files), each(files, varied)
    if found:
        yield found
    if others:
        yield Bullets(others)
    if not found and is_varied(files):
        yield Prose("There are several settings; what they give stands in the evidence.")
    elif not found and not others:
        yield Prose("The audits vary no setting.")


def _transparency(files: Sequence[AuditFile]) -> Iterator[Block]:
    yield Prose(
        "The evidence at the end has, for each audit, every setting, the digests of the data, a "
        "signature and, where there was one, the command line: with the same data they give the "
        "same numbers."
    )
    yield Facts([(printable(file.name), f"SHA-256 {file.sha256}") for file in files])


def _governance(files: Sequence[AuditFile], info: Info) -> Iterator[Block]:
    findings = [finding for file in files for finding in file.audit.findings]
    if found := sources(findings):
        yield Bullets(found)
    else:
        yield Prose(NOTHING_JUDGED)
    waived = {f"{printable(f.id)}: {printable(f.waiver)}" for f in findings if f.waiver}
    if waived:
        yield Bullets([f"Waived: {text}" for text in sorted(waived)])
    yield review(info)
