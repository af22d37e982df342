"""Metrics by name: what each measures, which way is better, for which tasks, and its score.

Targets: class ids (rows,) for binary and multiclass, 0/1 (rows, labels) for multilabel, values (rows,) for regression.
Predictions: class probabilities (rows, classes) — binary has two columns, the second is the positive class —, label
probabilities (rows, labels), values (rows, 1). Every metric has a value on any rows: a class that does not occur is
left out of a mean over classes, and the docstrings of the formulas say what is given where nothing is left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from fusible.errors import ConfigError, DataError
from fusible.evaluation import _ranks, _sums
from fusible.evaluation._sums import Scorer
from fusible.types import Task

CLASSES = frozenset({"binary", "multiclass"})
CHOICES = CLASSES | {"multilabel"}
VALUES = frozenset({"regression"})
CANDIDATES = 512
PLATEAU = 5e-4


@dataclass(frozen=True, slots=True)
class Metric:
    """A named metric. `decides`: it depends on a threshold; `ranks`: it costs a pass over sorted rows per resample.

    `build(task, target, prediction, threshold)` gives a scorer: weights (resamples, rows) -> scores (resamples,).
    """

    name: str
    title: str
    higher_is_better: bool
    tasks: frozenset[str]
    build: Callable[[Task, np.ndarray, np.ndarray, float | None], Scorer]
    decides: bool = False
    ranks: bool = False

    @property
    def sign(self) -> int:
        """1 where higher is better, -1 where lower is."""
        return 1 if self.higher_is_better else -1


def decide(task: Task, prediction: np.ndarray, threshold: float | None = None) -> np.ndarray:
    """Turn predictions into decisions: class ids (rows,), 0/1 (rows, labels), or values (rows,).

    Binary: positive where the probability is at least `threshold` (default 0.5); multiclass: the most probable class;
    multilabel: every label at or over `threshold`.

    >>> decide(Task("binary", ("no", "yes")), np.array([[0.6, 0.4], [0.1, 0.9]]), threshold=0.3)
    array([1, 1])
    """
    if task.kind == "regression":
        return prediction[:, 0]
    if task.kind == "multiclass":
        return np.asarray(prediction.argmax(axis=1))
    cut = 0.5 if threshold is None else threshold
    chance = prediction[:, 1] if task.kind == "binary" else prediction
    decided: np.ndarray = (chance >= cut).astype(np.int64)
    return decided


def _accuracy(task: Task, target: np.ndarray, prediction: np.ndarray, threshold: float | None) -> Scorer:
    right = decide(task, prediction, threshold) == target
    return _sums.mean_of((right if right.ndim == 1 else right.all(axis=1)).astype(float))


def _f1(task: Task, target: np.ndarray, prediction: np.ndarray, threshold: float | None) -> Scorer:
    positive = 1 if task.kind == "binary" else None
    return _sums.f1(target, decide(task, prediction, threshold), task.outputs, positive)


def _macro_f1(task: Task, target: np.ndarray, prediction: np.ndarray, threshold: float | None) -> Scorer:
    return _sums.f1(target, decide(task, prediction, threshold), task.outputs)


def _balanced(task: Task, target: np.ndarray, prediction: np.ndarray, threshold: float | None) -> Scorer:
    return _sums.balanced_accuracy(target, decide(task, prediction, threshold), task.outputs)


def _columns(task: Task, target: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if task.kind == "binary":
        return (target == 1)[:, None], prediction[:, 1:]
    if task.kind == "multiclass":
        return target[:, None] == np.arange(task.outputs), prediction
    return target == 1, prediction


def _auroc(task: Task, target: np.ndarray, prediction: np.ndarray, threshold: float | None) -> Scorer:
    return _ranks.auroc(*_columns(task, target, prediction))


def _average_precision(task: Task, target: np.ndarray, prediction: np.ndarray, threshold: float | None) -> Scorer:
    return _ranks.average_precision(*_columns(task, target, prediction))


def _log_loss(task: Task, target: np.ndarray, prediction: np.ndarray, threshold: float | None) -> Scorer:
    return _sums.mean_of(_sums.log_loss_rows(target, prediction))


def _ece(task: Task, target: np.ndarray, prediction: np.ndarray, threshold: float | None) -> Scorer:
    if task.kind == "multilabel":
        return _sums.calibration_error(prediction, target.astype(float))
    top = prediction.argmax(axis=1)
    return _sums.calibration_error(prediction.max(axis=1)[:, None], (top == target).astype(float)[:, None])


def _r2(task: Task, target: np.ndarray, prediction: np.ndarray, threshold: float | None) -> Scorer:
    return _sums.r_squared(target, prediction[:, 0])


def _mae(task: Task, target: np.ndarray, prediction: np.ndarray, threshold: float | None) -> Scorer:
    return _sums.mean_of(np.abs(target - prediction[:, 0]))


def _rmse(task: Task, target: np.ndarray, prediction: np.ndarray, threshold: float | None) -> Scorer:
    return _sums.mean_of((target - prediction[:, 0]) ** 2, np.sqrt)


METRICS = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric("accuracy", "accuracy", True, CHOICES, _accuracy, decides=True),
            Metric("balanced_accuracy", "balanced accuracy", True, CLASSES, _balanced, decides=True),
            Metric("f1", "F1", True, CHOICES, _f1, decides=True),
            Metric("macro_f1", "macro F1", True, CHOICES, _macro_f1, decides=True),
            Metric("auroc", "AUROC", True, CHOICES, _auroc, ranks=True),
            Metric("average_precision", "average precision", True, CHOICES, _average_precision, ranks=True),
            Metric("log_loss", "log-loss", False, CHOICES, _log_loss),
            Metric("ece", "calibration error", False, CHOICES, _ece),
            Metric("r2", "R²", True, VALUES, _r2),
            Metric("mae", "mean absolute error", False, VALUES, _mae),
            Metric("rmse", "root mean squared error", False, VALUES, _rmse),
        )
    }
)
"""Every metric by name. Accuracy of several labels is that of whole rows: every label right."""


def metric_of(name: str, task: Task) -> Metric:
    """Return the metric `name`; raises `ConfigError` where there is none or it does not fit the task."""
    fitting = [metric.name for metric in METRICS.values() if task.kind in metric.tasks]
    if name not in fitting:
        why = "does not fit" if name in METRICS else "is unknown; it was asked for"
        raise ConfigError(f"metric {name!r} {why} a {task.kind} task: expected one of {', '.join(fitting)}")
    return METRICS[name]


def default_metric(task: Task) -> str:
    """Accuracy for binary and multiclass tasks, macro F1 for several labels, R² for regression."""
    if task.is_classification:
        return "accuracy"
    return "macro_f1" if task.kind == "multilabel" else "r2"


def scorer(
    metric: str, task: Task, target: np.ndarray, prediction: np.ndarray, threshold: float | None = None
) -> Scorer:
    """Prepare a metric on these rows: the result takes weights (resamples, rows) and gives scores (resamples,)."""
    chosen = metric_of(metric, task)
    target, prediction = checked(task, target, prediction)
    return chosen.build(task, target, prediction, threshold)


def score(metric: str, task: Task, target: np.ndarray, prediction: np.ndarray, threshold: float | None = None) -> float:
    """Score predictions against targets.

    >>> score("accuracy", Task("binary", ("no", "yes")), np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]))
    0.5
    """
    prepared = scorer(metric, task, target, prediction, threshold)
    return float(prepared(np.ones((1, len(target))))[0])


def all_scores(
    task: Task, target: np.ndarray, prediction: np.ndarray, threshold: float | None = None
) -> dict[str, float]:
    """Every metric that fits the task, by name; binary tasks leave out `macro_f1` in favour of `f1`, others `f1`."""
    left_out = "macro_f1" if task.kind == "binary" else "f1"
    fitting = [name for name, metric in METRICS.items() if task.kind in metric.tasks and name != left_out]
    return {name: score(name, task, target, prediction, threshold) for name in fitting}


def best_threshold(metric: str, target: np.ndarray, probability: np.ndarray) -> float:
    """Threshold with the best score on these rows, for a binary or multilabel task; to be chosen on validation rows.

    `probability`: (rows,) or (rows, 2) with a target (rows,), else (rows, labels), which share one threshold. Up to 512
    thresholds between the observed probabilities are tried; the curve is flat around its top, so the median of those
    within `PLATEAU` of the best is taken, which moves less from sample to sample. Metrics that see no decisions, and
    accuracy, for which 0.5 is right with calibrated probabilities, give 0.5.
    """
    if metric not in METRICS or not METRICS[metric].decides or metric == "accuracy":
        return 0.5
    if target.ndim == 1:
        positive = probability if probability.ndim == 1 else probability[:, 1]
        task, prediction = Task("binary", ("0", "1")), np.stack([1.0 - positive, positive], axis=1)
    else:
        positive = prediction = probability
        task = Task("multilabel", tuple(map(str, range(target.shape[1]))))
    seen = np.unique(positive)
    between = (seen[1:] + seen[:-1]) / 2
    if len(between) > CANDIDATES:
        between = between[np.linspace(0, len(between) - 1, CANDIDATES).astype(np.int64)]
    tried = np.append(between, 0.5)
    scores = np.array([score(metric, task, target, prediction, float(cut)) for cut in tried])
    top = np.sort(tried[scores >= scores.max() - PLATEAU])
    return float(top[len(top) // 2])


def checked(task: Task, target: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both as arrays of the task's types; raises `DataError` on shapes that disagree, no rows, or NaN."""
    target, prediction = np.asarray(target), np.asarray(prediction, dtype=float)
    rows = len(target)
    wanted = (rows, task.outputs)
    expected = wanted if task.kind == "multilabel" else (rows,)
    if rows == 0:
        raise DataError(f"scoring a {task.kind} task: expected at least one row, got none; check the split")
    if prediction.shape != wanted or target.shape != expected:
        got = f"target {target.shape} and predictions {prediction.shape}"
        raise DataError(f"scoring a {task.kind} task: expected target {expected} and predictions {wanted}, got {got}")
    if not np.isfinite(prediction).all():
        bad = int((~np.isfinite(prediction)).any(axis=1).sum())
        raise DataError(f"scoring a {task.kind} task: {bad} of {rows} rows have predictions that are not finite")
    return target.astype(float if task.kind == "regression" else np.int64), prediction
