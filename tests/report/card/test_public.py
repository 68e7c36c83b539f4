"""What may not be shown is gone, and cannot be computed from what is left."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairaudit.audit import Audit, Comparison, Estimate, Explanation, Finding, Records
from fairaudit.audits.errors import errors
from fairaudit.audits.search import search
from fairaudit.audits.wer import wer
from fairaudit.exceptions import FairauditError
from fairaudit.report.card.model import AuditFile, Wanted
from fairaudit.report.card.public import public
from fairaudit.report.contents import contents
from fairaudit.report.explanations import Alignment
from fairaudit.report.sheets import closing
from fairaudit.stats.sums import MISSING

EXAMPLES = Path(__file__).parents[3] / "examples"


def shown(audit, least=0, texts=False):
    """The audit as a card has it, and what the card says of it."""
    file, said = public(AuditFile("a.json", "0" * 64, audit), Wanted(suppress=least, texts=texts))
    return file.audit, said


def groups(audit, attribute):
    return {row.group for row in audit.estimates if row.attribute == attribute}


def said_of(audit):
    """Every text that a reader of the audit gets to see, cell by cell."""
    for each in contents(audit, True):
        yield each.title
        if isinstance(each, Alignment):
            yield from (word for step in each.steps for word in step)
            continue
        yield from (cell for row in each.rows for cell in row)
        yield from each.sentences
        if each.chart is not None:
            yield from (mark.label for mark in each.chart.marks)
            yield each.chart.said
    yield from closing(audit)
    for finding in audit.findings:
        yield from (str(value) for value in vars(finding).values())
    yield from map(str, audit.settings.values())
    yield audit.signature


# --- Audits -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hiring():
    return errors(
        EXAMPLES / "hiring" / "applicants.csv",
        by=["sex", "race", "sex:race"],
        label="qualified",
        prediction="hired",
        resamples=100,
    )


def applicants(**columns):
    """As many records as there are values; every second one is selected."""
    frame = pd.DataFrame(columns)
    return frame.assign(hired=np.arange(len(frame)) % 2)


def judged(audit, *findings):
    return replace(audit, findings=tuple(replace(f, audit=audit.signature) for f in findings))


GAP = Finding(
    "gap", "gap at most 5 points", "inconclusive", "error", "accuracy", "gap", 0.05, "most",
    "race", "Asian", "Native Hawaiian or Pacific Islander", 0.2, 0.0, 0.4, 100.0, "Too little.",
    50, None, "a rule", None,
)  # fmt: skip


def test_nothing_names_a_hidden_group(hiring):
    audit = judged(hiring, GAP)
    some, said = shown(audit, 300)
    hidden_names = {
        name for a in ("sex", "race", "sex:race") for name in groups(audit, a) - groups(some, a)
    }
    assert len(hidden_names) == 11
    cells = set(said_of(some)) | set(said)
    assert not hidden_names & cells
    # Of single attributes they may be part of a crossing that is shown.
    text = "\n".join(cells)
    whole = hidden_names - {"female", MISSING}
    assert not [name for name in whole if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)]
    assert "4 of 8 groups by race" in said[0]
    assert "no proof" in said[1]


def test_small_crossings_of_one_large_table(hiring):
    some, said = shown(hiring, 30)
    assert groups(hiring, "sex:race") - groups(some, "sex:race") == {
        f"{sex}:{race}"
        for sex in ("female", "male")
        for race in ("American Indian or Alaska Native", "Native Hawaiian or Pacific Islander")
    }
    assert groups(some, "race") == groups(hiring, "race")
    assert "4 of 15 groups by sex:race." in said[0]
    for row in some.comparisons:
        if row.attribute == "sex:race":
            assert {row.group, row.against} <= {*groups(some, "sex:race"), "(rest)", None}


def test_none_is_small(hiring):
    some, said = shown(hiring, 10)
    assert some == replace(hiring, sums=())
    assert said == ["Every group has 10 records or more, so none is left out."]
    assert shown(hiring) == (replace(hiring, sums=()), [])


def test_a_finding_of_a_hidden_group_keeps_its_outcome_alone(hiring):
    kept = replace(GAP, against="White", id="kept")
    named = replace(kept, reason="Not judged: Native Hawaiian or Pacific Islander (few).")
    told = replace(kept, source="Limit for Native Hawaiian or Pacific Islander", waiver="White")
    some, _ = shown(judged(hiring, GAP, kept, named, told), 50)
    first, second, third, fourth = some.findings
    gone = [first.group, first.against, first.value, first.ci_low, first.ci_high, first.n]
    assert gone == [None] * 6
    assert first.further_records is None
    assert (first.id, first.status, first.limit) == ("gap", "inconclusive", 0.05)
    assert first.reason == "The groups that decided are left out, as one of them is small."
    assert second == replace(kept, audit=hiring.signature)
    assert third.reason == "The reason names groups that are left out."
    assert third.value == 0.2
    assert (fourth.source, fourth.waiver) == ("(left out)", "White")


def test_too_few_records_for_anything(hiring):
    with pytest.raises(FairauditError, match=r"a\.json: has only 7000 records; --suppress 8000"):
        shown(hiring, 8000)


def test_a_rule_that_has_everything_published():
    people = applicants(sex=["f"] * 4 + ["m"] * 60 + ["n"] * 50)
    options = {"prediction": "hired", "by": "sex", "resamples": 100}
    with pytest.raises(FairauditError, match="Local Law 144 has every category published"):
        shown(errors(people, rule="ll144", **options), 5)
    assert shown(errors(people, rule="ll144", **options), 4)[0].estimates
    few = errors(people[:64], rule="four-fifths", **options)
    with pytest.raises(FairauditError, match="leaves no group of its table"):
        shown(few, 5)


def test_values_of_the_control_are_cells():
    sizes = {("f", "north"): 3, ("f", "south"): 40, ("m", "north"): 50, ("m", "south"): 60}
    rows = [cell for cell, n in sizes.items() for _ in range(n)]
    people = applicants(sex=[sex for sex, _ in rows], place=[place for _, place in rows])
    audit = errors(people, prediction="hired", by="sex", control="place", resamples=100)
    some, said = shown(audit, 5)
    # With f at one place left out the other would give it away, as all f are shown.
    left = {(row.group, row.variant["control"]) for row in some.estimates if row.variant}
    assert left == {("m", "north"), ("m", "south")}
    assert groups(some, "sex") == {"f", "m"}
    assert "Left out: 2 at a value of place." in said[0]
    assert list(contents(some, True))


def test_the_rest_and_a_group_would_tell_how_many_are_missing():
    people = applicants(sex=["a"] * 50 + ["b"] * 60 + ["c"] * 70 + [None] * 3)
    audit = errors(people, prediction="hired", by="sex", resamples=100)
    some, _ = shown(audit, 5)
    assert groups(some, "sex") == {"b", "c"}
    assert not [row for row in some.comparisons if row.against == "(rest)"]
    known = errors(people[:180], prediction="hired", by="sex", resamples=100)
    assert [row for row in shown(known, 5)[0].comparisons if row.against == "(rest)"]


def test_a_difference_to_the_best_would_tell_a_hidden_best():
    people = applicants(sex=["a"] * 4 + ["b"] * 30 + ["c"] * 70 + ["d"] * 70)
    people.loc[people.sex == "a", "hired"] = [1, 1, 1, 1]
    options = {"prediction": "hired", "by": "sex", "resamples": 100}
    audit = errors(people, compare_to="best", **options)
    assert [row for row in audit.comparisons if row.against == "(best)"]
    assert not [row for row in shown(audit, 5)[0].comparisons if row.against == "(best)"]
    largest = errors(people[:-1], compare_to="largest", **options)
    assert [row for row in shown(largest, 5)[0].comparisons if row.against == "(largest)"]


def test_a_ratio_of_extremes_may_be_that_of_a_hidden_group(hiring):
    def extremes(audit):
        return {r.attribute for r in audit.comparisons if r.kind == "gap_ratio" and not r.group}

    assert extremes(hiring) == {"sex", "race", "sex:race"}
    assert extremes(shown(hiring, 30)[0]) == {"sex", "race"}


def test_notes_that_tell_of_a_hidden_group(hiring):
    notes = (
        "sex:race: female:Native Hawaiian or Pacific Islander: too few.",
        "race: (missing): records without a value are a group of their own.",
        "3 records have no label.",
        "About 2,003 records have one.",
        "race: White: fewer than 20 records (--min-n), outside comparisons.",
    )
    some, said = shown(replace(hiring, notes=notes), 30)
    assert some.notes == (notes[1], notes[3], notes[4])
    assert said[-1] == "2 notes are left out, as they tell of what is not shown."


def test_reasons_for_dropping_few():
    people = applicants(sex=["f", "m"] * 20)
    audit = errors(people, prediction="hired", by="sex", resamples=100)
    dropped = replace(audit, records=Records(62, 40, {"no label": 20, "no score": 2}))
    assert shown(dropped, 5)[0].records == Records(62, 40, {"several reasons": 22})
    assert shown(dropped, 2)[0].records == dropped.records


def test_settings_that_name_a_hidden_group():
    people = applicants(sex=["f"] * 4 + ["m"] * 60 + ["n"] * 50)
    where = "sex <> 'x' or sex = 'f'"
    audit = errors(people, prediction="hired", by="sex", where=where, compare_to="f", resamples=100)
    command = f'fairaudit errors p.csv --by sex --where "{where}" --compare-to f'
    audit = judged(replace(audit, command=command), replace(GAP, attribute="sex", group="n"))
    some, _ = shown(audit, 5)
    assert (some.settings["where"], some.settings["vs"]) == ("(left out)", "(left out)")
    assert "where:(left out)" in some.signature
    assert "'f'" not in some.signature
    assert some.findings[0].audit == some.signature
    assert some.command == (
        "fairaudit errors p.csv --by sex --where '(left out)' --compare-to '(left out)'"
    )
    assert not [row for row in some.comparisons if row.against == "f"]
    kept, _ = shown(audit, 4)
    assert (kept.signature, kept.command) == (audit.signature, command)


def test_slices_of_a_search():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"sex": rng.choice(["f", "m"], 2000), "age": rng.choice(["o", "y"], 2000)})
    wrong = (frame.sex == "f") & (frame.age == "o")
    audit = search(
        frame.assign(y=1, p=(~wrong).astype(int)), over="sex,age", label="y", prediction="p",
        permutations=100,
    )  # fmt: skip
    found = {row.group: row.records for row in audit.estimates if row.attribute}
    assert "f:o" in found
    some, said = shown(audit, found["f:o"] + 1)
    assert "f:o" not in groups(some, "sex:age")
    assert not [cell for cell in said_of(some) if "sex=f, age=o" in cell]
    assert len(some.estimates) % 2 == 1  # Slices and their rests, and all records.
    assert said[0].startswith("Left out: ")
    assert shown(audit, 2)[0].estimates == audit.estimates


# --- Words and names ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def spoken():
    said = ["the cat sat", "a dog ran home"] * 12
    heard = ["the cat sat", "a dock ran"] * 12
    frame = pd.DataFrame(
        {
            "id": [f"u{i}" for i in range(24)],
            "reference": said,
            "hypothesis": heard,
            "accent": ["us", "uk"] * 12,
            "speaker": [f"spk{i % 6}" for i in range(24)],
        }
    )
    by = ["accent", "speaker", "accent:speaker"]
    return wer(frame, by=by, cluster="speaker", resamples=100, explain=True)


def test_names_and_words_go_unless_wanted(spoken):
    assert {row.kind for row in spoken.explanations} & {"confusion", "utterance"}
    some, said = shown(spoken)
    text = "\n".join(said_of(some))
    assert "spk" not in text
    assert "dock" not in text
    assert "spk" not in some.to_json()
    assert "dock" not in some.to_json()
    assert {row.attribute for row in some.estimates} == {None, "accent"}
    assert said[:3] == [
        "What quotes words of the data is left out.",
        "By accent:speaker nothing is shown: its groups would be names of what was sampled.",
        "By speaker nothing is shown: its groups would be names of what was sampled.",
    ]
    everything, said = shown(spoken, texts=True)
    assert everything == replace(spoken, sums=())
    assert said == []
    assert "spk0" in "\n".join(said_of(everything))


def test_notes_and_selections_that_name_what_was_sampled(spoken):
    notes = ("spk3 was loud.", "speaker: none.", "accent: (missing): fine.")
    settings_ = {**spoken.settings, "where": "speaker <> 'spk9'"}
    some, said = shown(replace(spoken, notes=notes, settings=settings_))
    assert some.notes == ("accent: (missing): fine.",)
    assert some.settings["where"] == "(left out)"
    assert some.settings["cluster"] == "speaker"
    assert said[-1] == "2 notes are left out, as they tell of what is not shown."


def test_neighbours_in_a_hidden_group():
    def row(group, side=None, n=50, attribute="accent"):
        variant = None if side is None else {"match": "age", "side": side}
        values = {} if attribute is None else {"accent": group}
        return Estimate(attribute, group, values, "wer", 0.2, None, None, n, n, None, {}, variant)

    pair = Comparison("accent", "wer", "matched_difference", "us", "uk", 0.1)
    everybody = row("(all)", attribute=None, n=500)
    estimates = (everybody, row("us"), row("uk", n=2), row("in"), row("us", side="uk"))
    audit = Audit(
        "wer", "2026-01-01T00:00:00Z", "1", "wer", (), Records(500, 500, {}),
        {"metrics": ["wer"], "ci": 0.95, "cluster": None}, estimates, (pair,), (),
        explanations=(Explanation("length", "accent", "uk", {}),),
    )  # fmt: skip
    some, _ = shown(audit, 5)
    # The smallest of the others goes with the hidden one, here the first.
    assert [row.group for row in some.estimates] == ["(all)", "in"]
    assert some.comparisons == ()
    assert some.explanations == ()
