"""Models in files: read without running anything that the file brings along."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from fairaudit.exceptions import FairauditError
from fairaudit.lm import require

#: Files that Python's pickle would have to read.
_PICKLES = (".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle")
#: More than a linear model of a million words and a thousand classes.
_LARGEST = 8 << 30
_SAVE = "save it with: skops.io.dump(model, 'model.skops')"


def load(path: str | Path) -> Any:
    """Read a fitted scikit-learn classifier from a ``.skops`` file.

    Only types that skops itself trusts are made (those of scikit-learn, numpy and scipy); no
    pickle, no function or class of the file's own.

    Raises
    ------
    FairauditError
        If there is no such file, it is a pickle or no skops file, it holds other types, or what
        it holds is not fitted or predicts no probabilities.
    """
    path = Path(path)
    _check_kind(path)
    require("sensitivity", "sklearn", "skops.io", extra="sklearn")
    model = _read(path)
    _check_model(model, path)
    return model


def name(model: Any, path: str | Path) -> str:
    """What a model from a file is called in settings: its kind, and the file's short digest."""
    return f"{type(model).__name__} {hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]}"


def _check_kind(path: Path) -> None:
    if not path.is_file():
        raise FairauditError(f"{path}: no such file")
    if path.suffix.lower() in _PICKLES:
        raise FairauditError(
            f"{path}: a pickle runs whatever code is in it when it is read, so none is; {_SAVE}"
        )
    try:
        with ZipFile(path) as archive:
            sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    except (BadZipFile, OSError):
        raise FairauditError(f"{path}: not a skops file; {_SAVE}") from None
    if "schema.json" not in sizes:
        raise FairauditError(f"{path}: an archive, but not of skops: no schema.json; {_SAVE}")
    if sum(sizes.values()) > _LARGEST:
        raise FairauditError(f"{path}: unpacks to more than 8 GiB; it is not read")


def _read(path: Path) -> Any:
    from skops import io

    # Read once: what is checked is what is loaded.
    data = path.read_bytes()
    # A damaged or hostile file may fail anywhere in skops, in any way.
    try:
        unknown = io.get_untrusted_types(data=data)
    except Exception as error:
        raise FairauditError(f"{path}: cannot be read as a skops file: {error}") from None
    if unknown:
        raise FairauditError(
            f"{path}: holds types that are not of scikit-learn, numpy or scipy: "
            f"{', '.join(unknown)}. Reading them could run foreign code; "
            "save a pipeline of scikit-learn's own steps, without functions or classes of yours"
        )
    try:
        return io.loads(data, trusted=[])
    except Exception as error:
        raise FairauditError(f"{path}: cannot be read as a skops file: {error}") from None


def _check_model(model: Any, path: Path) -> None:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    kind = type(model).__name__
    if not hasattr(model, "predict"):
        raise FairauditError(f"{path}: holds a {kind}, not a scikit-learn model")
    try:
        check_is_fitted(model)
    except (NotFittedError, TypeError):
        raise FairauditError(f"{path}: the {kind} is not fitted; fit it, then save it") from None
    if not hasattr(model, "predict_proba"):
        raise FairauditError(
            f"{path}: the {kind} predicts no probabilities (predict_proba); "
            "use a classifier that does, or calibrate it: CalibratedClassifierCV"
        )
