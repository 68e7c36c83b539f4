"""An audit without what may not be shown: words of the data, names, and small groups."""

from __future__ import annotations

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from fairaudit.audit import (
    QUOTING,
    Audit,
    Comparison,
    Estimate,
    Explanation,
    Finding,
    Records,
    signature,
)
from fairaudit.exceptions import FairauditError
from fairaudit.groups import Attribute
from fairaudit.report.card.disclosure import LEAST_CLUSTERS, Cell, hidden
from fairaudit.report.card.model import AuditFile, Wanted
from fairaudit.report.card.words import listed
from fairaudit.report.headline import plural
from fairaudit.report.sheets import printable
from fairaudit.stats.distributions import normal_quantile
from fairaudit.stats.proportions import koopman
from fairaudit.stats.standardised import REST
from fairaudit.stats.sums import MISSING

#: Options whose arguments may name groups.
_TELLING = ("--where", "--compare-to", "--na", "--positive", "--positive-label")
#: Settings that may be paths.
_PATHS = ("ref", "hyp", "before", "speaker")
#: Stands for what is left out of a setting.
_LEFT_OUT = "(left out)"
_REASON = (
    "Groups of this attribute are left out, and with them the numbers that decided, as they may "
    "tell of these."
)
_REASON_NAMES = "The reason names groups that are left out."
#: Comparisons over all groups of an attribute at once, or fitted to the records of all.
_OVER_ALL = (
    "gap", "gap_ratio", "heterogeneity", "adjusted_ratio", "adjusted_difference", "macro_mean",
    "least",
)  # fmt: skip
#: What a finding on groups that are left out does not tell.
_UNTOLD: dict[str, Any] = dict.fromkeys(
    ("group", "against", "value", "ci_low", "ci_high", "n", "further_records", "further_clusters")
)
_NO_PROOF = (
    "That is a rule about the tables of one audit, and no proof that nobody can be recognised: "
    "two audits of the same records may be subtracted from each other."
)
#: How an absolute path begins, on any system.
_ROOT = r"(?:file://)?(?:~[\w.-]*[\\/]|/|[A-Za-z]:[\\/]|\\\\)"
#: In a text a file address, or else the folders before the last part of an absolute path.
_FOLDERS = re.compile(
    r"(?P<address>(?!file:)[a-z][a-z0-9+.-]+://\S*)"
    rf"|(?<![\w./\\~-])(?:~[\w.-]*[/\\]|{_ROOT}[^\s/\\'\"]*[/\\])(?:[^\s/\\'\"]+[/\\])*"
    r"(?=[^\s/\\'\"])"
)
#: What has a folder or an ending.
_FILE_LIKE = re.compile(r"[./\\]")
#: A number of records or texts in a note; limits that were asked for are none.
_COUNT = re.compile(r"(?<!fewer than )(?<![\d,.])(\d[\d,]*)(?= (?:records?|texts?)\b)")


def public(file: AuditFile, wanted: Wanted) -> tuple[AuditFile, list[str]]:
    """The audit with everything removed that may not be shown, and what was left out.

    Folders go always: an absolute path keeps its last part alone. Unless texts are wanted,
    explanations that quote the data go, and attributes whose groups are names of what was
    sampled. Where small groups are to be suppressed, they go, and as many others as it takes so
    that no small count follows from those that are shown, and none is left over; see
    `disclosure.hidden`. Small is also what comes from fewer than three clusters.

    What is computed over all groups of an attribute goes with the first hidden one: gaps, their
    ratios and what chance gives, tests that no group differs, the inequality between groups, and
    differences at equal covariates or control, with their intervals and p-values; and the tokens
    that predictions over all records are sensitive to. From the inequality between groups, of
    which the shown ones are known, the counts of a hidden one were found by trying all; and that
    two groups are the ends of a gap bounds all others. Differences
    and ratios between shown groups, and to the rest, stay. Their p-values are adjusted anew, by
    Bonferroni over all groups: Holm's are made of those of hidden groups as well. Intervals of
    impact ratios are made anew for the same reason, where records are independent; else they go.
    Where the reference is the best, the largest or the group selected most often, and it is
    shown, the reader learns that no hidden group is beyond it.

    Of a finding that judged hidden groups the outcome stays, without numbers and groups: a limit
    that is shown to be exceeded must not vanish from a public card with the small group that
    shows it. That the outcome bounds the groups is the price of it.

    This is no proof of anonymity. Counts are guarded against linear equations over the tables of
    one audit: a reader who has a second audit of the same records, selected otherwise, can
    subtract, and that counts are not negative may still bound one from above.

    Returns
    -------
    file : AuditFile
        Its audit has no sums: cards show none, and everything could be computed from them.
    sentences : list of str
        How much was left out, never which.

    Raises
    ------
    FairauditError
        If `suppress` is negative, all records together are too few to be shown, or a rule has
        every group published.
    """
    if wanted.suppress < 0:
        raise FairauditError(f"--suppress {wanted.suppress}: expected 0 or more.")
    file, said = replace(file, audit=_without_folders(file.audit)), []
    if not wanted.texts:
        audit, sentences = _nameless(file.audit)
        file, said = replace(file, audit=audit), sentences
    if wanted.suppress > 0:
        file, sentences = _suppressed(file, wanted.suppress)
        said = [*said, *sentences]
    return replace(file, audit=replace(file.audit, sums=())), said


