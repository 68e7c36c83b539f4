"""Decisions of ten million people: fairaudit beside engines that only read and group them.

The peers read three columns of a Parquet file and count their combinations. fairaudit does that
as well, digests the file, and computes 15 metrics of 24 groups with intervals from 1,000 resamples,
differences, gaps, p-values and the audit file. All start up and end in a process of their own.

    python benchmarks/decisions.py
    python benchmarks/decisions.py --rows 1000000 --rounds 3
"""

# mypy: disable-error-code="import-not-found, import-untyped"

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import measure

GROUPS = 24
RESAMPLES = 1_000
_MAKE = """
import duckdb, sys
rows, groups, path = sys.argv[1:]
def share(seed):
    return f"(hash(i * 1000003 + {seed}) % 10000) / 10000.0"
people = f"SELECT i, {share(1)} AS y, {share(2)} AS p, {share(3)} AS u FROM range({rows}) t(i)"
decisions = f'''SELECT 'group ' || lpad((hash(i) % {groups})::VARCHAR, 2, '0') AS "group",
    (y < 0.3)::INT AS label, (p < if(y < 0.3, 0.7, 0.2))::INT AS prediction, u AS score, i AS id
    FROM ({people})'''
duckdb.sql(f"COPY ({decisions}) TO '{path}' (FORMAT parquet)")
"""
_DUCKDB = """
import duckdb, sys
query = 'SELECT "group", label, prediction, count(*) FROM read_parquet(?) GROUP BY ALL'
print(len(duckdb.execute(query, [sys.argv[1]]).fetchall()))
"""
_POLARS = """
import polars, sys
rows = polars.scan_parquet(sys.argv[1]).group_by("group", "label", "prediction").len()
print(len(rows.collect()))
"""


def commands(data: Path, audit: Path) -> dict[str, list[str]]:
    """What is compared."""
    errors = [
        "errors", str(data), "--by", "group", "--label", "label", "--prediction", "prediction",
        "--interval", "bootstrap", "--resamples", str(RESAMPLES), "-q", "-o", str(audit),
    ]  # fmt: skip
    return {
        "fairaudit": [sys.executable, "-m", "fairaudit", *errors],
        "duckdb": [sys.executable, "-c", _DUCKDB, str(data)],
        "polars": [sys.executable, "-c", _POLARS, str(data)],
    }


def check(data: Path, audit: Path, rows: int) -> None:
    """Stop where fairaudit counted other records than the peers."""
    content = json.loads(audit.read_text())
    if content["records"]["used"] != rows or len(content["sums"][1]["groups"]) != GROUPS:
        raise SystemExit(f"{data}: fairaudit counted {content['records']}")


def main() -> None:
    """Run all commands in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data, audit = Path(folder) / "decisions.parquet", Path(folder) / "audit.json"
        make = [sys.executable, "-c", _MAKE, str(options.rows), str(GROUPS), str(data)]
        subprocess.run(make, check=True)
        costs = measure.interleave(commands(data, audit), options.rounds)
        check(data, audit, options.rows)
    print(measure.environment("fairaudit", "duckdb", "polars", "numpy"))
    print(measure.compare(costs, "fairaudit"))
    for peer in ("duckdb", "polars"):
        own, other = ([cost.wall for cost in costs[name]] for name in ("fairaudit", peer))
        print(f"wall, times {peer}: {measure.spread(measure.ratios(own, other))}")


if __name__ == "__main__":
    main()
