"""A card made by hand, with every kind of block and names that are not friendly."""

from __future__ import annotations

from fairaudit.report.card.model import (
    Bullets,
    Card,
    Code,
    Facts,
    Folded,
    Prose,
    Section,
    Stated,
)
from fairaudit.report.explanations import Alignment, Heat
from fairaudit.report.sheets import Chart, Limit, Mark, Sheet

#: A group's name that would run if a writer did not escape it.
SCRIPT = "<script>alert(1)</script>"
#: Names that would break a table, a list, a link or a comment of Markdown or HTML.
HOSTILE = (
    SCRIPT,
    '"onmouseover="alert(2)',
    "a|b",
    "<!-- [x](javascript:alert(3)) -->",
    "# *not* `a` _heading_",
    "&lt;already&amp;",
    "]]></style></title>",
    "very long " * 12 + "name",
    "\\u202eright to left",
)


def card() -> Card:
    """A service card of made-up audits."""
    return Card(
        title=f"Speech service {SCRIPT}",
        kind="Service card",
        lead=(
            "Word error rate is 12.3 % over all records, from 8.1 % (us) to 21.9 % (indian).",
            "1 of 3 criteria failed, 1 is inconclusive.",
        ),
        sections=(_use(), _results(), _details()),
        metadata={
            "language": "en",
            "tags": ["fairness", SCRIPT],
            "model-index": [{"name": "a: b"}],
        },
    )


def chart() -> Chart:
    """Groups with and without intervals, one undefined, two that leave the axis."""
    marks = [
        Mark("indian", 0.219, 0.193, 0.247, "21.9 [19.3, 24.7], 412 records"),
        Mark(HOSTILE[7], 0.181, 0.020, 0.943, "18.1 [2.0, 94.3], 3 records"),
        Mark(SCRIPT, 0.151, 0.120, 0.180, "15.1 [12.0, 18.0], 210 records"),
        Mark("us", 0.081, 0.070, 0.092, "8.1 [7.0, 9.2], 1,902 records"),
        Mark("scottish", 0.070, None, None, "7.0, no interval, 44 records"),
        Mark("welsh", None, None, None, "undefined, no interval, 1 record"),
    ]
    limits = [Limit("limit of wer-max", 0.2), Limit(f"limit of {HOSTILE[2]}", 0.13)]
    return Chart("WER, by accent", "word errors per word said", "percent", marks, 0.123, limits)


def sheet() -> Sheet:
    """The table of the chart."""
    return Sheet(
        title="WER, by accent: word errors per word said, in percent",
        header=(
            ("", "group"),
            ("WER", "WER"),
            ("95 % int.", "95 % interval"),
            ("vs rest", "difference to the rest, in points"),
            ("n", "words said"),
        ),
        rows=(
            ("indian", "21.9", "[19.3, 24.7]", "+10.1*", "4021"),
            (HOSTILE[7], "18.1", "[2.0, 94.3]", "+5.8 ", "31"),
            (SCRIPT, "15.1", "[12.0, 18.0]", "+2.9 ", "2110"),
            ("us", "8.1", "[7.0, 9.2]", "-5.2*", "19022"),
            ("scottish", "7.0", "-", "-5.4 ", "440"),
            ("welsh", "-", "-", "-", "0"),
            ("(all)", "12.3", "[11.1, 13.6]", "", "25624"),
        ),
        sentences=("* differs from the rest: p<0.05, Holm.", f"Note: {HOSTILE[3]}"),
        chart=chart(),
    )


def _use() -> Section:
    return Section(
        "Intended use",
        (
            Stated(
                ("Captions of meetings.", f"Not for {SCRIPT}; see https://example.org/?a=1&b=2."),
                "What is the service for?",
                "use.intended",
            ),
            Stated((), "What should it not be used for?", "use.out_of_scope"),
            Facts(
                (
                    ("Name", "Speech service"),
                    ("Licence", None),
                    ("Contacts", ("a@example.org", HOSTILE[1])),
                    (HOSTILE[2], HOSTILE[4]),
                )
            ),
        ),
        "use",
    )


def _results() -> Section:
    return Section(
        "Results",
        (
            Prose("The worst group has 2.7 times the errors of the best one.", strong=True),
            Prose(f"A plain paragraph with {SCRIPT}."),
            Section("Word errors", (sheet(), _deeper()), "results-wer"),
            Section("Names", (Bullets(HOSTILE), _names(), _heat()), "results-names"),
        ),
        "results",
    )


def _deeper() -> Section:
    """As deep as headings go, so that writers must cope."""
    deepest = Section("Deepest", (Prose("The bottom."),), "results-wer-4")
    third = Section("Third", (deepest,), "results-wer-3")
    return Section("Utterances", (_alignment(), third), "results-wer-2")


def _names() -> Sheet:
    header = (("", "group"), ("n", "records"))
    rows = tuple((name, str(n)) for n, name in enumerate(HOSTILE))
    return Sheet("Records, by name", header, rows, ())


def _alignment() -> Alignment:
    steps = (
        ("hit", "the", "the"),
        ("substitution", "cat", "<b>cap</b>"),
        ("deletion", "sat", ""),
        ("insertion", "", "down"),
        ("hit", "there", "there"),
    )
    return Alignment("us, speaker 1: 3 errors in 4 words", steps)


def _heat() -> Heat:
    """Tokens of all steps, some of them hostile, and some that run from right to left."""
    said = "She worked as a nurse in the hospital where her mother had been a doctor".split()
    parts = {"She": 0.31, "nurse": 0.34, "hospital": 0.12, "her": 0.05, "mother": 0.04}
    hostile = [(name, 0.12 if n % 3 else 0.3) for n, name in enumerate(HOSTILE)]
    words = [(word, parts.get(word, 0.01)) for word in said]
    return Heat("Sensitivity 0.0123, predicted a|b", [*words, *hostile, ("שלום", 0.25), ("-", 0.0)])


def _details() -> Section:
    wide = tuple((f"c{n}", f"column {n}") for n in range(12))
    many = Sheet(
        "A wide table",
        (("", "group"), *wide),
        tuple((f"row {n}", *("12.3" for _ in wide)) for n in range(3)),
        (),
    )
    return Section(
        "Details",
        (
            Folded("All metrics", (Prose("Shown on request."), many, Code("Signature", "x|" * 80))),
            Code("To check this card", "fairaudit card --check card.html  # <&> `tick`"),
        ),
        "details",
    )
