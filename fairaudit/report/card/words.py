"""Names of metrics, files and audits in the sentences of a card."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fairaudit.audit import Audit
from fairaudit.metrics import Metric
from fairaudit.report.figures import Figures
from fairaudit.report.sheets import printable

#: Words of metrics' names that are written in capitals.
_ACRONYMS = {"wer", "cer", "mer", "wil", "ser", "auc", "roc", "f1", "r2", "bpsn", "bnsp"}
#: Words that are people's names.
_NAMES = {"brier": "Brier", "theil": "Theil"}
#: What audits call data that come from no file.
_NO_FILES = {"(frame)": "a data frame", "(stdin)": "standard input"}
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
    return " ".join(word.upper() if word in _ACRONYMS else _NAMES.get(word, word) for word in words)


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
    if n == 1:
        return f"1 {word}"
    if word.endswith("y") and word[-2:-1] not in (*"aeiou", ""):
        return f"{n:,} {word[:-1]}ies"
    return f"{n:,} {word}s"


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
    r"""The name of a file without its folders.

    >>> bare("/a/b.csv"), bare("a\\b.csv")
    ('b.csv', 'b.csv')
    """
    return _NO_FILES.get(path) or printable(re.split(r"[/\\]", path.rstrip("/\\"))[-1])


def files(paths: Sequence[str]) -> str:
    """Names of files without folders; the first three of many.

    >>> files(["/a/calls.csv", "b.csv"])
    'calls.csv and b.csv'
    """
    return listed(list(dict.fromkeys(map(bare, paths))), 3) or "data without a file"


def cluster(audit: Audit) -> str:
    """What a cluster is."""
    return printable(audit.settings.get("cluster") or "cluster")


def task(audit: Audit) -> str:
    """What was audited."""
    if audit.kind == "wer":
        return "Word errors of transcripts"
    if audit.kind == "search":
        return "Search for the worst subgroup"
    if audit.kind != "errors":
        return printable(audit.kind)
    found = _TASKS.get(audit.settings.get("task") or "")
    return found or ("Decisions" if audit.settings.get("label") else "Selections without labels")
