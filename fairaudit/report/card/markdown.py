"""A card as Markdown, as GitHub and the Hugging Face Hub show it."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from fairaudit.report import markup
from fairaudit.report.card.hub import front_matter
from fairaudit.report.card.model import (
    Block,
    Bullets,
    Card,
    Code,
    Facts,
    Folded,
    Prose,
    Section,
    Stated,
    sections,
)
from fairaudit.report.explanations import Alignment, Heat
from fairaudit.report.markup import escaped, strong
from fairaudit.report.sheets import Sheet

#: Sections as deep as this are listed in front.
_LISTED = 1
#: Categories of Unicode that anchors keep: Ruby's ``\p{Word}``, by which GitHub makes them.
_WORD = re.compile("[LM]|N[dl]|Pc")
_NOT_STATED = "**Not stated.**"
#: An address that the owner gave; what ends a sentence is no part of it.
_LINK = re.compile(r"(https://[^\s<>\"']*[^\s<>\"'.,;:!?)])")
#: Addresses that are links as they are: none of it is markup, an escape or a character reference.
_SAFE = re.compile(r"https://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?([/?#][A-Za-z0-9._~/?=&%+:,#-]*)?")


def page(card: Card, seal: str) -> str:
    """Write a card as GitHub's Markdown.

    Charts are not drawn, because GitHub shows no drawing within a text: the tables have their
    numbers.

    Parameters
    ----------
    card : Card
    seal : str
        Stands in a comment on the last line; it has no ``<``, ``>``, ``&`` or ``-``.
    """
    head = [f"# {escaped(card.title)}", f"*{escaped(card.kind)}*", *map(strong, card.lead)]
    body = [text for section in card.sections for text in _block(section, 0)]
    seals = f"<!-- fairaudit-card: {seal} -->"
    blocks = [*head, _contents(card), *body, seals]
    front = f"{front_matter(card.metadata)}\n" if card.metadata else ""
    return front + "\n\n".join(_apart(filter(None, blocks))) + "\n"


def _apart(blocks: Iterable[str]) -> Iterator[str]:
    """The blocks; a comment between two lists, which would be read as one."""
    before = ""
    for block in blocks:
        if before.startswith("- ") and block.startswith("- "):
            yield "<!-- -->"
        yield block
        before = block


def _block(block: Block, depth: int) -> Iterator[str]:
    """Markdown's blocks of one of ours, in a section that lies so deep."""
    if isinstance(block, Section):
        yield f"{'#' * min(depth + 2, 6)} {escaped(block.title)}"
        for inner in block.blocks:
            yield from _block(inner, depth + 1)
    elif isinstance(block, Sheet | Alignment | Heat):
        yield from markup.content(block)
    elif isinstance(block, Folded):
        yield from _folded(block, depth)
    elif isinstance(block, Code):
        yield from (f"{markup.prose(block.label)}:", markup.fence(block.text))
    else:
        yield _text(block)


def _text(block: Prose | Bullets | Facts | Stated) -> str:
    if isinstance(block, Prose):
        return strong(block.text) if block.strong else markup.prose(block.text)
    if isinstance(block, Bullets):
        return markup.bullets(block.items)
    if isinstance(block, Facts):
        return "\n".join(_fact(term, stated) for term, stated in block.rows)
    return _stated(block)


def _fact(term: str, stated: str | Sequence[str] | None) -> str:
    """An item of a list; several texts are a list below it."""
    if stated is None or isinstance(stated, str):
        return f"- {strong(term + ':')} {_NOT_STATED if stated is None else linked(stated)}"
    return f"- {strong(term + ':')}\n{_list(stated, '  ')}"


def _stated(block: Stated) -> str:
    if not block.texts:
        return f"{_NOT_STATED} {escaped(block.asked)} ({markup.code(block.key)})"
    return _paragraph(block.texts[0]) if len(block.texts) == 1 else _list(block.texts)


def _list(texts: Sequence[str], indent: str = "") -> str:
    return "\n".join(f"{indent}- {_paragraph(text)}" for text in texts)


def _paragraph(text: str) -> str:
    """A paragraph or an item of a list, with links."""
    first, *others = _LINK.split(text.strip())
    return _spaced(first, markup.prose) + "".join(_parts(others, links=0))


def linked(text: str) -> str:
    """What the owner states, with links where it says ``https://`` and nothing odd.

    >>> linked("a <b> at https://example.org/?a&b=1.")
    'a &#60;b&#62; at <https://example.org/?a&b=1>.'
    >>> linked("https://example.org/*a*")
    'https&#58;//example.org/&#42;a&#42;'
    """
    return "".join(_parts(_LINK.split(text.strip()), links=1))


def _parts(parts: Sequence[str], links: int) -> Iterator[str]:
    """Text and addresses in turns; ``links`` is where the first address stands."""
    for n, part in enumerate(parts):
        safe = n % 2 == links and _SAFE.fullmatch(part)
        yield f"<{part}>" if safe else _spaced(part, escaped)


def _spaced(part: str, write: Callable[[str], str]) -> str:
    r"""A part of a text with a space where there are some, as they are left out at the ends.

    >>> _spaced(" a* ", escaped), _spaced("\n", escaped)
    (' a&#42; ', ' ')
    """
    before, after = " " * part[:1].isspace(), " " * part[-1:].isspace()
    return f"{before}{write(part)}{after}" if part.strip() else before


def _folded(block: Folded, depth: int) -> Iterator[str]:
    """A summary and what it hides; only behind an empty line is that read as Markdown."""
    yield f"<details>\n<summary>{escaped(block.title)}</summary>"
    for inner in block.blocks:
        yield from _block(inner, depth)
    yield "</details>"


def _contents(card: Card) -> str:
    """A list of links to the headings."""
    anchors = _anchors(card)
    return "\n".join(
        f"{'  ' * depth}- [{_linked(section.title)}](#{anchors[section.id]})"
        for depth, section in sections(card.sections)
        if depth <= _LISTED
    )


def _linked(title: str) -> str:
    """The text of a link, which a bracket of its own must not end or begin anew."""
    return escaped(title).replace("[", "&#91;").replace("]", "&#93;")


def _anchors(card: Card) -> Mapping[str, str]:
    """What hosts call the heading of each section, by the section's id.

    A heading that was there before gets a number, as GitHub has it; no two are the same.
    """
    taken = {slug(card.title): 0}
    anchors = {}
    for section in _headings(card.sections):
        own = anchor = slug(section.title)
        while anchor in taken:
            taken[own] += 1
            anchor = f"{own}-{taken[own]}"
        taken[anchor] = 0
        anchors[section.id] = anchor
    return anchors


def _headings(blocks: Sequence[Block]) -> Iterator[Section]:
    """All sections in the order of the page, those that are folded away among them."""
    for block in blocks:
        if isinstance(block, Section):
            yield block
        if isinstance(block, (Section, Folded)):
            yield from _headings(block.blocks)


def slug(title: str) -> str:
    """Name the anchor of a heading, as GitHub and the Hub do.

    Letters, marks, digits, hyphens and underscores stay, in lower case; a space is a hyphen.

    >>> slug("WER, by accent: [0, 1]"), slug("Größe_1 - B&C")
    ('wer-by-accent-0-1', 'größe_1---bc')
    """
    shown = html.unescape(escaped(title)).lower().replace(" ", "-")
    return "".join(c for c in shown if c == "-" or _WORD.match(unicodedata.category(c)))
