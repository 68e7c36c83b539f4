"""The steps of a distillation, which survive a kill at any moment."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError
from fairaudit.lm.distill import checkpoint, log
from fairaudit.lm.distill.folder import Folder
from fairaudit.lm.distill.log import Log, Meter, Progress
from fairaudit.lm.distill.losses import NOTHING, distillation_loss
from fairaudit.lm.distill.order import Order
from fairaudit.lm.distill.pair import Pair
from fairaudit.lm.distill.processes import Processes
from fairaudit.lm.distill.settings import BETAS, EPSILON, Settings
from fairaudit.lm.distill.store import Blocks, Store
from fairaudit.lm.distill.targets import Teaching
from fairaudit.lm.distill.teacher import Lesson, Teacher, filled, hidden_states, picked
from fairaudit.lm.models import is_memory

#: Tokens whose logits are held at once: 50,257 words of 256 tokens take 51 MB.
_CHUNKS = {"cpu": 256, "cuda": 2048}
#: Names of the loss's parts, as the log has them.
_PARTS = ("divergence", "entropy", "cosine")


class Trainer:
    """The steps of a distillation.

    Parameters
    ----------
    settings : Settings
    own : Processes
    models : Pair
    teaching : Teaching
    store : Store
    folder : Folder
    identity : dict
        What checkpoints say they belong to.

    Attributes
    ----------
    total, step, tokens : int
        Steps in all, steps done, and tokens read by then.
    """

    def __init__(
        self,
        settings: Settings,
        own: Processes,
        models: Pair,
        teaching: Teaching,
        store: Store,
        folder: Folder,
        identity: dict[str, Any],
    ) -> None:
        import torch

        if settings.batch_size < own.size:
            raise FairauditError(
                f"--batch-size {settings.batch_size}: {own.size} processes; expected a block for "
                "each or more."
            )
        self._settings, self._own, self._store = settings, own, store
        self._folder, self._identity = folder, identity
        self._model = models.student
        dtype = getattr(torch, precision_on(own.device, settings.precision))
        self._teacher = Teacher(models.teacher.network, teaching, dtype)
        self._learner = _wrapped(_learner()(self._model, settings, dtype, own.device), own)
        self._optimizer = _optimizer(self._model, settings)
        texts = len(store) + (store.changed if settings.augment else 0)
        self._order = Order(texts, settings.batch_size, settings.seed)
        # As many with reversed texts as without.
        self.total = math.ceil(len(store) * settings.epochs / settings.batch_size)
        # Parts without a weight are not computed.
        weights = {"entropy": settings.alpha_clm, "cosine": settings.alpha_cos}
        self._left_out = {part: None for part, weight in weights.items() if not weight}
        self.step = self.tokens = 0
        self._good: Path | None = None

    def resume(self, warn: Callable[[str], None]) -> int:
        """Take up the last good checkpoint; which step it is of, 0 if there is none yet."""
        found = self._own.in_turn(lambda: self._last(warn))
        if found is None:
            warn(f"{self._folder.path}: no checkpoint yet; begins at the first step.")
            return 0
        found.restore(self._model, self._optimizer)
        self.step, self.tokens = found.step, int(found.state["tokens"])
        self._good = found.folder
        return self.step

    def _last(self, warn: Callable[[str], None]) -> checkpoint.Checkpoint | None:
        if not self._own.first:
            return checkpoint.newest(self._folder.checkpoints)
        return self._folder.last(self._identity, warn)

    def run(self, progress: Callable[[Progress], None] = lambda progress: None) -> None:
        """Do the steps that are left, with a checkpoint now and then and one at the end.

        Raises
        ------
        FairauditError
            If memory or disk do not suffice, or the loss is no number; what the log and the
            checkpoints say is kept.
        """
        with self._logging() as rows:
            meter = Meter(self._own.device, self.step, self.total)
            while self.step < self.total:
                before = self.tokens
                with self._computing():
                    row = self._advance()
                shown, timing = meter.read(self.step, self.tokens - before, row["loss"])
                if rows is not None:
                    self._keep(rows, {**row, log.TIMING: timing})
                    progress(shown)

    @contextmanager
    def _logging(self) -> Iterator[Log | None]:
        """The log, cut back to where the steps begin; for the first process."""
        if not self._own.first:
            yield None
            return
        with self._writing():
            rows = Log(self._folder.log, self.step)
        try:
            yield rows
        finally:
            rows.close()

    def _keep(self, rows: Log, row: dict[str, Any]) -> None:
        """Write down a step, and a checkpoint where one is due."""
        with self._writing():
            rows.add(row)
            if self.step % self._settings.save_every and self.step != self.total:
                return
            rows.sync()
            state = {"step": self.step, "tokens": self.tokens, "identity": self._identity}
            folder = self._folder.checkpoints
            self._good = checkpoint.save(folder, self._model, self._optimizer, state).folder

    def finish(self, models: Pair, about: dict[str, Any]) -> None:
        """Save the student; for the first process."""
        model, tokenizer = self._model.eval(), models.tokenizer
        model.config.use_cache = True
        model.config.name_or_path = ""
        model.generation_config = models.teacher.network.generation_config
        if models.context is not None:
            tokenizer.model_max_length = models.context
        with self._writing():
            self._folder.finish(model, tokenizer, about)

    def _advance(self) -> dict[str, Any]:
        """One step of the optimizer, and what the log says of it."""
        import torch

        step, model = self.step, self._model
        parts, tokens = self._gradients(step)
        norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), self._settings.clip))
        self._check(step, parts["loss"], norm)
        rate = self._settings.rate(step, self.total)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.step, self.tokens = step + 1, self.tokens + tokens
        row = {"step": self.step, "tokens": self.tokens, **parts, **self._left_out}
        return row | {"learning_rate": rate, "gradient_norm": norm}

    def _gradients(self, step: int) -> tuple[dict[str, float], int]:
        """Add up the gradients of a step; the loss with its parts, and the tokens read.

        All means are over the whole step, so that neither the number of processes nor the size of
        a micro-batch changes them, but for what dropout draws.
        """
        import torch

        own, texts = self._own, self._order.step(step)
        tokens = int(self._store.lengths(texts).sum())
        words = max(1, tokens - len(texts))
        sums = torch.zeros(1 + len(_PARTS), dtype=torch.float64, device=own.device)
        portions = _portions(texts[own.rank :: own.size], self._settings.micro_batch_size)
        for i, places in enumerate(portions):
            _seed(self._settings.seed, step, own.rank, i)
            blocks = self._store[places]
            with self._alone_until(i == len(portions) - 1):
                lesson = self._teacher.lesson(blocks)
                total, parts = self._learner(blocks, lesson, tokens, words)
                # Their gradients are averaged over processes, and are to be added up.
                (total * own.size).backward()
            sums += torch.cat([total.detach().double()[None], parts])
        found = own.sum(sums).tolist()
        return dict(zip(("loss", *_PARTS), found, strict=True)), tokens

    def _alone_until(self, last: bool) -> Any:
        """Processes exchange gradients once a step."""
        if last or self._own.size == 1:
            return nullcontext()
        return self._learner.no_sync()

    def _check(self, step: int, loss: float, norm: float) -> None:
        if np.isfinite([loss, norm]).all():
            return
        raise FairauditError(
            f"{self._folder.path}: step {step + 1}: the loss is {loss:g}, its gradient "
            f"{norm:g}; expected numbers. {self._last_good()} Begin anew with a lower "
            "--learning-rate, or with --precision float32."
        )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Say in a sentence that the disk does not suffice."""
        try:
            yield
        except OSError as error:
            raise FairauditError(
                f"{self._folder.path}: cannot be written at step {self.step}: "
                f"{error.strerror or error}. {self._last_good()} Make room, and go on with "
                "--resume."
            ) from None

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """Say in a sentence that the memory does not suffice."""
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            self._own.check(error)
            if not is_memory(error):
                raise
            size = self._settings.micro_batch_size
            less = f"Go on with --resume --micro-batch-size {size // 2}, or begin"
            raise FairauditError(
                f"--micro-batch-size {size}: not enough memory at step {self.step + 1} for {size} "
                f"blocks of {self._settings.block:,} tokens. {self._last_good()} "
                f"{less if size > 1 else 'Begin'} with a smaller --block."
            ) from None

    def _last_good(self) -> str:
        if self._good is None:
            return "There is no checkpoint yet."
        return f"The last good checkpoint is {self._good}."


