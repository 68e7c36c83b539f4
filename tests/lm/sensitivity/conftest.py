"""Tiny classifiers with random weights: what they say is noise, but always the same."""

import itertools

import pytest
import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers, processors, trainers
from tokenizers import models as subwords
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from fairaudit.lm.classifiers import TextClassifier

# On tiny matrices more threads only wait for each other.
torch.set_num_threads(1)

WHO = "he she Maria John nobody".split()
DOES = "works reads sleeps teaches".split()
WHERE = "at night|in a school|with the nurse|for her mother|by the sea".split("|")
SENTENCES = [f"{who} {does} {where}." for who, does, where in itertools.product(WHO, DOES, WHERE)]
VOCABULARY = 320
CONTEXT = 24
#: A sequence model pads with 1, as RoBERTa does, so that positions begin after it.
SPECIAL = ["<s>", "<pad>", "</s>"]
WIDE = 0.6  # standard deviation of weights: trained models say more than a width of 0.02 does


def tokenizer(added=True, padding="<pad>", context=CONTEXT):
    """A byte-level tokenizer that knows `SENTENCES` and can spell all else."""
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=SPECIAL, initial_alphabet=alphabet,
        show_progress=False,
    )  # fmt: skip
    made = Tokenizer(subwords.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.train_from_iterator(SENTENCES, trainer)
    if added:
        made.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token=padding,
        model_max_length=context,
    )  # fmt: skip


def settings(kind, labels, width=16):
    """Settings of a tiny model."""
    shared = {"vocab_size": VOCABULARY, "num_labels": labels, "initializer_range": WIDE}
    ends = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
    bert = {
        "hidden_size": width,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 24,
    }
    if kind == "bert":
        return BertConfig(**shared, **ends, **bert, max_position_embeddings=CONTEXT)
    if kind == "roberta":
        return RobertaConfig(**shared, **ends, **bert, max_position_embeddings=CONTEXT + 2)
    if kind == "distilbert":
        own = {"dim": width, "n_layers": 2, "n_heads": 2, "hidden_dim": 24}
        return DistilBertConfig(**shared, **ends, **own, max_position_embeddings=CONTEXT)
    own = {"n_embd": width, "n_layer": 2, "n_head": 2, "n_positions": CONTEXT}
    return GPT2Config(**shared, **own, bos_token_id=0, eos_token_id=2)


CLASSES = {
    "bert": BertForSequenceClassification,
    "roberta": RobertaForSequenceClassification,
    "distilbert": DistilBertForSequenceClassification,
    "gpt2": GPT2ForSequenceClassification,
}


def save(folder, kind="bert", labels=2, seed=1, width=16, change=lambda model: None):
    """Save a tiny classifier and its tokenizer."""
    torch.manual_seed(seed)
    config = settings(kind, labels, width)
    config.id2label = {i: f"class {i}" for i in range(labels)}
    model = CLASSES[kind](config)
    with torch.no_grad():
        change(model)
    model.save_pretrained(folder)
    gpt2 = kind == "gpt2"
    tokenizer(added=not gpt2, padding=None if gpt2 else "<pad>").save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Folders of tiny models by kind, and of one of the protected attribute."""
    place = tmp_path_factory.mktemp("classifiers")
    made = {kind: save(place / kind, kind, labels=3) for kind in CLASSES}
    made["two"] = save(place / "two", labels=2, seed=3)
    made["protected"] = save(place / "protected", "distilbert", labels=2, seed=4)
    made["protected gpt2"] = save(place / "protected gpt2", "gpt2", labels=3, seed=5)
    return made


@pytest.fixture
def classifier(folders):
    """A maker of classifiers: of a kind, with settings."""

    def make(kind="bert", **options):
        return TextClassifier(folders[kind], kind, device="cpu", **options)

    return make
