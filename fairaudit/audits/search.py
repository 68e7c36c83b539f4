"""The worst subgroup: every slice of the records is looked at, and what is found is measured anew.

The slice with the largest gap owes a part of it to chance, for it was picked because the gap was
large. So slices are found in one part of the records and measured in the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.assess import Assessment, Design, conclude, defined
from fairaudit.audit import Audit, Comparison, Estimate
from fairaudit.audits.decisions.levels import Coded, Levels
from fairaudit.audits.decisions.reading import Reading
from fairaudit.audits.decisions.roles import Roles
from fairaudit.audits.decisions.tasks import Binary, Regression, Task
from fairaudit.exceptions import FairauditError
from fairaudit.groups import Attribute, Vocabulary, join_labels
from fairaudit.metrics import METRICS, Metric, find_metric
from fairaudit.selection import Selection
from fairaudit.stats import slices
from fairaudit.stats.comparisons import Contrast, pairs
from fairaudit.stats.estimates import estimate
from fairaudit.stats.multiplicity import adjust
from fairaudit.stats.resampling import seeded
from fairaudit.stats.sums import ALL, Accumulator, Sums
from fairaudit.table import MISSING_VALUES, Batch, Workspace

#: Metrics that are means over records, beside shares of records.
_MEANS = ("mean_absolute_error", "mean_error", "mean_score", "brier_score")
_DIRECTIONS: dict[Any, slices.Direction] = {"lower": "higher", "higher": "lower", None: "both"}
_COLUMNS = ("records", "event", "exposed")


@dataclass(frozen=True)
class Plan:
    """How to search.

    Attributes
    ----------
    depth : int
        Attributes in a slice, at most.
    min_size : int
        Records that a slice and its rest need.
    permutations : int
        Draws behind the p-values.
    holdout : float
        Share of the records (or clusters) in which what was found is measured.
    """

    depth: int = 3
    min_size: int = 30
    permutations: int = 199
    holdout: float = 0.5

    def __post_init__(self) -> None:
        for option, value, good, expected in (
            ("--depth", self.depth, 1 <= self.depth <= 5, "1 to 5"),
            ("--min-size", self.min_size, self.min_size >= 2, "2 or more"),
            ("--permutations", self.permutations, self.permutations >= 99, "99 or more"),
            ("--holdout", self.holdout, 0.1 <= self.holdout <= 0.9, "from 0.1 to 0.9"),
        ):
            if not good:
                raise FairauditError(f"{option} {value}: expected {expected}.")

    def settings(self) -> dict[str, Any]:
        """For the signature."""
        return {
            "depth": self.depth,
            "min_size": self.min_size,
            "perm": self.permutations,
            "holdout": self.holdout,
        }


def search(
    data: Any,
    *,
    over: str | Sequence[str],
    label: str | None = None,
    prediction: str | None = None,
    score: str | None = None,
    threshold: str | float | Sequence[str | float] = (),
    task: str = "binary",
    positive: str | Sequence[str] = (),
    positive_label: str | Sequence[str] = (),
    metric: str | None = None,
    depth: int = 3,
    min_size: int = 30,
    permutations: int = 199,
    holdout: float = 0.5,
    cluster: str | None = None,
    bins: str | Sequence[str] = (),
    where: str | None = None,
    na: Sequence[str] = MISSING_VALUES,
    confidence: float = 0.95,
    seed: int = 0,
    progress: Callable[[int], None] = lambda records: None,
    permuted: slices.Progress | None = None,
) -> Audit:
    """Search every slice of the records for those that differ from all others.

    Parameters
    ----------
    data : path, pattern, sequence of paths, "-" or data frame
        A table with a row per record.
    over : str or sequence of str
        Columns whose values make slices, in a sequence or joined by commas.
    label, prediction, score, threshold, task, positive, positive_label
        As in `fairaudit.errors`; one threshold, and binary or regression tasks.
    metric : str, optional
        What is compared: a share or a mean of records. By default accuracy, selection rate where
        there is no label, and the mean absolute error of numbers.
    depth, min_size, permutations, holdout
        See `Plan`.
    cluster, bins, where, na
        As in `fairaudit.errors`. Numbers with many values and no bins are cut at quartiles.
    confidence : float
        Level of intervals; 1 less it is the chance of finding anything where nothing is.
    seed : int
        Of the split and the permutations.
    progress, permuted : callable
        Told how many records were read, and how many permutations were drawn, so far.

    Returns
    -------
    Audit
        Of kind ``search``. Each slice found has rows for both parts of the records (variant
        ``part``: ``search`` or ``holdout``) and for all others beside it.

    Raises
    ------
    FairauditError
        If data or arguments do not allow a search; the message says what to do.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame({"sex": list("mf") * 500, "age": list("oyyo") * 250})
    >>> wrong = (people.sex == "f") & (people.age == "o")
    >>> audit = search(people.assign(y=1, p=(~wrong).astype(int)), over="sex,age", label="y",
    ...     prediction="p")
    >>> [row.group for row in audit.comparisons if row.variant == {"part": "holdout"}]
    ['f:o']
    """
    roles = Roles(label, prediction, score)
    plan, design = (
        Plan(depth, min_size, permutations, holdout),
        Design(confidence=confidence, seed=seed),
    )
    columns = _columns(over)
    selection = Selection.of(columns, cluster, bins, where, na)
    chosen = _task(task, roles, positive, positive_label, threshold, na)
    with Workspace() as workspace:
        table = workspace.open(data)
        roles.resolve(table)
        selection = selection.resolve(table)
        _refuse_outcomes(columns, roles)
        reading = Reading(table, roles, chosen, selection)
        shown = _metric(metric, chosen)
        sample = _Sample(selection, chosen, shown)
        for batch in reading.batches():
            sample.add(batch)
            progress(reading.total)
        chosen.check()
        records = reading.records()
    halves = sample.split(plan.holdout, seed)
    result = _Search(selection, sample, halves, plan, design, permuted)
    return conclude(
        "search",
        selection=replace(selection, attributes=()),
        files=table.files,
        records=records,
        parts=[sample.whole(shown, design), result],
        metrics=[shown],
        design=design,
        settings={
            "over": ",".join(columns),
            **roles.settings(),
            **chosen.settings(),
            "metric": metric,
            **plan.settings(),
        },
        notes=[*chosen.notes(), *table.notes, *selection.notes(table)],
    )


def _columns(over: str | Sequence[str]) -> list[str]:
    texts = over.split(",") if isinstance(over, str) else list(over)
    columns = [Attribute.parse(text).columns for text in dict.fromkeys(texts) if text]
    if not columns or any(len(each) > 1 for each in columns):
        raise FairauditError(
            f"--over {','.join(texts)}: expected columns joined by commas: age,sex,region. All "
            "their crossings are searched."
        )
    return [text for text in dict.fromkeys(texts) if text]


def _refuse_outcomes(columns: Sequence[str], roles: Roles) -> None:
    """Refuse to search over what decides whether a record is right."""
    for role, name in vars(roles).items():
        if name in columns:
            raise FairauditError(
                f"--over {name}: is the column of --{role}, of which errors are made. Name columns "
                "that say who a record is about."
            )


def _task(
    name: str,
    roles: Roles,
    positive: str | Sequence[str],
    positive_label: str | Sequence[str],
    threshold: Any,
    na: Sequence[str],
) -> Task:
    """A task in which each record has a value of its own."""
    if name == "regression":
        return Regression(roles)
    if name != "binary":
        raise FairauditError(f"--task {name}: a search knows binary and regression.")
    thresholds = [threshold] if isinstance(threshold, str | int | float) else list(threshold)
    if len(thresholds) > 1:
        raise FairauditError(
            f"--threshold {','.join(map(str, thresholds))}: a search takes one only."
        )
    named, labels = (
        [values] if isinstance(values, str) else list(values)
        for values in (positive, positive_label)
    )
    return Binary(roles, named, labels, [str(each) for each in thresholds], na)


def _metric(name: str | None, task: Task) -> Metric:
    """The metric of this name, or the task's own, if it is a mean over records."""
    known = [
        each
        for each in task.tallies[0].metrics
        if METRICS[each].range == "proportion" or each in _MEANS
    ]
    found = known[0] if name is None else find_metric(name, known)
    if found is None:
        raise FairauditError(
            f"--metric {name}: expected one of {', '.join(known)} (means over records)."
        )
    return METRICS[found]


