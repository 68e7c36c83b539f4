import gzip
import hashlib
import json

import duckdb
import numpy as np
import pandas as pd
import pytest

from fairaudit.exceptions import FairauditError
from fairaudit.joins import add_attributes, join
from fairaudit.table import NOTHING, Workspace, _digests

ROWS = [("u1", "Hello, you", "hello", "us"), ("u2", 'say "x"', "", "uk"), ("u3", "", "a b", "")]
HEADER = ["id", "ref", "hyp", "accent"]


def as_csv(path, delimiter=","):
    pd.DataFrame(ROWS, columns=HEADER).to_csv(path, index=False, sep=delimiter)


def as_json(path):
    path.write_text("".join(json.dumps(dict(zip(HEADER, r, strict=True))) + "\n" for r in ROWS))


def as_parquet(path):
    frame = pd.DataFrame(ROWS, columns=HEADER)
    duckdb.connect().register("f", frame).execute(f"COPY f TO '{path}' (FORMAT parquet)")


def as_gzip(path):
    with gzip.open(path, "wt") as file:
        pd.DataFrame(ROWS, columns=HEADER).to_csv(file, index=False)


def read(source, **options):
    """All records: texts of ref and hyp, labels of accent."""
    with Workspace() as workspace:
        table = workspace.open(source)
        batches = list(table.scan(["ref", "hyp"], ["accent"], **options))
    texts = {
        name: [line for batch in batches for line in batch.texts[name].split("\n")]
        for name in ("ref", "hyp")
    }
    labels = [value for batch in batches for value in batch.labels["accent"]]
    keep = [bool(k) for batch in batches for k in batch.keep]
    return texts["ref"], texts["hyp"], labels, keep


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.csv", as_csv),
        ("a.tsv", lambda p: as_csv(p, "\t")),
        ("semicolons.csv", lambda p: as_csv(p, ";")),
        ("a.txt", as_csv),
        ("no_suffix", as_csv),
        ("a.jsonl", as_json),
        ("a.ndjson", as_json),
        ("unnamed", as_json),
        ("a.parquet", as_parquet),
        ("unnamed_parquet", as_parquet),
        ("a.csv.gz", as_gzip),
        ("odd [1]*.csv", as_csv),
    ],
)
def test_every_format_reads_the_same(tmp_path, name, write):
    write(tmp_path / name)
    refs, hyps, accents, keep = read(tmp_path / name)
    assert refs == [row[1] for row in ROWS]
    assert hyps == [row[2] for row in ROWS]
    assert accents[:2] == ["us", "uk"]
    assert keep == [True] * 3


def test_array_of_json_objects(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps([dict(zip(HEADER, r, strict=True)) for r in ROWS]))
    assert read(path)[0] == [row[1] for row in ROWS]


def test_frames(tmp_path):
    frame = pd.DataFrame(ROWS, columns=HEADER)
    frame.loc[1, "hyp"] = None
    refs, hyps, *_ = read(frame)
    assert refs == [row[1] for row in ROWS]
    assert hyps == ["hello", NOTHING, "a b"]


def test_pattern_reads_files_together(tmp_path):
    for i in range(3):
        pd.DataFrame(ROWS[i : i + 1], columns=HEADER).to_csv(tmp_path / f"p{i}.csv", index=False)
    assert read(str(tmp_path / "p*.csv"))[0] == [row[1] for row in ROWS]
    assert read([tmp_path / "p0.csv", tmp_path / "p2.csv"])[0] == [ROWS[0][1], ROWS[2][1]]


