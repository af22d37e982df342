"""Measures by which a cut or a gradual transition differs from motion, shake and flashes.

All come from distances between frames (`Band`). Whether a run of frames mixes two pictures shows in two ways that
motion does not share. A frame between A and B, mixed with share s, is (1 - s) A + s B, so its distance from that point
is small; and its energy falls below the line between theirs by s (1 - s) |A - B|², while a picture that only moves
keeps its energy.
"""

from __future__ import annotations

import numpy as np

from fusible.tasks.video._signature import Band

SIDE = 5
"""Frames on each side of a cut that are compared: all must differ across it, or it is a flash."""
AROUND = 8
"""Frames on each side whose steps say how much moves."""
LENGTHS = (7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 25, 27, 29)
"""Steps from the last frame before a gradual transition to the first after it: six mixed frames at least."""
OUTSIDE = 6
"""Frames before and after a gradual transition whose drift is compared with its own."""
NOISE = 0.2
"""Grey levels below which a distance says nothing."""


def cut_measures(band: Band, first: int, last: int) -> np.ndarray:
    """Measures (last - first, 6) of a cut before each frame of [first, last), natural logarithms.

    The least distance across the cut, the distance of the step itself, the usual distance on either side, and the
    largest and the third largest step around, which a flash and a shake raise, and the step with both frames aligned.
    """
    at = np.arange(first, last)[:, None]
    i, j = (grid.ravel() for grid in np.meshgrid(np.arange(1, SIDE + 1), np.arange(SIDE)))
    k, m = np.triu_indices(SIDE, 1)
    across = _at(band.distance, at + j, i + j)
    sides = np.hstack([_at(band.distance, at - 1 - k, m - k), _at(band.distance, at + m, m - k)])
    steps = np.arange(-AROUND, AROUND + 1)
    around = np.sort(np.nan_to_num(_at(band.distance, at + steps[steps != 0], np.array([1]))), axis=1)
    columns = [
        np.nan_to_num(across, nan=np.inf).min(axis=1),
        _at(band.distance, at, np.array([1]))[:, 0],
        np.nanmedian(np.where(np.isnan(sides).all(axis=1, keepdims=True), 0.0, sides), axis=1),
        around[:, -1],
        around[:, -3],
        _of(band.aligned, at)[:, 0],
    ]
    return np.log(np.stack(columns, axis=1) + 0.5)


def gradual_measures(band: Band, first: int, last: int, length: int) -> np.ndarray:
    """Measures (last - first, 11) of gradual transitions from frames a of [first, last) to a + length; NaN at ends.

    The distance between its ends; how far frames between are from the mixtures of both; how far their order is from an
    even one; how straight the way is, and how even its steps; the drift before and after, per frame, beside its own;
    how far the energy falls, as a share of what mixing makes it fall, and the logarithm of that; both also of detail.
    """
    a = np.arange(first, last)[:, None]
    b = a + length
    inner = np.arange(1, length)
    share = inner / length
    ends = np.square(_at(band.distance, b, np.array([length])))
    scale = np.maximum(ends, NOISE**2)
    from_a = np.square(_at(band.distance, a + inner, inner))
    from_b = np.square(_at(band.distance, b + 0 * inner, length - inner))
    weight = share * (1 - share)
    off = (1 - share) * from_a + share * from_b - weight * ends
    where = (from_a - from_b + ends) / (2 * scale)
    steps = _at(band.distance, a + 1 + np.arange(length), np.array([1]))
    span = np.sqrt(ends[:, 0])
    speed = np.maximum(span / length, NOISE / 10)
    back = np.array([OUTSIDE])
    columns = [
        np.log(span + NOISE),
        np.log(np.sqrt(np.maximum(off, 0.0).mean(axis=1) / scale[:, 0]) + 0.03),
        np.log(np.abs(where - share).max(axis=1) + 0.03),
        np.log(span / np.maximum(steps.sum(axis=1), NOISE) + 0.03),
        np.log(steps.max(axis=1) / np.maximum(steps.mean(axis=1), NOISE / 10) + 0.03),
        _drift(_at(band.distance, a, back)[:, 0], speed),
        _drift(_at(band.distance, b + OUTSIDE, back)[:, 0], speed),
        *_fallen(band.energy, ends, a, length),
        *_fallen(band.detail_energy, np.square(_at(band.detail, b, np.array([length]))), a, length),
    ]
    return np.stack(columns, axis=1)


def _fallen(energy: np.ndarray, ends: np.ndarray, a: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """How far energy falls between a and a + length: 1 where pictures are mixed, 0 where they move."""
    inner = np.arange(1, length)
    share = inner / length
    weight = share * (1 - share)
    fall = (1 - share) * _of(energy, a) + share * _of(energy, a + length) - _of(energy, a + inner)
    fallen = (fall * weight).sum(axis=1) / (np.square(weight).sum() * np.maximum(ends[:, 0], NOISE**2))
    return np.clip(fallen, -1.0, 2.0), np.log(np.clip(fallen, 0.0, 1.0) + 0.05)


def _drift(distance: np.ndarray, speed: np.ndarray) -> np.ndarray:
    ratio = distance / (OUTSIDE * speed)
    return np.log(np.where(np.isnan(ratio), 0.3, np.clip(ratio, 0.0, 10.0)) + 0.03)


def _at(distance: np.ndarray, frame: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Distance of each frame from the one `back` before it; NaN outside the band."""
    if not frame.size or (frame.min() >= 0 and frame.max() < len(distance)):
        return np.asarray(distance[frame, back], np.float64)
    frame, back = np.broadcast_arrays(frame, back)
    inside = (frame >= 0) & (frame < len(distance))
    return np.where(inside, distance[np.where(inside, frame, 0), back], np.nan).astype(np.float64)


def _of(values: np.ndarray, frame: np.ndarray) -> np.ndarray:
    if not frame.size or (frame.min() >= 0 and frame.max() < len(values)):
        return np.asarray(values[frame], np.float64)
    inside = (frame >= 0) & (frame < len(values))
    return np.where(inside, values[np.where(inside, frame, 0)], np.nan).astype(np.float64)
