"""What a rubric may say, and what is said where it does not."""

import datetime as dt
import sys

import pytest

from fairaudit.exceptions import FairauditError
from fairaudit.metrics import METRICS
from fairaudit.rubric import Criterion, Rubric, Waiver, load, names, new, policy, text
from fairaudit.toml import parse

GOOD = {"metric": "wer", "comparison": "gap", "at_most": 0.05}


def rubric(*criteria, **keys):
    return Rubric.of({"name": "ours", "criteria": list(criteria), **keys}, "ours.toml")


def refusal(*criteria, **keys):
    with pytest.raises(FairauditError) as refused:
        rubric(*criteria, **keys)
    return str(refused.value)


def test_reads_every_key(tmp_path):
    path = tmp_path / "ours.toml"
    path.write_text(
        """
name = "ours"
version = "2"
purpose = "calls"

[[criteria]]
id = "gap"
metric = "wer"
by = "accent:sex"
comparison = "gap"
at_most = 0.05
min_n = 30
min_share = 0.02
source = "ticket 7"
on = ["us:female", "us:male"]
severity = "warning"
waiver = { reason = "ticket 8", until = 2030-12-31 }
variant = { normalize = "basic" }
""",
        encoding="utf-8",
    )
    found = load(path)
    assert (found.name, found.version, found.purpose) == ("ours", "2", "calls")
    assert found.criteria == (
        Criterion(
            "gap", "wer", "gap", 0.05, "most", "accent:sex", ("us:female", "us:male"), 30, 0.02,
            "ticket 7", "warning", Waiver("ticket 8", dt.date(2030, 12, 31)),
            {"normalize": "basic"},
        ),
    )  # fmt: skip


def test_defaults():
    (found,) = rubric(GOOD).criteria
    assert (found.by, found.on, found.min_n, found.min_share) == (None, (), None, 0.0)
    assert (found.severity, found.waiver, found.variant) == ("error", None, None)


def test_one_group_needs_no_list():
    assert rubric({**GOOD, "comparison": "group_max", "on": "us"}).criteria[0].on == ("us",)


@pytest.mark.parametrize(
    ("name", "metric", "comparison", "side"),
    [
        ("impact_ratio", "selection_rate", "ratio", "at_least"),
        ("demographic_parity_difference", "selection_rate", "gap", "at_most"),
        ("demographic_parity_ratio", "selection_rate", "ratio", "at_least"),
        ("equal_opportunity_difference", "true_positive_rate", "gap", "at_most"),
        ("equalized_odds_difference", "equalized_odds", "gap", "at_most"),
        ("equalized_odds_ratio", "equalized_odds", "ratio", "at_least"),
        ("predictive_parity_difference", "positive_predictive_value", "gap", "at_most"),
    ],
)
def test_names_of_the_field(name, metric, comparison, side):
    (found,) = rubric({"metric": name, side: 0.8}).criteria
    assert (found.id, found.metric, found.comparison) == (name, metric, comparison)
    assert rubric({"metric": name, "comparison": comparison, side: 0.8}).criteria[0] == found


def test_equalized_odds_are_two_rates():
    (found,) = rubric({"metric": "equalized_odds_difference", "at_most": 0.1}).criteria
    assert [m.name for m in found.metrics] == ["true_positive_rate", "false_positive_rate"]


