"""The index page over several tables, its diagram, and the table of the terminal."""

import io
import re

import numpy as np
import pytest
from _page import ATTACK, Page
from rich.console import Console

from fusible.errors import ConfigError
from fusible.evaluation.ranking import rank
from fusible.evaluation.several import TableStudy, several
from fusible.report._ranks import ranks_diagram
from fusible.report.several import print_several, render_index, write_index


@pytest.fixture
def many(study):
    """Results over so many tables, each with the strategies of the study fixture."""

    def build(count, **changes):
        found = [study("binary", classes=2, rows=120, seed=k, **changes).to_json() for k in range(count)]
        return several([TableStudy(f"set {k}", f"{k}.csv", s, f"set {k}") for k, s in enumerate(found)], "fusible …")

    return build


def planted(number):
    random = np.random.default_rng(0)
    turns = 0.01 * (-1.0) ** np.arange(number)[:, None]
    base = random.random((number, 1))
    return np.hstack([base + turns, base - turns, base - 0.5])


def test_page_says_scores_ranks_and_links(many):
    result = many(3)
    text = render_index(result)
    page = Page(text)
    said = " ".join(" ".join(page.text).split())
    assert page.open == []
    assert result.statement in said
    assert [a["href"] for a in page.named("a")] == [f"set%20{k}/report.html" for k in range(3)]
    for name, mean in zip(result.ranking.strategies, result.ranking.ranks, strict=True):
        assert name in said
        assert f"{mean:.2f}" in said
    for study in result.studies:
        assert all(f"{score:.3f}" in said for score in study.scores.values())
    assert "Descriptive only: with 3 data sets" in said
    assert not re.search(r"https?:|@import|url\(|<script", text)


def test_the_best_of_each_table_is_bold(many):
    result = many(2)
    strong = re.findall(r'<td class="n"><strong>([\d.]+)</strong></td>', render_index(result).split("<h2>Scores")[1])
    best = result.frame.max(axis=1)
    ties = result.frame.T.eq(best).sum().sum()
    assert len(strong) == ties
    assert set(strong) == {f"{value:.3f}" for value in best}


def test_diagram_places_ranks_and_joins_what_does_not_differ():
    ranking = rank(["a", "b", "worse"], planted(14))
    plot = str(ranks_diagram(ranking))
    starts = [float(x) for x in re.findall(r'class="leader" points="([\d.]+),', plot)]
    assert starts == sorted(starts)
    assert starts == pytest.approx([280 + 340 * (r - 1) / 2 for r in ranking.ranks], abs=0.06)
    (bar,) = re.findall(r'class="group" x1="([\d.]+)" y1="[\d.]+" x2="([\d.]+)"', plot)
    assert float(bar[0]) == pytest.approx(starts[0] - 3, abs=0.06)
    assert float(bar[1]) == pytest.approx(starts[1] + 3, abs=0.06)


def test_no_bars_where_nothing_is_decided():
    assert 'class="group"' not in str(ranks_diagram(rank(["a", "b", "worse"], planted(4))))


@pytest.mark.parametrize("count", [2, 3, 25, 60])
def test_diagrams_of_few_and_many_strategies_are_whole(count):
    names = [f"strategy {k} of a rather long name that goes on" for k in range(count)]
    ranking = rank(names, np.random.default_rng(0).random((8, count)))
    page = Page(str(ranks_diagram(ranking)))
    assert page.open == []
    assert len([a for a in page.named("polyline") if a["class"] == "leader"]) == count
    height = float(page.named("svg")[0]["viewbox"].split()[3])
    assert all(float(a["y"]) < height for a in page.named("text"))


def test_text_of_the_user_is_escaped(many):
    result = many(2, target=ATTACK, auto=ATTACK, best_single="single:image", verdict=ATTACK)
    studies = [TableStudy(ATTACK, ATTACK, s.study, ATTACK) for s in result.studies]
    page = Page(render_index(several(studies, ATTACK)))
    assert page.open == []
    assert not page.named("script")
    assert not page.named("img")


def test_without_ranks(many, study):
    result = many(2)
    result.ranking = None
    assert "Average ranks" not in render_index(result)
    assert Page(render_index(result)).open == []


def test_terminal_table(many):
    console = Console(file=io.StringIO(), width=160, record=True)
    result = many(2)
    print_several(result, console)
    text = console.export_text()
    for name in result.frame.columns:
        assert name in text
    assert f"{result.ranking.ranks[0]:.2f}" in text
    assert "set 1: " in text


def test_missing_folder_is_named(many, tmp_path):
    with pytest.raises(ConfigError, match="create it first"):
        write_index(many(2), tmp_path / "absent" / "report.html")
