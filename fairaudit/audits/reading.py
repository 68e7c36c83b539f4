"""A batch of records as one normaliser has it, and who looks at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fairaudit.arrays import Array
from fairaudit.audits import alignment
from fairaudit.audits.normalizers import Normalizer
from fairaudit.audits.transcripts import Roles
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

    def see(self, batch: Batch, readings: Sequence[Reading], codes: Codes) -> None:
        """Look at a batch: a reading for each normaliser, and whom the records are about."""


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
    texts = [batch.texts[each].replace(NOTHING, "") for each in (roles.reference, name)]
    if roles.alternatives:
        from fairaudit.audits import alternatives

        spoken, heard = alternatives.resolve(*(t.split("\n") for t in texts), rule.apply)
        return spoken, heard
    spoken, heard = (rule.apply(text).split("\n") for text in texts)
    return spoken, heard
