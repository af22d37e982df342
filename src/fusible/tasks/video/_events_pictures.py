"""What is to be seen in films of any kind, step by step: frames through the packaged image network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from fusible import registry
from fusible.data.film import Frame
from fusible.encoders._pixels import resize
from fusible.encoders._settings import within
from fusible.tasks.video._events_tracks import Sources, Track, TrackEncoder, on_clock

MOST = 4.0
"""Most frames a second that are encoded."""
BATCH = 16


class PictureTrack(TrackEncoder):
    """Frames, at most four a second, as `image_efficientnet` encodes them at `size` pixels; linear between two."""

    kind: ClassVar[str] = "image_efficientnet"
    view: ClassVar[str] = "video"

    def __init__(self, rate: float, size: int = 128) -> None:
        super().__init__(rate)
        within("picture track", 32, 1024, size=size)
        self.size = size
        self.network = registry.build("encoders", self.kind, size=size)
        self.every = 1.0 / min(rate, MOST)

    @property
    def columns(self) -> int:
        """Columns of a track."""
        return int(self.network.output_width)

    def fit(self, films: Sequence[Sources]) -> None:
        """Nothing is learned."""

    def plain(self) -> Mapping[str, Any]:
        """Settings."""
        return {"rate": self.rate, "size": self.size}

    def watcher(self) -> PictureWatcher:
        """What takes the frames of one film and gives its track."""
        return PictureWatcher(self)


class PictureWatcher:
    """Takes the frames of one film, and encodes those that stand at its grid, a few at a time."""

    def __init__(self, encoder: PictureTrack) -> None:
        self.encoder = encoder
        self._next = 0.0
        self._times: list[float] = []
        self._waiting: list[np.ndarray] = []
        self._known: list[np.ndarray] = []

    def take(self, frame: Frame) -> None:
        """A frame, in order of time."""
        if frame.until <= self._next + self.encoder.every / 2:
            return
        self._next = max(self._next + self.encoder.every, frame.time)
        self._times.append((frame.time + frame.until) / 2)
        self._waiting.append(resize(frame.picture(self.encoder.size), self.encoder.size))
        if len(self._waiting) == BATCH:
            self._encode()

    def track(self, steps: int) -> Track:
        """The track of what was seen."""
        if self._waiting:
            self._encode()
        known = np.concatenate(self._known) if self._known else np.zeros((0, self.encoder.columns), np.float32)
        return on_clock(
            np.array(self._times),
            known,
            self.encoder.rate,
            steps,
            reach=2 * self.encoder.every + 0.5 / self.encoder.rate,
        )

    def _encode(self) -> None:
        with torch.inference_mode():
            pooled = self.encoder.network(self.encoder.network.batch(self._waiting)).pooled
        self._known.append(pooled.float().numpy())
        self._waiting = []
