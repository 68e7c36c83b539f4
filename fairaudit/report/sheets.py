"""What an audit says, as plain tables and sentences; how they look is decided elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fairaudit.audit import Audit, Comparison, Estimate, Kind
from fairaudit.metrics import METRICS, Counts, Metric
from fairaudit.stats.sums import MISSING
from fairaudit.table import USUAL_NAMES

_BIN = re.compile(r"[\[(](-inf|-?[\d.e+-]+), ")


@dataclass(frozen=True)
class Sheet:
    """A table and the sentences below it.

    Attributes
    ----------
    title : str
    header : sequence of (str, str)
        For each column a short heading and a long one; the first column holds names.
    rows : sequence of sequence of str
    sentences : sequence of str
    """

    title: str
    header: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[str]]
    sentences: Sequence[str]


def printable(text: str) -> str:
    r"""A name from the data, control and invisible characters escaped.

    >>> printable("a\x1b[31m")
    'a\\x1b[31m'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def percent(value: float | None, sign: str = "") -> str:
    """A share in percent, a dash where undefined.

    >>> percent(0.1234), percent(0.1, "+"), percent(None)
    ('12.3', '+10.0', '-')
    """
    return "-" if value is None else f"{100 * value:{sign}.1f}"


def interval(low: float | None, high: float | None) -> str:
    """An interval in percent, a dash where there is none.

    >>> interval(0.1, 0.25)
    '[10.0, 25.0]'
    """
    return "-" if low is None or high is None else f"[{percent(low)}, {percent(high)}]"


def p_text(p: float | None) -> str:
    """A p-value as text.

    >>> p_text(0.0004), p_text(0.0321), p_text(None)
    ('p<0.001', 'p=0.032', 'p undefined')
    """
    if p is None:
        return "p undefined"
    return "p<0.001" if p < 0.001 else f"p={p:.3f}"


def sheets(audit: Audit, further: bool) -> Iterator[Sheet]:
    """A sheet per attribute for the headline metric and, if wanted, for all further metrics."""
    first, *others = (METRICS[name] for name in audit.settings["metrics"])
    main = only(audit, audit.estimates[0].variant)
    for attribute in attributes(audit):
        yield _headline(main, attribute, first)
    for attribute in attributes(audit):
        if further and others:
            yield _further(main, attribute, others)


def only(audit: Audit, variant: Mapping[str, Any] | None) -> Audit:
    """The audit with the rows of one variant."""
    return replace(
        audit,
        estimates=tuple(row for row in audit.estimates if row.variant == variant),
        comparisons=tuple(row for row in audit.comparisons if row.variant == variant),
    )


def by(attribute: str | None) -> str:
    """What a title says of the attribute."""
    return f", by {printable(attribute)}" if attribute else ""


def attributes(audit: Audit) -> list[str | None]:
    """What was grouped by, None where by nothing."""
    named = [row.attribute for row in audit.estimates if row.attribute is not None]
    return list(dict.fromkeys(named)) or [None]


def closing(audit: Audit) -> Iterator[str]:
    """What became of the records, the notes and the signature."""
    records = audit.records
    dropped = "; ".join(f"{reason}: {n:,}" for reason, n in records.dropped.items())
    left_out = f" Left out: {dropped}." if dropped else ""
    yield f"{records.used:,} of {records.total:,} records used.{left_out}"
    yield from (f"Note: {printable(note)}" for note in audit.notes)


def estimate_rows(audit: Audit, attribute: str | None, metric: Metric) -> list[Estimate]:
    """Groups of an attribute, worst first (bins in their order), then all records together."""
    rows = [row for row in audit.estimates if row.metric == metric.name]
    groups = [row for row in rows if row.attribute == attribute and attribute is not None]
    sign = -1 if metric.direction == "lower" else 1
    groups.sort(key=lambda row: (row.value is None, sign * (row.value or 0)))
    if all(_BIN.match(row.group) or row.group == MISSING for row in groups):
        groups.sort(key=lambda row: _edge(row.group))
    groups.sort(key=lambda row: row.group == MISSING)
    return groups + [row for row in rows if row.attribute is None]


def _edge(group: str) -> float:
    """Lower edge of a bin's name."""
    found = _BIN.match(group)
    return float(found[1]) if found else float("inf")


def _headline(audit: Audit, attribute: str | None, metric: Metric) -> Sheet:
    """Estimates and differences of one metric over the groups of one attribute."""
    rows = estimate_rows(audit, attribute, metric)
    columns = [*_value_columns(audit, metric, rows), *_size_columns(audit, rows)]
    columns += _difference_columns(audit, attribute, metric, rows)
    return Sheet(
        f"{metric.label}{by(attribute)}: {metric.unit}, in percent",
        [(short, long) for short, long, _ in columns],
        list(zip(*(cells for *_, cells in columns), strict=True)),
        list(_sentences(audit, attribute, metric)),
    )


#: A column: short heading, long heading, cells.
Column = tuple[str, str, list[str]]


