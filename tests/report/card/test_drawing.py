"""Charts as SVG: every value where it belongs, at any width."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairaudit.report.card.drawing import Axis, broken, short, svg, ticks, width
from fairaudit.report.sheets import Chart, Limit, Mark
from tests.report.card import sample


def chart(*marks: Mark, overall: float | None = None, limits: tuple[Limit, ...] = ()) -> Chart:
    return Chart("WER, by accent", "errors per word", "percent", marks, overall, limits)


def mark(value: float | None, low: float | None = None, high: float | None = None) -> Mark:
    return Mark("us", value, low, high, "said")


def drawn(found: Chart) -> ElementTree.Element:
    return ElementTree.fromstring(svg(found, "c"))


def texts(found: Chart) -> list[str]:
    """Texts of a drawing in order, without what shows on demand."""
    return [each.text or "" for each in drawn(found).iter("text")]


def whiskers(found: Chart) -> list[tuple[float, float]]:
    """Ends of the intervals in percent of the width, without the legend's samples."""
    lines = [each.attrib for each in drawn(found).iter("line") if "class" not in each.attrib]
    return [(share(each["x1"]), share(each["x2"])) for each in lines if "x1" in each]


def dots(found: Chart) -> list[float]:
    places = [each.attrib["cx"] for each in drawn(found).iter("circle")]
    return [share(place) for place in places if place.endswith("%")]


def share(text: str) -> float:
    assert text.endswith("%")
    return float(text[:-1])


def test_values_stand_where_the_axis_says() -> None:
    found = chart(mark(0.1, 0.05, 0.2), mark(0.3, 0.25, 0.35), overall=0.2)
    axis = Axis.of(found)
    assert (axis.low, axis.high) == (
        0,
        pytest.approx(0.38),
    )  # 0.35 and a tenth of the range of 0.05 to 0.35
    assert dots(found) == [pytest.approx(2 + 96 * x / 0.38, abs=0.01) for x in (0.1, 0.3)]
    assert whiskers(found)[0] == pytest.approx((2 + 96 * 5 / 38, 2 + 96 * 20 / 38), abs=0.01)


def test_one_interval_does_not_squash_the_others() -> None:
    others = [mark(0.2 + n / 100, 0.18 + n / 100, 0.22 + n / 100) for n in range(10)]
    found = chart(*others, mark(0.25, 0.025, 5.78))
    assert Axis.of(found).high < 0.45
    assert whiskers(found)[-1] == (pytest.approx(Axis.of(found).place(0.025), abs=0.01), 98)
    assert drawn(found).findall(".//svg[@class='a']")
    assert "goes on beyond the axis" in texts(found)


def test_no_arrow_where_all_is_shown() -> None:
    found = chart(mark(0.2, 0.1, 0.3), mark(0.5, 0.4, 0.6))
    assert drawn(found).findall(".//svg") == []
    assert "goes on beyond the axis" not in texts(found)


def test_arrows_point_outwards() -> None:
    others = [mark(0.5 + n / 100, 0.49 + n / 100, 0.51 + n / 100) for n in range(5)]
    arrows = drawn(chart(*others, mark(0.5, 0.1, 0.9))).findall(".//svg")
    ends = [(each.attrib["x"], each[0].attrib["d"]) for each in arrows if "%" in each.attrib["x"]]
    assert ends == [("2%", "M4-5-4 0 4 5z"), ("98%", "M-4-5 4 0-4 5z")]


def test_limits_and_the_overall_value_are_lines_named_in_the_legend() -> None:
    limits = (Limit("limit of gap", 0.2), Limit("limit of <max>", 0.4))
    found = chart(mark(0.1), mark(0.3), overall=0.15, limits=limits)
    axis = Axis.of(found)
    lines = [each.attrib for each in drawn(found).iter("line") if "%" in each.get("x1", "")]
    places = {each["class"] + each.get("stroke-dasharray", ""): each["x1"] for each in lines}
    assert share(places["o"]) == axis.place(0.15)
    assert share(places["l6 4"]) == axis.place(0.2)
    assert share(places["l2 3"]) == axis.place(0.4)
    legend = ["all records: 15.0", "limit of gap: 20.0", "limit of <max>: 40.0"]
    assert texts(found)[1:4] == legend


def test_the_legend_shows_the_same_dashes_as_the_chart() -> None:
    found = chart(mark(0.1), limits=tuple(Limit(str(n), n / 10) for n in range(5)))
    dashes = re.findall(r'class="l" [^>]*dasharray="([^"]+)"', svg(found, "c"))
    assert dashes[:5] == dashes[5:]
    assert len(set(dashes)) == 4


def test_what_is_undefined_has_no_dot() -> None:
    found = chart(mark(0.1), mark(None))
    assert "undefined" in texts(found)
    assert len(dots(found)) == 1
    assert whiskers(found) == []


def test_nothing_is_defined() -> None:
    assert dots(chart(mark(None))) == []


def test_figures_stand_beside_the_names() -> None:
    found = texts(chart(mark(0.7053, 0.646, 0.77), mark(0.5)))
    assert found[1:5] == ["us", "70.5 [64.6, 77.0]", "us", "50.0"]


