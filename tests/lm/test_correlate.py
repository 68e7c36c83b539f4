"""Audits of one model's likelihoods, associations and texts, correlated over models."""

import json

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from fairaudit.audit import Audit
from fairaudit.audits.correlate import correlate
from fairaudit.cli import app
from fairaudit.exceptions import FairauditError
from fairaudit.lm.ceat import AssociationTest, Stimuli
from fairaudit.lm.ceat.audit import ceat
from fairaudit.lm.generate.audit import generate
from fairaudit.lm.likelihood.audit import likelihood
from tests.conftest import ROOT
from tests.lm import tiny

EXAMPLES = ROOT / "examples"
LISTS = ("nurse mother", "doctor king", "she her", "he his")


def audits_of(model):
    """Audits of a model, by command."""
    given = {"model": model, "device": "cpu"}
    x, y, a, b = (Stimuli(words, tuple(words.split())) for words in LISTS)
    tests = [AssociationTest(name, (x, y), of) for name, of in (("T1", (a, b)), ("T2", (b, a)))]
    prompts = EXAMPLES / "generate" / "prompts.csv"
    return {
        "ceat": ceat(templates="seat", pooling="sentence", tests=tests, cache=False, **given),
        "likelihood": likelihood(EXAMPLES / "likelihood" / "own.toml", **given),
        "generate": generate(prompts, by="profession", tokens=6, score="text", **given),
        "ungrouped": generate(prompts, tokens=6, score="text", **given),
    }


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Patterns of the audit files of four models, by command."""
    place = tmp_path_factory.mktemp("audits")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny, "CONTEXT", 160)
        for seed in range(1, 5):
            model = tiny.save(place / f"model{seed}", "gpt2", seed=seed)
            for name, audit in audits_of(model).items():
                (place / name).mkdir(exist_ok=True)
                audit.save(place / name / f"{seed}.json")
    names = ("ceat", "likelihood", "generate", "ungrouped")
    return {name: str(place / name / "*.json") for name in names}


def values(pattern, metric, attribute=None, group="(all)"):
    """A value of each audit, by hand."""
    found = []
    for seed in range(1, 5):
        audit = Audit.load(pattern.replace("*", str(seed)))
        wanted = (metric, attribute, group)
        (row,) = [r for r in audit.estimates if (r.metric, r.attribute, r.group) == wanted]
        found.append(row.value)
    return found


def pearson(audit):
    (row,) = [row for row in audit.estimates if row.metric == "pearson_correlation"]
    assert (row.n, audit.records.used, audit.records.total) == (4, 4, 4)
    return row.value


def test_audits_of_different_attributes_are_correlated_as_a_whole(files):
    lean = values(files["likelihood"], "pronoun_gap")
    share = values(files["generate"], "gendered_share")
    assert len(set(lean)) > 1
    assert len(set(share)) > 1
    expected = stats.pearsonr(lean, share).statistic
    for name in ("generate", "ungrouped"):
        found = correlate(files["likelihood"], files[name], extrinsic_metric="gendered_share")
        assert pearson(found) == pytest.approx(expected)
    assert "The intrinsic score is pronoun_gap over all records." in found.notes


def test_a_side_without_an_overall_value_names_its_groups(files):
    with pytest.raises(FairauditError) as caught:
        correlate(files["ceat"], files["likelihood"])
    assert "no seat_effect over all records" in str(caught.value)
    assert "--intrinsic-group NAME. Groups: T1, T2." in str(caught.value)
    with pytest.raises(FairauditError, match="--extrinsic-group NAME. Groups: T1, T2"):
        correlate(files["likelihood"], files["ceat"])


def test_one_group_stands_for_the_model(files):
    effects = values(files["ceat"], "seat_effect", "test", "T2")
    lean = values(files["likelihood"], "pronoun_gap")
    found = correlate(files["ceat"], files["likelihood"], intrinsic_group="T2")
    assert pearson(found) == pytest.approx(stats.pearsonr(effects, lean).statistic)
    care = values(files["likelihood"], "pronoun_gap", "field", "care")
    given = ["--intrinsic", files["ceat"], "--intrinsic-group", "test=T2", "--format", "json"]
    given += ["--extrinsic", files["likelihood"], "--extrinsic-group", "care"]
    done = CliRunner().invoke(app, ["correlate", *given])
    assert done.exit_code == 0, done.output
    (first, _) = json.loads(done.stdout)["estimates"]
    assert first["value"] == pytest.approx(stats.pearsonr(effects, care).statistic)


def test_the_same_attribute_is_a_domain(files):
    found = correlate(files["likelihood"], files["likelihood"], extrinsic_metric="pronoun_lean")
    variances = [
        np.var(
            [values(files["likelihood"], metric, "field", g) for g in ("care", "trades")], axis=0
        )
        for metric in ("pronoun_gap", "pronoun_lean")
    ]
    assert pearson(found) == pytest.approx(stats.pearsonr(*variances).statistic)
    assert {row.group for row in found.estimates} == {"field"}
