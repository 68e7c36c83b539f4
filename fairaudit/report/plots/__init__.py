"""Charts as figures for papers and slides: groups as dots, intervals as lines, by matplotlib.

`choice` says what is drawn, `layout` on which `axis` and where, `drawing` by which artists; `style`
is how letters look and what room they take.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fairaudit.audit import Audit, whole
from fairaudit.exceptions import FairauditError
from fairaudit.report.plots.choice import Plot, choose
from fairaudit.report.plots.drawing import drawing
from fairaudit.report.plots.style import Style
from fairaudit.report.sheets import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "Style", "draw", "figure"]

#: For each format its field for words, and the one for what differs from run to run.
_FIELDS = {
    "svg": ("Description", "Date"),
    "pdf": ("Subject", "CreationDate"),
    "png": ("Description", "Software"),
}
#: Suffixes of the files that can be written.
FORMATS = tuple(_FIELDS)


def draw(
    audit: Audit,
    path: Path,
    metric: str | None = None,
    by: str | None = None,
    at: Sequence[str] = (),
    style: Style | None = None,
) -> list[str]:
    """Draw a figure into a file, whole or not at all; the same audit gives the same bytes.

    Parameters
    ----------
    audit : Audit
    path : Path
        Its suffix says the format: svg, pdf or png.
    metric, by, at, style
        See `figure`.

    Returns
    -------
    list of str
        What was drawn, and what the reader must know of it.

    Raises
    ------
    FairauditError
        If there is nothing to draw, matplotlib is missing, or the file cannot be written.
    """
    format = path.suffix.lower().removeprefix(".")
    if format not in FORMATS:
        raise FairauditError(f"{path}: expected a name that ends in .svg, .pdf or .png.")
    style = style or Style()
    with style.settings():
        plot = choose(audit, metric, by, at)
        drawn = drawing(plot, style)
        with whole(path) as beside:
            drawn.savefig(beside, format=format, dpi=300, metadata=_metadata(plot, audit, format))
        return [f"{path}: {plot.said}.", *plot.notes(), *style.notes(plot.names)]


def figure(
    audit: Audit,
    metric: str | None = None,
    by: str | None = None,
    at: Sequence[str] = (),
    style: Style | None = None,
) -> Figure:
    """A metric over the groups of each attribute, one panel each, on one axis.

    Groups are in the order of the report. A dot is the value, a line its interval; one that would
    take most of the axis ends in an arrow. A vertical line is the value over all records, dashed
    ones are limits of the findings. On the right is each group's n.

    Parameters
    ----------
    audit : Audit
    metric : str, optional
        Name or label; by default the headline metric.
    by : str, optional
        The one attribute to show.
    at : sequence of str
        Where an audit has several settings, which one: ``threshold=0.5``. By default the first.
    style : Style, optional

    Raises
    ------
    FairauditError
        If there is nothing to draw, or matplotlib is missing.
    """
    style = style or Style()
    with style.settings():
        return drawing(choose(audit, metric, by, at), style)


def _metadata(plot: Plot, audit: Audit, format: str) -> dict[str, str | None]:
    """What the figure says in words, and what reproduces it; no date, for bytes to be the same."""
    said = " ".join(panel.chart.said for panel in plot.panels)
    words, differs = _FIELDS[format]
    return {"Title": plot.said, words: f"{said} {printable(audit.signature)}", differs: None}
