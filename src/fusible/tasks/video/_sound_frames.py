"""What is heard in every 10 ms of a sound: level, spectrum, harmonicity, and how far each changes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.fft import irfft, rfft
from scipy.ndimage import uniform_filter1d

RATE, HOP, LENGTH = 16_000, 160, 512
BANDS = 24
EMPTY = 1e-10
"""Power of nothing: -100 dB of full scale."""
PITCH = (32, 200)
"""Periods, in samples, that are looked for: 80 to 500 Hz."""
FLAT = (4, 224)
"""Bins that flatness is measured over: 125 to 7,000 Hz."""
APART = 10
"""Frames between two spectra whose ridges are compared: 100 ms, in which speech moves on and a tone stays."""


@dataclass(slots=True)
class Frames:
    """Per frame (frames,): `level` in dB of full scale, `flatness`, `harmonicity`, `flux`, `steadiness`, `onset`.

    `loud` (frames, bands) are powers of mel bands, `bands` their logarithms.
    """

    level: np.ndarray
    flatness: np.ndarray
    harmonicity: np.ndarray
    flux: np.ndarray
    steadiness: np.ndarray
    onset: np.ndarray
    bands: np.ndarray
    loud: np.ndarray


def frames_of(wave: np.ndarray) -> Frames:
    """Measure samples (samples,) at `RATE`; frame i is around sample i × `HOP`, zeros lie beyond the ends."""
    window, bank, decline = _tools()
    count = len(wave) // HOP + 1
    padded = np.pad(wave.astype(np.float64), LENGTH // 2)
    padded = np.pad(padded, (0, max(0, (count - 1) * HOP + LENGTH - len(padded))))
    pieces = np.lib.stride_tricks.sliding_window_view(padded, LENGTH)[::HOP][:count]
    spectrum = rfft(pieces * window, axis=1)
    power = (spectrum.real**2 + spectrum.imag**2) * (2.0 / window.sum()) ** 2
    loud = power @ bank.T + EMPTY
    bands = np.log(loud)
    level = 10 * np.log10((pieces * pieces) @ (window / window.sum()) + EMPTY)
    heard = power[:, FLAT[0] : FLAT[1]] + EMPTY
    log = np.log(heard)
    flatness = np.exp(log.mean(axis=1)) / heard.mean(axis=1)
    likeness = irfft(power, axis=1)[:, : PITCH[1] + 1] / decline
    harmonicity = likeness[:, PITCH[0] :].max(axis=1) / np.maximum(likeness[:, 0], EMPTY * EMPTY)
    ridges = _ridges(log)
    return Frames(
        level=level,
        flatness=flatness,
        harmonicity=np.clip(harmonicity, 0.0, 1.0),
        flux=np.abs(np.diff(bands, axis=0, prepend=bands[:1])).mean(axis=1),
        steadiness=_alike(ridges, APART),
        onset=_onset(bands),
        bands=bands,
        loud=loud,
    )


def _ridges(log: np.ndarray) -> np.ndarray:
    """How far each bin stands out from its neighbourhood of 11 bins, of unit length: (frames, bins)."""
    out = np.maximum(log - uniform_filter1d(log, 11, axis=1, mode="nearest"), 0.0)
    return np.asarray(out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9))


def _alike(ridges: np.ndarray, apart: int) -> np.ndarray:
    """Cosine (frames,) of the ridges before and after each frame, `apart` frames from one another."""
    found = np.zeros(len(ridges))
    if len(ridges) > apart:
        cosine = (ridges[apart:] * ridges[:-apart]).sum(axis=1)
        found[apart // 2 : apart // 2 + len(cosine)] = cosine
    return found


def _onset(bands: np.ndarray) -> np.ndarray:
    """Rise of band levels over 20 ms, against the loudest of three neighbouring bands before (SuperFlux).

    Böck and Widmer, "Maximum filter vibrato suppression for onset detection" (DAFx 2013). Levels under -70 dB count as
    that.
    """
    heard = np.maximum(bands, np.log(1e-7))
    wide = np.pad(heard, ((2, 0), (1, 1)), mode="edge")[: len(heard)]
    before = np.maximum(np.maximum(wide[:, :-2], wide[:, 1:-1]), wide[:, 2:])
    return np.asarray(np.maximum(heard - before, 0.0).mean(axis=1))


@lru_cache(maxsize=1)
def _tools() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Window, mel filter bank (bands, bins), and the window's own autocorrelation at each lag."""
    from transformers.audio_utils import mel_filter_bank

    window = np.hanning(LENGTH + 1)[:-1]
    bank = mel_filter_bank(LENGTH // 2 + 1, BANDS, 60.0, RATE / 2, RATE).T
    spectrum = np.abs(np.fft.rfft(window, 2 * LENGTH)) ** 2
    decline = np.fft.irfft(spectrum)[: PITCH[1] + 1]
    return window, np.asarray(bank, np.float64), decline / decline[0]
