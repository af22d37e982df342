"""Vote of the members that are present: plurality of decisions, or the median of values.

The mean probability of the members is one vote more, divided among the classes: it is worth less than a whole vote, so
that it decides ties only and makes the shares probabilities. A member that is alone passes as it is. Labels are voted
on one by one, at one half.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from fusible.ensembles._base import Rule


class Vote(Rule):
    """Smoothed shares of the present members' decisions; median of values; learns nothing."""

    calibrated: ClassVar[bool] = True

    def combine(self, scores: np.ndarray, presence: np.ndarray) -> np.ndarray:
        """Combine scores (members, rows, outputs), presence (rows, members) -> (rows, outputs)."""
        if self.task_.kind == "regression":
            return _median(scores[:, :, 0].T, presence)[:, None]
        present = presence.astype(float)
        number = presence.sum(axis=1)
        mean = np.einsum("mro,rm->ro", scores, present) / np.maximum(number, 1)[:, None]
        votes = np.zeros_like(mean)
        for member, one in enumerate(scores):
            if self.task_.kind == "multilabel":
                votes += present[:, member, None] * (one >= 0.5)
            else:
                votes[np.arange(len(one)), one.argmax(axis=1)] += present[:, member]
        counted = (number > 1)[:, None]
        shares: np.ndarray = (votes * counted + mean) / (number[:, None] * counted + 1.0)
        return shares


def _median(values: np.ndarray, presence: np.ndarray) -> np.ndarray:
    """Median over present members of values (rows, members); a row without any gives its first value."""
    number = presence.sum(axis=1)
    ordered = np.sort(np.where(presence, values, np.inf), axis=1)
    ordered[number == 0] = values[number == 0]
    rows = np.arange(len(values))
    low, high = np.maximum(number - 1, 0) // 2, number // 2
    result: np.ndarray = (ordered[rows, low] + ordered[rows, np.minimum(high, values.shape[1] - 1)]) / 2
    return result
