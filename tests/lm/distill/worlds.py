"""Small distillations for the tests, in this process and in others."""

from __future__ import annotations

import multiprocessing
import os
import socket
import time
from pathlib import Path

from fairaudit.lm.distill.distillation import distill
from fairaudit.lm.distill.settings import Settings
from tests.lm import tiny

NEUTRAL = [
    f"The {who} {does} {where}."
    for who in "bear|tree|town|road".split("|")
    for does in "sleeps|is old|stays".split("|")
    for where in "by the sea|at night|in a school".split("|")
]
#: What differs from run to run.
TIMING = "timing"


def corpus(path, texts=tiny.SENTENCES):
    path.write_text("\n".join(texts) + "\n")
    return str(path)


def settings(tmp_path, teacher, texts=tiny.SENTENCES, output="out", **options):
    """Eight blocks of 24 tokens a step."""
    source = corpus(tmp_path / "corpus.txt", texts)
    given = {"layers": 1, "block": 24, "batch_size": 8, "micro_batch_size": 3, "epochs": 2}
    given |= {"learning_rate": 1e-2, "save_every": 3, "device": "cpu", **options}
    return Settings(str(teacher), (source,), Path(tmp_path / output), **given)


def rows(outcome):
    """What the log says of each step, but for the time it took."""
    return [{name: row[name] for name in row if name != TIMING} for row in outcome.rows]


def losses(outcome):
    return [row["loss"] for row in outcome.rows]


def slow(progress):
    time.sleep(0.01)


def train(chosen, environment, resume):
    """What another process does."""
    os.environ.update(environment)
    distill(chosen, resume=resume, progress=slow)


def started(chosen, environment=None, resume=False):
    """A process that distils."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["fairaudit.lm.distill.distillation", "tests.lm.tiny"])
    process = context.Process(target=train, args=(chosen, environment or {}, resume))
    process.start()
    return process


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return str(listening.getsockname()[1])
