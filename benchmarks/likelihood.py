"""CrowS-Pairs by a masked model: fairaudit's batches beside the authors' way, mask by mask.

The loop does what ``metric.py`` of CrowS-Pairs does: for each token that the two sentences share,
one forward pass for each sentence, without a batch. Both run in one thread on the same model with
random weights, which change no time; their scores are compared first. Tokenizing is in both.

    python benchmarks/likelihood.py
    python benchmarks/likelihood.py --rounds 5 --pairs 40
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.lm.language_models import LanguageModel
from fairaudit.lm.likelihood.scoring import shared_likelihoods

WORDS = "she he works reads at night the nurse doctor school writes letters to a friend".split()
#: Layers, width, heads and inner width.
SHAPES = {"tiny": (2, 64, 2, 128), "small": (4, 256, 4, 1024)}
#: Of a sum of log probabilities, rounded to three decimals.
TOLERANCE = 2e-3


def pairs(number: int) -> list[tuple[str, str]]:
    """Pairs of sentences of 10 to 20 words that differ in one."""
    draw = np.random.default_rng(1)
    made = []
    for _ in range(number):
        words = list(draw.choice(WORDS, draw.integers(10, 21)))
        at = int(draw.integers(len(words)))
        other = [*words[:at], "king" if words[at] != "king" else "queen", *words[at + 1 :]]
        made.append((" ".join(words), " ".join(other)))
    return made


def save(folder: Path, shape: str) -> Path:
    """Save a BERT of some shape with random weights, and a tokenizer of `WORDS`."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

    layers, width, heads, inner = SHAPES[shape]
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=8_192,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=inner,
        initializer_range=0.1,
    )
    BertForMaskedLM(config).save_pretrained(folder)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {word: i for i, word in enumerate([*special, *WORDS, "king", "queen"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", mask_token="[MASK]"
    ).save_pretrained(folder)
    return folder


class Loop:
    """One mask at a time, one sentence at a time.

    Parameters
    ----------
    folder : Path
        A model folder.
    """

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModelForMaskedLM, AutoTokenizer

        self.model = AutoModelForMaskedLM.from_pretrained(folder).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)

    def score(self, pair: tuple[str, str]) -> tuple[float, float]:
        """Scores of the two sentences."""
        tokens = [self.tokenizer.encode(text) for text in pair]
        blocks = SequenceMatcher(None, *tokens).get_matching_blocks()
        shared = [(b.a + i, b.b + i) for b in blocks for i in range(b.size)][1:-1]
        first = sum(self._one(tokens[0], a) for a, _ in shared)
        second = sum(self._one(tokens[1], b) for _, b in shared)
        return round(first, 3), round(second, 3)

    def _one(self, tokens: list[int], place: int) -> float:
        import torch

        hidden = torch.tensor([tokens])
        hidden[0, place] = self.tokenizer.mask_token_id
        with torch.no_grad():
            said: Any = self.model(hidden).logits[0, place].log_softmax(-1)
        return float(said[tokens[place]])


def compare(model: LanguageModel, loop: Loop, several: list[tuple[str, str]]) -> None:
    """Stop where the two do not agree."""
    ours = np.transpose(shared_likelihoods(model, several))
    theirs: Array = np.array([loop.score(pair) for pair in several])
    if np.abs(ours - theirs).max() > TOLERANCE:
        raise SystemExit(f"the scores differ by {np.abs(ours - theirs).max():.2g}")


def main() -> None:
    """Time both, round by round, and print medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    import torch

    torch.set_num_threads(1)
    several = pairs(options.pairs)
    with tempfile.TemporaryDirectory() as place:
        for shape in SHAPES:
            folder = save(Path(place) / shape, shape)
            model, loop = LanguageModel(folder, shape, device="cpu"), Loop(folder)
            compare(model, loop, several)
            report(shape, model, loop, several, options.rounds)


def report(
    shape: str, model: LanguageModel, loop: Loop, several: list[tuple[str, str]], rounds: int
) -> None:
    """Sentences a second of either, and how many times as fast."""
    seconds: dict[str, list[float]] = {"fairaudit": [], "loop": []}
    for _ in range(rounds):
        begin = time.perf_counter()
        shared_likelihoods(model, several)
        middle = time.perf_counter()
        for pair in several:
            loop.score(pair)
        seconds["fairaudit"].append(middle - begin)
        seconds["loop"].append(time.perf_counter() - middle)
    ratio = np.median(np.array(seconds["loop"]) / np.array(seconds["fairaudit"]))
    rates = {name: 2 * len(several) / np.median(each) for name, each in seconds.items()}
    print(
        f"{shape}: fairaudit {rates['fairaudit']:.1f} sentences/s, one by one "
        f"{rates['loop']:.1f}; {ratio:.1f} times as fast"
    )


if __name__ == "__main__":
    main()
