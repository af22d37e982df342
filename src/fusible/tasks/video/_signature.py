"""What shot detection keeps of a frame, and how far frames are from the ones before them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter

from fusible.tasks.video._alignment import aligned

REACH = 36
"""Frames back to which distances are kept."""
RUN = 32
"""Frames that are compared at once."""
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
    """The last frames as vectors, and the distances of new ones from them."""

    def __init__(self, size: int) -> None:
        self._vectors = np.zeros((REACH, size), np.float32)
        self._unknown = REACH

    def add(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distances (rows, REACH + 1), and mean squares (rows,), by |a - b|² = |a|² - 2ab + |b|²."""
        vectors = np.concatenate([self._vectors, rows])
        near = vectors - rows.mean(axis=0)  # the closer to zero, the less is lost in the difference of squares
        squares = np.einsum("ij,ij->i", near, near).astype(np.float64)
        squares[: self._unknown] = np.nan
        back = REACH + np.arange(len(rows))[:, None] - np.arange(1, REACH + 1)
        products = np.take_along_axis(near[REACH:] @ near.T, back, axis=1)
        apart = squares[back] - 2 * products + squares[REACH:, None]
        found = np.zeros((len(rows), REACH + 1), np.float32)
        found[:, 1:] = np.sqrt(np.maximum(apart, 0.0) / rows.shape[1])
        self._vectors, self._unknown = vectors[-REACH:], max(0, self._unknown - len(rows))
        return found, np.einsum("ij,ij->i", rows, rows) / rows.shape[1]


class Signatures:
    """Takes small pictures one by one, in constant memory, and gives their distances block by block.

    Pictures are averaged over 2 by 2 pixels, which takes away noise of the coding and motion of a pixel or less. All
    distances of `RUN` frames come from one product of two matrices.
    """

    def __init__(self) -> None:
        self._whole: _Past | None = None
        self._detail: _Past | None = None
        self._pictures: list[np.ndarray] = []
        self._before: np.ndarray | None = None
        self._step = math.nan

    def add(self, small: np.ndarray) -> None:
        """Take the next small picture, uint8 (height, width, 3), both sides even."""
        self._pictures.append(small)

    def waiting(self) -> int:
        """Number of frames taken and not yet given."""
        return len(self._pictures)

    def give(self) -> Band:
        """Give the frames taken since the last call."""
        pictures, self._pictures = self._pictures, []
        found = missing(0)
        for first in range(0, len(pictures), RUN):
            found = found.joined(self._compare(np.stack(pictures[first : first + RUN])))
        self._align(found.aligned, pictures)
        self._before = pictures[-1] if pictures else self._before
        return found

    def _compare(self, pictures: np.ndarray) -> Band:
        """Distances of a run of frames; `aligned` holds the steps between them as they are."""
        rows = pictures[:, 0::2].astype(np.uint16) + pictures[:, 1::2]
        coarse = (rows[:, :, 0::2] + rows[:, :, 1::2]).astype(np.float32) / 4 - 128
        detail = coarse - uniform_filter(coarse, (1, SURROUNDING, SURROUNDING, 1), mode="nearest")
        flat, fine = coarse.reshape(len(coarse), -1), detail.reshape(len(detail), -1)
        if self._whole is None or self._detail is None:
            self._whole, self._detail = _Past(flat.shape[1]), _Past(flat.shape[1])
        distance, squares = self._whole.add(flat)
        fine_distance, fine_energy = self._detail.add(fine)
        colour = flat.reshape(len(flat), -1, 3).mean(axis=1)
        energy = np.maximum(0.0, squares - np.square(colour).sum(axis=1) / 3)
        return Band(distance, fine_distance, energy, fine_energy, energy < FLAT**2, distance[:, 1].copy())

    def _align(self, steps: np.ndarray, pictures: Sequence[np.ndarray]) -> None:
        """Align frames with those before them where their `steps` stand out from the steps before and after."""
        if not len(steps):
            return
        before = np.concatenate([[self._step], steps[:-1]])
        after = np.concatenate([steps[1:], [0.0]])
        self._step = float(steps[-1])
        loud = np.flatnonzero((steps >= MOVED) & ~(np.minimum(before, after) * STANDS_OUT > steps))
        for place in loud.tolist():
            earlier = pictures[place - 1] if place else self._before
            if earlier is not None:
                steps[place] = min(steps[place], aligned(earlier, pictures[place]))
