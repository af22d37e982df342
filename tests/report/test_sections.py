"""Reliability and complementarity on the page: what is drawn is what was counted."""

import re

import numpy as np
import pytest
from _page import ATTACK, Page

from fusible.evaluation.complementarity import of_study
from fusible.evaluation.reliability import reliability
from fusible.evaluation.robustness import RobustnessResult, Subset
from fusible.report._heat import heat
from fusible.report._plots import HEIGHT, LEFT, TOP, WIDTH
from fusible.report.complementarity import complementarity_content
from fusible.report.html import render


def drawings(page, kind):
    return re.findall(rf'<svg class="{kind}[" ].*?</svg>', page, re.DOTALL)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_reliability_of_auto_and_of_the_best_single(study, kind):
    result = study(kind, classes=2 if kind == "binary" else 4)
    plots = drawings(render(result), "reliability")
    assert len(plots) == 2
    for plot, name in zip(plots, ("feature:concat", "single:question"), strict=True):
        bins = reliability(result.task, result.truth, result.predictions[name])
        points = re.findall(r'class="mean" cx="([\d.]+)" cy="([\d.]+)"', plot)
        assert len(points) == len(bins)
        for (x, y), one in zip(points, bins, strict=True):
            assert float(x) == pytest.approx(LEFT + WIDTH * one.confidence, abs=0.06)
            assert float(y) == pytest.approx(TOP + HEIGHT * (1 - one.accuracy), abs=0.06)
        assert re.findall(r"<title>([\d,]+) answers", plot) == [f"{one.count:,}" for one in bins]


def test_reliability_is_drawn_once_where_auto_is_the_best_single(study):
    page = render(study("binary", classes=2, auto="single:question"))
    assert len(drawings(page, "reliability")) == 1
    assert "Reliability of single:question; calibration error" in page


def test_values_have_residuals_instead(study):
    page = render(study("regression"))
    assert not drawings(page, "reliability")
    assert "Correlation of residuals" in page
    assert "Reliability" not in page


def test_cells_are_shares_where_one_is_right_and_the_other_wrong(study):
    result = study("multiclass", classes=3)
    (plot,) = drawings(render(result), "heat")
    right = {n: result.predictions[n].argmax(axis=1) == result.truth for n in ("single:question", "single:image")}
    a, b = right.values()
    wanted = [a.mean(), (a & ~b).mean(), (b & ~a).mean(), b.mean()]
    shown = re.findall(r'class="count[^"]*"[^>]*>([\d.]+) %<', plot)
    assert [float(value) for value in shown] == [round(100 * value, 1) for value in wanted]
    (pair,) = of_study(result)
    text = " ".join(" ".join(Page(render(result)).text).split())
    assert f"{100 * pair.oracle:.1f} %" in text
    assert "Do the views complete each other?" in text


def test_one_view_has_nothing_to_compare_with(study):
    result = study("multiclass")
    result.strategies = [row for row in result.strategies if row.name != "single:image"]
    assert complementarity_content(result) is None
    assert "complete each other" not in render(result)


def test_of_many_views_the_first_are_shown(study):
    result = study("multiclass", classes=3)
    template = result.strategy("single:image")
    for k in range(14):
        result.strategies.append(type(template)(f"single:v{k}", "single", template.test, template.valid))
        result.predictions[f"single:v{k}"] = result.predictions["single:image"]
    content = complementarity_content(result)
    assert content["left"] == 16 * 15 // 2 - 30
    assert len(content["lines"]) == 30
    assert str(content["plot"]).count("<rect") == 12 * 12


def test_rows_that_one_view_gets_right_are_shown_and_escaped(study, photo):
    says = [("single:question", ATTACK, True), (ATTACK, "class 2", False)]
    example = {"title": ATTACK, "image": photo(), "fields": {ATTACK: ATTACK}, "truth": ATTACK, "says": says}
    page = Page(render(study("multiclass", contrasts=[example])))
    assert page.open == []
    assert not page.named("script")
    assert len(page.named("img")) == 2
    assert "Test rows that only one view gets right" in " ".join(page.text)


def test_heat_shows_negative_unknown_and_itself():
    values = np.array([[1.0, -0.5, np.nan], [-0.5, 1.0, 0.25], [np.nan, 0.25, 1.0]])
    plot = str(heat(values, ["a", "b", ATTACK], across="x", down="y", top=1.0, percent=False))
    kinds = re.findall(r'<rect class="(\w+)".*?fill-opacity="([\d.]+)"', plot)
    assert kinds[1] == ("wrong", "0.53")
    assert kinds[2][0] == "empty"
    assert kinds[5] == ("right", "0.29")
    assert "−0.50" in plot
    assert ATTACK not in plot


def test_optional_sections_are_left_out(study):
    text = render(study())
    assert "What it rests on" not in text
    assert "Balance of joint training" not in text
    found = study().to_json()
    assert not {"robustness", "attribution", "balance"} & set(found)


def test_what_was_measured_further_is_in_the_object(study):
    class Found:
        def to_json(self):
            return {"score": np.float64(0.5), "low": float("nan")}

    result = study(robustness=Found(), balance={"image": np.int64(1)})
    found = result.to_json()
    assert found["robustness"] == {"score": 0.5, "low": None}
    assert found["balance"] == {"image": 1}
    assert "attribution" not in found


def test_robustness_is_shown_where_it_was_measured(study):
    result = study("multiclass", classes=3)
    seen = result.strategies[0].test
    subset = Subset("single:image", ("image",), seen)
    names = ("image",), ("single:image",)
    result.robustness = RobustnessResult(result.task, "accuracy", "answer", 300, *names, subsets=[subset])
    page = Page(render(result))
    assert page.open == []
    assert "With modalities missing or corrupted" in " ".join(page.text)
