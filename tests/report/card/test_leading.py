"""The sentence that leads: hand-worked."""

from __future__ import annotations

import pytest

from fairaudit.audit import Audit, Comparison, Data
from fairaudit.report.card.leading import Leading, disparity, is_picked, leading, worst_of
from tests.report.card.made import audit, audits, estimate, gap, overall, table

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
        "records, 60 speakers); records were not grouped."
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
    assert ", ".join(f"{name}={value}" for name, value in row.values.items()) in first


def test_a_search_in_vain() -> None:
    [said] = leading(audits()["search in vain"])
    assert said.startswith("The accuracy over all records is")
    assert said.endswith("; the search shows no slice to differ.")


# --- What differs most --------------------------------------------------------------------


NAMES = {
    "accuracy": "accuracy_equality", "selection_rate": "demographic_parity",
    "true_positive_rate": "equal_opportunity", "false_positive_rate": "predictive_equality",
    "equalized_odds": "equalized_odds",
}  # fmt: skip


def named(metric: str, value: float, p: float, **more) -> Comparison:
    """A gap that the field has a name for."""
    return gap(value, metric=metric, name=f"{NAMES[metric]}_difference", p_value=p, **more)


def decided(*gaps: Comparison, **settings) -> Audit:
    """An audit with accuracy in front."""
    given = {"metric": "accuracy"}
    rows = [estimate("a", 0.9, 0.8, 0.95, **given), estimate("b", 0.8, 0.7, 0.9, **given)]
    return audit(*rows, comparisons=gaps, settings={"metrics": ["accuracy"], **settings})


def differs(made: Audit, partly: bool = False) -> list[str]:
    return list(disparity(Leading(made, partly)))


def test_the_largest_gap_that_is_shown_is_named() -> None:
    rate = named("false_positive_rate", 0.213, 0.0004, low=0.14, high=0.286,
                 attribute="race", group="African-American", against="Caucasian")  # fmt: skip
    others = named("accuracy", 0.1, 0.01), named("true_positive_rate", 0.2, 0.01)
    assert differs(decided(*others, rate)) == [
        "Shown to differ most: false positive rate by race, 21.3 points (95 % interval 14.0 to "
        "28.6, p<0.001), African-American against Caucasian."
    ]
    assert leading(decided(*others, rate))[1] == differs(decided(*others, rate))[0]
    assert differs(decided(rate), partly=True)[0].startswith(
        "Shown to differ most (leaving aside what is left out): false positive rate by race, 21.3"
    )


@pytest.mark.parametrize(
    "row",
    [
        # Not shown; of another setting; of no name; a difference; only the larger of two others.
        named("true_positive_rate", 0.5, 0.06),
        named("true_positive_rate", 0.5, 0.01, variant={"threshold": 0.9}),
        gap(0.5, metric="f1", p_value=0.01),
        named("true_positive_rate", 0.5, 0.01, kind="difference"),
        named("equalized_odds", 0.5, 0.01),
        # The headline's own is as large.
        named("accuracy", 0.5, 0.01),
        named("true_positive_rate", 0.4, 0.01),
    ],
)
def test_nothing_is_named_where_the_headline_has_it_or_nothing_is_shown(row: Comparison) -> None:
    assert differs(decided(named("accuracy", 0.4, 0.01), row)) == []


def test_a_headline_gap_that_is_not_shown_does_not_hide_another() -> None:
    rows = [named("accuracy", 0.5, 0.2), named("selection_rate", 0.1, 0.04)]
    assert "selection rate by accent, 10.0 points" in differs(decided(*rows))[0]
    assert differs(decided(*rows, ci=0.99)) == []


def test_of_a_headline_in_other_units_it_is_not_the_most() -> None:
    made = decided(named("selection_rate", 0.1, 0.01), metrics=["mean_absolute_error"])
    assert differs(made)[0].startswith("Differs as well: selection rate by accent")


def rest(metric: str, value: float, p: float, group: str, **more) -> Comparison:
    """A difference to the rest, its p adjusted over all groups."""
    given = {"attribute": "race", "against": "(rest)", "p_value": 0.0001, "p_adjusted": p}
    return gap(value, kind="difference", metric=metric, group=group, **given, **more)


def test_where_gaps_are_left_out_differences_speak() -> None:
    """Of each metric the smallest p, then the largest of these; by accent there is a gap."""
    rows = [
        named("accuracy", 0.1, 0.4),
        rest("accuracy", -0.05, 0.01, "a"), rest("accuracy", 0.3, 0.04, "b"),
        rest("false_positive_rate", 0.2, 0.02, "a", low=0.1, high=0.3),
        rest("f1", 0.9, 0.001, "a"),
        rest("selection_rate", 0.5, 0.06, "a"),
        rest("true_positive_rate", 0.6, 0.001, "a", variant={"threshold": 0.9}),
    ]  # fmt: skip
    made = decided(*rows)
    found = [(row.metric, row.group) for row in Leading(made, partly=True).differences]
    assert found == [("accuracy", "a"), ("false_positive_rate", "a"), ("selection_rate", "a")]
    assert differs(made, partly=True) == [
        "Shown to differ most (leaving aside what is left out): false positive rate by race, +20.0 "
        "points (95 % interval 10.0 to 30.0, p=0.020), a against the rest."
    ]
    # Where nothing is left out, gaps say it.
    assert differs(made) == []
    with_gap = decided(*rows, named("accuracy", 0.1, 0.4, attribute="race"))
    assert Leading(with_gap, partly=True).differences == []


