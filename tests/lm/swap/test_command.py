import gzip
import json
import subprocess
import sys
import time

import pandas as pd
import pytest
from typer.testing import CliRunner

from fairaudit.cli import app
from fairaudit.exceptions import FairauditError
from fairaudit.lm.swap import Coverage, Swapper, files
from tests.conftest import ROOT

SUFFIXES = [".csv", ".tsv", ".jsonl", ".parquet"]


def run(*arguments, input=None):
    return CliRunner().invoke(app, ["swap", *map(str, arguments)], input=input)


def swapped(*arguments, input=None):
    result = run(*arguments, input=input)
    assert result.exit_code == 0, result.stderr
    return result.stdout_bytes


def refused(*arguments, input=None):
    result = run(*arguments, input=input)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr.removeprefix("error: ").strip()


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("He saw her dog.\n\nNobody came.\nThe king left his son.\n")
    return path


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.csv"
    rows = [
        '1,"He said ""her, his""",male,007',
        "2,,female,",
        '3,"no\none",,1.50',
        "4,She,female,x",
    ]
    path.write_text("\n".join(["id,text,gender,code", *rows, ""]))
    return path


# Texts


def test_lines_to_stdout_and_coverage_to_stderr(text):
    result = run(text)
    assert result.exit_code == 0
    assert result.stdout == "She saw his dog.\n\nNobody came.\nThe queen left her daughter.\n"
    assert result.stderr == "2 of 4 lines changed; 5 of 11 words.\n"


def test_quiet(text):
    assert run(text, "--quiet").stderr == ""


def test_options_that_do_nothing_are_refused(text, table, tmp_path):
    assert refused(text, "--quiet", "--report") == (
        "--report says what was replaced, --quiet forbids it: drop one."
    )
    output = tmp_path / "out.csv"
    assert refused(table, "--column", "text", "--paragraphs", "-o", output) == (
        "--paragraphs is for a text, and of a table --column names each cell is reversed whole: "
        "leave it out."
    )
    assert not output.exists()


def test_report(text):
    assert run(text, "--report").stderr.splitlines()[1:] == [
        f"        1  {pair}"
        for pair in ("he -> she", "her -> his", "his -> her", "king -> queen", "son -> daughter")
    ]


def test_report_names_the_most_frequent(tmp_path):
    words = sorted({first for first, _ in Swapper().lexicon.pairs if first.isascii()})[:25]
    path = tmp_path / "text.txt"
    path.write_text("him\nhim\n" + "".join(f"{word}\n" for word in words))
    lines = run(path, "--report").stderr.splitlines()
    assert lines[1] == "        2  him -> her"
    assert (len(lines), lines[-1]) == (22, "           and 6 more")


def test_twice_is_the_original(tmp_path, text):
    once, twice = tmp_path / "once.txt", tmp_path / "twice.txt"
    assert swapped(text, "-o", once) == b""
    swapped(once, "-o", twice)
    assert once.read_bytes() != text.read_bytes()
    assert twice.read_bytes() == text.read_bytes()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b""),
        (b"\n", b"\n"),
        (b"He\r\nleft\r\n\r\nHer dog", b"She\r\nleft\r\n\r\nHis dog"),
        (b"\xef\xbb\xbfHe left.\n", b"\xef\xbb\xbfShe left.\n"),
        ("a\rhe\x0bhe\x0c\x85he\u2028he".encode(), "a\rshe\x0bshe\x0c\x85she\u2028she".encode()),
        (b"he\0her dog\n", b"she\0his dog\n"),
        ("“He’s naïve” \U0001f600\n".encode(), "“She’s naïve” \U0001f600\n".encode()),
    ],
)  # fmt: skip
@pytest.mark.parametrize("options", [(), ("--paragraphs",)])
def test_all_other_bytes_stay(before, after, options, tmp_path):
    path, output = tmp_path / "text.txt", tmp_path / "out.txt"
    path.write_bytes(before)
    assert swapped("-", *options, input=before) == after
    swapped(path, "-o", output, *options)
    assert output.read_bytes() == after


