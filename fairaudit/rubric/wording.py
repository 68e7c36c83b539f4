"""Criteria and verdicts in words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fairaudit.arrays import Array
from fairaudit.rubric.claims import NOBODY, Judged
from fairaudit.rubric.model import Criterion, Waiver
from fairaudit.rubric.verdicts import COMPARED, Numbers, Verdict

#: Names that are listed before the rest are only counted.
_MOST_NAMES = 10


@dataclass(frozen=True)
class Terms:
    """On what terms all criteria are judged.

    Attributes
    ----------
    alpha : float
        Chance of a wrong ``fail`` in all, and of each wrong ``pass``.
    together : int
        Criteria judged together; one that is about several attributes counts as often.
    by_point : bool
        Whether values alone decide.
    today : datetime.date
    """

    alpha: float
    together: int
    by_point: bool
    today: dt.date


def asks(criterion: Criterion, attribute: str | None) -> str:
    """What a criterion asks for.

    >>> asks(Criterion("a", "wer", "gap", 0.05, "most"), "accent")
    'gap of wer by accent at most 5 points'
    >>> asks(Criterion("b", "selection_rate", "ratio", 0.8, "least"), "sex")
    'smallest over largest selection_rate by sex at least 0.8'
    """
    ends = "smallest over largest" if criterion.at == "least" else "largest over smallest"
    what = {
        "gap": f"gap of {criterion.metric}",
        "ratio": f"{ends} {criterion.metric}",
        "difference": f"each group's {criterion.metric} worse than the rest's",
        "group": f"each group's {criterion.metric}",
        "group_max": f"largest {criterion.metric} of a group",
        "group_min": f"smallest {criterion.metric} of a group",
        "overall": f"overall {criterion.metric}",
    }[criterion.comparison]
    by = "" if attribute is None else f" by {attribute}"
    return f"{what}{by} at {criterion.at} {figure(criterion, criterion.limit)}"


def figure(criterion: Criterion, value: float | None) -> str:
    """A number of the criterion's kind.

    >>> figure(Criterion("a", "wer", "group_max", 0.2, "most"), 0.1234)
    '12.3 %'
    """
    if value is None:
        return "undefined"
    if criterion.comparison == "ratio" or criterion.metrics[0].scale == "number":
        return f"{value:.3g}"
    return f"{100 * value:.3g} {'points' if criterion.comparison in COMPARED else '%'}"


def waived(waiver: Waiver) -> str:
    """A waiver that holds.

    >>> waived(Waiver("ticket 12", dt.date(2030, 12, 31)))
    'ticket 12 (until 2030-12-31)'
    """
    return f"{waiver.reason} (until {waiver.until.isoformat()})"


def reason(numbers: Numbers, found: Verdict, parts: Sequence[Judged], terms: Terms) -> str:
    """Why a verdict is what it is, in sentences."""
    said = [
        *_found(numbers, found, parts),
        *_decided(numbers, found, parts, terms),
        *_not_judged(parts),
        *_ended(numbers.criterion, terms),
    ]
    return " ".join(said)


def _found(numbers: Numbers, found: Verdict, parts: Sequence[Judged]) -> Iterator[str]:
    """That there is no number, or of which metric it is; the finding itself has the rest."""
    if found.worst is None:
        alone = numbers.criterion.comparison == "overall"
        few = "The records cannot be judged." if alone else "Too few groups can be judged."
        yield "The value is undefined." if numbers.size else few
        return
    if len(parts) > 1:
        yield f"Decided by {parts[numbers.part[found.worst]].metric.name}."


def _about(numbers: Numbers, at: int, parts: Sequence[Judged]) -> str:
    """Whom a number is about, and which metric of several."""
    groups = parts[0].groups
    metric = f"{parts[numbers.part[at]].metric.name}, " if len(parts) > 1 else ""
    first, second = int(numbers.first[at]), int(numbers.second[at])
    if numbers.criterion.comparison == "overall":
        return "All records"
    if second != NOBODY:
        return f"{metric}{groups[first]} against {groups[second]}"
    return (
        f"{groups[first]}{' against the rest' if numbers.criterion.comparison in COMPARED else ''}"
    )


def _decided(
    numbers: Numbers, found: Verdict, parts: Sequence[Judged], terms: Terms
) -> Iterator[str]:
    """What the bounds show."""
    if found.worst is None:
        return
    if terms.by_point:
        yield (
            "Decided by the value alone, as asked (--decide point), so chance has a part in it; "
            f"by the interval: {found.status}."
        )
        return
    criterion = numbers.criterion
    inner, outer = (found.high, found.low) if criterion.sign > 0 else (found.low, found.high)
    sides = ("most", "least") if criterion.sign > 0 else ("least", "most")
    level = f"{100 * (1 - terms.alpha):.3g} %"
    together = _together(numbers.size, terms.together)
    if found.status == "pass":
        yield f"Shown to be at {sides[0]} {figure(criterion, inner)} ({level} confidence)."
    elif found.status == "fail":
        whom = ""
        if found.shown is not None and found.shown != found.worst:
            whom = f" for {_about(numbers, found.shown, parts)}"
        yield (
            f"Shown to be at {sides[1]} {figure(criterion, outer)}{whom} ({level} confidence"
            f"{together})."
        )
    elif inner is None or outer is None:
        yield "Too little data: there is no bound."
    else:
        low, high = sorted((inner, outer))
        yield (
            f"Too little data: it may be from {figure(criterion, low)} to "
            f"{figure(criterion, high)} ({level} confidence{together})."
        )


def _together(size: int, criteria: int) -> str:
    """What the bounds of a failure are corrected for."""
    each = f"{size} comparisons" if size > 1 else ""
    all_ = f"{criteria} criteria" if criteria > 1 else ""
    both = " in each of ".join(filter(None, (each, all_)))
    return f" over {both}" if both else ""


def _not_judged(parts: Sequence[Judged]) -> Iterator[str]:
    """Groups left out, by reason: a verdict says nothing of them."""
    reasons: dict[str, dict[str, None]] = {}
    for part in parts:
        for why, groups in part.left_out.items():
            names = reasons.setdefault(why, {})
            names |= dict.fromkeys(_names(part, groups & part.asked))
    said = [f"{_listed(list(names))} ({why})" for why, names in reasons.items() if names]
    if said:
        yield f"Not judged: {'; '.join(said)}."


def _names(part: Judged, groups: Array) -> list[str]:
    return [part.groups[g] for g in np.flatnonzero(groups)]


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _ended(criterion: Criterion, terms: Terms) -> Iterator[str]:
    if criterion.waiver is not None and not criterion.waiver.holds(terms.today):
        yield f"Its waiver ended on {criterion.waiver.until.isoformat()}."
