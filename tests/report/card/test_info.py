"""What the owner states: read, written, started."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from fairaudit import toml
from fairaudit.exceptions import FairauditError
from fairaudit.report.card.fields import FIELDS
from fairaudit.report.card.info import Info, start


@pytest.fixture
def read(tmp_path: Path):
    """Read a service.toml with this content."""

    def read(content: str) -> Info:
        path = tmp_path / "service.toml"
        path.write_text(content, encoding="utf-8")
        return Info.read(path)

    return read


def test_an_answer_is_one_text_or_several(read) -> None:
    info = read('[service]\nname = " Calls "\n[use]\nintended = ["a", "b"]\n')
    assert info.texts("service.name") == ("Calls",)
    assert info.texts("use.intended") == ("a", "b")
    assert info.text("use.intended") == "a, b"


def test_what_is_not_answered_is_asked_for(read) -> None:
    stated = read("").stated("use.intended")
    assert (stated.texts, stated.key) == ((), "use.intended")
    assert stated.asked.endswith("?")
    assert Info().text("service.name") is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[servce]\n", r"service\.toml: unknown key 'servce'\. .*Did you mean 'service'\?"),
        ("[use]\nintendd = 'a'", r"service\.toml, use: unknown key 'intendd'\. .*'intended'\?"),
        ("service = 'a'", r"service\.toml, service: expected a table; found 'a'"),
        ("[use]\nintended = 3", r"use: intended: expected a text .*; found 3"),
        ("[use]\nintended = ''", r"use: intended: .*none of them empty; found ''"),
        ("[use]\nintended = [' ']", r"use: intended: .*none of them empty"),
        ("[use]\nintended = []", r"use: intended: .*none of them empty; found \[\]"),
        ("[use]\nintended = ['a', 3]", r"use: intended: expected a text"),
        ("[use.intended]\na = 'b'", r"use: intended: expected a text"),
        ("[review]\ndate = 2026", r"review: date: expected a text .*; found 2026"),
        ("[use\n", r"service\.toml, line 1: broken TOML"),
    ],
)
def test_what_none_asked_for_is_refused(read, content: str, message: str) -> None:
    with pytest.raises(FairauditError, match=message):
        read(content)


def test_a_date_needs_no_quotes(read) -> None:
    info = read("[service]\nrelease = 2026-03-01\n[review]\ndate = [2026-04-01T10:00:00Z]\n")
    assert info.texts("service.release") == ("2026-03-01",)
    assert info.texts("review.date") == ("2026-04-01T10:00:00+00:00",)


def test_what_was_asked_for_is_remembered() -> None:
    answers = {"service.name": ("Calls",), "service.contact": ("a@b.c",), "use.intended": ("x",)}
    watched = Info(answers).watched()
    assert watched.text("service.name") == "Calls"
    assert watched.stated("use.intended").texts == ("x",)
    assert watched.texts("use.limitations") == ()
    assert watched.used() == Info({"service.name": ("Calls",), "use.intended": ("x",)})
    assert Info(answers).watched().used() == Info()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FairauditError, match=r"service\.toml: cannot be read"):
        Info.read(tmp_path / "service.toml")


def test_a_key_that_none_asks_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        Info().texts("use.nonsense")


def test_round_trip_through_json(read) -> None:
    info = read('[service]\nname = "Größe"\n[use]\nintended = ["a", "b"]\n')
    again = Info.from_dict(json.loads(json.dumps(info.to_dict())))
    assert again == info
    assert Info.from_dict(Info().to_dict()) == Info()


def test_what_is_started_answers_nothing(read) -> None:
    assert read(start()) == Info()


def test_what_is_started_without_marks_answers_everything(read) -> None:
    info = read(re.sub(r"^#", "", start(), flags=re.MULTILINE))
    assert set(info.answers) == {each.key for each in FIELDS}
    assert all(info.texts(each.key) for each in FIELDS)


def test_every_question_stands_once() -> None:
    keys = [each.key for each in FIELDS]
    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch(r"[a-z0-9_]+\.[a-z0-9_]+", key) for key in keys)
    assert all(each.asked.endswith(("?", ".")) for each in FIELDS)
    tables = toml.parse("", start().encode())
    assert list(tables) == list(dict.fromkeys(key.split(".")[0] for key in keys))
