"""Rubrics: limits with their sources, and three verdicts on whether audits keep them."""

from fairaudit.rubric.judge import Decide, exit_code, judge
from fairaudit.rubric.model import Criterion, Rubric, Waiver
from fairaudit.rubric.shelf import Policy, defaults_of, load, names, new, policy, text

__all__ = [
    "Criterion",
    "Decide",
    "Policy",
    "Rubric",
    "Waiver",
    "defaults_of",
    "exit_code",
    "judge",
    "load",
    "names",
    "new",
    "policy",
    "text",
]
