"""StereoSet: whether stereotype, anti-stereotype or something unrelated is likeliest."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError
from fairaudit.lm.language_models import LanguageModel
from fairaudit.lm.likelihood.pairs import ties
from fairaudit.lm.likelihood.probes import (
    NOTHING,
    TOO_LONG,
    Probe,
    Rows,
    first_reasons,
    read_lines,
    stacked,
)
from fairaudit.lm.likelihood.scoring import (
    Span,
    filled_in,
    fit,
    mean_log_probabilities,
    scorable,
)
from fairaudit.metrics.likelihood import STEREOSET
from fairaudit.table import Table, Workspace

_BLANK = "BLANK"
_WITHIN, _BETWEEN = "intrasentence", "intersentence"
_LABELS = ("stereotype", "anti-stereotype", "unrelated")


class StereoSet(Probe):
    """Triplets about a target term: within a sentence, or as the sentence that follows one.

    Nadeem et al., "StereoSet", ACL 2021. Scores are means over target terms, which are the
    clusters. Within a sentence a causal model gives the mean log probability of all tokens, a
    masked one the mean probability of the tokens in the blank, from left to right. There is no
    trained head that judges a following sentence, so there a causal model gives the mean log
    probability of its tokens after the first sentence; masked models leave these records out.
    """

    name = "stereoset"
    form = "StereoSet's dev.json, or a table with stereotype, anti-stereotype and unrelated"
    metrics = STEREOSET
    columns = ("records", "preferred", "related")
    fields = ("type", "target", "bias_type", "context", *_LABELS)
    allowed: ClassVar = {"type": (_WITHIN, _BETWEEN)}
    by = ("bias_type", "type")
    cluster = "target"
    fixed_cluster = True

    def __init__(self, source: object, nested: Sequence[Path] = ()) -> None:
        self._source, self._nested = source, nested
        self._ties = 0
        self._between = False

    def open(self, workspace: Workspace) -> Table:
        """Read the data as a table."""
        if self._nested:
            rows = [row for path in self._nested for row in _nested_rows(path)]
            if not rows:
                raise FairauditError(f"{self._nested[0]}: holds no records; expected {self.form}.")
            cells = {name: [row[name] for row in rows] for name in self.fields}
            return workspace.open_rows(cells, self._nested)
        table = workspace.open(self._source)
        for name in self.fields:
            table.text(name)
        return table

    def refuse(self, model: LanguageModel, rows: Rows) -> list[str | None]:
        """Why each record cannot be scored, None where it can."""
        every = range(len(rows["type"]))
        found = [_not_for_masked(rows, i) if model.masked else None for i in every]
        for label in _LABELS:
            texts = [self._text(rows, i, label) for i in every]
            found = first_reasons(found, fit(model, texts), TOO_LONG)
            # What is refused has no part to score; what is asked of it there does not count.
            parts = [(0, 0) if found[i] else self._part(model, rows, i, label) for i in every]
            found = first_reasons(found, scorable(model, texts, parts), NOTHING)
        return found

    def _text(self, rows: Rows, i: int, label: str) -> str:
        """What the model reads of a record."""
        own = rows[label][i]
        return own if rows["type"][i] == _WITHIN else f"{rows['context'][i].rstrip()} {own}"

    def _part(self, model: LanguageModel, rows: Rows, i: int, label: str) -> Span:
        """The part of a record's text whose tokens are scored."""
        if model.masked:
            return (_blanks(rows, i) or [])[_LABELS.index(label)]
        given = len(rows["context"][i].rstrip()) if rows["type"][i] == _BETWEEN else 0
        return given, len(self._text(rows, i, label))

    def measure(self, model: LanguageModel, rows: Rows) -> Array:
        """Counts of some records, shape (n, K)."""
        self._between |= _BETWEEN in rows["type"]
        stereo, anti, unrelated = (self._scores(model, rows, label) for label in _LABELS)
        self._ties += int((stereo == anti).sum())
        counts = {
            "preferred": stereo > anti,
            "related": (stereo > unrelated).astype(float) + (anti > unrelated),
        }
        return stacked(self.columns, counts, len(stereo))

    def _scores(self, model: LanguageModel, rows: Rows, label: str) -> Array:
        every = range(len(rows["type"]))
        texts = [self._text(rows, i, label) for i in every]
        parts = [self._part(model, rows, i, label) for i in every]
        if model.masked:
            return filled_in(model, texts, parts)
        return mean_log_probabilities(model, texts, [begin for begin, _ in parts])

    def notes(self) -> Iterator[str]:
        """What a reader must know."""
        yield from ties(self._ties)
        if self._between:
            yield (
                f"{_BETWEEN}: by the likelihood of the second sentence after the first; the "
                "published figures come from a head that was trained to judge it, and differ."
            )


