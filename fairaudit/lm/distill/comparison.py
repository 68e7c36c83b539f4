"""Several audits of one model as one, and two models side by side on the same records."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.assess import Assessment, Design
from fairaudit.audit import Audit, Comparison, Estimate, Records, signature
from fairaudit.exceptions import FairauditError
from fairaudit.metrics import BEFORE, METRICS
from fairaudit.metrics.distillation import CHANGES
from fairaudit.paired import Update, runs
from fairaudit.stats.sums import MISSING, Sums

#: What the rows of one model's audits are told apart by; those of another model that is shown
#: beside it, and those of its change against that model.
PROBE, MODEL, AGAINST = "probe", "model", "against"
#: What was asked, to the audit that says what was answered.
Answers = Mapping[str, Audit]

#: Settings that each audit has of its own and that one audit of several has once, or not at all.
_OWN = ("probe", "model", "metrics", "by", "cluster", "where", "n", "data", "v")
#: The metrics whose change is told in their own units as well, with a p-value.
_DIRECT = {"pronouns": ("pronoun_gap",), "perplexity": ("perplexity", "role_reversal_gap")}
_CAUTION = (
    "Less disparity in what a model writes or expects does not by itself mean fairness in what is "
    "built on it (Gupta et al., Findings of ACL 2022; Cao et al., ACL 2022): audit that as well."
)


def side_by_side(new: Sums, old: Sums) -> tuple[Sums, int]:
    """Counts of two models cluster by cluster, those of the second named `BEFORE` and the name.

    Parameters
    ----------
    new, old : Sums
        Over all records, with clusters.

    Returns
    -------
    sums : Sums
        Of the clusters of which both models scored all records that the other did.
    left_out : int
        Number of the other clusters.
    """
    one, other = _rows(new), _rows(old)
    at = new.columns.index("records")
    both = [key for key in sorted(one) if key in other and one[key][at] == other[key][at]]
    matrix = np.array([[*one[key], *other[key]] for key in both], dtype=float)
    sums = replace(
        new,
        columns=(*new.columns, *(BEFORE + name for name in old.columns)),
        clusters=tuple(both),
        group=np.zeros(len(both), dtype=np.int64),
        cluster=np.arange(len(both)),
        matrix=matrix.reshape(len(both), len(new.columns) + len(old.columns)),
    )
    return sums, len({*one, *other}) - len(both)


def _rows(sums: Sums) -> dict[str, Array]:
    """Counts of each cluster."""
    keys = sums.clusters or ()
    return {keys[c]: row for c, row in zip(sums.cluster, sums.matrix, strict=True)}


def by_group(sums: Sums, name: str) -> Sums:
    """All records as one group, whose clusters are what were groups."""
    known = np.array([group != MISSING for group in sums.groups])
    of = sums.select(known)
    every = np.arange(len(of.groups))
    return Sums(None, of.columns, (name,), of.groups, np.zeros_like(every), every, of.spread.totals)


@dataclass(frozen=True)
class Change(Assessment):
    """How much a student changed against another model, in terms of `CHANGES`.

    Attributes
    ----------
    probe, against : str
        What was asked, and the other model.
    left_out : int
        Clusters that one of the models has not scored whole.
    """

    probe: str = field(kw_only=True)
    against: str = field(kw_only=True)
    left_out: int = field(kw_only=True)

    @classmethod
    def of(cls, probe: str, new: Audit, old: Audit, against: str, design: Design) -> Change | None:
        """The change between two audits; None of texts whose prompts are of no groups.

        Raises
        ------
        FairauditError
            If there is no cluster that both models have scored whole.
        """
        metric = METRICS[CHANGES[probe]]
        pair = [_clustered(probe, audit) for audit in (new, old)]
        if pair[0] is None or pair[1] is None:
            return None
        sums, left_out = side_by_side(pair[0], pair[1])
        if not sums.clusters:
            raise FairauditError(
                f"--{against}: the student cannot be compared with it: what {probe} asks is too "
                "long for one of the two. Use models that read as much at once."
            )
        sums = replace(sums, variant={PROBE: probe, AGAINST: against}).with_cluster_means([metric])
        return cls(
            sums, [metric], design, lambda group: {}, probe=probe, against=against,
            left_out=left_out,
        )  # fmt: skip

    def estimates(self) -> Iterator[Estimate]:
        """The change; without an interval where all clusters changed alike, mostly by nothing."""
        alike = self.found[self.metrics[0].name].uniform[0]
        for row in super().estimates():
            yield replace(row, ci_low=None, ci_high=None) if alike else row

    def comparisons(self) -> Iterator[Comparison]:
        """Differences in the metrics' own units, with p-values."""
        metrics = [METRICS[name] for name in _DIRECT.get(self.probe, ())]
        earlier = Assessment(runs(self.sums)[1], metrics, self.design, self.values)
        for row in Update(self.sums, metrics, self.design, earlier).comparisons():
            yield replace(row, against=f"({self.against})")

    def notes(self) -> Iterator[str]:
        """What is not compared."""
        if self.left_out:
            yield (
                f"{self.probe}: {self.left_out:,} clusters are left out of the comparison with the "
                f"{self.against}: one of the two models does not read all of their texts."
            )


