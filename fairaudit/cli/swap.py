"""The command swap: texts with the roles of gender, or of other pairs, reversed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairaudit.cli.app import command, say
from fairaudit.cli.options import OUTPUT, Quiet, option
from fairaudit.exceptions import FairauditError

if TYPE_CHECKING:
    from fairaudit.lm.swap import Coverage


@command
def swap(
    file: Annotated[
        str,
        typer.Argument(
            help="A text in UTF-8, or with --column a table; - is stdin.",
            metavar="FILE",
            show_default=False,
        ),
    ],
    column: Annotated[
        list[str] | None,
        option("Reverse this column of a table. Repeatable.", metavar="NAME"),
    ] = None,
    words: Annotated[
        Path | None,
        option("Word pairs in TOML, instead of those of gender.", "--list", metavar="FILE"),
    ] = None,
    names: Annotated[
        Path | None,
        option(
            "First names to swap: a table of name, gender and count, or pairs in TOML.",
            metavar="FILE",
        ),
    ] = None,
    paragraphs: Annotated[
        bool,
        option("Reverse by paragraphs, not lines: for hard-wrapped text.", "--paragraphs"),
    ] = False,
    only_changed: Annotated[
        bool, option("Leave out lines or rows in which nothing changes.", "--only-changed")
    ] = False,
    output: Annotated[
        Path | None,
        option(
            "Write here instead of to stdout; a table: .csv, .tsv, .jsonl or .parquet.",
            "--output",
            "-o",
            panel=OUTPUT,
            metavar="FILE",
        ),
    ] = None,
    report: Annotated[
        bool, option("Say which words were replaced how often.", "--report", panel=OUTPUT)
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Reverse the gender of a text: each listed word gives way to its counterpart.

    Example: fairaudit swap sentences.txt > reversed.txt
    """
    from fairaudit.lm.swap.files import read_lexicon, reverse_table, reverse_text

    _refuse_idle(column, paragraphs, report, quiet)
    lexicon = read_lexicon(words, names)
    if column:
        coverage = reverse_table(file, column, output, lexicon, only_changed)
    else:
        coverage = reverse_text(file, output, lexicon, paragraphs, only_changed)
    if not quiet:
        _tell(coverage, "texts" if column else "paragraphs" if paragraphs else "lines", output)
        if report:
            _report(coverage)


def _refuse_idle(column: list[str] | None, paragraphs: bool, report: bool, quiet: bool) -> None:
    """Refuse options that would do nothing."""
    if column and paragraphs:
        raise FairauditError(
            "--paragraphs is for a text, and of a table --column names each cell is reversed "
            "whole: leave it out."
        )
    if report and quiet:
        raise FairauditError("--report says what was replaced, --quiet forbids it: drop one.")


def _tell(coverage: Coverage, what: str, output: Path | None) -> None:
    say(
        f"{f'{output}: ' if output else ''}"
        f"{coverage.documents_changed:,} of {coverage.documents:,} {what} changed; "
        f"{coverage.words_changed:,} of {coverage.words:,} words."
    )


def _report(coverage: Coverage) -> None:
    """The most frequent replacements, the most frequent first."""
    most = sorted(coverage.replaced.items(), key=lambda item: (-item[1], item[0]))[:20]
    for (old, new), times in most:
        say(f"{times:>9,}  {old} -> {new}")
    rest = len(coverage.replaced) - len(most)
    if rest > 0:
        say(f"           and {rest:,} more")
