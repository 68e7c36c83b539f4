"""Averages of a metric over groups that count alike, and its least value over groups."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fairaudit.arrays import Array
from fairaudit.assess import Assessment, defined
from fairaudit.audit import Comparison, Estimate
from fairaudit.metrics import Metric
from fairaudit.stats.estimates import Estimates

#: Metrics whose least value over groups is reported, and that are folded at 1.
FOLDED_METRICS = ("equity_ratio",)
#: Standard deviation of a logarithm from which on its distribution is anything but normal.
_WIDEST = 1.0


@dataclass(frozen=True)
class Folded(Assessment):
    """An assessment whose intervals of equity ratios stay within 0 and 1.

    On its own scale an interval goes on above 1, where the other polarity is the rarer one: up to
    2 says that the equity ratio may be a half.
    """

    @classmethod
    def of(cls, part: Assessment) -> Folded:
        """The same assessment."""
        return cls(part.sums, part.metrics, part.design, part.values, part.weighted)

    def estimates(self) -> Iterator[Estimate]:
        """Rows for every metric and group."""
        for row in super().estimates():
            low, high = row.ci_low, row.ci_high
            if row.metric in FOLDED_METRICS and low is not None and high is not None and high > 1:
                row = replace(row, ci_low=min(low, 1 / high), ci_high=1.0)
            yield row


class Averages:
    """Over the groups of an attribute: the mean of each metric, and the least equity ratio.

    A part of an audit, see `fairaudit.assess.Part`.

    Parameters
    ----------
    assessment : Assessment
        Of one attribute.
    metrics : sequence of Metric
    """

    def __init__(self, assessment: Assessment, metrics: Sequence[Metric]) -> None:
        self._of, self._metrics = assessment, metrics

    def estimates(self) -> Iterable[Estimate]:
        """Nothing: these are comparisons."""
        return ()

    def comparisons(self) -> Iterator[Comparison]:
        """A row for each mean, and one for the least equity ratio."""
        for metric in self._metrics:
            found = self._compared(metric)
            if len(found.value) < 2:
                continue
            level, folded = self._of.design.confidence, metric.name in FOLDED_METRICS
            low, high = macro_interval(found, level, self._of.sums.nested, folded)
            yield self._row(metric, "macro_mean", None, float(found.value.mean()), low, high)
            if folded:
                low, high = least_interval(found, level)
                at = int(found.value.argmin())
                name = self._names(metric)[at]
                yield self._row(metric, "least", name, float(found.value[at]), low, high)

    def _compared(self, metric: Metric) -> Estimates:
        found = self._of.found[metric.name]
        return found.take(np.flatnonzero(self._of.compared(found.value)))

    def _names(self, metric: Metric) -> list[str]:
        at = np.flatnonzero(self._of.compared(self._of.found[metric.name].value))
        return [self._of.sums.groups[g] for g in at]

    def _row(
        self, metric: Metric, kind: str, group: str | None, value: float, low: float, high: float
    ) -> Comparison:
        return Comparison(
            self._of.sums.attribute,
            metric.name,
            kind,  # type: ignore[arg-type]  # one of the two above
            group,
            value=value,
            ci_low=defined(low),
            ci_high=defined(high),
            variant=self._of.sums.variant,
        )

    def notes(self) -> Iterator[str]:
        """That the least of several noisy values is too low."""
        if any(row.kind == "least" for row in self.comparisons()):
            yield (
                f"{self._of.sums.attribute}: the least of several noisy equity ratios is biased "
                "low, the more so the fewer gendered texts a group has; its interval holds for all "
                "groups at once. Also where both polarities are equal in truth, a sample's "
                "equity ratio is below 1."
            )


def macro_interval(
    found: Estimates, confidence: float, independent: bool = True, folded: bool = False
) -> tuple[float, float]:
    """Interval of the mean over groups of their true values.

    Distances from each group's value to its limits are joined as standard errors are: the method
    of variance estimates recovery (Zou & Donner, Statistics in Medicine 27, 2008). So groups
    where one polarity never occurs add their uncertainty too, which resamples of them would not.

    Parameters
    ----------
    found : Estimates
        G groups with values and intervals.
    confidence : float
    independent : bool
        Whether no cluster lies in two groups; otherwise distances are averaged, as if all erred
        together.
    folded : bool
        Whether the values are ratios min(x, 1 / x), which are below 1 by chance alone where
        x = 1; then the limits have room for that bias. The groups' own upper limits are taken as
        they are, above 1 too: cut off at 1 the interval would cover 71 % where all are balanced.

    Returns
    -------
    low, high : float
        nan where a group has no interval.
    """
    low, high = found.interval(confidence)
    center = float(found.value.mean())
    below, above = _joined(found.value - low, independent), _joined(high - found.value, independent)
    if not folded:
        return center - below, center + above
    too_high, too_low = ratio_bias(found)
    return max(center - below - too_high, 0.0), min(center + above + too_low, 1.0)


def _joined(distances: Array, independent: bool) -> float:
    """Distance of a mean's limit, from those of what it is the mean of."""
    n = len(distances)
    if independent:
        return math.sqrt(float((np.maximum(distances, 0) ** 2).sum())) / n
    return float(distances.sum()) / n


def ratio_bias(found: Estimates) -> tuple[float, float]:
    """How far the mean of ratios min(x, 1 / x) may be too high, and how far too low.

    With log x normal about t with standard deviation s, the mean of exp(-abs(log x)) has a closed
    form. It is too high by the curve of the exponential, by about s^2 / 2 of it, and too low by
    the fold at x = 1, the most at t = 0. For the latter each group is taken at the t that is one s
    nearer to 0 than where it seems to be, as chance puts it about that far off.

    Returns
    -------
    too_high, too_low : float
        Both 0 or more.
    """
    usable = (found.value > 0) & (found.variance > 0)
    if not usable.any():
        return 0.0, 0.0
    value = found.value[usable]
    s = np.minimum(np.sqrt(found.variance[usable]) / value, _WIDEST)
    t = -np.log(value)
    nearer = np.maximum(t - s, 0.0)
    too_high = np.maximum(expected_fold(t, s) - np.exp(-t), 0.0).sum()
    too_low = np.maximum(np.exp(-nearer) - expected_fold(nearer, s), 0.0).sum()
    return float(too_high) / len(found.value), float(too_low) / len(found.value)


def expected_fold(t: Array, s: Array) -> Array:
    """Mean of exp(-abs(y)) of a normal y with mean t and standard deviation s.

    >>> round(float(expected_fold(np.array(0.0), np.array(0.2))), 3)
    0.858
    """
    right = np.exp(s**2 / 2 - t) * _below(t / s - s)
    left = np.exp(s**2 / 2 + t) * _below(-t / s - s)
    return right + left


def _below(z: Array) -> Array:
    """The standard normal distribution function."""
    return np.vectorize(lambda each: 0.5 * math.erfc(-each / math.sqrt(2)), otypes=[float])(z)


def least_interval(found: Estimates, confidence: float) -> tuple[float, float]:
    """Interval of the least of the groups' true values.

    From intervals that hold for all groups at once (Bonferroni): the least lower and the least
    upper limit. It may be wide, but which group happened to be the least does not bias it.
    """
    low, high = found.interval(1 - (1 - confidence) / len(found.value))
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        return math.nan, math.nan
    return float(low.min()), min(float(high.min()), 1.0)
