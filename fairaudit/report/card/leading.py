"""What leads a card: the worst of all groups in one sentence, and how far to believe it.

The form is that of the AI service cards of AWS: the lowest value of any group, over how many
groups and crossings of how many records, on which data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fairaudit.audit import Audit, Comparison, Estimate
from fairaudit.metrics import METRICS, Metric
from fairaudit.report.card.kinds import kind
from fairaudit.report.card.words import amount, cluster, counted, files, listed, some, spoken
from fairaudit.report.figures import PERCENT, Figures, p_text
from fairaudit.report.sheets import level, printable, reference
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
    partly : bool
        Whether groups were left out of it, as they may not be shown.
    """

    audit: Audit
    partly: bool = False

    @property
    def metric(self) -> Metric:
        """The headline metric."""
        return METRICS[self.audit.settings["metrics"][0]]

    @property
    def called(self) -> str:
        """The headline metric's name in a sentence."""
        return kind(self.audit).called.get(self.metric.name) or spoken(self.metric)

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

    @property
    def gaps(self) -> list[Comparison]:
        """Gaps in the main setting: of the headline metric, and those that have a name."""
        return [
            row
            for row in self.audit.comparisons
            if row.kind == "gap"
            and (row.name or row.metric == self.metric.name)
            and (row.variant or None) == (self.variant or None)
        ]

    @property
    def differences(self) -> list[Comparison]:
        """Of attributes whose gaps are left out the most evident difference in each such metric."""
        having, found = {row.attribute for row in self.gaps}, dict[Any, Comparison]()
        for row in self.audit.comparisons if self.partly else ():
            main = (row.variant or None) == (self.variant or None)
            if row.kind == "difference" and main and row.attribute not in having:
                key = row.attribute, row.metric
                found[key] = min(found.get(key, row), row, key=_evidence)
        return [row for row in found.values() if METRICS[row.metric] in self._compared]

    @property
    def _compared(self) -> list[Metric]:
        """The headline metric, and those whose equality has a name."""
        return [self.metric, *(metric for metric in METRICS.values() if metric.parity)]


def _evidence(row: Comparison) -> tuple[float, float]:
    """By which the more evident difference comes first."""
    return 2.0 if row.p_adjusted is None else row.p_adjusted, -abs(row.value or 0.0)


def leading(audit: Audit, partly: bool = False, picked: bool = True) -> list[str]:
    """The sentences that lead, the first of which stands on its own.

    Parameters
    ----------
    audit : Audit
    partly : bool
        Whether groups were left out of it, as they may not be shown.
    picked : bool
        Whether to say what being picked as the worst does to a value.
    """
    found = Leading(audit, partly)
    first = [_first(found), *disparity(found)]
    if len(found.groups) > 1:
        first += [*(_picked(found) if picked else []), *_left_out(found)]
    return [*first, *(_overall(found) if found.groups else [])]


def in_short(audit: Audit, partly: bool = False) -> str:
    """What leads in one sentence, where there are many audits."""
    found = Leading(audit, partly)
    first, more = _first(found).removesuffix("."), list(disparity(found))
    return f"{first}; {more[0][0].lower()}{more[0][1:]}" if more else f"{first}."


def is_picked(audit: Audit) -> bool:
    """Whether the value that leads was picked out of several."""
    return any(_picked(Leading(audit)))


def _first(found: Leading) -> str:
    if not found.groups:
        return _without_groups(found)
    return _sentence(found) if len(found.groups) > 1 else _one_group(found)


def disparity(found: Leading) -> Iterator[str]:
    """The largest gap that is shown, where it is not that of the headline metric.

    Of equal opportunity and predictive equality, equalized odds is only the larger.
    """
    alpha, own = 1 - found.audit.settings["ci"], found.metric.name
    shown = [
        row
        for row in [*found.gaps, *found.differences]
        if row.value is not None
        and (p := tested(row)) is not None
        and p < alpha
        and row.metric in METRICS
        and METRICS[row.metric].scale == "percent"
    ]
    # The first of the largest, and of those the headline.
    ranked = sorted(shown, key=lambda row: (-abs(row.value or 0), row.metric != own))
    if ranked and ranked[0].metric != own:
        most = "Shown to differ most" if found.metric.scale == "percent" else "Differs as well"
        among = " (leaving aside what is left out)" if found.partly else ""
        yield f"{most}{among}: {_gap(ranked[0], found.audit)}."


