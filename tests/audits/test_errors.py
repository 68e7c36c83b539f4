"""The audit of decisions: hand-worked numbers, slow oracles, and bad input."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fairaudit.audits.errors import errors
from fairaudit.exceptions import FairauditError
from fairaudit.metrics import METRICS
from fairaudit.stats.intervals import wilson
from fairaudit.stats.proportions import koopman, miettinen_nurminen
from fairaudit.stats.standardised import standardise
from fairaudit.stats.sums import Accumulator
from tests.conftest import ROOT

HIRING = str(ROOT / "examples" / "hiring" / "applicants.csv")


def decisions(rng, n=500):
    """Random decisions about people of three groups, each of one of 40 towns."""
    town = rng.integers(0, 40, n)
    frame = pd.DataFrame(
        {
            "label": rng.integers(0, 2, n),
            "score": rng.random(n).round(3),
            "group": np.array(list("abc"))[rng.integers(0, 3, n)],
            "sex": rng.choice(["f", "m", None], n, p=[0.48, 0.48, 0.04]),
            "department": rng.choice(["x", "y", "z"], n),
            "town": [f"t{i}" for i in town],
            "weight": rng.integers(1, 4, n),
            "one": 1,
        }
    )
    frame["decision"] = (rng.random(n) < 0.3 + 0.3 * frame.label).astype(int)
    return frame


@pytest.fixture(scope="module")
def frame():
    return decisions(np.random.default_rng(1))


def rows(audit, metric, attribute="group", **variant):
    return {
        row.group: row
        for row in audit.estimates
        if (row.metric, row.attribute) == (metric, attribute) and (row.variant or {}) == variant
    }


def compared(audit, kind, metric, attribute="group", **variant):
    return {
        row.group: row
        for row in audit.comparisons
        if (row.kind, row.metric, row.attribute) == (kind, metric, attribute)
        and (row.variant or {}) == variant
        and (row.name is None or kind != "ratio")
    }


def named(audit, name, attribute="group"):
    return {
        row.group: row
        for row in audit.comparisons
        if (row.name, row.attribute) == (name, attribute)
    }


# --- Comparisons with names of their own --------------------------------------------------


def selected(**groups):
    """So many selected of so many in each group."""
    rows = [(group, i < k) for group, (k, n) in groups.items() for i in range(n)]
    return pd.DataFrame(rows, columns=["group", "hired"])


def test_impact_ratio_is_to_the_highest_rate():
    """60 % of 10, 40 % of 20 and 0 of 5: ratios 1, 2/3 and 0, tested by Fisher's test."""
    frame = selected(a=(6, 10), b=(8, 20), c=(0, 5))
    found = named(errors(frame, prediction="hired", by="group"), "impact_ratio")
    assert {g: row.value for g, row in found.items()} == pytest.approx({"a": 1, "b": 2 / 3, "c": 0})
    assert {row.against for row in found.values()} == {"a"}
    p = {
        g: stats.fisher_exact([[6, 4], [k, n - k]]).pvalue
        for g, k, n in (("b", 8, 20), ("c", 0, 5))
    }
    assert found["b"].p_value == pytest.approx(p["b"])
    assert found["c"].p_value == pytest.approx(p["c"])
    # Holm: the smallest of two p-values twice, then no less.
    assert found["c"].p_adjusted == pytest.approx(2 * p["c"])
    assert found["b"].p_adjusted == pytest.approx(max(2 * p["c"], p["b"]))
    # Simultaneous over both: half of the error each.
    z = stats.norm.ppf(1 - 0.025 / 2)
    low, high = (float(limit) for limit in koopman(*np.array([8.0, 20, 6, 10]), z))
    assert (found["b"].ci_low, found["b"].ci_high) == pytest.approx((low, high))
    # 7 of 20 (one less) is below 60 %; 9 of 20 is still below 5 of 10.
    assert [found[g].one_person_reverses for g in "abc"] == [None, False, False]
    assert (found["a"].ci_low, found["a"].p_value) == (None, None)


def test_one_person_reverses_a_small_difference():
    """3 of 20 against 16 of 80: one selection moved makes it 20 % against 18.75 %."""
    frame = selected(a=(3, 20), b=(16, 80))
    found = named(errors(frame, prediction="hired", by="group"), "impact_ratio")
    assert found["a"].one_person_reverses is True


def test_nobody_selected_has_no_impact_ratio():
    frame = selected(a=(0, 20), b=(0, 80)).assign(hired="no")
    audit = errors(frame, prediction="hired", by="group")
    assert not named(audit, "impact_ratio")
    assert rows(audit, "selection_rate")["a"].value == 0


def test_groups_below_2_percent_have_no_impact_ratio_by_local_law_144():
    frame = selected(a=(30, 60), b=(16, 64), c=(2, 2))
    found = named(errors(frame, prediction="hired", by="group"), "impact_ratio")
    assert set(found) == {"a", "b", "c"}
    assert found["a"].against == "c"
    law = errors(frame, prediction="hired", by="group", rule="ll144")
    found = named(law, "impact_ratio")
    assert (set(found), found["b"].against) == ({"a", "b"}, "a")
    assert found["b"].value == pytest.approx((16 / 64) / (30 / 60))


