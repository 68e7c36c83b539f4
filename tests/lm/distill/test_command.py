"""The command: options arrive, the proof is written, mistakes are said in one line."""

import json
import os
import subprocess
import sys
from dataclasses import MISSING, fields
from inspect import signature
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from fairaudit.audit import Audit
from fairaudit.cli import app
from fairaudit.cli.distill import distill
from fairaudit.lm.distill.settings import Settings
from fairaudit.report.losses import loss_curve
from tests.conftest import ROOT
from tests.lm import tiny
from tests.lm.distill.worlds import free_port

OPTIONS = "--layers 1 --block 16 --batch-size 4 --micro-batch-size 4 --epochs 1 --device cpu"


@pytest.fixture
def run(language_models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.txt").write_text("\n".join(tiny.SENTENCES))

    def run(*words):
        given = ["distill", "--teacher", language_models["gpt2"], "--corpus", "train.txt"]
        return CliRunner().invoke(app, [*map(str, given), *OPTIONS.split(), *map(str, words)])

    return run


def test_a_student_and_its_proof(run, tmp_path):
    (tmp_path / "valid.txt").write_text("\n".join(tiny.SENTENCES[:9]))
    plain = run("-o", "plain", "--no-evaluate", "--quiet")
    assert (plain.exit_code, plain.stderr) == (0, ""), plain.output
    assert plain.stdout.startswith("plain: ")
    options = ["-o", "fair", "--baseline", "plain", "--valid", "valid.txt", "--samples", "0"]
    done = run("--counterfactual", *options, "--quiet")
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    assert "Against the baseline, on the same records: pronoun gap" in done.stdout
    assert max(map(len, done.stdout.splitlines()[:-1])) <= 80
    about = json.loads((tmp_path / "fair" / "distillation.json").read_text())
    shown = json.dumps(about)
    assert '"teacher_mix": "max"' in shown
    assert '"augment": true' in shown
    for role in ("student", "teacher", "baseline"):
        assert Audit.load(tmp_path / "fair" / f"audit-{role}.json").kind == "distillation"
    assert (tmp_path / "fair" / "loss.svg").read_text().startswith("<svg")
    judged = CliRunner().invoke(
        app, ["gate", "fair/audit-student.json", "--rubric", "distillation", "--exit-zero"]
    )
    assert judged.exit_code == 0, judged.output
    assert "disparity" in judged.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--counterfactual", "--teacher-mix", "none"], "expected one of them"),
        (["--block", "9999"], "--block"),
        (["--corpus", "nowhere.txt"], "nowhere.txt"),
        (["--swap-list", "nowhere.toml"], "nowhere.toml"),
        (["--resume"], "--resume"),
        # What is asked afterwards is looked at before.
        (["--evaluate", "--valid", "nowhere.txt"], "nowhere.txt"),
        (["--evaluate", "--baseline", "./nowhere"], "--baseline ./nowhere"),
        (["--evaluate", "--confidence", "2"], "--confidence"),
    ],
)
def test_mistakes_are_said_in_one_line_before_the_first_step(run, tmp_path, words, says):
    done = run("-o", "student", "--no-evaluate", *words)
    assert done.exit_code == 2, done.output
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "student").exists()


def test_going_on(run):
    assert run("-o", "student", "--no-evaluate", "--quiet").exit_code == 0
    again = run("-o", "student", "--no-evaluate", "--resume")
    assert again.exit_code == 0
    assert "is finished already" in again.stderr


def test_defaults_are_those_of_the_settings():
    """But of what the command line has no option for, or `--counterfactual` decides."""
    own = {name: each.default for name, each in signature(distill).parameters.items()}
    for field in fields(Settings):
        if field.default is not MISSING and field.name not in ("teacher_mix", "chunk"):
            assert getattr(own[field.name], "value", own[field.name]) == field.default, field.name


def test_several_processes_speak_once(run, language_models, tmp_path):
    """Only the first one writes and asks the models."""
    words = f"-m torch.distributed.run --nproc-per-node 2 --master-port {free_port()} -m fairaudit"
    given = ["distill", "--teacher", language_models["gpt2"], "--corpus", "train.txt"]
    done = subprocess.run(
        [sys.executable, *words.split(), *given, *OPTIONS.split(), "-o", "both", "--samples", "0"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("both: ") == done.stdout.count("Distillation: values") == 1
    about = json.loads((tmp_path / "both" / "distillation.json").read_text())
    assert about["processes"] == 2


def test_hostile_names_are_made_visible(run, tmp_path):
    done = run("-o", "\x1b[31mred", "--no-evaluate", "--quiet")
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.output
    assert r"\x1b[31mred: " in done.stdout


def test_a_folder_that_holds_something_else_is_left_alone(run, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious.txt").write_text("precious")
    for words in ([], ["--overwrite"]):
        done = run("-o", "mine", "--no-evaluate", *words)
        assert done.exit_code == 2
        assert "precious.txt" in [path.name for path in (tmp_path / "mine").iterdir()]


def test_the_curve_is_escaped_and_the_same_each_time():
    rows = [{"step": i, "divergence": 1 / i, "entropy": 2 / i} for i in range(1, 500)]
    drawn = loss_curve(rows, "<teacher> & co")
    assert "&lt;teacher&gt; &amp; co" in drawn
    assert drawn == loss_curve(rows, "<teacher> & co")
    assert drawn.count("<polyline") == 2
    one = loss_curve([{"step": 1, "divergence": 0.0, "entropy": 0.0}], "one step")
    assert "nan" not in one
    alone = [{"step": 1, "divergence": 0.5, "entropy": None}]
    assert loss_curve(alone, "\x1b").count("<polyline") == 1
    ElementTree.fromstring(loss_curve(alone, "\x1b & <b>"))
