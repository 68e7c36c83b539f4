import csv
import itertools

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from fairaudit.exceptions import FairauditError
from fairaudit.lm.sensitivity.tabular import TabularProbe

ADULT = (
    "age workclass weight education years marital occupation relationship race sex "
    "gain loss hours country income"
).split()


class Lookup:
    """Probabilities by the value of `race`."""

    classes_ = np.array([0, 1])
    feature_names_in_ = np.array(["race"])

    def predict_proba(self, frame):
        share = {"a": 0.1, "b": 0.4, "c": 0.8}
        p = np.array([share.get(value, 0.5) for value in frame["race"]])
        return np.column_stack([1 - p, p])


def table(n=400, seed=0):
    rng = np.random.default_rng(seed)
    columns = {
        "age": rng.integers(18, 70, n),
        "income": rng.normal(3000, 800, n),
        "sex": rng.choice(np.array(["f", "m"]), n),
    }
    score = 0.05 * (columns["age"] - 40) + (columns["sex"] == "m") + rng.logistic(size=n)
    return columns, np.digitize(score, [-0.5, 1.0])


def linear_model(columns, labels):
    return make_pipeline(
        make_column_transformer((StandardScaler(), ["age", "income"]), (OneHotEncoder(), ["sex"])),
        LogisticRegression(),
    ).fit(pd.DataFrame(columns), labels)


@pytest.mark.parametrize("weighting", ["predicted", "gold", "uniform"])
@pytest.mark.parametrize("column", ["age", "income"])
def test_derivative_of_a_linear_model(column, weighting):
    columns, labels = table()
    model = linear_model(columns, labels)
    probe = TabularProbe(model, column, columns, weighting)
    done = probe.measure(columns, labels)
    assert (probe.kind, probe.classes) == ("derivative", ("0", "1", "2"))
    f = model.predict_proba(pd.DataFrame(columns))
    place = ["age", "income"].index(column)
    scale = model[0].named_transformers_["standardscaler"].scale_[place]
    slopes = model[-1].coef_[:, place] / scale
    gradient = f * (slopes - (f @ slopes)[:, None])
    w = {
        "predicted": np.eye(3)[f.argmax(axis=1)],
        "gold": np.eye(3)[labels],
        "uniform": np.full_like(f, 1 / 3),
    }[weighting]
    expected = (w * np.abs(gradient)).sum(axis=1)
    inside = (columns[column] > columns[column].min()) & (columns[column] < columns[column].max())
    np.testing.assert_allclose(done.sensitivity[inside], expected[inside], rtol=1e-4, atol=1e-12)
    # One-sided at the ends of the range: of first order.
    np.testing.assert_allclose(done.sensitivity, expected, rtol=5e-3, atol=1e-9)
    np.testing.assert_array_equal(done.probabilities, f)


def test_derivative_stays_within_the_observed_range():
    columns = {"gain": np.array([0.0, 0.0, 1.0, 4.0, 9.0, 2.0])}
    labels = [0, 1, 0, 1, 1, 0]
    # The square root of less than 0 would be nan, with a warning.
    model = make_pipeline(FunctionTransformer(np.sqrt), LogisticRegression())
    model.fit(pd.DataFrame(columns), labels)
    sensitivity = TabularProbe(model, "gain", columns, kind="derivative").measure(columns)
    assert np.isfinite(sensitivity.sensitivity).all()


def test_records_outside_the_observed_range_have_a_derivative():
    columns = {"unused": np.array(list("abcd")), "b": np.arange(4.0), "a": np.array([0, 1, 0, 1.0])}
    # Other columns, and another order than the model's.
    frame = pd.DataFrame({"a": columns["a"], "b": columns["b"]})
    model = LogisticRegression().fit(frame, [0, 0, 1, 1])
    probe = TabularProbe(model, "b", columns)
    new = {"unused": np.array(["e", "f"]), "b": np.array([-5.0, 9.0]), "a": np.zeros(2)}
    p = model.predict_proba(pd.DataFrame({"a": new["a"], "b": new["b"]}))
    expected = p[:, 0] * p[:, 1] * model.coef_[0, 1]
    np.testing.assert_allclose(probe.measure(new).sensitivity, expected, rtol=1e-5)


def test_changed_value_by_hand():
    observed = {"race": np.array(["a", "b", "b", "c"])}
    done = TabularProbe(Lookup(), "race", observed).measure(observed)
    # a: (|.1 - .4| + |.1 - .8|) / 2 = .5; b: (.3 + .4) / 2; c: (.7 + .4) / 2
    np.testing.assert_allclose(done.sensitivity, [0.5, 0.35, 0.35, 0.55])
    assert done.tokens == [[], [], [], []]
    new = {"race": np.array(["d"])}  # .5 against all three: (.4 + .1 + .3) / 3
    probe = TabularProbe(Lookup(), "race", observed)
    np.testing.assert_allclose(probe.measure(new).sensitivity, [0.8 / 3])


def test_missing_values_are_undefined():
    observed = {"race": np.array(["a", None, "b"], dtype=object)}
    found = TabularProbe(Lookup(), "race", observed).measure(observed).sensitivity
    np.testing.assert_allclose(found, [0.3, np.nan, 0.3])


