import math

import numpy as np
import pytest
from scipy import stats

from fairaudit.metrics import METRICS
from fairaudit.stats.standardised import standardise
from fairaudit.stats.sums import Accumulator, Sums

SER, WER = METRICS["ser"], METRICS["wer"]
WORDS = ("records", "hits", "substitutions", "deletions", "insertions")

#: Applicants to Berkeley's six largest departments, autumn 1973: men admitted and rejected, women
#: admitted and rejected. Bickel, Hammel & O'Connell, Science 187, 1975 (R's UCBAdmissions).
BERKELEY = {
    "A": (512, 313, 89, 19),
    "B": (353, 207, 17, 8),
    "C": (120, 205, 202, 391),
    "D": (138, 279, 131, 244),
    "E": (53, 138, 94, 299),
    "F": (22, 351, 24, 317),
}


def shares(**groups):
    """Sums of independent records: (wrong, records) per group."""
    names = sorted(groups)
    wrong, n = (np.array([groups[name][i] for name in names], dtype=float) for i in (0, 1))
    moments = np.empty((len(names), 2, 2))
    moments[:, 0, 0], moments[:, 1, 1] = n, wrong
    moments[:, 0, 1] = moments[:, 1, 0] = wrong
    every, matrix = np.arange(len(names)), np.column_stack([n, wrong])
    return Sums("g", ("records", "wrong"), tuple(names), None, every, every, matrix, moments)


def berkeley():
    return [shares(men=(a, a + b), women=(c, c + d)) for a, b, c, d in BERKELEY.values()], list(
        BERKELEY
    )


def clustered(cells):
    """Sums of words from (cluster, group, hits, errors)."""
    total = Accumulator(WORDS, clustered=True)
    names, keys = sorted({c[1] for c in cells}), sorted({c[0] for c in cells})
    group = np.array([names.index(c[1]) for c in cells])
    cluster = np.array([keys.index(c[0]) for c in cells])
    counts = np.array([[1, c[2], c[3], 0, 0] for c in cells], dtype=float)
    total.add(group, cluster, counts)
    return total.result("g", names, keys)


def test_berkeley_favours_women_slightly_once_departments_are_equal():
    strata, levels = berkeley()
    found = standardise(strata, levels, SER, "men", 0.95)
    weight = difference = 0.0
    for a, b, c, d in BERKELEY.values():
        men, women = a + b, c + d
        w = men * women / (men + women)
        weight += w
        difference += w * (c / women - a / men)
    assert found.groups == ("women",)
    assert found.difference[0] == pytest.approx(difference / weight)
    assert found.difference[0] == pytest.approx(0.0184, abs=5e-5)
    crude = sum(v[2] for v in BERKELEY.values()) / 1835 - 1198 / 2691
    assert crude == pytest.approx(-0.1416, abs=5e-5)
    # Women are not shown to be favoured, so the paradox is seen but not shown.
    assert found.low[0] < 0 < found.high[0]
    assert not found.reversed(np.array([crude]), (np.array([-0.17]), np.array([-0.11])))[0]
    # Department A differs from the others.
    assert found.by_level[0, 0] == pytest.approx(89 / 108 - 512 / 825)
    assert found.heterogeneity[0] < 0.001
    assert found.left_out == ((),)
    assert found.share[0] == 1


def test_interval_of_shares_solves_the_score_equation():
    strata, levels = berkeley()
    found = standardise(strata, levels, SER, "men", 0.95)
    w_sum = p = q = 0.0
    for a, b, c, d in BERKELEY.values():
        n, m, x, y = c + d, a + b, c, a
        w_sum += n * m / (n + m)
        p += (n**2 * y - m**2 * x + n * m * (m - n) / 2) / (n + m) ** 2
        q += (x * (m - y) + y * (n - x)) / 2 / (n + m)
    for limit in (found.low[0], found.high[0]):
        variance = (limit * p + q) / w_sum**2
        assert abs(found.difference[0] - limit) / math.sqrt(variance) == pytest.approx(1.959964)
    z = found.difference[0] / math.sqrt(q / w_sum**2)
    assert found.p_value[0] == pytest.approx(math.erfc(z / math.sqrt(2)))


def test_two_groups_are_each_others_rest():
    strata, levels = berkeley()
    found = standardise(strata, levels, SER, "(rest)", 0.95)
    named = standardise(strata, levels, SER, "men", 0.95)
    assert found.groups == ("men", "women")
    assert found.difference[1] == pytest.approx(named.difference[0])
    assert found.difference[0] == pytest.approx(-named.difference[0])
    assert found.low[0] == pytest.approx(-found.high[1])
    assert found.p_value[0] == pytest.approx(named.p_value[0])


