"""What decides a distillation: the defaults are those of DistilGPT2's training script."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from fairaudit.exceptions import FairauditError
from fairaudit.lm.distill.targets import Gendered, Mix

#: In which numbers matrices are multiplied; weights and their changes are float32 in any case.
Precision = Literal["auto", "float32", "bfloat16"]
#: Of the optimizer, AdamW.
BETAS, EPSILON = (0.9, 0.98), 1e-6
#: What may change from a checkpoint on: where and in what portions, not what is learnt. Models and
#: texts count by what they hold, not by their paths.
_FREE = (
    "teacher",
    "student",
    "corpus",
    "output",
    "tokens",
    "device",
    "micro_batch_size",
    "chunk",
    "save_every",
)


@dataclass(frozen=True)
class Settings:
    """A distillation; each attribute is the option of the same name.

    Attributes
    ----------
    teacher : str
        A folder, or a name on the model hub.
    corpus : tuple of str
        Text files in UTF-8.
    output : Path
        A folder: the student, and what is needed to go on after an interruption.
    student : str or None
        A model with the teacher's vocabulary; None for the teacher with fewer layers.
    layers : int or None
        Of the student; half of the teacher's by default.
    tokens : str or None
        Where the corpus lies in tokens, so that several distillations share it; a folder
        ``tokens`` in `output` by default.
    paragraphs : bool
        Whether a document is what a blank line ends, instead of a line.
    teacher_mix, gendered_tokens : str
        See `fairaudit.lm.distill.targets.Teaching`.
    augment : bool
        Whether the reversals are training text, too.
    temperature, alpha_ce, alpha_clm, alpha_cos : float
        Weights of the loss: T^2 KL(teacher || student), cross entropy of the next word, and one
        minus the cosine of the last hidden states.
    block : int
        Tokens that are read at once.
    epochs : float
        How many times as much as the corpus is read. With `augment`, too, so that students can be
        compared: then half of it is reversed, as far as texts have a reversal.
    batch_size : int
        Blocks of one step, of all processes together.
    micro_batch_size : int
        Blocks at once in each process.
    learning_rate, warm_up, weight_decay, clip : float
        The greatest rate; the share of the steps in which it rises to there, before it falls in a
        straight line; AdamW's decay of matrices; the greatest norm of the gradient.
    seed : int
    precision : str
        ``auto``: bfloat16 on a GPU that has it, else float32.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    chunk : int or None
        Tokens whose logits are held at once; None for what suits the device.
    save_every : int
        Steps from one checkpoint to the next.
    """

    teacher: str
    corpus: tuple[str, ...]
    output: Path
    student: str | None = None
    layers: int | None = None
    tokens: str | None = None
    paragraphs: bool = False
    teacher_mix: Mix = "none"
    gendered_tokens: Gendered = "permute"
    augment: bool = False
    temperature: float = 2.0
    alpha_ce: float = 0.5
    alpha_clm: float = 0.5
    alpha_cos: float = 0.0
    block: int = 512
    epochs: float = 3.0
    batch_size: int = 32
    micro_batch_size: int = 8
    learning_rate: float = 5e-4
    warm_up: float = 0.05
    weight_decay: float = 0.0
    clip: float = 5.0
    seed: int = 0
    precision: Precision = "auto"
    device: str = "auto"
    chunk: int | None = None
    save_every: int = 500

    def check(self) -> None:
        """Refuse what is out of range, before anything is loaded.

        Raises
        ------
        FairauditError
        """
        for name, (holds, wanted) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not holds(value):
                raise FairauditError(f"{option(name)} {value}: expected {wanted}.")
        if not self.alpha_ce + self.alpha_clm + self.alpha_cos:
            raise FairauditError(
                "--alpha-ce, --alpha-clm, --alpha-cos: all 0; expected one above 0, or else there "
                "is nothing to learn."
            )
        for name, model in (("teacher", self.teacher), ("student", self.student)):
            if model is not None and Path(model).resolve() == self.output.resolve():
                raise FairauditError(
                    f"--output {self.output}: is the {name} as well; expected another folder."
                )
        if self.student is not None and self.layers is not None:
            raise FairauditError("--student and --layers: a given student has its layers; use one.")
        if not self.corpus or "-" in self.corpus:
            raise FairauditError(
                "--corpus: expected text files, which can be read again to go on after an "
                "interruption. Write standard input to a file first."
            )

    def deciding(self) -> dict[str, Any]:
        """What must be the same for a checkpoint to be of this distillation."""
        return {name: value for name, value in self.shown().items() if name not in _FREE}

    def shown(self) -> dict[str, Any]:
        """All settings, as JSON has them."""
        return asdict(self) | {"output": str(self.output), "corpus": list(self.corpus)}

    def rate(self, step: int, total: int) -> float:
        """The learning rate of a step, counted from 0, out of so many.

        Examples
        --------
        >>> settings = Settings("gpt2", ("x.txt",), Path("out"), learning_rate=1.0, warm_up=0.5)
        >>> [round(settings.rate(step, 8), 2) for step in range(8)]
        [0.25, 0.5, 0.75, 1.0, 1.0, 0.75, 0.5, 0.25]
        """
        rising = math.ceil(total * self.warm_up)
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        return self.learning_rate * (total - step) / (total - rising)


def option(name: str) -> str:
    """What the command line calls a setting."""
    return f"--{name.replace('_', '-')}"


_Range = tuple[Callable[[Any], bool], str]


def _above(least: float) -> _Range:
    return lambda value: math.isfinite(value) and value > least, f"a number above {least:g}"


def _from(least: float) -> _Range:
    return lambda value: math.isfinite(value) and value >= least, f"{least:g} or more"


def _one_of(kind: Any) -> _Range:
    return lambda value: value in get_args(kind), f"one of {', '.join(get_args(kind))}"


_RANGES: dict[str, _Range] = {
    "teacher_mix": _one_of(Mix),
    "gendered_tokens": _one_of(Gendered),
    "precision": _one_of(Precision),
    **{name: _above(0) for name in ("temperature", "epochs", "learning_rate", "clip")},
    **{name: _from(0) for name in ("alpha_ce", "alpha_clm", "alpha_cos", "weight_decay", "seed")},
    **{name: _from(1) for name in ("layers", "batch_size", "micro_batch_size", "save_every")},
    "chunk": _from(1),
    "block": _from(2),
    "warm_up": (lambda share: 0 <= share < 1, "a share, from 0 up to but not 1"),
}


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Which settings differ, as in ``--layers 2 (was 3)``."""
    names = [field.name for field in fields(Settings) if field.name in new]
    return [
        f"{option(name)} {new[name]} (was {old.get(name)})"
        for name in names
        if old.get(name) != new[name]
    ]
