"""Groups at equal covariates."""

import numpy as np
import pandas as pd
import pytest

import fairaudit
from fairaudit.exceptions import FairauditError
from fairaudit.report import machine


def recordings(rng, per_group=30, utterances=20, ratio=1.65, by_duration=0.0, overlap=True):
    """Speakers of two accents; the second talks longer, and longer utterances cost more."""
    rows = []
    for speaker in range(2 * per_group):
        accent = speaker % 2
        own = 0.1 * np.exp(rng.normal(0, 0.3) + accent * np.log(ratio))
        for _ in range(utterances):
            duration = np.exp(rng.normal(1.5 + 0.5 * accent * overlap, 0.5))
            words = rng.poisson(12) + 1
            rate = min(own * np.exp(by_duration * (np.log(duration) - 1.5)), 0.9)
            wrong = rng.random(words) < rate
            said = [f"w{k}" for k in rng.integers(0, 50, words)]
            heard = ["x" if bad else word for bad, word in zip(wrong, said, strict=True)]
            rows.append((f"s{speaker}", "ab"[accent], duration, " ".join(said), " ".join(heard)))
    table = pd.DataFrame(rows, columns=["speaker", "accent", "duration", "reference", "hypothesis"])
    # A word a second: who says it does not matter.
    return table.assign(id=range(len(table)), gender=np.where(table.index % 3, "f", "m"))


def ratios(audit, group="b"):
    return {
        row.variant["adjust"]: row
        for row in audit.comparisons
        if (row.kind, row.group) == ("adjusted_ratio", group)
    }


def crude(audit, group="b"):
    return next(
        r.value
        for r in audit.comparisons
        if (r.kind, r.group, r.metric) == ("ratio", group, "wer") and r.attribute == "accent"
    )


def test_a_gap_that_is_due_to_duration_shrinks_to_one():
    table = recordings(np.random.default_rng(1), ratio=1.0, by_duration=1.0)
    audit = fairaudit.wer(table, by="accent", cluster="speaker", adjust="duration,gender")
    found = ratios(audit)
    assert list(found) == ["", "duration", "duration,gender"]
    assert crude(audit) > 1.4
    assert found[""].value > 1.4
    assert found["duration"].value == pytest.approx(1.0, abs=0.12)
    assert found["duration"].ci_low < 1 < found["duration"].ci_high


def test_a_planted_ratio_stays():
    table = recordings(np.random.default_rng(2), ratio=1.65, by_duration=0.7)
    audit = fairaudit.wer(table, by="accent", cluster="speaker", adjust="duration")
    found = ratios(audit)["duration"]
    assert found.ci_low < 1.65 < found.ci_high
    assert abs(np.log(found.value / 1.65)) < abs(np.log(ratios(audit)[""].value / 1.65))
    assert found.against == "(rest)"
    assert found.p_value is None


def test_blocks_enter_together():
    table = recordings(np.random.default_rng(3), per_group=6)
    audit = fairaudit.wer(table, by="accent", cluster="speaker", adjust="duration+gender")
    assert list(ratios(audit)) == ["", "duration,gender"]


@pytest.mark.parametrize("compare_to", ["best", "largest", "a"])
def test_reference(compare_to):
    table = recordings(np.random.default_rng(4), per_group=6)
    table = table[(table.accent == "a") | (table.index % 5 > 0)]
    audit = fairaudit.wer(
        table, by="accent", cluster="speaker", adjust="duration", compare_to=compare_to
    )
    rows = [row for row in audit.comparisons if row.kind == "adjusted_ratio"]
    assert {row.group for row in rows} == {"b"}
    assert rows[0].against == (compare_to if compare_to == "a" else f"({compare_to})")


def test_what_cannot_be_told_apart_is_undefined():
    table = recordings(np.random.default_rng(5), per_group=6)
    table["gender"] = np.where(table.accent == "a", "f", "m")
    audit = fairaudit.wer(table, by="accent", cluster="speaker", adjust="gender")
    assert ratios(audit)["gender"].value is None
    assert any("cannot be told apart" in note for note in audit.notes)


def test_missing_covariates_are_counted():
    table = recordings(np.random.default_rng(6), per_group=6)
    table["duration"] = table.duration.astype(str)
    table.loc[:6, "duration"] = "NA"
    audit = fairaudit.wer(table, by="accent", cluster="speaker", adjust="duration")
    assert any("7 records without a value of duration" in note for note in audit.notes)


def matched(audit, kind="matched_difference", group="b"):
    return next(row for row in audit.comparisons if (row.kind, row.group) == (kind, group))


def test_matching_balances_and_compares_like_with_like():
    table = recordings(np.random.default_rng(7), ratio=1.0, by_duration=1.0)
    audit = fairaudit.wer(table, by="accent", cluster="speaker", match="duration,gender")
    balance = {
        (row.name, row.variant["matched"]): row.value
        for row in audit.comparisons
        if (row.kind, row.group) == ("balance", "b")
    }
    assert balance["log duration", False] > 0.5
    assert abs(balance["log duration", True]) < 0.25 * balance["log duration", False]
    found = matched(audit)
    assert found.ci_low < 0 < found.ci_high
    assert matched(audit, "matched_ratio").value == pytest.approx(1.0, abs=0.2)
    sides = {
        row.variant["side"]: row
        for row in audit.estimates
        if row.variant and row.variant.get("side") and row.group == "b"
    }
    assert sides["b"].records == sides["(rest)"].records < 600
    assert found.value == pytest.approx(sides["b"].value - sides["(rest)"].value)
    assert any("found a neighbour" in note for note in audit.notes)


