"""Groups compared at equal covariates: by regression, and by matching.

A group's speakers may talk longer, be older or hold worse telephones than others. What is left
of a gap at equal duration, age and telephone is another question than the gap itself, and both
are reported side by side.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.assess import Design, defined
from fairaudit.audit import Comparison, Estimate, Explanation
from fairaudit.audits.speech.alignment import COLUMNS
from fairaudit.audits.speech.reading import Reading
from fairaudit.exceptions import FairauditError
from fairaudit.groups import Attribute, Codes, Grouping
from fairaudit.metrics import METRICS, Counts, errors, reference_words
from fairaudit.stats.comparisons import pairs
from fairaudit.stats.estimates import Estimates, estimate
from fairaudit.stats.matching import balance, match, propensity
from fairaudit.stats.regression import adjusted_ratios, indicators, spline
from fairaudit.stats.sums import MISSING, Accumulator, Sums
from fairaudit.table import Batch

#: Farthest match, in standard deviations of the propensity's logit (Austin, Pharmaceutical
#: Statistics 10, 2011).
CALIPER = 0.2
#: A numeric covariate that is positive and spans more than this factor enters as its logarithm.
_SKEWED = 10.0


@dataclass(frozen=True)
class Adjustment:
    """What to adjust and to match for.

    Attributes
    ----------
    blocks : tuple of tuple of str
        Covariates that enter the regression together, block after block.
    matched : tuple of str
        Covariates to match on.
    caliper : float
        Largest distance of a pair, in standard deviations of the propensity's logit.
    """

    blocks: tuple[tuple[str, ...], ...] = ()
    matched: tuple[str, ...] = ()
    caliper: float = CALIPER

    @classmethod
    def parse(cls, adjust: str | None, matched: str | None, caliper: float) -> Adjustment:
        """Read ``duration,age+gender``: covariates joined by a plus enter together.

        Raises
        ------
        FairauditError
            If one is empty or stands twice.

        Examples
        --------
        >>> Adjustment.parse("duration,age+gender", None, 0.2).blocks
        (('duration',), ('age', 'gender'))
        """
        blocks = tuple(tuple(b.split("+")) for b in adjust.split(",")) if adjust else ()
        several = tuple(matched.split(",")) if matched else ()
        for option, names in (("--adjust", [n for b in blocks for n in b]), ("--match", several)):
            if not all(names) or len(set(names)) < len(names):
                raise FairauditError(
                    f"{option}: expected different columns joined by commas: duration,gender"
                )
        if not 0 < caliper < math.inf:
            raise FairauditError(f"--caliper {caliper}: expected a positive number: {CALIPER}")
        return cls(blocks, several, caliper)

    @property
    def columns(self) -> list[str]:
        """All covariates, each once."""
        return list(dict.fromkeys([*(n for block in self.blocks for n in block), *self.matched]))

    def without(self, columns: Sequence[str]) -> Adjustment:
        """Leave out what an attribute is made of: nobody varies in it within a group."""
        blocks = [tuple(n for n in block if n not in columns) for block in self.blocks]
        matched = tuple(n for n in self.matched if n not in columns)
        return replace(self, blocks=tuple(block for block in blocks if block), matched=matched)

    def check(self, attributes: Sequence[Attribute], others: Sequence[str]) -> None:
        """Require groups to compare, and covariates that are no ids, speakers or texts.

        Raises
        ------
        FairauditError
            If a covariate can tell nothing.
        """
        if not self.columns:
            return
        if not attributes:
            raise FairauditError("--adjust and --match compare groups: --by says which.")
        for name in self.columns:
            if name in others:
                raise FairauditError(
                    f"{name} is the id, the cluster or a text, no covariate to adjust or match for."
                )
            if all(name in attribute.columns for attribute in attributes):
                raise FairauditError(
                    f"{name} is what --by groups by: it cannot be adjusted or matched for as well."
                )

    def settings(self) -> dict[str, Any]:
        """For the signature."""
        return {
            "adjust": ",".join("+".join(block) for block in self.blocks) or None,
            "match": ",".join(self.matched) or None,
            "caliper": self.caliper if self.matched else None,
        }


class Covariates:
    """Keeps of every record its counts, groups and covariates, and compares at the end."""

    def __init__(
        self, grouping: Grouping, adjustment: Adjustment, design: Design, na: Sequence[str]
    ) -> None:
        self._grouping, self._adjustment, self._design = grouping, adjustment, design
        self._na = frozenset(na)
        self._counts: list[Array] = []
        self._codes: list[Codes] = []
        self._cells: dict[str, list[str | None]] = {name: [] for name in adjustment.columns}
        self._keys: list[Array] = []

    @property
    def labels(self) -> list[str]:
        """The covariates."""
        return self._adjustment.columns

    def see(self, batch: Batch, readings: Sequence[Reading], codes: Codes) -> None:
        """Remember a batch under the main normaliser."""
        self._counts.append(readings[0].counts[:, : len(COLUMNS)].astype(np.float32))
        self._codes.append(codes)
        for name, cells in self._cells.items():
            cells += [None if cell in self._na else cell for cell in batch.labels[name]]
        if batch.ids is not None:
            self._keys.append(batch.ids)

    def explanations(self) -> Iterator[Explanation]:
        """None: what is found are comparisons."""
        return iter(())

    def parts(self, variant: Mapping[str, Any] | None) -> Iterator[Adjusted | Matched]:
        """What is to be reported for each attribute."""
        whole = self._sample()
        for a, attribute in enumerate(self._grouping.attributes):
            names, of_code = np.unique(
                np.array(self._grouping.group_names(a), dtype=object), return_inverse=True
            )
            group = of_code[np.concatenate([codes.groups[a] for codes in self._codes])]
            sample = whole.of(attribute.name, tuple(names), group, attribute.columns, variant)
            sample = replace(sample, least=self._design.min_n)
            own = self._adjustment.without(attribute.columns)
            if own.blocks:
                yield Adjusted(sample, own.blocks, self._design)
            if own.matched:
                yield Matched(sample, own, self._design)

    def _sample(self) -> Sample:
        """All records, complete or not, as one group."""
        counts = np.concatenate(self._counts).astype(float)
        clusters = self._grouping.cluster_names
        cluster = None
        if clusters is not None:
            code = np.concatenate([c.cluster for c in self._codes if c.cluster is not None])
            cluster = np.unique(np.array(clusters, dtype=object), return_inverse=True)[1][code]
        columns = {name: _column(name, cells) for name, cells in self._cells.items()}
        keys = np.concatenate(self._keys) if self._keys else np.arange(len(counts))
        none = np.zeros(len(counts), dtype=np.int64)
        return Sample("", ("",), counts, none, cluster, columns, keys, None)


@dataclass(frozen=True)
class Covariate:
    """A covariate's values: numbers, or codes of levels.

    Attributes
    ----------
    values : array, shape (n,)
        nan where missing.
    levels : tuple of str, optional
        Names of the codes; None for numbers.
    logarithm : bool
        Whether the numbers are logarithms of what stands in the data.
    """

    values: Array
    levels: tuple[str, ...] | None = None
    logarithm: bool = False

    def design(self, keep: Array) -> Array:
        """Columns for a regression over the records at `keep`, shape (m, d)."""
        values = self.values[keep]
        return spline(values) if self.levels is None else indicators(values.astype(np.int64))

    def balanced(self, name: str, keep: Array) -> dict[str, Array]:
        """What a table of balance shows: the number, or the share of each level."""
        values = self.values[keep]
        if self.levels is None:
            return {f"log {name}" if self.logarithm else name: values}
        return {
            f"{name}={level}": (values == code).astype(float)
            for code, level in enumerate(self.levels)
        }


#: Levels that a covariate of text may have; more are ids, or numbers that were not read.
_MOST_LEVELS = 50
#: Share of cells from which on a column is one of numbers, and other cells are mistakes.
_MOSTLY = 0.5


def _column(name: str, cells: Sequence[str | None]) -> Covariate:
    """Take cells for numbers if they are, for levels if not.

    Raises
    ------
    FairauditError
        If some are numbers and some are not, or there are too many levels.

    Examples
    --------
    >>> _column("sex", ["f", None, "m"]).levels
    ('f', 'm')
    """
    numbers = [_number(cell) for cell in cells]
    odd = [cell for cell, x in zip(cells, numbers, strict=True) if cell is not None and x is None]
    present = sum(cell is not None for cell in cells)
    if odd:
        if len(odd) <= _MOSTLY * present:
            raise FairauditError(
                f"{name} is '{odd[0]}'; expected a number, as most of its values are. "
                f"Use --na '{odd[0]}' to treat it as missing (--na replaces NA and the others)."
            )
        return _levels(name, cells)
    values = np.array([math.nan if x is None else x for x in numbers])
    values[~np.isfinite(values)] = math.nan
    known = values[np.isfinite(values)]
    if len(known) and known.min() > 0 and known.max() > _SKEWED * known.min():
        return Covariate(np.log(values), logarithm=True)
    return Covariate(values)


def _number(cell: str | None) -> float | None:
    try:
        return None if cell is None or "_" in cell else float(cell)
    except ValueError:
        return None


def _levels(name: str, cells: Sequence[str | None]) -> Covariate:
    levels = sorted({cell for cell in cells if cell is not None})
    if len(levels) > _MOST_LEVELS:
        raise FairauditError(
            f"{name} has {len(levels)} different texts; a covariate may have {_MOST_LEVELS}. "
            "Is it a column of ids or of texts?"
        )
    code = {level: i for i, level in enumerate(levels)}
    values = [math.nan if cell is None else code[cell] for cell in cells]
    return Covariate(np.array(values, dtype=float), tuple(levels))


@dataclass(frozen=True)
class Sample:
    """Records with their counts, group, cluster and covariates.

    Attributes
    ----------
    attribute : str
        What `group` is a value of.
    names : tuple of str
        G names of groups, sorted.
    counts : array, shape (n, K)
        In the order of `COLUMNS`.
    group : array of int, shape (n,)
    cluster : array of int, shape (n,), or None
    covariates : mapping of name to Covariate
    keys : array of uint64, shape (n,)
        Digests of the ids, to settle ties by.
    variant : mapping or None
        Under which normaliser the counts are, where there are several.
    least : int
        Records that a group must have to be compared.
    """

    attribute: str
    names: tuple[str, ...]
    counts: Array
    group: Array
    cluster: Array | None
    covariates: Mapping[str, Covariate]
    keys: Array
    variant: Mapping[str, Any] | None
    least: int = 0

    def of(
        self,
        attribute: str,
        names: tuple[str, ...],
        group: Array,
        columns: Sequence[str],
        variant: Mapping[str, Any] | None,
    ) -> Sample:
        """The same records by an attribute, whose own columns are no covariates."""
        others = {k: v for k, v in self.covariates.items() if k not in columns}
        return replace(
            self, attribute=attribute, names=names, group=group, covariates=others, variant=variant
        )

    @cached_property
    def compared(self) -> Array:
        """Groups that have a name and records enough, shape (G,), bool."""
        named = np.array([name != MISSING for name in self.names])
        return named & (np.bincount(self.group, minlength=len(self.names)) >= self.least)

    def reference(self, compare_to: str) -> tuple[int | None, str] | None:
        """Code and name of the group that others are compared to, None for the rest.

        Chosen among all records, as that of the audit itself; None altogether where no group of
        this attribute is called so.
        """
        if compare_to == "rest":
            return None, "(rest)"
        size, counts = len(self.names), Counts(COLUMNS, self.counts)
        if compare_to not in ("best", "largest"):
            return (self.names.index(compare_to), compare_to) if compare_to in self.names else None
        units = np.arange(len(self.group)) if self.cluster is None else self.cluster
        pairs_of = np.unique(np.column_stack([self.group, units]), axis=0)
        usable = self.compared & (np.bincount(pairs_of[:, 0], minlength=size) > 1)
        words = np.bincount(self.group, reference_words(counts), size)
        usable &= words > 0
        if not usable.any():
            return None
        wrong = np.bincount(self.group, errors(counts), size)
        rate = np.where(usable, wrong / np.maximum(words, 1), np.inf)
        records = np.where(usable, np.bincount(self.group, minlength=size), -1)
        best = rate.argmin() if compare_to == "best" else records.argmax()
        return int(best), f"({compare_to})"

    def complete(self, columns: Sequence[str]) -> Array:
        """Records with a group and all these covariates, shape (n,), bool."""
        known = self.compared[self.group]
        for name in columns:
            if name in self.covariates:
                known &= np.isfinite(self.covariates[name].values)
        return known

    def design(self, columns: Sequence[str], keep: Array) -> Array:
        """Columns of the covariates for the records at `keep`, shape (m, p)."""
        used = [self.covariates[name].design(keep) for name in columns if name in self.covariates]
        return np.hstack([np.empty((np.count_nonzero(keep), 0)), *used])

    def left_out(self, columns: Sequence[str]) -> int:
        """How many records have a group and lack a covariate."""
        return int(np.count_nonzero(self.complete(()) & ~self.complete(columns)))


@dataclass(frozen=True)
class Adjusted:
    """Ratios of WER between groups as blocks of covariates enter a regression.

    Attributes
    ----------
    sample : Sample
        The records.
    blocks : sequence of sequence of str
        Covariates that enter together.
    design : Design
        Reference and level.
    """

    sample: Sample
    blocks: Sequence[Sequence[str]]
    design: Design

    def estimates(self) -> Iterator[Estimate]:
        """None: a ratio is a comparison."""
        return iter(())

    def comparisons(self) -> Sequence[Comparison]:
        """Every group's ratio without covariates, then with one block more each time."""
        return self._comparisons

    @cached_property
    def _comparisons(self) -> list[Comparison]:
        keep = self.sample.complete(self._every)
        found = self.sample.reference(self.design.compare_to)
        if found is None or not keep.any():
            return []
        reference, against = found
        steps = [
            [name for block in self.blocks[:count] for name in block]
            for count in range(len(self.blocks) + 1)
        ]
        return [row for step in steps for row in self._rows(keep, step, reference, against)]

    @property
    def _every(self) -> list[str]:
        return [name for block in self.blocks for name in block]

    def _rows(
        self, keep: Array, entered: Sequence[str], reference: int | None, against: str
    ) -> Iterator[Comparison]:
        sample = self.sample
        counts = Counts(COLUMNS, sample.counts[keep])
        present, code = np.unique(sample.group[keep], return_inverse=True)
        if reference is not None and reference not in present:
            return
        found = adjusted_ratios(
            errors(counts),
            reference_words(counts),
            code,
            sample.design(entered, keep),
            None if sample.cluster is None else sample.cluster[keep],
            None if reference is None else int(np.searchsorted(present, reference)),
            self.design.confidence,
        )
        for i, g in enumerate(present):
            if g != reference:
                yield Comparison(
                    sample.attribute,
                    "wer",
                    "adjusted_ratio",
                    sample.names[g],
                    against,
                    defined(found.ratio[i]),
                    defined(found.low[i]),
                    defined(found.high[i]),
                    variant={**(sample.variant or {}), "adjust": ",".join(entered)},
                )

    def notes(self) -> Iterator[str]:
        """Records without a covariate, and groups that cannot be told from one."""
        if left_out := self.sample.left_out(self._every):
            yield (
                f"{self.sample.attribute}: {left_out} records without a value of "
                f"{', '.join(self._every)} are left out of adjusted ratios."
            )
        undefined = [str(row.group) for row in self._comparisons if row.value is None]
        if undefined:
            yield (
                f"{self.sample.attribute}: {', '.join(dict.fromkeys(undefined))}: cannot be told "
                "apart from the covariates, so no adjusted ratio."
            )


