import re

import pytest

from fairaudit.exceptions import FairauditError
from fairaudit.lm.ceat import AssociationTest, Stimuli, find


def texts(contexts, word):
    return [context.text for context in contexts.sentences[word]]


def missing(contexts):
    return tuple(word for word, count in contexts.found.items() if not count)


def spans(contexts):
    return {w: [c.text[c.start : c.end] for c in each] for w, each in contexts.sentences.items()}


def test_whole_words_as_written():
    text = ["Roses, a rose.", "Rose rose; primrose", "rosé!", "(rose)", "a rose's thorn", "rose_1"]
    contexts = find(text, ["rose", "Rose"])
    assert texts(contexts, "rose") == [
        "Roses, a rose.",
        "Rose rose; primrose",
        "(rose)",
        "a rose's thorn",
    ]
    assert texts(contexts, "Rose") == ["Rose rose; primrose"]
    assert spans(contexts) == {"rose": ["rose"] * 4, "Rose": ["Rose"]}
    assert contexts.found == {"rose": 4, "Rose": 1}


def test_signs_are_words_too():
    text = ["I am \U0001f642 today.", "Great\U0001f642!", "Sad.", "Wow!! \u2764\ufe0frose"]
    contexts = find(text, ["\U0001f642", "!!", "\u2764", "rose"])
    assert contexts.found == {"\U0001f642": 2, "!!": 1, "\u2764": 1, "rose": 1}
    assert spans(contexts)["\U0001f642"] == ["\U0001f642"] * 2


def test_marks_on_letters_belong_to_the_word():
    # A boy is no part of a girl, nor a battle of a deer; the first sentence has a girl before him.
    text = ["लड़की और लड़क आए।", "लड़की आई।", "हिरण", "रण"]
    contexts = find(text, ["लड़क", "लड़की", "रण", "x"])
    assert contexts.found == {"लड़क": 1, "लड़की": 2, "रण": 1, "x": 0}
    (boy,) = contexts.sentences["लड़क"]
    assert boy.start == boy.text.index("और") + 3
    assert find(["x\u0304 y"], ["x", "y"]).found == {"x": 0, "y": 1}


def test_sentences_are_split():
    text = 'She said "a rose." Then: the iris? Neither rose nor iris!\nRose'
    contexts = find([text], ["rose", "iris"])
    assert texts(contexts, "rose") == ['She said "a rose.', "Neither rose nor iris!"]
    assert texts(contexts, "iris") == ["Then: the iris?", "Neither rose nor iris!"]


def test_phrases_hyphens_and_accents():
    text = [
        "the first lady, first",
        "fried-chicken",
        "fried chicken",
        "Jose\u0301 came",
        "first-lady",
    ]
    contexts = find(text, ["first lady", "fried-chicken", "José", "!!"])
    assert spans(contexts) == {
        "first lady": ["first lady"],
        "fried-chicken": ["fried-chicken"],
        "José": ["José"],
    }
    assert missing(contexts) == ("!!",)


def test_against_one_search_per_word():
    words = ["ant", "bee", "ants", "a bee", "Bee", "fly", "moth"]
    text = [
        f"{a} {b}{c}"
        for a in ("ant", "ants", "a", "Bee,")
        for b in words
        for c in (".", "-fly", "s")
    ]
    contexts = find(text, words)
    for word in words:
        expected = [t for t in text if re.search(rf"\b{word}\b", t)]
        assert bool(expected) == (word in contexts.sentences)
        assert not expected or texts(contexts, word) == expected


def test_samples_are_uniform():
    lines = [f"{i} rose" for i in range(20)]
    counts = dict.fromkeys(lines, 0)
    for seed in range(2000):
        kept = texts(find(lines, ["rose"], per_stimulus=5, seed=seed), "rose")
        assert len(set(kept)) == 5
        for line in kept:
            counts[line] += 1
    assert all(abs(count - 500) < 5 * (2000 * 0.25 * 0.75) ** 0.5 for count in counts.values())


def test_a_sample_depends_on_the_seed_alone():
    lines = [f"{i} rose {'iris' * (i % 2)}" for i in range(60)]
    one = find(lines, ["rose"], 5, seed=1)
    both = find(lines, ["iris", "rose"], 5, seed=1)
    assert one.sentences["rose"] == both.sentences["rose"]
    assert one.sentences["rose"] != find(lines, ["rose"], 5, seed=2).sentences["rose"]
    assert both.found == {"iris": 30, "rose": 60}


def numbered(count, at):
    return " ".join("rose" if i == at else f"w{i}" for i in range(count))


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (0, "rose w1 w2 w3 w4 w5 w6 w7 w8"),
        (3, "w0 w1 w2 rose w4 w5 w6 w7 w8"),
        (4, "w0 w1 w2 w3 rose w5 w6 w7"),
        (15, "w11 w12 w13 w14 rose w16 w17 w18"),
        (16, "w11 w12 w13 w14 w15 rose w17 w18 w19"),
        (19, "w11 w12 w13 w14 w15 w16 w17 w18 rose"),
    ],
)
def test_nine_words_as_the_authors_cut_them(at, expected):
    contexts = find([numbered(20, at)], ["rose"], code_compatible=True)
    assert texts(contexts, "rose") == [expected]
    assert spans(contexts) == {"rose": ["rose"]}


def test_texts_as_the_authors_have_them():
    contexts = find(["It&#39;s &lt;b&gt; a rose... red,  red!"], ["rose"], code_compatible=True)
    assert texts(contexts, "rose") == ["It s b a rose red red"]


def test_endless_sentences_are_cut_around_the_stimulus():
    contexts = find([numbered(5000, 3000)], ["rose"])
    assert texts(contexts, "rose")[0].split() == numbered(5000, 3000).split()[2950:3050]
    assert spans(contexts) == {"rose": ["rose"]}


def test_a_phrase_at_the_cut_stays_whole():
    text = " ".join(f"w{i}" for i in range(9)) + " a b c d e f g h"
    contexts = find([text], ["w8 a b c d e"], code_compatible=True)
    assert spans(contexts) == {"w8 a b c d e": ["w8 a b c d e"]}


def test_lists_without_any_sentence():
    sides = [Stimuli(n, (f"{n}1", f"{n}2")) for n in ("x", "y", "a", "b")]
    test = AssociationTest("t", tuple(sides[:2]), tuple(sides[2:]))
    contexts = find(["x1 y1 a1 b2 b1"], test.words)
    assert missing(contexts) == ("x2", "y2", "a2")
    assert test.only(contexts.sentences).words == ("x1", "y1", "a1", "b1", "b2")
    with pytest.raises(
        FairauditError, match="test t: not one word of 'y' was found: y1, y2. Use a"
    ):
        test.only(find(["x1 a1 b2"], test.words).sentences)
