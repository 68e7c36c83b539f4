"""What language models say is the same however they are asked."""

from collections import Counter

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, GPT2ForSequenceClassification

from fairaudit.exceptions import FairauditError
from fairaudit.lm.language_models import Encoder, LanguageModel
from tests.lm import tiny

TEXTS = ["The nurse sees her.", "He", "My mother reads his book by the sea."]


def load(folder, **options):
    return LanguageModel(folder, "tiny", device="cpu", **options)


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_causal_likelihood_is_that_of_the_whole_logits(language_models, kind):
    model = AutoModelForCausalLM.from_pretrained(language_models[kind]).eval()
    tokenizer = tiny.tokenizer(kind)
    found = load(language_models[kind], batch=2).log_likelihood(TEXTS)
    for text, scores in zip(TEXTS, found, strict=True):
        own = tokenizer(text, add_special_tokens=False).input_ids
        with torch.no_grad():
            logits = model(torch.tensor([[0, *own]])).logits[0].double().log_softmax(-1)
        slow = [float(logits[i, token]) for i, token in enumerate(own)]
        np.testing.assert_allclose(scores, slow, atol=1e-4)


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_masked_likelihood_masks_one_token_at_a_time(language_models, kind):
    model = AutoModelForMaskedLM.from_pretrained(language_models[kind]).eval()
    tokenizer = tiny.tokenizer(kind)
    found = load(language_models[kind]).log_likelihood(TEXTS)
    for text, scores in zip(TEXTS, found, strict=True):
        tokens = tokenizer(text).input_ids
        slow = []
        for place in range(1, len(tokens) - 1):
            hidden = torch.tensor([tokens])
            hidden[0, place] = tokenizer.mask_token_id
            with torch.no_grad():
                said = model(hidden).logits[0, place].double().log_softmax(-1)
            slow.append(float(said[tokens[place]]))
        np.testing.assert_allclose(scores, slow, atol=1e-4)


def test_small_batches_of_logits_say_the_same(language_models, monkeypatch):
    whole = load(language_models["gpt2"]).log_likelihood(TEXTS)
    monkeypatch.setattr("fairaudit.lm.language_models._LOGITS", 1)
    for one, other in zip(whole, load(language_models["gpt2"]).log_likelihood(TEXTS), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_windows_score_a_text_that_is_longer_than_the_context(language_models):
    long = " ".join(tiny.SENTENCES[:12])
    tokens = tiny.tokenizer("llama")(long, add_special_tokens=False).input_ids
    assert len(tokens) > tiny.CONTEXT
    windowed = load(language_models["llama"], window=True).log_likelihood([long])[0]
    cut = load(language_models["llama"]).log_likelihood([long])[0]
    assert len(windowed) == len(tokens)
    assert len(cut) == tiny.CONTEXT - 1
    np.testing.assert_allclose(windowed[: len(cut)], cut, atol=1e-5)


def test_token_types_are_cut_like_the_tokens(language_models):
    model, plain = (load(language_models["gpt2"]) for _ in range(2))
    model._tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    long = " ".join(tiny.SENTENCES[:12])
    [piece] = model.read([long]).pieces
    assert len(piece.kinds) == len(piece.tokens) == tiny.CONTEXT
    [question] = model.questions(piece)
    assert len(question.piece.kinds) == tiny.CONTEXT
    # GPT-2 adds the embedding of the token that is the type.
    with torch.no_grad():
        model._model.transformer.wte.weight[0] = plain._model.transformer.wte.weight[0] = 0
    found, expected = (each.log_likelihood([long])[0] for each in (model, plain))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_no_text_has_no_tokens(language_models):
    for kind in ("gpt2", "bert"):
        assert [len(each) for each in load(language_models[kind]).log_likelihood([""])] == [0]
        assert load(language_models[kind]).log_likelihood([]) == []


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_greedy_generation_is_that_of_transformers(language_models, kind):
    model = AutoModelForCausalLM.from_pretrained(language_models[kind]).eval()
    tokenizer = tiny.tokenizer(kind)
    found = load(language_models[kind]).generate(TEXTS, [0, 0, 0], tokens=8, temperature=0)
    for text, said in zip(TEXTS, found, strict=True):
        ids = torch.tensor([tokenizer(text).input_ids])
        whole = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False,
            pad_token_id=2,
        )  # fmt: skip
        assert said == tokenizer.decode(whole[0, ids.shape[1] :], skip_special_tokens=True)


