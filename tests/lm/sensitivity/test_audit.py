import itertools
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

import fairaudit
from fairaudit.exceptions import FairauditError
from fairaudit.lm.classifiers import TextClassifier
from fairaudit.lm.sensitivity import reading
from fairaudit.lm.sensitivity.audit import sensitivity
from fairaudit.lm.sensitivity.baseline import train_baseline, train_protected_linear, with_protected
from fairaudit.lm.sensitivity.encoder import train_encoder_baseline
from fairaudit.lm.sensitivity.linear import LinearProbe
from fairaudit.lm.sensitivity.neural import NeuralProbe
from fairaudit.lm.sensitivity.probes import _listed_words
from fairaudit.lm.sensitivity.protected import ProtectedModel, Uniform, Words, train_protected
from fairaudit.lm.sensitivity.tabular import TabularProbe
from fairaudit.lm.swap import Swapper
from tests.lm.sensitivity.conftest import SENTENCES
from tests.lm.test_classifiers import several

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
    probe = baseline.probe(WORDS if protected == "words" else None)

    def predict(own, text):
        (fold,) = baseline.folds.of([own])
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
    said = (
        "Role reversal of gender words changes 58 of 58 texts; CF change and CF flips are of these."
    )
    assert said in audit.notes


def test_records_without_the_protected_value_are_measured_all_the_same():
    for last, said in ((4, "5 records have no who"), (0, "1 record has no who")):
        frame = essays(0.5, n=60)
        frame.loc[:last, "who"] = None
        audit = sensitivity(frame, text="text", label="label", protected="who")
        assert audit.records.used == 60
        without = "them" if last else "it"
        assert f"{said}; the model of it was trained without {without}." in audit.notes


def test_undefined_without_words_to_reverse():
    frame = essays(0.5, n=60)
    frame["text"] = frame.text.str.replace("she", "it").str.replace("he ", "they ")
    audit = sensitivity(frame, text="text", label="label", protected="uniform")
    assert three(audit)[1:] == [None, None]
    said = "Role reversal of gender words changes none of 60 texts, so CF figures are undefined."
    assert said in audit.notes


def test_own_word_list(tmp_path):
    path = tmp_path / "list.toml"
    path.write_text('attribute = "manner"\npairs = [["kind", "cruel"]]\n')
    frame = essays(0.0, n=100)
    settings = {"text": "text", "label": "label", "protected": "words"}
    audit = sensitivity(frame, **settings, swap_list=path)
    assert value(audit, "counterfactual_flip_rate") == 1
    gender = sensitivity(frame, **settings)
    assert value(audit, "prediction_sensitivity") > 10 * value(gender, "prediction_sensitivity")
    assert re.fullmatch(r"manner [0-9a-f]{12}", audit.settings["swap"])
    assert gender.settings["swap"] == "gender"
    assert "|swap:gender|" in gender.signature
    assert "Role reversal of manner words changes 100 of 100 texts" in notes(audit)


def test_own_names(tmp_path):
    path = tmp_path / "names.csv"
    path.write_text("name,gender,count\nWill,m,5\nMary,f,4\n")
    frame = essays(0.0, n=100)
    frame["text"] = frame.text.str.replace("she", "Mary").str.replace("he ", "Will will ")
    settings = {"text": "text", "label": "label", "protected": "words"}
    audit = sensitivity(frame, **settings, names=path)
    assert "Role reversal of gender words changes 100 of 100 texts" in notes(audit)
    assert re.fullmatch(r"gender [0-9a-f]{12}", audit.settings["swap"])
    pairs = tmp_path / "names.toml"
    pairs.write_text('names = [["Mary", "Will"]]\n')
    again = sensitivity(frame, **settings, names=pairs)
    assert again.settings["swap"] == audit.settings["swap"]
    with pytest.raises(FairauditError, match="none of the .* listed words is known"):
        sensitivity(frame, **settings)


