"""Matplotlib's artists; their ids say which group of marks they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairaudit.report.plots.choice import Plot
from fairaudit.report.plots.layout import INCH, LINE, Frame, Layout, Place
from fairaudit.report.plots.style import Style
from fairaudit.report.sheets import Mark

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: One hue that the colour-blind tell from grey (Okabe & Ito, "Color universal design", 2008).
_BLUE, _INK, _FAINT, _GRID = "#0072b2", "#333333", "#767676", "#e3e3e3"
#: Behind words that a line may pass.
_BLANK = {"facecolor": "white", "edgecolor": "none", "pad": 1}


def drawing(plot: Plot, style: Style) -> Figure:
    """The figure; `Style.settings` must be in force.

    Raises
    ------
    FairauditError
        If there is no room for it.
    """
    from matplotlib.figure import Figure

    layout = Layout.of(plot, style)
    frame, em = layout.frame, style.size
    drawn = Figure(figsize=(frame.width / INCH, layout.height / INCH))
    ends = (frame.axis.low, frame.axis.high)
    for i, (place, box) in enumerate(zip(layout.places, layout.boxes(), strict=True)):
        axes = drawn.add_axes(box, xlim=ends, ylim=(place.body, -place.top))
        last = place is layout.places[-1]
        _Pen(axes, place, frame, i).draw(plot.metric.counted, last)
    x, y = em / frame.width / 2, 0.6 * (em / layout.height)
    drawn.text(x, y, layout.foot, ha="left", va="bottom", linespacing=LINE)
    return drawn


@dataclass(frozen=True)
class _Pen:
    """What draws a panel; its index is in the artists' ids."""

    axes: Axes
    place: Place
    frame: Frame
    index: int

    def draw(self, counted: str, last: bool) -> None:
        """Draw the panel; below the last one are the numbers of the axis."""
        self._draw_axis(last)
        self._draw_names()
        self._draw_grid()
        self._draw_title(counted)
        self._draw_lines()
        self._draw_undefined()
        self._draw_intervals()
        self._draw_dots(known=True)
        self._draw_dots(known=False)

    @property
    def _em(self) -> float:
        return self.frame.style.size

    @property
    def _rows(self) -> list[tuple[Mark, float]]:
        """Groups and where they lie."""
        return list(zip(self.place.panel.chart.marks, self.place.centres, strict=True))

    @property
    def _ticks(self) -> list[float]:
        return self.frame.axis.ticks(4 * self._em)

    def _write(self, x: float, y: float, text: str, **look: Any) -> None:
        """Put words at a share of the axis."""
        self.axes.text(x, y, text, transform=self.axes.get_yaxis_transform(), **look)

    def _draw_axis(self, last: bool) -> None:
        axes, ticks = self.axes, self._ticks
        axes.spines[["top", "left", "right"]].set_visible(False)
        axes.spines["bottom"].set(color=_INK if last else _GRID, linewidth=0.6)
        axes.set_xticks(ticks, [self.frame.axis.written(x) for x in ticks] if last else [])
        axes.tick_params(axis="x", length=0.3 * self._em if last else 0, width=0.6, color=_INK)

    def _draw_names(self) -> None:
        """Names of groups on the left, n on the right."""
        self.axes.set_yticks(self.place.centres, self.place.names)
        self.axes.tick_params(axis="y", length=0, pad=0.6 * self._em)
        for y, size in zip(self.place.centres, self.place.panel.sizes, strict=True):
            self._write(self.frame.edges[1], y, size, ha="right", va="center_baseline")

    def _draw_grid(self) -> None:
        """Thin lines that lead the eye."""
        axis = self.frame.axis
        thin: dict[str, Any] = {"color": _GRID, "linewidth": 0.5, "zorder": 0.5}
        self.axes.vlines(self._ticks, 0, self.place.body, **thin)
        self.axes.hlines(self.place.centres, axis.low, axis.high, **thin)

    def _draw_title(self, counted: str) -> None:
        """The attribute on the left, what n counts on the right."""
        style, (left, right) = self.frame.style, self.frame.edges
        room = self.frame.width - style.length(counted) - 2 * self._em
        title = style.short(self.place.panel.attribute, room, bold=True)
        top = -self.place.top - 0.4
        self._write(left, top, title, ha="left", va="bottom", weight="bold")
        self._write(right, top, counted, ha="right", va="bottom", color=_FAINT)

    def _draw_lines(self) -> None:
        """The value over all records and the limits, with their names."""
        solid: dict[str, Any] = {"linewidth": 0.7, "linestyle": "solid"}
        dashed: dict[str, Any] = {"linewidth": 0.9, "linestyle": (0, (4, 2.5))}
        for label in self.place.labels:
            line, x = label.line, label.line.value
            if self.frame.axis.holds(x):
                look, ends = dashed if line.limit else solid, [self.place.body, label.end]
                self.axes.plot([x, x], ends, color=_INK, zorder=1, gid=line.gid, **look)
            at, middle = label.middle / self.frame.axis.length, label.end + 0.6
            look = {"ha": "center", "va": "center", "color": _INK, "bbox": _BLANK}
            self._write(at, middle, label.text, zorder=3, **look)

    def _draw_undefined(self) -> None:
        """Say it of who has no value."""
        axis = self.frame.axis
        x = axis.low + 0.4 * self._em / axis.length * (axis.high - axis.low)
        for y in (y for mark, y in self._rows if mark.value is None):
            self.axes.text(x, y, "undefined", va="center", color=_FAINT, zorder=2, bbox=_BLANK)

    def _draw_intervals(self) -> None:
        """Lines from end to end; what lies beyond the axis is an arrow."""
        rows = [(m.low, m.high, y) for m, y in self._rows]
        known = [(a, b, y) for a, b, y in rows if a is not None and b is not None]
        inside = self.frame.axis.inside
        drawn = self.axes.hlines(
            [y for _, _, y in known], [inside(a) for a, _, _ in known],
            [inside(b) for _, b, _ in known], color=_BLUE, linewidth=0.16 * self._em, zorder=3,
        )  # fmt: skip
        drawn.set(gid=f"intervals-{self.index}", clip_on=False)
        for low, high, y in known:
            self._draw_arrow(low, y, "<")
            self._draw_arrow(high, y, ">")

    def _draw_arrow(self, x: float, y: float, sign: str) -> None:
        axis = self.frame.axis
        if not axis.holds(x):
            look: dict[str, Any] = {"color": _BLUE, "markersize": 0.55 * self._em, "zorder": 4}
            self.axes.plot([axis.inside(x)], [y], sign, clip_on=False, **look)

    def _draw_dots(self, known: bool) -> None:
        """Values with an interval, or hollow dots for those without."""
        rows = [(m.value, y) for m, y in self._rows if (m.low is not None) == known]
        dots = [(x, y) for x, y in rows if x is not None]
        self.axes.plot(
            [x for x, _ in dots], [y for _, y in dots], "o", color=_BLUE, clip_on=False, zorder=4,
            markersize=0.6 * self._em, markerfacecolor=_BLUE if known else "white",
            gid=f"{'values' if known else 'values-alone'}-{self.index}",
        )  # fmt: skip
