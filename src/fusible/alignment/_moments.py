"""Mergeable first and second moments of columns side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse
from scipy.linalg import blas

SPARSE = 0.05
"""Below this density sparse rows are multiplied as they are; above it they are cheaper dense."""

OFFSET = 1e-2
"""Ratio of variance to squared mean below which the centring of sparse rows has to come before their products."""


class Moments:
    """Weight, means and centred products of the columns of several arrays side by side.

    Chunks are centred by their own means and merged by the update of Chan, Golub & LeVeque (1983), so that a large mean
    costs no digits and the order of chunks does not matter. `single` multiplies in single precision and adds up in
    double. Only the lower triangle of `products` is kept up; `full` gives the symmetric matrix.
    """

    def __init__(self, width: int, *, single: bool = False) -> None:
        self.rows = 0
        self.weight = 0.0
        self.mean = np.zeros(width)
        self.products = np.zeros((width, width), order="F")
        self.single = single
        self._room = np.empty((0, width), np.float32 if single else np.float64)

    def update(self, arrays: Sequence[Any], weight: np.ndarray | None = None) -> np.ndarray:
        """Add rows of arrays side by side; gives their mean, which is not finite where a value is not."""
        rows = int(arrays[0].shape[0]) if weight is None else int(np.count_nonzero(weight))
        total = float(rows) if weight is None else float(weight.sum())
        if total <= 0.0:
            return np.zeros_like(self.mean)
        share = None if weight is None else weight / total
        if all(_is_thin(array) for array in arrays):
            mean, products = _sparse_products(arrays, share, total)
            # Columns of a large mean lose digits when it is taken off afterwards: those chunks are made dense.
            if not (np.diag(products) < OFFSET * total * mean**2).any():
                self._merge(rows, total, mean, products)
                return mean
        dense = [array.toarray() if scipy.sparse.issparse(array) else array for array in arrays]
        mean = np.concatenate([_mean(array, share) for array in dense])
        if np.isfinite(mean).all():
            self._shift(total, mean)
            self._add(self._centred(dense, mean, weight))
            self.rows += rows
        return mean

    def merge(self, other: Moments) -> None:
        """Add the rows of another accumulator, which is left as it is."""
        if other.weight > 0.0:
            self._merge(other.rows, other.weight, other.mean, other.products)

    def full(self) -> np.ndarray:
        """Centred products, symmetric (columns, columns)."""
        lower = np.tril(self.products)
        result: np.ndarray = lower + np.tril(lower, -1).T
        return result

    def _merge(self, rows: int, weight: float, mean: np.ndarray, products: np.ndarray) -> None:
        self._shift(weight, mean)
        self.products += products
        self.rows += rows

    def _shift(self, weight: float, mean: np.ndarray) -> None:
        """Account for rows of another mean: their products about their own mean are added apart."""
        apart = mean - self.mean
        total = self.weight + weight
        if self.weight > 0.0:
            factor = self.weight * weight / total
            self.products = blas.dsyr(factor, apart, lower=1, a=self.products, overwrite_a=1)
        self.mean = self.mean + apart * (weight / total)
        self.weight = total

    def _centred(self, arrays: Sequence[np.ndarray], mean: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        rows = arrays[0].shape[0]
        if len(self._room) < rows:
            self._room = np.empty((rows, len(mean)), self._room.dtype)
        room = self._room[:rows]
        start = 0
        for array in arrays:
            stop = start + array.shape[1]
            np.subtract(array, mean[start:stop], out=room[:, start:stop], casting="same_kind")
            start = stop
        if weight is not None:
            room *= np.sqrt(weight)[:, None].astype(room.dtype)
        return room

    def _add(self, centred: np.ndarray) -> None:
        if self.single:
            self.products += blas.ssyrk(1.0, centred.T, lower=1)
        else:
            self.products = blas.dsyrk(1.0, centred.T, beta=1.0, c=self.products, lower=1, overwrite_c=1)


def _mean(array: np.ndarray, share: np.ndarray | None) -> np.ndarray:
    with np.errstate(invalid="ignore", over="ignore"):
        if share is None:
            return np.asarray(array.mean(axis=0, dtype=np.float64))
        return np.asarray(share @ array, dtype=np.float64)


def _is_thin(array: Any) -> bool:
    return bool(scipy.sparse.issparse(array)) and bool(array.nnz <= SPARSE * array.shape[0] * array.shape[1])


def _sparse_products(arrays: Sequence[Any], share: np.ndarray | None, total: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and centred products of sparse rows, without making them dense."""
    rows = scipy.sparse.hstack(arrays, format="csr").astype(np.float64)
    if share is None:
        share = np.full(rows.shape[0], 1.0 / rows.shape[0])
    mean = np.asarray(rows.T @ share)
    weighted = scipy.sparse.diags(share * total) @ rows
    return mean, np.asarray((rows.T @ weighted).toarray()) - total * np.outer(mean, mean)
