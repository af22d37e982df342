"""Pairs of predictions: counts by hand, bounds, and Kuncheva & Whitaker's measures in closed form."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible.errors import DataError
from fusible.evaluation.complementarity import Pair, complementarity, correct, of_study
from fusible.evaluation.study import Difference, Score, StrategyResult, StudyResult
from fusible.types import Task

BINARY = Task("binary", ("no", "yes"))


def says(right, truth):
    """Probabilities that are right exactly where `right` says so."""
    said = np.where(right, truth, 1 - truth)
    return np.where(np.eye(2)[said] == 1, 0.8, 0.2)


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 1)), min_size=1, max_size=40))
def test_counts_are_those_of_the_rows(rows):
    a, b, truth = (np.array(column) for column in zip(*rows, strict=True))
    (pair,) = complementarity(BINARY, truth, {"a": says(a, truth), "b": says(b, truth)})
    assert pair.both == (a & b).sum()
    assert pair.only_a == (a & ~b).sum()
    assert pair.only_b == (~a & b).sum()
    assert pair.neither == (~a & ~b).sum()
    assert pair.count == len(rows)
    assert pair.oracle == pytest.approx((a | b).mean())
    assert pair.oracle >= max(a.mean(), b.mean()) - 1e-12
    assert pair.disagreement == pytest.approx((a != b).mean())
    assert pair.oracle + pair.double_fault == pytest.approx(1.0)
    assert pair.q is None or -1 <= pair.q <= 1


def test_measures_in_closed_form():
    pair = Pair("a", "b", both=6, only_a=2, only_b=1, neither=3)
    assert pair.q == pytest.approx((6 * 3 - 2 * 1) / (6 * 3 + 2 * 1))
    assert pair.disagreement == 0.25
    assert pair.double_fault == 0.25
    assert json.loads(json.dumps(pair.to_json()))["oracle"] == 0.75
    assert Pair("a", "b", 4, 0, 0, 0).q is None


def test_independent_views_have_a_q_of_zero():
    assert Pair("a", "b", both=12, only_a=6, only_b=4, neither=2).q == 0.0


def test_thresholds_are_per_strategy():
    truth, predicted = np.array([1]), np.array([[0.6, 0.4]])
    (pair,) = complementarity(BINARY, truth, {"a": predicted, "b": predicted}, {"a": 0.3, "b": None})
    assert (pair.only_a, pair.only_b) == (1, 0)


def test_labels_are_decisions_of_their_own():
    task = Task("multilabel", ("x", "y"))
    truth = np.array([[1, 0], [0, 0]])
    first, second = np.array([[0.9, 0.9], [0.1, 0.1]]), np.array([[0.9, 0.1], [0.9, 0.1]])
    (pair,) = complementarity(task, truth, {"a": first, "b": second})
    assert (pair.both, pair.only_a, pair.only_b, pair.neither) == (2, 1, 1, 0)
    np.testing.assert_array_equal(correct(task, truth, first), [[True, False], [True, True]])


def test_residuals_are_correlated_as_numpy_says():
    random = np.random.default_rng(0)
    truth, a, b = random.normal(size=(3, 50))
    (pair,) = complementarity(Task("regression"), truth, {"a": a[:, None], "b": b[:, None]})
    assert pair.correlation == pytest.approx(np.corrcoef(truth - a, truth - b)[0, 1])
    assert pair.a_closer == pytest.approx((np.abs(truth - a) < np.abs(truth - b)).mean())


def test_constant_residuals_have_no_correlation_and_ties_count_half():
    truth = np.array([1.0, 2.0])
    (pair,) = complementarity(Task("regression"), truth, {"a": truth[:, None], "b": truth[:, None]})
    assert pair.correlation is None
    assert pair.a_closer == 0.5


def test_every_two_in_the_order_given():
    truth = np.array([0, 1])
    given_names = ["c", "a", "b"]
    pairs = complementarity(BINARY, truth, {name: says(np.array([True, False]), truth) for name in given_names})
    assert [(p.a, p.b) for p in pairs] == [("c", "a"), ("c", "b"), ("a", "b")]
    assert complementarity(BINARY, truth, {}) == []


def test_of_a_study_only_singles_count():
    truth = np.array([0, 1, 1])
    score = Score(0.5, 0.0, 1.0)
    rows = [StrategyResult(name, name.partition(":")[0], score, score) for name in ("single:a", "model:x", "single:b")]
    given_scores = {row.name: says(np.array([True, False, k == 2]), truth) for k, row in enumerate(rows)}
    result = StudyResult(
        BINARY, "accuracy", "y", {"test": 3}, rows, "single:a", "single:a", "no evidence", Difference(0, 0, 0), "",
        truth=truth, predictions=given_scores,
    )  # fmt: skip
    (pair,) = of_study(result)
    assert (pair.a, pair.b, pair.only_a, pair.only_b) == ("single:a", "single:b", 0, 1)


def test_predictions_of_other_rows_are_refused():
    with pytest.raises(DataError, match="expected target"):
        complementarity(BINARY, np.array([0, 1]), {"a": np.ones((3, 2)) / 2, "b": np.ones((3, 2)) / 2})
