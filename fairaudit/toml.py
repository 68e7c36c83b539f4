"""Reads TOML tables key by key, with messages that say which key of which file is odd."""

from __future__ import annotations

import datetime as dt
import math
import re
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from fairaudit.exceptions import FairauditError, nearest


def read(path: Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises
    ------
    FairauditError
        If it cannot be read or is no TOML.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FairauditError(f"{path}: cannot be read: {error.strerror}.") from None
    return parse(str(path), content)


def parse(file: str, content: bytes) -> dict[str, Any]:
    """The content of a TOML file that has been read.

    Raises
    ------
    FairauditError
        If it is no TOML.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise FairauditError(f"{file}, line {line}: not UTF-8. Save the file as UTF-8.") from None
    except RecursionError:
        raise FairauditError(f"{file}: broken TOML: nested too deeply.") from None
    except ValueError as error:
        found = re.search(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", str(error))
        at = found[2] if found and found[2] else content.count(b"\n") + 1
        raise FairauditError(
            f"{file}, line {at}: broken TOML: {found[1] if found else error}."
        ) from None


def choices(noun: str, name: str, known: Iterable[str]) -> str:
    """Say which names there are, and the one that may have been meant.

    >>> choices("Keys", "metrc", ["metric", "by"])
    "Keys: metric, by. Did you mean 'metric'?"
    """
    return noun + nearest(name, known).removeprefix("Columns")


class Section:
    """One table of a TOML file.

    Parameters
    ----------
    where : str
        File and table, for messages.
    content : mapping
        The table.
    keys : collection of str
        Those that it may have.

    Raises
    ------
    FairauditError
        If it is no table, or has another key; so do all methods where a value is odd.
    """

    def __init__(self, where: str, content: Any, keys: Collection[str]) -> None:
        self.where = where
        if not isinstance(content, Mapping):
            raise FairauditError(f"{where}: expected a table; found {_shown(content)}.")
        self.content = content
        for key in content:
            if key not in keys:
                raise FairauditError(f"{where}: unknown key '{key}'. {choices('Keys', key, keys)}")

    def __contains__(self, key: str) -> bool:
        return key in self.content

    def refuse(self, key: str, expected: str) -> FairauditError:
        """The error about the value of a key."""
        found = _shown(self.content[key]) if key in self.content else "nothing"
        return FairauditError(f"{self.where}: {key}: expected {expected}; found {found}.")

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not blank; without `default` it must be there."""
        value = self.content.get(key, default)
        if not isinstance(value, str) or (not value.strip() and key in self.content):
            raise self.refuse(key, "a text in quotes")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Texts, one or several; none where the key is absent."""
        value = self.content.get(key, ())
        several = (value,) if isinstance(value, str) else value
        good = isinstance(several, list | tuple) and all(isinstance(v, str) for v in several)
        if not good or (key in self.content and not several):
            raise self.refuse(key, 'texts: ["a", "b"]')
        return tuple(several)

    def number(self, key: str) -> float:
        """A finite number."""
        value = self.content.get(key)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise self.refuse(key, "a number")
        return float(value)

    def whole(self, key: str) -> int:
        """A whole number, 0 or more."""
        value = self.content.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self.refuse(key, "a whole number, 0 or more")
        return value

    def truth(self, key: str) -> bool:
        """True or false."""
        value = self.content.get(key)
        if not isinstance(value, bool):
            raise self.refuse(key, "true or false")
        return value

    def date(self, key: str) -> dt.date:
        """A day."""
        value = self.content.get(key)
        if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
            raise self.refuse(key, "a date without quotes: 2030-12-31")
        return value

    def section(self, key: str, keys: Collection[str]) -> Section:
        """A table within this one."""
        return Section(f"{self.where}, {key}", self.content[key], keys)


def _shown(value: Any) -> str:
    """A value as in a message, cut where it is long."""
    text = repr(value) if not isinstance(value, dt.date) else value.isoformat()
    return text if len(text) <= 60 else f"{text[:57]}..."
