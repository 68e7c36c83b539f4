"""The command distill: a smaller language model with less gender disparity, and the proof."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.console import Console

from fairaudit.cli.app import command, say
from fairaudit.cli.options import (
    MODEL,
    Confidence,
    Device,
    Quiet,
    option,
)

if TYPE_CHECKING:
    from fairaudit.lm.distill.distillation import Outcome
    from fairaudit.lm.distill.evaluation import Proof
    from fairaudit.lm.distill.log import Progress

_LOSS, _TRAINING, _PROOF = "Loss", "Training", "Proof"


class TeacherMix(str, Enum):
    """How the teacher's two answers become one."""

    none = "none"
    max = "max"
    mean = "mean"
    prob_mean = "prob-mean"
    expmean = "expmean"
    swap = "swap"


class GenderedTokens(str, Enum):
    """What becomes of gendered words of the vocabulary."""

    permute = "permute"
    keep = "keep"
    combine = "combine"


class Precision(str, Enum):
    """In which numbers matrices are multiplied."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


#: The mix that goes with --counterfactual: the best of those in benchmarks/README.md.
_BEST = TeacherMix.max


@command
def distill(
    teacher: Annotated[
        str,
        option("The model to learn from: a folder or a name on the hub.", metavar="FOLDER|NAME"),
    ],
    corpus: Annotated[
        list[str], option("Text to learn on, a document a line. Repeatable.", metavar="FILE")
    ],
    output: Annotated[Path, option("Folder of the student.", "--output", "-o", metavar="FOLDER")],
    counterfactual: Annotated[
        bool,
        option(
            "Ask the teacher about reversed text too: --augment with the best mix.",
            "--counterfactual",
        ),
    ] = False,
    valid: Annotated[
        list[str] | None,
        option("Held-out text for perplexity. Repeatable.", panel=_PROOF, metavar="FILE"),
    ] = None,
    student: Annotated[
        str | None,
        option("Begin with this model of the teacher's vocabulary.", metavar="FOLDER|NAME"),
    ] = None,
    layers: Annotated[
        int | None, option("Layers of the student, from the teacher's; half of them by default.")
    ] = None,
    teacher_mix: Annotated[
        TeacherMix | None,
        option("How the answers to a text and to its reversal become one.", panel=_LOSS),
    ] = None,
    gendered_tokens: Annotated[
        GenderedTokens,
        option(
            "Set gendered words beside their counterparts, keep them, or mix them like all.",
            panel=_LOSS,
        ),
    ] = GenderedTokens.permute,
    augment: Annotated[
        bool, option("Train on reversed text as well.", "--augment", panel=_LOSS)
    ] = False,
    swap_list: Annotated[
        Path | None,
        option("Word list for role reversal (TOML) instead of gender.", metavar="FILE"),
    ] = None,
    names: Annotated[
        Path | None,
        option("First names for role reversal, as for swap.", metavar="FILE"),
    ] = None,
    paragraphs: Annotated[
        bool, option("A document is a paragraph, not a line.", "--paragraphs")
    ] = False,
    temperature: Annotated[float, option("Of both models in the divergence.", panel=_LOSS)] = 2.0,
    alpha_ce: Annotated[float, option("Weight of the divergence.", panel=_LOSS)] = 0.5,
    alpha_clm: Annotated[
        float, option("Weight of the next word's cross entropy.", panel=_LOSS)
    ] = 0.5,
    alpha_cos: Annotated[float, option("Weight of the hidden cosine.", panel=_LOSS)] = 0.0,
    block: Annotated[int, option("Tokens that are read at once.", panel=_TRAINING)] = 512,
    epochs: Annotated[
        float, option("How many times as much as the corpus is read.", panel=_TRAINING)
    ] = 3.0,
    batch_size: Annotated[int, option("Blocks of one step.", panel=_TRAINING)] = 32,
    micro_batch_size: Annotated[
        int, option("Blocks at once in each process.", panel=_TRAINING)
    ] = 8,
    learning_rate: Annotated[float, option("The greatest rate.", panel=_TRAINING)] = 5e-4,
    warm_up: Annotated[
        float, option("Share of the steps until the greatest rate.", panel=_TRAINING)
    ] = 0.05,
    weight_decay: Annotated[float, option("Decay of matrices.", panel=_TRAINING)] = 0.0,
    clip: Annotated[float, option("Greatest norm of the gradient.", panel=_TRAINING)] = 5.0,
    precision: Annotated[
        Precision, option("auto: bfloat16 on a GPU that has it.", panel=MODEL)
    ] = Precision.auto,
    device: Device = "auto",
    tokens: Annotated[
        str | None,
        option(
            "Folder of the corpus in tokens, for several runs.", panel=_TRAINING, metavar="FOLDER"
        ),
    ] = None,
    save_every: Annotated[
        int, option("Steps from one checkpoint to the next.", panel=_TRAINING)
    ] = 500,
    resume: Annotated[
        bool, option("Go on after the last checkpoint.", "--resume", panel=_TRAINING)
    ] = False,
    overwrite: Annotated[
        bool, option("Begin anew where there is a student.", "--overwrite", panel=_TRAINING)
    ] = False,
    seed: Annotated[int, option("Of order, dropout and evaluation.", panel=_TRAINING)] = 0,
    evaluate: Annotated[
        bool,
        option("Audit student, teacher and baseline.", "--evaluate/--no-evaluate", panel=_PROOF),
    ] = True,
    baseline: Annotated[
        str | None,
        option("The plainly distilled student to compare with.", panel=_PROOF, metavar="FOLDER"),
    ] = None,
    prompts: Annotated[
        str | None,
        option(
            "Prompts for generation instead of those that are shipped.",
            panel=_PROOF,
            metavar="FILE",
        ),
    ] = None,
    pairs: Annotated[
        list[str] | None,
        option("CrowS-Pairs and WinoBias files. Repeatable.", panel=_PROOF, metavar="FILE"),
    ] = None,
    samples: Annotated[int, option("Generated texts per prompt; 0: none.", panel=_PROOF)] = 8,
    confidence: Confidence = 0.95,
    quiet: Quiet = False,
) -> None:
    """Distil a language model, with less gender disparity if asked, and prove it.

    Example: fairaudit distill --counterfactual --teacher gpt2 --corpus train.txt -o student/
    """
    from fairaudit.exceptions import FairauditError
    from fairaudit.lm import require

    if counterfactual and teacher_mix is TeacherMix.none:
        raise FairauditError("--counterfactual and --teacher-mix none: expected one of them.")
    require("distill", "torch", "transformers")
    from fairaudit.lm.distill.distillation import distill
    from fairaudit.lm.distill.evaluation import Proof
    from fairaudit.lm.distill.processes import is_first
    from fairaudit.lm.distill.settings import Settings
    from fairaudit.lm.swap import Swapper
    from fairaudit.lm.swap.files import read_lexicon

    mix = teacher_mix or (_BEST if counterfactual else TeacherMix.none)
    settings = Settings(
        teacher=teacher,
        corpus=tuple(corpus),
        output=output,
        student=student,
        layers=layers,
        tokens=tokens,
        paragraphs=paragraphs,
        teacher_mix=mix.value,
        gendered_tokens=gendered_tokens.value,
        augment=augment or counterfactual,
        temperature=temperature,
        alpha_ce=alpha_ce,
        alpha_clm=alpha_clm,
        alpha_cos=alpha_cos,
        block=block,
        epochs=epochs,
        batch_size=batch_size,
        micro_batch_size=micro_batch_size,
        learning_rate=learning_rate,
        warm_up=warm_up,
        weight_decay=weight_decay,
        clip=clip,
        seed=seed,
        precision=precision.value,
        device=device,
        save_every=save_every,
    )
    words = read_lexicon(swap_list, names)
    # Of several processes the first one speaks, and asks the models afterwards.
    quiet = quiet or not is_first()
    warn = _silent if quiet else say
    proof = None
    if evaluate and is_first():
        proof = Proof(
            teacher=teacher,
            baseline=baseline,
            valid=valid or None,
            paragraphs=paragraphs,
            prompts=prompts,
            pairs=pairs or (),
            words=None if swap_list is None and names is None else words,
            samples=samples,
            device=device,
            seed=seed,
            confidence=confidence,
            warn=warn,
        )
    with _watched(quiet) as (preparing, progress):
        outcome = distill(
            settings,
            Swapper(words),
            resume=resume,
            overwrite=overwrite,
            progress=progress,
            preparing=preparing,
            warn=warn,
        )
    if is_first():
        _tell(outcome, teacher)
    if proof is not None:
        _prove(proof, output, quiet)


def _tell(outcome: Outcome, teacher: str) -> None:
    """Draw the loss, and say what came of it."""
    from fairaudit.audit import write_whole
    from fairaudit.lm.distill.folder import Folder
    from fairaudit.report.losses import loss_curve
    from fairaudit.report.sheets import printable

    title = f"Distillation of {teacher}, {outcome.steps:,} steps"
    write_whole(Folder(outcome.student).curve, loss_curve(outcome.rows, title))
    last = outcome.rows[-1]
    parts = (
        ("divergence (T\u00b2 KL)", "divergence"),
        ("cross entropy", "entropy"),
        ("cosine", "cosine"),
    )
    shown = [f"{called} {last[name]:.3f}" for called, name in parts if last[name] is not None]
    sys.stdout.write(
        printable(f"{outcome.student}: {outcome.steps:,} steps, {outcome.tokens:,} tokens")
        + f"\nAt the end: loss {last['loss']:.3f}; {', '.join(shown)}\n"
    )


def _prove(proof: Proof, folder: Path, quiet: bool) -> None:
    """Audit the models, write an audit file for each, and print the student's."""
    from fairaudit.lm.distill.folder import Folder
    from fairaudit.report import terminal
    from fairaudit.report.progress import progress

    with progress(Console(stderr=True), quiet, "questions to models") as report:
        found = proof.of(folder, report)
    for role, audit in found._asdict().items():
        if audit is not None:
            audit.save(Folder(folder).audit(role))
    sys.stdout.write("\n")
    terminal.show(found.student, Console(highlight=False), True)


def _silent(_: str) -> None:
    """Tell nobody."""


@contextmanager
def _watched(quiet: bool) -> Iterator[tuple[Callable[[int], None], Callable[[Progress], None]]]:
    """Show how far the preparation is, then the training; on terminals only."""
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (BarColumn(), TextColumn("{task.description}"))
    bar = Bar(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)
    task = bar.add_task("", total=None)

    def preparing(documents: int) -> None:
        bar.update(task, description=f"{documents:,} documents cut into tokens")

    def training(now: Progress) -> None:
        minutes, seconds = divmod(round(now.seconds_left), 60)
        said = (
            f"step {now.step:,} of {now.total:,}, loss {now.loss:.3f}, "
            f"{now.tokens_per_second:,.0f} tokens/s, {minutes}:{seconds:02} left, "
            f"{now.memory / 2**20:,.0f} MB"
        )
        bar.update(task, total=now.total, completed=now.step, description=said)

    with bar:
        yield preparing, training
