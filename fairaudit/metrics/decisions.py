"""Metrics of decisions, scores, numbers and rankings.

Counts of one record, each times its weight (1 unless weights are given):

- weight itself; selected and correct;
- true_positives, false_positives, false_negatives, true_negatives: which of the four it is;
- of several classes ``true_positives:CLASS``, ``positives:CLASS`` and ``selected:CLASS``;
- score, squared_score_error; error, absolute_error, squared_error, label, squared_label of
  numbers; exposure of a ranking;
- ``NAME`` and ``NAME_n`` for a metric that is no function of sums: the record's pseudo-value and
  its weight, whose quotient is the value and whose spread is its sampling error.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fairaudit.metrics.registry import RARER, Counts, Direction, Formula, Range, metric

_HARDT = "Hardt, Price & Srebro, NeurIPS 2016"
_CHOULDECHOVA = "Chouldechova, Big Data 5(2), 2017"
_RATES = "Fawcett, Pattern Recognition Letters 27, 2006"
_SPEICHER = "Speicher et al., KDD 2018, benefit of a record: prediction - label + 1"
_BORKAN = "Borkan et al., WWW Companion 2019"


def positives(c: Counts) -> Any:
    """Records whose label is positive: TP + FN."""
    return c.true_positives + c.false_negatives


def negatives(c: Counts) -> Any:
    """Records whose label is negative: FP + TN."""
    return c.false_positives + c.true_negatives


def predicted_positives(c: Counts) -> Any:
    """Records whose prediction is positive: TP + FP."""
    return c.true_positives + c.false_positives


def predicted_negatives(c: Counts) -> Any:
    """Records whose prediction is negative: FN + TN."""
    return c.false_negatives + c.true_negatives


def _weight(c: Counts) -> Any:
    return c.weight


# --- Decisions ----------------------------------------------------------------------------


@metric(
    "selected",
    denominator=_weight,
    counted="records",
    unit="share of records with a positive prediction",
    range="proportion",
    direction=None,
    parity="demographic_parity",
    source="Dwork et al., ITCS 2012 (statistical parity); 29 CFR 1607.4(D)",
)
def selection_rate(c: Counts) -> Any:
    """Share of records with a positive prediction.

    >>> float(selection_rate(Counts.of(selected=16, weight=25)))
    0.64
    """
    return c.selected / c.weight


@metric(
    "accuracy",
    denominator=_weight,
    counted="records",
    unit="share of records whose prediction is their label",
    range="proportion",
    direction="higher",
    parity="accuracy_equality",
    source="Berk et al., Sociological Methods & Research 50(1), 2021 (overall accuracy equality)",
)
def accuracy(c: Counts) -> Any:
    """Share of records whose prediction is their label.

    >>> float(accuracy(Counts.of(correct=7, weight=8)))
    0.875
    """
    return c.correct / c.weight


@metric(
    "bal. acc.",
    denominator=_weight,
    counted="records",
    unit="mean of true positive and true negative rate",
    range="bounded",
    direction="higher",
    source="Brodersen et al., ICPR 2010",
)
def balanced_accuracy(c: Counts) -> Any:
    """Mean of the true positive and the true negative rate.

    >>> cells = dict(true_positives=3, false_negatives=1, true_negatives=2, false_positives=2)
    >>> float(balanced_accuracy(Counts.of(**cells)))
    0.625
    """
    return (true_positive_rate(c) + true_negative_rate(c)) / 2


@metric(
    "TPR",
    denominator=positives,
    counted="positives",
    unit="positive predictions per positive label",
    range="proportion",
    direction="higher",
    parity="equal_opportunity",
    source=_HARDT,
)
def true_positive_rate(c: Counts) -> Any:
    """Recall, sensitivity: TP / (TP + FN).

    >>> float(true_positive_rate(Counts.of(true_positives=3, false_negatives=1)))
    0.75
    """
    return c.true_positives / positives(c)


@metric(
    "TNR",
    denominator=negatives,
    counted="negatives",
    unit="negative predictions per negative label",
    range="proportion",
    direction="higher",
    source=_RATES,
)
def true_negative_rate(c: Counts) -> Any:
    """Specificity: TN / (TN + FP).

    >>> float(true_negative_rate(Counts.of(true_negatives=3, false_positives=1)))
    0.75
    """
    return c.true_negatives / negatives(c)


@metric(
    "FPR",
    denominator=negatives,
    counted="negatives",
    unit="positive predictions per negative label",
    range="proportion",
    parity="predictive_equality",
    source=f"{_CHOULDECHOVA}; Corbett-Davies et al., KDD 2017 (predictive equality)",
)
def false_positive_rate(c: Counts) -> Any:
    """False alarms among the negatives: FP / (FP + TN).

    Examples
    --------
    COMPAS, Black defendants: 805 of 1,795 who did not reoffend were called risky.

    >>> round(float(false_positive_rate(Counts.of(false_positives=805, true_negatives=990))), 4)
    0.4485
    """
    return c.false_positives / negatives(c)


@metric(
    "FNR",
    denominator=positives,
    counted="positives",
    unit="negative predictions per positive label",
    range="proportion",
    source=_CHOULDECHOVA,
)
def false_negative_rate(c: Counts) -> Any:
    """Misses among the positives: FN / (FN + TP).

    >>> float(false_negative_rate(Counts.of(false_negatives=1, true_positives=3)))
    0.25
    """
    return c.false_negatives / positives(c)


@metric(
    "PPV",
    denominator=predicted_positives,
    counted="positive predictions",
    unit="positive labels per positive prediction",
    range="proportion",
    direction="higher",
    parity="predictive_parity",
    source=_CHOULDECHOVA,
)
def positive_predictive_value(c: Counts) -> Any:
    """Precision: TP / (TP + FP).

    >>> float(positive_predictive_value(Counts.of(true_positives=3, false_positives=1)))
    0.75
    """
    return c.true_positives / predicted_positives(c)


@metric(
    "NPV",
    denominator=predicted_negatives,
    counted="negative predictions",
    unit="negative labels per negative prediction",
    range="proportion",
    direction="higher",
    source=_RATES,
)
def negative_predictive_value(c: Counts) -> Any:
    """Share of the negative predictions that are right: TN / (TN + FN).

    >>> float(negative_predictive_value(Counts.of(true_negatives=3, false_negatives=1)))
    0.75
    """
    return c.true_negatives / predicted_negatives(c)


@metric(
    "FDR",
    denominator=predicted_positives,
    counted="positive predictions",
    unit="negative labels per positive prediction",
    range="proportion",
    source=_RATES,
)
def false_discovery_rate(c: Counts) -> Any:
    """Share of the positive predictions that are wrong: FP / (FP + TP).

    >>> float(false_discovery_rate(Counts.of(false_positives=1, true_positives=3)))
    0.25
    """
    return c.false_positives / predicted_positives(c)


@metric(
    "FOR",
    denominator=predicted_negatives,
    counted="negative predictions",
    unit="positive labels per negative prediction",
    range="proportion",
    source=_RATES,
)
def false_omission_rate(c: Counts) -> Any:
    """Share of the negative predictions that are wrong: FN / (FN + TN).

    >>> float(false_omission_rate(Counts.of(false_negatives=1, true_negatives=3)))
    0.25
    """
    return c.false_negatives / predicted_negatives(c)


@metric(
    "F1",
    denominator=_weight,
    counted="records",
    unit="harmonic mean of PPV and TPR",
    range="bounded",
    direction="higher",
    source="van Rijsbergen, Information Retrieval, 2nd ed., 1979",
)
def f1(c: Counts) -> Any:
    """Harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN).

    >>> float(f1(Counts.of(true_positives=3, false_positives=1, false_negatives=1)))
    0.75
    """
    twice = 2 * c.true_positives
    return twice / (twice + c.false_positives + c.false_negatives)


@metric(
    "base rate",
    denominator=_weight,
    counted="records",
    unit="share of records with a positive label",
    range="proportion",
    direction=None,
    source=_CHOULDECHOVA,
)
def base_rate(c: Counts) -> Any:
    """Share of records with a positive label; the prediction has no part in it.

    >>> float(base_rate(Counts.of(true_positives=3, false_negatives=1, weight=16)))
    0.25
    """
    return positives(c) / c.weight


@metric(
    "GE",
    denominator=_weight,
    counted="records",
    unit="generalized entropy of benefits, alpha = 2",
    range="amount",
    scale="number",
    source=_SPEICHER,
)
def generalized_entropy_index(c: Counts) -> Any:
    """Inequality of benefits, alpha = 2: mean of ((b / mean b)^2 - 1) / 2.

    The benefit b is 2 for a false positive, 0 for a false negative, and else 1.

    Examples
    --------
    One of each kind in four: the mean benefit is 1, and (1 + 1) / 8 is left.

    >>> float(generalized_entropy_index(Counts.of(false_positives=1, correct=2, weight=4)))
    0.25
    """
    mean = (c.correct + 2 * c.false_positives) / c.weight
    square = (c.correct + 4 * c.false_positives) / c.weight
    return (square / mean**2 - 1) / 2


@metric(
    "Theil",
    denominator=_weight,
    counted="records",
    unit="Theil's index of benefits",
    range="amount",
    scale="number",
    source=f"{_SPEICHER}; Theil, Economics and Information Theory, 1967",
)
def theil_index(c: Counts) -> Any:
    """Inequality of benefits, alpha = 1: mean of (b / mean b) ln(b / mean b).

    Examples
    --------
    Benefits 2, 1, 1 and 0 with mean 1: (2 ln 2) / 4.

    >>> round(float(theil_index(Counts.of(false_positives=1, correct=2, weight=4))), 4)
    0.3466
    """
    mean = (c.correct + 2 * c.false_positives) / c.weight
    # Sum of b ln b is 2 ln 2 per false positive, and 0 for all others.
    return 2 * np.log(2) * c.false_positives / c.weight / mean - np.log(mean)


#: Metrics of decisions without labels.
SELECTION = ["selection_rate"]

#: Metrics of binary decisions with labels, in the order in which they are reported.
BINARY = (
    "accuracy selection_rate base_rate true_positive_rate false_positive_rate false_negative_rate "
    "true_negative_rate positive_predictive_value negative_predictive_value false_discovery_rate "
    "false_omission_rate balanced_accuracy f1 generalized_entropy_index theil_index"
).split()


# --- Several classes ----------------------------------------------------------------------


def _mean_over_classes(parts: list[Any], wholes: list[Any]) -> Any:
    """Unweighted mean of parts / wholes; undefined where a class has none."""
    quotients = [part / whole for part, whole in zip(parts, wholes, strict=True)]
    return sum(quotients) / len(quotients) if quotients else np.nan


@metric(
    "recall",
    denominator=_weight,
    counted="records",
    unit="recall, mean over classes",
    range="bounded",
    direction="higher",
    source=f"{_RATES}; unweighted mean over classes",
)
def macro_recall(c: Counts) -> Any:
    """Mean over classes of TP / positives; also called balanced accuracy.

    >>> counts = {"true_positives:a": 3, "true_positives:b": 1}
    >>> float(macro_recall(Counts.of(**counts, **{"positives:a": 4, "positives:b": 4})))
    0.5
    """
    return _mean_over_classes(c.family("true_positives"), c.family("positives"))


@metric(
    "precision",
    denominator=_weight,
    counted="records",
    unit="precision, mean over classes",
    range="bounded",
    direction="higher",
    source=f"{_RATES}; unweighted mean over classes",
)
def macro_precision(c: Counts) -> Any:
    """Mean over classes of TP / predicted; undefined where a class is never predicted.

    >>> counts = {"true_positives:a": 3, "true_positives:b": 1}
    >>> float(macro_precision(Counts.of(**counts, **{"selected:a": 6, "selected:b": 2})))
    0.5
    """
    return _mean_over_classes(c.family("true_positives"), c.family("selected"))


@metric(
    "F1",
    denominator=_weight,
    counted="records",
    unit="F1, mean over classes",
    range="bounded",
    direction="higher",
    source="Opitz & Burst, arXiv 1911.03347, 2019: mean of the classes' F1",
)
def macro_f1(c: Counts) -> Any:
    """Mean over classes of 2 TP / (positives + predicted).

    >>> counts = {"true_positives:a": 3, "positives:a": 4, "selected:a": 4}
    >>> float(macro_f1(Counts.of(**counts)))
    0.75
    """
    sizes = [a + b for a, b in zip(c.family("positives"), c.family("selected"), strict=True)]
    return _mean_over_classes([2 * n for n in c.family("true_positives")], sizes)


#: Metrics over all classes; each class has those of `BINARY` but for inequality.
MULTICLASS = "accuracy macro_recall macro_precision macro_f1".split()


# --- Scores -------------------------------------------------------------------------------


@metric(
    "mean score",
    denominator=_weight,
    counted="records",
    unit="mean score",
    range="bounded",
    direction=None,
    source="Kleinberg, Mullainathan & Raghavan, ITCS 2017",
)
def mean_score(c: Counts) -> Any:
    """Mean score.

    >>> float(mean_score(Counts.of(score=2.5, weight=10)))
    0.25
    """
    return c.score / c.weight


@metric(
    "Brier",
    denominator=_weight,
    counted="records",
    unit="mean squared distance of score and label",
    range="bounded",
    scale="number",
    source="Brier, Monthly Weather Review 78(1), 1950",
)
def brier_score(c: Counts) -> Any:
    """Mean squared distance between the score and the label (0 or 1).

    >>> float(brier_score(Counts.of(squared_score_error=2.5, weight=10)))
    0.25
    """
    return c.squared_score_error / c.weight


def _kept(
    name: str,
    label: str,
    unit: str,
    source: str,
    *,
    range: Range,
    direction: Direction,
    about: str,
    counted: str = RARER,
    scale: Any = "number",
) -> None:
    """Register a metric that is no function of sums: the mean of the records' pseudo-values.

    Worked examples stand where the values are computed, in `fairaudit.stats.influence`.
    """

    def formula(c: Counts) -> Any:
        return c[name] / c[f"{name}_n"]

    formula.__name__, formula.__doc__ = name, about
    register: Formula = metric(
        label,
        denominator=lambda c: c[f"{name}_n"],
        counted=counted,
        unit=unit,
        source=source,
        range=range,
        direction=direction,
        scale=scale,
    )
    register(formula)


_kept(
    "roc_auc",
    "AUC",
    "chance that a positive has a higher score than a negative",
    "DeLong, DeLong & Clarke-Pearson, Biometrics 44, 1988",
    range="bounded",
    direction="higher",
    about="Area under the ROC curve within the group; ties count one half.",
)
_kept(
    "bpsn_auc",
    "BPSN",
    "chance that a positive of the others has a higher score than a negative of the group",
    _BORKAN,
    range="bounded",
    direction="higher",
    about="AUC of background positives and subgroup negatives; low: the group's scores are high.",
)
_kept(
    "bnsp_auc",
    "BNSP",
    "chance that a positive of the group has a higher score than a negative of the others",
    _BORKAN,
    range="bounded",
    direction="higher",
    about="AUC of background negatives and subgroup positives; low: the group's scores are low.",
)
_kept(
    "average_precision",
    "AP",
    "precision, averaged over recall",
    "Buckley & Voorhees, SIGIR 2000; without interpolation",
    range="bounded",
    direction="higher",
    about="Area under the precision-recall curve, as a step function.",
)
_kept(
    "calibration_error",
    "cal. err.",
    "distance of scores from rates",
    "Kumar, Liang & Ma, NeurIPS 2019",
    range="bounded",
    direction="lower",
    counted="records",
    about="Root mean squared distance of scores from rates in ten bins, its bias taken off.",
)
_kept(
    "calibration_intercept",
    "cal. int.",
    "log odds by which labels exceed scores; 0 is calibrated",
    "Cox, Biometrika 45, 1958",
    range="real",
    direction=None,
    about="Calibration in the large: intercept with the log odds of the score as offset.",
)
_kept(
    "calibration_slope",
    "cal. slope",
    "slope of labels on the log odds of scores; 1 is calibrated",
    "Cox, Biometrika 45, 1958",
    range="real",
    direction=None,
    about="Slope of the log odds of the score in a logistic regression of the label.",
)

#: Metrics of scores: functions of sums, then those that need the scores themselves.
SCORES = (
    "mean_score brier_score roc_auc average_precision calibration_error calibration_intercept "
    "calibration_slope bpsn_auc bnsp_auc"
).split()


# --- Numbers ------------------------------------------------------------------------------


@metric(
    "error",
    denominator=_weight,
    counted="records",
    unit="mean of prediction - label",
    range="real",
    direction=None,
    scale="number",
    source="Gauss; negative: predictions are too low",
)
def mean_error(c: Counts) -> Any:
    """Mean of prediction - label; negative where predictions are too low.

    >>> float(mean_error(Counts.of(error=-2, weight=4)))
    -0.5
    """
    return c.error / c.weight


@metric(
    "MAE",
    denominator=_weight,
    counted="records",
    unit="mean absolute error",
    range="amount",
    scale="number",
    source="Willmott & Matsuura, Climate Research 30, 2005",
)
def mean_absolute_error(c: Counts) -> Any:
    """Mean of abs(prediction - label).

    >>> float(mean_absolute_error(Counts.of(absolute_error=2, weight=4)))
    0.5
    """
    return c.absolute_error / c.weight


@metric(
    "RMSE",
    denominator=_weight,
    counted="records",
    unit="root mean squared error",
    range="amount",
    scale="number",
    source="Gauss, Theoria combinationis observationum, 1823",
)
def root_mean_squared_error(c: Counts) -> Any:
    """Square root of the mean squared error.

    >>> float(root_mean_squared_error(Counts.of(squared_error=36, weight=4)))
    3.0
    """
    return np.sqrt(c.squared_error / c.weight)


@metric(
    "R2",
    denominator=_weight,
    counted="records",
    unit="share of the labels' variance that predictions explain",
    range="real",
    direction="higher",
    scale="number",
    source="Wright, Journal of Agricultural Research 20, 1921",
)
def r2(c: Counts) -> Any:
    """1 - squared errors / squared deviations of the labels from their mean in the group.

    Examples
    --------
    Labels 1, 2, 3 (deviations squared: 2) and squared errors of 0.5:

    >>> float(r2(Counts.of(squared_error=0.5, label=6, squared_label=14, weight=3)))
    0.75
    """
    deviations = c.squared_label - c.label**2 / c.weight
    # Of equal labels rounding errors are left.
    known = np.real(deviations) > 1e-9 * np.real(c.squared_label)
    return 1 - c.squared_error / np.where(known, deviations, np.nan)


_kept(
    "error_quantile",
    "quantile",
    "quantile of prediction - label",
    "Woodruff, JASA 47, 1952",
    range="real",
    direction=None,
    about="A quantile of prediction - label.",
    counted="records",
)

#: Metrics of predicted numbers.
REGRESSION = "mean_absolute_error root_mean_squared_error mean_error r2 error_quantile".split()


# --- Rankings -----------------------------------------------------------------------------


@metric(
    "exposure",
    denominator=_weight,
    counted="records",
    unit="mean exposure, 1 / log2(1 + rank)",
    range="bounded",
    direction=None,
    scale="number",
    source="Singh & Joachims, KDD 2018",
)
def exposure(c: Counts) -> Any:
    """Mean over records of 1 / log2(1 + rank): attention that falls with the rank.

    Examples
    --------
    Ranks 1 and 3 have exposures 1 and 1/2:

    >>> float(exposure(Counts.of(exposure=1.5, weight=2)))
    0.75
    """
    return c.exposure / c.weight


@metric(
    "per merit",
    denominator=lambda c: c.relevance,
    counted="relevance",
    unit="exposure per relevance",
    range="amount",
    direction=None,
    scale="number",
    source="Singh & Joachims, KDD 2018 (disparate treatment)",
)
def exposure_per_relevance(c: Counts) -> Any:
    """Exposure over relevance (the label), both summed over the group.

    >>> float(exposure_per_relevance(Counts.of(exposure=1.5, relevance=2)))
    0.75
    """
    return c.exposure / c.relevance


#: Metrics of rankings; the top k are selected.
RANKING = "selection_rate exposure exposure_per_relevance".split()
