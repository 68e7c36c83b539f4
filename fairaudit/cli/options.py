"""Options that several commands share, and how they deliver an audit."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from fairaudit.audit import Audit, Finding
    from fairaudit.rubric import Rubric


class Format(str, Enum):
    """How results are printed."""

    table = "table"
    json = "json"
    csv = "csv"
    markdown = "markdown"
    kaldi = "kaldi"


class Missing(str, Enum):
    """What becomes of an id that stands in one table only."""

    error = "error"
    delete = "delete"
    skip = "skip"


class Match(str, Enum):
    """How ids match."""

    exact = "exact"
    stem = "stem"


class Interval(str, Enum):
    """How intervals are made."""

    auto = "auto"
    t = "t"
    bootstrap = "bootstrap"
    percentile = "percentile"


class Correction(str, Enum):
    """How p-values are adjusted."""

    holm = "holm"
    bh = "bh"
    none = "none"


class Decide(str, Enum):
    """What verdicts rest on."""

    interval = "interval"
    point = "point"


def option(help: str, *names: str, panel: str | None = None, metavar: str | None = None) -> Any:
    """Describe an option; its names follow from the parameter's where none are given."""
    return typer.Option(*names, help=help, rich_help_panel=panel, metavar=metavar)


GROUPS, STATISTICS, MODEL, OUTPUT = "Groups", "Statistics", "Model", "Output"
VERDICTS = "Verdicts"

Files = Annotated[
    list[str] | None,
    typer.Argument(
        help="CSV, TSV, JSON lines or Parquet with references and hypotheses; - is stdin.",
        metavar="[FILE]...",
        show_default=False,
    ),
]
Ref = Annotated[
    str | None,
    option("References alone: a table, trn, stm, SegLST, Kaldi's text.", metavar="FILE"),
]
Hyp = Annotated[
    str | None, option("Hypotheses alone, joined by id; for an stm a ctm.", metavar="FILE")
]
Speakers = Annotated[
    str | None, option("A table with a row per speaker, joined by speaker.", metavar="FILE")
]
RefColumn = Annotated[str | None, option("Column of references.", metavar="NAME")]
HypColumn = Annotated[str | None, option("Column of hypotheses.", metavar="NAME")]
IdColumn = Annotated[str | None, option("Column of utterance ids.", metavar="NAME")]
SpeakerColumn = Annotated[
    str | None, option("Column that --speakers is joined by.", metavar="NAME")
]
MissingIds = Annotated[
    Missing, option("An id in one file only: stop, count the words as deleted, or skip it.")
]
MatchIds = Annotated[
    Match, option("Match ids as they are, or as file names without folder and suffix.")
]

By = Annotated[
    list[str] | None,
    option("Group by a column; a:b is a crossing. Repeatable.", panel=GROUPS, metavar="COLUMN"),
]
Cluster = Annotated[
    str | None,
    option(
        "Column of what was sampled independently: speaker, user.",
        panel=GROUPS,
        metavar="COLUMN",
    ),
]
Bins = Annotated[
    list[str] | None,
    option("Cut a numeric attribute: age=18,30,45. Repeatable.", panel=GROUPS, metavar="CUTS"),
]
Where = Annotated[
    str | None,
    option("Keep records: \"accent = 'us' and age >= 18\".", panel=GROUPS, metavar="CONDITION"),
]
Na = Annotated[
    list[str] | None,
    option(
        "A value that means missing, instead of NA, N/A, NaN, null, None. Repeatable.",
        panel=GROUPS,
        metavar="VALUE",
    ),
]
CompareTo = Annotated[
    str,
    option(
        "rest, best, largest or the name of a group.",
        "--compare-to",
        panel=STATISTICS,
        metavar="GROUP",
    ),
]
MinN = Annotated[
    int,
    option("Leave groups with fewer records out of comparisons.", "--min-n", panel=STATISTICS),
]
Confidence = Annotated[float, option("Level of all intervals.", panel=STATISTICS)]
Intervals = Annotated[
    Interval, option("auto is Student's t, Wilson where it applies.", panel=STATISTICS)
]
Corrections = Annotated[Correction, option("Adjustment of p-values.", panel=STATISTICS)]
Resamples = Annotated[int, option("Resamples and permutations.", panel=STATISTICS)]
Seed = Annotated[int, option("Seed of resamples and permutations.", panel=STATISTICS)]
Output = Annotated[
    Path | None,
    option("Write the audit as JSON.", "--output", "-o", panel=OUTPUT, metavar="FILE"),
]
Formats = Annotated[Format, option("What to print.", "--format", panel=OUTPUT)]
Quiet = Annotated[bool, option("No messages, no progress.", "--quiet", "-q", panel=OUTPUT)]
ModelName = Annotated[
    str | None,
    option(
        "The model: a folder, or a name on the Hugging Face hub.",
        panel=MODEL,
        metavar="FOLDER|NAME",
    ),
]
BatchSize = Annotated[int, option("Texts read at once.", panel=MODEL)]
Device = Annotated[
    str, option("auto, cpu, cuda or cuda:N.", "--device", panel=MODEL, metavar="DEVICE")
]
AllowPickle = Annotated[
    bool,
    option(
        "Accept weights that are a pickle alone; only weights are read from it.",
        "--allow-pickle",
        panel=MODEL,
    ),
]
RubricName = Annotated[
    str | None,
    option(
        "Judge by a shipped rubric (fairaudit rubrics) or a TOML file.",
        panel=VERDICTS,
        metavar="NAME|FILE",
    ),
]
Decides = Annotated[
    Decide, option("By intervals, or by bare values, whatever chance did.", panel=VERDICTS)
]
Strict = Annotated[
    bool, option("Exit with 4 where the worst outcome is inconclusive.", panel=VERDICTS)
]
ExitZero = Annotated[bool, option("Report only: exit with 0 whatever the outcome.", panel=VERDICTS)]


