"""Where rubrics are found: shipped ones by name, others by path, and a team's in pyproject.toml."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairaudit import toml
from fairaudit.exceptions import FairauditError
from fairaudit.rubric.model import Rubric
from fairaudit.toml import Section, choices


def names() -> list[str]:
    """Names of the shipped rubrics, sorted."""
    return sorted(path.stem for path in _folder().glob("*.toml"))


def text(name: str) -> str:
    """The TOML text of a shipped rubric, its comments included.

    Raises
    ------
    FairauditError
        If none is called so.
    """
    if name not in names():
        raise FairauditError(f"no rubric is called '{name}'. {choices('Rubrics', name, names())}")
    return (_folder() / f"{name}.toml").read_text(encoding="utf-8")


def load(name_or_path: str | Path) -> Rubric:
    """A shipped rubric by its name, or one of your own by its path.

    Raises
    ------
    FairauditError
        If there is none, or it is no rubric.

    Examples
    --------
    >>> load("four-fifths").criteria[0].limit
    0.8
    """
    if isinstance(name_or_path, str) and name_or_path in names():
        return Rubric.of(toml.parse(name_or_path, text(name_or_path).encode()), name_or_path)
    path = Path(name_or_path)
    if not path.exists():
        raise FairauditError(
            f"{name_or_path}: no such file, and no rubric is called so. "
            + choices("Rubrics", str(name_or_path), names())
        )
    return Rubric.read(path)


def _folder() -> Path:
    """Inside the installed package; beside it where that is a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "rubrics"
    return inside if inside.is_dir() else package.parent / "rubrics"


#: What a new rubric starts from.
START = """\
# A rubric: what fair enough means here. Each criterion is one limit; say where it comes from.
name = "ours"
version = "1"
purpose = "What it is for, and who decided it."

[[criteria]]
id = "wer-gap"          # optional; the name in reports
metric = "wer"          # a metric of the audit, or a name such as demographic_parity_difference
comparison = "gap"      # gap, ratio, difference, group, group_max, group_min or overall
by = "accent"           # an attribute as in --by; without it every attribute of the audit
at_most = 0.05          # or at_least; shares, not percent
source = "Why 5 points: who decided it, when, from what."
# min_n = 30            # leave out groups with fewer records; verdicts say which
# min_share = 0.02      # or with a smaller share of the records
# on = ["us", "indian"] # judge these groups only
# severity = "warning"  # "error" unless it says otherwise; a warning never changes the exit code
# optional = true       # passed over where no audit has what it is about, instead of an error
# variant = { normalize = "basic" }                      # where an audit has several settings
# waiver = { reason = "ticket 12", until = 2030-12-31 }  # a failure does not count until then

[[criteria]]
metric = "wer"
comparison = "group_max"
by = "accent"
at_most = 0.20
source = "Why 20 %."
"""


def new() -> str:
    """The text of a rubric to start from, with comments."""
    return START


#: Options of the commands that may have defaults, as they are called there, and how to read them.
_OPTIONS: Mapping[str, Callable[[Section, str], Any]] = {
    "by": Section.texts,
    "cluster": Section.text,
    "where": Section.text,
    "compare-to": Section.text,
    "min-n": Section.whole,
    "bins": Section.texts,
    "na": Section.texts,
    "confidence": Section.number,
    "interval": Section.text,
    "correction": Section.text,
    "resamples": Section.whole,
    "seed": Section.whole,
    "decide": Section.text,
    "strict": Section.truth,
}


@dataclass(frozen=True)
class Policy:
    """What a project has decided once for all: ``[tool.fairaudit]`` of its pyproject.toml.

    Attributes
    ----------
    rubric : Rubric or None
        What audits are judged by.
    defaults : mapping of str to value
        Options of the commands, named as their parameters: ``min_n``.
    """

    rubric: Rubric | None
    defaults: Mapping[str, Any]


def policy(pyproject: str | Path) -> Policy:
    """Read a project's policy; an empty one where the file has no ``[tool.fairaudit]``.

    ``rubric`` is the name of a shipped one, a path relative to the file, or a table with the keys
    of a rubric. The other keys are defaults of the commands' options: ``min-n = 30``.

    Raises
    ------
    FairauditError
        If the file cannot be read, a key is unknown, or the rubric is none.
    """
    path = Path(pyproject)
    return Policy(_policy_rubric(_section(path), path), defaults_of(path))


def defaults_of(pyproject: str | Path) -> dict[str, Any]:
    """The defaults alone, whatever the rubric is.

    Raises
    ------
    FairauditError
        If the file cannot be read, or a key is unknown.
    """
    section = _section(Path(pyproject))
    return {
        name.replace("-", "_"): read(section, name)
        for name, read in _OPTIONS.items()
        if name in section
    }


def _section(path: Path) -> Section:
    tools = toml.read(path).get("tool", {})
    content = tools.get("fairaudit", {}) if isinstance(tools, Mapping) else {}
    return Section(f"{path}, [tool.fairaudit]", content, ("rubric", *_OPTIONS))


def _policy_rubric(section: Section, path: Path) -> Rubric | None:
    if "rubric" not in section:
        return None
    if isinstance(section.content["rubric"], Mapping):
        return Rubric.of(section.content["rubric"], f"{section.where}, rubric")
    name = section.text("rubric")
    return load(name if name in names() else path.parent / name)
