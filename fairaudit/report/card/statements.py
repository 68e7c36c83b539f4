"""Sentences and lists that several kinds of cards draw from the audits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairaudit.audit import QUOTING, Audit, Comparison
from fairaudit.metrics import METRICS, Metric
from fairaudit.report.card.evidence import NOTHING_JUDGED, grouped, sizes
from fairaudit.report.card.kinds import counting, kind
from fairaudit.report.card.leading import (
    SETTINGS,
    Leading,
    dataset,
    disparity,
    in_short,
    is_picked,
    leading,
    opposed,
    tested,
)
from fairaudit.report.card.model import AuditFile, Block, Facts, Prose, Section
from fairaudit.report.card.words import listed, spoken, task
from fairaudit.report.ci.wording import rows, tally
from fairaudit.report.figures import PERCENT, Figures, p_cell
from fairaudit.report.runs import update_sheets
from fairaudit.report.sheets import Column, Sheet, figures, printable, reference, sheet

if TYPE_CHECKING:
    from fairaudit.report.card.info import Info

#: What the audits hold of people, whatever they are about.
HELD = (
    "Audit files hold names of groups, counts by group, and keys of clusters that are hashed.",
    "Intervals and verdicts come from these counts; the data themselves are not needed again.",
)
#: What follows from the method for whoever deploys what was audited.
PRACTICES = (
    "Test on your own content. Groups, devices and topics of your users differ from those of any "
    "evaluation data. Take the commands in the evidence, with your own files and columns.",
    "Treat all groups by the same policy: the same settings, thresholds and exceptions. Where they "
    "differ, say why, and audit each.",
    "Audit at the thresholds that are in use. A difference at one threshold says little of "
    "another.",
    "Keep people in charge where an error does harm: who checks results must know for which "
    "groups errors are more frequent.",
    "Inconclusive is no pass: collect more of the groups that are too small to judge.",
    "Expect drift. Audit again with each release and as users change, and hold the new audit "
    "against the old one.",
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

#: Metrics of either sign that have no better side.
_EVEN_AT_0 = {
    "ceat_effect", "weat_effect", "seat_effect", "pronoun_accuracy_gap", "role_reversal_gap",
    "pronoun_lean",
}  # fmt: skip
INTRINSIC = (
    "What a model associates, writes or finds likely is no measure of the harm that it does where "
    "it is used: audit what is done with it as well."
)
_WORDS_OF_TESTS = (
    "Words and names of association tests stand in audit files and card: they are the auditor's, "
    "and from no text."
)
#: With more audits each has one sentence in front.
_MANY = 4
#: Groups of an attribute whose differences at equal control are told in a sentence.
_MOST_GROUPS = 8
PICKED = (
    "What is picked as the worst of many tends to look worse than it is, as chance had a part in "
    "which one it was; each interval is its own, without correction for that."
)
_OTHERS = (
    "Of each attribute stand here the gap of the headline metric and the one with the most "
    "evidence; all others stand in the evidence."
)
_ALONE = (
    "Of each metric the group with the smallest p, which is adjusted over all groups of its "
    "attribute; each interval is of its line alone."
)
_GAPS_SAY = "Intervals are over all pairs of groups at once; p: that no group differs."
#: Of the settings those that results should withstand; classes are none.
_VARIABLE = {"normalize", "threshold", "k"}
_VARIED = {
    "control": "Groups were compared at equal {} as well; see Fairness and bias.",
    "adjust": "Groups were compared with {} held equal as well; see the evidence.",
    "match": "Groups were compared with nearest neighbours in {} as well; see the evidence.",
    "before": "The change since an earlier run was measured; see Fairness and bias.",
}


def hits(audit: Audit) -> str | None:
    """What counts as a hit and as a miss; None where the kind of audit does not tell."""
    if audit.kind not in ("errors", "search"):
        return _HITS.get(audit.kind) or kind(audit).truth or None
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
    leads = [Leading(file.audit) for file in files if file.audit.estimates]
    found = {(each.metric.name, each.called): each for each in leads}
    return Facts([(each.called, _definition(each.metric, each.audit)) for each in found.values()])


def _definition(metric: Metric, audit: Audit) -> str:
    better = {"lower": "lower is better", "higher": "higher is better", None: "neither is better"}
    side = better[metric.direction] + (", 0 is even" if metric.name in _EVEN_AT_0 else "")
    return f"{metric.unit}; {side}; n counts {counting(audit, metric)}. Source: {metric.source}"


def lead(files: Sequence[AuditFile]) -> list[str]:
    """What leads a card: the worst group of each audit, and the verdicts."""
    if len(files) == 1:
        sentences = leading(files[0].audit, files[0].partly)
    else:
        sentences = [*each(files, _leading), *picked(files)]
    if len(files) > _MANY:
        sentences = each(files, lambda file: [in_short(file.audit, file.partly)])
    return [*sentences, judged([file.audit for file in files])]


def _leading(file: AuditFile) -> Iterator[str]:
    """The first sentence of an audit, and the gap that is larger than the headline's."""
    first = leading(file.audit, file.partly)[0]
    yield " ".join([first, *disparity(Leading(file.audit, file.partly))])


