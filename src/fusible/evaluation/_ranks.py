"""Metrics of ranking: area under the ROC curve, average precision.

As in `_sums`, each function gives a scorer: weights (resamples, rows) -> scores (resamples,). Ties count as in
scikit-learn (half a win for the ROC curve, one step for precision).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fusible.evaluation._sums import Scorer

Area = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def auroc(positive: np.ndarray, scores: np.ndarray) -> Scorer:
    """Mean over columns of the area under the ROC curve; columns with one class are left out; 0.5 where none is left.

    `positive` (bool) and `scores` have shape (rows, columns): one column for a binary task, else one per class or
    label (one against the rest).
    """
    return _mean_over_columns(positive, scores, _auroc, empty=0.5)


def average_precision(positive: np.ndarray, scores: np.ndarray) -> Scorer:
    """Mean over columns of the average precision; columns without a positive row are left out; 0 where none is left."""
    return _mean_over_columns(positive, scores, _average_precision, empty=0.0)


def _mean_over_columns(positive: np.ndarray, scores: np.ndarray, area: Area, empty: float) -> Scorer:
    order = np.argsort(-scores, axis=0, kind="stable")
    starts = [_group_starts(scores[order[:, k], k]) for k in range(scores.shape[1])]

    def scorer(weights: np.ndarray) -> np.ndarray:
        total = np.zeros(len(weights))
        number = np.zeros(len(weights))
        for k, first in enumerate(starts):
            drawn = weights[:, order[:, k]]
            hits = np.add.reduceat(drawn * positive[order[:, k], k], first, axis=1)
            misses = np.add.reduceat(drawn, first, axis=1) - hits
            value, defined = area(hits, misses)
            total += np.where(defined, value, 0.0)
            number += defined
        mean: np.ndarray = np.where(number > 0, total / np.maximum(number, 1), empty)
        return mean

    return scorer


def _group_starts(ordered: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))


def _auroc(hits: np.ndarray, misses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    positives, negatives = hits.sum(axis=1), misses.sum(axis=1)
    below = negatives[:, None] - np.cumsum(misses, axis=1) + 0.5 * misses
    pairs = positives * negatives
    return (hits * below).sum(axis=1) / np.where(pairs > 0, pairs, 1.0), pairs > 0


def _average_precision(hits: np.ndarray, misses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found = np.cumsum(hits, axis=1)
    seen = found + np.cumsum(misses, axis=1)
    precision = found / np.where(seen > 0, seen, 1.0)
    positives = hits.sum(axis=1)
    return (hits * precision).sum(axis=1) / np.where(positives > 0, positives, 1.0), positives > 0
