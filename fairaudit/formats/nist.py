"""NIST's trn and stm, and the notation in which they and ctm write words."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from fairaudit.exceptions import FairauditError
from fairaudit.formats.rows import Row, Rows, check_unique, excerpt, filled_lines

#: A pattern of numbers without a sign, as times are.
NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"

_IS_NUMBER = re.compile(NUMBER)
#: Characters that make more of a text than its words.
_MARKS = re.compile(r"[{};\\]")
_ALTERNATION = re.compile(r"[/{}]|[^\s/{}]+")
_TAGS = re.compile(r"(?<!\\);.*", re.DOTALL)

_TRN = re.compile(r"(.*)\(([^()\s]+)\)\s*")
#: Wall Street Journal: speaker, kind of speech, session, utterance; as in 4t0c0201.
_WSJ = re.compile(r"(?=.{0,2}\d)([a-z0-9]{3})[a-z][a-z0-9]{4}")

_STM = re.compile(rf"\S+\s+\S+\s+\S+\s+{NUMBER}\s+{NUMBER}(?:\s.*)?")
_STM_COLUMNS = ["id", "recording", "channel", "speaker", "begin", "end", "duration"]
_LABEL = re.compile(r';;\s*(LABEL|CATEGORY)\s+"([^"]*)"\s+"([^"]*)"')
_IGNORED = re.compile("IGNORE_TIME_SEGMENT_IN_SCORING|IGNORETIMESEGMENTINSCORING", re.IGNORECASE)


# ---- the notation


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
    return FairauditError(f"{fault}: {excerpt(text)}")


def _untagged_text(text: str, where: str) -> str:
    """A text of trn or stm without the tags and escapes of its words."""
    if not _MARKS.search(text):
        return text.strip()
    try:
        return " ".join(_checked(filter(None, map(untagged_word, _tokens(text))), text))
    except FairauditError as error:
        raise FairauditError(f"{where}: {error}") from None


def untagged_word(word: str) -> str:
    r"""A word without its tags and escapes: of ``b\;b;tag`` it is ``b;b``."""
    return _TAGS.sub("", word).replace("\\", "")


# ---- what lines hold


def seconds(text: str, where: str, what: str) -> float:
    """A time; sclite would take what is no number for 0."""
    if not _IS_NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise FairauditError(f"{where}: {what} is '{text}'; expected seconds, 0 or more.")
    return float(text)


def has_words(lines: Sequence[str]) -> bool:
    """Whether lines of stm or ctm have more than columns of numbers after the times."""
    words = (word for line in lines for word in line.split()[4:])
    return any(not re.fullmatch(f"-?{NUMBER}", word) for word in words)


def _entries(path: Path, name: str) -> Iterator[tuple[int, str]]:
    """Lines that are no comments."""
    return ((n, line) for n, line in filled_lines(path, name) if not line.startswith(";;"))


# ---- trn


def like_trn(lines: Sequence[str]) -> bool:
    """Whether lines end in an id each, and do not all have the same number of delimiters."""
    parts = [found.groups() for found in map(_TRN.fullmatch, lines) if found]
    ids = {id for _, id in parts}
    if len(ids) < len(lines) or not all(text[-1:] in ("", " ", "\t") for text, _ in parts):
        return False
    counts = [{text.rstrip().count(delimiter) for text, _ in parts} for delimiter in ",\t;|"]
    return all(count == {0} or len(count) > 1 for count in counts)


def read_trn(path: Path, name: str) -> Rows:
    """Read a trn file: words, and an utterance id in parentheses."""
    return Rows(["id", "speaker", "text_trn"], _trn_rows(path, name))


def _trn_rows(path: Path, name: str) -> Iterator[Row]:
    seen: dict[str, int] = {}
    for number, line in _entries(path, name):
        where = f"{name}, line {number}"
        parts = _TRN.fullmatch(line)
        if parts is None:
            raise FairauditError(
                f"{where}: expected words and at the end the utterance id in parentheses, "
                f"without spaces; found: {excerpt(line)}"
            )
        id, speaker = _speaker(parts[2])
        check_unique(seen, id, number, name)
        yield id, speaker, _untagged_text(parts[1], where)


def _speaker(id: str) -> tuple[str, str | None]:
    """An utterance id as it is to be compared, and the speaker in it.

    sclite's `extract_speaker` (align.c): a hyphen counts before an underscore, wherever it is.
    """
    for mark in "-_":
        if mark in id:
            return id, id.partition(mark)[0] or None
    wsj = _WSJ.fullmatch(id.lower())
    return (wsj[0], wsj[1]) if wsj else (id, None)


# ---- stm


def like_stm(lines: Sequence[str]) -> bool:
    """Whether lines have times in their places, and words."""
    return all(map(_STM.fullmatch, lines)) and has_words(lines)


def read_stm(path: Path, name: str) -> Rows:
    """Read an stm file: segments of recordings, their labels, and what is said in them."""
    titles, headings = _legend(path, name)
    dropped = Counter[str]()

    def cells() -> Iterator[Row]:
        for segment in read_segments(path, name):
            if segment.ignored:
                dropped["ignored in the stm"] += 1
            else:
                yield _stm_row(segment, name, len(titles), headings)

    return Rows([*_STM_COLUMNS, *titles, "text_trn"], cells(), dropped)


class Segment(NamedTuple):
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


def read_segments(path: Path, name: str) -> Iterator[Segment]:
    """Segments of an stm file, those to be ignored among them."""
    seen: dict[str, int] = {}
    for number, line in _entries(path, name):
        segment = _segment(line, number, name)
        check_unique(seen, segment.id, number, name)
        yield segment


def _segment(line: str, number: int, name: str) -> Segment:
    where = f"{name}, line {number}"
    fields = line.split(None, 5)
    if len(fields) < 5:
        raise FairauditError(
            f"{where}: expected FILE CHANNEL SPEAKER BEGIN END [<LABELS>] TEXT; "
            f"found: {excerpt(line)}"
        )
    recording, channel, speaker, first, last = fields[:5]
    begin, end = seconds(first, where, "begin"), seconds(last, where, "end")
    if end < begin:
        raise FairauditError(f"{where}: the segment ends at {last}, before {first}.")
    labels, text = _labels(fields[5] if len(fields) > 5 else "", where)
    return Segment(
        line=number,
        id=f"{recording}-{channel}-{first}-{last}",
        recording=recording,
        channel=channel,
        speaker=speaker,
        times=(first, last),
        begin=begin,
        end=end,
        labels=labels,
        text=text,
        ignored=bool(_IGNORED.search(text)),
    )


def _labels(text: str, where: str) -> tuple[tuple[str, ...], str]:
    """Labels before the words of an stm line, and the words."""
    if not text.startswith("<"):
        return (), text
    label, *rest = text.split(None, 1)
    if not label.endswith(">"):
        raise FairauditError(
            f"{where}: labels begin with < and do not end with >; expected them without spaces, "
            f"as in <O,F>; found: {excerpt(text)}"
        )
    inner = label[1:-1]
    return tuple(inner.split(",")) if inner else (), rest[0] if rest else ""


def _stm_row(segment: Segment, name: str, places: int, headings: dict[str, str]) -> Row:
    begin, end = map(Decimal, segment.times)
    labels = (headings.get(label.casefold(), label) or None for label in segment.labels)
    return (
        segment.id,
        segment.recording,
        segment.channel,
        segment.speaker,
        *segment.times,
        f"{end - begin:f}",
        *labels,
        *[None] * (places - len(segment.labels)),
        _untagged_text(segment.text, f"{name}, line {segment.line}"),
    )


def _legend(path: Path, name: str) -> tuple[list[str], dict[str, str]]:
    """Columns for the labels of an stm file, and what each label means."""
    places = 0
    categories: dict[str, str] = {}
    headings: dict[str, str] = {}
    for number, line in filled_lines(path, name):
        if not line.startswith(";;"):
            places = max(places, len(_segment(line, number, name).labels))
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
