import gzip
import json
import math

import numpy as np
import pytest

from fairaudit.audit import Audit
from fairaudit.exceptions import FairauditError
from fairaudit.lm.ceat import AssociationTest, find, gathering, sample
from fairaudit.lm.ceat.audit import ceat
from fairaudit.lm.ceat.embeddings import StimulusEncoder
from fairaudit.verdicts import judge
from tests.conftest import ROOT
from tests.lm.ceat import roles

TOML = """
[lists]
"she and kin" = ["She", "mother"]
"he and kin" = ["He", "king"]
"care" = ["nurse", "tired"]
"rule" = ["doctor", "book"]
"unheard" = ["zyx", "wvu"]

[tests.OWN]
title = "men and women, by care and rule"
targets = ["he and kin", "she and kin"]
attributes = ["rule", "care"]

[tests.OTHER]
targets = ["he and kin", "she and kin"]
attributes = ["care", "rule"]

[tests.GONE]
targets = ["he and kin", "unheard"]
attributes = ["care", "rule"]
"""
LINES = [
    "He works at night. She sees the nurse. My mother is tired of the doctor and the king.",
    "The king reads a book. The doctor said that she was tired! She works by the sea.",
    "My mother works in a school. He sees a book. The nurse is with the king. She said so.",
    "A nurse and a doctor. He said that he was tired. My mother sees a book in a school.",
]


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A corpus and tests; the user's cache is a folder of the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "corpus.txt").write_text("\n".join(LINES))
    (tmp_path / "own.toml").write_text(TOML)
    return tmp_path


def run(made, language_models, tests="OWN", kind="bert", **options):
    asked = [AssociationTest.read(made / "own.toml")[name] for name in tests.split(",")]
    corpus = options.pop("corpus", made / "corpus.txt")
    return ceat(corpus, model=language_models[kind], tests=asked, draws=400, **options)


def by_test(audit):
    return {row.group: row for row in audit.estimates}


def content(audit, name="OWN"):
    (found,) = [row.content for row in audit.explanations if row.group == name]
    return found


def test_what_the_parts_give_one_by_one(made, language_models):
    audit = run(made, language_models)
    test = AssociationTest.read(made / "own.toml")["OWN"]
    contexts = find(LINES, test.words)
    encoder = StimulusEncoder(language_models["bert"], "m", device="cpu")
    vectors = {w: encoder.embed(each)[0] for w, each in contexts.sentences.items()}
    draws = sample(test, vectors, 400)
    combined, (low, high) = draws.combined(), draws.interval()
    (row,) = audit.estimates
    assert (row.attribute, row.group, row.metric) == ("test", "OWN", "ceat_effect")
    assert row.value == pytest.approx(combined.effect, rel=1e-4)
    assert (row.ci_low, row.ci_high) == pytest.approx((low, high), rel=1e-3)
    assert (
        row.n == row.records == sum(map(len, contexts.sentences.values())) == row.counts["contexts"]
    )
    found = content(audit)
    assert found["p_value"] == pytest.approx(combined.p_value, rel=0.01)
    assert found["deviation"] == pytest.approx(draws.deviation, rel=1e-3)
    assert list(found["quantiles"].values()) == pytest.approx(draws.quantiles().tolist(), rel=1e-3)
    assert found["lists"] == {side.name: list(side.words) for side in test.sides}
    assert audit.kind == "ceat"
    assert not audit.comparisons
    assert audit.records.used == audit.records.total == row.records


def test_the_file_says_the_same_again(made, language_models, tmp_path):
    audit = run(made, language_models, "OWN,OTHER")
    audit.save(tmp_path / "audit.json")
    again = Audit.load(tmp_path / "audit.json")
    assert again.to_json() == audit.to_json()
    assert json.loads(audit.to_json())["explanations"][0]["kind"] == "association"
    assert by_test(audit)["OWN"].value == pytest.approx(-by_test(audit)["OTHER"].value)
    (sums,) = again.sums
    assert (sums.attribute, sums.groups) == ("test", ("OTHER", "OWN"))


