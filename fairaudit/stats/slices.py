"""Every slice of the records, and which of them have more errors than the rest.

A slice is a conjunction of values of a few attributes (``sex=f and age=old``). All of them are
counted, none is sampled or guessed, so that "nothing was found" means something. With so many
slices the largest gap is large by chance: each is compared with the largest of *all* slices when
the errors are dealt to the records at random (Westfall & Young, "Resampling-based multiple
testing", 1993, section 2.3, single step). Where clusters were sampled (people with several
records), whole clusters change their sign instead (the wild bootstrap of scores: Kline & Santos,
Journal of Econometric Methods 1, 2012).

One difference shows in hundreds of slices: in the parts of the slice where it is, in what
contains it, in what overlaps it. So slices are taken one by one, and each must differ within the
strata that those before it make (Mantel & Haenszel, JNCI 22, 1959).

It is fast because attributes are counted in overlapping blocks of five or six, of which few cover
all triples, and because several permutations are counted in one pass, packed into the digits of
one number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Literal

import numpy as np

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError
from fairaudit.stats.resampling import chunks, seeded

Direction = Literal["higher", "lower", "both"]
Progress = Callable[[int, int], None]

#: Cells of a block of attributes: counts must fit into a processor's cache. With clusters there
#: is a column of cells for each.
_CELLS, _CLUSTER_CELLS = 1 << 14, 1 << 10
#: Slices that are searched at most; each takes about 100 bytes.
_SLICES = 1 << 24
#: Numbers in a table of cells by clusters (2 MB).
_TABLE = 1 << 18
#: Clusters that change sign one by one; see `search`.
_CLUSTERS = 2048
#: Slices that are listed at most.
MOST = 20
#: Scores closer than this are equal: they differ by rounding.
_EQUAL = 1e-6
#: Whole numbers that a float holds.
_DIGITS = 53


@dataclass(frozen=True)
class Slice:
    """Records that share the values of some attributes.

    Attributes
    ----------
    attributes, levels : tuple of int
        The conjunction: attribute ``attributes[i]`` has level ``levels[i]``.
    n, errors : int, float
        Records, and the sum of their errors.
    rest_n, rest_errors : int, float
        The same of all other records.
    z : float
        Evidence that the slice differs from the rest; above 0 where it has more errors.
    p_value : float
        Adjusted for all slices searched.
    added : float
        Evidence within the strata that the slices before it in the list make; `z` in the first.
    """

    attributes: tuple[int, ...]
    levels: tuple[int, ...]
    n: int
    errors: float
    rest_n: int
    rest_errors: float
    z: float
    p_value: float
    added: float

    @property
    def rate(self) -> float:
        """Errors per record in the slice."""
        return self.errors / self.n

    @property
    def rest_rate(self) -> float:
        """Errors per record in the rest."""
        return self.rest_errors / self.rest_n


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes
    ----------
    slices : tuple of Slice
        Those that differ and that those before them do not explain, the most evident first.
    best : Slice or None
        The most evident of all slices, proven or not; None where none was searched.
    n, errors : int, float
        Records in the denominator, and the sum of their errors.
    searched : int
        Slices that were tested: the family of the p-values.
    significant : int
        Those of them with ``p_value <= alpha``, explained by others or not.
    excluded_small, excluded_rest : int
        Slices with records, but too few; those with too few records in the rest.
    permutations : int
        Draws behind the p-values, each of which is at least 1 / (permutations + 1).
    critical : float
        What a score must exceed to be significant; infinite with too few permutations.
    """

    slices: tuple[Slice, ...]
    best: Slice | None
    n: int
    errors: float
    searched: int
    significant: int
    excluded_small: int
    excluded_rest: int
    permutations: int
    critical: float


