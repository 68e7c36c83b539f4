"""The tokens that carry prediction sensitivity, as they are shown."""

import io
from dataclasses import replace

import pytest
from hypothesis import given
from rich.console import Console

from fairaudit.audit import Audit, Explanation
from fairaudit.report import markup, terminal
from fairaudit.report.card import data, html, markdown
from fairaudit.report.card.model import AuditFile, Card, Section, Wanted
from fairaudit.report.card.public import public
from fairaudit.report.contents import contents
from fairaudit.report.explanations import Heat
from fairaudit.report.machine import to_markdown
from fairaudit.report.sheets import Sheet
from tests.report.card import made
from tests.report.conftest import shown as printed
from tests.report.test_markup import HOSTILE, Page, examples, shown, texts

NURSE = [
    ("She", 0.31), ("worked", 0.02), ("as", 0.004), ("a", 0.03), ("nurse", 0.34), ("in", 0.02),
    ("the", 0.02), ("hospital", 0.12), ("where", 0.016), ("her", 0.1), ("mother", 0.02),
]  # fmt: skip


def token(token, share, group="(all)", records=12, mean=0.1):
    content = {"token": token, "share": share, "records": records, "mean": mean}
    return Explanation("sensitive_token", None if group == "(all)" else "sex", group, content)


def text(tokens, sensitivity=0.0123, predicted="BAD", **further):
    content = {
        "tokens": [list(pair) for pair in tokens],
        "sensitivity": sensitivity,
        "predicted": predicted,
        **further,
    }
    return Explanation("sensitive_text", None, "(all)", content)


def estimate(group, value, by="sex"):
    given = {"metric": "prediction_sensitivity", "counts": {}, "n": 100.0}
    return made.estimate(group, value, 0.8 * value, 1.2 * value, by=by, **given)


def audited(*explanations, by=True):
    """An audit of two groups, f the more sensitive, with these explanations."""
    rows = [estimate("m", 0.01), estimate("f", 0.02)] if by else []
    return made.audit(
        *rows,
        estimate("(all)", 0.015, None),
        kind="sensitivity",
        settings={"metrics": ["prediction_sensitivity"], "explain": True},
        explanations=explanations,
    )


def explained(audit):
    """What stands behind the headline."""
    found = list(contents(audit, False))
    return found[1:]


def card(*blocks):
    return Card("Title", "Report", (), (Section("One", blocks, "one"),))


# --- Tables -------------------------------------------------------------------------------


def test_tokens_of_all_records_and_of_each_group_the_worst_first():
    rows = [token(f"t{n}", n / 100) for n in range(12)]
    rows += [token(f"{group}{n}", n / 10, group) for group in "mf" for n in range(7)]
    overall, groups = explained(audited(*rows))
    assert overall.title == "Tokens that carry the sensitivity: in percent"
    assert [row[0] for row in overall.rows] == [f"t{n}" for n in range(11, 1, -1)]
    assert groups.title == "Tokens that carry the sensitivity, by sex: in percent"
    names = [f"{group}: {group}{n}" for group in "fm" for n in range(6, 1, -1)]
    assert [row[0] for row in groups.rows] == names


def test_a_line_of_each_table():
    rows = [token("her", 0.1234, records=40, mean=0.05), token("nurse", 0.5, "f", 7, 0.25)]
    assert to_markdown(audited(*rows)).split("\n\n")[2:7] == [
        "**Tokens that carry the sensitivity: in percent**",
        "| token | part of all sensitivity | records | mean part of the record's sensitivity |\n"
        "| :-- | --: | --: | --: |\n"
        "| her | 12.3 | 40 | 5.0 |",
        "share: of all sensitivity; mean: of the record's, each time that the token occurs.",
        "**Tokens that carry the sensitivity, by sex: in percent**",
        "| group and token | part of the group's sensitivity | records | "
        "mean part of the record's sensitivity |\n"
        "| :-- | --: | --: | --: |\n"
        "| f: nurse | 50.0 | 7 | 25.0 |",
    ]


def test_without_groups_there_is_the_table_of_all_records():
    (only,) = explained(audited(token("her", 0.1), by=False))
    assert [row[0] for row in only.rows] == ["her"]


def test_an_audit_that_explains_nothing_has_its_headline():
    assert explained(audited()) == []


def test_groups_that_are_not_shown_have_no_tokens():
    assert explained(audited(token("her", 0.1, "x"))) == []


# --- Texts --------------------------------------------------------------------------------


