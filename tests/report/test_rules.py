"""The four-fifths rule, and the tables of Local Law 144."""

import csv
import io
import re

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from fairaudit.cli import app
from fairaudit.exceptions import FairauditError
from fairaudit.report import machine, rules
from tests.report.conftest import audited, row, sheet_of, shown


def selected(counts, column="group"):
    """A record per person, from group to how many were selected of how many."""
    return pd.DataFrame(
        [
            {column: group, "hired": "yes" if i < k else "no"}
            for group, (k, n) in counts.items()
            for i in range(n)
        ]
    )


def table(counts, rule="four-fifths", **options):
    return audited(selected(counts), prediction="hired", by="group", rule=rule, **options)


def records(audit):
    return list(csv.DictReader(io.StringIO(machine.to_csv(audit))))


@pytest.mark.parametrize(
    ("position", "rates", "ratios"),
    [
        ("Captain", ["64.0", "37.5", "37.5"], [".586", ".586"]),
        ("Lieutenant", ["58.1", "31.6", "20.0"], [".543", ".344"]),
    ],
)
def test_ricci(data, position, rates, ratios):
    exam = pd.read_csv(data / "tabular" / "ricci" / "ricci.csv")
    exam["passed"] = (exam.Combine >= 70).astype(int)
    where = f"Position = '{position}'"
    options = {"prediction": "passed", "by": "Race", "where": where, "rule": "four-fifths"}
    audit = audited(exam, **options)
    lines = sheet_of(shown(audit), "Impact ratios, by Race")
    groups = {name: row(lines, name) for name in "WBH"}
    assert [groups[name][2] for name in "WBH"] == rates
    assert [groups[name][3].lstrip("0") for name in "BH"] == ratios
    # All are below 4/5, and none is shown to be: 8 to 43 people each.
    assert "perhaps by chance: B, H." in shown(audit).replace("\n", " ")


def test_three_outcomes():
    below = shown(table({"a": (600, 1000), "b": (300, 1000)}))
    assert "Four-fifths rule: shown to be below 4/5: b." in below
    perhaps = shown(table({"a": (12, 20), "b": (8, 20)})).replace("\n", " ")
    assert "below 4/5 in these records, perhaps by chance: b." in perhaps
    none = shown(table({"a": (60, 100), "b": (55, 100)}))
    assert "Four-fifths rule: no group is below 4/5 in these records." in none
    assert "shown to be below" not in perhaps + none


def test_figures_of_the_four_fifths_table():
    lines = sheet_of(shown(table({"a": (12, 20), "b": (8, 20), "": (1, 4)})), "Impact ratios")
    assert row(lines, "a") == ["20", "12", "60.0", "1.000", "-", "-", "-"]
    b = row(lines, "b")
    assert b[:4] == ["20", "8", "40.0", "0.667"]
    # Fisher's exact test of 12/20 and 8/20, by scipy.
    assert b[-2:] == ["0.343", "no"]
    assert row(lines, "(missing)")[:4] == ["4", "1", "25.0", "-"]
    # 11/20 against 10/20: one person more and one fewer, and b is ahead.
    close = sheet_of(shown(table({"a": (11, 20), "b": (10, 20)})), "Impact ratios")
    assert row(close, "b")[-1] == "yes"


def test_the_false_alarms_that_the_sentence_names():
    rate = np.array([1.0])
    for _ in range(100):
        rate = np.convolve(rate, [0.8, 0.2])
    k = np.arange(101)
    below = 5 * np.minimum.outer(k, k) < 4 * np.maximum.outer(k, k)
    accused = (np.outer(rate, rate) * below).sum()
    text = shown(table({"a": (6, 10), "b": (5, 10)})).replace("\n", " ")
    found = re.search(r"equal groups of (\d+) people each in (\d+) % of cases, where (\d+) %", text)
    assert found.groups() == ("100", f"{100 * accused:.0f}", "20")


def test_clusters_leave_no_exact_test():
    people = selected({"a": (60, 100), "b": (40, 100)})
    people["agency"] = [str(i % 23) for i in range(len(people))]
    options = {"prediction": "hired", "by": "group", "rule": "four-fifths"}
    text = shown(audited(people, cluster="agency", **options))
    assert "Fisher" not in text
    assert "1 person" not in text
    assert row(sheet_of(text, "Impact"), "b")[:4] == ["100", "40", "40.0", "0.667"]


def test_nobody_selected_is_no_ratio():
    for counts in ({"a": (0, 9), "b": (0, 9)}, {"a": (3, 9)}):
        for rule in ("four-fifths", "ll144"):
            text = shown(table(counts, rule)).replace("\n", " ")
            assert "No impact ratios are shown: they need two groups that are compared" in text


def test_ratios_stand_by_default_only_where_there_are_no_labels(people):
    without = shown(audited(people, prediction="yhat", by="sex"))
    assert "Impact ratios, by sex" in without
    options = {"label": "y", "prediction": "yhat", "by": "sex"}
    assert "Impact ratios" not in shown(audited(people, **options))
    asked = shown(audited(people, **options, rule="four-fifths"))
    assert asked.startswith("Impact ratios, by sex")
    assert "accuracy" not in asked
    assert "Note:" not in asked


