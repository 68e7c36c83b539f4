"""A metric over the groups of an attribute in full, and others beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fairaudit.audit import Audit, Comparison, Estimate
from fairaudit.metrics import METRICS, Counts, Metric
from fairaudit.report.charts import chart
from fairaudit.report.figures import Figures, count, p_text
from fairaudit.report.sheets import (
    Column,
    Sheet,
    attributes,
    by,
    estimate_rows,
    figures,
    find,
    fitting,
    level,
    named_metrics,
    only,
    printable,
    reference,
    sheet,
    starred,
)
from fairaudit.table import USUAL_NAMES

#: A longer name of a reference stands below the table, not in a heading.
_LONGEST = 20
#: Beyond so many times the records nobody will collect more; the number would only look exact.
_FAR = 100
#: Said below tables of bare values.
ELSEWHERE = "Their intervals and differences are in the audit file, and in --format csv."


def sheets(audit: Audit, further: bool) -> Iterator[Sheet]:
    """A sheet per attribute for the headline metric and, if wanted, for all further metrics."""
    first, *others = named_metrics(audit)
    main = only(audit, audit.estimates[0].variant)
    for attribute in attributes(audit):
        yield headline(main, attribute, first)
    for attribute in attributes(audit):
        if further and others:
            order = [row.group for row in estimate_rows(main, attribute, first)]
            yield from further_sheets(main, attribute, others, order)


def headline(audit: Audit, attribute: str | None, metric: Metric, at: str = "") -> Sheet:
    """Estimates and differences of one metric over the groups of one attribute.

    Parameters
    ----------
    audit : Audit
        Rows of one variant.
    attribute : str or None
        The attribute.
    metric : Metric
        What to show.
    at : str
        What the title says of the variant.
    """
    rows = estimate_rows(audit, attribute, metric)
    written = figures(metric, rows)
    columns = [*_value_columns(audit, metric, rows, written), *_size_columns(audit, metric, rows)]
    columns += _difference_columns(audit, attribute, metric, rows, written)
    title = f"{metric.label}{by(attribute)}{at}"
    return sheet(
        f"{title}: {metric.unit}{written.said}",
        columns,
        _sentences(audit, attribute, metric, written),
        chart(audit, title, metric, rows),
    )


def _value_columns(
    audit: Audit, metric: Metric, rows: list[Estimate], written: Figures
) -> Iterator[Column]:
    yield Column("", "group", [printable(row.group) for row in rows])
    yield Column(metric.label, metric.label, [written.value(row.value) for row in rows])
    yield Column(*level(audit), [written.interval(row.ci_low, row.ci_high) for row in rows])
    if {"substitutions", "deletions", "insertions"} <= set(metric.reads()):
        yield Column("S/D/I", "sub / del / ins", [_kinds(row) for row in rows])


def _kinds(row: Estimate) -> str:
    """Substitutions, deletions and insertions in percent of reference words."""
    counts = Counts.of(**row.counts)
    kinds = ("substitution_rate", "deletion_rate", "insertion_rate")
    values = [float(METRICS[kind].formula(counts)) if row.n else 0.0 for kind in kinds]
    return "/".join(f"{100 * value:.0f}" for value in values)


def _size_columns(audit: Audit, metric: Metric, rows: list[Estimate]) -> Iterator[Column]:
    counted, weighted = metric.counted, audit.settings.get("weight") is not None
    if counted != "records" or weighted:
        counted = "weight" if counted == "records" else counted
        yield Column(counted if len(counted) < 7 else "n", counted, [count(row.n) for row in rows])
    yield Column("rec.", "records", [str(row.records) for row in rows])
    if cluster := audit.settings["cluster"]:
        short = "spk." if cluster in USUAL_NAMES["speaker"] else "clu."
        yield Column(short, plural(printable(cluster)), [str(row.clusters) for row in rows])


def _difference_columns(
    audit: Audit, attribute: str | None, metric: Metric, rows: list[Estimate], written: Figures
) -> Iterator[Column]:
    found = {row.group: row for row in find(audit, attribute, metric, "difference")}
    if not found:
        return
    against = next(iter(found.values())).against or ""
    short = reference(against)
    compared = [found.get(row.group) if row.attribute else None for row in rows]
    yield Column(
        f"vs {short}" if len(short) <= _LONGEST else "diff.",
        f"difference to {printable(against)}",
        [starred(row, audit, written) for row in compared],
    )
    limits = [written.interval(row.ci_low, row.ci_high) if row else "" for row in compared]
    yield Column(*level(audit), limits)


def _sentences(
    audit: Audit, attribute: str | None, metric: Metric, written: Figures
) -> Iterator[str]:
    """What stars mean, the gap, what chance alone gives, and what the data could have shown."""
    differences = list(find(audit, attribute, metric, "difference"))
    against = reference(differences[0].against) if differences else ""
    if len(against) > _LONGEST:
        yield f"diff.: difference to {against}."
    if any("*" in starred(row, audit) for row in differences):
        adjusted = {"none": "unadjusted"}.get(audit.settings["corr"], "adjusted over the groups")
        yield f"* differs from {against}: p<{1 - audit.settings['ci']:.2g}, {adjusted}."
    for gap in find(audit, attribute, metric, "gap"):
        yield _gap(audit, gap, written)
        yield from _planning(audit, gap, written)


def _gap(audit: Audit, gap: Comparison, written: Figures) -> str:
    ends = f"{printable(gap.group or '')} against {printable(gap.against or '')}"
    return (
        f"Gap {written.value(gap.value)}{written.points}, {ends}; {level(audit)[1]} over all "
        f"pairs at once {written.interval(gap.ci_low, gap.ci_high)}. Chance alone would give "
        f"{written.value(gap.chance)}. That no group differs: {p_text(gap.p_value)}."
    )


def _planning(audit: Audit, gap: Comparison, written: Figures) -> Iterator[str]:
    if gap.minimum_detectable is not None:
        least = written.value(gap.minimum_detectable)
        yield f"With 80 % power these data would show a gap of {least}."
    if gap.ci_low == 0 and gap.further_records:
        yield (
            f"To show the gap that was seen, these two groups, in their present proportion, need "
            f"{_further_units(audit, gap)}."
        )


def _further_units(audit: Audit, gap: Comparison) -> str:
    """How many more would show it."""
    if (gap.further_records or 0) > _FAR * audit.records.used:
        return f"over {_FAR} times as many records"
    records = f"{gap.further_records:,} more records"
    if not gap.further_clusters:
        return f"about {records}"
    clusters = plural(printable(audit.settings["cluster"]))
    return f"about {gap.further_clusters:,} more {clusters} ({records})"


def plural(word: str) -> str:
    """Several of what a column holds.

    >>> plural("speaker"), plural("agency"), plural("day")
    ('speakers', 'agencies', 'days')
    """
    if word.endswith("y") and word[-2:-1] not in (*"aeiou", ""):
        return f"{word[:-1]}ies"
    return f"{word}s"


def further_sheets(
    audit: Audit,
    attribute: str | None,
    metrics: Sequence[Metric],
    order: Sequence[str],
    at: str = "",
    sentences: Sequence[str] = (),
) -> Iterator[Sheet]:
    """Values of further metrics, one column each: those in percent, then the others.

    Parameters
    ----------
    audit : Audit
        Rows of one variant.
    attribute : str or None
        The attribute.
    metrics : sequence of Metric
        What to show.
    order : sequence of str
        The groups.
    at : str
        What the titles say of the variant.
    sentences : sequence of str
        Below the last sheet.
    """
    found: list[tuple[str, Sequence[Column]]] = []
    for scale in ("percent", "number"):
        own = [metric for metric in metrics if metric.scale == scale]
        columns = [_further(audit, attribute, metric, order) for metric in own]
        said = Figures.of(scale, ()).said
        title = f"Further metrics{by(attribute)}{at}{said}"
        found += [(title, part) for part in fitting(columns)]
    names = Column("", "group", [printable(group) for group in order])
    for i, (title, part) in enumerate(found):
        yield sheet(
            title,
            [names, *part],
            [*sentences, ELSEWHERE] if i == len(found) - 1 else (),
        )


def _further(audit: Audit, attribute: str | None, metric: Metric, order: Sequence[str]) -> Column:
    """One metric; a dash for groups that it is undefined for, or that it does not know."""
    rows = estimate_rows(audit, attribute, metric)
    written = figures(metric, rows)
    values = {row.group: written.value(row.value) for row in rows}
    return Column(metric.label, metric.label, [values.get(group, "-") for group in order])
