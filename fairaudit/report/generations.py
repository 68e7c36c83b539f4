"""Averages over groups that count alike, as a table."""

from __future__ import annotations

from collections.abc import Iterator

from fairaudit.audit import Audit, Comparison
from fairaudit.metrics import Metric
from fairaudit.report.figures import Figures
from fairaudit.report.sheets import (
    Column,
    Sheet,
    attributes,
    by,
    find,
    level,
    named_metrics,
    printable,
    sheet,
)

_SAID = (
    "Each group counts alike here, however many texts it has. Intervals of equity have room for "
    "the bias that chance gives it."
)


def average_sheets(audit: Audit) -> Iterator[Sheet]:
    """For each attribute the mean over its groups of each metric, and the least equity ratio."""
    for attribute in attributes(audit):
        rows = list(_rows(audit, attribute))
        if attribute is not None and rows:
            yield _averages(audit, attribute, rows)


def _rows(audit: Audit, attribute: str | None) -> Iterator[tuple[Metric, Comparison]]:
    for metric in named_metrics(audit):
        for kind in ("macro_mean", "least"):
            for row in find(audit, attribute, metric, kind):
                yield metric, row


def _averages(audit: Audit, attribute: str, rows: list[tuple[Metric, Comparison]]) -> Sheet:
    written = [Figures.of(metric.scale, [row.value]) for metric, row in rows]
    columns = [
        Column("", "metric", [_name(*row) for row in rows]),
        Column(
            "value",
            "value over groups",
            [each.value(row.value) for each, (_, row) in zip(written, rows, strict=True)],
        ),
        Column(
            *level(audit),
            [
                each.interval(row.ci_low, row.ci_high)
                for each, (_, row) in zip(written, rows, strict=True)
            ],
        ),
    ]
    return sheet(f"Over the groups{by(attribute)}: shares in percent", columns, [_SAID])


def _name(metric: Metric, row: Comparison) -> str:
    label = metric.label
    if row.kind == "least":
        return f"{label}, least: {printable(row.group or '')}"
    return f"{label}, mean"
