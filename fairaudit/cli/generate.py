"""Commands of language models: generate."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from fairaudit.cli.app import command, say
from fairaudit.cli.options import (
    AllowPickle,
    BatchSize,
    Bins,
    By,
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
    ModelName,
    Na,
    Output,
    Quiet,
    Resamples,
    RubricName,
    Strict,
    Where,
    check_delivery,
    deliver,
    option,
    shared,
)

_GENERATION, _SCORES = "Generation", "Scores"


class Polarity(str, Enum):
    """What makes a text gendered."""

    unigram = "unigram"
    wavg = "wavg"
    max = "max"


class Scored(str, Enum):
    """What is scored."""

    whole = "whole"
    text = "text"


@command
def generate(
    context: typer.Context,
    prompts: Annotated[
        list[str] | None,
        typer.Argument(
            help="BOLD's JSON, a table with a column of prompts, or .txt with one a line.",
            metavar="[PROMPTS]...",
            show_default=False,
        ),
    ] = None,
    model: ModelName = None,
    texts: Annotated[
        list[str] | None,
        option(
            "Score these texts, which --save wrote or any table has, without a model. Repeatable.",
            metavar="FILE",
        ),
    ] = None,
    prompt: Annotated[str | None, option("Column of prompts.", metavar="COLUMN")] = None,
    text: Annotated[str | None, option("Column of texts, of --texts.", metavar="COLUMN")] = None,
    by: By = None,
    samples: Annotated[int, option("Texts for each prompt.", panel=_GENERATION)] = 1,
    tokens: Annotated[int, option("New tokens of each text at most.", panel=_GENERATION)] = 40,
    temperature: Annotated[float, option("0 takes the likeliest token.", panel=_GENERATION)] = 1.0,
    top_k: Annotated[
        int, option("Draw from so many likeliest tokens; 0 is off.", panel=_GENERATION)
    ] = 0,
    top_p: Annotated[
        float, option("Draw from the likeliest with this much in all.", panel=_GENERATION)
    ] = 0.9,
    save: Annotated[
        Path | None,
        option("Write the texts as JSON lines.", panel=_GENERATION, metavar="FILE"),
    ] = None,
    restart: Annotated[
        bool, option("Forget what an interrupted run did.", "--restart", panel=_GENERATION)
    ] = False,
    score: Annotated[
        Scored, option("Prompts with what follows them, or that alone.", panel=_SCORES)
    ] = Scored.whole,
    polarity: Annotated[
        Polarity, option("BOLD's unigram, Gender-Wavg or Gender-Max.", panel=_SCORES)
    ] = Polarity.unigram,
    vectors: Annotated[
        Path | None,
        option(
            "Word vectors (text of word2vec or GloVe) for wavg and max.",
            panel=_SCORES,
            metavar="FILE",
        ),
    ] = None,
    sentiment: Annotated[
        bool, option("Score sentiment by VADER.", "--sentiment", panel=_SCORES)
    ] = False,
    toxicity: Annotated[
        str | None,
        option(
            "A classifier and its label, 'toxic' by default.",
            panel=_SCORES,
            metavar="FOLDER[:LABEL]",
        ),
    ] = None,
    regard: Annotated[
        str | None,
        option(
            "A classifier and its label, 'negative' by default.",
            panel=_SCORES,
            metavar="FOLDER[:LABEL]",
        ),
    ] = None,
    batch_size: BatchSize = 32,
    device: Device = "auto",
    allow_pickle: AllowPickle = False,
    cluster: Annotated[
        str | None,
        option(
            "Column of what was sampled independently; the prompt by default.",
            panel="Groups",
            metavar="COLUMN",
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
    seed: Annotated[
        int, option("Seed of texts, resamples and permutations.", panel="Statistics")
    ] = 0,
    rubric: RubricName = None,
    decide: Decides = Decide.interval,
    strict: Strict = False,
    exit_zero: ExitZero = False,
    output: Output = None,
    format: Formats = Format.table,
    quiet: Quiet = False,
) -> None:
    """What a language model writes after prompts: gender polarity, sentiment, toxicity, by group.

    Example: fairaudit generate profession_prompt.json --model gpt2 --by category --save texts.jsonl
    """
    from fairaudit.lm.generate.audit import generate
    from fairaudit.report.progress import progress

    check_delivery(context)
    with progress(Console(stderr=True), quiet, "texts") as report:
        audit = generate(
            prompts or None,
            model=model,
            texts=texts or None,
            prompt=prompt,
            text=text,
            by=by or (),
            cluster=cluster,
            samples=samples,
            tokens=tokens,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            save=save,
            restart=restart,
            score=score.value,
            polarity=polarity.value,
            vectors=vectors,
            sentiment=sentiment,
            toxicity=toxicity,
            regard=regard,
            batch=batch_size,
            device=device,
            allow_pickle=allow_pickle,
            progress=report,
            warn=lambda message: None if quiet else say(message),
            **shared(context),
        )
    deliver(context, audit)
