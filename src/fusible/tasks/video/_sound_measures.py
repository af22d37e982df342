"""Measures of a second of sound that tell speech, music and other sounds apart.

Scheirer and Slaney, "Construction and evaluation of a robust multifeature speech/music discriminator" (ICASSP 1997):
4 Hz modulation energy, share of low-energy frames, spectral flux; beside them flatness (Johnston 1988), harmonicity and
how steady spectral ridges are, since tones of music stay where those of speech glide.
"""

from __future__ import annotations

import numpy as np

from fusible.tasks.video._sound_frames import Frames

STEP, SPAN = 10, 100
"""Frames between two measures, and frames that each is over, around its middle."""
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
    steps = max(1, len(frames.level) // STEP)
    half = SPAN // 2
    found = np.zeros((steps, len(NAMES)))
    bands = frames.bands
    for step in range(steps):
        middle = step * STEP + STEP // 2
        here = slice(max(0, middle - half), min(len(frames.level), middle + half))
        found[step] = _measure(frames, bands, here)
    return found


def _measure(frames: Frames, bands: np.ndarray, here: slice) -> np.ndarray:
    power = 10 ** (frames.level[here] / 10)
    weight = power / power.sum()
    heard = np.exp(bands[here]).mean(axis=0)
    heard = heard / heard.sum()
    harmonicity, flux = frames.harmonicity[here], frames.flux[here]
    mean_flux, mean_harmonicity = float(weight @ flux), float(weight @ harmonicity)
    return np.array(
        [
            _syllables(bands[here], heard),
            float((power < 0.5 * power.mean()).mean()),
            mean_flux,
            float(np.sqrt(weight @ (flux - mean_flux) ** 2)),
            float(np.log(weight @ frames.flatness[here] + 1e-6)),
            mean_harmonicity,
            float(np.sqrt(weight @ (harmonicity - mean_harmonicity) ** 2)),
            float(weight @ frames.steadiness[here]),
            float(frames.level[here].clip(frames.level[here].max() - 60).std()),
            float(heard @ np.arange(len(heard))) / len(heard),
        ]
    )


def _syllables(bands: np.ndarray, heard: np.ndarray) -> float:
    """Share of 3 to 7 Hz, the rate of syllables, in the changes of band levels up to 25 Hz."""
    length = len(bands)
    if length < 50:
        return 0.0
    bands = np.maximum(bands, bands.max() - 12.0)
    spectrum = np.abs(np.fft.rfft((bands - bands.mean(axis=0)) * np.hanning(length)[:, None], axis=0)) ** 2
    rates = np.fft.rfftfreq(length, 0.01)
    every = spectrum[(rates > 0.5) & (rates <= 25)].sum(axis=0)
    share = spectrum[(rates >= 3) & (rates <= 7)].sum(axis=0) / np.maximum(every, 1e-9)
    return float(heard @ share)
