"""What is said or written, step by step: the encoding of the cue of a transcript that stands there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from fusible import registry
from fusible.tasks.video._events_tracks import Cue, Sources, Track, TrackEncoder

BATCH = 64


class WordTrack(TrackEncoder):
    """Each cue as the text encoder `encoder` gives it, as long as it stands; absent where no cue stands.

    Where cues overlap, the mean of those that stand there.
    """

    kind: ClassVar[str] = "cues"
    view: ClassVar[str] = "text"

    def __init__(self, rate: float, encoder: str = "text_minilm") -> None:
        super().__init__(rate)
        self.encoder = encoder
        self.network = registry.build("encoders", encoder)

    @property
    def columns(self) -> int:
        """Columns of a track."""
        return int(self.network.output_width)

    def fit(self, films: Sequence[Sources]) -> None:
        """Nothing is learned."""

    def plain(self) -> Mapping[str, Any]:
        """Settings."""
        return {"rate": self.rate, "encoder": self.encoder}

    def track(self, cues: Sequence[Cue], steps: int) -> Track:
        """The track of cues (start, end, text) in seconds. A cue shorter than a step stands in the nearest one."""
        total, count = np.zeros((steps, self.columns), np.float32), np.zeros(steps, np.float32)
        said = [(start, end, text.strip()) for start, end, text in cues if text.strip()]
        vectors = self._vectors(sorted({text for _, _, text in said}))
        for start, end, text in said:
            first = int(np.ceil(start * self.rate - 0.5))
            last = max(first + 1, int(np.ceil(end * self.rate - 0.5)))
            own = slice(max(0, first), max(0, min(last, steps)))
            total[own] += vectors[text]
            count[own] += 1.0
        return Track(total / np.maximum(count, 1.0)[:, None], count > 0)

    def _vectors(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for i in range(0, len(texts), BATCH):
            chunk = texts[i : i + BATCH]
            with torch.inference_mode():
                pooled = self.network(self.network.collate(chunk)).pooled.float().numpy()
            found.update(zip(chunk, pooled, strict=True))
        return found
