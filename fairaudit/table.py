"""Tables of records: columns found, joined and filtered, and read in batches.

Each cell arrives as text, and a batch of records is a few lists of strings. Only the columns
that are asked for are read.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress, pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from fairaudit import sources
from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError, nearest
from fairaudit.sources import Column, File, Source, identifier, literal
from fairaudit.where import compile_condition

#: What stands for a missing attribute or number, beside blank cells.
MISSING_VALUES = ("", "NA", "N/A", "NaN", "null", "None")
#: Records that are read at once: enough to be fast, few enough to need little memory.
BATCH = 8_192

#: A missing cell travels as NUL, which no text may contain.
NOTHING = "\0"

#: The column names that the field uses for each role.
USUAL_NAMES = {
    "reference": (
        "reference ref ref_text reference_text reference_trn text text_trn sentence transcript "
        "transcription ground_truth target"
    ).split(),
    "hypothesis": (
        "hypothesis hyp hyp_text hypothesis_text hypothesis_trn pred_text prediction "
        "predicted_text predicted pred"
    ).split(),
    "id": "id utt_id utterance_id uttid utt segment_id audio_id audio_filepath path file".split(),
    "speaker": "speaker speaker_id spk spk_id client_id speakerid".split(),
}


class Workspace:
    """Holds the connection that all tables of one audit share, and its temporary files.

    After `lock`, which the first scan does, SQL can reach the audited files and nothing else.
    """

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="fairaudit-")
        self.connection = duckdb.connect(
            config={
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "enable_external_file_cache": "false",
                # One thread feeds Python as fast as it can count, with the least memory; joins
                # that need more than the limit use the temporary directory.
                "threads": "1",
                "memory_limit": "256MB",
                "temp_directory": self.folder.name,
            }
        )
        self.connection.execute("SET enable_progress_bar=false")
        self._paths: list[Path] = []
        self.copied = Path(self.folder.name) / "copy"
        self._frames = 0
        self._locked = False

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *error: object) -> None:
        self.connection.close()
        self.folder.cleanup()

    def open(self, source: Any, segments: Table | None = None, strict: bool = True) -> Table:
        """Open a path, a pattern, several of them, ``-`` for standard input, or a data frame.

        In front of a path its format may stand, where its name does not tell: ``trn:dev.ref``.

        Parameters
        ----------
        source : path, pattern, sequence of paths, "-" or data frame
            What to open.
        segments : Table, optional
            From an stm file: the utterances of a ctm file.
        strict : bool
            Whether a channel in one of these two files only is an error.

        Raises
        ------
        FairauditError
            If there is nothing to read, or not in a format that can be read.
        """
        if isinstance(source, str | Path):
            return self._open_files([str(source)], segments, strict)
        if isinstance(source, Sequence):
            return self._open_files([str(item) for item in source], segments, strict)
        return self._open_frame(source)

    def _open_files(self, patterns: Iterable[str], segments: Table | None, strict: bool) -> Table:
        by = segments.files[0] if segments and segments.files[0].format == "stm" else None
        if by is not None and segments is not None and len(segments.files) > 1:
            raise FairauditError(
                f"{segments.name}: several stm files. Words are cut into utterances by one: join "
                "them into one file, and the ctm files too."
            )
        folder = Path(self.folder.name)
        files = [
            sources.describe(self.connection, source, folder, by, strict)
            for source in self._find(patterns)
        ]
        _same_columns(files)
        self._paths += [file.path for file in files]
        select = " UNION ALL BY NAME ".join(file.select for file in files)
        dropped = sum((Counter(file.dropped) for file in files), Counter[str]())
        return Table(self, select, files[0].columns, tuple(files), _join_names(files), dropped)

    def _find(self, patterns: Iterable[str]) -> Iterator[Source]:
        folder = Path(self.folder.name)
        seen: set[Path] = set()
        for pattern in patterns:
            plain, format = sources.asked(pattern)
            if plain == "-":
                yield Source(sources.keep_stdin(folder), "(stdin)", format)
                continue
            for path in sources.find(plain):
                if path in seen:
                    raise FairauditError(f"{path}: is given twice. Its records would count double.")
                seen.add(path)
                yield Source(sources.readable(path, folder), str(path), format)

    def _open_frame(self, frame: Any) -> Table:
        self._frames += 1
        name = f"frame{self._frames}"
        try:
            self.connection.register(name, frame)
            rows = self.connection.execute(f"DESCRIBE {name}").fetchall()
            digest = self.connection.execute(
                f"SELECT sum(md5_number_lower(f::VARCHAR)::HUGEINT)::VARCHAR FROM {name} AS f"
            ).fetchall()
        except (duckdb.Error, TypeError) as error:
            raise FairauditError(
                f"a {type(frame).__name__} cannot be read as a table: {error}. "
                "Give a path or a pandas, polars or Arrow table (the last two need pyarrow)."
            ) from None
        columns = tuple(Column(column, column, str(type)) for column, type, *_ in rows)
        sha256 = hashlib.sha256(str(digest).encode()).hexdigest()
        file = File(Path(), "(frame)", sha256, "parquet", "", columns)
        return Table(self, f"SELECT * FROM {name}", columns, (file,), "(frame)")

    def open_rows(self, columns: Mapping[str, Sequence[str]], paths: Sequence[Path]) -> Table:
        """Open records that were read from files of a form of their own.

        Parameters
        ----------
        columns : mapping of str to sequence of str
            Cells by column, all of one length; an empty one is missing.
        paths : sequence of Path
            The files, which the audit names.

        Raises
        ------
        FairauditError
            If a cell is no text that can be written as UTF-8.
        """
        path = Path(self.folder.name) / f"rows{len(self._paths)}.jsonl"
        files = tuple(sources.named(each) for each in paths)
        try:
            with path.open("w", encoding="utf-8") as file:
                for row in zip(*columns.values(), strict=True):
                    cells = dict(zip(columns, row, strict=True))
                    file.write(json.dumps(cells, ensure_ascii=False) + "\n")
        except UnicodeEncodeError:
            raise FairauditError(
                f"{_join_names(files)}: half of a surrogate pair (\\ud800 to \\udfff); expected "
                "text."
            ) from None
        read = self._open_files([str(path)], None, True)
        return replace(read, files=files, name=_join_names(files))

    def lock(self) -> None:
        """Cut SQL off from everything but the files that were opened."""
        if not self._locked:
            paths = ", ".join(literal(str(path)) for path in [*self._paths, self.copied])
            self.connection.execute(f"SET allowed_paths=[{paths}]")
            self.connection.execute("SET enable_external_access=false")
            self._locked = True


def _same_columns(files: Sequence[File]) -> None:
    """Require that all files of a table have one format and the same columns, in any order."""
    formats = sorted({file.format for file in files})
    if len(formats) > 1:
        raise FairauditError(
            f"{files[0].name} and others: files of several formats ({', '.join(formats)}). "
            "Files that are read together need the same format."
        )
    expected = {column.name for column in files[0].columns}
    for file in files[1:]:
        found = {column.name for column in file.columns}
        if found != expected:
            odd = ", ".join(sorted(found ^ expected))
            raise FairauditError(
                f"{file.name}: its columns differ from those of {files[0].name}: {odd}. "
                "Files that are read together need the same columns."
            )


def _join_names(files: Sequence[File]) -> str:
    return files[0].name if len(files) == 1 else f"{files[0].name} and {len(files) - 1} more"


@dataclass(frozen=True)
class Batch:
    """Some records.

    Attributes
    ----------
    texts : mapping of column to str
        Cells of text, one a line; a missing cell is a line with a NUL.
    labels : mapping of column to list of str or None
        Cells of attributes, None where there is nothing.
    ids : array of uint64, shape (n,), or None
        64-bit digests of the record ids.
    keep : array of bool, shape (n,)
        Which records the filter keeps.
    numbers : mapping of column to array of float, shape (n,)
        Cells of numbers, nan where missing.
    times : array of int, shape (n,), or None
        How many records each row stands for, where records that are alike were put together.
    """

    texts: Mapping[str, str]
    labels: Mapping[str, Sequence[str | None]]
    ids: Array | None
    keep: Array
    numbers: Mapping[str, Array] = field(default_factory=dict)
    times: Array | None = None

    @property
    def records(self) -> int:
        """Number of records."""
        return len(self.keep) if self.times is None else int(self.times.sum())

    def present(self, name: str) -> Array:
        """Where a text is not missing, shape (n,), bool."""
        text = self.texts[name]
        if NOTHING not in text:
            return np.ones(len(self.keep), dtype=bool)
        return np.array([line != NOTHING for line in text.split("\n")], dtype=bool)

    def select(self, keep: Array) -> Batch:
        """Only the records where `keep` (shape (n,), bool) holds."""
        return Batch(
            {name: "\n".join(compress(t.split("\n"), keep)) for name, t in self.texts.items()},
            {name: list(compress(cells, keep)) for name, cells in self.labels.items()},
            None if self.ids is None else self.ids[keep],
            self.keep[keep],
            {name: cells[keep] for name, cells in self.numbers.items()},
            None if self.times is None else self.times[keep],
        )


@dataclass(frozen=True)
class _Layout:
    """Which columns a scan reads, in the order in which its query gives them."""

    texts: Sequence[str]
    labels: Sequence[str]
    identity: bool
    numbers: Sequence[str]
    alike: bool

    def batch(self, array: Any, start: int, stop: int) -> Batch:
        """Rows of an Arrow array."""
        columns = (array.child(i) for i in itertools.count())
        texts = {name: _strings(next(columns), start, stop)[:-1] for name in self.texts}
        labels = {name: _cells(next(columns), start, stop) for name in self.labels}
        ids = _digests(next(columns), start, stop) if self.identity else None
        numbers = {name: _floats(next(columns), start, stop) for name in self.numbers}
        keep = _flags(next(columns), start, stop)
        times = _whole_numbers(next(columns), start, stop) if self.alike else None
        return Batch(texts, labels, ids, keep, numbers, times)


@dataclass(frozen=True)
class Table:
    """Records in columns.

    Attributes
    ----------
    workspace : Workspace
        Its connection.
    select : str
        SQL query that gives the records.
    columns : tuple of Column
        What there is.
    files : tuple of File
        Where the records come from.
    name : str
        What messages call the table.
    dropped : mapping of str to int
        Records that a join dropped, by reason.
    """

    workspace: Workspace
    select: str
    columns: tuple[Column, ...]
    files: tuple[File, ...]
    name: str
    dropped: Mapping[str, int] = field(default_factory=dict)

    @property
    def notes(self) -> list[str]:
        """What a reader of the results must know of the files."""
        doubled = dict.fromkeys(column.name for column in self.columns if column.duplicated)
        twice = f"{self.name}: not used, as they stand twice in the header: {', '.join(doubled)}."
        return [*([twice] if doubled else []), *(n for file in self.files for n in file.notes)]

    @property
    def names(self) -> list[str]:
        """Names of the columns, in order."""
        return list(dict.fromkeys(column.name for column in self.columns))

    def column(self, name: str) -> Column:
        """Find a column by its exact name.

        Raises
        ------
        FairauditError
            If there is none (the nearest name is suggested), or two.
        """
        for column in self.columns:
            if column.name == name:
                if column.duplicated:
                    raise FairauditError(
                        f"{self.name}: column '{name}' stands twice in the header. "
                        "Rename one of the two."
                    )
                return column
        raise FairauditError(f"{self.name}: no column '{name}'. {nearest(name, self.names)}")

    def guess(self, role: str, flag: str) -> str | None:
        """Find the column for a role by the field's usual names; None where there is none.

        Parameters
        ----------
        role : str
            A key of `USUAL_NAMES`.
        flag : str
            The option that names the column, for the message.

        Raises
        ------
        FairauditError
            If several columns could be meant.
        """
        usual = USUAL_NAMES[role]
        candidates = [name for name in self.names if name.lower() in usual]
        if len(candidates) > 1:
            raise FairauditError(
                f"{self.name}: several columns could be the {role}: {', '.join(candidates)}. "
                f"Say which: {flag} {candidates[0]}"
            )
        return candidates[0] if candidates else None

    def likely(self, role: str) -> str | None:
        """Find the column for a role that nothing depends on: the most usual name there is."""
        names = {name.lower(): name for name in reversed(self.names)}
        return next((names[usual] for usual in USUAL_NAMES[role] if usual in names), None)

    def text(self, name: str) -> Column:
        """Find a column of text.

        Raises
        ------
        FairauditError
            If there is none, or it holds something else than text.
        """
        column = self.column(name)
        if column.type not in ("VARCHAR", "JSON") and not column.type.startswith("ENUM"):
            raise FairauditError(
                f"{self.name}: column '{name}' holds {column.type}; expected text."
            )
        return column

    def scan(
        self,
        texts: Sequence[str] = (),
        labels: Sequence[str] = (),
        *,
        numbers: Sequence[str] = (),
        identity: str | None = None,
        where: str | None = None,
        missing_values: Sequence[str] = MISSING_VALUES,
        alike: bool = False,
    ) -> Generator[Batch]:
        """Read records in batches of at most `BATCH`.

        Parameters
        ----------
        texts, labels, numbers : sequence of str
            Columns to read. In texts a blank cell of a CSV file is an empty text.
        identity : str, optional
            Column of the record ids.
        where : str, optional
            SQL expression over the columns; records for which it does not hold are not kept.
        missing_values : sequence of str
            What stands for a missing value in `where` and in numbers.
        alike : bool
            Whether records that are alike in all these columns are put together and counted.

        Raises
        ------
        FairauditError
            If a file is broken, or a cell is no text or no number where one is expected.
        """
        cells = [_text_cell(self.text(name)) for name in texts]
        cells += [f"coalesce({_number(self.column(name))}::VARCHAR, chr(0))" for name in labels]
        if identity is not None:
            cells.append(f"coalesce({column_name(self.column(identity))}::VARCHAR, '')")
        figures = [_figure(self.column(name), missing_values) for name in numbers]
        together = [self.column(name) for name in (*labels, *numbers)] if alike else None
        query = self._query([*cells, *figures], len(cells), where, missing_values, together)
        layout = _Layout(texts, labels, identity is not None, numbers, alike)
        stream = self._stream(query, where, alike)
        before = 0
        for array, start, stop in stream:
            batch = layout.batch(array, start, stop)
            for name in texts:
                if _has_nul(batch.texts[name]):
                    stream.close()
                    raise self._no_text(name)
            for name in numbers:
                odd = np.flatnonzero(np.isinf(batch.numbers[name]) & batch.keep)
                if len(odd):
                    stream.close()
                    raise self._no_number(name, before + int(odd[0]))
            before += len(batch.keep)
            yield batch

    def _query(
        self,
        cells: Sequence[str],
        strings: int,
        where: str | None,
        missing: Sequence[str],
        together: Sequence[Column] | None,
    ) -> str:
        """SQL that gives cells, then whether the record is kept, then how many are alike.

        The first so many `strings` among the cells end with a line feed. Records that are alike
        in the columns `together` are counted before cells are made of them.
        """
        kept = "1::UTINYINT"
        source = f"({self.select})"
        if where is not None:
            # The condition sees missing values as such; the cells are as they stand.
            seen = {column.alias: f"fairaudit:where:{column.alias}" for column in self.columns}
            known = {c.name: (seen[c.alias], c.type in ("VARCHAR", "JSON")) for c in self.columns}
            condition, used = compile_condition(self.workspace.connection, where, known)
            values = [
                f", {_value(column, missing)} AS {identifier(seen[column.alias])}"
                for column in self.columns
                if seen[column.alias] in used
            ]
            source = f"(SELECT *{''.join(values)} FROM {source})"
            kept = f"({condition} IS TRUE)::UTINYINT"
        if together is not None:
            columns = ", ".join(dict.fromkeys([*map(column_name, together)]))
            source = (
                f"(SELECT {columns}, {kept} AS {_KEPT}, count(*)::BIGINT AS {_TIMES} "
                f"FROM {source} GROUP BY ALL)"
            )
            kept = _KEPT
        ended = [f"{cell} || chr(10)" for cell in cells[:strings]]
        outputs = [*ended, *cells[strings:], kept, *([_TIMES] if together is not None else [])]
        return f"SELECT {', '.join(outputs)} FROM {source}"

    def _stream(
        self, query: str, where: str | None, alike: bool
    ) -> Generator[tuple[Any, int, int]]:
        """Run a query: Arrow batches, and ranges of at most `BATCH` rows in them."""
        from nanoarrow import ArrayStream
        from nanoarrow._utils import NanoarrowException

        self.workspace.lock()
        # Adding up alike records is all the database's work: it may use the whole machine.
        threads = os.cpu_count() or 1 if alike else 1
        self.workspace.connection.execute(f"SET threads={threads}")
        try:
            with ArrayStream(self.workspace.connection.sql(query)) as arrays:
                for array in arrays:
                    for start in range(0, len(array), BATCH):
                        yield array, start, min(start + BATCH, len(array))
        except (duckdb.Error, NanoarrowException) as error:
            fault = re.search(r"(Binder|Conversion) Error: (.*)", str(error))
            if where is not None and fault:
                raise FairauditError(
                    f"--where {where}: {fault[2]}. Cast columns of text: CAST(age AS DOUBLE) + 1; "
                    "--na says which values mean missing."
                ) from None
            raise self._broken(error) from None

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Run a query over ``records``, this table, and fetch all rows."""
        self.workspace.lock()
        try:
            return self.workspace.connection.execute(
                f"WITH records AS ({self.select}) {query}"
            ).fetchall()
        except duckdb.Error as error:
            raise self._broken(error) from None

    def _broken(self, error: Exception) -> FairauditError:
        """Say which file and line a query failed on."""
        text = str(error)
        for file in self.files:
            if len(self.files) == 1 or str(file.path) in text:
                return sources.broken_file(error, file)
        return sources.broken(error, self.name)

    def copy(self, columns: Mapping[str, str], format: str) -> Path:
        """Write records to a file in the workspace.

        Parameters
        ----------
        columns : mapping of str to str
            Aliases of columns, and what they are to be called.
        format : {"csv", "tsv", "json", "parquet"}
            How to write. A blank cell of delimited text becomes an empty text, not a null.
        """
        of = {column.alias: column for column in self.columns}
        cells = ", ".join(
            f"{_kept_cell(of[old])} AS {identifier(new)}" for old, new in columns.items()
        )
        kinds = {"csv": "FORMAT csv, HEADER", "tsv": "FORMAT csv, HEADER, DELIMITER '\t'"}
        options = f"{kinds.get(format, f'FORMAT {format}')}, USE_TMP_FILE false"
        self.workspace.lock()
        try:
            self.workspace.connection.execute(
                f"COPY (SELECT {cells} FROM ({self.select})) "
                f"TO {literal(str(self.workspace.copied))} ({options})"
            )
        except duckdb.Error as error:
            raise self._broken(error) from None
        return self.workspace.copied

    def refuse_duplicate(self, name: str, digest: int, where: str | None) -> None:
        """Name the id that stands twice in a column, if two ids of a digest are indeed one.

        Raises
        ------
        FairauditError
            If they are.
        """
        found: list[str | None] = []
        for batch in self.scan(labels=[name], identity=name, where=where):
            same = (batch.ids == digest) & batch.keep
            found += compress(batch.labels[name], same)
        if len(set(found)) < len(found):
            times = f"'{found[0]}' stands {len(found)} times"
            raise FairauditError(
                f"{self.name}: ids in column '{name}' must be unique; "
                f"{times if found[0] else f'{len(found)} are empty'}. "
                "Audit one run at a time (--where), or name another column: --id-column"
            )

    def outside(
        self, name: str, low: float, high: float, missing: Sequence[str], where: str | None
    ) -> FairauditError:
        """Say which number of a column is the first outside [low, high]."""
        number, text = self._first_outside(name, low, high, missing, where)
        expected = f"{low:g} or more" if high > 1e9 else f"a number from {low:g} to {high:g}"
        return FairauditError(f"{self.name}, row {number}: {name} is {text}; expected {expected}.")

    def _first_outside(
        self, name: str, low: float, high: float, missing: Sequence[str], where: str | None
    ) -> tuple[int, str | None]:
        before = 0
        for batch in self.scan(labels=[name], numbers=[name], where=where, missing_values=missing):
            cells = batch.numbers[name]
            odd = np.flatnonzero(batch.keep & ((cells < low) | (cells > high)))
            if len(odd):
                return before + int(odd[0]) + 1, batch.labels[name][odd[0]]
            before += len(batch.keep)
        raise AssertionError(f"no number of {name} is outside [{low}, {high}]")

    def _no_number(self, name: str, row: int) -> FairauditError:
        """Say which cell is no number; rows count from 0."""
        column = column_name(self.column(name))
        text = self.rows(f"SELECT {column}::VARCHAR FROM records LIMIT 1 OFFSET {row}")[0][0]
        return FairauditError(
            f"{self.name}, row {row + 1}: {name} is '{text}'; expected a number. "
            f"Use --na {text} to treat it as missing (--na replaces NA and the others)."
        )

    def _no_text(self, name: str) -> FairauditError:
        """Find the first cell that is no text, which `_text_cell` marked, or holds a NUL."""
        column = self.column(name)
        number, text = self.rows(
            "SELECT n, text FROM (SELECT row_number() OVER () AS n, "
            f"{column_name(column)} AS text, {_text_cell(column)} AS cell FROM records) "
            "WHERE contains(cell, chr(0)) AND cell <> chr(0) LIMIT 1"
        )[0]
        found = "holds a NUL byte" if NOTHING in text else f"is {text}"
        return FairauditError(f"{self.name}, row {number}: {name} {found}; expected text.")


