"""Which tokens predictions are sensitive to, by group, and the texts that carry most of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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


class Explainer:
    """Remembers which tokens the predictions of each group are sensitive to, and the worst texts.

    Memory grows with the number of different tokens and of groups.
    """

    def __init__(self, grouping: Grouping) -> None:
        self._grouping = grouping
        self._all = _Tokens()
        self._of: list[dict[int, _Tokens]] = [defaultdict(_Tokens) for _ in grouping.attributes]
        self._texts: list[tuple[float, dict[str, Any]]] = []

    def add(self, found: Measured, classes: Sequence[str], codes: Codes) -> None:
        """Add some records."""
        for i, (tokens, size) in enumerate(zip(found.tokens, found.sensitivity, strict=True)):
            self._all.add(tokens, float(size))
            for of, groups in zip(self._of, codes.groups, strict=True):
                of[int(groups[i])].add(tokens, float(size))
        self._add_texts(found, classes)

    def _add_texts(self, found: Measured, classes: Sequence[str]) -> None:
        predicted = found.probabilities.argmax(axis=1)
        for i in np.argsort(-found.sensitivity, kind="stable")[:_TEXTS].tolist():
            if (size := float(found.sensitivity[i])) > 0:
                said = _quoted(found.tokens[i], size, classes[predicted[i]])
                self._texts.append((size, said))
        self._texts = sorted(self._texts, key=lambda each: -each[0])[:_TEXTS]

    def explanations(self) -> Iterator[Explanation]:
        """Tokens over all and by group, then texts."""
        yield from _token_rows(None, ALL, self._all)
        for i, (attribute, of) in enumerate(zip(self._grouping.attributes, self._of, strict=True)):
            merged = _by_name(of, self._grouping.group_names(i))
            for group in sorted(merged):
                yield from _token_rows(attribute.name, group, merged[group])
        for _, content in self._texts:
            yield Explanation("sensitive_text", None, ALL, content)


def _by_name(of: Mapping[int, _Tokens], names: Sequence[str]) -> dict[str, _Tokens]:
    """Tokens of groups by name: several codes may have one."""
    merged: dict[str, _Tokens] = defaultdict(_Tokens)
    for code in sorted(of):
        merged[names[code]] += of[code]
    return merged


def _token_rows(attribute: str | None, group: str, tokens: _Tokens) -> Iterator[Explanation]:
    for content in tokens.largest():
        yield Explanation("sensitive_token", attribute, group, content)


def _quoted(tokens: Sequence[tuple[str, float]], size: float, predicted: str) -> dict[str, Any]:
    shares = [[token, share / size] for token, share in tokens[:_LONGEST]]
    return {"tokens": shares, "sensitivity": size, "predicted": predicted}
