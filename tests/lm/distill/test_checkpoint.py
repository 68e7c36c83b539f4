"""Distillations that are interrupted, and go on."""

import json
import os
import signal
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from fairaudit.exceptions import FairauditError
from fairaudit.lm.distill import checkpoint, log
from fairaudit.lm.distill.distillation import distill
from fairaudit.lm.swap import Lexicon, Swapper
from tests.lm import tiny
from tests.lm.distill.worlds import corpus, rows, settings, started


@pytest.fixture(scope="module")
def gpt2(language_models):
    return language_models["gpt2"]


class StoppedError(Exception):
    pass


def stopping(step):
    """A user who interrupts after some step."""

    def told(progress):
        if progress.step == step:
            raise StoppedError

    return told


def interrupted(chosen, step=7):
    with pytest.raises(StoppedError):
        distill(chosen, progress=stopping(step))
    return chosen


# Killed


def lines(log):
    return log.read_bytes().count(b"\n") if log.exists() else 0


def killed(chosen, resume, step, delay):
    """Kill a process for good some time after a step."""
    process = started(chosen, resume=resume)
    deadline = time.monotonic() + 60
    while lines(chosen.output / "log.jsonl") < step and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(delay)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL


def test_killed_three_times_it_ends_as_if_it_never_was(tmp_path, gpt2):
    """With dropout, both pieces of the loss, and texts of two lengths; to the last bit."""
    given = {"teacher_mix": "mean", "augment": True, "epochs": 12, "save_every": 4}
    whole = distill(settings(tmp_path, gpt2, output="whole", **given))
    assert len(whole.rows) > 50
    chosen = settings(tmp_path, gpt2, **given)
    draw = np.random.default_rng(9)
    points = [int(draw.integers(*ends)) for ends in ((1, 12), (18, 28), (34, 44))]
    for i, point in enumerate(points):
        killed(chosen, i > 0, point, draw.uniform(0, 0.04))
    outcome = distill(chosen, resume=True)
    assert 0 < outcome.resumed < len(whole.rows)
    assert rows(outcome) == rows(whole)
    weights = [(each.student / "model.safetensors").read_bytes() for each in (outcome, whole)]
    assert weights[0] == weights[1]


def test_killed_before_the_first_checkpoint_it_begins_again(tmp_path, gpt2):
    chosen = interrupted(settings(tmp_path, gpt2, epochs=1), 2)
    said = []
    outcome = distill(chosen, resume=True, warn=said.append)
    assert "no checkpoint yet" in said[0]
    assert outcome.resumed == 0
    assert rows(outcome) == rows(distill(replace(chosen, output=tmp_path / "whole")))


@pytest.mark.parametrize("step", [6, 7, 8])
def test_the_log_is_cut_back_to_the_checkpoint(tmp_path, gpt2, step):
    chosen = interrupted(settings(tmp_path, gpt2), step)
    with (chosen.output / "log.jsonl").open("a") as file:
        file.write('{"step": ')
    outcome = distill(chosen, resume=True)
    assert outcome.resumed == 6
    assert [row["step"] for row in outcome.rows] == list(range(1, outcome.steps + 1))


def test_what_is_no_log_is_refused(tmp_path):
    (tmp_path / "log.jsonl").write_text("step 1: 0.3\n")
    for name in ("log.jsonl", "missing.jsonl"):
        with pytest.raises(FairauditError, match=f"{name}: not a log of a distillation"):
            log.read(tmp_path / name)


def test_a_finished_one_is_left_alone(tmp_path, gpt2):
    chosen = settings(tmp_path, gpt2, epochs=1)
    first, said = distill(chosen), []
    before = (chosen.output / "model.safetensors").stat().st_mtime_ns
    again = distill(chosen, resume=True, warn=said.append)
    assert "finished already" in said[0]
    assert rows(again) == rows(first)
    assert (chosen.output / "model.safetensors").stat().st_mtime_ns == before


# Refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 3.0}, r"--temperature 3.0 \(was 2.0\)"),
        ({"layers": 2, "seed": 5}, r"--layers 2 \(was 1\); --seed 5 \(was 0\)"),
        ({"teacher_mix": "max"}, r"--teacher-mix max \(was none\)"),
        ({"precision": "bfloat16"}, r"--precision bfloat16 \(was float32\)"),
    ],
)
def test_other_settings_are_refused_by_name(tmp_path, gpt2, options, message):
    chosen = interrupted(settings(tmp_path, gpt2))
    with pytest.raises(FairauditError, match=message):
        distill(replace(chosen, **options), resume=True)


