"""A sign of life on slow work: standard error, terminals only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

#: Seconds after which a progress bar appears.
PATIENCE = 2.0


@contextmanager
def progress(console: Console, quiet: bool, what: str = "records") -> Iterator[Callable[..., None]]:
    """Show how much was done, once that takes longer than `PATIENCE`.

    Parameters
    ----------
    console : Console
        On standard error; nothing is shown unless it is a terminal.
    quiet : bool
        Show nothing at all.
    what : str
        What is counted.

    Yields
    ------
    callable
        To be told the number so far, and of how many, where that is known.
    """
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    bar = Progress(*columns, console=console, transient=True)
    task = bar.add_task(what, total=None)
    begin = monotonic()

    def update(done: int, total: int | None = None) -> None:
        if monotonic() - begin > PATIENCE and not bar.live.is_started:
            bar.start()
        of = "" if total is None else f" of {total:,}"
        bar.update(task, description=f"{done:,}{of} {what}")

    if quiet or not console.is_terminal:
        yield lambda done, total=None: None
        return
    try:
        yield update
    finally:
        bar.stop()
