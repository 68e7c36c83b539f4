"""The commands of examples/card, as they stand there."""

import re
import shlex
import shutil

from typer.testing import CliRunner

from fairaudit.cli import app
from fairaudit.report.card.info import Info
from tests.conftest import ROOT

FOLDER = ROOT / "examples" / "card"


def words(line, folder):
    """Words of a command, patterns filled in as a shell does."""
    for word in shlex.split(line):
        yield from (
            sorted(str(p.relative_to(folder)) for p in folder.glob(word)) if "*" in word else [word]
        )


def test_every_command(tmp_path, monkeypatch):
    for name in ("card", "accents", "hiring"):
        shutil.copytree(ROOT / "examples" / name, tmp_path / name)
    folder = tmp_path / "card"
    monkeypatch.chdir(folder)
    (block,) = re.findall(r"```sh\n(.*?)```", (FOLDER / "README.md").read_text(), re.DOTALL)
    first, *commands = block.splitlines()
    assert first == "mkdir audits"
    (folder / "audits").mkdir()
    said = ""
    for command in commands:
        result = CliRunner().invoke(app, list(words(command, folder))[1:])
        assert result.exit_code == 0, result.output
        said = result.stdout or said
    assert said == "card.html: every number is as in the 3 audits.\n"
    card = (folder / "card.html").read_text()
    assert "Example interview line" in card
    assert "Local Law 144" in card
    assert (folder / "model-card.md").read_text().startswith("---\n")
    assert (folder / "wer.svg").read_text().startswith("<?xml")


def test_questions_are_left_open_on_purpose():
    info = Info.read(FOLDER / "service.toml")
    assert info.texts("use.intended")
    assert not info.texts("use.languages")
