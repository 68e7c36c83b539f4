"""Commands of decisions: errors, search."""

from __future__ import annotations

import re
from enum import Enum
from typing import Annotated

import typer
from rich.console import Console

from fairaudit.cli.app import command
from fairaudit.cli.options import (
    GROUPS,
    STATISTICS,
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
    deliver,
    option,
    shared,
)


class Task(str, Enum):
    """What is predicted."""

    binary = "binary"
    multiclass = "multiclass"
    regression = "regression"
    ranking = "ranking"


class Rule(str, Enum):
    """A table in the form that a rule asks for."""

    four_fifths = "four-fifths"
    ll144 = "ll144"


Records = Annotated[
    list[str],
    typer.Argument(
        help="CSV, TSV, JSON lines or Parquet with a row per record; - is stdin.",
        metavar="FILE...",
        show_default=False,
    ),
]
Label = Annotated[str | None, option("Column of what was true.", metavar="COLUMN")]
Prediction = Annotated[str | None, option("Column of what was decided.", metavar="COLUMN")]
Score = Annotated[str | None, option("Column of scores.", metavar="COLUMN")]
Positive = Annotated[
    list[str] | None,
    option("A positive value, or several: high,medium. Repeatable.", metavar="VALUE"),
]
PositiveLabel = Annotated[
    list[str] | None,
    option("A positive value of the label, where it has others. Repeatable.", metavar="VALUE"),
]


@command
def errors(
    context: typer.Context,
    file: Records,
    by: By = None,
    label: Label = None,
    prediction: Prediction = None,
    score: Score = None,
    threshold: Annotated[
        list[str] | None,
        option("Score from which to decide yes: 0.5, or median. Repeatable.", metavar="NUMBER"),
    ] = None,
    task: Annotated[Task, option("What is predicted.")] = Task.binary,
    positive: Positive = None,
    positive_label: PositiveLabel = None,
    class_: Annotated[
        list[str] | None,
        option("Of several classes, one to report on its own. Repeatable.", "--class"),
    ] = None,
    top_k: Annotated[
        list[str] | None, option("Of a ranking, how many are selected: 10. Repeatable.")
    ] = None,
    query: Annotated[
        str | None, option("Column of what is ranked within.", metavar="COLUMN")
    ] = None,
    weight: Annotated[str | None, option("Column of weights.", metavar="COLUMN")] = None,
    metric: Annotated[
        list[str] | None,
        option(
            "Report these metrics instead of all, the first in full: selection_rate, TPR, FPR, "
            "PPV, AUC, ... Repeatable."
        ),
    ] = None,
    table: Annotated[
        Rule | None, option("Print the table that a rule asks for, and nothing else.")
    ] = None,
    cluster: Cluster = None,
    control: Annotated[
        str | None,
        option(
            "Compare groups at equal values of a column as well.", panel=GROUPS, metavar="COLUMN"
        ),
    ] = None,
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
    """Errors of decisions, scores, numbers and rankings by group.

    Example: fairaudit errors decisions.csv --label y --prediction yhat --by sex --by sex:race
    """
    from fairaudit.audits.errors import errors
    from fairaudit.report.progress import progress

    with progress(Console(stderr=True), quiet) as report:
        audit = errors(
            file,
            by=by or (),
            label=label,
            prediction=prediction,
            score=score,
            threshold=_listed(threshold),
            task=task.value,
            positive=_listed(positive),
            positive_label=_listed(positive_label),
            classes=class_ or (),
            top_k=_listed(top_k),
            query=query,
            weight=weight,
            control=control,
            cluster=cluster,
            metrics=metric or (),
            rule=None if table is None else table.value,
            progress=report,
            **shared(context),
        )
    deliver(context, audit, further=metric is None or len(metric) > 1)


def _listed(values: list[str] | None) -> list[str]:
    r"""Values given one by one or joined by commas; ``\,`` is a comma in a value."""
    parts = (re.split(r"(?<!\\),", value) for value in values or ())
    return [part.replace(r"\,", ",") for several in parts for part in several]


@command
def search(
    context: typer.Context,
    file: Records,
    over: Annotated[
        list[str],
        option("Columns whose values make slices: age,sex,region. Repeatable.", metavar="COLUMNS"),
    ],
    label: Label = None,
    prediction: Prediction = None,
    score: Score = None,
    threshold: Annotated[
        str | None, option("Score from which to decide yes: 0.5, or median.", metavar="NUMBER")
    ] = None,
    task: Annotated[Task, option("What is predicted: binary or regression.")] = Task.binary,
    positive: Positive = None,
    positive_label: PositiveLabel = None,
    metric: Annotated[
        str | None,
        option("What is compared, a share or a mean of records: FNR, FPR, accuracy, ..."),
    ] = None,
    depth: Annotated[int, option("Columns in a slice, at most.")] = 3,
    min_size: Annotated[int, option("Records that a slice needs.")] = 30,
    permutations: Annotated[int, option("Draws behind the p-values.", panel=STATISTICS)] = 199,
    holdout: Annotated[
        float,
        option("Share of the records in which what was found is measured.", panel=STATISTICS),
    ] = 0.5,
    cluster: Cluster = None,
    bins: Bins = None,
    where: Where = None,
    na: Na = None,
    confidence: Confidence = 0.95,
    seed: Seed = 0,
    rubric: RubricName = None,
    decide: Decides = Decide.interval,
    strict: Strict = False,
    exit_zero: ExitZero = False,
    output: Output = None,
    format: Formats = Format.table,
    quiet: Quiet = False,
) -> None:
    """Find the worst subgroup: look at every slice, and measure what is found anew.

    Example: fairaudit search decisions.csv --label y --prediction yhat --over age,sex,region
    """
    from fairaudit.audits.search import search
    from fairaudit.report.progress import progress
    from fairaudit.table import MISSING_VALUES

    console = Console(stderr=True)
    with (
        progress(console, quiet) as report,
        progress(console, quiet, "permutations") as permuted,
    ):
        audit = search(
            file,
            over=_listed(over),
            label=label,
            prediction=prediction,
            score=score,
            threshold=threshold or (),
            task=task.value,
            positive=_listed(positive),
            positive_label=_listed(positive_label),
            metric=metric,
            depth=depth,
            min_size=min_size,
            permutations=permutations,
            holdout=holdout,
            cluster=cluster,
            bins=bins or (),
            where=where,
            na=MISSING_VALUES if na is None else tuple(na),
            confidence=confidence,
            seed=seed,
            progress=report,
            permuted=permuted,
        )
    deliver(context, audit, further=False)
