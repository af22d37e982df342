"""Mixtures: a weighted mean of the present members, with weights of its own for every set of present views.

Weights fitted where all is present mislead where a view is absent: of two views that repeat one another only one gets
weight, and without it the other is needed. So each set of views has weights, fitted on rows that have these views and
on what members say that see nothing else; sets too rare for that fall back on common weights over present members, and
where these are zero on the member of least loss. A member that is alone passes as it is.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import numpy as np

from fusible.ensembles import _gating, _views
from fusible.ensembles._base import Rule
from fusible.errors import ModelFormatError
from fusible.types import Predictions, Task

FEWEST = 20
ENOUGH = 100
"""Rows with exactly a set of views from which members that also see other views are weighed there."""
NOTHING = 1e-6


class Mixture(Rule):
    """A weighted mean of present members; a leaf writes `weigh`.

    Learned: `sees` (members, views), `patterns` (patterns, views) with `weights` (patterns, members), and for all other
    sets `common` (members,) and `loss` (members,), each member's loss by itself.
    """

    calibrated = True
    sees_: np.ndarray
    patterns_: np.ndarray
    weights_: np.ndarray
    common_: np.ndarray
    loss_: np.ndarray
    metric_: str = ""

    @abstractmethod
    def weigh(
        self, scores: np.ndarray, presence: np.ndarray, target: np.ndarray, centre: np.ndarray | None
    ) -> np.ndarray:
        """Weights (members,) of members that each are present in some row; `centre`: the common weights, if known."""

    def fit_rule(self, predictions: Predictions, target: np.ndarray) -> None:
        """Learn the common weights, and those of each set of views."""
        self.metric_ = str(predictions.extra.get("metric", ""))
        presence = np.asarray(predictions.presence, bool)
        scores = np.where(presence.T[:, :, None], predictions.scores, self.prior_[None, None, :])
        self.sees_, seen = _views.sight(predictions)
        self.loss_ = self._alone(scores, presence, target)
        known, rows = np.asarray(presence.any(axis=0)), presence.any(axis=1)
        self.common_ = np.zeros(len(known))
        if known.any():
            self.common_[known] = self.weigh(scores[known][:, rows], presence[rows][:, known], target[rows], None)
        found = [(p, self._weights(p, scores, presence, target, seen)) for p in _views.patterns(seen.shape[1])]
        stored = [(pattern, weights) for pattern, weights in found if weights is not None]
        if not stored:
            stored = [(np.ones(seen.shape[1], bool), self.common_)]
        self.patterns_ = np.stack([pattern for pattern, _ in stored])
        self.weights_ = np.stack([weights for _, weights in stored])

    def _alone(self, scores: np.ndarray, presence: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Each member's mean loss where it is present; one that never is comes last."""
        result = np.full(len(scores), 1e9)
        for member in range(len(scores)):
            rows = presence[:, member]
            if rows.any():
                data = _gating.given(scores[[member]][:, rows], np.ones((rows.sum(), 1)), target[rows], self.task_)
                each = _gating.losses(data, np.zeros((1, 1)))[0] * (2 * data.scale if data.target is not None else 1)
                result[member] = each.mean()
        return result

    def _weights(
        self, pattern: np.ndarray, scores: np.ndarray, presence: np.ndarray, target: np.ndarray, seen: np.ndarray
    ) -> np.ndarray | None:
        """Weights for rows that have exactly these views; nothing where too few rows tell."""
        members = _views.complete(self.sees_, pattern)
        rows = seen[:, pattern].all(axis=1)
        exact = np.asarray(rows & ~seen[:, ~pattern].any(axis=1))
        if exact.sum() >= ENOUGH and not members.all():
            partly = (self.sees_ & pattern).any(axis=1)
            members, rows = (partly, exact) if (partly & ~members).any() else (members, rows)
        if members.all() and exact.all() and len(exact) >= FEWEST:
            return self.common_
        members = members & presence[rows].any(axis=0)
        result = np.zeros(len(members))
        if members.sum() == 1:
            result[members] = 1.0
        elif not members.any() or rows.sum() < FEWEST:
            return None
        else:
            held = scores[members] if rows.all() else scores[members][:, rows]
            result[members] = self.weigh(held, presence[rows][:, members], target[rows], self.common_[members])
        return result

    def needed(self) -> np.ndarray | None:
        """Members with weight for some set of present views; nothing where there are more sets than are looked at."""
        views = self.sees_.shape[1]
        if views > _views.MOST_VIEWS:
            return None
        sets = _views.patterns(views)
        return np.asarray(np.any([self._one(one, (self.sees_ & one).any(axis=1)) > 0 for one in sets], axis=0))

    def keep(self, members: np.ndarray) -> None:
        """Forget all members but some."""
        self.sees_, self.weights_ = self.sees_[members], self.weights_[:, members]
        self.common_, self.loss_ = self.common_[members], self.loss_[members]

    def row_weights(self, presence: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """Weights (rows, members), zero where a member is absent, one in sum where any is present."""
        result = np.zeros(presence.shape)
        both = np.concatenate([seen, presence], axis=1)
        kinds, place = np.unique(both, axis=0, return_inverse=True)
        for k, kind in enumerate(kinds):
            result[place.reshape(-1) == k] = self._one(kind[: seen.shape[1]], kind[seen.shape[1] :])
        return result

    def _one(self, seen: np.ndarray, present: np.ndarray) -> np.ndarray:
        match = np.flatnonzero((self.patterns_ == seen).all(axis=1))
        for weights in (*self.weights_[match], self.common_):
            kept: np.ndarray = weights * present
            if kept.sum() > NOTHING:
                return np.asarray(kept / kept.sum())
        best = np.zeros(len(present))
        if present.any():
            best[np.where(present, self.loss_, np.inf).argmin()] = 1.0
        return best

    def merge(self, scores: np.ndarray, predictions: Predictions) -> np.ndarray:
        """Weighted mean by the views that are present."""
        presence = np.asarray(predictions.presence, bool)
        weights = self.row_weights(presence, _views.sight(predictions, self.sees_)[1])
        return mixed(scores, weights)

    def combine(self, scores: np.ndarray, presence: np.ndarray) -> np.ndarray:
        """Combine scores (members, rows, outputs) -> (rows, outputs)."""
        return self.merge(scores, Predictions((), scores, presence))

    def state(self) -> Mapping[str, np.ndarray]:
        """What the class lists as learned."""
        return {name: getattr(self, f"{name}_") for name in ("sees", "patterns", "weights", "common", "loss")}

    def restore(self, task: Task, prior: np.ndarray, state: Mapping[str, np.ndarray]) -> Rule:
        """Take back a fitted rule; `ModelFormatError` where the arrays do not fit together."""
        super().restore(task, prior, state)
        members, views = state["sees"].shape
        expected = {"patterns": (len(state["weights"]), views), "weights": (len(state["patterns"]), members)}
        for name, shape in {**expected, "common": (members,), "loss": (members,)}.items():
            if state[name].shape != shape:
                raise ModelFormatError(
                    f"weights.safetensors: {name} of a rule: expected shape {shape}, got {state[name].shape}; "
                    "copy or fit the model again"
                )
        return self


def mixed(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum over members: scores (members, rows, outputs), weights (rows, members) -> (rows, outputs)."""
    result: np.ndarray = np.einsum("mro,rm->ro", scores, weights)
    return result
