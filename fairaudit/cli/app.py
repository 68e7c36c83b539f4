"""The application: what all commands have in common."""

from __future__ import annotations

import errno
import functools
import gc
import os
import sys
import traceback
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import typer

import fairaudit
from fairaudit.exceptions import FairauditError

# Before NumPy is imported: the matrices here are small, and idle threads of the linear algebra
# library cost a sixth of a short audit's processor time.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

Command = TypeVar("Command", bound=Callable[..., None])

app = typer.Typer(
    name="fairaudit",
    help="Audit whether a model treats groups of people alike.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

INTERRUPTED = 130
PIPE_CLOSED = 141


def main() -> None:
    """Run the command line; a bug exits with 3, for 1 means that a criterion failed."""
    for stream in (sys.stdout, sys.stderr):
        # What the terminal's encoding lacks is shown by its code, not a reason to stop.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # A short run makes many objects and no garbage to speak of: looking for it costs 7 %.
    gc.set_threshold(100_000, 50, 50)
    try:
        app()
    except Exception:
        traceback.print_exc()
        sys.stderr.write("This is a bug in fairaudit. Please report it with the lines above.\n")
        sys.exit(3)


def command(function: Command) -> Command:
    """Register a command under its own name."""
    app.command()(guarded(function))
    return function


def guarded(function: Command) -> Command:
    """Turn the user's mistakes into one message and exit code 2."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
            if sys.stdout is not None:
                sys.stdout.flush()
        except FairauditError as error:
            say(f"error: {error}")
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # The reader has gone; nothing more can be said, not even at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(PIPE_CLOSED) from None
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EIO):
                raise
            say(f"error: cannot be written: {error.strerror}.")
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(2) from None

    return cast(Command, run)


def say(message: str) -> None:
    """Write a message to standard error, what names from the data hold made visible."""
    from fairaudit.report.sheets import printable

    if sys.stderr is not None:
        sys.stderr.write(printable(message) + "\n")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fairaudit {fairaudit.__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", "-V", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Audit whether a model treats groups of people alike."""
    guarded(_take_defaults)(context)


#: Commands to which a project can give defaults.
_AUDITING = ("wer", "errors", "search", "sensitivity", "ceat", "generate", "likelihood", "gate")


def _take_defaults(context: typer.Context) -> None:
    """Let the project's pyproject.toml say what the commands do unless told otherwise."""
    path = Path("pyproject.toml")
    if not path.is_file() or b"fairaudit" not in path.read_bytes():
        return
    from fairaudit import toml

    tools = toml.read(path).get("tool", {})
    if not isinstance(tools, dict) or "fairaudit" in tools:
        from fairaudit.rubric import defaults_of

        defaults = defaults_of(path)
        context.default_map = dict.fromkeys(_AUDITING, defaults)
