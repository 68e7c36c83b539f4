"""What the report of decisions shows, and where."""

import html
import re

import numpy as np
import pandas as pd
import pytest

from fairaudit.report import machine
from tests.report.conftest import audited, row, sheet_of, shown

HOSTILE = "\x1b[31m|*`<b> =cmd"
SEVERAL = {
    "decisions": {"label": "y", "prediction": "yhat", "by": ["group", "sex"]},
    "scores": {"label": "y", "score": "p", "by": "group"},
    "no label": {"prediction": "yhat", "by": "group:sex"},
    "thresholds": {"label": "y", "score": "p", "threshold": [0.4, 0.6], "by": "sex"},
    "median": {"score": "p", "threshold": "median", "by": "group"},
    "numbers": {"label": "size", "prediction": "guess", "task": "regression", "by": "group"},
    "ranks": {"score": "p", "task": "ranking", "top_k": [20, 100], "by": "group"},
    "classes": {
        "label": "kind", "prediction": "said", "task": "multiclass", "classes": "red",
        "by": "group",
    },
    "control": {"label": "y", "prediction": "yhat", "by": "group", "control": "place"},
    "cluster": {"label": "y", "prediction": "yhat", "by": "sex", "cluster": "place"},
    "no groups": {"label": "y", "score": "p"},
}  # fmt: skip


def texts(people, name):
    audit = audited(people, **SEVERAL[name])
    return shown(audit), machine.to_markdown(audit, further=True)


@pytest.mark.parametrize("name", SEVERAL)
def test_fits_eighty_columns_and_renders(people, name):
    text, markdown = texts(people, name)
    lines = text.splitlines()[:-1]  # the signature is never folded
    assert max(map(len, lines)) <= 80
    assert not re.search(r"\bnan\b|\binf\b|None", text)
    for table in re.findall(r"(?:^\|.*\n)+", markdown, re.MULTILINE):
        bars = [line.count("|") for line in table.splitlines()]
        assert len(set(bars)) == 1
    # Both say the same, sheet by sheet.
    for title in re.findall(r"^\*\*(.*)\*\*$", markdown, re.MULTILINE):
        assert html.unescape(title) in text.replace("\n", " ")


def test_n_is_shown_where_it_says_more_than_the_records(people):
    plain = sheet_of(shown(audited(people, label="y", prediction="yhat", by="sex")), "accuracy")
    assert "rec." in plain[1]
    assert " n " not in plain[1]
    weighted = people.assign(w=0.5)
    audit = audited(weighted, label="y", prediction="yhat", by="sex", weight="w")
    lines = sheet_of(shown(audit), "accuracy")
    assert "weight rec." in lines[1]
    assert row(lines, "(all)")[3:5] == ["200", "400"]
    audit = audited(people, label="y", prediction="yhat", by="sex", metrics=["true_positive_rate"])
    assert row(sheet_of(shown(audit), "TPR"), "(all)")[3] == str(int(people.y.sum()))


def test_values_are_those_of_the_data(people):
    text = shown(audited(people, label="y", prediction="yhat", by="sex"))
    rates = sheet_of(text, "Further metrics, by sex, in percent")
    for sex, of in people.groupby("sex"):
        true, decided = of.y == 1, of.yhat == 1
        expected = [
            decided.mean(), true.mean(), decided[true].mean(), decided[~true].mean(),
            true[decided].mean(), (~true)[~decided].mean(),
        ]  # fmt: skip
        assert row(rates, sex)[:6] == [f"{100 * value:.1f}" for value in expected]


def test_complements_go_where_their_partners_stand_unless_asked_for(people):
    options = {"label": "y", "prediction": "yhat", "by": "sex"}
    header = sheet_of(shown(audited(people, **options)), "Further metrics, by sex, in percent")[1]
    assert header.split() == "selected base rate TPR FPR PPV NPV bal. acc. F1".split()
    asked = ["accuracy", "true_positive_rate", "false_negative_rate"]
    text = shown(audited(people, **options, metrics=asked))
    assert sheet_of(text, "Further metrics")[1].split() == ["TPR", "FNR"]
    csv = machine.to_csv(audited(people, **options))
    assert "false_omission_rate" in csv


def test_percent_and_numbers_stand_apart(people):
    text = shown(audited(people, label="y", score="p", by="group"))
    titles = [line for line in text.splitlines() if line.startswith("Further metrics")]
    assert ["in percent" in title for title in titles] == [True, False, False]
    numbers = sheet_of(text[text.index(f"\n{titles[1]}\n") :], titles[1])
    brier = ((people.p - people.y) ** 2).mean()
    assert row(numbers, "(all)")[2] == f"{brier:.3f}"
    assert "BPSN" in text
    # Nobody is outside of all records.
    assert re.search(r"^\(all\) .* - +-$", text, re.MULTILINE)


