"""A card for programs: the same blocks as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from fairaudit.report.card.model import Card
from fairaudit.report.card.seal import SCHEMA


def page(card: Card, seal: str) -> str:
    """The card as JSON: each block an object whose ``block`` says what it is.

    Parameters
    ----------
    card : Card
    seal : str
        JSON that says from what the card was made.
    """
    content = {"schema": SCHEMA, "seal": json.loads(seal), **_plain(card)}
    parts = [
        # The seal as it is, so that it is found again by its own line.
        f'"{name}": {seal if name == "seal" else json.dumps(value, ensure_ascii=False, indent=1)}'
        for name, value in content.items()
        if name != "block"
    ]
    return "{\n " + ",\n ".join(parts) + "\n}\n"


def _plain(value: Any) -> Any:
    """Dataclasses as objects, named by their kind."""
    if is_dataclass(value):
        content = {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
        return {"block": type(value).__name__.lower(), **content}
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in value]
    return value
