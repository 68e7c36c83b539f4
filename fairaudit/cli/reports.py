"""Commands that report on audits: card, plot."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairaudit.cli.app import command, say
from fairaudit.cli.options import OUTPUT, Quiet, option

if TYPE_CHECKING:
    from fairaudit.report.card.info import Info
    from fairaudit.report.card.model import AuditFile

#: Differences between a card and its audits that are listed.
_MOST = 10


class Template(str, Enum):
    """What sort of card."""

    service_card = "service-card"
    model_card = "model-card"
    report = "report"


class Annex(str, Enum):
    """What rule or framework an annex answers to."""

    ll144 = "ll144"
    eu_ai_act = "eu-ai-act"
    nist_rmf = "nist-rmf"


@command
def card(
    context: typer.Context,
    audits: Annotated[
        list[Path] | None,
        typer.Argument(help="Audit files.", metavar="[AUDIT]...", show_default=False),
    ] = None,
    template: Annotated[
        Template, option("For the public, for a model's page, or the bare findings.")
    ] = Template.service_card,
    info: Annotated[
        Path | None, option("What only the owner knows: see --new-info.", metavar="FILE")
    ] = None,
    annex: Annotated[
        list[Annex] | None, option("Add what a rule or framework asks for. Repeatable.")
    ] = None,
    suppress: Annotated[
        int, option("Leave out groups with fewer records, and what would tell them.")
    ] = 0,
    texts: Annotated[
        bool,
        option("Quote words of the data and name speakers, or neither.", "--texts/--no-texts"),
    ] = False,
    verify: Annotated[
        Path | None,
        option("Check that a card says what these audits say.", metavar="CARD", panel=OUTPUT),
    ] = None,
    new_info: Annotated[
        bool, option("Print a commented service.toml to start from.", panel=OUTPUT)
    ] = False,
    output: Annotated[
        Path | None,
        option(
            "Write it to a file: .html, .md, .json or .pdf.",
            "--output",
            "-o",
            panel=OUTPUT,
            metavar="FILE",
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """One report of one or more audits, for people.

    Example: fairaudit card audits/*.json --info service.toml -o card.html
    """
    from fairaudit.report.card import load, render
    from fairaudit.report.card.info import Info, start
    from fairaudit.report.card.model import Wanted

    if new_info:
        _begin(start(), output, quiet)
        return
    if verify is not None:
        _refuse_others(context)
    files, stated = load(audits or []), Info.read(info) if info is not None else None
    if verify is not None:
        _verify(verify, files, stated)
        return
    wanted = Wanted(template.value, tuple(a.value for a in annex or ()), suppress, texts)
    form = _form(output) if output is not None else "markdown"
    page = render(files, stated or Info(), wanted, form)
    if output is None:
        sys.stdout.write(page)
        return
    _write(page, form, output, [*(audits or ()), *([info] if info else [])])
    if not quiet:
        say(f"{output}: written, from {len(files)} audit{'s' if len(files) != 1 else ''}.")


def _refuse_others(context: typer.Context) -> None:
    """Require that nothing is given with --verify that it would not heed."""
    from fairaudit.exceptions import FairauditError

    for name in ("template", "annex", "suppress", "texts", "output", "new_info"):
        source = context.get_parameter_source(name)
        if source is not None and source.name != "DEFAULT":
            raise FairauditError(
                f"--{name.replace('_', '-')}: does not go with --verify, which makes the card "
                "anew as it was made. Leave it out."
            )


def _begin(text: str, output: Path | None, quiet: bool) -> None:
    """Hand out a file to start from; one that is there already is not touched."""
    from fairaudit.audit import write_whole
    from fairaudit.exceptions import FairauditError

    if output is None:
        sys.stdout.write(text)
        return
    if output.exists():
        raise FairauditError(f"{output}: exists already. Choose another name.")
    write_whole(output, text)
    if not quiet:
        say(f"{output}: written. Answer what you can: fairaudit card AUDIT --info {output}")


def _form(path: Path) -> str:
    """The form of a card, from its file's name."""
    from fairaudit.exceptions import FairauditError
    from fairaudit.report.card import FORMS

    form = FORMS.get(path.suffix.lower())
    if form is None:
        raise FairauditError(f"{path}: a card is written as {', '.join(FORMS)}.")
    return form


def _write(page: str, form: str, output: Path, sources: list[Path]) -> None:
    """Write a card over nothing but a card."""
    from fairaudit.audit import keep_apart, whole
    from fairaudit.exceptions import FairauditError
    from fairaudit.report.card import pdf, seal

    keep_apart(output, sources)
    if form != "pdf" and output.is_file() and output.stat().st_size:
        try:
            seal.Seal.find(_text(output), form)
        except FairauditError:
            raise FairauditError(
                f"{output}: exists and is no card. Remove it, or choose another name."
            ) from None
    with whole(output) as beside:
        if form == "pdf":
            pdf.write(page, beside)
        else:
            beside.write_text(page, encoding="utf-8")


def _text(path: Path) -> str:
    """The text of a card.

    Raises
    ------
    FairauditError
        If it cannot be read.
    """
    from fairaudit.exceptions import FairauditError

    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise FairauditError(f"{path}: cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise FairauditError(f"{path}: no card: it is not UTF-8.") from None


def _verify(path: Path, files: list[AuditFile], info: Info | None) -> None:
    """Say where a card differs from its audits, and leave with 1 where it does."""
    from fairaudit.exceptions import FairauditError
    from fairaudit.report.card import verify
    from fairaudit.report.card.seal import Seal

    form = _form(path)
    if form == "pdf":
        raise FairauditError(f"{path}: a PDF cannot be verified. Verify the card as .html.")
    text = _text(path)
    try:
        found = verify(text, form, files, info)
    except FairauditError as error:
        raise FairauditError(f"{path}: {error}") from None
    for each in found[:_MOST]:
        sys.stdout.write(f"{each}\n")
    if len(found) > _MOST:
        sys.stdout.write(f"and {len(found) - _MOST:,} more.\n")
    if found:
        sys.stdout.write(f"{path}: is not what the audits give.\n")
        raise typer.Exit(1)
    count = f"{len(files)} audit{'s' if len(files) != 1 else ''}"
    sys.stdout.write(f"{path}: every number is as in the {count}.\n")
    if info is None and Seal.find(text, form).info.answers:
        sys.stdout.write("What the owner states was not checked: give --info as well.\n")


@command
def plot(
    audit: Annotated[
        Path, typer.Argument(help="An audit file.", metavar="AUDIT", show_default=False)
    ],
    output: Annotated[
        Path,
        option("The figure: .svg, .pdf or .png.", "--output", "-o", panel=OUTPUT, metavar="FILE"),
    ],
    metric: Annotated[
        str | None,
        option("What to plot, by default the audit's first metric.", metavar="NAME"),
    ] = None,
    by: Annotated[
        str | None, option("The one attribute to plot, by default all.", metavar="ATTRIBUTE")
    ] = None,
    at: Annotated[
        list[str] | None,
        option(
            "Which of several settings, by default the first: threshold=0.5. Repeatable.",
            metavar="NAME=VALUE",
        ),
    ] = None,
    width: Annotated[float, option("Width in mm.", panel=OUTPUT)] = 160.0,
    font_size: Annotated[float, option("Size of letters in pt.", panel=OUTPUT)] = 8.0,
    font: Annotated[
        str, option("An installed font.", panel=OUTPUT, metavar="NAME")
    ] = "DejaVu Sans",
    quiet: Quiet = False,
) -> None:
    """Plot a metric by group for papers and slides, with intervals and limits.

    All groups are drawn, however small: it leaves none out as card --suppress does.

    Example: fairaudit plot audit.json --by accent --width 85 --font-size 7 -o wer.pdf
    """
    from fairaudit.audit import Audit, keep_apart
    from fairaudit.report.plots import Style, draw

    keep_apart(output, [audit])
    style = Style(width, font_size, font)
    said = draw(Audit.load(audit), output, metric, by, at or (), style)
    if not quiet:
        for line in said:
            say(line)
