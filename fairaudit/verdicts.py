"""Verdicts on an audit, for programs and tests: true where no criterion failed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairaudit.audit import Audit, Finding
from fairaudit.report import ci
from fairaudit.rubric import Rubric, exit_code, load
from fairaudit.rubric import judge as judge_all


@dataclass(frozen=True, repr=False)
class Verdicts:
    """What a rubric says of an audit.

    As a condition it is true where no criterion failed, so a test can assert it, and shows what
    failed; as text it is a line per criterion.

    Attributes
    ----------
    audit : Audit
        The audit with its findings.
    rubric : Rubric
        What it was judged by.
    """

    audit: Audit
    rubric: Rubric

    @property
    def findings(self) -> tuple[Finding, ...]:
        """A finding per criterion and what it was applied to."""
        return self.audit.findings

    def __bool__(self) -> bool:
        return exit_code(self.findings) == 0

    def __repr__(self) -> str:
        # On one line and the worst first: pytest shows the first 240 letters of it.
        *lines, last = self.text().splitlines()
        return f"<{last}: {'; '.join(' '.join(line.split()) for line in lines)}>"

    def __str__(self) -> str:
        return self.text()

    def text(self) -> str:
        """A line per finding, worst first, and the outcome."""
        return ci.text(self.findings, self._context)

    def markdown(self) -> str:
        """The same as a table."""
        return ci.markdown(self.findings, self._context)

    @property
    def _context(self) -> ci.Context:
        audits = [ci.Judged(self.audit.signature, self.audit.created)]
        return ci.Context(self.rubric.name, self.rubric.version, self.audit.version, audits)


def judge(audit: Audit, rubric: Rubric | str | Path, **options: Any) -> Verdicts:
    """Judge an audit by a rubric.

    Parameters
    ----------
    audit : Audit
        What is judged.
    rubric : Rubric, str or Path
        Or its name or path.
    **options
        ``decide``, ``today`` and ``confidence`` of `fairaudit.rubric.judge`.

    Raises
    ------
    FairauditError
        If a criterion does not fit the audit.
    """
    chosen = rubric if isinstance(rubric, Rubric) else load(rubric)
    (judged,) = judge_all(audit, chosen, **options)
    return Verdicts(judged, chosen)
