"""Product of experts, with the class prior divided out.

Where views are independent given the class, Bayes' rule gives, over the M present members and up to a constant,
log p(c | all) = sum_m log p_m(c) - (M - 1) log prior(c) (Hinton, "Training products of experts", 2002; Kittler et al.,
"On combining classifiers", 1998). A member that overstates a class by more than twice (most often one too rare to be
calibrated on) is divided by half its own mean instead, lest the product amplify the error. Labels of a multilabel task
are combined one by one. Values are averaged by precision: the inverse of each member's mean squared error out of fold.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fusible.ensembles import _odds
from fusible.ensembles._base import Rule
from fusible.types import Predictions


class Product(Rule):
    """Product of calibrated probabilities over the prior; precision-weighted average of values."""

    calibrated = True
    divisor_: np.ndarray | None = None
    variance_: np.ndarray | None = None

    def fit_rule(self, predictions: Predictions, target: np.ndarray) -> None:
        """Learn per member where it is present: what to divide by, or the mean squared error of values."""
        self.divisor_ = self.variance_ = None
        if self.task_.kind == "regression":
            self.variance_ = self._errors(predictions, target)
        else:
            self.divisor_ = self._divisors(predictions)

    def _divisors(self, predictions: Predictions) -> np.ndarray:
        """Shape (members, outputs, or outputs and 2 for labels): the prior, or half the member's mean where over it."""
        present = predictions.presence.T[:, :, None]
        total = np.where(present, predictions.scores, 0.0).sum(axis=1) + self.prior_
        mean = total / (present.sum(axis=1) + 1)
        prior = self.prior_
        if self.task_.kind == "multilabel":
            mean, prior = _odds.two_sided(mean), _odds.two_sided(prior)
        return np.asarray(np.maximum(prior, mean / 2))

    def _errors(self, predictions: Predictions, target: np.ndarray) -> np.ndarray:
        present = predictions.presence.T
        error = np.where(present, predictions.scores[:, :, 0] - target[None, :], 0.0) ** 2
        spread = max(float(np.var(target)), np.finfo(float).tiny)
        number = present.sum(axis=1)
        measured = (error.sum(axis=1) + spread) / (number + 1)
        return np.asarray(np.maximum(measured, 1e-9 * spread))

    def combine(self, scores: np.ndarray, presence: np.ndarray) -> np.ndarray:
        """Combine scores (members, rows, outputs) -> (rows, outputs)."""
        if self.task_.kind == "regression":
            return self._values(scores, presence)
        if self.divisor_ is None:
            raise RuntimeError("product: call fit or restore before predict")
        divisor = np.log(self.divisor_)[:, None]
        if self.task_.kind == "multilabel":
            prior = _odds.two_sided(self.prior_)
            gathered = _odds.evidence(_odds.two_sided(scores), divisor, presence).sum(axis=0)
            return _odds.posterior(prior, gathered)[..., 1]
        gathered = _odds.evidence(scores, divisor, presence).sum(axis=0)
        return _odds.posterior(self.prior_, gathered)

    def _values(self, scores: np.ndarray, presence: np.ndarray) -> np.ndarray:
        if self.variance_ is None:
            raise RuntimeError("product: call fit or restore before predict")
        weight = presence / (self.variance_ / self.variance_.min())
        total = np.where(presence.any(axis=1), weight.sum(axis=1), 1.0)
        mean: np.ndarray = np.einsum("mro,rm->ro", scores, weight) / total[:, None]
        return mean

    def state(self) -> Mapping[str, np.ndarray]:
        """`variance` (members,) for regression, else `divisor` (members, outputs, or outputs and 2 for labels)."""
        learned = {"divisor": self.divisor_, "variance": self.variance_}
        return {name: value for name, value in learned.items() if value is not None}