def test_a_rubric_judges_the_intervals(made, language_models, tmp_path):
    (tmp_path / "rubric.toml").write_text(
        'name = "associations"\nversion = "1"\n[[criteria]]\nid = "none-large"\n'
        'metric = "ceat_effect"\nby = "test"\ncomparison = "group_max"\nat_most = 5.0\n'
    )
    audit = run(made, language_models)
    verdicts = judge(audit, tmp_path / "rubric.toml")
    assert [finding.status for finding in verdicts.findings] == ["pass"]


def test_each_word_is_embedded_once(made, language_models, monkeypatch):
    embedded = []
    plain = StimulusEncoder.embed

    def counted(self, contexts, progress):
        embedded.append(len(contexts))
        return plain(self, contexts, progress)

    monkeypatch.setattr(StimulusEncoder, "embed", counted)
    told = []
    first = run(made, language_models, progress=told.append)
    assert told[-1] == sum(embedded) == first.records.used
    again = run(made, language_models, "OWN,OTHER")
    assert len(embedded) == 1, "all words were in the cache"
    assert by_test(again)["OWN"] == by_test(first)["OWN"]
    assert again.notes == first.notes
    for changed in ({"layer": 1}, {"pooling": "mean"}, {"seed": 1}, {"per_stimulus": 2},
                    {"code_compatible": True}, {"kind": "gpt2"}, {"cache": False}):  # fmt: skip
        before = len(embedded)
        run(made, language_models, **changed)
        assert len(embedded) == before + 1, changed
    (made / "corpus.txt").write_text("\n".join(LINES[:3]))
    run(made, language_models)
    assert len(embedded) == before + 2


def test_a_broken_cache_is_made_anew(made, language_models):
    cache = made / "own cache"
    first = run(made, language_models, cache=cache)
    files = sorted(cache.rglob("*.npz"))
    assert len(files) == 8
    for path in files[:3]:
        path.write_bytes(path.read_bytes()[:50])
    assert run(made, language_models, cache=cache).estimates == first.estimates


def test_without_a_cache_nothing_is_left(made, language_models, tmp_path):
    run(made, language_models, cache=False)
    assert not list((tmp_path).rglob("*.npz"))


