"""What all probes have in common: columns to read, sentences to score, counts to add."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from fairaudit.arrays import Array
from fairaudit.assess import Design, Part
from fairaudit.exceptions import FairauditError
from fairaudit.formats.rows import all_lines
from fairaudit.lm.language_models import LanguageModel
from fairaudit.lm.likelihood import scoring
from fairaudit.selection import Selection
from fairaudit.table import Table, Workspace

#: Cells by column, of some records.
Rows = Mapping[str, Sequence[str]]

TOO_LONG = "longer than the model reads at once"
NOTHING = "no token that the model reads"


class Probe(ABC):
    """A form of data and what is asked about it.

    Attributes
    ----------
    name : str
        As for ``--probe``.
    form : str
        What its data look like, for messages.
    metrics, columns : sequence of str
        What is reported, and the counts that it is made of.
    further : sequence of str
        Metrics of `parts`, which are of no sums.
    fields : sequence of str
        Columns without whose value a record is dropped.
    scored : sequence of str
        Columns of sentences that must fit into the model's context.
    allowed : mapping of str to sequence of str
        Columns that hold nothing but these values.
    by : sequence of str
        What is grouped by unless the user says otherwise.
    cluster : str or None
        What was sampled independently, unless the user says otherwise.
    fixed_cluster : bool
        Whether the clusters are part of the metrics' definition.
    window : bool
        Whether texts longer than the model's context are read in windows.
    """

    name: ClassVar[str]
    form: ClassVar[str]
    allowed: ClassVar[Mapping[str, Sequence[str]]] = {}
    metrics: Sequence[str]
    columns: Sequence[str]
    further: Sequence[str] = ()
    fields: Sequence[str] = ()
    scored: Sequence[str] = ()
    by: Sequence[str] = ()
    cluster: str | None = None
    fixed_cluster: bool = False
    window: bool = False

    @abstractmethod
    def open(self, workspace: Workspace) -> Table:
        """Read the data as a table."""

    @abstractmethod
    def measure(self, model: LanguageModel, rows: Rows) -> Array:
        """Counts of some records, shape (n, K)."""

    def refuse(self, model: LanguageModel, rows: Rows) -> list[str | None]:
        """Why each record cannot be scored, None where it can."""
        found: list[str | None] = [None] * len(rows[self.fields[0]])
        for name in self.scored:
            if not self.window:
                found = first_reasons(found, scoring.fit(model, rows[name]), TOO_LONG)
            found = first_reasons(found, scoring.scorable(model, rows[name]), NOTHING)
        return found

    def check(self, table: Table, selection: Selection) -> None:
        """Refuse values that are not allowed, before a model is loaded; see `allowed`."""
        for name, known in self.allowed.items():
            for row, cell in enumerate(_cells(table, selection, name), 1):
                if (cell or "").strip() and cell not in known:
                    raise FairauditError(
                        f"{table.name}, row {row}: {name} is '{cell}'; expected "
                        f"{' or '.join(known)}."
                    )

    def check_cluster(self, cluster: str | None) -> None:
        """Refuse clusters of the user's where they are part of the metrics' definition."""
        if self.fixed_cluster and cluster not in (None, self.cluster):
            raise FairauditError(
                f"--cluster {cluster}: scores of {self.name} are means over its {self.cluster}s, "
                "which are the clusters. Leave --cluster out."
            )

    def settings(self) -> dict[str, Any]:
        """For the signature."""
        return {}

    def notes(self) -> Iterator[str]:
        """What a reader must know."""
        return iter(())

    def parts(self, design: Design) -> Sequence[Part]:
        """Rows beside those of the sums."""
        return ()


def _cells(table: Table, selection: Selection, name: str) -> Iterator[str | None]:
    """Cells of a column; None where there is nothing, or the record is left out."""
    for batch in table.scan(labels=[name], where=selection.where, missing_values=selection.na):
        cells = zip(batch.labels[name], batch.keep, strict=True)
        yield from (cell if keep else None for cell, keep in cells)


def first_reasons(found: Sequence[str | None], good: Array, why: str) -> list[str | None]:
    """Reasons so far, and one more for records that have none and are not good.

    >>> first_reasons(["odd", None, None], np.array([False, False, True]), TOO_LONG)
    ['odd', 'longer than the model reads at once', None]
    """
    return [each or (None if fine else why) for each, fine in zip(found, good, strict=True)]


def pronoun_differences(male: Array, female: Array) -> dict[str, Array]:
    """Counts of pairs of log-likelihoods, of a sentence with *he* and with *she*.

    >>> pronoun_differences(np.array([-10.0]), np.array([-12.0]))["pronoun_difference"].tolist()
    [2.0]
    """
    return {
        "pronoun_difference": male - female,
        "pronoun_distance": np.abs(male - female),
        "female_pronoun": female > male,
    }


def differences(first: Array, second: Array) -> dict[str, Array]:
    """Counts of pairs of log-likelihoods, the stereotypical one first.

    >>> counts = differences(np.array([-10.0, -8.0]), np.array([-12.0, -8.0]))
    >>> counts["stereotypical"].tolist(), counts["absolute_difference"].tolist()
    ([True, False], [2.0, 0.0])
    """
    return {
        "stereotypical": first > second,
        "antistereotypical": second > first,
        "absolute_difference": np.abs(first - second),
    }


def stacked(columns: Sequence[str], counts: Mapping[str, Array], records: int) -> Array:
    """Named counts side by side, shape (n, K); each record counts once as such."""
    whole = {"records": np.ones(records), **counts}
    return np.column_stack([np.asarray(whole[name], dtype=float) for name in columns])


def read_lines(path: Path, form: str) -> list[str]:
    """Lines of a text file.

    Raises
    ------
    FairauditError
        If it cannot be read, is not UTF-8, or is empty.
    """
    lines = [line for _, line in all_lines(path, str(path))]
    if not any(map(str.strip, lines)):
        raise FairauditError(f"{path}: is empty; expected {form}.")
    return lines
