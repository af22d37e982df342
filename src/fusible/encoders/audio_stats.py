"""Sound by statistics of its log-mel bands: little to learn from is enough."""

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

PERCENTILES = (10, 50, 90)
PER_BAND = 5 + len(PERCENTILES)
EXTRAS = 7
LIMIT = 10.0
"""Standardised statistics are clipped to this many deviations."""


class AudioStats(FrozenEncoder):
    """One token per sound (rows, 1, 8 x mels + 7), standardised by statistics of the training sounds.

    Per mel band: mean, deviation, minimum, maximum, mean change from frame to frame, 10th, 50th and 90th percentile;
    then zero-crossing rate, log energy (mean and deviation), spectral centroid (mean and deviation, Hz / rate), log of
    the loudest sample, log of the duration in seconds. `rate`: as of `audio_logmel_cnn`.
    """

    modality: ClassVar[Modality] = Modality.AUDIO

    def __init__(self, rate: int = 0, mels: int = 40) -> None:
        super().__init__(rate=rate, mels=mels)
        within("audio_stats", 0 if rate == 0 else LOWEST_RATE, 96_000, rate=rate)
        within("audio_stats", 4, 128, mels=mels)
        self.rate, self.mels = rate or HIGHEST_RATE, mels
        self.output_width = PER_BAND * mels + EXTRAS
        self.register_buffer("mean", torch.zeros(self.output_width))
        self.register_buffer("std", torch.ones(self.output_width))
        self.freeze()

    def fit(self, values: Sequence[Media]) -> None:
        """Learn the rate (where the setting is 0), and mean and deviation of each statistic."""
        if not self.settings["rate"]:
            self.rate = learn_rate(values)
        rows = np.stack([statistics(wave, self.rate, self.mels) for wave in sounds(values, self.rate)])
        self.mean = torch.from_numpy(rows.mean(axis=0, dtype=np.float64).astype(np.float32))
        self.std = torch.from_numpy(np.maximum(rows.std(axis=0, dtype=np.float64), 1e-3).astype(np.float32))

    def decode(self, value: Media) -> np.ndarray:
        """Statistics as they are, float32, shape (output_width,)."""
        return statistics(decode_audio(value, self.rate), self.rate, self.mels)

    def batch(self, decoded: Sequence[Any]) -> Tensors:
        """Tensor `statistics` (rows, output_width)."""
        rows = np.stack(decoded) if len(decoded) else np.zeros((0, self.output_width), np.float32)
        return {"statistics": torch.from_numpy(rows)}

    def forward(self, tensors: Tensors) -> Encoded:
        """Standardise."""
        vectors = ((tensors["statistics"] - self.mean) / self.std).clamp(-LIMIT, LIMIT)
        mask = torch.ones(len(vectors), 1, dtype=torch.bool, device=vectors.device)
        return Encoded(vectors.unsqueeze(1), mask)

    def learned(self) -> Mapping[str, Any]:
        """The sample rate."""
        return {"rate": self.rate}

    def restore(self, learned: Mapping[str, Any]) -> None:
        """Take back the sample rate."""
        within("audio_stats", LOWEST_RATE, 96_000, rate=learned["rate"])
        self.rate = int(learned["rate"])


def statistics(wave: np.ndarray, rate: int, mels: int) -> np.ndarray:
    """Statistics of samples (length,), float32, shape (8 x mels + 7,), in the order that `AudioStats` gives."""
    bands = log_mel(wave, rate, mels).astype(np.float64)
    change = np.abs(np.diff(bands, axis=1)).mean(axis=1) if bands.shape[1] > 1 else np.zeros(mels)
    per_band = [bands.mean(1), bands.std(1), bands.min(1), bands.max(1), change, *np.percentile(bands, PERCENTILES, 1)]
    power = np.exp(bands)
    energy = np.log(power.sum(axis=0))
    centres = 700.0 * (10.0 ** (np.linspace(0, np.log10(1 + rate / 1400.0), mels + 2)[1:-1]) - 1.0) / rate
    centroid = (centres @ power) / power.sum(axis=0)
    crossings = float(np.mean(np.signbit(wave[1:]) != np.signbit(wave[:-1]))) if len(wave) > 1 else 0.0
    extras = [
        crossings,
        energy.mean(),
        energy.std(),
        centroid.mean(),
        centroid.std(),
        float(np.log(np.abs(wave).max() + 1e-4)),
        float(np.log(len(wave) / rate)),
    ]
    return np.concatenate([*per_band, extras]).astype(np.float32)
