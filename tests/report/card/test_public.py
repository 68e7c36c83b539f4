"""What may not be shown is gone, and cannot be computed from what is left."""

import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairaudit.audit import Audit, Comparison, Data, Estimate, Explanation, Finding, Records
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
    assert len(hidden_names) == 13
    cells = set(said_of(some)) | set(said)
    assert not hidden_names & cells
    # Of single attributes they may be part of a crossing that is shown.
    text = "\n".join(cells)
    whole = hidden_names - {"female", MISSING}
    assert not [name for name in whole if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)]
    assert "4 of 8 groups by race" in said[0]
    assert "no proof" in said[2]


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
    whole = replace(hiring, sums=(), data=(replace(hiring.data[0], path="applicants.csv"),))
    assert some == whole
    assert said == ["Every group has 10 records or more, so none is left out."]
    assert shown(hiring) == (whole, [])


def untold(finding):
    """What a finding says of its numbers and groups."""
    names = "group against value ci_low ci_high n further_records further_clusters".split()
    return [getattr(finding, name) for name in names]


def test_a_finding_of_an_attribute_with_hidden_groups_keeps_its_outcome_alone(hiring):
    # That White and Asian are the ends would bound the groups that are hidden.
    ends = replace(GAP, against="White", status="fail", id="ends")
    by_sex = replace(GAP, attribute="sex", group="male", against="female", id="sex")
    some, _ = shown(judged(hiring, GAP, ends, by_sex), 50)
    first, second, third = some.findings
    assert untold(first) == untold(second) == [None] * 8
    assert (first.id, first.status, first.limit) == ("gap", "inconclusive", 0.05)
    assert (second.status, second.severity) == ("fail", "error")
    assert first.reason.startswith("Groups of this attribute are left out")
    assert third == replace(by_sex, audit=hiring.signature)


def test_words_of_findings_that_name_a_hidden_group(hiring):
    name = "Native Hawaiian or Pacific Islander"
    telling = replace(
        GAP, attribute="sex", group="male", against="female", id=f"{name.upper()}_gap",
        source=f"Limit for {name}", criterion=f"{name}: at most", waiver="White",
    )  # fmt: skip
    reason = replace(GAP, attribute=None, reason=f"Not judged: {name} (few).", waiver=name)
    some, _ = shown(judged(hiring, telling, reason), 50)
    first, second = some.findings
    assert [first.id, first.source, first.criterion] == ["(left out)"] * 3
    assert (first.waiver, first.value, first.reason) == ("White", 0.2, "Too little.")
    assert second.reason == "The reason names groups that are left out."
    assert second.waiver == "(left out)"


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


# --- What is computed over all groups -----------------------------------------------------


def faiths(**people):
    """Applicants by faith: of each so many, of whom the others and every third are selected."""
    rows = [(faith, i % 3 == 0) for faith, n in people.items() for i in range(n)]
    frame = pd.DataFrame(rows, columns=["faith", "hired"])
    labels = (np.arange(len(frame)) % 2).astype(int)
    return frame.assign(hired=frame.hired.astype(int), label=labels)


def between(groups):
    """Theil index between groups of so many correct, false positives and records, and GE(2)."""
    n = np.array([g[2] for g in groups], float)
    benefit = np.array([1 + (g[1] - (g[2] - g[0] - g[1])) / g[2] for g in groups])
    share, ratio = n / n.sum(), benefit / (n @ benefit / n.sum())
    return float(share @ (ratio * np.log(np.maximum(ratio, 1e-300)))), float(
        share @ (ratio**2 - 1) / 2
    )


def outcomes(people):
    correct = people.hired == people.label
    false_positive = (people.hired == 1) & (people.label == 0)
    return int(correct.sum()), int(false_positive.sum()), len(people)


