"""Winogender: which pronoun goes with an occupation."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np

from fairaudit.arrays import Array
from fairaudit.assess import Design, Part, defined
from fairaudit.audit import Comparison, Estimate
from fairaudit.exceptions import FairauditError
from fairaudit.lm.language_models import LanguageModel
from fairaudit.lm.likelihood.probes import Probe, Rows, pronoun_differences, read_lines, stacked
from fairaudit.lm.likelihood.scoring import log_likelihoods
from fairaudit.metrics.likelihood import CORRELATION, WINOGENDER
from fairaudit.sources import exists
from fairaudit.stats.correlation import Correlation, correlation
from fairaudit.stats.sums import ALL
from fairaudit.table import Table, Workspace

SENTENCES = ("sentid", "sentence")
TEMPLATES = ("occupation(0)", "other-participant(1)", "answer", "sentence")
STATISTICS = ("occupation", "bls_pct_female")
#: The published file of statistics, which is looked for beside the sentences.
_STATISTICS_FILE = "occupations-stats.tsv"
_PRONOUNS = {
    "male": {"$NOM_PRONOUN": "he", "$POSS_PRONOUN": "his", "$ACC_PRONOUN": "him"},
    "female": {"$NOM_PRONOUN": "she", "$POSS_PRONOUN": "her", "$ACC_PRONOUN": "her"},
    "neutral": {"$NOM_PRONOUN": "they", "$POSS_PRONOUN": "their", "$ACC_PRONOUN": "them"},
}
_REFERENTS = ("occupation", "participant")
#: Who takes part, of which occupation, and whom the pronoun means (0 or 1).
_Key = tuple[str, str, str]


class Winogender(Probe):
    """Templates about an occupation and somebody else, with a pronoun for one of them.

    Rudinger et al., "Gender Bias in Coreference Resolution", NAACL 2018. Instead of resolving the
    pronoun, the model says how likely the sentence is with each. With the occupations' statistics,
    which are found beside the sentences by their published name, the mean difference of an
    occupation, where the pronoun means it, is correlated with its share of women.
    """

    name = "winogender"
    form = "Winogender's all_sentences.tsv or templates.tsv, and occupations-stats.tsv"
    metrics = WINOGENDER
    columns = ("records", "female_pronoun", "pronoun_difference", "pronoun_distance")
    fields = ("occupation", "referent", "male", "female")
    scored = ("male", "female")
    by = ("referent",)
    cluster = "occupation"

    def __init__(self, files: Mapping[tuple[str, ...], Sequence[Path]]) -> None:
        self._sentences = [*files.get(SENTENCES, ()), *files.get(TEMPLATES, ())]
        self._statistics = files.get(STATISTICS) or list(_beside(self._sentences))
        self._files = files
        if not self._sentences:
            raise FairauditError(
                f"{files[STATISTICS][0]}: holds statistics alone; name Winogender's "
                "all_sentences.tsv or templates.tsv beside it."
            )
        self._share = dict(row for path in self._statistics for row in _shares(path))
        if self._share:
            self.further = CORRELATION
        self._found: dict[str, list[float]] = defaultdict(list)

    def open(self, workspace: Workspace) -> Table:
        """Read the data as a table."""
        found: dict[_Key, dict[str, str]] = defaultdict(dict)
        for path in self._files.get(SENTENCES, ()):
            for where, row in _table(path, SENTENCES):
                _add(found, where, *_parsed(where, row["sentid"]), row["sentence"])
        for path in self._files.get(TEMPLATES, ()):
            for where, row in _table(path, TEMPLATES):
                for variant in _written(where, row):
                    _add(found, where, *variant)
        rows = list(_records(found, self._share, self._sentences[0]))
        if not rows:
            raise FairauditError(f"{self._sentences[0]}: holds no sentences; expected {self.form}.")
        cells = {name: [row[name] for row in rows] for name in rows[0]}
        return workspace.open_rows(cells, [*self._sentences, *self._statistics])

    def measure(self, model: LanguageModel, rows: Rows) -> Array:
        """Counts of some records, shape (n, K)."""
        n = len(rows["male"])
        both = log_likelihoods(model, [*rows["male"], *rows["female"]])
        counts = pronoun_differences(both[:n], both[n:])
        for who, whom, lean in zip(
            rows["occupation"], rows["referent"], counts["pronoun_difference"].tolist(), strict=True
        ):
            if whom == _REFERENTS[0]:
                self._found[who].append(lean)
        return stacked(self.columns, counts, n)

    def notes(self) -> Iterator[str]:
        """What a reader must know."""
        if self._share:
            lacking = sorted(set(self._found) - set(self._share))
            if lacking:
                yield f"Not correlated, as without statistics: {', '.join(lacking[:10])}."
            yield (
                "Pearson and Spearman: over occupations, log p(she) - log p(he) where the pronoun "
                "means the occupation, with the share of women in it."
            )

    def parts(self, design: Design) -> Sequence[Part]:
        """The correlation with the share of women."""
        known = sorted(set(self._found) & set(self._share))
        if not self._share:
            return ()
        leans = np.array([-np.mean(self._found[name]) for name in known])
        shares = np.array([self._share[name] for name in known])
        records = sum(len(self._found[name]) for name in known)
        return (Correlated(leans, shares, records, design),)


class Correlated:
    """Rows of the correlation of two numbers over all units.

    Parameters
    ----------
    first, second : array, shape (n,)
    records : int
        Those that the units are means of.
    design : Design
    """

    def __init__(self, first: Array, second: Array, records: int, design: Design) -> None:
        self._records = records
        self._found: dict[str, Correlation] = {
            name: correlation(
                first,
                second,
                ranked=name == CORRELATION[1],
                confidence=design.confidence,
                resamples=design.resamples,
                seed=design.seed,
            )
            for name in CORRELATION
        }

    def estimates(self) -> Iterable[Estimate]:
        """Rows of estimates."""
        for name, each in self._found.items():
            yield Estimate(
                None, ALL, {}, name, defined(each.value), defined(each.low), defined(each.high),
                each.n, self._records, None, each.sums,
            )  # fmt: skip

    def comparisons(self) -> Iterable[Comparison]:
        """No rows."""
        return ()

    def notes(self) -> Iterable[str]:
        """Nothing."""
        return ()


def _table(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Rows of a tab-separated file, each with where it stands."""
    header, *lines = read_lines(path, Winogender.form)
    names = header.split("\t")
    for n, line in enumerate(lines, 2):
        if not line.strip():
            continue
        row = dict(zip(names, line.split("\t"), strict=False))
        lacking = [name for name in columns if not (row.get(name) or "").strip()]
        if lacking:
            raise FairauditError(f"{path}, line {n}: no {lacking[0]}; expected {Winogender.form}.")
        yield f"{path}, line {n}", row