def search(
    codes: Array,
    levels: Sequence[int],
    error: Array,
    *,
    exposure: Array | None = None,
    depth: int = 3,
    min_size: int = 30,
    permutations: int = 199,
    seed: int = 0,
    cluster: Array | None = None,
    direction: Direction = "higher",
    alpha: float = 0.05,
    most: int = MOST,
    excluded_levels: Sequence[tuple[int, int]] = (),
    progress: Progress | None = None,
) -> Found:
    """Test every slice of up to `depth` attributes against all other records.

    Where no slice differs, something is found in at most ``alpha`` of data sets.

    Parameters
    ----------
    codes : array of int, shape (n, A)
        Levels of A attributes.
    levels : sequence of int, length A
        Number of levels of each attribute.
    error : array, shape (n,)
        Error of each record: 0 or 1, or a loss.
    exposure : array of bool or of 0 and 1, shape (n,), optional
        Which records are in the metric's denominator (negatives, for a false positive rate).
    depth : int
        Attributes in a slice, at most.
    min_size : int
        Records in the denominator that a slice and its rest need.
    permutations, seed : int
        Number of draws, and their seed.
    cluster : array, shape (n,), optional
        Which records are not independent.
    direction : {"higher", "lower", "both"}
        Whether slices with more errors than the rest are looked for, with fewer, or both.
    alpha : float
        Chance of finding anything where nothing is. With 1 every slice is a candidate.
    most : int
        Length of the list.
    excluded_levels : sequence of (attribute, level)
        Values that say nothing (missing ones): they are counted in the rest, and no slice has
        them.
    progress : callable, optional
        Told the number of draws so far, and of how many.

    Returns
    -------
    Found

    Raises
    ------
    FairauditError
        If there are more slices than can be counted.

    Notes
    -----
    The evidence in errors of 0 and 1 is the signed root of twice the log likelihood ratio of two
    binomials against one. The usual z overrates small slices where errors are rare, and then
    all slices pay for them: the largest z of permuted errors is that of some slice of 30 records.
    A loss has no likelihood: its z is the difference by the standard deviation that it has when
    the losses are permuted.

    With clusters z is R / sqrt(V), V = sum of r_c^2, with r_c = sum over the cluster's records of
    (membership - share of the slice) * (error - mean error), and R their sum (the score test of
    Liang & Zeger, Biometrika 73, 1986); signs of r_c are drawn, and V is the same in all draws.
    V is at least what it would be if errors were correlated in the slice's clusters as they are in
    all clusters: where errors are rare, a few clusters without any would else prove that a slice
    is better than the rest (in half of searches where nothing was, 200 clusters of 10 records).
    Fewer than about ten clusters in a slice prove nothing. More than 2,048 clusters are pooled at
    random into so many: pooled clusters are independent as well.

    A slice is listed if its evidence within the strata of those before it still exceeds the
    critical value of the search; with clusters the same R and V, within strata.

    Results depend on the seed and not on the order of the records.

    Examples
    --------
    Two attributes of two levels, 40 records of each combination: 20 errors where both are 1, and
    4 elsewhere. Against the rest 20 / 40 is compared with 12 / 120:

    >>> codes = np.repeat([[0, 0], [0, 1], [1, 0], [1, 1]], 40, axis=0)
    >>> error = np.concatenate([np.arange(40) < wrong for wrong in (4, 4, 4, 20)])
    >>> found = search(codes, [2, 2], error)
    >>> found.searched, found.significant, len(found.slices)
    (8, 3, 1)
    >>> one = found.slices[0]
    >>> one.attributes, one.levels, one.rate, one.rest_rate, round(one.z, 3), one.p_value
    ((0, 1), (1, 1), 0.5, 0.1, 5.163, 0.005)

    Twice the log likelihood ratio is 2 (20 ln .5 + 20 ln .5 + 12 ln .1 + 108 ln .9 - 32 ln .2 -
    128 ln .8) = 26.66, whose root is 5.163. That both parents differ as well is due to it.
    """
    _check(codes, levels, error, exposure, cluster)
    units = _Units.of(codes, levels, error, exposure, cluster, seed)
    lattice = _Lattice.of(units, tuple(levels), depth)
    kind = _Permuted if cluster is None else _Clustered
    test = kind(units, lattice, seeded(seed, "slices"))
    n = lattice.totals(units.n)
    allowed = lattice.allowed(excluded_levels) & (n > 0)
    large = allowed & (n >= min_size)
    tested = large & (units.records - n >= min_size)
    peaks = test.peaks(tested, permutations, _ORIENTED[direction], progress)
    ranking = _Ranking.of(test, tested, peaks, _ORIENTED[direction], alpha)
    return Found(
        slices=tuple(_slice(test, ranking, n, *row) for row in _explaining(test, ranking, most)),
        best=_slice(test, ranking, n, *ranking.first()) if tested.any() else None,
        n=units.records,
        errors=units.errors,
        searched=int(tested.sum()),
        significant=int(ranking.candidate.sum()),
        excluded_small=int(allowed.sum() - large.sum()),
        excluded_rest=int(large.sum() - tested.sum()),
        permutations=permutations,
        critical=ranking.critical,
    )


