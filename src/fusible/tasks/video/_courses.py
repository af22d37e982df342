"""Courses of sound and picture on one grid of lags, and windows of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fusible.encoders._logmel import log_mel
from fusible.tasks.video._lags import LAG, STEP
from fusible.tasks.video._pair import RATE, Pair

MELS = 32
SMOOTH = np.array([1.0, 2.0, 2.0, 2.0, 1.0]) / 8.0
"""Weights over neighbouring lags: about a step of the picture."""
REACH = 3
"""Steps before and after that a window holds."""


@dataclass(slots=True)
class Courses:
    """Picture and sound of one clip as courses; `first` is the lag of the picture's first step."""

    picture: np.ndarray
    first: int
    sound: np.ndarray

    def cut(self, steps: slice, lags: slice) -> Courses:
        """Some steps of the picture beside some lags of the sound, both taken to begin at once."""
        sound = self.sound[lags]
        return Courses(self.picture[steps], self.first, sound - sound.mean(axis=0))


def sound_course(wave: np.ndarray) -> np.ndarray:
    """Log-mel levels (lags, mels), one per `LAG` of samples at `RATE`, smoothed over a step, less each band's mean."""
    if not len(wave):
        return np.zeros((0, MELS))
    levels = log_mel(wave, RATE, MELS).T.astype(np.float64)
    longer = np.pad(levels, ((2, 2), (0, 0)), mode="edge")
    smooth = sum(weight * longer[n : n + len(levels)] for n, weight in enumerate(SMOOTH))
    return np.asarray(smooth - np.mean(smooth, axis=0))


def on_grid(pair: Pair, times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, int]:
    """Values (frames, columns) at `times`, read off every `STEP` lags: (steps, columns), and the lag of the first.

    Lags are counted from the first sample of the pair's sound.
    """
    first = int(np.ceil((times[0] - pair.start) / LAG - 1e-6))
    count = max(1, int(np.floor((times[-1] - pair.start - first * LAG) / (STEP * LAG) + 1e-6)) + 1)
    grid = pair.start + (first + STEP * np.arange(count)) * LAG
    return np.stack([np.interp(grid, times, column) for column in values.T], axis=1), first


def filtered(course: np.ndarray, weights: np.ndarray, step: int) -> np.ndarray:
    """Filter a course (length, columns) by `weights` (taps, columns, outputs) that lie `step` apart.

    Only where all taps lie inside: (length - (taps - 1) × step, outputs).

    >>> filtered(np.array([[1.0], [2.0], [4.0], [8.0]]), np.array([[[-1.0]], [[1.0]]]), 2).ravel()
    array([3., 6.])
    """
    length = len(course) - (len(weights) - 1) * step
    if length < 1:
        return np.zeros((0, weights.shape[2]))
    return np.asarray(sum(course[tap * step : tap * step + length] @ weight for tap, weight in enumerate(weights)))


def windows(courses: Courses) -> tuple[np.ndarray, np.ndarray] | None:
    """Windows of picture and sound at all steps where both are there; None where there are none."""
    taps = np.arange(-REACH, REACH + 1)
    steps = np.arange(REACH, len(courses.picture) - REACH)
    places = courses.first + STEP * steps
    inside = (places >= REACH * STEP) & (places < len(courses.sound) - REACH * STEP)
    steps, places = steps[inside], places[inside]
    if not len(steps):
        return None
    picture = courses.picture[steps[:, None] + taps].reshape(len(steps), -1)
    sound = courses.sound[places[:, None] + STEP * taps].reshape(len(steps), -1)
    return picture, sound
