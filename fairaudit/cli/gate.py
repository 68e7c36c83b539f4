"""Commands of rubrics: gate, rubrics."""

from __future__ import annotations

import os
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairaudit.cli.app import app, command, guarded, say
from fairaudit.cli.options import (
    OUTPUT,
    STATISTICS,
    Confidence,
    ExitZero,
    Quiet,
    RubricName,
    Strict,
    leave,
    option,
    wanted_rubric,
)

if TYPE_CHECKING:
    from fairaudit.audit import Audit, Finding
    from fairaudit.report.ci import Context
    from fairaudit.rubric import Rubric


class Decide(str, Enum):
    """What verdicts rest on."""

    interval = "interval"
    point = "point"


class GateFormat(str, Enum):
    """How verdicts are printed."""

    text = "text"
    json = "json"
    markdown = "markdown"


@command
def gate(
    audit: Annotated[
        list[Path],
        typer.Argument(help="Audit files.", metavar="AUDIT...", show_default=False),
    ],
    rubric: RubricName = None,
    against: Annotated[
        list[Path] | None,
        option("Audit files of the release before: no worse than that. Repeatable."),
    ] = None,
    margin: Annotated[
        float | None,
        option("How much worse than before is still the same; 0.01 for shares.", metavar="NUMBER"),
    ] = None,
    decide: Annotated[
        Decide, option("By intervals, or by bare values, whatever chance did.", panel=STATISTICS)
    ] = Decide.interval,
    confidence: Confidence = 0.95,
    strict: Strict = False,
    exit_zero: ExitZero = False,
    output: Annotated[
        Path | None,
        option("Write the audit with its findings.", "--output", "-o", panel=OUTPUT),
    ] = None,
    junit: Annotated[Path | None, option("Write JUnit XML.", panel=OUTPUT)] = None,
    sarif: Annotated[Path | None, option("Write SARIF 2.1.0.", panel=OUTPUT)] = None,
    gitlab: Annotated[Path | None, option("Write GitLab's code quality.", panel=OUTPUT)] = None,
    comment: Annotated[
        Path | None, option("Write Markdown for a pull request.", panel=OUTPUT)
    ] = None,
    github: Annotated[
        bool, option("Print GitHub's annotations, and write its step summary.", panel=OUTPUT)
    ] = False,
    format: Annotated[
        GateFormat, option("What to print.", "--format", panel=OUTPUT)
    ] = GateFormat.text,
    quiet: Quiet = False,
) -> None:
    """Hold audits to a rubric; exit with 1 where a criterion fails.

    Example: fairaudit gate audit.json --rubric asr --junit verdicts.xml
    """
    from fairaudit.audit import Audit
    from fairaudit.rubric import judge

    chosen = wanted_rubric(rubric)
    audits = [Audit.load(path) for path in audit]
    judged = judge(audits, chosen, decide=decide.value, confidence=confidence)
    findings = [finding for each in judged for finding in each.findings]
    if against:
        from fairaudit.rubric.baseline import compare

        before = [Audit.load(path) for path in against]
        findings += compare(audits, before, chosen, margin=margin, confidence=confidence)
    if output is not None:
        _save(judged, output)
    context = _context(chosen, rubric, judged, audit)
    _write(
        findings, context, {"junit": junit, "sarif": sarif, "gitlab": gitlab, "comment": comment}
    )
    if not quiet or github:
        _print(findings, context, format, github, quiet)
    leave(findings, strict, exit_zero)


def _save(judged: tuple[Audit, ...], output: Path) -> None:
    from fairaudit.exceptions import FairauditError

    if len(judged) > 1:
        raise FairauditError(f"--output {output}: holds one audit; {len(judged)} were judged.")
    judged[0].save(output)


def _context(
    rubric: Rubric, named: str | None, judged: tuple[Audit, ...], paths: list[Path]
) -> Context:
    """What the findings come from; alerts point to the rubric where it is a file."""
    from fairaudit.report.ci import Context, Judged

    audits = [
        Judged(each.signature, each.created, str(path))
        for each, path in zip(judged, paths, strict=True)
    ]
    file = named if named is not None and Path(named).is_file() else ""
    return Context(rubric.name, rubric.version, judged[0].version, audits, file)


def _write(findings: list[Finding], context: Context, paths: dict[str, Path | None]) -> None:
    """Write what was asked for, each file whole or not at all."""
    from fairaudit.audit import write_whole
    from fairaudit.report import ci

    makers: dict[str, Any] = {
        "junit": ci.junit,
        "sarif": ci.sarif,
        "gitlab": ci.gitlab_code_quality,
        "comment": ci.markdown,
    }
    for name, path in paths.items():
        if path is not None:
            write_whole(path, makers[name](findings, context))


def _print(
    findings: list[Finding], context: Context, format: GateFormat, github: bool, quiet: bool
) -> None:
    import json

    from fairaudit.report import ci

    if github:
        sys.stdout.write(ci.github_annotations(findings, context))
        if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(ci.step_summary(findings, context))
    if quiet:
        return
    if format is GateFormat.json:
        rows = [vars(finding) for finding in findings]
        sys.stdout.write(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    elif format is GateFormat.markdown:
        sys.stdout.write(ci.markdown(findings, context))
    else:
        sys.stdout.write(ci.text(findings, context))


rubrics = typer.Typer(help="List, show and start rubrics.", invoke_without_command=True)
app.add_typer(rubrics, name="rubrics")


@rubrics.callback()
@guarded
def listed(context: typer.Context) -> None:
    """List the shipped rubrics: name, version, purpose."""
    from fairaudit.rubric import load, names

    if context.invoked_subcommand is None:
        for name in names():
            rubric = load(name)
            sys.stdout.write(f"{name} {rubric.version}  {rubric.purpose}\n")


@rubrics.command()
@guarded
def show(
    name: Annotated[str, typer.Argument(help="Name of a shipped rubric.", metavar="NAME")],
) -> None:
    """Print a shipped rubric: criteria, limits and their sources."""
    from fairaudit.rubric import text

    sys.stdout.write(text(name))


@rubrics.command()
@guarded
def new(
    output: Annotated[
        Path | None, option("Write it to a file.", "--output", "-o", panel=OUTPUT)
    ] = None,
) -> None:
    """Print a commented rubric to start from."""
    from fairaudit.audit import write_whole
    from fairaudit.exceptions import FairauditError
    from fairaudit.rubric import new as start

    if output is None:
        sys.stdout.write(start())
        return
    if output.exists():
        raise FairauditError(f"{output}: exists already. Choose another name.")
    write_whole(output, start())
    say(f"{output}: written. Judge by it: fairaudit gate AUDIT --rubric {output}")