def test_a_cache_that_cannot_be_is_done_without(made, language_models, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    warned = []
    run(made, language_models, warn=warned.append)
    assert len(warned) == 1
    assert warned[0].endswith("Vectors are not kept.")
    with pytest.raises(FairauditError, match="--cache .*file: cannot be written"):
        run(made, language_models, cache=tmp_path / "file")


def test_packed_texts_and_several(made, language_models):
    whole = run(made, language_models)
    (made / "a.txt.gz").write_bytes(gzip.compress("\n".join(LINES[:2]).encode()))
    (made / "b.txt").write_text("\n".join(LINES[2:]))
    parts = run(made, language_models, corpus=[made / "a.txt.gz", made / "b.txt"])
    assert parts.estimates == whole.estimates
    assert [data.path for data in parts.data] == [str(made / "a.txt.gz"), str(made / "b.txt")]


def test_what_was_not_found_is_said(made, language_models):
    audit = run(made, language_models, "OWN,GONE")
    assert list(by_test(audit)) == ["OWN"]
    assert "GONE is left out: not one word of 'unheard' was found." in audit.notes
    (made / "corpus.txt").write_text("\n".join(LINES).replace("king", "boss"))
    audit = run(made, language_models)
    assert "1 stimulus without a sentence: king." in audit.notes
    assert content(audit)["missing"] == ["king"]
    assert content(audit)["lists"]["he and kin"] == ["He"]


def test_names_with_colons_are_said_whole(made, language_models):
    own = made / "own.toml"
    own.write_text(TOML.replace('"unheard"', '"test: what. Use a larger text, or other words."'))
    audit = run(made, language_models, "OWN,GONE")
    name = "test: what. Use a larger text, or other words."
    assert f"GONE is left out: not one word of '{name}' was found." in audit.notes
    with pytest.raises(FairauditError) as caught:
        run(made, language_models, "GONE")
    said = f"test GONE: not one word of '{name}' was found: zyx, wvu. Use a larger text, or other"
    assert str(caught.value) == f"{said} words."


def test_no_test_is_left(made, language_models):
    with pytest.raises(
        FairauditError, match="test GONE: not one word of 'unheard' was found: zyx,"
    ):
        run(made, language_models, "GONE")
    with pytest.raises(FairauditError, match="not one of 14 tests has words of all its lists. The"):
        ceat(made / "corpus.txt", model=language_models["bert"])


def test_all_shipped_tests_that_can_be_are_done(made, language_models):
    words = AssociationTest.shipped()["C6"].words + AssociationTest.shipped()["C8"].words
    lines = [f"She said {word} {i}." for word in dict.fromkeys(words) for i in range(2)]
    (made / "corpus.txt").write_text("\n".join(lines))
    audit = ceat(made / "corpus.txt", model=language_models["bert"], draws=100)
    assert set(by_test(audit)) == {"C6", "C8"}
    assert sum("is left out: not one word of" in note for note in audit.notes) == 12


def test_words_beyond_what_the_model_reads(made, language_models):
    (made / "corpus.txt").write_text("\n".join([*LINES, "He saw " + "x1" * 70 + " nurse."]))
    assert run(made, language_models).records.dropped == {}
    text = TOML.replace('"tired"', '"tired", "' + "x1" * 70 + '"')
    (made / "own.toml").write_text(text)
    audit = run(made, language_models)
    assert audit.records.dropped == {"stimulus not read by the model": 1}
    assert any("1 stimulus without a sentence: x1x1" in note for note in audit.notes)


def test_a_sample_of_the_sentences(made, language_models):
    audit = run(made, language_models, per_stimulus=2)
    assert content(audit)["contexts"] == 16
    assert audit.records.total == run(made, language_models).records.used
    assert audit.records.dropped == {"beyond the sample of each word": audit.records.total - 16}


def test_one_sentence_of_each_word_has_no_interval(made, language_models):
    audit = run(made, language_models, per_stimulus=1)
    (row,) = audit.estimates
    assert (row.ci_low, row.ci_high, row.n) == (None, None, 8)
    assert row.value == pytest.approx(content(audit)["quantiles"]["0.5"])
    assert "OWN: too few contexts for an interval." in audit.notes
    Audit.from_json(audit.to_json())


def test_all_associated_alike(made, language_models):
    (made / "own.toml").write_text(TOML.replace('["He", "king"]', '["He"]'))
    same = np.ones((3, 4), dtype=np.float32)

    def embed(self, contexts, progress):
        return np.repeat(same[:1], len(contexts), 0), np.arange(len(contexts))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StimulusEncoder, "embed", embed)
        audit = run(made, language_models)
    (row,) = audit.estimates
    assert (row.value, row.ci_low) == (None, None)
    assert content(audit)["size"] is None
    assert "OWN: all words of the targets are associated alike: no effect size." in audit.notes
    Audit.from_json(audit.to_json())


def test_as_the_authors_program(made, language_models):
    plain, compatible = (
        run(made, language_models, "OWN,OTHER", code_compatible=each) for each in (False, True)
    )
    p = [content(compatible, name)["p_value"] for name in ("OWN", "OTHER")]
    assert sum(p) == pytest.approx(1)
    assert content(plain)["p_value"] == pytest.approx(content(plain, "OTHER")["p_value"], rel=1e-4)
    assert any(note.startswith("p is one-sided") for note in compatible.notes)
    assert "|compat:True|" in compatible.signature


def test_settings_that_move_the_numbers_are_in_the_signature(made, language_models):
    audit = run(made, language_models, layer=1, pooling="mean", variance="hedges-olkin")
    for part in ("tests:OWN", "layer:1", "pool:mean", "per:1000", "draws:400", "ci:0.95", "seed:0",
                 "variance:hedges-olkin"):  # fmt: skip
        assert f"|{part}|" in audit.signature
    model = dict(part.split(":", 1) for part in audit.signature.split("|")[1:])["model"]
    assert len(model) == 16
    (made / "own.toml").write_text(TOML.replace('"tired"', '"night"'))
    other = run(made, language_models, layer=1, pooling="mean", variance="hedges-olkin")
    assert other.signature.split("|")[:3] == audit.signature.split("|")[:3]
    assert other.settings["stimuli"] != audit.settings["stimuli"]