def test_equalized_odds_interval_holds_both_gaps(frame):
    audit = errors(frame, label="label", prediction="decision", by="group")
    tpr, fpr = (
        {g: row.value for g, row in rows(audit, f"{name}_positive_rate").items()}
        for name in ("true", "false")
    )
    gaps = [max(v.values()) - min(v.values()) for v in (tpr, fpr)]
    (row,) = named(audit, "equalized_odds_difference").values()
    assert row.value == pytest.approx(max(gaps))
    ratios = [min(v.values()) / max(v.values()) for v in (tpr, fpr)]
    (ratio,) = named(audit, "equalized_odds_ratio").values()
    assert ratio.value == pytest.approx(min(ratios))
    assert ratio.ci_low <= ratio.value <= ratio.ci_high
    # The larger of the limits of each gap, were it alone at half the error.
    halved = errors(frame, label="label", prediction="decision", by="group", confidence=0.975)
    alone = [
        gap
        for name in ("true_positive_rate", "false_positive_rate")
        for gap in compared(halved, "gap", name).values()
    ]
    assert (row.ci_low, row.ci_high) == (
        max(gap.ci_low for gap in alone),
        max(gap.ci_high for gap in alone),
    )
    assert row.p_value == pytest.approx(min(1, 2 * min(gap.p_value for gap in alone)))
    assert max(gap.chance for gap in alone) < row.chance < sum(gap.chance for gap in alone)


def test_inequality_of_benefits_person_by_person(frame):
    audit = errors(frame, label="label", prediction="decision", by="group", weight="weight")
    for group, own in [("(all)", frame), *frame.groupby("group")]:
        attribute = None if group == "(all)" else "group"
        relative, weight = benefits(own)
        theil = np.average([r * np.log(r) if r > 0 else 0 for r in relative], weights=weight)
        entropy = np.average((relative**2 - 1) / 2, weights=weight)
        for name, value in (("theil_index", theil), ("generalized_entropy_index", entropy)):
            assert rows(audit, name, attribute)[group].value == pytest.approx(value), name
    frame = frame.assign(own=frame.decision - frame.label + 1)
    means = frame.groupby("group").apply(lambda g: np.average(g.own, weights=g.weight))
    relative = frame.group.map(means) / np.average(frame.own, weights=frame.weight)
    between = np.average((relative**2 - 1) / 2, weights=frame.weight)
    found = named(audit, "between_group_generalized_entropy_index")[None]
    assert found.value == pytest.approx(between)
    between = np.average(relative * np.log(relative), weights=frame.weight)
    assert named(audit, "between_group_theil_index")[None].value == pytest.approx(between)


def benefits(frame):
    benefit = (frame.decision - frame.label + 1).to_numpy()
    return benefit / np.average(benefit, weights=frame.weight), frame.weight


# --- Thresholds, rankings, numbers, classes -----------------------------------------------


def test_thresholds_take_scores_at_them_and_the_median_above_it():
    frame = pd.DataFrame({"score": [0.2, 0.5, 0.5, 0.5, 0.9], "group": list("aabbb")})
    audit = errors(frame, score="score", threshold=["0.5", "median"], by="group")
    at = rows(audit, "selection_rate", threshold=0.5)
    above = rows(audit, "selection_rate", threshold="median")
    assert {g: row.value for g, row in at.items()} == {"a": 0.5, "b": 1}
    assert {g: row.value for g, row in above.items()} == pytest.approx({"a": 0, "b": 1 / 3})
    # What the scores show does not depend on the threshold, so it stands once.
    assert rows(audit, "mean_score")["a"].value == pytest.approx(0.35)
    assert any("median of all scores is 0.5; " in note for note in audit.notes)
    assert any("60.0 % of the scores lie on it" in note for note in audit.notes)


def test_equal_thresholds_are_one():
    frame = pd.DataFrame({"score": [0.2, 0.5], "group": ["a", "b"]})
    audit = errors(frame, score="score", threshold=["0.5", 0.50, "0.500"])
    assert {row.variant is None for row in audit.estimates} == {True}


def test_local_law_144_scores_at_the_median():
    frame = pd.DataFrame({"score": [1.0, 2, 3, 40, 50], "group": list("aabbb")})
    audit = errors(frame, score="score", by="group", rule="ll144")
    assert {g: row.value for g, row in rows(audit, "selection_rate").items()} == pytest.approx(
        {"a": 0, "b": 2 / 3}
    )


def expected_places(scores, top):
    """Exposure and selection of each record, averaged over all orders that scores allow."""
    import itertools

    orders = [
        order
        for order in itertools.permutations(range(len(scores)))
        if all(scores[a] >= scores[b] for a, b in itertools.pairwise(order))
    ]
    exposure, chosen = np.zeros(len(scores)), np.zeros(len(scores))
    for order in orders:
        for rank, record in enumerate(order, start=1):
            exposure[record] += 1 / np.log2(1 + rank) / len(orders)
            chosen[record] += (rank <= top) / len(orders)
    return exposure, chosen


