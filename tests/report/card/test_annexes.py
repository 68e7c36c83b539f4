"""What a law or a framework asks for: from audits where they know, else asked of the owner."""

from dataclasses import replace
from pathlib import Path

import pytest

from fairaudit.audit import Finding, Records
from fairaudit.audits.errors import errors
from fairaudit.exceptions import FairauditError
from fairaudit.report.card.annexes import section
from fairaudit.report.card.fields import FIELDS
from fairaudit.report.card.info import Info
from fairaudit.report.card.model import (
    AuditFile,
    Bullets,
    Code,
    Facts,
    Prose,
    Section,
    Stated,
    sections,
)
from fairaudit.report.sheets import Sheet

APPLICANTS = Path(__file__).parents[3] / "examples" / "hiring" / "applicants.csv"
ANNEXES = ("ll144", "eu-ai-act", "nist-rmf")


def file(audit, name="a.json"):
    return AuditFile(name, "5e" * 32, audit)


def law(**options):
    by = ["sex", "race", "sex:race"]
    return errors(APPLICANTS, **{"by": by, "rule": "ll144", "resamples": 100, **options})


@pytest.fixture(scope="module")
def selected():
    return file(law(prediction="hired"), "ll144.json")


@pytest.fixture(scope="module")
def decisions():
    audit = errors(
        APPLICANTS, by="sex", label="qualified", prediction="hired", cluster="agency",
        metrics=["accuracy", "selection_rate", "base_rate"], resamples=100,
    )  # fmt: skip
    finding = Finding(
        "parity", "gap of selection_rate by sex at most 10 points", "fail", "error",
        "selection_rate", "gap", 0.1, "most", "sex", "male", "female", 0.113, 0.105, 0.14, 6801.0,
        "Shown.", source="A choice", audit=audit.signature,
    )  # fmt: skip
    passed = replace(finding, id="fine", status="pass", value=0.01, ci_high=0.05)
    return file(replace(audit, findings=(finding, passed)), "decisions.json")


def flat(block):
    """A block and all below it."""
    yield block
    for inner in getattr(block, "blocks", ()):
        yield from flat(inner)


def of(block, kind):
    return [each for each in flat(block) if isinstance(each, kind)]


def item(annex, name):
    """The item whose anchor ends so."""
    [found] = [each for each in of(annex, Section) if each.id.endswith(f"-{name}")]
    return found


def facts(block):
    return {term: said for each in of(block, Facts) for term, said in each.rows}


# --- Every annex --------------------------------------------------------------------------


@pytest.mark.parametrize("annex", ANNEXES)
def test_nothing_is_stated_where_nobody_stated_anything(annex, selected, decisions):
    for files in ([], [decisions], [selected, decisions]):
        made = section(annex, files, Info())
        stated = of(made, Stated)
        assert stated
        assert all(each.texts == () for each in stated)
        assert all(each.asked and each.key for each in stated)


@pytest.mark.parametrize("annex", ANNEXES)
def test_without_an_audit_each_item_says_which_command_would_fill_it(annex):
    made = section(annex, [], Info())
    assert facts(made)
    assert set(facts(made).values()) == {None}
    assert len(of(made, Code)) >= len(of(made, Facts))
    assert all(each.text.startswith("fairaudit ") for each in of(made, Code))
    assert not of(made, Sheet)
    assert not of(made, Bullets)


@pytest.mark.parametrize("annex", ANNEXES)
def test_anchors_and_that_nothing_is_claimed(annex, decisions):
    made = section(annex, [decisions], Info())
    ids = [each.id for _, each in sections([made])]
    assert len(set(ids)) == len(ids)
    assert ids[0] == f"annex-{annex}"
    assert all(each.startswith(f"annex-{annex}") for each in ids)
    assert set("".join(ids)) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    introduction = made.blocks[0]
    assert isinstance(introduction, Prose)
    assert " not" in introduction.text


