"""Rules of the user's own, from a TOML file."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from fairaudit.audits.speech.normalizers.rule import Normalizer, Phrases
from fairaudit.exceptions import FairauditError
from fairaudit.toml import parse


def own_rules(file: str, built_in: Mapping[str, Callable[[], Normalizer]]) -> Normalizer:
    r"""Read the user's own rules from a TOML file.

    Patterns come first, one after the other, on each line as it stands in the data; then the
    base, a normaliser by name; then `replace` and `drop` in one pass over the words, the longest
    phrase first. These two see what the base leaves, so their words must be written that way:
    "dont" after ``basic``, which deletes apostrophes. The version is the name with a digest of
    the file.

    The file is the user's own program: nothing stops a pattern such as ``(a+)+b`` from taking
    for ever.

    Parameters
    ----------
    file : str
        Path of a file with these keys, of which all but the first may be left out::

            name = "call-centre-en"               # at most 40 letters, digits, ".", "_", "-"
            base = "basic"                        # or none, case, whisper-en, koenecke
            patterns = [                          # as in Python's re
                { pattern = '<[a-z]+>', with = " " },
            ]
            drop = ["uh", "um", "you know"]       # words and phrases
            [replace]                             # words and phrases, and what to put instead
            gonna = "going to"
    built_in : mapping of str to callable
        The normalisers that a file may build on.

    Raises
    ------
    FairauditError
        If the file cannot be read, is no TOML, or holds a rule that could not do what it says.
    """
    try:
        content = Path(file).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FairauditError(f"{file}: {reason}. --normalize needs a readable TOML file.") from None
    rules = _Rules(file, parse(file, content), built_in)
    rules.refuse_unknown(rules.settings, "", ("name", "base", "patterns", "drop", "replace"))
    name, base, patterns = rules.name(), rules.base(), rules.patterns()
    phrases = Phrases(rules.words(base))

    def substituted(line: str) -> str:
        for pattern, text in patterns:
            line = pattern.sub(text, line)
        return line

    def apply(lines: str) -> str:
        if patterns:
            lines = "\n".join(map(substituted, lines.split("\n")))
        return "\n".join(map(phrases, base.apply(lines).split("\n")))

    return Normalizer(name, f"{name}({hashlib.sha256(content).hexdigest()[:12]})", apply)


_T = TypeVar("_T")
_TYPES = {
    str: "a string",
    list: "an array",
    dict: "a table",
    bool: "a boolean",
    int: "an integer",
    float: "a float",
}


@dataclass(frozen=True)
class _Rules:
    """Settings of a file, checked as they are taken out."""

    file: str
    settings: dict[str, Any]
    built_in: Mapping[str, Callable[[], Normalizer]]

    def fault(self, where: str, what: str) -> FairauditError:
        return FairauditError(f"{self.file}: {where}{what}")

    def refuse_unknown(self, table: dict[str, Any], where: str, known: Sequence[str]) -> None:
        for key in table:
            if key not in known:
                raise self.fault(where, f"unknown key '{key}'; expected {', '.join(known)}.")

    def expect(self, value: Any, kind: type[_T], where: str) -> _T:
        if isinstance(value, kind):
            return value
        found = _TYPES.get(type(value), "a date or time")
        raise self.fault(where, f" is {found}; expected {_TYPES[kind]}.")

    def name(self) -> str:
        if "name" not in self.settings:
            raise self.fault("", 'has no name. Give it one: name = "my-rules"')
        name = self.expect(self.settings["name"], str, "name")
        if name in self.built_in or not re.fullmatch(r"[A-Za-z0-9._-]{1,40}", name):
            raise self.fault(
                "name",
                f" is {name!r}; expected a name of your own, at most 40 letters, digits, '.', '_' "
                "and '-', to stand in the signature.",
            )
        return name

    def base(self) -> Normalizer:
        base = self.expect(self.settings.get("base", "basic"), str, "base")
        if base not in self.built_in:
            raise self.fault("base", f" is {base!r}; expected one of {', '.join(self.built_in)}.")
        return self.built_in[base]()

    def patterns(self) -> list[tuple[re.Pattern[str], str]]:
        entries = self.expect(self.settings.get("patterns", []), list, "patterns")
        return [self._pattern(entry, f"pattern {i}") for i, entry in enumerate(entries, 1)]

    def _pattern(self, entry: Any, where: str) -> tuple[re.Pattern[str], str]:
        table = self.expect(entry, dict, where)
        self.refuse_unknown(table, f"{where}: ", ("pattern", "with"))
        for key in ("pattern", "with"):
            if key not in table:
                raise self.fault(where, f": has no '{key}'. Add it: {key} = '...'")
            self.expect(table[key], str, f"{where}: '{key}'")
        try:
            return _compiled(table["pattern"], table["with"])
        except (re.error, IndexError, OverflowError, RecursionError, Warning) as error:
            raise self.fault(
                where, f", {table['pattern']!r} with {table['with']!r}: {error}. See Python's re."
            ) from None

    def words(self, base: Normalizer) -> dict[str, str]:
        """What to put instead of each word or phrase."""
        drop = self.expect(self.settings.get("drop", []), list, "drop")
        replace = self.expect(self.settings.get("replace", {}), dict, "replace")
        table = dict.fromkeys((self._text(phrase, "drop", base) for phrase in drop), "")
        for key, value in replace.items():
            phrase = self._text(key, "replace", base)
            if phrase in table:
                raise self.fault("replace", f": {key!r} stands in another rule, too. Keep one.")
            text = self.expect(value, str, f"replace: {key!r}")
            table[phrase] = text and self._text(text, f"replace: {key!r}", base)
        return table

    def _text(self, value: Any, where: str, base: Normalizer) -> str:
        """Words with a space between them, if the base leaves them as they are."""
        text = self.expect(value, str, f"{where}: {value!r}")
        if not text.split() or "\n" in text:
            raise self.fault(where, f": {text!r} is blank or more than one line; expected words.")
        left = " ".join(base.apply(text).split())
        if left != " ".join(text.split()):
            raise self.fault(
                where,
                f": {text!r} is {left!r} after the base, {base.name}. Write what the base leaves, "
                "leave the rule out, or use patterns, which come before the base.",
            )
        return left


def _compiled(pattern: str, text: str) -> tuple[re.Pattern[str], str]:
    """Compile a pattern, and try what is put in its place on a pattern with the same groups."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compiled = re.compile(pattern)
        names = {number: f"?P<{name}>" for name, number in compiled.groupindex.items()}
        blank = "".join(f"({names.get(i, '')})" for i in range(1, compiled.groups + 1))
        if "\n" in re.sub(blank, text, ""):
            raise re.error("puts in a line break, but an utterance is one line")
    return compiled, text
