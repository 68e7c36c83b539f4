"""What of an audit is drawn: which metric, at which setting, by which attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairaudit.audit import Audit, Estimate
from fairaudit.exceptions import FairauditError
from fairaudit.metrics import METRICS, Metric, find_metric
from fairaudit.report.charts import chart
from fairaudit.report.sheets import Chart, Mark, attributes, estimate_rows, level, only, printable

#: A setting of several, by its names.
Variant = Mapping[str, Any] | None
#: Other settings that a note names; there may be thousands.
_NAMED = 10


@dataclass(frozen=True)
class Panel:
    """The groups of one attribute, each group's n beside them."""

    chart: Chart
    sizes: Sequence[str]

    @property
    def attribute(self) -> str:
        """As it is named in the figure."""
        return self.chart.title


@dataclass(frozen=True)
class Plot:
    """What is to be drawn of a metric.

    Attributes
    ----------
    metric : Metric
    variant : mapping or None
        The setting, where the audit has several.
    others : sequence of mapping or None
        Its other settings.
    panels : sequence of Panel
    empty : sequence of str
        Attributes left out, for no group has a value.
    label : str
        Below the axis: what is shown, in what, with which intervals.
    """

    metric: Metric
    variant: Variant
    others: Sequence[Variant]
    panels: Sequence[Panel]
    empty: Sequence[str]
    label: str

    @property
    def said(self) -> str:
        """What is shown, by what, at which setting."""
        by = ", ".join(panel.attribute for panel in self.panels)
        return f"{self.metric.label} by {by}{_titled(self.variant)}"

    @property
    def marks(self) -> list[Mark]:
        """Of all panels."""
        return [mark for panel in self.panels for mark in panel.chart.marks]

    @property
    def names(self) -> list[str]:
        """Of groups and attributes, printable."""
        return [mark.label for mark in self.marks] + [panel.attribute for panel in self.panels]

    @property
    def hollow(self) -> bool:
        """Whether a group has a value without an interval."""
        return any(mark.value is not None and mark.low is None for mark in self.marks)

    def notes(self) -> Iterator[str]:
        """What the figure does not show."""
        if self.others:
            named = ", ".join(filter(None, map(_asked, self.others[:_NAMED])))
            more = ", ..." if len(self.others) > _NAMED else ""
            yield f"note: one setting of {1 + len(self.others)}; for others: {named}{more}."
        if self.empty:
            yield f"note: left out, for no group has a value: {', '.join(self.empty)}."


def choose(audit: Audit, metric: str | None, by: str | None, at: Sequence[str]) -> Plot:
    """What is drawn of an audit; for the parameters see `fairaudit.report.plots.figure`.

    Raises
    ------
    FairauditError
        If the audit has no such metric, attribute or setting, or no value of it.
    """
    if audit.kind == "search":
        raise FairauditError(
            "a search has slices, which overlap. Plot an audit by the columns of what was found."
        )
    chosen, grouped = _metric(audit, metric), _attributes(audit, by)
    variant, *others = _variants(audit, chosen, at)
    main = only(audit, variant)
    found = {name: _panel(main, name, chosen) for name in grouped}
    panels = [panel for panel in found.values() if panel is not None]
    empty = [printable(name) for name, panel in found.items() if panel is None]
    if not panels:
        raise FairauditError(f"{chosen.label} has no value in any group by {', '.join(empty)}.")
    unit = f"{chosen.label}: {chosen.unit}{panels[0].chart.figures.said}"
    label = f"{unit}{_titled(variant)}; {level(audit)[1]}s"
    return Plot(chosen, variant, others, panels, empty, label)


def _metric(audit: Audit, name: str | None) -> Metric:
    known = [each for each in dict.fromkeys(r.metric for r in audit.estimates) if each in METRICS]
    found = known[0] if name is None and known else find_metric(name or "", known)
    if found is None:
        raise FairauditError(f"--metric {name}: the audit has {', '.join(known) or 'none'}.")
    return METRICS[found]


def _attributes(audit: Audit, by: str | None) -> list[str]:
    named = [name for name in attributes(audit) if name is not None]
    if not named:
        raise FairauditError("the audit has no groups. Make one with --by COLUMN.")
    if by is not None and by not in named:
        raise FairauditError(f"--by {by}: the audit is by {', '.join(named)}.")
    return named if by is None else [by]


def _variants(audit: Audit, metric: Metric, at: Sequence[str]) -> list[Variant]:
    """The metric's settings, first the one that is drawn."""
    rows = [r for r in audit.estimates if r.metric == metric.name and r.attribute is not None]
    known = list({tuple((r.variant or {}).items()): r.variant for r in rows}.values())
    fits = [each for each in known if set(at) <= set(_pairs(each))]
    if not fits:
        there = " or ".join(_asked(each) for each in known if each)
        what = f"{metric.label} has {there or 'one setting only: leave it out'}"
        raise FairauditError(f"{' '.join(f'--at {pair}' for pair in at)}: {what}.")
    return [fits[0], *(each for each in known if each is not fits[0])]


def _pairs(variant: Variant) -> list[str]:
    """A setting by its names and values.

    >>> _pairs({"threshold": 0.5, "class": "red"})
    ['threshold=0.5', 'class=red']
    """
    return [f"{name}={value}" for name, value in (variant or {}).items()]


def _asked(variant: Variant) -> str:
    """Options that ask for a setting.

    >>> _asked({"threshold": 0.5, "class": "red"})
    '--at threshold=0.5 --at class=red'
    """
    return " ".join(f"--at {pair}" for pair in _pairs(variant))


def _titled(variant: Variant) -> str:
    """What titles say of a setting.

    >>> _titled({"threshold": 0.5}), _titled(None)
    (', threshold 0.5', '')
    """
    pairs = (variant or {}).items()
    return "".join(f", {printable(str(k))} {printable(str(v))}" for k, v in pairs)


def _panel(audit: Audit, attribute: str, metric: Metric) -> Panel | None:
    """None where no group has a value."""
    rows = estimate_rows(audit, attribute, metric)
    found = chart(audit, printable(attribute), metric, rows)
    if found is None:
        return None
    return Panel(found, [_size(row) for row in rows if row.attribute is not None])


def _size(row: Estimate) -> str:
    return f"{row.n:,.0f}" if float(row.n).is_integer() else f"{row.n:,.1f}"
