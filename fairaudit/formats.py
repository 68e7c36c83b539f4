"""The text formats of speech recognition, read into rows of text.

NIST's trn, stm and ctm (sclite's documentation, infmts.htm, and its source where that says
less), Kaldi's files of a data directory, and SegLST (MeetEval). A reader gives column names and,
as they are asked for, rows; what it cannot read it names by file and line.

Columns called ``text_trn`` hold NIST's notation, taken apart by `markup`: ``{ um / uh / @ }`` is
one of several wordings (``@``: no word), ``(so)`` a word that may be left out.
"""

from __future__ import annotations

import gzip
import json
import math
import re
import zlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import accumulate, pairwise
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from fairaudit.exceptions import FairauditError

FORMATS = ("trn", "stm", "ctm", "kaldi", "seglst")

Row = tuple[str | None, ...]

_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_IS_NUMBER = re.compile(_NUMBER)
#: Kaldi's maps from utterances or speakers to something.
_MAP = re.compile(r"(utt|spk)2([A-Za-z0-9_]+)")
_KALDI_NAMES = {"utt": "id", "spk": "speaker", "dur": "duration"}
#: What heads the first column of a table, and is no utterance id.
_HEADS = set(
    "id utt uttid utt_id utterance utterance_id segment_id audio_id audio_filepath path file "
    "speaker speaker_id spk spk_id client_id text sentence reference hypothesis".split()
)
_TABLES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".pq")
_TRN = re.compile(r"(.*)\(([^()\s]+)\)\s*")
_CTM = re.compile(
    rf"\S+\s+\S+\s+(?:{_NUMBER}\s+{_NUMBER}|\*\s+\*)\s+\S+(?:\s+(?:-?{_NUMBER}|NA)(?:\s.*)?)?\s*"
)
_STM = re.compile(rf"\S+\s+\S+\s+\S+\s+{_NUMBER}\s+{_NUMBER}(?:\s.*)?")
#: Characters that make more of a text than its words.
_MARKS = re.compile(r"[{};\\]")
_ALTERNATION = re.compile(r"[/{}]|[^\s/{}]+")
_TAGS = re.compile(r"(?<!\\);.*", re.DOTALL)
#: Wall Street Journal: speaker, kind of speech, session, utterance; as in 4t0c0201.
_WSJ = re.compile(r"(?=.{0,2}\d)([a-z0-9]{3})[a-z][a-z0-9]{4}")
_LABEL = re.compile(r';;\s*(LABEL|CATEGORY)\s+"([^"]*)"\s+"([^"]*)"')
_IGNORED = re.compile("IGNORE_TIME_SEGMENT_IN_SCORING|IGNORETIMESEGMENTINSCORING", re.IGNORECASE)
_STM_COLUMNS = ["id", "recording", "channel", "speaker", "begin", "end", "duration"]
_SEGLST_KEYS = ("session_id", "speaker", "start_time", "end_time")
_SEGLST_IDS = ("id", "utterance_id", "segment_id")


@dataclass
class Rows:
    """Rows of a file, which can be gone through once.

    Attributes
    ----------
    columns : list of str
        Their names.
    cells : iterator of tuple of str or None
        A row at a time, None where there is nothing.
    dropped : dict of str to int
        Records that were left out, by reason; complete when all rows were read.
    notes : list of str
        What a reader of the results must know; complete as `dropped` is.
    """

    columns: list[str]
    cells: Iterator[Row]
    dropped: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Row]:
        return self.cells


