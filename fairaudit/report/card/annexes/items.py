"""What the items of all annexes are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fairaudit.audit import Audit, Finding
from fairaudit.metrics import METRICS, Metric
from fairaudit.report.card.info import Info
from fairaudit.report.card.leading import Leading, disparity, worst_of
from fairaudit.report.card.model import AuditFile, Block, Bullets, Code, Facts, Prose, Stated
from fairaudit.report.card.statements import difference_sheet, each, gap_sheet, shown_gaps
from fairaudit.report.card.words import (
    amount,
    defined,
    digests,
    listed,
    some,
    spoken,
    task,
    used,
)
from fairaudit.report.ci.wording import label, measured, rows, subject, tally, worst_first
from fairaudit.report.sheets import level, printable

#: Failed criteria that are told in full.
_MOST_FAILED = 10
_IN_FRONT = "The sentences in front of this card say on which data, and over which groups."
#: A command that answers what audits answer.
AN_AUDIT = "fairaudit wer FILE --by accent --by gender --by accent:gender -o wer.json"


def lacking(term: str, command: str) -> Iterator[Block]:
    """That something is not stated, and which command would state it."""
    yield Facts([(term, None)])
    yield Code("Command that would fill it in", command)


def stated(info: Info, *keys: str) -> list[Stated]:
    """What the owner states, question by question."""
    return [info.stated(key) for key in keys]


def tested(files: Sequence[AuditFile]) -> Iterator[Block]:
    """What was tested, on which data, when, and by which metrics."""
    if not files:
        yield from lacking("Tests, data and metrics", AN_AUDIT)
    for file in files:
        yield Facts(list(_tested(file)))


def _tested(file: AuditFile) -> Iterator[tuple[str, str | list[str]]]:
    audit = file.audit
    yield "Test", f"{task(audit)}; audit file {printable(file.name)}, SHA-256 {file.sha256}"
    yield "Date and tool", f"{printable(audit.created)}, fairaudit {printable(audit.version)}"
    yield "Data", digests(audit)
    yield "Records", used(audit)
    yield "Groups that are shown" if file.partly else "Groups", _grouped(audit)
    yield "Metrics", listed([spoken(METRICS[name]) for name in audit.settings["metrics"]])


def _grouped(audit: Audit) -> str:
    """By what records were grouped."""
    named = dict.fromkeys(row.attribute for row in audit.estimates if row.attribute is not None)
    return listed([f"by {printable(name)}" for name in named], 10) or "none"


def accuracy(files: Sequence[AuditFile]) -> Iterator[Block]:
    """Of each audit the value over all records, the worst of all groups, and what differs most.

    The sentences in front have more: on which data, and over which groups.
    """
    if not files:
        yield from lacking("Accuracy over all records, and by group", AN_AUDIT)
        return
    yield Bullets(each(files, _accuracy))
    yield Prose(" ".join([_IN_FRONT, *_compared(files)]))


def _accuracy(file: AuditFile) -> Iterator[str]:
    found = Leading(file.audit, file.partly)
    worst = [worst_of(found)] if found.groups else []
    yield " ".join([_overall(found), *worst, *disparity(found)])


def _compared(files: Sequence[AuditFile]) -> Iterator[str]:
    """Where gaps stand, and how many are more than chance."""
    for found in filter(None, (gap_sheet(files), difference_sheet(files))):
        yield f'See also the table "{found.title}".'
    yield from shown_gaps(files)


def _overall(found: Leading) -> str:
    audit, name, row = found.audit, spoken(found.metric), found.overall
    if row is None or row.value is None:
        return f"Over all records the {name} has no value."
    interval = ""
    if row.ci_low is not None and row.ci_high is not None:
        low, high = (amount(x, found.figures) for x in (row.ci_low, row.ci_high))
        interval = f" ({level(audit)[1]} {low} to {high})"
    over = f"Over all {some(row.records, 'record')}"
    if row.records < audit.records.used:
        over = f"Over the {some(row.records, 'record')} that count for it"
    return f"{over} the {name} is {amount(row.value, found.figures)}{interval}."


def verdicts(files: Sequence[AuditFile]) -> Iterator[Block]:
    """How many criteria failed, and which."""
    findings = [finding for file in files for finding in file.audit.findings]
    if not findings:
        yield from lacking(
            "Criteria and verdicts", "fairaudit wer FILE --by accent --rubric RUBRIC -o wer.json"
        )
        return
    ranked = worst_first(rows(findings))
    yield Prose(f"{some(len(ranked), 'verdict')}: {tally(ranked)}.")
    failed = [row.finding for row in ranked if row.finding.status == "fail"]
    more = len(failed) - _MOST_FAILED
    if failed:
        said = [_failed(finding) for finding in failed[:_MOST_FAILED]]
        yield Bullets([*said, *([f"{some(more, 'more failure')}."] if more > 0 else [])])


def _failed(finding: Finding) -> str:
    return f"{label(finding)} failed: {subject(finding)}: {measured(finding)}."


def metrics(files: Sequence[AuditFile]) -> Iterator[Block]:
    """What the metrics that lead or were judged count, who defined them, what intervals say."""
    if not files:
        yield from lacking("Metrics and their sources", AN_AUDIT)
        return
    leads = [file.audit.settings["metrics"][0] for file in files]
    judged = [finding.metric for file in files for finding in file.audit.findings]
    shown = [METRICS[name] for name in dict.fromkeys([*leads, *judged]) if name in METRICS]
    yield Facts([(spoken(metric), defined(metric)) for metric in shown])
    levels = listed(list(dict.fromkeys(level(file.audit)[1] for file in files)))
    yield Bullets([*_intervals(levels), *_sampled(files), *_others(files, shown)])


def _others(files: Sequence[AuditFile], shown: Sequence[Metric]) -> Iterator[str]:
    """How many metrics are not explained here."""
    names = {name for file in files for name in file.audit.settings["metrics"]}
    if n := len(names - {metric.name for metric in shown}):
        yield f"Further metrics of the audits, not explained here: {n}."


def _intervals(levels: str) -> list[str]:
    """What an interval says, and what not."""
    return [
        f"The {levels} of a value says how far chance in drawing these records may have moved it. "
        "It says nothing of records that were drawn from elsewhere.",
        "Where a group is too small for an interval, none is given and nothing is judged.",
    ]


def _sampled(files: Sequence[AuditFile]) -> Iterator[str]:
    """What was taken to be independent."""
    for cluster in dict.fromkeys(file.audit.settings.get("cluster") for file in files):
        if cluster is None:
            yield "Where no cluster was named, records are taken to be independent."
        else:
            yield f"Records of one {printable(cluster)} are not taken to be independent."
