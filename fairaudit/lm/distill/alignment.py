"""Which place of a text corresponds to which place of its reversal, token by token."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fairaudit.arrays import Array

#: A token that corresponds to none.
UNALIGNED = -1
#: Characters from the first up to the second give way to a text.
Span = tuple[int, int, str]


def align(ends: Array, reversed_ends: Array, spans: Sequence[Span]) -> Array:
    """For each token of a text, the token of its reversal after which the same has been read.

    Two tokens correspond where they end at the same place: outside of replaced words at the same
    character, after a replaced word at its end. Inside one they correspond one by one if the word
    and its replacement have as many tokens, and else not at all, but for the last.

    Parameters
    ----------
    ends, reversed_ends : array of int, shapes (n,) and (m,)
        Where each token ends, in characters of its text; never decreasing.
    spans : sequence of (int, int, str)
        What was replaced, in order; see `Swapper.swap_spans`.

    Returns
    -------
    array of int, shape (n,)
        Increasing, but for `UNALIGNED`.

    Examples
    --------
    "So he left" and "So she left", where *left* is two tokens, and *she* as well:

    >>> align(np.array([2, 5, 8, 10]), np.array([2, 4, 6, 9, 11]), [(3, 5, "she")]).tolist()
    [0, 2, 3, 4]
    """
    place, inside = _moved(ends, spans)
    wanted, there = _numbered(place), _numbered(reversed_ends)
    # Pairs of a place and a number in one integer: both are below the length of a text.
    most = int(max(place.max(initial=0), reversed_ends.max(initial=0))) + 1
    keys, known = wanted * most + place, there * most + reversed_ends
    order = np.argsort(known, kind="stable")
    at = order[np.minimum(np.searchsorted(known, keys, sorter=order), len(order) - 1)]
    found = np.where((known[at] == keys) & ~inside, at, UNALIGNED)
    return _paired(found, ends, reversed_ends, spans)


def _moved(ends: Array, spans: Sequence[Span]) -> tuple[Array, Array]:
    """Where each end lies in the reversed text, and which lie inside a replaced word."""
    starts = np.array([start for start, _, _ in spans], dtype=np.int64)
    stops = np.array([stop for _, stop, _ in spans], dtype=np.int64)
    longer = np.array([len(new) - (stop - start) for start, stop, new in spans], dtype=np.int64)
    shift = np.r_[0, longer.cumsum()][np.searchsorted(stops, ends, side="right")]
    begun = np.searchsorted(starts, ends, side="left")
    ended = np.searchsorted(stops, ends, side="right")
    return ends + shift, begun > ended


def _numbered(ends: Array) -> Array:
    """How many tokens with the same end follow: a letter may be several tokens, byte by byte."""
    after = np.searchsorted(ends, ends, side="right")
    return np.asarray(after - 1 - np.arange(len(ends)))


def _paired(found: Array, ends: Array, reversed_ends: Array, spans: Sequence[Span]) -> Array:
    """Pair the tokens of words that have as many as their replacements."""
    shift = 0
    for start, stop, new in spans:
        first, last = np.searchsorted(ends, [start, stop], side="right")
        begin, end = np.searchsorted(
            reversed_ends, [start + shift, start + shift + len(new)], side="right"
        )
        if last - first == end - begin:
            found[first:last] = np.arange(begin, end)
        shift += len(new) - (stop - start)
    return found