# --- Folders ------------------------------------------------------------------------------


def _without_folders(audit: Audit) -> Audit:
    """The audit with the last part of each absolute path alone.

    Folders tell names of users and of customers. Paths that are relative stay as typed.
    """
    words = _words(audit.command)
    paths = [text for word in (*words, *(d.path for d in audit.data)) for text in _parts(word)]
    absolute = sorted({path for path in paths if _absolute(path)}, key=len, reverse=True)
    data = tuple(replace(each, path=_last(each.path)) for each in audit.data)
    notes = tuple(_in_text(note, absolute) for note in audit.notes)
    shown = replace(audit, data=data, notes=notes)
    if words:
        shown = replace(
            shown, command=_joined(words, [_in_text(w, absolute) for w in words], audit)
        )
    elif audit.command:
        shown = replace(shown, command=_LEFT_OUT)
    told = {k: _last(v) for k, v in audit.settings.items() if k in _PATHS and isinstance(v, str)}
    changed = any(audit.settings[name] != text for name, text in told.items())
    return _signed(shown, {**audit.settings, **told}) if changed else shown


def _absolute(path: str) -> bool:
    return re.match(_ROOT, path) is not None


def _last(path: str) -> str:
    r"""The last part of an absolute path; other texts as they are.

    >>> _last("/home/jane/calls.csv"), _last(r"C:\Users\jane\calls.csv"), _last("jane/calls.csv")
    ('calls.csv', 'calls.csv', 'jane/calls.csv')
    """
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1] or path if _absolute(path) else path


def _parts(word: str) -> tuple[str, str]:
    """The word, and what follows its first ``=``, as in ``--ref=calls.csv``."""
    return word, word.partition("=")[2]


def _in_text(text: str, paths: Sequence[str] = ()) -> str:
    r"""The text without folders of absolute paths: of those that are known, and of others.

    Of the others spaces end a path, so folders with spaces may stay in part.

    >>> _in_text("/home/jane/a.csv, not ~/b.csv; see https://example.org/x/y, and 3 and/or 4.")
    'a.csv, not b.csv; see https://example.org/x/y, and 3 and/or 4.'
    >>> _in_text("--ref=/home/Jane Doe/a.csv", ["/home/Jane Doe/a.csv"])
    '--ref=a.csv'
    """
    for path in paths:
        text = text.replace(path, _last(path))
    return _FOLDERS.sub(lambda found: found["address"] or "", text)


def _words(command: str | None) -> list[str]:
    """The words of a command; none of one that nobody could run."""
    try:
        return shlex.split(command or "")
    except ValueError:
        return []


def _joined(before: Sequence[str], words: Sequence[str], audit: Audit) -> str | None:
    """The words as a command; as it was written, where none of them has changed."""
    return audit.command if words == before else shlex.join(words)


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
    shown = _without_settings(replace(shown, notes=notes), {cluster}, files=False)
    shown = _without_settings(shown, names)
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


def _without_settings(audit: Audit, names: Collection[str], files: bool = True) -> Audit:
    """The audit without selections, references, and files, that have one of these names."""
    pattern = _pattern(names, loose=files)
    data = tuple(
        replace(each, path=_LEFT_OUT) if files and pattern.search(each.path) else each
        for each in audit.data
    )
    audit = replace(audit, data=data, command=_command(audit.command, pattern, files))
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


