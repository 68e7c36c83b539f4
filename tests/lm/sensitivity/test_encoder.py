import json

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from transformers import BertForMaskedLM, GPT2LMHeadModel

from fairaudit.exceptions import FairauditError
from fairaudit.lm import checkpoints
from fairaudit.lm.sensitivity.baseline import Folds, train_baseline
from fairaudit.lm.sensitivity.encoder import EncoderBaseline, train_encoder_baseline
from fairaudit.lm.sensitivity.protected import ProtectedModel, Uniform, Words, train_protected
from tests.lm.sensitivity.conftest import CONTEXT, SENTENCES, save, settings, tokenizer
from tests.lm.sensitivity.test_neural import by_hand

KINDS = ("bert", "roberta", "distilbert", "gpt2")
#: Who, of five, is the first word: of women, men and nobody.
WHO = ["she", "he", "she", "he", "nobody"]
LABELS = [WHO[i // 20] for i in range(100)]
TWO = ["a woman" if label == "she" else "another" for label in LABELS]
LONG = "Maria reads for her mother. " * 6


@pytest.fixture(autouse=True)
def one_thread():
    """On tiny matrices more threads only wait for each other."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def train(folders):
    """A maker of baselines of an encoder of some kind."""

    def make(kind="bert", texts=SENTENCES, labels=LABELS, seed=0, **options):
        options = {"device": "cpu", **options}
        return train_encoder_baseline(folders[kind], texts, labels, seed, **options)

    return make


def means(baseline, text):
    """The mean of the last hidden layer over a text's tokens, one text at a time."""
    [piece] = baseline.read([text]).pieces
    hidden = baseline._model(torch.tensor([piece.tokens])).last_hidden_state[0]
    inner = torch.tensor(piece.special) == 0
    return hidden[inner].mean(0).detach().double().numpy()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch", [1, 7])
def test_features_are_means_over_the_tokens_of_the_text(train, kind, batch):
    baseline = train(kind, dtype="float64", batch=batch)
    texts = ["she", "Maria reads by the sea.", "he works"]
    features, record = baseline._features(texts, lambda done, total: None)
    assert record.tolist() == [0, 1, 2]
    assert_allclose(features, [means(baseline, text) for text in texts], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
@pytest.mark.parametrize("labels", [LABELS, TWO])
def test_heads_are_the_logistic_regressions_of_the_otherfolds(train, kind, labels):
    baseline = train(kind, labels=labels, dtype="float64")
    features = np.stack([means(baseline, text) for text in SENTENCES])
    fold, answers = baseline.folds.of(SENTENCES), np.array(labels)
    said, right = np.empty((100, len(set(labels)))), np.zeros(100, bool)
    for k in range(5):
        unit = StandardScaler().fit(features[fold != k])
        model = LogisticRegression(max_iter=10_000, tol=1e-9)
        model.fit(unit.transform(features[fold != k]), answers[fold != k])
        assert baseline.classes == tuple(model.classes_)
        held = unit.transform(features[fold == k])
        said[fold == k] = model.predict_proba(held)
        right[fold == k] = model.predict(held) == answers[fold == k]
    assert_allclose(baseline.predict(SENTENCES), said, atol=1e-5)
    assert baseline.accuracy == right.mean()
    assert baseline.majority == max(labels.count(label) for label in labels) / 100
    assert baseline.accuracy > baseline.majority + 0.1


def test_folds_are_those_of_the_other_baseline(train):
    own, other = train(seed=3), train_baseline(SENTENCES, LABELS, seed=3)
    texts = [*SENTENCES, "new", "newer", "newest", ""]
    np.testing.assert_array_equal(own.folds.of(texts), other.folds.of(texts))
    assert len(set(own.folds.of(SENTENCES))) == 5


def test_labels_of_a_text_do_not_reach_its_own_head(folders):
    folds = Folds({text: i % 5 for i, text in enumerate(SENTENCES)}, 0)
    turned = [WHO[WHO.index(x) - 1] if i % 5 == 2 else x for i, x in enumerate(LABELS)]

    def predict(labels):
        own = EncoderBaseline(folders["bert"], "bert", SENTENCES, labels, folds, device="cpu")
        return own.predict(SENTENCES)

    before, after = predict(LABELS), predict(turned)
    same = np.abs(before - after).max(1) == 0
    np.testing.assert_array_equal(same, np.arange(100) % 5 == 2)


def test_accuracy_is_of_texts_that_were_not_seen(tmp_path):
    # Of many features, any labels can be learnt in part by heart.
    noise = np.random.default_rng(0).choice(["yes", "no"], 100).tolist()
    folder = save(tmp_path, width=64)
    baseline = train_encoder_baseline(folder, SENTENCES, noise, device="cpu")
    assert baseline.accuracy < 0.6 < 0.65 < seen(baseline, noise)


def seen(baseline, labels):
    """Share of the labels that heads get right which have seen their texts."""
    fold = baseline.folds.of(SENTENCES)
    others = [SENTENCES[int(np.flatnonzero(fold == (k + 1) % 5)[0])] for k in fold]
    said = baseline.predict_as(others, SENTENCES).argmax(1)
    return np.mean([baseline.classes[i] == label for i, label in zip(said, labels, strict=True)])


def test_equal_texts_share_a_fold_and_order_changes_nothing(train):
    texts, labels = SENTENCES * 2, LABELS * 2
    twice, turned = train(texts=texts, labels=labels), train(texts=texts[::-1], labels=labels[::-1])
    assert twice.folds == turned.folds
    assert_allclose(twice.predict(SENTENCES), turned.predict(SENTENCES), atol=1e-4)
    assert len(twice.folds.known) == 100


def differences(baseline, text):
    """Central differences of a text's probabilities by its embeddings, (K, n, m)."""
    [piece] = baseline.read([text]).pieces
    k = int(baseline.folds.of([text])[0])
    weights, biases = baseline._weights[k], baseline._biases[k]
    inner = torch.tensor(piece.special) == 0
    at = baseline.embed([piece.tokens])[0]
    shift = 1e-5 * torch.eye(at.numel(), dtype=at.dtype).reshape(-1, *at.shape)
    with torch.no_grad():
        up, down, here = (
            (baseline._model(inputs_embeds=x).last_hidden_state[:, inner].mean(1) @ weights.T)
            .add(biases).softmax(-1).numpy()
            for x in (at + shift, at - shift, at[None])
        )  # fmt: skip
    return here[0], ((up - down) / 2e-5).T.reshape(-1, *at.shape)[:, inner.numpy()]


@pytest.mark.parametrize("kind", ["bert", "distilbert", "gpt2"])
@pytest.mark.parametrize("form", ["elementwise", "token"])
@pytest.mark.parametrize("weighting", ["predicted", "uniform", "gold"])
def test_sensitivity_through_encoder_and_head(train, kind, form, weighting):
    baseline = train(kind, dtype="float64")
    texts, gold = [SENTENCES[0], SENTENCES[47], "she"], [0, 1, 2]
    measured = baseline.probe(Uniform(), form, weighting).measure(texts, gold)
    for i, text in enumerate(texts):
        f, g = differences(baseline, text)
        w = {"uniform": np.full(3, 1 / 3), "gold": np.eye(3)[gold[i]]}
        w = w.get(weighting, np.eye(3)[f.argmax()])
        assert_allclose(measured.probabilities[i], f, atol=1e-10)
        wanted = by_hand(g, np.ones(g.shape[1]), w, form, True)
        assert_allclose(measured.sensitivity[i], wanted, rtol=1e-5, atol=1e-12)
        assert wanted > 1e-6


def test_zero_for_heads_that_look_at_nothing(train):
    baseline = train()
    baseline._weights = torch.zeros_like(baseline._weights)
    measured = baseline.probe(Uniform()).measure(SENTENCES)
    assert measured.sensitivity.tolist() == [0] * 100
    biases = baseline._biases.softmax(-1).numpy()
    assert_allclose(measured.probabilities, biases[baseline.folds.of(SENTENCES)])


def test_words_and_a_trained_column_and_a_model(train, classifier):
    baseline = train()
    women = baseline.probe(Words(["she", "Maria"])).measure(SENTENCES).sensitivity
    assert [size > 0 for size in women] == [text.startswith(("she", "Maria")) for text in SENTENCES]
    found = train_protected(baseline, SENTENCES, TWO)
    assert found.accuracy == 1
    measured = baseline.probe(found).measure(SENTENCES)
    assert (measured.sensitivity > 0).all()
    model = ProtectedModel(classifier("protected"), baseline)
    assert (baseline.probe(model, "token").measure(SENTENCES).sensitivity > 0).all()


def test_tokens_are_words_and_add_up(train):
    measured = train().probe(Uniform()).measure(["zyzzyva reads"])
    assert [name for name, _ in measured.tokens[0]] == ["zyzzyva", "reads"]
    assert_allclose(sum(share for _, share in measured.tokens[0]), measured.sensitivity[0])


def test_reversed_texts_are_answered_by_the_head_of_the_text(train):
    baseline = train(dtype="float64")
    probe = baseline.probe(Uniform())
    others = [text.replace("she", "he") for text in SENTENCES]
    said = probe.predict_as(SENTENCES, others)
    for text, other, row in zip(SENTENCES, others, said, strict=True):
        k = int(baseline.folds.of([text])[0])
        scores = baseline._weights[k].numpy() @ means(baseline, other)
        raised = np.exp(scores + baseline._biases[k].numpy())
        assert_allclose(row, raised / raised.sum(), rtol=1e-8)
    assert_allclose(probe.predict_as(SENTENCES, SENTENCES), probe.predict(SENTENCES))
    assert np.abs(said - probe.predict(others)).max() > 1e-3
    assert probe.predict_as([], []).shape == (0, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_batch_changes_nothing(train, kind):
    texts = [*SENTENCES[::9], "", LONG]
    found = [train(kind, batch=batch).probe(Uniform()).measure(texts) for batch in (1, 64)]
    assert_allclose(found[0].probabilities, found[1].probabilities, atol=1e-3)
    assert_allclose(found[0].sensitivity, found[1].sensitivity, rtol=1e-2, atol=1e-6)
    assert found[0].truncated.tolist() == [False] * (len(texts) - 1) + [True]


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_windows_count_once_in_training(train, kind):
    # Read in windows, a text three times over is three examples of a third each.
    baseline = train(kind, window=True, dtype="float64")
    length = max(len(piece.tokens) for piece in baseline.read(SENTENCES).pieces)
    assert length <= CONTEXT
    long = [*SENTENCES[:-1], LONG]
    windows = train(kind, texts=long, window=True, dtype="float64")
    reading = windows.read(long)
    features, record = windows._features(long, lambda done, total: None)
    assert np.bincount(record)[-1] == len(reading.pieces) - 99 > 1
    fold = windows.folds.of(long)
    k = next(k for k in range(5) if k != fold[-1])
    weights = (1 / np.bincount(record)[record])[fold[record] != k]
    x, y = features[fold[record] != k], np.array(LABELS)[record][fold[record] != k]
    unit = StandardScaler().fit(x, sample_weight=weights)
    model = LogisticRegression(max_iter=10_000, tol=1e-9).fit(unit.transform(x), y, weights)
    held = [text for text, each in zip(long, fold, strict=True) if each == k]
    wanted = model.predict_proba(unit.transform(np.stack([means(windows, t) for t in held])))
    assert_allclose(windows.predict(held), wanted, atol=1e-5)
    said = np.array(windows.classes)[windows.predict(long).argmax(1)]
    assert windows.accuracy == (said == LABELS).mean()


def test_a_text_without_tokens_is_read_by_its_special_ones(train):
    baseline = train(dtype="float64", texts=[*SENTENCES, "", " "], labels=[*LABELS, "he", "she"])
    k = int(baseline.folds.of([""])[0])
    hidden = baseline._model(torch.tensor([[0, 2]])).last_hidden_state[0].mean(0)
    scores = baseline._weights[k] @ hidden + baseline._biases[k]
    assert_allclose(baseline.predict([""])[0], scores.softmax(-1).numpy())
    assert baseline.probe(Uniform()).measure([""]).sensitivity.tolist() == [0]


def test_the_encoder_reads_each_text_once(train, monkeypatch):
    monkeypatch.setattr("fairaudit.lm.sensitivity.encoder._TEXTS", 40)
    read, said = [], []
    encode = EncoderBaseline._encode

    def count(self, batch):
        read.extend(piece.text for piece in batch.pieces)
        return encode(self, batch)

    monkeypatch.setattr(EncoderBaseline, "_encode", count)
    parts = train(progress=lambda done, total: said.append((done, total)))
    assert sorted(read) == sorted(SENTENCES)
    assert said == [(40, 100), (80, 100), (100, 100)]
    monkeypatch.undo()
    assert_allclose(parts.predict(SENTENCES), train().predict(SENTENCES), atol=1e-4)


def test_names(train, folders):
    baseline = train("gpt2")
    digest = checkpoints.digest(folders["gpt2"])[:16]
    assert baseline.name == f"baseline: GPT2Model {digest}, LogisticRegression"
    assert baseline.probe(Uniform()).name == baseline.name
    assert baseline.classes == ("he", "nobody", "she")


@pytest.mark.parametrize(("kind", "model"), [("gpt2", GPT2LMHeadModel), ("bert", BertForMaskedLM)])
def test_encoders_with_another_head_or_none(tmp_path, kind, model):
    # A pooler, which these lack, is made up at random; nothing may depend on it.
    whole = model(settings(kind, 2))
    found = []
    for i, part in enumerate((whole, whole.base_model)):
        part.save_pretrained(tmp_path / str(i))
        tokenizer().save_pretrained(tmp_path / str(i))
        torch.manual_seed(i)
        baseline = train_encoder_baseline(tmp_path / str(i), SENTENCES, LABELS, device="cpu")
        found.append(baseline.probe(Uniform()).measure(SENTENCES[:9]).sensitivity)
    assert_allclose(*found, rtol=1e-6)


def refusal(folder, texts=SENTENCES, labels=LABELS):
    with pytest.raises(FairauditError) as caught:
        train_encoder_baseline(folder, texts, labels, device="cpu")
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": "whisper"}, "another kind, whisper; expected a text encoder (AutoModel)"),
        ({"model_type": "bart", "is_encoder_decoder": True}, "an encoder and a decoder (bart)"),
        ({"num_hidden_layers": 3}, "weights of a text encoder are missing (encoder.layer.2"),
    ],
)
def test_folders_that_hold_no_encoder(tmp_path, changes, said):
    path = save(tmp_path) / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    message = refusal(tmp_path)
    assert message.startswith(f"--encoder {tmp_path}: ")
    assert said in message


def test_broken_weights(tmp_path):
    def spoil(model):
        model.bert.encoder.layer[1].output.dense.bias.fill_(float("nan"))

    assert "its weights are broken" in refusal(save(tmp_path, change=spoil))


@pytest.mark.parametrize(
    ("labels", "said"),
    [(["he"] * 100, "found 1 label"), (["she"] * 4 + ["he"] * 96, "'she' has 4 different texts")],
)
def test_too_little_to_learn_from(tmp_path, labels, said):
    # Before the encoder is looked for.
    assert said in refusal(tmp_path / "nowhere", labels=labels)
