"""What the data could have shown, and how much more data would show what was seen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fairaudit.arrays import Array
from fairaudit.metrics import LIMITS, Range, own_variance, trial_variance
from fairaudit.stats.intervals import t_quantiles

#: The power that planning is for: the usual 80 %.
POWER = 0.8


@dataclass(frozen=True)
class Plan:
    """M pairs of groups, in terms of effective numbers of independent trials.

    Attributes
    ----------
    first, second : array, shape (M,)
        The estimates of either side.
    n, m : array, shape (M,)
        Their effective denominators: n divided by the design effect.
    df : array, shape (M,)
        Degrees of freedom of their differences.
    range : Range
        Decides how the variance of a single trial follows from the value.
    alpha : float
        Level of the two-sided test.
    """

    first: Array
    second: Array
    n: Array
    m: Array
    df: Array
    range: Range
    alpha: float

    @property
    def pooled(self) -> Array:
        """The common values, were there no difference."""
        return (self.first * self.n + self.second * self.m) / (self.n + self.m)

    def required(self, null: Array, first: Array, second: Array) -> Array:
        """How large an expected difference must be for 80 % power.

        The test assumes equality, so its margin comes from the common value `null`; the
        shortfall comes from the values as they are (Fleiss, Levin & Paik, Statistical Methods
        for Rates and Proportions, 3rd ed., 4.2, with design effects).
        """
        margin = np.sqrt(self._trial(null) * (1 / self.n + 1 / self.m))
        shortfall = np.sqrt(self._trial(first) / self.n + self._trial(second) / self.m)
        test, power = self._quantiles
        return test * margin + power * shortfall

    @cached_property
    def _quantiles(self) -> tuple[Array, Array]:
        # t_quantiles takes two-sided levels; power is one-sided.
        return t_quantiles(1 - self.alpha, self.df), t_quantiles(2 * POWER - 1, self.df)

    def _trial(self, value: Array) -> Array:
        """Variance of a single trial: Poisson's or Bernoulli's."""
        return np.maximum(trial_variance(self.range, value), 0.0)


def minimum_detectable(plan: Plan) -> Array:
    """Smallest differences that the tests would find with 80 % power, shape (M,).

    Returns
    -------
    array, shape (M,)
        nan where no possible difference would be found.

    Examples
    --------
    1,000 trials each around 10 %; the usual shortcut 2.80 sqrt(2 p q / n) says 3.8 points and
    gives a power of 74 % only.

    >>> p, n = np.array([0.1]), np.array([1000.0])
    >>> plan = Plan(p, p, n, n, np.array([np.inf]), "proportion", 0.05)
    >>> minimum_detectable(plan).round(4).tolist()
    [0.0407]
    """
    base = plan.pooled
    share = plan.m / (plan.n + plan.m)
    if own_variance(plan.range):  # then it does not depend on the values
        needed = plan.required(base, base, base)
        return np.where(plan.df >= 0.5, needed, np.nan)
    low, high = 0 * base, 1e3 * base if LIMITS[plan.range][1] > 1 else 1 - base

    def too_small(difference: Array) -> Array:
        shifted = base + difference
        return plan.required(base + share * difference, base, shifted) > difference

    with np.errstate(invalid="ignore"):
        none = ~(base > 0) | ~(plan.df >= 0.5) | too_small(high)
        for _ in range(50):
            middle = (low + high) / 2
            more = too_small(middle)
            low, high = np.where(more, middle, low), np.where(more, high, middle)
    return np.where(none, np.nan, high)


def growth_needed(plan: Plan) -> Array:
    """By what factor the data of both groups must grow to show the differences seen, shape (M,).

    Returns
    -------
    array, shape (M,)
        At least 1; nan where no difference was seen.

    Examples
    --------
    10 % against 12 % need 3,841 trials each for 80 % power: 3.84 times what there is.

    >>> n = np.array([1000.0])
    >>> plan = Plan(np.array([0.1]), np.array([0.12]), n, n, np.array([np.inf]), "proportion", 0.05)
    >>> growth_needed(plan).round(2).tolist()
    [3.84]
    """
    difference = np.abs(plan.first - plan.second)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = plan.required(plan.pooled, plan.first, plan.second) / difference
    return np.where(np.isfinite(ratio), np.maximum(ratio**2, 1.0), np.nan)
