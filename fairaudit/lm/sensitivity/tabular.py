"""Sensitivity of classifiers of tables to one of their columns, whatever the classifier.

Two measures, which are not the same and are never mixed: the *derivative* with respect to a
column of numbers, and the *change* of the prediction when the column's value is exchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError, nearest
from fairaudit.lm.checkpoints import first_line
from fairaudit.lm.sensitivity.columns import how_read
from fairaudit.lm.sensitivity.linear import class_weights
from fairaudit.lm.sensitivity.measured import Measured, Weighting

#: A table: arrays of one length, by column.
Records = Mapping[str, Array]
Kind = Literal["derivative", "changed_value"]
#: A step of the difference quotient, in standard deviations of the column. Larger than double
#: precision asks for: many models compute in single precision.
_STEP = 1e-3
#: How many values of a column of numbers stand for all.
_VALUES = 20
#: Records on which it is tried whether a model is a step function.
_TRIED = 200
#: A change of the probabilities that is one.
_CHANGE = 1e-6
#: How far the derivatives by a step and by half of it may be apart, in probability per standard
#: deviation and relative to the derivative. At a jump the second is twice the first.
_APART = (1e-3, 0.2)


class TabularProbe:
    """Sensitivity of a model's predictions to one column of a table, everything else equal.

    ``derivative``
        P = sum_k w_k abs(d f_k / d column): accumulated prediction sensitivity (Krishna et al.,
        ACL 2022) with v one-hot on the column. Central differences; one-sided where the step
        would leave the range of observed values. In probability per unit of the column.
    ``changed_value``
        The mean total variation sum_k abs(f_k(x) - f_k(x')) / 2 between the prediction and that
        at each other observed value of the column: between 0 and 1, without class weights. Of a
        column of numbers at most 20 observed values stand for all, at equal steps of rank.

    Trees and other step functions have the derivative 0 almost everywhere, however much they use
    the column; they are measured by the changed value.

    Parameters
    ----------
    model : scikit-learn estimator
        Fitted, with `predict_proba`; a pipeline reads the raw columns.
    column : str
        The protected attribute.
    observed : mapping of str to array, shape (n,)
        The table, from which the column's values and scale are taken. If the model was fitted
        on an array without column names, exactly its columns, in its order.
    weighting : {"predicted", "gold", "uniform"}
        Which classes count in the derivative.
    kind : {"derivative", "changed_value"}, optional
        By default the derivative for numbers with more than two values, unless the model turns
        out to be a step function of them or takes no value between them.
    name : str, optional
        What the model is called in an audit's settings; its kind by default.

    Attributes
    ----------
    kind : str
        The measure that was chosen.
    values : array
        Values of the column that are put in each other's place.
    complete : bool
        Whether these are all that were observed.

    Raises
    ------
    FairauditError
        If the table lacks a column, the column has fewer than two values, or the derivative is
        asked for where there is none.
    """

    def __init__(
        self,
        model: Any,
        column: str,
        observed: Records,
        weighting: Weighting = "predicted",
        kind: Kind | None = None,
        *,
        name: str = "",
    ) -> None:
        if column not in observed:
            raise FairauditError(f"no column '{column}'. {nearest(column, observed)}")
        self._model, self.column, self._weighting = model, column, weighting
        self.name = name or type(model).__name__
        self.classes = tuple(str(label) for label in np.asarray(model.classes_).tolist())
        known = _distinct(observed[column])
        if len(known) < 2:
            raise FairauditError(
                f"column '{column}' has {len(known)} value: there is nothing to change it to"
            )
        numeric = _is_numeric(known)
        self.values = known[_spaced(len(known))] if numeric else known
        self.complete = len(self.values) == len(known)
        if numeric:
            self._low, self._high = float(known[0]), float(known[-1])
            self._scale = float(np.nanstd(np.asarray(observed[column], dtype=float)))
        self.kind = self._choose(kind, numeric, len(known), observed)

    def predict(self, records: Records) -> Array:
        """Probabilities of records, shape (n, K).

        Raises
        ------
        FairauditError
            If a column is absent or the model does not take what a column holds.
        """
        table = _table(self._model, records)
        try:
            return np.asarray(self._model.predict_proba(table), dtype=float)
        except (TypeError, ValueError) as error:
            raise FairauditError(
                f"--model: {self.name} cannot read the records: {first_line(error)} Columns were "
                f"read as {how_read(records)}. If the model knows other types, give a Parquet "
                "file, which keeps them."
            ) from None

    def measure(self, records: Records, gold: Sequence[int] | Array | None = None) -> Measured:
        """Probabilities of records, and the sensitivity to the column; nan where it is missing."""
        probabilities = self.predict(records)
        if self.kind == "derivative":
            weights = class_weights(probabilities, self._weighting, gold)
            sensitivity = (weights * np.abs(self._derivative(records))).sum(axis=1)
        else:
            sensitivity = self._changed(records, probabilities)
        n = len(probabilities)
        return Measured(probabilities, sensitivity, [[] for _ in range(n)], np.zeros(n, dtype=bool))

    def _derivative(self, records: Records, step: float = _STEP) -> Array:
        """Derivative of each class's probability, shape (n, K); nan where the value is."""
        x = np.asarray(records[self.column], dtype=float)
        below, above = x - step * self._scale, x + step * self._scale
        below = np.where((below < self._low) & (x >= self._low), x, below)
        above = np.where((above > self._high) & (x <= self._high), x, above)
        rise = self._predict_at(records, above) - self._predict_at(records, below)
        return rise / (above - below)[:, None]

    def _changed(self, records: Records, probabilities: Array) -> Array:
        """Mean total variation to the predictions at the other values, shape (n,)."""
        own = np.asarray(records[self.column])
        total, others = np.zeros(len(own)), np.zeros(len(own))
        for value in self.values:
            other = np.asarray(own != value)
            moved = self._predict_at(records, np.full(len(own), value, dtype=self.values.dtype))
            total += np.where(other, np.abs(moved - probabilities).sum(axis=1) / 2, 0.0)
            others += other
        return np.where(_missing(own), np.nan, total / others)

    def _predict_at(self, records: Records, values: Array) -> Array:
        return self.predict({**records, self.column: values})

    def _choose(self, kind: Kind | None, numeric: bool, count: int, observed: Records) -> Kind:
        if kind == "changed_value" or (kind is None and (not numeric or count == 2)):
            return "changed_value"
        if not numeric:
            raise FairauditError(f"column '{self.column}' holds no numbers: it has no derivative")
        problem = self._no_derivative(observed)
        if problem and kind == "derivative":
            raise FairauditError(f"--model: {self.name} {problem}; measure the changed value")
        return "changed_value" if problem else "derivative"

    def _no_derivative(self, observed: Records) -> str:
        """Why the derivative says nothing about the model; empty if it does."""
        some = _sample(observed, self.column)
        probabilities = self.predict(some)
        try:
            slope, half = (self._derivative(some, _STEP / part) for part in (1, 2))
        except FairauditError:
            return f"takes no value of '{self.column}' between those observed"
        moves = self._changed(some, probabilities) > _CHANGE
        least, relative = _APART[0] / self._scale, _APART[1] * np.abs(slope)
        jumps = (np.abs(slope - half) > least + relative).any(axis=1)
        flat = (slope == 0).all(axis=1)
        if moves.any() and (flat | jumps)[moves].mean() > 0.5:
            return f"is a step function of '{self.column}', with the derivative 0 almost everywhere"
        return ""


def _table(model: Any, records: Records) -> Any:
    """What the model reads: a data frame if it was fitted on named columns, or else an array."""
    if not hasattr(model, "feature_names_in_"):
        return np.column_stack([np.asarray(column) for column in records.values()])
    import pandas as pd

    names = [str(name) for name in model.feature_names_in_]
    absent = [name for name in names if name not in records]
    if absent:
        raise FairauditError(
            f"the model reads a column '{absent[0]}'. {nearest(absent[0], records)}"
        )
    return pd.DataFrame({name: np.asarray(records[name]) for name in names})


def _missing(values: Array) -> Array:
    """Which values are None or nan, of any kind of array."""
    if values.dtype.kind == "f":
        return np.isnan(values)
    return np.array([value is None or value != value for value in values.tolist()], dtype=bool)


def _distinct(values: Array) -> Array:
    """Values of a column in order, each once, without what is missing."""
    array = np.asarray(values)
    return np.unique(array[~_missing(array)])


def _is_numeric(values: Array) -> bool:
    return values.dtype.kind in "iuf"


def _spaced(count: int) -> Array:
    """Places of at most 20 of so many values, at equal steps from the first to the last."""
    return np.unique(np.linspace(0, count - 1, min(count, _VALUES)).round().astype(int))


def _sample(records: Records, column: str) -> dict[str, Array]:
    """Up to 200 records over the whole table that have a value in the column."""
    present = np.flatnonzero(~_missing(np.asarray(records[column])))
    places = present[np.linspace(0, len(present) - 1, min(len(present), _TRIED)).astype(int)]
    return {name: np.asarray(values)[places] for name, values in records.items()}
