"""Trains the regressions of `fairaudit.lm.swap.linear` from plain text.

    python -m fairaudit.lm.swap.train_linear novels.txt.xz --modern wikipedia.txt.xz

Forms that name their slot label their own contexts: *me, us, them, him* are objects; *my, our,
their, his* determiners; *mine, ours, theirs, yours, hers* independent. What follows *the* or
*its* is like what follows a determiner, and what follows *it* or *itself* like what follows an
object: these examples, of less weight and without their left side, teach nouns that no pronoun
stood before. Constructions that novels have too few of are filled in
(`fairaudit.lm.swap.constructions`). Classes of words come from their neighbours, so that rare
words profit from common ones. The same texts give the same bytes.
"""

from __future__ import annotations

import argparse
import lzma
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fairaudit.arrays import Array
from fairaudit.lm.swap import linear
from fairaudit.lm.swap.constructions import sentences
from fairaudit.lm.swap.lexicon import Lexicon
from fairaudit.lm.swap.linear import RIGHT, STEP, context, fingerprint
from fairaudit.lm.swap.swapper import split

OBJECTS = frozenset("me us them him".split())
DETERMINERS = frozenset("my our their his your".split())
INDEPENDENTS = frozenset("mine ours theirs yours hers".split())
#: Forms that are followed by the same words as an object, or as a determiner.
LIKE_OBJECTS = frozenset("it itself himself herself themselves myself them me us him".split())
LIKE_DETERMINERS = frozenset("the its whose a an this these".split())
#: "A coal mine" is no pronoun.
_NOUN_MINE = frozenset("a the this that an coal gold silver land".split())


class Example(NamedTuple):
    """A context and what it tells."""

    features: list[int]
    form: str  #: a ``+`` before it where it is only like a pronoun's
    weight: float


def examples(
    text: str, weight: float, like: float, share: float, canonical: Mapping[str, str]
) -> Iterator[Example]:
    """Contexts of all forms in a text.

    Parameters
    ----------
    text : str
    weight, like : float
        What a pronoun's context weighs, and one that is only like it.
    share : float
        How many of the latter are taken.
    canonical : mapping of str to str
        Classes of gendered words.
    """
    parts = split(text)
    forms = OBJECTS | DETERMINERS | INDEPENDENTS
    alike = LIKE_DETERMINERS | LIKE_OBJECTS
    seen = 0
    for at in range(1, len(parts), 2):
        word = parts[at]
        small = "" if word == "US" else word.lower()
        if small in forms and not (small == "mine" and parts[at - 2].lower() in _NOUN_MINE):
            yield Example(context(parts, at, canonical), small, weight)
        if word in alike:
            seen += 1
            if int(seen * share) > int((seen - 1) * share):
                yield Example(context(parts, at, canonical)[:RIGHT], f"+{word}", like)


def encode(found: Sequence[Example], least: int = 5) -> tuple[Array, Array]:
    """Number the features that occur at least `least` times.

    Returns
    -------
    features : array of int, shape (K,)
        Sorted; feature k has number k + 2.
    matrix : array of int, shape (examples, columns)
        Numbers of what is present; 0 is nothing, 1 the bias, K + 2 that it is only alike.
    """
    width = max(len(e.features) for e in found)
    raw = np.full((len(found), width), -1, dtype=np.int32)
    for row, e in zip(raw, found, strict=True):
        row[: len(e.features)] = e.features
    values, counts = np.unique(raw, return_counts=True)
    kept = values[(counts >= least) & (values > 0)]
    at = np.searchsorted(kept, raw).clip(max=len(kept) - 1)
    known = np.where(kept[at] == raw, at + 2, 0)
    alike = np.array([len(kept) + 2 if e.form[0] == "+" else 0 for e in found])
    matrix = np.column_stack([np.ones(len(found)), known, alike]).astype(np.int32)
    return kept, matrix


def fit(matrix: Array, y: Array, weight: Array, size: int, l1: float) -> Array:
    """Logistic regression with an L1 penalty by FTRL-proximal, four times over all batches.

    McMahan et al., "Ad click prediction: a view from the trenches", KDD 2013, algorithm 1.

    Parameters
    ----------
    matrix : array of int, shape (examples, columns)
        The features that are present, by number.
    y, weight : array, shape (examples,)
    size : int
        Number of features.
    l1 : float

    Returns
    -------
    array, shape (size,)
        Many are 0.
    """
    z, n, w = np.zeros(size), np.zeros(size), np.zeros(size)
    rng = np.random.default_rng(0)
    for _ in range(4):
        order = rng.permutation(len(y))
        for start in range(0, len(y), 2048):
            rows = order[start : start + 2048]
            present = matrix[rows]
            error = (1 / (1 + np.exp(-w[present].sum(axis=1))) - y[rows]) * weight[rows]
            gradient = np.bincount(present.ravel(), np.repeat(error, present.shape[1]), size)
            z += gradient - 10 * (np.sqrt(n + gradient**2) - np.sqrt(n)) * w
            n += gradient**2
            pulled = np.sign(z) * l1 - z
            w = np.where(np.abs(z) > l1, pulled / (10 * (1 + np.sqrt(n)) + 1), 0.0)
            w[0] = 0.0
    return w


