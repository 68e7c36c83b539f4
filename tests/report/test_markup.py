"""Text from the data stays text in Markdown."""

import html
import re
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from fairaudit.report import markup
from fairaudit.report.explanations import Alignment
from fairaudit.report.sheets import Sheet

HOSTILE = [
    "<script>alert(1)</script>",
    "| a",
    "[x](javascript:alert(1))",
    "[x][y] [^1] [ ] [x]: http://a.example",
    "[1.0, 2.0](http://a.example) [1, 2][3, 4]",
    "[1, 2]: http://a.example",
    "@user @org/team a@b.example",
    "http://a.example WWW.a.example mailto:a",
    "#1 # a ## b #",
    "![](http://a.example/x.png)",
    "a\n\n# b\r\n- c\n    d",
    "`a` ``b``",
    "$x$ $$y$$ ~~z~~ ~~~",
    "=== --- +",
    "- a",
    "+ a",
    "1. a",
    "12) a",
    "---",
    "- - -",
    "> a",
    "* a *b* **c** _d_ __e__ a_b_ _",
    "a\\",
    "\\| \\x1b \\[",
    "&lt; &amp;amp; &#60;",
    "<!-- a",
    "--><b>",
    "    code",
    "</td></table>",
    "</code></details></summary>",
    "a\x00b\x1b[31m\u202ec\ud800",
    "| --- | --- |",
    ":-- | --:",
    "Zoë 日本語 👩🏽",
]
texts = st.lists(
    st.sampled_from([*HOSTILE, *"[](){}<>|\\`*_~#@$&!^:-+=. \n\t1ax"]) | st.text()
).map("".join)


class Page(HTMLParser):
    """Tags of a page and its texts, by the tag that they stand in."""

    def __init__(self, markdown):
        super().__init__()
        self.tags, self.texts, self.open = [], [], []
        renderer = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
        self.feed(renderer.render(markdown))
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, *(f"{name}={value}" for name, value in attributes)))
        self.open.append(len(self.texts))
        self.texts.append([tag, ""])

    def handle_endtag(self, tag):
        assert self.texts[self.open.pop()][0] == tag

    def handle_data(self, data):
        if self.open:
            self.texts[self.open[-1]][1] += data

    def handle_comment(self, data):
        self.tags.append((f"<!--{data}-->",))

    def of(self, tag):
        return [text.replace("@\u200b", "@").strip() for name, text in self.texts if name == tag]


def shown(text):
    """What a reader should see of a text."""
    hidden = {*range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xFFFE, 0xFFFF}
    return "".join(
        c.encode("unicode_escape").decode()
        if (unicodedata.category(c) in ("Cc", "Cs") and c not in "\t\n\r") or ord(c) in hidden
        else c
        for c in text.strip()
    ).strip()


def examples(test):
    """Run a test with each hostile text."""
    for text in HOSTILE:
        test = example(text)(test)
    return settings(max_examples=150, deadline=None, derandomize=True)(test)


@examples
@given(texts)
def test_a_cell_shows_the_text_and_nothing_else(text):
    cell = markup.escaped(text)
    page = Page(markup.table(["a", cell], "lr", [markup.line([cell, "1"])]))
    assert page.of("th") == ["a", shown(text)]
    assert page.of("td") == [shown(text), "1"]
    assert [tag for tag, *_ in page.tags] == ["table", "thead", "tr", "th", "th", "tbody", "tr",
                                              "td", "td"]  # fmt: skip


@examples
@given(texts)
def test_prose_is_one_paragraph(text):
    page = Page(f"before\n\n{markup.prose(text)}\n\nbehind\n")
    assert page.of("p") == ["before", *([shown(text)] if shown(text) else []), "behind"]
    assert {tag for tag, *_ in page.tags} == {"p"}


@examples
@given(texts)
def test_items_headings_and_code(text):
    page = Page(f"# {markup.escaped(text)}\n\n{markup.code(text)}\n\n{markup.bullets([text])}\n")
    assert page.of("h1") == page.of("code") == page.of("li") == [shown(text)]
    assert [tag for tag, *_ in page.tags] == ["h1", "p", "code", "ul", "li"]


@examples
@given(texts)
def test_a_fence_is_not_left(text):
    page = Page(f"{markup.fence(text)}\n\nbehind\n")
    lines = [shown(f".{line}.")[1:-1] for line in re.split("\r\n|\r|\n", text)]
    assert page.of("code") == ["\n".join(lines).strip()]
    assert [tag for tag, *_ in page.tags] == ["pre", "code", "p"]


@examples
@given(texts)
def test_hosts_find_no_addresses_and_no_mentions(text):
    written = markup.escaped(text)
    assert not re.search(r"@\w|www\.|://|#\w|\$|~|!\[", re.sub(r"&#\d+;", " ", written), re.I)
    assert written.count("&#64;") == written.count("&#64;&#8203;") == shown(text).count("@")


@pytest.mark.parametrize("text", ["{+a+}", "{: .b}", "2^10^", "$a$", "~~a~~"])
def test_what_only_some_hosts_read_is_escaped(text):
    assert not set("{}^$~") & set(markup.escaped(text))
    assert html.unescape(markup.escaped(text)) == text


@pytest.mark.parametrize(
    "text",
    ["(all)", "[1.0, 2.0]", "[18, 30)", "[-inf, 3)", "[1e-05, 1,234]", "-1.5", "wer_macro", "-",
     "a: b", "# of applicants", "12.3 %", "us, speaker 1"],
)  # fmt: skip
def test_what_is_readable_stays(text):
    assert markup.escaped(text) == text


def test_sheet():
    content = Sheet("A|B", [("", "group"), ("n", "n #")], [("x|y", "+1 ")], ["* star", "[1, 2]: x"])
    assert list(markup.sheet(content)) == [
        "**A&#124;B**",
        "| group | n &#35; |\n| :-- | --: |\n| x&#124;y | +1 |",
        "&#42; star",
        "[1, 2&#93;: x",
    ]


def test_alignment():
    steps = [("hit", "a", "a"), ("substitution", "b*", "<c>"), ("insertion", "", "d")]
    page = Page("\n\n".join(markup.alignment(Alignment("two", steps))))
    assert page.of("td") == ["said", "a", "", "", "heard", "a", "", ""]
    assert page.of("strong") == ["two", "b*", "<c>", "d"]


def test_an_alignment_of_nothing():
    assert Page("\n\n".join(markup.alignment(Alignment("x", [])))).of("td") == ["said", "heard"]


def test_references_are_html_too():
    assert html.unescape(markup.code("<a|b>")) == "<code><a|b></code>"
