"""Recordings: read, mixed down and resampled; what is broken is found here, not in the model."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fairaudit.arrays import Array

#: Sampling rates in Hz that a header is believed: speech needs more than the lowest.
RATES = (1_000, 768_000)
#: Lengths from here on are what programs write into a WAV header when they do not know them
#: (SoX 0x7ffff000, FFmpeg 0xffffffff).
UNKNOWN_LENGTH = 0x7FFF_F000
#: Samples that are decoded at once: a header can promise more than memory holds.
BLOCK = 1 << 16
#: A WAV file has a handful of chunks; a broken one may seem to have millions.
CHUNKS = 1_000


class BrokenAudio(Exception):  # noqa: N818 (it is the file that is broken)
    """A recording that cannot be used; the message says why, without the file's name."""


def check(path: Path) -> None:
    """Look whether there is a file, without reading it.

    Raises
    ------
    BrokenAudio
        If there is none, or an empty one.
    """
    try:
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        raise BrokenAudio(_reason(error)) from None
    if not path.is_file():
        raise BrokenAudio("not a regular file")
    if not size:
        raise BrokenAudio("the file is empty")


def read(path: Path, rate: int) -> Array:
    """Read a recording as one channel at a sampling rate.

    WAV, FLAC, OGG, MP3 and what else libsndfile knows. Channels are averaged. Resampling is
    SoXR's "high quality": of a tone that the new rate can hold 0.4 dB at most are lost up to 94 %
    of its band, and one that it cannot hold comes through at -136 dB (measured, 44.1 and 48 kHz
    to 16 kHz).

    Parameters
    ----------
    path : Path
        The file.
    rate : int
        Samples per second that are wanted.

    Returns
    -------
    array of float32, shape (samples,)
        Full scale is 1.

    Raises
    ------
    BrokenAudio
        If it is no sound file, damaged, cut off (WAV and FLAC; OGG and MP3 do not say how long
        they should be), without samples, or has an impossible sampling rate.
    """
    import soxr

    check(path)
    try:
        # Without its name: libsndfile would believe the suffix, not the content.
        with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)), "rb") as file:
            _check_wav(file)
            sound, found = _decode(file)
    except OSError as error:
        raise BrokenAudio(_reason(error)) from None
    resampled = soxr.resample(sound, found, rate, quality="HQ")
    if not len(resampled):
        raise BrokenAudio(f"too short: {len(sound)} samples at {found} Hz")
    return np.asarray(resampled, dtype=np.float32)


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "no such file"
    return str(getattr(error, "strerror", None) or error)


def _decode(file: BinaryIO) -> tuple[Array, int]:
    """Samples of a sound file, shape (samples,), and its sampling rate."""
    import soundfile

    try:
        with soundfile.SoundFile(file) as sound:
            _check_rate(sound.samplerate)
            samples = _mono(sound)
            found = int(sound.samplerate)
    except soundfile.LibsndfileError as error:
        raise BrokenAudio(
            f"cannot be read as WAV, FLAC, OGG or MP3 ({error.error_string.rstrip('.')})"
        ) from None
    if not len(samples):
        raise BrokenAudio("holds no samples")
    if not np.isfinite(samples).all():
        raise BrokenAudio("holds samples that are no numbers (NaN or infinite)")
    return samples, found


def _mono(sound: Any) -> Array:
    """Mean over the channels, shape (samples,)."""
    blocks = [np.zeros(0, dtype=np.float32)]
    while len(block := sound.read(BLOCK, dtype="float32", always_2d=True)):
        blocks.append(block.mean(axis=1))
    samples = np.concatenate(blocks)
    # The length of an MP3 file is guessed from its first frames.
    if len(samples) < sound.frames and sound.format != "MP3":
        raise BrokenAudio(
            f"cut off: its header promises {sound.frames:,} samples, {len(samples):,} are there"
        )
    return samples


def _check_rate(rate: int) -> None:
    low, high = RATES
    if not low <= rate <= high:
        raise BrokenAudio(
            f"its header gives a sample rate of {rate} Hz; expected {low:,} to {high:,}"
        )


def _check_wav(file: BinaryIO) -> None:
    """Refuse a WAV file that is cut off, which libsndfile reads as if it were whole.

    RIFF chunks: a name of 4 bytes, a length of 4, the content, padded to an even length
    (Multimedia Programming Interface and Data Specifications 1.0, IBM and Microsoft, 1991).
    """
    start = file.read(12)
    if start[:4] == b"RIFF" and start[8:] == b"WAVE":
        for name, length, present in _chunks(file):
            if name == b"fmt " and present >= 8:
                _check_rate(int.from_bytes(file.read(8)[4:], "little"))
            if name == b"data" and present < length < UNKNOWN_LENGTH:
                raise BrokenAudio(
                    f"cut off: its header promises {length:,} bytes of sound, {present:,} are there"
                )
    file.seek(0)


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Name, length and bytes present of each chunk; the file stands at its content."""
    size = os.fstat(file.fileno()).st_size
    position = 12
    for _ in range(CHUNKS):
        if position + 8 > size:
            return
        file.seek(position)
        head = file.read(8)
        length = int.from_bytes(head[4:], "little")
        position += 8
        yield head[:4], length, size - position
        position += length + length % 2
