"""Checkpoints: a folder for each, which is there whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_NAME = re.compile(r"step-\d{8,}")
_STATE, _STUDENT, _OPTIMIZER = "state.json", "student.safetensors", "optimizer.safetensors"
#: Of which the second is there in case the first cannot be read.
KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """Where a distillation stood.

    Attributes
    ----------
    folder : Path
    state : mapping
        ``step`` and whatever else was given to `save`.
    """

    folder: Path
    state: Mapping[str, Any]

    @property
    def step(self) -> int:
        """Steps that were done."""
        return int(self.state["step"])

    def restore(self, model: Any, optimizer: Any) -> None:
        """Put the weights and the optimizer's state back, to the last bit.

        The order of texts and the random numbers follow from the step, and the learning rate does.
        """
        from safetensors.torch import load_file

        model.load_state_dict(load_file(self.folder / _STUDENT), strict=False)
        flat = load_file(self.folder / _OPTIMIZER)
        names = _names(model, optimizer)
        state: dict[int, dict[str, Any]] = {}
        for key, tensor in flat.items():
            name, _, part = key.rpartition("/")
            state.setdefault(names[name], {})[part] = tensor
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state, "param_groups": groups})


def _names(model: Any, optimizer: Any) -> dict[str, int]:
    """The numbers that the optimizer has for the parameters."""
    every = [each for group in optimizer.param_groups for each in group["params"]]
    number = {id(parameter): i for i, parameter in enumerate(every)}
    return {name: number[id(parameter)] for name, parameter in model.named_parameters()}


def save(folder: Path, model: Any, optimizer: Any, state: Mapping[str, Any]) -> Checkpoint:
    """Write a checkpoint, and then remove all but the last `KEPT`.

    Parameters
    ----------
    folder : Path
        Of checkpoints.
    model : torch module
        Weights of one storage are written once.
    optimizer : torch optimizer
        Of all parameters of the model.
    state : mapping
        As JSON has it; ``step`` names the checkpoint.

    Raises
    ------
    OSError
        If it cannot be written; those that were there stay.
    """
    wanted = folder / f"step-{state['step']:08d}"
    beside = folder / f".{wanted.name}.partial"
    try:
        sweep(folder)
        beside.mkdir(parents=True)
        _write_tensors(beside / _STUDENT, _weights(model))
        _write_tensors(beside / _OPTIMIZER, _flat(model, optimizer))
        (beside / _STATE).write_text(json.dumps(state), encoding="utf-8")
        sync(beside / _STATE)
        sync(beside)
        shutil.rmtree(wanted, ignore_errors=True)
        beside.replace(wanted)
        sync(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    for old in _folders(folder)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return Checkpoint(wanted, state)


def _weights(model: Any) -> dict[str, Any]:
    """Parameters and lasting buffers, each once."""
    own = {name for name, _ in model.named_parameters()} | {n for n, _ in model.named_buffers()}
    return {name: w.contiguous() for name, w in model.state_dict().items() if name in own}


def _flat(model: Any, optimizer: Any) -> dict[str, Any]:
    """The optimizer's state, by parameter and part."""
    return {
        f"{name}/{part}": tensor
        for name, parameter in model.named_parameters()
        for part, tensor in optimizer.state[parameter].items()
    }


def _write_tensors(path: Path, tensors: dict[str, Any]) -> None:
    from safetensors.torch import save_file

    with told_as_os_errors():
        save_file(tensors, path)
    sync(path)


@contextmanager
def told_as_os_errors() -> Iterator[None]:
    """Have safetensors tell of a full disk as all others do."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        raise OSError(errno.EIO, str(error)) from None


def sync(path: Path) -> None:
    """Return when a file or a folder's list of files is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(folder: Path) -> None:
    """Remove what an interruption left half written."""
    for half in folder.glob(".step-*.partial"):
        shutil.rmtree(half, ignore_errors=True)


def _folders(folder: Path) -> list[Path]:
    """Folders of checkpoints, the oldest first."""
    return sorted((each for each in folder.glob("step-*") if _NAME.fullmatch(each.name)), key=_step)


def _step(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def newest(folder: Path, warn: Callable[[str], None] = lambda message: None) -> Checkpoint | None:
    """The last checkpoint that can be read, if there is one.

    Parameters
    ----------
    folder : Path
        Of checkpoints.
    warn : callable
        Told of each that cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    for each in reversed(_folders(folder)):
        try:
            for name in (_STUDENT, _OPTIMIZER):
                with safe_open(each / name, "pt"):
                    pass
            state = json.loads((each / _STATE).read_text(encoding="utf-8"))
            return Checkpoint(each, {"step": _step(each), **state})
        except (OSError, ValueError, SafetensorError):
            warn(f"{each}: a broken checkpoint; goes on from the one before.")
    return None