def worst(files: Sequence[AuditFile]) -> list[str]:
    """Of each audit what leads it; the caveat stands apart where there are several."""
    alone = len(files) == 1
    return each(files, lambda file: [" ".join(leading(file.audit, file.partly, picked=alone))])


def picked(files: Sequence[AuditFile]) -> Iterator[str]:
    """What being picked as the worst does to the values of several audits."""
    if len(files) > 1 and any(is_picked(file.audit) for file in files):
        yield PICKED


def judged(audits: Sequence[Audit]) -> str:
    """How many verdicts there are of which kind."""
    findings = [finding for audit in audits for finding in audit.findings]
    if not findings:
        return NOTHING_JUDGED
    return f"Verdicts: {tally(rows(findings))}."


def numbered(position: int, text: str) -> str:
    """A sentence about one of several audits."""
    return f"Audit {position}: {text}"


def each(files: Sequence[AuditFile], say: Callable[[AuditFile], Iterable[str]]) -> list[str]:
    """What is said of each audit, numbered where there are several."""
    several = len(files) > 1
    return [
        numbered(i, text) if several else text
        for i, file in enumerate(files, 1)
        for text in say(file)
    ]


def scope(file: AuditFile) -> Iterator[str]:
    """What was audited, on which data and by which groups."""
    by = listed(sizes(file.audit), 20) or "none"
    yield f"{task(file.audit)}, on {dataset(file.audit)}. {grouped(file)}: {by}."


@dataclass(frozen=True)
class _Gap:
    """A gap, and which audit of the card it is of, from 1."""

    audit: int
    row: Comparison
    leading: Leading

    @property
    def figures(self) -> Figures:
        """How its values are written."""
        if self.row.metric == self.leading.metric.name:
            return self.leading.figures
        if self.row.metric not in METRICS:
            return PERCENT
        own = [row for row in self.leading.audit.estimates if row.metric == self.row.metric]
        return figures(METRICS[self.row.metric], own)

    @property
    def called(self) -> str:
        """What differs, and the name that the field has for its equality.

        >>> row = Comparison("sex", "selection_rate", "gap", name="demographic_parity_difference")
        >>> _Gap(1, row, None).called
        'selection rate (demographic parity)'
        """
        # Equalized odds is about two metrics, and none of its own.
        metric = METRICS.get(self.row.metric)
        said = spoken(metric) if metric else "true or false positive rate"
        name = self.row.name or (metric and metric.parity) or ""
        name = name.removesuffix("_difference").replace("_", " ")
        return said if name.startswith(said) or not name else f"{said} ({name})"

    @property
    def alpha(self) -> float:
        """Below which p-values of its audit are small."""
        return 1 - float(self.leading.audit.settings["ci"])

    @property
    def evidence(self) -> tuple[float, float, float]:
        """By which the one with the most evidence comes first."""
        p, value = tested(self.row), self.row.value or 0.0
        bounds = [abs(x) for x in (self.row.ci_low, self.row.ci_high) if x is not None]
        return 2.0 if p is None else p, -min(bounds, default=0.0), -abs(value)


def gap_sheet(files: Sequence[AuditFile]) -> Sheet | None:
    """The gaps of the headline metrics and those with a name, beside what chance would give.

    Of each attribute the one with the most evidence comes first.
    """
    gaps = _named_gaps(files)
    said, kept = list(_shown(gaps)), gaps
    if len(files) > _MANY and len(kept := list(_foremost(gaps))) < len(gaps):
        said.append(_OTHERS)
    title = "Gaps, beside what chance alone would give"
    return _gap_sheet(title, kept, len(files) > 1, said=said)


def shown_gaps(files: Sequence[AuditFile]) -> list[str]:
    """How many of these gaps are shown to be more than chance."""
    return list(_shown(_named_gaps(files)))


def _named_gaps(files: Sequence[AuditFile]) -> list[_Gap]:
    return [gap for i, file in enumerate(files, 1) for gap in _main_gaps(i, file)]


