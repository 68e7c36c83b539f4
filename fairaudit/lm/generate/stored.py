"""Files of generated texts: how they were generated, then a record a line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from fairaudit.audit import write_whole
from fairaudit.exceptions import FairauditError
from fairaudit.formats.rows import filled_lines
from fairaudit.lm.generate.prompts import paths_of
from fairaudit.table import Table, Workspace

#: What the first line says that the file is, under this name.
_FORM, _NAME = "fairaudit/generations/1", "schema"
#: Columns that are not the prompts' own.
OWN = ("prompt", "text", "sample", "seed")


def save(path: Path, settings: Mapping[str, Any], columns: Mapping[str, Sequence[Any]]) -> None:
    """Write generated texts as JSON lines, whole or not at all.

    Parameters
    ----------
    path : Path
    settings : mapping
        How they were generated: the first line.
    columns : mapping of str to sequence
        What is known of each text, and the text.

    Raises
    ------
    FairauditError
        If the file cannot be written.
    """
    rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    head = {_NAME: _FORM, **settings}
    write_whole(path, "".join(json.dumps(row) + "\n" for row in chain([head], rows)))


def own_file(source: Any) -> Path | None:
    """The file, where it is one that `save` wrote; a pattern may name it.

    Raises
    ------
    FairauditError
        If it is one of several, or there is none.
    """
    several = [source] if isinstance(source, str | Path) else source
    if not isinstance(several, Sequence):
        return None
    paths = [path for pattern in several for path in paths_of(str(pattern))]
    own = [path for path in paths if _is_own(path)]
    if own and max(len(several), len(paths)) > 1:
        raise FairauditError(
            f"{own[0]}: holds generated texts and how they were generated; such a file is scored "
            "alone."
        )
    return own[0] if own else None


def _is_own(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return _FORM.encode() in file.read(4096).partition(b"\n")[0]


def load(workspace: Workspace, path: Path) -> tuple[Table, dict[str, Any]]:
    """Open a file that `save` wrote: its records, and how they were generated.

    Raises
    ------
    FairauditError
        If it is broken.
    """
    try:
        head, *rows = (json.loads(line) for _, line in filled_lines(path, str(path)))
    except ValueError as error:
        raise FairauditError(f"{path}: not a whole file of generated texts: {error}.") from None
    if not rows or any(not isinstance(row, dict) or row.keys() != rows[0].keys() for row in rows):
        raise FairauditError(
            f"{path}: not a whole file of generated texts: no records, or not all with the same "
            "columns. Generate them again."
        )
    if not isinstance(head, dict) or not {"prompt", "text"} <= set(rows[0]):
        raise FairauditError(f"{path}: not a whole file of generated texts: no prompt, no text.")
    columns = {
        name: ["" if row[name] is None else str(row[name]) for row in rows] for name in rows[0]
    }
    return workspace.open_rows(columns, [path]), {k: v for k, v in head.items() if k != _NAME}
