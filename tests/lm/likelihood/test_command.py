"""The command: options arrive, tables fit, mistakes are said in one line."""

import json
import re

import pytest
from typer.testing import CliRunner

from fairaudit.cli import app
from fairaudit.cli import likelihood as command
from tests.conftest import ROOT
from tests.lm.likelihood import trained
from tests.test_readme import README

EXAMPLES = ROOT / "examples" / "likelihood"


@pytest.fixture
def run(roomy):
    assert command

    def run(*words):
        given = ["likelihood", *map(str, words), "--model", str(roomy["gpt2"]), "--device", "cpu"]
        return CliRunner().invoke(app, given)

    return run


@pytest.mark.parametrize(
    ("file", "words", "metric"),
    [
        ("pairs.csv", [], "stereotype_share"),
        ("triplets.jsonl", [], "stereotype_score"),
        ("pro_stereotyped.txt", [], "stereotype_share"),
        ("sentences.tsv", [], "female_pronoun_share"),
        ("letters.csv", ["--text", "text", "--by", "sender"], "role_reversal_gap"),
        ("own.toml", [], "pronoun_gap"),
    ],
)
def test_examples(run, file, words, metric):
    done = run(EXAMPLES / file, *words, "--format", "json")
    assert done.exit_code == 0, done.output
    audit = json.loads(done.stdout)
    assert (audit["kind"], audit["settings"]["metrics"][0]) == ("likelihood", metric)
    assert audit["records"]["used"] == audit["records"]["total"] > 3
    assert {row["attribute"] for row in audit["estimates"]} != {None}


def test_table_fits_a_terminal(run):
    done = run(EXAMPLES / "pairs.csv")
    assert done.exit_code == 0, done.output
    *lines, signature = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert signature.startswith("likelihood|by:bias_type,stereo_antistereo|")


def test_options_arrive(run, tmp_path):
    words = ["--probe", "pronouns", "--where", "field = 'service and arts'", "--seed", "7"]
    words += ["--by", "template", "--cluster", "profession", "--batch-size", "5"]
    done = run(*words, "--output", tmp_path / "audit.json", "--quiet")
    assert done.exit_code == 0, done.output
    settings = json.loads((tmp_path / "audit.json").read_text())["settings"]
    assert (settings["probe"], settings["seed"], settings["by"]) == ("pronouns", 7, "template")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "error: no data."),
        (["no.csv"], "error: no.csv: no such file"),
        ([EXAMPLES / "letters.csv"], "not in a form that is known"),
        ([EXAMPLES / "letters.csv", "--text", "txt"], "no column 'txt'"),
    ],
)
def test_mistakes(run, words, reason):
    done = run(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_readme_shows_what_a_biased_model_gives(tmp_path):
    """Figures to a tenth: training is not the same to the last digit on every machine."""
    shown = re.search(
        r"\$ fairaudit likelihood (\S+) --model biased\n(.*?)```", README.read_text(), re.DOTALL
    )
    model = str(trained.train(tmp_path / "biased", 9))
    given = ["likelihood", str(ROOT / shown[1]), "--model", model, "--device", "cpu"]
    lines = CliRunner().invoke(app, given).stdout.splitlines()
    number = re.compile(r"-?\d+\.\d+")
    for line, wanted in zip(lines, shown[2].splitlines(), strict=False):
        assert number.sub("0", line).split() == number.sub("0", wanted).split()
        found = [float(n) for n in number.findall(line)]
        assert found == pytest.approx([float(n) for n in number.findall(wanted)], abs=0.15)
