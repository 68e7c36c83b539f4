"""The comments: made by their script, and biased as it says."""

import csv
import importlib.util

import pytest

import fairaudit
from tests.conftest import ROOT

FOLDER = ROOT / "examples" / "comments"


@pytest.fixture(scope="module")
def rows():
    spec = importlib.util.spec_from_file_location("make", FOLDER / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.rows()


def test_the_script_makes_the_table(rows):
    with (FOLDER / "comments.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [["comment", "label", "about"], *map(list, rows)]


def test_comments_about_women_are_called_toxic_more_often(rows):
    toxic = {
        about: sum(label == "toxic" for _, label, who in rows if who == about) / 450
        for about in ("female", "male")
    }
    assert toxic["male"] == pytest.approx(1 / 3)
    assert toxic["female"] == pytest.approx(1 / 2, abs=0.01)


def test_predictions_lean_on_words_about_women(rows):
    audit = fairaudit.sensitivity(
        FOLDER / "comments.csv", text="comment", label="label", protected="about", by="about"
    )
    found = {
        row.group: row.value for row in audit.estimates if row.metric == audit.estimates[0].metric
    }
    gap = next(row for row in audit.comparisons if row.kind == "gap")
    assert found["female"] > found["male"]
    assert gap.p_value < 0.001
