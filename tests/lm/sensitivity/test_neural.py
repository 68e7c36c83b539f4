import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from transformers import BertForMaskedLM, GPT2LMHeadModel

from fairaudit.exceptions import FairauditError
from fairaudit.lm import checkpoints
from fairaudit.lm.classifiers import TextClassifier
from fairaudit.lm.sensitivity.measured import accumulate, mass
from fairaudit.lm.sensitivity.neural import NeuralProbe
from fairaudit.lm.sensitivity.protected import ProtectedModel, Uniform, Words
from tests.lm.sensitivity.conftest import CONTEXT, SENTENCES, save, settings, tokenizer

FORMS = ("elementwise", "token")
WEIGHTINGS = ("predicted", "gold", "uniform")
KINDS = ("bert", "roberta", "distilbert", "gpt2")
TEXTS = [
    "she works at night.",
    "he",
    "",
    "Maria reads for her mother.",
    "nobody teaches by the sea.",
]
LONG = "Maria reads for her mother. " * 6


# The published example: P = 0.3567045.
A, B, X = np.array([[1, -2, 0.5], [0, 3, -1], [0.2, 0.1, -0.4]])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("lib", [np, torch])
@pytest.mark.parametrize("classes", [1, 2])
def test_worked_example(form, lib, classes):
    y, p = 1 / (1 + np.exp(-A @ X)), 1 / (1 + np.exp(-B @ X))
    slope, h = y * (1 - y) * A, p * (1 - p) * B
    both = np.stack([slope, -slope])[:classes].reshape(classes, 3, 1)
    given = [lib.asarray(array) for array in (both, h[:, None], np.full(classes, 1 / classes))]
    assert float(accumulate(*given, form).sum()) == pytest.approx(0.3567045, abs=5e-8)
    divided = 0.3567045 / np.abs(h).sum()
    assert float(accumulate(*given, form, True).sum()) == pytest.approx(divided, abs=5e-8)


def by_hand(g, h, w, form, normalize):
    """P by loops over classes, tokens and components."""
    total = weights = 0.0
    tokens, components = g.shape[1:]
    for i in range(tokens):
        if form == "token":
            v = np.sqrt(sum(h[i] ** 2)) if h.ndim == 2 else h[i]
            weights += v
            total += sum(w[k] * np.sqrt(sum(g[k, i] ** 2)) * v for k in range(len(w)))
            continue
        for j in range(components):
            v = abs(h[i, j]) if h.ndim == 2 else h[i]
            weights += v
            total += sum(w[k] * abs(g[k, i, j]) * v for k in range(len(w)))
    return total / weights if normalize and weights else total


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("axes", [1, 2])
def test_accumulate_is_the_definition(form, normalize, axes):
    rng = np.random.default_rng(1)
    g, w = rng.normal(size=(5, 3, 4, 2)), rng.random((5, 3))
    h = rng.normal(size=(5, 4, 2)) if axes == 2 else rng.integers(0, 2, (5, 4)).astype(float)
    own = accumulate(g, h, w, form, normalize).sum(-1)
    assert_allclose(own, [by_hand(*row, form, normalize) for row in zip(g, h, w, strict=True)])


def test_nothing_protected_is_zero_not_undefined():
    shares = accumulate(np.ones((2, 3, 4)), np.zeros(3), np.ones(2), normalize=True)
    assert shares.tolist() == [0, 0, 0]
    assert mass(np.ones((2, 3, 4)), np.ones((3, 4)), "token") == pytest.approx(6)


def test_components_that_do_not_meet():
    # The model looks at one component, the attribute is in the other.
    g, h = np.array([[[1.0, 0.0]]]), np.array([[0.0, 1.0]])
    assert accumulate(g, h, np.ones(1), "elementwise").sum() == 0
    assert accumulate(g, h, np.ones(1), "token").sum() == 1


