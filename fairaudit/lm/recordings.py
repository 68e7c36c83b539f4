"""A table of recordings: read whole, and written again with a transcript in each row."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fairaudit.audit import keep_apart, write_whole
from fairaudit.exceptions import FairauditError
from fairaudit.lm import audio
from fairaudit.lm.audio import BrokenAudio
from fairaudit.sources import Column, identifier
from fairaudit.table import Table, column_name

#: The column names that the field uses for recordings.
AUDIO_NAMES = "audio audio_filepath audio_path path file filename file_name wav clip".split()
#: The columns that are added.
HYPOTHESIS, ERROR = "hypothesis", "transcribe_error"
DELIMITERS = {".csv": ",", ".tsv": "\t"}
#: DuckDB writes a number that is none as a bare word, which is no JSON.
_NO_JSON = {None: "null", "NaN": "null", "Infinity": "null", "-Infinity": "null"}


@dataclass(frozen=True)
class Failure:
    """A recording without a transcript.

    Attributes
    ----------
    row : int
        Its record's number in the table, from 1.
    id, path : str
        Its record's id, and the file as the table names it.
    reason : str
        What is wrong with it.
    """

    row: int
    id: str
    path: str
    reason: str

    def __str__(self) -> str:
        where = self.id if self.id == self.path else f"{self.id}, {self.path}"
        return f"row {self.row} ({where}): {self.reason}"


@dataclass(frozen=True)
class Recordings:
    """The records of a table, as they will stand in the output.

    Attributes
    ----------
    name, digest : str
        The table's.
    columns : tuple of str
        Names of all columns.
    rows : list of tuple
        Cells: text for delimited output, JSON for JSON lines; None where missing.
    column : str
        The column of paths.
    cells, ids : list of str
        Paths as they stand in the table, and ids, by row; blank where missing.
    root : Path
        What relative paths are relative to.
    """

    name: str
    digest: str
    columns: tuple[str, ...]
    rows: list[tuple[str | None, ...]]
    column: str
    cells: list[str]
    ids: list[str]
    root: Path

    def sound(self, row: int) -> Path:
        """The file of a record.

        Raises
        ------
        BrokenAudio
            If there is none.
        """
        if not self.cells[row]:
            raise BrokenAudio(f"no path in column '{self.column}'")
        path = self.root / self.cells[row]
        audio.check(path)
        return path

    def failure(self, row: int, error: BrokenAudio) -> Failure:
        """Say which record an error belongs to."""
        return Failure(row + 1, self.ids[row], self.cells[row], str(error))

    def write(self, output: Path, texts: Mapping[int, str], failed: Mapping[int, Failure]) -> None:
        """Write the table with its transcripts, whole or not at all."""
        reasons = {row: failure.reason for row, failure in failed.items()}
        added = [(texts.get(row), reasons.get(row)) for row in range(len(self.rows))]
        columns = [*self.columns, HYPOTHESIS, ERROR]
        if is_json_lines(output):
            rows = [
                (*row, *map(json.dumps, new)) for row, new in zip(self.rows, added, strict=True)
            ]
            write_whole(output, "".join(_json_line(columns, row) for row in rows))
        else:
            rows = [(*row, *new) for row, new in zip(self.rows, added, strict=True)]
            write_whole(output, _delimited([columns, *rows], DELIMITERS[output.suffix.lower()]))


def is_json_lines(output: Path) -> bool:
    """Whether a file's name asks for JSON lines."""
    return output.suffix.lower() == ".jsonl"


def read(
    table: Table,
    output: Path,
    audio_column: str | None = None,
    id_column: str | None = None,
    audio_root: str | Path | None = None,
) -> Recordings:
    """Read a table of recordings.

    Parameters
    ----------
    table : Table
        The table.
    output : Path
        Where it will be written; the suffix decides how cells are kept.
    audio_column, id_column : str, optional
        Columns; guessed from the field's usual names where not given.
    audio_root : str or Path, optional
        What relative paths are relative to; by default the table's folder.

    Raises
    ------
    FairauditError
        If it has no records or no such columns, or it is the output.
    """
    keep_apart(output, [Path(file.name) for file in table.files])
    _refuse_taken(table)
    column = table.text(audio_column or _guess(table)).name
    id = table.column(id_column).name if id_column else table.likely("id") or column
    rows = table.rows(_query(table, [column, id], is_json_lines(output)))
    if not rows:
        raise FairauditError(f"{table.name}: no records.")
    return Recordings(
        table.name,
        " ".join(file.sha256 for file in table.files),
        tuple(each.name for each in table.columns),
        [row[2:] for row in rows],
        column,
        [row[0] or "" for row in rows],
        [row[1] or "" for row in rows],
        _root(table) if audio_root is None else Path(audio_root),
    )


def _refuse_taken(table: Table) -> None:
    """Require that the columns to be added are new, in any case."""
    for name in table.names:
        if name.lower() in (HYPOTHESIS, ERROR):
            raise FairauditError(
                f"{table.name}: has a column '{name}' already. Rename it, or transcribe the "
                "table that it was made from."
            )


def _guess(table: Table) -> str:
    """The column of recordings, by the field's usual names."""
    found = [name for name in table.names if name.lower() in AUDIO_NAMES]
    if not found:
        raise FairauditError(
            f"{table.name}: no column of recordings. Columns: {', '.join(table.names)}. "
            "Say which: --audio-column NAME"
        )
    if len(found) > 1:
        raise FairauditError(
            f"{table.name}: several columns could be the recordings: {', '.join(found)}. "
            f"Say which: --audio-column {found[0]}"
        )
    return found[0]


def _root(table: Table) -> Path:
    """The folder of a table's files; the working directory for what is no file."""
    folders = {Path(file.name).parent for file in table.files}
    if len(folders) > 1:
        raise FairauditError(
            f"{table.name}: the tables lie in several folders. Say what their paths are relative "
            "to: --audio-root FOLDER"
        )
    return folders.pop()


def _query(table: Table, first: Sequence[str], json_lines: bool) -> str:
    """SQL for some columns as text, then for all as they will be written."""
    cells = [_text(table.column(name)) for name in first]
    if json_lines:
        # One key cannot stand twice in an object: `column` refuses.
        cells += [_json(table.column(column.name)) for column in table.columns]
    else:
        cells += [_text(column) for column in table.columns]
    return f"SELECT {', '.join(cells)} FROM records"


def _text(column: Column) -> str:
    return f"{column_name(column)}::VARCHAR"


def _json(column: Column) -> str:
    """SQL for a cell as JSON; a blank cell of delimited text is an empty text."""
    name = column_name(column)
    if column.delimited:
        return f"to_json(coalesce({name}, ''))::VARCHAR"
    if column.type == "JSON":
        kind = identifier(f"{column.alias}:type")
        return (
            f"CASE WHEN {kind} = 'VARCHAR' THEN to_json({name}::VARCHAR)::VARCHAR ELSE {name} END"
        )
    return f"to_json({name})::VARCHAR"


def _json_line(columns: Sequence[str], cells: Sequence[str | None]) -> str:
    """A JSON object, from cells that are JSON."""
    pairs = zip(columns, cells, strict=True)
    inside = ", ".join(f"{json.dumps(name)}: {_NO_JSON.get(cell, cell)}" for name, cell in pairs)
    return f"{{{inside}}}\n"


def _delimited(rows: Sequence[Sequence[str | None]], delimiter: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue()
