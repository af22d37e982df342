"""Scores of structure and of views put together with a weight per relation, learned on validation triples.

The product of what both say, each raised to a power (log-linear pooling; Genest and Zidek, "Combining Probability
Distributions", 1986). Relations with few validation triples take the weight of all.
"""

from __future__ import annotations

import numpy as np
import torch

STRENGTHS = (1.0, 10.0, 100.0)
"""How strongly a relation's weight is drawn to that of all, of which validation chooses."""
FOLDS = 5
STEPS = 40


def pooled(structure: np.ndarray, views: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Structure's log-probabilities plus those of views times a weight per row: (rows, entities)."""
    return np.asarray(structure + weights[:, None] * views)


def fit_weights(
    structure: np.ndarray, views: np.ndarray, kinds: np.ndarray, answers: np.ndarray, count: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (count,) of all relations, and those (rows,) that each row got from the other folds.

    `structure` and `views` are log-probabilities (rows, entities) of validation queries, `kinds` their relations and
    `answers` what is right.
    """
    fold = np.random.default_rng(seed).integers(0, FOLDS, len(kinds))
    gains, held = [], []
    for strength in STRENGTHS:
        own = np.zeros(len(kinds))
        for one in range(FOLDS):
            rest = fold != one
            found = _fitted(structure[rest], views[rest], kinds[rest], answers[rest], count, strength)
            own[~rest] = found[kinds[~rest]]
        held.append(own)
        gains.append(_likelihood(pooled(structure, views, own), answers))
    best = int(np.argmax(gains))
    return _fitted(structure, views, kinds, answers, count, STRENGTHS[best]), held[best]


def _likelihood(scores: np.ndarray, answers: np.ndarray) -> float:
    own = torch.from_numpy(scores).log_softmax(dim=1)[torch.arange(len(answers)), torch.from_numpy(answers)]
    return float(own.mean())


def _fitted(
    structure: np.ndarray, views: np.ndarray, kinds: np.ndarray, answers: np.ndarray, count: int, strength: float
) -> np.ndarray:
    """Weights (count,), none below zero: likelihood of the right answers, less what sets relations apart."""
    ours, theirs, right = (torch.from_numpy(part) for part in (structure, views, answers))
    asked = torch.from_numpy(kinds)
    shared, own = torch.zeros(1, requires_grad=True), torch.zeros(count, requires_grad=True)
    optimizer = torch.optim.LBFGS([shared, own], max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        weights = torch.nn.functional.softplus(shared + own - 2.0)
        scores = ours + weights[asked].unsqueeze(1).to(ours.dtype) * theirs
        loss = torch.nn.functional.cross_entropy(scores, right, reduction="sum") + strength * (own**2).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        found: np.ndarray = torch.nn.functional.softplus(shared + own - 2.0).double().numpy()
    return found
