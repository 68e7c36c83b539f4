"""Findings as JUnit XML, which every build server reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from fairaudit.audit import Finding
from fairaudit.report.ci.wording import (
    LONGEST_SENTENCE,
    Context,
    Row,
    cut,
    kind,
    measured,
    message,
    reasons,
    rows,
    short,
)
from fairaudit.report.sheets import printable

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
#: The schema demands a time stamp; an audit that does not say when it was made gets this one.
_EPOCH = "1970-01-01T00:00:00"


def junit(findings: Sequence[Finding], context: Context) -> str:
    """Write a test suite per audit and attribute, a test case per finding.

    Parameters
    ----------
    findings : sequence of Finding
    context : Context

    Returns
    -------
    str
        XML that is valid by the schema of Ant's JUnit reports.

    Notes
    -----
    A test case is green where the data show that the limit is kept, and only there. It fails
    where a failure counts. All else (inconclusive, a mere warning, waived) is ``skipped`` with
    the message: a build server then neither stops nor shows as passed what was not shown. All
    messages also stand in ``system-out``, since a passed test case can carry none.

    ``time`` is always 0: it is the duration of a test, not a place for a metric's value.

    Sources: Windy Road, "JUnit-Schema", JUnit.xsd, which demands ``hostname``, a ``timestamp``
    without time zone, and all of ``properties``, ``system-out`` and ``system-err``; Jenkins'
    xunit plugin, junit-10.xsd, which allows them.
    """
    root = ET.Element("testsuites")
    suites: dict[tuple[str, str | None], list[Row]] = {}
    for row in rows(findings):
        suites.setdefault((row.finding.audit, row.finding.attribute), []).append(row)
    for i, suite in enumerate(suites.values()):
        root.append(_suite(i, suite, context))
    ET.indent(root, " ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(index: int, suite: Sequence[Row], context: Context) -> ET.Element:
    element = ET.Element("testsuite", _suite_attributes(index, suite, context))
    properties = ET.SubElement(element, "properties")
    for name, value in _properties(suite[0].finding, context).items():
        ET.SubElement(properties, "property", name=name, value=value)
    for row in suite:
        element.append(_case(row, context))
    ET.SubElement(element, "system-out").text = "\n".join(
        f"{row.called}: {message(row.finding)}" for row in suite
    )
    ET.SubElement(element, "system-err")
    return element


def _suite_attributes(index: int, suite: Sequence[Row], context: Context) -> dict[str, str]:
    first = suite[0].finding
    by = "" if first.attribute is None else f" by {short(first.attribute)}"
    moment = _MOMENT.match(context.audit(first).created)
    return {
        "id": str(index),
        "package": short(context.rubric),
        "name": f"{kind(first)}{by}",
        "hostname": "localhost",
        "timestamp": moment[0] if moment else _EPOCH,
        "tests": str(len(suite)),
        "failures": str(sum(row.level == "error" for row in suite)),
        "errors": "0",
        "skipped": str(sum(row.level in ("warning", "note") for row in suite)),
        "time": "0",
    }


def _properties(finding: Finding, context: Context) -> dict[str, str]:
    """What reproduces the suite."""
    audit = context.audit(finding)
    values = {
        "rubric": context.rubric,
        "rubric_version": context.rubric_version,
        "fairaudit": context.version,
        "signature": audit.signature,
        "path": audit.path,
    }
    return {name: printable(value) for name, value in values.items() if value}


def _case(row: Row, context: Context) -> ET.Element:
    finding = row.finding
    by = "overall" if finding.attribute is None else short(finding.attribute)
    # Servers read dots as packages: they are ours alone.
    places = [part.replace(".", "_") for part in (short(context.rubric), kind(finding), by)]
    case = ET.Element("testcase", name=row.name, classname=".".join(places), time="0")
    said = f"{row.called}: {measured(finding)}"
    if row.level == "error":
        failure = ET.SubElement(case, "failure", message=said, type="fairaudit.limit")
        failure.text = "\n".join([said, *reasons(finding), *_asked(finding)])
    elif row.level != "none":
        ET.SubElement(case, "skipped", message=" ".join([f"{said}.", *reasons(finding)]))
    return case


def _asked(finding: Finding) -> list[str]:
    """The criterion in words and the source of its limit, where given."""
    lines = {"Criterion": finding.criterion, "Source": finding.source}
    return [
        f"{word}: {cut(printable(said), LONGEST_SENTENCE)}" for word, said in lines.items() if said
    ]