def train(
    found: Sequence[Example], positive: frozenset[str], negative: frozenset[str], size: int
) -> dict[int, int]:
    """The weights of one regression, of at most about `size` features."""
    chosen = [e for e in found if e.form in positive or e.form in negative]
    y = np.array([e.form in positive for e in chosen], dtype=float)
    weight = np.array([e.weight for e in chosen])
    features, matrix = encode(chosen)
    w = fit(matrix, y, weight, len(features) + 3, 1.0)
    # What a feature does is its weight times how often; the rest is fitted again without it.
    use = np.abs(w) * np.sqrt(np.bincount(matrix.ravel(), minlength=len(w)))
    use[[0, 1, -1]] = np.inf
    keep = use >= np.sort(use)[-min(size, len(use))]
    w = fit(np.where(keep[matrix], matrix, 0), y, weight, len(w), 0.5)
    steps = np.clip(np.rint(w / STEP), -127, 127).astype(int)
    used = {int(f): int(s) for f, s in zip(features, steps[2:-1], strict=True) if s}
    return {**used, 0: int(steps[1])}


def classes(
    texts: Sequence[tuple[Sequence[str], float]], size: int, number: int, common: int = 400
) -> dict[int, int]:
    """Classes of the most frequent words, by the common words that stand beside them.

    Spherical k-means on the leading directions of the positive pointwise mutual information of a
    word and its left and right neighbour.

    Parameters
    ----------
    texts : sequence of (sequence of str, float)
        Tokens of each text, and the weight of one.
    size, number : int
        How many words and classes.
    common : int
        How many neighbours are told apart.

    Returns
    -------
    dict of int to int
        The class of each word, by fingerprint.
    """
    counts: Counter[str] = Counter()
    for tokens, weight in texts:
        for word, n in Counter(tokens).items():
            counts[word] += int(n * weight)
    words = sorted(counts, key=lambda word: (-counts[word], word))[:size]
    place = {word: i for i, word in enumerate(words)}
    beside = np.zeros((size, 2 * common + 2))
    for tokens, weight in texts:
        ids = np.array([place.get(token, size) for token in tokens])
        for at, near, side in ((ids[1:], ids[:-1], 0), (ids[:-1], ids[1:], common + 1)):
            cell = at * (2 * common + 2) + np.minimum(near, common) + side
            found = np.bincount(cell[at < size], minlength=beside.size)
            beside += weight * found.reshape(beside.shape)
    label = _kmeans(_directions(beside, 60), number)
    return {fingerprint(w): int(k) - 120 for w, k in zip(words, label, strict=True)}


def _directions(beside: Array, number: int) -> Array:
    """Unit vectors of words from their neighbour counts."""
    expected = beside.sum(axis=1, keepdims=True) * beside.sum(axis=0) / beside.sum()
    ratio = beside / np.maximum(expected, 1e-9)
    # Rare neighbours tell little: their logarithm is damped.
    information = np.log(np.maximum(ratio, 1.0)) * np.minimum(1, np.log1p(beside) / 2)
    _, vectors = np.linalg.eigh(information.T @ information)
    return _unit(information @ vectors[:, -number:])


def _kmeans(points: Array, number: int) -> Array:
    """Spherical k-means from centres drawn among the most frequent words."""
    start = np.random.default_rng(0).choice(min(len(points), 3000), number, replace=False)
    centres = points[start]
    for _ in range(25):
        label = (points @ centres.T).argmax(axis=1)
        sums = np.zeros_like(centres)
        np.add.at(sums, label, points)
        centres = np.where(sums.any(axis=1, keepdims=True), _unit(sums), centres)
    return label


def _unit(vectors: Array) -> Array:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def _tokens(text: str, canonical: Mapping[str, str]) -> list[str]:
    """Words and the marks between them, as a context shows them."""
    found = []
    for at, part in enumerate(split(text.lower())):
        token = canonical.get(part, part) if at % 2 else linear._mark(part, 0)
        if token:
            found.append(token)
    return found


def main() -> None:
    """Train classes and both regressions, and write them into the package."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("texts", nargs="+", type=Path, help="plain text, .xz or not")
    parser.add_argument("--modern", nargs="*", default=[], type=Path, help="texts that weigh more")
    given = parser.parse_args()
    canonical = Lexicon.default().canonical
    old, modern = (
        "\n\n".join(_read(path) for path in paths) for paths in (given.texts, given.modern)
    )
    sides = [(_tokens(old[:40_000_000], canonical), 1.0), (_tokens(modern, canonical), 5.0)]
    tables = {"classes": classes(sides, 10_000, 200)}
    del sides
    output = Path(__file__).parent / "data" / "linear.npz"
    output.write_bytes(linear.pack(tables))  # contexts are read with these classes
    linear._weights.cache_clear()
    linear._seen.cache_clear()
    found = [
        *examples(old, 1.0, 0.2, 0.02, canonical),
        *examples(modern, 15.0, 0.6, 1.0, canonical),
        *examples(sentences(450), 5.0, 0.0, 0.0, canonical),
    ]
    objects, determiners = (
        forms | {f"+{form}" for form in alike}
        for forms, alike in ((OBJECTS, LIKE_OBJECTS), (DETERMINERS, LIKE_DETERMINERS))
    )
    tables["her"] = train(found, objects, determiners, 12_000)
    tables["his"] = train(found, INDEPENDENTS, DETERMINERS, 2_500)
    output.write_bytes(linear.pack(tables))


def _read(path: Path) -> str:
    content = path.read_bytes()
    text = (lzma.decompress(content) if path.suffix == ".xz" else content).decode("utf-8-sig")
    # WikiText sets marks apart: " @-@ " within a word.
    return text.replace(" @-@ ", "-").replace(" @,@ ", ",").replace(" @.@ ", ".")


if __name__ == "__main__":
    main()
