import ast
import subprocess
import sys

import pytest

import fairaudit
from tests.conftest import ROOT

PACKAGE = ROOT / "fairaudit"
#: From bottom to top; a module imports from its own room and from those before it.
ROOMS = [
    ["arrays", "exceptions"],
    ["formats", "metrics", "toml", "where"],
    ["sources"],
    ["stats", "table"],
    ["groups", "joins"],
    ["selection", "audit"],
    ["assess"],
    ["paired"],
    ["audits", "lm", "rubric"],
    ["report"],
    ["verdicts"],
    ["cli"],
    ["__main__"],
]
HEAVY = (
    "torch transformers huggingface_hub soundfile soxr pandas sklearn skops matplotlib scipy "
    "pyarrow vaderSentiment"
).split()


def room(module):
    return next((i for i, names in enumerate(ROOMS) if module.split(".")[0] in names), None)


def imports(path):
    """Modules of the package that a file imports, `fairaudit.` taken off."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "fairaudit":
            below = (node.module or "").removeprefix("fairaudit").lstrip(".")
            yield from [below] if below else [alias.name for alias in node.names]
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            yield from (n.removeprefix("fairaudit.") for n in names if n.startswith("fairaudit."))


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.name)
def test_imports_point_down(path):
    module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    if module == "__init__":
        return  # hands out the public names, when they are asked for
    own = room(module)
    assert own is not None, f"{module} has no room"
    for imported in imports(path):
        if imported == "__version__":
            continue
        below = room(imported)
        assert below is not None, f"{module} imports {imported}, which has no room"
        same = module.split(".")[0] == imported.split(".")[0]
        assert below < own or same, f"{module} imports {imported}: upward"


def loaded_after(code):
    script = f"{code}\nimport sys; print(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.splitlines()[-1].split())


def test_wer_needs_no_heavy_library():
    code = (
        "from fairaudit.cli import app\n"
        "try: app(['wer', 'examples/accents/transcripts.csv', '--by', 'accent', '-q'])\n"
        "except SystemExit as end: assert not end.code, end.code"
    )
    assert not loaded_after(code) & set(HEAVY)


def test_help_needs_not_even_numpy():
    code = (
        "from fairaudit.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit as end: assert not end.code"
    )
    assert not loaded_after(code) & {"numpy", "duckdb", *HEAVY}


def test_public_names():
    for name in fairaudit.__all__:
        assert getattr(fairaudit, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        _ = fairaudit.nope