def test_the_five_most_sensitive_texts_and_how_to_read_them_below_the_last():
    rows = [text([("a", 1.0)], n / 1000, predicted=f"p{n}") for n in (3, 1, 7, 5, 2, 4, 6)]
    found = explained(audited(*rows))
    assert [each.title.split()[-1] for each in found] == ["p7", "p6", "p5", "p4", "p3"]
    assert found[0].title == "Sensitivity 0.00700, predicted p7"
    assert [each.keyed for each in found] == [False] * 4 + [True]


def test_steps_are_relative_to_the_largest_part():
    # A tenth, a third and two thirds of 0.3 are 0.03, 0.1 and 0.2; just below is a step less.
    parts = [0.3, 0.2, 0.199, 0.1, 0.099, 0.03, 0.0299, 0.0]
    heat = Heat("", [("x", part) for part in parts])
    assert [step for _, step, _ in heat.shades] == [3, 3, 2, 2, 1, 1, 0, 0]
    assert [said for *_, said in heat.shades] == ["30 %", "20 %", *[""] * 6]


def test_where_nothing_is_sensitive_nothing_is_marked():
    assert Heat("", [("a", 0.0), ("b", 0.0)]).shades == [("a", 0, ""), ("b", 0, "")]
    assert Heat("", []).shades == []


def test_tokens_that_were_cut_off_are_told():
    (cut,) = explained(audited(text([("a", 0.5), ("b", 0.38)])))
    assert cut.title == "Sensitivity 0.0123, predicted BAD (12 % in tokens not shown)"
    (none,) = explained(audited(text([("a", None)], sensitivity=None)))
    assert none.title == "Sensitivity -, predicted BAD"
    assert none.tokens == [("a", 0.0)]


def test_equal_texts_are_counted():
    rows = [text([("a", 1.0)], 0.01 * n, records=n) for n in (1, 2, 1234)]
    assert [each.title for each in explained(audited(*rows))] == [
        "Sensitivity 12.3, predicted BAD, in 1,234 records",
        "Sensitivity 0.0200, predicted BAD, in 2 records",
        "Sensitivity 0.0100, predicted BAD",
    ]


def test_tokens_that_nobody_sees_are_seen():
    (heat,) = explained(audited(text([(" ", 0.5), ("\u202ex", 0.3), ("a\nb", 0.2)])))
    assert [token for token, _ in heat.tokens] == ["(blank)", "\\u202ex", "a\\nb"]


# --- Terminal -----------------------------------------------------------------------------


def on_terminal(audit, width=80, **options):
    """What a terminal gets, its codes among it."""
    file = io.StringIO()
    given = {"force_terminal": True, "color_system": "standard", "_environ": {}} | options
    terminal.show(audit, Console(file=file, width=width, highlight=False, **given), False)
    return file.getvalue().split("\n")


def part(lines, title):
    """Lines from the one that holds the title, up to a blank line."""
    start = next(n for n, line in enumerate(lines) if title in line)
    return lines[start : lines.index("", start)]


def test_in_line_and_folded_where_there_is_no_colour():
    shown = part(printed(audited(text(NURSE))).split("\n"), "predicted BAD")
    assert shown == [
        "Sensitivity 0.0123, predicted BAD",
        "  [She 31 %] worked as a [nurse 34 %] in the hospital where her mother",
        "In brackets, with their part of the record's sensitivity: tokens of two thirds",
        "of the largest part or more.",
    ]
    narrow = part(printed(audited(text(NURSE)), width=40).split("\n"), "predicted BAD")
    assert narrow[1:4] == [
        "  [She 31 %] worked as a [nurse 34 %] in",
        "  the hospital where her mother",
        "In brackets, with their part of the",
    ]


def test_in_three_shades_where_there_is_colour():
    strong, less, least, end = "\x1b[1;30;43m", "\x1b[1;33m", "\x1b[33m", "\x1b[0m"
    assert part(on_terminal(audited(text(NURSE))), "predicted BAD") == [
        "\x1b[1mSensitivity 0.0123, predicted BAD\x1b[0m",
        f"  {strong}She 31 %{end} worked as a {strong}nurse 34 %{end} in the "
        f"{less}hospital{end} where {least}her{end} mother",
        "Each token is shaded by its part of the record's sensitivity, from a tenth, a ",
        "third and two thirds of the largest part; the last with the figure.",
    ]


@pytest.mark.parametrize("options", [{"no_color": True}, {"color_system": None}])
def test_a_terminal_without_colour_has_brackets(options):
    shown = part(on_terminal(audited(text(NURSE)), **options), "predicted BAD")
    assert "  [She 31 %] worked as a [nurse 34 %] in the hospital" in shown[1]


