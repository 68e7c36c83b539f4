"""The model card: sections of Mitchell et al., "Model Cards for Model Reporting", FAT* 2019.

Its front matter is that of the Hugging Face Hub.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fairaudit.report.card.evidence import part, results
from fairaudit.report.card.fields import FIELDS
from fairaudit.report.card.glossary import glossary
from fairaudit.report.card.hub import model_index
from fairaudit.report.card.info import Info
from fairaudit.report.card.kinds import kind
from fairaudit.report.card.model import AuditFile, Block, Bullets, Prose, Section
from fairaudit.report.card.statements import (
    INTRINSIC,
    PRACTICES,
    applies_to,
    asked,
    difference_sheet,
    each,
    gap_sheet,
    identity,
    measured,
    questions,
    scope,
    settings_sheet,
)
from fairaudit.report.sheets import printable

_USE = {
    "Primary uses and users": "use.intended",
    "Out-of-scope uses": "use.unsupported",
    "Inputs": "use.inputs",
    "Languages": "use.languages",
}
#: Whether they are crossings, heading, what is said of them, and anchor.
_PARTS = (
    (False, "Unitary results", "by single attributes", "unitary"),
    (True, "Intersectional results", "by crossings", "intersectional"),
)

#: Questions whose key in the front matter is another.
_HUB_KEYS = {"loader": "library_name"}


def sections(files: Sequence[AuditFile], info: Info) -> Iterator[Section]:
    """All sections before the evidence, which has no results then: they stand here."""
    yield Section("Model Details", list(_details(files, info)), "model-details")
    yield Section("Intended Use", questions(info, _USE), "intended-use")
    yield Section("Factors", list(_factors(files, info)), "factors")
    yield Section("Metrics", list(_metrics(files, info)), "metrics")
    yield Section("Evaluation Data", list(_data(info)), "evaluation-data")
    training: list[Block] = [
        info.stated("training.data"),
        asked(info, "Procedure", "training.procedure"),
    ]
    yield Section("Training Data", training, "training-data")
    yield Section("Quantitative Analyses", list(_analyses(files)), "quantitative-analyses")
    ethics = [info.stated("ethics.considerations")]
    yield Section("Ethical Considerations", ethics, "ethical-considerations")
    yield Section("Caveats and Recommendations", list(_caveats(files, info)), "caveats")
    yield glossary(files)


def _details(files: Sequence[AuditFile], info: Info) -> Iterator[Block]:
    yield Prose(applies_to(files, info))
    yield identity(info)
    yield asked(info, "Description", "overview.what")
    yield asked(info, "Model", "design.machine_learning")


def _factors(files: Sequence[AuditFile], info: Info) -> Iterator[Block]:
    yield asked(info, "Relevant factors", "overview.confounding_variation")
    yield Section("Evaluation factors", [Bullets(each(files, scope))], "evaluation-factors")


def _metrics(files: Sequence[AuditFile], info: Info) -> Iterator[Block]:
    yield asked(info, "Performance measures", "overview.ground_truth", *measured(files))
    yield Section("Decision thresholds", [Bullets(each(files, _threshold))], "thresholds")
    approaches = "Intervals, clusters, adjustment and power of each audit stand in its evidence."
    yield Section("Variation approaches", [Prose(approaches)], "variation")


def _threshold(file: AuditFile) -> Iterator[str]:
    value = file.audit.settings.get("threshold")
    if value is None:
        yield "No threshold was set by the audit."
    else:
        yield f"Decided from a score of {printable(str(value))}."


def _data(info: Info) -> Iterator[Block]:
    yield Prose("Files, digests, records and what was left out stand in the evidence.")
    keys = {"Description": "data.description", "Source": "data.source", "Consent": "data.consent"}
    yield from questions(info, keys)


def _analyses(files: Sequence[AuditFile]) -> Iterator[Block]:
    """Every table of the audits: by single attributes, then by crossings."""
    yield from filter(None, (gap_sheet(files), difference_sheet(files), settings_sheet(files)))
    for crossings, name, said, at in _PARTS:
        own = [
            Section(f"Audit {i}, {said}", list(results(audit)), f"{at}-{i}")
            for i, file in enumerate(files, 1)
            if (audit := part(file.audit, crossings)) is not None
        ]
        shown = "has any that may be shown" if any(file.partly for file in files) else "has any"
        yield Section(name, own or [Prose(f"None of the audits {shown}.")], at)


def _caveats(files: Sequence[AuditFile], info: Info) -> Iterator[Block]:
    if any(kind(file.audit).intrinsic for file in files):
        yield Prose(INTRINSIC)
    yield asked(info, "Limitations", "use.limitations")
    yield asked(info, "Oversight", "use.oversight")
    recommended: list[Block] = [Bullets(PRACTICES), info.stated("deployment.practices")]
    yield Section("Recommendations", recommended, "recommendations")
    yield asked(info, "More to read", "further.links")


def metadata(name: str, files: Sequence[AuditFile], info: Info) -> dict[str, Any]:
    """The front matter: what the owner states for the Hub, and the results.

    Parameters
    ----------
    name : str
        Of the model.
    files : sequence of AuditFile
        Without what may not be shown.
    info : Info
    """
    found: dict[str, Any] = {}
    for field in FIELDS:
        table, key = field.key.split(".")
        # Asked for only where it is written: what nobody asks for is not published.
        if table == "hub" and (texts := info.texts(field.key)):
            found[_HUB_KEYS.get(key, key)] = list(texts) if field.several else ", ".join(texts)
    index = model_index(name, files, info.text("hub.pipeline_tag"))
    # The Hub refuses an index without results.
    if any(model["results"] for model in index):
        found["model-index"] = index
    return found
