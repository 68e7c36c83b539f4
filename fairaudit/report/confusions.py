"""Which class was taken for which, as a table per group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fairaudit.arrays import Array
from fairaudit.audit import Audit, Explanation
from fairaudit.report.figures import count
from fairaudit.report.sheets import Column, Sheet, fits, printable, sheet

#: Classes and groups that are shown; the audit file has all.
_MOST_CLASSES, _MOST_GROUPS = 8, 8


def confusion_sheets(audit: Audit) -> Iterator[Sheet]:
    """The confusion matrix of all records, then of each group, the largest first."""
    rows = [row for row in audit.explanations if row.kind == "confusion_matrix"]
    rows.sort(key=lambda row: -float(np.sum(row.content["counts"])))
    kept = _kept(rows[0]) if rows else []
    for attribute in sorted({row.attribute for row in rows}, key=lambda name: name or ""):
        own = [row for row in rows if row.attribute == attribute]
        for row in own[:_MOST_GROUPS]:
            yield _sheet(row, kept)


def _kept(overall: Explanation) -> list[int]:
    """Indices of the classes that are shown: the most frequent, in their order."""
    matrix = np.array(overall.content["counts"])
    frequency = matrix.sum(axis=1) + matrix.sum(axis=0)
    return sorted(np.argsort(-frequency, kind="stable")[:_MOST_CLASSES].tolist())


def _sheet(row: Explanation, kept: Sequence[int]) -> Sheet:
    names, counts = _reduced(row, kept)
    columns = [
        Column(name, name, [count(value) for value in cells])
        for name, cells in zip(names, counts.T, strict=True)
    ]
    if not fits(columns):
        # Long names stand at the lines; the columns have their numbers.
        names = [f"{i} {name}" for i, name in enumerate(names, 1)]
        columns = [Column(str(i), c.long, c.cells) for i, c in enumerate(columns, 1)]
    about = f"{row.attribute}: {row.group}" if row.attribute else row.group
    title = f"Confusion matrix, {printable(about)}: labels down, predictions across"
    return sheet(title, [Column("", "label", names), *columns])


def _reduced(row: Explanation, kept: Sequence[int]) -> tuple[list[str], Array]:
    """Names and counts of the classes that are shown, all others in one."""
    classes, matrix = row.content["classes"], np.array(row.content["counts"], dtype=float)
    names = [printable(classes[k]) for k in kept]
    place = np.full(len(classes), len(kept))
    place[kept] = np.arange(len(kept))
    size = len(kept) + (len(kept) < len(classes))
    counts = np.zeros((size, size))
    np.add.at(counts, (place[:, None], place[None, :]), matrix)
    return names + ["(others)"] * (size - len(kept)), counts
