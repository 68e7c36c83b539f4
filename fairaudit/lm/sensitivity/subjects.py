"""What is audited: a classifier of texts or of tables, its measures record by record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError, nearest
from fairaudit.lm.sensitivity import stored
from fairaudit.lm.sensitivity.baseline import CrossFitted
from fairaudit.lm.sensitivity.columns import cells_of, few, kind_of
from fairaudit.lm.sensitivity.encoder import EncoderProbe
from fairaudit.lm.sensitivity.measured import Measured, Probe
from fairaudit.lm.sensitivity.options import Options
from fairaudit.lm.sensitivity.probes import text_probe
from fairaudit.lm.sensitivity.reading import Reader
from fairaudit.lm.sensitivity.tabular import TabularProbe
from fairaudit.lm.swap import Swapper
from fairaudit.lm.swap.files import read_lexicon
from fairaudit.metrics import CHANGED_VALUE, SENSITIVITY
from fairaudit.table import Batch, Table

_COLUMNS = ("records", "sensitivity")
_REVERSED = ("changed", "counterfactual_distance", "flips")
_CAVEAT = (
    "Prediction sensitivity has a scale of the model's own, and falls as predictions become "
    "certain: compare groups within one model, not the figures of two models."
)


def subject_of(options: Options, reader: Reader, seed: int) -> OfTexts | OfTable:
    """What is audited: a model, or the baseline that is trained here.

    Raises
    ------
    FairauditError
        If it cannot be read, trained, or measured on these records.
    """
    if not options.in_file:
        return OfTexts(options, reader, seed, None)
    model = stored.load(str(options.model))
    steps = [step for _, step in getattr(model, "steps", [])]
    if options.text is not None:
        return OfTexts(options, reader, seed, model)
    if steps and hasattr(steps[0], "build_analyzer"):
        raise FairauditError(f"--text: {options.model} reads texts: name their column.")
    return OfTable(options, reader, model)


class OfTexts:
    """Sensitivity of a classifier of texts, and its predictions where roles are reversed.

    Attributes
    ----------
    columns : sequence of str
        What is counted of each record.
    metrics : sequence of str
    classes : tuple of str
        Labels, in the order of the probabilities.
    settings : dict
        For the audit's signature.
    """

    columns: Sequence[str] = _COLUMNS + _REVERSED
    metrics: Sequence[str] = SENSITIVITY

    def __init__(self, options: Options, reader: Reader, seed: int, model: Any) -> None:
        self.options, self._reader, self._text = options, reader, str(options.text)
        self._kind = options.source(reader.table)
        lexicon = read_lexicon(options.swap_list, options.names)
        self._swapper = Swapper(lexicon)
        self._measured = self._changed = self._truncated = self._without = self._zero = 0
        self._made = text_probe(options, reader, lexicon, seed, model)
        self._probe, self._is_listed = self._made.probe, self._made.is_listed
        self.classes = self._probe.classes
        self.settings = self._settings()

    def _settings(self) -> dict[str, Any]:
        given, name, lexicon = self.options, self._probe.name, self._swapper.lexicon
        own = given.swap_list is not None or given.names is not None
        return {
            "model": name[:16] if given.neural and given.encoder is None else name,
            "class": given.target,
            "protected": self._made.protected,
            "form": self._made.form,
            "over": None if given.neural else "present",
            "normalize": given.normalize,
            "swap": f"{lexicon.attribute} {lexicon.digest}" if own else lexicon.attribute,
        }

    def measure(self, batch: Batch) -> tuple[Measured, Array]:
        """What the model says of some records, and their counts, shape (n, 5)."""
        texts = [str(cell) for cell in batch.labels[self._text]]
        found = self._probe.measure(texts, self._reader.gold(batch, self.classes))
        reversed_ = self._reversed(texts, found.probabilities)
        self._measured += len(texts)
        self._changed += int(reversed_[:, 0].sum())
        self._truncated += int(found.truncated.sum())
        if self._is_listed is not None:
            self._without += sum(not self._is_listed(text) for text in texts)
        self._zero += int(np.count_nonzero(found.sensitivity == 0))
        return found, np.column_stack([np.ones(len(texts)), found.sensitivity, reversed_])

    def _reversed(self, texts: Sequence[str], probabilities: Array) -> Array:
        """Whether reversal changes each text, and how its prediction moves and flips: (n, 3)."""
        counts = np.zeros((len(texts), len(_REVERSED)))
        other = [self._swapper.swap(text) for text in texts]
        changed = [i for i, text in enumerate(texts) if other[i] != text]
        if changed:
            pairs = [[each[i] for i in changed] for each in (texts, other)]
            before, after = probabilities[changed], _predict_reversed(self._probe, *pairs)
            counts[changed, 0] = 1
            # Rounding must not carry a share over 1.
            counts[changed, 1] = np.minimum(np.abs(before - after).sum(axis=1) / 2, 1)
            counts[changed, 2] = before.argmax(axis=1) != after.argmax(axis=1)
        return counts

    def notes(self) -> Iterator[str]:
        """What a reader must know of the model and of what it could read."""
        yield from self._made.notes
        yield _CAVEAT
        if self._kind in ("column", "folder") and self.options.normalize:
            yield (
                "The weights of each text are divided by their sum, so a text that says little "
                "about the attribute counts like one that says much; --no-normalize tells them "
                "apart."
            )
        yield self._said_of_reversal()
        if self._truncated:
            yield (
                f"Of {_texts(self._truncated)} only the beginning was read: the model reads no "
                "more at once. --window reads all."
            )
        if self._without or self._zero:
            yield self._said_of_zeros()

    def _said_of_zeros(self) -> str:
        whole = _texts(self._measured)
        if self._is_listed is not None:
            return (
                f"No listed word stands in {self._without:,} of {whole}; the sensitivity of "
                f"{_texts(self._zero)} is 0."
            )
        return (
            f"The sensitivity of {self._zero:,} of {whole} is 0, which counts in the mean: the "
            "model knows none of their words, or none moves it."
        )

    def _said_of_reversal(self) -> str:
        words, whole = f"{self._swapper.lexicon.attribute} words", _texts(self._measured)
        if not self._changed:
            return f"Role reversal of {words} changes none of {whole}, so CF figures are undefined."
        return (
            f"Role reversal of {words} changes {self._changed:,} of {whole}; CF change and CF "
            "flips are of these."
        )


class OfTable:
    """Sensitivity of a classifier of tables to one of their columns.

    Attributes
    ----------
    columns, metrics, classes, settings
        As those of `OfTexts`. A derivative and a change of value are metrics of their own: they
        have other units, and may not be compared.
    """

    def __init__(self, options: Options, reader: Reader, model: Any) -> None:
        _refuse_for_tables(options)
        self.options, self._reader = options, reader
        self._names = _features(model, options, reader.table)
        reader.required[options.protected] = f"no {options.protected}"
        reader.further = self._names
        observed = self._observed()
        self._probe = TabularProbe(
            model,
            options.protected,
            observed,
            options.weighting,
            name=stored.name(model, str(options.model)),
        )
        self.classes = self._probe.classes
        self.settings: dict[str, Any] = {
            "model": self._probe.name,
            "protected": f"column {options.protected}",
            "measure": self._probe.kind,
        }
        self.columns, self.metrics = _COLUMNS, SENSITIVITY[:1]
        self._moves = False
        if self._probe.kind == "changed_value":
            options.refuse(
                ["--weighting"],
                f"is for derivatives; here the value of {options.protected} is changed, and all "
                "classes count: leave it out.",
            )
            self.columns, self.metrics = ("records", "value_distance"), [CHANGED_VALUE]
            self.settings["weighting"] = None

    def _observed(self) -> dict[str, Array]:
        """The columns of all records, read by what is in them."""
        found = map(self._reader.present, self._reader.columns(*self._names))
        cells = dict(zip(self._names, found, strict=True))
        table = self._reader.table
        self._cells = {name: cells_of(table, name, column) for name, column in cells.items()}
        observed = {name: self._cells[name].read(column) for name, column in cells.items()}
        self._check_values(observed)
        return observed

    def _check_values(self, observed: Mapping[str, Array]) -> None:
        column = self.options.protected
        if len(values := np.unique(observed[column])) < 2:
            raise FairauditError(
                f"--protected {column}: the column holds only '{values[0]}'; there is nothing to "
                "change it to."
            )

    def measure(self, batch: Batch) -> tuple[Measured, Array]:
        """What the model says of some records, and their counts, shape (n, 2)."""
        records = {
            name: cells.read(self._reader.present(batch.labels[name]))
            for name, cells in self._cells.items()
        }
        found = self._probe.measure(records, self._reader.gold(batch, self.classes))
        self._moves |= bool(found.sensitivity.any())
        return found, np.column_stack([np.ones(len(batch.keep)), found.sensitivity])

    def notes(self) -> Iterator[str]:
        """What was measured."""
        column = self.options.protected
        if self._probe.kind == "changed_value":
            others = "each other value" if self._probe.complete else "up to 20 other values"
            yield (
                f"Value change is the mean total variation between a record's prediction and those "
                f"with {others} of {column}, all else equal: from 0 to 100 percent."
            )
        else:
            yield (
                f"Sensitivity is the change of the probability per unit of {column}, all else "
                "equal."
            )
            yield _CAVEAT
        if not self._moves:
            yield self._said_of_no_move()

    def _said_of_no_move(self) -> str:
        column, values = self.options.protected, self._probe.values
        return (
            f"No prediction moves with {column}: the model makes no use of it, or does not know "
            f"its values, which were read as {kind_of(values)}: {few(values.tolist())}."
        )


def _refuse_for_tables(options: Options) -> None:
    """Refuse what only models of texts take: it would be ignored."""
    for option, given in (
        ("--swap-list", options.swap_list is not None),
        ("--names", options.names is not None),
        ("--explain", options.explain),
        ("--normalize", "--normalize" in options.asked),
    ):
        if given:
            raise FairauditError(f"{option} is for models of texts; {options.model} reads a table.")


def _features(model: Any, options: Options, table: Table) -> list[str]:
    """Columns that a model of tables reads."""
    if not hasattr(model, "feature_names_in_"):
        raise FairauditError(
            f"{options.model}: does not say which columns it reads. Fit it on a data frame, or, "
            "if it reads texts, name their column: --text."
        )
    names = [str(name) for name in model.feature_names_in_]
    _check_there(names, table)
    if options.protected not in names:
        raise FairauditError(
            f"--protected {options.protected}: the model does not read this column, so it cannot "
            f"be sensitive to it. It reads: {', '.join(names)}."
        )
    return names


def _check_there(names: Sequence[str], table: Table) -> None:
    for name in names:
        if name not in table.names:
            raise FairauditError(
                f"{table.name}: no column '{name}', which the model reads. "
                f"{nearest(name, table.names)}"
            )
        table.column(name)


def _predict_reversed(probe: Probe, texts: Sequence[str], reversed_: Sequence[str]) -> Array:
    """Probabilities of reversed texts, by the same model that measured the texts."""
    if isinstance(probe, CrossFitted | EncoderProbe):
        return probe.predict_as(texts, reversed_)
    return probe.predict(reversed_)


def _texts(count: int) -> str:
    return f"{count:,} text{'s' * (count != 1)}"
