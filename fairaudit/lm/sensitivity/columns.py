"""How the cells of a table are read for a model of tables: as pandas reads them to fit one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fairaudit.arrays import Array
from fairaudit.table import Table

Kind = Literal["truth values", "numbers", "text"]


@dataclass(frozen=True)
class Cells:
    """How the cells of a column are read.

    Attributes
    ----------
    kind : {"truth values", "numbers", "text"}
    missing : None or float
        What a missing cell becomes; of numbers always nan.
    whole : bool
        Whether no cell is missing.

    Examples
    --------
    >>> Cells("truth values", None, whole=False).read(["True", "false", None]).tolist()
    [True, False, None]
    """

    kind: Kind
    missing: float | None
    whole: bool

    def read(self, cells: Sequence[str | None]) -> Array:
        """An array of cells, shape (n,): float, bool, or object for text or holes in truth."""
        if self.kind == "numbers":
            return np.array([np.nan if cell is None else float(cell) for cell in cells])
        truth = self.kind == "truth values"
        found = [
            self.missing if cell is None else cell.lower() == "true" if truth else cell
            for cell in cells
        ]
        return np.array(found, dtype=bool if truth and self.whole else object)


def cells_of(table: Table, name: str, cells: Sequence[str | None]) -> Cells:
    """How to read a column, by its type where the table has types, or else by all its cells.

    Where all cells are *true* or *false* in any case they are truth values, and numbers where all
    are numbers, as by ``pandas.read_csv``. What Parquet or a data frame calls text stays text:
    codes of digits are categories there.

    Parameters
    ----------
    table : Table
    name : str
        The column.
    cells : sequence of str or None
        All cells that will be read; None where one is missing.
    """
    known = [cell for cell in cells if cell is not None]
    source = table.files[0].format
    kind = _kind(table.column(name).type, source == "parquet", known)
    # One-hot encoders tell nan, which pandas makes of holes in CSV, from None.
    return Cells(kind, np.nan if source == "csv" else None, len(known) == len(cells))


def _kind(type: str, typed: bool, known: Sequence[str]) -> Kind:
    if type == "BOOLEAN":
        return "truth values"
    if typed and (type == "VARCHAR" or type.startswith("ENUM")):
        return "text"
    if all(map(_is_number, known)):
        return "numbers"
    if not typed and {cell.lower() for cell in known} <= {"true", "false"}:
        return "truth values"
    return "text"


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text))) and "_" not in text
    except ValueError:
        return False


def how_read(records: Mapping[str, Array]) -> str:
    """As what columns were read, for messages.

    >>> how_read({"age": np.ones(2), "sex": np.array(["f", "m"]), "code": np.zeros(2)})
    'numbers: age, code; text: sex'
    """
    names: dict[Kind, list[str]] = {}
    for name, values in records.items():
        names.setdefault(kind_of(np.asarray(values)), []).append(name)
    return "; ".join(f"{kind}: {', '.join(columns)}" for kind, columns in names.items())


def kind_of(values: Array) -> Kind:
    """What an array holds."""
    if values.dtype.kind in "iuf":
        return "numbers"
    if values.dtype.kind == "b" or any(isinstance(value, bool) for value in values.tolist()):
        return "truth values"
    return "text"


def few(values: Sequence[Any]) -> str:
    """The first three values, and how many more there are: a column is no message.

    >>> few(["a", "b", "c", "d", "e"])
    "'a', 'b', 'c' and 2 more"
    """
    shown = ", ".join(map(repr, values[:3]))
    return f"{shown} and {len(values) - 3:,} more" if len(values) > 3 else shown
