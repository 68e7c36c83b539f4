"""Groups at equal values of a control, as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fairaudit.audit import Audit, Comparison, Estimate
from fairaudit.metrics import METRICS, Metric
from fairaudit.report.figures import Figures, p_cell
from fairaudit.report.sheets import (
    Column,
    Sheet,
    attributes,
    by,
    estimate_rows,
    figures,
    find,
    fits,
    level,
    only,
    printable,
    reference,
    sheet,
)

#: Lines of one table; the rest is in the CSV.
_MOST_LINES = 60


def control_sheets(audit: Audit, further: bool) -> Iterator[Sheet]:
    """Differences as they are and at equal control, and rates at each of its values.

    Of the headline metric, and if wanted of selection rates: what Simpson's paradox is about.
    """
    wanted = audit.settings["metrics"][:1]
    if further and "selection_rate" in audit.settings["metrics"]:
        wanted = list(dict.fromkeys([*wanted, "selection_rate"]))
    for attribute in attributes(audit) if audit.settings.get("control") else ():
        for name in wanted:
            yield from _differences(audit, attribute, METRICS[name])
            yield from _levels(audit, attribute, METRICS[name])


def _differences(audit: Audit, attribute: str | None, metric: Metric) -> Iterator[Sheet]:
    """Each group beside the reference."""
    main = only(audit, audit.estimates[0].variant)
    adjusted = {
        row.group: row
        for row in audit.comparisons
        if (row.attribute, row.metric, row.kind) == (attribute, metric.name, "adjusted_difference")
    }
    crude = {row.group: row for row in find(main, attribute, metric, "difference")}
    rows = estimate_rows(main, attribute, metric)
    found = [(crude.get(r.group), adjusted[r.group]) for r in rows if r.group in adjusted]
    if found:
        yield _difference_sheet(audit, attribute, metric, found, figures(metric, rows))


def _difference_sheet(
    audit: Audit,
    attribute: str | None,
    metric: Metric,
    found: Sequence[tuple[Comparison | None, Comparison]],
    written: Figures,
) -> Sheet:
    column, equal = printable(audit.settings["control"]), [row for _, row in found]
    crude = [row.value if row else None for row, _ in found]
    columns = [
        Column("", "group", [printable(row.group or "") for row in equal]),
        Column("crude", "crude difference", [written.value(value, "+") for value in crude]),
        Column("equal", f"at equal {column}", [written.value(row.value, "+") for row in equal]),
        Column(*level(audit), [written.interval(row.ci_low, row.ci_high) for row in equal]),
        Column("p", "adjusted p", [p_cell(row.p_adjusted) for row in equal]),
    ]
    return sheet(
        f"{metric.label}{by(attribute)}: difference to {reference(equal[0].against)}, at equal "
        f"{column}{written.said}",
        columns,
        [f"Interval and p are of the difference at equal {column} (weights: Mantel-Haenszel)."],
    )


def _levels(audit: Audit, attribute: str | None, metric: Metric) -> Iterator[Sheet]:
    """A column per value of the control where 80 columns hold them, else a line."""
    rows = [
        row
        for row in audit.estimates
        if (row.attribute, row.metric) == (attribute, metric.name)
        and "control" in (row.variant or {})
    ]
    if not rows:
        return
    written, column = figures(metric, rows), printable(audit.settings["control"])
    found = {(_level(row), row.group): row for row in rows}
    main = only(audit, audit.estimates[0].variant)
    known = {row.group for row in rows}
    order = [row.group for row in estimate_rows(main, attribute, metric) if row.group in known]
    across = [
        Column(
            printable(value),
            printable(value),
            [written.value(r.value) if (r := found.get((value, g))) else "" for g in order],
        )
        for value in dict.fromkeys(map(_level, rows))
    ]
    title = f"{metric.label}{by(attribute)}, at each {column}{written.said}"
    if fits(across):
        yield sheet(title, [Column("", "group", list(map(printable, order))), *across])
    else:
        yield _long(title, audit, rows, written)


def _level(row: Estimate) -> str:
    return str((row.variant or {})["control"])


def _long(title: str, audit: Audit, rows: Sequence[Estimate], written: Figures) -> Sheet:
    """A line per value of the control and group."""
    shown = rows[:_MOST_LINES]
    columns = [
        Column("", "group", [printable(f"{_level(row)}: {row.group}") for row in shown]),
        Column("value", "value", [written.value(row.value) for row in shown]),
        Column(*level(audit), [written.interval(row.ci_low, row.ci_high) for row in shown]),
        Column("rec.", "records", [str(row.records) for row in shown]),
    ]
    more = len(rows) - len(shown)
    return sheet(
        title,
        columns,
        [f"{more} more lines are in the audit file, and in --format csv."] if more else [],
    )