#: Settings of the statistics, as `fairaudit.assess.Design` has them.
_DESIGN = "compare_to min_n confidence interval correction resamples seed".split()


def shared(context: typer.Context) -> dict[str, Any]:
    """Options that all audits of tables have, as their functions take them."""
    from fairaudit.table import MISSING_VALUES

    given = context.params
    design = {name: given[name] for name in _DESIGN}
    return {
        "bins": given["bins"] or (),
        "where": given["where"],
        "na": tuple(given["na"] or MISSING_VALUES),
        **{
            name: value.value if isinstance(value, Enum) else value
            for name, value in design.items()
        },
    }


def check_delivery(context: typer.Context) -> None:
    """Find out before hours of work what would fail after them.

    Raises
    ------
    FairauditError
        If there is no such rubric, the audit file cannot be written, or the format is not for
        this command.
    """
    from fairaudit.exceptions import FairauditError
    from fairaudit.rubric import load

    given = context.params
    if given.get("rubric") is not None:
        load(given["rubric"])
    output = given["output"]
    if output is not None and not Path(output).absolute().parent.is_dir():
        raise FairauditError(f"{output}: cannot be written: no such folder.")
    if given["format"] == Format.kaldi.value:
        raise FairauditError("--format kaldi is for word error rates: table, json, csv, markdown.")


def deliver(context: typer.Context, audit: Audit, further: bool = True) -> None:
    """Judge the audit where a rubric is given, write its file, print it, and leave accordingly.

    What is asked for is read from the command's own options: --rubric, --decide, --strict,
    --exit-zero, --output and --format.
    """
    given = context.params
    rubric, output, format = given.get("rubric"), given["output"], Format(given["format"])
    from fairaudit.report import rules

    rules.check(audit)
    audit = replace(audit, command=_command_line(context))
    verdicts = None
    if rubric is not None:
        from fairaudit.verdicts import judge

        decide = Decide(given["decide"]).value
        verdicts = judge(audit, rubric, decide=decide, confidence=audit.settings["ci"])
        audit = verdicts.audit
    if output is not None:
        audit.save(output)
    _print(audit, format, further)
    if verdicts is not None:
        if format is Format.table:
            sys.stdout.write(f"\n{verdicts.text()}")
        if format is Format.markdown:
            sys.stdout.write(f"\n{verdicts.markdown()}")
        leave(audit.findings, given["strict"], given["exit_zero"])


#: Parameters that say what becomes of an audit, not what is in it.
_DELIVERY = ("output", "format", "quiet", "strict", "exit_zero")


def _command_line(context: typer.Context) -> str:
    """The command that makes the same audit, defaults of pyproject.toml written out."""
    words = [context.info_name or "", *_given(context, "argument"), *_given(context, "option")]
    return shlex.join(["fairaudit", *words])


def _given(context: typer.Context, kind: str) -> Iterator[str]:
    """Words of the arguments, or of the options, that are not as by default."""
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        given = source is not None and source.name != "DEFAULT"
        if parameter.param_type_name == kind and given and name not in _DELIVERY:
            yield from _words(parameter, context.params[name])


def _words(parameter: Any, value: Any) -> Iterator[str]:
    """How a value is written on the command line."""
    if isinstance(value, bool):
        yield parameter.opts[0] if value else parameter.secondary_opts[0]
        return
    for each in value if isinstance(value, list | tuple) else [value]:
        text = str(each.value if isinstance(each, Enum) else each)
        if parameter.param_type_name == "argument":
            # So that no file is taken for an option.
            yield f"./{text}" if text.startswith("-") and text != "-" else text
        else:
            yield from (parameter.opts[0], text)


def _print(audit: Audit, format: Format, further: bool) -> None:
    from fairaudit.report import machine, terminal

    if format is Format.json:
        sys.stdout.write(audit.to_json())
    elif format is Format.csv:
        sys.stdout.write(machine.to_csv(audit))
    elif format is Format.markdown:
        sys.stdout.write(machine.to_markdown(audit, further))
    elif format is Format.kaldi:
        sys.stdout.write(machine.to_kaldi(audit))
    else:
        terminal.show(audit, Console(highlight=False), further)


def wanted_rubric(name: str | None) -> Rubric:
    """The rubric that was named, or the project's own.

    Raises
    ------
    FairauditError
        If there is none.
    """
    from fairaudit.exceptions import FairauditError
    from fairaudit.rubric import load, names, policy

    if name is not None:
        return load(name)
    own = policy("pyproject.toml").rubric if Path("pyproject.toml").exists() else None
    if own is None:
        raise FairauditError(
            f"no rubric. Name one with --rubric ({', '.join(names())}, or a TOML file), or in "
            "pyproject.toml: [tool.fairaudit] rubric = ..."
        )
    return own


def leave(findings: Sequence[Finding], strict: bool, exit_zero: bool) -> None:
    """End with the exit status of the worst outcome."""
    from fairaudit.rubric import exit_code

    status = 0 if exit_zero else exit_code(findings, strict)
    if status:
        raise typer.Exit(status)
