"""What the data could have shown, and how much more data would show what was seen."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fairaudit.metrics import Range
from fairaudit.stats.distributions import t_quantile

#: The power that planning is for: the usual 80 %.
POWER = 0.8


@dataclass(frozen=True)
class Pair:
    """Two groups, in terms of effective numbers of independent trials.

    Attributes
    ----------
    values : (float, float)
        The two estimates.
    effective : (float, float)
        Their effective denominators: n divided by the design effect.
    df : float
        Degrees of freedom of their difference (inf without clusters).
    range : {"proportion", "bounded", "rate"}
        Decides how the variance of a single trial follows from the value.
    """

    values: tuple[float, float]
    effective: tuple[float, float]
    df: float
    range: Range

    @property
    def pooled(self) -> float:
        """The common value, were there no difference."""
        (a, b), (n, m) = self.values, self.effective
        return (a * n + b * m) / (n + m)

    def required(self, difference: float, alpha: float) -> float:
        """How far apart the estimates must be expected to lie for 80 % power.

        The test assumes equality, so its margin comes from the pooled value; the shortfall
        comes from values that lie `difference` apart (Fleiss, Levin & Paik, Statistical
        Methods for Rates and Proportions, 3rd ed., 4.2, with design effects).
        """
        n, m = self.effective
        low, high = self.pooled, self.pooled + difference
        null = self._trial_variance((low * n + high * m) / (n + m)) * (1 / n + 1 / m)
        shifted = self._trial_variance(low) / n + self._trial_variance(high) / m
        return t_quantile(1 - alpha / 2, self.df) * math.sqrt(null) + t_quantile(
            POWER, self.df
        ) * math.sqrt(shifted)

    def _trial_variance(self, value: float) -> float:
        return value if self.range == "rate" else max(value * (1 - value), 0.0)


def minimum_detectable(pair: Pair, alpha: float) -> float | None:
    """Smallest difference that a two-sided test at `alpha` would find with 80 % power.

    Returns
    -------
    float or None
        None where no possible difference would be found.

    Examples
    --------
    1,000 trials each around 10 %; the usual shortcut 2.80 sqrt(2 p q / n) says 3.8 points and
    gives a power of 74 % only.

    >>> pair = Pair((0.1, 0.1), (1000, 1000), math.inf, "proportion")
    >>> round(minimum_detectable(pair, 0.05), 4)
    0.0407
    """
    ceiling = 1 - pair.pooled if pair.range != "rate" else 1e3 * max(pair.pooled, 1e-9)
    if not pair.pooled > 0 or not pair.df >= 0.5 or pair.required(ceiling, alpha) > ceiling:
        return None
    low, high = 0.0, ceiling
    while high - low > 1e-10 * ceiling:
        middle = (low + high) / 2
        low, high = (low, middle) if pair.required(middle, alpha) < middle else (middle, high)
    return high


def growth_needed(pair: Pair, alpha: float) -> float | None:
    """By what factor the data of both groups must grow to show the difference that was seen.

    Returns
    -------
    float or None
        At least 1; None where no difference was seen.

    Examples
    --------
    10 % against 12 % need 3,841 trials each for 80 % power: 3.84 times what there is.

    >>> pair = Pair((0.1, 0.12), (1000, 1000), math.inf, "proportion")
    >>> round(growth_needed(pair, 0.05), 2)
    3.84
    """
    difference = abs(pair.values[0] - pair.values[1])
    if difference == 0 or not pair.df >= 0.5:
        return None
    n, m = pair.effective
    null = pair._trial_variance(pair.pooled) * (1 / n + 1 / m)
    seen = pair._trial_variance(pair.values[0]) / n + pair._trial_variance(pair.values[1]) / m
    margin = t_quantile(1 - alpha / 2, pair.df) * math.sqrt(null)
    shortfall = t_quantile(POWER, pair.df) * math.sqrt(seen)
    return max(((margin + shortfall) / difference) ** 2, 1.0)
