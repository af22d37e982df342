"""Temperature scaling (Guo et al., "On Calibration of Modern Neural Networks", 2017)."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, softmax

from fusible.evaluation.metrics import checked
from fusible.types import Task

SMALLEST = 1e-12
LOWEST, HIGHEST = 0.05, 20.0


def temperature(probabilities: np.ndarray, target: np.ndarray, task: Task) -> float:
    """Temperature in [0.05, 20] that minimises log-loss on these (validation) rows; over 1 for too sure probabilities.

    One row's worth of the uniform distribution is added to the targets, so that few rows that are all right do not make
    every probability 0 or 1. Of a multilabel task one temperature serves all labels; regression gives 1.
    """
    if task.kind == "regression":
        return 1.0
    target, probabilities = checked(task, target, probabilities)
    logits = _logits(probabilities, task)
    wanted = _wanted(target, task)

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        if task.kind == "multilabel":
            return float((np.logaddexp(0.0, scaled) - wanted * scaled).mean())
        return float(-(wanted * log_softmax(scaled, axis=1)).sum(axis=1).mean())

    found = minimize_scalar(loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


def apply_temperature(probabilities: np.ndarray, temperature: float, task: Task) -> np.ndarray:
    """Divide the logits of (rows, outputs) by `temperature`; the most probable class stays the same.

    >>> apply_temperature(np.array([[0.2, 0.8]]), 0.5, Task("binary", ("no", "yes"))).round(4)
    array([[0.0588, 0.9412]])
    """
    if task.kind == "regression":
        return probabilities
    scaled = _logits(probabilities, task) / temperature
    result: np.ndarray = expit(scaled) if task.kind == "multilabel" else softmax(scaled, axis=1)
    return result


def _logits(probabilities: np.ndarray, task: Task) -> np.ndarray:
    p = np.clip(np.asarray(probabilities, dtype=float), SMALLEST, 1.0)
    logits: np.ndarray = np.log(p)
    return logits - np.log(np.clip(1.0 - p, SMALLEST, 1.0)) if task.kind == "multilabel" else logits


def _wanted(target: np.ndarray, task: Task) -> np.ndarray:
    share = 1.0 / (len(target) + 1)
    if task.kind == "multilabel":
        return np.asarray((1.0 - share) * target + share * 0.5)
    return np.asarray((1.0 - share) * np.eye(task.outputs)[target] + share / task.outputs)
