"""Cards as Markdown, read by a renderer."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from fairaudit.report.card.markdown import page, slug
from fairaudit.report.card.model import (
    Bullets,
    Card,
    Code,
    Facts,
    Folded,
    Prose,
    Section,
    Stated,
    sections,
)
from fairaudit.report.explanations import Alignment, Heat
from fairaudit.report.sheets import Sheet
from tests.report.card import sample
from tests.report.test_markup import HOSTILE, Page, shown, texts

SEAL = '{"schema": "x/1"}'
COMMENT = f"<!-- fairaudit-card: {SEAL} -->"
OURS = set(
    "h1 h2 h3 h4 h5 h6 p em strong ul li a table thead tbody tr th td pre code details summary"
    .split()
)  # fmt: skip


def read(card):
    return Page(page(replace(card, metadata={}), SEAL))


def of(*blocks):
    return Card("Name", "Report", (), (Section("Part", blocks, "part"),))


def every_block(text):
    sheet = Sheet(text, [("", text), ("n", text)], [(text, "1")], [text])
    rows = [(text, text), (text, None), (text, [text, text])]
    blocks = [
        Prose(text), Prose(text, True), Bullets([text]), Facts(rows), Stated([text], "?", "a.b"),
        Stated([], text, "a.b"), Code(text, text), sheet, Alignment(text, [("hit", text, text)]),
        Heat(text, [(text, 0.9), (text, 0.1)]),
    ]  # fmt: skip
    inner = Section(text, [Folded(text, blocks)], "inner")
    return Card(text, text, [text], [Section(text, [*blocks, inner], "outer")])


def test_the_sample():
    text = page(sample.card(), SEAL)
    assert text == page(sample.card(), SEAL)
    assert text.startswith('---\nlanguage: "en"\n')
    assert text.endswith(f"\n\n{COMMENT}\n")
    found = read(sample.card())
    assert {tag for tag, *_ in found.tags} <= {*OURS, COMMENT}
    assert found.of("h1") == [f"Speech service {sample.SCRIPT}"]
    assert found.of("h6") == ["Deepest"]
    assert found.of("li").count(sample.SCRIPT) == 1
    for name in sample.HOSTILE:
        assert name in found.of("td")
    assert "svg" not in text


def test_links_meet_the_headings_as_github_names_them():
    card = replace(sample.card(), title="Results")
    links = [values[0] for tag, *values in read(card).tags if tag == "a"]
    links = [link for link in links if link.startswith("href=#")]
    assert links == [
        "href=#intended-use", "href=#results-1", "href=#word-errors", "href=#names",
        "href=#details",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("titles", "anchors"),
    [
        (["A", "a", "A!"], ["a", "a-1", "a-2"]),
        (["a", "a-1", "a"], ["a", "a-1", "a-2"]),
        (["a", "a", "a-1"], ["a", "a-1", "a-1-1"]),
        (["B & C", "x_y", "[0, 1]", "Größe"], ["b--c", "x_y", "0-1", "größe"]),
        (["@ann: 1.5 %", "</h2>"], ["ann-15-", "h2"]),
    ],
)
def test_no_two_anchors_are_the_same(titles, anchors):
    parts = [Section(title, (), f"s{i}") for i, title in enumerate(titles)]
    text = page(Card("Name", "Report", (), parts), SEAL)
    for anchor in anchors:
        assert f"](#{anchor})\n" in text
    assert [slug(titles[0])] == anchors[:1]


def test_headings_that_are_folded_away_count():
    hidden = Folded("more", [Section("A", (), "s1")])
    parts = [Section("X", [hidden], "s0"), Section("A", (), "s2")]
    assert "[A](#a-1)" in page(Card("Name", "Report", (), parts), SEAL)


def test_only_two_levels_are_listed():
    links = [tag for tag, *rest in read(sample.card()).tags if tag == "a" and "#" in rest[0]]
    assert len(links) == sum(depth <= 1 for depth, _ in sections(sample.card().sections)) == 5


def test_what_is_not_stated():
    text = page(of(Stated((), "What for?", "use.intended"), Facts([("Licence", None)])), SEAL)
    assert "**Not stated.** What for? (<code>use.intended</code>)" in text
    assert "- **Licence:** **Not stated.**" in text


def test_facts_and_statements():
    found = read(of(Facts([("Name", "x"), ("Contacts", ["a", "b"])]), Stated(["c"], "?", "k")))
    assert found.of("strong") == ["Name:", "Contacts:"]
    assert found.of("li")[-2:] == ["a", "b"]
    assert found.of("p")[-1] == "c"


def addresses(text):
    tags = read(of(Stated([text], "?", "k"), Facts([("x", text), ("y", [text])]))).tags
    return [values[0] for tag, *values in tags if tag == "a" and "https" in values[0]]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://example.org", "https://example.org"),
        ("See https://example.org/a_b_c/?x=1&y=2,3#z.", "https://example.org/a_b_c/?x=1&y=2,3#z"),
        ("(https://example.org:8080/~me)", "https://example.org:8080/~me"),
        ("- https://a.org\n# no heading", "https://a.org"),
    ],
)
def test_what_the_owner_links_is_a_link(text, address):
    assert addresses(text) == [f"href={address}"] * 3
    found = read(of(Stated([text], "?", "k")))
    assert found.of("a")[-1] == address
    assert " ".join(found.of("p")[-1].split()) == " ".join(text.replace(address, "").split())
    assert found.of("h1") + found.of("h2") == ["Name", "Part"]


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/*a*", "https://a.org/`x`", "https://user@a.org/", "https://a.org/[x](y)",
        "https://a.org/&copy;b", "https://a.org|b", "https://größe.org", "https://-a.org",
        "http://a.org", "https://", "https://a.org\\b", "https://a.org/$x$", "https://a.org/!x",
    ],
)  # fmt: skip
def test_what_may_be_more_than_an_address_is_text(text):
    assert addresses(text) == []
    assert read(of(Stated([text], "?", "k"))).of("p")[-1] == text


def test_addresses_from_the_data_are_text():
    tags = read(of(Prose("https://a.org"), Bullets(["https://a.org"]))).tags
    assert all("https" not in values[0] for tag, *values in tags if tag == "a")


def test_folded_is_read_as_markdown():
    found = read(of(Folded("All <b>", [Prose("*inner*"), Code("x", "</details>\n\n```\n")])))
    tags = [tag for tag, *_ in found.tags]
    assert tags[tags.index("details") :][:5] == ["details", "summary", "p", "p", "pre"]
    assert found.of("summary") == ["All <b>"]
    assert found.of("code") == ["</details>\n\n```"]


def test_two_lists_stay_two():
    found = read(of(Bullets(["a"]), Bullets(["b"])))
    assert [tag for tag, *_ in found.tags].count("ul") == 3  # the contents, and these


@settings(max_examples=40, deadline=None, derandomize=True)
@given(texts)
def test_no_text_leaves_its_place(text):
    check(text)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_hostile_text_leaves_its_place(text):
    check(text)


def check(text):
    written = page(every_block(text), SEAL)
    assert written.splitlines()[-1] == COMMENT
    found, usual = Page(written), Page(page(every_block("x"), SEAL))
    assert {tag for tag, *_ in found.tags} <= {*OURS, COMMENT, "<!-- -->"}
    if shown(text):
        assert [tag for tag, *_ in found.tags] == [tag for tag, *_ in usual.tags]
        assert found.of("td")[0] == shown(text)
        assert found.of("a") == [shown(text)] * 2
        assert found.of("summary") == found.of("h1") == [shown(text)]
