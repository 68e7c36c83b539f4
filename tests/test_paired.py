"""Two runs on the same records."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import fairaudit
from fairaudit.exceptions import FairauditError
from tests.audits.test_wer import calls, rows


@pytest.fixture(scope="module")
def both():
    """The new run, and an older one that heard the third accent worse."""
    rng = np.random.default_rng(5)
    new = calls(rng, n=600)
    old = new[["id", "hypothesis"]].copy()
    lost = (rng.random(len(new)) < 0.4) & (new.accent == "in")
    old.loc[lost, "hypothesis"] = old.hypothesis[lost].str.replace("one", "won")
    return new, old


def changes(audit, metric="wer"):
    return {
        row.group: row
        for row in audit.comparisons
        if (row.kind, row.metric) == ("paired_difference", metric)
    }


def earlier(audit):
    found = [row for row in audit.estimates if (row.variant or {}).get("run") == "before"]
    return {(row.attribute, row.group, row.metric): row for row in found}


def test_change_is_the_difference_of_the_two_audits(both):
    new, old = both
    audit = fairaudit.wer(new, against=old, by="accent", cluster="speaker")
    alone = fairaudit.wer(new, by="accent", cluster="speaker")
    then = fairaudit.wer(
        new.drop(columns="hypothesis").merge(old, on="id"), by="accent", cluster="speaker"
    )
    mine = [row for row in audit.estimates if row.variant is None]
    assert mine == list(alone.estimates)
    for key, row in rows(then).items():
        before = earlier(audit)[key]
        assert (before.value, before.ci_low, before.counts) == (row.value, row.ci_low, row.counts)
        if key[2] == "wer":
            change = changes(audit)[key[1]]
            assert change.value == pytest.approx(rows(alone)[key].value - row.value, abs=1e-15)


def test_equal_word_counts_make_it_the_paired_t_test():
    # Ten speakers of one utterance with ten words each: pooled WER is the mean over speakers.
    rng = np.random.default_rng(2)
    words = "a b c d e f g h i j".split()
    wrong = rng.integers(0, 6, (2, 10))

    def heard(count):
        return " ".join(["x"] * count + words[count:])

    new = pd.DataFrame(
        {
            "id": range(10),
            "speaker": [f"s{i}" for i in range(10)],
            "reference": " ".join(words),
            "hypothesis": [heard(k) for k in wrong[0]],
        }
    )
    old = pd.DataFrame({"id": range(10), "hypothesis": [heard(k) for k in wrong[1]]})
    change = changes(fairaudit.wer(new, against=old, cluster="speaker"))["(all)"]
    theirs = stats.ttest_rel(wrong[0] / 10, wrong[1] / 10)
    limits = theirs.confidence_interval()
    assert change.value == pytest.approx((wrong[0] - wrong[1]).mean() / 10)
    assert change.p_value == pytest.approx(theirs.pvalue)
    assert (change.ci_low, change.ci_high) == pytest.approx((limits.low, limits.high))


def test_probability_of_improvement_is_that_of_the_speaker_bootstrap(both):
    new, old = both
    audit = fairaudit.wer(new, against=old, by="accent", cluster="speaker", resamples=20_000)
    frame = new.merge(old, on="id", suffixes=("", "_old"))
    edits = [
        [fairaudit_errors(r, h) for r, h in zip(frame.reference, frame[column], strict=True)]
        for column in ("hypothesis", "hypothesis_old")
    ]
    frame["fewer"] = np.array(edits[1]) - np.array(edits[0])
    rng = np.random.default_rng(1)
    for accent, part in frame.groupby("accent"):
        per_speaker = part.groupby("speaker").fewer.sum().to_numpy()
        drawn = rng.choice(per_speaker, (20_000, len(per_speaker))).sum(axis=1)
        # Two bootstraps of 20,000 draws: standard error 0.005 at most.
        assert changes(audit)[accent].improvement == pytest.approx(np.mean(drawn > 0), abs=0.02)


def fairaudit_errors(reference, hypothesis):
    """Word errors by the textbook's dynamic programming."""
    spoken, heard = reference.split(), hypothesis.split()
    row = list(range(len(heard) + 1))
    for i, word in enumerate(spoken, start=1):
        above, row = row, [i]
        for j, other in enumerate(heard, start=1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (word != other)))
    return row[-1]


def test_who_changed_and_whether_all_changed_alike(both):
    new, old = both
    audit = fairaudit.wer(new, against=old, by="accent", cluster="speaker")
    found = changes(audit)
    assert found["in"].p_adjusted < 0.05
    assert found["in"].ci_high < 0
    assert found["in"].improvement == 1.0
    # Nobody of the others changed at all, so there is nothing to tell how sure that is.
    for group in ("us", "uk"):
        assert (found[group].value, found[group].ci_low, found[group].p_value) == (0, None, None)
    alike = [
        row
        for row in audit.comparisons
        if row.variant == {"run": "change"} and (row.attribute, row.metric) == ("accent", "wer")
    ]
    assert [row.kind for row in alike] == ["heterogeneity"]
    assert alike[0].p_value < 0.05


