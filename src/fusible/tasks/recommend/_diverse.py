"""A choice of items that are good and differ from one another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fusible.errors import ConfigError

POOL = 10
"""So many times the items shown are looked at for a diverse choice, and at least `LEAST`."""
LEAST = 100


def pick(
    scores: np.ndarray, k: int, diversity: float, alike: Callable[[np.ndarray], np.ndarray] | None = None
) -> np.ndarray:
    """Places of at most `k` items, best first, of `scores` (items,); what is minus infinity is not chosen.

    With `diversity` above 0, maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998): each next item has the
    most of (1 - diversity) · relevance - diversity · likeness to the most alike item chosen before; relevance is the
    score from 0 to 1 over the best items, `alike(places)` their likeness (places, places). Raises `ConfigError` for a
    diversity outside of 0 to 1.

    >>> same = lambda places: np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]])[np.ix_(places, places)]
    >>> pick(np.array([3.0, 2.9, 1.0]), 2, 0.0).tolist(), pick(np.array([3.0, 2.9, 1.0]), 2, 0.6, same).tolist()
    ([0, 1], [0, 2])
    """
    if not 0 <= diversity <= 1:
        raise ConfigError(f"diversity {diversity:g}: expected a number from 0 to 1")
    order = np.argsort(-scores, kind="stable")
    order = order[np.isfinite(scores[order])]
    if not diversity or alike is None:
        return np.asarray(order[:k])
    pool = order[: max(POOL * k, LEAST)]
    near = alike(pool)
    best, least = scores[pool[0]], scores[pool[-1]]
    relevance = (scores[pool] - least) / max(float(best - least), 1e-12)
    chosen = [0]
    nearest = near[0].astype(np.float64)
    while len(chosen) < min(k, len(pool)):
        value = (1 - diversity) * relevance - diversity * nearest
        value[chosen] = -np.inf
        chosen.append(int(value.argmax()))
        nearest = np.maximum(nearest, near[chosen[-1]])
    return np.asarray(pool[chosen])
