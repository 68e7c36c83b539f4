"""Finding files and telling DuckDB exactly how to read each of them.

DuckDB parses, but guesses nothing: its sniffer may skip lines that it cannot make sense of, so
format, delimiter, quoting, header and column names are decided here. The text formats of speech
recognition go through a temporary CSV file.
"""

from __future__ import annotations

import csv
import glob
import gzip
import hashlib
import json
import re
import shutil
import sys
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

import duckdb

from fairaudit import formats
from fairaudit.exceptions import FairauditError

Format = Literal["csv", "jsonl", "json", "parquet", "trn", "stm", "ctm", "kaldi", "seglst"]

_SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_GZIP = b"\x1f\x8b"
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
_DELIMITERS = ",\t;|"
#: A field of a TSV line that begins with a quote; and one that is quoted from end to end.
_OPENED = re.compile(rb'(?:^|\t)"')
_CLOSED = re.compile(rb'(?:^|\t)"(?:[^"\t]|"")*"(?=\t|\r?\n?$)')


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    name : str
        As in the file.
    alias : str
        Its name in SQL, unique without regard to case.
    type : str
        SQL type; ``JSON`` where each cell has its own, in a column ``{alias}:type``.
    delimited : bool
        Whether a NULL is a blank cell of delimited text.
    duplicated : bool
        Whether the name stands twice in the file.
    """

    name: str
    alias: str
    type: str = "VARCHAR"
    delimited: bool = False
    duplicated: bool = False


@dataclass(frozen=True)
class File:
    """A file of records.

    Attributes
    ----------
    path : Path
        Where DuckDB reads it.
    name : str
        What messages and the audit call it.
    sha256 : str
        Digest of its bytes.
    format : str
        What it holds: ``csv``, ``jsonl``, ``json``, ``parquet`` or one of `formats.FORMATS`.
    select : str
        SQL query that gives its records.
    columns : tuple of Column
        In the order of the file.
    original : Path
        The file itself, where `path` is a translation of it.
    dropped : mapping of str to int
        Records that were left out on reading, by reason.
    notes : tuple of str
        What a reader of the results must know.
    """

    path: Path
    name: str
    sha256: str
    format: Format
    select: str
    columns: tuple[Column, ...]
    original: Path = Path()
    dropped: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """A file as it was asked for.

    Attributes
    ----------
    path : Path
        Where it can be read as often as one likes.
    name : str
        What messages and the audit call it.
    format : str, optional
        One of `formats.FORMATS`, where the user said so.
    """

    path: Path
    name: str
    format: str | None = None


def exists(path: Path) -> bool:
    """Whether there is such a file; there is none whose name the system does not allow."""
    try:
        return path.exists()
    except OSError:
        return False


def asked(pattern: str) -> tuple[str, str | None]:
    """Split ``trn:dev.ref`` into pattern and format; a file that is called so goes first.

    >>> asked("trn:dev.ref"), asked("dev.csv")
    (('dev.ref', 'trn'), ('dev.csv', None))
    """
    format, colon, rest = pattern.partition(":")
    if colon and format in formats.FORMATS and not exists(Path(pattern)):
        return rest, format
    return pattern, None


def identifier(name: str) -> str:
    """Quote a name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text for SQL."""
    return "'" + text.replace("'", "''") + "'"


def find(pattern: str) -> list[Path]:
    """Files that a path or a pattern names, sorted.

    Raises
    ------
    FairauditError
        If there is none, or a directory.
    """
    # A file may be called "a[1].csv": what exists is no pattern.
    paths = [Path(pattern)] if exists(Path(pattern)) else map(Path, glob.glob(pattern))  # noqa: PTH207
    found = sorted(paths)
    if not found:
        raise FairauditError(f"{pattern}: no such file. Check the path, or quote the pattern.")
    for path in found:
        if path.is_dir():
            raise FairauditError(f"{path}: is a directory. Name files: '{path}/*.csv'")
    return found


def keep_stdin(folder: Path) -> Path:
    """Copy standard input into a file, as it must be read more than once.

    Raises
    ------
    FairauditError
        If it was given before.
    """
    path = folder / "stdin"
    if path.exists():
        raise FairauditError("standard input (-) can be given once only.")
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return path


def readable(path: Path, folder: Path) -> Path:
    """A path under which DuckDB reads this file and no other, as often as it likes.

    A pipe is copied; a name that DuckDB would take for a pattern gets a link with a plain name.
    """
    if path.is_file() and not set(str(path)) & set("*?[{"):
        return path
    plain = folder / f"file{sum(1 for _ in folder.iterdir())}"
    if path.is_file():
        plain.symlink_to(path.resolve())
        return plain
    with path.open("rb") as pipe, plain.open("wb") as file:
        shutil.copyfileobj(pipe, file)
    return plain


def describe(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    folder: Path,
    segments: File | None,
    strict: bool,
) -> File:
    """Look at a file and decide how to read it.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Reads the header.
    source : Source
        The file.
    folder : Path
        Where a translation of it may be written.
    segments : File or None
        The stm file that says which words of a ctm file are an utterance.
    strict : bool
        Whether a channel in one of these two files only is an error.

    Raises
    ------
    FairauditError
        If it cannot be read as what it seems to be.
    """
    path, name = source.path, source.name
    try:
        start = _start(path, name)
        of_speech = source.format or formats.detect(name, start)
        if of_speech is not None:
            return _translated(source, of_speech, folder, segments, strict)
        format, compression = _format(path, name, start)
        digest = _digest(path, name, None if format == "parquet" else compression)
        select, columns = _reader(connection, path, format, compression)
    except OSError as error:
        raise FairauditError(f"{name}: cannot be read: {error.strerror}.") from None
    except duckdb.Error as error:
        raise (_broken_json(path, name, format) or broken(error, name)) from None
    if [column.name for column in columns] == ["json"]:
        raise _broken_json(path, name, format) or FairauditError(f"{name}: expected JSON objects.")
    return File(path, name, digest, format, select, columns, path)


def named(path: Path) -> File:
    """A file that is read by what asks for it: its name and digest, as the audit has them.

    Raises
    ------
    FairauditError
        If it cannot be read.
    """
    try:
        return File(path, str(path), _digest(path, str(path), None), "json", "", (), path)
    except OSError as error:
        raise FairauditError(f"{path}: cannot be read: {error.strerror}.") from None


def _translated(
    source: Source, format: str, folder: Path, segments: File | None, strict: bool
) -> File:
    """Write a file of one of the formats of speech as CSV."""
    if format == "ctm" and segments is not None:
        stm = (segments.original, segments.name)
        rows = formats.read_ctm(*stm, source.path, source.name, strict=strict)
    else:
        rows = formats.read(source.path, source.name, format)
    path = folder / f"translated{sum(1 for _ in folder.iterdir())}"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(rows.columns)
        writer.writerows(rows)
    columns = _named(rows.columns)
    return File(
        path,
        source.name,
        _digest(source.path, source.name, None),
        cast(Format, format),
        _delimited(path, "none", columns, ",", '"'),
        columns,
        source.path,
        rows.dropped,
        tuple(rows.notes),
    )


def _reader(
    connection: duckdb.DuckDBPyConnection, path: Path, format: Format, compression: str
) -> tuple[str, tuple[Column, ...]]:
    if format == "parquet":
        return _described(connection, f"SELECT * FROM read_parquet({literal(str(path))})")
    if format == "csv":
        return _csv(connection, path, compression)
    return _json(connection, path, format, compression)


def _described(
    connection: duckdb.DuckDBPyConnection, select: str
) -> tuple[str, tuple[Column, ...]]:
    """Ask DuckDB for the columns of a query."""
    rows = connection.execute(f"DESCRIBE {select}").fetchall()
    return select, tuple(Column(name, name, str(type)) for name, type, *_ in rows)


def _json(
    connection: duckdb.DuckDBPyConnection, path: Path, format: Format, compression: str
) -> tuple[str, tuple[Column, ...]]:
    """Build the query for JSON: each cell as text, its JSON type beside it."""
    layout = "newline_delimited" if format == "jsonl" else "auto"
    read = (
        f"read_json({literal(str(path))}, format='{layout}', compression='{compression}', "
        "maximum_depth=1, sample_size=-1)"
    )
    _, columns = _described(connection, f"SELECT * FROM {read}")
    cells = ", ".join(
        f"{name}->>'$' AS {name}, json_type({name}) AS {identifier(column.alias + ':type')}"
        for column in columns
        for name in [identifier(column.alias)]
    )
    return f"SELECT {cells} FROM {read}", columns


def _start(path: Path, name: str) -> bytes:
    """The first bytes, decompressed."""
    with path.open("rb") as file:
        start = file.read(4096)
    if not start:
        raise FairauditError(f"{name}: the file is empty.")
    if not start.startswith(_GZIP):
        return start
    try:
        return zlib.decompressobj(31).decompress(start)
    except zlib.error as error:
        raise FairauditError(f"{name}: a damaged gzip file: {error}.") from None


def _format(path: Path, name: str, start: bytes) -> tuple[Format, str]:
    """Tell format and compression by the suffix, else by the first bytes."""
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    compression = _COMPRESSIONS.get(suffixes[-1] if suffixes else "", "none")
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    if packed or compression == "gzip":
        compression = "gzip" if packed else "none"
    stem = suffixes[:-1] if suffixes and suffixes[-1] in _COMPRESSIONS else suffixes
    head = start.lstrip()[:1]
    if stem and stem[-1] in _SUFFIXES:
        # JSON lines are often called .json, as NeMo's manifests are.
        lines = stem[-1] == ".json" and head == b"{"
        return "jsonl" if lines else _SUFFIXES[stem[-1]], compression
    if start.startswith(b"PAR1"):
        return "parquet", compression
    return ("jsonl" if head == b"{" else "json" if head == b"[" else "csv"), compression


def _digest(path: Path, name: str, compression: str | None) -> str:
    """Digest the bytes; of a text file, look at what they hold.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        What messages call it.
    compression : {"none", "gzip", "zstd"} or None
        Of a text file; None for any other.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    if compression in ("none", "gzip"):
        _check_text(path, name, compression)
    return digest.hexdigest()


