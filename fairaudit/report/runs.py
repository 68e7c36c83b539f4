"""One table of texts counted in several ways: under several normalisers, or for two recognisers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fairaudit.audit import Audit, Comparison, Explanation
from fairaudit.metrics import METRICS, Metric
from fairaudit.report.figures import interval, p_text, percent
from fairaudit.report.sheets import (
    Sheet,
    attributes,
    by,
    estimate_rows,
    find,
    only,
    printable,
    starred,
)

#: Respellings shown for each group.
_SHOWN = 3


def normalizer_sheets(audit: Audit) -> Iterator[Sheet]:
    """The headline metric under each normaliser, the gap, and what the normalisers change."""
    variants = [row.variant or {} for row in audit.estimates]
    rules = list(dict.fromkeys(each["normalize"] for each in variants if "normalize" in each))
    metric = METRICS[audit.settings["metrics"][0]]
    for attribute in attributes(audit) if rules else []:
        views = {rule: only(audit, {"normalize": rule}) for rule in rules}
        columns = [estimate_rows(views[rule], attribute, metric) for rule in rules]
        order = [row.group for row in columns[0]]
        values = [{row.group: percent(row.value) for row in rows} for rows in columns]
        yield Sheet(
            f"{metric.label}{by(attribute)}, under each normaliser: in percent",
            [("", "group"), *((rule, rule) for rule in rules)],
            [[printable(group), *(of[group] for of in values)] for group in order],
            [*_gaps(views, attribute, metric), *_respellings(audit, attribute)],
        )


def _gaps(views: Mapping[str, Audit], attribute: str | None, metric: Metric) -> Iterator[str]:
    for rule, view in views.items():
        for gap in find(view, attribute, metric, "gap"):
            limits = interval(gap.ci_low, gap.ci_high)
            yield f"Gap under {rule}: {percent(gap.value)} {limits}, {p_text(gap.p_value)}."


def _respellings(audit: Audit, attribute: str | None) -> Iterator[str]:
    """A line per normaliser and group: what is written otherwise, and how often."""
    found: dict[tuple[str, str], list[Explanation]] = {}
    for row in audit.explanations:
        if (row.kind, row.attribute) == ("respelling", attribute):
            found.setdefault((row.content["normalize"], row.group), []).append(row)
    if found:
        yield "Written otherwise most often (times in references + in hypotheses):"
    for (rule, group), rows in sorted(found.items()):
        changes = "; ".join(_respelling(row.content) for row in rows[:_SHOWN])
        yield f"  {rule}, {printable(group)}: {changes}"


def _respelling(content: Mapping[str, Any]) -> str:
    words = [printable(content[end]) or "(nothing)" for end in ("from", "to")]
    return f"{' > '.join(words)} ({content['references']}+{content['hypotheses']})"


def update_sheets(audit: Audit) -> Iterator[Sheet]:
    """The headline metric before and now, and how sure the change is."""
    main = audit.estimates[0].variant
    earlier = only(audit, {**(main or {}), "run": "before"})
    named = [METRICS[name] for name in audit.settings["metrics"]]
    # Means over clusters are no function of summed counts, and have no paired change.
    metric = next((each for each in named if each.per_cluster is None), None)
    if metric is None or not earlier.estimates:
        return
    now = only(audit, main)
    for attribute in attributes(audit):
        rows = estimate_rows(now, attribute, metric)
        before = {
            (r.attribute, r.group): r.value for r in earlier.estimates if r.metric == metric.name
        }
        changes = {
            (row.attribute, row.group): row
            for row in now.comparisons
            if (row.kind, row.metric) == ("paired_difference", metric.name)
        }
        cells = [
            (
                printable(row.group),
                percent(before[row.attribute, row.group]),
                percent(row.value),
                *_change(changes[row.attribute, row.group], audit),
            )
            for row in rows
        ]
        level = f"{100 * audit.settings['ci']:g} %"
        yield Sheet(
            f"Change of {metric.label}{by(attribute)}: {metric.unit}, in percent",
            [
                ("", "group"),
                ("before", "before"),
                ("now", "now"),
                ("change", "change"),
                (f"{level} int.", f"{level} interval"),
                ("P(better)", "probability of improvement"),
            ],
            cells,
            list(_sentences(audit, attribute, metric, list(changes.values()))),
        )


def _change(row: Comparison, audit: Audit) -> Sequence[str]:
    sure = "-" if row.improvement is None else f"{row.improvement:.3f}"
    return starred(row, audit), interval(row.ci_low, row.ci_high), sure


def _sentences(
    audit: Audit, attribute: str | None, metric: Metric, changes: Sequence[Comparison]
) -> Iterator[str]:
    alpha = 1 - audit.settings["ci"]
    own = [row for row in changes if row.attribute == attribute]
    sign = 1 if metric.direction == "lower" else -1
    worse = [row for row in own if sign * (row.value or 0) > 0]
    proven = [row for row in worse if row.p_adjusted is not None and row.p_adjusted < alpha]
    if any(row.p_adjusted is not None and row.p_adjusted < alpha for row in own):
        yield f"* changed: p<{alpha:.2g}, adjusted over the groups."
    yield f"Became worse: {_listed(proven) or 'no group is shown to have'}."
    if others := [row for row in worse if row not in proven]:
        yield f"Worse in these records, and perhaps by chance: {_listed(others)}."
    variant = {**(audit.estimates[0].variant or {}), "run": "change"}
    for row in find(only(audit, variant), attribute, metric, "heterogeneity"):
        yield f"That all groups changed alike: {p_text(row.p_value)}."


def _listed(rows: Sequence[Comparison]) -> str:
    return ", ".join(f"{printable(row.group or '')} ({percent(row.value, '+')})" for row in rows)
