"""Joining tables on their ids: references with hypotheses, records with their speakers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from fairaudit.exceptions import FairauditError
from fairaudit.sources import Column, identifier
from fairaudit.table import Table, column_name

#: What becomes of an id that stands in one table only.
Missing = Literal["error", "delete", "skip"]
#: Whether ids match as they are, or as file names without folder and suffix.
Match = Literal["exact", "stem"]
#: No column of the user's is called so.
_KEY = '"fairaudit:key"'


def join(
    left: Table,
    right: Table,
    on: tuple[str, str],
    kept: str,
    missing: Missing,
    match: Match,
) -> tuple[Table, str]:
    """Join two tables of one workspace on their record ids.

    Parameters
    ----------
    left, right : Table
        References and hypotheses. Where both have a column, the left one's stands.
    on : (str, str)
        The columns of the ids.
    kept : str
        A column of `right` that is wanted even where `left` has one of its name.
    missing : {"error", "delete", "skip"}
        What becomes of an id in one table and not in the other: an error; or a missing
        right side is kept as missing, or skipped, and a missing left side is dropped.
    match : {"exact", "stem"}
        Whether ids must be equal, or only their file names without folder and suffix.

    Returns
    -------
    Table, str
        The joined table, and what `kept` is called in it.

    Raises
    ------
    FairauditError
        If ids stand twice in a table, or do not match under ``missing="error"``.
    """
    keys = [_key(table.column(name), match) for table, name in zip((left, right), on, strict=True)]
    for table, name, key in zip((left, right), on, keys, strict=True):
        _refuse_duplicates(table, name, key)
    dropped = _unmatched(left, right, on, keys, missing)
    extra = _new_columns(left, right, on[1], kept)
    kind = "LEFT" if missing == "delete" else "INNER"
    select = _joined(left, keys[0], right, keys[1], extra, kind)
    joined = replace(
        left,
        select=select,
        columns=(*left.columns, *(new for _, new in extra)),
        files=left.files + right.files,
        name=f"{left.name} with {right.name}",
        dropped=Counter(left.dropped) + Counter(dropped),
    )
    return joined, next(new.name for column, new in extra if column.name == kept)


def _new_columns(
    left: Table, right: Table, key: str, kept: str | None
) -> list[tuple[Column, Column]]:
    """Columns of `right` that `left` has not, and `kept`; as they were and as they become."""
    own = {column.alias.lower() for column in left.columns}
    columns = []
    for column in right.columns:
        new = replace(column, delimited=False)
        if column.name == kept and column.alias.lower() in own:
            new = replace(new, name=f"{kept} of {right.name}", alias=f"{kept} of {right.name}")
        if column.name == kept or (column.alias.lower() not in own and column.name != key):
            columns.append((column, new))
    return columns


def _joined_cell(column: Column, alias: str) -> str:
    """SQL for a cell of the right side; what was blank text stays text where rows matched."""
    name, new = column_name(column), identifier(alias)
    if column.type == "JSON":
        kinds = [identifier(f"{each}:type") for each in (column.alias, alias)]
        return f"r.{name} AS {new}, r.{kinds[0]} AS {kinds[1]}"
    if column.delimited:
        return f"CASE WHEN r.{_KEY} IS NOT NULL THEN coalesce(r.{name}, '') END AS {new}"
    return f"r.{name} AS {new}"


def _key(column: Column, match: Match) -> str:
    """SQL for the key that ids are matched on."""
    text = f"{column_name(column)}::VARCHAR"
    if match == "exact":
        return text
    return f"regexp_replace({text}, '^.*[/\\\\]|\\.[A-Za-z0-9]+$', '', 'g')"


def _refuse_duplicates(table: Table, name: str, key: str) -> None:
    """Require that ids stand once and are not empty."""
    rows = table.rows(
        f"SELECT {key}, count(*) FROM records GROUP BY 1 "
        f"HAVING count(*) > 1 OR {key} IS NULL OR {key} = '' ORDER BY 1 LIMIT 1"
    )
    if rows:
        found, times = rows[0]
        what = f"'{found}' stands {times} times" if found else f"{times} are empty"
        raise FairauditError(f"{table.name}: ids in column '{name}' must be unique; {what}.")


def _unmatched(
    left: Table, right: Table, on: tuple[str, str], keys: Sequence[str], missing: Missing
) -> dict[str, int]:
    """Count the ids that stand in one table only; an error where that is not allowed."""
    no_right, example = _only_in(left, keys[0], right, keys[1])
    no_left, other = _only_in(right, keys[1], left, keys[0])
    if missing == "error" and (no_right or no_left):
        table, found, first = (left, no_right, example) if no_right else (right, no_left, other)
        raise FairauditError(
            f"{table.name}: {found} ids of column '{on[0] if no_right else on[1]}' are not in "
            f"{(right if no_right else left).name}, '{first}' the first. Use --missing delete to "
            "count them as deleted (or, without a reference, to drop them), --missing skip to "
            "drop them."
        )
    dropped = {"no hypothesis": no_right if missing == "skip" else 0, "no reference": no_left}
    return {reason: count for reason, count in dropped.items() if count}


def _only_in(table: Table, key: str, other: Table, other_key: str) -> tuple[int, str]:
    """How many keys stand in `table` and not in `other`, and the first of them."""
    count, example = table.rows(
        f"SELECT count(*), min({_KEY}) FROM (SELECT {key} AS {_KEY} FROM records "
        f"EXCEPT SELECT {other_key} FROM ({other.select})) WHERE {_KEY} <> ''"
    )[0]
    return count, str(example)


def add_attributes(table: Table, side: Table, on: tuple[str, str], missing: Missing) -> Table:
    """Add the columns of a side table, one row per speaker or record, to a table of records.

    Parameters
    ----------
    table, side : Table
        Records, and what is known about their speakers.
    on : (str, str)
        The columns of the ids.
    missing : {"error", "delete", "skip"}
        An id that is not in `side` is an error, or has no attributes.

    Raises
    ------
    FairauditError
        If an id stands twice in `side`, or is missing there under ``missing="error"``.
    """
    left, right = (_key(t.column(name), "exact") for t, name in zip((table, side), on, strict=True))
    _refuse_duplicates(side, on[1], right)
    count, example = _only_in(table, left, side, right)
    if count and missing == "error":
        raise FairauditError(
            f"{side.name}: {count} ids of column '{on[0]}' of {table.name} are not in column "
            f"'{on[1]}', '{example}' the first. Use --missing delete to leave their attributes "
            "missing."
        )
    extra = _new_columns(table, side, on[1], None)
    select = _joined(table, left, side, right, extra, "LEFT")
    columns = (*table.columns, *(new for _, new in extra))
    return replace(table, select=select, columns=columns, files=table.files + side.files)


def _joined(
    left: Table,
    key: str,
    right: Table,
    other: str,
    extra: Sequence[tuple[Column, Column]],
    kind: str,
) -> str:
    """SQL for all of `left` and the `extra` columns of `right` where keys are equal."""
    cells = "".join(f", {_joined_cell(column, new.alias)}" for column, new in extra)
    return (
        f"SELECT l.* EXCLUDE ({_KEY}){cells} FROM (SELECT *, {key} AS {_KEY} FROM ({left.select})) "
        f"AS l {kind} JOIN (SELECT *, {other} AS {_KEY} FROM ({right.select})) AS r USING ({_KEY})"
    )
