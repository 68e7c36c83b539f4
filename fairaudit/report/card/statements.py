"""Sentences and lists that several kinds of cards draw from the audits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from fairaudit.audit import QUOTING, Audit, Comparison
from fairaudit.report.card.evidence import groups
from fairaudit.report.card.info import Info
from fairaudit.report.card.leading import SETTINGS, Leading, dataset, leading
from fairaudit.report.card.model import AuditFile, Block, Facts, Section
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


def hits(audit: Audit) -> str | None:
    """What counts as a hit and as a miss; None where the kind of audit does not tell."""
    if audit.kind not in ("errors", "search"):
        return _HITS.get(audit.kind)
    named = audit.settings.get("task")
    if named in _HITS:
        return _HITS[named]
    return _HITS["binary" if audit.settings.get("label") else "selection"]


def definitions(files: Sequence[AuditFile]) -> Facts:
    """The headline metrics: formula in words, which side is better, source."""
    found = {each.name: each for each in (Leading(file.audit).metric for file in files)}
    better = {"lower": "lower is better", "higher": "higher is better", None: "neither is better"}
    return Facts(
        [
            (
                spoken(m),
                f"{m.unit}; {better[m.direction]}; n counts {m.counted}. Source: {m.source}",
            )
            for m in found.values()
        ]
    )


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


_PICKED = (
    "What is picked as the worst of many tends to look worse than it is, as chance had a part in "
    "which one it was; each interval is its own, without correction for that."
)


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
    by = listed([text.split(";")[0] for text in groups(audit)], 20)
    yield f"{task(audit)}, on {dataset(audit)}. Groups: {by or 'none'}."


def gap_sheet(files: Sequence[AuditFile]) -> Sheet | None:
    """The gaps of the headline metrics, each beside what chance alone would give."""
    found = [
        (i, row, Leading(file.audit))
        for i, file in enumerate(files, 1)
        for row in _gaps(file.audit)
        if (row.variant or None) == (Leading(file.audit).variant or None)
    ]
    return _gap_sheet("Gaps, beside what chance alone would give", found, len(files) > 1, False)


def settings_sheet(files: Sequence[AuditFile]) -> Sheet | None:
    """The same gaps under each of several settings."""
    found = [
        (i, row, Leading(file.audit))
        for i, file in enumerate(files, 1)
        for row in _gaps(file.audit)
        if len({_setting(each) for each in _gaps(file.audit)}) > 1
    ]
    return _gap_sheet("Gaps under each of several settings", found, len(files) > 1, True)


_GAPS_SAY = "Intervals are over all pairs of groups at once; p: that no group differs."


def _gap_sheet(
    title: str, found: Sequence[tuple[int, Comparison, Leading]], several: bool, settings: bool
) -> Sheet | None:
    """A line per gap; None where there is none."""
    if not found:
        return None
    rows = [row for _, row, _ in found]
    written = [(row, each.figures) for _, row, each in found]
    columns = [Column("", "by", [printable(row.attribute or "") for row in rows])]
    metrics = [spoken(each.metric) + (f", audit {i}" if several else "") for i, _, each in found]
    if settings:
        columns.append(Column("setting", "setting", [_setting(row) for row in rows]))
    columns += [
        Column("metric", "metric", metrics),
        Column("who", "groups that differ most", [_ends(row) for row in rows]),
        Column("gap", "gap", [f"{f.value(row.value)}{f.points}" for row, f in written]),
        Column("interval", "interval", [f.interval(row.ci_low, row.ci_high) for row, f in written]),
        Column("chance", "chance alone", [f.value(row.chance) for row, f in written]),
        Column("p", "p", [p_cell(row.p_value) for row in rows]),
    ]
    bootstrapped = any(each.audit.settings.get("int") == "percentile" for _, _, each in found)
    said = [] if bootstrapped else [_GAPS_SAY]
    return sheet(title, columns, said)


def _ends(row: Comparison) -> str:
    return f"{printable(row.group or '')} against {printable(row.against or '')}"


def _gaps(audit: Audit) -> list[Comparison]:
    """Gaps of the headline metric under settings that stand side by side."""
    metric = Leading(audit).metric.name
    return [
        row
        for row in audit.comparisons
        if (row.kind, row.metric) == ("gap", metric) and {*(row.variant or {})} <= {*SETTINGS}
    ]


def _setting(row: Comparison) -> str:
    named = (f"{SETTINGS[k]} {printable(str(v))}" for k, v in (row.variant or {}).items())
    return ", ".join(named) or "main"


def varied(audit: Audit) -> Iterator[str]:
    """What else was varied or held equal."""
    for name, said in _VARIED.items():
        value = audit.settings.get(name)
        if value is not None:
            yield said.format(printable(str(value)))


_VARIED = {
    "control": "Groups were compared at equal {} as well; see the evidence.",
    "adjust": "Groups were compared with {} held equal as well; see the evidence.",
    "match": "Groups were compared with nearest neighbours in {} as well; see the evidence.",
    "before": "The change since an earlier run was measured; see the evidence.",
}


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
