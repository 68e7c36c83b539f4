"""Static word vectors, and the biases that only an intersection of groups has.

Guo & Caliskan, "Detecting Emergent Intersectional Biases", AIES 2021, supplement, section 8.2.
"""

from __future__ import annotations

import gzip
import zlib
from codecs import BOM_UTF8
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
#: Digits of the numbers of a header, at most.
_DIGITS = 18
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
        If it cannot be read or is empty, or a line has fewer or more numbers than the first, or no
        numbers.
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
    dimension = number = 0
    found: dict[str, Array] = {}
    for number, line in enumerate(lines, 1):
        line = (line.removeprefix(BOM_UTF8) if number == 1 else line).strip()
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
    if not number:
        raise FairauditError(f"{path}: the file is empty; expected a word and its numbers a line.")
    return found


def _header(line: bytes) -> int:
    """Number of dimensions by the first line; 0 where it is no header."""
    fields = line.split()
    is_header = len(fields) == 2 and all(f.isdigit() and len(f) <= _DIGITS for f in fields)
    return int(fields[1]) if is_header else 0


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

    Of a gender are the names of all races, and the other way round.

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
        """Score words.

        Parameters
        ----------
        words : mapping of str to array, shape (m,)
            Attribute words.
        groups : mapping of (str, str) to array, shape (n, m)
            Vectors of the names of each group, a crossing of two attributes: gender and race.
        target : (str, str)
            The group in question.

        Raises
        ------
        FairauditError
            If the target or a group beside it is missing.

        Examples
        --------
        >>> east, north, west = [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]
        >>> names = {("f", "1"): [east, [0.9, 0.1]], ("m", "1"): [north, [0.1, 0.9]],
        ...     ("f", "2"): [north, [0.1, 0.9]], ("m", "2"): [west, [-0.9, 0.1]]}
        >>> tied = Tied.of({"w": east}, names, ("f", "1"))
        >>> tied.intersectional(1.0).tolist(), tied.emergent(1.0).tolist()
        ([True], [False])
        """
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
        """Which words Intersectional Bias Detection (IBD) finds, shape (n,), bool.

        Those tied to the target more than to some other group: by a WEFAT score above the
        threshold.
        """
        return np.any([scores > threshold for scores in self.pairs.values()], axis=0)

    def emergent(self, threshold: float = THRESHOLD) -> Array:
        """Which Emergent Intersectional Bias Detection (EIBD) finds, shape (n,), bool.

        Of the words that IBD finds, those that neither attribute alone would tell. A word is left
        out only where all scores are above the threshold: against each other gender, and against
        each other race.
        """
        explained = np.all([scores > threshold for scores in self.parts.values()], axis=0)
        return np.asarray(self.intersectional(threshold) & ~explained)


def _rivals(groups: Mapping[Group, Array], axis: int, target: Group) -> Iterator[tuple[str, Array]]:
    """Names of each other gender (axis 0) or race (axis 1)."""
    values = dict.fromkeys(group[axis] for group in groups)
    return ((v, _pooled(groups, axis, v)) for v in values if v != target[axis])


def _pooled(groups: Mapping[Group, Array], axis: int, value: str) -> Array:
    return np.concatenate([names for group, names in groups.items() if group[axis] == value])
