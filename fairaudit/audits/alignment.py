"""Counting word errors: a batch of references and hypotheses in, an array of counts out.

This is the seam behind which counting stands: a compiled kernel with the same rule can take the
place of `count` and nothing else would notice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance.Levenshtein import distance, editops

Array = NDArray[Any]

#: What is counted per utterance; see the speech section of `fairaudit.metrics`.
COLUMNS = (
    "records hits substitutions deletions insertions wrong over_half scored utterance_wer"
).split()
#: What is counted in addition where character errors are asked for.
CHARACTER_COLUMNS = ["character_errors", "characters"]


def count(references: Sequence[str], hypotheses: Sequence[str], characters: bool = True) -> Array:
    """Align word by word and count.

    Levenshtein alignment with unit costs; of several best alignments RapidFuzz's, which is
    jiwer's. Words are what white space separates. Both sides empty is no error; with an empty
    reference each hypothesis word is an insertion.

    Parameters
    ----------
    references, hypotheses : sequence of str, length n
        Normalised texts.
    characters : bool
        Whether to count character errors as well; words are then joined by single spaces.

    Returns
    -------
    array, shape (n, K)
        Counts in the order of `COLUMNS` and, if asked for, `CHARACTER_COLUMNS`.

    Examples
    --------
    >>> counts = count(["the cat sat"], ["a cat"], characters=False)
    >>> dict(zip(COLUMNS, counts[0].tolist()))["substitutions"]
    1.0
    """
    rows: list[tuple[int, int, int, int]] = []
    texts: list[tuple[int, int]] = []
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        spoken, heard = reference.split(), hypothesis.split()
        rows.append(_errors(spoken, heard))
        if characters:
            texts.append(_character_errors(" ".join(spoken), " ".join(heard)))
    words = np.array(rows, dtype=float).reshape(-1, 4)
    counts = np.column_stack([np.ones(len(words)), words, _utterances(words)])
    if characters:
        return np.column_stack([counts, np.array(texts, dtype=float).reshape(-1, 2)])
    return counts


def _errors(spoken: list[str], heard: list[str]) -> tuple[int, int, int, int]:
    """Hits, substitutions, deletions and insertions of one utterance."""
    if spoken == heard:
        return len(spoken), 0, 0, 0
    edits = editops(spoken, heard).as_list()
    substitutions = 0
    for edit in edits:
        if edit[0] == "replace":
            substitutions += 1
    # D + I and D - I are known, so D is half their sum.
    deletions = (len(edits) - substitutions + len(spoken) - len(heard)) // 2
    insertions = len(edits) - substitutions - deletions
    return len(spoken) - substitutions - deletions, substitutions, deletions, insertions


def _character_errors(spoken: str, heard: str) -> tuple[int, int]:
    """Edits between two texts, and the length of the first."""
    return (0 if spoken == heard else distance(spoken, heard)), len(spoken)


def _utterances(words: Array) -> Array:
    """Wrong, over half, scored and own WER of each utterance, from H, S, D, I: shape (n, 4)."""
    errors = words[:, 1:].sum(axis=1)
    length = words[:, :3].sum(axis=1)
    scored = length > 0
    own = errors / np.maximum(length, 1) * scored
    return np.column_stack([errors > 0, errors > length / 2, scored, own])
