"""Correlations over models as a table, a line for each domain."""

from __future__ import annotations

from collections.abc import Iterator

from fairaudit.audit import Audit
from fairaudit.metrics import METRICS
from fairaudit.report.figures import Figures, count, p_cell
from fairaudit.report.sheets import Column, Sheet, level, printable, sheet

_TWO_DIGITS = Figures(".2f")


def correlation_sheets(audit: Audit) -> Iterator[Sheet]:
    """A table for each coefficient: value, interval, p-value, models."""
    for name in audit.settings["metrics"]:
        rows = [row for row in audit.comparisons if row.metric == name]
        found = [row for row in audit.estimates if row.metric == name]
        adjusted = len(rows) > 1 and audit.settings["corr"] != "none"
        p_values = [row.p_adjusted if adjusted else row.p_value for row in rows]
        columns = [
            Column("", "domain", [printable(row.group) for row in found]),
            Column("r", "r", [_TWO_DIGITS.value(row.value, "+") for row in found]),
            Column(*level(audit), [_TWO_DIGITS.interval(r.ci_low, r.ci_high) for r in found]),
            Column("p", "p-value", [p_cell(p) for p in p_values]),
            Column("models", "models", [count(row.n) for row in found]),
        ]
        said = ["p: adjusted over the domains."] if adjusted else []
        yield sheet(f"{METRICS[name].label}: {METRICS[name].unit}", columns, said)
