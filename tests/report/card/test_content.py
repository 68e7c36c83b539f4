"""From audits and what the owner states to a card."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from fairaudit import toml
from fairaudit.report.card.content import make
from fairaudit.report.card.info import Info, start
from fairaudit.report.card.model import (
    Bullets,
    Card,
    Facts,
    Folded,
    Prose,
    Section,
    Stated,
    Wanted,
)
from fairaudit.report.card.statements import scope
from fairaudit.report.explanations import Alignment
from fairaudit.report.sheets import Sheet
from tests.report.card.made import audit, audits, estimate, file, finding, gap, overall

TEMPLATES = ("service-card", "model-card", "report")
FULL = Info.from_dict(toml.parse("", re.sub(r"^#", "", start(), flags=re.MULTILINE).encode()))
KINDS = list(audits())
JUDGED = audit(
    overall(), estimate("us", 0.1, 0.05, 0.2), estimate("caribbean", 0.2, 0.1, 0.4),
    comparisons=[gap()], findings=[finding()],
)  # fmt: skip


def all_of(blocks, kind=object) -> list:
    """All blocks of a kind, however deep."""
    found = []
    for block in blocks:
        if isinstance(block, kind):
            found.append(block)
        if isinstance(block, Section | Folded):
            found += all_of(block.blocks, kind)
    return found


def section(card: Card, at: str) -> Section:
    return next(each for each in all_of(card.sections, Section) if each.id == at)


def card(*made, info=None, template="service-card", **wanted) -> Card:
    files = [file(each, f"{i}.json") for i, each in enumerate(made)]
    return make(files, info or Info(), Wanted(template, **wanted))


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("info", [Info(), FULL], ids=["unstated", "stated"])
def test_every_audit_makes_every_card(template, kind, info) -> None:
    found = card(audits()[kind], info=info, template=template)
    ids = [each.id for each in all_of(found.sections, Section)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", each) for each in ids)
    tables = all_of(found.sections, Sheet)
    assert tables
    assert all(table not in tables[:i] for i, table in enumerate(tables))
    answers = all_of(found.sections, Stated)
    assert all(bool(each.texts) == bool(info.answers) for each in answers)
    assert found.lead


def test_the_order_of_a_service_card() -> None:
    found = card(JUDGED, info=FULL, annexes=("eu-ai-act",))
    assert [each.title for each in found.sections] == [
        "Overview", "Intended use cases and limitations", "Design of Call transcripts",
        "Deployment and performance optimization best practices", "Further information",
        "Glossary", section(found, "annex-eu-ai-act").title, "Evidence",
    ]  # fmt: skip
    assert [each.title for each in section(found, "design").blocks] == [
        "Machine learning", "Performance expectations", "Test-driven methodology",
        "Fairness and bias", "Explainability", "Robustness", "Privacy", "Security",
        "Transparency", "Governance",
    ]  # fmt: skip


def test_the_order_of_a_model_card() -> None:
    titles = [each.title for each in card(JUDGED, template="model-card").sections]
    assert titles[:9] == [
        "Model Details", "Intended Use", "Factors", "Metrics", "Evaluation Data", "Training Data",
        "Quantitative Analyses", "Ethical Considerations", "Caveats and Recommendations",
    ]  # fmt: skip


def test_a_plain_report_begins_with_the_verdicts() -> None:
    found = card(JUDGED, JUDGED, template="report")
    assert [each.id for each in found.sections] == ["verdicts", "gaps", "evidence"]
    table = next(each for each in found.sections[0].blocks if isinstance(each, Sheet))
    assert [row[1] for row in table.rows] == ["1", "2"]
    assert all(not each.id.endswith("-verdicts") for each in all_of(found.sections, Section))


def test_what_leads_a_card_on_one_audit() -> None:
    lead = card(JUDGED).lead
    assert lead[0].startswith(
        "The highest WER over 2 groups with at least 100 records each is 20.0"
    )
    assert "tends to look higher than it is" in lead[1]
    assert lead[2] == "All records together have 20.0 % (15.0 to 25.0)."
    assert lead[3] == "Verdicts: 1 inconclusive."


def test_what_leads_a_card_on_several_audits() -> None:
    lead = card(JUDGED, audit(overall())).lead
    assert [text[:9] for text in lead[:2]] == ["Audit 1: ", "Audit 2: "]
    assert lead[2].startswith("What is picked as the worst of many tends to look worse")
    assert len(lead) == 4
    alone = card(audit(overall()), audit(overall())).lead
    assert alone[2:] == ["Nothing was held against a limit: no rubric was applied."]


def test_to_what_it_applies_and_as_of_when() -> None:
    later = replace(JUDGED, created="2026-04-02T00:00:00Z")
    [said] = [
        b
        for b in section(card(later, JUDGED, info=FULL), "overview").blocks
        if getattr(b, "strong", False)
    ]
    assert said.text == (
        "This card applies to Call transcripts, version 2.3.0, released 2026-03-01; it is current "
        "as of 2026-04-02, the day of the latest audit."
    )
    [said] = [b for b in section(card(JUDGED), "overview").blocks if getattr(b, "strong", False)]
    assert said.text.startswith(
        "This card applies to a service whose name is not stated, version not stated; it is"
    )


def test_what_the_owner_states_stands_in_the_card() -> None:
    info = Info.from_dict({"use": {"intended": ["Search.", "Study."]}, "service": {"name": "A\nB"}})
    found = card(JUDGED, info=info)
    assert found.title == "A B"
    [stated] = all_of(section(found, "use-intended").blocks, Stated)
    assert stated.texts == ("Search.", "Study.")
    [unstated] = all_of(section(found, "use-unsupported").blocks, Stated)
    assert (unstated.texts, unstated.key) == ((), "use.unsupported")
    rows = dict(all_of(section(found, "overview").blocks, Facts)[0].rows)
    assert rows["Name"] == "A B"
    assert rows["Contact"] is None


def test_without_a_name_the_file_gives_the_title() -> None:
    assert card(JUDGED).title == "0.json"


def test_the_gap_stands_beside_what_chance_gives() -> None:
    [table] = [b for b in section(card(JUDGED), "design-fairness").blocks if isinstance(b, Sheet)]
    assert [list(row) for row in table.rows] == [
        ["accent", "WER", "caribbean against us", "10.0 points", "[0.0, 30.0]", "4.0", "0.030"]
    ]
    assert table.sentences[0].startswith("Intervals are over all pairs of groups at once")


def test_robustness_shows_each_setting() -> None:
    blocks = section(card(audits()["normalisers"]), "design-robustness").blocks
    [table] = [each for each in blocks if isinstance(each, Sheet)]
    assert [row[1] for row in table.rows] == ["normaliser basic", "normaliser none"]
    assert section(card(JUDGED), "design-robustness").blocks[1] == Prose(
        "The audits vary no setting."
    )


def test_limits_sources_and_waivers_are_governance() -> None:
    waived = replace(JUDGED, findings=(finding("fail", waiver="known until 2027"),))
    items = [text for each in section(card(waived), "design-governance").blocks
             if isinstance(each, Bullets) for text in each.items]  # fmt: skip
    assert items == [
        "Limit of wer-gap: at most 5.0 points. Source: Koenecke et al., 2020",
        "Waived: wer-gap: known until 2027",
    ]


def test_the_glossary_has_what_the_card_uses() -> None:
    terms = dict(section(card(JUDGED), "glossary").blocks[0].rows)
    assert {"Fairness", "Cluster", "Gap", "Inconclusive"} <= terms.keys()
    assert "Crossing" not in terms
    bare = audit(overall(clusters=None), settings={"cluster": None})
    assert (
        not {"Cluster", "Gap", "Inconclusive"}
        & dict(section(card(bare), "glossary").blocks[0].rows).keys()
    )
    [folded] = all_of(section(card(JUDGED), "glossary").blocks, Folded)
    assert dict(folded.blocks[0].rows)["WER (wer)"].startswith("errors per reference word. Source")


def test_names_of_columns_are_not_taken_for_words() -> None:
    made = audit(overall(), estimate("us", 0.1, by="level crossing; road"))
    assert "Crossing" not in dict(section(card(made), "glossary").blocks[0].rows)
    [said] = scope(made)
    assert said.endswith(" Groups: level crossing; road: 1 group.")
    crossing = audit(overall(), estimate("us:f", 0.1, by="accent:sex"))
    assert "Crossing" in dict(section(card(crossing), "glossary").blocks[0].rows)


def test_what_counts_as_a_hit() -> None:
    def said(kind: str) -> str:
        blocks = section(card(audits()[kind]), "overview-ground-truth").blocks
        return " ".join(each.text for each in blocks if isinstance(each, Prose))

    assert "word by word" in said("wer")
    assert "false alarm" in said("decisions")
    assert "Without labels there are no hits" in said("ll144")
    assert "predictions less labels" in said("numbers")


def test_words_of_the_data_stand_only_where_wanted() -> None:
    made = audits()["explained"]
    assert not all_of(card(made).sections, Alignment)
    assert all_of(card(made, texts=True).sections, Alignment)


def test_small_groups_are_left_out_everywhere() -> None:
    made = audits()["decisions"]
    smallest = min(r.records for r in made.estimates)
    found = card(made, suppress=smallest + 1)
    names = {row[0] for table in all_of(found.sections, Sheet) for row in table.rows}
    gone = {r.group for r in made.estimates if r.records == smallest and r.attribute}
    assert gone
    assert not gone & names
    assert found.lead[-1].startswith("Groups that may not be shown are left out")
    assert card(made, suppress=2).lead == card(made).lead


def test_an_annex_keeps_its_tables_to_itself() -> None:
    found = card(audits()["ll144"], annexes=("ll144",))
    inside = all_of(section(found, "annex-ll144").blocks, Sheet)
    assert inside
    elsewhere = [p.text for p in all_of(section(found, "audit-1-results").blocks, Prose)]
    assert f"This table stands elsewhere in this report: {inside[0].title}." in elsewhere


def test_the_front_matter_of_a_model_card() -> None:
    found = card(JUDGED, info=FULL, template="model-card").metadata
    assert found["license"] == "apache-2.0"
    assert found["language"] == ["en"]
    [model] = found["model-index"]
    assert model["name"] == "Call transcripts"
    assert len(model["results"]) == 3
    assert card(JUDGED, info=FULL).metadata == {}


def test_an_index_without_results_is_left_out() -> None:
    assert card(audit(overall(None, None, None)), template="model-card").metadata == {}


def test_unitary_and_intersectional_results() -> None:
    found = card(audits()["wer"], template="model-card")
    titles = {
        at: [table.title for table in all_of(section(found, at).blocks, Sheet)]
        for at in ("unitary", "intersectional")
    }
    assert all("sex:place" in title for title in titles["intersectional"])
    assert titles["intersectional"]
    assert not any("sex:place" in title for title in titles["unitary"])
    none = section(card(JUDGED, template="model-card"), "intersectional")
    assert none.blocks == [Prose("None of the audits has any.")]


def test_further_metrics_are_folded() -> None:
    blocks = section(card(audits()["wer"]), "audit-1-results").blocks
    assert not any(b.title.startswith("Further") for b in blocks if isinstance(b, Sheet))
    [folded] = [each for each in blocks if isinstance(each, Folded)]
    assert any(b.title.startswith("Further") for b in folded.blocks)


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_same_audits_make_the_same_card(template) -> None:
    made = list(audits().values())
    assert card(*made, template=template) == card(*made, template=template)
