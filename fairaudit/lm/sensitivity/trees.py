"""Decision trees from a file: whether their nodes lead only to nodes and columns that there are.

scikit-learn follows the numbers of nodes and columns in a tree without checking them, so that a
file with wrong ones makes it read memory that is not its own: it stops the program at best.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fairaudit.exceptions import FairauditError

#: What scikit-learn writes where a node has no child.
_NONE = -1
#: Numbers of 32 bits in a set of 256 categories.
_WORDS = 8


def check_trees(model: Any) -> None:
    """Check every tree in a model.

    Each inner node leads to two later nodes, so that a path ends, and asks for a column that the
    model reads. Forests and boosting hand records to their trees as they are, so there the
    columns are those of the whole; elsewhere a tree checks itself how many it gets.

    Parameters
    ----------
    model : scikit-learn estimator

    Raises
    ------
    FairauditError
        If a tree does otherwise.

    Notes
    -----
    What scikit-learn's pull request 34558 (2026) describes, for the versions before it. It guards
    against numbers that lead out of a tree. A hostile file may still stop the program in other
    ways, such as by its size; it cannot make it run code of its own.
    """
    from sklearn.ensemble._forest import BaseForest
    from sklearn.ensemble._gb import BaseGradientBoosting
    from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import (
        BaseHistGradientBoosting,
    )
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
    from sklearn.tree import BaseDecisionTree
    from sklearn.tree._tree import Tree

    owners = (BaseForest, BaseGradientBoosting, BaseHistGradientBoosting, BaseDecisionTree)
    seen: set[tuple[int, frozenset[int]]] = set()
    # Each with the models that hand it records without a check, from the outermost.
    waiting: list[tuple[Any, tuple[Any, ...]]] = [(model, ())]
    while waiting:
        value, by = waiting.pop()
        if (key := (id(value), frozenset(map(id, by)))) in seen:
            continue
        seen.add(key)
        if isinstance(value, Tree):
            _require(bool(by) and _is_sound(value, min(map(_width, by))))
        elif isinstance(value, TreePredictor):
            _require(bool(by) and hasattr(by[-1], "_bin_mapper") and _fits(value, by[-1]))
        elif isinstance(value, owners):
            within = by if isinstance(value, BaseDecisionTree) else ()
            waiting += [(each, (*within, value)) for each in _parts(value)]
        else:
            waiting += [(each, by if _holds(value) else ()) for each in _parts(value)]


def _holds(value: Any) -> bool:
    """Whether it is a mere container."""
    return isinstance(value, (dict, list, tuple, set, np.ndarray))


def _parts(value: Any) -> Iterator[Any]:
    """What an object holds that may be, or hold, a tree."""
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, np.ndarray):
        yield from value.ravel().tolist() if value.dtype == object else ()
    elif _holds(value):
        yield from value
    # Of classes and functions, which hold none, it would be all that is in them.
    elif type(value).__module__.startswith("sklearn."):
        yield from getattr(value, "__dict__", {}).values()


def _width(model: Any) -> int:
    """How many columns a model makes sure to get; none if it does not say."""
    width = getattr(model, "n_features_in_", 0)
    return int(width) if isinstance(width, (int, np.integer)) else 0


def _is_sound(tree: Any, width: int) -> bool:
    """Whether the nodes of a tree lead to others, and to columns, that there are."""
    # First: with a wrong number of nodes, already the arrays of them are not its own memory.
    if not 0 < tree.node_count == tree.capacity or min(tree.n_outputs, tree.max_n_classes) < 1:
        return False
    inner = tree.children_left != _NONE
    return _lead_on(inner, tree.children_left, tree.children_right, tree.feature, width)


def _lead_on(inner: Any, left: Any, right: Any, column: Any, width: int) -> bool:
    """Whether both children of each inner node come later, and its column is one of so many."""
    place = np.flatnonzero(inner)
    children = np.stack([left, right]).astype(np.int64)[:, place]
    asked = column.astype(np.int64)[place]
    later = (children > place) & (children < len(inner))
    return bool(later.all() and ((asked >= 0) & (asked < width)).all())


def _fits(predictor: Any, model: Any) -> bool:
    """Whether a tree of histograms leads to nodes, columns and categories that there are."""
    nodes, sets = predictor.nodes, predictor.raw_left_cat_bitsets
    is_categorical = np.asarray(model._bin_mapper.is_categorical_)
    width = _width(model)
    if nodes.ndim != 1 or not len(nodes) or is_categorical.shape != (width,):
        return False
    inner, column = nodes["is_leaf"] == 0, nodes["feature_idx"]
    if not _lead_on(inner, nodes["left"], nodes["right"], column, width):
        return False
    split = inner & (nodes["is_categorical"] != 0)
    if not split.any():
        return True
    there = sets.ndim == 2 and sets.shape[1] >= _WORDS
    known = there and (nodes["bitset_idx"][split] < len(sets)).all()
    return bool(known and is_categorical[column[split]].all())


def _require(sound: bool) -> None:
    if not sound:
        raise FairauditError("the nodes of a tree lead to nodes or columns that there are not")