def test_a_line_is_a_document_unless_paragraphs_are(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(b"The first\nlady gave her\nmother a book.\n \r\n\nI saw her\n")
    assert swapped(path).startswith(b"The first\ngentleman gave him\nfather a book.\n \r\n\n")
    result = run(path, "--paragraphs")
    assert result.stdout_bytes == (
        b"The first\ngentleman gave his\nfather a book.\n \r\n\nI saw him\n"
    )
    assert result.stderr == "2 of 2 paragraphs changed; 4 of 11 words.\n"
    path.write_bytes(b"\n\nNobody\n\nHe\nleft\n\n\nIt\n")
    assert swapped(path, "--paragraphs", "--only-changed") == b"She\nleft\n\n\n"


@pytest.mark.parametrize("options", [(), ("--paragraphs",)])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 19, 50])
def test_what_comes_in_blocks_is_the_same(size, options, monkeypatch, tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("I gave her\ndog é.\nx\n\n \nNo\n\n\n\n" * 20)
    at_once = run(path, *options)
    monkeypatch.setattr(files, "_BLOCK", size)
    in_blocks = run(path, *options)
    assert in_blocks.stdout_bytes == at_once.stdout_bytes
    assert in_blocks.stderr == at_once.stderr
    counted = "20 of 40 paragraphs" if options else "20 of 180 lines"
    assert in_blocks.stderr == f"{counted} changed; 20 of 140 words.\n"


def test_only_changed(text):
    assert swapped(text, "--only-changed") == b"She saw his dog.\nThe queen left her daughter.\n"
    assert swapped("-", "--only-changed", input="nobody\nhe") == b"she"
    assert swapped("-", "--only-changed", input="he\nnobody") == b"she\n"


def test_a_line_of_five_megabytes_is_fast():
    line = "She thanked the king and his men. " * 150_000
    start = time.process_time()
    out = swapped("-", input=line)
    assert out.startswith(b"He thanked the queen and her women. ")
    assert len(out) == len(line) + 2 * 150_000
    # Ten times what it takes; anything quadratic takes hours.
    assert time.process_time() - start < 30


def command(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "fairaudit", "swap", *arguments],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
    )  # fmt: skip


