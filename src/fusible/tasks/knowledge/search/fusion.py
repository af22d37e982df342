"""Members' scores as one: weights of a log-linear model, or reciprocal ranks; validation questions choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import minimize

from fusible.errors import ConfigError
from fusible.tasks._search_rank import RRF

MEMBERS = ("facts", "beyond", "walk", "usual", "text", "vectors", "types", "model")
"""What may tell an answer; see `Members`."""
RULES = ("weights", "ranks")
RIDGE = 1e-3


@dataclass(frozen=True, slots=True)
class Fusion:
    """How members are put together: by `weights` of their scores, or by reciprocal `ranks` with these weights."""

    rule: str = "weights"
    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ConfigError(f"fusion rule {self.rule!r}, expected one of {', '.join(RULES)}")
        if unknown := sorted(set(self.weights) - set(MEMBERS)):
            raise ConfigError(f"fusion: no member {unknown[0]!r}; expected some of {', '.join(MEMBERS)}")
        if any(not np.isfinite(weight) or weight < 0 for weight in self.weights.values()):
            raise ConfigError("fusion: expected weights of 0 or more")

    def scores(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """Score (entities,) of features {member: (entities,)} between 0 and 1, 0 where a member says nothing."""
        found = np.zeros(len(next(iter(features.values()))))
        for name, values in features.items():
            if weight := self.weights.get(name, 0.0):
                found += weight * (values if self.rule == "weights" else _reciprocal(values))
        return found

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `Fusion(**plain)` takes them."""
        return {"rule": self.rule, "weights": {name: float(weight) for name, weight in self.weights.items()}}


def _reciprocal(values: np.ndarray) -> np.ndarray:
    """Reciprocal ranks (Cormack et al. 2009) of values above zero, 1 for the first; equal values share their mean."""
    from scipy.stats import rankdata

    ranks = rankdata(-values, method="average")
    found: np.ndarray = np.where(values > 0, (RRF + 1) / (RRF + ranks), 0.0)
    return found


def fit_fusion(
    features: Sequence[Mapping[str, np.ndarray]],
    answers: Sequence[int],
    others: Sequence[np.ndarray],
    names: Sequence[str],
) -> Fusion:
    """Weights that make each answer likeliest among all entities but the `others` that are true as well.

    Conditional logistic regression with weights of 0 or more.
    """
    stacked = [_rivals(held, answer, true, names) for held, answer, true in zip(features, answers, others, strict=True)]

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        total, slope = 0.0, np.zeros(len(names))
        for own, rivals, counts in stacked:
            powers = np.append(rivals @ weights, own @ weights)
            top = powers.max()
            chances = np.exp(powers - top) * np.append(counts, 1.0)
            total += top + np.log(chances.sum()) - powers[-1]
            chances /= chances.sum()
            slope += chances[:-1] @ rivals + chances[-1] * own - own
        count = len(stacked)
        return total / count + RIDGE * float(weights @ weights), slope / count + 2 * RIDGE * weights

    start = np.ones(len(names))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(names))
    return Fusion("weights", dict(zip(names, found.x.tolist(), strict=True)))


def _rivals(
    features: Mapping[str, np.ndarray], answer: int, true: np.ndarray, names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features of the answer, distinct ones of its rivals, and how many rivals have each."""
    table = np.stack([features[name] for name in names], axis=1)
    keep = np.ones(len(table), bool)
    keep[true] = keep[answer] = False
    rivals, counts = np.unique(np.round(table[keep], 4), axis=0, return_counts=True)
    return table[answer], rivals, counts.astype(np.float64)


def choose_fusion(
    features: Sequence[Mapping[str, np.ndarray]],
    answers: Sequence[int],
    others: Sequence[np.ndarray],
    names: Sequence[str],
    first: Fusion,
    *,
    folds: int = 2,
    seed: int = 0,
) -> tuple[Fusion, dict[str, float]]:
    """The best of `first`, equal reciprocal ranks and learned weights, by mean reciprocal rank of the answers.

    That of learned weights is out of fold. Gives the choice, fitted on all questions, and the score of each.
    """
    equal = Fusion("ranks", dict.fromkeys(names, 1.0))
    folded = np.random.default_rng(seed).permutation(len(answers)) % folds
    found: dict[str, list[float]] = {"given": [], "ranks": [], "weights": []}
    for fold in range(folds):
        rest, held = np.flatnonzero(folded != fold), np.flatnonzero(folded == fold)
        learned = fit_fusion([features[i] for i in rest], [answers[i] for i in rest], [others[i] for i in rest], names)
        for name, fusion in (("given", first), ("ranks", equal), ("weights", learned)):
            found[name] += [1 / rank_of(fusion.scores(features[i]), answers[i], others[i]) for i in held]
    scores = {name: float(np.mean(values)) for name, values in found.items()}
    best = max(scores, key=lambda name: scores[name])
    if best == "weights":
        return fit_fusion(features, answers, others, names), scores
    return (first if best == "given" else equal), scores


def rank_of(scores: np.ndarray, answer: int, others: np.ndarray) -> float:
    """Rank of an answer among all entities but `others`, from 1; equal scores rank at the mean of their places.

    >>> rank_of(np.array([0.5, 0.9, 0.5, 0.1]), 2, np.array([1]))
    1.5
    """
    rivals = np.delete(scores, np.append(others, answer).astype(np.int64))
    return float(1 + (rivals > scores[answer]).sum() + (rivals == scores[answer]).sum() / 2)
