import json

import pytest
from typer.testing import CliRunner

import fairaudit.cli.generate
from fairaudit.cli import app
from fairaudit.lm.generate.audit import generate
from fairaudit.report.generations import average_sheets
from tests.conftest import ROOT

TEXTS = ROOT / "examples" / "generate" / "texts.jsonl"


def run(*arguments):
    return CliRunner().invoke(app, ["generate", *map(str, arguments)])


def test_report_of_texts():
    result = run("--texts", TEXTS, "--by", "profession")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "fem. share, by profession" in result.stdout
    assert all(len(line) <= 80 for line in result.stdout.splitlines() if "|" not in line)
    assert "texts are gendered, by words of BOLD's two lists." in result.stdout


@pytest.mark.parametrize("format", ["json", "csv", "markdown"])
def test_every_format(format, tmp_path):
    output = tmp_path / "audit.json"
    result = run("--texts", TEXTS, "--by", "profession", "--format", format, "-o", output)
    assert (result.exit_code, result.stderr) == (0, "")
    if format == "json":
        assert json.loads(result.stdout) == json.loads(output.read_text())
    assert "She" not in output.read_text()


def test_averages_are_shown():
    (sheet,) = average_sheets(generate(texts=TEXTS, by="profession"))
    names = [row[0] for row in sheet.rows]
    assert names[:2] == ["fem. share, mean", "equity, mean"]
    assert names[2].startswith("equity, least: ")
    assert not list(average_sheets(generate(texts=TEXTS)))


def test_generation_to_file_and_back(worlds, tmp_path):
    prompts, saved = tmp_path / "prompts.txt", tmp_path / "texts.jsonl"
    prompts.write_text("The nurse said that\nThe doctor said that\n")
    options = ("--model", worlds["biased"], "--tokens", 6, "--samples", 3, "--device", "cpu")
    result = run(prompts, *options, "--save", saved, "--format", "csv")
    assert (result.exit_code, result.stderr) == (0, "")
    assert run("--texts", saved, "--format", "csv").stdout == result.stdout
    assert len(saved.read_text().splitlines()) == 7


def test_errors_are_one_line():
    for arguments in (["x.txt"], ["--texts", "none.csv"], ["--texts", TEXTS, "--model", "m"], []):
        result = run(*arguments)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert result.stderr.count("\n") == 1
        assert result.stderr.startswith("error: ")


def test_it_is_registered():
    assert fairaudit.cli.generate.generate


@pytest.fixture
def asked(worlds, tmp_path):
    """Prompts and a model, and whether the model was asked to write."""
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("The nurse said that\n")
    return [prompts, "--model", worlds["biased"], "--tokens", 4, "--device", "cpu"]


@pytest.mark.parametrize(
    ("late", "says"),
    [
        (["-o", "/no/such/folder/audit.json"], "cannot be written: no such folder"),
        (["--rubric", "no-such"], "no-such"),
        (["--format", "kaldi"], "--format kaldi is for word error rates"),
        (["--polarity", "max", "--vectors", "mixed.txt"], "mixed.txt"),
        (["--restart"], "--restart is for what --save keeps"),
        (["--text", "foo"], "--text is the column of --texts"),
    ],
)
def test_mistakes_are_found_before_anything_is_generated(asked, late, says, monkeypatch, tmp_path):
    def never(*arguments, **options):
        raise AssertionError("asked the model")

    monkeypatch.chdir(tmp_path)
    (tmp_path / "mixed.txt").write_text("he 1 2\nshe 1 2 3\n")
    monkeypatch.setattr("fairaudit.lm.language_models.LanguageModel.generate", never)
    result = run(*asked, *late)
    assert result.exit_code == 2, result.output
    assert says in result.stderr


def test_a_file_that_is_there_is_not_written_over(asked, tmp_path):
    precious = tmp_path / "precious.txt"
    precious.write_text("precious")
    result = run(*asked, "--save", precious)
    assert result.exit_code == 2
    assert "is there already. Score it (--texts), name another file, or" in result.stderr
    assert precious.read_text() == "precious"
    assert run(*asked, "--save", precious, "--restart").exit_code == 0
    assert "precious" not in precious.read_text()


def test_a_long_prompt_is_named(asked):
    asked[0].write_text("short\n" + "a very long prompt " * 60)
    result = run(*asked)
    assert result.exit_code == 2
    assert "the prompt 'a very long prompt a very" in result.stderr
    assert "Shorten the prompt" in result.stderr


def test_orders_to_a_terminal_are_escaped_in_csv(tmp_path):
    texts = tmp_path / "texts.csv"
    texts.write_text("text,by\nhe,\x1b[31mred\nshe,=1+1\n")
    shown = run("--texts", texts, "--by", "by", "--format", "csv").stdout
    assert "\x1b" not in shown
    assert "\\x1b[31mred" in shown
    assert "'=1+1" in shown
