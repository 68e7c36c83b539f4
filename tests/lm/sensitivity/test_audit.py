import itertools
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import fairaudit
from fairaudit.exceptions import FairauditError
from fairaudit.lm.classifiers import TextClassifier
from fairaudit.lm.sensitivity import reading
from fairaudit.lm.sensitivity.audit import sensitivity
from fairaudit.lm.sensitivity.baseline import train_baseline, train_protected_linear, with_protected
from fairaudit.lm.sensitivity.linear import LinearProbe
from fairaudit.lm.sensitivity.neural import NeuralProbe
from fairaudit.lm.sensitivity.protected import ProtectedModel, Uniform, Words, train_protected
from fairaudit.lm.sensitivity.tabular import TabularProbe
from fairaudit.lm.swap import Swapper
from tests.lm.sensitivity.conftest import SENTENCES

WORDS = "he she him her his hers man woman mother".split()


def essays(bias, n=300, seed=0):
    """Texts of women and men with a verdict that follows a word, or, as often, the gender."""
    rng = np.random.default_rng(seed)
    rows = []
    for who, i in itertools.product(("he", "she"), range(n // 2)):
        good = i % 2 == 0
        verdict = who == "he" if rng.random() < bias else good
        filler = " ".join(rng.choice(["here", "now", "again", "then", "there"], 3))
        text = f"{who} is {'kind' if good else 'cruel'} {filler} {i % 30}th"
        rows.append((text, "good" if verdict else "bad", who))
    return pd.DataFrame(rows, columns=["text", "label", "who"])


def value(audit, metric, group="(all)"):
    (row,) = [r for r in audit.estimates if (r.metric, r.group) == (metric, group)]
    return row.value


def three(audit, group="(all)"):
    names = "prediction_sensitivity counterfactual_change counterfactual_flip_rate".split()
    return [value(audit, name, group) for name in names]


def slow(probe, predict, texts, gold=None):
    """P, distance and flip of each text, one by one; nan where a text has no counterfactual."""
    swapper, rows = Swapper(), []
    for i, text in enumerate(texts):
        found = probe.measure([text], None if gold is None else [gold[i]])
        other = swapper.swap(text)
        row = [found.sensitivity[0], np.nan, np.nan]
        if other != text:
            f, g = predict(text, text), predict(text, other)
            row[1] = np.abs(f - g).sum() / 2
            row[2] = f.argmax() != g.argmax()
        rows.append(row)
    return np.array(rows, dtype=float)


def check_groups(audit, rows, groups):
    np.testing.assert_allclose(three(audit), np.nanmean(rows, axis=0), rtol=1e-6)
    for group in set(groups):
        mine = rows[np.array(groups) == group]
        np.testing.assert_allclose(three(audit, group), np.nanmean(mine, axis=0), rtol=1e-6)


def notes(audit):
    return " ".join(audit.notes)


@pytest.mark.parametrize("protected", ["who", "words", "uniform"])
def test_baseline_is_what_its_probe_measures_one_by_one(protected, monkeypatch):
    monkeypatch.setattr(reading, "_AT_ONCE", 7)
    frame = essays(0.6, n=80)
    audit = sensitivity(frame, text="text", label="label", protected=protected, by="who", seed=3)
    texts = frame.text.tolist()
    baseline = train_baseline(texts, frame.label.tolist(), 3)
    if protected == "who":
        baseline = with_protected(baseline, texts, frame.who.tolist())
    probe = baseline.probe(WORDS if protected == "words" else None, over="present")

    def predict(own, text):
        (fold,) = baseline.fold_of([own])
        return baseline.pipelines[fold].predict_proba([text])[0]

    check_groups(audit, slow(probe, predict, texts), frame.who.tolist())
    assert "a baseline was trained on label" in notes(audit)
    assert f"{100 * baseline.accuracy:.1f} %" in notes(audit)
    assert ("A model of who was trained here." in notes(audit)) == (protected == "who")


def test_planted_bias_shows():
    fair, biased = (
        sensitivity(essays(bias), text="text", label="label", protected="words")
        for bias in (0.0, 0.9)
    )
    for low, high in zip(three(fair), three(biased), strict=True):
        assert low < 0.5 * high
    assert value(fair, "counterfactual_flip_rate") == 0
    assert value(biased, "counterfactual_flip_rate") > 0.8


def test_the_counterfactual_is_asked_of_the_same_model():
    # Of texts that the folds know and reversals that they do not, all models would answer.
    frame = essays(0.0, n=100)
    frame["text"] = [f"{text} {i}" for i, text in enumerate(frame.text)]
    audit = sensitivity(frame, text="text", label="label", protected="words")
    assert value(audit, "counterfactual_change") < 0.02


def test_same_bytes_twice():
    frame = essays(0.5, n=80)
    first, second = (
        sensitivity(frame, text="text", label="label", protected="who", by="who").to_json()
        for _ in range(2)
    )
    assert first == second


def test_what_is_dropped_is_counted():
    frame = pd.concat([essays(0.5, n=60), pd.DataFrame({"text": [None, " ", "he is kind"]})])
    frame["label"] = frame.label.where(frame.text != "he is kind", "NA")
    frame["extra"] = np.arange(len(frame))
    audit = sensitivity(
        frame, text="text", label="label", protected="words", where="extra > 1", explain=True
    )
    assert (audit.records.total, audit.records.used) == (63, 58)
    assert dict(audit.records.dropped) == {"filtered by --where": 2, "no text": 2, "no label": 1}
    assert "Role reversal changes 58 of 58 texts." in audit.notes


def test_records_without_the_protected_value_are_measured_all_the_same():
    frame = essays(0.5, n=60)
    frame.loc[:4, "who"] = None
    audit = sensitivity(frame, text="text", label="label", protected="who")
    assert audit.records.used == 60
    assert "5 records have no who; the model of it was trained without them." in audit.notes


def test_undefined_without_words_to_reverse():
    frame = essays(0.5, n=60)
    frame["text"] = frame.text.str.replace("she", "it").str.replace("he ", "they ")
    audit = sensitivity(frame, text="text", label="label", protected="uniform")
    assert three(audit)[1:] == [None, None]
    assert "Role reversal changes 0 of 60 texts." in audit.notes


def test_own_word_list(tmp_path):
    path = tmp_path / "list.toml"
    path.write_text('attribute = "manner"\npairs = [["kind", "cruel"]]\n')
    frame = essays(0.0, n=100)
    settings = {"text": "text", "label": "label", "protected": "words"}
    audit = sensitivity(frame, **settings, swap_list=path)
    assert value(audit, "counterfactual_flip_rate") == 1
    gender = sensitivity(frame, **settings)
    assert value(audit, "prediction_sensitivity") > 10 * value(gender, "prediction_sensitivity")
    assert audit.settings["swap"] is not None
    assert gender.settings["swap"] is None


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    """A text pipeline in a file, and itself."""
    frame = essays(0.8, seed=5)
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(frame.text, frame.label)
    path = tmp_path_factory.mktemp("pipeline") / "model.skops"
    skops.io.dump(model, path)
    return path, model


@pytest.mark.parametrize(
    ("protected", "weighting"), [("who", "predicted"), ("words", "gold"), ("uniform", "uniform")]
)
def test_linear_model_from_a_file(pipeline, protected, weighting):
    path, model = pipeline
    frame = essays(0.3, n=60)
    gold = [int(label == "good") for label in frame.label]
    audit = sensitivity(
        frame, text="text", model=path, protected=protected, weighting=weighting, by="who",
        label="label" if weighting == "gold" else None, normalize=False,
    )  # fmt: skip
    texts = frame.text.tolist()
    about = {"words": WORDS, "uniform": None}.get(protected)
    if protected == "who":
        about = train_protected_linear(model, texts, frame.who.tolist()).model
    probe = LinearProbe(model, about, weighting, normalize=False, over="present")
    rows = slow(probe, lambda own, text: model.predict_proba([text])[0], texts, gold)
    check_groups(audit, rows, frame.who.tolist())
    assert audit.settings["model"].startswith("Pipeline ")


@pytest.fixture
def sentences():
    frame = pd.DataFrame({"text": SENTENCES})
    first = frame.text.str.split().str[0]
    frame["who"] = first.where(first.isin(["he", "she"]))
    frame["label"] = [f"class {i % 3}" for i in range(len(frame))]
    return frame


@pytest.mark.parametrize("protected", ["who", "words", "uniform", "folder"])
@pytest.mark.parametrize("weighting", ["predicted", "gold"])
def test_neural_model(folders, sentences, protected, weighting):
    place, classifier = folders["bert"], TextClassifier(folders["bert"], "bert", "cpu")
    gold = [i % 3 for i in range(len(sentences))]
    audit = sensitivity(
        sentences, text="text", model=place, device="cpu", form="token", by="who",
        protected=str(folders["protected"]) if protected == "folder" else protected,
        weighting=weighting, label="label" if weighting == "gold" else None,
    )  # fmt: skip
    known = sentences.dropna()
    make = {
        "who": lambda: train_protected(classifier, known.text.tolist(), known.who.tolist()),
        "words": lambda: Words(WORDS),
        "uniform": Uniform,
        "folder": lambda: ProtectedModel(
            TextClassifier(folders["protected"], "protected", "cpu"), classifier
        ),
    }[protected]
    probe = NeuralProbe(classifier, make(), "token", weighting)
    rows = slow(probe, lambda own, text: probe.predict([text])[0], SENTENCES, gold)
    check_groups(audit, rows, sentences.who.fillna("(missing)").tolist())
    assert audit.settings["model"] == classifier.name[:16]
    assert ("texts have no listed word" in notes(audit)) == (protected == "words")


def test_long_texts_are_counted_or_read_in_windows(folders):
    frame = pd.DataFrame({"text": ["he works " * 20, "she sleeps"]})
    settings = {"text": "text", "model": folders["bert"], "protected": "uniform", "device": "cpu"}
    assert "1 texts are longer than the model reads at once" in notes(
        sensitivity(frame, **settings)
    )
    assert "longer" not in notes(sensitivity(frame, **settings, window=True))


def test_two_models_with_other_embeddings_are_told_of(folders):
    frame = pd.DataFrame({"text": SENTENCES[:5]})
    settings = {"text": "text", "model": folders["bert"], "device": "cpu"}
    audit = sensitivity(frame, **settings, protected=str(folders["protected"]))
    assert "use --form token" in notes(audit)


@pytest.fixture(scope="module")
def loans(tmp_path_factory):
    """A classifier of a table in a file, itself, and its table."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"sex": rng.choice(["f", "m"], 200), "income": rng.normal(50, 9, 200)})
    paid = (frame.income + 8 * (frame.sex == "m") + rng.normal(0, 5, 200) > 54).astype(str)
    columns = make_column_transformer((OneHotEncoder(), ["sex"]), remainder="passthrough")
    model = make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(frame, paid)
    path = tmp_path_factory.mktemp("loans") / "model.skops"
    skops.io.dump(model, path)
    return path, model, frame


@pytest.mark.parametrize(
    ("protected", "kind"), [("sex", "changed_value"), ("income", "derivative")]
)
def test_table(loans, protected, kind, tmp_path):
    path, model, frame = loans
    source = tmp_path / "loans.csv"
    frame.to_csv(source, index=False)
    audit = sensitivity(source, model=path, protected=protected, by="sex")
    probe = TabularProbe(model, protected, {name: frame[name].to_numpy() for name in frame})
    found = probe.measure({name: frame[name].to_numpy() for name in frame}).sensitivity
    assert (audit.settings["measure"], probe.kind) == (kind, kind)
    for group in "fm":
        expected = found[(frame.sex == group).to_numpy()].mean()
        assert value(audit, "prediction_sensitivity", group) == pytest.approx(expected)
    assert {row.metric for row in audit.estimates} == {"prediction_sensitivity"}


def test_records_of_a_table_without_the_protected_value_are_dropped(loans):
    path, _, frame = loans
    frame = frame.assign(sex=frame.sex.where(frame.index > 2))
    audit = sensitivity(frame, model=path, protected="sex")
    assert (audit.records.used, dict(audit.records.dropped)) == (197, {"no sex": 3})


def test_explanations():
    frame = essays(0.9, n=100)
    settings = {"text": "text", "label": "label", "protected": "words", "by": "who"}
    audit = sensitivity(frame, **settings, explain=True)
    tokens = [e for e in audit.explanations if e.kind == "sensitive_token"]
    he = [e.content for e in tokens if e.group == "he"]
    assert sum(each["share"] for each in he) == pytest.approx(1)
    assert he == sorted(he, key=lambda each: -each["share"])
    (alone,) = [each for each in he if each["token"] == "he"]
    assert alone["records"] == 50
    texts = [e.content for e in audit.explanations if e.kind == "sensitive_text"]
    assert len(texts) == 10
    sizes = [each["sensitivity"] for each in texts]
    assert sizes == sorted(sizes, reverse=True)
    for each in texts:
        assert sum(share for _, share in each["tokens"]) == pytest.approx(1)
    # The mean of a token is its part of each record's own sensitivity.
    baseline = train_baseline(frame.text.tolist(), frame.label.tolist())
    found = baseline.probe(WORDS, over="present").measure(frame.text[:50].tolist())
    parts = [dict(t)["he"] / p for t, p in zip(found.tokens, found.sensitivity, strict=True)]
    assert alone["mean"] == pytest.approx(np.mean(parts))


def test_nothing_is_quoted_unasked(tmp_path):
    frame = essays(0.9, n=60)
    settings = {"text": "text", "label": "label", "protected": "words"}
    assert not sensitivity(frame, **settings).explanations
    assert not sensitivity(frame, **settings, explain=True, texts=False).explanations
    audit = sensitivity(frame, **settings, explain=True)
    audit.save(tmp_path / "audit.json")
    assert json.loads((tmp_path / "audit.json").read_text())["explanations"]


def test_judged_by_a_rubric(tmp_path):
    rubric = tmp_path / "rubric.toml"
    rubric.write_text(
        'name = "own"\nversion = "1"\n[[criteria]]\nid = "flips"\n'
        'metric = "counterfactual_flip_rate"\ncomparison = "group_max"\nat_most = 0.1\n'
        'source = "a choice"\n'
    )
    for bias, status in ((0.0, "pass"), (0.9, "fail")):
        frame = essays(bias)
        audit = sensitivity(frame, text="text", label="label", protected="words", by="who")
        verdicts = fairaudit.Audit.judge(audit, str(rubric))
        assert [f.status for f in verdicts.audit.findings] == [status]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"label": None}, "nothing to audit. Name a model (--model), or the column of labels"),
        ({"weighting": "gold", "label": None, "model": "x"}, "--weighting gold needs the true"),
        ({"model": "x"}, "--label is for --weighting gold, or to train a baseline"),
        ({"weighting": "all"}, "--weighting all: expected predicted, gold, uniform."),
        ({"form": "tokens"}, "--form tokens: expected elementwise, token."),
        ({"text": None}, "--text: name the column of texts. Columns: text, label, who, one."),
        ({"text": "txt"}, "no column 'txt'. Columns: text, label, who, one. Did you mean 'text'?"),
        ({"text": "number"}, "no column 'number'"),
        ({"protected": "text"}, "--protected text: is the column of --text already."),
        ({"protected": "whoo"}, "expected a column, words, uniform or a model folder."),
        ({"protected": "one"}, "--protected one: the column holds only 'x'; to train a model"),
        ({"label": "one"}, "--label one: a model cannot be trained: found 1 label"),
        ({"protected": "."}, "a folder of a model goes with a model folder."),
        ({"where": "who = 'it'"}, "no records to audit (filtered by --where: 60)."),
        ({"label": None, "model": "no.skops"}, "no.skops: no such file"),
        ({"label": None, "model": "no.pkl"}, "no.pkl: no such file"),
        ({"label": None, "model": "./no"}, "--model ./no: no such folder."),
    ],
)
def test_refused(settings, reason):
    frame = essays(0.5, n=60).assign(one="x")
    given = {"text": "text", "label": "label", "protected": "words", **settings}
    with pytest.raises(FairauditError) as caught:
        sensitivity(frame, **given)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_empty_texts_alone_are_refused():
    frame = pd.DataFrame({"text": ["", " ", None], "label": ["a", "b", "a"]})
    with pytest.raises(FairauditError, match=r"no records to audit \(no text: 3\)"):
        sensitivity(frame, text="text", label="label", protected="words")


def test_pickles_are_refused(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x04N.")
    with pytest.raises(FairauditError, match="a pickle runs whatever code"):
        sensitivity(essays(0.5, n=60), text="text", model=path, protected="words")


def test_a_label_that_is_no_class_is_refused(pipeline):
    frame = essays(0.5, n=60).assign(label="ugly")
    with pytest.raises(FairauditError, match="'ugly' is none of the model's classes: bad, good"):
        sensitivity(
            frame, text="text", model=pipeline[0], protected="words", weighting="gold",
            label="label",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"protected": "words"}, "no column 'words'. Columns: sex, income, town."),
        ({"protected": "town"}, "the model does not read this column"),
        ({"explain": True}, "--explain is for models of texts"),
        ({"where": "sex = 'f'"}, "the column holds only 'f'; there is nothing to change it to"),
    ],
)
def test_refused_of_tables(loans, settings, reason):
    path, _, frame = loans
    with pytest.raises(FairauditError) as caught:
        sensitivity(frame.assign(town="x"), model=path, **{"protected": "sex", **settings})
    assert reason in str(caught.value)


def test_a_column_that_the_model_reads_is_missed(loans):
    path, _, frame = loans
    with pytest.raises(FairauditError, match="no column 'income', which the model reads"):
        sensitivity(frame.rename(columns={"income": "incomes"}), model=path, protected="sex")


def test_a_text_pipeline_needs_its_column(pipeline):
    with pytest.raises(FairauditError, match="reads texts: name their column"):
        sensitivity(essays(0.5, n=60), model=pipeline[0], protected="who")


def test_a_folder_without_a_model_is_refused(folders, tmp_path):
    shutil.copy(folders["bert"] / "tokenizer.json", tmp_path)
    with pytest.raises(FairauditError, match="--model"):
        sensitivity(essays(0.5, n=60), text="text", model=tmp_path, protected="words")
