"""Regularised linear predictors on sparse rows, their strength chosen on validation rows."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from fusible.types import Task

STRENGTHS = (1.0, 3.0, 10.0, 30.0)
"""Inverse regularisation of logistic regression that is tried; the penalty of ridge regression is its inverse."""
NEVER = -1e4
"""Log-odds of a class that no training row has."""

Linear = tuple[np.ndarray, np.ndarray]
"""Coefficients (outputs, features) and intercepts (outputs,)."""


def scores_of(linear: Linear, rows: Any, task: Task) -> np.ndarray:
    """Predictions (rows, outputs): class probabilities, label probabilities, or values."""
    raw: np.ndarray = np.asarray(rows @ linear[0].T, dtype=np.float64) + linear[1]
    if task.kind == "regression":
        return raw
    if task.kind == "multilabel":
        return 0.5 * (1.0 + np.tanh(0.5 * raw))
    raw -= raw.max(axis=1, keepdims=True)
    odds = np.exp(raw)
    result: np.ndarray = odds / odds.sum(axis=1, keepdims=True)
    return result


def losses_of(scores: np.ndarray, target: np.ndarray, task: Task) -> np.ndarray:
    """Log-loss per row, or squared error for regression."""
    if task.kind == "regression":
        return np.asarray((scores[:, 0] - target) ** 2)
    clipped = np.clip(scores, 1e-7, 1.0)
    if task.kind == "multilabel":
        other = np.clip(1.0 - scores, 1e-7, 1.0)
        return np.asarray(-np.where(target > 0, np.log(clipped), np.log(other)).mean(axis=1))
    return np.asarray(-np.log(clipped[np.arange(len(target)), target.astype(np.int64)]))


def fit_linear(rows: Any, target: np.ndarray, task: Task, valid: tuple[Any, np.ndarray], seed: int) -> Linear:
    """Fit one predictor per strength and choose by the loss on `valid` (the first strength where it has no rows).

    Weaker regularisation is tried as long as it helps, for its fits are the slow ones. Of strengths within one paired
    standard error of the best, the most regularised is taken (Breiman et al. 1984).
    """
    valid_rows, valid_target = valid
    if not len(valid_target):
        return _fit(rows, target, task, STRENGTHS[0], seed)
    tried: list[Linear] = []
    losses: list[np.ndarray] = []
    for strength in STRENGTHS:
        tried.append(_fit(rows, target, task, strength, seed))
        losses.append(losses_of(scores_of(tried[-1], valid_rows, task), valid_target, task))
        if len(losses) > 1 and losses[-1].mean() > losses[-2].mean():
            break
    best = min(losses, key=lambda loss: float(loss.mean()))
    for linear, loss in zip(tried, losses, strict=True):
        behind = loss - best
        if behind.mean() <= behind.std() / np.sqrt(len(behind)):
            return linear
    raise AssertionError("the best strength is never behind itself")


def _fit(rows: Any, target: np.ndarray, task: Task, strength: float, seed: int) -> Linear:
    if task.kind == "regression":
        return _ridge(rows, target, strength, seed)
    if task.kind == "multilabel":
        parts = [_sigmoid(rows, label, strength, seed) for label in (target > 0).astype(np.int64).T]
        return np.stack([weights for weights, _ in parts]), np.array([bias for _, bias in parts])
    return _softmax(rows, target.astype(np.int64), task.outputs, strength, seed)


def _ridge(rows: Any, target: np.ndarray, strength: float, seed: int) -> Linear:
    from sklearn.linear_model import Ridge

    model = Ridge(alpha=1.0 / strength, random_state=seed).fit(rows, target)
    return np.asarray(model.coef_, dtype=np.float64).reshape(1, -1), np.array([float(model.intercept_)])


def _logistic(rows: Any, target: np.ndarray, strength: float, seed: int) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    model = LogisticRegression(C=strength, max_iter=1000, random_state=seed)
    # Many small products: threads that wait for one another double the time, and take 30 times as long on busy cores.
    with warnings.catch_warnings(), threadpool_limits(1, user_api="blas"):
        # An unfinished optimum is judged on validation like any other; it is no fault of the data.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(rows, target)


def _sigmoid(rows: Any, target: np.ndarray, strength: float, seed: int) -> tuple[np.ndarray, float]:
    if target.min() == target.max():
        rate = (target.sum() + 0.5) / (len(target) + 1.0)
        return np.zeros(rows.shape[1]), float(np.log(rate / (1.0 - rate)))
    model = _logistic(rows, target, strength, seed)
    return model.coef_[0], float(model.intercept_[0])


def _softmax(rows: Any, target: np.ndarray, outputs: int, strength: float, seed: int) -> Linear:
    """One row of coefficients per class, those of a two-class model shared out by halves."""
    weights, bias = np.zeros((outputs, rows.shape[1])), np.full(outputs, NEVER)
    seen = np.unique(target)
    if len(seen) == 1:
        bias[seen] = 0.0
        return weights, bias
    model = _logistic(rows, target, strength, seed)
    if len(seen) == 2:
        weights[seen] = np.concatenate([-model.coef_, model.coef_]) / 2.0
        bias[seen] = np.concatenate([-model.intercept_, model.intercept_]) / 2.0
        return weights, bias
    weights[seen], bias[seen] = model.coef_, model.intercept_
    return weights, bias
