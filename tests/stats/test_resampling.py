import numpy as np
import pytest

from fairaudit.stats import resampling
from fairaudit.stats.resampling import bootstrap_totals
from tests.conftest import speakers, sums_of
from tests.stats.test_sums import accumulate, records


def test_same_seed_same_numbers():
    sums = speakers(np.random.default_rng(1), [5, 7], [0.1, 0.2])
    np.testing.assert_array_equal(bootstrap_totals(sums, 50, 3), bootstrap_totals(sums, 50, 3))
    assert (bootstrap_totals(sums, 50, 3) != bootstrap_totals(sums, 50, 4)).any()


def test_seeded_draws_are_these_on_every_machine():
    sums = sums_of(np.arange(30).reshape(6, 5), np.array([0, 0, 0, 1, 1, 1]))
    assert bootstrap_totals(sums, 2, 0)[:, :, 0].tolist() == [[15.0, 55.0], [15.0, 60.0]]


def test_chunks_do_not_matter(monkeypatch):
    sums = speakers(np.random.default_rng(2), [6, 4], [0.1, 0.2])
    whole = bootstrap_totals(sums, 64, 0)
    monkeypatch.setattr(resampling, "_CHUNK", 16)
    np.testing.assert_array_equal(whole, bootstrap_totals(sums, 64, 0))


def test_a_group_is_resampled_alike_whoever_else_is_audited():
    sums = speakers(np.random.default_rng(3), [5, 7, 6], [0.1, 0.2, 0.3])
    alone = sums.select(np.array([False, True, False]))
    np.testing.assert_array_equal(
        bootstrap_totals(sums, 20, 0)[:, 1:2], bootstrap_totals(alone, 20, 0)
    )


def test_nested_clusters_are_resampled_within_their_group():
    sums = speakers(np.random.default_rng(4), [3, 8], [0.1, 0.2])
    drawn = bootstrap_totals(sums, 500, 0)
    # Each cluster has 40 records: no resample loses one, let alone a group.
    np.testing.assert_array_equal(drawn[:, :, 0], np.tile([120.0, 320.0], (500, 1)))


@pytest.mark.parametrize("nested", [True, False])
def test_bootstrap_has_the_moments_of_the_multinomial(nested):
    counts, group, cluster = records(np.random.default_rng(5), n=400, groups=3, clusters=30)
    sums = accumulate(counts, cluster % 3 if nested else group, cluster)
    drawn = bootstrap_totals(sums, 20_000, 1)
    np.testing.assert_allclose(drawn.mean(axis=0), sums.spread.totals, rtol=0.01)
    for g in range(3):
        units = sums.spread.units[g] if nested else 30
        t = sums.spread.totals[g]
        expected = np.diag(sums.spread.moments[g] - np.outer(t, t) / units)
        np.testing.assert_allclose(drawn[:, g].var(axis=0), expected, rtol=0.06)


def test_without_clusters_the_normal_limit_has_the_moments_of_resampled_records():
    counts, group, cluster = records(np.random.default_rng(6), n=600, groups=2)
    sums = accumulate(counts, group, cluster, clustered=False)
    drawn = bootstrap_totals(sums, 20_000, 1)
    own = counts[group == 0]
    np.testing.assert_allclose(drawn[:, 0].mean(axis=0), own.sum(axis=0), rtol=0.01)
    np.testing.assert_allclose(
        np.cov(drawn[:, 0, 1:].T), len(own) * np.cov(own[:, 1:].T, ddof=0), rtol=0.1, atol=60
    )