def _check_text(path: Path, name: str, compression: str) -> None:
    """Refuse bytes that no text file has, and archives that do not match their checksum."""
    line = 1
    try:
        with gzip.open(path) if compression == "gzip" else path.open("rb") as file:
            while block := file.read(1 << 20):
                if b"\0" in block:
                    _refuse_nul(block, line, name)
                line += block.count(b"\n")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FairauditError(
            f"{name}: a damaged or incomplete gzip file: {error}. Write or copy it again."
        ) from None


def _refuse_nul(block: bytes, line: int, name: str) -> None:
    where = line + block.count(b"\n", 0, block.index(b"\0"))
    if line == 1 and block.startswith(b"PK"):
        raise FairauditError(f"{name}: a spreadsheet or zip archive. Export the table as CSV.")
    raise FairauditError(
        f"{name}, line {where}: a NUL byte; expected UTF-8 text. "
        "If the file is UTF-16, convert it: iconv -f UTF-16 -t UTF-8"
    )


def _csv(
    connection: duckdb.DuckDBPyConnection, path: Path, compression: str
) -> tuple[str, tuple[Column, ...]]:
    """Build the query for delimited text from its header line."""
    header = _first_line(connection, path, compression).lstrip("\ufeff")
    delimiter = max(_DELIMITERS, key=header.count)
    quote = "" if delimiter == "\t" and not _is_quoted(path, compression) else '"'
    columns = _named(next(csv.reader([header], delimiter=delimiter)))
    return _delimited(path, compression, columns, delimiter, quote), columns


