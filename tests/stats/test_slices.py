from dataclasses import astuple
from itertools import combinations, permutations, product

import numpy as np
import pytest
from scipy import stats

from fairaudit.exceptions import FairauditError
from fairaudit.stats import slices as module
from fairaudit.stats.slices import search

LEVELS = (3, 2, 4, 3)


def records(rng, n=400, levels=LEVELS, rate=0.2):
    """Skewed attributes and errors that have nothing to do with them."""
    columns = [rng.choice(size, n, p=_falling(size)) for size in levels]
    return np.stack(columns, axis=1).astype(np.uint8), (rng.random(n) < rate).astype(np.uint8)


def _falling(size):
    share = 0.6 ** np.arange(size)
    return share / share.sum()


def inside(codes, attributes, levels):
    return (codes[:, attributes] == levels).all(axis=1)


def lattice(levels, depth):
    """All slices in the order of the search."""
    for size in range(1, depth + 1):
        for attributes in combinations(range(len(levels)), size):
            for level in product(*(range(levels[a]) for a in attributes)):
                yield attributes, level


def log_likelihood(n, k):
    return stats.binom.logpmf(k, n, k / n)


def root(member, error):
    """Signed root of twice the log likelihood ratio, with SciPy's binomial."""
    n, k = member.sum(), error[member].sum()
    m, j = (~member).sum(), error[~member].sum()
    if not n or not m:
        return 0.0
    rate = error.mean()
    null = stats.binom.logpmf(k, n, rate) + stats.binom.logpmf(j, m, rate)
    ratio = 2 * (log_likelihood(n, k) + log_likelihood(m, j) - null)
    return np.sign(k / n - j / m) * np.sqrt(max(ratio, 0))


def standardised(member, error):
    """Pooled z: the variance is that of a sum drawn without replacement."""
    n, size = member.sum(), len(error)
    variance = n * (size - n) / size * error.var(ddof=1)
    return (error[member] - error.mean()).sum() / np.sqrt(variance) if variance else 0.0


def influences(member, error, cluster, freed=False):
    """Contribution of each cluster to the residual of the slice."""
    part = (member - member.mean()) * (error - error.mean())
    summed = np.array([part[cluster == c].sum() for c in np.unique(cluster)])
    share = np.unique(cluster, return_counts=True)[1] / len(cluster)
    return summed / np.sqrt(1 - share) if freed else summed


def clustered_variance(member, error, cluster):
    """The clusters' own, or that of errors equally correlated in all clusters if larger."""
    size, variance = len(error), error.var(ddof=1)
    same = cluster[:, None] == cluster
    residual = error - error.mean()
    pairs = (same.sum() - size) * variance
    surplus = residual @ same @ residual - variance * size
    correlation = np.clip(surplus / pairs, 0, 1) if pairs else 0
    weight = member - member.mean()
    alike = np.where(same, correlation, 0.0)
    np.fill_diagonal(alike, 1.0)
    spread = (weight**2).sum() * (1 - correlation) + correlation * (weight @ same @ weight)
    assert np.isclose(spread, weight @ alike @ weight)
    own = (influences(member, error, cluster, freed=True) ** 2).sum()
    return max(own, variance * (weight @ alike @ weight))


def evidence(codes, levels, error, cluster=None, depth=3, strata=()):
    """Scores of all slices, from the module."""
    units = module._Units.of(codes, levels, error, None, cluster, 0)
    table = module._Lattice.of(units, levels, depth)
    kind = module._Permuted if cluster is None else module._Clustered
    chosen = module._Strata.single(units)
    for one in strata:
        chosen = chosen.split(units, *one)
    return kind(units, table, np.random.default_rng(0)).evidence(chosen), table


@pytest.mark.parametrize("room", [10, 80, 1 << 14])
@pytest.mark.parametrize("depth", [1, 2, 3, 9])
def test_every_slice_is_scored_as_by_hand(room, depth, monkeypatch):
    monkeypatch.setattr(module, "_CELLS", room)
    codes, error = records(np.random.default_rng(1))
    z, table = evidence(codes, LEVELS, error, depth=depth)
    expected = []
    for place, (attributes, level) in enumerate(lattice(LEVELS, min(depth, 4))):
        assert table.describe(place) == (attributes, level)
        expected.append(root(inside(codes, attributes, level), error))
    assert z == pytest.approx(expected, abs=1e-5)


