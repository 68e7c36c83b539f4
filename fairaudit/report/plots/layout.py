"""Where things lie; all heights are known before anything is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fairaudit.exceptions import FairauditError
from fairaudit.report.plots.axis import Axis
from fairaudit.report.plots.choice import Panel, Plot
from fairaudit.report.plots.style import Style

#: Points in an inch, and of the tallest page that a PDF may have.
INCH, _TALLEST = 72.0, 14_400.0
_MM = INCH / 25.4
#: Heights in units of the size of letters: a line of text, the space between groups, the name of
#: a vertical line, the title of the first panel, those of the others, ticks and margins below.
LINE, _GAP, _ABOVE, _TITLE, _NEXT, _FOOT = 1.2, 0.6, 1.5, 2.0, 3.2, 4.2
#: The share of the width that names of groups may take, and in how many lines.
_NAMES, _LINES = 0.38, 2


@dataclass(frozen=True)
class Line:
    """A vertical line: a limit, or the value over all records.

    Attributes
    ----------
    gid : str
        Its id in the figure.
    name : str
        What it is called, with its value.
    value : float
    limit : bool
    """

    gid: str
    name: str
    value: float
    limit: bool


@dataclass(frozen=True)
class Label:
    """Where the name of a vertical line stands.

    Attributes
    ----------
    line : Line
    text : str
        The name, short enough.
    left, right : float
        Its ends, in pt from the axis's left end.
    row : int
        Above the first group, 0 being the lowest.
    """

    line: Line
    text: str
    left: float
    right: float
    row: int

    @property
    def middle(self) -> float:
        """Of the text, in pt from the axis's left end."""
        return (self.left + self.right) / 2

    @property
    def end(self) -> float:
        """Upper end of the line, below the first group's upper edge in sizes of letters."""
        return -_ABOVE * self.row - 1.3


@dataclass(frozen=True)
class Place:
    """A panel and where its parts lie, in units of the size of letters.

    Attributes
    ----------
    panel : Panel
    names : sequence of str
        Each group's name, folded.
    labels : sequence of Label
        Of vertical lines.
    title : float
        Height that the title takes.
    """

    panel: Panel
    names: Sequence[str]
    labels: Sequence[Label]
    title: float

    @property
    def top(self) -> float:
        """Height that labels take above the first group."""
        return _ABOVE * (1 + max((label.row for label in self.labels), default=-1))

    @property
    def body(self) -> float:
        """Height that groups take."""
        return sum(self._heights)

    @property
    def centres(self) -> list[float]:
        """Where groups lie below the first one's upper edge."""
        ends, y = [], 0.0
        for height in self._heights:
            ends.append(y + height / 2)
            y += height
        return ends

    @property
    def _heights(self) -> list[float]:
        return [LINE * (1 + name.count("\n")) + _GAP for name in self.names]


@dataclass(frozen=True)
class Frame:
    """What all panels share, in pt.

    Attributes
    ----------
    style : Style
    left, right : float
        Margins for names and for n.
    axis : Axis
    """

    style: Style
    left: float
    right: float
    axis: Axis

    @classmethod
    def of(cls, plot: Plot, names: Sequence[Sequence[str]], style: Style) -> Frame:
        """Margins as wide as names and numbers are, the rest for the axis."""
        lines = {line for own in names for name in own for line in name.split("\n")}
        left = max(map(style.length, lines)) + style.size
        sizes = {size for panel in plot.panels for size in panel.sizes}
        right = max(map(style.length, sizes)) + 1.5 * style.size
        length = style.width * _MM - left - right
        if length < 8 * style.size:
            raise FairauditError(
                f"--width {style.width:g}: no room for the axis. Give a greater width, or a "
                f"smaller --font-size than {style.size:g}."
            )
        return cls(style, left, right, Axis.of(plot, length))

    @property
    def width(self) -> float:
        """Of the figure."""
        return self.style.width * _MM

    @property
    def edges(self) -> tuple[float, float]:
        """Half a letter from both sides of the figure, as shares of the axis."""
        half, length = self.style.size / 2, self.axis.length
        return (half - self.left) / length, 1 + (self.right - half) / length

    def labels(self, panel: Panel, index: int) -> list[Label]:
        """Labels of the panel's vertical lines, so that none stands on another.

        From right to left, each to the right of its line, if there is room: a line then passes
        no label, unless one had to stand to the left of its own.
        """
        placed: list[Label] = []
        for line in sorted(_lines(panel, index), key=lambda line: -line.value):
            placed.append(self._placed(line, placed))
        return placed

    def _placed(self, line: Line, others: Sequence[Label]) -> Label:
        pad = self.style.size / 4
        text = self.style.short(self._pointed(line), self.width / 2 - 4 * pad)
        length = self.style.length(text) + 2 * pad
        at = self.axis.at(line.value)
        left = at if at + length <= self.axis.length + self.right - pad else at - length
        row = 0
        while any(self._meet(left, left + length, row, other) for other in others):
            row += 1
        return Label(line, text, left, left + length, row)

    def _pointed(self, line: Line) -> str:
        """The name, with an arrow to a line that lies beyond the axis."""
        if line.value > self.axis.high:
            return f"{line.name} →"
        return f"← {line.name}" if line.value < self.axis.low else line.name

    def _meet(self, left: float, right: float, row: int, other: Label) -> bool:
        """Whether a label there would stand on another, or across its line."""
        crossed = row < other.row and left < self.axis.at(other.line.value) < right
        return crossed or (row == other.row and left < other.right and other.left < right)


