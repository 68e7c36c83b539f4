"""A distilled student beside its teacher and a baseline, as one table, and how it changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fairaudit.audit import Audit, Comparison, Estimate, Kind
from fairaudit.lm.distill.comparison import AGAINST, MODEL, PROBE
from fairaudit.metrics import METRICS
from fairaudit.metrics.distillation import CHANGES
from fairaudit.report.figures import Figures, interval, percent
from fairaudit.report.sheets import Column, Sheet, fitting, level, sheet

_ORDER = ("teacher", "baseline", "student")


@dataclass(frozen=True)
class _Measure:
    """A column: a metric over all records of a probe, or its mean or least over groups."""

    short: str
    long: str
    probe: str
    metric: str
    kind: Kind | None = None
    digits: int | None = None

    def row(self, audit: Audit, role: str) -> Estimate | Comparison | None:
        """What the audit has of it about a model."""
        own = role == audit.settings["role"]
        variant = {PROBE: self.probe} if own else {PROBE: self.probe, MODEL: role}
        rows: Sequence[Estimate | Comparison]
        rows = audit.estimates if self.kind is None else audit.comparisons
        for row in rows:
            if (row.metric, row.variant) == (self.metric, variant) and self._is(row):
                return row
        return None

    def _is(self, row: Estimate | Comparison) -> bool:
        if isinstance(row, Estimate):
            return row.attribute is None
        return row.kind == self.kind


_MEASURES = (
    _Measure("ppl", "perplexity per word", "perplexity", "perplexity"),
    _Measure(
        "pron. gap", "mean |log p(he) - log p(she)| of professions", "pronouns", "pronoun_gap",
        digits=2,
    ),
    _Measure(
        "equity", "equity ratio, mean over professions", "generation", "equity_ratio",
        "macro_mean", 2,
    ),
    _Measure(
        "least", "equity ratio of the least equal profession", "generation", "equity_ratio",
        "least", 2,
    ),
    _Measure(
        "rev. gap", "log perplexity of reversed texts less that of the texts", "perplexity",
        "role_reversal_gap", digits=3,
    ),
    _Measure(
        "CrowS", "pairs about gender whose stereotype is likelier, in percent", "crows-pairs",
        "stereotype_share",
    ),
    _Measure(
        "WinoBias", "accuracy of pro- less anti-stereotypical pronouns, in percent", "winobias",
        "pronoun_accuracy_gap",
    ),
)  # fmt: skip
#: In place of the mean and the least where prompts have no groups.
_UNGROUPED = _Measure("equity", "equity ratio of all texts", "generation", "equity_ratio", digits=2)


def distillation_sheets(audit: Audit) -> Iterator[Sheet]:
    """The models of an audit side by side, an interval below each value, and the changes."""
    own = audit.settings["role"]
    named = {own, *((row.variant or {}).get(MODEL) for row in audit.estimates)}
    roles = [role for role in _ORDER if role in named]
    measures = list(_measures(audit))
    columns = [_column(audit, measure, roles) for measure in measures]
    names = Column("", "model", [name for role in roles for name in (role, level(audit)[0])])
    parts = list(fitting(columns))
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        yield sheet(
            f"Distillation: values, and below them {level(audit)[1]}s",
            [names, *part],
            [*_legend(measures, part), *(_changes(audit) if last else ())],
        )


def _measures(audit: Audit) -> Iterator[_Measure]:
    """The columns of which the audit has anything."""
    found = [each for each in _MEASURES if each.row(audit, audit.settings["role"]) is not None]
    yield from found
    if not any(each.probe == _UNGROUPED.probe for each in found):
        yield from [_UNGROUPED] if _UNGROUPED.row(audit, audit.settings["role"]) else []


def _column(audit: Audit, measure: _Measure, roles: Sequence[str]) -> Column:
    rows = [measure.row(audit, role) for role in roles]
    written = Figures.of(METRICS[measure.metric].scale, [row.value for row in rows if row])
    if measure.digits is not None:
        written = Figures(f".{measure.digits}f")
    cells = [cell for row in rows for cell in _cells(row, written)]
    return Column(measure.short, measure.long, cells)


def _cells(row: Estimate | Comparison | None, written: Figures) -> tuple[str, str]:
    """A value, and its interval."""
    if row is None:
        return "-", "-"
    return written.value(row.value), written.interval(row.ci_low, row.ci_high)


def _legend(measures: Sequence[_Measure], part: Sequence[Column]) -> Iterator[str]:
    """What the short headings of a part stand for."""
    shown = {column.short for column in part}
    said = (f"{each.short}: {each.long}" for each in measures if each.short in shown)
    yield f"{'; '.join(said)}."


def _changes(audit: Audit) -> Iterator[str]:
    """A sentence for each model that the student was compared with."""
    for other in ("baseline", "teacher"):
        said = [text for probe in CHANGES for text in _change(audit, probe, other)]
        if said:
            yield f"Against the {other}, on the same records: {', '.join(said)}."


def _change(audit: Audit, probe: str, other: str) -> Iterator[str]:
    variant = {PROBE: probe, AGAINST: other}
    for row in audit.estimates:
        if row.variant == variant and row.metric == CHANGES[probe] and row.value is not None:
            yield _SAID[row.metric](row)


def _less(row: Any) -> str:
    """A part of the gap that is gone, or that has been added."""
    if row.value >= 0:
        return f"pronoun gap {percent(row.value)} % less {interval(row.ci_low, row.ci_high)}"
    low, high = (None if end is None else -end for end in (row.ci_high, row.ci_low))
    return f"pronoun gap {percent(-row.value)} % more {interval(low, high)}"


def _costlier(row: Any) -> str:
    return f"perplexity {percent(row.value, '+')} % {interval(row.ci_low, row.ci_high)}"


def _fairer(row: Any) -> str:
    written = Figures(".2f")
    limits = written.interval(row.ci_low, row.ci_high)
    return f"mean equity {written.value(row.value, '+')} {limits}"


_SAID = {
    "disparity_reduction": _less,
    "perplexity_increase": _costlier,
    "equity_change": _fairer,
}