def tested(row: Comparison) -> float | None:
    """The p-value of a gap, or of a difference that was picked among those of other groups."""
    return row.p_value if row.kind == "gap" else row.p_adjusted


def _gap(row: Comparison, audit: Audit) -> str:
    """What differs, by how much, and between whom."""
    sure = p_text(tested(row))
    if row.ci_low is not None and row.ci_high is not None:
        low, high = PERCENT.value(row.ci_low), PERCENT.value(row.ci_high)
        sure = f"{level(audit)[1]} {low} to {high}, {sure}"
    what = f"{spoken(METRICS[row.metric])} by {printable(row.attribute or '')}"
    value = PERCENT.value(row.value, "" if row.kind == "gap" else "+")
    return f"{what}, {value} points ({sure}), {opposed(row)}"


def opposed(row: Comparison) -> str:
    """Who is compared with whom.

    >>> opposed(Comparison("sex", "accuracy", "difference", "f", "(rest)"))
    'f against the rest'
    """
    name = reference(row.against)
    the = "" if name == printable(row.against or "") else "the "
    return f"{printable(row.group or '')} against {the}{name}"


def _sentence(found: Leading) -> str:
    """The house sentence."""
    ends = " and the ".join(found.ends)
    worst = [_value_of(found, end) for end in found.ends]
    verb = "is" if len(worst) == 1 else "are"
    over = f"The {ends} {found.called}{_at(found)} over {_over(found)}"
    return f"{over} {verb} {', and '.join(worst)}, on {dataset(found.audit)}."


def _value_of(found: Leading, end: str) -> str:
    row = found.worst(end)
    equal = sum(other.value == row.value for other in found.groups) - 1
    others = f" and as {end.removesuffix('est')} for {some(equal, 'other')}" if equal else ""
    return f"{valued(row, found)}, for {_whom(row, found)}{others}"


def valued(row: Estimate, found: Leading, said: bool = True) -> str:
    """A value with its interval, or with why there is none."""
    value = amount(row.value, found.figures)
    if row.ci_low is None or row.ci_high is None:
        alone = f", as all its records are of one {cluster(found.audit)}"
        return f"{value} (no interval{alone if row.clusters == 1 else ''})"
    low, high = (found.figures.value(x) for x in (row.ci_low, row.ci_high))
    return f"{value} ({f'{level(found.audit)[1]} ' if said else ''}{low} to {high})"


def who(row: Estimate) -> str:
    """A group and what it was grouped by."""
    return f"{printable(row.group)} ({printable(row.attribute or '')})"


def _whom(row: Estimate, found: Leading) -> str:
    """A group; of a slice all its values, as tables of slices have them."""
    if found.audit.kind != "search":
        return who(row)
    return ", ".join(f"{printable(name)}={printable(v)}" for name, v in row.values.items())


#: What is said of the records in which slices were measured.
_APART = "that had no part in the search"


def _over(found: Leading) -> str:
    """How many groups and crossings, and how small they are at least."""
    least = _size(found.groups, found)
    if found.audit.kind == "search":
        slices = f"{some(len(found.groups), 'slice')} that {_search_found(found)}"
        return f"the {slices}, each measured in at least {least} {_APART},"
    crossings = sum(crossed(row) for row in found.groups)
    member = kind(found.audit).member
    parts = {member: len(found.groups) - crossings, "crossing": crossings}
    names = listed([some(n, word) for word, n in parts.items() if n])
    if found.partly:
        return f"the {names} that are shown, with at least {least} each,"
    return f"{names} with at least {least} each"


def _search_found(found: Leading) -> str:
    return "are shown of those that a search found" if found.partly else "a search found"


def _size(rows: Sequence[Estimate], found: Leading) -> str:
    """The fewest records, and what the metric counts in them where that is less."""
    records, n = min(row.records for row in rows), min(row.n for row in rows)
    said = some(records, kind(found.audit).record)
    if n >= records or found.audit.settings.get("weight") is not None:
        return said
    what = kind(found.audit).called.get(found.metric.counted)
    return f"{said} ({some(n, what.removesuffix('s')) if what else counted(n, found.metric)})"


