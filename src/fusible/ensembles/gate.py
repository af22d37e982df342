"""A gate: the members' weights depend on the row (Jacobs et al., "Adaptive mixtures of local experts", 1991).

    weight_m = softmax over present members of (log fixed_m + features @ slopes_m)

`fixed` are the weights of `weighted` for the views that are present; the features are the views' encodings, reduced to
at most 16 axes each, and whether each member is absent. The slopes are shrunk by a Gaussian prior whose strength is
chosen by cross-validated loss; where no strength is better than the fixed weights by more than its standard error, as
with few rows, the gate is those weights. The slopes are learned on hidden copies of the rows too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from fusible.ensembles import _gating, _views
from fusible.ensembles._mixture import mixed
from fusible.ensembles._reduced import Reduction, learn
from fusible.ensembles.weighted import Weighted
from fusible.types import Predictions

STRENGTHS = (100.0, 10.0, 1.0)
FOLDS = 3
FEWEST_ROWS = 60
MOST_ROWS = 6000
FLOOR = 1e-2
"""Least fixed weights of all members together, so that the gate may trust each somewhere."""


class Gate(Weighted):
    """Weights on the simplex that depend on the views' encodings and presence."""

    sees_encodings: ClassVar[bool] = True
    slopes_: np.ndarray | None = None
    mean_: np.ndarray | None = None
    basis_: np.ndarray | None = None
    widths_: np.ndarray | None = None

    def fit_rule(self, predictions: Predictions, target: np.ndarray) -> None:
        """Learn the fixed weights, then the gate where cross-validation says that it helps."""
        super().fit_rule(predictions, target)
        self.slopes_ = self.mean_ = self.basis_ = self.widths_ = None
        predictions = _masked(predictions, self.sees_)
        reduction = learn(predictions.extra["encodings"])
        usable = np.flatnonzero(np.asarray(predictions.presence, bool).sum(axis=1) > 1)
        if reduction is None or len(usable) < FEWEST_ROWS:
            return
        self.mean_, self.basis_, self.widths_ = reduction.mean, reduction.basis, reduction.widths
        usable = np.sort(np.random.default_rng(0).permutation(usable)[:MOST_ROWS])
        self.slopes_ = self._learn(_views.take(predictions, usable), np.asarray(target)[usable], reduction)
        if self.slopes_ is None:
            self.mean_ = self.basis_ = self.widths_ = None

    def _learn(self, predictions: Predictions, target: np.ndarray, reduction: Reduction) -> np.ndarray | None:
        """Slopes of the best strength; nothing where none is surely better than the fixed weights."""
        index, presence, weight = _views.copies(predictions)
        scores = np.where(predictions.presence.T[:, :, None], predictions.scores, self.prior_[None, None, :])
        whole = _gating.given(scores, predictions.presence, target, self.task_)
        goal = None if whole.target is None else target[index]
        data = _gating.Given(whole.told[index], presence, weight, goal, whole.scale)
        seen = _views.sight(predictions, self.sees_)[1][index]
        seen &= presence @ self.sees_
        copied = _masked(_views.take(predictions, index), self.sees_, seen)
        features = _features(reduction, copied.extra["encodings"], presence)
        offset = self._offset(presence, seen)
        fixed = _gating.losses(data, np.log(np.maximum(self.row_weights(presence, seen), 1e-30)))[0]
        fold = np.random.default_rng(0).permutation(len(target)) % FOLDS
        gains = [
            self._gain(data, features, offset, fixed, strength, fold[index], len(target)) for strength in STRENGTHS
        ]
        place = int(np.argmax([gain.mean() for gain in gains]))
        gain = gains[place]
        if gain.mean() <= gain.std() / np.sqrt(len(gain)):
            return None
        return _gating.gate(data, features, offset, STRENGTHS[place])

    @staticmethod
    def _gain(
        data: _gating.Given,
        features: np.ndarray,
        offset: np.ndarray,
        fixed: np.ndarray,
        strength: float,
        fold: np.ndarray,
        rows: int,
    ) -> np.ndarray:
        """Loss (rows,) saved over `fixed` in the first rows, which are no copies, by gates that did not see the row."""
        saved = np.zeros(rows)
        for k in range(FOLDS):
            rest, held = np.flatnonzero(fold != k), np.flatnonzero(fold[:rows] == k)
            slopes = _gating.gate(data.take(rest), features[rest], offset[rest], strength)
            saved[held] = fixed[held] - _gating.losses(data.take(held), offset[held] + features[held] @ slopes)[0]
        return saved

    def _offset(self, presence: np.ndarray, seen: np.ndarray) -> np.ndarray:
        weights = np.maximum(self.row_weights(presence, seen), FLOOR / presence.shape[1])
        return np.asarray(np.log(weights))

    def merge(self, scores: np.ndarray, predictions: Predictions) -> np.ndarray:
        """Weighted mean by the row's own weights."""
        if self.slopes_ is None or self.mean_ is None or self.basis_ is None or self.widths_ is None:
            return super().merge(scores, predictions)
        presence = np.asarray(predictions.presence, bool)
        seen = _views.sight(predictions, self.sees_)[1]
        reduction = Reduction(self.mean_, self.basis_, self.widths_)
        features = _features(reduction, _masked(predictions, self.sees_).extra["encodings"], presence)
        weights = _gating.weights_of(self._offset(presence, seen) + features @ self.slopes_, presence)
        return mixed(scores, weights)

    def state(self) -> Mapping[str, np.ndarray]:
        """The state of `weighted`, and where a gate was learned `slopes`, `mean`, `basis` and `widths`."""
        learned = {"slopes": self.slopes_, "mean": self.mean_, "basis": self.basis_, "widths": self.widths_}
        return {**super().state(), **{name: value for name, value in learned.items() if value is not None}}


def _features(reduction: Reduction, encodings: Mapping[str, np.ndarray], presence: np.ndarray) -> np.ndarray:
    """Reduced encodings, whether each member is absent, and one."""
    found = reduction.features(encodings, len(presence))
    return np.concatenate([found, ~presence, np.ones((len(presence), 1))], axis=1)


def _masked(predictions: Predictions, sees: np.ndarray, seen: np.ndarray | None = None) -> Predictions:
    """The same predictions with encodings NaN where the view is absent, or not in `seen` (rows, views)."""
    seen = _views.sight(predictions, sees)[1] if seen is None else seen
    views = list(predictions.extra.get("views", predictions.names))
    found = {}
    for name, values in predictions.extra.get("encodings", {}).items():
        found[name] = np.array(values, np.float32)
        if name in views:
            found[name][~seen[:, views.index(name)]] = np.nan
    extra = {**predictions.extra, "encodings": found}
    return Predictions(predictions.names, predictions.scores, predictions.presence, extra)