@pytest.mark.parametrize(
    ("column", "values", "told"),
    [
        ("who", ("north", "south"), True),
        ("who", ("Female", "male"), False),
        ("author_gender", ("a", "b"), False),
        ("SEX", ("a", "b"), False),
        ("writerSex", ("a", "b"), False),
        ("sexuality", ("a", "b"), True),
        ("transgender", ("a", "b"), True),
    ],
)
def test_reversal_of_another_attribute_than_the_column_is_told(column, values, told):
    frame = essays(0.5, n=60)
    frame[column] = [values[who == "she"] for who in frame.who]
    audit = sensitivity(frame, text="text", label="label", protected=column)
    said = (
        f"CF change and CF flips are about gender, not about {column}: --swap-list FILE gives "
        f"words of {column}."
    )
    assert (said in audit.notes) == told


def test_with_a_list_of_its_own_reversal_is_about_what_was_given(tmp_path):
    path = tmp_path / "list.toml"
    path.write_text('pairs = [["kind", "cruel"]]\n')
    frame = essays(0.5, n=60).assign(region=lambda f: f.who)
    audit = sensitivity(frame, text="text", label="label", protected="region", swap_list=path)
    assert "CF change and CF flips are about" not in notes(audit)


def test_texts_without_a_listed_word_are_counted_as_they_are():
    # Listed, but not known to the model: only in one text. And none at all, in another.
    frame = essays(0.5, n=60)
    frame.loc[0, "text"] = "our waitress is kind here 1th"
    frame.loc[1, "text"] = "it is cruel there 2th"
    audit = sensitivity(frame, text="text", label="label", protected="words")
    said = "No listed word stands in 1 of 60 texts; the sensitivity of 2 texts is 0."
    assert said in audit.notes
    alone = sensitivity(frame[1:], text="text", label="label", protected="words")
    said = "No listed word stands in 1 of 59 texts; the sensitivity of 1 text is 0."
    assert said in alone.notes
    assert "listed word" not in notes(
        sensitivity(frame[2:], text="text", label="label", protected="words")
    )


@pytest.mark.parametrize("protected", ["uniform", "who"])
def test_texts_of_unknown_words_are_counted_whatever_is_protected(protected):
    frame = essays(0.5, n=60)
    frame["text"] = [f"zz{i} xx{i}" if i % 20 == 0 else t for i, t in enumerate(frame["text"])]
    settings = {"text": "text", "label": "label", "protected": protected}
    said = (
        "The sensitivity of 3 of 60 texts is 0, which counts in the mean: the model knows none of "
        "their words, or none moves it."
    )
    assert said in sensitivity(frame, **settings).notes
    known = frame[~frame.text.str.startswith("zz")]
    assert "counts in the mean" not in notes(sensitivity(known, **settings))


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
    probe = LinearProbe(model, about, weighting, normalize=False)
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
    without = sum({"he", "she", "her"}.isdisjoint(text.split()) for text in SENTENCES)
    assert (without, (rows[:, 0] == 0).sum()) == ((48, 48) if protected == "words" else (48, 0))
    said = "No listed word stands in 48 of 100 texts; the sensitivity of 48 texts is 0."
    assert (said in audit.notes) == (protected == "words")


@pytest.mark.parametrize("protected", ["who", "words", "uniform"])
def test_a_baseline_on_an_encoder_is_what_its_probe_measures(folders, protected):
    frame = essays(0.5, 120)
    texts = frame["text"].tolist()
    baseline = train_encoder_baseline(folders["distilbert"], texts, frame["label"], device="cpu")
    source = {
        "who": lambda: train_protected(baseline, texts, frame["who"]),
        "words": lambda: Words(_listed_words(Swapper().lexicon)),
        "uniform": Uniform,
    }[protected]()
    audit = sensitivity(
        frame, text="text", label="label", encoder=folders["distilbert"], by="who",
        protected=protected, device="cpu",
    )  # fmt: skip
    probe = baseline.probe(source)
    rows = slow(probe, lambda own, text: baseline.predict_as([own], [text])[0], texts)
    check_groups(audit, rows, frame["who"])
    assert audit.settings["model"].startswith("baseline: DistilBertModel ")
    assert audit.settings["form"] == "elementwise"
    assert "logistic regression on the mean of the last layer of" in notes(audit)