def test_the_example_of_local_law_144():
    # 6 RCNY 5-301: 667 of 1,390 men and 555 of 1,181 women.
    audit = table({"Male": (667, 1390), "Female": (555, 1181)}, "ll144")
    lines = sheet_of(shown(audit), "Local Law 144, group categories")
    header = "# of applicants # selected selection rate impact ratio"
    assert " ".join(lines[1].split()) == header
    assert row(lines, "Male") == ["1390", "667", "48.0%", "1.000"]
    assert row(lines, "Female") == ["1181", "555", "47.0%", "0.979"]
    assert "Applicants of an unknown category, who are not in the table: 0." in lines
    markdown = machine.to_markdown(audit)
    assert "| category | # of applicants | # selected | selection rate | impact ratio |" in markdown
    assert "| Female | 1181 | 555 | 47.0% | 0.979 |" in markdown


def test_small_categories_are_left_out_and_said():
    counts = {"a": (50, 100), "b": (20, 99), "few": (3, 4), "": (2, 10)}
    text = shown(table(counts, "ll144"))
    lines = sheet_of(text, "Local Law 144")
    # The few have the highest rate, but 4 of 213 are below 2 %: a is the reference.
    assert row(lines, "a")[-1] == "1.000"
    assert row(lines, "b")[-1] == "0.404"
    assert not any(line.startswith("few") for line in lines)
    said = " ".join(lines)
    assert "less than 2 % of the data, and nobody's reference: few (4 applicants, 3 " in said
    assert "3 selected, selection rate 75.0%)" in said
    assert "unknown category, who are not in the table: 10." in said
    found = {line["category"]: line for line in records(table(counts, "ll144"))}
    assert found["few"]["impact_ratio"] == ""
    assert found["few"]["left_out"] == "less than 2 % of the data"
    assert found["(missing)"]["left_out"] == "unknown category"
    assert found["(missing)"]["applicants"] == "10"
    assert float(found["b"]["impact_ratio"]) == pytest.approx(20 / 99 / 0.5)


def test_scoring_rates_are_above_the_median_of_all():
    people = pd.DataFrame({"sex": ["f"] * 5 + ["m"] * 5, "p": [1, 5, 5, 7, 8, 2, 3, 6, 9, 9]})
    options = {"score": "p", "threshold": "median", "by": "sex", "rule": "ll144"}
    text = shown(audited(people, **options))
    lines = sheet_of(text, "Local Law 144, sex categories: scoring rates and impact ratios")
    assert "# selected" not in text
    # The median is 5.5: above it are 2 of 5 and 3 of 5.
    assert row(lines, "f") == ["5", "40.0%", "0.667"]
    assert row(lines, "m") == ["5", "60.0%", "1.000"]
    assert "The median of all scores is 5.5;" in text
    assert "0.0 % of the scores" in text.replace("\n", " ")
    assert "scoring_rate" in records(audited(people, **options))[0]


def test_crossings_name_their_parts():
    people = selected({"x": (10, 40), "y": (20, 40)}, "race")
    people["sex"] = ["Female", "Male"] * 40
    options = {"prediction": "hired", "by": ["sex", "race:sex"], "rule": "ll144"}
    text = shown(audited(people, **options))
    lines = sheet_of(text, "Local Law 144, race:sex categories")
    assert row(lines, "y: Male") == ["20", "10", "50.0%", "1.000"]
    assert row(lines, "x: Female") == ["20", "5", "25.0%", "0.500"]
    assert "Local Law 144, sex categories" in text
    assert {line["attribute"] for line in records(audited(people, **options))} == {
        "sex", "race:sex"
    }  # fmt: skip


def test_lines_for_machines():
    lines = records(table({"a": (12, 20), "=b()": (8, 20)}))
    names = "attribute category applicants selected selection_rate impact_ratio against ci_low"
    assert list(lines[0])[:8] == names.split()
    b = lines[1]
    assert (b["category"], b["applicants"], b["selected"]) == ("'=b()", "20", "8")
    assert b["selection_rate"] == "0.4"
    assert float(b["impact_ratio"]) == pytest.approx(2 / 3)
    assert b["one_person_reverses"] == "false"
    assert float(b["ci_low"]) < 2 / 3 < float(b["ci_high"])


def test_the_whole_audit_as_json():
    audit = table({"a": (12, 20), "b": (8, 20)}, "ll144")
    assert "demographic_parity_difference" in audit.to_json()
    again = type(audit).from_json(audit.to_json())
    assert shown(again) == shown(audit)


def test_what_a_rule_needs(people):
    for rule in ("four-fifths", "ll144"):
        with pytest.raises(FairauditError, match="name them with --by"):
            rules.check(audited(people, prediction="yhat", rule=rule))
    weighted = people.assign(w=2.0)
    with pytest.raises(FairauditError, match="leave --weight out"):
        rules.check(audited(weighted, prediction="yhat", by="sex", weight="w", rule="ll144"))


def test_the_command_prints_the_table_and_writes_nothing_where_it_cannot(people, tmp_path):
    file, output = tmp_path / "people.csv", tmp_path / "audit.json"
    people.to_csv(file, index=False)
    command = ["errors", str(file), "--prediction", "yhat", "--table", "ll144", "-q"]
    done = CliRunner().invoke(app, [*command, "--by", "sex", "--resamples", "200"])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("Local Law 144, sex categories")
    assert done.stdout.count("\n") < 10
    done = CliRunner().invoke(app, [*command, "-o", str(output)])
    assert done.exit_code == 2
    assert not output.exists()
