"""Metrics that depend on the rows through sums only.

Each function takes the targets and the predictions or decisions and gives a scorer: weights (resamples, rows) -> scores
(resamples,). A weight counts how often a row was drawn, so that one matrix product scores every resample at once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse

Scorer = Callable[[np.ndarray], np.ndarray]
SMALLEST = 1e-15
BINS = 15


def totals(weights: np.ndarray, statistics: np.ndarray | sparse.csr_array) -> np.ndarray:
    """Sum the statistics (rows, k) with weights (resamples, rows) -> (resamples, k)."""
    summed: np.ndarray = np.asarray((statistics.T @ weights.T).T)
    return summed


def mean_of(values: np.ndarray, finish: Callable[[np.ndarray], np.ndarray] = lambda mean: mean) -> Scorer:
    """Mean of one value per row, then `finish`."""

    def scorer(weights: np.ndarray) -> np.ndarray:
        return finish(weights @ values / weights.sum(axis=1))

    return scorer


def log_loss_rows(target: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Negative log-likelihood per row; of several labels, the mean over labels."""
    p = np.clip(probability, SMALLEST, 1.0)
    if target.ndim == 1:
        chosen: np.ndarray = -np.log(p[np.arange(len(target)), target])
        return chosen
    q = np.clip(1.0 - probability, SMALLEST, 1.0)
    both: np.ndarray = -np.where(target == 1, np.log(p), np.log(q)).mean(axis=1)
    return both


def counts(truth: np.ndarray, said: np.ndarray, outputs: int) -> Callable[[np.ndarray], tuple[np.ndarray, ...]]:
    """Per class or label: hits, true count, said count; each (resamples, outputs)."""
    if truth.ndim == 1:
        is_true, is_said = _one_hot(truth, outputs), _one_hot(said, outputs)
    else:
        is_true, is_said = sparse.csr_array(truth.astype(float)), sparse.csr_array(said.astype(float))
    both = is_true.multiply(is_said).tocsr()
    return lambda weights: (totals(weights, both), totals(weights, is_true), totals(weights, is_said))


def f1(truth: np.ndarray, said: np.ndarray, outputs: int, positive: int | None = None) -> Scorer:
    """F1 of the class `positive`, or the mean over classes that occur in truth or decision; 0 where none does."""
    count = counts(truth, said, outputs)

    def scorer(weights: np.ndarray) -> np.ndarray:
        hits, true, claimed = count(weights)
        bottom = true + claimed
        each = 2.0 * hits / np.where(bottom > 0, bottom, 1.0)
        return each[:, positive] if positive is not None else _mean_where(each, bottom > 0)

    return scorer


def balanced_accuracy(truth: np.ndarray, said: np.ndarray, outputs: int) -> Scorer:
    """Mean recall over the classes that occur in the truth."""
    count = counts(truth, said, outputs)

    def scorer(weights: np.ndarray) -> np.ndarray:
        hits, true, _ = count(weights)
        return _mean_where(hits / np.where(true > 0, true, 1.0), true > 0)

    return scorer


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> Scorer:
    """Give the expected calibration error: |share right - mean confidence| per bin, 15 of equal width, by their rows.

    `confidence` and `right` have shape (rows, k): the top class (k = 1) or every label.
    """
    rows, width = confidence.shape
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    gap = (right - confidence).ravel()
    place = (np.repeat(np.arange(rows), width), bins.ravel())
    gaps = sparse.csr_array(sparse.coo_array((gap, place), shape=(rows, BINS)))
    return lambda weights: np.abs(totals(weights, gaps)).sum(axis=1) / (width * weights.sum(axis=1))


def r_squared(target: np.ndarray, prediction: np.ndarray) -> Scorer:
    """1 - squared error / variance; of a constant target 1 where the prediction is exact, else 0."""
    centred = target - target.mean()
    error = (target - prediction) ** 2
    statistics = np.stack([centred, centred**2, error], axis=1)

    def scorer(weights: np.ndarray) -> np.ndarray:
        drawn = weights.sum(axis=1)
        first, second, squared = totals(weights, statistics).T
        spread = second - first**2 / drawn
        constant = spread <= 1e-12 * second
        score: np.ndarray = 1.0 - squared / np.where(constant, 1.0, spread)
        return np.where(constant, np.where(squared <= 1e-12 * second, 1.0, 0.0), score)

    return scorer


def _one_hot(ids: np.ndarray, outputs: int) -> sparse.csr_array:
    rows = len(ids)
    return sparse.csr_array((np.ones(rows), ids, np.arange(rows + 1)), shape=(rows, outputs))


def _mean_where(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
    number = kept.sum(axis=1)
    mean: np.ndarray = np.where(kept, values, 0.0).sum(axis=1) / np.maximum(number, 1)
    return mean
