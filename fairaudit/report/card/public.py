"""An audit without what may not be shown: words of the data, names, and small groups."""

from __future__ import annotations

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from fairaudit.audit import QUOTING, Audit, Comparison, Estimate, Finding, Records, signature
from fairaudit.exceptions import FairauditError
from fairaudit.groups import Attribute
from fairaudit.report.card.disclosure import Cell, hidden
from fairaudit.report.card.model import AuditFile, Wanted
from fairaudit.report.sheets import printable
from fairaudit.stats.standardised import REST
from fairaudit.stats.sums import MISSING

#: Options whose arguments may name groups.
_TELLING = ("--where", "--compare-to")
#: Stands for what is left out of a setting.
_LEFT_OUT = "(left out)"
_REASON = "The groups that decided are left out, as one of them is small."
_REASON_NAMES = "The reason names groups that are left out."
#: What a finding on groups that are left out does not tell.
_UNTOLD: dict[str, Any] = dict.fromkeys(
    ("group", "against", "value", "ci_low", "ci_high", "n", "further_records", "further_clusters")
)
_NO_PROOF = (
    "That is a rule about the tables of one audit, and no proof that nobody can be recognised: "
    "two audits of the same records may be subtracted from each other."
)
#: A number of records in a note; limits that were asked for are none.
_COUNT = re.compile(r"(?<!fewer than )(?<![\d,.])(\d[\d,]*)(?= records?\b)")


def public(file: AuditFile, wanted: Wanted) -> tuple[AuditFile, list[str]]:
    """The audit with everything removed that may not be shown, and what was left out.

    Unless texts are wanted, explanations that quote the data go, and attributes whose groups are
    names of what was sampled. Where small groups are to be suppressed, they go, and as many others
    as it takes so that no small count follows from those that are shown; see `disclosure.hidden`.

    This is no proof of anonymity. Counts are guarded against linear equations over the tables of
    one audit: a reader who has a second audit of the same records, selected otherwise, can
    subtract, and that counts are not negative may still bound one from above. Gaps that are shown
    are between groups that are shown, but tests and what chance gives come from all groups.

    Returns
    -------
    file : AuditFile
        Its audit has no sums: cards show none, and everything could be computed from them.
    sentences : list of str
        How much was left out, never which.

    Raises
    ------
    FairauditError
        If all records together are too few to be shown, or a rule has every group published.
    """
    audit, said = file.audit, []
    if not wanted.texts:
        audit, sentences = _nameless(audit)
        said += sentences
    if wanted.suppress > 0:
        audit, sentences = _suppressed(file.name, audit, wanted.suppress)
        said += sentences
    return replace(file, audit=replace(audit, sums=())), said


# --- Words and names ----------------------------------------------------------------------


def _nameless(audit: Audit) -> tuple[Audit, list[str]]:
    """The audit without words of the data and without names of what was sampled."""
    kept = tuple(row for row in audit.explanations if row.kind not in QUOTING)
    quoting = len(kept) < len(audit.explanations)
    said = ["What quotes words of the data is left out."] if quoting else []
    audit, cluster = replace(audit, explanations=kept), audit.settings.get("cluster")
    if cluster is None:
        return audit, said
    audit, sentences = _without_clusters(audit, cluster)
    return audit, [*said, *sentences]


def _without_clusters(audit: Audit, cluster: str) -> tuple[Audit, list[str]]:
    """The audit without attributes whose groups are names of clusters."""
    named = {name for name in _attributes(audit) if cluster in Attribute.parse(name).columns}
    names = {group for name in named for group in _groups(audit, name)} - {MISSING}
    notes = tuple(note for note in audit.notes if not _names_one(note, named, names))
    shown = of_attributes(_without_levels(audit, cluster), {*_attributes(audit)} - named)
    shown = _without_settings(replace(shown, notes=notes), {*names, cluster})
    said = [
        f"By {printable(name)} nothing is shown: its groups would be names of what was sampled."
        for name in sorted(named)
    ]
    return shown, [*said, *_notes_said(audit, shown)]


def _names_one(note: str, attributes: Collection[str], names: Collection[str]) -> bool:
    """Whether a note is about one of these attributes, or has one of these names."""
    pattern = _pattern(names)
    own = any(note.startswith(f"{attribute}: ") for attribute in attributes)
    return own or pattern.search(note) is not None


