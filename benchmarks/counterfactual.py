"""What each part of counterfactual distillation does: students beside a plain one, seed by seed.

Trains a teacher (see examples/distill/teacher.py), distils it plainly, with reversed text alone,
with the mixed teacher alone and with both, every student over as many tokens, and compares each
with the plain student of its seed: the pronoun gap of neutral professions, and perplexity on texts
that neither has read. What is there already is not done again, so it can be stopped and go on.

    python benchmarks/counterfactual.py work/ --novels a.txt --other b.txt --valid c.txt

Each novel begins with a byte order mark; a tenth of them is held out. ``--other`` and ``--valid``
hold a document a line; headings of WikiText are left out.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from measure import environment, say, table

from fairaudit.assess import Design
from fairaudit.audit import Audit
from fairaudit.lm.distill.comparison import Change
from fairaudit.lm.distill.evaluation import Documents, Question
from fairaudit.lm.likelihood.pronouns import SHIPPED, Pronouns

Student = tuple[str, int]

SCRIPT = Path(__file__).parent.parent / "examples" / "distill" / "teacher.py"
TEACHER, PLAIN = "teacher", "plain"
MIXES = ("mean", "max", "expmean", "prob-mean", "swap")
#: The options of each way to distil.
WAYS = {
    PLAIN: "",
    "augmentation": "--augment",
    **{mix: f"--teacher-mix {mix}" for mix in MIXES},
    **{f"augmentation, {mix}": f"--augment --teacher-mix {mix}" for mix in MIXES},
}
STUDENT = "--block 128 --batch-size 16 --micro-batch-size 16 --learning-rate 1e-3 --no-evaluate"
#: Characters to train on, of novels and of other text, and of each text that is held out.
NOVELS, OTHER, HELD = 8_000_000, 2_000_000, 600_000
#: Paragraphs of a novel that stay together.
STRETCH = 50


def main() -> None:
    """Do what has not been done, and print the table."""
    given = arguments()
    given.folder.mkdir(parents=True, exist_ok=True)
    texts = [given.folder / f"{name}.txt" for name in ("train", "novels", "wikitext")]
    if not all(path.exists() for path in texts):
        write_texts(given, texts)
    teacher = given.folder / TEACHER
    if not (teacher / "tokenizer.json").exists():
        run([SCRIPT, texts[0], teacher, *given.teacher.split()], given.folder / "teacher.log")
    students = [(way, seed) for seed in range(given.seeds) for way in given.ways]
    # The first one writes the tokens that all share.
    distil(given, students[0])
    with ThreadPoolExecutor(given.at_once) as pool:
        list(pool.map(lambda student: distil(given, student), students[1:]))
    print(report(given, students, texts[1:]))
    print(f"\n{environment('torch', 'transformers')}; {given}")


def arguments() -> argparse.Namespace:
    """What to do, and with what."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, help="where texts and models are put")
    for name in ("novels", "other", "valid"):
        parser.add_argument(f"--{name}", type=Path, required=True, help="text")
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=float, default=0.5, help="share of the text that is read")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--teacher", default="--width 256 --vocabulary 2048 --tokens 3000000")
    parser.add_argument("--at-once", type=int, default=2, help="students, of one thread each")
    return parser.parse_args()


def write_texts(given: argparse.Namespace, texts: Sequence[Path]) -> None:
    """The text to train on, held-out novels, and the text to be predicted."""
    rng = random.Random(0)
    novels = [novel for novel in given.novels.read_text("utf-8").split("\ufeff") if novel.strip()]
    rng.shuffle(novels)
    held = round(len(novels) / 10)
    novels_held, novels_read = (
        pieces("\n".join(of), STRETCH) for of in (novels[:held], novels[held:])
    )
    other, valid = (pieces(path.read_text("utf-8"), 1) for path in (given.other, given.valid))
    read = [*sample(novels_read, NOVELS, rng), *sample(other, OTHER, rng)]
    rng.shuffle(read)
    for path, some in zip(
        texts, (read, sample(novels_held, HELD, rng), sample(valid, HELD, rng)), strict=True
    ):
        path.write_text("".join(f"{line}\n" for piece in some for line in piece), "utf-8")


