"""What a process costs: CPU seconds, wall-clock seconds and peak memory, side by side.

Each command runs in a process of its own, in turn with the others, so that what else the
machine does falls on all alike. Compare the ratios: seconds differ from machine to machine.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from importlib.metadata import version
from statistics import median
from typing import TypeVar

Result = TypeVar("Result")
Command = Sequence[str]

#: What `spread` shows.
SPREAD = "median (least-greatest)"
#: Linux gives the peak in KiB, macOS in bytes.
_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Cost:
    """What one run took.

    Attributes
    ----------
    cpu : float
        CPU seconds of the process and its children, user and system.
    wall : float
        Seconds that passed.
    peak : float
        Largest resident memory of the process, in MB (10^6 bytes).
    """

    cpu: float
    wall: float
    peak: float


def run(command: Command) -> Cost:
    """Run a command without showing its output.

    The caller must be small: on Linux a child's peak begins with its parent's memory, so no
    benchmark of whole processes imports NumPy.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.

    Raises
    ------
    subprocess.CalledProcessError
        If it fails.
    """
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * _PEAK_UNIT / 1e6)


def interleave(commands: Mapping[str, Command], rounds: int) -> dict[str, list[Cost]]:
    """Run each command once a round.

    Parameters
    ----------
    commands : mapping of name to command
        What is compared.
    rounds : int
        How often.

    Returns
    -------
    dict of name to list of Cost
        A cost per round.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for number in range(rounds):
        for name, command in commands.items():
            say(f"round {number + 1} of {rounds}: {name}")
            costs[name].append(run(command))
    return costs


def cpu(function: Callable[[], Result]) -> tuple[float, Result]:
    """CPU seconds that a call took in this process, and what it returned."""
    begin = time.process_time()
    result = function()
    return time.process_time() - begin, result


def ratios(peer: Sequence[float], own: Sequence[float]) -> list[float]:
    """Peer over own, round by round."""
    return [a / b for a, b in zip(peer, own, strict=True)]


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median, and in brackets the least and the greatest.

    >>> spread([3.0, 1.0, 2.0], 1)
    '2.0 (1.0-3.0)'
    """
    shown = [f"{value:,.{digits}f}" for value in (median(values), min(values), max(values))]
    return f"{shown[0]} ({shown[1]}-{shown[2]})"


def compare(costs: Mapping[str, Sequence[Cost]], own: str, digits: int = 2) -> str:
    """Table of costs, with CPU as a multiple of that of `own`.

    Parameters
    ----------
    costs : mapping of name to sequence of Cost
        From `interleave`.
    own : str
        The name that the others are compared to.
    digits : int
        Decimals of seconds.
    """
    base = [cost.cpu for cost in costs[own]]
    rows = []
    for name, each in costs.items():
        cpu, wall, peak = (list(column) for column in zip(*map(astuple, each), strict=True))
        seconds = [spread(cpu, digits), spread(wall, digits)]
        rows.append([name, spread(ratios(cpu, base)), *seconds, spread(peak, 0)])
    return table(["", "CPU, times", "CPU s", "wall s", "peak MB"], rows)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown table: the first column to the left, numbers to the right."""
    rule = ["---", *["--:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))


def environment(*packages: str) -> str:
    """Versions and machine, as no figure means much without them."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"Python {platform.python_version()}, {os.cpu_count()} cores; {versions}"


def say(message: str) -> None:
    """Show progress on standard error."""
    print(message, file=sys.stderr, flush=True)
