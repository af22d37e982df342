"""Encodings of several views on one grid, fused step by step without training; what is absent has no say."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.linalg import eigh

from fusible.errors import ArrayError

MOST = 128
"""Directions that are kept of a view: those in which it varies most."""
BLOCK = 512
"""Steps that are held in double precision at once: views of hours are wide and long."""


def fused(views: Mapping[str, np.ndarray], weights: Mapping[str, float] | None = None) -> np.ndarray:
    """Fuse encodings {view: (steps, width)} to one (steps, columns), so that every view counts alike.

    Each view is centred over the steps that have it, turned into its `MOST` main directions, and brought to unit length
    a step, times the root of its weight (1 where not given): the inner product of two steps is then the weighted mean
    of the views' cosines, over the views that both steps have. A step whose view is absent, a row of NaN, holds zeros
    there; the length of what is there is restored, so that a step with one view counts as one with all. A step without
    any view is zeros. Raises `ArrayError` for views of different steps, or none.

    >>> fused({"sight": np.array([[1.0, 0], [0, 1]]), "sound": np.array([[np.nan, 0], [np.nan, 0]])}).round(2).tolist()
    [[1.0, 0.0], [-1.0, 0.0]]
    """
    if not views or len({len(one) for one in views.values()}) != 1:
        raise ArrayError(f"fused: expected views of the same steps, got {[one.shape for one in views.values()]}")
    parts = [np.sqrt((weights or {}).get(name, 1.0)) * _directions(np.asarray(one)) for name, one in views.items()]
    joined = np.concatenate(parts, axis=1)
    return directions_of(joined)


def directions_of(rows: np.ndarray) -> np.ndarray:
    """Rows (rows, width) of unit length; those of no length stay zeros."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.where(length > 1e-9, rows / np.where(length > 1e-9, length, 1.0), 0.0))


def _directions(view: np.ndarray) -> np.ndarray:
    """Unit vectors (steps, at most `MOST`) of a view; zeros where it is absent or never varies."""
    there = np.flatnonzero(np.isfinite(view).all(axis=1))
    if not len(there):
        return np.zeros((len(view), 1))
    blocks = [there[first : first + BLOCK] for first in range(0, len(there), BLOCK)]
    mean = np.sum([view[block].sum(axis=0, dtype=np.float64) for block in blocks], axis=0) / len(there)
    scatter = np.zeros((view.shape[1], view.shape[1]))
    for block in blocks:
        rows = view[block] - mean
        scatter += rows.T @ rows
    axes = _main_axes(scatter)
    found = np.zeros((len(view), axes.shape[1]))
    for block in blocks:
        found[block] = directions_of((view[block] - mean) @ axes)
    return found


def _main_axes(scatter: np.ndarray) -> np.ndarray:
    """Eigenvectors (width, kept) of the rows' scatter with the greatest eigenvalues; signs are fixed."""
    width = len(scatter)
    values, vectors = eigh(scatter, subset_by_index=(max(0, width - MOST), width - 1))
    kept = np.flatnonzero(values > max(values[-1], 0.0) * 1e-9)[::-1]
    axes = vectors[:, kept if len(kept) else [-1]]
    return np.asarray(axes * np.where(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])] < 0, -1.0, 1.0))
