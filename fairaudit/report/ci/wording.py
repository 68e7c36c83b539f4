"""What is said of a finding, whatever the format: its level, its name, its numbers in words."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from fairaudit.audit import Finding
from fairaudit.metrics import METRICS
from fairaudit.report.figures import Figures
from fairaudit.report.sheets import printable

Level = Literal["error", "warning", "note", "none"]
Outcome = Literal["fail", "inconclusive", "pass", "nothing judged"]

#: Characters of a name from the data, an id, a finding's name and a sentence before they are cut:
#: otherwise one value of a column could fill a page.
LONGEST_GROUP, LONGEST_ID, LONGEST_NAME, LONGEST_SENTENCE = 60, 100, 250, 500
#: Digits after the point that are added at most, to tell a number from the limit.
_FURTHER_DIGITS = 6
#: References that are no groups of the data.
_REFERENCES = {
    "(rest)": "the rest",
    "(best)": "the best",
    "(largest)": "the largest",
    "(before)": "before",
}
#: Comparisons that judge each group on its own.
_EACH_GROUP = ("group", "difference")
_DEFAULT_REASONS = {
    "pass": "The data show that the limit is kept",
    "fail": "The data show that the limit is not kept",
    "inconclusive": "The data do not show whether the limit is kept",
}


@dataclass(frozen=True)
class Judged:
    """An audit that was judged.

    Attributes
    ----------
    signature : str
        As its findings have it in `Finding.audit`.
    created : str
        When the audit was made (ISO 8601, UTC); empty where unknown.
    path : str
        The audit file; empty where there is none.
    """

    signature: str
    created: str = ""
    path: str = ""


@dataclass(frozen=True)
class Context:
    """What the findings come from.

    Attributes
    ----------
    rubric, rubric_version : str
        Name and version of the rubric.
    version : str
        Version of fairaudit.
    audits : sequence of Judged
        The audits that were judged.
    path : str
        The rubric file, where it lies in the repository: alerts point to it. Where empty they
        point to the audit file.
    lines : mapping of str to int
        On which line of that file the criterion of this id begins; 1 where not given.
    """

    rubric: str
    rubric_version: str
    version: str
    audits: Sequence[Judged] = ()
    path: str = ""
    lines: Mapping[str, int] = field(default_factory=dict)

    def audit(self, finding: Finding) -> Judged:
        """The audit that a finding is about."""
        found = (audit for audit in self.audits if audit.signature == finding.audit)
        return next(found, Judged(finding.audit))

    def place(self, finding: Finding) -> tuple[str, int]:
        """File and line that an alert points to; the rubric's name where there is no file."""
        if self.path:
            return self.path, max(1, self.lines.get(finding.id, 1))
        return self.audit(finding).path or printable(self.rubric), 1

    @property
    def title(self) -> str:
        """Name and version of the rubric."""
        return cut(printable(f"{self.rubric} {self.rubric_version}".strip()), LONGEST_NAME)


@dataclass(frozen=True)
class Row:
    """A finding with its level and the name that it keeps from run to run."""

    finding: Finding
    level: Level
    name: str

    @property
    def called(self) -> str:
        """Status in words; a failure that does not count says why."""
        if self.finding.status == "fail" and self.level != "error":
            return f"fail ({'warning' if self.finding.waiver is None else 'waived'})"
        return self.finding.status


def rows(findings: Sequence[Finding]) -> list[Row]:
    """Findings with level and name, in their order."""
    names = _names(findings)
    return [Row(f, level(f), name) for f, name in zip(findings, names, strict=True)]


def worst_first(rows: Iterable[Row]) -> list[Row]:
    """Failures, warnings, what is inconclusive, what is waived, passes; the farthest off first."""
    order = ["fail", "fail (warning)", "inconclusive", "fail (waived)", "pass"]
    return sorted(rows, key=lambda row: (order.index(row.called), -_excess(row.finding)))


def level(finding: Finding) -> Level:
    """How loud a finding is; see the table of the package."""
    if finding.status == "pass":
        return "none"
    if finding.status == "inconclusive" or finding.waiver is not None:
        return "note"
    return finding.severity


def outcome(findings: Iterable[Finding]) -> Outcome:
    """The worst outcome that counts: warnings and what is waived do not.

    Of no findings nothing is said: that nothing was judged is no pass.
    """
    findings = list(findings)
    counting = [f.status for f in findings if f.severity == "error" and f.waiver is None]
    worst: tuple[Outcome, ...] = ("fail", "inconclusive")
    for status in worst:
        if status in counting:
            return status
    return "pass" if findings else "nothing judged"