def pieces(text: str, size: int) -> list[list[str]]:
    """Lines that follow one another, so many at a time, without those that are headings."""
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("= ")]
    return [lines[i : i + size] for i in range(0, len(lines), size)]


def sample(pieces: Iterable[list[str]], size: int, rng: random.Random) -> list[list[str]]:
    """Pieces in a random order, until they have so many characters."""
    drawn, found = list(pieces), []
    rng.shuffle(drawn)
    while drawn and size > 0:
        found.append(drawn.pop())
        size -= sum(map(len, found[-1]))
    return found


def run(words: Sequence[object], log: Path, threads: int | None = None) -> None:
    """Run Python on something; what it says goes to a file."""
    say(f"{log.stem}: begins")
    several = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, *map(str, words)]
    with log.open("w") as file:
        done = subprocess.run(command, env={**os.environ, **several}, stdout=file, stderr=file)
    if done.returncode:
        raise SystemExit(f"{log.stem}: failed; see {log}")


def folder_of(given: argparse.Namespace, student: Student) -> Path:
    """Where a student is put."""
    way, seed = student
    return Path(given.folder / f"{way.replace(', ', '-')}-{seed}")


def distil(given: argparse.Namespace, student: Student) -> None:
    """Make a student, or go on with it."""
    (way, seed), folder = student, folder_of(given, student)
    if (folder / "distillation.json").exists():
        return
    words = f"--layers {given.layers} --epochs {given.epochs} --seed {seed} {STUDENT} {WAYS[way]}"
    command = ["-m", "fairaudit", "distill", "-o", folder, *words.split()]
    for option, name in (("teacher", TEACHER), ("corpus", "train.txt"), ("tokens", "tokens")):
        command += [f"--{option}", given.folder / name]
    command += ["--resume"] if folder.exists() else []
    run(command, given.folder / f"{folder.name}.log", threads=1)


def report(given: argparse.Namespace, students: Sequence[Student], texts: Sequence[Path]) -> str:
    """Each student's pronoun gap, and its changes against the plain student of its seed."""
    questions, folders = questions_of(texts), {s: folder_of(given, s) for s in students}
    folders[TEACHER, 0] = given.folder / TEACHER
    answers = {}
    for student, folder in folders.items():
        say(f"asking {folder.name}")
        answers[student] = [each.ask(folder, "student") for each in questions]
    rows = []
    for (way, seed), own in answers.items():
        several = zip(questions, own, answers[PLAIN, seed], strict=True)
        rows.append([way, str(seed), gap(own[0]), *(changed(*each) for each in several)])
    heads = ["gap less, %", *(f"perplexity, {path.stem}, %" for path in texts)]
    return table(["", "seed", "pronoun gap", *heads], rows)


def questions_of(texts: Sequence[Path]) -> list[Question]:
    """The pronouns of professions, and each text."""
    shared = {"batch": 64, "device": "auto"}
    held = [Question("perplexity", Documents([path], False, None), shared) for path in texts]
    return [Question("pronouns", Pronouns([SHIPPED]), shared), *held]


def gap(audit: Audit) -> str:
    """The pronoun gap of an audit."""
    return next(f"{row.value:.3f}" for row in audit.estimates if row.metric == "pronoun_gap")


def changed(question: Question, own: Audit, plain: Audit) -> str:
    """How much a student changed against another, with the interval, in percent."""
    change = Change.of(question.name, own, plain, PLAIN, Design())
    assert change is not None
    row = next(change.estimates())
    shown = [f"{100 * x:+.1f}" for x in (row.value, row.ci_low, row.ci_high) if x is not None]
    return shown[0] if len(shown) == 1 else "{} [{}, {}]".format(*shown)


if __name__ == "__main__":
    main()
