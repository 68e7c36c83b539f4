"""Options that several commands share, and how they deliver an audit."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console


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


def option(help: str, *names: str, panel: str | None = None, metavar: str | None = None) -> Any:
    """Describe an option; its names follow from the parameter's where none are given."""
    return typer.Option(*names, help=help, rich_help_panel=panel, metavar=metavar)


GROUPS, STATISTICS, MODEL, OUTPUT = "Groups", "Statistics", "Model", "Output"

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


def deliver(audit: Any, format: Format, output: Path | None, further: bool) -> None:
    """Write the audit file and print the result."""
    from fairaudit.report import machine, rules, terminal

    rules.check(audit)
    if output is not None:
        audit.save(output)
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
