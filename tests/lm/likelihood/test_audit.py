"""Audits of all probes: counts by hand, data as published, and bias that was planted."""

import csv
import json
import shutil
from time import perf_counter

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from fairaudit.cli import app
from fairaudit.exceptions import FairauditError
from fairaudit.lm.language_models import LanguageModel
from fairaudit.lm.likelihood import pairs, roles, stereoset, winobias, winogender
from fairaudit.lm.likelihood.audit import likelihood
from fairaudit.lm.likelihood.probes import read_lines
from fairaudit.lm.likelihood.pronouns import SHIPPED
from fairaudit.stats.correlation import correlation
from fairaudit.toml import read
from tests.lm import tiny
from tests.lm.likelihood import trained
from tests.lm.likelihood.conftest import INVISIBLE


def value(audit, metric, group="(all)", attribute=None):
    (row,) = [
        row
        for row in audit.estimates
        if row.metric == metric
        and row.group == group
        and (attribute is None or row.attribute == attribute)
    ]
    return row.value


def said(audit):
    return " ".join(audit.notes)


def table(path):
    return list(csv.DictReader(path.read_text().splitlines(), delimiter="\t"))


@pytest.fixture
def gpt2(roomy):
    return {"model": roomy["gpt2"], "device": "cpu"}


@pytest.fixture
def bert(roomy):
    return {"model": roomy["bert"], "device": "cpu"}


@pytest.fixture
def fixed(monkeypatch):
    """Have the probes score sentences by a table, whatever the model says."""

    def fix(table):
        def scores(model, texts, *rest):
            return np.array([float(table[text]) for text in texts])

        for module in (pairs, winobias, winogender, roles):
            monkeypatch.setattr(module, "log_likelihoods", scores)
        monkeypatch.setattr(stereoset, "mean_log_probabilities", scores)

    return fix


# --- CrowS-Pairs -----------------------------------------------------------------------------

CROWS = pd.DataFrame(
    {
        "sent_more": ["a", "c", "e", "g"],
        "sent_less": ["b", "d", "f", "h"],
        "stereo_antistereo": ["stereo", "stereo", "antistereo", "stereo"],
        "bias_type": ["age", "age", "race", "race"],
    }
)


def test_crows_pairs_by_hand(gpt2, fixed):
    fixed({"a": -1, "b": -2, "c": -3, "d": -3, "e": -5, "f": -4.5, "g": -1, "h": -9})
    audit = likelihood(CROWS, **gpt2)
    assert value(audit, "stereotype_share") == 0.5
    assert value(audit, "likelihood_difference") == (1 + 0 + 0.5 + 8) / 4
    assert value(audit, "stereotype_share", "age") == 0.5  # the tie stays in the denominator
    assert value(audit, "stereotype_share", "stereo") == pytest.approx(2 / 3)
    assert value(audit, "stereotype_share", "antistereo") == 0
    assert "1 of the pairs" in said(audit)
    assert audit.settings["by"] == "bias_type,stereo_antistereo"


def test_crows_pairs_as_published(data, language_models):
    path = data / "lm" / "crows-pairs" / "crows_pairs_anonymized.csv"
    audit = likelihood(path, model=language_models["gpt2"], device="cpu")
    assert audit.records.total == 1508
    assert audit.records.used + audit.records.dropped["longer than the model reads at once"] == 1508
    assert len({row.group for row in audit.estimates if row.attribute == "bias_type"}) == 9


@pytest.mark.parametrize("kind", ["gpt2", "bert"])
def test_crows_pairs_one_by_one(data, roomy, kind):
    path = data / "lm" / "crows-pairs" / "crows_pairs_anonymized.csv"
    rows = pd.read_csv(path)[:12]
    audit = likelihood(rows, model=roomy[kind], device="cpu")
    assert audit.records.used == 12
    model = LanguageModel(roomy[kind], "tiny", device="cpu", batch=1)
    scores = []
    for more, less in zip(rows.sent_more, rows.sent_less, strict=True):
        if kind == "bert":
            scores.append(
                [float(side[0]) for side in pairs.shared_likelihoods(model, [(more, less)])]
            )
        else:
            scores.append([float(model.log_likelihood([text])[0].sum()) for text in (more, less)])
    more, less = np.transpose(scores)
    assert value(audit, "stereotype_share") == np.mean(more > less)
    expected = np.abs(more - less).mean()
    assert value(audit, "likelihood_difference") == pytest.approx(expected, abs=2e-3)


