"""Findings for people: Markdown for a step's summary or a pull request, plain text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from fairaudit.audit import Finding
from fairaudit.report import markup
from fairaudit.report.ci.wording import (
    LONGEST_SENTENCE,
    Context,
    Row,
    cut,
    label,
    message,
    numbers,
    outcome,
    reasons,
    rows,
    subject,
    tally,
    who,
    worst_first,
)
from fairaudit.report.figures import count
from fairaudit.report.sheets import printable

#: Bytes that GitHub takes: of a step's summary (1 MiB, less room for what others append), and of
#: a comment (65,536 characters, which are no fewer bytes).
SUMMARY, COMMENT = 1_000_000, 65_000
#: Signatures that stand below a table.
_MOST_SIGNATURES = 20
_HEADER = ["Outcome", "Criterion", "Value", "Bounds", "Limit", "n", "Why"]


def text(findings: Sequence[Finding], context: Context) -> str:
    """Write a line per finding, worst first, and a last line with the counts and the outcome.

    Parameters
    ----------
    findings : sequence of Finding
    context : Context
    """
    ranked = worst_first(rows(findings))
    width = max((len(row.called) for row in ranked), default=0)
    lines = [
        f"{row.called:{width}}  {label(row.finding)}: {message(row.finding)}" for row in ranked
    ]
    lines.append(f"{context.title}: {outcome(findings)} ({tally(ranked)})")
    return "".join(f"{_inert(line)}\n" for line in lines)


def _inert(line: str) -> str:
    r"""A line in whose middle no build server sees a command.

    GitHub and Azure read ``##[...]`` and ``##vso[...]`` anywhere in a log; a line that begins
    with ``::`` can come only from a rubric's name.

    >>> _inert("group ##[error]no")
    'group #\\#[error]no'
    """
    line = re.sub(r"##(?=\w*\[)", r"#\\#", line)
    return f"\\{line}" if line.lstrip().startswith("::") else line


def step_summary(findings: Sequence[Finding], context: Context) -> str:
    """Write `markdown` of at most 1,000,000 bytes, for ``$GITHUB_STEP_SUMMARY``."""
    return markdown(findings, context, SUMMARY)


def markdown(findings: Sequence[Finding], context: Context, most: int = COMMENT) -> str:
    """Write a table of the findings, worst first, in GitHub's Markdown.

    Parameters
    ----------
    findings : sequence of Finding
    context : Context
    most : int
        Bytes that it may have; rows that have no room are left out, and a sentence says how many.
        By default what a comment on a pull request may have.
    """
    ranked = worst_first(rows(findings))
    head = [
        f"### {markup.escaped(context.title)}: {outcome(findings)}",
        f"{markup.escaped(tally(ranked))}.",
    ]
    foot = [*_provenance(context)]
    room = most - _size([*head, *foot, _table([])]) - len(_left_out(len(ranked), len(ranked)))
    shown = list(_fitting(map(_cells, ranked), room))
    body = [_table(shown)] if shown else []
    left = len(ranked) - len(shown)
    body += [_left_out(left, len(ranked))] if left else []
    return "\n\n".join([*head, *body, *foot]) + "\n"


def _table(lines: Sequence[str]) -> str:
    return markup.table(_HEADER, "llrllrl", lines)


def _cells(row: Row) -> str:
    """A finding as a line of the table."""
    finding, written = row.finding, numbers(row.finding)
    groups = f" {markup.code(who(finding))}" if who(finding) else ""
    return markup.line(
        [
            f"**{row.called}**" if row.level == "error" else row.called,
            f"{markup.code(label(finding))} {markup.code(subject(finding))}",
            f"{written.value}{groups}",
            written.bounds,
            written.limit,
            "" if finding.n is None else count(finding.n),
            markup.escaped(" ".join(reasons(finding))),
        ]
    )


def _fitting(lines: Iterable[str], room: int) -> Iterator[str]:
    """As many lines as there is room for."""
    for line in lines:
        room -= _size([line])
        if room < 0:
            return
        yield line


def _size(parts: Iterable[str]) -> int:
    """Bytes of the parts with an empty line behind each."""
    return sum(len(part.encode()) + 2 for part in parts)


def _left_out(left: int, total: int) -> str:
    return f"{left:,} of {total:,} rows are left out: there is no room for more."


def _provenance(context: Context) -> Iterator[str]:
    """What reproduces the numbers."""
    audits = context.audits[:_MOST_SIGNATURES]
    lines = [f"- {markup.code(cut(printable(a.signature), LONGEST_SENTENCE))}" for a in audits]
    if more := len(context.audits) - len(audits):
        lines.append(f"- and {more:,} more")
    if lines:
        yield "\n".join(["Audits:", "", *lines])
    yield f"fairaudit {markup.escaped(printable(context.version))}"
