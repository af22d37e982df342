"""The section on missing and corrupted modalities, on the page and in the terminal."""

import importlib.util
import io
from pathlib import Path

import pytest
from rich.console import Console

from fusible.evaluation.missing import Robustness, robustness, subsets
from fusible.evaluation.robustness import ALL, CORRUPTION, RANDOM, Curve, RobustnessResult, Subset
from fusible.evaluation.study import Score
from fusible.report._curves import limits, shade
from fusible.report.html import render_template
from fusible.report.robustness import MOST_COLUMNS, print_robustness, robustness_content
from fusible.types import Task

SPEC = importlib.util.spec_from_file_location("_page", Path(__file__).parents[1] / "_page.py")
PAGE = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(PAGE)
VOID = {"polyline", "polygon"}


def result(views=("photo", "note"), strategies=("single:photo", "feature:concat"), baseline="single:photo"):
    found = RobustnessResult(
        Task("binary", ("no", "yes")), "accuracy", "y", 1_234, tuple(views), tuple(strategies), baseline, sampled=99
    )
    for k, name in enumerate(strategies):
        for seen in subsets(views):
            score = 0.5 + 0.1 * k + 0.05 * len(seen)
            found.subsets.append(Subset(name, seen, Score(score, score - 0.03, score + 0.03)))
        for kind, view, what, levels in (
            (RANDOM, views[0], "", (0.0, 0.5, 0.75)),
            (RANDOM, ALL, "", (0.0, 0.5, 0.75)),
            (CORRUPTION, views[0], "blur", (0.0, 1.0, 2.0)),
        ):
            scores = [0.8 + 0.1 * k - 0.1 * level for level in levels]
            base = None if baseline is None else [0.8 - 0.1 * level for level in levels]
            found.curves.append(
                Curve(
                    name,
                    kind,
                    view,
                    what,
                    levels,
                    tuple(Score(s, s - 0.02, s + 0.02) for s in scores),
                    robustness(levels, scores, base),
                )
            )
    found.notes.append("a note")
    return found


def section(found, highlight=None):
    return render_template("robustness.html.j2", {"robustness": robustness_content(found, highlight)})


def test_the_section_is_whole_and_holds_every_score():
    text = section(result(), "feature:concat")
    page = PAGE.Page(text)
    assert not page.open
    words = " ".join(page.text)
    for part in (
        "0.550",
        "0.700",
        "photo + note",
        "1,234 rows",
        "99 rows",
        "baseline",
        "a note",
        "photo blur: corruption",
    ):
        assert part in words, part
    assert len(page.named("svg")) == 3
    kinds = [tag["class"] for tag in page.named("polyline")]
    assert kinds.count("base") == kinds.count("chosen") == 3
    assert len(page.named("polygon")) == 3


def test_relative_and_effective_robustness_stand_in_the_summary():
    content = robustness_content(result())
    assert content["kinds"] == [RANDOM, CORRUPTION]
    line = next(line for line in content["summary"] if line["name"] == "feature:concat")
    assert line["cells"][0] == ("0.045", "+0.100", "0.000") or line["cells"][0][1] == "+0.100"
    alone = robustness_content(result(strategies=("feature:concat",), baseline=None))
    assert alone["summary"][0]["cells"][0][1:] == ("–", "–")


def test_names_of_the_users_are_escaped():
    text = section(result(views=(PAGE.ATTACK, "note")))
    assert "<script" not in text
    assert "<img" not in text


def test_many_subsets_are_cut_and_said():
    views = tuple(f"v{i}" for i in range(6))
    matrix = robustness_content(result(views=views))["matrix"]
    assert len(matrix["columns"]) == 13 <= MOST_COLUMNS
    assert matrix["left"] == 63 - 13
    assert f"{63 - 13} more subsets" in section(result(views=views))


def test_nothing_measured_is_no_section():
    assert robustness_content(None) is None
    empty = result()
    empty.subsets, empty.curves = [], []
    assert robustness_content(empty) is None


def test_a_highlight_that_was_not_measured_is_none():
    assert robustness_content(result(), "auto")["highlight"] is None


def test_shades_and_limits():
    assert shade(0.0, 0.0, 1.0) == "0.00"
    curve = Curve("x", RANDOM, "a", "", (0.0, 1.0), (Score(1.0, 0, 2), Score(0.5, 0, 2)), Robustness(0.25))
    assert limits([curve]) == pytest.approx((0.47, 1.03))
    flat = Curve("x", RANDOM, "a", "", (0.0, 1.0), (Score(0.0, 0, 0),) * 2, Robustness(0.0))
    low, high = limits([flat])
    assert low < 0 < high


@pytest.mark.parametrize("many", [True, False])
def test_the_terminal_shows_every_score(many):
    names = ("single:photo", "feature:concat")[not many :]
    stream = io.StringIO()
    print_robustness(result(strategies=names, baseline=None), Console(file=stream, width=120))
    text = stream.getvalue()
    for part in ("photo + note", "0.700", "missing at random", "all views", "photo blur", "drop", "a note"):
        assert part in text, part
    assert ("single:photo" in text) == many


def test_the_json_is_plain():
    import json

    found = json.loads(json.dumps(result().to_json(), allow_nan=False))
    assert found["subsets"][0] == {
        "strategy": "single:photo",
        "views": ["photo"],
        "score": {"score": 0.55, "low": pytest.approx(0.52), "high": pytest.approx(0.58)},
    }
    assert set(found["curves"][0]) == {"strategy", "kind", "view", "what", "levels", "scores", "robustness"}
