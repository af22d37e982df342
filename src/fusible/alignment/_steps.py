"""Sequences of rows (rows, steps × columns): their windows, and filters over them."""

from __future__ import annotations

import numpy as np


def windows(rows: np.ndarray, steps: int, reach: int) -> np.ndarray:
    """Every step with `reach` before and after it: (rows × steps, (2 × reach + 1) × columns).

    Beyond its ends a sequence holds its first and last step.

    >>> windows(np.array([[1.0, 2.0, 3.0]]), 3, 1)
    array([[1., 1., 2.],
           [1., 2., 3.],
           [2., 3., 3.]])
    """
    apart = rows.reshape(len(rows), steps, -1)
    if not reach:
        return apart.reshape(len(rows) * steps, -1)
    longer = np.pad(apart, ((0, 0), (reach, reach), (0, 0)), mode="edge")
    pieces = [longer[:, first : first + steps] for first in range(2 * reach + 1)]
    return np.concatenate(pieces, axis=2).reshape(len(rows) * steps, -1)


def filtered(rows: np.ndarray, weights: np.ndarray, steps: int) -> np.ndarray:
    """Filter rows (rows, steps × columns) by `weights` (2 × reach + 1, columns, outputs): (rows, steps × outputs).

    >>> filtered(np.array([[1.0, 2.0, 4.0]]), np.array([-0.5, 0.0, 0.5]).reshape(3, 1, 1), 3)
    array([[0.5, 1.5, 1. ]])
    """
    apart, reach = rows.reshape(len(rows), steps, -1), len(weights) // 2
    longer = np.pad(apart, ((0, 0), (reach, reach), (0, 0)), mode="edge")
    found = sum(longer[:, first : first + steps] @ weight for first, weight in enumerate(weights))
    return np.asarray(found).reshape(len(rows), -1)
