"""What a card says, block by block; how it looks is decided by the writers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fairaudit.audit import Audit
from fairaudit.report.explanations import Alignment, Heat
from fairaudit.report.sheets import Sheet

Template = Literal["service-card", "model-card", "report"]
Annex = Literal["ll144", "eu-ai-act", "nist-rmf"]


@dataclass(frozen=True)
class AuditFile:
    """An audit, the name of its file without folders, and the SHA-256 of the file's bytes.

    Attributes
    ----------
    name, sha256 : str
    audit : Audit
    partly : bool
        Whether groups were left out of the audit, as they may not be shown.
    """

    name: str
    sha256: str
    audit: Audit
    partly: bool = False

    @classmethod
    def load(cls, path: Path) -> AuditFile:
        """Read an audit file.

        Raises
        ------
        FairauditError
            If it cannot be read or is none.
        """
        audit = Audit.load(path)
        return cls(path.name, hashlib.sha256(path.read_bytes()).hexdigest(), audit)

    @classmethod
    def of(cls, audit: Audit) -> AuditFile:
        """An audit that was not saved, under the name that its file would have."""
        content = audit.to_json().encode("utf-8")
        return cls(f"{audit.kind}.json", hashlib.sha256(content).hexdigest(), audit)


@dataclass(frozen=True)
class Wanted:
    """What sort of card is wanted.

    Attributes
    ----------
    template : {"service-card", "model-card", "report"}
    annexes : tuple of str
        ``ll144``, ``eu-ai-act``, ``nist-rmf``.
    suppress : int
        Groups with fewer records are left out, for the public; 0 leaves out none.
    texts : bool
        Whether words of the data and names of what was sampled may stand in the card.
    """

    template: Template = "service-card"
    annexes: tuple[Annex, ...] = ()
    suppress: int = 0
    texts: bool = False


@dataclass(frozen=True)
class Prose:
    """A paragraph of plain text; ``strong`` where it is what the reader came for."""

    text: str
    strong: bool = False


@dataclass(frozen=True)
class Bullets:
    """A list of plain texts."""

    items: Sequence[str]


@dataclass(frozen=True)
class Facts:
    """Terms and what is stated of each; None where nobody stated it.

    Attributes
    ----------
    rows : sequence of (str, text, texts or None)
    """

    rows: Sequence[tuple[str, str | Sequence[str] | None]]


@dataclass(frozen=True)
class Stated:
    """What the owner states, one paragraph or bullet a text; none where it is not stated.

    Attributes
    ----------
    texts : sequence of str
    asked : str
        What was asked for; shown where there is no answer.
    key : str
        Where the answer belongs: ``use.intended``.
    """

    texts: Sequence[str]
    asked: str
    key: str


@dataclass(frozen=True)
class Code:
    """A line to copy, and what it is."""

    label: str
    text: str


@dataclass(frozen=True)
class Folded:
    """Blocks that are shown on request; on paper they are shown."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Section:
    """A heading with blocks below it, sections among them.

    Attributes
    ----------
    title : str
    blocks : sequence of Block
    id : str
        Anchor: lower-case letters, digits and hyphens; different from all others of the card.
    """

    title: str
    blocks: Sequence[Block]
    id: str


Block = Prose | Bullets | Facts | Stated | Code | Folded | Section | Sheet | Alignment | Heat


@dataclass(frozen=True)
class Card:
    """A report on one or more audits.

    Attributes
    ----------
    title : str
        Name of what was audited.
    kind : str
        What sort of report it is: ``Service card``.
    lead : sequence of str
        The sentences that lead.
    sections : sequence of Section
    metadata : mapping
        The front matter of a model card; empty for other reports.
    """

    title: str
    kind: str
    lead: Sequence[str]
    sections: Sequence[Section]
    metadata: Mapping[str, Any] = field(default_factory=dict)


def sections(blocks: Sequence[Block], depth: int = 0) -> Iterator[tuple[int, Section]]:
    """All sections with how deep they lie, in reading order; 0 is the outermost."""
    for block in blocks:
        if isinstance(block, Section):
            yield depth, block
            yield from sections(block.blocks, depth + 1)
