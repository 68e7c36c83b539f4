"""SEAT: WEAT on the encodings of whole sentences."""

import json

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.spatial.distance import cosine
from transformers import AutoModel, AutoTokenizer
from typer.testing import CliRunner

import fairaudit.cli.ceat  # noqa: F401
from fairaudit.audit import Audit
from fairaudit.cli import app
from fairaudit.exceptions import FairauditError
from fairaudit.lm.ceat import AssociationTest, Context
from fairaudit.lm.ceat.audit import ceat
from fairaudit.lm.ceat.contexts import BLEACHED
from fairaudit.lm.ceat.embeddings import StimulusEncoder
from fairaudit.lm.ceat.weat import permutation_p
from tests.lm.ceat.test_audit import made, vectors_of, write_vectors  # noqa: F401
from tests.lm.ceat.test_command import printed

#: The token that stands for a sentence: <s> tells nothing in a model that reads from the left.
PLACES = {"bert": 0, "roberta": 0, "gpt2": -1, "llama": -1}


def run(made, language_models, kind="bert", **options):  # noqa: F811
    test = AssociationTest.read(made / "own.toml")["OWN"]
    given = {"templates": "seat", "pooling": "sentence", "tests": test} | options
    return ceat(model=language_models[kind], **given)


def content(audit):
    (found,) = audit.explanations
    return found.content


def alone(folder, kind, sentences, layer=-1):
    """The vector of each sentence, read on its own."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    found = []
    for sentence in sentences:
        read = tokenizer(sentence, return_tensors="pt")
        read.pop("token_type_ids", None)
        with torch.no_grad():
            states = model.eval()(**read, output_hidden_states=True).hidden_states[layer][0]
        found.append(states[PLACES[kind]].numpy().astype(float))
    return found


def encoded(folder, kind, test, templates=BLEACHED):
    """The vectors of a test's sentences, by word."""
    return {
        word: alone(folder, kind, [template.replace("{}", word) for template in templates])
        for word in test.words
    }


def slowly(test, vectors, gone=None):
    """Effect size and associations of a list of vectors, by SciPy's cosine."""
    x, y, a, b = ([v for w in side.words if w != gone for v in vectors[w]] for side in test.sides)

    def near(u, side):
        return np.mean([1 - cosine(u, v) for v in side])

    s = [[near(u, a) - near(u, b) for u in side] for side in (x, y)]
    return (np.mean(s[0]) - np.mean(s[1])) / np.std(np.concatenate(s), ddof=1), s


@pytest.mark.parametrize("kind", PLACES)
def test_the_vector_of_a_sentence(language_models, kind):
    """In batches, with padding, as alone; wherever the word stands."""
    sentences = ["The nurse works at night.", "She saw the nurse", "nurse"]
    at = [text.index("nurse") for text in sentences]
    contexts = [Context(text, i, i + 5) for text, i in zip(sentences, at, strict=True)]
    for layer in (-1, 1):
        encoder = StimulusEncoder(
            language_models[kind], kind, layer, "sentence", batch=2, device="cpu"
        )
        vectors, kept = encoder.embed(contexts)
        assert kept.tolist() == [0, 1, 2]
        expected = alone(language_models[kind], kind, sentences, layer)
        np.testing.assert_allclose(vectors, expected, rtol=1e-4, atol=1e-5)
        assert not np.allclose(vectors[0], vectors[1], rtol=1e-2), "sentences differ"


