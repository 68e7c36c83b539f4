"""All that a report of an audit holds, in order."""

from __future__ import annotations

from collections.abc import Iterator

from fairaudit.audit import Audit
from fairaudit.report.covariates import covariate_sheets
from fairaudit.report.explanations import Alignment, explanation_sheets
from fairaudit.report.runs import normalizer_sheets, update_sheets
from fairaudit.report.sheets import Sheet, sheets


def contents(audit: Audit, further: bool) -> Iterator[Sheet | Alignment]:
    """Every table of an audit; metrics after the first where `further`."""
    yield from sheets(audit, further)
    yield from normalizer_sheets(audit)
    yield from update_sheets(audit)
    yield from covariate_sheets(audit)
    yield from explanation_sheets(audit)