def test_losses_are_scored_as_by_hand():
    rng = np.random.default_rng(2)
    codes, _ = records(rng)
    loss = rng.gamma(2, 3, len(codes))
    z, _ = evidence(codes, LEVELS, loss)
    expected = [standardised(inside(codes, *one), loss) for one in lattice(LEVELS, 3)]
    assert z == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("table", [1, 100, 1 << 18])
def test_clusters_are_scored_as_by_hand(table, monkeypatch):
    monkeypatch.setattr(module, "_TABLE", table)
    rng = np.random.default_rng(3)
    codes, _ = records(rng, 200)
    cluster = rng.choice([7, 3, 9, 21, 22, 40, 41], 200)
    codes[:, 1] = cluster % 2
    error = rng.random(200) < 0.1 + 0.5 * (cluster > 20)
    z, _ = evidence(codes, LEVELS, error, cluster)
    for found, one in zip(z, lattice(LEVELS, 3), strict=True):
        member = inside(codes, *one)
        variance = clustered_variance(member, error, cluster)
        expected = influences(member, error, cluster).sum() / np.sqrt(variance) if variance else 0
        assert found == pytest.approx(expected, abs=1e-9)


def test_strata_are_compared_within_as_by_mantel_and_haenszel():
    codes, error = records(np.random.default_rng(4))
    z, _ = evidence(codes, LEVELS, error, strata=[((0,), (1,)), ((1, 2), (0, 1))])
    stratum = 2 * inside(codes, (0,), (1,)) + inside(codes, (1, 2), (0, 1))
    for found, one in zip(z, lattice(LEVELS, 3), strict=True):
        member, residual, variance = inside(codes, *one), 0.0, 0.0
        for s in np.unique(stratum):
            n, k = (stratum == s).sum(), error[stratum == s].sum()
            m = (member & (stratum == s)).sum()
            residual += error[member & (stratum == s)].sum() - m * k / n
            variance += m * k * (n - k) * (n - m) / (n**2 * (n - 1))
        expected = residual / np.sqrt(variance) if variance else 0
        assert found == pytest.approx(expected, abs=1e-9)


def test_strata_of_clusters_take_out_what_clusters_have_in_them():
    rng = np.random.default_rng(5)
    codes, error = records(rng, 300)
    cluster = rng.integers(0, 12, 300)
    z, _ = evidence(codes, LEVELS, error, cluster, strata=[((0,), (1,))])
    stratum, member = codes[:, 0] == 1, inside(codes, (2, 3), (0, 1))
    part, weight = np.zeros(300), np.zeros(300)
    for s in (stratum, ~stratum):
        weight[s] = member[s] - member[s].mean()
        part[s] = weight[s] * (error[s] - error[s].mean())
    summed = np.bincount(cluster, part)
    place = list(lattice(LEVELS, 3)).index(((2, 3), (0, 1)))
    # Errors were drawn without clusters: the own variance of the slice is the larger one or not.
    assert abs(z[place]) <= abs(summed.sum()) / np.sqrt((summed**2).sum()) + 1e-12
    assert np.sign(z[place]) == np.sign(summed.sum())
    inner = list(lattice(LEVELS, 3)).index(((0,), (1,)))
    assert z[inner] == 0


