"""The text standardisation of a study of racial disparities, by the rules of its authors' code.

Koenecke et al., "Racial disparities in automated speech recognition", PNAS 117(14), 2020; code:
stanford-policylab/asr-disparities, ``transcript_cleaning_functions.py``. It does to each side what
its corpus needs; an audit must not favour a side, so here all rules apply to both. The other
differences are where the code would count a way of writing as an error, or stop:

* Rules do not reach into words, nor into their own results. The code makes "calright" of "call
  right" ("all right") and, in upper case, "STREETVENDOR" of "STREET VENDOR" ("T V").
* Case is ignored from the numbers on: 1ST is "first". So it is in "aks".
* Typographic apostrophes are apostrophes.
* Numbers on which the code stops (12s) or which it cuts (50$) are read as others are, and those
  of more than 36 digits are left alone.

As in the code, a comma in a number is punctuation ("1,000" is "one zero"), 1900 is "nineteen zero"
and 42010 "forty twenty ten". "N" is not "north": there the letters are in lower case by then, and
the rule never applies. Corrections of single misspellings in the authors' second corpus are left
out.
"""

from __future__ import annotations

import re

from fairaudit.audits.speech.normalizers.rule import APOSTROPHES, Phrases

_SPELLINGS = {
    # The code replaces these four in CORAAL's references only. On both sides they favour none:
    # a recogniser that writes "aks" has heard the word that was said.
    "aks": "ask",
    "aksing": "asking",
    "aksed": "asked",
    "busses": "buses",
    "cuz": "cause",
    "ok": "okay",
    "o": "oh",
    "till": "til",
    "yup": "yep",
    "imma": "ima",
    "mister": "mr",
    "doctor": "dr",
    "gonna": "going to",
    "tryna": "trying to",
    "carryout": "carry out",
    "sawmill": "saw mill",
    "highschool": "high school",
    "worldclass": "world class",
    "saint": "st",
    "street": "st",
    "state": "st",
    "avenue": "ave",
    "road": "rd",
    "boulevard": "blvd",
    "theatre": "theater",
    "neighbour": "neighbor",
    "neighbours": "neighbors",
    "neighbourhood": "neighborhood",
    "programme": "program",
    "all right": "alright",
    "north east": "northeast",
    "north west": "northwest",
    "south east": "southeast",
    "south west": "southwest",
    "north eastern": "northeastern",
    "north western": "northwestern",
    "south eastern": "southeastern",
    "south western": "southwestern",
}

_STATES = {
    name: code
    for code, _, name in (
        state.partition(" ")
        for state in (
            "al alabama, ak alaska, az arizona, ar arkansas, ca california, co colorado, "
            "ct connecticut, de delaware, fl florida, ga georgia, hi hawaii, id idaho, "
            "il illinois, in indiana, ia iowa, ks kansas, ky kentucky, la louisiana, me maine, "
            "md maryland, ma massachusetts, mi michigan, mn minnesota, ms mississippi, "
            "mo missouri, mt montana, ne nebraska, nv nevada, nh new hampshire, nj new jersey, "
            "nm new mexico, ny new york, nc north carolina, nd north dakota, oh ohio, "
            "ok oklahoma, or oregon, pa pennsylvania, ri rhode island, sc south carolina, "
            "sd south dakota, tn tennessee, tx texas, ut utah, vt vermont, va virginia, "
            "wa washington, wv west virginia, wi wisconsin, wy wyoming"
        ).split(", ")
    )
}

_FILLERS = "um uh mm hm ooh woo mhm huh ha".split()

#: Some recognisers mask them: counted, they would be errors of whoever says them.
_SWEAR_WORDS = (
    "nigga niggas shit bitch damn fuck fuckin fucking motherfuckin motherfucking"
).split()

# One pass does what the code does in four: no rule makes a word that a later one would change.
_PHRASES = Phrases(_SPELLINGS | _STATES | dict.fromkeys(_FILLERS + _SWEAR_WORDS, ""))

_MARKS = re.compile(r"[][<>(){}/%]")
_FLAGS = [
    re.compile(flag) for flag in (r"(?i)/(?:unintelligible|inaudible)/", r"/RD.*?/", r"/\?+/")
]
_MARKUP = [
    (re.compile(pattern), closing)
    for pattern, closing in ((r" ?<[^>]+>", ">"), (r" ?\([^)]+\)", ")"), (r" ?\{[^}]+\}", "}"))
]
#: The backslash, later a space, keeps the words around a square bracket apart, as in the code.
_SQUARE = str.maketrans({"[": "\\{", "]": "\\}"})
_BRACKET = re.compile(r"[<>(){}]")

_SPELLED_OUT = re.compile(r"\b(T(?= V(?![A-Z]))|D(?= C(?![A-Z]))) ")
_APOSTROPHES = str.maketrans("", "", APOSTROPHES)
_PUNCTUATION = re.compile(r"[^\s\w$]|_")

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_THOUSANDS = (
    "thousand million billion trillion quadrillion quintillion sextillion septillion octillion "
    "nonillion decillion"
).split()
_UNITS = [
    (100, "hundred"),
    *((1000**power, name) for power, name in enumerate(_THOUSANDS, 1)),
][::-1]
_MOST_DIGITS = 36
_DIGITS = "0123456789"
_NUMERAL = re.compile(r"[0-9$]")
_ORDINALS = {
    "1st": "first",
    "2nd": "second",
    "3rd": "third",
    "5th": "fifth",
    "8th": "eighth",
    "9th": "ninth",
    "12th": "twelfth",
}
_SUFFIXES = ("s", "th", "st", "nd", "rd")

