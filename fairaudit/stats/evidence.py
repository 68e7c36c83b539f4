"""Which errors a group has more often than the rest, by evidence that rare words do not fool.

An item is one error ("w" heard as "h", "w" deleted, "h" inserted); a cell is what one cluster
(a speaker) said in one group. Speakers have habits, so a ratio of rates, or a z score that takes
words for independent, finds a speaker and calls it a group. Here each cell counts by its score
in a negative binomial model whose dispersion is the habit (Lawless, Canadian Journal of
Statistics 15, 1987): a speaker who makes an error a hundred times counts little more than one
who makes it ten times.

The model only shapes the statistic. P-values come from giving the groups' labels to other
clusters (within the cluster where it has cells in several groups), with the largest statistic of
all items as the yardstick (Westfall & Young, "Resampling-based multiple testing", 1993, section
2.3), and Bonferroni's correction over the groups. A step-down over groups would claim too much: a
group with one true finding still has items that do not differ.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from fairaudit.arrays import Array
from fairaudit.stats.distributions import regularised_beta
from fairaudit.stats.multiplicity import adjust
from fairaudit.stats.resampling import chunks, seeded

#: Numbers in one dense block of cells by items; about eight such blocks live at a time (64 MB).
_BLOCK = 1 << 20
#: Draws per group: the smallest adjusted p-value is then at most 0.02.
_DRAWS_PER_GROUP = 50
#: Rounds of exchanges of labels; the p-values are valid for any number (see `_deal`).
_ROUNDS = 40
#: How far draws follow the amounts of speech, and the least variance of their logarithms: that
#: all say nearly the same must not make a small difference telling. See `_slopes`.
_TILT = 0.5
_LEAST_VARIANCE = 0.1
_lgamma = np.vectorize(math.lgamma, otypes=[float])


@dataclass(frozen=True, eq=False)
class Sparse:
    """A matrix of counts by its entries; entries of the same place add up.

    Attributes
    ----------
    row, column : array of int, shape (entries,)
        Places.
    value : array, shape (entries,)
        Counts.
    shape : tuple of int
        Rows and columns.
    """

    row: Array
    column: Array
    value: Array
    shape: tuple[int, int]

    @property
    def totals(self) -> Array:
        """Sums of the columns, shape (columns,)."""
        return np.bincount(self.column, self.value, self.shape[1])

    def merged(self, label: Array, size: int) -> Sparse:
        """Rows of the same label (shape (rows,), below `size`) as one."""
        return replace(self, row=label[self.row], shape=(size, self.shape[1]))

    def dense(self, columns: Array) -> Array:
        """These columns, which may repeat, in full: shape (rows, len(columns))."""
        wanted, place = np.unique(columns, return_inverse=True)
        rank = np.full(self.shape[1], -1)
        rank[wanted] = np.arange(len(wanted))
        column = rank[self.column]
        kept = column >= 0
        flat = self.row[kept] * len(wanted) + column[kept]
        full = np.bincount(flat, self.value[kept], self.shape[0] * len(wanted))
        return full.reshape(self.shape[0], len(wanted))[:, place]


@dataclass(frozen=True, eq=False)
class Events:
    """Errors and what was exposed to them, in each cell of a cluster and a group.

    Groups, clusters, items and words are numbered in the sorted order of their names: then the
    results do not depend on the order of rows.

    Attributes
    ----------
    attribute : str or None
        The attribute; it seeds the draws.
    groups : tuple of str
        G labels, sorted.
    group : array of int, shape (cells,)
        The group of each cell.
    cluster : array of int, shape (cells,), or None
        The cluster of each cell, no cluster twice in a group; None where each record is its own
        unit, and there is one cell per group.
    errors : Sparse
        How often each of I items happened, cells x I.
    exposures : Sparse
        How often each of W words was to be said, cells x W. What can be inserted anywhere is
        exposed by a column of its own, which holds the numbers of reference words.
    word : array of int, shape (I,)
        The column of `exposures` that an item belongs to.
    once : array of bool, shape (I,)
        Whether an exposure has at most one error of this item: substitutions and deletions, not
        insertions.
    """

    attribute: str | None
    groups: tuple[str, ...]
    group: Array
    cluster: Array | None
    errors: Sparse
    exposures: Sparse
    word: Array
    once: Array

    def testable(self, least: int, spread: int, most: int) -> Array:
        """Choose items without a look at the groups, sorted.

        Parameters
        ----------
        least : int
            Least count.
        spread : int
            Least number of clusters that it happened to.
        most : int
            Number of items; the most frequent.
        """
        total = self.errors.totals
        chosen = np.flatnonzero((total >= least) & (self._reach() >= spread))
        # Stable: of items equally frequent the first by name.
        return np.sort(chosen[np.argsort(-total[chosen], kind="stable")[:most]])

    def _reach(self) -> Array:
        """Number of clusters that each item happened to, shape (I,)."""
        if self.cluster is None:
            return np.full(self.errors.shape[1], np.inf)
        seen = self.errors.value > 0
        size = int(self.cluster.max(initial=0)) + 1
        place = self.errors.column[seen] * size + self.cluster[self.errors.row[seen]]
        return np.bincount(np.unique(place) // size, minlength=self.errors.shape[1])


@dataclass(frozen=True, eq=False)
class Evidence:
    """Items in groups, the best proven first. All arrays have shape (rows,).

    Attributes
    ----------
    left_out : int
        Number of items that happened but were not tested.
    group, item : array of int
        What a row is about.
    count, exposure : array
        Errors and exposures in the group.
    rest_count, rest_exposure : array
        The same in all other groups together.
    z : array
        Standardised score; above 0 where the item is more frequent than in the rest.
    p_adjusted : array
        One-sided p-value, adjusted for all items and groups. Both are nan in a group of one
        cluster, which proves nothing about a group.
    """

    left_out: int
    group: Array
    item: Array
    count: Array
    exposure: Array
    rest_count: Array
    rest_exposure: Array
    z: Array
    p_adjusted: Array

    @property
    def rate(self) -> Array:
        """Errors per exposure in the group; nan without exposure."""
        return _divide(self.count, self.exposure, np.nan)

    @property
    def rest_rate(self) -> Array:
        """Errors per exposure in the rest; nan without exposure."""
        return _divide(self.rest_count, self.rest_exposure, np.nan)

    @property
    def ratio(self) -> Array:
        """Ratio of the rates; nan where the rest has no error or no exposure."""
        return _divide(self.rate, self.rest_rate, np.nan)


def over_represented(
    events: Events,
    resamples: int = 2000,
    seed: int = 0,
    *,
    least: int = 5,
    spread: int = 2,
    most: int = 2000,
) -> Evidence:
    """Rank the items of all groups by the evidence that the group has them more often.

    Where nothing differs, something has ``p_adjusted < 0.05`` in at most 5 % of data sets.

    Parameters
    ----------
    events : Events
        Errors and exposures of G groups.
    resamples, seed : int
        Number of draws (at least 50 for each group), and their seed.
    least, spread, most : int
        Which items are tested; see `Events.testable`.

    Returns
    -------
    Evidence
        One row for each group and tested item, by ``p_adjusted``, then z.

    Notes
    -----
    With clusters the score of cell c for an item is d = (x - e) / (1 + t e), with x errors
    where e = p n are expected: n exposures, p the pooled rate, t the dispersion. z is the sum of
    d over the group's cells by its standard deviation in the model. Clusters that each lie in
    one group exchange labels with one another; a cluster with cells in several groups exchanges
    them within itself, and is compared with its own rate p.

    The draws take a byte for each cell and draw.

    Without clusters p-values are exact conditional tails: hypergeometric for items that an
    exposure has at most once, binomial for insertions. They assume independent records.

    Examples
    --------
    Word 0 goes wrong in 9 of 10 cases in group a, in 1 of 10 in group b:

    >>> two = np.array([0, 1])
    >>> events = Events(
    ...     "accent", ("a", "b"), two, None,
    ...     errors=Sparse(two, np.array([0, 0]), np.array([9, 1]), (2, 1)),
    ...     exposures=Sparse(two, np.array([0, 0]), np.array([10, 10]), (2, 1)),
    ...     word=np.array([0]), once=np.array([True]),
    ... )
    >>> found = over_represented(events)
    >>> found.group.tolist(), found.ratio.round(2).tolist(), found.p_adjusted.round(4).tolist()
    ([0, 1], [9.0, 0.11], [0.0011, 1.0])
    """
    items = events.testable(least, spread, most)
    size = len(events.groups)
    count = events.errors.merged(events.group, size).dense(items)
    exposure = events.exposures.merged(events.group, size).dense(events.word[items])
    if events.cluster is None:
        z, p_adjusted = _independent(count, exposure, events.once[items])
    else:
        z, p_adjusted = _clustered(events, items, resamples, seed)
    left_out = int(np.count_nonzero(events.errors.totals)) - len(items)
    return _ranked(items, count, exposure, z, p_adjusted, left_out)


def _ranked(
    items: Array, count: Array, exposure: Array, z: Array, p_adjusted: Array, left_out: int
) -> Evidence:
    """Rows from tables of shape (G, items); undefined p-values come last."""
    group, column = (place.ravel() for place in np.indices(z.shape))
    order = np.lexsort((column, group, -z.ravel(), p_adjusted.ravel()))
    rest, unexposed = count.sum(axis=0) - count, exposure.sum(axis=0) - exposure
    return Evidence(
        left_out,
        group[order],
        items[column[order]],
        *(table.ravel()[order] for table in (count, exposure, rest, unexposed, z, p_adjusted)),
    )


def _divide(a: Array, b: Array, undefined: float) -> Array:
    defined = np.isfinite(a) & (b > 0)
    return np.where(defined, a / np.where(defined, b, 1), undefined)


@dataclass(frozen=True, eq=False)
class _Design:
    """Which cells may exchange their labels, in an order that is the same for all orders of rows.

    A stratum is a cluster with cells in several groups, or all other clusters together.

    Attributes
    ----------
    cells : array of int, shape (cells,)
        The cells in order: the strata lie in one piece.
    group, stratum : array of int, shape (cells,)
        Of the cells in order.
    amount : array, shape (cells,)
        Logarithm of exposures; 0 in clusters that lie in several groups, whose rates are
        compared within the cluster.
    """

    cells: Array
    group: Array
    stratum: Array
    amount: Array

    @classmethod
    def of(cls, events: Events) -> _Design:
        cluster = np.asarray(events.cluster)
        _, name, times = np.unique(cluster, return_inverse=True, return_counts=True)
        stratum = np.where(times[name] > 1, name + 1, 0)
        cells = np.lexsort((events.group, cluster, stratum))
        said = np.bincount(events.exposures.row, events.exposures.value, len(cells))
        amount = np.where(stratum == 0, np.log(np.maximum(said, 1)), 0.0)
        return cls(cells, events.group[cells], stratum[cells], amount[cells])

    @cached_property
    def _starts(self) -> Array:
        return np.unique(self.stratum, return_index=True)[1]

    @cached_property
    def size(self) -> Array:
        """Cells in the stratum of each cell, shape (cells,)."""
        return self.pooled(np.ones((len(self.cells), 1)))[:, 0]

    def pooled(self, table: Array) -> Array:
        """Sums over the stratum of each cell, shape as `table` (cells, items)."""
        times = np.diff([*self._starts, len(self.cells)])
        return np.repeat(np.add.reduceat(table, self._starts, axis=0), times, axis=0)

    def rates(self, errors: Array, exposure: Array) -> Array:
        """Pooled rates of the stratum of each cell, shape (cells, items)."""
        return _divide(self.pooled(errors), self.pooled(exposure), 0.0)


def _clustered(events: Events, items: Array, resamples: int, seed: int) -> tuple[Array, Array]:
    """Z and adjusted p-values from exchanged labels, shape (G, items) each."""
    design = _Design.of(events)
    cells = np.bincount(events.group, minlength=len(events.groups))
    tested = [g for g, times in enumerate(cells) if times >= 2]
    draws = max(resamples, _DRAWS_PER_GROUP * len(tested))
    labels = _deal(design, draws, seeded(seed, events.attribute, "evidence"))
    z, p_adjusted = np.full((2, len(events.groups), len(items)), np.nan)
    largest = np.full((len(tested), draws), -np.inf)
    for block, d, u in _blocks(events, items, design):
        for g, peak in zip(tested, largest, strict=True):
            z[g, block] = _statistic(design, design.group[:, None], g, d, u)[0]
            for part in chunks(draws, len(d) + 2 * d.shape[1]):
                drawn = _statistic(design, labels[:, part], g, d, u)
                np.maximum(peak[part], drawn.max(axis=1), out=peak[part])
    for g, peak in zip(tested, largest, strict=True):
        p_adjusted[g] = np.minimum(_tail(peak, z[g]) * len(tested), 1)
    return z, p_adjusted


def _tail(draws: Array, observed: Array) -> Array:
    """Permutation p-values (Phipson & Smyth 2010): what was observed is one of the draws."""
    below = np.searchsorted(np.sort(draws), observed - 1e-9)
    return (1 + len(draws) - below) / (1 + len(draws))


def _blocks(events: Events, items: Array, design: _Design) -> Iterator[tuple[slice, Array, Array]]:
    """Scores of so many items at a time as fit into memory: where they stand, d and u.

    The dispersion is the Pearson moment estimate of the item, drawn to that of all items: an
    item with few events says little of its own.
    """
    width = max(1, _BLOCK // max(len(design.cells), 1))
    places = [slice(start, start + width) for start in range(0, len(items), width)]

    def tables(place: slice) -> tuple[Array, Array]:
        exposure = events.exposures.dense(events.word[items[place]])
        return events.errors.dense(items[place])[design.cells], exposure[design.cells]

    moments = [_moments(design, *tables(place)) for place in places]
    excess, square = np.concatenate(moments, axis=1) if moments else np.zeros((2, 0))
    dispersion = _shrunken(excess, square)
    for place in places:
        yield place, *_scores(design, *tables(place), dispersion[place])


def _moments(design: _Design, errors: Array, exposure: Array) -> Array:
    """Variance beyond Poisson's and what a dispersion of 1 would add, shape (2, items)."""
    expected = design.rates(errors, exposure) * exposure
    # As much as a multinomial varies, given the stratum's total.
    poisson = expected * (1 - _divide(exposure, design.pooled(exposure), 0.0))
    excess = (errors - expected) ** 2 - poisson
    return np.array([excess.sum(axis=0), (poisson**2).sum(axis=0)])