#: What is large in a slice that is looked for.
_ORIENTED: dict[str, Callable[[Array], Array]] = {
    "higher": np.positive,
    "lower": np.negative,
    "both": np.abs,
}


def _check(
    codes: Array, levels: Sequence[int], error: Array, exposure: Array | None, cluster: Array | None
) -> None:
    if codes.ndim != 2 or codes.shape[1] != len(levels):
        raise ValueError("codes must have a column for each attribute")
    if any(
        column is not None and len(column) != len(codes) for column in (error, exposure, cluster)
    ):
        raise ValueError("error, exposure and cluster must have a value for each record")
    if len(codes) and ((codes.min(axis=0) < 0) | (codes.max(axis=0) >= np.array(levels))).any():
        raise ValueError("codes must be at least 0 and below the number of levels")
    if not np.isfinite(error).all():
        raise ValueError("errors must be finite")


@dataclass(frozen=True, eq=False)
class _Ranking:
    """All slices by their evidence.

    Attributes
    ----------
    z, p_value : array, shape (slices,)
        Evidence, and adjusted p-value.
    candidate : array of bool, shape (slices,)
        Whether it is significant.
    critical : float
        What the evidence of candidates exceeds.
    oriented : callable
        Large for slices that are looked for.
    """

    z: Array
    p_value: Array
    candidate: Array
    critical: float
    oriented: Callable[[Array], Array]

    @classmethod
    def of(
        cls,
        test: _Permuted | _Clustered,
        tested: Array,
        peaks: Array,
        oriented: Callable[[Array], Array],
        alpha: float,
    ) -> _Ranking:
        z = np.where(tested, test.evidence(_Strata.single(test.units)), np.nan)
        # What was observed is one of the draws (Phipson & Smyth 2010).
        below = np.searchsorted(np.sort(peaks), oriented(z) - _EQUAL)
        p_value = np.where(tested, (1 + len(peaks) - below) / (1 + len(peaks)), np.nan)
        with np.errstate(invalid="ignore"):
            candidate = tested & (p_value <= alpha + 1e-12) & (oriented(z) > _EQUAL)
        return cls(z, p_value, candidate, _critical(peaks, alpha), oriented)

    def first(self) -> tuple[int, float]:
        """The most evident slice, and its evidence."""
        place = _leading(np.nan_to_num(self.oriented(self.z), nan=-np.inf))
        return place, float(self.z[place])

    def matched(self, z: Array) -> Array:
        """Orient scores of the candidates; below 0 where the difference turned around."""
        own = np.nan_to_num(self.z)
        return np.where(self.candidate, z * np.where(self.oriented(own) == own, 1, -1), -np.inf)


def _critical(peaks: Array, alpha: float) -> float:
    """Score above which p <= alpha."""
    count = int(alpha * (len(peaks) + 1) + 1e-9)
    if count < 1:
        return math.inf
    return float(np.sort(peaks)[-count]) if count <= len(peaks) else 0.0


def _leading(score: Array) -> int:
    """The largest; of equals the one of fewest attributes, then the first."""
    return int(np.argmax(score > score.max() - _EQUAL))


def _explaining(
    test: _Permuted | _Clustered, ranking: _Ranking, most: int
) -> Iterator[tuple[int, float]]:
    """Slices that those before them do not explain, and their evidence within those's strata."""
    if not ranking.candidate.any():
        return
    strata, z = _Strata.single(test.units), np.nan_to_num(ranking.z)
    for _ in range(most):
        score = ranking.matched(z)
        place = _leading(score)
        if score[place] <= max(ranking.critical, _EQUAL):
            return
        yield place, float(z[place])
        strata = strata.split(test.units, *test.lattice.describe(place))
        z = test.evidence(strata)


def _slice(
    test: _Permuted | _Clustered, ranking: _Ranking, sizes: Array, place: int, added: float
) -> Slice:
    units = test.units
    attributes, levels = test.lattice.describe(place)
    n, errors = int(sizes[place]), float(units.total[units.within(attributes, levels)].sum())
    rest = units.records - n, units.errors - errors
    evidence = float(ranking.z[place]), float(ranking.p_value[place])
    return Slice(attributes, levels, n, errors, *rest, *evidence, added)