def simulated(rng, per_group, words, worse):
    """Sums of two runs: speakers differ, and so does what the update does to them."""
    from fairaudit.metrics import BEFORE
    from tests.conftest import COUNTS, sums_of

    group = np.repeat(np.arange(len(per_group)), per_group)
    rate = 0.2 * np.exp(rng.normal(0, 0.5, len(group)))
    spoken = rng.poisson(words, len(group)) + 1
    old = rng.binomial(spoken, np.minimum(rate, 1))
    changed = rate * np.exp(rng.normal(worse, 0.2, len(group)))
    new = rng.binomial(spoken, np.minimum(changed, 1))
    zero = np.zeros_like(spoken)
    columns = [np.ones_like(spoken), spoken - new, new, zero, zero]
    before = [np.ones_like(spoken), spoken - old, old, zero, zero]
    sums = sums_of(np.column_stack([*columns, *before]), group)
    from dataclasses import replace

    return replace(sums, columns=(*COUNTS, *(BEFORE + name for name in COUNTS)))


@pytest.mark.parametrize("speakers", [5, 10, 40])
def test_intervals_of_changes_cover(speakers):
    from fairaudit.assess import Assessment, Design
    from fairaudit.metrics import METRICS
    from fairaudit.paired import Update, runs

    rng = np.random.default_rng(speakers)
    metrics, covered, total = [METRICS["wer"]], 0, 600
    # The change of the rate itself: 0.2 E[exp(u)] (E[exp(0.2 z)] - 1) with u of sd 0.5.
    truth = 0.2 * np.exp(0.125) * (np.exp(0.02) - 1)
    for _ in range(total):
        sums = simulated(rng, [speakers], 480, 0.0)
        design = Design(resamples=100)
        part = Update(sums, metrics, design, Assessment(runs(sums)[1], metrics, design, dict))
        (row,) = (row for row in part.comparisons() if row.kind == "paired_difference")
        covered += row.ci_low <= truth <= row.ci_high
    # 600 runs: standard error 0.9 %.
    assert 0.92 <= covered / total <= 0.98


def test_equal_changes_are_rarely_called_unequal():
    from fairaudit.assess import Assessment, Design
    from fairaudit.metrics import METRICS
    from fairaudit.paired import Update, runs

    rng = np.random.default_rng(3)
    metrics, rejected, total = [METRICS["wer"]], 0, 300
    for _ in range(total):
        sums = simulated(rng, [4, 8, 12], 480, 0.1)
        design = Design(resamples=199)
        part = Update(sums, metrics, design, Assessment(runs(sums)[1], metrics, design, dict))
        (row,) = (row for row in part.comparisons() if row.kind == "heterogeneity")
        rejected += row.p_value < 0.05
    assert rejected / total <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / total)


def test_real_update(data):
    """EdAcc, Parakeet v2 to v3: better over all, and no group shown to be worse."""
    from tests.test_published import edacc

    columns = ["utt_id", "speaker", "accent", "ref_raw", "hyp_raw"]
    new, published = edacc(data, "parakeet-tdt-0.6b-v3")
    old, before = edacc(data, "parakeet-tdt-0.6b-v2")
    audit = fairaudit.wer(
        new[columns],
        against=old[columns],
        by="accent",
        cluster="speaker",
        ref_column="ref_raw",
        hyp_column="hyp_raw",
        normalize="whisper-en",
        metrics=["wer"],
        resamples=500,
    )
    for group, change in changes(audit).items():
        assert change.value < 0
        if group != "(all)":
            now, then = (p["metrics"]["per_group"][group]["wer"] for p in (published, before))
            assert change.value == pytest.approx(now - then, abs=1e-12)
    assert changes(audit)["(all)"].p_value < 0.001


def test_needs_ids_that_match(both):
    new, old = both
    with pytest.raises(FairauditError, match="--against joins on utterance ids"):
        fairaudit.wer(new.drop(columns="id"), against=old)
    with pytest.raises(FairauditError, match="1 ids of column 'id' are not in"):
        fairaudit.wer(new, against=old.iloc[1:])
    audit = fairaudit.wer(new, against=old.iloc[1:], missing="skip")
    assert audit.records.dropped == {"no hypothesis": 1}


def test_missing_earlier_hypotheses_are_counted(both):
    new, old = both
    gone = old.assign(hypothesis=old.hypothesis.where(old.index > 4, None))
    audit = fairaudit.wer(new, against=gone)
    assert any("5 records have no hypothesis (hypothesis of" in note for note in audit.notes)
    assert fairaudit.wer(new, against=gone, missing="skip").records.used == len(new) - 5
