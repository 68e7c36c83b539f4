import csv
import importlib.util
import random
import re
from array import array
from collections import Counter, defaultdict
from hashlib import sha256

import numpy as np
import pytest

import fairaudit
from tests.conftest import ROOT

FOLDER = ROOT / "examples" / "accents"


def read(name):
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def rows():
    return read("transcripts.csv")


@pytest.fixture(scope="module")
def conditions():
    return read("conditions.csv")


@pytest.fixture(scope="module")
def readme():
    """The README's text before its chapter on noise, and that chapter."""
    before, _, after = (FOLDER / "README.md").read_text().partition("\n## The same in noise\n")
    return before, after.partition("\n## ")[0]


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


def test_readme_states_what_the_audit_finds(readme):
    text, _ = readme
    stated = dict(re.findall(r"^\| `([a-z-]+)` \|.*?(\d\.\d{3}) \|$", text, re.MULTILINE))
    audit = fairaudit.wer(
        FOLDER / "transcripts.csv", by=["accent", "gender"], cluster="speaker", metrics=["wer"]
    )
    found = {row.group: f"{row.value:.3f}" for row in audit.estimates if row.attribute}
    assert stated == found


def stated_by_condition(text):
    """Read a table with an accent a row and a condition a column."""
    head, _, *body = (
        [cell.strip(" `") for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    )
    return {
        (accent, condition): rate
        for accent, *rates in body
        for condition, rate in zip(head[1:], rates, strict=True)
    }


def test_readme_states_what_the_audit_finds_in_noise(readme):
    _, text = readme
    audit = fairaudit.wer(
        FOLDER / "conditions.csv",
        by=["accent:condition", "condition"],
        cluster="speaker",
        metrics=["wer"],
    )
    found = {
        (row.values.get("accent", "all"), row.values["condition"]): f"{row.value:.3f}"
        for row in audit.estimates
        if row.attribute
    }
    assert stated_by_condition(text) == found


def test_every_condition_has_the_same_utterances(conditions):
    assert len({row["id"] for row in conditions}) == len(conditions)
    utterances = defaultdict(set)
    for row in conditions:
        utterances[row["condition"]].add((row["speaker"], row["reference"]))
    assert list(utterances) == ["clean", "20 dB", "10 dB", "5 dB"]
    sentences = (FOLDER / "sentences.txt").read_text().splitlines()[:12]
    speakers = {row["speaker"] for row in conditions}
    everything = {(speaker, sentence) for speaker in speakers for sentence in sentences}
    assert all(said == everything for said in utterances.values())


def test_clean_rows_are_those_of_the_first_table(rows, conditions):
    sentences = {row["reference"] for row in conditions}
    clean = [row for row in conditions if row["condition"] == "clean"]
    said = [row | {"condition": "clean"} for row in rows if row["reference"] in sentences]
    assert clean == said


def square_wave(amplitude):
    """Half a second whose mean square is the amplitude's square, then half a second of silence."""
    return ([amplitude] * 40 + [-amplitude] * 40) * 100 + [0] * 8000


def noisy(make, samples, level, name):
    """Samples with noise added, as 64-bit numbers, in which a difference cannot wrap."""
    mixed = make.add_noise(array("h", samples).tobytes(), level, name)
    return np.frombuffer(mixed, dtype=np.int16).astype(np.int64)


@pytest.mark.parametrize("level", [20, 10, 5])
def test_noise_has_the_power_asked_for(make, level):
    speech = square_wave(3000)
    noise = noisy(make, speech, level, "somebody-01") - speech
    # Over the whole second, with its silence, the speech has half the power: 3 dB less.
    assert 10 * np.log10(3000**2 / np.mean(noise**2)) == pytest.approx(level, abs=0.1)


def test_noise_depends_on_the_name_alone(make):
    speech = square_wave(3000)
    one, again, other = (noisy(make, speech, 10, name) for name in ("a-01", "a-01", "a-02"))
    assert (one == again).all()
    assert (one != other).mean() > 0.9
    # The bytes themselves, so that another Python or processor would be noticed.
    assert sha256(one.astype("<i2").tobytes()).hexdigest()[:16] == "f44777c1e218a024"


def test_loud_speech_is_made_quieter_not_cut(make):
    quiet, loud = (noisy(make, square_wave(a), 5, "a-01") for a in (4000, 32000))
    assert abs(loud).max() == 32767
    assert loud / 32767 == pytest.approx(quiet / abs(quiet).max(), abs=0.001)


def test_noise_is_pink(make):
    samples = np.array(make.pink_noise(2**17, random.Random(1))).reshape(-1, 4096)
    power = (abs(np.fft.rfft(samples * np.hanning(4096))) ** 2).mean(axis=0)
    pitch = np.fft.rfftfreq(4096, 1 / make.SAMPLE_RATE)
    octaves = [power[(low <= pitch) & (pitch < 2 * low)].sum() for low in 125 * 2 ** np.arange(6)]
    assert 10 * np.log10(max(octaves) / min(octaves)) < 1


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