@dataclass(frozen=True, eq=False)
class _Units:
    """Records of the same levels (and cluster) added up, in an order that is theirs.

    Attributes
    ----------
    codes : array of int, shape (A, units)
        Levels.
    n, total, squares : array, shape (units,)
        Records, and the sums of their errors and squared errors.
    cluster : array of int, shape (units,)
        Numbers from 0, ascending; all 0 without clusters.
    values : array, shape (records,)
        The errors, sorted.
    """

    codes: Array
    n: Array
    total: Array
    squares: Array
    cluster: Array
    values: Array

    @classmethod
    def of(
        cls,
        codes: Array,
        levels: Sequence[int],
        error: Array,
        exposure: Array | None,
        cluster: Array | None,
        seed: int,
    ) -> _Units:
        if exposure is not None:
            kept = np.asarray(exposure, dtype=bool)
            codes, error = codes[kept], error[kept]
            cluster = None if cluster is None else cluster[kept]
        number = np.zeros(len(codes), np.intp) if cluster is None else _numbered(cluster, seed)
        key = _key([number, *codes.T], [int(number.max(initial=0)) + 1, *levels])
        order = np.argsort(key)
        starts = np.flatnonzero(np.diff(key[order], prepend=-1))
        values = np.asarray(error, dtype=float)
        first = order[starts]
        return cls(
            np.stack([column[first] for column in codes.T]),
            np.diff(starts, append=len(key)),
            _reduced(values[order], starts),
            _reduced(values[order] ** 2, starts),
            number[first],
            np.sort(values),
        )

    @property
    def records(self) -> int:
        return len(self.values)

    @property
    def errors(self) -> float:
        return float(self.values.sum())

    @cached_property
    def starts(self) -> Array:
        """Where a unit begins among the records, shape (units,)."""
        return np.cumsum(self.n) - self.n

    def within(self, attributes: Sequence[int], levels: Sequence[int]) -> Array:
        """Units in a slice, shape (units,)."""
        inside = np.ones(len(self.n), dtype=bool)
        for attribute, level in zip(attributes, levels, strict=True):
            inside &= self.codes[attribute] == level
        return inside


def _numbered(cluster: Array, seed: int) -> Array:
    """Clusters by number; too many are pooled at random."""
    names, number = np.unique(cluster, return_inverse=True)
    if len(names) <= _CLUSTERS:
        return number.ravel()
    pool = seeded(seed, "pool").permutation(len(names)) % _CLUSTERS
    return pool[number.ravel()]


def _key(columns: Sequence[Array], levels: Sequence[int]) -> Array:
    """One number for each combination of codes, in their order: shape (n,)."""
    key, space = np.zeros(len(columns[0]), dtype=np.int64), 1
    for column, size in zip(columns, levels, strict=True):
        if space * size >= 1 << 62:
            present, key = np.unique(key, return_inverse=True)
            space = len(present)
        key, space = key * size + column, space * size
    return key


def _reduced(values: Array, starts: Array) -> Array:
    """Sums of the pieces that begin at `starts`."""
    if len(starts) == len(values):
        return values
    return np.add.reduceat(values, starts)


@dataclass(frozen=True, eq=False)
class _Strata:
    """Units by the slices that they are in, and the errors in each stratum.

    Attributes
    ----------
    index : array of int, shape (units,)
        Stratum of each unit.
    n, mean, variance : array, shape (strata,)
        Records; mean and variance (divisor n - 1) of their errors.
    """

    index: Array
    n: Array
    mean: Array
    variance: Array

    @classmethod
    def of(cls, units: _Units, index: Array) -> _Strata:
        weights = (units.n, units.total, units.squares)
        n, total, squares = (np.bincount(index, weight, 1) for weight in weights)
        mean = total / np.maximum(n, 1)
        scatter = squares - total * mean
        # Rounding leaves something of equal losses, and a z made of it would be a finding.
        scatter = np.where(scatter > 1e-12 * squares, scatter, 0.0)
        return cls(index, n, mean, scatter / np.maximum(n - 1, 1))

    @classmethod
    def single(cls, units: _Units) -> _Strata:
        return cls.of(units, np.zeros(len(units.n), dtype=np.intp))

    def split(self, units: _Units, attributes: Sequence[int], levels: Sequence[int]) -> _Strata:
        """Divide each stratum by a slice."""
        index = self.index * 2 + units.within(attributes, levels)
        return self.of(units, np.unique(index, return_inverse=True)[1])

    def spread(self, n: Array) -> Array:
        """Variance of the errors of `n` (slices, strata) records under permutation: (slices,)."""
        return (n * (self.n - n)) @ (self.variance / np.maximum(self.n, 1))


