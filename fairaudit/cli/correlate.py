"""The command correlate: whether intrinsic scores of models go with extrinsic ones."""

from __future__ import annotations

from typing import Annotated

import typer

from fairaudit.cli.app import command
from fairaudit.cli.options import (
    Confidence,
    Correction,
    Corrections,
    Format,
    Formats,
    Na,
    Output,
    Quiet,
    Resamples,
    Seed,
    deliver,
    option,
)


@command
def correlate(
    context: typer.Context,
    intrinsic: Annotated[
        list[str],
        option(
            "Scores of the models themselves: a table with model, score and perhaps group and "
            "domain, or audit files. Repeatable.",
            metavar="FILE",
        ),
    ],
    extrinsic: Annotated[
        list[str],
        option("Scores of what the models do, likewise. Repeatable.", metavar="FILE"),
    ],
    intrinsic_metric: Annotated[
        str | None, option("Which metric of intrinsic audit files.", metavar="METRIC")
    ] = None,
    extrinsic_metric: Annotated[
        str | None, option("Which metric of extrinsic audit files.", metavar="METRIC")
    ] = None,
    intrinsic_group: Annotated[
        str | None,
        option(
            "The group of intrinsic audit files whose value is the score, such as C6, "
            "attribute=group where several are called so, or (all). Otherwise the groups of an "
            "attribute that both sides have, or the value over all records.",
            metavar="NAME",
        ),
    ] = None,
    extrinsic_group: Annotated[
        str | None, option("Likewise of extrinsic audit files.", metavar="NAME")
    ] = None,
    na: Na = None,
    confidence: Confidence = 0.95,
    correction: Corrections = Correction.holm,
    resamples: Resamples = 2000,
    seed: Seed = 0,
    output: Output = None,
    format: Formats = Format.table,
    quiet: Quiet = False,
) -> None:
    """Whether intrinsic scores go with extrinsic ones: correlation over models.

    Example: fairaudit correlate --intrinsic ceat.csv --extrinsic toxicity.csv
    """
    from fairaudit.audits.correlate import correlate
    from fairaudit.table import MISSING_VALUES

    audit = correlate(
        intrinsic,
        extrinsic,
        intrinsic_metric=intrinsic_metric,
        extrinsic_metric=extrinsic_metric,
        intrinsic_group=intrinsic_group,
        extrinsic_group=extrinsic_group,
        na=MISSING_VALUES if na is None else tuple(na),
        confidence=confidence,
        correction=correction.value,
        resamples=resamples,
        seed=seed,
    )
    deliver(context, audit)
