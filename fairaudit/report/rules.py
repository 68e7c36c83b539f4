"""Selection rates and impact ratios in the form that rules of the field ask for.

The four-fifths rule: 29 CFR 1607.4(D). Local Law 144 of New York City: 6 RCNY 5-300 to 5-303.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fairaudit.audit import Audit, Comparison, Estimate
from fairaudit.audits.decisions.parity import LEAST_SHARE
from fairaudit.exceptions import FairauditError
from fairaudit.report.decisions import View, views
from fairaudit.report.figures import RATIO, count, p_cell, percent
from fairaudit.report.sheets import Column, Sheet, attributes, by, level, printable, sheet
from fairaudit.stats.sums import MISSING

#: Ratios below this are evidence of adverse impact.
FOUR_FIFTHS = 0.8


_NONE = Comparison(None, "selection_rate", "ratio")


@dataclass(frozen=True)
class Category:
    """A group, whom of it was selected, and how that compares to the highest rate.

    Attributes
    ----------
    estimate : Estimate
        Its selection rate.
    ratio : Comparison
        Its impact ratio; empty where it has none.
    share : float
        Its share of all records.
    """

    estimate: Estimate
    ratio: Comparison
    share: float

    @property
    def name(self) -> str:
        """The group; the parts of a crossing stand apart."""
        parts = self.estimate.values.values()
        return MISSING if self.unknown else ": ".join(parts)

    @property
    def unknown(self) -> bool:
        """Whether nothing is known about the group."""
        return self.estimate.group == MISSING

    @property
    def applicants(self) -> int:
        """Its records."""
        return self.estimate.records

    @property
    def selected(self) -> float:
        """How many of them were selected."""
        return self.estimate.counts["selected"]

    @property
    def compared(self) -> bool:
        """Whether it has an impact ratio."""
        return self.ratio.value is not None

    @property
    def small(self) -> bool:
        """Whether it was left out for its share of the data."""
        return not self.unknown and not self.compared and self.share < LEAST_SHARE


def categories(view: View, attribute: str | None) -> list[Category]:
    """Groups of an attribute, the highest selection rate first, unknown ones last."""
    rows = [
        row
        for row in view.audit.estimates
        if (row.metric, row.attribute) == ("selection_rate", attribute)
    ]
    total = sum(row.records for row in rows)
    rows.sort(key=lambda row: (row.group == MISSING, -(row.value or 0)))
    ratios = {
        row.group: row
        for row in view.audit.comparisons
        if (row.attribute, row.name) == (attribute, "impact_ratio")
    }
    return [Category(row, ratios.get(row.group, _NONE), row.records / total) for row in rows]


def check(audit: Audit) -> None:
    """Require that the audit has what the table of its rule shows.

    Raises
    ------
    FairauditError
        If it has no groups, or applicants have weights.
    """
    rule = audit.settings.get("rule")
    if rule is None:
        return
    if attributes(audit) == [None]:
        raise FairauditError(f"--table {rule} compares groups: name them with --by.")
    if rule == "ll144" and audit.settings.get("weight") is not None:
        raise FairauditError("--table ll144 counts applicants: leave --weight out.")


def rule_sheets(audit: Audit) -> Iterator[Sheet]:
    """The tables of the audit's rule, one per attribute and setting."""
    check(audit)
    make = {"four-fifths": four_fifths, "ll144": _ll144}[audit.settings["rule"]]
    yield from _each(audit, make)


def _each(audit: Audit, make: Callable[[View, str, Sequence[Category]], Sheet]) -> Iterator[Sheet]:
    for attribute in attributes(audit):
        for view in views(audit):
            if attribute is not None and (found := categories(view, attribute)):
                yield make(view, attribute, found)


def impact_sheets(audit: Audit) -> Iterator[Sheet]:
    """Impact ratios of an audit without labels, where nothing else can be said."""
    if audit.settings.get("label") is None:
        yield from _each(audit, four_fifths)


def four_fifths(view: View, attribute: str, found: Sequence[Category]) -> Sheet:
    """Impact ratios with intervals and tests, and what the rule says of them."""
    ratios = [each.ratio for each in found]
    columns = [
        Column("", "group", [printable(each.name) for each in found]),
        Column("rec.", "records", [str(each.applicants) for each in found]),
        Column("selected", "selected", [count(each.selected) for each in found]),
        Column("rate", "rate", [percent(each.estimate.value) for each in found]),
        Column("ratio", "impact ratio", [RATIO.value(r.value) for r in ratios]),
        Column(*level(view.audit), [RATIO.interval(r.ci_low, r.ci_high) for r in ratios]),
        Column("p", "adjusted p", [p_cell(r.p_adjusted) for r in ratios]),
    ]
    independent = any(r.one_person_reverses is not None for r in ratios)
    if independent:
        columns.append(Column("1 person", "one person reverses it", list(map(_reversed, ratios))))
    title = f"Impact ratios{by(attribute)}{view.at}: selection rates, in percent, over the highest"
    return sheet(title, columns, _four_fifths_says(found, independent))


def _reversed(ratio: Comparison) -> str:
    return {None: "-", True: "yes", False: "no"}[ratio.one_person_reverses]


