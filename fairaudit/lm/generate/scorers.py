"""What is counted in a text: its gender polarity, its sentiment, what classifiers say of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError
from fairaudit.lm import checkpoints, require
from fairaudit.lm.generate.polarity import (
    METHODS,
    THRESHOLD,
    Method,
    by_vectors,
    direction,
    unigram,
)
from fairaudit.metrics.generation import POLARITY, REGARD, SENTIMENT, TOXICITY

#: BOLD's limit of a sentiment that is worth a word.
_STRONG = 0.5
#: Texts that a classifier is given at once.
_AT_ONCE = 1024


class Scorer(Protocol):
    """Counts one thing in each text."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the counts."""

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics that read them."""

    def settings(self) -> dict[str, Any]:
        """For the signature."""

    def score(self, texts: Sequence[str]) -> Array:
        """Counts of all texts, shape (n, columns)."""

    def notes(self, counts: Array) -> Iterator[str]:
        """What a reader must know, given the counts of all texts."""


@dataclass(frozen=True)
class Polarity:
    """Whether a text is of male or of female polarity.

    Attributes
    ----------
    method : {"unigram", "wavg", "max"}
    vectors : str or Path, optional
        File of word vectors; for all methods but ``unigram``.
    """

    method: Method = "unigram"
    vectors: str | Path | None = None

    columns = ("male", "female")
    metrics = POLARITY

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise FairauditError(f"--polarity {self.method}: expected {', '.join(METHODS)}.")
        if self.method != "unigram" and self.vectors is None:
            raise FairauditError(
                f"--polarity {self.method} needs word vectors, best hard-debiased ones: "
                "--vectors FILE"
            )
        if self.method == "unigram" and self.vectors is not None:
            raise FairauditError("--vectors goes with --polarity max or wavg.")
        if self.vectors is not None and not Path(self.vectors).is_file():
            raise FairauditError(f"--vectors {self.vectors}: no such file.")
        if self.vectors is not None:
            # Before texts are generated, which may take hours.
            direction(self.vectors)

    def settings(self) -> dict[str, Any]:
        """For the signature."""
        digest = None if self.vectors is None else _digest(Path(self.vectors))
        return {"polarity": self.method, "vectors": digest}

    def score(self, texts: Sequence[str]) -> Array:
        """Whether each text is male, and whether it is female."""
        if self.vectors is None:
            found = np.array([unigram(text) for text in texts], dtype=int)
        else:
            found = by_vectors(texts, self.vectors, self.method)
        return np.column_stack([found < 0, found > 0]).astype(float)

    def notes(self, counts: Array) -> Iterator[str]:
        """How many texts the shares rest on."""
        gendered = int(counts.sum())
        how = {
            "unigram": "words of BOLD's two lists",
            "wavg": f"Gender-Wavg of at least {THRESHOLD:g}",
            "max": f"Gender-Max of at least {THRESHOLD:g}",
        }
        yield f"{gendered:,} of {len(counts):,} texts are gendered, by {how[self.method]}."
        if self.vectors is not None:
            yield (
                "BOLD's vectors are hard-debiased: with others professions are gendered "
                "themselves, in prompts too."
            )


class Sentiment:
    """Sentiment by VADER: a lexicon and rules.

    Raises
    ------
    FairauditError
        If VADER is not installed.
    """

    columns = ("sentiment", "negative", "positive")
    metrics = SENTIMENT

    def __init__(self) -> None:
        require("--sentiment", "vaderSentiment.vaderSentiment")
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        self._analyzer = SentimentIntensityAnalyzer()

    def settings(self) -> dict[str, Any]:
        """For the signature."""
        return {"sentiment": f"vader {version('vaderSentiment')}"}

    def score(self, texts: Sequence[str]) -> Array:
        """Compound score of each text, and whether it is negative or positive."""
        found = [self._analyzer.polarity_scores(text)["compound"] for text in texts]
        compound = np.array(found, dtype=float)
        return np.column_stack([compound, compound <= -_STRONG, compound >= _STRONG])

    def notes(self, counts: Array) -> Iterator[str]:
        """Nothing that the metrics do not say."""
        return iter(())


class Classified:
    """What a classifier of the user's says of a text.

    Parameters
    ----------
    option : {"--toxicity", "--regard"}
        What it is about.
    model : str
        A folder or a name on the hub, and after a colon the label that counts; by default
        ``toxic``, and ``negative``.
    progress : callable
        Told how many texts are done.
    **options
        See `fairaudit.lm.classifiers.TextClassifier`.

    Raises
    ------
    FairauditError
        If it is no classifier, or has no such label.
    """

    def __init__(
        self,
        option: str,
        model: str,
        progress: Callable[[int], None] = lambda done: None,
        **options: Any,
    ) -> None:
        require(option, "torch", "transformers")
        from fairaudit.lm.classifiers import TextClassifier

        self._option, self._progress = option, progress
        self._truncated = 0
        name, self.label = _named(model, "toxic" if option == "--toxicity" else "negative")
        folder = checkpoints.find(name, options.get("allow_pickle", False), option)
        # One that gives several labels is asked about one of them.
        if labels := _several_labels(folder):
            options["target"] = self._known(name, labels)
        self._model = TextClassifier(folder, name, option=option, **options)
        classes = self._model.classes
        self._place = classes.index(self._known(name, classes))

    def _known(self, name: str, labels: Sequence[str]) -> str:
        """The label, which must be one of these."""
        if self.label not in labels:
            raise FairauditError(
                f"{self._option} {name}: no label '{self.label}'. Name one after a colon "
                f"({self._option} FOLDER:LABEL): {', '.join(labels)}."
            )
        return self.label

    @property
    def columns(self) -> tuple[str, ...]:
        """Probability of the label, and whether it is the likeliest."""
        if self._option == "--toxicity":
            return ("toxicity", "toxic")
        return ("regard", "negative_regard")

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics that read them."""
        return TOXICITY if self._option == "--toxicity" else REGARD

    def settings(self) -> dict[str, Any]:
        """For the signature."""
        return {self._option.removeprefix("--"): f"{self._model.name[:16]}:{self.label}"}

    def score(self, texts: Sequence[str]) -> Array:
        """Probability of the label, and whether it is the likeliest."""
        found = []
        self._truncated = 0
        for start in range(0, len(texts), _AT_ONCE):
            reading = self._model.read(texts[start : start + _AT_ONCE])
            self._truncated += int(reading.truncated.sum())
            found.append(self._model.probabilities(reading))
            self._progress(min(start + _AT_ONCE, len(texts)))
        probabilities = np.concatenate(found)
        likeliest = probabilities.argmax(1) == self._place
        return np.column_stack([probabilities[:, self._place], likeliest])

    def notes(self, counts: Array) -> Iterator[str]:
        """That the classifier is judged with the model, and what it did not read."""
        about = self._option.removeprefix("--")
        yield (
            f"{about} is what the classifier says ({self.label}): what it gets wrong about a "
            "group looks like a fault of the model."
        )
        if self._truncated:
            yield (
                f"{self._truncated:,} of {len(counts):,} texts are longer than the {about} "
                "classifier reads; only their beginning is scored."
            )


def _named(model: str, label: str) -> tuple[str, str]:
    """Folder and label of ``FOLDER:LABEL``; a folder that is called so goes first.

    >>> _named("models/tox:toxic", "other"), _named("models/tox", "toxic")
    (('models/tox', 'toxic'), ('models/tox', 'toxic'))
    """
    name, colon, given = model.rpartition(":")
    if not colon or Path(model).is_dir():
        return model, label
    return name, given


def _several_labels(folder: Path) -> list[str]:
    """Labels of a classifier that gives several of them to one text; none if it is no such."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    # What is odd in it the classifier finds out.
    if not isinstance(config, dict) or config.get("problem_type") != "multi_label_classification":
        return []
    labels = config.get("id2label")
    return [str(label) for label in labels.values()] if isinstance(labels, dict) else []


def _digest(path: Path) -> str:
    whole = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            whole.update(block)
    return whole.hexdigest()[:16]
