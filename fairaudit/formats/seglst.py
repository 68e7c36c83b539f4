"""SegLST, the format of MeetEval: a JSON array of segments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fairaudit.exceptions import FairauditError
from fairaudit.formats.rows import Row, Rows, all_lines, check_unique

#: What an id is made of where there is none.
_PARTS = ("session_id", "speaker", "start_time", "end_time")
_IDS = ("id", "utterance_id", "segment_id")


def read_seglst(path: Path, name: str) -> Rows:
    """Read a SegLST file: a row for each object, a column for each key."""
    entries = _load(path, name)
    source = next((key for key in _IDS if any(key in entry for entry in entries)), None)
    keys = dict.fromkeys(key for entry in entries for key in entry if key != source)
    if "text" in keys:
        raise FairauditError(f"{name}: objects have 'words' and 'text'. Rename 'text'.")

    def cells() -> Iterator[Row]:
        seen: dict[str, int] = {}
        for number, entry in enumerate(entries, start=1):
            where = f"{name}, entry {number}"
            id = _id(entry, source, where)
            check_unique(seen, id, number, name, "entry")
            yield id, *(_cell(entry, key, where) for key in keys)

    return Rows(["id", *("text" if key == "words" else key for key in keys)], cells())


def _load(path: Path, name: str) -> list[dict[str, Any]]:
    """The objects of a SegLST file, numbers as they are written."""
    text = "\n".join(line for _, line in all_lines(path, name))
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


def _id(entry: dict[str, Any], source: str | None, where: str) -> str:
    keys = _PARTS if source is None else (source,)
    parts = [_cell(entry, key, where) for key in keys]
    if None in parts:
        raise FairauditError(
            f"{where}: no '{keys[parts.index(None)]}'. Utterances are told apart by an id of "
            f"their own ({', '.join(_IDS)}), or else by {', '.join(_PARTS)}."
        )
    return "-".join(filter(None, parts))


def _cell(entry: dict[str, Any], key: str, where: str) -> str | None:
    """A value as text; what is no text as JSON."""
    value = entry.get(key)
    if value is None or isinstance(value, str):
        if value and "\0" in value:
            raise FairauditError(f"{where}: {key} holds a NUL byte.")
        return value
    return json.dumps(value, ensure_ascii=False)
