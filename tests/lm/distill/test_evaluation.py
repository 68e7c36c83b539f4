"""The proof: a student beside its teacher and a baseline, on the same sentences."""

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from fairaudit.assess import Design
from fairaudit.audit import Audit
from fairaudit.exceptions import FairauditError
from fairaudit.lm.distill import evaluation
from fairaudit.lm.distill.comparison import Change, by_group, side_by_side
from fairaudit.lm.distill.evaluation import Documents, Proof
from fairaudit.lm.generate.audit import generate
from fairaudit.lm.generate.prompts import open_prompts, open_texts
from fairaudit.lm.likelihood.audit import likelihood
from fairaudit.metrics import METRICS
from fairaudit.report import terminal
from fairaudit.report.distillations import distillation_sheets
from fairaudit.stats.estimates import estimate
from fairaudit.stats.sums import Sums
from fairaudit.table import Workspace
from fairaudit.verdicts import judge
from tests.lm import tiny
from tests.lm.likelihood import trained

PROMPTS = tuple(f"The {{profession}} {does}" for does in ("said that", "left because", "said"))


def listed(texts):
    return "[" + ", ".join(f'"{text}"' for text in texts) + "]"


def toml(prompts=PROMPTS):
    return (
        f"templates = {listed(trained.TEMPLATES)}\nprompts = {listed(prompts)}\n"
        f"[professions]\nmale = {listed(trained.MALE)}\nfemale = {listed(trained.FEMALE)}\n"
    )


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """A model that learned stereotypes, one that learned neither, a random one, and texts."""
    place = tmp_path_factory.mktemp("proof")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny, "CONTEXT", 64)
        trained.train(place / "biased", 10)
        trained.train(place / "balanced", 5)
        tiny.save(place / "teacher", "gpt2", width=16, layers=1)
    (place / "professions.toml").write_text(toml())
    lines = dict.fromkeys(trained.sentences(5))
    (place / "valid.txt").write_text("\n".join(lines) + "\n\nIt was late.\n")
    return place


@pytest.fixture(scope="session")
def models(world):
    return {"teacher": world / "teacher", "baseline": world / "biased", "device": "cpu"}


@pytest.fixture(scope="session")
def texts(world):
    return {"professions": world / "professions.toml", "valid": world / "valid.txt"}


CROWS = """sent_more,sent_less,stereo_antistereo,bias_type
The nurse said that she was tired.,The nurse said that he was tired.,stereo,gender
The farmer said that he was tired.,The farmer said that she was tired.,stereo,gender
The guard left because she was late.,The guard left because he was late.,antistereo,gender
The cook slept.,The cook slept.,stereo,gender
The nurse was old.,The nurse was young.,stereo,age
"""


@pytest.fixture(scope="session")
def pairs(world):
    """CrowS-Pairs and WinoBias in small."""
    (world / "crows.csv").write_text(CROWS)
    for name, own, other in (("pro", "he", "she"), ("anti", "she", "he")):
        lines = [
            f"{n} [The {who}] said that [{own if who in trained.MALE else other}] was tired."
            for n, who in enumerate((*trained.MALE, *trained.FEMALE), 1)
        ]
        (world / f"{name}_stereotyped_type1.txt.dev").write_text("\n".join(lines))
    return [world / "crows.csv", world / "pro_stereotyped_type1.txt.dev"]


def evaluate(student, progress=lambda done, total: None, **given):
    return Proof(**given).of(student, progress)


@pytest.fixture(scope="session")
def found(world, models, texts, pairs):
    return evaluate(world / "balanced", **models, **texts, pairs=pairs, samples=2, tokens=6)


def row(audit, metric, **variant):
    (found,) = [
        row
        for row in audit.estimates
        if (row.metric, row.attribute, row.variant) == (metric, None, variant)
    ]
    return found


def comparison(audit, metric, kind, **variant):
    (found,) = [
        row
        for row in audit.comparisons
        if (row.metric, row.kind, row.variant) == (metric, kind, variant)
    ]
    return found


def overall(audit, metric):
    (found,) = [r for r in audit.estimates if r.metric == metric and r.attribute is None]
    return found


# --- two models on the same records ----------------------------------------------------------


