"""What is audited, and how it is measured: the options, checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from fairaudit.exceptions import FairauditError, nearest
from fairaudit.lm.sensitivity.measured import Form, Weighting
from fairaudit.table import Table

#: Files with one model each; all other models are folders.
_FILES = (".skops", ".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle")
#: Options that only a model folder takes.
_OF_FOLDERS = ("--form", "--window", "--batch-size", "--device", "--allow-pickle", "--class")


@dataclass(frozen=True)
class Options:
    """What is audited, and how it is measured.

    Attributes
    ----------
    asked : frozenset of str
        Options that have defaults and were given: where they do nothing they are refused.
    """

    text: str | None
    model: str | None
    encoder: str | None
    target: str | None
    protected: str
    label: str | None
    weighting: Weighting
    form: Form
    normalize: bool
    swap_list: str | Path | None
    names: str | Path | None
    window: bool
    batch: int
    device: str
    allow_pickle: bool
    explain: bool
    progress: Callable[[int], None]
    warn: Callable[[str], None]
    asked: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        *,
        weighting: Weighting | None,
        form: Form | None,
        normalize: bool | None,
        batch: int | None,
        device: str | None,
        window: bool,
        allow_pickle: bool,
        target: str | None,
        **others: Any,
    ) -> Options:
        """Options with defaults in the place of those that were not given."""
        given = {
            "--weighting": weighting,
            "--form": form,
            "--normalize": normalize,
            "--batch-size": batch,
            "--device": device,
            "--window": window or None,
            "--allow-pickle": allow_pickle or None,
            "--class": target,
        }
        return cls(
            weighting="predicted" if weighting is None else weighting,
            form="elementwise" if form is None else form,
            normalize=normalize is not False,
            batch=32 if batch is None else batch,
            device="auto" if device is None else device,
            window=window,
            allow_pickle=allow_pickle,
            target=target,
            asked=frozenset(name for name, value in given.items() if value is not None),
            **others,
        )

    def __post_init__(self) -> None:
        _expect("--weighting", self.weighting, get_args(Weighting))
        _expect("--form", self.form, get_args(Form))
        if self.model is None and self.label is None:
            raise FairauditError(
                "nothing to audit. Name a model (--model), or the column of labels (--label) on "
                "which a baseline is trained."
            )
        if self.weighting == "gold" and self.label is None:
            raise FairauditError("--weighting gold needs the true labels: --label COLUMN.")
        if self.label is not None and not self.labelled:
            raise FairauditError(
                "--label is for --weighting gold, or to train a baseline: leave it out beside "
                "--model."
            )
        if self.encoder is not None:
            self._check_encoder()
        if not self.neural:
            what = "a baseline is trained" if self.model is None else f"{self.model} is a file"
            self.refuse(_OF_FOLDERS, f"is for a model folder, and here {what}: leave it out.")

    def _check_encoder(self) -> None:
        """An encoder is no model yet, and what is trained on it has one label for each text."""
        if self.model is not None:
            raise FairauditError(
                "--encoder is what a baseline is trained on, and --model a model: give one of them."
            )
        self.refuse(["--class"], "is for a model that gives several labels: leave it out.")

    def refuse(self, options: Sequence[str], why: str) -> None:
        """Refuse options that were given and do nothing here.

        Raises
        ------
        FairauditError
            If one was given.
        """
        for option in options:
            if option in self.asked:
                raise FairauditError(f"{option} {why}")

    @property
    def labelled(self) -> bool:
        """Whether labels are read."""
        return self.model is None or self.weighting == "gold"

    @property
    def in_file(self) -> bool:
        """Whether the model is a file, not a folder."""
        if self.model is None or Path(self.model).is_dir():
            return False
        return Path(self.model).suffix.lower() in _FILES or Path(self.model).is_file()

    @property
    def neural(self) -> bool:
        """Whether the model, or what it is trained on, is a folder, read by transformers."""
        return self.encoder is not None or (self.model is not None and not self.in_file)

    def resolve(self, table: Table) -> None:
        """Check the columns, and what is protected.

        Raises
        ------
        FairauditError
            If one is missing, or is given two roles.
        """
        self._check_text(table)
        self._check_roles(table)
        self.source(table)

    def _check_text(self, table: Table) -> None:
        if self.text is not None:
            table.text(self.text)
        elif not self.in_file:
            likely = [name for name in table.names if name.lower() in ("text", "sentence")]
            hint = f" Try --text {likely[0]}." if likely else ""
            raise FairauditError(
                f"--text: name the column of texts. Columns: {', '.join(table.names)}.{hint}"
            )

    def _check_roles(self, table: Table) -> None:
        """Each column is there, and has one role."""
        roles = {"--text": self.text, "--label": self.label, "--protected": self.protected}
        for option, name in roles.items():
            if name is None or (option == "--protected" and name not in table.names):
                continue
            table.column(name)
            other = next(key for key, value in roles.items() if value == name)
            if other != option:
                raise FairauditError(f"{option} {name}: is the column of {other} already.")

    def source(self, table: Table) -> str:
        """Where v comes from: a column, words, uniform or a folder; a column wins.

        Raises
        ------
        FairauditError
            If it is none of these, or the model has no use for it.
        """
        name = self.protected
        if name in table.names:
            return "column"
        if self.text is None:
            table.column(name)
        if name in ("words", "uniform"):
            return name
        if Path(name).expanduser().is_dir():
            self._refuse_folder()
            return "folder"
        raise FairauditError(
            f"--protected {name}: expected a column, words, uniform or a model folder. "
            f"{nearest(name, table.names)}"
        )

    def _refuse_folder(self) -> None:
        """Refuse a folder of a protected model beside a model that has no embeddings."""
        if not self.neural:
            raise FairauditError(
                f"--protected {self.protected}: a folder of a model goes with a model folder. "
                "Here name a column, words or uniform."
            )

    def settings(self) -> dict[str, Any]:
        """For the signature."""
        return {
            "text": self.text,
            "label": self.label,
            "weighting": self.weighting,
            "window": self.window or None,
        }


def _expect(option: str, found: str, allowed: Sequence[str]) -> None:
    if found not in allowed:
        raise FairauditError(f"{option} {found}: expected {', '.join(allowed)}.")
