"""The one error that users see."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FairauditError(Exception):
    """Something about the user's data, arguments or installation stops the audit.

    The message says where, what is wrong, what was found and what to do. The command line
    prints it after ``error:`` and exits with 2; it never comes with a traceback.
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which names there are, and the one that may have been meant.

    >>> nearest("accnt", ["id", "accent"])
    "Columns: id, accent. Did you mean 'accent'?"
    """
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    return f"Columns: {', '.join(names)}.{hint}"
