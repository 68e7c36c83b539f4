import gzip
import json
import tracemalloc

import pytest

from fairaudit.exceptions import FairauditError
from fairaudit.formats import detect, read, read_ctm


@pytest.fixture
def write(tmp_path):
    """Write a file; lines get a line feed each."""

    def write(name, *lines):
        path = tmp_path / name
        content = "".join(f"{line}\n" for line in lines)
        path.write_bytes(content.encode() if lines else b"")
        return path

    return write


def rows(path, format):
    return list(read(path, path.name, format))


def refusal(path, format):
    with pytest.raises(FairauditError) as refused:
        rows(path, format)
    return str(refused.value)


# ---- which format


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("dev.trn", "trn"),
        ("data/DEV.TRN", "trn"),
        ("dev.stm.gz", "stm"),
        ("sys1.ctm", "ctm"),
        ("dev.seglst.json", "seglst"),
        ("data/test/text", "kaldi"),
        ("utt2spk", "kaldi"),
        ("spk2gender", "kaldi"),
        ("utt2dur.gz", "kaldi"),
        ("spk2accent", "kaldi"),
        ("text.txt", None),
        ("context", None),
        ("utt2spk.csv", None),
        ("dev.json", None),
        ("dev.csv", None),
    ],
)
def test_the_name_tells(name, format):
    assert detect(name, b"a-1 ann\na-2 ann\n") == format


TRN = "hello { world / word } (ann-1)\n(ann-2)\n\n;; said\nbye (so) (bob-1)\n"
STM = ";; LABEL\nf A ann 0.0 1.5 <O,F> hello 7\nf A ann 1.5 2 bye\n"
CTM = "f A 0.10 0.20 hello -0.3\nf A * * <ALT_BEGIN>\nf A .4 1e-1 bye NA\n"


@pytest.mark.parametrize(
    ("start", "format"),
    [
        (TRN, "trn"),
        (TRN + "cut off here", "trn"),
        ("one line is not enough (ann-1)\n", None),
        ("hello (ann-1)\nthe same id twice (ann-1)\n", None),
        ("hello (ann-1)\nno id\n", None),
        ("text (of talk)\nhello (ann-1)\n", None),
        (STM, "stm"),
        (STM.replace("1.5 2", "1.5 end"), None),
        (CTM, "ctm"),
        (CTM.replace("\n", " lex\n").replace("BEGIN> lex", "BEGIN>"), "ctm"),
        # Tables with all kinds of delimiters, and numbers.
        ("id,text,n (s)\n1,hello (a),1 (x)\n2,bye (b),2 (y)\n", None),
        ("id\tsaid (en)\n1\thello (a)\n2\tbye (b)\n", None),
        ("name (s)|n (x)\na|1 (b)\n", None),
        ("1 51.2 43.5 90.9 51.0\n2 51.2 43.5 90.9 51.0\n", None),
        ("1 a 43.5 90.9 51.0\n2 b 43.5 90.9 51.0\n", None),
        ('{"id": "a", "text": "(a)"}\n{"id": "b"}\n', None),
        ('[{"words": "a", "session_id": "s"}]\n', None),
        ("", None),
        ("\xff\xfe\x00", None),
    ],
)
def test_the_content_tells(start, format):
    assert detect("dev.txt", start.encode("latin1")) == format
    assert detect("dev.csv", start.encode("latin1")) is None


@pytest.mark.parametrize(
    "start",
    ["id\ttext\na\thello\n", "a\tb\tc\n", "utt_id,text\n", '{"id": 1}\n', "text\nhello\n"],
)
def test_a_table_with_a_name_of_kaldis(start):
    assert detect("text", start.encode()) is None


def test_nists_files_are_known_by_content(data):
    for name, format in [("csrnab.ref", "trn"), ("tests.hyp", "trn"), ("lvc_ref.stm", "stm")]:
        start = (data / "speech" / "sclite" / name).read_bytes()[:4096]
        assert detect(f"{name}.txt", start) == format
    assert detect("lvc", (data / "speech/sclite/lvc_hyp.ctm").read_bytes()[:4096]) == "ctm"


