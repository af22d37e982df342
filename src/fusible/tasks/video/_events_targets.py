"""What a localiser learns: classes and distances to the ends of spans, at every point of a window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CAPACITY = 16.0
"""Spans of up to so many of its own steps are learned at a level of the pyramid; longer ones a level higher."""
DEEPEST = 8
"""Most levels of the pyramid."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Targets at every point: `classes` (points, classes) 0 or 1, `sides` (points, 2) in steps of the clock.

    `inside` (points,) says where a span is learned, and `sides` are known.
    """

    classes: np.ndarray
    sides: np.ndarray
    inside: np.ndarray


def levels_for(lengths: np.ndarray) -> int:
    """Levels of a pyramid for spans of these lengths in steps: its coarsest holds all but the longest of a hundred.

    >>> levels_for(np.array([3.0, 10.0])), levels_for(np.array([5.0, 100.0]))
    (1, 4)
    """
    longest = float(np.quantile(lengths, 0.99)) if len(lengths) else 1.0
    return int(np.clip(1 + np.ceil(np.log2(max(longest, 1.0) / CAPACITY)), 1, DEEPEST))


def level_of(lengths: np.ndarray, levels: int) -> np.ndarray:
    """The level at which spans of these lengths in steps are learned: the finest that has the capacity."""
    wanted = np.ceil(np.log2(np.maximum(lengths, 1e-9) / CAPACITY))
    return np.asarray(np.clip(wanted, 0, levels - 1), np.int64)


def targets(
    spans: np.ndarray, labels: np.ndarray, classes: int, places: np.ndarray, strides: np.ndarray, levels: int
) -> Targets:
    """Targets of spans (spans, 2), in steps of the clock, at the points `places` that stand for `strides` steps.

    A point is of a span if it lies in it and is of the span's level; a span between two points is given to the nearest.
    Where spans overlap a point has the classes of all, and the ends of the shortest.
    """
    found = np.zeros((len(places), classes), np.float32)
    sides = np.zeros((len(places), 2), np.float32)
    inside = np.zeros(len(places), bool)
    lengths = spans[:, 1] - spans[:, 0]
    level = level_of(lengths, levels)
    for i in np.argsort(-lengths, kind="stable"):
        begin, end = spans[i]
        own = np.flatnonzero(strides == 2.0 ** level[i])
        chosen = own[(places[own] >= begin) & (places[own] < end)]
        if not len(chosen) and len(own):
            chosen = own[[int(np.abs(places[own] - (begin + end) / 2).argmin())]]
        found[chosen, labels[i]] = 1.0
        sides[chosen, 0] = np.maximum(places[chosen] - begin, 0.0)
        sides[chosen, 1] = np.maximum(end - places[chosen], 0.0)
        inside[chosen] = True
    return Targets(found, sides, inside)