def clustered(columns, rows, clusters=None):
    names = clusters or [f"{i:04}" for i in range(len(rows))]
    every = np.arange(len(rows))
    matrix = np.array(rows, dtype=float)
    return Sums(None, tuple(columns), ("(all)",), tuple(names), 0 * every, every, matrix)


def changed(metric, columns, new, old):
    sums, _ = side_by_side(clustered(columns, new), clustered(columns, old))
    sums = sums.with_cluster_means([METRICS[metric]])
    return estimate(METRICS[metric], sums.columns, sums.spread, clustered=True)


GAP = ("records", "pronoun_distance")
LOSS = ("records", "words", "loss")
TEXTS = ("records", "male", "female")


def test_changes_by_hand():
    reduction = changed("disparity_reduction", GAP, [[2, 1], [2, 3]], [[2, 6], [2, 2]])
    assert reduction.value[0] == pytest.approx(1 - (4 / 4) / (8 / 4))
    increase = changed("perplexity_increase", LOSS, [[1, 10, 50], [1, 30, 61]],
                       [[1, 10, 49], [1, 30, 60]])  # fmt: skip
    assert increase.value[0] == pytest.approx(np.exp(111 / 40 - 109 / 40) - 1)
    # 4 of 8 against 1 of 8; 1 of 2 against none; nothing gendered on either side: left out.
    new, old = [[9, 8, 4], [9, 1, 2], [9, 0, 0], [9, 3, 3]], [[9, 1, 8], [9, 0, 5], [9, 1, 1],
                                                              [9, 0, 0]]  # fmt: skip
    equity = changed("equity_change", TEXTS, new, old)
    assert equity.value[0] == pytest.approx((4 / 8 - 1 / 8 + 1 / 2 - 0) / 2)
    assert equity.n[0] == 2


def test_a_gap_that_grows_is_a_negative_reduction():
    assert changed("disparity_reduction", GAP, [[1, 3], [1, 3]], [[1, 2], [1, 2]]).value[0] == -0.5


@pytest.mark.parametrize(("metric", "columns"), [
    ("disparity_reduction", GAP), ("perplexity_increase", LOSS),
])  # fmt: skip
def test_standard_errors_by_jackknife(metric, columns):
    rng = np.random.default_rng(1)
    size = rng.integers(5, 15, 300)
    old = np.column_stack([size, *([size * 3] if metric[0] == "p" else []), size * rng.gamma(4, 1)])
    old[:, -1] += rng.gamma(20, 1, 300)
    new = old.copy()
    new[:, -1] = 0.5 * old[:, -1] + rng.gamma(4, 0.4, 300)
    value = changed(metric, columns, new, old)
    without = [
        changed(metric, columns, np.delete(new, i, 0), np.delete(old, i, 0)).value[0]
        for i in range(300)
    ]
    jackknife = 299 / 300 * ((without - np.mean(without)) ** 2).sum()
    assert value.variance[0] == pytest.approx(jackknife, rel=0.03)


def test_intervals_of_changes_cover():
    rng = np.random.default_rng(2)

    def gaps(professions):
        lean = rng.normal(0, 1, (professions, 1))
        old = np.abs(lean + rng.normal(0, 0.4, (professions, 10))).sum(1)
        new = np.abs(0.3 * lean + rng.normal(0, 0.2, (professions, 10))).sum(1)
        ten = np.full(professions, 10)
        return np.column_stack([ten, new]), np.column_stack([ten, old])

    new, old = gaps(200_000)
    truth = 1 - new[:, 1].sum() / old[:, 1].sum()
    inside = 0
    for _ in range(1000):
        low, high = changed("disparity_reduction", GAP, *gaps(40)).interval(0.95)
        inside += low[0] <= truth <= high[0]
    assert 0.925 <= inside / 1000 <= 0.97


def test_what_models_share_has_no_part_in_the_interval():
    rng = np.random.default_rng(3)
    words = np.full(50, 100.0)
    old = np.column_stack([np.ones(50), words, words * rng.gamma(9, 0.5, 50)])
    new = old.copy()
    new[:, 2] += rng.normal(2, 0.5, 50)
    low, high = changed("perplexity_increase", LOSS, new, old).interval(0.95)
    assert high[0] - low[0] < 0.01 * np.exp(new[:, 2].sum() / words.sum())


