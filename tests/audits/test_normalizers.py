import random
import unicodedata
from importlib import metadata

import pytest

from fairaudit.audits import normalizers
from fairaudit.audits.normalizers import basic, normalizer
from fairaudit.exceptions import FairauditError


def words(text):
    return basic(text).split()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't STOP -- it's well-known!", "dont stop its well known"),
        ("rock \u2019n\u2019 roll, \u201cquoted\u201d", "rock n roll quoted"),
        ("Grüße, Ça va? ÉCOLE", "grüße ça va école"),
        ("e\u0301cole", "école"),
        ("５０ pounds \u00a3", "50 pounds"),
        ("soft\u00adhyphen\u200b \ufeffmark", "softhyphen mark"),
    ],
)
def test_basic(text, expected):
    assert words(text) == expected.split()


@pytest.mark.parametrize(
    "text", ["हिन्दी में", "தமிழ் மொழி", "বাংলা ভাষা", "ಕನ್ನಡ", "ไทยนี้", "עִבְרִית", "العَرَبِيَّة"]
)
def test_basic_keeps_the_marks_of_all_scripts(text):
    # Whisper's basic normaliser turns vowel signs into spaces: words fall apart.
    kept = basic(text)
    assert kept == unicodedata.normalize("NFKC", text)
    assert any(unicodedata.category(c).startswith("M") for c in kept)


def test_fast_and_slow_paths_agree():
    rng = random.Random(1)
    for _ in range(2000):
        text = "".join(chr(rng.randrange(128)) for _ in range(12)).replace("\n", " ")
        slow = (text + "é").lower().translate(normalizers._PUNCTUATION)
        assert basic(text) + "é" == slow
        assert basic(text + "\né") == basic(text) + "\né"


def test_as_many_lines_come_out():
    for rule in ("none", "basic", "whisper-en"):
        lines = "Hello, World!\n\nna\u00efve [noise]\nÇa \n."
        assert normalizer(rule).apply(lines).count("\n") == 4


def test_whisper_en_is_openais():
    rule = normalizer("whisper-en")
    assert rule.apply("Mr. Park visited today, won't he? colour") == (
        "mister park visited today will not he color"
    )
    assert rule.apply("twenty five dollars") == "$25"
    assert rule.version.startswith("whisper-en(whisper-normalizer 0.1.")


def test_another_whisper_normalizer_is_refused(monkeypatch):
    monkeypatch.setattr(metadata, "version", lambda name: "0.1.15")
    with pytest.raises(
        FairauditError, match=r"found 0\.1\.15.*pip install whisper-normalizer==0\.1\.1"
    ):
        normalizer("whisper-en")


def test_unknown_rule():
    with pytest.raises(FairauditError, match="expected none, basic or whisper-en"):
        normalizer("kaldi")
