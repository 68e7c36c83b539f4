import numpy as np
import pytest

from fairaudit.metrics import METRICS
from fairaudit.stats.comparisons import pairs, versus_rest
from fairaudit.stats.estimates import estimate
from fairaudit.stats.sums import Accumulator
from tests.conftest import COUNTS, sums_of

WER = METRICS["wer"]


def records(rng, n=3000, groups=4, clusters=60):
    """Random counts of records, with cluster and group codes; clusters span groups."""
    counts = np.column_stack([np.ones(n), rng.integers(0, 9, (n, 4))]).astype(float)
    return counts, rng.integers(0, groups, n), rng.integers(0, clusters, n)


def accumulate(counts, group, cluster, clustered=True, batch=10_000):
    total = Accumulator(COUNTS, clustered)
    for start in range(0, len(counts), batch):
        part = slice(start, start + batch)
        total.add(group[part], cluster[part] if clustered else None, counts[part])
    labels = [f"g{g}" for g in range(group.max() + 1)]
    keys = [f"c{c:03d}" for c in range(cluster.max() + 1)] if clustered else None
    return total.result("group", labels, keys)


def same(a, b):
    assert a.groups == b.groups
    assert a.clusters == b.clusters
    np.testing.assert_array_equal(a.matrix, b.matrix)
    np.testing.assert_array_equal(a.group, b.group)
    np.testing.assert_array_equal(a.cluster, b.cluster)
    np.testing.assert_array_equal(a.spread.moments, b.spread.moments)


@pytest.mark.parametrize("clustered", [True, False])
def test_batches_and_order_of_rows_are_forgotten(clustered, monkeypatch):
    monkeypatch.setattr(Accumulator, "_COMPACT_AT", 100)
    rng = np.random.default_rng(3)
    counts, group, cluster = records(rng)
    whole = accumulate(counts, group, cluster, clustered)
    order = rng.permutation(len(counts))
    same(whole, accumulate(counts[order], group[order], cluster[order], clustered, batch=37))


def test_order_of_arrival_of_labels_is_forgotten():
    first, second = Accumulator(("records",), True), Accumulator(("records",), True)
    first.add(np.array([0, 1]), np.array([0, 1]), np.array([[1.0], [2.0]]))
    second.add(np.array([0, 1]), np.array([0, 1]), np.array([[2.0], [1.0]]))
    same(
        first.result("g", ["a", "b"], ["x", "y"]),
        second.result("g", ["b", "a"], ["y", "x"]),
    )


def test_codes_with_one_label_are_one_group():
    total = Accumulator(("records",), False)
    total.add(np.array([0, 1, 2]), None, np.array([[1.0], [2.0], [4.0]]))
    sums = total.result("g", ["(missing)", "a", "(missing)"], None)
    assert dict(zip(sums.groups, sums.records.tolist(), strict=True)) == {"(missing)": 5, "a": 2}


def test_totals_units_and_moments_by_brute_force():
    counts, group, cluster = records(np.random.default_rng(4))
    sums = accumulate(counts, group, cluster)
    for g in range(4):
        cells = [
            counts[(group == g) & (cluster == c)].sum(axis=0)
            for c in set(cluster[group == g].tolist())
        ]
        np.testing.assert_array_equal(sums.spread.totals[g], np.sum(cells, axis=0))
        np.testing.assert_array_equal(sums.spread.moments[g], sum(np.outer(t, t) for t in cells))
        assert sums.spread.units[g] == len(cells)


def test_without_clusters_records_are_units():
    counts, group, cluster = records(np.random.default_rng(5))
    sums = accumulate(counts, group, cluster, clustered=False, batch=100)
    for g in range(4):
        own = counts[group == g]
        np.testing.assert_array_equal(sums.spread.moments[g], own.T @ own)
        assert sums.spread.units[g] == len(own)


