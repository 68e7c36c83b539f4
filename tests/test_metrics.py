import jiwer
import numpy as np
import pytest

from fairaudit.audits.speech import alignment
from fairaudit.metrics import METRICS, SPEECH, Counts

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
        assert ">>>" in (metric.formula.__doc__ or ""), f"{name} has no worked example"


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
