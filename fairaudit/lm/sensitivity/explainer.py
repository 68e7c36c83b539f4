"""Which tokens predictions are sensitive to, by group, and the texts that carry most of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fairaudit.audit import Explanation
from fairaudit.groups import Codes, Grouping
from fairaudit.lm.sensitivity.measured import Measured
from fairaudit.stats.sums import ALL

#: What is quoted of a group, and over all.
_TOKENS, _TEXTS, _LONGEST = 20, 10, 200


@dataclass
class _Tokens:
    """What the tokens of one group add to its sensitivity, and to that of each record."""

    total: float = 0.0
    added: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    parts: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    occurrences: Counter[str] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)

    def __iadd__(self, other: _Tokens) -> _Tokens:
        self.total += other.total
        for token, share in other.added.items():
            self.added[token] += share
            self.parts[token] += other.parts[token]
        self.occurrences.update(other.occurrences)
        self.records.update(other.records)
        return self

    def add(self, tokens: Sequence[tuple[str, float]], sensitivity: float) -> None:
        """Add a record."""
        self.total += sensitivity
        for token, share in tokens:
            self.added[token] += share
            self.parts[token] += share / sensitivity if sensitivity else 0.0
        names = [token for token, _ in tokens]
        self.occurrences.update(names)
        self.records.update(set(names))

    def largest(self) -> Iterator[dict[str, Any]]:
        """The tokens that add most."""
        order = sorted(self.added, key=lambda token: (-self.added[token], token))
        for token in order[:_TOKENS]:
            if self.added[token] > 0:
                yield {
                    "token": token,
                    "share": self.added[token] / self.total,
                    "records": self.records[token],
                    "mean": self.parts[token] / self.occurrences[token],
                }


@dataclass(frozen=True)
class _Text:
    """A text, how many records have it, and what its tokens add to its sensitivity."""

    sensitivity: float
    records: int
    tokens: Sequence[tuple[str, float]]
    predicted: str

    def __add__(self, other: _Text) -> _Text:
        """The more sensitive of two equal texts, of which the true labels may differ."""
        most = self if self.sensitivity >= other.sensitivity else other
        return replace(most, records=self.records + other.records)

    def content(self) -> dict[str, Any]:
        """What is quoted of it."""
        return {
            "tokens": [
                [token, share / self.sensitivity] for token, share in self.tokens[:_LONGEST]
            ],
            "sensitivity": self.sensitivity,
            "predicted": self.predicted,
            "records": self.records,
        }


class Explainer:
    """Remembers which tokens the predictions of each group are sensitive to, and the worst texts.

    Memory grows with the number of different tokens and of groups.
    """

    def __init__(self, grouping: Grouping) -> None:
        self._grouping = grouping
        self._all = _Tokens()
        self._of: list[dict[int, _Tokens]] = [defaultdict(_Tokens) for _ in grouping.attributes]
        self._texts: dict[tuple[str, ...], _Text] = {}

    def add(self, found: Measured, classes: Sequence[str], codes: Codes) -> None:
        """Add some records."""
        for i, (tokens, size) in enumerate(zip(found.tokens, found.sensitivity, strict=True)):
            self._all.add(tokens, float(size))
            for of, groups in zip(self._of, codes.groups, strict=True):
                of[int(groups[i])].add(tokens, float(size))
        self._add_texts(found, classes)

    def _add_texts(self, found: Measured, classes: Sequence[str]) -> None:
        predicted = found.probabilities.argmax(axis=1)
        texts: dict[tuple[str, ...], _Text] = {}
        for i in np.flatnonzero(found.sensitivity > 0).tolist():
            size, key = float(found.sensitivity[i]), tuple(token for token, _ in found.tokens[i])
            own = _Text(size, 1, found.tokens[i], classes[predicted[i]])
            texts[key] = texts[key] + own if key in texts else own
        # The most of these only: what is not among them cannot be among the most of all.
        for key, own in _most(texts):
            self._texts[key] = self._texts[key] + own if key in self._texts else own
        self._texts = dict(_most(self._texts))

    def explanations(self) -> Iterator[Explanation]:
        """Tokens over all and by group, then texts."""
        yield from _token_rows(None, ALL, self._all)
        for i, (attribute, of) in enumerate(zip(self._grouping.attributes, self._of, strict=True)):
            merged = _by_name(of, self._grouping.group_names(i))
            for group in sorted(merged):
                yield from _token_rows(attribute.name, group, merged[group])
        for text in self._texts.values():
            yield Explanation("sensitive_text", None, ALL, text.content())


def _by_name(of: Mapping[int, _Tokens], names: Sequence[str]) -> dict[str, _Tokens]:
    """Tokens of groups by name: several codes may have one."""
    merged: dict[str, _Tokens] = defaultdict(_Tokens)
    for code in sorted(of):
        merged[names[code]] += of[code]
    return merged


def _token_rows(attribute: str | None, group: str, tokens: _Tokens) -> Iterator[Explanation]:
    for content in tokens.largest():
        yield Explanation("sensitive_token", attribute, group, content)


def _most(texts: Mapping[tuple[str, ...], _Text]) -> list[tuple[tuple[str, ...], _Text]]:
    """The most sensitive texts; of equally sensitive ones the first by their tokens."""
    return sorted(texts.items(), key=lambda each: (-each[1].sensitivity, each[0]))[:_TEXTS]
