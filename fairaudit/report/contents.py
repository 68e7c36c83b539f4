"""All that a report of an audit holds, in order."""

from __future__ import annotations

from collections.abc import Iterator

from fairaudit.audit import Audit
from fairaudit.report.associations import association_sheets
from fairaudit.report.confusions import confusion_sheets
from fairaudit.report.control import control_sheets
from fairaudit.report.correlations import correlation_sheets
from fairaudit.report.covariates import covariate_sheets
from fairaudit.report.decisions import decision_sheets
from fairaudit.report.distillations import distillation_sheets
from fairaudit.report.explanations import Alignment, Heat, explanation_sheets
from fairaudit.report.generations import average_sheets
from fairaudit.report.headline import sheets
from fairaudit.report.rules import impact_sheets, rule_sheets
from fairaudit.report.runs import normalizer_sheets, update_sheets
from fairaudit.report.search import search_sheets
from fairaudit.report.sensitivities import sensitive_sheets
from fairaudit.report.sheets import Sheet


def contents(audit: Audit, further: bool) -> Iterator[Sheet | Alignment | Heat]:
    """Every table of an audit; metrics after the first where `further`."""
    if audit.settings.get("rule") is not None:
        yield from rule_sheets(audit)
    elif audit.kind == "errors":
        yield from _decisions(audit, further)
    elif audit.kind == "search":
        yield from search_sheets(audit)
    elif audit.kind == "sensitivity":
        yield from sheets(audit, further)
        yield from sensitive_sheets(audit)
    elif audit.kind == "generation":
        yield from sheets(audit, further)
        yield from average_sheets(audit)
    elif audit.kind == "ceat":
        yield from association_sheets(audit)
    elif audit.kind == "distillation":
        yield from distillation_sheets(audit)
    elif audit.kind == "correlation":
        yield from correlation_sheets(audit)
    else:
        yield from _transcripts(audit, further)


def _decisions(audit: Audit, further: bool) -> Iterator[Sheet]:
    yield from decision_sheets(audit, further)
    yield from impact_sheets(audit)
    yield from control_sheets(audit, further)
    if further:
        yield from confusion_sheets(audit)


def _transcripts(audit: Audit, further: bool) -> Iterator[Sheet | Alignment]:
    yield from sheets(audit, further)
    yield from normalizer_sheets(audit)
    yield from update_sheets(audit)
    yield from covariate_sheets(audit)
    yield from explanation_sheets(audit)
