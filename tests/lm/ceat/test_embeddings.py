from itertools import pairwise

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from fairaudit.exceptions import FairauditError
from fairaudit.lm.ceat.contexts import Context
from fairaudit.lm.ceat.embeddings import StimulusEncoder
from tests.lm import tiny

#: The last one is longer than the models read.
SENTENCES = [
    "The nurse works at night.", "A Rosé, said Zoë to José.", "nurse", "She saw the nurse",
    "Nobody knew that the old nurse reads his book by the sea, or so my mother said.",
]  # fmt: skip


def context(text, word):
    start = text.index(word)
    return Context(text, start, start + len(word))


CONTEXTS = [context(text, "nurse" if "nurse" in text else "Zoë") for text in SENTENCES]


def alone(folder, each, layer, pooling):
    """The vector of one sentence, read on its own."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    read = tokenizer(each.text, return_tensors="pt", truncation=True)
    read.pop("token_type_ids", None)
    with torch.no_grad():
        states = model.eval()(**read, output_hidden_states=True).hidden_states[layer][0]
    # Of a letter of several bytes, each a token, all have the same place in the text.
    spans = [read.token_to_chars(0, i) for i in range(len(states))]
    first = next(i for i, at in enumerate(spans) if at and at.start <= each.start < at.end)
    last = max(i for i, at in enumerate(spans) if at and at.start < each.end <= at.end)
    if pooling == "mean":
        return states[first : last + 1].mean(0).numpy()
    return states[last if pooling == "last" else first].numpy()


@pytest.mark.parametrize("kind", ["gpt2", "llama", "bert", "roberta"])
@pytest.mark.parametrize(("layer", "pooling"), [(-1, "last"), (1, "mean"), (0, "first")])
def test_batches_give_what_each_sentence_gives_alone(language_models, kind, layer, pooling):
    folder = language_models[kind]
    encoder = StimulusEncoder(folder, kind, layer, pooling, batch=3, device="cpu")
    short = CONTEXTS[:4]
    vectors, kept = encoder.embed(short)
    assert kept.tolist() == [0, 1, 2, 3]
    assert vectors.dtype == np.float32
    expected = [alone(folder, each, layer, pooling) for each in short]
    np.testing.assert_allclose(vectors, expected, rtol=1e-4, atol=1e-5)


def test_sub_tokens_are_told_apart(language_models):
    """Else a test of pooling would not tell."""
    found = [
        StimulusEncoder(language_models["gpt2"], "m", pooling=p, device="cpu").embed(CONTEXTS)[0]
        for p in ("last", "first", "mean")
    ]
    assert all(not np.allclose(a[1], b[1]) for a, b in pairwise(found))


@pytest.mark.parametrize("kind", ["gpt2", "bert"])
@pytest.mark.parametrize("at", [0, 30, 59])
def test_a_long_sentence_is_cut_around_the_word(language_models, kind, at):
    words = [f"tired{i}" for i in range(60)]
    words[at] = "nurse"
    long = context(" ".join(words), "nurse")
    encoder = StimulusEncoder(language_models[kind], kind, device="cpu")
    ((piece, place),) = encoder._pieces([long])
    assert len(piece.tokens) <= tiny.CONTEXT
    assert len(piece.tokens) > tiny.CONTEXT / 2
    (start, _), (_, end) = piece.spans[place.first], piece.spans[place.end - 1]
    assert piece.text[start:end].strip() == "nurse"
    assert piece.text in long.text
    assert set(piece.text.split()) <= set(words), "half a word is another word"
    if at == 30:
        assert 8 < place.first < tiny.CONTEXT - 8
    vectors, _ = encoder.embed([long])
    start = piece.text.index("nurse")
    again = alone(language_models[kind], Context(piece.text, start, start + 5), -1, "last")
    np.testing.assert_allclose(vectors[0], again, rtol=1e-4, atol=1e-5)


def test_a_word_longer_than_the_context_is_lost(language_models):
    giant = "x1" * 60
    encoder = StimulusEncoder(language_models["bert"], "bert", device="cpu")
    vectors, kept = encoder.embed([context(f"a {giant} b", giant), CONTEXTS[0]])
    assert kept.tolist() == [1]
    assert vectors.shape == (1, 32)


def test_no_sentences(language_models):
    encoder = StimulusEncoder(language_models["bert"], "bert", device="cpu")
    assert encoder.embed([])[0].shape == (0, 32)


@pytest.mark.parametrize("kind", ["gpt2", "bert"])
def test_as_the_authors_program(language_models, kind):
    """No special tokens; the first place of the id of the word's last sub-token."""
    folder = language_models[kind]
    text = "she is a nurse and sees a nurse"
    second = Context(text, text.rindex("nurse"), len(text))
    encoder = StimulusEncoder(folder, kind, code_compatible=True, device="cpu")
    vectors, _ = encoder.embed([second])
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    ids = tokenizer(f" {text}", add_special_tokens=False)["input_ids"]
    last = tokenizer(" nurse", add_special_tokens=False)["input_ids"][-1]
    with torch.no_grad():
        states = model.eval()(torch.tensor([ids])).last_hidden_state[0]
    np.testing.assert_allclose(vectors[0], states[ids.index(last)], rtol=1e-4, atol=1e-5)
    assert ids.index(last) < len(ids) / 2


def test_smaller_batches_where_memory_does_not_suffice(language_models, monkeypatch):
    warned, sizes = [], []
    whole = StimulusEncoder(language_models["bert"], "m", device="cpu").embed(CONTEXTS)[0]
    encoder = StimulusEncoder(
        language_models["bert"], "m", device="cpu", batch=4, warn=warned.append
    )
    hidden = encoder.hidden

    def scarce(batch, layer):
        sizes.append(len(batch.pieces))
        if len(batch.pieces) > 2:
            raise torch.OutOfMemoryError
        return hidden(batch, layer)

    monkeypatch.setattr(encoder, "hidden", scarce)
    vectors, _ = encoder.embed(CONTEXTS)
    assert sizes == [4, 2, 2, 1]
    assert len(warned) == 1
    np.testing.assert_allclose(vectors, whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layer", [3, -4])
def test_layers_that_there_are_not(language_models, layer):
    with pytest.raises(FairauditError, match=f"--layer {layer}: --model m has layers 1 to 2;"):
        StimulusEncoder(language_models["bert"], "m", layer, device="cpu")
