"""NIST's ctm: words and their times, which the segments of an stm file make utterances."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from fairaudit.exceptions import FairauditError
from fairaudit.formats.nist import (
    NUMBER,
    Segment,
    has_words,
    read_segments,
    seconds,
    untagged_word,
)
from fairaudit.formats.rows import Rows, excerpt, filled_lines

#: A recording and one of its channels, in lower case.
Track = tuple[str, str]

_CTM = re.compile(
    rf"\S+\s+\S+\s+(?:{NUMBER}\s+{NUMBER}|\*\s+\*)\s+\S+(?:\s+(?:-?{NUMBER}|NA)(?:\s.*)?)?\s*"
)
_ALTERNATION = {"<ALT_BEGIN>": "{", "<ALT>": "/", "<ALT_END>": "}"}


def like_ctm(lines: Sequence[str]) -> bool:
    """Whether lines have times, or the stars of an alternation, in their places, and words."""
    return all(map(_CTM.fullmatch, lines)) and has_words(lines)


def read_ctm(
    stm_path: Path, stm_name: str, ctm_path: Path, ctm_name: str, *, strict: bool = True
) -> Rows:
    """Read what was recognised in each segment of an stm file.

    As sclite does (stm2ctm.c): a word belongs to the first segment of its recording and channel
    that ends after the word's middle, so a word between segments counts in the next one, and
    those after the last segment count in that. The words of ignored segments are not scored.
    An alternation goes by the latest of its words. Recordings and channels are compared without
    regard to case.

    Parameters
    ----------
    stm_path, ctm_path : Path
        References and hypotheses.
    stm_name, ctm_name : str
        What messages call them.
    strict : bool
        Whether a channel that stands in one file only is an error. Else there are no rows for
        segments of which the ctm file has not a word in the whole channel, and words without a
        channel in the stm file are left out with a note.

    Returns
    -------
    Rows
        ``id, text_trn``: an id for each segment that is scored, as `read` gives it. Notes say
        how many words lie outside of segments, or in ignored ones.

    Raises
    ------
    FairauditError
        If a line cannot be read, or a channel stands in one file only.
    """
    segments = list(read_segments(stm_path, stm_name))
    tracks = defaultdict[Track, list[Segment]](list)
    for segment in segments:
        tracks[segment.track].append(segment)
    units = _units(ctm_path, ctm_name)
    if strict:
        _refuse_lonely(tracks, units, stm_name, ctm_name)
    tally = Counter[str]()
    heard = defaultdict[int, list[str]](list)
    for track, words in units.items():
        if track in tracks:
            tally += _assign(tracks[track], words, heard)
        else:
            tally["unknown"] += len(words)
    cells = (
        (segment.id, " ".join(filter(None, heard[segment.line])))
        for segment in segments
        if not segment.ignored and segment.track in units
    )
    return Rows(["id", "text_trn"], cells, notes=_notes(tally, stm_name, ctm_name))


# ---- words into segments


def _refuse_lonely(
    tracks: Mapping[Track, Sequence[Segment]],
    units: Mapping[Track, Sequence[_Unit]],
    stm_name: str,
    ctm_name: str,
) -> None:
    """Refuse channels that stand in one of the two files only."""
    for track, segments in tracks.items():
        scored = next((segment for segment in segments if not segment.ignored), None)
        if scored and track not in units:
            where, lack = f"{stm_name}, line {scored.line}", f"{ctm_name} has no word"
            raise _lonely(where, lack, scored.recording, scored.channel)
    for track, words in units.items():
        if track not in tracks:
            where, lack = f"{ctm_name}, line {words[0].line}", f"{stm_name} has no segment"
            raise _lonely(where, lack, *track)


def _lonely(where: str, lack: str, recording: str, channel: str) -> FairauditError:
    return FairauditError(
        f"{where}: {lack} of recording '{recording}', channel '{channel}'. Check that the files "
        "belong together and name recordings and channels alike."
    )


def _assign(
    segments: Sequence[Segment], words: Sequence[_Unit], heard: defaultdict[int, list[str]]
) -> Counter[str]:
    """Put the words of a channel into its segments (by line number), both in order of time.

    Returns counts of what is worth a note.
    """
    ordered = sorted(segments, key=attrgetter("begin"))
    # Where segments overlap, an earlier one that lasts longer has the word.
    ends = list(accumulate((segment.end for segment in ordered), max))
    tally = Counter(
        unsorted=sum(b.begin < a.begin for a, b in pairwise(words)),
        overlapping=sum(b.begin < end for b, end in zip(ordered[1:], ends, strict=False)),
    )
    place = 0
    for word in sorted(words, key=attrgetter("begin")):
        place = max(place, min(bisect_right(ends, word.middle), len(ends) - 1))
        segment = ordered[place]
        heard[segment.line].append(word.text)
        if segment.ignored:
            tally["ignored"] += 1
        elif not segment.begin <= word.middle < segment.end:
            tally["outside"] += 1
    return tally


def _notes(tally: Mapping[str, int], stm_name: str, ctm_name: str) -> list[str]:
    say = {
        "unsorted": ("places out of order", "Words were sorted by time."),
        "overlapping": (
            f"segments of {stm_name} that begin before the one ahead ends",
            "Words in both count in the earlier.",
        ),
        "outside": (
            f"words in no segment of {stm_name}",
            "They count in the next segment, after the last one in that.",
        ),
        "ignored": (
            f"words in segments that {stm_name} ignores, or just before them",
            "They are not scored.",
        ),
        "unknown": (
            f"words of recordings or channels that {stm_name} has not",
            "They are not scored.",
        ),
    }
    return [
        f"{ctm_name}: {what}: {tally[key]}. {so}" for key, (what, so) in say.items() if tally[key]
    ]


# ---- the file


class _Unit(NamedTuple):
    """A word of a ctm file, or an alternation, in NIST's notation."""

    line: int
    begin: float
    middle: float
    text: str


