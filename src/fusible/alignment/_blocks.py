"""Blocks of all views side by side, as multi-view methods want them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from fusible.alignment._whiten import Whitened


def side_by_side(white: Whitened, *, identity: bool) -> np.ndarray:
    """All whitened blocks as one symmetric matrix; its diagonal blocks are identities or the views' own."""
    rows = []
    for i, whitener in enumerate(white.whiteners):
        row = [
            np.eye(whitener.rank) if i == j and (identity or b is None) else b for j, b in enumerate(white.blocks[i])
        ]
        rows.append(row)
    return np.block(rows)  # type: ignore[arg-type]


def divided(vectors: np.ndarray, white: Whitened) -> list[np.ndarray]:
    """Rows of stacked vectors, one part per view."""
    edges = np.cumsum([0, *(w.rank for w in white.whiteners)])
    return [vectors[a:b] for a, b in pairwise(edges)]
