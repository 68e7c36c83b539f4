"""Commands: parse, call one function, print, exit. No domain logic."""

# Each module registers its commands, in the order in which --help lists them.
from fairaudit.cli import decisions, gate, models, reports, speech, swap  # noqa: F401
from fairaudit.cli.app import app, main

__all__ = ["app", "main"]