def _has_nul(column: str) -> bool:
    """Whether a cell holds a NUL, beside those that are nothing but one: the missing."""
    return NOTHING in column and any(
        NOTHING in cell and cell != NOTHING for cell in column.split("\n")
    )


def column_name(column: Column) -> str:
    """The column's name, quoted for SQL."""
    return identifier(column.alias)


def _text_cell(column: Column) -> str:
    """SQL for a cell of text: NUL where missing, NUL and more where it is no text."""
    name = column_name(column)
    if column.type == "JSON":
        kind = identifier(f"{column.alias}:type")
        return (
            f"CASE WHEN {name} IS NULL THEN chr(0) WHEN {kind} = 'VARCHAR' THEN {name} "
            "ELSE chr(0) || '?' END"
        )
    return f"coalesce({name}::VARCHAR, {chr(39) * 2 if column.delimited else 'chr(0)'})"


def _number(column: Column) -> str:
    """SQL for a cell, NULL where it is a float that is no number."""
    name = column_name(column)
    return f"CASE WHEN NOT isnan({name}) THEN {name} END" if column.type in _FLOATS else name


def _figure(column: Column, missing: Sequence[str]) -> str:
    """SQL for a number: infinite where missing, not a number where it is none."""
    cell = f"TRY_CAST({column_name(column)} AS DOUBLE)"
    listed = [f"{number!r}::DOUBLE" for number in map(_as_number, missing) if number is not None]
    named = f"OR {cell} IN ({', '.join(listed)}) " if listed else ""
    return (
        f"CASE WHEN {_value(column, missing)} IS NULL {named}THEN 'inf'::DOUBLE "
        f"WHEN isfinite({cell}) THEN {cell} ELSE 'nan'::DOUBLE END"
    )


