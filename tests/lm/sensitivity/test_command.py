import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from typer.testing import CliRunner

from fairaudit.cli import app
from tests.conftest import ROOT
from tests.lm.sensitivity.test_audit import essays


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "essays.csv"
    essays(0.9, n=100).to_csv(path, index=False)
    return path


def run(table, *arguments):
    return CliRunner().invoke(app, ["sensitivity", str(table), *map(str, arguments)])


BASELINE = ("--text", "text", "--label", "label", "--protected", "words")


def test_report(table):
    result = run(table, *BASELINE, "--by", "who")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "sensitivity, by who: mean accumulated prediction sensitivity" in result.stdout
    assert "CF change" in result.stdout
    assert "CF flips" in result.stdout
    assert "Note: No --model was given: a baseline was trained on label" in result.stdout
    said = "Role reversal of gender words changes 100 of 100 texts; CF change and CF flips are of"
    assert said in " ".join(result.stdout.split())


def test_a_change_of_value_is_a_metric_of_its_own(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"woman": rng.integers(0, 2, 90), "income": rng.normal(50, 9, 90)})
    paid = (frame.income - 8 * frame.woman > 46).map({True: "yes", False: "no"})
    path = tmp_path / "model.skops"
    skops.io.dump(RandomForestClassifier(5, random_state=0).fit(frame, paid), path)
    frame.to_csv(tmp_path / "loans.csv", index=False)
    result = run(tmp_path / "loans.csv", "--model", path, "--protected", "woman", "--by", "woman")
    assert (result.exit_code, result.stderr) == (0, "")
    title = "value change, by woman: mean total variation when the protected value is changed"
    assert title in " ".join(result.stdout.split())


def test_names(table, tmp_path):
    (tmp_path / "names.toml").write_text('names = [["kind", "cruel"]]\n')
    result = run(table, *BASELINE, "--names", tmp_path / "names.toml", "--format", "json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["settings"]["swap"].startswith("gender ")


def test_the_file_holds_what_was_printed_and_no_text_unasked(table, tmp_path):
    output = tmp_path / "audit.json"
    result = run(table, *BASELINE, "--format", "json", "-o", output)
    assert result.exit_code == 0
    assert json.loads(result.stdout) == json.loads(output.read_text())
    assert "cruel" not in result.stdout
    assert json.loads(result.stdout)["explanations"] == []
    quoting = run(table, *BASELINE, "--format", "json", "--explain")
    assert '"sensitive_token"' in quoting.stdout
    hidden = run(table, *BASELINE, "--explain", "--no-texts")
    assert hidden.exit_code == 2
    assert hidden.stderr.startswith("error: --explain quotes words of the data, --no-texts forbids")


def test_same_bytes_twice(table, tmp_path):
    outputs = [tmp_path / name for name in ("a.json", "b.json")]
    for output in outputs:
        arguments = (*BASELINE, "--by", "who", "--explain", "--format", "csv", "-o", output)
        assert run(table, *arguments).exit_code == 0
    first, second = (path.read_text().replace(path.name, "") for path in outputs)
    assert first == second


def test_neural_model(folders, table):
    arguments = ("--text", "text", "--model", folders["bert"], "--protected", "who", "--by", "who")
    result = run(table, *arguments, "--form", "token", "--device", "cpu", "--batch-size", 8)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "A model of who was trained here." in result.stdout


def test_gate(table, tmp_path):
    rubric, audit = tmp_path / "own.toml", tmp_path / "audit.json"
    rubric.write_text(
        'name = "own"\nversion = "1"\n[[criteria]]\nid = "flips"\n'
        'metric = "counterfactual_flip_rate"\ncomparison = "group_max"\nat_most = 0.1\n'
        'source = "a choice"\n'
    )
    result = run(table, *BASELINE, "--by", "who", "--rubric", rubric, "-o", audit)
    assert result.exit_code == 1
    gated = CliRunner().invoke(app, ["gate", str(audit), "--rubric", str(rubric)])
    assert gated.exit_code == 1
    assert "flips" in gated.stdout


@pytest.mark.parametrize("suffix", ["html", "md"])
def test_card(table, tmp_path, suffix):
    audit, card = tmp_path / "audit.json", tmp_path / f"card.{suffix}"
    assert run(table, *BASELINE, "--by", "who", "--explain", "-o", audit).exit_code == 0
    made = CliRunner().invoke(app, ["card", str(audit), "--template", "report", "-o", str(card)])
    assert made.exit_code == 0, made.output
    assert "sensitivity" in card.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--protected", "words"), "error: nothing to audit. Name a model (--model), or"),
        (
            ("--text", "txt", "--label", "label", "--protected", "words"),
            "essays.csv: no column 'txt'. Columns: text, label, who. Did you mean 'text'?",
        ),
        (
            ("--text", "text", "--label", "label", "--protected", "wo"),
            "error: --protected wo: expected a column, words, uniform or a model folder.",
        ),
        (
            ("--text", "text", "--label", "label", "--protected", "who", "--where", "who = 'he'"),
            "error: --protected who: the column holds only 'he'",
        ),
        (
            ("--text", "text", "--model", "model.pkl", "--protected", "who"),
            "error: model.pkl: no such file",
        ),
        (
            ("--text", "text", "--model", "./none", "--protected", "who"),
            "error: --model ./none: no such folder.",
        ),
    ],
)
def test_errors(table, arguments, message):
    result = run(table, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {missing!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
from fairaudit.cli import main
main()
"""


def without(missing, *arguments):
    code = WITHOUT.format(missing=missing)
    command = [sys.executable, "-c", code, "sensitivity", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def test_linear_models_need_no_torch(table, tmp_path):
    frame, path = essays(0.5, n=60), tmp_path / "model.skops"
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(frame.text, frame.label)
    skops.io.dump(model, path)
    missing = ["torch", "transformers"]
    arguments = (table, "--text", "text", "--model", path, "--protected", "who", "-q")
    done = without(missing, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    done = without(["sklearn"], *arguments)
    assert done.returncode == 2
    assert done.stderr == (
        "error: sensitivity needs scikit-learn and skops. "
        "Install them with: pip install 'fairaudit[sklearn]'\n"
    )
    folder = (table, "--text", "text", "--model", tmp_path, "--protected", "who")
    done = without(missing, *folder)
    assert done.returncode == 2
    assert done.stderr == (
        "error: sensitivity needs PyTorch and transformers. "
        "Install them with: pip install 'fairaudit[lm]'\n"
    )
