"""Speak the sentences in ten English accents and write down what a recogniser hears.

Run ``python make.py`` to write ``transcripts.csv`` and, with noise added to some of the same
speech, ``conditions.csv`` beside this file. It needs the programs espeak-ng and sox, and the
Python package pocketsphinx. The speech is synthetic: the tables say nothing about real
speakers of any accent (see README.md).
"""

from __future__ import annotations

import argparse
import csv
import importlib
import importlib.util
import itertools
import math
import multiprocessing
import random
import re
import shutil
import subprocess
import sys
import tempfile
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
SAMPLE_RATE = 16_000
VARIANTS = ("f1", "f2", "f3", "m1", "m2", "m3")

# Near espeak-ng's own settings (50 and 175); each speaker is moved a little away from them.
PITCH, PITCH_SPREAD = 50, 8
SPEED, SPEED_SPREAD = 170, 15
SEED = 1

# The share of each word's probability that the language model keeps for successors it never
# saw. On a trial of four accents 0.2 had fewer errors overall than 0.1 and 0.5.
DISCOUNT = 0.2

# Signal-to-noise ratios in dB. At 0 dB, on a trial, six words in ten were not heard at all and
# all accents had nearly the same error rate.
LEVELS = (20, 10, 5)
NOISY_SENTENCES = 12
NOISE_ROWS = 8  # rows that change every 1 to 128 samples: pink down to about 100 Hz
FRAME = SAMPLE_RATE // 50
SILENCE = 10_000  # a frame with so many times less energy than the loudest one (40 dB)
LOUDEST = 32_767

INSTALL = {
    "espeak-ng": "apt-get install espeak-ng",
    "sox": "apt-get install sox",
    "pocketsphinx": "pip install pocketsphinx",
}


class MakeError(Exception):
    """Something the person running the script has to put right."""


class Accent(NamedTuple):
    """A way of speaking English.

    Attributes
    ----------
    voice : str
        The espeak-ng voice file. The short names, such as ``en-gb``, are not used: with some
        of them espeak-ng ignores the variant without a word.
    sounds : Mapping[str, str]
        espeak-ng phoneme mnemonics to replace wherever they stand.
    finals : Mapping[str, str]
        Mnemonics to replace at the end of a word only, before `sounds` is looked at.
    """

    voice: str
    sounds: Mapping[str, str] = {}
    finals: Mapping[str, str] = {}


# Caricatures: a handful of the sounds that textbooks name, always replaced. People do not
# speak like that; the point is speech that differs from "us" in known places only.
SPANISH_SOUNDS = {
    "I": "i:",
    "I2": "i:",
    "U": "u:",
    "V": "a",
    "v": "b",
    "z": "s",
    "h": "x",
}
GERMAN_SOUNDS = {
    "w": "v",
    "T": "s",
    "D": "z",
    "r": "R",
    "r-": "R",
    "a": "E",
}
GERMAN_FINALS = {"b": "p", "d": "t", "g": "k", "v": "f", "z": "s", "dZ": "tS"}

ACCENTS = {
    "us": Accent("gmw/en-US"),
    "us-nyc": Accent("gmw/en-US-nyc"),
    "england": Accent("gmw/en"),
    "rp": Accent("gmw/en-GB-x-rp"),
    "scotland": Accent("gmw/en-GB-scotland"),
    "lancashire": Accent("gmw/en-GB-x-gbclan"),
    "west-midlands": Accent("gmw/en-GB-x-gbcwmd"),
    "caribbean": Accent("gmw/en-029"),
    "spanish-influenced": Accent("gmw/en-US", SPANISH_SOUNDS),
    "german-influenced": Accent("gmw/en-US", GERMAN_SOUNDS, GERMAN_FINALS),
}


class Speaker(NamedTuple):
    """One accent in one voice, with a pitch and a speed of its own."""

    accent: str
    variant: str
    pitch: int
    speed: int

    @property
    def name(self) -> str:
        """Name such as ``scotland-f2``."""
        return f"{self.accent}-{self.variant}"

    @property
    def gender(self) -> str:
        """What the espeak-ng variant is meant to sound like."""
        return "female" if self.variant.startswith("f") else "male"

    @property
    def voice(self) -> str:
        """The voice as espeak-ng's ``-v`` wants it."""
        return f"{ACCENTS[self.accent].voice}+{self.variant}"


class Row(NamedTuple):
    """What was heard of one sentence by one speaker in one condition, as in the tables."""

    id: str
    speaker: str
    accent: str
    gender: str
    voice: str
    condition: str
    reference: str
    hypothesis: str


