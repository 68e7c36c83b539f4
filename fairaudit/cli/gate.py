"""Commands of rubrics: gate, rubrics."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairaudit.cli.app import app, command, guarded, say
from fairaudit.cli.options import (
    OUTPUT,
    VERDICTS,
    Confidence,
    Decide,
    Decides,
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
    decide: Decides = Decide.interval,
    confidence: Confidence = 0.95,
    today: Annotated[
        str | None,
        option("Which waivers still hold: 2027-01-31.", panel=VERDICTS, metavar="DATE"),
    ] = None,
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
    from fairaudit.exceptions import FairauditError
    from fairaudit.rubric import judge

    if github and format is GateFormat.json:
        raise FairauditError("--github writes annotations where --format json has JSON alone.")
    if margin is not None and not against:
        raise FairauditError(f"--margin {margin:g} is for --against: name the release before.")
    chosen = wanted_rubric(rubric)
    files = {"junit": junit, "sarif": sarif, "gitlab": gitlab, "comment": comment}
    inputs = [*audit, *(against or ()), *([Path(rubric)] if rubric else [])]
    _keep_apart([output, *files.values()], inputs)
    audits = [Audit.load(path) for path in audit]
    judged = judge(audits, chosen, decide=decide.value, confidence=confidence, today=_date(today))
    for path, each in zip(audit, judged, strict=True):
        if not each.findings and not quiet:
            say(f"note: {path}: no criterion of the rubric is about it.")
    findings = [finding for each in judged for finding in each.findings]
    if against:
        from fairaudit.rubric.baseline import compare

        before = [Audit.load(path) for path in against]
        findings += compare(audits, before, chosen, margin=margin, confidence=confidence)
    if output is not None:
        _save(judged, findings, output)
    context = _context(chosen, rubric, judged, audit)
    _write(findings, context, files)
    if github:
        _annotate(findings, context)
    if not quiet or format is not GateFormat.text:
        _print(findings, context, format)
    leave(findings, strict, exit_zero)


def _date(text: str | None) -> dt.date | None:
    from fairaudit.exceptions import FairauditError

    try:
        return None if text is None else dt.date.fromisoformat(text)
    except ValueError:
        raise FairauditError(f"--today {text}: expected a date: 2027-01-31.") from None


def _keep_apart(outputs: list[Path | None], inputs: list[Path]) -> None:
    """Refuse to write over what is read, or two things into one file."""
    from fairaudit.audit import keep_apart
    from fairaudit.exceptions import FairauditError

    given = [path for path in outputs if path is not None]
    for path in given:
        keep_apart(path, inputs)
    if twice := next((path for path in given if given.count(path) > 1), None):
        raise FairauditError(f"{twice}: is to hold two things. Name different files.")


def _save(judged: tuple[Audit, ...], findings: list[Finding], output: Path) -> None:
    from fairaudit.exceptions import FairauditError

    if len(judged) > 1:
        raise FairauditError(f"--output {output}: holds one audit; {len(judged)} were judged.")
    replace(judged[0], findings=tuple(findings)).save(output)


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


def _annotate(findings: list[Finding], context: Context) -> None:
    """Tell GitHub: annotations in the log, and a summary where it says so."""
    from fairaudit.exceptions import FairauditError
    from fairaudit.report import ci

    sys.stdout.write(ci.github_annotations(findings, context))
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(ci.step_summary(findings, context))
        except OSError as error:
            raise FairauditError(f"{summary}: cannot be written: {error.strerror}.") from None


def _print(findings: list[Finding], context: Context, format: GateFormat) -> None:
    from fairaudit.report import ci

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
