"""Trains the network of `fairaudit.lm.swap.slots` from plain text.

    python -m fairaudit.lm.swap.train novels.txt.xz --modern wikipedia.txt.xz

Forms that name their slot label their own contexts: *me, us, them, him* are objects; *my, our,
their, its, his* determiners; *mine, ours, theirs, yours, hers* independent. What follows *the* is
like what follows a determiner, and what follows *it* or *itself* like what follows an object:
these examples, of less weight and without their left side, teach nouns that no pronoun stood
before. Constructions that novels have too few of are filled in
(`fairaudit.lm.swap.constructions`). Beside the slots the network learns to fill any gap where a
frequent word stood: so rare words get vectors like those of words that are used alike.
The same texts give the same bytes on the same machine.
"""

from __future__ import annotations

import argparse
import lzma
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fairaudit.arrays import Array
from fairaudit.lm.swap import slots
from fairaudit.lm.swap.constructions import sentences
from fairaudit.lm.swap.lexicon import Lexicon
from fairaudit.lm.swap.linear import fingerprint
from fairaudit.lm.swap.slots import AFTER, BEFORE
from fairaudit.lm.swap.swapper import split

_FORMS = (
    "me us them him",
    "my our their his your its",
    "mine ours theirs yours hers",
)
#: Forms that are followed by the same words as an object, or as a determiner.
_ALIKE = (
    "it himself herself themselves myself yourself itself ourselves",
    "the a an",
)
SLOT_OF = {form: k for k, forms in enumerate(_FORMS) for form in forms.split()}
ALIKE = {form: k for k, forms in enumerate(_ALIKE) for form in forms.split()}
#: "A coal mine" is no pronoun.
_NOUN_MINE = frozenset("a the this that an coal gold silver land".split())


class Settings(NamedTuple):
    """How the network is built and trained."""

    words: int = 16_000
    width: int = 8  #: of a token's vector
    hidden: int = 64
    steps: int = 14_000
    batch: int = 1024
    rate: float = 4e-3
    gaps: int = 150  #: how many frequent words are guessed
    gap_weight: float = 2.0  #: of their loss, falling to 0 at the end
    rare: float = 0.05  #: share of words taken for rare ones
    title_case: float = 0.04  #: share of contexts written as in headlines


class Stream(NamedTuple):
    """A text as tokens."""

    rows: Array  #: of int, shape (tokens, 3), see `slots.rows`
    ends: Array  #: of bool: a sentence ends
    slot: Array  #: of int: the slot that the form names, -1 elsewhere
    alike: Array  #: of int: the slot that the form is like, -1 elsewhere


class Examples(NamedTuple):
    """Contexts, shape (n, BEFORE + AFTER, 3), their classes and weights, shape (n,)."""

    x: Array
    y: Array
    weight: Array


def vocabulary(texts: Sequence[tuple[Sequence[str], float]], size: int) -> dict[int, int]:
    """Rows of the most frequent words of texts that are weighted, by fingerprint, sorted."""
    counts: Counter[str] = Counter()
    for found, weight in texts:
        for word, n in Counter(found).items():
            counts[word.lower()] += round(n * weight)
    frequent = sorted(counts, key=lambda word: (-counts[word], word))[:size]
    return {key: row for row, key in enumerate(sorted(set(map(fingerprint, frequent))), 2)}


def stream(found: Sequence[str], words: Mapping[int, int], canonical: Mapping[str, str]) -> Stream:
    """Number the tokens of a text, and find the forms that name their slot."""
    known = {t: slots.rows(slots._classed(t, canonical), words) for t in set(found)}
    small = [t if t == "US" else t.lower() for t in found]
    slot = [SLOT_OF.get(t, -1) for t in small]
    for at in [at for at, t in enumerate(small) if t == "mine" and small[at - 1] in _NOUN_MINE]:
        slot[at] = -1
    return Stream(
        np.array([known[t] for t in found], dtype=np.int32),
        np.array([t in slots.ENDS for t in found]),
        np.array(slot),
        np.array([ALIKE.get(t, -1) for t in small]),
    )


def windows(text: Stream, at: Array) -> Array:
    """Contexts at places of a text, as `slots.context` gives them: shape (n, 7, 3)."""
    found = np.zeros((len(at), BEFORE + AFTER, 3), dtype=np.int32)
    for sign, number, first in ((-1, BEFORE, 0), (1, AFTER, BEFORE)):
        past = np.zeros(len(at), dtype=bool)
        for step in range(number):
            near = np.clip(at + sign * (step + 1), 0, len(text.ends) - 1)
            found[:, first + step] = np.where(past[:, None], 0, text.rows[near])
            past |= text.ends[near]
    return found


