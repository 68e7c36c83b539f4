"""Which texts are read at which step: by seed and epoch alone."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from fairaudit.arrays import Array


class Order:
    """Texts 0 to n - 1 epoch after epoch, each in an order of its own, cut into steps.

    A step may end one epoch and begin the next, so that all are of one size.

    Parameters
    ----------
    texts, batch, seed : int

    Examples
    --------
    >>> order = Order(5, 2, seed=0)
    >>> sorted(np.concatenate([order.step(k) for k in range(5)]).tolist())
    [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    """

    def __init__(self, texts: int, batch: int, seed: int) -> None:
        self.texts, self.batch, self.seed = texts, batch, seed
        self._epoch = lru_cache(maxsize=2)(self._shuffled)

    def step(self, number: int) -> Array:
        """Texts of a step, counted from 0, shape (batch,)."""
        places = np.arange(number * self.batch, (number + 1) * self.batch)
        epochs, at = np.divmod(places, self.texts)
        parts = [self._epoch(int(e))[at[epochs == e]] for e in range(epochs[0], epochs[-1] + 1)]
        return np.concatenate(parts)

    def _shuffled(self, epoch: int) -> Array:
        return np.random.default_rng([self.seed, epoch]).permutation(self.texts)