def _shrunken(excess: Array, square: Array) -> Array:
    """Dispersions, each drawn to the common one as if that had an average item's data."""
    if not square.sum() > 0:
        return np.zeros_like(square)
    common, weight = max(excess.sum() / square.sum(), 0.0), square.mean()
    return (np.maximum(excess, 0) + weight * common) / (square + weight)


def _scores(
    design: _Design, errors: Array, exposure: Array, dispersion: Array
) -> tuple[Array, Array]:
    """Scores of cells and their variances, shape (cells, items) each.

    Scores add up to 0 in each stratum. The variance is half the model's, half the square of the
    score: the first keeps it from 0 where nothing happened, the second keeps the z that a
    single cell can bring to a small group at about 1.4, however often it was wrong.
    """
    weight = 1 / (1 + dispersion * design.rates(errors, exposure) * exposure)
    weighted = exposure * weight
    expected = design.rates(errors * weight, weighted) * exposure
    poisson = expected * (1 - _divide(weighted, design.pooled(weighted), 0.0))
    model = poisson * (1 + dispersion * poisson) * weight**2
    score = (errors - expected) * weight
    return score, (model + score**2) / 2


def _statistic(design: _Design, labels: Array, g: int, d: Array, u: Array) -> Array:
    """Standardised sums of group g's scores under each column of labels, shape (draws, items).

    The variance of a sum of s out of S scores that add up to 0 is
    S / (S - 1) * ((1 - s/S)^2 * sum over the s of u + (s/S)^2 * sum over the others of u).
    """
    size = design.size[:, None]
    share = design.pooled((design.group == g)[:, None].astype(float)) / size
    scaled = u * _divide(size, size - 1, 0.0)
    inside = (labels == g).astype(float)
    sums = inside.T @ np.hstack([d, (1 - 2 * share) * scaled])
    variance = sums[:, d.shape[1] :] + (share**2 * scaled).sum(axis=0)
    known = variance > 1e-12
    return np.where(known, sums[:, : d.shape[1]] / np.sqrt(np.where(known, variance, 1)), 0.0)