def make_speaker(accent: str, variant: str) -> Speaker:
    """Draw the speaker's pitch and speed.

    Seeding with the name keeps a speaker the same when others are added or left out.
    """
    draw = random.Random(f"{SEED} {accent} {variant}")
    return Speaker(
        accent,
        variant,
        pitch=PITCH + draw.randint(-PITCH_SPREAD, PITCH_SPREAD),
        speed=SPEED + draw.randint(-SPEED_SPREAD, SPEED_SPREAD),
    )


def run(command: Sequence[str], given: bytes = b"") -> bytes:
    """Run a program and return what it writes to standard output."""
    done = subprocess.run(command, input=given, capture_output=True, check=False)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise MakeError(f"{' '.join(command)} failed: {said}")
    return done.stdout


# --- Speech -------------------------------------------------------------------------------


def phonemes(sentence: str, voice: str) -> str:
    """Return espeak-ng's mnemonics: a line for a clause, a space between words, else ``|``."""
    return run(["espeak-ng", "-q", "-x", "--sep=|", "-v", voice, sentence]).decode()


def change_sound(mnemonic: str, sounds: Mapping[str, str]) -> str:
    """Replace one phoneme and keep the stress mark before it."""
    sound = mnemonic.lstrip("',")
    stress = mnemonic.removesuffix(sound)
    return stress + sounds.get(sound, sound)


def change_word(word: str, accent: Accent) -> str:
    """Replace the accent's phonemes in one word of mnemonics."""
    *rest, last = word.split("|")
    changed = [*rest, change_sound(last, accent.finals)]
    return "|".join(change_sound(mnemonic, accent.sounds) for mnemonic in changed)


def text_to_speak(sentence: str, accent: Accent) -> str:
    """Return what to hand to espeak-ng: the sentence, or its phonemes with some replaced.

    The clauses are joined by commas and keep the sentence's last mark, so that the tune of
    the sentence stays as it was.
    """
    if not accent.sounds:
        return sentence
    clauses = [line.split() for line in phonemes(sentence, accent.voice).splitlines()]
    changed = [" ".join(change_word(word, accent) for word in clause) for clause in clauses]
    return ", ".join(f"[[{clause}]]" for clause in changed if clause) + sentence[-1]


def synthesise(text: str, voice: str, pitch: int = PITCH, speed: int = SPEED) -> bytes:
    """Speak a text.

    Parameters
    ----------
    text : str
        Plain text, or phonemes in double brackets.
    voice : str
        An espeak-ng voice with its variant, such as ``gmw/en+f2``.
    pitch, speed : int
        As espeak-ng's ``-p`` and ``-s``.

    Returns
    -------
    bytes
        16-bit mono samples at `SAMPLE_RATE`.
    """
    settings = ["-v", voice, "-p", str(pitch), "-s", str(speed)]
    wave = run(["espeak-ng", *settings, "--stdout", text])
    # espeak-ng cannot know the length when it writes the header to a pipe. Dither is off
    # (-D) because it is random.
    source = ["-t", "wav", "--ignore-length", "-"]
    target = ["-t", "raw", "-r", str(SAMPLE_RATE), "-e", "signed", "-b", "16", "-c", "1", "-"]
    return run(["sox", "-D", *source, *target], wave)


def check_voices(sentence: str) -> None:
    """Fail unless every accent and variant makes a sound of its own.

    espeak-ng ignores a variant that it cannot apply and still exits with 0, and two voices
    may be one under two names; only the sound tells. All are compared at one pitch and
    speed, with the bare voice among them.
    """
    heard: dict[bytes, str] = {}
    for (name, accent), variant in itertools.product(ACCENTS.items(), ("", *VARIANTS)):
        voice = f"{accent.voice}+{variant}" if variant else accent.voice
        sound = synthesise(text_to_speak(sentence, accent), voice)
        label = f"{name} ({voice})"
        if sound in heard:
            raise MakeError(f"{label} sounds exactly like {heard[sound]}")
        heard[sound] = label


# --- Noise --------------------------------------------------------------------------------