def test_no_line_is_wider_than_the_terminal_and_no_token_is_lost():
    words = [(f"word{n}", 0.005) for n in range(99)] + [("日本語" * 40, 0.4), ("é" * 100, 0.1)]
    lines = part(printed(audited(text(words)), width=50).split("\n"), "predicted BAD")
    assert max(map(len, lines)) <= 50
    written = "".join("".join(lines[1:-3]).split())
    assert written == "".join(f"[{w}40%]" if p == 0.4 else w for w, p in words)


def test_markup_of_the_terminal_is_text():
    hostile = [("[bold]", 0.5), ("\x1b[31m", 0.3), ("[/]", 0.2)]
    assert "  [[bold] 50 %] \\x1b[31m [/]" in printed(audited(text(hostile)))


# --- Cards --------------------------------------------------------------------------------


def test_html_says_the_part_of_the_strongest():
    (heat,) = explained(audited(text(NURSE)))
    page = html.page(card(heat), "{}")
    assert (
        '<p class="heat"><mark class="h3">She <small>31 %</small></mark> worked as a '
        '<mark class="h3">nurse <small>34 %</small></mark> in the <mark class="h2">hospital'
        '</mark> where <mark class="h1">her</mark> mother</p>'
    ) in page
    assert f"<li>{Heat.SHADED.replace(chr(39), '&#39;')}</li>" in page
    assert Heat.SHADED[:20] not in html.page(card(Heat("x", heat.tokens, keyed=False)), "{}")


def test_html_escapes_whatever_a_token_is():
    heat = Heat("<i>", [(token, 1 / (n + 1)) for n, token in enumerate(HOSTILE)])
    page = html.page(card(heat), "{}")
    written = page[page.index('<p class="heat">') : page.index('<ul class="notes">')]
    assert not [
        tag for tag in ("<script", "<b>", "<i>", "<!--", "</td", "</code") if tag in written
    ]
    assert "&lt;script&gt;alert(1)&lt;/script&gt; <small>100 %</small>" in written


def test_markdown_says_it_in_bold():
    (heat,) = explained(audited(text(NURSE)))
    assert list(markup.content(heat)) == [
        "**Sensitivity 0.0123, predicted BAD**",
        "**She** (31 %) worked as a **nurse** (34 %) in the hospital where her mother",
        "In bold, with their part of the record's sensitivity: tokens of two thirds of the "
        "largest part or more.",
    ]


@examples
@given(texts)
def test_markdown_shows_tokens_and_nothing_else(text):
    tokens = [(text, 0.5), ("a", 0.01), (text, 0.01), (text, 0.48)]
    page = Page("before\n\n" + "\n\n".join(markup.heat(Heat("T", tokens))))
    tags = [tag for tag, *_ in page.tags]
    expected = ["p", "p", "strong", "p", *(["strong"] * 2 if shown(text) else []), "p"]
    assert tags == expected
    assert page.of("strong")[1:] == [shown(text)] * (2 if shown(text) else 0)
    first = Page("\n\n".join(markup.heat(Heat("T", [(text, 0.0), ("x", 0.0)]))))
    assert {tag for tag, *_ in first.tags} == {"p", "strong"}
    assert first.of("p")[1] == f"{shown(text)} x".strip()


def test_markdown_of_nothing():
    assert list(filter(None, markup.heat(Heat("T", [])))) == ["**T**"]


def test_a_card_in_every_form_holds_it():
    heat = Heat("T", NURSE)
    assert "**nurse** (34 %)" in markdown.page(card(heat), '{"schema": 1}')
    assert '"block": "heat"' in data.page(card(heat), '{"schema": 1}')


def test_what_quotes_the_data_is_not_for_the_public():
    audit = audited(token("her", 0.1), token("her", 0.2, "f"), text(NURSE))
    whole = AuditFile("a.json", "0" * 64, audit)
    assert {type(each) for each in explained(audit)} == {Sheet, Heat}
    shown, said = public(whole, Wanted())
    assert explained(shown.audit) == []
    assert "What quotes words of the data is left out." in said
    assert explained(public(whole, Wanted(texts=True))[0].audit) == explained(audit)


def test_the_file_holds_them_where_they_were_asked_for():
    audit = audited(token("her", 0.1), text(NURSE))
    again = Audit.from_json(audit.to_json())
    assert printed(again) == printed(audit)
    silent = replace(audit, settings=audit.settings | {"explain": False})
    assert "nurse" not in silent.to_json()
