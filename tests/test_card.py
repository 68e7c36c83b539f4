"""`fairaudit card`, as it is called."""

import hashlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import fairaudit
from fairaudit.audit import Audit
from fairaudit.cli import app
from fairaudit.report.card import load, render
from fairaudit.report.card.info import Info
from fairaudit.report.card.model import Wanted
from tests.conftest import ROOT

ACCENTS = ROOT / "examples" / "accents" / "transcripts.csv"
HIRING = ROOT / "examples" / "hiring" / "applicants.csv"
INFO = ROOT / "examples" / "card" / "service.toml"
FORMS = ["html", "md", "json"]
HOSTILE = "<script>alert(1)</script>"


def run(*arguments):
    return CliRunner().invoke(app, ["card", *map(str, arguments)])


def done(*arguments):
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def wrong(*arguments):
    """Run a command that cannot: one message, exit code 2, nothing on standard output."""
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Audits of both examples, judged."""
    folder = tmp_path_factory.mktemp("audits")
    by = ["accent", "gender", "accent:gender"]
    fairaudit.wer(ACCENTS, by=by, cluster="speaker").judge("asr").audit.save(folder / "wer.json")
    hiring = {"by": ["sex", "race", "sex:race"], "label": "qualified", "prediction": "hired"}
    audit = fairaudit.errors(HIRING, score="score", **hiring)
    audit.judge("classification").audit.save(folder / "errors.json")
    return folder


@pytest.fixture
def audits(made, tmp_path):
    """Copies of them, to be changed."""
    return [Path(shutil.copy(path, tmp_path)) for path in sorted(made.glob("*.json"))]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("template", ["service-card", "model-card", "report"])
def test_a_card_is_verified_and_made_anew_alike(template, form, audits, tmp_path):
    card = tmp_path / f"card.{form}"
    made = ["--template", template, "--info", INFO, "--annex", "nist-rmf", "-o", card]
    done(*audits, *made)
    first = card.read_bytes()
    good = f"{card}: every number is as in the 2 audits.\n"
    unchecked = "What the owner states was not checked: give --info as well.\n"
    assert done("--verify", card, *audits) == good + unchecked
    assert done("--verify", card, *audits[::-1], "--info", INFO) == good
    done(*audits, *made)
    assert card.read_bytes() == first


@pytest.mark.parametrize("form", FORMS)
def test_any_changed_digit_is_caught(form, audits, tmp_path):
    card = tmp_path / f"card.{form}"
    done(*audits, "-o", card, "--template", "report")
    text = card.read_text()
    digits = [found.start() for found in re.finditer(r"\d", text)]
    # One in so many, over the whole file; each is a digit that somebody might have changed.
    for at in digits[:: len(digits) // 25]:
        changed = text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :]
        card.write_text(changed)
        result = run("--verify", card, *audits)
        assert result.exit_code in (1, 2), changed[at - 20 : at + 20]
        assert result.exit_code == 1 or "seal" in result.stderr or "made by" in result.stderr


def test_the_place_of_a_change_is_named(audits, tmp_path):
    card = tmp_path / "card.html"
    done(*audits, "-o", card)
    text = card.read_text()
    # Nothing but one figure of one table.
    at = text.index(">70.5<")
    card.write_text(f"{text[:at]}>20.5<{text[at + 6 :]}")
    result = run("--verify", card, *audits)
    line = text[:at].count("\n") + 1
    assert result.exit_code == 1
    said = result.stdout.splitlines()
    assert len(said) == 2
    assert said[0].startswith(f"line {line}: ")
    assert ">20.5<" in said[0].partition(" where ")[0]
    assert ">70.5<" in said[0].partition(" where ")[2]
    assert said[1] == f"{card}: is not what the audits give."


def test_a_changed_audit_is_caught(audits, tmp_path):
    card = tmp_path / "card.md"
    done(*audits, "-o", card)
    audits[1].write_text(audits[1].read_text().replace('"value": 0.4', '"value": 0.3', 1))
    result = run("--verify", card, *audits)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == f"{audits[1].name}: was changed since."


def test_missing_and_further_audits_are_caught(audits, tmp_path):
    card = tmp_path / "card.md"
    done(audits[0], "-o", card)
    assert "the same audit as" in wrong("--verify", card, audits[0], audits[0])
    result = run("--verify", card, audits[1])
    assert result.exit_code == 1
    assert result.stdout.splitlines()[:2] == [
        "errors.json: is not among the audits given.",
        "wer.json: the card was not made from it.",
    ]
    assert run("--verify", card, *audits).exit_code == 1


def test_what_the_owner_says_is_checked_where_it_is_given(audits, tmp_path):
    card, info = tmp_path / "card.md", tmp_path / "service.toml"
    info.write_text('[service]\nname = "One"\n')
    done(*audits, "--info", info, "-o", card)
    info.write_text('[service]\nname = "Two"\n')
    done("--verify", card, *audits)
    assert run("--verify", card, *audits, "--info", info).exit_code == 1


def test_another_version_made_it(audits, tmp_path):
    card = tmp_path / "card.md"
    done(*audits, "-o", card)
    text = card.read_text()
    card.write_text(text.replace(f'"version": "{fairaudit.__version__}"', '"version": "9.9.9"'))
    assert "made by fairaudit 9.9.9" in wrong("--verify", card, *audits)


def test_a_seal_of_somebody_elses_making(audits, tmp_path):
    card = tmp_path / "card.md"
    for content in ["", "# A page\n", "<!-- fairaudit-card: [] -->", "<!-- fairaudit-card: {} -->"]:
        card.write_text(content)
        assert str(card) in wrong("--verify", card, *audits)
    done(*audits, "-o", tmp_path / "good.md")
    seal = re.search(r"<!-- fairaudit.card: (.*) -->", (tmp_path / "good.md").read_text())[1]
    odd = json.loads(seal)
    for key, value in [("template", "x"), ("annexes", ["x"]), ("suppress", "1"), ("texts", 1)]:
        broken = json.dumps({**odd, "wanted": {**odd["wanted"], key: value}})
        card.write_text(f"<!-- fairaudit-card: {broken.translate({45: chr(92) + 'u002d'})} -->")
        assert "seal is broken" in wrong("--verify", card, *audits)


def test_nothing_but_a_card_is_written_over(audits, tmp_path):
    page = tmp_path / "README.md"
    page.write_text("# By hand\n")
    assert "exists and is no card" in wrong(*audits, "-o", page)
    assert page.read_text() == "# By hand\n"
    assert "is what was read" in wrong(*audits, "-o", audits[0])
    copy = tmp_path / "copy.json"
    shutil.copy(audits[0], copy)
    assert "exists and is no card" in wrong(audits[0], "-o", copy)


def test_bad_input(audits, tmp_path):
    assert "no audit file" in wrong()
    assert "cannot be read" in wrong(tmp_path / "none.json")
    assert "not an audit file" in wrong(INFO)
    assert "a card is written as .html" in wrong(*audits, "-o", tmp_path / "card.docx")
    assert "the same audit as" in wrong(audits[0], audits[0])
    assert "cannot be read" in wrong(*audits, "--verify", tmp_path / "none.md")
    assert "does not go with --verify" in wrong(*audits, "--verify", INFO, "--suppress", 3)
    assert "PDF cannot be verified" in wrong(*audits, "--verify", tmp_path / "card.pdf")
    info = tmp_path / "service.toml"
    info.write_text('[service]\nnme = "x"\n')
    assert "Did you mean 'name'?" in wrong(*audits, "--info", info)


def test_a_file_to_start_from(tmp_path, audits):
    start = done("--new-info")
    path = tmp_path / "service.toml"
    done("--new-info", "-o", path)
    assert path.read_text() == start
    assert "exists already" in wrong("--new-info", "-o", path)
    # Nothing is answered in it, so nothing is said that nobody said.
    assert done(*audits, "--info", path) == done(*audits)
    answered = re.sub(r"^#(?!#)", "", start, flags=re.MULTILINE)
    path.write_text(answered)
    assert "Not stated" not in done(*audits, "--info", path).partition("## Evidence")[0]


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs a browser (chromium)")
def test_a_pdf_is_printed(audits, tmp_path):
    card = tmp_path / "card.pdf"
    done(*audits, "--template", "report", "-o", card)
    content = card.read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.count(b"/Type /Page\n") + content.count(b"/Type /Page/") >= 3
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".json") == [card.name]


def test_a_pdf_needs_a_browser(audits, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "none was found" in wrong(*audits, "-o", tmp_path / "card.pdf")
    assert not (tmp_path / "card.pdf").exists()


def test_a_browser_that_does_not_print(audits, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/false")
    assert "did not print the card" in wrong(*audits, "-o", tmp_path / "card.pdf")
    assert not (tmp_path / "card.pdf").exists()


def test_from_python(audits, tmp_path):
    done(*audits, "-o", tmp_path / "card.md")
    assert fairaudit.card(audits, form="markdown") == (tmp_path / "card.md").read_text()
    audit = Audit.load(audits[0])
    assert fairaudit.card([audit, audits[1]], form="markdown") == fairaudit.card(
        audits, form="markdown"
    )
    for options in ({"form": "pdf"}, {"template": "x"}, {"annexes": ["x"]}):
        with pytest.raises(fairaudit.FairauditError, match="expected"):
            fairaudit.card(audits, **options)


def test_standard_output_is_markdown(audits, tmp_path):
    done(*audits, "-o", tmp_path / "card.md")
    assert done(*audits) == (tmp_path / "card.md").read_text()


def renamed(path, old, new):
    """The audit with a group called otherwise, everywhere."""
    text = path.read_text().replace(json.dumps(old), json.dumps(new))
    path.write_text(text)
    assert Audit.load(path)


def test_hostile_names_show_as_text(audits, tmp_path):
    renamed(audits[1], "caribbean", HOSTILE)
    renamed(audits[0], "White", f"=1+1 {HOSTILE}")
    pages = {form: done_as(form, audits, tmp_path) for form in FORMS}
    assert HOSTILE not in pages["html"]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in pages["html"]
    assert HOSTILE not in pages["md"]
    assert "&#60;script&#62;alert(1)&#60;/script&#62;" in pages["md"]
    assert HOSTILE in json.dumps(json.loads(pages["json"]))


def done_as(form, audits, folder):
    card = folder / f"card.{form}"
    done(*audits, "-o", card)
    assert run("--verify", card, *audits).exit_code == 0
    return card.read_text()


def test_a_dozen_audits_are_under_half_a_megabyte(audits, tmp_path):
    dozen = []
    for i in range(6):
        for path in audits:
            audit = Audit.load(path)
            # No two alike, in no figure.
            rows = [replace(row, value=row.value and row.value * 0.9**i) for row in audit.estimates]
            audit = replace(audit, estimates=tuple(rows), signature=f"{audit.signature}|{i}")
            dozen.append(tmp_path / f"{i}-{path.name}")
            audit.save(dozen[-1])
    card = tmp_path / "card.html"
    done(*dozen, "--info", INFO, "-o", card)
    assert card.stat().st_size < 500_000


def test_for_the_public(made, tmp_path):
    audit = fairaudit.wer(ACCENTS, by=["accent", "speaker"], cluster="speaker", explain=True)
    audit.save(tmp_path / "wer.json")
    quiet, full = done(tmp_path / "wer.json"), done(tmp_path / "wer.json", "--texts")
    assert "scotland-f2" not in quiet
    assert "scotland-f2" in full
    quoted = next(row for row in audit.explanations if row.kind == "confusion").content
    assert any(isinstance(v, str) and v in full for v in quoted.values())
    small = done(made / "errors.json", "--suppress", "300")
    assert "American Indian" in done(made / "errors.json")
    assert "American Indian" not in small


def test_every_number_of_a_table_is_in_the_audit(made):
    """Figures of the evidence, read back from the page, are the audit's, rounded."""
    files = load([made / "wer.json"])
    page = json.loads(render(files, Info(), Wanted("report"), "json"))
    known = {
        f"{100 * value:.1f}"
        for row in (*files[0].audit.estimates, *files[0].audit.comparisons)
        for value in (row.value, row.ci_low, row.ci_high)
        if value is not None
    }
    tables = [each for each in blocks(page) if each["block"] == "sheet" and each["chart"]]
    cells = [cell for table in tables for row in table["rows"] for cell in row[1:3]]
    figures = [figure for cell in cells for figure in re.findall(r"\d+\.\d", cell)]
    assert len(figures) > 90
    assert set(figures) <= known


def blocks(value):
    if isinstance(value, dict):
        if "block" in value:
            yield value
        value = list(value.values())
    for each in value if isinstance(value, list) else ():
        yield from blocks(each)


def test_digests_are_those_of_the_files(audits):
    page = done(*audits)
    for path in audits:
        assert hashlib.sha256(path.read_bytes()).hexdigest() in page