@dataclass(frozen=True)
class _Half:
    """A part of the records, each with its metric.

    Attributes
    ----------
    codes : array of uint8, shape (n, A)
        Levels of the attributes.
    event : array, shape (n,)
        The metric of each record alone.
    cluster : array of int, shape (n,), or None
    """

    codes: Array
    event: Array
    cluster: Array | None

    def take(self, rows: Array) -> _Half:
        """Pick these records."""
        cluster = None if self.cluster is None else self.cluster[rows]
        return _Half(self.codes[rows], self.event[rows], cluster)


class _Sample:
    """Keeps all records in codes, with the metric of each."""

    def __init__(self, selection: Selection, task: Task, metric: Metric) -> None:
        bins = {each.column: each for each in selection.bins}
        self.columns = [attribute.columns[0] for attribute in selection.attributes]
        self.task, self.metric, self.cluster = task, metric, selection.cluster
        self.levels = [Levels(name, bins.get(name), selection.na) for name in self.columns]
        self._clusters = Vocabulary()
        self._events: list[Array] = []
        self._owners: list[Array] = []

    def add(self, batch: Batch) -> None:
        """Keep the records that are in the metric's denominator."""
        columns = self.task.tallies[0].columns
        counts = self.task.count(batch)[0]
        exposed = self.metric.n(columns, counts) > 0
        batch, counts = batch.select(exposed), counts[exposed]
        times = np.ones(len(counts), dtype=np.int64) if batch.times is None else batch.times
        self._events.append(np.repeat(self.metric.value(columns, counts), times))
        for level in self.levels:
            level.add(batch.labels[level.column], times)
        if self.cluster is not None:
            owners = self._clusters.encode(batch.labels[self.cluster])
            self._owners.append(np.repeat(owners, times))

    @cached_property
    def coded(self) -> list[Coded]:
        """The attributes in codes."""
        return [level.coded() for level in self.levels]

    @cached_property
    def records(self) -> _Half:
        """All records, in an order that does not depend on the table's."""
        codes = np.column_stack([each.codes for each in self.coded])
        event, cluster = np.concatenate(self._events), None
        if self._owners:
            names = np.array(list(map(str, self._clusters.values)), dtype=object)
            cluster = np.unique(names, return_inverse=True)[1][np.concatenate(self._owners)]
        keys = [event, *codes.T, *([] if cluster is None else [cluster])]
        return _Half(codes, event, cluster).take(np.lexsort(keys))

    def split(self, holdout: float, seed: int) -> tuple[_Half, _Half]:
        """Two parts: to search, and to measure what was found. Clusters stay whole."""
        records = self.records
        unit = np.arange(len(records.event)) if records.cluster is None else records.cluster
        size = int(unit.max(initial=-1)) + 1
        shuffled = seeded(seed, "holdout").permutation(size)
        held = np.zeros(size, dtype=bool)
        held[shuffled[: round(holdout * size)]] = True
        return tuple(records.take(np.flatnonzero(held[unit] == part)) for part in (False, True))  # type: ignore[return-value]

    def whole(self, metric: Metric, design: Design) -> Assessment:
        """The metric over all records."""
        everyone = np.zeros(len(self.records.event), dtype=np.int64)
        sums = _sums(None, (ALL,), everyone, self.records)
        return Assessment(sums, [_mean(metric)], design, lambda group: {})


