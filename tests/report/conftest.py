"""Audits of decisions, and how they look."""

import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from fairaudit.audits.errors import errors
from fairaudit.report import terminal


def applicants(n=400, seed=5):
    """Decisions at random, worse for b; a group c too small to matter; some of no known group."""
    rng = np.random.default_rng(seed)
    group = rng.choice(np.array(["a", "b", "c", ""], dtype=object), n, p=[0.5, 0.4, 0.03, 0.07])
    truth = rng.random(n) < 0.4
    score = np.clip(0.3 + 0.3 * truth - 0.1 * (group == "b") + rng.normal(0, 0.15, n), 0, 1)
    return pd.DataFrame(
        {
            "group": group,
            "sex": rng.choice(["f", "m"], n),
            "place": rng.choice(["north", "south"], n),
            "y": truth.astype(int),
            "p": score.round(3),
            "yhat": (score >= 0.5).astype(int),
            "size": (100 * score + 1000 * truth).round(2),
            "guess": (110 * score + 1000 * truth + rng.normal(0, 9, n)).round(2),
            "kind": np.where(truth, "red", rng.choice(["blue", "green"], n)),
            "said": rng.choice(["red", "blue", "green"], n),
        }
    )


@pytest.fixture(scope="package")
def people():
    return applicants()


def audited(data, **options):
    return errors(data, resamples=200, **options)


def shown(audit, further=True, width=80):
    """What the terminal shows, as text."""
    file = io.StringIO()
    terminal.show(audit, Console(file=file, width=width, highlight=False), further)
    return file.getvalue()


def sheet_of(text, title):
    """Lines of the first sheet whose title begins so, up to the blank line."""
    part = text[text.index(title) :]
    return part.split("\n\n")[0].splitlines()


def row(lines, name):
    """Cells of the row of this name."""
    return next(line[len(name) :].split() for line in lines if line.startswith(name + " "))
