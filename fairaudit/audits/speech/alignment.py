"""Counting word errors: a batch of references and hypotheses in, an array of counts out.

This is the seam behind which counting stands: a compiled kernel with the same rule can take the
place of `count` and nothing else would notice.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
from rapidfuzz.distance.Levenshtein import distance, editops

from fairaudit.arrays import Array

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
    words = _words(references, hypotheses)
    counts = np.column_stack([np.ones(len(words)), words, _utterances(words)])
    if characters:
        return np.column_stack([counts, _characters(references, hypotheses)])
    return counts


def _words(references: Sequence[str], hypotheses: Sequence[str]) -> Array:
    """Hits, substitutions, deletions and insertions of each utterance, shape (n, 4)."""
    rows = []
    pairs = zip(map(str.split, references), map(str.split, hypotheses), strict=True)
    for spoken, heard in pairs:
        length = len(spoken)
        if spoken == heard:
            rows.append((length, 0, 0, 0))
            continue
        edits = editops(spoken, heard)
        surplus = length - len(heard)  # D - I
        # S + 2 min(D, I) = edits - |D - I|: up to 1 it is S, without a look at the edits.
        substitutions = len(edits) - abs(surplus)
        if substitutions > 1:
            substitutions = [kind for kind, _, _ in edits.as_list()].count("replace")
        deletions = (len(edits) - substitutions + surplus) // 2
        insertions = deletions - surplus
        rows.append((length - substitutions - deletions, substitutions, deletions, insertions))
    return np.fromiter(chain.from_iterable(rows), float, 4 * len(rows)).reshape(-1, 4)


def _characters(references: Sequence[str], hypotheses: Sequence[str]) -> Array:
    """Edits between the texts, and characters of the reference, shape (n, 2)."""
    rows = []
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        spoken = " ".join(reference.split())
        heard = spoken if reference == hypothesis else " ".join(hypothesis.split())
        rows.append((0 if spoken == heard else distance(spoken, heard), len(spoken)))
    return np.array(rows, dtype=float).reshape(-1, 2)


def _utterances(words: Array) -> Array:
    """Wrong, over half, scored and own WER of each utterance, from H, S, D, I: shape (n, 4)."""
    errors = words[:, 1:].sum(axis=1)
    length = words[:, :3].sum(axis=1)
    scored = length > 0
    own = errors / np.maximum(length, 1) * scored
    return np.column_stack([errors > 0, errors > length / 2, scored, own])
