"""How letters look, and what of a text has room."""

from __future__ import annotations

import warnings
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fairaudit.exceptions import FairauditError

#: It comes with matplotlib, so that a figure looks the same everywhere.
_FONT = "DejaVu Sans"
#: Widths in mm and sizes of letters in pt that make sense on paper and on screens.
_WIDTHS, _SIZES = (40.0, 1000.0), (4.0, 72.0)
#: Signs without a glyph that a note names.
_NAMED = 20


@dataclass(frozen=True)
class Style:
    """How a figure looks.

    Attributes
    ----------
    width : float
        Of the figure, in mm.
    size : float
        Of letters, in pt.
    font : str
        An installed font; signs that it lacks are taken from DejaVu Sans.

    Raises
    ------
    FairauditError
        If a size makes no sense.
    """

    width: float = 160.0
    size: float = 8.0
    font: str = _FONT

    def __post_init__(self) -> None:
        sizes = (("--width", "mm", self.width, _WIDTHS), ("--font-size", "pt", self.size, _SIZES))
        for name, unit, value, (low, high) in sizes:
            if not low <= value <= high:
                raise FairauditError(f"{name} {value:g}: expected {low:g} to {high:g} {unit}.")

    @property
    def families(self) -> list[str]:
        """Fonts in the order in which they are asked for a sign."""
        return list(dict.fromkeys([self.font, _FONT]))

    @contextmanager
    def settings(self) -> Iterator[None]:
        """Matplotlib's own settings, whatever the user's are, but for a few.

        Raises
        ------
        FairauditError
            If matplotlib is missing, or the font.
        """
        try:
            import matplotlib as mpl
        except ImportError:
            raise FairauditError(
                "plot needs matplotlib. Install it with: pip install 'fairaudit[plots]'"
            ) from None
        own: dict[Any, Any] = dict(mpl.rcParamsDefault)
        settings = {k: v for k, v in own.items() if not k.startswith("backend")} | self._changed()
        with mpl.rc_context(settings), warnings.catch_warnings():
            # Named in a note instead.
            warnings.filterwarnings("ignore", "Glyph .* missing from")
            self._require_font()
            yield

    def _changed(self) -> dict[str, Any]:
        return {
            "font.family": self.families,
            "font.size": self.size,
            # Names come from the data: a dollar sign is no formula.
            "text.parse_math": False,
            # Letters as outlines need no font where the figure is shown.
            "svg.fonttype": "path",
            "svg.hashsalt": "fairaudit",
            # Publishers refuse Type 3, and text stays text.
            "pdf.fonttype": 42,
        }

    def _require_font(self) -> None:
        from matplotlib.font_manager import findfont

        try:
            findfont(self.font, fallback_to_default=False)
        except ValueError:
            raise FairauditError(
                f"--font {self.font}: no such font is installed. Leave it out for {_FONT}."
            ) from None

    def notes(self, names: Iterable[str]) -> Iterator[str]:
        """Which signs of names no font has."""
        from matplotlib.font_manager import findfont, get_font

        fonts = [get_font(findfont(family)) for family in self.families]
        signs = sorted({sign for name in names for sign in name})
        lacking = [s for s in signs if not any(font.get_char_index(ord(s)) for font in fonts)]
        if lacking:
            said = "".join(lacking[:_NAMED]) + ("..." if len(lacking) > _NAMED else "")
            yield f"note: {self.font} has no sign for {said}. Name a font that has: --font NAME."

    def length(self, text: str, bold: bool = False) -> float:
        """Width of a text in pt."""
        from matplotlib.font_manager import FontProperties
        from matplotlib.textpath import text_to_path

        weight = "bold" if bold else "normal"
        font = FontProperties(family=self.families, size=self.size, weight=weight)
        return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0])

    def short(self, text: str, room: float, bold: bool = False) -> str:
        """The text, its middle left out where it is longer than the room, in pt.

        Its end stays: long names often differ there.
        """
        if self._fits(text, room, bold):
            return text
        keep = _most(len(text), lambda keep: self._fits(_cut(text, keep), room, bold))
        return _cut(text, keep)

    def folded(self, text: str, room: float, lines: int) -> str:
        """The text in at most so many lines, each in the room."""
        if lines == 1 or self._fits(text, room):
            return self.short(text, room)
        head = self._head(text, room)
        return f"{head.rstrip()}\n{self.folded(text[len(head) :].lstrip(), room, lines - 1)}"

    def _head(self, text: str, room: float) -> str:
        """What of a text stands in its first line: up to a space or a colon, if there is one."""
        end = _most(len(text), lambda end: self._fits(text[:end], room))
        breaks = [i + 1 for i, sign in enumerate(text[:end]) if sign in " :-/_"]
        return text[: breaks[-1] if breaks else end]

    def _fits(self, text: str, room: float, bold: bool = False) -> bool:
        """Whether there is room; what is far too long is not even measured."""
        return len(text) * self.size < 8 * room and self.length(text, bold) <= room


def _most(highest: int, fits: Callable[[int], bool]) -> int:
    """The largest number that fits, at least 1, by halving: names may have thousands of signs.

    >>> _most(100, lambda n: n <= 17)
    17
    """
    return max(1, bisect_left(range(1, highest + 1), True, key=lambda n: not fits(n)))


def _cut(text: str, keep: int) -> str:
    """So many signs of a text, twice as many of its beginning as of its end.

    >>> _cut("abcdefghi", 3)
    'ab…i'
    """
    tail = keep // 3
    return f"{text[: keep - tail]}…{text[len(text) - tail :]}"
