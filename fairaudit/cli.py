"""Commands: parse, call one function, print, exit. No domain logic."""

from __future__ import annotations

import errno
import functools
import os
import sys
import traceback
from collections.abc import Callable
from enum import Enum
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

import fairaudit
from fairaudit.exceptions import FairauditError

# Before NumPy is imported: the matrices here are small, and idle threads of the linear algebra
# library cost a sixth of a short audit's processor time.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

Command = TypeVar("Command", bound=Callable[..., None])

app = typer.Typer(
    name="fairaudit",
    help="Audit whether a model treats groups of people alike.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

INTERRUPTED = 130
PIPE_CLOSED = 141


def main() -> None:
    """Run the command line; a bug exits with 3, for 1 means that a criterion failed."""
    for stream in (sys.stdout, sys.stderr):
        # What the terminal's encoding lacks is shown by its code, not a reason to stop.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except Exception:
        traceback.print_exc()
        sys.stderr.write("This is a bug in fairaudit. Please report it with the lines above.\n")
        sys.exit(3)


def command(function: Command) -> Command:
    """Register a command; the user's mistakes become one message and exit code 2."""

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
            if sys.stdout is not None:
                sys.stdout.flush()
        except FairauditError as error:
            _say(f"error: {error}")
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # The reader has gone; nothing more can be said, not even at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(PIPE_CLOSED) from None
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EIO):
                raise
            _say(f"error: cannot be written: {error.strerror}.")
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(2) from None

    app.command()(guarded)
    return function


def _say(message: str) -> None:
    """Write a message to standard error, what names from the data hold made visible."""
    from fairaudit.report.sheets import printable

    if sys.stderr is not None:
        sys.stderr.write(printable(message) + "\n")


class Format(str, Enum):
    """How results are printed."""

    table = "table"
    json = "json"
    csv = "csv"
    markdown = "markdown"
    kaldi = "kaldi"


class Missing(str, Enum):
    """What becomes of an id that stands in one table only."""

    error = "error"
    delete = "delete"
    skip = "skip"


class Match(str, Enum):
    """How ids match."""

    exact = "exact"
    stem = "stem"


class Interval(str, Enum):
    """How intervals are made."""

    auto = "auto"
    t = "t"
    bootstrap = "bootstrap"
    percentile = "percentile"


class Correction(str, Enum):
    """How p-values are adjusted."""

    holm = "holm"
    bh = "bh"
    none = "none"


class OnError(str, Enum):
    """What becomes of a recording that cannot be used."""

    stop = "stop"
    skip = "skip"


class Task(str, Enum):
    """What Whisper writes down."""

    # Not by their values: `translate` is a method of str.
    as_spoken = "transcribe"
    in_english = "translate"


class Dtype(str, Enum):
    """Precision of weights and arithmetic."""

    float32 = "float32"
    float16 = "float16"
    bfloat16 = "bfloat16"


def _option(help: str, *names: str, panel: str | None = None, metavar: str | None = None) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=panel, metavar=metavar)


_GROUPS, _STATISTICS, _MODEL, _OUTPUT = "Groups", "Statistics", "Model", "Output"

Files = Annotated[
    list[str] | None,
    typer.Argument(
        help="CSV, TSV, JSON lines or Parquet with references and hypotheses; - is stdin.",
        metavar="[FILE]...",
        show_default=False,
    ),
]
Ref = Annotated[
    str | None,
    _option("References alone: a table, trn, stm, SegLST, Kaldi's text.", metavar="FILE"),
]
Hyp = Annotated[
    str | None, _option("Hypotheses alone, joined by id; for an stm a ctm.", metavar="FILE")
]
Speakers = Annotated[
    str | None, _option("A table with a row per speaker, joined by speaker.", metavar="FILE")
]
RefColumn = Annotated[str | None, _option("Column of references.", metavar="NAME")]
HypColumn = Annotated[str | None, _option("Column of hypotheses.", metavar="NAME")]
IdColumn = Annotated[str | None, _option("Column of utterance ids.", metavar="NAME")]
SpeakerColumn = Annotated[
    str | None, _option("Column that --speakers is joined by.", metavar="NAME")
]
MissingIds = Annotated[
    Missing, _option("An id in one file only: stop, count the words as deleted, or skip it.")
]
MatchIds = Annotated[
    Match, _option("Match ids as they are, or as file names without folder and suffix.")
]