def test_inequality_between_groups_gives_a_hidden_group_away():
    people = faiths(Alpha=200, Beta=31, Zoroastrian=7)
    audit = errors(people, label="label", prediction="hired", by="faith", resamples=100)
    rows = {row.name: row.value for row in audit.comparisons if row.kind == "heterogeneity"}
    told = [rows[f"between_group_{name}"] for name in ("theil_index", "generalized_entropy_index")]
    own = {name: outcomes(part) for name, part in people.groupby("faith")}
    left = np.array(outcomes(people)) - own["Alpha"]
    # Of all outcomes of a hidden group of seven one sum of benefits fits; the other has the rest.
    found = [
        small
        for small in ((c, f, 7) for c in range(8) for f in range(8 - c))
        if min(rest := left - small) >= 0 and rest[2] - rest[0] - rest[1] >= 0
        and np.allclose(between([own["Alpha"], tuple(rest), small]), told, rtol=1e-9)
    ]  # fmt: skip
    correct, false_positives, _ = own["Zoroastrian"]
    assert {c + 2 * f for c, f, _ in found} == {correct + 2 * false_positives}
    assert len({c + 2 * f for c in range(8) for f in range(8 - c)}) == 15
    some, said = shown(audit, 20)
    assert groups(some, "faith") == {"Alpha"}
    assert {row.kind for row in some.comparisons} <= {"difference", "ratio"}
    assert not [cell for cell in said_of(some) if "between the groups" in cell]
    assert said[1].startswith("By faith nothing is shown that is computed over all groups at once")


def test_gaps_are_over_hidden_groups_too():
    people = faiths(Alpha=200, Beta=31, Gamma=90, Delta=80, Zoroastrian=7)
    audit = errors(people, label="label", prediction="hired", by="faith", resamples=100)
    wide = {"gap", "gap_ratio", "heterogeneity"}
    assert {row.kind for row in audit.comparisons} >= wide
    some, _ = shown(audit, 20)
    assert groups(some, "faith") == {"Alpha", "Gamma", "Delta"}
    assert not {row.kind for row in some.comparisons} & wide
    assert {row.kind for row in some.comparisons} >= {"difference", "pair", "ratio"}
    assert {row.kind for row in shown(audit, 5)[0].comparisons} >= wide


def test_nothing_that_is_shown_depends_on_how_hidden_groups_fared():
    people = faiths(Alpha=200, Beta=31, Gamma=90, Delta=80, Zoroastrian=7)
    options = {"label": "label", "prediction": "hired", "by": "faith", "resamples": 100}
    options["compare_to"] = "Alpha"
    audit = errors(people, **options)
    # The same records in all; one of the small group's changes places with one of Beta's.
    other = people.copy()
    columns = ["hired", "label"]
    beta, small = other.index[other.faith == "Beta"], other.index[other.faith == "Zoroastrian"]
    for i, j in zip(beta[:7], small, strict=True):
        other.loc[i, columns], other.loc[j, columns] = (0, 1), (1, 0)
    other.loc[beta[7:14], columns] = people.loc[small, columns].to_numpy()
    changed = errors(other, **options)
    pairs = zip(shown(audit, 20)[0].comparisons, shown(changed, 20)[0].comparisons, strict=True)
    for before, after in pairs:
        for name, value in vars(before).items():
            number = isinstance(value, float)
            expected = pytest.approx(value, rel=1e-9, abs=1e-12) if number else value
            assert getattr(after, name) == expected, (name, before)
    assert audit.comparisons != changed.comparisons


def test_p_values_are_adjusted_over_as_many_groups_as_the_card_says():
    people = faiths(Alpha=200, Beta=31, Gamma=90, Delta=80, Zoroastrian=7)
    people.loc[people.faith == "Gamma", "hired"] = 0
    options = {"prediction": "hired", "by": "faith", "resamples": 100}
    audit = errors(people, **options)
    for row in shown(audit, 20)[0].comparisons:
        if row.p_value is not None:
            tests = 10 if row.kind == "pair" else 5
            assert row.p_adjusted == pytest.approx(min(1, tests * row.p_value))
            assert row.adjustment == "bonferroni"
    kept = [row for row in shown(audit, 5)[0].comparisons if row.p_value is not None]
    assert {row.adjustment for row in kept} == {"holm", None}
    plain = shown(errors(people, correction="none", **options), 20)[0].comparisons
    assert {row.adjustment for row in plain} == {"none", None}


def test_intervals_of_impact_ratios_do_not_tell_how_many_take_part():
    def ratios(audit):
        return {r.group: r for r in audit.comparisons if r.name == "impact_ratio"}

    people = faiths(Alpha=200, Beta=61, Gamma=90, Delta=80, Zoroastrian=7)
    people.loc[people.faith == "Alpha", "hired"] = 1
    options = {"prediction": "hired", "by": "faith", "resamples": 100}
    audit, found = errors(people, **options), {}
    found[7] = ratios(shown(audit, 20)[0])
    # All five take part, so the interval over five is the audit's own.
    for name in ("Gamma", "Delta"):
        before, after = ratios(audit)[name], found[7][name]
        assert (after.ci_low, after.ci_high) == pytest.approx((before.ci_low, before.ci_high))
    # A group of one takes none, which the audit's interval tells and the card's does not.
    single = people.drop(people.index[people.faith == "Zoroastrian"][1:])
    one = errors(single, **options)
    found[1] = ratios(shown(one, 20)[0])
    assert ratios(one)["Gamma"].ci_low > ratios(audit)["Gamma"].ci_low
    for name in ("Gamma", "Delta"):
        assert found[1][name].ci_low == pytest.approx(found[7][name].ci_low)
    # Shares of weighted records are not binomial.
    weighted = errors(people.assign(w=1.5), weight="w", **options)
    assert {row.ci_low for row in ratios(shown(weighted, 20)[0]).values()} == {None}


