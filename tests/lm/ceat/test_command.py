import io
import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

import fairaudit.cli.ceat  # noqa: F401
from fairaudit.cli import app
from fairaudit.report import terminal
from fairaudit.report.associations import association_sheets
from tests.lm.ceat.test_audit import made, vectors_of, write_vectors  # noqa: F401
from tests.lm.ceat.test_audit import run as audited


@pytest.fixture
def command(made, language_models, monkeypatch):  # noqa: F811
    monkeypatch.chdir(made)

    def call(*arguments, model=language_models["bert"]):
        chosen = () if model is None else ("--model", str(model))
        return CliRunner().invoke(app, ["ceat", *chosen, *arguments])

    return call


def printed(audit, width=80):
    console = Console(file=io.StringIO(), width=width, highlight=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(terminal, "contents", lambda audit, further: association_sheets(audit))
        terminal.show(audit, console, True)
    return console.file.getvalue()


def test_json(command):
    found = command("--corpus", "corpus.txt", "--tests", "own.toml", "--draws", "200", "--format",
                    "json", "-q")  # fmt: skip
    assert found.exit_code == 0, found.output
    content = json.loads(found.stdout)
    assert content["kind"] == "ceat"
    assert [row["group"] for row in content["estimates"]] == ["OTHER", "OWN"]
    assert "--corpus corpus.txt --tests own.toml --draws 200" in content["command"]


def test_several_texts_and_a_file(command, made):  # noqa: F811
    found = command("--corpus", "corpus.txt", "--corpus", "own.toml", "--tests", "own.toml",
                    "--draws", "200", "-o", "out.json", "--no-cache")  # fmt: skip
    assert found.exit_code == 0, found.output
    assert "OWN" in found.stdout
    data = json.loads((made / "out.json").read_text())["data"]
    assert [each["path"] for each in data] == ["corpus.txt", "own.toml"]


@pytest.mark.parametrize("output_format", ["csv", "markdown", "table"])
def test_other_formats(command, output_format):
    found = command("--corpus", "corpus.txt", "--tests", "own.toml", "--draws", "200", "--format",
                    output_format)  # fmt: skip
    assert found.exit_code == 0, found.output
    assert "OWN" in found.stdout


def test_vectors(command, made):  # noqa: F811
    from fairaudit.lm.ceat import AssociationTest

    write_vectors(made / "v.txt", vectors_of(AssociationTest.shipped()["C8"].words))
    found = command("--vectors", "v.txt", "--tests", "C8", model=None)
    assert found.exit_code == 0, found.output
    assert "C8" in found.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--corpus", "none.txt"), "error: none.txt: no such file."),
        (("--corpus", "corpus.txt", "--cache", "x", "--no-cache"), "error: --cache and --no-cache"),
        (("--corpus", "corpus.txt", "--layer", "9"), "error: --layer 9: --model"),
        ((), "error: --model needs sentences"),
    ],
)
def test_mistakes(command, arguments, message):
    found = command(*arguments)
    assert found.exit_code == 2
    assert message in found.stderr
    assert not found.stdout


def test_the_table(made, language_models):  # noqa: F811
    audit = audited(made, language_models, "OWN,OTHER")
    text = printed(audit)
    assert max(map(len, text.splitlines()[:-1])) <= 80
    rows = [line for line in text.splitlines() if line.startswith(("OWN", "OTHER"))]
    assert rows[0].startswith("OWN: men and"), "in the order in which they were asked for"
    for row, name in zip(rows, ("OWN", "OTHER"), strict=True):
        estimate = next(each for each in audit.estimates if each.group == name)
        assert f" {estimate.value:.2f} [{estimate.ci_low:.2f}, {estimate.ci_high:.2f}]" in (
            " ".join(row.split()).replace("[ ", "[")
        )
    assert "falls with --draws alone: judge by the effect size" in " ".join(text.split())


def test_the_table_of_static_vectors(made):  # noqa: F811
    from fairaudit.lm.ceat import AssociationTest
    from fairaudit.lm.ceat.audit import ceat

    path = write_vectors(made / "v.txt", vectors_of(AssociationTest.shipped()["C8"].words))
    text = printed(ceat(vectors=path, tests="C8"))
    assert "over words" in text
    assert "draws" not in text
    assert "C8: science and arts" in text
