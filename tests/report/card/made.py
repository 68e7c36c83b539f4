"""Audits made by hand and from small tables, for the tests of cards."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd

import fairaudit
from fairaudit.audit import Audit, Comparison, Data, Estimate, Finding, Records
from fairaudit.report.card.model import AuditFile

SETTINGS = {
    "by": "accent", "cluster": "speaker", "norm": "basic", "where": None, "min_n": None,
    "int": "auto", "corr": "holm", "ci": 0.95, "metrics": ["wer"],
}  # fmt: skip
#: What tables of word errors want to see; values are given on their own.
COUNTS = {"hits": 80, "substitutions": 10, "deletions": 10, "insertions": 5}


def estimate(group, value, low=None, high=None, *, records=100, clusters=5, by="accent", **more):
    """An estimate of one group; of all records where there is no attribute."""
    parts = dict(zip((by or "").split(":"), group.split(":"), strict=False)) if by else {}
    given = {"metric": "wer", "n": 10.0 * records, "counts": COUNTS, "variant": None} | more
    return Estimate(
        attribute=by, group=group, values=parts, value=value, ci_low=low, ci_high=high,
        records=records, clusters=clusters, **given,
    )  # fmt: skip


def overall(value=0.2, low=0.15, high=0.25, **more):
    """All records."""
    return estimate("(all)", value, low, high, by=None, **{"records": 1000, "clusters": 60} | more)


def audit(*rows, settings=None, comparisons=(), findings=(), **changes):
    """An audit of these estimates."""
    made = Audit(
        "wer", "2026-03-01T10:00:00Z", "1.0", "wer|by:accent", (Data("/data/calls.csv", "ab12"),),
        Records(1000, 1000, {}), SETTINGS | (settings or {}), tuple(rows), tuple(comparisons), (),
        findings=tuple(findings),
    )  # fmt: skip
    return replace(made, **changes)


def file(made, name="audit.json"):
    return AuditFile(name, "f" * 64, made)


def gap(value=0.1, low=0.0, high=0.3, **more):
    """The gap between two groups."""
    given = {
        "attribute": "accent", "metric": "wer", "kind": "gap", "group": "caribbean",
        "against": "us", "chance": 0.04, "p_value": 0.03,
    }  # fmt: skip
    return Comparison(value=value, ci_low=low, ci_high=high, **given | more)


def finding(status="inconclusive", **more):
    """A verdict on that gap."""
    given = {
        "id": "wer-gap", "criterion": "gap of wer by accent at most 5 points",
        "severity": "error", "metric": "wer", "comparison": "gap", "limit": 0.05, "at": "most",
        "attribute": "accent", "group": "caribbean", "against": "us", "value": 0.1,
        "ci_low": 0.0, "ci_high": 0.3, "n": 900.0, "reason": "Too little data.",
        "source": "Koenecke et al., 2020",
    }  # fmt: skip
    return Finding(status=status, **given | more)


@cache
def table(n=240, seed=3):
    """Decisions and transcripts, some about nobody known."""
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.5
    sex = rng.choice(np.array(["f", "m", ""], dtype=object), n, p=[0.45, 0.45, 0.1])
    score = np.clip(0.3 + 0.4 * truth - 0.2 * (sex == "f") + rng.normal(0, 0.2, n), 0, 1).round(3)
    words = np.array(["one two three four", "five six seven", "eight nine"])[rng.integers(0, 3, n)]
    return pd.DataFrame(
        {
            "sex": sex,
            "place": rng.choice(["north", "south", "west"], n),
            "person": [f"p{i % 30}" for i in range(n)],
            "y": truth.astype(int),
            "yhat": (score >= 0.5).astype(int),
            "p": score,
            "kind": np.where(truth, "red", rng.choice(["blue", "green"], n)),
            "said": rng.choice(["red", "blue", "green"], n),
            "reference": words,
            "hypothesis": [
                text if right else f"{text} Ten" for text, right in zip(words, truth, strict=True)
            ],
        }
    )


@cache
def audits():
    """An audit of every kind, by name."""
    data, quick = table(), {"resamples": 200}
    both, yes = {"label": "y", "prediction": "yhat"}, {"prediction": "yhat"}
    spoken = {"metrics": ["wer", "wer_over_half"], **quick}
    decided = {
        "metrics": ["accuracy", "selection_rate", "true_positive_rate", "false_positive_rate"],
        **quick,
    }
    small = data[data["sex"] == "f"]
    errors, wer, search = fairaudit.errors, fairaudit.wer, fairaudit.search
    crossed = ["sex", "place", "sex:place"]
    return {
        "wer": wer(data, by=crossed, cluster="person", **spoken).judge("asr").audit,
        "wer alone": wer(data, **quick),
        "normalisers": wer(data, by="sex", normalize=["basic", "none"], **spoken),
        "explained": wer(data, by="sex", cluster="person", explain=True, **spoken),
        "adjusted": wer(data, by="sex", adjust="place", match="place", **spoken),
        "decisions": errors(data, by=crossed, score="p", **both, **decided).judge(
            "classification").audit,
        "thresholds": errors(data, by="sex", label="y", score="p", threshold=[0.4, 0.6], **decided),
        "control": errors(data, by="sex", control="place", **yes, **quick),
        "ll144": errors(data, by=crossed, rule="ll144", **yes, **quick),
        "four-fifths": errors(data, by=crossed, rule="four-fifths", **yes, **quick),
        "classes": errors(data, by="sex", label="kind", prediction="said", task="multiclass",
                          **quick),
        "numbers": errors(data, by="sex", label="y", prediction="p", task="regression", **quick),
        "ranking": errors(data, by="sex", score="p", task="ranking", top_k=[20], **quick),
        "search": search(data, over="sex,place", min_size=10, **yes),
        "search in vain": search(data, over="place", min_size=10, **both),
        "one group": errors(small, by="sex", **both, **decided),
        "few": errors(data, by="place", min_n=1000, **both, **decided),
        "undefined": errors(data[data["y"] == 0], by="sex", metrics="true_positive_rate",
                            **both, **quick),
    }  # fmt: skip
