"""Generated texts, and whom they are about: made from prompts, or read from a file."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fairaudit import __version__
from fairaudit.audit import Records, keep_apart
from fairaudit.exceptions import FairauditError
from fairaudit.lm import checkpoints, require
from fairaudit.lm.generate import stored
from fairaudit.lm.generate.prompts import open_prompts, open_texts
from fairaudit.lm.generate.sampling import Decoding, write
from fairaudit.lm.journal import Journal
from fairaudit.lm.scripts import is_without_blanks
from fairaudit.selection import Selection
from fairaudit.sources import exists
from fairaudit.table import Table, Workspace

if TYPE_CHECKING:
    from fairaudit.lm.language_models import LanguageModel

Cells = Sequence[str | None]


@dataclass(frozen=True)
class Texts:
    """Generated texts, and whom they are about.

    Attributes
    ----------
    columns : mapping of str to sequence of str or None, each of n
        Attributes.
    prompts : sequence of str or None
        What each text goes on from, where that is known.
    texts : sequence of str
        What was generated, with the blank that stands before it.
    table : Table
        Where they, or the prompts, come from.
    records : Records
    selection : Selection
    settings : mapping
        How they were generated.
    notes : sequence of str
    """

    columns: Mapping[str, Cells]
    prompts: Sequence[str] | None
    texts: Sequence[str]
    table: Table
    records: Records
    selection: Selection
    settings: Mapping[str, Any]
    notes: Sequence[str] = ()

    @property
    def whole(self) -> list[str]:
        """Prompts with what follows them, where they are known."""
        if self.prompts is None:
            return list(self.texts)
        return [prompt + text for prompt, text in zip(self.prompts, self.texts, strict=True)]


@dataclass(frozen=True)
class Running:
    """How models are run; nothing here moves a number."""

    batch: int
    device: str
    allow_pickle: bool
    progress: Callable[..., None]
    warn: Callable[[str], None]

    @property
    def options(self) -> dict[str, Any]:
        """What all models take."""
        return {
            "batch": self.batch,
            "device": self.device,
            "allow_pickle": self.allow_pickle,
            "warn": self.warn,
        }


def read(
    table: Table, selection: Selection, column: str, blank: bool = False
) -> tuple[dict[str, Cells], Records]:
    """All columns of the selected records that have a prompt, or a text.

    Parameters
    ----------
    table : Table
    selection : Selection
    column : str
        That of prompts or texts.
    blank : bool
        Whether an empty text is one; in CSV a blank cell is an empty text.

    Raises
    ------
    FairauditError
        If no record is left.
    """
    doubled = {each.name for each in table.columns if each.duplicated}
    names = [name for name in table.names if name not in doubled]
    found: dict[str, list[str | None]] = {name: [] for name in names}
    dropped = {"filtered by --where": 0, f"no {column}": 0}
    total = 0
    delimited = table.column(column).delimited
    for batch in table.scan(labels=names, where=selection.where, missing_values=selection.na):
        total += batch.records
        there = np.array([_is_there(cell, blank, delimited) for cell in batch.labels[column]])
        keep = batch.keep & there
        dropped["filtered by --where"] += int((~batch.keep).sum())
        dropped[f"no {column}"] += int((batch.keep & ~keep).sum())
        for name in names:
            found[name] += compress(batch.labels[name], keep)
    used = len(found[column])
    left_out = {reason: n for reason, n in dropped.items() if n}
    if not used:
        why = "; ".join(f"{reason}: {n}" for reason, n in left_out.items())
        raise FairauditError(f"{table.name}: no records to audit{why and f' ({why})'}.")
    return dict(found), Records(total, used, left_out)


def _is_there(cell: str | None, blank: bool, delimited: bool) -> bool:
    return (cell is not None or delimited) if blank else bool((cell or "").strip())


@dataclass(frozen=True)
class Generation:
    """Prompts in, texts out.

    Attributes
    ----------
    model : str
    decoding : Decoding
    running : Running
    save : Path or None
        Where the texts go.
    restart : bool
        Whether to forget what an interrupted run did.
    """

    model: str
    decoding: Decoding
    running: Running
    save: Path | None
    restart: bool

    def texts(
        self, workspace: Workspace, source: Any, column: str | None, selection: Selection
    ) -> Texts:
        """Go on from the prompts that are selected.

        Raises
        ------
        FairauditError
            If prompts or model do not allow it.
        """
        table, column = open_prompts(workspace, source, column)
        selection = replace(selection, cluster=selection.cluster or column).resolve(table)
        self._check_save(table, column)
        cells, records = read(table, selection, column)
        # A blank at the end would keep most tokenizers from the words that begin with one.
        prompts = [str(cell).rstrip() for cell in cells[column]]
        model = self._load()
        settings = {"model": model.name[:16], **self.decoding.settings()}
        texts = self._written(model, prompts, settings)
        columns = {name: self._each(values) for name, values in cells.items()}
        columns[column] = list(self._each(prompts))
        found = Texts(
            columns, self._each(prompts), texts, table, self._times(records), selection, settings
        )
        if self.save is not None:
            self._store(self.save, found, column)
        return found

    def _each(self, values: Sequence[Any]) -> list[Any]:
        """Each of them as often as there are samples."""
        return [value for value in values for _ in range(self.decoding.samples)]

    def _times(self, records: Records) -> Records:
        """Numbers of texts, not of prompts."""
        n = self.decoding.samples
        dropped = {reason: n * count for reason, count in records.dropped.items()}
        return Records(n * records.total, n * records.used, dropped)

    def _check_save(self, table: Table, column: str) -> None:
        """Find out before hours of work whether the texts can be saved."""
        if self.save is None:
            return
        keep_apart(self.save, [file.original for file in table.files])
        if exists(self.save) and not self.restart:
            raise FairauditError(
                f"--save {self.save}: is there already. Score it (--texts), name another file, or "
                "say --restart to write it anew."
            )
        taken = (set(table.names) - {column}) & set(stored.OWN)
        if taken:
            raise FairauditError(
                f"{table.name}: column '{min(taken)}' has a name that --save gives to a column of "
                "its own. Rename it."
            )
        if not self.save.absolute().parent.is_dir():
            raise FairauditError(f"--save {self.save}: cannot be written: no such folder.")

    def _load(self) -> LanguageModel:
        require("generate", "torch", "transformers")
        from fairaudit.lm.language_models import LanguageModel

        folder = checkpoints.find(self.model, self.running.allow_pickle)
        return LanguageModel(folder, self.model, **self.running.options)

    def _written(
        self, model: LanguageModel, prompts: Sequence[str], settings: Mapping[str, Any]
    ) -> list[str]:
        if self.save is None:
            return write(model, prompts, self.decoding, None, self.running.progress)
        digest = hashlib.sha256("\0".join(prompts).encode("utf-8", "surrogatepass")).hexdigest()
        work = {name: str(value) for name, value in settings.items()}
        journal = Journal(self.save, {**work, "prompts": digest}, self.restart)
        if journal.done:
            self.running.warn(f"{len(journal.done):,} texts are there already: {journal.path}")
        try:
            return write(model, prompts, self.decoding, journal, self.running.progress)
        except KeyboardInterrupt:
            self.running.warn(
                f"What was written is kept in {journal.path}; the same again goes on."
            )
            raise
        finally:
            journal.close()

    def _store(self, path: Path, found: Texts, column: str) -> None:
        """Write the texts, then take the journal away."""
        versions = {name: version(name) for name in ("torch", "transformers")}
        head = {"name": self.model, "versions": {"fairaudit": __version__, **versions}}
        prompts = found.prompts or ()
        samples = [n % self.decoding.samples for n in range(len(prompts))]
        seeds = [self.decoding.seed_of(*job) for job in zip(prompts, samples, strict=True)]
        own: dict[str, Sequence[Any]]
        own = {name: values for name, values in found.columns.items() if name != column}
        own |= {"prompt": prompts, "text": found.texts, "sample": samples, "seed": seeds}
        stored.save(path, {**head, **found.settings}, own)
        path.with_name(f"{path.name}.partial").unlink(missing_ok=True)


def read_texts(
    workspace: Workspace,
    source: Any,
    prompt: str | None,
    text: str | None,
    selection: Selection,
) -> Texts:
    """Texts that were generated: a file that `Generation` saved, or any table.

    Of a table, a text that begins with its prompt is taken to be both.

    Raises
    ------
    FairauditError
        If there are none, or not in a form that can be read.
    """
    settings: dict[str, Any] = {}
    own = stored.own_file(source)
    if own is not None:
        _refuse_columns(own, prompt, text)
        table, head = stored.load(workspace, own)
        prompt, text = "prompt", "text"
        known = ("model", *Decoding().settings())
        settings = {name: head[name] for name in known if name in head}
    else:
        table, text = open_texts(workspace, source, text)
        prompt = _prompt_column(table, prompt, text)
        settings = {"text": text}
    selection = replace(selection, cluster=selection.cluster or prompt).resolve(table)
    cells, records = read(table, selection, text, blank=True)
    texts = [cell or "" for cell in cells[text]]
    prompts = None if prompt is None else [cell or "" for cell in cells[prompt]]
    notes: list[str] = []
    if prompts is not None and own is None:
        texts, notes = _joined(prompts, texts)
    return Texts(cells, prompts, texts, table, records, selection, settings, notes)


def _refuse_columns(own: Path, prompt: str | None, text: str | None) -> None:
    """Refuse other columns than those that `stored.save` writes."""
    for option, given in (("prompt", prompt), ("text", text)):
        if given not in (None, option):
            raise FairauditError(
                f"--{option} {given}: {own} was written by --save, and its {option}s are in the "
                f"column '{option}'. Leave --{option} out."
            )


def _prompt_column(table: Table, prompt: str | None, text: str) -> str | None:
    """The column of prompts, where there is one."""
    if prompt is None:
        return "prompt" if "prompt" in table.names and text != "prompt" else None
    if prompt == text:
        raise FairauditError(f"--prompt {prompt}: is the column of --text already.")
    return table.text(prompt).name


def _joined(prompts: Sequence[str], texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Texts as they follow their prompts, and how many held the prompt themselves.

    >>> _joined(["The nurse", "A man,"], ["The nurse slept.", "he said"])[0]
    [' slept.', ' he said']
    """
    pairs = list(zip(prompts, texts, strict=True))
    held = [_begins(prompt, text) for prompt, text in pairs]
    found = [
        text.removeprefix(prompt) if is_held else _apart(prompt, text)
        for (prompt, text), is_held in zip(pairs, held, strict=True)
    ]
    note = (
        f"{sum(held):,} of {len(held):,} texts begin with their prompt, which is not scored twice."
    )
    return found, [note] if any(held) else []


def _begins(prompt: str, text: str) -> bool:
    """Whether a text begins with its prompt, and not with a longer word.

    >>> _begins("He", "He left"), _begins("He", "Hermes left"), _begins("", "He")
    (True, False, False)
    """
    if not prompt or not text.startswith(prompt):
        return False
    last, after = prompt[-1], text[len(prompt) :][:1]
    return not (_is_inner(last) and _is_inner(after)) or is_without_blanks(last)


def _is_inner(character: str) -> bool:
    """Whether it is a letter, a digit or a mark on one, as vowels of some scripts are."""
    return character.isalnum() or (character > "" and unicodedata.category(character)[0] == "M")


def _apart(prompt: str, text: str) -> str:
    """The text with a blank before it where its first word would be one with the prompt's last."""
    ends = _is_inner(prompt[-1:]) or prompt[-1:] in (*",.;:!?",)
    return f" {text}" if prompt and ends and text[:1].isalnum() else text
