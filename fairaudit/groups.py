"""Who a record is about: attributes, crossings, bins, and the codes of their values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError
from fairaudit.stats.sums import ALL, MISSING, Accumulator, Sums

Labels = Sequence[str | None]


@dataclass(frozen=True)
class Attribute:
    """A column, or a crossing of several, whose values are the groups.

    Attributes
    ----------
    name : str
        As given by the user: ``accent`` or ``accent:gender``.
    columns : tuple of str
        The columns crossed.
    """

    name: str
    columns: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Attribute:
        r"""Read a ``--by`` text; ``\:`` is a colon in a column's name.

        Raises
        ------
        FairauditError
            If a part is empty or stands twice.

        Examples
        --------
        >>> Attribute.parse("accent:gender").columns
        ('accent', 'gender')
        """
        columns = tuple(split_label(text))
        if not all(columns) or len(set(columns)) < len(columns):
            raise FairauditError(
                f"--by {text}: expected a column, or different columns joined by colons "
                "(accent:gender)."
            )
        return cls(text, columns)

    def values(self, group: str) -> dict[str, str]:
        """Value of each column in a group, as the audit file shows them.

        >>> Attribute.parse("accent:gender").values("us:female")
        {'accent': 'us', 'gender': 'female'}
        """
        if group == MISSING:
            return dict.fromkeys(self.columns, MISSING)
        parts = split_label(group) if len(self.columns) > 1 else [group]
        return dict(zip(self.columns, parts, strict=True))


def split_label(label: str) -> list[str]:
    r"""Split at colons; a backslash takes its meaning from a colon or a backslash.

    >>> split_label(r"us:18\:30")
    ['us', '18:30']
    """
    parts = re.findall(r"(?:^|:)((?:\\[:\\]|[^:])*)", label)
    return [re.sub(r"\\([:\\])", r"\1", part) for part in parts]


#: Names that stand for something else than a value.
_RESERVED = (ALL, MISSING, "(rest)", "(best)", "(largest)")


def join_labels(values: Sequence[str | None]) -> str:
    r"""Name of a group: values joined by colons, ``(missing)`` where one is missing.

    A value that equals a reserved name is quoted.

    >>> join_labels(["us", "18:30"])
    'us:18\\:30'
    >>> join_labels(["us", None]), join_labels(["(all)"])
    ('(missing)', '"(all)"')
    """
    if any(value is None for value in values):
        return MISSING
    names = [f'"{value}"' if value in _RESERVED else str(value) for value in values]
    if len(names) == 1:
        return names[0]
    return ":".join(re.sub(r"([:\\])", r"\\\1", name) for name in names)


@dataclass(frozen=True)
class Bins:
    """Cuts a numeric column into intervals, closed on the left.

    Attributes
    ----------
    column : str
        The column.
    edges : tuple of float
        Increasing inner edges.
    """

    column: str
    edges: tuple[float, ...]

    @classmethod
    def parse(cls, text: str) -> Bins:
        """Read ``age=18,30,45,60``.

        Raises
        ------
        FairauditError
            If it is no column and increasing numbers.
        """
        column, _, numbers = text.rpartition("=")
        try:
            edges = tuple(float(number) for number in numbers.split(","))
        except ValueError:
            edges = ()
        increasing = all(a < b for a, b in pairwise(edges))
        if not column or not edges or not increasing or not all(map(math.isfinite, edges)):
            raise FairauditError(
                f"--bins {text}: expected a column and increasing numbers: age=18,30,45,60"
            )
        return cls(column, edges)

    @property
    def labels(self) -> list[str]:
        """Names of the bins, in order.

        >>> Bins.parse("age=18,30").labels
        ['(-inf, 18)', '[18, 30)', '[30, inf)']
        """
        edges = ["-inf", *map(_plain, self.edges), "inf"]
        spans = [f"{low}, {high})" for low, high in pairwise(edges)]
        return [f"{'(' if i == 0 else '['}{span}" for i, span in enumerate(spans)]

    def cut(self, values: Iterable[str | None]) -> list[str | None]:
        """Bin of each value; None stays missing.

        Raises
        ------
        FairauditError
            If a value is no number.

        Examples
        --------
        >>> Bins.parse("age=18,30").cut(["18", "7.5", None])
        ['[18, 30)', '(-inf, 18)', None]
        """
        labels = self.labels
        return [
            None
            if value is None
            else labels[np.searchsorted(self.edges, self._number(value), "right")]
            for value in values
        ]

    def _number(self, value: str) -> float:
        try:
            number = math.nan if "_" in value else float(value)
        except ValueError:
            number = math.nan
        if math.isnan(number):
            raise FairauditError(
                f"{self.column} is '{value}'; expected a number, as --bins cuts it. "
                f"Use --na {value} to treat it as missing (--na replaces NA and the others)."
            )
        return number


def _plain(edge: float) -> str:
    """A number with as many digits as tell it from others."""
    return str(int(edge)) if edge.is_integer() and abs(edge) < 1e15 else repr(edge)


class _Codes(dict[Any, int]):
    """Gives a value that it has not seen the next number."""

    def __missing__(self, value: Any) -> int:
        code = self[value] = len(self)
        return code


class Vocabulary:
    """Numbers the values of a column in order of arrival."""

    def __init__(self) -> None:
        self._codes = _Codes()

    def encode(self, values: Iterable[Any]) -> Array:
        """Code of each value, shape (n,)."""
        return np.fromiter(map(self._codes.__getitem__, values), dtype=np.int64)

    @property
    def values(self) -> list[Any]:
        """The values, by code."""
        return list(self._codes)


@dataclass(frozen=True)
class Codes:
    """Whom n records are about, in numbers.

    Attributes
    ----------
    groups : sequence of array of int, each of shape (n,)
        Group of each record, attribute by attribute; see `Grouping.group_names`.
    cluster : array of int, shape (n,), or None
        Cluster of each record; see `Grouping.cluster_names`.
    """

    groups: Sequence[Array]
    cluster: Array | None


#: More groups than anybody can mean; an id column was given to --by.
MOST_GROUPS = 300


class Grouping:
    """Adds up counts per group of several attributes, and over all records.

    Parameters
    ----------
    attributes : sequence of Attribute
        What to group by.
    cluster : str or None
        Column of the clusters.
    bins : sequence of Bins
        Numeric columns to cut.
    na : sequence of str
        What stands for a missing value.
    columns : sequence of str
        Names of the K counts.
    """

    def __init__(
        self,
        attributes: Sequence[Attribute],
        cluster: str | None,
        bins: Sequence[Bins],
        na: Sequence[str],
        columns: Sequence[str],
    ) -> None:
        self.attributes = attributes
        self.cluster = cluster
        self.columns = tuple(columns)
        self.bins = {each.column: each for each in bins}
        self.na = frozenset(na)
        self._base: dict[str, Vocabulary] = {name: Vocabulary() for name in self.labels}
        # Beside its bins, as a column may be an attribute and the cluster at once.
        self._clusters = Vocabulary()
        self._crossed = [Vocabulary() for _ in attributes]
        clustered = cluster is not None
        self._sums = [Accumulator(columns, clustered) for _ in attributes]
        # Without attributes all records are one group; else any attribute's groups make it up.
        self._all = None if attributes else Accumulator(columns, clustered)

    @property
    def labels(self) -> list[str]:
        """The columns of labels that are needed."""
        names = [name for attribute in self.attributes for name in attribute.columns]
        return list(dict.fromkeys([*names, *([self.cluster] if self.cluster else [])]))

    def add(self, labels: Mapping[str, Labels], counts: Array, times: Array | None = None) -> Codes:
        """Add records, and say whom they are about.

        Parameters
        ----------
        labels : mapping of column to list of str or None
            Cells of the columns in `labels`, None where missing.
        counts : array, shape (n, K)
            Their counts.
        times : array, shape (n,), optional
            How many records each row stands for, all alike.
        """
        grouped = {name for attribute in self.attributes for name in attribute.columns}
        codes = {name: self._encode(name, labels[name]) for name in sorted(grouped)}
        cluster = self._clusters.encode(labels[self.cluster]) if self.cluster else None
        if self._all is not None:
            self._all.add(np.zeros(len(counts), dtype=np.int64), cluster, counts, times)
        groups = []
        for attribute, crossed, sums in zip(
            self.attributes, self._crossed, self._sums, strict=True
        ):
            group = _cross([codes[name] for name in attribute.columns], crossed)
            if len(crossed.values) > MOST_GROUPS:
                raise FairauditError(
                    f"--by {attribute.name}: more than {MOST_GROUPS} groups. "
                    "Is it a column of ids? Use --bins for numbers, --cluster for speakers."
                )
            sums.add(group, cluster, counts, times)
            groups.append(group)
        return Codes(groups, cluster)

    def _encode(self, name: str, values: Labels) -> Array:
        if name in self.bins:
            values = self.bins[name].cut(None if value in self.na else value for value in values)
        return self._base[name].encode(values)

    def result(self) -> tuple[Sums, list[Sums]]:
        """Sums over all records, and for each attribute."""
        clusters = self.cluster_names
        each = [
            sums.result(attribute.name, self.group_names(i), clusters)
            for i, (attribute, sums) in enumerate(zip(self.attributes, self._sums, strict=True))
        ]
        if self._all is not None:
            return self._all.result(None, [ALL], clusters), each
        return each[0].pooled(ALL), each

    def _known(self, vocabulary: Vocabulary) -> Labels:
        """Values by code, None where missing."""
        return [None if value in self.na else value for value in vocabulary.values]

    @property
    def cluster_names(self) -> list[str] | None:
        """Name of each cluster's code; two codes may share one."""
        if self.cluster is None:
            return None
        return [join_labels([value]) for value in self._known(self._clusters)]

    def group_names(self, attribute: int) -> list[str]:
        """Name of each group's code of the attribute at this index; two codes may share one."""
        columns = self.attributes[attribute].columns
        values = [self._known(self._base[name]) for name in columns]
        return [
            join_labels([of[code] for of, code in zip(values, codes, strict=True)])
            for codes in self._crossed[attribute].values
        ]


def _cross(codes: Sequence[Array], crossed: Vocabulary) -> Array:
    """Code of each combination of codes, shape (n,)."""
    key = codes[0]
    for code in codes[1:]:
        key = key * (int(code.max(initial=0)) + 1) + code
    _, first, index = np.unique(key, return_index=True, return_inverse=True)
    return crossed.encode(zip(*(code[first].tolist() for code in codes), strict=True))[index]