def _value_columns(audit: Audit, metric: Metric, rows: list[Estimate]) -> Iterator[Column]:
    level = f"{100 * audit.settings['ci']:g} %"
    yield "", "group", [printable(row.group) for row in rows]
    yield metric.label, metric.label, [percent(row.value) for row in rows]
    limits = [interval(row.ci_low, row.ci_high) for row in rows]
    yield f"{level} int.", f"{level} interval", limits
    if {"substitutions", "deletions", "insertions"} <= set(metric.reads()):
        yield "S/D/I", "sub / del / ins", [_kinds(row) for row in rows]


def _kinds(row: Estimate) -> str:
    """Substitutions, deletions and insertions in percent of reference words."""
    counts = Counts.of(**row.counts)
    kinds = ("substitution_rate", "deletion_rate", "insertion_rate")
    values = [float(METRICS[kind].formula(counts)) if row.n else 0.0 for kind in kinds]
    return "/".join(f"{100 * value:.0f}" for value in values)


def _size_columns(audit: Audit, rows: list[Estimate]) -> Iterator[Column]:
    counted = METRICS[rows[0].metric].counted
    yield counted if len(counted) < 6 else "n", counted, [f"{row.n:.0f}" for row in rows]
    yield "rec.", "records", [str(row.records) for row in rows]
    if cluster := audit.settings["cluster"]:
        short = "spk." if cluster in USUAL_NAMES["speaker"] else "clu."
        yield short, printable(cluster), [str(row.clusters) for row in rows]


def _difference_columns(
    audit: Audit, attribute: str | None, metric: Metric, rows: list[Estimate]
) -> Iterator[Column]:
    found = {row.group: row for row in find(audit, attribute, metric, "difference")}
    if not found:
        return
    reference = next(iter(found.values())).against or ""
    level = f"{100 * audit.settings['ci']:g} %"
    compared = [found.get(row.group) if row.attribute else None for row in rows]
    differences = [starred(row, audit) for row in compared]
    yield f"vs {reference.strip('()')}", f"difference to {reference}", differences
    limits = [interval(row.ci_low, row.ci_high) if row else "" for row in compared]
    yield f"{level} int.", f"{level} interval", limits


def starred(row: Comparison | None, audit: Audit) -> str:
    """A difference, with a star where its adjusted p-value is small."""
    if row is None:
        return ""
    alpha = 1 - audit.settings["ci"]
    star = "*" if row.p_adjusted is not None and row.p_adjusted < alpha else " "
    return percent(row.value, "+") + star


def find(audit: Audit, attribute: str | None, metric: Metric, kind: Kind) -> Iterator[Comparison]:
    """Comparisons of one kind."""
    for row in audit.comparisons:
        if (row.attribute, row.metric, row.kind) == (attribute, metric.name, kind):
            yield row


def _sentences(audit: Audit, attribute: str | None, metric: Metric) -> Iterator[str]:
    """The gap, what chance alone gives, and what the data could have shown."""
    differences = list(find(audit, attribute, metric, "difference"))
    if any("*" in starred(row, audit) for row in differences):
        adjusted = {"none": "unadjusted"}.get(audit.settings["corr"], "adjusted over the groups")
        against = (differences[0].against or "").strip("()")
        yield f"* differs from {printable(against)}: p<{1 - audit.settings['ci']:.2g}, {adjusted}."
    gap = next(find(audit, attribute, metric, "gap"), None)
    if gap is None:
        return
    level = f"{100 * audit.settings['ci']:g} %"
    ends = f"{printable(gap.group or '')} against {printable(gap.against or '')}"
    yield (
        f"Gap {percent(gap.value)} points, {ends}; {level} interval over all pairs at once "
        f"{interval(gap.ci_low, gap.ci_high)}. Chance alone would give {percent(gap.chance)}. "
        f"That no group differs: {p_text(gap.p_value)}."
    )
    if gap.minimum_detectable is not None:
        yield f"With 80 % power these data would show a gap of {percent(gap.minimum_detectable)}."
    if gap.ci_low == 0 and gap.further_records:
        units = f"{gap.further_records:,} more records"
        if gap.further_clusters:
            units = f"{gap.further_clusters:,} more {audit.settings['cluster']}s ({units})"
        yield f"To show the gap that was seen, these two groups need about {units}."


def _further(audit: Audit, attribute: str | None, metrics: Sequence[Metric]) -> Sheet:
    """Values of further metrics, one column each."""
    order = [
        row.group for row in estimate_rows(audit, attribute, METRICS[audit.settings["metrics"][0]])
    ]
    columns = []
    for metric in metrics:
        values = {row.group: percent(row.value) for row in estimate_rows(audit, attribute, metric)}
        columns.append([values[group] for group in order])
    return Sheet(
        f"Further metrics{by(attribute)}, in percent (intervals and differences: --format csv)",
        [("", "group"), *((metric.label, metric.label) for metric in metrics)],
        list(zip(map(printable, order), *columns, strict=True)),
        [],
    )