def test_of_several_labels_the_one_that_is_named_is_measured(tmp_path):
    folder = several(tmp_path)
    settings = {"text": "text", "model": folder, "protected": "uniform", "device": "cpu"}
    frame = pd.DataFrame({"text": SENTENCES[:6]})
    found = {name: sensitivity(frame, **settings, target=name) for name in ("toxic", "threat")}
    for name, audit in found.items():
        probe = NeuralProbe(TextClassifier(folder, "m", "cpu", target=name), Uniform())
        mean = probe.measure(SENTENCES[:6], None).sensitivity.mean()
        assert value(audit, "prediction_sensitivity") == pytest.approx(mean)
        assert audit.settings["class"] == name
    with pytest.raises(FairauditError, match="name one of them: --class NAME"):
        sensitivity(frame, **settings)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"model": "some", "encoder": "other"}, "--encoder is what a baseline is trained on"),
        ({"encoder": "other", "label": "label", "target": "x"}, "--class is for a model"),
        ({"label": "label", "target": "x"}, "--class is for a model folder"),
        ({"label": "label", "encoder": "nowhere/at/all"}, "--encoder nowhere/at/all: no such"),
    ],
)
def test_options_of_encoders_and_classes(given, says):
    with pytest.raises(FairauditError, match=re.escape(says)):
        sensitivity(essays(0.5, 60), text="text", protected="who", **given)


def test_long_texts_are_counted_or_read_in_windows(folders):
    frame = pd.DataFrame({"text": ["he works " * 20, "she sleeps"]})
    settings = {"text": "text", "model": folders["bert"], "protected": "uniform", "device": "cpu"}
    assert "Of 1 text only the beginning was read" in notes(sensitivity(frame, **settings))
    assert "beginning" not in notes(sensitivity(frame, **settings, window=True))


def test_normalising_takes_the_mean_over_tokens_and_does_not_make_lengths_compare(folders):
    short = pd.DataFrame({"text": [text for text in SENTENCES if len(text) < 25]})
    settings = {"model": folders["bert"], "protected": "uniform", "device": "cpu"}
    ratios = []
    for normalize in (True, False):
        once, twice = (
            sensitivity(frame, text="text", **settings, normalize=normalize)
            for frame in (short, short + " " + short)
        )
        assert "beginning" not in notes(twice)
        ratios.append(
            value(twice, "prediction_sensitivity") / value(once, "prediction_sensitivity")
        )
    assert ratios[0] < 0.8
    assert ratios[1] > 1.5 * ratios[0]


def test_of_two_models_with_other_embeddings_norms_are_taken(folders):
    frame = pd.DataFrame({"text": SENTENCES[:5]})
    settings = {"text": "text", "model": folders["bert"], "device": "cpu"}
    settings["protected"] = str(folders["protected"])
    audit, token = (sensitivity(frame, **settings, **form) for form in ({}, {"form": "token"}))
    assert audit.estimates == token.estimates
    assert audit.settings["form"] == "token"
    assert "As the embeddings of the two models differ (mean cosine" in notes(audit)
    assert "embeddings" not in notes(token)
    with pytest.raises(FairauditError, match=r"--form elementwise: .* Use --form token\."):
        sensitivity(frame, **settings, form="elementwise")


