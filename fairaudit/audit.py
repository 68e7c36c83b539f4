"""The audit: the one result type, frozen, JSON in and out."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fairaudit.exceptions import FairauditError
from fairaudit.sources import exists
from fairaudit.stats.sums import Sums

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = "fairaudit/audit/1"


@dataclass(frozen=True)
class Estimate:
    """A metric's value in one group."""

    attribute: str | None
    group: str
    values: Mapping[str, str]
    metric: str
    value: float | None
    ci_low: float | None
    ci_high: float | None
    n: float
    records: int
    clusters: int | None
    counts: Mapping[str, float]
    variant: Mapping[str, Any] | None = None


Kind = Literal[
    "difference", "ratio", "gap", "gap_ratio", "pair", "heterogeneity",
    "paired_difference", "adjusted_ratio", "adjusted_difference", "matched_difference",
    "matched_ratio", "balance", "macro_mean", "least", "correlation",
]  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """Two or more estimates set side by side.

    ``minimum_detectable`` is the smallest difference that the data would show with 80 % power;
    ``further_records`` and ``further_clusters`` are how many more, over both sides and in the
    present proportion, would show the difference that was seen with that power. Of a
    ``paired_difference``, ``improvement`` is the share of resamples in which the new run is better.
    Of an impact ratio, ``one_person_reverses`` says whether one selection given to the other group
    would turn it around.
    """

    attribute: str | None
    metric: str
    kind: Kind
    group: str | None = None
    against: str | None = None
    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    adjustment: str | None = None
    chance: float | None = None
    minimum_detectable: float | None = None
    further_records: int | None = None
    further_clusters: int | None = None
    improvement: float | None = None
    one_person_reverses: bool | None = None
    name: str | None = None
    variant: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Explanation:
    """Something that explains an estimate: where its errors come from.

    Attributes
    ----------
    kind : str
        ``confusion``, ``utterance`` or ``respelling``, which quote words of the data; ``length``,
        ``frequency``, ``association`` or ``intersectional``, which do not.
    attribute, group : str or None
        What it is about.
    content : mapping
        As its kind has it.
    """

    kind: str
    attribute: str | None
    group: str
    content: Mapping[str, Any]


Status = Literal["pass", "fail", "inconclusive"]


@dataclass(frozen=True)
class Finding:
    """The outcome of a criterion, with the numbers that decided it.

    Attributes
    ----------
    id, criterion : str
        Name of the criterion, and what it asks for in words.
    status : {"pass", "fail", "inconclusive"}
        Whether the data show that the limit is kept, or exceeded, or neither.
    severity : {"error", "warning"}
        Whether a failure counts; a waived one does not.
    metric : str
    comparison : str
        What was held against the limit: ``gap``, ``ratio``, ``difference``, ``group_max``, ...
    limit : float
    at : {"most", "least"}
        On which side of the limit values must lie.
    attribute, group, against : str or None
        Whom the deciding number is about.
    value, ci_low, ci_high : float or None
        The number, and the bounds that decided.
    n : float or None
        The metric's denominator in the deciding groups.
    reason : str
        In words why the status is what it is.
    further_records, further_clusters : int or None
        Where inconclusive: about how many more would decide.
    source : str
        Where the limit comes from.
    waiver : str or None
        Why a failure does not count, and until when.
    variant : mapping or None
        Which of several settings was judged.
    audit : str
        Signature of the audit that was judged.
    """

    id: str
    criterion: str
    status: Status
    severity: Literal["error", "warning"]
    metric: str
    comparison: str
    limit: float
    at: Literal["most", "least"]
    attribute: str | None = None
    group: str | None = None
    against: str | None = None
    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    n: float | None = None
    reason: str = ""
    further_records: int | None = None
    further_clusters: int | None = None
    source: str = ""
    waiver: str | None = None
    variant: Mapping[str, Any] | None = None
    audit: str = ""


