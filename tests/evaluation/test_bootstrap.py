import time

import numpy as np
import pytest
from scipy.stats import binom

from fusible.evaluation.bootstrap import affordable, draws, interval, paired
from fusible.evaluation.metrics import METRICS, score
from fusible.types import Task

BINARY = Task("binary", ("no", "yes"))
MANY = Task("multiclass", ("a", "b", "c"))
LABELS = Task("multilabel", ("x", "y", "z"))
VALUES = Task("regression")


def case(task, rows, seed=0):
    random = np.random.default_rng(seed)
    if task.kind == "regression":
        target = random.normal(0, 1, rows)
        return target, (target + random.normal(0, 0.5, rows))[:, None]
    if task.kind == "multilabel":
        target = random.integers(0, 2, (rows, task.outputs))
        return target, 1 / (1 + np.exp(-2.0 * target + 1 - random.normal(0, 1, target.shape)))
    target = random.integers(0, task.outputs, rows)
    logits = random.normal(0, 1, (rows, task.outputs))
    logits[np.arange(rows), target] += 1.5
    return target, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


FITTING = [
    (task, name) for task in (BINARY, MANY, LABELS, VALUES) for name in METRICS if task.kind in METRICS[name].tasks
]


@pytest.mark.parametrize(("task", "metric"), FITTING, ids=lambda value: getattr(value, "kind", value))
def test_weights_score_as_repeated_rows_do(task, metric):
    """The oracle: score the drawn rows themselves, one resample at a time."""
    target, prediction = case(task, 40)
    found = interval(metric, task, target, prediction, resamples=200, seed=3)
    weights = np.concatenate(list(draws(40, 200, seed=3))).astype(int)
    oracle = [score(metric, task, np.repeat(target, w, axis=0), np.repeat(prediction, w, axis=0)) for w in weights]
    low, high = np.percentile(oracle, [2.5, 97.5])
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-9), pytest.approx(high, abs=1e-9))
    assert found.score == score(metric, task, target, prediction)


def test_accuracy_interval_is_that_of_the_binomial():
    target = np.zeros(400, dtype=int)
    prediction = np.where(np.arange(400)[:, None] < 320, [0.9, 0.1], [0.1, 0.9])
    found = interval("accuracy", BINARY, target, prediction, resamples=4000)
    assert found.score == 0.8
    assert found.low == pytest.approx(binom.ppf(0.025, 400, 0.8) / 400, abs=0.005)
    assert found.high == pytest.approx(binom.ppf(0.975, 400, 0.8) / 400, abs=0.005)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    random = np.random.default_rng(0)
    held = 0
    for seed in range(200):
        right = random.random(150) < 0.7
        prediction = np.where(right[:, None], [0.9, 0.1], [0.1, 0.9])
        found = interval("accuracy", BINARY, np.zeros(150, dtype=int), prediction, resamples=300, seed=seed)
        held += found.low <= 0.7 <= found.high
    assert 0.90 <= held / 200 <= 0.99


def test_draws_are_multinomial_and_bounded():
    chunks = list(draws(1000, 2500, seed=0))
    weights = np.concatenate(chunks)
    assert weights.shape == (2500, 1000)
    assert max(chunk.size for chunk in chunks) <= 1_000_000
    assert (weights.sum(axis=1) == 1000).all()
    assert weights.var() == pytest.approx(1 - 1 / 1000, rel=0.01)


def test_the_same_seed_gives_the_same_interval():
    target, prediction = case(MANY, 100)
    first = interval("f1", MANY, target, prediction, seed=5)
    assert interval("f1", MANY, target, prediction, seed=5) == first
    assert interval("f1", MANY, target, prediction, seed=6) != first


def test_paired_differences_are_narrower_than_unpaired_ones():
    target, a = case(MANY, 500)
    b = a.copy()
    worse = np.flatnonzero(a.argmax(axis=1) == target)[:10]
    b[worse] = np.roll(a[worse], 1, axis=1)
    found = paired("accuracy", MANY, target, a, b)
    alone = interval("accuracy", MANY, target, a)
    assert found.mean == pytest.approx(10 / 500)
    assert 0 < found.low < found.mean < found.high < 0.04
    assert found.high - found.low < (alone.high - alone.low) / 2
    assert found.p_better > 0.99


def test_positive_is_better_where_lower_scores_are():
    target, good = case(VALUES, 300)
    bad = good + 0.5
    assert paired("mae", VALUES, target, good, bad).low > 0
    assert paired("mae", VALUES, target, bad, good).high < 0
    assert paired("r2", VALUES, target, good, bad).low > 0


def test_a_prediction_against_itself_is_no_difference():
    target, prediction = case(BINARY, 100)
    found = paired("auroc", BINARY, target, prediction, prediction, resamples=200)
    assert (found.mean, found.low, found.high, found.p_better) == (0.0, 0.0, 0.0, 0.5)


def test_each_side_has_its_own_threshold():
    target, prediction = case(BINARY, 200)
    found = paired("f1", BINARY, target, prediction, prediction, threshold=0.5, threshold_b=0.99)
    expected = score("f1", BINARY, target, prediction, 0.5) - score("f1", BINARY, target, prediction, 0.99)
    assert found.mean == pytest.approx(expected)


def test_work_is_bounded():
    assert affordable("accuracy", BINARY, 10_000, 1000) == 1000
    assert affordable("accuracy", BINARY, 10_000_000, 1000) == 200
    assert affordable("auroc", BINARY, 10_000, 1000) == 1000
    assert affordable("auroc", MANY, 100_000, 1000) == 200
    assert affordable("accuracy", BINARY, 10_000_000, 50) == 50


def test_ten_thousand_rows_are_quick():
    target, prediction = case(MANY, 10_000)
    start = time.process_time()
    interval("accuracy", MANY, target, prediction)
    assert time.process_time() - start < 1.5  # 0.12 s on a quiet core
