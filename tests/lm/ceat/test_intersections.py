import io
import json

import numpy as np
import pytest
from rich.console import Console
from scipy import stats
from typer.testing import CliRunner

import fairaudit.cli.ceat  # noqa: F401
from fairaudit.audit import Audit
from fairaudit.cli import app
from fairaudit.exceptions import FairauditError
from fairaudit.lm.ceat.audit import ceat
from fairaudit.lm.ceat.intersections import SWEEP, Crossing
from fairaudit.report import terminal
from fairaudit.verdicts import judge

#: Female and Black, by two names each that lean a little to a third axis.
HAND = """
by = ["gender", "race"]
target = ["female", "Black"]
threshold = 1.2

[words]
tested = ["both", "race", "ant", "bee"]
intersectional = ["both", "ant"]
emergent = ["both"]

[names.female]
Black = ["fb1", "fb2"]
White = ["fw1", "fw2"]

[names.male]
Black = ["mb1", "mb2"]
White = ["mw1", "mw2"]
"""
VECTORS = """fb1 1 0
fb2 4 3
fw1 0 1
fw2 3 4
mb1 4 3
mb2 3 4
mw1 0 1
mw2 -3 4
both 1 0
race 4 3
ant 0 1
bee -1 0
"""


@pytest.fixture
def hand(tmp_path, monkeypatch):
    """A world of two dimensions that can be reckoned by hand."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "groups.toml").write_text(HAND)
    (tmp_path / "v.txt").write_text(VECTORS)
    return tmp_path


def run(**options):
    return ceat(vectors="v.txt", intersectional="groups.toml", **options)


def content(audit):
    return {row.group: row.content for row in audit.explanations}


def value(audit, method, metric):
    (row,) = [r for r in audit.estimates if (r.group, r.metric) == (method, metric)]
    return row


def test_by_hand(hand):
    found = content(run())
    # Cosines of "both" = (1, 0): female Black 1, .8; female White 0, .6; male Black .8, .6; male
    # White 0, -.6. Against female White: .6 / sd(1, .8, 0, .6) = .6 / (.56 / 3) ** .5.
    scores = found["IBD"]["scores"]["both"]
    assert scores == {
        "female:White": pytest.approx(0.6 / (0.56 / 3) ** 0.5),
        "male:Black": pytest.approx(0.2 / (0.08 / 3) ** 0.5),
        "male:White": pytest.approx(1.2 / (1.64 / 3) ** 0.5),
    }
    # Female 1, .8, 0, .6 against male .8, .6, 0, -.6: means .6 and .2. Black 1, .8, .8, .6 against
    # White 0, .6, 0, -.6: means .8 and 0.
    assert found["EIBD"]["scores"]["both"] == {
        "gender male": pytest.approx(0.4 / (2.08 / 7) ** 0.5),
        "race White": pytest.approx(0.8 / (2.08 / 7) ** 0.5),
    }
    assert found["IBD"]["found"] == ["both", "race"]
    assert found["EIBD"]["found"] == ["both", "race"]
    assert found["IBD"]["counts"] == {
        "true_positives": 1, "false_positives": 1, "false_negatives": 1, "true_negatives": 1,
    }  # fmt: skip


def test_estimates_and_sums(hand):
    audit = run()
    measures = {
        ("IBD", "true_positive_rate"): (1 / 2, 2),
        ("IBD", "positive_predictive_value"): (1 / 2, 2),
        ("IBD", "false_positive_rate"): (1 / 2, 2),
        ("IBD", "accuracy"): (2 / 4, 4),
        ("IBD", "base_rate"): (2 / 4, 4),
        ("EIBD", "true_positive_rate"): (1, 1),
        ("EIBD", "positive_predictive_value"): (1 / 2, 2),
        ("EIBD", "false_positive_rate"): (1 / 3, 3),
        ("EIBD", "accuracy"): (3 / 4, 4),
        ("EIBD", "base_rate"): (1 / 4, 4),
    }
    assert {(r.group, r.metric): (pytest.approx(r.value), r.n) for r in audit.estimates} == measures
    wilson = stats.binomtest(3, 4).proportion_ci(0.95, "wilson")
    row = value(audit, "EIBD", "accuracy")
    assert (row.ci_low, row.ci_high) == pytest.approx((wilson.low, wilson.high))
    assert not audit.comparisons
    assert (audit.kind, audit.records.total, audit.records.used) == ("ceat", 4, 4)
    assert [each.path for each in audit.data] == ["v.txt", "groups.toml"]
    (sums,) = audit.sums
    assert (sums.attribute, sums.groups) == ("method", ("EIBD", "IBD"))


def test_the_file_and_a_rubric(hand):
    audit = run()
    audit.save("audit.json")
    assert Audit.load("audit.json").to_json() == audit.to_json()
    (hand / "rubric.toml").write_text(
        'name = "r"\nversion = "1"\n[[criteria]]\nid = "recall"\nmetric = "true_positive_rate"\n'
        'by = "method"\ncomparison = "group_min"\nat_least = 0.01\n'
    )
    verdicts = judge(Audit.load("audit.json"), "rubric.toml")
    assert [finding.status for finding in verdicts.findings] == ["pass"]


# --- Against the formulas, one cosine after the other ---------------------------------------


def slow_score(word, a, b):
    """WEFAT as the supplement writes it."""

    def cosine(x):
        return sum(p * q for p, q in zip(word, x, strict=True)) / (
            np.linalg.norm(word) * np.linalg.norm(x)
        )

    near = [[cosine(x) for x in side] for side in (a, b)]
    mean = sum(near[0]) / len(a) - sum(near[1]) / len(b)
    return mean / np.std([*near[0], *near[1]], ddof=1)


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Six groups of four names and thirty words, all at random with something of the groups."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(5)
    axes = {v: rng.standard_normal(6) for v in ("female", "male", "Black", "White", "Latina")}
    names = {
        (g, r): {f"{g}{r}{i}": axes[g] + axes[r] + 0.6 * rng.standard_normal(6) for i in range(4)}
        for g in ("female", "male")
        for r in ("Black", "White", "Latina")
    }
    words = {
        f"w{i}": axes[("female", "male")[i % 2]] * (i % 3) + rng.standard_normal(6)
        for i in range(30)
    }
    every = {**words, **{k: v for own in names.values() for k, v in own.items()}}
    lines = [" ".join([w, *(f"{x:.4f}" for x in v)]) for w, v in every.items()]
    (tmp_path / "v.txt").write_text("\n".join(lines) + "\n")
    return {w: np.round(v, 4) for w, v in words.items()}, {
        g: [np.round(v, 4) for v in own.values()] for g, own in names.items()
    }


def toml(names, known, threshold, target=("female", "Black")):
    text = [f"target = {json.dumps(target)}", f"threshold = {threshold}", "[words]"]
    text += [f"tested = {json.dumps([f'w{i}' for i in range(30)])}"]
    text += [f"{key} = {json.dumps(words)}" for key, words in known.items()]
    for (first, second), own in names.items():
        listed = [f"{first}{second}{i}" for i in range(len(own))]
        text += [f"[names.{first}]"] * (second == "Black")
        text += [f"{second} = {json.dumps(listed)}"]
    return "\n".join(text)


@pytest.mark.parametrize("threshold", [0.4, 0.9])
def test_against_slow_formulas(world, threshold, tmp_path):
    words, names = world
    known = {"intersectional": ["w0", "w3", "w4", "w7"], "emergent": ["w3", "w8"]}
    (tmp_path / "groups.toml").write_text(toml(names, known, threshold))
    audit = run()
    target = names["female", "Black"]

    def tied(among, a, b, t):
        return {w for w in among if slow_score(words[w], a, b) > t}

    def of(axis, name):
        return [v for group, own in names.items() if group[axis] == name for v in own]

    def both(t):
        pairs = [
            tied(words, target, own, t) for g, own in names.items() if g != ("female", "Black")
        ]
        ib = set().union(*pairs)
        parts = [
            tied(ib, of(0, "female"), of(0, "male"), t),
            *(tied(ib, of(1, "Black"), of(1, race), t) for race in ("White", "Latina")),
        ]
        return {"IBD": ib, "EIBD": set().union(*(ib - each for each in parts))}

    expected, found = both(threshold), content(audit)
    assert {name: set(each["found"]) for name, each in found.items()} == expected
    assert len(expected["EIBD"]) < len(expected["IBD"]) < 30, "nothing left out: no test"
    assert found["IBD"]["scores"]["w7"]["male:Latina"] == pytest.approx(
        slow_score(words["w7"], target, names["male", "Latina"]), rel=1e-4
    )
    for name, key in (("IBD", "intersectional"), ("EIBD", "emergent")):
        hit = len(expected[name] & set(known[key]))
        assert value(audit, name, "true_positive_rate").value == hit / len(known[key])
        assert value(audit, name, "base_rate").value == len(known[key]) / 30
        wrong = len(expected[name] ^ set(known[key]))
        assert value(audit, name, "accuracy").value == pytest.approx(1 - wrong / 30)
        sweep = found[name]["sweep"]
        assert tuple(row["threshold"] for row in sweep) == SWEEP
        for row in sweep[::16]:
            there = both(row["threshold"])[name]
            assert row["true_positives"] == len(there & set(known[key]))
            assert row["false_positives"] == len(there - set(known[key]))


# --- Without labels, and words that are not there -------------------------------------------


def test_without_labels_nothing_is_estimated(hand):
    text = "\n".join(
        line for line in HAND.splitlines() if not line.startswith(("intersectional", "emergent"))
    )
    (hand / "groups.toml").write_text(text)
    audit = run()
    assert not audit.estimates
    assert not audit.sums
    assert content(audit)["IBD"]["found"] == ["both", "race"]
    assert content(audit)["IBD"]["sweep"] is None
    assert "Nothing is estimated: the file does not say" in audit.notes[0]
    audit.save("audit.json")
    assert Audit.load("audit.json").to_json() == audit.to_json()


def test_one_label_alone(hand):
    (hand / "groups.toml").write_text(HAND.replace('emergent = ["both"]\n', ""))
    assert {row.group for row in run().estimates} == {"IBD"}


def test_nothing_found_has_no_precision(hand):
    (hand / "groups.toml").write_text(HAND.replace("1.2", "1.99"))
    audit = run()
    assert value(audit, "IBD", "positive_predictive_value").value is None
    assert value(audit, "IBD", "true_positive_rate").value == 0
    assert "EIBD, IBD: no positive predictions, so no PPV." in audit.notes


def test_words_without_a_vector(hand):
    (hand / "groups.toml").write_text(
        HAND.replace('"bee"]', '"bee", "wasp"]').replace('"mw2"]', '"mw2", "mw3"]')
    )
    audit = run()
    assert audit.records.dropped == {"no vector": 1}
    assert "No vector of 2 words and names (as written): wasp, mw3." in audit.notes
    assert content(audit)["EIBD"]["missing"] == ["wasp", "mw3"]
    assert value(audit, "IBD", "accuracy").n == 4


# --- Mistakes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('target = ["female", "Black"]', 'target = ["female", "Blak"]',
         "groups.toml: target: no group 'female:Blak'. Groups: female:Black, female:White, "
         "male:Black, male:White. Did you mean 'female:Black'?"),
        ('target = ["female", "Black"]', 'target = "female"',
         "groups.toml: target: expected two texts"),
        ("target", "targets", "groups.toml: unknown key 'targets'. Keys: by, target"),
        ("[names.male]\nBlack", "[names.male]\nGreen",
         "groups.toml, names, female: no names of 'Green', which another group has."),
        ("[names.male]", "[names.female2]", None),
        ('Black = ["mb1", "mb2"]', "Black = []", "groups.toml, names, male: Black: expected texts"),
        ('"mb2"', '"mb9"', "groups.toml: 1 of the names of male:Black have a vector: mb1, mb9."),
        ('"mb2"', '"fb2"', "groups.toml: fb2: in two lists, or twice in one."),
        ('"bee"]', '"ant"]', "groups.toml: ant: in two lists, or twice in one."),
        ('emergent = ["both"]', 'emergent = ["wasp"]',
         "groups.toml, words: emergent: wasp: not among 'tested'."),
        ('tested = ["both", "race", "ant", "bee"]', "",
         "groups.toml, words: tested: expected words: [\"loud\", \"strong\"]; found nothing."),
        ('"both", "race", "ant", "bee"', '"x", "both"', "groups.toml, words: intersectional: ant"),
        ("[words]", "[word]", "groups.toml: unknown key 'word'."),
        ("threshold = 1.2", 'threshold = "high"', "groups.toml: threshold: expected a number"),
    ],
)  # fmt: skip
def test_mistakes_in_the_file(hand, old, new, message):
    (hand / "groups.toml").write_text(HAND.replace(old, new))
    if message is None:
        assert run().estimates, "another name of a value is no mistake"
        return
    with pytest.raises(FairauditError) as caught:
        run()
    assert str(caught.value).startswith(message)


def test_a_file_with_a_comma_in_its_name_is_named_whole(hand):
    path = hand / "a, b.toml"
    path.write_text(HAND.replace('"bee"]', '"ant"]'))
    with pytest.raises(FairauditError) as caught:
        Crossing.read(path)
    assert str(caught.value).startswith(f"{path}: ant: in two lists")


def test_one_value_is_no_crossing(hand):
    (hand / "groups.toml").write_text(HAND.partition("[names.male]")[0])
    with pytest.raises(FairauditError, match="two or more values of each of two attributes; found"):
        Crossing.read("groups.toml")
    (hand / "groups.toml").write_text(HAND.partition("[names.female]")[0])
    with pytest.raises(FairauditError, match=r"groups.toml: names: expected a table \[names\]"):
        Crossing.read("groups.toml")


def test_a_vector_of_zeros_and_no_word_at_all(hand):
    (hand / "v.txt").write_text(VECTORS.replace("ant 0 1", "ant 0 0"))
    with pytest.raises(FairauditError, match="the vector of 'ant' is all zeros"):
        run()
    names = "".join(line for line in VECTORS.splitlines(True) if line[2:3].isdigit())
    (hand / "v.txt").write_text(names)
    with pytest.raises(FairauditError, match="no vector of any word: both, race, ant, bee."):
        run()


@pytest.mark.parametrize("options", [{"vectors": "v.txt", "tests": "C6"}, {"model": "x",
                                     "templates": "seat"}])  # fmt: skip
def test_beside_vectors_alone(hand, options):
    with pytest.raises(FairauditError, match="--intersectional needs a file of word vectors"):
        ceat(intersectional="groups.toml", **options)


# --- The command ----------------------------------------------------------------------------


def printed(audit):
    console = Console(file=io.StringIO(), width=80, highlight=False)
    terminal.show(audit, console, True)
    return console.file.getvalue()


def test_the_tables(hand):
    text = printed(run())
    assert max(map(len, text.splitlines()[:-1])) <= 80
    rows = {line.split("  ")[0]: line.split() for line in text.splitlines() if "D, " in line[:7]}
    assert rows["EIBD, accuracy"][2] == "75.0"
    assert rows["EIBD, accuracy"][-1] == "3/4"
    assert rows["IBD, known words"][-1] == "2/4"
    assert "Words tied to female:Black: scores (WEFAT) above 1.2" in text
    (both,) = [line.split() for line in text.splitlines() if line.startswith("both")]
    assert both == [
        "both", "yes", "yes", "1.62", "male:White", "0.73", "gender", "male", "yes",
    ]  # fmt: skip
    assert "Found of 4 words: 2 by IBD, 2 by EIBD." in " ".join(text.split())
    assert "EIBD: highest accuracy on these words 100.0 %, at 1.4" in " ".join(text.split())
    assert "finding none has 75.0 %." in " ".join(text.split())


def test_the_table_where_nothing_is_found(hand):
    (hand / "groups.toml").write_text(HAND.replace("1.2", "1.99"))
    assert "Found of 4 words: 0 by IBD, 0 by EIBD." in printed(run())


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("output_format", ["table", "json", "csv", "markdown"])
def test_command(hand, labelled, output_format):
    if not labelled:
        (hand / "groups.toml").write_text(
            HAND.replace('intersectional = ["both", "ant"]', "").replace('emergent = ["both"]', "")
        )
    found = CliRunner().invoke(
        app, ["ceat", "--vectors", "v.txt", "--intersectional", "groups.toml", "--format",
              output_format]
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    if output_format == "json":
        kept = json.loads(found.stdout)
        assert kept["command"].startswith("fairaudit ceat --vectors v.txt --intersectional")
        assert [each["kind"] for each in kept["explanations"]] == ["intersectional"] * 2
    else:
        assert ("IBD" in found.stdout) or (output_format == "csv" and not labelled)


def test_command_with_mistakes(hand):
    found = CliRunner().invoke(app, ["ceat", "--vectors", "v.txt", "--intersectional", "no.toml"])
    assert found.exit_code == 2
    assert "error: no.toml: cannot be read" in found.stderr