def examples(text: Stream, weight: float, like: float, share: float) -> Examples:
    """Contexts of all forms, and of a share of those that are like them, without a left side."""
    at, near = np.flatnonzero(text.slot >= 0), np.flatnonzero(text.alike >= 0)
    near = near[np.random.default_rng(0).random(len(near)) < share]
    right = windows(text, near)
    right[:, :BEFORE] = 0
    return Examples(
        np.concatenate([windows(text, at), right]),
        np.concatenate([text.slot[at], text.alike[near]]),
        np.repeat([weight, like], [len(at), len(near)]),
    )


def gaps(text: Stream, frequent: Array, weight: float, most: int) -> Examples:
    """Contexts of frequent words, at most so many; the class is the place among them."""
    place = np.full(int(text.rows[:, 0].max()) + 1, -1)
    place[frequent[frequent < len(place)]] = np.flatnonzero(frequent < len(place))
    at = np.flatnonzero(place[text.rows[:, 0]] >= 0)
    if len(at) > most:
        at = np.random.default_rng(0).choice(at, most, replace=False)
    return Examples(windows(text, at), place[text.rows[at, 0]], np.full(len(at), weight))


def joined(parts: Sequence[Examples]) -> Examples:
    """Examples of several texts as one."""
    return Examples(*(np.concatenate(field) for field in zip(*parts, strict=True)))


def fit(found: Examples, others: Examples, words: int, settings: Settings) -> dict[str, Array]:
    """Train the network on slots and gaps together.

    Returns
    -------
    dict of str to array
        ``word``, ``ending``, ``shape`` (rows, width); ``hidden`` (7 width, hidden), ``out``
        (hidden, 3) and their biases.
    """
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)  # one order of additions: the same bytes again
    network = _Network(words, settings)
    optimizer, schedule = _optimizer(network, settings)
    slot_batch, gap_batch = (_batches(several, settings) for several in (found, others))
    for step in range(settings.steps):
        fading = settings.gap_weight * (1 - step / settings.steps)
        loss = network.loss(slot_batch(), gap_batch(), fading)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.weights()


class _Network:
    """Vectors of tokens, hidden units, and what these say of slots and of gaps."""

    def __init__(self, words: int, settings: Settings) -> None:
        import torch

        width, units = settings.width, settings.hidden
        sizes = (words + 2, slots.ENDINGS + 1, 6)
        self.tables = [torch.nn.Embedding(size, width) for size in sizes]
        for table in self.tables:
            torch.nn.init.normal_(table.weight, 0, 0.1)
        self.hidden = torch.nn.Linear((BEFORE + AFTER) * width, units)
        self.out = torch.nn.Linear(units, 3)
        self.gap = torch.nn.Linear(units, settings.gaps)

    def parameters(self) -> list[Any]:
        """All that is trained."""
        parts = (*self.tables, self.hidden, self.out, self.gap)
        return [parameter for part in parts for parameter in part.parameters()]

    def loss(self, slot: tuple[Any, Any], gap: tuple[Any, Any], weight: float) -> Any:
        """Cross-entropy of slots, and that of gaps by a weight; each a batch and its classes."""
        import torch

        (x, y), (gap_x, gap_y) = slot, gap
        rows = torch.cat([x, gap_x])
        vectors = sum(table(rows[..., k]) for k, table in enumerate(self.tables)).flatten(1)
        seen = torch.relu(self.hidden(vectors))
        loss = torch.nn.functional.cross_entropy(self.out(seen[: len(x)]), y)
        return loss + weight * torch.nn.functional.cross_entropy(self.gap(seen[len(x) :]), gap_y)

    def weights(self) -> dict[str, Array]:
        """What `fit` returns: all but what guesses gaps."""
        layers = {"hidden": self.hidden.weight.T, "hidden_bias": self.hidden.bias}
        layers |= {"out": self.out.weight.T, "out_bias": self.out.bias}
        named = zip(("word", "ending", "shape"), (t.weight for t in self.tables), strict=True)
        return {name: value.detach().numpy() for name, value in (*named, *layers.items())}


def _optimizer(network: _Network, settings: Settings) -> tuple[Any, Any]:
    """Adam, and the rate at each step: up for a tenth of them, then down."""
    import torch

    optimizer = torch.optim.Adam(network.parameters(), lr=settings.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.rate, total_steps=settings.steps, pct_start=0.1
    )
    return optimizer, schedule