By = Annotated[
    list[str] | None,
    _option("Group by a column; a:b is a crossing. Repeatable.", panel=_GROUPS, metavar="COLUMN"),
]
Cluster = Annotated[
    str | None,
    _option(
        "Column of what was sampled independently: speaker, user.",
        panel=_GROUPS,
        metavar="COLUMN",
    ),
]
Bins = Annotated[
    list[str] | None,
    _option("Cut a numeric attribute: age=18,30,45. Repeatable.", panel=_GROUPS, metavar="CUTS"),
]
Where = Annotated[
    str | None,
    _option("Keep records: \"accent = 'us' and age >= 18\".", panel=_GROUPS, metavar="CONDITION"),
]
Na = Annotated[
    list[str] | None,
    _option(
        "A value that means missing, instead of NA, N/A, NaN, null, None. Repeatable.",
        panel=_GROUPS,
        metavar="VALUE",
    ),
]
CompareTo = Annotated[
    str,
    _option(
        "rest, best, largest or the name of a group.",
        "--compare-to",
        panel=_STATISTICS,
        metavar="GROUP",
    ),
]
MinN = Annotated[
    int,
    _option("Leave groups with fewer records out of comparisons.", "--min-n", panel=_STATISTICS),
]
Confidence = Annotated[float, _option("Level of all intervals.", panel=_STATISTICS)]
Intervals = Annotated[
    Interval, _option("auto is Student's t, Wilson where it applies.", panel=_STATISTICS)
]
Corrections = Annotated[Correction, _option("Adjustment of p-values.", panel=_STATISTICS)]
Resamples = Annotated[int, _option("Resamples and permutations.", panel=_STATISTICS)]
Seed = Annotated[int, _option("Seed of resamples and permutations.", panel=_STATISTICS)]
Output = Annotated[
    Path | None,
    _option("Write the audit as JSON.", "--output", "-o", panel=_OUTPUT, metavar="FILE"),
]
Formats = Annotated[Format, _option("What to print.", "--format", panel=_OUTPUT)]
Quiet = Annotated[bool, _option("No messages, no progress.", "--quiet", "-q", panel=_OUTPUT)]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fairaudit {fairaudit.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", "-V", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Audit whether a model treats groups of people alike."""


@command
def wer(
    file: Files = None,
    by: By = None,
    cluster: Cluster = None,
    ref: Ref = None,
    hyp: Hyp = None,
    speakers: Speakers = None,
    ref_column: RefColumn = None,
    hyp_column: HypColumn = None,
    id_column: IdColumn = None,
    speaker_column: SpeakerColumn = None,
    missing: MissingIds = Missing.error,
    match_id: MatchIds = Match.exact,
    against: Annotated[
        str | None,
        _option("What an earlier recogniser heard, joined by id: report changes.", metavar="FILE"),
    ] = None,
    normalize: Annotated[
        list[str] | None,
        _option(
            "none, case, basic (the default), whisper-en, koenecke, or a TOML file of rules. "
            "Repeatable: the first is the main one.",
            metavar="NAME",
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        _option("Report these metrics instead of all, the first in full. Repeatable."),
    ] = None,
    adjust: Annotated[
        str | None,
        _option(
            "Ratios at equal covariates, entered one after the other: duration,age+gender.",
            metavar="COLUMNS",
        ),
    ] = None,
    match: Annotated[
        str | None,
        _option("Compare with the nearest neighbours in these covariates.", metavar="COLUMNS"),
    ] = None,
    caliper: Annotated[
        float, _option("Farthest neighbour, in standard deviations of the propensity's logit.")
    ] = 0.2,
    explain: Annotated[
        bool,
        _option("Say where the errors come from; the audit file then quotes words of the data."),
    ] = False,
    texts: Annotated[
        bool, _option("Quote words of the data, or none anywhere.", "--texts/--no-texts")
    ] = True,
    bins: Bins = None,
    where: Where = None,
    na: Na = None,
    compare_to: CompareTo = "rest",
    min_n: MinN = 0,
    confidence: Confidence = 0.95,
    interval: Intervals = Interval.auto,
    correction: Corrections = Correction.holm,
    resamples: Resamples = 2000,
    seed: Seed = 0,
    output: Output = None,
    format: Formats = Format.table,
    quiet: Quiet = False,
) -> None:
    """Word error rates by group, with intervals, differences and the gap.

    Example: fairaudit wer calls.csv --by accent --cluster speaker
    """
    from fairaudit.audits.wer import wer
    from fairaudit.metrics import SPEECH
    from fairaudit.report.progress import progress
    from fairaudit.table import MISSING_VALUES

    with progress(Console(stderr=True), quiet) as report:
        audit = wer(
            file or None,
            by=by or (),
            cluster=cluster,
            ref=ref,
            hyp=hyp,
            speakers=speakers,
            ref_column=ref_column,
            hyp_column=hyp_column,
            id_column=id_column,
            speaker_column=speaker_column,
            missing=missing.value,
            match_id=match_id.value,
            against=against,
            normalize=normalize or "basic",
            metrics=metric or SPEECH,
            adjust=adjust,
            match=match,
            caliper=caliper,
            explain=explain,
            texts=texts,
            bins=bins or (),
            where=where,
            na=MISSING_VALUES if na is None else tuple(na),
            progress=report,
            compare_to=compare_to,
            min_n=min_n,
            confidence=confidence,
            interval=interval.value,
            correction=correction.value,
            resamples=resamples,
            seed=seed,
        )
    if not quiet:
        roles = ("ref", "hyp", "before", "id", "cluster")
        found = {role: audit.settings[role] for role in roles}
        _say("columns: " + ", ".join(f"{role}={name}" for role, name in found.items() if name))
    _deliver(audit, format, output, further=metric is not None)


@command
def transcribe(
    table: Annotated[
        str,
        typer.Argument(
            help="CSV, TSV, JSON lines or Parquet with a column of paths; - is stdin.",
            metavar="AUDIO_TABLE",
            show_default=False,
        ),
    ],
    model: Annotated[
        str,
        _option(
            "A model's folder, or its name on the Hugging Face hub.",
            panel=_MODEL,
            metavar="DIR|NAME",
        ),
    ],
    output: Annotated[
        Path,
        _option(
            "Write the table with its transcripts: .csv, .tsv or .jsonl.",
            "--output",
            "-o",
            panel=_OUTPUT,
            metavar="FILE",
        ),
    ],
    audio_column: Annotated[str | None, _option("Column of paths.", metavar="NAME")] = None,
    id_column: Annotated[
        str | None, _option("Column of ids, for messages.", metavar="NAME")
    ] = None,
    audio_root: Annotated[
        Path | None,
        _option("What paths are relative to, instead of the table's folder.", metavar="FOLDER"),
    ] = None,
    on_error: Annotated[
        OnError,
        _option("A recording that cannot be used: stop, or keep its row without a transcript."),
    ] = OnError.stop,
    restart: Annotated[bool, _option("Forget what an interrupted run did.", "--restart")] = False,
    language: Annotated[
        str | None, _option("The language spoken (Whisper).", panel=_MODEL, metavar="LANGUAGE")
    ] = None,
    task: Annotated[Task | None, _option("What to write down (Whisper).", panel=_MODEL)] = None,
    device: Annotated[
        str,
        _option("auto, cpu, cuda or cuda:N.", "--device", panel=_MODEL, metavar="DEVICE"),
    ] = "auto",
    dtype: Annotated[Dtype, _option("Precision.", panel=_MODEL)] = Dtype.float32,
    batch_size: Annotated[
        int, _option("Recordings read and transcribed at once.", panel=_MODEL)
    ] = 8,
    quiet: Quiet = False,
) -> None:
    """Transcribe recordings with a speech recognition model, for fairaudit wer.

    Run the same command again after an interruption: it goes on where it was.

    Example: fairaudit transcribe calls.csv --model openai/whisper-tiny -o transcripts.csv
    """
    from fairaudit.lm.transcribe import transcribe
    from fairaudit.report.progress import progress

    with progress(Console(stderr=True), quiet, "recordings") as report:
        done = transcribe(
            table,
            model=model,
            output=output,
            audio_column=audio_column,
            id_column=id_column,
            audio_root=audio_root,
            language=language,
            task=None if task is None else task.value,
            device=device,
            dtype=dtype.value,
            batch_size=batch_size,
            on_error=on_error.value,
            restart=restart,
            progress=report,
        )
    if not quiet:
        for line in done.lines():
            _say(line)


@command
def convert(
    output: Annotated[
        Path,
        _option("The table: .csv, .tsv, .jsonl or .parquet.", "--output", "-o", metavar="FILE"),
    ],
    file: Files = None,
    ref: Ref = None,
    hyp: Hyp = None,
    speakers: Speakers = None,
    ref_column: RefColumn = None,
    hyp_column: HypColumn = None,
    id_column: IdColumn = None,
    speaker_column: SpeakerColumn = None,
    missing: MissingIds = Missing.error,
    match_id: MatchIds = Match.exact,
    quiet: Quiet = False,
) -> None:
    """Write transcripts of any format as one table, which audits as they do.

    Example: fairaudit convert --ref dev.stm --hyp dev.ctm -o dev.csv
    """
    from fairaudit.audits.speech.convert import convert
    from fairaudit.audits.speech.transcripts import Transcripts

    transcripts = Transcripts(
        file or None, ref, hyp, speakers, ref_column, hyp_column, id_column, speaker_column,
        missing.value, match_id.value,
    )  # fmt: skip
    done = convert(transcripts, output)
    if not quiet:
        left_out = "".join(f"; {reason}: {count:,}" for reason, count in done.dropped.items())
        _say(f"{done.path}: {done.records:,} records{left_out}. {', '.join(done.columns)}")
        for note in done.notes:
            _say(f"Note: {note}")


def _deliver(audit: Any, format: Format, output: Path | None, further: bool) -> None:
    """Write the audit file and print the result."""
    from fairaudit.report import machine, terminal

    if output is not None:
        audit.save(output)
    if format is Format.json:
        sys.stdout.write(audit.to_json())
    elif format is Format.csv:
        sys.stdout.write(machine.to_csv(audit))
    elif format is Format.markdown:
        sys.stdout.write(machine.to_markdown(audit, further))
    elif format is Format.kaldi:
        sys.stdout.write(machine.to_kaldi(audit))
    else:
        terminal.show(audit, Console(highlight=False), further)
