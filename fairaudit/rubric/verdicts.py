"""From bounds to verdicts, and how much more data would decide."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fairaudit.arrays import Array
from fairaudit.assess import defined
from fairaudit.audit import Status
from fairaudit.rubric.claims import NOBODY, Judged
from fairaudit.rubric.model import Criterion

#: Ways of comparing that say that groups differ.
COMPARED = ("gap", "ratio", "difference")
#: By so little values may miss a limit by rounding alone.
_ROUNDING = 1e-12
#: More than so many times the data is no plan.
_MOST_GROWTH = 1e6


@dataclass(frozen=True)
class Numbers:
    """The M numbers that a finding rests on, so turned that small ones keep the limit.

    Attributes
    ----------
    criterion : Criterion
    value, inner, outer, n : array, shape (M,)
        Numbers; bounds that must all be within the limit to pass, and one of which must be beyond
        it to fail; and denominators.
    first, second, part : array of int, shape (M,)
        Groups, and which of several metrics.
    size : int
        Over how many numbers the outer bounds are simultaneous.
    whole : bool
        Whether there are numbers of every metric: without them nothing can pass.
    """

    criterion: Criterion
    value: Array
    inner: Array
    outer: Array
    n: Array
    first: Array
    second: Array
    part: Array
    size: int
    whole: bool

    @classmethod
    def of(cls, parts: Sequence[Judged], alpha: float, together: int) -> Numbers:
        """Compute them.

        Parameters
        ----------
        parts : sequence of Judged
            The metrics that are judged as one.
        alpha : float
            Level of each inner bound, and of all outer ones.
        together : int
            How many criteria share `alpha` in their outer bounds.
        """
        criterion = parts[0].criterion
        sign = criterion.sign
        claims = [part.claims() for part in parts]
        size = sum(len(each.value) for each in claims)
        inner, outer = [], []
        for part, each in zip(parts, claims, strict=True):
            level = alpha / together
            near, far = each.bounds(alpha), each.bounds(level / max(size, 1))
            # The far side of what is good is the upper bound of `at_most`.
            inner.append(sign * near[1 if sign > 0 else 0])
            beyond = sign * far[0 if sign > 0 else 1]
            outer.append(_credible(part, beyond, level / len(parts)))
        return cls(
            criterion,
            sign * np.concatenate([each.value for each in claims]),
            np.concatenate(inner),
            np.concatenate(outer),
            np.concatenate([each.n for each in claims]),
            np.concatenate([each.first for each in claims]),
            np.concatenate([each.second for each in claims]),
            np.repeat(np.arange(len(parts)), [len(each.value) for each in claims]),
            size,
            all(len(each.value) for each in claims),
        )

    @property
    def limit(self) -> float:
        """The limit, turned as the numbers are."""
        return self.criterion.sign * self.criterion.limit

    def about(self, group: int) -> Numbers:
        """Those about one group."""
        mine = np.flatnonzero(self.first == group)
        names = ("value", "inner", "outer", "n", "first", "second", "part")
        return replace(self, **{name: getattr(self, name)[mine] for name in names})


def _credible(part: Judged, beyond: Array, level: float) -> Array:
    """Bounds of comparisons, drawn back to equality where groups are not found to differ."""
    criterion = part.criterion
    limit = criterion.sign * criterion.limit
    if criterion.comparison not in COMPARED or not (beyond > limit).any() or part.differ(level):
        return beyond
    return np.minimum(beyond, _equality(criterion))


def _equality(criterion: Criterion) -> float:
    """What a comparison of equal groups gives, turned as numbers are."""
    return criterion.sign * (1.0 if criterion.comparison == "ratio" else 0.0)


@dataclass(frozen=True)
class Verdict:
    """What the numbers say.

    Attributes
    ----------
    status, by_point : {"pass", "fail", "inconclusive"}
        With chance taken into account, and by the values alone.
    worst : int or None
        Which number is nearest to the limit or farthest beyond; None where none is defined.
    shown : int or None
        Which number is shown to be farthest beyond.
    value, low, high : float or None
        The worst number, and the bounds that decided.
    """

    status: Status
    by_point: Status
    worst: int | None
    shown: int | None
    value: float | None
    low: float | None
    high: float | None


def verdict(numbers: Numbers) -> Verdict:
    """Decide by the worst number, and by the worst bounds."""
    if np.isnan(numbers.value).all():
        return Verdict("inconclusive", "inconclusive", None, None, None, None, None)
    worst = int(np.nanargmax(numbers.value))
    # All must be within the limit: nan where any is.
    inner = float(np.max(numbers.inner)) if numbers.whole else np.nan
    shown = None if np.isnan(numbers.outer).all() else int(np.nanargmax(numbers.outer))
    outer = np.nan if shown is None else float(numbers.outer[shown])
    if numbers.criterion.comparison in ("gap", "ratio"):
        # Of the extremes of groups none can lie on the other side of equality; nan stays nan.
        outer = float(np.maximum(outer, _equality(numbers.criterion)))
    low, high = (outer, inner) if numbers.criterion.sign > 0 else (-inner, -outer)
    return Verdict(
        _status(inner, outer, numbers.limit),
        "fail" if _beyond(numbers.value[worst], numbers.limit) else "pass",
        worst,
        shown,
        defined(numbers.criterion.sign * numbers.value[worst]),
        defined(low),
        defined(high),
    )


def _status(inner: float, outer: float, limit: float) -> Status:
    if _beyond(outer, limit):
        return "fail"
    return "pass" if inner <= limit else "inconclusive"


def _beyond(value: float, limit: float) -> bool:
    return bool(value > limit + _ROUNDING * max(1.0, abs(limit)))


def further(numbers: Numbers, part: Judged) -> tuple[int | None, int | None]:
    """About how many more records, and clusters, would decide.

    Widths shrink with the square root of the data. So where the worst number is beyond the limit,
    its outer bound will be as well once there are (width / distance)^2 times the data; otherwise
    all inner bounds must come within the limit. The present value is taken to be the true one
    and groups to grow in their present proportion.

    Returns
    -------
    records, clusters : int or None
        Over the groups concerned. None where the value lies on the limit, where there are no
        bounds, and of clusters where there are none.
    """
    value, inner, outer, limit = _on_scale(numbers)
    over = value > limit
    with np.errstate(divide="ignore", invalid="ignore"):
        if over.any():
            growth = ((value - outer) / (value - limit)) ** 2
            growth = np.where(over & ~np.isnan(growth), growth, np.inf)
            concerned = np.array([np.argmin(growth)])
        else:
            growth = ((inner - value) / (limit - value)) ** 2
            concerned = np.flatnonzero(~(inner <= limit))
    times = float(np.max(growth[concerned], initial=np.nan if not len(concerned) else 0.0))
    if not 1 < times < _MOST_GROWTH:
        return None, None
    groups = _groups(numbers, concerned, part)
    records, units = ((times - 1) * sizes[groups].sum() for sizes in (part.records, part.units))
    return math.ceil(records), math.ceil(units) if part.clustered else None


def _on_scale(numbers: Numbers) -> tuple[Array, Array, Array, float]:
    """Value, inner and outer bound and limit where widths are even: ratios as logarithms."""
    found = (numbers.value, numbers.inner, numbers.outer, np.array(numbers.limit))
    if numbers.criterion.comparison == "ratio":
        sign = numbers.criterion.sign
        with np.errstate(divide="ignore", invalid="ignore"):
            found = tuple(sign * np.log(sign * each) for each in found)
    value, inner, outer, limit = found
    return value, inner, outer, float(limit)


def _groups(numbers: Numbers, concerned: Array, part: Judged) -> Array:
    """Groups that numbers are about, shape (G,), bool; all where some are about the rest."""
    named = np.concatenate([numbers.first[concerned], numbers.second[concerned]])
    if numbers.criterion.comparison == "difference":
        return part.usable
    groups = np.zeros(len(part.groups), dtype=bool)
    groups[named[named != NOBODY]] = True
    return groups
