"""Terms of the field in a sentence or two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fairaudit.audit import Audit
from fairaudit.metrics import METRICS
from fairaudit.report.card.kinds import Kind, kind
from fairaudit.report.card.leading import Leading, crossed
from fairaudit.report.card.model import AuditFile, Block, Facts, Folded, Section
from fairaudit.report.card.words import cluster, defined
from fairaudit.report.sheets import printable

#: Those of the service cards of AWS, in words of our own.
_CORE = {
    "Fairness": "Whether a service does as well, and is as useful, for one group of people as "
    "for another.",
    "Explainability": "Whether people can learn why the service gave a result.",
    "Privacy and security": "Whether data and model are kept from those who have no right to them, "
    "and used for nothing else.",
    "Robustness": "Whether results stay right when inputs vary in ways that should not matter.",
    "Governance": "By which rules and by whom it is decided what is built, released and changed.",
    "Transparency": "Whether people learn what they need in order to judge and use the service.",
}
_COUNTING = {
    "Record": "One row of what was audited: an utterance, a decision.",
    "Group": "The records with one value of an attribute: all with the accent us.",
    "Crossing": "The records with one value each of two or more attributes: accent us and "
    "gender female. Errors can gather in a crossing that no single group shows.",
    "Cluster": "What was sampled independently, such as a speaker. Records of one cluster resemble "
    "each other, so intervals count clusters.",
    "Interval": "The values that go with the data: at 95 %, such intervals hold the true value in "
    "95 of 100 audits.",
}
_GAPS = {
    "Gap": "The worst group's value less the best one's; where neither side is better, the largest "
    "less the smallest.",
    "What chance alone gives": "The gap to expect of groups that do not differ, because each was "
    "sampled. A gap tells something as far as it exceeds that.",
}
_COMPARING = {
    "p": "How often chance alone would show as much, if groups did not differ.",
}
_JUDGING = {
    "Pass": "The data show that a limit is kept: the whole interval is on the good side.",
    "Fail": "The data show that a limit is exceeded: the whole interval is beyond it.",
    "Inconclusive": "The data show neither, as a rule because a group is too small.",
}
_CROSSING, _CLUSTER, _RECORD, _GROUP = "Crossing", "Cluster", "Record", "Group"


def glossary(files: Sequence[AuditFile]) -> Section:
    """The terms that a card on these audits uses, and their metrics on request."""
    blocks: list[Block] = [Facts(list(_terms(files)))]
    metrics = _metrics(files)
    if metrics:
        blocks.append(Folded("Metrics", [Facts(metrics)]))
    return Section("Glossary", blocks, "glossary")


def _terms(files: Sequence[AuditFile]) -> Iterator[tuple[str, str]]:
    yield from _CORE.items()
    audits = [file.audit for file in files]
    unused = set()
    if not any(crossed(row) for audit in audits for row in Leading(audit).all_groups):
        unused.add(_CROSSING)
    if not any(audit.settings.get("cluster") for audit in audits):
        unused.add(_CLUSTER)
    kinds = [kind(audit) for audit in audits]
    if not any(each.compares for each in kinds):
        unused.add(_GROUP)
    counting = _COUNTING | (dict(_of_texts(audits)) if all(each.example for each in kinds) else {})
    counting[_RECORD] = _examples(kinds)
    yield from ((term, said) for term, said in counting.items() if term not in unused)
    yield from dict(term for each in kinds for term in each.terms.items()).items()
    if any(row.kind == "gap" for audit in audits for row in audit.comparisons):
        yield from _GAPS.items()
    if any(row.kind != "correlation" for audit in audits for row in audit.comparisons):
        yield from _COMPARING.items()
    if any(audit.findings for audit in audits):
        yield from _JUDGING.items()


def _of_texts(audits: Sequence[Audit]) -> Iterator[tuple[str, str]]:
    """A group and a cluster as these audits have them, not as those of speech."""
    for audit in audits:
        for row in Leading(audit).all_groups[:1]:
            group = f"{printable(row.attribute or '')} {printable(row.group)}"
            yield _GROUP, _COUNTING[_GROUP].replace("accent us", group)
        if audit.settings.get("cluster"):
            yield _CLUSTER, _COUNTING[_CLUSTER].replace("a speaker", f"one {cluster(audit)}")


def _examples(kinds: Sequence[Kind]) -> str:
    """What a record is, in audits of these kinds."""
    own = list(dict.fromkeys(each.example for each in kinds if each.example))
    if len(own) == 0 or not all(each.example for each in kinds):
        own = ["an utterance", "a decision", *own]
    return f"One row of what was audited: {', '.join(own)}."


def _metrics(files: Sequence[AuditFile]) -> list[tuple[str, str]]:
    """Every metric that was estimated, by its heading in the tables."""
    used = dict.fromkeys(row.metric for file in files for row in file.audit.estimates)
    return [
        (f"{METRICS[name].label} ({name})", defined(METRICS[name]))
        for name in used
        if name in METRICS
    ]
