"""Figures: what is drawn is what the audit says, whatever names the data hold."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from fairaudit.audit import Finding
from fairaudit.cli import app
from fairaudit.exceptions import FairauditError
from fairaudit.metrics import METRICS
from fairaudit.report.sheets import estimate_rows, only
from tests.report.conftest import audited

pytest.importorskip("matplotlib")

from fairaudit.report import plots
from fairaudit.report.plots import Style, draw, figure

HOSTILE = [r"$\frac{$", "<script>&-->--</script>", "\x00\x1b[31m\u202e\ud800", "x" * 299 + "y"]
SETTINGS = {"label": "y", "score": "p", "threshold": [0.4, 0.6], "by": "sex"}
TASKS = {
    "decisions": {"label": "y", "prediction": "yhat", "by": "sex"},
    "scores": {"label": "y", "score": "p", "by": "sex"},
    "thresholds": SETTINGS,
    "numbers": {"label": "size", "prediction": "guess", "task": "regression", "by": "sex"},
    "ranks": {"score": "p", "task": "ranking", "top_k": [20, 100], "by": "sex"},
    "classes": {"label": "kind", "prediction": "said", "task": "multiclass", "by": "sex"},
    "control": {"label": "y", "prediction": "yhat", "by": "sex", "control": "place"},
    "rule": {"prediction": "yhat", "by": "sex", "rule": "four-fifths"},
}  # fmt: skip


@pytest.fixture(scope="module")
def audit(people):
    return audited(people, label="y", prediction="yhat", by=["group", "sex"])


@pytest.fixture(scope="module")
def several(people):
    return audited(people, **SETTINGS)


@pytest.fixture
def file(audit, tmp_path):
    path = tmp_path / "audit.json"
    audit.save(path)
    return path


def run(*arguments):
    return CliRunner().invoke(app, ["plot", *map(str, arguments)])


def artist(drawn, gid):
    return drawn.findobj(lambda each: each.get_gid() == gid)[0]


def texts(drawn):
    return [each.get_text() for each in drawn.findobj(lambda each: hasattr(each, "get_text"))]


def names(drawn, panel=0):
    return [label.get_text() for label in drawn.axes[panel].get_yticklabels()]


def limit(value, attribute="sex", id="most", comparison="group_max", **others):
    return Finding(
        id, "", "fail", "error", "accuracy", comparison, value, "most", attribute, **others
    )


def changed(audit, changes):
    """The audit with other fields in the rows of a group, whatever the metric."""
    rows = [
        replace(row, **changes[row.group]) if row.group in changes else row
        for row in audit.estimates
    ]
    return replace(audit, estimates=tuple(rows))


@pytest.mark.parametrize("metric", ["accuracy", "true_positive_rate"])
def test_draws_the_audits_numbers(audit, metric):
    drawn = figure(audit, metric)
    assert len(drawn.axes) == 2
    for i, attribute in enumerate(["group", "sex"]):
        *rows, everyone = estimate_rows(audit, attribute, METRICS[metric])
        assert names(drawn, i) == [row.group for row in rows]
        dots = artist(drawn, f"values-{i}")
        assert list(dots.get_xdata()) == [row.value for row in rows]
        assert list(dots.get_ydata()) == list(drawn.axes[i].get_yticks())
        segments = np.array(artist(drawn, f"intervals-{i}").get_segments())
        assert segments[:, :, 0].tolist() == [[row.ci_low, row.ci_high] for row in rows]
        assert segments[:, 0, 1].tolist() == list(dots.get_ydata())
        assert set(artist(drawn, f"overall-{i}").get_xdata()) == {everyone.value}
        said = [text.get_text() for text in drawn.axes[i].texts]
        assert said[: len(rows)] == [f"{row.n:.0f}" for row in rows]
        assert f"all records {100 * everyone.value:.1f}" in said
        assert attribute in said


def test_the_first_group_is_on_top_and_panels_share_the_axis(audit):
    drawn = figure(audit)
    limits = {axes.get_xlim() for axes in drawn.axes}
    assert len(limits) == 1
    bottom, top = drawn.axes[0].get_ylim()
    assert top < drawn.axes[0].get_yticks()[0] < drawn.axes[0].get_yticks()[-1] < bottom
    ticks = [label.get_text() for label in drawn.axes[1].get_xticklabels()]
    assert ticks == [f"{100 * x:g}" for x in drawn.axes[1].get_xticks()]
    assert not any(label.get_text() for label in drawn.axes[0].get_xticklabels())
    assert any("accuracy" in each and "in percent; 95 % intervals" in each for each in texts(drawn))


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_its_headline(people, task):
    audit = audited(people, **TASKS[task])
    rows = only(audit, audit.estimates[0].variant)
    first = METRICS[audit.settings["metrics"][0]]
    drawn = figure(audit)
    values = [row.value for row in estimate_rows(rows, "sex", first)[:-1]]
    assert list(artist(drawn, "values-0").get_xdata()) == values
    assert drawn.axes[0].get_xlim()[0] < drawn.axes[0].get_xlim()[1]


def test_limits_are_drawn_and_named(audit):
    values = {row.group: row.value for row in estimate_rows(audit, "sex", METRICS["accuracy"])}
    found = (limit(0.75), limit(0.1, id="gap", comparison="gap", group="m", against="f"))
    drawn = figure(replace(audit, findings=found), by="sex")
    lines = [artist(drawn, f"limit-0-{i}") for i in range(2)]
    gap = max(values["m"], values["f"]) - 0.1
    assert [line.get_xdata()[0] for line in lines] == [0.75, gap]
    assert all(line.is_dashed() for line in lines)
    assert not artist(drawn, "overall-0").is_dashed()
    assert "limit of most 75.0" in texts(drawn)
    assert f"limit of gap {100 * gap:.1f}" in texts(drawn)


def test_a_limit_far_away_is_an_arrow(audit):
    drawn = figure(replace(audit, findings=(limit(40.0), limit(-40.0, id="least"))), by="sex")
    assert drawn.axes[0].get_xlim()[1] <= 1
    assert not drawn.findobj(lambda each: (each.get_gid() or "").startswith("limit"))
    assert {"limit of most 4000.0 →", "← limit of least -4000.0"} <= set(texts(drawn))


def boxes(drawn):
    """Where texts stand, in pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    FigureCanvasAgg(drawn).draw()
    found = [each.get_window_extent() for each in drawn.findobj(Text) if each.get_text()]
    return [box for box in found if box.width > 1]  # hidden ones have 1


