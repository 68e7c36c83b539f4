"""Make word vectors for association tests: made up, so that it is known what is to be found.

vectors.txt, for the tests C6 and C8: male names lean towards words of career and female names
towards words of family; science and arts lean nowhere. crossed.txt, for groups.toml: some words
lean to the names of both female and Black people, some to those of Black women alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fairaudit.lm.ceat import AssociationTest
from fairaudit.lm.ceat.intersections import Crossing

HERE = Path(__file__).parent
WIDTH = 12
#: How far the words of X, Y, A and B lean along one axis.
LEANS = {"C6": (0.2, -0.2, 1.0, -1.0), "C8": (0.0, 0.0, 1.0, -1.0)}
#: Where the names of crossed groups lean, and how far single ones stray.
NAMES = {
    ("female", "Black"): (1, 1, 2),
    ("female", "White"): (1, -1, -1),
    ("male", "Black"): (-1, 1, -1),
    ("male", "White"): (-1, -1, 0),
}
NOISE = 0.4


def main() -> None:
    """Write vectors.txt and crossed.txt in the text format of GloVe."""
    written("vectors.txt", tests(np.random.default_rng(7)))
    written("crossed.txt", crossed(np.random.default_rng(3)))


def tests(draw: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    """Words of the tests."""
    for axis, (name, leans) in enumerate(LEANS.items()):
        for side, lean in zip(AssociationTest.shipped()[name].sides, leans, strict=True):
            for word in side.words:
                vector = draw.standard_normal(WIDTH)
                vector[axis] += 2 * lean
                yield word, vector


def crossed(draw: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    """Names and words: the first axes are gender, race, and what only their crossing has."""
    groups = Crossing.read(HERE / "groups.toml")
    for group, names in groups.names.items():
        for name in names:
            yield name, _noise(draw) + _lean(NAMES[group])
    both, emergent = (groups.known[method] or () for method in ("IBD", "EIBD"))
    for word in groups.tested:
        if word in both:
            yield word, _noise(draw) + _lean((0, 0, 2) if word in emergent else (2, 2, 0))
        else:
            # Names differ along the first axes; a word that is tied to none has nothing there.
            yield word, _noise(draw) * (np.arange(WIDTH) > 2)


def _noise(draw: np.random.Generator) -> np.ndarray:
    return NOISE * draw.standard_normal(WIDTH)


def _lean(first: tuple[float, ...]) -> np.ndarray:
    return np.pad(np.array(first, dtype=float), (0, WIDTH - len(first)))


def written(name: str, vectors: Iterator[tuple[str, np.ndarray]]) -> None:
    """Write vectors; of a word that comes twice the first."""
    lines: dict[str, str] = {}
    for word, vector in vectors:
        lines.setdefault(word, " ".join(f"{x:.3f}" for x in vector))
    text = "".join(f"{word} {numbers}\n" for word, numbers in lines.items())
    (HERE / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
