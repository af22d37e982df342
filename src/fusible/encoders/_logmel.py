"""Log-mel spectrograms: the common ground of sound encoders."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch

from fusible.data.media import decode_audio, read_bytes
from fusible.errors import DataError
from fusible.types import Media

LOWEST_RATE, HIGHEST_RATE = 1_000, 16_000
SAMPLE = 128
FLOOR = 1e-6
"""Added to mel power before the logarithm: about -60 dB of a full-scale tone, so that silence is no outlier."""


def window_length(rate: int) -> int:
    """Samples of a window: 32 ms rounded up to a power of two, at least 256 so that no mel band is empty.

    >>> window_length(8000), window_length(16000)
    (256, 512)
    """
    return max(256, 1 << int(np.ceil(np.log2(0.032 * rate))))


@lru_cache(maxsize=8)
def _tools(rate: int, mels: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Window and filter bank (mels, bins), scaled so that a full-scale sine has power of about 1."""
    from transformers.audio_utils import mel_filter_bank

    length = window_length(rate)
    window = torch.hann_window(length)
    bank = mel_filter_bank(length // 2 + 1, mels, 0.0, rate / 2, rate)
    return window, torch.from_numpy(bank.T.astype(np.float32)) * float((2.0 / window.sum()) ** 2)


def log_mel(wave: np.ndarray, rate: int, mels: int) -> np.ndarray:
    """Log power in mel bands (mels, frames), float32, one frame per 10 ms, of samples (length,).

    Hann window of 32 to 64 ms (longer under 8 kHz), HTK mel scale (Young et al.), natural logarithm.
    """
    window, bank = _tools(rate, mels)
    signal = torch.from_numpy(np.ascontiguousarray(wave, dtype=np.float32))
    hop = max(1, rate // 100)
    spectrum = torch.stft(signal, len(window), hop, window=window, pad_mode="constant", return_complex=True)
    power = bank @ spectrum.abs().square()
    return (power + FLOOR).log().numpy()


def learn_rate(values: Sequence[Media]) -> int:
    """Highest sample rate in evenly spaced sounds of the training rows, 1 to 16 kHz.

    Unreadable ones are passed over, for the table's check names them; raises `DataError` where none can be read.
    """
    rates: list[int] = []
    failure: DataError | None = None
    for value in spread(values):
        try:
            rates.append(native_rate(value))
        except DataError as error:
            failure = error
    if not rates:
        raise failure or DataError("sound encoder: no sound to learn from; give at least one training sound")
    return max(LOWEST_RATE, min(HIGHEST_RATE, max(rates)))


def sounds(values: Sequence[Media], rate: int) -> list[np.ndarray]:
    """Decode evenly spaced sounds of the training rows; unreadable ones are passed over as in `learn_rate`."""
    found: list[np.ndarray] = []
    failure: DataError | None = None
    for value in spread(values):
        try:
            found.append(decode_audio(value, rate))
        except DataError as error:
            failure = error
    if not found:
        raise failure or DataError("sound encoder: no sound to learn from; give at least one training sound")
    return found


def spread(values: Sequence[Media]) -> list[Media]:
    """At most `SAMPLE` evenly spaced items."""
    places = np.unique(np.linspace(0, len(values) - 1, min(SAMPLE, len(values))).astype(int))
    return [values[i] for i in places.tolist()]


def native_rate(media: Media) -> int:
    """Sample rate of a sound or of a video's sound track; raises `DataError` where there is none."""
    import av
    import soundfile

    data = read_bytes(media)
    try:
        return int(soundfile.info(io.BytesIO(data)).samplerate)
    except soundfile.LibsndfileError:
        pass  # not a format of soundfile: PyAV knows the others
    try:
        with av.open(io.BytesIO(data)) as container:
            if container.streams.audio:
                return int(container.streams.audio[0].rate)
    except av.FFmpegError as error:
        raise DataError(f"{media.where}: not a readable sound: {error.strerror}; replace the file") from None
    raise DataError(f"{media.where}: no sound track in the file; leave the cell empty if there is none")
