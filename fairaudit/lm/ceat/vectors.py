"""Static word vectors, and the biases that only an intersection of groups has.

Guo & Caliskan, "Detecting Emergent Intersectional Biases", AIES 2021, supplement, section 8.2.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError
from fairaudit.lm.ceat.weat import wefat

#: What the authors' comments call most accurate.
THRESHOLD = 1.3
#: (gender, race): a group of two attributes.
Group = tuple[str, str]


def read_vectors(path: str | Path, words: Collection[str]) -> dict[str, Array]:
    """The vectors of some words from a file in the text format of word2vec or GloVe.

    One word a line and its numbers, blanks between them; a first line with the number of words
    and of dimensions may be there. ``.gz`` is unpacked on the way. Of a word that stands twice the
    first vector counts. The file may be larger than memory.

    Parameters
    ----------
    path : path
        The file.
    words : collection of str
        Those to keep; they must match exactly.

    Returns
    -------
    dict of str to array, shape (m,)
        Those that were found.

    Raises
    ------
    FairauditError
        If it cannot be read, or a line has fewer or more numbers than the first, or no numbers.
    """
    wanted = {word.encode(): word for word in words}
    try:
        with _opened(Path(path)) as file:
            return _vectors(str(path), file, wanted)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise FairauditError(f"{path}: cannot be read: {reason}.") from None


def _opened(path: Path) -> BinaryIO:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _vectors(path: str, lines: Iterable[bytes], wanted: Mapping[bytes, str]) -> dict[str, Array]:
    dimension = 0
    found: dict[str, Array] = {}
    for number, line in enumerate(lines, 1):
        line = line.strip()
        if number == 1 and (header := _header(line)):
            dimension = header
            continue
        dimension = dimension or line.count(b" ")
        where = f"{path}, line {number}"
        if line.count(b" ") < dimension or not dimension:
            raise _mixed(where, line.count(b" "), dimension)
        # Some words of GloVe have blanks in them, so the numbers are counted from the right.
        word = wanted.get(line.partition(b" ")[0])
        if word is not None and word not in found:
            found |= _numbers(where, word, line, dimension)
    return found


def _header(line: bytes) -> int:
    """Number of dimensions by the first line; 0 where it is no header."""
    fields = line.split()
    return int(fields[1]) if len(fields) == 2 and all(f.isdigit() for f in fields) else 0


def _numbers(where: str, word: str, line: bytes, dimension: int) -> dict[str, Array]:
    """A wanted word's vector; none where the line is another word, one with a blank in it."""
    _, *fields = line.split(b" ")
    try:
        vector = np.array(fields, dtype=np.float32)
    except ValueError:
        if len(fields) > dimension:
            return {}
        raise FairauditError(f"{where}: '{word}' has something that is no number.") from None
    if len(vector) != dimension:
        raise _mixed(where, len(vector), dimension)
    if not np.isfinite(vector).all():
        raise FairauditError(f"{where}: '{word}' has a number that is not finite.")
    return {word: vector}


def _mixed(where: str, found: int, dimension: int) -> FairauditError:
    return FairauditError(
        f"{where}: {found} numbers; expected {dimension or 'a word and its numbers'}, as before. "
        "Is it the text format of word2vec or GloVe, and whole?"
    )


