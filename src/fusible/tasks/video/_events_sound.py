"""What is heard, step by step: log-mel levels of stretches of a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from fusible.encoders._logmel import HIGHEST_RATE, LOWEST_RATE, log_mel, window_length
from fusible.encoders._settings import within
from fusible.tasks.video._events_tracks import Sources, Track, TrackEncoder, parts_of

FRAMES = 100
"""Spectra a second, as `log_mel` gives them."""
PARTS = 4
"""Most stretches of a step."""


class SoundTrack(TrackEncoder):
    """Log power in mel bands of each of up to four stretches of a step: (steps, parts x bands).

    `hz` is the rate to which sound is brought.
    """

    kind: ClassVar[str] = "log_mel"
    view: ClassVar[str] = "sound"

    def __init__(self, rate: float, hz: int = HIGHEST_RATE, bands: int = 40) -> None:
        super().__init__(rate)
        within("sound track", LOWEST_RATE, 96_000, hz=hz)
        within("sound track", 4, 128, bands=bands)
        self.hz, self.bands = hz, bands
        self.parts = parts_of(rate, FRAMES, PARTS)

    @property
    def columns(self) -> int:
        """Columns of a track."""
        return self.parts * self.bands

    def fit(self, films: Sequence[Sources]) -> None:
        """Nothing is learned: the network standardises what it reads."""

    def plain(self) -> Mapping[str, Any]:
        """Settings."""
        return {"rate": self.rate, "hz": self.hz, "bands": self.bands}

    def listener(self, steps: int | None = None) -> Listener:
        """What takes the sound of one film block by block; `steps` of the track, or as many as are heard."""
        return Listener(self, steps)


class Listener:
    """Takes the sound of one film block by block and gives its track; memory grows with steps, not with samples."""

    def __init__(self, encoder: SoundTrack, steps: int | None) -> None:
        self.encoder, self.steps = encoder, steps
        self._hop = encoder.hz // FRAMES
        self._half = window_length(encoder.hz) // 2
        self._rest = np.zeros(0, np.float32)
        self._begin: float | None = None
        self._first = 0  # sample of the sound at which `_rest` begins
        self._spectra: list[np.ndarray] = []
        self._done = 0  # spectra that were taken

    def take(self, time: float, samples: np.ndarray) -> None:
        """A block of samples that begins at `time`, where the one before ended."""
        if self._begin is None:
            self._begin = time
        self._rest = np.concatenate([self._rest, samples])
        if len(self._rest) > 60 * self.encoder.hz:
            self._spectrum(last=False)

    def track(self) -> Track:
        """The track; nothing is present where nothing was heard."""
        if len(self._rest):
            self._spectrum(last=True)
        spectra = np.concatenate(self._spectra) if self._spectra else np.zeros((0, self.encoder.bands), np.float32)
        return self._arranged(spectra)

    def _spectrum(self, *, last: bool) -> None:
        """Spectra of what is there: only those whose window is whole, unless it is the last block."""
        levels = log_mel(self._rest, self.encoder.hz, self.encoder.bands).T
        before = (self._done * self._hop - self._first) // self._hop
        after = len(levels) if last else (len(self._rest) - self._half) // self._hop
        self._spectra.append(np.ascontiguousarray(levels[before:after]))
        self._done += max(0, after - before)
        keep = max(0, (self._done * self._hop - self._first - self._half) // self._hop * self._hop)
        self._rest = self._rest[keep:]
        self._first += keep

    def _arranged(self, spectra: np.ndarray) -> Track:
        """Spectra, one per 10 ms from the sound's begin on, as means over the stretches of steps."""
        encoder = self.encoder
        begin = self._begin or 0.0
        heard = begin + len(spectra) / FRAMES
        steps = int(np.ceil(heard * encoder.rate - 0.5)) if self.steps is None else self.steps
        number = max(0, steps) * encoder.parts
        edges = (np.arange(number + 1) / (encoder.rate * encoder.parts) - begin) * FRAMES
        middles = (edges[:-1] + edges[1:]) / 2
        firsts = np.clip(np.ceil(edges - 1e-6).astype(int), 0, len(spectra))
        counts = np.diff(firsts)
        total = np.concatenate([np.zeros((1, encoder.bands)), spectra.cumsum(axis=0, dtype=np.float64)])
        sums = total[firsts[1:]] - total[firsts[:-1]]
        # A stretch too short to hold a spectrum, or at the very end of the sound, takes the nearest one.
        nearest = np.clip(np.round(middles).astype(int), 0, max(0, len(spectra) - 1))
        alone = spectra[nearest] if len(spectra) else np.zeros((number, encoder.bands))
        values = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], alone)
        centres = ((np.arange(max(0, steps)) + 0.5) / encoder.rate - begin) * FRAMES
        present = (centres >= 0) & (centres < len(spectra))
        return Track(
            np.where(present[:, None], values.reshape(len(centres), encoder.columns), 0.0).astype(np.float32), present
        )
