"""Matching: compare a group only with records that are like its own.

Koenecke et al. ("Racial disparities in automated speech recognition", PNAS 117(14), 2020) matched
each snippet of one group with one of the other by propensity score, so that both halves had the
same ages, genders and durations. Theirs was MatchIt's nearest-neighbour matching in R. Here a
draw never decides: the same records give the same pairs, whatever their order.
"""

from __future__ import annotations

import numpy as np

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError
from fairaudit.stats.regression import standardised

#: Penalty on squared coefficients of standardised covariates: nothing where the groups overlap,
#: enough to keep the scores finite where a covariate tells them apart.
_RIDGE = 1e-4
_MAX_STEPS = 200


def propensity(treated: Array, covariates: Array) -> Array:
    """Log odds of being of the treated group, by logistic regression on the covariates.

    The logarithm of the odds, not the probability, is what Austin (Pharmaceutical Statistics
    10, 2011) and Rosenbaum & Rubin (The American Statistician 39, 1985) match on: it does not
    crowd at 0 and 1. MatchIt's default is the probability, and so is Koenecke's; have it as
    ``1 / (1 + exp(-scores))``. Covariates that repeat each other do no harm. Where covariates
    tell the groups apart, a small penalty keeps the scores finite, and few records find a match.

    Parameters
    ----------
    treated : array of bool, shape (n,)
        Records of the group.
    covariates : array, shape (n, p)
        Finite columns.

    Returns
    -------
    array, shape (n,)
        The same for records with the same covariates, and whatever the order of the records.

    Raises
    ------
    FairauditError
        If all records are of one kind.
    ValueError
        If a covariate is not finite.

    Examples
    --------
    Of the records at 0 one in three is treated, of those at 1 two in three: odds 1/2 and 2.

    >>> x = np.array([[0.0], [0.0], [0.0], [1.0], [1.0], [1.0]])
    >>> treated = np.array([True, False, False, True, True, False])
    >>> np.exp(propensity(treated, x)).round(2).tolist()
    [0.5, 0.5, 0.5, 2.0, 2.0, 2.0]
    """
    treated = np.asarray(treated, dtype=bool)
    if treated.all() or not treated.any():
        raise FairauditError(
            f"matching needs records inside and outside the group; "
            f"{treated.sum():,} of {len(treated):,} are inside."
        )
    covariates = np.asarray(covariates, dtype=float)
    if not np.isfinite(covariates).all():
        raise ValueError("covariates must be finite")
    # Sums depend on the order of their terms; sorted records always have the same one.
    order = np.lexsort((treated, *covariates.T))
    columns = standardised(covariates[order])
    coefficients = _logistic(columns, treated[order].astype(float))
    scores = np.empty(len(treated))
    # Column by column, as a matrix product may round equal rows differently.
    scores[order] = sum(
        (column * slope for column, slope in zip(columns.T, coefficients[1:], strict=True)),
        start=np.full(len(treated), coefficients[0]),
    )
    return scores


def _logistic(columns: Array, outcome: Array) -> Array:
    """Intercept and slopes of a logistic regression, by Newton's method with halved steps."""
    design = np.column_stack([np.ones(len(columns)), columns])
    penalty = np.append(0.0, np.full(columns.shape[1], _RIDGE))

    def fit(coefficients: Array) -> float:
        linear = design @ coefficients
        loss = np.logaddexp(0, linear).sum() - outcome @ linear
        return float(loss + penalty @ coefficients**2 / 2)

    coefficients = np.zeros(design.shape[1])
    reached = fit(coefficients)
    for _ in range(_MAX_STEPS):
        p = 1 / (1 + np.exp(-(design @ coefficients)))
        score = design.T @ (outcome - p) - penalty * coefficients
        information = design.T @ (design * (p * (1 - p))[:, None]) + np.diag(penalty)
        step = np.linalg.solve(information, score)
        gain = score @ step
        while (moved := fit(coefficients + step)) > reached + 1e-12 * reached:
            step /= 2
        coefficients, reached = coefficients + step, moved
        if gain < 1e-12:
            break
    return coefficients


