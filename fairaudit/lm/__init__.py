"""Commands that run models. What these need is imported when it is needed."""

from __future__ import annotations

from importlib import import_module

from fairaudit.exceptions import FairauditError

#: What the extras install, by their names.
_EXTRAS = {"lm": "PyTorch and transformers", "sklearn": "scikit-learn and skops"}


def require(command: str, *modules: str, extra: str = "lm") -> None:
    """Import the modules of an extra that a command needs.

    Parameters
    ----------
    command : str
    *modules : str
    extra : {"lm", "sklearn"}
        What installs them.

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
            f"{command} needs {_EXTRAS[extra]}. Install them with: pip install 'fairaudit[{extra}]'"
        ) from None
