"""Charts as SVG that fits any width: places in percent, text and heights in pixels."""

from __future__ import annotations

import math
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from statistics import median

from fairaudit.report.sheets import Chart, Mark

#: Letters that a line of the narrowest screen (320 pixels) holds, and those left beside a value.
_LINE, _BESIDE = 38, 20
#: Pixels: a line of text, from a line's top to its baseline, from there to the dot, below it.
_TEXT, _BASE, _DROP, _REST = 20, 14, 11, 19
#: Dashes of limits; a legend says whose they are.
_DASHES = ("6 4", "2 3", "10 3 2 3", "1 5")
#: Sides of the drawing, in percent, that hold arrows only.
_EDGE = 2.0
_STEPS = (10.0, 5.0, 2.5, 2.0, 1.0)


def svg(chart: Chart, id: str) -> str:
    """Draw a chart: a legend, a line of text and a whisker per group, and an axis.

    Parameters
    ----------
    chart : Chart
    id : str
        Start of the ids in the drawing.

    Returns
    -------
    str
        An ``svg`` element, all text from the data escaped; its classes are those of ``card.css``.
    """
    drawing = _Drawing(chart, Axis.of(chart))
    legend, top = _stacked(drawing.legend(), 0)
    rows, bottom = _stacked(map(drawing.row, chart.marks), top + _REST)
    axis, end = _stacked([drawing.axis_row(), *drawing.unit()], bottom)
    parts = [*legend, *drawing.lines(top + _REST // 2, bottom), *rows, *axis]
    names = f'role="img" aria-labelledby="{id}-t" aria-describedby="{id}-d"'
    head = f'<svg class="chart" width="100%" height="{end}" {names}>'
    told = f'<title id="{id}-t">{escape(chart.title)}</title>'
    desc = f'<desc id="{id}-d">{escape(chart.said)}</desc>'
    return "\n".join([head, told + desc, *parts, "</svg>"])


@dataclass(frozen=True)
class Axis:
    """What part of the numbers is drawn.

    Attributes
    ----------
    low, high : float
        Its ends, in the values' own unit.
    """

    low: float
    high: float

    @classmethod
    def of(cls, chart: Chart) -> Axis:
        """Room for all values and limits, and for intervals unless they squash the others.

        Interval ends count up to three quarters of the range of the values, or the median
        interval's width, whichever is more. The axis starts at 0 where that is near.
        """
        known = [mark for mark in chart.marks if mark.value is not None]
        values = _finite(
            [mark.value for mark in known], [limit.value for limit in chart.limits], [chart.overall]
        )
        low, high = min(values, default=0.0), max(values, default=1.0)
        widths = _finite(map(_breadth, known))
        room = max([0.75 * (high - low), median(widths or [0])]) or abs(high) / 10 or 1.0
        ends = _finite([mark.low for mark in known], [mark.high for mark in known])
        first = max(low - room, min([low, *ends]))
        last = min(high + room, max([high, *ends]))
        return cls(*_widened(first, last, room))

    def place(self, value: float) -> float:
        """Percent of the width; ends that lie outside stand at the edge.

        >>> Axis(0.0, 0.5).place(0.25), Axis(0.0, 0.5).place(9.0)
        (50.0, 98.0)
        """
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(_EDGE + share * (100 - 2 * _EDGE), 2)

    @property
    def ticks(self) -> list[float]:
        """Three to five round numbers.

        >>> Axis(0.0, 0.33).ticks, Axis(-0.07, 0.12).ticks
        ([0.0, 0.1, 0.2, 0.3], [-0.05, 0.0, 0.05, 0.1])
        """
        return ticks(self.low, self.high)


def ticks(low: float, high: float) -> list[float]:
    """Multiples of the largest of 1, 2, 2.5, 5 times a power of ten that has three in the range.

    >>> ticks(0, 100), ticks(12, 13)
    ([0.0, 50.0, 100.0], [12.0, 12.5, 13.0])
    """
    power = 10.0 ** math.floor(math.log10(high - low))
    for step in (step * power / scale for scale in (1, 10) for step in _STEPS):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first >= 2:
            # 3 * 0.1 is not 0.3: twelve digits are.
            return [float(f"{n * step:.12g}") for n in range(first, last + 1)]
    return [low, high]


def short(text: str, letters: int) -> str:
    """A text cut to so many letters; those of full width count twice.

    >>> short("west-midlands", 8), short("us", 8)
    ('west-mi…', 'us')
    """
    if width(text) <= letters:
        return text
    while width(text) >= letters:
        text = text[:-1]
    return text.rstrip() + "…"


def broken(text: str, letters: int) -> list[str]:
    """A name in one or two lines of so many letters; what is longer is cut.

    >>> broken("Native Hawaiian or Pacific Islander", 20), broken("very " * 9, 10)
    (['Native Hawaiian or', 'Pacific Islander'], ['very very', 'very very…'])
    """
    letters = letters * (len(text) or 1) // (width(text) or 1)
    return textwrap.wrap(text, letters, max_lines=2, placeholder="…") or [""]


def width(text: str) -> int:
    """Letters that a text is wide.

    >>> width("abc"), width("日本")
    (3, 4)
    """
    return sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def _finite(*parts: Iterable[float | None]) -> list[float]:
    return [x for part in parts for x in part if x is not None and math.isfinite(x)]


def _breadth(mark: Mark) -> float | None:
    return None if mark.low is None or mark.high is None else mark.high - mark.low


def _widened(first: float, last: float, room: float) -> tuple[float, float]:
    """A tenth more at both ends, but not across zero; zero itself where it is near.

    >>> _widened(2, 5, 1), _widened(80, 90, 5), _widened(-3, 2, 1), _widened(0, 0, 1)
    ((0.0, 5.3), (79.0, 91.0), (-3.5, 2.5), (0.0, 1))
    """
    breadth = last - first
    margin = breadth / 10 or room
    low, high = first - margin, last + margin
    if first >= 0:
        low = 0.0 if first <= breadth else max(0.0, low)
    elif last <= 0:
        high = 0.0 if -last <= breadth else min(0.0, high)
    return low, high


def _stacked(rows: Iterable[tuple[str, int]], top: int) -> tuple[list[str], int]:
    """Rows below each other, each drawn around its first baseline, and where the last one ends."""
    placed = []
    for markup, height in rows:
        placed.append(f'<g transform="translate(0 {top + _BASE})">{markup}</g>')
        top += height
    return placed, top


@dataclass(frozen=True)
class _Drawing:
    """The parts of a chart."""

    chart: Chart
    axis: Axis

    def row(self, mark: Mark) -> tuple[str, int]:
        """A group: its name, its value in figures, and below them the whisker."""
        figures = self.chart.figures
        value = "undefined" if mark.value is None else figures.value(mark.value)
        if _breadth(mark) is not None:
            value += f" {figures.interval(mark.low, mark.high)}"
        lines = broken(mark.label, _LINE)
        # A long name has a line for itself: on the narrowest screen the value would overlap it.
        last = _TEXT * (len(lines) - (width(lines[-1]) <= _BESIDE))
        figure = f'<text class="v" x="100%"{_down(last)}>{escape(value)}</text>'
        y = last + _DROP
        return _named(mark.label, lines) + figure + self._whisker(mark, y), _BASE + y + _REST

    def _whisker(self, mark: Mark, y: int) -> str:
        if mark.value is None:
            return ""
        dot = f'<circle cx="{self.axis.place(mark.value):g}%" cy="{y}" r="5"/>'
        if mark.low is None or mark.high is None:
            return dot
        return self._interval(mark.low, mark.high, y) + dot

    def _interval(self, low: float, high: float, y: int) -> str:
        """A line between the ends, with an arrow where it goes on beyond the axis."""
        start, end = self.axis.place(low), self.axis.place(high)
        line = f'<line x1="{start:g}%" x2="{end:g}%" y1="{y}" y2="{y}"/>'
        left = _arrow(start, y, -1) if low < self.axis.low else ""
        return line + left + (_arrow(end, y, 1) if high > self.axis.high else "")

    def lines(self, top: int, bottom: int) -> Iterator[str]:
        """The ticks' lines, then the overall value and the limits, from top to bottom."""
        ends = f'y1="{top}" y2="{bottom}"'
        for tick in self.axis.ticks:
            yield _upright("t", self.axis.place(tick), ends)
        if self.chart.overall is not None:
            yield _upright("o", self.axis.place(self.chart.overall), ends)
        for n, limit in enumerate(self.chart.limits):
            yield _upright("l", self.axis.place(limit.value), f"{ends} {_dashes(n)}")

    def legend(self) -> Iterator[tuple[str, int]]:
        """What each sort of line is."""
        figures = self.chart.figures
        whisker = '<line x2="28" y1="-5" y2="-5"/><circle cx="14" cy="-5" r="5"/>'
        yield _entry(whisker, f"value and {self.chart.interval}")
        if self._clipped:
            arrow = f'<line x2="20" y1="-5" y2="-5"/>{_ARROWS[1].format(x=20, y=-5)}'
            yield _entry(arrow, "goes on beyond the axis")
        if self.chart.overall is not None:
            yield _entry(_sample("o"), f"all records: {figures.value(self.chart.overall)}")
        for n, limit in enumerate(self.chart.limits):
            value = figures.value(limit.value)
            name = short(limit.label, _LINE - 6 - len(value))
            yield _entry(_sample("l", _dashes(n)), f"{name}: {value}")

    @property
    def _clipped(self) -> bool:
        marks = [mark for mark in self.chart.marks if mark.value is not None]
        lows = [mark.low for mark in marks if mark.low is not None]
        highs = [mark.high for mark in marks if mark.high is not None]
        return min(lows, default=math.inf) < self.axis.low or max(highs, default=-math.inf) > (
            self.axis.high
        )

    def axis_row(self) -> tuple[str, int]:
        """The ticks' numbers, those at the sides kept inside."""
        factor = 100 if self.chart.scale == "percent" else 1
        numbers = [(self.axis.place(tick), f"{factor * tick:,.10g}") for tick in self.axis.ticks]
        texts = "".join(
            f'<text class="{_anchor(x, text)}" x="{x:g}%" y="2">{text}</text>'
            for x, text in numbers
        )
        return texts, _TEXT + 2

    def unit(self) -> Iterator[tuple[str, int]]:
        """What the numbers are, in as many lines as the narrowest screen needs."""
        for line in textwrap.wrap(self.chart.unit + self.chart.figures.said, _LINE):
            yield f'<text class="u" x="50%">{escape(line)}</text>', _TEXT


def _named(name: str, lines: Sequence[str]) -> str:
    """A name line by line, whole on demand where it was cut."""
    title = f"<title>{escape(name)}</title>" if lines[-1].endswith("…") else ""
    texts = [
        f"<text{_down(n * _TEXT)}>{escape(line)}{title}</text>" for n, line in enumerate(lines)
    ]
    return "".join(texts)


def _down(y: int) -> str:
    return f' y="{y}"' if y else ""


#: To the left and to the right.
_ARROWS = {
    -1: '<svg x="{x}" y="{y}" class="a"><path d="M4-5-4 0 4 5z"/></svg>',
    1: '<svg x="{x}" y="{y}" class="a"><path d="M-4-5 4 0-4 5z"/></svg>',
}


def _arrow(x: float, y: int, side: int) -> str:
    return _ARROWS[side].format(x=f"{x:g}%", y=y)


def _upright(name: str, x: float, rest: str) -> str:
    return f'<line class="{name}" x1="{x:g}%" x2="{x:g}%" {rest}/>'


def _sample(name: str, rest: str = "") -> str:
    return f'<line class="{name}" x1="14" x2="14" y1="-13" y2="3" {rest}/>'.replace(" />", "/>")


def _entry(sample: str, text: str) -> tuple[str, int]:
    return f'{sample}<text x="36">{escape(text)}</text>', _TEXT + 2


def _dashes(n: int) -> str:
    return f'stroke-dasharray="{_DASHES[n % len(_DASHES)]}"'


def _anchor(x: float, text: str) -> str:
    """Class of a text at this percentage of the width: long ones at the sides are kept inside.

    >>> _anchor(2.0, "0"), _anchor(2.0, "0.001"), _anchor(50.0, "0.002"), _anchor(98.0, "0.003")
    ('m', 's', 'm', 'v')
    """
    if len(text) < 3:
        return "m"
    return "s" if x < 6 else "v" if x > 94 else "m"
