"""The 0/1 knapsack: which segments of a film are worth most and fit in the length of a summary."""

from __future__ import annotations

import numpy as np

from fusible.errors import ArrayError, TooLargeError

BYTES = 1 << 30
"""Most memory for the table of decisions: one bit per item and unit of length."""


def knapsack(values: np.ndarray, lengths: np.ndarray, capacity: int) -> np.ndarray:
    """Choose the items of the greatest total value whose total length is at most `capacity`; their places, rising.

    `values` (items,) are numbers, `lengths` (items,) whole numbers from 0. The choice is exact: dynamic programming
    over lengths (Bellman, 1957; Kellerer, Pferschy and Pisinger, 2004, "Knapsack problems", section 2.3), in
    items × capacity steps. Items without value are never taken; among equally good choices, later items are left out.
    Raises `ArrayError` for shapes that differ, values that are not finite, lengths that are negative or no whole
    numbers, and a negative capacity; `TooLargeError` where the table of decisions would pass `BYTES`.

    >>> knapsack(np.array([60.0, 100.0, 120.0]), np.array([10, 20, 30]), 50).tolist()
    [1, 2]
    """
    values, lengths = np.asarray(values, float), np.asarray(lengths)
    _check(values, lengths, capacity)
    items = np.flatnonzero((values > 0) & (lengths <= capacity))
    if lengths[items].sum() <= capacity:
        return items
    unit = int(np.gcd.reduce(lengths[items])) or 1
    room = capacity // unit
    if len(items) * (room + 1) > 8 * BYTES:
        raise TooLargeError(
            f"knapsack: {len(items)} items and a capacity of {room} need a table of over {BYTES >> 20} MiB; "
            "measure lengths in a coarser unit"
        )
    return np.asarray(items[_choose(values[items], lengths[items] // unit, room)])


def _choose(values: np.ndarray, lengths: np.ndarray, room: int) -> np.ndarray:
    best = np.zeros(room + 1)
    taken = []
    for value, length in zip(values.tolist(), lengths.tolist(), strict=True):
        with_it = best[: room + 1 - length] + value
        better = np.zeros(room + 1, bool)
        better[length:] = with_it > best[length:]
        best[length:] = np.maximum(best[length:], with_it)
        taken.append(np.packbits(better))
    chosen = []
    for item in range(len(values) - 1, -1, -1):
        if taken[item][room >> 3] >> (7 - (room & 7)) & 1:
            chosen.append(item)
            room -= int(lengths[item])
    return np.array(chosen[::-1], np.int64)


def _check(values: np.ndarray, lengths: np.ndarray, capacity: int) -> None:
    if values.ndim != 1 or values.shape != lengths.shape:
        raise ArrayError(f"knapsack: expected one length per value, got {lengths.shape} for {values.shape}")
    if len(lengths) and lengths.dtype.kind not in "iu":
        raise ArrayError(f"knapsack: expected lengths in whole numbers, got {lengths.dtype}; round them")
    if not np.isfinite(values).all():
        raise ArrayError("knapsack: expected finite values, got NaN or infinity")
    if (lengths < 0).any() or capacity < 0:
        raise ArrayError("knapsack: expected lengths and a capacity of at least 0, got a negative one")
