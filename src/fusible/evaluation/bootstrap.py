"""Bootstrap over rows: intervals of scores, and paired differences of two predictions.

Percentile intervals at 95 % (Efron & Tibshirani, 1993). A resample is a vector of how often each row was drawn; every
metric scores a matrix of such weights at once, so that 1,000 resamples cost one matrix product or, for rankings, one
pass over sorted rows. The same seed and number of rows draw the same resamples: paired comparisons and intervals of
different strategies stand on the same ones. Work is bounded: where rows (times columns, for rankings) are many, fewer
resamples are drawn, never under 200. Limits: a prediction that is right on every row has an interval of width zero, and
the calibration error is biased upwards in resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from fusible.evaluation.metrics import METRICS, scorer
from fusible.evaluation.study import Difference, Score
from fusible.types import Task

LEVELS = (2.5, 97.5)
FEWEST = 200
SUM_BUDGET = 300_000_000
RANK_BUDGET = 20_000_000
CHUNK = 1_000_000


def interval(
    metric: str,
    task: Task,
    target: np.ndarray,
    prediction: np.ndarray,
    *,
    threshold: float | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Score:
    """Score of the rows with its 95 % bootstrap interval; shapes and errors as in `metrics.score`."""
    prepared = scorer(metric, task, target, prediction, threshold)
    rows = len(target)
    drawn = _apply(prepared, rows, affordable(metric, task, rows, resamples), seed)
    low, high = np.percentile(drawn, LEVELS)
    return Score(_point(prepared, rows), float(low), float(high))


def paired(
    metric: str,
    task: Task,
    target: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    *,
    threshold: float | None = None,
    threshold_b: float | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Difference:
    """By how much `a` is better than `b` on the same rows, in the metric's units; positive is better for any metric.

    `threshold_b` is the threshold of `b` where it differs from that of `a`.
    """
    first = scorer(metric, task, target, a, threshold)
    second = scorer(metric, task, target, b, threshold if threshold_b is None else threshold_b)
    sign = METRICS[metric].sign
    rows = len(target)

    def difference(weights: np.ndarray) -> np.ndarray:
        return sign * (first(weights) - second(weights))

    drawn = _apply(difference, rows, affordable(metric, task, rows, resamples), seed)
    low, high = np.percentile(drawn, LEVELS)
    better = float((drawn > 0).mean() + 0.5 * (drawn == 0).mean())
    return Difference(_point(difference, rows), float(low), float(high), better)


def affordable(metric: str, task: Task, rows: int, resamples: int) -> int:
    """Give the number of resamples that the work allows: `resamples`, or fewer for many rows, but at least 200."""
    ranks = METRICS[metric].ranks
    columns = task.outputs if ranks and task.kind != "binary" else 1
    budget = RANK_BUDGET if ranks else SUM_BUDGET
    return min(resamples, max(FEWEST, budget // max(rows * columns, 1)))


def draws(rows: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Weights (some resamples, rows) in chunks of bounded size: how often each row is drawn, with replacement."""
    random = np.random.default_rng(seed)
    size = max(1, CHUNK // rows)
    for start in range(0, resamples, size):
        number = min(size, resamples - start)
        picked = random.integers(0, rows, size=(number, rows), dtype=np.int32)
        weights = np.stack([np.bincount(line, minlength=rows) for line in picked])
        yield weights.astype(float)


def _apply(score: Callable[[np.ndarray], np.ndarray], rows: int, resamples: int, seed: int) -> np.ndarray:
    return np.concatenate([score(weights) for weights in draws(rows, resamples, seed)])


def _point(score: Callable[[np.ndarray], np.ndarray], rows: int) -> float:
    return float(score(np.ones((1, rows)))[0])
