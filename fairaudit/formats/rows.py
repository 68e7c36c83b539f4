"""What all readers share: rows, the lines they come from, and ids that stand once."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fairaudit.exceptions import FairauditError

Row = tuple[str | None, ...]


@dataclass
class Rows:
    """Rows of a file, which can be gone through once.

    Attributes
    ----------
    columns : list of str
        Their names.
    cells : iterator of tuple of str or None
        A row at a time, None where there is nothing.
    dropped : dict of str to int
        Records that were left out, by reason; complete when all rows were read.
    notes : list of str
        What a reader of the results must know; complete as `dropped` is.
    """

    columns: list[str]
    cells: Iterator[Row]
    dropped: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Row]:
        return self.cells


def filled_lines(path: Path, name: str) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, with their numbers; raises what `all_lines` does."""
    return ((n, line) for n, line in all_lines(path, name) if line and not line.isspace())


def all_lines(path: Path, name: str) -> Iterator[tuple[int, str]]:
    """Lines without their ends, with their numbers, counted from 1.

    Raises
    ------
    FairauditError
        If the file cannot be read, is empty, or no UTF-8 text.
    """
    number = 0
    try:
        with path.open("rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                line = _decoded(raw, name, number)
                yield number, line.removeprefix("\ufeff") if number == 1 else line
    except (OSError, EOFError, zlib.error) as error:
        fault = getattr(error, "strerror", None) or error
        raise FairauditError(f"{name}: cannot be read: {fault}.") from None
    if not number:
        raise FairauditError(f"{name}: the file is empty.")


def _decoded(raw: bytes, name: str, number: int) -> str:
    try:
        line = raw.decode()
    except UnicodeDecodeError:
        kind = "UTF-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "LATIN1"
        raise FairauditError(
            f"{name}, line {number}: not UTF-8. Convert the file: iconv -f {kind} -t UTF-8"
        ) from None
    line = line.removesuffix("\n").removesuffix("\r")
    if "\0" in line or "\r" in line:
        found = "a NUL byte" if "\0" in line else "a carriage return within the line"
        raise FairauditError(
            f"{name}, line {number}: {found}; expected lines of UTF-8 text, ended by LF."
        )
    return line


def check_unique(seen: dict[str, int], id: str, number: int, name: str, unit: str = "line") -> None:
    """Remember where an id stands; refuse it where it stood before."""
    first = seen.setdefault(id, number)
    if first != number:
        raise FairauditError(
            f"{name}, {unit} {number}: id '{id}' stands in {unit} {first} already. "
            "Ids must be unique."
        )


def excerpt(text: str, width: int = 60) -> str:
    """What a message shows of a text: its beginning, in one line."""
    text = " ".join(text.split())
    return text if len(text) <= width else f"{text[:width]}…"
