"""An audit on a terminal, at whatever width it has."""

from __future__ import annotations

import re
import textwrap

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fairaudit.audit import Audit
from fairaudit.report.contents import contents
from fairaudit.report.explanations import Alignment, Heat
from fairaudit.report.sheets import Sheet, closing, printable

#: The least room for names.
_NARROWEST = 12


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
        for each in contents(audit, further):
            console.print(Text(each.title, style="bold"))
            if isinstance(each, Alignment):
                _show_alignment(each, console)
            elif isinstance(each, Heat):
                _show_heat(each, console)
            else:
                _show_sheet(each, console)
            console.print()
        for sentence in closing(audit):
            console.print(Text(sentence))
        # On one line whatever the width, so that it can be copied.
        console.print(Text(printable(audit.signature), style="dim"), soft_wrap=True)
    text = captured.get()
    if not console.is_terminal:
        text = "\n".join(line.rstrip() for line in text.split("\n"))
    console.file.write(text)


def _show_sheet(sheet: Sheet, console: Console) -> None:
    width = console.width
    # Wider than a narrow terminal: a line that wraps is better than a figure cut off.
    console.width = max(width, _figures_width(sheet) + _NARROWEST)
    console.print(_table(sheet, console.width))
    console.width = width
    for sentence in sheet.sentences:
        console.print(Text(sentence))


#: Colours of errors; without colour the stars and the two lines say the same.
_STYLES = {"hit": "", "substitution": "yellow", "deletion": "red", "insertion": "cyan"}


def _show_alignment(alignment: Alignment, console: Console) -> None:
    """Print what was said above what was heard, word below word, folded together."""
    said, heard = Text("  said  "), Text("  heard ")
    for kind, *words in alignment.steps:
        # Stars for no word, and capitals for a wrong one, as sclite prints them.
        width = max(map(cell_len, words))
        shown = [word or "*" * width for word in words]
        if kind != "hit" and shown[0].upper() != shown[1].upper():
            shown = [word.upper() for word in shown]
        if len(said) + max(map(len, shown)) + 1 > console.width:
            _print_pair(said, heard, console)
            said, heard = Text("        "), Text("        ")
        for line, word in zip((said, heard), shown, strict=True):
            line.append(set_cell_size(word, max(width, *map(cell_len, shown))), _STYLES[kind])
            line.append(" ")
    _print_pair(said, heard, console)


def _print_pair(said: Text, heard: Text, console: Console) -> None:
    for line in (said, heard):
        line.rstrip()
        console.print(line, no_wrap=True, overflow="ignore", crop=False)


#: Steps of shading, which must be told apart on light and dark grounds.
_SHADES = ("", "yellow", "bold yellow", "bold black on yellow")
_INDENT = "  "


def _show_heat(heat: Heat, console: Console) -> None:
    """Print the tokens of a text in line, folded between them; the strongest with their part."""
    shaded = console.color_system is not None and not console.no_color
    line = Text(_INDENT)
    for token, step, said in heat.shades:
        word = f"{token} {said}" if said else token
        if said and not shaded:
            word = f"[{word}]"
        if len(line) > len(_INDENT) and cell_len(line.plain + word) > console.width:
            _print_words(line, console)
            line = Text(_INDENT)
        line.append(word, _SHADES[step] if shaded else "").append(" ")
    _print_words(line, console)
    if heat.keyed and heat.tokens:
        console.print(Text(heat.SHADED if shaded else f"In brackets, {heat.SET_OFF}"))


def _print_words(line: Text, console: Console) -> None:
    """Print a line; only a token that is longer than it is cut."""
    line.rstrip()
    console.print(line, overflow="fold")


def _figures_width(sheet: Sheet) -> int:
    """Columns of the terminal that all columns but the names take."""
    cells = zip(*([short for short, _ in sheet.header], *sheet.rows), strict=True)
    return sum(1 + max(map(len, column)) for column in list(cells)[1:])


def _table(sheet: Sheet, width: int) -> Table:
    """A table of right-aligned figures; only names are folded, at hyphens if need be."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="italic")
    for i, (short, _) in enumerate(sheet.header):
        table.add_column(short, justify="right" if i else "left", no_wrap=True)
    room = width - _figures_width(sheet)
    for name, *cells in sheet.rows:
        # Text, not str: brackets in names and intervals are no markup.
        table.add_row(Text("\n".join(_folded(name, room))), *(Text(cell) for cell in cells))
    return table


def _folded(name: str, width: int) -> list[str]:
    """Lines of a name: cut after a colon, hyphen or space where there is one in time.

    >>> _folded("spanish-influenced:female", 13)
    ['spanish-', ' influenced:', ' female']
    """
    lines = [""]
    for part in re.findall(r"[^:\-\s]*[:\-\s]|[^:\-\s]+", name):
        for piece in textwrap.wrap(part, width - 1, drop_whitespace=False):
            if len(lines[-1]) + len(piece) > width:
                lines.append(" ")
            lines[-1] += piece
    return lines
