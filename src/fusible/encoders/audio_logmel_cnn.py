"""Sound by a small convolutional network over its log-mel spectrogram, trained here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from fusible.data.media import decode_audio
from fusible.encoders._base import Encoder, Tensors
from fusible.encoders._cnn import conv
from fusible.encoders._logmel import HIGHEST_RATE, LOWEST_RATE, learn_rate, log_mel, sounds
from fusible.encoders._sequences import mask_of
from fusible.encoders._settings import within
from fusible.types import Encoded, Media, Modality

SHORTEST = 16
"""Frames that every batch is padded to at least, so that how short sounds are pooled depends on them alone."""


class AudioLogmelCnn(Encoder):
    """Tokens (rows, frames of 80 ms, width); the vector is their mean plus their maximum.

    Sound is resampled to `rate` Hz; 0 learns it in `fit`: that of the training sounds, at most 16 kHz. The spectrogram
    has `mels` bands and a frame per 10 ms; what comes after `max_seconds` is cut off. Frequency keeps its place: the
    bands of the last map are joined by a linear layer, not pooled. `shift`: in training, batches start later at random,
    by at most so many frames.
    """

    modality: ClassVar[Modality] = Modality.AUDIO

    def __init__(self, rate: int = 0, mels: int = 40, width: int = 128, max_seconds: int = 30, shift: int = 10) -> None:
        super().__init__(rate=rate, mels=mels, width=width, max_seconds=max_seconds, shift=shift)
        within("audio_logmel_cnn", 0 if rate == 0 else LOWEST_RATE, 96_000, rate=rate)
        within("audio_logmel_cnn", 8, 128, mels=mels)
        within("audio_logmel_cnn", 1, 8192, width=width, max_seconds=max_seconds)
        within("audio_logmel_cnn", 0, 1000, shift=shift)
        self.rate, self.mels, self.max_seconds = rate or HIGHEST_RATE, mels, max_seconds
        self.output_width, self.shift = width, shift
        widths = (1, 32, 64, 128, 128)
        self.blocks = nn.ModuleList(
            conv(a, b, stride=1 if number else 2, kernel=3 if number else 5)
            for number, (a, b) in enumerate(pairwise(widths))
        )
        self.join = nn.Linear(widths[-1] * _halved(mels, 3), width)
        self.register_buffer("mean", torch.full((mels,), -8.0))
        self.register_buffer("std", torch.full((mels,), 3.0))

    def fit(self, values: Sequence[Media]) -> None:
        """Learn the rate (where the setting is 0), and mean and deviation per mel band."""
        if not self.settings["rate"]:
            self.rate = learn_rate(values)
        frames = np.concatenate([self._spectrum(wave) for wave in sounds(values, self.rate)], axis=1)
        self.mean = torch.from_numpy(frames.mean(axis=1, dtype=np.float64).astype(np.float32))
        self.std = torch.from_numpy(np.maximum(frames.std(axis=1, dtype=np.float64), 1e-2).astype(np.float32))

    def _spectrum(self, wave: np.ndarray) -> np.ndarray:
        return log_mel(wave[: self.max_seconds * self.rate], self.rate, self.mels)

    def decode(self, value: Media) -> np.ndarray:
        """Log-mel spectrogram (mels, frames), float16."""
        return self._spectrum(decode_audio(value, self.rate)).astype(np.float16)

    def batch(self, decoded: Sequence[Any]) -> Tensors:
        """Tensors `spectra` (rows, mels, longest) float16, zero after each row's end, and `lengths` (rows,)."""
        lengths = np.array([one.shape[1] for one in decoded], dtype=np.int64)
        spectra = np.zeros((len(decoded), self.mels, int(lengths.max(initial=SHORTEST))), dtype=np.float16)
        for row, one in enumerate(decoded):
            spectra[row, :, : one.shape[1]] = one
        return {"spectra": torch.from_numpy(spectra), "lengths": torch.from_numpy(lengths)}

    def forward(self, tensors: Tensors) -> Encoded:
        """Encode spectrograms."""
        lengths = tensors["lengths"]
        scaled = (tensors["spectra"].float() - self.mean[:, None]) / self.std[:, None]
        maps = _masked(scaled.unsqueeze(1), lengths)
        if self.training and self.shift:
            later = int(torch.randint(0, self.shift + 1, ()))
            maps, lengths = nn.functional.pad(maps, (later, 0)), lengths + later
        for number, block in enumerate(self.blocks):
            if number in {1, 2}:
                lengths = (lengths // 2).clamp(min=1)
                maps = _masked(nn.functional.max_pool2d(maps, 2), lengths)
            maps = block(maps)
            if not number:
                lengths = (lengths + 1) // 2
            maps = _masked(maps, lengths)
        tokens = self.join(maps.permute(0, 3, 1, 2).flatten(2)).relu()
        mask = mask_of(lengths, tokens.shape[1])
        tokens = tokens.masked_fill(~mask.unsqueeze(-1), 0.0)
        return Encoded(tokens, mask, tokens.sum(dim=1) / lengths.unsqueeze(1) + tokens.amax(dim=1))

    def learned(self) -> Mapping[str, Any]:
        """The sample rate."""
        return {"rate": self.rate}

    def restore(self, learned: Mapping[str, Any]) -> None:
        """Take back the sample rate."""
        within("audio_logmel_cnn", LOWEST_RATE, 96_000, rate=learned["rate"])
        self.rate = int(learned["rate"])


def _masked(maps: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Zero after each row's end: what convolution sees there when the row is alone."""
    if bool((lengths >= maps.shape[-1]).all()):
        return maps
    mask = mask_of(lengths, maps.shape[-1])
    return maps.masked_fill(~mask[:, None, None, :], 0.0)


def _halved(bands: int, times: int) -> int:
    """Bands that are left: a stride of 2 rounds up, a pooling down."""
    left = (bands + 1) // 2
    for _ in range(times - 1):
        left //= 2
    return left
