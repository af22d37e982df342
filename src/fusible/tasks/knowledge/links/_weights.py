"""Scores of several members put together with a weight per relation and member, learned on validation triples.

The product of what all say, each raised to a power (log-linear pooling; Genest and Zidek, "Combining Probability
Distributions", 1986). Relations with few validation triples take the weight of all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

STRENGTHS = (1.0, 10.0, 100.0)
"""How strongly a relation's weight is drawn to that of all, of which validation chooses."""
SHARES = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0)
"""What the weights that make right answers likeliest are multiplied by, of which validation chooses: members that are
too sure of themselves, as those of memorised triples are, make the others' weights too great for ranking."""
FOLDS = 5
STEPS = 40


def pooled(members: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """The first member's log-probabilities plus those of the others, each times its weight per row (rows, others)."""
    found = members[0]
    for place, member in enumerate(members[1:]):
        found = found + weights[:, place, None] * member
    return np.asarray(found)


def fit_weights(
    members: Sequence[np.ndarray],
    kinds: np.ndarray,
    answers: np.ndarray,
    count: int,
    seed: int,
    judge: Callable[[np.ndarray], float] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (count, others) of all relations, and those (rows, others) that each row got from the other folds.

    `members` are log-probabilities (rows, entities) of validation queries, the first of which has the weight one,
    `kinds` their relations and `answers` what is right. `judge` says how good scores (rows, entities) are, higher is
    better: of strengths and shares the one is taken whose weights are best out of fold (default: the mean
    log-probability of right answers).
    """
    judge = judge or (lambda scores: _likelihood(scores, answers))
    fold = np.random.default_rng(seed).integers(0, FOLDS, len(kinds))
    tried = []
    for strength in STRENGTHS:
        own = np.zeros((len(kinds), len(members) - 1))
        for one in range(FOLDS):
            rest = fold != one
            found = _fitted([one[rest] for one in members], kinds[rest], answers[rest], count, strength)
            own[~rest] = found[kinds[~rest]]
        tried += [(judge(pooled(members, share * own)), strength, share, share * own) for share in SHARES]
    _, strength, share, held = max(tried, key=lambda one: one[0])
    return share * _fitted(members, kinds, answers, count, strength), held


def _likelihood(scores: np.ndarray, answers: np.ndarray) -> float:
    own = torch.from_numpy(scores).log_softmax(dim=1)[torch.arange(len(answers)), torch.from_numpy(answers)]
    return float(own.mean())


def _fitted(
    members: Sequence[np.ndarray], kinds: np.ndarray, answers: np.ndarray, count: int, strength: float
) -> np.ndarray:
    """Weights (count, others), none below zero: likelihood of the right answers, less what sets relations apart."""
    first, *rest = (torch.from_numpy(member) for member in members)
    asked, right = torch.from_numpy(kinds), torch.from_numpy(answers)
    shared, own = (torch.zeros(rows, len(rest), requires_grad=True) for rows in (1, count))
    optimizer = torch.optim.LBFGS([shared, own], max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        weights = torch.nn.functional.softplus(shared + own - 2.0)[asked].to(first.dtype)
        scores = first
        for place, member in enumerate(rest):
            scores = scores + weights[:, place, None] * member
        loss = torch.nn.functional.cross_entropy(scores, right, reduction="sum") + strength * (own**2).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        found: np.ndarray = torch.nn.functional.softplus(shared + own - 2.0).double().numpy()
    return found