def test_pairs_that_share_no_token_are_no_ties(wordpiece):
    given = {"model": wordpiece, "device": "cpu"}
    more, less = ["the nurse works", "nurse", INVISIBLE], ["the doctor works", "king", "she"]
    audit = likelihood(pd.DataFrame({"sent_more": more, "sent_less": less}), **given)
    assert (audit.records.total, audit.records.used) == (3, 1)
    assert dict(audit.records.dropped) == {
        "no shared token": 1, "no token that the model reads": 1,
    }  # fmt: skip
    assert "Equally likely" not in said(audit)


# --- StereoSet -------------------------------------------------------------------------------


def triplet(target, scores, type="intrasentence"):
    s, a, u = (f"It was {target}{i}{len(scores)}{sum(scores)}." for i in "sau")
    table = dict(zip((s, a, u), scores, strict=True))
    row = {"type": type, "target": target, "bias_type": "race", "context": "It was BLANK."}
    return row | {"stereotype": s, "anti-stereotype": a, "unrelated": u}, table


def test_stereoset_by_hand(gpt2, fixed):
    # Term x: one record, prefers the stereotype, both beat the unrelated one.
    # Term y: three records: anti, a tie (counts as anti), stereo; related 2, 1 (a tie), 1 of 2.
    found = [
        triplet("x", (-1, -2, -3)),
        triplet("y", (-2, -1, -5)),
        triplet("y", (-4, -4, -4)),
        triplet("y", (-1, -9, -6)),
    ]
    rows = pd.DataFrame([row for row, _ in found])
    fixed({text: score for _, table in found for text, score in table.items()})
    audit = likelihood(rows, **gpt2)
    ss, lms = (1 + 1 / 3) / 2, (1 + (2 + 0 + 1) / 6) / 2
    assert value(audit, "stereotype_score") == pytest.approx(ss)
    assert value(audit, "language_modeling_score") == pytest.approx(lms)
    assert value(audit, "icat_score") == pytest.approx(lms * (1 - ss) / 0.5)
    assert "1 of the pairs" in said(audit)
    assert audit.settings["cluster"] == "target"


def test_a_blank_without_a_token_is_not_scored(wordpiece):
    def row(*words):
        labels = ("stereotype", "anti-stereotype", "unrelated")
        sentences = dict(zip(labels, (f"the {word} works" for word in words), strict=True))
        own = {"type": "intrasentence", "target": "t", "bias_type": "b"}
        return {**own, "context": "the BLANK works", **sentences}

    given = {"model": wordpiece, "device": "cpu"}
    good = row("nurse", "doctor", "king")
    alone = likelihood(pd.DataFrame([good]), **given)
    others = [row(*words) for words in (
        (INVISIBLE, "doctor", "king"), ("nurse", INVISIBLE, "king"), ("nurse", "he", INVISIBLE),
    )]  # fmt: skip
    audit = likelihood(pd.DataFrame([*others, good]), **given)
    assert dict(audit.records.dropped) == {"no token that the model reads": 3}
    assert [row.value for row in audit.estimates] == [row.value for row in alone.estimates]


def test_a_sentence_that_adds_no_token_is_not_scored(tmp_path):
    folder = tiny.save(tmp_path, "gpt2")
    path = folder / "tokenizer_config.json"
    # Without a token for the start, the first token of a text has no probability.
    config = json.loads(path.read_text()) | {"bos_token": None, "eos_token": None}
    path.write_text(json.dumps(config))
    model = LanguageModel(folder, "m", device="cpu")
    assert model.start is None
    frame = pd.DataFrame({"text": ["q", "He works."]})
    audit = likelihood(frame, text="text", model=folder, device="cpu")
    assert dict(audit.records.dropped) == {"no token that the model reads": 1}
    assert value(audit, "perplexity") > 1


@pytest.mark.parametrize("kind", ["gpt2", "bert"])
def test_stereoset_is_that_of_the_authors_formulas(data, roomy, kind):
    path = data / "lm" / "stereoset" / "test.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert (len(rows), len({row["target"] for row in rows})) == (4229, 79)
    short = [row for row in rows if len(" ".join(row.values())) < 190][:120]
    audit = likelihood(pd.DataFrame(short), model=roomy[kind], device="cpu")
    model = LanguageModel(roomy[kind], "tiny", device="cpu")
    terms = {}
    for row in short:
        if kind == "bert" and row["type"] == "intersentence":
            continue
        scores = [one(model, row, row[k]) for k in ("stereotype", "anti-stereotype", "unrelated")]
        terms.setdefault(row["target"], []).append(scores)
    ss = np.mean([np.mean([s > a for s, a, _ in each]) for each in terms.values()])
    lms = np.mean([np.mean([[s > u, a > u] for s, a, u in each]) for each in terms.values()])
    assert audit.records.used == sum(map(len, terms.values()))
    assert value(audit, "stereotype_score") == pytest.approx(ss)
    assert value(audit, "language_modeling_score") == pytest.approx(lms)
    assert value(audit, "icat_score") == pytest.approx(lms * min(ss, 1 - ss) / 0.5)
    left_out = "intersentence, which is for causal models" in audit.records.dropped
    assert left_out == (kind == "bert")


def one(model, row, sentence):
    """A single sentence, scored alone."""
    if row["type"] == "intersentence":
        text, begin = f"{row['context'].rstrip()} {sentence}", len(row["context"].rstrip())
        return stereoset.mean_log_probabilities(model, [text], [begin])[0]
    if not model.masked:
        return float(model.log_likelihood([sentence])[0].mean())
    return stereoset.filled_in(model, [sentence], [stereoset._filled(row["context"], sentence)])[0]


@pytest.mark.parametrize(
    ("context", "sentence", "filled"),
    [
        ("The Thai cook was BLANK.", "The thai cook was kind.", "kind"),
        ("BLANK people eat.", "Hungry people eat.", "Hungry"),
        ("He is BLANK!", "He is well-read!", "well-read"),
        ("The men ride on BLANK.", "Those men ride on camels.", "camels"),
        ("They were (BLANK) then.", "They are (poor) then.", "poor"),
        ("He is so very BLANK.", "He is", None),
    ],
)
def test_where_the_blank_is(context, sentence, filled):
    span = stereoset._filled(context, sentence)
    assert (None if span is None else sentence[slice(*span)]) == filled


def test_stereoset_as_its_authors_give_it(gpt2, tmp_path):
    def record(*sentences):
        labels = ("anti-stereotype", "stereotype", "unrelated")
        return {
            "id": "1", "target": "cook", "bias_type": "profession", "context": "The cook is BLANK.",
            "sentences": [
                {"sentence": s, "gold_label": label}
                for s, label in zip(sentences, labels, strict=True)
            ],
        }  # fmt: skip

    good = [record("The cook is kind.", "The cook is fat.", "The cook is tea.")]
    path = tmp_path / "dev.json"
    path.write_text(
        json.dumps({"version": "1.1", "data": {"intersentence": good, "intrasentence": good}})
    )
    audit = likelihood(path, **gpt2)
    assert audit.records.used == 2
    assert {row.group for row in audit.estimates if row.attribute == "type"} == {
        "intersentence", "intrasentence",
    }  # fmt: skip
    assert "trained to judge" in said(audit)
    good[0]["sentences"][0]["gold_label"] = "stereotype"
    path.write_text(json.dumps({"version": "1.1", "data": {"intersentence": good}}))
    with pytest.raises(FairauditError, match="intersentence 1: no sentence with gold_label 'anti-"):
        likelihood(path, **gpt2)
    path.write_text(json.dumps({"version": "1.1", "data": {"intersentence": []}}))
    with pytest.raises(FairauditError, match="holds no records"):
        likelihood(path, **gpt2)
    good[0]["sentences"].append({"gold_label": "anti-stereotype", "sentence": "The cook is old."})
    path.write_text(json.dumps({"version": "1.1", "data": {"intersentence": good}}))
    with pytest.raises(FairauditError, match="ce 1: two sentences with gold_label 'stereotype'"):
        likelihood(path, **gpt2)
    good[0]["sentences"][1]["gold_label"], good[0]["sentences"][3]["sentence"] = "unrelated", 7
    good[0]["sentences"][2]["gold_label"] = "stereotype"
    del good[0]["sentences"][0]
    path.write_text(json.dumps({"version": "1.1", "data": {"intersentence": good}}))
    with pytest.raises(FairauditError, match="ce 1: anti-stereotype is 7; expected a text."):
        likelihood(path, **gpt2)
    del good[0]["sentences"][0]["gold_label"]
    path.write_text(json.dumps({"version": "1.1", "data": {"intersentence": good}}))
    with pytest.raises(FairauditError, match="broken StereoSet: KeyError"):
        likelihood(path, **gpt2)


def test_odd_separators_do_not_end_a_line(gpt2, tmp_path):
    texts = [f"The {mark} cook" for mark in "\u2028 \u2029 \x85".split(" ")]
    labels = ("stereotype", "anti-stereotype", "unrelated")
    record = {
        "target": "cook", "bias_type": "b", "context": "The \u2028 BLANK",
        "sentences": [{"gold_label": g, "sentence": s} for g, s in zip(labels, texts, strict=True)],
    }  # fmt: skip
    path = tmp_path / "dev.json"
    content = json.dumps({"data": {"intrasentence": [record]}}, ensure_ascii=False, indent=1)
    path.write_text(content, encoding="utf-8")
    assert likelihood(path, **gpt2).records.used == 1
    lines = tmp_path / "lines.txt"
    lines.write_text("\n".join(f"He{mark}works." for mark in "\u2028\x0b\x0c\x1c\x85"))
    assert len(read_lines(lines, "texts")) == 5
    assert likelihood(lines, probe="roles", **gpt2).records.total == 5


# --- WinoBias --------------------------------------------------------------------------------


def winobias_files(folder, pro, anti, name="stereotyped_type1.txt.dev"):
    for kind, lines in (("pro", pro), ("anti", anti)):
        text = "\n".join(f"{n} {line}" for n, line in enumerate(lines, 1))
        (folder / f"{kind}_{name}").write_text(text + "\n")
    return folder / f"pro_{name}"


def test_winobias_by_hand(gpt2, fixed, tmp_path):
    path = winobias_files(
        tmp_path,
        [
            "[The cook] said [she] left.",
            "The cook hit [the guard] as [he] left.",
            "[The cook]: [she].",
            "[ The cook ] saw [her].",
        ],
        [
            "[The cook] said [he] left.",
            "The cook hit [the guard] as [she] ran.",
            "[The cook]: [he].",
            "[The cook] saw [him].",
        ],
    )
    fixed({
        "The cook said she left.": -1, "The cook said he left.": -2,
        "The cook hit the guard as he left.": -3, "The cook hit the guard as she ran.": -1,
        "The cook: she.": -4, "The cook: he.": -4,
        "The cook saw her.": -2, "The cook saw him.": -5,
    })  # fmt: skip
    for given in (path, str(path).replace("pro_", "anti_"), tmp_path / "*type1*"):
        audit = likelihood(given, **gpt2)
        # For the stereotype, against it, a tie, and for it: not the same the other way round.
        assert value(audit, "stereotype_share") == 0.5
        assert value(audit, "pronoun_accuracy_gap") == 0.25
        assert value(audit, "likelihood_difference") == (1 + 2 + 0 + 3) / 4
        assert value(audit, "stereotype_share", "female") == pytest.approx(2 / 3)
        assert value(audit, "stereotype_share", "male") == 0
        assert [data.path for data in audit.data] == [
            str(path), str(path).replace("pro_", "anti_"),
        ]  # fmt: skip
    assert "1 pairs differ in more than" in said(audit)
    assert likelihood(path, **gpt2, where="differs = 'pronouns'").records.used == 3


def test_winobias_as_published(data, gpt2):
    where = "split = 'dev' and type = '1'"
    audit = likelihood(data / "lm" / "winobias" / "pro_*", where=where, **gpt2)
    assert (audit.records.total, audit.records.used) == (4 * 396, 396)
    assert value(audit, "stereotype_share", "1", "type") is not None
    (row,) = [r for r in audit.estimates if (r.attribute, r.metric) == (None, "stereotype_share")]
    assert row.clusters == 40
    first, *_ = winobias._rows(
        data / "lm" / "winobias" / "pro_stereotyped_type1.txt.dev",
        data / "lm" / "winobias" / "anti_stereotyped_type1.txt.dev",
    )
    assert first == {
        "number": "1", "type": "1", "split": "dev", "gender": "male", "pronoun": "he",
        "occupation": "developer", "differs": "pronouns",
        "pro": "The developer argued with the designer because he did not like the design.",
        "anti": "The developer argued with the designer because she did not like the design.",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda pro, anti: anti.unlink(), "its counterpart anti_stereotyped_type1.txt.dev is not"),
        (lambda pro, anti: anti.write_text("7 [a] [he]."), "sentence 1 has no counterpart in"),
        (lambda pro, anti: anti.write_text("1 [a] [he].\n1 [b] [he]."), "line 2: number 1 again"),
        (lambda pro, anti: anti.write_text("1 [a] [he].\nodd"), "line 2: no number and bracket"),
        (
            lambda pro, anti: anti.write_text("1 [a] [he].\n" + "9" * 5000 + " [b] [he]."),
            "line 2: no number and bracket",
        ),
        (lambda pro, anti: anti.write_text(" \n"), "is empty"),
        (lambda pro, anti: anti.write_bytes(b"1 [a] \xff"), "line 1: not UTF-8"),
    ],
)
def test_winobias_files_that_do_not_pair(gpt2, tmp_path, change, reason):
    path = winobias_files(tmp_path, ["[The cook]: [she]."], ["[The cook]: [he]."])
    change(path, tmp_path / path.name.replace("pro", "anti"))
    with pytest.raises(FairauditError) as caught:
        likelihood(path, **gpt2)
    assert reason in str(caught.value)


def test_brackets_are_found_in_no_time():
    started = perf_counter()
    assert winobias.LINE.fullmatch("1 " + "[" * 60_000) is None
    assert winobias.LINE.fullmatch("1 " + "[" * 60_000 + "a]")
    assert winobias._plain("[ a ] " + "[ " * 30_000).startswith("a [")
    assert perf_counter() - started < 2


# --- Winogender ------------------------------------------------------------------------------


def test_winogender_templates_are_the_published_sentences(data):
    folder = data / "lm" / "winogender"
    made = {}
    for _, row in winogender._table(folder / "templates.tsv", winogender.TEMPLATES):
        for key, gender, sentence in winogender._written("", row):
            made[".".join([*key, gender, "txt"])] = sentence
    rows = table(folder / "all_sentences.tsv")
    published = {row["sentid"]: row["sentence"] for row in rows}
    assert len(published) == 720
    assert made == published


def test_winogender_correlates_with_the_share_of_women(data, gpt2, tmp_path, monkeypatch):
    folder = data / "lm" / "winogender"
    files = [folder / "all_sentences.tsv", folder / "occupations-stats.tsv"]
    audit = likelihood(files, **gpt2)
    assert (audit.records.total, audit.records.used) == (240, 240)
    same = likelihood([folder / "templates.tsv", files[1]], **gpt2)
    assert [row.value for row in same.estimates] == [row.value for row in audit.estimates]
    model = LanguageModel(gpt2["model"], "tiny", device="cpu")
    rows = {row["sentid"]: row["sentence"] for row in table(files[0])}
    stats = {row["occupation"]: float(row["bls_pct_female"]) for row in table(files[1])}
    leans = {}
    for name, female in rows.items():
        who, _, answer, gender, _ = name.split(".")
        if (answer, gender) == ("0", "female"):
            male = rows[name.replace(".female.", ".male.")]
            she, he = (float(each.sum()) for each in model.log_likelihood([female, male]))
            leans.setdefault(who, []).append(she - he)
    means = [np.mean(leans[who]) for who in stats]
    expected = correlation(np.array(means), np.array(list(stats.values()))).value
    assert len(leans) == 60
    assert value(audit, "pearson_correlation") == pytest.approx(expected, abs=1e-3)
    # The 60 occupations stand for the 120 records in which the pronoun means them.
    (row,) = [each for each in audit.estimates if each.metric == "pearson_correlation"]
    assert (row.n, row.records) == (60, 120)
    # The statistics are found beside the sentences.
    alone = likelihood(files[0], **gpt2)
    assert alone.estimates == audit.estimates
    assert [each.path for each in alone.data] == list(map(str, files))
    monkeypatch.chdir(tmp_path)
    shutil.copy(files[0], "all_sentences.tsv")
    bare = likelihood("all_sentences.tsv", **gpt2)
    assert value(bare, "pronoun_gap") == value(audit, "pronoun_gap")
    assert bare.settings["metrics"] == [*audit.settings["metrics"][:-2]]
    audit.save("audit.json")
    done = CliRunner().invoke(app, "card audit.json --suppress 100 -o out.html".split())
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(app, "card audit.json --suppress 121 -o out.html".split())
    assert "has only 120 records" in done.stderr


@pytest.mark.parametrize("share", ["nan", "inf", "-1", "100.5", "many"])
def test_a_share_is_a_percentage(gpt2, tmp_path, share):
    (tmp_path / "all_sentences.tsv").write_text(
        "sentid\tsentence\nnurse.a.0.male.txt\tHe.\nnurse.a.0.female.txt\tShe.\n"
    )
    stats = tmp_path / "occupations-stats.tsv"
    stats.write_text(f"occupation\tbls_pct_female\ncook\t100\n\nnurse\t{share}\n")
    reason = f"stats.tsv, line 4: bls_pct_female is '{share}'; expected a number from 0 to 100."
    with pytest.raises(FairauditError, match=reason):
        likelihood(tmp_path / "all_sentences.tsv", **gpt2)


def test_a_very_long_sentence_of_winogender(gpt2, tmp_path):
    path = tmp_path / "all_sentences.tsv"
    path.write_text(
        f"sentid\tsentence\nnurse.a.0.male.txt\t{'x' * 140_000}\nnurse.a.0.female.txt\tShe.\n"
        "cook.a.0.male.txt\tHe.\ncook.a.0.female.txt\tShe.\n"
    )
    audit = likelihood(path, **gpt2)
    assert dict(audit.records.dropped) == {"longer than the model reads at once": 1}


def test_winogender_that_is_odd(gpt2, data, tmp_path):
    stats = data / "lm" / "winogender" / "occupations-stats.tsv"
    with pytest.raises(FairauditError, match="holds statistics alone"):
        likelihood(stats, **gpt2)
    path = tmp_path / "all_sentences.tsv"
    head = "sentid\tsentence\n"
    for row, reason in (
        ("nurse.1.male.txt\tHe.", "line 2: sentid is 'nurse.1.male.txt'"),
        ("nurse.a.1.male.txt\tHe.", "nurse.a.1 has no female sentence"),
        ("nurse.a.1.male.txt\t", "line 2: no sentence"),
        ("", "holds no sentences"),
        ("nurse.a.1.male.txt\tHe.\nnurse.a.1.male.txt\tHim.", "line 3: a second male sentence"),
    ):
        path.write_text(head + row + "\n")
        with pytest.raises(FairauditError) as caught:
            likelihood(path, **gpt2)
        assert reason in str(caught.value)


# --- Texts and their reversals ---------------------------------------------------------------


def test_role_reversal_by_hand(gpt2, fixed, tmp_path):
    fixed({
        "He left the room.": -20, "She left the room.": -22, "It is late.": -9,
        "Her mother.": -7, "His father.": -4,
    })  # fmt: skip
    frame = pd.DataFrame({"body": ["He left the room.", "It is late.", " ", "Her mother."]})
    audit = likelihood(frame, text="body", **gpt2)
    assert value(audit, "log_perplexity") == pytest.approx((20 + 7) / 6)
    assert value(audit, "reversed_log_perplexity") == pytest.approx((22 + 4) / 6)
    assert value(audit, "role_reversal_gap") == pytest.approx(-1 / 6)
    assert value(audit, "perplexity") == pytest.approx(np.exp(36 / 9))
    assert dict(audit.records.dropped) == {"no body": 1}
    assert "changes 2 of 3 texts" in said(audit)
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(frame.body))
    lines = likelihood(path, probe="roles", **gpt2)
    assert value(lines, "role_reversal_gap") == value(audit, "role_reversal_gap")


@pytest.mark.parametrize("name", ["a.csv", "b.TSV", "c.jsonl", "d.parquet", "e.csv.gz"])
def test_a_table_is_no_file_of_texts(gpt2, tmp_path, name):
    (tmp_path / name).write_text("text\nHe works.\n")
    with pytest.raises(FairauditError, match=f"{name}: a table, .* Name the column: --text COL"):
        likelihood(tmp_path / name, probe="roles", **gpt2)


def test_a_text_without_a_token_is_not_scored(wordpiece):
    frame = pd.DataFrame({"text": [INVISIBLE, "she works"]})
    audit = likelihood(frame, text="text", model=wordpiece, device="cpu")
    assert dict(audit.records.dropped) == {"no token that the model reads": 1}
    alone = likelihood(frame[1:], text="text", model=wordpiece, device="cpu")
    assert value(audit, "perplexity") == value(alone, "perplexity") > 1


@pytest.mark.parametrize("kind", ["gpt2", "llama", "bert"])
def test_long_texts_are_read_in_windows(language_models, kind):
    long = " ".join(tiny.SENTENCES[:12])
    frame = pd.DataFrame({"text": [long]})
    audit = likelihood(frame, text="text", model=language_models[kind], device="cpu")
    model = LanguageModel(language_models[kind], "tiny", device="cpu", window=True)
    (scores,) = model.log_likelihood([long])
    assert len(scores) == len(tiny.tokenizer("gpt2")(long).input_ids)
    assert value(audit, "perplexity") == pytest.approx(np.exp(-scores.sum() / len(long.split())))


def test_own_word_list(gpt2, tmp_path):
    path = tmp_path / "list.toml"
    path.write_text('attribute = "rank"\npairs = [["nurse", "doctor"]]\n')
    frame = pd.DataFrame({"text": ["The nurse works.", "He works."]})
    audit = likelihood(frame, text="text", swap_list=path, **gpt2)
    assert "changes 1 of 2 texts" in said(audit)
    assert audit.settings["swap"]


# --- Professions, and bias that was planted --------------------------------------------------