def test_what_is_left_over_is_no_small_number():
    people = faiths(Alpha=200, Beta=150, Zoroastrian=7, Zarathustrian=5)
    audit = errors(people, prediction="hired", by="faith", resamples=100)
    some, said = shown(audit, 20)
    left = sum(row.records for row in some.estimates if row.metric == "selection_rate")
    assert groups(some, "faith") == {"Alpha"}
    assert left == 362 + 200
    assert "3 of 4 groups by faith" in said[0]


def test_at_equal_control_hidden_cells_have_a_part():
    sizes = {("f", "north"): 3, ("f", "south"): 40, ("m", "north"): 50, ("m", "south"): 60}
    rows = [cell for cell, n in sizes.items() for _ in range(n)]
    people = applicants(sex=[sex for sex, _ in rows], place=[place for _, place in rows])
    audit = errors(people, prediction="hired", by="sex", control="place", resamples=100)
    kinds = {row.kind for row in audit.comparisons}
    assert kinds - {row.kind for row in shown(audit, 5)[0].comparisons} == {"adjusted_difference"}
    assert kinds == {row.kind for row in shown(audit, 3)[0].comparisons}


# --- Clusters -----------------------------------------------------------------------------


def spoken_by(**speakers):
    """Transcripts by accent: of so many speakers each, twenty of each speaker."""
    rows = [
        ("the cat sat", "the cat sat" if (i + k) % 3 else "the dog", accent, f"{accent}{k}")
        for accent, n in speakers.items()
        for k in range(n)
        for i in range(20)
    ]
    frame = pd.DataFrame(rows, columns=["reference", "hypothesis", "accent", "speaker"])
    frame.insert(0, "id", range(len(frame)))
    return wer(frame, by="accent", cluster="speaker", resamples=100)


def test_groups_of_few_speakers_are_small():
    some, said = shown(spoken_by(us=6, uk=2, sg=5, nz=4), 10)
    # Two of uk; nz is the smallest of the others.
    assert groups(some, "accent") == {"us", "sg"}
    assert "Groups with fewer than 10 records or from fewer than three speakers are" in said[0]
    kept, said = shown(spoken_by(us=6, uk=3, sg=5), 10)
    assert groups(kept, "accent") == {"us", "uk", "sg"}
    assert said == [
        "Every group has 10 records or more, from three speakers or more, so none is left out."
    ]
    assert groups(shown(spoken_by(us=6, uk=2))[0], "accent") == {"us", "uk"}


def test_groups_left_over_come_from_three_speakers():
    some, _ = shown(spoken_by(us=6, uk=1, sg=5, nz=1), 10)
    assert groups(some, "accent") == {"us"}


def test_two_speakers_in_all():
    with pytest.raises(FairauditError, match="come from fewer than three speakers"):
        shown(spoken_by(us=1, uk=1), 10)


# --- Notes and settings -------------------------------------------------------------------


def test_a_negative_number(hiring):
    with pytest.raises(FairauditError, match=r"--suppress -1: expected 0 or more\."):
        shown(hiring, -1)


def test_files_that_are_named_after_a_hidden_group():
    people = faiths(Alpha=200, Beta=31, Zoroastrian=7)
    audit = errors(people, prediction="hired", by="faith", resamples=100)
    files = (Data("in/zoroastrian_2024.csv", "0" * 64), Data("in/Zoroastrians.csv", "1" * 64))
    command = "fairaudit errors in/zoroastrian_2024.csv in/Zoroastrians.csv --by faith"
    audit = replace(audit, data=files, command=command)
    file, _ = public(AuditFile("Zoroastrian.json", "0" * 64, audit), Wanted(suppress=20))
    assert file.name == "(left out)"
    assert [data.path for data in file.audit.data] == ["(left out)", "in/Zoroastrians.csv"]
    assert file.audit.command == ("fairaudit errors '(left out)' in/Zoroastrians.csv --by faith")
    assert file.audit.data[0].sha256 == "0" * 64
    kept, _ = public(AuditFile("Zoroastrian.json", "0" * 64, audit), Wanted(suppress=5))
    assert (kept.name, kept.audit.command) == ("Zoroastrian.json", command)


