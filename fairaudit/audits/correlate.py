"""Whether intrinsic scores of models go with extrinsic ones: correlation over models.

Cao et al., "On the Intrinsic and Extrinsic Fairness Evaluation Metrics for Contextualized Language
Representations", ACL 2022: a model's score in a domain is the variance of its groups' scores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.assess import Design, conclude, defined
from fairaudit.audit import Audit, Comparison, Estimate, Records
from fairaudit.audits.scores import DOMAIN, Groups, Side, read_sides
from fairaudit.exceptions import FairauditError
from fairaudit.metrics import METRICS
from fairaudit.metrics.likelihood import CORRELATION
from fairaudit.selection import Selection
from fairaudit.stats.correlation import Correlation, correlation
from fairaudit.stats.multiplicity import adjust
from fairaudit.stats.sums import ALL
from fairaudit.table import MISSING_VALUES

#: Below this many models a correlation says little.
FEW_MODELS = 10
#: Below this many there is none, and below one more no interval.
_LEAST = 3
#: Scores that differ by less of their size are equal: variances of equal spreads differ by it.
_EQUAL = 1e-12
#: Names listed in a sentence.
_LISTED = 10


@dataclass(frozen=True)
class _Domain:
    """The models of one domain with their two scores.

    Attributes
    ----------
    name : str or None
    models : sequence of str
        Those that both sides have.
    first, second : array, shape (n,)
        Their scores.
    notes : sequence of str
        What a reader must know.
    reason : str or None
        Why there is nothing to correlate, where there is not.
    """

    name: str | None
    models: Sequence[str]
    first: Array
    second: Array
    notes: Sequence[str]
    reason: str | None

    @property
    def about(self) -> str:
        """Its name before a sentence."""
        return "" if self.name is None else f"{self.name}: "


def correlate(
    intrinsic: Any,
    extrinsic: Any,
    *,
    intrinsic_metric: str | None = None,
    extrinsic_metric: str | None = None,
    intrinsic_group: str | None = None,
    extrinsic_group: str | None = None,
    na: Sequence[str] = MISSING_VALUES,
    **design: Any,
) -> Audit:
    """Correlate intrinsic with extrinsic scores over models, domain by domain.

    Parameters
    ----------
    intrinsic, extrinsic : path, pattern, sequence of paths or data frame
        Tables with the columns ``model`` and ``score``, and perhaps ``group`` and ``domain``; or
        audit files of fairaudit, one for each model, which is the one that they name, or else the
        file's name. Where both sides have an attribute of the same name it is a domain, with the
        values of its groups; otherwise an audit's value over all records is the model's score.
    intrinsic_metric, extrinsic_metric : str, optional
        Which metric of audit files; the first one by default.
    intrinsic_group, extrinsic_group : str, optional
        The group of audit files whose value is the model's score, such as ``C6``, or
        ``attribute=group`` where several are called so.
    na : sequence of str
        What stands for a missing model, group, domain or score. Of tables with a column of
        groups, rows without one are left out.
    **design
        Settings of `Design`; of use are ``confidence``, ``correction``, ``resamples``, ``seed``.

    Returns
    -------
    Audit

    Raises
    ------
    FairauditError
        If a file cannot be read, or no domain has a coefficient: that takes three models on both
        sides, whose scores differ.
    """
    settings = Design(**design)
    first, second, files = read_sides(
        (Side("intrinsic", intrinsic_metric, intrinsic_group), intrinsic),
        (Side("extrinsic", extrinsic_metric, extrinsic_group), extrinsic),
        na,
    )
    domains = list(_domains(first, second))
    _require_some(domains, first, second)
    return conclude(
        "correlation",
        selection=Selection.of((), None, (), None, na),
        files=files,
        records=_records(domains, first, second),
        parts=[_Part(domains, settings)],
        metrics=[METRICS[name] for name in CORRELATION],
        design=settings,
        settings={
            "intrinsic": intrinsic_metric,
            "extrinsic": extrinsic_metric,
            "intrinsic_group": intrinsic_group,
            "extrinsic_group": extrinsic_group,
        },
        notes=[*first.notes(), *second.notes(), *_alone(first, second)],
    )


def _domains(first: Side, second: Side) -> Iterator[_Domain]:
    """Domains that both sides have."""
    for name in sorted(set(first.scores) & set(second.scores), key=str):
        of = first.scores[name], second.scores[name]
        models = sorted(set(of[0]) & set(of[1]))
        groups = [[side[model] for model in models] for side in of]
        counted = _shared_groups(*groups)
        scores = [
            _levelled(np.array([_score(each, which) for each in side]))
            for side, which in zip(groups, counted, strict=True)
        ]
        reason = _reason(models, groups, counted, scores)
        notes = [] if reason else list(_left_out(groups, counted))
        yield _Domain(name, models, scores[0], scores[1], notes, reason)


def _shared_groups(a: Sequence[Groups], b: Sequence[Groups]) -> tuple[set[Any], set[Any]]:
    """The groups that count on either side: those that all models of both have."""
    sides = [reduce(set.__and__, map(set, each)) if each else set() for each in (a, b)]
    if all(_grouped(each) for each in (a, b)):
        shared = sides[0] & sides[1]
        return shared, shared
    return sides[0], sides[1]


def _grouped(models: Sequence[Groups]) -> bool:
    return any(group is not None for each in models for group in each)


def _score(groups: Groups, counted: set[str | None]) -> float:
    """A model's score: the variance over groups, or its only one.

    >>> _score({"a": 0.25, "b": 0.75, "c": 9.0}, {"a", "b"}), _score({None: 3.0}, {None})
    (0.0625, 3.0)
    """
    if counted == {None}:
        return groups[None]
    values = [score for group, score in groups.items() if group in counted]
    return float(np.var(values)) if len(values) > 1 else float("nan")


def _levelled(scores: Array) -> Array:
    """Scores that differ by rounding alone, made equal.

    >>> _levelled(np.array([0.1 + 0.2, 0.3])).tolist(), _levelled(np.array([1.0, 2.0])).tolist()
    ([0.30000000000000004, 0.30000000000000004], [1.0, 2.0])
    """
    alike = len(scores) > 0 and np.ptp(scores) <= _EQUAL * np.abs(scores).max()
    return np.full(len(scores), scores[0]) if alike else scores


def _reason(
    models: Sequence[str],
    groups: Sequence[Sequence[Groups]],
    counted: Sequence[set[Any]],
    scores: Sequence[Array],
) -> str | None:
    """Why there is nothing to correlate; None where there is something."""
    if len(models) < _LEAST:
        return f"{len(models)} models have both scores; it takes {_LEAST}"
    if any(each != {None} and len(each) < 2 for each in counted):
        shared = next(each for each in counted if each != {None})
        intrinsic, extrinsic = ({group for each in side for group in each} for side in groups)
        return (
            f"fewer than two groups are shared by all models ({_named(shared)}; intrinsic has "
            f"{_named(intrinsic)}, extrinsic {_named(extrinsic)}), so scores have no variance"
        )
    flat = [
        f"{name} ({side[0]:.6g})"
        for name, side in zip(("intrinsic", "extrinsic"), scores, strict=True)
        if np.ptp(side) == 0
    ]
    if flat:
        return f"all {len(models)} models have the same score on one side: {' and '.join(flat)}"
    return None


def _named(names: Iterable[str | None]) -> str:
    """Names in words, the first ten of them where they are many.

    >>> _named({"b", "a"}), _named([None]), _named([])
    ('a, b', 'no groups', 'none')
    """
    known = sorted(str(name) for name in names if name is not None)
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    return ", ".join(known[:_LISTED]) + more or ("no groups" if list(names) else "none")


def _left_out(
    groups: Sequence[Sequence[Groups]], counted: Sequence[set[str | None]]
) -> Iterator[str]:
    """Which groups do not count."""
    every = {group for models in groups for each in models for group in each}
    gone = every - (counted[0] | counted[1])
    if gone:
        yield (
            "the groups differ between models or sides; left out, as not all have them: "
            f"{_named(gone)}."
        )


def _require_some(domains: Sequence[_Domain], first: Side, second: Side) -> None:
    """Refuse to say nothing but dashes."""
    if all(len(domain.models) < _LEAST for domain in domains):
        raise FairauditError(_nothing_shared(first, second))
    if all(domain.reason for domain in domains):
        reasons = "; ".join(f"{domain.about}{domain.reason}" for domain in domains)
        raise FairauditError(
            f"nothing to correlate: {reasons}. Expected scores that differ between models: one "
            "for each (of audit files: --intrinsic-group NAME, --extrinsic-group NAME), or those "
            "of two groups or more that all have."
        )


class _Part:
    """Coefficients of each domain, as rows of an audit."""

    def __init__(self, domains: Sequence[_Domain], design: Design) -> None:
        self._domains, self._design = domains, design
        self._found = {
            (domain.name, metric): _correlated(domain, metric, design)
            for metric in CORRELATION
            for domain in domains
        }

    def estimates(self) -> Iterable[Estimate]:
        """Rows of estimates."""
        for (domain, metric), each in self._found.items():
            attribute = None if domain is None else DOMAIN
            values = {} if domain is None else {DOMAIN: domain}
            yield Estimate(
                attribute, domain or ALL, values, metric, defined(each.value), defined(each.low),
                defined(each.high), each.n, each.n, None, each.sums,
            )  # fmt: skip

    def comparisons(self) -> Iterable[Comparison]:
        """Rows with p-values, adjusted over the domains."""
        for metric in CORRELATION:
            rows = {name: each for (name, of), each in self._found.items() if of == metric}
            raw = np.array([each.p_value for each in rows.values()])
            adjusted = adjust(raw, self._design.correction)
            for (name, each), p_adjusted in zip(rows.items(), adjusted, strict=True):
                yield Comparison(
                    None if name is None else DOMAIN, metric, "correlation", name or ALL, None,
                    defined(each.value), defined(each.low), defined(each.high),
                    defined(each.p_value), defined(p_adjusted), self._design.correction,
                )  # fmt: skip

    def notes(self) -> Iterable[str]:
        """What a reader must know."""
        for domain in self._domains:
            found = {name: self._found[domain.name, name] for name in CORRELATION}
            for note in [*domain.notes, *_limits(domain, found)]:
                yield f"{domain.about}{note}"
        yield (
            "An intrinsic score is no proxy for harm downstream, whatever the correlation over "
            "these models."
        )


def _limits(domain: _Domain, found: Mapping[str, Correlation]) -> Iterator[str]:
    """Why a domain has no coefficient or no interval, or how little they say."""
    if domain.reason:
        yield f"nothing to correlate: {domain.reason}."
        return
    n = len(domain.models)
    bare = [METRICS[name].label for name, each in found.items() if np.isnan(each.low)]
    if n < FEW_MODELS:
        width = ", and its interval is wide" if len(bare) < len(found) else ""
        yield f"{n} models only; with fewer than {FEW_MODELS} a correlation says little{width}."
    if bare:
        why = "all models lie on a line" if n > _LEAST else f"it takes {_LEAST + 1} models"
        yield f"no interval ({', '.join(bare)}): {why}."


def _correlated(domain: _Domain, metric: str, design: Design) -> Correlation:
    known = np.isfinite(domain.first) & np.isfinite(domain.second)
    return correlation(
        domain.first[known],
        domain.second[known],
        ranked=metric == CORRELATION[1],
        confidence=design.confidence,
        resamples=design.resamples,
        seed=design.seed,
    )


def _records(domains: Sequence[_Domain], first: Side, second: Side) -> Records:
    """What became of the models, and of rows without a score."""
    every, shared = first.models | second.models, first.models & second.models
    used = {model for domain in domains if not domain.reason for model in domain.models}
    dropped = Counter({f"models of the {first.name} side only": len(first.models - shared)})
    dropped[f"models of the {second.name} side only"] = len(second.models - shared)
    dropped["models of no domain with a coefficient"] = len(shared - used)
    dropped["rows without a model, a group or a score"] = first.missing + second.missing
    total = len(every) + first.missing + second.missing
    return Records(total, len(used), {why: n for why, n in dropped.items() if n})


def _alone(first: Side, second: Side) -> Iterator[str]:
    """Which models, and which domains, one side alone has."""
    for own, other in ((first, second), (second, first)):
        models = sorted(own.models - other.models)
        if models:
            yield f"Models of the {own.name} side only, not used: {', '.join(models)}."
        domains = sorted(str(name) for name in set(own.scores) - set(other.scores))
        if domains:
            yield f"Domains of the {own.name} side only, not used: {', '.join(domains)}."


def _nothing_shared(first: Side, second: Side) -> str:
    shared = len(first.models & second.models)
    listed = ", ".join(
        f"{side.name} {len(side.models)} in {_listed(side.scores)}" for side in (first, second)
    )
    return (
        f"too few models to correlate: {shared} by the same name on both sides ({listed}); "
        "expected 3 or more with a score in the same domain on either side."
    )


def _listed(domains: Iterable[str | None]) -> str:
    """Domains in words.

    >>> _listed(["race", "gender"]), _listed([None])
    ('gender, race', 'no domain')
    """
    named = sorted(name for name in domains if name is not None)
    return ", ".join(named) or "no domain"
