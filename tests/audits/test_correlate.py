"""Correlation of scores over models: what is shared, what is left out, what is said."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from typer.testing import CliRunner

from fairaudit.audit import Audit
from fairaudit.audits.correlate import correlate
from fairaudit.audits.errors import errors
from fairaudit.audits.wer import wer
from fairaudit.cli import app
from fairaudit.exceptions import FairauditError
from fairaudit.report.correlations import correlation_sheets
from fairaudit.stats.correlation import correlation

MODELS = [f"m{i:02d}" for i in range(12)]


def scores(seed, groups, models=MODELS, domain=None):
    rng = np.random.default_rng(seed)
    rows = [
        {"model": model, "group": group, "score": rng.normal()}
        for model in models
        for group in groups
    ]
    return pd.DataFrame(rows).assign(**({} if domain is None else {"domain": domain}))


def value(audit, metric="pearson_correlation", group="(all)"):
    (row,) = [r for r in audit.estimates if (r.metric, r.group) == (metric, group)]
    return row.value


def said(audit):
    return " ".join(audit.notes)


def test_variances_over_groups_are_correlated():
    a, b = scores(1, ["x", "y", "z"]), scores(2, ["z", "x", "y"])
    audit = correlate(a, b)
    variances = [frame.groupby("model").score.var(ddof=0) for frame in (a, b)]
    assert value(audit) == pytest.approx(stats.pearsonr(*variances).statistic)
    spearman = stats.spearmanr(*variances).statistic
    assert value(audit, "spearman_correlation") == pytest.approx(spearman)
    assert (audit.records.total, audit.records.used) == (12, 12)
    (row,) = [row for row in audit.comparisons if row.metric == "pearson_correlation"]
    assert row.kind == "correlation"
    assert row.p_value == correlation(*variances).p_value
    assert "models only" not in said(audit)
    assert Audit.from_json(audit.to_json()).to_json() == audit.to_json()


def test_only_shared_groups_count_and_the_others_are_named():
    a, b = scores(1, ["x", "y", "z", "w"]), scores(2, ["x", "y", "v"])
    audit = correlate(a, b)
    same = correlate(a[a.group.isin(["x", "y"])], b[b.group.isin(["x", "y"])])
    assert value(audit) == value(same)
    assert "left out, as not all have them: v, w, z." in said(audit)
    assert "left out" not in said(same)
    # A group that one model lacks is shared no more.
    lacking = a.drop(a[(a.model == "m03") & (a.group == "z")].index)
    three = scores(2, ["x", "y", "z"])
    cut = correlate(lacking, three)
    assert value(cut) == value(correlate(a[a.group.isin(["x", "y"])], three))


def test_scores_without_groups_are_taken_as_they_are():
    a, b = scores(1, ["x"]).drop(columns="group"), scores(2, ["x", "y"])
    audit = correlate(a, b)
    variances = b.groupby("model").score.var(ddof=0)
    assert value(audit) == pytest.approx(stats.pearsonr(a.score, variances).statistic)


def test_models_of_one_side_are_named_and_few_are_warned_of():
    audit = correlate(scores(1, "xy", MODELS[:6]), scores(2, "xy", MODELS[2:7]))
    assert (audit.records.total, audit.records.used) == (7, 4)
    assert dict(audit.records.dropped) == {
        "models of the intrinsic side only": 2, "models of the extrinsic side only": 1,
    }  # fmt: skip
    assert "Models of the intrinsic side only, not used: m00, m01." in said(audit)
    assert "Models of the extrinsic side only, not used: m06." in said(audit)
    assert "4 models only; with fewer than 10" in said(audit)


def test_domains_stand_side_by_side_with_adjusted_p_values():
    frames = [
        pd.concat([scores(s, "xy", domain="race"), scores(s + 5, "pqr", domain="age")])
        for s in (1, 2)
    ]
    audit = correlate(*frames)
    alone = correlate(*(f[f.domain == "race"].drop(columns="domain") for f in frames))
    assert value(audit, group="race") == value(alone)
    rows = [row for row in audit.comparisons if row.metric == "pearson_correlation"]
    assert {row.group for row in rows} == {"race", "age"}
    smallest = min(rows, key=lambda row: row.p_value)
    assert smallest.p_adjusted == pytest.approx(min(1, 2 * smallest.p_value))
    first, second = correlation_sheets(audit)
    assert [name for name, *_ in first.rows] == ["age", "race"]
    assert first.title == "Pearson: Pearson's correlation coefficient"
    assert "adjusted over the domains" in first.sentences[0]
    assert second.rows[0][-1] == "12"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda f: f.assign(group=f.group.map({"x": "x", "y": "q"})),
            "fewer than two groups are shared by all models (x; intrinsic has x, y, extrinsic q, "
            "x), so scores have no variance",
        ),
        (
            lambda f: f[f.group == "x"],
            "fewer than two groups are shared by all models (x; intrinsic has x, y, extrinsic x)",
        ),
        (
            lambda f: f.assign(score=0.25).drop(columns="group").drop_duplicates("model"),
            "all 12 models have the same score on one side: extrinsic (0.25)",
        ),
        # Spreads of 0.1 that differ by rounding.
        (
            lambda f: f.assign(
                score=np.repeat(np.arange(12) / 7, 2) + np.where(f.group == "x", 0.1, 0)
            ),
            "all 12 models have the same score on one side: extrinsic (0.0025)",
        ),
    ],
)
def test_no_coefficient_at_all_is_refused(change, reason):
    with pytest.raises(FairauditError) as caught:
        correlate(scores(1, ["x", "y"]), change(scores(2, ["x", "y"])))
    assert str(caught.value).startswith(f"nothing to correlate: {reason}")
    assert "Expected scores that differ between models" in str(caught.value)


def test_a_domain_without_a_coefficient_says_why():
    a = pd.concat([scores(s, "xy", domain=name) for s, name in enumerate(("age", "race", "sex"))])
    b = pd.concat([
        scores(3, "xy", domain="age"),
        scores(4, "xy", domain="race").assign(score=1.5),
        scores(5, "xy", MODELS[:2], domain="sex"),
    ])  # fmt: skip
    audit = correlate(a, b)
    assert value(audit, group="age") is not None
    assert value(audit, group="race") is None
    notes = said(audit)
    assert "race: nothing to correlate: all 12 models have the same score on one side: " in notes
    assert "sex: nothing to correlate: 2 models have both scores; it takes 3." in notes
    assert "models only" not in notes
    (row,) = [r for r in audit.comparisons if (r.metric, r.group) == ("pearson_correlation", "age")]
    assert row.p_adjusted == row.p_value, "domains without a coefficient are no comparisons"
    # Models that count nowhere are not used.
    only = correlate(a[a.domain != "race"], b[(b.domain != "age") | b.model.isin(MODELS[:5])])
    assert (only.records.total, only.records.used) == (12, 5)
    assert only.records.dropped["models of no domain with a coefficient"] == 7


def test_notes_tell_of_intervals_that_are_there():
    three = correlate(scores(1, "xyz", MODELS[:3]), scores(2, "xyz", MODELS[:3]))
    assert "3 models only; with fewer than 10 a correlation says little." in said(three)
    assert "no interval (Pearson, Spearman): it takes 4 models." in said(three)
    line = pd.DataFrame({"model": MODELS[:5], "score": range(5)})
    straight = correlate(line, line.assign(score=2 * line.score + 1))
    assert "no interval (Pearson, Spearman): all models lie on a line." in said(straight)
    assert "wide" not in said(three) + said(straight)
    bent = correlate(line, line.assign(score=[0, 3, 1, 5, 4]))
    assert "its interval is wide" in said(bent)
    assert "no interval" not in said(bent)


@pytest.fixture
def audits(tmp_path):
    """Audit files of decisions by six models, and their frames."""
    frames = {}
    for model in MODELS[:6]:
        rng = np.random.default_rng(int(model[1:]))
        frame = pd.DataFrame({"y": rng.integers(0, 2, 200), "yhat": rng.integers(0, 2, 200)})
        frame["sex"] = rng.choice(["f", "m"], 200)
        errors(frame, label="y", prediction="yhat", by="sex").save(tmp_path / f"{model}.json")
        frames[model] = frame
    return tmp_path, frames


def test_audit_files_are_read(audits):
    folder, frames = audits
    a = scores(1, ["f", "m"], MODELS[:6], domain="sex")
    audit = correlate(a, str(folder / "*.json"), extrinsic_metric="selection_rate")
    variances = [frames[model].groupby("sex").yhat.mean().var(ddof=0) for model in MODELS[:6]]
    own = a.groupby("model").score.var(ddof=0)
    assert value(audit, group="sex") == pytest.approx(stats.pearsonr(own, variances).statistic)
    assert "extrinsic:selection_rate" in audit.signature
    assert len(audit.data) == 7
    with pytest.raises(FairauditError, match=r"no metric 'wer'. Metrics: "):
        correlate(a, str(folder / "*.json"), extrinsic_metric="wer")


def test_one_value_of_an_audit_is_the_score(audits):
    folder, frames = audits
    a = pd.DataFrame({"model": MODELS[:6], "score": np.arange(6) ** 2.0})
    files = str(folder / "*.json")
    whole = correlate(a, files, extrinsic_metric="selection_rate")
    rates = [frames[model].yhat.mean() for model in MODELS[:6]]
    assert value(whole) == pytest.approx(stats.pearsonr(a.score, rates).statistic)
    assert "The extrinsic score is selection_rate over all records." in said(whole)
    for name in ("f", "sex=f"):
        one = correlate(a, files, extrinsic_metric="selection_rate", extrinsic_group=name)
        own = [frames[m][frames[m].sex == "f"].yhat.mean() for m in MODELS[:6]]
        assert value(one) == pytest.approx(stats.pearsonr(a.score, own).statistic)
        assert f"extrinsic_group:{name}" in one.signature
        assert f"The extrinsic score is selection_rate of {name}." in said(one)
    # What all have in common yields to what is asked for.
    both = correlate(files, files, intrinsic_group="(all)", intrinsic_metric="selection_rate")
    assert [row.group for row in both.estimates] == ["(all)", "(all)"]


def test_groups_of_one_name_are_told_apart(tmp_path):
    for model in MODELS[:4]:
        rng = np.random.default_rng(int(model[1:]))
        columns = {name: rng.integers(0, 2, 90) for name in ("y", "yhat")}
        columns |= {name: rng.choice(["a", name], 90) for name in ("sex", "race")}
        audit = errors(pd.DataFrame(columns), label="y", prediction="yhat", by=["sex", "race"])
        audit.save(tmp_path / f"{model}.json")
    files, a = str(tmp_path / "*.json"), scores(1, ["x"], MODELS[:4]).drop(columns="group")
    with pytest.raises(FairauditError, match="several groups: name sex=a or race=a"):
        correlate(a, files, extrinsic_group="a")
    with pytest.raises(FairauditError, match="no group 'b'. Groups: sex=a, sex, race=a, race"):
        correlate(a, files, extrinsic_group="b")
    one, other = (correlate(a, files, extrinsic_group=f"{name}=a") for name in ("sex", "race"))
    assert value(one) != value(other)


def test_audits_of_different_metrics_are_no_side(audits):
    folder, _ = audits
    frame = pd.DataFrame({"reference": ["a b", "c"], "hypothesis": ["a", "c"], "sex": ["f", "m"]})
    wer(frame, by="sex").save(folder / "z.json")
    with pytest.raises(
        FairauditError, match="z.json: its first metric is wer, that of .* Name one"
    ):
        correlate(scores(1, "fm", domain="sex"), str(folder / "*.json"))


def test_an_audit_without_a_value_is_counted(audits):
    folder, _ = audits
    audit = Audit.load(folder / "m05.json")
    empty = [replace(row, value=None) for row in audit.estimates]
    replace(audit, estimates=tuple(empty)).save(folder / "m05.json")
    found = correlate(scores(1, "fm", MODELS[:6], domain="sex"), str(folder / "*.json"))
    assert found.records.dropped["rows without a model, a group or a score"] == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda f: f.rename(columns={"model": "name"}), "no column 'model'"),
        (lambda f: f.rename(columns={"score": "value"}), "no column 'score'"),
        (lambda f: f.assign(score="high"), "row 1: score is 'high'; expected a number"),
        (lambda f: pd.concat([f, f]), "a second score of model 'm00', group 'x'"),
        (lambda f: f[:4], "too few models to correlate: 2 by the same name on both sides"),
        (lambda f: f.assign(domain="age"), "intrinsic 12 in age, extrinsic 12 in no domain"),
    ],
)
def test_refused(change, reason):
    with pytest.raises(FairauditError) as caught:
        correlate(change(scores(1, ["x", "y"])), scores(2, ["x", "y"]))
    assert reason in str(caught.value)


def test_rows_without_a_score_are_counted():
    a = scores(1, ["x", "y", "z"])
    a.loc[a.model == "m01", "score"] = np.nan
    audit = correlate(a, scores(2, ["x", "y", "z"]))
    assert audit.records.dropped["rows without a model, a group or a score"] == 3
    assert audit.records.used == 11


def test_missing_values_are_no_groups_and_no_domains(tmp_path):
    a, b = scores(1, ["x", "y", "z"]), scores(2, ["x", "y", "z"])
    whole = correlate(a[a.group != "z"], b[b.group != "z"])
    for gap in (None, "NA", ""):
        path = tmp_path / "a.csv"
        a.assign(group=a.group.replace("z", gap)).to_csv(path, index=False)
        audit = correlate(path, b.assign(group=b.group.replace("z", "NA")))
        assert value(audit) == value(whole)
        assert audit.records.dropped == {"rows without a model, a group or a score": 24}
        assert (audit.records.total, audit.records.used) == (36, 12)
    named = correlate(a.assign(domain="unknown"), b, na=["unknown"])
    assert value(named) == value(correlate(a, b))
    own = correlate(a.assign(group=a.group.replace("z", "NA")), b, na=["none"])
    assert "left out, as not all have them: NA, z." in said(own)


def test_command(tmp_path):
    for name, seed in (("in.csv", 1), ("out.csv", 2)):
        scores(seed, ["x", "y"]).to_csv(tmp_path / name, index=False)
    given = ["--intrinsic", str(tmp_path / "in.csv"), "--extrinsic", str(tmp_path / "out.csv")]
    done = CliRunner().invoke(app, ["correlate", *given, "--format", "json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["kind"] == "correlation"
    expected = correlate(tmp_path / "in.csv", tmp_path / "out.csv")
    assert found["estimates"][0]["value"] == pytest.approx(expected.estimates[0].value)
    for wrong, reason in (
        ([*given[:3], "no.csv"], "no.csv: no such file"),
        ([*given[:3], "-"], "name a file"),
        ([*given, "--intrinsic-metric", "wer"], "is for audit files; a table has one score"),
        ([*given, "--extrinsic-group", "x"], "is for audit files; a table has groups in a column"),
        ([*given, "--confidence", "2"], "--confidence 2.0"),
    ):
        done = CliRunner().invoke(app, ["correlate", *wrong])
        assert done.exit_code == 2
        assert reason in done.stderr
