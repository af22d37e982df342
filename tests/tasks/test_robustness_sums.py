"""Robustness of a strategy that adds up what it sees, whose scores are known in closed form; any number of views."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from fusible.evaluation.missing import MOST_VIEWS
from fusible.evaluation.robustness import ALL, BY_TARGET, RANDOM
from fusible.tasks import robustness
from fusible.tasks._ground import Ground, Ledger, Subject
from fusible.tasks.compare import prepare
from fusible.tasks.nodes import Node
from fusible.tasks.robustness import RobustnessSettings, measure

ROWS = 4_000


@dataclass(slots=True)
class Adds(Node):
    """Predicts the sum of the numbers that are present."""

    views: tuple = ()

    def inputs(self):
        return [(view, None) for view in self.views]

    def parameters(self):
        return 0

    def _present_scores(self, source, rows):
        total = np.zeros((len(rows), 1))
        for view in self.views:
            data = source.data(view)
            there = data.presence[rows]
            total[there, 0] += data.values.iloc[data.ids[rows[there], 0]].iloc[:, 0].to_numpy()
        return total


def ground_of(number, metric, cache):
    """Independent numbers of deviations 1, 2, …; the target is their sum."""
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(ROWS, number)) * (1 + np.arange(number))
    table = pd.DataFrame({f"x{i}": parts[:, i] for i in range(number)}).assign(y=parts.sum(axis=1))
    views = {f"v{i}": [f"x{i}"] for i in range(number)}
    context, used = prepare(table, "y", None, views, metric, 0, cache=cache)
    rows = np.arange(ROWS)
    truth = parts.sum(axis=1)
    return Ground(context.source, rows, truth, Plain(context.target), metric, used), context, used


@dataclass(slots=True)
class Plain:
    """The target, without its standardisation."""

    inner: object

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def backward(self, scores):
        return scores


def node(context, views):
    return Adds("adds", context.task, np.zeros(1), views)


def test_errors_of_every_subset_are_those_of_the_hidden_numbers(tmp_path):
    ground, context, views = ground_of(3, "rmse", tmp_path)
    result = measure(ground, [Subject("adds", node(context, views))], RobustnessSettings(corrupt=False, rows=ROWS))
    assert len(result.subsets) == 7
    for subset in result.subsets:
        hidden = [i + 1 for i in range(3) if f"v{i}" not in subset.views]
        assert subset.score.score == pytest.approx(np.sqrt(np.sum(np.square(hidden))), rel=0.06, abs=1e-9)


def test_curves_rise_as_expected_where_lower_is_better(tmp_path):
    ground, context, views = ground_of(3, "rmse", tmp_path)
    subjects = [Subject("adds", node(context, views)), Subject("one", node(context, views[2:]))]
    result = measure(ground, subjects, RobustnessSettings(corrupt=False, rows=ROWS), "one")
    curve = result.curve("adds", RANDOM, "v1")
    for rate, score in zip(curve.levels, curve.scores, strict=True):
        assert score.score == pytest.approx(2 * np.sqrt(rate), rel=0.06, abs=1e-9)
    everything = result.curve("adds", RANDOM, ALL)
    for rate, score in zip(everything.levels, everything.scores, strict=True):
        assert score.score == pytest.approx(np.sqrt(14 * rate), rel=0.06, abs=1e-9)
    assert curve.robustness.drop > 0  # a greater error is a fall
    # The baseline sees v2 alone: its error is that of v0 and v1, whatever happens to v1.
    base = np.sqrt(1 + 4)
    expected = base - np.trapezoid([s.score for s in curve.scores], curve.levels) / curve.levels[-1]
    assert curve.robustness.relative == pytest.approx(expected, rel=0.05)
    assert curve.robustness.effective == pytest.approx(curve.robustness.relative - base, rel=0.05)
    with pytest.raises(KeyError):
        result.curve("one", RANDOM, "v1")  # it does not see it


def test_missingness_by_the_target_keeps_the_rate(tmp_path):
    ground, context, views = ground_of(2, "rmse", tmp_path)
    result = measure(ground, [Subject("adds", node(context, views))], RobustnessSettings(corrupt=False, rows=ROWS))
    # Great sums go missing more often, as many small ones less: here the two even out in the mean of squares.
    assert result.curve("adds", BY_TARGET, "v1").scores[3].score == pytest.approx(
        result.curve("adds", RANDOM, "v1").scores[3].score, rel=0.1
    )


def test_more_views_than_subsets_can_be_counted(tmp_path):
    number = MOST_VIEWS + 1
    ground, context, views = ground_of(number, "r2", tmp_path)
    subject = Subject("adds", node(context, views))
    result = measure(ground, [subject], RobustnessSettings(corrupt=False, rows=200, draws=1))
    assert len(result.subsets) == 2 * number + 1
    assert result.subsets[-1].score.score == pytest.approx(1.0)
    assert any("not every subset" in note for note in result.notes)
    assert any("sample of 200 of 4000 rows" in note for note in result.notes)
    hidden = np.random.default_rng(1).random((ROWS, number)) < 0.5
    truth = ground.truth[:, None]
    seen = np.stack([context.source.data(view).values.iloc[:, 0].to_numpy() for view in views], axis=1)
    np.testing.assert_allclose(Ledger(ground, subject).scores(hidden)[:, 0], np.where(hidden, 0, seen).sum(axis=1))
    np.testing.assert_allclose(Ledger(ground, subject).scores(np.zeros_like(hidden)), truth)


def test_fewer_rows_where_too_much_would_be_held(tmp_path, monkeypatch):
    ground, context, views = ground_of(2, "r2", tmp_path)
    monkeypatch.setattr(robustness, "VALUES", 1_200)
    result = measure(ground, [Subject("adds", node(context, views))], RobustnessSettings(corrupt=False, draws=1))
    assert result.rows == 300


def test_one_view_has_one_subset_and_no_curve_of_all(tmp_path):
    ground, context, views = ground_of(1, "r2", tmp_path)
    result = measure(ground, [Subject("adds", node(context, views))], RobustnessSettings(corrupt=False, rows=300))
    assert [subset.views for subset in result.subsets] == [("v0",)]
    assert {curve.view for curve in result.curves} == {"v0"}
