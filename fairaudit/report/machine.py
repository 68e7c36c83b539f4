"""An audit as CSV, Markdown or JSON."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterator

from fairaudit.audit import Audit
from fairaudit.report.contents import contents
from fairaudit.report.sheets import Sheet, closing

#: Spreadsheets run cells that begin so; an apostrophe in front makes them text.
_FORMULA = re.compile(r"[=+\-@\t\r]")


def to_csv(audit: Audit) -> str:
    """One line per attribute, group and metric, with the difference to the reference."""
    text = io.StringIO()
    rows = audit.rows()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return text.getvalue()


def _cell(value: object) -> object:
    """A cell that no spreadsheet takes for a formula."""
    if isinstance(value, str) and _FORMULA.match(value):
        return f"'{value}"
    return f"{value:.12g}" if isinstance(value, float) else value


def to_markdown(audit: Audit, further: bool = False) -> str:
    """Tables and sentences for a page or a pull request."""
    parts = [part for sheet in contents(audit, further) for part in _markdown(sheet)]
    parts += map(_escaped, [*closing(audit), audit.signature])
    return "\n\n".join(parts) + "\n"


def _markdown(sheet: Sheet) -> Iterator[str]:
    yield f"**{_escaped(sheet.title)}**"
    header = [_escaped(long) for _, long in sheet.header]
    rule = [":--", *("--:" for _ in header[1:])]
    rows = [header, rule, *([_escaped(cell) for cell in row] for row in sheet.rows)]
    yield "\n".join(f"| {' | '.join(row)} |" for row in rows)
    yield from map(_escaped, sheet.sentences)


def _escaped(text: str) -> str:
    r"""Text as Markdown shows it literally, whatever is in it.

    >>> _escaped("<b>|*us*")
    '&lt;b&gt;\\|\\*us\\*'
    """
    return re.sub(r"([\\`*_\[\]|~#])", r"\\\1", html.escape(text, quote=False))
