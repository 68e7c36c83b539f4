"""Commands of models: sensitivity."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from fairaudit.cli.app import command, say
from fairaudit.cli.decisions import Label, Records
from fairaudit.cli.options import (
    MODEL,
    OUTPUT,
    AllowPickle,
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


class Weighting(str, Enum):
    """Which classes' probabilities count."""

    predicted = "predicted"
    gold = "gold"
    uniform = "uniform"


class Form(str, Enum):
    """How the components of a token's gradients are joined."""

    elementwise = "elementwise"
    token = "token"  # noqa: S105  # no password


@command
def sensitivity(
    context: typer.Context,
    file: Records,
    protected: Annotated[
        str,
        option(
            "What is about the attribute: a column (of texts a model of it is trained), words "
            "(those that role reversal knows), uniform, or a model folder. A column of that name "
            "wins.",
            metavar="COLUMN|words|uniform|FOLDER",
        ),
    ],
    text: Annotated[str | None, option("Column of texts.", metavar="COLUMN")] = None,
    model: Annotated[
        str | None,
        option(
            "The model: a folder, a name on the Hugging Face hub, or a .skops file; without one a "
            "baseline is trained on --label.",
            panel=MODEL,
            metavar="FOLDER|FILE",
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        option(
            "Train the baseline as a linear head on this encoder (BERT, GPT-2), not on TF-IDF.",
            panel=MODEL,
            metavar="FOLDER",
        ),
    ] = None,
    target: Annotated[
        str | None,
        option(
            "Of a model that gives several labels to one text, the one to measure.",
            "--class",
            panel=MODEL,
            metavar="NAME",
        ),
    ] = None,
    label: Label = None,
    by: By = None,
    weighting: Annotated[
        Weighting | None,
        option(
            "Classes that count: the predicted one (the default), the true one, or all alike; not "
            "where a value is changed."
        ),
    ] = None,
    form: Annotated[
        Form | None,
        option(
            "Join gradients component by component (the default), or by the norms of tokens; for "
            "model folders.",
            panel=MODEL,
        ),
    ] = None,
    normalize: Annotated[
        bool | None,
        option(
            "Divide a text's weights by their sum (the default), for a mean over its tokens; or "
            "not, for a sum.",
            "--normalize/--no-normalize",
        ),
    ] = None,
    swap_list: Annotated[
        Path | None,
        option("Word list for role reversal (TOML) instead of gender.", metavar="FILE"),
    ] = None,
    names: Annotated[
        Path | None,
        option(
            "First names for role reversal: a table of name, gender and count, or pairs in TOML.",
            metavar="FILE",
        ),
    ] = None,
    explain: Annotated[
        bool,
        option("Say which words count; the audit file then quotes words of the data."),
    ] = False,
    texts: Annotated[
        bool,
        option("Quote words of the data; --explain does.", "--texts/--no-texts", panel=OUTPUT),
    ] = True,
    window: Annotated[
        bool,
        option(
            "Read long texts in windows, not their beginning; this and the next three are for "
            "model folders.",
            "--window",
            panel=MODEL,
        ),
    ] = False,
    batch_size: Annotated[
        int | None, option("Texts read at once; 32 by default.", panel=MODEL)
    ] = None,
    device: Annotated[
        str | None,
        option(
            "auto (the default), cpu, cuda or cuda:N.", "--device", panel=MODEL, metavar="DEVICE"
        ),
    ] = None,
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
    """How much a model's predictions move with a protected attribute, by group.

    Example: fairaudit sensitivity posts.csv --text body --label toxic --protected words --by topic
    """
    from fairaudit.lm.sensitivity.audit import sensitivity
    from fairaudit.report.progress import progress

    check_delivery(context)
    with progress(Console(stderr=True), quiet) as report:
        audit = sensitivity(
            file,
            protected=protected,
            text=text,
            model=model,
            encoder=encoder,
            target=target,
            label=label,
            by=by or (),
            cluster=cluster,
            weighting=None if weighting is None else weighting.value,
            form=None if form is None else form.value,
            normalize=normalize,
            swap_list=swap_list,
            names=names,
            explain=explain,
            texts=texts,
            window=window,
            batch=batch_size,
            device=device,
            allow_pickle=allow_pickle,
            progress=report,
            warn=lambda message: None if quiet else say(message),
            **shared(context),
        )
    deliver(context, audit)
