"""The model card: sections of Mitchell et al., "Model Cards for Model Reporting", FAT* 2019.

Its front matter is that of the Hugging Face Hub.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fairaudit.audit import Audit
from fairaudit.report.card.evidence import part, results
from fairaudit.report.card.fields import FIELDS
from fairaudit.report.card.glossary import glossary
from fairaudit.report.card.hub import model_index
from fairaudit.report.card.info import Info
from fairaudit.report.card.model import AuditFile, Block, Bullets, Prose, Section
from fairaudit.report.card.statements import (
    PRACTICES,
    applies_to,
    asked,
    definitions,
    each,
    gap_sheet,
    hits,
    identity,
    scope,
    settings_sheet,
)
from fairaudit.report.sheets import printable


def sections(files: Sequence[AuditFile], info: Info) -> Iterator[Section]:
    """All sections before the evidence, which has no results then: they stand here."""
    yield Section(
        "Model Details",
        [
            Prose(applies_to(files, info)),
            identity(info),
            asked(info, "Description", "overview.what"),
            asked(info, "Model", "design.machine_learning"),
        ],
        "model-details",
    )
    yield Section(
        "Intended Use",
        [
            asked(info, "Primary uses and users", "use.intended"),
            asked(info, "Out-of-scope uses", "use.unsupported"),
            asked(info, "Inputs", "use.inputs"),
            asked(info, "Languages", "use.languages"),
        ],
        "intended-use",
    )
    yield Section("Factors", list(_factors(files, info)), "factors")
    yield Section("Metrics", list(_metrics(files, info)), "metrics")
    yield Section("Evaluation Data", list(_data(files, info)), "evaluation-data")
    yield Section(
        "Training Data",
        [info.stated("training.data"), asked(info, "Procedure", "training.procedure")],
        "training-data",
    )
    yield Section("Quantitative Analyses", list(_analyses(files)), "quantitative-analyses")
    yield Section(
        "Ethical Considerations", [info.stated("ethics.considerations")], "ethical-considerations"
    )
    yield Section("Caveats and Recommendations", list(_caveats(info)), "caveats")
    yield glossary(files)


def _factors(files: Sequence[AuditFile], info: Info) -> Iterator[Block]:
    yield asked(info, "Relevant factors", "overview.confounding_variation")
    yield Section("Evaluation factors", [Bullets(each(files, scope))], "evaluation-factors")


def _metrics(files: Sequence[AuditFile], info: Info) -> Iterator[Block]:
    found = dict.fromkeys(said for file in files if (said := hits(file.audit)))
    yield asked(
        info,
        "Performance measures",
        "overview.ground_truth",
        definitions(files),
        *map(Prose, found),
    )
    yield Section("Decision thresholds", [Bullets(each(files, _threshold))], "thresholds")
    approaches = "Intervals, clusters, adjustment and power of each audit stand in its evidence."
    yield Section("Variation approaches", [Prose(approaches)], "variation")


def _threshold(audit: Audit) -> Iterator[str]:
    value = audit.settings.get("threshold")
    at = f"a score of {printable(str(value))}" if value is not None else None
    yield f"Decided from {at}." if at else "No threshold was set by the audit."


def _data(files: Sequence[AuditFile], info: Info) -> Iterator[Block]:
    yield Prose("Files, digests, records and what was left out stand in the evidence.")
    yield asked(info, "Description", "data.description")
    yield asked(info, "Source", "data.source")
    yield asked(info, "Consent", "data.consent")


def _analyses(files: Sequence[AuditFile]) -> Iterator[Block]:
    """Every table of the audits: by single attributes, then by crossings."""
    yield from filter(None, (gap_sheet(files), settings_sheet(files)))
    for crossed, name, said, at in _PARTS:
        own = [
            Section(f"Audit {i}, {said}", list(results(audit)), f"{at}-{i}")
            for i, file in enumerate(files, 1)
            if (audit := part(file.audit, crossed)) is not None
        ]
        yield Section(name, own or [Prose("None of the audits has any.")], at)


_PARTS = (
    (False, "Unitary results", "by single attributes", "unitary"),
    (True, "Intersectional results", "by crossings", "intersectional"),
)


def _caveats(info: Info) -> Iterator[Block]:
    yield asked(info, "Limitations", "use.limitations")
    yield asked(info, "Oversight", "use.oversight")
    recommended: list[Block] = [Bullets(PRACTICES), info.stated("deployment.practices")]
    yield Section("Recommendations", recommended, "recommendations")
    yield asked(info, "More to read", "further.links")


def metadata(name: str, files: Sequence[AuditFile], info: Info, suppress: int) -> dict[str, Any]:
    """The front matter: what the owner states for the Hub, and the results.

    Parameters
    ----------
    name : str
        Of the model.
    files : sequence of AuditFile
    info : Info
    suppress : int
        Groups with fewer records are left out.
    """
    found: dict[str, Any] = {}
    for field in FIELDS:
        table, key = field.key.split(".")
        texts = info.texts(field.key)
        if table == "hub" and texts:
            found[key] = list(texts) if field.several else ", ".join(texts)
    index = model_index(name, files, info.text("hub.pipeline_tag"), suppress)
    # The Hub refuses an index without results.
    if any(model["results"] for model in index):
        found["model-index"] = index
    return found
