"""Names of metrics, files and audits in the sentences of a card."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fairaudit.audit import Audit
from fairaudit.metrics import Metric
from fairaudit.report.card.kinds import kind
from fairaudit.report.figures import Figures, count
from fairaudit.report.headline import plural
from fairaudit.report.sheets import printable

#: Words of metrics' names that are written in capitals.
_ACRONYMS = {
    "wer", "cer", "mer", "wil", "ser", "auc", "roc", "f1", "r2", "bpsn", "bnsp", "ceat", "weat",
    "seat", "icat",
}  # fmt: skip
#: Words that are people's names.
_NAMES = {"brier": "Brier", "theil": "Theil", "pearson": "Pearson", "spearman": "Spearman"}
#: Metrics whose names are no phrase.
_PHRASES = {"female_of_gendered": "female share of gendered texts"}
#: What audits call data that come from no file.
_NO_FILES = {"(frame)": "a data frame", "(stdin)": "standard input"}
#: What metrics count, in words that need no explanation.
_COUNTED = {"positives": "positive labels", "negatives": "negative labels"}
_TASKS = {
    "multiclass": "Decisions among several classes",
    "regression": "Predicted numbers",
    "ranking": "Rankings",
}


def spoken(metric: Metric) -> str:
    """A metric's name in a sentence.

    >>> from fairaudit.metrics import METRICS
    >>> [spoken(METRICS[name]) for name in ("wer", "true_positive_rate", "roc_auc")]
    ['WER', 'true positive rate', 'ROC AUC']
    """
    words = metric.name.split("_")
    if metric.name in _PHRASES:
        return _PHRASES[metric.name]
    return " ".join(word.upper() if word in _ACRONYMS else _NAMES.get(word, word) for word in words)


def defined(metric: Metric) -> str:
    """What a metric is in, and who defined it.

    >>> from fairaudit.metrics import METRICS
    >>> defined(METRICS["wer"]).split(". Source: ")[0]
    'errors per reference word'
    """
    return f"{metric.unit}. Source: {metric.source}"


def amount(value: float | None, figures: Figures) -> str:
    """A value with its unit.

    >>> amount(0.725, Figures(""))
    '72.5 %'
    """
    if value is None:
        return "undefined"
    return figures.value(value) + ("" if figures.format else " %")


def some(n: float, word: str) -> str:
    """So many of something.

    >>> some(1, "group"), some(2880, "record"), some(2, "agency")
    ('1 group', '2,880 records', '2 agencies')
    """
    return f"1 {word}" if n == 1 else f"{n:,} {plural(word)}"


def counted(n: float, metric: Metric) -> str:
    """How many of what a metric counts.

    >>> from fairaudit.metrics import METRICS
    >>> counted(1.0, METRICS["true_positive_rate"]), counted(4.0, METRICS["wer_speaker"])
    ('1 positive label', '4 clusters')
    """
    what = _COUNTED.get(metric.counted, metric.counted)
    return f"{count(n)} {what.removesuffix('s') if n == 1 else what}"


def listed(texts: Sequence[str], most: int | None = None) -> str:
    """Texts in a sentence, the first few of very many.

    >>> listed(["a"]), listed(["a", "b", "c"]), listed(["a", "b", "c"], 1)
    ('a', 'a, b and c', 'a and 2 more')
    """
    texts = list(texts)
    if most is not None and len(texts) > most:
        texts = [*texts[:most], f"{len(texts) - most:,} more"]
    return " and ".join(part for part in (", ".join(texts[:-1]), *texts[-1:]) if part)


def bare(path: str) -> str:
    r"""The name of a file without its folders, or where else the data are from.

    >>> bare("/a/b.csv"), bare("a\\b.csv")
    ('b.csv', 'b.csv')
    """
    return _NO_FILES.get(path) or file_name(path)


def file_name(path: str) -> str:
    """The last part of a path of any system, whatever system this is."""
    return printable(re.split(r"[/\\]", path.rstrip("/\\"))[-1])


def files(paths: Sequence[str]) -> str:
    """Names of files without folders; the first three of many.

    >>> files(["/a/calls.csv", "b.csv"])
    'calls.csv and b.csv'
    """
    return listed(list(dict.fromkeys(map(bare, paths))), 3) or "data without a file"


def digests(audit: Audit) -> list[str] | str:
    """The audited files with their SHA-256."""
    data = [f"{bare(each.path)}, SHA-256 {each.sha256}" for each in audit.data]
    return data or "no file: made from Python"


def used(audit: Audit) -> str:
    """How many records were used."""
    return f"{audit.records.used:,} of {audit.records.total:,} used"


def dropped(audit: Audit) -> list[str] | str:
    """Records that were not used, by reason."""
    return [f"{printable(why)}: {n:,}" for why, n in audit.records.dropped.items()] or "none"


def cluster(audit: Audit) -> str:
    """What a cluster is."""
    return printable(audit.settings.get("cluster") or "cluster")


def task(audit: Audit) -> str:
    """What was audited."""
    if audit.kind != "errors":
        return kind(audit).task or printable(audit.kind)
    found = _TASKS.get(audit.settings.get("task") or "")
    return found or ("Decisions" if audit.settings.get("label") else "Selections without labels")
