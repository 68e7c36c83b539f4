"""Several normalisers side by side: what they change, and whether it changes the conclusion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations

from rapidfuzz.distance.Levenshtein import opcodes

from fairaudit.audit import Audit, Comparison, Explanation
from fairaudit.audits.speech.normalizers import Normalizer
from fairaudit.audits.speech.reading import Reading
from fairaudit.groups import Codes, Grouping
from fairaudit.table import Batch

_Key = tuple[str, int, int, str, str]
#: Respellings that are kept for each group.
MOST = 5
#: Longer stretches of changed words are no respelling of a word.
_LONGEST = 4


class Respellings:
    """Collects which words the further normalisers write otherwise than the first, per group."""

    def __init__(self, rules: Sequence[Normalizer], grouping: Grouping) -> None:
        self._rules, self._grouping = rules, grouping
        # By normaliser, attribute, group, and the words before and after: in references, and in
        # hypotheses.
        self._found = (Counter[_Key](), Counter[_Key]())

    @property
    def labels(self) -> list[str]:
        """No columns beside those of the grouping."""
        return []

    def see(self, batch: Batch, readings: Sequence[Reading], codes: Codes) -> None:
        """Compare every further reading with the first."""
        first = readings[0]
        for r, other in enumerate(readings[1:], start=1):
            self._compare(self._found[0], r, first.spoken, other.spoken, codes)
            self._compare(self._found[1], r, first.heard, other.heard, codes)

    def _compare(
        self, found: Counter[_Key], rule: int, first: list[str], other: list[str], codes: Codes
    ) -> None:
        name = self._rules[rule].name
        for i, (before, after) in enumerate(zip(first, other, strict=True)):
            for change in _changes(before.split(), after.split()):
                for a, groups in enumerate(codes.groups):
                    found[(name, a, int(groups[i]), *change)] += 1

    def explanations(self) -> Iterator[Explanation]:
        """The respellings that are most frequent in each group, by normaliser."""
        sides = [self._named(found) for found in self._found]
        both = sides[0] + sides[1]
        listed: Counter[tuple[str, str, str]] = Counter()
        for key, _ in sorted(both.items(), key=lambda item: (-item[1], item[0])):
            rule, attribute, group, before, after = key
            listed[rule, attribute, group] += 1
            if listed[rule, attribute, group] <= MOST:
                content = {"normalize": rule, "from": before, "to": after}
                counts = {"references": sides[0][key], "hypotheses": sides[1][key]}
                yield Explanation("respelling", attribute, group, {**content, **counts})

    def _named(self, found: Counter[_Key]) -> Counter[tuple[str, str, str, str, str]]:
        """Counts by name of attribute and group; codes that share a name are added up."""
        attributes = self._grouping.attributes
        names = [self._grouping.group_names(a) for a in range(len(attributes))]
        named: Counter[tuple[str, str, str, str, str]] = Counter()
        for (rule, a, code, before, after), count in found.items():
            named[rule, attributes[a].name, names[a][code], before, after] += count
        return named


def _changes(before: list[str], after: list[str]) -> Iterator[tuple[str, str]]:
    """Stretches of words that differ between two spellings of one text.

    >>> list(_changes("he is gonna go".split(), "he is going to go".split()))
    [('gonna', 'going to')]
    """
    if before == after:
        return
    pending: list[tuple[int, int, int, int]] = []
    for code in opcodes(before, after):
        if code.tag == "equal":
            continue
        span = (code.src_start, code.src_end, code.dest_start, code.dest_end)
        if pending and pending[-1][1] == span[0] and pending[-1][3] == span[2]:
            span = (pending[-1][0], span[1], pending.pop()[2], span[3])
        pending.append(span)
    for a, b, c, d in pending:
        if b - a <= _LONGEST and d - c <= _LONGEST:
            yield " ".join(before[a:b]), " ".join(after[c:d])


def order_notes(audit: Audit) -> Iterator[str]:
    """Warn where the order of groups or a conclusion is another under another normaliser.

    A conclusion is whether the groups differ at all, and which of them differ from the reference,
    each at the level of the intervals.
    """
    headline = audit.settings["metrics"][0]
    first, *others = dict.fromkeys(
        row.variant["normalize"] for row in audit.estimates if row.variant
    )
    for attribute in dict.fromkeys(r.attribute for r in audit.estimates if r.attribute):
        orders = {name: _order(audit, attribute, headline, name) for name in (first, *others)}
        calls = {name: _conclusions(audit, attribute, headline, name) for name in (first, *others)}
        for other in others:
            yield from _order_note(attribute, first, other, orders)
            for what in sorted(calls[first] ^ calls[other]):
                yes, no = (first, other) if what in calls[first] else (other, first)
                yield f"{attribute}: {what} under {yes}, not under {no}."


def _order(audit: Audit, attribute: str, metric: str, rule: str) -> dict[str, float]:
    """Value of each group under a normaliser."""
    return {
        row.group: row.value
        for row in audit.estimates
        if (row.attribute, row.metric, row.variant) == (attribute, metric, {"normalize": rule})
        and row.value is not None
    }


def _order_note(
    attribute: str, first: str, other: str, orders: dict[str, dict[str, float]]
) -> Iterator[str]:
    a, b = orders[first], orders[other]
    swapped = [
        f"{x} and {y}"
        for x, y in combinations(sorted(a, key=lambda name: a[name]), 2)
        if x in b and y in b and (a[x] - a[y]) * (b[x] - b[y]) < 0
    ]
    if swapped:
        more = f" (and {len(swapped) - 3} more pairs)" if len(swapped) > 3 else ""
        yield (
            f"{attribute}: the order of groups under {other} is not that under {first}: "
            f"{'; '.join(swapped[:3])}{more} change places."
        )


def _conclusions(audit: Audit, attribute: str, metric: str, rule: str) -> set[str]:
    """What the data show under a normaliser."""
    alpha = 1 - audit.settings["ci"]
    rows = [
        row
        for row in audit.comparisons
        if (row.attribute, row.metric, row.variant) == (attribute, metric, {"normalize": rule})
    ]
    return {text for row in rows for text in _conclusion(row, alpha)}


def _conclusion(row: Comparison, alpha: float) -> Iterator[str]:
    if row.kind == "gap" and row.p_value is not None and row.p_value < alpha:
        yield "the groups differ"
    if row.kind == "difference" and row.p_adjusted is not None and row.p_adjusted < alpha:
        yield f"{row.group} differs from {row.against}"