def _mean(metric: Metric) -> Metric:
    """The metric as a mean over records."""
    return replace(metric, formula=lambda c: c.event / c.exposed, denominator=lambda c: c.exposed)


def _sums(attribute: str | None, groups: tuple[str, ...], group: Array, part: _Half) -> Sums:
    total = Accumulator(_COLUMNS, part.cluster is not None)
    one = np.ones(len(group))
    total.add(group, part.cluster, np.column_stack([one, part.event, one]))
    clusters = None
    if part.cluster is not None:
        clusters = [f"{i:012d}" for i in range(int(part.cluster.max(initial=-1)) + 1)]
    return total.result(attribute, groups, clusters)


@dataclass(frozen=True)
class _Search:
    """What was found in one part of the records, and measured in the other."""

    selection: Selection
    sample: _Sample
    halves: tuple[_Half, _Half]
    plan: Plan
    design: Design
    permuted: slices.Progress | None

    def estimates(self) -> Iterator[Estimate]:
        """Slice and rest, in either part."""
        for part, contrast in self._contrasts.items():
            for i, found in enumerate(self.found.slices):
                for side, group in ((contrast[i].a, self._label(found)), (contrast[i].b, "(rest)")):
                    low, high = side.interval(self.design.confidence)
                    yield Estimate(
                        attribute=self._attribute(found),
                        group=group,
                        values=self._values(found),
                        metric=self.sample.metric.name,
                        value=defined(side.value[0]),
                        ci_low=defined(low[0]),
                        ci_high=defined(high[0]),
                        n=float(side.n[0]),
                        records=int(side.records[0]),
                        clusters=int(side.units[0]) if side.clustered else None,
                        counts={},
                        variant={"part": part},
                    )

    def comparisons(self) -> Iterator[Comparison]:
        """Differences to the rest: as found, and as measured anew."""
        for part, contrasts in self._contrasts.items():
            p_values = np.array([float(each.p_value[0]) for each in contrasts])
            adjusted = adjust(p_values, "holm")
            for i, (found, each) in enumerate(zip(self.found.slices, contrasts, strict=True)):
                low, high = each.difference_interval(self.design.confidence)
                searched = part == "search"
                yield Comparison(
                    self._attribute(found),
                    self.sample.metric.name,
                    "difference",
                    self._label(found),
                    "(rest)",
                    defined(each.difference[0]),
                    # Of what was picked for its gap no interval is honest.
                    None if searched else defined(low[0]),
                    None if searched else defined(high[0]),
                    None if searched else defined(p_values[i]),
                    found.p_value if searched else defined(adjusted[i]),
                    "max-t" if searched else "holm",
                    variant={"part": part},
                )

    def notes(self) -> Iterator[str]:
        """What was searched, and what was not."""
        found, plan = self.found, self.plan
        names = ", ".join(self.sample.columns)
        yield (
            f"Searched {found.searched:,} slices of up to {plan.depth} of {names} in "
            f"{found.n:,} records for {self._sought}; {found.excluded_small:,} slices with fewer "
            f"than {plan.min_size} of these records and {found.excluded_rest:,} with fewer in "
            "their rest were left out."
        )
        if found.significant:
            most = f" (no more than {slices.MOST} are listed)"
            yield (
                f"{found.significant:,} slices are shown to have that "
                f"(p\u2264{1 - self.design.confidence:.2g} over all slices at once, "
                f"{plan.permutations} permutations); {len(found.slices)} of them are not explained "
                f"by those before them{most if len(found.slices) == slices.MOST else ''}."
            )
        for column, coded in zip(self.sample.columns, self.sample.coded, strict=True):
            if coded.missing is not None:
                lost = int(np.count_nonzero(coded.codes == coded.missing))
                yield (
                    f"{column}: {lost:,} records without a value make no slice of their own; they "
                    "count among all others."
                )
            if coded.edges:
                cuts = ",".join(f"{edge:g}" for edge in coded.edges)
                yield (
                    f"{column} has many values and was cut at its quartiles: --bins {column}={cuts}"
                )

    @property
    def _sought(self) -> str:
        """What slices are looked for."""
        label = self.sample.metric.label
        way = {"lower": "a higher", "higher": "a lower", None: "another"}
        return f"{way[self.sample.metric.direction]} {label} than all others have"

    @cached_property
    def found(self) -> slices.Found:
        """What the search found in its part of the records."""
        part = self.halves[0]
        coded = self.sample.coded
        missing = [(a, each.missing) for a, each in enumerate(coded) if each.missing is not None]
        return slices.search(
            part.codes,
            [len(each.names) for each in coded],
            part.event,
            depth=min(self.plan.depth, len(coded)),
            min_size=self.plan.min_size,
            permutations=self.plan.permutations,
            seed=self.design.seed,
            cluster=part.cluster,
            direction=_DIRECTIONS[self.sample.metric.direction],
            alpha=1 - self.design.confidence,
            most=slices.MOST,
            excluded_levels=[(a, int(level)) for a, level in missing],
            progress=self.permuted,
        )

    @cached_property
    def _contrasts(self) -> Mapping[str, list[Contrast]]:
        """Each slice against its rest, in either part."""
        return {
            name: [self._contrast(found, part) for found in self.found.slices]
            for name, part in zip(("search", "holdout"), self.halves, strict=True)
        }

    def _contrast(self, found: slices.Slice, part: _Half) -> Contrast:
        inside = np.all(part.codes[:, found.attributes] == found.levels, axis=1)
        sums = _sums(self._attribute(found), ("0", "1"), np.where(inside, 0, 1), part)
        metric = _mean(self.sample.metric)
        clustered = part.cluster is not None
        estimates = estimate(metric, sums.columns, sums.spread, clustered=clustered)
        return pairs(sums, estimates, np.array([0]), np.array([len(sums.groups) - 1]))

    def _attribute(self, found: slices.Slice) -> str:
        return ":".join(self.selection.attributes[a].name for a in found.attributes)

    def _values(self, found: slices.Slice) -> dict[str, str]:
        return {
            self.sample.columns[a]: str(self.sample.coded[a].names[level])
            for a, level in zip(found.attributes, found.levels, strict=True)
        }

    def _label(self, found: slices.Slice) -> str:
        return join_labels(list(self._values(found).values()))
