"""A journal of long work: what is done survives a kill and is not done again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from fairaudit.exceptions import FairauditError


class Journal:
    """JSON lines beside the output: what the work is, then each row's result.

    Each `add` is on the disk when it returns, so that a kill costs at most what was under way.
    A line that was half written when the process died is dropped.

    Parameters
    ----------
    output : Path
        What is being made; the journal is ``{output}.partial``.
    work : mapping of str to str
        What decides the results, by the names that messages call it.
    restart : bool
        Begin anew, whatever there is.

    Attributes
    ----------
    done : dict of int to str
        Results by row, those of earlier runs first.

    Raises
    ------
    FairauditError
        If there is a journal of other work, or it cannot be read or written.
    """

    def __init__(self, output: Path, work: Mapping[str, str], restart: bool = False) -> None:
        self.path = output.with_name(f"{output.name}.partial")
        self.done: dict[int, str] = {}
        self._file = self._open(_line({"work": dict(work)}), restart)

    def _open(self, head: bytes, restart: bool) -> BinaryIO:
        try:
            found = b"" if restart or not self.path.exists() else self.path.read_bytes()
            whole = found[: found.rfind(b"\n") + 1]
            if whole or not head.startswith(found):
                self._read(whole, head)
            if whole:
                os.truncate(self.path, len(whole))
            else:
                self.path.write_bytes(head)
            # Appended, so that two runs at once double each other's lines but break none.
            return self.path.open("ab")
        except OSError as error:
            raise self._unwritable(error) from None

    def _read(self, whole: bytes, head: bytes) -> None:
        """Take over the results of an earlier run."""
        lines = whole.splitlines()
        try:
            work = dict(json.loads(lines[0])["work"])
            results = [json.loads(line) for line in lines[1:]]
            self.done = {int(each["row"]): str(each["result"]) for each in results}
        except (ValueError, LookupError, TypeError):
            raise FairauditError(
                f"{self.path}: not a whole journal of fairaudit. Move it away, or overwrite it: "
                "--restart"
            ) from None
        _same(self.path, work, json.loads(head)["work"])

    def add(self, results: Mapping[int, str]) -> None:
        """Write down results by row, and return when they are on the disk.

        Raises
        ------
        FairauditError
            If they cannot be written.
        """
        lines = (_line({"row": row, "result": text}) for row, text in results.items())
        try:
            self._file.write(b"".join(lines))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._unwritable(error) from None
        self.done.update(results)

    def close(self) -> None:
        """Stop writing; the journal stays if there is anything in it."""
        with suppress(OSError):  # of what could not be written, `add` has told
            self._file.close()
        if not self.done:
            self.path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Take the journal away: the work is done."""
        self.close()
        self.path.unlink(missing_ok=True)

    def _unwritable(self, error: OSError) -> FairauditError:
        return FairauditError(f"{self.path}: cannot be written: {error.strerror}.")


def _line(content: Mapping[str, Any]) -> bytes:
    # Escaped: a path may hold bytes that are no UTF-8.
    return json.dumps(content).encode("ascii") + b"\n"


def _same(path: Path, old: Mapping[str, str], new: Mapping[str, str]) -> None:
    """Require that a journal's work is the work at hand."""
    other = [name for name in new if old.get(name) != new[name]]
    if other:
        raise FairauditError(
            f"{path}: holds what an interrupted run did, with another {' and '.join(other)}. "
            "Go on with what it had, write to another file, or begin anew: --restart"
        )