def _clustered(probe: str, audit: Audit) -> Sums | None:
    """Sums over all records by what is paired: of generated texts the groups of prompts."""
    if probe != "generation":
        return audit.sums[0]
    groups = [sums for sums in audit.sums if sums.attribute is not None]
    return by_group(groups[0], audit.sums[0].groups[0]) if groups else None


def one_audit(
    role: str, answers: Answers, others: Mapping[str, Answers], changes: Sequence[Change]
) -> Audit:
    """All that a model was asked as one audit.

    Parameters
    ----------
    role : str
        What the model is: ``student``, ``teacher``, ``baseline``.
    answers : mapping of str to Audit
        By what was asked.
    others : mapping of str to mapping
        The answers of models that are shown beside it, by role.
    changes : sequence of Change
        Against those models.

    Returns
    -------
    Audit
        Of kind ``distillation``; rows are marked with ``probe``, those of other models with
        ``model`` as well, those of changes with ``against``.
    """
    models = {role: answers, **others}
    settings = _settings(models)
    first = next(iter(answers.values()))
    estimates, comparisons = _joined(models, role)
    return Audit(
        "distillation",
        max(audit.created for audit in answers.values()),
        first.version,
        signature("distillation", settings),
        tuple(dict.fromkeys(data for audit in answers.values() for data in audit.data)),
        _records(answers),
        {**settings, "metrics": _metrics(answers, changes)},
        (*estimates, *(row for change in changes for row in change.estimates())),
        (*comparisons, *(row for change in changes for row in change.comparisons())),
        (*_sums(answers), *(change.sums for change in changes)),
        tuple(_notes(answers, changes)),
    )


def _settings(models: Mapping[str, Answers]) -> dict[str, Any]:
    """Settings of all audits; those of each model but its name are the same."""
    answers = next(iter(models.values()))
    audits = list(answers.values())
    shared = {name: value for a in audits for name, value in a.settings.items() if name not in _OWN}
    digest = hashlib.sha256("".join(a.settings["data"] for a in audits).encode()).hexdigest()
    by = [a.settings["by"] for a in audits if a.settings["by"] is not None]
    return {
        "by": ",".join(by) or None,
        # Whatever was sampled independently: professions, documents, prompts.
        "cluster": "unit",
        "role": next(iter(models)),
        **{role: next(iter(of.values())).settings["model"] for role, of in models.items()},
        "probes": ",".join(answers),
        **shared,
        "n": sum(a.settings["n"] for a in audits),
        "data": digest[:12],
        "v": audits[0].settings["v"],
    }


def _joined(models: Mapping[str, Answers], role: str) -> tuple[list[Estimate], list[Comparison]]:
    """Rows of all models, marked; of other models what a table of them all shows."""
    estimates: list[Estimate] = []
    comparisons: list[Comparison] = []
    for of, answers in models.items():
        for probe, audit in answers.items():
            mark = {PROBE: probe} if of == role else {PROBE: probe, MODEL: of}
            own = of == role
            estimates += [
                replace(row, variant=mark)
                for row in audit.estimates
                if own or row.attribute is None
            ]
            comparisons += [
                replace(row, variant=mark)
                for row in audit.comparisons
                if own or row.kind in ("macro_mean", "least")
            ]
    return estimates, comparisons


def _sums(answers: Answers) -> Iterator[Sums]:
    for probe, audit in answers.items():
        yield from (replace(sums, variant={PROBE: probe}) for sums in audit.sums)


def _records(answers: Answers) -> Records:
    """Records of all audits together."""
    found = [(probe, audit.records) for probe, audit in answers.items()]
    dropped = {
        f"{probe}: {reason}": count
        for probe, records in found
        for reason, count in records.dropped.items()
    }
    total, used = (sum(getattr(each, name) for _, each in found) for name in ("total", "used"))
    return Records(total, used, dropped)


def _metrics(answers: Answers, changes: Sequence[Change]) -> list[str]:
    own = [name for audit in answers.values() for name in audit.settings["metrics"]]
    return list(dict.fromkeys([*own, *(change.metrics[0].name for change in changes)]))


def _notes(answers: Answers, changes: Sequence[Change]) -> Iterator[str]:
    yield _CAUTION
    yield from (note for change in changes for note in change.notes())
    for probe, audit in answers.items():
        yield from (f"{probe}: {note}" for note in audit.notes)
