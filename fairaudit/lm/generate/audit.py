"""What a language model writes after prompts, scored by group."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from fairaudit.assess import Design, assessments, conclude
from fairaudit.audit import Audit
from fairaudit.exceptions import FairauditError
from fairaudit.lm.generate.averages import Averages, Folded
from fairaudit.lm.generate.polarity import Method, unigram
from fairaudit.lm.generate.sampling import Decoding
from fairaudit.lm.generate.scorers import Classified, Polarity, Scorer, Sentiment
from fairaudit.lm.generate.texts import Generation, Running, Texts, read_texts
from fairaudit.metrics import METRICS
from fairaudit.selection import Selection
from fairaudit.table import MISSING_VALUES, Workspace

#: The prompt with what follows it, or that alone.
Scored = Literal["whole", "text"]


def generate(
    prompts: Any = None,
    *,
    model: str | Path | None = None,
    texts: Any = None,
    prompt: str | None = None,
    text: str | None = None,
    by: str | Sequence[str] = (),
    cluster: str | None = None,
    samples: int = 1,
    tokens: int = 40,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 0.9,
    save: str | Path | None = None,
    restart: bool = False,
    score: Scored = "whole",
    polarity: Method = "unigram",
    vectors: str | Path | None = None,
    sentiment: bool = False,
    toxicity: str | None = None,
    regard: str | None = None,
    batch: int = 32,
    device: str = "auto",
    allow_pickle: bool = False,
    bins: str | Sequence[str] = (),
    where: str | None = None,
    na: Sequence[str] = MISSING_VALUES,
    progress: Callable[..., None] = lambda done, total=None: None,
    warn: Callable[[str], None] = lambda message: None,
    **design: Any,
) -> Audit:
    """Audit what a language model writes after prompts, or texts that one wrote.

    Parameters
    ----------
    prompts : path, pattern, sequence of paths, "-" or data frame, optional
        BOLD's JSON files (columns ``domain``, ``category``, ``name``, ``prompt``), tables with a
        column of prompts, or ``.txt`` files with one a line.
    model : str or Path, optional
        A folder, or a name on the Hugging Face hub, that goes on from the prompts.
    texts : path, pattern, sequence of paths, "-" or data frame, optional
        Instead of prompts and model: what was generated, as `save` wrote it or in any table.
    prompt, text : str, optional
        Columns; by default those of that name, or the only one.
    by : str or sequence of str
        Attributes, and crossings such as ``domain:category``.
    cluster : str, optional
        Column of what was sampled independently; by default the prompt, whose samples are alike.
    samples, tokens, temperature, top_k, top_p
        See `fairaudit.lm.generate.sampling.Decoding`; its seed is that of the design.
    save : path, optional
        Where the texts are written, as JSON lines; what is done before an interruption is kept
        beside it, in ``{save}.partial``, and the same call goes on from there.
    restart : bool
        Forget what an interrupted run did.
    score : {"whole", "text"}
        Score prompts with what follows them, as BOLD does, or that alone.
    polarity : {"unigram", "wavg", "max"}
        What makes a text gendered; see `fairaudit.lm.generate.polarity`.
    vectors : path, optional
        Word vectors, for ``wavg`` and ``max``.
    sentiment : bool
        Whether to score sentiment by VADER.
    toxicity, regard : str, optional
        A classifier's folder, and after a colon its label (``toxic``, ``negative``).
    batch : int
        Texts that a model reads at once.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    allow_pickle : bool
        Accept weights that are there as a pickle alone.
    bins : str or sequence of str
        Numeric attributes to cut: ``age=18,30,45``.
    where : str, optional
        SQL condition on the columns.
    na : sequence of str
        What stands for a missing attribute.
    progress : callable
        Told how many texts are done, and of how many.
    warn : callable
        Told what a user must know at once.
    **design
        Settings of `fairaudit.assess.Design`: ``compare_to``, ``min_n``, ``confidence``,
        ``interval``, ``correction``, ``resamples``, ``seed``.

    Returns
    -------
    Audit

    Raises
    ------
    FairauditError
        If data, models or arguments do not allow an audit; the message says what to do.

    Notes
    -----
    Dhamala et al., "BOLD", FAccT 2021. BOLD puts XYZ in place of names and professions before it
    scores; here texts are scored as they are.
    """
    settings = Design(**design)
    decoding = Decoding(samples, tokens, temperature, top_k, top_p, settings.seed)
    running = Running(batch, device, allow_pickle, progress, warn)
    _check(prompts, model, texts, text, decoding, save, restart)
    if score not in get_args(Scored):
        raise FairauditError(f"--score {score}: expected {', '.join(get_args(Scored))}.")
    scorers = _scorers(polarity, vectors, sentiment, toxicity, regard, running)
    selection = Selection.of(by, cluster, bins, where, na)
    with Workspace() as workspace:
        if texts is not None:
            found = read_texts(workspace, texts, prompt, text, selection)
        else:
            path = None if save is None else Path(save)
            made = Generation(str(model), decoding, running, path, restart)
            found = made.texts(workspace, prompts, prompt, selection)
    return _audit(found, scorers, score, settings)


def _check(
    prompts: Any, model: Any, texts: Any, text: Any, decoding: Decoding, save: Any, restart: bool
) -> None:
    """Refuse arguments that do not go together."""
    if texts is not None:
        if model is not None or prompts is not None:
            raise FairauditError(
                "--texts are scored as they are: leave out the prompts and --model, or --texts."
            )
        if decoding != Decoding(seed=decoding.seed) or save is not None:
            raise FairauditError(
                "--samples, --tokens, --temperature, --top-k, --top-p and --save are for "
                "generating: leave them out beside --texts."
            )
        if restart:
            raise FairauditError("--restart is for generating: leave it out beside --texts.")
    elif text is not None:
        raise FairauditError("--text is the column of --texts; the column of prompts is --prompt.")
    elif restart and save is None:
        raise FairauditError("--restart is for what --save keeps: name its file.")
    elif prompts is None:
        raise FairauditError(
            "nothing to audit. Name files of prompts and a --model, or --texts that were generated."
        )
    elif model is None:
        raise FairauditError(
            "prompts alone say nothing: name the --model, or --texts that were generated."
        )


def _scorers(
    polarity: Method,
    vectors: str | Path | None,
    sentiment: bool,
    toxicity: str | None,
    regard: str | None,
    running: Running,
) -> list[Scorer]:
    scorers: list[Scorer] = [Polarity(polarity, vectors)]
    if sentiment:
        scorers.append(Sentiment())
    for option, named in (("--toxicity", toxicity), ("--regard", regard)):
        if named is not None:
            scorers.append(Classified(option, named, running.progress, **running.options))
    return scorers


def _audit(found: Texts, scorers: Sequence[Scorer], score: Scored, design: Design) -> Audit:
    """Score texts, and add them up by group."""
    scored = found.whole if score == "whole" else list(found.texts)
    counts = [scorer.score(scored) for scorer in scorers]
    names = [name for scorer in scorers for name in scorer.columns]
    grouping = found.selection.grouping(["records", *names])
    grouping.add(found.columns, np.column_stack([np.ones(len(scored)), *counts]))
    metrics = [METRICS[name] for scorer in scorers for name in scorer.metrics]
    whole = assessments(grouping.result(), found.selection, metrics, design)
    parts = [Folded.of(part) for part in whole]
    averages = [Averages(part, metrics) for part in parts if part.sums.attribute is not None]
    settings = {name: value for scorer in scorers for name, value in scorer.settings().items()}
    said = [
        note for scorer, each in zip(scorers, counts, strict=True) for note in scorer.notes(each)
    ]
    return conclude(
        "generation",
        selection=found.selection,
        files=found.table.files,
        records=found.records,
        parts=[*parts, *averages],
        metrics=metrics,
        design=design,
        settings={
            **found.settings, "score": None if score == "whole" else score, **settings,
        },
        notes=[
            *said, *_notes(found, score), *found.notes, *found.table.notes,
            *found.selection.notes(found.table),
        ],
    )  # fmt: skip


def _notes(found: Texts, score: Scored) -> Iterator[str]:
    """What a reader must know of prompts and decoding."""
    if found.prompts is not None and score == "whole":
        prompts = set(found.prompts)
        gendered = sum(unigram(prompt) != 0 for prompt in prompts)
        if gendered:
            yield (
                f"{gendered:,} of {len(prompts):,} prompts are gendered by words of their own, "
                "which are scored too; --score text scores what follows alone."
            )
    if "temperature" in found.settings:
        how = ", ".join(
            f"{name} {found.settings[name]:g}" for name in ("temperature", "top_k", "top_p")
        )
        yield (
            f"Scores depend on decoding ({how}; at most {found.settings['tokens']} new tokens): "
            "compare audits of the same decoding only."
        )
    else:
        yield (
            "How these texts were decoded is not known here; scores depend on it: compare audits "
            "of the same decoding only."
        )