def test_ids_that_were_not_given_are_made_and_differ():
    ids = [c.id for c in rubric(GOOD, GOOD, {**GOOD, "by": "sex"}).criteria]
    assert ids == ["wer_gap", "wer_gap_2", "wer_gap_sex"]
    ids = [c.id for c in rubric(GOOD, {**GOOD, "id": "wer_gap"}).criteria]
    assert ids == ["wer_gap_2", "wer_gap"]


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"metric": "wr"}, "metric: no metric is called 'wr'."),
        ({"metric": "wr"}, "Did you mean 'wer'?"),
        ({"metric": "equalised_odds_difference"}, "Did you mean 'equalized_odds_difference'?"),
        ({"metric": 3}, "metric: expected a text in quotes; found 3."),
        ({"metric": " "}, "metric: expected a text in quotes; found ' '."),
        ({"comparison": "gaps"}, "comparison: found 'gaps'. Expected: gap, ratio,"),
        ({"comparison": "gaps"}, "Did you mean 'gap'?"),
        ({"at_least": 0.1}, "expected at_most or at_least; found both."),
        ({"at_most": "5 %"}, "at_most: expected a number; found '5 %'."),
        ({"at_most": True}, "at_most: expected a number; found True."),
        ({"at_most": float("nan")}, "at_most: expected a number; found nan."),
        ({"at_most": -0.1}, "at_most: a gap of wer can be 0 or more; found -0.1."),
        ({"atmost": 0.1}, "unknown key 'atmost'. Keys: id, metric,"),
        ({"atmost": 0.1}, "Did you mean 'at_most'?"),
        ({"min_n": 2.5}, "min_n: expected a whole number, 0 or more; found 2.5."),
        ({"min_n": -1}, "min_n: expected a whole number, 0 or more; found -1."),
        ({"min_share": 2}, "min_share: expected 0 to 1; found 2."),
        ({"on": []}, 'on: expected texts: ["a", "b"]; found [].'),
        ({"on": [1]}, "on: expected texts"),
        ({"by": 1}, "by: expected a text in quotes; found 1."),
        ({"id": ""}, "id: expected a text in quotes; found ''."),
        ({"severity": "warn"}, "severity: found 'warn'. Expected: error, warning."),
        ({"waiver": "later"}, "waiver: expected a table; found 'later'."),
        ({"waiver": {"reason": "x"}}, "waiver: until: expected a date without quotes: 2030-12-31"),
        ({"waiver": {"until": dt.date(2030, 1, 1)}}, "waiver: reason: expected a text"),
        (
            {"waiver": {"reason": "x", "until": "2030-01-01"}},
            "found '2030-01-01'.",
        ),
        ({"waiver": {"reason": "x", "until": dt.datetime(2030, 1, 1)}}, "until: expected a date"),
        (
            {"waiver": {"reason": "x", "until": dt.date(2030, 1, 1), "who": "me"}},
            "waiver: unknown key 'who'. Keys: reason, until.",
        ),
        ({"variant": "basic"}, "variant: expected a table: { threshold = 0.5 }; found 'basic'."),
        ({"variant": {}}, "variant: expected a table"),
        ({"variant": {"a": [1]}}, "variant: expected a table"),
        ({"comparison": "overall", "by": "sex"}, "by: 'overall' is about all records"),
        ({"comparison": "overall", "on": ["f"]}, "on: 'overall' is about all records"),
        ({"comparison": "group_min"}, "Use at_most with group_max."),
        ({"metric": "equalized_odds", "comparison": "group"}, "has a gap and a ratio"),
        ({"metric": "impact_ratio"}, "comparison: expected ratio, which is what impact_ratio says"),
        ({"metric": "mean_error", "comparison": "ratio"}, "mean_error may be negative"),
    ],
)
def test_refuses(keys, says):
    assert says in refusal({**GOOD, **keys})


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (
            {"metric": "impact_ratio", "at_least": 80},
            "at_least: a ratio of selection_rate can be 0 to 1; found 80. "
            "Shares are not in percent: 0.8.",
        ),
        (
            {"metric": "wer", "comparison": "ratio", "at_most": 0.8},
            "at_most: a ratio of wer can be 1 or more; found 0.8.",
        ),
        (
            {"metric": "accuracy", "comparison": "group_min", "at_least": 90},
            "at_least: a group_min of accuracy can be 0 to 1; found 90. "
            "Shares are not in percent: 0.9.",
        ),
        ({"metric": "wer", "comparison": "gap", "at_least": 0.1}, "a gap is judged by at_most"),
        ({"metric": "wer", "comparison": "group_max", "at_least": 1}, "at_least with group_min."),
        ({"metric": "wer", "comparison": "gap"}, "expected at_most or at_least; found neither."),
        ({"metric": "wer", "at_most": 0.1}, "comparison: expected one of gap, ratio,"),
        ({"comparison": "gap", "at_most": 0.1}, "metric: expected a text in quotes; found nothing"),
    ],
)
def test_refuses_limits(keys, says):
    assert says in refusal(keys)


