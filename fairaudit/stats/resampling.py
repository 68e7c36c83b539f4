"""Bootstrap on sums: the cost does not grow with the number of records.

Draws are seeded by the attribute's name and, where groups are resampled apart, by the group's,
and clusters are met in sorted order. So the numbers depend on the data and the seed alone: not
on the order of rows, on the size of batches, or on which other groups are audited.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np

from fairaudit.arrays import Array
from fairaudit.stats.sums import Sums

#: Numbers that are drawn at once.
_CHUNK = 1 << 22


def seeded(seed: int, *names: str | None) -> np.random.Generator:
    """Make a generator of its own for these names, the same on every machine."""
    return np.random.default_rng([seed, *(zlib.crc32(repr(name).encode()) for name in names)])


def chunks(total: int, width: int) -> Iterator[slice]:
    """Cut `total` draws of `width` numbers each into slices that fit into memory."""
    step = max(1, _CHUNK // max(width, 1))
    return (slice(start, min(start + step, total)) for start in range(0, total, step))


def bootstrap_totals(sums: Sums, resamples: int, seed: int) -> Array:
    """Resample units with replacement and sum them up again.

    Clusters that each lie in one group are resampled within their group, so that no resample
    loses a group; where clusters have records in several groups, whole clusters are drawn.
    Without clusters the sums of n resampled records are drawn from their normal limit, which
    needs the second moments only.

    Parameters
    ----------
    sums : Sums
        G groups.
    resamples : int
        Number B of resamples.
    seed : int
        Seed of the draws.

    Returns
    -------
    array, shape (B, G, K)
        Resampled totals. Blockwise (cluster) bootstrap: Liu & Peng, arXiv 1912.09508, 2020.
    """
    if sums.clusters is None:
        return _normal_resamples(sums, resamples, seed)
    totals = np.empty((resamples, *sums.spread.totals.shape))
    every = np.arange(len(sums.groups))
    if sums.nested:
        for g in every:
            draw = seeded(seed, sums.attribute, sums.groups[g])
            _resample_clusters(sums, every[g : g + 1], totals, draw)
    else:
        _resample_clusters(sums, every, totals, seeded(seed, sums.attribute))
    return totals


def _resample_clusters(
    sums: Sums, groups: Array, totals: Array, generator: np.random.Generator
) -> None:
    """Draw the clusters of `groups` and fill their part of `totals` (B, G, K)."""
    cells = [np.flatnonzero(sums.group == g) for g in groups]
    _, row = np.unique(sums.cluster[np.concatenate(cells)], return_inverse=True)
    rows = np.split(row, np.cumsum([len(part) for part in cells])[:-1])
    size = int(row.max(initial=0)) + 1
    for draw in chunks(len(totals), size):
        weights = _times_drawn(size, draw.stop - draw.start, generator)
        for g, cell, of in zip(groups, cells, rows, strict=True):
            totals[draw, g] = weights[:, of].astype(float) @ sums.matrix[cell]


def _times_drawn(size: int, draws: int, generator: np.random.Generator) -> Array:
    """How often each of `size` clusters is drawn when `size` are drawn, shape (draws, size).

    Counting drawn indices costs a sixth of drawing multinomial counts.
    """
    drawn = generator.integers(size, size=(draws, size)) + size * np.arange(draws)[:, None]
    return np.bincount(drawn.ravel(), minlength=draws * size).reshape(draws, size)


def _normal_resamples(sums: Sums, resamples: int, seed: int) -> Array:
    """Draw the totals of n resampled records of each group from their normal limit."""
    spread = sums.spread
    totals = np.empty((resamples, *spread.totals.shape))
    for g, name in enumerate(sums.groups):
        n = max(spread.units[g], 1)
        covariance = spread.moments[g] - np.outer(spread.totals[g], spread.totals[g]) / n
        noise = _normal(covariance, (resamples,), seeded(seed, sums.attribute, name))
        totals[:, g] = spread.totals[g] + noise
    return totals


def _normal(covariance: Array, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    """Draw normal vectors of mean 0 with this (semidefinite) covariance: shape (*shape, K).

    By the symmetric root, which rounding errors in the covariance do not turn around.
    """
    values, vectors = np.linalg.eigh(covariance)
    values = np.where(values > 1e-12 * values.max(initial=0), values, 0)
    root = (vectors * np.sqrt(values)) @ vectors.T
    return generator.standard_normal((*shape, len(values))) @ root
