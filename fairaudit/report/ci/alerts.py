"""Findings as alerts of code hosts: SARIF, GitHub's annotations, GitLab's code quality."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from fairaudit.audit import Finding
from fairaudit.report.ci.wording import (
    LONGEST_SENTENCE,
    Context,
    Row,
    cut,
    fingerprint,
    label,
    message,
    rows,
    short,
    subject,
    worst_first,
)
from fairaudit.report.sheets import printable

_SARIF_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
#: GitHub shows ten annotations of a step and drops the others without a word.
MOST_ANNOTATIONS = 10
_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}
_SEVERITIES = {"error": "critical", "warning": "minor", "note": "info"}


def _alerts(findings: Sequence[Finding]) -> list[Row]:
    """All but what passed, worst first."""
    return [row for row in worst_first(rows(findings)) if row.level != "none"]


# --- SARIF --------------------------------------------------------------------------------


def sarif(findings: Sequence[Finding], context: Context) -> str:
    """Write a log with a rule per criterion and a result per finding that did not pass.

    Parameters
    ----------
    findings : sequence of Finding
    context : Context

    Returns
    -------
    str
        JSON that is valid by the schema of SARIF 2.1.0.

    Notes
    -----
    A waived failure is a note with an accepted suppression. Source: OASIS, "Static Analysis
    Results Interchange Format (SARIF) Version 2.1.0", errata 01, 2023; property names as there.
    """
    rules = {label(finding): _rule(finding) for finding in reversed(findings)}
    rules = {name: rules[name] for name in dict.fromkeys(label(f) for f in findings)}
    run = {
        "tool": {"driver": {**_driver(context), "rules": list(rules.values())}},
        "automationDetails": {"id": f"fairaudit/{short(context.rubric)}/"},
        "columnKind": "unicodeCodePoints",
        "results": [_result(row, context, list(rules)) for row in _alerts(findings)],
        "properties": {
            "rubric": context.title,
            "audits": [printable(audit.signature) for audit in context.audits],
        },
    }
    return _json({"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]})


def _driver(context: Context) -> dict[str, str]:
    return {"name": "fairaudit", "version": printable(context.version)}


def _rule(finding: Finding) -> dict[str, Any]:
    """A criterion as a rule; what it asks for in words and where the limit comes from."""
    asked = cut(printable(finding.criterion), LONGEST_SENTENCE) or subject(finding)
    source = cut(printable(finding.source), LONGEST_SENTENCE)
    return {
        "id": label(finding),
        "shortDescription": {"text": asked},
        "fullDescription": {"text": f"{asked}. Source of the limit: {source}" if source else asked},
        "help": {"text": source or asked},
        "defaultConfiguration": {"level": finding.severity},
    }


def _result(row: Row, context: Context, rules: Sequence[str]) -> dict[str, Any]:
    finding = row.finding
    path, line = context.place(finding)
    result: dict[str, Any] = {
        "ruleId": label(finding),
        "ruleIndex": rules.index(label(finding)),
        "level": row.level,
        "message": {"text": _unlinked(f"{row.called}: {message(finding)}")},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(path)},
                    "region": {"startLine": line},
                }
            }
        ],
        "partialFingerprints": {"finding/v1": fingerprint(row, context)},
    }
    if row.called == "fail (waived)":
        waiver = cut(printable(finding.waiver or ""), LONGEST_SENTENCE)
        suppression = {"kind": "external", "status": "accepted", "justification": waiver}
        result["suppressions"] = [suppression]
    return result


def _unlinked(text: str) -> str:
    r"""Plain text in which nothing is a link or a placeholder (sections 3.11.5 and 3.11.6).

    Bins keep their brackets: alone these make no link.

    >>> _unlinked("[18, 30) [here](http://x) {0}")
    '[18, 30) [here\\](http://x) {{0}}'
    """
    return text.replace("](", "\\](").replace("{", "{{").replace("}", "}}")


def _uri(path: str) -> str:
    """A path as a URI reference, relative where the path is.

    >>> _uri("rubrics/my rubric: 1.toml")
    'rubrics/my%20rubric%3A%201.toml'
    """
    pure = PurePath(path)
    return pure.as_uri() if pure.is_absolute() else quote(pure.as_posix(), errors="replace")


# --- GitHub -------------------------------------------------------------------------------


def github_annotations(findings: Sequence[Finding], context: Context) -> str:
    """Write workflow commands that show what did not pass beside the changed files.

    Parameters
    ----------
    findings : sequence of Finding
    context : Context

    Returns
    -------
    str
        At most ten lines, worst first; if there is more to say, the last one says how much.

    Notes
    -----
    Escaped as actions/toolkit does it (packages/core/src/command.ts): ``%``, CR and LF in
    messages, and ``:`` and ``,`` as well in properties.
    """
    alerts = _alerts(findings)
    shown = alerts if len(alerts) <= MOST_ANNOTATIONS else alerts[: MOST_ANNOTATIONS - 1]
    lines = [_annotation(row, context) for row in shown]
    if left := alerts[len(shown) :]:
        title, more = _property(f"fairaudit: {context.title}"), f"{len(left):,} further findings"
        lines.append(f"::{_COMMANDS[left[0].level]} title={title}::{_data(more)} did not pass.")
    return "".join(f"{line}\n" for line in lines)


def _annotation(row: Row, context: Context) -> str:
    path, line = context.place(row.finding)
    properties = {
        "file": PurePath(path).as_posix(),
        "line": str(line),
        "title": f"{row.called}: {label(row.finding)}",
    }
    written = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{_COMMANDS[row.level]} {written}::{_data(message(row.finding))}"


def _data(text: str) -> str:
    r"""A message of a workflow command.

    >>> _data("100 %0A\n::error::")
    '100 %250A\\n::error::'
    """
    return printable(text).replace("%", "%25")


def _property(text: str) -> str:
    """A property of a workflow command.

    >>> _property("us:female, 18")
    'us%3Afemale%2C 18'
    """
    return _data(text).replace(":", "%3A").replace(",", "%2C")


# --- GitLab -------------------------------------------------------------------------------


def gitlab_code_quality(findings: Sequence[Finding], context: Context) -> str:
    """Write what did not pass as a code quality report, worst first.

    Parameters
    ----------
    findings : sequence of Finding
    context : Context

    Returns
    -------
    str
        A JSON array; the fields are those that GitLab's documentation lists ("Code Quality
        report format"), the rest of the Code Climate specification is not read.
    """
    return _json([_violation(row, context) for row in _alerts(findings)])


def _violation(row: Row, context: Context) -> dict[str, Any]:
    path, line = context.place(row.finding)
    return {
        "description": f"{row.called}: {message(row.finding)}",
        "check_name": label(row.finding),
        "fingerprint": fingerprint(row, context),
        "severity": _SEVERITIES[row.level],
        "location": {"path": printable(PurePath(path).as_posix()), "lines": {"begin": line}},
    }


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