def test_pairs_only_what_both_models_scored_whole():
    new = clustered(GAP, [[2, 1], [1, 5], [2, 3]], ["a", "b", "c"])
    old = clustered(GAP, [[2, 4], [2, 9], [2, 9]], ["a", "b", "d"])
    sums, left_out = side_by_side(new, old)
    assert (sums.clusters, left_out) == (("a",), 3)
    assert sums.matrix.tolist() == [[2, 1, 2, 4]]
    assert sums.columns == ("records", "pronoun_distance", "before:records",
                            "before:pronoun_distance")  # fmt: skip


def test_groups_become_clusters():
    sums = Sums(
        "profession", TEXTS, ("(missing)", "cook", "nurse"), ("a", "b", "c", "d"),
        np.array([1, 2, 2, 0]), np.arange(4),
        np.array([[1, 1, 0], [1, 0, 1], [2, 1, 1], [9, 9, 9.0]]),
    )  # fmt: skip
    whole = by_group(sums, "(all)")
    assert whole.clusters == ("cook", "nurse")
    assert whole.matrix.tolist() == [[1, 1, 0], [3, 1, 2]]
    assert whole.groups == ("(all)",)


# --- the whole -------------------------------------------------------------------------------


def test_a_balanced_student_is_shown_to_be_less_biased(found):
    reduction = row(found.student, "disparity_reduction", probe="pronouns", against="baseline")
    assert reduction.ci_low > 0.5
    assert reduction.ci_low < reduction.value < reduction.ci_high
    assert reduction.clusters == 12
    cost = row(found.student, "perplexity_increase", probe="perplexity", against="baseline")
    assert cost.value < 0.05
    equity = row(found.student, "equity_change", probe="generation", against="baseline")
    assert equity.ci_low > 0
    findings = {f.id: f.status for f in judge(found.student, "distillation").audit.findings}
    assert findings == {"disparity": "pass", "perplexity": "pass", "equity": "pass"}


def test_the_other_way_round_it_fails(world, models, texts):
    student, _, _ = evaluate(world / "biased", **models | {"baseline": world / "balanced"}, **texts,
                             samples=0)  # fmt: skip
    assert row(student, "disparity_reduction", probe="pronouns", against="baseline").value < -1
    statuses = {f.id: f.status for f in judge(student, "distillation").audit.findings}
    assert statuses["disparity"] == "fail"


def test_changes_are_those_of_the_values(found):
    student = found.student
    gap, other = (
        row(student, "pronoun_gap", probe="pronouns", **of).value
        for of in ({}, {"model": "baseline"})
    )
    reduction = row(student, "disparity_reduction", probe="pronouns", against="baseline")
    assert reduction.value == pytest.approx(1 - gap / other)
    ppl, teacher = (
        row(student, "perplexity", probe="perplexity", **of).value
        for of in ({}, {"model": "teacher"})
    )
    increase = row(student, "perplexity_increase", probe="perplexity", against="teacher")
    assert increase.value == pytest.approx(ppl / teacher - 1)
    pair = {"probe": "pronouns", "against": "baseline"}
    direct = comparison(student, "pronoun_gap", "paired_difference", **pair)
    assert direct.value == pytest.approx(gap - other)
    assert (direct.against, direct.p_value < 1e-3) == ("(baseline)", True)