def test_ranking_shares_places_among_ties_within_queries():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "query": rng.choice(["p", "q", "r"], 18),
            "score": rng.integers(0, 3, 18),
            "group": rng.choice(["a", "b"], 18),
            "relevance": rng.integers(0, 4, 18),
        }
    )
    options = {"task": "ranking", "score": "score", "query": "query", "label": "relevance"}
    audit = errors(frame, by="group", top_k=[2, 4], **options)
    for own in frame.groupby("query").groups.values():
        scores = frame.loc[own, "score"].to_numpy()
        frame.loc[own, "exposure"] = expected_places(scores, 2)[0]
        for k in (2, 4):
            frame.loc[own, f"top{k}"] = expected_places(scores, k)[1]
    means = frame.groupby("group").mean(numeric_only=True)
    for group in "ab":
        for k in (2, 4):
            found = rows(audit, "selection_rate", k=k)[group].value
            assert found == pytest.approx(means[f"top{k}"][group])
        assert rows(audit, "exposure", k=2)[group].value == pytest.approx(means.exposure[group])
        merit = rows(audit, "exposure_per_relevance", k=2)[group].value
        assert merit == pytest.approx(means.exposure[group] / means.relevance[group])
    assert any("--cluster query" in note for note in audit.notes)


def test_quantiles_of_errors_are_numpys():
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(
        {"label": rng.normal(size=300), "group": rng.choice(["a", "b"], 300), "two": 2}
    )
    frame["guess"] = frame.label + rng.gumbel(size=300)
    options = {"label": "label", "prediction": "guess", "task": "regression", "by": "group"}
    audit = errors(frame, **options)
    heavier = errors(frame, weight="two", **options)
    for tau in (0.05, 0.25, 0.5, 0.75, 0.95):
        for group, own in frame.groupby("group"):
            expected = np.quantile(own.guess - own.label, tau)
            row = rows(audit, "error_quantile", quantile=tau)[group]
            assert row.value == pytest.approx(expected)
            assert row.ci_low < row.value < row.ci_high
            assert rows(heavier, "error_quantile", quantile=tau)[group].value == pytest.approx(
                expected
            )


def test_constant_numbers_have_no_r2():
    frame = pd.DataFrame({"y": [0.1] * 30, "p": np.linspace(0, 1, 30), "group": list("ab") * 15})
    audit = errors(frame, task="regression", label="y", prediction="p", by="group")
    assert rows(audit, "r2")["a"].value is None
    assert rows(audit, "mean_error")["a"].value is not None


def test_auc_against_other_groups_pair_by_pair(frame):
    audit = errors(frame, label="label", score="score", by="sex", weight="weight")
    known = frame[frame.sex.notna()]
    for group in "fm":
        own, others = known[known.sex == group], known[known.sex != group]
        for name, above, below in (("bpsn_auc", others, own), ("bnsp_auc", own, others)):
            up, down = above[above.label == 1], below[below.label == 0]
            wins = np.sign(up.score.to_numpy()[:, None] - down.score.to_numpy()) / 2 + 0.5
            weight = up.weight.to_numpy()[:, None] * down.weight.to_numpy()
            expected = (wins * weight).sum() / weight.sum()
            row = rows(audit, name, "sex")[group]
            assert row.value == pytest.approx(expected)
            assert row.ci_low < expected < row.ci_high


def test_scores_are_calibrated_where_labels_are_drawn_from_them():
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"score": rng.random(4000), "group": rng.choice(["a", "b"], 4000)})
    odds = np.log(frame.score / (1 - frame.score))
    shifted = 1 / (1 + np.exp(-np.where(frame.group == "b", odds / 2 + 0.7, odds)))
    frame["label"] = (rng.random(4000) < shifted).astype(int)
    audit = errors(frame, label="label", score="score", by="group")
    slope, intercept = (rows(audit, f"calibration_{name}") for name in ("slope", "intercept"))
    for row, truth in ((slope["a"], 1), (slope["b"], 0.5), (intercept["a"], 0)):
        assert row.ci_low < truth < row.ci_high
    assert intercept["b"].ci_low > 0.3
    wrong = rows(audit, "calibration_error")
    assert wrong["a"].ci_low == 0 < 0.05 < wrong["b"].ci_low


# --- Few positives ------------------------------------------------------------------------


def scored(positives, negatives, rng, shift):
    label = np.repeat([1, 0], [positives, negatives])
    odds = rng.normal(size=len(label)) + shift * label
    return pd.DataFrame({"label": label, "score": 1 / (1 + np.exp(-odds))})


def test_perfect_separation_of_few_positives_proves_little():
    """5 of 5 wins are worth five records, not a hundred: Wilson's interval with 4 degrees."""
    frame = scored(5, 95, np.random.default_rng(6), 20)
    row = rows(errors(frame, label="label", score="score"), "roc_auc", None)["(all)"]
    t = stats.t.ppf(0.975, 4)
    assert (row.value, row.n, row.records) == (1, 5, 100)
    assert (row.ci_low, row.ci_high) == (pytest.approx(1 / (1 + t**2 / 5)), 1)


