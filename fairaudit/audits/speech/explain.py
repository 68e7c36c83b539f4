"""Where the errors come from: which words, in how long utterances, and which utterances.

Everything is counted while the records pass by: words and errors per speaker and group, and for
each group the few utterances that cost most.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from rapidfuzz.distance.Levenshtein import opcodes

from fairaudit.arrays import Array
from fairaudit.assess import Design, defined
from fairaudit.audit import Explanation
from fairaudit.audits.speech.alignment import COLUMNS
from fairaudit.audits.speech.reading import Reading
from fairaudit.groups import Codes, Grouping, Vocabulary
from fairaudit.metrics import METRICS, Metric
from fairaudit.stats.estimates import estimate
from fairaudit.stats.evidence import Events, Evidence, Sparse, over_represented
from fairaudit.stats.sums import ALL, MISSING, Accumulator, Sums
from fairaudit.table import Batch

#: Errors kept for each group, best evidence first.
MOST_ERRORS = 20
#: Utterances kept for each group, most errors first.
MOST_UTTERANCES = 3
#: Lower edges of the bands of utterance length, in reference words.
LENGTHS = (1, 6, 11, 21, 41)
#: Lower edges of the bands of word frequency, in occurrences in all references.
FREQUENCIES = (1, 2, 10, 100, 1000)

#: A step of an alignment: its kind, and the words said and heard ("" for none).
Step = tuple[str, str, str]


def align(spoken: Sequence[str], heard: Sequence[str]) -> list[Step]:
    """Align two texts word by word.

    >>> align("the cat sat".split(), "a cat".split())
    [('substitution', 'the', 'a'), ('hit', 'cat', 'cat'), ('deletion', 'sat', '')]
    """
    kinds = {"equal": "hit", "replace": "substitution", "delete": "deletion", "insert": "insertion"}
    steps: list[Step] = []
    for code in opcodes(spoken, heard):
        said = list(spoken[code.src_start : code.src_end])
        got = list(heard[code.dest_start : code.dest_end])
        blank = [""] * max(len(said), len(got))
        pairs = zip(said or blank, got or blank, strict=True)
        steps += [(kinds[code.tag], word, other) for word, other in pairs]
    return steps


@dataclass(frozen=True, order=True)
class _Utterance:
    """An utterance with errors; the more errors, the greater."""

    errors: int
    # So that of equals the same ones are kept in whatever order they come.
    name: str
    steps: tuple[Step, ...]

    def content(self) -> dict[str, Any]:
        """For the audit file."""
        words = sum(1 for kind, *_ in self.steps if kind != "insertion")
        return {
            "id": self.name,
            "errors": self.errors,
            "words": words,
            "alignment": [list(step) for step in self.steps],
        }


class Explainer:
    """Looks at every utterance and keeps what explains the errors of each group.

    Parameters
    ----------
    grouping : Grouping
        Whom the records are about.
    identity : str or None
        Column of the utterance ids; without one, utterances are named by their row.
    design : Design
        Level of the intervals, resamples and seed.
    """

    def __init__(self, grouping: Grouping, identity: str | None, design: Design) -> None:
        self._grouping, self._identity, self._design = grouping, identity, design
        names: list[str | None] = [each.name for each in grouping.attributes]
        self._attributes = names or [None]
        clustered = grouping.cluster is not None
        self._lengths = [Accumulator(COLUMNS, clustered) for _ in self._attributes]
        self._units = Vocabulary()
        self._words: dict[int, Counter[str]] = defaultdict(Counter)
        self._errors: dict[int, Counter[Step]] = defaultdict(Counter)
        self._costly: dict[tuple[int, int], list[_Utterance]] = defaultdict(list)
        self._seen = 0

    @property
    def labels(self) -> list[str]:
        """Columns that are needed beside those of the grouping."""
        return [self._identity] if self._identity else []

    def see(self, batch: Batch, readings: Sequence[Reading], codes: Codes) -> None:
        """Look at a batch under the main normaliser."""
        reading, n = readings[0], len(readings[0].spoken)
        groups = [each.tolist() for each in codes.groups] or [[0] * n]
        self._see_lengths(reading.counts[:, : len(COLUMNS)], groups, codes.cluster)
        cluster = [0] * n if codes.cluster is None else codes.cluster.tolist()
        units = self._units.encode(zip(cluster, *groups, strict=True)).tolist()
        names = batch.labels[self._identity] if self._identity else None
        for i, (spoken, heard) in enumerate(zip(reading.spoken, reading.heard, strict=True)):
            words = spoken.split()
            self._words[units[i]].update(words)
            steps = align(words, heard.split()) if spoken != heard else []
            errors = [step for step in steps if step[0] != "hit"]
            if errors:
                self._errors[units[i]].update(errors)
                name = names[i] if names else f"row {self._seen + i + 1}"
                utterance = _Utterance(len(errors), str(name), tuple(steps))
                for a, of in enumerate(groups):
                    _keep_greatest(self._costly[a, of[i]], utterance, MOST_UTTERANCES)
        self._seen += n

    def _see_lengths(
        self, counts: Array, groups: Sequence[Sequence[int]], cluster: Array | None
    ) -> None:
        """Add counts up by group and band of length; an empty reference is in none."""
        words = counts[:, [COLUMNS.index(c) for c in ("hits", "substitutions", "deletions")]]
        band = np.searchsorted(LENGTHS, words.sum(axis=1), "right") - 1
        some = band >= 0
        for of, sums in zip(groups, self._lengths, strict=True):
            group = np.asarray(of)[some] * len(LENGTHS) + band[some]
            sums.add(group, None if cluster is None else cluster[some], counts[some])

    def explanations(self) -> Iterator[Explanation]:
        """All that was found, attribute by attribute."""
        if not any(self._words.values()):
            return
        for a, attribute in enumerate(self._attributes):
            names = self._grouping.group_names(a) if attribute else [ALL]
            yield from self._confusion_rows(a, attribute, names)
            yield from self._length_rows(a, attribute, names)
            yield from self._frequency_rows(a, attribute, names)
            yield from self._utterance_rows(a, attribute, names)

    def _confusion_rows(
        self, a: int, attribute: str | None, names: Sequence[str]
    ) -> Iterator[Explanation]:
        """The errors that a group has more often than the rest."""
        steps, events = self._events(a, attribute, names)
        if len(events.groups) < 2:
            return
        found = over_represented(events, self._design.resamples, self._design.seed)
        listed = Counter[int]()
        for row in np.flatnonzero(found.z > 0).tolist():
            listed[found.group[row]] += 1
            if listed[found.group[row]] <= MOST_ERRORS:
                content = {**_error(steps[found.item[row]]), **_row(found, row)}
                yield Explanation("confusion", attribute, events.groups[found.group[row]], content)

    def _events(
        self, a: int, attribute: str | None, names: Sequence[str]
    ) -> tuple[list[Step], Events]:
        """Errors and the words exposed to them, in each cell of a speaker and a group."""
        clusters = self._grouping.cluster_names
        of_unit = {
            unit: (names[groups[a]], clusters[cluster] if clusters else "")
            for unit, (cluster, *groups) in enumerate(self._units.values)
            if names[groups[a]] != MISSING
        }
        cells = {cell: i for i, cell in enumerate(sorted(set(of_unit.values())))}
        row = {unit: cells[cell] for unit, cell in of_unit.items()}
        groups = sorted({group for group, _ in cells})
        speakers = {name: i for i, name in enumerate(sorted({name for _, name in cells}))}
        steps = sorted({step for unit in row for step in self._errors[unit]})
        words = sorted({word for unit in row for word in self._words[unit]})
        place = {word: i for i, word in enumerate(words)}
        said = {unit: Counter(self._words[unit]) for unit in row}
        for unit in row:
            # What is inserted can be inserted anywhere: its column holds all words.
            said[unit][_ANYWHERE] = sum(self._words[unit].values())
        place[_ANYWHERE] = len(words)
        return steps, Events(
            attribute,
            tuple(groups),
            np.array([groups.index(group) for group, _ in cells]),
            np.array([speakers[name] for _, name in cells]) if clusters else None,
            _sparse(self._errors, row, {step: i for i, step in enumerate(steps)}, len(cells)),
            _sparse(said, row, place, len(cells)),
            np.array([place[word or _ANYWHERE] for _, word, _ in steps], dtype=np.int64),
            np.array([bool(word) for _, word, _ in steps], dtype=bool),
        )

    def _length_rows(
        self, a: int, attribute: str | None, names: Sequence[str]
    ) -> Iterator[Explanation]:
        """WER by group and band of utterance length."""
        bands = _bands(LENGTHS)
        labels = [_label(name, band) for name in names for band in bands]
        sums = self._lengths[a].result(attribute, labels, self._grouping.cluster_names)
        for group, band, content in self._estimates(METRICS["wer"], sums):
            yield Explanation("length", attribute, group, {"words": band, **content})

    def _frequency_rows(
        self, a: int, attribute: str | None, names: Sequence[str]
    ) -> Iterator[Explanation]:
        """Share of words missed, by group and by how frequent the word is in all references."""
        total = sum(self._words.values(), Counter[str]())
        band = dict(
            zip(
                total,
                (np.searchsorted(FREQUENCIES, list(total.values()), "right") - 1).tolist(),
                strict=True,
            )
        )
        sums = Accumulator(COLUMNS, clustered=True)
        for code, (cluster, *groups) in enumerate(self._units.values):
            counts = self._by_frequency(code, band)
            bands = np.arange(len(counts))
            sums.add(groups[a] * len(FREQUENCIES) + bands, np.full(len(bands), cluster), counts)
        labels = [_label(name, band) for name in names for band in _bands(FREQUENCIES)]
        result = sums.result(attribute, labels, self._grouping.cluster_names or [ALL])
        for group, name, content in self._estimates(METRICS["miss_rate"], result):
            yield Explanation("frequency", attribute, group, {"occurrences": name, **content})

    def _by_frequency(self, unit: int, band: Mapping[str, int]) -> Array:
        """Words of a unit, and which of them were missed, shape (bands, K)."""
        counts = np.zeros((len(FREQUENCIES), len(COLUMNS)))
        hits, missed = COLUMNS.index("hits"), COLUMNS.index("deletions")
        for word, times in self._words[unit].items():
            counts[band[word], hits] += times
        for (_, word, _), times in self._errors[unit].items():
            if word:
                counts[band[word], [hits, missed]] += (-times, times)
        return counts

    def _estimates(self, metric: Metric, sums: Sums) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Group, band, and the metric in it with its interval."""
        clustered = sums.clusters is not None
        found = estimate(metric, sums.columns, sums.spread, clustered=clustered)
        low, high = found.interval(self._design.confidence)
        for g, label in enumerate(sums.groups):
            if found.n[g]:
                group, _, band = label.rpartition(_SEPARATOR)
                limits = {"ci_low": defined(low[g]), "ci_high": defined(high[g])}
                value = {"value": defined(found.value[g]), "n": float(found.n[g])}
                yield group, _plain_band(band), {**value, **limits}

    def _utterance_rows(
        self, a: int, attribute: str | None, names: Sequence[str]
    ) -> Iterator[Explanation]:
        """The utterances with the most errors, group by group."""
        of_group: dict[str, list[_Utterance]] = defaultdict(list)
        for (attr, code), utterances in self._costly.items():
            if attr == a:
                of_group[names[code]] += utterances
        for group in sorted(of_group):
            for utterance in sorted(of_group[group], reverse=True)[:MOST_UTTERANCES]:
                yield Explanation("utterance", attribute, group, utterance.content())


