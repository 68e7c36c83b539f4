"""Findings in the formats of build servers and code hosts."""

import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import xmlschema
from markdown_it import MarkdownIt

from fairaudit.audit import Finding
from fairaudit.report.ci import (
    Context,
    Judged,
    github_annotations,
    gitlab_code_quality,
    junit,
    markdown,
    outcome,
    sarif,
    step_summary,
    text,
)
from fairaudit.report.ci.wording import numbers

FOLDER = Path(__file__).parent / "ci"
SPEECH = "wer|by:accent|cluster:speaker|n:5087|seed:0"
HIRING = "errors|by:sex|n:800|seed:0"
CONTEXT = Context(
    "release",
    "1.2",
    "0.5.0",
    (
        Judged(SPEECH, "2026-01-02T03:04:05Z", "audits/wer.json"),
        Judged(HIRING, "2026-02-03T04:05:06.789+00:00", "audits/hiring.json"),
    ),
    "rubrics/release.toml",
    {"wer-gap": 5, "impact": 30},
)
FORMATS = {
    "junit.xml": junit,
    "findings.sarif": sarif,
    "annotations.txt": github_annotations,
    "summary.md": step_summary,
    "comment.md": markdown,
    "gitlab.json": gitlab_code_quality,
    "findings.txt": text,
}
#: What is in one of these must be seen, and must not be obeyed.
HOSTILE = [
    "]]>",
    "--><script>alert('x')</script>",
    "::error::x",
    "a\n::error title=x::y",
    "\r\n",
    "%0A::error::",
    "title=a,file=b::c",
    "\x1b[31mred\x00\x0b\ufffe\x7f\u2028\u202e",
    "\ud800",
    "a|b\\|c`d` **bold** _it_ ~~no~~",
    "</code> | | | <td>",
    "##[error]boom ##vso[task.complete result=Failed]",
    "@everyone #1 !1 http://evil.example www.evil.example [here](http://evil.example)",
    "[18, 30) {0} {1}",
    "$x$ &amp; &#64; \\",
    "👩🏽 zwölf 日本語",
    "x" * 5000,
    "",
    " ",
    "../../etc/passwd",
]


def finding(**changes):
    base = Finding(
        "wer-gap",
        "gap of wer by accent at most 5 points",
        "fail",
        "error",
        "wer",
        "gap",
        0.05,
        "most",
        "accent",
        "indian",
        "us",
        0.1234,
        0.081,
        0.16,
        3400,
        "Shown to be at least 8.1 points (95 % confidence).",
        source="our own",
        audit=SPEECH,
    )
    return replace(base, **changes)


def release():
    """One finding of each kind, not in order."""
    return [
        finding(
            id="wer-max",
            criterion="largest wer of a group at most 20 %",
            status="inconclusive",
            comparison="group_max",
            limit=0.2,
            against=None,
            value=0.21,
            ci_low=0.18,
            ci_high=0.26,
            n=412.5,
            reason="Too little data",
            further_records=1200,
            further_clusters=30,
        ),
        finding(
            id="cer", metric="cer", status="pass", value=0.01, ci_low=0, ci_high=0.02, reason=""
        ),
        finding(),
        finding(id="ser", metric="ser", severity="warning", variant={"normalize": "whisper-en"}),
        finding(id="old", waiver="ticket 12 (until 2030-12-31)", value=0.3),
        finding(
            id="impact",
            criterion="smallest over largest selection_rate by sex at least 0.8",
            metric="selection_rate",
            comparison="ratio",
            limit=0.8,
            at="least",
            attribute="sex",
            group="f",
            against="m",
            value=0.6,
            ci_low=0.51,
            ci_high=0.7,
            n=800,
            reason="Shown to be at most 0.7.",
            source="29 CFR 1607.4(D)",
            audit=HIRING,
        ),
    ]


def hostile(word, **changes):
    return finding(
        id=word, criterion=word, metric=word, attribute=word, group=word, against=word,
        reason=word, source=word, variant={word: word}, audit=word, **changes
    )  # fmt: skip


def surroundings(word):
    return Context(word, word, word, (Judged(word, word, word),), word, {word: -3})


@pytest.fixture(scope="module")
def junit_schema():
    return xmlschema.XMLSchema(FOLDER / "junit.xsd")


