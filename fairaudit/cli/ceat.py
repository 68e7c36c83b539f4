"""The command ceat: association tests."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from fairaudit.cli.app import command, say
from fairaudit.cli.options import (
    MODEL,
    STATISTICS,
    AllowPickle,
    BatchSize,
    Confidence,
    Decide,
    Decides,
    Device,
    ExitZero,
    Format,
    Formats,
    ModelName,
    Output,
    Quiet,
    RubricName,
    Strict,
    check_delivery,
    deliver,
    option,
)


class Pooling(str, Enum):
    """Which sub-token stands for a word, or the whole sentence."""

    last = "last"
    first = "first"
    mean = "mean"
    sentence = "sentence"


class Variance(str, Enum):
    """What weighs a draw."""

    paper = "paper"
    hedges_olkin = "hedges-olkin"


@command
def ceat(
    context: typer.Context,
    model: ModelName = None,
    corpus: Annotated[
        list[str] | None,
        option(
            "Texts in which the words are looked up, a document a line; .gz too. Repeatable.",
            metavar="FILE",
        ),
    ] = None,
    templates: Annotated[
        str | None,
        option(
            "Sentences instead of a corpus: seat (This is X.), or a file with {} in each line.",
            metavar="seat|FILE",
        ),
    ] = None,
    vectors: Annotated[
        str | None,
        option(
            "Word vectors instead of a model, in word2vec's or GloVe's text format: WEAT.",
            metavar="FILE",
        ),
    ] = None,
    tests: Annotated[
        list[str] | None,
        option(
            "C1 to C10, I1 to I4, all, or a TOML file of your own; several with commas. By default "
            "all that the texts have words for.",
            metavar="NAME|FILE",
        ),
    ] = None,
    intersectional: Annotated[
        Path | None,
        option(
            "With --vectors, instead of tests: names of crossed groups (gender and race), and "
            "words of which those tied to one group are found: IBD, EIBD.",
            "--intersectional",
            metavar="FILE",
        ),
    ] = None,
    per_stimulus: Annotated[int, option("Sentences of each word, at most.")] = 1000,
    draws: Annotated[int, option("Effect sizes drawn for each test.")] = 10_000,
    layer: Annotated[int, option("-1 is the last; 0 the embeddings.", panel=MODEL)] = -1,
    pooling: Annotated[
        Pooling,
        option(
            "Sub-token that stands for a word of several; or, with --templates, the whole sentence "
            "for its word: SEAT.",
            panel=MODEL,
        ),
    ] = Pooling.last,
    code_compatible: Annotated[
        bool,
        option(
            "As the authors' program: no special tokens, nine words, one-sided p.",
            "--code-compatible",
            panel=MODEL,
        ),
    ] = False,
    cache: Annotated[
        Path | None,
        option(
            "Folder that keeps vectors, some 3 MB a word; by default that of the user.",
            "--cache",
            panel=MODEL,
            metavar="FOLDER",
        ),
    ] = None,
    no_cache: Annotated[bool, option("Keep no vectors.", "--no-cache", panel=MODEL)] = False,
    batch_size: BatchSize = 32,
    device: Device = "auto",
    allow_pickle: AllowPickle = False,
    variance: Annotated[
        Variance, option("Of a draw: the paper's, or that of d.", panel=STATISTICS)
    ] = Variance.paper,
    confidence: Confidence = 0.95,
    seed: Annotated[int, option("Seed of sentences and draws.", panel=STATISTICS)] = 0,
    rubric: RubricName = None,
    decide: Decides = Decide.interval,
    strict: Strict = False,
    exit_zero: ExitZero = False,
    output: Output = None,
    format: Formats = Format.table,
    quiet: Quiet = False,
) -> None:
    """Which groups' words a language model puts near to which attributes.

    Example: fairaudit ceat --model bert-base-cased --corpus posts.txt --tests C6,C8
    """
    from fairaudit.exceptions import FairauditError
    from fairaudit.lm.ceat.audit import ceat
    from fairaudit.report.progress import progress

    if no_cache and cache is not None:
        raise FairauditError("--cache and --no-cache: expected one of them.")
    check_delivery(context)
    with progress(Console(stderr=True), quiet, "sentences") as report:
        audit = ceat(
            corpus or (),
            model=model,
            vectors=vectors,
            templates=templates,
            tests=tests or (),
            intersectional=intersectional,
            per_stimulus=per_stimulus,
            draws=draws,
            layer=layer,
            pooling=pooling.value,
            variance=variance.value,
            code_compatible=code_compatible,
            cache=not no_cache if cache is None else cache,
            batch=batch_size,
            device=device,
            allow_pickle=allow_pickle,
            confidence=confidence,
            seed=seed,
            progress=report,
            warn=lambda message: None if quiet else say(message),
        )
    deliver(context, audit)
