"""What an audit found and from what, as a section of a card: all that an auditor must publish."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fairaudit.audit import Audit, Estimate, Finding
from fairaudit.report.card.kinds import counting, kind
from fairaudit.report.card.leading import Leading, crossed, disparity, leading
from fairaudit.report.card.model import (
    AuditFile,
    Block,
    Bullets,
    Code,
    Facts,
    Folded,
    Prose,
    Section,
)
from fairaudit.report.card.public import of_attributes
from fairaudit.report.card.words import (
    bare,
    cluster,
    digests,
    dropped,
    files,
    listed,
    some,
    task,
    used,
)
from fairaudit.report.ci.wording import (
    Row,
    label,
    numbers,
    reasons,
    rows,
    subject,
    tally,
    who,
    worst_first,
)
from fairaudit.report.contents import contents
from fairaudit.report.explanations import Alignment, Heat
from fairaudit.report.figures import count
from fairaudit.report.sheets import Column, Sheet, level, printable, sheet
from fairaudit.stats.sums import MISSING

#: Groups that are named in a sentence before the rest is counted.
_MOST_NAMED = 30
#: Settings that a reader must know to read the numbers, and what they are called.
_TELLING = {
    "where": "Only records with", "bins": "Bins", "norm": "Normaliser",
    "missing": "Ids in one file only", "before": "Compared with an earlier run",
    "label": "Label", "pred": "Prediction", "score": "Score", "threshold": "Threshold",
    "positive": "Positive values", "positive_label": "Positive values of the label",
    "weight": "Weight", "query": "Ranked within", "top_k": "Selected from the top",
    "over": "Columns searched", "depth": "Columns in a slice, at most",
    "min_size": "Records that a slice needs", "holdout": "Share of records for measuring",
    "control": "Compared at equal", "adjust": "Adjusted for", "match": "Matched by",
    "rule": "Table of the rule", "min_n": "Least records of a group to be compared",
}  # fmt: skip
_INTERVALS = {
    "auto": "Student's t by linearisation; of shares of independent records Wilson's, of their "
    "differences Miettinen and Nurminen's, of their ratios Koopman's",
    "t": "Student's t by linearisation",
    "bootstrap": "percentiles of a bootstrap",
    "percentile": "percentiles of a bootstrap, of gaps as well",
}
_CORRECTIONS = {
    "holm": "P-values of differences are adjusted over the groups of an attribute (Holm).",
    "bh": "P-values of differences are adjusted over the groups of an attribute "
    "(Benjamini and Hochberg).",
    "none": "P-values of differences are not adjusted for the number of groups.",
}
#: How p-values are adjusted beside groups that are left out, whatever the setting is.
_ANEW = "bonferroni"
_ADJUSTED_ANEW = (
    "Where groups of an attribute are left out, p-values of differences are adjusted over all of "
    "its groups by Bonferroni's rule."
)
_GAPS = (
    "Intervals of gaps are over all pairs of groups at once, so they allow for having picked the "
    "two that differ most. Beside a gap stands the one that chance alone would give."
)
_POWER = "The gap that the data would show with 80 % power says what they could have missed."
#: Where limits come from, and what the verdicts say.
RULE = (
    "Limits come from a rubric, a file of its own, to be written before the data are looked at. "
    "Fail: the data show that the limit is exceeded. Pass: they show that it is kept. "
    "Inconclusive: they show neither."
)
NOTHING_JUDGED = "No rubric was applied: nothing was held against a limit."
FROM_PYTHON = "The audit was made from Python, so there is no command line; see the settings."


def evidence(
    file: AuditFile,
    position: int,
    left_out: Sequence[str] = (),
    *,
    with_verdicts: bool = True,
    with_results: bool = True,
) -> Section:
    """All of an audit.

    Parameters
    ----------
    file : AuditFile
        Without what may not be shown.
    position : int
        Which audit of the card it is, from 1.
    left_out : sequence of str
        What was left out of it for the card.
    with_verdicts, with_results : bool
        Whether the tables of verdicts and results stand here, or elsewhere in the card.
    """
    at = anchor(position)
    found = Leading(file.audit, file.partly)
    lead = " ".join([leading(file.audit, file.partly)[0], *disparity(found)])
    blocks: list[Block] = [Prose(lead, strong=True), *map(Prose, left_out)]
    blocks.append(Section("What was audited", [facts(file)], f"{at}-data"))
    if with_verdicts:
        blocks.append(Section("Verdicts", list(verdicts([file.audit])), f"{at}-verdicts"))
    if with_results:
        blocks.append(Section("Results", list(results(file.audit)), f"{at}-results"))
    blocks.append(Section("How to read it", [Bullets(list(limits(file.audit)))], f"{at}-limits"))
    blocks.append(Section("How to make it anew", list(_origin(file.audit)), f"{at}-origin"))
    return Section(title(file.audit, position), blocks, at)


def anchor(position: int) -> str:
    """Where the section of an audit is.

    >>> anchor(1)
    'audit-1'
    """
    return f"audit-{position}"


def title(audit: Audit, position: int) -> str:
    """What a heading says of an audit."""
    return f"Audit {position}: {task(audit)}, {files([data.path for data in audit.data])}"


# --- What was audited ---------------------------------------------------------------------


def facts(file: AuditFile) -> Facts:
    """What was audited, from what, and how it was grouped."""
    audit = file.audit
    rows: list[tuple[str, str | Sequence[str] | None]] = [
        ("Audit", task(audit)),
        ("Audit file", f"{printable(file.name)}, SHA-256 {file.sha256}"),
        ("Made", f"{printable(audit.created)}, by fairaudit {printable(audit.version)}"),
        ("Data", digests(audit)),
        ("Records", used(audit)),
        ("Records left out", dropped(audit)),
        ("Headline metric", _headline(audit)),
        ("Clusters", _clusters(audit)),
        (grouped(file), list(groups(audit)) or "none"),
    ]
    return Facts([*rows, *_telling(audit)])


def _headline(audit: Audit) -> str:
    if not audit.estimates:
        return "none: nothing was estimated"
    metric = Leading(audit).metric
    return f"{Leading(audit).called}: {metric.unit}. n counts {counting(audit, metric)}"


def _clusters(audit: Audit) -> str:
    overall = Leading(audit).overall
    if audit.settings.get("cluster") is None:
        return f"none named: {kind(audit).record}s are taken to be independent"
    if overall is None or overall.clusters is None:
        return cluster(audit)
    return some(overall.clusters, cluster(audit))


def grouped(file: AuditFile) -> str:
    """What a list of groups is called.

    >>> from types import SimpleNamespace as Some
    >>> grouped(Some(audit=Some(kind="wer"), partly=True))
    'Groups that are shown'
    """
    members = f"{kind(file.audit).member.capitalize()}s"
    if file.partly:
        return f"{members} that are shown"
    return "Slices that the search found" if file.audit.kind == "search" else members


def groups(audit: Audit) -> Iterator[str]:
    """How many groups each attribute has, and of how many records the value is not known."""
    for attribute, own in _by_attribute(audit).items():
        unknown = _unknown(own, audit.records.used) if kind(audit).compares else ""
        yield _size(attribute, own, audit) + unknown


def sizes(audit: Audit) -> list[str]:
    """How many groups each attribute has."""
    return [_size(attribute, own, audit) for attribute, own in _by_attribute(audit).items()]


def _by_attribute(audit: Audit) -> dict[str, list[Estimate]]:
    found: dict[str, list[Estimate]] = {}
    for row in Leading(audit).all_groups:
        found.setdefault(row.attribute or "", []).append(row)
    return found


def _size(attribute: str, rows: Sequence[Estimate], audit: Audit) -> str:
    known, member = sum(row.group != MISSING for row in rows), kind(audit).member
    if attribute == member:
        return f"{known:,}"
    word = "crossing" if member == "group" and any(map(crossed, rows)) else member
    return f"{printable(attribute)}: {some(known, word)}"


def _unknown(rows: Sequence[Estimate], records: int) -> str:
    """Of how many records the value is not known; nothing where some are in no group."""
    unknown = sum(row.records for row in rows if row.group == MISSING)
    if unknown:
        return f"; unknown in {some(unknown, 'record')}"
    return "; unknown in none" if sum(row.records for row in rows) == records else ""


def _telling(audit: Audit) -> Iterator[tuple[str, str]]:
    for name, called in {**_TELLING, **kind(audit).settings}.items():
        value = audit.settings.get(name)
        if value is not None:
            yield called, printable(bare(str(value)) if name == "before" else str(value))


# --- Verdicts -----------------------------------------------------------------------------


def verdicts(audits: Sequence[Audit]) -> Iterator[Block]:
    """The findings of one or several audits as a table, and where the limits come from."""
    findings = [finding for audit in audits for finding in audit.findings]
    if not findings:
        yield Prose(NOTHING_JUDGED)
        return
    named = rows(findings)
    owners = [i for i, audit in enumerate(audits, 1) for _ in audit.findings]
    # By identity: two criteria may be judged alike, and rows cannot be hashed.
    positions = {id(row): str(i) for row, i in zip(named, owners, strict=True)}
    ranked = worst_first(named)
    yield Prose(f"{some(len(ranked), 'verdict')}: {tally(ranked)}.", strong=True)
    several = len(audits) > 1
    yield _verdict_sheet(ranked, [positions[id(row)] for row in ranked] if several else None)
    yield Folded("Why", [Bullets([_why(row.finding) for row in ranked])])
    yield Bullets([RULE, *sources(findings)])


def _verdict_sheet(ranked: Sequence[Row], audits: Sequence[str] | None) -> Sheet:
    """A line per finding; ``audits`` says of which audit it is."""
    found = [row.finding for row in ranked]
    written = [numbers(finding) for finding in found]
    ns = ["-" if finding.n is None else count(finding.n) for finding in found]
    columns = [
        Column("", "criterion", [label(finding) for finding in found]),
        *([] if audits is None else [Column("audit", "audit", audits)]),
        Column("outcome", "outcome", [row.called for row in ranked]),
        Column("what", "what was judged", [_judged(finding) for finding in found]),
        Column("value", "value", [each.value for each in written]),
        Column("bounds", "bounds", [each.bounds or "-" for each in written]),
        Column("limit", "limit", [_short(each.limit) for each in written]),
        Column("n", "n", ns),
    ]
    return sheet("Verdicts, worst first", columns)


def _short(limit: str) -> str:
    """A limit as it fits a column.

    >>> _short("at most 5.0 points")
    '≤ 5.0 points'
    """
    return limit.replace("at most", "≤").replace("at least", "≥")


def _judged(finding: Finding) -> str:
    """What was judged, and the groups that decided."""
    groups = who(finding)
    return subject(finding) + (f": {groups}" if groups else "")


def _why(finding: Finding) -> str:
    return f"{label(finding)}, {_judged(finding)}. {' '.join(reasons(finding))}"


def sources(findings: Sequence[Finding]) -> list[str]:
    """Where the limits come from."""
    said = (
        f"Limit of {label(finding)}: {numbers(finding).limit}. "
        f"Source: {printable(finding.source) or 'not stated'}"
        for finding in findings
    )
    return list(dict.fromkeys(said))


# --- Results ------------------------------------------------------------------------------


def results(audit: Audit) -> Iterator[Block]:
    """The tables of an audit: those of the headline metric, and the others on request."""
    shown: list[Sheet | Alignment | Heat] = []
    for each in contents(audit, further=False):
        shown.append(each)
        yield each
    further = [each for each in contents(audit, further=True) if each not in shown]
    if further:
        yield Folded("All further metrics", further)


def part(audit: Audit, crossings: bool) -> Audit | None:
    """The audit with its single attributes, or its crossings, alone; None where it has none.

    What was grouped by nothing counts as single.
    """
    grouped = [row for row in audit.estimates if row.attribute]
    kept = {row.attribute for row in grouped if row.attribute and crossed(row) == crossings}
    if not kept and (crossings or grouped):
        return None
    return of_attributes(audit, kept)


# --- How to read it -----------------------------------------------------------------------


def limits(audit: Audit) -> Iterator[str]:
    """What cannot be judged, how intervals were made, and the audit's own notes."""
    yield from unjudged(audit)
    yield from _statistics(audit)
    yield from map(printable, audit.notes)


