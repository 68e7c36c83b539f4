"""Start-up: what `fairaudit --help` and a small audit cost, and what they import.

A module that is imported needlessly is paid for by every command.

    python benchmarks/startup.py
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import measure

TRANSCRIPTS = Path(__file__).parent.parent / "examples" / "accents" / "transcripts.csv"
PROGRAM = (sys.executable, "-m", "fairaudit")
HELP = (*PROGRAM, "--help")
WER = (*PROGRAM, "wer", str(TRANSCRIPTS), "--by", "accent", "--cluster", "speaker", "--quiet")
#: What the speech command must not import, and what the help must not import in addition.
HEAVY = ("torch", "transformers", "sklearn", "matplotlib", "pandas", "scipy", "pyarrow")
HEAVY_FOR_HELP = (*HEAVY, "numpy", "duckdb", "rapidfuzz")


def imported(command: Sequence[str]) -> set[str]:
    """Top-level modules that a command imports.

    Parameters
    ----------
    command : sequence of str
        Python, and its arguments.

    Raises
    ------
    subprocess.CalledProcessError
        If it fails.
    """
    program, *arguments = command
    result = subprocess.run(
        [program, "-X", "importtime", *arguments], capture_output=True, text=True, check=True
    )
    lines = (line.split("|") for line in result.stderr.splitlines() if "import time:" in line)
    return {parts[-1].strip().partition(".")[0] for parts in lines}


def check(name: str, command: Sequence[str], heavy: Sequence[str]) -> str:
    """Say that a command imports nothing heavy, and which modules that could not show.

    Raises
    ------
    SystemExit
        If it does.
    """
    found = imported(command)
    guilty = [module for module in heavy if module in found]
    if guilty:
        raise SystemExit(f"{name} imports {', '.join(guilty)}")
    absent = [module for module in heavy if find_spec(module) is None]
    untested = f" (not installed here: {', '.join(absent)})" if absent else ""
    return f"{name} imports none of {', '.join(heavy)}{untested}."


def main() -> None:
    """Read the command line, run the programs, and print the table."""
    parser = argparse.ArgumentParser(description="Start-up.")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    commands = {
        "python, nothing": (sys.executable, "-c", "pass"),
        "fairaudit --help": HELP,
        "fairaudit wer, 2,880 utterances": WER,
    }
    checks = [check("--help", HELP, HEAVY_FOR_HELP), check("wer", WER, HEAVY)]
    costs = measure.interleave(commands, options.rounds)
    print(measure.environment("fairaudit", "typer", "rich", "numpy", "duckdb"))
    print(f"{options.rounds} rounds: {measure.SPREAD}\n")
    print(measure.compare(costs, "fairaudit --help", digits=3), *checks, sep="\n")


if __name__ == "__main__":
    main()
