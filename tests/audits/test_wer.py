import numpy as np
import pandas as pd
import pytest

import fairaudit
from fairaudit.exceptions import FairauditError


def calls(rng, n=400, speakers=24):
    """Random calls: speakers have one accent each, a language of their own for every call."""
    words = np.array("zero one two three four five".split())
    who = rng.integers(0, speakers, n)
    spoken = [" ".join(rng.choice(words, rng.integers(1, 9))) for _ in range(n)]
    heard = [
        " ".join(w if rng.random() < 0.85 else str(rng.choice(words)) for w in text.split())
        for text in spoken
    ]
    return pd.DataFrame(
        {
            "id": [f"u{i}" for i in range(n)],
            "reference": spoken,
            "hypothesis": heard,
            "speaker": [f"s{s:02d}" for s in who],
            "accent": np.array(["us", "uk", "in"])[who % 3],
            "topic": rng.choice(["news", "sport", None], n),
            "age": who + 10,
        }
    )


@pytest.fixture(scope="module")
def frame():
    return calls(np.random.default_rng(1))


def rows(audit):
    return {(row.attribute, row.group, row.metric): row for row in audit.estimates}


def differences(audit, kind="difference", metric="wer"):
    return {r.group: r for r in audit.comparisons if (r.kind, r.metric) == (kind, metric)}


def test_order_of_rows_batches_and_files_do_not_matter(frame, tmp_path, monkeypatch):
    options = {"by": ["accent", "topic", "accent:topic"], "interval": "bootstrap"}
    for cluster in (None, "speaker"):
        whole = fairaudit.wer(frame, cluster=cluster, **options).to_dict()
        shuffled = frame.sample(frac=1, random_state=2)
        shuffled.iloc[:150].to_csv(tmp_path / "a.csv", index=False)
        shuffled.iloc[150:].to_csv(tmp_path / "b.csv", index=False)
        with monkeypatch.context() as patch:
            patch.setattr("fairaudit.table.BATCH", 17)
            parts = fairaudit.wer(str(tmp_path / "?.csv"), cluster=cluster, **options).to_dict()
        for name in ("estimates", "comparisons", "sums", "records"):
            assert parts[name] == whole[name], name


def test_same_seed_same_audit(frame):
    def audit(seed):
        return fairaudit.wer(frame, by="accent", cluster="speaker", seed=seed).to_json()

    assert audit(0) == audit(0)
    assert audit(0) != audit(1)


def test_overall_row_is_all_records(frame):
    for by in ((), "accent", ["topic", "accent"]):
        audit = fairaudit.wer(frame, by=by, cluster="speaker")
        row = rows(audit)[None, "(all)", "wer"]
        assert (row.records, row.clusters, row.values) == (400, 24, {})
        alone = fairaudit.wer(frame, cluster="speaker")
        assert row == rows(alone)[None, "(all)", "wer"]


def test_crossing_holds_the_records_of_both(frame):
    audit = fairaudit.wer(frame, by="accent:topic", cluster="speaker")
    row = rows(audit)["accent:topic", "us:news", "wer"]
    part = frame[(frame.accent == "us") & (frame.topic == "news")]
    assert row.values == {"accent": "us", "topic": "news"}
    assert row.records == len(part)
    alone = fairaudit.wer(part, cluster="speaker")
    assert row.value == rows(alone)[None, "(all)", "wer"].value
    missing = rows(audit)["accent:topic", "(missing)", "wer"]
    assert missing.records == frame.topic.isna().sum()


def test_missing_is_a_group_outside_comparisons(frame):
    audit = fairaudit.wer(frame, by="topic", cluster="speaker")
    assert rows(audit)["topic", "(missing)", "wer"].records == frame.topic.isna().sum()
    known = fairaudit.wer(frame.dropna(subset="topic"), by="topic", cluster="speaker")
    assert differences(audit) == differences(known)
    assert differences(audit, "gap") == differences(known, "gap")
    assert any("topic: (missing)" in note for note in audit.notes)


def test_small_groups_are_shown_and_named_and_left_out(frame):
    few = frame.copy()
    few.loc[:4, "accent"] = "xx"
    audit = fairaudit.wer(few, by="accent", cluster="speaker", min_n=6)
    assert rows(audit)["accent", "xx", "wer"].ci_low is not None
    assert "xx" not in differences(audit)
    assert all("xx" not in (row.group, row.against) for row in audit.comparisons)
    assert any("accent: xx: fewer than 6 records" in note for note in audit.notes)


def test_a_group_of_one_speaker_has_no_interval(frame):
    one = frame.copy()
    one.loc[one.speaker == "s01", "accent"] = "xx"
    audit = fairaudit.wer(one, by="accent", cluster="speaker")
    row = rows(audit)["accent", "xx", "wer"]
    assert (row.clusters, row.ci_low, row.ci_high) == (1, None, None)
    assert "xx" not in differences(audit)
    assert any("accent: xx: one cluster only" in note for note in audit.notes)