def _attributes(audit: Audit) -> list[str]:
    """Every attribute that something is said of."""
    parts: list[Sequence[Any]] = [audit.estimates, audit.comparisons, audit.findings]
    rows = [row for part in (*parts, audit.explanations) for row in part]
    return list(dict.fromkeys(row.attribute for row in rows if row.attribute is not None))


def _groups(audit: Audit, attribute: str) -> set[str]:
    return {row.group for row in audit.estimates if row.attribute == attribute} - {REST}


def of_attributes(audit: Audit, kept: Collection[str]) -> Audit:
    """The audit with what is said of these attributes, and of all records, alone."""
    rows: dict[str, Any] = {
        kind: tuple(row for row in getattr(audit, kind) if row.attribute in {None, *kept})
        for kind in ("estimates", "comparisons", "findings", "explanations", "sums")
    }
    return replace(audit, **rows)


def _without_levels(audit: Audit, cluster: str) -> Audit:
    """The audit without a row per value of the control, where these are names."""
    if audit.settings.get("control") != cluster:
        return audit
    kept = tuple(row for row in audit.estimates if _level(row) is None)
    return replace(audit, estimates=kept)


def _without_settings(audit: Audit, names: Collection[str]) -> Audit:
    """The audit without selections, references and arguments that have one of these names."""
    pattern = _pattern(names)
    if audit.command is not None:
        audit = replace(audit, command=_command(audit.command, pattern))
    told = {
        name: _LEFT_OUT
        for name in ("where", "vs")
        if pattern.search(str(audit.settings.get(name) or ""))
    }
    return _signed(audit, {**audit.settings, **told}) if told else audit


def _signed(audit: Audit, settings: Mapping[str, Any]) -> Audit:
    """The audit with these settings, in its signature and that of its findings as well."""
    # As the audit was signed: its metrics are no part of a signature.
    signed = signature(audit.kind, {k: v for k, v in settings.items() if k != "metrics"})
    findings = tuple(
        replace(row, audit=signed) if row.audit == audit.signature else row
        for row in audit.findings
    )
    return replace(audit, settings=settings, signature=signed, findings=findings)


def _command(command: str, pattern: re.Pattern[str]) -> str:
    """The command without selections and references that have a name.

    >>> _command("fairaudit wer us.csv --by us --compare-to=us --where 'x = 1'", _pattern(["us"]))
    "fairaudit wer us.csv --by us '--compare-to=(left out)' --where 'x = 1'"
    """
    words = shlex.split(command)
    before = list(words)
    for i, word in enumerate(before):
        option, equals, value = word.partition("=")
        if option in _TELLING and equals and pattern.search(value):
            words[i] = f"{option}={_LEFT_OUT}"
        elif i and before[i - 1] in _TELLING and pattern.search(word):
            words[i] = _LEFT_OUT
    return command if words == before else shlex.join(words)


def _pattern(names: Collection[str]) -> re.Pattern[str]:
    """Finds names as whole words, also as they are printed."""
    every = {form for name in names if name for form in (name, printable(name))}
    if not every:
        return re.compile(r"(?!)")
    # The longest first: of two names that begin alike the whole one is to be found.
    texts = sorted(every, key=lambda text: (-len(text), text))
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, texts))})(?!\w)")


def _notes_said(audit: Audit, shown: Audit) -> Iterator[str]:
    fewer = len(audit.notes) - len(shown.notes)
    if fewer == 1:
        yield "1 note is left out, as it tells of what is not shown."
    elif fewer:
        yield f"{fewer} notes are left out, as they tell of what is not shown."


# --- Small groups -------------------------------------------------------------------------


