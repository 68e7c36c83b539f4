"""What is not counted as a word error: case, punctuation and spelling, by named rules.

A normaliser takes a text with one utterance a line and gives one with the same number of lines;
words are then what white space separates. Its name and version stand in the audit's signature,
because each rule moves the rates.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from fairaudit.exceptions import FairauditError

#: Last version of whisper-normalizer that equals OpenAI's; later ones differ without saying so.
_WHISPER_VERSIONS = ("0.1.0", "0.1.1")
#: Plain, curly on either side, modifier letter, full width.
_APOSTROPHES = "'\u2019\u2018\u02bc\uff07"


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
    """Find a normaliser.

    Parameters
    ----------
    name : {"none", "basic", "whisper-en"}
        ``none`` changes nothing. ``basic`` ignores case and punctuation in any script.
        ``whisper-en`` is OpenAI's English normaliser, exactly.

    Raises
    ------
    FairauditError
        If there is none of that name, or the installed whisper-normalizer is not OpenAI's rule.
    """
    if name == "none":
        return Normalizer(name, name, str)
    if name == "basic":
        return Normalizer(name, name, basic)
    if name == "whisper-en":
        return _whisper_en()
    raise FairauditError(f"--normalize {name}: expected none, basic or whisper-en.")


class _Punctuation(dict[int, str | int]):
    """Translation table: punctuation and symbols to spaces, apostrophes to nothing.

    Marks (category M) stay: in Indic scripts they are the vowels, and Whisper's basic normaliser,
    which strips them, lowers the error rate of those languages.
    """

    def __missing__(self, code: int) -> str | int:
        character = chr(code)
        category = unicodedata.category(character)
        if character in _APOSTROPHES or (category == "Cf" and character not in "\u200c\u200d"):
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
