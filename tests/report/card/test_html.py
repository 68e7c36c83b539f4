"""The card as HTML: whole, valid, escaped, sealed by its policy, and small."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import html5lib
import pytest
from jinja2 import UndefinedError

from fairaudit.report.card import html
from fairaudit.report.card.model import Bullets, Card, Code, Facts, Folded, Prose, Section, Stated
from fairaudit.report.sheets import Sheet
from tests.report.card import sample

SEAL = '{"schema": "fairaudit/card/1", "numbers": [1, 2.5]}'
CSS = Path(html.__file__).parent / "templates" / "card.css"
VOID = {"meta", "link", "br", "wbr", "hr", "img", "input"}


class Tags(HTMLParser):
    """All tags of a page with their attributes, and the text in each kind of tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]

    def text(self, tag: str) -> list[str]:
        return [data for name, data in self.texts if name == tag and data.strip()]

    def values(self, attribute: str) -> list[str]:
        return [attrs[attribute] or "" for _, attrs in self.tags if attribute in attrs]


@pytest.fixture(scope="module")
def text() -> str:
    return html.page(sample.card(), SEAL)


@pytest.fixture(scope="module")
def tags(text: str) -> Tags:
    return Tags(text)


def written(*blocks: object) -> str:
    """A page with one section of these blocks."""
    section = Section("One", blocks, "one")  # type: ignore[arg-type]
    return html.page(Card("Title", "Report", (), (section,)), SEAL)


def body(*blocks: object) -> str:
    """What a page says of these blocks, without the blanks between lines."""
    found = re.search(r'<h2 id="one">One</h2>(.*?)</section>', written(*blocks), re.S)
    assert found
    return " ".join(found[1].split())


def test_it_is_valid_html(text: str) -> None:
    html5lib.HTMLParser(strict=True).parse(text)


def test_the_validator_would_notice() -> None:
    with pytest.raises(html5lib.html5parser.ParseError):
        html5lib.HTMLParser(strict=True).parse("<!DOCTYPE html><title>x</title><p><b></p>")


def test_every_tag_that_opens_is_closed(tags: Tags) -> None:
    assert tags.open == []


def test_the_same_card_is_the_same_page(text: str) -> None:
    assert html.page(sample.card(), SEAL) == text


def test_nothing_from_data_becomes_markup(text: str, tags: Tags) -> None:
    assert sample.SCRIPT not in text
    assert text.count("<script") == 2
    assert "<!--" not in text
    assert not [name for _, attrs in tags.tags for name in attrs if name.startswith("on")]
    assert "<b>cap" not in text


def test_every_hostile_name_shows_as_it_is(tags: Tags) -> None:
    items = tags.text("li")
    for name in sample.HOSTILE:
        assert name.strip() in [item.strip() for item in items]


def test_nothing_is_escaped_twice(text: str) -> None:
    assert not re.search(r"&amp;(amp|lt|gt|quot|#)", text.replace("&amp;lt;already&amp;amp;", ""))


def test_nothing_is_loaded(text: str, tags: Tags) -> None:
    assert tags.values("src") == []
    assert not {"link", "img", "iframe", "object", "base", "form"} & {tag for tag, _ in tags.tags}
    links = [link for link in tags.values("href") if not link.startswith("#")]
    assert links == ["https://example.org/?a=1&b=2"]
    assert "url(" not in text
    assert "@import" not in text


def test_links_within_the_page_lead_somewhere(tags: Tags) -> None:
    ids = tags.values("id")
    named = [link[1:] for link in tags.values("href") if link.startswith("#")]
    for attribute in ("aria-labelledby", "aria-describedby"):
        named += tags.values(attribute)
    assert len(named) > 10
    assert set(named) <= set(ids)


def test_ids_are_unique_even_where_titles_are_not() -> None:
    page = written(sample.sheet(), sample.sheet(), Folded("More", (sample.sheet(),)))
    ids = Counter(Tags(page).values("id"))
    assert len(ids) > 10
    assert set(ids.values()) == {1}


def test_the_policy_names_the_style_and_the_script(text: str, tags: Tags) -> None:
    policy = next(each for each in tags.named("meta") if "http-equiv" in each)["content"]
    assert policy is not None
    rules = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        found = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.S)
        assert found
        digest = base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"


def test_the_policy_comes_before_what_it_is_about(text: str) -> None:
    assert text.index("Content-Security-Policy") < text.index("<title>") < text.index("<style>")


