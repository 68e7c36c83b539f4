import json
import os
import re

import pytest

import fairaudit
from fairaudit.audit import Audit, write_whole
from fairaudit.exceptions import FairauditError
from tests.conftest import ROOT

EXAMPLE = ROOT / "examples" / "accents" / "transcripts.csv"


@pytest.fixture(scope="module")
def audits():
    return [
        fairaudit.wer(EXAMPLE, by=["accent", "accent:gender"], cluster=cluster, resamples=200)
        for cluster in (None, "speaker")
    ]


def test_json_there_and_back(audits):
    for audit in audits:
        again = Audit.from_json(audit.to_json())
        assert again.to_json() == audit.to_json()
        assert again.signature == audit.signature
        assert [row.group for row in again.estimates] == [row.group for row in audit.estimates]


def test_sums_of_the_file_give_its_estimates_again(audits):
    from fairaudit.assess import Assessment, Design

    for audit in audits:
        again = Audit.from_json(audit.to_json())
        sums = next(each for each in again.sums if each.attribute == "accent")
        metrics = [fairaudit.metrics.METRICS[name] for name in again.settings["metrics"]]
        part = Assessment(sums, metrics, Design(resamples=200), lambda group: {"accent": group})
        expected = [row for row in audit.estimates if row.attribute == "accent"]
        for ours, theirs in zip(part.estimates(), expected, strict=True):
            assert ours.value == pytest.approx(theirs.value, rel=1e-10)
            assert ours.ci_high == pytest.approx(theirs.ci_high, rel=1e-8)
        compared = [row for row in audit.comparisons if row.attribute == "accent"]
        for ours, theirs in zip(part.comparisons(), compared, strict=True):
            assert (ours.kind, ours.group, ours.against) == (
                theirs.kind,
                theirs.group,
                theirs.against,
            )
            if theirs.value is not None:
                assert ours.value == pytest.approx(theirs.value, rel=1e-9, abs=1e-12)


def test_file_has_the_schema_of_the_design(audits):
    content = json.loads(audits[1].to_json())
    assert content["schema"] == "fairaudit/audit/1"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", content["created"])
    for name, keys in {
        "estimates": "attribute group values metric variant value ci_low ci_high n records "
        "clusters counts",
        "comparisons": "attribute metric name variant kind group against value ci_low ci_high "
        "p_value p_adjusted adjustment chance minimum_detectable",
        "sums": "attribute columns groups clusters matrix",
        "data": "path sha256",
    }.items():
        for row in content[name]:
            assert set(keys.split()) <= set(row), name
    assert content["findings"] == []
    assert content["records"] == {
        "total": 2880, "used": 2880, "dropped": {}, "ids": content["records"]["ids"],
    }  # fmt: skip


def test_numbers_have_twelve_digits_and_nothing_is_infinite(audits):
    text = audits[0].to_json()
    assert "NaN" not in text
    assert "Infinity" not in text
    for number in _numbers(json.loads(text)):
        assert number == float(f"{number:.12g}")


def _numbers(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, float):
        yield value


@pytest.mark.parametrize("text", ["", "[]", "{}", "3", '{"schema": "fairaudit/audit/9"}', "{"])
def test_what_is_no_audit_file(text):
    with pytest.raises(FairauditError, match="audit file"):
        Audit.from_json(text)


def test_frame(audits):
    frame = audits[1].to_frame()
    row = frame[(frame.group == "us") & (frame.metric == "wer")].iloc[0]
    assert row.records == 288
    assert row.difference_against == "(rest)"
    assert len(frame) == len(audits[1].estimates)


def test_frame_without_pandas(audits, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(FairauditError, match=r"pip install 'fairaudit\[frames\]'"):
        audits[0].to_frame()


def test_files_appear_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_whole(path, "old")
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(FairauditError, match="No space left on device"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_reproducible_builds_set_the_time():
    assert fairaudit.wer(EXAMPLE).created == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_none_are_refused(number):
    with pytest.raises(FairauditError, match="not an audit file"):
        Audit.from_json(f'{{"schema": "fairaudit/audit/1", "kind": {number}}}')
