"""Three verdicts: a limit is shown to be kept, shown to be exceeded, or there is too little data.

``pass`` is an intersection-union test (Berger, Technometrics 24, 1982): every number's own
one-sided bound at the level must lie within the limit, and no correction is needed, as all must
hold at once. ``fail`` needs one number whose bound lies beyond the limit; as the worst is picked
out of many, its bound is simultaneous over all numbers of the criterion and over all criteria
judged together, across audits and attributes (Bonferroni). Where groups are compared, the test of
homogeneity must find at that level that they differ at all.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from fairaudit.audit import Audit, Finding
from fairaudit.exceptions import FairauditError
from fairaudit.rubric.claims import NOBODY, Judged, matches
from fairaudit.rubric.model import Criterion, Rubric
from fairaudit.rubric.shelf import load
from fairaudit.rubric.unmatched import why_nothing
from fairaudit.rubric.verdicts import Numbers, Verdict, further, verdict
from fairaudit.rubric.wording import Terms, asks, reason, waived

#: ``point`` compares the values alone, for those who must.
Decide = Literal["interval", "point"]


def judge(
    audits: Audit | Sequence[Audit],
    rubric: Rubric | str | Path,
    *,
    decide: Decide = "interval",
    today: dt.date | None = None,
    confidence: float = 0.95,
) -> tuple[Audit, ...]:
    """Judge audits by a rubric, all criteria together.

    Parameters
    ----------
    audits : Audit or sequence of Audit
        What is judged. Each criterion is applied wherever it fits.
    rubric : Rubric, str or Path
        Or its name or path.
    decide : {"interval", "point"}
        Whether chance has a part in the verdicts.
    today : datetime.date, optional
        Decides which waivers still hold; otherwise today (UTC), or SOURCE_DATE_EPOCH.
    confidence : float
        1 less the chance of a wrong ``fail`` in all, and of each wrong ``pass``.

    Returns
    -------
    tuple of Audit
        The audits with their findings, in place of earlier ones.

    Raises
    ------
    FairauditError
        If a criterion fits none of the audits.
    """
    several = [audits] if isinstance(audits, Audit) else list(audits)
    if not several:
        raise FairauditError("nothing to judge: no audits were given.")
    if decide not in get_args(Decide):
        raise FairauditError(f"--decide {decide}: expected {' or '.join(get_args(Decide))}.")
    if not 0 < confidence < 1:
        raise FairauditError(f"--confidence {confidence:g}: expected between 0 and 1: 0.95.")
    if not isinstance(rubric, Rubric):
        rubric = load(rubric)
    cases = list(_cases(several, rubric))
    if not cases:
        wanted = ", ".join(dict.fromkeys(each.metric for each in rubric.criteria))
        raise FairauditError(
            f"rubric {rubric.name}: nothing to judge. No audit has any of {wanted}."
        )
    terms = Terms(1 - confidence, len(cases), decide == "point", today or _today())
    return tuple(
        replace(
            audit,
            findings=tuple(
                found for case in cases if case.at == i for found in _findings(case, terms)
            ),
        )
        for i, audit in enumerate(several)
    )


def exit_code(findings: Iterable[Finding], strict: bool = False) -> int:
    """Exit status of the worst outcome that counts.

    Warnings and failures that are waived never count.

    Parameters
    ----------
    findings : iterable of Finding
    strict : bool
        Whether too little data is a reason to stop.

    Returns
    -------
    int
        1 where a criterion failed, else 4 where `strict` and one is inconclusive, else 0.
    """
    counting = {f.status for f in findings if f.severity == "error" and f.waiver is None}
    if "fail" in counting:
        return 1
    return 4 if strict and "inconclusive" in counting else 0


def _today() -> dt.date:
    """Today, or the day that reproducible builds set."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    now = dt.datetime.now(dt.timezone.utc)
    if epoch.isdigit() and len(epoch) < 12:
        now = dt.datetime.fromtimestamp(int(epoch), dt.timezone.utc)
    return now.date()


@dataclass(frozen=True)
class _Case:
    """A criterion and what it is about: an attribute of the audit at this index."""

    at: int
    criterion: Criterion
    parts: Sequence[Judged]


def _cases(audits: Sequence[Audit], rubric: Rubric) -> Iterator[_Case]:
    for criterion in rubric.criteria:
        found = [
            _Case(at, criterion, parts)
            for at, audit in enumerate(audits)
            for parts in matches(audit, criterion)
        ]
        if not found and not criterion.optional:
            raise FairauditError(
                f"rubric {rubric.name}, criterion {criterion.id}: nothing to judge. "
                + why_nothing(audits, criterion)
            )
        yield from found


def _findings(case: _Case, terms: Terms) -> Iterator[Finding]:
    """One finding, or one for each group."""
    numbers = Numbers.of(case.parts, terms.alpha, terms.together)
    each = case.criterion.comparison in ("group", "difference")
    groups = dict.fromkeys(numbers.first.tolist()) if each else ()
    for group in groups:
        yield _finding(case, numbers.about(group), terms)
    if not groups:
        yield _finding(case, numbers, terms)


def _finding(case: _Case, numbers: Numbers, terms: Terms) -> Finding:
    criterion, part = case.criterion, case.parts[0]
    found = verdict(numbers)
    records, clusters = (None, None)
    if found.status == "inconclusive" and not terms.by_point:
        records, clusters = further(numbers, part)
    group, against = _whom(numbers, found, part)
    holds = criterion.waiver is not None and criterion.waiver.holds(terms.today)
    return Finding(
        criterion.id,
        asks(criterion, part.attribute),
        found.by_point if terms.by_point else found.status,
        criterion.severity,
        criterion.metric,
        criterion.comparison,
        criterion.limit,
        criterion.at,
        attribute=part.attribute,
        group=group,
        against=against,
        value=found.value,
        ci_low=found.low,
        ci_high=found.high,
        n=None if found.worst is None else float(numbers.n[found.worst]),
        reason=reason(numbers, found, case.parts, terms),
        further_records=records,
        further_clusters=clusters,
        source=criterion.source,
        waiver=waived(criterion.waiver) if criterion.waiver is not None and holds else None,
        variant=part.variant,
        audit=part.audit.signature,
    )


def _whom(numbers: Numbers, found: Verdict, part: Judged) -> tuple[str | None, str | None]:
    """Whom the worst number is about."""
    if found.worst is None:
        return None, None
    first, second = int(numbers.first[found.worst]), int(numbers.second[found.worst])
    if second != NOBODY:
        return part.groups[first], part.groups[second]
    return part.groups[first], "(rest)" if numbers.criterion.comparison == "difference" else None
