"""What the Hugging Face Hub reads of a model card: YAML in front, and results by group.

Format: https://github.com/huggingface/hub-docs/blob/main/modelcard.md
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import PurePath
from typing import Any

from fairaudit.audit import Audit, Estimate
from fairaudit.exceptions import FairauditError
from fairaudit.metrics import Metric
from fairaudit.report.card.model import AuditFile
from fairaudit.report.card.words import file_name
from fairaudit.report.sheets import attributes, estimate_rows, named_metrics, only, printable

SPEECH, TABLES = "automatic-speech-recognition", "tabular-classification"
_TASKS = {
    SPEECH: "Automatic Speech Recognition",
    TABLES: "Tabular Classification",
    "tabular-regression": "Tabular Regression",
    "text-classification": "Text Classification",
    "text-ranking": "Text Ranking",
    "text-generation": "Text Generation",
    "fill-mask": "Fill-Mask",
    "feature-extraction": "Feature Extraction",
}
#: Ids of the Hub's metrics (https://hf.co/metrics) that are not our names.
_IDS = {
    "true_positive_rate": "recall",
    "positive_predictive_value": "precision",
    "macro_recall": "recall",
    "macro_precision": "precision",
    "macro_f1": "f1",
    "mean_absolute_error": "mae",
    "root_mean_squared_error": "rmse",
}
#: Tasks of the Hub that audits of language models are of.
_LANGUAGE = {
    "ceat": "feature-extraction", "generation": "text-generation", "likelihood": "text-generation",
}  # fmt: skip
#: Metrics that only predictions of numbers have.
_REGRESSION = {"mean_error", "mean_absolute_error", "root_mean_squared_error", "r2"}

#: Keys that stand without quotes; YAML 1.1 reads ``n``, ``yes`` and ``on`` as truth values.
_KEY = re.compile(r"(?!(?:y|n|yes|no|on|off|true|false|null)$)[A-Za-z_][A-Za-z0-9_-]*", re.I)


def front_matter(metadata: Mapping[str, Any]) -> str:
    r"""Write YAML between two lines of hyphens, which YAML 1.1 and 1.2 read alike.

    Every text is quoted as in JSON, so ``no`` and ``1e3`` stay texts.

    Parameters
    ----------
    metadata : mapping
        Of texts, dates, numbers, truth values, None, and lists and mappings of these.

    Raises
    ------
    FairauditError
        If a number is infinite or not a number, or a value is of another type.

    Examples
    --------
    >>> print(front_matter({"license": "mit", "tags": ["a: b", "no"], "rate": 1e-5}), end="")
    ---
    license: "mit"
    tags:
      - "a: b"
      - "no"
    rate: 1.0e-05
    ---
    """
    lines = [line for name, value in metadata.items() for line in _entry(name, value)]
    return "\n".join(["---", *lines, "---"]) + "\n"


def _entry(name: str, value: Any) -> Iterator[str]:
    """The lines of a key and its value."""
    key = name if _KEY.fullmatch(name) else _quoted(name)
    inner = list(_lines(value, name))
    if isinstance(value, (Mapping, list, tuple)) and value:
        yield f"{key}:"
        yield from (f"  {line}" for line in inner)
    else:
        yield f"{key}: {inner[0]}"


def _lines(value: Any, name: str) -> Iterator[str]:
    """The lines of a value; `name` is for messages."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _entry(key, inner)
    elif isinstance(value, (list, tuple)) and value:
        for inner in value:
            first, *rest = _lines(inner, name)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
    else:
        yield _scalar(value, name)


def _scalar(value: Any, name: str) -> str:
    if isinstance(value, (str, date)):
        return _quoted(str(value))
    if isinstance(value, float) and math.isfinite(value):
        # A reader of YAML 1.1 takes 1e-05 for a text: it wants a point.
        return re.sub(r"^(-?\d+)e", r"\1.0e", repr(float(value)))
    if value is None or isinstance(value, (bool, int)) or value in ([], (), {}):
        return json.dumps(value)
    raise FairauditError(
        f"metadata of the card: {name} is {value!r}; expected a text, a finite number, true, "
        "false, or a list of these. Change it."
    )


