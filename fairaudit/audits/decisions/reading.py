"""Records that can be counted, and what became of the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fairaudit.arrays import Array
from fairaudit.audit import Records
from fairaudit.audits.decisions.roles import Roles
from fairaudit.audits.decisions.tasks import Binary, Task
from fairaudit.exceptions import FairauditError
from fairaudit.selection import Selection
from fairaudit.table import Batch, Table

#: Beyond this the squares of weights are no numbers any more.
_MOST_WEIGHT = 1e100


class Reading:
    """Reads the records of a table that can be counted.

    Parameters
    ----------
    table : Table
        The records.
    roles : Roles
        Columns without which a record cannot be counted.
    task : Task
        What is counted.
    selection : Selection
        Which records, and by what they are grouped.
    labels : sequence of str
        Further columns to read.

    Attributes
    ----------
    total, used : int
        Records read, and those of them that can be counted.
    """

    def __init__(
        self,
        table: Table,
        roles: Roles,
        task: Task,
        selection: Selection,
        labels: Sequence[str] = (),
    ) -> None:
        self.table, self.roles, self.task, self.selection = table, roles, task, selection
        self._labels = dict.fromkeys([*selection.grouping(()).labels, *task.labels, *labels])
        self._forget()

    def _forget(self) -> None:
        self.total = self.used = 0
        self._dropped = dict.fromkeys(["filtered by --where", *self._required().values()], 0)

    def _required(self) -> dict[str, str]:
        """Columns without which a record cannot be counted, and what is said then."""
        names = {role: name for role, name in vars(self.roles).items() if name is not None}
        return {name: f"no {role}" for role, name in names.items()}

    def batches(self) -> Iterator[Batch]:
        """Records that can be counted, from the first; the others are counted by reason.

        Raises
        ------
        FairauditError
            If a weight or a score is where it may not be; the message names the row.
        """
        self._forget()
        scan = self.table.scan(
            labels=list(self._labels),
            numbers=self.task.numbers,
            where=self.selection.where,
            missing_values=self.selection.na,
            alike=self.task.alike,
        )
        for batch in scan:
            self.total += batch.records
            kept = self._kept(batch)
            if (odd := self._outside(kept)) is not None:
                # Its rows are read on the same connection.
                scan.close()
                raise self.table.outside(*odd, self.selection.na, self.selection.where)
            self.used += kept.records
            if len(kept.keep):
                yield kept

    def _kept(self, batch: Batch) -> Batch:
        """Drop records that cannot be counted, and count them by reason."""
        batch = self._drop(batch, batch.keep, "filtered by --where")
        for name, reason in self._required().items():
            if name in self.task.numbers:
                present = ~np.isnan(batch.numbers[name])
            else:
                missing = {None, *self.selection.na}
                present = np.array([cell not in missing for cell in batch.labels[name]], dtype=bool)
            batch = self._drop(batch, present, reason)
        return batch

    def _drop(self, batch: Batch, keep: Array, reason: str) -> Batch:
        if keep.all():
            return batch
        left = batch.select(keep)
        self._dropped[reason] += batch.records - left.records
        return left

    def _outside(self, batch: Batch) -> tuple[str, float, float] | None:
        """A column of weights or scores with a number that may not be there, and its limits."""
        limits = {self.roles.weight: (0.0, _MOST_WEIGHT)}
        if isinstance(self.task, Binary) and self.task.bounded:
            limits[self.roles.score] = (0.0, 1.0)
        for name, (low, high) in limits.items():
            if name is not None:
                numbers = batch.numbers[name]
                if not ((numbers >= low) & (numbers <= high)).all():
                    return name, low, high
        return None

    def records(self) -> Records:
        """What became of the records.

        Raises
        ------
        FairauditError
            If none is left.
        """
        dropped = {reason: count for reason, count in self._dropped.items() if count}
        if not self.used:
            why = "; ".join(f"{reason}: {count}" for reason, count in dropped.items())
            raise FairauditError(f"{self.table.name}: no records to audit{why and f' ({why})'}.")
        return Records(self.total, self.used, dropped)