#: The place of insertions among the words; no word is called so.
_ANYWHERE = ""


def _sparse(
    counts: Mapping[int, Mapping[Any, int]],
    row: Mapping[int, int],
    place: Mapping[Any, int],
    n: int,
) -> Sparse:
    """Counts of units as a matrix of cells and places."""
    entries = [(row[u], place[key], count) for u in row for key, count in counts[u].items()]
    rows, columns, values = np.array(entries, dtype=np.int64).reshape(-1, 3).T
    return Sparse(rows, columns, values, (n, len(place)))


def _error(step: Step) -> dict[str, str]:
    return dict(zip(("error", "reference", "hypothesis"), step, strict=True))


def _row(found: Evidence, row: int) -> dict[str, Any]:
    """Counts, rates and evidence of one row."""
    return {
        "count": int(found.count[row]),
        "exposure": int(found.exposure[row]),
        "rate": defined(found.rate[row]),
        "rest_count": int(found.rest_count[row]),
        "rest_exposure": int(found.rest_exposure[row]),
        "rest_rate": defined(found.rest_rate[row]),
        "ratio": defined(found.ratio[row]),
        "z": defined(found.z[row]),
        "p_adjusted": defined(found.p_adjusted[row]),
    }


def _keep_greatest(heap: list[_Utterance], utterance: _Utterance, most: int) -> None:
    if len(heap) < most:
        heapq.heappush(heap, utterance)
    elif heap[0] < utterance:
        heapq.heapreplace(heap, utterance)


_SEPARATOR = "\0"


def _bands(edges: Sequence[int]) -> list[str]:
    """Names of bands, which sort as the bands do.

    >>> _bands((1, 6, 11))
    ['01-5', '16-10', '211+']
    """
    spans = [f"{a}-{b - 1}" if b - a > 1 else str(a) for a, b in pairwise(edges)]
    return [f"{i}{span}" for i, span in enumerate([*spans, f"{edges[-1]}+"])]


def _plain_band(band: str) -> str:
    return band[1:]


def _label(group: str, band: str) -> str:
    return f"{group}{_SEPARATOR}{band}"