def test_no_style_is_in_an_attribute(tags: Tags) -> None:
    assert tags.values("style") == []


def test_the_seal_is_there_as_it_was_given(text: str) -> None:
    assert f'<script type="application/json" id="fairaudit-card">{SEAL}</script>' in text


def test_headings_do_not_skip_a_level(tags: Tags) -> None:
    levels = [int(tag[1]) for tag, _ in tags.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))
    assert max(levels) == 6


def test_headings_end_at_the_sixth() -> None:
    section = Section("7", (), "s7")
    for level in range(6, 0, -1):
        section = Section(str(level), (section,), f"s{level}")
    levels = re.findall(r"<(h\d)", html.page(Card("", "", (), (section,)), SEAL))
    assert levels == ["h1", "h2", "h3", "h4", "h5", "h6", "h6", "h6"]


def test_landmarks_and_language(tags: Tags) -> None:
    for landmark in ("header", "nav", "main", "footer"):
        assert len(tags.named(landmark)) == 1
    assert tags.named("html") == [{"lang": "en"}]
    assert tags.named("a")[0] == {"class": "skip", "href": "#Main"}


def test_contents_list_the_first_two_levels(text: str) -> None:
    nav = text[text.index("<nav") : text.index("</nav>")]
    assert re.findall(r'href="#([^"]+)"', nav) == [
        "use",
        "results",
        "results-wer",
        "results-names",
        "details",
    ]


def test_a_table_has_a_caption_long_headings_and_row_headers() -> None:
    sheet = Sheet("Title", [("", ""), ("n", "records")], [("us:a", "1"), ("uk", "2")], ["Note."])
    table = body(sheet)
    assert "<span>Title</span></caption>" in table
    assert '<th scope="col">group<th scope="col">records </thead>' in table
    assert '<tr><th scope="row">us:<wbr>a<td>1 <tr>' in table
    assert '<div class="scroll" tabindex="0" role="group" aria-labelledby="T1">' in table
    assert "<li>Note.</li>" in table


def test_a_chart_stands_above_its_table(text: str) -> None:
    figure = text[text.index("<figure>") : text.index("</figure>")]
    assert figure.index("<figcaption>") < figure.index("<svg") < figure.index("<table")


def test_a_star_hangs_beside_its_figure() -> None:
    rows = [("a*", "+1.0*"), ("b", "-0.5 "), ("c", "*")]
    table = body(Sheet("", [("", "group"), ("", "d")], rows, []))
    assert ">a*<td>+1.0<i>*</i>" in table
    assert "<td>-0.5 <tr>" in table
    assert "<td>* </tbody>" in table


@pytest.mark.parametrize(
    ("cells", "classes"),
    [
        (["1", "-2.0", "[1, 2]", "<0.001", "1/2/3", "", "-", ">3", "+1e-05*", ".5"], ""),
        (["-", ""], ""),
        (["1", "fail"], "l2"),
        (["the interval of the ratio reaches it"], "l2 w2"),
    ],
)
def test_text_is_aligned_to_the_left(cells: list[str], classes: str) -> None:
    rows = [("group", cell) for cell in cells]
    assert html.columns(Sheet("", [("", "g"), ("", "c")], rows, [])) == classes


def test_a_table_without_rows_is_a_table() -> None:
    assert "<tbody> </tbody>" in body(Sheet("", [("", "g"), ("", "c")], [], []))


def test_facts_say_what_is_not_stated() -> None:
    facts = body(Facts((("Name", "x"), ("Licence", None), ("Contacts", ("a", "b")))))
    assert "<dt>Name</dt> <dd>x</dd>" in facts
    assert '<dt>Licence</dt> <dd class="missing">not stated</dd>' in facts
    assert "<dt>Contacts</dt> <dd>a</dd> <dd>b</dd>" in facts


def test_a_missing_answer_says_what_was_asked_and_where_it_belongs() -> None:
    answer = body(Stated((), "What for?", "use.intended"))
    assert answer.startswith('<p class="missing"><strong>Not stated.</strong> What for?')
    assert "<code>use.intended</code> in service.toml" in answer
    assert body(Stated(("x",), "What for?", "use.intended")) == "<p>x</p>"
    assert body(Stated(("x", "y"), "?", "k")) == "<ul> <li>x</li> <li>y</li> </ul>"