def test_what_is_drawn_depends_on_the_own_seed_alone(language_models):
    together = load(language_models["gpt2"]).generate(TEXTS, [5, 6, 7], tokens=12)
    alone = load(language_models["gpt2"], batch=1)
    assert [
        alone.generate([text], [seed], tokens=12)[0]
        for text, seed in zip(TEXTS, (5, 6, 7), strict=True)
    ] == together
    assert alone.generate(TEXTS[:1], [8], tokens=12) != together[:1]


def test_draws_follow_the_probabilities(language_models):
    """The first token after a prompt, 4,000 times, against the probabilities of top 3."""
    model = AutoModelForCausalLM.from_pretrained(language_models["gpt2"]).eval()
    tokenizer = tiny.tokenizer("gpt2")
    with torch.no_grad():
        ids = torch.tensor([tokenizer(TEXTS[0]).input_ids])
        best = model(ids).logits[0, -1].double().topk(3)
    shares = best.values.div(2.0).softmax(0).numpy()
    drawn = load(language_models["gpt2"], batch=500).generate(
        TEXTS[:1] * 4000, range(4000), tokens=1, temperature=2.0, top_k=3
    )
    expected = Counter()  # two tokens may be written alike
    for token, share in zip(best.indices.tolist(), shares, strict=True):
        expected[tokenizer.decode([token], skip_special_tokens=True)] += 4000 * share
    counts = Counter(drawn)
    assert len(expected) > 1
    assert set(counts) <= set(expected)
    # Pearson's chi-square with two degrees of freedom: 13.8 is exceeded once in 1,000.
    assert sum((counts[name] - n) ** 2 / n for name, n in expected.items()) < 13.8


def test_vectors_are_the_hidden_states(language_models):
    model = AutoModelForMaskedLM.from_pretrained(language_models["bert"]).eval()
    encoder = Encoder(language_models["bert"], "tiny", device="cpu")
    pieces = encoder.read(TEXTS).pieces
    for layer in (-1, 0, 1):
        found = encoder.each(
            pieces,
            lambda batch, layer=layer: [
                rows[: len(piece.tokens)].numpy()
                for rows, piece in zip(encoder.hidden(batch, layer), batch.pieces, strict=True)
            ],
        )
        for piece, rows in zip(pieces, found, strict=True):
            with torch.no_grad():
                slow = model(torch.tensor([piece.tokens]), output_hidden_states=True)
            np.testing.assert_allclose(rows, slow.hidden_states[layer][0].numpy(), atol=1e-5)


def refused(act):
    with pytest.raises(FairauditError) as error:
        act()
    return str(error.value)


def test_a_classifier_is_refused(tmp_path):
    torch.manual_seed(0)
    config = tiny.model("gpt2").config
    GPT2ForSequenceClassification(config).save_pretrained(tmp_path)
    tiny.tokenizer("gpt2").save_pretrained(tmp_path)
    assert refused(lambda: load(tmp_path)) == (
        "--model tiny: a classifier (GPT2ForSequenceClassification), which has no probabilities "
        "of words; expected a language model."
    )


def test_a_model_without_its_head_is_refused(tmp_path):
    model = tiny.model("bert").bert
    model.save_pretrained(tmp_path)
    tiny.tokenizer("bert").save_pretrained(tmp_path)
    assert "weights of a language model are missing (cls." in refused(lambda: load(tmp_path))
    Encoder(tmp_path, "tiny", device="cpu")


def test_a_masked_model_does_not_generate(language_models):
    said = refused(lambda: load(language_models["bert"]).generate(["He"], [1]))
    assert "a masked language model, which does not go on from a text" in said


def test_a_prompt_must_leave_room(language_models):
    model = load(language_models["gpt2"])
    said = refused(lambda: model.generate([" ".join(tiny.SENTENCES[:2])], [1], tokens=30))
    assert "Shorten the prompt, or generate fewer tokens." in said


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    model = tiny.model("gpt2")
    with torch.no_grad():
        model.transformer.ln_f.weight[0] = float("nan")
    model.save_pretrained(tmp_path)
    tiny.tokenizer("gpt2").save_pretrained(tmp_path)
    assert "its weights are broken" in refused(lambda: load(tmp_path).log_likelihood(["He"]))


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, MemoryError])
def test_memory_that_does_not_suffice_halves_the_batch(error, language_models, monkeypatch):
    said = []
    model = load(language_models["gpt2"], batch=4, warn=said.append)
    right, answer = model.log_likelihood(TEXTS * 2), model._answer

    def short(batch, questions):
        if len(questions) > 1:
            raise error("out of memory")
        return answer(batch, questions)

    monkeypatch.setattr(model, "_answer", short)
    for one, other in zip(right, model.log_likelihood(TEXTS * 2), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert len(said) == 1
    assert "not enough memory for 4 texts" in said[0]
