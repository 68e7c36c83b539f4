"""Cards as they are written, whole: a change of any form is seen in review.

Run this file as a script to write them anew.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fairaudit.audit import Finding
from fairaudit.report.card import data, html, markdown
from fairaudit.report.card.content import make
from fairaudit.report.card.info import Info
from fairaudit.report.card.model import Wanted
from tests.report.card import made, sample

FOLDER = Path(__file__).parent / "golden"
SEAL = '{"schema": "a seal"}'


def small():
    """A small audit: two accents, one of them unknown in some records, judged."""
    gap = Finding(
        "wer-gap", "", "fail", "error", "wer", "gap", 0.05, "most", "accent", "rp", "us",
        0.2, 0.1, 0.3, 2000.0, "Shown to be at least 10 points.", source="Ours",
    )  # fmt: skip
    rows = [
        made.overall(),
        made.estimate("us", 0.1, 0.08, 0.12),
        made.estimate("rp", 0.3, 0.2, 0.4),
        made.estimate("(missing)", None, records=3),
    ]
    return made.file(made.audit(*rows, findings=[gap]))


def cards():
    """Every block there is, and each template with every annex."""
    yield "sample", sample.card()
    info = Info.from_dict({"service": {"name": "A service"}, "use": {"intended": ["One.", "Two."]}})
    wanted = Wanted(annexes=("ll144", "eu-ai-act", "nist-rmf"))
    for template in ("service-card", "model-card", "report"):
        yield template, make([small()], info, replace(wanted, template=template))


def pages():
    """Name and content of each file."""
    for name, card in cards():
        yield f"{name}.html", html.page(card, SEAL)
        yield f"{name}.md", markdown.page(card, SEAL)
    yield "sample.json", data.page(sample.card(), SEAL)


PAGES = dict(pages())


@pytest.mark.parametrize("name", PAGES)
def test_as_written_down(name):
    assert PAGES[name] == (FOLDER / name).read_text(encoding="utf-8")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page, encoding="utf-8")