def test_every_question_is_asked_once_and_answered_where_it_belongs(decisions):
    keys = [each.key for each in FIELDS]
    assert len(set(keys)) == len(keys)
    table = {"ll144": "ll144", "eu-ai-act": "eu_ai_act", "nist-rmf": "nist_rmf"}
    for annex in ANNEXES:
        own = [key for key in keys if key.split(".")[0] == table[annex]]
        answers = {each.key: (f"answer to {each.key}",) for each in FIELDS}
        stated = of(section(annex, [decisions], Info(answers)), Stated)
        assert {each.key for each in stated} >= set(own)
        assert all(each.texts == (f"answer to {each.key}",) for each in stated)
    assert all(each.asked.endswith((".", "?")) and each.example for each in FIELDS)


# --- Local Law 144 ------------------------------------------------------------------------


def test_ll144_from_the_example(selected, decisions):
    made = section("ll144", [decisions, selected], Info())
    assert facts(item(made, "date")) == {"ll144.json": selected.audit.created}
    assert "no more than one year" in of(item(made, "date"), Prose)[0].text
    # Blanks of the file itself: 199 of sex, 276 of race; 462 have either.
    assert facts(item(made, "unknown")) == {
        "Of an unknown category by sex": "199 of 7,000 applicants",
        "Of an unknown category by race": "276 of 7,000 applicants",
        "Of an unknown category by sex:race": "462 of 7,000 applicants",
    }
    sex, race, both = of(item(made, "tables"), Sheet)
    assert sex.rows == [
        ("male", "3535", "1515", "42.9%", "1.000"),
        ("female", "3266", "1031", "31.6%", "0.737"),
    ]
    assert len(race.rows) == 5
    assert len(both.rows) == 8
    assert not of(item(made, "tables"), Code)
    small = of(item(made, "small"), Bullets)[0].items
    assert small[0] == "American Indian or Alaska Native (race): 62 applicants, 0.9 % of them all"
    assert len(small) == 8
    assert [each.key for each in of(item(made, "small"), Stated)] == ["ll144.excluded"]
    assert [each.key for each in of(item(made, "auditor"), Stated)] == [
        "review.auditor", "review.independent",
    ]  # fmt: skip
    assert "sets no limit on impact ratios" in made.blocks[0].text


def test_ll144_of_scores():
    made = section("ll144", [file(law(score="score"))], Info())
    sex = of(item(made, "tables"), Sheet)[0]
    assert [short for short, _ in sex.header[1:]] == [
        "# of applicants", "scoring rate", "impact ratio",
    ]  # fmt: skip
    # Half of all are above the median: 3,500 of 7,000.
    rates = {row[0]: row[2] for row in sex.rows}
    assert rates == {"male": "54.4%", "female": "45.6%"}
    assert any("The median of all scores is 0.4885" in each for each in sex.sentences)


def test_ll144_without_the_crossing_says_how_to_get_it():
    made = section("ll144", [file(law(prediction="hired", by=["sex", "race"]))], Info())
    tables = item(made, "tables")
    assert len(of(tables, Sheet)) == 2
    assert facts(tables) == {
        "Three tables: of sex, of race or ethnicity, and of both crossed": None
    }
    assert "--by sex:race --table ll144" in of(tables, Code)[0].text


def test_ll144_without_small_categories():
    made = section("ll144", [file(law(prediction="hired", by="sex"))], Info())
    small = item(made, "small")
    assert of(small, Prose)[0].text == "No category is left out of impact ratios for its size."


def test_ll144_needs_groups():
    audit = law(prediction="hired")
    overall = tuple(row for row in audit.estimates if row.attribute is None)
    bare = file(replace(audit, estimates=overall), "bare.json")
    with pytest.raises(FairauditError, match=r"bare\.json: --table ll144 compares groups"):
        section("ll144", [bare], Info())


# --- EU AI Act ----------------------------------------------------------------------------


def test_annex_iv_has_nine_points_in_order(decisions):
    made = section("eu-ai-act", [decisions], Info())
    points = [each for each in made.blocks if isinstance(each, Section)]
    assert [each.title.split()[0] for each in points] == [str(n) for n in range(1, 10)]
    letters = [each.title.split()[0] for each in points[1].blocks]
    assert letters == [f"2({letter})" for letter in "abcdefgh"]