def tally(rows: Iterable[Row]) -> str:
    """How many findings of which kind.

    >>> tally(rows([]))
    'no findings'
    """
    counts = Counter(row.called for row in rows)
    words = {
        "fail": "failed", "fail (warning)": "failed as a warning", "inconclusive": "inconclusive",
        "fail (waived)": "failed but waived", "pass": "passed",
    }  # fmt: skip
    parts = [f"{counts[called]:,} {word}" for called, word in words.items() if counts[called]]
    return ", ".join(parts) or "no findings"


def _excess(finding: Finding) -> float:
    """How far on the wrong side of the limit, relative to the limit."""
    value = _finite(finding.value)
    if value is None:
        return 0.0
    sign = 1 if finding.at == "most" else -1
    return sign * (value - finding.limit) / (abs(finding.limit) or 1.0)


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


# --- Names --------------------------------------------------------------------------------


def fingerprint(row: Row, context: Context) -> str:
    """32 hexadecimal digits, the same in every run that finds the same thing.

    Neither the numbers nor the data go in, nor the group that decided, which may change from run
    to run. The level does: hosts show only what is new, and a failure of what was inconclusive
    before is.
    """
    parts = [context.rubric, kind(row.finding), row.name, row.level]
    text = "\x00".join(parts).encode("utf-8", "backslashreplace")
    return hashlib.sha256(text).hexdigest()[:32]


def kind(finding: Finding) -> str:
    """The audited task, from the audit's signature."""
    return short(finding.audit.split("|")[0] or "audit")


def _names(findings: Sequence[Finding]) -> list[str]:
    """A name for each finding, different within one kind of audit.

    The group is part of it only where each is judged on its own, or one criterion has several
    findings in one audit: the worst of all groups may be another one in the next run.
    """
    names = [_name(finding) for finding in findings]
    several = Counter((f.audit, name) for f, name in zip(findings, names, strict=True))
    for i, (finding, name) in enumerate(zip(findings, names, strict=True)):
        if finding.comparison in _EACH_GROUP or several[finding.audit, name] > 1:
            names[i] = cut(f"{name}, {who(finding) or 'all'}", LONGEST_NAME)
    return list(_numbered(findings, names))


def _numbered(findings: Sequence[Finding], names: Sequence[str]) -> Iterator[str]:
    """Names with a number behind those that were there before."""
    seen: Counter[tuple[str, str]] = Counter()
    for finding, name in zip(findings, names, strict=True):
        key = (kind(finding), name)
        seen[key] += 1
        yield name if seen[key] == 1 else f"{name} #{seen[key]}"


def _name(finding: Finding) -> str:
    """Id of the criterion and what it is about."""
    return cut(f"{label(finding)}: {subject(finding)}", LONGEST_NAME)


def subject(finding: Finding) -> str:
    """What was judged, without numbers.

    >>> gap = Finding("g", "", "fail", "error", "wer", "gap", 0.05, "most", "accent")
    >>> subject(gap)
    'wer gap by accent'
    """
    text = f"{short(finding.metric)} {short(finding.comparison).replace('_', ' ')}"
    if finding.attribute is not None:
        text += f" by {short(finding.attribute)}"
    settings = [f"{short(str(k))}={short(str(v))}" for k, v in (finding.variant or {}).items()]
    return f"{text} ({', '.join(settings)})" if settings else text


def who(finding: Finding) -> str:
    """The groups that decided, empty where none is named.

    >>> who(Finding("d", "", "fail", "error", "wer", "difference", 0.05, "most", "sex", "f",
    ...             "(rest)"))
    'f against the rest'
    """
    groups = [name for name in (finding.group, finding.against) if name is not None]
    return " against ".join(_REFERENCES.get(name, short(name)) for name in groups)


def short(name: str) -> str:
    r"""A name from the data: printable, visible, and cut where very long.

    >>> short("a\n"), short(" ")
    ('a\\n', '(blank)')
    """
    return cut(printable(name), LONGEST_GROUP) if name.strip() else "(blank)"


def label(finding: Finding) -> str:
    """Id of a finding's criterion; longer than names from the data, as ids must differ."""
    return cut(printable(finding.id), LONGEST_ID) if finding.id.strip() else "(blank)"


