import itertools
import shutil

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from tokenizers import normalizers

from fairaudit.exceptions import FairauditError
from fairaudit.lm.classifiers import TextClassifier
from fairaudit.lm.sensitivity.neural import NeuralProbe
from fairaudit.lm.sensitivity.protected import (
    ProtectedModel,
    Uniform,
    Words,
    _counts,
    _Head,
    train_protected,
)
from tests.lm.sensitivity.conftest import DOES, SENTENCES, WHERE, WHO, save, tokenizer

WOMEN = ("she", "Maria")


def marked(classifier, words, text):
    """Tokens of a text that belong to the words."""
    [batch] = [classifier._batch([0], classifier.read([text]).pieces)]
    weights = Words(words).weigh(batch)[0].tolist()
    spans = batch.pieces[0].spans
    return [text[a:b].strip() for (a, b), weight in zip(spans, weights, strict=True) if weight]


@pytest.mark.parametrize(
    ("words", "text", "wanted"),
    [
        (["she"], "She works; she sleeps", "She she"),
        (["her"], "with her mother", "her"),  # not in "mother"
        (["mother"], "a mother's motherboard", "mother"),
        (["Mother"], "Mother MOTHER mother mOTHER", "Mother MOTHER"),
        (["the sea", "the"], "by the  sea", "the sea"),
        (["a+b"], "not aab", ""),
        (["\u00e9t\u00e9"], "l'\u00c9t\u00e9", "\u00c9t\u00e9"),
    ],
)
def test_words(classifier, words, text, wanted):
    found = "".join(marked(classifier(), words, text)).casefold()
    # Letters of two bytes are two tokens each.
    doubled = wanted.replace(" ", "").casefold().replace("\u00e9", "\u00e9\u00e9")
    assert found == doubled


def test_words_in_a_later_window(classifier):
    task = classifier(window=True)
    text = "Maria reads by the sea. " * 5 + "she"
    pieces = task.read([text]).pieces
    assert len(pieces) > 1
    weights = Words(["she"]).weigh(task._batch(range(len(pieces)), pieces))
    assert (weights.sum(1) > 0).tolist() == [False] * (len(pieces) - 1) + [True]


def test_words_are_named_by_what_they_are():
    assert Words(["she", "he"]).name == Words(["he", " she", "he", ""]).name
    assert Words(["she", "he"]).name != Words(["she he"]).name
    with pytest.raises(FairauditError, match="empty"):
        Words(["", " "])


def test_no_word_no_sensitivity(classifier):
    task = classifier()
    measured = NeuralProbe(task, Words(["she"])).measure(["he works", "she works"])
    assert measured.sensitivity[0] == 0
    assert measured.sensitivity[1] > 0
    assert [share > 0 for _, share in measured.tokens[1]] == [
        token == "she" for token, _ in measured.tokens[1]
    ]


def test_uniform_is_the_mean_over_tokens(classifier):
    task = classifier()
    [plain, mean] = (
        NeuralProbe(task, Uniform(), "token", normalize=n).measure(["she works at night."])
        for n in (False, True)
    )
    [piece] = task.read(["she works at night."]).pieces
    tokens = piece.special.count(False)
    assert mean.sensitivity[0] == pytest.approx(plain.sensitivity[0] / tokens)


def test_a_protected_model_agrees_with_itself(classifier):
    task = classifier()
    assert ProtectedModel(classifier(), task).agreement == pytest.approx(1)
    assert abs(ProtectedModel(classifier("protected"), task).agreement) < 0.2
    assert ProtectedModel(classifier("protected"), task).name != ProtectedModel(task, task).name


def test_other_tokens_are_refused(classifier, folders, tmp_path):
    folder = shutil.copytree(folders["bert"], tmp_path / "cased")
    changed = tokenizer()
    changed.backend_tokenizer.normalizer = normalizers.Lowercase()
    changed.save_pretrained(folder)
    lower = TextClassifier(folder, "lower", device="cpu", option="--protected-model")
    with pytest.raises(FairauditError, match="--protected-model lower: makes other tokens than"):
        ProtectedModel(lower, classifier())


def test_padding_does_not_make_other_tokens(classifier):
    task, same = classifier(), classifier("protected")
    task.predict(["she works", "he"])  # leaves the tokenizer set to cut
    assert ProtectedModel(same, task).agreement < 1


def test_another_width_is_refused(classifier, tmp_path):
    wide = TextClassifier(save(tmp_path, width=32), "wide", device="cpu")
    with pytest.raises(FairauditError, match="embeddings of 32 components, and 16 in --model bert"):
        ProtectedModel(wide, classifier())