def _command(command: str | None, pattern: re.Pattern[str], files: bool) -> str | None:
    """The command without selections, references, and files, that have a name.

    >>> pattern = _pattern(["us"], loose=True)
    >>> _command("fairaudit wer us.csv --by us --compare-to=us --where 'x = 1'", pattern, True)
    "fairaudit wer '(left out)' --by us '--compare-to=(left out)' --where 'x = 1'"
    """
    words = _words(command)
    pairs = zip(["", *words], words, strict=False)
    told = [_told(word, before, pattern, files) for before, word in pairs]
    return command if told == words else shlex.join(told)


def _told(word: str, before: str, pattern: re.Pattern[str], files: bool) -> str:
    """A word of a command, after another; columns and options name no group."""
    option, equals, value = word.partition("=")
    if not (word.startswith("--") and equals):
        option, value = before, word
    telling = option in _TELLING or (files and _FILE_LIKE.search(value) is not None)
    if not telling or not pattern.search(value):
        return word
    return f"{option}={_LEFT_OUT}" if value != word else _LEFT_OUT


def _pattern(names: Collection[str], loose: bool = False) -> re.Pattern[str]:
    """Finds names as whole words, also as they are printed.

    Parameters
    ----------
    names : collection of str
    loose : bool
        For names of files and the like: ``_`` parts words as well, and names of three letters or
        more are found in capitals and in small letters.

    Examples
    --------
    >>> [bool(_pattern(["Sikh"], loose).search("sikh_only.csv")) for loose in (False, True)]
    [False, True]
    """
    every = {form for name in names if name for form in (name, printable(name))}
    if not every:
        return re.compile(r"(?!)")
    # The longest first: of two names that begin alike the whole one is to be found.
    texts = sorted(every, key=lambda text: (-len(text), text))
    if not loose:
        return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, texts))})(?!\w)")
    each = (f"(?i:{re.escape(t)})" if len(t) >= 3 else re.escape(t) for t in texts)
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(each)})(?![^\W_])")


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
    levels : mapping of str to set of str
        By attribute, values of the control at which groups are hidden.
    control : set of str
        Values of the control at which nothing is shown.
    least : int
        Smallest number of records that is told.
    """

    groups: Mapping[str, Collection[str]]
    references: Mapping[str, Collection[str]] = field(default_factory=dict)
    levels: Mapping[str, Collection[str]] = field(default_factory=dict)
    control: Collection[str] = ()
    least: int = 0

    @property
    def names(self) -> set[str]:
        """All of their names."""
        return {group for groups in self.groups.values() for group in groups} | {*self.control}

    def hides(self, attribute: str | None) -> bool:
        """Whether a group of this attribute goes."""
        return bool(self.groups.get(attribute or ""))

    def row(self, attribute: str | None, *groups: str | None) -> bool:
        """Whether a row about these groups goes."""
        gone = self.groups.get(attribute or "", ()), self.references.get(attribute or "", ())
        return any(group in each for each in gone for group in groups if group is not None)

    def comparison(self, row: Comparison) -> bool:
        """Whether a comparison goes: one of hidden groups, or that they had a part in."""
        at_levels = row.kind == "adjusted_difference" and bool(self.levels.get(row.attribute or ""))
        over_all = row.kind in _OVER_ALL and self.hides(row.attribute)
        own = self.row(row.attribute, row.group, row.against, _side(row))
        return own or over_all or at_levels

    def explanation(self, row: Explanation) -> bool:
        """Whether an explanation goes: one of hidden groups, or of words of theirs.

        The words of the shown groups could be subtracted from those of all records, which those of
        another attribute's groups add up to; and the most sensitive texts are anyone's.
        """
        of_all = row.kind in ("sensitive_token", "sensitive_text") and any(self.groups.values())
        return self.row(row.attribute, row.group) or of_all

    @cached_property
    def loose(self) -> re.Pattern[str]:
        """Finds their names in names of files and of criteria."""
        return _pattern(self.names - {MISSING}, loose=True)

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


def _suppressed(file: AuditFile, least: int) -> tuple[AuditFile, list[str]]:
    """The audit without groups of fewer records, and without what would tell them."""
    name, audit = file.name, file.audit
    _require_enough(name, audit, least)
    cells = _cells(audit)
    cut = _cut(audit, cells, least)
    _require_open(name, audit, least, cut)
    gone = _gone(audit, cut, least)
    shown = _without_cells(audit, cells, cut, gone)
    _require_groups(name, shown, least)
    named = _LEFT_OUT if gone.loose.search(name) else name
    said = [*_said(audit, cut, gone), *_notes_said(audit, shown)]
    return replace(file, name=named, audit=shown), said


def _cut(audit: Audit, cells: Sequence[Cell | None], least: int) -> set[Cell]:
    """The cells that are left out."""
    columns = {
        cell: _values(audit, row, cell)
        for row, cell in zip(audit.estimates, cells, strict=True)
        if cell is not None and row.group != REST
    }
    records = _fewest(cells, [row.records for row in audit.estimates])
    clusters = _fewest(cells, [row.clusters for row in audit.estimates])
    # What a search found are single slices: the others of their columns are not shown anyway.
    return hidden(records, columns, least, whole=audit.kind != "search", clusters=clusters)


def _require_enough(name: str, audit: Audit, least: int) -> None:
    """Refuse an audit that may not be shown at all."""
    everybody = [row.records for row in audit.estimates if row.attribute is None]
    used = min([audit.records.used, *everybody])
    if used < least:
        raise FairauditError(
            f"{name}: has only {used} records; --suppress {least} would leave nothing of it. "
            "Leave the audit out."
        )
    clusters = [row.clusters for row in audit.estimates if row.attribute is None]
    if min((n for n in clusters if n is not None), default=LEAST_CLUSTERS) < LEAST_CLUSTERS:
        raise FairauditError(
            f"{name}: its records come from fewer than three {_clusters(audit)}, so --suppress "
            "would leave nothing of it. Leave the audit out."
        )


def _clusters(audit: Audit) -> str:
    """What its clusters are called."""
    return plural(printable(str(audit.settings.get("cluster"))))


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


def _fewest(cells: Sequence[Cell | None], sizes: Sequence[int | None]) -> dict[Cell, int]:
    """The smallest size that a row of each cell has, where one has any."""
    fewest: dict[Cell, int] = {}
    for cell, size in zip(cells, sizes, strict=True):
        if cell is not None and size is not None:
            fewest[cell] = min(size, fewest.get(cell, size))
    return fewest


def _values(audit: Audit, row: Estimate, cell: Cell) -> dict[str, str]:
    """Value of each column, the control's among them."""
    level = {} if cell[1] is None else {str(audit.settings.get("control")): cell[1]}
    return {**row.values, **level}


