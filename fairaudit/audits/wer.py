"""Word error rates by group: what is counted in an utterance, and where it is read from."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.assess import Design, Grouped, Part, assessments, conclude
from fairaudit.audit import QUOTING, Audit, Explanation, Records
from fairaudit.audits.speech import alignment
from fairaudit.audits.speech.covariates import CALIPER, Adjustment, Covariates
from fairaudit.audits.speech.explain import Explainer
from fairaudit.audits.speech.normalizers import Normalizer, normalizer
from fairaudit.audits.speech.reading import Observer, read
from fairaudit.audits.speech.respelling import Respellings, order_notes
from fairaudit.audits.speech.transcripts import Roles, Transcripts
from fairaudit.exceptions import FairauditError
from fairaudit.joins import Match, Missing
from fairaudit.metrics import BEFORE, METRICS, SPEECH, Metric
from fairaudit.paired import Update, runs
from fairaudit.selection import Selection
from fairaudit.table import MISSING_VALUES, Batch, Table, Workspace


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
    against: Any = None,
    normalize: str | Sequence[str] = "basic",
    metrics: Sequence[str] = SPEECH,
    adjust: str | None = None,
    match: str | None = None,
    caliper: float = CALIPER,
    explain: bool = False,
    texts: bool = True,
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
    against : as `data`, optional
        What another recogniser heard in the same utterances, joined on their ids: the run
        before an update, whose changes are then reported.
    normalize : str or sequence of str
        What is done to both texts before they are compared; see `normalizer`. Of several the
        first is the main one, and the others show what depends on it.
    metrics : sequence of str
        Names; the first is the headline.
    adjust : str, optional
        Covariates that enter a regression of word errors one after the other: ``duration,gender``;
        those joined by a plus enter together.
    match : str, optional
        Covariates on which each group's utterances are matched with others'.
    caliper : float
        Farthest match, in standard deviations of the propensity's logit.
    explain : bool
        Whether to say where the errors come from; the audit file then quotes the data.
    texts : bool
        Whether any word of the data may be quoted at all.
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
        against,
    )
    selection = Selection.of(by, cluster, bins, where, na)
    rules, settings = _rules(normalize), Design(**design)
    adjustment = Adjustment.parse(adjust, match, caliper)
    with Workspace() as workspace:
        table, roles = transcripts.open(workspace)
        selection = selection.resolve(table)
        chosen = _metrics(metrics, selection.cluster is not None)
        tally = _Tally(rules, roles, missing, selection, _columns(chosen))
        others = [*roles.texts, *filter(None, (roles.id, selection.cluster))]
        adjustment.check(selection.attributes, others)
        covariates = Covariates(tally.groupings[0], adjustment, settings, selection.na)
        if adjustment.columns:
            tally.observers.append(covariates)
        if explain:
            tally.observers.append(Explainer(tally.groupings[0], roles.id, settings))
        _count(table, tally, progress)
        records = tally.records(table)
    parts = [part for sums in tally.sums() for part in _parts(sums, selection, chosen, settings)]
    if adjustment.columns:
        parts += covariates.parts(tally.variant(rules[0]))
    audit = conclude(
        "wer",
        selection=selection,
        files=table.files,
        records=records,
        parts=parts,
        metrics=chosen,
        design=settings,
        settings={
            "norm": ",".join(rule.version for rule in rules),
            "metric": None if metrics is SPEECH else ",".join(metrics),
            **roles.settings(),
            **transcripts.settings(),
            **adjustment.settings(),
            "explain": explain or None,
        },
        notes=[*tally.notes(), *table.notes, *selection.notes(table)],
        explanations=[e for e in tally.explanations() if texts or e.kind not in QUOTING],
    )
    return replace(audit, notes=(*audit.notes, *order_notes(audit))) if len(rules) > 1 else audit


def _rules(names: str | Sequence[str]) -> list[Normalizer]:
    """The normalisers of these names; the first is the main one."""
    rules = [normalizer(name) for name in ([names] if isinstance(names, str) else names)]
    if len({rule.name for rule in rules}) < len(rules) or not rules:
        raise FairauditError("--normalize: expected different normalisers, at least one.")
    return rules


def _parts(
    grouped: Grouped, selection: Selection, metrics: Sequence[Metric], design: Design
) -> Iterator[Part]:
    """Assess the sums under one normaliser, of one run or of two."""
    overall, each = grouped
    pairs = [runs(sums) for sums in (overall, *each)]
    own = [new for new, _ in pairs]
    yield from assessments((own[0], own[1:]), selection, metrics, design)
    if any(name.startswith(BEFORE) for name in overall.columns):
        earlier = [old for _, old in pairs]
        before = assessments((earlier[0], earlier[1:]), selection, metrics, design)
        for sums, part in zip((overall, *each), before, strict=True):
            yield Update(sums, metrics, design, part)


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
    characters = any("characters" in metric.reads() for metric in metrics)
    return alignment.COLUMNS + (alignment.CHARACTER_COLUMNS if characters else [])


class _Tally:
    """Adds batches up under each normaliser, and remembers what became of the records."""

    def __init__(
        self,
        rules: Sequence[Normalizer],
        roles: Roles,
        missing: Missing,
        selection: Selection,
        columns: Sequence[str],
    ) -> None:
        self.rules, self.roles, self.missing, self.selection = rules, roles, missing, selection
        self.characters = "characters" in columns
        both = [*columns, *(BEFORE + name for name in columns if roles.before)]
        self.groupings = [selection.grouping(both) for _ in rules]
        self.observers: list[Observer] = []
        if len(rules) > 1:
            self.observers.append(Respellings(rules, self.groupings[0]))
        self.total = self.used = self.unspoken = 0
        self.unheard = dict.fromkeys(roles.texts[1:], 0)
        self.dropped = {"filtered by --where": 0, "no reference": 0, "no hypothesis": 0}
        self._ids: list[Array] = []

    @property
    def labels(self) -> list[str]:
        """The columns of labels that are needed."""
        others = [name for observer in self.observers for name in observer.labels]
        return list(dict.fromkeys([*self.groupings[0].labels, *others]))

    def add(self, batch: Batch) -> None:
        """Count one batch of records."""
        batch = self._kept(batch)
        if not len(batch.keep):
            return
        readings = [read(batch, self.roles, rule, self.characters) for rule in self.rules]
        codes = [
            grouping.add(batch.labels, reading.counts)
            for grouping, reading in zip(self.groupings, readings, strict=True)
        ]
        for observer in self.observers:
            observer.see(batch, readings, codes[0])
        counts = readings[0].counts
        self.used += len(counts)
        self.unspoken += len(counts) - int(counts[:, alignment.COLUMNS.index("scored")].sum())
        if batch.ids is not None:
            self._ids.append(batch.ids)

    def sums(self) -> Iterator[Grouped]:
        """Sums under each normaliser, marked with its name where there are several."""
        for rule, grouping in zip(self.rules, self.groupings, strict=True):
            variant = self.variant(rule)
            overall, each = grouping.result()
            yield replace(overall, variant=variant), [replace(s, variant=variant) for s in each]

    def variant(self, rule: Normalizer) -> dict[str, Any] | None:
        """What marks the rows under a normaliser, where there are several."""
        return {"normalize": rule.name} if len(self.rules) > 1 else None

    def explanations(self) -> list[Explanation]:
        """What the observers found."""
        return [row for observer in self.observers for row in observer.explanations()]

    def _kept(self, batch: Batch) -> Batch:
        """Drop records that cannot be counted, and count them by reason."""
        self.total += len(batch.keep)
        batch = self._drop(batch, batch.keep, "filtered by --where")
        batch = self._drop(batch, batch.present(self.roles.reference), "no reference")
        for name in self.roles.texts[1:]:
            heard = batch.present(name)
            if self.missing == "skip":
                batch = self._drop(batch, heard, "no hypothesis")
            else:
                self.unheard[name] += int(np.count_nonzero(~heard))
        return batch

    def _drop(self, batch: Batch, keep: Array, reason: str) -> Batch:
        if keep.all():
            return batch
        self.dropped[reason] += int(np.count_nonzero(~keep))
        return batch.select(keep)

    def records(self, table: Table) -> Records:
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
        return Records(total, self.used, dropped, self._digest(table))

    def _digest(self, table: Table) -> str | None:
        if self.roles.id is None:
            return None
        ids = np.concatenate(self._ids)
        digest = f"{int(ids.sum(dtype=np.uint64)):016x}"
        ids.sort()
        for twice in ids[1:][ids[1:] == ids[:-1]]:
            table.refuse_duplicate(self.roles.id, int(twice), self.selection.where)
        return digest

    def notes(self) -> Iterator[str]:
        """What a reader must know about the records."""
        for name, count in self.unheard.items():
            if count:
                which = "" if name == self.roles.hypothesis else f" ({name})"
                yield f"{count} records have no hypothesis{which}; their words count as deleted."
        if self.roles.alternatives and self.roles.before:
            yield (
                "Of several wordings of a reference each run is held against the one that suits "
                "it best, so the numbers of words may differ."
            )
        if self.unspoken:
            yield (
                f"{self.unspoken} records have an empty reference; what was heard in them counts "
                "as inserted."
            )


def _count(table: Table, tally: _Tally, progress: Callable[[int], None]) -> None:
    """Read the table once and count every record."""
    batches = table.scan(
        tally.roles.texts,
        tally.labels,
        identity=tally.roles.id,
        where=tally.selection.where,
        missing_values=tally.selection.na,
    )
    with _collector_off():
        for batch in batches:
            tally.add(batch)
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
