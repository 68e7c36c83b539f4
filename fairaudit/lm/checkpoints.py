"""Model folders: found or downloaded, and refused where loading them could run foreign code."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fairaudit.exceptions import FairauditError

#: A name on the model hub: ``owner/model`` or ``model``.
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
#: What is downloaded: settings, vocabularies and one set of weights; never a pickle.
_WANTED = [
    "*.json",
    "*.txt",
    "*.model",
    "model.safetensors",
    "model-*-of-*.safetensors",
]
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
#: The same as pickles; PyTorch's loader for weights only reads them and runs nothing.
_PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")
_WANTED_PICKLES = ["pytorch_model.bin", "pytorch_model-*-of-*.bin"]
#: Weights that Python's pickle, or a program, would have to read.
_UNSAFE = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")
#: Files that decide what a model answers.
_DECISIVE = (".json", ".txt", ".model", ".safetensors")
#: Those among them that no file of ours is called.
_SETTINGS = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json")
#: How files of ours begin.
_OURS = re.compile(rb'\s*\{\s*"schema":\s*"fairaudit/')
#: Settings by which a model folder asks for its own Python code.
_FOREIGN_CODE = ("auto_map", "custom_pipelines")


def find(model: str | Path, allow_pickle: bool | None = None, option: str = "--model") -> Path:
    """Find the folder of a model, and check that it is data alone.

    Parameters
    ----------
    model : str or Path
        A folder, which is read without any network; or else a name on the Hugging Face hub,
        from which settings and safetensors are downloaded, once.
    allow_pickle : bool, optional
        Accept weights that are there as a pickle alone; None for commands that never do.
    option : str
        The option that names the model, for messages.

    Raises
    ------
    FairauditError
        If there is no such model, it has no weights that are accepted, or it asks for its own
        code.
    """
    folder, called = Path(model).expanduser(), f"{option} {model}"
    if not folder.is_dir():
        folder = _download(str(model), called, bool(allow_pickle))
    _check(folder, called, allow_pickle)
    return folder


def is_safe(folder: Path) -> bool:
    """Whether a folder holds weights as safetensors, which are read even beside a pickle."""
    return _holds_any(folder, _WEIGHTS)


def _holds_any(folder: Path, names: Sequence[str]) -> bool:
    return any((folder / name).is_file() for name in names)


def digest(folder: Path) -> str:
    """Digest of the files that decide what a model answers, wherever they lie."""
    whole = hashlib.sha256()
    suffixes = _DECISIVE if is_safe(folder) else (*_DECISIVE, ".bin")
    for path in sorted(folder.iterdir()):
        if path.suffix in suffixes and path.is_file() and not _is_ours(path):
            whole.update(f"{path.name}\0{_file_digest(path)}\n".encode())
    return whole.hexdigest()


def _is_ours(path: Path) -> bool:
    """Whether this program wrote a file about the model: an audit changes no answers."""
    if path.suffix != ".json" or path.name in _SETTINGS:
        return False
    with path.open("rb") as file:
        return _OURS.match(file.read(80)) is not None


def _file_digest(path: Path) -> str:
    each = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            each.update(block)
    return each.hexdigest()


def _download(name: str, called: str, allow_pickle: bool) -> Path:
    if Path(name).exists() or not _HUB_NAME.fullmatch(name):
        raise FairauditError(
            f"{called}: no such folder. Name a folder that a transformers model was saved "
            "to, or a model on the Hugging Face hub: owner/model"
        )
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(name, allow_patterns=_WANTED))
        if not allow_pickle or is_safe(folder):
            return folder
        return Path(snapshot_download(name, allow_patterns=[*_WANTED, *_WANTED_PICKLES]))
    except (OSError, ValueError) as error:
        raise FairauditError(
            f"{called}: no folder, and not to be had from the Hugging Face hub: "
            f"{first_line(error)} Check the name and the network, or name a folder."
        ) from None


def first_line(error: Exception) -> str:
    """The first line of an error's text that says something, as a sentence."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    line = lines[0] if lines else type(error).__name__
    return line if line.endswith((".", "!", "?")) else f"{line}."


def _check(folder: Path, called: str, allow_pickle: bool | None) -> None:
    settings = dict(_settings(folder, called))
    if "config.json" not in settings:
        raise FairauditError(f"{called}: no config.json; expected a transformers model.")
    for file, content in settings.items():
        for key in _FOREIGN_CODE:
            if _holds(content, key):
                raise FairauditError(
                    f"{called}: {file} asks for the model's own Python code ({key}), which "
                    "is never run. Use a model whose type transformers itself knows."
                )
    if "adapter_config.json" in settings:
        raise FairauditError(f"{called}: holds an adapter. Merge it into its model and save that.")
    _check_weights(folder, called, allow_pickle)


def _settings(folder: Path, called: str) -> Iterator[tuple[str, Any]]:
    """The settings files of a model folder, parsed."""
    for path in sorted(folder.glob("*config.json")):
        try:
            yield path.name, json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise FairauditError(
                f"{called}: {path.name} is broken: {first_line(error)} Save the model again."
            ) from None


def _holds(content: Any, key: str) -> bool:
    """Whether a key stands anywhere in parsed JSON with a value."""
    # Not by recursion: a hostile file may be nested as deep as Python's stack.
    waiting = [content]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if item.get(key):
                return True
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
    return False


def _check_weights(folder: Path, called: str, allow_pickle: bool | None) -> None:
    if is_safe(folder) or (allow_pickle and _holds_any(folder, _PICKLES)):
        return
    unsafe = sorted(path.name for path in folder.iterdir() if path.suffix in _UNSAFE)
    if unsafe:
        consent = ", or trust its origin and say --allow-pickle" if allow_pickle is False else ""
        raise FairauditError(
            f"{called}: weights only as {unsafe[0]}, a format that can run programs when it is "
            f"loaded and is refused. Save the model as safetensors (save_pretrained does){consent}."
        )
    raise FairauditError(f"{called}: no weights: expected model.safetensors beside config.json.")
