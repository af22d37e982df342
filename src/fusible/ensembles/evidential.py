"""Evidence of every member, combined by the reduced Dempster rule.

The paper's networks (Han et al., "Trusted multi-view classification", ICLR 2021) learn evidence for a Dirichlet
distribution per view. Adapted to the level of models: a member's evidence is its calibrated probability times a
concentration learned out of fold, so that a member that is often sure and wrong counts as uncertain, and one that
repeats another, too, but for rows in which the other is absent; and the base rate is the class prior in place of the
uniform one, so that no evidence gives the prior. Labels are combined one by one. Values: Gaussian evidence, a mean
weighted by precision, where each member's variance is learned from its errors and may depend on what it predicts, and a
discount is learned for what members have in common.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.optimize import minimize

from fusible.ensembles import _dempster, _gating, _odds, _views
from fusible.ensembles._base import Rule
from fusible.types import Predictions

MOST_CELLS = 3_000_000
UNSEEN = 10.0
"""Variance, in variances of the target, of a member that no row of the fit shows."""
FARTHEST = 3.0


class Evidential(Rule):
    """Dirichlet evidence for classes and labels, Gaussian evidence for values.

    Learned: `known` (members,), which were ever present, and `concentration` (1 + members, members, 1 or labels),
    logarithms of evidence per class, see `_dempster`; or `variance` (members, 3) with `scale` (1,), coefficients of the
    log variance in the distance from the mean, and `discount` (1 + members, members) of the log precision.
    """

    calibrated = True
    concentration_: np.ndarray | None = None
    variance_: np.ndarray | None = None
    scale_: np.ndarray | None = None
    discount_: np.ndarray | None = None
    known_: np.ndarray | None = None

    def fit_rule(self, predictions: Predictions, target: np.ndarray) -> None:
        """Learn from out-of-fold predictions, on rows as they are and with views hidden."""
        self.concentration_ = self.variance_ = self.scale_ = self.discount_ = None
        presence = np.asarray(predictions.presence, bool)
        self.known_ = np.asarray(presence.any(axis=0))
        members, rows, outputs = predictions.scores.shape
        most = max(500, MOST_CELLS // (members * outputs))
        some = np.sort(np.random.default_rng(0).permutation(rows)[:most])
        few = _views.take(predictions, some)
        if self.task_.kind == "regression":
            self._fit_values(few, np.asarray(target)[some])
            return
        index, hidden, weight = _views.copies(few)
        clean = np.where(few.presence.T[:, :, None], few.scores, self.prior_)[:, index]
        wanted = np.asarray(target)[some][index].astype(np.int64).reshape(len(index), -1)
        self.concentration_ = _dempster.fit(self._groups(clean), hidden, self._base(), wanted, weight)

    def _groups(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities (members, rows, groups, classes): one group for classes, one of two classes per label."""
        return _odds.two_sided(scores) if self.task_.kind == "multilabel" else scores[:, :, None, :]

    def _base(self) -> np.ndarray:
        return _odds.two_sided(self.prior_) if self.task_.kind == "multilabel" else self.prior_[None, :]

    def combine(self, scores: np.ndarray, presence: np.ndarray) -> np.ndarray:
        """Combine scores (members, rows, outputs) -> (rows, outputs)."""
        presence = _views.checked(presence, self.known_)
        if self.task_.kind == "regression":
            return self._values(scores[:, :, 0].T, presence)[:, None]
        if self.concentration_ is None:
            raise RuntimeError("evidential: call fit or restore before predict")
        found = _dempster.combine(self._groups(scores), presence, self._base(), self.concentration_)
        return found[:, :, 1] if self.task_.kind == "multilabel" else found[:, 0]

    # -- values -------------------------------------------------------------------------------------------------

    def _fit_values(self, few: Predictions, target: np.ndarray) -> None:
        presence = np.asarray(few.presence, bool)
        scores = np.where(presence.T[:, :, None], few.scores, self.prior_)
        values = scores[:, :, 0].T
        spread = float(np.std(target)) if len(target) else 0.0
        self.scale_ = np.array([spread if spread > 0 else 1.0])
        found = []
        for member in range(values.shape[1]):
            rows = presence[:, member]
            error = (values[rows, member] - target[rows]) / self.scale_[0]
            found.append(_log_variance(self._terms(values[rows, member]), error))
        self.variance_ = np.stack(found)
        index, hidden, weight = _views.copies(few)
        whole = _gating.given(scores, presence, target, self.task_)
        data = _gating.Given(whole.told[index], hidden, weight, target[index], whole.scale)
        precision = -np.einsum("rmt,mt->rm", self._terms(values), self.variance_)
        self.discount_ = _gating.gate(data, _dempster.context(hidden), precision[index], 1.0)

    def _terms(self, values: np.ndarray) -> np.ndarray:
        """One, the distance of values (...) from the mean, and its square, each at most three deviations: (..., 3)."""
        if self.scale_ is None:
            raise RuntimeError("evidential: call fit or restore before predict")
        away = np.clip((values - self.prior_[0]) / self.scale_[0], -FARTHEST, FARTHEST)
        return np.stack([np.ones_like(away), away, away**2], axis=-1)

    def _values(self, values: np.ndarray, presence: np.ndarray) -> np.ndarray:
        if self.variance_ is None or self.discount_ is None:
            raise RuntimeError("evidential: call fit or restore before predict")
        precision = -np.einsum("rmt,mt->rm", self._terms(values), self.variance_)
        weight = _gating.weights_of(precision + _dempster.context(presence) @ self.discount_, presence)
        return np.asarray((weight * values).sum(axis=1))

    def state(self) -> Mapping[str, np.ndarray]:
        """What the class lists as learned."""
        learned = {"concentration": self.concentration_, "variance": self.variance_, "scale": self.scale_}
        learned |= {"discount": self.discount_, "known": self.known_}
        return {name: value for name, value in learned.items() if value is not None}


def _log_variance(terms: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Coefficients (3,) of the log variance of errors (rows,), by Gaussian likelihood and one row of variance 1."""
    if not len(error):
        return np.array([np.log(UNSEEN), 0.0, 0.0])
    start = np.array([np.log(((error**2).sum() + 1.0) / (len(error) + 1)), 0.0, 0.0])

    def loss(coefficients: np.ndarray) -> tuple[float, np.ndarray]:
        logs = np.clip(terms @ coefficients, -20.0, 20.0)
        ratio = error**2 * np.exp(-logs)
        first = np.exp(-coefficients[0])
        shrink = np.array([0.0, 4.0, 4.0])
        value = 0.5 * (logs + ratio).sum() + 0.5 * (coefficients[0] + first) + 0.5 * (shrink * coefficients**2).sum()
        slope = 0.5 * ((1.0 - ratio) @ terms) + shrink * coefficients
        slope[0] += 0.5 * (1.0 - first)
        return float(value) / len(error), slope / len(error)

    bounds = [(-18.0, 18.0), (-2.0, 2.0), (-1.0, 1.0)]
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x)
