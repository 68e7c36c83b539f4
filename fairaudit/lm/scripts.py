"""What scripts make of words."""

from __future__ import annotations

import unicodedata

#: Scripts that put no blanks between words, as the names of their characters begin.
_WITHOUT_BLANKS = (
    "CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "HALFWIDTH KATAKANA",
    "THAI", "LAO", "KHMER", "MYANMAR",
)  # fmt: skip


def is_without_blanks(character: str) -> bool:
    """Whether a character is of a script that puts no blanks between words.

    >>> is_without_blanks("a"), is_without_blanks("字")
    (False, True)
    """
    return unicodedata.name(character, "").startswith(_WITHOUT_BLANKS)
