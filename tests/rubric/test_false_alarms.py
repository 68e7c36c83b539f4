"""How often verdicts are wrong, by simulation, beside the raw point rule.

With a chance of 5 % more than ``MOST`` of ``RUNS`` simulated audits are met once in a thousand.
"""

import datetime as dt

import numpy as np
import pytest
from scipy import stats

from fairaudit.rubric import judge
from tests.conftest import speakers
from tests.rubric.conftest import audit_of, decisions, rubric_of

RUNS = 200
MOST = int(stats.binom.ppf(0.999, RUNS, 0.05))
DAY = dt.date(2030, 1, 1)


def calls(per_group, rates):
    return lambda rng: speakers(rng, per_group, rates)


def people(per_group, rates):
    return lambda rng: decisions(rng.binomial(per_group, rates), per_group)


def outcomes(draw, metric, comparison, at, limit, seed=1):
    """Numbers of simulated audits that fail and pass, and that exceed the limit by their value."""
    rng = np.random.default_rng(seed)
    rubric = rubric_of({"metric": metric, "comparison": comparison, f"at_{at}": limit})
    counts = {"fail": 0, "pass": 0, "inconclusive": 0, "point": 0}
    sign = 1 if at == "most" else -1
    for _ in range(RUNS):
        (audit,) = judge(audit_of(draw(rng)), rubric, today=DAY)
        (found,) = audit.findings
        counts[found.status] += 1
        counts["point"] += found.value is None or sign * (found.value - limit) > 0
    return counts


WER = [
    ([5] * 4, "gap", "most", 0.05),
    ([5, 10, 15, 20, 25, 30], "gap", "most", 0),
    ([10] * 4, "ratio", "most", 1.1),
]
SHARES = [
    ([30, 30], "ratio", "least", 0.8),
    ([100] * 5, "ratio", "least", 0.8),
    ([500] * 8, "gap", "most", 0),
    ([30, 30, 2000, 2000], "gap", "most", 0),
    ([100] * 4, "group_max", "most", 0.2),
]


@pytest.mark.parametrize(("per_group", "comparison", "at", "limit"), WER)
def test_speakers_understood_alike_seldom_fail(per_group, comparison, at, limit):
    draw = calls(per_group, [0.15] * len(per_group))
    found = outcomes(draw, "wer", comparison, at, limit)
    assert found["fail"] <= MOST
    # The raw rule does.
    assert found["point"] > 3 * MOST


@pytest.mark.parametrize(("per_group", "comparison", "at", "limit"), SHARES)
def test_people_treated_alike_seldom_fail(per_group, comparison, at, limit):
    draw = people(per_group, [0.2] * len(per_group))
    found = outcomes(draw, "selection_rate", comparison, at, limit)
    assert found["fail"] <= MOST
    assert found["point"] > 3 * MOST


@pytest.mark.parametrize(
    ("draw", "metric", "comparison", "at", "limit"),
    [
        (calls([80] * 3, [0.1, 0.1, 0.2]), "wer", "gap", "most", 0.05),
        (people([500] * 4, [0.2, 0.2, 0.2, 0.4]), "selection_rate", "gap", "most", 0.1),
        (people([300] * 4, [0.4, 0.4, 0.4, 0.2]), "selection_rate", "ratio", "least", 0.8),
    ],
)
def test_twice_the_limit_fails_with_enough_data(draw, metric, comparison, at, limit):
    assert outcomes(draw, metric, comparison, at, limit)["fail"] >= 0.8 * RUNS


@pytest.mark.parametrize(
    ("draw", "metric", "comparison", "at", "limit"),
    [
        (calls([30, 30], [0.1, 0.15]), "wer", "gap", "most", 0.05),
        (calls([30, 30], [0.1, 0.15]), "wer", "ratio", "most", 1.5),
        (people([500, 500], [0.2, 0.3]), "selection_rate", "gap", "most", 0.1),
        (people([500] * 4, [0.25, 0.2, 0.25, 0.25]), "selection_rate", "ratio", "least", 0.8),
        (people([300] * 3, [0.1, 0.2, 0.1]), "selection_rate", "group_max", "most", 0.2),
    ],
)
def test_at_the_limit_neither_is_shown(draw, metric, comparison, at, limit):
    found = outcomes(draw, metric, comparison, at, limit)
    assert found["pass"] <= MOST
    assert found["fail"] <= MOST
    assert found["point"] > 3 * MOST
