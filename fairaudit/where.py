"""The filter language of ``--where``: SQL expressions over the columns, and nothing else.

The expression is parsed by DuckDB and its syntax tree is checked node by node against lists of
what is allowed, so it can neither read a file nor call anything but plain functions of values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import duckdb

from fairaudit.exceptions import FairauditError, nearest

_CLASSES = {
    "BETWEEN", "CASE", "CAST", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION",
    "OPERATOR",
}  # fmt: skip
_FUNCTIONS = {
    "+", "-", "*", "/", "//", "%", "||", "~~", "!~~", "~~*", "!~~*", "abs", "ceil", "concat",
    "contains", "ends_with", "floor", "left", "length", "lower", "prefix", "regexp_full_match",
    "regexp_matches", "replace", "right", "round", "starts_with", "strip_accents", "substr",
    "substring", "suffix", "trim", "upper", "year",
}  # fmt: skip


def check(connection: duckdb.DuckDBPyConnection, expression: str, names: Iterable[str]) -> set[str]:
    """Check a filter expression.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Parses.
    expression : str
        For instance ``age >= 18 and accent in ('us', 'uk')``.
    names : iterable of str
        The columns there are.

    Returns
    -------
    set of str
        The columns that the expression uses, as `names` spells them.

    Raises
    ------
    FairauditError
        If it is no expression, uses an unknown column, or anything that is not allowed.
    """
    known = {name.lower(): name for name in names}
    used = set()
    for node in _nodes(_parse(connection, expression)):
        kind = node.get("class")
        if kind is not None and kind not in _CLASSES:
            _refuse(expression, f"{kind.lower()} expressions are not allowed")
        if kind == "FUNCTION" and node["function_name"].lower() not in _FUNCTIONS:
            _refuse(expression, f"the function {node['function_name']} is not allowed")
        if kind == "COLUMN_REF":
            name = ".".join(node["column_names"])
            if name.lower() not in known:
                _refuse(expression, f"no column '{name}'. {nearest(name, known.values())}")
            used.add(known[name.lower()])
    return used


def _parse(connection: duckdb.DuckDBPyConnection, expression: str) -> Any:
    """Syntax tree of an expression, and of nothing beside it."""
    tree, frame = (_tree(connection, text) for text in (expression, "TRUE"))
    if tree.get("error"):
        _refuse(expression, tree["error_message"])
    where = _cut(tree)
    _cut(frame)
    # A text like "TRUE) ORDER BY (x" is an expression in brackets and more: not equal now.
    if json.dumps(tree) != json.dumps(frame):
        _refuse(expression, "it is more than an expression")
    return where


def _tree(connection: duckdb.DuckDBPyConnection, expression: str) -> Any:
    query = f"SELECT 1 FROM t WHERE (\n{expression}\n)"
    row = connection.execute("SELECT json_serialize_sql(?)", [query]).fetchone()
    return json.loads(row[0]) if row else {}


def _cut(tree: Any) -> Any:
    """Take the condition out of the tree of a whole query."""
    node = tree["statements"][0]["node"]
    return node.pop("where_clause", None)


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """All objects of a syntax tree."""
    if isinstance(tree, dict):
        yield tree
    children = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    for child in children:
        yield from _nodes(child)


def _refuse(expression: str, why: str) -> None:
    raise FairauditError(
        f"--where {expression}: {why}. Write a condition on columns, for instance: "
        "accent = 'us' and age >= 18"
    )
