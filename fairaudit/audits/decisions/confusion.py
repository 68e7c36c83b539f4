"""The confusion matrix of several classes in each group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fairaudit.audit import Explanation
from fairaudit.audits.decisions.tasks import Multiclass, Task, weights
from fairaudit.groups import Codes, Grouping
from fairaudit.stats.sums import ALL
from fairaudit.table import Batch


class Confusions:
    """Counts which class was taken for which, group by group.

    Parameters
    ----------
    task : Task
        Only of several classes there is something to count.
    grouping : Grouping
        Gives the groups.
    """

    def __init__(self, task: Task, grouping: Grouping) -> None:
        self.task = task if isinstance(task, Multiclass) else None
        self.grouping = grouping
        self._found: dict[tuple[str | None, str], Any] = {}

    def add(self, batch: Batch, codes: Codes) -> None:
        """Count one batch of records."""
        if self.task is None:
            return
        number = {name: i for i, name in enumerate(self.task.classes)}
        label, prediction = (
            np.array([number[str(cell)] for cell in batch.labels[name]])
            for name in self.task.labels
        )
        weight = weights(batch, self.task.roles)
        weight = weight if batch.times is None else weight * batch.times
        self._count(None, np.array([ALL], dtype=object), 0 * label, label, prediction, weight)
        for i, (attribute, group) in enumerate(
            zip(self.grouping.attributes, codes.groups, strict=True)
        ):
            names = np.array(self.grouping.group_names(i), dtype=object)
            self._count(attribute.name, names, group, label, prediction, weight)

    def _count(
        self,
        attribute: str | None,
        names: Any,
        group: Any,
        label: Any,
        prediction: Any,
        weight: Any,
    ) -> None:
        k = len(self.task.classes) if self.task else 0
        cell = (group * k + label) * k + prediction
        counted = np.bincount(cell, weights=weight, minlength=len(names) * k * k)
        for name, matrix in zip(names, counted.reshape(-1, k, k), strict=True):
            key = attribute, str(name)
            self._found[key] = self._found.get(key, 0) + matrix

    def explanations(self) -> list[Explanation]:
        """A row per group: classes, and counts with labels down and predictions across."""
        return list(self._rows())

    def _rows(self) -> Iterator[Explanation]:
        for (attribute, group), matrix in sorted(
            self._found.items(), key=lambda item: (item[0][0] is not None, item[0])
        ):
            content = {"classes": self.task.classes if self.task else [], "counts": matrix.tolist()}
            yield Explanation("confusion_matrix", attribute, group, content)
