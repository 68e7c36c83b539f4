"""Make speech data for the benchmarks: references, hypotheses, speakers, accents, genders.

Vocabulary and utterance lengths are spread as in speech (Zipf, lognormal), few speakers say
most, and each speaker has one accent, one gender and an error rate of their own. Capitals,
commas and full stops differ between reference and hypothesis, so that nothing can be counted
without normalising both.

    python benchmarks/generate.py 1000000 speech.parquet
"""

# mypy: disable-error-code="import-not-found, import-untyped, no-untyped-call"

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

Array = NDArray[Any]

WORDS, SPEAKERS, ACCENTS, GENDERS = 50_000, 2_000, 8, 3
#: Utterances that are made at once. Each chunk has a seed of its own, so that a file of whole
#: chunks is the beginning of a longer one.
CHUNK = 100_000
#: Mean and spread of the logarithm of an utterance's length: 12 words in the mean.
LENGTH, LENGTH_SPREAD, LONGEST = np.log(10.3), 0.55, 120
#: What becomes of a word that is misheard.
SUBSTITUTED, DELETED = 0.60, 0.22
#: Share of words that a comma follows.
COMMAS_WRITTEN, COMMAS_HEARD = 0.08, 0.05


@dataclass(frozen=True)
class World:
    """Who speaks, and which words there are.

    Attributes
    ----------
    forms : pyarrow.Array, length 3 * WORDS
        Each word as it is, then with a capital, then with a comma.
    frequency : array, shape (WORDS,)
        Cumulative probabilities of the words.
    activity : array, shape (SPEAKERS,)
        Cumulative probabilities of the speakers.
    accent, gender : array of int, shape (SPEAKERS,)
        Of each speaker.
    error_rate : array, shape (SPEAKERS,)
        Probability that a word of the speaker is misheard.
    """

    forms: Any
    frequency: Array
    activity: Array
    accent: Array
    gender: Array
    error_rate: Array

    @classmethod
    def make(cls, seed: int) -> World:
        """Draw speakers and vocabulary."""
        generator = np.random.default_rng([seed, 0])
        accent = generator.integers(0, ACCENTS, SPEAKERS)
        rate = 0.06 + 0.012 * accent + generator.normal(0, 0.02, SPEAKERS)
        words = _vocabulary(generator)
        return cls(
            pa.array([*words, *map(str.capitalize, words), *(f"{word}," for word in words)]),
            _cumulative(1 / np.arange(1, WORDS + 1)),
            _cumulative(generator.pareto(1.2, SPEAKERS) + 0.1),
            accent,
            generator.integers(0, GENDERS, SPEAKERS),
            np.clip(rate, 0.01, 0.4),
        )


def _vocabulary(generator: np.random.Generator) -> list[str]:
    """Make words of 2 to 9 letters; every hundredth has an apostrophe."""
    letters = generator.choice(list("abcdefghijklmnopqrstuvwxyz"), (WORDS, 9))
    lengths = generator.integers(2, 10, WORDS)
    words = ["".join(row[:length]) for row, length in zip(letters, lengths, strict=True)]
    words[99::100] = [f"{word[:-1]}'{word[-1]}" for word in words[99::100]]
    return words


def _cumulative(weights: Array) -> Array:
    return np.cumsum(weights / weights.sum())


def _draw(cumulative: Array, size: int, generator: np.random.Generator) -> Array:
    """Draw `size` indices from a distribution."""
    # Rounding may leave the last probability below 1, and a draw above it.
    drawn = np.searchsorted(cumulative, generator.random(size), side="right")
    return np.minimum(drawn, len(cumulative) - 1)


