"""The same numbers as Fairlearn and scikit-learn, and as authors printed them."""

import warnings

import numpy as np
import pandas as pd
import pytest

from fairaudit.audits.errors import errors

TOLERANCE = 1e-12
#: Sums of fractions are kept to 12 significant digits, whatever the order of the records.
OF_FRACTIONS = 2e-11


def people(seed, n=600):
    """Random decisions; group d is small, and two records have no group."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "label": rng.integers(0, 2, n),
            "group": rng.choice(list("abcd"), n, p=[0.5, 0.3, 0.17, 0.03]).astype(object),
            "weight": rng.integers(1, 5, n) / 2,
            "score": rng.random(n),
        }
    )
    frame["prediction"] = (rng.random(n) < 0.3 + 0.4 * frame.label).astype(int)
    frame.loc[[5, 11], "group"] = None
    return frame


def values(audit, metric, attribute="group"):
    return {
        row.group: row.value
        for row in audit.estimates
        if (row.metric, row.attribute) == (metric, attribute) and row.group != "(missing)"
    }


def named(audit, name):
    (row,) = (row for row in audit.comparisons if row.name == name)
    return row.value


def by_group(metric, frame, predicted, weight=None):
    """Fairlearn's MetricFrame, missing groups aside; metrics warn where they are undefined."""
    from fairlearn.metrics import MetricFrame

    known = frame[frame.group.notna()]
    weights = None if weight is None else {"sample_weight": known[weight]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = MetricFrame(
            metrics=metric,
            y_true=known.label,
            y_pred=known[predicted],
            sensitive_features=known.group,
            sample_params=weights,
        )
    return found.by_group.to_dict()


def binary_metrics():
    from fairlearn import metrics as theirs
    from sklearn import metrics as sklearn

    def negative(metric):
        def flipped(y, p, sample_weight=None):
            return metric(1 - y, 1 - p, sample_weight=sample_weight)

        return flipped

    def less(metric):
        return lambda y, p, sample_weight=None: 1 - metric(y, p, sample_weight=sample_weight)

    return {
        "accuracy": sklearn.accuracy_score,
        "selection_rate": theirs.selection_rate,
        "true_positive_rate": theirs.true_positive_rate,
        "true_negative_rate": theirs.true_negative_rate,
        "false_positive_rate": theirs.false_positive_rate,
        "false_negative_rate": theirs.false_negative_rate,
        "positive_predictive_value": sklearn.precision_score,
        "negative_predictive_value": negative(sklearn.precision_score),
        "false_discovery_rate": less(sklearn.precision_score),
        "false_omission_rate": less(negative(sklearn.precision_score)),
        "balanced_accuracy": sklearn.balanced_accuracy_score,
        "f1": sklearn.f1_score,
        "base_rate": lambda y, p, sample_weight=None: np.average(y, weights=sample_weight),
    }


@pytest.mark.parametrize("weight", [None, "weight"])
@pytest.mark.parametrize("seed", [1, 2])
def test_binary_metrics_are_fairlearns(seed, weight):
    frame = people(seed)
    audit = errors(frame, label="label", prediction="prediction", by="group", weight=weight)
    for name, metric in binary_metrics().items():
        expected = by_group(metric, frame, "prediction", weight)
        assert values(audit, name) == pytest.approx(expected, rel=TOLERANCE, abs=TOLERANCE), name


@pytest.mark.parametrize("weight", [None, "weight"])
def test_comparisons_are_fairlearns(weight):
    from fairlearn import metrics as theirs

    frame = people(3)
    audit = errors(frame, label="label", prediction="prediction", by="group", weight=weight)
    known = frame[frame.group.notna()]
    for name in (
        "demographic_parity_difference",
        "demographic_parity_ratio",
        "equalized_odds_difference",
        "equalized_odds_ratio",
        "equal_opportunity_difference",
        "equal_opportunity_ratio",
    ):
        expected = getattr(theirs, name)(
            known.label,
            known.prediction,
            sensitive_features=known.group,
            sample_weight=None if weight is None else known[weight],
        )
        assert named(audit, name) == pytest.approx(expected, rel=TOLERANCE), name


def test_equalized_odds_ratio_is_0_where_a_group_has_no_false_positive():
    from fairlearn.metrics import equalized_odds_ratio

    frame = people(4)
    frame.loc[(frame.group == "d") & (frame.label == 0), "prediction"] = 0
    audit = errors(frame, label="label", prediction="prediction", by="group")
    known = frame[frame.group.notna()]
    assert named(audit, "equalized_odds_ratio") == 0
    assert equalized_odds_ratio(known.label, known.prediction, sensitive_features=known.group) == 0


@pytest.mark.parametrize("weight", [None, "weight"])
def test_metrics_of_scores_are_scikit_learns(weight):
    from fairlearn.metrics import mean_prediction
    from sklearn import metrics as sklearn

    frame = people(5)
    frame["score"] = frame.score.round(2)  # ties
    audit = errors(frame, label="label", score="score", by="group", weight=weight)
    for name, metric in {
        "roc_auc": sklearn.roc_auc_score,
        "average_precision": sklearn.average_precision_score,
        "brier_score": sklearn.brier_score_loss,
        "mean_score": mean_prediction,
    }.items():
        expected = by_group(metric, frame, "score", weight)
        assert values(audit, name) == pytest.approx(expected, rel=OF_FRACTIONS), name
    frame["decided"] = (frame.score >= 0.5).astype(int)
    expected = by_group(binary_metrics()["accuracy"], frame, "decided", weight)
    assert values(audit, "accuracy") == pytest.approx(expected, rel=TOLERANCE)


@pytest.mark.parametrize("weight", [None, "weight"])
def test_metrics_of_numbers_are_scikit_learns(weight):
    from sklearn import metrics as sklearn

    frame = people(6)
    frame["label"] = frame.score * 10 + 3
    frame["prediction"] = frame.label + np.random.default_rng(6).normal(0, 2, len(frame))
    options = {"task": "regression", "label": "label", "prediction": "prediction"}
    audit = errors(frame, by="group", weight=weight, **options)
    for name, metric in {
        "mean_absolute_error": sklearn.mean_absolute_error,
        "root_mean_squared_error": sklearn.root_mean_squared_error,
        "r2": sklearn.r2_score,
    }.items():
        expected = by_group(metric, frame, "prediction", weight)
        # R2 is a difference of sums.
        assert values(audit, name) == pytest.approx(expected, rel=20 * OF_FRACTIONS), name


@pytest.mark.parametrize("weight", [None, "weight"])
def test_metrics_of_classes_are_scikit_learns(weight):
    from sklearn import metrics as sklearn

    frame = people(7)
    frame = frame[frame.group != "d"]  # too small to have all classes
    rng = np.random.default_rng(7)
    frame["label"] = rng.choice(["x", "y", "z"], len(frame))
    guess = rng.choice(["x", "y", "z"], len(frame))
    frame["prediction"] = np.where(rng.random(len(frame)) < 0.4, frame.label, guess)

    def macro(metric):
        def averaged(y, p, sample_weight=None):
            return metric(y, p, average="macro", sample_weight=sample_weight)

        return averaged

    options = {"task": "multiclass", "label": "label", "prediction": "prediction"}
    audit = errors(frame, by="group", weight=weight, classes=["y"], **options)
    for name, metric in {
        "macro_recall": sklearn.balanced_accuracy_score,
        "macro_precision": macro(sklearn.precision_score),
        "macro_f1": macro(sklearn.f1_score),
    }.items():
        expected = by_group(metric, frame, "prediction", weight)
        assert values(audit, name) == pytest.approx(expected, rel=TOLERANCE), name
    one = frame.assign(label=(frame.label == "y") * 1, prediction=(frame.prediction == "y") * 1)
    for name, metric in binary_metrics().items():
        rows = {r.group: r.value for r in audit.estimates if own_class(r, name)}
        expected = by_group(metric, one, "prediction", weight)
        assert {g: v for g, v in rows.items() if g != "(missing)"} == pytest.approx(expected), name


def own_class(row, name):
    return (row.metric, row.attribute, row.variant) == (name, "group", {"class": "y"})


@pytest.mark.parametrize("weight", [None, "weight"])
def test_confusion_matrices_are_scikit_learns(weight):
    from sklearn.metrics import confusion_matrix

    frame = people(8)
    options = {"task": "multiclass", "label": "label", "prediction": "prediction"}
    audit = errors(frame, by="group", weight=weight, **options)
    if weight is None:
        frame["weight"] = 1
    found = {(row.attribute, row.group): row.content for row in audit.explanations}
    assert set(found) == {(None, "(all)"), *(("group", g) for g in [*"abcd", "(missing)"])}
    for group in "abcd":
        own = frame[frame.group == group]
        expected = confusion_matrix(own.label, own.prediction, sample_weight=own.weight)
        assert found["group", group]["classes"] == ["0", "1"]
        np.testing.assert_allclose(found["group", group]["counts"], expected)
    expected = confusion_matrix(frame.label, frame.prediction, sample_weight=frame.weight)
    np.testing.assert_allclose(found[None, "(all)"]["counts"], expected)


def test_what_is_undefined_is_null_and_not_0():
    frame = pd.DataFrame({"label": [0, 0, 1, 1], "prediction": [0, 0, 0, 1], "group": list("aabb")})
    audit = errors(frame, label="label", prediction="prediction", by="group")
    assert values(audit, "true_positive_rate") == {"a": None, "b": 0.5}
    assert values(audit, "false_positive_rate") == {"a": 0, "b": None}
    assert values(audit, "positive_predictive_value") == {"a": None, "b": 1}
    assert any(
        note.startswith("group: a: nothing to divide by, so no TPR, FNR") for note in audit.notes
    )


# --- Published figures --------------------------------------------------------------------


def test_compas(data):
    """Angwin et al. 2016: all 7,214 rows; the file's header has two names twice."""
    audit = errors(
        str(data / "tabular/compas/compas-scores-two-years.csv"),
        label="two_year_recid",
        prediction="score_text",
        positive=("High", "Medium"),
        positive_label=("1",),
        by="race",
    )
    assert (audit.records.total, audit.records.used, audit.records.dropped) == (7214, 7214, {})
    black, white = "African-American", "Caucasian"
    fpr, fnr = (
        values(audit, name, "race") for name in ("false_positive_rate", "false_negative_rate")
    )
    assert [round(100 * fpr[group], 2) for group in (black, white)] == [44.85, 23.45]
    assert [round(100 * fnr[group], 2) for group in (black, white)] == [27.99, 47.72]
    of = {(row.group, row.metric): row.counts for row in audit.estimates if row.attribute}
    names = ("true_negatives", "false_positives", "false_negatives", "true_positives")
    for group, cells in ((black, (990, 805, 532, 1369)), (white, (1139, 349, 461, 505))):
        counts = of[group, "false_positive_rate"] | of[group, "false_negative_rate"]
        assert tuple(counts[name] for name in names) == cells
    assert any("decile_score, priors_count" in note for note in audit.notes)


def test_a_column_that_stands_twice_is_refused_where_it_is_needed(data):
    from fairaudit.exceptions import FairauditError

    with pytest.raises(FairauditError, match="'decile_score' stands twice in the header"):
        errors(
            str(data / "tabular/compas/compas-scores-two-years.csv"),
            label="two_year_recid",
            score="decile_score",
        )


def test_ricci(data):
    """Ricci v. DeStefano: who passes with a combined score of 70."""
    frame = pd.read_csv(data / "tabular/ricci/ricci.csv")
    frame["passed"] = np.where(frame.Combine >= 70, "yes", "no")
    frame["Position"] = frame.Position.str.lower()
    audit = errors(frame, prediction="passed", by="Race:Position")
    rates = {
        group: round(100 * v, 1)
        for group, v in values(audit, "selection_rate", "Race:Position").items()
    }
    assert [rates[f"{race}:captain"] for race in "WBH"] == [64.0, 37.5, 37.5]
    assert [rates[f"{race}:lieutenant"] for race in "WBH"] == [58.1, 31.6, 20.0]
    for position, expected in (("captain", [0.586, 0.586]), ("lieutenant", [0.543, 0.344])):
        own = errors(frame, prediction="passed", by="Race", where=f"Position = '{position}'")
        found = {row.group: row for row in own.comparisons if row.name == "impact_ratio"}
        assert [round(found[race].value, 3) for race in "BH"] == expected
        assert (found["W"].value, found["B"].against) == (1, "W")


def test_adult(data):
    names = [f"c{i}" for i in range(15)]
    files = [data / f"tabular/adult/adult-{part}.csv" for part in ("train", "test")]
    frame = pd.concat(
        [pd.read_csv(file, names=names, skipinitialspace=True, comment="|") for file in files]
    )[["c9", "c14"]]
    audit = errors(frame, prediction="c14", positive=(">50K", ">50K."), by="c9")
    assert audit.records.used == 48842
    rates = values(audit, "selection_rate", "c9")
    assert {g: round(v, 4) for g, v in rates.items()} == {"Male": 0.3038, "Female": 0.1093}


def test_law_school(data):
    audit = errors(
        str(data / "tabular/law-school/law_school_clean.csv"),
        prediction="pass_bar",
        positive="1.0",
        by="race",
    )
    rates = values(audit, "selection_rate", "race")
    assert {g: round(v, 4) for g, v in rates.items()} == {"White": 0.9213, "Non-White": 0.7230}
