"""Transcribe the recordings of a table, so that `fairaudit wer` can audit the transcripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError
from fairaudit.lm import audio, checkpoints, recordings, require
from fairaudit.lm.audio import BrokenAudio
from fairaudit.lm.journal import Journal
from fairaudit.lm.recognizers import DTYPES, TASKS, Recognizer
from fairaudit.lm.recordings import DELIMITERS, ERROR, Failure, Recordings, is_json_lines
from fairaudit.table import Workspace

#: Failures that `Transcribed.lines` names; the output names all.
SHOWN = 20

OnError = Literal["stop", "skip"]


@dataclass(frozen=True)
class Transcribed:
    """What became of the recordings of a table.

    Attributes
    ----------
    path : Path
        The output.
    total, done : int
        Records, and those with a transcript.
    failed : tuple of Failure
        Those without, in the order of the table.
    resumed : int
        Transcripts that an interrupted run had left.
    """

    path: Path
    total: int
    done: int
    failed: tuple[Failure, ...]
    resumed: int

    def lines(self) -> list[str]:
        """Messages for people: what failed and why, and what was done."""
        lines = [str(failure) for failure in self.failed[:SHOWN]]
        if len(self.failed) > SHOWN:
            lines.append(f"... and {len(self.failed) - SHOWN:,} more: see the column {ERROR}")
        done = f"{self.path}: {self.done:,} of {self.total:,} recordings transcribed"
        earlier = f", {self.resumed:,} of them by an interrupted run" if self.resumed else ""
        lines.append(f"{done}{earlier}.")
        if self.failed:
            lines.append(
                f"{len(self.failed):,} could not be used: an audit counts their words as deleted, "
                f'unless it leaves them out: fairaudit wer --where "{ERROR} IS NULL"'
            )
        return lines


def transcribe(
    table: Any,
    *,
    model: str | Path,
    output: str | Path,
    audio_column: str | None = None,
    id_column: str | None = None,
    audio_root: str | Path | None = None,
    language: str | None = None,
    task: str | None = None,
    device: str = "auto",
    dtype: str = "float32",
    batch_size: int = 8,
    on_error: OnError = "stop",
    restart: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Transcribed:
    """Transcribe the recordings that a table names.

    The output is the table with two more columns, ``hypothesis`` and ``transcribe_error``.
    Decoding is greedy. What is done is kept beside the output, in ``{output}.partial``, and the
    same call goes on from there after an interruption. It may then have another device, batch
    size or `on_error`: they change no transcript, but for the rounding of the device.

    Parameters
    ----------
    table : path, pattern, sequence of paths, "-" or data frame
        Records with a column of paths.
    model : str or Path
        A folder, which is read without any network, or a name on the Hugging Face hub.
    output : str or Path
        Where to write: ``.csv``, ``.tsv`` or ``.jsonl``.
    audio_column, id_column : str, optional
        Columns; guessed from the field's usual names where not given. The id is for messages.
    audio_root : str or Path, optional
        What relative paths are relative to; by default the table's folder.
    language, task : str, optional
        For Whisper, which otherwise guesses the language of each recording.
    device : str
        ``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``cuda:N``.
    dtype : {"float32", "float16", "bfloat16"}
        Precision of weights and arithmetic.
    batch_size : int
        Recordings that are read, transcribed and written down at once.
    on_error : {"stop", "skip"}
        Whether a recording that cannot be used stops the work, or keeps its row with a null
        hypothesis and the reason.
    restart : bool
        Forget what an interrupted run did.
    progress : callable
        Told how many recordings are done, and how many there are.

    Returns
    -------
    Transcribed

    Raises
    ------
    FairauditError
        If something is missing or broken; the message says what to do.
    """
    require("transcribe", "torch", "transformers", "soundfile", "soxr")
    _check_settings(dtype, task, batch_size, on_error)
    path = _check_output(Path(output))
    with Workspace() as workspace:
        opened = workspace.open(table)
        records = recordings.read(opened, path, audio_column, id_column, audio_root)
    folder = checkpoints.find(model)
    settings = {"--language": str(language), "--task": str(task), "--dtype": dtype}
    work = {"--model": checkpoints.digest(folder), **_identity(records), **settings}
    journal = Journal(path, work, restart)
    try:
        resumed = len(journal.done)
        worker = _Worker(records, journal, on_error, progress)
        if rows := worker.pending():
            recognizer = Recognizer(folder, str(model), device, dtype, language, task)
            worker.run(rows, recognizer, batch_size)
        worker.refuse_nothing()
        records.write(path, journal.done, worker.failed)
        journal.remove()
    finally:
        journal.close()
    failed = tuple(worker.failed[row] for row in sorted(worker.failed))
    return Transcribed(path, len(records.rows), len(journal.done), failed, resumed)


def _check_settings(dtype: str, task: str | None, batch_size: int, on_error: str) -> None:
    for option, value, known in (
        ("--dtype", dtype, DTYPES),
        ("--task", task or TASKS[0], TASKS),
        ("--on-error", on_error, ("stop", "skip")),
    ):
        if value not in known:
            raise FairauditError(f"{option} {value}: expected one of {', '.join(known)}.")
    if batch_size < 1:
        raise FairauditError(f"--batch-size {batch_size}: expected 1 or more.")


def _check_output(path: Path) -> Path:
    """Find out before hours of work whether this can be the output."""
    if not is_json_lines(path) and path.suffix.lower() not in DELIMITERS:
        raise FairauditError(f"--output {path}: expected a name that ends in .csv, .tsv or .jsonl.")
    if path.exists() and not path.is_file():
        raise FairauditError(f"{path}: cannot be written: not a regular file.")
    return path


def _identity(records: Recordings) -> dict[str, str]:
    """What makes the recordings the same in a later run."""
    return {
        "table": records.digest,
        "--audio-column": records.column,
        "--audio-root": str(records.root.resolve()),
    }


class _Worker:
    """Works through the recordings that no earlier run has done."""

    def __init__(
        self,
        records: Recordings,
        journal: Journal,
        on_error: OnError,
        progress: Callable[[int, int], None],
    ) -> None:
        self.failed: dict[int, Failure] = {}
        self._records = records
        self._journal = journal
        self._on_error = on_error
        self._progress = progress

    def pending(self) -> list[int]:
        """Rows that are neither done nor known to fail; looks whether all files are there."""
        rows = [row for row in self._rows() if row not in self._journal.done]
        for row in rows:
            try:
                self._records.sound(row)
            except BrokenAudio as error:
                self.failed[row] = self._records.failure(row, error)
        self._stop_if_asked()
        return [row for row in rows if row not in self.failed]

    def run(self, rows: Sequence[int], recognizer: Recognizer, batch_size: int) -> None:
        """Transcribe recordings, batch by batch."""
        for start in range(0, len(rows), batch_size):
            self._tell()
            self._batch(rows[start : start + batch_size], recognizer)
            self._stop_if_asked()
        self._tell()

    def _batch(self, rows: Sequence[int], recognizer: Recognizer) -> None:
        """Transcribe some recordings and write them down; those that are broken are named."""
        sounds: dict[int, Array] = {}
        for row in rows:
            try:
                sounds[row] = self._read(row, recognizer)
            except BrokenAudio as error:
                self.failed[row] = self._records.failure(row, error)
        texts = recognizer.transcribe(list(sounds.values()))
        self._journal.add(dict(zip(sounds, texts, strict=True)))

    def _read(self, row: int, recognizer: Recognizer) -> Array:
        sound = audio.read(self._records.sound(row), recognizer.rate)
        if len(sound) < recognizer.least:
            seconds, least = len(sound) / recognizer.rate, recognizer.least / recognizer.rate
            raise BrokenAudio(f"too short: {seconds:.4f} s; the model needs {least:.4f} s")
        return sound

    def _rows(self) -> range:
        return range(len(self._records.rows))

    def _tell(self) -> None:
        self._progress(len(self._journal.done) + len(self.failed), len(self._records.rows))

    def _stop_if_asked(self) -> None:
        if self.failed and self._on_error == "stop":
            first, *more = (self.failed[row] for row in sorted(self.failed))
            others = f" ({len(more):,} more like it.)" if more else ""
            kept = f" What is done is kept in {self._journal.path}." if self._journal.done else ""
            raise FairauditError(
                f"{self._records.name}, {first}.{others} Mend the file and run the same command "
                f"again, or keep such rows without a transcript: --on-error skip{kept}"
            )

    def refuse_nothing(self) -> None:
        """Require that at least one recording could be used."""
        if len(self.failed) == len(self._records.rows):
            raise FairauditError(
                f"{self._records.name}: none of the {len(self.failed):,} recordings can be used. "
                f"The first: {self.failed[0]}. Check --audio-column and --audio-root."
            )
