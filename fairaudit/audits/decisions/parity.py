"""Comparisons that have names of their own: impact ratios, equalized odds, inequality."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fairaudit.arrays import Array
from fairaudit.assess import Assessment, defined
from fairaudit.audit import Comparison, Estimate
from fairaudit.stats import proportions
from fairaudit.stats.comparisons import Contrast, Gap, gap, pairs
from fairaudit.stats.homogeneity import chance_gaps
from fairaudit.stats.multiplicity import adjust
from fairaudit.stats.sums import MISSING
from fairaudit.stats.variation import between_group_entropy

#: Both rules are about groups with at least this share of the records: 6 RCNY 5-301(d) lets smaller
#: ones be left out, 29 CFR 1607.15(A)(2)(a) asks for no determination.
LEAST_SHARE = 0.02
#: Whose gaps equalized odds is about.
_ODDS = ("true_positive_rate", "false_positive_rate")


@dataclass(frozen=True)
class Parity:
    """What is compared beside each metric's own differences and gap.

    Attributes
    ----------
    part : Assessment
        The groups of one attribute.
    min_share : float
        Groups with a smaller share of the records have no impact ratio and are nobody's
        reference.
    """

    part: Assessment
    min_share: float = 0.0

    def estimates(self) -> Iterator[Estimate]:
        """None: the assessment has them."""
        return iter(())

    def comparisons(self) -> Iterator[Comparison]:
        """Impact ratios, equalized odds and the inequality between groups."""
        names = {metric.name for metric in self.part.metrics}
        if "selection_rate" in names:
            yield from self._impact_ratios()
        if names.issuperset(_ODDS):
            yield from self._equalized_odds()
        if "generalized_entropy_index" in names:
            yield from self._entropy()

    def notes(self) -> Iterator[str]:
        """Why there are no comparisons, and which metrics have no value in which groups."""
        sums = self.part.sums
        known = [group for group in sums.groups if group != MISSING]
        if len(known) == 1:
            yield f"{sums.attribute}: one group only, {known[0]}, so nothing is compared."
        # Of the first metric the assessment says it.
        undefined: dict[tuple[str, ...], list[str]] = {}
        for metric in self.part.metrics[1:]:
            lacking = np.isnan(self.part.found[metric.name].value)
            if groups := tuple(g for g, none in zip(sums.groups, lacking, strict=True) if none):
                undefined.setdefault(groups, []).append(metric.label)
        for groups, labels in undefined.items():
            more = f" and {len(groups) - 10} more" if len(groups) > 10 else ""
            yield (
                f"{sums.attribute}: {', '.join(groups[:10])}{more}: nothing to divide by, so no "
                f"{', '.join(labels)}."
            )

    def _row(self, metric: str, kind: str, **values: object) -> Comparison:
        sums = self.part.sums
        return Comparison(sums.attribute, metric, kind, variant=sums.variant, **values)  # type: ignore[arg-type]

    def _impact_ratios(self) -> Iterator[Comparison]:
        """Each group's selection rate over the highest group's: 29 CFR 1607.4(D).

        Intervals are simultaneous over the groups (Bonferroni): the highest rate is picked from
        the data, and with five equal groups of 100 intervals of single pairs cover 89 %, these
        97 %.
        """
        found = self.part.found["selection_rate"]
        records = self.part.sums.records
        compared = self.part.compared(found.value) & (records >= self.min_share * records.sum())
        groups = np.flatnonzero(compared)
        if len(groups) < 2 or not np.nanmax(found.value[groups]) > 0:
            return
        highest = int(groups[np.argmax(found.value[groups])])
        contrast = pairs(self.part.sums, found, groups, np.full(len(groups), highest))
        low, high = contrast.ratio_interval(self.part.design.confidence, len(groups) - 1)
        p_value = self._p_value(contrast)
        other = groups != highest
        p_value = np.where(other, p_value, np.nan)
        adjusted = adjust(p_value, self.part.design.correction)
        reverses = proportions.one_person_reverses(*contrast.counts)
        for i, g in enumerate(groups):
            yield self._row(
                "selection_rate",
                "ratio",
                name="impact_ratio",
                group=self.part.sums.groups[g],
                against=self.part.sums.groups[highest],
                value=defined(contrast.ratio[i]),
                ci_low=defined(low[i]) if other[i] else None,
                ci_high=defined(high[i]) if other[i] else None,
                p_value=defined(p_value[i]),
                p_adjusted=defined(adjusted[i]),
                adjustment=self.part.design.correction,
                one_person_reverses=bool(reverses[i]) if other[i] and found.binomial else None,
            )

    def _p_value(self, contrast: Contrast) -> Array:
        """Fisher's exact test of independent shares, else the test of the difference."""
        if not contrast.a.binomial:
            return contrast.p_value
        return np.asarray(proportions.fisher_exact(*contrast.counts))

    def _equalized_odds(self) -> Iterator[Comparison]:
        """The larger of the gaps of TPR and FPR, with an interval over both at once.

        A group's TPR and FPR are two families of pairs: each has half of the error, so the
        largest of the limits holds for the larger of the gaps (Bonferroni).
        """
        gaps = [self._gap(name) for name in _ODDS]
        if any(each is None for each in gaps):
            return
        known = [each for each in gaps if each is not None]
        widest, sums = max(known, key=lambda each: each[0].value)
        yield self._row(
            "equalized_odds",
            "gap",
            name="equalized_odds_difference",
            group=sums[widest.worst],
            against=sums[widest.best],
            value=widest.value,
            ci_low=defined(max(each.low for each, _ in known)),
            ci_high=defined(max(each.high for each, _ in known)),
            p_value=min(1.0, 2 * min(each.p_value for each, _ in known)),
            chance=self._chance(),
        )
        # Smallest over largest of either rate, as Fairlearn has it.
        low = min(each.ratio_low for each, _ in known)
        high = min(each.ratio_high for each, _ in known)
        value = min(self._smallest_over_largest(name) for name in _ODDS)
        yield self._row(
            "equalized_odds",
            "gap_ratio",
            name="equalized_odds_ratio",
            value=defined(value),
            ci_low=defined(low),
            ci_high=defined(high),
        )

    def _gap(self, name: str) -> tuple[Gap, Sequence[str]] | None:
        """Gap of a metric at half the error; None where fewer than two groups have a value."""
        found, design = self.part.found[name], self.part.design
        compared = self.part.compared(found.value)
        if np.count_nonzero(compared) < 2:
            return None
        sums = self.part.sums.select(compared)
        level = 1 - (1 - design.confidence) / 2
        own = found.take(np.flatnonzero(compared))
        return gap(sums, own, level, design.resamples, design.seed), sums.groups

    def _smallest_over_largest(self, name: str) -> float:
        """0 where a group has a rate of 0; nan where all have."""
        value = self.part.found[name].value
        own = value[self.part.compared(value)]
        return float(own.min() / own.max()) if own.max() > 0 else np.nan

    def _chance(self) -> float:
        """Mean of the larger of both gaps, were there no difference."""
        draws = []
        for name in _ODDS:
            found = self.part.found[name]
            compared = self.part.compared(found.value)
            own = found.take(np.flatnonzero(compared))
            sums, design = self.part.sums.select(compared), self.part.design
            draws.append(chance_gaps(sums, own, design.resamples, design.seed, name))
        return float(np.mean(np.maximum(*draws)))

    def _entropy(self) -> Iterator[Comparison]:
        """The part of the inequality of benefits that lies between groups."""
        sums = self.part.sums
        known = self.part.compared(np.ones(len(sums.groups)))
        columns = {name: sums.spread.totals[known, k] for k, name in enumerate(sums.columns)}
        benefit = columns["correct"] + 2 * columns["false_positives"]
        if np.count_nonzero(known) < 2:
            return
        for name, alpha in (("generalized_entropy_index", 2), ("theil_index", 1)):
            yield self._row(
                name,
                "heterogeneity",
                name=f"between_group_{name}",
                value=defined(between_group_entropy(columns["weight"], benefit, alpha)),
            )
