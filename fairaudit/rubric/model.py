"""What a rubric says: criteria, each with a limit and where the limit comes from.

A criterion compares groups in one of these ways:

========== =====================================================================================
gap        largest less smallest value of all groups
ratio      with ``at_least`` the smallest over the largest value (the four-fifths rule: 0.8),
           with ``at_most`` the largest over the smallest
difference how much worse each group is than all others together, in either direction where
           neither is better; each group is judged on its own
group      the value of each group; each is judged on its own
group_max  the largest value of any group
group_min  the smallest value of any group
overall    the value over all records
========== =====================================================================================
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from fairaudit import toml
from fairaudit.exceptions import FairauditError
from fairaudit.metrics import LIMITS, METRICS, Metric
from fairaudit.toml import Section, choices

Way = Literal["gap", "ratio", "difference", "group", "group_max", "group_min", "overall"]
At = Literal["most", "least"]
Severity = Literal["error", "warning"]

#: Ways of comparing that make sense with one side only.
_ONE_SIDED: Mapping[str, At] = {
    "gap": "most",
    "difference": "most",
    "group_max": "most",
    "group_min": "least",
}
_OTHER_END = {"group_max": "group_min", "group_min": "group_max"}
#: Rates that are judged as one.
_TOGETHER = {"equalized_odds": ("true_positive_rate", "false_positive_rate")}


def _field_names() -> dict[str, tuple[str, Way]]:
    """The field's own names of comparisons: metric and way of comparing."""
    names: dict[str, tuple[str, Way]] = {"impact_ratio": ("selection_rate", "ratio")}
    parities = {metric.parity: metric.name for metric in METRICS.values() if metric.parity}
    for parity, name in {**parities, "equalized_odds": "equalized_odds"}.items():
        names[f"{parity}_difference"] = (name, "gap")
        names[f"{parity}_ratio"] = (name, "ratio")
    return names


#: ``demographic_parity_difference`` is the gap of ``selection_rate``, and so on.
FIELD_NAMES = _field_names()


@dataclass(frozen=True)
class Waiver:
    """Why a failure does not count, and up to and including which day.

    Attributes
    ----------
    reason : str
    until : datetime.date
    """

    reason: str
    until: dt.date

    def holds(self, today: dt.date) -> bool:
        """Whether its last day is not over."""
        return today <= self.until