def _not_for_masked(rows: Rows, i: int) -> str | None:
    """Why a masked model cannot score a record."""
    if rows["type"][i] == _BETWEEN:
        return f"{_BETWEEN}, which is for causal models"
    return None if _blanks(rows, i) else "not one blank that the three sentences fill"


def _blanks(rows: Rows, i: int) -> list[Span] | None:
    """Where each sentence of a record fills the blank; None where that is not clear."""
    context = rows["context"][i]
    if context.count(_BLANK) != 1:
        return None
    spans = [_filled(context, rows[label][i]) for label in _LABELS]
    return [span for span in spans if span is not None] if None not in spans else None


def _filled(context: str, sentence: str) -> Span | None:
    """Where a sentence fills the context's blank, letters' case aside.

    Where the rest of the sentence differs, the word at the blank's place among the words, as the
    authors take it, without its punctuation.

    >>> _filled("The Thai cook was BLANK.", "The thai cook was kind.")
    (18, 22)
    """
    before, after = context.strip().split(_BLANK)
    pattern = f"\\s*{re.escape(before)}(.+?){re.escape(after)}\\s*"
    found = re.fullmatch(pattern, sentence, re.IGNORECASE)
    if found is not None:
        return found.span(1)
    words = list(re.finditer(r"\S+", sentence))
    place = len(before.split()) - (bool(before) and not before[-1].isspace())
    if place >= len(words):
        return None
    core = re.search(r"\w(?:.*\w)?", words[place].group())
    start = words[place].start()
    return None if core is None else (start + core.start(), start + core.end())


def _nested_rows(path: Path) -> Iterator[dict[str, str]]:
    """Records of the authors' JSON."""
    try:
        data = json.loads("\n".join(read_lines(path, StereoSet.form)))["data"]
        for type in (_WITHIN, _BETWEEN):
            for n, each in enumerate(data.get(type, []), 1):
                yield _nested_row(f"{path}, {type} {n}", type, each)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FairauditError(
            f"{path}: broken StereoSet: {error!r} is missing or odd; expected {StereoSet.form}."
        ) from None


def _nested_row(where: str, type: str, record: Any) -> dict[str, str]:
    own = {name: record[name] for name in ("target", "bias_type", "context")}
    row = {"type": type, **own, **_sentences(where, record)}
    for name, cell in row.items():
        if not isinstance(cell, str):
            raise FairauditError(f"{where}: {name} is {json.dumps(cell)[:40]}; expected a text.")
    return row


def _sentences(where: str, record: Any) -> dict[str, Any]:
    """The three sentences of a record by their labels."""
    several = [(each["gold_label"], each["sentence"]) for each in record["sentences"]]
    found = dict(several)
    lacking = [label for label in _LABELS if label not in found]
    if lacking:
        raise FairauditError(f"{where}: no sentence with gold_label '{lacking[0]}'.")
    if len(several) > len(found):
        twice, _ = Counter(label for label, _ in several).most_common(1)[0]
        raise FairauditError(f"{where}: two sentences with gold_label '{twice}'. Keep one.")
    return {label: found[label] for label in _LABELS}