@pytest.mark.parametrize("nested", [True, False])
def test_rest_is_all_other_groups_as_one(nested):
    counts, group, cluster = records(np.random.default_rng(6))
    group = cluster % 4 if nested else group
    sums = accumulate(counts, group, cluster)
    assert sums.nested is nested
    for g in range(4):
        others = accumulate(counts[group != g], 0 * group[group != g], cluster[group != g])
        np.testing.assert_allclose(sums.rest.totals[g], others.spread.totals[0])
        np.testing.assert_allclose(sums.rest.moments[g], others.spread.moments[0])
        assert sums.rest.units[g] == others.spread.units[0]


def test_pooled_is_all_groups_as_one():
    counts, group, cluster = records(np.random.default_rng(7))
    for clustered in (True, False):
        pooled = accumulate(counts, group, cluster, clustered).pooled("(all)")
        whole = accumulate(counts, 0 * group, cluster, clustered)
        np.testing.assert_allclose(pooled.spread.totals, whole.spread.totals)
        np.testing.assert_allclose(pooled.spread.moments, whole.spread.moments)
        np.testing.assert_array_equal(pooled.spread.units, whole.spread.units)


def influences(counts, group, cluster, g):
    """Linearised contribution of each cluster to a group's WER, the slow way."""
    own = counts[group == g].sum(axis=0)
    rate, words = own[2:].sum() / own[1:4].sum(), own[1:4].sum()
    out = {}
    for c in range(cluster.max() + 1):
        cell = counts[(group == g) & (cluster == c)].sum(axis=0)
        if cell[0]:
            out[c] = (cell[2:].sum() - rate * cell[1:4].sum()) / words
    return out


def test_covariance_between_groups_that_share_clusters():
    counts, group, cluster = records(np.random.default_rng(8), n=150)
    sums = accumulate(counts, group, cluster)
    found = estimate(WER, sums.columns, sums.spread, clustered=True)
    a, b = (influences(counts, group, cluster, g) for g in (1, 2))
    factor = np.sqrt(len(a) / (len(a) - 1) * len(b) / (len(b) - 1))
    expected = factor * sum(a[c] * b[c] for c in a if c in b)
    covariance = sums.covariance(found.gradients)
    assert np.isclose(covariance[1, 2], expected)
    assert np.isclose(covariance[1, 1], len(a) / (len(a) - 1) * sum(v * v for v in a.values()))
    contrast = pairs(sums, found, np.array([1]), np.array([2]))
    assert np.isclose(contrast.variance[0], covariance[1, 1] + covariance[2, 2] - 2 * expected)


def test_covariance_with_the_rest_where_clusters_are_shared():
    counts, group, cluster = records(np.random.default_rng(9), n=150)
    sums = accumulate(counts, group, cluster)
    found = estimate(WER, sums.columns, sums.spread, clustered=True)
    contrast = versus_rest(sums, found, None)
    for g in range(4):
        two = accumulate(counts, (group != g).astype(int), cluster)
        each = estimate(WER, two.columns, two.spread, clustered=True)
        pair = pairs(two, each, np.array([0]), np.array([1]))
        assert np.isclose(contrast.difference[g], pair.difference[0])
        assert np.isclose(contrast.variance[g], pair.variance[0])


def test_select_keeps_what_it_keeps():
    counts, group, cluster = records(np.random.default_rng(10))
    for clustered in (True, False):
        sums = accumulate(counts, group, cluster, clustered)
        kept = sums.select(np.array([False, True, False, True]))
        assert kept.groups == ("g1", "g3")
        np.testing.assert_array_equal(kept.spread.totals, sums.spread.totals[[1, 3]])
        np.testing.assert_array_equal(kept.spread.moments, sums.spread.moments[[1, 3]])


def test_cluster_means_weigh_clusters_alike():
    matrix = np.array([[1, 9, 1, 0, 0], [1, 0, 3, 0, 0], [1, 0, 0, 0, 2]])
    sums = sums_of(matrix, np.zeros(3, dtype=int)).with_cluster_means([METRICS["wer_speaker"]])
    value = METRICS["wer_speaker"].value(sums.columns, sums.spread.totals)
    # The third cluster has no reference words, so no rate of its own.
    assert np.isclose(value[0], (0.1 + 1.0) / 2)
