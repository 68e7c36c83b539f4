"""The axis that all panels share: from where to where, and its ticks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fairaudit.report.plots.choice import Plot
from fairaudit.report.sheets import Mark


@dataclass(frozen=True)
class Axis:
    """The axis of a metric.

    Attributes
    ----------
    low, high : float
        Ends, as values of the metric.
    length : float
        In pt.
    percent : bool
        Whether shares are written in percent.
    """

    low: float
    high: float
    length: float
    percent: bool

    @classmethod
    def of(cls, plot: Plot, length: float) -> Axis:
        """One that holds all values, all intervals but huge ones, and limits that lie near."""
        values = [mark.value for mark in plot.marks if mark.value is not None]
        values += [p.chart.overall for p in plot.panels if p.chart.overall is not None]
        limits = [limit.value for panel in plot.panels for limit in panel.chart.limits]
        low, high = _with_intervals(plot.marks, min(values), max(values))
        span = (high - low) or abs(high) or 1.0
        near = [limit for limit in limits if low - span <= limit <= high + span]
        percent = plot.metric.scale == "percent"
        return cls(*_rounded(min([low, *near]), max([high, *near]), percent), length, percent)

    def holds(self, value: float) -> bool:
        """Whether the value lies within the ends."""
        return self.low <= value <= self.high

    def inside(self, value: float) -> float:
        """The value, or the end that it lies beyond."""
        return min(max(value, self.low), self.high)

    def at(self, value: float) -> float:
        """Where the value lies, in pt from the left end."""
        return self.length * (self.inside(value) - self.low) / (self.high - self.low)

    def ticks(self, room: float) -> list[float]:
        """Round numbers within the ends, as many as have room, in pt."""
        from matplotlib.ticker import MaxNLocator

        most = max(3, min(9, int(self.length / room)))
        locator = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10], min_n_ticks=3)
        return [float(x) for x in locator.tick_values(self.low, self.high) if self.holds(x)]

    def written(self, value: float) -> str:
        """A number below the axis.

        >>> Axis(0, 1, 100, True).written(0.25), Axis(0, 2e4, 100, False).written(12000.0)
        ('25', '12,000')
        """
        return f"{100 * value if self.percent else value:,.6g}".replace("-", "\N{MINUS SIGN}")


def _with_intervals(marks: Sequence[Mark], low: float, high: float) -> tuple[float, float]:
    """Ends of the intervals, but of those that would take most of the axis only a part.

    That is, where the axis would be half as long again as with intervals cut off at the larger of
    the range of values and the middle interval's length beyond the last value.
    """
    known = [(m.low, m.high) for m in marks if m.low is not None and m.high is not None]
    if not known:
        return low, high
    lows, highs = min(low, *(e[0] for e in known)), max(high, *(e[1] for e in known))
    lengths = sorted(end - start for start, end in known)
    reach = max(high - low, lengths[len(lengths) // 2])
    cut = max(lows, low - reach), min(highs, high + reach)
    return (lows, highs) if highs - lows <= 1.5 * (cut[1] - cut[0]) else cut


def _rounded(low: float, high: float, percent: bool) -> tuple[float, float]:
    """Some space at both ends; from 0 where it is near, and not beyond bounds of shares.

    >>> _rounded(0.1, 0.5, True), _rounded(0.9, 1.0, True)
    ((0, 0.512), (0.897, 1.0))
    """
    span = (high - low) or abs(high) / 5 or 1.0
    start = 0 if 0 <= low < 0.35 * span else low - 0.03 * span
    end = high + 0.03 * span
    return round(start, 12), round(1.0 if percent and high <= 1 < end else end, 12)
