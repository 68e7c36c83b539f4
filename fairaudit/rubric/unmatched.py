"""Why a criterion fits none of the audits, and what they have instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairaudit.audit import Audit
from fairaudit.metrics import METRICS
from fairaudit.rubric.claims import computable
from fairaudit.rubric.model import Criterion
from fairaudit.toml import choices


@dataclass(frozen=True)
class _Place:
    """Where an audit has the metric.

    Attributes
    ----------
    attribute : str or None
    variant : mapping or None
    groups : tuple of str
    summed : bool
        Whether there are sums to compare groups by.
    """

    attribute: str | None
    variant: Mapping[str, Any] | None
    groups: tuple[str, ...]
    summed: bool


def why_nothing(audits: Sequence[Audit], criterion: Criterion) -> str:
    """Say what of a criterion that fits nothing is not there, and what is."""
    places = list(_places(audits, criterion))
    if not places:
        return _no_metric(audits, criterion)
    if criterion.comparison == "overall":
        places = [place for place in places if place.attribute is None]
        return _no_variant(criterion, places) if places else "It has no value over all records."
    attributes = sorted({place.attribute for place in places if place.attribute is not None})
    if not attributes:
        return 'No audit has groups. Audit with --by, or use comparison = "overall".'
    if criterion.by is not None and criterion.by not in attributes:
        return f"No audit is by {criterion.by}. {choices('Attributes', criterion.by, attributes)}"
    places = [place for place in places if place.attribute in (criterion.by or place.attribute,)]
    if not any(place.summed for place in places):
        return (
            f"Audits have no sums of {criterion.metric}, so its groups cannot be compared. "
            "Use group, group_max or group_min."
        )
    absent = _absent(criterion, places)
    return absent if absent else _no_variant(criterion, places)


def _places(audits: Sequence[Audit], criterion: Criterion) -> Iterator[_Place]:
    for audit in audits:
        for sums in audit.sums:
            if all(computable(metric, sums) for metric in criterion.metrics):
                yield _Place(sums.attribute, sums.variant, sums.groups, True)
        for row in audit.estimates:
            if row.metric == criterion.metric:
                yield _Place(row.attribute, row.variant, (row.group,), False)


def _no_metric(audits: Sequence[Audit], criterion: Criterion) -> str:
    sums = [each for audit in audits for each in audit.sums]
    known = [name for name, m in METRICS.items() if any(computable(m, each) for each in sums)]
    return f"No audit has {criterion.metric}. {choices('Metrics', criterion.metric, known)}"


def _absent(criterion: Criterion, places: Sequence[_Place]) -> str | None:
    """A group that is nowhere, or that is nowhere together with the others."""
    groups = sorted({group for place in places for group in place.groups})
    for name in criterion.on:
        if name not in groups:
            return f"on: no group is called '{name}'. {choices('Groups', name, groups)}"
    together = any(set(criterion.on) <= set(place.groups) for place in places)
    return None if together else "on: no attribute has all of these groups. Say which with by."


def _no_variant(criterion: Criterion, places: Sequence[_Place]) -> str:
    there = dict.fromkeys(str(dict(place.variant)) for place in places if place.variant)
    return (
        f"No variant is {dict(criterion.variant or {})}. "
        f"Variants: {', '.join(there) or 'none, so leave variant out'}."
    )
