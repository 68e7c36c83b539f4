"""What is not counted as a word error: case, punctuation and spelling, by named rules.

A normaliser takes texts and gives texts; words are then what white space separates. Its name and
version stand in the audit's signature, because each rule moves the rates.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
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
        Texts to texts, a batch at a time.
    """

    name: str
    version: str
    apply: Callable[[Sequence[str]], list[str]]


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
        return Normalizer(name, name, list)
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
_ASCII = {code: _PUNCTUATION[code] for code in range(128)}


def basic(texts: Sequence[str]) -> list[str]:
    """Ignore case and punctuation, in any script.

    Unicode NFKC; lower case; apostrophes and invisible format characters deleted; all other
    punctuation and symbols become spaces; letters, digits and combining marks stay.

    Examples
    --------
    >>> [" ".join(text.split()) for text in basic(["Don't stop -- it's ON!", "हिन्दी।"])]
    ['dont stop its on', 'हिन्दी']
    """
    lines = "\n".join(texts)
    if lines.isascii() and lines.count("\n") == len(texts) - 1:
        return lines.lower().translate(_ASCII).split("\n")
    return [
        text.lower().translate(_ASCII)
        if text.isascii()
        else unicodedata.normalize("NFKC", text).lower().translate(_PUNCTUATION)
        for text in texts
    ]


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
        lambda texts: [rule(text) for text in texts],
    )
