"""What the owner of a service states: service.toml, read, written anew and started."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fairaudit import toml
from fairaudit.report.card import annexes, fields
from fairaudit.report.card.fields import Field
from fairaudit.report.card.model import Stated
from fairaudit.toml import Section

#: All questions: those of every card, then those of the annexes, which know `Info` as a type only.
FIELDS: tuple[Field, ...] = (*fields.FIELDS, *annexes.FIELDS)
_ASKED = {each.key: each for each in FIELDS}

_START = """\
## What only the owner of a service knows, for: fairaudit card --info service.toml
## Remove the mark in front of what you answer. An answer is a text or a list of texts.
## What has no answer stands in the card as not stated.
"""


@dataclass(frozen=True)
class Info:
    """What the owner of a service states.

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


def _tables() -> dict[str, list[str]]:
    """The keys of each table."""
    tables: dict[str, list[str]] = {}
    for key in _ASKED:
        table, name = key.split(".")
        tables.setdefault(table, []).append(name)
    return tables


def _texts(section: Section, key: str) -> tuple[str, ...]:
    """One text or several, none of them blank, without white space around them."""
    value = section.content[key]
    texts = [value] if isinstance(value, str) else value
    good = isinstance(texts, Sequence) and all(isinstance(t, str) and t.strip() for t in texts)
    if not good or not texts:
        raise section.refuse(key, "a text in quotes, or a list of them, none of them empty")
    return tuple(text.strip() for text in texts)


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