@pytest.mark.parametrize("to", ["best", "largest", "uk"])
def test_compared_to_a_group(frame, to):
    audit = fairaudit.wer(frame, by="accent", cluster="speaker", compare_to=to)
    found = rows(audit)
    value = {g: found["accent", g, "wer"].value for g in ("us", "uk", "in")}
    size = {g: found["accent", g, "wer"].records for g in ("us", "uk", "in")}
    reference = {"best": min(value, key=value.get), "largest": max(size, key=size.get), "uk": "uk"}
    compared = differences(audit)
    assert set(compared) == {"us", "uk", "in"} - {reference[to]}
    for group, row in compared.items():
        assert row.against == ("uk" if to == "uk" else f"({to})")
        assert row.value == pytest.approx(value[group] - value[reference[to]])


def test_p_values_are_adjusted_over_the_groups(frame):
    raw = differences(fairaudit.wer(frame, by="accent", cluster="speaker", correction="none"))
    holm = differences(fairaudit.wer(frame, by="accent", cluster="speaker"))
    smallest = min(raw, key=lambda group: raw[group].p_value)
    assert holm[smallest].p_adjusted == pytest.approx(min(1, 3 * raw[smallest].p_value))
    assert raw[smallest].p_adjusted == raw[smallest].p_value
    assert {row.adjustment for row in holm.values()} == {"holm"}


def test_of_two_groups_there_is_one_comparison(frame):
    two = frame[frame.accent != "in"]
    compared = differences(fairaudit.wer(two, by="accent", cluster="speaker"))
    for row in compared.values():
        assert row.p_adjusted == row.p_value


def test_settings_that_move_numbers_are_in_the_signature(frame):
    signatures = {
        fairaudit.wer(frame, by="accent", **options).signature
        for options in (
            {}, {"metrics": ["wer"]}, {"na": ("a", "b")}, {"na": ("a,b",)}, {"interval": "t"},
            {"confidence": 0.9}, {"normalize": "none"}, {"compare_to": "best"}, {"seed": 1},
            {"resamples": 100}, {"correction": "bh"}, {"missing": "skip"}, {"min_n": 1},
        )
    }  # fmt: skip
    assert len(signatures) == 13


def test_a_column_may_be_binned_and_the_cluster(frame):
    audit = fairaudit.wer(frame, by="age", bins="age=20", cluster="age")
    groups = {row.group: row for row in audit.estimates if row.attribute and row.metric == "wer"}
    assert set(groups) == {"(-inf, 20)", "[20, inf)"}
    assert groups["(-inf, 20)"].clusters == 10


def test_gap_stands_beside_what_chance_gives(frame):
    audit = fairaudit.wer(frame, by="accent", cluster="speaker")
    gap = next(iter(differences(audit, "gap").values()))
    values = [row.value for key, row in rows(audit).items() if key[0::2] == ("accent", "wer")]
    assert gap.value == pytest.approx(max(values) - min(values))
    # No accent differs in these data.
    assert gap.ci_low == 0
    assert gap.p_value > 0.05
    assert 0 < gap.chance < 0.1
    assert gap.minimum_detectable > gap.value
    assert gap.further_clusters > 0


def test_bins(frame):
    audit = fairaudit.wer(frame, by="age", bins="age=15,20", cluster="speaker")
    groups = [row.group for row in audit.estimates if row.attribute and row.metric == "wer"]
    assert sorted(groups) == ["(-inf, 15)", "[15, 20)", "[20, inf)"]
    in_middle = ((frame.age >= 15) & (frame.age < 20)).sum()
    assert rows(audit)["age", "[15, 20)", "wer"].records == in_middle


def test_missing_hypotheses_count_as_deleted(frame):
    silent = frame.copy()
    silent["hypothesis"] = silent["hypothesis"].astype(object)
    silent.loc[:9, "hypothesis"] = None
    empty = silent.fillna({"hypothesis": ""})
    audit = fairaudit.wer(silent)
    assert rows(audit)[None, "(all)", "wer"] == rows(fairaudit.wer(empty))[None, "(all)", "wer"]
    assert any("10 records have no hypothesis" in note for note in audit.notes)
    skipped = fairaudit.wer(silent, missing="skip")
    assert (skipped.records.used, skipped.records.dropped) == (390, {"no hypothesis": 10})


def test_missing_references_are_dropped_and_counted(frame):
    mute = frame.copy()
    mute["reference"] = mute["reference"].astype(object)
    mute.loc[:2, "reference"] = None
    records = fairaudit.wer(mute).records
    assert (records.total, records.used, records.dropped) == (400, 397, {"no reference": 3})


def test_a_group_without_reference_words_is_undefined():
    frame = pd.DataFrame(
        {"reference": ["", "", "a b"], "hypothesis": ["x", "", "a"], "g": ["p", "p", "q"]}
    )
    audit = fairaudit.wer(frame, by="g")
    assert rows(audit)["g", "p", "wer"].value is None
    assert rows(audit)["g", "p", "ser"].value == 0.5
    assert '"value": null' in audit.to_json()
    assert any("nothing to divide by" in note for note in audit.notes)
    assert any("2 records have an empty reference" in note for note in audit.notes)