def match(scores: Array, treated: Array, key: Array, caliper: float | None = 0.2) -> Array:
    """Pair each treated record with the nearest untreated one that is still free.

    Greedy 1:1 matching without replacement: treated records take their turn from the highest
    score down, as in MatchIt (Ho, Imai, King & Stuart, Journal of Statistical Software 42(8),
    2011), since the highest scores have the fewest neighbours. A record without a free
    neighbour within the caliper stays unmatched. Of equally near neighbours, and of treated
    records with equal scores, the one with the smaller key comes first.

    Parameters
    ----------
    scores : array, shape (n,)
        On the scale on which to be near; see `propensity`.
    treated : array of bool, shape (n,)
        Records of the group.
    key : array, shape (n,)
        Anything sortable that names a record, such as a digest of it.
    caliper : float or None
        Largest distance, in standard deviations of the scores of all records; None for any.
        Austin (2011) recommends 0.2 of the log odds'. Koenecke et al. used 0.001 of the
        probabilities', and MatchIt then drew at random within it.

    Returns
    -------
    array of int, shape (m, 2)
        Indices of the treated and the untreated record of each pair, in the order of matching.

    Examples
    --------
    The treated record at 5 comes first and takes the nearest, at 4; the one at 3 is left with
    the one at 1, and the one at 0 with none.

    >>> scores = np.array([3.0, 5.0, 0.0, 4.0, 1.0])
    >>> treated = np.array([True, True, True, False, False])
    >>> match(scores, treated, key=np.arange(5), caliper=None).tolist()
    [[1, 3], [0, 4]]

    The standard deviation is 2.07: within half of it only the first pair is near enough, and the
    record at 1 is free for the one at 0.

    >>> match(scores, treated, key=np.arange(5), caliper=0.5).tolist()
    [[1, 3], [2, 4]]
    """
    treated = np.asarray(treated, dtype=bool)
    by_key = np.lexsort((key, scores))
    controls = by_key[~treated[by_key]]
    turns = np.lexsort((key, -scores))
    turns = turns[treated[turns]]
    ranks = np.empty(len(scores), dtype=int)
    ranks[np.argsort(key, kind="stable")] = np.arange(len(scores))
    # In the order of the scores, for the last digit not to depend on that of the records.
    deviation = np.std(scores[by_key], ddof=1) if len(scores) > 1 else 0.0
    widest = np.inf if caliper is None else float(caliper * deviation)
    taken = _greedy(scores[turns], scores[controls], ranks[controls], widest)
    found = taken >= 0
    return np.column_stack([turns[found], controls[taken[found]]])


def _greedy(turns: Array, places: Array, ranks: Array, widest: float) -> Array:
    """Index of the place that each turn takes, -1 for none; `places` are sorted.

    Free places are found by following links to the next free one on either side, which are
    shortened on the way (path halving), so that all turns together take nearly linear time.
    """
    n = len(places)
    # On the left places are counted from the far end, so that both lists end at n.
    right, left = list(range(n + 1)), list(range(n + 1))
    first = np.searchsorted(places, places, side="left").tolist()  # of those with equal scores
    starts = np.searchsorted(places, turns, side="left").tolist()
    where, order = places.tolist(), ranks.tolist()
    taken = []
    for score, start in zip(turns.tolist(), starts, strict=True):
        above = _next(right, start)
        below = _next(left, n - start)
        choices = [(where[above] - score, order[above], above)] if above < n else []
        if below < n:
            # Of equal scores below, the one with the smallest key is the first that is free.
            below = _next(right, first[n - 1 - below])
            choices.append((score - where[below], order[below], below))
        distance, _, best = min(choices, default=(np.inf, 0, -1))
        if best < 0 or distance > widest:
            taken.append(-1)
            continue
        taken.append(best)
        right[best] = best + 1
        left[n - 1 - best] = n - best
    return np.array(taken, dtype=int)


def _next(links: list[int], place: int) -> int:
    """First free place from `place` on."""
    while links[place] != place:
        links[place] = links[links[place]]
        place = links[place]
    return place


def balance(covariates: Array, treated: Array, pairs: Array) -> tuple[Array, Array]:
    """Standardised mean differences of covariates before and after matching.

    Difference of means, treated less untreated, over the square root of the mean of the two
    groups' variances before matching (Austin, Multivariate Behavioral Research 46, 2011). Both
    figures have the same denominator, so that only the means can make the difference smaller
    (Stuart, Statistical Science 25, 2010). Below 0.1 is the usual sign of balance. MatchIt
    divides by the treated group's standard deviation, which is 0 where that group is all alike.

    Parameters
    ----------
    covariates : array, shape (n, p)
        Such as those given to `propensity`.
    treated : array of bool, shape (n,)
        Records of the group; some are, some are not.
    pairs : array of int, shape (m, 2)
        From `match`.

    Returns
    -------
    before, after : array, shape (p,)
        0 where the means agree; nan where they differ and neither group varies, or there is no
        pair.

    Examples
    --------
    >>> x = np.array([[1.0], [3.0], [0.0], [2.0]])
    >>> treated = np.array([True, True, False, False])
    >>> before, after = balance(x, treated, np.array([[0, 3]]))
    >>> before.round(3).tolist(), after.round(3).tolist()
    ([0.707], [-0.707])
    """
    treated = np.asarray(treated, dtype=bool)
    covariates = covariates - covariates.min(axis=0)  # a constant must have equal means
    inside, outside = covariates[treated], covariates[~treated]
    deviation = np.sqrt((_variance(inside) + _variance(outside)) / 2)
    before = inside.mean(axis=0) - outside.mean(axis=0)
    if not len(pairs):
        return _divide(before, deviation), np.full(len(before), np.nan)
    after = covariates[pairs[:, 0]].mean(axis=0) - covariates[pairs[:, 1]].mean(axis=0)
    return _divide(before, deviation), _divide(after, deviation)


def _variance(columns: Array) -> Array:
    """Sample variances; 0, not its rounding error, where all values are the same."""
    varies = np.ptp(columns, axis=0) > 0
    return np.where(varies, columns.var(axis=0, ddof=1 if len(columns) > 1 else 0), 0.0)


def _divide(difference: Array, deviation: Array) -> Array:
    """Divide elementwise; 0 where there is no difference, nan where there is no deviation."""
    ratio = difference / np.where(deviation > 0, deviation, np.nan)
    return np.where(difference == 0, 0.0, ratio)
