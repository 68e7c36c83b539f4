"""examples/distill on a far smaller text and model."""

import json
import os
import subprocess
import sys

from tests.conftest import ROOT
from tests.lm.likelihood.trained import sentences

RUN = ROOT / "examples" / "distill" / "run.py"


def test_the_whole_way(tmp_path):
    (tmp_path / "corpus.txt").write_text("\n".join([*sentences(9)] * 3))
    shape = "--layers 2 --width 16 --vocabulary 300 --tokens 4000 --epochs 0.2 --samples 0"
    done = subprocess.run(
        [sys.executable, str(RUN), "corpus.txt", "work", *shape.split()],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Against the baseline, on the same records: pronoun gap" in done.stdout
    audit = json.loads((tmp_path / "work" / "fair" / "audit-student.json").read_text())
    assert audit["kind"] == "distillation"
    assert {row["metric"] for row in audit["estimates"]} >= {"disparity_reduction", "pronoun_gap"}
    assert "<html" in (tmp_path / "work" / "card.html").read_text()