@dataclass(frozen=True)
class Criterion:
    """What is held against which limit.

    Attributes
    ----------
    id : str
        Its name, unique in the rubric.
    metric : str
        Name of a metric, or ``equalized_odds``.
    comparison : str
        How groups are compared; see `fairaudit.rubric.model`.
    limit : float
        As a share, not in percent.
    at : {"most", "least"}
        On which side of the limit values must lie.
    by : str or None
        An attribute as in ``--by``; None for every attribute of the audit.
    on : tuple of str
        The groups that are judged; all where empty.
    min_n : int or None
        Groups with fewer records are left out; None for what the audit was made with.
    min_share : float
        Groups with a smaller share of the records are left out.
    source : str
        Where the limit comes from.
    severity : {"error", "warning"}
        Whether a failure counts.
    waiver : Waiver or None
        Why a failure does not count for the time being.
    optional : bool
        Whether the criterion is passed over where no audit has what it is about.
    variant : mapping or None
        Which of several settings is judged (``{"threshold": 0.5}``); the first where None.

    Raises
    ------
    FairauditError
        If a value is none that it can have, or the limit cannot be kept or exceeded.
    """

    id: str
    metric: str
    comparison: Way
    limit: float
    at: At
    by: str | None = None
    on: tuple[str, ...] = ()
    min_n: int | None = None
    min_share: float = 0.0
    source: str = ""
    severity: Severity = "error"
    waiver: Waiver | None = None
    variant: Mapping[str, Any] | None = None
    optional: bool = False

    def __post_init__(self) -> None:
        known = [*METRICS, *_TOGETHER]
        if self.metric not in known:
            raise FairauditError(
                f"metric: no metric is called '{self.metric}'. "
                + choices("Metrics", self.metric, [*known, *FIELD_NAMES])
            )
        _one_of("at", self.at, get_args(At))
        _one_of("comparison", self.comparison, get_args(Way))
        _one_of("severity", self.severity, get_args(Severity))
        self._check_side()
        self._check_scope()
        self._check_limit()
        if not 0 <= self.min_share < 1:
            raise FairauditError(f"min_share: expected 0 to 1; found {self.min_share:g}.")

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What is judged as one; mostly a single metric."""
        return tuple(METRICS[name] for name in _TOGETHER.get(self.metric, (self.metric,)))

    @property
    def sign(self) -> int:
        """1 where smaller values keep the limit, -1 where larger ones do."""
        return 1 if self.at == "most" else -1

    def _check_side(self) -> None:
        at, needed = f"at_{self.at}", _ONE_SIDED.get(self.comparison, self.at)
        if self.at != needed:
            other = _OTHER_END.get(self.comparison)
            raise FairauditError(
                f"{at}: a {self.comparison} is judged by at_{needed}; found {at}."
                + (f" Use {at} with {other}." if other else "")
            )

    def _check_scope(self) -> None:
        for key, given in (("by", self.by is not None), ("on", bool(self.on))):
            if given and self.comparison == "overall":
                raise FairauditError(f"{key}: 'overall' is about all records; leave {key} out.")
        if self.metric in _TOGETHER and self.comparison not in ("gap", "ratio"):
            raise FairauditError(
                f"comparison: {self.metric} has a gap and a ratio; found '{self.comparison}'."
            )

    def _check_limit(self) -> None:
        least, most = self._possible()
        if least <= self.limit <= most:
            return
        percent = self.limit / 100
        hint = f" Shares are not in percent: {percent:g}." if least <= percent <= most else ""
        span = f"{least:g} to {most:g}" if np.isfinite(most) else f"{least:g} or more"
        raise FairauditError(
            f"at_{self.at}: a {self.comparison} of {self.metric} can be {span}; "
            f"found {self.limit:g}.{hint}"
        )

    def _possible(self) -> tuple[float, float]:
        """Limits that make sense."""
        least, most = LIMITS[self.metrics[0].range]
        if self.comparison == "ratio":
            if least < 0:
                raise FairauditError(
                    f"comparison: {self.metric} may be negative, so it has no ratio. Use gap."
                )
            return (0.0, 1.0) if self.at == "least" else (1.0, np.inf)
        return (0.0, most - least) if self.comparison in ("gap", "difference") else (least, most)


def _one_of(key: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise FairauditError(f"{key}: found '{value}'. {choices('Expected', value, known)}")


@dataclass(frozen=True)
class Rubric:
    """A named, versioned list of criteria.

    Attributes
    ----------
    name, version, purpose : str
        What it is called, which edition it is, and what it is for.
    criteria : tuple of Criterion

    Raises
    ------
    FairauditError
        If there are no criteria, or two with the same id.
    """

    name: str
    version: str
    purpose: str
    criteria: tuple[Criterion, ...]

    def __post_init__(self) -> None:
        if not self.criteria:
            raise FairauditError("criteria: a rubric without criteria passes everything. Add one.")
        for name, times in Counter(criterion.id for criterion in self.criteria).items():
            if times > 1:
                raise FairauditError(f"id: '{name}' stands {times} times; expected once.")

    @classmethod
    def of(cls, content: Mapping[str, Any], where: str = "rubric") -> Rubric:
        """Make a rubric from a table with the keys of the TOML file.

        Parameters
        ----------
        content : mapping
            ``name``, ``version``, ``purpose`` and ``criteria``, a list of tables.
        where : str
            Name of the file, for messages.

        Raises
        ------
        FairauditError
            If a key is unknown or missing, or a value is odd: file, criterion and key.

        Examples
        --------
        >>> rubric = Rubric.of(
        ...     {"name": "ours", "criteria": [{"metric": "impact_ratio", "at_least": 0.8}]}
        ... )
        >>> [(c.id, c.metric, c.comparison, c.limit) for c in rubric.criteria]
        [('impact_ratio', 'selection_rate', 'ratio', 0.8)]
        """
        section = Section(where, content, ("name", "version", "purpose", "criteria"))
        tables = content.get("criteria")
        if not isinstance(tables, list | tuple):
            raise section.refuse("criteria", "one or more tables: [[criteria]]")
        criteria = _named_apart(
            [_criterion(where, number, table) for number, table in enumerate(tables, 1)]
        )
        with_name = section.text("name"), section.text("version", ""), section.text("purpose", "")
        try:
            return cls(*with_name, criteria)
        except FairauditError as error:
            raise FairauditError(f"{where}: {error}") from None

    @classmethod
    def read(cls, path: Path) -> Rubric:
        """Read a rubric from a TOML file.

        Raises
        ------
        FairauditError
            If the file is missing, no TOML, or no rubric.
        """
        return cls.of(toml.read(path), str(path))


_KEYS = (
    "id metric by comparison at_most at_least on min_n min_share source severity waiver variant "
    "optional"
).split()


def _criterion(where: str, number: int, table: Any) -> tuple[Criterion, bool]:
    """A criterion, and whether its id was given."""
    given = table.get("id") if isinstance(table, Mapping) else None
    name = f"criterion {number}" + (f" ({given})" if isinstance(given, str) else "")
    section = Section(f"{where}, {name}", table, _KEYS)
    keys = _keys(section)
    try:
        return Criterion(**keys), given is not None
    except FairauditError as error:
        raise FairauditError(f"{section.where}: {error}") from None


def _keys(section: Section) -> dict[str, Any]:
    """The fields of a criterion."""
    said = section.text("metric")
    metric, comparison = _compared(section, said)
    limit, at = _limit(section)
    return {
        "id": section.text("id") if "id" in section else _id(section, said, comparison),
        "metric": metric,
        "comparison": comparison,
        "limit": limit,
        "at": at,
        "by": section.text("by") if "by" in section else None,
        "on": section.texts("on"),
        "min_n": section.whole("min_n") if "min_n" in section else None,
        "min_share": section.number("min_share") if "min_share" in section else 0.0,
        "source": section.text("source", ""),
        "severity": section.text("severity", "error"),
        "waiver": _waiver(section.section("waiver", ("reason", "until")))
        if "waiver" in section
        else None,
        "variant": _variant(section),
        "optional": "optional" in section and section.truth("optional"),
    }


def _compared(section: Section, said: str) -> tuple[str, str]:
    """Metric and way of comparing; the field's names say both."""
    metric, usual = FIELD_NAMES.get(said, (said, None))
    if usual is None and "comparison" not in section:
        raise section.refuse("comparison", f"one of {', '.join(get_args(Way))}")
    comparison = section.text("comparison", usual)
    if usual not in (None, comparison):
        raise section.refuse("comparison", f"{usual}, which is what {said} says; or leave it out")
    return metric, comparison


