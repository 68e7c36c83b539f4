"""Commands that run models. PyTorch and transformers are imported when they are needed."""

from __future__ import annotations

from importlib import import_module

from fairaudit.exceptions import FairauditError


def require(command: str, *modules: str) -> None:
    """Import the modules of the extra ``lm`` that a command needs.

    Raises
    ------
    FairauditError
        If one of them is not installed, or its shared library is not.
    """
    try:
        for module in modules:
            import_module(module)
    except (ImportError, OSError):
        raise FairauditError(
            f"{command} needs PyTorch and transformers. "
            "Install them with: pip install 'fairaudit[lm]'"
        ) from None
