"""Whitening: coordinates in which a view has unit covariance, from its Gram or from the rows by QR."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Protocol

import numpy as np
import scipy.linalg
from scipy.linalg import lapack

from fusible.alignment._gram import Covariance
from fusible.alignment._views import Chunk

WORST = {"float32 Gram": 1e-3, "float64 Gram": 1e-8}
"""Reciprocal condition numbers of a covariance down to which a Gram in that precision is exact enough."""
EPS = float(np.finfo(np.float64).eps)
EPS_SINGLE = float(np.finfo(np.float32).eps)
UNIFORM = 0.3
"""Deviation of rounding errors as a share of their range (1 / sqrt(12))."""


class Whitener(Protocol):
    """Coordinates of one view, orthonormal over the rows (with ridge: over the rows and the penalty)."""

    @property
    def rank(self) -> int:
        """Number of coordinates."""

    def left(self, block: np.ndarray) -> np.ndarray:
        """Whitened coordinates of a covariance with this view: (columns, any) -> (rank, any)."""

    def back(self, directions: np.ndarray) -> np.ndarray:
        """Weights of columns: (rank, any) -> (columns, any)."""

    def forth(self, weights: np.ndarray) -> np.ndarray:
        """Directions of weights, the inverse of `back`: (columns, any) -> (rank, any)."""


@dataclass(slots=True)
class Triangle:
    """Whitening by the Cholesky factor of a covariance of full rank; `columns` are those that it is of."""

    factor: np.ndarray
    columns: np.ndarray

    @property
    def rank(self) -> int:
        """Number of coordinates."""
        return len(self.factor)

    def left(self, block: np.ndarray) -> np.ndarray:
        """Solve with the factor."""
        solved: np.ndarray = scipy.linalg.solve_triangular(
            self.factor, block[self.columns], lower=True, check_finite=False
        )
        return solved

    def back(self, directions: np.ndarray) -> np.ndarray:
        """Solve with the transposed factor; columns that do not vary get weight 0."""
        weights = np.zeros((len(self.columns), directions.shape[1]))
        weights[self.columns] = scipy.linalg.solve_triangular(
            self.factor, directions, lower=True, trans="T", check_finite=False
        )
        return weights

    def forth(self, weights: np.ndarray) -> np.ndarray:
        """Multiply with the transposed factor."""
        directions: np.ndarray = self.factor.T @ weights[self.columns]
        return directions


@dataclass(slots=True)
class Axes:
    """Whitening by principal axes, those of no variance dropped: (columns, rank), and its inverse (rank, columns)."""

    weights: np.ndarray
    inverse: np.ndarray

    @property
    def rank(self) -> int:
        """Number of coordinates."""
        return int(self.weights.shape[1])

    def left(self, block: np.ndarray) -> np.ndarray:
        """Project."""
        projected: np.ndarray = self.weights.T @ block
        return projected

    def back(self, directions: np.ndarray) -> np.ndarray:
        """Combine axes."""
        combined: np.ndarray = self.weights @ directions
        return combined

    def forth(self, weights: np.ndarray) -> np.ndarray:
        """Multiply with the inverse."""
        directions: np.ndarray = self.inverse @ weights
        return directions


@dataclass(slots=True)
class Whitened:
    """All views in whitened coordinates: `blocks[i][j]` (rank i, rank j) is their correlation.

    `blocks[i][i]` is None where it is the identity, and the covariance without the penalty under a ridge.
    `conditions` are those of the views' covariances, estimated where nothing better is known; `method` names the way.
    """

    whiteners: list[Whitener]
    blocks: list[list[np.ndarray | None]]
    conditions: list[float]
    method: str


def white_correlations(white: Whitened, standard: Sequence[np.ndarray]) -> np.ndarray:
    """Correlation per component, mean over pairs of views; in whitened coordinates the condition costs nothing."""
    directions = [whitener.forth(weights) for whitener, weights in zip(white.whiteners, standard, strict=True)]
    spread = [_spread(white.blocks[i][i], direction) for i, direction in enumerate(directions)]
    pairs = []
    for i, j in combinations(range(len(directions)), 2):
        shared = np.einsum("rk,rk->k", directions[i], white.blocks[i][j] @ directions[j])
        scale = spread[i] * spread[j]
        pairs.append(np.divide(shared, scale, out=np.zeros_like(shared), where=scale > 0))
    return np.asarray(np.mean(pairs, axis=0))


def _spread(block: np.ndarray | None, direction: np.ndarray) -> np.ndarray:
    own = direction if block is None else block @ direction
    return np.asarray(np.sqrt(np.maximum(np.einsum("rk,rk->k", direction, own), 0.0)))


def penalties(cov: Covariance, ridge: Sequence[float]) -> list[np.ndarray]:
    """Ridge on the diagonal of each correlation matrix: a share of the view's mean variance, whatever its units."""
    found = []
    for i in cov.views:
        variance = cov.deviations[i] ** 2
        found.append(np.where(cov.kept[i], ridge[i] * variance[cov.kept[i]].mean() / variance, 0.0))
    return found


