"""Adjusting p-values for the number of comparisons made."""

from __future__ import annotations

from typing import Literal

import numpy as np

from fairaudit.arrays import Array

Correction = Literal["holm", "bh", "none"]


def adjust(p_values: Array, correction: Correction) -> Array:
    """Adjust a family of p-values; undefined ones (nan) are no part of the family.

    Parameters
    ----------
    p_values : array, shape (m,)
        Raw p-values.
    correction : {"holm", "bh", "none"}
        Holm (Scandinavian Journal of Statistics 6, 1979) keeps the chance of any false finding;
        Benjamini & Hochberg (JRSS B 57, 1995) the share of false ones among the findings.

    Returns
    -------
    array, shape (m,)
        Adjusted p-values in the same order.

    Examples
    --------
    >>> adjust(np.array([0.01, 0.04, 0.03]), "holm").round(3).tolist()
    [0.03, 0.06, 0.06]
    >>> adjust(np.array([0.01, 0.04, 0.03]), "bh").round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    adjusted = np.array(p_values, dtype=float)
    defined = np.flatnonzero(np.isfinite(adjusted))
    order = defined[np.argsort(adjusted[defined], kind="stable")]
    if correction == "none" or not len(order):
        return adjusted
    m, rank = len(order), np.arange(1, len(order) + 1)
    if correction == "holm":
        steps = np.maximum.accumulate(adjusted[order] * (m - rank + 1))
    else:
        steps = np.minimum.accumulate((adjusted[order] * m / rank)[::-1])[::-1]
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted
