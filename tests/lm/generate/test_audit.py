import json
import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from fairaudit.audit import Audit
from fairaudit.exceptions import FairauditError
from fairaudit.lm.classifiers import TextClassifier
from fairaudit.lm.generate import sampling, scorers
from fairaudit.lm.generate.audit import generate
from fairaudit.lm.generate.polarity import unigram
from fairaudit.lm.generate.texts import read_texts
from fairaudit.lm.language_models import LanguageModel
from fairaudit.selection import Selection
from fairaudit.table import Workspace
from tests.lm.generate.conftest import PROMPTS, ROLES
from tests.lm.sensitivity.conftest import save as save_classifier

FRAME = pd.DataFrame([(p, role) for role in ROLES for p in PROMPTS[role]], columns=["prompt", "as"])


def value(audit, metric, group="(all)"):
    (row,) = [r for r in audit.estimates if (r.metric, r.group) == (metric, group)]
    return row.value


def numbers(audit):
    """All that is estimated and compared."""
    return [vars(row) for row in (*audit.estimates, *audit.comparisons)]


def over(audit, metric, kind):
    (row,) = [r for r in audit.comparisons if (r.metric, r.kind) == (metric, kind)]
    return row


def refused(*args, **options):
    with pytest.raises(FairauditError) as error:
        generate(*args, **options)
    return str(error.value)


def notes(audit):
    return " ".join(audit.notes)


@pytest.fixture(scope="module")
def made(worlds, tmp_path_factory):
    """An audit of the biased model, and the texts that it wrote."""
    path = tmp_path_factory.mktemp("made") / "texts.jsonl"
    audit = generate(FRAME, model=worlds["biased"], by="as", samples=4, tokens=8, save=path)
    return audit, path


def test_a_biased_model_is_found_biased_and_a_balanced_one_is_not(worlds, made):
    biased, _ = made
    balanced = generate(FRAME, model=worlds["balanced"], by="as", samples=20, tokens=8, top_p=1)
    for role, female in (("nurse", 1), ("doctor", 0)):
        assert value(biased, "gendered_share", role) > 0.95
        assert value(biased, "female_of_gendered", role) == pytest.approx(female, abs=0.05)
        assert value(biased, "equity_ratio", role) < 0.05
        assert value(balanced, "gendered_share", role) > 0.95
        assert value(balanced, "equity_ratio", role) > 0.6
    # All groups together look fair.
    assert value(biased, "equity_ratio") > 0.9
    assert over(biased, "equity_ratio", "macro_mean").ci_high < 0.5
    assert over(balanced, "equity_ratio", "macro_mean").ci_high == 1
    assert over(biased, "female_of_gendered", "gap").ci_low > 0.2
    assert over(balanced, "female_of_gendered", "gap").ci_low == 0


def test_the_file_gives_the_same_numbers(made):
    audit, path = made
    again, twice = (generate(texts=path, by="as") for _ in range(2))
    assert numbers(again) == numbers(audit)
    assert numbers(twice) == numbers(again)
    assert again.signature == twice.signature
    assert again.records == audit.records
    for part in ("model:", "samples:4", "tokens:8", "top_p:0.9", "drawn:0", "polarity:unigram"):
        assert part in again.signature
        assert part in audit.signature
    data = re.compile(r"\|data:\w+")
    assert data.sub("", again.signature) == data.sub("", audit.signature)


def test_counts_are_those_of_a_loop(made):
    audit, path = made
    rows = list(map(json.loads, path.read_text().splitlines()[1:]))
    found = Counter((row["as"], unigram(row["prompt"] + row["text"])) for row in rows)
    for role in ROLES:
        male, female = found[role, -1], found[role, 1]
        assert value(audit, "male_share", role) == male / 32
        assert value(audit, "female_of_gendered", role) == female / (male + female)
    assert audit.records.used == len(rows) == 64
    assert next(row.clusters for row in audit.estimates if row.group == "nurse") == 8


def test_what_is_saved(made, worlds):
    head, *rows = map(json.loads, made[1].read_text().splitlines())
    assert head["schema"] == "fairaudit/generations/1"
    assert (head["name"], head["samples"], head["drawn"]) == (str(worlds["biased"]), 4, 0)
    assert set(head["versions"]) == {"fairaudit", "torch", "transformers"}
    assert list(rows[0]) == ["as", "prompt", "text", "sample", "seed"]
    assert [row["sample"] for row in rows[:5]] == [*range(4), 0]
    model = LanguageModel(worlds["biased"], "m", device="cpu")
    (text,) = model.generate([rows[9]["prompt"]], [rows[9]["seed"]], tokens=8, top_p=0.9)
    assert text == rows[9]["text"]
    assert text.startswith(" ")


def texts_of(path):
    rows = list(map(json.loads, path.read_text().splitlines()[1:]))
    return {(row["prompt"], row["sample"]): row["text"] for row in rows}


def test_order_and_batch_do_not_matter(worlds, tmp_path):
    options = {"model": worlds["balanced"], "tokens": 8, "samples": 3, "top_p": 1.0}
    paths = [tmp_path / f"{i}.jsonl" for i in range(3)]
    generate(FRAME, save=paths[0], **options)
    generate(FRAME[::-1], save=paths[1], batch=3, **options)
    generate(FRAME, save=paths[2], seed=1, **options)
    first, backward, other = map(texts_of, paths)
    assert first == backward
    assert first != other
    assert len(set(first.values())) > 3


def test_an_interruption_costs_nothing(worlds, tmp_path, monkeypatch):
    monkeypatch.setattr(sampling, "_AT_ONCE", 5)
    options = {"model": worlds["balanced"], "tokens": 8, "samples": 2}
    whole, broken = tmp_path / "whole.jsonl", tmp_path / "broken.jsonl"
    generate(FRAME, save=whole, **options)
    calls = []

    def interrupted(done, total=None):
        calls.append(done)
        if done >= 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(FRAME, save=broken, progress=interrupted, **options)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "broken.jsonl.partial", "whole.jsonl",
    ]  # fmt: skip
    said = refused(FRAME, save=broken, **{**options, "tokens": 9})
    assert "another tokens" in said
    assert "--restart" in said
    calls.clear()
    generate(FRAME, save=broken, progress=lambda done, total=None: calls.append(done), **options)
    assert calls == [10, 15, 20, 25, 30, 32]
    assert broken.read_bytes() == whole.read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


def table(tmp_path, **columns):
    path = tmp_path / "texts.csv"
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def test_texts_of_any_table(tmp_path):
    path = table(tmp_path, out=["She ran.", "", "He ran.", "Ran."], g=["a", "a", "b", "b"])
    audit = generate(texts=path, text="out", by="g")
    assert (audit.records.total, audit.records.used) == (4, 4)
    assert value(audit, "female_share", "a") == 0.5
    assert audit.settings["cluster"] is None
    assert "no --cluster was given" in notes(audit)
    assert "How these texts were decoded is not known" in notes(audit)


def test_prompts_are_scored_with_their_texts_unless_told_otherwise(tmp_path):
    prompts = ["She said", "A man", "The nurs", "The nurse"]
    texts = ["nothing", "A man slept", "e", "she"]
    path = table(tmp_path, prompt=prompts, text=texts)
    whole, alone = generate(texts=path), generate(texts=path, score="text")
    assert [value(whole, m) for m in ("female_share", "male_share")] == [0.5, 0.25]
    assert [value(alone, m) for m in ("female_share", "male_share")] == [0.25, 0]
    assert "2 of 4 prompts are gendered by words of their own" in notes(whole)
    assert "gendered by words of their own" not in notes(alone)
    assert "1 of 4 texts begin with their prompt" in notes(whole)
    assert whole.settings["cluster"] == "prompt"
    assert "score:text" in alone.signature


def test_a_prompt_ends_with_a_word(tmp_path):
    pairs = [
        ("He", "Hermes left"), ("She", "She's here"), ("The nur", "The nurse left"),
        ("护士", "护士说"), ("लड़क", "लड़की आई"), ("", "He"), ("A man.", "A man.Next"),
    ]  # fmt: skip
    path = table(tmp_path, **dict(zip(("prompt", "text"), zip(*pairs, strict=True), strict=True)))
    with Workspace() as workspace:
        selection = Selection.of((), None, (), None, ())
        found = read_texts(workspace, str(path), None, None, selection)
    assert found.whole == [
        "He Hermes left", "She's here", "The nur The nurse left", "护士说", "लड़क लड़की आई", "He",
        "A man.Next",
    ]  # fmt: skip
    assert "3 of 7 texts begin with their prompt" in found.notes[0]


def test_prompts_are_clusters(tmp_path):
    texts = ["he", "he", "he", "she", "she", "she"] * 20
    path = table(tmp_path, prompt=[f"p{i // 3}" for i in range(120)], text=texts)
    sure, unsure = (
        next(r for r in generate(texts=path, cluster=c).estimates) for c in ("text", None)
    )
    assert sure.clusters == 2
    assert unsure.clusters == 40
    several = unsure.ci_high - unsure.ci_low
    assert several > 1.5 * 2 * 1.96 * np.sqrt(0.25 / 120)


def test_sentiment(tmp_path):
    texts = ["I love it, wonderful!", "Horrible, I hate it.", "A table.", "Good."]
    audit = generate(texts=table(tmp_path, text=texts), sentiment=True)
    scores = [SentimentIntensityAnalyzer().polarity_scores(text)["compound"] for text in texts]
    assert value(audit, "mean_sentiment") == pytest.approx(np.mean(scores))
    assert value(audit, "negative_sentiment_share") == 0.25
    assert value(audit, "positive_sentiment_share") == 0.25  # 0.44 is not strong enough
    assert "sentiment:vader " in audit.signature


def test_classifiers(tmp_path):
    folder = save_classifier(tmp_path / "model", labels=3)
    labels = TextClassifier(folder, "m", device="cpu").classes
    texts = [f"he is {word}" for word in ("kind", "cruel", "here", "there", "a nurse")]
    path = table(tmp_path, text=texts)
    found = TextClassifier(folder, "m", device="cpu").predict(texts)
    likeliest = int(found.mean(0).argmax())
    named = f"{folder}:{labels[likeliest]}"
    audit = generate(texts=path, toxicity=named, regard=named, device="cpu")
    for rate, mean in (
        ("toxicity_rate", "mean_toxicity"), ("negative_regard_share", "mean_negative_regard"),
    ):  # fmt: skip
        assert value(audit, rate) == pytest.approx((found.argmax(1) == likeliest).mean())
        assert value(audit, mean) == pytest.approx(found[:, likeliest].mean())
    assert f":{labels[likeliest]}|" in audit.signature
    assert "toxicity is what the classifier says" in notes(audit)
    said = refused(texts=path, toxicity=str(folder), device="cpu")
    assert "no label 'toxic'" in said
    assert labels[0] in said


def test_texts_that_a_classifier_reads_in_part_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(scorers, "_AT_ONCE", 2)
    folder = save_classifier(tmp_path / "model", labels=2)
    path = table(tmp_path, text=["he works " * 40, "she works", "he works " * 50])
    audit = generate(texts=path, regard=f"{folder}:class 0", device="cpu")
    said = "2 of 3 texts are longer than the regard classifier reads; only their beginning is score"
    assert said in notes(audit)
    short = generate(texts=table(tmp_path, text=["he"]), regard=f"{folder}:class 0", device="cpu")
    assert "only their beginning" not in notes(short)


def test_vectors(tmp_path):
    vectors = tmp_path / "v.txt"
    vectors.write_text("he 0 1 0\nshe 1 0 0\nqueen 1 0 1\ntable 0 0 1\n")
    path = table(tmp_path, text=["A queen.", "He sat.", "A table.", "Unknown."])
    for method in ("max", "wavg"):
        audit = generate(texts=path, polarity=method, vectors=vectors)
        assert [value(audit, m) for m in ("female_share", "male_share")] == [0.25, 0.25]
        assert f"polarity:{method}|vectors:" in audit.signature
        assert "hard-debiased" in notes(audit)


def test_round_trip_and_cards_of_the_public(made, tmp_path):
    audit, _ = made
    audit.save(tmp_path / "audit.json")
    read = Audit.load(tmp_path / "audit.json")
    assert read.to_json() == audit.to_json()
    assert {"macro_mean", "least"} <= {row.kind for row in read.comparisons}


def test_a_prompt_loses_the_blank_at_its_end(worlds, tmp_path):
    for name, end in (("a", ""), ("b", " ")):
        frame = pd.DataFrame({"prompt": [f"The nurse said that{end}"]})
        generate(frame, model=worlds["biased"], tokens=8, save=tmp_path / f"{name}.jsonl")
    assert texts_of(tmp_path / "a.jsonl") == texts_of(tmp_path / "b.jsonl")


def test_records_left_out_are_counted_by_text(worlds):
    frame = pd.concat([FRAME, pd.DataFrame({"prompt": [None, " "], "as": ["nurse"] * 2})])
    audit = generate(frame, model=worlds["biased"], samples=2, tokens=2, where="\"as\" = 'nurse'")
    assert (audit.records.total, audit.records.used) == (36, 16)
    assert dict(audit.records.dropped) == {"filtered by --where": 16, "no prompt": 4}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "nothing to audit"),
        ({"prompts": FRAME}, "name the --model"),
        ({"prompts": FRAME, "texts": FRAME}, "leave out the prompts and --model"),
        ({"model": "m", "texts": FRAME}, "leave out the prompts and --model"),
        ({"texts": FRAME, "samples": 2}, "are for generating"),
        ({"texts": FRAME, "save": "x"}, "are for generating"),
        ({"texts": FRAME, "score": "half"}, "--score half: expected whole, text"),
        ({"texts": FRAME, "polarity": "max"}, "needs word vectors"),
        ({"texts": FRAME, "vectors": "v"}, "--vectors goes with"),
        ({"texts": FRAME, "polarity": "max", "vectors": "no/v"}, "no such file"),
        ({"texts": FRAME, "polarity": "x"}, "--polarity x: expected unigram"),
        ({"texts": FRAME}, "no column 'text'"),
        ({"texts": FRAME, "text": "prompt", "prompt": "prompt"}, "column of --text already"),
        ({"texts": FRAME, "text": "prompt", "by": "who"}, "no column 'who'"),
        ({"prompts": FRAME, "model": "no/such/folder"}, "no such folder"),
        ({"prompts": FRAME, "model": "m", "temperature": -1}, "--temperature -1"),
        ({"prompts": FRAME, "model": "m", "temperature": float("nan")}, "--temperature nan"),
        ({"prompts": FRAME, "model": "m", "top_p": 0}, "--top-p 0"),
        ({"prompts": FRAME, "model": "m", "samples": 0}, "--samples 0"),
        ({"prompts": FRAME, "model": "m", "samples": 2, "temperature": 0}, "the same text"),
        ({"prompts": FRAME, "model": "m", "save": "no/such/x.jsonl"}, "no such folder"),
        (
            {"prompts": FRAME.rename(columns={"as": "text"}), "model": "m", "save": "x"},
            "column 'text' has a name",
        ),
    ],
)
def test_arguments_that_do_not_go_together(options, said):
    assert said in refused(**options)


def test_models_that_do_not_generate(language_models, tmp_path, worlds):
    assert "a masked language model" in refused(FRAME, model=language_models["bert"])
    classifier = save_classifier(tmp_path / "c", labels=3)
    assert "a classifier" in refused(FRAME, model=classifier)
    long = pd.DataFrame({"prompt": ["The nurse said", "The nurse said " * 20]})
    path = tmp_path / "t.jsonl"
    assert "Shorten the prompt" in refused(long, model=worlds["biased"], save=path, tokens=8)
    assert not list(tmp_path.glob("t.jsonl*"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no records"),
        ('{"prompt": "a", "text": ', "not a whole file"),
        ('{"prompt": "a"}\n', "no prompt, no text"),
        ('{"prompt": "a", "text": "b"}\n{"prompt": "a"}\n', "same columns"),
    ],
)
def test_a_damaged_file_of_texts(tmp_path, content, said):
    path = tmp_path / "texts.jsonl"
    path.write_text('{"schema": "fairaudit/generations/1"}\n' + content)
    assert said in refused(texts=path)


def test_a_file_of_texts_has_columns_of_its_own(made):
    for option, given in (("text", "as"), ("prompt", "text")):
        said = refused(texts=made[1], **{option: given})
        assert f"--{option} {given}: {made[1]} was written by --save" in said
        assert f"column '{option}'. Leave --{option} out." in said
    same = generate(texts=made[1], by="as", text="text", prompt="prompt")
    assert numbers(same) == numbers(made[0])


def test_odd_separators_in_a_file_of_texts(tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_text(
        '{"schema": "fairaudit/generations/1"}\n{"prompt": "a\u2028b", "text": "\x85he"}\n\n',
        encoding="utf-8",
    )
    assert generate(texts=path).records.used == 1


def test_files_of_texts_go_alone(made, tmp_path):
    other = tmp_path / "other.jsonl"
    other.write_bytes(made[1].read_bytes())
    assert "scored alone" in refused(texts=[made[1], other])
    pattern = str(tmp_path / "*.jsonl")
    whole, found = generate(texts=other, by="as"), generate(texts=pattern, by="as")
    assert found.to_json() == whole.to_json()
    assert "drawn:0" in found.signature
    other.with_name("third.jsonl").write_bytes(other.read_bytes())
    assert "scored alone" in refused(texts=pattern)
    assert numbers(generate(texts=[other], by="as")) == numbers(made[0])
