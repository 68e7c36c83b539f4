import random
from collections import defaultdict
from functools import cache
from itertools import product

import pytest
from rapidfuzz.distance import Levenshtein

from fairaudit import formats
from fairaudit.audits.speech.alignment import count
from fairaudit.audits.speech.alternatives import resolve
from fairaudit.audits.speech.normalizers import basic
from fairaudit.exceptions import FairauditError


def resolved(reference, hypothesis, rule=str.lower):
    (spoken,), (heard,) = resolve([reference], [hypothesis], rule)
    return spoken, heard


@pytest.mark.parametrize(
    ("reference", "hypothesis", "spoken", "heard"),
    [
        ("i { um / uh / @ } see", "i uh see", "i uh see", "i uh see"),
        ("i { um / uh / @ } see", "i see", "i see", "i see"),
        ("i {um/uh/@} see", "i UM see", "i um see", "i um see"),
        # Nested, on both sides; from NIST's tests.ref, h_1.
        (
            "a { b / cd / { g h i / gh i / g ih} bd } { e { i n / th } f / ef }",
            "a gh i bd e i th f",
            "a gh i bd e th f",
            "a gh i bd e i th f",
        ),
        ("this is the ten", "th {e/is} is {th/t} en", "this is the ten", "th e is th en"),
        # Said or left out, an optional word is no error.
        ("a (b) c", "a b c", "a b c", "a b c"),
        ("a (b) c", "a c", "a c", "a c"),
        ("(b)", "", "", ""),
        ("@", "a @", "", "a"),
        ("{ @ / a }", "{ @ / a }", "a", "a"),
        # One insertion rather than one substitution, as sclite.
        ("a { d / @ } c", "a { e / @ } c", "a c", "a c"),
        ("a { d / @ } c", "a e c", "a c", "a e c"),
        ("{ a b c / d }", "a b", "a b c", "a b"),
        ("{ a b / c } { d / e f }", "", "c d", ""),
        # Without braces a slash is a character, and a word in brackets has them at both ends.
        ("1 / 2 km/h", "1 / 2 km/h", "1 / 2 km/h", "1 / 2 km/h"),
        ("(a b) { c / d }", "(a b) d", "(a b) d", "(a b) d"),
    ],
)
def test_the_wording_with_the_fewest_errors(reference, hypothesis, spoken, heard):
    assert resolved(reference, hypothesis) == (spoken, heard)


def test_texts_without_marks_are_only_normalised():
    texts = ["Don't  stop", "", "50% off!"]
    assert resolve(texts, texts[::-1], basic) == (
        ["dont  stop", "", "50  off "],
        ["50  off ", "", "dont  stop"],
    )


def test_nothing():
    assert resolve([], [], basic) == ([], [])


def test_pieces_are_normalised_once_and_together():
    calls = []

    def rule(lines):
        calls.append(lines)
        return lines.lower()

    resolve(["A B { C D / (E) F } G", "plain text"], ["H", "{ I }"], rule)
    assert calls == ["A B\nC D\nE\nF\nG\nplain text\nH\nI"]


def test_what_is_no_word_to_the_normaliser_is_none():
    assert resolved("a { -- / uh } b", "a b", basic) == ("a b", "a b")
    # Two spellings of one wording become equal.
    assert resolved("an {age-old / age old} oak", "an age old oak", basic)[0] == "an age old oak"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a { b / c", "opened and not closed: a { b / c"),
        ("a b } c", "closes what was not opened"),
        ("{ { a / b } c", "opened and not closed"),
        ("{ a / }", "is empty; write @"),
        ("{ }", "is empty; write @"),
    ],
)
def test_broken_notation_is_refused(text, fault):
    with pytest.raises(FairauditError, match=fault):
        resolve(["fine", text], ["fine", "a b"], str.lower)
    with pytest.raises(FairauditError, match=fault):
        resolve(["fine"], [text], str.lower)


def test_time_does_not_grow_with_the_number_of_wordings():
    # 3^200 wordings.
    text = " ".join(["{ a / b / c }"] * 200)
    spoken, heard = resolved(text, " ".join(["c", "b"] * 100))
    assert spoken == heard == " ".join(["c", "b"] * 100)