def test_annex_iv_testing_and_accuracy(decisions):
    made = section("eu-ai-act", [decisions], Info())
    testing = item(made, "2-g")
    told = facts(testing)
    assert told["Records"] == "7,000 of 7,000 used"
    assert told["Metrics"] == "accuracy, selection rate and base rate"
    assert decisions.audit.created in told["Date and tool"]
    assert of(testing, Prose)[0].text == "2 verdicts: 1 failed, 1 passed."
    assert of(testing, Bullets)[0].items == [
        "parity failed: selection_rate gap by sex: 11.3 points (male against female), bounds 10.5 "
        "to 14.0, limit at most 10.0 points."
    ]
    assert [each.key for each in of(testing, Stated)][-2:] == ["review.signed", "review.date"]
    [told] = of(item(made, "3"), Bullets)
    [row] = [
        row for row in decisions.audit.estimates
        if row.attribute is None and row.metric == "accuracy"
    ]  # fmt: skip
    assert f"the accuracy is {100 * row.value:.1f} % (95 % interval" in told.items[0]
    assert "The lowest of 2 groups is " in told.items[0]


def test_annex_iv_metrics_have_sources(decisions):
    point = item(section("eu-ai-act", [decisions], Info()), "4")
    assert list(facts(point)) == ["accuracy", "selection rate"]
    assert "29 CFR 1607.4(D)" in facts(point)["selection rate"]
    said = of(point, Bullets)[0].items
    assert "Records of one agency are not taken to be independent." in said
    assert "Further metrics of the audits, not explained here: 1." in said


def test_accuracy_names_the_gap_that_is_larger(decisions):
    """Selection rates differ by 11.3 points, accuracy by less: hand-read from the audit."""
    for annex, name in (("eu-ai-act", "3"), ("nist-rmf", "2-11")):
        point = item(section(annex, [decisions, decisions], Info()), name)
        first, second = of(point, Bullets)[0].items
        assert first.startswith("Audit 1: Over all 7,000 records the accuracy is ")
        assert second.startswith("Audit 2: Over all 7,000 records the accuracy is ")
        assert " Shown to differ most: selection rate by sex, 11.3 points (95 % interval " in first
        assert first.endswith("male against female.")
        # What leads the card is not told a third time.
        assert "on applicants.csv" not in first
        assert 'See also the table "Gaps, beside what chance' in of(point, Prose)[0].text
        assert "more than chance" in of(point, Prose)[0].text


def test_how_many_records_a_value_is_of(decisions):
    audit = replace(decisions.audit, records=Records(7100, 7100, {}))
    point = item(section("nist-rmf", [file(audit)], Info()), "2-11")
    said = of(point, Bullets)[0].items[0]
    assert said.startswith("Over the 7,000 records that count for it the accuracy is ")


def test_records_and_groups_that_are_left_out_have_names_of_their_own(decisions):
    audit = replace(decisions.audit, records=Records(7010, 7000, {"no label": 10}))
    told = facts(item(section("nist-rmf", [replace(decisions, partly=True)], Info()), "2-1"))
    assert told["Groups that are shown"] == "by sex"
    law144 = file(replace(audit, settings={**audit.settings, "rule": "ll144"}))
    data = facts(item(section("ll144", [law144], Info()), "data"))
    assert data["Applicants left out"] == ["no label: 10"]


# --- NIST AI RMF --------------------------------------------------------------------------


def test_measure(decisions):
    made = section("nist-rmf", [decisions], Info())
    numbers = [each.title.split()[1] for each in made.blocks if isinstance(each, Section)]
    assert numbers == ["2.1", "2.10", "2.11", "2.13"]
    fairness = item(made, "2-11")
    assert of(fairness, Prose)[-1].text == "2 verdicts: 1 failed, 1 passed."
    assert [each.key.split(".")[1] for each in of(fairness, Stated)] == [
        "harms", "systemic_bias", "statistical_bias", "human_bias",
    ]  # fmt: skip


def test_an_audit_that_was_not_judged_says_how_to_judge_it(decisions):
    plain = file(replace(decisions.audit, findings=()))
    fairness = item(section("nist-rmf", [plain], Info()), "2-11")
    assert facts(fairness) == {"Criteria and verdicts": None}
    assert "--rubric" in of(fairness, Code)[0].text
