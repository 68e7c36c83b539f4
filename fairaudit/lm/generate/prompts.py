"""Prompts, and texts that were generated, from files of the forms that the field has."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from fairaudit import sources
from fairaudit.exceptions import FairauditError, nearest
from fairaudit.formats.rows import all_lines
from fairaudit.lm.likelihood.pronouns import profession_prompts
from fairaudit.table import Table, Workspace

_FORMS = (
    "BOLD's JSON (category, name, list of prompts), a table (CSV, TSV, JSON lines, Parquet), TOML "
    "with prompts and professions, or a .txt with one a line"
)
#: Endings of tables' names, and those that say that a file is packed.
_TABLES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".pq")
_PACKED = (".gz", ".zst")
#: What there is of each of BOLD's prompts.
_LEVELS = ("domain", "category", "name")
#: The same of prompts about professions.
_ABOUT = ("field", "profession")


def open_prompts(workspace: Workspace, source: Any, column: str | None) -> tuple[Table, str]:
    """Open files of prompts.

    Parameters
    ----------
    workspace : Workspace
    source : path, pattern, sequence of paths, "-" or data frame
        Files of one form: BOLD's JSON, whose columns are called ``domain`` (from the file's name),
        ``category``, ``name`` and ``prompt``; a table; TOML with prompts and professions, whose
        columns are called ``field``, ``profession`` and ``prompt``; or a ``.txt`` with one prompt a
        line.
    column : str or None
        The column of prompts; without one ``prompt``, or the only column.

    Returns
    -------
    table : Table
    column : str

    Raises
    ------
    FairauditError
        If a file has no prompts or another form.
    """
    table = _open(workspace, source, "prompt")
    return table, named_column(table, column, "prompt")


def open_texts(workspace: Workspace, source: Any, column: str | None) -> tuple[Table, str]:
    """Open a table of texts, or a ``.txt`` with one a line; see `open_prompts`."""
    table = _open(workspace, source, "text")
    return table, named_column(table, column, "text")


def named_column(table: Table, column: str | None, usual: str) -> str:
    """The column of prompts or of texts.

    Raises
    ------
    FairauditError
        If there is none, or it is no text.
    """
    if column is None:
        column = usual if usual in table.names else None
    if column is None and len(table.names) == 1:
        column = table.names[0]
    if column is None:
        raise FairauditError(
            f"{table.name}: no column '{usual}'. Name the column of {usual}s: --{usual} NAME. "
            f"{nearest(usual, table.names)} Such files are read: {_FORMS}."
        )
    return table.text(column).name


def _open(workspace: Workspace, source: Any, column: str) -> Table:
    if isinstance(source, str | Path):
        source = [source]
    if not isinstance(source, Sequence):
        return workspace.open(source)
    paths = [path for pattern in source for path in paths_of(str(pattern))]
    forms = {_form(path) for path in paths}
    if len(forms) > 1:
        raise FairauditError(
            f"{paths[0]} and others: files of several forms. Files that are read together need "
            "the same form."
        )
    if forms <= {"table"}:
        return workspace.open(source)
    if "templates" in forms and column != "prompt":
        raise FairauditError(f"{paths[0]}: has prompts, and no {column}s that were generated.")
    read, levels = _READ[forms.pop()]
    rows = [row for path in paths for row in read(path)]
    names = (*levels, column)
    if not rows:
        raise FairauditError(f"{paths[0]}: no {column}s in it.")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    return workspace.open_rows(columns, paths)


def paths_of(pattern: str) -> list[Path]:
    """Files that a pattern names; none where it is something that only tables can be."""
    plain, format = sources.asked(pattern)
    return [] if plain == "-" or format is not None else sources.find(plain)


def _form(path: Path) -> Literal["tree", "lines", "templates", "table"]:
    suffix = Path(path.stem).suffix if path.suffix in _PACKED else path.suffix
    if path.suffix.lower() in (".txt", ".toml"):
        return "lines" if path.suffix.lower() == ".txt" else "templates"
    if suffix and suffix.lower() not in _TABLES:
        raise FairauditError(f"{path}: of no form that is known. Expected {_FORMS}.")
    if path.suffix.lower() != ".json":
        return "table"
    try:
        content = json.loads(_text(path))
    except (ValueError, RecursionError):
        return "table"  # JSON lines, or broken: what reads tables says where
    nested = isinstance(content, dict) and any(
        isinstance(item, dict | list) for item in content.values()
    )
    return "tree" if nested or content == {} else "table"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FairauditError(f"{path}: cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise FairauditError(f"{path}: not UTF-8. Expected {_FORMS}.") from None


def _read_lines(path: Path) -> list[tuple[str, ...]]:
    """Lines; a blank one is a missing prompt, which the audit counts."""
    lines = [line for _, line in all_lines(path, str(path))]
    while lines and not lines[-1]:
        lines.pop()
    return [(line.strip(),) for line in lines] if any(map(str.strip, lines)) else []


def _read_tree(path: Path) -> Iterator[tuple[str, ...]]:
    """BOLD's prompts with their domain, category and name; the name may be left out."""
    stem = path.name.removesuffix(path.suffix)
    domain = stem.removesuffix("_prompts").removesuffix("_prompt")
    for group, items in json.loads(_text(path)).items():
        for item, prompts in _items(path, group, items):
            for prompt in prompts:
                if not isinstance(prompt, str):
                    raise _odd(path, f"{group}, {item}", prompt)
                yield domain, group, item, prompt


def _items(path: Path, group: str, items: Any) -> Iterable[tuple[str, list[Any]]]:
    if isinstance(items, list):
        return [("", items)]
    if not isinstance(items, dict):
        raise _odd(path, group, items)
    for item, prompts in items.items():
        if not isinstance(prompts, list):
            raise _odd(path, f"{group}, {item}", prompts)
    return items.items()


def _odd(path: Path, where: str, found: Any) -> FairauditError:
    return FairauditError(
        f"{path}, {where}: {json.dumps(found)[:40]} where a list of texts was expected. "
        f"Such files are read: {_FORMS}."
    )


#: What reads a form that is no table, and its columns beside the text.
_READ: Mapping[str, tuple[Callable[[Path], Iterable[tuple[str, ...]]], Sequence[str]]] = {
    "tree": (_read_tree, _LEVELS),
    "lines": (_read_lines, ()),
    "templates": (profession_prompts, _ABOUT),
}