def test_a_shorter_context_is_refused(classifier):
    short = classifier("protected")
    short.context = 10
    with pytest.raises(FairauditError, match="reads 10 tokens at once, and --model bert reads 24"):
        ProtectedModel(short, classifier())


def labelled(times=2):
    texts = SENTENCES * times
    labels = ["f" if text.startswith(WOMEN) else "m" for text in texts]
    return texts, labels


def test_a_trained_model_finds_the_words(classifier):
    task = classifier()
    source = train_protected(task, *labelled())
    assert source.classes == ("f", "m")
    assert source.majority == pytest.approx(24 / 40)  # three of the five names
    assert source.accuracy > 0.95
    batch = task._batch([0], task.read(["she works at night."]).pieces)
    norms = source.weigh(batch)[0].norm(dim=-1)
    own = [a for a, (s, e) in enumerate(batch.pieces[0].spans) if (s, e) == (0, 3)]
    tokens = int(batch.counted.sum())
    # A plain mean over the tokens would give each the same.
    assert norms[own].sum() / norms[batch.counted[0]].sum() > 2 / tokens


def test_a_trained_model_is_no_better_on_noise(classifier):
    texts, _ = labelled(1)
    labels = np.random.default_rng(3).permutation(np.arange(len(texts)) % 2).astype(str)
    source = train_protected(classifier(), texts, labels.tolist())
    assert source.majority == 0.5
    assert source.accuracy < 0.8


def test_what_is_held_out_is_not_trained_on(classifier, monkeypatch):
    seen = []
    train = _Head.train

    def spy(head, embeddings, counts, truth, used):
        seen.append((truth, used))
        train(head, embeddings, counts, truth, used)

    monkeypatch.setattr(_Head, "train", spy)
    train_protected(classifier(), *labelled())
    [(truth, used)] = seen
    assert np.bincount(truth[~used]).tolist() == [16, 24]  # a fifth of 80 and of 120


def test_training_is_the_same_each_time(classifier):
    texts, labels = labelled()
    torch.manual_seed(1)
    one = train_protected(classifier(), texts, labels, seed=5)
    torch.manual_seed(2)
    two, three = (train_protected(classifier(), texts, labels, seed=s) for s in (5, 6))
    assert one.name == two.name != three.name
    assert one.accuracy == two.accuracy


def test_training_and_use_give_the_same_probabilities(classifier):
    task = classifier()
    texts, labels = labelled(1)
    source = train_protected(task, texts, labels)
    some = ["she she reads", "Maria works by the sea", ""]
    batch = task._batch([0, 1, 2], task.read(some).pieces)
    embeddings = task.embed(batch.inputs["input_ids"])
    used = source._head(embeddings, batch.counted)
    vocabulary, counts = _counts(task.read(some))
    trained = source._head._logits(task.embed(vocabulary).double(), counts).softmax(-1)
    assert_allclose(used[:2], trained[:2], atol=1e-6)


def test_slopes_of_a_trained_model(classifier):
    task = classifier(dtype="float64")
    source = train_protected(task, *labelled(1))
    batch = task._batch([0], task.read(["she works"]).pieces)
    at, step = task.embed(batch.inputs["input_ids"]), 1e-6
    best = int(source._head(at, batch.counted)[0].argmax())
    slopes = source.weigh(batch)[0]
    for i, j in itertools.product(range(at.shape[1]), (0, 7)):
        shift = torch.zeros_like(at)
        shift[0, i, j] = step
        up, down = (source._head(at + s, batch.counted)[0, best] for s in (shift, -shift))
        assert float(slopes[i, j]) == pytest.approx(float((up - down) / (2 * step)), abs=1e-7)


def test_three_values(classifier):
    texts = [f"{w} {d} {p}." for w, d, p in itertools.product(WHO[:3], DOES, WHERE)] * 2
    labels = [text.split()[0] for text in texts]
    source = train_protected(classifier(), texts, labels)
    assert source.classes == ("Maria", "he", "she")
    assert source.accuracy > 0.9


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["f"] * 100, "only 'f'; expected two values or more"),
        (["f"] * 81 + ["m"] * 19, "19 records of 'm'; a model of it needs 20 of each value"),
    ],
)
def test_too_little_to_learn_from(classifier, labels, said):
    with pytest.raises(FairauditError, match=said):
        train_protected(classifier(), SENTENCES[:100], labels)


def test_nothing_to_learn_from(classifier):
    with pytest.raises(FairauditError, match="no text has a word"):
        train_protected(classifier(), [""] * 40, ["a", "b"] * 20)
    with pytest.raises(FairauditError, match="nothing; expected two values"):
        train_protected(classifier(), [], [])
