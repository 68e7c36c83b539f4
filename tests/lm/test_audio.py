import os
import struct
import wave

import numpy as np
import pytest
import soundfile

from fairaudit.lm import audio
from fairaudit.lm.audio import BrokenAudio, read

RATE = 16_000
TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE // 2) / RATE)


def pcm(samples, width):
    """Integers of a width in bytes as WAV holds them: 8 bits without sign, the rest with."""
    whole = np.round(np.asarray(samples) * (2 ** (8 * width - 1) - 1)).astype(np.int64)
    whole = whole + 128 if width == 1 else whole
    return b"".join(int(s).to_bytes(width, "little", signed=width > 1) for s in whole.ravel())


def riff(content, tag=1, rate=RATE, channels=1, width=2, length=None, more=b""):
    """A WAV file, each field of the header as it is given."""
    align = channels * width
    speed = rate * align % 2**32
    form = struct.pack("<HHIIHH", tag, channels, rate, speed, align, 8 * width) + more
    length = len(content) if length is None else length
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form
    body += b"data" + struct.pack("<I", length) + content
    return b"RIFF" + struct.pack("<I", min(len(body), 0xFFFF_FFFF)) + body


@pytest.fixture
def file(tmp_path):
    def write(content, name="sound.wav"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def reason(path):
    with pytest.raises(BrokenAudio) as caught:
        read(path, RATE)
    return str(caught.value)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_pcm_of_all_widths_against_the_standard_library(width, tmp_path):
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, width, RATE, 0, "NONE", ""))
        file.writeframes(pcm(TONE, width))
    sound = read(path, RATE)
    assert sound.dtype == np.float32
    assert sound.shape == TONE.shape
    np.testing.assert_allclose(sound, TONE, atol=1.5 / 2 ** (8 * width - 1) + 1e-7)


@pytest.mark.parametrize(("kind", "width"), [("<f4", 4), ("<f8", 8)])
def test_floating_point(kind, width, file):
    path = file(riff(TONE.astype(kind).tobytes(), tag=3, width=width))
    np.testing.assert_allclose(read(path, RATE), TONE, atol=1e-7)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_flac(subtype, tmp_path):
    soundfile.write(tmp_path / "a.flac", TONE, RATE, subtype=subtype)
    np.testing.assert_allclose(read(tmp_path / "a.flac", RATE), TONE, atol=1e-4)


@pytest.mark.parametrize("name", ["a.ogg", "a.mp3"])
def test_lossy_formats(name, tmp_path):
    soundfile.write(tmp_path / name, TONE, RATE)
    sound = read(tmp_path / name, RATE)
    middle = slice(1000, 7000)
    assert np.corrcoef(sound[middle], TONE[middle])[0, 1] > 0.99


def test_channels_are_averaged(file):
    left, right = TONE, np.full_like(TONE, 0.25)
    both = riff(pcm(np.column_stack([left, right]), 2), channels=2)
    np.testing.assert_allclose(read(file(both), RATE), (left + right) / 2, atol=1e-4)


def test_extensible_header(file):
    # 22 bytes more: their number, valid bits, channel mask, and the format's GUID (here PCM).
    guid = bytes.fromhex("0100000000001000800000aa00389b71")
    more = struct.pack("<HHI", 22, 16, 3) + guid
    path = file(riff(pcm(np.column_stack([TONE, TONE]), 2), 0xFFFE, channels=2, more=more))
    np.testing.assert_allclose(read(path, RATE), TONE, atol=1e-4)


