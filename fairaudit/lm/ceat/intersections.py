"""Words that are tied to an intersection of groups, as an audit: IBD and EIBD.

A TOML file names the groups, which cross two attributes, and the words; quoted keys may have
blanks in them::

    by = ["gender", "race"]              # what the two attributes are called; may be left out
    target = ["female", "Black"]         # the group in question
    threshold = 1.3                      # above it a word is tied to the target; by default 1.3

    [words]
    tested = ["loud", "strong", "curvy", "neat", "tall", "ant"]
    intersectional = ["loud", "strong"]  # may be left out: known to be tied to the target
    emergent = ["strong"]                # may be left out: of these, to neither part of it alone

    [names.female]
    Black = ["Aisha", "Ebony", "Keisha"]
    White = ["Amy", "Katie", "Emily"]

    [names.male]
    Black = ["Jamal", "Tyrone", "Leroy"]
    White = ["Adam", "Harry", "Josh"]

What IBD finds is held against ``intersectional``, what EIBD finds against ``emergent``.

Guo & Caliskan, "Detecting Emergent Intersectional Biases", AIES 2021, supplement, section 8.2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.assess import Assessment, Design, conclude, defined
from fairaudit.audit import Audit, Comparison, Explanation, Records
from fairaudit.exceptions import FairauditError
from fairaudit.groups import Attribute, Grouping, join_labels
from fairaudit.lm.ceat.options import digest
from fairaudit.lm.ceat.stimuli import listed
from fairaudit.lm.ceat.vectors import THRESHOLD, Group, Tied, read_vectors
from fairaudit.metrics import METRICS
from fairaudit.selection import Selection
from fairaudit.sources import named
from fairaudit.toml import Section, choices, read

#: Thresholds of the authors' ROC curves: -2 to 2 by 0.05.
SWEEP = tuple(round(i / 20, 2) for i in range(-40, 41))
#: Recall, precision, accuracy, and the share of known words that they are read beside.
MEASURES = (
    "true_positive_rate", "positive_predictive_value", "false_positive_rate", "accuracy",
    "base_rate",
)  # fmt: skip
_METHOD = Attribute("method", ("method",))
_CELLS = ("true_positives", "false_positives", "false_negatives", "true_negatives")
_KEYS = ("by", "target", "threshold", "words", "names")
_WORDS = ("tested", "intersectional", "emergent")
#: Fewer names have no spread: every score would be one and the same size.
_FEWEST = 2
#: Groups with fewer get a note.
_FEW = 6


@dataclass(frozen=True)
class Crossing:
    """Names of crossed groups, and words that may be tied to one of them.

    Attributes
    ----------
    by : tuple of str
        What the two attributes are called.
    target : (str, str)
        The group in question.
    threshold : float
    names : mapping of (str, str) to tuple of str
        Of each crossing.
    tested : tuple of str
    known : mapping of str to tuple of str or None
        By ``IBD`` and ``EIBD``: words of which it is known that they should be found.
    """

    by: tuple[str, ...]
    target: Group
    threshold: float
    names: Mapping[Group, tuple[str, ...]]
    tested: tuple[str, ...]
    known: Mapping[str, tuple[str, ...] | None]

    @classmethod
    def read(cls, path: str | Path) -> Crossing:
        """Read a file; the docstring of the module shows one.

        Raises
        ------
        FairauditError
            If it cannot be read, a key is unknown or missing, a crossing has no names, the target
            is none of them, or a word stands twice.
        """
        file = Section(str(path), read(Path(path)), _KEYS)
        names = _names(file)
        words = _section(file, "words", _WORDS)
        found = cls(
            _pair(file, "by", ("first", "second")),
            _target(file, names),
            file.number("threshold") if "threshold" in file else THRESHOLD,
            names,
            words.texts("tested"),
            {
                method: words.texts(key) if key in words else None
                for method, key in (("IBD", "intersectional"), ("EIBD", "emergent"))
            },
        )
        found._check(words)
        return found

    def _check(self, words: Section) -> None:
        """Require words, each once, and that those which are known are tested."""
        if not self.tested:
            raise words.refuse("tested", 'words: ["loud", "strong"]')
        every = [*self.tested, *(name for names in self.names.values() for name in names)]
        if twice := [word for word, n in Counter(every).items() if n > 1]:
            where = words.where.removesuffix(", words")
            raise FairauditError(
                f"{where}: {listed(twice)}: in two lists, or twice in one. "
                "Keep each once: a word is as near as can be to itself."
            )
        for key, known in zip(_WORDS[1:], self.known.values(), strict=True):
            if other := [word for word in known or () if word not in self.tested]:
                raise FairauditError(
                    f"{words.where}: {key}: {listed(other)}: not among 'tested'. Add them there."
                )

    def only(self, vectors: Mapping[str, Array], where: str) -> Crossing:
        """The same with words that have a vector.

        Raises
        ------
        FairauditError
            If fewer than two names of a group are left, no word, or a vector is all zeros.
        """

        def kept(words: Sequence[str]) -> tuple[str, ...]:
            return tuple(word for word in words if word in vectors)

        names = {group: kept(own) for group, own in self.names.items()}
        for group, own in names.items():
            if len(own) < _FEWEST:
                raise FairauditError(
                    f"{where}: {len(own)} of the names of {join_labels(group)} have a vector: "
                    f"{listed(self.names[group])}. {_FEWEST} or more are needed, as written: of "
                    "words in small letters alone there are no names."
                )
        tested = kept(self.tested)
        if not tested:
            raise FairauditError(f"{where}: no vector of any word: {listed(self.tested)}.")
        for word in (*tested, *(name for own in names.values() for name in own)):
            if not np.any(vectors[word]):
                raise FairauditError(
                    f"{where}: the vector of '{word}' is all zeros: no cosine. Leave it out."
                )
        known = {m: None if own is None else kept(own) for m, own in self.known.items()}
        return Crossing(self.by, self.target, self.threshold, names, tested, known)


def _section(file: Section, key: str, keys: Collection[str]) -> Section:
    if key not in file:
        raise file.refuse(key, f"a table [{key}]")
    return file.section(key, keys)


def _pair(file: Section, key: str, default: tuple[str, str] | None = None) -> tuple[str, str]:
    texts = file.texts(key) or default or ()
    if len(texts) != 2:
        raise file.refuse(key, 'two texts: ["female", "Black"]')
    return texts[0], texts[1]


def _names(file: Section) -> dict[Group, tuple[str, ...]]:
    """Names of each crossing: of every value of one attribute with every value of the other."""
    given = file.content.get("names")
    outer = _section(file, "names", given if isinstance(given, Mapping) else ())
    found: dict[Group, tuple[str, ...]] = {}
    for first, content in outer.content.items():
        inner = outer.section(first, content if isinstance(content, Mapping) else ())
        found |= {(first, second): inner.texts(second) for second in inner.content}
    values = [list(dict.fromkeys(group[axis] for group in found)) for axis in (0, 1)]
    if min(map(len, values)) < 2:
        raise FairauditError(
            f"{file.where}, names: expected two or more values of each of two attributes; found "
            f"{' and '.join(', '.join(each) or 'none' for each in values)}."
        )
    for first in outer.content:
        for second in values[1]:
            if (first, second) not in found:
                raise FairauditError(
                    f"{file.where}, names, {first}: no names of '{second}', which another group "
                    "has. Add some: every crossing is needed."
                )
    return found


def _target(file: Section, names: Mapping[Group, Any]) -> Group:
    target = _pair(file, "target")
    if target not in names:
        known = [join_labels(group) for group in names]
        name = join_labels(target)
        raise FairauditError(
            f"{file.where}: target: no group '{name}'. {choices('Groups', name, known)}"
        )
    return target


def detect(path: str | Path, vectors: str | Path, design: Design) -> Audit:
    """Find the words that are tied to an intersection of groups.

    Parameters
    ----------
    path : path
        The TOML file.
    vectors : path
        Word vectors, in word2vec's or GloVe's text format.
    design : Design
        Level of the intervals.

    Returns
    -------
    Audit
        Explanations of kind ``intersectional`` hold words and scores of each method. Where words
        are labelled, the one attribute is ``method``, with recall, precision, false positive rate,
        accuracy and the share of known words; else nothing is estimated.

    Raises
    ------
    FairauditError
        If a file does not allow it.
    """
    asked = Crossing.read(path)
    every = [*asked.tested, *(name for own in asked.names.values() for name in own)]
    found = read_vectors(vectors, every)
    crossing = asked.only(found, str(path))
    missing = [word for word in every if word not in found]
    tied = Tied.of(
        {word: found[word] for word in crossing.tested},
        {group: np.stack([found[n] for n in own]) for group, own in crossing.names.items()},
        crossing.target,
    )
    methods = [_Method(crossing, tied, name) for name in crossing.known]
    gone = len(asked.tested) - len(crossing.tested)
    metrics = [METRICS[name] for name in MEASURES]
    labelled = [each for each in methods if each.known is not None]
    return conclude(
        "ceat",
        selection=Selection.of((), None, (), None, ()),
        files=[named(Path(vectors)), named(Path(path))],
        records=Records(
            len(asked.tested), len(crossing.tested), {"no vector": gone} if gone else {}
        ),
        parts=[Detections(_sums(labelled), metrics, design, _METHOD.values)] if labelled else [],
        metrics=metrics,
        design=design,
        settings={
            "target": join_labels(crossing.target),
            "threshold": crossing.threshold,
            "stimuli": digest([list(asked.tested), list(asked.known.values()), _named(asked)]),
        },
        notes=[*_notes(methods, missing)],
        explanations=[each.explanation(missing) for each in methods],
    )


def _named(crossing: Crossing) -> dict[str, list[str]]:
    return {join_labels(group): list(own) for group, own in crossing.names.items()}


@dataclass(frozen=True)
class Detections(Assessment):
    """How well each method does; they share their words, so they are not compared."""

    def comparisons(self) -> Iterator[Comparison]:
        """None."""
        return iter(())

    def notes(self) -> Iterator[str]:
        """What cannot be said."""
        for metric in self.metrics:
            undefined = np.isnan(self.found[metric.name].value)
            names = [self.sums.groups[g] for g in np.flatnonzero(undefined)]
            if names:
                yield f"{', '.join(names)}: no {metric.counted}, so no {metric.label}."


@dataclass(frozen=True, eq=False)
class _Method:
    """What IBD or EIBD finds."""

    crossing: Crossing
    tied: Tied
    name: str

    @property
    def known(self) -> Array | None:
        """Which words should be found, shape (n,), bool; None where it is not said."""
        known = self.crossing.known[self.name]
        return None if known is None else np.isin(self.tied.words, list(known))

    def found(self, threshold: float) -> Array:
        """Which words are, shape (n,), bool."""
        find: Callable[[float], Array] = (
            self.tied.intersectional if self.name == "IBD" else self.tied.emergent
        )
        return find(threshold)

    def cells(self, threshold: float) -> dict[str, Array]:
        """Of each word whether it is a true positive and so on, shape (n,), bool."""
        known, found = np.asarray(self.known), self.found(threshold)
        each = (known & found, ~known & found, known & ~found, ~known & ~found)
        return dict(zip(_CELLS, each, strict=True))

    def _counts(self, threshold: float) -> dict[str, int]:
        return {name: int(cell.sum()) for name, cell in self.cells(threshold).items()}

    def explanation(self, missing: Sequence[str]) -> Explanation:
        """Words and scores, and with labels what other thresholds would give."""
        crossing, labelled = self.crossing, self.known is not None
        content = {
            "target": join_labels(crossing.target),
            "threshold": crossing.threshold,
            "found": [w for w, f in zip(self.tied.words, self._found, strict=True) if f],
            "known": crossing.known[self.name] and list(crossing.known[self.name] or ()),
            "counts": self._counts(crossing.threshold) if labelled else None,
            "scores": self._scores(),
            "sweep": [{"threshold": t, **self._counts(t)} for t in SWEEP] if labelled else None,
            "names": _named(crossing),
            "missing": list(missing),
        }
        by = _METHOD.name if any(self.crossing.known.values()) else None
        return Explanation("intersectional", by, self.name, content)

    @property
    def _found(self) -> Array:
        return self.found(self.crossing.threshold)

    def _scores(self) -> dict[str, dict[str, float | None]]:
        """Of each word the scores that are this method's own, by what the target is set beside."""
        by = self.crossing.by
        if self.name == "IBD":
            named = {join_labels(group): each for group, each in self.tied.pairs.items()}
        else:
            named = {f"{by[axis]} {v}": each for (axis, v), each in self.tied.parts.items()}
        return {
            word: {against: defined(scores[i]) for against, scores in named.items()}
            for i, word in enumerate(self.tied.words)
        }


