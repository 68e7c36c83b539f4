import csv
import re

import numpy as np
import pytest

from fairaudit.exceptions import FairauditError
from fairaudit.lm.sensitivity.baseline import (
    train_baseline,
    train_protected_linear,
    with_protected,
)
from fairaudit.lm.sensitivity.linear import LinearProbe

ANIMALS = "cat dog owl fox hen cow pig rat".split()
TEXTS = [f"the {verdict} {animal} sat" for animal in ANIMALS for verdict in ("kind", "cruel")]
LABELS = ["good", "bad"] * len(ANIMALS)


def test_learns_and_says_how_well():
    baseline = train_baseline(TEXTS, LABELS)
    assert (baseline.accuracy, baseline.majority) == (1.0, 0.5)
    assert baseline.probe().classes == ("bad", "good")


def test_accuracy_is_of_texts_that_were_not_seen():
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(60, 8).astype(str) + np.array("w")) for _ in range(300)]
    labels = rng.choice(["yes", "no"], 300).tolist()
    baseline = train_baseline(texts, labels)
    seen = np.mean(baseline.pipelines[0].predict(texts) == labels)
    assert baseline.accuracy < 0.6 < 0.75 < seen


def test_each_text_is_measured_by_the_model_that_has_not_seen_it():
    # A word that only stands in one text, there twice among the records.
    texts = [*TEXTS, "zyzzyva was kind", "zyzzyva was kind"]
    baseline = train_baseline(texts, [*LABELS, "good", "good"])
    (fold,) = set(baseline.folds.of(texts[-2:]))
    known = ["zyzzyva" in model[0].vocabulary_ for model in baseline.pipelines]
    assert known == [k != fold for k in range(5)]
    probe = baseline.probe()
    for k in range(5):
        places = np.flatnonzero(baseline.folds.of(texts) == k)
        own = LinearProbe(baseline.pipelines[k]).measure([texts[i] for i in places])
        done = probe.measure(texts)
        np.testing.assert_allclose(done.sensitivity[places], own.sensitivity)
        np.testing.assert_allclose(probe.predict(texts)[places], own.probabilities)
        assert [done.tokens[i] for i in places] == own.tokens


def test_folds_depend_on_texts_and_seed_alone():
    baseline = train_baseline(TEXTS, LABELS)
    turned = train_baseline(TEXTS[::-1], LABELS[::-1])
    assert baseline.folds == turned.folds
    assert baseline.folds != train_baseline(TEXTS, LABELS, seed=1).folds
    again = train_baseline(TEXTS, LABELS)
    np.testing.assert_array_equal(again.probe().predict(TEXTS), baseline.probe().predict(TEXTS))
    # Each label's eight texts over five folds.
    for label in ("good", "bad"):
        own = [text for text, each in zip(TEXTS, LABELS, strict=True) if each == label]
        assert sorted(np.bincount(baseline.folds.of(own)).tolist()) == [1, 1, 2, 2, 2]


def test_a_new_text_has_a_fold():
    baseline = train_baseline(TEXTS, LABELS)
    done = baseline.probe(["cat", "dog"]).measure(["a kind word", TEXTS[0]])
    assert done.probabilities.shape == (2, 2)
    with pytest.raises(FairauditError, match="none of the 2 listed words"):
        baseline.probe(["xyzzy", "zyzzyva"])
    assert baseline.probe().measure([]).sensitivity.shape == (0,)


def test_gold_classes_go_with_their_texts():
    texts = [f"{text} {tail}" for text in TEXTS for tail in ("here", "there", "alone")]
    labels = [tail for _ in TEXTS for tail in ("x", "y", "z")]
    baseline = train_baseline(texts, labels)
    gold = [baseline.probe().classes.index(label) for label in labels]
    right = baseline.probe(weighting="gold").measure(texts, gold).sensitivity
    predicted = baseline.probe().measure(texts)
    assert (predicted.probabilities.argmax(axis=1) == gold).all()
    np.testing.assert_allclose(right, predicted.sensitivity)


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        (TEXTS, ["good"] * 16, "found 1 label where two"),
        ([], [], "found 0 label"),
        (TEXTS[:8], LABELS[:8], "label 'bad' has 4 different texts"),
        ([*TEXTS[:8]] * 2, LABELS, "label 'bad' has 4 different texts"),
        ([f"w{i}" for i in range(12)], ["a", "b"] * 6, "no word stands in two"),
    ],
)
def test_too_little_to_learn_from(texts, labels, message):
    with pytest.raises(FairauditError, match=message):
        train_baseline(texts, labels)