def _as_number(text: str) -> float | None:
    """The finite number that a text is, None where it is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


#: No column of the user's is called so.
_KEPT, _TIMES = '"fairaudit:kept"', '"fairaudit:times"'

#: SQL types that have a value for "not a number".
_FLOATS = ("FLOAT", "DOUBLE")


def _kept_cell(column: Column) -> str:
    """SQL for a cell as it is; of delimited text a blank one is an empty text."""
    name = column_name(column)
    if column.type in _FLOATS:
        return f"CASE WHEN isfinite({name}) THEN {name} END"
    return f"coalesce({name}, '')" if column.delimited else name


def _value(column: Column, missing: Sequence[str]) -> str:
    """SQL for a cell, NULL where it is one of the missing values."""
    listed = ", ".join(literal(value) for value in missing)
    name = _number(column)
    if not listed or column.type not in ("VARCHAR", "JSON"):
        return name
    return f"CASE WHEN {name} NOT IN ({listed}) THEN {name} END"


def _strings(column: Any, start: int, stop: int) -> str:
    """Rows of an Arrow string column, each ended by a line feed (put there by the query).

    Line feeds within a cell become spaces.
    """
    data, ends = _buffers(column, start, stop)
    text = str(data[ends[0] : ends[-1]], "utf-8")
    if text.count("\n") == stop - start:
        return text
    cells = (str(data[a : b - 1], "utf-8") for a, b in pairwise(ends.tolist()))
    return "".join(cell.replace("\n", " ") + "\n" for cell in cells)


def _buffers(column: Any, start: int, stop: int) -> tuple[memoryview, Array]:
    """Bytes of an Arrow string column, and where rows begin and end in them."""
    _, offsets, data = column.buffers
    ends = np.frombuffer(offsets, dtype=np.int32)
    return memoryview(data), ends[column.offset + start : column.offset + stop + 1]


def _cells(column: Any, start: int, stop: int) -> Sequence[str | None]:
    """Rows of an Arrow string column, each ended by a line feed, as a list: None where missing."""
    data, ends = _buffers(column, start, stop)
    text = str(data[ends[0] : ends[-1]], "utf-8")
    cells: list[str | None] = list(text.split("\n"))
    cells.pop()
    if len(cells) != stop - start:  # a cell has line feeds of its own
        cells = [str(data[a : b - 1], "utf-8") for a, b in pairwise(ends.tolist())]
    if NOTHING in text:
        return [None if cell == NOTHING else cell for cell in cells]
    return cells


def _digests(column: Any, start: int, stop: int) -> Array:
    """64-bit digests of the rows of an Arrow string column, the same on every machine.

    A polynomial in the bytes modulo 2^64, then splitmix64's finalizer (Steele, Lea & Flood,
    OOPSLA 2014), so that sums of digests differ where sets of ids do.
    """
    data, ends = _buffers(column, start, stop)
    text = np.frombuffer(data, dtype=np.uint8)[ends[0] : ends[-1]].astype(np.uint64)
    begins, lengths = ends[:-1] - ends[0], np.diff(ends)
    place = np.arange(len(text)) - np.repeat(begins, lengths)
    with np.errstate(over="ignore"):
        power = np.cumprod(np.full(lengths.max(initial=1), 0x9E3779B97F4A7C15, dtype=np.uint64))
        digest = np.add.reduceat((text + np.uint64(1)) * power[place], begins)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
            digest = (digest ^ (digest >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(digest)


def _floats(column: Any, start: int, stop: int) -> Array:
    """Rows of an Arrow column from `_figure`: nan where missing, infinite where no number."""
    data = np.frombuffer(column.buffers[1], dtype=np.float64)
    values = data[column.offset + start : column.offset + stop]
    return np.where(np.isinf(values), np.nan, np.where(np.isnan(values), np.inf, values))


def _whole_numbers(column: Any, start: int, stop: int) -> Array:
    """Rows of an Arrow column of 64-bit integers."""
    numbers = np.frombuffer(column.buffers[1], dtype=np.int64)
    return numbers[column.offset + start : column.offset + stop]


def _flags(column: Any, start: int, stop: int) -> Array:
    """Rows of an Arrow column of bytes that are 0 or 1."""
    flags = np.frombuffer(column.buffers[1], dtype=np.uint8)
    return flags[column.offset + start : column.offset + stop].astype(bool)