def test_says_file_criterion_and_key():
    assert refusal(GOOD, {**GOOD, "colour": 1}).startswith(
        "ours.toml, criterion 2: unknown key 'colour'."
    )
    assert refusal({**GOOD, "id": "a", "at_most": -1}).startswith(
        "ours.toml, criterion 1 (a): at_most: "
    )
    assert refusal({**GOOD, "id": "a", "waiver": {}}).startswith(
        "ours.toml, criterion 1 (a), waiver: "
    )
    assert refusal("gap").startswith("ours.toml, criterion 1: expected a table; found 'gap'.")


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"criteria": []}, "ours.toml: criteria: a rubric without criteria passes everything."),
        ({"criteria": "all"}, "ours.toml: criteria: expected one or more tables: [[criteria]]"),
        ({"criterion": [GOOD]}, "unknown key 'criterion'. Keys: name, version, purpose, criteria."),
        ({"name": 1}, "ours.toml: name: expected a text in quotes; found 1."),
        ({"version": 1}, "ours.toml: version: expected a text in quotes; found 1."),
    ],
)
def test_refuses_rubrics(keys, says):
    assert says in refusal(GOOD, **keys)


def test_refuses_an_id_that_stands_twice():
    twice = refusal({**GOOD, "id": "a"}, {**GOOD, "id": "a"})
    assert twice == "ours.toml: id: 'a' stands 2 times; expected once."


def test_a_waiver_holds_to_the_end_of_its_last_day():
    waiver = Waiver("ticket", dt.date(2030, 12, 31))
    assert waiver.holds(dt.date(2030, 12, 31))
    assert not waiver.holds(dt.date(2031, 1, 1))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"name = ", "x.toml, line 1: broken TOML: Invalid value."),
        (b"a = 1\nb = = 2\n", "x.toml, line 2: broken TOML: Invalid value."),
        (b'a = 1\nb = "\xff"\n', "x.toml, line 2: not UTF-8. Save the file as UTF-8."),
    ],
)
def test_broken_files(content, says):
    with pytest.raises(FairauditError) as refused:
        parse("x.toml", content)
    assert str(refused.value) == says


def test_deep_nesting_is_no_crash():
    depth = 20 * sys.getrecursionlimit()
    with pytest.raises(FairauditError, match="broken TOML"):
        parse("x.toml", b"a = " + b"[" * depth)


def test_a_byte_order_mark_is_no_part_of_the_text():
    assert parse("x.toml", b"\xef\xbb\xbfa = 1") == {"a": 1}


def test_missing_file_and_unknown_name(tmp_path):
    with pytest.raises(FairauditError) as refused:
        load("four-fifth")
    assert str(refused.value).startswith(
        "four-fifth: no such file, and no rubric is called so. Rubrics: "
    )
    assert str(refused.value).endswith("Did you mean 'four-fifths'?")
    with pytest.raises(FairauditError, match="cannot be read"):
        load(tmp_path)
    with pytest.raises(FairauditError, match="no rubric is called 'x'"):
        text("x")


def test_shipped_rubrics_are_whole_and_say_where_each_limit_comes_from():
    assert names() == [
        "asr",
        "classification",
        "distillation",
        "four-fifths",
        "language-model",
        "ll144",
    ]
    for name in names():
        rubric = load(name)
        assert rubric.name == name
        assert rubric.version
        assert rubric.purpose
        assert all(criterion.source for criterion in rubric.criteria)
        assert text(name).startswith("#")