def test_one_positive_has_no_interval_and_no_comparison():
    rng = np.random.default_rng(7)
    groups = [scored(k, 60, rng, 1).assign(group=g) for g, k in (("a", 1), ("b", 20), ("c", 20))]
    frame = pd.concat([*groups, scored(0, 30, rng, 1).assign(group="d")])
    audit = errors(frame, label="label", score="score", by="group")
    found = rows(audit, "roc_auc")
    assert found["a"].value is not None
    assert (found["a"].ci_low, found["a"].ci_high, found["d"].value) == (None, None, None)
    (gap,) = compared(audit, "gap", "roc_auc").values()
    assert {gap.group, gap.against} == {"b", "c"}
    assert set(compared(audit, "difference", "roc_auc")) == {"b", "c"}
    notes = [note for note in audit.notes if note.startswith("group: ")]
    assert any("a: one record with the rarer label, so no interval of AUC" in n for n in notes)
    assert any("d: one label only, so no AUC" in note for note in notes)


def test_positives_of_few_clusters_are_few():
    rng = np.random.default_rng(8)
    frame = scored(40, 60, rng, 20).assign(town=[f"t{i}" for i in np.repeat(range(20), 5)])
    alone = rows(errors(frame, label="label", score="score"), "roc_auc", None)["(all)"]
    few = rows(errors(frame, label="label", score="score", cluster="town"), "roc_auc", None)[
        "(all)"
    ]
    assert (alone.n, few.n, few.clusters) == (40, 8, 20)
    t = stats.t.ppf(0.975, 7)
    assert few.ci_low == pytest.approx(1 / (1 + t**2 / 8))


def test_separation_from_other_groups_is_guarded_too():
    rng = np.random.default_rng(9)
    frame = pd.concat([scored(k, 60, rng, 20).assign(group=g) for g, k in (("a", 4), ("b", 30))])
    row = rows(errors(frame, label="label", score="score", by="group"), "bnsp_auc")["a"]
    t = stats.t.ppf(0.975, 3)
    assert (row.value, row.ci_high) == (1, 1)
    assert row.ci_low == pytest.approx(1 / (1 + t**2 / 4))


@pytest.mark.parametrize(("positives", "shift"), [(5, 0.0), (5, 1.0), (10, 1.0), (30, 2.0)])
def test_auc_intervals_of_small_groups_cover(positives, shift):
    """One audit of 300 groups is 300 samples; nominal 95 %."""
    rng = np.random.default_rng(10)
    groups = [
        scored(positives, 100 - positives, rng, shift).assign(group=f"g{i}") for i in range(300)
    ]
    audit = errors(
        pd.concat(groups),
        label="label",
        score="score",
        by="group",
        metrics="roc_auc",
        resamples=100,
    )
    found = rows(audit, "roc_auc").values()
    truth = stats.norm.cdf(shift / np.sqrt(2))
    covered = np.mean([row.ci_low <= truth <= row.ci_high for row in found])
    assert 0.925 <= covered <= 0.99


# --- Equal control ------------------------------------------------------------------------


def test_women_are_hired_less_but_not_within_departments():
    """Simpson's paradox in the example, against the plain Mantel-Haenszel difference."""
    audit = errors(HIRING, prediction="hired", by="sex", control="department", compare_to="male")
    table = pd.read_csv(HIRING).dropna(subset=["sex"])
    table["hired"] = table.hired == "yes"
    rates = table.groupby("sex").hired.mean()
    crude = compared(audit, "difference", "selection_rate", "sex")["female"]
    assert crude.value == pytest.approx(rates["female"] - rates["male"])
    assert round(crude.value, 3) == -0.113
    own = table.pivot_table(
        index="department", columns="sex", values="hired", aggfunc=["mean", "count"]
    )
    n, m = own["count"]["female"], own["count"]["male"]
    weight = n * m / (n + m)
    expected = np.average(own["mean"]["female"] - own["mean"]["male"], weights=weight)
    adjusted = compared(audit, "adjusted_difference", "selection_rate", "sex", control="department")
    assert set(adjusted) == {"female"}
    assert adjusted["female"].value == pytest.approx(expected)
    assert round(expected, 4) == 0.0075
    assert adjusted["female"].ci_low < 0 < adjusted["female"].ci_high
    for department in sorted(set(table.department)):
        level = rows(audit, "selection_rate", "sex", control=department)
        assert level["female"].value == pytest.approx(own["mean"]["female"][department])


def test_paradox_is_named_where_it_is_shown():
    """Within both departments women are hired more, and over all less."""
    cells = (("f", "x", 270, 900), ("m", "x", 20, 100), ("f", "y", 90, 100), ("m", "y", 720, 900))
    frame = pd.concat(
        pd.DataFrame({"sex": sex, "department": d, "hired": np.arange(n) < k})
        for sex, d, k, n in cells
    )
    options = {"prediction": "hired", "by": "sex", "control": "department"}
    audit = errors(frame, **options)
    crude = compared(audit, "difference", "selection_rate", "sex")["f"]
    adjusted = compared(audit, "adjusted_difference", "selection_rate", "sex", control="department")
    assert (crude.value, adjusted["f"].value) == pytest.approx((0.36 - 0.74, 0.1))
    (note,) = [note for note in audit.notes if "Simpson's paradox" in note]
    assert note.startswith("sex: ")
    assert "of f, m" in note
    # Of two groups each is the other's rest: one comparison.
    assert adjusted["f"].p_adjusted == adjusted["f"].p_value


