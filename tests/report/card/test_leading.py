"""The sentence that leads: hand-worked."""

from __future__ import annotations

import pytest

from fairaudit.audit import Data
from fairaudit.report.card.leading import Leading, leading
from tests.report.card.made import audit, audits, estimate, overall, table

US = estimate("us", 0.1, 0.05, 0.2, records=400)
CARIBBEAN = estimate("caribbean", 0.705, 0.646, 0.77, records=288)
MALE = estimate("caribbean:male", 0.7254, 0.617, 0.852, records=144, by="accent:gender")
FEMALE = estimate("us:female", 0.08, 0.01, 0.2, records=200, by="accent:gender")


def test_the_house_sentence() -> None:
    first, picked, everyone = leading(audit(overall(), US, CARIBBEAN, MALE, FEMALE))
    assert first == (
        "The highest WER over 2 groups and 2 crossings with at least 144 records each is 72.5 % "
        "(95 % interval 61.7 to 85.2), for caribbean:male (accent:gender), on calls.csv (1,000 "
        "records, 60 speakers)."
    )
    assert picked == (
        "The highest of 4 tends to look higher than it is, as chance had a part in which one it "
        "was; its interval is its own, without correction for having been picked."
    )
    assert everyone == "All records together have 20.0 % (15.0 to 25.0)."


def test_where_higher_is_better_the_lowest_leads() -> None:
    given = {"metric": "accuracy"}
    rows = [estimate("a", 0.9, 0.8, 0.95, **given), estimate("b", 0.8, 0.7, 0.9, **given)]
    first, picked, *_ = leading(
        audit(overall(**given), *rows, settings={"metrics": ["accuracy"], "cluster": None})
    )
    assert first.startswith("The lowest accuracy over 2 groups with at least 100 records each is")
    assert "80.0 % (95 % interval 70.0 to 90.0), for b (accent)" in first
    assert picked.startswith("The lowest of 2 tends to look lower than it is")


def test_where_neither_side_is_better_both_ends_lead() -> None:
    given = {"metric": "selection_rate"}
    rows = [
        estimate(g, v, v - 0.1, v + 0.1, **given)
        for g, v in zip("abc", (0.4, 0.6, 0.5), strict=True)
    ]
    first, picked, *_ = leading(
        audit(overall(**given), *rows, settings={"metrics": [given["metric"]]})
    )
    assert first == (
        "The lowest and the highest selection rate over 3 groups with at least 100 records each "
        "are 40.0 % (95 % interval 30.0 to 50.0), for a (accent), and 60.0 % (95 % interval 50.0 "
        "to 70.0), for b (accent), on calls.csv (1,000 records, 60 speakers)."
    )
    assert picked.startswith("The ends of 3 tend to lie farther apart in a sample than in truth")


def test_who_cannot_be_the_worst() -> None:
    unknown = estimate("(missing)", 0.99, 0.9, 1.0, records=500)
    small = estimate("welsh", 0.98, 0.9, 1.0, records=49)
    undefined = estimate("irish", None, records=600)
    made = audit(overall(), US, CARIBBEAN, unknown, small, undefined, settings={"min_n": 50})
    first, _, left_out, _ = leading(made)
    assert first.startswith(
        "The highest WER over 2 groups with at least 288 records each is 70.5 %"
    )
    assert left_out == "1 group with fewer than 50 records is not among them."


def test_a_group_of_just_min_n_can_be_the_worst() -> None:
    first = leading(audit(overall(), US, CARIBBEAN, settings={"min_n": 288}))[0]
    assert "over 2 groups" in first


@pytest.mark.parametrize(
    ("clusters", "said"),
    [(1, "(no interval, as all its records are of one speaker)"), (3, "(no interval)")],
)
def test_the_worst_without_an_interval_says_so(clusters: int, said: str) -> None:
    worst = estimate("rp", 0.9, clusters=clusters)
    assert f"is 90.0 % {said}, for rp" in leading(audit(overall(), US, worst))[0]


def test_groups_that_are_equally_bad_are_counted() -> None:
    rows = [estimate(name, 0.5, 0.4, 0.6) for name in ("a", "b", "c")]
    first = leading(audit(overall(), *rows, US))[0]
    assert "for a (accent) and as high for 2 others, on" in first


def test_without_groups_all_records_lead() -> None:
    assert leading(audit(overall())) == [
        "The WER over all records is 20.0 % (95 % interval 15.0 to 25.0), on calls.csv (1,000 "
        "records, 60 speakers); nothing was grouped by."
    ]


