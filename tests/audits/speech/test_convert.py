"""Whatever the format, what is audited is the same: directly, and as the converted table."""

import json

import pandas as pd
import pytest

import fairaudit
from fairaudit.audits.speech.convert import convert
from fairaudit.audits.speech.transcripts import Transcripts
from fairaudit.exceptions import FairauditError
from tests.test_published import edacc

SUFFIXES = [".csv", ".tsv", ".jsonl", ".parquet"]


def source(data=None, ref=None, hyp=None, speakers=None, missing="error", match="exact"):
    columns = (None, None, None, None)
    return Transcripts(data, ref, hyp, speakers, *columns, missing, match)


def found(audit):
    """What an audit found, but for where it stood."""
    content = audit.to_dict()
    return {name: content[name] for name in ("estimates", "comparisons", "sums")}


def same_when_converted(transcripts, tmp_path, suffix=".csv", **options):
    options["resamples"] = 100
    direct = fairaudit.wer(
        transcripts.data,
        ref=transcripts.ref,
        hyp=transcripts.hyp,
        speakers=transcripts.speakers,
        missing=transcripts.missing,
        match_id=transcripts.match_id,
        **options,
    )
    done = convert(transcripts, tmp_path / f"tidy{suffix}")
    tidy = fairaudit.wer(done.path, **options)
    assert found(tidy) == found(direct)
    assert tidy.records.used == direct.records.used
    return direct


def value(audit, group="(all)", metric="wer"):
    return next(r for r in audit.estimates if (r.group, r.metric) == (group, metric))


def percents(audit, attribute):
    rows = [r for r in audit.estimates if r.attribute == attribute and r.metric == "wer"]
    return {row.group: round(100 * row.value, 1) for row in rows if row.value is not None}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_sclites_own_trn_test_comes_out_as_sclite_says(data, tmp_path, suffix):
    folder = data / "speech" / "sclite"
    pair = source(ref=f"{folder}/csrnab.ref", hyp=f"{folder}/csrnab.hyp")
    options = {"by": "speaker", "cluster": "speaker", "normalize": "case"}
    audit = same_when_converted(pair, tmp_path, suffix, **options)
    # csrnab.sclite-sys.txt
    assert value(audit).n == 1406
    assert round(100 * value(audit).value, 1) == 12.0
    assert percents(audit, "speaker") == {"4t0": 18.6, "4t1": 7.2, "4t2": 11.1}
    assert round(100 * value(audit, metric="ser").value, 1) == 74.5


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_stm_with_ctm_by_its_labels(data, tmp_path, suffix):
    folder = data / "speech" / "sclite"
    pair = source(ref=f"{folder}/lvc_ref.stm", hyp=f"{folder}/lvc_hyp.ctm")
    options = {"by": ["label1", "alternations"], "cluster": "speaker", "normalize": "case"}
    audit = same_when_converted(pair, tmp_path, suffix, **options)
    # sclite 2.10, -i swb -o lur: O 52.7, WA [1309] 49.7, NA [470] 60.9.
    assert percents(audit, "label1") == {"Overall": 52.7}
    assert percents(audit, "alternations") == {"With Alt": 49.7, "NO Alt": 60.9}
    assert (value(audit, "With Alt").n, value(audit, "NO Alt").n) == (1309, 470)
    assert any("words in no segment" in note for note in audit.notes)


def test_common_voice_joined_on_the_stem(data, tmp_path):
    folder = data / "speech" / "artie"
    hyp = folder / "predictions" / "deepspeech" / "v0-7-3.tsv"
    pair = source(ref=folder / "artie-bias-corpus.tsv", hyp=hyp, match="stem")
    audit = same_when_converted(pair, tmp_path, by=["gender", "accent"], cluster="speaker")
    assert audit.records.used == 1712


def test_edacc_as_a_kaldi_data_directory(data, tmp_path):
    frame, published = edacc(data, "parakeet-tdt-0.6b-v3")
    folder = tmp_path / "test"
    folder.mkdir()
    # Kaldi's ids are sorted and begin with the speaker.
    frame["utt"] = frame.speaker + "-" + frame.utt_id
    frame = frame.sort_values("utt")

    def lines(path, rows):
        path.write_text("".join(f"{a} {b}\n" for a, b in rows))

    one_line = frame.ref_raw.str.split().str.join(" ")
    lines(folder / "text", zip(frame.utt, one_line, strict=True))
    lines(folder / "utt2spk", zip(frame.utt, frame.speaker, strict=True))
    accents = frame.drop_duplicates("speaker")
    underscored = accents.accent.str.replace(" ", "_")
    lines(folder / "spk2accent", zip(accents.speaker, underscored, strict=True))
    heard = frame.hyp_raw.str.split().str.join(" ")
    lines(tmp_path / "hyp.txt", zip(frame.utt, heard, strict=True))
    pair = source(ref=folder / "text", hyp=f"kaldi:{tmp_path / 'hyp.txt'}")
    options = {"by": "accent", "cluster": "speaker", "normalize": "whisper-en"}
    audit = same_when_converted(pair, tmp_path, **options)
    assert len(audit.data) == 4
    for name, expected in published["metrics"]["per_group"].items():
        row = value(audit, name.replace(" ", "_"))
        assert round(row.value, 12) == round(expected["wer"], 12)
        assert row.clusters == expected["n_speakers"]


