"""Exact search: inner products with every vector by matrix multiplication."""

from __future__ import annotations

import numpy as np

_CELLS = 32 * 2**20
"""Inner products held at once."""

Found = list[tuple[np.ndarray, np.ndarray]]
"""Per query: row numbers, best first, and their scores."""


def nearest(queries: np.ndarray, vectors: np.ndarray, numbers: np.ndarray, k: int) -> Found:
    """Find the `k` vectors of largest inner product with each query; equal ones in order of their numbers.

    `queries` (q, width), `vectors` (n, width) and their `numbers` (n,).

    >>> nearest(np.eye(2), np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([7, 9]), 1)[0][0].tolist()
    [9]
    """
    found: Found = []
    step = max(1, _CELLS // max(1, len(vectors)))
    for start in range(0, len(queries), step):
        for scores in queries[start : start + step] @ vectors.T:
            found.append(best(scores, numbers, k))
    return found


def best(scores: np.ndarray, numbers: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and scores of the `k` highest scores, best first, equal ones in order of their numbers."""
    if k < len(scores):
        least = np.partition(scores, len(scores) - k)[len(scores) - k]
        kept = np.flatnonzero(scores >= least)
        numbers, scores = numbers[kept], scores[kept]
    order = np.lexsort((numbers, -scores))[:k]
    return numbers[order], scores[order]


def merged(one: Found, other: Found, k: int) -> Found:
    """Join two lists per query into their `k` best."""
    return [
        best(np.concatenate([a[1], b[1]]), np.concatenate([a[0], b[0]]), k) for a, b in zip(one, other, strict=True)
    ]
