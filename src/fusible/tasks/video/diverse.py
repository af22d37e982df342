"""A choice of segments that are worth much and differ from one another: no scene is shown twice before each is once."""

from __future__ import annotations

import numpy as np

from fusible.errors import ArrayError, ConfigError
from fusible.tasks.video.fused import directions_of

STRENGTH = 100.0
"""How much likeness counts against a segment; chosen on films of training photos (benchmarks/rare_scenes.py)."""


def choose_diverse(
    values: np.ndarray, encodings: np.ndarray, lengths: np.ndarray, capacity: int, *, strength: float = STRENGTH
) -> np.ndarray:
    """Choose items of great value that differ, of a total length of at most `capacity`; their places, rising.

    `values` (items,) are at least 0, `encodings` (items, width) say what is alike, by their cosine, `lengths` (items,)
    are whole numbers above 0. What is sought is the greatest log det(I + `strength` · K) of the chosen items, K being
    their cosines times the roots of both values, in units of the mean value: the kernel of determinantal point
    processes for summaries (Gong, Chao, Grauman and Sha, 2014, "Diverse sequential subset selection for supervised
    video summarization"), which grows with every item, but less the more alike it is to those there are. As `strength`
    goes to 0 it becomes the sum of values, the knapsack's. It is submodular: the better of the greedy choices by gain
    and by gain per length reaches (1 - 1/e) / 2 of the best there is (Leskovec, Krause, Guestrin, Faloutsos, VanBriesen
    and Glance, 2007, "Cost-effective outbreak detection in networks"). Gains are kept up to date by a Cholesky
    factor, row by row (Chen, Zhang and Zhou, 2018, "Fast greedy MAP inference for determinantal point process").

    Raises `ArrayError` for shapes that do not fit and values that are negative or not finite, `ConfigError` for a
    strength that is not above 0.

    >>> same, other = [1.0, 0.0], [0.0, 1.0]
    >>> choose_diverse(np.array([5.0, 5.0, 2.0]), np.array([same, same, other]), np.array([1, 1, 1]), 2).tolist()
    [0, 2]
    """
    values, encodings, lengths = (np.asarray(one) for one in (values, encodings, lengths))
    _check(values, encodings, lengths)
    if not 0 < strength < np.inf:
        raise ConfigError(f"diverse: strength must be above 0, got {strength:g}")
    mean = float(values.mean()) if len(values) else 0.0
    if mean <= 0:
        return np.zeros(0, np.int64)
    rows = directions_of(encodings.astype(float)) * np.sqrt(strength * values / mean)[:, None]
    own = np.where((encodings == 0).all(axis=1), strength * values / mean, (rows**2).sum(axis=1))
    found = [_greedy(rows, own, lengths, capacity, per) for per in (np.ones(len(lengths)), lengths.astype(float))]
    return np.sort(max(found, key=lambda one: one[0])[1])


def _greedy(
    rows: np.ndarray, own: np.ndarray, lengths: np.ndarray, capacity: int, per: np.ndarray
) -> tuple[float, np.ndarray]:
    """Take the item of the greatest gain divided by `per` that fits, until none does; the total gain, and the items.

    `own` (items,) is the kernel's diagonal: above the rows' squares where an item is like nothing, itself apart.
    """
    left = 1.0 + own
    factor = np.zeros((0, len(rows)))
    free = lengths <= capacity
    free &= own > 0
    chosen: list[int] = []
    total = 0.0
    while free.any():
        gains = np.log(np.maximum(left, 1.0))
        best = int(np.where(free, gains / per, -np.inf).argmax())
        if gains[best] <= 0:
            break
        total += float(gains[best])
        chosen.append(best)
        row = (rows @ rows[best] - factor.T @ factor[:, best]) / np.sqrt(left[best])
        factor = np.concatenate([factor, row[None]])
        left = left - row**2
        capacity -= int(lengths[best])
        free[best] = False
        free &= lengths <= capacity
    return total, np.array(chosen, np.int64)


def _check(values: np.ndarray, encodings: np.ndarray, lengths: np.ndarray) -> None:
    if values.ndim != 1 or encodings.ndim != 2 or not len(values) == len(encodings) == len(lengths):
        raise ArrayError(
            f"diverse: expected values (items,), encodings (items, width) and lengths (items,), got {values.shape}, "
            f"{encodings.shape} and {lengths.shape}"
        )
    if lengths.dtype.kind not in "iu" or (lengths < 1).any():
        raise ArrayError("diverse: expected lengths in whole numbers above 0; round them up")
    if not (np.isfinite(values).all() and np.isfinite(encodings).all()) or (values < 0).any():
        raise ArrayError("diverse: expected finite values of at least 0 and finite encodings")
