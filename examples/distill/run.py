"""A teacher, two students and the proof, from a text of yours, without any download.

    python run.py corpus.txt work/

Trains a small GPT-2 on nine tenths of the text (see teacher.py), distils it plainly and with its
gender roles reversed, audits all three on the last tenth and on neutral professions, judges, and
writes a card: work/card.html.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
#: Passed on to both students, so that they differ in nothing else.
STUDENT = "--block 128 --batch-size 16 --micro-batch-size 16 --learning-rate 1e-3".split()


def split(corpus: Path, folder: Path, megabytes: float) -> tuple[Path, Path]:
    """Nine tenths of the documents to train on, and the last tenth."""
    lines, size = [], 0.0
    with corpus.open(encoding="utf-8") as file:
        for line in map(str.strip, file):
            size += len(line) / 1e6
            if line and size <= megabytes:
                lines.append(line)
    cut = len(lines) * 9 // 10
    paths = folder / "train.txt", folder / "valid.txt"
    for path, some in zip(paths, (lines[:cut], lines[cut:]), strict=True):
        path.write_text("".join(f"{line}\n" for line in some), encoding="utf-8")
    return paths


def do(words: Sequence[object]) -> None:
    """Say a command and run it; what it needs is beside this Python."""
    shown = [str(word) for word in words]
    sys.stdout.write("\n$ " + " ".join(["python", *shown]) + "\n")
    sys.stdout.flush()
    subprocess.run([sys.executable, *shown], check=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and do one step after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("corpus", type=Path, help="text, a document a line")
    parser.add_argument("folder", type=Path, help="where everything is put")
    parser.add_argument("--megabytes", type=float, default=2.0, help="of the text that are used")
    parser.add_argument("--tokens", type=int, default=800_000, help="that the teacher reads")
    parser.add_argument("--epochs", default="1", help="of the students")
    parser.add_argument("--layers", type=int, default=4, help="of the teacher; students have half")
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--vocabulary", type=int, default=2048)
    parser.add_argument("--samples", default="2", help="generated texts for each prompt")
    given = parser.parse_args(arguments)
    given.folder.mkdir(parents=True, exist_ok=True)
    train, valid = split(given.corpus, given.folder, given.megabytes)
    teacher, plain, fair = (given.folder / name for name in ("teacher", "plain", "fair"))
    shape = [
        f"--{name}={getattr(given, name)}" for name in ("layers", "width", "vocabulary", "tokens")
    ]
    do([HERE / "teacher.py", train, teacher, *shape])
    distil = ["-m", "fairaudit", "distill", "--teacher", teacher, "--corpus", train, *STUDENT]
    distil += ["--epochs", given.epochs, "--tokens", given.folder / "tokens"]
    do([*distil, "--no-evaluate", "-o", plain])
    proof = ["--valid", valid, "--baseline", plain, "--samples", given.samples]
    do([*distil, "--counterfactual", *proof, "-o", fair])
    audit = fair / "audit-student.json"
    do(["-m", "fairaudit", "gate", audit, "--rubric", "distillation", "--exit-zero"])
    do(["-m", "fairaudit", "card", audit, "-o", given.folder / "card.html"])


if __name__ == "__main__":
    main()
