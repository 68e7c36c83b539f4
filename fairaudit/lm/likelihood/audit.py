"""How likely a language model finds sentences that differ in whom they are about, by group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.assess import Design, assessments, conclude
from fairaudit.audit import Audit, Records
from fairaudit.exceptions import FairauditError
from fairaudit.groups import Grouping
from fairaudit.lm import checkpoints
from fairaudit.lm.language_models import LanguageModel
from fairaudit.lm.likelihood.forms import probe_for
from fairaudit.lm.likelihood.probes import Probe, Rows
from fairaudit.metrics import METRICS
from fairaudit.selection import Selection
from fairaudit.table import MISSING_VALUES, Batch, Table, Workspace

#: Records that are scored at once: enough for batches of sentences of about one length.
_AT_ONCE = 256


def likelihood(
    data: Any = None,
    *,
    model: str | Path,
    probe: str | None = None,
    text: str | None = None,
    by: str | Sequence[str] | None = None,
    cluster: str | None = None,
    swap_list: str | Path | None = None,
    batch: int = 32,
    device: str = "auto",
    allow_pickle: bool = False,
    bins: str | Sequence[str] = (),
    where: str | None = None,
    na: Sequence[str] = MISSING_VALUES,
    progress: Callable[[int], None] = lambda records: None,
    warn: Callable[[str], None] = lambda message: None,
    **design: Any,
) -> Audit:
    """Audit how likely a language model finds sentences that differ in whom they are about.

    Parameters
    ----------
    data : path, pattern, sequence of paths or data frame, optional
        Pairs, triplets, templates or texts; their form is found by their content:
        CrowS-Pairs, StereoSet, WinoBias, Winogender, any text, or templates and professions in
        TOML. None is for the professions that are shipped.
    model : str or Path
        A model folder, or a name on the Hugging Face hub.
    probe : str, optional
        ``crows-pairs``, ``stereoset``, ``winobias``, ``winogender``, ``roles`` or ``pronouns``,
        where the content does not tell.
    text : str, optional
        Column of texts, for ``roles``.
    by : str or sequence of str, optional
        Attributes, and crossings such as ``bias_type:stereo_antistereo``; the probe's own by
        default.
    cluster : str, optional
        Column of what was sampled independently; the probe's own by default.
    swap_list : str or Path, optional
        Word list for role reversal (TOML); gender by default.
    batch : int
        Sentences that the model reads at once.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    allow_pickle : bool
        Accept weights that are there as a pickle alone.
    bins : str or sequence of str
        Numeric attributes to cut.
    where : str, optional
        SQL condition on the columns.
    na : sequence of str
        What stands for a missing attribute.
    progress : callable
        Told how many records were scored so far.
    warn : callable
        Told what a user must know at once.
    **design
        Settings of `Design`: ``compare_to``, ``min_n``, ``confidence``, ``interval``,
        ``correction``, ``resamples``, ``seed``.

    Returns
    -------
    Audit

    Raises
    ------
    FairauditError
        If data, model or arguments do not allow an audit; the message says what to do.

    Notes
    -----
    The probes and their sources are those of the modules of this package. The records are held in
    memory.
    """
    return audit_of(
        probe_for(data, probe, text, swap_list),
        model=model, by=by, cluster=cluster, batch=batch, device=device,
        allow_pickle=allow_pickle, bins=bins, where=where, na=na, progress=progress, warn=warn,
        **design,
    )  # fmt: skip


def audit_of(
    asked: Probe,
    *,
    model: str | Path,
    option: str = "--model",
    by: str | Sequence[str] | None = None,
    cluster: str | None = None,
    batch: int = 32,
    device: str = "auto",
    allow_pickle: bool = False,
    bins: str | Sequence[str] = (),
    where: str | None = None,
    na: Sequence[str] = MISSING_VALUES,
    progress: Callable[[int], None] = lambda records: None,
    warn: Callable[[str], None] = lambda message: None,
    **design: Any,
) -> Audit:
    """Audit by a probe; see `likelihood`. `option` is the one that names the model."""
    asked.check_cluster(cluster)
    settings = Design(**design)
    with Workspace() as workspace:
        table = asked.open(workspace)
        selection = _selection(asked, table, by, cluster, bins, where, na)
        asked.check(table, selection)
        folder = checkpoints.find(model, allow_pickle, option)
        loaded = LanguageModel(
            folder, str(model), device=device, batch=batch, window=asked.window,
            allow_pickle=allow_pickle, option=option, warn=warn,
        )  # fmt: skip
        grouping = selection.grouping(asked.columns)
        records = _Scorer(asked, loaded, grouping).score(table, selection, progress)
    shown = [METRICS[name] for name in asked.metrics]
    parts = assessments(grouping.result(), selection, shown, settings)
    return conclude(
        "likelihood",
        selection=selection,
        files=table.files,
        records=records,
        parts=[*parts, *asked.parts(settings)],
        metrics=[*shown, *(METRICS[name] for name in asked.further)],
        design=settings,
        settings={
            "probe": asked.name,
            "model": loaded.name[:16],
            "scoring": "masked" if loaded.masked else "causal",
            **asked.settings(),
        },
        notes=[*asked.notes(), *table.notes, *selection.notes(table)],
    )


def _selection(
    probe: Probe,
    table: Table,
    by: str | Sequence[str] | None,
    cluster: str | None,
    bins: str | Sequence[str],
    where: str | None,
    na: Sequence[str],
) -> Selection:
    """What to group by: as the user says, or as the probe usually is."""
    selection = Selection.of(probe.by if by is None else by, cluster, bins, where, na)
    alone = {attribute.name for attribute in selection.attributes}
    # Grouped by its cluster each group would be one cluster only, without an interval.
    if cluster is None and (probe.fixed_cluster or probe.cluster not in alone):
        selection = replace(selection, cluster=probe.cluster)
    return selection.resolve(table)


class _Scorer:
    """Scores records and adds them to their groups.

    Parameters
    ----------
    probe : Probe
    model : LanguageModel
    grouping : Grouping
    """

    def __init__(self, probe: Probe, model: LanguageModel, grouping: Grouping) -> None:
        self._probe, self._model, self._grouping = probe, model, grouping
        self._dropped: Counter[str] = Counter()
        self._used = 0

    def score(self, table: Table, selection: Selection, progress: Callable[[int], None]) -> Records:
        """Score all records of a table; what became of them.

        Raises
        ------
        FairauditError
            If none is left.
        """
        total = 0
        names = list(dict.fromkeys([*self._grouping.labels, *self._probe.fields]))
        for batch in table.scan(labels=names, where=selection.where, missing_values=selection.na):
            for start in range(0, len(batch.keep), _AT_ONCE):
                part = batch.select(_range(len(batch.keep), start))
                self._add(self._kept(part))
                total += part.records
                progress(total)
        return self._records(table, total)

    def _kept(self, batch: Batch) -> Batch:
        """Records that can be scored; the others are counted by reason."""
        batch = self._drop(batch, [None if keep else "filtered by --where" for keep in batch.keep])
        for name in self._probe.fields:
            missing = (cell is None or not cell.strip() for cell in batch.labels[name])
            batch = self._drop(batch, [f"no {name}" if each else None for each in missing])
        return self._drop(batch, self._probe.refuse(self._model, _rows(batch)))

    def _drop(self, batch: Batch, reasons: Sequence[str | None]) -> Batch:
        self._dropped.update(reason for reason in reasons if reason is not None)
        return batch.select(np.array([reason is None for reason in reasons], dtype=bool))

    def _add(self, batch: Batch) -> None:
        if batch.records:
            self._used += batch.records
            self._grouping.add(batch.labels, self._probe.measure(self._model, _rows(batch)))

    def _records(self, table: Table, total: int) -> Records:
        dropped = dict(self._dropped)
        if not self._used:
            why = "; ".join(f"{reason}: {count}" for reason, count in dropped.items())
            raise FairauditError(f"{table.name}: no records to audit{why and f' ({why})'}.")
        return Records(total, self._used, dropped)


def _range(size: int, start: int) -> Array:
    """Which of `size` records are the next `_AT_ONCE`."""
    places = np.arange(size)
    return (places >= start) & (places < start + _AT_ONCE)


def _rows(batch: Batch) -> Rows:
    """Cells of records whose needed ones are there."""
    return {name: [cell or "" for cell in cells] for name, cells in batch.labels.items()}