def test_files_read_together_need_the_same_columns(tmp_path):
    as_csv(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("id,ref,hyp,dialect\n1,a,b,c\n")
    with pytest.raises(FairauditError, match=r"b\.csv: its columns differ.*accent, dialect"):
        read(str(tmp_path / "?.csv"))


def test_line_feeds_within_texts_are_spaces(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b'ref,hyp,accent\n"a\nb",c,"x\ny"\nd,"e\r\nf",z\n')
    refs, hyps, accents, _ = read(path)
    assert refs == ["a b", "d"]
    assert hyps[1].split() == ["e", "f"]
    assert accents == ["x\ny", "z"]  # not the same group as "x y"


def test_tsv_with_quotes_as_they_come_in_the_text(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text('ref\thyp\taccent\n"Hello," he said.\tb\tus\n2\tc "d"\tuk\n')
    refs, hyps, *_ = read(path)
    assert refs == ['"Hello," he said.', "2"]
    assert hyps == ["b", 'c "d"']


def test_byte_order_mark_and_windows_line_ends(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbfref,hyp,accent\r\na,b,us\r\n")
    assert read(path)[:3] == (["a"], ["b"], ["us"])


def test_missing_and_empty_hypotheses_differ_in_json(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"ref": "a", "hyp": "", "accent": 7}\n{"ref": "b", "hyp": null}\n{"ref": "c"}\n'
    )
    _, hyps, accents, _ = read(path)
    assert hyps == ["", NOTHING, NOTHING]
    assert accents == ["7", None, None]


def test_where_sees_missing_values_as_null(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("ref,hyp,accent,age\na,b,us,30\nc,d,NA,n/a\ne,f,uk,\ng,h,us,17\n")
    keep = read(path, where="accent is null or age >= 18", missing_values=("", "NA", "n/a"))[3]
    assert keep == [True, True, False, False]


def test_where_on_a_column_with_an_odd_name(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('ref,hyp,accent,"my ""col"""\na,b,us,x\nc,d,us,y\n')
    assert read(path, where='"my ""col""" = \'y\'')[3] == [False, True]


def test_columns_may_have_any_name(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("ref,hyp,accent,c0,c2,n,Age,age\na,b,us,keep,x,1,5,6\nc,d,uk,drop,y,2,6,5\n")
    for condition in ("c0 = 'keep'", "c2 = 'x'", "n = 1", '"Age" = 5', "age = 6"):
        assert read(path, where=condition)[3] == [True, False], condition


def test_where_that_compares_text_with_a_number_says_so(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("ref,hyp,accent,age\na,b,us,old\n")
    with pytest.raises(FairauditError, match="old"):
        read(path, where="age > 3")


def test_sql_reaches_nothing_else(tmp_path):
    as_csv(tmp_path / "a.csv")
    (tmp_path / "secret.csv").write_text("x\n1\n")
    with Workspace() as workspace:
        table = workspace.open(tmp_path / "a.csv")
        list(table.scan(["ref"]))
        with pytest.raises(duckdb.PermissionException):
            workspace.connection.execute(f"FROM read_csv('{tmp_path}/secret.csv')").fetchall()


def test_batches_are_cut_and_nothing_is_lost(tmp_path, monkeypatch):
    n = 10_000
    frame = pd.DataFrame({"ref": [f"w{i}" for i in range(n)], "hyp": "x", "accent": "a"})
    monkeypatch.setattr("fairaudit.table.BATCH", 7)
    assert read(frame)[0] == [f"w{i}" for i in range(n)]


def left_and_right(workspace, tmp_path, right="b.wav,two\na.wav,one\n"):
    (tmp_path / "l.csv").write_text("id,text,speaker\nx/a.mp3,eins,s1\nx/b.mp3,,s2\n")
    (tmp_path / "r.csv").write_text("path,text\n" + right)
    return workspace.open(tmp_path / "l.csv"), workspace.open(tmp_path / "r.csv")


def texts(table, *names):
    cells = [table_batch.texts for table_batch in table.scan(list(names))]
    rows = [zip(*(batch[name].split("\n") for name in names), strict=True) for batch in cells]
    return sorted(row for part in rows for row in part)


def test_join_on_the_file_stem(tmp_path):
    with Workspace() as workspace:
        left, right = left_and_right(workspace, tmp_path)
        table, name = join(left, right, ("id", "path"), "text", "error", "stem")
        assert name == f"text of {right.name}"
        assert texts(table, "text", name) == [("", "two"), ("eins", "one")]


@pytest.mark.parametrize(
    ("missing", "rows", "dropped"),
    [
        ("delete", [("", NOTHING), ("eins", "")], {"no reference": 1}),
        ("skip", [("eins", "")], {"no hypothesis": 1, "no reference": 1}),
    ],
)
def test_ids_in_one_table_only(tmp_path, missing, rows, dropped):
    with Workspace() as workspace:
        left, right = left_and_right(workspace, tmp_path, "a.wav,\nc.wav,drei\n")
        table, name = join(left, right, ("id", "path"), "text", missing, "stem")
        assert texts(table, "text", name) == rows
        assert table.dropped == dropped


def test_ids_in_one_table_only_are_an_error(tmp_path):
    with Workspace() as workspace:
        left, right = left_and_right(workspace, tmp_path, "a.wav,\n")
        with pytest.raises(FairauditError, match="1 ids of column 'id' are not in .*'b' the first"):
            join(left, right, ("id", "path"), "text", "error", "stem")


def test_ids_of_a_join_stand_once(tmp_path):
    with Workspace() as workspace:
        left, right = left_and_right(workspace, tmp_path, "a.wav,1\nb.wav,2\nz/a.flac,3\n")
        with pytest.raises(FairauditError, match="must be unique; 'a' stands 2 times"):
            join(left, right, ("id", "path"), "text", "error", "stem")


def test_attributes_of_speakers(tmp_path):
    (tmp_path / "s.csv").write_text("speaker_id,accent\ns1,us\ns3,uk\n")
    with Workspace() as workspace:
        table, _ = left_and_right(workspace, tmp_path)
        side = workspace.open(tmp_path / "s.csv")
        with pytest.raises(FairauditError, match="1 ids of column 'speaker'.*'s2' the first"):
            add_attributes(table, side, ("speaker", "speaker_id"), "error")
        whole = add_attributes(table, side, ("speaker", "speaker_id"), "delete")
        labels = [value for b in whole.scan(labels=["accent"]) for value in b.labels["accent"]]
        assert sorted(map(str, labels)) == ["None", "us"]


def test_digests_tell_ids_apart_and_do_not_depend_on_batches():
    ids = [f"utt-{i:05d}" for i in range(5000)] + ["", "a", "aa", "ab", "ba", "\u00e9"]

    class Column:
        offset = 0

        def __init__(self, cells):
            rows = [cell.encode() + b"\n" for cell in cells]
            ends = np.cumsum([0, *map(len, rows)]).astype(np.int32)
            self.buffers = (None, ends.tobytes(), b"".join(rows))

    whole = _digests(Column(ids), 0, len(ids))
    assert len(set(whole.tolist())) == len(ids)
    parts = [_digests(Column(ids), i, min(i + 999, len(ids))) for i in range(0, len(ids), 999)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert whole[0] == 14170833527844166367


def test_line_ends_of_two_kinds_are_read_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b'ref,hyp,accent\r\n"x, y",a,us\r\n' + b'"x, y",a,us\n' * 3)
    with pytest.raises(FairauditError, match=r"a\.csv"):
        read(path)


def test_a_name_with_wildcards_reads_that_file_only(tmp_path):
    for name, text in (("t[ab].csv", "x"), ("ta.csv", "y"), ("tb.csv", "z"), ("b*.csv", "w")):
        (tmp_path / name).write_text(f"ref,hyp,accent\n{text},{text},{text}\n")
    assert read(tmp_path / "t[ab].csv")[0] == ["x"]
    assert read(tmp_path / "b*.csv")[0] == ["w"]
    assert read([tmp_path / "t[ab].csv", tmp_path / "ta.csv"])[0] == ["x", "y"]


def test_files_read_together_need_one_format(tmp_path):
    as_csv(tmp_path / "a.csv")
    as_json(tmp_path / "a.jsonl")
    with pytest.raises(FairauditError, match="several formats"):
        read([tmp_path / "a.csv", tmp_path / "a.jsonl"])


def test_a_pipe_is_read_once(tmp_path):
    import os
    import threading

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    threading.Thread(target=lambda: pipe.write_text("ref,hyp,accent\na,b,us\n")).start()
    assert read(pipe)[0] == ["a"]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_tables_may_have_another_column_called_id(tmp_path, suffix):
    left = pd.DataFrame({"utt": [1, 2], "id": [7, 7], "text": ["a", "b"], "speaker": ["s", "t"]})
    right = pd.DataFrame({"utt": [2, 1], "id": [8, 8], "hyp": ["B", "A"]})
    side = pd.DataFrame({"speaker": ["s", "t"], "id": [1, 1], "accent": ["us", "uk"]})
    paths = []
    for name, table in (("l", left), ("r", right), ("s", side)):
        paths.append(tmp_path / f"{name}.{suffix}")
        if suffix == "csv":
            table.to_csv(paths[-1], index=False)
        else:
            table.to_parquet(paths[-1])
    with Workspace() as workspace:
        opened = [workspace.open(path) for path in paths]
        table, hyp = join(opened[0], opened[1], ("utt", "utt"), "hyp", "error", "exact")
        table = add_attributes(table, opened[2], ("speaker", "speaker"), "error")
        assert texts(table, "text", hyp) == [("a", "A"), ("b", "B")]


def test_rows_of_a_form_of_its_own_are_a_table(tmp_path):
    path = tmp_path / "prompts.json"
    path.write_text("{}")
    with Workspace() as workspace:
        rows = {"text": ['She said "a,\nb"', "x", ""], "group": ["one", "", "two"]}
        table = workspace.open_rows(rows, [path])
        assert table.names == ["text", "group"]
        (batch,) = table.scan(labels=["text", "group"], where="\"group\" <> 'two'")
        assert batch.labels == rows
        assert batch.keep.tolist() == [True, False, False]
    (file,) = table.files
    assert (file.name, file.sha256) == (str(path), hashlib.sha256(b"{}").hexdigest())


def test_half_of_a_surrogate_pair_is_no_text(tmp_path):
    path = tmp_path / "prompts.json"
    path.write_text("{}")
    with Workspace() as workspace, pytest.raises(FairauditError, match="half of a surrogate"):
        workspace.open_rows({"text": ["\ud800"]}, [path])
