"""Offsets without a model: how much the picture moves against how much the sound changes."""

from __future__ import annotations

import numpy as np

from fusible.encoders._motion import busiest
from fusible.tasks.video._courses import SMOOTH, on_grid, sound_course
from fusible.tasks.video._lags import STEP
from fusible.tasks.video._pair import Pair

FEWEST = 8
"""Common steps without which a lag has no evidence."""


def movement_scores(pair: Pair, lags: np.ndarray) -> np.ndarray:
    """Evidence (lags,) for every lag from the motion of a clip and the changes of its sound; 0 where there is none."""
    motion, first = motion_course(pair)
    change = change_of_sound(sound_course(pair.wave))
    if not len(change) or len(motion) < FEWEST:
        return np.zeros(len(lags))
    return correlation_scores(motion, first, np.log(change + 0.05 * change.mean() + 1e-9), lags)


def motion_course(pair: Pair) -> tuple[np.ndarray, int]:
    """Log of the mean change between frames in the region that changes most, on the grid: (steps,), first lag.

    A change lies halfway between its two frames. Changes of the whole picture at once, such as cuts, are bounded.
    """
    frames = pair.frames.astype(np.float32)
    changes = np.abs(np.diff(frames, axis=0)) / np.diff(pair.times)[:, None, None].astype(np.float32)
    high = max(1, min(frames.shape[1:]) // 3)
    wide = min(frames.shape[2], max(1, high * 4 // 3))
    top, left = busiest(changes.mean(axis=0), high, wide)
    energy = changes[:, top : top + high, left : left + wide].mean(axis=(1, 2), dtype=np.float64)
    low, top_level = np.quantile(energy, [0.02, 0.98])
    level = np.log(np.clip(energy, low, top_level) + 0.05 * energy.mean() + 1e-9)
    course, first = on_grid(pair, (pair.times[1:] + pair.times[:-1]) / 2, level[:, None])
    return course[:, 0], first


def change_of_sound(course: np.ndarray) -> np.ndarray:
    """Mean absolute change of bands (lags,) over a step around every lag, smoothed over a step."""
    if not len(course):
        return np.zeros(0)
    half = STEP // 2
    longer = np.pad(course, ((half, half), (0, 0)), mode="edge")
    change = np.abs(longer[2 * half :] - longer[: len(course)]).mean(axis=1)
    return np.convolve(np.pad(change, 2, mode="edge"), SMOOTH, mode="valid")


def correlation_scores(motion: np.ndarray, first: int, sound: np.ndarray, lags: np.ndarray) -> np.ndarray:
    """Evidence (lags,) that both courses belong together at each lag: -n/2 log(1 - r²) where r > 0, else 0.

    `n` is the number of common steps that count as independent, given how each course resembles itself (Bartlett 1946).
    """
    scores = np.zeros(len(lags))
    places = first + STEP * np.arange(len(motion))
    share = independent_share(motion, sound[::STEP])
    for number, lag in enumerate(lags):
        here = places + lag
        inside = (here >= 0) & (here < len(sound))
        if inside.sum() < FEWEST:
            continue
        x, y = motion[inside], sound[here[inside]]
        x, y = x - x.mean(), y - y.mean()
        scale = float(np.sqrt((x @ x) * (y @ y)))
        together = float(x @ y) / scale if scale > 1e-9 else 0.0
        if together > 0:
            scores[number] = -0.5 * share * len(x) * np.log(1 - min(together, 0.999) ** 2)
    return scores


def independent_share(one: np.ndarray, other: np.ndarray, most: int = 25) -> float:
    """Share of steps that count as independent when two courses are correlated (Bartlett 1946), 0-1.

    >>> rng = np.random.default_rng(0)
    >>> independent_share(rng.normal(size=4000), rng.normal(size=4000)) > 0.9
    True
    """
    most = min(most, len(one) // 4, len(other) // 4)
    product = [_resemblance(one, lag) * _resemblance(other, lag) for lag in range(1, most + 1)]
    return float(1.0 / max(1.0, 1.0 + 2.0 * float(np.sum(product))))


def _resemblance(course: np.ndarray, lag: int) -> float:
    centred = course - course.mean()
    power = float(centred @ centred)
    return float(centred[lag:] @ centred[:-lag]) / power if power > 0 else 0.0
