"""Audits whether a model treats groups of people alike."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "Audit", "FairauditError", "card", "ceat", "correlate", "errors", "generate", "likelihood",
    "search", "sensitivity", "wer",
]  # fmt: skip

if TYPE_CHECKING:
    from fairaudit.audit import Audit
    from fairaudit.audits.correlate import correlate
    from fairaudit.audits.errors import errors
    from fairaudit.audits.search import search
    from fairaudit.audits.wer import wer
    from fairaudit.exceptions import FairauditError
    from fairaudit.lm.ceat.audit import ceat
    from fairaudit.lm.generate.audit import generate
    from fairaudit.lm.likelihood.audit import likelihood
    from fairaudit.lm.sensitivity.audit import sensitivity
    from fairaudit.report.card import card

#: Where the public names are defined.
_HOMES = {
    "Audit": "fairaudit.audit",
    "FairauditError": "fairaudit.exceptions",
    "card": "fairaudit.report.card",
    "ceat": "fairaudit.lm.ceat.audit",
    "correlate": "fairaudit.audits.correlate",
    "errors": "fairaudit.audits.errors",
    "generate": "fairaudit.lm.generate.audit",
    "likelihood": "fairaudit.lm.likelihood.audit",
    "search": "fairaudit.audits.search",
    "sensitivity": "fairaudit.lm.sensitivity.audit",
    "wer": "fairaudit.audits.wer",
}


def __getattr__(name: str) -> Any:
    # Imported when first used, so that `fairaudit --help` answers at once.
    if name in _HOMES:
        found = getattr(import_module(_HOMES[name]), name)
        _let_audits_be_judged()
        return found
    raise AttributeError(f"module 'fairaudit' has no attribute {name!r}")


def _let_audits_be_judged() -> None:
    """Give audits their method `judge`: rubrics know audits, not the other way round."""
    from fairaudit.audit import Audit

    def judge(audit: "Audit", rubric: Any, **options: Any) -> Any:
        from fairaudit.verdicts import judge as judge_audit

        return judge_audit(audit, rubric, **options)

    Audit.judge = judge  # type: ignore[method-assign, assignment]
