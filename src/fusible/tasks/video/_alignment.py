"""How alike two pictures are when the camera has moved between them.

Phase correlation (Kuglin & Hines, 1975) proposes shifts; the pictures are compared where they overlap.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft2, rfft2

PROPOSALS = 3
"""Shifts that are tried."""
OVERLAP = 0.35
"""Least share of the picture that must overlap."""


def _spectrum(small: np.ndarray) -> np.ndarray:
    """Fourier transform of the grey picture, its rim faded out; of uint8 (height, width, 3)."""
    grey = small.astype(np.float32).sum(axis=2)
    grey -= grey.mean()
    window = np.hanning(grey.shape[0] + 2)[1:-1, None] * np.hanning(grey.shape[1] + 2)[None, 1:-1]
    found: np.ndarray = rfft2(grey * window.astype(np.float32))
    return found


def aligned(before: np.ndarray, after: np.ndarray) -> float:
    """Root mean square difference in grey levels of two pictures, uint8 (height, width, 3), shifted to match best.

    >>> wide = np.random.default_rng(0).integers(0, 256, (36, 72, 3), dtype=np.uint8)
    >>> aligned(wide[:, :64], wide[:, 8:])
    0.0
    """
    height, width, _ = after.shape
    cross = _spectrum(after) * np.conj(_spectrum(before))
    peaks = irfft2(cross / (np.abs(cross) + 1e-3), s=(height, width))
    best = np.inf
    for place in np.argpartition(peaks, -PROPOSALS, axis=None)[-PROPOSALS:]:
        down, across = divmod(int(place), width)
        best = min(best, _apart(before, after, down, across), _apart(before, after, down - height, across))
        best = min(best, _apart(before, after, down, across - width))
        best = min(best, _apart(before, after, down - height, across - width))
    return best


def _apart(before: np.ndarray, after: np.ndarray, down: int, across: int) -> float:
    height, width, _ = after.shape
    if (height - abs(down)) * (width - abs(across)) < OVERLAP * height * width:
        return float("inf")
    new = after[max(0, down) : height + min(0, down), max(0, across) : width + min(0, across)]
    old = before[max(0, -down) : height - max(0, down), max(0, -across) : width - max(0, across)]
    return float(np.sqrt(np.square(new.astype(np.float32) - old).mean()))
