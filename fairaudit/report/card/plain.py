"""The plain report: what was found, for the engineer who has to act on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fairaudit.report.card.evidence import verdicts
from fairaudit.report.card.info import Info
from fairaudit.report.card.model import AuditFile, Prose, Section
from fairaudit.report.card.statements import applies_to, gap_sheet, settings_sheet


def sections(files: Sequence[AuditFile], info: Info) -> Iterator[Section]:
    """All sections before the evidence."""
    audits = [file.audit for file in files]
    yield Section("Verdicts", [Prose(applies_to(files, info)), *verdicts(audits)], "verdicts")
    tables = [found for found in (gap_sheet(files), settings_sheet(files)) if found]
    if tables:
        yield Section("Gaps", tables, "gaps")