def test_accumulate_refuses_other_shapes():
    with pytest.raises(ValueError, match="axes"):
        accumulate(np.ones((2, 3, 4)), np.ones(()), np.ones(2))


def differences(classifier, text):
    """Probabilities of a text and their central differences by its embeddings, (K, n, m)."""
    [piece] = classifier.read([text]).pieces
    model = classifier._model
    tokens = torch.tensor([piece.tokens])
    at = model.get_input_embeddings()(tokens)[0]
    step = 1e-5
    shift = torch.eye(at.numel(), dtype=at.dtype).reshape(-1, *at.shape) * step
    with torch.no_grad():
        up, down, here = (
            model(inputs_embeds=place).logits.softmax(-1).numpy()
            for place in (at + shift, at - shift, at[None])
        )
    slopes = ((up - down) / (2 * step)).T.reshape(-1, *at.shape)
    inner = np.array(piece.special) == 0
    return here[0], slopes[:, inner]


@pytest.mark.parametrize("kind", ["bert", "distilbert", "gpt2"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_same_as_differences(classifier, kind, form, weighting):
    task = classifier(kind, dtype="float64")
    other = classifier("protected gpt2" if kind == "gpt2" else "protected", dtype="float64")
    gold = [0, 1, 2, 1, 0]
    divided = kind != "distilbert"
    own = NeuralProbe(task, ProtectedModel(other, task), form, weighting, divided)
    measured = own.measure(TEXTS, gold)
    for i, text in enumerate(TEXTS):
        f, g = differences(task, text)
        guess, h = differences(other, text)
        w = {"uniform": np.full(3, 1 / 3), "gold": np.eye(3)[gold[i]]}
        w = w.get(weighting, np.eye(3)[f.argmax()])
        assert_allclose(measured.probabilities[i], f, atol=1e-12)
        wanted = by_hand(g, h[guess.argmax()], w, form, divided)
        assert_allclose(measured.sensitivity[i], wanted, rtol=1e-5, atol=1e-12)
    assert np.all(measured.sensitivity[[0, 1, 3, 4]] > 0)
    assert measured.sensitivity[2] == 0


@pytest.mark.parametrize("form", FORMS)
def test_words_and_normalised_as_differences(classifier, form):
    task = classifier(dtype="float64")
    own = NeuralProbe(task, Words(["she", "her"]), form).measure(["she works with her."])
    f, g = differences(task, "she works with her.")
    [piece] = task.read(["she works with her."]).pieces
    tokens = [piece.text[a:b].strip() for a, b in piece.spans[1:-1]]
    v = np.array([float(token in ("she", "her")) for token in tokens])
    assert v.sum() == 2
    wanted = by_hand(g, v, np.eye(3)[f.argmax()], form, True)
    assert_allclose(own.sensitivity, wanted, rtol=1e-5)


def test_shares_add_up_and_name_the_tokens(classifier):
    measured = NeuralProbe(classifier(), Uniform()).measure(["Maria \u00e9 reads", ""])
    for row, whole in zip(measured.tokens, measured.sensitivity, strict=True):
        assert sum(share for _, share in row) == pytest.approx(whole)
    # The letter of two bytes is two tokens, and the blank before it a third one.
    assert [name for name, _ in measured.tokens[0]] == ["Maria", "\u00e9", "reads"]
    assert measured.tokens[1] == []
    assert measured.probabilities.sum(1) == pytest.approx(1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weighting", ["predicted", "uniform"])
def test_the_batch_changes_nothing(classifier, kind, weighting):
    texts = [*TEXTS, *SENTENCES[::9], LONG]
    results = []
    for batch in (1, 3, 64):
        task = classifier(kind, batch=batch)
        probe = NeuralProbe(task, ProtectedModel(task, task), weighting=weighting, normalize=False)
        measured = probe.measure(texts)
        assert_allclose(probe.predict(texts), measured.probabilities, atol=1e-6)
        results.append(measured)
    for other in results[1:]:
        assert_allclose(other.probabilities, results[0].probabilities, atol=1e-5)
        assert_allclose(other.sensitivity, results[0].sensitivity, rtol=1e-3, atol=1e-5)
    assert results[0].sensitivity.max() > 1e-2


def test_two_classes_weigh_alike(classifier):
    task = classifier("two")
    one, half = (
        NeuralProbe(task, Uniform(), weighting=w).measure(TEXTS) for w in ("predicted", "uniform")
    )
    assert_allclose(one.sensitivity, half.sensitivity, rtol=1e-6)


def deaf(model):
    """Cut attention: what the model says depends on the last token alone."""
    for block in model.transformer.h:
        block.attn.c_proj.weight.zero_()
        block.attn.c_proj.bias.zero_()


def test_zero_where_the_model_does_not_look(tmp_path):
    task = TextClassifier(save(tmp_path, "gpt2", change=deaf), "deaf", device="cpu")
    for word, looks in (("she", False), ("sea", True)):
        measured = NeuralProbe(task, Words([word])).measure(["she works by the sea"])
        assert (measured.sensitivity[0] > 0) == looks
        assert measured.sensitivity[0] == 0 or looks


def test_zero_for_a_head_that_says_the_same_of_all(tmp_path):
    folder = save(tmp_path, change=lambda model: model.classifier.weight.zero_())
    task = TextClassifier(folder, "constant", device="cpu")
    for weighting in ("predicted", "uniform"):
        measured = NeuralProbe(task, Uniform(), weighting=weighting).measure(TEXTS)
        assert measured.sensitivity.tolist() == [0] * len(TEXTS)


def test_certain_predictions_keep_their_slope(tmp_path):
    # exp(-30) is lost beside 1 in float32.
    def sure(model):
        model.classifier.weight.mul_(1e-3)
        model.classifier.bias.copy_(torch.tensor([30.0, 0.0]))

    task = TextClassifier(save(tmp_path, change=sure), "sure", device="cpu")
    probe = NeuralProbe(task, Uniform(), weighting="gold")
    sure, other = probe.measure(["she works"] * 2, [0, 1]).sensitivity
    assert 0 < sure < 1e-13
    assert sure == pytest.approx(other, rel=1e-2, abs=0)


@pytest.mark.parametrize("kind", KINDS)
def test_long_texts_are_cut_and_counted(classifier, kind):
    task = classifier(kind)
    assert task.context == CONTEXT
    measured = NeuralProbe(task, Uniform()).measure([LONG, "she works"])
    assert measured.truncated.tolist() == [True, False]
    added = 0 if kind == "gpt2" else 2
    [piece] = task.read([LONG]).pieces
    assert len(piece.tokens) - sum(piece.special) == CONTEXT - added
    cut = "".join(piece.text[a:b] for a, b in piece.spans)
    shown = "".join(name for name, _ in measured.tokens[0])
    assert shown.strip() == cut.replace(" ", "")
    assert_allclose(task.predict([LONG]), task.predict([cut]), atol=1e-6)


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_windows(classifier, kind):
    first, second = "she works at night.", "he sleeps at night."
    task = classifier(kind, window=True, batch=2)
    lengths = {len(task.read([text]).pieces[0].tokens) for text in (first, second)}
    assert len(lengths) == 1
    task.context = lengths.pop()
    whole = first + second
    assert [len(task.read([text]).pieces) for text in (whole, first)] == [2, 1]
    for normalize, parts in ((False, 1), (True, 2)):
        probe = NeuralProbe(task, Uniform(), weighting="uniform", normalize=normalize)
        apart, joined = probe.measure([first, second]), probe.measure(["he", whole])
        assert_allclose(joined.probabilities[1], apart.probabilities.mean(0), atol=1e-6)
        # The mean is half as sensitive to a token; and v is spread over twice as many.
        assert joined.sensitivity[1] == pytest.approx(apart.sensitivity.mean() / parts, rel=1e-3)
        assert [t for t, _ in joined.tokens[1]] == [t for row in apart.tokens for t, _ in row]
        assert not joined.truncated.any()


def test_windows_count_the_class_of_their_mean(classifier):
    task = classifier("gpt2", window=True)
    task.context = 3
    text = next(s for s in SENTENCES if len(set(windows_say(task, s))) > 1)
    best = int(task.predict([text])[0].argmax())
    own = NeuralProbe(task, Uniform()).measure(["he", text])
    gold = NeuralProbe(task, Uniform(), weighting="gold").measure(["he", text], [0, best])
    assert own.sensitivity[1] == pytest.approx(gold.sensitivity[1])


def windows_say(task, text):
    reading = task.read([text])
    return [row.argmax() for row in task.each(reading.pieces, task._predict)]


def test_no_texts(classifier):
    measured = NeuralProbe(classifier(), Uniform()).measure([])
    assert measured.probabilities.shape == (0, 3)
    assert measured.sensitivity.shape == measured.truncated.shape == (0,)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("GPU"), RuntimeError("[...] DefaultCPUAllocator: no")]
)
def test_memory_that_does_not_suffice(classifier, monkeypatch, error):
    said = []
    task = classifier(batch=16, warn=said.append)
    probe = NeuralProbe(task, Uniform())
    wanted = probe.measure(SENTENCES[:20])
    forward, sizes = task._model.forward, []

    def scarce(input_ids, **options):
        sizes.append(len(input_ids))
        if len(input_ids) > 3:
            raise error
        return forward(input_ids=input_ids, **options)

    monkeypatch.setattr(task._model, "forward", scarce)
    measured = probe.measure(SENTENCES[:20])
    assert_allclose(measured.sensitivity, wanted.sensitivity, rtol=1e-3)
    assert sizes == [16, 8, 4, *[2] * 10]
    assert len(said) == 1
    assert "16 texts of" in said[0]
    assert "--batch-size 8" in said[0]


def test_memory_for_not_even_one(classifier, monkeypatch):
    task = classifier(batch=2)

    def none(**options):
        raise torch.OutOfMemoryError("GPU")

    monkeypatch.setattr(task._model, "forward", none)
    with pytest.raises(FairauditError, match=r"not enough memory for one text of \d+ tokens"):
        task.predict(["she", "he"])


def test_other_errors_are_not_taken_for_memory(classifier, monkeypatch):
    task = classifier()
    monkeypatch.setattr(task._model, "forward", lambda **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        task.predict(["she"])


def test_gold_is_needed(classifier):
    probe = NeuralProbe(classifier(), Uniform(), weighting="gold")
    with pytest.raises(FairauditError, match="needs the true labels"):
        probe.measure(["she"])
    for gold in ([3], [-1], [0, 1]):
        with pytest.raises(ValueError, match="expected 1 numbers from 0 to 2"):
            probe.measure(["she"], gold)


def test_names(classifier, folders):
    probe = NeuralProbe(classifier(), Uniform())
    assert probe.classes == ("class 0", "class 1", "class 2")
    assert probe.name == checkpoints.digest(folders["bert"])


def refusal(folder, **options):
    with pytest.raises(FairauditError) as caught:
        TextClassifier(checkpoints.find(folder), "mine", device="cpu", **options)
    return str(caught.value)


@pytest.fixture
def copied(folders, tmp_path):
    """A maker of copies of a model that may be spoilt."""

    def make(kind="bert"):
        return shutil.copytree(folders[kind], tmp_path / f"{kind} copy")

    return make


def rewrite(path: Path, **changes):
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": "whisper"}, "another kind, whisper; expected a text classifier"),
        ({"model_type": "bart", "is_encoder_decoder": True}, "an encoder and a decoder (bart)"),
        ({"problem_type": "regression"}, "gives a number, not one of several labels"),
        ({"id2label": {"0": "x"}, "label2id": {"x": 0}}, "num_labels in config.json is 1"),
        ({"id2label": {"0": "x", "1": "y", "2": "x"}}, "two classes have one name"),
        ({"hidden_size": 20}, "settings and weights belong to two models"),
        ({"id2label": {"0": "x", "1": "y"}}, "has the shape (3,), but by config.json (2,)"),
        ({"vocab_size": "x"}, "cannot be loaded"),
    ],
)
def test_settings_that_are_refused(copied, changes, said):
    folder = copied()
    rewrite(folder / "config.json", **changes)
    message = refusal(folder)
    assert said in message
    assert message.startswith("--model mine: ")
    assert "\n" not in message


