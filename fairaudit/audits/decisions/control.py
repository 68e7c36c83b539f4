"""Comparisons at equal values of a control column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from fairaudit.arrays import Array
from fairaudit.assess import Assessment, Part, defined
from fairaudit.audit import Comparison, Estimate
from fairaudit.exceptions import FairauditError
from fairaudit.groups import Attribute, Grouping, join_labels, split_label
from fairaudit.metrics import Metric
from fairaudit.selection import Selection
from fairaudit.stats.multiplicity import adjust
from fairaudit.stats.standardised import Standardised, standardise
from fairaudit.stats.sums import MISSING, Sums
from fairaudit.table import Batch


class Control:
    """Adds up counts per group and value of the control.

    Parameters
    ----------
    selection : Selection
        Attributes, clusters and bins.
    column : str
        The control.

    Raises
    ------
    FairauditError
        If the control is one of the attributes.
    """

    def __init__(self, selection: Selection, column: str) -> None:
        self.column = column
        if any(column in attribute.columns for attribute in selection.attributes):
            raise FairauditError(f"--control {column}: is an attribute of --by already.")
        crossed = [
            Attribute(f"{attribute.name}:{column}", (*attribute.columns, column))
            for attribute in selection.attributes
        ]
        self.selection = replace(selection, attributes=tuple(crossed))
        self._grouping: Grouping | None = None

    def add(self, batch: Batch, columns: Sequence[str], counts: Array) -> None:
        """Add records with their counts."""
        if self._grouping is None:
            self._grouping = self.selection.grouping(columns)
        self._grouping.add(batch.labels, counts, batch.times)

    def parts(self, crude: Sequence[Assessment]) -> Iterator[Part]:
        """A part per attribute, beside what its groups show as they are."""
        if self._grouping is not None:
            for part, sums in zip(crude, self._grouping.result()[1], strict=True):
                yield Controlled(self.column, sums, part)


@dataclass(frozen=True)
class Controlled:
    """One attribute at equal values of the control.

    Attributes
    ----------
    column : str
        The control.
    sums : Sums
        Summed counts of the attribute crossed with the control, which stands last.
    crude : Assessment
        The attribute's groups as they are.
    """

    column: str
    sums: Sums
    crude: Assessment

    def estimates(self) -> Iterator[Estimate]:
        """Every metric in each group at each value of the control."""
        for level, sums in self._strata.items():
            marked = replace(sums, variant=self._variant(level))
            yield from replace(self.crude, sums=marked).estimates()

    def comparisons(self) -> Iterator[Comparison]:
        """Differences to the reference at equal values of the control."""
        for metric in self.crude.metrics:
            if (found := self._found[metric.name]) is not None:
                yield from self._rows(metric, found)

    def notes(self) -> Iterator[str]:
        """What is left out, and where the control turns a difference around."""
        name, column = self.crude.sums.attribute, self.column
        of = dict(zip(self.sums.groups, self.sums.records, strict=True))
        if lost := of.get(MISSING, 0):
            yield (
                f"{name}: {lost} records without a value of it or of {column} are not compared at "
                f"equal {column}."
            )
        for turned, says in (
            (True, "Simpson's paradox: at equal {} the difference turns around"),
            (False, "at equal {} no difference is shown any more"),
        ):
            if found := list(self._changed(turned)):
                yield f"{name}: {says.format(column)}: {'; '.join(found)}."

    def _changed(self, turned: bool) -> Iterator[str]:
        """Metrics and groups whose difference turns around at equal control, or is not shown."""
        for metric in self.crude.metrics:
            if groups := self._changed_groups(metric, turned):
                yield f"{metric.label} of {', '.join(groups)}"

    def _variant(self, control: str) -> dict[str, str]:
        """What marks rows, beside what marks those of the groups as they are."""
        return {**(self.crude.sums.variant or {}), "control": control}

    @cached_property
    def _strata(self) -> dict[str, Sums]:
        """Sums of the known groups, per value of the control."""
        labels = [split_label(group) for group in self.sums.groups]
        known = np.array([group != MISSING for group in self.sums.groups])
        at = np.array([parts[-1] for parts in labels], dtype=object)
        strata = {}
        for level in sorted(set(at[known])):
            own = self.sums.select(known & (at == level))
            names = tuple(join_labels(split_label(group)[:-1]) for group in own.groups)
            strata[level] = replace(own, groups=names, attribute=self.crude.sums.attribute)
        return strata

    @cached_property
    def _found(self) -> dict[str, Standardised | None]:
        """Per metric the differences at equal control, None where there is nothing to compare."""
        return {metric.name: self._standardised(metric) for metric in self.crude.metrics}

    def _standardised(self, metric: Metric) -> Standardised | None:
        contrast = self.crude.to_reference(metric)
        if contrast is None or not contrast[1]:
            return None
        _, groups, against = contrast
        reference = self.crude.reference_name(metric) or against
        compared = [*groups, reference]
        strata = [
            sums.select(np.array([group in compared for group in sums.groups]))
            for sums in self._strata.values()
        ]
        return standardise(
            strata, list(self._strata), metric, reference, self.crude.design.confidence
        )

    def _rows(self, metric: Metric, found: Standardised) -> Iterator[Comparison]:
        correction = self.crude.design.correction
        # Of two groups each is the other's rest: that is one comparison, not two.
        twice = len(found.groups) == 2 and self.crude.design.compare_to == "rest"
        adjusted = adjust(found.p_value, "none" if twice else correction)
        for g, group in enumerate(found.groups):
            yield Comparison(
                self.crude.sums.attribute,
                metric.name,
                "adjusted_difference",
                group,
                self.crude.reference_name(metric) or "(rest)",
                defined(found.difference[g]),
                defined(found.low[g]),
                defined(found.high[g]),
                defined(found.p_value[g]),
                defined(adjusted[g]),
                correction,
                variant=self._variant(self.column),
            )

    def _changed_groups(self, metric: Metric, turned: bool) -> list[str]:
        found, contrast = self._found[metric.name], self.crude.to_reference(metric)
        if found is None or contrast is None:
            return []
        crude, groups, _ = contrast
        picked = crude.take(np.array([groups.index(group) for group in found.groups]))
        low, high = picked.difference_interval(self.crude.design.confidence)
        if turned:
            changed = found.reversed(picked.difference, (low, high))
        else:
            changed = ((low > 0) | (high < 0)) & (found.low <= 0) & (found.high >= 0)
        return [group for group, yes in zip(found.groups, changed, strict=True) if yes]
