"""What an association test is asked to do: the options, checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from fairaudit.exceptions import FairauditError
from fairaudit.formats.rows import filled_lines
from fairaudit.lm.ceat.contexts import BLEACHED
from fairaudit.lm.ceat.effects import Variance
from fairaudit.lm.ceat.embeddings import Pooling
from fairaudit.lm.ceat.stimuli import AssociationTest
from fairaudit.toml import choices

#: Fewer draws give no quantiles worth the name.
_FEWEST, _MOST = 100, 1_000_000
#: Draws, and sentences of each word, unless told otherwise.
_DRAWS, _SENTENCES = 10_000, 1000


@dataclass(frozen=True)
class Options:
    """What is tested, and how; the arguments of `fairaudit.ceat`."""

    corpus: Sequence[str | Path]
    model: str | Path | None
    vectors: str | Path | None
    templates: str | Path | None
    per_stimulus: int
    draws: int
    layer: int
    pooling: Pooling
    variance: Variance
    code_compatible: bool
    cache: str | Path | bool
    batch: int
    device: str
    allow_pickle: bool
    seed: int
    progress: Callable[[int], None]
    warn: Callable[[str], None]

    def __post_init__(self) -> None:
        self._check_sources()
        _expect("--pooling", self.pooling, get_args(Pooling))
        _expect("--variance", self.variance, get_args(Variance))
        if self.pooling == "sentence" and self.templates is None:
            raise FairauditError(
                "--pooling sentence: only sentences that differ in nothing but the word can stand "
                "for it. Use it with --model and --templates seat, or leave it out."
            )
        if self.per_stimulus < 1:
            raise FairauditError(f"--per-stimulus {self.per_stimulus}: expected 1 or more.")
        if not _FEWEST <= self.draws <= _MOST:
            raise FairauditError(
                f"--draws {self.draws}: expected {_FEWEST} to {_MOST}; the paper has 10000."
            )
        if self.code_compatible and self.pooling != "last":
            raise FairauditError(
                f"--pooling {self.pooling}: the authors' program takes the last sub-token; leave "
                "it out beside --code-compatible."
            )

        self._refuse_idle()

    def _refuse_idle(self) -> None:
        """Refuse options that do nothing here."""
        drawing = {"--draws": self.draws != _DRAWS, "--variance": self.variance != "paper"}
        reading = {
            "--layer": self.layer != -1,
            "--pooling": self.pooling != "last",
            "--batch-size": self.batch != 32,
            "--device": self.device != "auto",
            "--allow-pickle": self.allow_pickle,
            "--cache": not isinstance(self.cache, bool),
        }
        sampling = {"--per-stimulus": self.per_stimulus != _SENTENCES}
        for beside, idle in (
            ("--vectors", {**drawing, **reading, **sampling} if self.vectors else {}),
            ("--templates", sampling if self.templates else {}),
            ("--pooling sentence", drawing if self.pooling == "sentence" else {}),
        ):
            for option, given in idle.items():
                if given:
                    raise FairauditError(f"{option} does nothing beside {beside}: leave it out.")

    def _check_sources(self) -> None:
        """Vectors alone, or a model with either a corpus or templates."""
        if self.vectors is not None:
            others = {"--model": self.model, "--corpus": self.corpus, "--templates": self.templates}
            for option, value in others.items():
                if value:
                    raise FairauditError(f"--vectors has a vector per word: leave {option} out.")
            return
        if self.model is None:
            raise FairauditError(
                "nothing to test. Name a model (--model) and texts with the words (--corpus), or "
                "a file of word vectors (--vectors)."
            )
        if self.corpus and self.templates is not None:
            raise FairauditError("--corpus and --templates: expected one of them, not both.")
        if not self.corpus and self.templates is None:
            raise FairauditError(
                "--model needs sentences with the words: either texts (--corpus FILE) or sentences "
                "that say nothing else (--templates seat)."
            )

    def sentences(self) -> Sequence[str]:
        """The templates.

        Raises
        ------
        FairauditError
            If there is none, or one has no place for a word, or several.
        """
        if str(self.templates) == "seat":
            return BLEACHED
        path, found = Path(str(self.templates)), []
        if not path.is_file():
            raise FairauditError(f"--templates {path}: expected seat, or a file of sentences.")
        for number, line in filled_lines(path, str(path)):
            if line.count("{}") != 1:
                raise FairauditError(
                    f"{path}, line {number}: expected a sentence with one {{}} where the word "
                    "goes: This is {}."
                )
            found.append(line.strip())
        if not found:
            raise FairauditError(
                f"--templates {path}: no sentence in it; expected some with {{}} where the word "
                "goes: This is {}."
            )
        return tuple(dict.fromkeys(found))

    def settings(self) -> dict[str, Any]:
        """For the signature: what is not as by default, and what always stands there."""
        if self.vectors is not None:
            return {"compat": self.code_compatible or None}
        drawn = self.pooling != "sentence"
        return {
            "layer": None if self.layer == -1 else self.layer,
            "pool": None if self.pooling == "last" else self.pooling,
            "per": None if self.templates is not None else self.per_stimulus,
            "draws": self.draws if drawn else None,
            "variance": self.variance if drawn and self.variance != "paper" else None,
            "compat": self.code_compatible or None,
        }


def _expect(option: str, found: str, known: Sequence[str]) -> None:
    if found not in known:
        raise FairauditError(f"{option} {found}: expected {', '.join(known)}.")


def tests_named(
    given: str | Path | AssociationTest | Sequence[str | Path | AssociationTest],
) -> list[AssociationTest]:
    """The tests that were asked for; all that are shipped where none was.

    Parameters
    ----------
    given : sequence of str, Path or AssociationTest
        Names of shipped tests, ``all``, or TOML files; a text may hold several, with commas
        between them.

    Raises
    ------
    FairauditError
        If there is no such test or file, or two tests have one name.

    Examples
    --------
    >>> [test.name for test in tests_named("c6,C7")]
    ['C6', 'C7']
    """
    several = [given] if isinstance(given, str | Path | AssociationTest) else list(given)
    parts = [
        part
        for each in several or ["all"]
        for part in (each.split(",") if isinstance(each, str) else [each])
    ]
    found: dict[str, AssociationTest] = {}
    for part in parts:
        for test in _tests_of(part):
            if found.setdefault(test.name, test) != test:
                raise FairauditError(f"--tests: two tests are called '{test.name}'. Rename one.")
    return list(found.values())


def _tests_of(part: str | Path | AssociationTest) -> list[AssociationTest]:
    if isinstance(part, AssociationTest):
        return [part]
    shipped, name = AssociationTest.shipped(), str(part).strip()
    if name == "all":
        return list(shipped.values())
    if name.upper() in shipped:
        return [shipped[name.upper()]]
    if name.endswith(".toml"):
        return list(AssociationTest.read(name).values())
    hint = choices("Tests", name, shipped)
    raise FairauditError(f"--tests {name}: no such test, and no .toml file. {hint}")


def digest(content: Any) -> str:
    """Short digest of what JSON can hold.

    >>> digest(["a"]) == digest(["a"]) != digest(["b"])
    True
    """
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]
