"""The command: options arrive, the proof is written, mistakes are said in one line."""

import json

import pytest
from typer.testing import CliRunner

from fairaudit.audit import Audit
from fairaudit.cli import app
from fairaudit.report.losses import loss_curve
from tests.lm import tiny

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
    assert '"teacher_mix": "mean"' in shown
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
    ],
)
def test_mistakes_are_said_in_one_line(run, words, says):
    done = run("-o", "student", "--no-evaluate", *words)
    assert done.exit_code == 2, done.output
    assert says in done.stderr
    assert "Traceback" not in done.output


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
