"""Models in files: read without running anything that the file brings along."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from fairaudit.exceptions import FairauditError
from fairaudit.lm import require
from fairaudit.lm.sensitivity.trees import check_trees

#: Files that Python's pickle would have to read.
_PICKLES = (".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle")
#: More than a linear model of a million words and a thousand classes.
_LARGEST = 8 << 30
_SAVE = "save it with: skops.io.dump(model, 'model.skops')"


def _types(module: str, names: str) -> set[str]:
    return {f"sklearn.{module}.{name}" for name in names.split()}


#: Types inside scikit-learn's classifiers that skops does not trust, or not in all versions. Each
#: was read: none runs, when made, filled or asked to predict, what the file brings along. By name,
#: one by one: below `sklearn.` there are functions that would.
_REVIEWED = {
    # Arrays of nodes. Wrong numbers in them make scikit-learn read memory that is not theirs, for
    # which skops refuses them (its pull request 535): `check_trees` checks the numbers.
    *_types("tree._tree", "Tree"),
    *_types("ensemble._hist_gradient_boosting.predictor", "TreePredictor"),
    # Thresholds of bins, as arrays.
    *_types("ensemble._hist_gradient_boosting.binning", "_BinMapper"),
    # Losses and links: formulas in compiled code or Python with numbers as settings; none is
    # called by name, and all are made from numbers alone.
    *_types(
        "_loss.loss",
        "AbsoluteError ExponentialLoss HalfBinomialLoss HalfMultinomialLoss HalfPoissonLoss "
        "HalfSquaredError HuberLoss PinballLoss",
    ),
    *_types(
        "_loss._loss",
        "CyAbsoluteError CyExponentialLoss CyHalfBinomialLoss CyHalfMultinomialLoss "
        "CyHalfPoissonLoss CyHalfSquaredError CyHuberLoss CyPinballLoss",
    ),
    *_types(
        "_loss.link",
        "HalfLogitLink IdentityLink Interval LogitLink LogLink MultinomialLogit",
    ),
    # Rates and sums of squares from training; to predict, they are not used.
    *_types("neural_network._stochastic_optimizers", "AdamOptimizer SGDOptimizer"),
    # Two numbers, and a list of fitted models, whose types are looked at themselves.
    *_types("calibration", "_CalibratedClassifier _SigmoidCalibration"),
    # How a boosting of histograms reads columns of categories: a function that checks an array,
    # with settings. A partial runs the function in it alone, whose name is looked at itself.
    "functools.partial",
    *_types("utils.validation", "check_array"),
    # A dict whose keys are attributes as well, of fitted models by name.
    *_types("utils._bunch", "Bunch"),
}
#: What to do instead of types that are left out on purpose: in the trees of neighbours there are
#: places of records, which scikit-learn does not check and which cannot be seen from outside.
_INSTEAD = {
    "sklearn.neighbors._kd_tree.KDTree": "algorithm='brute'",
    "sklearn.neighbors._ball_tree.BallTree": "algorithm='brute'",
}


def load(path: str | Path) -> Any:
    """Read a fitted scikit-learn classifier from a ``.skops`` file.

    Only types that skops itself trusts are made (of scikit-learn, numpy and scipy), and reviewed
    ones inside scikit-learn's classifiers; no pickle, no function or class of the file's own.

    Raises
    ------
    FairauditError
        If there is no such file, it is a pickle or no skops file, it holds other types, its
        trees are broken, or what it holds is not fitted or predicts no probabilities.
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
    except (BadZipFile, OSError, NotImplementedError, ValueError):
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
    if others := sorted(set(unknown) - _REVIEWED):
        raise FairauditError(
            f"{path}: holds types that are not known to be safe: {_advice(others)}"
        )
    try:
        model = io.loads(data, trusted=sorted(unknown))
        check_trees(model)
    except Exception as error:
        raise FairauditError(f"{path}: cannot be read as a skops file: {error}") from None
    return model


def _advice(types: Sequence[str]) -> str:
    """The types, and what to save instead of them."""
    instead = [_INSTEAD[each] for each in types if each in _INSTEAD]
    todo = (
        f"Fit the model with {instead[0]}"
        if instead
        else "Save a pipeline of scikit-learn's own steps, without functions or classes of yours"
    )
    return f"{', '.join(types)}. Reading them could run foreign code or stop the program. {todo}"


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
