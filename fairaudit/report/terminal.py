"""An audit on a terminal, at whatever width it has."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fairaudit.audit import Audit
from fairaudit.report.sheets import Sheet, closing, printable, sheets


def show(audit: Audit, console: Console, further: bool) -> None:
    """Print an audit.

    Parameters
    ----------
    audit : Audit
        What to print.
    console : Console
        Where; its width decides how names are folded.
    further : bool
        Whether to show the metrics after the first.
    """
    with console.capture() as captured:
        for sheet in sheets(audit, further):
            console.print(Text(sheet.title, style="bold"))
            console.print(_table(sheet, console.width))
            for sentence in sheet.sentences:
                console.print(Text(sentence))
            console.print()
        for sentence in closing(audit):
            console.print(Text(sentence))
        # On one line whatever the width, so that it can be copied.
        console.print(Text(printable(audit.signature), style="dim"), soft_wrap=True)
    text = captured.get()
    if not console.is_terminal:
        text = "\n".join(line.rstrip() for line in text.split("\n"))
    console.file.write(text)


def _table(sheet: Sheet, width: int) -> Table:
    """A table of right-aligned figures; only names are folded, at hyphens if need be."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="italic")
    for i, (short, _) in enumerate(sheet.header):
        table.add_column(short, justify="right" if i else "left", no_wrap=True)
    figures = list(zip(*sheet.rows, strict=True))[1:]
    headings = [short for short, _ in sheet.header][1:]
    used = sum(
        1 + max(map(len, [heading, *cells]))
        for heading, cells in zip(headings, figures, strict=True)
    )
    for name, *cells in sheet.rows:
        # Text, not str: brackets in names and intervals are no markup.
        folded = "\n".join(_fold(name, max(width - used, 8)))
        table.add_row(Text(folded), *(Text(cell) for cell in cells))
    return table


def _fold(name: str, width: int) -> Iterator[str]:
    yield from textwrap.wrap(name, width, subsequent_indent=" ") or [name]
