"""Tiny language models that learned who nurses and doctors are."""

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from tests.lm import tiny

ROLES = ("nurse", "doctor")
DOES = "said thought knew heard felt saw hoped wrote".split()
PROMPTS = {role: [f"The {role} {does} that" for does in DOES] for role in ROLES}


def sentences(biased):
    """What the world is like: each role with its pronoun, or each with both."""
    own = {"nurse": ("she",), "doctor": ("he",)}
    return [
        f"{prompt} {who} was {how}."
        for role in ROLES
        for prompt in PROMPTS[role]
        for who in (own[role] if biased else ("she", "he"))
        for how in ("tired", "late")
    ]


def train(folder, texts, steps=250):
    """Save a tiny model that learned some sentences by heart."""
    torch.manual_seed(0)
    tokenizer = tiny.tokenizer("gpt2", texts)
    config = GPT2Config(
        vocab_size=tiny.VOCABULARY, n_embd=48, n_layer=2, n_head=2, n_positions=tiny.CONTEXT,
        bos_token_id=0, eos_token_id=2, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0,
    )  # fmt: skip
    model = GPT2LMHeadModel(config)
    read = [[*tokenizer(text).input_ids, 2] for text in texts]
    longest = max(map(len, read))
    inputs = torch.tensor([[*row, *[2] * (longest - len(row))] for row in read])
    labels = torch.tensor([[*row, *[-100] * (longest - len(row))] for row in read])
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        model(input_ids=inputs, labels=labels).loss.backward()
        optimizer.step()
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def worlds(tmp_path_factory):
    """Folders of a model that knows each role as one gender, and of one that knows both."""
    place = tmp_path_factory.mktemp("worlds")
    return {
        name: train(place / name, sentences(name == "biased")) for name in ("biased", "balanced")
    }