def _lines(panel: Panel, index: int) -> Iterator[Line]:
    """Vertical lines of a panel."""
    chart, written = panel.chart, panel.chart.figures.value
    if (value := chart.overall) is not None:
        yield Line(f"overall-{index}", f"all records {written(value)}", value, limit=False)
    for i, (label, value) in enumerate((each.label, each.value) for each in chart.limits):
        yield Line(f"limit-{index}-{i}", f"{label} {written(value)}", value, limit=True)


@dataclass(frozen=True)
class Layout:
    """Where everything in a figure lies.

    Attributes
    ----------
    frame : Frame
    places : sequence of Place
        From top to bottom.
    foot : str
        What stands below the axis.
    """

    frame: Frame
    places: Sequence[Place]
    foot: str

    @classmethod
    def of(cls, plot: Plot, style: Style) -> Layout:
        """Panels below each other.

        Raises
        ------
        FairauditError
            If names leave no room for the axis, or no page is high enough.
        """
        names = [_folded(panel, style) for panel in plot.panels]
        frame = Frame.of(plot, names, style)
        places = [
            Place(panel, own, frame.labels(panel, i), _NEXT if i else _TITLE)
            for i, (panel, own) in enumerate(zip(plot.panels, names, strict=True))
        ]
        foot = style.folded(plot.label, frame.width - style.size, 3)
        made = cls(frame, places, foot + ("\n○ no interval" if plot.hollow else ""))
        _require_page(made.height, plot)
        return made

    @property
    def height(self) -> float:
        """Of the figure, in pt."""
        titles, tops = sum(p.title for p in self.places), sum(p.top for p in self.places)
        foot = _FOOT + LINE * self.foot.count("\n")
        em = self.frame.style.size
        return (titles + tops + sum(p.body for p in self.places)) * em + foot * em

    def boxes(self) -> Iterator[tuple[float, float, float, float]]:
        """Left, bottom, width and height of each panel's axes, as shares of the figure."""
        frame, y, height = self.frame, self.height, self.height
        for place in self.places:
            inner = (place.top + place.body) * frame.style.size
            y -= inner + place.title * frame.style.size
            across = frame.axis.length / frame.width
            yield frame.left / frame.width, y / height, across, inner / height


def _folded(panel: Panel, style: Style) -> list[str]:
    """Names of groups."""
    room = _NAMES * style.width * _MM
    return [style.folded(mark.label, room, _LINES) for mark in panel.chart.marks]


def _require_page(height: float, plot: Plot) -> None:
    """Refuse what no page holds: PDF ends at 200 inches, images at about as much."""
    if height > _TALLEST:
        most = max(plot.panels, key=lambda panel: len(panel.sizes))
        raise FairauditError(
            f"{most.attribute} has {len(most.sizes):,} groups: the plot would be "
            f"{height / _MM / 1000:.1f} m high. Name an attribute with fewer: --by ATTRIBUTE."
        )