def test_missing_numbers_are_undefined():
    columns, labels = table()
    model = HistGradientBoostingClassifier(max_iter=5, random_state=0)
    model.fit(pd.DataFrame({"age": columns["age"]}), labels)
    holed = {"age": np.where(np.arange(400) % 7 == 0, np.nan, columns["age"])}
    probe = TabularProbe(model, "age", holed)
    assert probe.kind == "changed_value"
    np.testing.assert_array_equal(
        np.isnan(probe.measure(holed).sensitivity), np.isnan(holed["age"])
    )


def test_zero_for_a_model_that_does_not_use_the_column():
    columns, labels = table()
    model = linear_model(columns, labels)
    model[-1].coef_[:, [0, 2, 3]] = 0  # age and sex
    for column, kind in [("age", "derivative"), ("sex", "changed_value")]:
        probe = TabularProbe(model, column, columns)
        assert probe.kind == kind
        assert not probe.measure(columns).sensitivity.any()
    assert TabularProbe(model, "income", columns).measure(columns).sensitivity.all()


def test_changed_value_of_a_binary_column_against_brute_force():
    columns, labels = table()
    model = linear_model(columns, labels)
    found = TabularProbe(model, "sex", columns).measure(columns).sensitivity
    flipped = {**columns, "sex": np.where(columns["sex"] == "m", "f", "m")}
    f, g = (model.predict_proba(pd.DataFrame(each)) for each in (columns, flipped))
    np.testing.assert_allclose(found, np.abs(f - g).sum(axis=1) / 2)


def test_codes_of_two_values_are_changed():
    columns = {"sex": np.array([0, 1, 1, 0]), "x": np.array([0.0, 1.0, 2.0, 3.0])}
    model = LogisticRegression().fit(np.column_stack(list(columns.values())), [0, 0, 1, 1])
    assert TabularProbe(model, "sex", columns).kind == "changed_value"
    assert TabularProbe(model, "sex", columns, kind="derivative").kind == "derivative"


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeClassifier(max_depth=4, random_state=0),
        HistGradientBoostingClassifier(max_iter=10, random_state=0),
    ],
    ids=lambda each: type(each).__name__,
)
def test_step_functions_are_measured_by_the_changed_value(model):
    columns, labels = table()
    numbers = {"age": columns["age"], "income": columns["income"]}
    model.fit(pd.DataFrame(numbers), labels)
    probe = TabularProbe(model, "age", numbers)
    assert probe.kind == "changed_value"
    assert len(probe.values) == 20
    assert {18, 69} <= set(probe.values.tolist()) <= set(columns["age"].tolist())
    assert probe.measure(numbers).sensitivity.mean() > 0.01
    with pytest.raises(FairauditError, match="step function of 'age'"):
        TabularProbe(model, "age", numbers, kind="derivative")


@pytest.mark.parametrize("unknown", ["error", "ignore"])
def test_codes_that_are_no_numbers_to_the_model(unknown):
    columns = {"race": np.arange(90) % 3 + 1, "x": np.linspace(0, 1, 90)}
    encode = make_column_transformer((OneHotEncoder(handle_unknown=unknown), ["race"]))
    model = make_pipeline(encode, LogisticRegression())
    model.fit(pd.DataFrame(columns), (columns["race"] == 2).astype(int))
    probe = TabularProbe(model, "race", columns)
    assert probe.kind == "changed_value"
    assert probe.values.tolist() == [1, 2, 3]
    with pytest.raises(FairauditError, match="measure the changed value"):
        TabularProbe(model, "race", columns, kind="derivative")


def test_messages():
    columns, labels = table()
    model = linear_model(columns, labels)
    with pytest.raises(FairauditError, match="no column 'sexx'.*Did you mean 'sex'"):
        TabularProbe(model, "sexx", columns)
    with pytest.raises(FairauditError, match="holds no numbers"):
        TabularProbe(model, "sex", columns, kind="derivative")
    with pytest.raises(FairauditError, match="has 1 value"):
        TabularProbe(model, "sex", {**columns, "sex": np.full(400, "f")})
    with pytest.raises(FairauditError, match="true labels are needed"):
        TabularProbe(model, "age", columns, "gold").measure(columns)
    probe = TabularProbe(model, "sex", columns)
    with pytest.raises(FairauditError, match="the model reads a column 'age'"):
        probe.measure({name: columns[name] for name in ("sex", "income")})
    with pytest.raises(FairauditError, match="cannot read the records"):
        probe.measure({**columns, "age": np.full(400, "old")})


def test_incomes_of_adults(data):
    """A model that was given sex depends on it; one that was not does not."""
    with (data / "tabular" / "adult" / "adult-train.csv").open() as file:
        rows = list(itertools.islice(csv.DictReader(file, ADULT, skipinitialspace=True), 3000))
    columns = {name: np.array([row[name] for row in rows]) for name in ADULT}
    label = columns.pop("income")
    columns["age"] = columns["age"].astype(float)
    for sexes in ([], ["sex"]):
        encode = OneHotEncoder(handle_unknown="ignore")
        model = make_pipeline(
            make_column_transformer(
                (StandardScaler(), ["age"]), (encode, ["workclass", "education", *sexes])
            ),
            LogisticRegression(max_iter=1000),
        ).fit(pd.DataFrame(columns), label)
        found = TabularProbe(model, "sex", columns).measure(columns).sensitivity
        assert found.mean() > 0.1 if sexes else not found.any()
        assert TabularProbe(model, "age", columns).kind == "derivative"
