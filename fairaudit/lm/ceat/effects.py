"""The Contextualized Embedding Association Test: effect sizes over many contexts, and their mean.

Guo & Caliskan, "Detecting Emergent Intersectional Biases: Contextualized Word Embeddings Contain a
Distribution of Human-like Biases", AIES 2021. A draw takes one random sentence of each stimulus and
computes WEAT's effect size; a random-effects model combines the draws.

The p-value of that model says little: draws are a free number, and more of them push it to 0. What
is sampled are the sentences, and `Draws.interval` says what they can tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError
from fairaudit.lm.ceat.stimuli import AssociationTest
from fairaudit.lm.ceat.weat import standardised
from fairaudit.stats.distributions import normal_two_sided
from fairaudit.stats.intervals import t_quantiles
from fairaudit.stats.resampling import seeded

#: ``paper``: a draw's variance is that of its associations; ``hedges-olkin``: that of d.
Variance = Literal["paper", "hedges-olkin"]
#: Shares of draws whose effect sizes are reported.
QUANTILES = (0.025, 0.25, 0.5, 0.75, 0.975)
#: Draws at once; their vectors take a few megabytes.
_AT_ONCE = 1024
#: Cohen, Statistical Power Analysis for the Behavioral Sciences, 2nd ed. 1988, section 2.2.
_MAGNITUDES = ((0.8, "large"), (0.5, "medium"), (0.2, "small"))


def magnitude(effect: float) -> str:
    """Cohen's word for an effect size.

    >>> magnitude(-0.6), magnitude(0.1)
    ('medium', 'negligible')
    """
    return next((word for least, word in _MAGNITUDES if abs(effect) >= least), "negligible")


def hedges_olkin(effect: Array, x: int, y: int) -> Array:
    """Sampling variance of a standardised mean difference of x and y values.

    (x + y) / xy + d^2 / 2(x + y): Hedges & Olkin, Statistical Methods for Meta-Analysis, 1985,
    section 5.D.

    >>> hedges_olkin(np.array([0.0, 2.0]), 8, 8).tolist()
    [0.25, 0.375]
    """
    return (x + y) / (x * y) + np.square(effect) / (2 * (x + y))


@dataclass(frozen=True)
class Combined:
    """What a random-effects model makes of the draws.

    Attributes
    ----------
    effect : float
        Combined effect size.
    standard_error, z, p_value : float
        Of the mean over draws, as if each were a study of its own.
    between_variance : float
        Variance between draws, tau squared.
    draws : int
        Draws with an effect size.
    """

    effect: float
    standard_error: float
    z: float
    p_value: float
    between_variance: float
    draws: int


def combine(effect: Array, variance: Array, code_compatible: bool = False) -> Combined:
    """Combine effect sizes by the random-effects model of DerSimonian and Laird.

    DerSimonian & Laird, "Meta-analysis in clinical trials", Controlled Clinical Trials 7, 1986;
    Guo & Caliskan 2021, supplement, section 8.3.

    Parameters
    ----------
    effect, variance : array, shape (N,)
        Effect size of each draw and its variance; undefined ones (nan) are left out.
    code_compatible : bool
        The upper tail alone, as the authors' program has it, whose p of a negative effect is
        near 1; the paper's p-value has two tails.

    Examples
    --------
    Weights 10, 5 and 10/3; the weighted mean is 9/11, Q = 30/11, c = 120/11, so tau squared is
    (30/11 - 2) / (120/11) = 1/15, and the weights become 6, 15/4 and 30/11.

    >>> result = combine(np.array([0.5, 1.0, 1.5]), np.array([0.1, 0.2, 0.3]))
    >>> round(result.between_variance * 15, 9), round(result.effect, 7)
    (1.0, 0.8688525)
    """
    used = np.isfinite(effect) & (variance > 0)
    effect, variance = effect[used], variance[used]
    if not len(effect):
        return Combined(np.nan, np.nan, np.nan, np.nan, np.nan, 0)
    between = _between(effect, variance)
    weight = 1 / (variance + between)
    value = float(weight @ effect / weight.sum())
    error = float(weight.sum() ** -0.5)
    z = value / error
    p = normal_two_sided(z)
    if code_compatible:
        p = p / 2 if z > 0 else 1 - p / 2
    return Combined(value, error, z, p, between, len(effect))


def _between(effect: Array, variance: Array) -> float:
    """Moment estimate of the variance between draws, by Cochran's Q."""
    weight = 1 / variance
    total = weight.sum()
    # Centred: the textbook's difference of two large sums would lose its digits.
    q = float(weight @ np.square(effect - weight @ effect / total))
    c = total - weight @ weight / total
    excess = q - (len(effect) - 1)
    return float(excess / c) if excess > 0 else 0.0


