"""Verdicts on hand-made sums, their bounds held against SciPy."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import fairaudit
from fairaudit.audit import Audit, Estimate, Finding
from fairaudit.exceptions import FairauditError
from fairaudit.rubric import Rubric, claims, exit_code, judge
from fairaudit.rubric.bounds import exact_lower
from fairaudit.stats.proportions import koopman, miettinen_nurminen
from fairaudit.stats.sums import Sums
from tests.conftest import sums_of
from tests.rubric.conftest import audit_of, decisions, rubric_of

DAY = dt.date(2030, 1, 1)
SHARE = {"metric": "selection_rate"}
RATIO = {"metric": "impact_ratio", "at_least": 0.8}


def gap_at(limit, **keys):
    return {**SHARE, "comparison": "gap", "at_most": limit, **keys}


def findings(audits, *criteria, **settings) -> tuple[Finding, ...]:
    judged = judge(audits, rubric_of(*criteria), today=DAY, **settings)
    return tuple(finding for audit in judged for finding in audit.findings)


def finding(audits, criterion, **settings) -> Finding:
    (only,) = findings(audits, criterion, **settings)
    return only


def spoken(errors, words, group):
    """Speakers with so many errors and reference words."""
    errors, words = np.array(errors, dtype=float), np.array(words, dtype=float)
    zero = np.zeros_like(words)
    matrix = np.column_stack([np.ones_like(words), words - errors, errors, zero, zero])
    return sums_of(matrix, np.array(group))


# --- Three verdicts --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selected", "people", "limit", "status"),
    [
        ((500, 520), (1000, 1000), 0.1, "pass"),
        ((500, 800), (1000, 1000), 0.1, "fail"),
        ((50, 60), (100, 100), 0.15, "inconclusive"),
        ((500, 600), (1000, 1000), 0.1, "inconclusive"),  # on the limit
    ],
)
def test_gap(selected, people, limit, status):
    assert finding(audit_of(decisions(selected, people)), gap_at(limit)).status == status


def test_bounds_of_a_gap_are_score_limits_one_sided():
    counts = (30.0, 100.0, 60.0, 120.0)
    found = finding(audit_of(decisions((30, 60), (100, 120))), gap_at(0.2))
    # To pass each bound has 5 %; to fail both orders of the pair share it.
    upper = -miettinen_nurminen(*map(np.array, counts), stats.norm.ppf(0.95))[0]
    lower = -miettinen_nurminen(*map(np.array, counts), stats.norm.ppf(0.975))[1]
    assert (found.group, found.against) == ("g01", "g00")
    assert found.value == pytest.approx(60 / 120 - 0.3)
    assert (found.ci_low, found.ci_high) == pytest.approx((float(lower), float(upper)))
    assert found.n == 220


def test_bounds_of_a_ratio():
    counts = [np.array(float(count)) for count in (30, 100, 60, 120)]
    found = finding(audit_of(decisions((30, 60), (100, 120))), RATIO)
    assert (found.group, found.against) == ("g00", "g01")
    assert found.value == pytest.approx(0.3 / (60 / 120))
    assert found.ci_low == pytest.approx(float(koopman(*counts, stats.norm.ppf(0.95))[0]))
    assert found.ci_high == pytest.approx(float(koopman(*counts, stats.norm.ppf(0.975))[1]))
    # The same pair, largest over smallest: everything turned around.
    turned = finding(
        audit_of(decisions((30, 60), (100, 120))), {**SHARE, "comparison": "ratio", "at_most": 1.25}
    )
    assert (turned.group, turned.against) == ("g01", "g00")
    assert [turned.value, turned.ci_low, turned.ci_high] == pytest.approx(
        [1 / found.value, 1 / found.ci_high, 1 / found.ci_low]
    )
    assert turned.status == found.status == "inconclusive"


def test_extremes_are_not_bounded_beyond_equality():
    audit = audit_of(decisions((50, 51), (100, 100)))
    assert finding(audit, gap_at(0.2)).ci_low == 0
    assert finding(audit, RATIO).ci_high == 1
    turned = {**SHARE, "comparison": "ratio", "at_most": 1.25}
    assert finding(audit, turned).ci_low == 1
    # One group may well be better than the rest.
    worse = findings(
        audit, {"metric": "selection_rate", "comparison": "difference", "at_most": 0.2}
    )
    assert worse[0].ci_low < 0


def test_bounds_of_own_values_are_exact_and_simultaneous_to_fail():
    audit = audit_of(decisions((7, 2, 4), (100, 100, 80)))
    found = finding(audit, {**SHARE, "comparison": "group_max", "at_most": 0.2})
    assert (found.group, found.value, found.n) == ("g00", 0.07, 100)
    assert found.ci_low == pytest.approx(stats.beta.ppf(0.05 / 3, 7, 94))
    # The upper bound of 4 of 80 is below that of 7 of 100.
    assert found.ci_high == pytest.approx(stats.beta.ppf(0.95, 8, 93))
    low = finding(audit, {**SHARE, "comparison": "group_min", "at_least": 0.1})
    assert (low.group, low.ci_low) == ("g01", pytest.approx(stats.beta.ppf(0.05, 2, 99)))
    assert low.ci_high == pytest.approx(stats.beta.ppf(1 - 0.05 / 3, 3, 98))


@pytest.mark.parametrize("n", [1, 2, 30, 1000, 100_000])
@pytest.mark.parametrize("tail", [0.4, 0.05, 1e-4, 1e-8])
def test_exact_bounds(n, tail):
    x = np.unique(np.round(np.array([0, 0.01, 0.2, 0.5, 0.99, 1]) * n))
    found = exact_lower(x, np.full_like(x, n), tail)
    theirs = np.where(x > 0, stats.beta.ppf(tail, np.maximum(x, 1), n - x + 1), 0)
    assert found == pytest.approx(theirs, rel=1e-9, abs=1e-300)


def test_speakers_with_as_many_words_make_it_a_t_test():
    rng = np.random.default_rng(4)
    first, second = rng.integers(5, 15, 8), rng.integers(15, 30, 12)
    sums = spoken([*first, *second], [100] * 20, [0] * 8 + [1] * 12)
    found = finding(audit_of(sums), {"metric": "wer", "comparison": "gap", "at_most": 0.3})
    pair = stats.ttest_ind(second / 100, first / 100, equal_var=False)
    assert found.ci_low == pytest.approx(pair.confidence_interval(0.95).low)
    assert found.status == "pass"
    # Both sides' own limits on their logarithmic scale give a higher bound than Welch's.
    up, down = (
        abs(
            np.mean(side)
            / 100
            * np.expm1(way * stats.t.ppf(0.95, len(side) - 1) * stats.sem(side) / np.mean(side))
        )
        for side, way in ((second, 1), (first, -1))
    )
    # Welch's, moved by the skewness of the speakers, is higher still here.
    a, b = (np.asarray(side) / 100 for side in (first, second))
    third = stats.moment(b, 3) / len(b) ** 2 - stats.moment(a, 3) / len(a) ** 2
    move = third / (stats.sem(a) ** 2 + stats.sem(b) ** 2)
    move *= (2 * stats.norm.ppf(0.95) ** 2 + 1) / 6
    moved = pair.confidence_interval(0.90).high + max(move, 0)
    assert found.ci_high == pytest.approx(max(found.value + np.hypot(up, down), moved))
    assert found.ci_high > pair.confidence_interval(0.90).high


def test_speakers_of_both_groups_make_it_a_paired_t_test():
    rng = np.random.default_rng(6)
    quiet, loud = rng.integers(5, 15, 10), rng.integers(10, 30, 10)
    zero, words = np.zeros(20), np.full(20, 100.0)
    errors = np.concatenate([quiet, loud])
    matrix = np.column_stack([np.ones(20), words - errors, errors, zero, zero])
    sums = sums_of(matrix, np.repeat([0, 1], 10), np.tile(np.arange(10), 2))
    found = finding(audit_of(sums), {"metric": "wer", "comparison": "gap", "at_most": 0.3})
    pair = stats.ttest_rel(loud / 100, quiet / 100)
    # The bound from both sides' own limits takes the correlation into account as well.
    upper = pair.confidence_interval(0.90).high
    assert upper < found.ci_high < upper + 0.05 * (upper - found.value)
    assert found.ci_low == pytest.approx(pair.confidence_interval(0.95).low)


def test_overall():
    whole = decisions((70,), (200,), attribute=None, names=["(all)"])
    most = {**SHARE, "comparison": "overall", "at_most": 0.5}
    found = finding(audit_of(whole, decisions((30, 40), (100, 100))), most)
    assert (found.attribute, found.group, found.status) == (None, "(all)", "pass")
    assert (found.value, found.n) == (0.35, 200)
    assert found.ci_high == pytest.approx(stats.beta.ppf(0.95, 71, 130))
    assert found.reason.startswith("Shown to be at most ")


def test_overall_of_one_speaker():
    one = replace(spoken([10], [100], [0]), attribute=None, groups=("(all)",))
    found = finding(audit_of(one), {"metric": "wer", "comparison": "overall", "at_most": 0.5})
    assert found.status == "inconclusive"
    assert found.reason == "The records cannot be judged. Not judged: (all) (one cluster)."


def test_each_group_on_its_own():
    audit = audit_of(decisions((10, 50, 90), (100, 100, 100)))
    found = findings(audit, {**SHARE, "comparison": "group", "at_most": 0.5})
    assert [(f.group, f.status) for f in found] == [
        ("g00", "pass"), ("g01", "inconclusive"), ("g02", "fail"),
    ]  # fmt: skip
    # Each passes by its own bound, but a failure is one of three.
    assert found[0].ci_high == pytest.approx(stats.beta.ppf(0.95, 11, 90))
    assert found[2].ci_low == pytest.approx(stats.beta.ppf(0.05 / 3, 90, 11))


def test_difference_is_how_much_worse_than_the_rest():
    people = np.array([100.0, 100, 200])
    right = np.array([60.0, 80, 160])
    matrix = np.column_stack([people, people, right])
    moments = np.minimum(matrix[:, :, None], matrix[:, None, :])
    at = np.arange(3)
    columns = ("records", "weight", "correct")
    sums = Sums("sex", columns, ("a", "b", "c"), None, at, at, matrix, moments)
    least = {"metric": "accuracy", "comparison": "difference", "at_most": 0.05}
    found = findings(audit_of(sums), least)
    assert [f.value for f in found] == pytest.approx(
        [240 / 300 - 0.6, 220 / 300 - 0.8, 140 / 200 - 0.8]
    )
    assert [(f.group, f.against, f.status) for f in found] == [
        ("a", "(rest)", "fail"), ("b", "(rest)", "pass"), ("c", "(rest)", "pass"),
    ]  # fmt: skip
    counts = [np.array(float(count)) for count in (240, 300, 60, 100)]
    low, _ = miettinen_nurminen(*counts, stats.norm.ppf(1 - 0.05 / 3))
    assert found[0].ci_low == pytest.approx(float(low))


def test_difference_counts_both_ways_where_neither_is_better():
    audit = audit_of(decisions((500, 500, 900), (1000, 1000, 1000)))
    found = findings(audit, {**SHARE, "comparison": "difference", "at_most": 0.1})
    assert [f.status for f in found] == ["fail"] * 3
    assert [f.value for f in found] == pytest.approx([0.2, 0.2, 0.4])


# --- Nobody and nothing ----------------------------------------------------------------------


def test_no_one_selected_in_a_group_can_fail_and_has_no_plan():
    found = finding(audit_of(decisions((0, 60), (200, 200))), RATIO)
    assert (found.status, found.value, found.ci_low) == ("fail", 0, 0)
    few = finding(audit_of(decisions((0, 2), (10, 10))), RATIO)
    assert (few.status, few.further_records) == ("inconclusive", None)


def test_no_one_selected_at_all_shows_nothing_of_the_ratio():
    found = finding(audit_of(decisions((0, 0), (50, 50))), RATIO)
    assert (found.status, found.value, found.further_records) == ("inconclusive", None, None)
    assert found.reason == "The value is undefined."
    point = finding(audit_of(decisions((0, 0), (50, 50))), RATIO, decide="point")
    assert point.status == "inconclusive"


def test_speakers_without_errors_have_bounds_all_the_same():
    sums = spoken([0] * 10 + [30, 32, 28, 31, 29] * 2, [100] * 20, [0] * 10 + [1] * 10)
    ratio = {"metric": "wer", "comparison": "ratio", "at_most": 2}
    found = finding(audit_of(sums), ratio)
    assert (found.value, found.ci_high, found.status) == (None, None, "fail")
    assert 3 < found.ci_low < 100
    least = finding(audit_of(sums), {"metric": "wer", "comparison": "ratio", "at_least": 0.5})
    assert (least.value, least.ci_low, least.status) == (0, 0, "fail")
    assert least.ci_high == pytest.approx(1 / found.ci_low)


def test_small_groups_are_left_out_and_named():
    sums = decisions((50, 55, 9, 1), (100, 100, 10, 1), names=["a", "b", "c", "d"])
    found = finding(audit_of(sums), gap_at(0.3, min_n=20))
    assert (found.status, found.group, found.against) == ("pass", "b", "a")
    assert found.reason.endswith("Not judged: c, d (under 20 records).")
    found = finding(audit_of(sums, min_n=20), gap_at(0.3))
    assert found.reason.endswith("Not judged: c, d (under 20 records).")
    found = finding(audit_of(sums, min_n=20), gap_at(0.3, min_n=0))
    assert (found.status, found.group, found.against) == ("inconclusive", "c", "a")
    assert found.reason.endswith("Not judged: d (one record).")
    found = finding(audit_of(sums), gap_at(0.3, min_share=0.1))
    assert found.reason.endswith("Not judged: c, d (under 10 % of the records).")


def test_missing_and_undefined_groups_are_left_out_and_named():
    sums = spoken([10, 12, 11, 13, 50, 0, 0], [100] * 5 + [0] * 2, [1, 1, 2, 2, 0, 3, 3])
    sums = replace(sums, groups=("(missing)", "a", "b", "c"))
    found = finding(audit_of(sums), {"metric": "wer", "comparison": "gap", "at_most": 0.9})
    assert {found.group, found.against} == {"a", "b"}
    assert found.reason.endswith("Not judged: (missing) (no value of the attribute); c (no value).")


def test_one_speaker_is_left_out():
    sums = spoken([10, 12, 50], [100] * 3, [0, 0, 1])
    found = finding(audit_of(sums), {"metric": "wer", "comparison": "gap", "at_most": 0.1})
    assert (found.status, found.value, found.further_clusters) == ("inconclusive", None, None)
    assert found.reason == "Too few groups can be judged. Not judged: g01 (one cluster)."


def test_only_the_groups_asked_for():
    audit = audit_of(decisions((10, 50, 52), (100, 100, 100)))
    found = finding(audit, gap_at(0.2, on=["g01", "g02"]))
    assert (found.status, found.group, found.against) == ("pass", "g02", "g01")
    (only,) = findings(audit, {**SHARE, "comparison": "difference", "at_most": 0.5, "on": "g00"})
    # Of one group both directions are judged; the rest is everybody else.
    assert only.value == pytest.approx(102 / 200 - 0.1)


def test_equalized_odds_need_both_rates():
    columns = ("records", "true_positives", "false_negatives", "false_positives", "true_negatives")

    def odds(table):
        matrix = np.array(table, dtype=float)
        moments = np.array([np.diag(row) for row in matrix])
        moments[:, 0, :] = moments[:, :, 0] = matrix
        at = np.arange(len(matrix))
        return Sums("sex", columns, ("f", "m"), None, at, at, matrix, moments)

    criterion = {"metric": "equalized_odds_difference", "at_most": 0.1}
    both = odds([[1000, 400, 100, 50, 450], [1000, 395, 105, 200, 300]])
    found = finding(audit_of(both), criterion)
    assert (found.status, found.metric, found.comparison) == ("fail", "equalized_odds", "gap")
    assert found.value == pytest.approx(0.3)
    assert found.reason.startswith("Decided by false_positive_rate. Shown to be at least")
    # Four comparisons: two rates, each in both orders.
    counts = [np.array(float(count)) for count in (200, 500, 50, 500)]
    low, _ = miettinen_nurminen(*counts, stats.norm.ppf(1 - 0.05 / 4))
    assert found.ci_low == pytest.approx(float(low))
    # Without positives there is no rate of true positives: nothing may pass.
    no_positives = odds([[500, 0, 0, 50, 450], [500, 0, 0, 51, 449]])
    found = finding(audit_of(no_positives), criterion)
    assert found.status == "inconclusive"
    assert found.reason.endswith("Not judged: f, m (no value).")


def test_groups_that_do_not_differ_at_all_cannot_fail(monkeypatch):
    audit = audit_of(decisions((500, 800), (1000, 1000)))
    monkeypatch.setattr(claims, "homogeneity", lambda *_: 0.06)
    found = finding(audit, gap_at(0.1))
    assert (found.status, found.ci_low) == ("inconclusive", 0)
    assert finding(audit, RATIO).ci_high == 1
    monkeypatch.setattr(claims, "homogeneity", lambda *_: 0.04)
    assert finding(audit, gap_at(0.1)).status == "fail"
    # Two criteria share the level of that test as well.
    assert [f.status for f in findings(audit, gap_at(0.1), gap_at(0.2))] == ["inconclusive"] * 2
    # A group's own value is no comparison.
    own = {**SHARE, "comparison": "group_max", "at_most": 0.7}
    monkeypatch.setattr(claims, "homogeneity", lambda *_: 1.0)
    assert finding(audit, own).status == "fail"


# --- How much more data ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selected", "people", "concerned", "criterion"),
    [
        ((50, 60), (100, 100), 200, gap_at(0.15)),
        ((50, 60), (100, 100), 200, gap_at(0.05)),
        # The worst pair is enough to fail; to pass only one pair is still open.
        ((40, 60, 50), (100, 100, 100), 200, RATIO),
        ((500, 495, 55), (1000, 1000, 100), 2100, gap_at(0.1)),
        ((48, 50), (100, 200), 300, {**SHARE, "comparison": "ratio", "at_least": 0.45}),
        ((20, 10), (100, 100), 100, {**SHARE, "comparison": "group_max", "at_most": 0.25}),
        ((20, 10), (100, 100), 100, {**SHARE, "comparison": "group_min", "at_least": 0.15}),
    ],
)
def test_so_many_more_records_decide(selected, people, concerned, criterion):
    found = finding(audit_of(decisions(selected, people)), criterion)
    assert found.status == "inconclusive"
    assert found.further_clusters is None
    for part, decided in ((1.3, True), (0.5, False)):
        times = 1 + part * found.further_records / concerned
        grown = decisions(np.array(selected) * times, np.array(people) * times)
        assert (finding(audit_of(grown), criterion).status != "inconclusive") == decided


def test_further_clusters():
    first, second = [10, 14, 12, 9, 15], [18, 30, 22, 16, 24]
    sums = spoken(first + second, [100] * 10, [0] * 5 + [1] * 5)
    criterion = {"metric": "wer", "comparison": "gap", "at_most": 0.05}
    found = finding(audit_of(sums), criterion)
    assert found.status == "inconclusive"
    assert found.further_clusters == found.further_records > 0  # one utterance each
    times = 1 + found.further_clusters / 10
    # Twice as many at least, as quantiles of t become smaller too.
    copies = int(np.ceil(times))
    grown = spoken(
        first * copies + second * copies, [100] * 10 * copies, [0] * 5 * copies + [1] * 5 * copies
    )
    assert finding(audit_of(grown), criterion).status == "fail"


def test_no_plan_where_the_value_lies_on_the_limit():
    found = finding(audit_of(decisions((40, 50), (100, 100))), gap_at(0.1))
    assert found.status == "inconclusive"
    assert (found.further_records, found.further_clusters) == (None, None)


# --- Judged together -------------------------------------------------------------------------


def test_failures_are_corrected_for_all_criteria_and_passes_are_not():
    one = decisions((300, 400), (1000, 1000))
    two = decisions((500, 450), (1000, 1000), attribute="sex")
    alone = finding(audit_of(one), gap_at(0.2))
    counts = [np.array(float(count)) for count in (400, 1000, 300, 1000)]
    for audits, criteria in (
        ([audit_of(one)], [gap_at(0.2), RATIO]),
        ([audit_of(one, two)], [gap_at(0.2)]),
        ([audit_of(one), audit_of(two)], [gap_at(0.2)]),
    ):
        first = findings(audits, *criteria)[0]
        assert first.ci_high == alone.ci_high
        low, _ = miettinen_nurminen(*counts, stats.norm.ppf(1 - 0.05 / 2 / 2))
        assert first.ci_low == pytest.approx(float(low))


def test_what_is_corrected_for_is_said():
    audit = audit_of(decisions((500, 900, 500), (1000, 1000, 1000)))
    found, _ = findings(audit, gap_at(0.1), RATIO)
    assert "(95 % confidence over 6 comparisons in each of 2 criteria)" in found.reason


def test_a_release_is_judged_as_one():
    speech = audit_of(spoken([10, 12, 30, 33], [100] * 4, [0, 0, 1, 1]))
    people = audit_of(decisions((500, 520), (1000, 1000)))
    wer = {"metric": "wer", "comparison": "gap", "at_most": 0.5}
    judged = judge([speech, people], rubric_of(wer, gap_at(0.1)), today=DAY)
    assert [[f.metric for f in audit.findings] for audit in judged] == [["wer"], ["selection_rate"]]
    assert judged[0].sums == speech.sums


def test_confidence():
    audit = audit_of(decisions((30, 50), (100, 120)))
    wide, narrow = (finding(audit, gap_at(0.2), confidence=c) for c in (0.99, 0.8))
    assert wide.ci_low < narrow.ci_low
    assert narrow.ci_high < wide.ci_high
    assert "80 % confidence" in narrow.reason


def test_earlier_findings_are_replaced():
    audit = audit_of(decisions((500, 520), (1000, 1000)))
    (once,) = judge(audit, rubric_of(gap_at(0.1)), today=DAY)
    (twice,) = judge(once, rubric_of(gap_at(0.1)), today=DAY)
    assert once.findings == twice.findings
    assert len(once.findings) == 1


# --- Variants --------------------------------------------------------------------------------


def test_the_first_variant_unless_another_is_asked_for():
    audit = audit_of(
        decisions((500, 900), (1000, 1000), variant={"threshold": 0.5}),
        decisions((500, 510), (1000, 1000), variant={"threshold": 0.7}),
    )
    found = finding(audit, gap_at(0.1))
    assert (found.status, found.variant) == ("fail", {"threshold": 0.5})
    found = finding(audit, gap_at(0.1, variant={"threshold": 0.7}))
    assert (found.status, found.variant) == ("pass", {"threshold": 0.7})


# --- Point values ----------------------------------------------------------------------------


@pytest.mark.parametrize(("selected", "status"), [((50, 66), "fail"), ((50, 65), "pass")])
def test_point_values_decide_where_asked_and_it_is_said(selected, status):
    found = finding(audit_of(decisions(selected, (100, 100))), gap_at(0.15), decide="point")
    assert found.status == status
    assert "Decided by the value alone, as asked (--decide point)" in found.reason
    assert found.reason.endswith("by the interval: inconclusive.")
    assert found.further_records is None


def test_rounding_is_no_failure():
    # 0.3 - 0.2 is above 0.1 in floating point.
    sums = audit_of(decisions((20, 30), (100, 100)))
    assert finding(sums, gap_at(0.1), decide="point").status == "pass"


# --- Waivers and the exit status -------------------------------------------------------------


def waived(until):
    waiver = {"reason": "ticket 8", "until": until}
    return gap_at(0.1, waiver=waiver)


def test_a_waiver_that_holds_keeps_the_exit_status():
    audit = audit_of(decisions((500, 800), (1000, 1000)))
    held, over = finding(audit, waived(DAY)), finding(audit, waived(dt.date(2029, 12, 31)))
    assert (held.status, held.waiver) == ("fail", "ticket 8 (until 2030-01-01)")
    assert (over.status, over.waiver) == ("fail", None)
    assert over.reason.endswith("Its waiver ended on 2029-12-31.")
    assert (exit_code([held]), exit_code([over])) == (0, 1)


def test_today_is_that_of_reproducible_builds(monkeypatch):
    audit, criterion = audit_of(decisions((500, 800), (1000, 1000))), waived(DAY)
    for epoch, holds in (("1893456000", True), ("1893542400", False)):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
        (judged,) = judge(audit, rubric_of(criterion))
        assert (judged.findings[0].waiver is not None) == holds


@pytest.mark.parametrize(
    ("outcomes", "plain", "strict"),
    [
        ([], 0, 0),
        ([("pass", "error")], 0, 0),
        ([("inconclusive", "error"), ("pass", "error")], 0, 4),
        ([("inconclusive", "error"), ("fail", "error")], 1, 1),
        ([("fail", "warning"), ("inconclusive", "warning")], 0, 0),
    ],
)
def test_exit_code(outcomes, plain, strict):
    found = [
        Finding("a", "", status, severity, "wer", "gap", 0.1, "most")
        for status, severity in outcomes
    ]
    assert (exit_code(found), exit_code(found, strict=True)) == (plain, strict)


def test_what_is_waived_is_not_inconclusive_either():
    found = Finding("a", "", "inconclusive", "error", "wer", "gap", 0.1, "most", waiver="x")
    assert exit_code([found], strict=True) == 0


# --- Criteria that fit nothing ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("criterion", "says"),
    [
        ({"metric": "wer"}, "No audit has wer. Metrics: selection_rate."),
        ({"by": "sx"}, "No audit is by sx. Attributes: race, sex. Did you mean 'sex'?"),
        ({"on": ["g0"]}, "on: no group is called 'g0'. Groups: g00, g01, x, y."),
        ({"on": ["g00", "x"]}, "on: no attribute has all of these groups."),
        ({"by": "sex", "on": ["x"]}, "on: no group is called 'x'. Groups: g00, g01."),
        ({"variant": {"threshold": 0.9}}, "Variants: {'threshold': 0.5}."),
        ({"comparison": "overall"}, "It has no value over all records."),
    ],
)
def test_fits_nothing(criterion, says):
    audit = audit_of(
        decisions((50, 60), (100, 100), attribute="sex", variant={"threshold": 0.5}),
        decisions((50, 60), (100, 100), attribute="race", names=["x", "y"]),
    )
    with pytest.raises(FairauditError) as refused:
        findings(audit, gap_at(0.1, id="mine", **criterion) | criterion)
    assert str(refused.value).startswith("rubric ours, criterion mine: nothing to judge. ")
    assert says in str(refused.value)


def test_an_optional_criterion_is_passed_over_where_there_is_nothing_to_judge():
    audit = audit_of(decisions((50, 60), (100, 100), attribute="sex"))
    rate, absent = gap_at(0.9), gap_at(0.1, id="absent", metric="wer", optional=True)
    assert [each.metric for each in findings(audit, rate, absent)] == ["selection_rate"]
    with pytest.raises(
        FairauditError, match="rubric ours: nothing to judge. No audit has any of wer."
    ):
        findings(audit, absent)


def test_no_groups():
    audit = audit_of(decisions((50,), (100,), attribute=None, names=["(all)"]))
    with pytest.raises(FairauditError, match="No audit has groups. Audit with --by"):
        findings(audit, gap_at(0.1))
    overall = {**SHARE, "comparison": "overall", "at_most": 0.5, "variant": {"threshold": 1}}
    with pytest.raises(FairauditError, match="Variants: none, so leave variant out"):
        findings(audit, overall)


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"decide": "mean"}, "--decide mean"), ({"confidence": 95}, "--confidence 95: expected betw")],
)
def test_refuses_settings(settings, says):
    with pytest.raises(FairauditError, match=says):
        finding(audit_of(decisions((50, 60), (100, 100))), gap_at(0.1), **settings)


def test_refuses_no_audits():
    with pytest.raises(FairauditError, match="no audits were given"):
        judge([], rubric_of(RATIO))


# --- Rows without sums -----------------------------------------------------------------------


def rows_of(metric, *rows, attribute="sex"):
    return tuple(
        Estimate(attribute, group, {}, metric, value, low, high, n, n, None, {})
        for group, value, low, high, n in rows
    )


def test_rows_without_sums_are_judged_by_their_intervals():
    rows = rows_of(
        "calibration_error",
        ("f", 0.05, 0.03, 0.08, 500),
        ("m", 0.10, 0.08, 0.14, 500),
        ("(missing)", 0.9, 0.8, 1.0, 50),
        ("x", 0.5, None, None, 1),
    )
    audit = audit_of(estimates=rows, ci=0.95)
    most = {"metric": "calibration_error", "comparison": "group_max", "at_most": 0.15}
    found = finding(audit, most)
    z = stats.norm.ppf(0.975)
    assert (found.status, found.group, found.attribute) == ("pass", "m", "sex")
    assert found.ci_high == pytest.approx(0.10 + 0.04 * stats.norm.ppf(0.95) / z)
    # The larger of both groups' bounds.
    assert found.ci_low == pytest.approx(0.10 - 0.02 * stats.norm.ppf(1 - 0.05 / 2) / z)
    assert found.reason.endswith(
        "Not judged: (missing) (no value of the attribute); x (no interval)."
    )
    assert finding(audit, {**most, "at_most": 0.07}).status == "fail"
    assert finding(audit, {**most, "at_most": 0.09}).status == "inconclusive"


def test_rows_without_sums_cannot_be_compared():
    audit = audit_of(
        estimates=rows_of("bpsn_auc", ("f", 0.8, 0.7, 0.9, 50), ("m", 0.8, 0.7, 0.9, 50))
    )
    criterion = {"metric": "bpsn_auc", "comparison": "gap", "at_most": 0.1}
    with pytest.raises(FairauditError, match="no sums of bpsn_auc, so its groups cannot be comp"):
        findings(audit, criterion)


# --- From records to verdicts ----------------------------------------------------------------


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(3)
    n = 1200
    score = rng.random(n)
    return pd.DataFrame(
        {
            "y": (rng.random(n) < score).astype(int),
            "p": score,
            "sex": rng.choice(["f", "m"], n),
            "office": rng.integers(0, 60, n),
            "w": rng.integers(1, 5, n),
        }
    )


ALL = (
    {"metric": "equalized_odds_difference", "at_most": 0.1},
    {"metric": "roc_auc", "comparison": "gap", "at_most": 0.1},
    {"metric": "roc_auc", "comparison": "difference", "at_most": 0.2},
    {"metric": "calibration_error", "comparison": "group_max", "at_most": 0.2},
    {"metric": "bpsn_auc", "comparison": "group", "at_least": 0.5},
    {"metric": "accuracy", "comparison": "overall", "at_least": 0.5},
    {"metric": "brier_score", "comparison": "ratio", "at_most": 1.5},
    {"metric": "calibration_slope", "comparison": "group_max", "at_most": 5},
)


@pytest.mark.parametrize("options", [{}, {"cluster": "office"}, {"weight": "w"}])
def test_real_audits_judge_the_same_from_their_file(people, options):
    audit = fairaudit.errors(people, label="y", score="p", by="sex", resamples=500, **options)
    found = findings(audit, *ALL)
    again = findings(Audit.from_json(audit.to_json()), *ALL)
    assert [f.status for f in again] == [f.status for f in found]
    assert [f.value for f in again] == pytest.approx([f.value for f in found])
    assert {f.audit for f in found} == {audit.signature}
    # As the audit has it.
    values = {(r.attribute, r.metric, r.group): r.value for r in audit.estimates}
    slope = next(f for f in found if f.metric == "calibration_slope")
    assert slope.value == max(values["sex", slope.metric, g] for g in "fm")
    (saved,) = judge(audit, rubric_of(*ALL), today=DAY)
    assert Audit.from_json(saved.to_json()).findings[0].status == found[0].status


def test_degrees_of_freedom_of_an_auc_are_those_of_the_rarer_label():
    y = [1] * 4 + [0] * 60
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"y": y * 2, "p": rng.random(128), "sex": ["f"] * 64 + ["m"] * 64})
    audit = fairaudit.errors(table, label="y", score="p", by="sex", metrics=["roc_auc"])
    (row,) = [r for r in audit.estimates if r.group == "f"]
    found = finding(
        audit, {"metric": "roc_auc", "comparison": "group_max", "at_most": 1.0, "on": "f"},
        confidence=0.975,
    )  # fmt: skip
    assert (found.ci_low, found.ci_high) == pytest.approx((row.ci_low, row.ci_high))


def test_weighted_records_are_no_binomial_trials(people):
    audit = fairaudit.errors(people, prediction="y", by="sex", weight="w")
    plain = fairaudit.errors(people, prediction="y", by="sex")
    most = {**SHARE, "comparison": "group_max", "at_most": 0.5}
    widths = [f.ci_high - f.ci_low for f in (finding(audit, most), finding(plain, most))]
    assert widths[0] > 1.05 * widths[1]


def test_shipped_rubrics_judge(people):
    decided = people.assign(hired=(people.p > 0.5).astype(int))
    audit = fairaudit.errors(decided, label="y", prediction="hired", by="sex", resamples=500)
    for name in ("classification", "four-fifths", "ll144"):
        (judged,) = judge(audit, name, today=DAY)
        assert judged.findings
    rng = np.random.default_rng(1)
    words = "a b c d e f".split()
    calls = pd.DataFrame(
        {
            "reference": " ".join(words),
            "hypothesis": [" ".join(w for w in words if rng.random() > 0.1) for _ in range(200)],
            "accent": ["x", "y"] * 100,
            "speaker": [f"s{i % 40}" for i in range(200)],
        }
    )
    audit = fairaudit.wer(calls, by="accent", cluster="speaker", resamples=500)
    (judged,) = judge(audit, "asr", today=DAY)
    assert [f.id for f in judged.findings] == ["wer-gap", "wer-ratio", "unusable"]


def test_a_rubric_by_its_path(tmp_path):
    path = tmp_path / "ours.toml"
    path.write_text('name = "x"\n[[criteria]]\nmetric = "impact_ratio"\nat_least = 0.8\n')
    audit = audit_of(decisions((500, 520), (1000, 1000)))
    assert judge(audit, path, today=DAY) == judge(audit, Rubric.read(path), today=DAY)
