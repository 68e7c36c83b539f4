"""Vectors of stimuli on disk, a file each, so that a further test embeds only its new words."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.audit import whole
from fairaudit.exceptions import FairauditError

#: Goes up whenever the same settings would give other vectors, or the files change.
_FORMAT = 2


@dataclass(frozen=True, eq=False)
class Stored:
    """What is kept of a stimulus.

    Attributes
    ----------
    vectors : array of float32, shape (n, width)
        One for each sentence that the model read.
    found : int
        Sentences with the stimulus, those of the sample and others.
    lost : int
        Sentences of the sample of which there is no vector.
    """

    vectors: Array
    found: int
    lost: int


def default_folder() -> Path:
    """``$XDG_CACHE_HOME/fairaudit/ceat``, or ``~/.cache/fairaudit/ceat``."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification: a path that is not absolute is as if there were none.
    root = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    return root / "fairaudit" / "ceat"


class Store(Mapping[str, Array]):
    """Vectors by stimulus; only those that are asked for are in memory.

    Files hold numbers and no text but the stimulus. One that is damaged, or that another program
    wrote, counts as absent.

    Parameters
    ----------
    folder : Path
        Where all stores are kept; it is made if need be.
    settings : mapping
        All that the vectors of a stimulus depend on: model, corpus, layer and so on.

    Raises
    ------
    FairauditError
        If the folder cannot be made.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        key = json.dumps({"format": _FORMAT, **settings}, sort_keys=True)
        self.folder = folder / _digest(key)[:32]
        self._key = key
        self._known: dict[str, tuple[int, int, int]] = {}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FairauditError(
                f"--cache {folder}: cannot be written: {error.strerror}. Name another folder, or "
                "say --no-cache."
            ) from None

    def lacks(self, word: str) -> bool:
        """Whether a stimulus must still be embedded."""
        found = self._read(word)
        if found is not None:
            self._known[word] = len(found.vectors), found.found, found.lost
        return found is None

    def put(self, word: str, stored: Stored) -> None:
        """Keep the vectors of a stimulus; the file appears whole or not at all.

        Raises
        ------
        FairauditError
            If it cannot be written.
        """
        with whole(self._path(word)) as beside, beside.open("wb") as file:
            np.savez(
                file,
                key=np.array([self._key, word]),
                vectors=stored.vectors.astype(np.float32),
                counts=np.array([stored.found, stored.lost]),
            )
        self._known[word] = len(stored.vectors), stored.found, stored.lost

    def kept(self, word: str) -> int:
        """Vectors of a stimulus."""
        return self._known[word][0]

    def found(self, word: str) -> int:
        """Sentences with a stimulus."""
        return self._known[word][1]

    def lost(self, word: str) -> int:
        """Sentences of the sample without a vector."""
        return self._known[word][2]

    def __getitem__(self, word: str) -> Array:
        if not self._known.get(word, (0,))[0]:
            raise KeyError(word)
        stored = self._read(word)
        if stored is None:
            raise FairauditError(f"{self._path(word)}: is gone or damaged. Run the command again.")
        return stored.vectors

    def __iter__(self) -> Iterator[str]:
        return (word for word, (vectors, _, _) in self._known.items() if vectors)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _path(self, word: str) -> Path:
        return self.folder / f"{_digest(word)[:32]}.npz"

    def _read(self, word: str) -> Stored | None:
        try:
            with (
                self._path(word).open("rb") as file,
                np.load(file, allow_pickle=False) as content,
            ):
                key, vectors, counts = (content[name] for name in ("key", "vectors", "counts"))
        except Exception:
            # Whatever is odd about the file, making it anew is right.
            return None
        right = key.tolist() == [self._key, word] and vectors.ndim == 2 and counts.shape == (2,)
        if not right or vectors.dtype != np.float32:
            return None
        return Stored(vectors, *map(int, counts))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