def test_of_two_models_with_like_embeddings_components_are_taken(folders):
    frame = pd.DataFrame({"text": SENTENCES[:5]})
    settings = {"text": "text", "model": folders["bert"], "device": "cpu"}
    audit = sensitivity(frame, **settings, protected=str(folders["bert"]))
    assert audit.settings["form"] == "elementwise"
    assert "embeddings" not in notes(audit)


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
    ("protected", "kind", "metric"),
    [
        ("sex", "changed_value", "changed_value"),
        ("income", "derivative", "prediction_sensitivity"),
    ],
)
def test_table(loans, protected, kind, metric, tmp_path):
    path, model, frame = loans
    source = tmp_path / "loans.csv"
    frame.to_csv(source, index=False)
    audit = sensitivity(source, model=path, protected=protected, by="sex")
    probe = TabularProbe(model, protected, {name: frame[name].to_numpy() for name in frame})
    found = probe.measure({name: frame[name].to_numpy() for name in frame}).sensitivity
    assert (audit.settings["measure"], probe.kind) == (kind, kind)
    for group in "fm":
        expected = found[(frame.sex == group).to_numpy()].mean()
        assert value(audit, metric, group) == pytest.approx(expected)
    assert {row.metric for row in audit.estimates} == {metric}
    assert audit.settings["weighting"] == (None if kind == "changed_value" else "predicted")


