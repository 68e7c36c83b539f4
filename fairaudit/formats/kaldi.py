"""Files of Kaldi's data directories: ``text``, and maps from utterances or speakers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from fairaudit.exceptions import FairauditError
from fairaudit.formats.rows import Row, Rows, check_unique, excerpt, filled_lines

_MAP = re.compile(r"(utt|spk)2([A-Za-z0-9_]+)")
_NAMES = {"utt": "id", "spk": "speaker", "dur": "duration"}
#: What heads the first column of a table, and is no utterance id.
_HEADS = set(
    "id utt uttid utt_id utterance utterance_id segment_id audio_id audio_filepath path file "
    "speaker speaker_id spk spk_id client_id text sentence reference hypothesis".split()
)


def is_kaldi_name(base: str) -> bool:
    """Whether Kaldi calls a file so."""
    return base == "text" or _MAP.fullmatch(base) is not None


def like_kaldi(lines: Sequence[str]) -> bool:
    """Whether the first line starts with an id, and not with a table's header or JSON."""
    if not lines:
        return True
    first = lines[0].split()[0]
    header = first.lower() in _HEADS or lines[0].count("\t") > 1
    return not header and not re.search(r"^[\[{]|[,;|\"]", first)


def read_kaldi(path: Path, name: str) -> Rows:
    """Read a map, if the name is a map's, else texts."""
    kind = _MAP.fullmatch(Path(name).name.removesuffix(".gz"))
    if kind is None:
        return Rows(["id", "text"], _texts(path, name))
    if kind[0] == "spk2utt":
        raise FairauditError(f"{name}: lists utterances by speaker. Give utt2spk instead.")
    columns = [_NAMES[kind[1]], _NAMES.get(kind[2], kind[2])]
    return Rows(columns, _map(path, name, exact=kind[0] == "utt2spk"))


def _texts(path: Path, name: str) -> Iterator[Row]:
    seen: dict[str, int] = {}
    for number, line in filled_lines(path, name):
        id, *text = line.split(None, 1)
        check_unique(seen, id, number, name)
        yield id, text[0].rstrip() if text else ""


def _map(path: Path, name: str, exact: bool) -> Iterator[Row]:
    """Ids and values, which may hold spaces unless `exact`."""
    seen: dict[str, int] = {}
    for number, line in filled_lines(path, name):
        fields = line.split() if exact else line.strip().split(None, 1)
        if len(fields) != 2:
            raise FairauditError(
                f"{name}, line {number}: expected an id and a value; "
                f"found {len(fields)} field{'s' * (len(fields) > 1)}: {excerpt(line)}"
            )
        check_unique(seen, fields[0], number, name)
        yield fields[0], fields[1]