def test_deep_nesting():
    text = "{ " * 3000 + "a" + " / b }" * 3000
    assert resolved(text, "b")[0] == "b"


def network(rng, depth=0):
    """A random text in NIST's notation, and all its wordings."""
    parts = [part(rng, depth) for _ in range(rng.randint(0 if depth == 0 else 1, 3))]
    wordings = {sum(choice, ()) for choice in product(*(options for _, options in parts))}
    return " ".join(text for text, _ in parts), wordings


def part(rng, depth):
    kind = rng.random()
    word = rng.choice("abc")
    if kind < 0.1:
        return f"({word})", {(word,), ()}
    if kind < 0.5 and depth < 2:
        inner = [network(rng, depth + 1) for _ in range(rng.randint(1, 3))]
        inner += [("@", {()})] * rng.randint(0, 1)
        return f"{{ {' / '.join(t for t, _ in inner)} }}", set.union(*(w for _, w in inner))
    return word, {(word,)}


def least(spoken, heard):
    """Errors, substitutions and less hits of the best alignment, the slow and obvious way."""

    @cache
    def best(i, j):
        if not i or not j:
            return (i + j, 0, 0)
        same = spoken[i - 1] == heard[j - 1]
        options = [(best(i - 1, j - 1), (not same, not same, -same))]
        options += [(best(i - 1, j), (1, 0, 0)), (best(i, j - 1), (1, 0, 0))]
        return min(tuple(map(sum, zip(*option, strict=True))) for option in options)

    return best(len(spoken), len(heard))


def test_as_trying_all_wordings():
    rng = random.Random(20240229)
    branched = 0
    for _ in range(600):
        (reference, spoken), (hypothesis, heard) = network(rng), network(rng)
        if len(spoken) * len(heard) > 200:
            continue
        found = [tuple(text.split()) for text in resolved(reference, hypothesis, str)]
        assert found[0] in spoken
        assert found[1] in heard
        assert least(*found) == min(least(a, b) for a in spoken for b in heard)
        branched += len(spoken) > 1 and len(heard) > 1
    assert branched > 100


def test_errors_are_levenshteins_where_there_is_one_wording():
    rng = random.Random(7)
    for _ in range(200):
        spoken, heard = (rng.choices("abcd", k=rng.randint(0, 9)) for _ in range(2))
        # The mark sends the text through the network, and means nothing.
        found = resolved(" ".join([*spoken, "@"]), " ".join(heard), str)
        assert found == (" ".join(spoken), " ".join(heard))
        assert least(tuple(spoken), tuple(heard))[0] == Levenshtein.distance(spoken, heard)


def records(rows):
    return [dict(zip(rows.columns, row, strict=True)) for row in rows]


def sums(pairs, rule=str.lower, by=lambda record: "all"):
    """Hits, substitutions, deletions and insertions by group."""
    counts = count(*resolve(*zip(*(p[1:] for p in pairs), strict=True), rule), characters=False)
    found = defaultdict(lambda: [0, 0, 0, 0])
    for (record, *_), row in zip(pairs, counts[:, 1:5], strict=True):
        found[by(record)] = [int(a + b) for a, b in zip(found[by(record)], row, strict=True)]
    return dict(found)


def words_and_errors(counts):
    return {group: (sum(c[:3]), sum(c[1:])) for group, c in counts.items()}


def trn_pairs(folder, stem):
    reference, hypothesis = (
        records(formats.read(folder / f"{stem}.{side}", f"{stem}.{side}", "trn"))
        for side in ("ref", "hyp")
    )
    heard = {record["id"]: record["text_trn"] for record in hypothesis}
    return [(record, record["text_trn"], heard[record["id"]]) for record in reference]


def test_csrnab_as_sclite(data):
    # sclite 2.10 (SCTK 1.3): -r csrnab.ref -h csrnab.hyp -i wsj -o rsum, and the summary that
    # NIST printed: 18.6, 7.2 and 11.1 %, 12.0 % in all.
    pairs = trn_pairs(data / "speech" / "sclite", "csrnab")
    counts = sums(pairs, by=lambda record: record["speaker"])
    assert words_and_errors(counts) == {"4t0": (458, 85), "4t1": (544, 39), "4t2": (404, 45)}
    total = [sum(column) for column in zip(*counts.values(), strict=True)]
    # sclite's 4/3/3 weights have 1263 hits, 131 substitutions, 12 deletions, 26 insertions:
    # in one utterance two substitutions for a deletion, an insertion and a hit.
    assert total == [1262, 133, 11, 25]
    assert round(100 * sum(total[1:]) / sum(total[:3]), 1) == 12.0


