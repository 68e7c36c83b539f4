"""Going on from prompts: how, and what was written before an interruption is kept."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fairaudit.exceptions import FairauditError
from fairaudit.lm.journal import Journal
from fairaudit.lm.language_models import LanguageModel

#: Texts that are generated before they are written down: what an interruption costs at most.
_AT_ONCE = 256


@dataclass(frozen=True)
class Decoding:
    """How texts are generated.

    Attributes
    ----------
    samples : int
        Texts for each prompt.
    tokens : int
        New tokens of each text at most.
    temperature, top_k, top_p : float, int, float
        See `fairaudit.lm.language_models.LanguageModel.generate`.
    seed : int

    Raises
    ------
    FairauditError
        If one is out of range.
    """

    samples: int = 1
    tokens: int = 40
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 0.9
    seed: int = 0

    def __post_init__(self) -> None:
        for option, found, good, expected in (
            ("--samples", self.samples, self.samples >= 1, "1 or more"),
            ("--tokens", self.tokens, self.tokens >= 1, "1 or more"),
            ("--temperature", self.temperature, 0 <= self.temperature < math.inf, "0 or more"),
            ("--top-k", self.top_k, self.top_k >= 0, "0 (off) or more"),
            ("--top-p", self.top_p, 0 < self.top_p <= 1, "a number above 0, at most 1 (off)"),
            ("--seed", self.seed, self.seed >= 0, "0 or more"),
        ):
            if not good:
                raise FairauditError(f"{option} {found}: expected {expected}.")
        if self.temperature == 0 and self.samples > 1:
            raise FairauditError(
                f"--samples {self.samples}: at --temperature 0 all samples are the same text. "
                "Take one sample, or a temperature above 0."
            )

    def settings(self) -> dict[str, Any]:
        """For the signature and the file of texts; the seed as ``drawn``."""
        found = asdict(self)
        found["drawn"] = found.pop("seed")
        return found

    def seed_of(self, prompt: str, sample: int) -> int:
        """Seed of one text: the same whatever other prompts there are, and in whatever order."""
        name = f"{self.seed}\0{sample}\0{prompt}"
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:6], "big")  # every reader of JSON holds 48 bits

    def jobs(self, prompts: Sequence[str]) -> list[tuple[str, int]]:
        """Each prompt with the number of each of its samples, those of a prompt together."""
        return [(prompt, sample) for prompt in prompts for sample in range(self.samples)]


def write(
    model: LanguageModel,
    prompts: Sequence[str],
    decoding: Decoding,
    journal: Journal | None = None,
    progress: Callable[..., None] = lambda done, total=None: None,
) -> list[str]:
    """What the model writes after each prompt, `Decoding.jobs` by jobs.

    Parameters
    ----------
    model : LanguageModel
    prompts : sequence of str
    decoding : Decoding
    journal : Journal, optional
        Keeps what is done, and knows what an earlier run did.
    progress : callable
        Told how many texts are done, and of how many.

    Raises
    ------
    FairauditError
        If the model does not generate, or a prompt leaves no room; that is found out first.
    """
    model.check_prompts(prompts, decoding.tokens)
    jobs = decoding.jobs(prompts)
    done = {} if journal is None else dict(journal.done)
    pending = [i for i in range(len(jobs)) if i not in done]
    for start in range(0, len(pending), _AT_ONCE):
        rows = pending[start : start + _AT_ONCE]
        progress(len(done), len(jobs))
        texts = _generate(model, [jobs[i] for i in rows], decoding)
        found = dict(zip(rows, texts, strict=True))
        done |= found
        if journal is not None:
            journal.add(found)
    progress(len(jobs), len(jobs))
    return [done[i] for i in range(len(jobs))]


def _generate(
    model: LanguageModel, jobs: Sequence[tuple[str, int]], decoding: Decoding
) -> list[str]:
    return model.generate(
        [prompt for prompt, _ in jobs],
        [decoding.seed_of(*job) for job in jobs],
        tokens=decoding.tokens,
        temperature=decoding.temperature,
        top_k=decoding.top_k,
        top_p=decoding.top_p,
    )