def _foremost(gaps: Sequence[_Gap]) -> Iterator[_Gap]:
    """Of each attribute the headline's gap and the one with the most evidence."""
    seen = set()
    for gap in gaps:
        attribute = gap.audit, gap.row.attribute
        if attribute not in seen or gap.row.metric == gap.leading.metric.name:
            yield gap
        seen.add(attribute)


def _main_gaps(position: int, file: AuditFile) -> list[_Gap]:
    found = Leading(file.audit, file.partly)
    order = list(dict.fromkeys(row.attribute for row in found.gaps))
    gaps = [_Gap(position, row, found) for row in found.gaps]
    return sorted(gaps, key=lambda gap: (order.index(gap.row.attribute), gap.evidence))


def _shown(gaps: Sequence[_Gap]) -> Iterator[str]:
    """Of how many chance alone is no explanation."""
    tested = [gap for gap in gaps if gap.row.p_value is not None]
    small = sum((gap.row.p_value or 0) < gap.alpha for gap in tested)
    if len(tested) > 1:
        levels = listed([f"p<{alpha:.2g}" for alpha in sorted({gap.alpha for gap in tested})])
        yield (
            f"Of {len(tested)} gaps {small or 'none'} {'is' if small < 2 else 'are'} shown to be "
            f"more than chance ({levels}, not adjusted over the gaps)."
        )


def difference_sheet(files: Sequence[AuditFile]) -> Sheet | None:
    """Where gaps are left out, the most evident difference of a group in each such metric."""
    rows = [gap for i, file in enumerate(files, 1) for gap in _differences(i, file)]
    if not rows:
        return None
    name, *columns = _named_columns(rows, len(files) > 1)
    written = [(gap.row, gap.figures) for gap in rows]
    values = [f"{f.value(row.value, '+')}{f.points}" for row, f in written]
    intervals = [f.interval(row.ci_low, row.ci_high) for row, f in written]
    columns += [
        Column("who", "group that differs most evidently", [opposed(row) for row, _ in written]),
        Column("diff.", "difference", values),
        Column("interval", "interval", intervals),
        Column("p", "adjusted p", [p_cell(tested(row)) for row, _ in written]),
    ]
    return sheet("Differences, where gaps are left out", [name, *columns], [_ALONE])


def _differences(position: int, file: AuditFile) -> list[_Gap]:
    found = Leading(file.audit, file.partly)
    order = list(dict.fromkeys(row.attribute for row in found.differences))
    rows = [_Gap(position, row, found) for row in found.differences]
    return sorted(rows, key=lambda row: (order.index(row.row.attribute), row.evidence))


def settings_sheet(files: Sequence[AuditFile]) -> Sheet | None:
    """Gaps of the headline metrics under each of several settings."""
    gaps = [gap for i, file in enumerate(files, 1) for gap in _setting_gaps(i, file)]
    settings = Counter(audit for audit, _ in {(gap.audit, _setting(gap.row)) for gap in gaps})
    varied = [gap for gap in gaps if settings[gap.audit] > 1]
    column = Column("setting", "setting", [_setting(gap.row) for gap in varied])
    return _gap_sheet("Gaps under each of several settings", varied, len(files) > 1, [column])


def _setting_gaps(position: int, file: AuditFile) -> Iterator[_Gap]:
    found = Leading(file.audit, file.partly)
    for row in file.audit.comparisons:
        headline = (row.kind, row.metric) == ("gap", found.metric.name)
        if headline and {*(row.variant or {})} <= _VARIABLE:
            yield _Gap(position, row, found)


def is_varied(files: Sequence[AuditFile]) -> bool:
    """Whether the headline metric of any audit was estimated under several settings."""
    return any(len(_settings(file.audit)) > 1 for file in files)


def _settings(audit: Audit) -> set[str]:
    name = Leading(audit).metric.name
    variants = [row.variant or {} for row in audit.estimates if row.metric == name]
    return {str(dict(variant)) for variant in variants if {*variant} <= _VARIABLE}


def _gap_sheet(
    title: str,
    gaps: Sequence[_Gap],
    several: bool,
    settings: Sequence[Column] = (),
    said: Sequence[str] = (),
) -> Sheet | None:
    """A line per gap; None where there is none."""
    if not gaps:
        return None
    by, metrics = _named_columns(gaps, several)
    columns = [by, *settings, metrics, *_gap_columns(gaps)]
    bootstrapped = any(g.leading.audit.settings.get("int") == "percentile" for g in gaps)
    return sheet(title, columns, [*([] if bootstrapped else [_GAPS_SAY]), *said])


