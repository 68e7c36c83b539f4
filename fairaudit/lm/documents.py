"""Text files, document by document: a line, or a paragraph of hard-wrapped lines."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from fairaudit.exceptions import FairauditError
from fairaudit.sources import exists

#: Bytes that are read at once, at most.
_BLOCK = 1 << 20
#: Documents, each with what ends it.
_LINES = re.compile(r"[^\n]*\n|[^\n]+")
_PARAGRAPHS = re.compile(r"(?s).+?(?:\n(?:[ \t]*\r?\n)+|\Z)")


def documents(source: str, paragraphs: bool = False) -> Iterator[str]:
    """Documents of a text file, each with what ends it, those that are blank left out.

    Parameters
    ----------
    source : str
        A file in UTF-8, or ``-`` for standard input. It is read in blocks, so it may be larger
        than memory; a document may not.
    paragraphs : bool
        Whether a document is what a blank line ends, instead of a line.

    Raises
    ------
    FairauditError
        If the file cannot be read, or is not UTF-8.
    """
    with reading(source) as file:
        for block in blocks(file, shown(source), paragraphs):
            yield from (each for each in split(block, paragraphs) if not each.isspace())


def split(block: str, paragraphs: bool) -> list[str]:
    """Documents of a block; joined they are the block."""
    return (_PARAGRAPHS if paragraphs else _LINES).findall(block)


def shown(source: str) -> str:
    """What messages call a source."""
    return "(stdin)" if source == "-" else source


@contextmanager
def reading(source: str) -> Iterator[BinaryIO]:
    """The bytes of a file or of standard input."""
    if source == "-":
        yield sys.stdin.buffer
        return
    path = Path(source)
    if not exists(path):
        raise FairauditError(f"{path}: no such file. Check the path.")
    try:
        file = path.open("rb")
    except OSError as error:
        raise FairauditError(f"{path}: cannot be read: {error.strerror}.") from None
    with file:
        yield file


def blocks(file: BinaryIO, name: str, paragraphs: bool) -> Iterator[str]:
    """What there is to read, cut where a document ends."""
    yield from _decoded(_blocks(file, paragraphs), name)


def _blocks(file: BinaryIO, paragraphs: bool) -> Iterator[bytes]:
    # What a pipe holds at the moment is enough: who types a line sees it reversed.
    read = getattr(file, "read1", file.read)
    while block := read(_BLOCK):
        block += file.readline() if not block.endswith(b"\n") else b""
        lines = [block]
        while paragraphs and not _is_blank_at_end(lines[-1]):
            if not (line := file.readline()):
                break
            lines.append(line)
        yield b"".join(lines)


def _is_blank_at_end(block: bytes) -> bool:
    """Whether the last line of a block is blank."""
    return not block[block.rfind(b"\n", 0, -1) + 1 :].strip()


def _decoded(blocks: Iterable[bytes], name: str) -> Iterator[str]:
    """Blocks as text."""
    lines = 0
    for block in blocks:
        try:
            yield block.decode()
        except UnicodeDecodeError as error:
            at = lines + block.count(b"\n", 0, error.start) + 1
            packed = not lines and block.startswith(b"\x1f\x8b")
            todo = "Unpack it: gunzip" if packed else "Convert the file: iconv -f LATIN1 -t UTF-8"
            raise FairauditError(f"{name}, line {at}: not UTF-8. {todo}") from None
        lines += block.count(b"\n")
