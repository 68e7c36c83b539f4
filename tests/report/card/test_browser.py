"""The card in a browser: offline, without scripts, on a phone, in the dark, on paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fairaudit.report.card import html
from tests.report.card import sample
from tests.report.card.browser import MISSING, chromium, shown

SCHEMES = ("light", "dark")
WIDTHS = (320, 1280)


@pytest.fixture(scope="module")
def browser() -> Any:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("card") / "card.html"
    file.write_text(html.page(sample.card(), '{"schema": 1}'), "utf-8")
    return file


def size(width: int) -> dict[str, int]:
    return {"width": width, "height": 800}


def column(page: Any, table: int, n: int) -> list[str]:
    """Cells of a column from top to bottom."""
    rows = page.locator("table").nth(table).locator(f"tbody tr > :nth-child({n})")
    return [text.strip() for text in rows.all_text_contents()]


def scrolled_by(page: Any, key: str) -> float:
    """How far a key scrolls the focused box; scrolling is smooth, and may begin late."""
    for _ in range(50):
        page.keyboard.press(key)
        page.wait_for_timeout(50)
        if moved := page.evaluate("document.activeElement.scrollLeft"):
            return moved
    return 0.0


def focused(page: Any) -> str:
    return page.evaluate("document.activeElement.textContent.trim()")


def test_nothing_is_asked_of_the_network_and_nothing_complains(browser: Any, path: Path) -> None:
    with shown(browser, path) as (page, trouble):
        page.locator("summary").first.click()
        page.wait_for_load_state("networkidle")
        assert page.evaluate("performance.getEntriesByType('resource').length") == 0
        assert page.evaluate("document.querySelectorAll('script').length") == 2
    assert trouble == []


def test_the_policy_forbids_what_it_does_not_name(browser: Any, path: Path, tmp_path: Path) -> None:
    added = (
        '<p style="color: red" onclick="x()">x</p><script>document.title = "run"</script></body>'
    )
    file = tmp_path / "changed.html"
    file.write_text(path.read_text("utf-8").replace("</body>", added), "utf-8")
    with shown(browser, file) as (page, trouble):
        assert page.title() != "run"
    assert sum("Content Security Policy" in line for line in trouble) >= 2


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_nothing(browser: Any, path: Path, width: int, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason=MISSING).Axe()
    # Only for the tool: it adds a script to the page.
    settings = {"viewport": size(width), "color_scheme": scheme, "bypass_csp": True}
    with shown(browser, path, **settings) as (page, _):
        page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
        found = axe.run(page).response
        assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
        assert len(found["passes"]) > 20


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_never_scrolls_sideways(
    browser: Any, path: Path, width: int, script: bool
) -> None:
    with shown(browser, path, viewport=size(width), java_script_enabled=script) as (page, _):
        for summary in page.locator("summary").all():
            summary.click()
        sizes = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert sizes[0] <= sizes[1]


def test_a_wide_table_scrolls_by_keyboard(browser: Any, path: Path) -> None:
    with shown(browser, path, viewport=size(320)) as (page, _):
        page.locator("summary").first.click()
        box = page.get_by_role("group", name="A wide table")
        box.focus()
        assert scrolled_by(page, "ArrowRight") > 0


def test_all_is_readable_without_scripts(browser: Any, path: Path) -> None:
    with shown(browser, path, java_script_enabled=False) as (page, trouble):
        text = page.locator("body").inner_text()
        for expected in ("Not stated.", "use.out_of_scope", sample.SCRIPT, "21.9 [19.3, 24.7]"):
            assert expected in text
        assert page.locator("th button").count() == 0
        page.get_by_text("All metrics").click()
        assert page.get_by_text("Shown on request.").is_visible()
    assert trouble == []


def test_sorting_by_click_is_numeric_and_keeps_all_records_last(browser: Any, path: Path) -> None:
    with shown(browser, path) as (page, trouble):
        head = page.get_by_role("columnheader", name="words said")
        assert head.get_attribute("aria-sort") is None
        head.get_by_role("button").click()
        assert column(page, 0, 5) == ["0", "31", "440", "2110", "4021", "19022", "25624"]
        assert head.get_attribute("aria-sort") == "ascending"
        head.get_by_role("button").click()
        assert column(page, 0, 5) == ["19022", "4021", "2110", "440", "31", "0", "25624"]
        assert head.get_attribute("aria-sort") == "descending"
        assert page.locator("[aria-sort]").count() == 1
    assert trouble == []


def test_undefined_values_stay_last_either_way(browser: Any, path: Path) -> None:
    with shown(browser, path) as (page, _):
        page.get_by_role("button", name="words said").click()  # now the undefined one is first
        assert column(page, 0, 1)[0] == "welsh"
        button = page.get_by_role("button", name="difference to the rest, in points")
        button.click()
        values = ["-5.4", "-5.2*", "+2.9", "+5.8", "+10.1*", "-", ""]
        assert column(page, 0, 4) == values
        button.click()
        assert column(page, 0, 4) == [*reversed(values[:5]), "-", ""]


def test_sorting_by_keyboard_keeps_the_focus(browser: Any, path: Path) -> None:
    with shown(browser, path) as (page, _):
        page.get_by_role("button", name="group").first.focus()
        page.keyboard.press("Enter")
        names = column(page, 0, 1)
        assert names == [*sorted(names[:-1]), "(all)"]
        assert focused(page) == "group"
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        assert column(page, 0, 2)[0] == "7.0"
        assert focused(page) == "WER"


def test_the_first_tab_skips_to_the_content(browser: Any, path: Path) -> None:
    with shown(browser, path) as (page, _):
        page.keyboard.press("Tab")
        assert focused(page) == "Skip to content"
        assert page.locator(".skip").bounding_box()["x"] >= 0
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "Main"


@pytest.mark.parametrize("script", [True, False])
def test_paper_shows_what_is_folded_and_is_light(browser: Any, path: Path, script: bool) -> None:
    settings = {"color_scheme": "dark", "java_script_enabled": script}
    with shown(browser, path, **settings) as (page, _):
        hidden = page.get_by_text("Shown on request.")
        assert not hidden.is_visible()
        page.emulate_media(media="print")
        assert hidden.bounding_box()["height"] > 0
        color = "getComputedStyle(document.body).backgroundColor"
        assert page.evaluate(color) == "rgb(255, 255, 255)"


def test_printing_opens_what_is_folded_and_closes_it_again(browser: Any, path: Path) -> None:
    with shown(browser, path) as (page, _):
        is_open = "document.querySelector('details').open"
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.evaluate(is_open) is True
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.evaluate(is_open) is False


def test_targets_are_large_enough(browser: Any, path: Path) -> None:
    # WCAG 2.2, 2.5.8: 24 by 24 pixels; links within a sentence are exempt.
    with shown(browser, path, viewport=size(390)) as (page, _):
        for each in page.locator("nav a:visible, summary, th button:visible").all():
            assert each.bounding_box()["height"] >= 24


@pytest.mark.parametrize("width", WIDTHS)
def test_no_text_of_a_chart_overlaps_another(browser: Any, path: Path, width: int) -> None:
    with shown(browser, path, viewport=size(width)) as (page, _):
        boxes = [text.bounding_box() for text in page.locator("svg.chart text").all()]
    assert len(boxes) > 15
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
    assert not [(a, b) for n, a in enumerate(boxes) for b in boxes[:n] if overlap(a, b)]


def overlap(a: dict[str, float], b: dict[str, float]) -> bool:
    """Whether two boxes share more than the leading between lines."""
    across = min(a["x"] + a["width"], b["x"] + b["width"]) - max(a["x"], b["x"])
    down = min(a["y"] + a["height"], b["y"] + b["height"]) - max(a["y"], b["y"])
    return across > 0 and down > 4