def check(name, written):
    schema = json.loads((FOLDER / name).read_text())
    validator = jsonschema.Draft7Validator(schema)
    validator.check_schema(schema)
    content = json.loads(written)
    validator.validate(content)
    return content


def suites(written):
    return ET.fromstring(written.encode()).findall("testsuite")


# --- All formats --------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
def test_as_written_down(name):
    assert FORMATS[name](release(), CONTEXT) == (FOLDER / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_findings_give_the_same_text(name):
    assert FORMATS[name](release(), CONTEXT) == FORMATS[name](tuple(release()), CONTEXT)


def test_nothing_is_found(junit_schema):
    context = Context("asr", "", "0.5.0")
    assert outcome([]) == "nothing judged"
    assert text([], context) == "asr: nothing judged (no findings)\n"
    assert github_annotations([], context) == ""
    assert check("gitlab_schema.json", gitlab_code_quality([], context)) == []
    assert check("sarif_schema.json", sarif([], context))["runs"][0]["results"] == []
    junit_schema.validate(junit([], context))
    assert suites(junit([], context)) == []
    assert markdown([], context) == "### asr: nothing judged\n\nno findings.\n\nfairaudit 0.5.0\n"


@pytest.mark.parametrize("word", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("status", ["fail", "inconclusive"])
def test_hostile_words_stay_words(word, status, junit_schema):
    found = [hostile(word, status=status), hostile(word, status=status, waiver=word), finding()]
    context = surroundings(word)
    for write in FORMATS.values():
        written = write(found, context)
        written.encode()  # nothing that no file could hold
        assert all(c.isprintable() or c == "\n" for c in written)
    junit_schema.validate(junit(found, context))
    check("sarif_schema.json", sarif(found, context))
    assert len(text(found, context).splitlines()) == 4


def test_ten_thousand_findings():
    many = [finding(id=f"c{i}", value=i / 100, group=f"|<{i}>" * 9) for i in range(10_000)]
    summary, comment = step_summary(many, CONTEXT), markdown(many, CONTEXT)
    assert 900_000 < len(summary.encode()) < 2**20
    assert 60_000 < len(comment.encode()) < 65_536
    shown = len(re.findall(r"^\| \*\*fail", summary, re.MULTILINE))
    assert f"{10_000 - shown:,} of 10,000 rows are left out" in summary
    # The worst ones are those that are shown.
    assert "<code>c9999</code>" in summary
    assert "<code>c0</code>" not in summary
    assert len(text(many, CONTEXT).splitlines()) == 10_001
    assert len(suites(junit(many, CONTEXT))[0].findall("testcase")) == 10_000
    assert len(json.loads(gitlab_code_quality(many, CONTEXT))) == 10_000


def test_one_page_without_room_for_a_single_row():
    written = markdown([finding(), finding(id="b")], CONTEXT, most=400)
    assert "2 of 2 rows are left out" in written
    assert "| Outcome" not in written
    assert len(written.encode()) <= 400


# --- What counts, and in which order ------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([finding(status="pass")], "pass"),
        ([finding(status="pass"), finding(status="inconclusive")], "inconclusive"),
        ([finding(status="inconclusive"), finding()], "fail"),
        ([finding(severity="warning")], "pass"),
        ([finding(waiver="known")], "pass"),
        ([finding(status="inconclusive", severity="warning")], "pass"),
        ([finding(status="inconclusive", waiver="known")], "pass"),
        ([finding(waiver="known"), finding(severity="warning"), finding()], "fail"),
    ],
)
def test_the_worst_that_counts_is_the_outcome(found, said):
    assert outcome(found) == said
    assert text(found, CONTEXT).splitlines()[-1].startswith(f"release 1.2: {said} (")


def test_worst_first():
    lines = text(release(), CONTEXT).splitlines()
    assert [line.split("  ")[0] for line in lines[:-1]] == [
        "fail", "fail", "fail (warning)", "inconclusive", "fail (waived)", "pass"
    ]  # fmt: skip
    # 12.3 points are 1.5 limits beyond 5; a ratio of 0.6 is a quarter of 0.8 below it.
    assert [re.split(r"[ :]{2,}", line)[1].split(":")[0] for line in lines[:2]] == [
        "wer-gap",
        "impact",
    ]
    counts = "2 failed, 1 failed as a warning, 1 inconclusive, 1 failed but waived, 1 passed"
    assert lines[-1] == f"release 1.2: fail ({counts})"