_DIGIT = "|".join(_ONES[1:10])
_YEARS = re.compile(rf"\btwo thousand (?:and )?(?={'|'.join(_ONES[10:] + _TENS)})")
_THOUSAND_AND = re.compile(rf"\bthousand and (?={_DIGIT})")
_HUNDRED = re.compile(rf"\b({_DIGIT}) hundred (?=(?:{_DIGIT})(?: |$))")


def koenecke(lines: str) -> str:
    r"""Standardise texts as Koenecke et al. (2020) did.

    Without markup, punctuation, fillers and swear words; in lower case; numbers in words; one
    spelling of what is commonly spelled in several ways.

    Parameters
    ----------
    lines : str
        One utterance a line.

    Returns
    -------
    str
        As many lines.

    Examples
    --------
    >>> koenecke("Um, I'm gonna leave <laugh> New York\nin 1995 -- for $301, OK?")
    'im going to leave ny\nin nineteen ninety five for three oh one dollars okay'
    """
    return "\n".join(map(_standardised, lines.split("\n")))


def _standardised(line: str) -> str:
    if _MARKS.search(line):
        line = _without_markup(line)
    line = _SPELLED_OUT.sub(r"\1", line).translate(_APOSTROPHES)
    line = " ".join(_PUNCTUATION.sub(" ", line).lower().split())
    return _PHRASES(_numbers_in_words(line.replace("ft ²", "square feet")))


def _without_markup(line: str) -> str:
    line = line.translate(_SQUARE)
    for flag in _FLAGS:
        line = flag.sub("", line)
    for markup, closing in _MARKUP:
        # After the last closing bracket each opening one would be searched to the line's end.
        end = line.rfind(closing) + 1
        line = markup.sub("", line[:end]) + line[end:]
    line = line.replace("%HESITATION", " ")
    return " ".join([word for word in line.split() if not _BRACKET.search(word)])


def _numbers_in_words(text: str) -> str:
    if _NUMERAL.search(text):
        text = " ".join(map(_amount, text.split())).replace("$", "dollars")
    return _as_spoken(text)


def _amount(word: str) -> str:
    """Read a number with or without a dollar sign.

    >>> _amount("$5"), _amount("$1"), _amount("$"), _amount("three")
    ('five dollars', 'one dollar', '$', 'three')
    """
    number = word.lstrip("$")
    if number in ("", word):
        return _number(word)
    return f"{_number(number)} dollar{'' if number in ('1', 'a') else 's'}"


def _number(word: str) -> str:
    """Read a number and what is written on to it.

    >>> _number("1995"), _number("80s"), _number("3rd"), _number("5pm"), _number("a4")
    ('nineteen ninety five', 'eighties', 'third', 'five pm', 'a4')
    """
    rest = word.lstrip(_DIGITS)
    digits = word[: len(word) - len(rest)]
    if not 0 < len(digits) <= _MOST_DIGITS:
        return word
    if rest in _SUFFIXES:
        return _suffixed(digits, rest)
    return f"{_cardinal(digits)} {rest}".strip()


def _suffixed(digits: str, suffix: str) -> str:
    """Read an ordinal or a decade.

    >>> _suffixed("21", "st"), _suffixed("112", "th"), _suffixed("1990", "s")
    ('twenty first', 'one hundred twelfth', 'nineteen nineties')
    """
    if digits + suffix in _ORDINALS:
        return _ORDINALS[digits + suffix]
    irregular = digits[-1] in "123589" and digits[-2:-1] != "1"
    cut = 2 if digits.endswith("12") else int(irregular)
    if 0 < cut < len(digits):
        return f"{_cardinal(digits[:-cut] + '0' * cut)} {_suffixed(digits[-cut:], suffix)}"
    words = _cardinal(digits)
    stem = words[:-1] + "ie" if words.endswith("y") and suffix in ("s", "th") else words
    return stem + suffix


def _cardinal(digits: str) -> str:
    """Read a number; years, as the paper has them, by pairs of digits.

    >>> _cardinal("1905"), _cardinal("2009"), _cardinal("2019"), _cardinal("301")
    ('nineteen five', 'two thousand nine', 'twenty nineteen', 'three oh one')
    """
    n = int(digits)
    if 1100 <= n < 2000 or 2010 <= n < 2100 or n == 5050:
        return f"{_words(n // 100)} {_words(n % 100)}"
    return _as_spoken(_words(n))


def _words(n: int) -> str:
    """A number in words, without "and".

    >>> _words(1_234_507)
    'one million two hundred thirty four thousand five hundred seven'
    """
    if n < 20:
        return _ONES[n]
    if n < 100:
        return _TENS[n // 10 - 2] + (f" {_ONES[n % 10]}" if n % 10 else "")
    unit, name = next((unit, name) for unit, name in _UNITS if unit <= n)
    rest = f" {_words(n % unit)}" if n % unit else ""
    return f"{_words(n // unit)} {name}{rest}"


def _as_spoken(text: str) -> str:
    """Read years and room numbers as they are said.

    >>> _as_spoken("two thousand and ten"), _as_spoken("room three hundred one")
    ('twenty ten', 'room three oh one')
    """
    if "thousand" in text:
        text = _THOUSAND_AND.sub("thousand ", _YEARS.sub("twenty ", text))
    if "hundred" in text:
        text = _HUNDRED.sub(r"\1 oh ", text)
    return text
