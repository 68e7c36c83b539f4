"""Normalisation is audited: several rules side by side."""

import pandas as pd
import pytest

import fairaudit
from fairaudit.exceptions import FairauditError


def frame(rows):
    table = pd.DataFrame(rows, columns=["accent", "speaker", "reference", "hypothesis"])
    return table.assign(id=[f"u{i}" for i in range(len(table))])


#: Under `none` the accent that is written with capitals is worse, under `basic` the other is.
SPELLED = frame(
    [("capitals", f"s{i}", "We Shall See", "we shall see") for i in range(6)]
    + [("plain", f"t{i}", "we shall see", "we shall sea") for i in range(6)]
)


def values(audit, rule):
    return {
        row.group: row.value
        for row in audit.estimates
        if (row.variant, row.metric) == ({"normalize": rule}, "wer")
    }


def test_each_normaliser_gives_the_audit_that_it_gives_alone():
    options = {"by": "accent", "cluster": "speaker"}
    audit = fairaudit.wer(SPELLED, normalize=["none", "basic", "whisper-en"], **options)
    for rule in ("none", "basic", "whisper-en"):
        alone = fairaudit.wer(SPELLED, normalize=rule, **options)
        for name in ("estimates", "comparisons"):
            mine = [r for r in getattr(audit, name) if r.variant == {"normalize": rule}]
            theirs = list(getattr(alone, name))
            assert [r.value for r in mine] == [r.value for r in theirs]
            assert [r.ci_low for r in mine] == [r.ci_low for r in theirs]
    assert [sums.variant for sums in audit.sums[::2]] == [
        {"normalize": rule} for rule in ("none", "basic", "whisper-en")
    ]
    assert fairaudit.Audit.from_json(audit.to_json()).to_json() == audit.to_json()


def test_a_changed_order_and_a_changed_conclusion_are_said():
    audit = fairaudit.wer(SPELLED, normalize=["none", "basic"], by="accent", cluster="speaker")
    assert values(audit, "none") == {"capitals": 1.0, "plain": 1 / 3, "(all)": 2 / 3}
    assert values(audit, "basic") == {"capitals": 0.0, "plain": 1 / 3, "(all)": 1 / 6}
    notes = " ".join(audit.notes)
    assert "the order of groups under basic is not that under none" in notes
    assert "capitals and plain change places" in notes or "plain and capitals" in notes


def test_nothing_is_said_where_nothing_changes():
    same = SPELLED.assign(reference=SPELLED.reference.str.lower())
    audit = fairaudit.wer(same, normalize=["none", "basic"], by="accent", cluster="speaker")
    assert not any("under" in note for note in audit.notes)
    assert not audit.explanations


def test_respellings_are_counted_by_group_and_side():
    table = frame(
        [
            ("a", "s1", "i'm not gonna go", "i'm not going to go"),
            ("a", "s2", "gonna", "gonna"),
            ("b", "t1", "they are", "they are"),
        ]
    )
    audit = fairaudit.wer(table, normalize=["basic", "whisper-en"], by="accent")
    found = {
        (row.group, row.content["from"], row.content["to"]): (
            row.content["references"],
            row.content["hypotheses"],
        )
        for row in audit.explanations
    }
    assert found == {("a", "gonna", "going to"): (2, 1), ("a", "im", "i am"): (1, 1)}


def test_words_of_the_data_stay_out_of_the_file_unless_asked_for():
    options = {"normalize": ["none", "basic"], "by": "accent", "cluster": "speaker"}
    audit = fairaudit.wer(SPELLED, **options)
    assert audit.explanations
    assert "Shall" not in audit.to_json()
    assert "Shall" in fairaudit.wer(SPELLED, explain=True, **options).to_json()


def test_each_normaliser_once():
    with pytest.raises(FairauditError, match="different normalisers"):
        fairaudit.wer(SPELLED, normalize=["basic", "basic"])


def test_own_rules(tmp_path):
    rules = tmp_path / "rules.toml"
    rules.write_text('name = "mine"\n[replace]\nsea = "see"\n')
    audit = fairaudit.wer(SPELLED, normalize=["basic", str(rules)], by="accent")
    assert values(audit, "mine")["plain"] == 0.0
    assert "basic,mine(" in audit.signature
