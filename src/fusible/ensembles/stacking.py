"""Stacking: a model over the members' out-of-fold predictions (Wolpert, "Stacked generalization", 1992).

Classes: the learned pool of `_pool`. Labels of a multilabel task: one such pool each. Values: the mean of the present
members plus a ridge regression of what is left on that mean and the members' deviations from it, alone and where
another member is absent; its strength is chosen by leave-one-out error. With few rows each falls back on the mean.
All learn on hidden copies of the rows too (`_views`), so that what remains where a view is absent is used as well as it
deserves. A member that no row of the fit shows counts only where no other is present.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from scipy.special import softmax

from fusible.ensembles import _odds, _pool, _views
from fusible.ensembles._base import Rule
from fusible.types import Predictions

ALPHAS = tuple(float(alpha) for alpha in np.logspace(-2, 4, 7))


class Stacking(Rule):
    """Multinomial logistic pool for classes and labels, ridge regression for values, with presence throughout."""

    members: ClassVar[str] = "candidates"
    weights_: np.ndarray
    bias_: np.ndarray
    full_: np.ndarray | None = None
    scale_: np.ndarray | None = None
    known_: np.ndarray | None = None

    def fit_rule(self, predictions: Predictions, target: np.ndarray) -> None:
        """Learn from out-of-fold predictions; absent members' scores are not looked at."""
        self.full_ = self.scale_ = None
        shown = np.asarray(predictions.presence, bool)
        self.known_ = np.asarray(shown.any(axis=0))
        clean = np.where(shown.T[:, :, None], predictions.scores, self.prior_[None, None, :])
        share = (
            1.0 if self.task_.kind == "regression" else _views.SHARE
        )  # ridge has more to learn for each set of views
        origin, presence, weight = _views.copies(predictions, share)
        seen = presence.any(axis=1)
        origin, presence, weight = origin[seen], presence[seen], weight[seen]
        copied = _Copied(presence, weight, np.unique(origin, return_inverse=True)[1].reshape(-1))
        scores, target = clean[:, origin], np.asarray(target)[origin]
        if self.task_.kind == "regression":
            self._fit_values(scores[:, :, 0].T, copied, target)
        elif self.task_.kind == "multilabel":
            self._fit_labels(scores, copied, target)
        else:
            rows = _rows(scores, copied, self.prior_)
            pool = _pool.fit(rows, target.astype(np.int64), choose=self.task_.kind == "multiclass")
            self.weights_, self.bias_, self.full_ = pool.weights, pool.bias, pool.full

    def combine(self, scores: np.ndarray, presence: np.ndarray) -> np.ndarray:
        """Combine scores (members, rows, outputs) -> (rows, outputs)."""
        presence = _views.checked(presence, self.known_)
        rows = _Copied(presence)
        if self.task_.kind == "regression":
            return self._values(scores[:, :, 0].T, presence)
        if self.task_.kind == "multilabel":
            return self._labels(scores, rows)
        pool = _pool.Pool(self.weights_, self.bias_, self.full_)
        probability: np.ndarray = softmax(_pool.logits(pool, _rows(scores, rows, self.prior_)), axis=1)
        return probability

    def state(self) -> Mapping[str, np.ndarray]:
        """`weights`, `bias`, `known` (members,), and where they were learned `full` (classes) and `scale` (values)."""
        learned = {"weights": self.weights_, "bias": self.bias_, "known": self.known_}
        learned |= {"full": self.full_, "scale": self.scale_}
        return {name: value for name, value in learned.items() if value is not None}

    # -- labels -------------------------------------------------------------------------------------------------

    def _label_rows(self, scores: np.ndarray, rows: _Copied, label: int) -> _pool.Rows:
        return _rows(_odds.two_sided(scores[..., label]), rows, _odds.two_sided(self.prior_[label]))

    def _fit_labels(self, scores: np.ndarray, rows: _Copied, target: np.ndarray) -> None:
        pools = [
            _pool.fit(self._label_rows(scores, rows, label), target[:, label].astype(np.int64), choose=False)
            for label in range(self.task_.outputs)
        ]
        self.weights_ = np.stack([pool.weights for pool in pools])
        self.bias_ = np.stack([pool.bias for pool in pools])

    def _labels(self, scores: np.ndarray, rows: _Copied) -> np.ndarray:
        columns = [
            softmax(_pool.logits(_pool.Pool(weights, bias), self._label_rows(scores, rows, label)), axis=1)[:, 1]
            for label, (weights, bias) in enumerate(zip(self.weights_, self.bias_, strict=True))
        ]
        return np.stack(columns, axis=1)

    # -- values -------------------------------------------------------------------------------------------------

    def _fit_values(self, scores: np.ndarray, rows: _Copied, target: np.ndarray) -> None:
        from sklearn.linear_model import RidgeCV

        spread = float(np.std(target)) if len(target) else 0.0
        self.scale_ = np.array([spread if spread > 0 else 1.0])
        mean, features = _deviations(scores, rows.presence, self.prior_[0], self.scale_[0])
        if len(target) < 2:
            self.weights_, self.bias_ = np.zeros(features.shape[1]), np.zeros(1)
            return
        ridge = RidgeCV(alphas=ALPHAS).fit(features, (target - mean) / self.scale_[0], sample_weight=rows.weight)
        self.weights_, self.bias_ = np.asarray(ridge.coef_), np.array([float(ridge.intercept_)])

    def _values(self, scores: np.ndarray, presence: np.ndarray) -> np.ndarray:
        scale = 1.0 if self.scale_ is None else self.scale_[0]
        mean, features = _deviations(scores, presence, self.prior_[0], scale)
        value: np.ndarray = mean + scale * (features @ self.weights_ + self.bias_[0])
        return value[:, None]


class _Copied:
    """Presence (rows, members) of rows and their hidden copies, their weight, and the row that each is a copy of."""

    def __init__(
        self, presence: np.ndarray, weight: np.ndarray | None = None, origin: np.ndarray | None = None
    ) -> None:
        self.presence = presence
        self.weight = np.ones(len(presence)) if weight is None else weight
        self.origin = np.arange(len(presence)) if origin is None else origin


def _rows(scores: np.ndarray, rows: _Copied, prior: np.ndarray) -> _pool.Rows:
    evidence = _odds.evidence(scores, _odds.log_probability(prior), rows.presence)
    return _pool.Rows(evidence.transpose(1, 0, 2), rows.presence, prior, rows.weight, rows.origin)


def _deviations(scores: np.ndarray, presence: np.ndarray, prior: float, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the present members (rows,), and the features of the ridge regression; scores (rows, members)."""
    number = np.maximum(presence.sum(axis=1), 1)
    mean = np.where(presence, scores, 0.0).sum(axis=1) / number
    away = np.where(presence, scores - mean[:, None], 0.0) / scale
    absent = (~presence).astype(float)
    moved = np.concatenate([away, (mean - prior)[:, None] / scale], axis=1)
    crossed = (moved[:, :, None] * absent[:, None, :]).reshape(len(scores), moved.shape[1] * absent.shape[1])
    return mean, np.concatenate([moved, absent, crossed], axis=1)