@dataclass(frozen=True)
class Matched:
    """Each group beside its nearest neighbours among the others.

    As Koenecke et al. (PNAS 117(14), 2020): utterances are matched one to one by the propensity
    of belonging to the group, given the covariates; but what is compared are pooled rates, with
    intervals over speakers.

    Attributes
    ----------
    sample : Sample
        The records.
    adjustment : Adjustment
        Covariates and caliper.
    design : Design
        Reference and level.
    """

    sample: Sample
    adjustment: Adjustment
    design: Design

    def estimates(self) -> Iterator[Estimate]:
        """WER on either side of each matching."""
        for found in self._found:
            yield from found.estimates()

    def comparisons(self) -> Iterator[Comparison]:
        """Difference and ratio in the matched records, and balance before and after."""
        for found in self._found:
            yield from found.comparisons()

    def notes(self) -> Iterator[str]:
        """How much was matched."""
        columns, attribute = self.adjustment.matched, self.sample.attribute
        if left_out := self.sample.left_out(columns):
            yield (
                f"{attribute}: {left_out} records without a value of {', '.join(columns)} are left "
                "out of matching."
            )
        for found in self._found:
            if note := found.note():
                yield note

    @cached_property
    def _found(self) -> list[_Matching]:
        keep = self.sample.complete(self.adjustment.matched)
        reference = self.sample.reference(self.design.compare_to)
        if reference is None:
            return []
        found = [
            self._match(g, keep, *reference)
            for g in np.flatnonzero(self.sample.compared).tolist()
            if g != reference[0]
        ]
        return [matching for matching in found if matching is not None]

    def _match(self, g: int, keep: Array, reference: int | None, against: str) -> _Matching | None:
        """Match the records of one group with those of the reference; None where there are none."""
        sample, columns = self.sample, self.adjustment.matched
        if reference is not None:
            keep = keep & np.isin(sample.group, [g, reference])
        treated = sample.group[keep] == g
        if treated.all() or not treated.any():
            return None
        design = sample.design(columns, keep)
        scores = _alike_first(propensity(treated, design), design)
        found = match(scores, treated, sample.keys[keep], self.adjustment.caliper)
        shown: dict[str, Array] = {}
        for name in columns:
            if name in sample.covariates:
                shown |= sample.covariates[name].balanced(name, keep)
        smd = balance(np.column_stack(list(shown.values())), treated, found)
        smd_of = dict(zip(shown, zip(*smd, strict=True), strict=True))
        rows = np.flatnonzero(keep)[found]
        return _Matching(self, g, against, rows, int(np.count_nonzero(treated)), smd_of)


