"""Columns as levels: few enough values that slices can be made of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError
from fairaudit.groups import Bins, Vocabulary
from fairaudit.stats.sums import MISSING

#: Values up to which a column is taken as it is.
MOST_LEVELS = 20


@dataclass(frozen=True)
class Coded:
    """A column in codes.

    Attributes
    ----------
    codes : array of uint8, shape (n,)
        Level of each record.
    names : sequence of str
        Name of each level.
    edges : sequence of float
        Where a column of numbers was cut for want of ``--bins``; empty where it was not.
    """

    codes: Array
    names: Sequence[str]
    edges: Sequence[float] = ()

    @property
    def missing(self) -> int | None:
        """The level of records without a value, None where there are none."""
        return list(self.names).index(MISSING) if MISSING in self.names else None


class Levels:
    """Numbers the values of a column, and finds levels when all are read.

    Parameters
    ----------
    column : str
        The column.
    bins : Bins or None
        Where to cut it.
    na : collection of str
        What stands for a missing value.
    """

    def __init__(self, column: str, bins: Bins | None, na: Collection[str]) -> None:
        self.column, self.bins, self.na = column, bins, na
        self._values = Vocabulary()
        self._codes: list[Array] = []

    def add(self, cells: Iterable[str | None], times: Array | None) -> None:
        """Add cells, each standing for so many records."""
        codes = self._values.encode(cells).astype(np.int32)
        self._codes.append(codes if times is None else np.repeat(codes, times))

    def coded(self) -> Coded:
        """The column in codes.

        Raises
        ------
        FairauditError
            If it has more than `MOST_LEVELS` values that are not numbers.
        """
        codes = np.concatenate(self._codes)
        values = [None if value in self.na else value for value in self._values.values]
        bins = self.bins
        edges: tuple[float, ...] = ()
        if bins is None and len(set(values) - {None}) > MOST_LEVELS:
            edges = self._quartiles(codes, values)
            bins = Bins(self.column, edges)
        names = values if bins is None else bins.cut(values)
        order = sorted({name for name in names if name is not None})
        if bins is not None:
            order = [label for label in bins.labels if label in order]
        order += [MISSING] if None in names else []
        of = {name: i for i, name in enumerate(order)}
        level = np.array([of[MISSING if name is None else name] for name in names], dtype=np.uint8)
        return Coded(level[codes], order, edges)

    def _quartiles(self, codes: Array, values: Sequence[str | None]) -> tuple[float, ...]:
        """Inner quartiles of a column of numbers, equal ones once."""
        try:
            numbers = np.array([np.nan if v is None else float(v) for v in values])
        except ValueError:
            known = [value for value in values if value is not None]
            raise FairauditError(
                f"--over {self.column}: more than {MOST_LEVELS} values "
                f"('{known[0]}', '{known[1]}', ...). Is it a column of ids? Put values together, "
                "or use --bins for numbers."
            ) from None
        found = np.nanquantile(numbers[codes], [0.25, 0.5, 0.75])
        return tuple(np.unique(found).tolist())
