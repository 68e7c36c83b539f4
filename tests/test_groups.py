import pytest

from fairaudit.exceptions import FairauditError
from fairaudit.groups import Attribute, Bins, Grouping, join_labels, split_label


@pytest.mark.parametrize("values", [["us", "f"], ["a:b", "c"], ["(all)", "x"], ["a\\", "b"]])
def test_labels_of_crossings_come_apart_again(values):
    quoted = [f'"{v}"' if v.startswith("(") else v for v in values]
    assert split_label(join_labels(values)) == quoted


def test_a_value_that_equals_a_reserved_name_is_quoted():
    assert join_labels(["(missing)"]) == '"(missing)"'
    assert join_labels([None]) == "(missing)"
    assert join_labels(["us", None]) == "(missing)"


@pytest.mark.parametrize("text", ["", "a:", ":a", "a:a"])
def test_by_must_be_columns(text):
    with pytest.raises(FairauditError, match="--by"):
        Attribute.parse(text)


@pytest.mark.parametrize(
    "text", ["age", "age=", "=1", "age=3,1", "age=1,1", "age=x", "age=nan", "age=inf"]
)
def test_bins_must_be_increasing_numbers(text):
    with pytest.raises(FairauditError, match="expected a column and increasing numbers"):
        Bins.parse(text)


def test_bins_are_closed_on_the_left():
    bins = Bins.parse("age=18,30")
    assert bins.cut(["17.9", "18", "29", "30", None]) == [
        "(-inf, 18)", "[18, 30)", "[18, 30)", "[30, inf)", None,
    ]  # fmt: skip


def test_bins_tell_their_edges_apart():
    labels = Bins.parse("t=1700000000,1700000100,1700000200.5").labels
    assert labels[1:3] == ["[1700000000, 1700000100)", "[1700000100, 1700000200.5)"]


def test_a_value_that_is_no_number_cannot_be_cut():
    with pytest.raises(FairauditError, match="age is 'n/a'.*--na n/a"):
        Bins.parse("age=18").cut(["n/a"])
    with pytest.raises(FairauditError, match="age is '1_000'"):
        Bins.parse("age=18").cut(["1_000"])


def test_too_many_groups_are_a_mistake():
    grouping = Grouping([Attribute.parse("id")], None, [], (), ["records"])
    import numpy as np

    with pytest.raises(FairauditError, match="--by id: more than 300 groups"):
        grouping.add({"id": [str(i) for i in range(1001)]}, np.ones((1001, 1)))