def test_order_of_rows_does_not_matter():
    table = recordings(np.random.default_rng(8), per_group=8)
    options = {"by": "accent", "cluster": "speaker", "match": "duration", "adjust": "duration"}
    one = fairaudit.wer(table, **options).to_dict()
    two = fairaudit.wer(table.sample(frac=1, random_state=1), **options).to_dict()
    for a, b in zip(one["comparisons"], two["comparisons"], strict=True):
        assert a.keys() == b.keys()
        for name, value in a.items():
            # The order of additions moves the last digits of a regression.
            close = pytest.approx(b[name], rel=1e-6) if isinstance(value, float) else b[name]
            assert value == close, (a, name)


def test_wrong_options():
    table = recordings(np.random.default_rng(9), per_group=3, utterances=3)
    with pytest.raises(FairauditError, match="no column 'durations'.*duration"):
        fairaudit.wer(table, by="accent", adjust="durations")
    with pytest.raises(FairauditError, match="--adjust: expected different columns"):
        fairaudit.wer(table, by="accent", adjust="duration,duration")
    with pytest.raises(FairauditError, match="--caliper -1"):
        fairaudit.wer(table, by="accent", match="duration", caliper=-1)
    with pytest.raises(FairauditError, match="--adjust and --match compare groups: --by"):
        fairaudit.wer(table, adjust="duration")


def test_equal_propensities_pair_the_like():
    table = recordings(np.random.default_rng(10), per_group=6)
    audit = fairaudit.wer(table, by="accent", cluster="speaker", match="gender")
    after = [r.value for r in audit.comparisons if r.kind == "balance" and r.variant["matched"]]
    assert after
    assert np.allclose(after, 0)


def test_groups_that_cannot_be_matched_are_not_called_balanced():
    table = recordings(np.random.default_rng(11), per_group=6)
    table["gender"] = np.where(table.accent == "a", "f", "m")
    audit = fairaudit.wer(table, by="accent", cluster="speaker", match="gender")
    text = machine.to_markdown(audit)
    assert "Not balanced" in text
    assert "below 0.1" not in text


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("typo", "typo is '1,5'; expected a number"),
        ("names", "names has 120 different texts"),
        ("id", "id is the id, the cluster or a text"),
        ("speaker", "speaker is the id, the cluster or a text"),
        ("hypothesis", "hypothesis is the id, the cluster or a text"),
        ("accent", "accent is what --by groups by"),
    ],
)
@pytest.mark.parametrize("option", ["adjust", "match"])
def test_columns_that_are_no_covariate(column, message, option):
    table = recordings(np.random.default_rng(12), per_group=3)
    table["typo"] = ["1,5", *table.duration.astype(str)[1:]]
    table["names"] = [f"n{i}" for i in range(len(table))]
    with pytest.raises(FairauditError, match=message):
        fairaudit.wer(table, by="accent", cluster="speaker", **{option: column})


def test_a_column_of_several_attributes_is_used_where_it_can_be():
    table = recordings(np.random.default_rng(13), per_group=6)
    audit = fairaudit.wer(table, by=["accent", "gender"], cluster="speaker", match="gender")
    kinds = {(row.attribute, row.kind) for row in audit.comparisons}
    assert ("accent", "balance") in kinds
    assert ("gender", "balance") not in kinds


def test_small_and_single_groups_are_no_reference():
    table = recordings(np.random.default_rng(14), per_group=6)
    good = table[table.accent == "a"].head(3).assign(accent="c", speaker="solo")
    perfect = good.assign(hypothesis=good.reference, id=[-1, -2, -3])
    table = pd.concat([table, perfect])
    options = {"by": "accent", "cluster": "speaker", "adjust": "duration"}
    audit = fairaudit.wer(table, compare_to="best", **options)
    headline = {r.group for r in audit.comparisons if r.kind == "difference" and r.metric == "wer"}
    assert headline == {"b"}
    assert ratios(audit)["duration"].value > 1
    assert fairaudit.wer(table, min_n=10, **options).comparisons
    small = fairaudit.wer(table, min_n=10, **options)
    assert "c" not in {r.group for r in small.comparisons if r.kind == "adjusted_ratio"}


def test_a_group_without_the_covariate():
    table = recordings(np.random.default_rng(15), per_group=6)
    table["age"] = np.where(table.accent == "b", np.nan, 30.0 + table.index % 9)
    for option in ("adjust", "match"):
        audit = fairaudit.wer(table, by="accent", cluster="speaker", **{option: "age"})
        assert any("records without a value of age" in note for note in audit.notes)
    table["age"] = None
    fairaudit.wer(table.astype({"age": "float"}), by="accent", adjust="age", match="age")