@dataclass(frozen=True)
class _Gone:
    """Groups that are not shown.

    Attributes
    ----------
    groups : mapping of str to set of str
        By attribute, also of those that have none.
    references : mapping of str to set of str
        By attribute, references from which one of its groups would follow.
    least : int
        Smallest number of records that is told.
    """

    groups: Mapping[str, Collection[str]]
    references: Mapping[str, Collection[str]] = field(default_factory=dict)
    least: int = 0

    @property
    def names(self) -> set[str]:
        """All of their names."""
        return {group for groups in self.groups.values() for group in groups}

    def row(self, attribute: str | None, *groups: str | None) -> bool:
        """Whether a row about these groups goes."""
        gone = self.groups.get(attribute or "", ()), self.references.get(attribute or "", ())
        return any(group in each for each in gone for group in groups if group is not None)

    def comparison(self, row: Comparison) -> bool:
        """Whether a comparison goes: a ratio of the extremes may be that of a hidden group."""
        extreme = row.kind == "gap_ratio" and row.group is None
        hides = bool(self.groups.get(row.attribute or ""))
        return self.row(row.attribute, row.group, row.against, _side(row)) or (extreme and hides)

    @cached_property
    def _patterns(self) -> dict[str | None, re.Pattern[str]]:
        every = [(None, self.names), *self.groups.items()]
        return {attribute: _pattern(names) for attribute, names in every}

    def named(self, text: str, attribute: str | None = None) -> bool:
        """Whether a text has one of their names: of this attribute, or of any."""
        pattern = self._patterns.get(attribute)
        return pattern is not None and pattern.search(text) is not None

    def told(self, note: str) -> bool:
        """Whether a note tells of them: by name, or by a number."""
        begins = [name for name in self.groups if note.startswith(f"{name}: ")]
        about = max(begins, key=len, default=None)
        unknown = MISSING in self.groups.get(about or "", ()) and "without a value" in note
        few = any(int(n.replace(",", "")) < self.least for n in _COUNT.findall(note))
        return unknown or few or self.named(note, about)


def _suppressed(name: str, audit: Audit, least: int) -> tuple[Audit, list[str]]:
    """The audit without groups of fewer records, and without what would tell them."""
    _require_enough(name, audit, least)
    cells = _cells(audit)
    cut = _cut(audit, cells, least)
    _require_open(name, audit, least, cut)
    shown = _without_cells(audit, cells, cut, least)
    _require_groups(name, shown, least)
    return shown, [*_said(audit, cut, least), *_notes_said(audit, shown)]


def _cut(audit: Audit, cells: Sequence[Cell | None], least: int) -> set[Cell]:
    """The cells that are left out."""
    columns = {
        cell: _values(audit, row, cell)
        for row, cell in zip(audit.estimates, cells, strict=True)
        if cell is not None and row.group != REST
    }
    # What a search found are single slices: the others of their columns are not shown anyway.
    return hidden(_fewest(audit, cells), columns, least, whole=audit.kind != "search")


def _require_enough(name: str, audit: Audit, least: int) -> None:
    """Refuse an audit that may not be shown at all."""
    everybody = [row.records for row in audit.estimates if row.attribute is None]
    used = min([audit.records.used, *everybody])
    if used < least:
        raise FairauditError(
            f"{name}: has only {used} records; --suppress {least} would leave nothing of it. "
            "Leave the audit out."
        )


def _require_open(name: str, audit: Audit, least: int, cut: Collection[Cell]) -> None:
    """Refuse to leave categories out of a table that a law wants whole."""
    if cut and audit.settings.get("rule") == "ll144":
        raise FairauditError(
            f"{name}: Local Law 144 has every category published, and --suppress {least} would "
            "leave some out. Make a card without --suppress, or leave this audit out."
        )


def _require_groups(name: str, audit: Audit, least: int) -> None:
    """Refuse a rule's table without a line."""
    if audit.settings.get("rule") and all(row.attribute is None for row in audit.estimates):
        raise FairauditError(
            f"{name}: --suppress {least} leaves no group of its table. Leave the audit out."
        )


def _level(row: Estimate) -> str | None:
    """Value of the control at which the row is."""
    value = (row.variant or {}).get("control")
    return None if value is None else str(value)


def _cells(audit: Audit) -> list[Cell | None]:
    """Of each estimate whom it is about; the rest of a slice goes with the slice before it."""
    found: list[Cell | None] = []
    for row in audit.estimates:
        if row.attribute is None:
            found.append(None)
        elif audit.kind == "search" and row.group == REST:
            found.append(found[-1])
        else:
            found.append((row.attribute, _level(row), row.group))
    return found


def _fewest(audit: Audit, cells: Sequence[Cell | None]) -> dict[Cell, int]:
    """The smallest number of records that a row of each cell has."""
    fewest: dict[Cell, int] = {}
    for row, cell in zip(audit.estimates, cells, strict=True):
        if cell is not None:
            fewest[cell] = min(row.records, fewest.get(cell, row.records))
    return fewest


def _values(audit: Audit, row: Estimate, cell: Cell) -> dict[str, str]:
    """Value of each column, the control's among them."""
    level = {} if cell[1] is None else {str(audit.settings.get("control")): cell[1]}
    return {**row.values, **level}


