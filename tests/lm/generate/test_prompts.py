import json

import pytest

from fairaudit.exceptions import FairauditError
from fairaudit.lm.generate.prompts import open_prompts
from fairaudit.lm.generate.texts import read
from fairaudit.selection import Selection
from fairaudit.table import MISSING_VALUES, Workspace


def rows(source, column=None, where=None):
    selection = Selection.of((), None, (), where, MISSING_VALUES)
    with Workspace() as workspace:
        table, column = open_prompts(workspace, source, column)
        cells, records = read(table, selection, column)
    return column, cells, records


def refused(source, **options):
    with pytest.raises(FairauditError) as error:
        rows(source, **options)
    return str(error.value)


@pytest.fixture
def bold(tmp_path):
    first, second = tmp_path / "profession_prompt.json", tmp_path / "race_prompt.json"
    first.write_text(json.dumps({"nurses": {"Nurse": ["A nurse is ", "é"], "Midwife": ["x"]}}))
    second.write_text(json.dumps({"g": ["one", "NA"]}))
    return first, second


def test_bold_in_several_files(bold):
    column, cells, records = rows(bold)
    assert column == "prompt"
    assert cells == {
        "domain": ["profession"] * 3 + ["race"] * 2,
        "category": ["nurses"] * 3 + ["g"] * 2,
        "name": ["Nurse", "Nurse", "Midwife", "", ""],
        "prompt": ["A nurse is ", "é", "x", "one", "NA"],
    }
    assert (records.total, records.used) == (5, 5)


def test_bold_can_be_filtered(bold):
    _, cells, records = rows(bold[0], where="name = 'Midwife'")
    assert cells["prompt"] == ["x"]
    assert dict(records.dropped) == {"filtered by --where": 2}


def test_published_counts(data):
    _, cells, records = rows(str(data / "lm" / "bold" / "*.json"))
    domains = [cells["domain"].count(name) for name in ("gender", "race", "profession")]
    assert domains == [3204, 7657, 10195]
    assert records.total == 23679
    assert dict(records.dropped) == {"no prompt": 5}  # blank in the files themselves
    assert len(set(cells["category"])) == 43


@pytest.mark.parametrize("name", ["p.csv", "p.tsv", "p.jsonl", "p.json"])
def test_tables(tmp_path, name):
    path, gap = tmp_path / name, "\t" if name.endswith("tsv") else ","
    if "json" in name:
        path.write_text('{"prompt": "He said", "age": 3}\n{"prompt": "She said", "age": 4}\n')
    else:
        path.write_text(f"prompt{gap}age\nHe said{gap}3\nShe said{gap}4\n")
    assert rows(path)[1] == {"prompt": ["He said", "She said"], "age": ["3", "4"]}


def test_lines(tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_text("He said\n\n  She said \n")
    column, cells, records = rows(path)
    assert (column, cells[column]) == ("prompt", ["He said", "She said"])
    assert dict(records.dropped) == {"no prompt": 1}


def test_odd_separators_are_no_ends_of_lines(tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_bytes("\ufeffHe\u2028said\r\nShe\x0csaid\r\n\r\n".encode())
    assert rows(path)[1]["prompt"] == ["He\u2028said", "She\x0csaid"]


def test_the_column_is_found(tmp_path):
    path = tmp_path / "one.csv"
    path.write_text("sentence\nHe said\n")
    assert rows(path)[0] == "sentence"
    path.write_text("a,sentence\n1,He said\n")
    assert rows(path, column="sentence")[0] == "sentence"
    said = refused(path)
    assert "no column 'prompt'" in said
    assert "--prompt NAME" in said
    assert "BOLD's JSON" in said
    assert "no column 'b'" in refused(path, column="b")


@pytest.mark.parametrize(
    "content",
    ['{"a": {"b": "c"}}', '{"a": {"b": [1]}}', '{"a": ["x"], "b": 3}', '{"a": {"b": {"c": []}}}'],
)
def test_json_of_another_form(tmp_path, content):
    path = tmp_path / "odd.json"
    path.write_text(content)
    said = refused(path)
    assert "where a list of texts was expected" in said
    assert "BOLD's JSON (category, name, list of prompts)" in said


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.txt", ""), ("a.txt", "\n \n"), ("a.json", "{}"), ("a.json", '{"a": {}}'), ("a.csv", "")],
)
def test_nothing_in_it(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content)
    said = refused(path)
    assert str(path) in said
    assert "no prompts" in said or "empty" in said


def test_what_cannot_be_read(tmp_path, bold):
    lines = tmp_path / "a.txt"
    lines.write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8" in refused(lines)
    lines.write_text("x")
    assert "several forms" in refused([bold[0], lines])
    assert "no such file" in refused(tmp_path / "none.txt")
    odd = tmp_path / "prompts.docx"
    odd.write_text("prompt\nx\n")
    said = refused(odd)
    assert "of no form that is known" in said
    assert "BOLD's JSON" in said