def flagged(n=200, seed=0):
    """A table with a truth value, its true effect, and what a model that knows both answers."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"flag": rng.random(n) < 0.5, "age": rng.normal(40, 10, n)})
    return frame, (rng.random(n) < np.where(frame.flag, 0.9, 0.1)).astype(bool)


def encoded(frame, labels, path, column="flag"):
    """A model that takes what it does not know of a column for nothing, in a file."""
    encode = OneHotEncoder(handle_unknown="ignore")
    columns = make_column_transformer((encode, [column]), (StandardScaler(), ["age"]))
    model = make_pipeline(columns, LogisticRegression()).fit(frame[[column, "age"]], labels)
    skops.io.dump(model, path)
    return model


def effect(model, frame, values, column="flag"):
    """Mean total variation between the predictions at two values."""
    f, g = (model.predict_proba(frame.assign(**{column: value})) for value in values)
    return np.abs(f - g).sum(axis=1).mean() / 2


@pytest.mark.parametrize(
    ("suffix", "write"),
    [("csv", str), ("csv", str.lower), ("csv", str.upper), ("jsonl", None), ("parquet", None)],
)
def test_truth_values_are_those_of_pandas(suffix, write, tmp_path):
    frame, labels = flagged()
    model, source = encoded(frame, labels, tmp_path / "m.skops"), tmp_path / f"t.{suffix}"
    if suffix == "parquet":
        frame.to_parquet(source)
    elif suffix == "jsonl":
        frame.to_json(source, orient="records", lines=True)
    else:
        frame.assign(flag=frame.flag.astype(str).map(write)).to_csv(source, index=False)
    audit = sensitivity(source, model=tmp_path / "m.skops", protected="flag")
    expected = effect(model, frame, (True, False))
    assert expected > 0.5
    assert value(audit, "changed_value") == pytest.approx(expected)
    assert "No prediction moves" not in notes(audit)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_one_missing_truth_value_changes_no_other(suffix, tmp_path):
    whole, labels = flagged()
    frame, source = whole.astype({"flag": object}), tmp_path / f"t.{suffix}"
    frame.loc[3, "flag"] = None
    (frame.to_csv if suffix == "csv" else frame.to_parquet)(source, index=False)
    read = (pd.read_csv if suffix == "csv" else pd.read_parquet)(source)
    model = encoded(read, labels, tmp_path / "m.skops")
    settings = {"model": tmp_path / "m.skops", "by": "flag"}
    audit = sensitivity(source, **settings, protected="flag")
    there = read[read.flag.notna()]
    assert value(audit, "changed_value") == pytest.approx(effect(model, there, (True, False)))
    # As a feature beside another, a hole is what it was in training.
    columns = {"flag": read.flag.to_numpy(dtype=object), "age": read.age.to_numpy()}
    expected = TabularProbe(model, "age", columns).measure(columns).sensitivity
    audit = sensitivity(source, **settings, protected="age")
    assert value(audit, "prediction_sensitivity") == pytest.approx(expected.mean())
    assert value(audit, "prediction_sensitivity", "(missing)") == pytest.approx(expected[3])


@pytest.mark.parametrize("category", [False, True])
def test_codes_that_are_text_stay_text(category, tmp_path):
    frame, labels = flagged()
    frame["code"] = np.where(frame.flag, "1", "2")
    model = encoded(frame, labels, tmp_path / "m.skops", "code")
    expected = effect(model, frame, ("1", "2"), "code")
    typed = frame.astype({"code": "category"}) if category else frame
    typed.to_parquet(tmp_path / "t.parquet")
    for source in (typed, tmp_path / "t.parquet"):
        audit = sensitivity(source, model=tmp_path / "m.skops", protected="code")
        assert value(audit, "changed_value") == pytest.approx(expected)


def test_how_columns_were_read_is_told_where_the_model_refuses_them(tmp_path):
    frame, labels = flagged()
    frame["code"] = np.where(frame.flag, "1", "2")
    columns = make_column_transformer((OneHotEncoder(), ["code"]), remainder="passthrough")
    model = make_pipeline(columns, LogisticRegression(max_iter=1000))
    names = ["code", "flag", "age"]
    skops.io.dump(model.fit(frame[names], labels), tmp_path / "m.skops")
    frame.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(FairauditError) as caught:
        sensitivity(tmp_path / "t.csv", model=tmp_path / "m.skops", protected="code")
    said = (
        " Columns were read as numbers: code, age; truth values: flag. If the model knows other "
        "types, give a Parquet file, which keeps them."
    )
    assert str(caught.value).endswith(said)
    assert "\n" not in str(caught.value)


def test_a_column_whose_values_the_model_does_not_know_is_told(tmp_path):
    frame, labels = flagged()
    sex = {True: "male", False: "female"}
    encoded(frame.assign(sex=frame.flag.map(sex)), labels, tmp_path / "m.skops", "sex")
    settings = {"model": tmp_path / "m.skops", "protected": "sex"}
    audit = sensitivity(frame.assign(sex=frame.flag.map(sex).str.title()), **settings)
    assert value(audit, "changed_value") == 0
    said = (
        "No prediction moves with sex: the model makes no use of it, or does not know its values, "
        "which were read as text: 'Female', 'Male'."
    )
    assert said in audit.notes
    known = sensitivity(frame.assign(sex=frame.flag.map(sex)), **settings)
    assert "No prediction moves" not in notes(known)


def test_numbers_that_the_model_does_not_know_are_told(tmp_path):
    frame, labels = flagged()
    frame["code"] = np.arange(len(frame)) % 5 + 1
    encoded(frame.assign(code=frame.code + 10), labels, tmp_path / "m.skops", "code")
    audit = sensitivity(frame, model=tmp_path / "m.skops", protected="code")
    assert audit.settings["measure"] == "derivative"
    assert "which were read as numbers: 1.0, 2.0, 3.0 and 2 more." in notes(audit)


def test_of_many_numbers_twenty_stand_for_all(tmp_path):
    frame = pd.DataFrame({"age": np.arange(60.0) % 30})
    path = tmp_path / "m.skops"
    for ages, others in ((30, "up to 20 other values"), (20, "each other value")):
        some = frame[frame.age < ages]
        skops.io.dump(DecisionTreeClassifier().fit(some, some.age > 9), path)
        audit = sensitivity(some, model=path, protected="age")
        assert audit.settings["measure"] == "changed_value"
        assert f"those with {others} of age, all else equal" in notes(audit)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_truth_values_as_labels(suffix, tmp_path):
    frame, labels = flagged()
    frame, source = frame.assign(label=labels), tmp_path / f"t.{suffix}"
    (frame.to_csv if suffix == "csv" else frame.to_parquet)(source, index=False)
    model = LogisticRegression().fit(frame[["age", "flag"]], labels)
    skops.io.dump(model, tmp_path / "m.skops")
    settings = {"model": tmp_path / "m.skops", "protected": "age"}
    audit = sensitivity(source, **settings, weighting="gold", label="label")
    # Of two classes both have the same gradient.
    predicted = sensitivity(source, **settings)
    name = "prediction_sensitivity"
    assert value(audit, name) == pytest.approx(value(predicted, name), rel=1e-9)


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
    found = baseline.probe(WORDS).measure(frame.text[:50].tolist())
    parts = [dict(t)["he"] / p for t, p in zip(found.tokens, found.sensitivity, strict=True)]
    assert alone["mean"] == pytest.approx(np.mean(parts))


def test_equal_texts_are_listed_once(monkeypatch):
    monkeypatch.setattr(reading, "_AT_ONCE", 7)
    frame = essays(0.9, n=60)
    many = pd.concat([frame] * 3).reset_index(drop=True)
    audit = sensitivity(
        many, text="text", label="label", protected="words", explain=True, resamples=100
    )
    rows = [e.content for e in audit.explanations if e.kind == "sensitive_text"]
    assert [row["records"] for row in rows] == [3] * 10
    assert len({tuple(token for token, _ in row["tokens"]) for row in rows}) == 10
    sizes = [row["sensitivity"] for row in rows]
    assert sizes == sorted(sizes, reverse=True)
    baseline = train_baseline(many.text.tolist(), many.label.tolist())
    found = baseline.probe(WORDS).measure(sorted(set(frame.text)))
    np.testing.assert_allclose(sizes, sorted(found.sensitivity)[:-11:-1])


def test_words_of_a_text_stand_in_its_order():
    frame = essays(0.9, n=60)
    audit = sensitivity(frame, text="text", label="label", protected="words", explain=True)
    texts = [e.content for e in audit.explanations if e.kind == "sensitive_text"]
    for each in texts:
        assert " ".join(token for token, _ in each["tokens"]) in set(frame.text)


def test_features_that_are_no_words_are_called_features(tmp_path):
    frame = essays(0.9, n=60)
    vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(2, 3))
    skops.io.dump(
        make_pipeline(vectorizer, LogisticRegression()).fit(frame.text, frame.label),
        tmp_path / "model.skops",
    )
    settings = {"text": "text", "model": tmp_path / "model.skops", "protected": "words"}
    said = "The model reads no words but pieces of texts: what is listed are its features."
    assert said in sensitivity(frame, **settings, explain=True).notes
    assert said not in sensitivity(frame, **settings).notes


def test_nothing_is_quoted_unasked(tmp_path):
    frame = essays(0.9, n=60)
    settings = {"text": "text", "label": "label", "protected": "words"}
    assert not sensitivity(frame, **settings).explanations
    with pytest.raises(FairauditError, match="--explain quotes words of the data, --no-texts"):
        sensitivity(frame, **settings, explain=True, texts=False)
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
        ({"form": "token"}, "--form is for a model folder, and here a baseline is trained"),
        ({"window": True}, "--window is for a model folder"),
        ({"batch": 32}, "--batch-size is for a model folder"),
        ({"device": "auto"}, "--device is for a model folder"),
        ({"allow_pickle": True}, "--allow-pickle is for a model folder"),
        (
            {"label": None, "model": "no.skops", "allow_pickle": True},
            "--allow-pickle is for a model folder, and here no.skops is a file: leave it out.",
        ),
        ({"label": None, "model": "no.skops", "form": "token"}, "--form is for a model folder"),
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
        ({"names": "names.csv"}, "--names is for models of texts"),
        ({"normalize": False}, "--normalize is for models of texts"),
        ({"normalize": True}, "--normalize is for models of texts"),
        ({"form": "token"}, "--form is for a model folder"),
        (
            {"weighting": "uniform"},
            "--weighting is for derivatives; here the value of sex is changed, and all classes "
            "count: leave it out.",
        ),
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
