"""What can be drawn of a metric over groups; how it is drawn is decided elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fairaudit.audit import Audit, Estimate, Finding
from fairaudit.metrics import METRICS, Metric
from fairaudit.report.figures import Figures
from fairaudit.report.sheets import Chart, Limit, Mark, level, printable
from fairaudit.stats.sums import MISSING

#: Comparisons whose limit is a value that each group is held against.
_ABSOLUTE = ("group", "group_max", "group_min")


def chart(audit: Audit, title: str, metric: Metric, rows: Sequence[Estimate]) -> Chart | None:
    """Draw up the rows of a table; None where there is no group, or no value.

    Parameters
    ----------
    audit : Audit
        Whose findings have the limits.
    title : str
        What is shown, by what.
    metric : Metric
    rows : sequence of Estimate
        Groups of one attribute in order, then all records together.
    """
    groups = [row for row in rows if row.attribute is not None]
    if not any(row.value is not None for row in groups):
        return None
    written = Figures.of(metric.scale, [row.value for row in rows])
    return Chart(
        title,
        metric.unit,
        metric.scale,
        [_mark(row, written) for row in groups],
        next((row.value for row in rows if row.attribute is None), None),
        list(dict.fromkeys(_limits(audit, metric, groups))),
        level(audit)[1],
    )


def _mark(row: Estimate, written: Figures) -> Mark:
    interval = written.interval(row.ci_low, row.ci_high)
    said = written.value(row.value) if row.value is not None else "undefined"
    said += f" {interval}" if row.ci_low is not None else ", no interval"
    records = f"{row.records:,} record{'s' if row.records != 1 else ''}"
    return Mark(printable(row.group), row.value, row.ci_low, row.ci_high, f"{said}, {records}")


def _limits(audit: Audit, metric: Metric, groups: Sequence[Estimate]) -> Iterator[Limit]:
    """Limits of the criteria that judged these groups, as values of the metric."""
    values = {row.group: row.value for row in groups if row.group != MISSING}
    attribute, variant = groups[0].attribute, groups[0].variant
    for finding in audit.findings:
        about = (finding.metric, finding.attribute, finding.variant or None)
        if about == (metric.name, attribute, variant or None):
            ends = [values.get(name or "") for name in (finding.group, finding.against)]
            yield from _limit(finding, [end for end in ends if end is not None])


def _limit(finding: Finding, ends: Sequence[float]) -> Iterator[Limit]:
    """The value at which a criterion is just kept; of gaps and ratios beside the better end.

    >>> gap = Finding("gap", "", "fail", "error", "wer", "gap", 0.05, "most", group="rp")
    >>> list(_limit(gap, [0.5, 0.25]))
    [Limit(label='limit of gap', value=0.3)]
    >>> from dataclasses import replace
    >>> list(_limit(replace(gap, metric="true_positive_rate"), [0.5, 0.25]))
    [Limit(label='limit of gap', value=0.45)]
    >>> list(_limit(replace(gap, comparison="ratio", limit=0.8, at="least"), [0.5, 0.25]))
    [Limit(label='limit of gap', value=0.4)]
    """
    label = f"limit of {printable(finding.id)}"
    if finding.comparison in _ABSOLUTE:
        yield Limit(label, finding.limit)
    elif len(ends) == 2 and finding.comparison == "ratio":
        end = max(ends) if finding.at == "least" else min(ends)
        yield Limit(label, end * finding.limit)
    elif len(ends) == 2 and finding.comparison == "gap":
        metric = METRICS.get(finding.metric)
        higher = metric is not None and metric.direction == "higher"
        yield Limit(label, max(ends) - finding.limit if higher else min(ends) + finding.limit)