def test_a_classifiers_encoder_has_its_first_token(language_models, tmp_path):
    from transformers import BertConfig, BertForSequenceClassification

    folder = tmp_path / "classifier"
    config = BertConfig.from_pretrained(language_models["bert"])
    BertForSequenceClassification(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(language_models["bert"]).save_pretrained(folder)
    encoder = StimulusEncoder(folder, "m", pooling="sentence", device="cpu")
    vectors, _ = encoder.embed([Context("She saw the nurse", 12, 17)])
    expected = alone(folder, "bert", ["She saw the nurse"])
    np.testing.assert_allclose(vectors, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_by_an_oracle(made, language_models, kind):  # noqa: F811
    audit = run(made, language_models, kind)
    test = AssociationTest.read(made / "own.toml")["OWN"]
    vectors = encoded(language_models[kind], kind, test)
    effect, (x, y) = slowly(test, vectors)
    (row,) = audit.estimates
    assert (row.metric, row.attribute, row.group) == ("seat_effect", "test", "OWN")
    assert row.value == pytest.approx(effect, rel=1e-4)
    assert row.n == row.records == audit.records.used == audit.records.total == 8, "words"
    assert len(x) == len(y) == 16
    # 32 targets have far more than 100,000 halves: two draws of some differ a little.
    other = permutation_p(np.array(x), np.array(y), seed=1)
    assert content(audit)["p_value"] == pytest.approx(other, abs=0.01)
    assert content(audit)["p_sides"] == 1
    assert list(content(audit)["sentences"].values()) == [16, 16, 16, 16]


def test_the_interval_leaves_out_words(made, language_models):  # noqa: F811
    audit = run(made, language_models)
    test = AssociationTest.read(made / "own.toml")["OWN"]
    vectors = encoded(language_models["bert"], "bert", test)
    parts = []
    for side in test.sides:
        without = np.array([slowly(test, vectors, gone)[0] for gone in side.words])
        n = len(without)
        parts.append((n - 1) / n * np.square(without - without.mean()).sum())
    df = sum(parts) ** 2 / sum(part**2 for part in parts)
    half = stats.t.ppf(0.975, df) * sum(parts) ** 0.5
    (row,) = audit.estimates
    assert row.ci_high - row.value == pytest.approx(half, rel=1e-3)
    assert row.value - row.ci_low == pytest.approx(half, rel=1e-3)


def test_one_template_is_weat_on_its_vectors(made, language_models):  # noqa: F811
    (made / "one").write_text("Look, {}!\n")
    seat = run(made, language_models, "gpt2", templates=made / "one")
    test = AssociationTest.read(made / "own.toml")["OWN"]
    vectors = encoded(language_models["gpt2"], "gpt2", test, ["Look, {}!"])
    flat = {word: each for word, (each,) in vectors.items()}
    weat = ceat(vectors=write_vectors(made / "v.txt", flat), tests=test)
    (left,), (right,) = seat.estimates, weat.estimates
    for end in ("value", "ci_low", "ci_high"):
        assert getattr(left, end) == pytest.approx(getattr(right, end), rel=1e-3)
    assert content(seat)["p_value"] == pytest.approx(content(weat)["p_value"])
    assert content(seat)["p_value"] * 6 == pytest.approx(round(content(seat)["p_value"] * 6))


def test_what_a_reader_must_know(made, language_models):  # noqa: F811
    audit = run(made, language_models)
    said = " ".join(audit.notes)
    assert "each sentence is a data point" in said
    assert "Intervals are over words" in said
    assert "sentences with the same word for independent" in said
    assert "Sentences are templates" in said
    assert "draws" not in said
    for part in ("pool:sentence", "tests:OWN", "templates:"):
        assert f"|{part}" in audit.signature
    assert "|draws:" not in audit.signature
    for idle in ({"variance": "hedges-olkin"}, {"draws": 500}, {"per_stimulus": 3}):
        with pytest.raises(FairauditError, match="does nothing beside --(pooling|templates)"):
            run(made, language_models, **idle)
    text = printed(audit)
    assert "Association tests: effect size d, 95 % interval over words" in text
    assert max(map(len, text.splitlines()[:-1])) <= 80
    again = Audit.from_json(audit.to_json())
    assert again.to_json() == audit.to_json()


def test_vectors_of_sentences_and_of_words_are_kept_apart(made, language_models, monkeypatch):  # noqa: F811
    embedded = []
    plain = StimulusEncoder.embed

    def counted(self, contexts, progress):
        embedded.append(len(contexts))
        return plain(self, contexts, progress)

    monkeypatch.setattr(StimulusEncoder, "embed", counted)
    first = run(made, language_models)
    assert run(made, language_models).estimates == first.estimates
    assert embedded == [64], "the second time all was in the cache"
    run(made, language_models, pooling="last", draws=100)
    assert embedded == [64, 64]


def test_a_word_that_the_model_cannot_read(made, language_models):  # noqa: F811
    own = made / "own.toml"
    own.write_text(own.read_text().replace('"king"]', '"king", "' + "x1" * 70 + '"]'))
    audit = run(made, language_models)
    assert audit.records.dropped == {"not read by the model": 1}
    assert any("1 stimulus not read by the model: x1x1" in note for note in audit.notes)


def test_lists_of_several_lengths(made, language_models):  # noqa: F811
    own = made / "own.toml"
    own.write_text(own.read_text().replace('"king"]', '"king", "boss"]'))
    audit = run(made, language_models)
    assert content(audit)["p_value"] is None
    assert any(note.endswith("halves: OWN (24 and 16).") for note in audit.notes)
    assert audit.estimates[0].ci_low is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"templates": None, "corpus": "corpus.txt"}, "--pooling sentence: only sentences that"),
        ({"templates": None, "model": None, "vectors": "v.txt"}, "--pooling sentence: only sent"),
        ({"code_compatible": True}, "--pooling sentence: the authors' program takes the last"),
        ({"layer": 0}, "--layer 0: an embedding knows nothing of the sentence around it."),
        ({"layer": -3}, "--layer -3: an embedding knows nothing"),
        ({"layer": 9}, "--layer 9: .* layers 1 to 2"),
    ],
)
def test_odd_arguments(made, language_models, monkeypatch, options, message):  # noqa: F811
    monkeypatch.chdir(made)
    write_vectors(made / "v.txt", vectors_of(AssociationTest.shipped()["C8"].words))
    given = {"model": language_models["bert"], "templates": "seat", "pooling": "sentence"}
    with pytest.raises(FairauditError, match=message):
        ceat(**(given | options))


def test_the_command(made, language_models, monkeypatch):  # noqa: F811
    monkeypatch.chdir(made)

    def call(*arguments):
        model = ("--model", str(language_models["bert"]), "--tests", "own.toml")
        return CliRunner().invoke(app, ["ceat", *model, "--pooling", "sentence", *arguments])

    found = call("--templates", "seat", "--format", "json", "-q")
    assert found.exit_code == 0, found.output
    rows = {row["group"]: row for row in json.loads(found.stdout)["estimates"]}
    assert {row["metric"] for row in rows.values()} == {"seat_effect"}
    assert rows["OTHER"]["value"] == pytest.approx(-rows["OWN"]["value"])
    wrong = call("--corpus", "corpus.txt")
    assert wrong.exit_code == 2
    assert "error: --pooling sentence: only sentences that differ" in wrong.stderr