def test_templates(made, language_models):
    audit = run(made, language_models, corpus=(), templates="seat")
    assert content(audit)["contexts"] == 8 * 8
    assert audit.data == ()
    (made / "own templates").write_text("Look, {}!\n\n{} it is.\nLook, {}!\n")
    own = run(made, language_models, corpus=(), templates=made / "own templates")
    assert content(own)["contexts"] == 8 * 2
    assert own.settings["templates"] != audit.settings["templates"]
    (made / "own templates").write_text("\n \n")
    with pytest.raises(FairauditError, match="--templates .*own templates: no sentence in it; exp"):
        run(made, language_models, corpus=(), templates=made / "own templates")
    (made / "own templates").write_text("Look, {}!\nit is.\n")
    with pytest.raises(FairauditError, match="own templates, line 2: expected a sentence with one"):
        run(made, language_models, corpus=(), templates=made / "own templates")


@pytest.mark.parametrize("seed", [0, 1])
def test_a_model_that_learned_roles(tmp_path, seed):
    """Words that start alike are parted by the text alone: by gender, or not."""
    (tmp_path / "text").write_text(roles.text())
    found = {}
    for biased in (True, False):
        folder = roles.train(tmp_path / f"biased {biased}", biased, seed)
        audit = ceat(
            tmp_path / "text", model=folder, tests=roles.TEST, per_stimulus=20, draws=2000,
            cache=tmp_path / "cache",
        )  # fmt: skip
        (found[biased],) = audit.estimates
    assert found[True].ci_low > 1
    assert found[False].ci_low < 0 < found[False].ci_high
    assert abs(found[False].value) < 0.3


def test_a_classifiers_encoder(made, language_models, tmp_path):
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    folder = tmp_path / "classifier"
    config = BertConfig.from_pretrained(language_models["bert"])
    BertForSequenceClassification(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(language_models["bert"]).save_pretrained(folder)
    audit = run(made, {"bert": folder})
    assert any("was trained as a BertForSequenceClassification; what is tested is its encoder" in n
               for n in audit.notes)  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": 7}, "--layer 7: .* layers 1 to 2"),
        ({"pooling": "sum"}, "--pooling sum: expected last, first, mean, sentence."),
        ({"variance": "own"}, "--variance own: expected paper, hedges-olkin."),
        ({"draws": 10}, "--draws 10: expected 100 to 1000000"),
        ({"per_stimulus": 0}, "--per-stimulus 0: expected 1 or more."),
        ({"pooling": "mean", "code_compatible": True}, "--pooling mean: the authors' program"),
        ({"confidence": 2}, "--confidence 2: expected between 0 and 1"),
        ({"tests": "C66"}, "--tests C66: no such test, and no .toml file. Tests: C1, .*'C6'"),
        ({"tests": "none.toml"}, "none.toml: cannot be read: No such file"),
        ({"model": None}, "nothing to test. Name a model"),
        ({"model": "/"}, "--model /: no config.json; expected a transformers model."),
        ({"templates": "seat"}, "--corpus and --templates: expected one of them, not both."),
        ({"corpus": ()}, "--model needs sentences with the words: either texts"),
        ({"corpus": "no such"}, "no such: no such file. Check the path"),
        ({"corpus": "/dev/null"}, "/dev/null: not a regular file; a corpus is read"),
        ({"vectors": "x.txt"}, "--vectors has a vector per word: leave --model out."),
        ({"corpus": (), "templates": "none"}, "--templates none: expected seat, or a file"),
        ({"device": "tpu"}, "--device tpu: expected auto"),
        ({"batch": 0}, "--batch-size 0: expected 1 or more."),
    ],
)
def test_odd_arguments(made, language_models, options, message):
    given = {"model": language_models["bert"], "tests": "C6", "corpus": made / "corpus.txt"}
    given |= options
    with pytest.raises(FairauditError, match=message):
        ceat(given.pop("corpus"), **given)


def test_an_empty_corpus(made, language_models):
    (made / "corpus.txt").write_text("")
    with pytest.raises(FairauditError, match="corpus.txt: the file is empty."):
        run(made, language_models)


def test_two_tests_of_one_name(made, language_models):
    (made / "again.toml").write_text(TOML.replace("rule", "laws"))
    with pytest.raises(FairauditError, match="--tests: two tests are called 'OWN'. Rename one."):
        ceat("x", model="m", tests=f"{made}/own.toml,{made}/again.toml")