def test_absolute_paths_keep_their_last_part(hiring):
    files = ("/home/jane/ref.csv", r"C:\Users\jane\hyp.csv", "data/speakers.csv", "(stdin)")
    command = shlex.join(
        ["fairaudit", "wer", "--ref", files[0], f"--hyp={files[1]}", "--speakers", files[2],
         "--rubric", "~/limits.toml", "--where", "a / b > 1", "--by", "a:b"]
    )  # fmt: skip
    notes = (
        "/home/jane/ref.csv, row 3: odd; see https://example.org/a/b, and/or /srv/x/y.csv.",
        rf"'{files[1]}' and \\host\share\z.csv and data/speakers.csv: 3/4 of 5 / 6.",
    )
    data = tuple(Data(path, "0" * 64) for path in files)
    some, said = shown(replace(hiring, command=command, notes=notes, data=data))
    assert [each.path for each in some.data] == [
        "ref.csv", "hyp.csv", "data/speakers.csv", "(stdin)",
    ]  # fmt: skip
    assert some.command == (
        "fairaudit wer --ref ref.csv --hyp=hyp.csv --speakers data/speakers.csv "
        "--rubric limits.toml --where 'a / b > 1' --by a:b"
    )
    assert some.notes == (
        "ref.csv, row 3: odd; see https://example.org/a/b, and/or y.csv.",
        "'hyp.csv' and z.csv and data/speakers.csv: 3/4 of 5 / 6.",
    )
    assert "jane" not in some.to_json()
    assert said == []


@pytest.mark.parametrize(
    ("path", "last"),
    [
        ("/home/Jane Doe/my calls.csv", "my calls.csv"),
        ("C:/Users/jane/calls.csv", "calls.csv"),
        (r"\\host\share\jane\calls.csv", "calls.csv"),
        ("file:///home/jane/calls.csv", "calls.csv"),
        ("https://example.org/jane/calls.csv", "https://example.org/jane/calls.csv"),
        ("../jane/calls.csv", "../jane/calls.csv"),
    ],
)
def test_paths_of_any_system(hiring, path, last):
    command = shlex.join(["fairaudit", "errors", path, "--label", "y"])
    notes = (f"{path}: 3 rows are blank.",)
    data = (Data(path, "0" * 64),)
    some, _ = shown(replace(hiring, command=command, notes=notes, data=data))
    assert some.data[0].path == last
    assert shlex.split(some.command) == ["fairaudit", "errors", last, "--label", "y"]
    assert some.notes == (f"{last}: 3 rows are blank.",)


def test_a_command_that_is_none(hiring):
    some, _ = shown(replace(hiring, command="fairaudit errors '/home/jane/a.csv"))
    assert some.command == "(left out)"


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


def test_words_beside_a_hidden_group():
    def row(group, n, attribute="accent"):
        values = {} if attribute is None else {"accent": group}
        return Estimate(
            attribute, group, values, "prediction_sensitivity", 0.2, None, None, n, n, None, {}
        )

    def token(attribute, group, text):
        content = {"token": text, "share": 0.5, "records": 2, "mean": 0.1}
        return Explanation("sensitive_token", attribute, group, content)

    quoted = {"tokens": [["she", 1.0]], "sensitivity": 0.4, "predicted": "yes"}
    audit = Audit(
        "sensitivity", "2026-01-01T00:00:00Z", "1", "s", (), Records(162, 162, {}),
        {"metrics": ["prediction_sensitivity"], "ci": 0.95, "cluster": None},
        (row("(all)", 162, None), row("in", 60), row("ir", 50), row("uk", 2), row("us", 50)),
        (), (),
        explanations=(
            token(None, "(all)", "she"),
            token("accent", "in", "her"),
            token("accent", "uk", "lass"),
            token("region", "north", "lass"),
            Explanation("sensitive_text", None, "(all)", quoted),
        ),
    )  # fmt: skip
    some, _ = shown(audit, 5, texts=True)
    assert "uk" not in groups(some, "accent")
    # The parts of the shown groups, taken off those of all, would be the hidden ones'; those of
    # another attribute add up to those of all; and a text may be a hidden group's.
    assert some.explanations == ()
    everything, _ = shown(audit, 2, texts=True)
    assert everything.explanations == audit.explanations
