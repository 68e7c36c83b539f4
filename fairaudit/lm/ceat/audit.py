"""Association tests as an audit: CEAT or SEAT of a language model, WEAT of word vectors.

Tests of one's own stand in a TOML file; ``targets`` and ``attributes`` name two lists each, of
the file or of the shipped tests (`fairaudit.lm.ceat.stimuli`)::

    [lists]
    "nurses" = ["nurse", "midwife", "caregiver"]
    "engineers" = ["engineer", "mechanic", "plumber"]

    [tests.OWN1]
    title = "engineers and nurses, by male and female terms"
    targets = ["engineers", "nurses"]
    attributes = ["male terms", "female terms"]
    source = "our own"
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.assess import Assessment, Design, conclude, defined
from fairaudit.audit import Audit, Comparison, Explanation, Records
from fairaudit.exceptions import FairauditError
from fairaudit.groups import Attribute, Grouping
from fairaudit.lm.ceat.effects import QUANTILES, Variance, magnitude, sample
from fairaudit.lm.ceat.embeddings import Pooling
from fairaudit.lm.ceat.gathering import Gatherer
from fairaudit.lm.ceat.intersections import detect
from fairaudit.lm.ceat.options import Options, digest, tests_named
from fairaudit.lm.ceat.pulls import effects
from fairaudit.lm.ceat.static import static
from fairaudit.lm.ceat.stimuli import AssociationTest, NoWordsError, listed
from fairaudit.lm.ceat.store import Store
from fairaudit.lm.ceat.vectors import read_vectors
from fairaudit.metrics import METRICS, Metric
from fairaudit.selection import Selection
from fairaudit.sources import File, named
from fairaudit.stats.sums import Sums

_TEST = Attribute("test", ("test",))
_TEMPLATES = "Sentences are templates: they tell what the words bring along, not how they are used."


def ceat(
    corpus: str | Path | Sequence[str | Path] = (),
    *,
    model: str | Path | None = None,
    vectors: str | Path | None = None,
    templates: str | Path | None = None,
    tests: str | Path | AssociationTest | Sequence[str | Path | AssociationTest] = (),
    intersectional: str | Path | None = None,
    per_stimulus: int = 1000,
    draws: int = 10_000,
    layer: int = -1,
    pooling: Pooling = "last",
    variance: Variance = "paper",
    code_compatible: bool = False,
    cache: str | Path | bool = True,
    batch: int = 32,
    device: str = "auto",
    allow_pickle: bool = False,
    confidence: float = 0.95,
    seed: int = 0,
    progress: Callable[[int], None] = lambda contexts: None,
    warn: Callable[[str], None] = lambda message: None,
) -> Audit:
    """Test which groups' words a language model, or word vectors, put near to which attributes.

    Parameters
    ----------
    corpus : path, pattern or sequence of these
        Texts in which the words are looked up, plain or gzip. A line is a document: a sentence
        does not go on in the next one.
    model : str or Path, optional
        A model folder, or a name on the Hugging Face hub: BERT, RoBERTa, GPT-2 and so on.
    vectors : str or Path, optional
        A file of word vectors (word2vec's or GloVe's text format) instead of model and corpus:
        WEAT.
    templates : str or Path, optional
        ``seat``, or a file of sentences with ``{}`` in them, instead of a corpus: each word is put
        into each of them (May et al., NAACL 2019). Effect sizes are CEAT's, over these sentences,
        but with pooling ``sentence`` SEAT's.
    tests : str, Path, AssociationTest or sequence of these
        Shipped tests (``C6``), ``all`` of them, TOML files. By default all of which every list
        has a word with a sentence.
    intersectional : path, optional
        With `vectors`, instead of `tests`: a TOML file of crossed groups' names and of words, of
        which those are found that are tied to one group (`fairaudit.lm.ceat.intersections`).
    per_stimulus : int
        Sentences of each word, at most; a random sample.
    draws : int
        Effect sizes drawn for each test of CEAT.
    layer : int
        Hidden states: -1 is the last layer, 0 the embeddings.
    pooling : {"last", "first", "mean", "sentence"}
        Which sub-token stands for a word of several, or the mean of all; with `templates` also
        ``sentence``, the vector of the whole sentence: SEAT.
    variance : {"paper", "hedges-olkin"}
        A draw's variance, whose reciprocal is its weight.
    code_compatible : bool
        As the authors' program, where it departs from their paper: no special tokens, nine words
        around the stimulus, one-sided p-values.
    cache : path or bool
        Folder that keeps the vectors of each word; True is that of the user, False keeps none.
    batch : int
        Sentences that the model reads at once.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    allow_pickle : bool
        Accept weights that are there as a pickle alone.
    confidence : float
        Level of the intervals.
    seed : int
        Seed of the sentences and of the draws.
    progress : callable
        Told how many sentences were embedded.
    warn : callable
        Told what a user must know at once.

    Returns
    -------
    Audit
        Its one attribute is ``test``; metric ``ceat_effect``, ``weat_effect`` of `vectors`,
        or ``seat_effect`` of sentences.
        Explanations of kind ``association`` hold p-values, quantiles and words of each test. Of
        `intersectional` see `fairaudit.lm.ceat.intersections.detect`.

    Raises
    ------
    FairauditError
        If model, texts, tests or arguments do not allow a test; the message says what to do.

    Notes
    -----
    Guo & Caliskan, "Detecting Emergent Intersectional Biases", AIES 2021. Intervals are over
    sentences (WEAT, SEAT: over words), not over draws; see `Draws.interval`. Memory holds the
    sentences of all words, and the vectors of one test.
    """
    several = [corpus] if isinstance(corpus, str | Path) else list(corpus)
    options = Options(
        several, model, vectors, templates, per_stimulus, draws, layer, pooling, variance,
        code_compatible, cache, batch, device, allow_pickle, seed, progress, warn,
    )  # fmt: skip
    design = _Alone(confidence=confidence, seed=seed)
    if intersectional is not None:
        if vectors is None or tests:
            raise FairauditError(
                "--intersectional needs a file of word vectors (--vectors) and no --tests."
            )
        return detect(intersectional, vectors, design)
    asked = tests_named(tests)
    with ExitStack() as resources:
        if vectors is not None:
            subject: _Contextual | _Static | _Sentences = _Static(options, asked, confidence)
        elif pooling == "sentence":
            subject = _Sentences(options, asked, confidence, resources)
        else:
            subject = _Contextual(options, asked, confidence, resources)
        return _audit(subject, options, design)


def _audit(subject: _Contextual | _Static | _Sentences, options: Options, design: Design) -> Audit:
    found = [subject.measure(test) for test in subject.chosen.tests]
    metric = METRICS[subject.metric]
    sums = _audited_sums(metric, {each.test.name: _counted(each) for each in found})
    part = Associations(sums, [metric], design, _TEST.values)
    return conclude(
        "ceat",
        selection=Selection.of((), None, (), None, ()),
        files=subject.files,
        records=subject.records(),
        parts=[part],
        metrics=[metric],
        design=design,
        settings={
            **subject.settings(),
            "tests": ",".join(each.test.name for each in found),
            "stimuli": digest([each.test.sides for each in found]),
            **options.settings(),
        },
        notes=[*subject.notes(found), *subject.chosen.notes(subject.where)],
        explanations=[each.explanation for each in found],
    )


def _audited_sums(metric: Metric, counts: Mapping[str, Array]) -> Sums:
    """Sums by test of records, effects and their denominators."""
    grouping = Grouping([_TEST], None, [], (), ("records", *metric.reads()))
    for name, each in counts.items():
        grouping.add({"test": [name] * len(each)}, each)
    _, (sums,) = grouping.result()
    return sums


@dataclass(frozen=True)
class _Alone(Design):
    """A design that compares nothing."""

    def settings(self) -> dict[str, Any]:
        """For the signature."""
        return {"ci": self.confidence, "seed": self.seed}


@dataclass(frozen=True)
class Associations(Assessment):
    """Effect sizes, test by test: of two tests no difference means anything, nor does their sum."""

    def comparisons(self) -> Iterator[Comparison]:
        """None."""
        return iter(())

    def notes(self) -> Iterator[str]:
        """Which tests have no interval, or no value."""
        found = self.found[self.metrics[0].name]
        for groups, says in (
            (
                np.isnan(found.value),
                "all words of the targets are associated alike: no effect size",
            ),
            (
                ~np.isnan(found.value) & (found.df < 1),
                f"too few {self.metrics[0].counted} for an interval",
            ),
        ):
            if groups.any():
                names = [self.sums.groups[g] for g in np.flatnonzero(groups)]
                yield f"{', '.join(names)}: {says}."


@dataclass(frozen=True, eq=False)
class _Measured:
    """What was found of a test."""

    test: AssociationTest
    value: float
    contexts: int
    effects: Array
    explanation: Explanation
    #: Vectors in each list.
    points: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Chosen:
    """The tests that can be done, with the words that were found; and those that cannot."""

    asked: Sequence[AssociationTest]
    tests: Sequence[AssociationTest]
    left_out: Mapping[str, NoWordsError]

    @classmethod
    def of(
        cls,
        asked: Sequence[AssociationTest],
        known: Collection[str],
        advice: str = "Use a larger text, or other words.",
    ) -> _Chosen:
        """Leave out what has no vector.

        Raises
        ------
        FairauditError
            If no test is left.
        """
        tests, left_out = [], {}
        for test in asked:
            try:
                tests.append(test.only(known))
            except NoWordsError as error:
                left_out[test.name] = error
        if tests:
            return cls(asked, tests, left_out)
        first = next(iter(left_out.values())).fault
        if len(left_out) > 1:
            first = (
                f"not one of {len(left_out)} tests has words of all its lists. The first: {first}"
            )
        raise FairauditError(f"{first}. {advice}")

    @property
    def words(self) -> list[str]:
        """Words of the tests that can be done, as they were asked for."""
        done = {test.name for test in self.tests}
        each = (test.words for test in self.asked if test.name in done)
        return list(dict.fromkeys(word for words in each for word in words))

    def missing(self, name: str) -> list[str]:
        """Words of a test that were not found."""
        before, after = (
            next(test for test in tests if test.name == name) for tests in (self.asked, self.tests)
        )
        return [word for word in before.words if word not in after.words]

    def notes(self, where: str) -> Iterator[str]:
        """What a reader must know of words and tests that are left out."""
        gone = list(dict.fromkeys(w for test in self.tests for w in self.missing(test.name)))
        if gone:
            yield f"{_number(len(gone), 'stimulus', 'stimuli')} {where}: {listed(gone)}."
        for name, error in self.left_out.items():
            yield f"{name} is left out: {error.reason}."


class _Contextual:
    """CEAT: a model, and sentences of each word."""

    metric, where = "ceat_effect", "without a sentence"

    def __init__(
        self,
        options: Options,
        asked: Sequence[AssociationTest],
        confidence: float,
        resources: ExitStack,
    ) -> None:
        self._options, self._confidence = options, confidence
        self._gatherer = Gatherer(options, resources)
        words = dict.fromkeys(word for test in asked for word in test.words)
        self._store: Store = self._gatherer.gather(list(words))
        self.chosen = _Chosen.of(asked, set(self._store))

    @property
    def files(self) -> list[File]:
        """The corpus."""
        return self._gatherer.files

    def measure(self, test: AssociationTest) -> _Measured:
        """Draw effect sizes of a test and combine them."""
        options, level = self._options, self._confidence
        found = sample(test, self._store, options.draws, options.seed)
        combined = found.combined(options.variance, options.code_compatible)
        low, high = found.interval(level, options.variance)
        pulls = found.pulls(options.variance) if np.isfinite(low) else []
        contexts = int(found.sentences.sum())
        content = {
            **_described(test, self.chosen.missing(test.name), combined.effect),
            "contexts": contexts,
            # Where nothing varies between draws, they say nothing of chance.
            "p_value": combined.p_value if np.isfinite(low) else None,
            "p_sides": 1 if options.code_compatible else 2,
            "standard_error": combined.standard_error,
            "between_variance": combined.between_variance,
            "draws": combined.draws,
            "undefined_draws": found.undefined,
            "deviation": found.deviation,
            "quantiles": {
                str(share): defined(value)
                for share, value in zip(QUANTILES, found.quantiles(), strict=True)
            },
        }
        effect = effects(combined.effect, pulls, (high - low) / 2, level)
        return _Measured(test, combined.effect, contexts, effect, _explained(test, content))

    def records(self) -> Records:
        """Sentences, and why some were not used."""
        store, words = self._store, self.chosen.words
        found, kept, lost = (
            sum(count(word) for word in words) for count in (store.found, store.kept, store.lost)
        )
        dropped = {
            "beyond the sample of each word": found - kept - lost,
            "stimulus not read by the model": lost,
        }
        return Records(found, kept, {reason: n for reason, n in dropped.items() if n})

    def settings(self) -> dict[str, Any]:
        """For the signature."""
        return self._gatherer.settings()

    def notes(self, found: Sequence[_Measured]) -> Iterator[str]:
        """What a reader must know."""
        yield (
            "Intervals are over sentences: words are taken as given, sentences as independent. The "
            "paper's p-value takes each draw for a study of its own and falls with --draws alone: "
            "judge by the effect size and its interval."
        )
        if self._options.code_compatible:
            yield "p is one-sided, as in the authors' program: near 1 where the effect is negative."
        if self._options.templates is not None:
            yield _TEMPLATES
        yield from self._gatherer.notes()
        yield from _undefined(found)


class _Fixed:
    """Vectors that stay as they are, one or several of each word: nothing is drawn."""

    metric: str
    where: str
    #: Why a word is not used.
    lost: str
    chosen: _Chosen
    _options: Options
    _confidence: float
    _vectors: Mapping[str, Array]

    def measure(self, test: AssociationTest) -> _Measured:
        """Effect size and p-value of a test."""
        options = self._options
        found = static(test, self._vectors, options.seed, options.code_compatible)
        half = found.half_width(self._confidence)
        content = {
            **_described(test, self.chosen.missing(test.name), found.effect),
            **self._further(test, found.points),
            "p_value": found.p_value,
            "p_sides": 1,
        }
        effect = effects(
            found.effect, found.pulls if np.isfinite(half) else [], half, self._confidence
        )
        explained, words = _explained(test, content), len(test.words)
        return _Measured(test, found.effect, words, effect, explained, found.points)

    def _further(self, test: AssociationTest, points: Sequence[int]) -> dict[str, Any]:
        """What the explanation says besides, given the number of vectors of each list."""
        return {}

    def records(self) -> Records:
        """Words, and how many have no vector."""
        words = self.chosen.words
        used = sum(word in self._vectors for word in words)
        gone = len(words) - used
        return Records(len(words), used, {self.lost: gone} if gone else {})

    def notes(self, found: Sequence[_Measured]) -> Iterator[str]:
        """What a reader must know."""
        sizes = {each.test.name: each.points[:2] for each in found}
        uneven = [f"{name} ({x} and {y})" for name, (x, y) in sizes.items() if x != y]
        if uneven:
            yield (
                "No p-value where the lists of targets differ in length, as the permutation needs "
                f"halves: {', '.join(uneven)}."
            )


class _Static(_Fixed):
    """WEAT: one vector of each word."""

    metric, where = "weat_effect", "not among the vectors (words must match as written)"
    lost = "no vector"

    def __init__(
        self, options: Options, asked: Sequence[AssociationTest], confidence: float
    ) -> None:
        self._options, self._confidence = options, confidence
        words = dict.fromkeys(word for test in asked for word in test.words)
        self._vectors = read_vectors(str(options.vectors), list(words))
        self.files = [named(Path(str(options.vectors)))]
        self.chosen = _Chosen.of(
            asked,
            self._vectors,
            "Words must match as written: of words in small letters alone there are no names. Use "
            "other vectors, or other words.",
        )

    def settings(self) -> dict[str, Any]:
        """For the signature: the file of vectors is named by its digest."""
        return {}

    def notes(self, found: Sequence[_Measured]) -> Iterator[str]:
        """What a reader must know."""
        yield "Intervals are over words: other words of the same kind, in all four lists."
        yield (
            "p is one-sided, by permutation of the targets: near 1 where the effect is negative."
        )
        yield from super().notes(found)


class _Sentences(_Fixed):
    """SEAT: one vector of each sentence, the same sentences for every word."""

    metric, where = "seat_effect", "not read by the model"
    lost = "not read by the model"

    def __init__(
        self,
        options: Options,
        asked: Sequence[AssociationTest],
        confidence: float,
        resources: ExitStack,
    ) -> None:
        self._options, self._confidence = options, confidence
        self._gatherer = Gatherer(options, resources)
        words = dict.fromkeys(word for test in asked for word in test.words)
        self._vectors: Store = self._gatherer.gather(list(words))
        self.files = self._gatherer.files
        self.chosen = _Chosen.of(asked, set(self._vectors), "Use other words.")

    def _further(self, test: AssociationTest, points: Sequence[int]) -> dict[str, Any]:
        names = (side.name for side in test.sides)
        return {"sentences": dict(zip(names, points, strict=True))}

    def settings(self) -> dict[str, Any]:
        """For the signature."""
        return self._gatherer.settings()

    def notes(self, found: Sequence[_Measured]) -> Iterator[str]:
        """What a reader must know."""
        yield (
            "SEAT: each sentence is a data point of d and p. Intervals are over words: other words "
            "of the same kind, in all four lists, in these same sentences."
        )
        yield (
            "p is one-sided, by permutation of the targets' sentences: near 1 where the effect is "
            "negative. It takes sentences with the same word for independent, so it is too "
            "extreme: judge by the effect size and its interval."
        )
        yield _TEMPLATES
        yield from self._gatherer.notes()
        yield from super().notes(found)


def _counted(found: _Measured) -> Array:
    """Records, effects and their denominators, in the order in which the metric reads them.

    A test without an interval is one record, as one record has none.
    """
    n = len(found.effects)
    counts = np.ones((n, 3))
    counts[:, 1] = found.effects
    if n == 1:
        counts[:, 1:] = found.value * found.contexts, found.contexts
    if not np.isfinite(found.value):
        counts[:, 1:] = 0
    return counts


def _described(test: AssociationTest, missing: Sequence[str], effect: float) -> dict[str, Any]:
    return {
        "title": test.title,
        "source": test.source,
        "lists": {side.name: list(side.words) for side in test.sides},
        "missing": list(missing),
        "size": None if np.isnan(effect) else magnitude(effect),
    }


def _explained(test: AssociationTest, content: Mapping[str, Any]) -> Explanation:
    plain = {k: defined(v) if isinstance(v, float) else v for k, v in content.items()}
    return Explanation("association", "test", test.name, plain)


def _undefined(found: Iterable[_Measured]) -> Iterator[str]:
    for each in found:
        gone, left = (each.explanation.content[key] for key in ("undefined_draws", "draws"))
        if gone and left:
            yield (
                f"{each.test.name}: {gone:,} of {gone + left:,} draws have no effect size, as all "
                "words of the targets were associated alike."
            )


def _number(n: int, one: str, several: str) -> str:
    return f"1 {one}" if n == 1 else f"{n:,} {several}"
