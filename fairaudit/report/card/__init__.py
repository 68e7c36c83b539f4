"""Cards: reports on one or more audits, for the engineer, the reviewer and the public.

`content` says what a card holds, as the blocks of `model`; `html`, `markdown` and `data` write it
down; `seal` is what lets anybody check it against the audits.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from fairaudit import __version__
from fairaudit.audit import Audit
from fairaudit.exceptions import FairauditError
from fairaudit.report.card import seal as seals
from fairaudit.report.card.info import Info
from fairaudit.report.card.model import Annex, AuditFile, Template, Wanted

#: Forms of a card, and the file names' ends that stand for them.
FORMS = {".html": "html", ".htm": "html", ".md": "markdown", ".json": "json", ".pdf": "pdf"}


def card(
    audits: Audit | str | Path | Sequence[Audit | str | Path],
    *,
    template: Template = "service-card",
    info: str | Path | None = None,
    annexes: Sequence[Annex] = (),
    suppress: int = 0,
    texts: bool = False,
    form: str = "html",
) -> str:
    """One report of one or more audits, for people.

    Parameters
    ----------
    audits : Audit, path, or sequence of them
    template : {"service-card", "model-card", "report"}
        For the public, for a model's page, or the bare findings.
    info : path, optional
        What only the owner knows: service.toml.
    annexes : sequence of {"ll144", "eu-ai-act", "nist-rmf"}
        What a rule or framework asks for.
    suppress : int
        Groups with fewer records are left out, and what would tell them.
    texts : bool
        Whether words of the data are quoted and speakers named.
    form : {"html", "markdown", "json"}

    Returns
    -------
    str
        The page; the same for the same audits.

    Raises
    ------
    FairauditError
        If an audit or `info` cannot be read, or an option is none of these.
    """
    given = [audits] if isinstance(audits, Audit | str | Path) else audits
    files = [AuditFile.of(a) if isinstance(a, Audit) else AuditFile.load(Path(a)) for a in given]
    for option, value, known in (
        ("template", template, get_args(Template)),
        *(("annexes", annex, get_args(Annex)) for annex in annexes),
        ("form", form, ("html", "markdown", "json")),
    ):
        if value not in known:
            raise FairauditError(f"{option} {value!r}: expected {', '.join(known)}.")
    stated = Info() if info is None else Info.read(Path(info))
    return render(files, stated, Wanted(template, tuple(annexes), suppress, texts), form)


def render(files: Sequence[AuditFile], info: Info, wanted: Wanted, form: str) -> str:
    """The text of a card; the same for the same audits.

    Parameters
    ----------
    files : sequence of AuditFile
    info : Info
        What the owner states.
    wanted : Wanted
        What sort of card.
    form : {"html", "markdown", "json", "pdf"}
        How it is written; a PDF is printed from the HTML.

    Raises
    ------
    FairauditError
        If there is no audit, one is given twice, or an annex does not fit them.
    """
    from fairaudit.report.card import data, html, markdown
    from fairaudit.report.card.content import make

    _check(files)
    write = {"html": html.page, "pdf": html.page, "markdown": markdown.page, "json": data.page}
    asked = info.watched()
    made = make(files, asked, wanted)
    # Only what the card uses: nobody publishes answers to questions that it does not ask.
    return write[form](made, seals.Seal.of(files, asked.used(), wanted).text())


def _check(files: Sequence[AuditFile]) -> None:
    """Require audits that differ."""
    if not files:
        raise FairauditError("no audit file. Make one: fairaudit wer FILE --by accent -o wer.json")
    seen: dict[str, str] = {}
    for file in files:
        if file.sha256 in seen:
            raise FairauditError(f"{file.name}: the same audit as {seen[file.sha256]}.")
        seen[file.sha256] = file.name


def verify(card: str, form: str, files: Sequence[AuditFile], info: Info | None = None) -> list[str]:
    """What in a card its audits do not give; nothing where all is as it was made.

    Parameters
    ----------
    card : str
        Text of the card.
    form : {"html", "markdown", "json"}
    files : sequence of AuditFile
        The audits that it is to be checked against.
    info : Info or None
        What the owner states, where that is to be checked too; by default the card's own word
        is taken.

    Raises
    ------
    FairauditError
        If it is no card, or another version of fairaudit made it.
    """
    _check(files)
    seal = seals.Seal.find(card, form)
    if seal.version != __version__:
        raise FairauditError(
            f"made by fairaudit {seal.version}; this is {__version__}, which may word it "
            f"otherwise. Verify it by: pip install fairaudit=={seal.version}"
        )
    changed = list(seals.mismatches(seal, files))
    if changed:
        return changed
    ordered = seals.in_order(seal, files)
    expected = render(ordered, info or seal.info, seal.wanted, form)
    return list(seals.differences(card, expected))


def load(paths: Sequence[Path]) -> list[AuditFile]:
    """Read audit files.

    Raises
    ------
    FairauditError
        If one cannot be read or is none.
    """
    return [AuditFile.load(path) for path in paths]