def test_no_public_table_is_taken_for_another_format(data):
    names = ("*.csv", "*.tsv", "*.json", "*.jsonl", "*.data", "*.txt")
    paths = [path for name in names for path in data.rglob(name)]
    assert len(paths) > 10
    for path in paths:
        with path.open("rb") as file:
            start = file.read(4096)
        assert detect(path.name, start) is None
        assert detect("unnamed", start) is None


# ---- trn


def test_trn(write):
    path = write(
        "dev.trn",
        ";; NIST comment",
        "",
        "i've { um / uh / @ } as far  (cmh_sa01)",
        "(cmh_sa02)",
        "I am a (farmer) (4T0C0201)",
        "  {b/cd}(lone)  ",
        "tab\t(a_b-c)",
    )
    found = read(path, "dev.trn", "trn")
    assert found.columns == ["id", "speaker", "text_trn"]
    assert list(found) == [
        ("cmh_sa01", "cmh", "i've { um / uh / @ } as far"),
        ("cmh_sa02", "cmh", ""),
        ("4t0c0201", "4t0", "I am a (farmer)"),
        ("lone", None, "{ b / cd }"),
        ("a_b-c", "a_b", "tab"),
    ]


@pytest.mark.parametrize(
    ("id", "speaker"),
    [
        ("spk-1_2", "spk"),
        ("spk_1-2", "spk_1"),  # sclite looks for a hyphen first
        ("-1", None),
        ("4t0c0201", "4t0"),
        ("01AO030D", "01a"),
        ("file0001", None),  # no digit in the speaker
        ("40040201", None),  # no letter for the kind of speech
        ("4t0c02011", None),
    ],
)
def test_speaker_of_an_utterance_id(write, id, speaker):
    assert rows(write("a.trn", f"a ({id})"), "trn")[0][1] == speaker


def test_tags_and_escapes(write):
    # From NIST's tests.ref, "passing through tags"; words as sclite's report prints them.
    path = write(
        "tags.trn",
        r"a aa\;a b\;b\;b;hyp\;tag1;hyptag2 b;reftag1 c;;reftag2 d;reftag1;reftag2 (tags-1)",
        r"{z aa\;a;t1;t2 y;t1 / x x} um;tag1; (tags-2)",
        "hello ; world (tags-3)",
    )
    assert [text for *_, text in rows(path, "trn")] == [
        "a aa;a b;b;b b c d",
        "{ z aa;a y / x x } um",
        "hello world",
    ]


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (["a (a-1)", "b c"], "bad.trn, line 2: expected words and at the end the utterance id"),
        (["a (no id)"], "line 1: expected words"),
        (["a ()"], "line 1: expected words"),
        (
            ["a (a-1)", "", "b (a-1)"],
            "bad.trn, line 3: id 'a-1' stands in line 1 already. Ids must be unique.",
        ),
        (["a (4T0C0201)", "a (4t0c0201)"], "line 2: id '4t0c0201' stands in line 1"),
        (["a { b / c (a-1)"], "bad.trn, line 1: a brace { is opened and not closed: a { b / c"),
        (["a b } c (a-1)"], "bad.trn, line 1: a brace } closes what was not opened: a b } c"),
        (["a { b / } (a-1)"], "line 1: an alternative in braces is empty; write @"),
        (["a\0b (a-1)"], "line 1: a NUL byte; expected"),
        (["a (a-1)\rb (b-1)"], "line 1: a carriage return within the line"),
        ([], "bad.trn: the file is empty."),
    ],
)
def test_what_a_trn_file_must_not_hold(write, lines, fault):
    assert fault in refusal(write("bad.trn", *lines), "trn")


def test_text_that_is_not_utf_8(write):
    path = write("a.trn", "fine (a-1)")
    path.write_bytes(b"fine (a-1)\ncaf\xe9 (a-2)\n")
    assert refusal(path, "trn") == (
        "a.trn, line 2: not UTF-8. Convert the file: iconv -f LATIN1 -t UTF-8"
    )
    path.write_bytes("fine (a-1)\n".encode("utf-16"))
    assert "a.trn, line 1: not UTF-8. Convert the file: iconv -f UTF-16" in refusal(path, "trn")


