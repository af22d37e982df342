"""What shot detection keeps of a frame, and how far frames are from the ones before them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter

from fusible.tasks.video._alignment import aligned

REACH = 36
"""Frames back to which distances are kept."""
SURROUNDING = 5
"""Sides, in coarse pixels, of the square whose mean is taken away to leave detail."""
MOVED = 4.0
"""Grey levels by which a frame must differ from the one before to be aligned with it."""
STANDS_OUT = 1.5
"""How many times the step before or the one after it a step must be for that."""
FLAT = 4.0
"""Grey levels; a frame that varies less than this over its area is of one colour."""


@dataclass(frozen=True, slots=True)
class Band:
    """Distances between close frames of one run of frames.

    `distance` (frames, REACH + 1): at [t, k] the root mean square difference, in grey levels, of frames t and t - k;
    NaN where there is no such frame. `detail` is the same for what is left of frames less their surroundings, `energy`
    and `detail_energy` (frames,) are mean squares of frames about their own colour and of their detail, `flat`
    (frames,) whether a frame is of one colour. `aligned` (frames,) is the difference from the frame before with both
    shifted to match, measured where they differ by `MOVED` levels and more than the
    frames before or after do, else the plain one.
    """

    distance: np.ndarray
    detail: np.ndarray
    energy: np.ndarray
    detail_energy: np.ndarray
    flat: np.ndarray
    aligned: np.ndarray

    def __len__(self) -> int:
        return len(self.energy)

    def tail(self, first: int) -> Band:
        """Give the frames from `first` on."""
        return Band(*(part[first:] for part in self._parts()))

    def joined(self, other: Band) -> Band:
        """Give these frames and those of `other` after them."""
        return Band(*(np.concatenate(pair) for pair in zip(self._parts(), other._parts(), strict=True)))

    def _parts(self) -> tuple[np.ndarray, ...]:
        return self.distance, self.detail, self.energy, self.detail_energy, self.flat, self.aligned


def missing(count: int) -> Band:
    """Give frames of which nothing is known: those after the film's end."""
    rows, values = np.full((count, REACH + 1), np.nan, np.float32), np.full(count, np.nan, np.float32)
    return Band(rows, rows, values, values, np.zeros(count, np.bool_), values)


class _Past:
    """The last frames as vectors, and the distances of a new one from them."""

    def __init__(self, size: int) -> None:
        self._vectors = np.zeros((REACH, size), np.float32)
        self._squares = np.full(REACH, np.nan)
        self._count = 0

    def add(self, vector: np.ndarray) -> tuple[np.ndarray, float]:
        """Distances (REACH + 1,), and the vector's mean square, by |a - b|² = |a|² - 2ab + |b|²."""
        square = float(vector @ vector)
        back = (self._count - 1 - np.arange(REACH)) % REACH
        products = (self._vectors @ vector).astype(np.float64)
        apart = self._squares[back] - 2 * products[back] + square
        row = np.zeros(REACH + 1, np.float32)
        row[1:] = np.sqrt(np.maximum(apart, 0.0) / vector.size)
        place = self._count % REACH
        self._vectors[place], self._squares[place] = vector, square
        self._count += 1
        return row, square / vector.size


class Signatures:
    """Takes small pictures one by one, in constant memory, and gives their distances block by block.

    Pictures are averaged over 2 by 2 pixels, which takes away noise of the coding and motion of a pixel or less. All
    distances of a frame come from one product of a matrix and a vector.
    """

    def __init__(self) -> None:
        self._whole: _Past | None = None
        self._detail: _Past | None = None
        self._pictures: tuple[np.ndarray, ...] = ()
        self._step = math.nan
        self._shifted: list[float] = []
        self._rows: list[tuple[np.ndarray, np.ndarray, float, float, bool]] = []

    def add(self, small: np.ndarray) -> None:
        """Take the next small picture, uint8 (height, width, 3), both sides even."""
        rows = small[0::2].astype(np.uint16) + small[1::2]
        coarse = (rows[:, 0::2] + rows[:, 1::2]).astype(np.float32) / 4 - 128
        detail = coarse - uniform_filter(coarse, (SURROUNDING, SURROUNDING, 0), mode="nearest")
        if self._whole is None or self._detail is None:
            self._whole, self._detail = _Past(coarse.size), _Past(coarse.size)
        distance, square = self._whole.add(coarse.reshape(-1))
        fine, fine_energy = self._detail.add(detail.reshape(-1))
        colour = coarse.reshape(-1, 3).sum(axis=0) * (3 / coarse.size)
        energy = max(0.0, square - float(colour @ colour) / 3)
        self._settle(float(distance[1]))
        self._pictures = (*self._pictures[-1:], small)
        self._rows.append((distance, fine, energy, fine_energy, energy < FLAT**2))
        self._shifted.append(float(distance[1]))

    def _settle(self, after: float) -> None:
        """Align the last frame with the one before it, where its step stands out; `after` is the step after it."""
        if not self._shifted:
            return
        before, self._step = self._step, self._shifted[-1]
        if len(self._pictures) > 1 and self._step >= MOVED and not min(before, after) * STANDS_OUT > self._step:
            self._shifted[-1] = min(self._step, aligned(*self._pictures))

    def waiting(self) -> int:
        """Number of frames taken and not yet given."""
        return len(self._rows)

    def give(self) -> Band:
        """Give the frames taken since the last call."""
        if not self._rows:
            return missing(0)
        self._settle(0.0)
        distance, detail, energy, fine, flat = zip(*self._rows, strict=True)
        values = (np.array(value, np.float32) for value in (energy, fine))
        shifted = np.array(self._shifted, np.float32)
        found = Band(np.stack(distance), np.stack(detail), *values, np.array(flat, np.bool_), shifted)
        self._pictures, self._rows, self._shifted = self._pictures[-1:], [], []
        return found
