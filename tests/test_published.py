"""Published results are tests: real data, with the numbers that their authors printed."""

import csv
import json

import jiwer
import pandas as pd
import pytest

import fairaudit

EDACC = ["parakeet-tdt-0.6b-v3", "parakeet-tdt-0.6b-v2", "whisper-small"]


def edacc(data, model):
    """Transcripts prepared as their authors did, and their published numbers."""
    folder = data / "speech" / "edacc"
    rows = (folder / model / "transcripts.jsonl").read_text().splitlines()
    frame = pd.DataFrame([json.loads(row) for row in rows])
    groups = json.loads((folder / "groups.json").read_text())["groups"]
    dropped = frame.ref_raw.isin(["IGNORE_TIME_SEGMENT_IN_SCORING"])
    dropped |= frame.ref_raw.str.contains("<FOREIGN>")
    frame = frame[~dropped & frame.accent.isin(list(groups))].copy()
    for column in ("ref_raw", "hyp_raw"):
        frame[column] = frame[column].fillna("").str.replace(r"<[A-Z_]+>", "", regex=True)
    return frame, json.loads((folder / model / "summary.json").read_text())


@pytest.mark.parametrize("model", EDACC)
def test_edacc_word_error_rates_and_percentile_gap(data, model):
    frame, published = edacc(data, model)
    audit = fairaudit.wer(
        frame[["utt_id", "speaker", "accent", "ref_raw", "hyp_raw"]],
        by="accent",
        cluster="speaker",
        ref_column="ref_raw",
        hyp_column="hyp_raw",
        normalize="whisper-en",
        interval="percentile",
        resamples=4000,
        metrics=["wer"],
    )
    groups = {row.group: row for row in audit.estimates if row.attribute == "accent"}
    expected = published["metrics"]["per_group"]
    assert set(groups) == set(expected)
    for name, group in groups.items():
        assert round(group.value, 12) == round(expected[name]["wer"], 12)
        assert group.n == expected[name]["ref_words"]
        assert group.records == expected[name]["n_utterances"]
        assert group.clusters == expected[name]["n_speakers"]
    gap = next(row for row in audit.comparisons if row.kind == "gap")
    theirs = published["bootstrap"]["gap_max_minus_min"]
    assert round(gap.value, 12) == round(theirs["point"], 12)
    # 1,000 draws of theirs: the limits' own standard error is about a tenth of the width.
    width = theirs["ci_high"] - theirs["ci_low"]
    assert abs(gap.ci_low - theirs["ci_low"]) < 0.08 * width
    assert abs(gap.ci_high - theirs["ci_high"]) < 0.08 * width


def test_ivie_files_as_sclite_scores_them(data):
    path = data / "speech" / "ivie" / "ivie.csv"
    with path.open() as file:
        published = {(row["system"], row["file"]): row for row in csv.DictReader(file)}
    exceptions = []
    for system in ("amazon", "google"):
        audit = fairaudit.wer(
            path, by="file", where=f"system = '{system}'", normalize="none", metrics=["wer"]
        )
        for row in audit.estimates:
            if row.attribute is None:
                continue
            theirs = published.pop((system, row.group))
            assert row.n == float(theirs["sclite_words"])
            # Percent with one decimal; the half is for rounding.
            if abs(100 * row.value - float(theirs["sclite_err"])) > 0.05 + 1e-9:
                exceptions.append((system, row.group, round(100 * row.value, 1)))
    assert not published
    # sclite's 4/3/3 weights find an alignment with one error more than the fewest.
    assert exceptions == [("google", "liv-rea1-f5", 41.8)]


def test_ivie_groups(data):
    audit = fairaudit.wer(
        data / "speech" / "ivie" / "ivie.csv",
        by=["sex", "dialect"],
        cluster="file",
        where="system = 'amazon'",
        normalize="none",
        metrics=["wer"],
    )
    found = {row.group: round(100 * row.value, 1) for row in audit.estimates}
    assert (found["f"], found["m"], found["b"], found["c"]) == (14.6, 17.0, 20.3, 11.4)


@pytest.mark.parametrize(
    "prediction",
    ["deepspeech/v0-5-1", "google/en-US/dec-4-2019", "amazon/en-US/dec-9-2019"],
)
def test_artie_joined_on_the_file_stem(data, prediction):
    folder = data / "speech" / "artie"
    hypotheses = folder / "predictions" / f"{prediction}.tsv"
    audit = fairaudit.wer(
        ref=folder / "artie-bias-corpus.tsv",
        hyp=hypotheses,
        match_id="stem",
        by=["gender", "accent"],
        cluster="speaker",
        normalize="none",
        metrics=["wer"],
    )
    assert (audit.records.total, audit.records.used) == (1712, 1712)
    assert audit.settings["cluster"] == "client_id"
    said = pd.read_csv(folder / "artie-bias-corpus.tsv", sep="\t", keep_default_na=False)
    heard = pd.read_csv(hypotheses, sep="\t", keep_default_na=False)
    said["stem"], heard["stem"] = (
        frame.path.str.replace(r"\.\w+$", "", regex=True) for frame in (said, heard)
    )
    both = said.merge(heard, on="stem")
    groups = {(row.attribute, row.group): row for row in audit.estimates}
    for attribute in ("gender", "accent"):
        for name, part in both.groupby(attribute):
            row = groups[attribute, "(missing)" if name == "NA" else name]
            theirs = jiwer.process_words(part.sentence.tolist(), part.prediction.tolist())
            assert row.value == pytest.approx(theirs.wer, rel=1e-12)
            assert row.records == len(part)
            assert row.clusters == part.client_id.nunique()
