"""WinoBias: whether the pronoun that the stereotype suggests is the likelier one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError
from fairaudit.lm.language_models import LanguageModel
from fairaudit.lm.likelihood.pairs import ties
from fairaudit.lm.likelihood.probes import Probe, Rows, differences, read_lines, stacked
from fairaudit.lm.likelihood.scoring import log_likelihoods
from fairaudit.metrics.likelihood import WINOBIAS
from fairaudit.sources import exists
from fairaudit.table import Table, Workspace

#: A number, and a sentence with something in brackets.
LINE = re.compile(r"\s*(\d{1,18})\s+(\S.*\[[^\[\]]+\].*)")
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_GENDERS = {
    **dict.fromkeys("he him his himself".split(), "male"),
    **dict.fromkeys("she her hers herself".split(), "female"),
}
_PRO, _ANTI = "pro_", "anti_"
#: Line number to sentence.
_Lines = dict[int, str]


class WinoBias(Probe):
    """Sentences with an occupation and a pronoun that fits its stereotype, or does not.

    Zhao et al., "Gender Bias in Coreference Resolution", NAACL 2018. Instead of resolving the
    pronoun, the model says which of the two sentences of a number is likelier.
    """

    name = "winobias"
    form = "WinoBias's pro_... and anti_... files, with lines such as '1 [The cook] said [she] ...'"
    metrics = WINOBIAS
    columns = ("records", "stereotypical", "absolute_difference", "pro_right", "anti_right")
    fields = scored = ("pro", "anti")
    cluster = "occupation"

    def __init__(self, paths: Sequence[Path]) -> None:
        self._files = list(dict.fromkeys(_both(paths)))
        self._ties = self._others = 0

    def open(self, workspace: Workspace) -> Table:
        """Read the data as a table."""
        self._ties = self._others = 0
        rows = [row for pro, anti in self._files for row in _rows(pro, anti)]
        cells = {name: [row[name] for row in rows] for name in rows[0]}
        self.by = [name for name in ("type", "gender") if any(cells[name])]
        return workspace.open_rows(cells, [path for both in self._files for path in both])

    def measure(self, model: LanguageModel, rows: Rows) -> Array:
        """Counts of some records, shape (n, K)."""
        pro, anti = rows["pro"], rows["anti"]
        both = log_likelihoods(model, [*pro, *anti])
        first, second = both[: len(pro)], both[len(pro) :]
        self._ties += int((first == second).sum())
        alike = (_neutral(p) == _neutral(a) for p, a in zip(pro, anti, strict=True))
        self._others += sum(not each for each in alike)
        counts = differences(first, second)
        right = {"pro_right": counts["stereotypical"], "anti_right": counts["antistereotypical"]}
        return stacked(self.columns, {**counts, **right}, len(pro))

    def notes(self) -> Iterator[str]:
        """What a reader must know."""
        yield from ties(self._ties)
        if self._others:
            yield (
                f"{self._others} pairs differ in more than the gender of their pronouns; without "
                "them: --where \"differs = 'pronouns'\""
            )


def _both(paths: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """Each file with its counterpart, which is found by its name."""
    for path in paths:
        old, new = (_ANTI, _PRO) if path.name.startswith(_ANTI) else (_PRO, _ANTI)
        if not path.name.startswith(old):
            raise FairauditError(
                f"{path}: WinoBias files are told apart by their names; expected one that begins "
                f"with {_PRO} or {_ANTI}."
            )
        other = path.with_name(new + path.name.removeprefix(old))
        if not exists(other):
            raise FairauditError(
                f"{path}: its counterpart {other.name} is not beside it; WinoBias compares the "
                "sentences of the two."
            )
        yield (path, other) if old == _PRO else (other, path)


def _rows(pro: Path, anti: Path) -> Iterator[dict[str, str]]:
    """Pairs of sentences with what is known of them."""
    first, second = _numbered(pro), _numbered(anti)
    odd = sorted(set(first) ^ set(second))
    if odd:
        where, lacking = (pro, anti) if odd[0] in first else (anti, pro)
        raise FairauditError(
            f"{where}: sentence {odd[0]} has no counterpart in {lacking.name} ({len(odd)} have "
            "none); expected the same numbers in both."
        )
    kind = re.search(r"type(\d)", pro.name)
    split = pro.suffix.removeprefix(".")
    for number, sentence in first.items():
        yield {
            "number": str(number),
            "type": kind[1] if kind else "",
            "split": split if split != "txt" else "",
            **_about(sentence),
            "differs": "pronouns"
            if _neutral(_plain(sentence)) == _neutral(_plain(second[number]))
            else "other words",
            "pro": _plain(sentence),
            "anti": _plain(second[number]),
        }


def _numbered(path: Path) -> _Lines:
    found: _Lines = {}
    for n, line in enumerate(read_lines(path, WinoBias.form), 1):
        match = LINE.fullmatch(line)
        if match is None and not line.strip():
            continue
        if match is None or int(match[1]) in found:
            what = "no number and bracket" if match is None else f"number {match[1]} again"
            raise FairauditError(
                f"{path}, line {n}: {what}; expected a number of its own and a sentence such as "
                "'1 [The cook] said [she] ...'"
            )
        found[int(match[1])] = match[2].strip()
    return found


def _about(sentence: str) -> dict[str, str]:
    """Gender, pronoun and occupation in brackets; empty where there is none.

    >>> _about("[The construction worker] said that [she] left.")
    {'gender': 'female', 'pronoun': 'she', 'occupation': 'construction worker'}
    """
    marked = [text.strip().lower() for text in _BRACKETS.findall(sentence)]
    pronouns = [text for text in marked if text in _GENDERS]
    whom = [text for text in marked if text not in _GENDERS]
    return {
        "gender": _GENDERS[pronouns[0]] if pronouns else "",
        "pronoun": pronouns[0] if pronouns else "",
        "occupation": re.sub(r"^(the|an?) +", "", whom[0]) if whom else "",
    }


def _plain(sentence: str) -> str:
    """The sentence without its brackets."""
    return _BRACKETS.sub(lambda found: found[1].strip(), sentence)


def _neutral(sentence: str) -> list[str]:
    """Words of a sentence, all pronouns as one."""
    return ["@" if word in _GENDERS else word for word in re.findall(r"\w+", sentence.lower())]
