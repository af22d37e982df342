"""A second pass over whitened rows, whose Gram is well conditioned: the accuracy of QR of all rows at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.linalg

from fusible.alignment._gram import Covariance
from fusible.alignment._moments import Moments
from fusible.alignment._views import Chunk
from fusible.alignment._whiten import Whitened, Whitener


@dataclass(slots=True)
class Twice:
    """Whitening by one whitener, and of what it gives by the Cholesky factor of its covariance."""

    first: Whitener
    factor: np.ndarray

    @property
    def rank(self) -> int:
        """Number of coordinates."""
        return self.first.rank

    def left(self, block: np.ndarray) -> np.ndarray:
        """Project, and solve with the factor."""
        return _solve(self.factor, self.first.left(block))

    def back(self, directions: np.ndarray) -> np.ndarray:
        """Solve with the transposed factor, and combine."""
        turned = scipy.linalg.solve_triangular(self.factor, directions, lower=True, trans="T", check_finite=False)
        return self.first.back(turned)

    def forth(self, weights: np.ndarray) -> np.ndarray:
        """Multiply with the transposed factor."""
        directions: np.ndarray = self.factor.T @ self.first.forth(weights)
        return directions


def refined(cov: Covariance, white: Whitened, chunks: Iterable[Chunk]) -> Whitened:
    """Whiten once more by the Gram of the whitened rows (CholeskyQR2; Yamamoto et al. 2015).

    Rounding in the triangle of a tall QR is spread over few rows; in whitened rows it is spread over all, and averages
    out as it does in one QR of all rows. Of use without ridge only.
    """
    maps = [
        whitener.back(np.eye(whitener.rank)) / cov.deviations[i][:, None] for i, whitener in enumerate(white.whiteners)
    ]
    edges = np.cumsum([0, *(whitener.rank for whitener in white.whiteners)])
    moments = Moments(int(edges[-1]))
    for chunk in chunks:
        dense = [a if isinstance(a, np.ndarray) else a.toarray() for a in chunk.arrays]
        rows = [(a - mean) @ weights for a, mean, weights in zip(dense, cov.means, maps, strict=True)]
        moments.update(rows, chunk.weight)
    full = moments.full() / moments.weight
    cuts = [slice(start, stop) for start, stop in pairwise(edges)]
    factors = [np.linalg.cholesky(full[cut, cut]) for cut in cuts]
    whiteners: list[Whitener] = [Twice(*pair) for pair in zip(white.whiteners, factors, strict=True)]
    blocks: list[list[np.ndarray | None]] = [[None] * len(cuts) for _ in cuts]
    for i, one in enumerate(cuts):
        for j, other in enumerate(cuts):
            if i != j:
                blocks[i][j] = _solve(factors[j], _solve(factors[i], full[one, other]).T).T
    return Whitened(whiteners, blocks, white.conditions, white.method)


def _solve(factor: np.ndarray, block: np.ndarray) -> np.ndarray:
    return np.asarray(scipy.linalg.solve_triangular(factor, block, lower=True, check_finite=False))