def _quoted(text: str) -> str:
    r"""A text in double quotes, with YAML's escapes for what YAML does not allow or folds.

    >>> print(_quoted('a"b\u2028\x7f'))
    "a\"b\u2028\u007f"
    """
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else _escape(ord(c)) for c in quoted)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def model_index(
    name: str, files: Sequence[AuditFile], task: str | None = None
) -> list[dict[str, Any]]:
    """Results for the Hub: the headline metric over all records, and in each group.

    The Hub knows no groups. Each group is a result of its own, with a ``config`` of its own:
    results that differ in ``args`` alone are taken for one (``EvalResult.unique_identifier`` of
    huggingface_hub). Undefined values are left out, because the Hub refuses null; the card's own
    tables show them. ``verified`` is for the Hub's own evaluations and never written.

    Parameters
    ----------
    name : str
        Of the model.
    files : sequence of AuditFile
        Without what may not be shown.
    task : str, optional
        The Hub's id of the model's task, for audits that are not of speech; by default what the
        audit tells.
    """
    results = [
        _result(file.audit, row, metric, task)
        for file in files
        for row, metric in _rows(file.audit)
        if row.value is not None
    ]
    return [{"name": name, "results": results}]


def _rows(audit: Audit) -> Iterator[tuple[Estimate, Metric]]:
    """Estimates of the headline metric: all records first, then each attribute's groups."""
    # A correlation over models is no result of this one.
    if not audit.estimates or audit.kind == "correlation":
        return
    main, metric = only(audit, audit.estimates[0].variant), named_metrics(audit)[0]
    for attribute in [None, *filter(None, attributes(main))]:
        for row in estimate_rows(main, attribute, metric):
            if row.attribute == attribute:
                yield row, metric


def _result(audit: Audit, row: Estimate, metric: Metric, task: str | None) -> dict[str, Any]:
    task = _task(audit, task)
    return {
        "task": {"type": task, "name": _TASKS.get(task, task)},
        "dataset": _dataset(audit, row),
        "metrics": [_metric(audit, row, metric, task)],
    }


def _task(audit: Audit, task: str | None) -> str:
    """The Hub's task of an audit, which may be another than the model's `task`: its own.

    Tables of decisions may also be about texts; only the owner knows.
    """
    if audit.kind == "wer" or "wer" in audit.settings["metrics"]:
        return SPEECH
    if task not in (None, SPEECH):
        return task
    if audit.kind in _LANGUAGE:
        return "fill-mask" if audit.settings.get("scoring") == "masked" else _LANGUAGE[audit.kind]
    if audit.settings.get("query"):
        return "text-ranking"
    return "tabular-regression" if _REGRESSION & {*audit.settings["metrics"]} else TABLES


def _dataset(audit: Audit, row: Estimate) -> dict[str, Any]:
    """The audited file, its folders left out, and the group in it."""
    file = file_name(audit.data[0].path) if audit.data else audit.kind
    group = ", ".join(f"{of}={value}" for of, value in _values(row))
    kind = re.sub(r"[^a-z0-9._-]+", "-", PurePath(file).stem.lower()).strip("-") or audit.kind
    found: dict[str, Any] = {"type": kind, "name": f"{file} ({group})" if group else file}
    return {**found, "config": group, "args": {"group": group}} if group else found


def _values(row: Estimate) -> list[tuple[str, str]]:
    """What holds of the records of a group: a column and its value, for each part of it."""
    if row.attribute is None:
        return []
    values = row.values or {row.attribute: row.group}
    return [(printable(of), printable(str(value))) for of, value in values.items()]


def _metric(audit: Audit, row: Estimate, metric: Metric, task: str) -> dict[str, Any]:
    # Cards of models that were fine-tuned from Whisper give WER in percent on the Hub, as the usual
    # recipe multiplies it by 100; other rates are fractions, as the Hub's own metrics return them.
    percent = task == SPEECH and metric.scale == "percent"
    group = ", ".join(f"{of}: {value}" for of, value in _values(row))
    return {
        "type": _IDS.get(metric.name, metric.name),
        "value": _value(row.value, percent),
        "name": f"{metric.label} ({group})" if group else metric.label,
        "args": _args(audit, row, percent),
    }


def _args(audit: Audit, row: Estimate, percent: bool) -> dict[str, Any]:
    """How sure a value is, and from how much; what is not known is left out."""
    args = {
        "ci_low": _value(row.ci_low, percent),
        "ci_high": _value(row.ci_high, percent),
        "confidence": audit.settings["ci"],
        "unit": "percent" if percent else None,
        "n": _count(row.n),
        "records": row.records,
        "clusters": row.clusters,
    }
    return {key: value for key, value in args.items() if value is not None}


def _value(value: float | None, percent: bool) -> float | None:
    return None if value is None else float(f"{(100 if percent else 1) * value:.12g}")


def _count(n: float) -> float:
    """Weighted records may have a fraction; others are whole.

    >>> _count(12.0), _count(12.5)
    (12, 12.5)
    """
    return int(n) if float(n).is_integer() else n