def _alike_first(scores: Array, design: Array) -> Array:
    """Move scores apart by less than a billionth, so that of equal ones the like are nearest.

    Where groups have the same shares of everything all propensities are equal, and any two
    records would do.
    """
    _, row = np.unique(design, axis=0, return_inverse=True)
    width = np.std(scores) or 1.0
    return np.asarray(scores + 1e-9 * width * row.ravel() / (row.max(initial=0) + 1))


@dataclass(frozen=True)
class _Matching:
    """One group's matching: pairs of records (m, 2), and the balance of each covariate."""

    whole: Matched
    g: int
    against: str
    pairs: Array
    treated: int
    balance: Mapping[str, tuple[float, float]]

    @property
    def group(self) -> str:
        """Name of the group."""
        return self.whole.sample.names[self.g]

    @property
    def _variant(self) -> dict[str, Any]:
        sample, columns = self.whole.sample, self.whole.adjustment.matched
        return {**(sample.variant or {}), "match": ",".join(columns)}

    @cached_property
    def _sums(self) -> Sums:
        """Counts of the matched records: the group's, and its neighbours'."""
        sample = self.whole.sample
        rows, n = self.pairs.T.ravel(), len(self.pairs)
        cluster = None if sample.cluster is None else sample.cluster[rows]
        total = Accumulator(COLUMNS, clustered=cluster is not None)
        total.add(np.repeat([0, 1], n), cluster, sample.counts[rows])
        last = 0 if cluster is None else int(cluster.max(initial=0)) + 1
        names = None if cluster is None else [f"{c:09d}" for c in range(last)]
        return total.result(sample.attribute, ["0", "1"], names)

    @cached_property
    def _estimates(self) -> Estimates:
        sums = self._sums
        clustered = sums.clusters is not None
        return estimate(METRICS["wer"], sums.columns, sums.spread, clustered=clustered)

    def estimates(self) -> Iterator[Estimate]:
        """WER of the group's matched records, and of their neighbours."""
        if not len(self.pairs):
            return
        found, sums = self._estimates, self._sums
        low, high = found.interval(self.whole.design.confidence)
        for side, about in enumerate((self.group, self.against)):
            yield Estimate(
                sums.attribute,
                self.group,
                {},
                "wer",
                defined(found.value[side]),
                defined(low[side]),
                defined(high[side]),
                float(found.n[side]),
                len(self.pairs),
                int(found.units[side]) if sums.clusters is not None else None,
                dict(zip(COLUMNS, sums.spread.totals[side].tolist(), strict=True)),
                {**self._variant, "side": about},
            )

    def comparisons(self) -> Iterator[Comparison]:
        """Difference and ratio, and the balance of the covariates."""
        if len(self.pairs):
            yield from self._differences()
        for name, values in self.balance.items():
            for matched, value in zip((False, True), values, strict=True):
                yield Comparison(
                    self.whole.sample.attribute,
                    "standardized_mean_difference",
                    "balance",
                    self.group,
                    self.against,
                    defined(value),
                    name=name,
                    variant={**self._variant, "matched": matched},
                )

    def _differences(self) -> Iterator[Comparison]:
        contrast = pairs(self._sums, self._estimates, np.array([0]), np.array([1]))
        level = self.whole.design.confidence
        about = (self.whole.sample.attribute, "wer")
        ends = (self.group, self.against)
        low, high = contrast.difference_interval(level)
        yield Comparison(
            *about,
            "matched_difference",
            *ends,
            defined(contrast.difference[0]),
            defined(low[0]),
            defined(high[0]),
            defined(contrast.p_value[0]),
            variant=self._variant,
        )
        low, high = contrast.ratio_interval(level)
        yield Comparison(
            *about,
            "matched_ratio",
            *ends,
            defined(contrast.ratio[0]),
            defined(low[0]),
            defined(high[0]),
            variant=self._variant,
        )

    def note(self) -> str | None:
        """How many records found no neighbour."""
        if len(self.pairs) == self.treated:
            return None
        return (
            f"{self.whole.sample.attribute}: {self.group}: {len(self.pairs)} of {self.treated} "
            f"records found a neighbour within {self.whole.adjustment.caliper} standard deviations."
        )
