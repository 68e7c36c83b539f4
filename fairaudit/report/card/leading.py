"""What leads a card: the worst of all groups in one sentence, and how far to believe it.

The form is that of the AI service cards of AWS: the lowest value of any group, over how many
groups and crossings of how many records, on which data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fairaudit.audit import Audit, Estimate
from fairaudit.metrics import METRICS, Metric
from fairaudit.report.card.words import amount, cluster, files, listed, some, spoken
from fairaudit.report.figures import Figures
from fairaudit.report.sheets import level, printable
from fairaudit.stats.standardised import REST
from fairaudit.stats.sums import MISSING

#: Where a search measured the slices that it found.
_MEASURED = {"part": "holdout"}
#: What tells the rows of one setting from those of others.
SETTINGS = {"normalize": "normaliser", "threshold": "threshold", "k": "top", "class": "class"}


def crossed(row: Estimate) -> bool:
    """Whether a group is of a crossing of attributes."""
    return len(row.values) > 1


@dataclass(frozen=True)
class Leading:
    """The headline metric of an audit: whom it can be said of, and what is said.

    Attributes
    ----------
    audit : Audit
    """

    audit: Audit

    @property
    def metric(self) -> Metric:
        """The headline metric."""
        return METRICS[self.audit.settings["metrics"][0]]

    @cached_property
    def variant(self) -> Mapping[str, Any] | None:
        """The main of several settings; a class only where nothing else has the metric."""
        rows = [row for row in self.audit.estimates if row.metric == self.metric.name]
        rows.sort(key=lambda row: "class" in (row.variant or {}))
        return rows[0].variant if rows else None

    @property
    def _rows(self) -> Iterator[Estimate]:
        for row in self.audit.estimates:
            if row.metric == self.metric.name and row.variant == self.variant:
                yield row

    @cached_property
    def overall(self) -> Estimate | None:
        """All records."""
        return next((row for row in self._rows if row.attribute is None), None)

    @cached_property
    def all_groups(self) -> list[Estimate]:
        """Every group; of a search every slice, in the records that it was measured in."""
        if self.audit.kind == "search":
            found = (row for row in self.audit.estimates if row.variant == _MEASURED)
            return [row for row in found if row.group != REST]
        return [row for row in self._rows if row.attribute is not None]

    @cached_property
    def groups(self) -> list[Estimate]:
        """Those that can be the worst: with a value, known, and not under --min-n."""
        known = [row for row in self.all_groups if row.group != MISSING and row.value is not None]
        return [row for row in known if row.records >= self._least]

    @property
    def small(self) -> list[Estimate]:
        """Groups under --min-n."""
        known = (row for row in self.all_groups if row.group != MISSING)
        return [row for row in known if row.records < self._least]

    @property
    def _least(self) -> int:
        return self.audit.settings.get("min_n") or 0

    @cached_property
    def figures(self) -> Figures:
        """How its values are written."""
        everyone = [self.overall] if self.overall else []
        return Figures.of(self.metric.scale, [row.value for row in [*self.groups, *everyone]])

    def worst(self, end: str) -> Estimate:
        """The group with the ``lowest`` or the ``highest`` value; the first of several."""
        choose = min if end == "lowest" else max
        return choose(self.groups, key=lambda row: row.value or 0.0)

    @property
    def ends(self) -> Sequence[str]:
        """Which end is the worse one; both where neither is."""
        ends = {"lower": ("highest",), "higher": ("lowest",), None: ("lowest", "highest")}
        return ends[self.metric.direction]


def leading(audit: Audit) -> list[str]:
    """The sentences that lead, the first of which stands on its own."""
    found = Leading(audit)
    if not found.groups:
        return [_without_groups(found)]
    if len(found.groups) == 1:
        return [_one_group(found), *_overall(found)]
    return [_sentence(found), _picked(found), *_left_out(found), *_overall(found)]


def _sentence(found: Leading) -> str:
    """The house sentence."""
    ends = " and the ".join(found.ends)
    worst = [_value_of(found, end) for end in found.ends]
    verb = "is" if len(worst) == 1 else "are"
    over = f"The {ends} {spoken(found.metric)}{_at(found)} over {_over(found.groups, found.audit)}"
    return f"{over} {verb} {', and '.join(worst)}, on {dataset(found.audit)}."


def _value_of(found: Leading, end: str) -> str:
    row = found.worst(end)
    equal = sum(other.value == row.value for other in found.groups) - 1
    others = f" and as {end.removesuffix('est')} for {some(equal, 'other')}" if equal else ""
    return f"{valued(row, found)}, for {who(row)}{others}"


def valued(row: Estimate, found: Leading, said: bool = True) -> str:
    """A value with its interval, or with why there is none."""
    value = amount(row.value, found.figures)
    if row.ci_low is None or row.ci_high is None:
        alone = f", as all its records are of one {cluster(found.audit)}"
        return f"{value} (no interval{alone if row.clusters == 1 else ''})"
    low, high = (found.figures.value(x) for x in (row.ci_low, row.ci_high))
    return f"{value} ({f'{level(found.audit)[1]} ' if said else ''}{low} to {high})"


def who(row: Estimate) -> str:
    """A group and what it was grouped by; of a slice all its values."""
    return f"{printable(row.group)} ({printable(row.attribute or '')})"


def _over(groups: Sequence[Estimate], audit: Audit) -> str:
    """How many groups and crossings, and how small they are at least."""
    least = min(row.records for row in groups)
    size = f"with at least {some(least, 'record')} each"
    if audit.kind == "search":
        slices = f"the {some(len(groups), 'slice')} that the search found"
        return f"{slices}, {size} in which it was not found,"
    crossings = sum(crossed(row) for row in groups)
    parts = {"group": len(groups) - crossings, "crossing": crossings}
    return f"{listed([some(n, word) for word, n in parts.items() if n])} {size}"


def _picked(found: Leading) -> str:
    """What being picked as the worst does to a value."""
    many = f"{len(found.groups):,}"
    own = "without correction for having been picked"
    if len(found.ends) > 1:
        return (
            f"The ends of {many} tend to lie farther apart in a sample than in truth; "
            f"their intervals are their own, {own}."
        )
    end = found.ends[0]
    return (
        f"The {end} of {many} tends to look {end.removesuffix('est')}er than it is, as chance had "
        f"a part in which one it was; its interval is its own, {own}."
    )


def _left_out(found: Leading) -> Iterator[str]:
    if n := len(found.small):
        is_ = "is" if n == 1 else "are"
        least = found.audit.settings["min_n"]
        yield f"{some(n, 'group')} with fewer than {least:,} records {is_} not among them."


def _overall(found: Leading) -> Iterator[str]:
    if found.overall is not None and found.overall.value is not None:
        yield f"All records together have {valued(found.overall, found, said=False)}."


def _one_group(found: Leading) -> str:
    [row] = found.groups
    return (
        f"The {spoken(found.metric)}{_at(found)} of the only group that has one, {who(row)}, with "
        f"{some(row.records, 'record')}, is {valued(row, found)}, on {dataset(found.audit)}."
    )


def _without_groups(found: Leading) -> str:
    """What all records have."""
    name = f"{spoken(found.metric)}{_at(found)}"
    where = f"on {dataset(found.audit)}"
    row = found.overall
    none = _no_groups(found)
    if row is None or row.value is None:
        return f"The {name} has no value {where}{none}."
    return f"The {name} over all records is {valued(row, found)}, {where}{none}."


def _no_groups(found: Leading) -> str:
    """Why there are no groups."""
    if found.audit.kind == "search":
        return "; the search shows no slice to differ"
    if not found.all_groups:
        return "; nothing was grouped by"
    return "; no group can be compared"


def _at(found: Leading) -> str:
    """Which of several settings it is."""
    named = [f"{SETTINGS[k]} {v}" for k, v in (found.variant or {}).items() if k in SETTINGS]
    return f" ({printable(', '.join(named))})" if named else ""


def dataset(audit: Audit) -> str:
    """The files and how much of them was used."""
    used = [some(audit.records.used, "record")]
    overall = Leading(audit).overall
    if overall is not None and overall.clusters is not None:
        used.append(some(overall.clusters, cluster(audit)))
    return f"{files([data.path for data in audit.data])} ({', '.join(used)})"
