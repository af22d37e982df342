"""Measures of a second of sound that tell speech, music and other sounds apart.

Scheirer and Slaney, "Construction and evaluation of a robust multifeature speech/music discriminator" (ICASSP 1997):
4 Hz modulation energy, share of low-energy frames, spectral flux; beside them flatness (Johnston 1988), harmonicity and
how steady spectral ridges are, since tones of music stay where those of speech glide.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from fusible.tasks.video._sound_frames import Frames

STEP, SPAN = 10, 100
"""Frames between two measures, and frames that each is over, around its middle."""
TOGETHER = 20
"""Measures that are taken at once, so that what they need stays small."""
NAMES = (
    "syllables",
    "low_frames",
    "flux",
    "flux_deviation",
    "flatness",
    "harmonicity",
    "harmonicity_deviation",
    "steadiness",
    "level_deviation",
    "brightness",
)


def measures(frames: Frames) -> np.ndarray:
    """Measures (steps, names), one per 100 ms: step i is around frame i × 10 + 5. Beyond the ends nothing is heard."""
    count, half = len(frames.level), SPAN // 2
    steps = max(1, count // STEP)
    middles = np.arange(steps) * STEP + STEP // 2
    whole = np.flatnonzero((middles >= half) & (middles + half <= count))
    found = np.zeros((steps, len(NAMES)))
    for first in range(0, len(whole), TOGETHER):
        some = whole[first : first + TOGETHER]
        found[some] = _measure(frames, middles[some, None] + np.arange(-half, half))
    for step in np.setdiff1d(np.arange(steps), whole).tolist():
        here = np.arange(max(0, middles[step] - half), min(count, middles[step] + half))
        found[step] = _measure(frames, here[None])[0]
    return found


def _measure(frames: Frames, at: np.ndarray) -> np.ndarray:
    """Measures (steps, names) of frames `at` (steps, span)."""
    level, bands = frames.level[at], frames.bands[at]
    power = 10 ** (level / 10)
    weight = power / power.sum(axis=1, keepdims=True)
    heard = frames.loud[at].mean(axis=1)
    heard = heard / heard.sum(axis=1, keepdims=True)
    harmonicity, flux = frames.harmonicity[at], frames.flux[at]
    mean_flux, mean_harmonicity = ((weight * values).sum(axis=1) for values in (flux, harmonicity))
    return np.stack(
        [
            _syllables(bands, heard),
            (power < 0.5 * power.mean(axis=1, keepdims=True)).mean(axis=1),
            mean_flux,
            np.sqrt((weight * (flux - mean_flux[:, None]) ** 2).sum(axis=1)),
            np.log((weight * frames.flatness[at]).sum(axis=1) + 1e-6),
            mean_harmonicity,
            np.sqrt((weight * (harmonicity - mean_harmonicity[:, None]) ** 2).sum(axis=1)),
            (weight * frames.steadiness[at]).sum(axis=1),
            np.maximum(level, level.max(axis=1, keepdims=True) - 60).std(axis=1),
            heard @ np.arange(heard.shape[1]) / heard.shape[1],
        ],
        axis=1,
    )


def _syllables(bands: np.ndarray, heard: np.ndarray) -> np.ndarray:
    """Share (steps,) of 3 to 7 Hz, the rate of syllables, in the changes of band levels up to 25 Hz."""
    length = bands.shape[1]
    if length < 50:
        return np.zeros(len(bands))
    bands = np.maximum(bands, bands.max(axis=(1, 2), keepdims=True) - 12.0)
    rates, waves = _waves(length)
    parts = waves @ (bands - bands.mean(axis=1, keepdims=True))
    power = parts[:, : len(rates)] ** 2 + parts[:, len(rates) :] ** 2
    share = power[:, (rates >= 3) & (rates <= 7)].sum(axis=1) / np.maximum(power.sum(axis=1), 1e-9)
    return np.asarray((heard * share).sum(axis=1))


@lru_cache(maxsize=128)
def _waves(length: int) -> tuple[np.ndarray, np.ndarray]:
    """Rates above 0.5 and up to 25 Hz of a Fourier transform, and its windowed cosines, then sines, at each of them.

    A quarter of all rates is wanted: for windows this short a product of matrices is cheaper than a fast transform.
    """
    rates = np.fft.rfftfreq(length, 0.01)
    rates = rates[(rates > 0.5) & (rates <= 25)]
    angles = 2 * np.pi * rates[:, None] * (np.arange(length) * 0.01)
    return rates, np.concatenate([np.cos(angles), np.sin(angles)]) * np.hanning(length)