def _without_cells(
    audit: Audit, cells: Sequence[Cell | None], cut: Collection[Cell], least: int
) -> Audit:
    """The audit without these cells and without what would tell them."""
    gone = _gone(audit, cut, least)
    kept = (row for row, cell in zip(audit.estimates, cells, strict=True) if cell not in cut)
    estimates = tuple(row for row in kept if not gone.row(row.attribute, _side(row)))
    left = {row.attribute for row in estimates}
    compared = (row for row in audit.comparisons if row.attribute in left)
    shown = replace(
        audit,
        estimates=estimates,
        comparisons=tuple(row for row in compared if not gone.comparison(row)),
        explanations=tuple(r for r in audit.explanations if not gone.row(r.attribute, r.group)),
        findings=tuple(_finding(row, gone) for row in audit.findings),
        notes=tuple(note for note in audit.notes if not gone.told(note)),
        records=_records(audit.records, least),
    )
    return _without_settings(shown, gone.names - {MISSING})


def _side(row: Estimate | Comparison) -> str | None:
    """The group whose nearest neighbours the row is about, where records were matched."""
    return (row.variant or {}).get("side")


def _gone(audit: Audit, cut: Collection[Cell], least: int) -> _Gone:
    """The groups of these cells, and the references that would tell one of them."""
    groups: dict[str, set[str]] = {attribute: set() for attribute in _attributes(audit)}
    for attribute, level, group in cut:
        if level is None:
            groups[attribute].add(group)
    references: dict[str, set[str]] = defaultdict(set)
    for attribute, names in groups.items():
        # All values but the missing ones make up the rest and a group: two of these numbers
        # would tell how many are missing.
        if MISSING in names:
            references[attribute].add(REST)
        references[attribute] |= set(_told_references(audit, attribute, names))
    return _Gone(groups, references, least)


def _told_references(audit: Audit, attribute: str, names: set[str]) -> Iterator[str]:
    """Of the best and the largest group those that are not shown: a difference tells their value.

    The reference is a group that has a value and no difference of its own.
    """
    least = audit.settings.get("min_n") or 0
    small = {r.group for r in audit.estimates if r.attribute == attribute and r.records < least}
    of = [r for r in audit.comparisons if (r.attribute, r.kind) == (attribute, "difference")]
    compared = {(row.metric, str(row.variant), row.group) for row in of}
    for row in of:
        key = (row.metric, str(row.variant))
        if row.against in ("(best)", "(largest)") and any(
            (*key, name) not in compared for name in names - {MISSING} - small
        ):
            yield row.against


def _finding(row: Finding, gone: _Gone) -> Finding:
    """The finding without groups that are not shown, and without their numbers."""
    if gone.row(row.attribute, row.group, row.against):
        row = replace(row, **_UNTOLD, reason=_REASON)
    elif gone.named(row.reason, row.attribute):
        row = replace(row, reason=_REASON_NAMES)
    told: dict[str, Any] = {
        name: _LEFT_OUT
        for name in ("criterion", "source", "waiver")
        if gone.named(getattr(row, name) or "", row.attribute)
    }
    return replace(row, **told)


def _records(records: Records, least: int) -> Records:
    """Records with the reasons for dropping them in one, where one of them is small."""
    if all(count == 0 or count >= least for count in records.dropped.values()):
        return records
    return replace(records, dropped={"several reasons": sum(records.dropped.values())})


def _said(audit: Audit, cut: Collection[Cell], least: int) -> Iterator[str]:
    """How many groups are left out, and what that does not do."""
    parts = list(_counts(audit, cut))
    if not parts:
        yield f"Every group has {least:,} records or more, so none is left out."
        return
    yield (
        f"Left out: {', '.join(parts)}. They have fewer than {least:,} records, or the number of "
        "one that has could be computed from theirs; tables and sentences are about the others."
    )
    yield _NO_PROOF


def _counts(audit: Audit, cut: Collection[Cell]) -> Iterator[str]:
    """How many groups of each attribute go, and how many at values of the control alone."""
    gone = Counter(attribute for attribute, level, _ in cut if level is None)
    for name in _attributes(audit):
        if gone[name]:
            yield f"{gone[name]} of {len(_groups(audit, name))} groups by {printable(name)}"
    levels = sum(level is not None and (a, None, g) not in cut for a, level, g in cut)
    if levels:
        yield f"{levels} at a value of {printable(str(audit.settings.get('control')))}"
