import csv
import io
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import types

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import soundfile
import soxr
import torch
from transformers import GPT2Config, GPT2LMHeadModel

import fairaudit
from fairaudit.exceptions import FairauditError
from fairaudit.lm import checkpoints, recognizers
from fairaudit.lm.journal import Journal
from fairaudit.lm.recognizers import Recognizer
from fairaudit.lm.transcribe import transcribe
from tests.conftest import ROOT
from tests.lm import models

RATE = 16_000
# On tiny matrices more threads only wait for each other.
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Tiny models by name."""
    place = tmp_path_factory.mktemp("models")
    models.wav2vec2(place / "masked")
    models.wav2vec2(place / "unmasked", norm="group")
    models.wav2vec2(place / "headless", head=False)
    models.whisper(place / "whisper")
    models.whisper(place / "stamping", quiet=False)
    return place


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*arguments, **options):
        pytest.fail("the network was used")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def sweep(number, seconds, rate=RATE):
    """A tone that rises, with some noise: no two of them sound alike."""
    time = np.arange(int(seconds * rate)) / rate
    noise = np.random.default_rng(number).normal(size=len(time)) * (0.05 + 0.03 * number)
    return (0.3 * np.sin(2 * np.pi * (200 + 90 * number + 150 * time) * time) + noise).clip(-1, 1)


LENGTHS = (0.4, 1.0, 1.5, 0.7, 1.9, 0.4, 1.2)


@pytest.fixture
def corpus(tmp_path):
    """Seven recordings of several lengths, rates and formats, and their table."""
    (tmp_path / "clips").mkdir()
    rows = []
    for number, seconds in enumerate(LENGTHS):
        rate = (8_000, 16_000, 44_100)[number % 3]
        name = f"clips/{number}.{'flac' if number % 2 else 'wav'}"
        soundfile.write(tmp_path / name, sweep(number, seconds, rate), rate)
        rows.append([f"u{number}", name, f"abc {number}", "us" if number % 2 else "uk"])
    table = tmp_path / "calls.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([["id", "audio", "reference", "accent"], *rows])
    return table


def cells(path, delimiter=","):
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def hypotheses(path):
    return [row["hypothesis"] for row in cells(path)]


@pytest.fixture
def run(corpus, folder):
    def start(model="masked", output=None, table=corpus, **options):
        output = corpus.with_name("out.csv") if output is None else output
        return transcribe(table, model=folder / model, output=output, device="cpu", **options)

    return start


def wrong(run, *arguments, **options):
    with pytest.raises(FairauditError) as caught:
        run(*arguments, **options)
    return str(caught.value)


# What is said


def frames(model, sound):
    """Most likely letter of each frame, by the model alone."""
    sound = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)
    with torch.no_grad():
        return model(torch.tensor(sound, dtype=torch.float32)[None]).logits[0].argmax(-1).tolist()


def spelled(ids):
    """CTC by hand: repetitions once, blanks out, `|` between words."""
    letters = (models.LETTERS[id] for id, _ in itertools.groupby(ids) if id)
    return " ".join("".join(letters).replace("|", " ").split())


def ctc(folder, sound):
    from transformers import Wav2Vec2ForCTC

    return frames(Wav2Vec2ForCTC.from_pretrained(folder).eval(), sound)


@pytest.mark.parametrize("model", ["masked", "unmasked"])
def test_ctc_against_decoding_by_hand(model, run, corpus, folder):
    result = run(model)
    assert (result.total, result.done, result.failed, result.resumed) == (7, 7, (), 0)
    for number, row in enumerate(cells(result.path)):
        sound, rate = soundfile.read(corpus.parent / row["audio"], dtype="float32")
        expected = spelled(ctc(folder / model, soxr.resample(sound, rate, RATE)))
        assert row["hypothesis"] == expected, number
        assert len(expected) > 3
    assert len(set(hypotheses(result.path))) == 7


def test_ctc_longer_than_a_piece(folder):
    # Pieces of 30 s every 20 s; of each the middle 20 s count, at the ends of the sound all.
    sound = sweep(3, 64).astype(np.float32)
    per, third = 30 * 50, 5 * 50
    pieces = [ctc(folder / "masked", sound[s * RATE : (s + 30) * RATE]) for s in (0, 20, 40)]
    expected = pieces[0][: per - third] + pieces[1][third : per - third] + pieces[2][third:]
    text = Recognizer(folder / "masked", "tiny").transcribe([sound])[0]
    assert text == spelled(expected)
    assert text != spelled(ctc(folder / "masked", sound))


def greedy(folder, sound, steps):
    """Whisper by hand: the most likely letter, again and again."""
    from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration

    model = WhisperForConditionalGeneration.from_pretrained(folder).eval()
    extractor = WhisperFeatureExtractor.from_pretrained(folder)
    features = extractor(sound, sampling_rate=RATE, return_tensors="pt").input_features
    ids = [18, 19, 22, 26]  # <|startoftranscript|><|en|><|transcribe|><|notimestamps|>
    while len(ids) < 4 + steps and ids[-1] != 17:
        with torch.no_grad():
            logits = model(features, decoder_input_ids=torch.tensor([ids])).logits[0, -1]
        ids.append(int(logits[:27].argmax()))
    return "".join(" abcdefghijklmnop"[id] for id in ids if id < 17)


def test_whisper_against_greedy_decoding_by_hand(run, corpus, folder):
    result = run("whisper", language="english", task="transcribe")
    for number, row in enumerate(cells(result.path)):
        sound, rate = soundfile.read(corpus.parent / row["audio"], dtype="float32")
        sound = soxr.resample(sound, rate, RATE)
        # Earlier versions of transformers count the four tokens of the prompt in the length.
        texts = {" ".join(greedy(folder / "whisper", sound, n).split()) for n in (12, 16)}
        assert row["hypothesis"] in texts, number
        assert len(row["hypothesis"]) > 3
    assert len(set(hypotheses(result.path))) > 2


def test_whisper_longer_than_its_window(folder):
    from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration

    model = WhisperForConditionalGeneration.from_pretrained(folder / "stamping").eval()
    extractor = WhisperFeatureExtractor.from_pretrained(folder / "stamping")
    sound = sweep(2, 7).astype(np.float32)
    whole = {"truncation": False, "padding": "longest", "return_attention_mask": True}
    heard = extractor(sound, sampling_rate=RATE, return_tensors="pt", **whole)
    ids = model.generate(**heard, return_timestamps=True, language="en", num_beams=1)[0].tolist()
    expected = "".join(" abcdefghijklmnop"[id] for id in ids if id < 17)
    # Beside a short one, which must not be decoded as if it were long.
    short = sweep(4, 1.5).astype(np.float32)
    recognizer = Recognizer(folder / "stamping", "tiny", language="en")
    first, second = recognizer.transcribe([sound, short])
    assert first == " ".join(expected.split())
    assert len(first) > 10
    assert second == recognizer.transcribe([short])[0]


@pytest.mark.parametrize("model", ["masked", "unmasked", "whisper"])
def test_batch_size_changes_nothing(model, run, corpus):
    results = [
        run(model, corpus.with_name(f"{size}.csv"), batch_size=size).path.read_text()
        for size in (1, 3, 8)
    ]
    assert results[0] == results[1] == results[2]


def test_the_padding_of_the_pipeline_would_change_transcripts(folder):
    # Why models other than Whisper hear one recording at a time.
    recognizer = Recognizer(folder / "masked", "tiny")
    sounds = [sweep(i, seconds).astype(np.float32) for i, seconds in enumerate(LENGTHS)]
    padded = recognizer._pipeline(sounds, batch_size=len(sounds))
    assert [answer["text"] for answer in padded] != recognizer.transcribe(sounds)


def test_language_changes_what_whisper_hears(run, corpus):
    english = run("whisper", corpus.with_name("en.csv"), language="en")
    german = run("whisper", corpus.with_name("de.csv"), language="German")
    assert hypotheses(english.path) != hypotheses(german.path)


def test_other_precision(run, corpus):
    assert run(dtype="bfloat16", output=corpus.with_name("b.csv")).done == 7


# What is written


def test_output_goes_straight_to_the_audit(run, corpus):
    result = run()
    audit = fairaudit.wer(str(result.path), by="accent")
    assert audit.records.used == 7
    assert audit.settings["hyp"] == "hypothesis"
    before, after = cells(corpus), cells(result.path)
    assert list(after[0]) == [*before[0], "hypothesis", "transcribe_error"]
    assert [{k: row[k] for k in before[0]} for row in after] == before


ODD = ['say "hi", now', "two\nlines", "", "NA", " 007 ", "\u00e9\u4e2d\U0001f600", "=1+1"]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
@pytest.mark.parametrize("source", ["csv", "jsonl", "parquet", "frame"])
def test_other_columns_are_carried_through(source, suffix, run, corpus):
    columns = {
        "file": [row["audio"] for row in cells(corpus)],
        "note": ODD,
        "empty": [None, "a", None, "", "b", "c", "d"],
        "age": [18, 20, 2**53 + 1, -1, 0, 7, 8],
        "share": [0.1, 1e-7, 1.5, 2.0, 3.25, 1e22, 0.0],
        "tags": [["a"], [], ["b", "c"], ["d"], [], [], ["\u00e9"]],
    }
    if source == "csv":
        columns = {name: columns[name] for name in ("file", "note")}
    table, options = _written(source, columns, corpus)
    result = run(table=table, output=corpus.with_name(f"out{suffix}"), **options)
    if suffix == ".jsonl":
        rows = [json.loads(line) for line in result.path.read_text().splitlines()]
        assert {name: [row[name] for row in rows] for name in columns} == columns
        assert all(row["transcribe_error"] is None for row in rows)
    else:
        rows = cells(result.path, "\t" if suffix == ".tsv" else ",")
        assert [row["note"] for row in rows] == ODD
        assert [row["file"] for row in rows] == columns["file"]
        for name in set(columns) & {"age", "share"}:
            assert [float(row[name]) for row in rows] == [float(x) for x in columns[name]]
    assert all(row["hypothesis"] for row in rows)
    assert fairaudit.wer(str(result.path), ref_column="note").records.total == 7


def _written(source, columns, corpus):
    """A table with these columns in a format, and the options to read it."""
    path = corpus.with_name(f"in.{source}")
    if source == "csv":
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([columns, *zip(*columns.values(), strict=True)])
    elif source == "jsonl":
        rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif source == "parquet":
        pyarrow.parquet.write_table(pa.table(columns), path)
    else:
        return pa.table(columns), {"audio_root": corpus.parent}
    return path, {}


def test_numbers_that_json_has_not_become_null(run, corpus):
    odd = pa.array([float("nan"), float("inf")])
    frame = pa.table({"audio": ["clips/0.wav"] * 2, "x": odd})
    result = run(table=frame, output=corpus.with_name("o.jsonl"), audio_root=corpus.parent)
    rows = [json.loads(line) for line in result.path.read_text().splitlines()]
    assert [row["x"] for row in rows] == [None, None]


def test_a_name_twice_in_the_header(run, corpus):
    table = corpus.with_name("twice.csv")
    table.write_text("audio,note,note\nclips/0.wav,a,b\n")
    result = run(table=table)
    with result.path.open() as file:
        assert next(csv.reader(file))[:3] == ["audio", "note", "note"]
    message = wrong(run, table=table, output=corpus.with_name("o.jsonl"))
    assert "column 'note' stands twice" in message


def test_absolute_paths_and_a_root(run, corpus, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    table = elsewhere / "t.csv"
    table.write_text(f"path\n{corpus.parent}/clips/0.wav\n")
    assert run(table=table, output=elsewhere / "a.csv").done == 1
    table.write_text("path\n0.wav\n")
    assert run(table=table, output=elsewhere / "b.csv", audio_root=corpus.parent / "clips").done
    assert "no such file" in wrong(run, table=table, output=elsewhere / "c.csv")


def test_a_nul_or_line_break_in_a_transcript_breaks_no_table(run, corpus, monkeypatch):
    monkeypatch.setattr(
        recognizers, "_one_line", lambda text, real=recognizers._one_line: real(" a\0b\r\n c ")
    )
    assert set(hypotheses(run().path)) == {"a b c"}


def test_progress(run):
    told = []
    run(batch_size=3, progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 7), (3, 7), (6, 7), (7, 7)]


# What is broken


def spoil(corpus):
    (corpus.parent / "clips/1.flac").write_text("this is no sound")
    whole = (corpus.parent / "clips/4.wav").read_bytes()
    (corpus.parent / "clips/4.wav").write_bytes(whole[:24] + bytes(4) + whole[28:])
    (corpus.parent / "clips/5.flac").unlink()


def test_a_broken_recording_stops_the_work_and_what_is_done_is_kept(run, corpus):
    spoil(corpus)
    shutil.copy(corpus.parent / "clips/3.flac", corpus.parent / "clips/5.flac")
    message = wrong(run, batch_size=3)
    assert "calls.csv, row 2 (u1, clips/1.flac): cannot be read as WAV, FLAC, OGG" in message
    assert "--on-error skip" in message
    journal = corpus.with_name("out.csv.partial")
    assert f"What is done is kept in {journal}" in message
    assert not corpus.with_name("out.csv").exists()
    assert len(journal.read_text().splitlines()) == 3  # what it is, and rows 1 and 3
    result = run(on_error="skip")
    assert (result.done, result.resumed) == (5, 2)


def test_a_missing_file_is_told_before_the_model_is_loaded(run, corpus, monkeypatch):
    spoil(corpus)
    (corpus.parent / "clips/6.wav").unlink()
    monkeypatch.setattr(recognizers, "_load", lambda *arguments: pytest.fail("loaded"))
    message = wrong(run)
    assert "row 6 (u5, clips/5.flac): no such file. (1 more like it.)" in message
    assert not list(corpus.parent.glob("out.csv*"))


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_skipped_recordings_keep_their_rows(suffix, run, corpus):
    clean = {row["id"]: row["hypothesis"] for row in cells(run().path)}
    spoil(corpus)
    output = corpus.with_name(f"skipped.{suffix}")
    result = run(output=output, on_error="skip", batch_size=2)
    assert (result.total, result.done) == (7, 4)
    assert [(f.row, f.id, f.path) for f in result.failed] == [
        (2, "u1", "clips/1.flac"),
        (5, "u4", "clips/4.wav"),
        (6, "u5", "clips/5.flac"),
    ]
    reasons = [failure.reason for failure in result.failed]
    assert "Format not recognised" in reasons[0]
    assert "sample rate of 0 Hz" in reasons[1]
    assert reasons[2] == "no such file"
    lines = output.read_text().splitlines()
    rows = cells(output) if suffix == "csv" else [json.loads(line) for line in lines]
    nothing = "" if suffix == "csv" else None
    assert [row["id"] for row in rows] == [f"u{i}" for i in range(7)]
    broken = {"u1": reasons[0], "u4": reasons[1], "u5": reasons[2]}
    for row in rows:
        assert row["hypothesis"] == (nothing if row["id"] in broken else clean[row["id"]])
        assert row["transcribe_error"] == broken.get(row["id"], nothing)
    message = result.lines()
    assert message[0].startswith("row 2 (u1, clips/1.flac): cannot be read")
    assert message[3] == f"{output}: 4 of 7 recordings transcribed."
    condition = message[4].split('--where "')[1].rstrip('"')
    assert fairaudit.wer(str(output), where=condition).records.used == 4
    assert not list(corpus.parent.glob("*.partial"))


def test_too_short_for_the_model(run, corpus):
    soundfile.write(corpus.parent / "clips/0.wav", np.zeros(399), RATE)
    assert "too short: 0.0249 s; the model needs 0.0250 s" in wrong(run)
    soundfile.write(corpus.parent / "clips/0.wav", np.zeros(400), RATE)
    assert run().done == 7


def test_whisper_takes_the_shortest(run, corpus):
    soundfile.write(corpus.parent / "clips/0.wav", np.zeros(1), RATE)
    assert run("whisper").done == 7


def test_blank_path(run, corpus):
    table = corpus.with_name("t.jsonl")
    table.write_text('{"audio": null}\n{"audio": ""}\n{"audio": "clips/0.wav"}\n')
    result = run(table=table, on_error="skip")
    assert [f.reason for f in result.failed] == ["no path in column 'audio'"] * 2


def test_when_no_recording_can_be_used(run, corpus):
    message = wrong(run, audio_root="/nowhere", on_error="skip")
    assert "none of the 7 recordings can be used. The first: row 1 (u0, clips/0.wav): no such" in (
        message
    )
    assert not list(corpus.parent.glob("out.csv*"))


def test_many_failures_are_summed_up(run, corpus):
    table = corpus.with_name("t.csv")
    table.write_text("audio\nclips/0.wav\n" + "none.wav\n" * 30)
    lines = run(table=table, on_error="skip").lines()
    assert lines[19] == "row 21 (none.wav): no such file"
    assert lines[20] == "... and 10 more: see the column transcribe_error"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("audio,path\na,b\n", "several columns could be the recordings: audio, path. Say which"),
        ("sound\na\n", "no column of recordings. Columns: sound. Say which: --audio-column NAME"),
        ("audio\n", "no records"),
        ("audio,Hypothesis\na,b\n", "has a column 'Hypothesis' already"),
        ("audio,transcribe_error\na,b\n", "has a column 'transcribe_error' already"),
    ],
)
def test_tables_that_cannot_be(content, expected, run, corpus):
    table = corpus.with_name("t.csv")
    table.write_text(content)
    assert expected in wrong(run, table=table)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"audio_column": "sound"}, "no column 'sound'"),
        ({"id_column": "speaker"}, "no column 'speaker'"),
        ({"dtype": "int8"}, "--dtype int8: expected one of float32, float16, bfloat16"),
        ({"task": "sing"}, "--task sing: expected one of transcribe, translate"),
        ({"on_error": "shrug"}, "--on-error shrug: expected one of stop, skip"),
        ({"batch_size": 0}, "--batch-size 0: expected 1 or more"),
        ({"language": "en"}, "are for Whisper models; this one is wav2vec2"),
        ({"language": "xx", "model": "whisper"}, "--language xx: not a language of"),
    ],
)
def test_arguments_that_cannot_be(options, expected, run, corpus):
    assert expected in wrong(run, **options)
    assert not list(corpus.parent.glob("out.csv*"))


def test_outputs_that_cannot_be(run, corpus):
    assert "ends in .csv, .tsv or .jsonl" in wrong(run, output=corpus.with_name("out.txt"))
    corpus.with_name("folder.csv").mkdir()
    assert "not a regular file" in wrong(run, output=corpus.with_name("folder.csv"))
    assert "is what was read" in wrong(run, output=corpus)
    assert "cannot be written: No such" in wrong(run, output=corpus.parent / "no" / "out.csv")


def test_tables_in_several_folders_need_a_root(run, corpus):
    other = corpus.with_name("clips") / "more.csv"
    shutil.copy(corpus, other)
    assert "Say what their paths are relative to" in wrong(run, table=[corpus, other])
    assert run(table=[corpus, other], audio_root=corpus.parent).done == 14


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "mps"])
def test_unknown_devices(device, folder):
    with pytest.raises(FairauditError, match="expected auto, cpu, cuda or cuda:N"):
        Recognizer(folder / "masked", "tiny", device=device)


def test_a_gpu_that_is_not_there(folder):
    with pytest.raises(FairauditError, match="--device cuda:99: PyTorch finds"):
        Recognizer(folder / "masked", "tiny", device="cuda:99")


def test_graphics_memory_that_does_not_suffice(run, corpus, monkeypatch):
    def burst(*arguments, **options):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("transformers.AutomaticSpeechRecognitionPipeline.__call__", burst)
    assert "Lower --batch-size" in wrong(run)


# What is interrupted


@pytest.fixture
def heard(monkeypatch):
    """How many recordings the model was given."""
    sounds = []
    real = Recognizer.transcribe

    def spy(self, batch):
        sounds.extend(batch)
        return real(self, batch)

    monkeypatch.setattr(Recognizer, "transcribe", spy)
    return sounds


KILLED = """
import os, sys
from fairaudit.lm.transcribe import transcribe
table, model, output = sys.argv[1:]
def report(done, total):
    if done == 4:
        os.kill(os.getpid(), 9)
