"""Commands: parse, call one function, print, exit. No domain logic."""

# Each module registers its commands, in the order in which --help lists them.
from fairaudit.cli import (  # noqa: F401
    ceat,
    correlate,
    decisions,
    distill,
    gate,
    generate,
    likelihood,
    models,
    reports,
    speech,
    swap,
)
from fairaudit.cli.app import app, main

__all__ = ["app", "main"]