def test_other_models_texts_and_words_are_refused(tmp_path, gpt2):
    chosen = interrupted(settings(tmp_path, gpt2))
    other = tiny.save(tmp_path / "other", "gpt2", seed=2)
    with pytest.raises(FairauditError, match="--teacher is another model"):
        distill(replace(chosen, teacher=str(other)), resume=True)
    words = Swapper(Lexicon("x", pairs=(("nurse", "doctor"),)))
    with pytest.raises(FairauditError, match="the word list or the names are others"):
        distill(chosen, words, resume=True)
    corpus(tmp_path / "corpus.txt", [*tiny.SENTENCES, "One more."])
    with pytest.raises(FairauditError, match=r"--corpus has changed since \(digest \w+, was \w+\)"):
        distill(chosen, resume=True)


def test_moved_it_goes_on(tmp_path, gpt2):
    """Models and texts count by what they hold; where and in what portions is free."""
    chosen = interrupted(settings(tmp_path, gpt2))
    moved = tmp_path / "elsewhere.txt"
    (tmp_path / "corpus.txt").rename(moved)
    chosen.output.rename(tmp_path / "moved")
    changed = {"corpus": (str(moved),), "output": tmp_path / "moved", "chunk": 5, "save_every": 2}
    assert distill(replace(chosen, **changed), resume=True).resumed == 6


def test_a_folder_with_something_in_it_is_refused(tmp_path, gpt2):
    chosen = settings(tmp_path, gpt2, epochs=1)
    with pytest.raises(FairauditError, match="--resume: .* holds no checkpoint"):
        distill(chosen, resume=True)
    chosen.output.mkdir()
    (chosen.output / "thesis.txt").write_text("mine")
    with pytest.raises(FairauditError, match=r"not empty \(thesis.txt\)"):
        distill(chosen)
    with pytest.raises(FairauditError, match=r"holds something else than a distillation \(thesis"):
        distill(chosen, overwrite=True)
    assert (chosen.output / "thesis.txt").read_text() == "mine"


def test_overwriting_begins_anew(tmp_path, gpt2):
    chosen = settings(tmp_path, gpt2, epochs=1)
    distill(chosen)
    with pytest.raises(FairauditError, match="not empty"):
        distill(chosen)
    with pytest.raises(FairauditError, match="expected one of them"):
        distill(chosen, resume=True, overwrite=True)
    outcome = distill(replace(chosen, seed=1), overwrite=True)
    assert rows(outcome) == rows(distill(replace(chosen, seed=1, output=tmp_path / "fresh")))


# Checkpoints themselves


@pytest.fixture
def trained():
    """A model with tied weights, and an optimizer that has done a step."""
    torch.manual_seed(0)
    model = tiny.model("gpt2")
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    model(torch.arange(9)[None], labels=torch.arange(9)[None]).loss.backward()
    optimizer.step()
    return model, optimizer


def test_what_is_saved_comes_back_to_the_last_bit(tmp_path, trained):
    model, optimizer = trained
    checkpoint.save(tmp_path, model, optimizer, {"step": 1})
    fresh = tiny.model("gpt2")
    other = torch.optim.AdamW(fresh.parameters(), lr=0.1)
    found = checkpoint.newest(tmp_path)
    assert found.step == 1
    found.restore(fresh, other)
    for own, wanted in zip(fresh.parameters(), model.parameters(), strict=True):
        assert torch.equal(own, wanted)
        for part, value in optimizer.state[wanted].items():
            assert torch.equal(other.state[own][part], value)
    assert fresh.lm_head.weight is fresh.transformer.wte.weight


def test_the_last_two_are_kept(tmp_path, trained):
    for step in (1, 2, 10, 11):
        checkpoint.save(tmp_path, *trained, {"step": step})
    names = sorted(each.name for each in tmp_path.iterdir())
    assert names == ["step-00000010", "step-00000011"]
    files = sorted(each.name for each in (tmp_path / names[0]).iterdir())
    assert files == ["optimizer.safetensors", "state.json", "student.safetensors"]


@pytest.mark.parametrize("file", ["optimizer.safetensors", "student.safetensors", "state.json"])
def test_of_a_broken_one_the_one_before_is_taken(tmp_path, trained, file):
    for step in (1, 2):
        checkpoint.save(tmp_path, *trained, {"step": step})
    path = tmp_path / "step-00000002" / file
    path.write_bytes(path.read_bytes()[:-9])
    said = []
    assert checkpoint.newest(tmp_path, said.append).step == 1
    assert "step-00000002: a broken checkpoint" in said[0]
    (tmp_path / "step-00000001" / file).unlink()
    assert checkpoint.newest(tmp_path) is None


def test_what_is_half_written_does_not_count(tmp_path, trained, monkeypatch):
    checkpoint.save(tmp_path, *trained, {"step": 1})
    monkeypatch.setattr(json, "dumps", lambda state: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        checkpoint.save(tmp_path, *trained, {"step": 2})
    assert [each.name for each in tmp_path.iterdir()] == ["step-00000001"]
    (tmp_path / ".step-00000002.partial").mkdir()  # as a kill leaves it
    assert checkpoint.newest(tmp_path).step == 1