@pytest.mark.parametrize(("size", "wrong", "in_slice"), [(60, 20, 12), (400, 40, 22), (400, 0, 0)])
def test_p_values_of_one_attribute_are_hypergeometric(size, wrong, in_slice):
    """60 records are dealt one by one, 400 in two cells by hypergeometric numbers."""
    codes = (np.arange(size) >= size * 0.4).astype(int)[:, None]
    error = np.zeros(size)
    first = int(size * 0.4)
    error[:in_slice] = 1
    error[first : first + wrong - in_slice] = 1
    found = search(codes, [2], error, permutations=4999, min_size=1, alpha=1.0)
    assert found.searched == 2
    # The larger of both slices' scores is the absolute value of either.
    law = stats.hypergeom(size, wrong, first)
    support = np.arange(max(0, first + wrong - size), min(first, wrong) + 1)
    member = codes[:, 0] == 0

    def score(k):
        dealt = np.zeros(size)
        dealt[:k] = 1
        dealt[first : first + wrong - k] = 1
        return abs(root(member, dealt))

    scores = np.array([score(k) for k in support])
    exact = law.pmf(support)[scores >= score(in_slice) - 1e-6].sum()
    p = found.best.p_value
    assert p == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 5000) + 2e-4)


@pytest.mark.parametrize("kind", ["errors", "losses"])
def test_p_values_are_those_of_all_permutations(kind):
    codes = np.array([[0, 0], [0, 1], [0, 1], [1, 0], [1, 1], [1, 1], [1, 0], [0, 0]])
    error = np.array([1.0, 1, 1, 0, 1, 0, 0, 0])
    if kind == "losses":
        error = error + np.arange(8) / 10
    members = [inside(codes, *one) for one in lattice((2, 2), 2)]
    if kind == "losses":
        error = error + np.arange(8) / 10
        weights = np.stack([m - m.mean() for m in members])
        weights /= np.sqrt(error.var(ddof=1) * (weights**2).sum(axis=1, keepdims=True))
        peaks = (weights @ error[np.array(list(permutations(range(8))))].T).max(axis=0)
        observed = max(standardised(m, error) for m in members)
    else:
        dealt = [np.isin(range(8), chosen) * 1 for chosen in combinations(range(8), 4)]
        peaks = np.array([max(root(m, one) for m in members) for one in dealt])
        observed = max(root(m, error) for m in members)
    exact = (peaks >= observed - 1e-6).mean()
    found = search(codes, [2, 2], error, min_size=1, permutations=2999, alpha=1.0)
    assert found.best.z == pytest.approx(observed, abs=1e-6)
    assert found.best.p_value == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 3000))


def test_p_values_of_clusters_are_those_of_all_signs():
    rng = np.random.default_rng(6)
    codes, _ = records(rng, 80, (2, 3))
    cluster = rng.integers(0, 9, 80)
    error = rng.random(80) < 0.1 + 0.5 * (codes[:, 1] == 1)
    members = [inside(codes, *one) for one in lattice((2, 3), 2)]
    scale = np.sqrt([[clustered_variance(m, error, cluster)] for m in members])
    parts = np.stack([influences(m, error, cluster, freed=True) for m in members]) / scale
    residual = np.stack([influences(m, error, cluster) for m in members]).sum(axis=1) / scale[:, 0]
    peaks = (parts @ np.array(list(product([-1, 1], repeat=9))).T).max(axis=0)
    exact = (peaks >= residual.max() - 1e-6).mean()
    found = search(codes, [2, 3], error, cluster=cluster, min_size=1, permutations=2999, alpha=1.0)
    assert found.best.z == pytest.approx(residual.max())
    assert found.best.p_value == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 3000))
    assert 0.02 < exact < 0.5


@pytest.mark.parametrize("wanted", [0, 1, 3, 10, 19, 20])
def test_dealt_errors_are_as_many_as_wanted_and_anywhere(wanted):
    draw = np.random.default_rng(7)
    dealt = np.array([module._dealt(draw, 20, wanted) for _ in range(2000)])
    assert (dealt.sum(axis=1) == wanted).all()
    expected = np.full(20, 2000 * wanted / 20)
    if 0 < wanted < 20:
        # Places of one draw depend on each other a little, which makes the test conservative.
        assert stats.chisquare(dealt.sum(axis=0), expected).pvalue > 0.001
        pairs = dealt[:, :10].sum(axis=1)
        law = stats.hypergeom(20, wanted, 10)
        assert pairs.var() == pytest.approx(law.var(), rel=0.15)