class _Line(NamedTuple):
    """A line of a ctm file: a word, or a mark of an alternation."""

    number: int
    track: Track
    begin: float
    duration: float
    word: str
    mark: str

    def unit(self) -> _Unit:
        return _Unit(self.number, self.begin, self.begin + self.duration / 2, self.word)


def _units(path: Path, name: str) -> dict[Track, list[_Unit]]:
    """Words of a ctm file by recording and channel, in the order of the file."""
    units: dict[Track, list[_Unit]] = {}
    pending: list[_Line] = []
    for number, text in filled_lines(path, name):
        if text.startswith(";"):
            continue
        where = f"{name}, line {number}"
        line = _line(text, number, where)
        _check_place(line, pending, where)
        if line.mark or pending:
            pending.append(line)
        if not pending:
            units.setdefault(line.track, []).append(line.unit())
        elif line.mark == "<ALT_END>":
            before = units.setdefault(line.track, [])
            before.append(_alternation(pending, before[-1].begin if before else 0.0))
            pending = []
    if pending:
        raise FairauditError(f"{name}, line {pending[0].number}: <ALT_BEGIN> without <ALT_END>.")
    return units


def _line(text: str, number: int, where: str) -> _Line:
    fields = text.split()
    if len(fields) < 5:
        raise FairauditError(
            f"{where}: expected FILE CHANNEL BEGIN DURATION WORD; found: {excerpt(text)}"
        )
    recording, channel, begin, duration, word = fields[:5]
    track = (recording.casefold(), channel.casefold())
    if (mark := word.upper()) in _ALTERNATION:
        return _Line(number, track, 0.0, 0.0, "", mark)
    if set(word) & set("{}"):
        raise FairauditError(
            f"{where}: the word '{word}' holds a brace. In a ctm file alternatives stand between "
            "<ALT_BEGIN>, <ALT> and <ALT_END>."
        )
    times = seconds(begin, where, "begin"), seconds(duration, where, "duration")
    return _Line(number, track, *times, untagged_word(word), "")


def _check_place(line: _Line, pending: Sequence[_Line], where: str) -> None:
    """Refuse a line that cannot stand where it does within or without an alternation."""
    if not pending:
        if line.mark in ("<ALT>", "<ALT_END>"):
            raise FairauditError(f"{where}: {line.mark} without <ALT_BEGIN>.")
        return
    first = pending[0]
    if line.mark == "<ALT_BEGIN>":
        raise FairauditError(f"{where}: <ALT_BEGIN> within that of line {first.number}.")
    if line.track != first.track:
        raise FairauditError(
            f"{where}: another recording or channel within the alternation that begins in line "
            f"{first.number}."
        )
    if "/" in line.word:
        raise FairauditError(
            f"{where}: '{line.word}' holds a slash, which separates alternatives. Write it apart."
        )


def _alternation(lines: Sequence[_Line], before: float) -> _Unit:
    """The lines of an alternation as one unit; `before` is where the last one began."""
    words = [line.unit() for line in lines if not line.mark]
    # Without a word of its own it stays with the one ahead.
    begin = words[0].begin if words else before
    middle = max((word.middle for word in words), default=before)
    tokens = ["{"]
    for line in lines[1:]:
        if line.mark and tokens[-1] in ("{", "/"):
            tokens.append("@")
        # What is nothing but a tag is no word.
        if token := _ALTERNATION.get(line.mark, line.word):
            tokens.append(token)
    return _Unit(lines[0].number, begin, middle, " ".join(tokens))
