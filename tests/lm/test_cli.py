# for tests/lm/test_cli.py, once the command is in fairaudit/cli.py
import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch
from typer.testing import CliRunner

from fairaudit.cli import app
from tests.conftest import ROOT
from tests.lm import models

RATE = 16_000
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return models.wav2vec2(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def corpus(tmp_path):
    noise = np.random.default_rng(0).normal(size=(4, RATE)) / 10
    for i, sound in enumerate(noise):
        soundfile.write(tmp_path / f"{i}.wav", sound, RATE)
    table = tmp_path / "calls.csv"
    rows = (f"{i}.wav,a b c,{'us' if i % 2 else 'uk'}\n" for i in range(4))
    table.write_text("audio,reference,accent\n" + "".join(rows))
    return table


def run(corpus, model, *arguments):
    output = corpus.with_name("out.csv")
    arguments = [corpus, "--model", model, "-o", output, "--device", "cpu", *arguments]
    return CliRunner().invoke(app, ["transcribe", *map(str, arguments)])


def test_transcribed_and_audited(corpus, model):
    result = run(corpus, model)
    output = corpus.with_name("out.csv")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{output}: 4 of 4 recordings transcribed.\n"
    audit = CliRunner().invoke(app, ["wer", str(output), "--by", "accent"])
    assert audit.exit_code == 0
    assert "4 of 4 records used." in audit.stdout


def test_quiet(corpus, model):
    assert run(corpus, model, "--quiet").output == ""


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"this is a text file\n", "cannot be read as WAV, FLAC, OGG or MP3"),
        (None, "its header gives a sample rate of 0 Hz"),
    ],
)
def test_bad_sound_stops_with_one_message(content, reason, corpus, model):
    path = corpus.with_name("2.wav")
    whole = path.read_bytes()
    path.write_bytes(whole[:24] + bytes(4) + whole[28:] if content is None else content)
    result = run(corpus, model)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: {corpus}, row 3 (2.wav): {reason}")
    assert result.stderr.count("\n") == 1
    result = run(corpus, model, "--on-error", "skip")
    assert result.exit_code == 0
    assert result.stderr.startswith(f"row 3 (2.wav): {reason}")
    assert "3 of 4 recordings transcribed" in result.stderr


def test_names_are_escaped(corpus, model):
    corpus.write_text(corpus.read_text() + "\x1b[31m.wav,a,uk\n")
    assert r"row 5 (\x1b[31m.wav): no such file" in run(corpus, model).stderr


def test_needs_a_model_and_an_output(corpus):
    assert CliRunner().invoke(app, ["transcribe", str(corpus)]).exit_code == 2


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom fairaudit.cli import app\n"
        "try: app(['transcribe', '--help'])\n"
        "except SystemExit: print(*sys.modules)"
    )
    environment = {**os.environ, "TERM": "dumb"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment
    )
    assert "--on-error" in done.stdout
    assert not set(done.stdout.splitlines()[-1].split()) & {"numpy", "torch", "transformers"}
