"""The folder of a distillation: the student, and before that what is needed to go on."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from fairaudit.audit import write_whole
from fairaudit.exceptions import FairauditError
from fairaudit.lm.distill import checkpoint
from fairaudit.lm.distill.checkpoint import Checkpoint
from fairaudit.lm.distill.settings import differences

_RUN, _DONE, _LOG, _CURVE = "run.json", "distillation.json", "log.jsonl", "loss.svg"
_SCHEMA = "fairaudit/distillation/1"
_CHECKPOINTS, _STUDENT = "checkpoints", ".student.partial"
#: Tokens of a corpus serve a new distillation as well as the old one.
_TOKENS = "tokens"
#: Whom there may be an audit of.
_ROLES = ("student", "teacher", "baseline")
#: What makes a folder a model; moved in last.
_CONFIG = "config.json"
#: What a kill leaves half written.
_HALF = re.compile(r"\.(tokens|student|run\.json|distillation\.json|loss\.svg|audit-\w+\.json)\..+")


class Folder:
    """What a distillation writes, and where.

    Attributes
    ----------
    path, checkpoints, log, curve, tokens : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints, self.log = path / _CHECKPOINTS, path / _LOG
        self.curve, self.tokens = path / _CURVE, path / _TOKENS

    def audit(self, role: str) -> Path:
        """Where the audit of the student, the teacher or the baseline lies."""
        return self.path / f"audit-{role}.json"

    def enter(self, resume: bool, overwrite: bool) -> None:
        """Refuse a folder that holds what is not to be touched; changes nothing.

        Raises
        ------
        FairauditError
        """
        if resume and overwrite:
            raise FairauditError("--resume and --overwrite: expected one of them.")
        if self.path.exists() and not self.path.is_dir():
            raise FairauditError(f"{self.path}: not a folder; expected one, or none yet.")
        there = [each.name for each in self.path.iterdir()] if self.path.is_dir() else []
        found = sorted(each for each in there if each != _TOKENS and not _HALF.fullmatch(each))
        begun = _RUN in found
        if resume and not begun:
            raise FairauditError(
                f"--resume: {self.path} holds no checkpoint of a distillation. Begin one without "
                "--resume."
            )
        if overwrite and found and not begun:
            raise FairauditError(
                f"--overwrite: {self.path} holds something else than a distillation ({found[0]}). "
                "Give another folder."
            )
        if found and not resume and not overwrite:
            raise FairauditError(
                f"{self.path}: not empty ({found[0]}). Give another folder, go on with --resume, "
                "or begin anew with --overwrite."
            )

    def check(self, identity: Mapping[str, Any]) -> None:
        """Require that what was begun is the same distillation.

        Parameters
        ----------
        identity : mapping
            What must be the same to go on: ``settings``, digests of ``teacher``, ``student``,
            ``words`` and of the files of the ``corpus``.

        Raises
        ------
        FairauditError
        """
        self._same(_parsed(self.path / _RUN).get("identity", {}), identity)

    def claim(self, identity: Mapping[str, Any]) -> None:
        """Begin: remove what an earlier distillation wrote, and nothing else.

        Raises
        ------
        FairauditError
            If the folder cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for name in self._written():
                path = self.path / name
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        except OSError as error:
            raise FairauditError(f"{self.path}: cannot be written: {error.strerror}.") from None
        _write(self.path / _RUN, {"schema": _SCHEMA, "identity": identity})

    def _written(self) -> list[str]:
        """Names of all that a distillation writes but `_RUN`, which is written over as a whole."""
        files: Sequence[str] = ()
        with suppress(FairauditError):
            files = (self.done() or {}).get("files", ())
        half = [each.name for each in self.path.iterdir() if _HALF.fullmatch(each.name)]
        # First of all that it is done.
        own = (_DONE, _LOG, _CURVE, _CHECKPOINTS, *(self.audit(role).name for role in _ROLES))
        return [*own, *half, *(name for name in files if Path(name).name == name)]

    def _same(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        changed = _changed(old, new)
        if changed:
            raise FairauditError(
                f"{self.path}: its checkpoint is of another distillation: {'; '.join(changed)}. "
                "Go on with what it had, give another folder, or begin anew: --overwrite"
            )

    def last(
        self, identity: Mapping[str, Any], warn: Callable[[str], None] = lambda message: None
    ) -> Checkpoint | None:
        """The last good checkpoint, if there is one.

        Raises
        ------
        FairauditError
            If it is another distillation's.
        """
        found = checkpoint.newest(self.checkpoints, warn)
        if found is not None:
            self._same(found.state.get("identity", {}), identity)
        return found

    def done(self) -> dict[str, Any] | None:
        """What is known of the student, if it is finished."""
        path = self.path / _DONE
        return _parsed(path) if path.is_file() else None

    def finish(self, model: Any, tokenizer: Any, about: Mapping[str, Any]) -> None:
        """Save the student and what it is; a folder with `done` is whole.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        beside = self.path / _STUDENT
        shutil.rmtree(beside, ignore_errors=True)
        try:
            with checkpoint.told_as_os_errors():
                model.save_pretrained(beside)
            tokenizer.save_pretrained(beside)
            files = sorted(beside.iterdir(), key=lambda path: path.name == _CONFIG)
            for each in files:
                checkpoint.sync(each)
                each.replace(self.path / each.name)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        names = [each.name for each in files]
        _write(self.path / _DONE, {"schema": _SCHEMA, **about, "files": names})


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """In words, what of an identity is not what it was."""
    found = differences(old.get("settings", {}), new["settings"])
    for name in ("teacher", "student"):
        if old.get(name) != new[name]:
            found.append(f"--{name} is another model")
    if old.get("words") != new["words"]:
        found.append("the word list or the names are others")
    was, now = old.get("corpus", []), new["corpus"]
    if was != now:
        found.append(
            f"--corpus has changed since (digest {_short(now)}, was {_short(was)})"
            if len(was) == len(now)
            else f"--corpus has {len(now)} files (were {len(was)})"
        )
    return found


def _short(digests: list[str]) -> str:
    return " ".join(digest[:8] for digest in digests)


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        raise FairauditError(f"{path}: broken. Begin anew: --overwrite") from None


def _write(path: Path, content: Mapping[str, Any]) -> None:
    write_whole(path, json.dumps(content, indent=1) + "\n")
