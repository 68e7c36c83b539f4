import csv
import importlib.util
import re
from collections import Counter

import pytest

import fairaudit
from tests.conftest import ROOT

FOLDER = ROOT / "examples" / "accents"


@pytest.fixture(scope="module")
def rows():
    with (FOLDER / "transcripts.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def make():
    spec = importlib.util.spec_from_file_location("make", FOLDER / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_size(rows):
    sentences = (FOLDER / "sentences.txt").read_text().splitlines()
    assert len(sentences) >= 40
    assert len({row["accent"] for row in rows}) >= 8
    assert len({row["voice"].split("+")[-1] for row in rows}) >= 6
    assert {row["reference"] for row in rows} == set(sentences)
    assert len({row["id"] for row in rows}) == len(rows)


def test_speakers_have_one_accent_and_say_every_sentence(rows):
    said = Counter(row["speaker"] for row in rows)
    assert set(said.values()) == {48}
    assert len({(row["speaker"], row["accent"], row["gender"]) for row in rows}) == len(said)


def test_readme_states_what_the_audit_finds():
    text = (FOLDER / "README.md").read_text()
    stated = dict(re.findall(r"^\| `([a-z-]+)` \|.*?(\d\.\d{3}) \|$", text, re.MULTILINE))
    audit = fairaudit.wer(
        FOLDER / "transcripts.csv", by=["accent", "gender"], cluster="speaker", metrics=["wer"]
    )
    found = {row.group: f"{row.value:.3f}" for row in audit.estimates if row.attribute}
    assert stated == found


def test_language_model_is_a_distribution(make):
    sentences = (FOLDER / "sentences.txt").read_text().splitlines()
    sections = make.bigram_model(sentences).split("\\")
    unigrams = next(part for part in sections if part.startswith("1-grams:"))
    rows = [line.split() for line in unigrams.splitlines()[1:] if line.strip()]
    # The start of a sentence is given, never predicted.
    assert sum(10 ** float(p) for p, word, *_ in rows if word != "<s>") == pytest.approx(
        1, abs=0.01
    )
    words = {word for line in sentences for word in make.words_of(line)}
    assert words <= {word for _, word, *_ in rows}
