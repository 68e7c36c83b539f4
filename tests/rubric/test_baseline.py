"""A new audit against an old one, on hand-made sums and on real recognisers."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, stats

import fairaudit
from fairaudit.audit import Audit, Data, Records
from fairaudit.exceptions import FairauditError
from fairaudit.rubric import load
from fairaudit.rubric.baseline import compare
from fairaudit.stats.proportions import miettinen_nurminen
from fairaudit.stats.sums import MISSING, Sums
from tests.conftest import sums_of
from tests.rubric.conftest import audit_of, decisions, rubric_of

GAP = {"comparison": "gap", "at_most": 0.5}
WER = rubric_of({"metric": "wer", **GAP})
SELECTION = rubric_of({"metric": "selection_rate", **GAP})
ACCURACY = rubric_of({"metric": "accuracy", **GAP})


def speech(errors, group, words=100.0, cluster=None) -> Sums:
    """Speakers with so many errors in so many words."""
    errors = np.array(errors, dtype=float)
    words = np.broadcast_to(words, errors.shape)
    zero = np.zeros_like(errors)
    matrix = np.column_stack([np.ones_like(errors), words - errors, errors, zero, zero])
    return sums_of(matrix, np.array(group), cluster)


def correct(right, people, **about) -> Sums:
    """Right decisions of so many in each group, each on its own."""
    return replace(decisions(right, people, **about), columns=("records", "weight", "correct"))


def flips(rng, old, worse, better, people) -> tuple[Sums, Sums]:
    """Right and wrong decisions about the same people; each person is a cluster."""
    group = np.repeat(np.arange(len(old)), people)
    old, worse, better = (np.array(each)[group] for each in (old, worse, better))
    before, chance = rng.random(len(group)) < old, rng.random(len(group))
    now = np.where(before, chance >= worse / old, chance < better / (1 - old))
    one = np.ones(len(group))
    return tuple(
        replace(
            sums_of(np.column_stack([one, one, right]), group),
            columns=("records", "weight", "correct"),
        )
        for right in (before, now)
    )


def talks(rng, per_group, old, new, turn=0.1) -> tuple[Sums, Sums]:
    """The same speakers before and after an update that changes each a little differently."""
    group = np.repeat(np.arange(len(per_group)), per_group)
    own = np.exp(rng.normal(-0.125, 0.5, len(group)))
    turned = own * np.exp(rng.normal(-(turn**2) / 2, turn, len(group)))
    words = rng.poisson(480, len(group))
    return tuple(
        speech(np.minimum(rng.poisson(np.array(rates)[group] * by * words), words), group, words)
        for rates, by in ((old, own), (new, turned))
    )


def found(old, new, rubric=WER, margin=0.01, **settings):
    """Findings by what they are about."""
    findings = compare(audit_of(new), audit_of(old), rubric, margin=margin, **settings)
    assert len({(each.id, each.attribute) for each in findings}) == len(findings)
    return {each.comparison: each for each in findings}


def found_first(old, new, rubric):
    return compare(audit_of(new), audit_of(old), rubric, margin=0.01)[0]


# --- Change of a group -------------------------------------------------------------------------


def test_paired_bounds_are_score_limits_of_the_mean_change():
    # As many words each: WER is the mean over speakers, and the change the mean of changes.
    rng = np.random.default_rng(1)
    old, new = rng.integers(5, 40, (2, 15))
    finding = found(
        speech(old, [0] * 15), speech(new, [0] * 15), rubric_of({"metric": "wer", **GAP})
    )["change"]
    change = (new - old) / 100
    centred = change - change.mean()
    unit = np.sum(centred**3) / np.sum(centred**2) / 15

    def limit(sign, tail):
        t, steep = stats.t.ppf(1 - tail, 14), max(sign * unit, 1 / 1500)
        variance = change.var(ddof=1) / 15
        return sign * optimize.brentq(
            lambda m: m - t * np.sqrt(variance + steep * m), 1e-9, 10, xtol=1e-14
        )

    assert finding.value == pytest.approx(change.mean())
    assert finding.ci_high == pytest.approx(change.mean() + limit(1, 0.05), rel=1e-9)
    # Of change and change of the gap.
    assert finding.ci_low == pytest.approx(change.mean() + limit(-1, 0.025), rel=1e-9)
    assert (finding.group, finding.against, finding.n) == ("g00", "(before)", 3000)


@pytest.mark.parametrize(
    ("before", "now", "margin", "status"),
    [
        ((900, 900), (900, 910), 0.03, "pass"),
        ((900, 900), (900, 820), 0.03, "fail"),
        ((900, 900), (900, 870), 0.03, "inconclusive"),  # on the margin
        ((90, 900), (88, 900), 0.03, "inconclusive"),  # a small group
    ],
)
def test_three_verdicts_for_independent_shares(before, now, margin, status):
    people = (100 if before[0] < 100 else 1000, 1000)
    finding = found(correct(before, people), correct(now, people), ACCURACY, margin)["change"]
    assert finding.status == status
    n = np.array(people, dtype=float)
    counts = (np.array(before, dtype=float), n, np.array(now, dtype=float), n)
    # To be right less often is worse. The upper bound is each group's own; the lower one is
    # simultaneous over two groups and two findings.
    high = miettinen_nurminen(*counts, stats.norm.ppf(0.95))[1]
    low = miettinen_nurminen(*counts, stats.norm.ppf(1 - 0.05 / 4))[0]
    assert (finding.ci_low, finding.ci_high) == pytest.approx((low.max(), high.max()))
    assert finding.value == pytest.approx(np.max((np.array(before) - now) / n))


def test_groups_that_did_not_change_are_known_to_an_effective_trial():
    rng = np.random.default_rng(2)
    errors, group = rng.integers(5, 40, 20), np.repeat([0, 1], 10)
    better = np.where(group == 0, errors, np.maximum(errors - 10 - rng.integers(0, 3, 20), 0))
    old, new = speech(errors, group), speech(better, group)
    finding = found(old, new)["change"]
    rate, n = errors[:10].mean() / 100, 1000
    effect = np.var(errors[:10] / 100, ddof=1) / 10 / (rate / n)
    assert (finding.group, finding.value) == ("g00", 0)
    assert finding.ci_high == pytest.approx(stats.t.ppf(0.95, 9) ** 2 * effect / n)


def test_nothing_changed_passes_however_few_the_data():
    same = speech([5, 9, 7, 3], [0, 0, 1, 1])
    for finding in found(same, same, margin=0).values():
        assert (finding.status, finding.value, finding.ci_high) == ("pass", 0, 0)
        assert "All counts of all records are the same in both audits." in finding.reason
    # Equal totals of other people prove nothing.
    apart = correct((30, 31), (40, 40))
    assert found(apart, apart, ACCURACY)["change"].status == "inconclusive"
    twin = [
        replace(audit_of(apart), data=(Data("f", "abc"),), records=Records(80, 80, {}))
        for _ in range(2)
    ]
    assert {f.status for f in compare(*twin, ACCURACY)} == {"pass"}


def test_pairs_see_what_independent_samples_do_not():
    old, new = talks(np.random.default_rng(3), [20] * 3, [0.2] * 3, [0.2] * 3)
    paired = found(old, new)["change"]
    others = replace(new, clusters=tuple(f"x{key}" for key in new.clusters))
    apart = found(old, others)["change"]
    assert paired.value == apart.value
    assert paired.ci_high - paired.value < (apart.ci_high - apart.value) / 2
    assert "The same records, compared over 60 clusters." in paired.reason
    assert "Compared as if independent, as the records differ: 0 of 120 clusters" in apart.reason


# --- Change of the gap -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "status", "ends"),
    [
        ((290, 480), "fail", ("g01", "g00")),
        # The gap vanishes: what shows it is the old difference turned around.
        ((350, 320), "pass", ("g01", "g00")),
        # The other group is ahead, by more.
        ((500, 260), "inconclusive", ("g00", "g01")),
    ],
)
def test_bounds_of_the_growth_of_a_gap_of_two(now, status, ends):
    before, n = np.array([300.0, 400.0]), np.array([1000.0, 900.0])
    now = np.array(now, dtype=float)
    rubric = rubric_of(
        {"metric": "selection_rate", **GAP}, {**GAP, "min_n": 1, "metric": "selection_rate"}
    )
    finding = found_first(decisions(before, n), decisions(now, n), rubric)
    ahead = int(np.argmax(now / n))

    def difference(x, tail, first):
        other = 1 - first
        counts = x[first], n[first], x[other], n[other]
        value = x[first] / n[first] - x[other] / n[other]
        return value, *miettinen_nurminen(*counts, stats.norm.ppf(1 - tail))

    def bounds(i, k, tail):
        (a, low_a, high_a), (b, low_b, high_b) = (
            difference(now, tail, i),
            difference(before, tail, k),
        )
        low = a - b - np.hypot(a - low_a, high_b - b)
        return low, a - b + np.hypot(high_a - a, b - low_b)

    # Group 1 was ahead. The new pair's own old difference has 4 % to be wrong, the same turned
    # around 0.5 %; so have the two others together.
    upper = [
        min(
            bounds(i, i, 0.04)[1],
            bounds(i, 1 - i, 0.005)[1],
            bounds(i, 1, 0.0025)[1],
        )
        for i in (0, 1)
    ]
    # Of two findings either has 2.5 % to fail wrongly: half of it for the pair's own change.
    lower = [max(bounds(k, k, 0.0125)[0], bounds(ahead, k, 0.00625)[0]) for k in (0, 1)]
    gap, old_gap = abs(np.diff(now / n)[0]), abs(np.diff(before / n)[0])
    assert finding.value == pytest.approx(gap - old_gap)
    assert finding.ci_high == pytest.approx(max(upper))
    assert finding.ci_low == pytest.approx(min(lower))
    assert (finding.status, finding.group, finding.against) == (status, *ends)


def test_values_that_do_not_vary_are_known_to_an_effective_trial():
    rng = np.random.default_rng(12)
    before, after = rng.integers(18, 30, 10), rng.integers(6, 12, 10)
    same, group = np.full(10, 9), np.repeat([0, 1], 10)
    old = speech(np.concatenate([same, before]), group)
    new = speech(np.concatenate([same, after]), group)
    finding = found(old, new)["gap_change"]
    rate, n = after.mean() / 100, 1000
    # The design effect is borrowed from the other group.
    unit = max(np.var(after / 100, ddof=1) / 10 / (rate / n), 1) / n
    # New group 0 over group 1, less old group 1 over group 0.
    total = (before + after) / 100
    parts = np.array([2 * unit**2, np.var(total, ddof=1) / 10])
    centred = -(total - total.mean())
    steep = max(np.sum(centred**3) / np.sum(centred**2) / 10, unit)
    t = stats.t.ppf(1 - 0.005, parts.sum() ** 2 / np.sum(parts**2 / 9))
    shift = steep * t**2 / 2
    turned = 0.18 - total.mean() + shift + np.sqrt(t**2 * parts.sum() + shift**2)
    assert finding.status == "pass"
    # The other order's own change is larger or smaller; the bound is the larger of both.
    change = (after - before) / 100
    own = change - change.mean()
    t, steep = stats.t.ppf(0.96, 9), max(np.sum(own**3) / np.sum(own**2) / 10, unit)
    shift = steep * t**2 / 2
    other = change.mean() + shift + np.sqrt(t**2 * np.var(change, ddof=1) / 10 + shift**2)
    assert finding.ci_high == pytest.approx(max(turned, other))


@pytest.mark.parametrize(
    ("before", "now", "status"),
    [
        # The worst catches up: the others fall back behind it, but the gap shrinks.
        ([0.3, 0.12, 0.1], [0.2, 0.12, 0.1], "pass"),
        ([0.2, 0.1], [0.1, 0.1], "pass"),
        # Who is worst changes places with who is best.
        ([0.3, 0.1], [0.1, 0.25], "pass"),
        # All get worse alike: the gap is as it was.
        ([0.2, 0.1], [0.25, 0.15], "pass"),
        ([0.1, 0.1, 0.1], [0.2, 0.1, 0.1], "fail"),
        ([0.2, 0.1], [0.3, 0.1], "fail"),
        # Another one becomes the worst.
        ([0.2, 0.1, 0.1], [0.2, 0.1, 0.3], "fail"),
        ([0.2, 0.1], [0.22, 0.1], "inconclusive"),
    ],
)
def test_what_becomes_of_a_gap(before, now, status):
    old, new = talks(np.random.default_rng(4), [200] * len(before), before, now)
    finding = found(old, new, margin=0.02)["gap_change"]
    assert finding.status == status
    assert finding.ci_low <= finding.value <= finding.ci_high


def test_speakers_in_several_groups():
    """What a speaker has in common over groups cancels out as well."""
    rng = np.random.default_rng(5)
    cluster, group = np.repeat(np.arange(12), 2), np.tile([0, 1], 12)
    own, turn = rng.integers(20, 30, 12)[cluster], rng.integers(-4, 5, 12)[cluster]
    old = own + 20 * group + rng.integers(-2, 3, 24)
    new = old + turn + 5 * group + rng.integers(-1, 2, 24)
    finding = found(speech(old, group, cluster=cluster), speech(new, group, cluster=cluster))[
        "gap_change"
    ]
    change = ((new - old)[group == 1] - (new - old)[group == 0]) / 100
    assert finding.value == pytest.approx(change.mean())
    # Third moments are taken as if no speaker were in both groups.
    third, second = 0.0, 0.0
    for g, sign in ((0, -1), (1, 1)):
        d = (new - old)[group == g] / 100
        third += sign * np.sum((d - d.mean()) ** 3) / 12**3
        second += np.sum((d - d.mean()) ** 2) / 12**2
    unit, t = max(third / second, 1 / 1200), stats.t.ppf(0.96, 11)
    variance = change.var(ddof=1) / 12
    shift = unit * t**2 / 2
    expected = change.mean() + shift + np.sqrt(t**2 * variance + shift**2)
    assert finding.ci_high == pytest.approx(expected)


def test_more_data_decide_as_foretold():
    old, new = talks(np.random.default_rng(6), [15] * 2, [0.2, 0.15], [0.2, 0.15])
    first = found(old, new, margin=0.015)
    for what, finding in first.items():
        assert finding.status == "inconclusive"
        concerned = 30 if what == "gap_change" else 15
        times = int(np.ceil(1 + finding.further_clusters / concerned)) + 1
        assert finding.further_records == finding.further_clusters
        assert 1 < times < 20
        again = found(_repeated(old, times), _repeated(new, times), margin=0.015)[what]
        assert again.status == "pass"


def _repeated(sums, times):
    """The same speakers so many times over, under new names."""
    cells = len(sums.group)
    cluster = np.arange(cells * times)
    keys = tuple(f"c{c:05d}" for c in cluster)
    tiled = np.tile(sums.group, times)
    return replace(
        sums, clusters=keys, cluster=cluster, group=tiled, matrix=np.tile(sums.matrix, (times, 1))
    )


# --- The same records --------------------------------------------------------------------------


def test_records_that_differ_are_told():
    old, new = talks(np.random.default_rng(7), [10] * 2, [0.2] * 2, [0.2] * 2)
    fewer = replace(new, group=new.group[1:], cluster=new.cluster[1:], matrix=new.matrix[1:])
    assert "19 of 20 clusters are in both" in found(old, fewer)["change"].reason
    more = replace(new, matrix=new.matrix + np.eye(5)[0])
    said = found(old, more)["change"].reason
    assert "clusters are the same, but not the numbers of their records" in said
    for ids, used, paired in (("b", 20, False), ("a", 20, True), ("b", 25, True)):
        audits = [
            replace(audit_of(sums), records=Records(n, n, {}, ids=name))
            for sums, name, n in ((new, ids, used), (old, "a", 20))
        ]
        reason = compare(*audits, WER)[0].reason
        assert ("The same records, compared over 20 clusters" in reason) == paired
        assert ("the records' ids are not" in reason) != paired


def test_without_clusters_nothing_can_be_paired():
    old, new = correct((800, 850), (1000, 1000)), correct((810, 850), (1000, 1000))
    reason = found(old, new, ACCURACY)["change"].reason
    assert "Compared as if independent, as the audits have no clusters" in reason
    assert "The records are the same" not in reason
    audits = [
        replace(audit_of(sums), records=Records(2000, 2000, {}, ids="a")) for sums in (new, old)
    ]
    assert "The records are the same, so bounds are wide" in compare(*audits, ACCURACY)[0].reason
    clustered, _ = flips(np.random.default_rng(1), [0.8, 0.8], [0, 0], [0, 0], [1000, 1000])
    assert "only the new audit has clusters" in found(old, clustered, ACCURACY)["change"].reason


def test_order_of_cells_and_keys_does_not_matter():
    old, new = talks(np.random.default_rng(8), [6, 7], [0.2] * 2, [0.22] * 2)
    order = np.random.default_rng(1).permutation(13)
    shuffled = replace(
        new,
        clusters=tuple(np.array(new.clusters)[order]),
        cluster=np.argsort(order)[new.cluster][order],
        group=new.group[order],
        matrix=new.matrix[order],
    )
    for one, other in zip(found(old, new).values(), found(old, shuffled).values(), strict=True):
        assert one.ci_high == pytest.approx(other.ci_high)
        assert one.reason == other.reason


# --- What is compared --------------------------------------------------------------------------


def test_groups_in_one_audit_only_are_named():
    people = (500, 500, 500, 500)
    old = correct((400,) * 4, people, names=("a", "b", "gone", MISSING))
    new = correct((400, 400, 1, 1), people, names=("a", "b", "fresh", MISSING))
    finding = found(old, new, ACCURACY, margin=0.05)["change"]
    assert finding.status == "pass"
    for said in (
        "fresh (only in the new audit)",
        "gone (only in the baseline)",
        "(missing) (no value of the attribute)",
    ):
        assert said in finding.reason
    few = rubric_of({"metric": "accuracy", **GAP, "min_n": 501})
    for finding in found(old, new, few).values():
        assert finding.status == "inconclusive"
        assert "Too few groups can be judged. Not judged:" in finding.reason


def test_a_lone_speaker_is_not_judged():
    old = speech([10, 12, 14], [0, 0, 1])
    new = speech([10, 13, 90], [0, 0, 1])
    finding = found(old, new)["change"]
    assert finding.group == "g00"
    assert "g01 (one cluster)" in finding.reason


def test_each_metric_and_attribute_is_judged_once():
    sums = [replace(speech([9, 8, 7, 6], [0, 0, 1, 1]), attribute=name) for name in ("a", "b")]
    whole = replace(speech([9, 8], [0, 0]), attribute=None, groups=("(all)",))
    ratio = {"id": "warns", "metric": "wer", "comparison": "ratio", "at_most": 2}
    rubric = rubric_of(
        {**ratio, "severity": "warning"},
        {"id": "errs", "metric": "wer", **GAP, "by": "a"},
        {"id": "all", "metric": "wer", "comparison": "overall", "at_most": 1},
        {"id": "one", "metric": "wer", **GAP, "on": ["g00"]},
    )
    audit = audit_of(*sums, whole)
    found = [(each.id, each.attribute, each.severity) for each in compare(audit, audit, rubric)]
    assert found == [
        ("warns/change", "b", "warning"),
        ("warns/gap_change", "b", "warning"),
        ("errs/change", "a", "error"),
        ("errs/gap_change", "a", "error"),
        ("all/change", None, "error"),
        *[(f"one/{what}", by, "error") for by in "ab" for what in ("change", "gap_change")],
    ]


def test_rates_judged_as_one_are_compared_each():
    names = "records weight true_positives false_positives false_negatives true_negatives".split()
    group = np.repeat([0, 1], 10)
    matrix = np.column_stack([np.full(20, 40), np.full(20, 40), *np.full((4, 20), 10)])
    sums = replace(sums_of(matrix, group), columns=tuple(names))
    rubric = rubric_of({"metric": "equalized_odds_difference", "at_most": 0.1})
    ids = [each.id for each in compare(audit_of(sums), audit_of(sums), rubric)]
    start = "equalized_odds_difference/"
    assert ids == [
        f"{start}{rate}_positive_rate/{what}"
        for rate in ("true", "false")
        for what in ("change", "gap_change")
    ]


def test_bounds_of_shares_stay_within_what_is_possible():
    old, new = flips(np.random.default_rng(13), [0.6] * 3, [0.3] * 3, [0.3] * 3, [3] * 3)
    for finding in found(old, new, ACCURACY).values():
        assert (finding.status, finding.ci_low, finding.ci_high) == ("inconclusive", -1, 1)


def test_margins():
    old, new = talks(np.random.default_rng(9), [5] * 2, [0.2] * 2, [0.2] * 2)
    assert found(old, new, margin=None)["change"].limit == 0.01
    assert found(old, new, margin=0.2)["gap_change"].limit == 0.2
    columns = ("records", "weight", "error", "absolute_error", "squared_error")
    numbers = [
        replace(sums_of(np.column_stack([one, one, x, x, x * x]), group), columns=columns)
        for group in (np.repeat([0, 1], 5),)
        for one in (np.ones(10),)
        for x in (np.arange(1.0, 11), np.arange(2.0, 12))
    ]
    rubric = rubric_of({"metric": "mean_absolute_error", **GAP})
    change = found(*numbers, rubric, margin=None)["change"]
    # The old mean is 5.5.
    assert (change.limit, change.criterion) == (
        0.275,
        "each group's mean_absolute_error by group worse than before by at most 0.275",
    )


def test_only_the_gap_where_neither_value_is_better():
    old, new = decisions((300, 400), (1000, 1000)), decisions((310, 400), (1000, 1000))
    assert list(found(old, new, SELECTION)) == ["gap_change"]
    whole = rubric_of({"metric": "selection_rate", "comparison": "overall", "at_most": 1})
    alone = replace(old, attribute=None, groups=("a", "b"))
    with pytest.raises(FairauditError, match="of which neither is better"):
        compare(audit_of(alone), audit_of(alone), whole)


def test_variants_are_compared_with_their_own():
    old = [
        decisions(x, (1000, 1000), variant={"threshold": t})
        for t, x in ((0.5, (300, 300)), (0.9, (100, 100)))
    ]
    rubric = rubric_of({"metric": "selection_rate", **GAP, "variant": {"threshold": 0.9}})
    (finding,) = compare(audit_of(*old), audit_of(*reversed(old)), rubric)
    assert (finding.value, finding.variant) == (0, {"threshold": 0.9})


def test_what_the_baseline_lacks_is_inconclusive():
    old = decisions((300, 400), (1000, 1000))
    new = replace(old, attribute="other")
    first, second = compare(audit_of(old, new), audit_of(old), SELECTION)
    assert (first.attribute, second.attribute) == ("group", "other")
    assert (second.status, second.value) == ("inconclusive", None)
    assert second.reason == "The baseline has no sums of selection_rate by other."
    with pytest.raises(FairauditError, match="the baseline is by group, and the new audit is not"):
        compare(audit_of(new), audit_of(old), SELECTION)


def test_audits_that_measure_different_things():
    sums = decisions((300, 400), (1000, 1000))

    def refused(message, new, old):
        with pytest.raises(FairauditError, match=message):
            compare(new, old, SELECTION)

    refused(
        "--threshold is '0.6', and in the baseline '0.5'. Audit both with the same --threshold",
        audit_of(sums, threshold="0.6"),
        audit_of(sums, threshold="0.5"),
    )
    refused("--normalize is 'basic', and in the", audit_of(sums, norm="basic"), audit_of(sums))
    other = replace(audit_of(sums), kind="other")
    refused("the baseline has audits of other; expected test", audit_of(sums), other)
    refused("the baseline has audits of nothing", audit_of(sums), [])
    refused("2 of them could be meant", audit_of(sums), [audit_of(sums), audit_of(sums)])
    refused("No audit has selection_rate", *[audit_of(speech([1, 2], [0, 1]))] * 2)
    where = [audit_of(sums, where=text) for text in ("a > 1", None)]
    (finding,) = compare(*where, SELECTION)
    assert "Setting where is 'a > 1', before not given." in finding.reason


def test_several_audits_find_their_own():
    shares, talk = decisions((300, 400), (1000, 1000)), speech([9, 8, 7, 6], [0, 0, 1, 1])
    people, calls = audit_of(shares), replace(audit_of(talk), kind="wer", signature="calls")
    rubric = rubric_of({"metric": "selection_rate", **GAP}, {"metric": "wer", **GAP})
    findings = compare([calls, people], [people, calls], rubric)
    assert [each.audit for each in findings] == ["sig", "calls", "calls"]
    assert "over 2 comparisons in each of 3 findings" in findings[0].reason
    twice = [replace(calls, records=Records(4, 4, {}, ids=name)) for name in "ab"]
    assert {each.status for each in compare(twice[1], twice, WER)} == {"pass"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"margin": -0.1}, "--margin -0.1: expected 0 or more"),
        ({"margin": float("nan")}, "--margin nan: expected 0 or more"),
        ({"confidence": 1}, "--confidence 1: expected between 0 and 1"),
    ],
)
def test_arguments_are_checked(settings, message):
    audit = audit_of(decisions((3, 4), (10, 10)))
    with pytest.raises(FairauditError, match=message):
        compare(audit, audit, SELECTION, **settings)


# --- How often verdicts are wrong --------------------------------------------------------------

RUNS = 100
#: With a chance of 5 %, more than this many of `RUNS` are met once in a thousand.
MOST = int(stats.binom.ppf(0.999, RUNS, 0.05))


def outcomes(draw, rubric, margin, runs=RUNS):
    """How many audits fail in anything, and how many findings fail and pass."""
    rng = np.random.default_rng(10)
    counts = {"any": 0}
    for _ in range(runs):
        findings = found(*draw(rng), rubric, margin)
        counts["any"] += any(each.status == "fail" for each in findings.values())
        for what, each in findings.items():
            counts[f"{what} {each.status}"] = counts.get(f"{what} {each.status}", 0) + 1
    return counts


def shares(old, new, people):
    return lambda rng: tuple(decisions(rng.binomial(people, p), people) for p in (old, new))


@pytest.mark.parametrize(
    ("draw", "rubric"),
    [
        (lambda rng: talks(rng, [20] * 2, [0.2, 0.1], [0.2, 0.1]), WER),
        (lambda rng: flips(rng, [0.9] * 3, [0.03] * 3, [0.03] * 3, [300] * 3), ACCURACY),
        (shares([0.4, 0.3, 0.2], [0.4, 0.3, 0.2], [300] * 3), SELECTION),
    ],
)
def test_updates_that_change_nothing_seldom_fail(draw, rubric):
    assert outcomes(draw, rubric, 0.0)["any"] <= MOST


@pytest.mark.parametrize(
    ("draw", "rubric", "margin"),
    [
        (lambda rng: talks(rng, [20] * 2, [0.2, 0.1], [0.22, 0.1], 0.05), WER, 0.02),
        # Few decisions change, all for the worse.
        (lambda rng: flips(rng, [0.9] * 2, [0.01, 0], [0, 0], [500] * 2), ACCURACY, 0.01),
        (shares([0.3, 0.3], [0.35, 0.3], [2000] * 2), SELECTION, 0.05),
    ],
)
def test_changes_on_the_margin_seldom_pass(draw, rubric, margin):
    counts = outcomes(draw, rubric, margin)
    assert counts.get("change pass", 0) <= MOST
    assert counts.get("gap_change pass", 0) <= MOST


def test_clear_changes_are_found():
    worse = outcomes(lambda rng: talks(rng, [40] * 2, [0.2, 0.1], [0.26, 0.1]), WER, 0.01, 40)
    assert worse["change fail"] >= 36
    assert worse["gap_change fail"] >= 36
    same = outcomes(lambda rng: talks(rng, [80] * 2, [0.2, 0.1], [0.2, 0.1]), WER, 0.02, 40)
    assert same["change pass"] >= 36
    assert same["gap_change pass"] >= 36


# --- Real recognisers --------------------------------------------------------------------------


def artie(data, version):
    folder = data / "speech" / "artie"
    return fairaudit.wer(
        ref=folder / "artie-bias-corpus.tsv",
        hyp=folder / "predictions" / "deepspeech" / f"{version}.tsv",
        match_id="stem",
        by="accent",
        cluster="speaker",
        normalize="whisper-en",
        metrics=["wer", "ser"],
    )


def test_deepspeech_is_better_but_not_for_the_indian_accent(data):
    """Artie, 0.6.0 to 0.7.3: for Indian accents as many sentences are right as before."""
    old, new = artie(data, "v0-6-0"), artie(data, "v0-7-3")
    rubric = rubric_of(
        {"id": "all", "metric": "ser", "comparison": "overall", "at_most": 1},
        {"id": "two", "metric": "ser", **GAP, "on": ["indian", "us"]},
        {"id": "every", "metric": "ser", **GAP, "min_n": 20},
    )
    findings = {each.id: each for each in compare(new, old, rubric)}
    assert (findings["all/change"].status, findings["all/change"].value < 0) == ("pass", True)
    assert "better by at least" in findings["all/change"].reason
    two = findings["two/change"]
    # The published shares of sentences that are right.
    for audit in (old, new):
        share = [
            row.value for row in audit.estimates if (row.group, row.metric) == ("indian", "ser")
        ]
        assert round(1 - share[0], 4) == 0.0758
    assert (two.group, two.value) == ("indian", pytest.approx(0, abs=1e-12))
    assert "indian: 92.4 %, before 92.4 %." in two.reason
    assert two.status == "inconclusive"
    gap = findings["two/gap_change"]
    assert (gap.group, gap.against, gap.status) == ("indian", "us", "inconclusive")
    assert gap.value > 0.03
    assert "The same records, compared over 493 clusters." in gap.reason
    assert {findings[f"every/{what}"].status for what in ("change", "gap_change")} == {
        "inconclusive"
    }


def test_audit_files_suffice(data):
    old, new = artie(data, "v0-6-0"), artie(data, "v0-7-3")
    read = [Audit.from_json(audit.to_json()) for audit in (new, old)]
    rubric = load("asr")
    rubric = replace(rubric, criteria=rubric.criteria[:1])
    for one, other in zip(compare(new, old, rubric), compare(*read, rubric), strict=True):
        assert (one.status, one.reason) == (other.status, other.reason)
        assert one.ci_high == pytest.approx(other.ci_high)
