"""Neutral professions: whether the model expects *he* or *she*."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from fairaudit import toml
from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError
from fairaudit.lm.language_models import LanguageModel
from fairaudit.lm.likelihood.probes import Probe, Rows, pronoun_differences, stacked
from fairaudit.lm.likelihood.scoring import log_likelihoods
from fairaudit.metrics.likelihood import PRONOUNS
from fairaudit.table import Table, Workspace

#: The professions and templates that are shipped.
SHIPPED = Path(__file__).parent / "data" / "professions.toml"
_KEYS = ("pronouns", "templates", "prompts", "professions")
_MARKS = ("{profession}", "{pronoun}")


def profession_prompts(path: Path) -> Iterator[tuple[str, str, str]]:
    """Field, profession and prompt of every profession in each of a file's prompts.

    Raises
    ------
    FairauditError
        If the file has no `prompts` with ``{profession}`` or no professions.
    """
    section = toml.Section(str(path), toml.read(path), _KEYS)
    prompts = section.texts("prompts")
    if not prompts or any(prompt.count(_MARKS[0]) != 1 for prompt in prompts):
        raise section.refuse("prompts", 'texts to go on from: ["The {profession} said that"]')
    for field, profession in _professions(section, str(path)):
        for prompt in prompts:
            yield field, profession, prompt.replace(_MARKS[0], profession)


class Pronouns(Probe):
    """Templates about a profession, with either pronoun.

    Parameters
    ----------
    paths : sequence of Path
        TOML files with `pronouns` (two, *he* and *she* by default), `templates` with
        ``{profession}`` and ``{pronoun}``, and a table `professions` of lists by field; none for
        those that are shipped.
    """

    name = "pronouns"
    form = "a TOML file with templates and professions (those that are shipped by default)"
    metrics = PRONOUNS
    columns = ("records", "pronoun_difference", "pronoun_distance")
    fields = ("profession", "template", "first", "second")
    scored = ("first", "second")
    by = ("field",)
    cluster = "profession"

    def __init__(self, paths: Sequence[Path] = ()) -> None:
        self._paths = list(paths) or [SHIPPED]

    def open(self, workspace: Workspace) -> Table:
        """Read the data as a table."""
        rows = [row for path in self._paths for row in _rows(path)]
        cells = {name: [row[name] for row in rows] for name in rows[0]}
        return workspace.open_rows(cells, self._paths)

    def measure(self, model: LanguageModel, rows: Rows) -> Array:
        """Counts of some records, shape (n, K)."""
        n = len(rows["first"])
        both = log_likelihoods(model, [*rows["first"], *rows["second"]])
        return stacked(self.columns, pronoun_differences(both[:n], both[n:]), n)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    """Every profession in every template."""
    section = toml.Section(str(path), toml.read(path), _KEYS)
    templates = section.texts("templates")
    for template in templates or ("",):
        for mark in _MARKS:
            if template.count(mark) != 1:
                raise FairauditError(
                    f"{path}: templates: expected each with {' and '.join(_MARKS)} once; found "
                    f"'{template}'."
                )
    pronouns = section.texts("pronouns") or ("he", "she")
    if len(set(pronouns)) != 2:
        raise section.refuse("pronouns", 'two: ["he", "she"]')
    for field, profession in _professions(section, str(path)):
        for number, template in enumerate(templates, 1):
            text = template.replace("{profession}", profession)
            first, second = (text.replace("{pronoun}", each) for each in pronouns)
            yield {
                "profession": profession, "field": field, "template": str(number),
                "first": first, "second": second,
            }  # fmt: skip


def _professions(section: toml.Section, path: str) -> Iterator[tuple[str, str]]:
    """Fields and professions, each profession once."""
    listed = section.content.get("professions")
    if not isinstance(listed, dict) or not listed:
        raise section.refuse("professions", 'a table of lists: [professions] health = ["nurse"]')
    fields = toml.Section(f"{path}, professions", listed, listed)
    seen: set[str] = set()
    for field in listed:
        for profession in fields.texts(field):
            if profession in seen:
                raise FairauditError(f"{path}: profession '{profession}' stands twice.")
            seen.add(profession)
            yield field, profession
