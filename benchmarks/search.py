"""Search of slices: fairaudit beside one plain pass of NumPy over the same triples of attributes.

The pass counts records and errors of each combination of three attributes by `np.bincount`, with
codes that it is given. It does no more: no pairs, no single attributes, no scores, no
permutations. fairaudit counts and scores all slices, and then compares them with those of 199
permutations. Peaks are what is allocated beside the data, by `tracemalloc`.

    python benchmarks/search.py
    python benchmarks/search.py --rows 1000000 --attributes 10 --clusters 2000
"""

from __future__ import annotations

import argparse
import tracemalloc
from collections import defaultdict
from collections.abc import Callable
from itertools import combinations
from typing import Any

import measure
import numpy as np
from numpy.typing import NDArray

from fairaudit.stats.slices import Found, search

Array = NDArray[Any]

LEVELS, RATE, WORSE = 5, 0.1, 0.15
#: The slice in which more goes wrong.
PLANTED = {1: 2, 4: 3}
PERMUTATIONS = 199
PLAIN, COUNTED, PERMUTED = "plain bincounts", "fairaudit, no permutations", "fairaudit"
LOSSES, CLUSTERED = "fairaudit, losses", "fairaudit, clusters"


class Records:
    """Records with attributes, errors of which more are in one slice, losses and clusters.

    Parameters
    ----------
    options : argparse.Namespace
        Numbers of rows, attributes and clusters.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        draw = np.random.default_rng(1)
        self.codes = draw.integers(0, LEVELS, (options.rows, options.attributes), dtype=np.uint8)
        inside = np.all([self.codes[:, a] == level for a, level in PLANTED.items()], axis=0)
        rate = np.where(inside, WORSE, RATE)
        self.error = (draw.random(options.rows) < rate).astype(np.uint8)
        self.cluster = draw.integers(0, options.clusters, options.rows, dtype=np.int32)
        self.loss = draw.exponential(size=options.rows) + self.error

    def plain(self) -> list[Array]:
        """Records and errors in all triples of levels."""
        columns = np.ascontiguousarray(self.codes.T).astype(np.int16)
        counts = []
        for a, b, c in combinations(columns, 3):
            cell = (a * LEVELS + b) * LEVELS + c
            counts.append(np.bincount(cell * 2 + self.error, minlength=2 * LEVELS**3))
        return counts

    def search(self, error: Array, permutations: int, cluster: Array | None = None) -> Found:
        """Look for slices."""
        levels = [LEVELS] * self.codes.shape[1]
        return search(self.codes, levels, error, permutations=permutations, cluster=cluster)

    def jobs(self) -> dict[str, Callable[[], object]]:
        """What is compared."""
        return {
            PLAIN: self.plain,
            COUNTED: lambda: self.search(self.error, 0),
            PERMUTED: lambda: self.search(self.error, PERMUTATIONS),
            LOSSES: lambda: self.search(self.loss, PERMUTATIONS),
            CLUSTERED: lambda: self.search(self.error, PERMUTATIONS, self.cluster),
        }


def check(data: Records) -> None:
    """Require that the planted slice is found, and counted as the plain pass counts it.

    Raises
    ------
    SystemExit
        If it is not.
    """
    found = data.search(data.error, PERMUTATIONS)
    if not found.slices or found.slices[0].attributes != tuple(PLANTED):
        raise SystemExit("the planted slice is not found")
    first = next(i for i, c in enumerate(_triples(data)) if set(PLANTED) <= set(c))
    table = data.plain()[first].reshape(LEVELS, LEVELS, LEVELS, 2)
    at = tuple(PLANTED.get(a, slice(None)) for a in _triples(data)[first])
    right, wrong = table[at].sum(axis=0)
    if (found.slices[0].n, found.slices[0].errors) != (right + wrong, wrong):
        raise SystemExit("counts differ")
    print(
        f"{found.searched:,} slices searched, {found.excluded_small:,} too small;"
        f" {found.significant:,} significant, {len(found.slices)} listed\n"
    )


def _triples(data: Records) -> list[tuple[int, ...]]:
    return list(combinations(range(data.codes.shape[1]), 3))


def peak(job: Callable[[], object]) -> float:
    """Largest memory that a job holds at a time, in MB (10^6 bytes)."""
    tracemalloc.start()
    job()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most / 1e6


def main() -> None:
    """Measure, and print the table."""
    options = _options()
    data = Records(options)
    jobs = data.jobs()
    print(measure.environment("fairaudit", "numpy"))
    print(
        f"{options.rows:,} rows, {options.attributes} attributes of {LEVELS} levels,"
        f" {options.rounds} rounds: {measure.SPREAD}"
    )
    check(data)
    costs = defaultdict(list)
    for number in range(options.rounds):
        measure.say(f"round {number + 1} of {options.rounds}")
        for name, job in jobs.items():
            costs[name].append(measure.cpu(job)[0])
    rows = [
        (
            name,
            measure.spread(measure.ratios(costs[name], costs[PLAIN])),
            measure.spread(costs[name], 3),
            f"{peak(job):,.0f}",
        )
        for name, job in jobs.items()
    ]
    print(measure.table(["", "CPU, times", "CPU s", "peak MB beside the data"], rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Search of slices, side by side.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--attributes", type=int, default=8, help="at least 5")
    parser.add_argument("--clusters", type=int, default=500)
    return parser.parse_args()


if __name__ == "__main__":
    main()
