"""New York City Local Law 144 of 2021: the summary of a bias audit (6 RCNY 5-300 to 5-303)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fairaudit.audit import Audit
from fairaudit.audits.decisions.parity import LEAST_SHARE
from fairaudit.exceptions import FairauditError
from fairaudit.groups import Attribute
from fairaudit.report.card.annexes.items import lacking, stated
from fairaudit.report.card.info import Info
from fairaudit.report.card.model import AuditFile, Block, Bullets, Code, Facts, Prose, Section
from fairaudit.report.card.words import digests, dropped, some, used
from fairaudit.report.decisions import views
from fairaudit.report.rules import Category, categories, rule_sheets
from fairaudit.report.sheets import attributes, printable

TITLE = "Annex: New York City Local Law 144"
_COMMAND = (
    "fairaudit errors applicants.csv --prediction hired --by sex --by race --by sex:race "
    "--table ll144 -o ll144.json"
)
_SCORED = (
    "fairaudit errors applicants.csv --score score --by sex --by race --by sex:race "
    "--table ll144 -o ll144.json"
)
_INTRODUCTION = (
    "What 6 RCNY 5-301 to 5-303 have published of a bias audit. The law sets no limit on impact "
    "ratios, so nothing in this annex passes or fails, and nothing says that the law is complied "
    "with."
)
_AGE = (
    "The audit must have been made no more than one year before the tool is used (NYC "
    "Administrative Code 20-871(a)(1)): compare this date with the day of use."
)
_THREE = "Three tables: of sex, of race or ethnicity, and of both crossed"


def blocks(files: Sequence[AuditFile], info: Info) -> Iterator[Block]:
    """All that the rule has published, in its order."""
    files = [file for file in files if file.audit.settings.get("rule") == "ll144"]
    yield Prose(_INTRODUCTION)
    yield _item("Date of the bias audit", "date", _date(files))
    yield _item("Auditor", "auditor", stated(info, "review.auditor", "review.independent"))
    yield _item("Source and explanation of the data", "data", _data(files, info))
    yield _item("Unknown categories", "unknown", _unknown(files, info))
    yield _item("Rates and impact ratios", "tables", _tables(files))
    yield _item(f"Categories below {100 * LEAST_SHARE:g} %", "small", _small(files, info))
    yield _item("Distribution date", "distribution", stated(info, "ll144.distribution_date"))


def _item(title: str, name: str, content: Iterator[Block] | Sequence[Block]) -> Section:
    return Section(title, list(content), f"annex-ll144-{name}")


def _date(files: Sequence[AuditFile]) -> Iterator[Block]:
    if not files:
        yield from lacking("Date of the bias audit", _COMMAND)
    else:
        yield Facts([(printable(file.name), printable(file.audit.created)) for file in files])
    yield Prose(_AGE)


def _data(files: Sequence[AuditFile], info: Info) -> Iterator[Block]:
    if not files:
        yield from lacking("Data", _COMMAND)
    for file in files:
        yield Facts(list(_facts(file.audit)))
    yield from stated(info, "ll144.data_source", "ll144.data_explanation", "ll144.test_data")


def _facts(audit: Audit) -> Iterator[tuple[str, str | list[str]]]:
    yield "Data", digests(audit)
    yield "Applicants", used(audit)
    if audit.records.dropped:
        yield "Applicants left out", dropped(audit)


def _unknown(files: Sequence[AuditFile], info: Info) -> Iterator[Block]:
    """Who is in no table, by attribute."""
    if not files:
        yield from lacking("Applicants of an unknown category", _COMMAND)
    else:
        yield Facts([row for file in files for row in _unknown_rows(file.audit)])
    yield from stated(info, "ll144.categories")


def _unknown_rows(audit: Audit) -> Iterator[tuple[str, str]]:
    for attribute, _, found in _found(audit):
        unknown = sum(each.applicants for each in found if each.unknown)
        everybody = sum(each.applicants for each in found)
        yield (
            f"Of an unknown category by {printable(attribute)}",
            f"{unknown:,} of {some(everybody, 'applicant')}",
        )


def _found(audit: Audit) -> Iterator[tuple[str, str, list[Category]]]:
    """The categories of each attribute in the first of its settings, and what titles say of it."""
    for attribute in attributes(audit):
        for view in views(audit):
            if attribute is not None and (found := categories(view, attribute)):
                yield attribute, view.at, found
                break


def _tables(files: Sequence[AuditFile]) -> Iterator[Block]:
    """The tables, and whether the three that are asked for can be among them."""
    for file in files:
        try:
            yield from rule_sheets(file.audit)
        except FairauditError as error:
            raise FairauditError(f"{file.name}: {error}") from None
    if not _three(files):
        yield from lacking(_THREE, _COMMAND)
        yield Code("The same of scores, counted above their median", _SCORED)


def _three(files: Sequence[AuditFile]) -> bool:
    """Whether there are two attributes, and a table in which these are crossed."""
    named = {name for file in files for name in attributes(file.audit) if name is not None}
    columns = [frozenset(Attribute.parse(name).columns) for name in named]
    single = {name for each in columns if len(each) == 1 for name in each}
    return any(len(each) > 1 and each <= single for each in columns)


def _small(files: Sequence[AuditFile], info: Info) -> Iterator[Block]:
    """Categories that have no impact ratio for their size, with their numbers."""
    if not files:
        yield from lacking("Categories left out of impact ratios", _COMMAND)
    for file in files:
        yield from _small_categories(file.audit)
    yield from stated(info, "ll144.excluded")


def _small_categories(audit: Audit) -> Iterator[Block]:
    small = [
        f"{printable(each.name)} ({printable(attribute)}): {some(each.applicants, 'applicant')}, "
        f"{100 * each.share:.1f} % of them all"
        for attribute, _, found in _found(audit)
        for each in found
        if each.small
    ]
    if not small:
        yield Prose("No category is left out of impact ratios for its size.")
        return
    yield Prose("Left out of impact ratios, and nobody's reference; rates are below the tables.")
    yield Bullets(small)
