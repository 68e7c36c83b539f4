"""Where references and hypotheses come from: tables opened, joined, and their columns found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, get_args

from fairaudit.exceptions import FairauditError
from fairaudit.joins import Match, Missing, add_attributes, join
from fairaudit.table import Table, Workspace

#: In the name of a column that is in NIST's notation.
_TRN = "_trn"


def _kaldi_maps(table: Table) -> list[str]:
    """What stands beside Kaldi's ``text`` and says more of its utterances and speakers."""
    file = table.files[0]
    if file.format != "kaldi" or file.original.name != "text":
        return []
    if len(table.files) > 1:
        raise FairauditError(
            f"{table.name}: several of Kaldi's data directories. Give one at a time, or convert "
            "each and give the tables."
        )
    beside = sorted(file.original.parent.glob("[us][tp][tk]2*"))
    # First what tells the speaker, then what is told of speakers.
    beside.sort(key=lambda path: path.name.startswith("spk"))
    return [f"kaldi:{path}" for path in beside if path.is_file() and path.name != "spk2utt"]


@dataclass(frozen=True)
class Roles:
    """Which column is what.

    Attributes
    ----------
    reference, hypothesis : str
        What was said, and what was recognised.
    id : str or None
        The utterance.
    speaker : str or None
        What a table of speakers was joined by.
    before : str or None
        What another recogniser made of the same utterances.
    alternatives : frozenset of str
        The columns whose texts are in NIST's notation, which allows several wordings.
    """

    reference: str
    hypothesis: str
    id: str | None
    speaker: str | None = None
    before: str | None = None
    alternatives: frozenset[str] = frozenset()

    @property
    def texts(self) -> list[str]:
        """The columns of text: reference, hypothesis and, where there is one, the other."""
        return [self.reference, self.hypothesis, *([self.before] if self.before else [])]

    def settings(self) -> dict[str, Any]:
        """For the signature."""
        roles = {"ref": self.reference, "hyp": self.hypothesis, "id": self.id}
        return {**roles, "speaker": self.speaker, "before": self.before}


@dataclass(frozen=True)
class Transcripts:
    """Where references and hypotheses come from; see `wer` for the fields."""

    data: Any
    ref: Any
    hyp: Any
    speakers: Any
    ref_column: str | None
    hyp_column: str | None
    id_column: str | None
    speaker_column: str | None
    missing: Missing
    match_id: Match
    against: Any = None

    def __post_init__(self) -> None:
        for option, value, kind in (
            ("--missing", self.missing, Missing),
            ("--match-id", self.match_id, Match),
        ):
            if value not in get_args(kind):
                raise FairauditError(f"{option} {value}: expected {', '.join(get_args(kind))}.")
        separate = self.ref is not None or self.hyp is not None
        both = self.ref is not None and self.hyp is not None
        if separate == (self.data is not None) or separate != both:
            raise FairauditError(
                "expected one table (fairaudit wer FILE), or references and hypotheses apart "
                "(fairaudit wer --ref FILE --hyp FILE)."
            )

    def settings(self) -> dict[str, Any]:
        """For the signature: what is not as by default."""
        return {
            "missing": None if self.missing == "error" else self.missing,
            "match_id": None if self.match_id == "exact" else self.match_id,
        }

    def open(self, workspace: Workspace) -> tuple[Table, Roles]:
        """Open the tables, join them, and say which column is what."""
        # All files are opened before the first is read: then SQL is locked to them.
        left = workspace.open(self.ref if self.data is None else self.data)
        strict = self.missing == "error"
        right = None if self.hyp is None else workspace.open(self.hyp, left, strict)
        before = None if self.against is None else workspace.open(self.against, left, strict)
        side = None if self.speakers is None else workspace.open(self.speakers)
        maps = [workspace.open(path) for path in _kaldi_maps(left)]
        if right is None:
            table = left
            reference = self._role(table, "reference", self.ref_column, "--ref-column")
            hypothesis = self._role(table, "hypothesis", self.hyp_column, "--hyp-column")
            identity = self.id_column or table.likely("id")
        else:
            table, reference, hypothesis, identity = self._join(left, right)
        marked = frozenset(n for n in (reference, hypothesis) if _TRN in n)
        roles = Roles(reference, hypothesis, identity, alternatives=marked)
        for each in maps:
            table = self._add_map(table, each)
        if before is not None:
            table, roles = self._add_before(table, roles, before)
        if side is None:
            return table, roles
        speaker = self.speaker_column or table.guess("speaker", "--speaker-column")
        table, speaker = self._add_speakers(table, side, speaker)
        return table, replace(roles, speaker=speaker)

    def _role(self, table: Table, role: str, given: str | None, flag: str) -> str:
        """The column given, or the one that the field's usual names tell."""
        name = given or table.guess(role, flag)
        if name is None:
            raise FairauditError(
                f"{table.name}: no column looks like the {role}. "
                f"Columns: {', '.join(table.names)}. Say which: {flag} NAME"
            )
        return table.column(name).name

    def _join(self, left: Table, right: Table) -> tuple[Table, str, str, str]:
        """References with their hypotheses; the columns of both and of the ids."""
        reference = self._role(left, "reference", self.ref_column, "--ref-column")
        hypothesis = self._hypothesis(right, self.hyp_column)
        if self.id_column not in (None, *left.names, *right.names):
            left.column(str(self.id_column))
        ids = (self._id(left), self._id(right))
        table, hypothesis = join(left, right, ids, hypothesis, self.missing, self.match_id)
        return table, reference, hypothesis, ids[0]

    def _hypothesis(self, table: Table, given: str | None) -> str:
        """The column of hypotheses in a table that may hold nothing else."""
        name = given or table.guess("hypothesis", "--hyp-column")
        # In a file of hypotheses alone, a column "text" or "transcript" is the hypothesis.
        name = name or table.guess("reference", "--hyp-column")
        return self._role(table, "hypothesis", name, "--hyp-column")

    def _add_before(self, table: Table, roles: Roles, before: Table) -> tuple[Table, Roles]:
        """Add what another recogniser heard, joined on the utterance id."""
        if roles.id is None:
            raise FairauditError(
                f"{table.name}: --against joins on utterance ids, and no column looks like one. "
                f"Columns: {', '.join(table.names)}. Say which: --id-column NAME"
            )
        ids = (roles.id, self._id(before))
        name = self._hypothesis(
            before, self.hyp_column if self.hyp_column in before.names else None
        )
        table, name = join(table, before, ids, name, self.missing, self.match_id)
        marked = roles.alternatives | ({name} if _TRN in name else set())
        return table, replace(roles, before=name, alternatives=marked)

    def _add_map(self, table: Table, side: Table) -> Table:
        """Add one of Kaldi's maps, of utterances or of speakers."""
        key = side.names[0]
        return (
            add_attributes(table, side, (key, key), self.missing) if key in table.names else table
        )

    def _id(self, table: Table) -> str:
        given = self.id_column if self.id_column in table.names else None
        return self._role(table, "id", given, "--id-column")

    def _add_speakers(self, table: Table, side: Table, speaker: str | None) -> tuple[Table, str]:
        own = self._role(table, "speaker", speaker, "--speaker-column")
        other = own if own in side.names else side.guess("speaker", "--speaker-column")
        other = other or side.guess("id", "--speaker-column")
        other = self._role(side, "speaker", other, "--speaker-column")
        return add_attributes(table, side, (own, other), self.missing), own
