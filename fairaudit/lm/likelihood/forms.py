"""Which probe a file is for: found by its content."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fairaudit import sources
from fairaudit.exceptions import FairauditError
from fairaudit.lm.likelihood import winogender
from fairaudit.lm.likelihood.pairs import CrowsPairs
from fairaudit.lm.likelihood.probes import Probe
from fairaudit.lm.likelihood.pronouns import Pronouns
from fairaudit.lm.likelihood.roles import Roles
from fairaudit.lm.likelihood.stereoset import StereoSet
from fairaudit.lm.likelihood.winobias import LINE, WinoBias
from fairaudit.lm.likelihood.winogender import Winogender
from fairaudit.table import Workspace

PROBES: dict[str, type[Probe]] = {
    each.name: each for each in (CrowsPairs, StereoSet, WinoBias, Winogender, Roles, Pronouns)
}
#: Columns that give a table's form away; a form that is named must have all of them.
_TABLES: dict[str, Sequence[str]] = {
    CrowsPairs.name: ("sent_more", "sent_less"),
    StereoSet.name: ("stereotype", "anti-stereotype", "unrelated"),
}
_WINOGENDER = (winogender.SENTENCES, winogender.TEMPLATES, winogender.STATISTICS)
#: StereoSet as its authors give it: what is read in such a file, and what it begins with.
_NESTED = "stereoset, nested"
_NESTED_START = re.compile(r'\s*\{.*?"data"\s*:\s*\{\s*"(intra|inter)sentence"', re.DOTALL)
#: Endings of tables' names, and those that say that a file is packed.
_TABULAR = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".pq")
_PACKED = (".gz", ".zst")
#: Characters that are read to tell a form.
_START = 1 << 16


def probe_for(
    data: Any,
    probe: str | None,
    text: str | None = None,
    swap_list: str | Path | None = None,
) -> Probe:
    """The probe that some data are for.

    Parameters
    ----------
    data : path, pattern, sequence of paths, data frame or None
        None is for the probe of neutral professions, whose data are shipped.
    probe : str, optional
        Its name, where it is known.
    text : str, optional
        Column of texts, for the probe of role reversal.
    swap_list : str or Path, optional
        Word list for role reversal.

    Raises
    ------
    FairauditError
        If the data have no form that is known, or not the one that was named.
    """
    _check_options(data, probe, text, swap_list)
    if text is not None:
        return Roles(data, text, swap_list)
    if data is None or (isinstance(data, list | tuple) and not data):
        return Pronouns()
    if not isinstance(data, str | Path | list | tuple):
        return _of_table(data, probe, [str(name) for name in data.columns], "the data frame")
    paths = _paths(data)
    if probe == Roles.name:
        _refuse_tables(paths)
        return Roles(paths, None, swap_list)
    return _of_files(paths, probe)


def _check_options(
    data: Any, probe: str | None, text: str | None, swap_list: str | Path | None
) -> None:
    if probe is not None and probe not in PROBES:
        raise FairauditError(f"--probe {probe}: expected {', '.join(PROBES)}.")
    if text is not None and probe not in (None, Roles.name):
        raise FairauditError(f"--text is for --probe {Roles.name}; leave it out.")
    if swap_list is not None and text is None and probe != Roles.name:
        raise FairauditError(f"--swap-list is for --probe {Roles.name}; leave it out.")
    nothing = data is None or (isinstance(data, list | tuple) and not data)
    if nothing and probe != Pronouns.name:
        raise FairauditError(
            f"no data. Name a file: {_forms()}. Without one: --probe {Pronouns.name}, with the "
            "professions that are shipped."
        )


def _forms() -> str:
    """The forms that are known, for messages."""
    return (
        "CrowS-Pairs (columns sent_more, sent_less), StereoSet (dev.json, or columns stereotype, "
        "anti-stereotype, unrelated), WinoBias (pro_... and anti_... files), Winogender "
        "(all_sentences.tsv, templates.tsv), or TOML with templates and professions"
    )


def _paths(data: Any) -> list[Path]:
    """Files that paths and patterns name."""
    patterns = [data] if isinstance(data, str | Path) else data
    if "-" in map(str, patterns):
        raise FairauditError("-: the form of a file is found by its content; name a file.")
    return list(dict.fromkeys(path for each in patterns for path in sources.find(str(each))))


def _refuse_tables(paths: Sequence[Path]) -> None:
    """Of a table each line would be scored as it stands, the header too."""
    for path in paths:
        plain = path.with_suffix("") if path.suffix.lower() in _PACKED else path
        if plain.suffix.lower() in _TABULAR:
            raise FairauditError(
                f"{path}: a table, not a text in each line. Name the column: --text COLUMN."
            )


def _of_files(paths: Sequence[Path], probe: str | None) -> Probe:
    found: dict[Any, list[Path]] = defaultdict(list)
    for path in paths:
        found[_form(path, probe)].append(path)
    if set(found) <= set(_WINOGENDER):
        return Winogender(found)
    if len(found) > 1:
        (one, first), (other, second), *_ = found.items()
        raise FairauditError(
            f"{second[0]}: is for {_called(other)}, {first[0]} for {_called(one)}; audit one form "
            "at a time."
        )
    return _made(next(iter(found)), paths)


def _made(form: Any, paths: Sequence[Path]) -> Probe:
    if form == WinoBias.name:
        return WinoBias(paths)
    if form == Pronouns.name:
        return Pronouns(paths)
    if form == _NESTED:
        return StereoSet(None, paths)
    return CrowsPairs(paths) if form == CrowsPairs.name else StereoSet(paths)


def _called(form: Any) -> str:
    return Winogender.name if form in _WINOGENDER else str(form).split(",")[0]


def _form(path: Path, probe: str | None) -> Any:
    """What a file is for: a name, or the columns of one of Winogender's files."""
    form = _own_form(path) or _table_form(_columns(path), probe)
    if form is None or (probe is not None and _called(form) != probe):
        expected = _forms() if probe is None else PROBES[probe].form
        hint = f" For other texts: --text COLUMN, or --probe {Roles.name}."
        raise FairauditError(
            f"{path}: not in a form that is known. Expected {expected}."
            f"{hint if probe is None else ''}"
        )
    return form