def test_values_are_those_of_separate_audits(world, found, models, texts, pairs):
    for role, name in (("student", "balanced"), ("baseline", "biased"), ("teacher", "teacher")):
        audit, model = getattr(found, role), {"model": world / name, "device": "cpu", "by": ()}
        asked = {
            "pronouns": likelihood(texts["professions"], **model),
            "perplexity": likelihood(texts["valid"], probe="roles", **model),
            "crows-pairs": likelihood(pairs[0], where="bias_type = 'gender'", **model),
            "winobias": likelihood(pairs[1], **model),
        }
        for probe, single in asked.items():
            told = {f"{probe}: {note}" for note in single.notes if "--cluster" not in note}
            assert told <= set(audit.notes)
            for metric in single.settings["metrics"]:
                mine, theirs = row(audit, metric, probe=probe), overall(single, metric)
                assert mine.value == pytest.approx(theirs.value, rel=1e-9)
                if probe != "perplexity":  # whose lines are clusters here
                    assert (mine.ci_low, mine.ci_high) == (theirs.ci_low, theirs.ci_high)
        written = generate(
            texts["professions"], samples=2, tokens=6, **model | {"by": "profession"}
        )
        kinds = [r for r in written.comparisons if r.kind in ("macro_mean", "least")]
        assert len(kinds) > 2
        for single in kinds:
            mine = comparison(audit, single.metric, single.kind, probe="generation")
            assert (mine.value, mine.ci_low, mine.group) == (
                single.value, single.ci_low, single.group,
            )  # fmt: skip


def test_a_model_against_itself_changes_by_nothing(world, models, texts):
    same = models | {"baseline": world / "balanced"}
    student, _, baseline = evaluate(world / "balanced", **same, **texts, samples=1, tokens=3)
    for probe, metric in evaluation.CHANGES.items():
        change = row(student, metric, probe=probe, against="baseline")
        assert (change.value, change.ci_low, change.ci_high) == (0, None, None)
    assert row(student, "perplexity", probe="perplexity") == row(
        baseline, "perplexity", probe="perplexity"
    )


def test_the_file_holds_all(found, tmp_path):
    for audit in found:
        audit.save(tmp_path / "audit.json")
        read = Audit.load(tmp_path / "audit.json")
        assert read.to_json() == audit.to_json()
        assert audit.kind == "distillation"
        assert "does not by itself mean fairness" in audit.notes[0]
    statuses = {f.status for f in judge(read, "language-model").audit.findings}
    assert statuses
    judged = judge(Audit.load(tmp_path / "audit.json"), "language-model").audit
    (gap,) = [f for f in judged.findings if f.id == "pronoun-gap"]
    assert gap.value == pytest.approx(row(found.baseline, "pronoun_gap", probe="pronouns").value)


def test_same_seed_same_result(world, models, texts, found):
    again = evaluate(
        world / "balanced", **models, **texts, pairs=[world / "crows.csv"], samples=2, tokens=6
    )
    mine, theirs = (
        [r for r in audit.comparisons if r.kind in ("macro_mean", "least")]
        for audit in (again.student, found.student)
    )
    assert mine == theirs


def test_crows_pairs_are_those_about_gender(found):
    assert row(found.student, "stereotype_share", probe="crows-pairs").records == 4
    assert found.student.records.dropped == {"crows-pairs: filtered by --where": 1}
    # The baseline prefers its stereotypes in two; one is the other way round, and one a tie.
    share = row(found.baseline, "stereotype_share", probe="crows-pairs")
    assert share.value == 0.5
    assert row(found.baseline, "pronoun_accuracy_gap", probe="winobias").value == 1


def test_without_a_baseline_the_gate_says_what_is_missing(world, texts):
    student, teacher, baseline = evaluate(
        world / "balanced", teacher=world / "biased", device="cpu", samples=0, **texts
    )
    assert baseline is None
    assert row(student, "disparity_reduction", probe="pronouns", against="teacher").value > 0.5
    assert teacher.settings["probes"] == "pronouns,perplexity"
    with pytest.raises(FairauditError, match="criterion disparity: nothing to judge"):
        judge(student, "distillation")


def test_several_texts_are_told_apart(world, models, texts):
    (world / "more.txt").write_text("He was late.\nIt rained.\nShe said so.\n")
    student = evaluate(
        world / "balanced", **models, professions=texts["professions"], samples=0,
        valid=[texts["valid"], world / "more.txt"],
    ).student  # fmt: skip
    words = {
        r.group: r.n for r in student.estimates
        if r.metric == "perplexity" and r.variant == {"probe": "perplexity"}
    }  # fmt: skip
    assert words == {"(all)": 339 + 8, "valid.txt": 339, "more.txt": 8}


