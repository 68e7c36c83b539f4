"""Grouped and clustered sums: the one thing that every audit hands to the statistics.

Records are added up per cluster and group and then forgotten, so memory grows with the number
of clusters, never with the number of records. Where there are no clusters each record is its
own unit, and per group the sums and the second moments of its records are kept instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.metrics import Counts, Metric

MISSING = "(missing)"
ALL = "(all)"


@dataclass(frozen=True, eq=False)
class Spread:
    """Totals of G sets of units and how the units' counts vary.

    Attributes
    ----------
    totals : array, shape (G, K)
        Summed counts.
    moments : array, shape (G, K, K)
        Sum over units of the outer product of a unit's counts with themselves.
    units : array, shape (G,)
        Number of units (clusters, or records where there are no clusters).
    """

    totals: Array
    moments: Array
    units: Array

    def variance(self, gradients: Array) -> Array:
        """Linearised variance of a metric with these gradients (G, K) in each set.

        The influence of a unit with counts t is gradient . t; for a function that does not
        change when all counts are doubled these add up to 0 (Euler), so no centring is needed:
        var = S / (S - 1) * sum of squared influences (for a ratio this is the textbook
        linearisation, Cochran, Sampling Techniques, 3rd ed., section 6.19). A single unit has
        none: nan.
        """
        squares = np.einsum("gk,gkl,gl->g", gradients, self.moments, gradients)
        return np.maximum(squares, 0) * small_sample_factor(self.units)


def small_sample_factor(units: Array) -> Array:
    """S / (S - 1); nan for fewer than two units."""
    count = np.asarray(units, dtype=float)
    return np.where(count > 1, count / np.maximum(count - 1, 1), np.nan)


@dataclass(frozen=True, eq=False)
class Sums:
    """Summed counts of the groups of one attribute, per cluster.

    Attributes
    ----------
    attribute : str or None
        The attribute (``accent``, ``accent:gender``); None for all records together.
    columns : tuple of str
        K names of counts; ``records`` is among them.
    groups : tuple of str
        G labels, sorted.
    clusters : tuple of str or None
        C keys, sorted; None where each record is its own unit.
    group, cluster : array of int, shape (cells,)
        Which group and which cluster a row of `matrix` belongs to; rows are sorted by cluster,
        then group. Without clusters there is one row per group.
    matrix : array, shape (cells, K)
        Summed counts.
    record_moments : array, shape (G, K, K), or None
        Second moments of the records' counts; only without clusters.
    variant : mapping or None
        Under which of several settings the records were counted.
    """

    attribute: str | None
    columns: tuple[str, ...]
    groups: tuple[str, ...]
    clusters: tuple[str, ...] | None
    group: Array
    cluster: Array
    matrix: Array
    record_moments: Array | None = None
    variant: Mapping[str, Any] | None = None

    @cached_property
    def spread(self) -> Spread:
        """Totals, second moments and numbers of units of each group."""
        totals = _add_up(self.group, self.matrix, len(self.groups))
        if self.record_moments is not None:
            return Spread(totals, self.record_moments, totals[:, self.columns.index("records")])
        units = np.bincount(self.group, minlength=len(self.groups))
        return Spread(totals, _moments(self.group, self.matrix, len(self.groups)), units)

    @property
    def records(self) -> Array:
        """Records per group, shape (G,)."""
        return self.spread.totals[:, self.columns.index("records")].astype(np.int64)

    @cached_property
    def nested(self) -> bool:
        """Whether every cluster lies in one group."""
        return self.clusters is None or len(np.unique(self.cluster)) == len(self.cluster)

    def select(self, keep: Array) -> Sums:
        """Only the groups where `keep` (shape (G,), bool) holds."""
        cells = keep[self.group]
        moments = None if self.record_moments is None else self.record_moments[keep]
        return replace(
            self,
            groups=tuple(np.array(self.groups, dtype=object)[keep]),
            group=(np.cumsum(keep) - 1)[self.group[cells]],
            cluster=self.cluster[cells],
            matrix=self.matrix[cells],
            record_moments=moments,
        )

    def pick(self, columns: Mapping[str, str]) -> Sums:
        """Only these columns: old name to new name."""
        at = [self.columns.index(name) for name in columns]
        moments = self.record_moments
        return replace(
            self,
            columns=tuple(columns.values()),
            matrix=self.matrix[:, at],
            record_moments=None if moments is None else moments[:, at][:, :, at],
        )

    def pooled(self, name: str) -> Sums:
        """All groups as one, under this name."""
        moments, cluster = self.record_moments, np.unique(self.cluster)
        whole, _ = self._cluster_totals()
        if moments is not None:
            cluster, whole = cluster[:1], whole.sum(axis=0, keepdims=True)
            moments = moments.sum(axis=0, keepdims=True)
        return replace(
            self,
            attribute=None,
            groups=(name,),
            group=np.zeros_like(cluster),
            cluster=cluster,
            matrix=whole,
            record_moments=moments,
        )

    def with_cluster_means(self, metrics: Iterable[Metric]) -> Sums:
        """Add the columns of metrics that are means over clusters, one value per cell."""
        sums = self
        for metric in metrics:
            if metric.per_cluster is not None and self.clusters is not None:
                value, defined = metric.per_cluster(Counts(self.columns, self.matrix))
                sums = replace(
                    sums,
                    columns=(*sums.columns, metric.name, f"{metric.name}_clusters"),
                    matrix=np.column_stack([sums.matrix, value, defined]),
                )
        return sums

    @cached_property
    def rest(self) -> Spread:
        """For each group, all other groups together (a cluster in several counts once)."""
        own = self.spread
        totals = own.totals.sum(axis=0) - own.totals
        if self.nested:
            units = own.units.sum() - own.units
            return Spread(totals, own.moments.sum(axis=0) - own.moments, units)
        whole, cells = self._cluster_totals()
        moments = np.einsum("ck,cl->kl", whole, whole) - _moments(
            self.group, cells, len(self.groups), others=2 * whole[self._row] - cells
        )
        # A cluster with one cell has nothing outside that cell's group.
        alone = np.bincount(self.cluster)[self.cluster] == 1
        only_here = np.bincount(self.group[alone], minlength=len(self.groups))
        return Spread(totals, _symmetric(moments), len(whole) - only_here)

    def rest_moments(self) -> Array:
        """Cross moments of each group with its rest, shape (G, K, K); 0 where nested."""
        if self.nested:
            return np.zeros_like(self.spread.moments)
        whole, cells = self._cluster_totals()
        return _moments(self.group, cells, len(self.groups), others=whole[self._row] - cells)

    def covariance(self, gradients: Array) -> Array:
        """Linearised covariances of a metric between groups, shape (G, G).

        The diagonal is `Spread.variance`; groups that share no cluster have covariance 0.
        """
        diagonal = self.spread.variance(gradients)
        if self.nested:
            return np.diag(diagonal)
        cells = np.einsum("ck,ck->c", self.matrix, gradients[self.group])
        per_cluster = self.spread_out(cells)
        factor = np.sqrt(small_sample_factor(self.spread.units))
        covariance = per_cluster.T @ per_cluster * np.outer(factor, factor)
        np.fill_diagonal(covariance, diagonal)
        return covariance

    def spread_out(self, cells: Array) -> Array:
        """One number per cell as a table of clusters and groups, shape (C, G); 0 where absent."""
        table = np.zeros((self._row.max(initial=-1) + 1, len(self.groups)))
        table[self._row, self.group] = cells
        return table

    @cached_property
    def shared(self) -> Array:
        """Clusters that two groups have in common, shape (G, G)."""
        if self.nested:
            return np.diag(self.spread.units)
        member = self.spread_out(np.ones(len(self.group)))
        return member.T @ member

    @cached_property
    def _row(self) -> Array:
        """Cluster of each cell, numbered without gaps."""
        return np.unique(self.cluster, return_inverse=True)[1]

    def _cluster_totals(self) -> tuple[Array, Array]:
        """Each cluster's counts over all its groups (C, K), and the cells' own."""
        return _add_up(self._row, self.matrix, self._row.max(initial=-1) + 1), self.matrix


def _add_up(index: Array, matrix: Array, size: int) -> Array:
    """Sum rows of `matrix` (n, K) by `index` (n,) into shape (size, K)."""
    columns = [np.bincount(index, weights=column, minlength=size) for column in matrix.T]
    return np.stack(columns, axis=1) if columns else np.zeros((size, 0))


def _moments(index: Array, matrix: Array, size: int, others: Array | None = None) -> Array:
    """Sum outer products of rows of `matrix` with themselves (or with `others`) by `index`."""
    others = matrix if others is None else others
    moments = np.zeros((size, matrix.shape[1], matrix.shape[1]))
    order = np.argsort(index, kind="stable")
    present, starts = np.unique(index[order], return_index=True)
    for g, rows in zip(present, np.split(order, starts[1:]), strict=True):
        moments[g] = matrix[rows].T @ others[rows]
    return moments


def _symmetric(moments: Array) -> Array:
    return (moments + moments.transpose(0, 2, 1)) / 2


def _settled(sums: Array) -> Array:
    """Sums of fractions to 12 significant digits: the rest depends on the order of additions."""
    with np.errstate(divide="ignore"):
        digits = 11 - np.floor(np.log10(np.abs(sums)))
    unit = 10.0 ** np.where(np.isfinite(digits), digits, 0)
    return np.where(sums == np.floor(sums), sums, np.round(sums * unit) / unit)


class Accumulator:
    """Adds up batches of records, keeping sums only.

    Parameters
    ----------
    columns : sequence of str
        K names of counts.
    clustered : bool
        Whether cells are (cluster, group) pairs, or groups with second moments.
    """

    _COMPACT_AT = 1 << 18

    def __init__(self, columns: Sequence[str], clustered: bool) -> None:
        self.columns = tuple(columns)
        self.clustered = clustered
        self._keys: list[Array] = []
        self._sums: list[Array] = []
        self._moments = np.zeros((0, len(self.columns), len(self.columns)))
        self._pending = 0

    def add(
        self, group: Array, cluster: Array | None, counts: Array, times: Array | None = None
    ) -> None:
        """Add records.

        Parameters
        ----------
        group, cluster : array of int, shape (n,)
            Codes below 2**31; `cluster` is None where not clustered.
        counts : array, shape (n, K)
            Counts of each record.
        times : array, shape (n,), optional
            How many records each row stands for, all alike.
        """
        key = group.astype(np.int64)
        if cluster is not None:
            key |= cluster.astype(np.int64) << 32
        present, index = np.unique(key, return_inverse=True)
        whole = counts if times is None else counts * times[:, None]
        self._keep(present, _add_up(index, whole, len(present)))
        if not self.clustered and len(present):
            grown = np.zeros(
                (max(int(present[-1]) + 1, len(self._moments)), *self._moments.shape[1:])
            )
            grown[: len(self._moments)] = self._moments
            grown[present] += _moments(index, counts, len(present), others=whole)
            self._moments = grown

    def _keep(self, keys: Array, sums: Array) -> None:
        self._keys.append(keys)
        self._sums.append(sums)
        self._pending += len(keys)
        if self._pending > self._COMPACT_AT + 2 * len(self._keys[0]):
            self._compact()

    def _compact(self) -> None:
        keys = np.concatenate([np.zeros(0, dtype=np.int64), *self._keys])
        present, index = np.unique(keys, return_inverse=True)
        sums = np.concatenate([np.zeros((0, len(self.columns))), *self._sums])
        self._keys = [present]
        self._sums = [_add_up(index, sums, len(present))]
        self._pending = 0

    def result(
        self, attribute: str | None, groups: Sequence[str], clusters: Sequence[str] | None
    ) -> Sums:
        """Sums with labels in place of codes, sorted, so that the order of rows is forgotten.

        Parameters
        ----------
        attribute : str or None
            Name of the attribute.
        groups, clusters : sequence of str
            Label of each code. Codes with the same label are added up.
        """
        self._compact()
        group_names, group_code = np.unique(np.array(groups, dtype=object), return_inverse=True)
        group = group_code[self._keys[0] & 0xFFFFFFFF]
        if clusters is None:
            return self._unclustered(attribute, group_names, group, group_code)
        cluster_names, cluster_code = np.unique(
            np.array(clusters, dtype=object), return_inverse=True
        )
        cluster = cluster_code[self._keys[0] >> 32]
        present, index = np.unique(cluster * len(group_names) + group, return_inverse=True)
        return Sums(
            attribute,
            self.columns,
            tuple(group_names),
            tuple(cluster_names),
            present % len(group_names),
            present // len(group_names),
            _settled(_add_up(index, self._sums[0], len(present))),
        )

    def _unclustered(self, attribute: str | None, names: Array, group: Array, code: Array) -> Sums:
        moments = np.zeros((len(names), *self._moments.shape[1:]))
        np.add.at(moments, code[: len(self._moments)], self._moments)
        every = np.arange(len(names))
        matrix = _settled(_add_up(group, self._sums[0], len(names)))
        return Sums(
            attribute, self.columns, tuple(names), None, every, every, matrix, _settled(moments)
        )
