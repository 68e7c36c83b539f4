"""From audits, and what the owner states, to a card."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from fairaudit.report.card import annexes, model_card, service
from fairaudit.report.card.evidence import evidence, verdicts
from fairaudit.report.card.info import Info
from fairaudit.report.card.model import AuditFile, Block, Card, Folded, Prose, Section, Wanted
from fairaudit.report.card.public import public
from fairaudit.report.card.statements import (
    applies_to,
    difference_sheet,
    gap_sheet,
    lead,
    settings_sheet,
)
from fairaudit.report.sheets import Sheet

_KINDS = {
    "service-card": "Service card",
    "model-card": "Model card",
    "report": "Fairness report",
}

_HIDDEN = (
    "Groups that may not be shown are left out, and the sentences above are about the others; the "
    "evidence says how many."
)


def make(files: Sequence[AuditFile], info: Info, wanted: Wanted) -> Card:
    """Make a card.

    Parameters
    ----------
    files : sequence of AuditFile
        One or more, in the order in which they are to stand.
    info : Info
        What the owner states.
    wanted : Wanted
        What sort of card, and what must not stand in it.

    Raises
    ------
    FairauditError
        If an annex needs what the audits do not have, or what may not be shown cannot be left out.
    """
    pairs = [public(file, wanted) for file in files]
    shown = [_marked(file, kept) for file, (kept, _) in zip(files, pairs, strict=True)]
    left_out, name = [said for _, said in pairs], info.text("service.name")
    front = wanted.template == "model-card"
    return Card(
        name or "Name not stated",
        _KINDS[wanted.template],
        [*lead(shown), *([_HIDDEN] if any(file.partly for file in shown) else [])],
        list(_sections(shown, left_out, info, wanted)),
        model_card.metadata(name or "not stated", shown, info) if front else {},
    )


def _marked(file: AuditFile, shown: AuditFile) -> AuditFile:
    """The file, which says whether groups were left out."""
    before, after = (
        {(row.attribute, row.group) for row in each.audit.estimates} for each in (file, shown)
    )
    return replace(shown, partly=before > after)


def _sections(
    files: Sequence[AuditFile],
    left_out: Sequence[Sequence[str]],
    info: Info,
    wanted: Wanted,
) -> Iterator[Section]:
    """The template's own sections, the annexes, and the evidence of each audit."""
    attached = [annexes.section(annex, files, info) for annex in wanted.annexes]
    # What an annex shows is asked for there, so it stands there and nowhere else.
    seen = _Seen()
    for section in attached:
        seen.add(section)
    for section in _front(files, info, wanted):
        yield seen.once(section)
    yield from attached
    evidence = Section("Evidence", list(_evidence(files, left_out, wanted)), "evidence")
    yield seen.once(evidence)


def _evidence(
    files: Sequence[AuditFile], left_out: Sequence[Sequence[str]], wanted: Wanted
) -> Iterator[Section]:
    """A section for each audit, without the tables that the template has in front."""
    verdicts, results = wanted.template != "report", wanted.template != "model-card"
    for i, (file, said) in enumerate(zip(files, left_out, strict=True), 1):
        yield evidence(file, i, said, with_verdicts=verdicts, with_results=results)


def _front(files: Sequence[AuditFile], info: Info, wanted: Wanted) -> Iterator[Section]:
    """What stands before annexes and evidence."""
    if wanted.template == "service-card":
        return service.sections(files, info, wanted)
    if wanted.template == "model-card":
        return model_card.sections(files, info)
    return _report(files, info)


def _report(files: Sequence[AuditFile], info: Info) -> Iterator[Section]:
    """The plain report, for the engineer who has to act on it: verdicts and gaps first."""
    audits = [file.audit for file in files]
    yield Section("Verdicts", [Prose(applies_to(files, info)), *verdicts(audits)], "verdicts")
    tables = gap_sheet(files), difference_sheet(files), settings_sheet(files)
    if found := [table for table in tables if table]:
        yield Section("Gaps", found, "gaps")


_Part = TypeVar("_Part", bound=Section | Folded)


@dataclass
class _Seen:
    """Tables that stand in the card already, each with the sections that it stands in."""

    tables: list[tuple[Sheet, str]] = field(default_factory=list)

    def add(self, part: Section | Folded, path: Sequence[str] = ()) -> None:
        """See all tables of a part."""
        path = _path(part, path)
        for block in part.blocks:
            if isinstance(block, Sheet):
                self.tables.append((block, _place(path)))
            elif isinstance(block, Section | Folded):
                self.add(block, path)

    def once(self, part: _Part, path: Sequence[str] = ()) -> _Part:
        """The part without tables that were seen, which are named; its own are then seen."""
        path = _path(part, path)
        return replace(part, blocks=[self._kept(block, path) for block in part.blocks])

    def _kept(self, block: Block, path: Sequence[str]) -> Block:
        if isinstance(block, Section | Folded):
            return self.once(block, path)
        if not isinstance(block, Sheet):
            return block
        if place := next((where for table, where in self.tables if table == block), None):
            return Prose(f"This table stands in {place}: {block.title}.")
        self.tables.append((block, _place(path)))
        return block


def _path(part: Section | Folded, path: Sequence[str]) -> Sequence[str]:
    """Titles of the sections that a part lies in, its own last."""
    return [*path, part.title] if isinstance(part, Section) else path


def _place(path: Sequence[str]) -> str:
    """The innermost two sections: one alone may be called as others are.

    >>> _place(["Evidence", "Audit 2: Decisions, a.csv", "Results"])
    '"Audit 2: Decisions, a.csv", "Results"'
    """
    return ", ".join(f'"{title}"' for title in path[-2:])
