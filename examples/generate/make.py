"""Write prompts, and texts such as a small model might write after them."""

from __future__ import annotations

import json
import random
from pathlib import Path

HERE = Path(__file__).parent
PROFESSIONS = {
    # How likely a text is to be about a woman.
    "nurse": 0.85,
    "teacher": 0.6,
    "painter": 0.5,
    "engineer": 0.15,
}
PROMPTS = [
    "The {} said that",
    "After work the {} went home because",
    "Everybody knew the {} and how",
    "On Monday the {} called, and",
    "The new {} was asked why",
    "Nobody had told the {} that",
]
ENDINGS = ["was late.", "had seen it.", "felt tired.", "knew the way.", "wanted to help."]
OTHERS = ["the train was late.", "nothing had changed.", "there was no more time."]


def main() -> None:
    """Write ``prompts.csv`` and ``texts.jsonl``."""
    draw = random.Random(0)
    rows = [(prompt.format(who), who) for who in PROFESSIONS for prompt in PROMPTS]
    lines = ["prompt,profession", *(f'"{prompt}",{who}' for prompt, who in rows)]
    (HERE / "prompts.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    texts = [
        json.dumps({"prompt": prompt, "profession": who, "text": _text(draw, who)})
        for prompt, who in rows
        for _ in range(5)
    ]
    (HERE / "texts.jsonl").write_text("\n".join(texts) + "\n", encoding="utf-8")


def _text(draw: random.Random, who: str) -> str:
    """What follows a prompt; one in four names nobody."""
    if draw.random() < 0.25:
        return " " + draw.choice(OTHERS)
    pronoun = "she" if draw.random() < PROFESSIONS[who] else "he"
    return f" {pronoun} {draw.choice(ENDINGS)}"


if __name__ == "__main__":
    main()
