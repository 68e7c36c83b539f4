"""What a card carries so that anybody can check it: from which audits and how it was made."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from fairaudit import __version__
from fairaudit.exceptions import FairauditError
from fairaudit.report.card.info import Info
from fairaudit.report.card.model import Annex, AuditFile, Template, Wanted
from fairaudit.report.sheets import printable

SCHEMA = "fairaudit/card/1"
#: Where the seal stands. Nothing that comes from data can look so: it is escaped.
_PLACES = {
    "html": re.compile(
        r'<script type="application/json" id="fairaudit-card">([^<>&\n-]*)</script>'
    ),
    "markdown": re.compile(r"^<!-- fairaudit-card: ([^<>&\n-]*) -->$", re.MULTILINE),
    "json": re.compile(r'^ "seal": ([^<>&\n-]*),$', re.MULTILINE),
}
#: Characters that could end a comment or a script.
_UNSAFE = {ord(character): f"\\u{ord(character):04x}" for character in "<>&-"}


@dataclass(frozen=True)
class Seal:
    """From which audits, and how, a card was made.

    Attributes
    ----------
    audits : sequence of (str, str)
        Name and SHA-256 of each audit file.
    info : Info
        What the owner stated.
    wanted : Wanted
        What sort of card it is.
    version : str
        Of fairaudit.
    """

    audits: Sequence[tuple[str, str]]
    info: Info
    wanted: Wanted
    version: str = __version__

    @classmethod
    def of(cls, files: Sequence[AuditFile], info: Info, wanted: Wanted) -> Seal:
        """The seal of a card that is made now."""
        return cls([(file.name, file.sha256) for file in files], info, wanted)

    def text(self) -> str:
        r"""JSON on one line, which neither ends a comment nor a script.

        Examples
        --------
        >>> Seal([("<a>.json", "0")], Info(), Wanted()).text()[:65]
        '{"schema": "fairaudit/card/1", "audits": [["\\u003ca\\u003e.json", '
        """
        content = {
            "schema": SCHEMA,
            "audits": [list(audit) for audit in self.audits],
            "wanted": vars(self.wanted),
            "info": self.info.to_dict(),
            "version": self.version,
        }
        # Only texts can hold these: the numbers here are counts and not negative.
        return json.dumps(content, ensure_ascii=True).translate(_UNSAFE)

    @classmethod
    def find(cls, card: str, form: str) -> Seal:
        """The seal of a card that was made before.

        Parameters
        ----------
        card : str
            Its text.
        form : {"html", "markdown", "json"}

        Raises
        ------
        FairauditError
            If there is none, or it is broken.
        """
        found = _PLACES[form].findall(card)
        if not found:
            raise FairauditError("no card of fairaudit: it carries no seal.")
        try:
            content = json.loads(found[-1])
            if content["schema"] != SCHEMA:
                raise FairauditError(f"its schema is {content['schema']!r}; expected {SCHEMA!r}.")
            audits = [(str(name), str(digest)) for name, digest in content["audits"]]
            wanted = _wanted(**content["wanted"])
            return cls(audits, Info.from_dict(content["info"]), wanted, str(content["version"]))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise FairauditError("its seal is broken: it was not written by fairaudit.") from None


def _wanted(template: Any, annexes: Any, suppress: Any, texts: Any) -> Wanted:
    """What was wanted, checked: it comes from a file that anybody may have written."""
    known = template in get_args(Template) and set(annexes) <= {*get_args(Annex)}
    if not known or not isinstance(suppress, int) or not isinstance(texts, bool):
        raise ValueError
    return Wanted(template, tuple(annexes), suppress, texts)


def mismatches(seal: Seal, files: Sequence[AuditFile]) -> Iterator[str]:
    """Audit files that are not those which the card was made from."""
    given = {file.sha256: file.name for file in files}
    sealed = {digest: name for name, digest in seal.audits}
    for digest, name in sealed.items():
        if digest not in given:
            same = any(file.name == name for file in files)
            yield f"{name}: {'was changed since' if same else 'is not among the audits given'}."
    for digest, name in given.items():
        if digest not in sealed and name not in sealed.values():
            yield f"{name}: the card was not made from it."


def in_order(seal: Seal, files: Sequence[AuditFile]) -> list[AuditFile]:
    """The files in the order, and under the names, that they had when the card was made."""
    by_digest = {file.sha256: file for file in files}
    return [AuditFile(name, digest, by_digest[digest].audit) for name, digest in seal.audits]


def differences(card: str, expected: str) -> Iterator[str]:
    r"""Lines of the card that the audits do not give.

    >>> list(differences("a\n1.24 b", "a\n1.23 b"))
    ["line 2: '1.24 b' where the audits give '1.23 b'."]
    """
    found, wanted = card.split("\n"), expected.split("\n")
    for i, (own, right) in enumerate(zip(found, wanted, strict=False), start=1):
        if own != right:
            shown, given = (_around(line, _common(own, right)) for line in (own, right))
            yield f"line {i}: '{shown}' where the audits give '{given}'."
    if len(found) != len(wanted):
        yield f"it has {len(found):,} lines; the audits give {len(wanted):,}."


def _common(a: str, b: str) -> int:
    """How many characters both begin with."""
    pairs = enumerate(zip(a, b, strict=False))
    return next((i for i, (x, y) in pairs if x != y), min(len(a), len(b)))


def _around(line: str, at: int) -> str:
    """What stands around a place."""
    return printable(line[max(0, at - 20) : at + 20])