def _deal(design: _Design, draws: int, draw: np.random.Generator) -> Array:
    """Labels of the cells under the hypothesis, shape (cells, draws).

    Pairs of a stratum's cells exchange labels at random. All draws start from a centre that the
    observed labels lead to by the same pairs in reverse, so that what was observed is one of
    them (Besag & Clifford, Biometrika 76, 1989; for labels that depend on a covariate Berrett,
    Wang, Barber & Samworth, JRSS B 82, 2020).
    """
    pairs = [_pairs(design.stratum, draw) for _ in range(_ROUNDS)]
    slopes = _slopes(design)
    kind = np.min_scalar_type(int(design.group.max(initial=0)))
    centre = design.group[:, None].astype(kind)
    for pair in reversed(pairs):
        _exchange(centre, pair, design.amount, slopes, draw)
    labels = np.repeat(centre, draws, axis=1)
    for part in chunks(draws, len(centre)):
        for pair in pairs:
            _exchange(labels[:, part], pair, design.amount, slopes, draw)
    return labels


def _pairs(stratum: Array, draw: np.random.Generator) -> Array:
    """Cells paired at random within strata, each in one pair at most: shape (2, pairs)."""
    order = np.argsort(stratum + draw.random(len(stratum)))
    order = order[draw.integers(2) :]
    pair = order[: len(order) // 2 * 2].reshape(-1, 2).T
    return pair[:, stratum[pair[0]] == stratum[pair[1]]]


def _slopes(design: _Design) -> Array:
    """How a group's log odds rise with the logarithm of what a cluster says, shape (G,).

    Speakers who say little and speakers who say much are not exchangeable: with labels dealt
    blindly something is called in 11 to 20 % of equal cases where one group's speakers say three
    to nine times as much. In the normal model of discriminant analysis the slope is the
    difference of the means over the common variance. Half of it is enough (at most 5 % in 22
    simulated designs), as scores are standardised already; the whole would cost another quarter
    of the findings where one group says three times as much. Where groups say alike it is 0.
    """
    nested = design.stratum == 0
    group, amount = design.group[nested], design.amount[nested]
    size = int(design.group.max(initial=0)) + 1
    times = np.bincount(group, minlength=size)
    mean = _divide(np.bincount(group, amount, size), times, 0.0)
    away = np.where(times > 0, mean - (amount.mean() if len(amount) else 0.0), 0.0)
    within = np.mean((amount - mean[group]) ** 2) if len(amount) else 0.0
    return _TILT * away / max(within, _LEAST_VARIANCE)


def _exchange(
    labels: Array, pair: Array, amount: Array, slopes: Array, draw: np.random.Generator
) -> None:
    """Let each pair of rows of `labels` (cells, draws) keep or exchange its labels."""
    first, second = labels[pair[0]], labels[pair[1]]
    more = (amount[pair[0]] - amount[pair[1]])[:, None]
    odds = np.exp(np.minimum((slopes[first] - slopes[second]) * more, 700))  # of keeping
    swap = draw.random(first.shape) * (1 + odds) < 1
    labels[pair[0]] = np.where(swap, second, first)
    labels[pair[1]] = np.where(swap, first, second)


def _independent(count: Array, exposure: Array, once: Array) -> tuple[Array, Array]:
    """Z and adjusted p-values of independent exposures, shape (G, items) each."""
    events, trials = (np.broadcast_to(t.sum(axis=0), t.shape) for t in (count, exposure))
    share = _divide(exposure, trials, 0.0)
    finite = np.where(once, _divide(trials - events, trials - 1, 0.0), 1.0)
    deviation = np.sqrt(events * share * (1 - share) * finite)
    z = _divide(count - events * share, deviation, 0.0)
    p = np.where(
        once,
        hypergeometric_tail(count, exposure, np.where(once, events, 0), trials),
        _binomial_tail(count, events, share),
    )
    return z, adjust(p.ravel(), "holm").reshape(p.shape)


def _binomial_tail(x: Array, trials: Array, share: Array) -> Array:
    """P(X >= x) for a binomial X, elementwise; 1 where the share is 0 or 1."""
    open = (x > 0) & (share > 0) & (share < 1)
    a, b = np.where(open, x, 1.0), np.where(open, trials - x + 1, 1.0)
    return np.where(open, regularised_beta(np.where(open, share, 0.5), a, b), 1.0)


def hypergeometric_tail(x: Array, drawn: Array, events: Array, total: Array) -> Array:
    """P(X >= x), where X of `events` are among `drawn` of `total` exposures, elementwise.

    Fisher's exact test, one-sided (Fisher, "The logic of inductive inference", Journal of the
    Royal Statistical Society 98, 1935).

    Examples
    --------
    All four of four cups among the four chosen of eight:

    >>> four = np.array(4)
    >>> float(hypergeometric_tail(four, four, four, np.array(8)).round(4))  # 1 / 70
    0.0143
    """
    x, drawn, events, total = np.broadcast_arrays(x, drawn, events, total)
    # Sum the tail that x lies in; the other follows from the events that were not drawn.
    near = x * total <= drawn * events
    k, n = np.where(near, events - x + 1, x), np.where(near, total - drawn, drawn)
    tail = _far_tail(k, n, events, total)
    return np.where(near, 1 - tail, tail)


def _far_tail(x: Array, drawn: Array, events: Array, total: Array) -> Array:
    """P(X >= x) for x above the mean: terms fall from there on."""
    possible = x <= np.minimum(drawn, events)
    k = np.where(possible, x, np.minimum(drawn, events)).astype(float)
    others = total - events
    first = _log_choose(events, k) + _log_choose(others, drawn - k) - _log_choose(total, drawn)
    term = np.ones_like(k)
    sum = term.copy()
    while np.any(term > 1e-16 * sum):
        term = term * (events - k) * (drawn - k) / ((k + 1) * (others - drawn + k + 1))
        sum, k = sum + term, k + 1
    return np.where(possible, np.exp(first) * sum, 0.0)


def _log_choose(n: Array, k: Array) -> Array:
    return _lgamma(n + 1) - _lgamma(k + 1) - _lgamma(n - k + 1)
