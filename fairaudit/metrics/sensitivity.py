"""Metrics of how much a model's predictions move with a protected attribute.

Counts of one record: records (1); sensitivity (its accumulated prediction sensitivity P); changed
(1 where role reversal changes its text); counterfactual_distance (total variation between the
predictions of the text and of its reversal) and flips (1 where the predicted class differs), both
0 where the text does not change; value_distance (mean total variation between the prediction of a
record of a table and those with other values of the protected column).
"""

from __future__ import annotations

from typing import Any

from fairaudit.metrics.registry import Counts, metric

_KRISHNA = (
    "Krishna et al., Measuring Fairness of Text Classifiers via Prediction Sensitivity, ACL 2022"
)
_KUSNER = "Kusner et al., Counterfactual Fairness, NeurIPS 2017"
_GARG = "Garg et al., Counterfactual Fairness in Text Classification through Robustness, AIES 2019"


@metric(
    "sensitivity",
    denominator=lambda c: c.records,
    counted="records",
    unit="mean accumulated prediction sensitivity",
    range="amount",
    scale="number",
    source=_KRISHNA,
)
def prediction_sensitivity(c: Counts) -> Any:
    """Mean accumulated prediction sensitivity: sum of P over records.

    Its scale is the model's own: compare groups within one model, not the figures of two.

    Examples
    --------
    Two records with P = 0.25 and P = 0.5:

    >>> float(prediction_sensitivity(Counts.of(sensitivity=0.75, records=2)))
    0.375
    """
    return c.sensitivity / c.records


@metric(
    "CF change",
    denominator=lambda c: c.changed,
    counted="reversed texts",
    unit="mean total variation between a text and its reversal",
    range="bounded",
    source=f"{_GARG}, counterfactual token fairness; total variation over all classes",
)
def counterfactual_change(c: Counts) -> Any:
    """Mean total variation of the predictions under role reversal: sum_k abs(f_k - f_k') / 2.

    Of the records whose text role reversal changes; undefined where it changes none.

    Examples
    --------
    Of two classes, (0.75, 0.25) becomes (0.5, 0.5): (0.25 + 0.25) / 2 = 0.25. Another text does
    not move, and a third one has no word to reverse:

    >>> float(counterfactual_change(Counts.of(counterfactual_distance=0.25, changed=2, records=3)))
    0.125
    """
    return c.counterfactual_distance / c.changed


@metric(
    "CF flips",
    denominator=lambda c: c.changed,
    counted="reversed texts",
    unit="share of reversed texts whose predicted class changes",
    range="proportion",
    source=f"{_GARG}; share of predictions that are not counterfactually fair",
)
def counterfactual_flip_rate(c: Counts) -> Any:
    """Share of the records that role reversal changes whose predicted class changes with it.

    >>> float(counterfactual_flip_rate(Counts.of(flips=1, changed=4, records=9)))
    0.25
    """
    return c.flips / c.changed


@metric(
    "value change",
    denominator=lambda c: c.records,
    counted="records",
    unit="mean total variation when the protected value is changed",
    range="bounded",
    source=f"{_KUSNER}, for the notion; here the value alone is changed, all else equal, where "
    "theirs follows what the change causes",
)
def changed_value(c: Counts) -> Any:
    """Mean total variation of the predictions when the protected value alone is changed.

    Of each record the mean of sum_k abs(f_k - f_k') / 2 over the other values of its column;
    of a column of numbers, over up to 20 of them.

    Examples
    --------
    A record's (0.75, 0.25) becomes (0.5, 0.5) with one other value and stays with another, which
    makes (0.25 + 0) / 2 = 0.125; a second record does not move:

    >>> float(changed_value(Counts.of(value_distance=0.125, records=2)))
    0.0625
    """
    return c.value_distance / c.records


#: The metric of a model of tables that has no derivative by the protected column.
CHANGED_VALUE = "changed_value"
#: The metrics of an audit of sensitivity of texts, in the order in which they are reported.
SENSITIVITY = "prediction_sensitivity counterfactual_change counterfactual_flip_rate".split()
