"""Are probabilities true? Share of right answers by confidence (reliability diagram; DeGroot & Fienberg, 1983).

Bins are those of the calibration error (`metrics`, 15 of equal width): the gaps of a diagram, weighted by their counts,
sum to that error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from fusible.errors import ConfigError
from fusible.evaluation._sums import BINS
from fusible.evaluation.metrics import checked
from fusible.types import Task

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers with a confidence in [`low`, `high`): how many, how sure on average, and the share that is right.

    `accuracy_low` and `accuracy_high` are the 95 % Wilson interval of that share.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float
    accuracy_low: float
    accuracy_high: float


def reliability(task: Task, target: np.ndarray, prediction: np.ndarray, bins: int = BINS) -> list[Bin]:
    """Bins that hold an answer, by confidence; shapes and errors as in `metrics.score`.

    Of one class per row, the answer is the most probable class and the confidence its probability. Of several labels,
    all labels are pooled, and an answer is that a label holds. Raises `ConfigError` for regression, which has none.

    >>> task = Task("binary", ("no", "yes"))
    >>> sure, unsure = reliability(task, np.array([1, 0]), np.array([[0.1, 0.9], [0.4, 0.6]]), bins=5)[::-1]
    >>> sure.confidence, sure.accuracy, unsure.accuracy
    (0.9, 1.0, 0.0)
    """
    if task.kind == "regression":
        raise ConfigError("reliability of a regression task: expected classes or labels, got values; plot residuals")
    target, prediction = checked(task, target, prediction)
    if task.kind == "multilabel":
        confidence, right = prediction.ravel(), (target == 1).ravel()
    else:
        confidence, right = prediction.max(axis=1), prediction.argmax(axis=1) == target
    return binned(confidence, right, bins)


def binned(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> list[Bin]:
    """Bins of answers by confidence; `right` (answers,) is what each is worth, from 0 to 1.

    >>> binned(np.array([0.95, 0.96]), np.array([1.0, 0.6]), bins=5)[0].accuracy
    0.8
    """
    place = np.clip((confidence * bins).astype(np.int64), 0, bins - 1)
    return [_bin(k, bins, confidence[place == k], right[place == k]) for k in np.unique(place).tolist()]


def calibration_error(bins: list[Bin]) -> float:
    """Mean gap of confidence and accuracy over answers: the expected calibration error.

    >>> round(calibration_error(binned(np.array([0.95, 0.97]), np.array([1.0, 0.0]))), 2)
    0.46
    """
    total = sum(one.count for one in bins)
    return float(sum(one.count * abs(one.accuracy - one.confidence) for one in bins) / total) if total else 0.0


def wilson(successes: float, number: int) -> tuple[float, float]:
    """Give the 95 % score interval of a share (Wilson, 1927); of no trials, all of [0, 1].

    >>> [round(end, 4) for end in wilson(8, 10)]
    [0.4902, 0.9433]
    """
    if not number:
        return 0.0, 1.0
    z = float(ndtri(0.5 + LEVEL / 2))
    share, shrink = successes / number, 1.0 + z * z / number
    middle = (share + z * z / (2 * number)) / shrink
    reach = z * np.sqrt(share * (1 - share) / number + (z / (2 * number)) ** 2) / shrink
    return max(0.0, float(middle - reach)), min(1.0, float(middle + reach))


def _bin(place: int, bins: int, confidence: np.ndarray, right: np.ndarray) -> Bin:
    count, hits = len(right), float(right.sum())
    return Bin(place / bins, (place + 1) / bins, count, float(confidence.mean()), hits / count, *wilson(hits, count))
