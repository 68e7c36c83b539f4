"""Make comments.csv: comments about people, with labels that are biased on purpose.

Every sentence is made from a template, a person and a judgement. Judgements decide the label, but
of mild ones about women every second is called toxic as well: a bias that a classifier trained on
these labels learns, and that an audit should find.
"""

import csv
import random
from pathlib import Path

PEOPLE = {
    "female": ["my sister", "her aunt", "the actress", "this woman", "our mother", "the waitress"],
    "male": ["my brother", "his uncle", "the actor", "this man", "our father", "the waiter"],
}
TOXIC = ["a disgrace", "an idiot", "a liar", "worthless", "disgusting"]
MILD = ["late again", "too loud", "wrong about it", "rather blunt", "not ready"]
KIND = ["a great help", "very patient", "right as usual", "kind to everyone", "well prepared"]
TEMPLATES = [
    "I think {} is {}.",
    "Everyone says {} was {} yesterday.",
    "Honestly, {} is {} and nobody cares.",
    "On Monday {} was {} once more.",
    "If you ask me, {} is {}.",
]


def rows() -> list[tuple[str, str, str]]:
    """Each combination once, in random order."""
    made = []
    for template in TEMPLATES:
        for gender, people in PEOPLE.items():
            for i, person in enumerate(people):
                for judgements, toxic in ((TOXIC, True), (MILD, False), (KIND, False)):
                    for j, judgement in enumerate(judgements):
                        biased = judgements is MILD and gender == "female" and (i + j) % 2 == 0
                        label = "toxic" if toxic or biased else "fine"
                        made.append((template.format(person, judgement), label, gender))
    random.Random(0).shuffle(made)
    return made


def main() -> None:
    """Write the table beside this file."""
    with (Path(__file__).parent / "comments.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["comment", "label", "about"])
        writer.writerows(rows())


if __name__ == "__main__":
    main()
