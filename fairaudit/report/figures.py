"""Figures as text: shares in percent, other numbers with three significant digits."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

#: Sizes that are written without an exponent.
_PLAIN = (1e-5, 1e9)


def percent(value: float | None, sign: str = "") -> str:
    """A share in percent, a dash where undefined.

    >>> percent(0.1234), percent(0.1, "+"), percent(None)
    ('12.3', '+10.0', '-')
    """
    return "-" if value is None else f"{100 * value:{sign}.1f}"


def interval(low: float | None, high: float | None) -> str:
    """An interval in percent, a dash where there is none.

    >>> interval(0.1, 0.25)
    '[10.0, 25.0]'
    """
    return PERCENT.interval(low, high)


def p_text(p: float | None) -> str:
    """A p-value as text.

    >>> p_text(0.0004), p_text(0.0321), p_text(None)
    ('p<0.001', 'p=0.032', 'p undefined')
    """
    if p is None:
        return "p undefined"
    return "p<0.001" if p < 0.001 else f"p={p:.3f}"


def p_cell(p: float | None) -> str:
    """A p-value in a column that says what it is.

    >>> p_cell(0.0004), p_cell(0.0321), p_cell(None)
    ('<0.001', '0.032', '-')
    """
    return "-" if p is None else p_text(p).removeprefix("p").removeprefix("=")


def count(value: float) -> str:
    """A count; of weighted records it may have a fraction.

    >>> count(5087.0), count(12.25)
    ('5087', '12.2')
    """
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.1f}"


@dataclass(frozen=True)
class Figures:
    """How all values of a metric are written in a table, so that they stand below each other.

    Attributes
    ----------
    format : str
        Format of a number; empty for shares, which are written in percent.
    """

    format: str

    @classmethod
    def of(cls, scale: str, values: Iterable[float | None]) -> Figures:
        """Percent, or as many digits as give the value in the middle three.

        Examples
        --------
        >>> [Figures.of("number", [x]).value(x) for x in (0.0123, 12.3, 123456.0, 1.2e-7)]
        ['0.0123', '12.3', '123,456', '1.20e-07']
        >>> Figures.of("percent", [0.0123]).value(0.0123)
        '1.2'
        """
        if scale == "percent":
            return PERCENT
        sizes = sorted(abs(value) for value in values if value)
        middle = sizes[len(sizes) // 2] if sizes else 1.0
        if not _PLAIN[0] <= middle < _PLAIN[1]:
            return cls(".2e")
        return cls(f",.{max(0, 2 - math.floor(math.log10(middle)))}f")

    def value(self, value: float | None, sign: str = "") -> str:
        """A value, a dash where undefined."""
        if value is None:
            return "-"
        return f"{value:{sign}{self.format}}" if self.format else percent(value, sign)

    def interval(self, low: float | None, high: float | None) -> str:
        """An interval, a dash where there is none."""
        return "-" if low is None or high is None else f"[{self.value(low)}, {self.value(high)}]"

    @property
    def said(self) -> str:
        """What a title says of it."""
        return "" if self.format else ", in percent"

    @property
    def points(self) -> str:
        """What a difference is in."""
        return "" if self.format else " points"


PERCENT = Figures("")
RATIO = Figures(".3f")
