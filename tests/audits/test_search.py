"""The search for the worst subgroup: found in one part of the records, measured in the other."""

import re

import numpy as np
import pandas as pd
import pytest

from fairaudit import FairauditError, search
from fairaudit.audits.decisions.levels import Levels
from fairaudit.groups import Bins
from fairaudit.table import MISSING_VALUES


def people(rng, n=4000, slice_rate=0.5):
    """Decisions that are wrong for one in ten, and more often for old women of the north."""
    frame = pd.DataFrame(
        {
            "sex": rng.choice(["f", "m"], n),
            "age": rng.choice(["young", "old"], n),
            "region": rng.choice(["north", "south", "west"], n),
            "label": rng.integers(0, 2, n),
        }
    )
    inside = (frame.sex == "f") & (frame.age == "old") & (frame.region == "north")
    wrong = rng.random(n) < np.where(inside, slice_rate, 0.1)
    return frame.assign(prediction=np.where(wrong, 1 - frame.label, frame.label), inside=inside)


def found(audit, part="holdout"):
    return [row for row in audit.comparisons if row.variant == {"part": part}]


def test_the_planted_slice_is_found_and_measured_without_bias():
    gaps = []
    for seed in range(20):
        frame = people(np.random.default_rng(seed))
        audit = search(frame, over="sex,age,region", label="label", prediction="prediction")
        first = found(audit)[0]
        assert (first.attribute, first.group) == ("sex:age:region", "f:old:north")
        gaps.append(first.value)
    # The truth is .5 against .9; four standard errors of the mean of 20.
    assert np.mean(gaps) == pytest.approx(-0.4, abs=0.04)


def test_what_was_searched_and_what_was_measured_are_different_records():
    frame = people(np.random.default_rng(1))
    audit = search(frame, over="sex,age,region", label="label", prediction="prediction")
    rows = [row for row in audit.estimates if row.group == "f:old:north"]
    assert [row.variant["part"] for row in rows] == ["search", "holdout"]
    assert sum(row.records for row in rows) == int(frame.inside.sum())
    wrong = frame[frame.inside]
    right = int((wrong.label == wrong.prediction).sum())
    assert sum(round(row.value * row.n) for row in rows) == right
    overall = audit.estimates[0]
    assert overall.value == pytest.approx((frame.label == frame.prediction).mean())


def test_nothing_is_found_where_nothing_is():
    hits = 0
    for seed in range(40):
        frame = people(np.random.default_rng(1000 + seed), n=1000, slice_rate=0.1)
        audit = search(frame, over="sex,age,region", label="label", prediction="prediction")
        hits += bool(found(audit))
    assert hits <= 6  # 2 expected; 7 or more by chance in 3 of 1,000


def test_no_interval_for_what_was_picked_for_its_gap():
    frame = people(np.random.default_rng(2))
    audit = search(frame, over="sex,age,region", label="label", prediction="prediction")
    (picked, *_), (measured, *_) = found(audit, "search"), found(audit)
    assert (picked.ci_low, picked.p_value, picked.adjustment) == (None, None, "max-t")
    assert picked.p_adjusted == 0.005
    assert measured.ci_low < measured.value < measured.ci_high < 0
    assert measured.adjustment == "holm"


def test_the_order_of_rows_does_not_matter():
    frame = people(np.random.default_rng(3))
    options = {"over": "sex,age,region", "label": "label", "prediction": "prediction"}
    one = search(frame, **options)
    other = search(frame.sample(frac=1, random_state=1), **options)
    assert one.comparisons == other.comparisons
    assert one.estimates == other.estimates


def test_only_the_metrics_denominator_counts():
    frame = people(np.random.default_rng(4))
    audit = search(
        frame,
        over="sex,age,region",
        label="label",
        prediction="prediction",
        metric="false_negative_rate",
    )
    assert audit.estimates[0].records == int((frame.label == 1).sum())
    first = found(audit)[0]
    assert (first.group, first.metric) == ("f:old:north", "false_negative_rate")
    assert first.value > 0


def test_clusters_stay_whole():
    frame = people(np.random.default_rng(5))
    frame["person"] = np.arange(len(frame)) // 10
    audit = search(
        frame, over="sex,age,region", label="label", prediction="prediction", cluster="person"
    )
    rows = [row for row in audit.estimates if row.group in ("f:old:north", "(rest)")][:4]
    assert all(row.clusters <= 200 for row in rows)
    assert found(audit)[0].group == "f:old:north"


def test_missing_values_make_no_slice():
    frame = people(np.random.default_rng(6))
    wrong = frame.label != frame.prediction
    frame.loc[wrong & (np.arange(len(frame)) % 2 == 0), "region"] = None
    audit = search(frame, over="region", label="label", prediction="prediction")
    assert all("(missing)" not in row.group for row in found(audit))


def test_numbers_are_cut_at_quartiles_and_it_is_said():
    frame = people(np.random.default_rng(7)).assign(years=lambda f: np.arange(len(f)) % 100)
    audit = search(frame, over="years,sex", label="label", prediction="prediction")
    assert any("--bins years=24.75,49.5,74.25" in note for note in audit.notes)


def test_losses_of_numbers():
    rng = np.random.default_rng(8)
    frame = people(rng).assign(price=rng.normal(100, 10, 4000))
    frame["estimate"] = frame.price + rng.normal(0, np.where(frame.inside, 6, 2))
    audit = search(
        frame, over="sex,age,region", label="price", prediction="estimate", task="regression"
    )
    assert found(audit)[0].group == "f:old:north"
    assert audit.estimates[0].value == pytest.approx((frame.estimate - frame.price).abs().mean())


def test_levels_of_bins_keep_their_order():
    levels = Levels("age", Bins.parse("age=30,50"), MISSING_VALUES)
    levels.add(["55", "18", "", "31"], np.array([1, 2, 1, 1]))
    coded = levels.coded()
    assert coded.names == ["(-inf, 30)", "[30, 50)", "[50, inf)", "(missing)"]
    assert (coded.codes.tolist(), coded.missing) == ([2, 0, 0, 3, 1], 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"over": ""}, "expected columns joined by commas"),
        ({"over": "sex:age"}, "All their crossings are searched"),
        ({"over": "sx"}, "no column 'sx'. Columns: sex, age"),
        ({"depth": 0}, "--depth 0: expected 1 to 5"),
        ({"min_size": 1}, "--min-size 1: expected 2 or more"),
        ({"holdout": 1.0}, "--holdout 1.0: expected from 0.1 to 0.9"),
        ({"permutations": 10}, "--permutations 10: expected 99 or more"),
        ({"metric": "f1"}, "--metric f1: expected one of accuracy"),
        ({"task": "ranking"}, "--task ranking: a search knows binary and regression"),
        ({"over": "sex,label"}, "--over label: is the column of --label"),
        ({"over": "name"}, "more than 20 values"),
        ({"where": "sex = 'x'"}, "no records to audit (filtered by --where: 4000)"),
    ],
)
def test_what_cannot_be_searched(options, message):
    frame = people(np.random.default_rng(9)).assign(name=lambda f: "n" + f.index.astype(str))
    given = {"over": "sex", "label": "label", "prediction": "prediction", **options}
    with pytest.raises(FairauditError, match=re.escape(message)):
        search(frame, **given)
