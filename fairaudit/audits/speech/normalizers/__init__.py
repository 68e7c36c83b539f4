"""What is not counted as a word error: case, punctuation and spelling, by named rules.

A normaliser takes a text with one utterance a line and gives one with the same number of lines;
words are then what white space separates. Its name and version stand in the audit's signature,
because each rule moves the rates.
"""

from __future__ import annotations

from collections.abc import Callable

from fairaudit.audits.speech.normalizers.basic import basic
from fairaudit.audits.speech.normalizers.own import own_rules
from fairaudit.audits.speech.normalizers.rule import Normalizer
from fairaudit.exceptions import FairauditError

__all__ = ["NAMES", "Normalizer", "basic", "normalizer", "own_rules"]

#: Last version of whisper-normalizer that equals OpenAI's; later ones differ without saying so.
_WHISPER_VERSIONS = ("0.1.0", "0.1.1")


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
    if name in _BUILT_IN:
        return _BUILT_IN[name]()
    if name.lower().endswith(".toml"):
        return own_rules(name, _BUILT_IN)
    raise FairauditError(
        f"--normalize {name}: expected {', '.join(NAMES)}, or a file of your own rules that ends "
        "in .toml."
    )


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


def _koenecke() -> Normalizer:
    from fairaudit.audits.speech.normalizers.koenecke import koenecke

    return Normalizer("koenecke", "koenecke", koenecke)


_BUILT_IN: dict[str, Callable[[], Normalizer]] = {
    "none": lambda: Normalizer("none", "none", str),
    "case": lambda: Normalizer("case", "case", str.lower),
    "basic": lambda: Normalizer("basic", "basic", basic),
    "whisper-en": _whisper_en,
    "koenecke": _koenecke,
}
#: Rules that need no file.
NAMES = tuple(_BUILT_IN)
