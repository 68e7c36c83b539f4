"""Which values of a column are positive."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError
from fairaudit.groups import Vocabulary

#: Values that need no naming, whatever their case.
_POSITIVE = ("1", "1.0", "true", "yes")
_NEGATIVE = ("0", "0.0", "false", "no")


class Positives:
    """Tells positive from negative values of a column.

    Parameters
    ----------
    column : str
        The column.
    named : sequence of str
        The positive values, matched exactly; where none is named 1, true and yes are positive,
        and the column may have one other value.
    na : collection of str
        What stands for a missing value.
    option : str
        The option that names positive values, for messages.
    """

    def __init__(self, column: str, named: Sequence[str], na: Collection[str], option: str) -> None:
        self.column, self.named, self.na, self.option = column, named, na, option
        self._values = Vocabulary()

    @property
    def values(self) -> list[str]:
        """The values found so far, missing ones aside, sorted."""
        return sorted(value for value in self._values.values if not self._missing(value))

    def encode(self, cells: Iterable[str | None]) -> Array:
        """Sign of each cell, shape (n,), int8: 1 positive, 0 negative, -1 missing.

        Raises
        ------
        FairauditError
            If a third value is found, and none was named.

        Examples
        --------
        >>> Positives("hired", (), ("",), "--positive").encode(["yes", "no", "", "yes"]).tolist()
        [1, 0, -1, 1]
        """
        codes = self._values.encode(cells)
        signs = np.array([self._sign(value) for value in self._values.values], dtype=np.int8)
        if not self.named and len(self.values) > 2:
            self._refuse("expected two values")
        return signs[codes]

    def check(self) -> None:
        """Require that what was found makes sense, when all is read.

        Raises
        ------
        FairauditError
            If it cannot be told which of the values is positive.
        """
        signs = [self._sign(value) for value in self.values]
        if self.named or not signs:
            return
        if sum(signs) > 1:
            self._refuse("several of them usually mean yes")
        unknown = [value for value in self.values if value.lower() not in _NEGATIVE]
        if not any(signs) and unknown:
            self._refuse("none of them is 1, true or yes")

    def _missing(self, value: str | None) -> bool:
        return value is None or value in self.na

    def _sign(self, value: str | None) -> int:
        if self._missing(value):
            return -1
        positive = value in self.named if self.named else str(value).lower() in _POSITIVE
        return int(positive)

    def _refuse(self, why: str) -> None:
        shown = ", ".join(f"'{value}'" for value in self.values[:10])
        raise FairauditError(
            f"column '{self.column}' holds {shown}: {why}. Name the positive ones: "
            f"{self.option} {self.values[-1]}"
        )


def check_named(prediction: Positives | None, label: Positives | None) -> None:
    """Require that values named as positive occur.

    A label may be constant; but a name that stands in neither column is a slip, and so is a
    label that has nothing in common with the prediction.

    Raises
    ------
    FairauditError
        If they do not.
    """
    for own, other in ((prediction, label), (label, prediction)):
        if own is None or not own.named:
            continue
        known = set(own.values)
        if other is not None and other.option == own.option:
            known |= set(other.values)
        if odd := [value for value in own.named if value not in known]:
            shown = ", ".join(f"'{value}'" for value in sorted(known)[:10])
            raise FairauditError(
                f"{own.option} {odd[0]}: column '{own.column}' has no such value. Values: {shown}."
            )
    if prediction is not None and label is not None:
        _check_common(prediction, label)


def _check_common(prediction: Positives, label: Positives) -> None:
    """Require that a label that shares the prediction's positive values has any of its values."""
    shared = label.named and label.option == prediction.option
    if shared and not set(label.values) & set(prediction.values):
        shown = ", ".join(f"'{value}'" for value in label.values[:10])
        raise FairauditError(
            f"column '{label.column}' holds {shown}, none of them a value of "
            f"'{prediction.column}'. Name the positive ones: --positive-label {label.values[-1]}"
        )
