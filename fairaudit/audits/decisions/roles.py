"""Which columns hold labels, predictions, scores and weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fairaudit.exceptions import FairauditError
from fairaudit.table import Table


@dataclass(frozen=True)
class Roles:
    """The columns of an audit of decisions.

    Attributes
    ----------
    label, prediction, score, weight, query : str or None
        What was true, what was decided, the score it came from, how much a record counts, and
        what it was ranked within.
    """

    label: str | None = None
    prediction: str | None = None
    score: str | None = None
    weight: str | None = None
    query: str | None = None

    def resolve(self, table: Table) -> Roles:
        """Check that the columns are there.

        Raises
        ------
        FairauditError
            If one is missing, stands twice, or is given two roles.
        """
        given = {role: name for role, name in vars(self).items() if name is not None}
        if self.prediction is None and self.score is None:
            raise FairauditError(
                f"{table.name}: nothing to audit. Name the column of decisions (--prediction) or "
                f"of scores (--score). Columns: {', '.join(table.names)}."
            )
        for role, name in given.items():
            table.column(name)
            other = next(key for key, value in given.items() if value == name)
            if other != role:
                raise FairauditError(f"--{role} {name}: is the column of --{other} already.")
        return self

    def settings(self) -> dict[str, Any]:
        """For the signature."""
        return {
            "label": self.label,
            "pred": self.prediction,
            "score": self.score,
            "weight": self.weight,
            "query": self.query,
        }