def test_line_ends_byte_order_marks_and_gzip(tmp_path):
    plain, packed = tmp_path / "a.trn", tmp_path / "b.trn.gz"
    plain.write_bytes("\ufeff;; comment\r\ncafé (a-1)\r\nb (a-2)".encode())
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert rows(plain, "trn") == rows(packed, "trn") == [("a-1", "a", "café"), ("a-2", "a", "b")]
    packed.write_bytes(packed.read_bytes()[:-10])
    assert "b.trn.gz: cannot be read" in refusal(packed, "trn")
    assert "none.trn: cannot be read: No such file" in refusal(tmp_path / "none.trn", "trn")


def test_rows_come_one_at_a_time(tmp_path):
    path = tmp_path / "big.trn"
    path.write_text("".join(f"{'word ' * 200}(s-{i})\n" for i in range(5_000)))  # 5 MB
    found = read(path, "big.trn", "trn")
    tracemalloc.start()
    assert sum(1 for _ in found) == 5_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_500_000  # the ids, to be told apart


# ---- stm


def test_stm(write):
    path = write(
        "dev.stm",
        ';; CATEGORY "0" "" ""',
        ';; CATEGORY "1" "Speaker Sex" "of the talker"',
        ';; LABEL "O" "Overall" "Overall Scores"',
        ';; LABEL "M" " Male//Talkers" "Male"',
        "2345 A 2345-a 0.10 2.03 <O,F,00> uh { huh / @ }",
        "2345 A 2345-b 2.1 3.04",
        "2345 A 2345-a 3.50 4 <o,M> yes;tag",
        "2345 B 2345-a 3.50 3.50 <>",
        "2345 A gap 4 5 <O,M,00> ignore_time_segment_in_scoring",
        "2345 A gap 5 6 IGNORE_TIME_SEGMENT_IN_SCORING",
    )
    found = read(path, "dev.stm", "stm")
    times = "begin end duration".split()
    assert found.columns[:7] == ["id", "recording", "channel", "speaker", *times]
    assert found.columns[7:] == ["label1", "speaker sex", "label3", "text_trn"]
    assert found.dropped == {}
    records = list(found)
    assert [row[:7] for row in records] == [
        ("2345-A-0.10-2.03", "2345", "A", "2345-a", "0.10", "2.03", "1.93"),
        ("2345-A-2.1-3.04", "2345", "A", "2345-b", "2.1", "3.04", "0.94"),
        ("2345-A-3.50-4", "2345", "A", "2345-a", "3.50", "4", "0.50"),
        ("2345-B-3.50-3.50", "2345", "B", "2345-a", "3.50", "3.50", "0.00"),
    ]
    assert [row[7:] for row in records] == [
        ("Overall", "F", "00", "uh { huh / @ }"),
        (None, None, None, ""),
        ("Overall", "Male Talkers", None, "yes"),
        (None, None, None, ""),
    ]
    assert found.dropped == {"ignored in the stm": 2}


def test_labels_of_one_heading_stay_apart(write):
    path = write(
        "a.stm",
        ';; LABEL "US" "English" ""',
        ';; LABEL "IN" "English" ""',
        ';; CATEGORY "0" "Speaker" "also a column"',
        "f A s 0 1 <US> a",
        "f A s 1 2 <IN> a",
    )
    found = read(path, "a.stm", "stm")
    assert found.columns[7:] == ["label1", "text_trn"]
    assert [row[7] for row in found] == ["US", "IN"]


def test_stm_of_nist(data):
    path = data / "speech" / "sclite" / "lvc_ref.stm"
    found = read(path, path.name, "stm")
    assert found.columns[7:9] == ["label1", "alternations"]
    records = list(found)
    # 72 lines, of which 11 are comments or blank.
    assert len(records) == 61
    assert records[0][7:] == ("Overall", "With Alt", "i've { um / uh } a;s far as i'm concerned")
    assert records[6][7:] == (None, None, "")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("f A s 0.5", "bad.stm, line 2: expected FILE CHANNEL SPEAKER BEGIN END"),
        ("f A s x 1 a", "bad.stm, line 2: begin is 'x'; expected seconds, 0 or more."),
        ("f A s 0 nan a", "end is 'nan'"),
        ("f A s 0 1e999 a", "end is '1e999'"),
        ("f A s -1 1 a", "begin is '-1'"),
        ("f A s 2 1.5 a", "bad.stm, line 2: the segment ends at 1.5, before 2."),
        ("f A t 0 1 <O> a", "id 'f-A-0-1' stands in line 1 already"),
        ("f A s 1 2 <O, F> a", "line 2: labels begin with < and do not end with >"),
        ("f A s 1 2 { a / b", "line 2: a brace { is opened and not closed: { a / b"),
    ],
)
def test_what_an_stm_file_must_not_hold(write, line, fault):
    assert fault in refusal(write("bad.stm", "f A s 0 1 <O> a", line), "stm")


