"""Audits made straight from sums: nothing is read, nothing is aligned."""

from __future__ import annotations

import numpy as np

from fairaudit.audit import Audit, Estimate, Records
from fairaudit.rubric import Rubric
from fairaudit.stats.sums import Sums


def audit_of(*sums: Sums, estimates: tuple[Estimate, ...] = (), **settings) -> Audit:
    """An audit that holds these sums and nothing else."""
    return Audit("test", "", "0", "sig", (), Records(0, 0, {}), settings, estimates, (), sums)


def decisions(selected, people, attribute="group", names=None, variant=None) -> Sums:
    """People selected in each group, each person a record of its own."""
    selected, people = np.array(selected, dtype=float), np.array(people, dtype=float)
    groups = tuple(names or (f"g{g:02d}" for g in range(len(people))))
    matrix = np.column_stack([people, people, selected])
    # Of counts that are 0 or 1 the products add up to the counts of the rarer.
    moments = np.minimum(matrix[:, :, None], matrix[:, None, :])
    every = np.arange(len(groups))
    return Sums(
        attribute, ("records", "weight", "selected"), groups, None, every, every, matrix, moments,
        variant,
    )  # fmt: skip


def rubric_of(*criteria, **common) -> Rubric:
    """A rubric of criteria given as their tables."""
    return Rubric.of({"name": "ours", "criteria": [{**common, **each} for each in criteria]})
