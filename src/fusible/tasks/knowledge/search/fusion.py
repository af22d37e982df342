"""Members' scores as one: weights of a log-linear model, or reciprocal ranks; validation questions choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import minimize

from fusible.errors import ConfigError
from fusible.tasks._search_rank import RRF

MEMBERS = ("facts", "beyond", "walk", "alike", "usual", "text", "vectors", "types", "rules", "model")
"""What may tell an answer; see `Members`."""
RULES = ("weights", "ranks")
RIDGE = 1e-3
MOST_WEIGHT = 1e12
MOST_RIVALS = 300
ALONE, LEAST = 10.0, 0.3
"""Weight of a member that is tried alone, and what one that has none is tried with."""
FACTORS = (2.0, 2.0, 1.4, 1.4, 1.15)
"""By what weights are changed, round after round."""


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
        if any(not 0 <= weight <= MOST_WEIGHT for weight in self.weights.values()):
            raise ConfigError(f"fusion: expected weights from 0 to {MOST_WEIGHT:g}")

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


class _Rivals:
    """Features of answers (questions, members), and of their rivals (all questions' together) with where each begins.

    Rivals are the `MOST_RIVALS` best of every member, without the `others` that are true as well.
    """

    def __init__(
        self,
        features: Sequence[Mapping[str, np.ndarray]],
        answers: Sequence[int],
        others: Sequence[np.ndarray],
        names: Sequence[str],
    ) -> None:
        own, rivals = [], []
        for held, answer, true in zip(features, answers, others, strict=True):
            table = np.stack([held[name] for name in names], axis=1)
            near = np.unique(np.argpartition(-table, min(MOST_RIVALS, len(table) - 1), axis=0)[:MOST_RIVALS])
            rivals.append(table[np.setdiff1d(near, np.append(true, answer))])
            own.append(table[answer])
        self.own = np.array(own)
        self.rivals = np.concatenate(rivals)
        self.rows = np.repeat(np.arange(len(own)), [len(one) for one in rivals])

    def loss(self, weights: np.ndarray) -> tuple[float, np.ndarray]:
        """Mean negative log-probability of answers, and its slope."""
        count = len(self.own)
        own, others = self.own @ weights, self.rivals @ weights
        powers = np.exp(np.clip(others - own[self.rows], None, 500.0))
        totals = 1.0 + np.bincount(self.rows, powers, minlength=count)
        shares = powers / totals[self.rows]
        slope = shares @ self.rivals - np.bincount(self.rows, shares, minlength=count) @ self.own
        return float(np.log(totals).mean()) + RIDGE * float(weights @ weights), slope / count + 2 * RIDGE * weights

    def reciprocal(self, weights: np.ndarray) -> float:
        """Mean reciprocal rank of answers; equal scores share their places."""
        own, others = (self.own @ weights)[self.rows], self.rivals @ weights
        before = (others > own) + (others == own) / 2
        return float((1 / (1 + np.bincount(self.rows, before, minlength=len(self.own)))).mean())


def fit_fusion(
    features: Sequence[Mapping[str, np.ndarray]],
    answers: Sequence[int],
    others: Sequence[np.ndarray],
    names: Sequence[str],
) -> Fusion:
    """Weights of 0 or more that rank each answer before all entities but the `others` that are true as well.

    Conditional logistic regression, and each member alone, are where a climb by the mean reciprocal rank, weight by
    weight, begins; the best of its ends is taken (coordinate ascent: Metzler & Croft, "Linear feature-based models for
    information retrieval", 2007).
    """
    table = _Rivals(features, answers, others, names)
    begin = np.ones(len(names))
    likely = minimize(table.loss, begin, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(names)).x
    alone = max(np.eye(len(names)) * ALONE, key=table.reciprocal)
    ends = [_climbed(table, start) for start in (likely, alone)]
    best = max(ends, key=table.reciprocal)
    return Fusion("weights", dict(zip(names, best.tolist(), strict=True)))


def _climbed(table: _Rivals, weights: np.ndarray) -> np.ndarray:
    best = table.reciprocal(weights)
    for factor in FACTORS:
        for place in range(len(weights)):
            for value in (weights[place] * factor, weights[place] / factor, 0.0, max(weights[place], LEAST)):
                other = weights.copy()
                other[place] = value
                if value != weights[place] and (found := table.reciprocal(other)) > best:
                    best, weights = found, other
    return weights


def choose_fusion(
    features: Sequence[Mapping[str, np.ndarray]],
    answers: Sequence[int],
    others: Sequence[np.ndarray],
    names: Sequence[str],
    first: Fusion,
    *,
    asked: Sequence[str] | None = None,
    folds: int = 2,
    seed: int = 0,
) -> tuple[Fusion, dict[str, float]]:
    """The best of `first`, equal reciprocal ranks and learned weights, by mean reciprocal rank of the answers.

    That of learned weights is out of fold; questions that are `asked` in the same words are in one fold. Gives the
    choice, fitted on all questions, and the score of each.
    """
    equal = Fusion("ranks", dict.fromkeys(names, 1.0))
    groups = np.unique(np.arange(len(answers)) if asked is None else np.array(asked), return_inverse=True)[1]
    folded = (np.random.default_rng(seed).permutation(int(groups.max()) + 1) % folds)[groups]
    found: dict[str, list[float]] = {"given": [], "ranks": [], "weights": []}
    for fold in range(folds):
        rest, held = np.flatnonzero(folded != fold).tolist(), np.flatnonzero(folded == fold).tolist()
        learned = fit_fusion([features[i] for i in rest], [answers[i] for i in rest], [others[i] for i in rest], names)
        for name, fusion in (("given", first), ("ranks", equal), ("weights", learned)):
            found[name] += [1 / rank_of(fusion.scores(features[i]), answers[i], others[i]) for i in held]
    scores = {name: float(np.mean(values)) for name, values in found.items()}
    best = max(scores, key=lambda name: scores[name])
    if best == "weights":
        return fit_fusion(features, answers, others, names), scores
    return (first if best == "given" else equal), scores


def rank_of(scores: np.ndarray, answer: int, others: Any) -> float:
    """Rank of an answer among all entities but `others`, from 1; equal scores rank at the mean of their places.

    >>> rank_of(np.array([0.5, 0.9, 0.5, 0.1]), 2, np.array([1]))
    1.5
    """
    rivals = np.delete(scores, np.append(np.asarray(others, np.int64), answer))
    return float(1 + (rivals > scores[answer]).sum() + (rivals == scores[answer]).sum() / 2)