def _without_cells(
    audit: Audit, cells: Sequence[Cell | None], cut: Collection[Cell], gone: _Gone
) -> Audit:
    """The audit without these cells and without what would tell them."""
    kept = (row for row, cell in zip(audit.estimates, cells, strict=True) if cell not in cut)
    estimates = tuple(row for row in kept if not gone.row(row.attribute, _side(row)))
    left = {row.attribute for row in estimates}
    compared = (r for r in audit.comparisons if r.attribute in left and not gone.comparison(r))
    shown = replace(
        audit,
        estimates=estimates,
        comparisons=tuple(_by_itself(row, audit, gone) for row in compared),
        explanations=tuple(row for row in audit.explanations if not gone.explanation(row)),
        findings=tuple(_finding(row, gone) for row in audit.findings),
        notes=tuple(note for note in audit.notes if not gone.told(note)),
        records=_records(audit.records, gone.least),
    )
    return _without_settings(shown, gone.names - {MISSING})


def _side(row: Estimate | Comparison) -> str | None:
    """The group whose nearest neighbours the row is about, where records were matched."""
    return (row.variant or {}).get("side")


def _by_itself(row: Comparison, audit: Audit, gone: _Gone) -> Comparison:
    """The comparison as it would be, had hidden groups fared otherwise.

    Adjusted p-values are Bonferroni's, over as many groups as the card says that there were.
    Those that permutations adjusted over thousands of slices (max-t) stay.
    """
    family = _family(row, audit)
    if row.attribute is None or not family or not any(map(gone.hides, family)):
        return row
    groups = sum(len(_groups(audit, attribute)) for attribute in family)
    if row.adjustment not in (None, "none", "max-t"):
        tests = groups * (groups - 1) // 2 if row.kind == "pair" else groups
        p = None if row.p_value is None else min(1.0, row.p_value * tests)
        row = replace(row, p_adjusted=p, adjustment="bonferroni")
    return _impact_ratio(row, audit, groups) if row.name == "impact_ratio" else row


def _family(row: Comparison, audit: Audit) -> list[str]:
    """Attributes over whose groups a comparison is adjusted: all slices of a search are."""
    if audit.kind == "search":
        return _attributes(audit)
    return [row.attribute] if row.attribute else []


