"""From a table to the records that can be measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import numpy as np

from fairaudit.arrays import Array
from fairaudit.audit import Records
from fairaudit.exceptions import FairauditError
from fairaudit.lm.sensitivity.options import Options
from fairaudit.selection import Selection
from fairaudit.table import Batch, Table

#: Records that are measured at once; their tokens are held until they are counted.
_AT_ONCE = 1024


class Reader:
    """Reads the records that can be measured, and counts the others by reason.

    Attributes
    ----------
    required : dict of str to str
        Columns without whose value a record is dropped, each with the reason to give.
    further : list of str
        Columns that are read as they are.
    total, used : int
        Records so far, and those of them that can be measured.
    """

    def __init__(self, table: Table, options: Options, selection: Selection) -> None:
        self.table, self.options, self.selection = table, options, selection
        self.further: list[str] = []
        self.required: dict[str, str] = {}
        if options.text is not None:
            self.required[options.text] = "no text"
        if options.label is not None:
            self.required[options.label] = "no label"
        self._forget()

    def _forget(self) -> None:
        self.total = self.used = 0
        self._dropped = dict.fromkeys(["filtered by --where", *self.required.values()], 0)

    def present(self, cells: Iterable[str | None]) -> list[str | None]:
        """Cells, None where they are missing."""
        missing = {None, *self.selection.na}
        return [None if cell in missing else cell for cell in cells]

    def parts(self, further: Sequence[str] = ()) -> Iterator[Batch]:
        """Records that can be measured, from the first, at most `_AT_ONCE` together."""
        self._forget()
        labels = [*self.selection.grouping(()).labels, *self.required, *self.further, *further]
        scan = self.table.scan(
            labels=list(dict.fromkeys(labels)),
            where=self.selection.where,
            missing_values=self.selection.na,
        )
        for part in chain.from_iterable(map(_small, scan)):
            self.total += part.records
            kept = self._kept(part)
            self.used += kept.records
            if kept.records:
                yield kept

    def _kept(self, batch: Batch) -> Batch:
        batch = self._drop(batch, batch.keep, "filtered by --where")
        for name, reason in self.required.items():
            batch = self._drop(batch, self._there(name, batch.labels[name]), reason)
        return batch

    def _there(self, name: str, cells: Sequence[str | None]) -> Array:
        """Which cells of a column have a value."""
        if name == self.options.text:
            # "None" and "NA" are words in a text.
            return np.array([cell is not None and bool(cell.strip()) for cell in cells], dtype=bool)
        return np.array([cell is not None for cell in self.present(cells)], dtype=bool)

    def _drop(self, batch: Batch, keep: Array, reason: str) -> Batch:
        if keep.all():
            return batch
        left = batch.select(keep)
        self._dropped[reason] += batch.records - left.records
        return left

    def columns(self, *names: str) -> list[list[str | None]]:
        """Whole columns of the records that can be measured, for training.

        Raises
        ------
        FairauditError
            If no record is left.
        """
        found: list[list[str | None]] = [[] for _ in names]
        for part in self.parts(names):
            for column, name in zip(found, names, strict=True):
                column.extend(part.labels[name])
        self.records()
        return found

    def gold(self, batch: Batch, classes: Sequence[str]) -> list[int] | None:
        """Places of the true labels among the classes, where they are asked for.

        Raises
        ------
        FairauditError
            If one is no class.
        """
        label = self.options.label
        if self.options.weighting != "gold" or label is None:
            return None
        # Truth values are written True by Python, and true or TRUE by others.
        written = str.lower if {*classes} == {"False", "True"} else str
        place = {written(name): i for i, name in enumerate(classes)}
        for cell in batch.labels[label]:
            if written(str(cell)) not in place:
                raise FairauditError(
                    f"--label {label}: '{cell}' is none of the model's classes: "
                    f"{', '.join(classes)}."
                )
        return [place[written(str(cell))] for cell in batch.labels[label]]

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


def _small(batch: Batch) -> Iterator[Batch]:
    """Its records, at most `_AT_ONCE` together."""
    place = np.arange(len(batch.keep)) // _AT_ONCE
    for number in range(-(-len(place) // _AT_ONCE)):
        yield batch.select(place == number)
