"""A sign of life on slow audits: standard error, terminals only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

#: Seconds after which a progress bar appears.
PATIENCE = 2.0


@contextmanager
def progress(console: Console, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show how many records were read, once that takes longer than `PATIENCE`.

    Parameters
    ----------
    console : Console
        On standard error; nothing is shown unless it is a terminal.
    quiet : bool
        Show nothing at all.

    Yields
    ------
    callable
        To be told the number of records so far.
    """
    columns = (SpinnerColumn(), TextColumn("{task.completed:,} records"), TimeElapsedColumn())
    bar = Progress(*columns, console=console, transient=True)
    task = bar.add_task("records", total=None)
    begin = monotonic()

    def update(records: int) -> None:
        if monotonic() - begin > PATIENCE and not bar.live.is_started:
            bar.start()
        bar.update(task, completed=records)

    if quiet or not console.is_terminal:
        yield lambda records: None
        return
    try:
        yield update
    finally:
        bar.stop()
