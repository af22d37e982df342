"""Evidence: what a prediction adds to the prior, on the scale that a network's outputs have."""

from __future__ import annotations

import numpy as np
from scipy.special import logit

from fusible.types import Task

DOUBT = 1e-3
"""Share of the prior that is mixed into a prediction first, so that no predictor has a veto."""


def evidence(scores: np.ndarray, prior: np.ndarray, task: Task) -> np.ndarray:
    """Log-odds over those of the prior, or a value's difference from it: (rows, outputs), zero for the prior itself.

    >>> evidence(np.array([[0.5, 0.5], [0.9, 0.1]]), np.array([0.5, 0.5]), Task("binary", ("no", "yes"))).round(2)
    array([[ 0.  ,  0.  ],
           [ 0.59, -1.61]])
    """
    if task.kind == "regression":
        return np.asarray(scores - prior)
    return np.asarray(outputs_of((1.0 - DOUBT) * scores + DOUBT * prior, task) - outputs_of(prior, task))


def outputs_of(scores: np.ndarray, task: Task) -> np.ndarray:
    """Outputs of a network that says so: log-probabilities, log-odds of labels, or values."""
    if task.kind == "regression":
        return scores
    return np.asarray(logit(scores) if task.kind == "multilabel" else np.log(scores))
