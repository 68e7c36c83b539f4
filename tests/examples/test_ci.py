"""The example repository, step by step as the Action and the other ways in would run it."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

FOLDER = ROOT / "examples" / "ci"
#: A shell needs the program by its name.
BIN = str(Path(sys.executable).parent)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A copy of the example with its data, and its folder as the working directory."""
    folder = tmp_path / "repository"
    shutil.copytree(FOLDER, folder)
    shutil.copy(ROOT / "examples" / "hiring" / "applicants.csv", folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    return folder


def action(**inputs):
    """Run the Action's steps but the installation; the exit status of the last that ran."""
    content = yaml.safe_load((ROOT / "action.yml").read_text())
    values = {name: each.get("default", "") for name, each in content["inputs"].items()} | inputs
    for step in content["runs"]["steps"][1:]:
        if step.get("if") == "inputs.audit != ''" and not values["audit"]:
            continue
        named = {
            name: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda m: values[m[1]], text)
            for name, text in step["env"].items()
        }
        assert "${{" not in step["run"], "inputs must come through the environment"
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", step["run"]],
            env={**os.environ, **named},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            return done
    return done


def test_the_action_closes_the_gate(repository, monkeypatch, tmp_path):
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    step = yaml.safe_load((repository / ".github/workflows/fairness.yml").read_text())
    given = next(s["with"] for s in step["jobs"]["audit"]["steps"] if "fairaudit" in s["uses"])
    done = action(**given)
    assert done.returncode == 1, done.stderr
    assert "::error" in done.stdout
    assert "Black or African American" in done.stdout
    assert "misses" in summary.read_text()
    assert (repository / "fairaudit.junit.xml").exists()
    assert json.loads((repository / "fairaudit.sarif").read_text())["version"] == "2.1.0"


def test_the_action_passes_what_is_fair(repository):
    text = (repository / "fairness.toml").read_text()
    (repository / "fairness.toml").write_text(text.replace("0.10", "0.90"))
    done = action(audit="errors applicants.csv --label qualified --prediction hired")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"audit": "errors nowhere.csv --prediction hired"}, "nowhere.csv"),
        ({"audits": "nowhere.json"}, "nowhere.json"),
        ({"audit": "errors applicants.csv --prediction hird"}, "hird"),
        ({"audit": "errors applicants.csv --prediction hired", "rubric": "nope"}, "nope"),
        ({"audit": "errors applicants.csv --prediction hired; echo harm"}, "echo: no such file"),
    ],
)
def test_the_action_never_takes_a_slip_for_a_verdict(repository, inputs, said):
    done = action(**inputs)
    assert done.returncode == 2
    assert said in done.stderr
    assert "harm\n" not in done.stdout


def test_the_readmes_steps(repository):
    steps = re.search(r"```sh\n(.*?)```", (repository / "README.md").read_text(), re.DOTALL)[1]
    statuses = []
    for line in steps.splitlines():
        words = shlex.split(line)
        if words[0] == "cp":
            continue  # the fixture did
        if words[0] == "pytest":
            words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        done = subprocess.run(words, capture_output=True, text=True)
        statuses.append(done.returncode)
    assert statuses == [0, 1, 1]
    assert "fail" in done.stdout
    assert "true_positive_rate gap by race" in done.stdout


def test_gitlabs_script(repository):
    job = yaml.safe_load((repository / ".gitlab-ci.yml").read_text())["fairness"]
    statuses = [
        subprocess.run(shlex.split(line), capture_output=True).returncode
        for line in job["script"][1:]
    ]
    assert statuses == [0, 1]
    assert all(Path(path).exists() for path in job["artifacts"]["reports"].values())


def test_the_hook_judges_committed_audits(repository):
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert re.search(hook["files"], "model.audit.json")
    make = "errors applicants.csv --label qualified --prediction hired -o model.audit.json"
    subprocess.run(["fairaudit", *shlex.split(make)], check=True, capture_output=True)
    done = subprocess.run([*shlex.split(hook["entry"]), "model.audit.json"], capture_output=True)
    assert done.returncode == 1