@dataclass(frozen=True, eq=False)
class _Block:
    """Attributes that are counted together, and the combinations that are read off there.

    Attributes
    ----------
    attributes, shape : tuple of int
        Attributes, ascending, and their levels.
    combinations : tuple of tuple of int
        Which of them make slices.
    place : array of int, shape (slices,)
        The numbers of these slices.
    code : array of int, shape (units,)
        The cell of each unit.
    """

    attributes: tuple[int, ...]
    shape: tuple[int, ...]
    combinations: tuple[tuple[int, ...], ...]
    place: Array
    code: Array

    @property
    def cells(self) -> int:
        return math.prod(self.shape)

    def tally(self, weights: Array, strata: _Strata | None = None) -> Array:
        """Sum weights of units by cell and stratum, shape (cells, strata)."""
        if strata is None or len(strata.n) == 1:
            return np.bincount(self.code, weights, self.cells)[:, None]
        key = self.code + self.cells * strata.index
        return np.bincount(key, weights, self.cells * len(strata.n)).reshape(-1, self.cells).T

    def slices(self, table: Array) -> Array:
        """Sum cells (cells, columns) to slices (slices, columns)."""
        margins = {self.attributes: table.reshape(*self.shape, -1)}
        parts = [self._margin(chosen, margins) for chosen in self.combinations]
        return np.concatenate([part.reshape(-1, table.shape[1]) for part in parts])

    def _margin(self, chosen: tuple[int, ...], margins: dict[tuple[int, ...], Array]) -> Array:
        """Sum over all but the chosen attributes, one at a time: the steps are shared."""
        if chosen not in margins:
            extra = next(a for a in self.attributes if a not in chosen)
            wider = tuple(sorted((*chosen, extra)))
            margins[chosen] = self._margin(wider, margins).sum(axis=wider.index(extra))
        return margins[chosen]