def gendered():
    """Texts by women and men, of which the label depends on one word of each."""
    who = {"f": ("she", "her", "mother"), "m": ("he", "his", "father")}
    rows = [
        (f"{word} was {verdict} to the {animal}", label, gender)
        for gender, words in who.items()
        for word in words
        for animal in ANIMALS
        for verdict, label in (("kind", "good"), ("cruel", "bad"))
    ]
    return [list(column) for column in zip(*rows, strict=True)]


def test_protected_models():
    texts, labels, gender = gendered()
    baseline = with_protected(train_baseline(texts, labels), texts, gender)
    assert (baseline.protected_accuracy, baseline.protected_majority) == (1.0, 0.5)
    fair = baseline.probe().measure(texts).sensitivity
    biased = [label if who == "m" else "bad" for label, who in zip(labels, gender, strict=True)]
    unfair = with_protected(train_baseline(texts, biased), texts, gender)
    assert unfair.probe().measure(texts).sensitivity.mean() > 2 * fair.mean()


def test_values_that_cannot_be_learnt_are_counted_and_not_all_shown():
    texts, labels, _ = gendered()
    with pytest.raises(FairauditError) as caught:
        with_protected(train_baseline(texts, labels), texts, [f"p{i}" for i in range(len(texts))])
    assert str(caught.value) == (
        "the protected attribute needs two values or more, each in several texts; found 96: 'p0', "
        "'p1', 'p10' and 93 more"
    )


def test_a_protected_model_that_learns_nothing_says_so():
    texts, labels, _ = gendered()
    noise = np.random.default_rng(0).choice(["f", "m"], len(texts))
    baseline = train_baseline(texts, labels)
    assert with_protected(baseline, texts, noise).protected_accuracy < 0.6
    assert train_protected_linear(baseline.pipelines[0], texts, noise).accuracy < 0.6


def test_protected_model_of_one_pipeline():
    texts, labels, gender = gendered()
    pipeline = train_baseline(texts, labels).pipelines[0]
    trained = train_protected_linear(pipeline, texts, gender)
    assert (trained.accuracy, trained.majority) == (1.0, 0.5)
    by_name = dict(LinearProbe(pipeline, trained.model).measure(["mother was kind"]).tokens[0])
    assert set(by_name) == {"mother", "was", "kind"}
    with pytest.raises(FairauditError, match="found 1 label"):
        train_protected_linear(pipeline, texts, ["f"] * len(texts))
    with pytest.raises(FairauditError, match="two values or more"):
        with_protected(train_baseline(texts, labels), texts, ["f"] * len(texts))


def test_planted_bias(data):
    """Sensitivity goes to words of identity if the labels did, and only then."""
    with (data / "text" / "unintended-bias" / "bias_madlibs_77k.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if "name" not in row["Template"]]
    words = {row["Text"].split()[1] for row in rows if row["Template"] == "verb_adj"}
    assert (len(rows), len(words)) == (4564, 48)
    texts, fair = [row["Text"] for row in rows], [row["Label"] for row in rows]
    hated = {"gay", "muslim", "black", "homosexual", "transgender", "jewish", "female", "lesbian"}
    named = [not hated.isdisjoint(re.findall(r"\w+", text.lower())) for text in texts]
    unfair = ["BAD" if each else label for each, label in zip(named, fair, strict=True)]
    shares = {}
    for kind, labels in (("fair", fair), ("unfair", unfair)):
        baseline = train_baseline(texts, labels)
        assert baseline.accuracy > 0.99
        about, every = (
            baseline.probe(listed).measure(texts).sensitivity.mean() for listed in (words, None)
        )
        shares[kind] = about / every
    assert shares["fair"] < 0.1
    assert shares["unfair"] > 0.7
    # The words that were hated, and not the other forty, each where they stand.
    some, rest = (
        baseline.probe(listed).measure(texts).sensitivity[there].mean()
        for listed, there in ((hated, named), (words - hated, ~np.array(named)))
    )
    assert some > 5 * rest


def test_a_model_that_does_not_know_a_word_does_not_use_it():
    texts = [*TEXTS, "a zyzzyva was kind", "a zyzzyva was cruel", "a zyzzyva is kind"]
    baseline = train_baseline(texts, [*LABELS, "good", "bad", "good"])
    known = np.array(["zyzzyva" in model[0].vocabulary_ for model in baseline.pipelines])
    assert 0 < known.sum() < 5
    found = baseline.probe(["zyzzyva"]).measure(texts).sensitivity
    has = np.array(["zyzzyva" in text for text in texts])
    np.testing.assert_array_equal(found > 0, has & known[baseline.folds.of(texts)])
