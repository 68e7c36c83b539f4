"""From sums to estimates and comparisons: the same for every audit."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import cached_property
from typing import Any, Protocol, get_args

import numpy as np

from fairaudit import __version__
from fairaudit.arrays import Array
from fairaudit.audit import (
    Audit,
    Comparison,
    Data,
    Estimate,
    Explanation,
    Kind,
    Records,
    signature,
)
from fairaudit.exceptions import FairauditError
from fairaudit.metrics import Metric
from fairaudit.selection import Selection
from fairaudit.sources import File
from fairaudit.stats import power
from fairaudit.stats.comparisons import (
    Contrast,
    Gap,
    between_group_deviation,
    gap,
    pairs,
    percentile_gap,
    versus_rest,
)
from fairaudit.stats.estimates import Estimates, Method, estimate
from fairaudit.stats.multiplicity import Correction, adjust
from fairaudit.stats.resampling import bootstrap_totals
from fairaudit.stats.sums import MISSING, Sums
from fairaudit.stats.variation import deviation_interval

#: Below this many clusters a percentile bootstrap is too narrow (10 clusters: 89 % for 95 %).
FEW_CLUSTERS = 20
#: Below this effective number of weighted records intervals are too narrow (90 % for 95 %).
_FEW_EFFECTIVE = 30
#: Pairs are listed up to this many groups; gaps always consider all pairs.
MOST_LISTED_GROUPS = 30


@dataclass(frozen=True)
class Design:
    """How an audit compares and judges: every setting of the statistics.

    Attributes
    ----------
    compare_to : str
        ``rest``, ``best``, ``largest`` or the name of a group.
    min_n : int
        Groups with fewer records are shown, and left out of comparisons.
    confidence : float
        Level of all intervals.
    interval : {"auto", "t", "bootstrap", "percentile"}
        ``auto`` is Student's t by linearisation, and Wilson for shares of independent records
        (where ``t`` is Student's t as well); ``bootstrap`` takes percentiles of resamples for
        all but the gap, ``percentile`` for the gap as well.
    correction : {"holm", "bh", "none"}
        Adjustment of p-values over the groups of an attribute.
    resamples, seed : int
        Number of resamples and of permutations, and the seed of both.
    """

    compare_to: str = "rest"
    min_n: int = 0
    confidence: float = 0.95
    interval: Method = "auto"
    correction: Correction = "holm"
    resamples: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        _require(0 < self.confidence < 1, "--confidence", self.confidence, "between 0 and 1: 0.95")
        _require(self.min_n >= 0, "--min-n", self.min_n, "0 or more")
        _require(100 <= self.resamples <= 100_000, "--resamples", self.resamples, "100 to 100000")
        _require(self.seed >= 0, "--seed", self.seed, "0 or more")
        for name, value, kind in (
            ("--interval", self.interval, Method),
            ("--correction", self.correction, Correction),
        ):
            _require(value in get_args(kind), name, value, ", ".join(get_args(kind)))

    def settings(self) -> dict[str, Any]:
        """For the signature: what is not as by default, and what always stands there."""
        return {
            "vs": None if self.compare_to == "rest" else self.compare_to,
            "min_n": self.min_n or None,
            "int": self.interval,
            "boot": self.resamples,
            "ci": self.confidence,
            "corr": self.correction,
            "seed": self.seed,
        }

    @property
    def resampled(self) -> bool:
        """Whether intervals come from resamples."""
        return self.interval in ("bootstrap", "percentile")


def _require(condition: bool, option: str, found: object, expected: str) -> None:
    if not condition:
        raise FairauditError(f"{option} {found}: expected {expected}.")


@dataclass(frozen=True)
class Assessment:
    """Estimates and comparisons over the groups of one attribute, metric by metric.

    Attributes
    ----------
    sums : Sums
        Summed counts.
    metrics : sequence of Metric
        The first is the headline, whose pairs are listed.
    design : Design
        The settings.
    values : callable
        Label of a group to the value of each column.
    weighted : bool
        Whether records have weights; then shares of them are not binomial.
    """

    sums: Sums
    metrics: Sequence[Metric]
    design: Design
    values: Callable[[str], Mapping[str, str]]
    weighted: bool = False

    def estimates(self) -> Iterator[Estimate]:
        """Rows for every metric and group."""
        for metric in self.metrics:
            yield from self._estimate_rows(metric)

    def comparisons(self) -> Iterator[Comparison]:
        """Rows for every metric: against the reference, the gap, and all pairs of the first."""
        for metric in self.metrics if self.sums.attribute is not None else ():
            found = self.found[metric.name]
            compared = self.compared(found.value)
            yield from self._reference_rows(metric)
            if np.count_nonzero(compared) >= 2:
                yield from self._gap_rows(metric, compared)

    @property
    def _clustered(self) -> bool:
        return self.sums.clusters is not None

    @cached_property
    def _known(self) -> Array:
        """Groups that are not ``(missing)``, shape (G,), bool."""
        return np.array([group != MISSING for group in self.sums.groups])

    @cached_property
    def _resampled(self) -> Array | None:
        """Resampled totals (B, G, K), where intervals come from them."""
        if not self.design.resampled:
            return None
        return bootstrap_totals(self.sums, self.design.resamples, self.design.seed)

    @cached_property
    def found(self) -> dict[str, Estimates]:
        """Each metric in each group."""
        return {metric.name: self._estimate(metric, self.sums) for metric in self.metrics}

    def _estimate(self, metric: Metric, sums: Sums) -> Estimates:
        return estimate(
            metric,
            sums.columns,
            sums.spread,
            clustered=self._clustered,
            resampled=self._resampled,
            score=self.design.interval == "auto" and not self.weighted,
        )

    def _estimate_rows(self, metric: Metric) -> Iterator[Estimate]:
        found = self.found[metric.name]
        low, high = found.interval(self.design.confidence)
        n = metric.n(self.sums.columns, self.sums.spread.totals)
        read = [(name, self.sums.columns.index(name)) for name in metric.reads(self.sums.columns)]
        for g, group in enumerate(self.sums.groups):
            counts = self.sums.spread.totals[g]
            yield Estimate(
                attribute=self.sums.attribute,
                group=group,
                values=self.values(group),
                metric=metric.name,
                value=defined(found.value[g]),
                ci_low=defined(low[g]),
                ci_high=defined(high[g]),
                n=float(n[g]),
                records=int(self.sums.records[g]),
                clusters=int(found.units[g]) if self._clustered else None,
                counts={name: float(counts[k]) for name, k in read},
                variant=self.sums.variant,
            )

    def compared(self, value: Array) -> Array:
        """Groups that take part in comparisons, shape (G,), bool."""
        enough = (self.sums.records >= self.design.min_n) & (self.sums.spread.units >= 2)
        return self._known & enough & np.isfinite(value)

    def to_reference(self, metric: Metric) -> tuple[Contrast, list[str], str] | None:
        """Contrast with the reference; the groups contrasted, and the reference's label."""
        found = self.found[metric.name]
        groups, label = np.flatnonzero(self.compared(found.value)), self.design.compare_to
        if not len(groups):
            return None
        if label == "rest":
            known = np.flatnonzero(self._known)
            if len(known) < 2:
                return None
            resampled = None if self._resampled is None else self._resampled[:, known]
            contrast = versus_rest(self.sums.select(self._known), found.take(known), resampled)
            return contrast.take(np.searchsorted(known, groups)), self._names(groups), "(rest)"
        reference = self._reference_group(found, groups)
        if reference is None:
            return None
        groups = groups[groups != reference]
        contrast = pairs(self.sums, found, groups, np.full(len(groups), reference))
        name = f"({label})" if label in ("best", "largest") else label
        return contrast, self._names(groups), name

    def _reference_group(self, found: Estimates, groups: Array) -> int | None:
        """Index of the group that the others are compared to."""
        label = self.design.compare_to
        if label == "largest":
            return int(groups[np.argmax(self.sums.records[groups])])
        if label == "best":
            # Where neither is better, as of selection rates, the highest is what others want.
            sign = 1 if found.metric.direction == "lower" else -1
            return int(groups[np.argmin(sign * found.value[groups])])
        return self.sums.groups.index(label) if label in self.sums.groups else None

    def reference_name(self, metric: Metric) -> str | None:
        """The group that the others are compared to; None where it is all the rest."""
        found = self.found[metric.name]
        groups = np.flatnonzero(self.compared(found.value))
        if self.design.compare_to == "rest" or not len(groups):
            return None
        reference = self._reference_group(found, groups)
        return None if reference is None else self.sums.groups[reference]

    def _names(self, groups: Array) -> list[str]:
        return [self.sums.groups[g] for g in groups]

    def _reference_rows(self, metric: Metric) -> Iterator[Comparison]:
        """Differences to the reference with adjusted p-values, and ratios."""
        reference = self.to_reference(metric)
        if reference is None or not len(reference[1]):
            return
        contrast, names, against = reference
        yield from self._difference_rows("difference", contrast, names, [against] * len(names))
        low, high = contrast.ratio_interval(self.design.confidence)
        for i, name in enumerate(names):
            yield Comparison(
                self.sums.attribute,
                metric.name,
                "ratio",
                name,
                against,
                defined(contrast.ratio[i]),
                defined(low[i]),
                defined(high[i]),
                variant=self.sums.variant,
            )

    def _difference_rows(
        self, kind: Kind, contrast: Contrast, groups: Sequence[str], against: Sequence[str]
    ) -> Iterator[Comparison]:
        low, high = contrast.difference_interval(self.design.confidence)
        # Of two groups each is the other's rest: that is one comparison, not two.
        twice = against[:1] == ["(rest)"] and len(groups) == np.count_nonzero(self._known) == 2
        adjusted = adjust(contrast.p_value, "none" if twice else self.design.correction)
        planning = self._planning(contrast)
        for i, (group, other) in enumerate(zip(groups, against, strict=True)):
            yield Comparison(
                self.sums.attribute,
                contrast.a.metric.name,
                kind,
                group,
                other,
                defined(contrast.difference[i]),
                defined(low[i]),
                defined(high[i]),
                defined(contrast.p_value[i]),
                defined(adjusted[i]),
                self.design.correction,
                variant=self.sums.variant,
                **planning[i],
            )

    def _planning(self, contrast: Contrast, comparisons: int = 1) -> list[dict[str, Any]]:
        """What each pair could have shown, and how much more data it would need."""
        plan = contrast.plan(self.design.confidence, comparisons)
        growth = power.growth_needed(plan)
        units = np.ceil((growth - 1) * contrast.units)
        per_unit = (contrast.a.records + contrast.b.records) / contrast.units
        return [
            {
                "minimum_detectable": defined(detectable),
                "further_records": _whole(clusters * records),
                "further_clusters": _whole(clusters) if self._clustered else None,
            }
            for detectable, clusters, records in zip(
                power.minimum_detectable(plan), units, per_unit, strict=True
            )
        ]

    def _gap_rows(self, metric: Metric, compared: Array) -> Iterator[Comparison]:
        """The gap, its ratio, homogeneity, and for the first metric all pairs."""
        sums = self.sums.select(compared)
        found = self.found[metric.name].take(np.flatnonzero(compared))
        design = self.design
        widest = gap(sums, found, design.confidence, design.resamples, design.seed)
        worst_pair = pairs(sums, found, np.array([widest.worst]), np.array([widest.best]))
        many = len(sums.groups) * (len(sums.groups) - 1) // 2
        planning = self._planning(worst_pair, comparisons=many)[0]
        yield from self._gap_row(metric, sums, found, widest, planning)
        low, high = deviation_interval(
            sums, found, design.confidence, design.resamples, design.seed
        )
        yield Comparison(
            sums.attribute,
            metric.name,
            "heterogeneity",
            value=between_group_deviation(sums, found),
            ci_low=defined(low),
            ci_high=defined(high),
            p_value=widest.p_value,
            name="between_group_deviation",
            variant=sums.variant,
        )
        if metric is self.metrics[0] and len(sums.groups) <= MOST_LISTED_GROUPS:
            first, second = np.triu_indices(len(sums.groups), 1)
            names = np.array(sums.groups, dtype=object)
            contrast = pairs(sums, found, first, second)
            yield from self._difference_rows(
                "pair", contrast, list(names[first]), list(names[second])
            )

    def _gap_row(
        self, metric: Metric, sums: Sums, found: Estimates, widest: Gap, planning: dict[str, Any]
    ) -> Iterator[Comparison]:
        low, high = widest.low, widest.high
        if self.design.interval == "percentile":
            low, high = percentile_gap(found, self.design.confidence)
        ends = (sums.groups[widest.worst], sums.groups[widest.best])
        yield Comparison(
            sums.attribute,
            metric.name,
            "gap",
            *ends,
            widest.value,
            defined(low),
            defined(high),
            widest.p_value,
            chance=widest.chance,
            name=metric.parity and f"{metric.parity}_difference",
            variant=sums.variant,
            **planning,
        )
        yield Comparison(
            sums.attribute,
            metric.name,
            "gap_ratio",
            *ends,
            defined(widest.ratio),
            defined(widest.ratio_low),
            defined(widest.ratio_high),
            name=metric.parity and f"{metric.parity}_ratio",
            variant=sums.variant,
        )

    def notes(self) -> Iterator[str]:
        """What a reader must know about the groups of this attribute."""
        if self.sums.attribute is None:
            return
        headline = self.found[self.metrics[0].name]
        name = self.sums.attribute
        small = self._known & (self.sums.records < self.design.min_n)
        single = self._known & (self.sums.spread.units < 2)
        few = self._known & (self.sums.spread.units < FEW_CLUSTERS)
        unit = "cluster" if self._clustered else "record"
        for groups, says in (
            (~self._known, "records without a value are a group of their own, outside comparisons"),
            (small, f"fewer than {self.design.min_n} records (--min-n), outside comparisons"),
            (single, f"one {unit} only, so no interval, outside comparisons"),
            (self._known & np.isnan(headline.value), "nothing to divide by, so no value"),
            (
                self._known & headline.uniform & ~single,
                f"no variance between {unit}s; the interval is that of an effective n",
            ),
            (
                self._known & self.weighted & (headline.units < _FEW_EFFECTIVE) & ~single,
                f"by their weights worth fewer than {_FEW_EFFECTIVE} equal records; intervals are "
                "too narrow",
            ),
            (
                few & self.design.resampled,
                f"fewer than {FEW_CLUSTERS} {unit}s; percentile intervals are too narrow. "
                "Use --interval t",
            ),
        ):
            if groups.any():
                yield f"{name}: {_shortened(self._names(np.flatnonzero(groups)))}: {says}."
        reference = self.design.compare_to
        if reference not in ("rest", "best", "largest", *self.sums.groups):
            yield f"{name}: no group '{reference}', so its groups are compared with none."
        if self.design.interval == "percentile":
            yield (
                f"{name}: the percentile interval of a gap is biased upward and does not cover 0 "
                "when groups are equal; it is for reproducing papers."
            )


def _shortened(names: Sequence[str]) -> str:
    """Names, the first ten of them where they are many."""
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more


def _whole(value: float) -> int | None:
    return math.ceil(value) if np.isfinite(value) else None


def defined(value: float) -> float | None:
    """The value, None where it is nan or infinite."""
    return float(value) if np.isfinite(value) else None


class Part(Protocol):
    """What adds rows to an audit."""

    def estimates(self) -> Iterable[Estimate]:
        """Rows of estimates."""

    def comparisons(self) -> Iterable[Comparison]:
        """Rows of comparisons."""

    def notes(self) -> Iterable[str]:
        """What a reader must know."""


#: Sums over all records, and per attribute.
Grouped = tuple[Sums, list[Sums]]


def assessments(
    grouped: Grouped,
    selection: Selection,
    metrics: Sequence[Metric],
    design: Design,
    weighted: bool = False,
) -> list[Assessment]:
    """Assess sums over all records and per attribute of `selection`.

    Raises
    ------
    FairauditError
        If an attribute has no groups, or the reference is no group.
    """
    overall, each = grouped
    _check_groups(each, design)
    whole = overall.with_cluster_means(metrics)
    parts = [Assessment(whole, metrics, design, lambda group: {}, weighted)]
    for attribute, sums in zip(selection.attributes, each, strict=True):
        with_means = sums.with_cluster_means(metrics)
        parts.append(Assessment(with_means, metrics, design, attribute.values, weighted))
    return parts


def conclude(
    kind: str,
    *,
    selection: Selection,
    files: Sequence[File],
    records: Records,
    parts: Sequence[Part],
    metrics: Sequence[Metric],
    design: Design,
    settings: Mapping[str, Any],
    notes: Sequence[str],
    explanations: Sequence[Explanation] = (),
) -> Audit:
    """Make the audit from its parts.

    Parameters
    ----------
    kind : str
        The audited task.
    selection : Selection
        What the records were grouped by.
    files : sequence of File
        Where they came from.
    records : Records
        What became of them.
    parts : sequence of Part
        What was found; the sums of each `Assessment` go into the audit.
    metrics : sequence of Metric
        What is reported; the first is the headline.
    design : Design
        How it is compared.
    settings : mapping
        The task's own settings, None where as by default.
    notes : sequence of str
        The task's own notes.
    explanations : sequence of Explanation
        What explains the numbers.
    """
    used = {
        **selection.settings(), **settings, **design.settings(),
        "n": records.used, "data": _digest(files), "v": __version__,
    }  # fmt: skip
    sums = [part.sums for part in parts if isinstance(part, Assessment)]
    said = [note for part in parts for note in part.notes()]
    return Audit(
        kind,
        _now(),
        __version__,
        signature(kind, used),
        tuple(Data(file.name, file.sha256) for file in files),
        records,
        {**used, "metrics": [metric.name for metric in metrics]},
        tuple(row for part in parts for row in part.estimates()),
        tuple(row for part in parts for row in part.comparisons()),
        tuple(map(_anonymous, sums)),
        (*notes, *_lost(sums, selection), *dict.fromkeys(said)),
        explanations=tuple(explanations),
    )


def _lost(sums: Sequence[Sums], selection: Selection) -> Iterator[str]:
    """What a reader must know of records whose cluster is not known."""
    overall = sums[0] if sums else None
    if overall is not None and overall.clusters is not None and MISSING in overall.clusters:
        cell = overall.cluster == overall.clusters.index(MISSING)
        n = int(overall.matrix[cell, overall.columns.index("records")].sum())
        yield f"{n} records without a {selection.cluster} are taken to be of one and the same."


def _check_groups(sums: Sequence[Sums], design: Design) -> None:
    """Require that each attribute has groups, and that the reference is one."""
    for each in sums:
        if each.groups == (MISSING,):
            raise FairauditError(
                f"--by {each.attribute}: {each.attribute} has no value in any record. "
                "Check the column; --na says which values mean missing."
            )
    named = design.compare_to not in ("rest", "best", "largest")
    groups = sorted({group for each in sums for group in each.groups})
    if named and design.compare_to not in groups:
        raise FairauditError(
            f"--compare-to {design.compare_to}: expected rest, best, largest or a group. "
            f"Groups: {', '.join(groups)}."
        )


def _anonymous(sums: Sums) -> Sums:
    """Hash the keys of clusters: speakers stay unnamed, and audits can still be paired."""
    if sums.clusters is None:
        return sums
    keys = (hashlib.sha256(key.encode()).hexdigest()[:16] for key in sums.clusters)
    return replace(sums, clusters=tuple(keys))


def _digest(files: Sequence[File]) -> str:
    """Short digest of all files, in their order."""
    return hashlib.sha256("".join(file.sha256 for file in files).encode()).hexdigest()[:12]


def _now() -> str:
    """Now, or the time that reproducible builds set (SOURCE_DATE_EPOCH)."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is not None and not (epoch.isdigit() and len(epoch) < 12):
        raise FairauditError(f"SOURCE_DATE_EPOCH is '{epoch}'; expected seconds since 1970.")
    now = (
        datetime.now(timezone.utc)
        if epoch is None
        else datetime.fromtimestamp(int(epoch), timezone.utc)
    )
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")
