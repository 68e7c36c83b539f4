"""From audits and what the owner states to a card."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import fairaudit
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
    assert alone[2:] == ["No rubric was applied: nothing was held against a limit."]


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


def test_without_a_name_none_is_made_up() -> None:
    found = card(JUDGED, template="model-card")
    assert found.title == "Name not stated"
    [model] = found.metadata["model-index"]
    assert model["name"] == "not stated"


def test_the_gap_stands_beside_what_chance_gives() -> None:
    [table] = [b for b in section(card(JUDGED), "design-fairness").blocks if isinstance(b, Sheet)]
    assert [list(row) for row in table.rows] == [
        ["accent", "WER", "caribbean against us", "10.0 points", "[0.0, 30.0]", "4.0", "0.030"]
    ]
    assert table.sentences[0].startswith("Intervals are over all pairs of groups at once")


GAPS = [
    gap(metric="accuracy", name="accuracy_equality_difference", value=0.02, p_value=0.4),
    gap(metric="true_positive_rate", name="equal_opportunity_difference", value=0.2, p_value=0.03),
    gap(metric="false_positive_rate", name="predictive_equality_difference", value=0.213,
        low=0.14, high=0.286, p_value=0.001),
    gap(metric="equalized_odds", name="equalized_odds_difference", value=0.213, p_value=0.002),
    gap(metric="f1", value=0.9, p_value=0.001),
    gap(metric="accuracy", attribute="sex", name="accuracy_equality_difference", p_value=None),
    gap(metric="selection_rate", attribute="sex", name="demographic_parity_difference",
        value=0.5, p_value=0.001, variant={"threshold": 0.9}),
]  # fmt: skip
DECIDED = audit(
    overall(metric="accuracy"), estimate("us", 0.7, 0.6, 0.8, metric="accuracy"),
    estimate("caribbean", 0.68, 0.6, 0.8, metric="accuracy"),
    comparisons=GAPS, settings={"metrics": ["accuracy", "f1"]},
)  # fmt: skip


def gaps_of(found: Card) -> Sheet:
    return next(b for b in section(found, "design-fairness").blocks if isinstance(b, Sheet))


def test_gaps_that_have_a_name_stand_in_front_by_their_evidence() -> None:
    """Of the main setting: not f1, which has no name, and not what is said of a threshold."""
    table = gaps_of(card(DECIDED))
    assert [(row[0], row[1], row[3], row[6]) for row in table.rows] == [
        ("accent", "false positive rate (predictive equality)", "21.3 points", "0.001"),
        ("accent", "true or false positive rate (equalized odds)", "21.3 points", "0.002"),
        ("accent", "true positive rate (equal opportunity)", "20.0 points", "0.030"),
        ("accent", "accuracy", "2.0 points", "0.400"),
        ("sex", "accuracy", "10.0 points", "-"),
    ]
    assert table.sentences[1:] == [
        "Of 4 gaps 3 are shown to be more than chance (p<0.05, not adjusted over the gaps)."
    ]
    report = card(DECIDED, template="report").sections[1]
    [analyses] = [b for b in section(card(DECIDED, template="model-card"), "quantitative-analyses")
                  .blocks if isinstance(b, Sheet)]  # fmt: skip
    assert report.blocks[0] == analyses == table


@pytest.mark.parametrize(
    ("p", "said"), [((0.4, 0.2), "none is"), ((0.01, 0.2), "1 is"), ((0.01, 0.04), "2 are")]
)
def test_how_many_gaps_are_more_than_chance(p: tuple, said: str) -> None:
    rows = [gap(p_value=each, attribute=by) for each, by in zip(p, ("accent", "sex"), strict=True)]
    table = gaps_of(card(replace(JUDGED, comparisons=tuple(rows))))
    assert table.sentences[1].startswith(f"Of 2 gaps {said} shown to be more than chance (p<0.05,")


def test_where_gaps_are_left_out_differences_have_a_table() -> None:
    """One of four groups is small: it goes with the next smallest, and so does the gap."""
    rng = np.random.default_rng(1)
    group = np.repeat(["a", "b", "c", "d"], [250, 220, 200, 9])
    data = pd.DataFrame({"group": group, "y": rng.integers(0, 2, group.size)})
    data["yhat"] = np.where(data["group"] == "a", 1 - data["y"], data["y"])
    made = fairaudit.errors(data, by="group", label="y", prediction="yhat", resamples=200)
    found = card(made, suppress=10)
    [table] = [b for b in section(found, "design-fairness").blocks if isinstance(b, Sheet)]
    assert table.title == "Differences, where gaps are left out"
    worst = next(row for row in table.rows if row[1] == "accuracy")
    # All of a are wrong and nobody else is.
    assert list(worst[:4]) == ["group", "accuracy", "a against the rest", "-100.0 points"]
    assert worst[-1] == "<0.001"
    assert {row[1].partition(" (")[0] for row in table.rows} <= {
        "accuracy", "selection rate", "true positive rate", "false positive rate",
        "positive predictive value",
    }  # fmt: skip
    for template, at in (("model-card", "quantitative-analyses"), ("report", "gaps")):
        assert table in section(card(made, suppress=10, template=template), at).blocks
    assert "Differences, where" not in str(card(made))


def test_of_many_audits_only_the_foremost_gaps_stand_in_front() -> None:
    table = gaps_of(card(*[replace(DECIDED, created=f"2026-03-0{i}") for i in range(1, 6)]))
    assert [row[1] for row in table.rows[:3]] == [
        "false positive rate (predictive equality), audit 1", "accuracy, audit 1",
        "accuracy, audit 1",
    ]  # fmt: skip
    assert len(table.rows) == 15
    assert table.sentences[1].startswith("Of 20 gaps 15 are shown to be more than chance")
    assert table.sentences[2].startswith("Of each attribute stand here the gap of the headline")


def test_of_many_audits_each_has_one_sentence_in_front() -> None:
    lead = card(*[replace(DECIDED, created=f"2026-03-0{i}") for i in range(1, 6)]).lead
    assert len(lead) == 6
    assert lead[0] == (
        "Audit 1: The lowest accuracy over 2 groups with at least 100 records each is 68.0 % (95 % "
        "interval 60.0 to 80.0), for caribbean (accent), on calls.csv (1,000 records, 60 "
        "speakers); shown to differ most: false positive rate by accent, 21.3 points (95 % "
        "interval 14.0 to 28.6, p=0.001), caribbean against us."
    )
    assert lead[5] == "No rubric was applied: nothing was held against a limit."
    few = card(DECIDED, JUDGED).lead
    assert few[0].endswith(
        "speakers). Shown to differ most: false positive rate by accent, 21.3 points (95 % "
        "interval 14.0 to 28.6, p=0.001), caribbean against us."
    )
    assert few[2].startswith("What is picked as the worst of many")


def test_of_several_audits_the_caveat_stands_once() -> None:
    blocks = section(card(JUDGED, DECIDED), "design-fairness").blocks
    text = " ".join(item for b in blocks if isinstance(b, Bullets) for item in b.items)
    assert "tends to look" not in text
    assert sum("tends to look worse" in b.text for b in blocks if isinstance(b, Prose)) == 1


def bullets(found: Card, at: str) -> list[str]:
    return [i for b in section(found, at).blocks if isinstance(b, Bullets) for i in b.items]


def test_what_a_control_changes_stands_under_fairness() -> None:
    given = {"metric": "selection_rate", "attribute": "sex", "against": "(rest)"}
    at = {"kind": "adjusted_difference", "variant": {"control": "department"}}
    rows = [
        gap(-0.113, group="f", kind="difference", **given), gap(0.007, group="f", **at, **given),
        gap(0.113, group="m", kind="difference", **given), gap(-0.007, group="m", **at, **given),
    ]  # fmt: skip
    note = "sex: at equal department no difference is shown any more: selected of f."
    turned = "sex: Simpson's paradox: at equal department the difference turns around: TPR of f."
    other = "sex: 3 records without a value of department are not compared at equal department."
    made = audit(
        overall(metric="selection_rate"), comparisons=rows, notes=(note, other, turned),
        settings={"metrics": ["selection_rate"], "control": "department"},
    )  # fmt: skip
    assert bullets(card(made), "design-fairness")[1:] == [
        "Difference of the selection rate to rest by sex, as it is and at equal department: f "
        "-11.3 and +0.7, m +11.3 and -0.7 points.",
        note, turned,
    ]  # fmt: skip
    [said] = bullets(card(audits()["control"]), "design-robustness")
    assert said == "Groups were compared at equal place as well; see Fairness and bias."
    assert any("at equal place:" in text for text in
               bullets(card(audits()["control"]), "design-fairness"))  # fmt: skip


def test_what_became_worse_stands_under_fairness(tmp_path) -> None:
    """Of 8 words us had 1 wrong and now 2: 12.5 and 25.0; uk none and none."""
    rows = ["a,us,one two,one two", "b,us,one two,one x", "c,us,x y,x y", "d,us,z y,z y",
            "e,uk,one,one", "f,uk,two,two"]  # fmt: skip
    head = "id,accent,reference,hypothesis"
    (tmp_path / "old.csv").write_text("\n".join([head, *rows]))
    rows[0] = "a,us,one two,x two"
    (tmp_path / "new.csv").write_text("\n".join([head, *rows]))
    made = fairaudit.wer(tmp_path / "new.csv", by="accent", against=tmp_path / "old.csv",
                         resamples=100)  # fmt: skip
    [said] = [t for t in bullets(card(made), "design-fairness") if t.startswith("Change of WER")]
    assert said.startswith(
        "Change of WER, by accent: over all records 10.0 before and 20.0 now, +10.0 points "
    )
    assert "Worse in these records, and perhaps by chance: us (+12.5)." in said


def test_classes_are_no_settings() -> None:
    classes = [gap(metric="accuracy", variant=v) for v in (None, {"class": "a"}, {"class": "b"})]
    made = replace(DECIDED, comparisons=tuple(classes))
    assert Prose("The audits vary no setting.") in section(card(made), "design-robustness").blocks
    assert len(gaps_of(card(made)).rows) == 1


def test_settings_without_gaps_are_not_denied() -> None:
    made = replace(audits()["normalisers"], comparisons=())
    blocks = section(card(made), "design-robustness").blocks
    assert Prose("There are several settings; what they give stands in the evidence.") in blocks


def test_how_counts_become_values_is_true_of_every_audit() -> None:
    texts = " ".join(b.text for b in section(card(JUDGED), "design-methodology").blocks
                     if isinstance(b, Prose))  # fmt: skip
    assert "by their weights where an audit names some" in texts
    assert "is called a mean" in texts
    assert "Values of further metrics stand alone" in texts


def test_what_is_left_out_is_not_denied() -> None:
    small = audit(overall(), estimate("us", 0.1, records=5))
    [sentence, *_] = card(replace(small, settings={**small.settings}), suppress=10).lead
    assert sentence.endswith("; the groups are left out.")
    found = card(small, suppress=10, template="model-card")
    none = [Prose("None of the audits has any that may be shown.")]
    assert section(found, "intersectional").blocks == none
    rows = dict(all_of(section(found, "audit-1-data").blocks, Facts)[0].rows)
    assert rows["Groups that are shown"] == "none"
    assert rows["Records left out"] == "none"


def test_only_what_was_asked_for_is_needed() -> None:
    """The same card from the answers that were used; others of the file stay with the owner."""
    for template, without in (("service-card", "hub.tags"), ("model-card", "ll144.excluded"),
                              ("report", "use.intended")):  # fmt: skip
        watched = FULL.watched()
        made = card(JUDGED, info=watched, template=template)
        used = watched.used()
        assert without in FULL.answers.keys() - used.answers.keys()
        assert card(JUDGED, info=used, template=template) == made
        assert card(JUDGED, info=FULL, template=template) == made


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
    differing = replace(JUDGED, comparisons=(gap(kind="difference"),))
    terms = dict(section(card(differing), "glossary").blocks[0].rows)
    assert "p" in terms
    assert "Gap" not in terms
    [folded] = all_of(section(card(JUDGED), "glossary").blocks, Folded)
    assert dict(folded.blocks[0].rows)["WER (wer)"].startswith("errors per reference word. Source")


def test_names_of_columns_are_not_taken_for_words() -> None:
    made = audit(overall(), estimate("us", 0.1, by="level crossing; road"))
    assert "Crossing" not in dict(section(card(made), "glossary").blocks[0].rows)
    [said] = scope(file(made))
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
    place = '"Annex: New York City Local Law 144", "Rates and impact ratios"'
    assert f"This table stands in {place}: {inside[0].title}." in elsewhere


def test_a_table_of_two_audits_is_found_by_the_audit() -> None:
    found = card(audits()["search"], replace(audits()["search"], command="fairaudit search b.csv"))
    [table] = all_of(section(found, "audit-1-results").blocks, Sheet)
    [instead] = section(found, "audit-2-results").blocks
    place = '"Audit 1: Search for the worst subgroup, a data frame", "Results"'
    assert instead == Prose(f"This table stands in {place}: {table.title}.")


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


def test_front_matter_has_the_hubs_own_keys() -> None:
    answers = {"hub": {"loader": "transformers", "license": "mit", "tags": ["a", "b"]}}
    made = make([file(audit(overall()))], Info.from_dict(answers), Wanted("model-card"))
    own = {key: made.metadata[key] for key in ("library_name", "license", "tags")}
    assert own == {"library_name": "transformers", "license": "mit", "tags": ["a", "b"]}
    assert "loader" not in made.metadata
