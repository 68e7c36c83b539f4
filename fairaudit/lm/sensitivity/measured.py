"""Accumulated prediction sensitivity: how it adds up, and what a probe says of each record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from fairaudit.arrays import Array

#: Which classes count: the predicted one, the gold one, or each by 1 / K.
Weighting = Literal["predicted", "gold", "uniform"]
#: How the components of a token's vectors are joined: one by one, or by their norms.
Form = Literal["elementwise", "token"]


@dataclass(frozen=True)
class Measured:
    """One batch of records: what the model said of each, and how sensitive that is.

    Attributes
    ----------
    probabilities : array of float, shape (n, K)
        Of each class, in the order of `Probe.classes`.
    sensitivity : array of float, shape (n,)
        Accumulated prediction sensitivity of each record.
    tokens : sequence of sequence of (str, float)
        Of each record, the text of its tokens in their order, or else the names of its features,
        and the share of `sensitivity` that each adds; may be empty.
    truncated : array of bool, shape (n,)
        Whether a text was longer than the model's context, so that its end was not read.
    """

    probabilities: Array
    sensitivity: Array
    tokens: Sequence[Sequence[tuple[str, float]]]
    truncated: Array


class Probe(Protocol):
    """A task model and a measure of what its inputs say about the protected attribute."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Labels of the task model, in the order of its probabilities."""
        ...

    @property
    def name(self) -> str:
        """What names the model in an audit's settings: a digest of its files, or its kind."""
        ...

    def measure(self, texts: Sequence[str], gold: Sequence[int] | None) -> Measured:
        """Probabilities and sensitivity of texts; `gold` are places in `classes`."""
        ...

    def predict(self, texts: Sequence[str]) -> Array:
        """Probabilities alone, shape (n, K)."""
        ...


def accumulate(
    gradients: Any,
    protected: Any,
    weights: Any,
    form: Form = "elementwise",
    normalize: bool = False,
) -> Any:
    """Accumulated prediction sensitivity, by what each token or feature adds to it.

    With the gradients G of the K class probabilities, and the gradients H of the probability of
    the protected attribute, both by the m components of n tokens, a record's sensitivity is

        elementwise:  P = sum_k w_k sum_ij |G_kij| |H_ij|
        token:        P = sum_k w_k sum_i  ||G_ki||_2 ||H_i||_2

    In place of H, or of its norms, there may be a weight v_i of each token: 1 where it is about
    the attribute, and 0 elsewhere. A feature of a table is a token of one component. P is linear
    in the classes: what is computed class by class adds up.

    Parameters
    ----------
    gradients : array or tensor, shape (..., K, n, m)
        G.
    protected : array or tensor, shape (..., n, m) or (..., n)
        H, or v.
    weights : array or tensor, shape (K,) or (..., K)
        w: of the class of interest 1, or 1 / K of each.
    form : {"elementwise", "token"}
        Which of the two sums. H of another model's embeddings has norms that can be compared
        with these, but its components mean something else: they need "token".
    normalize : bool
        Divide H or v (in the token form, the norms of H) by their sum over the record, so that P
        is a weighted mean of |G|, whatever the scale of H, and no sum that grows with the number
        of tokens. |G| itself tends to fall with that number, so lengths still do not wholly
        compare. Where that sum is zero, P is zero.

    Returns
    -------
    array or tensor, shape (..., n)
        Shares of P; their sum is P.

    Notes
    -----
    A reconstruction of P = w' |J| v of Krishna et al. 2022, "Measuring Fairness of Text
    Classifiers via Prediction Sensitivity" (ACL), from its published summary.

    Examples
    --------
    A model sigmoid(a.x) and a protected attribute of probability sigmoid(b.x), at one x: the
    slopes are y (1 - y) a = 0.2475 a with y = 0.4502, and p (1 - p) b = 0.2217 b with p = 0.6682.

    >>> import numpy as np
    >>> a, b, x = np.array([[1, -2, 0.5], [0, 3, -1], [0.2, 0.1, -0.4]])
    >>> y, p = 1 / (1 + np.exp(-a @ x)), 1 / (1 + np.exp(-b @ x))
    >>> slope, protected = y * (1 - y) * a, p * (1 - p) * b
    >>> shares = accumulate(slope.reshape(1, 3, 1), protected[:, None], np.ones(1))
    >>> shares.round(7).tolist(), float(shares.sum().round(7))
    ([0.0, 0.3292657, 0.0274388], 0.3567045)

    The same model as a softmax of two classes, each weighed by a half:

    >>> both = np.stack([-slope, slope]).reshape(2, 3, 1)
    >>> float(accumulate(both, protected[:, None], np.full(2, 0.5)).sum().round(7))
    0.3567045
    """
    slopes = _joined(abs(gradients), form)
    features = _features(gradients, protected, form)
    shares = ((weights[..., None, None] * slopes).sum(-3) * features).sum(-1)
    if not normalize:
        return shares
    total = mass(gradients, protected, form)
    return shares / (total + (total == 0))[..., None]


def mass(gradients: Any, protected: Any, form: Form) -> Any:
    """Sum of v over a record, by which `accumulate` divides to normalise, shape (...).

    In the elementwise form, a token's weight counts for each of its components.

    >>> import numpy as np
    >>> mass(np.ones((2, 3, 4)), np.array([0.0, 1.0, 1.0]), "elementwise").tolist()
    8.0
    """
    features = _features(gradients, protected, form)
    components = 1 if form == "token" else gradients.shape[-1]
    return features.sum(-1).sum(-1) * (components / features.shape[-1])


def _features(gradients: Any, protected: Any, form: Form) -> Any:
    """V of each token, shape (..., n, 1), or of each of its components, (..., n, m)."""
    if protected.ndim == gradients.ndim - 2:
        return abs(protected)[..., None]
    if protected.ndim != gradients.ndim - 1:
        raise ValueError(f"protected: {protected.ndim} axes beside {gradients.ndim} of gradients")
    return _joined(abs(protected), form)


def _joined(sizes: Any, form: Form) -> Any:
    """Components one by one, or their norm in their place."""
    return sizes if form == "elementwise" else ((sizes**2).sum(-1) ** 0.5)[..., None]