def pink_noise(length: int, draw: random.Random) -> list[int]:
    """Draw noise with about equal power in each octave.

    Rows of random numbers that change every 1, 2, 4, ... samples are added up: Voss's
    algorithm (M. Gardner, Scientific American 238(4), 1978). Bytes and whole numbers, because
    the noise has to be the same on every machine.

    Parameters
    ----------
    length : int
        Number of samples.
    draw : random.Random
        Where the numbers come from.

    Returns
    -------
    list of int
        Samples around 0.
    """
    noise = [0] * length
    for hold in (2**row for row in range(NOISE_ROWS)):
        values = draw.randbytes(length // hold + 1)
        noise = [sample + 2 * values[at // hold] - 255 for at, sample in enumerate(noise)]
    return noise


def energy(samples: Iterable[int]) -> int:
    """Sum of squares."""
    return sum(sample * sample for sample in samples)


def speech_power(speech: Sequence[int]) -> float:
    """Mean square of the speech over its frames of 20 ms that are not silent.

    A pause would otherwise count as quiet speech, and speakers with longer pauses would get
    less noise.
    """
    starts = range(0, len(speech) - FRAME + 1, FRAME)
    frames = [energy(speech[start : start + FRAME]) for start in starts]
    loudest = max(frames)
    spoken = [frame for frame in frames if frame * SILENCE >= loudest]
    return sum(spoken) / (len(spoken) * FRAME)


def fit(samples: Sequence[int]) -> Sequence[int]:
    """Make samples quieter, all by one factor, where the peaks would not fit into 16 bits."""
    peak = max(map(abs, samples))
    return samples if peak <= LOUDEST else [sample * LOUDEST // peak for sample in samples]


def add_noise(sound: bytes, level: int, name: str) -> bytes:
    """Add pink noise to speech.

    Parameters
    ----------
    sound : bytes
        16-bit mono samples, not all of them silent.
    level : int
        Signal-to-noise ratio in dB: `speech_power` against the mean square of the noise.
    name : str
        What the noise is drawn for; the same name gets the same noise.

    Returns
    -------
    bytes
        As many samples, made quieter as a whole where they would not fit into 16 bits.
    """
    speech = array("h", sound)
    noise = pink_noise(len(speech), random.Random(f"{SEED} {name}"))
    ratio = speech_power(speech) * len(noise) / energy(noise) / 10 ** (level / 10)
    # Rounded, because powers may differ in the last bit between mathematics libraries.
    gain = round(math.sqrt(ratio), 6)
    mixed = [spoken + round(gain * added) for spoken, added in zip(speech, noise, strict=True)]
    return array("h", fit(mixed)).tobytes()


# --- Recognition --------------------------------------------------------------------------


def words_of(sentence: str) -> list[str]:
    """Return the words in lower case, without punctuation other than apostrophes."""
    return re.findall(r"[a-z']+", sentence.lower())


def count_pairs(sentences: Iterable[str]) -> dict[str, Counter[str]]:
    """Count, for each word and for the start mark, the words that follow it."""
    followers: dict[str, Counter[str]] = defaultdict(Counter)
    for sentence in sentences:
        marked = ["<s>", *words_of(sentence), "</s>"]
        for first, second in itertools.pairwise(marked):
            followers[first][second] += 1
    return followers


def bigram_model(sentences: Iterable[str]) -> str:
    """Make a bigram language model of the sentences, as an ARPA file.

    A fixed share of each word's probability, `DISCOUNT`, goes to the successors that were
    never seen, spread as the single words are.
    """
    followers = count_pairs(sentences)
    singles = sum(followers.values(), Counter())
    share = {word: count / singles.total() for word, count in singles.items()}

    unigrams, bigrams = [f"{math.log10(share['</s>']):.4f} </s>"], []
    for first, seconds in sorted(followers.items()):
        unseen = 1 - sum(share[second] for second in seconds)
        single = math.log10(share[first]) if first in share else -99
        unigrams.append(f"{single:.4f} {first} {math.log10(DISCOUNT / unseen):.4f}")
        for second, count in sorted(seconds.items()):
            chance = (1 - DISCOUNT) * count / seconds.total()
            bigrams.append(f"{math.log10(chance):.4f} {first} {second}")
    return arpa(unigrams, bigrams)


def arpa(unigrams: Sequence[str], bigrams: Sequence[str]) -> str:
    """Put the lines of a bigram model into the ARPA format."""
    head = ["\\data\\", f"ngram 1={len(unigrams)}", f"ngram 2={len(bigrams)}"]
    body = ["", "\\1-grams:", *unigrams, "", "\\2-grams:", *bigrams, "", "\\end\\", ""]
    return "\n".join([*head, *body])


@cache
def make_decoder(model: Path) -> Any:
    """Make a recogniser with pocketsphinx's own sounds and dictionary and our word model.

    Loading takes longer than recognising a few sentences, so a process does it once.
    """
    # Imported by name: pocketsphinx has no types, and may be missing (see check_tools).
    pocketsphinx = importlib.import_module("pocketsphinx")
    return pocketsphinx.Decoder(lm=str(model), samprate=SAMPLE_RATE, loglevel="FATAL")


def recognise(decoder: Any, sound: bytes) -> str:
    """Return the words heard in 16-bit mono samples; an empty text when there are none."""
    # Forget the noise estimate of the utterance before, and take the whole of this one at
    # once: otherwise the words heard would depend on the order of the sentences.
    decoder.reinit_feat()
    decoder.start_utt()
    decoder.process_raw(sound, full_utt=True)
    decoder.end_utt()
    hypothesis = decoder.hyp()
    return hypothesis.hypstr if hypothesis else ""


def check_words(decoder: Any, sentences: Iterable[str]) -> None:
    """Fail when a word has no pronunciation, since it could then never be recognised."""
    words = {word for sentence in sentences for word in words_of(sentence)}
    missing = sorted(word for word in words if decoder.lookup_word(word) is None)
    if missing:
        raise MakeError(f"not in pocketsphinx's dictionary: {', '.join(missing)}")


# --- The tables ---------------------------------------------------------------------------


def hear(decoder: Any, speaker: Speaker, number: int, sentence: str) -> list[Row]:
    """Let a speaker say a sentence and return a row for each condition it is heard in."""
    text = text_to_speak(sentence, ACCENTS[speaker.accent])
    sound = synthesise(text, speaker.voice, speaker.pitch, speaker.speed)
    utterance = f"{speaker.name}-{number:02d}"
    who = (speaker.name, speaker.accent, speaker.gender, speaker.voice)
    rows = [Row(utterance, *who, "clean", sentence, recognise(decoder, sound))]
    for level in LEVELS if number <= NOISY_SENTENCES else ():
        name = f"{utterance}-{level}dB"
        heard = recognise(decoder, add_noise(sound, level, name))
        rows.append(Row(name, *who, f"{level} dB", sentence, heard))
    return rows


def transcribe(speaker: Speaker, sentences: Sequence[str], model: Path) -> list[Row]:
    """Let one speaker say the sentences and return the rows of both tables."""
    decoder = make_decoder(model)
    numbered = enumerate(sentences, start=1)
    return [row for number, said in numbered for row in hear(decoder, speaker, number, said)]


def transcribe_all(sentences: Sequence[str], model: Path, processes: int) -> list[Row]:
    """Return the rows of all speakers, in the order of their names."""
    speakers = sorted(make_speaker(*who) for who in itertools.product(ACCENTS, VARIANTS))
    work = partial(transcribe, sentences=sentences, model=model)
    rows: list[Row] = []
    with multiprocessing.Pool(processes) as pool:
        for done, more in enumerate(pool.imap(work, speakers), start=1):
            rows.extend(more)
            show_progress(done, len(speakers))
    return rows


def show_progress(done: int, total: int) -> None:
    """Keep one line up to date when somebody is watching."""
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\r{done} of {total} speakers", end=end, file=sys.stderr, flush=True)


def write_table(rows: Iterable[Row], columns: Sequence[str], path: Path) -> None:
    """Write the table under another name first, so that no half-written one is left."""
    unfinished = path.with_name(f"{path.name}.tmp")
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(row._asdict() for row in rows)
    unfinished.replace(path)


def write_tables(rows: Sequence[Row], noisy: Sequence[str], folder: Path) -> None:
    """Write the clean rows as one table, and all rows of the noisy sentences as the other."""
    clean = [row for row in rows if row.condition == "clean"]
    columns = [column for column in Row._fields if column != "condition"]
    write_table(clean, columns, folder / "transcripts.csv")
    compared = [row for row in rows if row.reference in noisy]
    write_table(compared, Row._fields, folder / "conditions.csv")


# --- Command line -------------------------------------------------------------------------


def check_tools() -> None:
    """Fail when a program or package is missing, and say how to install it."""
    missing = [tool for tool in ("espeak-ng", "sox") if shutil.which(tool) is None]
    if importlib.util.find_spec("pocketsphinx") is None:
        missing.append("pocketsphinx")
    if missing:
        hints = "; ".join(f"{tool} (install it: {INSTALL[tool]})" for tool in missing)
        raise MakeError(f"missing: {hints}")


def make(folder: Path, limit: int | None, processes: int) -> None:
    """Make the tables from the first `limit` sentences, or from all.

    The language model is always made from all of them, so that a short run gives the same
    rows as the full one.
    """
    check_tools()
    if not folder.is_dir():
        raise MakeError(f"no such folder: {folder}")
    sentences = (HERE / "sentences.txt").read_text(encoding="utf-8").splitlines()
    check_voices(sentences[0])
    with tempfile.TemporaryDirectory() as scratch:
        model = Path(scratch) / "sentences.arpa"
        model.write_text(bigram_model(sentences), encoding="utf-8")
        check_words(make_decoder(model), sentences)
        rows = transcribe_all(sentences[:limit], model, processes)
    write_tables(rows, sentences[:NOISY_SENTENCES], folder)


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Make the two tables (see README.md).")
    parser.add_argument(
        "--output",
        type=Path,
        default=HERE,
        metavar="FOLDER",
        help="where to write transcripts.csv and conditions.csv; default: beside this script",
    )
    parser.add_argument("--sentences", type=positive, help="use the first so many only")
    parser.add_argument("--processes", type=positive, default=2, help="default: 2")
    return parser.parse_args()


def main() -> int:
    """Run the script and return its exit code."""
    arguments = parse_arguments()
    try:
        make(arguments.output, arguments.sentences, arguments.processes)
    except MakeError as error:
        print(f"make.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
