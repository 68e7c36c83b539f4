"""Commands of speech: wer, convert, transcribe."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from fairaudit.cli.app import command, say
from fairaudit.cli.options import (
    MODEL,
    OUTPUT,
    Bins,
    By,
    Cluster,
    CompareTo,
    Confidence,
    Correction,
    Corrections,
    Decide,
    Decides,
    ExitZero,
    Files,
    Format,
    Formats,
    Hyp,
    HypColumn,
    IdColumn,
    Interval,
    Intervals,
    Match,
    MatchIds,
    MinN,
    Missing,
    MissingIds,
    Na,
    Output,
    Quiet,
    Ref,
    RefColumn,
    Resamples,
    RubricName,
    Seed,
    SpeakerColumn,
    Speakers,
    Strict,
    Where,
    deliver,
    option,
    shared,
)


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


@command
def wer(
    context: typer.Context,
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
        option("What an earlier recogniser heard, joined by id: report changes.", metavar="FILE"),
    ] = None,
    normalize: Annotated[
        list[str] | None,
        option(
            "none, case, basic (the default), whisper-en, koenecke, or a TOML file of rules. "
            "Repeatable: the first is the main one.",
            metavar="NAME",
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        option("Report these metrics instead of all, the first in full. Repeatable."),
    ] = None,
    adjust: Annotated[
        str | None,
        option(
            "Ratios at equal covariates, entered one after the other: duration,age+gender.",
            metavar="COLUMNS",
        ),
    ] = None,
    match: Annotated[
        str | None,
        option("Compare with the nearest neighbours in these covariates.", metavar="COLUMNS"),
    ] = None,
    caliper: Annotated[
        float, option("Farthest neighbour, in standard deviations of the propensity's logit.")
    ] = 0.2,
    explain: Annotated[
        bool,
        option("Say where the errors come from; the audit file then quotes words of the data."),
    ] = False,
    texts: Annotated[
        bool, option("Quote words of the data, or none anywhere.", "--texts/--no-texts")
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
    rubric: RubricName = None,
    decide: Decides = Decide.interval,
    strict: Strict = False,
    exit_zero: ExitZero = False,
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
            progress=report,
            **shared(context),
        )
    if not quiet:
        roles = ("ref", "hyp", "before", "id", "cluster")
        found = {role: audit.settings[role] for role in roles}
        say("columns: " + ", ".join(f"{role}={name}" for role, name in found.items() if name))
    deliver(context, audit, further=metric is not None)


@command
def convert(
    output: Annotated[
        Path,
        option("The table: .csv, .tsv, .jsonl or .parquet.", "--output", "-o", metavar="FILE"),
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
        say(f"{done.path}: {done.records:,} records{left_out}. {', '.join(done.columns)}")
        for note in done.notes:
            say(f"Note: {note}")


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
        option(
            "A model's folder, or its name on the Hugging Face hub.",
            panel=MODEL,
            metavar="DIR|NAME",
        ),
    ],
    output: Annotated[
        Path,
        option(
            "Write the table with its transcripts: .csv, .tsv or .jsonl.",
            "--output",
            "-o",
            panel=OUTPUT,
            metavar="FILE",
        ),
    ],
    audio_column: Annotated[str | None, option("Column of paths.", metavar="NAME")] = None,
    id_column: Annotated[str | None, option("Column of ids, for messages.", metavar="NAME")] = None,
    audio_root: Annotated[
        Path | None,
        option("What paths are relative to, instead of the table's folder.", metavar="FOLDER"),
    ] = None,
    on_error: Annotated[
        OnError,
        option("A recording that cannot be used: stop, or keep its row without a transcript."),
    ] = OnError.stop,
    restart: Annotated[bool, option("Forget what an interrupted run did.", "--restart")] = False,
    language: Annotated[
        str | None, option("The language spoken (Whisper).", panel=MODEL, metavar="LANGUAGE")
    ] = None,
    task: Annotated[Task | None, option("What to write down (Whisper).", panel=MODEL)] = None,
    device: Annotated[
        str,
        option("auto, cpu, cuda or cuda:N.", "--device", panel=MODEL, metavar="DEVICE"),
    ] = "auto",
    dtype: Annotated[Dtype, option("Precision.", panel=MODEL)] = Dtype.float32,
    batch_size: Annotated[int, option("Recordings read and transcribed at once.", panel=MODEL)] = 8,
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
            say(line)
