"""Reverses files: a text document by document, or columns of a table."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from fairaudit import toml
from fairaudit.audit import keep_apart, whole
from fairaudit.exceptions import FairauditError
from fairaudit.lm.documents import blocks, reading, shown, split
from fairaudit.lm.swap.lexicon import Lexicon, match_names
from fairaudit.lm.swap.swapper import Coverage, Swapper, Tally
from fairaudit.sources import Column, identifier
from fairaudit.table import Table, Workspace, column_name

#: The formats of tables, by the suffix of the output.
FORMATS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "json", ".parquet": "parquet"}
_TABLES = (*FORMATS, ".json")
#: Bytes that are read at once, at most.
_BLOCK = 1 << 20
_GROUPS = ("gender", "group", "sex")
_NAMES = (
    "A file of names is a CSV or TSV table with the columns name, gender (or group, or sex; two "
    'different values) and count, or TOML: names = [["John", "Mary"]].'
)


def read_lexicon(words: str | Path | None = None, names: str | Path | None = None) -> Lexicon:
    """The word list that is asked for, with names.

    Parameters
    ----------
    words : path, optional
        A word list (see `Lexicon.read`); the shipped one of gender by default.
    names : path, optional
        A table of names (see `read_names`).

    Raises
    ------
    FairauditError
        If a file cannot be read, or a word has two counterparts.
    """
    lexicon = Lexicon.default() if words is None else Lexicon.read(words)
    return lexicon if names is None else lexicon.with_names(read_names(names))


def read_names(path: str | Path) -> dict[str, str]:
    """Read names with their counterparts.

    Parameters
    ----------
    path : str or Path
        A table with the columns ``name``, ``gender`` (or ``group``, or ``sex``) and ``count``,
        whose names are matched by frequency (see `match_names`); rows of one name add up. Or a
        TOML file with ``names``, a list of pairs.

    Raises
    ------
    FairauditError
        If it is neither, or there are no two groups.
    """
    if Path(path).suffix.lower() == ".toml":
        return _listed_names(Path(path))
    with Workspace() as workspace:
        table = workspace.open(path)
        counts = _name_counts(table)
    if len(counts) != 2:
        found = ", ".join(sorted(counts)) or "none"
        raise FairauditError(f"{path}: expected two groups of names; found {found}. {_NAMES}")
    return match_names(*(counts[group] for group in sorted(counts)))


def _listed_names(path: Path) -> dict[str, str]:
    """The pairs of a TOML file that holds nothing else."""
    section = toml.Section(str(path), toml.read(path), ("attribute", "names"))
    if "names" not in section:
        raise FairauditError(f"{path}: no names. {_NAMES}")
    return dict(Lexicon.read(path).pairs)


def _name_counts(table: Table) -> dict[str, Counter[str]]:
    """How often each name was counted, by group."""
    group = next((name for name in _GROUPS if name in table.names), None)
    if group is None or not {"name", "count"} <= {*table.names}:
        raise FairauditError(f"{table.name}: columns {', '.join(table.names)}. {_NAMES}")
    counts: dict[str, Counter[str]] = {}
    row = 0
    for batch in table.scan(labels=["name", group], numbers=["count"]):
        numbers = batch.numbers["count"]
        for name, of, number in zip(
            batch.labels["name"], batch.labels[group], numbers, strict=True
        ):
            row += 1
            if not name or not of or np.isnan(number):
                raise FairauditError(f"{table.name}, row {row}: name, {group} or count is missing.")
            if number < 0 or not float(number).is_integer():
                raise FairauditError(
                    f"{table.name}, row {row}: count is {number:g}; expected a whole number, 0 or "
                    "more: how often the name was counted."
                )
            counts.setdefault(of, Counter())[name] += int(number)
    return counts


def reverse_text(
    source: str,
    output: Path | None = None,
    lexicon: Lexicon | None = None,
    paragraphs: bool = False,
    only_changed: bool = False,
) -> Coverage:
    """Reverse a text file; all but the words that give way stays byte for byte.

    Parameters
    ----------
    source : str
        A file in UTF-8, or ``-`` for standard input. It is read once, in blocks, so it may be
        larger than memory; a document may not.
    output : Path, optional
        Where to write, whole or not at all; by default standard output, block by block.
    lexicon : Lexicon, optional
        The word pairs; those of gender by default.
    paragraphs : bool
        Whether a document is what a blank line ends, instead of a line. *her* and *his* are told
        apart by the words around them, which in hard-wrapped text may stand in the next line.
    only_changed : bool
        Leave out documents in which no word gives way.

    Raises
    ------
    FairauditError
        If the file cannot be read, is a table by its name, is the output, or is not UTF-8.
    """
    if Path(source).suffix.lower() in _TABLES:
        raise FairauditError(
            f"{source}: a table. Name its column of texts (--column text); to reverse it as mere "
            f"lines, headings and all: fairaudit swap - < {source}"
        )
    swapper, tally = Swapper(lexicon), Tally()
    swap = partial(swapper.swap, tally=tally)
    with reading(source) as file, _writing(output, source, file) as out:
        for block in blocks(file, shown(source), paragraphs):
            documents = _reversed(split(block, paragraphs), swap, paragraphs, only_changed)
            out.write("".join(documents).encode())
            out.flush()
    return tally.coverage


def _reversed(
    documents: Iterable[str], swap: Callable[[str], str], paragraphs: bool, only_changed: bool
) -> Iterator[str]:
    for document in documents:
        # A block may begin with the rest of the blank lines between two paragraphs.
        blank = paragraphs and document.isspace()
        new = document if blank else swap(document)
        if new is not document or not only_changed:
            yield new


@contextmanager
def _writing(output: Path | None, source: str, file: BinaryIO) -> Iterator[BinaryIO]:
    """Where to write bytes: a file, which appears whole, or standard output."""
    if output is None:
        _refuse_circle(file, shown(source))
        yield sys.stdout.buffer
        return
    keep_apart(output, [Path(source)])
    with whole(output) as beside, beside.open("wb") as out:
        yield out


def _refuse_circle(file: BinaryIO, name: str) -> None:
    """Refuse to read what standard output appends to, which would never end."""
    try:
        ends = os.fstat(file.fileno()), os.fstat(sys.stdout.fileno())
    except (OSError, ValueError):
        return  # one of them is no file of the system's
    # On a terminal both are one and the same, rightly.
    if stat.S_ISREG(ends[0].st_mode) and os.path.samestat(*ends):
        raise FairauditError(f"{name}: is what is written to. Write the result elsewhere.")


def reverse_table(
    source: str,
    columns: Sequence[str],
    output: Path | None,
    lexicon: Lexicon | None = None,
    only_changed: bool = False,
) -> Coverage:
    """Reverse columns of a table; rows, their order and all other cells stay.

    Parameters
    ----------
    source : str
        A CSV, TSV, JSON lines or Parquet file, or ``-`` for standard input.
    columns : sequence of str
        The columns of texts. Each cell is a document; a missing one stays missing.
    output : Path
        A ``.csv``, ``.tsv``, ``.jsonl`` or ``.parquet`` file; it appears whole or not at all.
    lexicon : Lexicon, optional
        The word pairs; those of gender by default.
    only_changed : bool
        Leave out rows in which no word gives way.

    Raises
    ------
    FairauditError
        If something cannot be read or written, a column is not there or no text, or a text is
        missing which the output's format cannot tell from an empty one.
    """
    if output is None:
        raise FairauditError(f"{shown(source)}: a table needs a file to be written to: -o FILE")
    format = FORMATS.get(output.suffix.lower())
    if format is None:
        raise FairauditError(f"{output}: expected a name that ends in {', '.join(FORMATS)}.")
    swapper, tally = Swapper(lexicon), Tally()
    with Workspace() as workspace:
        table = workspace.open(source)
        keep_apart(output, [Path(file.name) for file in table.files])
        found = [table.text(name) for name in dict.fromkeys(columns)]
        # SQL calls it once per cell, as it must not think that equal texts count once.
        workspace.connection.create_function(
            _FUNCTION,
            lambda text: swapper.swap(text, tally),
            ["VARCHAR"],
            "VARCHAR",
            side_effects=True,
        )
        _check(table, found, output)
        select = _select(table.select, found, only_changed)
        with _interruptible():
            copied = _copied(replace(table, select=select), format)
        _deliver(copied, table, output)
    return tally.coverage


_FUNCTION = "fairaudit_swap"
_FLOATS = ("FLOAT", "DOUBLE")
_DELIMITERS = {".csv": ",", ".tsv": "\t"}


def _select(source: str, columns: Sequence[Column], only_changed: bool) -> str:
    """SQL that gives the records of a query with columns reversed."""
    new = {column_name(c): identifier(f"fairaudit:swap:{c.alias}") for c in columns}
    reversed_ = ", ".join(f"{_FUNCTION}({old}) AS {name}" for old, name in new.items())
    changed = " OR ".join(f"{old} IS DISTINCT FROM {name}" for old, name in new.items())
    return (
        f"SELECT * EXCLUDE ({', '.join(new.values())}) "
        f"REPLACE ({', '.join(f'{name} AS {old}' for old, name in new.items())}) "
        f"FROM (SELECT *, {reversed_} FROM ({source}))"
        f"{f' WHERE {changed}' if only_changed else ''}"
    )


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let an interruption be one, though the database reports it as a failure."""
    try:
        yield
    except FairauditError as error:
        if re.search("Error: .*(KeyboardInterrupt|Interrupted)", str(error)):
            raise KeyboardInterrupt from None
        raise