@pytest.mark.parametrize(("kind", "model"), [("gpt2", GPT2LMHeadModel), ("bert", BertForMaskedLM)])
def test_a_model_without_a_classifier(tmp_path, kind, model):
    model(settings(kind, 2)).save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    message = refusal(tmp_path, option="--protected-model")
    assert message.startswith("--protected-model mine: a model of another kind: weights of a text")


def test_no_model_folder(tmp_path):
    with pytest.raises(FairauditError, match=r"--protected-model .*: no config.json"):
        checkpoints.find(tmp_path, option="--protected-model")


@pytest.mark.parametrize("depth", [100, 700])
def test_settings_are_read_however_deep_they_are_nested(depth, tmp_path):
    (tmp_path / "model.safetensors").touch()
    inside, config = '{"auto_map": {"AutoModel": "evil.Evil"}}', tmp_path / "config.json"
    config.write_text('{"a": ' + "[" * depth + "]" * depth + "}")
    assert checkpoints.find(tmp_path) == tmp_path
    config.write_text('{"a": ' + "[" * depth + inside + "]" * depth + "}")
    with pytest.raises(FairauditError, match="asks for the model's own Python code"):
        checkpoints.find(tmp_path)


def test_no_tokenizer(copied):
    # transformers would make up one that knows no word.
    folder = copied()
    (folder / "tokenizer.json").unlink()
    assert "no tokenizer (tokenizer.json, vocab.txt or the like)" in refusal(folder)
    (folder / "tokenizer.json").write_text("{")
    assert "its tokenizer cannot be loaded" in refusal(folder)


