"""Mixtures of members with weights from logits: loss, slope and the regularised optimum.

    weight_m = softmax over the present members of logit_m;   prediction = sum_m weight_m prediction_m

The loss is log-loss for classes (mean over labels for labels), and for values half the squared error over the smallest
mean squared error of a member, so that a penalty means the same in all units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from fusible.types import Task

SMALLEST = 1e-12
STEPS = 300


@dataclass(frozen=True, slots=True)
class Given:
    """What a mixture is judged by.

    `told` (rows, members, parts): the probability of what is true (one part per row, or per label), or the value.
    `presence` (rows, members), `weight` (rows,), `target` (rows,) and `scale` for values only.
    """

    told: np.ndarray
    presence: np.ndarray
    weight: np.ndarray
    target: np.ndarray | None = None
    scale: float = 1.0

    def take(self, rows: np.ndarray, members: np.ndarray | None = None) -> Given:
        """Some rows, and some members."""
        told, presence = self.told[rows], self.presence[rows]
        if members is not None:
            told, presence = told[:, members], presence[:, members]
        return Given(told, presence, self.weight[rows], None if self.target is None else self.target[rows], self.scale)


def given(scores: np.ndarray, presence: np.ndarray, target: np.ndarray, task: Task) -> Given:
    """What is needed of scores (members, rows, outputs), the prior where absent, to judge mixtures of them."""
    presence, weight = np.asarray(presence, bool), np.ones(len(presence))
    if task.kind == "regression":
        told = scores[:, :, 0].T[:, :, None]
        errors = np.where(presence, told[:, :, 0] - target[:, None], 0.0) ** 2
        number = presence.sum(axis=0)
        means = errors.sum(axis=0)[number > 0] / number[number > 0]
        spread = float(np.var(target)) if len(target) else 0.0
        smallest = float(means.min()) if len(means) else spread
        return Given(told, presence, weight, target, max(smallest, 1e-6 * spread, np.finfo(float).tiny))
    if task.kind == "multilabel":
        told = np.where(target[None] == 1, scores, 1.0 - scores).transpose(1, 0, 2)
        return Given(told, presence, weight)
    right = scores[:, np.arange(len(target)), target.astype(np.int64)]
    return Given(right.T[:, :, None], presence, weight)


def weights_of(logits: np.ndarray, presence: np.ndarray) -> np.ndarray:
    """Softmax over present members: (rows, members), zeros in a row without any."""
    masked = np.where(presence, logits, -np.inf)
    masked = np.where(presence.any(axis=1, keepdims=True), masked, 0.0)
    return np.asarray(softmax(masked, axis=1) * presence)


def losses(data: Given, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Loss per row (rows,) and its slope in the logits (rows, members); rows without a member lose nothing."""
    weight = weights_of(np.broadcast_to(logits, data.presence.shape), data.presence)
    mixed = np.einsum("rmp,rm->rp", data.told, weight)
    if data.target is not None:
        away = np.where(data.presence.any(axis=1), mixed[:, 0] - data.target, 0.0)
        slope = away[:, None] * weight * (data.told[:, :, 0] - mixed) / data.scale
        return 0.5 * away**2 / data.scale, slope
    kept = np.maximum(mixed, SMALLEST)
    held = weight * np.einsum("rmp,rp->rm", data.told, 1.0 / kept) / kept.shape[1]
    seen = np.asarray(data.presence.any(axis=1))
    return np.where(seen, -np.log(kept).mean(axis=1), 0.0), np.where(seen[:, None], weight - held, 0.0)


def fixed(data: Given, centre: np.ndarray, strength: float) -> np.ndarray:
    """Weights (members,) on the simplex: the optimum under a Dirichlet prior of `strength` rows around `centre`."""

    def loss(logits: np.ndarray) -> tuple[float, np.ndarray]:
        each, slope = losses(data, logits[None, :])
        logs = logits - logsumexp(logits)
        value = float(data.weight @ each) - strength * float(centre @ logs)
        gradient = data.weight @ slope + strength * (np.exp(logs) * centre.sum() - centre)
        return value / total, gradient / total

    total = float(data.weight.sum()) + strength
    start = np.log(np.maximum(centre, 1e-3))
    options = {"maxiter": STEPS, "ftol": 1e-13, "gtol": 1e-8}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
    return np.asarray(softmax(found.x))


def gate(data: Given, features: np.ndarray, offset: np.ndarray, strength: float) -> np.ndarray:
    """Slopes (features, members) of logits = offset + features @ slopes; Gaussian prior of precision `strength`."""
    shape = (features.shape[1], data.presence.shape[1])
    total = float(data.weight.sum()) or 1.0

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        slopes = flat.reshape(shape)
        each, slope = losses(data, offset + features @ slopes)
        value = float(data.weight @ each) + 0.5 * strength * float((slopes**2).sum())
        gradient = features.T @ (data.weight[:, None] * slope) + strength * slopes
        return value / total, gradient.ravel() / total

    found = minimize(loss, np.zeros(shape[0] * shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    return np.asarray(found.x.reshape(shape))
