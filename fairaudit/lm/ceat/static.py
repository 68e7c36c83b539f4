"""An association test on vectors that stay as they are, with an interval over words.

One vector per word is WEAT; the vectors of a word's sentences, each a data point, are SEAT: May et
al., "On Measuring Social Biases in Sentence Encoders", NAACL 2019.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError
from fairaudit.lm.ceat.stimuli import AssociationTest
from fairaudit.lm.ceat.weat import effect_size, permutation_p, unit
from fairaudit.stats.intervals import t_quantiles


@dataclass(frozen=True, eq=False)
class Static:
    """WEAT or SEAT of one test.

    Attributes
    ----------
    effect : float
        Effect size.
    p_value : float or None
        One-sided, by permutation; None where the lists of targets differ in length.
    pulls : list of array
        For each of the four lists how far each word pulls the effect size: its sum over a list
        is 0.
    points : tuple of int
        Vectors in each of the four lists.
    """

    effect: float
    p_value: float | None
    pulls: list[Array]
    points: tuple[int, ...]

    def half_width(self, confidence: float) -> float:
        """Half of the interval's width over other words; nan where a list has one word.

        A jackknife within each of the four lists (Jones, "Jackknife methods for stratified
        samples", JASA 69, 1974), Student's t with Satterthwaite's degrees of freedom. All vectors
        of a word leave together: what is sampled are words.
        """
        sizes = np.array([len(each) for each in self.pulls])
        if sizes.min() < 2 or not np.isfinite(self.effect):
            return np.nan
        parts = np.array([each @ each for each in self.pulls]) * sizes / (sizes - 1)
        squares = np.square(parts) @ (1 / (sizes - 1))
        if squares <= 0:
            return 0.0
        df = np.array([parts.sum() ** 2 / squares])
        return float(t_quantiles(confidence, df)[0] * np.sqrt(parts.sum()))


def static(
    test: AssociationTest, vectors: Mapping[str, Array], seed: int = 0, strict: bool = False
) -> Static:
    """Compute WEAT's effect size, p-value and the words' pulls.

    Parameters
    ----------
    test : AssociationTest
    vectors : mapping of str to array, shape (m,) or (k, m)
        One for each word, or those of its sentences.
    seed, strict
        See `permutation_p`.

    Raises
    ------
    FairauditError
        If a vector is all zeros.

    Examples
    --------
    >>> from fairaudit.lm.ceat.stimuli import Stimuli
    >>> test = AssociationTest("t", (Stimuli("X", ("x", "v")), Stimuli("Y", ("y", "z"))),
    ...     (Stimuli("A", ("a",)), Stimuli("B", ("b",))))
    >>> vectors = dict(x=[3, 4], v=[4, 3], y=[0, 1], z=[3, 4], a=[1, 0], b=[0, 2])
    >>> found = static(test, vectors)  # associations -0.2, 0.2, -1 and -0.2
    >>> round(found.effect, 4), round(found.p_value, 4)
    (1.1921, 0.3333)
    """
    lists = [_units(test, side.words, vectors) for side in test.sides]
    (x, y, a, b), owners = zip(*lists, strict=True)
    targets = np.concatenate([x, y])
    near_a, near_b = targets @ a.T, targets @ b.T
    associations = near_a.mean(axis=1) - near_b.mean(axis=1)
    effect = float(effect_size(associations[: len(x)], associations[len(x) :]))
    p = None
    if len(x) == len(y) and np.isfinite(effect):
        p = permutation_p(associations[: len(x)], associations[len(x) :], seed=seed, strict=strict)
    points = (len(x), len(y), len(a), len(b))
    return Static(effect, p, [_pulls(each) for each in _without(near_a, near_b, owners)], points)


def _units(
    test: AssociationTest, words: tuple[str, ...], vectors: Mapping[str, Array]
) -> tuple[Array, Array]:
    """Vectors of a list of words, of length 1, and which word each is of."""
    own = [unit(np.atleast_2d(vectors[word])) for word in words]
    for word, rows in zip(words, own, strict=True):
        if not np.isfinite(rows).all():
            raise FairauditError(
                f"test {test.name}: the vector of '{word}' is all zeros: no cosine. Leave the "
                "word out."
            )
    return np.concatenate(own), np.repeat(np.arange(len(own)), [len(rows) for rows in own])


def _without(near_a: Array, near_b: Array, owners: Sequence[Array]) -> Iterator[Array]:
    """The effect size without each word in turn, list by list: X, Y, A and B."""
    every = [np.ones(len(of), dtype=bool) for of in owners]
    for at, of in enumerate(owners):
        words = range(of[-1] + 1)
        keep = [[*every[:at], of != word, *every[at + 1 :]] for word in words]
        alone = len(words) < 2
        yield np.array([np.nan if alone else _effect(near_a, near_b, *each) for each in keep])


def _effect(near_a: Array, near_b: Array, x: Array, y: Array, a: Array, b: Array) -> float:
    """The effect size of some of the vectors."""
    found = near_a[:, a].mean(axis=1) - near_b[:, b].mean(axis=1)
    return float(effect_size(found[: len(x)][x], found[len(x) :][y]))


def _pulls(without: Array) -> Array:
    """How far each word pulls the effect size, by the effect size without it."""
    n = len(without)
    return (without.mean() - without) * (n - 1) / n
