"""What an audit says, as plain tables and sentences; how they look is decided elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from fairaudit.audit import Audit, Comparison, Estimate, Kind
from fairaudit.metrics import METRICS, Metric
from fairaudit.report.figures import PERCENT, Figures
from fairaudit.stats.sums import MISSING

_BIN = re.compile(r"[\[(](-inf|-?[\d.e+-]+), ")
#: References that are no groups of the data.
_REFERENCES = ("(rest)", "(best)", "(largest)")
#: Columns of a terminal that a table should fit in, and those of them that names need.
WIDTH, NAMES = 80, 12


@dataclass(frozen=True)
class Mark:
    """A group's value with its interval.

    Attributes
    ----------
    label : str
        The group, printable.
    value, low, high : float or None
        As the audit has them; None where undefined.
    said : str
        Value, interval and number of records in words.
    """

    label: str
    value: float | None
    low: float | None
    high: float | None
    said: str


@dataclass(frozen=True)
class Limit:
    """A value that groups must keep to, and what it is called."""

    label: str
    value: float


@dataclass(frozen=True)
class Chart:
    """Groups of an attribute side by side, with the value over all records and the limits.

    Attributes
    ----------
    title : str
        What is shown, by what.
    unit : str
        What the values are, in words.
    scale : {"percent", "number"}
        How values are written: shares in percent, or as they are.
    marks : sequence of Mark
        In the order of the table.
    overall : float or None
        Over all records.
    limits : sequence of Limit
    interval : str
        What the intervals are: ``95 % interval``.
    """

    title: str
    unit: str
    scale: Literal["percent", "number"]
    marks: Sequence[Mark]
    overall: float | None
    limits: Sequence[Limit] = ()
    interval: str = "interval"

    @property
    def figures(self) -> Figures:
        """How its values are written."""
        return Figures.of(self.scale, [mark.value for mark in self.marks])

    @property
    def said(self) -> str:
        """The whole chart in words, for those who do not see it."""
        known = self.overall is not None
        overall = f" All records: {self.figures.value(self.overall)}." if known else ""
        limits = "".join(
            f" {each.label}: {self.figures.value(each.value)}." for each in self.limits
        )
        groups = "; ".join(f"{mark.label}: {mark.said}" for mark in self.marks)
        return f"{self.title}: {self.unit}{self.figures.said}. {groups}.{overall}{limits}"


@dataclass(frozen=True)
class Sheet:
    """A table and the sentences below it.

    Attributes
    ----------
    title : str
    header : sequence of (str, str)
        For each column a short heading and a long one; the first column holds names.
    rows : sequence of sequence of str
    sentences : sequence of str
    chart : Chart or None
        What can be drawn of it.
    """

    title: str
    header: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[str]]
    sentences: Sequence[str]
    chart: Chart | None = None


@dataclass(frozen=True)
class Column:
    """A column of a sheet: its short and its long heading, and its cells."""

    short: str
    long: str
    cells: Sequence[str]

    @property
    def width(self) -> int:
        """Columns of the terminal that it takes, with the space before it."""
        return 1 + max(map(len, [self.short, *self.cells]))


def sheet(
    title: str,
    columns: Iterable[Column],
    sentences: Iterable[str] = (),
    chart: Chart | None = None,
) -> Sheet:
    """Put a sheet together from columns."""
    columns = list(columns)
    return Sheet(
        title,
        [(column.short, column.long) for column in columns],
        list(zip(*(column.cells for column in columns), strict=True)),
        list(sentences),
        chart,
    )


def fitting(columns: Sequence[Column]) -> Iterator[Sequence[Column]]:
    """Columns in as few parts of about the same number as 80 columns of a terminal hold.

    >>> wide = [Column("a" * 29, "", []), Column("b" * 29, "", []), Column("c" * 29, "", [])]
    >>> [[column.short[0] for column in part] for part in fitting(wide)]
    [['a', 'b'], ['c']]
    """
    for count in range(1, len(columns) + 1):
        size = -(-len(columns) // count)
        parts = [columns[i : i + size] for i in range(0, len(columns), size)]
        if size == 1 or all(fits(part) for part in parts):
            yield from parts
            return


def fits(columns: Iterable[Column]) -> bool:
    """Whether 80 columns of a terminal hold them beside the names."""
    return sum(column.width for column in columns) <= WIDTH - NAMES


def printable(text: str) -> str:
    r"""A name from the data, control and invisible characters escaped.

    >>> printable("a\x1b[31m")
    'a\\x1b[31m'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def level(audit: Audit) -> tuple[str, str]:
    """Short and long heading of intervals."""
    level = f"{100 * audit.settings['ci']:g} %"
    return f"{level} int.", f"{level} interval"


