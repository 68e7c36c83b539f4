"""Front matter and results, read by huggingface_hub and PyYAML."""

import datetime
import json
import math
from dataclasses import replace

import pandas as pd
import pytest
import yaml
from huggingface_hub import ModelCard
from huggingface_hub.repocard import metadata_load
from huggingface_hub.repocard_data import model_index_to_eval_results
from hypothesis import given, settings
from hypothesis import strategies as st

import fairaudit
from fairaudit.exceptions import FairauditError
from fairaudit.report.card import hub
from fairaudit.report.card.markdown import page
from fairaudit.report.card.model import AuditFile, Card

keys = st.text(max_size=40) | st.sampled_from(["n", "yes", "on", "null", "<<", "=", "model-index"])
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text() | st.sampled_from(["no", "1e3", "~", "---", "\n---\n", "'", '"', "# x", "\u2028"])
)  # fmt: skip
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4)
)


def parsed(text):
    assert text.startswith("---\n")
    assert text.endswith("\n---\n")
    return yaml.safe_load(text[4:-4])


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.dictionaries(keys, values, min_size=1, max_size=4))
def test_yaml_gives_back_what_was_written(metadata):
    text = hub.front_matter(metadata)
    assert parsed(text) == metadata
    assert repr(parsed(text)) == repr(metadata)  # types too: 1 is not 1.0
    assert text.count("\n---\n") == 1


@pytest.mark.parametrize("value", [1e-05, 1e22, -3e-300, 5e-324, 0.1, -0.0, 1.5e16, 10**30])
def test_numbers_stay_numbers(value):
    assert repr(parsed(hub.front_matter({"a": value}))["a"]) == repr(value)


@pytest.mark.parametrize("text", ["\x7f", "\x85", "\ufeff", "\ue000", "\U000e0001", "a\tb", "é🎉"])
def test_odd_characters(text):
    assert parsed(hub.front_matter({"a": text, text: "b"})) == {"a": text, text: "b"}


@pytest.mark.parametrize("value", [math.nan, math.inf, object(), {"b": [math.nan]}])
def test_what_yaml_cannot_hold_is_refused(value):
    with pytest.raises(FairauditError, match=r"metadata of the card: . is .*; expected a text"):
        hub.front_matter({"a": value})


@pytest.mark.parametrize("name", ["n", "Y", "no", "On", "true", "Null", "1", "a b", "-", ""])
def test_names_that_yaml_may_take_for_values_are_quoted(name):
    assert hub.front_matter({name: 1}) == f'---\n"{name}": 1\n---\n'


