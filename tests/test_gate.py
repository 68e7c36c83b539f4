"""The gate as its users run it: exit codes, files, defaults of the project."""

import json

import pytest
from typer.testing import CliRunner

import fairaudit
from fairaudit.audit import Audit
from fairaudit.cli import app
from tests.conftest import ROOT

HIRING = str(ROOT / "examples" / "hiring" / "applicants.csv")
RUBRIC = """
name = "own"
version = "1"
purpose = "For tests."

[[criteria]]
id = "misses"
metric = "true_positive_rate"
comparison = "gap"
at_most = {limit}
source = "None."
"""


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    path = tmp_path_factory.mktemp("gate") / "audit.json"
    made = fairaudit.errors(
        HIRING, label="qualified", prediction="hired", by="race", cluster="agency", resamples=200
    )
    made.save(path)
    return path


@pytest.fixture
def rubric(tmp_path):
    def write(limit):
        path = tmp_path / f"rubric{limit}.toml"
        path.write_text(RUBRIC.format(limit=limit))
        return path

    return write


@pytest.mark.parametrize(
    ("limit", "options", "status"),
    [
        (0.1, [], 1),
        (0.1, ["--exit-zero"], 0),
        (0.9, [], 0),
        (0.9, ["--strict"], 0),
        (0.3, [], 0),
        (0.3, ["--strict"], 4),
        (0.2, ["--decide", "point"], 1),
        (0.3, ["--decide", "point", "--strict"], 0),
    ],
)
def test_exit_codes(audit, rubric, limit, options, status):
    assert run("gate", audit, "--rubric", rubric(limit), *options).exit_code == status


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.json", "--rubric", "asr"], "nowhere.json: cannot be read"),
        (["{audit}", "--rubric", "nope"], "nope: no such file, and no rubric is called so"),
        (["{audit}"], "no rubric. Name one with --rubric"),
        (["{audit}", "--rubric", "asr"], "wer"),
        (["{audit}", "--rubric", "{here}/empty.toml"], "criteria"),
        (["{here}/empty.toml", "--rubric", "asr"], "not an audit file"),
        (["{audit}", "--rubric", "{here}/own.toml", "--against", "nowhere.json"], "nowhere.json"),
        (["{audit}", "--rubric", "{here}/own.toml", "--junit", "{here}/no/such.xml"], "such.xml"),
        (["{audit}", "{audit}", "--rubric", "{here}/own.toml", "-o", "{here}/x.json"], "holds one"),
        (["{audit}", "--rubric", "{here}/own.toml", "--junit", "{here}/own.toml"], "was read"),
        (["{audit}", "--rubric", "{here}/own.toml", "--junit", "x", "--sarif", "x"], "two things"),
        (["{audit}", "--rubric", "{here}/own.toml", "--margin", "0.1"], "for --against"),
        (["{audit}", "--rubric", "{here}/own.toml", "--github", "--format", "json"], "alone"),
    ],
)
def test_what_cannot_run_never_looks_like_a_failure(audit, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.toml").write_text('name = "a"\nversion = "1"\npurpose = "b"\n')
    (tmp_path / "own.toml").write_text(RUBRIC.format(limit=0.9))
    result = run("gate", *(text.format(audit=audit, here=tmp_path) for text in arguments))
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stdout == ""


def test_a_bug_is_no_failure(audit, rubric, monkeypatch):
    from fairaudit import cli
    from fairaudit import rubric as package

    def crash(*arguments, **options):
        raise RuntimeError("a bug")

    monkeypatch.setattr(package, "judge", crash)
    monkeypatch.setattr("sys.argv", ["fairaudit", "gate", str(audit), "--rubric", str(rubric(0.1))])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 3


def test_all_files_from_one_run(audit, rubric, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    files = {
        "--junit": "j.xml", "--sarif": "s.sarif", "--gitlab": "g.json", "--comment": "c.md",
        "-o": "judged.json",
    }  # fmt: skip
    options = [part for name, file in files.items() for part in (name, tmp_path / file)]
    result = run("gate", audit, "--rubric", rubric(0.1), *options, "--github", "-q")
    assert result.exit_code == 1
    assert result.stdout.startswith("::error ")
    for file in [*files.values(), "summary.md"]:
        assert "misses" in (tmp_path / file).read_text()
    (finding,) = Audit.load(tmp_path / "judged.json").findings
    assert (finding.id, finding.status) == ("misses", "fail")


def set_at(content, path, value):
    *keys, last = path
    for key in keys:
        content = content[key]
    content[last] = value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["settings"], 0),
        (["signature"], 5),
        (["kind"], None),
        (["estimates"], 3),
        (["sums", 1, "groups", 0], True),
        (["sums", 1, "groups", 0], "White"),
        (["sums", 1, "cell_groups", 0], -1),
        (["sums", 1, "cell_clusters", 0], 10_000),
        (["sums", 1, "clusters"], None),
        (["sums", 1, "columns"], ["records"]),
        (["sums", 1, "matrix"], [[1, 2], [3]]),
    ],
)
def test_a_damaged_audit_is_no_bug(audit, rubric, tmp_path, path, value):
    content = json.loads(audit.read_text())
    set_at(content, path, value)
    (tmp_path / "damaged.json").write_text(json.dumps(content))
    result = run("gate", tmp_path / "damaged.json", "--rubric", rubric(0.1))
    assert (result.exit_code, "damaged.json: not a whole audit" in result.stderr) == (2, True)