def only(audit: Audit, variant: Mapping[str, Any] | None) -> Audit:
    """The audit with the rows of one variant."""
    return replace(
        audit,
        estimates=tuple(row for row in audit.estimates if row.variant == variant),
        comparisons=tuple(row for row in audit.comparisons if row.variant == variant),
    )


def by(attribute: str | None) -> str:
    """What a title says of the attribute."""
    return f", by {printable(attribute)}" if attribute else ""


def attributes(audit: Audit) -> list[str | None]:
    """What was grouped by, None where by nothing."""
    named = [row.attribute for row in audit.estimates if row.attribute is not None]
    return list(dict.fromkeys(named)) or [None]


def named_metrics(audit: Audit) -> list[Metric]:
    """The metrics of the audit; the first is the headline."""
    return [METRICS[name] for name in audit.settings["metrics"]]


def closing(audit: Audit) -> Iterator[str]:
    """What became of the records, and the notes, unless only a rule's table is wanted."""
    records = audit.records
    dropped = "; ".join(f"{reason}: {n:,}" for reason, n in records.dropped.items())
    left_out = f" Left out: {dropped}." if dropped else ""
    yield f"{records.used:,} of {records.total:,} records used.{left_out}"
    notes = () if audit.settings.get("rule") else audit.notes
    yield from (f"Note: {printable(note)}" for note in notes)


def estimate_rows(audit: Audit, attribute: str | None, metric: Metric) -> list[Estimate]:
    """Groups of an attribute, worst first (bins in their order), then all records together."""
    rows = [row for row in audit.estimates if row.metric == metric.name]
    groups = [row for row in rows if row.attribute == attribute and attribute is not None]
    sign = -1 if metric.direction == "lower" else 1
    groups.sort(key=lambda row: (row.value is None, sign * (row.value or 0)))
    if all(_BIN.match(row.group) or row.group == MISSING for row in groups):
        groups.sort(key=lambda row: _edge(row.group))
    groups.sort(key=lambda row: row.group == MISSING)
    return groups + [row for row in rows if row.attribute is None]


def _edge(group: str) -> float:
    """Lower edge of a bin's name."""
    found = _BIN.match(group)
    return float(found[1]) if found else float("inf")


def figures(metric: Metric, rows: Iterable[Estimate]) -> Figures:
    """How the metric is written in a table of these rows."""
    return Figures.of(metric.scale, [row.value for row in rows])


def starred(row: Comparison | None, audit: Audit, figures: Figures = PERCENT) -> str:
    """A difference, with a star where its adjusted p-value is small."""
    if row is None:
        return ""
    alpha = 1 - audit.settings["ci"]
    star = "*" if row.p_adjusted is not None and row.p_adjusted < alpha else " "
    return figures.value(row.value, "+") + star


def find(audit: Audit, attribute: str | None, metric: Metric, kind: Kind) -> Iterator[Comparison]:
    """Comparisons of one kind."""
    for row in audit.comparisons:
        if (row.attribute, row.metric, row.kind) == (attribute, metric.name, kind):
            yield row


def reference(name: str | None) -> str:
    """What the groups are compared to, in a sentence.

    >>> reference("(rest)"), reference("[18, 30)")
    ('rest', '[18, 30)')
    """
    return printable((name or "").strip("()") if name in _REFERENCES else name or "")
