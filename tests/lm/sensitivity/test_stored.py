import io as streams
import zipfile

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skops import io

from fairaudit.exceptions import FairauditError
from fairaudit.lm import require
from fairaudit.lm.sensitivity.linear import LinearProbe
from fairaudit.lm.sensitivity.stored import load

TEXTS, LABELS = ["kind words", "cruel words", "kind deeds", "cruel deeds"], [1, 0, 1, 0]


def words_of(text):
    return text.split()


def test_a_model_comes_back(tmp_path):
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, LABELS)
    io.dump(model, tmp_path / "model.skops")
    loaded = load(tmp_path / "model.skops")
    np.testing.assert_array_equal(loaded.predict_proba(TEXTS), model.predict_proba(TEXTS))
    assert LinearProbe(loaded, ["kind"]).measure(TEXTS).sensitivity.all()


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
        (written("model.skops", archive(data_txt="x")), "no schema.json"),
        (written("model.skops", archive(schema_json="{")), "cannot be read as a skops file"),
        (written("model.skops", archive(schema_json="{}")), "cannot be read as a skops file"),
        (
            saved(fitted(TfidfVectorizer(analyzer=words_of), LogisticRegression())),
            r"not of scikit-learn, numpy or scipy: .*words_of",
        ),
        (
            saved(FunctionTransformer(words_of)),
            r"not of scikit-learn, numpy or scipy: .*words_of",
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
