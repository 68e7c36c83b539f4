import pytest

from fairaudit.exceptions import FairauditError
from fairaudit.lm.swap import Lexicon, Swapper, match_names


def read(tmp_path, content):
    path = tmp_path / "words.toml"
    path.write_text(content, encoding="utf-8")
    return Lexicon.read(path)


def test_shipped_pairs_are_one_to_one_and_small():
    words = [word for pair in Lexicon.default().pairs for word in pair]
    assert len(words) == len(set(words))
    assert len(words) > 400
    assert all(word == word.lower() for word in words)


def test_own_attribute(tmp_path):
    lexicon = read(tmp_path, 'attribute = "faith"\npairs = [["church", "mosque"]]\n')
    assert lexicon.attribute == "faith"
    assert Swapper(lexicon).swap("He left her Church.") == "He left her Mosque."


def test_extending_the_shipped_list(tmp_path):
    lexicon = read(tmp_path, 'extends = "gender"\npairs = [["bachelor", "spinster"]]\n')
    assert lexicon.attribute == "gender"
    assert Swapper(lexicon).swap("he, a bachelor") == "she, a spinster"
    assert Swapper(lexicon).swap("a bachelorette") == "a bachelor"


def test_one_way_over_a_shipped_pair(tmp_path):
    lexicon = read(tmp_path, 'extends = "gender"\none_way = [["nun", "priest"]]\n')
    assert Swapper(lexicon).swap("a nun and a monk") == "a priest and a nun"


def test_names_in_the_file(tmp_path):
    lexicon = read(tmp_path, 'extends = "gender"\nnames = [["Guy", "Eve"], ["Eve", "Guy"]]\n')
    assert Swapper(lexicon).swap("Guy's king") == "Eve's queen"


def test_own_verbs_and_surnames(tmp_path):
    lexicon = read(
        tmp_path,
        'extends = "gender"\npairs = [["dog", "cat"]]\nverbs = ["dog"]\nsurnames = ["cat"]',
    )
    text = "They dog the groom, they groom the dog of Ann Cat."
    assert Swapper(lexicon).swap(text) == "They dog the bride, they groom the cat of Ann Cat."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            'pairs = [["bachelor", "spinster"], ["bachelor", "bachelorette"]]',
            r"words.toml: pairs: 'bachelor' has two counterparts, 'spinster' and 'bachelorette'. "
            r'.* one_way = \[\["bachelorette", "bachelor"\]\]',
        ),
        ('pairs = [["a", "b"]]\none_way = [["a", "c"]]', "'a' has two counterparts, 'b' and 'c'"),
        ('titles = [["Sir", "Dame"], ["Sir", "Lady"]]', "'Sir' has two counterparts"),
        ('pair = [["a", "b"]]', "unknown key 'pair'. .* Did you mean 'pairs'"),
        ('pairs = [["a", "b"], ["c"]]', "pairs: entry 2: expected two words"),
        ('pairs = [["a", " "]]', "entry 1: expected two words"),
        ('pairs = [["a", "b"], [" c", "c "]]', "pairs: entry 2: 'c' is paired with itself"),
        ('names = [["Ann", "Ann"]]', "names: entry 1: 'Ann' is paired with itself"),
        ('pairs = "he she"', "pairs: expected pairs: .*found \"?'he she"),
        ('extends = "race"', "extends: expected the name of a shipped list: gender"),
        ('pronouns = true\npairs = [["her", "him"]]', "'her' stands in a pair, but pronouns"),
        ('attribute = "x"', "no words"),
        ('pairs = [["a", "b"]]\nverbs = ["dog"]', "verbs: 'dog' stands in no pair"),
        ('extends = "gender"\nsurnames = ["King"]', "surnames: 'King' stands in no pair.*small"),
        ('pairs = [["a", "b"]]\nverbs = 3', "verbs: expected texts"),
    ],
)
def test_refusals(tmp_path, content, message):
    with pytest.raises(FairauditError, match=message):
        read(tmp_path, content)


def test_names_with_two_counterparts():
    with pytest.raises(FairauditError, match="names: pairs: 'Ann' has two counterparts"):
        Swapper(names={"Tom": "Ann", "Jim": "Ann"})


def test_matched_names_are_those_of_like_frequency():
    men = {"James": 4000, "Robin": 900, "Otis": 30, "Cyril": 2}
    women = {"Mary": 4100, "Robin": 800, "Zelda": 28}
    assert match_names(men, women) == {"James": "Mary", "Otis": "Zelda"}


def test_classes_join_what_trades_places():
    canonical = Lexicon.default().canonical
    assert canonical["mum"] == canonical["dad"] == canonical["mom"]
    assert canonical["hers"] == canonical["his"] == canonical["her"] == canonical["him"]
    assert canonical["she"] != canonical["her"]
