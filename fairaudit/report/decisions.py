"""Decisions, scores, numbers and rankings by group, as tables and sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairaudit.audit import Audit, Comparison, Estimate
from fairaudit.metrics import BINARY, METRICS, Metric
from fairaudit.report.figures import PERCENT, Figures, p_cell
from fairaudit.report.headline import ELSEWHERE, further_sheets, headline
from fairaudit.report.sheets import (
    Column,
    Sheet,
    attributes,
    by,
    estimate_rows,
    figures,
    level,
    named_metrics,
    only,
    printable,
    sheet,
)

#: Metrics that say what another says: 1 minus it.
_PARTNERS = {
    "false_negative_rate": "true_positive_rate",
    "true_negative_rate": "false_positive_rate",
    "false_discovery_rate": "positive_predictive_value",
    "false_omission_rate": "negative_predictive_value",
}
#: What marks the rows of one setting among several, and what titles say of it.
_SETTINGS = {"threshold": "threshold", "k": "top", "class": "class"}


@dataclass(frozen=True)
class View:
    """The rows of one setting: of a threshold, of a class, or of the only one.

    Attributes
    ----------
    at : str
        What titles say of it.
    audit : Audit
        Its rows.
    variant : mapping or None
        What marks them.
    """

    at: str
    audit: Audit
    variant: Mapping[str, Any] | None

    def has(self, metric: Metric, attribute: str | None) -> bool:
        """Whether the metric was estimated for the groups of an attribute."""
        return any(
            (row.metric, row.attribute) == (metric.name, attribute) for row in self.audit.estimates
        )

    def metrics(self, attribute: str | None) -> list[Metric]:
        """The metrics that were, in their order."""
        return [each for each in named_metrics(self.audit) if self.has(each, attribute)]

    def groups(self, attribute: str | None) -> list[str]:
        """Groups in the order of its first metric, then those that only others know."""
        rows = [estimate_rows(self.audit, attribute, each) for each in self.metrics(attribute)]
        return list(dict.fromkeys(row.group for each in rows for row in each))


def views(audit: Audit) -> list[View]:
    """All settings, in their order."""
    found = {_key(row.variant): row.variant for row in audit.estimates}
    marked = [
        variant for variant in found.values() if not variant or _SETTINGS.keys() >= {*variant}
    ]
    return [View(_at(variant), only(audit, variant), variant) for variant in marked]


def _key(variant: Mapping[str, Any] | None) -> tuple[tuple[str, Any], ...]:
    return tuple((variant or {}).items())


def _at(variant: Mapping[str, Any] | None) -> str:
    """What titles say of a setting.

    >>> _at({"threshold": 0.5}), _at(None)
    (', threshold 0.5', '')
    """
    return "".join(f", {_SETTINGS[k]} {printable(str(v))}" for k, v in (variant or {}).items())


def decision_sheets(audit: Audit, further: bool) -> Iterator[Sheet]:
    """The headline metric per attribute; if wanted all others, gaps and confusions as well."""
    first, everything = named_metrics(audit)[0], views(audit)
    full = _in_full(everything, first)
    for attribute in attributes(audit):
        for view in full:
            if view.has(first, attribute):
                yield headline(view.audit, attribute, first, view.at)
    for attribute in attributes(audit):
        for view in everything if further else []:
            shown = [first] if view in full else []
            yield from _further(view, attribute, shown)
            yield from gap_sheets(view, attribute, shown)
        yield from _quantiles(audit, attribute)


def _in_full(everything: Sequence[View], first: Metric) -> list[View]:
    """Views in which the headline is shown in full: classes only where nothing else has it."""
    having = [
        view for view in everything if any(r.metric == first.name for r in view.audit.estimates)
    ]
    of_all = [view for view in having if "class" not in (view.variant or {})]
    return of_all or having


def _further(view: View, attribute: str | None, shown: Sequence[Metric]) -> Iterator[Sheet]:
    """All metrics of a view but those shown already, and those that say the same as another."""
    metrics = view.metrics(attribute)
    names = {metric.name for metric in metrics}
    # Who names a metric wants to see it.
    repeated = _PARTNERS if view.audit.settings.get("metric") is None else {}
    others = [m for m in metrics if m not in shown and repeated.get(m.name) not in names]
    entropy = list(_entropy(view.audit, attribute))
    yield from further_sheets(
        view.audit, attribute, others, view.groups(attribute), view.at, entropy
    )


def _entropy(audit: Audit, attribute: str | None) -> Iterator[str]:
    """How much of the inequality of benefits lies between groups."""
    overall = {row.metric: row.value for row in audit.estimates if row.attribute is None}
    parts = [
        f"{METRICS[row.metric].label} {_alone(row.value)} (of all records: "
        f"{_alone(overall.get(row.metric))})"
        for row in audit.comparisons
        if row.attribute == attribute and row.name == f"between_group_{row.metric}"
    ]
    if parts:
        yield f"Inequality of benefits between the groups alone: {', '.join(parts)}."


def _alone(value: float | None) -> str:
    return Figures.of("number", [value]).value(value)


def gap_sheets(view: View, attribute: str | None, shown: Sequence[Metric] = ()) -> Iterator[Sheet]:
    """Gaps that the field has a name for, and those of scores, numbers and ranks.

    None where there are but those of metrics shown in full, which have a sentence already.
    """
    rows = [
        row
        for row in view.audit.comparisons
        if (row.attribute, row.kind) == (attribute, "gap")
        and (row.name or row.metric not in BINARY)
    ]
    if {row.metric for row in rows} <= {metric.name for metric in shown}:
        return
    parts = [[row for row in rows if _scale(row.metric) == s] for s in ("percent", "number")]
    last = [part for part in parts if part][-1]
    for part in parts:
        if part:
            yield _gaps(view, attribute, part, _GAPS_SAY if part is last else ())


_GAPS_SAY = (
    "Intervals are over all pairs of groups at once; chance: the gap that equal groups would show; "
    "p: that no group differs, not adjusted over the lines.",
)


def _scale(metric: str) -> str:
    # Equalized odds is about two metrics, and none of its own.
    return METRICS[metric].scale if metric in METRICS else "percent"


def _gaps(
    view: View, attribute: str | None, rows: Sequence[Comparison], sentences: Sequence[str]
) -> Sheet:
    written = [_figures(view.audit, attribute, row.metric) for row in rows]
    each = list(zip(written, rows, strict=True))
    columns = [
        Column("", "gap", [_gap_name(row) for row in rows]),
        Column("gap", "size", [f.value(row.value) for f, row in each]),
        Column(*level(view.audit), [f.interval(row.ci_low, row.ci_high) for f, row in each]),
        Column("chance", "by chance alone", [f.value(row.chance) for f, row in each]),
        Column("p", "p", [p_cell(row.p_value) for row in rows]),
    ]
    title = f"Gaps between the groups that differ most{by(attribute)}{view.at}{written[0].said}"
    return sheet(title, columns, sentences)


def _figures(audit: Audit, attribute: str | None, metric: str) -> Figures:
    if metric not in METRICS:
        return PERCENT
    return figures(METRICS[metric], estimate_rows(audit, attribute, METRICS[metric]))


def _gap_name(row: Comparison) -> str:
    """What differs, and between whom.

    >>> name = "demographic_parity_difference"
    >>> _gap_name(Comparison("sex", "selection_rate", "gap", "male", "female", name=name))
    'demographic parity (selected): male against female'
    """
    label = METRICS[row.metric].label if row.metric in METRICS else "TPR or FPR"
    if row.name:
        label = f"{row.name.removesuffix('_difference').replace('_', ' ')} ({label})"
    return f"{label}: {printable(row.group or '')} against {printable(row.against or '')}"


def _quantiles(audit: Audit, attribute: str | None) -> Iterator[Sheet]:
    """A column per quantile of the errors."""
    metric = METRICS["error_quantile"]
    found: dict[float, list[Estimate]] = {}
    for row in audit.estimates:
        if row.metric == metric.name and row.attribute in (attribute, None):
            found.setdefault((row.variant or {})["quantile"], []).append(row)
    if not found:
        return
    written = figures(metric, [row for rows in found.values() for row in rows])
    order = _first_order(audit, attribute)
    values = {(tau, row.group): row.value for tau, rows in found.items() for row in rows}
    columns = [
        Column(
            f"{100 * tau:g} %",
            f"{100 * tau:g} %",
            [written.value(values.get((tau, group))) for group in order],
        )
        for tau in found
    ]
    names = Column("", "group", [printable(group) for group in order])
    title = f"Quantiles of prediction - label{by(attribute)}"
    yield sheet(title, [names, *columns], [ELSEWHERE])


def _first_order(audit: Audit, attribute: str | None) -> list[str]:
    """Groups in the order of the first table."""
    main = only(audit, audit.estimates[0].variant)
    rows = estimate_rows(main, attribute, METRICS[audit.estimates[0].metric])
    return [row.group for row in rows]
