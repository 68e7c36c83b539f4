"""What the README shows is what the program prints.

Run this file as a script to write the outputs into the README anew.
"""

import contextlib
import io
import re
import shlex

import pytest
from typer.testing import CliRunner

from fairaudit.cli import app
from tests.conftest import ROOT

README = ROOT / "README.md"
CONSOLE = re.compile(r"```console\n\$ (fairaudit [^\n]*)\n(.*?)```", re.DOTALL)
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)


def output(command):
    result = CliRunner().invoke(app, shlex.split(command)[1:])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize(("command", "shown"), CONSOLE.findall(README.read_text()))
def test_console_blocks(command, shown, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert output(command) == shown


@pytest.mark.parametrize("code", PYTHON.findall(README.read_text()))
def test_python_blocks(code, monkeypatch, tmp_path):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {})
    expected = re.findall(r"^# (.*)$", code, re.MULTILINE)
    assert printed.getvalue().splitlines() == expected


def test_every_command_has_a_section():
    commands = [command.name or command.callback.__name__ for command in app.registered_commands]
    for name in commands:
        assert f"## `fairaudit {name}`" in README.read_text()


def test_every_option_that_the_readme_names_exists():
    wide = {"COLUMNS": "200"}
    commands = [command.name or command.callback.__name__ for command in app.registered_commands]
    known = "".join(CliRunner().invoke(app, [name, "--help"], env=wide).stdout for name in commands)
    for option in set(re.findall(r"`(--[a-z-]+)", README.read_text())):
        assert option in known, option


if __name__ == "__main__":
    text = README.read_text()
    README.write_text(CONSOLE.sub(lambda m: f"```console\n$ {m[1]}\n{output(m[1])}```", text))