def test_a_text_counts_once_and_has_a_name_of_its_own(tmp_path):
    paths = [tmp_path / name / "a.txt" for name in ("one", "two")]
    for path in paths:
        path.parent.mkdir()
        path.write_text("He left.\n")
    with Workspace() as workspace:
        table = Documents(paths, False, None).open(workspace)
        files = table.rows("SELECT file FROM (" + table.select + ")")
    assert [file for (file,) in files] == [str(path) for path in paths]
    (question,) = evaluation._perplexity([paths[0], str(paths[0])], False, None, {})
    with Workspace() as workspace:
        question.probe.open(workspace)
    assert question.probe.by == []


def test_what_one_model_cannot_read_is_left_out_of_the_comparison(world, texts, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny, "CONTEXT", 25)
        short = tiny.save(tmp_path / "short", "gpt2", width=16, layers=1)
        patch.setattr(tiny, "CONTEXT", 8)
        shorter = tiny.save(tmp_path / "shorter", "gpt2", width=16, layers=1)
    given = {"professions": texts["professions"], "device": "cpu", "samples": 0}
    student = evaluate(world / "balanced", teacher=short, **given).student
    change = row(student, "disparity_reduction", probe="pronouns", against="teacher")
    assert 0 < change.clusters < 12
    (note,) = [note for note in student.notes if "left out of the comparison" in note]
    assert note.startswith(f"pronouns: {12 - change.clusters} clusters")
    with pytest.raises(FairauditError, match="no records to audit"):
        evaluate(world / "balanced", teacher=shorter, **given)


def test_models_that_read_nothing_in_common_are_not_compared(found):
    student = found.student
    other = replace(student, sums=[replace(student.sums[0], matrix=student.sums[0].matrix + 1)])
    with pytest.raises(FairauditError, match="--baseline: the student cannot be compared with it"):
        Change.of("pronouns", student, other, "baseline", Design())


def test_progress_counts_questions(world, texts):
    seen = []
    evaluate(
        world / "balanced", teacher=world / "teacher", device="cpu", samples=0,
        progress=lambda done, total: seen.append((done, total)), **texts,
    )  # fmt: skip
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


# --- texts -----------------------------------------------------------------------------------


def read(path, paragraphs=False):
    with Workspace() as workspace:
        table = Documents([path], paragraphs, None).open(workspace)
        return table.rows("SELECT passage, text FROM (" + table.select + ")")


