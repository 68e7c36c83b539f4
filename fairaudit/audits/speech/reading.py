"""A batch of records as one normaliser has it, and who looks at it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fairaudit.arrays import Array
from fairaudit.audit import Explanation
from fairaudit.audits.speech import alignment
from fairaudit.audits.speech.alternatives import resolve
from fairaudit.audits.speech.normalizers import Normalizer
from fairaudit.audits.speech.transcripts import Roles
from fairaudit.exceptions import FairauditError
from fairaudit.groups import Codes
from fairaudit.table import NOTHING, Batch


@dataclass(frozen=True)
class Reading:
    """Normalised texts of n utterances, and what was counted in them.

    Attributes
    ----------
    spoken, heard : list of str, length n
        References and hypotheses, normalised.
    counts : array, shape (n, K)
        Counts of the audited run; where there is an earlier run, its K counts after them.
    """

    spoken: list[str]
    heard: list[str]
    counts: Array


class Observer(Protocol):
    """Somebody who looks at every record beside the counting."""

    @property
    def labels(self) -> Sequence[str]:
        """Columns that are needed as labels, beside those that the grouping needs."""

    def see(self, batch: Batch, readings: Sequence[Reading], codes: Codes) -> None:
        """Look at a batch: a reading for each normaliser, and whom the records are about."""

    def explanations(self) -> Iterable[Explanation]:
        """What was found."""


def read(batch: Batch, roles: Roles, rule: Normalizer, characters: bool) -> Reading:
    """Normalise and count a batch.

    Parameters
    ----------
    batch : Batch
        Records with a reference.
    roles : Roles
        Its columns.
    rule : Normalizer
        What is done to the texts.
    characters : bool
        Whether to count character errors.
    """
    pairs = [_pair(batch, roles, name, rule) for name in roles.texts[1:]]
    counts = [alignment.count(spoken, heard, characters) for spoken, heard in pairs]
    return Reading(*pairs[0], np.column_stack(counts))


def _pair(batch: Batch, roles: Roles, name: str, rule: Normalizer) -> tuple[list[str], list[str]]:
    """References and the hypotheses of one column, normalised."""
    columns = (roles.reference, name)
    texts = [batch.texts[column].replace(NOTHING, "") for column in columns]
    if not roles.alternatives & set(columns):
        spoken, heard = (rule.apply(text).split("\n") for text in texts)
        return spoken, heard
    spoken, heard = (
        (text if column in roles.alternatives else text.translate(_LITERAL)).split("\n")
        for column, text in zip(columns, texts, strict=True)
    )
    try:
        return resolve(spoken, heard, lambda lines: rule.apply(lines.translate(_AGAIN)))
    except FairauditError as error:
        raise FairauditError(f"{' or '.join(columns)}: {error}") from None


#: Where only the other side is in NIST's notation, its marks are characters like any other.
_LITERAL = {ord(mark): 0xE000 + i for i, mark in enumerate("{}()@")}
_AGAIN = {code: mark for mark, code in _LITERAL.items()}
