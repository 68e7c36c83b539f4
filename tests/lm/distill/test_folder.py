"""What a distillation takes away of a folder, and what it leaves alone."""

from dataclasses import replace

import pytest

from fairaudit.exceptions import FairauditError
from fairaudit.lm import checkpoints
from fairaudit.lm.distill.distillation import distill
from fairaudit.lm.swap import Lexicon, Swapper
from tests.lm.distill.worlds import corpus, settings


@pytest.fixture(scope="module")
def llama(language_models):
    return language_models["llama"]


@pytest.fixture
def done(tmp_path, llama):
    chosen = settings(tmp_path, llama, epochs=0.2)
    distill(chosen)
    return chosen


def everything(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_overwriting_takes_away_what_it_wrote(done):
    mine = done.output / "thesis.txt"
    mine.write_text("mine")
    (done.output / "audit-student.json").write_text("of the old student")
    distill(replace(done, seed=1), overwrite=True)
    assert mine.read_text() == "mine"
    assert not (done.output / "audit-student.json").exists()


LOOP = Lexicon("x", one_way=(("a", "b"), ("b", "c"), ("c", "a")))


@pytest.mark.parametrize("what", ["a corpus too small", "a list without inverse"])
def test_what_is_refused_takes_nothing_away(done, what):
    before, swapper = everything(done.output), Swapper()
    if what == "a corpus too small":
        corpus(done.output.parent / "corpus.txt", ["Too little."])
    else:
        swapper = Swapper(LOOP)
    with pytest.raises(FairauditError, match=r"a block|clear inverse"):
        distill(replace(done, teacher_mix="mean"), swapper, overwrite=True)
    assert everything(done.output) == before


def test_after_a_mistake_the_corrected_one_begins(tmp_path, llama):
    chosen = settings(tmp_path, llama, epochs=0.2)
    corpus(tmp_path / "corpus.txt", ["Too little."])
    with pytest.raises(FairauditError, match="a block"):
        distill(chosen)
    distill(settings(tmp_path, llama, epochs=0.2))


@pytest.mark.parametrize("left", [".run.json.1x2y", ".tokens.4711", ".student.partial"])
def test_what_a_kill_leaves_is_in_nobodys_way(tmp_path, llama, left):
    chosen = settings(tmp_path, llama, epochs=0.2)
    (chosen.output / left).mkdir(parents=True)
    distill(chosen)
    assert not (chosen.output / left).exists()


@pytest.mark.parametrize("name", ["teacher", "student"])
def test_a_model_is_not_written_over_by_what_learns_from_it(done, name):
    given = {"layers": None, "student": None, name: str(done.output / ".." / "out")}
    with pytest.raises(FairauditError, match=f"--output .*: is the {name} as well"):
        distill(replace(done, **given), overwrite=True)


def test_what_is_said_of_a_student_does_not_make_it_another(done, tmp_path):
    twin = replace(done, output=tmp_path / "twin")
    distill(twin)
    assert checkpoints.digest(done.output) == checkpoints.digest(twin.output)
    before = checkpoints.digest(done.output)
    (done.output / "audit-student.json").write_text('{\n "schema": "fairaudit/audit/1"}')
    assert checkpoints.digest(done.output) == before
    (done.output / "vocab.json").write_text("{}")
    assert checkpoints.digest(done.output) != before
