"""Records whose mean is an effect size, and whose variance is the effect size's.

All audits add up what is counted in records, and take intervals from the sums. An effect size is
no sum, but each sentence (or word) pulls it a little; effect size plus pull is what is counted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fairaudit.arrays import Array
from fairaudit.stats.intervals import t_quantiles


def effects(value: float, pulls: Sequence[Array], half: float, confidence: float) -> Array:
    """What to count of each record so that value and interval follow from the sums.

    The linearised interval of the mean of n records has a variance of their sum of squared
    deviations / (n (n - 1)) and n - 1 degrees of freedom. The pulls are drawn out or together by
    one factor until that interval is as wide as the one wanted, whose degrees of freedom may be
    those of few sentences.

    Parameters
    ----------
    value : float
        Effect size.
    pulls : sequence of array
        For each word those of its sentences; each array adds up to 0.
    half : float
        Half of the width of the interval; nan where there is none to be had.
    confidence : float
        Its level.

    Returns
    -------
    array, shape (n,)
        One number for each sentence. A single number, the value, where there is no interval: one
        record has none.

    Examples
    --------
    Two degrees of freedom: half is t (4.303) times (8 / (3 * 2)) ** 0.5.

    >>> found = effects(1.0, [np.array([1.0, 0.0, -1.0])], 4.968275, 0.95)
    >>> found.round(4).tolist()
    [3.0, 1.0, -1.0]
    """
    each = np.concatenate([np.zeros(0), *pulls])
    n = len(each)
    if n < 2 or not np.isfinite(half):
        return np.array([value])
    wanted = np.square(half / t_quantiles(confidence, np.array([n - 1.0]))[0]) * n * (n - 1)
    squares = each @ each
    if squares <= 0:
        # No draw tells which sentence pulls: half of them up, half of them down.
        each = np.where(np.arange(n) < n // 2, 1.0, -1.0) * (np.arange(n) < 2 * (n // 2))
        squares = each @ each
    return value + each * np.sqrt(wanted / squares)
