"""Word error rates by group: what is counted in an utterance, and where it is read from."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.assess import Design, conclude
from fairaudit.audit import Audit, Records
from fairaudit.audits import alignment
from fairaudit.audits.normalizers import Normalizer, normalizer
from fairaudit.exceptions import FairauditError
from fairaudit.groups import Grouping
from fairaudit.joins import Match, Missing, add_attributes, join
from fairaudit.metrics import METRICS, SPEECH, Metric
from fairaudit.selection import Selection
from fairaudit.table import MISSING_VALUES, NOTHING, Batch, Table, Workspace


def wer(
    data: Any = None,
    *,
    by: str | Sequence[str] = (),
    cluster: str | None = None,
    ref: Any = None,
    hyp: Any = None,
    speakers: Any = None,
    ref_column: str | None = None,
    hyp_column: str | None = None,
    id_column: str | None = None,
    speaker_column: str | None = None,
    missing: Missing = "error",
    match_id: Match = "exact",
    normalize: str = "basic",
    metrics: Sequence[str] = SPEECH,
    bins: str | Sequence[str] = (),
    where: str | None = None,
    na: Sequence[str] = MISSING_VALUES,
    progress: Callable[[int], None] = lambda records: None,
    **design: Any,
) -> Audit:
    """Audit word errors by group.

    Parameters
    ----------
    data : path, pattern, sequence of paths, "-" or data frame, optional
        A table with references and hypotheses; or else give `ref` and `hyp`.
    by : str or sequence of str
        Attributes, and crossings such as ``accent:gender``.
    cluster : str, optional
        Column of what was sampled independently, as a rule the speaker.
    ref, hyp : as `data`, optional
        Separate tables of references and hypotheses, joined on the utterance id.
    speakers : as `data`, optional
        A side table with one row per speaker.
    ref_column, hyp_column, id_column, speaker_column : str, optional
        Columns; guessed from the field's usual names where not given.
    missing : {"error", "delete", "skip"}
        What becomes of an id that stands in one table only.
    match_id : {"exact", "stem"}
        Whether ids match as they are, or as file names without folder and suffix.
    normalize : {"none", "basic", "whisper-en"}
        What is done to both texts before they are compared.
    metrics : sequence of str
        Names; the first is the headline.
    bins : str or sequence of str
        Numeric attributes to cut: ``age=18,30,45``.
    where : str, optional
        SQL condition on the columns.
    na : sequence of str
        What stands for a missing attribute.
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
    >>> calls = pd.DataFrame(
    ...     {
    ...         "reference": ["good morning", "how are you", "see you soon"],
    ...         "hypothesis": ["good morning", "who are you", "see you"],
    ...         "accent": ["a", "b", "b"],
    ...     }
    ... )
    >>> audit = wer(calls, by="accent")
    >>> [(row.group, round(row.value, 3)) for row in audit.estimates if row.metric == "wer"]
    [('(all)', 0.25), ('a', 0.0), ('b', 0.333)]
    """
    transcripts = Transcripts(
        data,
        ref,
        hyp,
        speakers,
        ref_column,
        hyp_column,
        id_column,
        speaker_column,
        missing,
        match_id,
    )
    selection = Selection.of(by, cluster, bins, where, na)
    rule, settings = normalizer(normalize), Design(**design)
    with Workspace() as workspace:
        table, roles = transcripts.open(workspace)
        selection = selection.resolve(table)
        chosen = _metrics(metrics, selection.cluster is not None)
        tally = _Tally(rule, missing, selection.grouping(_columns(chosen)))
        _count(table, roles, selection, tally, progress)
        records = tally.records(table, roles.id, selection.where)
    return conclude(
        "wer",
        selection=selection,
        files=table.files,
        records=records,
        sums=tally.grouping.result(),
        metrics=chosen,
        design=settings,
        settings={
            "norm": rule.version,
            "metric": None if metrics is SPEECH else ",".join(metrics),
            **roles.settings(),
            **transcripts.settings(),
        },
        notes=[*tally.notes(), *selection.notes(table)],
    )


def _metrics(names: Sequence[str], clustered: bool) -> list[Metric]:
    """Metrics of a speech audit by name; by default all that the data allow."""
    for name in names:
        if name not in SPEECH:
            raise FairauditError(f"--metric {name}: expected one of {', '.join(SPEECH)}.")
        if METRICS[name].per_cluster and not clustered and names is not SPEECH:
            raise FairauditError(f"--metric {name} is a mean over clusters: it needs --cluster.")
    found = [METRICS[name] for name in dict.fromkeys(names)]
    return [metric for metric in found if clustered or metric.per_cluster is None]


def _columns(metrics: Sequence[Metric]) -> list[str]:
    """Counts that must be made: character errors only where a metric reads them."""
    characters = any("characters" in metric.columns for metric in metrics)
    return alignment.COLUMNS + (alignment.CHARACTER_COLUMNS if characters else [])


@dataclass(frozen=True)
class Roles:
    """Which column is what."""

    reference: str
    hypothesis: str
    id: str | None
    speaker: str | None = None

    def settings(self) -> dict[str, Any]:
        """For the signature."""
        roles = {"ref": self.reference, "hyp": self.hypothesis, "id": self.id}
        return {**roles, "speaker": self.speaker}


@dataclass(frozen=True)
class Transcripts:
    """Where references and hypotheses come from; see `wer` for the fields."""

    data: Any
    ref: Any
    hyp: Any
    speakers: Any
    ref_column: str | None
    hyp_column: str | None
    id_column: str | None
    speaker_column: str | None
    missing: Missing
    match_id: Match

    def __post_init__(self) -> None:
        separate = self.ref is not None or self.hyp is not None
        both = self.ref is not None and self.hyp is not None
        if separate == (self.data is not None) or separate != both:
            raise FairauditError(
                "expected one table (fairaudit wer FILE), or references and hypotheses apart "
                "(fairaudit wer --ref FILE --hyp FILE)."
            )

    def settings(self) -> dict[str, Any]:
        """For the signature: what is not as by default."""
        return {
            "missing": None if self.missing == "error" else self.missing,
            "match": None if self.match_id == "exact" else self.match_id,
        }

    def open(self, workspace: Workspace) -> tuple[Table, Roles]:
        """Open the tables, join them, and say which column is what."""
        # All files are opened before the first is read: then SQL is locked to them.
        side = None if self.speakers is None else workspace.open(self.speakers)
        if self.data is not None:
            table = workspace.open(self.data)
            reference = self._role(table, "reference", self.ref_column, "--ref-column")
            hypothesis = self._role(table, "hypothesis", self.hyp_column, "--hyp-column")
            identity = self.id_column or table.likely("id")
        else:
            table, reference, hypothesis, identity = self._open_both(workspace)
        roles = Roles(reference, hypothesis, identity)
        if side is None:
            return table, roles
        speaker = self.speaker_column or table.guess("speaker", "--speaker-column")
        table, speaker = self._add_speakers(table, side, speaker)
        return table, replace(roles, speaker=speaker)

    def _role(self, table: Table, role: str, given: str | None, flag: str) -> str:
        """The column given, or the one that the field's usual names tell."""
        name = given or table.guess(role, flag)
        if name is None:
            raise FairauditError(
                f"{table.name}: no column looks like the {role}. "
                f"Columns: {', '.join(table.names)}. Say which: {flag} NAME"
            )
        return table.column(name).name

    def _open_both(self, workspace: Workspace) -> tuple[Table, str, str, str]:
        left, right = workspace.open(self.ref), workspace.open(self.hyp)
        reference = self._role(left, "reference", self.ref_column, "--ref-column")
        # In a file of hypotheses alone, a column "text" or "transcript" is the hypothesis.
        hypothesis = self.hyp_column or right.guess("hypothesis", "--hyp-column")
        hypothesis = hypothesis or right.guess("reference", "--hyp-column")
        hypothesis = self._role(right, "hypothesis", hypothesis, "--hyp-column")
        if self.id_column not in (None, *left.names, *right.names):
            left.column(str(self.id_column))
        ids = (self._id(left), self._id(right))
        table, hypothesis = join(left, right, ids, hypothesis, self.missing, self.match_id)
        return table, reference, hypothesis, ids[0]

    def _id(self, table: Table) -> str:
        given = self.id_column if self.id_column in table.names else None
        return self._role(table, "id", given, "--id-column")

    def _add_speakers(self, table: Table, side: Table, speaker: str | None) -> tuple[Table, str]:
        own = self._role(table, "speaker", speaker, "--speaker-column")
        other = own if own in side.names else side.guess("speaker", "--speaker-column")
        other = other or side.guess("id", "--speaker-column")
        other = self._role(side, "speaker", other, "--speaker-column")
        return add_attributes(table, side, (own, other), self.missing), own