@pytest.mark.parametrize("n", [300, 20_000])
def test_permutations_packed_into_one_number_come_apart(n, monkeypatch):
    """Few records are dealt by rows, many in few cells by hypergeometric numbers."""
    monkeypatch.setattr(module, "_CELLS", 1)
    codes, error = records(np.random.default_rng(8), n)
    units = module._Units.of(codes, LEVELS, error, None, None, 0)
    table = module._Lattice.of(units, LEVELS, 3)
    assert len(table.blocks) == 4
    test = module._Permuted(units, table, np.random.default_rng(0))
    sizes = [block.tally(units.n) for block in table.blocks]
    tables = test._tables(table.blocks, 23, test._bits(sizes))
    margins = {}
    for block, cells, size in zip(table.blocks, tables, sizes, strict=True):
        assert cells.shape[1] == 23
        assert (cells.sum(axis=0) == error.sum()).all()
        assert ((cells >= 0) & (cells <= size)).all()
        for attribute in block.attributes:
            axes = tuple(1 + i for i, a in enumerate(block.attributes) if a != attribute)
            margin = cells.T.reshape(23, *block.shape).sum(axis=axes)
            # The same permutation in all blocks.
            assert (margins.setdefault(attribute, margin) == margin).all()
    drawn = margins[0][:, 0]
    assert len(set(drawn)) > 5
    law = stats.hypergeom(n, error.sum(), (codes[:, 0] == 0).sum())
    assert abs(drawn.mean() - law.mean()) < 4 * law.std() / np.sqrt(23)


@pytest.mark.parametrize(("levels", "depth"), [((5,) * 10, 3), ((2,) * 7, 2), ((300, 4, 90), 3)])
def test_blocks_cover_each_combination_once(levels, depth):
    units = module._Units.of(np.zeros((1, len(levels)), int), levels, np.ones(1), None, None, 0)
    table = module._Lattice.of(units, levels, depth)
    places = np.concatenate([block.place for block in table.blocks])
    assert sorted(places) == list(range(table.starts[-1]))
    covered = {c for block in table.blocks for c in combinations(block.attributes, depth)}
    assert covered == set(combinations(range(len(levels)), depth))


def test_few_blocks_cover_all_triples():
    assert len(list(module._cover((5,) * 10, 3, 1 << 14))) <= 20


def test_slices_are_counted_and_those_left_out_are_told():
    codes, error = records(np.random.default_rng(9))
    found = search(codes, LEVELS, error, min_size=25, excluded_levels=[(2, 1), (0, 0)])
    sizes = np.array(
        [
            inside(codes, attributes, level).sum()
            for attributes, level in lattice(LEVELS, 3)
            if (2, 1) not in zip(attributes, level, strict=True)
            and (0, 0) not in zip(attributes, level, strict=True)
        ]
    )
    assert found.excluded_small == ((sizes > 0) & (sizes < 25)).sum()
    assert found.excluded_rest == (sizes > 375).sum()
    assert found.searched == ((sizes >= 25) & (sizes <= 375)).sum()
    assert (found.n, found.errors, found.permutations) == (400, error.sum(), 199)


def test_a_slice_that_leaves_no_rest_is_left_out():
    codes = np.column_stack([np.zeros(100, int), np.arange(100) % 2])
    found = search(codes, [1, 2], np.arange(100) % 2)
    assert (found.searched, found.excluded_rest, found.excluded_small) == (4, 1, 0)


def test_excluded_levels_stay_in_the_rest():
    codes = np.repeat([0, 1, 2], [40, 60, 100])[:, None]
    error = np.arange(200) < 30
    found = search(codes, [3], error, excluded_levels=[(0, 0)], direction="both", alpha=1.0)
    assert {one.levels for one in (*found.slices, found.best)} <= {(1,), (2,)}
    assert found.best.levels == (2,)
    assert (found.best.n, found.best.rest_n, found.best.rest_errors) == (100, 100, 30)
    assert (found.best.rate, found.best.rest_rate) == (0.0, 0.3)