def _limit(section: Section) -> tuple[float, str]:
    given = [at for at in ("most", "least") if f"at_{at}" in section]
    if len(given) != 1:
        found = "both" if given else "neither"
        raise FairauditError(f"{section.where}: expected at_most or at_least; found {found}.")
    return section.number(f"at_{given[0]}"), given[0]


def _id(section: Section, said: str, comparison: str) -> str:
    """``wer_gap_accent``."""
    parts = [said] if said in FIELD_NAMES else [said, comparison]
    return "_".join([*parts, *([section.text("by")] if "by" in section else [])])


def _waiver(section: Section) -> Waiver:
    return Waiver(section.text("reason"), section.date("until"))


def _variant(section: Section) -> Mapping[str, Any] | None:
    if "variant" not in section:
        return None
    found = section.content["variant"]
    good = isinstance(found, Mapping) and found
    if not good or not all(isinstance(value, str | int | float) for value in found.values()):
        raise section.refuse("variant", "a table: { threshold = 0.5 }")
    return dict(found)


def _named_apart(found: list[tuple[Criterion, bool]]) -> tuple[Criterion, ...]:
    """Number the ids that were not given where they would stand twice."""
    taken = {criterion.id for criterion, given in found if given}
    apart = []
    for criterion, given in found:
        name, times = criterion.id, 1
        while not given and name in taken:
            times += 1
            name = f"{criterion.id}_{times}"
        taken.add(name)
        apart.append(replace(criterion, id=name))
    return tuple(apart)