def _four_fifths_says(found: Sequence[Category], independent: bool) -> Iterator[str]:
    """Which groups are below four fifths, and how sure that is."""
    if not any(each.compared for each in found):
        yield _NO_RATIOS
        return
    below = [each for each in found if _under(each.ratio.value)]
    shown = [each for each in found if _under(each.ratio.ci_high)]
    perhaps = [each for each in below if each not in shown]
    if shown:
        yield f"Four-fifths rule: shown to be below 4/5: {_listed(shown)}."
    if perhaps:
        names = _listed(perhaps)
        yield f"Four-fifths rule: below 4/5 in these records, perhaps by chance: {names}."
    if not below:
        yield "Four-fifths rule: no group is below 4/5 in these records."
    yield (
        "Shown is what has its whole interval below: the bare ratio accuses equal groups of 100 "
        "people each in 42 % of cases, where 20 % are selected."
    )
    if small := [each for each in found if each.small]:
        yield (
            f"Without a ratio, and nobody's reference, as less than {100 * LEAST_SHARE:g} % of the "
            f"records: {_listed(small)}."
        )
    if independent:
        yield (
            "p: Fisher's exact test, adjusted over the groups. 1 person: whether one selection "
            "moved from the highest group to this one would turn the two round."
        )


_NO_RATIOS = (
    "No impact ratios are shown: they need two groups that are compared, the one with the highest "
    "rate among those shown, and somebody who was selected."
)


def _under(value: float | None) -> bool:
    return value is not None and value < FOUR_FIFTHS


def _listed(found: Sequence[Category]) -> str:
    return ", ".join(printable(each.name) for each in found)


def _ll144(view: View, attribute: str, found: Sequence[Category]) -> Sheet:
    """The table that employers publish: 6 RCNY 5-301 and 5-303."""
    scored = _scored(view)
    shown = [each for each in found if not each.unknown and not each.small]
    columns = [
        Column("", "category", [printable(each.name) for each in shown]),
        Column("# of applicants", "# of applicants", [str(each.applicants) for each in shown]),
    ]
    if not scored:
        selected = [count(each.selected) for each in shown]
        columns.append(Column("# selected", "# selected", selected))
    rate = "scoring rate" if scored else "selection rate"
    columns += [
        Column(rate, rate, [_share(each) for each in shown]),
        Column("impact ratio", "impact ratio", [RATIO.value(e.ratio.value) for e in shown]),
    ]
    title = f"Local Law 144, {printable(attribute)} categories{view.at}: {rate}s and impact ratios"
    return sheet(title, columns, _ll144_says(view.audit, found, scored))


def _scored(view: View) -> bool:
    """Whether selected are those above the median score."""
    return "median" in ((view.variant or {}).get("threshold"), view.audit.settings.get("threshold"))


def _share(each: Category) -> str:
    return "-" if each.estimate.value is None else f"{percent(each.estimate.value)}%"


def _ll144_says(audit: Audit, found: Sequence[Category], scored: bool) -> Iterator[str]:
    """Whom the table leaves out and why, and how many scores lie on the median."""
    small = [each for each in found if each.small]
    others = [e for e in found if not (e.compared or e.small or e.unknown)]
    if not any(each.compared for each in found):
        yield _NO_RATIOS
    elif others:
        yield f"Without an impact ratio, as outside comparisons: {_listed(others)}."
    if small:
        left_out = "; ".join(_left_out(each, scored) for each in small)
        yield (
            f"Left out, as less than {100 * LEAST_SHARE:g} % of the data, and nobody's reference: "
            f"{left_out}."
        )
    unknown = sum(each.applicants for each in found if each.unknown)
    yield f"Applicants of an unknown category, who are not in the table: {unknown}."
    yield from (printable(n) for n in audit.notes if scored and n.startswith(_MEDIAN))


#: How the note about the median begins.
_MEDIAN = "The median of all scores"


def _left_out(each: Category, scored: bool) -> str:
    selected = "" if scored else f"{count(each.selected)} selected, "
    rate = "scoring rate" if scored else "selection rate"
    return f"{printable(each.name)} ({each.applicants} applicants, {selected}{rate} {_share(each)})"


def rule_rows(audit: Audit) -> list[dict[str, Any]]:
    """The same for machines: a row per attribute, setting and category."""
    check(audit)
    return [
        _row(view, attribute, each)
        for attribute in attributes(audit)
        for view in views(audit)
        for each in categories(view, attribute)
    ]


def _row(view: View, attribute: str | None, each: Category) -> dict[str, Any]:
    ll144 = view.audit.settings["rule"] == "ll144"
    rate = "scoring_rate" if ll144 and _scored(view) else "selection_rate"
    row: dict[str, Any] = {
        "attribute": attribute,
        **(view.variant or {}),
        "category": each.name,
        "applicants": each.applicants,
        "selected": each.selected,
        rate: each.estimate.value,
        "impact_ratio": each.ratio.value,
    }
    return row | (_reason(each) if ll144 else _tested(each.ratio))


def _reason(each: Category) -> dict[str, Any]:
    """Why a category has no impact ratio."""
    if each.compared:
        return {"left_out": None}
    if each.unknown:
        return {"left_out": "unknown category"}
    small = f"less than {100 * LEAST_SHARE:g} % of the data"
    return {"left_out": small if each.small else "outside comparisons"}


def _tested(ratio: Comparison) -> dict[str, Any]:
    names = "against ci_low ci_high p_value p_adjusted one_person_reverses".split()
    return {name: getattr(ratio, name) for name in names}