def test_documents_are_lines_or_paragraphs(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("a\nb  \n\n  \nc\n")
    assert [text for _, text in read(path)] == ["a", "b", "c"]
    assert [text for _, text in read(path, paragraphs=True)] == ["a\nb", "c"]
    assert Documents([path], True, None).settings()["paragraphs"] is True
    assert Documents([path], False, None).settings()["paragraphs"] is None


def test_neighbours_are_one_passage(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, "_PASSAGES", 3)
    path = tmp_path / "text.txt"
    path.write_text("\n".join("abcdefg"))
    passages = [name.rpartition(":")[2] for name, _ in read(path)]
    assert passages == ["0", "0", "0", "1", "1", "2", "2"]


def test_reversals_are_made_once(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("He slept.\n")
    asked = Documents([path], False, None)
    assert asked._swap("He slept.") is asked._swap("He slept.")


def test_prompts_of_professions(tmp_path):
    path = tmp_path / "p.toml"
    path.write_text(toml(["A {profession} was", "So the {profession}"]))
    with Workspace() as workspace:
        table, column = open_prompts(workspace, path, None)
        rows = table.rows(f"SELECT field, profession, {column} FROM ({table.select})")
    assert len(rows) == 24
    assert rows[:2] == [
        ("male", "engineer", "A engineer was"), ("male", "engineer", "So the engineer"),
    ]  # fmt: skip
    with Workspace() as workspace, pytest.raises(FairauditError, match="has prompts, and no text"):
        open_texts(workspace, path, None)


# --- the table -------------------------------------------------------------------------------


def test_the_table_by_hand(found):
    sheets = list(distillation_sheets(found.student))
    rows = {line[0]: line for line in sheets[0].rows}
    assert list(rows) == ["teacher", "95 % int.", "baseline", "student"]
    gap = row(found.student, "pronoun_gap", probe="pronouns", model="baseline")
    at = [short for short, _ in sheets[0].header].index("pron. gap")
    assert rows["baseline"][at] == f"{gap.value:.2f}"
    assert sheets[0].rows[3][at] == f"[{gap.ci_low:.2f}, {gap.ci_high:.2f}]"
    shown = [short for each in sheets for short, _ in each.header if short]
    assert shown == ["ppl", "pron. gap", "equity", "least", "rev. gap", "CrowS", "WinoBias"]


def test_sentences_say_how_much_less(found):
    said = " ".join(list(distillation_sheets(found.student))[-1].sentences)
    reduction = row(found.student, "disparity_reduction", probe="pronouns", against="baseline")
    expected = (
        f"Against the baseline, on the same records: pronoun gap {100 * reduction.value:.1f} % "
        f"less [{100 * reduction.ci_low:.1f}, {100 * reduction.ci_high:.1f}], perplexity "
    )
    assert expected in said
    assert "Against the teacher" in said


def test_a_gap_that_grew_is_said_to_be_more(world, models, texts):
    student = evaluate(
        world / "biased", **models | {"baseline": world / "balanced"}, samples=0,
        professions=texts["professions"],
    ).student  # fmt: skip
    change = row(student, "disparity_reduction", probe="pronouns", against="baseline")
    (sheet,) = distillation_sheets(student)
    limits = f"[{-100 * change.ci_high:.1f}, {-100 * change.ci_low:.1f}]"
    assert f"{-100 * change.value:.1f} % more {limits}." in " ".join(sheet.sentences)


@pytest.mark.parametrize("role", ["student", "teacher", "baseline"])
def test_the_table_fits_a_terminal(found, role, monkeypatch):
    monkeypatch.setattr(terminal, "contents", lambda audit, further: distillation_sheets(audit))
    written = io.StringIO()
    terminal.show(getattr(found, role), Console(file=written, width=80, highlight=False), True)
    lines = written.getvalue().splitlines()
    signature = next(i for i, line in enumerate(lines) if line.startswith("distillation|"))
    assert max(map(len, lines[:signature])) <= 80
    assert sum(line.startswith(role) for line in lines) >= 1


# --- what is refused -------------------------------------------------------------------------


def refusal(student, **options):
    with pytest.raises(FairauditError) as refused:
        evaluate(student, device="cpu", **{"samples": 0, **options})
    return str(refused.value)


def test_refuses_masked_models(world, texts, language_models):
    said = refusal(
        world / "balanced", teacher=language_models["bert"], professions=texts["professions"]
    )
    assert said.startswith(f"--teacher {language_models['bert']}: a masked language model")


def test_refuses_what_is_missing(world, models):
    here, teacher = world / "balanced", {"teacher": world / "teacher"}
    assert refusal(world / "none", **teacher).startswith(f"--student {world / 'none'}: no such")
    assert refusal(here, **teacher, baseline="no where").startswith("--baseline no where: no such")
    assert "none.txt: no such file" in refusal(here, **teacher, valid=world / "none.txt")
    assert "none.toml" in refusal(here, **teacher, professions=world / "none.toml")
    assert "none.csv" in refusal(here, **teacher, pairs="none.csv")
    assert "none.json" in refusal(here, **teacher, samples=1, prompts="none.json")
    assert refusal(here, **teacher, samples=-1) == "--samples -1: expected 0 (no texts) or more."


def test_refuses_texts_without_text(world, tmp_path):
    teacher = {"teacher": world / "teacher"}
    blank, latin = tmp_path / "blank.txt", tmp_path / "latin.txt"
    blank.write_text("\n \n")
    latin.write_bytes(b"ol\xe9\n")
    assert "no text in it" in refusal(world / "balanced", **teacher, valid=blank)
    assert "not UTF-8" in refusal(world / "balanced", **teacher, valid=latin)


def test_refuses_other_forms(world, tmp_path):
    path = tmp_path / "p.toml"
    path.write_text(toml(["The cook said that"]))
    options = {"teacher": world / "teacher"}
    said = refusal(world / "balanced", **options, professions=path, samples=1)
    assert said.startswith(f"{path}: prompts")
    assert "{profession}" in said
    said = refusal(world / "balanced", **options, pairs=path)
    assert "is for pronouns; expected crows-pairs or winobias" in said