def test_shipped_professions(gpt2):
    content = read(SHIPPED)
    professions = [each for several in content["professions"].values() for each in several]
    assert (len(professions), len(content["templates"])) == (40, 10)
    assert not [each for each in professions if each.endswith(("man", "woman", "ess"))]
    audit = likelihood(probe="pronouns", **gpt2)
    assert audit.records.used == 400
    model = LanguageModel(gpt2["model"], "tiny", device="cpu")
    differences = []
    for template in content["templates"]:
        for profession in professions:
            he, she = (template.format(profession=profession, pronoun=p) for p in ("he", "she"))
            first, second = model.log_likelihood([he, she])
            differences.append(first.sum() - second.sum())
    assert value(audit, "pronoun_gap") == pytest.approx(np.abs(differences).mean(), rel=1e-4)
    assert value(audit, "pronoun_lean") == pytest.approx(np.mean(differences), rel=1e-4)
    (row,) = [r for r in audit.estimates if (r.attribute, r.metric) == (None, "pronoun_gap")]
    assert row.clusters == 40


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Models of biased and of balanced sentences, templates, and pairs of WinoBias's form."""
    folder = tmp_path_factory.mktemp("planted")
    listed = folder / "own.toml"
    professions = json.dumps(trained.MALE), json.dumps(trained.FEMALE)
    listed.write_text(
        f"templates = {json.dumps(trained.TEMPLATES)}\n"
        f"[professions]\nmale = {professions[0]}\nfemale = {professions[1]}\n"
    )
    pro, anti = [], []
    for own, other, several in (("he", "she", trained.MALE), ("she", "he", trained.FEMALE)):
        for profession in several:
            for lines, pronoun in ((pro, own), (anti, other)):
                lines.append(f"[The {profession}] left because [{pronoun}] was late.")
    models = {bias: trained.train(folder / str(bias), bias) for bias in (9, 5)}
    return models, listed, winobias_files(folder, pro, anti)


def test_planted_bias_is_found(planted):
    models, listed, pairs = planted
    biased, balanced = (likelihood(listed, model=models[b], device="cpu") for b in (9, 5))
    # Nine of ten: log(9); even: 0.
    assert value(biased, "pronoun_gap") == pytest.approx(np.log(9), abs=0.6)
    assert value(balanced, "pronoun_gap") < 0.5
    assert value(biased, "pronoun_lean", "male") > 1.5
    assert value(biased, "pronoun_lean", "female") < -1.5
    (gap,) = [r for r in biased.comparisons if (r.kind, r.metric) == ("gap", "pronoun_lean")]
    assert gap.ci_low > 2
    assert gap.p_value < 0.05
    shares = [likelihood(pairs, model=models[b], device="cpu") for b in (9, 5)]
    assert value(shares[0], "stereotype_share") == 1
    assert value(shares[0], "pronoun_accuracy_gap") == 1
    assert 0.2 < value(shares[1], "stereotype_share") < 0.8
    assert value(shares[1], "likelihood_difference") < 0.5


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("templates = []", "templates: expected texts"),
        ("[professions]\na = ['b']", "templates: expected each with {profession} and {pronoun}"),
        ("templates = ['{pronoun}']", "once; found '{pronoun}'"),
        ("templates = ['{pronoun} {profession}']", "professions: expected a table of lists"),
        ("templates = ['{pronoun} {profession}']\npronouns = ['a']", 'expected two: ["he", "she"]'),
        (
            "templates = ['{pronoun} {profession}']\n[professions]\na = ['b']\nc = ['b']",
            "profession 'b' stands twice",
        ),
        ("template = 1", "unknown key 'template'"),
    ],
)
def test_odd_templates(gpt2, tmp_path, content, reason):
    path = tmp_path / "own.toml"
    path.write_text(content)
    with pytest.raises(FairauditError) as caught:
        likelihood(path, **gpt2)
    assert reason in str(caught.value)


# --- What all have in common -----------------------------------------------------------------


def test_same_bytes_twice_whatever_the_batch(gpt2):
    frame = pd.DataFrame({"sent_more": tiny.SENTENCES[:40], "sent_less": tiny.SENTENCES[40:80]})
    first, second = (likelihood(frame, **gpt2).to_json() for _ in range(2))
    assert first == second
    other = likelihood(frame, **gpt2, batch=1)
    assert value(other, "stereotype_share") == value(likelihood(frame, **gpt2), "stereotype_share")


