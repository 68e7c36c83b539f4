"""Where the errors come from."""

import random

import numpy as np
import pandas as pd
import pytest

import fairaudit
from fairaudit.audit import QUOTING
from fairaudit.audits.explain import align
from fairaudit.report import machine
from tests.audits.test_wer import calls
from tests.test_paired import fairaudit_errors


@pytest.fixture(scope="module")
def table():
    return calls(np.random.default_rng(11), n=500)


def explained(table, **options):
    return fairaudit.wer(table, explain=True, resamples=200, **options)


def contents(audit, kind, attribute="accent"):
    return [
        (row.group, row.content)
        for row in audit.explanations
        if (row.kind, row.attribute) == (kind, attribute)
    ]


def test_alignments_spell_both_texts_and_count_the_errors():
    rng = random.Random(1)
    for _ in range(300):
        spoken, heard = ([rng.choice("abc") for _ in range(rng.randrange(7))] for _ in "xy")
        steps = align(spoken, heard)
        assert [word for _, word, _ in steps if word] == spoken
        assert [word for _, _, word in steps if word] == heard
        wrong = [kind for kind, *_ in steps if kind != "hit"]
        assert len(wrong) == fairaudit_errors(" ".join(spoken), " ".join(heard))
        assert all((a == b) == (kind == "hit") for kind, a, b in steps)


@pytest.mark.parametrize("cluster", [None, "speaker"])
def test_lengths_add_up_to_the_audit(table, cluster):
    audit = explained(table, by="accent", cluster=cluster)
    words = table.reference.str.split().str.len()
    band = np.where(words < 6, "1-5", "6-10")
    found = {(group, of["words"]): of for group, of in contents(audit, "length")}
    assert len(found) == 6
    for (accent, name), part in table.groupby([table.accent, band]):
        alone = fairaudit.wer(part, cluster=cluster, resamples=200).estimates[0]
        row = found[accent, name]
        assert (row["value"], row["n"]) == (pytest.approx(alone.value), alone.n)
        assert (row["ci_low"], row["ci_high"]) == pytest.approx((alone.ci_low, alone.ci_high))


def test_words_missed_by_how_often_they_are_said(table):
    rare = pd.DataFrame(
        {
            "id": ["r1", "r2", "r3"],
            "reference": ["xylophone one", "quartz two", "quartz two"],
            "hypothesis": ["saxophone one", "quartz two", "two"],
            "speaker": ["s00", "s01", "s02"],
            "accent": ["us", "uk", "in"],
        }
    )
    audit = explained(pd.concat([table, rare]), by="accent", cluster="speaker")
    found = {(g, of["occurrences"]): of for g, of in contents(audit, "frequency")}
    assert (found["us", "1"]["value"], found["us", "1"]["n"]) == (1.0, 1)
    assert (found["uk", "2-9"]["value"], found["uk", "2-9"]["n"]) == (0.0, 1)
    assert found["in", "2-9"]["value"] == 1.0
    assert ("uk", "1") not in found
    # All words are in some band: together they are the misses of the audit.
    for accent in ("us", "uk", "in"):
        rows = [of for (group, _), of in found.items() if group == accent]
        total = next(r for r in audit.estimates if (r.group, r.metric) == (accent, "wer")).counts
        assert (
            sum(of["n"] for of in rows)
            == total["hits"] + total["substitutions"] + total["deletions"]
        )
        missed = sum(of["n"] * of["value"] for of in rows)
        assert missed == pytest.approx(total["substitutions"] + total["deletions"])


def test_costliest_utterances(table):
    audit = explained(table, by="accent", cluster="speaker")
    cost = [fairaudit_errors(r, h) for r, h in zip(table.reference, table.hypothesis, strict=True)]
    for accent, part in table.assign(cost=cost).groupby("accent"):
        rows = [of for group, of in contents(audit, "utterance") if group == accent]
        # Of equal ones the last ids; the same in whatever order they come.
        expected = part.sort_values(["cost", "id"], ascending=False)[:3]
        assert [of["id"] for of in rows] == expected.id.tolist()
        assert [of["errors"] for of in rows] == expected.cost.tolist()
        said = [" ".join(word for _, word, _ in of["alignment"] if word) for of in rows]
        assert said == expected.reference.tolist()


def test_order_of_rows_does_not_matter(table):
    options = {"by": ["accent", "topic"], "cluster": "speaker"}
    one = explained(table, **options).to_dict()
    two = explained(table.sample(frac=1, random_state=1), **options).to_dict()
    assert one["explanations"] == two["explanations"]


def test_texts_are_quoted_only_where_allowed(table):
    secret = table.assign(reference=table.reference + " zanzibar")
    for options, quoted in (({}, True), ({"texts": False}, False)):
        audit = explained(secret, by="accent", cluster="speaker", **options)
        kinds = {row.kind for row in audit.explanations}
        assert {"length", "frequency"} <= kinds
        assert bool(kinds & set(QUOTING)) == quoted
        assert ("zanzibar" in audit.to_json()) == quoted
        assert ("zanzibar" in machine.to_markdown(audit)) == quoted
    assert "zanzibar" not in fairaudit.wer(secret, by="accent").to_json()


def test_without_groups_and_without_ids(table):
    audit = explained(table.drop(columns="id"))
    found = contents(audit, "utterance", attribute=None)
    assert [group for group, _ in found] == ["(all)"] * 3
    assert all(of["id"].startswith("row ") for _, of in found)


def test_audit_file_keeps_them(table):
    audit = explained(table, by="accent", cluster="speaker")
    again = fairaudit.Audit.from_json(audit.to_json())
    assert again.to_json() == audit.to_json()
    assert machine.to_markdown(again) == machine.to_markdown(audit)
