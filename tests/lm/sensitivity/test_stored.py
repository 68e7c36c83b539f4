import io as streams
import zipfile
from functools import partial

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import fetch_openml
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier
from skops import io

from fairaudit.exceptions import FairauditError
from fairaudit.lm import require
from fairaudit.lm.sensitivity.linear import LinearProbe
from fairaudit.lm.sensitivity.stored import load
from fairaudit.lm.sensitivity.trees import check_trees

TEXTS, LABELS = ["kind words", "cruel words", "kind deeds", "cruel deeds"], [1, 0, 1, 0]


def words_of(text):
    return text.split()


def test_a_model_comes_back(tmp_path):
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, LABELS)
    io.dump(model, tmp_path / "model.skops")
    loaded = load(tmp_path / "model.skops")
    np.testing.assert_array_equal(loaded.predict_proba(TEXTS), model.predict_proba(TEXTS))
    found = LinearProbe(loaded, ["kind"]).measure(TEXTS).sensitivity
    assert (found > 0).tolist() == [True, False, True, False]


rng = np.random.default_rng(0)
NUMBERS = np.array([[0.0, 1, 3], [1, 0, 2], [0, 2, 2], [2, 2, 0]])
MANY = rng.normal(size=(120, 3))
MANY[:, 2] = rng.integers(0, 4, 120)
TRUTH = (MANY[:, 0] + MANY[:, 2] > 1.5).astype(int) + (MANY[:, 1] > 1)


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeClassifier(random_state=0),
        RandomForestClassifier(3, random_state=0),
        ExtraTreesClassifier(3, random_state=0),
        GradientBoostingClassifier(n_estimators=3),
        HistGradientBoostingClassifier(max_iter=3),
        HistGradientBoostingClassifier(max_iter=3, categorical_features=[2]),
        AdaBoostClassifier(n_estimators=3),
        BaggingClassifier(n_estimators=3, max_features=2, random_state=0),
        StackingClassifier(
            [("a", DecisionTreeClassifier()), ("b", LogisticRegression())],
            final_estimator=RandomForestClassifier(3, random_state=0),
        ),
        CalibratedClassifierCV(RandomForestClassifier(3, random_state=0)),
        VotingClassifier([("a", GaussianNB()), ("b", DecisionTreeClassifier())], voting="soft"),
        MLPClassifier((4,), random_state=0, max_iter=5),
        MLPClassifier((4,), solver="sgd", random_state=0, max_iter=5),
        SGDClassifier(loss="log_loss", random_state=0),
        KNeighborsClassifier(3, algorithm="brute"),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_models_of_scikit_learn_come_back(model, tmp_path):
    model.fit(MANY, TRUTH)
    io.dump(model, tmp_path / "model.skops")
    loaded = load(tmp_path / "model.skops")
    np.testing.assert_array_equal(loaded.predict_proba(MANY), model.predict_proba(MANY))


def nodes_of(tree):
    """State of a tree that can be changed."""
    state = tree.__getstate__()
    state["nodes"], state["values"] = state["nodes"].copy(), state["values"].copy()
    return state


def broken(model, field, number, count=None):
    """A model one of whose trees has a wrong number in its root."""
    model.fit(MANY, TRUTH)
    tree = np.ravel(getattr(model, "estimators_", [model]))[0].tree_
    state = nodes_of(tree)
    state["nodes"][field][0] = number
    state["node_count"] = count or state["node_count"]
    tree.__setstate__(state)
    return model


def broken_histograms(field, number, place=0, **options):
    model = HistGradientBoostingClassifier(max_iter=1, **options).fit(MANY, TRUTH)
    nodes = model._predictors[0][0].nodes
    assert nodes["is_leaf"][place] == 0
    nodes[field][place] = number
    return model


def uncategorical():
    """A tree that splits by categories, of a model without any."""
    model = HistGradientBoostingClassifier(max_iter=1, categorical_features=[2]).fit(MANY, TRUTH)
    model._bin_mapper.is_categorical_[:] = 0
    return model


def narrow():
    """A forest that lets through fewer columns than its trees read."""
    model = RandomForestClassifier(3, random_state=0).fit(MANY, TRUTH)
    model.n_features_in_ = 2
    return model


FOREST, BOOST = RandomForestClassifier(2, random_state=0), GradientBoostingClassifier()