def test_the_smallest_ratio_is_the_worst():
    found = [
        finding(id=f"r{x}", comparison="ratio", limit=0.8, at="least", value=x)
        for x in (0.7, 0.2, 0.5)
    ]
    lines = text(found, CONTEXT).splitlines()
    assert [line.split(":")[0] for line in lines[:3]] == ["fail  r0.2", "fail  r0.5", "fail  r0.7"]


def test_undefined_values_come_last_of_their_kind():
    found = [finding(id="a", value=None, ci_low=None, ci_high=None), finding(id="b", value=0.06)]
    first, second, _ = text(found, CONTEXT).splitlines()
    assert first.startswith("fail  b: ")
    assert "a: wer gap by accent: undefined (indian against us), limit at most 5.0" in second


# --- Numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "value", "bounds", "limit"),
    [
        ({}, "12.3 points", "8.1 to 16.0", "at most 5.0 points"),
        ({"comparison": "group_max"}, "12.3 %", "8.1 to 16.0", "at most 5.0 %"),
        ({"comparison": "group"}, "12.3 %", "8.1 to 16.0", "at most 5.0 %"),
        ({"comparison": "ratio"}, "0.123", "0.081 to 0.160", "at most 0.050"),
        ({"metric": "equalized_odds"}, "12.3 points", "8.1 to 16.0", "at most 5.0 points"),
        ({"metric": "unheard_of", "comparison": "x"}, "12.3 %", "8.1 to 16.0", "at most 5.0 %"),
        ({"metric": "mean_absolute_error"}, "0.123", "0.081 to 0.160", "at most 0.050"),
        (
            {"metric": "mean_absolute_error", "limit": 1500, "value": 12345.0, "ci_low": 1e4,
             "ci_high": 2e4},
            "12,345", "10,000 to 20,000", "at most 1,500",
        ),
        ({"ci_low": None}, "12.3 points", "at most 16.0", "at most 5.0 points"),
        ({"ci_high": float("inf")}, "12.3 points", "at least 8.1", "at most 5.0 points"),
        ({"value": float("nan"), "ci_low": None, "ci_high": None}, "undefined", "",
         "at most 5.0 points"),
        # As many digits as tell them from the limit, and as the limit has.
        ({"value": 0.0501}, "5.01 points", "8.10 to 16.00", "at most 5.00 points"),
        ({"value": 0.05}, "5.0 points", "8.1 to 16.0", "at most 5.0 points"),
        ({"limit": 0.0125}, "12.34 points", "8.10 to 16.00", "at most 1.25 points"),
        ({"limit": 0}, "12.3 points", "8.1 to 16.0", "at most 0.0 points"),
    ],
)  # fmt: skip
def test_numbers(changes, value, bounds, limit):
    written = numbers(finding(**changes))
    assert (written.value, written.bounds, written.limit) == (value, bounds, limit)


def test_a_limit_of_many_digits_ends():
    assert numbers(finding(limit=1 / 3)).limit == "at most 33.3333333 points"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"further_records": 70}, "About 70 more records would decide."),
        ({"further_clusters": 3}, "About 3 more clusters would decide."),
        (
            {"further_records": 70, "further_clusters": 3},
            "About 3 more clusters (70 more records) would decide.",
        ),
    ],
)
def test_how_much_more_data(changes, said):
    assert said in text([finding(status="inconclusive", **changes)], CONTEXT)
    assert "would decide" not in text([finding(status="fail", **changes)], CONTEXT)


# --- JUnit --------------------------------------------------------------------------------


def test_junit_is_valid(junit_schema):
    junit_schema.validate(junit(release(), CONTEXT))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('time="0"', 'time="0.123"'),
        ('hostname="localhost" ', ""),
        ('timestamp="2026-01-02T03:04:05"', 'timestamp="2026-01-02T03:04:05Z"'),
        ("<system-err />", ""),
        ('id="1"', 'id="0"'),
        ('name="cer: cer gap by accent"', 'name="wer-gap: wer gap by accent"'),
    ],
)
def test_the_schema_of_junit_refuses(right, wrong, junit_schema):
    broken = junit(release(), CONTEXT).replace(right, wrong)
    assert not junit_schema.is_valid(broken)


