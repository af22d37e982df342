"""Ranking what was found: chances of several views in one list, words blended in, rows that are alike as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fusible.index.items import FUSED

RRF = 60
"""Constant of reciprocal rank fusion (Cormack, Clarke & Büttcher 2009)."""
NEAR = 0.995
"""Cosine from which on vectors of two rows count as alike, unless strangers come so near by chance."""
SAME = 1.0 - 1e-6
"""Cosine of one and the same item, which rounding may leave."""
CHANCE = 1e-6
"""Share of random directions that may be so near: spaces of a few dimensions need a larger cosine."""

_BLOCK = 64
"""Rows whose cosines with all others are taken at once."""


def blend(chances: np.ndarray, words: np.ndarray, weight: float) -> np.ndarray:
    """Score (rows,) of each row: its chance, or with words the reciprocal ranks of both, words weighing `weight`.

    `chances` (rows,) may hold NaN, for a row without vectors; `words` (rows,) are ranks in full text from 0, -1 where
    the words did not find the row.

    >>> blend(np.array([0.9, 0.2, 0.5]), np.array([-1, 0, 1]), 1.0).argsort()[::-1].tolist()
    [1, 2, 0]
    """
    if not weight or (words < 0).all():
        return np.asarray(np.nan_to_num(chances, nan=-1.0))
    order = np.argsort(-np.nan_to_num(chances, nan=-1.0), kind="stable")
    rank = np.empty(len(order))
    rank[order] = np.arange(len(order))
    score = np.where(np.isnan(chances), 0.0, 1.0 / (RRF + 1 + rank))
    found: np.ndarray = score + np.where(words >= 0, weight / (RRF + 1 + np.maximum(words, 0)), 0.0)
    return found


def collapse(
    order: Sequence[int],
    vectors: Mapping[str, np.ndarray],
    media: Sequence[str],
    best: Sequence[str],
    most: int,
    near: float = NEAR,
) -> list[list[int]]:
    """Groups of alike rows in the order of their best, the best first, at most `most` of them.

    Two rows are alike where a media view (image, sound, video) holds the same in both, or where the view that found the
    better one holds nearly the same; a text or a table does not count so where both rows have media, which differ.
    `vectors` {view: (rows, width)} are of unit length, NaN where absent; `best` names the view that found each row,
    `near` is the least cosine.

    >>> same = {"image": np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])}
    >>> collapse([0, 1, 2], same, ["image"], ["image"] * 3, 10)
    [[0, 2], [1]]
    """
    groups: list[list[int]] = []
    left = np.array(order, dtype=np.int64)
    while len(left) and len(groups) < most:
        alike = _alike(left[:_BLOCK], left, vectors, media, best, near)
        free = np.ones(len(left), bool)
        for place, row in enumerate(alike):
            if free[place] and len(groups) < most:
                row[place] = True
                groups.append(left[row & free].tolist())
                free &= ~row
        left = left[free]
    return groups


def nearness(width: int) -> float:
    """Cosine from which on vectors of so many columns count as alike: at most `CHANCE` of strangers are so near.

    >>> nearness(320), nearness(3) > 0.9999
    (0.995, True)
    """
    if width < 3:
        return 1.0 - CHANCE
    return float(min(max(NEAR, np.sqrt(1.0 - CHANCE ** (2.0 / (width - 1)))), 1.0 - CHANCE))


def _alike(
    heads: np.ndarray,
    rows: np.ndarray,
    vectors: Mapping[str, np.ndarray],
    media: Sequence[str],
    best: Sequence[str],
    near: float,
) -> np.ndarray:
    """Bool (heads, rows): whether a row is alike one that may begin a group."""

    def cosines(view: str, of: np.ndarray) -> np.ndarray:
        found: np.ndarray = vectors[view][of].astype(np.float64) @ vectors[view][rows].astype(np.float64).T
        return found

    same, both = np.zeros((2, len(heads), len(rows)), bool)
    for view in media:
        if view in vectors:
            held = cosines(view, heads)
            same |= held >= SAME
            both |= ~np.isnan(held)
    views = np.array([best[head] for head in heads.tolist()])
    for view in {*views.tolist()} & set(vectors):
        chosen = views == view
        close = cosines(view, heads[chosen]) >= near
        same[chosen] |= close if view in {*media, FUSED} else close & ~both[chosen]
    return same