def test_without_clusters_independence_is_said_to_be_assumed(frame):
    audit = fairaudit.wer(frame, by="accent")
    assert any("independent, as no --cluster" in note for note in audit.notes)
    assert any("--cluster speaker" in note for note in audit.notes)
    assert not any(row.metric == "wer_speaker" for row in audit.estimates)
    wilson = rows(audit)["accent", "us", "ser"]
    from scipy.stats import binomtest

    expected = binomtest(int(wilson.counts["wrong"]), wilson.records).proportion_ci(method="wilson")
    assert (wilson.ci_low, wilson.ci_high) == pytest.approx(tuple(expected))


def test_clustered_intervals_are_those_of_speakers_not_of_calls():
    rng = np.random.default_rng(5)
    lines = []
    for s in range(12):
        rate = rng.uniform(0.02, 0.5)
        for _ in range(50):
            heard = ["a" if rng.random() > rate else "x" for _ in range(10)]
            lines.append(("a " * 10, " ".join(heard), f"s{s}"))
    frame = pd.DataFrame(lines, columns=["reference", "hypothesis", "speaker"])
    widths = []
    for cluster in (None, "speaker"):
        row = rows(fairaudit.wer(frame, cluster=cluster))[None, "(all)", "wer"]
        widths.append(row.ci_high - row.ci_low)
    assert widths[1] > 3 * widths[0]


def test_few_clusters_and_percentiles_carry_a_warning(frame):
    audit = fairaudit.wer(frame, by="accent", cluster="speaker", interval="percentile")
    assert any("percentile intervals are too narrow" in note for note in audit.notes)
    assert any("percentile interval of a gap is biased upward" in note for note in audit.notes)


def test_records_without_a_cluster_are_said_to_be_one(frame):
    lost = frame.copy()
    lost["speaker"] = lost["speaker"].astype(object)
    lost.loc[:4, "speaker"] = None
    audit = fairaudit.wer(lost, by="accent", cluster="speaker")
    assert any("without a speaker" in note for note in audit.notes)


def test_signature_names_every_setting_and_the_data(frame, tmp_path):
    frame.to_csv(tmp_path / "a.csv", index=False)
    audit = fairaudit.wer(
        tmp_path / "a.csv", by="accent", cluster="speaker", where="age > 12", min_n=3, seed=7
    )
    settings = "wer| by:accent cluster:speaker norm:basic min_n:3 int:auto boot:2000 ci:0.95 "
    for part in [*(settings + "corr:holm seed:7 data: v:").split(), "where:age > 12"]:
        assert part in audit.signature
    assert audit.data[0].sha256 in audit.to_json()


def test_no_transcript_and_no_speaker_is_in_the_file(frame):
    text = fairaudit.wer(frame, by="accent", cluster="speaker").to_json()
    assert "three" not in text
    assert '"s01"' not in text


def test_separate_files_with_speakers(frame, tmp_path):
    frame[["id", "reference", "speaker"]].to_csv(tmp_path / "ref.csv", index=False)
    frame[["id", "hypothesis"]].rename(columns={"hypothesis": "text"}).to_json(
        tmp_path / "hyp.jsonl", orient="records", lines=True
    )
    side = frame[["speaker", "accent"]].drop_duplicates()
    side.rename(columns={"speaker": "speaker_id"}).to_csv(tmp_path / "who.csv", index=False)
    apart = fairaudit.wer(
        ref=tmp_path / "ref.csv",
        hyp=tmp_path / "hyp.jsonl",
        speakers=tmp_path / "who.csv",
        by="accent",
        cluster="speaker",
    )
    together = fairaudit.wer(frame, by="accent", cluster="speaker")
    assert apart.estimates == together.estimates
    assert apart.comparisons == together.comparisons
    assert apart.records.ids == together.records.ids
    assert len(apart.data) == 3


def test_the_first_metric_is_the_headline(frame):
    audit = fairaudit.wer(frame, by="accent", metrics=["ser", "wer"])
    assert {row.metric for row in audit.comparisons if row.kind == "pair"} == {"ser"}
    with pytest.raises(FairauditError, match="--metric bleu: expected one of wer"):
        fairaudit.wer(frame, metrics=["bleu"])


def test_frames_of_other_libraries(frame):
    import polars
    import pyarrow

    expected = fairaudit.wer(frame, by="accent").estimates
    for other in (pyarrow.Table.from_pandas(frame), polars.from_pandas(frame)):
        assert fairaudit.wer(other, by="accent").estimates == expected


def test_what_is_no_table():
    with pytest.raises(FairauditError, match="a int cannot be read as a table"):
        fairaudit.wer(3)


def test_separate_frames(frame):
    apart = fairaudit.wer(ref=frame[["id", "reference"]], hyp=frame[["id", "hypothesis"]])
    assert apart.estimates == fairaudit.wer(frame).estimates