def test_a_pipe_is_answered_line_by_line():
    with command("-", stdin=subprocess.PIPE) as process:
        process.stdin.write(b"he\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"she\n"
        process.stdin.write(b"her")
        out, told = process.communicate()
    assert (out, process.returncode) == (b"him", 0)
    assert told == b"2 of 2 lines changed; 2 of 2 words.\n"


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("He left.\n" * 400_000)
    with command(str(path)) as process:
        assert process.stdout.readline() == b"She left.\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.parametrize("by_name", [True, False])
def test_what_is_written_to_is_not_read(by_name, text):
    before = text.read_bytes()
    arguments = [sys.executable, "-m", "fairaudit", "swap", str(text) if by_name else "-"]
    with text.open("ab") as out, text.open("rb") as file:
        done = subprocess.run(
            arguments, stdin=file, stdout=out, stderr=subprocess.PIPE, cwd=ROOT, timeout=60
        )
    assert done.returncode == 2
    assert b"is what is written to" in done.stderr
    assert text.read_bytes() == before


def test_refused_texts(text, tmp_path):
    broken, output = tmp_path / "broken.txt", tmp_path / "out.txt"
    broken.write_bytes(b"he\n" * 500_000 + b"caf\xe9\n")
    output.write_text("before")
    assert refused(broken, "-o", output) == (
        f"{broken}, line 500001: not UTF-8. Convert the file: iconv -f LATIN1 -t UTF-8"
    )
    assert output.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.txt", "out.txt", "text.txt"]
    assert "(stdin), line 2: not UTF-8" in refused("-", "-q", "-o", output, input=b"he\n\xff")
    broken.write_bytes(gzip.compress(b"he\n"))
    assert refused(broken, "-o", output) == f"{broken}, line 1: not UTF-8. Unpack it: gunzip"
    assert refused("no.txt") == "no.txt: no such file. Check the path."
    assert refused(tmp_path) == f"{tmp_path}: cannot be read: Is a directory."
    assert "is what was read" in refused(text, "-o", text)
    assert "cannot be written" in refused(text, "-o", tmp_path / "no" / "out.txt")
    assert text.read_text().startswith("He saw")


# Tables


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_table_keeps_all_other_cells(suffix, table, tmp_path):
    output = tmp_path / f"out{suffix}"
    result = run(table, "--column", "text", "-o", output)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{output}: 2 of 3 texts changed; 4 of 7 words.\n"
    read = {
        ".csv": lambda p: pd.read_csv(p, dtype=str, keep_default_na=False),
        ".tsv": lambda p: pd.read_csv(p, dtype=str, keep_default_na=False, sep="\t"),
        ".jsonl": lambda p: pd.read_json(p, dtype=False, lines=True),
        ".parquet": pd.read_parquet,
    }
    expected = read[".csv"](table)
    expected["text"] = ['She said "him, hers"', "", "no\none", "He"]
    assert read[suffix](output).to_dict("list") == expected.to_dict("list")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_table_there_and_back(suffix, table, tmp_path):
    whole, back = tmp_path / f"once{suffix}", tmp_path / "back.csv"
    swapped(table, "--column", "text", "-o", whole)
    swapped(whole, "--column", "text", "-o", back)
    same = pd.read_csv(back, dtype=str).to_dict("list")
    assert str(same) == str(pd.read_csv(table, dtype=str).to_dict("list"))


def test_json_lines_keep_their_types(tmp_path):
    path, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    rows = [
        {"text": "He\n“é”", "n": 1, "big": 12345678901234567890123, "list": [1, {"a": None}]},
        {"text": None, "n": 2.5, "big": True, "list": "He"},
        {"text": "", "n": None, "big": "7", "list": {}},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert swapped(path, "--column", "text", "-o", output) == b""
    rows[0]["text"] = "She\n“é”"
    assert [json.loads(line) for line in output.read_text().splitlines()] == rows


def test_parquet_keeps_its_types_and_nulls(tmp_path):
    path, output = tmp_path / "in.parquet", tmp_path / "out.parquet"
    frame = pd.DataFrame(
        {
            "text": ["He", None, "", "x"],
            "score": [float("nan"), float("inf"), None, 1.5],
            "day": pd.to_datetime(["2020-01-01", None, "2021-02-03", "2022-01-01"]).astype(
                "datetime64[us]"
            ),
            "tags": [["he"], [], None, ["a", "b"]],
        }
    )
    frame.to_parquet(path)
    swapped(path, "--column", "text", "-o", output)
    kept = ["score", "day", "tags"]
    before, after = pd.read_parquet(path), pd.read_parquet(output)
    pd.testing.assert_frame_equal(after[kept], before[kept])
    assert after["text"].isna().tolist() == [False, True, False, False]
    assert after["text"].dropna().tolist() == ["She", "", "x"]
    assert "missing texts (1), which .csv cannot tell" in refused(
        path, "--column", "text", "-o", tmp_path / "out.csv"
    )


def test_equal_texts_count_each_time(tmp_path):
    path, output = tmp_path / "in.parquet", tmp_path / "out.jsonl"
    pd.DataFrame({"text": ["He", "x"] * 5_000, "n": range(10_000)}).to_parquet(path)
    for options in ((), ("--only-changed",)):
        result = run(path, "--column", "text", "-o", output, *options)
        assert result.stderr.endswith("5,000 of 10,000 texts changed; 5,000 of 10,000 words.\n")
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert rows == [{"text": "She", "n": n} for n in range(0, 10_000, 2)]


def test_several_columns_and_stdin(tmp_path):
    output = tmp_path / "out.csv"
    pairs = "a,b,A\nhe,x,he\ny,her,she\nz,z,he\n"
    columns = ("--column", "a", "--column", "b")
    result = run("-", *columns, "-o", output, "--only-changed", input=pairs)
    assert result.stderr.endswith("2 of 6 texts changed; 2 of 6 words.\n")
    assert output.read_text() == "a,b,A\nshe,x,he\ny,him,she\n"


def test_interrupted(table, text, tmp_path, monkeypatch):
    def interrupt(self, text, tally=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(Swapper, "swap", interrupt)
    for arguments in ((table, "--column", "text"), (text,)):
        result = run(*arguments, "-o", tmp_path / "out.csv")
        assert (result.exit_code, result.output) == (130, "")
        assert {path.name for path in tmp_path.iterdir()} == {"table.csv", "text.txt"}


def test_refused_tables(table, tmp_path):
    output = tmp_path / "out.csv"
    assert "no column 'txt'. Columns: id, text, gender, code. Did you mean 'text'?" in refused(
        table, "--column", "txt", "-o", output
    )
    assert "a table needs a file to be written to: -o" in refused(table, "--column", "text")
    assert "a table. Name its column of texts" in refused(table)
    assert "a name that ends in .csv" in refused(table, "--column", "text", "-o", "out.xlsx")
    assert "is what was read" in refused(table, "--column", "text", "-o", table)
    assert "no such file" in refused("no.csv", "--column", "text", "-o", output)
    numbers = tmp_path / "in.jsonl"
    numbers.write_text('{"text": "he"}\n{"text": 5}\n')
    assert f"{numbers}, row 2: text is 5; expected text." in refused(
        numbers, "--column", "text", "-o", output
    )
    assert not output.exists()


# Word lists and names


def test_own_list_replaces_and_extends(tmp_path):
    own = tmp_path / "own.toml"
    own.write_text('pairs = [["dog", "cat"]]\n')
    line = "He saw her dog.\n"
    assert swapped("-", "--list", own, input=line) == b"He saw her cat.\n"
    own.write_text('extends = "gender"\npairs = [["dog", "cat"]]\n')
    assert swapped("-", "--list", own, input=line) == b"She saw his cat.\n"


def test_list_with_two_counterparts(tmp_path):
    own = tmp_path / "own.toml"
    own.write_text('pairs = [["dog", "cat"], ["dog", "cow"]]\n')
    assert "'dog' has two counterparts, 'cat' and 'cow'" in refused("-", "--list", own, input="x")
    assert "cannot be read" in refused("-", "--list", tmp_path / "no.toml", input="x")


@pytest.mark.parametrize("group", ["gender", "group", "sex"])
@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_names_are_matched_by_frequency(group, delimiter, tmp_path):
    rows = [("name", group, "count"), ("Eve", "F", 80), ("Tom", "M", 40), ("Abe", "M", 60)]
    rows += [("Ann", "F", 7), ("Tom", "M", 50), ("Zoe", "F", 1)]
    path = tmp_path / ("names.csv" if delimiter == "," else "names.tsv")
    path.write_text("".join(delimiter.join(map(str, row)) + "\n" for row in rows))
    assert files.read_names(path) == {"Eve": "Tom", "Ann": "Abe"}
    said = "Tom told Ann that Zoe knew her.\n"
    assert swapped("-", "--names", path, input=said) == b"Eve told Abe that Zoe knew him.\n"


def test_names_in_pairs(tmp_path):
    path = tmp_path / "names.toml"
    path.write_text('names = [["John", "Mary"], ["Mary", "John"]]\n')
    assert files.read_names(path) == {"John": "Mary"}
    assert swapped("-", "--names", path, input="Mary's JOHN") == b"John's MARY"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("n.csv", "Mary,F,7065\n", "columns Mary, F, 7065. A file of names is a CSV or TSV table"),
        ("n.csv", "name,gender,count\nA,F,1\nB,F,2\n", "expected two groups of names; found F."),
        ("n.csv", "name,gender,count\nA,F,1\nB,M,1\nC,X,1\n", "two groups of names; found F, M, X"),
        ("n.csv", "name,gender,count\nA,F,1\nB,M,\n", "row 2: name, gender or count is missing"),
        ("n.csv", "name,gender,count\nA,F,1\nB,M,x\n", "row 2: count is 'x'; expected a number"),
        ("n.csv", "name,gender,count\nA,F,1\nB,M,-3\n", "row 2: count is -3; expected a whole"),
        ("n.csv", "name,gender,count\nA,F,1.5\nB,M,3\n", "row 1: count is 1.5; expected a whole"),
        ("n.csv", "name,gender,count\nA,,1\nB,M,1\n", "row 1: name, gender or count is missing"),
        ("n.toml", "", "no names. A file of names is a CSV or TSV table"),
        ("n.toml", "pairs = []", "unknown key 'pairs'"),
        ("n.toml", 'names = [["John"]]', "names: entry 1: expected two words"),
    ],
)  # fmt: skip
def test_refused_names(name, content, message, tmp_path):
    path = tmp_path / name
    path.write_text(content)
    told = refused("-", "--names", path, input="he")
    assert told.startswith(str(path))
    assert message in told


# From Python


def test_coverage_is_that_of_the_swapper(text):
    lines = text.read_text().splitlines()
    expected = sum(map(Swapper().count, lines), Coverage())
    assert files.reverse_text(str(text), text.with_name("out.txt")) == expected


def test_errors_are_fairaudits_own(tmp_path):
    with pytest.raises(FairauditError, match="no such file"):
        files.reverse_text(str(tmp_path / "no.txt"))


def test_lines_are_the_swappers(data, tmp_path):
    path = tmp_path / "text.txt"
    content = (data / "corpus" / "wikitext2-valid.txt").read_text()
    path.write_text(content)
    swapper = Swapper()
    expected = "\n".join(swapper.swap(line) for line in content.split("\n"))
    assert swapped(path, "-q").decode() == expected
