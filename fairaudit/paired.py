"""Two runs on the same records: how much each group's estimate changed.

Both runs are counted record by record, so their summed counts stand side by side in one `Sums`:
the earlier run's under names that begin with `BEFORE`. What the runs have in common (the records,
the speakers) then cancels out of the change's sampling error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.assess import Assessment, Design, defined
from fairaudit.audit import Comparison, Estimate
from fairaudit.metrics import BEFORE, Metric
from fairaudit.stats.comparisons import Contrast
from fairaudit.stats.estimates import Estimates, estimate
from fairaudit.stats.homogeneity import homogeneity
from fairaudit.stats.multiplicity import adjust
from fairaudit.stats.resampling import bootstrap_totals
from fairaudit.stats.sums import MISSING, Sums, small_sample_factor

#: What the estimates of the earlier run are marked with.
RUN = {"run": "before"}


def runs(sums: Sums) -> tuple[Sums, Sums]:
    """Split the sums of two runs: the new one's, and the earlier one's as a variant of its own."""
    earlier = {name: name.removeprefix(BEFORE) for name in sums.columns if name.startswith(BEFORE)}
    own = {name: name for name in sums.columns if name not in earlier}
    variant = {**(sums.variant or {}), **RUN}
    return sums.pick(own), replace(sums.pick(earlier), variant=variant)


@dataclass(frozen=True)
class Update:
    """The change from an earlier run to a new one, over the groups of one attribute.

    Attributes
    ----------
    sums : Sums
        Summed counts of both runs.
    metrics : sequence of Metric
        Those that are functions of summed counts; means over clusters are left out.
    design : Design
        The settings.
    earlier : Assessment
        The earlier run on its own, for its estimates.
    """

    sums: Sums
    metrics: Sequence[Metric]
    design: Design
    earlier: Assessment

    def estimates(self) -> Iterator[Estimate]:
        """Rows of the earlier run."""
        return self.earlier.estimates()

    def comparisons(self) -> Iterator[Comparison]:
        """Change of every metric in every group, and whether all groups changed alike."""
        for metric in self.metrics:
            if metric.per_cluster is None:
                yield from self._change_rows(metric)
                yield from self._heterogeneity_row(metric)

    def notes(self) -> Iterator[str]:
        """Nothing that the rows do not say."""
        return iter(())

    @cached_property
    def _resampled(self) -> Array:
        """Totals of both runs in the same resamples of clusters, shape (B, G, 2K)."""
        return bootstrap_totals(self.sums, self.design.resamples, self.design.seed)

    def _estimates(self, metric: Metric) -> Estimates:
        # As Student's t: score intervals know nothing of what two runs have in common.
        return estimate(
            metric,
            self.sums.columns,
            self.sums.spread,
            clustered=self.sums.clusters is not None,
            resampled=self._resampled if self.design.resampled else None,
            score=False,
        )

    def _contrast(self, metric: Metric) -> Contrast:
        new, earlier = self._estimates(metric), self._estimates(metric.before)
        spread = self.sums.spread
        shared = np.einsum("gk,gkl,gl->g", new.gradients, spread.moments, earlier.gradients)
        return Contrast(new, earlier, shared * small_sample_factor(spread.units), spread.units)

    def _change_rows(self, metric: Metric) -> Iterator[Comparison]:
        """Change, its interval, its p-value and the probability of improvement."""
        contrast = self._contrast(metric)
        low, high = contrast.difference_interval(self.design.confidence)
        # Units that all changed alike (as a rule by nothing) do not tell how sure that is.
        alike = contrast.variance <= (1e-12 * contrast.a.value) ** 2
        low, high = np.where(alike, np.nan, low), np.where(alike, np.nan, high)
        known = np.array([group != MISSING for group in self.sums.groups])
        known &= self.sums.records >= self.design.min_n
        p_value = np.where(known & ~alike, contrast.p_value, np.nan)
        adjusted = adjust(p_value, self.design.correction)
        improvement = self._improvement(metric)
        for g, group in enumerate(self.sums.groups):
            yield Comparison(
                self.sums.attribute,
                metric.name,
                "paired_difference",
                group,
                "(before)",
                defined(contrast.difference[g]),
                defined(low[g]),
                defined(high[g]),
                defined(p_value[g]),
                defined(adjusted[g]),
                self.design.correction,
                improvement=defined(improvement[g]),
                variant=self.sums.variant,
            )

    def _improvement(self, metric: Metric) -> Array:
        """Share of resamples in which the new run is better, shape (G,).

        Probability of improvement: Bisani & Ney, "Bootstrap estimates for confidence intervals
        in ASR performance evaluation", ICASSP 2004; here clusters are drawn, not utterances.
        """
        totals, columns = self._resampled, self.sums.columns
        change = metric.value(columns, totals) - metric.before.value(columns, totals)
        better = change < 0 if metric.direction == "lower" else change > 0
        share = better.mean(axis=0)
        return np.where(
            (self.sums.spread.units > 1) & np.isfinite(change).all(axis=0), share, np.nan
        )

    def _heterogeneity_row(self, metric: Metric) -> Iterator[Comparison]:
        """Whether the groups changed alike."""
        change = _change(metric)
        value = change.value(self.sums.columns, self.sums.spread.totals)
        compared = np.array([group != MISSING for group in self.sums.groups])
        compared &= (self.sums.spread.units > 1) & np.isfinite(value)
        compared &= self.sums.records >= self.design.min_n
        if self.sums.attribute is None or np.count_nonzero(compared) < 2:
            return
        sums = self.sums.select(compared)
        found = estimate(
            change, sums.columns, sums.spread, clustered=sums.clusters is not None, score=False
        )
        p_value = homogeneity(change, sums, found, self.design.resamples, self.design.seed)
        variant: Mapping[str, Any] = {**(sums.variant or {}), "run": "change"}
        yield Comparison(
            sums.attribute, metric.name, "heterogeneity", p_value=p_value, variant=variant
        )


def _change(metric: Metric) -> Metric:
    """The difference of the two runs' metrics, a function of summed counts like any other."""
    before = metric.before
    return replace(metric, formula=lambda c: metric.formula(c) - before.formula(c), range="change")
