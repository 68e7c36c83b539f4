"""An audit as CSV, Markdown or JSON."""

from __future__ import annotations

import csv
import io
import re

from fairaudit.audit import Audit, Estimate
from fairaudit.exceptions import FairauditError
from fairaudit.report import markup
from fairaudit.report.contents import contents
from fairaudit.report.rules import rule_rows
from fairaudit.report.sheets import closing, printable

#: Spreadsheets run cells that begin so; an apostrophe in front makes them text.
_FORMULA = re.compile(r"[=+\-@\t\r]")


def to_csv(audit: Audit) -> str:
    """One line per attribute, group and metric, with the difference to the reference.

    Where a rule's table is wanted, its lines.
    """
    text = io.StringIO()
    rows = audit.rows() if audit.settings.get("rule") is None else rule_rows(audit)
    writer = csv.DictWriter(text, list(rows[0] if rows else {}), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return text.getvalue()


def _cell(value: object) -> object:
    """A cell that no spreadsheet takes for a formula, and no terminal for an order."""
    if isinstance(value, str):
        return printable(f"'{value}" if _FORMULA.match(value) else value)
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.12g}" if isinstance(value, float) else value


def to_markdown(audit: Audit, further: bool = False) -> str:
    """Tables and sentences for a page or a pull request."""
    blocks = [block for each in contents(audit, further) for block in markup.content(each)]
    blocks += [*map(markup.prose, closing(audit)), markup.code(printable(audit.signature))]
    return "\n\n".join(blocks) + "\n"


def to_kaldi(audit: Audit) -> str:
    """The lines that Kaldi's scoring scripts write and people grep for, one per group.

    Raises
    ------
    FairauditError
        If WER is not among the audit's metrics.

    Notes
    -----
    Format of Kaldi's ``compute-wer``; its ``utils/best_wer.sh`` reads up to the bracket, so what
    the line is about stands behind it.
    """
    rows = [row for row in audit.estimates if row.metric == "wer"]
    if not rows:
        raise FairauditError("--format kaldi writes word error rates: it needs --metric wer.")
    return "".join(_kaldi_line(row) for row in rows)


def _kaldi_line(row: Estimate) -> str:
    kinds = [int(row.counts[kind]) for kind in ("insertions", "deletions", "substitutions")]
    value = "nan" if row.value is None else f"{100 * row.value:.2f}"
    about = {row.attribute: row.group} if row.attribute else {}
    suffix = "".join(
        f" {printable(k)}={printable(v)}" for k, v in {**about, **(row.variant or {})}.items()
    )
    ins, dele, sub = kinds
    return (
        f"%WER {value} [ {sum(kinds)} / {row.n:.0f}, {ins} ins, {dele} del, {sub} sub ]{suffix}\n"
    )