def _named_columns(gaps: Sequence[_Gap], several: bool) -> tuple[Column, Column]:
    """By which attribute, and in which metric."""
    metrics = [gap.called + (f", audit {gap.audit}" if several else "") for gap in gaps]
    by = [printable(gap.row.attribute or "") for gap in gaps]
    return Column("", "by", by), Column("metric", "metric", metrics)


def _gap_columns(gaps: Sequence[_Gap]) -> Iterator[Column]:
    rows = [gap.row for gap in gaps]
    written = [(gap.row, gap.figures) for gap in gaps]
    yield Column("who", "groups that differ most", [opposed(row) for row in rows])
    yield Column("gap", "gap", [f"{f.value(row.value)}{f.points}" for row, f in written])
    intervals = [f.interval(row.ci_low, row.ci_high) for row, f in written]
    yield Column("interval", "interval", intervals)
    yield Column("chance", "chance alone", [f.value(row.chance) for row, f in written])
    yield Column("p", "p", [p_cell(row.p_value) for row in rows])


def _setting(row: Comparison) -> str:
    named = (f"{SETTINGS[k]} {printable(str(v))}" for k, v in (row.variant or {}).items())
    return ", ".join(named) or "main"


def concluded(file: AuditFile) -> Iterator[str]:
    """What became of differences at equal control, and what changed since an earlier run."""
    audit = file.audit
    if column := audit.settings.get("control"):
        yield from _at_equal(audit, str(column))
        begins = (f"at equal {column} no ", f"Simpson's paradox: at equal {column} ")
        yield from (printable(n) for n in audit.notes if any(f": {b}" in n for b in begins))
    if audit.settings.get("before") is not None:
        yield from map(_changed, update_sheets(audit))


def _changed(found: Sheet) -> str:
    """The change over all records, which stand last, and for whom it became worse."""
    _, before, now, change, interval, *_ = (cell.strip(" *") for cell in found.rows[-1])
    said = " ".join(text for text in found.sentences if not text.startswith("*"))
    over = f"over all records {before} before and {now} now, {change} points {interval}"
    return f"{found.title.partition(':')[0]}: {over}. {said}"


def _at_equal(audit: Audit, column: str) -> Iterator[str]:
    """The headline's differences as they are and at equal control, attribute by attribute."""
    found = Leading(audit)
    own = [row for row in audit.comparisons if row.metric == found.metric.name]
    crude = {(r.attribute, r.group): r.value for r in own if _is(r, "difference", found)}
    equal = [row for row in own if _is(row, "adjusted_difference", found)]
    for attribute in dict.fromkeys(row.attribute for row in equal):
        rows = [row for row in equal if row.attribute == attribute]
        said = [_before_after(row, crude.get((attribute, row.group)), found) for row in rows]
        more = "; further groups stand in the evidence" if len(said) > _MOST_GROUPS else ""
        yield (
            f"Difference of the {spoken(found.metric)} to {reference(rows[0].against)} by "
            f"{printable(attribute or '')}, as it is and at equal {printable(column)}: "
            f"{', '.join(said[:_MOST_GROUPS])}{found.figures.points}{more}."
        )


def _is(row: Comparison, kind: str, found: Leading) -> bool:
    """Whether a row is of this kind, in the main setting and at all values of the control."""
    variant = {name: v for name, v in (row.variant or {}).items() if name != "control"}
    return row.kind == kind and variant == (found.variant or {})


def _before_after(row: Comparison, crude: float | None, found: Leading) -> str:
    before, after = (found.figures.value(value, "+") for value in (crude, row.value))
    return f"{printable(row.group or '')} {before} and {after}"


def varied(file: AuditFile) -> Iterator[str]:
    """What else was varied or held equal."""
    for name, said in _VARIED.items():
        value = file.audit.settings.get(name)
        if value is not None:
            yield said.format(printable(str(value)))


def held(files: Sequence[AuditFile], texts: bool) -> list[str]:
    """What audits and card hold of people."""
    explained = any(file.audit.settings.get("explain") for file in files)
    quoted = any(row.kind in QUOTING for file in files for row in file.audit.explanations)
    holding = "may quote" if explained else "hold no"
    quoting = "quotes" if texts and quoted else "quotes no"
    tests = [_WORDS_OF_TESTS] if any(file.audit.kind == "ceat" for file in files) else []
    return [
        *HELD,
        *tests,
        f"The audit files {holding} words of the data; this card {quoting} words.",
    ]


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
