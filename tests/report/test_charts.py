"""What is drawn of an audit."""

from __future__ import annotations

import pytest

import fairaudit
from fairaudit.report.contents import contents
from fairaudit.rubric.model import Rubric
from tests.conftest import ROOT

ACCENTS = ROOT / "examples" / "accents" / "transcripts.csv"
HIRING = ROOT / "examples" / "hiring" / "applicants.csv"


def limits(audit, **criterion):
    """Values of the groups, and the limits drawn among them, under a rubric of one criterion."""
    content = {"name": "r", "version": "1", "purpose": "p"}
    rubric = Rubric.of({**content, "criteria": [{"id": "c", "source": "s", **criterion}]}, "r")
    judged = audit.judge(rubric).audit
    (chart,) = [each.chart for each in contents(judged, further=False) if each.chart]
    values = {mark.label: mark.value for mark in chart.marks if mark.label != "(missing)"}
    return values, [limit.value for limit in chart.limits]


@pytest.fixture(scope="module")
def rates():
    return fairaudit.errors(
        HIRING, by="race", label="qualified", prediction="hired", metrics=["true_positive_rate"]
    )


@pytest.fixture(scope="module")
def wer():
    return fairaudit.wer(ACCENTS, by="accent", cluster="speaker", metrics=["wer"])


def test_the_limit_of_a_gap_lies_on_the_side_of_the_worse_groups(rates, wer):
    values, drawn = limits(rates, metric="true_positive_rate", comparison="gap", at_most=0.05)
    assert drawn == [pytest.approx(max(values.values()) - 0.05)]
    values, drawn = limits(wer, metric="wer", comparison="gap", at_most=0.05)
    assert drawn == [pytest.approx(min(values.values()) + 0.05)]


def test_the_limit_of_a_ratio(rates, wer):
    values, drawn = limits(rates, metric="true_positive_rate", comparison="ratio", at_least=0.8)
    assert drawn == [pytest.approx(0.8 * max(values.values()))]
    values, drawn = limits(wer, metric="wer", comparison="ratio", at_most=1.5)
    assert drawn == [pytest.approx(1.5 * min(values.values()))]


def test_the_limit_of_each_group(wer):
    assert limits(wer, metric="wer", comparison="group_max", at_most=0.6)[1] == [0.6]


def test_a_limit_of_something_else_is_not_drawn(wer):
    assert limits(wer, metric="wer", comparison="overall", at_most=0.6)[1] == []


def test_the_words_of_a_chart(wer):
    (chart,) = [each.chart for each in contents(wer, further=False) if each.chart]
    assert chart.interval == "95 % interval"
    assert chart.said.startswith("WER, by accent: errors per reference word, in percent. caribbean")
    assert "us: 26.3 [15.5, 44.7], 288 records. All records: 48.6." in chart.said
