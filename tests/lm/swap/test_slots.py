import csv

import numpy as np
import pytest

from fairaudit.lm.swap import Lexicon, slots, train
from fairaudit.lm.swap.swapper import split

CANONICAL = Lexicon.default().canonical
RECOVERED = 0.98


def slot_of(form, text):
    """The slot at the gap of a text that is written with a form in it."""
    parts = split(text.replace("__", form))
    return slots.slot(form, parts, parts.index(form), CANONICAL)


@pytest.mark.parametrize(
    ("text", "slot"),
    [
        ("I met __ at noon.", "object"),
        ("They let __ go home.", "object"),
        ("I gave __ a book.", "object"),
        ("He told __ that it rained.", "object"),
        ("It belongs to __", "object"),
        ("I met __ brother at noon.", "determiner"),
        ("__ old house burned.", "determiner"),
        ("She loved __ own child.", "determiner"),
    ],
)
def test_her(text, slot):
    assert slot_of("her", text) == slot


@pytest.mark.parametrize(
    ("text", "slot"),
    [
        ("The car is __.", "independent"),
        ("He is a friend of __.", "independent"),
        ("They met __ brother at noon.", "determiner"),
        ("__ old house burned.", "determiner"),
    ],
)
def test_his(text, slot):
    assert slot_of("his", text) == slot


@pytest.mark.parametrize("text", ["He gave __ king's son __.", "“__ queen,” Mr. Lee said to __."])
def test_a_context_does_not_show_gender(text):
    turned = text.replace("king", "queen").replace("Mr", "Mrs").replace("He", "She")
    turned = turned.replace("son", "daughter")
    ours, theirs = split(text.replace("__", "his")), split(turned.replace("__", "her"))
    at = ours.index("his")
    assert slots.context(ours, at, CANONICAL) == slots.context(theirs, at, CANONICAL)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("his", [".", "", "", ".", "", "", ""]),
        ("\n\nhis\n\n", ["\u00b6", "", "", "\u00b6", "", "", ""]),
        ("We. So he saw his 2 \u201cold\u201d cars", "saw him So 2 \u201c old \u201d".split()),
        ("Oh! THE MAN AND his... dog", ["AND", "MAN", "THE", ".", "", "", ""]),
        ("in *his* car, (now)", ["in", ".", "", "car", ",", "(", "now"]),
    ],
)
def test_contexts_end_with_the_sentence(text, expected):
    parts = split(text)
    assert slots.context(parts, parts.index("his"), CANONICAL | {"he": "him"}) == expected


def test_gap_recovers_him_and_his(data):
    """Webster et al., TACL 2018: him and his, written as one form, are told apart again."""
    right = seen = 0
    for part in ("development", "validation", "test"):
        path = data / "text" / "gap" / f"gap-{part}.tsv"
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        for parts in (split(row["Text"]) for row in rows):
            for at in (at for at in range(1, len(parts), 2) if parts[at].lower() in ("him", "his")):
                found = slots.slot("her", parts, at, CANONICAL)
                right += (found == "object") == (parts[at].lower() == "him")
                seen += 1
    assert seen > 4000
    assert right / seen >= RECOVERED


SMALL = train.Settings(
    words=60, width=4, hidden=8, steps=80, batch=64, rate=2e-2, gaps=10, gap_weight=0.5
)


def test_a_small_training_learns_and_repeats_itself(monkeypatch):
    pytest.importorskip("torch")
    text = " ".join(
        ["I saw him. We saw them. They met me. It is mine. It is ours."] * 20
        + ["It is my house. They met my friend. We saw our dog. It is their car."] * 20
    )
    content, again = (train.train(text, text, SMALL, made=1) for _ in range(2))
    assert content == again
    network = slots.unpack(content)
    monkeypatch.setattr(slots, "_network", lambda: network)
    slots._vector.cache_clear()
    slots._words.cache_clear()
    for sentence, expected in (("They met __.", 0), ("They met __ house.", 1), ("It is __.", 2)):
        parts = split(sentence.replace("__", "him"))
        chances = slots.probabilities(slots.context(parts, 5, CANONICAL))
        assert chances.index(max(chances)) == expected
    slots._vector.cache_clear()
    slots._words.cache_clear()


def test_training_sees_contexts_as_reading_does():
    text = "We met him, the “old” king. 2 MEN saw their car! It is MINE; his. A coal mine of ours."
    found = slots.tokens(split(text))
    words = train.vocabulary([(found, 1.0)], 50)
    stream = train.stream(found, words, CANONICAL)
    at = [k for k, token in enumerate(found) if token.lower() in train.SLOT_OF]
    at = [k for k in at if found[k] != "mine"]
    assert [k for k in range(len(found)) if stream.slot[k] >= 0] == at
    parts = split(text)
    places = [k for k in range(1, len(parts), 2) if parts[k].lower() in train.SLOT_OF]
    places = [k for k in places if parts[k] != "mine"]
    inner = slice(1, -1)  # at the ends a text is closed by "." when it is read
    rows = [
        [slots.rows(token, words) for token in slots.context(parts, k, CANONICAL)]
        for k in places[inner]
    ]
    assert train.windows(stream, np.array(at[inner])).tolist() == np.array(rows).tolist()


def test_shipped_weights_are_small():
    folder = slots.files("fairaudit.lm.swap") / "data"
    assert sum(len((folder / f"{n}.npz").read_bytes()) for n in ("slots", "linear")) < 180_000