def unjudged(audit: Audit) -> Iterator[str]:
    """Groups that nothing can be said of, by reason."""
    for reason, those in _unjudged(audit).items():
        if those:
            yield f"{reason}: {_named(those, kind(audit).record)}."


def _unjudged(audit: Audit) -> dict[str, list[Estimate]]:
    found = Leading(audit)
    small, least = found.small, audit.settings.get("min_n") or 0
    rest = [row for row in found.all_groups if row.group != MISSING and row not in small]
    without = [row for row in rest if row.value is not None and row.ci_low is None]
    return {
        f"Fewer than {least:,} records, outside comparisons": small,
        "Nothing to divide by, so no value": [row for row in rest if row.value is None],
        f"All records of one {cluster(audit)}, so no interval and no verdict": [
            row for row in without if row.clusters == 1
        ],
        "No interval": [row for row in without if row.clusters != 1],
    }


def _named(rows: Sequence[Estimate], record: str) -> str:
    names = [f"{printable(row.group)} ({some(row.records, record)})" for row in rows]
    return listed(names, _MOST_NAMED)


def _statistics(audit: Audit) -> Iterator[str]:
    settings = audit.settings
    how = _INTERVALS.get(settings.get("int") or "", "as the settings say")
    how = kind(audit).intervals or how
    if audit.estimates:
        yield f"Each {level(audit)[1]} is of its row alone: {how}."
    if audit.kind == "search":
        return
    adjusted = {row.adjustment for row in audit.comparisons if row.kind == "difference"}
    if adjusted - {_ANEW}:
        yield _CORRECTIONS.get(settings.get("corr") or "", "P-values: as the settings say.")
    if _ANEW in adjusted:
        yield _ADJUSTED_ANEW
    gaps = [row for row in audit.comparisons if row.kind == "gap"]
    if gaps and settings.get("int") != "percentile":
        yield _GAPS
    if any(row.minimum_detectable is not None for row in gaps):
        yield _POWER


# --- How to make it anew ------------------------------------------------------------------


def _origin(audit: Audit) -> Iterator[Block]:
    yield Code("Signature: the same data and signature give the same numbers", audit.signature)
    if audit.command is None:
        yield Prose(FROM_PYTHON)
    else:
        yield Code("Command", audit.command)
    yield Folded("All settings", [Facts(list(_settings(audit.settings)))])


def _settings(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What was set, and in one row what was left as it is by default."""
    for name, value in settings.items():
        if value is not None:
            several = isinstance(value, list | tuple)
            yield printable(name), printable(", ".join(map(str, value)) if several else str(value))
    default = [printable(name) for name, value in settings.items() if value is None]
    if default:
        yield "As by default", ", ".join(default)