@pytest.mark.parametrize("cluster", [None, "town"])
@pytest.mark.parametrize("reference", ["rest", "b"])
def test_adjusted_differences_are_the_standardised(frame, cluster, reference):
    audit = errors(
        frame,
        label="label",
        prediction="decision",
        by="group",
        control="department",
        cluster=cluster,
        compare_to=reference,
    )
    strata = []
    for _, own in frame.groupby("department"):
        total = Accumulator(("records", "weight", "selected"), cluster is not None)
        codes, keys = pd.factorize(own.town)
        group, names = pd.factorize(own.group)
        counts = np.column_stack([np.ones(len(own)), np.ones(len(own)), own.decision])
        total.add(group, codes if cluster else None, counts)
        strata.append(total.result("group", list(names), list(keys) if cluster else None))
    expected = standardise(
        strata,
        ["x", "y", "z"],
        METRICS["selection_rate"],
        "(rest)" if reference == "rest" else reference,
        0.95,
    )
    found = compared(audit, "adjusted_difference", "selection_rate", control="department")
    assert tuple(found) == expected.groups
    for g, row in enumerate(found.values()):
        assert row.value == pytest.approx(expected.difference[g])
        assert (row.ci_low, row.ci_high) == pytest.approx((expected.low[g], expected.high[g]))
        assert row.p_value == pytest.approx(expected.p_value[g])


def test_control_of_numbers_in_bins_and_at_several_thresholds(frame):
    frame = frame.assign(age=np.arange(len(frame)) % 60)
    audit = errors(
        frame, score="score", threshold=[0.3, 0.6], by="group", control="age", bins="age=20,40"
    )
    for t in (0.3, 0.6):
        found = compared(audit, "adjusted_difference", "selection_rate", threshold=t, control="age")
        assert set(found) == set("abc")
        own = frame[(frame.group == "a") & (frame.age < 20)]
        level = rows(audit, "selection_rate", threshold=t, control="(-inf, 20)")
        assert level["a"].value == pytest.approx((own.score >= t).mean())


def test_what_control_cannot_do_is_said(frame):
    audit = errors(frame, label="label", score="score", by="sex", control="department")
    assert any("At equal department only rates and means" in note for note in audit.notes)
    lost = frame.sex.isna().sum()
    assert any(f"sex: {lost} records without a value" in note for note in audit.notes)
    alone = errors(frame, label="label", prediction="decision", control="department")
    assert any("as no --by was given" in note for note in alone.notes)


# --- The same whatever the order, the batches and the way of reading ----------------------

WAYS = {
    "decisions": {"label": "label", "prediction": "decision"},
    "scores": {"label": "label", "score": "score", "threshold": ["median", "0.4"]},
    "weights": {"label": "label", "prediction": "decision", "weight": "weight"},
    "classes": {"label": "sex", "prediction": "guess", "task": "multiclass", "classes": ["f"]},
    "numbers": {"label": "score", "prediction": "weight", "task": "regression"},
    "ranks": {"score": "score", "task": "ranking", "query": "department", "top_k": [3, 9]},
}


@pytest.mark.parametrize(
    ("way", "cluster"), [*((way, None) for way in WAYS), ("decisions", "town"), ("scores", "town")]
)
def test_order_of_rows_batches_and_files_do_not_matter(frame, way, cluster, tmp_path, monkeypatch):
    frame = frame.assign(guess=np.where(frame.score > 0.5, "f", "m"))
    options = WAYS[way] | {"by": "group", "cluster": cluster, "resamples": 100}
    if way == "decisions":
        options |= {"by": ["group", "group:department"], "control": "sex"}
    whole = errors(frame, **options).to_dict()
    shuffled = frame.sample(frac=1, random_state=2)
    shuffled.iloc[:150].to_csv(tmp_path / "a.csv", index=False)
    shuffled.iloc[150:].to_csv(tmp_path / "b.csv", index=False)
    with monkeypatch.context() as patch:
        patch.setattr("fairaudit.table.BATCH", 17)
        parts = errors(str(tmp_path / "?.csv"), **options).to_dict()
    for name in ("estimates", "comparisons", "records", "explanations", "sums"):
        if way in ("decisions", "weights", "classes"):
            assert parts[name] == whole[name], name
        else:  # fractions are settled to 12 digits, and may lie between two of them
            assert_close(parts[name], whole[name])


def assert_close(a, b):
    """Equal but for the last digits of numbers."""
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_close(a[key], b[key])
    elif isinstance(a, list):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_close(x, y)
    else:
        assert a == (pytest.approx(b, rel=1e-8) if isinstance(b, float) else b)


@pytest.mark.parametrize("cluster", [None, "town"])
def test_records_counted_together_are_those_counted_one_by_one(frame, cluster):
    """Without weights the database adds up alike records; a weight of 1 takes them one by one."""
    options = {
        "label": "label",
        "prediction": "decision",
        "by": ["group", "sex"],
        "control": "department",
        "cluster": cluster,
        "interval": "t",
        "resamples": 100,
    }
    together = errors(frame, **options)
    each = errors(frame, weight="one", **options)
    assert together.records == each.records
    assert [vars(row) for row in together.estimates] == [vars(row) for row in each.estimates]
    assert len(together.comparisons) == len(each.comparisons)
    for a, b in zip(together.comparisons, each.comparisons, strict=True):
        if a.name not in ("impact_ratio",) and a.kind != "adjusted_difference":
            assert vars(a) == vars(b)