@dataclass(frozen=True, eq=False)
class Draws:
    """Effect sizes of N draws, and which sentences each took.

    Attributes
    ----------
    sides : tuple of int
        Number of words in X, Y, A and B; W together.
    effect, variance : array, shape (N,)
        Effect size, and variance of the associations of the words of X and Y (cosine squared).
        nan where all words were associated alike.
    context : array of int, shape (W, N)
        Which sentence of each word was taken.
    sentences : array of int, shape (W,)
        How many sentences each word has.
    """

    sides: tuple[int, int, int, int]
    effect: Array
    variance: Array
    context: Array
    sentences: Array

    @property
    def undefined(self) -> int:
        """Draws without an effect size."""
        return int((~np.isfinite(self.effect)).sum())

    @property
    def deviation(self) -> float:
        """Standard deviation of the effect sizes: how much a bias depends on the sentences."""
        used = self.effect[np.isfinite(self.effect)]
        return float(used.std(ddof=1)) if len(used) > 1 else np.nan

    def quantiles(self, shares: Sequence[float] = QUANTILES) -> Array:
        """Quantiles of the effect sizes, shape (len(shares),)."""
        used = self.effect[np.isfinite(self.effect)]
        return np.quantile(used, shares) if len(used) else np.full(len(shares), np.nan)

    def combined(self, variance: Variance = "paper", code_compatible: bool = False) -> Combined:
        """The combined effect size; see `combine`."""
        return combine(self.effect, self._variance(variance), code_compatible)

    def _variance(self, kind: Variance) -> Array:
        if kind == "paper":
            return self.variance
        return hedges_olkin(self.effect, *self.sides[:2])

    def interval(
        self, confidence: float = 0.95, variance: Variance = "paper"
    ) -> tuple[float, float]:
        """Interval of the combined effect size over other samples of sentences.

        The effect size, averaged over all ways to choose one sentence of each word, is a
        generalised U-statistic with one sample per word (Lee, U-Statistics, 1990, section 2.2).
        Its variance is the sum over words of (variance between the means of the draws that took
        the same sentence) / (number of sentences); one-way analysis of variance of the draws
        estimates these without drawing again, as a bootstrap of sentences would. Student's t with
        Satterthwaite's degrees of freedom. Sentences count as independent, words as fixed. What
        is estimated below 0 for a word counts as 0, which widens the interval a little where
        sentences hardly matter.

        A word with one sentence gets the mean variance of the others of its list.

        Returns
        -------
        low, high : float
            nan where no word has two sentences or no draw has an effect size.
        """
        result = self.combined(variance)
        if not result.draws or self.sentences.max() < 2:
            return np.nan, np.nan
        pull = self._influence(result, variance)
        parts = self._parts(pull)
        error = np.sqrt(parts.sum() + pull.var() / len(pull))
        half = float(t_quantiles(confidence, self._df(parts))[0] * error)
        return result.effect - half, result.effect + half

    def pulls(self, variance: Variance = "paper") -> list[Array]:
        """How far each sentence pulls the combined effect size.

        The mean over the draws that took it, from that over all sentences of its word. The means
        of few draws vary by chance alone, so that they are shrunk: a word's pulls have the sum of
        squares that the analysis of variance gives it; see `interval`.

        Returns
        -------
        list of array, each of shape (sentences,)
            A sum of 0 for each word; 0 for sentences that no draw took.
        """
        pull = self._influence(self.combined(variance), variance)
        parts = self._parts(pull)
        return [
            _shrunk(pull, taken, int(size), float(part))
            for taken, size, part in zip(self._taken, self.sentences, parts, strict=True)
        ]

    def _parts(self, pull: Array) -> Array:
        """What each word adds to the variance of the combined effect size."""
        own = np.array([_component(pull, taken) for taken in self._taken])
        # An estimate below 0 is noise: among many words it would cancel what others do add.
        return np.maximum(self._filled(own, pull.var() / len(own)), 0) / self.sentences

    @property
    def _taken(self) -> Array:
        """The sentences of the draws that have an effect size."""
        return self.context[:, np.isfinite(self.effect)]

    def _influence(self, result: Combined, kind: Variance) -> Array:
        """How far each such draw pulls the combined effect size from where it is, times N."""
        used = np.isfinite(self.effect)
        weight = 1 / (self._variance(kind)[used] + result.between_variance)
        return weight * (self.effect[used] - result.effect) / weight.mean()

    def _df(self, parts: Array) -> Array:
        """Satterthwaite's degrees of freedom of a sum of variances."""
        weights = np.square(parts) / np.maximum(self.sentences - 1, 1)
        df = np.square(parts.sum()) / weights.sum() if weights.any() else self.sentences.max() - 1
        return np.array([df], dtype=float)

    def _filled(self, own: Array, share: float) -> Array:
        """Variances with the mean of the word's list, or of all, where there is none.

        Where draws are too few to tell any, each gets its share of the variance of all draws.
        """
        everywhere = own[np.isfinite(own)].mean() if np.isfinite(own).any() else share
        for side in np.split(np.arange(len(own)), np.cumsum(self.sides)[:-1]):
            known = own[side][np.isfinite(own[side])]
            mean = known.mean() if len(known) else everywhere
            own[side] = np.where(np.isfinite(own[side]), own[side], mean)
        return own


