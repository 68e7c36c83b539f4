"""Bootstrap intervals of group metrics: fairaudit's sums beside Fairlearn's rows, same metrics.

False positive rate and accuracy of 24 groups. fairaudit counts a million records once and
resamples 2,000 clusters (or the records, as Fairlearn does) 1,000 times. Fairlearn resamples rows
and evaluates every group again; it is measured at two sizes that it can do. What a million rows
would cost is read off the straight line through both, and taken in proportion to replicates.

    python benchmarks/bootstrap.py
"""

# mypy: disable-error-code="import-not-found, import-untyped"

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import measure
import numpy as np
from fairlearn.metrics import MetricFrame, false_positive_rate
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score

from fairaudit.metrics import Metric
from fairaudit.stats.resampling import bootstrap_totals
from fairaudit.stats.sums import Accumulator, Sums

Array = NDArray[Any]

ROWS, REPLICATES, CLUSTERS, GROUPS = 1_000_000, 1_000, 2_000, 24
#: The smaller of the two sizes that Fairlearn is given is this part of the larger.
SMALLER = 4
QUANTILES = [0.025, 0.975]
#: Records that are counted at once, as in an audit.
BATCH = 4_096
COLUMNS = ("records", "correct", "false_positives", "negatives")

# The benchmark brings its own metrics, so that it measures the same whatever the registry holds.
FALSE_POSITIVE_RATE = Metric(
    "false_positive_rate",
    "FPR",
    formula=lambda c: c.false_positives / c.negatives,
    denominator=lambda c: c.negatives,
    counted="negatives",
    direction="lower",
    range="proportion",
    unit="false positives per negative",
    source="the field's definition",
)
ACCURACY = Metric(
    "accuracy",
    "accuracy",
    formula=lambda c: c.correct / c.records,
    denominator=lambda c: c.records,
    counted="records",
    direction="higher",
    range="proportion",
    unit="correct decisions per record",
    source="the field's definition",
)
METRICS = (FALSE_POSITIVE_RATE, ACCURACY)


@dataclass(frozen=True)
class Decisions:
    """Decisions about people.

    Attributes
    ----------
    label, prediction : array of int, shape (n,)
        What is true and what was decided, 0 or 1.
    cluster, group : array of int, shape (n,)
        Codes; all records of a cluster are in one group.
    """

    label: Array
    prediction: Array
    cluster: Array
    group: Array

    @classmethod
    def make(cls, rows: int, seed: int) -> Decisions:
        """Draw decisions that are wrong 5 to 20 % of the time, by group."""
        generator = np.random.default_rng(seed)
        cluster = generator.integers(0, CLUSTERS, rows)
        # Each group has clusters, however few rows there are.
        group = cluster % GROUPS
        label = generator.integers(0, 2, rows)
        wrong = generator.random(rows) < 0.05 + 0.15 * group / (GROUPS - 1)
        return cls(label, label ^ wrong, cluster, group)

    def first(self, rows: int) -> Decisions:
        """Only the first rows."""
        return Decisions(**{name: cells[:rows] for name, cells in vars(self).items()})

    def batches(self) -> list[slice]:
        """Cut into ranges of `BATCH` records."""
        return [slice(start, start + BATCH) for start in range(0, len(self.label), BATCH)]


def counted(data: Decisions, clustered: bool) -> Sums:
    """Count decisions per group, and per cluster if wanted, a batch at a time."""
    sums = Accumulator(COLUMNS, clustered)
    for batch in data.batches():
        label, prediction = data.label[batch], data.prediction[batch]
        negative = label == 0
        counts = (np.ones(len(label)), label == prediction, negative & (prediction == 1), negative)
        cluster = data.cluster[batch] if clustered else None
        sums.add(data.group[batch], cluster, np.column_stack(counts).astype(float))
    clusters = [f"c{i:04d}" for i in range(CLUSTERS)] if clustered else None
    return sums.result("group", [f"{g:02d}" for g in range(GROUPS)], clusters)


def intervals(sums: Sums) -> dict[str, Array]:
    """Percentile intervals of each metric, shape (2, GROUPS), from resampled sums."""
    totals = bootstrap_totals(sums, REPLICATES, seed=0)
    return {
        metric.name: np.nanquantile(metric.value(COLUMNS, totals), QUANTILES, axis=0)
        for metric in METRICS
    }


def frame(data: Decisions, replicates: int) -> Any:
    """Fairlearn's metrics by group, with intervals where `replicates` are given."""
    boot = {"n_boot": replicates, "ci_quantiles": QUANTILES, "random_state": 0}
    return MetricFrame(
        metrics={"false_positive_rate": false_positive_rate, "accuracy": accuracy_score},
        y_true=data.label,
        y_pred=data.prediction,
        sensitive_features=data.group,
        **(boot if replicates else {}),
    )