@pytest.mark.parametrize("kind", ["errors", "losses"])
def test_nothing_is_found_where_nothing_is(kind):
    wrong = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        codes, error = records(rng, 300, rate=0.1)
        if kind == "losses":
            error = rng.exponential(size=300)
        wrong += bool(search(codes, LEVELS, error, seed=seed, permutations=99).slices)
    assert 0.02 <= wrong / 400 <= 0.06


def people(rng, clusters, unequal, constant, rate, correlation=0.2):
    """Clusters with habits; some attributes are the person's, others the record's."""
    size = 1 + rng.lognormal(1.5, 1, clusters).astype(int) if unequal else np.full(clusters, 10)
    cluster = np.repeat(np.arange(clusters), size)
    codes, _ = records(rng, len(cluster))
    own, _ = records(rng, clusters)
    codes[:, :constant] = own[cluster, :constant]
    shape = 1 / correlation - 1
    habit = rng.beta(rate * shape, (1 - rate) * shape, clusters)
    return codes, (rng.random(len(cluster)) < habit[cluster]).astype(int), cluster


@pytest.mark.parametrize(
    ("clusters", "unequal", "constant", "rate", "direction"),
    [(20, True, 2, 0.3, "higher"), (60, False, 4, 0.05, "lower"), (100, True, 4, 0.1, "both")],
)
def test_nothing_is_found_in_habits_of_clusters(clusters, unequal, constant, rate, direction):
    wrong = naive = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        codes, error, cluster = people(rng, clusters, unequal, constant, rate)
        options = {"seed": seed, "direction": direction, "permutations": 99, "most": 1}
        wrong += search(codes, LEVELS, error, cluster=cluster, **options).significant > 0
        if seed < 100:
            naive += search(codes, LEVELS, error, **options).significant > 0
    assert wrong / 300 <= 0.06
    assert naive / 100 > 0.15


def planted(rng, n, slices, rate=0.1, levels=(4, 3, 5, 3, 2)):
    codes, error = records(rng, n, levels, rate)
    for attributes, level, worse in slices:
        member = inside(codes, attributes, level)
        error[member] = rng.random(member.sum()) < worse
    return codes, levels, error


def test_the_planted_slice_comes_first_and_its_relatives_are_explained():
    first = exact = listed = related = 0
    for seed in range(40):
        data = planted(np.random.default_rng(seed), 4000, [((1, 3), (1, 0), 0.25)])
        found = search(*data, seed=seed)
        first += (found.slices[0].attributes, found.slices[0].levels) == ((1, 3), (1, 0))
        exact += len(found.slices) == 1
        listed += len(found.slices)
        related += found.significant
    assert first >= 36
    assert exact >= 34
    assert listed <= 48
    # Without pruning there would be a long list.
    assert related > 15 * 40


def test_all_that_was_planted_is_found():
    plan = [((1, 3), (1, 0), 0.3), ((2,), (2,), 0.25), ((0, 4), (1, 1), 0.02)]
    codes, levels, error = planted(np.random.default_rng(10), 20_000, plan)
    found = search(codes, levels, error, direction="both")
    names = [(one.attributes, one.levels) for one in found.slices]
    assert set(names) >= {plan[0][:2], plan[1][:2], plan[2][:2]}
    assert len(names) <= 6
    assert found.slices[0].added == found.slices[0].z
    for one in found.slices:
        assert abs(one.added) > found.critical
        assert one.added * one.z > 0
        assert (one.z > 0) == (one.rate > one.rest_rate)
    assert len(search(codes, levels, error, direction="both", most=2).slices) == 2
    low = search(codes, levels, error, direction="lower")
    assert {one.rate < one.rest_rate for one in low.slices} == {True}


def test_a_part_that_is_worse_still_is_found_in_the_whole():
    plan = [((1,), (1,), 0.25), ((1, 2), (1, 0), 0.5)]
    found = search(*planted(np.random.default_rng(11), 10_000, plan))
    assert {(one.attributes, one.levels) for one in found.slices} == {
        ((1,), (1,)),
        ((1, 2), (1, 0)),
    }