def test_local_law_144_sets_no_limit_so_nothing_can_fail():
    assert {criterion.severity for criterion in load("ll144").criteria} == {"warning"}


def test_a_new_rubric_is_valid_as_it_stands_and_with_all_its_comments(tmp_path):
    path = tmp_path / "new.toml"
    path.write_text(new(), encoding="utf-8")
    plain = load(path)
    assert [c.id for c in plain.criteria] == ["wer-gap", "wer_group_max_accent"]
    lines = new().splitlines()
    path.write_text(
        "\n".join(line.removeprefix("# ") if " = " in line else line for line in lines),
        encoding="utf-8",
    )
    found = load(path).criteria[0]
    assert (found.min_n, found.min_share, found.on) == (30, 0.02, ("us", "indian"))
    assert (found.severity, found.variant) == ("warning", {"normalize": "basic"})
    assert found.waiver == Waiver("ticket 12", dt.date(2030, 12, 31))


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_can_have_a_gap(name):
    assert rubric({"metric": name, "comparison": "gap", "at_most": 0.5})


# --- pyproject.toml --------------------------------------------------------------------------


def project(folder, content):
    path = folder / "pyproject.toml"
    path.write_text(content, encoding="utf-8")
    return path


def test_policy_with_defaults(tmp_path):
    found = policy(
        project(
            tmp_path,
            '[tool.fairaudit]\nrubric = "asr"\nby = "accent"\nmin-n = 30\nstrict = true\n'
            'confidence = 0.9\ncluster = "speaker"\n[tool.other]\nx = 1\n',
        )
    )
    assert found.rubric == load("asr")
    assert found.defaults == {
        "by": ("accent",), "min_n": 30, "strict": True, "confidence": 0.9, "cluster": "speaker",
    }  # fmt: skip


def test_policy_names_a_file_beside_it(tmp_path):
    (tmp_path / "rubrics").mkdir()
    (tmp_path / "rubrics" / "ours.toml").write_text(text("ll144"), encoding="utf-8")
    found = policy(project(tmp_path, '[tool.fairaudit]\nrubric = "rubrics/ours.toml"\n'))
    assert found.rubric == load("ll144")


def test_policy_holds_a_rubric(tmp_path):
    content = (
        '[tool.fairaudit.rubric]\nname = "ours"\n[[tool.fairaudit.rubric.criteria]]\n'
        'metric = "wer"\ncomparison = "gap"\nat_most = 0.05\n'
    )
    assert policy(project(tmp_path, content)).rubric == rubric(GOOD)
    path = project(tmp_path, content.replace("0.05", "-1"))
    with pytest.raises(FairauditError) as refused:
        policy(path)
    assert str(refused.value).startswith(
        f"{path}, [tool.fairaudit], rubric, criterion 1: at_most: "
    )


def test_no_policy(tmp_path):
    found = policy(project(tmp_path, '[project]\nname = "x"\n'))
    assert (found.rubric, found.defaults) == (None, {})


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("min_n = 30", "unknown key 'min_n'. Keys: rubric, by,"),
        ("min_n = 30", "Did you mean 'min-n'?"),
        ("min-n = 'x'", "min-n: expected a whole number, 0 or more; found 'x'."),
        ("strict = 1", "strict: expected true or false; found 1."),
        ("rubric = 3", "rubric: expected a text in quotes; found 3."),
        ("rubric = 'nope'", "nope: no such file"),
    ],
)
def test_policy_refuses(tmp_path, line, says):
    with pytest.raises(FairauditError) as refused:
        policy(project(tmp_path, f"[tool.fairaudit]\n{line}\n"))
    assert says in str(refused.value)
    assert "pyproject.toml, [tool.fairaudit]" in str(refused.value) or "nope" in says
