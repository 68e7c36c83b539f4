"""Figures that stand below each other and read well."""

import pytest

from fairaudit.report.figures import PERCENT, Figures, count, p_cell


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0123, "0.0123"),
        (0.5, "0.500"),
        (12.3, "12.3"),
        (999.4, "999"),
        (123456.0, "123,456"),
        (-0.02, "-0.0200"),
        (4.2e-8, "4.20e-08"),
        (3e12, "3.00e+12"),
    ],
)
def test_about_three_digits(value, written):
    assert Figures.of("number", [value]).value(value) == written


def test_a_column_has_the_digits_of_its_middle_value():
    column = [0.08, 0.11, None, 1234.5]
    figures = Figures.of("number", column)
    assert [figures.value(value) for value in column] == ["0.080", "0.110", "-", "1,234.500"]
    assert figures.value(0.004, "+") == "+0.004"
    assert figures.interval(0.1, 0.25) == "[0.100, 0.250]"
    assert figures.interval(0.1, None) == "-"
    assert (figures.said, figures.points) == ("", "")


def test_zeros_and_nothing_are_no_size():
    assert Figures.of("number", [0.0, None]).value(0.0) == "0.00"
    assert Figures.of("number", [0.0, 12.0]).value(0.0) == "0.0"


def test_shares_are_in_percent_whatever_their_size():
    figures = Figures.of("percent", [0.00123])
    assert figures is PERCENT
    assert figures.value(0.00123) == "0.1"
    assert (figures.said, figures.points) == (", in percent", " points")


def test_counts_and_p_values():
    assert [count(x) for x in (3.0, 3.25, 120000.0)] == ["3", "3.2", "120000"]
    assert [p_cell(p) for p in (0.0009, 0.05, 1.0, None)] == ["<0.001", "0.050", "1.000", "-"]