def overlap(one, other):
    """By how much, in the direction in which it is less."""
    across = min(one.x1, other.x1) - max(one.x0, other.x0)
    return min(across, min(one.y1, other.y1) - max(one.y0, other.y0))


@pytest.mark.parametrize("width", [60, 160])
def test_no_text_stands_on_another_or_beyond_the_page(audit, width):
    limits = [limit(x, id=f"criterion-{x}") for x in (0.6, 0.7, 0.71, 0.72, 0.9, 7)]
    limits += [limit(x, id="z" * 200) for x in (0.65, 0.89)]
    hostile = dict(zip("abc", ({"group": name} for name in HOSTILE), strict=False))
    made = changed(replace(audit, findings=tuple(limits)), hostile)
    drawn = figure(made, style=Style(width=width, size=7))
    found, page = boxes(drawn), drawn.bbox
    assert len(found) > 20
    for i, box in enumerate(found):
        assert min(box.x0, box.y0, page.x1 - box.x1, page.y1 - box.y1) >= 0
        # Boxes are as high as letters that reach below the line need.
        assert all(overlap(box, other) < 1 for other in found[:i])


def test_undefined_groups_are_named_without_a_dot(audit):
    none = {"value": None, "ci_low": None, "ci_high": None}
    drawn = figure(changed(audit, {"a": none}), by="group")
    assert "a" in names(drawn)
    assert "undefined" in texts(drawn)
    assert len(artist(drawn, "values-0").get_xdata()) == len(names(drawn)) - 1
    assert "○ no interval" not in " ".join(texts(drawn))


