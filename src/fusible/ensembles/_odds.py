"""Log-probabilities over the prior: the evidence that a member gives; zero where it is absent."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

SMALLEST = 1e-9


def two_sided(scores: np.ndarray) -> np.ndarray:
    """Label probabilities (..., labels) as two-class probabilities (..., labels, 2)."""
    return np.stack([1.0 - scores, scores], axis=-1)


def log_probability(scores: np.ndarray) -> np.ndarray:
    """Logarithm of probabilities over the last axis, each at least 1e-9, so that no single member has a veto."""
    kept = np.maximum(scores, SMALLEST)
    logs: np.ndarray = np.log(kept / kept.sum(axis=-1, keepdims=True))
    return logs


def evidence(scores: np.ndarray, divisor: np.ndarray, presence: np.ndarray) -> np.ndarray:
    """Log p_m - `divisor` (a log prior), zero where absent: scores (members, rows, ..., classes)."""
    present = presence.T.reshape(presence.shape[1], presence.shape[0], *[1] * (scores.ndim - 2))
    given: np.ndarray = np.where(present, log_probability(scores) - divisor, 0.0)
    return given


def posterior(prior: np.ndarray, gathered: np.ndarray) -> np.ndarray:
    """Prior times the exponential of the gathered evidence, normalised over the last axis."""
    probability: np.ndarray = softmax(log_probability(prior) + gathered, axis=-1)
    return probability
