"""Sentences and lists that several kinds of cards draw from the audits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fairaudit.audit import QUOTING, Audit, Comparison
from fairaudit.metrics import Metric
from fairaudit.report.card.evidence import sizes
from fairaudit.report.card.info import Info
from fairaudit.report.card.leading import SETTINGS, Leading, dataset, leading
from fairaudit.report.card.model import AuditFile, Block, Facts, Prose, Section
from fairaudit.report.card.words import listed, spoken, task
from fairaudit.report.ci.wording import rows, tally
from fairaudit.report.figures import p_cell
from fairaudit.report.sheets import Column, Sheet, printable, sheet

#: What the audits hold of people, whatever they are about.
HELD = (
    "Audit files hold names of groups, counts by group, and keys of clusters that are hashed.",
    "Intervals and verdicts come from these counts; the data themselves are not needed again.",
)
#: What follows from the method for whoever deploys what was audited.
PRACTICES = (
    "Test on your own content. Groups, devices and topics of your users differ from those of any "
    "evaluation data; the commands below run on your own data as they are.",
    "Treat all groups by the same policy: the same settings, thresholds and exceptions. Where they "
    "differ, say why, and audit each.",
    "Audit at the thresholds that are in use. A difference at one threshold says little of "
    "another.",
    "Keep people in charge where an error does harm: who checks results must know for which "
    "groups errors are more frequent.",
    "Inconclusive is no pass: collect more of the groups that are too small to judge.",
    "Expect drift. Run the commands below again with each release and as users change, and hold "
    "the new audit against the old one.",
)
#: Which part of a metric is a hit and which a miss, by what was audited.
_HITS = {
    "wer": "Reference and hypothesis are aligned word by word with the fewest edits. A word that "
    "agrees is a hit; one replaced or left out is a miss; one put in is a false alarm.",
    "binary": "Of records with a positive label, a positive prediction is a hit and a negative one "
    "a miss; of the others a positive prediction is a false alarm.",
    "multiclass": "A prediction is a hit where it is the label, and a miss of the label's class "
    "where it is not.",
    "regression": "There are no hits and misses: errors are predictions less labels.",
    "ranking": "What is compared is which places groups have; hits and misses play no part.",
    "selection": "Without labels there are no hits and misses: what is compared is who was "
    "selected, not who should have been.",
}

_PICKED = (
    "What is picked as the worst of many tends to look worse than it is, as chance had a part in "
    "which one it was; each interval is its own, without correction for that."
)
_GAPS_SAY = "Intervals are over all pairs of groups at once; p: that no group differs."
_VARIED = {
    "control": "Groups were compared at equal {} as well; see the evidence.",
    "adjust": "Groups were compared with {} held equal as well; see the evidence.",
    "match": "Groups were compared with nearest neighbours in {} as well; see the evidence.",
    "before": "The change since an earlier run was measured; see the evidence.",
}


def hits(audit: Audit) -> str | None:
    """What counts as a hit and as a miss; None where the kind of audit does not tell."""
    if audit.kind not in ("errors", "search"):
        return _HITS.get(audit.kind)
    named = audit.settings.get("task")
    if named in _HITS:
        return _HITS[named]
    return _HITS["binary" if audit.settings.get("label") else "selection"]


def measured(files: Sequence[AuditFile]) -> list[Block]:
    """What the headline metrics are, and what counts as a hit and as a miss."""
    found = dict.fromkeys(said for file in files if (said := hits(file.audit)))
    return [_definitions(files), *map(Prose, found)]


def _definitions(files: Sequence[AuditFile]) -> Facts:
    """The headline metrics: formula in words, which side is better, source."""
    found = {each.name: each for each in (Leading(file.audit).metric for file in files)}
    return Facts([(spoken(metric), _definition(metric)) for metric in found.values()])


def _definition(metric: Metric) -> str:
    better = {"lower": "lower is better", "higher": "higher is better", None: "neither is better"}
    side = better[metric.direction]
    return f"{metric.unit}; {side}; n counts {metric.counted}. Source: {metric.source}"


def lead(files: Sequence[AuditFile]) -> list[str]:
    """What leads a card: the worst group of each audit, and the verdicts."""
    if len(files) == 1:
        sentences = leading(files[0].audit)
    else:
        worst = [leading(file.audit)[0] for file in files]
        sentences = [numbered(i, text) for i, text in enumerate(worst, 1)]
        if any(len(Leading(file.audit).groups) > 1 for file in files):
            sentences.append(_PICKED)
    return [*sentences, judged([file.audit for file in files])]


def judged(audits: Sequence[Audit]) -> str:
    """How many verdicts there are of which kind."""
    findings = [finding for audit in audits for finding in audit.findings]
    if not findings:
        return "Nothing was held against a limit: no rubric was applied."
    return f"Verdicts: {tally(rows(findings))}."


def numbered(position: int, text: str) -> str:
    """A sentence about one of several audits."""
    return f"Audit {position}: {text}"


def each(files: Sequence[AuditFile], say: Callable[[Audit], Iterable[str]]) -> list[str]:
    """What is said of each audit, numbered where there are several."""
    several = len(files) > 1
    return [
        numbered(i, text) if several else text
        for i, file in enumerate(files, 1)
        for text in say(file.audit)
    ]


def scope(audit: Audit) -> Iterator[str]:
    """What was audited, on which data and by which groups."""
    by = listed(sizes(audit), 20)
    yield f"{task(audit)}, on {dataset(audit)}. Groups: {by or 'none'}."


@dataclass(frozen=True)
class _Gap:
    """A gap of an audit's headline metric, and which audit of the card it is, from 1."""

    audit: int
    row: Comparison
    leading: Leading


