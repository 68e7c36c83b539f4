"""What is not counted as a word error: case, punctuation and spelling, by named rules.

A normaliser takes a text with one utterance a line and gives one with the same number of lines;
words are then what white space separates. Its name and version stand in the audit's signature,
because each rule moves the rates.
"""

from __future__ import annotations

import hashlib
import re
import sys
import unicodedata
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from fairaudit.exceptions import FairauditError

#: Rules that need no file.
NAMES = ("none", "case", "basic", "whisper-en", "koenecke")

#: Last version of whisper-normalizer that equals OpenAI's; later ones differ without saying so.
_WHISPER_VERSIONS = ("0.1.0", "0.1.1")
#: Plain, curly on either side, modifier letter, full width.
APOSTROPHES = "'\u2019\u2018\u02bc\uff07"


@dataclass(frozen=True)
class Normalizer:
    """A rule with a name.

    Attributes
    ----------
    name : str
        As chosen by the user.
    version : str
        What the signature shows: the name, and the version of a borrowed rule.
    apply : callable
        Lines to lines, a batch at a time.
    """

    name: str
    version: str
    apply: Callable[[str], str]


def normalizer(name: str) -> Normalizer:
    """Find a normaliser, or read one from a file.

    Parameters
    ----------
    name : {"none", "case", "basic", "whisper-en", "koenecke"} or path of a TOML file
        ``none`` changes nothing. ``case`` ignores case alone, as sclite does. ``basic`` ignores
        case and punctuation in any script. ``whisper-en`` is OpenAI's English normaliser,
        exactly. ``koenecke`` is the standardisation of Koenecke et al. (PNAS 2020), for American
        English. A path that ends in ``.toml`` holds rules of your own: see `own_rules`.

    Raises
    ------
    FairauditError
        If there is none of that name, the installed whisper-normalizer is not OpenAI's rule, or
        the file is not as it should be.
    """
    if name == "none":
        return Normalizer(name, name, str)
    if name == "case":
        return Normalizer(name, name, str.lower)
    if name == "basic":
        return Normalizer(name, name, basic)
    if name == "whisper-en":
        return _whisper_en()
    if name == "koenecke":
        from fairaudit.audits.koenecke import koenecke

        return Normalizer(name, name, koenecke)
    if name.lower().endswith(".toml"):
        return own_rules(name)
    raise FairauditError(
        f"--normalize {name}: expected {', '.join(NAMES)}, or a file of your own rules that ends "
        "in .toml."
    )


class _Punctuation(dict[int, str | int]):
    """Translation table: punctuation and symbols to spaces, apostrophes to nothing.

    Marks (category M) stay: in Indic scripts they are the vowels, and Whisper's basic normaliser,
    which strips them, lowers the error rate of those languages.
    """

    def __missing__(self, code: int) -> str | int:
        character = chr(code)
        category = unicodedata.category(character)
        if character in APOSTROPHES or (category == "Cf" and character not in "\u200c\u200d"):
            replacement: str | int = ""
        elif category[0] in "PSZC":
            replacement = "\n" if character == "\n" else " "
        else:
            replacement = code
        self[code] = replacement
        return replacement


_PUNCTUATION = _Punctuation()
#: The same for ASCII, case included, as `bytes.translate` takes it: five times as fast.
_ASCII_DELETED = bytes(code for code in range(128) if _PUNCTUATION[code] == "")
_ASCII = bytes(
    ord(chr(code).lower() if _PUNCTUATION[code] == code else str(_PUNCTUATION[code]) or " ")
    for code in range(128)
) + bytes(range(128, 256))


def basic(lines: str) -> str:
    r"""Ignore case and punctuation, in any script.

    Unicode NFKC; lower case; apostrophes and invisible format characters deleted; all other
    punctuation and symbols become spaces; letters, digits and combining marks stay.

    Examples
    --------
    >>> [" ".join(line.split()) for line in basic("Don't stop -- it's ON!\nहिन्दी।").split("\n")]
    ['dont stop its on', 'हिन्दी']
    """
    if lines.isascii():
        return lines.encode("ascii").translate(_ASCII, _ASCII_DELETED).decode("ascii")
    if "\n" in lines:
        return "\n".join(map(basic, lines.split("\n")))
    return unicodedata.normalize("NFKC", lines).lower().translate(_PUNCTUATION)


def _whisper_en() -> Normalizer:
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version("whisper-normalizer")
        from whisper_normalizer.english import EnglishTextNormalizer
    except (ImportError, PackageNotFoundError):
        found = "missing"
    if found not in _WHISPER_VERSIONS:
        raise FairauditError(
            f"--normalize whisper-en needs whisper-normalizer {_WHISPER_VERSIONS[-1]}, which "
            f"equals OpenAI's normaliser; found {found}. Install it with: "
            f"pip install whisper-normalizer=={_WHISPER_VERSIONS[-1]}"
        )
    rule = EnglishTextNormalizer()
    return Normalizer(
        "whisper-en",
        f"whisper-en(whisper-normalizer {found})",
        lambda lines: "\n".join(rule(line).replace("\n", " ") for line in lines.split("\n")),
    )


class Phrases:
    """Replaces whole words and phrases, the longest first; what was put in is not looked at again.

    Parameters
    ----------
    table : mapping of str to str
        What stands for a word, or for several with spaces between them; an empty text drops them.

    Examples
    --------
    >>> Phrases({"you know": "", "you": "thou", "gonna": "going to"})("you gonna  you know ask you")
    'thou going to ask thou'
    """

    def __init__(self, table: Mapping[str, str]) -> None:
        self._by_first: dict[str, list[tuple[list[str], str]]] = {}
        for phrase in sorted(table, key=lambda phrase: -len(phrase.split())):
            words = phrase.split()
            self._by_first.setdefault(words[0], []).append((words, table[phrase]))

    def __call__(self, line: str) -> str:
        """Replace in a line; words are then one space apart."""
        words = line.split()
        kept: list[str] = []
        i = 0
        while i < len(words):
            for phrase, text in self._by_first.get(words[i], ()):
                if words[i : i + len(phrase)] == phrase:
                    kept.append(text)
                    i += len(phrase)
                    break
            else:
                kept.append(words[i])
                i += 1
        return " ".join(filter(None, kept))


def own_rules(file: str) -> Normalizer:
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
    rules = _Rules(file, _toml(file, content))
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


def _toml(file: str, content: bytes) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        before = content[: error.start].count(b"\n")
        raise FairauditError(
            f"{file}, line {before + 1}: not UTF-8. Save the file as UTF-8."
        ) from None
    except RecursionError:
        raise FairauditError(f"{file}: broken TOML: nested too deeply.") from None
    except ValueError as error:
        found = re.search(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", str(error))
        line = found[2] if found and found[2] else content.count(b"\n") + 1
        raise FairauditError(
            f"{file}, line {line}: broken TOML: {found[1] if found else error}."
        ) from None


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
        if name in NAMES or not re.fullmatch(r"[A-Za-z0-9._-]{1,40}", name):
            raise self.fault(
                "name",
                f" is {name!r}; expected a name of your own, at most 40 letters, digits, '.', '_' "
                "and '-', to stand in the signature.",
            )
        return name

    def base(self) -> Normalizer:
        base = self.expect(self.settings.get("base", "basic"), str, "base")
        if base not in NAMES:
            raise self.fault("base", f" is {base!r}; expected one of {', '.join(NAMES)}.")
        return normalizer(base)

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