def test_a_planted_slice_is_found_among_clusters():
    rng = np.random.default_rng(12)
    codes, error, cluster = people(rng, 200, True, 3, 0.1, 0.05)
    member = inside(codes, (1, 3), (1, 0))
    error[member] = rng.random(member.sum()) < 0.4
    found = search(codes, LEVELS, error, cluster=cluster)
    assert (found.slices[0].attributes, found.slices[0].levels) == ((1, 3), (1, 0))
    assert len(found.slices) == 1
    assert found.slices[0].z < search(codes, LEVELS, error).slices[0].z


def test_many_clusters_are_pooled(monkeypatch):
    rng = np.random.default_rng(13)
    codes, error, cluster = people(rng, 400, True, 2, 0.1, 0.05)
    whole, _ = evidence(codes, LEVELS, error, cluster)
    monkeypatch.setattr(module, "_CLUSTERS", 100)
    pooled, _ = evidence(codes, LEVELS, error, cluster)
    assert np.corrcoef(whole, pooled)[0, 1] > 0.97
    assert pooled.std() == pytest.approx(whole.std(), rel=0.1)
    numbers = module._numbered(cluster, 0)
    assert set(numbers) == set(range(100))
    assert all(len(set(numbers[cluster == c])) == 1 for c in range(400))


def test_losses_are_found():
    rng = np.random.default_rng(14)
    codes, levels, _ = planted(rng, 3000, [])
    loss = rng.gamma(2, 1, 3000)
    loss[inside(codes, (0, 2), (1, 1))] *= 2
    found = search(codes, levels, loss)
    assert [(one.attributes, one.levels) for one in found.slices] == [((0, 2), (1, 1))]
    member = inside(codes, (0, 2), (1, 1))
    assert found.slices[0].rate == pytest.approx(loss[member].mean())
    assert found.slices[0].rest_rate == pytest.approx(loss[~member].mean())
    turned = search(codes, levels, -loss, direction="lower")
    assert turned.slices[0].z == pytest.approx(-found.slices[0].z)


def test_only_what_is_exposed_counts():
    rng = np.random.default_rng(15)
    codes, levels, error = planted(rng, 3000, [((0,), (1,), 0.3)])
    exposure, cluster = rng.integers(0, 2, 3000), rng.integers(0, 300, 3000)
    kept = exposure == 1
    error[~kept] = 1
    for options, part in (({}, {}), ({"cluster": cluster}, {"cluster": cluster[kept]})):
        found = search(codes, levels, error, exposure=exposure, **options)
        assert found == search(codes[kept], levels, error[kept], **part)
        assert found.n == kept.sum()


@pytest.mark.parametrize("kind", ["errors", "losses", "clusters"])
def test_the_order_of_records_does_not_matter(kind):
    rng = np.random.default_rng(16)
    codes, levels, error = planted(rng, 2000, [((0,), (1,), 0.3), ((2, 3), (0, 0), 0.2)])
    cluster = rng.integers(0, 100, 2000) if kind == "clusters" else None
    if kind == "losses":
        error = error + rng.random(2000)
    order = rng.permutation(2000)
    found = search(codes, levels, error, cluster=cluster)
    again = search(
        codes[order], levels, error[order], cluster=None if cluster is None else cluster[order]
    )
    assert [one.attributes for one in again.slices] == [one.attributes for one in found.slices]
    for one, two in zip(found.slices, again.slices, strict=True):
        assert np.hstack(astuple(two)) == pytest.approx(np.hstack(astuple(one)), rel=1e-9)
    assert again.critical == pytest.approx(found.critical, rel=1e-9)
    assert search(codes, levels, error, cluster=cluster) == found


def test_the_seed_matters_to_p_values_only():
    data = planted(np.random.default_rng(17), 2000, [((0,), (1,), 0.3)])
    one, two = search(*data), search(*data, seed=1)
    assert one.critical != two.critical
    assert one.slices[0].z == two.slices[0].z