def _gaps(files: Sequence[AuditFile]) -> Iterator[_Gap]:
    """The gaps under settings that stand side by side."""
    for i, file in enumerate(files, 1):
        found = Leading(file.audit)
        for row in file.audit.comparisons:
            headline = (row.kind, row.metric) == ("gap", found.metric.name)
            if headline and {*(row.variant or {})} <= {*SETTINGS}:
                yield _Gap(i, row, found)


def gap_sheet(files: Sequence[AuditFile]) -> Sheet | None:
    """The gaps of the headline metrics, each beside what chance alone would give."""
    main = [g for g in _gaps(files) if (g.row.variant or None) == (g.leading.variant or None)]
    return _gap_sheet("Gaps, beside what chance alone would give", main, len(files) > 1)


def settings_sheet(files: Sequence[AuditFile]) -> Sheet | None:
    """The same gaps under each of several settings."""
    gaps = list(_gaps(files))
    settings = Counter(audit for audit, _ in {(gap.audit, _setting(gap.row)) for gap in gaps})
    varied = [gap for gap in gaps if settings[gap.audit] > 1]
    column = Column("setting", "setting", [_setting(gap.row) for gap in varied])
    return _gap_sheet("Gaps under each of several settings", varied, len(files) > 1, [column])


def _gap_sheet(
    title: str, gaps: Sequence[_Gap], several: bool, settings: Sequence[Column] = ()
) -> Sheet | None:
    """A line per gap; None where there is none."""
    if not gaps:
        return None
    by = Column("", "by", [printable(gap.row.attribute or "") for gap in gaps])
    metrics = [spoken(g.leading.metric) + (f", audit {g.audit}" if several else "") for g in gaps]
    columns = [by, *settings, Column("metric", "metric", metrics), *_gap_columns(gaps)]
    bootstrapped = any(g.leading.audit.settings.get("int") == "percentile" for g in gaps)
    return sheet(title, columns, [] if bootstrapped else [_GAPS_SAY])


def _gap_columns(gaps: Sequence[_Gap]) -> Iterator[Column]:
    rows = [gap.row for gap in gaps]
    written = [(gap.row, gap.leading.figures) for gap in gaps]
    yield Column("who", "groups that differ most", [_ends(row) for row in rows])
    yield Column("gap", "gap", [f"{f.value(row.value)}{f.points}" for row, f in written])
    intervals = [f.interval(row.ci_low, row.ci_high) for row, f in written]
    yield Column("interval", "interval", intervals)
    yield Column("chance", "chance alone", [f.value(row.chance) for row, f in written])
    yield Column("p", "p", [p_cell(row.p_value) for row in rows])


def _ends(row: Comparison) -> str:
    return f"{printable(row.group or '')} against {printable(row.against or '')}"


def _setting(row: Comparison) -> str:
    named = (f"{SETTINGS[k]} {printable(str(v))}" for k, v in (row.variant or {}).items())
    return ", ".join(named) or "main"


def varied(audit: Audit) -> Iterator[str]:
    """What else was varied or held equal."""
    for name, said in _VARIED.items():
        value = audit.settings.get(name)
        if value is not None:
            yield said.format(printable(str(value)))


def held(files: Sequence[AuditFile], texts: bool) -> list[str]:
    """What audits and card hold of people."""
    explained = any(file.audit.settings.get("explain") for file in files)
    quoted = any(row.kind in QUOTING for file in files for row in file.audit.explanations)
    holding = "may quote" if explained else "hold no"
    quoting = "quotes" if texts and quoted else "quotes no"
    return [*HELD, f"The audit files {holding} words of the data; this card {quoting} words."]


def applies_to(files: Sequence[AuditFile], info: Info) -> str:
    """To which version a card applies, and as of when: the day of the latest audit."""
    name = info.text("service.name") or "a service whose name is not stated"
    version, release = info.text("service.version"), info.text("service.release")
    of = f", version {version}" if version else ", version not stated"
    on = f", released {release}" if release else ""
    latest = max((file.audit.created for file in files), default="")[:10]
    return (
        f"This card applies to {name}{of}{on}; it is current as of {printable(latest)}, the day of "
        f"the latest audit."
    )


def asked(info: Info, title: str, key: str, *below: Block) -> Section:
    """A section with what the owner states, and below it what the audits say."""
    return Section(title, [info.stated(key), *below], key.replace(".", "-").replace("_", "-"))


def questions(info: Info, keys: Mapping[str, str]) -> list[Section]:
    """A section for each title with what the owner states under its key."""
    return [asked(info, title, key) for title, key in keys.items()]


def identity(info: Info) -> Facts:
    """Name, version and who answers for it."""
    names = {
        "Name": "name", "Version": "version", "Released": "release", "Provider": "provider",
        "Contact": "contact", "Licence": "licence", "Described at": "url",
    }  # fmt: skip
    return Facts([(term, info.text(f"service.{key}")) for term, key in names.items()])


def review(info: Info) -> Facts:
    """Who answers for the report."""
    names = {
        "Auditor": "auditor", "Independent": "independent", "Signed": "signed", "Date": "date",
    }  # fmt: skip
    return Facts([(term, info.text(f"review.{key}")) for term, key in names.items()])