def test_the_sentence_about_inequality(people):
    text = shown(audited(people, label="y", prediction="yhat", by="sex")).replace("\n", " ")
    found = re.search(r"groups alone: GE ([-\d.e]+) \(of all records: ([\d.]+)\), Theil", text)
    benefit = people.yhat - people.y + 1
    assert found[2] == f"{((benefit / benefit.mean()) ** 2 - 1).mean() / 2:.4f}"
    means = benefit.groupby(people.sex).transform("mean") / benefit.mean()
    assert float(found[1]) == pytest.approx(((means**2 - 1).mean() / 2), rel=0.01)


def test_gaps_have_names_and_ends(people):
    text = shown(audited(people, label="y", prediction="yhat", by="sex"))
    lines = sheet_of(text, "Gaps between the groups that differ most, by sex, in percent")
    rates = people.groupby("sex").yhat.mean()
    high, low = ("f", "m") if rates["f"] > rates["m"] else ("m", "f")
    cells = row(lines, f"demographic parity (selected): {high} against {low}")
    assert cells[0] == f"{100 * abs(rates['f'] - rates['m']):.1f}"
    for name in ("accuracy equality", "equal opportunity", "equalized odds", "predictive parity"):
        assert any(line.startswith(f"{name} (") for line in lines)
    assert not any(line.startswith("base rate") for line in lines)


def test_a_gap_that_has_its_sentence_needs_no_sheet_of_its_own(people):
    text = shown(audited(people, prediction="yhat", by="sex"))
    assert "Gaps between" not in text
    assert "Gap " in text


def test_each_threshold_has_its_headline(people):
    text = shown(audited(people, label="y", score="p", threshold=[0.4, 0.6], by="sex"))
    for threshold in (0.4, 0.6):
        lines = sheet_of(text, f"accuracy, by sex, threshold {threshold}:")
        accuracy = ((people.p >= threshold) == (people.y == 1)).mean()
        all_ = next(line for line in lines if line.startswith("(all)"))
        assert all_.split()[1] == f"{100 * accuracy:.1f}"
    # What does not depend on the threshold stands once.
    assert len(re.findall(r"\bAUC  ", text)) == 1


def test_scores_as_headline_where_thresholds_are_several(people):
    options = {"label": "y", "score": "p", "threshold": [0.4, 0.6], "by": "sex"}
    text = shown(audited(people, **options, metrics=["roc_auc", "accuracy"]))
    assert text.startswith("AUC, by sex: chance that a positive has a higher score")
    assert "in percent" not in sheet_of(text, "AUC")[0]
    assert "Gap 0." in text
    assert "Further metrics, by sex, threshold 0.6, in percent" in text


def test_numbers_are_not_in_percent(people):
    text = shown(audited(people, label="size", prediction="guess", task="regression", by="sex"))
    first = sheet_of(text, "MAE, by sex: mean absolute error")
    assert first[0] == "MAE, by sex: mean absolute error"
    mae = (people.guess - people["size"]).abs().mean()
    assert row(first, "(all)")[0] == f"{mae:.2f}"
    assert "points" not in text


def test_a_column_per_quantile(people):
    options = {"label": "size", "prediction": "guess", "task": "regression", "by": "sex"}
    text = shown(audited(people, **options))
    lines = sheet_of(text, "Quantiles of prediction - label, by sex")
    assert lines[1].split() == ["5", "%", "25", "%", "50", "%", "75", "%", "95", "%"]
    error = people.guess - people["size"]
    values = [float(cell) for cell in row(lines, "(all)")]
    expected = np.quantile(error, [0.05, 0.25, 0.5, 0.75, 0.95], method="inverted_cdf")
    np.testing.assert_allclose(values, expected, atol=0.2)
    alone = shown(audited(people, **options, metrics=["error_quantile"]), further=False)
    assert alone.startswith("Quantiles")


def test_classes_and_their_confusions(people):
    options = {"label": "kind", "prediction": "said", "task": "multiclass", "by": "sex"}
    text = shown(audited(people, **options, classes="red"))
    rates = sheet_of(text, "Further metrics, by sex, class red, in percent")
    hits = (people.said == "red")[people.kind == "red"].mean()
    assert row(rates, "(all)")[3] == f"{100 * hits:.1f}"
    for title, of in (("(all)", people), ("sex: f", people[people.sex == "f"])):
        lines = sheet_of(text, f"Confusion matrix, {title}")
        table = pd.crosstab(of.kind, of.said)
        assert lines[1].split() == list(table.columns)
        for kind in table.index:
            assert row(lines, kind) == [str(n) for n in table.loc[kind]]
    assert "Confusion" not in shown(audited(people, **options, metrics=["accuracy"]), False)