def test_no_interval_is_a_hollow_dot(audit):
    drawn = figure(changed(audit, {"a": {"ci_low": None, "ci_high": None}}), by="group")
    hollow = artist(drawn, "values-alone-0")
    assert len(hollow.get_xdata()) == 1
    assert hollow.get_markerfacecolor() == "white"
    assert "○ no interval" in " ".join(texts(drawn))


def test_a_huge_interval_ends_in_an_arrow(audit):
    plain = figure(audit, by="group").axes[0].get_xlim()
    drawn = figure(changed(audit, {"a": {"ci_high": 30.0}}), by="group")
    ends = np.array(artist(drawn, "intervals-0").get_segments())[:, :, 0]
    assert ends.max() == drawn.axes[0].get_xlim()[1] < 2
    assert [line.get_marker() for line in drawn.axes[0].lines].count(">") == 1
    assert ">" not in [line.get_marker() for line in figure(audit, by="group").axes[0].lines]
    assert plain[1] <= 1


@pytest.mark.parametrize("format", plots.FORMATS)
def test_hostile_names_are_shown_as_they_are(audit, tmp_path, format):
    hostile = dict(zip(["a", "b", "c", "(missing)"], HOSTILE, strict=True))
    made = changed(audit, {group: {"group": name} for group, name in hostile.items()})
    made = replace(made, findings=(limit(0.7, "group", id="$x$"),))
    path = tmp_path / f"hostile.{format}"
    draw(made, path, by="group")
    assert path.stat().st_size > 1000
    shown = names(figure(made, by="group"))
    assert HOSTILE[0] in shown
    assert HOSTILE[1] in "".join(shown).replace("\n", "")
    assert r"\x00\x1b[31m\u202e\ud800" in shown
    assert any("…" in name and name.endswith("xy") for name in shown)
    if format == "svg":
        tags = {element.tag.split("}")[1] for element in ET.parse(path).iter()}
        assert "script" not in tags


def test_signs_that_no_font_has_are_named(audit, tmp_path):
    made = changed(audit, {"a": {"group": "日本"}, "b": {"group": "Ελλάδα"}})
    _, note = draw(made, tmp_path / "a.png", by="group")
    assert note.startswith("note: DejaVu Sans has no sign for 日本.")


@pytest.mark.parametrize("format", plots.FORMATS)
def test_the_same_audit_gives_the_same_bytes(audit, tmp_path, format):
    import matplotlib as mpl

    paths = [tmp_path / f"{i}.{format}" for i in range(2)]
    draw(audit, paths[0])
    with mpl.rc_context({"font.size": 20, "axes.facecolor": "red", "savefig.dpi": 10}):
        draw(audit, paths[1])
        assert mpl.rcParams["font.size"] == 20
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert not any(word in paths[0].read_bytes() for word in (b"CreationDate", b"dc:date"))


def test_the_width_is_as_asked(audit):
    drawn = figure(audit, by="group", style=Style(width=85, size=7))
    assert drawn.get_figwidth() == pytest.approx(85 / 25.4)


def test_one_setting_of_several(several, tmp_path):
    threshold = {"threshold": 0.6}
    rows = estimate_rows(only(several, threshold), "sex", METRICS["selection_rate"])
    drawn = figure(several, "selection_rate", at=["threshold=0.6"])
    assert list(artist(drawn, "values-0").get_xdata()) == [row.value for row in rows[:-1]]
    first = draw(several, tmp_path / "a.svg", "selection_rate")
    assert first[0].endswith("a.svg: selected by sex, threshold 0.4.")
    assert first[1] == "note: one setting of 2; for others: --at threshold=0.6."
    with pytest.raises(FairauditError, match="has --at threshold=0.4 or --at threshold=0.6"):
        figure(several, "selection_rate", at=["threshold=0.5"])


def test_metric_by_its_label(audit):
    by_label = figure(audit, "tpr", by="sex")
    by_name = figure(audit, "true_positive_rate", by="sex")
    assert texts(by_label) == texts(by_name)


