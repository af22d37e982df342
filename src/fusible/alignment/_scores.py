"""Correlations of scores, and signs that do not depend on the solver."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np


def pair_correlations(one: np.ndarray, other: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """Correlation per column of two score matrices (rows, components), over rows where both are finite."""
    both = np.isfinite(one).all(axis=1) & np.isfinite(other).all(axis=1)
    a, b = one[both], other[both]
    if len(a) < 2:
        return np.full(one.shape[1], np.nan)
    share = np.full(len(a), 1.0 / len(a)) if weight is None else weight[both] / weight[both].sum()
    a, b = a - share @ a, b - share @ b
    spread = np.sqrt((share @ a**2) * (share @ b**2))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: np.ndarray = np.where(spread > 0, (share @ (a * b)) / spread, 0.0)
    return found


def component_correlations(scores: Sequence[np.ndarray], weight: np.ndarray | None = None) -> np.ndarray:
    """Mean over pairs of views of the correlation per component; NaN where no pair shares two rows."""
    pairs = np.stack([pair_correlations(a, b, weight) for a, b in combinations(scores, 2)])
    known = np.isfinite(pairs)
    total = np.where(known, pairs, 0.0).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: np.ndarray = total / known.sum(axis=0)
    return mean