def _picked(found: Leading) -> Iterator[str]:
    """What being picked as the worst does to a value; nothing where all are alike."""
    if len({row.value for row in found.groups}) < 2:
        return
    many, own = f"{len(found.groups):,}", _own([found.worst(end) for end in found.ends])
    if len(found.ends) > 1:
        yield f"The ends of {many} tend to lie farther apart in a sample than in truth{own}."
        return
    end = found.ends[0]
    yield (
        f"The {end} of {many} tends to look {end.removesuffix('est')}er than it is, as chance had "
        f"a part in which one it was{own}."
    )


def _own(picked: Sequence[Estimate]) -> str:
    """Of what the intervals are, where there are any."""
    n = sum(row.ci_low is not None for row in picked)
    whose = {0: "", 1: "its interval is its own", 2: "their intervals are their own"}[n]
    if n < len(picked):
        whose = whose and "the interval is of its group alone"
    return whose and f"; {whose}, without correction for having been picked"


def worst_of(found: Leading) -> str:
    """The worst of the groups in a sentence of its own, without data and sizes."""
    ends = " and the ".join(found.ends)
    verb = "is" if len(found.ends) == 1 else "are"
    among = some(len(found.groups), kind(found.audit).member)
    values = ", and ".join(_value_of(found, end) for end in found.ends)
    return f"The {ends} of {among}{' that are shown' * found.partly} {verb} {values}."


def _left_out(found: Leading) -> Iterator[str]:
    if n := len(found.small):
        is_ = "is" if n == 1 else "are"
        least = found.audit.settings["min_n"]
        which = some(n, kind(found.audit).member)
        yield f"{which} with fewer than {least:,} records {is_} not among them."


def _overall(found: Leading) -> Iterator[str]:
    if found.overall is not None and found.overall.value is not None:
        yield f"All records together have {valued(found.overall, found, said=False)}."


def _one_group(found: Leading) -> str:
    [row] = found.groups
    size = _size([row], found)
    if found.audit.kind == "search":
        only, measured = f"slice that {_search_found(found)}", f"measured in {size} {_APART}"
        only = only.replace("are shown", "is shown")
    else:
        member = kind(found.audit).member
        only = f"{member} that is shown with one" if found.partly else f"{member} that has one"
        measured = f"with {size}"
    return (
        f"The {found.called}{_at(found)} of the only {only}, {_whom(row, found)}, "
        f"{measured}, is {valued(row, found)}, on {dataset(found.audit)}."
    )


def _without_groups(found: Leading) -> str:
    """What all records have."""
    name = f"{found.called}{_at(found)}"
    where = f"on {dataset(found.audit)}"
    row = found.overall
    if not found.audit.estimates and not found.partly:
        return f"Nothing was estimated {where}; what was found stands in the tables."
    none = _no_groups(found)
    if row is None or row.value is None:
        return f"The {name} has no value {where}{none}."
    return f"The {name} over all records is {valued(row, found)}, {where}{none}."


def _no_groups(found: Leading) -> str:
    """Why there are no groups."""
    search = found.audit.kind == "search"
    if found.all_groups:
        return f"; no group {'that is shown ' if found.partly else ''}can be compared"
    if found.partly:
        return f"; the {'slices that a search found' if search else 'groups'} are left out"
    return f"; {'the search shows no slice to differ' if search else 'records were not grouped'}"


def _at(found: Leading) -> str:
    """Which of several settings it is."""
    named = [f"{SETTINGS[k]} {v}" for k, v in (found.variant or {}).items() if k in SETTINGS]
    return f" ({printable(', '.join(named))})" if named else ""


def dataset(audit: Audit) -> str:
    """The files and how much of them was used."""
    used = [some(audit.records.used, kind(audit).record)]
    overall = Leading(audit).overall
    if overall is not None and overall.clusters is not None:
        used.append(some(overall.clusters, cluster(audit)))
    return f"{files([data.path for data in audit.data])} ({', '.join(used)})"