transcribe(table, model=model, output=output, device="cpu", batch_size=2, progress=report)
"""


def test_killed_and_resumed(run, corpus, folder, heard):
    whole = run(output=corpus.with_name("whole.csv")).path.read_bytes()
    output = corpus.with_name("out.csv")
    arguments = [corpus, folder / "masked", output]
    done = subprocess.run([sys.executable, "-c", KILLED, *map(str, arguments)], cwd=ROOT)
    assert done.returncode == -9
    assert not output.exists()
    journal = corpus.with_name("out.csv.partial")
    with journal.open("ab") as file:
        file.write(b'{"row": 4, "resu')  # as a kill in the middle of writing leaves it
    heard.clear()
    result = run()
    assert (result.resumed, result.done, len(heard)) == (4, 7, 3)
    assert output.read_bytes() == whole
    assert not journal.exists()
    assert f"{output}: 7 of 7 recordings transcribed, 4 of them by an interrupted run." in (
        result.lines()
    )


def interrupt(run, after=2, **options):
    """Press Ctrl-C after some recordings."""

    def report(done, total):
        if done == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(batch_size=1, progress=report, **options)


def test_interrupted_again_and_again(run, corpus, heard):
    whole = run(output=corpus.with_name("whole.csv")).path.read_bytes()
    heard.clear()
    for after in (1, 3, 4, 7):
        interrupt(run, after)
    result = run()
    assert (result.resumed, len(heard)) == (7, 7)
    assert result.path.read_bytes() == whole


def test_half_a_line_spoils_none_that_follow(run, corpus):
    interrupt(run, 2)
    with corpus.with_name("out.csv.partial").open("ab") as file:
        file.write(b'{"row": 4, "resu')
    interrupt(run, 4)
    assert run().resumed == 4


def test_interrupted_before_anything_was_done(run, corpus):
    interrupt(run, 0)
    assert not list(corpus.parent.glob("out.csv*"))


def test_what_failed_is_tried_again(run, corpus):
    kept = (corpus.parent / "clips/1.flac").read_bytes()
    spoil(corpus)
    interrupt(run, 4, on_error="skip")
    (corpus.parent / "clips/1.flac").write_bytes(kept)
    assert [failure.row for failure in run(on_error="skip").failed] == [5, 6]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"model": "unmasked"}, "another --model"),
        ({"dtype": "bfloat16"}, "another --dtype"),
        ({"audio_root": "."}, "another --audio-root"),
        ({"model": "whisper", "language": "en"}, "another --model and --language"),
    ],
)
def test_other_work_is_not_mixed_in(change, named, run, corpus, monkeypatch):
    monkeypatch.chdir(ROOT)
    interrupt(run)
    journal = corpus.with_name("out.csv.partial").read_bytes()
    message = wrong(run, **change)
    assert named in message
    assert "--restart" in message
    assert corpus.with_name("out.csv.partial").read_bytes() == journal


def test_another_table_is_not_mixed_in(run, corpus, heard):
    interrupt(run)
    corpus.write_text(corpus.read_text().replace("u6", "u7"))
    assert "with another table." in wrong(run)
    heard.clear()
    result = run(restart=True)
    assert (result.resumed, len(heard)) == (0, 7)


def test_a_model_that_was_moved_is_the_same(run, corpus, folder, tmp_path):
    interrupt(run)
    moved = tmp_path / "moved"
    shutil.copytree(folder / "masked", moved)
    assert run(moved).resumed == 2


@pytest.mark.parametrize(
    "content", [b"my own notes", b"my own\nnotes\n", b"{}\n", b'{"work": 1}\n', b"\xff\xfe\n"]
)
def test_a_file_that_is_no_journal_stays(content, run, corpus):
    journal = corpus.with_name("out.csv.partial")
    journal.write_bytes(content)
    assert "not a whole journal of fairaudit. Move it away" in wrong(run)
    assert journal.read_bytes() == content
    assert run(restart=True).done == 7


def test_a_journal_damaged_in_the_middle(run, corpus):
    interrupt(run, 3)
    journal = corpus.with_name("out.csv.partial")
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:2], b'{"row": 1\n', *lines[3:]]))
    assert "not a whole journal" in wrong(run)


def test_a_journal_with_half_a_first_line(run, corpus):
    interrupt(run)
    journal = corpus.with_name("out.csv.partial")
    journal.write_bytes(journal.read_bytes()[:30])
    assert run().resumed == 0


def test_a_full_disk_is_told(run, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "out.csv.partial: cannot be written: No space left on device" in wrong(run)


def test_a_full_disk_is_told_though_closing_fails_too(tmp_path):
    class Full(io.BytesIO):
        def flush(self):
            raise OSError(28, "No space left on device")

        close = flush

    journal = Journal(tmp_path / "out.csv", {})
    journal._file.close()
    journal._file = Full()
    with pytest.raises(FairauditError, match="No space left"):
        journal.add({0: "a"})
    journal.close()


def test_two_runs_at_once_break_no_line(tmp_path):
    first = Journal(tmp_path / "out.csv", {"table": "a"})
    first.add({0: "a"})
    second = Journal(tmp_path / "out.csv", {"table": "a"})
    for journal, row in ((first, 1), (second, 1), (first, 2), (second, 3)):
        journal.add({row: "b" * row})
    third = Journal(tmp_path / "out.csv", {"table": "a"})
    assert third.done == {0: "a", 1: "b", 2: "bb", 3: "bbb"}
    for journal in (first, second, third):
        journal.close()


# What is refused


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (exec, (f"open({str(self.path)!r}, 'w')",))


@pytest.fixture
def copied(folder, tmp_path):
    path = tmp_path / "model"
    shutil.copytree(folder / "masked", path)
    return path


def test_pickled_weights_are_refused(run, copied, tmp_path):
    torch.save(Bomb(tmp_path / "harm"), copied / "pytorch_model.bin")
    assert run(copied).done == 7  # beside safetensors they are not looked at
    (copied / "model.safetensors").unlink()
    message = wrong(run, copied)
    assert "weights only as pytorch_model.bin" in message
    assert "safetensors" in message
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json", "processor_config.json"])
def test_foreign_code_is_refused(file, run, copied, tmp_path):
    harm = f"open({str(tmp_path / 'harm')!r}, 'w')"
    (copied / "evil.py").write_text(harm)
    path = copied / file
    content = json.loads(path.read_text()) if path.exists() else {"feature_extractor": {}}
    content = {**content, "deep": [{"auto_map": {"AutoModelForCTC": "evil.Evil"}}]}
    path.write_text(json.dumps(content))
    message = wrong(run, copied)
    assert f"{file} asks for the model's own Python code (auto_map)" in message
    assert not (tmp_path / "harm").exists()


def test_a_model_without_its_head_is_refused(run):
    assert "weights are missing (lm_head.bias, 2 in all)" in wrong(run, "headless")


def test_a_model_of_another_kind_is_refused(run, tmp_path):
    config = GPT2Config(n_layer=1, n_head=1, n_embd=4, vocab_size=8, n_positions=8)
    GPT2LMHeadModel(config).save_pretrained(tmp_path / "gpt2")
    assert "is of type gpt2; expected a speech recogniser" in wrong(run, tmp_path / "gpt2")


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("config.json", None, "no config.json"),
        ("config.json", b"{", "config.json is broken"),
        ("config.json", b'{"model_type": "zebra"}', "cannot be loaded"),
        ("model.safetensors", None, "no weights: expected model.safetensors"),
        ("model.safetensors", b"junk", "cannot be loaded"),
        ("preprocessor_config.json", None, "cannot be loaded"),
        ("adapter_config.json", b"{}", "holds an adapter"),
    ],
)
def test_broken_models_are_told(file, content, expected, run, copied):
    (copied / file).unlink(missing_ok=True)
    if content is not None:
        (copied / file).write_bytes(content)
    message = wrong(run, copied)
    assert expected in message
    assert "\n" not in message


def test_a_whisper_of_one_language(folder, tmp_path):
    shutil.copytree(folder / "whisper", tmp_path / "model")
    path = tmp_path / "model" / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"is_multilingual": False}))
    with pytest.raises(FairauditError, match="does not say that it knows several languages"):
        Recognizer(tmp_path / "model", "tiny", language="en")


# What is downloaded


@pytest.mark.parametrize("name", ["./none", "/none/model", "a/b/c", "~/none", "a b"])
def test_what_can_only_be_a_folder_is_not_looked_for_elsewhere(name):
    with pytest.raises(FairauditError, match="no such folder"):
        checkpoints.find(name)


def hub(monkeypatch, answer):
    monkeypatch.setitem(sys.modules, "huggingface_hub", types.SimpleNamespace())
    sys.modules["huggingface_hub"].snapshot_download = answer


def test_a_name_is_downloaded_as_data_alone(folder, monkeypatch):
    from fnmatch import fnmatch

    asked = []

    def answer(name, allow_patterns):
        asked.append((name, allow_patterns))
        return str(folder / "masked")

    hub(monkeypatch, answer)
    assert checkpoints.find("owner/model-1.0") == folder / "masked"
    (name, patterns) = asked[0]
    assert name == "owner/model-1.0"
    wanted = ["config.json", "vocab.json", "merges.txt", "model.safetensors"]
    wanted += ["model-00001-of-00002.safetensors", "model.safetensors.index.json"]
    unwanted = ["pytorch_model.bin", "flax_model.msgpack", "model.fp32-00001-of-00002.safetensors"]
    unwanted += ["tf_model.h5", "modeling.py", "rng_state.pth"]
    assert [f for f in wanted + unwanted if any(fnmatch(f, p) for p in patterns)] == wanted


def test_a_name_that_is_not_to_be_had(monkeypatch):
    def answer(name, allow_patterns):
        raise FileNotFoundError("cannot reach the hub\nand more")

    hub(monkeypatch, answer)
    with pytest.raises(FairauditError, match=r"cannot reach the hub\. Check the name") as caught:
        checkpoints.find("owner/model")
    assert "\n" not in str(caught.value)


# What is imported


@pytest.mark.parametrize("module", ["torch", "transformers", "soundfile", "soxr"])
def test_without_the_extra(module, run, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    message = wrong(run)
    assert message == (
        "transcribe needs PyTorch and transformers. Install them with: pip install 'fairaudit[lm]'"
    )


def test_nothing_heavy_is_imported_before_it_is_needed():
    code = "import sys, fairaudit.lm.transcribe; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    loaded = set(done.stdout.split())
    assert "fairaudit.lm.transcribe" in loaded
    assert not loaded & {"torch", "transformers", "soundfile", "soxr", "huggingface_hub"}
