"""Words that are tied to an intersection of groups, and how well they are detected, as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fairaudit.audit import Audit, Explanation
from fairaudit.metrics import METRICS, Counts
from fairaudit.report.figures import Figures, interval, percent
from fairaudit.report.sheets import Column, Sheet, level, printable, sheet

_SCORE = Figures(".2f")
#: What the field calls these metrics where the records are words, and their part and whole.
_CALLED = {
    "true_positive_rate": ("recall", "true_positives"),
    "positive_predictive_value": ("precision", "true_positives"),
    "false_positive_rate": ("false positives", "false_positives"),
    "accuracy": ("accuracy", "correct"),
    "base_rate": ("known words", None),
}
#: Of the thresholds of the sweep every tenth is printed.
_EVERY = 10


def intersection_sheets(audit: Audit) -> Iterator[Sheet]:
    """How well the methods do, the words that they find, and other thresholds."""
    methods = [row for row in audit.explanations if row.kind == "intersectional"]
    if not methods:
        return
    if audit.estimates:
        yield _quality(audit)
    yield _words(methods)
    labelled = [row for row in methods if row.content["sweep"]]
    if labelled:
        yield _sweep(labelled)


def _quality(audit: Audit) -> Sheet:
    """A line per method and measure."""
    order = list(_CALLED)
    rows = sorted(
        (row for row in audit.estimates if row.metric in _CALLED),
        key=lambda row: (row.group != "IBD", order.index(row.metric)),
    )
    columns = [
        Column("", "measure", [f"{row.group}, {_CALLED[row.metric][0]}" for row in rows]),
        Column("%", "percent", [percent(row.value) for row in rows]),
        Column(*level(audit), [interval(row.ci_low, row.ci_high) for row in rows]),
        Column("words", "words", [_words_of(row.metric, row.counts, row.n) for row in rows]),
    ]
    return sheet("Detection of the words that are known, in percent", columns)


def _words_of(metric: str, counts: Mapping[str, float], n: float) -> str:
    part = _CALLED[metric][1]
    whole = counts["true_positives"] + counts["false_negatives"] if part is None else counts[part]
    return f"{whole:.0f}/{n:.0f}"


def _words(methods: Sequence[Explanation]) -> Sheet:
    """The words that IBD finds: by which score, and whether EIBD keeps them and why."""
    ibd, eibd = ({row.group: row.content for row in methods}[name] for name in ("IBD", "EIBD"))
    most = {word: _end(max, ibd["scores"][word]) for word in ibd["found"]}
    words = sorted(most, key=lambda word: -most[word][1])
    least = [_end(min, eibd["scores"][word]) for word in words]
    columns = [
        Column("", "word", [printable(word) for word in words]),
        *_known(methods, words),
        Column("most", "highest score", [_SCORE.value(most[word][1]) for word in words]),
        Column("against", "against", [printable(most[word][0]) for word in words]),
        Column("least", "lowest score, one attribute", [_SCORE.value(v) for _, v in least]),
        Column("against ", "against", [printable(name) for name, _ in least]),
        Column("EIBD", "EIBD", ["yes" if word in eibd["found"] else "no" for word in words]),
    ]
    threshold = f"{ibd['threshold']:g}"
    found = [f"{len(each['found'])} by {name}" for name, each in (("IBD", ibd), ("EIBD", eibd))]
    return sheet(
        f"Words tied to {printable(ibd['target'])}: scores (WEFAT) above {threshold}",
        columns,
        [
            f"Found of {len(ibd['scores'])} words: {', '.join(found)}. All scores are in the audit "
            "file.",
            f"IBD: above {threshold} against some other group. EIBD: of these, those whose lowest "
            "score against a value of one attribute alone is not above it.",
        ],
    )


def _end(choose: Any, scores: Mapping[str, float | None]) -> tuple[str, float]:
    """The highest or lowest score that is defined, and against whom."""
    defined = [(name, value) for name, value in scores.items() if value is not None]
    return choose(defined, key=lambda each: each[1]) if defined else ("-", float("nan"))


def _known(methods: Sequence[Explanation], words: Sequence[str]) -> Iterator[Column]:
    """Which words are known to be tied to the group."""
    known = {row.group: row.content["known"] for row in methods}
    for name, long in (("IBD", "known"), ("EIBD", "known to be emergent")):
        if known[name] is not None:
            cells = ["yes" if word in known[name] else "no" for word in words]
            yield Column("known" if name == "IBD" else "emerg.", long, cells)


def _sweep(methods: Sequence[Explanation]) -> Sheet:
    """Recall, false positive rate and accuracy of each method at some thresholds."""
    shown = methods[0].content["sweep"][::_EVERY]
    columns = [Column("", "threshold", [f"{row['threshold']:.1f}" for row in shown])]
    for method in methods:
        rows = method.content["sweep"][::_EVERY]
        for metric, called in (
            ("true_positive_rate", "recall"),
            ("false_positive_rate", "FPR"),
            ("accuracy", "acc."),
        ):
            long = f"{method.group} {_CALLED[metric][0]}"
            columns.append(
                Column(f"{method.group} {called}", long, [percent(_rate(metric, r)) for r in rows])
            )
    said = [*map(_best, methods), "Every threshold from -2 to 2 by 0.05 is in the audit file."]
    return sheet("Other thresholds, in percent", columns, said)


def _rate(metric: str, row: Mapping[str, Any]) -> float | None:
    counts = {name: n for name, n in row.items() if name != "threshold"}
    correct = counts["true_positives"] + counts["true_negatives"]
    every = Counts.of(**counts, correct=correct, weight=sum(counts.values()))
    found = METRICS[metric]
    return float(found.formula(every)) if found.denominator(every) else None


def _best(method: Explanation) -> str:
    """Which threshold has the highest accuracy on these words, beside that of finding none."""
    best = max(method.content["sweep"], key=lambda row: _rate("accuracy", row) or 0.0)
    none = 1 - (_rate("base_rate", best) or 0.0)
    return (
        f"{method.group}: highest accuracy on these words {percent(_rate('accuracy', best))} %, at "
        f"{best['threshold']:g}; finding none has {percent(none)} %."
    )
