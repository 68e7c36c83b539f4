"""Scores of models from tables and audit files: what `correlate` reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fairaudit import sources
from fairaudit.audit import SCHEMA, Audit, Estimate
from fairaudit.exceptions import FairauditError
from fairaudit.metrics import find_metric
from fairaudit.sources import File
from fairaudit.stats.sums import ALL, MISSING
from fairaudit.table import Table, Workspace
from fairaudit.toml import choices

#: The attribute under which domains stand in the audit, and their column in a table.
DOMAIN = "domain"
#: Group to score, None where a model has one score alone.
Groups = dict[str | None, float]


@dataclass(frozen=True)
class _Scored:
    """The values of one metric in an audit file.

    Attributes
    ----------
    path : Path
    model, metric : str
    rows : sequence of Estimate
        Of that metric.
    """

    path: Path
    model: str
    metric: str
    rows: Sequence[Estimate]

    @classmethod
    def read(cls, path: Path, metric: str | None) -> _Scored:
        """Read a metric of an audit file, the first one by default."""
        audit = Audit.load(path)
        known = list(dict.fromkeys(row.metric for row in audit.estimates))
        name = known[0] if metric is None and known else find_metric(metric or "", known)
        if name is None:
            raise FairauditError(
                f"{path}: no metric '{metric}'. {choices('Metrics', metric or '', known)}"
            )
        rows = [row for row in audit.estimates if row.metric == name]
        return cls(path, str(audit.settings.get("model") or path.stem), name, rows)

    @property
    def grouped(self) -> list[Estimate]:
        """Groups of attributes."""
        return [r for r in self.rows if r.attribute is not None and r.group != MISSING]

    @property
    def overall(self) -> list[Estimate]:
        """Over all records."""
        return [row for row in self.rows if row.attribute is None]

    def named(self, side: str, group: str | None) -> list[Estimate]:
        """The one value that stands for the model: over all records, or in a group.

        Raises
        ------
        FairauditError
            If there is none, or there are several of that name.
        """
        rows = self.overall if group is None else [r for r in self.rows if group in _names(r)]
        if not rows and group is None:
            raise FairauditError(
                f"{self.path}: no {self.metric} over all records. Name the group to take: "
                f"--{side}-group NAME. {self._groups(group)}"
            )
        if not rows:
            raise FairauditError(f"{self.path}: no group '{group}'. {self._groups(group)}")
        if len({row.attribute for row in rows}) > 1:
            several = " or ".join(dict.fromkeys(_names(row)[-1] for row in rows))
            raise FairauditError(
                f"{self.path}: --{side}-group {group} stands for several groups: name {several}."
            )
        return rows

    def _groups(self, name: str | None) -> str:
        known = dict.fromkeys(map(_names, self.grouped))
        often = Counter(short for short, _ in known)
        shown = [short if often[short] == 1 else full for short, full in known]
        return choices("Groups", name or "", shown)


def _names(row: Estimate) -> tuple[str, ...]:
    """What a group may be called: by itself, or with its attribute."""
    return (row.group,) if row.attribute is None else (row.group, f"{row.attribute}={row.group}")


@dataclass
class Side:
    """The scores of one side.

    Attributes
    ----------
    name : str
        ``intrinsic`` or ``extrinsic``.
    metric, group : str or None
        Which value of audit files is a model's score.
    scores : dict
        Domain to model to group to score.
    missing : int
        Rows without a model, a group or a score; audit files without a score.
    single : bool
        Whether audit files give one score for each model, not one for each group.
    """

    name: str
    metric: str | None = None
    group: str | None = None
    scores: dict[str | None, dict[str, Groups]] = field(default_factory=dict)
    missing: int = 0
    single: bool = False
    _audits: list[_Scored] = field(default_factory=list)

    @property
    def models(self) -> set[str]:
        """Models with a score."""
        return {model for models in self.scores.values() for model in models}

    @property
    def attributes(self) -> set[str]:
        """Domains of tables, and attributes of audit files."""
        rows = {row.attribute for audit in self._audits for row in audit.grouped}
        return {name for name in {*self.scores, *rows} if name is not None}

    def notes(self) -> Iterator[str]:
        """What stands for a model, where it is one value of an audit."""
        if self.single and self._audits:
            of = "over all records" if self.group in (None, ALL) else f"of {self.group}"
            yield f"The {self.name} score is {self._audits[0].metric} {of}."

    def read(self, several: Sequence[Table | Path], na: Sequence[str]) -> None:
        """Read tables and audit files; the values of the latter count once they are settled."""
        for each in several:
            if isinstance(each, Table):
                self._add_table(each, na)
            else:
                self._read_audit(each)
        for option, given in (("metric", self.metric), ("group", self.group)):
            if given is not None and not self._audits:
                raise FairauditError(
                    f"--{self.name}-{option} {given}: is for audit files; a table has "
                    f"{'one score' if option == 'metric' else 'groups in a column'}."
                )

    def settle(self, single: bool) -> None:
        """Add the values of audit files: one for each model, or those of their groups."""
        self.single = single
        for audit in self._audits:
            rows = audit.named(self.name, self.group) if single else audit.grouped or audit.overall
            known = [row for row in rows if row.value is not None]
            self.missing += not known
            for row in known:
                grouped = not single and row.attribute is not None
                domain, group = (row.attribute, row.group) if grouped else (None, None)
                self._add(str(audit.path), domain, audit.model, group, float(row.value or 0.0))

    def _add(
        self, where: str, domain: str | None, model: str, group: str | None, score: float
    ) -> None:
        groups = self.scores.setdefault(domain, {}).setdefault(model, {})
        if group in groups:
            about = "" if group is None else f", group '{group}'"
            raise FairauditError(
                f"{where}: a second score of model '{model}'{about} on the {self.name} side. "
                "Each counts once."
            )
        groups[group] = score

    def _read_audit(self, path: Path) -> None:
        audit = _Scored.read(path, self.metric)
        first = self._audits[0] if self._audits else audit
        if audit.metric != first.metric:
            raise FairauditError(
                f"{path}: its first metric is {audit.metric}, that of {first.path} is "
                f"{first.metric}. Name one that all have: --{self.name}-metric METRIC."
            )
        self._audits.append(audit)

    def _add_table(self, table: Table, na: Sequence[str]) -> None:
        for name in ("model", "score"):
            table.column(name)
        labels = [name for name in ("model", "group", DOMAIN) if name in table.names]
        row, gone = 0, {None, "", *na}
        for batch in table.scan(labels=labels, numbers=["score"], missing_values=na):
            cells = [batch.labels.get(name, [None] * batch.records) for name in labels]
            for values, score in zip(zip(*cells, strict=True), batch.numbers["score"], strict=True):
                row += 1
                known = {name: c for name, c in zip(labels, values, strict=True) if c not in gone}
                lacks = any(name in labels and name not in known for name in ("model", "group"))
                if lacks or not np.isfinite(score):
                    self.missing += 1
                    continue
                where = f"{table.name}, row {row}"
                about = known.get(DOMAIN), str(known["model"]), known.get("group")
                self._add(where, *about, float(score))


def read_sides(
    first: tuple[Side, Any], second: tuple[Side, Any], na: Sequence[str]
) -> tuple[Side, Side, list[File]]:
    """Read both sides.

    Where both have an attribute of the same name, audit files give the values of its groups;
    otherwise, or where a group is named, one value for each model.

    Parameters
    ----------
    first, second : (Side, data)
        Empty sides, and what they are read from.
    na : sequence of str
        What stands for a missing value.

    Returns
    -------
    first, second : Side
    files : list of File

    Raises
    ------
    FairauditError
        If a file cannot be read, or has no such value.
    """
    sides = (first[0], second[0])
    with Workspace() as workspace:
        # Tables are opened before any is read: what is wrong with a name is said at once.
        opened = [list(_opened(workspace, data, side.name)) for side, data in (first, second)]
        for side, several in zip(sides, opened, strict=True):
            side.read(several, na)
    shared = sides[0].attributes & sides[1].attributes
    single = not shared or any(side.group is not None for side in sides)
    for side in sides:
        side.settle(single)
    return *sides, [
        file
        for several in opened
        for each in several
        for file in (each.files if isinstance(each, Table) else [sources.named(each)])
    ]


def _opened(workspace: Workspace, data: Any, side: str) -> Iterator[Table | Path]:
    """A table for each table, a path for each audit file."""
    if not isinstance(data, str | Path | list | tuple):
        yield workspace.open(data)
        return
    patterns = [data] if isinstance(data, str | Path) else data
    if not patterns:
        raise FairauditError(f"--{side}: name a table, or audit files.")
    if "-" in map(str, patterns):
        raise FairauditError(f"--{side} -: name a file; standard input could serve one side only.")
    for path in dict.fromkeys(p for each in patterns for p in sources.find(str(each))):
        yield path if _is_audit(path) else workspace.open(str(path))


def _is_audit(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return f'"{SCHEMA.rpartition("/")[0]}'.encode() in file.read(200)
    except OSError as error:
        raise FairauditError(f"{path}: cannot be read: {error.strerror}.") from None
