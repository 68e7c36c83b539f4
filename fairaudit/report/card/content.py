"""From audits, and what the owner states, to a card."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from fairaudit.report.card import annexes, model_card, service
from fairaudit.report.card.evidence import evidence, verdicts
from fairaudit.report.card.info import Info
from fairaudit.report.card.model import AuditFile, Block, Card, Folded, Prose, Section, Wanted
from fairaudit.report.card.public import public
from fairaudit.report.card.statements import applies_to, gap_sheet, lead, settings_sheet
from fairaudit.report.sheets import Sheet, printable

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
    shown, left_out = [file for file, _ in pairs], [said for _, said in pairs]
    name = info.text("service.name") or printable(files[0].name)
    front = wanted.template == "model-card"
    return Card(
        name,
        _KINDS[wanted.template],
        [*lead(shown), *([_HIDDEN] if _fewer(files, shown) else [])],
        list(_sections(shown, left_out, info, wanted)),
        model_card.metadata(name, shown, info) if front else {},
    )


def _fewer(files: Sequence[AuditFile], shown: Sequence[AuditFile]) -> bool:
    """Whether any row was left out."""
    pairs = zip(files, shown, strict=True)
    return any(len(one.audit.estimates) > len(other.audit.estimates) for one, other in pairs)


def _sections(
    files: Sequence[AuditFile],
    left_out: Sequence[Sequence[str]],
    info: Info,
    wanted: Wanted,
) -> Iterator[Section]:
    """The template's own sections, the annexes, and the evidence of each audit."""
    attached = [annexes.section(annex, files, info) for annex in wanted.annexes]
    # What an annex shows is asked for there, so it stands there and nowhere else.
    seen = _sheets(attached)
    for section in _front(files, info, wanted):
        yield _once(section, seen)
    yield from attached
    yield _once(Section("Evidence", list(_evidence(files, left_out, wanted)), "evidence"), seen)


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
    tables = [found for found in (gap_sheet(files), settings_sheet(files)) if found]
    if tables:
        yield Section("Gaps", tables, "gaps")


def _sheets(blocks: Sequence[Block]) -> list[Sheet]:
    """All tables, however deep."""
    found = []
    for block in blocks:
        if isinstance(block, Sheet):
            found.append(block)
        elif isinstance(block, Section | Folded):
            found += _sheets(block.blocks)
    return found


_Part = TypeVar("_Part", bound=Section | Folded)


def _once(part: _Part, seen: list[Sheet]) -> _Part:
    """The part without tables that were seen before, which are named; its own are then seen."""
    return replace(part, blocks=[_kept(block, seen) for block in part.blocks])


def _kept(block: Block, seen: list[Sheet]) -> Block:
    if isinstance(block, Section | Folded):
        return _once(block, seen)
    if not isinstance(block, Sheet):
        return block
    if block in seen:
        return Prose(f"This table stands elsewhere in this report: {block.title}.")
    seen.append(block)
    return block
