"""The contract of every model-level rule (design, section 4)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from fusible.types import Predictions, Task


class Rule(ABC):
    """Combines predictions of several members into one, for any presence pattern.

    `fit` sees out-of-fold predictions only. A leaf keeps what it learned in attributes that end in `_`, gives it in
    `state` as arrays, and takes it back in `restore`.

    `Predictions.extra` may hold `sees` (members, views) and `seen` (rows, views), both bool: which views a member sees
    and which are present (without them each member is a view of its own), and in fitting `metric`, a metric's name.
    """

    calibrated: ClassVar[bool] = False
    """Whether members' probabilities must be temperature-scaled on validation first."""
    members: ClassVar[str] = "views"
    """What is combined: "views" (one member per view), "candidates" (every candidate encoder of every view), or
    "strategies" (everything that is fitted by then, single views included)."""
    sees_encodings: ClassVar[bool] = False
    """Whether `Predictions.extra["encodings"]` is read: {view: (rows, width) float32, NaN rows where absent}."""

    def fit(self, predictions: Predictions, target: np.ndarray, task: Task) -> Rule:
        """Learn from out-of-fold predictions; `target`: class ids (rows,), 0/1 (rows, labels), or values (rows,)."""
        self.task_ = task
        self.prior_ = prior(target, task)
        self.fit_rule(predictions, target)
        return self

    def fit_rule(self, predictions: Predictions, target: np.ndarray) -> None:  # noqa: B027
        """Learn what the rule needs beyond the prior (nothing, for a plain average)."""

    def predict(self, predictions: Predictions) -> np.ndarray:
        """Combine: (rows, outputs); a row with every member absent gets the prior."""
        present = predictions.presence.T[:, :, None]
        clean = np.where(present, predictions.scores, self.prior_[None, None, :])
        combined = self.merge(clean, predictions)
        seen = np.asarray(predictions.presence.any(axis=1))
        result: np.ndarray = np.where(seen[:, None], combined, self.prior_[None, :])
        return result

    def merge(self, scores: np.ndarray, predictions: Predictions) -> np.ndarray:
        """`combine`, for a rule that reads more of the predictions (`extra`) than their presence."""
        return self.combine(scores, predictions.presence)

    @abstractmethod
    def combine(self, scores: np.ndarray, presence: np.ndarray) -> np.ndarray:
        """Combine scores (members, rows, outputs), the prior where absent, -> (rows, outputs)."""

    def needed(self) -> np.ndarray | None:
        """Members that can count in a prediction, bool (members,); nothing where all can."""
        return None

    def keep(self, members: np.ndarray) -> None:  # noqa: B027
        """Forget all members but some, bool (members,): called only where `needed` names fewer than all."""

    def state(self) -> Mapping[str, np.ndarray]:
        """Arrays that the rule learned beyond the prior."""
        return {}

    def restore(self, task: Task, prior: np.ndarray, state: Mapping[str, np.ndarray]) -> Rule:
        """Take back a fitted rule from its task, prior and `state`."""
        self.task_ = task
        self.prior_ = prior
        for name, value in state.items():
            setattr(self, f"{name}_", value)
        return self


def prior(target: np.ndarray, task: Task) -> np.ndarray:
    """Prediction without any evidence: class frequencies (one added to each count), label rates, or the mean."""
    if task.is_classification:
        counts: np.ndarray = np.bincount(target.astype(np.int64), minlength=task.outputs) + 1.0
        return np.asarray(counts / counts.sum())
    if task.kind == "multilabel":
        rates: np.ndarray = (target.sum(axis=0) + 1.0) / (len(target) + 2.0)
        return rates
    return np.array([float(np.mean(target))])