def test_where_nothing_has_a_value_that_is_said() -> None:
    [said] = leading(audit(overall(None, None, None), estimate("us", None)))
    assert said == (
        "The WER has no value on calls.csv (1,000 records, 60 speakers); no group can be compared."
    )


def test_an_only_group_was_not_picked() -> None:
    first, everyone = leading(audit(overall(), US))
    assert first == (
        "The WER of the only group that has one, us (accent), with 400 records, is 10.0 % (95 % "
        "interval 5.0 to 20.0), on calls.csv (1,000 records, 60 speakers)."
    )
    assert everyone.startswith("All records together")


def test_of_several_normalisers_the_first_leads() -> None:
    main, other = {"variant": {"normalize": "basic"}}, {"variant": {"normalize": "none"}}
    rows = [
        overall(**main), estimate("us", 0.1, **main), estimate("rp", 0.3, **main),
        overall(**other), estimate("us", 0.2, **other), estimate("rp", 0.9, **other),
    ]  # fmt: skip
    first = leading(audit(*rows))[0]
    assert first.startswith("The highest WER (normaliser basic) over 2 groups")
    assert "is 30.0 %" in first


def test_a_class_leads_only_where_nothing_else_has_the_metric() -> None:
    red = {"variant": {"class": "red"}}
    rows = [estimate("us", 0.9, **red), overall(**red), overall(), US, CARIBBEAN]
    assert Leading(audit(*rows)).variant is None
    assert Leading(audit(*rows[:2])).variant == {"class": "red"}


def test_numbers_are_written_as_they_are() -> None:
    given = {"metric": "mean_absolute_error"}
    rows = [estimate("a", 12.34, 11.0, 14.0, **given), estimate("b", 10.0, 9.0, 11.0, **given)]
    made = audit(overall(11.1, 10.0, 12.0, **given), *rows, settings={"metrics": [given["metric"]]})
    assert (
        "mean absolute error over 2 groups with at least 100 records each is 12.3 (95 % "
        in (leading(made)[0])
    )


def test_the_level_of_the_interval_is_the_audits() -> None:
    assert "(90 % interval 64.6 to 77.0)" in leading(audit(US, CARIBBEAN, settings={"ci": 0.9}))[0]


def test_names_from_the_data_are_made_visible() -> None:
    made = audit(overall(), US, estimate("\x1b[31mred\u202e", 0.9, 0.8, 1.0, by="a\n"))
    assert "for \\x1b[31mred\\u202e (a\\n), on" in leading(made)[0]


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        ([], "on data without a file ("),
        (["/a/x.csv", "C:\\b\\y.csv"], "on x.csv and y.csv ("),
        (["/a/x.csv", "/b/x.csv"], "on x.csv ("),
        (list("abcde"), "on a, b, c and 2 more ("),
        (["(frame)"], "on a data frame ("),
    ],
)
def test_files_are_named_without_folders(paths: list[str], said: str) -> None:
    made = audit(US, CARIBBEAN, data=tuple(Data(path, "") for path in paths))
    assert said in leading(made)[0]


def test_against_brute_force() -> None:
    data = table()
    right = data["y"] == data["yhat"]
    rates = {g: right[data["sex"] == g].mean() for g in "fm"}
    rates |= {p: right[data["place"] == p].mean() for p in data["place"].unique()}
    for (sex, place), rows in data[data["sex"] != ""].groupby(["sex", "place"]):
        rates[f"{sex}:{place}"] = right[rows.index].mean()
    worst = min(rates, key=rates.__getitem__)
    first = leading(audits()["decisions"])[0]
    assert "over 5 groups and 6 crossings" in first
    assert f"is {100 * rates[worst]:.1f} %" in first
    assert f"for {worst} (" in first


def test_a_slice_is_told_as_it_was_measured() -> None:
    made = audits()["search"]
    measured = [
        r for r in made.estimates if r.variant == {"part": "holdout"} and r.group != "(rest)"
    ]
    assert measured
    first = leading(made)[0]
    row = max(measured, key=lambda row: row.value)
    assert f"{100 * row.value:.1f} %" in first
    assert row.group in first


def test_a_search_in_vain() -> None:
    [said] = leading(audits()["search in vain"])
    assert said.startswith("The accuracy over all records is")
    assert said.endswith("; the search shows no slice to differ.")
