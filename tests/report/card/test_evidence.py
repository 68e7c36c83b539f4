"""A section for each audit: all that an auditor must publish."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fairaudit.audit import Records
from fairaudit.report.card.evidence import (
    FROM_PYTHON,
    NOTHING_JUDGED,
    RULE,
    evidence,
    facts,
    limits,
    part,
    results,
    verdicts,
)
from fairaudit.report.card.model import Bullets, Code, Facts, Folded, Prose, Section
from fairaudit.report.contents import contents
from fairaudit.report.sheets import Sheet
from tests.report.card.made import audit, audits, estimate, file, finding, gap, overall

US = estimate("us", 0.1, 0.05, 0.2)
RP = estimate("rp", 0.3, 0.2, 0.4)
KINDS = list(audits())


def stated(made) -> dict:
    return dict(facts(file(made)).rows)


def all_of(blocks, kind) -> list:
    """All blocks of a kind, however deep."""
    found = []
    for block in blocks:
        if isinstance(block, kind):
            found.append(block)
        if isinstance(block, Section | Folded):
            found += all_of(block.blocks, kind)
    return found


def test_what_was_audited() -> None:
    made = audit(
        overall(), US, RP, estimate("(missing)", 0.2, records=7),
        estimate("us:f", 0.1, by="accent:sex"), estimate("f", 0.1, by="sex", records=1000),
        records=Records(1012, 1000, {"filtered by --where": 12}), settings={"where": "a = 'b'"},
    )  # fmt: skip
    rows = stated(made)
    assert rows["Audit"] == "Word errors of transcripts"
    assert rows["Audit file"] == f"audit.json, SHA-256 {'f' * 64}"
    assert rows["Made"] == "2026-03-01T10:00:00Z, by fairaudit 1.0"
    assert rows["Data"] == ["calls.csv, SHA-256 ab12"]
    assert rows["Records"] == "1,000 of 1,012 used"
    assert rows["Records left out"] == ["filtered by --where: 12"]
    assert rows["Headline metric"] == "WER: errors per reference word. n counts words"
    assert rows["Clusters"] == "60 speakers"
    assert rows["Groups"] == [
        "accent: 2 groups; unknown in 7 records",
        # Not all records are in it: of the others nothing is said.
        "accent:sex: 1 crossing",
        "sex: 1 group; unknown in none",
    ]
    assert rows["Normaliser"] == "basic"
    assert rows["Only records with"] == "a = 'b'"


def test_what_is_not_known_is_not_made_up() -> None:
    rows = stated(audit(overall(clusters=None), settings={"cluster": None}, data=()))
    assert rows["Clusters"] == "none named: records are taken to be independent"
    assert rows["Data"] == "no file: made from Python"
    assert rows["Groups"] == rows["Records left out"] == "none"
    assert "Threshold" not in rows


def test_groups_that_are_left_out_are_not_denied() -> None:
    made = replace(file(audit(overall(), US)), partly=True)
    assert dict(facts(made).rows)["Groups that are shown"] == ["accent: 1 group"]
    search = audits()["search"]
    found = dict(facts(file(search)).rows)["Slices that the search found"]
    assert all(text.split(": ")[1].startswith("1 slice") for text in found)
    assert "Slices that are shown" in dict(facts(replace(file(search), partly=True)).rows)


def test_what_differs_most_leads_the_evidence() -> None:
    odds = gap(metric="false_positive_rate", name="predictive_equality_difference", value=0.4)
    made = audit(overall(), US, RP, comparisons=[gap(), odds])
    lead = evidence(file(made), 1).blocks[0]
    assert lead.text.endswith(
        "Shown to differ most: false positive rate by accent, 40.0 points (95 % interval 0.0 to "
        "30.0, p=0.030), caribbean against us."
    )


def test_verdicts_are_a_table_worst_first() -> None:
    found = [
        finding("pass", id="b", ci_high=0.04, reason="Kept."),
        finding(further_records=120),
        finding("fail", id="c", waiver="known, until 2027", ci_low=0.06),
    ]
    tally, table, why, below = verdicts([audit(findings=found)])
    assert tally == Prose("3 verdicts: 1 inconclusive, 1 failed but waived, 1 passed.", strong=True)
    assert [long for _, long in table.header] == [
        "criterion", "outcome", "what was judged", "value", "bounds", "limit", "n",
    ]  # fmt: skip
    assert list(table.rows[0]) == [
        "wer-gap", "inconclusive", "wer gap by accent: caribbean against us", "10.0 points",
        "0.0 to 30.0", "≤ 5.0 points", "900",
    ]  # fmt: skip
    [reasons] = why.blocks
    assert reasons.items[0] == (
        "wer-gap, wer gap by accent: caribbean against us. Too little data. About 120 more records "
        "would decide."
    )
    assert [row[1] for row in table.rows] == ["inconclusive", "fail (waived)", "pass"]
    assert reasons.items[1].endswith("Waived: known, until 2027.")
    assert below.items == [
        RULE,
        "Limit of b: at most 5.0 points. Source: Koenecke et al., 2020",
        "Limit of wer-gap: at most 5.0 points. Source: Koenecke et al., 2020",
        "Limit of c: at most 5.0 points. Source: Koenecke et al., 2020",
    ]


def test_verdicts_of_several_audits_say_whose_they_are() -> None:
    kept, missed = audit(findings=[finding("pass")]), audit(findings=[finding("fail")])
    table = list(verdicts([kept, missed]))[1]
    assert [(row[1], row[2]) for row in table.rows] == [("2", "fail"), ("1", "pass")]


def test_a_limit_without_a_source_is_said_to_have_none() -> None:
    *_, below = verdicts([audit(findings=[finding(source="")])])
    assert below.items[-1].endswith("Source: not stated")


def test_without_findings_nothing_was_judged() -> None:
    assert list(verdicts([audit(overall())])) == [Prose(NOTHING_JUDGED)]


def test_groups_that_cannot_be_judged_are_named_with_the_reason() -> None:
    made = audit(
        overall(), US, estimate("welsh", 0.5, 0.1, 0.9, records=9), estimate("irish", None),
        estimate("rp", 0.4, clusters=1), estimate("cockney", 0.4, clusters=4),
        settings={"min_n": 10}, notes=("A note.",),
    )  # fmt: skip
    said = list(limits(made))
    assert said[:4] == [
        "Fewer than 10 records, outside comparisons: welsh (9 records).",
        "Nothing to divide by, so no value: irish (100 records).",
        "All records of one speaker, so no interval and no verdict: rp (100 records).",
        "No interval: cockney (100 records).",
    ]
    assert said[-1] == "A note."


def test_very_many_groups_are_counted() -> None:
    rows = [estimate(f"g{i}", None, records=1) for i in range(33)]
    assert next(limits(audit(overall(), *rows))).endswith("g29 (1 record) and 3 more.")


def test_how_many_comparisons_were_allowed_for_is_said() -> None:
    alone = " ".join(limits(audit(US)))
    assert "Student's t by linearisation" in alone
    assert "over all pairs of groups at once" not in alone
    with_gap = " ".join(limits(audit(US, RP, comparisons=[gap(minimum_detectable=0.2)])))
    assert "over all pairs of groups at once" in with_gap
    assert "80 % power" in with_gap
    bootstrapped = " ".join(limits(audit(US, comparisons=[gap()], settings={"int": "percentile"})))
    assert "over all pairs of groups at once" not in bootstrapped
    differing = [gap(kind="difference")]
    assert "(Holm)" in " ".join(limits(audit(US, comparisons=differing)))
    anew = " ".join(
        limits(audit(US, comparisons=[gap(kind="difference", adjustment="bonferroni")]))
    )
    assert "Bonferroni" in anew
    assert "Holm" not in anew
    none = limits(audit(US, comparisons=differing, settings={"corr": "none"}))
    assert "not adjusted" in " ".join(none)


@pytest.mark.parametrize("kind", KINDS)
def test_every_table_of_an_audit_stands_once(kind: str) -> None:
    made = audits()[kind]
    shown = list(results(made))
    tables = [each for each in shown if not isinstance(each, Folded)]
    assert tables == list(contents(made, further=False))
    everything = all_of(shown, Sheet)
    assert all(
        each in everything for each in contents(made, further=True) if isinstance(each, Sheet)
    )
    assert all(each not in everything[:i] for i, each in enumerate(everything))


@pytest.mark.parametrize("kind", KINDS)
def test_single_attributes_and_crossings_make_up_the_whole(kind: str) -> None:
    made = audits()[kind]
    parts = [part(made, crossed) for crossed in (False, True)]
    rows = [row for each in parts if each for row in each.estimates if row.attribute]
    assert sorted(map(repr, rows)) == sorted(repr(row) for row in made.estimates if row.attribute)
    assert all(list(results(each)) for each in parts if each)
    if parts[1]:
        assert all(len(r.values) > 1 for r in parts[1].estimates if r.attribute)


def test_crossings_alone_leave_no_single_part() -> None:
    made = audit(overall(), estimate("us:f", 0.1, by="accent:sex"))
    assert part(made, crossings=False) is None
    assert part(audit(overall()), crossings=False) == audit(overall())
    assert part(audit(overall()), crossings=True) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_section_has_all_parts(kind: str) -> None:
    made = audits()[kind]
    section = evidence(file(made), 3, ["Two groups were left out."])
    assert section.id == "audit-3"
    assert [each.id for each in all_of(section.blocks, Section)] == [
        "audit-3-data", "audit-3-verdicts", "audit-3-results", "audit-3-limits", "audit-3-origin",
    ]  # fmt: skip
    assert Prose("Two groups were left out.") in section.blocks
    assert [code.text for code in all_of(section.blocks, Code)] == [made.signature]
    said = all_of(section.blocks, Bullets)[-1].items
    assert list(said[-len(made.notes) :]) == list(made.notes) or not made.notes


def test_the_command_line_is_shown_where_there_is_one() -> None:
    without = evidence(file(audit(overall())), 1)
    assert Prose(FROM_PYTHON) in all_of(without.blocks, Prose)
    command = "fairaudit wer calls.csv --by accent"
    section = evidence(file(replace(audit(overall()), command=command)), 1)
    assert Code("Command", command) in all_of(section.blocks, Code)
    assert Prose(FROM_PYTHON) not in all_of(section.blocks, Prose)


def test_every_setting_is_there() -> None:
    made = audit(overall())
    rows = dict(all_of(evidence(file(made), 1).blocks, Facts)[-1].rows)
    assert rows == {
        "by": "accent", "cluster": "speaker", "norm": "basic", "int": "auto", "corr": "holm",
        "ci": "0.95", "metrics": "wer", "As by default": "where, min_n",
    }  # fmt: skip


def test_tables_can_stand_elsewhere() -> None:
    made = audits()["wer"]
    section = evidence(file(made), 1, with_verdicts=False, with_results=False)
    assert all_of(section.blocks, Sheet) == []