def test_an_empty_stm_file(write):
    assert refusal(write("bad.stm"), "stm") == "bad.stm: the file is empty."


# ---- ctm


def recognised(stm, ctm, **options):
    return read_ctm(stm, stm.name, ctm, ctm.name, **options)


SEGMENTS = [
    "f A s1 1.0 2.0 one two",
    "f A s1 3.0 4.0 ignore_time_segment_in_scoring",
    "f A s2 5.0 6.0 three",
    "f A s2 6.0 7.0 IGNORE_TIME_SEGMENT_IN_SCORING",
    "f B s3 0.0 1.0 x IGNORE_TIME_SEGMENT_IN_SCORING y",
    "f B s3 1.0 2.0 four { um / @ }",
]
WORDS = [
    ";; comment",
    "f A 0.1 0.2 gapone",
    "f A 1.1 0.2 one",
    "f A 1.9 0.2 two",
    "f A 2.5 0.2 gaptwo",
    "f A 3.5 0.2 ign",
    "f A 4.5 0.2 gapthree",
    "f A 5.1 0.2 three 0.98",
    "f A 6.5 0.2 ign2",
    "f A 8.5 0.2 tail",
    "f b 0.5 0.2 ignb",
    "F b 1.1 0.1 four;tag",
    "f b * * <ALT_BEGIN>",
    "f b 1.2 0.1 um",
    "f b * * <ALT>",
    "f b * * <ALT_END>",
    "f b 9.2 0.1 tail",
]


def test_words_in_their_segments_as_sclite(write):
    # sclite 2.10 (SCTK 1.3), -o pra, aligns "gapone one" with the first segment, "gapthree three"
    # with the third, "four um tail" with the last, and says that it ignored 5 words of channel A
    # and 1 of B. "two" has its middle at 2.0, where the first segment has ended.
    found = recognised(write("a.stm", *SEGMENTS), write("a.ctm", *WORDS))
    assert found.columns == ["id", "text_trn"]
    assert list(found) == [
        ("f-A-1.0-2.0", "gapone one"),
        ("f-A-5.0-6.0", "gapthree three"),
        ("f-B-1.0-2.0", "four { um / @ } tail"),
    ]
    assert found.notes == [
        "a.ctm: words in no segment of a.stm: 3. They count in the next segment, after the last "
        "one in that.",
        "a.ctm: words in segments that a.stm ignores, or just before them: 6. They are not scored.",
    ]


def test_an_alternation_goes_by_its_latest_word(write):
    stm = write("a.stm", "f A s 0 1 a", "f A s 1 2 b")
    ctm = write(
        "a.ctm",
        "f A 0.8 0.1 a",
        "f A * * <alt_begin>",
        "f A 0.8 0.1 b",
        "f A * * <alt>",
        "f A 0.8 0.2 c",
        "f A 1.0 0.2 d",
        "f A * * <alt_end>",
        "f A 0.9 0.1 e",
    )
    assert list(recognised(stm, ctm)) == [("f-A-0-1", "a"), ("f-A-1-2", "{ b / c d } e")]


def test_order_is_that_of_time(write):
    stm = write("a.stm", "f A s 1 2 b", "f A s 0 1 a")
    ctm = write("a.ctm", "f A 1.5 0.1 b2", "f A 1.2 0.1 b1", "f A 0.5 0.1 a")
    found = recognised(stm, ctm)
    assert list(found) == [("f-A-1-2", "b1 b2"), ("f-A-0-1", "a")]
    assert found.notes == ["a.ctm: places out of order: 2. Words were sorted by time."]