def check(data: Decisions) -> None:
    """Require that both give the same values.

    Raises
    ------
    SystemExit
        If they do not.
    """
    own, peer = counted(data, clustered=True), frame(data, 0).by_group
    for metric in METRICS:
        value = metric.value(COLUMNS, own.spread.totals)
        if not np.allclose(value, peer[metric.name].to_numpy(float), rtol=1e-12):
            raise SystemExit(f"{metric.name} differs")


def own_costs(data: Decisions) -> dict[str, float]:
    """CPU seconds of fairaudit's steps."""
    count, sums = measure.cpu(lambda: counted(data, clustered=True))
    clusters, _ = measure.cpu(lambda: intervals(sums))
    count_records, sums = measure.cpu(lambda: counted(data, clustered=False))
    records, _ = measure.cpu(lambda: intervals(sums))
    return {
        "counting": count,
        "clusters": clusters,
        "clusters and counting": count + clusters,
        "counting by record": count_records,
        "records": records,
        "records and counting": count_records + records,
    }


def peer_costs(data: Decisions, replicates: int) -> dict[str, float]:
    """CPU seconds that replicates take Fairlearn at two sizes, and would take it at full size."""
    rows = len(data.label)
    few, many = (_replicates(data.first(size), replicates) for size in (rows // SMALLER, rows))
    # Each replicate has a part that does not grow with rows; it must not be multiplied.
    per_row = (many - few) / (rows - rows // SMALLER)
    full = (many + per_row * (ROWS - rows)) * REPLICATES / replicates
    return {"few": few, "many": many, "full": full}


def _replicates(data: Decisions, replicates: int) -> float:
    """CPU seconds of replicates alone: with them, less without."""
    without, _ = measure.cpu(lambda: frame(data, 0))
    with_them, _ = measure.cpu(lambda: frame(data, replicates))
    return with_them - without


def report(costs: Mapping[str, Sequence[float]], rows: int, replicates: int) -> str:
    """Table of what was measured.

    Parameters
    ----------
    costs : mapping of name to sequence of float
        CPU seconds, one per round.
    rows, replicates : int
        The larger size that Fairlearn was given.
    """
    lines = [
        ("fairaudit: counting per cluster", "counting", ROWS, 0, 3),
        ("fairaudit: bootstrap of clusters", "clusters", ROWS, REPLICATES, 3),
        ("fairaudit: counting per group", "counting by record", ROWS, 0, 3),
        ("fairaudit: bootstrap of records", "records", ROWS, REPLICATES, 3),
        ("Fairlearn: bootstrap of records", "few", rows // SMALLER, replicates, 2),
        ("Fairlearn: bootstrap of records", "many", rows, replicates, 2),
        ("Fairlearn, extrapolated", "full", ROWS, REPLICATES, 0),
    ]
    return measure.table(
        ["", "rows", "replicates", "CPU s"],
        [
            (name, f"{size:,}", f"{drawn:,}", measure.spread(costs[key], digits))
            for name, key, size, drawn, digits in lines
        ],
    )


def ratios(costs: Mapping[str, Sequence[float]]) -> str:
    """Table of Fairlearn's extrapolated cost over fairaudit's."""
    rows = [
        (f"bootstrap of {name}", measure.spread(measure.ratios(costs["full"], costs[name]), 0))
        for name in ("clusters", "clusters and counting", "records", "records and counting")
    ]
    return measure.table(["Fairlearn (extrapolated) over fairaudit's", "CPU, times"], rows)


def main() -> None:
    """Measure, and print the tables."""
    options = _options()
    data = Decisions.make(ROWS, seed=1)
    part = data.first(options.rows)
    check(part)
    costs = defaultdict(list)
    for number in range(options.rounds):
        measure.say(f"round {number + 1} of {options.rounds}")
        once = {**own_costs(data), **peer_costs(part, options.replicates)}
        for name, seconds in once.items():
            costs[name].append(seconds)
    print(measure.environment("fairaudit", "numpy", "fairlearn", "scikit-learn", "pandas"))
    print(f"{GROUPS} groups, {CLUSTERS:,} clusters, {options.rounds} rounds: {measure.SPREAD}\n")
    print(ratios(costs), report(costs, options.rows, options.replicates), sep="\n\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Bootstrap intervals, side by side.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=100_000, help="for Fairlearn")
    parser.add_argument("--replicates", type=int, default=10, help="for Fairlearn")
    return parser.parse_args()


if __name__ == "__main__":
    main()