def test_junit_is_green_only_where_a_limit_is_kept():
    speech, hiring = suites(junit(release(), CONTEXT))
    cases = {case.get("name").split(":")[0]: list(case) for case in speech.findall("testcase")}
    assert {name: [e.tag for e in content] for name, content in cases.items()} == {
        "wer-max": ["skipped"],
        "cer": [],
        "wer-gap": ["failure"],
        "ser": ["skipped"],
        "old": ["skipped"],
    }
    assert cases["wer-max"][0].get("message").startswith("inconclusive: 21.0 % (indian)")
    assert cases["ser"][0].get("message").startswith("fail (warning): ")
    assert "Waived: ticket 12 (until 2030-12-31)." in cases["old"][0].get("message")
    assert "pass: cer gap" in speech.find("system-out").text
    names = ("name", "tests", "failures", "skipped", "errors", "timestamp")
    assert [speech.get(n) for n in names] == [
        "wer by accent", "5", "1", "3", "0", "2026-01-02T03:04:05"
    ]  # fmt: skip
    assert hiring.get("timestamp") == "2026-02-03T04:05:06"
    assert hiring.find("properties/property[@name='signature']").get("value") == HIRING


def test_dots_of_names_make_no_packages():
    context = replace(CONTEXT, rubric="asr-1.2")
    case = suites(junit([finding(attribute="v0.1:x")], context))[0].find("testcase")
    assert case.get("classname") == "asr-1_2.wer.v0_1:x"


def test_junit_shows_hostile_words():
    word = "]]><x>&\x00\n"
    case = suites(junit([hostile(word)], CONTEXT))[0].find("testcase")
    assert case.get("name").startswith(r"]]><x>&\x00\n: ")
    assert r"Source: ]]><x>&\x00\n" in case.find("failure").text


# --- Alerts -------------------------------------------------------------------------------


def test_sarif_is_valid():
    run = check("sarif_schema.json", sarif(release(), CONTEXT))["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == ["wer-max", "cer", "wer-gap", "ser", "old", "impact"]
    assert [(r["ruleId"], r["level"]) for r in run["results"]] == [
        ("wer-gap", "error"),
        ("impact", "error"),
        ("ser", "warning"),
        ("wer-max", "note"),
        ("old", "note"),
    ]
    assert all(rules[r["ruleIndex"]] == r["ruleId"] for r in run["results"])
    suppressed = {r["ruleId"]: r["suppressions"] for r in run["results"] if "suppressions" in r}
    assert suppressed["old"][0]["justification"] == "ticket 12 (until 2030-12-31)"
    assert list(suppressed) == ["old"]


@pytest.mark.parametrize("name", ["version", "runs"])
def test_the_schema_of_sarif_refuses(name):
    content = json.loads(sarif(release(), CONTEXT))
    del content[name]
    with pytest.raises(jsonschema.ValidationError, match=name):
        check("sarif_schema.json", json.dumps(content))


def test_messages_of_sarif_have_no_links_and_no_placeholders():
    found = [finding(group="[x](http://y)", against="[18, 30)", reason="{0}.")]
    said = json.loads(sarif(found, CONTEXT))["runs"][0]["results"][0]["message"]["text"]
    assert r"([x\](http://y) against [18, 30))" in said
    assert said.endswith(" {{0}}.")


def test_a_criterion_over_several_attributes_is_one_rule():
    found = [finding(), finding(attribute="age"), finding(attribute="sex", severity="warning")]
    run = json.loads(sarif(found, CONTEXT))["runs"][0]
    assert len(run["tool"]["driver"]["rules"]) == 1
    assert run["tool"]["driver"]["rules"][0]["defaultConfiguration"] == {"level": "error"}
    assert [r["level"] for r in run["results"]] == ["error", "error", "warning"]


def places(context):
    results = json.loads(sarif(release(), context))["runs"][0]["results"]
    found = {r["ruleId"]: r["locations"][0]["physicalLocation"] for r in results}
    return {
        name: (unquote(at["artifactLocation"]["uri"]), at["region"]["startLine"])
        for name, at in found.items()
    }


def test_alerts_point_to_the_rubric_or_the_audit():
    assert places(CONTEXT)["wer-gap"] == ("rubrics/release.toml", 5)
    assert places(CONTEXT)["wer-max"] == ("rubrics/release.toml", 1)
    no_rubric = replace(CONTEXT, path="")
    assert places(no_rubric)["wer-gap"] == ("audits/wer.json", 1)
    assert places(no_rubric)["impact"] == ("audits/hiring.json", 1)
    assert places(replace(no_rubric, audits=()))["impact"] == ("release", 1)
    assert places(replace(CONTEXT, path="a b/ü%.toml"))["impact"] == ("a b/ü%.toml", 30)
    assert places(replace(CONTEXT, path="./x.toml"))["impact"] == ("x.toml", 30)
    assert places(replace(CONTEXT, path="/x/y.toml"))["impact"] == ("file:///x/y.toml", 30)


def fingerprints(found, context=CONTEXT):
    alerts = json.loads(gitlab_code_quality(found, context))
    results = json.loads(sarif(found, context))["runs"][0]["results"]
    assert [r["partialFingerprints"]["finding/v1"] for r in results] == [
        alert["fingerprint"] for alert in alerts
    ]
    return {alert["check_name"]: alert["fingerprint"] for alert in alerts}


def test_fingerprints_outlast_new_data():
    other = SPEECH.replace("n:5087", "n:6000")
    again = [
        replace(f, value=0.2, ci_low=0.15, group="scottish", n=1.0, reason="else", audit=other)
        for f in release()
    ]
    context = replace(CONTEXT, audits=(), rubric_version="2", version="9", path="elsewhere.toml")
    before, after = fingerprints(release()), fingerprints(again, context)
    assert {name for name in before if before[name] == after[name]} == {
        "wer-max", "wer-gap", "ser", "old"
    }  # fmt: skip
    assert before["impact"] != after["impact"]  # now of another kind of audit


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "other"},
        {"metric": "cer"},
        {"comparison": "ratio"},
        {"attribute": "sex"},
        {"attribute": None},
        {"variant": {"normalize": "none"}},
        {"severity": "warning"},
        {"status": "inconclusive"},
        {"audit": "errors|by:accent"},
    ],
)
def test_fingerprints_tell_findings_apart(changes):
    assert set(fingerprints([finding()]).values()) != set(
        fingerprints([finding(**changes)]).values()
    )