def _component(values: Array, group: Array) -> float:
    """Variance between groups (one-way analysis of variance, unequal sizes); nan without one.

    Searle, Casella & McCulloch, Variance Components, 1992, section 3.6. It is an unbiased
    estimate and may be negative.
    """
    size = np.bincount(group)
    total = np.bincount(group, values)[size > 0]
    size = size[size > 0]
    n, k = len(values), len(size)
    if not 1 < k < n:
        return float("nan")
    between = total @ (total / size)
    within = (values @ values - between) / (n - k)
    mean = (between - values.sum() ** 2 / n) / (k - 1)
    return float((mean - within) / ((n - size @ size / n) / (k - 1)))


def _shrunk(values: Array, group: Array, size: int, squares: float) -> Array:
    """Deviations of the means of groups, with this sum of squares, shape (size,)."""
    number = np.bincount(group, minlength=size)
    means = np.bincount(group, values, minlength=size) / np.maximum(number, 1)
    centred = np.where(number > 0, means - means.sum() / max((number > 0).sum(), 1), 0.0)
    total = centred @ centred
    return centred * np.sqrt(squares / total) if total > 0 else centred


def sample(
    test: AssociationTest, embeddings: Mapping[str, Array], draws: int = 10_000, seed: int = 0
) -> Draws:
    """Draw one sentence of each word, again and again, and compute the effect sizes.

    Parameters
    ----------
    test : AssociationTest
        The words.
    embeddings : mapping of str to array, shape (n, m)
        For each word the vectors it has in n sentences; n may differ from word to word.
    draws : int
        Number N of draws, independent and with replacement; the paper has 10,000.
    seed : int
        Seed of the draws. A word's draws do not depend on what other words there are.

    Raises
    ------
    FairauditError
        If a word has no vectors, or one that is all zeros or not finite, or vectors differ in
        length.

    Notes
    -----
    The associations of a draw need the mean vectors of A and B alone, so that a draw costs W
    vector operations, not one for each pair of words: nothing is kept for pairs of sentences.

    Examples
    --------
    One sentence per word: each draw is WEAT.

    >>> from fairaudit.lm.ceat.stimuli import Stimuli
    >>> test = AssociationTest("t", (Stimuli("X", ("x", "v")), Stimuli("Y", ("y", "z"))),
    ...     (Stimuli("A", ("a",)), Stimuli("B", ("b",))))
    >>> vectors = dict(x=[3, 4], v=[4, 3], y=[0, 1], z=[3, 4], a=[1, 0], b=[0, 2])
    >>> draws = sample(test, {word: np.array([v]) for word, v in vectors.items()}, draws=2)
    >>> draws.effect.round(4).tolist()  # associations -0.2, 0.2, -1 and -0.2
    [1.1921, 1.1921]
    """
    tables = Tables(test, embeddings)
    sizes = tables.sentences
    kind = np.min_scalar_type(int(sizes.max()))
    context = np.empty((len(sizes), draws), dtype=kind)
    for row, word, size in zip(context, test.words, sizes, strict=True):
        row[:] = seeded(seed, word).integers(size, size=draws)
    effect, variance = tables.effects(context)
    return Draws(tables.sides, effect, variance, context, sizes)