def _sums(methods: Sequence[_Method]) -> Any:
    """Sums by method; a word is a record."""
    reads = dict.fromkeys(name for metric in MEASURES for name in METRICS[metric].reads())
    columns = ["records", *reads]
    grouping = Grouping([_METHOD], None, [], (), columns)
    for method in methods:
        cells = method.cells(method.crossing.threshold)
        ones = np.ones(len(method.tied.words))
        cells |= {"records": ones, "weight": ones}
        cells["correct"] = cells["true_positives"] | cells["true_negatives"]
        counts = np.stack([cells[name] for name in columns], axis=1).astype(float)
        grouping.add({_METHOD.name: [method.name] * len(ones)}, counts)
    return grouping.result()[1][0]


def _notes(methods: Sequence[_Method], missing: Sequence[str]) -> Iterator[str]:
    """What a reader must know."""
    if any(method.known is not None for method in methods):
        yield (
            "Intervals are over words, taken as independent and the names as given. Accuracy is "
            "mostly words rightly left alone: read it beside 100 % less the share of known words, "
            "which finding none would give."
        )
        yield ("A threshold that was chosen on these same words looks better than it is on others.")
    else:
        yield (
            "Nothing is estimated: the file does not say which words are known to be tied to the "
            "target ('intersectional', 'emergent')."
        )
    few = min(len(own) for own in methods[0].crossing.names.values())
    if few < _FEW:
        yield (
            f"The smallest group has {few} names: of so few, scores are large by chance. The "
            "paper has twelve."
        )
    if missing:
        yield f"No vector of {len(missing)} words and names (as written): {listed(missing)}."
