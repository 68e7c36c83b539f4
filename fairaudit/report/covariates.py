"""Comparisons at equal covariates, as tables: adjusted ratios, matched groups and their balance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from fairaudit.audit import Audit, Comparison, Kind
from fairaudit.report.figures import interval, percent
from fairaudit.report.sheets import Sheet, attributes, by, level, printable, reference

#: Groups whose covariates differ by less than this are taken for balanced (Stuart, Statistical
#: Science 25(1), 2010).
_BALANCED = 0.1


def covariate_sheets(audit: Audit) -> Iterator[Sheet]:
    """Adjusted ratios, matched differences and the balance of the matching, per attribute."""
    for attribute in attributes(audit):
        yield from _adjusted(audit, _rows(audit, attribute, "adjusted_ratio"), attribute)
        yield from _matched(audit, attribute)
        yield from _balance(_rows(audit, attribute, "balance"), attribute)


def _rows(audit: Audit, attribute: str | None, kind: Kind) -> list[Comparison]:
    return [row for row in audit.comparisons if (row.attribute, row.kind) == (attribute, kind)]


def _variant(row: Comparison, name: str) -> Any:
    return (row.variant or {}).get(name)


def _ratio(value: float | None) -> str:
    return "-" if value is None or math.isinf(value) else f"{value:.2f}"


def _limits(low: float | None, high: float | None) -> str:
    return "-" if low is None or high is None else f"[{low:.2f}, {high:.2f}]"


def _adjusted(audit: Audit, rows: Sequence[Comparison], attribute: str | None) -> Iterator[Sheet]:
    """A column for every block of covariates that entered, with the last one's interval."""
    if not rows:
        return
    steps = list(dict.fromkeys(_variant(row, "adjust") for row in rows))
    found = {(row.group, _variant(row, "adjust")): row for row in rows}
    groups = sorted(
        {row.group or "" for row in rows}, key=lambda g: -(found[g, steps[0]].value or 0)
    )
    cells = [
        [
            printable(group),
            # With few errors a ratio can be anything: none is shown without its interval.
            *(_ratio(found[group, s].value if found[group, s].ci_low else None) for s in steps),
            _limits(found[group, steps[-1]].ci_low, found[group, steps[-1]].ci_high),
        ]
        for group in groups
    ]
    header = [("", "group"), *((printable(name), printable(name)) for name in _entered(steps))]
    against = reference(rows[0].against)
    yield Sheet(
        f"WER ratio to {against}{by(attribute)}, at equal covariates",
        [*header, level(audit)],
        cells,
        [
            "Poisson regression with speaker effects. How far a ratio moves to 1 as covariates "
            "enter is the part of the gap that goes with them; whether groups differ is for the "
            "test above."
        ],
    )


def _entered(steps: Sequence[str]) -> Iterator[str]:
    """Heading of each step: what is new in it.

    >>> list(_entered(["", "duration", "duration,age,gender"]))
    ['crude', '+duration', '+age+gender']
    """
    yield "crude"
    for before, after in pairwise(steps):
        new = after.split(",")[len(before.split(",")) if before else 0 :]
        yield "".join(f"+{name}" for name in new)


def _matched(audit: Audit, attribute: str | None) -> Iterator[Sheet]:
    """Each group beside its neighbours."""
    ratios = {row.group: row for row in _rows(audit, attribute, "matched_ratio")}
    rows = _rows(audit, attribute, "matched_difference")
    if not rows:
        return
    sides = _sides(audit, attribute)
    cells = [
        [
            printable(row.group or ""),
            str(sides[row.group, row.group].records),
            percent(sides[row.group, row.group].value),
            percent(sides[row.group, row.against].value),
            percent(row.value, "+"),
            interval(row.ci_low, row.ci_high),
            _ratio(ratios[row.group].value),
        ]
        for row in rows
    ]
    against = reference(rows[0].against)
    columns = printable(_variant(rows[0], "match"))
    header = [
        ("", "group"),
        ("pairs", "pairs"),
        ("WER", "WER"),
        (f"WER {against}", f"WER of neighbours in {against}"),
        ("diff.", "difference"),
        level(audit),
        ("ratio", "ratio"),
    ]
    yield Sheet(
        f"WER beside the nearest neighbours{by(attribute)}: matched on {columns}, in percent",
        header,
        cells,
        ["Each utterance is beside the one of the others that is most like it in these columns."],
    )


def _sides(audit: Audit, attribute: str | None) -> Mapping[Any, Any]:
    """Matched estimates by group and side."""
    return {
        (row.group, row.variant["side"]): row
        for row in audit.estimates
        if row.attribute == attribute and row.variant and "side" in row.variant
    }


def _balance(rows: Sequence[Comparison], attribute: str | None) -> Iterator[Sheet]:
    """Standardised mean differences before and after matching."""
    if not rows:
        return
    most: dict[tuple[str, str, bool], float] = {}
    for row in rows:
        # A covariate with levels is as far off as its worst level; undefined is worse than any.
        key = (row.group or "", (row.name or "").partition("=")[0], _variant(row, "matched"))
        value = math.inf if row.value is None else abs(row.value)
        most[key] = max(most.get(key, 0.0), value)
    keys = list(dict.fromkeys(key[:2] for key in most))
    cells = [
        [
            f"{printable(group)}: {printable(name)}",
            *(_ratio(most[group, name, m]) for m in (False, True)),
        ]
        for group, name in keys
    ]
    off = [f"{group}: {name}" for group, name in keys if most[group, name, True] >= _BALANCED]
    yield Sheet(
        f"Balance{by(attribute)}: largest standardised mean difference",
        [("", "group and covariate"), ("before", "before"), ("after", "after matching")],
        cells,
        [
            f"Not balanced ({_BALANCED} or more after matching): {printable(', '.join(off))}."
            if off
            else f"After matching all are below {_BALANCED}."
        ],
    )