def _delimited(
    path: Path, compression: str, columns: Sequence[Column], delimiter: str, quote: str
) -> str:
    """SQL that reads delimited text as it is told to."""
    types = ", ".join(f"{literal(column.alias)}: 'VARCHAR'" for column in columns)
    return (
        f"SELECT * FROM read_csv({literal(str(path))}, auto_detect=false, "
        f"compression='{compression}', columns={{{types}}}, delim='{delimiter}', "
        f"quote='{quote}', escape='{quote}', header=true, strict_mode=true)"
    )


def _first_line(connection: duckdb.DuckDBPyConnection, path: Path, compression: str) -> str:
    if compression == "zstd":
        # Whole lines: no delimiter, no quotes.
        rows = connection.execute(
            f"FROM read_csv({literal(str(path))}, auto_detect=false, compression='zstd', "
            "columns={'line': 'VARCHAR'}, delim='\x01', quote='', escape='', header=false) LIMIT 1"
        ).fetchall()
        return str(rows[0][0]) if rows else ""
    with gzip.open(path) if compression == "gzip" else path.open("rb") as file:
        line = re.split(rb"[\r\n]", file.readline(1 << 20), maxsplit=1)[0]
    return line.decode("utf-8", errors="replace")


def _named(header: Sequence[str]) -> tuple[Column, ...]:
    """Columns of a header; SQL names are made unique without regard to case."""
    names = [name or f"column{i + 1}" for i, name in enumerate(header)]
    times = Counter(names)
    columns: list[Column] = []
    taken: set[str] = set()
    for i, name in enumerate(names):
        alias = name if name.lower() not in taken else f"{name}:{i + 1}"
        taken.add(alias.lower())
        columns.append(Column(name, alias, delimited=True, duplicated=times[name] > 1))
    return tuple(columns)