def _impact_ratio(row: Comparison, audit: Audit, groups: int) -> Comparison:
    """An impact ratio whose interval is simultaneous over all groups, counted as the card does.

    The audit counts only groups that take part, which tells whether hidden ones do. Where records
    are not independent shares are not binomial, and there is no interval.
    """
    low = high = None
    if row.one_person_reverses is not None:
        own = {
            each.group: (np.array([each.counts["selected"]]), np.array([each.n]))
            for each in audit.estimates
            if (each.attribute, each.metric, each.variant)
            == (row.attribute, row.metric, row.variant)
        }
        z = normal_quantile(1 - (1 - audit.settings["ci"]) / (2 * (groups - 1)))
        limits = koopman(*own[row.group or ""], *own[row.against or ""], z)
        low, high = (float(x[0]) if np.isfinite(x[0]) else None for x in limits)
    return replace(row, ci_low=low, ci_high=high)


def _gone(audit: Audit, cut: Collection[Cell], least: int) -> _Gone:
    """The groups of these cells, and the references that would tell one of them."""
    groups: dict[str, set[str]] = {attribute: set() for attribute in _attributes(audit)}
    levels: dict[str, set[str]] = defaultdict(set)
    for attribute, level, group in cut:
        if level is None:
            groups[attribute].add(group)
        else:
            levels[attribute].add(level)
    references: dict[str, set[str]] = defaultdict(set)
    for attribute, names in groups.items():
        # All values but the missing ones make up the rest and a group: two of these numbers
        # would tell how many are missing.
        if MISSING in names:
            references[attribute].add(REST)
        references[attribute] |= set(_told_references(audit, attribute, names))
    every = {cell for cell in _cells(audit) if cell is not None}
    shown = {level for _, level, _ in every.difference(cut)}
    control = {level for each in levels.values() for level in each} - shown
    return _Gone(groups, references, levels, control, least)


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
    if gone.hides(row.attribute) or gone.row(row.attribute, row.group, row.against):
        row = replace(row, **_UNTOLD, reason=_REASON)
    elif gone.named(row.reason, row.attribute):
        row = replace(row, reason=_REASON_NAMES)
    told: dict[str, Any] = {
        name: _LEFT_OUT
        for name in ("id", "criterion", "source", "waiver")
        if gone.loose.search(getattr(row, name) or "")
    }
    return replace(row, **told)


def _records(records: Records, least: int) -> Records:
    """Records with the reasons for dropping them in one, where one of them is small."""
    if all(count == 0 or count >= least for count in records.dropped.values()):
        return records
    return replace(records, dropped={"several reasons": sum(records.dropped.values())})


def _said(audit: Audit, cut: Collection[Cell], gone: _Gone) -> Iterator[str]:
    """How many groups are left out, and what that does not do."""
    parts, clustered = list(_counts(audit, cut)), audit.settings.get("cluster") is not None
    named = _clusters(audit) if clustered else ""
    if not parts:
        more = f", from three {named} or more" if clustered else ""
        yield f"Every group has {gone.least:,} records or more{more}, so none is left out."
        return
    few = f" or from fewer than three {named}" if clustered else ""
    yield (
        f"Left out: {', '.join(parts)}. Groups with fewer than {gone.least:,} records{few} are "
        "left out, and others, where the numbers of these could be computed from theirs, or too "
        "few would be left over; tables and sentences are about the rest."
    )
    yield from _said_of_comparisons(audit, gone)
    yield _NO_PROOF


def _said_of_comparisons(audit: Audit, gone: _Gone) -> Iterator[str]:
    """What is not computed as in the audit file."""
    if names := [printable(name) for name in _attributes(audit) if gone.hides(name)]:
        yield (
            f"By {listed(names)} nothing is shown that is computed over all groups at once, as "
            "gaps are, and p-values are adjusted over all groups by Bonferroni's rule."
        )


def _counts(audit: Audit, cut: Collection[Cell]) -> Iterator[str]:
    """How many groups of each attribute go, and how many at values of the control alone."""
    gone = Counter(attribute for attribute, level, _ in cut if level is None)
    for name in _attributes(audit):
        if gone[name]:
            yield f"{gone[name]} of {len(_groups(audit, name))} groups by {printable(name)}"
    levels = sum(level is not None and (a, None, g) not in cut for a, level, g in cut)
    if levels:
        yield f"{levels} at a value of {printable(str(audit.settings.get('control')))}"