def test_edacc_as_a_nemo_manifest(data, tmp_path):
    frame, published = edacc(data, "whisper-small")
    rows = [
        {
            "audio_filepath": f"wav/{row.utt_id}.wav",
            "text": row.ref_raw,
            "pred_text": row.hyp_raw,
            "speaker": row.speaker,
            "accent": row.accent,
            # Free metadata, a number among them: a slot to cut into bins.
            "duration": 0.5 + len(row.ref_raw) / 15,
        }
        for row in frame.itertuples()
    ]
    manifest = tmp_path / "manifest.json"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = {
        "by": ["accent", "duration"],
        "bins": "duration=2,5,10",
        "cluster": "speaker",
        "normalize": "whisper-en",
    }
    audit = same_when_converted(source(data=manifest), tmp_path, **options)
    for name, expected in published["metrics"]["per_group"].items():
        assert round(value(audit, name).value, 12) == round(expected["wer"], 12)
    assert value(audit, "[2, 5)").records > 0


def test_ivie_as_seglst(data, tmp_path):
    path = data / "speech" / "ivie" / "ivie.csv"
    frame = pd.read_csv(path, keep_default_na=False)
    frame = frame[frame.system == "amazon"]
    for side, column in (("ref", "reference"), ("hyp", "hypothesis")):
        rows = [
            {
                "session_id": row.file,
                "speaker": row.file,
                "start_time": 0,
                "end_time": 1,
                "words": getattr(row, column),
                "sex": row.sex,
            }
            for row in frame.itertuples()
        ]
        (tmp_path / f"{side}.seglst.json").write_text(json.dumps(rows))
    pair = source(ref=tmp_path / "ref.seglst.json", hyp=tmp_path / "hyp.seglst.json")
    options = {"by": "sex", "cluster": "speaker", "normalize": "none"}
    audit = same_when_converted(pair, tmp_path, **options)
    assert percents(audit, "sex") == {"f": 14.6, "m": 17.0}


def test_every_fact_keeps_its_column(tmp_path):
    (tmp_path / "a.csv").write_text(
        "utt_id,transcript,pred_text,spk,Reference,note\nu1,a b,a,s1,other,\nu2,c,c,s2,,x\n"
    )
    columns = ("transcript", None, None, None)
    transcripts = Transcripts(tmp_path / "a.csv", None, None, None, *columns, "error", "exact")
    done = convert(transcripts, tmp_path / "b.csv")
    assert done.columns == ("id", "speaker", "reference", "hypothesis", "Reference_", "note")
    text = done.path.read_text()
    assert text.splitlines()[1] == 'u1,s1,a b,a,other,""'
    assert done.records == 2


def test_nothing_is_written_where_something_is_wrong(tmp_path):
    table = tmp_path / "a.csv"
    table.write_text("id,reference,hypothesis\nu1,a,a\n")
    with pytest.raises(FairauditError, match="is what was read"):
        convert(source(data=table), table)
    with pytest.raises(FairauditError, match=r"ends in \.csv, \.tsv, \.jsonl, \.parquet"):
        convert(source(data=table), tmp_path / "b.xlsx")
    (tmp_path / "bad.csv").write_text("id,reference,hypothesis\nu1,a,a\nu2,a\n")
    with pytest.raises(FairauditError, match="line 3"):
        convert(source(data=tmp_path / "bad.csv"), tmp_path / "c.csv")
    with pytest.raises(FairauditError, match="cannot be written"):
        convert(source(data=table), tmp_path / "nowhere" / "c.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "bad.csv"]


BAD = [
    ("r.trn", "a { b / c (u-1)\n", "h.trn", "a (u-1)\n", r"r\.trn, line 1: .*brace"),
    ("r.trn", "a (u-1)\nb (u-1)\n", "h.trn", "a (u-1)\n", r"r\.trn, line 2: .*u-1"),
    ("r.stm", "f A s 0 1 <O> a\n", "h.ctm", "f A x 0.1 a\n", r"h\.ctm, line 1: .*x"),
    ("r.stm", "f A s 0 1 a\ng A s 0 1 b\n", "h.ctm", "f A 0.1 0.1 a\n", r"r\.stm, line 2: "),
    ("r.json", '{"id": 1, "text": "a", "pred_text": "a"}\n{"id"\n', None, "", r"json, line 2: "),
]


@pytest.mark.parametrize(("ref", "said", "hyp", "heard", "message"), BAD)
def test_bad_input_is_named_by_file_and_line(tmp_path, ref, said, hyp, heard, message):
    (tmp_path / ref).write_text(said)
    if hyp is None:
        pair = {"data": tmp_path / ref}
    else:
        (tmp_path / hyp).write_text(heard)
        pair = {"ref": tmp_path / ref, "hyp": tmp_path / hyp}
    with pytest.raises(FairauditError, match=message):
        fairaudit.wer(**pair)
    with pytest.raises(FairauditError, match=message):
        convert(source(**pair), tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()
