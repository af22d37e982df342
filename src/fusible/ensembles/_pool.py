"""A learned pool of class probabilities: a multinomial logistic regression that starts from the geometric mean.

    logits = log prior + sum_m w_m evidence_m + bias + features @ full
    w = 1 / (number present) + [1, absent] @ weights

`evidence` is log p_m - log prior, zero where the member is absent, so that a weight may rise where another member is
absent, also in a pattern never seen. `full` counts only where all members are present, and `bias` has a row for these
and one for all others: what is learned of all together misleads where one is missing. All learned parts are shrunk to
zero by a Gaussian prior of variance 1 (`full`, one weight per member's class and class: variance `strength`): with few
rows the pool falls back on the geometric mean of the present members, and a class that never occurs keeps its small
prior.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax
from threadpoolctl import threadpool_limits

from fusible.ensembles._odds import log_probability

STRENGTHS = (0.0, 3e-3, 3e-2)
FOLDS = 3
MOST_ROWS = 5000
MOST_CLASSES = 20
FEWEST_ROWS = 300
STEPS = 120


@dataclass(frozen=True, slots=True)
class Pool:
    """Learned parts of the pool.

    `weights` (1 + members, members), `bias` (2, classes): all members present, not all; `full` (members * classes,
    classes).
    """

    weights: np.ndarray
    bias: np.ndarray
    full: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """Input of the pool: `evidence` (rows, members, classes), `presence` (rows, members), `prior` (classes,).

    `weight` (rows,) and `origin` (rows,), the row that a row is a copy of, for fitting.
    """

    evidence: np.ndarray
    presence: np.ndarray
    prior: np.ndarray
    weight: np.ndarray
    origin: np.ndarray

    def take(self, index: np.ndarray) -> Rows:
        """Select rows."""
        return Rows(self.evidence[index], self.presence[index], self.prior, self.weight[index], self.origin[index])

    @property
    def whole(self) -> np.ndarray:
        """Shape (rows, 2): whether all members are present, and whether not."""
        all_there = self.presence.all(axis=1)
        return np.stack([all_there, ~all_there], axis=1).astype(float)

    @property
    def context(self) -> np.ndarray:
        """Shape (rows, 1 + members): one, then whether each member is absent."""
        return np.concatenate([np.ones((len(self.presence), 1)), ~self.presence], axis=1)

    @property
    def features(self) -> np.ndarray:
        """Shape (rows, members * classes): all evidence where all members are present, else zero."""
        return np.asarray(self.evidence.reshape(len(self.evidence), -1) * self.whole[:, :1])

    @property
    def base(self) -> np.ndarray:
        """Logits of the geometric mean of the present members over the prior."""
        share = self.presence / np.maximum(self.presence.sum(axis=1, keepdims=True), 1)
        mean: np.ndarray = log_probability(self.prior) + np.einsum("rmc,rm->rc", self.evidence, share)
        return mean


def logits(pool: Pool, rows: Rows) -> np.ndarray:
    """Log-odds of the classes, (rows, classes), up to a constant per row."""
    weight = rows.context @ pool.weights
    result: np.ndarray = rows.base + np.einsum("rmc,rm->rc", rows.evidence, weight) + rows.whole @ pool.bias
    return result if pool.full is None else result + rows.features @ pool.full


def fit(rows: Rows, target: np.ndarray, *, choose: bool) -> Pool:
    """Fit to class ids; with `choose`, the strength of `full` is chosen by cross-validated log-loss (0: without it)."""
    strength = _strength(rows, target) if choose else 0.0
    return _fit(rows, target, strength)


def _strength(rows: Rows, target: np.ndarray) -> float:
    number, classes = len(np.unique(rows.origin)), len(rows.prior)
    if number < FEWEST_ROWS or classes > MOST_CLASSES:
        return 0.0
    order = np.random.default_rng(0).permutation(number)[:MOST_ROWS]
    parts = [np.isin(rows.origin, part) for part in np.array_split(order, FOLDS)]
    first = np.arange(len(target)) < number
    losses = []
    for strength in STRENGTHS:
        each = []
        for part in parts:
            kept, held = np.flatnonzero(np.any(parts, axis=0) & ~part), np.flatnonzero(part & first)
            pool = _fit(rows.take(kept), target[kept], strength)
            given = log_softmax(logits(pool, rows.take(held)), axis=1)
            each.append(-given[np.arange(len(held)), target[held]].mean())
        losses.append(float(np.mean(each)))
    return STRENGTHS[int(np.argmin(losses))]


def _fit(rows: Rows, target: np.ndarray, strength: float) -> Pool:
    members, classes = rows.evidence.shape[1:]
    base, context = rows.base, rows.context
    features = rows.features if strength > 0 else np.empty((len(target), 0))
    wanted = np.eye(classes)[target]
    weight, whole, total = rows.weight[:, None], rows.whole, float(rows.weight.sum()) or 1.0
    shapes = ((1 + members, members), (2, classes), (features.shape[1], classes))
    shrink = (1.0, 1.0, 1.0 / strength if strength > 0 else 1.0)
    edges = np.cumsum([int(np.prod(shape)) for shape in shapes])

    def parts(flat: np.ndarray) -> tuple[np.ndarray, ...]:
        return tuple(piece.reshape(shape) for piece, shape in zip(np.split(flat, edges[:-1]), shapes, strict=True))

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights, bias, full = parts(flat)
        given = base + np.einsum("rmc,rm->rc", rows.evidence, context @ weights) + whole @ bias + features @ full
        logs = log_softmax(given, axis=1)
        error = weight * (np.exp(logs) - wanted)
        moved = context.T @ np.einsum("rmc,rc->rm", rows.evidence, error)
        slopes = (moved, whole.T @ error, features.T @ error)
        value = -(weight * wanted * logs).sum()
        gradient = []
        for part, slope, factor in zip((weights, bias, full), slopes, shrink, strict=True):
            value += 0.5 * factor * (part**2).sum()
            gradient.append((slope + factor * part).ravel())
        return float(value) / total, np.concatenate(gradient) / total

    with threadpool_limits(1, user_api="blas"):  # many small products: threads would only wait for one another
        found = minimize(loss, np.zeros(edges[-1]), jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    weights, bias, full = parts(found.x)
    return Pool(weights, bias, full if strength > 0 else None)