def _own_form(path: Path) -> str | None:
    """The form of a file that is no table."""
    if path.suffix.lower() == ".toml":
        return Pronouns.name
    start = _start(path)
    if _NESTED_START.match(start):
        return _NESTED
    lines = [line for line in start.split("\n")[:50] if line.strip()]
    return WinoBias.name if lines and LINE.fullmatch(lines[0]) else None


def _start(path: Path) -> str:
    try:
        with path.open("rb") as file:
            start = file.read(_START)
    except OSError as error:
        raise FairauditError(f"{path}: cannot be read: {error.strerror}.") from None
    if not start.strip():
        raise FairauditError(f"{path}: is empty.")
    return start.decode("utf-8-sig", errors="replace")


def _columns(path: Path) -> list[str]:
    """Columns of a table; none where the file is no table."""
    with Workspace() as workspace:
        try:
            return workspace.open(str(path)).names
        except FairauditError:
            return []


def _of_table(data: Any, probe: str | None, names: Sequence[str], called: str) -> Probe:
    form = _table_form(names, probe)
    if form == CrowsPairs.name:
        return CrowsPairs(data)
    if form == StereoSet.name:
        return StereoSet(data)
    known = " or ".join(", ".join(each) for each in _TABLES.values())
    raise FairauditError(
        f"{called}: expected the columns {known}, or --text COLUMN. Columns: {', '.join(names)}."
    )


def _table_form(names: Sequence[str], probe: str | None) -> Any:
    """The form of a table with these columns; a column that is missing is named later on."""
    if probe in _TABLES:
        return probe
    for form, columns in _TABLES.items():
        if set(columns) & set(names):
            return form
    return next((each for each in _WINOGENDER if set(each) <= set(names)), None)
