"""Fairness as a test: fails with a line per criterion that says what was found."""

import fairaudit


def test_the_model_misses_no_group_much_more_often():
    audit = fairaudit.errors(
        "applicants.csv",
        label="qualified",
        prediction="hired",
        by=["sex", "race"],
        cluster="agency",
    )
    assert audit.judge("fairness.toml")