def test_numbers_are_no_percent() -> None:
    found = replace(chart(mark(1200.0, 900.0, 1500.0), mark(300.0)), scale="number", unit="seconds")
    assert texts(found)[1:] == ["us", "1,200 [900, 1,500]", "us", "300", "0", "500", "1,000",
                                "1,500", "seconds"]  # fmt: skip


def test_a_long_name_leaves_the_line_to_itself_and_is_whole_on_demand() -> None:
    found = drawn(sample.chart())
    named = [each for each in found.iter("text") if each.find("title") is not None]
    assert {each.find("title").text for each in named} == {sample.HOSTILE[7]}  # type: ignore[union-attr]
    lines = [each.text or "" for each in named]
    assert lines[-1].endswith("…")
    assert max(map(len, lines)) <= 38
    values = {each.text: float(each.get("y", 0)) for each in found.iter("text")}
    assert values["18.1 [2.0, 94.3]"] > max(float(each.get("y", 0)) for each in named)
    assert values["21.9 [19.3, 24.7]"] == values["indian"]


def test_rows_do_not_overlap() -> None:
    groups = [each for each in drawn(sample.chart()) if each.tag == "g"]
    places = [int(each.attrib["transform"].split()[1][:-1]) for each in groups]
    lowest = [
        top + max(float(each.get(y, 0)) for each in group.iter() for y in ("y", "cy", "y2"))
        for top, group in zip(places, groups, strict=True)
    ]
    assert all(bottom < top - 14 for bottom, top in zip(lowest, places[1:], strict=False))
    assert lowest[-1] < int(drawn(sample.chart()).attrib["height"])


def test_it_is_told_to_those_who_do_not_see_it() -> None:
    found = drawn(sample.chart())
    names = (found.attrib["aria-labelledby"], found.attrib["aria-describedby"])
    assert (found.attrib["role"], names) == ("img", ("c-t", "c-d"))
    assert (found[0].attrib["id"], found[0].text) == ("c-t", "WER, by accent")
    assert (found[1].attrib["id"], found[1].text) == ("c-d", sample.chart().said)


def test_it_fits_any_width() -> None:
    markup = svg(sample.chart(), "c")
    assert "viewBox" not in markup
    places = re.findall(r'\s(?:x|x1|x2|cx|width)="([^"]+)"', markup)
    assert all(place.endswith("%") or float(place) <= 36 for place in places)


def test_twenty_groups_are_small() -> None:
    marks = [Mark(f"some group {n}", n / 50, n / 60, n / 40, "1.0 [1, 2], 9 records")
             for n in range(20)]  # fmt: skip
    assert len(svg(chart(*marks, overall=0.2, limits=(Limit("limit of gap", 0.3),)), "T1")) < 7_000


numbers = st.floats(-1e6, 1e6).map(lambda x: round(x, 6))


@given(st.lists(st.tuples(numbers, numbers, numbers).map(sorted), min_size=1, max_size=8), numbers)
def test_every_value_and_limit_lies_within_the_axis(rows: list[list[float]], limit: float) -> None:
    marks = [mark(value, low, high) for low, value, high in rows]
    axis = Axis.of(chart(*marks, limits=(Limit("", limit),)))
    inside = [value for _, value, _ in rows] + [limit]
    assert all(axis.low <= value <= axis.high for value in inside)
    assert axis.low < axis.high


@given(numbers, st.floats(1e-6, 1e6))
def test_ticks_are_three_to_five_round_numbers_within(low: float, breadth: float) -> None:
    found = ticks(low, low + breadth)
    steps = [b - a for a, b in pairwise(found)]
    assert 3 <= len(found) <= 5
    assert all(low - 1e-6 * breadth <= x <= low + breadth * (1 + 1e-6) for x in found)
    assert max(steps) - min(steps) < 1e-6 * breadth + 1e-6 * abs(low)


@pytest.mark.parametrize(
    ("marks", "axis"),
    [
        ([mark(0.0)], Axis(0.0, 1.0)),
        ([mark(0.5)], Axis(0.45, 0.55)),
        ([mark(-0.2), mark(-0.1)], Axis(-0.21, 0.0)),
        ([mark(-0.1), mark(0.1)], Axis(-0.12, 0.12)),
        ([mark(0.85, 0.8, 0.9), mark(0.86, 0.81, 0.91)], Axis(0.789, 0.921)),
        ([mark(0.85, float("-inf"), float("inf"))], None),
    ],
)
def test_axes(marks: list[Mark], axis: Axis | None) -> None:
    found = Axis.of(chart(*marks))
    assert axis is None or (found.low, found.high) == pytest.approx((axis.low, axis.high))
    assert found.low < 0.85 < found.high or axis is not None


def test_letters_of_full_width_take_two() -> None:
    assert width("日本") == 4
    assert short("日本語日本語", 7) == "日本語…"
    assert broken("日本語日本語", 6) == ["日本語", "日本語"]
    assert broken("", 6) == [""]
