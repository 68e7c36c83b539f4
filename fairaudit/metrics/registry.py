"""What a metric is, and the registry that every metric enters under its own name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from fairaudit.arrays import Array

Formula = Callable[[Any], Any]

#: Where a metric's values may lie, which decides the scale of its intervals.
#: ``proportion``: a share of records, [0, 1], binomial when records are independent;
#: ``bounded``: in [0, 1], but not a share of records; ``rate``: zero or more, no upper bound;
#: ``change``: a difference of rates; ``amount``: zero or more, in units of the data's own, whose
#: variance does not follow from the value; ``real``: anything, likewise.
Range = Literal["proportion", "bounded", "rate", "change", "amount", "real"]
#: Least and largest possible value of each range.
LIMITS: dict[str, tuple[float, float]] = {
    "proportion": (0.0, 1.0),
    "bounded": (0.0, 1.0),
    "rate": (0.0, math.inf),
    "amount": (0.0, math.inf),
    "change": (-math.inf, math.inf),
    "real": (-math.inf, math.inf),
}
#: What `Metric.n` counts where the rarer of two labels limits what is known.
RARER = "records of the rarer label"
#: Which values are better, if any.
Direction = Literal["lower", "higher"] | None


def trial_variance(range: Range, value: Array) -> Array:
    """Variance of a single trial where the metric has this value: Poisson's, or Bernoulli's.

    1 for amounts, whose trials have whatever unit the data have.
    """
    if own_variance(range):
        return np.ones_like(value)
    return np.abs(value) if range in ("rate", "change") else value * (1 - value)


def own_variance(range: Range) -> bool:
    """Whether the variance of a trial does not follow from the value."""
    return range in ("amount", "real")


class Counts(Mapping[str, Any]):
    """Named counts, read as attributes: ``c.hits`` or ``c["hits"]``.

    Parameters
    ----------
    columns : sequence of str
        K names.
    values : array, shape (..., K)
        Counts, the last axis in the order of `columns`.

    Examples
    --------
    >>> c = Counts.of(hits=6, substitutions=1)
    >>> float(c.hits + c.substitutions)
    7.0
    """

    def __init__(self, columns: Sequence[str], values: Array) -> None:
        self._index = {name: k for k, name in enumerate(columns)}
        self._values = values

    @classmethod
    def of(cls, **counts: float) -> Counts:
        """Make counts of a single group from keywords."""
        return cls(list(counts), np.array(list(counts.values()), dtype=float))

    def __getitem__(self, name: str) -> Any:
        return self._values[..., self._index[name]]

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)

    def family(self, name: str) -> list[Any]:
        """Counts of the columns ``{name}:...``, one for each class.

        >>> [float(n) for n in Counts.of(**{"hits:a": 3, "hits:b": 4, "records": 9}).family("hits")]
        [3.0, 4.0]
        """
        return [self[each] for each in self if each.startswith(f"{name}:")]


class _Recorder(Counts):
    """Counts that are all 1 and remember which of them were read."""

    def __init__(self, columns: Sequence[str]) -> None:
        super().__init__(columns, np.ones(len(columns)))
        self.read: dict[str, None] = {}

    def __getitem__(self, name: str) -> Any:
        self.read[name] = None
        return np.float64(1.0)


class _Before(Mapping[str, Any]):
    """The counts of the earlier run, under the names that formulas know."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def __getitem__(self, name: str) -> Any:
        return self._counts[BEFORE + name]

    def __getattr__(self, name: str) -> Any:
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return (name.removeprefix(BEFORE) for name in self._counts if name.startswith(BEFORE))

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(frozen=True)
class Metric:
    """A function of summed counts, and what must be known to judge and to print it.

    Attributes
    ----------
    name : str
        The field's name, as in the audit file.
    label : str
        Short heading for tables.
    formula : callable
        Summed `Counts` to value; elementwise over leading axes.
    denominator : callable
        Summed `Counts` to the metric's `n`.
    counted : str
        What `n` counts, in the plural.
    direction : {"lower", "higher"} or None
        Which values are better, None where neither is.
    range : Range
        Where values may lie.
    unit : str
        What is counted per what.
    source : str
        Where the definition comes from.
    scale : {"percent", "number"}
        Whether values are printed as shares or as they are.
    parity : str or None
        What the field calls equality of this metric: ``demographic_parity`` has a
        ``demographic_parity_difference``.
    per_cluster : callable, optional
        For a mean over clusters: cluster's summed counts to the two columns
        ``{name}`` and ``{name}_clusters`` that `formula` then divides.
    """

    name: str
    label: str
    formula: Formula
    denominator: Formula
    counted: str
    direction: Direction
    range: Range
    unit: str
    source: str
    scale: Literal["percent", "number"] = "percent"
    parity: str | None = None
    per_cluster: Formula | None = None

    def reads(self, columns: Sequence[str] = ()) -> tuple[str, ...]:
        """Names of the counts that the formula reads, given those that there are.

        Only for metrics of classes does it matter which there are.

        >>> METRICS["cer"].reads()
        ('character_errors', 'characters')
        """
        counts = _Recorder(columns)
        with np.errstate(divide="ignore", invalid="ignore"):
            self.formula(counts)
        return tuple(counts.read)

    @property
    def before(self) -> Metric:
        """The same metric of the earlier run, whose counts are named `BEFORE` and the name.

        >>> METRICS["cer"].before.reads()
        ('before:character_errors', 'before:characters')
        """
        return replace(
            self,
            formula=lambda c: self.formula(_Before(c)),
            denominator=lambda c: self.denominator(_Before(c)),
        )

    @property
    def scarce(self) -> bool:
        """Whether the degrees of freedom are those of n, not of all units."""
        return self.counted == RARER

    def value(self, columns: Sequence[str], sums: Array) -> Array:
        """Evaluate at sums of shape (..., K); undefined values are nan, never 0.

        >>> WER = METRICS["wer"]
        >>> columns = ["hits", "substitutions", "deletions", "insertions"]
        >>> WER.value(columns, np.array([[6, 1, 1, 0], [0, 0, 0, 3]])).tolist()
        [0.25, nan]
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.asarray(self.formula(Counts(columns, np.asarray(sums, dtype=float))))
        return np.where(np.isfinite(value), value, np.nan)

    def gradient(self, columns: Sequence[str], sums: Array) -> Array:
        """Differentiate at sums of shape (..., K), one partial derivative per column.

        By complex steps, exact to rounding: f'(x) = Im f(x + ih) / h (Squire & Trapp, "Using
        complex variables to estimate derivatives of real functions", SIAM Review 40(1), 1998).
        """
        point = np.asarray(sums, dtype=float)
        step = 1e-30
        shifted = point[..., None, :] + 1j * step * np.eye(point.shape[-1])
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.asarray(self.formula(Counts(columns, shifted)))
        slope = value.imag / step
        return np.where(np.isfinite(slope), slope, np.nan)

    def n(self, columns: Sequence[str], sums: Array) -> Array:
        """Evaluate the denominator at sums of shape (..., K)."""
        return np.asarray(self.denominator(Counts(columns, np.asarray(sums, dtype=float))))


#: In front of the names of counts of the run that another is compared with.
BEFORE = "before:"

METRICS: dict[str, Metric] = {}


def find_metric(text: str, known: Sequence[str]) -> str | None:
    """Name of the metric that is meant, by its name or its label whatever the case.

    >>> find_metric("wer", ["cer", "wer"]), find_metric("Sub", ["substitution_rate"])
    ('wer', 'substitution_rate')
    """
    if text in known:
        return text
    return next((n for n in known if METRICS[n].label.casefold() == text.casefold()), None)


def metric(
    label: str,
    *,
    denominator: Formula,
    counted: str,
    unit: str,
    source: str,
    range: Range,
    direction: Direction = "lower",
    scale: Literal["percent", "number"] = "percent",
    parity: str | None = None,
    per_cluster: Formula | None = None,
) -> Callable[[Formula], Formula]:
    """Register the decorated formula under its own name."""

    def register(formula: Formula) -> Formula:
        name = formula.__name__
        METRICS[name] = Metric(
            name, label, formula, denominator, counted, direction, range, unit, source, scale,
            parity, per_cluster,
        )  # fmt: skip
        return formula

    return register