def test_the_paradox_is_shown_where_both_intervals_exclude_0():
    strata = [shares(a=(900, 1000), b=(93, 100)), shares(a=(10, 100), b=(200, 1000))]
    found = standardise(strata, ["x", "y"], SER, "a", 0.95)
    assert found.low[0] > 0
    below = (np.array([-0.6]), np.array([-0.5]))
    assert found.reversed(np.array([-0.56]), below)[0]
    assert not found.reversed(np.array([0.56]), (np.array([0.5]), np.array([0.6])))[0]
    assert not found.reversed(np.array([-0.1]), (np.array([-0.6]), np.array([0.1])))[0]


def simulated(rng, clusters, levels, spans):
    """Cells of three groups; `spans` says whether a cluster has records in several levels."""
    cells = [[] for _ in range(levels)]
    for c in range(clusters):
        for k in range(levels) if spans else [c % levels]:
            for group in rng.choice(list("abc"), 2, replace=False) if spans else "abc"[c % 3]:
                n = int(rng.integers(20, 60))
                errors = int(rng.binomial(n, 0.1 + 0.1 * k))
                cells[k].append((f"s{c}", str(group), n - errors, errors))
    return cells


def brute(cells, group, reference):
    """Difference and its variance by loops over levels, sides and clusters."""
    weights, parts = [], []
    for level in cells:
        sides = []
        for inside in (True, False):
            rows = [
                c
                for c in level
                if (c[1] == group) == inside and (inside or reference in ("(rest)", c[1]))
            ]
            n = sum(c[2] + c[3] for c in rows)
            rate = sum(c[3] for c in rows) / n
            units = {c[0] for c in rows}
            scale = math.sqrt(len(units) / (len(units) - 1))
            influence = {
                u: scale * sum(c[3] - rate * (c[2] + c[3]) for c in rows if c[0] == u) / n
                for u in units
            }
            sides.append((n, rate, influence))
        (n, rate, own), (m, other_rate, other) = sides
        weights.append(n * m / (n + m))
        parts.append((rate - other_rate, own, other))
    total, per_cluster = sum(weights), {}
    for w, (_, own, other) in zip(weights, parts, strict=True):
        for sign, side in ((1, own), (-1, other)):
            for u, v in side.items():
                per_cluster[u] = per_cluster.get(u, 0.0) + sign * w / total * v
    difference = sum(w * p[0] for w, p in zip(weights, parts, strict=True)) / total
    return difference, sum(v**2 for v in per_cluster.values())


@pytest.mark.parametrize("spans", [True, False])
@pytest.mark.parametrize("reference", ["(rest)", "a"])
def test_variance_adds_up_a_clusters_levels_before_squaring(spans, reference):
    cells = simulated(np.random.default_rng(1), 24, 4, spans)
    found = standardise([clustered(level) for level in cells], list("1234"), WER, reference, 0.95)
    assert found.groups == (("a", "b", "c") if reference == "(rest)" else ("b", "c"))
    for g, group in enumerate(found.groups):
        difference, variance = brute(cells, group, reference)
        assert found.difference[g] == pytest.approx(difference)
        assert found.variance[g] == pytest.approx(variance)
        assert found.low[g] < difference < found.high[g]


def test_variance_of_records_adds_up_over_levels():
    strata, levels = berkeley()
    found = standardise(strata, levels, SER, "men", 0.95)
    variance = 0.0
    for w, (a, b, c, d) in zip(found.weights[:, 0], BERKELEY.values(), strict=True):
        variance += w**2 * (c * d / (c + d) ** 2 / (c + d - 1) + a * b / (a + b) ** 2 / (a + b - 1))
    assert found.variance[0] == pytest.approx(variance)


def test_one_level_is_the_crude_comparison():
    cells = simulated(np.random.default_rng(2), 24, 1, False)
    sums = clustered(cells[0])
    found = standardise([sums], ["all"], WER, "a", 0.95)
    from fairaudit.stats.comparisons import pairs
    from fairaudit.stats.estimates import estimate

    whole = estimate(WER, sums.columns, sums.spread, clustered=True)
    crude = pairs(sums, whole, np.array([1, 2]), np.array([0, 0]))
    low, high = crude.difference_interval(0.95)
    np.testing.assert_allclose([found.low, found.high], [low, high])
    np.testing.assert_allclose(found.p_value, crude.p_value)
    np.testing.assert_allclose(found.df, crude.df)
    assert np.isnan(found.heterogeneity).all()


def test_the_same_clusters_in_every_level_are_no_more_of_them():
    rng = np.random.default_rng(3)
    cells = [[(f"s{c}", "ab"[c % 2], 90, int(rng.integers(5, 15))) for c in range(12)]]
    found = standardise([clustered(cells[0])] * 5, list("12345"), WER, "a", 0.95)
    once = standardise([clustered(cells[0])], ["1"], WER, "a", 0.95)
    np.testing.assert_allclose(found.variance, once.variance)
    assert found.df[0] == pytest.approx(once.df[0])


