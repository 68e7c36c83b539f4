"""What the owner of a service states: service.toml, read, written anew and started."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fairaudit import toml
from fairaudit.report.card.fields import FIELDS, Field
from fairaudit.report.card.model import Stated
from fairaudit.toml import Section

_ASKED = {each.key: each for each in FIELDS}

_START = """\
## What only the owner of a service knows, for: fairaudit card --info service.toml
## Remove the mark in front of what you answer. An answer is a text or a list of texts.
## What has no answer stands in the card as not stated.
"""


@dataclass(frozen=True)
class Info:
    """What the owner of a service states.

    Only `texts` reads the answers, so that `watched` sees what is asked for.

    Attributes
    ----------
    answers : mapping of str to tuple of str
        Texts by key: ``use.intended``.

    Examples
    --------
    >>> info = Info.from_dict({"service": {"name": "Call transcripts"}})
    >>> info.texts("service.name"), info.texts("use.intended")
    (('Call transcripts',), ())
    """

    answers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Info:
        """Read service.toml.

        Raises
        ------
        FairauditError
            If it cannot be read, is no TOML, or has a table, a key or a value that none asked for.
        """
        return cls.from_dict(toml.read(path), str(path))

    @classmethod
    def from_dict(cls, content: Any, where: str = "service.toml") -> Info:
        """The answers in what `to_dict` gave, or in a TOML file's content.

        Parameters
        ----------
        content : mapping of str to mapping
            By table, then by key, a text or several.
        where : str
            For messages: the file.

        Raises
        ------
        FairauditError
            If a table, a key or a value is none that was asked for.
        """
        tables = _tables()
        found = Section(where, content, tables)
        answers = {}
        for table in found.content:
            section = found.section(table, tables[table])
            answers.update({f"{table}.{key}": _texts(section, key) for key in section.content})
        return cls(answers)

    def to_dict(self) -> dict[str, dict[str, list[str]]]:
        """The answers by table and key, as JSON can hold them."""
        content: dict[str, dict[str, list[str]]] = {}
        for key, texts in self.answers.items():
            table, name = key.split(".")
            content.setdefault(table, {})[name] = list(texts)
        return content

    def texts(self, key: str) -> tuple[str, ...]:
        """What was answered; nothing where nothing was."""
        return self.answers.get(_ASKED[key].key, ())

    def text(self, key: str) -> str | None:
        """What was answered, in one line; None where nothing was."""
        return " ".join(", ".join(self.texts(key)).split()) or None

    def stated(self, key: str) -> Stated:
        """What was answered, with the question."""
        return Stated(self.texts(key), _ASKED[key].asked, key)

    def watched(self) -> Watched:
        """The same answers, which remember what was asked for."""
        return Watched(self.answers)


@dataclass(frozen=True)
class Watched(Info):
    """Answers that remember which of them were asked for: others need not be published.

    Examples
    --------
    >>> info = Info({"service.name": ("Calls",), "service.contact": ("ann@example.org",)}).watched()
    >>> info.text("service.name"), info.texts("use.intended")
    ('Calls', ())
    >>> info.used()
    Info(answers={'service.name': ('Calls',)})
    """

    _asked: set[str] = field(default_factory=set, compare=False, repr=False)

    def texts(self, key: str) -> tuple[str, ...]:
        """What was answered; nothing where nothing was."""
        self._asked.add(key)
        return super().texts(key)

    def used(self) -> Info:
        """The answers that were asked for, alone."""
        return Info({key: texts for key, texts in self.answers.items() if key in self._asked})


def _tables() -> dict[str, list[str]]:
    """The keys of each table."""
    tables: dict[str, list[str]] = {}
    for key in _ASKED:
        table, name = key.split(".")
        tables.setdefault(table, []).append(name)
    return tables


def _texts(section: Section, key: str) -> tuple[str, ...]:
    """One text or several, none of them blank, without white space around them.

    A date without quotes is as good as one with them.
    """
    value = section.content[key]
    texts = [_text(each) for each in (value if isinstance(value, list | tuple) else [value])]
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise section.refuse(key, "a text in quotes, or a list of them, none of them empty")
    return tuple(text.strip() for text in texts)


def _text(value: Any) -> Any:
    """A date as text, all else as it is."""
    return value.isoformat() if isinstance(value, dt.date) else value


def start() -> str:
    """A service.toml to fill in: every question, with an answer to start from.

    Questions have two comment marks and answers one, so that it stays TOML without the first
    mark of every line.
    """
    return "\n".join([_START, *_questions()])


def _questions() -> Iterator[str]:
    for table, names in _tables().items():
        yield f"[{table}]"
        for name in names:
            yield from _question(_ASKED[f"{table}.{name}"], name)
        yield ""


def _question(asked: Field, name: str) -> Iterator[str]:
    # The quotes of JSON are those of TOML.
    example = json.dumps(asked.example or "...", ensure_ascii=False)
    yield f"## {asked.asked}"
    yield f"#{name} = {f'[{example}]' if asked.several else example}"