@pytest.mark.parametrize("value", [0, 1, 0.1])
@pytest.mark.parametrize("direction", ["higher", "lower", "both"])
@pytest.mark.parametrize("clustered", [False, True])
def test_equal_errors_are_no_finding(value, direction, clustered):
    codes, _ = records(np.random.default_rng(18))
    cluster = np.arange(400) // 4 if clustered else None
    error = np.full(400, value)
    found = search(codes, LEVELS, error, direction=direction, cluster=cluster, alpha=1.0)
    assert found.slices == ()
    assert (found.best.z, found.best.p_value) == (pytest.approx(0, abs=1e-6), 1)
    assert found.errors == pytest.approx(400 * value)


@pytest.mark.parametrize("n", [0, 1, 20])
@pytest.mark.parametrize("clustered", [False, True])
def test_too_few_records_are_not_searched(n, clustered):
    codes, error = records(np.random.default_rng(19))
    cluster = np.arange(400) if clustered else None
    found = search(codes, LEVELS, error, exposure=np.arange(400) < n, cluster=cluster)
    assert (found.slices, found.best, found.searched, found.n) == ((), None, 0, n)
    assert (found.excluded_small > 0) == (n > 0)


def test_one_cluster_proves_nothing():
    codes, levels, error = planted(np.random.default_rng(20), 1000, [((0,), (1,), 0.9)])
    assert search(codes, levels, error).slices
    assert not search(codes, levels, error, cluster=np.zeros(1000)).slices


def test_of_equals_the_shorter_and_then_the_first_is_listed():
    codes, error = records(np.random.default_rng(21), 1000, (2, 2))
    error[codes[:, 1] == 1] |= np.arange((codes[:, 1] == 1).sum()) % 2 == 0
    same = np.column_stack([codes, codes[:, 1], codes[:, 1]])
    found = search(same, [2, 2, 2, 2], error)
    assert [(one.attributes, one.levels) for one in found.slices] == [((1,), (1,))]
    assert found.significant > 3


def test_permutations_bound_the_p_value():
    data = planted(np.random.default_rng(22), 2000, [((0,), (1,), 0.5)])
    assert search(*data, permutations=19).slices[0].p_value == 0.05
    few = search(*data, permutations=18)
    assert few.slices == ()
    assert few.critical == np.inf
    assert few.best.p_value == 1 / 19
    none = search(*data, permutations=0)
    assert (none.best.p_value, none.best.attributes) == (1.0, (0,))


def test_many_attributes_have_more_combinations_than_numbers():
    rng = np.random.default_rng(23)
    codes = rng.integers(0, 40, (2000, 30))
    error = rng.random(2000) < 0.1 + 0.5 * (codes[:, 17] == 3)
    found = search(codes, [40] * 30, error, depth=1)
    assert [(one.attributes, one.levels) for one in found.slices] == [((17,), (3,))]


def test_too_many_slices_are_refused():
    with pytest.raises(
        FairauditError, match=r"3 attributes of up to 1000 values .* 1,003,003,000 "
    ):
        search(np.zeros((9, 3), int), [1000] * 3, np.zeros(9))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"levels": [2, 2]}, "column"),
        ({"levels": [2, 2, 1]}, "below"),
        ({"error": np.zeros(3)}, "each record"),
        ({"error": np.full(4, np.nan)}, "finite"),
        ({"cluster": np.zeros(3)}, "each record"),
    ],
)
def test_nonsense_is_refused(change, match):
    codes = np.array([[0, 0, 0], [0, 0, 1], [1, 1, 1], [0, 1, 0]])
    arguments = {"levels": [2, 2, 2], "error": np.zeros(4), **change}
    with pytest.raises(ValueError, match=match):
        search(codes, **arguments)


@pytest.mark.parametrize("clustered", [False, True])
def test_progress_is_told(clustered):
    codes, error = records(np.random.default_rng(24))
    seen = []
    cluster = np.arange(400) // 4 if clustered else None
    options = {"progress": lambda *numbers: seen.append(numbers), "cluster": cluster}
    assert search(codes, LEVELS, error, **options) == search(codes, LEVELS, error, cluster=cluster)
    assert seen[-1] == (199, 199)
