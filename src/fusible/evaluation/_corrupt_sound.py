"""Noise and drop-outs of sound."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from fusible.data.audio import read_sound
from fusible.types import Media

SNR_DB = (20.0, 10.0, 5.0, 0.0, -5.0)
"""Ratio of signal to noise in decibels, per severity."""
DROPS = (0.1, 0.2, 0.35, 0.5, 0.7)
"""Share of the sound that is silenced, per severity."""
GAP = 0.05
"""Seconds of one gap."""


def noise(samples: np.ndarray, rate: int, severity: int, random: np.random.Generator) -> np.ndarray:
    """Add white noise, scaled so that the ratio of mean powers is that of `SNR_DB` exactly; silence stays silent."""
    drawn = random.standard_normal(len(samples))
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    wanted = np.sqrt(power / 10 ** (SNR_DB[severity - 1] / 10) / np.mean(drawn**2))
    return np.asarray(samples + wanted * drawn)


def drops(samples: np.ndarray, rate: int, severity: int, random: np.random.Generator) -> np.ndarray:
    """Silence gaps of `GAP` seconds; those of a higher severity include those of the lower ones."""
    size = max(1, min(round(GAP * rate), -(-len(samples) // 20)))
    gaps = -(-len(samples) // size)
    silent = np.zeros(gaps, bool)
    silent[random.permutation(gaps)[: round(DROPS[severity - 1] * gaps)]] = True
    return np.asarray(np.where(np.repeat(silent, size)[: len(samples)], 0.0, samples))


Corruption = Callable[[np.ndarray, int, int, np.random.Generator], np.ndarray]
SOUNDS: dict[str, Corruption] = {"noise": noise, "drops": drops}


def corrupt_sound(media: Media, name: str, severity: int, random: np.random.Generator) -> Media:
    """Decode at its own rate, corrupt, and encode as WAV of 32-bit floats, one channel."""
    samples, rate = read_sound(media)
    return replace(media, path=None, data=write_sound(SOUNDS[name](samples, rate, severity, random), rate))


def write_sound(samples: np.ndarray, rate: int) -> bytes:
    """WAV of 32-bit floats; values beyond one are kept, and equal samples give equal bytes."""
    from scipy.io import wavfile

    buffer = io.BytesIO()
    wavfile.write(buffer, rate, samples.astype(np.float32))
    return buffer.getvalue()