def test_the_tokenizer_of_another_model(copied):
    folder = copied()
    grown = tokenizer()
    grown.add_tokens([f"word{i}" for i in range(50)])
    grown.save_pretrained(folder)
    assert "its tokenizer has 370 tokens, the model 320" in refusal(folder)


@pytest.mark.parametrize(("kind", "limit"), [("bert", "512"), ("gpt2", -5), ("roberta", 1e30)])
def test_a_tokenizer_that_knows_no_limit(copied, kind, limit):
    folder = copied(kind)
    rewrite(folder / "tokenizer_config.json", model_max_length=limit, truncation_side="left")
    rewrite(folder / "config.json", return_dict=False)
    task = TextClassifier(folder, "mine", device="cpu")
    assert task.context == CONTEXT
    assert task.read([LONG]).pieces[0].spans[kind != "gpt2"][0] == 0
    assert task.predict([LONG]).shape == (1, 3)


def test_a_context_without_room(copied):
    folder = copied()
    rewrite(folder / "tokenizer_config.json", model_max_length=2)
    assert "reads 2 tokens at once, special ones included" in refusal(folder)


def test_no_limit_at_all(classifier):
    task = classifier()
    task.context = None
    assert len(task.read([LONG, "she"]).pieces[0].tokens) > CONTEXT


