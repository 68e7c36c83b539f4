"""What is known of each step: JSON lines, and what a user is told meanwhile."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairaudit.exceptions import FairauditError

#: What differs from run to run stands in a field of its own.
TIMING = "timing"
#: Linux counts in KiB, macOS in bytes.
_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024


class Log:
    """A line of JSON for each step.

    Parameters
    ----------
    path : Path
    step : int
        The last one that counts: what stands after it is dropped.
    """

    def __init__(self, path: Path, step: int = 0) -> None:
        self.path = path
        if path.exists():
            os.truncate(path, _kept(path.read_bytes(), step))
        self._file = path.open("ab")

    def add(self, row: Mapping[str, Any]) -> None:
        """Write a line, so that a kill of the process does not lose it."""
        self._file.write(json.dumps(row).encode("ascii") + b"\n")
        self._file.flush()

    def sync(self) -> None:
        """Return when all lines are on the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Stop writing."""
        with suppress(OSError):  # of what could not be written, `add` has told
            self._file.close()


def _kept(found: bytes, step: int) -> int:
    """Bytes of the lines that are whole and count."""
    kept = 0
    for line in found.splitlines(keepends=True):
        try:
            if not line.endswith(b"\n") or json.loads(line)["step"] > step:
                break
        except (ValueError, LookupError, TypeError):
            break
        kept += len(line)
    return kept


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a log, one for each step.

    Returns
    -------
    list of dict
        ``step`` (from 1), ``tokens`` (seen so far), ``loss``, its parts before their weights
        (``divergence``, ``entropy``, ``cosine``; None of what has no weight), ``learning_rate``,
        ``gradient_norm``; under ``timing`` ``seconds`` (of this process so far),
        ``tokens_per_second`` and ``memory`` (bytes at the peak).

    Raises
    ------
    FairauditError
        If it is not such a log.
    """
    try:
        return [dict(json.loads(line)) for line in path.read_bytes().splitlines()]
    except (OSError, ValueError, TypeError):
        raise FairauditError(f"{path}: not a log of a distillation.") from None


@dataclass(frozen=True)
class Progress:
    """How far a distillation is.

    Attributes
    ----------
    step, total : int
        Steps done, and in all.
    loss : float
    tokens_per_second, seconds_left : float
    memory : int
        Bytes at the peak so far: of the GPU, or else of the process.
    """

    step: int
    total: int
    loss: float
    tokens_per_second: float
    seconds_left: float
    memory: int


class Meter:
    """Measures time from its making on.

    Parameters
    ----------
    device : str
    step, total : int
        Steps done before, and in all.
    """

    def __init__(self, device: str, step: int, total: int) -> None:
        self._device, self._start, self._total = device, step, total
        self._begin, self._tokens = time.perf_counter(), 0

    def read(self, step: int, tokens: int, loss: float) -> tuple[Progress, dict[str, float]]:
        """After a step of so many tokens: the progress, and the timing for the log."""
        self._tokens += tokens
        seconds = time.perf_counter() - self._begin
        speed = self._tokens / seconds
        left = seconds * (self._total - step) / (step - self._start)
        memory = peak_memory(self._device)
        timing = {"seconds": seconds, "tokens_per_second": speed, "memory": memory}
        return Progress(step, self._total, loss, speed, left, memory), timing


def peak_memory(device: str) -> int:
    """Bytes at the peak so far: of a GPU, or else of this process."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.max_memory_allocated(device))
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _PEAK_UNIT
