"""Any text against its role reversal: which of the two the model expects."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.lm.language_models import LanguageModel
from fairaudit.lm.likelihood.probes import Probe, Rows, read_lines, stacked
from fairaudit.lm.likelihood.scoring import log_likelihoods
from fairaudit.lm.swap import Lexicon, Swapper
from fairaudit.metrics.likelihood import ROLES
from fairaudit.table import Table, Workspace

#: The column of texts of a text file.
_LINES = "text"


class Roles(Probe):
    """Texts and their role reversals.

    Perplexity is per word, of a causal model by likelihood, of a masked one by
    pseudo-likelihood. Words are what is between blanks in the text as it stands.

    Parameters
    ----------
    source : path, pattern, sequence of paths or data frame
    column : str, optional
        Column of texts; None for text files, in which each line is a text.
    words : str, Path or Lexicon, optional
        Word list for role reversal (TOML); gender by default.
    """

    name = "roles"
    form = "a table with --text COLUMN, or a text file with a text in each line"
    metrics = ROLES
    columns = ("records", "words", "loss", "changed_words", "changed_loss", "reversed_loss")
    window = True

    def __init__(
        self,
        source: Any,
        column: str | None = None,
        words: str | Path | Lexicon | None = None,
    ) -> None:
        self._source, self._column = source, column
        given = words if isinstance(words, Lexicon) or words is None else Lexicon.read(words)
        self.lexicon = given or Lexicon.default()
        self._swap = Swapper(self.lexicon).swap
        self._own = words is not None
        self.fields = self.scored = (column or _LINES,)
        self._changed = self._used = 0
        self._masked = False

    def open(self, workspace: Workspace) -> Table:
        """Read the data as a table."""
        if self._column is not None:
            table = workspace.open(self._source)
            table.text(self._column)
            return table
        lines = chain.from_iterable(read_lines(path, self.form) for path in self._source)
        return workspace.open_rows({_LINES: list(lines)}, self._source)

    def measure(self, model: LanguageModel, rows: Rows) -> Array:
        """Counts of some records, shape (n, K)."""
        texts = list(rows[self.fields[0]])
        reversed_texts = [self._swap(text) for text in texts]
        self._masked = model.masked
        both = -log_likelihoods(model, [*texts, *reversed_texts])
        loss, other = both[: len(texts)], both[len(texts) :]
        words = np.array([len(text.split()) for text in texts])
        changed = np.array([a != b for a, b in zip(texts, reversed_texts, strict=True)], dtype=bool)
        self._used += len(texts)
        self._changed += int(changed.sum())
        counts = {
            "words": words,
            "loss": loss,
            "changed_words": np.where(changed, words, 0),
            "changed_loss": np.where(changed, loss, 0.0),
            "reversed_loss": np.where(changed, other, 0.0),
        }
        return stacked(self.columns, counts, len(texts))

    def settings(self) -> dict[str, Any]:
        """For the signature."""
        return {"text": self._column, "swap": self.lexicon.digest if self._own else None}

    def notes(self) -> Iterator[str]:
        """What a reader must know."""
        yield (
            f"Role reversal changes {self._changed:,} of {self._used:,} texts: the gap and both "
            "log perplexities are of these, perplexity is of all."
        )
        if self._masked:
            yield (
                "Of a masked model these are pseudo-perplexities, each token given all others "
                "(Salazar et al., ACL 2020): compare them with no causal model's."
            )
