"""A new audit against an old one: whether a group is worse, and whether the gap has grown.

Both questions have three verdicts, from the audits' summed counts alone. Where both audits have the
same clusters with the same records, what each cluster adds to the new value and to the old one is
subtracted before it is squared, so what the two have in common cancels out.

*Change*: how much worse a group has become. Every group's own one-sided bound must lie within the
margin to ``pass`` (an intersection-union test: Berger, Technometrics 24, 1982); one group's bound,
simultaneous over groups and findings, must lie beyond it to ``fail``.

*Change of the gap*, largest less smallest value of all groups. Let N(i, j) be the difference of
groups i and j now, and O(k, l) that of k and l before. The gap has grown by the largest N less the
largest O, so by N(i, j) - O(k, l) at most where (i, j) are the ends of the new gap, and by that at
least where (k, l) are the ends of the old one. Neither is known, so a bound must hold whichever
pair it is: of every (i, j) some N(i, j) - O(k, l) must be shown to be within the margin, and of
every (k, l) some N(i, j) - O(k, l) beyond it. Only the choice within "some" is corrected for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fairaudit.assess import defined
from fairaudit.audit import Audit, Finding, Status
from fairaudit.exceptions import FairauditError
from fairaudit.rubric.changes import Both, Change, figure, same_records, setting
from fairaudit.rubric.claims import Judged, Subject, computable, matches
from fairaudit.rubric.model import Criterion, Rubric
from fairaudit.rubric.shelf import load
from fairaudit.rubric.unmatched import why_nothing

#: Margin of shares; of other metrics it is `RELATIVE` times the old value over all records.
MARGIN = 0.01
RELATIVE = 0.05

_USUAL = "A convention of fairaudit: 1 point of a share, 5 % of the old value of anything else"

#: Settings that say what is measured, and the options that set them.
_DEFINING = {
    "norm": "--normalize",
    "task": "--task",
    "threshold": "--threshold",
    "positive": "--positive",
    "positive_label": "--positive-label",
    "top_k": "--top-k",
    "weight": "--weight",
}

#: By so little values may miss a limit by rounding alone.
_ROUNDING = 1e-12


def compare(
    new: Audit | Sequence[Audit],
    old: Audit | Sequence[Audit],
    rubric: Rubric | str | Path,
    *,
    margin: float | None = None,
    confidence: float = 0.95,
) -> tuple[Finding, ...]:
    """Judge what has changed since a baseline, in every metric and attribute of a rubric.

    The rubric's limits have no part in it, nor have its waivers: who may exceed a limit for the
    time being may not get worse. Each metric, attribute and choice of groups is judged once, under
    the id of the first criterion about it that is an error (else the first).

    Parameters
    ----------
    new, old : Audit or sequence of Audit
        Of several, audits of the same kind belong together.
    rubric : Rubric, str or Path
        Or its name or path.
    margin : float, optional
        By how much a group may become worse and a gap may grow, in the metrics' own unit (0.01 is
        one point of a share). By default `MARGIN` for shares, and `RELATIVE` times the old value
        over all records for other metrics.
    confidence : float
        1 less the chance of a wrong ``fail`` in all, and of each wrong ``pass``.

    Returns
    -------
    tuple of Finding
        ``change`` (only where the metric has a direction) and ``gap_change``; ids are those of the
        criteria followed by ``/change`` and ``/gap_change``. Values are what has become worse:
        positive where a rate that should be low has risen, or one that should be high has fallen.

    Raises
    ------
    FairauditError
        If the audits measure different things, or have nothing in common that the rubric is about.
    """
    _require(margin is None or 0 <= margin < math.inf, "--margin", margin, "0 or more")
    _require(0 < confidence < 1, "--confidence", confidence, "between 0 and 1: 0.95")
    rubric = rubric if isinstance(rubric, Rubric) else load(rubric)
    audits = _several(new)
    cases = list(_cases(audits, _several(old), rubric))
    asked = [(case, what) for case in cases for what in case.questions]
    if not any(case.old is not None for case, _ in asked):
        why = _why_nothing(audits, rubric, cases)
        raise FairauditError(f"rubric {rubric.name}: nothing to compare. {why}")
    terms = _Terms(1 - confidence, len(asked), margin)
    return tuple(case.finding(what, terms) for case, what in asked)


def _why_nothing(audits: Sequence[Audit], rubric: Rubric, cases: Sequence[_Case]) -> str:
    if not cases:
        return why_nothing(audits, rubric.criteria[0])
    return cases[0].obstacle or "It is about values over all records of which neither is better."


def _require(condition: bool, option: str, found: object, expected: str) -> None:
    if not condition:
        raise FairauditError(f"{option} {found}: expected {expected}.")


def _several(audits: Audit | Sequence[Audit]) -> list[Audit]:
    return [audits] if isinstance(audits, Audit) else list(audits)


def _cases(new: Sequence[Audit], old: Sequence[Audit], rubric: Rubric) -> Iterator[_Case]:
    """What is compared with what, errors before warnings where two criteria ask the same."""
    partners = _partners(new, old)
    found: dict[tuple[Any, ...], _Case] = {}
    for criterion in sorted(rubric.criteria, key=lambda each: each.severity):
        for at, audit in enumerate(new):
            for parts in matches(audit, criterion):
                for part in parts:
                    about = (part.attribute, part.metric.name, str(part.variant))
                    on = (criterion.on, criterion.min_n, criterion.min_share)
                    found.setdefault((at, *about, *on), _case(criterion, part, partners[at]))
    for audit, partner in zip(new, partners, strict=True):
        _require_attributes(audit, partner, rubric)
    order = [criterion.id for criterion in rubric.criteria]
    yield from sorted(found.values(), key=lambda case: order.index(case.criterion.id))


def _require_attributes(new: Audit, old: Audit | None, rubric: Rubric) -> None:
    """Refuse to pass over an attribute that the baseline was judged by."""
    if old is None:
        return
    for criterion in rubric.criteria:
        here, before = (
            {part.attribute for parts in matches(audit, criterion) for part in parts}
            for audit in (new, old)
        )
        if lost := sorted(str(name) for name in before - here):
            raise FairauditError(
                f"criterion {criterion.id}: the baseline is by {', '.join(lost)}, and the new "
                "audit is not. Audit both by the same attributes."
            )


def _partners(new: Sequence[Audit], old: Sequence[Audit]) -> list[Audit | None]:
    """The baseline of each audit; None where none is of its kind."""
    partners = [_partner(audit, old) for audit in new]
    if not any(partners):
        kinds, others = (sorted({audit.kind for audit in each}) for each in (new, old))
        raise FairauditError(
            f"nothing to compare: the baseline has audits of {', '.join(others) or 'nothing'}; "
            f"expected {', '.join(kinds)}."
        )
    return partners


def _partner(audit: Audit, old: Sequence[Audit]) -> Audit | None:
    candidates = [each for each in old if each.kind == audit.kind]
    if len(candidates) == 1:
        _check(audit, candidates[0])
    several = [each for each in candidates if not list(_conflicts(audit, each))]
    for narrower in (same_records, _same_groups):
        if len(several) > 1:
            several = [each for each in several if narrower(audit, each)] or several
    if len(several) > 1 or (candidates and not several):
        raise FairauditError(
            f"{len(candidates)} audits of the baseline are of kind {audit.kind}, and "
            f"{len(several) or 'none'} of them could be meant. Give one of them only."
        )
    return several[0] if several else None


def _check(new: Audit, old: Audit) -> None:
    """Require that both measure the same."""
    for name in _conflicts(new, old):
        now, then = (setting(audit, name) for audit in (new, old))
        raise FairauditError(
            f"the audits measure different things: {_DEFINING[name]} is {now}, and in the "
            f"baseline {then}. Audit both with the same {_DEFINING[name]}."
        )


def _conflicts(new: Audit, old: Audit) -> Iterator[str]:
    for name in _DEFINING:
        if new.settings.get(name) != old.settings.get(name):
            yield name


def _same_groups(new: Audit, old: Audit) -> bool:
    return new.settings.get("by") == old.settings.get("by")


def _case(criterion: Criterion, part: Judged, old: Audit | None) -> _Case:
    """A metric over an attribute, and the same in the baseline if it is there."""
    if old is None:
        return _Case(criterion, part, None, "The baseline has no audit of this kind.")
    sums = [
        each
        for each in old.sums
        if (each.attribute, each.variant) == (part.attribute, part.variant)
        and computable(part.metric, each)
    ]
    if not sums or not isinstance(part, Subject):
        by = "" if part.attribute is None else f" by {part.attribute}"
        whose = "The baseline has" if isinstance(part, Subject) else "Audits have"
        return _Case(criterion, part, None, f"{whose} no sums of {part.metric.name}{by}.")
    return _Case(criterion, part, Subject.of(old, part.metric, criterion, sums[0]))


@dataclass(frozen=True)
class _Terms:
    """On what terms all changes are judged.

    Attributes
    ----------
    alpha : float
        Chance of a wrong ``fail`` in all, and of each wrong ``pass``.
    together : int
        Number of findings.
    margin : float or None
        In the metrics' unit; None for the default.
    """

    alpha: float
    together: int
    margin: float | None


@dataclass(frozen=True)
class _Case:
    """One metric over the groups of one attribute, now and before.

    Attributes
    ----------
    criterion : Criterion
        Says which groups are judged.
    new : Judged
    old : Subject or None
        None where there is nothing to compare with.
    obstacle : str
        Why there is nothing.
    """

    criterion: Criterion
    new: Judged
    old: Subject | None
    obstacle: str = ""

    @property
    def questions(self) -> list[str]:
        """What can be asked: whether groups are worse only where it is known what worse is."""
        asked = [] if self.new.metric.direction is None else ["change"]
        return asked if self.new.attribute is None else [*asked, "gap_change"]

    @cached_property
    def both(self) -> Both | None:
        """The judged groups in both audits; None where there is nothing to compare with."""
        if self.old is None or not isinstance(self.new, Subject):
            return None
        return Both.of(self.new, self.old)

    def finding(self, what: str, terms: _Terms) -> Finding:
        """Judge the change of groups, or of the gap."""
        limit = self._margin(terms)
        found = self._change(what, terms, limit)
        status = "inconclusive" if found is None else _status(found, limit)
        further = (None, None) if found is None or self.both is None else self.both.further(found)
        group, against = self._whom(found)
        several = len(self.criterion.metrics) > 1
        return Finding(
            "/".join([self.criterion.id, *([self.new.metric.name] if several else []), what]),
            self._asks(what, limit),
            status,
            self.criterion.severity,
            self.new.metric.name,
            what,
            limit,
            "most",
            self.new.attribute,
            group,
            against,
            value=None if found is None else defined(found.value),
            ci_low=None if found is None else defined(found.low),
            ci_high=None if found is None else defined(found.high),
            n=None if found is None or self.both is None else self.both.n(found.ends),
            reason=" ".join(self._reason(found, status, terms)),
            further_records=further[0] if status == "inconclusive" else None,
            further_clusters=further[1] if status == "inconclusive" else None,
            source="A choice: the margin as given" if terms.margin is not None else _USUAL,
            variant=self.new.variant,
            audit=self.new.audit.signature,
        )

    def _margin(self, terms: _Terms) -> float:
        metric = self.new.metric
        if terms.margin is not None:
            return terms.margin
        if metric.scale == "percent" or self.old is None:
            return MARGIN
        sums = self.old.sums
        overall = abs(float(metric.value(sums.columns, sums.spread.totals.sum(axis=0))))
        # With no more digits than one would choose.
        return float(f"{RELATIVE * overall:.3g}") if math.isfinite(overall) else 0.0

    def _change(self, what: str, terms: _Terms, limit: float) -> Change | None:
        both = self.both
        if both is None or len(both.names) < (1 if what == "change" else 2):
            return None
        asked = both.change if what == "change" else both.gap_change
        return asked(terms.alpha, terms.together, limit)

    def _whom(self, found: Change | None) -> tuple[str | None, str | None]:
        if found is None or self.both is None:
            return None, None
        names = [self.both.names[end] for end in found.ends]
        return names[0], names[1] if len(names) > 1 else "(before)"

    def _asks(self, what: str, limit: float) -> str:
        name = self.new.metric.name
        by = "" if self.new.attribute is None else f" by {self.new.attribute}"
        whose = f"each group's {name}{by}" if by else f"overall {name}"
        asked = f"{whose} worse" if what == "change" else f"gap of {name}{by} larger"
        return f"{asked} than before by at most {figure(self.new.metric, limit)}"

    def _reason(self, found: Change | None, status: Status, terms: _Terms) -> Iterator[str]:
        if self.both is None:
            yield self.obstacle
            return
        if found is None:
            yield "Too few groups can be judged."
        else:
            yield f"{found.told}."
            yield self._decided(found, status, terms)
            yield from self.both.remarks()
        yield from self.both.not_judged()

    def _decided(self, found: Change, status: Status, terms: _Terms) -> str:
        more = "worse" if len(found.ends) == 1 else "larger"
        low, high = (figure(self.new.metric, each) for each in (found.low, found.high))
        level = f"{100 * (1 - terms.alpha):.3g} % confidence"
        over = [f"{found.size} comparisons"] if found.size > 1 else []
        over += [f"{terms.together} findings"] if terms.together > 1 else []
        together = f" over {' in each of '.join(over)}" if over else ""
        if status == "pass" and found.high < 0:
            less = "better" if len(found.ends) == 1 else "smaller"
            return f"Shown to be {less} by at least {high[1:]} ({level})."
        if status == "pass":
            return f"Shown to be {more} by at most {high} ({level})."
        if status == "fail":
            return f"Shown to be {more} by at least {low} ({level}{together})."
        if not (math.isfinite(found.low) and math.isfinite(found.high)):
            return "Too little data: there is no bound."
        return f"Too little data: it may be {more} by {low} to {high} ({level}{together})."


def _status(found: Change, limit: float) -> Status:
    if found.low > limit + _ROUNDING * max(1.0, limit):
        return "fail"
    return "pass" if found.high <= limit else "inconclusive"