def detect(name: str, start: bytes) -> str | None:
    r"""Tell the format of a file; None where it is more likely a table.

    Parameters
    ----------
    name : str
        Its name, which decides where it is one of the field's: ``.trn``, ``.stm``, ``.ctm``,
        ``.seglst.json``, or Kaldi's ``text``, ``utt2...`` and ``spk2...``.
    start : bytes
        Its first 4,096 bytes or so, decompressed. They tell NIST's formats under any name that
        is not a table's; two lines at least, all of that kind.

    Examples
    --------
    >>> detect("dev.ref", b"hello world (ann-1)\nhow are you (bob-1)\n")
    'trn'
    >>> detect("dev.txt", b"reference,hypothesis\nhello (ann-1),hello (ann-1)\n") is None
    True
    """
    base = Path(name).name.removesuffix(".gz")
    for suffix, format in [(".seglst.json", "seglst"), *((f".{f}", f) for f in FORMATS[:3])]:
        if base.lower().endswith(suffix):
            return format
    lines = _whole_lines(start)
    if base == "text" or _MAP.fullmatch(base):
        return "kaldi" if _like_kaldi(lines) else None
    if base.lower().endswith(_TABLES) or len(lines) < 2:
        return None
    if all(map(_CTM.fullmatch, lines)):
        return "ctm" if _has_words(lines) else None
    if all(map(_STM.fullmatch, lines)):
        return "stm" if _has_words(lines) else None
    return "trn" if _like_trn(lines) else None


def _whole_lines(start: bytes) -> list[str]:
    """Lines that hold something, without the last, which may be cut off."""
    whole = start[: start.rfind(b"\n") + 1] or start
    lines = whole.decode("utf-8", "replace").removeprefix("\ufeff").splitlines()
    return [line for line in lines if line.strip() and not line.startswith(";;")]


def _like_kaldi(lines: Sequence[str]) -> bool:
    """Whether the first line starts with an id, and not with a table's header or JSON."""
    if not lines:
        return True
    first = lines[0].split()[0]
    header = first.lower() in _HEADS or lines[0].count("\t") > 1
    return not header and not re.search(r"^[\[{]|[,;|\"]", first)


def _has_words(lines: Sequence[str]) -> bool:
    """Whether there is more than columns of numbers after the times."""
    words = (word for line in lines for word in line.split()[4:])
    return any(not re.fullmatch(f"-?{_NUMBER}", word) for word in words)


def _like_trn(lines: Sequence[str]) -> bool:
    """Whether lines end in an id each, and do not all have the same number of delimiters."""
    parts = [found.groups() for found in map(_TRN.fullmatch, lines) if found]
    ids = {id for _, id in parts}
    if len(ids) < len(lines) or not all(text[-1:] in ("", " ", "\t") for text, _ in parts):
        return False
    counts = [{text.rstrip().count(delimiter) for text, _ in parts} for delimiter in ",\t;|"]
    return all(count == {0} or len(count) > 1 for count in counts)


def read(path: Path, name: str, format: str) -> Rows:
    r"""Read a file of one of the `FORMATS`, compressed by gzip or not.

    trn
        ``id, speaker, text_trn``. The speaker is what stands before the first hyphen of the id,
        else before its first underscore (sclite's ``-i spu_id``); of ids like ``4t0c0201`` the
        first three characters (``-i wsj``), and these ids are taken to lower case, as their
        files mix both. None for ids of other kinds.
    stm
        ``id, recording, channel, speaker, begin, end, duration``, a column for each place in the
        labels, called as its ``CATEGORY`` line says (``label1`` where it has no title), and
        ``text_trn``. A label is given by the heading of its ``LABEL`` line, where that is its
        own. The first word is the label if it begins with ``<``. Segments that are to be
        ignored in scoring are left out and counted in ``dropped``.
    kaldi
        By the name: ``text`` gives ``id, text`` and ``utt2spk`` ``id, speaker``; any other
        ``utt2X`` or ``spk2X`` gives ``X`` of each id or speaker.
    seglst
        The keys of the objects, ``words`` as ``text``. The ``id`` is the object's own, else
        made of session, speaker and times.

    In trn, stm and ctm, lines that begin with ``;;`` are comments, and tags after a ``;`` are no
    part of a word (``\;`` is a semicolon).

    Parameters
    ----------
    path : Path
        What is read.
    name : str
        What messages call it; for Kaldi's files it says what they hold.
    format : str
        One of `FORMATS`. A ctm file needs its stm file: `read_ctm`.

    Returns
    -------
    Rows

    Raises
    ------
    FairauditError
        If a line cannot be read as the format has it, or an id stands twice; most faults show
        only when rows are asked for.
    """
    if format == "ctm":
        raise FairauditError(
            f"{name}: a ctm file has words and times, no utterances. Give it as hypotheses "
            "together with the stm file of its references."
        )
    if format == "seglst":
        return _seglst(path, name)
    if format == "kaldi":
        return _kaldi(path, name)
    return _stm(path, name) if format == "stm" else _trn(path, name)


