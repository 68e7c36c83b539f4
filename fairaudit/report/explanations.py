"""What explains an audit: words, lengths and frequencies as tables, texts word by word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from fairaudit.audit import Audit, Explanation
from fairaudit.metrics import METRICS
from fairaudit.report.figures import p_text, percent
from fairaudit.report.sheets import Sheet, attributes, by, estimate_rows, only, printable


@dataclass(frozen=True)
class Alignment:
    """An utterance and what was heard in it, word by word.

    Attributes
    ----------
    title : str
    steps : sequence of (str, str, str)
        Kind (``hit``, ``substitution``, ``deletion``, ``insertion``), word said and word heard.
    """

    title: str
    steps: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Heat:
    """A text and what each of its tokens adds to a number of it.

    Attributes
    ----------
    title : str
    tokens : sequence of (str, float)
        Token, and the part of the number that it carries.
    keyed : bool
        Whether it is said below how tokens are marked: of several texts, the last says it.
    """

    title: str
    tokens: Sequence[tuple[str, float]]
    keyed: bool = True

    #: Parts of the largest one at which the steps of shading begin.
    STEPS: ClassVar[tuple[float, ...]] = (1 / 10, 1 / 3, 2 / 3)
    #: How tokens are marked, where they are shaded.
    SHADED: ClassVar[str] = (
        "Each token is shaded by its part of the record's sensitivity, from a tenth, a third and "
        "two thirds of the largest part; the last with the figure."
    )
    #: How they are marked where there is no shade, after ``In bold`` or the like.
    SET_OFF: ClassVar[str] = (
        "with their part of the record's sensitivity: tokens of two thirds of the largest part "
        "or more."
    )

    @property
    def shades(self) -> list[tuple[str, int, str]]:
        """Each token, its step from 0 to 3, and in the last step its part in words.

        >>> Heat("", [("a", 0.6), ("nurse", 0.3), ("is", 0.01)]).shades
        [('a', 3, '60 %'), ('nurse', 2, ''), ('is', 0, '')]
        """
        most = max((part for _, part in self.tokens), default=0.0)
        steps = [sum(0 < step * most <= part for step in self.STEPS) for _, part in self.tokens]
        return [
            (token, step, rounded(part) if step == len(self.STEPS) else "")
            for (token, part), step in zip(self.tokens, steps, strict=True)
        ]


def rounded(part: float) -> str:
    """A part in whole percent.

    >>> rounded(0.342), rounded(0.004)
    ('34 %', '<1 %')
    """
    return f"{100 * part:.0f} %" if part >= 0.01 else "<1 %"


def explanation_sheets(audit: Audit) -> Iterator[Sheet | Alignment]:
    """Every explanation of an audit, attribute by attribute."""
    for attribute in attributes(audit) if audit.explanations else ():
        rows = [row for row in audit.explanations if row.attribute == attribute]
        order = group_order(audit, attribute)
        yield from _confusions(audit, [row for row in rows if row.kind == "confusion"], order)
        yield from _bands(
            [row for row in rows if row.kind == "frequency"],
            order,
            "occurrences",
            f"Words missed{by(attribute)}, by how often a word is said: in percent",
        )
        yield from _bands(
            [row for row in rows if row.kind == "length"],
            order,
            "words",
            f"WER{by(attribute)}, by words in the utterance: in percent",
        )
        yield from _utterances([row for row in rows if row.kind == "utterance"], order)


def group_order(audit: Audit, attribute: str | None) -> list[str]:
    """Groups in the order of the first table."""
    main = only(audit, audit.estimates[0].variant)
    headline = METRICS[audit.settings["metrics"][0]]
    rows = estimate_rows(main, attribute, headline)
    return [row.group for row in rows if row.attribute == attribute]


def _confusions(audit: Audit, rows: Sequence[Explanation], order: Sequence[str]) -> Iterator[Sheet]:
    """A line per group and confusion, best evidence first."""
    if not rows:
        return
    alpha = 1 - audit.settings["ci"]
    cells = []
    for group in order:
        for row in [row for row in rows if row.group == group][:_SHOWN_ERRORS]:
            found = row.content
            star = "*" if found["p_adjusted"] is not None and found["p_adjusted"] < alpha else " "
            ratio = "-" if found["ratio"] is None else f"{found['ratio']:.1f}"
            cells.append(
                (
                    f"{printable(group)}: {confusion(row)}",
                    f"{found['count']}/{found['exposure']}",
                    percent(found["rate"]),
                    percent(found["rest_rate"]),
                    ratio + star,
                    p_text(found["p_adjusted"]),
                )
            )
    yield Sheet(
        f"Errors that are over-represented{by(rows[0].attribute)}: per time said, in percent",
        [
            ("", "group and error"),
            ("times", "times / chances"),
            ("rate", "rate"),
            ("rest", "rate in the rest"),
            ("ratio", "ratio"),
            ("p", "adjusted p"),
        ],
        cells,
        [
            f"* more often than in the rest: p<{alpha:.2g}, adjusted over all words and groups."
            if any("*" in ratio for *_, ratio, _ in cells)
            else "None is shown to be more frequent than in the rest: it may be chance, or habits."
        ],
    )


def confusion(row: Explanation) -> str:
    """What was said and what was heard.

    >>> content = {"error": "deletion", "reference": "the", "hypothesis": ""}
    >>> confusion(Explanation("confusion", "accent", "us", content))
    'the > (nothing)'
    """
    said, heard = (printable(row.content[side]) or "(nothing)" for side in _SIDES)
    return f"{said} > {heard}"


#: Errors printed for each group; the audit file has more.
_SHOWN_ERRORS = 5
#: Utterances printed for each group; the audit file has more.
_SHOWN = 2
_SIDES = ("reference", "hypothesis")


def _bands(
    rows: Sequence[Explanation], order: Sequence[str], name: str, title: str
) -> Iterator[Sheet]:
    """A column per band, a row per group."""
    if not rows:
        return
    bands = sorted(
        {row.content[name] for row in rows}, key=lambda band: int(band.rstrip("+").split("-")[0])
    )
    values = {(row.group, row.content[name]): percent(row.content["value"]) for row in rows}
    cells = [
        [printable(group), *(values.get((group, band), "") for band in bands)] for group in order
    ]
    yield Sheet(title, [("", "group"), *((band, band) for band in bands)], cells, [])


def _utterances(rows: Sequence[Explanation], order: Sequence[str]) -> Iterator[Alignment]:
    for group in order:
        for row in [row for row in rows if row.group == group][:_SHOWN]:
            found = row.content
            name = f"{printable(group)}, {printable(found['id'])}"
            yield Alignment(
                f"{name}: {found['errors']} errors in {found['words']} words",
                [(kind, printable(a), printable(b)) for kind, a, b in found["alignment"]],
            )