@pytest.mark.parametrize(
    "make",
    [
        lambda: broken(DecisionTreeClassifier(), "left_child", 10**9),
        lambda: broken(DecisionTreeClassifier(), "right_child", -5),
        lambda: broken(DecisionTreeClassifier(), "left_child", 0),  # for ever
        lambda: broken(DecisionTreeClassifier(), "feature", 3),
        lambda: broken(DecisionTreeClassifier(), "feature", -2),
        lambda: broken(FOREST, "feature", 10**6),
        lambda: broken(BOOST, "right_child", 10**6),
        lambda: make_pipeline(FunctionTransformer(), broken(FOREST, "left_child", 10**6)),
        lambda: broken_histograms("left", 10**6),
        lambda: broken_histograms("right", 0),
        lambda: broken_histograms("feature_idx", 3),
        lambda: broken_histograms("bitset_idx", 10**6, categorical_features=[0, 2]),
        uncategorical,
        narrow,
    ],
)
def test_broken_trees_are_refused(make, tmp_path):
    io.dump(make(), tmp_path / "model.skops")
    with pytest.raises(FairauditError, match="nodes of a tree lead to nodes or columns that there"):
        load(tmp_path / "model.skops")


def test_more_nodes_than_there_are():
    # Their arrays would show memory that is not the tree's.
    model = broken(DecisionTreeClassifier(), "left_child", 1, count=10**12)
    with pytest.raises(FairauditError, match="nodes of a tree"):
        check_trees(model)


def saved(content):
    def save(path):
        path = path / "model.skops"
        io.dump(content, path)
        return path

    return save


def written(name, content):
    def save(path):
        (path / name).write_bytes(content)
        return path / name

    return save


def archive(**files):
    buffer = streams.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, text in files.items():
            file.writestr(name.replace("_", "."), text)
    return buffer.getvalue()


def with_field(data, offset, value):
    """An archive with another number in the directory entry of its first file."""
    at = data.index(b"PK\x01\x02") + offset
    return data[:at] + value + data[at + len(value) :]


def fitted(*steps):
    return make_pipeline(*steps).fit(TEXTS, LABELS)


@pytest.mark.parametrize(
    ("save", "message"),
    [
        (lambda path: path / "none.skops", "no such file"),
        (lambda path: path, "no such file"),
        (written("model.pkl", b"\x80\x04K\x01."), "a pickle runs whatever code"),
        (written("model.JOBLIB", b"x"), "a pickle runs whatever code"),
        (written("model.skops", b"\x80\x04K\x01."), "not a skops file"),
        (written("model.skops", b""), "not a skops file"),
        # Of a version of ZIP that does not exist; with a name that is no UTF-8, but says it is.
        (written("model.skops", with_field(archive(a="x"), 6, b"\x63")), "not a skops file"),
        (
            written(
                "model.skops", with_field(with_field(archive(a="x"), 8, b"\0\x08"), 46, b"\xff")
            ),
            "not a skops file",
        ),
        (written("model.skops", archive(data_txt="x")), "no schema.json"),
        (written("model.skops", archive(schema_json="{")), "cannot be read as a skops file"),
        (written("model.skops", archive(schema_json="{}")), "cannot be read as a skops file"),
        (
            saved(fitted(TfidfVectorizer(analyzer=words_of), LogisticRegression())),
            r"types that are not known to be safe: tests\S*words_of\. .* without functions",
        ),
        (
            saved(FunctionTransformer(words_of)),
            r"types that are not known to be safe: tests\S*words_of\. ",
        ),
        (
            saved(FunctionTransformer(partial(words_of))),
            r"types that are not known to be safe: tests\S*words_of\. ",
        ),
        # A function below sklearn is no type of its models.
        (
            saved(FunctionTransformer(fetch_openml)),
            r"not known to be safe: sklearn\.datasets\._openml\.fetch_openml\. ",
        ),
        (
            saved(KNeighborsClassifier(3, algorithm="kd_tree").fit(NUMBERS, LABELS)),
            r"sklearn\.neighbors\._kd_tree\.KDTree\. .* Fit the model with algorithm='brute'",
        ),
        (saved({"a": 1}), "holds a dict, not a scikit-learn model"),
        (saved(TfidfVectorizer().fit(TEXTS)), "holds a TfidfVectorizer, not a"),
        (saved(LogisticRegression()), "LogisticRegression is not fitted"),
        (saved(make_pipeline(TfidfVectorizer(), LogisticRegression())), "Pipeline is not fitted"),
        (saved(fitted(TfidfVectorizer(), SGDClassifier())), "predicts no probabilities"),
    ],
)
def test_refused(save, message, tmp_path):
    with pytest.raises(FairauditError, match=message):
        load(save(tmp_path))


def test_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr("fairaudit.lm.sensitivity.stored._LARGEST", 10)
    with pytest.raises(FairauditError, match="unpacks to more"):
        load(saved(LogisticRegression())(tmp_path))


def test_what_to_install():
    with pytest.raises(FairauditError, match=r"pip install 'fairaudit\[sklearn\]'"):
        require("sensitivity", "no_such_module", extra="sklearn")