def test_overlapping_segments(write):
    stm = write("a.stm", "f A s 0 10 a", "f A t 2 5 b", "f A s 6 12 c")
    ctm = write("a.ctm", *(f"f A {t} 0.1 w{t}" for t in (1, 3, 9, 11)))
    found = recognised(stm, ctm)
    assert [text for _, text in found] == ["w1 w3 w9", "", "w11"]
    assert found.notes == [
        "a.ctm: segments of a.stm that begin before the one ahead ends: 2. Words in both count in "
        "the earlier."
    ]


def test_a_channel_in_one_file_only(write):
    stm = write("a.stm", "f A s 0 1 ignore_time_segment_in_scoring", "g A s 0 1 a", "g A s 1 2 b")
    ctm = write("a.ctm", "G a 0.5 0.1 a")
    # Nothing is lost where all of a channel is to be ignored.
    assert list(recognised(stm, ctm)) == [("g-A-0-1", "a"), ("g-A-1-2", "")]
    more = write("b.stm", "g A s 0 1 a", "h 1 s 3 4 b")
    with pytest.raises(FairauditError, match="b.stm, line 2: a.ctm has no word of recording 'h'"):
        recognised(more, ctm)
    assert list(recognised(more, ctm, strict=False)) == [("g-A-0-1", "a")]
    fewer, both = write("c.stm", "g A s 0 1 a"), write("b.ctm", "g A 0 1 a", "h 1 3 1 b")
    with pytest.raises(FairauditError, match="b.ctm, line 2: c.stm has no segment of recording"):
        recognised(fewer, both)
    found = recognised(fewer, both, strict=False)
    assert list(found) == [("g-A-0-1", "a")]
    assert found.notes == [
        "b.ctm: words of recordings or channels that c.stm has not: 1. They are not scored."
    ]


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (["f A 1 0.1"], "bad.ctm, line 2: expected FILE CHANNEL BEGIN DURATION WORD; found: f A"),
        (["f A x 0.1 a"], "bad.ctm, line 2: begin is 'x'; expected seconds, 0 or more."),
        (["f A 1 -0.1 a"], "bad.ctm, line 2: duration is '-0.1'"),
        (["f A nan 1 a"], "begin is 'nan'"),
        (["f A * * a"], "begin is '*'"),
        (["f A 1 1 {a}"], "line 2: the word '{a}' holds a brace"),
        (["f A * * <ALT>"], "line 2: <ALT> without <ALT_BEGIN>"),
        (["f A * * <ALT_BEGIN>", "f A 1 1 a"], "line 2: <ALT_BEGIN> without <ALT_END>"),
        (["f A * * <ALT_BEGIN>"] * 2, "line 3: <ALT_BEGIN> within that of line 2"),
        (["f A * * <ALT_BEGIN>", "f B 1 1 a"], "line 3: another recording or channel within"),
        (["f A * * <ALT_BEGIN>", "f A 1 1 a/b"], "line 3: 'a/b' holds a slash"),
    ],
)
def test_what_a_ctm_file_must_not_hold(write, lines, fault):
    with pytest.raises(FairauditError) as refused:
        recognised(write("a.stm", "f A s 0 1 a"), write("bad.ctm", "f A 0 1 a", *lines))
    assert fault in str(refused.value)


def test_a_ctm_file_alone(write):
    assert "together with the stm file" in refusal(write("a.ctm", "f A 0 1 a"), "ctm")


def test_ctm_of_nist(data):
    folder = data / "speech" / "sclite"
    stm, ctm = folder / "lvc_ref.stm", folder / "lvc_hyp.ctm"
    found = recognised(stm, ctm)
    texts = dict(found)
    assert len(texts) == 61
    # The words of sclite's first alignment (-o pra).
    assert texts["2347-a-1.06-3.47"] == "THEY PRIDE ABOUT A;S FAR AS I'M I"
    # Each line is somewhere, words and marks. Three alternations of two words have 3 marks and a
    # word too many: 1,724 remain, which are sclite's hits, substitutions and insertions.
    assert sum(len(text.split()) for text in texts.values()) == 1736
    assert 1736 - 3 * 4 == 1013 + 540 + 171


# ---- Kaldi


def test_kaldi_text(write):
    path = write("text", "ann-1  hello  world ", "ann-2", "ann-3\tbye")
    found = read(path, "dev/text", "kaldi")
    assert found.columns == ["id", "text"]
    assert list(found) == [("ann-1", "hello  world"), ("ann-2", ""), ("ann-3", "bye")]


