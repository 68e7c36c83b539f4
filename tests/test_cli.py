import gzip
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import fairaudit
from fairaudit.audit import Audit
from fairaudit.cli import app
from tests.conftest import ROOT

EXAMPLE = str(ROOT / "examples" / "accents" / "transcripts.csv")
BY = ["--by", "accent", "--cluster", "speaker"]
GOOD = "id,reference,hypothesis,accent,speaker\n" + "".join(
    f"u{i},a b c d,a b {'c' if i % 3 else 'x'} d,{'us' if i % 2 else 'uk'},s{i % 6}\n"
    for i in range(24)
)


def invoke(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def run(*arguments):
    return invoke("wer", *arguments)


def wrong(*arguments):
    """Run a command that cannot: one message, exit code 2, nothing on standard output."""
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.fixture
def csv(tmp_path):
    def write(content, name="calls.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_table(csv):
    result = run(csv(GOOD), *BY)
    assert result.exit_code == 0
    assert "WER, by accent" in result.stdout
    assert "24 of 24 records used." in result.stdout
    assert result.stderr == "columns: ref=reference, hyp=hypothesis, id=id, cluster=speaker\n"


def test_json_alone_on_standard_output():
    result = run(EXAMPLE, *BY, "--format", "json", "--quiet")
    assert result.stderr == ""
    assert Audit.from_json(result.stdout).to_json() == result.stdout


def test_table_fits_eighty_columns():
    for line in run(EXAMPLE, *BY, "--by", "accent:gender").stdout.splitlines():
        assert len(line) <= 80 or line.startswith("wer|")
        assert line == line.rstrip()


@pytest.mark.parametrize("width", ["20", "60", "200"])
def test_no_figure_is_cut_off_on_any_terminal(width, monkeypatch):
    monkeypatch.setenv("COLUMNS", width)
    text = run(EXAMPLE, *BY).stdout
    assert "\u2026" not in text
    assert re.search(r"70\.5 \[64\.6, 77\.0\] 45/21/4  3132  288    6  \+24\.4\*", text)


def test_no_colour_when_piped():
    assert "\x1b" not in run(EXAMPLE, *BY).output


def test_hostile_names_are_escaped_everywhere(csv):
    name = "\x1b[31m[red]=1+1|<script>`"
    path = csv(GOOD.replace(",us,", f',"{name}",'))
    table = run(path, "--by", "accent").stdout
    assert "\x1b" not in table
    assert r"\x1b[31m[red]=1+1|<script>`" in table.replace("\n ", "").replace("\n", "")
    assert "<script>" not in run(path, "--by", "accent", "--format", "markdown").stdout
    formula = csv(GOOD.replace(",us,", ',"=HYPERLINK(1)",'))
    rows = run(formula, "--by", "accent", "--format", "csv").stdout
    assert "accent,'=HYPERLINK(1),wer" in rows


def test_output_file(csv, tmp_path):
    path = tmp_path / "out.json"
    assert run(csv(GOOD), *BY, "-o", path).exit_code == 0
    content = json.loads(path.read_text())
    assert content["schema"] == "fairaudit/audit/1"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["calls.csv", "out.json"]


def test_output_that_cannot_be_written(csv, tmp_path):
    path = csv(GOOD)
    result = run(path, *BY, "-o", tmp_path / "none" / "out.json")
    assert result.exit_code == 2
    assert "out.json: cannot be written: No such file or directory" in result.stderr
    assert result.stdout == ""
    (tmp_path / "folder").mkdir()
    assert run(path, *BY, "-o", tmp_path / "folder").exit_code == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["calls.csv", "folder"]


def test_output_never_replaces_what_was_audited(csv, tmp_path):
    path = csv(GOOD)
    result = run(path, *BY, "-o", path)
    assert result.exit_code == 2
    assert "is what was read" in result.stderr
    assert path.read_text() == GOOD


def test_output_replaces_no_device(csv, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    result = run(csv(GOOD), *BY, "-o", tmp_path / "pipe")
    assert "pipe: cannot be written: not a regular file" in result.stderr
    assert not (tmp_path / "pipe").is_file()


def test_names_from_the_data_are_escaped_in_errors(csv):
    path = csv(GOOD.replace(",us,", ",\x1b[31m:b:,"))
    message = wrong(path, *BY, "--compare-to", "nope")
    assert r"\x1b[31m:b:" in message


def test_standard_input_is_given_once():
    result = CliRunner().invoke(app, ["wer", "-", "-"], input=GOOD)
    assert result.exit_code == 2
    assert "can be given once only" in result.stderr


def test_mean_over_speakers_needs_speakers(csv):
    assert "wer_speaker is a mean over clusters" in wrong(csv(GOOD), "--metric", "wer_speaker")


def test_optional_columns_do_not_stop_an_audit(csv):
    path = csv("path,id,reference,hypothesis,speaker,client_id\np1,u1,a,b,s,c\np2,u2,a,a,s,c\n")
    assert "id=id" in run(path).stderr


def test_conditions_that_do_not_fit_the_column(csv):
    path = csv("ref,hyp,age\na,b,30\na,b,old\n")
    for condition in ("age > 18", "age + 1 > 18"):
        message = wrong(path, "--where", condition)
        assert f"--where {condition}: " in message
        assert "CAST(age AS DOUBLE)" in message


def test_a_spreadsheet(csv):
    assert "a spreadsheet or zip archive" in wrong(csv(b"PK\x03\x04\0\0\0\0", "a.xlsx"))


def test_one_group_left(csv):
    result = run(csv(GOOD), *BY, "--where", "accent = 'us'")
    assert result.exit_code == 0
    assert "Gap" not in result.stdout


def test_no_such_file():
    assert "missing.csv: no such file" in wrong("missing.csv")


def test_pattern_without_a_file(tmp_path):
    assert "no such file" in wrong(tmp_path / "*.csv")


def test_empty_file(csv):
    assert "calls.csv: the file is empty" in wrong(csv(""))


def test_header_alone(csv):
    assert "calls.csv: no records to audit" in wrong(csv("reference,hypothesis\n"))


def test_directory(tmp_path):
    assert "is a directory" in wrong(tmp_path)


def test_not_utf8(csv):
    message = wrong(csv(GOOD.encode() + b"u9,caf\xe9,a,us,s1\n"), *BY)
    assert "calls.csv, line 26: not UTF-8" in message


def test_utf16(csv):
    assert "calls.csv, line 1: a NUL byte" in wrong(csv(GOOD.encode("utf-16")))


def test_nul_byte(csv):
    content = GOOD.replace("u3,a b", "u3,a\0b")
    assert "calls.csv, line 5: a NUL byte" in wrong(csv(content), *BY)


def test_nul_byte_within_json(csv):
    path = csv('{"ref": "a", "hyp": "a\\u0000b"}\n', "a.jsonl")
    assert "a.jsonl, row 1: hyp holds a NUL byte; expected text" in wrong(path)


def test_broken_line_of_csv(csv):
    message = wrong(csv(GOOD + "u99,a b\n"), *BY)
    assert "calls.csv, line 26: expected 5 columns, found 2: u99,a b" in message


def test_quote_that_is_not_closed(csv):
    assert "line 26: a quote is opened and not closed" in wrong(csv(GOOD + 'u9,"a,b,us,s1\n'), *BY)


def test_broken_line_of_json(csv):
    path = csv(
        '{"ref": "a", "hyp": "b"}\n{"ref": "a", "hyp": \n{"ref": "c", "hyp": "d"}\n', "a.jsonl"
    )
    assert re.search(r"a\.jsonl, line 2: broken JSON", wrong(path))


def test_json_that_is_no_object(csv):
    path = csv('{"ref": "a", "hyp": "b"}\n[1]\n', "a.jsonl")
    assert "a.jsonl, line 2: expected a JSON object" in wrong(path)


def test_truncated_parquet(csv, tmp_path):
    import duckdb

    whole = tmp_path / "whole.parquet"
    duckdb.execute(f"COPY (SELECT 'a' AS ref, 'b' AS hyp FROM range(9999)) TO '{whole}'")
    path = csv(whole.read_bytes()[:-100], "cut.parquet")
    assert "cut.parquet: not a complete Parquet file" in wrong(path)


def test_missing_column_and_the_nearest(csv):
    message = wrong(csv(GOOD), "--by", "accnt")
    assert message == (
        f"error: {csv(GOOD)}: no column 'accnt'. Columns: id, reference, hypothesis, accent, "
        "speaker. Did you mean 'accent'?\n"
    )


@pytest.mark.parametrize("option", ["--ref-column", "--hyp-column", "--id-column", "--cluster"])
def test_missing_column_given_by_option(csv, option):
    assert "no column 'nope'" in wrong(csv(GOOD), option, "nope")


def test_two_reference_candidates(csv):
    message = wrong(csv("text,reference,hyp\na,b,c\n"))
    assert "several columns could be the reference: text, reference" in message
    assert "--ref-column text" in message


def test_no_hypothesis_candidate(csv):
    message = wrong(csv("text,what\na,b\n"))
    assert "no column looks like the hypothesis. Columns: text, what" in message


def test_column_that_stands_twice(csv):
    assert "column 'ref' stands twice" in wrong(csv("ref,ref,hyp\na,b,c\n"))


def test_all_groups_missing(csv):
    result = run(csv(GOOD.replace(",us,", ",NA,").replace(",uk,", ",,")), *BY)
    assert result.exit_code == 2
    assert "accent has no value in any record" in result.stderr


def test_duplicate_ids(csv):
    message = wrong(csv(GOOD.replace("u7,", "u3,")), *BY)
    assert "ids in column 'id' must be unique; 'u3' stands 2 times" in message


def test_duplicate_ids_that_a_filter_takes_apart(csv):
    path = csv("id,ref,hyp,run\nu1,a,b,1\nu1,a,a,2\n")
    assert "'u1' stands 2 times" in wrong(path)
    assert run(path, "--where", "run = 1").exit_code == 0


def test_empty_ids(csv):
    assert "2 are empty" in wrong(csv("id,ref,hyp\n,a,b\n,c,d\n"))


def test_id_mismatch(csv):
    refs = csv("id,text\nu1,a\nu2,b\n", "refs.csv")
    hyps = csv("id,text\nu1,a\nu3,b\n", "hyps.csv")
    message = wrong("--ref", refs, "--hyp", hyps)
    assert "1 ids of column 'id' are not in" in message
    assert "'u2' the first" in message
    assert "--missing delete" in message
    deleted = run("--ref", refs, "--hyp", hyps, "--missing", "delete")
    assert "2 of 3 records used. Left out: no reference: 1." in deleted.stdout
    note = "1 records have no hypothesis; their words count as deleted"
    assert note in " ".join(deleted.stdout.split())
    skipped = run("--ref", refs, "--hyp", hyps, "--missing", "skip")
    assert "1 of 3 records used. Left out: no hypothesis: 1; no reference: 1." in skipped.stdout


def test_number_where_text_should_be(csv):
    path = csv('{"ref": "a", "hyp": "b"}\n{"ref": "a", "hyp": 12}\n', "a.jsonl")
    assert "a.jsonl, row 2: hyp is 12; expected text" in wrong(path)


def test_column_of_numbers_where_text_should_be(tmp_path):
    import duckdb

    path = tmp_path / "a.parquet"
    duckdb.execute(f"COPY (SELECT 'a' AS ref, 12 AS hyp) TO '{path}'")
    assert "column 'hyp' holds INTEGER; expected text" in wrong(path)


def test_text_where_a_number_should_be(csv):
    path = csv("ref,hyp,age\na,b,30\na,b,old\n")
    message = wrong(path, "--by", "age", "--bins", "age=18")
    assert "age is 'old'; expected a number" in message
    assert run(path, "--by", "age", "--bins", "age=18", "--na", "old").exit_code == 0


def test_bins_of_no_attribute(csv):
    assert "no attribute of --by is called 'age'" in wrong(
        csv("ref,hyp,age\na,b,3\n"), "--bins", "age=1"
    )


def test_condition_that_is_none(csv):
    assert "--where accent =: syntax error" in wrong(csv(GOOD), "--where", "accent =")


def test_condition_that_keeps_nothing(csv):
    message = wrong(csv(GOOD), "--where", "accent = 'xx'")
    assert "no records to audit (filtered by --where: 24)" in message


@pytest.mark.parametrize(
    "arguments",
    [
        ("--confidence", "1"),
        ("--resamples", "10"),
        ("--resamples", "1000000000"),
        ("--seed", "-1"),
        ("--min-n", "-1"),
        ("--metric", "bleu"),
        ("--compare-to", "xx"),
        ("--by", "accent:accent"),
        ("--bins", "accent=x"),
        ("--bins", "accent=1", "--bins", "accent=2"),
    ],
)
def test_arguments_out_of_range(csv, arguments):
    wrong(csv(GOOD), *BY, *arguments)


@pytest.mark.parametrize(
    "arguments", [("--interval", "exact"), ("--format", "xml"), ("--nope",), ("--normalize", "x")]
)
def test_arguments_that_do_not_exist(csv, arguments):
    result = run(csv(GOOD), *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""


def test_nothing_to_read():
    assert "expected one table" in wrong()
    assert "expected one table" in wrong("--ref", "a.csv")
    assert "expected one table" in wrong("a.csv", "--ref", "a.csv", "--hyp", "b.csv")


def test_standard_input():
    command = [sys.executable, "-m", "fairaudit", "wer", "-", "--by", "accent", "-q"]
    done = subprocess.run(command, input=GOOD, capture_output=True, text=True, cwd=ROOT, check=True)
    assert "24 of 24 records used." in done.stdout


def test_version():
    result = CliRunner().invoke(app, ["--version"])
    assert result.stdout == f"fairaudit {fairaudit.__version__}\n"


def run_where_the_audit_raises(exception):
    code = (
        "import fairaudit.audits.wer as w, fairaudit.cli as cli, sys\n"
        f"def planted(*a, **k): raise {exception}\n"
        f"w.wer = planted; sys.argv = ['fairaudit', 'wer', {EXAMPLE!r}]; cli.main()\n"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_a_bug_exits_with_3():
    done = run_where_the_audit_raises("ZeroDivisionError('planted')")
    assert done.returncode == 3
    assert "ZeroDivisionError: planted" in done.stderr
    assert "This is a bug in fairaudit" in done.stderr


def test_interrupt_exits_with_130():
    done = run_where_the_audit_raises("KeyboardInterrupt")
    assert done.returncode == 130
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_failure(tmp_path):
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "fairaudit", "wer", EXAMPLE, "--format", "json"]
    with os.fdopen(write, "w") as closed:
        done = subprocess.run(
            command, stdout=closed, stderr=subprocess.PIPE, text=True, cwd=ROOT, check=False
        )
    assert done.returncode == 141
    assert "Traceback" not in done.stderr


def test_help_names_every_option():
    text = CliRunner().invoke(app, ["wer", "--help"], env={"COLUMNS": "200"}).stdout
    for option in ("--by", "--cluster", "--where", "--compare-to", "--output", "--match-id"):
        assert option in text


def test_completion_is_offered():
    assert "--install-completion" in CliRunner().invoke(app, ["--help"]).stdout


def test_the_module_runs():
    command = [sys.executable, "-m", "fairaudit", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == f"fairaudit {fairaudit.__version__}\n"


def test_kaldi_lines(csv):
    result = run(csv(GOOD), *BY, "--format", "kaldi", "--quiet")
    assert result.stdout.splitlines() == [
        "%WER 8.33 [ 8 / 96, 0 ins, 0 del, 8 sub ]",
        "%WER 8.33 [ 4 / 48, 0 ins, 0 del, 4 sub ] accent=uk",
        "%WER 8.33 [ 4 / 48, 0 ins, 0 del, 4 sub ] accent=us",
    ]
    assert "--metric wer" in wrong(csv(GOOD), "--metric", "ser", "--format", "kaldi", "--quiet")


def test_every_table_fits_eighty_columns(csv, tmp_path):
    old = csv(GOOD.replace("a b x d", "a b y e"), "old.csv")
    more = ["--normalize", "basic", "--normalize", "none", "--against", old, "--explain"]
    good = "\n".join(
        f"{line},{'age' if i == 0 else i % 7}" for i, line in enumerate(GOOD.splitlines())
    )
    result = run(csv(good), *BY, *more, "--adjust", "age", "--match", "age")
    assert result.exit_code == 0, result.output
    for title in (
        "WER, by accent, under each normaliser",
        "Change of WER, by accent",
        "WER ratio to rest, by accent, at equal covariates",
        "Words missed, by accent",
        "uk, u18: 1 errors in 4 words",
    ):
        assert title in result.stdout, title
    assert "said  a b C d\n  heard a b X d" in result.stdout
    for line in result.stdout.splitlines():
        assert len(line) <= 80 or line.startswith("wer|")
    markdown = run(csv(GOOD), *BY, *more, "--format", "markdown").stdout
    assert "| said | a | b | **c** | d |\n| heard | a | b | **x** | d |" in markdown


def test_words_of_the_data_are_escaped(csv):
    bad = GOOD.replace("a b x d", "a \x1b[31m<b>|x* d")
    arguments = (csv(bad), *BY, "--explain", "--normalize", "none")
    assert "\x1b" not in run(*arguments).stdout
    markdown = run(*arguments, "--format", "markdown").stdout
    assert "<b>" not in markdown
    assert "\x1b" not in markdown


def convert(*arguments):
    return CliRunner().invoke(app, ["convert", *map(str, arguments)])


def test_convert(csv, tmp_path):
    csv("hello {um / @} (u-1)\nworld (u-2)\n", "r.trn")
    csv("hello (u-1)\nword (u-2)\n", "h.trn")
    output = tmp_path / "tidy.csv"
    pair = ["--ref", tmp_path / "r.trn", "--hyp", tmp_path / "h.trn"]
    result = convert(*pair, "-o", output)
    assert result.exit_code == 0, result.output
    assert output.read_text() == (
        "id,speaker,reference_trn,hypothesis_trn\nu-1,u,hello { um / @ },hello\nu-2,u,world,word\n"
    )
    assert "2 records" in result.stderr
    direct = run(*pair, "--format", "kaldi", "-q").stdout
    assert direct == run(output, "--format", "kaldi", "-q").stdout
    assert direct == "%WER 50.00 [ 1 / 2, 0 ins, 0 del, 1 sub ]\n"


def test_convert_says_what_is_wrong(csv, tmp_path):
    csv("hello { um (u-1)\n", "r.trn")
    csv("hello (u-1)\n", "h.trn")
    result = convert("--ref", tmp_path / "r.trn", "--hyp", tmp_path / "h.trn", "-o", "x.csv")
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.search(r"error: .*r\.trn, line 1: .*brace", result.stderr)


def test_a_format_may_be_named(csv, tmp_path):
    csv("u1 hello world\n", "hyp.txt")
    csv("u1 hello word\n", "text")
    pair = ["--ref", tmp_path / "text", "--hyp", f"kaldi:{tmp_path / 'hyp.txt'}"]
    assert run(*pair, "--format", "kaldi", "-q").stdout.startswith("%WER 50.00 [ 1 / 2")


def test_mean_over_speakers_beside_an_earlier_run(csv):
    old = csv(GOOD, "old.csv")
    result = run(csv(GOOD), *BY, "--against", old, "--metric", "wer_speaker")
    assert result.exit_code == 0, result.output


def test_nothing_differs_where_nothing_varies(csv):
    # Every speaker has the same share of wrong utterances: rounding is no evidence.
    same = "id,reference,hypothesis,accent,speaker\n" + "".join(
        f"u{i},a b c,{'a b c' if i % 3 else 'a b x'},{'us' if i < 90 else 'uk'},s{i // 9}\n"
        for i in range(180)
    )
    result = run(csv(same), *BY, "--metric", "ser", "-q")
    assert "That no group differs: p=1.000" in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize("compression", ["", ".gz"])
def test_quotes_as_they_come_in_a_tsv_swallow_no_record(csv, compression):
    text = "id\treference\thypothesis\n" + "".join(
        f"u{i}\t{chr(34) if i == 2 else ''}word {i}\tword {i}{chr(34) if i == 5 else ''}\n"
        for i in range(9)
    )
    content = gzip.compress(text.encode()) if compression else text
    result = run(csv(content, f"a.tsv{compression}"), "-q", "--format", "kaldi")
    assert result.stdout.startswith("%WER 0.00 [ 0 / 18")


def test_damaged_gzip(csv):
    whole = gzip.compress(GOOD.encode() * 50)
    flipped = bytearray(whole)
    flipped[-6] ^= 1  # within the checksum
    for content in (whole[:-9], bytes(flipped)):
        for name in ("a.csv.gz", "a.jsonl.gz"):
            assert "damaged" in wrong(csv(content, name))


def test_a_name_that_no_file_can_have(csv, tmp_path):
    long = "x" * 300
    assert "no such file" in wrong(long)
    assert "cannot be written" in wrong(csv(GOOD), "-o", tmp_path / long, "-q")


def test_an_output_that_cannot_show_a_letter(csv):
    code = [sys.executable, "-m", "fairaudit", "wer", str(csv(GOOD.replace("us", "ус"))), *BY]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(code, capture_output=True, env=environment, cwd=ROOT)
    assert done.returncode == 0
    assert rb"\u0443\u0441" in done.stdout


FULL = Path("/dev/full")  # a device that takes nothing


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_a_full_disk(csv):
    with FULL.open("w") as full:
        code = [sys.executable, "-m", "fairaudit", "wer", str(csv(GOOD)), *BY]
        done = subprocess.run(code, stdout=full, stderr=subprocess.PIPE, cwd=ROOT)
    assert done.returncode == 2
    assert b"error: cannot be written" in done.stderr


def test_convert_never_makes_an_empty_text_of_a_missing_one(tmp_path):
    table = tmp_path / "a.jsonl"
    rows = [{"id": 1, "reference": "a", "hypothesis": "a"}, {"id": 2, "hypothesis": "b"}]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = convert(table, "-o", tmp_path / "b.csv")
    assert result.exit_code == 2
    assert "1 records have no reference" in result.stderr
    assert convert(table, "-o", tmp_path / "b.jsonl").exit_code == 0
    assert "1 of 2 records used" in run(tmp_path / "b.jsonl", "-q").stdout


@pytest.mark.parametrize(
    "words",
    [
        "wer examples/accents/transcripts.csv --by accent --by gender --no-texts",
        "wer examples/accents/transcripts.csv --by accent --where \"gender = 'male'\" --normalize "
        "none --normalize basic --confidence 0.9 --rubric asr",
        "errors examples/hiring/applicants.csv --by sex:race --label qualified --prediction hired",
        "search examples/hiring/applicants.csv --label qualified --prediction hired "
        "--over sex,race --metric false_negative_rate --seed 3",
    ],
)
def test_an_audit_carries_the_command_that_makes_it_anew(words, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    given = shlex.split(words)
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    status = invoke(*given, "-o", first, "--quiet", "--format", "json").exit_code
    command = json.loads(first.read_text())["command"]
    assert invoke(*shlex.split(command)[1:], "-o", second).exit_code == status < 2
    assert first.read_text() == second.read_text()


def test_the_command_writes_out_the_defaults_of_a_project(csv, tmp_path, monkeypatch):
    path = csv("accent,reference,hypothesis\nus,a,b\nuk,a,a\n")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[tool.fairaudit]\nby = ["accent"]\n')
    made = json.loads(run(path, "--format", "json").stdout)
    assert made["command"] == f"fairaudit wer {path} --by accent"


def test_a_file_that_looks_like_an_option(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-x.csv").write_text("reference,hypothesis\na,b\n")
    made = json.loads(run("--format", "json", "--", "-x.csv").stdout)
    assert made["command"] == "fairaudit wer ./-x.csv"