def decibel(amplitude):
    return 20 * np.log10(amplitude + 1e-12)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_a_tone_comes_through_resampling(rate, file):
    seconds = 2
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(seconds * rate) / rate)
    sound = read(file(riff(tone.astype("<f4").tobytes(), tag=3, rate=rate, width=4)), RATE)
    assert len(sound) == seconds * RATE
    exact = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(seconds * RATE) / RATE)
    middle = slice(RATE // 4, -RATE // 4)
    # Amplitude and phase: the difference to the sampled sine itself.
    assert decibel(np.abs(sound - exact)[middle].max() / 0.5) < -110


@pytest.mark.parametrize(
    ("frequency", "low", "high"), [(7_000, -0.1, 0.1), (7_500, -0.6, 0.1), (8_500, -300, -120)]
)
def test_no_aliasing(frequency, low, high, file):
    rate = 44_100
    tone = np.sin(2 * np.pi * frequency * np.arange(2 * rate) / rate)
    sound = read(file(riff(tone.astype("<f4").tobytes(), tag=3, rate=rate, width=4)), RATE)
    middle = sound[RATE // 4 : -RATE // 4].astype(float)
    assert low < decibel(np.sqrt(2 * (middle**2).mean())) < high


WHOLE = riff(pcm(TONE, 2))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "the file is empty"),
        (b"hello, this is no sound\n" * 50, "cannot be read as WAV, FLAC, OGG or MP3"),
        (b"<html><body>404</body></html>" * 50, "cannot be read as WAV"),
        (riff(pcm(TONE, 2), rate=0), "its header gives a sample rate of 0 Hz; expected 1,000 to"),
        (riff(pcm(TONE, 2), rate=1), "sample rate of 1 Hz"),
        (riff(pcm(TONE, 2), rate=0xFFFF_FFFF), "sample rate of 4294967295 Hz"),
        (riff(pcm(TONE, 2), channels=0), "Channel count is zero"),
        (riff(b""), "holds no samples"),
        (WHOLE[:44], "cut off: its header promises 16,000 bytes of sound, 0 are there"),
        (WHOLE[:-1], "cut off: its header promises 16,000 bytes of sound, 15,999 are there"),
        (WHOLE[:20], "cannot be read as WAV"),
        (riff(np.array([0, np.nan, 0], "<f4").tobytes(), 3, width=4), "are no numbers"),
        (riff(np.array([0, np.inf, 0], "<f4").tobytes(), 3, width=4), "are no numbers"),
        (riff(pcm([0.5], 2), rate=48_000), "too short: 1 samples at 48000 Hz"),
    ],
    ids=lambda value: value if isinstance(value, str) else "file",
)
def test_broken_files_are_named(content, expected, file):
    assert expected in reason(file(content))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_flac_that_is_cut_off(share, tmp_path):
    path = tmp_path / "a.flac"
    noise = np.random.default_rng(0).normal(size=5 * RATE) / 10
    soundfile.write(path, noise, RATE)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert reason(path)


def test_flac_without_a_frame(tmp_path):
    path = tmp_path / "a.flac"
    soundfile.write(path, TONE, RATE)
    path.write_bytes(path.read_bytes()[:42])
    assert reason(path)


def test_sampling_rate_of_other_formats(tmp_path):
    soundfile.write(tmp_path / "a.flac", TONE, 100)
    assert "sample rate of 100 Hz" in reason(tmp_path / "a.flac")


def test_mp3_without_its_length(tmp_path):
    # Of a variable bit rate and no header frame, the length can only be guessed: here too long.
    path = tmp_path / "a.mp3"
    sound = np.random.default_rng(0).normal(size=4 * RATE) / 10
    sound[:RATE] = 0
    with soundfile.SoundFile(path, "w", RATE, 1, bitrate_mode="VARIABLE") as file:
        file.write(sound)
    whole = path.read_bytes()
    path.write_bytes(whole[whole.index(whole[:2], 2) :])
    assert soundfile.info(path).frames > 1.2 * len(sound)
    assert abs(len(read(path, RATE)) - len(sound)) < 2_000


@pytest.mark.parametrize("length", [0x7FFF_F000, 0xFFFF_FFFF])
def test_header_of_unknown_length(length, file):
    # What SoX and FFmpeg write when they write to a pipe.
    path = file(riff(pcm(TONE, 2), length=length))
    np.testing.assert_allclose(read(path, RATE), TONE, atol=1e-4)


def test_chunks_before_the_sound_are_passed_over(file):
    chunk = b"LIST" + struct.pack("<I", 5) + b"INFO!" + b"\0"
    path = file(WHOLE[:36] + chunk + WHOLE[36:])
    assert len(read(path, RATE)) == len(TONE)
    path = file(WHOLE[:36] + chunk + WHOLE[36:-100])
    assert "cut off" in reason(path)


def test_a_header_of_endless_chunks_ends(file, monkeypatch):
    monkeypatch.setattr(audio, "CHUNKS", 3)
    path = file(WHOLE[:36] + (b"junk" + bytes(4)) * 5 + WHOLE[36:])
    assert len(read(path, RATE)) == len(TONE)


def test_the_content_counts_not_the_name(file):
    assert len(read(file(WHOLE, "a.raw"), RATE)) == len(TONE)
    assert "cannot be read as WAV" in reason(file(b"no sound" * 20, "b.raw"))


def test_what_is_no_file(tmp_path):
    assert reason(tmp_path / "none.wav") == "no such file"
    assert reason(tmp_path / "none" / "a.wav") == "no such file"
    assert reason(tmp_path / ("a" * 300)) == "File name too long"
    assert reason(tmp_path / "a\0b") == "embedded null byte"
    assert reason(tmp_path) == "not a regular file"
    os.mkfifo(tmp_path / "pipe")
    assert reason(tmp_path / "pipe") == "not a regular file"


def test_no_permission(file, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    path = file(WHOLE)
    monkeypatch.setattr(os, "open", refuse)
    assert reason(path) == "Permission denied"