def _is_quoted(path: Path, compression: str) -> bool:
    """Whether quotes at the start of a TSV file's fields are there to quote.

    Some TSV files are written with quoted fields, others with quotes as they come in the text.
    Where every line has as many tabs as the header, they quote only if every field that begins
    with one also ends with one; where not, quoted fields must hold the tabs or line ends.
    """
    if compression == "zstd":
        return True
    closed, tabs = True, set()
    with gzip.open(path) if compression == "gzip" else path.open("rb") as lines:
        for line in lines:
            tabs.add(line.count(b"\t"))
            if b'"' in line and len(_OPENED.findall(line)) != len(_CLOSED.findall(line)):
                closed = False
            if len(tabs) > 1:
                return True
    return closed


def broken(error: Exception, name: str) -> FairauditError:
    """Say in one line, with the line number, why DuckDB could not read `name`."""
    text = str(error)
    at = re.search(r"Error on Line: (\d+)\nOriginal Line: ?(.*)", text)
    if at:
        return FairauditError(f"{name}, line {at[1]}: {_csv_fault(text)}: {_excerpt(at[2])}")
    if "state machine" in text:
        return FairauditError(
            f"{name}: broken as CSV; its line ends may be of two kinds (LF and CRLF). "
            "Make them one: sed -i 's/\\r$//'"
        )
    if "magic bytes" in text or "Parquet" in text or "Thrift" in text:
        return FairauditError(
            f"{name}: not a complete Parquet file (cut off or damaged). Write or copy it again."
        )
    return FairauditError(f"{name}: cannot be read: {text.splitlines()[0]}")


def _csv_fault(text: str) -> str:
    counts = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", text)
    if counts:
        return f"expected {counts[1]} columns, found {counts[2]}"
    if "unicode" in text:
        return "not UTF-8. Convert the file: iconv -f LATIN1 -t UTF-8. Found"
    if "unterminated quote" in text:
        return "a quote is opened and not closed"
    return text.split("\n")[2]


def _excerpt(line: str, width: int = 60) -> str:
    return line if len(line) <= width else f"{line[:width]}…"


def _broken_json(path: Path, name: str, format: Format) -> FairauditError | None:
    """Look for the line that is no JSON object; DuckDB counts lines in its own way."""
    if format != "jsonl":
        return None
    with path.open("rb") as plain:
        packed = plain.read(2) == _GZIP
    with gzip.open(path) if packed else path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                if line.strip() and not isinstance(json.loads(line), dict):
                    return FairauditError(f"{name}, line {number}: expected a JSON object.")
            except ValueError as error:
                return FairauditError(f"{name}, line {number}: broken JSON: {error}.")
    return None


def broken_file(error: Exception, file: File) -> FairauditError:
    """Say in one line, with the line number, why a file could not be read."""
    return _broken_json(file.path, file.name, file.format) or broken(error, file.name)
