"""Tiny language models with random weights: what they say is noise, but always the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers, processors, trainers
from tokenizers import models as subwords
from transformers import (
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForMaskedLM,
)

# On tiny matrices more threads only wait for each other.
torch.set_num_threads(1)

SENTENCES = [
    f"{who} {does} {where}."
    for who in "The nurse|The doctor|He|She|My mother|The king".split("|")
    for does in "works|reads his book|sees her|said that she was tired".split("|")
    for where in "at night|in a school|with the nurse|by the sea".split("|")
]
VOCABULARY = 384
CONTEXT = 40
SPECIAL = ["<s>", "<pad>", "</s>", "<mask>"]
#: Standard deviation of the weights: trained models say more than the usual 0.02 does.
WIDE = 0.5


def tokenizer(kind: str, sentences: list[str] = SENTENCES) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer that knows some sentences and can spell all else.

    With ``gpt2`` it adds no special tokens, with ``llama`` one in front, else one at either end.
    """
    made = Tokenizer(subwords.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(sentences, trainer)
    if kind != "gpt2":
        made.post_processor = processors.TemplateProcessing(
            single="<s> $A" if kind == "llama" else "<s> $A </s>",
            special_tokens=[("<s>", 0), ("</s>", 2)],
        )
    names: dict[str, Any] = {"bos_token": "<s>", "eos_token": "</s>", "model_max_length": CONTEXT}
    if kind in ("bert", "roberta"):
        names |= {"pad_token": "<pad>", "mask_token": "<mask>"}
    return PreTrainedTokenizerFast(tokenizer_object=made, **names)


def model(kind: str, width: int = 32, layers: int = 2) -> Any:
    """A model with random weights: ``gpt2``, ``llama``, ``bert`` or ``roberta``."""
    ends = {"bos_token_id": 0, "eos_token_id": 2}
    shared = {"vocab_size": VOCABULARY, "initializer_range": WIDE, **ends}
    if kind == "gpt2":
        own = {"n_embd": width, "n_layer": layers, "n_head": 2, "n_positions": CONTEXT}
        return GPT2LMHeadModel(GPT2Config(**shared, **own))
    size = {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "intermediate_size": 2 * width,
    }
    if kind == "llama":
        return LlamaForCausalLM(LlamaConfig(**shared, **size, max_position_embeddings=CONTEXT))
    if kind == "bert":
        own = {"pad_token_id": 1, "max_position_embeddings": CONTEXT}
        return BertForMaskedLM(BertConfig(**shared, **size, **own))
    own = {"pad_token_id": 1, "max_position_embeddings": CONTEXT + 2}
    return RobertaForMaskedLM(RobertaConfig(**shared, **size, **own))


def save(folder: Path, kind: str, seed: int = 1, **options: Any) -> Path:
    """Save a tiny model and its tokenizer."""
    torch.manual_seed(seed)
    model(kind, **options).save_pretrained(folder)
    tokenizer(kind).save_pretrained(folder)
    return folder
