"""CEAT: draws beside plain loops, and vectors of sentences beside a plain loop over batches.

Both loops do what the paper describes: in each draw take one vector of each stimulus, compute the
association of each target with both lists of attributes, once for the means and once for the
standard deviation, and from these the effect size and its variance. `with_scipy` computes one
cosine at a time with SciPy, which is what the authors' program does; `one_by_one` the same with
NumPy alone; `a_list_at_once` those of a word with a whole list in one product. A few draws of a
loop are timed and multiplied up; fairaudit is timed on all of them, from raw embeddings to the
effect sizes. That all agree is checked first. Embeddings are random: they change no time.

Then the embeddings themselves: `a_plain_loop` sorts sentences by their length, has the tokenizer
pad each batch, runs the model and takes the vector at the stimulus's last sub-token. Weights are
random. One thread.

    python benchmarks/ceat.py
    python benchmarks/ceat.py --tests C6 --contexts 1000 --draws 10000 --rounds 5
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import measure
import numpy as np

from fairaudit.arrays import Array
from fairaudit.lm.ceat import AssociationTest, sample
from fairaudit.lm.ceat.contexts import Context
from fairaudit.lm.ceat.effects import Tables
from fairaudit.lm.ceat.embeddings import StimulusEncoder

Vectors = dict[str, Array]
#: A word with a list: mean cosine.
Nearness = Callable[[Array, Array], float]
WIDTH = 768
#: Layers, width, heads and inner width.
SHAPES = {"BERT-tiny": (2, 128, 2, 512), "BERT-mini": (4, 256, 4, 1024)}
WORDS = "she he works reads at night the nurse doctor school writes letters to a friend".split()


def embeddings(test: AssociationTest, contexts: int) -> Vectors:
    """Vectors with much in common, as contextual ones have."""
    draw = np.random.default_rng(0)
    common = 3 * draw.standard_normal(WIDTH)
    words = {word: common + draw.standard_normal(WIDTH) for word in test.words}
    shape = (contexts, WIDTH)
    return {w: (v + draw.standard_normal(shape)).astype(np.float32) for w, v in words.items()}


def one_by_one(word: Array, others: Array) -> float:
    """Mean cosine, one cosine at a time."""
    cosines = [word @ v / (np.linalg.norm(word) * np.linalg.norm(v)) for v in others]
    return float(np.mean(cosines))


def a_list_at_once(word: Array, others: Array) -> float:
    """Mean cosine, one product with all."""
    cosines = others @ word / (np.linalg.norm(others, axis=1) * np.linalg.norm(word))
    return float(cosines.mean())


def with_scipy(word: Array, others: Array) -> float:
    """Mean cosine, one cosine at a time, by SciPy."""
    from scipy.spatial.distance import cosine  # type: ignore[import-untyped]

    return float(np.mean([1 - cosine(word, v) for v in others]))


def loop(test: AssociationTest, vectors: Vectors, nearness: Nearness, draws: int) -> Array:
    """Effect size and variance of each draw, and which contexts it took."""
    draw = np.random.default_rng(1)
    rows = []
    for _ in range(draws):
        taken = {word: draw.integers(len(each)) for word, each in vectors.items()}
        x, y, a, b = (
            np.stack([vectors[word][taken[word]] for word in side.words]) for side in test.sides
        )
        rows.append([*_effect(x, y, a, b, nearness), *(taken[word] for word in test.words)])
    return np.array(rows)


def _effect(x: Array, y: Array, a: Array, b: Array, near: Nearness) -> tuple[float, float]:
    def associations(words: Array) -> list[float]:
        return [near(word, a) - near(word, b) for word in words]

    difference = np.mean(associations(x)) - np.mean(associations(y))
    deviation = np.std(associations(np.concatenate([x, y])), ddof=1)
    return float(difference / deviation), float(deviation**2)


def agree(test: AssociationTest, vectors: Vectors, nearness: Nearness) -> None:
    """Stop where fairaudit finds other effect sizes for the same contexts."""
    exact = {word: each.astype(np.float64) for word, each in vectors.items()}
    expected = loop(test, exact, nearness, 5)
    found = Tables(test, vectors).effects(expected[:, 2:].T.astype(int))
    np.testing.assert_allclose(np.array(found).T, expected[:, :2], rtol=1e-5, atol=1e-5)


def compare(name: str, options: argparse.Namespace) -> None:
    """Time all on one test, in turn."""
    test = AssociationTest.shipped()[name]
    vectors = embeddings(test, options.contexts)
    few = options.loop_draws
    for nearness in (with_scipy, one_by_one, a_list_at_once):
        agree(test, vectors, nearness)
        plain, own = [], []
        for _ in range(options.rounds):
            seconds, _ = measure.cpu(lambda: loop(test, vectors, nearness, few))  # noqa: B023
            plain.append(seconds * options.draws / few)
            own.append(measure.cpu(lambda: sample(test, vectors, options.draws))[0])
        ratios = measure.spread(measure.ratios(plain, own), 0)
        print(f"{name:4} {nearness.__name__:15} {ratios:20} {measure.spread(own)}", flush=True)


def sentences(number: int) -> list[Context]:
    """Sentences of 5 to 40 words with a stimulus in each."""
    draw = np.random.default_rng(1)
    found = []
    for _ in range(number):
        words = list(draw.choice(WORDS, draw.integers(5, 41)))
        words[draw.integers(len(words))] = "unhappiness"
        text = " ".join(words)
        start = text.index("unhappiness")
        found.append(Context(text, start, start + len("unhappiness")))
    return found


def save(folder: Path, shape: tuple[int, int, int, int]) -> None:
    """A BERT with random weights, and a tokenizer that spells what it does not know."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    layers, width, heads, inner = shape
    letters = "abcdefghijklmnopqrstuvwxyz"
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS, *letters, *(f"##{c}" for c in letters)]
    vocabulary = {name: i for i, name in enumerate(dict.fromkeys(names))}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "model_max_length": 512}
    PreTrainedTokenizerFast(tokenizer_object=made, **special).save_pretrained(folder)
    size = {"hidden_size": width, "num_hidden_layers": layers, "intermediate_size": inner}
    config = BertConfig(vocab_size=30_522, num_attention_heads=heads, **size)
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)