@pytest.mark.parametrize(
    ("said", "links"),
    [
        ("see https://a.org/b, or (https://c.org).", ["https://a.org/b", "https://c.org"]),
        ("http://a.org javascript:alert(1) //a.org data:x", []),
        ('https://a.org/"onclick="x', ["https://a.org/"]),
        ("https:// https://", []),
    ],
)
def test_only_https_is_linked(said: str, links: list[str]) -> None:
    tags = Tags(written(Stated((said,), "", "")))
    assert [link for link in tags.values("href") if not link.startswith("#")] == links
    assert said in "".join(data for tag, data in tags.texts if tag in ("p", "a"))


def test_what_is_no_word_of_the_owner_is_never_linked() -> None:
    sheet = Sheet("https://a.org", [("", "g")], [("https://a.org",)], ["https://a.org"])
    assert "<a " not in body(Prose("https://a.org"), Bullets(("https://a.org",)), sheet)


def test_prose_bullets_code_and_what_is_folded() -> None:
    assert body(Prose("x", strong=True), Prose("y")) == '<p class="strong">x</p> <p>y</p>'
    assert body(Bullets(("x", "y"))) == "<ul> <li>x</li> <li>y</li> </ul>"
    assert body(Code("run", "a  <b>\n c")) == (
        '<div class="code"> <p>run</p> <pre><code>a &lt;b&gt; c</code></pre> </div>'
    )
    folded = "<details> <summary>more</summary> <p>x</p> </details>"
    assert body(Folded("more", (Prose("x"),))) == folded


def test_code_keeps_its_lines() -> None:
    assert "<pre><code>a\n  b</code></pre>" in written(Folded("", (Code("", "a\n  b"),)))


def test_wrong_words_are_told_by_more_than_colour(text: str) -> None:
    table = text[text.index('<table class="words">') :]
    assert "<td><mark>&lt;b&gt;cap&lt;/b&gt;</mark> <small>wrong</small></td>" in table
    assert "<mark>–</mark> <small>left out</small>" in table
    assert "<mark>down</mark> <small>added</small>" in table


def test_a_block_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        written("no block")


def test_a_card_without_leads_or_sections() -> None:
    text = html.page(replace(sample.card(), lead=(), sections=()), SEAL)
    html5lib.HTMLParser(strict=True).parse(text)
    assert 'class="lead"' not in text
    assert "<nav" not in text


def test_tables_and_charts_are_small() -> None:
    header = [("", "group"), *((f"c{n}", f"heading {n}") for n in range(7))]
    rows = [(f"some group {n}", *["[12.3, 45.6]"] * 7) for n in range(20)]
    empty = len(written())
    assert len(written(Sheet("A title", header, rows, []))) - empty < 6_000


def test_the_frame_is_small(text: str) -> None:
    assert len(written().encode()) < 16_000
    assert len(text.encode()) < 30_000


def colours() -> Iterator[dict[str, str]]:
    """Variables of the light and of the dark scheme."""
    blocks = re.findall(r":root \{(.*?)\}", CSS.read_text("utf-8"), re.S)
    light, dark = (dict(re.findall(r"--(\w+): (#\w+)", block)) for block in blocks[:2])
    assert light.keys() == dark.keys()
    yield from (light, dark)


def luminance(colour: str) -> float:
    """Relative luminance; WCAG 2.2, definitions."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    low, high = sorted([luminance(a), luminance(b)])
    return (high + 0.05) / (low + 0.05)


def test_contrast_as_the_guidelines_define_it() -> None:
    assert contrast("#fff", "#000000") == pytest.approx(21)
    assert contrast("#767676", "#fff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("scheme", [0, 1])
def test_colours_are_told_apart(scheme: int) -> None:
    # axe cannot tell what lies behind the text of a drawing, and looks at no line.
    found = list(colours())[scheme]
    texts = [("text", "ground"), ("text", "panel"), ("text", "wrong"), ("soft", "ground")]
    texts += [("text", step) for step in ("h1", "h2", "h3")]
    texts += [("soft", "panel"), ("accent", "ground")]
    assert [pair for pair in texts if contrast(*(found[each] for each in pair)) < 4.5] == []
    graphics = [("accent", "ground"), ("limit", "ground"), ("limit", "panel"), ("soft", "ground")]
    assert [pair for pair in graphics if contrast(*(found[each] for each in pair)) < 3] == []
