"""Word errors by group: fairaudit beside pandas and jiwer, whole processes.

fairaudit counts, and gives intervals from 1,000 resamples of the speakers, differences, the
gap and its significance; the notebook counts only. That all count the same is checked to the
last digit.

    python benchmarks/speech.py
    python benchmarks/speech.py --utterances 10000000 --rounds 1 --only fairaudit
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import measure

HERE = Path(__file__).parent
OWN, NOTEBOOK, EVERY = "fairaudit", "notebook", "all-metrics"
KINDS = ("hits", "substitutions", "deletions", "insertions")

Counts = dict[str, dict[str, int]]


def data(utterances: int, folder: Path) -> Path:
    """Find the data, or make them.

    Parameters
    ----------
    utterances : int
        How many.
    folder : Path
        Where they are kept for the next run.
    """
    path = folder / f"speech-{utterances}.parquet"
    if not path.exists():
        measure.say(f"making {path.name}")
        folder.mkdir(parents=True, exist_ok=True)
        measure.run([sys.executable, str(HERE / "generate.py"), str(utterances), str(path)])
    return path


def commands(path: Path, outputs: Mapping[str, Path]) -> dict[str, list[str]]:
    """What is compared.

    Parameters
    ----------
    path : Path
        The data.
    outputs : mapping of name to Path
        Where each writes what it counted.
    """
    audit = [
        *(sys.executable, "-m", "fairaudit", "wer", str(path), "--quiet"),
        *("--by", "accent:gender", "--cluster", "speaker"),
        *("--interval", "bootstrap", "--resamples", "1000"),
    ]
    return {
        OWN: [*audit, "--metric", "wer", "-o", str(outputs[OWN])],
        NOTEBOOK: [sys.executable, str(HERE / "notebook.py"), str(path), str(outputs[NOTEBOOK])],
        EVERY: [*audit, "-o", str(outputs[EVERY])],
    }


def counted(output: Path) -> Counts:
    """Read what was counted in each group, from an audit or from the notebook."""
    found = json.loads(output.read_text(encoding="utf-8"))
    if "estimates" not in found:
        return {group: dict(counts) for group, counts in found.items()}
    return {
        row["group"]: {kind: int(row["counts"][kind]) for kind in KINDS}
        for row in found["estimates"]
        if row["attribute"] is not None and row["metric"] == "wer"
    }


def check(outputs: Iterable[Path]) -> str:
    """Say what was counted, and that all counted the same.

    Raises
    ------
    SystemExit
        If they did not.
    """
    first, *others = map(counted, outputs)
    for other in others:
        if other != first:
            odd = [group for group in first if other.get(group) != first[group]]
            raise SystemExit(f"counts differ in {len(odd)} groups: {', '.join(odd)}")
    totals = (f"{sum(group[kind] for group in first.values()):,} {kind}" for kind in KINDS)
    agree = f"; {1 + len(others)} programs agree in each of them" if others else ""
    return f"{', '.join(totals)} in {len(first)} groups{agree}."


def main() -> None:
    """Run the programs and print the table."""
    options = _options()
    path = data(options.utterances, options.data)
    names = options.only or [OWN, NOTEBOOK, EVERY]
    with tempfile.TemporaryDirectory() as folder:
        outputs = {name: Path(folder) / f"{name}.json" for name in (OWN, NOTEBOOK, EVERY)}
        every = commands(path, outputs)
        costs = measure.interleave({name: every[name] for name in names}, options.rounds)
        summary = check(outputs[name] for name in names)
    print(measure.environment("fairaudit", "duckdb", "rapidfuzz", "numpy", "pandas", "jiwer"))
    print(f"{options.utterances:,} utterances, {options.rounds} rounds: {measure.SPREAD}\n")
    print(measure.compare(costs, names[0]), summary, sep="\n\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Word errors by group, side by side.")
    parser.add_argument("--utterances", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", action="append", choices=[OWN, NOTEBOOK, EVERY])
    folder = Path(tempfile.gettempdir()) / "fairaudit-benchmarks"
    parser.add_argument("--data", type=Path, default=folder, help="folder to keep the data in")
    return parser.parse_args()


if __name__ == "__main__":
    main()
