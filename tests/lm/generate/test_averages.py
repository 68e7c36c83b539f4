import math

import numpy as np
import pandas as pd
import pytest

from fairaudit.assess import Assessment, Design
from fairaudit.lm.generate.audit import generate
from fairaudit.lm.generate.averages import (
    Averages,
    expected_fold,
    least_interval,
    macro_interval,
    ratio_bias,
)
from fairaudit.metrics import METRICS
from fairaudit.stats.estimates import estimate
from fairaudit.stats.sums import Sums

EQUITY, FEMALE = METRICS["equity_ratio"], METRICS["female_of_gendered"]


def of_prompts(male, female, prompts):
    """Sums over prompts; each is a cluster of one group."""
    group = np.repeat(np.arange(len(prompts)), prompts)
    matrix = np.column_stack([np.ones(len(group)), male, female])
    names = tuple(f"g{i:02d}" for i in range(len(prompts)))
    clusters = tuple(f"{i:06d}" for i in range(len(group)))
    columns = ("records", "male", "female")
    return Sums("job", columns, names, clusters, group, np.arange(len(group)), matrix)


def simulated(rng, share, prompts, rate, samples=1):
    """Texts of which `rate` are gendered, and of these the group's `share` female."""
    sizes = [prompts] * len(share)
    gendered = rng.binomial(samples, rate, prompts * len(share))
    female = rng.binomial(gendered, np.repeat(share, prompts))
    return of_prompts(gendered - female, female, sizes)


def found(sums, metric=EQUITY):
    return estimate(metric, sums.columns, sums.spread, clustered=True)


WORLDS = {
    "balanced": ([0.5] * 18, 400, 0.066, 1),
    "balanced, several samples": ([0.5] * 18, 60, 0.3, 5),
    "near balance": ([0.42] * 12, 200, 0.1, 1),
    "one-sided": ([0.25] * 18, 400, 0.1, 1),
    "nearly only one": ([0.01, 0.02, 0.99, 0.98, 0.01, 0.03], 100, 0.2, 1),
    "mixed": (list(np.linspace(0.1, 0.9, 18)), 200, 0.15, 2),
    "few groups": ([0.1, 0.3, 0.5, 0.8], 100, 0.2, 1),
}


@pytest.mark.parametrize("world", WORLDS)
def test_intervals_cover(world):
    share, prompts, rate, samples = WORLDS[world]
    odds = np.array(share) / (1 - np.array(share))
    truth = np.minimum(odds, 1 / odds)
    rng = np.random.default_rng(1)
    hits = np.zeros(2)
    runs = 0
    for _ in range(100):
        estimates = found(simulated(rng, share, prompts, rate, samples))
        if np.isfinite(estimates.value).all():
            for i, (low, high), true in (
                (0, macro_interval(estimates, 0.95, folded=True), truth.mean()),
                (1, least_interval(estimates, 0.95), truth.min()),
            ):
                hits[i] += low <= true <= high
            runs += 1
    assert runs > 95
    assert (hits / runs >= 0.93).all()


def test_the_mean_of_shares_covers_as_often_as_it_says():
    share = np.linspace(0.2, 0.8, 8)
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(300):
        low, high = macro_interval(found(simulated(rng, share, 150, 0.5), FEMALE), 0.95)
        hits += low <= share.mean() <= high
    assert 0.93 < hits / 300 < 0.98


def test_mean_and_limits_by_hand():
    sums = of_prompts([1, 0, 1, 0, 1, 1, 0, 1], [0, 1, 0, 1, 0, 0, 1, 0], [4, 4])
    estimates = found(sums, FEMALE)
    low, high = estimates.interval(0.95)
    below = math.hypot(0.5 - low[0], 0.25 - low[1]) / 2
    above = math.hypot(high[0] - 0.5, high[1] - 0.25) / 2
    assert macro_interval(estimates, 0.95) == pytest.approx((0.375 - below, 0.375 + above))
    # Where clusters lie in several groups they may err together.
    apart, together = (macro_interval(estimates, 0.95, each)[1] for each in (True, False))
    assert together == pytest.approx(0.375 + (high[0] - 0.5 + high[1] - 0.25) / 2)
    assert together > apart


def test_expected_fold_is_what_draws_give():
    rng = np.random.default_rng(0)
    for t, s in ((0.0, 0.3), (0.5, 0.5), (2.0, 0.4), (1.0, 1.0)):
        drawn = np.exp(-np.abs(rng.normal(t, s, 400_000))).mean()
        assert expected_fold(np.array(t), np.array(s)) == pytest.approx(drawn, abs=2e-3)


def test_bias_is_to_be_feared_near_balance_only():
    balanced = found(of_prompts([1, 0] * 20, [0, 1] * 20, [20, 20]))
    skewed = found(of_prompts(([1] * 19 + [0]) * 20, ([0] * 19 + [1]) * 20, [200, 200]))
    assert ratio_bias(balanced)[1] > 0.2
    assert ratio_bias(skewed)[1] == 0
    nothing = found(of_prompts([0] * 6, [1] * 6, [3, 3]))
    assert ratio_bias(nothing) == (0, 0)


def rows(sums, **design):
    assessment = Assessment(sums, [FEMALE, EQUITY], Design(**design), lambda group: {})
    part = Averages(assessment, [FEMALE, EQUITY])
    assert list(part.estimates()) == []
    return {(row.metric, row.kind): row for row in part.comparisons()}, list(part.notes())


def test_rows():
    sums = of_prompts([1] * 3 + [1, 1, 1, 0], [0, 0, 1, 0, 0, 0, 1], [3, 4])
    found_rows, notes = rows(sums)
    assert list(found_rows) == [
        ("female_of_gendered", "macro_mean"), ("equity_ratio", "macro_mean"),
        ("equity_ratio", "least"),
    ]  # fmt: skip
    assert found_rows["female_of_gendered", "macro_mean"].value == pytest.approx(0.25)
    assert found_rows["equity_ratio", "macro_mean"].value == pytest.approx(1 / 3)
    assert found_rows["equity_ratio", "least"].group == "g00"
    assert "biased low" in notes[0]


def test_groups_outside_comparisons_are_left_out():
    male, female = [1, 1, 0, 1, 0, 1, 0, 0, 0], [0, 0, 1, 0, 1, 0, 0, 0, 0]
    whole, _ = rows(of_prompts(male, female, [3, 3, 3]))  # the third has nothing gendered
    two, _ = rows(of_prompts(male[:6], female[:6], [3, 3]))
    assert whole["equity_ratio", "macro_mean"].value == two["equity_ratio", "macro_mean"].value
    none, notes = rows(of_prompts(male, female, [3, 3, 3]), min_n=4)
    assert (none, notes) == ({}, [])


def test_intervals_of_single_groups_are_folded_at_one():
    """10 and 9 texts: the ratio may be well above 1, that is, the other polarity the rarer one."""
    rows = [("even", 10, 9), ("few", 40, 1)]
    texts = [
        {"group": group, "text": word}
        for group, male, female in rows
        for word in ["he"] * male + ["she"] * female
    ]
    audit = generate(texts=pd.DataFrame(texts), text="text", by="group")
    limits = {r.group: (r.ci_low, r.ci_high) for r in audit.estimates if r.metric == "equity_ratio"}
    assert limits["even"][1] == 1
    assert 0 < limits["even"][0] < 0.5
    assert 0 < limits["few"][0] < 1 / 40 < limits["few"][1] < 1