def _copied(table: Table, format: str) -> Path:
    """Write all columns to a file, each cell as what it is."""
    names = {column.alias: column.alias for column in table.columns}
    if format == "json":
        return replace(table, select=_typed(table)).copy(names, format)
    # A number that is none is one of a kind here, and no blank.
    columns = tuple(replace(c, type="ANY") if c.type in _FLOATS else c for c in table.columns)
    return replace(table, columns=columns).copy(names, format)


def _typed(table: Table) -> str:
    """SQL that gives cells of JSON as JSON; they are read as text, their types beside them."""
    cells = ", ".join(
        f"CASE WHEN {identifier(f'{c.alias}:type')} = 'VARCHAR' THEN to_json({column_name(c)}) "
        f"ELSE {column_name(c)}::JSON END AS {column_name(c)}"
        for c in table.columns
        if c.type == "JSON"
    )
    return f"SELECT * REPLACE ({cells}) FROM ({table.select})" if cells else table.select


def _deliver(copied: Path, table: Table, output: Path) -> None:
    """Put a written table in its place, the columns called as they were."""
    with whole(output) as beside, copied.open("rb") as file, beside.open("wb") as out:
        delimiter = _DELIMITERS.get(output.suffix.lower())
        if delimiter:
            # SQL had to tell names apart that are alike or differ in capitals only.
            file.readline()
            header = io.StringIO()
            names = [column.name for column in table.columns]
            csv.writer(header, delimiter=delimiter, lineterminator="\n").writerow(names)
            out.write(header.getvalue().encode())
        shutil.copyfileobj(file, out, _BLOCK)


def _check(table: Table, columns: Sequence[Column], output: Path) -> None:
    """Read the texts once, so that what is wrong with one is said in words."""
    nulls = 0
    for batch in table.scan([column.name for column in columns]):
        nulls += sum(int((~batch.present(column.name)).sum()) for column in columns)
    if nulls and output.suffix.lower() in _DELIMITERS:
        raise FairauditError(
            f"{table.name}: missing texts ({nulls:,}), which {output.suffix} cannot tell from "
            "empty ones. Write .jsonl or .parquet."
        )