def test_groups_judged_on_their_own_have_names_of_their_own():
    each = {g: finding(comparison="group", group=g, against=None) for g in ("us", "indian")}
    both, alone = junit([each["us"], each["indian"]], CONTEXT), junit([each["indian"]], CONTEXT)
    names = [case.get("name") for case in suites(both)[0].findall("testcase")]
    assert names == ["wer-gap: wer group by accent, us", "wer-gap: wer group by accent, indian"]
    assert suites(alone)[0].find("testcase").get("name") == names[1]


def test_findings_that_are_alike_are_numbered():
    found = [finding(), finding(), finding(audit=SPEECH + "|x:1")]
    written = gitlab_code_quality(found, CONTEXT)
    assert len({alert["fingerprint"] for alert in json.loads(written)}) == 3


def test_gitlab_is_valid():
    alerts = check("gitlab_schema.json", gitlab_code_quality(release(), CONTEXT))
    assert [(alert["check_name"], alert["severity"]) for alert in alerts] == [
        ("wer-gap", "critical"),
        ("impact", "critical"),
        ("ser", "minor"),
        ("wer-max", "info"),
        ("old", "info"),
    ]
    assert alerts[0]["location"] == {"path": "rubrics/release.toml", "lines": {"begin": 5}}


def runner(written):
    """What GitHub's runner makes of a log (ActionCommand.TryParseV2): commands."""
    commands = []
    for line in re.split(r"\r\n|\r|\n", written):
        found = re.fullmatch(r"::(\w+) (.*?)::(.*)", line.strip())
        if found:
            pairs = [pair.split("=", 1) for pair in found[2].split(",")]
            commands.append((found[1], {k: plain(v) for k, v in pairs}, plain(found[3])))
    return commands


def plain(text):
    for code, char in {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}.items():
        text = text.replace(code, char)
    return text


def test_annotations():
    commands = runner(github_annotations(release(), CONTEXT))
    assert [command for command, _, _ in commands] == [
        "error", "error", "warning", "notice", "notice"
    ]  # fmt: skip
    assert commands[0][1] == {
        "file": "rubrics/release.toml", "line": "5", "title": "fail: wer-gap"
    }  # fmt: skip
    assert commands[0][2].startswith("wer gap by accent: 12.3 points (indian against us), bounds")
    assert commands[0][2].endswith("(95 % confidence).")


