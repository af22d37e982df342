"""How alike views are on held-out rows: correlations with intervals and tests, linear CKA, modality gap, retrieval.

Every function takes matrices (rows, columns) of two or more views, rows of an absent view all NaN, and looks at pairs
of views where both are present; with more than two views a value is the mean over pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from fusible.alignment._scores import component_correlations
from fusible.evaluation.bootstrap import FEWEST, LEVELS, draws
from fusible.evaluation.study import Score

BUDGET = 5_000_000_000
"""Multiplications that intervals, or a test, may cost: with more cells fewer resamples are drawn, at least 200."""
MOST_ITEMS = 5_000
"""Items of a view among which retrieval is tried."""


def correlation_intervals(
    scores: Sequence[np.ndarray], blocks: np.ndarray, *, resamples: int = 1000, seed: int = 0
) -> list[Score]:
    """Correlation per component with its 95 % percentile interval; `blocks` (rows,) are resampled as wholes.

    Weights of a resample are how often its blocks were drawn, so that all resamples cost a few matrix products.
    """
    _, places = np.unique(blocks, return_inverse=True)
    pairs = [_prepared(a, b) for a, b in combinations(scores, 2)]
    drawn = []
    for weights in draws(int(places.max()) + 1, _affordable(scores, resamples), seed):
        spread = weights[:, places]
        drawn.append(np.mean([_weighted(spread, *pair) for pair in pairs], axis=0))
    low, high = np.nanpercentile(np.concatenate(drawn), LEVELS, axis=0)
    points = component_correlations(scores)
    return [Score(float(p), float(a), float(b)) for p, a, b in zip(points, low, high, strict=True)]


def significance(scores: Sequence[np.ndarray], *, permutations: int = 999, seed: int = 0) -> np.ndarray:
    """p-value per component that its correlation on these rows is no more than chance.

    Rows must not be those that the projections were fitted on, and must be independent of one another. Rows of every
    view but the first are permuted; each component is compared with the largest of those that follow it, and p-values
    never fall (step-down over the order of components; Westfall & Young 1993): the family-wise error is controlled.
    """
    rng = np.random.default_rng(seed)
    number = _affordable(scores, permutations)
    found = np.nan_to_num(component_correlations(scores), nan=0.0)
    exceeded = np.zeros(len(found))
    for _ in range(number):
        mixed = [scores[0], *(one[rng.permutation(len(one))] for one in scores[1:])]
        chance = np.nan_to_num(component_correlations(mixed), nan=0.0)
        exceeded += np.maximum.accumulate(chance[::-1])[::-1] >= found
    p_values: np.ndarray = np.maximum.accumulate((1 + exceeded) / (1 + number))
    return p_values


def linear_cka(views: Sequence[np.ndarray]) -> float:
    """Linear centred kernel alignment (Kornblith et al. 2019): 1 for views equal up to rotation and scale.

    >>> x = np.random.default_rng(0).normal(size=(50, 3))
    >>> round(linear_cka([x, 2 * x[:, ::-1] + 1]), 6)
    1.0
    """
    return _mean_over_pairs(views, _cka)


def modality_gap(views: Sequence[np.ndarray]) -> float | None:
    """Distance between the views' centroids of vectors of unit length (Liang et al. 2022); None for unlike widths.

    >>> modality_gap([np.array([[2.0, 0.0]]), np.array([[0.0, 3.0]])]) == 2**0.5
    True
    """
    if len({view.shape[1] for view in views}) > 1:
        return None
    return _mean_over_pairs(views, lambda a, b: float(np.linalg.norm(_unit(a).mean(axis=0) - _unit(b).mean(axis=0))))


def recalls(
    query: np.ndarray, gallery: np.ndarray, query_items: np.ndarray, gallery_items: np.ndarray, ranks: Sequence[int]
) -> dict[str, float] | None:
    """Share of distinct query items with one of their own among the first distinct gallery items, by cosine.

    `query_items` and `gallery_items` (rows,) say which item a row holds; items that share a row belong together. Equal
    similarities count half in front. `chance` is the expected share at each rank for a random order. None for more than
    `MOST_ITEMS` items.
    """
    both = np.isfinite(query).all(axis=1) & np.isfinite(gallery).all(axis=1)
    asked, first, ask = np.unique(query_items[both], return_index=True, return_inverse=True)
    held, start, hold = np.unique(gallery_items[both], return_index=True, return_inverse=True)
    if not len(asked) or max(len(asked), len(held)) > MOST_ITEMS:
        return None
    similar = _unit(query[both][first]) @ _unit(gallery[both][start]).T
    own = np.zeros(similar.shape, dtype=bool)
    own[ask, hold] = True
    best = np.where(own, similar, -np.inf).max(axis=1, keepdims=True)
    ahead = (similar > best).sum(axis=1) + 0.5 * ((similar == best) & ~own).sum(axis=1)
    found = {f"recall@{rank}": float((ahead < rank).mean()) for rank in ranks}
    found |= {f"chance@{rank}": float(_chance(own.sum(axis=1), len(held), rank).mean()) for rank in ranks}
    return {**found, "queries": len(asked), "items": len(held)}


def _chance(own: np.ndarray, items: int, rank: int) -> np.ndarray:
    """Probability that one of `own` items is among the first `rank` of a random order."""
    missed = np.ones(len(own))
    for place in range(min(rank, items)):
        missed *= np.maximum(items - own - place, 0) / (items - place)
    return 1.0 - missed


def _affordable(scores: Sequence[np.ndarray], wanted: int) -> int:
    pairs = len(scores) * (len(scores) - 1) // 2
    return min(wanted, max(FEWEST, BUDGET // max(1, 5 * pairs * scores[0].size)))


def _prepared(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, ...]:
    """Rows where both are present, centred and scaled so that sums of squares lose nothing; zeros elsewhere."""
    both = np.isfinite(one).all(axis=1) & np.isfinite(other).all(axis=1)
    return both.astype(float), _standard(one, both), _standard(other, both)


def _standard(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    centred = array[rows] - array[rows].mean(axis=0)
    spread = centred.std(axis=0)
    found = np.zeros(array.shape)
    found[rows] = centred / np.where(spread > 0, spread, 1.0)
    return found


def _weighted(weights: np.ndarray, there: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Correlations (resamples, components) under weights (resamples, rows)."""
    total = np.maximum(weights @ there, 1e-300)[:, None]
    mean_a, mean_b = (weights @ a) / total, (weights @ b) / total
    shared = (weights @ (a * b)) / total - mean_a * mean_b
    spread = ((weights @ a**2) / total - mean_a**2) * ((weights @ b**2) / total - mean_b**2)
    return np.asarray(np.where(spread > 1e-24, shared / np.sqrt(np.maximum(spread, 1e-24)), 0.0))


def _mean_over_pairs(views: Sequence[np.ndarray], measure: Callable[[np.ndarray, np.ndarray], float]) -> float:
    values = []
    for one, other in combinations(views, 2):
        both = np.isfinite(one).all(axis=1) & np.isfinite(other).all(axis=1)
        if both.any():
            values.append(measure(one[both].astype(np.float64), other[both].astype(np.float64)))
    return float(np.mean(values)) if values else float("nan")


def _cka(one: np.ndarray, other: np.ndarray) -> float:
    a, b = one - one.mean(axis=0), other - other.mean(axis=0)
    scale = np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
    return float(np.linalg.norm(a.T @ b) ** 2 / scale) if scale > 0 else 0.0


def _unit(rows: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: np.ndarray = rows / np.where(length > 0, length, 1.0)
    return scaled
