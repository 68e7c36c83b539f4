"""Association tests as a table: a line per test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fairaudit.audit import Audit, Estimate
from fairaudit.report.figures import Figures, p_cell
from fairaudit.report.intersections import intersection_sheets
from fairaudit.report.sheets import Column, Sheet, level, named_metrics, printable, sheet

#: Effect sizes have a scale of their own: two digits, whatever the values.
_EFFECT = Figures(".2f")
#: What the quantiles of the draws are shown of.
_ENDS = ("0.025", "0.975")


def association_sheets(audit: Audit) -> Iterator[Sheet]:
    """The tests in the order in which they were asked for; words tied to an intersection."""
    yield from intersection_sheets(audit)
    content = {row.group: row.content for row in audit.explanations if row.kind == "association"}
    rows = {row.group: row for row in audit.estimates if row.attribute == "test"}
    order = [name for name in content if name in rows]
    if order:
        yield _tests(audit, [rows[name] for name in order], [content[name] for name in order])


def _tests(audit: Audit, rows: Sequence[Estimate], found: Sequence[Any]) -> Sheet:
    drawn = any("quantiles" in each for each in found)
    counted = "contexts" if drawn else "words"
    short = "p (paper)" if drawn else "p"
    columns = [
        Column("", "test", [_name(row, each) for row, each in zip(rows, found, strict=True)]),
        Column("d", "effect size", [_EFFECT.value(row.value) for row in rows]),
        Column(
            level(audit)[0],
            f"{level(audit)[1]} over {counted}",
            [_EFFECT.interval(row.ci_low, row.ci_high) for row in rows],
        ),
        Column("size", "size, by Cohen", [each["size"] or "-" for each in found]),
        Column(short, _p_heading(drawn, found), [p_cell(each["p_value"]) for each in found]),
    ]
    if drawn:
        columns.append(Column("draws", "95 % of the draws", [_draws(each) for each in found]))
    title = f"Association tests: {named_metrics(audit)[0].unit} d, {level(audit)[1]} over {counted}"
    return sheet(title, columns, _sentences(drawn))


def _name(row: Estimate, found: Any) -> str:
    title = found["title"] or " and ".join(list(found["lists"])[:2])
    return printable(f"{row.group}: {title}")


def _p_heading(drawn: bool, found: Sequence[Any]) -> str:
    sides = "one-sided" if any(each["p_sides"] == 1 for each in found) else "two-sided"
    return f"p of the paper, {sides}" if drawn else f"p by permutation, {sides}"


def _draws(found: Any) -> str:
    """Between which effect sizes 95 % of the draws lie."""
    return _EFFECT.interval(*(found["quantiles"].get(each) for each in _ENDS))


def _sentences(drawn: bool) -> Iterator[str]:
    yield (
        "d above 0: the first group is nearer to the first attribute, the second to the second; "
        "below 0 the other way round. Size by Cohen: small from 0.2, medium from 0.5, large from "
        "0.8."
    )
    if drawn:
        yield (
            "draws: between these lie 95 % of the effect sizes of single draws, a sentence per "
            "word: how much d depends on the sentences."
        )