def test_memory_is_kept_for_parts_of_the_words(made, language_models, monkeypatch):
    whole = run(made, language_models, cache=False)
    monkeypatch.setattr(gathering, "_AT_ONCE", 3)
    told = []
    parts = run(made, language_models, cache=False, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == whole.records.used
    assert parts.estimates[0].value == pytest.approx(whole.estimates[0].value, rel=1e-4)


def vectors_of(words, seed=0):
    rng = np.random.default_rng(seed)
    return {word: rng.standard_normal(5) for word in words}


def write_vectors(path, vectors):
    path.write_text("".join(f"{w} {' '.join(map(str, v))}\n" for w, v in vectors.items()))
    return path


def test_static_vectors(made):
    test = AssociationTest.shipped()["C8"]
    vectors = vectors_of(test.words)
    audit = ceat(vectors=write_vectors(made / "v.txt", vectors), tests="C8")
    (row,) = audit.estimates

    def near(word, side):
        u = vectors[word]
        return np.mean([u @ v / math.sqrt((u @ u) * (v @ v)) for v in map(vectors.get, side.words)])

    x, y, a, b = test.sides
    s = [[near(w, a) - near(w, b) for w in side.words] for side in (x, y)]
    expected = (np.mean(s[0]) - np.mean(s[1])) / np.std(np.concatenate(s), ddof=1)
    assert row.metric == "weat_effect"
    assert row.value == pytest.approx(expected, rel=1e-5)
    assert row.ci_low < row.value < row.ci_high
    assert row.records == audit.records.used == len(test.words)
    assert 0 < content(audit, "C8")["p_value"] < 1
    assert content(audit, "C8")["size"] in ("negligible", "small", "medium", "large")


def test_static_vectors_that_lack_words(made):
    test = AssociationTest.shipped()["C8"]
    words = [word for word in test.words if word != test.targets[0].words[0]]
    path = write_vectors(made / "v.txt", vectors_of(words))
    audit = ceat(vectors=path, tests="C6,C8")
    assert audit.records.dropped == {"no vector": 1}
    assert content(audit, "C8")["p_value"] is None
    assert any(note.endswith("C8 (7 and 8).") for note in audit.notes)
    assert "C6 is left out: not one word of 'male names' was found." in audit.notes


def test_no_static_vectors_of_a_list(made):
    path = write_vectors(made / "v.txt", {"science": np.ones(3)})
    with pytest.raises(
        FairauditError, match=r"test C8: not one word of .*[a-zS]\. Words must match as"
    ):
        ceat(vectors=path, tests="C8")


def test_static_vectors_of_one_word_a_list(made):
    (made / "one.toml").write_text(
        '[lists]\nx=["a","b"]\ny=["c"]\nu=["d"]\nv=["e"]\n[tests.T]\ntargets=["x","y"]\n'
        'attributes=["u","v"]\n'
    )
    audit = ceat(
        vectors=write_vectors(made / "v.txt", vectors_of("abcde")), tests=made / "one.toml"
    )
    assert audit.estimates[0].value is not None
    assert audit.estimates[0].ci_low is None


def test_a_vector_of_zeros(made):
    vectors = vectors_of(AssociationTest.shipped()["C8"].words)
    vectors["science"] = np.zeros(5)
    with pytest.raises(FairauditError, match="test C8: the vector of 'science' is all zeros"):
        ceat(vectors=write_vectors(made / "v.txt", vectors), tests="C8")


def test_vectors_of_several_lengths(made):
    path = write_vectors(made / "v.txt", vectors_of(AssociationTest.shipped()["C8"].words))
    path.write_text(path.read_text() + "odd 1 2\n")
    with pytest.raises(FairauditError, match="v.txt, line .*: 2 numbers; expected 5, as before."):
        ceat(vectors=path, tests="C8")


@pytest.mark.parametrize(
    "idle",
    [{"layer": 1}, {"pooling": "mean"}, {"per_stimulus": 3}, {"draws": 500}, {"device": "cuda"}],
)
def test_what_vectors_do_not_need_is_refused(idle):
    with pytest.raises(FairauditError, match="does nothing beside --vectors: leave it out"):
        ceat(vectors="x.txt", tests="C6", **idle)


def test_the_signature_has_no_settings_of_comparisons():
    audit = ceat(vectors=ROOT / "examples/associations/vectors.txt", tests="C6")
    assert not {"boot", "corr", "int", "vs"} & set(audit.settings)
