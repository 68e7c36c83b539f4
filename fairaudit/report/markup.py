"""Markdown for hosts of code: text that is never markup, tables, and what sheets look like."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from fairaudit.report.explanations import Alignment, Heat
from fairaudit.report.sheets import Sheet, printable

#: What Markdown, GitHub and GitLab read as markup: also references, formulas and addresses.
#: A colon that begins no address and no ``:emoji:``, a ``#`` before a space, an underscore within
#: a word and a backslash before a letter are none. A ``[`` does nothing without its ``]``, so only
#: that is escaped; the ``]`` of two numbers stays, because ``[1.0, 2.0]`` is a link only before
#: ``(``, ``[`` or ``:``.
_MARKUP = re.compile(
    r"(?P<numbers>\[[-+.,%\deinf]+, [-+.,%\deinf]+\](?![(\[:]))"
    r"|[`*{}\]<>|~@$&!^\n\r]|\\(?![0-9A-Za-z])|#(?!\s)|:(?=//|[\w+-]+:)|\b_|_\b|(?<=_)_|(?<=www)\.",
    re.IGNORECASE,
)
#: What cannot be shown, or shows the text behind it in another order.
_UNSHOWN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
#: What begins a list, a heading or a line across at the start of a paragraph.
_BLOCK = re.compile(r"^(\d*)([-+](?=\s|$|-+$)|#(?=\s)|[.)](?=\s|$))")
_ALIGNMENTS = {"l": ":--", "r": "--:"}


def escaped(text: str) -> str:
    """Text as character references: they are never markup, not even in a table.

    An empty character behind each ``@`` keeps hosts from calling people. Spaces at the ends,
    which no page shows, are left out.

    >>> escaped("a|b <i> wer_macro _x_ http://y: no [1.0, 2.0] [x](y) (all)")
    'a&#124;b &#60;i&#62; wer_macro &#95;x&#95; http&#58;//y: no [1.0, 2.0] [x&#93;(y) (all)'
    >>> escaped("ask @ann")
    'ask &#64;&#8203;ann'
    """
    return _references(text).replace("&#64;", "&#64;&#8203;")


def code(name: str) -> str:
    """A name from the data, set as code, in which hosts look for no mentions and no links."""
    return f"<code>{_references(name)}</code>"


def prose(text: str) -> str:
    """A paragraph or an item of a list, which begins nothing else.

    >>> prose("1. no list"), prose("- nor this"), prose("-1.5 is no list")
    ('1&#46; no list', '&#45; nor this', '-1.5 is no list')
    """
    return _unbegun(escaped(text))


def _unbegun(escaped: str) -> str:
    """A paragraph, escaped already, that does not look like the beginning of a list."""
    return _BLOCK.sub(lambda found: f"{found[1]}&#{ord(found[2])};", escaped)


def strong(text: str) -> str:
    """Text in bold; where there is none, nothing: four stars are a line across the page."""
    return f"**{shown}**" if (shown := escaped(text)) else ""


def _references(text: str) -> str:
    shown = _UNSHOWN.sub(lambda found: printable(found[0]), text.strip())
    return _MARKUP.sub(lambda found: found["numbers"] or f"&#{ord(found[0])};", shown)


def fence(text: str) -> str:
    """Lines as they are, between fences that do not occur in them.

    >>> fence("a```b").splitlines()
    ['````', 'a```b', '````']
    """
    shown = _UNSHOWN.sub(lambda found: printable(found[0]), text)
    longest = max(map(len, re.findall("`+", shown)), default=0)
    marks = "`" * max(3, longest + 1)
    return f"{marks}\n{shown}\n{marks}"


def line(cells: Iterable[str]) -> str:
    """A line of a table; the cells are escaped already."""
    return f"| {' | '.join(cells)} |"


def table(header: Iterable[str], alignments: str, lines: Iterable[str]) -> str:
    """A table of lines that `line` wrote.

    >>> print(table(["group", "n"], "lr", [line(["us", "12"])]))
    | group | n |
    | :-- | --: |
    | us | 12 |
    """
    return "\n".join([line(header), line(_ALIGNMENTS[side] for side in alignments), *lines])


def content(block: Sheet | Alignment | Heat) -> Iterator[str]:
    """What a report holds, as Markdown's blocks."""
    if isinstance(block, Alignment):
        return alignment(block)
    return heat(block) if isinstance(block, Heat) else sheet(block)


def sheet(content: Sheet) -> Iterator[str]:
    """A title, a table with the long headings, and the sentences: each is a block."""
    yield strong(content.title)
    header = [escaped(long) for _, long in content.header]
    lines = [line(map(escaped, row)) for row in content.rows]
    yield table(header, "l" + "r" * (len(header) - 1), lines)
    yield from map(prose, content.sentences)


def alignment(content: Alignment) -> Iterator[str]:
    """An alignment as a table of two rows, wrong words in bold."""
    yield strong(content.title)
    said = [_word(kind, word) for kind, word, _ in content.steps]
    heard = [_word(kind, word) for kind, _, word in content.steps]
    lines = [line(["said", *said]), line(["heard", *heard])]
    yield table([""] * (len(said) + 1), "l" * (len(said) + 1), lines)


def _word(kind: str, word: str) -> str:
    return escaped(word) if kind == "hit" else strong(word)


def heat(content: Heat) -> Iterator[str]:
    """The tokens of a text in line; the strongest in bold, with their part."""
    yield strong(content.title)
    words = " ".join(filter(None, (_token(text, said) for text, _, said in content.shades)))
    yield _unbegun(words)
    if content.keyed and words:
        yield prose(f"In bold, {content.SET_OFF}")


def _token(text: str, said: str) -> str:
    return f"{strong(text)} ({said})".strip() if said else escaped(text)


def bullets(items: Sequence[str], indent: str = "") -> str:
    """A list of plain texts."""
    return "\n".join(f"{indent}- {prose(item)}" for item in items)