class _Tally:
    """Adds batches up, and remembers what became of the records."""

    def __init__(self, rule: Normalizer, missing: Missing, grouping: Grouping) -> None:
        self.rule, self.missing, self.grouping = rule, missing, grouping
        self.characters = "characters" in grouping.columns
        self.total = self.used = self.unheard = self.unspoken = 0
        self.dropped = {"filtered by --where": 0, "no reference": 0, "no hypothesis": 0}
        self._ids: list[Array] = []

    def add(self, batch: Batch, roles: Roles) -> None:
        """Count one batch of records."""
        batch = self._kept(batch, roles)
        if not len(batch.keep):
            return
        spoken, heard = (
            self.rule.apply(batch.texts[name].replace(NOTHING, "")).split("\n")
            for name in (roles.reference, roles.hypothesis)
        )
        counts = alignment.count(spoken, heard, self.characters)
        self.grouping.add(batch.labels, counts)
        self.used += len(counts)
        self.unspoken += len(counts) - int(counts[:, alignment.COLUMNS.index("scored")].sum())
        if batch.ids is not None:
            self._ids.append(batch.ids)

    def _kept(self, batch: Batch, roles: Roles) -> Batch:
        """Drop records that cannot be counted, and count them by reason."""
        self.total += len(batch.keep)
        batch = self._drop(batch, batch.keep, "filtered by --where")
        batch = self._drop(batch, batch.present(roles.reference), "no reference")
        heard = batch.present(roles.hypothesis)
        if self.missing == "skip":
            return self._drop(batch, heard, "no hypothesis")
        self.unheard += int(np.count_nonzero(~heard))
        return batch

    def _drop(self, batch: Batch, keep: Array, reason: str) -> Batch:
        if keep.all():
            return batch
        self.dropped[reason] += int(np.count_nonzero(~keep))
        return batch.select(keep)

    def records(self, table: Table, identity: str | None, where: str | None) -> Records:
        """What became of the records; ids must be unique.

        Raises
        ------
        FairauditError
            If no record is left, or an id stands twice.
        """
        dropped = dict(table.dropped)
        for reason, count in self.dropped.items():
            if count:
                dropped[reason] = dropped.get(reason, 0) + count
        total = self.total + sum(table.dropped.values())
        if not self.used:
            why = "; ".join(f"{reason}: {count}" for reason, count in dropped.items())
            raise FairauditError(f"{table.name}: no records to audit{why and f' ({why})'}.")
        return Records(total, self.used, dropped, self._digest(table, identity, where))

    def _digest(self, table: Table, identity: str | None, where: str | None) -> str | None:
        if identity is None:
            return None
        ids = np.concatenate(self._ids)
        digest = f"{int(ids.sum(dtype=np.uint64)):016x}"
        ids.sort()
        for twice in ids[1:][ids[1:] == ids[:-1]]:
            table.refuse_duplicate(identity, int(twice), where)
        return digest

    def notes(self) -> Iterator[str]:
        """What a reader must know about the records."""
        if self.unheard:
            yield f"{self.unheard} records have no hypothesis; all their words count as deleted."
        if self.unspoken:
            yield (
                f"{self.unspoken} records have an empty reference; what was heard in them counts "
                "as inserted."
            )


def _count(
    table: Table,
    roles: Roles,
    selection: Selection,
    tally: _Tally,
    progress: Callable[[int], None],
) -> None:
    """Read the table once and count every record."""
    batches = table.scan(
        [roles.reference, roles.hypothesis],
        tally.grouping.labels,
        identity=roles.id,
        where=selection.where,
        missing_values=selection.na,
    )
    with _collector_off():
        for batch in batches:
            tally.add(batch, roles)
            progress(tally.total)


@contextmanager
def _collector_off() -> Iterator[None]:
    """Keep the cyclic collector from walking millions of short-lived words."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