def markup(text: str) -> list[str]:
    """Take a text in NIST's notation apart.

    Within braces a slash separates alternatives even without spaces; elsewhere it is a
    character like any other.

    Returns
    -------
    list of str
        ``{``, ``/`` and ``}`` of alternations, balanced, and words, ``@`` and ``(word)`` among
        them.

    Raises
    ------
    FairauditError
        If a brace lacks its other, or an alternative is empty: sclite skips an empty
        alternative, its successor asclite takes it for ``@``. The message shows the text, and
        does not say where it stands.

    Examples
    --------
    >>> markup("i've {um/uh / @} 1/2 (so)")
    ["i've", '{', 'um', '/', 'uh', '/', '@', '}', '1/2', '(so)']
    """
    return _checked(_tokens(text), text)


def _tokens(text: str) -> Iterator[str]:
    depth = 0
    for part in re.split("([{}])", text):
        if part in ("{", "}"):
            depth += 1 if part == "{" else -1
            yield part
        else:
            yield from _ALTERNATION.findall(part) if depth > 0 else part.split()


def _checked(tokens: Iterable[str], text: str) -> list[str]:
    """Tokens, if braces are balanced and no alternative is empty."""
    found: list[str] = []
    depth = 0
    for each in tokens:
        if depth > 0 and each in ("/", "}") and found[-1] in ("{", "/"):
            raise _unreadable("an alternative in braces is empty; write @ for no word", text)
        depth += (each == "{") - (each == "}")
        if depth < 0:
            raise _unreadable("a brace } closes what was not opened", text)
        found.append(each)
    if depth:
        raise _unreadable("a brace { is opened and not closed", text)
    return found


def _unreadable(fault: str, text: str) -> FairauditError:
    return FairauditError(f"{fault}: {_excerpt(text)}")


def _notation(text: str, where: str) -> str:
    """A text of trn or stm without its tags and escapes."""
    if not _MARKS.search(text):
        return text.strip()
    try:
        return " ".join(_checked(filter(None, map(_word, _tokens(text))), text))
    except FairauditError as error:
        raise FairauditError(f"{where}: {error}") from None


def _word(token: str) -> str:
    r"""A word without its tags and escapes: of ``b\;b;tag`` it is ``b;b``."""
    return _TAGS.sub("", token).replace("\\", "")


def _excerpt(text: str, width: int = 60) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else f"{text[:width]}…"


