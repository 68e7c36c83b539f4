"""The command likelihood: which sentences a language model finds likely."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from fairaudit.cli.app import command, say
from fairaudit.cli.options import (
    GROUPS,
    MODEL,
    AllowPickle,
    BatchSize,
    Bins,
    Cluster,
    CompareTo,
    Confidence,
    Correction,
    Corrections,
    Decide,
    Decides,
    Device,
    ExitZero,
    Format,
    Formats,
    Interval,
    Intervals,
    MinN,
    Na,
    Output,
    Quiet,
    Resamples,
    RubricName,
    Seed,
    Strict,
    Where,
    check_delivery,
    deliver,
    option,
    shared,
)


class Asked(str, Enum):
    """What is asked of the model."""

    crows_pairs = "crows-pairs"
    stereoset = "stereoset"
    winobias = "winobias"
    winogender = "winogender"
    roles = "roles"
    pronouns = "pronouns"


@command
def likelihood(
    context: typer.Context,
    model: Annotated[
        str,
        option(
            "The language model: a folder, or a name on the Hugging Face hub.",
            panel=MODEL,
            metavar="FOLDER|NAME",
        ),
    ],
    file: Annotated[
        list[str] | None,
        typer.Argument(
            help="CrowS-Pairs, StereoSet, WinoBias or Winogender, found by content; any text or "
            "table; TOML with templates. None with --probe pronouns.",
            metavar="[FILE]...",
            show_default=False,
        ),
    ] = None,
    probe: Annotated[
        Asked | None, option("What is asked, where the content does not tell.")
    ] = None,
    text: Annotated[
        str | None,
        option("Column of texts: their perplexity against role reversal's.", metavar="COLUMN"),
    ] = None,
    swap_list: Annotated[
        Path | None,
        option("Word list for role reversal (TOML) instead of gender.", metavar="FILE"),
    ] = None,
    by: Annotated[
        list[str] | None,
        option(
            "Group by a column; a:b is a crossing. Repeatable. The data's own by default.",
            panel=GROUPS,
            metavar="COLUMN",
        ),
    ] = None,
    batch_size: BatchSize = 32,
    device: Device = "auto",
    allow_pickle: AllowPickle = False,
    cluster: Cluster = None,
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
    """Which sentences a language model finds likely, where they differ in whom they are about.

    Example: fairaudit likelihood crows_pairs_anonymized.csv --model gpt2
    """
    from fairaudit.lm.likelihood.audit import likelihood
    from fairaudit.report.progress import progress

    check_delivery(context)
    with progress(Console(stderr=True), quiet) as report:
        audit = likelihood(
            file,
            model=model,
            probe=None if probe is None else probe.value,
            text=text,
            by=by,
            cluster=cluster,
            swap_list=swap_list,
            batch=batch_size,
            device=device,
            allow_pickle=allow_pickle,
            progress=report,
            warn=lambda message: None if quiet else say(message),
            **shared(context),
        )
    deliver(context, audit)