def utterances(world: World, start: int, size: int, seed: int) -> Any:
    """Make a chunk of utterances.

    Parameters
    ----------
    world : World
        Speakers and words.
    start, size : int
        Number of the first utterance, and how many.
    seed : int
        Seed of the whole file.

    Returns
    -------
    pyarrow.Table
        Columns id, speaker, accent, gender, reference, hypothesis.
    """
    generator = np.random.default_rng([seed, 1, start])
    speaker = _draw(world.activity, size, generator)
    lengths = np.round(generator.lognormal(LENGTH, LENGTH_SPREAD, size)).astype(int)
    ends = np.cumsum(np.clip(lengths, 1, LONGEST))
    spoken = _draw(world.frequency, ends[-1], generator)
    rate = np.repeat(world.error_rate[speaker], np.diff(ends, prepend=0))
    heard, heard_ends = _mishear(world, spoken, ends, rate, generator)
    return pa.table(
        {
            "id": _numbered("u", np.arange(start, start + size), 8),
            "speaker": _numbered("s", speaker, 4),
            "accent": _numbered("accent", world.accent[speaker], 1),
            "gender": _numbered("gender", world.gender[speaker], 1),
            "reference": _written(world, spoken, ends, generator),
            "hypothesis": _transcribed(world, heard, heard_ends, generator),
        }
    )


def _mishear(
    world: World, spoken: Array, ends: Array, rate: Array, generator: np.random.Generator
) -> tuple[Array, Array]:
    """Substitute, delete and insert words; the words heard, and where utterances end in them."""
    luck = generator.random(len(spoken)) / rate  # below 1: misheard
    copies = np.ones(len(spoken), dtype=int)
    copies[(luck >= SUBSTITUTED) & (luck < SUBSTITUTED + DELETED)] = 0
    copies[(luck >= SUBSTITUTED + DELETED) & (luck < 1)] = 2
    last = np.cumsum(copies)
    heard = np.repeat(spoken, copies)
    # A substituted word, and the second copy of a word that another was inserted after.
    wrong = last[(luck < SUBSTITUTED) | (copies == 2)] - 1
    heard[wrong] = _draw(world.frequency, len(wrong), generator)
    return heard, last[ends - 1]


def _written(world: World, words: Array, ends: Array, generator: np.random.Generator) -> Any:
    """References: a capital first, commas, a full stop or a question mark last."""
    form = _commas(len(words), COMMAS_WRITTEN, generator)
    form[ends - 1] = 0
    form[np.concatenate([[0], ends[:-1]])] = 1
    marks = pa.array([".", "?"]).take(pa.array(generator.integers(0, 2, len(ends))))
    return pc.binary_join_element_wise(_sentences(world, words, form, ends), marks, "")


def _transcribed(world: World, words: Array, ends: Array, generator: np.random.Generator) -> Any:
    """Hypotheses: lower case, commas in places of their own."""
    return _sentences(world, words, _commas(len(words), COMMAS_HEARD, generator), ends)


def _commas(size: int, share: float, generator: np.random.Generator) -> Array:
    """Form of each word: 2 where a comma follows, else 0."""
    return 2 * (generator.random(size) < share)


def _sentences(world: World, words: Array, form: Array, ends: Array) -> Any:
    """Join words by spaces; without words the text is empty, not missing."""
    each = world.forms.take(pa.array(words + WORDS * form))
    starts = pa.array(np.concatenate([[0], ends]).astype(np.int32))
    return pc.binary_join(pa.ListArray.from_arrays(starts, each), " ")


def _numbered(prefix: str, numbers: Array, digits: int) -> Any:
    """Names such as ``s0042``."""
    padded = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), digits, "0")
    return pc.binary_join_element_wise(prefix, padded, "")


def write(path: Path, size: int, seed: int = 0) -> None:
    """Write a Parquet file of utterances, a chunk at a time.

    Parameters
    ----------
    path : Path
        The file.
    size : int
        Number of utterances.
    seed : int
        The same seed gives the same texts.
    """
    world = World.make(seed)
    writer = None
    # Only a whole file gets its name: an interrupted run leaves no half file behind.
    unfinished = path.with_suffix(".part")
    for start in range(0, size, CHUNK):
        table = utterances(world, start, min(CHUNK, size - start), seed)
        writer = writer or pq.ParquetWriter(unfinished, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()
        unfinished.rename(path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and write the file."""
    parser = argparse.ArgumentParser(description="Make speech data for the benchmarks.")
    parser.add_argument("utterances", type=int)
    parser.add_argument("file", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    write(options.file, options.utterances, options.seed)


if __name__ == "__main__":
    main()
