import json

import pytest

from fairaudit.exceptions import FairauditError
from fairaudit.lm.ceat import AssociationTest, Stimuli

#: Words of X, Y, A and B in Guo & Caliskan's tests.
SIZES = {
    "C1": (25, 25, 25, 25), "C2": (25, 25, 25, 25), "C3": (32, 32, 25, 25),
    "C4": (16, 16, 25, 25), "C5": (16, 16, 8, 8), "C6": (8, 8, 8, 8), "C7": (8, 8, 8, 8),
    "C8": (8, 8, 8, 8), "C9": (6, 6, 7, 7), "C10": (8, 8, 8, 8), "I1": (12, 12, 13, 13),
    "I2": (12, 12, 8, 8), "I3": (12, 12, 12, 12), "I4": (12, 12, 6, 6),
}  # fmt: skip


def read(tmp_path, content):
    path = tmp_path / "own.toml"
    path.write_text(content, encoding="utf-8")
    return AssociationTest.read(path)


def test_shipped_tests_have_the_published_sizes():
    shipped = AssociationTest.shipped()
    assert {n: tuple(len(s.words) for s in t.sides) for n, t in shipped.items()} == SIZES
    assert all(test.source and test.title for test in shipped.values())


def test_shipped_words_are_those_of_the_authors(data):
    published = json.loads((data / "lm/ceat/weat_stimuli.json").read_text(encoding="utf-8"))["ceat"]
    for name, test in AssociationTest.shipped().items():
        for key, side in zip("XYAB", test.sides, strict=True):
            assert sorted(side.words) == sorted(published[name][key]["words"]), (name, key)


def test_shipped_words_of_weat_are_those_of_sent_bias(data):
    other = json.loads((data / "lm/ceat/weat_stimuli.json").read_text("utf-8"))["sent_bias_weat"]
    for number in range(1, 11):
        for key, side in zip("XYAB", AssociationTest.shipped()[f"C{number}"].sides, strict=True):
            odd = set(side.words) ^ set(other[f"weat{number}"][key]["words"])
            assert odd == ({"short", "short-term"} if (number, key) == (9, "A") else set())


def test_own_test_with_a_shipped_list(tmp_path):
    tests = read(
        tmp_path,
        '[lists]\n"bases" = ["Brest ", "first lady"]\n"cities" = ["Rome"]\n'
        '[tests.T]\ntargets = ["bases", "cities"]\nattributes = ["pleasant, few", "weapons"]\n',
    )
    assert tests["T"].targets == (
        Stimuli("bases", ("Brest", "first lady")),
        Stimuli("cities", ("Rome",)),
    )
    assert "joy" in tests["T"].attributes[0].words


LISTS = '[lists]\nx = ["a"]\ny = ["b"]\nz = ["a", "b"]\n'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (LISTS, r"own.toml: no tests. Add a table \[tests.NAME\]."),
        ("tests = 3\n", "own.toml, tests: expected a table; found 3."),
        (LISTS + "[tests.T]\nfrom = 1\n", "own.toml, tests, T: unknown key 'from'."),
        (
            LISTS + '[tests.T]\ntargets = ["x"]\nattributes = ["x", "y"]\n',
            r'own.toml, tests, T: targets: expected the names of two lists: \["flowers", '
            r'"insects"\]; found \[\'x\'\].',
        ),
        (
            LISTS + '[tests.T]\ntargets = ["x", "y"]\nattributes = ["careers", "family"]\n',
            "own.toml, tests, T: attributes: no list 'careers'. .* Did you mean 'career'?",
        ),
        (
            LISTS + '[tests.T]\ntargets = ["x", "y"]\nattributes = ["z", "family"]\n',
            "own.toml, tests, T: test T: 'a' stands in 'x' and again in 'z'. Keep it once.",
        ),
        ('lists = 1\n[tests.T]\ntitle = "t"\n', "own.toml, lists: expected a table; found 1."),
        ('[lists]\nx = ["a", " "]\n[tests.T]\n', "own.toml, lists: x: expected words, none of"),
        ("[lists]\nx = []\n[tests.T]\n", "own.toml, lists: x: expected texts:"),
    ],
)
def test_odd_files(tmp_path, content, message):
    with pytest.raises(FairauditError, match=message):
        read(tmp_path, content)


def test_a_list_without_words():
    sides = [Stimuli(name, (name,)) for name in "XYAB"]
    with pytest.raises(FairauditError, match="test t: 'Y' has no words. Add some."):
        AssociationTest("t", (sides[0], Stimuli("Y", ())), (sides[2], sides[3]))


def test_only_what_is_known():
    test = AssociationTest.shipped()["C6"]
    known = set(test.words) - {"John", "home"}
    assert set(test.only(known).words) == known
    with pytest.raises(FairauditError, match="test C6: not one word of 'career' was found: busin"):
        test.only(known - set(test.attributes[0].words))
