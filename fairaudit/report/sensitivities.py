"""Which tokens carry the sensitivity of a model's predictions: as tables, and text by text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fairaudit.audit import Audit, Explanation
from fairaudit.report.explanations import Heat, group_order, rounded
from fairaudit.report.figures import Figures, percent
from fairaudit.report.sheets import Column, Sheet, attributes, by, printable, sheet

#: Tokens shown of all records, tokens shown of each group, and texts; the audit file has more.
_OVERALL, _EACH, _TEXTS = 10, 5, 5
#: A part of the sensitivity that is worth a word where its tokens are not shown.
_WORTH = 0.005


def sensitive_sheets(audit: Audit) -> Iterator[Sheet | Heat]:
    """Tokens with the largest part of the sensitivity, and the most sensitive texts."""
    rows = [row for row in audit.explanations if row.kind == "sensitive_token"]
    if overall := [row for row in rows if row.attribute is None]:
        found = _largest(overall, _OVERALL)
        yield _tokens(found, None, [_shown(row.content["token"]) for row in found])
    for attribute in filter(None, attributes(audit)):
        found = [
            row
            for group in group_order(audit, attribute)
            for row in _largest(_of(rows, attribute, group), _EACH)
        ]
        names = [f"{printable(row.group)}: {_shown(row.content['token'])}" for row in found]
        if found:
            yield _tokens(found, attribute, names)
    yield from _texts([row.content for row in audit.explanations if row.kind == "sensitive_text"])


def _of(rows: Sequence[Explanation], attribute: str, group: str) -> list[Explanation]:
    return [row for row in rows if (row.attribute, row.group) == (attribute, group)]


def _largest(rows: Sequence[Explanation], most: int) -> list[Explanation]:
    return sorted(rows, key=lambda row: -(row.content["share"] or 0.0))[:most]


def _tokens(rows: Sequence[Explanation], attribute: str | None, names: Sequence[str]) -> Sheet:
    """A line per token, or per group and token."""
    whole = "the group's sensitivity" if attribute else "all sensitivity"
    found = [row.content for row in rows]
    columns = [
        Column("", "group and token" if attribute else "token", names),
        Column("share", f"part of {whole}", [percent(each["share"]) for each in found]),
        Column("rec.", "records", [str(each["records"]) for each in found]),
        Column(
            "mean",
            "mean part of the record's sensitivity",
            [percent(each["mean"]) for each in found],
        ),
    ]
    title = f"Tokens that carry the sensitivity{by(attribute)}: in percent"
    said = f"share: of {whole}; mean: of the record's, each time that the token occurs."
    return sheet(title, columns, [said])


def _texts(found: Sequence[Any]) -> Iterator[Heat]:
    """The most sensitive first; the last says how the tokens are marked."""
    texts = sorted(found, key=lambda each: -(each["sensitivity"] or 0.0))[:_TEXTS]
    for n, each in enumerate(texts, 1):
        tokens = [(_shown(token), share or 0.0) for token, share in each["tokens"]]
        yield Heat(_title(each, sum(share for _, share in tokens)), tokens, n == len(texts))


def _title(found: Any, carried: float) -> str:
    """How sensitive a text is, what was predicted, how often, and what tokens not shown carry."""
    value = found["sensitivity"]
    written = Figures.of("number", [value]).value(value)
    cut = f" ({rounded(1 - carried)} in tokens not shown)" if 0 < carried < 1 - _WORTH else ""
    # Of audits from before equal texts were counted, each is of one record.
    several = f", in {count:,} records" if (count := found.get("records", 1)) > 1 else ""
    return f"Sensitivity {written}, predicted {_shown(found['predicted'])}{several}{cut}"


def _shown(token: str) -> str:
    """A token that can be seen, even where it is blank."""
    return printable(token.strip()) or "(blank)"