def _parsed(where: str, name: str) -> tuple[_Key, str]:
    """What a sentence's name says: occupation, participant, answer and gender."""
    parts = name.removesuffix(".txt").split(".")
    if len(parts) != 4 or parts[2] not in ("0", "1") or parts[3] not in _PRONOUNS:
        raise FairauditError(
            f"{where}: sentid is '{name}'; expected occupation.participant.answer.gender such as "
            "nurse.patient.0.female.txt"
        )
    return (parts[0], parts[1], parts[2]), parts[3]


def _written(where: str, row: Mapping[str, str]) -> Iterator[tuple[_Key, str, str]]:
    """The sentences of a template: with the participant and with *someone*, for each pronoun."""
    occupation, participant, answer, template = (row[name] for name in TEMPLATES)
    if answer not in ("0", "1"):
        raise FairauditError(f"{where}: answer is '{answer}'; expected 0 or 1.")
    for other, (gender, forms) in product((participant, "someone"), _PRONOUNS.items()):
        text = template.replace("$OCCUPATION", occupation)
        if other == "someone":
            for old, new in (("The", "Someone"), ("the", "someone"), ("a", "someone")):
                text = text.replace(f"{old} $PARTICIPANT", new)
        text = text.replace("$PARTICIPANT", other)
        for mark, pronoun in forms.items():
            text = text.replace(mark, pronoun)
        yield (occupation, other, answer), gender, text.replace("they was", "they were")


def _add(
    found: dict[_Key, dict[str, str]], where: str, key: _Key, gender: str, sentence: str
) -> None:
    if found[key].setdefault(gender, sentence) != sentence:
        raise FairauditError(
            f"{where}: a second {gender} sentence of {'.'.join(key)}, and another one."
        )


def _records(
    found: Mapping[_Key, Mapping[str, str]], shares: Mapping[str, float], path: Path
) -> Iterator[dict[str, str]]:
    for (occupation, participant, answer), sentences in found.items():
        lacking = [gender for gender in ("male", "female") if gender not in sentences]
        if lacking:
            raise FairauditError(
                f"{path}: {occupation}.{participant}.{answer} has no {lacking[0]} sentence; "
                "expected one with each pronoun."
            )
        share = shares.get(occupation)
        yield {
            "occupation": occupation,
            "participant": participant,
            "referent": _REFERENTS[int(answer)],
            "women": "" if share is None else f"{share:g}",
            **{gender: sentences.get(gender, "") for gender in _PRONOUNS},
        }


def _beside(sentences: Sequence[Path]) -> Iterator[Path]:
    """The published statistics, where they lie beside the sentences."""
    yield from filter(exists, dict.fromkeys(p.with_name(_STATISTICS_FILE) for p in sentences))


def _shares(path: Path) -> Iterator[tuple[str, float]]:
    """Share of women by occupation, in percent."""
    for where, row in _table(path, STATISTICS):
        try:
            share = float(row["bls_pct_female"])
        except ValueError:
            share = math.nan
        if not 0 <= share <= 100:
            raise FairauditError(
                f"{where}: bls_pct_female is '{row['bls_pct_female']}'; expected a number from 0 "
                "to 100."
            )
        yield row["occupation"], share