def test_levels_that_do_not_count_are_named():
    strata = [
        shares(a=(3, 10), b=(5, 10)),
        shares(a=(3, 10)),  # nobody to compare with
        shares(a=(1, 1), b=(2, 10)),  # one record on a side
        shares(b=(5, 10)),
        shares(a=(9, 20), b=(1, 5), c=(2, 9)),
    ]
    found = standardise(strata, list("vwxyz"), SER, "b", 0.95)
    assert found.groups == ("a", "c")
    assert found.left_out == (("w", "x", "y"), ("v", "w", "x", "y"))
    # 10 + 20 of 10 + 10 + 1 + 20 records.
    np.testing.assert_allclose(found.share, [30 / 41, 1])
    np.testing.assert_allclose(found.weights[[0, 4], 0], [5 / 9, 4 / 9])
    assert np.isnan(found.by_level[1:4, 0]).all()
    assert found.difference[1] == pytest.approx(2 / 9 - 1 / 5)


def test_without_a_level_that_counts_there_is_nothing():
    found = standardise([shares(a=(3, 10)), shares(b=(3, 10))], ["x", "y"], SER, "(rest)", 0.95)
    for values in (found.difference, found.low, found.high, found.p_value, found.variance):
        assert np.isnan(values).all()
    np.testing.assert_array_equal(found.share, [0, 0])
    assert found.left_out == (("x", "y"), ("x", "y"))


def test_nobody_wrong_proves_no_equality():
    found = standardise([shares(a=(0, 10), b=(0, 10))] * 2, ["x", "y"], SER, "a", 0.95)
    # About Wilson's upper limit for 0 of 20.
    assert found.high[0] == pytest.approx(1.959964**2 / (20 + 1.959964**2), abs=0.01)
    assert found.low[0] == pytest.approx(-found.high[0])
    perfect = [clustered([(f"s{c}", "ab"[c % 2], 50, 0) for c in range(8)])] * 2
    found = standardise(perfect, ["x", "y"], WER, "a", 0.95)
    assert found.low[0] < 0 < found.high[0]


def test_opposite_differences_are_heterogeneous_and_equal_ones_are_not():
    opposite = [shares(a=(60, 100), b=(30, 100)), shares(a=(30, 100), b=(60, 100))]
    found = standardise(opposite, ["x", "y"], SER, "a", 0.95)
    assert found.difference[0] == pytest.approx(0)
    # Two levels make it Welch's t test: 0.6 over its standard error.
    t = 0.6 / math.sqrt(2 * (0.6 * 0.4 + 0.3 * 0.7) / 99)
    df = (0.24 + 0.21) ** 2 * 2 / (0.24**2 + 0.21**2) * 99
    assert found.heterogeneity[0] == pytest.approx(2 * stats.t.sf(t, df), rel=1e-6)
    same = [shares(a=(60, 100), b=(30, 100)), shares(a=(70, 100), b=(40, 100))]
    assert standardise(same, ["x", "y"], SER, "a", 0.95).heterogeneity[0] > 0.99


@pytest.mark.parametrize(("n", "m", "levels"), [(5, 5, 20), (2, 8, 20), (120, 60, 4)])
def test_coverage_and_false_alarms_of_shares(n, m, levels):
    rng, truth = np.random.default_rng(n), 0.1
    rates = np.linspace(0.1, 0.8, levels)
    covered = alarms = varied = 0
    for _ in range(150):
        x = rng.binomial(n, rates + truth)
        y, z = rng.binomial(m, rates), rng.binomial(m, rates)
        strata = [shares(a=(x[k], n), b=(y[k], m), c=(z[k], m)) for k in range(levels)]
        found = standardise(strata, [str(k) for k in range(levels)], SER, "b", 0.95)
        covered += found.low[0] <= truth <= found.high[0]
        alarms += found.p_value[1] <= 0.05
        varied += found.heterogeneity[0] <= 0.05
    assert covered / 150 >= 0.9
    assert alarms / 150 <= 0.08
    assert varied / 150 <= 0.09


@pytest.mark.parametrize("spans", [True, False])
def test_false_alarms_of_clusters(spans):
    rng = np.random.default_rng(5)
    alarms = varied = 0
    for _ in range(200):
        cells = [[] for _ in range(3)]
        for c in range(24):
            own = math.exp(rng.normal(-0.125, 0.5))
            for k in range(3) if spans else [c // 2 % 3]:
                errors = int(rng.poisson(own * (10, 20, 40)[k]))
                cells[k].append((f"s{c}", "ab"[c % 2], 100, errors))
        found = standardise([clustered(v) for v in cells], list("123"), WER, "a", 0.95)
        alarms += found.p_value[0] <= 0.05
        varied += found.heterogeneity[0] <= 0.05
    assert alarms / 200 <= 0.1
    assert varied / 200 <= 0.1