def test_clusters_widen_intervals():
    """Everybody of a town is treated alike: as many observations as towns."""
    rng = np.random.default_rng(11)
    town = np.repeat(np.arange(30), 20)
    hired = rng.integers(0, 2, 30)[town]
    frame = pd.DataFrame({"town": town, "hired": hired, "group": np.array(["a", "b"])[town % 2]})
    alone = rows(errors(frame, prediction="hired", by="group"), "selection_rate")["a"]
    towns = rows(errors(frame, prediction="hired", by="group", cluster="town"), "selection_rate")[
        "a"
    ]
    assert (alone.value, alone.clusters, towns.clusters) == (towns.value, None, 15)
    assert towns.ci_high - towns.ci_low > 4 * (alone.ci_high - alone.ci_low)


# --- Intervals ----------------------------------------------------------------------------


def test_intervals_of_shares_are_wilsons_and_miettinens_and_koopmans(frame):
    audit = errors(frame, label="label", prediction="decision", by="sex", compare_to="m")
    z = stats.norm.ppf(0.975)
    own = dict(list(frame.groupby("sex")))
    k, n, j, m = (
        np.array(float(x)) for sex in "fm" for x in (own[sex].decision.sum(), len(own[sex]))
    )
    row = rows(audit, "selection_rate", "sex")["f"]
    assert (row.ci_low, row.ci_high) == pytest.approx([float(x) for x in wilson(k, n, z)])
    found = compared(audit, "difference", "selection_rate", "sex")["f"]
    expected = [float(x) for x in miettinen_nurminen(k, n, j, m, z)]
    assert (found.ci_low, found.ci_high) == pytest.approx(expected)
    lower = "f" if k / n < j / m else "m"
    pair = (k, n, j, m) if lower == "f" else (j, m, k, n)
    found = named(audit, "impact_ratio", "sex")[lower]
    expected = [float(x) for x in koopman(*pair, z)]
    assert (found.ci_low, found.ci_high) == pytest.approx(expected)


