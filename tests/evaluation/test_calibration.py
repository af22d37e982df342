import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax

from fusible.evaluation.calibration import apply_temperature, temperature
from fusible.evaluation.metrics import score
from fusible.types import Task

MANY = Task("multiclass", tuple("abcd"))
LABELS = Task("multilabel", ("x", "y"))


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_a_known_temperature_is_found(true):
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (20000, 4))
    honest = softmax(logits, axis=1)
    target = (random.random((20000, 1)) > honest.cumsum(axis=1)).sum(axis=1).clip(max=3)
    found = temperature(softmax(logits * true, axis=1), target, MANY)
    assert found == pytest.approx(true, rel=0.05)
    np.testing.assert_allclose(apply_temperature(softmax(logits * true, axis=1), true, MANY), honest, atol=1e-3)


def test_a_known_temperature_of_labels_is_found():
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (20000, 2))
    target = (random.random((20000, 2)) < expit(logits)).astype(int)
    assert temperature(expit(logits * 2), target, LABELS) == pytest.approx(2.0, rel=0.05)
    np.testing.assert_allclose(apply_temperature(expit(logits * 2), 2.0, LABELS), expit(logits), atol=1e-6)


def test_too_sure_probabilities_are_better_afterwards():
    random = np.random.default_rng(1)
    target = random.integers(0, 4, 2000)
    logits = random.normal(0, 1, (2000, 4)) * 5
    logits[np.arange(2000), target] += 4
    probability = softmax(logits, axis=1)
    after = apply_temperature(probability, temperature(probability, target, MANY), MANY)
    for metric in ("log_loss", "ece"):
        assert score(metric, MANY, target, after) < 0.7 * score(metric, MANY, target, probability)


def test_few_rows_that_are_all_right_do_not_make_it_certain():
    probability = np.tile([0.7, 0.1, 0.1, 0.1], (5, 1))
    after = apply_temperature(probability, temperature(probability, np.zeros(5, dtype=int), MANY), MANY)
    assert 0.7 < after[0, 0] < 0.95


def test_regression_is_left_alone():
    values = np.array([[1.0], [2.0]])
    assert temperature(values, np.array([1.0, 2.0]), Task("regression")) == 1.0
    np.testing.assert_array_equal(apply_temperature(values, 3.0, Task("regression")), values)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 20.0))
def test_decisions_stay_and_probabilities_sum_to_one(seed, value):
    probability = np.random.default_rng(seed).dirichlet(np.ones(4), 20)
    after = apply_temperature(probability, value, MANY)
    np.testing.assert_array_equal(after.argmax(axis=1), probability.argmax(axis=1))
    np.testing.assert_allclose(after.sum(axis=1), 1.0, rtol=1e-12)


def test_zero_and_one_stay_finite():
    after = apply_temperature(np.array([[1.0, 0.0, 0.0, 0.0]]), 2.0, MANY)
    assert np.isfinite(after).all()
    assert np.isfinite(apply_temperature(np.array([[1.0, 0.0]]), 2.0, LABELS)).all()
