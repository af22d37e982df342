"""The sound of a film as it goes by, kept on disk: pieces of it are asked for when its spans are known."""

from __future__ import annotations

import tempfile
import weakref

import numpy as np

from fusible.errors import ArrayError

_FULL = 32_767


class Tape:
    """Hears mono float32 samples at `rate` Hz and keeps them in 16 bits, in a file without a name: memory stays flat.

    >>> tape = Tape(16_000)
    >>> tape.push(np.full(16_000, 0.5, np.float32))
    >>> tape.between(0.25, 0.75).shape, tape.between(0.5, 9.0).shape, tape.between(2.0, 3.0).shape
    ((8000,), (8000,), (0,))
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as this object)
        weakref.finalize(self, self._file.close)
        self._length = 0

    def push(self, block: np.ndarray) -> None:
        """Take the next samples."""
        self._file.write((np.clip(block, -1.0, 1.0) * _FULL).round().astype("<i2").tobytes())
        self._length += len(block)

    def finish(self) -> Tape:
        """The sound is over: the tape."""
        return self

    def between(self, start: float, end: float) -> np.ndarray:
        """Samples (length,) int16 from `start` to `end` seconds, as far as there is sound."""
        if not 0.0 <= start < end:
            raise ArrayError(f"tape: expected 0 <= start < end in seconds, got {start:g} and {end:g}")
        first, last = (min(round(time * self.rate), self._length) for time in (start, end))
        self._file.seek(2 * first)
        found = np.frombuffer(self._file.read(2 * (last - first)), "<i2").astype(np.int16)
        self._file.seek(0, 2)
        return found
