import jiwer
import numpy as np
import pytest

from fairaudit.audits.speech import alignment
from fairaudit.metrics import (
    BINARY,
    METRICS,
    MULTICLASS,
    RANKING,
    REGRESSION,
    SCORES,
    SELECTION,
    SPEECH,
    Counts,
)
from fairaudit.stats import influence

#: Metrics that are no function of sums, and where their worked examples stand.
KEPT = {
    "bpsn_auc": influence.separation,
    "bnsp_auc": influence.separation,
    "error_quantile": influence.quantile,
    "roc_auc": influence.roc_auc,
    "average_precision": influence.average_precision,
    "calibration_error": influence.calibration_error,
    "calibration_intercept": influence.calibration_intercept,
    "calibration_slope": influence.calibration_slope,
}
COLUMNS = alignment.COLUMNS + alignment.CHARACTER_COLUMNS
PLAIN = [name for name in SPEECH if METRICS[name].per_cluster is None]


def sums(rng):
    hits, *errors = rng.integers(1, 50, 4)
    return np.array([60, hits, *errors, 30, 12, 58, 17.5, 80, 400], dtype=float)


def test_every_metric_says_where_it_comes_from():
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.source
        assert metric.unit
        assert metric.counted
        shown = KEPT.get(name, metric.formula)
        assert ">>>" in (shown.__doc__ or ""), f"{name} has no worked example"


@pytest.mark.parametrize("name", PLAIN)
def test_metrics_do_not_change_when_all_counts_double(name):
    counts = sums(np.random.default_rng(1))
    value = METRICS[name].value(COLUMNS, np.stack([counts, 2 * counts]))
    assert np.isclose(*value)


@pytest.mark.parametrize("name", PLAIN)
def test_gradients_by_finite_differences(name):
    counts = sums(np.random.default_rng(2))
    step = 1e-4 * np.eye(len(counts))
    value = METRICS[name].value
    expected = (value(COLUMNS, counts + step) - value(COLUMNS, counts - step)) / 2e-4
    gradient = METRICS[name].gradient(COLUMNS, counts)
    np.testing.assert_allclose(gradient, expected, atol=1e-8)
    assert abs(gradient @ counts) < 1e-10  # Euler: a function of degree 0


def test_pooled_metrics_are_jiwers():
    rng = np.random.default_rng(3)
    words = np.array("a b c d e".split())
    references = [" ".join(rng.choice(words, rng.integers(1, 8))) for _ in range(200)]
    hypotheses = [" ".join(rng.choice(words, rng.integers(0, 8))) for _ in range(200)]
    totals = alignment.count(references, hypotheses).sum(axis=0)
    theirs = jiwer.process_words(references, hypotheses)
    for name in ("wer", "mer", "wil"):
        ours = METRICS[name].value(COLUMNS, totals)
        assert np.isclose(ours, getattr(theirs, name), rtol=1e-12)
    assert np.isclose(METRICS["cer"].value(COLUMNS, totals), jiwer.cer(references, hypotheses))
    each = [jiwer.wer(r, h) for r, h in zip(references, hypotheses, strict=True)]
    assert np.isclose(METRICS["wer_macro"].value(COLUMNS, totals), np.mean(each))
    assert np.isclose(METRICS["ser"].value(COLUMNS, totals), np.mean(np.array(each) > 0))
    assert np.isclose(
        METRICS["wer_over_half"].value(COLUMNS, totals), np.mean(np.array(each) > 0.5)
    )


def test_nothing_heard_loses_all_information():
    totals = alignment.count(["a b"], [""])
    assert METRICS["wil"].value(COLUMNS, totals[0]) == 1
    assert METRICS["wer"].value(COLUMNS, totals[0]) == 1


@pytest.mark.parametrize("name", PLAIN)
def test_without_records_every_metric_is_undefined(name):
    assert np.isnan(METRICS[name].value(COLUMNS, np.zeros(len(COLUMNS))))


def test_counts_are_a_mapping():
    counts = Counts.of(hits=3, insertions=1)
    assert dict(counts) == {"hits": 3, "insertions": 1}
    with pytest.raises(AttributeError, match="deletions"):
        _ = counts.deletions


#: Metrics of decisions that are functions of sums.
SUMMED = sorted({*BINARY, *MULTICLASS, *RANKING, *REGRESSION, *SCORES, *SELECTION} - KEPT.keys())


def decisions(rng):
    """Counts that could be, so that no root or logarithm is of a negative number."""
    right, wrong = rng.integers(5, 50, 2), rng.integers(5, 50, 2)
    weight = float(right.sum() + wrong.sum())
    counts = {
        "records": weight,
        "weight": weight,
        "selected": right[0] + wrong[0],
        "correct": right.sum(),
        "true_positives": right[0],
        "false_positives": wrong[0],
        "false_negatives": wrong[1],
        "true_negatives": right[1],
        "score": 0.4 * weight,
        "squared_score_error": 0.2 * weight,
        "error": 0.3 * weight,
        "absolute_error": 1.1 * weight,
        "squared_error": 1.7 * weight,
        "label": 2.0 * weight,
        "squared_label": 7.0 * weight,
        "exposure": 0.3 * weight,
        "relevance": 0.6 * weight,
    }
    for name, part in zip("ab", (right, wrong), strict=True):
        counts |= {f"true_positives:{name}": part[0], f"positives:{name}": part.sum()}
        counts[f"selected:{name}"] = part[0] + 9
    return list(counts), np.array(list(counts.values()), dtype=float)


@pytest.mark.parametrize("name", SUMMED)
def test_metrics_of_decisions_have_gradients_of_degree_0(name):
    columns, counts = decisions(np.random.default_rng(4))
    metric = METRICS[name]
    step = 1e-4 * np.eye(len(counts))
    expected = (metric.value(columns, counts + step) - metric.value(columns, counts - step)) / 2e-4
    gradient = metric.gradient(columns, counts)
    np.testing.assert_allclose(gradient, expected, atol=1e-7)
    assert np.abs(gradient).max() > 0
    assert abs(gradient @ counts) < 1e-10
    assert np.isclose(metric.value(columns, 2 * counts), metric.value(columns, counts))
    assert np.isnan(metric.value(columns, 0 * counts))


def test_equal_labels_leave_nothing_to_explain():
    value = METRICS["r2"].value
    columns = ["squared_error", "label", "squared_label", "weight"]
    labels = np.full(1000, 123456.7)
    assert np.isnan(value(columns, [5.0, labels.sum(), (labels**2).sum(), 1000.0]))
    labels[0] += 400
    assert np.isfinite(value(columns, [5.0, labels.sum(), (labels**2).sum(), 1000.0]))