@pytest.mark.parametrize("word", HOSTILE, ids=range(len(HOSTILE)))
def test_annotations_obey_no_name(word):
    found = [hostile(word), finding()]
    commands = runner(github_annotations(found, replace(surroundings(word), path="f.toml")))
    assert [command for command, _, _ in commands] == ["error", "error"]
    assert all(list(pairs) == ["file", "line", "title"] for _, pairs, _ in commands)


def test_a_per_cent_sign_is_none_of_ours():
    _, pairs, said = runner(github_annotations([hostile("%0A%3A,:")], CONTEXT))[0]
    assert pairs["title"] == "fail: %0A%3A,:"
    assert "\n" not in said


@pytest.mark.parametrize(("many", "lines", "left"), [(10, 10, 0), (11, 10, 2), (500, 10, 491)])
def test_at_most_ten_annotations_worst_first(many, lines, left):
    found = [finding(id=f"c{i}", value=i, severity="warning") for i in range(1, many)]
    commands = runner(github_annotations([*found, finding(id="worst")], CONTEXT))
    assert len(commands) == lines
    assert commands[0][0] == "error"
    assert commands[1][1]["title"] == f"fail (warning): c{many - 1}"
    last = f"{left} further findings did not pass." if left else "wer gap by accent: 100.0 points"
    assert commands[-1][2].startswith(last)
    assert commands[-1][0] == "warning"


# --- Pages --------------------------------------------------------------------------------


def rendered(written):
    """Headings, and the table's rows of texts, as a renderer of Markdown sees them."""
    tokens = MarkdownIt("commonmark").enable("table").enable("strikethrough").parse(written)
    rows, kinds = [], set()
    for before, token in pairwise(tokens):
        rows += [[]] if before.type == "tr_open" else []
        if token.type == "inline" and before.type in ("th_open", "td_open"):
            rows[-1].append(
                "".join(child.content for child in token.children if child.type == "text")
            )
        kinds |= {child.type for child in token.children or []}
        html = {c.content for c in token.children or [] if c.type == "html_inline"}
        assert html <= {"<code>", "</code>"}
    return rows, kinds | {token.type for token in tokens}


def test_markdown():
    rows, _ = rendered(markdown(release(), CONTEXT))
    assert rows[0] == ["Outcome", "Criterion", "Value", "Bounds", "Limit", "n", "Why"]
    assert rows[1] == [
        "fail",
        "wer-gap wer gap by accent",
        "12.3 points indian against us",
        "8.1 to 16.0",
        "at most 5.0 points",
        "3400",
        "Shown to be at least 8.1 points (95 % confidence).",
    ]
    assert [row[0] for row in rows[1:]] == [
        "fail", "fail", "fail (warning)", "inconclusive", "fail (waived)", "pass"
    ]  # fmt: skip
    assert rows[4][5] == "412.5"


@pytest.mark.parametrize("word", HOSTILE, ids=range(len(HOSTILE)))
def test_markdown_shows_names_and_nothing_else(word):
    rows, kinds = rendered(markdown([hostile(word)], surroundings(word)))
    assert [len(row) for row in rows] == [7, 7]
    assert not kinds & {"link_open", "image", "em_open", "s_open", "code_inline", "html_block"}
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in word)
    if 0 < len(word) < 60 and word.strip():
        assert rows[1][1].startswith(f"{shown} {shown} gap by ")


def test_markdown_calls_nobody():
    written = markdown([hostile("@ann www.x.example http://x.example #1 a@b.example")], CONTEXT)
    assert not re.search(r"@\w|www\.|://|#1\b", written)
    why = rendered(written)[0][1][-1]
    assert why.count("@\u200b") == why.count("@") == 2


def test_few_signatures():
    audits = [Judged(f"wer|seed:{i}") for i in range(1000)]
    written = markdown(release(), replace(CONTEXT, audits=audits))
    assert "wer&#124;seed:19<" in written
    assert "- and 980 more" in written


@pytest.mark.parametrize("word", ["##[error]x", "##vso[x]", "::error::x"])
def test_text_is_no_command(word):
    written = text([hostile(word)], replace(CONTEXT, rubric=word))
    assert not re.search(r"##\w*\[|^\s*::", written, re.MULTILINE)