def a_plain_loop(model: Any, tokenizer: Any, given: Sequence[Context], batch: int) -> Array:
    """Vectors of the stimuli, batch by batch of sentences of about one length."""
    import torch

    order = sorted(range(len(given)), key=lambda i: len(given[i].text))
    found: dict[int, Array] = {}
    for first in range(0, len(order), batch):
        places = order[first : first + batch]
        read = tokenizer([given[i].text for i in places], padding=True, return_tensors="pt")
        with torch.no_grad():
            states = model(**read).last_hidden_state
        last = [read.char_to_token(row, given[i].end - 1) for row, i in enumerate(places)]
        vectors = states[torch.arange(len(last)), torch.tensor(last)].numpy()
        found.update(zip(places, vectors, strict=True))
    return np.stack([found[i] for i in range(len(given))])


def compare_embedding(name: str, options: argparse.Namespace) -> None:
    """Time both on one shape, in turn."""
    from transformers import AutoModel, AutoTokenizer

    given = sentences(options.sentences)
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder), SHAPES[name])
        encoder = StimulusEncoder(Path(folder), name, device="cpu", batch=options.batch)
        model = AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder)
    plain, own = [], []
    for _ in range(options.rounds):
        seconds, expected = measure.cpu(
            lambda: a_plain_loop(model, tokenizer, given, options.batch)
        )
        plain.append(seconds)
        seconds, (found, _) = measure.cpu(lambda: encoder.embed(given))
        own.append(seconds)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    ratios = measure.spread(measure.ratios(plain, own))
    print(f"{name:10} {ratios:20} {measure.spread(own)}", flush=True)


def main() -> None:
    """Print how many times faster fairaudit's draws are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tests", nargs="+", default=["C1", "C6"])
    parser.add_argument("--contexts", type=int, default=1000, help="sentences of each stimulus")
    parser.add_argument("--draws", type=int, default=10_000)
    parser.add_argument("--loop-draws", type=int, default=20, help="timed of the loops")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sentences", type=int, default=2000, help="embedded")
    parser.add_argument("--batch", type=int, default=32)
    options = parser.parse_args()
    print(measure.environment("numpy", "scipy", "torch", "transformers"))
    print(f"loop over fairaudit, CPU seconds: {measure.SPREAD}, and seconds of fairaudit")
    for name in options.tests:
        compare(name, options)
    import torch

    torch.set_num_threads(1)
    print(f"embedding {options.sentences:,} sentences: plain loop over fairaudit, the same way")
    for name in SHAPES:
        compare_embedding(name, options)
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:,.0f} MB")


if __name__ == "__main__":
    main()