@pytest.mark.parametrize(
    ("name", "line", "columns", "row"),
    [
        ("utt2spk", "ann-1 ann", ["id", "speaker"], ("ann-1", "ann")),
        ("utt2dur", "ann-1 2.5", ["id", "duration"], ("ann-1", "2.5")),
        ("utt2lang", "ann-1 en", ["id", "lang"], ("ann-1", "en")),
        ("spk2gender", "ann f", ["speaker", "gender"], ("ann", "f")),
        ("spk2accent", "ann South Africa", ["speaker", "accent"], ("ann", "South Africa")),
    ],
)
def test_kaldi_maps(write, name, line, columns, row):
    found = read(write(name, line), f"data/{name}", "kaldi")
    assert (found.columns, list(found)) == (columns, [row])


@pytest.mark.parametrize(
    ("name", "lines", "fault"),
    [
        (
            "utt2spk",
            ["a ann", "b"],
            "utt2spk, line 2: expected an id and a value; found 1 field: b",
        ),
        ("utt2spk", ["a ann x"], "line 1: expected an id and a value; found 3 fields: a ann x"),
        ("spk2gender", ["ann"], "line 1: expected an id and a value; found 1 field"),
        ("utt2spk", ["a ann", "a bob"], "line 2: id 'a' stands in line 1 already"),
        ("text", ["a x", "b y", "a x"], "text, line 3: id 'a' stands in line 1 already"),
        ("spk2utt", ["ann a b"], "spk2utt: lists utterances by speaker. Give utt2spk instead."),
        ("text", [], "text: the file is empty."),
    ],
)
def test_what_kaldis_files_must_not_hold(write, name, lines, fault):
    assert fault in refusal(write(name, *lines), "kaldi")


# ---- SegLST


def segment(**changes):
    whole = {"session_id": "s", "speaker": "A", "start_time": 1.50, "end_time": 2, "words": "hi"}
    return {key: value for key, value in (whole | changes).items() if value is not ...}


def test_seglst(write):
    entries = [segment(), segment(speaker="B", words="", tags=["x"], loud=True, note=None)]
    path = write("dev.seglst.json", json.dumps(entries, indent=1))
    found = read(path, path.name, "seglst")
    assert found.columns == (
        "id session_id speaker start_time end_time text tags loud note".split()
    )
    assert list(found) == [
        ("s-A-1.5-2", "s", "A", "1.5", "2", "hi", None, None, None),
        ("s-B-1.5-2", "s", "B", "1.5", "2", "", '["x"]', "true", None),
    ]


def test_ids_of_seglst_objects(write):
    path = write("a.seglst.json", json.dumps([segment(segment_id=i) for i in "xy"]))
    found = read(path, path.name, "seglst")
    assert found.columns.count("id") == 1
    assert "segment_id" not in found.columns
    assert [row[0] for row in found] == ["x", "y"]


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        ({"words": "a"}, "bad.seglst.json: expected one JSON array of objects."),
        ([segment(), "a"], "bad.seglst.json, entry 2: expected an object with 'words'."),
        ([segment(words=...)], "entry 1: expected an object with 'words'."),
        ([segment(words=["a"])], "entry 1: 'words' is no text."),
        ([segment(), segment()], "entry 2: id 's-A-1.5-2' stands in entry 1 already"),
        ([segment(end_time=...)], "entry 1: no 'end_time'. Utterances are told apart by an id"),
        ([segment(id="x"), segment()], "entry 2: no 'id'. Utterances are told apart"),
        ([segment(text="a")], "objects have 'words' and 'text'. Rename 'text'."),
        ([segment(words="a\0")], "entry 1: words holds a NUL byte."),
    ],
)
def test_what_a_seglst_file_must_not_hold(write, entries, fault):
    assert fault in refusal(write("bad.seglst.json", json.dumps(entries)), "seglst")


def test_broken_json(write):
    fault = refusal(write("bad.seglst.json", "[", "", '{"words": a}', "]"), "seglst")
    assert fault == "bad.seglst.json: broken JSON: Expecting value: line 3 column 11 (char 13)."
    assert refusal(write("bad.seglst.json"), "seglst") == "bad.seglst.json: the file is empty."
