"""Encodings of a film's sound on the grid: level and change of its mel bands, as the sound goes by."""

from __future__ import annotations

import numpy as np

from fusible.encoders._logmel import log_mel
from fusible.errors import ArrayError

MELS = 40
WIDTH = 2 * MELS
"""Columns of an encoding: of each band the mean over the step, then its deviation."""
BLOCK = 20
"""Steps that are encoded together."""
SILENT = -100.0
"""Decibels of full scale of nothing."""


class Hearing:
    """Hears mono float32 samples at `rate` Hz and encodes every `step` seconds of them; memory grows by these alone.

    >>> hearing = Hearing(0.5, rate=16_000)
    >>> hearing.push(np.zeros(20_000, np.float32))
    >>> hearing.finish()
    >>> hearing.encodings.shape, hearing.loudness.round().tolist()
    ((3, 80), [-100.0, -100.0, -100.0])
    """

    def __init__(self, step: float, *, rate: int) -> None:
        self._rate = rate
        self._length = round(step * rate)
        if self._length < rate // 50:
            raise ArrayError(f"hearing: steps of {step:g} s are too short; expected 0.02 s at least")
        self._waiting: list[np.ndarray] = []
        self._held = 0
        self._encoded: list[np.ndarray] = []
        self._levels: list[float] = []

    @property
    def encodings(self) -> np.ndarray:
        """Float32 (steps, `WIDTH`) of what was heard; the last step may be short."""
        return np.stack(self._encoded) if self._encoded else np.zeros((0, WIDTH), np.float32)

    @property
    def loudness(self) -> np.ndarray:
        """Root mean square (steps,) in decibels of full scale, `SILENT` at least."""
        return np.array(self._levels)

    def push(self, block: np.ndarray) -> None:
        """Take the next samples."""
        self._waiting.append(block)
        self._held += len(block)
        most = BLOCK * self._length  # always so many together, as what stands at their edges depends on them
        if self._held >= most:
            joined = np.concatenate(self._waiting)
            whole = self._held - self._held % most
            for start in range(0, whole, most):
                self._encode(joined[start : start + most])
            self._waiting, self._held = [joined[whole:]], self._held - whole

    def finish(self) -> None:
        """The sound is over: encode the rest."""
        if self._held:
            self._encode(np.concatenate(self._waiting))
        self._waiting, self._held = [], 0

    def _encode(self, samples: np.ndarray) -> None:
        spectra = log_mel(samples, self._rate, MELS)
        for start in range(0, len(samples), self._length):
            piece = samples[start : start + self._length]
            power = float(np.mean(np.square(piece, dtype=np.float64)))
            self._levels.append(max(SILENT, 10 * np.log10(power)) if power > 0 else SILENT)
            first = start * spectra.shape[1] // len(samples)
            last = max(first + 1, (start + len(piece)) * spectra.shape[1] // len(samples))
            part = spectra[:, first:last]
            self._encoded.append(np.concatenate([part.mean(axis=1), part.std(axis=1)]).astype(np.float32))
