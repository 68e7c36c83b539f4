"""Distillation: from a teacher's folder and a corpus to a student's folder.

The student learns by the loss of DistilGPT2 (see `losses`) towards what the teacher says of a text
and of its reversal (see `targets`). The same seed gives the same student on a CPU, also where the
work was interrupted and taken up again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import fairaudit
from fairaudit.exceptions import FairauditError
from fairaudit.lm.devices import quiet
from fairaudit.lm.distill import log
from fairaudit.lm.distill.folder import Folder
from fairaudit.lm.distill.log import Progress
from fairaudit.lm.distill.pair import Pair
from fairaudit.lm.distill.processes import Processes, processes
from fairaudit.lm.distill.settings import Settings
from fairaudit.lm.distill.store import Store, prepare
from fairaudit.lm.distill.targets import Teaching
from fairaudit.lm.distill.trainer import Trainer, precision_on
from fairaudit.lm.distill.vocabulary import counterparts
from fairaudit.lm.documents import documents
from fairaudit.lm.models import is_memory
from fairaudit.lm.swap import Swapper

#: Of a store's form; another one makes it anew.
_STORE = 2


def _silent(_: Any) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Outcome:
    """A student, and how it came about.

    Attributes
    ----------
    student : Path
        A folder, as `--model` takes it.
    steps, tokens : int
        Optimizer steps, and tokens that were read by then.
    resumed : int
        The step that this process began after.
    rows : sequence of dict
        See `fairaudit.lm.distill.log.read`.
    about : dict
        What `distillation.json` says: settings, digests, versions, what was read.
    """

    student: Path
    steps: int
    tokens: int
    resumed: int
    rows: Sequence[dict[str, Any]]
    about: dict[str, Any]


def distill(
    settings: Settings,
    swapper: Swapper | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Callable[[Progress], None] = _silent,
    preparing: Callable[[int], None] = _silent,
    warn: Callable[[str], None] = _silent,
) -> Outcome:
    """Train a smaller language model on what a larger one says.

    Started by torchrun, the processes share the blocks of each step; the first one writes.

    Parameters
    ----------
    settings : Settings
    swapper : Swapper, optional
        Reverses texts; by the shipped list of gender if there is none.
    resume : bool
        Go on after the last checkpoint of the same distillation.
    overwrite : bool
        Begin anew where there is one.
    progress : callable
        Told after each step, in the first process.
    preparing : callable
        Told how many documents have been cut into tokens.
    warn : callable

    Returns
    -------
    Outcome
        The same in all processes.

    Raises
    ------
    FairauditError
        If a model, a text or the folder does not do, if memory or disk do not suffice, or if the
        loss is no number; then the last good checkpoint is named.
    """
    settings.check()
    swapper = Swapper() if swapper is None else swapper
    with quiet(), processes(settings.device) as own, _random_state(own.device):
        if not own.first:
            progress = preparing = warn = _silent
        work = _Distillation(settings, swapper, own, warn)
        return work.run(resume, overwrite, progress, preparing)


@contextmanager
def _random_state(device: str) -> Iterator[None]:
    """Leave the caller's random numbers as they are."""
    import torch

    with torch.random.fork_rng([device] if device.startswith("cuda") else []):
        yield