def test_without_alternatives_csrnab_would_be_wrong(data):
    pairs = trn_pairs(data / "speech" / "sclite", "csrnab")
    literal = count([r.lower() for _, r, _ in pairs], [h.lower() for *_, h in pairs], False)
    h, s, d, i = literal[:, 1:5].sum(axis=0)
    assert round(100 * (s + d + i) / (h + s + d), 1) == 13.4


def test_lvc_as_sclite(data):
    # sclite 2.10 (SCTK 1.3): -r lvc_ref.stm stm -h lvc_hyp.ctm ctm -o lur rsum.
    folder = data / "speech" / "sclite"
    files = (folder / "lvc_ref.stm", "lvc_ref.stm", folder / "lvc_hyp.ctm", "lvc_hyp.ctm")
    heard = {record["id"]: record["text_trn"] for record in records(formats.read_ctm(*files))}
    references = records(formats.read(files[0], "lvc_ref.stm", "stm"))
    pairs = [(record, record["text_trn"], heard[record["id"]]) for record in references]
    assert words_and_errors(sums(pairs, by=lambda record: record["label1"])) == {
        "Overall": (1779, 937),
        None: (0, 0),
    }
    by_kind = words_and_errors(sums(pairs, by=lambda record: record["alternations"]))
    rates = {kind: round(100 * e / n, 1) for kind, (n, e) in by_kind.items() if n}
    assert {kind: n for kind, (n, _) in by_kind.items() if n} == {"With Alt": 1309, "NO Alt": 470}
    assert rates == {"With Alt": 49.7, "NO Alt": 60.9}
    assert words_and_errors(sums(pairs, by=lambda record: record["speaker"])) == {
        "2347-a": (250, 128),
        "2347-b": (637, 278),
        "3129-a": (188, 168),
        "3129-b": (704, 363),
    }


#: Words and errors of each utterance of NIST's tests.ref and tests.hyp. sclite 2.10 (SCTK 1.3):
#: -i spu_id -o pra, without -D and -F.
TESTS = """
f_0:7:0 f_1:7:0 f_2:7:0 f_3:6:1 f_4:7:0 f_5:7:0 f_6:7:0 g_0:10:5 g_1:10:5 h_0:3:0 h_1:7:1 h_2:8:1
i_1:4:4 i_2:4:4 i_3:4:4 i_4:14:14 i_5:8:3 empty-1:0:10 empty-2:0:3 alt-1:3:0 alt-2:3:1 alt-3:2:0
alt-4:3:0 alt-5:3:0 alt-6:2:0 alt-7:3:0 alt-8:3:0 alt-9:3:1
tags-1:6:0 tags-2:6:6 tags-3:0:6 tags-4:6:4 tags-5:6:4
"""
#: Errors of those with optional words; sclite with -D. Its words are other than ours: it counts
#: an optional word that was not said as a hit.
OPTIONAL = """
od1-1:1 od1-2:1 od1-3:1 od1-4:2 od1-5:3 od1-6:2 od1-7:2
od2-1:3 od2-2:3 od2-3:3 od2-4:3 od2-5:3 od2-6:3 od2-7:3 od2-8:3 od2-9:3 od2-10:3
od3-1:1 od3-2:2 od3-3:1 od3-4:3 od3-5:3 od3-6:2 od3-7:2 od3-8:3
"""


def test_each_of_nists_test_utterances_as_sclite(data):
    pairs = trn_pairs(data / "speech" / "sclite", "tests")
    found = words_and_errors(sums(pairs, by=lambda record: record["id"]))
    expected = [entry.split(":") for entry in TESTS.split()]
    optional = [entry.split(":") for entry in OPTIONAL.split()]
    assert len(found) == len(expected) + len(optional) == 58
    assert {id: found[id] for id, *_ in expected} == {
        id: (int(words), int(errors)) for id, words, errors in expected
    }
    assert {id: found[id][1] for id, _ in optional} == {id: int(e) for id, e in optional}
