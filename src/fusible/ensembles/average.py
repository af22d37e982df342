"""Average of the members that are present."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from fusible.ensembles._base import Rule


class Average(Rule):
    """Mean of the present members' probabilities or values; learns nothing."""

    calibrated: ClassVar[bool] = True

    def combine(self, scores: np.ndarray, presence: np.ndarray) -> np.ndarray:
        """Mean over present members: scores (members, rows, outputs), presence (rows, members) -> (rows, outputs)."""
        number = np.maximum(presence.sum(axis=1), 1)[:, None]
        mean: np.ndarray = np.einsum("mro,rm->ro", scores, presence.astype(float)) / number
        return mean