class _Distillation:
    """Everything before the first step, and after the last one."""

    def __init__(
        self, settings: Settings, swapper: Swapper, own: Processes, warn: Callable[[str], None]
    ) -> None:
        self._settings, self._swapper, self._own, self._warn = settings, swapper, own, warn
        self._folder = Folder(settings.output)
        self._precision = precision_on(own.device, settings.precision)

    def run(
        self,
        resume: bool,
        overwrite: bool,
        progress: Callable[[Progress], None],
        preparing: Callable[[int], None],
    ) -> Outcome:
        self._alone(lambda: self._folder.enter(resume, overwrite))
        with self._loading():
            models = Pair(self._settings, self._own.device, self._warn)
        identity = self._identity(models)
        if resume:
            self._alone(lambda: self._folder.check(identity))
            if (about := self._folder.done()) is not None:
                self._warn(f"{self._folder.path}: is finished already; nothing to go on with.")
                return self._outcome(about, int(about["steps"]))
        teaching = self._teaching(models)
        store = self._own.in_turn(lambda: self._store(models, identity, preparing))
        with self._loading():
            given = (self._settings, self._own, models, teaching, store)
            trainer = Trainer(*given, self._folder, identity)
            resumed = trainer.resume(self._warn) if resume else 0
        if not resume:  # all that could be refused has been looked at
            self._alone(lambda: self._folder.claim(identity))
        trainer.run(progress)
        about = self._about(identity, models, store, trainer, teaching)
        self._alone(lambda: trainer.finish(models, about))
        return self._outcome(self._folder.done() or about, resumed)

    @contextmanager
    def _loading(self) -> Iterator[None]:
        """Say in a sentence that the memory does not suffice for both models."""
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            if not is_memory(error):
                raise
            raise FairauditError(
                f"--teacher {self._settings.teacher}: not enough memory on {self._own.device} for "
                "it and the student. Use a smaller one, or another --device."
            ) from None

    def _teaching(self, models: Pair) -> Teaching:
        settings = self._settings
        given = (settings.teacher_mix, settings.gendered_tokens, settings.temperature)
        if settings.teacher_mix == "none":
            return Teaching(*given)
        found = counterparts(self._swapper.lexicon, models.tokenizer)
        if not found.classes and settings.gendered_tokens != "combine":
            self._warn(
                f"--gendered-tokens {settings.gendered_tokens}: no word of the list and its "
                "counterpart are single tokens, so that all words are mixed alike."
            )
        return Teaching(*given, found)

    def _alone(self, work: Callable[[], None]) -> None:
        """Do something in the first process only, while the others wait."""
        self._own.in_turn(lambda: work() if self._own.first else None)

    def _identity(self, models: Pair) -> dict[str, Any]:
        """What must be the same to go on; known to the first process, who writes."""
        if not self._own.first:
            return {}
        words = json.dumps(asdict(self._swapper.lexicon) | {"where": ""}, sort_keys=True)
        return {
            # What "auto" is differs from machine to machine.
            "settings": self._settings.deciding() | {"precision": self._precision},
            "teacher": models.teacher.name,
            "student": None if models.given is None else models.given.name,
            "words": hashlib.sha256(words.encode()).hexdigest(),
            "corpus": [_digest(source) for source in self._settings.corpus],
        }

    def _store(
        self, models: Pair, identity: dict[str, Any], preparing: Callable[[int], None]
    ) -> Store:
        """The corpus in tokens: made by the first process, and opened by the others."""
        folder = self._folder.tokens
        if self._settings.tokens is not None:
            folder = Path(self._settings.tokens)
        if not self._own.first:
            return Store(folder)
        found = prepare(
            chain(*(documents(each, self._settings.paragraphs) for each in self._settings.corpus)),
            folder,
            models.tokenizer,
            self._swapper,
            self._settings.block,
            models.room,
            models.tokenizer.eos_token_id,
            self._contents(models, identity),
            preparing,
        )
        if not found.changed and (self._settings.augment or self._settings.teacher_mix != "none"):
            self._warn(
                "--corpus: no word of the list occurs in it, so that this is plain distillation."
            )
        return found

    def _contents(self, models: Pair, identity: dict[str, Any]) -> dict[str, Any]:
        """What decides the tokens."""
        vocabulary = hashlib.sha256(models.teacher.vocabulary().encode()).hexdigest()
        return {
            "form": _STORE,
            "corpus": identity["corpus"],
            "words": identity["words"],
            "vocabulary": vocabulary,
            "block": self._settings.block,
            "room": models.room,
            "paragraphs": self._settings.paragraphs,
        }

    def _about(
        self,
        identity: dict[str, Any],
        models: Pair,
        store: Store,
        trainer: Trainer,
        teaching: Teaching,
    ) -> dict[str, Any]:
        packages = ("torch", "transformers", "safetensors")
        return {
            "settings": self._settings.shown(),
            "identity": identity,
            "versions": {"fairaudit": fairaudit.__version__}
            | {name: version(name) for name in packages},
            "processes": self._own.size,
            "precision": self._precision,
            "layers": int(models.student.config.num_hidden_layers),
            "parameters": sum(weights.numel() for weights in models.student.parameters()),
            "corpus": {
                "documents": store.documents,
                "documents_changed": store.documents_changed,
                "blocks": len(store),
                "blocks_changed": store.changed,
            },
            "counterparts": len(teaching.counterparts.classes),
            "steps": trainer.total,
            "tokens": trainer.tokens,
        }

    def _outcome(self, about: dict[str, Any], resumed: int) -> Outcome:
        rows = log.read(self._folder.log)
        return Outcome(self._folder.path, about["steps"], about["tokens"], resumed, rows, about)


def _digest(source: str) -> str:
    """Digest of a file's bytes."""
    whole = hashlib.sha256()
    try:
        with Path(source).open("rb") as file:
            while block := file.read(1 << 20):
                whole.update(block)
    except FileNotFoundError:
        raise FairauditError(f"{source}: no such file. Check the path.") from None
    except OSError as error:
        raise FairauditError(f"{source}: cannot be read: {error.strerror}.") from None
    return whole.hexdigest()
