"""A card as one HTML page that loads nothing, runs without scripts, and trusts no text."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from fairaudit.report.card.drawing import svg
from fairaudit.report.card.model import Block, Card, Section, sections
from fairaudit.report.sheets import Sheet

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_TEMPLATES = Path(__file__).parent / "templates"
#: A link that the owner gave; what ends a sentence is no part of it.
_LINK = re.compile(r"(https://[^\s<>\"']*[^\s<>\"'.,;:!?)])")
_NUMBER = re.compile(r"[\[(<>+-]*[\d.]")
#: Columns whose alignment `card.css` can set, and letters of a cell that needs a wide column.
_COLUMNS, _WIDE = 16, 28


def page(card: Card, seal: str) -> str:
    """Write a card as HTML.

    Parameters
    ----------
    card : Card
    seal : str
        JSON that the page carries verbatim; it has no ``<``, ``>``, ``&`` or ``-``.

    Returns
    -------
    str
        A whole document; the same for the same card.
    """
    from markupsafe import Markup

    environment = _environment()
    texts = {"css": _text("card.css"), "js": _text("card.js")}
    return environment.get_template("page.html").render(
        card=card,
        seal=Markup(seal),  # noqa: S704 (checked by who made it)
        outline=outline(card),
        policy=policy(**texts),
        **{name: Markup(text) for name, text in texts.items()},  # noqa: S704 (our own files)
    )


def policy(css: str, js: str) -> str:
    """A content security policy that allows this style and this script, and nothing else."""
    parts = {
        "default-src": "'none'",
        "style-src": f"'{_digest(css)}'",
        "script-src": f"'{_digest(js)}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in parts.items())


def outline(card: Card) -> list[tuple[Section, list[Section]]]:
    """The outermost sections, each with those directly below it."""
    return [
        (section, [each for depth, each in sections(section.blocks) if depth == 0])
        for section in card.sections
    ]


def columns(sheet: Sheet) -> str:
    """Classes of a table's columns: ``l3`` is text, ``w3`` long text; numbers need none.

    Examples
    --------
    >>> header = [("", "group"), ("WER", "WER"), ("", "outcome")]
    >>> columns(Sheet("", header, [("us", "8.1*", "pass"), ("uk", "-", "fail")], []))
    'l3'
    """
    return " ".join(_columns(sheet))


def _columns(sheet: Sheet) -> Iterator[str]:
    for n, cells in enumerate(zip(*sheet.rows, strict=True), 1):
        texts = [cell.strip() for cell in cells if cell.strip() not in ("", "-")]
        if 1 < n <= _COLUMNS and not all(map(_NUMBER.match, texts)):
            yield f"l{n}"
            if max(map(len, texts)) > _WIDE:
                yield f"w{n}"


def linked(text: str) -> Markup:
    """What the owner states, with links where it says ``https://``.

    >>> print(linked("<b> at https://example.org/?a&b."))
    &lt;b&gt; at <a href="https://example.org/?a&amp;b">https://example.org/?a&amp;b</a>.
    """
    from markupsafe import Markup

    link = Markup('<a href="{0}">{0}</a>')
    parts = enumerate(_LINK.split(text))
    return Markup("").join(link.format(part) if n % 2 else part for n, part in parts)


def cell(text: str) -> Markup:
    """A cell; the star of a small p-value hangs at its side, so that figures stay aligned.

    >>> print(cell("+1.2*"), cell("+0.3 "))
    +1.2<i>*</i> +0.3
    """
    from markupsafe import Markup, escape

    star = Markup("<i>*</i>") if text.endswith("*") and _NUMBER.match(text) else ""
    return escape(text[:-1].rstrip() if star else text.rstrip()) + star


def name(text: str) -> Markup:
    """A name, which may go on in a new line after a colon, as crossings are long.

    >>> print(name("us:<b>"))
    us:<wbr>&lt;b&gt;
    """
    from markupsafe import Markup

    return Markup(":<wbr>").join(text.split(":"))


def kind(block: Block) -> str:
    """Name of the macro that writes a block."""
    return type(block).__name__.lower()


def texts(value: str | Sequence[str]) -> list[str]:
    """One text or several, as a list."""
    return [value] if isinstance(value, str) else list(value)


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Anchors of sections have no capital letters: ours cannot be the same.
    numbers = count(1)
    environment.filters.update(
        kind=kind, columns=columns, linked=linked, cell=cell, name=name, texts=texts
    )
    environment.globals.update(
        next_id=lambda: f"T{next(numbers)}",
        svg=lambda *what: Markup(svg(*what)),  # noqa: S704 (escaped there)
    )
    return environment


def _text(name: str) -> str:
    return (_TEMPLATES / name).read_text("utf-8")


def _digest(text: str) -> str:
    """Hash of a text as the policy writes it; see W3C, Content Security Policy 3, 2.3.1."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