def _batches(found: Examples, settings: Settings) -> Callable[[], tuple[Any, Any]]:
    """Draws batches by weight; some words are taken for rare ones, some contexts for headlines."""
    import torch

    x, y = torch.from_numpy(found.x), torch.from_numpy(found.y.astype(np.int64))
    share = torch.from_numpy(np.cumsum(found.weight / found.weight.sum()))

    def draw() -> tuple[Any, Any]:
        chosen = torch.searchsorted(share, torch.rand(settings.batch, dtype=share.dtype))
        rows = x[chosen.clamp(max=len(y) - 1)]
        word, ending, shape = rows.unbind(-1)
        word = torch.where((torch.rand(word.shape) < settings.rare) & (word > 1), 1, word)
        headline = torch.rand(len(rows), 1)
        shape = torch.where((shape == 1) & (headline < settings.title_case), 2, shape)
        capitals = (shape > 0) & (shape < 3) & (headline > 1 - settings.title_case / 2)
        shape = torch.where(capitals, 3, shape)
        return torch.stack([word, ending, shape], -1), y[chosen.clamp(max=len(y) - 1)]

    return draw


def pack(network: Mapping[str, Array], words: Mapping[int, int]) -> bytes:
    """The weights file: vectors of words in 4 bits a number, all else in 8 or 16."""
    small = {"word": 7, "ending": 7, "hidden": 127}
    saved: dict[str, Array] = {"steps": np.diff(sorted(words), prepend=0).astype(np.int32)}
    for name, value in network.items():
        if name not in small:
            saved[name] = value.astype(np.float16)
            continue
        # Large numbers are clipped: few, and the rest keeps its detail.
        scale = np.abs(value).max(axis=0) * (0.6 if small[name] == 7 else 1.0) / small[name]
        scale = scale.astype(np.float32)
        saved[name] = np.clip(np.rint(value / scale), -small[name], small[name]).astype(np.int8)
        saved[f"{name}_scale"] = scale
    file = BytesIO()
    np.savez_compressed(file, **saved)  # type: ignore[arg-type]
    return file.getvalue()


def train(old: str, modern: str, settings: Settings, made: int = 300) -> bytes:
    """The weights file from older and modern texts, and so many of each construction."""
    canonical = Lexicon.default().canonical
    found = [slots.tokens(split(text)) for text in (old, modern, sentences(made))]
    classed = [[slots._classed(t, canonical).lower() for t in several] for several in found[:2]]
    words = vocabulary([(classed[0], 1.0), (classed[1], 12.0)], settings.words)
    common = Counter(classed[0]) + Counter(classed[1])
    top = sorted(common, key=lambda word: (-common[word], word))[: settings.gaps]
    frequent = np.array([words[fingerprint(word)] for word in top])
    texts = [stream(several, words, canonical) for several in found]
    slot_of = [
        examples(texts[0], 1.0, 0.5, 0.1),
        examples(texts[1], 20.0, 1.5, 1.0),
        examples(texts[2], 2.0, 0.0, 0.0),
    ]
    gap_of = [gaps(texts[0], frequent, 1.0, 3_000_000), gaps(texts[1], frequent, 4.0, 3_000_000)]
    return pack(fit(joined(slot_of), joined(gap_of), len(words), settings), words)


def main() -> None:
    """Train the network and write it beside this file."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("texts", nargs="+", type=Path, help="plain text, .xz or not")
    parser.add_argument("--modern", nargs="*", default=[], type=Path, help="texts that weigh more")
    folder = Path(__file__).parent / "data"
    parser.add_argument("--output", type=Path, default=folder / "slots.npz")
    given = parser.parse_args()
    old, modern = ("\n\n".join(map(_read, paths)) for paths in (given.texts, given.modern))
    given.output.write_bytes(train(old, modern, Settings()))


def _read(path: Path) -> str:
    """A text; WikiText sets marks apart (" @-@ " within a word, " ," after one): put together."""
    content = path.read_bytes()
    text = (lzma.decompress(content) if path.suffix == ".xz" else content).decode("utf-8-sig")
    text = re.sub(r" @([-,.])@ ", r"\1", text)
    text = re.sub(r" ([,.;:!?)\]%]|n't|'s)(?=\s)", r"\1", text)
    return re.sub(r"([(\[]) ", r"\1", text)


if __name__ == "__main__":
    main()