def test_a_model_that_hides_its_embeddings(classifier, monkeypatch):
    task = classifier()
    monkeypatch.setattr(task, "_embeddings", torch.nn.Embedding(2, 2))
    with pytest.raises(FairauditError, match="reads its embeddings in a way of its own"):
        task.predict(["she"])


@pytest.mark.parametrize(("consent", "calls"), [(False, 1), (True, 2)])
def test_pickles_are_downloaded_where_nothing_else_is(pickled, monkeypatch, consent, calls):
    folder, _ = pickled
    asked = []

    def download(name, allow_patterns):
        asked.append(allow_patterns)
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    if consent:
        assert checkpoints.find("owner/model", consent) == folder
        assert "pytorch_model.bin" in asked[1]
    else:
        with pytest.raises(FairauditError, match="--allow-pickle"):
            checkpoints.find("owner/model", consent)
    assert len(asked) == calls
    assert not any("bin" in pattern for pattern in asked[0])


def test_no_padding_token(copied):
    folder = copied("gpt2")
    rewrite(folder / "config.json", eos_token_id=None)
    rewrite(folder / "tokenizer_config.json", eos_token=None)
    assert "neither the model nor its tokenizer has a padding token" in refusal(folder)
    rewrite(folder / "config.json", pad_token_id=1)
    assert TextClassifier(folder, "mine", device="cpu").predict(["she", "he works"]).shape == (2, 3)


