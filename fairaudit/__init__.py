"""Audits whether a model treats groups of people alike."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Audit", "FairauditError", "wer"]

if TYPE_CHECKING:
    from fairaudit.audit import Audit
    from fairaudit.audits.wer import wer
    from fairaudit.exceptions import FairauditError


def __getattr__(name: str) -> Any:
    # Imported when first used, so that `fairaudit --help` answers at once.
    if name == "wer":
        from fairaudit.audits.wer import wer

        return wer
    if name == "Audit":
        from fairaudit.audit import Audit

        return Audit
    if name == "FairauditError":
        from fairaudit.exceptions import FairauditError

        return FairauditError
    raise AttributeError(f"module 'fairaudit' has no attribute {name!r}")