class Tables:
    """Unit vectors of all sentences of a test's words, ready to be drawn from.

    Parameters
    ----------
    test, embeddings
        See `sample`.

    Attributes
    ----------
    sides : tuple of int
        Number of words in X, Y, A and B.
    sentences : array of int, shape (W,)
        Sentences of each word.
    """

    def __init__(self, test: AssociationTest, embeddings: Mapping[str, Array]) -> None:
        x, y, a, b = (len(side.words) for side in test.sides)
        self.sides = (x, y, a, b)
        vectors = _checked(test, embeddings)
        self.sentences = np.array([len(each) for each in vectors])
        # Attributes carry their share of the two means, so that their sum is all there is to do.
        factors = [1.0] * (x + y) + [1 / a] * a + [-1 / b] * b
        tables = [_units(*each) for each in zip(test.words, vectors, factors, strict=True)]
        self._targets, self._attributes = tables[: x + y], tables[x + y :]

    def effects(self, context: Array) -> tuple[Array, Array]:
        """Effect size and variance where each word takes these sentences.

        Parameters
        ----------
        context : array of int, shape (W, N)
            A sentence of each word in each draw.

        Returns
        -------
        effect, variance : array, shape (N,)
        """
        x, draws = self.sides[0], context.shape[1]
        effect, variance = np.empty((2, draws))
        for start in range(0, draws, _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            found = self._associations(context[:, part].astype(np.intp)).T
            effect[part], variance[part] = standardised(found[:, :x], found[:, x:])
        return effect, variance

    def _associations(self, context: Array) -> Array:
        """Associations of the targets, shape (x + y, n)."""
        targets = len(self._targets)
        toward = np.zeros((context.shape[1], self._targets[0].shape[1]), dtype=np.float32)
        taken = np.empty_like(toward)
        for table, index in zip(self._attributes, context[targets:], strict=True):
            toward += table.take(index, axis=0, out=taken, mode="clip")
        found = np.empty((targets, context.shape[1]))
        for row, table, index in zip(found, self._targets, context[:targets], strict=True):
            table.take(index, axis=0, out=taken, mode="clip")
            row[:] = np.einsum("nm,nm->n", taken, toward)
        return found


def _checked(test: AssociationTest, embeddings: Mapping[str, Array]) -> list[Array]:
    """The vectors of each word, all of one length."""
    vectors: list[Array] = []
    for word in test.words:
        each = np.asarray(embeddings.get(word, ()))
        if each.ndim != 2 or not each.size:
            raise FairauditError(f"test {test.name}: '{word}' has no vectors. Leave the word out.")
        if vectors and each.shape[1] != vectors[0].shape[1]:
            raise FairauditError(
                f"test {test.name}: '{word}' has vectors of {each.shape[1]} numbers, "
                f"'{test.words[0]}' of {vectors[0].shape[1]}. Use one model for all words."
            )
        vectors.append(each)
    return vectors


def _units(word: str, vectors: Array, factor: float = 1.0) -> Array:
    """A word's unit vectors times a factor, in single precision."""
    rows = vectors.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        rows *= (factor / np.sqrt(np.einsum("nm,nm->n", rows, rows)))[:, None]
    if not np.isfinite(rows).all():
        raise FairauditError(
            f"the vectors of '{word}' hold one that is all zeros or not finite: no cosine. Leave "
            "the sentence out, or check the model."
        )
    return rows.astype(np.float32)