def _lines(path: Path, name: str) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, with their numbers."""
    return ((n, line) for n, line in _all_lines(path, name) if line and not line.isspace())


def _all_lines(path: Path, name: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, counted from 1.

    Raises
    ------
    FairauditError
        If the file is empty, or no text.
    """
    number = 0
    try:
        with path.open("rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                line = _decoded(raw, name, number)
                yield number, line.removeprefix("\ufeff") if number == 1 else line
    except (OSError, EOFError, zlib.error) as error:
        fault = getattr(error, "strerror", None) or error
        raise FairauditError(f"{name}: cannot be read: {fault}.") from None
    if not number:
        raise FairauditError(f"{name}: the file is empty.")


def _decoded(raw: bytes, name: str, number: int) -> str:
    """A line without its end."""
    try:
        line = raw.decode()
    except UnicodeDecodeError:
        kind = "UTF-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "LATIN1"
        raise FairauditError(
            f"{name}, line {number}: not UTF-8. Convert the file: iconv -f {kind} -t UTF-8"
        ) from None
    line = line.removesuffix("\n").removesuffix("\r")
    if "\0" in line or "\r" in line:
        found = "a NUL byte" if "\0" in line else "a carriage return within the line"
        raise FairauditError(
            f"{name}, line {number}: {found}; expected lines of UTF-8 text, ended by LF."
        )
    return line


def _entries(path: Path, name: str) -> Iterator[tuple[int, str]]:
    """Lines of a file of NIST's that are no comments."""
    return ((n, line) for n, line in _lines(path, name) if not line.startswith(";;"))


def _unique(seen: dict[str, int], id: str, number: int, name: str, unit: str = "line") -> None:
    """Remember where an id stands; refuse it where it stood before."""
    first = seen.setdefault(id, number)
    if first != number:
        raise FairauditError(
            f"{name}, {unit} {number}: id '{id}' stands in {unit} {first} already. "
            "Ids must be unique."
        )


def _trn(path: Path, name: str) -> Rows:
    def cells() -> Iterator[Row]:
        seen: dict[str, int] = {}
        for number, line in _entries(path, name):
            where = f"{name}, line {number}"
            parts = _TRN.fullmatch(line)
            if parts is None:
                raise FairauditError(
                    f"{where}: expected words and at the end the utterance id in parentheses, "
                    f"without spaces; found: {_excerpt(line)}"
                )
            id, speaker = _speaker(parts[2])
            _unique(seen, id, number, name)
            yield id, speaker, _notation(parts[1], where)

    return Rows(["id", "speaker", "text_trn"], cells())


def _speaker(id: str) -> tuple[str, str | None]:
    """An utterance id as it is to be compared, and the speaker in it.

    sclite's `extract_speaker` (align.c): a hyphen counts before an underscore, wherever it is.
    """
    for mark in "-_":
        if mark in id:
            return id, id.partition(mark)[0] or None
    wsj = _WSJ.fullmatch(id.lower())
    return (wsj[0], wsj[1]) if wsj else (id, None)


class _Segment(NamedTuple):
    """A line of an stm file; times as they are written, and as numbers."""

    line: int
    id: str
    recording: str
    channel: str
    speaker: str
    times: tuple[str, str]
    begin: float
    end: float
    labels: tuple[str, ...]
    text: str
    ignored: bool

    @property
    def track(self) -> tuple[str, str]:
        """Recording and channel, without regard to case, as sclite compares them."""
        return self.recording.casefold(), self.channel.casefold()


def _segments(path: Path, name: str) -> Iterator[_Segment]:
    seen: dict[str, int] = {}
    for number, line in _entries(path, name):
        segment = _segment(line, number, f"{name}, line {number}")
        _unique(seen, segment.id, number, name)
        yield segment


def _segment(line: str, number: int, where: str) -> _Segment:
    fields = line.split(None, 5)
    if len(fields) < 5:
        raise FairauditError(
            f"{where}: expected FILE CHANNEL SPEAKER BEGIN END [<LABELS>] TEXT; "
            f"found: {_excerpt(line)}"
        )
    recording, channel, speaker, *times = fields[:5]
    begin, end = _seconds(times[0], where, "begin"), _seconds(times[1], where, "end")
    if end < begin:
        raise FairauditError(f"{where}: the segment ends at {times[1]}, before {times[0]}.")
    labels, text = _labels(fields[5] if len(fields) > 5 else "", where)
    return _Segment(
        line=number,
        id=f"{recording}-{channel}-{times[0]}-{times[1]}",
        recording=recording,
        channel=channel,
        speaker=speaker,
        times=(times[0], times[1]),
        begin=begin,
        end=end,
        labels=labels,
        text=text,
        ignored=bool(_IGNORED.search(text)),
    )


def _seconds(text: str, where: str, what: str) -> float:
    """A time; sclite would take what is no number for 0."""
    if not _IS_NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise FairauditError(f"{where}: {what} is '{text}'; expected seconds, 0 or more.")
    return float(text)


def _labels(text: str, where: str) -> tuple[tuple[str, ...], str]:
    """Labels before the words of an stm line, and the words."""
    if not text.startswith("<"):
        return (), text
    label, *rest = text.split(None, 1)
    if not label.endswith(">"):
        raise FairauditError(
            f"{where}: labels begin with < and do not end with >; expected them without spaces, "
            f"as in <O,F>; found: {_excerpt(text)}"
        )
    inner = label[1:-1]
    return tuple(inner.split(",")) if inner else (), rest[0] if rest else ""


def _stm(path: Path, name: str) -> Rows:
    titles, headings = _legend(path, name)
    rows = Rows([*_STM_COLUMNS, *titles, "text_trn"], iter(()))

    def cells() -> Iterator[Row]:
        ignored = 0
        for segment in _segments(path, name):
            if segment.ignored:
                ignored += 1
                rows.dropped["ignored in the stm"] = ignored
            else:
                yield _stm_row(segment, name, len(titles), headings)

    rows.cells = cells()
    return rows


def _stm_row(segment: _Segment, name: str, places: int, headings: dict[str, str]) -> Row:
    begin, end = segment.times
    labels: list[str | None] = [
        headings.get(label.casefold(), label) or None for label in segment.labels
    ]
    return (
        segment.id,
        segment.recording,
        segment.channel,
        segment.speaker,
        begin,
        end,
        f"{Decimal(end) - Decimal(begin):f}",
        *labels,
        *[None] * (places - len(labels)),
        _notation(segment.text, f"{name}, line {segment.line}"),
    )


def _legend(path: Path, name: str) -> tuple[list[str], dict[str, str]]:
    """Columns for the labels of an stm file, and what each label means."""
    places = 0
    categories: dict[str, str] = {}
    headings: dict[str, str] = {}
    for number, line in _lines(path, name):
        if not line.startswith(";;"):
            segment = _segment(line, number, f"{name}, line {number}")
            places = max(places, len(segment.labels))
        elif found := _LABEL.match(line):
            title = " ".join(found[3].replace("//", " ").split())
            (categories if found[1] == "CATEGORY" else headings)[found[2].casefold()] = title
    times = Counter(headings.values())
    # A heading of two labels would make one group of them.
    own = {id: heading for id, heading in headings.items() if heading and times[heading] == 1}
    return _titles(categories, places), own


def _titles(categories: dict[str, str], places: int) -> list[str]:
    """Names of the label columns; as in sclite's reports, categories stand in their order."""
    given = [*categories.values(), *[""] * places]
    titles: list[str] = []
    for place in range(places):
        title = given[place].lower()
        taken = title in (*_STM_COLUMNS, "text_trn", *titles)
        titles.append(f"label{place + 1}" if taken or not title else title)
    return titles


class _Unit(NamedTuple):
    """A word of a ctm file, or an alternation, in NIST's notation."""

    line: int
    begin: float
    middle: float
    text: str


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
    segments = list(_segments(stm_path, stm_name))
    tracks: dict[tuple[str, str], list[_Segment]] = {}
    for segment in segments:
        tracks.setdefault(segment.track, []).append(segment)
    units = _ctm_units(ctm_path, ctm_name)
    if strict:
        _refuse_lonely(tracks, units, stm_name, ctm_name)
    tally: Counter[str] = Counter()
    heard: dict[int, list[str]] = {}
    for track, words in units.items():
        if track in tracks:
            tally += _assign(_in_order(tracks[track]), _sorted(words, tally), heard)
        else:
            tally["unknown"] += len(words)
    cells = (
        (segment.id, " ".join(filter(None, heard.get(segment.line, ()))))
        for segment in segments
        if not segment.ignored and segment.track in units
    )
    return Rows(["id", "text_trn"], cells, notes=_ctm_notes(tally, stm_name, ctm_name))


def _refuse_lonely(
    tracks: dict[tuple[str, str], list[_Segment]],
    units: dict[tuple[str, str], list[_Unit]],
    stm_name: str,
    ctm_name: str,
) -> None:
    """Refuse channels that stand in one of the two files only."""
    for track, segments in tracks.items():
        scored = next((segment for segment in segments if not segment.ignored), None)
        if scored and track not in units:
            raise FairauditError(
                f"{stm_name}, line {scored.line}: {ctm_name} has no word of recording "
                f"'{scored.recording}', channel '{scored.channel}'. Check that the files belong "
                "together and name recordings and channels alike."
            )
    for track, words in units.items():
        if track not in tracks:
            raise FairauditError(
                f"{ctm_name}, line {words[0].line}: {stm_name} has no segment of recording "
                f"'{track[0]}', channel '{track[1]}'. Check that the files belong together and "
                "name recordings and channels alike."
            )


def _in_order(segments: list[_Segment]) -> list[_Segment]:
    return sorted(segments, key=attrgetter("begin"))


def _sorted(words: list[_Unit], tally: Counter[str]) -> list[_Unit]:
    """Words by their begin, as the format wants them."""
    early = sum(b.begin < a.begin for a, b in pairwise(words))
    tally["unsorted"] += early
    return sorted(words, key=attrgetter("begin")) if early else words


def _assign(
    segments: Sequence[_Segment], words: Sequence[_Unit], heard: dict[int, list[str]]
) -> Counter[str]:
    """Put the words of a channel into its segments (by line number), both in order of time.

    Returns counts of what is worth a note.
    """
    tally: Counter[str] = Counter()
    # Where segments overlap, an earlier one that lasts longer has the word.
    ends = list(accumulate((segment.end for segment in segments), max))
    tally["overlapping"] = sum(b.begin < end for b, end in zip(segments[1:], ends, strict=False))
    place = 0
    for word in words:
        place = max(place, min(bisect_right(ends, word.middle), len(segments) - 1))
        segment = segments[place]
        heard.setdefault(segment.line, []).append(word.text)
        if segment.ignored:
            tally["ignored"] += 1
        elif not segment.begin <= word.middle < segment.end:
            tally["outside"] += 1
    return tally


def _ctm_notes(tally: Counter[str], stm_name: str, ctm_name: str) -> list[str]:
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


def _ctm_units(path: Path, name: str) -> dict[tuple[str, str], list[_Unit]]:
    """Words of a ctm file by recording and channel, in the order of the file."""
    units: dict[tuple[str, str], list[_Unit]] = {}
    pending: list[_CtmLine] = []
    for number, text in _lines(path, name):
        if text.startswith(";"):
            continue
        line = _ctm_line(text, number, f"{name}, line {number}")
        _check_alternation(pending, line, f"{name}, line {number}")
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


class _CtmLine(NamedTuple):
    """A line of a ctm file: a word, or a mark of an alternation."""

    number: int
    track: tuple[str, str]
    begin: float
    duration: float
    word: str
    mark: str

    def unit(self) -> _Unit:
        return _Unit(self.number, self.begin, self.begin + self.duration / 2, self.word)


def _ctm_line(text: str, number: int, where: str) -> _CtmLine:
    fields = text.split()
    if len(fields) < 5:
        raise FairauditError(
            f"{where}: expected FILE CHANNEL BEGIN DURATION WORD; found: {_excerpt(text)}"
        )
    recording, channel, begin, duration, word = fields[:5]
    track = (recording.casefold(), channel.casefold())
    if (mark := word.upper()) in ("<ALT_BEGIN>", "<ALT>", "<ALT_END>"):
        return _CtmLine(number, track, 0.0, 0.0, "", mark)
    if set(word) & set("{}"):
        raise FairauditError(
            f"{where}: the word '{word}' holds a brace. In a ctm file alternatives stand between "
            "<ALT_BEGIN>, <ALT> and <ALT_END>."
        )
    times = _seconds(begin, where, "begin"), _seconds(duration, where, "duration")
    return _CtmLine(number, track, *times, _word(word), "")


def _check_alternation(pending: Sequence[_CtmLine], line: _CtmLine, where: str) -> None:
    """Refuse a line that cannot stand where it does within or without an alternation."""
    if not pending and line.mark in ("<ALT>", "<ALT_END>"):
        raise FairauditError(f"{where}: {line.mark} without <ALT_BEGIN>.")
    if pending and line.mark == "<ALT_BEGIN>":
        raise FairauditError(f"{where}: <ALT_BEGIN> within that of line {pending[0].number}.")
    if pending and line.track != pending[0].track:
        raise FairauditError(
            f"{where}: another recording or channel within the alternation that begins in line "
            f"{pending[0].number}."
        )
    if pending and "/" in line.word:
        raise FairauditError(
            f"{where}: '{line.word}' holds a slash, which separates alternatives. Write it apart."
        )


def _alternation(lines: Sequence[_CtmLine], before: float) -> _Unit:
    """The lines of an alternation as one unit; `before` is where the last one began."""
    words = [line.unit() for line in lines if not line.mark]
    # Without a word of its own it stays with the one ahead.
    begin = words[0].begin if words else before
    middle = max((word.middle for word in words), default=before)
    marks = {"<ALT_BEGIN>": "{", "<ALT>": "/", "<ALT_END>": "}"}
    tokens = ["{"]
    for line in lines[1:]:
        if line.mark and tokens[-1] in ("{", "/"):
            tokens.append("@")
        tokens.append(marks[line.mark] if line.mark else line.word)
    return _Unit(lines[0].number, begin, middle, " ".join(filter(None, tokens)))


def _kaldi(path: Path, name: str) -> Rows:
    kind = _MAP.fullmatch(Path(name).name.removesuffix(".gz"))
    if kind is None:
        return Rows(["id", "text"], _kaldi_text(path, name))
    if kind[0] == "spk2utt":
        raise FairauditError(f"{name}: lists utterances by speaker. Give utt2spk instead.")
    key = _KALDI_NAMES[kind[1]]
    value = _KALDI_NAMES.get(kind[2], kind[2])
    return Rows([key, value], _kaldi_map(path, name, exact=kind[0] == "utt2spk"))


def _kaldi_text(path: Path, name: str) -> Iterator[Row]:
    seen: dict[str, int] = {}
    for number, line in _lines(path, name):
        id, *text = line.split(None, 1)
        _unique(seen, id, number, name)
        yield id, text[0].rstrip() if text else ""


def _kaldi_map(path: Path, name: str, exact: bool) -> Iterator[Row]:
    """Lines of an id and a value, which may hold spaces unless `exact`."""
    seen: dict[str, int] = {}
    for number, line in _lines(path, name):
        fields = line.split() if exact else line.strip().split(None, 1)
        if len(fields) != 2:
            raise FairauditError(
                f"{name}, line {number}: expected an id and a value; "
                f"found {len(fields)} field{'s' * (len(fields) > 1)}: {_excerpt(line)}"
            )
        _unique(seen, fields[0], number, name)
        yield fields[0], fields[1]


def _seglst(path: Path, name: str) -> Rows:
    entries = _load(path, name)
    source = next((key for key in _SEGLST_IDS if any(key in each for each in entries)), None)
    if any("text" in entry for entry in entries):
        raise FairauditError(f"{name}: objects have 'words' and 'text'. Rename 'text'.")
    keys = dict.fromkeys(key for entry in entries for key in entry if key != source)
    columns = ["id", *("text" if key == "words" else key for key in keys)]

    def cells() -> Iterator[Row]:
        seen: dict[str, int] = {}
        for number, entry in enumerate(entries, start=1):
            where = f"{name}, entry {number}"
            id = _seglst_id(entry, source, where)
            _unique(seen, id, number, name, "entry")
            yield id, *(_cell(entry.get(key), f"{where}: {key}") for key in keys)

    return Rows(columns, cells())


def _load(path: Path, name: str) -> list[dict[str, Any]]:
    """The objects of a SegLST file, numbers as they are written."""
    text = "\n".join(line for _, line in _all_lines(path, name))
    try:
        entries = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise FairauditError(f"{name}: broken JSON: {error}.") from None
    if not isinstance(entries, list):
        raise FairauditError(f"{name}: expected one JSON array of objects.")
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict) or "words" not in entry:
            raise FairauditError(f"{name}, entry {number}: expected an object with 'words'.")
        if not isinstance(entry["words"], str | None):
            raise FairauditError(f"{name}, entry {number}: 'words' is no text.")
    return entries


def _seglst_id(entry: dict[str, Any], source: str | None, where: str) -> str:
    keys = _SEGLST_KEYS if source is None else (source,)
    parts = [_cell(entry.get(key), f"{where}: {key}") for key in keys]
    if None in parts:
        raise FairauditError(
            f"{where}: no '{keys[parts.index(None)]}'. Utterances are told apart by an id of "
            f"their own ({', '.join(_SEGLST_IDS)}), or else by {', '.join(_SEGLST_KEYS)}."
        )
    return "-".join(filter(None, parts))


def _cell(value: Any, where: str) -> str | None:
    """A JSON value as text."""
    if value is None or isinstance(value, str):
        if value and "\0" in value:
            raise FairauditError(f"{where} holds a NUL byte.")
        return value
    return json.dumps(value, ensure_ascii=False)