def fast_audits(rng, rates, size, runs):
    """Selection rates of many data sets, by the statistics that the audit uses."""
    from fairaudit.assess import Assessment, Design
    from fairaudit.audits.decisions.parity import Parity

    names = [f"g{i}" for i in range(len(rates))]
    columns = "records weight selected correct true_positives false_positives".split()
    columns += ["false_negatives", "true_negatives"]
    shown = [METRICS[n] for n in ("selection_rate", "true_positive_rate", "false_positive_rate")]
    for _ in range(runs):
        total = Accumulator(columns, clustered=False)
        for g, rate in enumerate(rates):
            # Half have a positive label; who is selected does not depend on it.
            hits = rng.binomial(size // 2, rate, 2)
            cells = np.array([hits[0], hits[1], size // 2 - hits[0], size // 2 - hits[1]])
            kinds = np.eye(4)
            counts = np.column_stack(
                [
                    np.ones(4),
                    np.ones(4),
                    kinds[:, 0] + kinds[:, 1],
                    kinds[:, 0] + kinds[:, 3],
                    kinds,
                ]
            )
            total.add(np.full(4, g), None, counts, cells)
        part = Assessment(
            total.result("group", names, None), shown, Design(resamples=200), lambda g: {}
        )
        yield part, Parity(part)


def test_intervals_of_rates_and_odds_cover_equal_groups():
    """Three groups treated alike: nominal 95 %; the interval of the odds holds 0."""
    rng = np.random.default_rng(12)
    shares, odds, accused, impact = [], [], [], []
    for part, parity in fast_audits(rng, [0.3, 0.3, 0.3], 400, 300):
        for metric in ("selection_rate", "true_positive_rate"):
            low, high = part.found[metric].interval(0.95)
            shares += list((low <= 0.3) & (high >= 0.3))
        found = list(parity.comparisons())
        (row,) = (row for row in found if row.name == "equalized_odds_difference")
        odds.append(row.ci_low == 0)
        accused.append(row.p_value <= 0.05)
        impact += [
            row.ci_low <= 1 <= row.ci_high
            for row in found
            if row.name == "impact_ratio" and row.ci_low is not None
        ]
    assert 0.93 <= np.mean(shares) <= 0.97
    assert np.mean(odds) >= 0.93
    assert np.mean(accused) <= 0.09
    assert 0.93 <= np.mean(impact) <= 0.985


def test_interval_of_unequal_odds_covers():
    """The larger gap is that of all pairs, 0.4."""
    rng = np.random.default_rng(13)
    covered = []
    for _, parity in fast_audits(rng, [0.7, 0.5, 0.3], 300, 100):
        (row,) = (r for r in parity.comparisons() if r.name == "equalized_odds_difference")
        covered.append(row.ci_low <= 0.4 <= row.ci_high)
    assert np.mean(covered) >= 0.93


# --- Bad input ----------------------------------------------------------------------------


def message(data, **options):
    with pytest.raises(FairauditError) as caught:
        errors(data, **options)
    return str(caught.value)


YN = {"label": "label", "prediction": "decision"}


def test_a_third_value_needs_naming(frame):
    assert message(frame, label="label", prediction="department") == (
        "column 'department' holds 'x', 'y', 'z': expected two values. Name the positive ones: "
        "--positive z"
    )


def test_values_that_nothing_tells_apart_need_naming(frame):
    assert "'f', 'm': none of them is 1, true or yes" in message(frame, prediction="sex")
    both = frame.assign(decision=np.where(frame.decision == 1, "yes", "1"))
    assert "'1', 'yes': several of them usually mean yes" in message(both, prediction="decision")


def test_named_values_must_occur(frame):
    assert message(frame, prediction="department", positive="Z") == (
        "--positive Z: column 'department' has no such value. Values: 'x', 'y', 'z'."
    )
    assert message(
        frame, label="label", prediction="department", positive="z", positive_label="7"
    ) == ("--positive-label 7: column 'label' has no such value. Values: '0', '1'.")
    assert "--positive-label 1" in message(
        frame, label="label", prediction="department", positive="z"
    )


def test_names_match_exactly_and_several_may_be_positive(frame):
    audit = errors(frame, prediction="department", positive=["x", "z"])
    found = rows(audit, "selection_rate", None)["(all)"]
    assert found.value == pytest.approx(frame.department.isin(["x", "z"]).mean())


def test_positive_values_of_no_column(frame):
    assert "neither --prediction nor --label" in message(frame, score="score", positive="1")
    assert "no --label was given" in message(frame, prediction="decision", positive_label="1")


def test_scores_outside_0_and_1_are_found_by_row(frame, tmp_path):
    bad = frame.assign(score=frame.score.where(frame.index != 216, 1.5))
    bad.to_csv(tmp_path / "people.csv", index=False)
    path = str(tmp_path / "people.csv")
    assert message(path, label="label", score="score") == (
        f"{path}, row 217: score is 1.5; expected a number from 0 to 1."
    )
    # For the median alone any scores will do, and elsewhere so will rows that are filtered.
    assert errors(path, score="score", threshold="median").records.used == 500
    assert errors(path, label="label", score="score", where="score <= 1").records.used == 499
    assert "row 217" in message(path, label="label", score="score", where="score > 0.1")


def test_a_missing_value_is_not_outside(tmp_path):
    (tmp_path / "s.csv").write_text("y,s\n1,-1\n0,0.2\n1,0.7\n0,3\n")
    path = str(tmp_path / "s.csv")
    assert f"{path}, row 4: s is 3" in message(path, label="y", score="s", na=["-1"])


def test_scores_that_are_no_numbers_are_found_by_row(tmp_path):
    (tmp_path / "s.csv").write_text("y,s,ok\n1,0.1,yes\n0,high,no\n1,0.7,yes\n0,0.4,yes\n")
    path = str(tmp_path / "s.csv")
    assert message(path, label="y", score="s") == (
        f"{path}, row 2: s is 'high'; expected a number. Use --na high to treat it as missing "
        "(--na replaces NA and the others)."
    )
    audit = errors(path, label="y", score="s", na=["high"])
    assert audit.records.dropped == {"no score": 1}
    audit = errors(path, label="y", score="s", where="ok = 'yes'")
    assert audit.records.dropped == {"filtered by --where": 1}


def test_rows_count_over_batches(tmp_path, monkeypatch):
    monkeypatch.setattr("fairaudit.table.BATCH", 2)
    path = tmp_path / "s.csv"
    path.write_text("y,s\n" + "1,0.5\n0,0.4\n" * 4 + "1,oops\n")
    assert f"{path}, row 9: s is 'oops'" in message(str(path), label="y", score="s")
    path.write_text("y,s\n" + "1,0.5\n0,0.4\n" * 4 + "1,1.01\n")
    assert f"{path}, row 9: s is 1.01" in message(str(path), label="y", score="s")


def test_weights_must_not_be_negative_nor_all_0(frame):
    bad = frame.assign(weight=frame.weight.where(frame.index != 3, -2))
    assert message(bad, weight="weight", **YN) == (
        "(frame), row 4: weight is -2; expected 0 or more."
    )
    assert message(frame.assign(weight=0), weight="weight", **YN) == (
        "(frame): all weights in column 'weight' are 0."
    )


def test_a_group_without_weight_has_no_value(frame):
    frame = frame.assign(weight=np.where(frame.group == "a", 0, 1))
    audit = errors(frame, by="group", weight="weight", **YN)
    assert rows(audit, "accuracy")["a"].value is None
    assert rows(audit, "accuracy")["b"].value is not None


@pytest.mark.parametrize("constant", [0, 1])
def test_a_constant_label_leaves_rates_undefined(frame, constant):
    shown = ["accuracy", "true_positive_rate", "false_positive_rate"]
    audit = errors(frame.assign(label=constant), by="group", metrics=shown, **YN)
    undefined = "true_positive_rate" if constant == 0 else "false_positive_rate"
    found = rows(audit, undefined)
    assert {(row.value, row.ci_low, row.n) for row in found.values()} == {(None, None, 0)}
    assert rows(audit, "accuracy")["a"].value is not None
    assert not compared(audit, "gap", undefined)
    assert not named(audit, "equalized_odds_difference")
    assert any(f"All labels in column 'label' are '{constant}'" in note for note in audit.notes)


def test_one_group_has_nobody_to_be_compared_with(frame):
    audit = errors(frame.assign(group="a", score=0.3), by="group", score="score", label="label")
    assert audit.comparisons == ()
    assert "group: one group only, a, so nothing is compared." in audit.notes


def test_no_records_are_left(frame):
    assert message(frame, where="weight > 9", **YN) == (
        "(frame): no records to audit (filtered by --where: 500)."
    )
    assert message(frame.iloc[:0], **YN) == "(frame): no records to audit."


def test_missing_cells_are_dropped_and_counted(frame):
    label = frame.label.astype(object).where(frame.index >= 7, None)
    score = frame.score.where(frame.index < 490, np.nan)
    audit = errors(
        frame.assign(label=label, score=score), label="label", score="score", where="town <> 't0'"
    )
    kept = frame.town != "t0"
    assert audit.records.dropped == {
        "filtered by --where": (~kept).sum(),
        "no label": (kept & (frame.index < 7)).sum(),
        "no score": (kept & (frame.index >= 490)).sum(),
    }
    assert audit.records.used == 500 - sum(audit.records.dropped.values())
    # And where alike records are counted together.
    audit = errors(frame.assign(label=label), **YN)
    assert audit.records.dropped == {"no label": 7}


def test_ids_are_no_groups(frame):
    ids = frame.assign(id=np.arange(len(frame)))
    assert "--by id: more than 300 groups. Is it a column of ids?" in message(ids, by="id", **YN)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"label": "label", "prediction": "label"}, "--prediction label: is the column of --label"),
        ({"label": "label"}, "nothing to audit. Name the column of decisions (--prediction)"),
        (YN | {"threshold": 0.4}, "--threshold 0.4: decisions are given already"),
        ({"score": "score", "threshold": "50"}, "--threshold 50: expected a number from 0 to 1"),
        ({"score": "score", "threshold": "half"}, "--threshold half: expected a number from"),
        ({"score": "score", "threshold": "nan"}, "--threshold nan: expected a number from"),
        (YN | {"query": "town"}, "--query is for --task ranking; this is --task binary"),
        (YN | {"top_k": 3}, "--top-k is for --task ranking; this is --task binary"),
        (YN | {"classes": "1"}, "--class is for --task multiclass; this is --task binary"),
        (YN | {"task": "multiclass", "positive": "1"}, "--positive is for --task binary"),
        (YN | {"task": "regression", "score": "score"}, "--score is for --task binary or ranking"),
        (YN | {"task": "ranking"}, "--prediction is for --task binary or multiclass or regression"),
        (YN | {"task": "regression", "rule": "ll144"}, "--table is for --task binary or"),
        (YN | {"task": "clustering"}, "--task clustering: expected binary, multiclass, regression"),
        (YN | {"rule": "5/4"}, "--table 5/4: expected four-fifths or ll144"),
        ({"task": "regression", "prediction": "score"}, "--task regression needs --label and"),
        ({"task": "multiclass", "label": "label"}, "--task multiclass needs --label and"),
        ({"task": "ranking"}, "--task ranking needs --score"),
        ({"task": "ranking", "score": "score", "top_k": 0}, "--top-k 0: expected a whole number"),
        (YN | {"metrics": "recall"}, "--metric recall: expected accuracy, selection_rate"),
        (YN | {"metrics": "roc_auc"}, "--metric roc_auc: expected accuracy"),
        (YN | {"by": "group", "control": "group"}, "--control group: is an attribute of --by"),
        (YN | {"by": "group:sex", "control": "sex"}, "--control sex: is an attribute of --by"),
        (YN | {"by": "group", "control": "nope"}, "(frame): no column 'nope'. Columns: label"),
        (YN | {"weight": "Weight"}, "Did you mean 'weight'?"),
        (YN | {"bins": "score=0.5"}, "--bins score: no attribute of --by"),
        (YN | {"task": "multiclass", "classes": "q"}, "--class q: no such class. Classes: 0, 1."),
        ({"task": "multiclass", "label": "sex", "prediction": "group"}, "Write the classes alike"),
        ({"task": "multiclass", "label": "score", "prediction": "town"}, "more than 100. Are they"),
    ],
)
def test_odd_options_are_refused(frame, options, expected):
    assert expected in message(frame, **options)


def test_a_column_that_stands_twice(tmp_path):
    (tmp_path / "t.csv").write_text("y,p,g,g\n1,1,a,b\n0,1,b,a\n")
    path = str(tmp_path / "t.csv")
    assert message(path, label="y", prediction="p", by="g") == (
        f"{path}: column 'g' stands twice in the header. Rename one of the two."
    )
    audit = errors(path, label="y", prediction="p")
    assert f"{path}: not used, as they stand twice in the header: g." in audit.notes


def test_values_need_no_quotes_or_lists():
    frame = pd.DataFrame({"y": [1, 2, 3, 1], "p": [1, 2, 1, 3]})
    plain = errors(frame, label="y", prediction="p", positive=1)
    for value in (np.int64(1), ["1"], ("1",), np.array(["1"])):
        found = errors(frame, label="y", prediction="p", positive=value)
        assert found.estimates == plain.estimates
