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
    for row in order:
        group = next((g for g in groups if _alike(g[0], row, vectors, media, best[g[0]], near)), None)
        if group is not None:
            group.append(row)
        elif len(groups) < most:
            groups.append([row])
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
    one: int, other: int, vectors: Mapping[str, np.ndarray], media: Sequence[str], found: str, near: float
) -> bool:
    views = {*media, found} & set(vectors)
    cosines = {view: float(vectors[view][one].astype(np.float64) @ vectors[view][other]) for view in views}
    both = [cosines[view] for view in media if view in cosines and not np.isnan(cosines[view])]
    if max(both, default=0.0) >= SAME:
        return True
    return cosines.get(found, 0.0) >= near and (not both or found in {*media, FUSED})
