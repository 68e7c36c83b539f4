"""Prediction sensitivity: fairaudit's batches beside a plain loop over records and classes.

The loop does what the definition says: for each record one forward pass and one backward pass for
each class, and the same for the model of the protected attribute, whose class is the predicted
one. Both differentiate by the same embeddings, in one thread; their results are compared first.
Weights are random: they change no time. Tokenizing is in both.

    python benchmarks/sensitivity.py
    python benchmarks/sensitivity.py --rounds 5 --texts 64
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import measure
import numpy as np

from fairaudit.arrays import Array
from fairaudit.lm.classifiers import TextClassifier
from fairaudit.lm.sensitivity.measured import Weighting
from fairaudit.lm.sensitivity.neural import NeuralProbe
from fairaudit.lm.sensitivity.protected import ProtectedModel

CLASSES = 4
WORDS = "she he works reads at night the nurse doctor school writes letters to a friend".split()
#: Layers, width, heads and inner width, and the number of texts.
SHAPES = {"tiny": (2, 32, 2, 64), "BERT-base": (12, 768, 12, 3072)}
#: Of the sum; the order of additions differs.
TOLERANCE = 1e-3


def texts(number: int) -> list[str]:
    """Texts of 8 to 40 words."""
    draw = np.random.default_rng(1)
    return [" ".join(draw.choice(WORDS, draw.integers(8, 41))) for _ in range(number)]


def save(folder: Path, shape: str, classes: int, seed: int) -> Path:
    """Save a BERT of some shape with random weights, and a tokenizer of `WORDS`."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    layers, width, heads, inner = SHAPES[shape]
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=1000 if shape == "tiny" else 30_522,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=inner,
        num_labels=classes,
        initializer_range=0.1,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    vocabulary = {word: i for i, word in enumerate([*special, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]").save_pretrained(folder)
    return folder


class Loop:
    """One record at a time, one backward pass for each class.

    Parameters
    ----------
    task, protected : Path
        Model folders.
    """

    def __init__(self, task: Path, protected: Path) -> None:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        load = AutoModelForSequenceClassification.from_pretrained
        self.task, self.protected = load(task).eval(), load(protected).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(task)

    def __call__(self, records: list[str], weighting: Weighting) -> Array:
        """P of each record."""
        return np.array([self._one(text, weighting) for text in records])

    def _one(self, text: str, weighting: Weighting) -> float:
        tokens = self.tokenizer(text, return_tensors="pt").input_ids
        f, jacobian = _jacobian(self.task, tokens)
        g, other = _jacobian(self.protected, tokens)
        h = abs(other[int(g.argmax())][1:-1])
        weights = np.full(CLASSES, 1 / CLASSES)
        if weighting == "predicted":
            weights = np.eye(CLASSES)[int(f.argmax())]
        total = sum(
            w * (abs(row[1:-1]) * h).sum() for w, row in zip(weights, jacobian, strict=True)
        )
        return float(total / h.sum())


def _jacobian(model: Any, tokens: Any) -> tuple[Any, list[Any]]:
    """Probabilities of a text and the gradients of each."""
    import torch

    at = model.get_input_embeddings()(tokens).detach().requires_grad_()
    probabilities = model(inputs_embeds=at).logits.softmax(-1)[0]
    rows = [torch.autograd.grad(p, at, retain_graph=True)[0][0] for p in probabilities]
    return probabilities, rows


def compare(shape: str, number: int, rounds: int, folder: Path) -> None:
    """Time both on one shape of model, in turn."""
    models = (
        save(folder / f"{shape} task", shape, CLASSES, 1),
        save(folder / f"{shape} g", shape, 2, 2),
    )
    loop = Loop(*models)
    task, protected = (TextClassifier(model, model.name, device="cpu") for model in models)
    records, source = texts(number), ProtectedModel(protected, task)
    weightings: tuple[Weighting, ...] = ("predicted", "uniform")
    for weighting in weightings:
        probe = NeuralProbe(task, source, weighting=weighting)
        np.testing.assert_allclose(
            probe.measure(records).sensitivity, loop(records, weighting), rtol=TOLERANCE
        )
        plain, own = [], []
        for _ in range(rounds):
            plain.append(measure.cpu(lambda: loop(records, weighting))[0])  # noqa: B023
            own.append(measure.cpu(lambda: probe.measure(records))[0])  # noqa: B023
        ratios = measure.spread(measure.ratios(plain, own), 1)
        each = 1000 * min(own) / number
        print(f"{shape:10} {number:5} {weighting:10} {ratios:18} {each:10.2f}", flush=True)


def main() -> None:
    """Print how many times faster the batches are."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--texts", type=int, default=128, help="for the tiny model")
    parser.add_argument("--base-texts", type=int, default=8, help="for BERT-base")
    options = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    torch.set_num_threads(1)
    print(f"loop over fairaudit, CPU seconds: {measure.SPREAD}, and ms of fairaudit per text")
    with tempfile.TemporaryDirectory() as folder:
        compare("tiny", options.texts, options.rounds, Path(folder))
        compare("BERT-base", options.base_texts, options.rounds, Path(folder))


if __name__ == "__main__":
    main()