# --- What is left out, and how many there are ---------------------------------------------


def test_groups_that_are_left_out_are_not_denied() -> None:
    first = leading(audit(overall(), US, CARIBBEAN), partly=True)[0]
    assert first.startswith(
        "The highest WER over the 2 groups that are shown, with at least 288 records each, is 70.5"
    )
    only = leading(audit(overall(), US), partly=True)[0]
    assert only.startswith("The WER of the only group that is shown with one, us (accent), with")
    assert leading(audit(overall()), partly=True)[0].endswith("; the groups are left out.")
    unknown = audit(overall(), estimate("us", None))
    assert leading(unknown, partly=True)[0].endswith("; no group that is shown can be compared.")


def test_slices_that_are_left_out_are_not_denied() -> None:
    variant = {"part": "holdout"}
    rows = [
        estimate("f:[50, inf)", 0.4, 0.3, 0.5, records=28, by="sex:age", variant=variant),
        estimate("(rest)", 0.1, by="sex:age", variant=variant),
        estimate("north", 0.3, 0.2, 0.4, records=64, by="region", variant=variant),
        estimate("(rest)", 0.1, by="region", variant=variant),
    ]
    made = audit(overall(), *rows, kind="search")
    assert leading(made)[0] == (
        "The highest WER over the 2 slices that a search found, each measured in at least 28 "
        "records that had no part in the search, is 40.0 % (95 % interval 30.0 to 50.0), for "
        "sex=f, age=[50, inf), on calls.csv (1,000 records, 60 speakers)."
    )
    assert (
        "over the 2 slices that are shown of those that a search found, each"
        in (leading(made, partly=True)[0])
    )
    one = audit(overall(), *rows[2:], kind="search")
    assert leading(one)[0].startswith(
        "The WER of the only slice that a search found, region=north, measured in 64 records that "
        "had no part in the search, is 30.0 %"
    )
    assert (
        "of the only slice that is shown of those that a search found, region=north"
        in (leading(one, partly=True)[0])
    )
    none = audit(overall(), kind="search")
    assert leading(none, partly=True)[0].endswith("; the slices that a search found are left out.")


def test_what_the_metric_counts_is_told_where_it_is_less() -> None:
    given = {"metric": "true_positive_rate"}
    rows = [estimate("a", 0.5, 0.1, 0.9, records=15, n=4.0, **given),
            estimate("b", 0.8, 0.7, 0.9, records=900, n=200.0, **given)]  # fmt: skip
    settings = {"metrics": ["true_positive_rate"]}
    said = leading(audit(*rows, settings=settings))[0]
    assert "over 2 groups with at least 15 records (4 positive labels) each is 50.0 %" in said
    alone = leading(audit(rows[0], settings=settings))[0]
    assert "a (accent), with 15 records (4 positive labels), is 50.0 %" in alone
    weighted = leading(audit(*rows, settings={**settings, "weight": "w"}))[0]
    assert "with at least 15 records each" in weighted


# --- What being picked does ---------------------------------------------------------------


def test_where_all_groups_are_alike_none_was_picked() -> None:
    rows = [estimate(name, 0.5, 0.4, 0.6) for name in ("a", "b")]
    assert [text[:3] for text in leading(audit(overall(), *rows))] == ["The", "All"]
    assert not is_picked(audit(*rows))
    assert is_picked(audit(*rows, US))


def test_an_interval_that_is_not_there_is_not_spoken_of() -> None:
    _, picked, *_ = leading(audit(overall(), US, estimate("rp", 0.9, clusters=1)))
    assert picked.endswith("as chance had a part in which one it was.")
    given = {"metric": "selection_rate"}
    rows = [estimate("a", 0.4, 0.3, 0.5, **given), estimate("b", 0.6, **given)]
    _, ends, *_ = leading(audit(*rows, settings={"metrics": ["selection_rate"]}))
    assert ends.endswith(
        "than in truth; the interval is of its group alone, without correction for having been "
        "picked."
    )


def test_the_worst_in_a_sentence_of_its_own() -> None:
    found = Leading(audit(overall(), US, CARIBBEAN))
    said = "is 70.5 % (95 % interval 64.6 to 77.0), for caribbean (accent)."
    assert worst_of(found) == f"The highest of 2 groups {said}"
    assert worst_of(Leading(found.audit, partly=True)) == (
        f"The highest of 2 groups that are shown {said}"
    )
