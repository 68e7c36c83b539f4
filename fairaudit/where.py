"""The filter language of ``--where``: SQL expressions over the columns, and nothing else.

The expression is parsed by DuckDB and its syntax tree is checked node by node against lists of
what is allowed, so it can neither read a file nor call anything but plain functions of values.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import duckdb

from fairaudit.exceptions import FairauditError, nearest

_CLASSES = {
    "BETWEEN", "CASE", "CAST", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION",
    "OPERATOR", "TYPE",
}  # fmt: skip
#: Kinds of literals that make a comparison numeric.
_NUMBERS = ("INTEGER", "NUMERIC")
_FUNCTIONS = {
    "+", "-", "*", "/", "//", "%", "||", "~~", "!~~", "~~*", "!~~*", "abs", "ceil", "concat",
    "contains", "ends_with", "floor", "left", "length", "lower", "prefix", "regexp_full_match",
    "regexp_matches", "replace", "right", "round", "starts_with", "strip_accents", "substr",
    "substring", "suffix", "trim", "upper", "year",
}  # fmt: skip


def compile_condition(
    connection: duckdb.DuckDBPyConnection,
    expression: str,
    columns: Mapping[str, tuple[str, bool]],
) -> tuple[str, set[str]]:
    """Check a condition, and make its comparisons of text with numbers numeric.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Parses.
    expression : str
        For instance ``age >= 18 and accent in ('us', 'uk')``.
    columns : mapping of str to (str, bool)
        For each column its name in SQL, and whether it holds text.

    Returns
    -------
    str, set of str
        SQL for the condition, and the columns that it uses by their names in SQL.

    Raises
    ------
    FairauditError
        If it is no expression, uses an unknown column, or anything that is not allowed.
    """
    used = set()
    if not expression.strip():
        _refuse(expression, "it is empty")
    tree = _parse(connection, expression)
    for node in list(_nodes(tree)):
        kind = node.get("class")
        if kind is not None and kind not in _CLASSES:
            _refuse(expression, f"{kind.lower()} expressions are not allowed")
        if kind == "FUNCTION" and node["function_name"].lower() not in _FUNCTIONS:
            _refuse(expression, f"the function {node['function_name']} is not allowed")
        if kind == "COLUMN_REF":
            alias = columns[_column(expression, ".".join(node["column_names"]), columns)][0]
            node["column_names"] = [alias]
            used.add(alias)
    texts = {alias for alias, is_text in columns.values() if is_text}
    return _sql(connection, _numeric(connection, tree, texts)), used


def _column(expression: str, name: str, columns: Collection[str]) -> str:
    """Find a column by its exact name, or whatever its case if there is but one."""
    found = [name] if name in columns else [n for n in columns if n.lower() == name.lower()]
    if len(found) > 1:
        _refuse(expression, f"'{name}' may be any of {', '.join(found)}")
    if not found:
        _refuse(expression, f"no column '{name}'. {nearest(name, columns)}")
    return found[0]


def _numeric(connection: duckdb.DuckDBPyConnection, tree: Any, texts: set[str]) -> Any:
    """Cast columns of text to numbers where they are compared with numbers, as in a CSV file."""
    cast = _parse(connection, "CAST(x AS DOUBLE)")
    for node in list(_nodes(tree)):
        sides = _compared(node)
        if any(side.get("literal", {}).get("kind") in _NUMBERS for side in sides):
            for side in sides:
                name = ".".join(side.get("column_names", ()))
                if side.get("class") == "COLUMN_REF" and name in texts:
                    column = dict(side)
                    side.clear()
                    side.update({**copy.deepcopy(cast), "child": column})
    return tree


def _compared(node: dict[str, Any]) -> list[dict[str, Any]]:
    """What a node of a syntax tree compares with each other."""
    if node.get("class") in ("COMPARISON", "BETWEEN"):
        sides = [node.get(name) for name in ("left", "right", "input", "lower", "upper")]
        return [side for side in sides if side is not None]
    if node.get("type") in ("COMPARE_IN", "COMPARE_NOT_IN"):
        return list(node["children"])
    return []


def _sql(connection: duckdb.DuckDBPyConnection, tree: Any) -> str:
    """SQL of a syntax tree."""
    frame = _tree(connection, "TRUE")
    frame["statements"][0]["node"]["where_clause"] = tree
    rows = connection.execute("SELECT json_deserialize_sql(?)", [json.dumps(frame)]).fetchall()
    return str(rows[0][0]).split(" WHERE ", 1)[1]


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
    return json.loads(connection.execute("SELECT json_serialize_sql(?)", [query]).fetchall()[0][0])


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
    why = why.rstrip(".?") + "?" * why.endswith("?")
    raise FairauditError(
        f"--where {expression}: {why}. Write a condition on columns, for instance: "
        "accent = 'us' and age >= 18"
    )
