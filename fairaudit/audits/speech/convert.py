"""Transcripts of any format as one tidy table: a row per utterance, a column per fact."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fairaudit.audit import keep_apart, whole
from fairaudit.audits.speech.transcripts import Roles, Transcripts
from fairaudit.exceptions import FairauditError
from fairaudit.joins import Missing
from fairaudit.table import Table, Workspace, column_name

_FORMATS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "json", ".parquet": "parquet"}


@dataclass(frozen=True)
class Converted:
    """What was written.

    Attributes
    ----------
    path : Path
    records : int
        Rows.
    columns : tuple of str
    dropped : mapping of str to int
        Records that are not in it, by reason.
    notes : tuple of str
        What a reader must know.
    """

    path: Path
    records: int
    columns: tuple[str, ...]
    dropped: dict[str, int]
    notes: tuple[str, ...]


def convert(transcripts: Transcripts, output: str | Path) -> Converted:
    """Write transcripts as one table, which audits as they do.

    The columns of ids, references, hypotheses and speakers get the names ``id``, ``reference``,
    ``hypothesis`` and ``speaker``; texts in NIST's notation ``reference_trn`` and
    ``hypothesis_trn``. All others keep theirs. CSV and TSV cannot tell a missing text from an
    empty one, so they are refused where that would change an audit; JSON lines and Parquet can.

    Parameters
    ----------
    transcripts : Transcripts
        Where they come from.
    output : str or Path
        A ``.csv``, ``.tsv``, ``.jsonl`` or ``.parquet`` file; it appears whole or not at all.

    Raises
    ------
    FairauditError
        If something cannot be read or written.
    """
    path = Path(output)
    if path.suffix.lower() not in _FORMATS:
        raise FairauditError(f"{path}: expected a name that ends in {', '.join(_FORMATS)}.")
    with Workspace() as workspace:
        table, roles = transcripts.open(workspace)
        keep_apart(path, [Path(file.name) for file in table.files])
        columns = dict(_columns(table, roles))
        for name in roles.texts:
            table.text(name)
        if path.suffix.lower() in (".csv", ".tsv"):
            _refuse_nulls(table, roles, transcripts.missing, path)
        copied = table.copy(columns, _FORMATS[path.suffix.lower()])
        records = int(table.rows("SELECT count(*) FROM records")[0][0])
        with whole(path) as beside:
            shutil.copyfile(copied, beside)
    notes = tuple(table.notes)
    return Converted(path, records, tuple(columns.values()), dict(table.dropped), notes)


def _refuse_nulls(table: Table, roles: Roles, missing: Missing, path: Path) -> None:
    """Require that no text is missing which would become an empty one, and count otherwise."""
    # What has no hypothesis counts as deleted unless it is skipped, and so does an empty one.
    for name in [roles.reference, *([roles.hypothesis] if missing == "skip" else [])]:
        column = table.column(name)
        null = f"SELECT count(*) FROM records WHERE {column_name(column)} IS NULL"
        count = 0 if column.delimited else table.rows(null)[0][0]
        if count:
            raise FairauditError(
                f"{table.name}: {count} records have no {name}, and {path.suffix} cannot tell "
                "that from an empty text. Write .jsonl or .parquet."
            )


def _columns(table: Table, roles: Roles) -> Iterator[tuple[str, str]]:
    """Alias and new name of every column; those with a role first."""
    speaker = roles.speaker or table.likely("speaker")
    marked = dict.fromkeys(roles.alternatives, "_trn")
    named = {
        roles.id: "id",
        speaker: "speaker",
        roles.reference: f"reference{marked.get(roles.reference, '')}",
        roles.hypothesis: f"hypothesis{marked.get(roles.hypothesis, '')}",
    }
    taken = {new.lower() for old, new in named.items() if old}
    for old, new in named.items():
        if old is not None:
            yield table.column(old).alias, new
    for column in table.columns:
        if column.name not in named:
            # What was called so and is something else keeps its cells, under another name.
            clash = column.alias.lower() in taken
            yield column.alias, f"{column.alias}_" if clash else column.alias
