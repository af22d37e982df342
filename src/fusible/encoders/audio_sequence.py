"""Sound as a sequence: the level of its mel bands, stretch by stretch of its length, without labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from fusible.data.media import decode_audio
from fusible.encoders._base import Tensors
from fusible.encoders._frozen import FrozenEncoder
from fusible.encoders._logmel import HIGHEST_RATE, LOWEST_RATE, learn_rate, log_mel, sounds
from fusible.encoders._settings import within
from fusible.types import Encoded, Media, Modality

LIMIT = 10.0
"""Standardised levels are clipped to this many deviations."""


class AudioSequence(FrozenEncoder):
    """One token per sound (rows, 1, steps × mels): the course of its log-mel levels, step by step.

    The sound is cut in `steps` equal stretches; a step is the mean log power of each of `mels` bands over its stretch,
    standardised by the band's mean and deviation in training sounds. Beside `video_sequence` of as many steps it is on
    one clock: what `sequence_cca` needs to match a sound and its silent clip. `rate`: as of `audio_logmel_cnn`.
    """

    modality: ClassVar[Modality] = Modality.AUDIO
    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, steps: int = 75, rate: int = 0, mels: int = 40) -> None:
        super().__init__(steps=steps, rate=rate, mels=mels)
        within("audio_sequence", 2, 1024, steps=steps)
        within("audio_sequence", 0 if rate == 0 else LOWEST_RATE, 96_000, rate=rate)
        within("audio_sequence", 4, 128, mels=mels)
        self.rate, self.mels, self.steps = rate or HIGHEST_RATE, mels, steps
        self.output_width = steps * mels
        self.register_buffer("mean", torch.zeros(mels))
        self.register_buffer("std", torch.ones(mels))
        self.freeze()

    def fit(self, values: Sequence[Media]) -> None:
        """Learn the rate (where the setting is 0), and mean and deviation of each band over steps."""
        if not self.settings["rate"]:
            self.rate = learn_rate(values)
        courses = np.concatenate([self._course(wave) for wave in sounds(values, self.rate)]).astype(np.float64)
        self.mean = torch.from_numpy(courses.mean(axis=0).astype(np.float32))
        self.std = torch.from_numpy(np.maximum(courses.std(axis=0), 1e-3).astype(np.float32))

    def decode(self, value: Media) -> np.ndarray:
        """Levels (steps, mels), float32."""
        return self._course(decode_audio(value, self.rate))

    def batch(self, decoded: Sequence[Any]) -> Tensors:
        """Tensor `levels` (rows, steps, mels)."""
        shape = (0, self.steps, self.mels)
        return {"levels": torch.from_numpy(np.stack(decoded) if len(decoded) else np.zeros(shape, np.float32))}

    def forward(self, tensors: Tensors) -> Encoded:
        """Standardise."""
        vectors = ((tensors["levels"] - self.mean) / self.std).clamp(-LIMIT, LIMIT).flatten(1)
        mask = torch.ones(len(vectors), 1, dtype=torch.bool, device=vectors.device)
        return Encoded(vectors.unsqueeze(1), mask)

    def learned(self) -> Mapping[str, Any]:
        """The sample rate."""
        return {"rate": self.rate}

    def restore(self, learned: Mapping[str, Any]) -> None:
        """Take back the sample rate."""
        within("audio_sequence", LOWEST_RATE, 96_000, rate=learned["rate"])
        self.rate = int(learned["rate"])

    def _course(self, wave: np.ndarray) -> np.ndarray:
        return stretches(log_mel(wave, self.rate, self.mels), self.steps).T.astype(np.float32)


def stretches(values: np.ndarray, steps: int) -> np.ndarray:
    """Means of values (bands, frames) over `steps` equal stretches of their length: (bands, steps), float64.

    Each value counts by the share of its time that lies in the stretch, so that there may be fewer frames than steps.

    >>> stretches(np.array([[1.0, 2.0, 6.0]]), 2)
    array([[1.33333333, 4.66666667]])
    """
    frames = values.shape[1]
    total = np.concatenate([np.zeros((len(values), 1)), values.astype(np.float64).cumsum(axis=1)], axis=1)
    edges = np.linspace(0, frames, steps + 1)
    whole = np.minimum(edges.astype(int), frames - 1)
    reached = total[:, whole] + (edges - whole) * values[:, whole]
    return np.asarray(np.diff(reached, axis=1) * steps / frames)
