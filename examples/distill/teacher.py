"""Trains a small GPT-2 from scratch on a text of yours, with a byte-level tokenizer of its own.

    python teacher.py corpus.txt teacher/ --layers 4 --width 256 --vocabulary 4096 --tokens 3000000

A stand-in for a real teacher, so that the example needs no download: a few million parameters,
minutes on two cores.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
from transformers.utils import logging

#: Ends a document, as in GPT-2's own vocabulary.
END = "<|endoftext|>"
BLOCK, BATCH, RATE, WARM_UP = 128, 16, 1e-3, 0.05


def train_tokenizer(documents: list[str], words: int) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer, as GPT-2's, with so many tokens."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=words,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(documents, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token=END, eos_token=END, model_max_length=2 * BLOCK
    )


def blocks_of(documents: list[str], tokenizer: PreTrainedTokenizerFast) -> torch.Tensor:
    """The documents one after the other, cut into blocks, shape (n, BLOCK)."""
    tokens: list[int] = []
    for document in documents:
        tokens += [*tokenizer(document, verbose=False).input_ids, tokenizer.eos_token_id]
    whole = len(tokens) // BLOCK * BLOCK
    if not whole:
        raise SystemExit(f"{len(tokens)} tokens; expected {BLOCK} or more. Give more text.")
    return torch.tensor(tokens[:whole]).view(-1, BLOCK)


def batches(blocks: torch.Tensor, steps: int, seed: int) -> Iterator[torch.Tensor]:
    """So many batches, in a new order each time the text is through."""
    rng = np.random.default_rng(seed)
    order: list[int] = []
    for _ in range(steps):
        while len(order) < BATCH:
            order += rng.permutation(len(blocks)).tolist()
        yield blocks[order[:BATCH]]
        del order[:BATCH]


def train(model: GPT2LMHeadModel, blocks: torch.Tensor, steps: int, seed: int) -> None:
    """Train to predict the next token; the rate rises for a while, then falls to nothing."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.1)
    warm = max(1, int(WARM_UP * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min((step + 1) / warm, 0.5 + 0.5 * math.cos(math.pi * step / steps)),
    )
    begin, device = time.monotonic(), model.device
    for step, batch in enumerate(batches(blocks, steps, seed), 1):
        loss = model(input_ids=batch.to(device), labels=batch.to(device)).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0 or step == steps:
            left = (time.monotonic() - begin) / step * (steps - step)
            sys.stderr.write(f"\r{step} of {steps}, loss {loss.item():.3f}, {left:.0f} s left ")
    sys.stderr.write("\n")


def main() -> None:
    """Read the command line, train, and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("corpus", type=Path, help="text, a document a line")
    parser.add_argument("folder", type=Path, help="where to save model and tokenizer")
    for name, default in (("layers", 4), ("width", 256), ("heads", 4), ("vocabulary", 4096)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--tokens", type=int, default=3_000_000, help="tokens to train on")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    documents = [line for line in given.corpus.read_text().splitlines() if line.strip()]
    tokenizer = train_tokenizer(documents, given.vocabulary)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=given.width,
        n_layer=given.layers,
        n_head=given.heads,
        n_positions=2 * BLOCK,
        # GPT-2's own, computed at once.
        activation_function="gelu_pytorch_tanh",
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = GPT2LMHeadModel(config).to(device)
    blocks = blocks_of(documents, tokenizer)
    train(model, blocks, max(1, given.tokens // (BATCH * BLOCK)), given.seed)
    model.save_pretrained(given.folder)
    tokenizer.save_pretrained(given.folder)


if __name__ == "__main__":
    main()
