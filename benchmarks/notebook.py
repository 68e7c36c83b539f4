"""The usual notebook: pandas reads and normalises, jiwer counts word errors group by group.

What `speech.py` compares fairaudit with. It does what `--normalize basic` does to ASCII, and
neither intervals nor comparisons.

    python benchmarks/notebook.py speech.parquet counts.json
"""

# mypy: disable-error-code="import-not-found, import-untyped"

from __future__ import annotations

import json
import sys
from pathlib import Path

import jiwer
import pandas as pd


def normalized(texts: pd.Series) -> pd.Series:
    """Ignore case and punctuation, as ``--normalize basic`` does on ASCII."""
    return (
        texts.str.lower()
        .str.replace("'", "", regex=False)
        .str.replace("[^a-z0-9]+", " ", regex=True)
        .str.strip()
    )


def counts(path: str) -> dict[str, dict[str, int]]:
    """Count hits, substitutions, deletions and insertions of each accent and gender."""
    frame = pd.read_parquet(path, columns=["accent", "gender", "reference", "hypothesis"])
    frame["reference"] = normalized(frame["reference"])
    frame["hypothesis"] = normalized(frame["hypothesis"])
    found = {}
    for (accent, gender), group in frame.groupby(["accent", "gender"]):
        words = jiwer.process_words(group["reference"].tolist(), group["hypothesis"].tolist())
        found[f"{accent}:{gender}"] = {
            "hits": words.hits,
            "substitutions": words.substitutions,
            "deletions": words.deletions,
            "insertions": words.insertions,
        }
    return found


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(counts(sys.argv[1])), encoding="utf-8")