def rounding(cov: Covariance, place: int) -> np.ndarray:
    """Deviation that rounding of the given numbers alone gives each standardised column."""
    size = np.abs(cov.means[place]) / cov.deviations[place]
    return np.asarray(UNIFORM * cov.gram.grains[place] * (1.0 + size))


def from_gram(cov: Covariance, ridge: Sequence[float], *, last: bool) -> Whitened | None:
    """Whiten by Cholesky where the condition allows it; else nothing, or by principal axes if this is the `last` way.

    With missing views the covariance need not be that of any rows: the way on is a Gram in double precision, then
    principal axes.
    """
    method = precision = "float32 Gram" if cov.gram.single else "float64 Gram"
    added = penalties(cov, ridge)
    whiteners: list[Whitener] = []
    conditions: list[float] = []
    for i in cov.views:
        block, columns = cov.blocks[i][i], cov.kept[i]
        matrix = block[np.ix_(columns, columns)] + np.diag(added[i][columns])
        whitener, rcond = _cholesky(matrix, columns)
        conditions.append(1.0 / rcond if rcond > 0.0 else np.inf)
        noise = rounding(cov, i)[columns]
        if rcond < max(WORST[precision], noise.max() ** 2):
            if not last and (cov.complete or cov.gram.single):
                return None
            whitener = _axes(matrix, columns, noise, EPS_SINGLE if cov.gram.single else EPS)
            method = f"{precision}, principal axes"
        whiteners.append(whitener)
    return Whitened(whiteners, _blocks(cov, whiteners, added), conditions, method)


def from_rows(cov: Covariance, ridge: Sequence[float], chunks: Iterable[Chunk]) -> Whitened:
    """Whiten by the QR decomposition of standardised rows, chunk by chunk (TSQR; Demmel et al. 2012).

    No Gram is formed, so that condition numbers up to 1e12 keep their digits; every view must be present in every row.
    The triangle is left in `cov.roots`.
    """
    triangle = _tsqr(cov, chunks)
    edges = np.cumsum([0, *(len(kept) for kept in cov.kept)])
    cov.roots = [triangle[:, start:stop] for start, stop in pairwise(edges)]
    whiteners: list[Whitener] = []
    conditions, bases, norms = [], [], []
    for i, added in zip(cov.views, penalties(cov, ridge), strict=True):
        part = cov.roots[i]
        stacked = np.vstack([part, np.diag(np.sqrt(added))]) if ridge[i] > 0.0 else part
        scale = np.linalg.norm(stacked, axis=0)  # a ridge beside columns of little variance is no ill condition
        scale[scale == 0.0] = 1.0
        left, values, right = scipy.linalg.svd(stacked / scale, full_matrices=False, check_finite=False)
        noise = np.sqrt(right**2 @ (rounding(cov, i) / scale) ** 2)
        good = values > np.maximum(noise, EPS * (10.0 * len(values) + 4.0 * np.sqrt(cov.rows)) * values[0])
        axes = right[good].T / values[good] / scale[:, None]
        whiteners.append(Axes(axes, right[good] * values[good][:, None] * scale))
        bases.append(left[: len(part), good])
        norms.append(None if ridge[i] == 0.0 else bases[i].T @ bases[i])
        columns = int(cov.kept[i].sum())
        smallest = values[columns - 1] if columns <= len(values) else 0.0
        conditions.append(float((values[0] / smallest) ** 2) if smallest > 0.0 else np.inf)
    blocks = [[norms[i] if i == j else bases[i].T @ bases[j] for j in cov.views] for i in cov.views]
    return Whitened(whiteners, blocks, conditions, "QR of the rows")


