"""Factors of items by alternating least squares, and users' scores by them, for any history."""

from __future__ import annotations

import importlib.util
import warnings
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from fusible.errors import MissingExtraError

ROUNDS = 15


@dataclass(frozen=True, slots=True)
class AlsSettings:
    """`factors` of each item, their `penalty`, and the `confidence` of an item that was had, against 1 of others."""

    factors: int = 32
    penalty: float = 10.0
    confidence: float = 10.0


@dataclass(slots=True)
class Als:
    """Factors of items, float32 (items, factors), of feedback that says only who had what.

    Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets" (ICDM 2008).
    """

    settings: AlsSettings
    items: np.ndarray

    @classmethod
    def fit(cls, had: csr_matrix, settings: AlsSettings, seed: int) -> Als:
        """Factorise by the library `implicit`; raises `MissingExtraError` where it is not installed."""
        if importlib.util.find_spec("implicit") is None:
            raise MissingExtraError.of("implicit", "recommend", "the scorer als")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it advises on threads of the process, which are the user's
            from implicit.cpu.als import AlternatingLeastSquares

            model = AlternatingLeastSquares(
                factors=settings.factors,
                regularization=settings.penalty,
                alpha=settings.confidence,
                iterations=ROUNDS,
                random_state=seed,
                num_threads=1,  # sums in one order: the same seed gives the same factors
            )
            model.fit(had, show_progress=False)
        return cls(settings, np.asarray(model.item_factors, np.float32))

    def scores(self, had: csr_matrix) -> np.ndarray:
        """Scores (users, items) by each user's history."""
        return np.asarray(self._solved(had, self._sums(had)) @ self.items.T)

    def terms(self, had: csr_matrix, item: int) -> np.ndarray:
        """What each item that one user (1, items) had adds to the score of an item: (had,)."""
        own = self.settings.confidence * self.items[had.indices]
        return np.asarray(own @ self._solved(had, self.items[[item]].astype(np.float64))[0])

    def _sums(self, had: csr_matrix) -> np.ndarray:
        return np.asarray(self.settings.confidence * (had @ self.items))

    def _solved(self, had: csr_matrix, right: np.ndarray) -> np.ndarray:
        """Users' factors (rows, factors): ridge regression of what they had on the items' factors."""
        items = self.items.astype(np.float64)
        base = items.T @ items + self.settings.penalty * np.eye(items.shape[1])
        found = np.empty(right.shape)
        for row in range(had.shape[0]):
            own = items[had.indices[had.indptr[row] : had.indptr[row + 1]]]
            found[row] = np.linalg.solve(base + (self.settings.confidence - 1.0) * own.T @ own, right[row])
        return found