def test_many_classes_are_put_together():
    names = [f"a class of a long name, number {k:02d}" for k in range(12)]
    # Class k stands k + 1 times, and is always taken for the next.
    label = [name for k, name in enumerate(names) for _ in range(k + 1)]
    said = [names[(names.index(name) + 1) % 12] for name in label]
    table = pd.DataFrame({"label": label, "said": said})
    text = shown(audited(table, label="label", prediction="said", task="multiclass"))
    lines = sheet_of(text, "Confusion matrix, (all)")
    assert lines[1].split() == [str(k) for k in range(1, 10)]
    assert len(lines) == 11
    cells = [[int(n) for n in line.split()[-9:]] for line in lines[2:]]
    assert np.sum(cells) == len(table)
    # Shown are class 0, which class 11 is taken for, and 5 to 11; 1 to 4 are the others.
    assert [line.split(", ")[-1][:9] for line in lines[2:4]] == ["number 00", "number 05"]
    assert cells[0] == [0] * 8 + [1]
    assert cells[1] == [0, 0, 6] + [0] * 6
    assert cells[7] == [12] + [0] * 8
    assert cells[8] == [0, 5, *[0] * 6, 2 + 3 + 4]


def test_a_control_beside_the_crude_difference():
    # Simpson's paradox: women apply where few are taken, and fare better in either place.
    taken = {("f", "hard"): (24, 80), ("f", "easy"): (18, 20), ("m", "hard"): (4, 20),
             ("m", "easy"): (64, 80)}  # fmt: skip
    rows = [
        {"sex": sex, "place": place, "hired": int(i < k)}
        for (sex, place), (k, n) in taken.items()
        for i in range(n)
    ]
    audit = audited(pd.DataFrame(rows), prediction="hired", by="sex", control="place")
    text = shown(audit)
    lines = sheet_of(text, "selected, by sex: difference to rest, at equal place, in percent")
    assert row(lines, "f")[:2] == ["-26.0", "+10.0"]
    assert row(lines, "m")[:2] == ["+26.0", "-10.0"]
    levels = sheet_of(text, "selected, by sex, at each place, in percent")
    assert levels[1].split() == ["easy", "hard"]
    assert row(levels, "f") == ["90.0", "30.0"]
    assert row(levels, "m") == ["80.0", "20.0"]


def test_many_values_of_a_control_stand_below_each_other(people):
    many = people.assign(place=[f"branch number {i % 12} of the north" for i in range(len(people))])
    text = shown(audited(many, prediction="yhat", by="sex", control="place"))
    lines = sheet_of(text, "selected, by sex, at each place, in percent")
    assert len(lines) == 2 + 24
    of = many[(many.sex == "f") & (many.place == "branch number 3 of the north")]
    cells = row(lines, "branch number 3 of the north: f")
    assert (cells[0], cells[-1]) == (f"{100 * of.yhat.mean():.1f}", str(len(of)))


def test_undefined_values_are_dashes():
    table = pd.DataFrame({"g": ["a"] * 6 + ["b"] * 6, "y": [0] * 6 + [0, 1] * 3})
    table["yhat"] = [0] * 6 + [1, 1, 0, 0, 1, 0]
    text = shown(audited(table, label="y", prediction="yhat", by="g"))
    rates = sheet_of(text, "Further metrics, by g, in percent")
    # No positive label in a, and no positive prediction: neither TPR nor PPV.
    assert row(rates, "a") == ["0.0", "0.0", "-", "0.0", "-", "100.0", "-", "-"]


def test_names_from_the_data_are_harmless():
    group = [HOSTILE, "plain"] * 40
    cell = [HOSTILE, "x\x07", "x\x07", HOSTILE, HOSTILE] * 16
    table = pd.DataFrame({"by|*": group, "c\x1b": cell[::-1], "y": cell, "p": cell[1:] + cell[:1]})
    audit = audited(
        table, label="y", prediction="p", task="multiclass", classes=[HOSTILE], by="by|*",
        control="c\x1b", compare_to=HOSTILE,
    )  # fmt: skip
    text, markdown = shown(audit), machine.to_markdown(audit, True)
    for output in (text, markdown):
        assert "\x1b" not in output
        assert "\x07" not in output
        assert "\\x1b[31m" in output
    assert "<b>" not in markdown
    assert "*`" not in markdown
    formula = pd.DataFrame({"g": ["=cmd()", "+1"] * 9, "yhat": [1, 0, 0] * 6})
    csv = machine.to_csv(audited(formula, prediction="yhat", by="g"))
    assert ",=cmd" not in csv
    assert "'=cmd()" in csv
    assert "'+1" in csv


def test_a_long_reference_has_a_line_of_its_own(people):
    name = "people of group a, in full"
    table = people.assign(group=people.group.replace("a", name))
    text = shown(audited(table, prediction="yhat", by="group", compare_to=name))
    lines = sheet_of(text, "selected, by group")
    assert lines[1].split()[:5] == ["selected", "95", "%", "int.", "rec."]
    assert "diff." in lines[1]
    assert f"diff.: difference to {name}." in lines


def test_bins_as_reference_keep_their_brackets(people):
    table = people.assign(age=(people.p * 100).astype(int))
    audit = audited(table, prediction="yhat", by="age", bins="age=40", compare_to="[40, inf)")
    assert "vs [40, inf)" in shown(audit)
