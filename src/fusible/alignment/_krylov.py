"""Leading canonical directions of two regularised kernels, without an eigendecomposition of either."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

EXTRA = 8
"""Columns of a block beyond those wanted."""
EXACT = 1e-11
"""Size of a residual, relative to its vector, at which directions count as found."""
NOISE = 1e-13
"""Share of the largest below which a direction holds rounding errors only, those of a small ridge apart."""


@dataclass(frozen=True, slots=True)
class Smoother:
    """K (K + r I)^-1 of a positive semidefinite K with trace 1, by the Cholesky factor of K + r I."""

    factor: np.ndarray
    ridge: float

    @classmethod
    def of(cls, kernel: np.ndarray, ridge: float) -> Smoother:
        """Factor `kernel`, which is overwritten; raises `numpy.linalg.LinAlgError` where it is not semidefinite."""
        kernel[np.diag_indices(len(kernel))] += ridge
        return cls(scipy.linalg.cholesky(kernel.T, lower=True, overwrite_a=True, check_finite=False), ridge)

    @property
    def noise(self) -> float:
        """Size of rounding errors in what the smoother gives: those of its inverse, whose norm is up to 1 / r."""
        return NOISE + 8.0 * float(np.finfo(float).eps) / self.ridge

    def solve(self, columns: np.ndarray) -> np.ndarray:
        """(K + r I)^-1 of columns."""
        return np.asarray(scipy.linalg.cho_solve((self.factor, True), columns, check_finite=False))

    def __call__(self, columns: np.ndarray) -> np.ndarray:
        """K (K + r I)^-1 of columns, as columns - r (K + r I)^-1 columns."""
        return columns - self.ridge * self.solve(columns)


def leading_directions(one: Smoother, other: Smoother, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors z, t (rows, count) and values r, descending, with `other`(t) = r z and `one`(z) = r t.

    These are the stationary points of z'·one·other·t over z'·one·z = t'·other·t = 1. A block Krylov space of
    `other`·`one` is widened until the residuals are of the size of rounding errors; where it would span half of all
    rows, or holds too few relations, the smoothers are decomposed. Fewer than `count` come back where a rank is lower.
    """
    if 4 * (count + EXTRA) < len(one.factor):
        found = _search(one, other, count)
        if found is not None:
            return found
    return _dense(one, other, count)


def _search(one: Smoother, other: Smoother, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Widen the space by blocks until its best `count` directions are exact; None where it grows too wide."""
    rows, noise = len(one.factor), one.noise + other.noise
    space = smooth = image = np.empty((rows, 0))
    start = np.random.default_rng(0).standard_normal((rows, count + EXTRA))
    block = _orthonormal(other(start), space)
    next_look = 2 * block.shape[1]
    while 2 * (space.shape[1] + block.shape[1]) < rows:
        smoothed = one(block)
        following = other(smoothed)
        space, smooth = np.hstack([space, block]), np.hstack([smooth, smoothed])
        image = np.hstack([image, following])
        block = _orthonormal(following, space)
        if space.shape[1] < next_look and block.shape[1]:
            continue
        first, second, values, residual = _pairs(one, other, *_ritz(space, smooth, image, count, noise))
        if len(values) == count and residual <= max(EXACT, noise):
            return first, second, values
        if not block.shape[1]:
            return None
        next_look = int(1.3 * space.shape[1])
    return None


def _dense(one: Smoother, other: Smoother, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same by eigendecompositions, also of directions without any relation (r = 0)."""
    roots, duals = [], []
    for smoother in (one, other):
        whole = smoother(np.eye(len(smoother.factor)))
        values, vectors = np.linalg.eigh((whole + whole.T) / 2)
        kept = values > smoother.noise
        roots.append(vectors[:, kept] * np.sqrt(values[kept]))
        duals.append(vectors[:, kept] / np.sqrt(values[kept]))
    left, found, right = np.linalg.svd(roots[0].T @ roots[1], full_matrices=False)
    return duals[0] @ left[:, :count], duals[1] @ right[:count].T, found[:count]


def _ritz(
    space: np.ndarray, smooth: np.ndarray, image: np.ndarray, count: int, noise: float
) -> tuple[np.ndarray, np.ndarray]:
    """The best t in a space, as `one` of it, and their values; `smooth` and `image` are the space's images."""
    inner = space.T @ smooth
    sizes, axes = np.linalg.eigh((inner + inner.T) / 2)
    kept = sizes > noise
    axes = axes[:, kept] / np.sqrt(sizes[kept])
    reduced = axes.T @ (smooth.T @ image) @ axes
    squares, turns = np.linalg.eigh((reduced + reduced.T) / 2)
    order = np.argsort(-squares)[:count]
    order = order[squares[order] > noise]
    values = np.sqrt(squares[order])
    return smooth @ (axes @ turns[:, order]) / values, values


def _pairs(
    one: Smoother, other: Smoother, second: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Vectors z and t from t by one step of each smoother, with the values and the largest change of a t."""
    first = other(second) / values
    again = one(first) / values
    apart = np.linalg.norm(again - second, axis=0) / np.linalg.norm(second, axis=0)
    return first, again, values, float(apart.max(initial=0.0))


def _orthonormal(columns: np.ndarray, space: np.ndarray) -> np.ndarray:
    """Orthonormal basis of what `columns` add to an orthonormal `space`; columns that add nothing are dropped."""
    largest = np.linalg.norm(columns, axis=0).max(initial=0.0)
    for _ in range(2):
        columns = columns - space @ (space.T @ columns)
    basis, upper, _ = scipy.linalg.qr(columns, mode="economic", pivoting=True, check_finite=False)
    basis = basis[:, np.abs(np.diag(upper)) > NOISE * largest]
    basis = basis - space @ (space.T @ basis)
    return np.asarray(np.linalg.qr(basis)[0])