@dataclass(frozen=True, eq=False)
class Tied:
    """How strongly words are tied to a group, against each group that it is set beside.

    Attributes
    ----------
    words : list of str
    pairs : mapping of (str, str) to array, shape (n,)
        WEFAT scores against each other crossing of the two attributes.
    parts : mapping of (int, str) to array, shape (n,)
        The same of one attribute alone (0 or 1), whatever the other: the target's value against
        each other value.
    """

    words: list[str]
    pairs: Mapping[Group, Array]
    parts: Mapping[tuple[int, str], Array]

    @classmethod
    def of(cls, words: Mapping[str, Array], groups: Mapping[Group, Array], target: Group) -> Tied:
        """Score words; for arguments and errors see `intersectional`."""
        if target not in groups or len(groups) < 2:
            known = ", ".join("-".join(group) for group in groups)
            raise FairauditError(
                f"no names of {'-'.join(target)}, or of no other group. Groups: {known}."
            )
        vectors = np.stack(list(words.values()))
        pairs = {
            group: wefat(vectors, groups[target], names)
            for group, names in groups.items()
            if group != target
        }
        parts = {
            (axis, value): wefat(vectors, _pooled(groups, axis, target[axis]), names)
            for axis in (0, 1)
            for value, names in _rivals(groups, axis, target)
        }
        return cls(list(words), pairs, parts)

    def intersectional(self, threshold: float = THRESHOLD) -> Array:
        """Which words Intersectional Bias Detection (IBD) finds, shape (n,), bool."""
        return np.any([scores > threshold for scores in self.pairs.values()], axis=0)

    def emergent(self, threshold: float = THRESHOLD) -> Array:
        """Which Emergent Intersectional Bias Detection (EIBD) finds, shape (n,), bool."""
        explained = np.all([scores > threshold for scores in self.parts.values()], axis=0)
        return np.asarray(self.intersectional(threshold) & ~explained)


def intersectional(
    words: Mapping[str, Array],
    groups: Mapping[Group, Array],
    target: Group,
    threshold: float = THRESHOLD,
) -> list[str]:
    """Intersectional Bias Detection (IBD): words tied to a group more than to some other group.

    Parameters
    ----------
    words : mapping of str to array, shape (m,)
        Attribute words.
    groups : mapping of (str, str) to array, shape (n, m)
        Vectors of the names of each group, a crossing of two attributes: gender and race.
    target : (str, str)
        The group in question.
    threshold : float
        A word is tied to the target if its WEFAT score against the other group is above.

    Returns
    -------
    list of str
        In the order of `words`.

    Raises
    ------
    FairauditError
        If the target or a group beside it is missing.

    Examples
    --------
    >>> names = {("f", "1"): [[1, 0], [2, 1]], ("m", "1"): [[0, 1], [1, 2]]}
    >>> intersectional({"she": [1, 0], "he": [0, 1]}, names, ("f", "1"), threshold=1)
    ['she']
    """
    tied = Tied.of(words, groups, target)
    return _kept(words, tied.intersectional(threshold))


def emergent(
    words: Mapping[str, Array],
    groups: Mapping[Group, Array],
    target: Group,
    threshold: float = THRESHOLD,
) -> list[str]:
    """Emergent Intersectional Bias Detection (EIBD): what neither attribute alone would tell.

    Of the words that `intersectional` finds, those that are not tied to the target's gender
    against each other gender and to its race against each other race: a word is left out only
    where all these scores are above the threshold. Of a gender are the names of all races, and
    the other way round.

    Parameters
    ----------
    words, groups, target, threshold
        See `intersectional`.

    Examples
    --------
    >>> east, north, west = [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]
    >>> names = {("f", "1"): [east, [0.9, 0.1]], ("m", "1"): [north, [0.1, 0.9]],
    ...     ("f", "2"): [north, [0.1, 0.9]], ("m", "2"): [west, [-0.9, 0.1]]}
    >>> [find({"w": east}, names, ("f", "1"), 1.0) for find in (intersectional, emergent)]
    [['w'], []]
    """
    tied = Tied.of(words, groups, target)
    return _kept(words, tied.emergent(threshold))


def _rivals(groups: Mapping[Group, Array], axis: int, target: Group) -> Iterator[tuple[str, Array]]:
    """Names of each other gender (axis 0) or race (axis 1)."""
    values = dict.fromkeys(group[axis] for group in groups)
    return ((v, _pooled(groups, axis, v)) for v in values if v != target[axis])


def _pooled(groups: Mapping[Group, Array], axis: int, value: str) -> Array:
    return np.concatenate([names for group, names in groups.items() if group[axis] == value])


def _kept(words: Mapping[str, Array], keep: Iterable[bool]) -> list[str]:
    return [word for word, kept in zip(words, keep, strict=True) if kept]