def test_the_file_says_what_it_shows(audit, tmp_path):
    path = tmp_path / "a.svg"
    draw(audit, path, by="sex")
    text = path.read_text()
    assert "<title>accuracy by sex</title>" in text
    assert "errors|by:group,sex|" in text
    assert "<text" not in text


def test_command_writes_a_file_and_says_so(file, tmp_path):
    out = tmp_path / "plot.PDF"
    done = run(file, "--metric", "accuracy", "-o", out)
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == f"{out}: accuracy by group, sex.\n"
    assert out.read_bytes().startswith(b"%PDF")
    assert run(file, "-o", out, "--quiet").output == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "a.jpg"], "a.jpg: expected a name that ends in .svg, .pdf or .png."),
        (["-o", "a"], "expected a name that ends in .svg, .pdf or .png."),
        (["-o", "a.svg", "--metric", "wer"], "--metric wer: the audit has accuracy, "),
        (["-o", "a.svg", "--by", "race"], "--by race: the audit is by group, sex."),
        (["-o", "a.svg", "--at", "k=5"], "--at k=5: accuracy has one setting only"),
        (["-o", "a.svg", "--width", "5"], "--width 5: expected 40 to 1000 mm."),
        (["-o", "a.svg", "--font-size", "nan"], "--font-size nan: expected 4 to 72 pt."),
        (["-o", "a.svg", "--width", "40", "--font-size", "40"], "no room for the axis"),
        (["-o", "a.svg", "--font", "No Such"], "--font No Such: no such font is installed."),
        (["-o", "none/a.svg"], "none/a.svg: cannot be written"),
    ],
)
def test_mistakes(file, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    done = run(file, *options)
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["audit.json"]


def test_does_not_write_over_the_audit(audit, tmp_path):
    path = tmp_path / "audit.svg"
    audit.save(path)
    done = run(path, "-o", path)
    assert done.exit_code == 2
    assert "is what was read" in done.stderr
    assert path.read_text() == audit.to_json()


def test_nothing_to_draw(people, audit):
    with pytest.raises(FairauditError, match="no groups"):
        figure(audited(people, label="y", score="p"))
    with pytest.raises(FairauditError, match="slices"):
        figure(replace(audit, kind="search"))
    none = {"value": None, "ci_low": None, "ci_high": None}
    empty = changed(audit, dict.fromkeys("fm", none))
    with pytest.raises(FairauditError, match="accuracy has no value in any group by sex"):
        figure(empty, by="sex")
    assert len(figure(empty).axes) == 1


def test_left_out_attributes_are_named(audit, tmp_path):
    none = {"value": None, "ci_low": None, "ci_high": None}
    said = draw(changed(audit, dict.fromkeys("fm", none)), tmp_path / "a.svg")
    assert said[1] == "note: left out, for no group has a value: sex."


def test_no_page_holds_thousands_of_groups(audit):
    row = estimate_rows(audit, "sex", METRICS["accuracy"])[0]
    rows = tuple(replace(row, group=str(i)) for i in range(1500))
    with pytest.raises(FairauditError, match="sex has 1,500 groups: the plot would be 7.6 m high"):
        figure(replace(audit, estimates=rows))


def test_without_matplotlib(file, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = run(file, "-o", tmp_path / "a.svg")
    assert done.exit_code == 2
    assert done.stderr == (
        "error: plot needs matplotlib. Install it with: pip install 'fairaudit[plots]'\n"
    )


def test_matplotlib_is_loaded_by_plot_alone_and_without_a_screen(file, tmp_path):
    script = (
        "import sys\nfrom fairaudit.cli import app\n"
        "def run(*words):\n"
        "    try: app(words)\n"
        "    except SystemExit as end: assert not end.code, end.code\n"
        "run('plot', '--help'); run('gate', sys.argv[1], '--rubric', 'classification', '-q',"
        " '--exit-zero')\n"
        "assert 'matplotlib' not in sys.modules\n"
        "run('plot', sys.argv[1], '-o', sys.argv[2])\n"
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run(
        [sys.executable, "-c", script, file, tmp_path / "a.svg"], check=True, capture_output=True
    )