@dataclass(frozen=True, eq=False)
class _Lattice:
    """All slices: those of few attributes first, then by attributes, then by levels.

    Attributes
    ----------
    levels : tuple of int
        Levels of each attribute.
    combinations : tuple of tuple of int
        Attributes of slices.
    starts : array of int, shape (combinations + 1,)
        Number of the first slice of each.
    blocks : tuple of _Block
        Each combination is in one of them.
    """

    levels: tuple[int, ...]
    combinations: tuple[tuple[int, ...], ...]
    starts: Array
    blocks: tuple[_Block, ...]

    @classmethod
    def of(cls, units: _Units, levels: tuple[int, ...], depth: int) -> _Lattice:
        depth = min(depth, len(levels))
        sizes = range(1, depth + 1)
        chosen = tuple(c for size in sizes for c in combinations(range(len(levels)), size))
        counts = [math.prod(levels[a] for a in c) for c in chosen]
        if sum(counts) > _SLICES:
            raise FairauditError(
                f"{len(levels)} attributes of up to {max(levels)} values make {sum(counts):,}"
                f" slices; {_SLICES:,} can be searched. Use fewer attributes, bins, or less depth."
            )
        starts = np.cumsum([0, *counts])
        blocks, left = [], dict(zip(chosen, range(len(chosen)), strict=True))
        for attributes in _cover(levels, depth, _room(units)):
            inside = [c for size in sizes for c in combinations(attributes, size) if c in left]
            numbers = [left.pop(c) for c in inside]
            place = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in numbers])
            shape = tuple(levels[a] for a in attributes)
            key = _key([units.codes[a] for a in attributes], shape)
            code = key.astype(np.min_scalar_type(math.prod(shape)))
            blocks.append(_Block(attributes, shape, tuple(inside), place, code))
        return cls(levels, chosen, starts, tuple(blocks))

    def over_blocks(self, function: Callable[[_Block], Array]) -> Array:
        """Values of all slices, from a function that gives those of one block."""
        values = np.zeros(self.starts[-1])
        for block in self.blocks:
            values[block.place] = function(block)
        return values

    def totals(self, weights: Array) -> Array:
        """Sums of weights of units, shape (slices,)."""
        return self.over_blocks(lambda block: block.slices(block.tally(weights))[:, 0])

    def describe(self, place: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Attributes and levels of a slice."""
        number = int(np.searchsorted(self.starts, place, side="right")) - 1
        chosen = self.combinations[number]
        shape = tuple(self.levels[a] for a in chosen)
        level = np.unravel_index(place - self.starts[number], shape)
        return chosen, tuple(int(i) for i in level)

    def allowed(self, excluded: Sequence[tuple[int, int]]) -> Array:
        """Which slices have no excluded level, shape (slices,)."""
        allowed = np.ones(self.starts[-1], dtype=bool)
        for chosen, start, stop in zip(
            self.combinations, self.starts[:-1], self.starts[1:], strict=True
        ):
            part = allowed[start:stop].reshape([self.levels[a] for a in chosen])
            for attribute, level in excluded:
                if attribute in chosen:
                    part[(slice(None),) * chosen.index(attribute) + (level,)] = False
        return allowed


def _room(units: _Units) -> int:
    """Cells of a block, at most: many more than there are units would be empty."""
    clustered = units.cluster[-1] > 0 if len(units.cluster) else False
    return min(_CLUSTER_CELLS if clustered else _CELLS, 1024 + 4 * len(units.n))


def _cover(levels: tuple[int, ...], depth: int, limit: int) -> Iterator[tuple[int, ...]]:
    """Blocks of at most `limit` cells, if they can be, with each combination in one (greedy)."""
    every = range(len(levels))
    left = dict.fromkeys(combinations(every, depth))
    while left:
        block = set(next(iter(left)))
        while True:
            room = limit // math.prod(levels[a] for a in block)
            gains = {
                a: sum(tuple(sorted((*c, a))) in left for c in combinations(block, depth - 1))
                for a in every
                if a not in block and levels[a] <= room
            }
            best = max(gains, key=lambda a: (gains[a], -levels[a], -a), default=None)
            if best is None or not gains[best]:
                break
            block.add(best)
        for c in combinations(sorted(block), depth):
            left.pop(c, None)
        yield tuple(sorted(block))


@dataclass(frozen=True, eq=False)
class _Permuted:
    """Errors that could have been any record's."""

    units: _Units
    lattice: _Lattice
    draw: np.random.Generator

    @cached_property
    def whole(self) -> bool:
        """Whether errors are 0 or 1."""
        return bool(((self.units.values == 0) | (self.units.values == 1)).all())

    def evidence(self, strata: _Strata) -> Array:
        """Scores of all slices, shape (slices,)."""

        def of(block: _Block) -> Array:
            n = block.slices(block.tally(self.units.n, strata))
            total = block.slices(block.tally(self.units.total, strata))
            if len(strata.n) == 1:
                return self._scores(n, total, strata)[:, 0]
            return _standardised((total - n * strata.mean).sum(axis=1), strata.spread(n))

        return self.lattice.over_blocks(of)

    def _scores(self, n: Array, total: Array, all: _Strata) -> Array:
        """Scores of slices of n records (slices, 1) with these errors (slices, draws)."""
        if self.whole:
            return _signed_root(n, total, all.n, all.n * all.mean)
        return _standardised(total - n * all.mean, all.spread(n)[:, None])

    def peaks(
        self,
        tested: Array,
        draws: int,
        oriented: Callable[[Array], Array],
        progress: Progress | None,
    ) -> Array:
        """Largest scores of tested slices with permuted errors, shape (draws,)."""
        peaks, all = np.zeros(draws), _Strata.single(self.units)
        blocks = [block for block in self.lattice.blocks if tested[block.place].any()]
        if not blocks:
            return peaks
        sizes = [block.tally(self.units.n) for block in blocks]
        bits = self._bits(sizes)
        for part in chunks(draws, sum(len(size) for size in sizes)):
            tables = self._tables(blocks, part.stop - part.start, bits)
            for block, size, table in zip(blocks, sizes, tables, strict=True):
                kept = tested[block.place]
                n, total = block.slices(size)[kept], block.slices(table)[kept]
                scores = oriented(self._scores(n, total, all))
                np.maximum(peaks[part], scores.max(axis=0), out=peaks[part])
            if progress is not None:
                progress(part.stop, draws)
        return peaks

    def _bits(self, sizes: Sequence[Array]) -> int:
        """Digits that hold the errors of any cell; a loss takes all."""
        if not self.whole:
            return _DIGITS
        return int(max(size.max() for size in sizes)).bit_length()

    def _tables(self, blocks: Sequence[_Block], draws: int, bits: int) -> list[Array]:
        """Permuted errors in each block's cells: (cells, draws) each."""
        tables = [np.empty((block.cells, draws)) for block in blocks]
        lanes = max(_DIGITS // bits, 1)
        for first in range(0, draws, lanes):
            count = min(lanes, draws - first)
            packed = self._packed(count, bits)
            for block, table in zip(blocks, tables, strict=True):
                sums = np.bincount(block.code, packed, block.cells)
                table[:, first : first + count] = _unpacked(sums, count, bits)
        return tables

    def _packed(self, count: int, bits: int) -> Array:
        """Errors of each unit in several permutations, as digits of one number: (units,)."""
        if not self.whole:
            return _reduced(self.draw.permutation(self.units.values), self.units.starts)
        digits = 2.0 ** (bits * np.arange(count))
        wrong = round(self.units.errors)
        # A hypergeometric number takes as long as 30 random bytes.
        if 30 * len(self.units.n) < self.units.records < 1_000_000_000:
            return self._hypergeometric(wrong, count) @ digits
        rows = np.zeros(self.units.records)
        for digit in digits:
            rows += digit * _dealt(self.draw, self.units.records, wrong)
        return _reduced(rows, self.units.starts)

    def _hypergeometric(self, wrong: int, count: int) -> Array:
        """Errors of each unit in several permutations, shape (units, count)."""
        n, draw = self.units.n, self.draw.multivariate_hypergeometric
        return np.stack([draw(n, wrong, method="marginals") for _ in range(count)], axis=1)


def _dealt(draw: np.random.Generator, size: int, wanted: int) -> Array:
    """Draw `wanted` of `size` places, all sets alike, in a twentieth of a permutation's time.

    Random bytes below a threshold give about as many; as these are any places with the same
    chance, leaving out or adding places at random makes the number right.
    """
    byte = np.frombuffer(draw.bytes(size), dtype=np.uint8)
    dealt = byte < min(round(256 * wanted / size), 255)
    surplus = int(dealt.sum()) - wanted
    if surplus:
        places = np.flatnonzero(dealt if surplus > 0 else ~dealt)
        dealt[draw.choice(places, abs(surplus), replace=False, shuffle=False)] = surplus < 0
    return dealt


def _unpacked(sums: Array, count: int, bits: int) -> Array:
    """Digits of sums (cells,) as columns, shape (cells, count)."""
    if bits == _DIGITS:
        return sums[:, None]
    shift = bits * np.arange(count)
    return (sums.astype(np.int64)[:, None] >> shift) & ((1 << bits) - 1)


def _standardised(residual: Array, variance: Array) -> Array:
    """Residuals by their standard deviation; 0 where nothing can vary."""
    varies = variance > 0
    return residual / np.sqrt(np.where(varies, variance, 1.0)) * varies


def _signed_root(n: Array, errors: Array, size: Array, wrong: Array) -> Array:
    """Signed root of twice the log likelihood ratio: errors in n, among `wrong` in `size`."""
    fixed = _x_log_x(n) + _x_log_x(size - n) + _x_log_x(wrong) + _x_log_x(size - wrong)
    fixed = fixed - _x_log_x(size)
    ratio = _x_log_x(errors) + _x_log_x(n - errors)
    ratio += _x_log_x(wrong - errors) + _x_log_x(size - n - wrong + errors)
    root = np.sqrt(np.maximum(2 * (ratio - fixed), 0))
    return np.copysign(root, errors - n * (wrong / np.maximum(size, 1)))


def _x_log_x(x: Array) -> Array:
    """Of whole numbers; 0 of 0."""
    return x * np.log(np.maximum(x, 1))


@dataclass(frozen=True, eq=False)
class _Clustered:
    """Clusters whose residuals could have had the other sign."""

    units: _Units
    lattice: _Lattice
    draw: np.random.Generator

    @cached_property
    def starts(self) -> Array:
        """Where a cluster begins among the units, shape (clusters + 1,)."""
        size = int(self.units.cluster.max(initial=-1)) + 1
        return np.searchsorted(self.units.cluster, np.arange(size + 1))

    def evidence(self, strata: _Strata) -> Array:
        """Scores of all slices, shape (slices,)."""
        residual = self._residual(strata)

        def of(block: _Block) -> Array:
            _, scale = self._model(block, strata, residual)
            return block.slices(block.tally(residual))[:, 0] * scale

        return self.lattice.over_blocks(of)

    def _residual(self, strata: _Strata) -> Array:
        residual = self.units.total - self.units.n * strata.mean[strata.index]
        return residual * (strata.variance > 0)[strata.index]

    def _freed(self, strata: _Strata, residual: Array) -> Array:
        """Residuals without the pull that a cluster has on the mean of its stratum.

        By the root of 1 - its share of records (CR2 of Bell & McCaffrey, Survey Methodology 28,
        2002): with 20 clusters of very different size 8 % of searches found something without.
        """
        share = self._by_stratum(strata, self.units.n) / np.maximum(strata.n, 1)
        return residual / np.sqrt(1 - np.minimum(share, 0.5))[self.units.cluster, strata.index]

    def _by_stratum(self, strata: _Strata, weights: Array) -> Array:
        """Sums of clusters in each stratum, shape (clusters, strata)."""
        key = self.units.cluster * len(strata.n) + strata.index
        size = (len(self.starts) - 1) * len(strata.n)
        return np.bincount(key, weights, size).reshape(-1, len(strata.n))

    def _model(self, block: _Block, strata: _Strata, residual: Array) -> tuple[Array, Array]:
        """Shares of strata that are in slices (slices, strata), and 1 / standard deviation."""
        n = block.slices(block.tally(self.units.n, strata))
        share = n / np.maximum(strata.n, 1)
        own = self._squares(block, strata, self._freed(strata, residual), share)
        sizes = self._squares(block, strata, self.units.n, share)
        correlation = self._correlation(strata, residual)
        variance = strata.n @ strata.variance / max(strata.n.sum(), 1)
        common = (1 - correlation) * strata.spread(n) + correlation * variance * sizes
        return share, _standardised(np.ones(len(n)), np.maximum(own, common))

    def _correlation(self, strata: _Strata, residual: Array) -> float:
        """Correlation of errors in a cluster, 0 to 1, by moments."""
        size = np.bincount(self.units.cluster, self.units.n)
        independent = strata.n @ strata.variance
        pairs = (size @ size / max(size.sum(), 1) - 1) * independent
        surplus = np.square(np.bincount(self.units.cluster, residual)).sum() - independent
        return float(np.clip(surplus / pairs, 0, 1)) if pairs > 0 else 0.0

    def _squares(self, block: _Block, strata: _Strata, weights: Array, share: Array) -> Array:
        """Sum over clusters of (weights in the slice - share * weights in all)^2: (slices,)."""
        by_stratum = self._by_stratum(strata, weights)
        squares, cross = np.zeros(len(share)), np.zeros((block.cells, len(strata.n)))
        for part, table in self._tables(block, weights):
            squares += (block.slices(table) ** 2).sum(axis=1)
            cross += table @ by_stratum[part]
        both = 2 * block.slices(cross) - share @ (by_stratum.T @ by_stratum)
        return squares - (share * both).sum(axis=1)

    def _tables(self, block: _Block, residual: Array) -> Iterator[tuple[slice, Array]]:
        """Sums of residuals by cell and cluster, shape (cells, clusters), some clusters a time."""
        width, size = max(1, _TABLE // block.cells), len(self.starts) - 1
        for first in range(0, size, width):
            last = min(first + width, size)
            rows = slice(self.starts[first], self.starts[last])
            key = block.code[rows].astype(np.int64) * (last - first)
            key += self.units.cluster[rows] - first
            sums = np.bincount(key, residual[rows], block.cells * (last - first))
            yield slice(first, last), sums.reshape(block.cells, last - first)

    def peaks(
        self,
        tested: Array,
        draws: int,
        oriented: Callable[[Array], Array],
        progress: Progress | None,
    ) -> Array:
        """Largest scores of tested slices with random signs of clusters, shape (draws,)."""
        all = _Strata.single(self.units)
        residual = self._residual(all)
        freed = self._freed(all, residual)
        whole = self._by_stratum(all, freed)
        signs = self.draw.choice([-1.0, 1.0], (len(whole), draws))
        peaks = np.zeros(draws)
        for number, block in enumerate(self.lattice.blocks, 1):
            kept = tested[block.place]
            share, scale = self._model(block, all, residual)
            for part in chunks(draws, block.cells) if kept.any() else ():
                table = np.zeros((block.cells, part.stop - part.start))
                for at, sums in self._tables(block, freed):
                    table += sums @ signs[at, part]
                total = block.slices(table) - share @ (whole.T @ signs[:, part])
                scores = oriented(total * scale[:, None])[kept]
                np.maximum(peaks[part], scores.max(axis=0), out=peaks[part])
            if progress is not None:
                progress(draws * number // len(self.lattice.blocks), draws)
        return peaks
