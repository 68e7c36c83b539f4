import json
import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from fairaudit.exceptions import FairauditError
from fairaudit.lm.classifiers import TextClassifier
from fairaudit.lm.sensitivity.neural import NeuralProbe
from fairaudit.lm.sensitivity.protected import Uniform
from tests.lm.sensitivity.conftest import save

TEXTS = ["she works at night.", "he", "", "Maria reads for her mother. " * 6]
MULTI = "multi_label_classification"


def several(folder, kind="bert", labels=("toxic", "threat", "insult"), problem=MULTI, **options):
    """Save a tiny model that gives several labels to one text."""
    save(folder, kind, labels=len(labels), **options)
    path = folder / "config.json"
    content = json.loads(path.read_text()) | {"problem_type": problem}
    content["id2label"] = dict(enumerate(labels))
    content["label2id"] = {label: i for i, label in enumerate(labels)}
    path.write_text(json.dumps(content))
    return folder


def load(folder, target=None, **options):
    return TextClassifier(folder, "mine", device="cpu", target=target, **options)


def refusal(folder, target=None, **options):
    with pytest.raises(FairauditError) as caught:
        load(folder, target, **options)
    return str(caught.value)


def test_probabilities_are_of_having_the_label_and_of_not(tmp_path):
    def constant(model):
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([0, math.log(3), -40.0]))

    several(tmp_path, change=constant)
    # s = 3 / (3 + 1)
    assert_allclose(load(tmp_path, "threat").predict(TEXTS), [[0.25, 0.75]] * 4)
    assert_allclose(load(tmp_path, "toxic").predict(TEXTS), [[0.5, 0.5]] * 4)
    sure = load(tmp_path, "insult")
    assert sure.classes == ("not insult", "insult")
    assert_allclose(sure.predict(["he"])[0], [1, math.exp(-40)], rtol=1e-6)


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
@pytest.mark.parametrize("place", [0, 2])
def test_sensitivity_of_one_label_is_that_of_its_sigmoid(tmp_path, kind, place):
    task = load(several(tmp_path, kind), ["toxic", "threat", "insult"][place], dtype="float64")
    text = "Maria reads"
    [piece] = task.read([text]).pieces
    at = task.embed([piece.tokens])[0]
    shift = 1e-5 * torch.eye(at.numel(), dtype=at.dtype).reshape(-1, *at.shape)
    with torch.no_grad():
        up, down = (
            torch.sigmoid(task._model(inputs_embeds=each).logits[:, place]).numpy()
            for each in (at + shift, at - shift)
        )
    slope = abs((up - down) / 2e-5).reshape(at.shape)[np.array(piece.special) == 0]
    for weighting in ("predicted", "uniform", "gold"):
        # Of two classes, both have the same |G|.
        probe = NeuralProbe(task, Uniform(), weighting=weighting)
        assert_allclose(probe.measure([text], [1]).sensitivity, slope.mean(), rtol=1e-6)


def test_a_sure_label_keeps_its_slope(tmp_path):
    def sure(model):
        model.classifier.weight.mul_(1e-3)
        model.classifier.bias.fill_(30)

    task = load(several(tmp_path, change=sure), "toxic")
    probe = NeuralProbe(task, Uniform(), weighting="gold")
    low, high = probe.measure(["she works"] * 2, [0, 1]).sensitivity
    # exp(-30) is lost beside 1 in float32.
    assert 0 < low < 1e-13
    assert low == pytest.approx(high, rel=1e-2, abs=0)


def test_one_label_alone_can_be_had_or_not(tmp_path):
    task = load(several(tmp_path, labels=["toxic"]), "toxic")
    assert task.classes == ("not toxic", "toxic")
    assert_allclose(task.predict(TEXTS).sum(1), 1)


def test_windows_of_one_label(tmp_path):
    task = load(several(tmp_path), "threat", window=True)
    parts = [task.predict([piece.text[a:b]]) for piece, a, b in cut(task, TEXTS[3])]
    assert len(parts) > 1
    assert_allclose(task.predict([TEXTS[3]]), np.mean(parts, axis=0), atol=1e-5)


def cut(task, text):
    for piece in task.read([text]).pieces:
        inner = [span for span, added in zip(piece.spans, piece.special, strict=True) if not added]
        yield piece, inner[0][0], inner[-1][1]


def test_a_label_must_be_named(tmp_path):
    said = "gives several labels to one text (problem_type in config.json): toxic, threat, insult; "
    message = refusal(several(tmp_path))
    assert message == f"--model mine: {said}name one of them: --class NAME."
    message = refusal(tmp_path, option="--protected")
    assert message.endswith(f"{said}expected a classifier whose labels exclude each other.")


def test_a_label_that_is_not_there(tmp_path):
    said = "--class toxi: no label of --model mine; expected one of toxic, threat, insult."
    assert refusal(several(tmp_path), "toxi") == said


@pytest.mark.parametrize("problem", [None, "single_label_classification"])
def test_labels_that_exclude_each_other_are_not_chosen_from(tmp_path, problem):
    several(tmp_path, problem=problem)
    message = refusal(tmp_path, "toxic")
    assert message.startswith("--class toxic: is for models that give several labels to one text")
    assert "set problem_type" in message
    assert load(tmp_path).classes == ("toxic", "threat", "insult")


@pytest.mark.parametrize("target", [None, "toxic"])
@pytest.mark.parametrize(
    ("labels", "problem"), [(["toxic"], None), (["toxic", "threat"], "regression")]
)
def test_numbers_are_no_labels(tmp_path, labels, problem, target):
    message = refusal(several(tmp_path, labels=labels, problem=problem), target)
    assert "gives a number, not one of several labels" in message


def test_two_labels_of_one_name(tmp_path):
    assert "two classes have one name" in refusal(several(tmp_path, labels=["a", "b", "a"]), "a")