def cut(text: str, most: int) -> str:
    """A text of `most` characters at most.

    >>> cut("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= most else text[: most - 1] + "…"


# --- Numbers ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Numbers:
    """The numbers of a finding as text, in one unit and with the same digits.

    Attributes
    ----------
    value, bounds, limit : str
        ``bounds`` is empty where there are none.
    """

    value: str
    bounds: str
    limit: str


def numbers(finding: Finding) -> Numbers:
    """Value, bounds and limit: rates in percent, differences of rates in points, ratios as such.

    As many digits as tell the value and the bounds from the limit.

    >>> gap = Finding("g", "", "fail", "error", "wer", "gap", 0.05, "most", value=0.0504,
    ...               ci_low=0.0501, ci_high=0.06)
    >>> numbers(gap)
    Numbers(value='5.04 points', bounds='5.01 to 6.00', limit='at most 5.00 points')
    """
    factor, figures, unit = _scale(finding)
    given = [_finite(x) for x in (finding.value, finding.ci_low, finding.ci_high)]
    value, low, high = (None if x is None else factor * x for x in given)
    limit = factor * finding.limit
    figures = _telling(figures, limit, [x for x in (value, low, high) if x is not None])
    return Numbers(
        "undefined" if value is None else figures.value(value) + unit,
        _bounds(figures, low, high),
        f"at {finding.at} {figures.value(limit)}{unit}",
    )


def _bounds(figures: Figures, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        sides = {"at least": low, "at most": high}
        return "".join(f"{side} {figures.value(x)}" for side, x in sides.items() if x is not None)
    return f"{figures.value(low)} to {figures.value(high)}"


def _scale(finding: Finding) -> tuple[float, Figures, str]:
    """Factor, least digits and unit in which a finding's numbers are written."""
    metric, comparison = METRICS.get(finding.metric), finding.comparison
    if "ratio" in comparison or (metric is None and "ratio" in finding.metric):
        return 1.0, Figures(",.3f"), ""
    # Both are numbers of their own, whatever the metric's scale: a test statistic, and a
    # standardised difference.
    own = any(word in comparison for word in ("heterogeneity", "balance", "p_value"))
    if own or (metric is not None and metric.scale == "number"):
        given = (finding.limit, finding.value, finding.ci_low, finding.ci_high)
        return 1.0, Figures.of("number", [_finite(x) for x in given]), ""
    relative = any(word in comparison for word in ("gap", "difference", "pair", "change"))
    return 100.0, Figures(",.1f"), " points" if relative else " %"


def _telling(figures: Figures, limit: float, others: Sequence[float]) -> Figures:
    """Figures with enough digits: a bound of 5.04 must not read as the limit of 5.0."""
    for further in range(_FURTHER_DIGITS + 1):
        finer = _finer(figures, further)
        exact = math.isclose(float(finer.value(limit).replace(",", "")), limit, rel_tol=1e-9)
        equal = [x for x in others if finer.value(x) == finer.value(limit)]
        if exact and all(math.isclose(x, limit, rel_tol=1e-9) for x in equal):
            break
    return finer


def _finer(figures: Figures, further: int) -> Figures:
    """Figures with so many further digits after the point.

    >>> _finer(Figures(",.1f"), 2)
    Figures(format=',.3f')
    """
    return Figures(re.sub(r"\d+", lambda digits: f"{int(digits[0]) + further}", figures.format))


# --- Sentences ----------------------------------------------------------------------------


def message(finding: Finding) -> str:
    """All of a finding in one line of plain text."""
    return " ".join([f"{subject(finding)}: {measured(finding)}.", *reasons(finding)])


def measured(finding: Finding) -> str:
    """The numbers that decided, and whom they are about."""
    written, groups = numbers(finding), who(finding)
    worse = " worse" if finding.comparison in _WORSE and _directed(finding) else ""
    parts = [written.value + worse + (f" ({groups})" if groups else "")]
    parts += [f"bounds {written.bounds}"] if written.bounds else []
    return ", ".join([*parts, f"limit {written.limit}"])


#: Comparisons whose value says how much worse something is.
_WORSE = ("difference", "change")


def _directed(finding: Finding) -> bool:
    metric = METRICS.get(finding.metric)
    return metric is None or metric.direction is not None


def reasons(finding: Finding) -> list[str]:
    """Why the status is what it is, how much more data would decide, why a failure is waived."""
    sentences = [_sentence(finding.reason or _DEFAULT_REASONS[finding.status])]
    if finding.status == "inconclusive":
        sentences += further(finding)
    if finding.waiver is not None:
        sentences.append(_sentence(f"Waived: {finding.waiver}"))
    return sentences


def further(finding: Finding) -> list[str]:
    """How many more records or clusters would decide, where known."""
    records, clusters = finding.further_records, finding.further_clusters
    more = "" if records is None else f"{records:,} more records"
    if clusters is not None:
        more = f"{clusters:,} more clusters" + (f" ({more})" if more else "")
    return [f"About {more} would decide."] if more else []


def _sentence(text: str) -> str:
    """Plain text on one line that ends with a full stop."""
    text = cut(printable(text.strip()), LONGEST_SENTENCE)
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
