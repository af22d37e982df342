"""Reliability bins: they add up to the rows and to the calibration error; Wilson's interval is SciPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from scipy.stats import binomtest

from fusible.errors import ConfigError, DataError
from fusible.evaluation import metrics
from fusible.evaluation.reliability import reliability, wilson
from fusible.types import Task

KINDS = ("binary", "multiclass", "multilabel")


def case(kind, rows, seed):
    random = np.random.default_rng(seed)
    outputs = 2 if kind == "binary" else 4
    task = Task(kind, tuple(map(str, range(outputs))))
    if kind == "multilabel":
        return task, random.integers(0, 2, (rows, outputs)), random.random((rows, outputs))
    return task, random.integers(0, outputs, rows), softmax(2 * random.normal(size=(rows, outputs)), axis=1)


@given(st.sampled_from(KINDS), st.integers(1, 60), st.integers(0, 10**6))
def test_weighted_gaps_are_the_calibration_error(kind, rows, seed):
    task, truth, predicted = case(kind, rows, seed)
    bins = reliability(task, truth, predicted)
    total = sum(b.count for b in bins)
    assert total == (truth.size if kind == "multilabel" else rows)
    error = sum(b.count * abs(b.accuracy - b.confidence) for b in bins) / total
    assert error == pytest.approx(metrics.score("ece", task, truth, predicted), abs=1e-12)
    assert all(b.low - 1e-12 <= b.confidence <= b.high + 1e-12 for b in bins)
    assert all(b.accuracy_low - 1e-12 <= b.accuracy <= b.accuracy_high + 1e-12 for b in bins)


def test_shares_per_bin_by_hand():
    task = Task("multiclass", ("a", "b", "c"))
    predicted = np.array([[0.5, 0.3, 0.2], [0.2, 0.55, 0.25], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    truth = np.array([0, 2, 2, 0])
    (upper,) = reliability(task, truth, predicted, bins=2)
    assert (upper.count, upper.confidence, upper.accuracy) == (4, pytest.approx(0.7625), 0.75)
    quarters = reliability(task, truth, predicted, bins=4)
    assert [(b.low, b.count, b.accuracy) for b in quarters] == [(0.5, 2, 0.5), (0.75, 2, 1.0)]


@pytest.mark.parametrize(("hits", "number"), [(0, 5), (5, 5), (8, 10), (1, 1000), (37, 90)])
def test_wilson_is_scipys(hits, number):
    peer = binomtest(hits, number).proportion_ci(method="wilson")
    assert wilson(hits, number) == pytest.approx((peer.low, peer.high), abs=1e-12)


def test_no_trials_say_nothing():
    assert wilson(0, 0) == (0.0, 1.0)


def test_values_have_no_reliability():
    with pytest.raises(ConfigError, match="expected classes or labels, got values"):
        reliability(Task("regression"), np.zeros(2), np.zeros((2, 1)))


def test_predictions_that_are_not_finite_are_refused():
    with pytest.raises(DataError, match="not finite"):
        reliability(Task("binary", ("a", "b")), np.array([0]), np.array([[np.nan, 1.0]]))
