"""Cards of audits of language models: what they call things, and what they leave out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import fairaudit
from fairaudit.metrics import METRICS
from fairaudit.report.card.content import make
from fairaudit.report.card.hub import model_index
from fairaudit.report.card.info import Info
from fairaudit.report.card.kinds import counting, kind
from fairaudit.report.card.markdown import page
from fairaudit.report.card.model import Wanted
from fairaudit.report.card.words import spoken
from tests.lm.ceat.test_intersections import HAND, VECTORS
from tests.report.card.made import audit, estimate, file

EXAMPLES = Path(__file__).parents[3] / "examples"
TEMPLATES = ("service-card", "model-card", "report")
TEXTS = EXAMPLES / "generate" / "texts.jsonl"


def of_model(kind, metric, attribute, groups, **settings):
    """An audit by hand, for those that need a model."""
    counts = dict.fromkeys(METRICS[metric].reads(), 1.0)
    rows = [
        estimate(name, value, value - 0.1, value + 0.1, by=attribute, metric=metric, counts=counts,
                 clusters=None, records=n, n=float(n))
        for name, value, n in groups
    ]  # fmt: skip
    made = audit(*rows, settings={"metrics": [metric], "cluster": None, **settings})
    return replace(made, kind=kind)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An audit of each kind."""
    folder = tmp_path_factory.mktemp("kinds")
    (folder / "v.txt").write_text(VECTORS)
    (folder / "g.toml").write_text(HAND)
    plain = "\n".join(x for x in HAND.splitlines() if not x.startswith(("intersect", "emergent")))
    (folder / "g0.toml").write_text(plain)
    pair = EXAMPLES / "likelihood"
    return {
        "weat": fairaudit.ceat(
            vectors=EXAMPLES / "associations" / "vectors.txt", tests="C6,C8"
        ),
        "detection": fairaudit.ceat(vectors=folder / "v.txt", intersectional=folder / "g.toml"),
        "unlabelled": fairaudit.ceat(vectors=folder / "v.txt", intersectional=folder / "g0.toml"),
        "generation": fairaudit.generate(texts=TEXTS, by="profession", resamples=200),
        "correlation": fairaudit.correlate(
            intrinsic=pair / "intrinsic.csv", extrinsic=pair / "extrinsic.csv", resamples=200
        ),
        "ceat": of_model("ceat", "ceat_effect", "test", [("C6", 1.2, 40), ("C8", 0.1, 60)]),
        "seat": of_model(
            "ceat", "seat_effect", "test", [("C6", 1.2, 32), ("C8", 0.1, 32)], pool="sentence"
        ),
        "likelihood": of_model(
            "likelihood", "pronoun_lean", "field", [("care", -1.5, 9), ("law", 0.5, 8)],
            probe="pronouns", scoring="masked",
        ),
    }  # fmt: skip


def written(template, *audits):
    files = [file(each, f"{i}.json") for i, each in enumerate(audits)]
    return page(make(files, Info(), Wanted(template)), "")


@pytest.mark.parametrize("template", TEMPLATES)
def test_no_card_speaks_of_accents_and_speakers(made, template):
    for name, each in made.items():
        text = written(template, each)
        for word in ("speaker", "accent", "utterance"):
            assert word not in text.split("## Evidence")[0], (name, word)


@pytest.mark.parametrize(
    ("name", "lead"),
    [
        ("weat", "The lowest and the highest WEAT effect over 2 tests with at least 32 words each"),
        ("ceat", "The lowest and the highest CEAT effect over 2 tests with at least 40 sentences"),
        ("seat", "The lowest and the highest SEAT effect over 2 tests with at least 32 words each"),
        ("detection", "The lowest recall over 2 methods with at least 4 words (1 known word) each"),
        ("unlabelled", "Nothing was estimated on v.txt and g0.toml (4 words); what was found"),
        ("generation", "The lowest and the highest female share of gendered texts over 4 groups"),
        ("likelihood", "The lowest and the highest pronoun lean over 2 groups with at least 8"),
        ("correlation", "The lowest and the highest Pearson correlation over 2 domains with at"),
    ],
)
def test_what_leads(made, name, lead):
    assert f"**{lead}" in written("service-card", made[name])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("weat", ["Student's t, by a jackknife over the words.", "Tests: 2.", "Effect size d",
                  "p (association tests)", "0 is even", "words are taken to be independent"]),
        ("ceat", ["how far each word's sentences pull", "Draw:", "falls with the number of draws"]),
        ("seat", ["by a jackknife over the words, all sentences of a word together.", "0 is even",
                  "so it is too extreme; the interval is over words", "Pooling:** sentence"]),
        ("detection", ["alone: Wilson's.", "Methods: 2.", "Group in question:** female:Black",
                       "Score (WEFAT)", "recall:** positive predictions", "n counts known words",
                       "IBD, accuracy | 50.0"]),
        ("unlabelled", ["none: nothing was estimated", "both | 1.62"]),
        ("generation", ["Equity ratio:** Texts of the rarer polarity", "all with the profession",
                        "such as one prompt", "Polarity by:** unigram"]),
        ("likelihood", ["Log-likelihood", "Probe:** pronouns", "all with the field care"]),
        ("correlation", ["by a bootstrap over models", "Domains: 2.", "n counts models",
                         "p (correlation)", "12 models"]),
    ],
)  # fmt: skip
def test_what_a_stranger_needs(made, name, said):
    text = written("service-card", made[name])
    for each in said:
        assert each in text, each
    assert "What a model associates, writes or finds likely is no measure of the harm" in text


def test_groups_are_spoken_of_only_where_there_are_some(made):
    for name, each in made.items():
        text = written("service-card", each)
        has = name in ("generation", "likelihood")
        assert ("Groups may be what fairness is about" in text) == has, name
        assert ("- **Group:**" in text) == has, name


def test_an_audit_of_speech_beside_them_keeps_its_words(made):
    speech = audit(estimate("us", 0.1, 0.05, 0.2), estimate("uk", 0.2, 0.1, 0.3))
    text = written("service-card", speech, made["weat"])
    assert "an utterance, a decision, a word of a test." in text
    assert "all with the accent us" in text
    assert "Groups may be what fairness is about" in text


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_table_stands_in_every_card(made, template):
    assert "C6: male and female names" in written(template, made["weat"])
    for name in ("detection", "unlabelled"):
        assert "Words tied to female" in written(template, made[name])
    assert "equity, least: nurse" in written(template, made["generation"])
    assert "Spearman&#39;s rank" in written(template, made["correlation"]).replace("'", "&#39;")


def test_tasks_of_the_hub(made):
    def tasks(name):
        [model] = model_index("m", [file(made[name])])
        return {each["task"]["type"] for each in model["results"]}

    assert tasks("ceat") == tasks("weat") == tasks("seat") == {"feature-extraction"}
    assert tasks("generation") == {"text-generation"}
    assert tasks("likelihood") == {"fill-mask"}
    assert not tasks("correlation"), "a correlation over models is no result of one"


def test_names(made):
    names = ("ceat_effect", "icat_score", "spearman_correlation", "pronoun_gap")
    assert [spoken(METRICS[name]) for name in names] == [
        "CEAT effect", "ICAT score", "Spearman correlation", "pronoun gap",
    ]  # fmt: skip
    assert counting(made["correlation"], METRICS["pearson_correlation"]) == "models"
    assert counting(made["weat"], METRICS["weat_effect"]) == "words"
    assert counting(made["seat"], METRICS["seat_effect"]) == "words"
    assert kind(audit()).member == "group"
