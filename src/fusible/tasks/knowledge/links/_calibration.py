"""Whether a triple is true: a probability, made of what a model says of its tail and of its head.

Platt scaling (Platt, "Probabilistic Outputs for Support Vector Machines", 1999) with weights of its own for every
relation, drawn to those of all, in place of a threshold per relation (Socher et al., "Reasoning With Neural Tensor
Networks for Knowledge Base Completion", NeurIPS 2013): relations with few validation triples follow the rest.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import expit

from fusible.evaluation._sums import log_loss_rows
from fusible.evaluation.links import both_ways

STRENGTHS = (0.3, 3.0, 30.0)
"""How strongly a relation's weights are drawn to those of all, of which validation chooses."""
RIDGE = 1.0
FOLDS = 5
STEPS = 200
BLOCK = 500
SIGNS = 9
"""Numbers that a triple is judged by: four of either end, one of the relation."""


def evidence(
    scores: Callable[[np.ndarray], np.ndarray], told: np.ndarray, triples: np.ndarray, train: np.ndarray, relations: int
) -> np.ndarray:
    """What speaks for triples (rows, 3) beside training triples (rows, 3): float64 (rows, 9).

    Of the tail, then of the head: its log-probability among all entities, and as logarithms how many are likelier, how
    many the query leads to in training, and how often its relation leads to it there. Then `told` (rows,), the
    log-probability of the relation. `scores` gives log-probabilities (rows, entities) as `LinkModel.scores` does.
    """
    queries, answers = both_ways(triples, relations)
    led, places = both_ways(train, relations)
    width = 1 + max(int(part.max(initial=0)) for part in (triples[:, [0, 2]], train[:, [0, 2]]))
    asked = _counts(led[:, 0] * 2 * relations + led[:, 1], queries[:, 0] * 2 * relations + queries[:, 1])
    often = _counts(led[:, 1] * width + places, queries[:, 1] * width + answers)
    found = np.empty((len(queries), 2))
    for start in range(0, len(queries), BLOCK):
        part = slice(start, start + BLOCK)
        said = scores(queries[part])
        own = said[np.arange(len(said)), answers[part]]
        found[part] = np.stack([own, (said > own[:, None]).sum(axis=1)], axis=1)
    ends = np.column_stack([found[:, 0], np.log1p(found[:, 1]), np.log1p(asked), np.log1p(often)])
    return np.column_stack([*np.split(ends, 2), told])


def _counts(held: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """How often each key that is asked for is held."""
    keys, counts = np.unique(held, return_counts=True)
    at = np.minimum(np.searchsorted(keys, asked), max(len(keys) - 1, 0))
    return np.where(keys[at] == asked, counts[at], 0) if len(keys) else np.zeros(len(asked), np.int64)


def probabilities(weights: np.ndarray, signs: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """Probability (rows,) that triples are true, of their evidence (rows, 9) and relations (rows,)."""
    own = weights[kinds]
    return np.asarray(expit((signs * own[:, :-1]).sum(axis=1) + own[:, -1]))


def calibrate(
    signs: np.ndarray, kinds: np.ndarray, truth: np.ndarray, relations: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (relations, 9 and a constant), and the probabilities (rows,) that each row got from the other folds.

    `signs` is the evidence (rows, 9) of validation triples, `kinds` their relations, `truth` 1 where they are true.
    """
    center, spread = signs.mean(axis=0), np.maximum(signs.std(axis=0), 1e-9)
    scaled = np.column_stack([(signs - center) / spread, np.ones(len(signs))])
    fold = np.random.default_rng(seed).permutation(len(kinds)) % FOLDS
    held, losses = [], []
    for strength in STRENGTHS:
        own = np.full(len(kinds), 0.5)
        for one in np.unique(fold).tolist():
            rest = fold != one
            found = _fitted(scaled[rest], kinds[rest], truth[rest], relations, strength)
            own[~rest] = expit((scaled[~rest] * found[kinds[~rest]]).sum(axis=1))
        held.append(own)
        losses.append(float(log_loss_rows(truth, np.column_stack([1 - own, own])).mean()))
    best = int(np.argmin(losses))
    weights = _fitted(scaled, kinds, truth, relations, STRENGTHS[best])
    weights[:, :-1] /= spread
    weights[:, -1] -= weights[:, :-1] @ center
    return weights, held[best]


def _fitted(scaled: np.ndarray, kinds: np.ndarray, truth: np.ndarray, relations: int, strength: float) -> np.ndarray:
    """Weights (relations, columns): likelihood of the truth, less what sets relations apart."""
    columns = scaled.shape[1]
    rows_of = csr_array((np.ones(len(kinds)), (kinds, np.arange(len(kinds)))), shape=(relations, len(kinds)))

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        shared, own = flat[:columns], flat[columns:].reshape(relations, columns)
        logits = scaled @ shared + (scaled * own[kinds]).sum(axis=1)
        value = np.logaddexp(0.0, logits).sum() - truth @ logits + strength * (own**2).sum() + RIDGE * shared @ shared
        slopes = (expit(logits) - truth)[:, None] * scaled
        apart = 2 * strength * own + rows_of @ slopes
        return float(value), np.concatenate([slopes.sum(axis=0) + 2 * RIDGE * shared, apart.ravel()])

    start, limits = np.zeros(columns * (relations + 1)), {"maxiter": STEPS}
    flat = minimize(loss, start, jac=True, method="L-BFGS-B", options=limits).x
    return np.asarray(flat[:columns] + flat[columns:].reshape(relations, columns))
