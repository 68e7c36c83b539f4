"""The findings in the hiring example against the truth that its script knows."""

import csv
import doctest
import importlib.util
import io
import re
import shlex

import pytest
from typer.testing import CliRunner

import fairaudit
from fairaudit.cli import app
from tests.conftest import ROOT

FOLDER = ROOT / "examples" / "hiring"
TABLE = str(FOLDER / "applicants.csv")


@pytest.fixture(scope="module")
def make():
    spec = importlib.util.spec_from_file_location("make_hiring", FOLDER / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def truth(make):
    return make.truth()


@pytest.fixture(scope="module")
def readme():
    return (FOLDER / "README.md").read_text()


def rows(audit, **wanted):
    """Estimates and comparisons with these attributes."""
    return [
        row
        for row in (*audit.estimates, *audit.comparisons)
        if all(getattr(row, name, None) == value for name, value in wanted.items())
    ]


def test_the_table_is_what_the_script_makes(make):
    text = io.StringIO()
    table = make.applicants()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*table.values(), strict=True))
    assert (FOLDER / "applicants.csv").read_text(encoding="utf-8") == text.getvalue()
    assert doctest.testmod(make).failed == 0


def test_the_readme_tells_the_truth(readme, truth):
    for group, name in (("female", "sex"), ("male", "sex"), ("Black or African American", "race")):
        line = re.search(rf"^\| `{group}` \| (.*) \|$", readme, re.MULTILINE)[1].split(" | ")
        found = truth[name][group]
        for cell, key in zip(
            line,
            ("share", "selection_rate", "true_positive_rate", "false_positive_rate"),
            strict=False,
        ):
            assert float(cell) == pytest.approx(found[key], abs=0.00051), (group, key)
    for key, sign in (("sex", "-0.124"), ("sex at equal department", "+0.004")):
        assert sign in readme
        assert float(sign) == pytest.approx(truth["differences"][key], abs=0.00051)


def test_the_readmes_commands_run(readme, monkeypatch):
    monkeypatch.chdir(FOLDER)
    commands = re.search(r"## What to look at\n\n```sh\n(.*?)```", readme, re.DOTALL)[1]
    for command in commands.splitlines():
        result = CliRunner().invoke(app, [*shlex.split(command)[1:], "-q"])
        assert result.exit_code == 0, result.output
    assert len(commands.splitlines()) == 4


def test_intervals_hold_the_truth(truth):
    audit = fairaudit.errors(
        TABLE, label="qualified", prediction="hired", by=["sex", "race"], cluster="agency"
    )
    for attribute in ("sex", "race"):
        for group in ("female", "male", "Black or African American", "Asian", "White"):
            for metric in ("selection_rate", "true_positive_rate", "false_positive_rate"):
                if group not in truth[attribute]:
                    continue
                (row,) = rows(audit, attribute=attribute, group=group, metric=metric, kind=None)[:1]
                # 15 intervals of 95 %: a wider margin, so that all can be expected to hold.
                half = (row.ci_high - row.ci_low) / 2
                expected = truth[attribute][group][metric]
                assert abs(row.value - expected) < 1.7 * half, (group, metric)


def test_simpsons_paradox(truth):
    audit = fairaudit.errors(
        TABLE, prediction="hired", by="sex", control="department", cluster="agency"
    )
    (crude,) = rows(audit, kind="difference", group="female", against="(rest)")
    (equal,) = rows(audit, kind="adjusted_difference", group="female")
    assert crude.ci_high < -0.08
    assert crude.ci_low < truth["differences"]["sex"] < crude.ci_high
    assert equal.ci_low < truth["differences"]["sex at equal department"] < equal.ci_high
    assert abs(equal.value) < 0.02


def test_the_four_fifths_rule(truth):
    audit = fairaudit.errors(TABLE, prediction="hired", by="race", rule="four-fifths")
    ratios = {row.group: row for row in rows(audit, name="impact_ratio")}
    black = ratios["Black or African American"]
    assert black.against == "Asian"  # the highest of those with 2 % of the applicants
    assert black.ci_high < 0.8
    assert black.ci_low < truth["race"]["Black or African American"]["impact_ratio"] < black.ci_high
    assert ratios["Hispanic or Latino"].ci_low > 0.8
    assert "American Indian or Alaska Native" not in ratios


def search(**options):
    return fairaudit.search(
        TABLE,
        over="sex,race,age,region",
        label="qualified",
        prediction="hired",
        metric="false_negative_rate",
        bins="age=30,40,50",
        min_size=20,
        **options,
    )


def slices(audit):
    return [row.group for row in rows(audit, kind="difference", variant={"part": "holdout"})]


def test_the_search_finds_what_was_planted(truth):
    audit = search()
    assert slices(audit)[:2] == ["female:[50, inf):north", "Black or African American"]
    measured = rows(audit, attribute="sex:age:region", variant={"part": "holdout"}, kind=None)
    inside, rest = measured[:2]
    assert inside.ci_low < truth["slice"]["false_negative_rate"] < inside.ci_high
    assert rest.ci_low < truth["slice"]["false_negative_rate outside"] < rest.ci_high


def test_the_search_over_agencies():
    # Few agencies have anybody in the planted slice: less evidence than of the larger group.
    found = slices(search(cluster="agency"))
    assert found[:2] == ["Black or African American", "female:[50, inf):north"]