#: Kinds of explanations that quote the data.
QUOTING = ("confusion", "utterance", "respelling", "sensitive_token", "sensitive_text")


@dataclass(frozen=True)
class Data:
    """A file that was audited."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Records:
    """What became of the records.

    Attributes
    ----------
    total, used : int
        Records found, and counted.
    dropped : mapping of str to int
        Records not counted, by reason.
    ids : str or None
        Digest of the ids of the records used, in whatever order.
    """

    total: int
    used: int
    dropped: Mapping[str, int]
    ids: str | None = None


@dataclass(frozen=True)
class Audit:
    """The result of an audit: what was estimated and compared, from what, and how.

    Attributes
    ----------
    kind : str
        The audited task, for instance ``wer``.
    created, version : str
        When (ISO 8601, UTC) and by which version of fairaudit.
    signature : str
        One line that names every setting that moves the numbers, and the data.
    data : tuple of Data
        Files.
    records : Records
        What became of the records.
    settings : mapping
        All settings, by name.
    estimates : tuple of Estimate
    comparisons : tuple of Comparison
    sums : tuple of Sums
        What the audit can be judged, merged and paired from; keys of clusters are hashed.
    notes : tuple of str
        What a reader must know to read the numbers rightly.
    findings : tuple of Finding
        Outcomes of a rubric's criteria.
    explanations : tuple of Explanation
        Where the errors come from. Those that quote the data are written into the audit file
        only where the setting ``explain`` says so.
    command : str or None
        The command line that makes it anew; None where it was made from Python.
    """

    kind: str
    created: str
    version: str
    signature: str
    data: tuple[Data, ...]
    records: Records
    settings: Mapping[str, Any]
    estimates: tuple[Estimate, ...]
    comparisons: tuple[Comparison, ...]
    sums: tuple[Sums, ...]
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    explanations: tuple[Explanation, ...] = ()
    command: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The audit file's content: undefined values None, floats to 12 significant digits."""
        content = {each.name: getattr(self, each.name) for each in fields(self)}
        for name in ("data", "estimates", "comparisons", "findings"):
            content[name] = [vars(row) for row in content[name]]
        content["explanations"] = [
            vars(row)
            for row in self.explanations
            if row.kind not in QUOTING or self.settings.get("explain")
        ]
        content["records"] = vars(self.records)
        content["sums"] = [_sums_to_dict(sums) for sums in self.sums]
        plain: dict[str, Any] = _plain({"schema": SCHEMA, **content})
        return plain

    def to_json(self) -> str:
        """The audit file: JSON, each estimate and comparison on a line of its own."""
        lines = []
        for name, value in self.to_dict().items():
            if isinstance(value, list) and value:
                rows = ",\n  ".join(_dumps(row) for row in value)
                lines.append(f"{_dumps(name)}: [\n  {rows}\n ]")
            else:
                lines.append(f"{_dumps(name)}: {_dumps(value)}")
        return "{\n " + ",\n ".join(lines) + "\n}\n"

    @classmethod
    def from_json(cls, text: str) -> Audit:
        """Read an audit file.

        Raises
        ------
        FairauditError
            If it is none, or of another schema.
        """
        try:
            content = json.loads(text, parse_constant=_no_number)
            schema = content.pop("schema")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise FairauditError("not an audit file: expected JSON with a 'schema'.") from None
        if schema != SCHEMA:
            raise FairauditError(f"the audit file's schema is {schema!r}; expected {SCHEMA!r}.")
        try:
            audit = cls._from_dict(content)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise FairauditError(f"not a whole audit file: {error} is missing or odd.") from None
        _require_whole(audit)
        return audit

    @classmethod
    def _from_dict(cls, content: dict[str, Any]) -> Audit:
        content["data"] = tuple(Data(**row) for row in content["data"])
        content["records"] = Records(**content["records"])
        content["estimates"] = tuple(Estimate(**row) for row in content["estimates"])
        content["comparisons"] = tuple(Comparison(**row) for row in content["comparisons"])
        content["sums"] = tuple(_sums_from_dict(row) for row in content["sums"])
        content["explanations"] = tuple(Explanation(**row) for row in content["explanations"])
        content["findings"] = tuple(Finding(**row) for row in content["findings"])
        content["notes"] = tuple(content["notes"])
        return cls(**content)

    @classmethod
    def load(cls, path: str | Path) -> Audit:
        """Read an audit file.

        Raises
        ------
        FairauditError
            If it cannot be read, or is none.
        """
        try:
            return cls.from_json(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise FairauditError(f"{path}: cannot be read: {error.strerror}.") from None
        except UnicodeDecodeError:
            raise FairauditError(f"{path}: not an audit file: it is not UTF-8.") from None
        except FairauditError as error:
            raise FairauditError(f"{path}: {error}") from None

    if TYPE_CHECKING:

        def judge(self, rubric: Any, **options: Any) -> Any:
            """Judge by a rubric, see `fairaudit.verdicts.judge`: rubrics know audits."""

    def save(self, path: str | Path) -> None:
        """Write the audit file, whole or not at all.

        Raises
        ------
        FairauditError
            If the path cannot be written, or is one of the files that were audited.
        """
        path = Path(path)
        keep_apart(path, [Path(data.path) for data in self.data])
        write_whole(path, self.to_json())

    def to_frame(self) -> pd.DataFrame:
        """The estimates as a pandas data frame, one row per group and metric.

        Raises
        ------
        FairauditError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            raise FairauditError(
                "to_frame needs pandas. Install it with: pip install 'fairaudit[frames]'"
            ) from None
        return pd.DataFrame(self.rows())

    def rows(self) -> list[dict[str, Any]]:
        """The estimates as flat rows, each with its difference to the reference."""
        differences = {_key(row): row for row in self.comparisons if row.kind == "difference"}
        keep = "attribute group metric value ci_low ci_high n records clusters".split()
        variants = dict.fromkeys(name for row in self.estimates for name in row.variant or {})
        rows = []
        for row in self.estimates:
            other = differences.get(_key(row))
            flat = {name: getattr(row, name) for name in keep}
            flat |= {name: (row.variant or {}).get(name) for name in variants}
            flat |= {
                f"difference_{name}": getattr(other, name, None)
                for name in ("against", "value", "ci_low", "ci_high", "p_value", "p_adjusted")
            }
            rows.append(flat)
        return rows


def _no_number(name: str) -> None:
    """Refuse NaN and infinities, which Python reads and JSON does not have."""
    raise ValueError(name)


def _key(row: Estimate | Comparison) -> tuple[Any, ...]:
    """What an estimate and its comparisons have in common."""
    return row.attribute, row.metric, row.group, tuple((row.variant or {}).items())


def keep_apart(path: Path, sources: Iterable[Path]) -> None:
    """Refuse to write over what was read.

    Raises
    ------
    FairauditError
        If the path is one of the sources.
    """
    for source in sources:
        if exists(path) and exists(source) and path.samefile(source):
            raise FairauditError(f"{path}: is what was read. Write the result elsewhere.")


def write_whole(path: Path, text: str) -> None:
    """Write a text file, whole or not at all; see `whole`."""
    with whole(path) as beside:
        beside.write_text(text, encoding="utf-8")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to, and rename it when all is written.

    Raises
    ------
    FairauditError
        If the path cannot be written; nothing is left behind.
    """
    if exists(path) and not path.is_file():
        raise FairauditError(f"{path}: cannot be written: not a regular file.")
    try:
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
    except OSError as error:
        raise FairauditError(f"{path}: cannot be written: {error.strerror}.") from None
    try:
        yield Path(beside)
        umask = os.umask(0)
        os.umask(umask)
        Path(beside).chmod(0o666 & ~umask)
        Path(beside).replace(path)
    except OSError as error:
        raise FairauditError(f"{path}: cannot be written: {error.strerror}.") from None
    finally:
        Path(beside).unlink(missing_ok=True)


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    """Values that JSON can hold: nan and infinities None, floats to 12 significant digits."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return _number(value)
    return value


def _number(value: float) -> float | int | None:
    """A float to 12 significant digits, whole numbers as such; None where not finite.

    The 13th digit depends on the order of additions, which no setting names.
    """
    if not math.isfinite(value):
        return None
    rounded = float(f"{value:.12g}")
    return int(rounded) if rounded.is_integer() else rounded


def _sums_to_dict(sums: Sums) -> dict[str, Any]:
    """Sums for the audit file: cells as indices, counts column by column."""
    return {
        "attribute": sums.attribute,
        "variant": sums.variant,
        "columns": sums.columns,
        "groups": sums.groups,
        "clusters": sums.clusters,
        "cell_groups": sums.group.tolist(),
        "cell_clusters": None if sums.clusters is None else sums.cluster.tolist(),
        "matrix": sums.matrix.T.tolist(),
        "moments": None if sums.record_moments is None else sums.record_moments.tolist(),
    }


def _sums_from_dict(row: Mapping[str, Any]) -> Sums:
    clustered = row["clusters"] is not None
    group = np.array(row["cell_groups"], dtype=np.int64)
    return Sums(
        row["attribute"],
        tuple(row["columns"]),
        tuple(row["groups"]),
        tuple(row["clusters"]) if clustered else None,
        group,
        np.array(row["cell_clusters"], dtype=np.int64) if clustered else group,
        np.array(row["matrix"], dtype=float).T,
        None if clustered else np.array(row["moments"], dtype=float),
        row["variant"],
    )


def _require_whole(audit: Audit) -> None:
    """Refuse an audit file that was damaged or edited: its sums must hang together.

    Raises
    ------
    FairauditError
        If they do not.
    """
    texts = (audit.kind, audit.signature, audit.version, audit.created, *audit.notes)
    texts += () if audit.command is None else (audit.command,)
    if not all(isinstance(text, str) for text in texts) or not isinstance(audit.settings, Mapping):
        raise FairauditError("not a whole audit file: a text or the settings are of another type.")
    for sums in audit.sums:
        if not _hangs_together(sums):
            raise FairauditError(f"not a whole audit file: its sums by {sums.attribute} are odd.")


def _hangs_together(sums: Sums) -> bool:
    """Whether names are texts that stand once, and every cell has its group and its cluster."""
    groups, cells, columns = len(sums.groups), len(sums.group), len(sums.columns)
    named = [sums.columns, sums.groups, *([] if sums.clusters is None else [sums.clusters])]
    texts = all(isinstance(name, str) for names in named for name in names)
    if not texts or any(len(set(names)) < len(names) for names in named):
        return False
    if sums.matrix.shape != (cells, columns) or "records" not in sums.columns:
        return False
    if sums.record_moments is not None and sums.record_moments.shape != (groups, columns, columns):
        return False
    owners = groups if sums.clusters is None else len(sums.clusters)
    index = ((sums.group, groups), (sums.cluster, owners))
    return all(len(each) == cells and np.isin(each, np.arange(n)).all() for each, n in index)


def signature(kind: str, settings: Mapping[str, Any]) -> str:
    """One line of ``name:value`` for every setting that moves the numbers.

    >>> signature("wer", {"by": "accent", "cluster": None, "seed": 0})
    'wer|by:accent|seed:0'
    """
    parts = [f"{name}:{_quoted(value)}" for name, value in settings.items() if value is not None]
    return "|".join([kind, *parts])


def _quoted(value: Any) -> str:
    return str(value).replace("\\", r"\\").replace("|", r"\|").replace("\n", r"\n")
