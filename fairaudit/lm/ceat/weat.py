"""The Word Embedding Association Test, one vector per word.

Caliskan, Bryson & Narayanan, "Semantics derived automatically from language corpora contain
human-like biases", Science 356, 2017. Standard deviations are of a sample (n - 1), as in the
authors' code.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from math import comb

import numpy as np

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError
from fairaudit.stats.resampling import chunks

#: Up to so many partitions each one is looked at.
_EXACT = 100_000
#: Partitions with sums that differ by less (of the sum of absolute values) are tied.
_TIE = 1e-12


def unit(vectors: Array) -> Array:
    """Vectors of length 1, in double precision; nan where a vector is all zeros.

    Parameters
    ----------
    vectors : array, shape (..., m)
        Embeddings.
    """
    vectors = np.asarray(vectors, dtype=np.float64)
    # Halves of tiny or huge numbers must not vanish or overflow when squared.
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = vectors / np.abs(vectors).max(axis=-1, keepdims=True, initial=0)
        return scaled / np.linalg.norm(scaled, axis=-1, keepdims=True)


def associations(words: Array, a: Array, b: Array) -> Array:
    """s(w, A, B): mean cosine with A minus mean cosine with B.

    Parameters
    ----------
    words : array, shape (n, m)
        Embeddings of target words.
    a, b : array, shape (k, m) and (l, m)
        Embeddings of the attribute words.

    Returns
    -------
    array, shape (n,)
        Between -2 and 2.

    Examples
    --------
    Cosines of (1, 0) with A are 1 and 0, with B -1:

    >>> associations([[1, 0], [0, 2]], [[1, 0], [0, 1]], [[-1, 0]]).tolist()
    [1.5, 0.5]
    """
    return unit(words) @ (unit(a).mean(axis=0) - unit(b).mean(axis=0))


def effect_size(x: Array, y: Array) -> Array:
    """Difference of mean associations in standard deviations over both lists together.

    Parameters
    ----------
    x, y : array, shape (..., n) and (..., k)
        Associations of the words of X and Y.

    Returns
    -------
    array, shape (...)
        With n words in each list between -2 and 2 (1 - 1 / 2n) ** 0.5; nan where all words are
        associated alike.

    Examples
    --------
    Means 2 and 0; deviations from 1 are 0, 2, -2 and 0: d = 2 / (8 / 3) ** 0.5.

    >>> round(float(effect_size(np.array([1.0, 3.0]), np.array([-1.0, 1.0]))), 4)
    1.2247
    """
    return standardised(x, y)[0]


def standardised(x: Array, y: Array) -> tuple[Array, Array]:
    """Effect size, and the variance of associations over both lists (CEAT's V_i)."""
    both = np.concatenate([x, y], axis=-1)
    variance = both.var(axis=-1, ddof=1)
    # Equal numbers may differ by rounding from their mean: that is no variance.
    flat = both.max(axis=-1) - both.min(axis=-1) <= _TIE * np.abs(both).max(axis=-1)
    variance = np.where(flat, np.nan, variance)
    return (x.mean(axis=-1) - y.mean(axis=-1)) / np.sqrt(variance), variance


def permutation_p(
    x: Array, y: Array, resamples: int = 99_999, seed: int = 0, strict: bool = False
) -> float:
    """One-sided p-value: how often a random split of the words has a statistic as great.

    The statistic is the sum of associations in X minus that in Y. All splits into equal halves
    are looked at if they are at most 100,000, else `resamples` are drawn.

    Parameters
    ----------
    x, y : array, shape (n,)
        Associations of the words of X and Y.
    resamples : int
        Number of random splits.
    seed : int
        Seed of the splits.
    strict : bool
        Count only greater statistics and leave the observed split out of a drawn sample, as in the
        paper. Such a p can be 0; the other cannot and keeps its level.

    Raises
    ------
    FairauditError
        If the lists differ in length.

    Examples
    --------
    Of six splits of 1, 2, 3 and 4 into pairs only the observed one reaches 3 + 4 - 1 - 2.

    >>> permutation_p(np.array([3.0, 4.0]), np.array([1.0, 2.0])) * 6
    1.0
    >>> permutation_p(np.array([3.0, 4.0]), np.array([1.0, 2.0]), strict=True)
    0.0
    """
    if len(x) != len(y):
        raise FairauditError(
            f"permutation test: {len(x)} and {len(y)} target words; it needs as many in both "
            "lists. Even them out, or do without it."
        )
    both = np.concatenate([x, y])
    exact = comb(len(both), len(x)) <= _EXACT
    splits = _all_splits(len(both)) if exact else _drawn(len(both), resamples, seed)
    slack = _TIE * np.abs(both).sum() * (1 if strict else -1)
    least = both[: len(x)].sum() + slack
    # The sum over both is fixed, so X's sum orders splits as the statistic does.
    above = sum(int((both[half].sum(axis=1) > least).sum()) for half in splits)
    if exact:
        return above / comb(len(both), len(x))
    return above / resamples if strict else (1 + above) / (1 + resamples)


def _all_splits(words: int) -> Iterator[Array]:
    yield np.array(list(combinations(range(words), words // 2)))


def _drawn(words: int, resamples: int, seed: int) -> Iterator[Array]:
    draw = np.random.default_rng(seed)
    for part in chunks(resamples, words):
        keys = draw.random((part.stop - part.start, words))
        yield keys.argpartition(words // 2, axis=1)[:, : words // 2]


def wefat(words: Array, a: Array, b: Array) -> Array:
    """Word Embedding Factual Association Test: a word's own standardised association.

    Caliskan et al. 2017: (mean cosine with A - mean cosine with B) / standard deviation of its
    cosines with both.

    Parameters
    ----------
    words : array, shape (n, m)
        Embeddings.
    a, b : array, shape (k, m) and (l, m)
        Embeddings of the two lists.

    Returns
    -------
    array, shape (n,)
        nan where a word is equally near to all.

    Examples
    --------
    Cosines 1 and 0 with A, 0 and -1 with B: 1 / (2 / 3) ** 0.5.

    >>> wefat([[1, 0]], [[3, 0], [0, 1]], [[0, 1], [-1, 0]]).round(4).tolist()
    [1.2247]
    """
    own = unit(words)
    return effect_size(own @ unit(a).T, own @ unit(b).T)