def precision_on(device: str, wanted: str = "auto") -> str:
    """In which numbers matrices are multiplied: ``bfloat16`` or ``float32``."""
    import torch

    if wanted != "auto":
        return wanted
    fit = device.startswith("cuda") and torch.cuda.is_bf16_supported()
    return "bfloat16" if fit else "float32"


def _portions(texts: Array, size: int) -> list[Array]:
    return [texts[i : i + size] for i in range(0, len(texts), size)]


def _seed(seed: int, step: int, rank: int, portion: int) -> None:
    """Set the random numbers of a micro-batch, so that none need be kept from before."""
    import torch

    drawn = np.random.SeedSequence([seed, step, rank, portion]).generate_state(1, np.uint64)
    torch.manual_seed(int(drawn[0] >> np.uint64(1)))


def _optimizer(model: Any, settings: Settings) -> Any:
    """AdamW, which lets matrices decay alone."""
    import torch

    every = list(model.parameters())
    groups = [
        {"params": [p for p in every if p.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in every if p.ndim < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=BETAS, eps=EPSILON)


def _wrapped(learner: Any, own: Processes) -> Any:
    """Have the processes average their gradients."""
    if own.size == 1:
        return learner
    import torch

    return torch.nn.parallel.DistributedDataParallel(learner)


@lru_cache(maxsize=1)
def _learner() -> Any:
    """The student with its loss as one module, as processes average what one module gives."""
    import torch

    class Learner(torch.nn.Module):  # type: ignore[misc]
        def __init__(self, model: Any, settings: Settings, dtype: Any, device: str) -> None:
            super().__init__()
            self.model, self._settings, self._dtype = model, settings, dtype
            self._chunk = settings.chunk or _CHUNKS[device.partition(":")[0]]

        def forward(self, blocks: Blocks, lesson: Lesson, size: int, words: int) -> tuple[Any, Any]:
            """The share of these texts in the loss of a step, and its parts."""
            settings, weight = self._settings, self.model.get_output_embeddings().weight
            device, low = weight.device, self._dtype == torch.bfloat16
            with torch.autocast(device.type, torch.bfloat16, enabled=low):
                hidden = hidden_states(self.model, torch.as_tensor(blocks.tokens, device=device))
            hidden = picked(hidden, filled(blocks))
            loss = distillation_loss(
                hidden,
                weight,
                lesson.target,
                torch.as_tensor(_next(blocks), device=device),
                temperature=settings.temperature,
                alpha_ce=settings.alpha_ce,
                alpha_clm=settings.alpha_clm,
                chunk=self._chunk,
                size=size,
                words=words,
                dtype=self._dtype,
            )
            cosine = hidden.new_zeros(())
            if settings.alpha_cos:
                both = torch.cosine_similarity(hidden.float(), lesson.hidden.float(), dim=1)
                cosine = (1 - both).sum() / size
            parts = torch.stack([loss.divergence, loss.entropy, cosine.detach().double()])
            return loss.total + settings.alpha_cos * cosine, parts

    return Learner


def _next(blocks: Blocks) -> Array:
    """The word after each token of some texts; the last of each has none."""
    labels = np.full(blocks.tokens.shape, NOTHING)
    labels[:, :-1] = blocks.tokens[:, 1:]
    labels[np.arange(len(labels)), blocks.lengths - 1] = NOTHING
    return labels[filled(blocks)]