def _cholesky(matrix: np.ndarray, columns: np.ndarray) -> tuple[Whitener, float]:
    """The factor, and the reciprocal condition number as LAPACK estimates it (0 where there is no factor)."""
    scale = np.sqrt(np.diag(matrix))  # a ridge beside columns of little variance is no ill condition
    scaled = matrix / np.outer(scale, scale)
    norm = float(np.abs(scaled).sum(axis=0).max())
    factor, fault = lapack.dpotrf(scaled, lower=1, clean=1)
    whitener = Triangle(factor * scale[:, None], columns)
    if fault:
        return whitener, 0.0
    rcond, _ = lapack.dpocon(factor, norm, uplo="L")
    return whitener, float(rcond)


def _axes(matrix: np.ndarray, columns: np.ndarray, noise: np.ndarray, eps: float) -> Axes:
    scale = np.sqrt(np.diag(matrix))
    values, vectors = scipy.linalg.eigh(matrix / np.outer(scale, scale), check_finite=False)
    # A Gram knows its eigenvalues to about width * eps of the largest.
    good = values > np.maximum(10.0 * len(values) * eps * values[-1], (noise / scale) ** 2 @ vectors**2)
    size = np.sqrt(values[good])
    weights, inverse = np.zeros((len(columns), len(size))), np.zeros((len(size), len(columns)))
    weights[columns] = vectors[:, good] / size / scale[:, None]
    inverse[:, columns] = vectors[:, good].T * size[:, None] * scale
    return Axes(weights, inverse)


def _blocks(cov: Covariance, whiteners: list[Whitener], added: list[np.ndarray]) -> list[list[np.ndarray | None]]:
    blocks: list[list[np.ndarray | None]] = [[None] * len(whiteners) for _ in whiteners]
    for i, one in enumerate(whiteners):
        if added[i].any():
            blocks[i][i] = one.left(one.left(cov.blocks[i][i]).T)
        for j in range(i + 1, len(whiteners)):
            half = one.left(cov.blocks[i][j])
            block = whiteners[j].left(half.T).T
            blocks[i][j], blocks[j][i] = block, block.T
    return blocks


def _tsqr(cov: Covariance, chunks: Iterable[Chunk]) -> np.ndarray:
    """Triangle R with R'R = correlation matrix of all columns side by side.

    A column of ones goes first, and out again with its row: that takes off what rounding left of the means.
    """
    means, scales = np.concatenate(cov.means), np.concatenate(cov.deviations)
    kept = np.concatenate(cov.kept)
    triangle = np.zeros((0, len(means) + 1))
    weight = 0.0
    for chunk in chunks:
        dense = [a if isinstance(a, np.ndarray) else a.toarray() for a in chunk.arrays]
        rows = np.ones((len(dense[0]), len(means) + 1))
        np.concatenate(dense, axis=1, out=rows[:, 1:])
        rows[:, 1:] -= means
        rows[:, 1:] /= scales
        rows[:, 1:][:, ~kept] = 0.0
        if chunk.weight is not None:
            rows *= np.sqrt(chunk.weight)[:, None]
        weight += float(chunk.weight.sum()) if chunk.weight is not None else len(rows)
        triangle = scipy.linalg.qr(np.vstack([triangle, rows]), mode="r", overwrite_a=True, check_finite=False)[0]
        triangle = triangle[: len(means) + 1]
    return np.asarray(triangle[1:, 1:] / np.sqrt(weight))