def test_a_summary_that_cannot_be_written(audit, rubric, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "no" / "such"))
    result = run("gate", audit, "--rubric", rubric(0.1), "--github")
    assert (result.exit_code, "cannot be written" in result.stderr) == (2, True)


def test_no_worse_than_before(audit, rubric, tmp_path):
    same = run("gate", audit, "--rubric", rubric(0.9), "--against", audit, "--strict")
    assert (same.exit_code, "misses/change" in same.stdout) == (0, True)
    made = fairaudit.errors(
        HIRING, label="qualified", prediction="hired", by="sex", cluster="agency", resamples=200
    )
    made.save(tmp_path / "sex.json")
    lost = run("gate", tmp_path / "sex.json", "--rubric", rubric(0.9), "--against", audit)
    assert (lost.exit_code, "the baseline is by race" in lost.stderr) == (2, True)


def test_levels_and_ways_are_the_same_at_once_and_later(audit, rubric, tmp_path):
    options = ["--label", "qualified", "--prediction", "hired", "--by", "race", "-q"]
    options += ["--cluster", "agency", "--resamples", "200", "--rubric", rubric(0.12)]
    for given in (["--confidence", "0.9"], ["--confidence", "0.999"], ["--decide", "point"]):
        at_once = run("errors", HIRING, *options, *given).stdout.splitlines()[-2:]
        later = run("gate", audit, "--rubric", rubric(0.12), *given).stdout.splitlines()
        assert at_once == later


def test_json_holds_findings_and_nothing_else(audit, rubric):
    result = run("gate", audit, "--rubric", rubric(0.1), "--format", "json")
    (finding,) = json.loads(result.stdout)
    assert (finding["group"], finding["limit"]) == ("Asian", 0.1)


def test_the_same_verdict_at_once_from_the_file_and_in_python(audit, rubric, tmp_path):
    options = ["--label", "qualified", "--prediction", "hired", "--by", "race"]
    options += ["--cluster", "agency", "--resamples", "200", "-q", "-o", tmp_path / "a.json"]
    result = run("errors", HIRING, *options, "--rubric", rubric(0.1))
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "own 1: fail (1 failed)"
    verdicts = Audit.load(audit).judge(rubric(0.1))
    assert not verdicts
    stored = json.loads((tmp_path / "a.json").read_text())
    assert stored["findings"] == verdicts.audit.to_dict()["findings"]
    assert "misses" in repr(verdicts).partition(":")[2]
    assert "\n" not in repr(verdicts)
    gate = run("gate", audit, "--rubric", rubric(0.1))
    assert gate.stdout == str(verdicts)


def test_the_projects_rubric_and_defaults(audit, rubric, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rubric(0.1)
    policy = '[tool.fairaudit]\nrubric = "rubric0.1.toml"\nby = ["sex"]\nresamples = 150\n'
    (tmp_path / "pyproject.toml").write_text(policy)
    assert run("gate", audit).exit_code == 1
    options = ["--label", "qualified", "--prediction", "hired", "-q", "--format", "json"]
    made = json.loads(run("errors", HIRING, *options).stdout)
    assert (made["settings"]["by"], made["settings"]["boot"]) == ("sex", 150)
    made = json.loads(run("errors", HIRING, *options, "--by", "region").stdout)
    assert made["settings"]["by"] == "region"
    (tmp_path / "pyproject.toml").write_text("[tool.fairaudit]\nrubrik = 'asr'\n")
    result = run("gate", audit)
    assert (result.exit_code, "unknown key 'rubrik'" in result.stderr) == (2, True)


def test_a_waiver_holds_until_its_last_day(audit, rubric):
    path = rubric(0.1)
    path.write_text(path.read_text() + 'waiver = { reason = "retraining", until = 2030-06-30 }\n')
    statuses = {
        day: run("gate", audit, "--rubric", path, "--today", day).exit_code
        for day in ("2030-06-30", "2030-07-01", "soon")
    }
    assert statuses == {"2030-06-30": 0, "2030-07-01": 1, "soon": 2}


def test_rubrics(tmp_path):
    listed = run("rubrics").stdout
    names = [line.split()[0] for line in listed.splitlines()]
    assert {"asr", "classification", "four-fifths", "ll144"} <= set(names)
    for name in names:
        assert "[[criteria]]" in run("rubrics", "show", name).stdout
    assert run("rubrics", "show", "nope").exit_code == 2
    own = tmp_path / "own.toml"
    assert run("rubrics", "new", "-o", own).exit_code == 0
    assert own.read_text() == run("rubrics", "new").stdout
    again = run("rubrics", "new", "-o", own)
    assert (again.exit_code, "exists already" in again.stderr) == (2, True)