def test_the_end_is_no_padding_where_texts_end_with_it(copied):
    folder = copied("gpt2")
    tokenizer(added=True, padding=None).save_pretrained(folder)
    assert "has a padding token" in refusal(folder)


def test_broken_weights(tmp_path):
    folder = save(tmp_path, change=lambda model: model.classifier.bias.fill_(float("nan")))
    task = TextClassifier(folder, "mine", device="cpu")
    with pytest.raises(FairauditError, match="its weights are broken"):
        task.predict(["she"])


@pytest.mark.parametrize(
    ("options", "said"),
    [({"dtype": "float16"}, "--dtype float16"), ({"batch": 0}, "--batch-size 0")],
)
def test_settings_out_of_range(folders, options, said):
    assert said in refusal(folders["bert"], **options)


@pytest.fixture
def pickled(copied):
    folder = copied()
    whole = TextClassifier(folder, "mine", device="cpu")
    torch.save(whole._model.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    return folder, whole.predict(TEXTS)


def test_pickled_weights_need_consent(pickled):
    folder, wanted = pickled
    for consent, said in ((None, r"does\)\.$"), (False, "trust its origin and say --allow-pickle")):
        with pytest.raises(FairauditError, match="weights only as pytorch_model.bin") as caught:
            checkpoints.find(folder, consent)
        assert caught.match(said)
    with pytest.raises(FairauditError, match="cannot be loaded"):
        TextClassifier(folder, "mine", device="cpu")
    found = checkpoints.find(folder, allow_pickle=True)
    task = TextClassifier(found, "mine", device="cpu", allow_pickle=True)
    assert_allclose(task.predict(TEXTS), wanted)


def test_pickled_weights_are_in_the_digest(pickled):
    folder, _ = pickled
    before = checkpoints.digest(folder)
    with (folder / "pytorch_model.bin").open("ab") as file:
        file.write(b"x")
    assert checkpoints.digest(folder) != before


class Bomb:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


def test_pickled_programs_are_not_run(pickled, tmp_path):
    folder, _ = pickled
    harm = tmp_path / "harm"
    torch.save({"x": Bomb(harm)}, folder / "pytorch_model.bin")
    with pytest.raises(FairauditError, match="cannot be loaded"):
        TextClassifier(checkpoints.find(folder, True), "mine", device="cpu", allow_pickle=True)
    assert not harm.exists()


def test_beside_safetensors_a_pickle_is_not_read(copied):
    folder = copied()
    (folder / "pytorch_model.bin").write_bytes(b"junk")
    task = TextClassifier(checkpoints.find(folder, True), "mine", device="cpu", allow_pickle=True)
    assert task.predict(["she"]).shape == (1, 3)
