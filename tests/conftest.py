"""Shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from fairaudit.stats.sums import Sums

ROOT = Path(__file__).parent.parent
COUNTS = ("records", "hits", "substitutions", "deletions", "insertions")


@pytest.fixture
def data() -> Path:
    """Folder of public data with published answers; tests that need it skip without it."""
    folder = Path(os.environ.get("FAIRAUDIT_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("needs the public data (FAIRAUDIT_DATA)")
    return folder


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same output wherever the tests run: 80 columns, no colour, the clock stopped."""
    for name in ("COLUMNS", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")


def speakers(
    rng: np.random.Generator, per_group: list[int], rates: list[float], spread: float = 0.5
) -> Sums:
    """Simulate speakers with log-normal error rates, 40 utterances of 12 words each.

    The design of the published simulations: pooled WER, Poisson errors, between-speaker standard
    deviation `spread` on the logarithmic scale.
    """
    group = np.repeat(np.arange(len(per_group)), per_group)
    mean = np.array(rates)[group]
    own = mean * np.exp(rng.normal(-(spread**2) / 2, spread, len(group)))
    words = rng.poisson(480, len(group))
    errors = np.minimum(rng.poisson(own * words), words)
    zero = np.zeros_like(words)
    matrix = np.column_stack([np.full_like(words, 40), words - errors, errors, zero, zero])
    return sums_of(matrix, group)


def sums_of(matrix: np.ndarray, group: np.ndarray, cluster: np.ndarray | None = None) -> Sums:
    """Sums from rows of counts: each row a cluster of its own, unless told otherwise."""
    cluster = np.arange(len(matrix)) if cluster is None else cluster
    names = tuple(f"g{g:02d}" for g in range(int(group.max()) + 1))
    keys = tuple(f"c{c:05d}" for c in range(int(cluster.max()) + 1))
    order = np.lexsort((group, cluster))
    return Sums(
        "group", COUNTS, names, keys, group[order], cluster[order], matrix[order].astype(float)
    )
