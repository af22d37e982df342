"""How many canonical correlations are real: a step-down permutation test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import scipy.linalg
from scipy.linalg import lapack

from fusible.alignment._linear import LinearAligner
from fusible.alignment._search import LinearSearch
from fusible.alignment._stream import Stream
from fusible.errors import ArrayError, ConfigError

WELL = 1e-4
"""Reciprocal condition number of rows from which on Cholesky of their Gram is exact enough for the test."""

SLACK = 1e-5
"""Added to the diagonal, so that a correlation of 1 keeps a finite logarithm in single precision."""


@dataclass(frozen=True, slots=True)
class PermutationTest:
    """`p_values` per component, not falling from one to the next (family-wise error is controlled)."""

    p_values: np.ndarray
    permutations: int

    def significant(self, alpha: float = 0.05) -> int:
        """How many leading components are real at level `alpha`."""
        above = self.p_values > alpha
        return int(above.argmax()) if above.any() else len(above)


def permutation_test(
    aligner: LinearAligner | LinearSearch, views: Any, *, presence: Any = None, permutations: int = 199, seed: int = 0
) -> PermutationTest:
    """Test each component of a fitted linear aligner against rows paired at random, step by step.

    For component k the earlier ones are taken out of every view (Winkler et al. 2020), rows of all views but the first
    are permuted, and the statistic is Wilks' lambda of what is left, summed over pairs of views. A component's p-value
    is the greatest so far. Rows in which a view is absent are left out. One permutation serves every step and costs one
    product of whitened rows per pair of views.
    """
    if permutations < 1:
        raise ConfigError(f"permutation_test: permutations must be at least 1, got {permutations}")
    if isinstance(views, Stream):
        raise ArrayError("permutation_test: expected arrays, got a stream; give memory maps, or a sample of rows")
    checked = aligner._checked(views, presence=presence)
    if checked.presence is not None:
        checked = checked.subset(np.flatnonzero(checked.presence.all(axis=1)))
    bases = [_basis(array, weights) for array, weights in zip(checked.arrays, aligner.weights_, strict=True)]
    columns = sum(basis.shape[1] for basis in bases)
    if len(bases[0]) <= columns:
        raise ArrayError(
            f"permutation_test: expected more rows than columns ({columns}), got {len(bases[0])}; every pairing of "
            "rows correlates perfectly; reduce the views first"
        )
    steps = aligner.n_components_
    observed = _statistics(bases, steps)
    exceeded = np.ones(steps)
    for shuffled in _shuffles(bases, permutations, seed):
        exceeded += _statistics(shuffled, steps) >= observed
    return PermutationTest(np.maximum.accumulate(exceeded / (permutations + 1)), permutations)


def _basis(array: Any, weights: np.ndarray) -> np.ndarray:
    """Orthonormal basis of a view's centred rows, its leading columns spanning the components in their order.

    Single precision: what the test compares differs by far more than its rounding errors.
    """
    rows = np.array(array if isinstance(array, np.ndarray) else array.toarray(), dtype=np.float64)
    rows -= rows.mean(axis=0)
    scale = np.sqrt(np.einsum("np,np->p", rows, rows))
    scale[scale == 0.0] = 1.0
    rows /= scale
    back, directions = _coordinates(rows, weights * scale[:, None])
    turn = scipy.linalg.qr(directions, check_finite=False)[0]
    return np.asarray(rows @ (back @ turn), dtype=np.float32)


def _coordinates(rows: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What makes rows orthonormal (columns, rank), and the scores of `weights` in those coordinates (rank, components).

    By Cholesky where the condition allows it, by QR and the singular values of R beyond.
    """
    factor, fault = lapack.dpotrf(rows.T @ rows, lower=1, clean=1)
    if not fault and lapack.dtrcon(factor, uplo="L")[0] > WELL:
        identity = np.eye(len(factor))
        back = scipy.linalg.solve_triangular(factor, identity, lower=True, trans="T", check_finite=False)
        return back, factor.T @ weights
    triangle = scipy.linalg.qr(rows, mode="r", check_finite=False)[0][: rows.shape[1]]
    _, values, right = scipy.linalg.svd(triangle, full_matrices=False, check_finite=False)
    rank = int((values > max(rows.shape) * np.finfo(np.float64).eps * values[0]).sum())
    values, right = values[:rank], right[:rank]
    return right.T / values, values[:, None] * (right @ weights)


def _shuffles(bases: Sequence[np.ndarray], permutations: int, seed: int) -> Iterator[list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    for _ in range(permutations):
        yield [bases[0], *(basis[rng.permutation(len(basis))] for basis in bases[1:])]


def _statistics(bases: Sequence[np.ndarray], steps: int) -> np.ndarray:
    """For each step: minus the log of Wilks' lambda of what the earlier components leave, over pairs of views."""
    found = np.zeros(steps)
    for one, other in combinations(bases, 2):
        found -= _log_lambdas(one.T @ other, steps)
    return found


def _log_lambdas(block: np.ndarray, steps: int) -> np.ndarray:
    """Log of det(I - CC') of `block` without its first k rows and columns, for k below `steps`.

    It is the determinant of [[I, C], [C', I]]. With coordinates in reverse order of components, the determinants of all
    steps are leading minors of one matrix, and one Cholesky factor gives them all.
    """
    rows, columns = block.shape
    joint = np.eye(rows + columns) * (1.0 + SLACK)
    joint[:rows, rows:], joint[rows:, :rows] = block, block.T
    pairs = [place for k in reversed(range(steps)) for place in (k, rows + k)]
    order = np.concatenate([np.arange(steps, rows), np.arange(rows + steps, rows + columns), pairs]).astype(int)
    factor = scipy.linalg.cholesky(joint[np.ix_(order, order)], lower=True, check_finite=False)
    sums = np.cumsum(2.0 * np.log(np.diag(factor)))
    found: np.ndarray = sums[rows + columns - 1 - 2 * np.arange(steps)]
    return found
