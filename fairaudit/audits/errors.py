"""Errors of decisions, scores, numbers and rankings by group."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from fairaudit.assess import Design, Part, assessments, conclude
from fairaudit.audit import Audit, Records
from fairaudit.audits.decisions.confusion import Confusions
from fairaudit.audits.decisions.control import Control
from fairaudit.audits.decisions.kept import Kept
from fairaudit.audits.decisions.parity import LEAST_SHARE, Parity
from fairaudit.audits.decisions.reading import Reading
from fairaudit.audits.decisions.roles import Roles
from fairaudit.audits.decisions.tasks import Binary, Multiclass, Ranking, Regression, Task
from fairaudit.exceptions import FairauditError
from fairaudit.groups import Attribute
from fairaudit.metrics import METRICS, SELECTION, Metric, find_metric
from fairaudit.selection import Selection
from fairaudit.stats.sums import Sums
from fairaudit.table import MISSING_VALUES, Batch, Table, Workspace

TaskName = Literal["binary", "multiclass", "regression", "ranking"]
#: Rules whose tables can be asked for.
Rule = Literal["four-fifths", "ll144"]


def errors(
    data: Any,
    *,
    by: str | Sequence[str] = (),
    label: str | None = None,
    prediction: str | None = None,
    score: str | None = None,
    threshold: str | float | Sequence[str | float] = (),
    task: TaskName = "binary",
    positive: str | Sequence[str] = (),
    positive_label: str | Sequence[str] = (),
    classes: str | Sequence[str] = (),
    top_k: int | str | Sequence[int | str] = (),
    query: str | None = None,
    weight: str | None = None,
    control: str | None = None,
    cluster: str | None = None,
    metrics: str | Sequence[str] = (),
    rule: Rule | None = None,
    bins: str | Sequence[str] = (),
    where: str | None = None,
    na: Sequence[str] = MISSING_VALUES,
    progress: Callable[[int], None] = lambda records: None,
    **design: Any,
) -> Audit:
    """Audit the errors of a predictor by group.

    Parameters
    ----------
    data : path, pattern, sequence of paths, "-" or data frame
        A table with a row per record.
    by : str or sequence of str
        Attributes, and crossings such as ``sex:race``.
    label, prediction, score : str, optional
        Columns of what was true, what was decided, and the score behind it. Without `label`
        selection rates only.
    threshold : number, "median" or sequence of them
        Scores from which a decision is positive (above the median of all scores for
        ``median``); where none is given 0.5, and the median for Local Law 144.
    task : {"binary", "multiclass", "regression", "ranking"}
        What is predicted.
    positive, positive_label : str or sequence of str
        Values that are positive, matched exactly, of predictions, and of labels where they are
        others. Without them 1, true and yes are.
    classes : str or sequence of str
        Of several classes, those that are also reported on their own.
    top_k : int or sequence of int
        How many of a ranking are selected; 10 where not given.
    query : str, optional
        Column of what is ranked within.
    weight : str, optional
        Column of weights.
    control : str, optional
        Column at whose equal values groups are compared as well.
    cluster : str, optional
        Column of what was sampled independently.
    metrics : str or sequence of str
        Names; the first is the headline. All that the data allow where none is given.
    rule : {"four-fifths", "ll144"}, optional
        A rule of the field that the report is to follow; it is about selection rates. By Local
        Law 144 groups below 2 % of the records have no impact ratio.
    bins : str or sequence of str
        Numeric attributes to cut: ``age=18,30,45``.
    where : str, optional
        SQL condition on the columns.
    na : sequence of str
        What stands for a missing value.
    progress : callable
        Told how many records were read so far.
    **design
        Settings of `Design`: ``compare_to``, ``min_n``, ``confidence``, ``interval``,
        ``correction``, ``resamples``, ``seed``.

    Returns
    -------
    Audit

    Raises
    ------
    FairauditError
        If data or arguments do not allow an audit; the message says what to do.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame({"hired": [1, 1, 0, 1, 0, 0], "sex": ["m", "m", "m", "f", "f", "f"]})
    >>> audit = errors(people, prediction="hired", by="sex")
    >>> [(row.group, round(row.value, 3)) for row in audit.estimates]
    [('(all)', 0.5), ('f', 0.333), ('m', 0.667)]
    """
    roles = Roles(label, prediction, score, weight, query)
    selection = Selection.of(by, cluster, bins, where, na)
    settings = Design(**design)
    options = _Options(
        _texts(threshold),
        _texts(positive),
        _texts(positive_label),
        _texts(classes),
        _texts(top_k),
        rule,
    )
    chosen = options.task(task, roles, na)
    if rule is not None and control is not None:
        raise FairauditError(f"--table {rule} knows no --control {control}: leave one of them out.")
    names = _texts(metrics)
    with Workspace() as workspace:
        table = workspace.open(data)
        roles.resolve(table)
        selection = _resolved(selection, control, table)
        reading = Reading(table, roles, chosen, selection, [control] if control else [])
        tallies = _Tallies(reading, chosen, selection, control)
        tallies.count(progress)
        records = tallies.records()
        shown = _metrics(names, chosen, rule)
    return conclude(
        "errors",
        selection=selection,
        files=table.files,
        records=records,
        parts=list(tallies.parts(shown, settings, LEAST_SHARE if rule else 0.0)),
        metrics=shown,
        design=settings,
        settings={
            **roles.settings(),
            **chosen.settings(),
            "control": control,
            "rule": rule,
            "metric": ",".join(names) or None,
        },
        notes=[*chosen.notes(), *tallies.notes(shown), *table.notes, *selection.notes(table)],
        explanations=tallies.confusions.explanations(),
    )


def _texts(value: Any) -> list[str]:
    """One value or several, as texts."""
    several = value if isinstance(value, Iterable) and not isinstance(value, str) else [value]
    return [str(each) for each in several]


@dataclass(frozen=True)
class _Options:
    """What only some of the tasks take."""

    thresholds: Sequence[str]
    positive: Sequence[str]
    positive_label: Sequence[str]
    classes: Sequence[str]
    top_k: Sequence[str]
    rule: str | None

    def task(self, name: str, roles: Roles, na: Sequence[str]) -> Task:
        """The task of this name.

        Raises
        ------
        FairauditError
            If there is none, or it does not take an option that was given.
        """
        if name not in get_args(TaskName):
            raise FairauditError(f"--task {name}: expected {', '.join(get_args(TaskName))}.")
        if self.rule not in (None, *get_args(Rule)):
            raise FairauditError(f"--table {self.rule}: expected {' or '.join(get_args(Rule))}.")
        self._refuse_others(name, roles)
        if name == "multiclass":
            return Multiclass(roles, self.classes)
        if name == "regression":
            return Regression(roles)
        if name == "ranking":
            return Ranking(roles, self.top_k)
        # Local Law 144 defines the scoring rate at the median.
        usual = ("median",) if self.rule == "ll144" and roles.prediction is None else ()
        return Binary(roles, self.positive, self.positive_label, self.thresholds or usual, na)

    def _refuse_others(self, name: str, roles: Roles) -> None:
        """Refuse what another task would take: it would be ignored."""
        for option, given, tasks in (
            ("--threshold", self.thresholds, ("binary",)),
            ("--positive", self.positive, ("binary",)),
            ("--positive-label", self.positive_label, ("binary",)),
            ("--class", self.classes, ("multiclass",)),
            ("--top-k", self.top_k, ("ranking",)),
            ("--query", roles.query, ("ranking",)),
            ("--table", self.rule, ("binary", "multiclass", "ranking")),
            ("--score", roles.score, ("binary", "ranking")),
            ("--prediction", roles.prediction, ("binary", "multiclass", "regression")),
        ):
            if given and name not in tasks:
                allowed = " or ".join(tasks)
                raise FairauditError(f"{option} is for --task {allowed}; this is --task {name}.")


def _resolved(selection: Selection, control: str | None, table: Table) -> Selection:
    """Check the columns; bins may be of the control as well."""
    if control is None:
        return selection.resolve(table)
    further = Attribute(control, (control,))
    found = replace(selection, attributes=(*selection.attributes, further)).resolve(table)
    return replace(found, attributes=selection.attributes)


def _metrics(names: Sequence[str], task: Task, rule: str | None) -> list[Metric]:
    """Metrics by name or label; by default all that the task has, or the rule is about."""
    known = list(dict.fromkeys(name for tally in task.tallies for name in tally.metrics))
    known = list(SELECTION) if rule is not None else known + task.further
    found = [find_metric(name, known) for name in names]
    for given, name in zip(names, found, strict=True):
        if name is None:
            why = "what these columns allow" if rule is None else f"what --table {rule} is about"
            raise FairauditError(f"--metric {given}: expected {', '.join(known)} ({why}).")
    return [METRICS[name] for name in dict.fromkeys(filter(None, found))] or [
        METRICS[name] for name in known
    ]


class _Tallies:
    """Adds the records up in every way that the task has."""

    def __init__(
        self, reading: Reading, task: Task, selection: Selection, control: str | None
    ) -> None:
        self.reading, self.task, self.selection, self.control = reading, task, selection, control
        self.weight = 0.0

    def count(self, progress: Callable[[int], None]) -> None:
        """Read the table once, or twice where the task must look first, and count."""
        self.task.prepare(self.reading.batches())
        tallies = self.task.tallies
        self.groupings = [self.selection.grouping(tally.columns) for tally in tallies]
        self.confusions = Confusions(self.task, self.groupings[0])
        self.kept = Kept(self.task, self.groupings[0])
        self.controls = [Control(self.selection, self.control) for _ in tallies if self.control]
        for batch in self.reading.batches():
            self._add(batch)
            progress(self.reading.total)
        self.task.check()

    def _add(self, batch: Batch) -> None:
        """Count one batch of records."""
        counts = self.task.count(batch)
        codes = [
            grouping.add(batch.labels, matrix, batch.times)
            for grouping, matrix in zip(self.groupings, counts, strict=True)
        ]
        self.kept.add(self.task.keep(batch), codes[0])
        self.confusions.add(batch, codes[0])
        for i, control in enumerate(self.controls):
            control.add(batch, self.task.tallies[i].columns, counts[i])
        self.weight += float(counts[0][:, 1].sum())

    def records(self) -> Records:
        """What became of the records.

        Raises
        ------
        FairauditError
            If none is left, or all weigh nothing.
        """
        records = self.reading.records()
        if not self.weight:
            raise FairauditError(
                f"{self.reading.table.name}: all weights in column "
                f"'{self.reading.roles.weight}' are 0."
            )
        return records

    def parts(self, metrics: Sequence[Metric], design: Design, min_share: float) -> Iterator[Part]:
        """What each way of counting shows, then what needs every record, then at equal control."""
        weighted = self.reading.roles.weight is not None
        for i, (tally, grouping) in enumerate(zip(self.task.tallies, self.groupings, strict=True)):
            own = [metric for metric in metrics if metric.name in tally.metrics]
            if not own:
                continue
            grouped = _marked(grouping.result(), tally.variant)
            parts = assessments(grouped, self.selection, own, design, weighted)
            yield from parts
            yield from (Parity(part, min_share) for part in parts[1:])
            if self.controls:
                yield from self.controls[i].parts(parts[1:])
        yield from self.kept.parts(self._further(metrics), design)

    def _further(self, metrics: Sequence[Metric]) -> list[str]:
        names = {metric.name for metric in metrics}
        return [name for name in self.task.further if name in names]

    def notes(self, metrics: Sequence[Metric]) -> Iterator[str]:
        """What the control does not reach."""
        if self.control is not None and (names := self._further(metrics)):
            yield (
                f"At equal {self.control} only rates and means are compared; not so: "
                f"{', '.join(names)}."
            )
        if self.control is not None and not self.selection.attributes:
            yield f"Nothing is compared at equal {self.control}, as no --by was given."


def _marked(
    grouped: tuple[Sums, list[Sums]], variant: Mapping[str, Any] | None
) -> tuple[Sums, list[Sums]]:
    """Sums marked with their variant."""
    overall, each = grouped
    return replace(overall, variant=variant), [replace(sums, variant=variant) for sums in each]
