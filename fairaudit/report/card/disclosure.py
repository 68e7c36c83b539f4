"""Cell suppression: which counts are left out so that no small one can be computed.

Small cells are suppressed first (primary suppression), and with them others from which they would
follow (complementary suppression).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from fairaudit.arrays import Array
from fairaudit.stats.sums import MISSING

#: A group of an attribute, at one value of the control where there is one: attribute, value of the
#: control or None, group.
Cell = tuple[str, str | None, str]
#: A sum of counts that the reader is taken to know: a coefficient for each cell in it.
_Equation = dict[Cell, int]

#: A rate of one or two clusters would be that of one or two persons. Of respondents in a cell "some
#: agencies require at least five [...], others require three": threshold rule, OECD Glossary of
#: Statistical Terms, from the Glossary of Statistical Disclosure Control (UNECE/Eurostat, 2005).
LEAST_CLUSTERS = 3
#: Coefficients below this are rounding.
_ZERO = 1e-9


@dataclass(frozen=True)
class _Table:
    """The cells of an attribute, those at values of the control apart.

    Attributes
    ----------
    columns : tuple of str
    cells : mapping of Cell to mapping
        Value of each column in each cell.
    """

    columns: tuple[str, ...]
    cells: Mapping[Cell, Mapping[str, str]]

    @property
    def by_level(self) -> bool:
        """Whether its cells are at values of the control."""
        return any(level is not None for _, level, _ in self.cells)


@dataclass(frozen=True)
class _Size:
    """How large cells are, and how large they have to be."""

    counts: Mapping[Cell, int]
    least: int

    def small(self, cells: Iterable[Cell]) -> bool:
        """Whether these cells together are too small; cells whose size is not known are not."""
        known = [self.counts[cell] for cell in cells if cell in self.counts]
        return bool(known) and sum(known) < self.least


def hidden(
    records: Mapping[Cell, int],
    columns: Mapping[Cell, Mapping[str, str]],
    least: int,
    whole: bool = True,
    clusters: Mapping[Cell, int] | None = None,
) -> set[Cell]:
    """Cells to be left out so that no count below `least` can be computed.

    A cell of few records is hidden; but the total and the other cells of its row would give it
    away, so others are hidden with it: complementary cell suppression (Cox, Suppression
    methodology and statistical disclosure control, JASA 75(370), 1980). Known to the reader are
    the total of every attribute, and that the cells of two attributes add up to the same number at
    each value of the columns that they share. First every such equation gets none or at least two
    hidden cells, the smallest being hidden next. Then what they leave over: where all that an
    equation says of hidden cells is their sum, that sum is as good as shown, so the next smallest
    is hidden until it is `least` records or more. That is not always enough, as equations can be
    combined: so, as long as a small count follows from them (see `determined`), the smallest of the
    counts that it follows from is hidden too. The last step would do for single cells, but without
    the first it hides about half as many cells more.

    How many records of a group lack a value of another column is taken to be known, which hides
    rather more than has to be.

    Parameters
    ----------
    records : mapping of Cell to int
        Number of records.
    columns : mapping of Cell to mapping
        Value of each column, by which crossings are known to be parts of others.
    least : int
        Cells with fewer records are hidden.
    whole : bool
        Whether the cells of an attribute make up all records.
    clusters : mapping of Cell to int, or None
        Number of clusters, where records are sampled in clusters: the same is then required of
        them, at least `LEAST_CLUSTERS` in each cell and in what is left over, where a cluster
        counts once for each cell.

    Examples
    --------
    Of three groups one is small. The total is 93, so it would be 93 - 40 - 50: the next smallest
    goes with it, and of the two only their sum is known.

    >>> sizes = {("x", None, "a"): 3, ("x", None, "b"): 40, ("x", None, "c"): 50}
    >>> sorted(group for _, _, group in hidden(sizes, {cell: {"x": cell[2]} for cell in sizes}, 10))
    ['a', 'b']

    Of four groups two are small. As they would leave over 12 of 362 records, which is too few as
    well, the next smallest goes with them; then 162 are left over.

    >>> people = {"Alpha": 200, "Beta": 150, "Gamma": 7, "Delta": 5}
    >>> sizes = {("x", None, name): n for name, n in people.items()}
    >>> sorted(group for _, _, group in hidden(sizes, {cell: {"x": cell[2]} for cell in sizes}, 20))
    ['Beta', 'Delta', 'Gamma']

    Two attributes and their crossing; a:f is small.

    =====  ===  ===  =====
    x:y    f    m    x
    =====  ===  ===  =====
    a      3    40   43
    b      50   60   110
    c      70   80   150
    y      123  180
    =====  ===  ===  =====

    It would be 43 - 40, and 123 - 50 - 70: the smallest of its row and of its column go, a:m and
    b:f. These would be 180 - 60 - 80 and 110 - 60, and give a:f away in turn: b:m, which both need,
    goes too.

    >>> sizes = {"a": {"f": 3, "m": 40}, "b": {"f": 50, "m": 60}, "c": {"f": 70, "m": 80}}
    >>> cells = {("x:y", None, f"{x}:{y}"): n for x, row in sizes.items() for y, n in row.items()}
    >>> values = {cell: dict(zip("xy", cell[2].split(":"))) for cell in cells}
    >>> x = {("x", None, name): sum(row.values()) for name, row in sizes.items()}
    >>> y = {("y", None, "f"): 123, ("y", None, "m"): 180}
    >>> values |= {cell: {cell[0]: cell[2]} for cell in (*x, *y)}
    >>> sorted(group for _, _, group in hidden({**cells, **x, **y}, values, 10))
    ['a:f', 'a:m', 'b:f', 'b:m']
    """
    sizes = [_Size(records, least), _Size(clusters or {}, LEAST_CLUSTERS)]
    equations = list(_equations(_tables(columns), whole))
    found: set[Cell] = set()
    small = {cell for cell in records if any(size.small([cell]) for size in sizes)}
    further: Collection[Cell] = small
    while further:
        found |= _with_levels(further, records)
        further = _complement(equations, found, records)
        further = further or _left_over(equations, found, sizes)
        further = further or _needed(equations, found, records, small)
    return found


def _with_levels(cells: Collection[Cell], records: Mapping[Cell, int]) -> set[Cell]:
    """The cells; without a group its rows at values of the control go as well."""
    groups = {(attribute, group) for attribute, level, group in cells if level is None}
    return {*cells, *(cell for cell in records if (cell[0], cell[2]) in groups)}


# --- What the reader knows ----------------------------------------------------------------


def _tables(columns: Mapping[Cell, Mapping[str, str]]) -> list[_Table]:
    tables: dict[tuple[str, bool], dict[Cell, Mapping[str, str]]] = defaultdict(dict)
    for cell, values in columns.items():
        tables[cell[0], cell[1] is not None][cell] = values
    return [_Table(tuple(next(iter(cells.values()))), cells) for cells in tables.values()]


def _equations(tables: Sequence[_Table], whole: bool) -> Iterator[_Equation]:
    """The total of each table, and what two tables have in common."""
    for table in tables:
        if whole and not table.by_level:
            yield dict.fromkeys(table.cells, 1)
    for one, other in combinations(tables, 2):
        if shared := [name for name in one.columns if name in other.columns]:
            yield from _margins(one, other, shared)


def _margins(one: _Table, other: _Table, shared: Sequence[str]) -> Iterator[_Equation]:
    """At each value of the shared columns the cells of one table less those of the other."""
    margins: dict[tuple[str, ...], _Equation] = defaultdict(dict)
    for sign, table in ((1, one), (-1, other)):
        for cell, values in table.cells.items():
            if cell[2] != MISSING:
                margins[tuple(values[name] for name in shared)][cell] = sign
    yield from margins.values()


# --- What follows from it -----------------------------------------------------------------


def _complement(
    equations: Sequence[_Equation], found: set[Cell], records: Mapping[Cell, int]
) -> list[Cell]:
    """The smallest cell beside one that is the only hidden one of an equation."""
    for cells in equations:
        if sum(cell in found for cell in cells) == 1 and len(cells) > 1:
            return [min((cell for cell in cells if cell not in found), key=records.__getitem__)]
    return []


def _left_over(
    equations: Sequence[_Equation], found: set[Cell], sizes: Sequence[_Size]
) -> list[Cell]:
    """The smallest cell beside hidden ones whose sum an equation tells, and that are too small.

    It does where they stand on one side of it. On their side others are looked for first: a total
    that was hidden as well would do, but is worth more.
    """
    for cells in equations:
        gone = [cell for cell in cells if cell in found]
        sides = {cells[cell] for cell in gone}
        rest = [cell for cell in cells if cell not in found]
        if len(sides) == 1 and rest and any(size.small(gone) for size in sizes):
            return [min(rest, key=lambda c: (cells[c] not in sides, sizes[0].counts[c]))]
    return []


def _needed(
    equations: Sequence[_Equation],
    found: set[Cell],
    records: Mapping[Cell, int],
    small: Collection[Cell],
) -> list[Cell]:
    """The smallest of the cells from which the count of a `small` one follows, if one does."""
    equations = [cells for cells in equations if not found.isdisjoint(cells)]
    if not equations:
        return []
    unknown = [cell for cell in records if cell in found]
    matrix = np.array([[cells.get(cell, 0) for cell in unknown] for cells in equations], float)
    guarded = np.array([cell in small for cell in unknown])
    for j in np.flatnonzero(determined(matrix) & guarded).tolist():
        used = _used(matrix, j, equations, found)
        if needed := [cell for cell in records if cell in used]:
            return [min(needed, key=records.__getitem__)]
    return []


def _used(
    matrix: Array, unknown: int, equations: Sequence[_Equation], found: set[Cell]
) -> set[Cell]:
    """The shown cells in the combination of equations that gives an unknown."""
    weights = np.linalg.lstsq(matrix.T, np.eye(matrix.shape[1])[unknown], rcond=None)[0]
    sums: dict[Cell, float] = defaultdict(float)
    for weight, cells in zip(weights, equations, strict=True):
        for cell in cells.keys() - found:
            sums[cell] += weight * cells[cell]
    return {cell for cell, coefficient in sums.items() if abs(coefficient) > _ZERO}


def determined(matrix: Array) -> Array:
    """Which unknowns have the same value in all solutions of these equations, shape (n,), bool.

    Those whose unit vector lies in the row space (Chin and Özsoyoğlu, Auditing and inference
    control in statistical databases, IEEE TSE 8(6), 1982), so is orthogonal to the null space.

    Parameters
    ----------
    matrix : array, shape (m, n)
        A coefficient per equation and unknown.

    Examples
    --------
    Of x + y and 2 z only z can be computed; with x + y, y + z and x + z all three can, although
    each sum has two unknowns: x is half of (x + y) - (y + z) + (x + z).

    >>> determined(np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 2.0]])).tolist()
    [False, False, True]
    >>> determined(np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [1.0, 0.0, 1.0]])).tolist()
    [True, True, True]
    """
    _, singular, rows = np.linalg.svd(matrix)
    rank = int(np.sum(singular > _ZERO * max(1.0, singular.max(initial=0.0))))
    return np.asarray(np.abs(rows[rank:]).max(axis=0, initial=0.0) < _ZERO)
