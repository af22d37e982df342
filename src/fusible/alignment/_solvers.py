"""Leading singular vectors and eigenvectors of small dense matrices."""

from __future__ import annotations

import numpy as np
import scipy.linalg

FEW = 4
"""Below this share (one in so many) of all components a partial eigendecomposition is cheaper than an SVD."""


def leading_svd(matrix: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Leading singular triplets: left (rows, count), values descending, right (columns, count).

    Few of many come from the eigenvectors of the smaller product, refined by a Rayleigh-Ritz step, which gives values
    as exact as an SVD's as long as they are above 1e-7 of the largest.
    """
    if count * FEW > min(matrix.shape):
        left, values, right = scipy.linalg.svd(matrix, full_matrices=False, check_finite=False)
        return left[:, :count], values[:count], right[:count].T
    if matrix.shape[0] < matrix.shape[1]:
        right, values, left = leading_svd(matrix.T, count)
        return left, values, right
    _, start = leading_eigh(matrix.T @ matrix, count)
    left, values, turn = scipy.linalg.svd(matrix @ start, full_matrices=False, check_finite=False)
    return left, values, start @ turn.T


def leading_eigh(matrix: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Leading eigenvalues, descending, and eigenvectors (rows, count) of a symmetric matrix."""
    size = len(matrix)
    if count * FEW <= size:
        subset = [size - count, size - 1]
        values, vectors = scipy.linalg.eigh(matrix, subset_by_index=subset, driver="evr", check_finite=False)
        # Where eigenvalues are equal to the last digit, LAPACK's partial driver may find fewer without a word.
        if vectors.shape[1] == count:
            return values[::-1], vectors[:, ::-1]
    values, vectors = scipy.linalg.eigh(matrix, driver="evd", check_finite=False)
    return values[::-1][:count], vectors[:, ::-1][:, :count]
