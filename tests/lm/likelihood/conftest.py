"""Tiny models, and the slow, obvious way to score by them."""

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, PreTrainedTokenizerFast

from fairaudit.lm.language_models import LanguageModel
from tests.lm import tiny

#: A character of no width, which some tokenizers drop.
INVISIBLE = "\u200b"


class Slow:
    """Scores one token at a time, one sentence at a time, no batch, no padding."""

    def __init__(self, folder, kind):
        self.masked = kind in ("bert", "roberta")
        auto = AutoModelForMaskedLM if self.masked else AutoModelForCausalLM
        self.model = auto.from_pretrained(folder).eval()
        self.tokenizer = tiny.tokenizer(kind)

    def own(self, text):
        return self.tokenizer(text, add_special_tokens=False).input_ids

    def predict(self, tokens, place):
        with torch.no_grad():
            return self.model(torch.tensor([tokens])).logits[0, place].double().log_softmax(-1)

    def token(self, before, token, after):
        """Log probability of a token between others."""
        if self.masked:
            tokens = [0, *before, self.tokenizer.mask_token_id, *after, 2]
            return float(self.predict(tokens, len(before) + 1)[token])
        return float(self.predict([0, *before], len(before))[token])

    def tokens(self, text):
        own = self.own(text)
        return np.array([self.token(own[:i], t, own[i + 1 :]) for i, t in enumerate(own)])

    def total(self, text):
        return float(self.tokens(text).sum())


@pytest.fixture(params=["gpt2", "llama", "bert", "roberta"])
def both(request, language_models):
    """A model, and the slow way to ask it."""
    folder = language_models[request.param]
    return LanguageModel(folder, "tiny", device="cpu", batch=3), Slow(folder, request.param)


@pytest.fixture
def masked(language_models):
    folder = language_models["bert"]
    return LanguageModel(folder, "tiny", device="cpu", batch=3), Slow(folder, "bert")


@pytest.fixture
def causal(language_models):
    folder = language_models["gpt2"]
    return LanguageModel(folder, "tiny", device="cpu", batch=3), Slow(folder, "gpt2")


@pytest.fixture(scope="session")
def wordpiece(tmp_path_factory):
    """Folder of a tiny masked model that reads whole words, and nothing of what is not seen."""
    words = "<s> <pad> </s> <mask> [UNK] the nurse doctor king works she he".split()
    made = Tokenizer(models.WordPiece({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    folder = tiny.save(tmp_path_factory.mktemp("wordpiece"), "bert")
    PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>",
        mask_token="<mask>", unk_token="[UNK]", model_max_length=tiny.CONTEXT,
    ).save_pretrained(folder)  # fmt: skip
    return folder


@pytest.fixture(scope="session")
def roomy(tmp_path_factory):
    """Folders of tiny models that read longer sentences, by kind."""
    place = tmp_path_factory.mktemp("roomy models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny, "CONTEXT", 160)
        return {kind: tiny.save(place / kind, kind) for kind in ("gpt2", "bert")}