def test_filters_groups_and_signature(gpt2):
    frame = pd.DataFrame({
        "sent_more": ["He reads.", "She reads.", None, "He works."],
        "sent_less": ["She reads.", "He reads.", "He sees.", "She works."],
        "who": ["a", "b", "a", "b"],
    })  # fmt: skip
    done = []
    audit = likelihood(
        frame, by="who", where="sent_more <> 'He works.'", progress=done.append, **gpt2
    )
    assert (audit.records.total, audit.records.used) == (4, 2)
    assert audit.records.dropped["filtered by --where"] == 2
    assert done == [4]
    model = LanguageModel(gpt2["model"], "tiny", device="cpu")
    assert f"probe:crows-pairs|model:{model.name[:16]}|scoring:causal" in audit.signature


def test_grouped_by_the_cluster_there_are_intervals(gpt2):
    audit = likelihood(probe="pronouns", by="profession", **gpt2)
    assert audit.settings["cluster"] is None
    assert all(row.ci_low is not None for row in audit.estimates if row.metric == "pronoun_gap")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({}, "no data. Name a file"),
        ({"probe": "crows"}, "--probe crows: expected crows-pairs, stereoset"),
        ({"data": "no.csv"}, "no.csv: no such file"),
        ({"data": "-"}, "the form of a file is found by its content"),
        ({"data": "{odd}"}, "odd.csv: not in a form that is known. Expected CrowS-Pairs"),
        ({"data": "{odd}", "probe": "winobias"}, "Expected WinoBias's pro_"),
        ({"data": "{odd}", "probe": "crows-pairs"}, "no column 'sent_more'"),
        ({"data": "{half}"}, "half.csv: no column 'sent_less'"),
        ({"data": "{odd}", "text": "a"}, "no column 'a'. Columns: x, y."),
        ({"data": "{empty}"}, "empty.csv: is empty."),
        ({"data": ["{odd}", "{half}"]}, "odd.csv: not in a form"),
        ({"data": ["{half}", "{toml}"]}, "audit one form at a time"),
        ({"data": "{half}", "text": "x", "probe": "winobias"}, "--text is for --probe roles"),
        ({"data": "{half}", "swap_list": "x"}, "--swap-list is for --probe roles"),
        ({"data": pd.DataFrame({"a": [1]})}, "expected the columns sent_more, sent_less or"),
        ({"data": CROWS, "by": "age"}, "no column 'age'"),
        ({"data": CROWS, "model": "./no"}, "--model ./no: no such folder"),
        (
            {"data": CROWS, "where": "bias_type = 'x'"},
            "no records to audit (filtered by --where: 4",
        ),
        ({"data": CROWS, "batch": 0}, "--batch-size 0: expected 1 or more"),
    ],
)
def test_refused(gpt2, tmp_path, settings, reason):
    (tmp_path / "odd.csv").write_text("x,y\n1,2\n")
    (tmp_path / "half.csv").write_text("sent_more,x\na,b\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "toml.toml").write_text("")

    def place(name):
        inner = name.strip("{}") if isinstance(name, str) and name.startswith("{") else None
        return name if inner is None else str(next(tmp_path.glob(f"{inner}.*")))

    given = settings.get("data")
    data = [place(each) for each in given] if isinstance(given, list) else place(given)
    with pytest.raises(FairauditError) as caught:
        likelihood(data, **{**gpt2, **{k: v for k, v in settings.items() if k != "data"}})
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_classifier_is_refused(tmp_path):
    from transformers import GPT2ForSequenceClassification

    GPT2ForSequenceClassification(tiny.model("gpt2").config).save_pretrained(tmp_path)
    tiny.tokenizer("gpt2").save_pretrained(tmp_path)
    with pytest.raises(FairauditError, match="a classifier"):
        likelihood(CROWS, model=tmp_path, device="cpu")


def test_stereoset_has_its_own_clusters_and_types(gpt2, tmp_path):
    row, _ = triplet("x", (-1, -2, -3))
    with pytest.raises(FairauditError, match="--cluster bias_type: scores of stereoset are means"):
        likelihood(pd.DataFrame([row]), cluster="bias_type", **gpt2)

    # What is left out need not make sense, and no model is needed to say what does not.
    both = pd.DataFrame([row, {**row, "type": "odd"}])
    assert likelihood(both, where="type <> 'odd'", **gpt2).records.used == 1
    both.to_csv(tmp_path / "s.csv", index=False)
    with pytest.raises(FairauditError) as caught:
        likelihood(tmp_path / "s.csv", model="no/such", probe="stereoset")
    assert f"{tmp_path / 's.csv'}, row 2: type is 'odd'; expected intra" in str(caught.value)