def test_dates_are_texts():
    assert parsed(hub.front_matter({"a": datetime.date(2026, 1, 2)})) == {"a": "2026-01-02"}


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    rows = [
        ("s1", "us", "a b c d", "a b c d"), ("s2", "us", "a b c d", "a b x d"),
        ("s3", "uk: \"x\"", "a b c d", "a x"), ("s4", "uk: \"x\"", "a b c d", "a b c"),
        ("s5", "silent", "", "a"),
    ]  # fmt: skip
    path = tmp_path_factory.mktemp("calls") / "My calls.jsonl"
    names = ("speaker", "accent", "reference", "hypothesis")
    lines = [json.dumps(dict(zip(names, row, strict=True))) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return AuditFile("wer.json", "0" * 64, fairaudit.wer(path, by="accent", resamples=100))


@pytest.fixture(scope="module")
def decisions():
    table = pd.DataFrame(
        {"sex": list("ffffmmmm"), "age": list("yoyoyoyo"), "y": [1, 0] * 4, "p": [1, 0, 1, 1] * 2}
    )
    audit = fairaudit.errors(
        table, label="y", prediction="p", by=["sex", "sex:age"], resamples=100
    )  # fmt: skip
    return AuditFile("errors.json", "1" * 64, audit)


def test_word_error_rates(speech):
    index = hub.model_index("example/model", [speech])
    name, results = model_index_to_eval_results(index)
    assert name == "example/model"
    # us: 1 of 8 words; uk: "a x" has 3 errors, "a b c" has 1, of 8 words.
    found = {result.dataset_config: result for result in results}
    whole, us, uk = found[None], found["accent=us"], found['accent=uk: "x"']
    assert [len(results), us.metric_value, us.metric_type] == [3, 12.5, "wer"]
    assert uk.metric_value == 50.0
    assert us.metric_name == "WER (accent: us)"
    assert us.dataset_args == {"group": "accent=us"}
    assert (us.metric_args["n"], us.metric_args["records"]) == (8, 2)
    assert us.metric_args["ci_low"] < 12.5 < us.metric_args["ci_high"]
    assert us.metric_args["unit"] == "percent"
    assert (whole.metric_name, whole.task_type) == ("WER", "automatic-speech-recognition")
    assert (whole.dataset_name, whole.dataset_type) == ("My calls.jsonl", "my-calls")
    assert all(result.verified is None for result in results)


def test_undefined_values_are_left_out(speech, decisions):
    # Nothing was said in the group silent.
    assert any(row.group == "silent" and row.value is None for row in speech.audit.estimates)
    assert "silent" not in str(hub.model_index("m", [speech]))
    assert "None" not in str(hub.model_index("m", [speech, decisions]))


@pytest.mark.parametrize("path", ["/home/ann/calls.csv", "C:\\ann\\calls.csv"])
def test_folders_are_left_out(speech, path):
    made = replace(speech.audit, data=(replace(speech.audit.data[0], path=path),))
    [model] = hub.model_index("m", [AuditFile("a.json", "0" * 64, made)])
    assert model["results"][0]["dataset"] == {"type": "calls", "name": "calls.csv"}


def test_decisions(decisions):
    results = model_index_to_eval_results(hub.model_index("m", [decisions]))[1]
    found = {result.dataset_config: result for result in results}
    assert list(found)[:1] == [None]
    assert set(found) == {
        None, "sex=f", "sex=m", "sex=f, age=y", "sex=f, age=o", "sex=m, age=y", "sex=m, age=o",
    }  # fmt: skip
    crossed = found["sex=f, age=o"]
    assert (crossed.metric_type, crossed.metric_value) == ("accuracy", 0.5)
    assert crossed.metric_name == "accuracy (sex: f, age: o)"
    assert (crossed.task_type, crossed.task_name) == (
        "tabular-classification", "Tabular Classification"
    )  # fmt: skip
    assert "unit" not in crossed.metric_args
    other = hub.model_index("m", [decisions], "text-classification")[0]["results"][0]["task"]
    assert other == {"type": "text-classification", "name": "Text Classification"}


def test_a_recogniser_that_also_decides(speech, decisions):
    index = hub.model_index("m", [speech, decisions], "automatic-speech-recognition")
    results = {(each["task"]["type"], each["metrics"][0]["type"]) for each in index[0]["results"]}
    assert results == {
        ("automatic-speech-recognition", "wer"),
        ("tabular-classification", "accuracy"),
    }
    assert hub.model_index("m", [speech], "text-classification") == hub.model_index("m", [speech])


def test_the_hub_reads_and_writes_it(speech, decisions, tmp_path):
    index = hub.model_index("m", [speech, decisions])
    metadata = {
        "language": ["en", "no"], "license": "mit", "tags": ["a: b", "<b>"],
        "metrics": ["wer", "accuracy"], "model-index": index,
    }  # fmt: skip
    text = page(Card("m", "Model card", ["All is well."], (), metadata), "{}")
    path = tmp_path / "README.md"
    path.write_text(text, encoding="utf-8")
    assert metadata_load(path) == metadata
    card = ModelCard(text)
    assert card.text.startswith("\n# m\n")
    assert card.data.license == "mit"
    assert len(card.data.eval_results) == 10
    # Written anew by the Hub's own library no result is lost or joined with another.
    again = ModelCard(str(card))
    assert again.data.eval_results == card.data.eval_results
    assert len(yaml.safe_load(card.data.to_yaml())["model-index"][0]["results"]) == 10
