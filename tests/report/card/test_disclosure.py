"""No small count can be computed from those that are shown: by an oracle and by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairaudit.report.card.disclosure import determined, hidden
from fairaudit.stats.sums import MISSING


def table(**counts):
    """Groups of a single attribute."""
    name = {("a", None, MISSING if group == "missing" else group): n for group, n in counts.items()}
    return name, {cell: {"a": cell[2]} for cell in name}


def names(cells):
    return sorted(group for _, _, group in cells)


@pytest.mark.parametrize(
    ("counts", "gone"),
    [
        ({"x": 10, "y": 90}, []),
        ({"x": 3, "y": 997}, ["x", "y"]),
        # The total less the others would be the 3: the next smallest goes with it.
        ({"x": 3, "y": 40, "z": 50}, ["x", "y"]),
        ({"x": 6, "y": 4, "z": 50}, ["x", "y"]),
        # The total less the 50 would be 7 records of both.
        ({"x": 3, "y": 4, "z": 50}, ["x", "y", "z"]),
        ({"v": 90, "w": 60, "x": 3, "y": 4}, ["w", "x", "y"]),
        ({"x": 3, "y": 40, "missing": 20}, [MISSING, "x"]),
        ({"x": 30, "y": 40, "missing": 2}, [MISSING, "x"]),
    ],
)
def test_one_attribute(counts, gone):
    assert names(hidden(*table(**counts), 10)) == gone


def crossed(counts, axes, audited):
    """Records and values of the groups of these attributes, as audits have them.

    Parameters
    ----------
    counts : array
        Records of each combination, an axis per column.
    axes : sequence of sequence of str or None
        Values of each column.
    audited : sequence of sequence of int
        Columns of each attribute.
    """
    records, values, members = {}, {}, {}
    for columns in audited:
        attribute = ":".join("abc"[k] for k in columns)
        for at in np.ndindex(counts.shape):
            parts = [axes[k][at[k]] for k in columns]
            group = MISSING if None in parts else ":".join(parts)
            cell = (attribute, None, group)
            if not counts[at]:
                continue
            records[cell] = records.get(cell, 0) + int(counts[at])
            members.setdefault(cell, []).append(at)
            known = parts if group != MISSING else [MISSING] * len(parts)
            values[cell] = {"abc"[k]: part for k, part in zip(columns, known, strict=True)}
    return records, values, members


def computable(counts, members, gone, support):
    """Hidden cells whose count follows from the total and from all that is shown.

    The slow and obvious way: unknown is every combination of values by itself.
    """
    index = {at: i for i, at in enumerate(support)}

    def indicator(cell):
        row = np.zeros(len(support))
        row[[index[at] for at in members[cell]]] = 1
        return row

    known = [np.ones(len(support))] + [indicator(c) for c in members if c not in gone]
    rank = np.linalg.matrix_rank(np.array(known))
    return {c for c in gone if np.linalg.matrix_rank(np.array([*known, indicator(c)])) == rank}


ATTRIBUTES = {
    2: [[(0,), (1,), (0, 1)], [(0,), (0, 1)], [(0, 1)]],
    3: [
        [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)],
        [(0, 1), (1, 2), (0, 2), (0, 1, 2)],
        [(0,), (1,), (2,), (0, 1, 2)],
        [(0, 1, 2), (0, 1)],
    ],
}


@st.composite
def tables(draw):
    """A table with every combination, some of them empty or of records without a value."""
    dimensions = draw(st.sampled_from([2, 2, 3]))
    shape = tuple(draw(st.integers(2, 4 if dimensions == 2 else 3)) for _ in range(dimensions))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    counts = rng.negative_binomial(1, draw(st.sampled_from([0.02, 0.1])), shape)
    axes = [[f"{name}{i}" for i in range(n)] for name, n in zip("pqr", shape, strict=False)]
    for k in range(dimensions):
        if draw(st.booleans()):
            axes[k][-1] = None
    return counts, axes, draw(st.sampled_from(ATTRIBUTES[dimensions]))


def left_over(records, members, gone):
    """Records of hidden groups in each line: all of an attribute, and those of a shown margin."""
    for attribute in {cell[0] for cell in records}:
        own = [cell for cell in records if cell[0] == attribute]
        yield sum(records[cell] for cell in own if cell in gone)
        for margin in records.keys() - gone:
            within = [c for c in own if set(members[c]) <= set(members[margin]) and c[2] != MISSING]
            part = {*margin[0].split(":")} < {*attribute.split(":")}
            if part and margin[2] != MISSING:
                yield sum(records[cell] for cell in within if cell in gone)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(tables(), st.sampled_from([3, 10, 20]))
def test_no_small_count_follows_from_what_is_shown(drawn, least):
    counts, axes, audited = drawn
    records, values, members = crossed(counts, axes, audited)
    gone = hidden(records, values, least)
    small = {cell for cell, n in records.items() if n < least}
    assert small <= gone
    if counts.sum() >= least and small:
        support = [at for at in np.ndindex(counts.shape) if counts[at]]
        assert not small & computable(counts, members, gone, support)
        assert not [n for n in left_over(records, members, gone) if 0 < n < least]


def test_the_oracle_sees_what_one_hidden_cell_gives_away():
    counts = np.array([[3, 40], [50, 60]])
    axes, audited = [["p", "q"], ["x", "y"]], [(0,), (1,), (0, 1)]
    _, _, members = crossed(counts, axes, audited)
    support = list(np.ndindex(counts.shape))
    alone = {("a:b", None, "p:x")}
    assert computable(counts, members, alone, support) == alone
    both = alone | {("a:b", None, "p:y")}
    assert computable(counts, members, both, support) == both


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 60), min_size=2, max_size=6), st.integers(1, 30))
def test_of_one_attribute_no_more_is_hidden_than_must_be(counts, least):
    found = hidden(*table(**{f"g{i}": n for i, n in enumerate(counts)}), least)
    small = [n for n in counts if n < least]
    one_more = bool(small) and (len(small) == 1 or sum(small) < least)
    assert len(found) == min(len(counts), len(small) + one_more)


def test_attributes_that_share_a_column():
    # By b alone nothing is shown; still a:b and b:c add up to the same at each value of b.
    counts = np.array([[[2, 30], [40, 50]], [[60, 70], [80, 90]]])
    axes = [["p", "q"], ["x", "y"], ["s", "t"]]
    records, values, members = crossed(counts, axes, [(0, 1), (1, 2)])
    gone = hidden(records, values, 33)
    assert ("a:b", None, "p:x") in gone
    every = list(np.ndindex(counts.shape))
    assert not computable(counts, members, gone, every)


def test_lines_that_are_combined():
    # Every line has none or two hidden cells, and yet 3 - 2 of them are one equation too many.
    matrix = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1]], dtype=float)
    assert determined(matrix).all()
    assert not determined(matrix[:2]).any()
    counts = np.full((3, 3, 3), 50)
    for at in itertools.islice(np.ndindex(3, 3, 3), 0, 27, 5):
        counts[at] = 2
    axes = [[f"{name}{i}" for i in range(3)] for name in "pqr"]
    records, values, members = crossed(counts, axes, ATTRIBUTES[3][0])
    gone = hidden(records, values, 5)
    assert not computable(counts, members, gone, list(np.ndindex(3, 3, 3)))


def test_a_hidden_group_takes_its_values_of_the_control_with_it():
    # y is large, and is hidden for x alone.
    groups = {"x": {"north": 1, "south": 2}, "y": {"north": 20, "south": 20}}
    groups["z"] = {"north": 30, "south": 20}
    records = {("a", None, name): sum(counts.values()) for name, counts in groups.items()}
    values = {cell: {"a": cell[2]} for cell in records}
    for name, counts in groups.items():
        for place, count in counts.items():
            records["a", place, name] = count
            values["a", place, name] = {"a": name, "place": place}
    gone = {cell for cell in records if cell[2] in ("x", "y")}
    assert hidden(records, values, 10) == gone


def test_groups_that_do_not_make_up_all_records_give_no_other_away():
    records, values = table(x=3, y=40, z=50)
    assert names(hidden(records, values, 10, whole=False)) == ["x"]


def test_missing_values_of_a_crossing_are_not_those_of_its_parts():
    # 60 records lack a or b, 30 of them a: that 60 goes with x:s does not give away the 30.
    a, ab = {"x": 100, "y": 174, MISSING: 30}, {"x:s": 4, "x:t": 70, "y:s": 80, "y:t": 90}
    records = {("a", None, name): n for name, n in a.items()}
    values = {cell: {"a": cell[2]} for cell in records}
    for name, n in {**ab, MISSING: 60}.items():
        parts = name.split(":") if name != MISSING else [MISSING, MISSING]
        records["a:b", None, name] = n
        values["a:b", None, name] = dict(zip("ab", parts, strict=True))
    gone = hidden(records, values, 10)
    assert gone == {("a:b", None, name) for name in ("x:s", "x:t", MISSING)}


def test_what_is_left_over_in_a_margin():
    # By x alone nothing is small, so a is shown; of it 2 + 4 would be left over.
    counts = np.array([[2, 4, 40, 50], [60, 70, 80, 90], [60, 70, 80, 90]])
    axes = [["p", "q", "r"], ["s", "t", "u", "v"]]
    records, values, members = crossed(counts, axes, [(0,), (0, 1)])
    gone = hidden(records, values, 10)
    assert gone == {("a:b", None, f"p:{name}") for name in "stu"}
    assert [n for n in left_over(records, members, gone) if n] == [46, 46]
    without = {("a:b", None, f"p:{name}") for name in "st"}
    assert 6 in left_over(records, members, without)


def test_few_clusters():
    records, values = table(x=500, y=400, z=300, w=200)
    many = dict(zip(records, [9, 2, 8, 7], strict=True))
    # The total less the others would be the rate of the two: the smallest goes with them.
    assert names(hidden(records, values, 10, clusters=many)) == ["w", "y"]
    assert names(hidden(records, values, 10, clusters=dict.fromkeys(records, 3))) == []
    assert names(hidden(records, values, 10)) == []


def test_few_clusters_left_over():
    records, values = table(x=500, y=400, z=300, w=200)
    single = dict(zip(records, [9, 1, 8, 1], strict=True))
    # The two of one cluster each would be two persons' rate.
    assert names(hidden(records, values, 10, clusters=single)) == ["w", "y", "z"]


def test_few_clusters_are_guarded_as_small_counts_are():
    counts = np.array([[30, 40], [50, 60], [70, 80]])
    axes, audited = [["p", "q", "r"], ["x", "y"]], [(0,), (1,), (0, 1)]
    records, values, members = crossed(counts, axes, audited)
    clusters = {cell: 2 if cell[2] == "p:x" else 20 for cell in records}
    gone = hidden(records, values, 10, clusters=clusters)
    assert ("a:b", None, "p:x") in gone
    assert not computable(counts, members, gone, list(np.ndindex(counts.shape)))
