"""What a search found, as a table: each slice in the records that it was not found in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fairaudit.audit import Audit, Comparison, Estimate
from fairaudit.report.figures import p_cell
from fairaudit.report.sheets import (
    Column,
    Sheet,
    figures,
    level,
    named_metrics,
    printable,
    sheet,
    starred,
)

#: Where a slice was picked, and where it was measured.
_PICKED, _MEASURED = {"part": "search"}, {"part": "holdout"}


def search_sheets(audit: Audit) -> Iterator[Sheet]:
    """Every slice that was found, the most evident first, and all records together."""
    metric = named_metrics(audit)[0]
    found = _differences(audit, _PICKED)
    measured = _differences(audit, _MEASURED)
    everyone = next(row for row in audit.estimates if row.attribute is None)
    inside, outside = (_values(audit, rest) for rest in (False, True))
    rows = [inside.get(key) for key in found] + [everyone]
    written = figures(metric, [row for row in rows if row is not None])
    columns = [
        Column("", "slice", [*map(_name, (inside[key] for key in found)), "(all)"]),
        Column(
            "rec.",
            "records of the part measured",
            [str(row.records) if row else "-" for row in rows],
        ),
        Column(
            metric.label, metric.label, [written.value(row.value if row else None) for row in rows]
        ),
        Column("rest", "in the rest", [*(written.value(outside[k].value) for k in found), ""]),
        Column("diff.", "difference", [*(starred(measured[k], audit, written) for k in found), ""]),
        Column(*level(audit), [*(_interval(written, measured[key]) for key in found), ""]),
        Column("found", "difference as found", [*_found(written, found), ""]),
        Column("p", "p of the search", [*(p_cell(row.p_adjusted) for row in found.values()), ""]),
    ]
    yield sheet(
        f"Slices by {metric.label}: {metric.unit}{written.said}", columns, _said(audit, found)
    )


#: What tells a slice: its columns and its values.
Key = tuple[str | None, str | None]


def _differences(audit: Audit, variant: Mapping[str, Any]) -> dict[Key, Comparison]:
    return {
        (row.attribute, row.group): row
        for row in audit.comparisons
        if row.kind == "difference" and row.variant == variant
    }


def _values(audit: Audit, rest: bool) -> dict[Key, Estimate]:
    """Estimates where slices were measured: of the slices, or of their rests."""
    measured = [row for row in audit.estimates if row.variant == _MEASURED]
    slices, rests = measured[::2], measured[1::2]
    return {
        (slice.attribute, slice.group): other if rest else slice
        for slice, other in zip(slices, rests, strict=True)
    }


def _name(row: Estimate) -> str:
    return ", ".join(f"{printable(name)}={printable(value)}" for name, value in row.values.items())


def _interval(written: Any, row: Comparison) -> str:
    return str(written.interval(row.ci_low, row.ci_high))


def _found(written: Any, found: Mapping[Key, Comparison]) -> list[str]:
    return [written.value(row.value, "+") for row in found.values()]


def _said(audit: Audit, found: Mapping[Key, Comparison]) -> Iterator[str]:
    if not found:
        yield "No slice is shown to have what was looked for (see below)."
        return
    held = 100 * audit.settings["holdout"]
    yield (
        f"Found in {100 - held:g} % of the records (found, p: over all slices at once), measured "
        f"in the other {held:g} %, which had no part in finding them; rec. counts these alone."
    )
    yield f"* differs there as well: p<{1 - audit.settings['ci']:.2g}, adjusted over these slices."
