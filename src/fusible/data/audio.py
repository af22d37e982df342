"""Decoding of sound: soundfile for sound files, PyAV for everything else that has a sound track."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from fusible.data.content import open_media, read_bytes
from fusible.errors import DataError
from fusible.types import Media

SECONDS = 4 * 3600
"""Longer recordings are refused: decoded, they would not fit in memory."""
_BLOCK = 1 << 18


def decode_audio(media: Media, rate: int) -> np.ndarray:
    """Decode to mono float32 samples (length,) in about [-1, 1], resampled to `rate` Hz.

    Channels are averaged. A video's sound track is read too. Raises `DataError` for zero bytes, what is no sound,
    a file without a sound track, without samples or with NaN or infinite samples, and more than `SECONDS` seconds.
    """
    if rate < 1:
        raise DataError(f"{media.where}: sample rate must be at least 1 Hz, got {rate}")
    samples, native = read_sound(media)
    if native == rate:
        return samples
    import soxr

    resampled: np.ndarray = soxr.resample(samples, native, rate)
    return resampled.astype(np.float32, copy=False)


def read_sound(media: Media) -> tuple[np.ndarray, int]:
    """Decode to mono float32 samples (length,) and their rate in Hz; refuses what `decode_audio` does."""
    samples, native = _sound_file(media) or _sound_track(media)
    if not len(samples):
        raise DataError(f"{media.where}: sound without samples; replace the file")
    if not np.isfinite(samples).all():
        raise DataError(f"{media.where}: sound with NaN or infinite samples; replace the file")
    return samples, native


def has_sound(media: Media) -> bool:
    """Whether the item has a sound track; raises `DataError` where it is no media at all."""
    import av

    with open_media(media) as stream:
        try:
            with av.open(stream) as container:
                return bool(container.streams.audio)
        except av.FFmpegError as error:
            raise DataError(f"{media.where}: not readable media: {error.strerror}; replace the file") from None


def _sound_file(media: Media) -> tuple[np.ndarray, int] | None:
    """Give samples and their rate by soundfile; None where it does not know the format."""
    import soundfile

    with open_media(media) as stream:
        try:
            with soundfile.SoundFile(stream) as sound:
                _check_length(media, sound.frames / sound.samplerate)
                blocks = [b.mean(axis=1) for b in sound.blocks(_BLOCK, dtype="float32", always_2d=True)]
                return _join(blocks), int(sound.samplerate)
        except soundfile.LibsndfileError:
            return None


def _sound_track(media: Media) -> tuple[np.ndarray, int]:
    """Give samples and their rate by PyAV."""
    import av

    try:
        with av.open(io.BytesIO(read_bytes(media))) as container:
            if not container.streams.audio:
                raise DataError(f"{media.where}: no sound track in the file; leave the cell empty if there is none")
            return _read_track(media, container)
    except av.FFmpegError as error:
        raise DataError(f"{media.where}: not a readable sound: {error.strerror}; replace the file") from None


def _read_track(media: Media, container: Any) -> tuple[np.ndarray, int]:
    import av

    track = container.streams.audio[0]
    native = int(track.rate)
    to_float = av.AudioResampler(format="fltp", rate=native)
    blocks: list[np.ndarray] = []
    total = 0
    for frame in container.decode(track):
        for piece in to_float.resample(frame):
            block = piece.to_ndarray().mean(axis=0, dtype=np.float32)
            blocks.append(block)
            total += len(block)
        _check_length(media, total / native)
    blocks.extend(piece.to_ndarray().mean(axis=0, dtype=np.float32) for piece in to_float.resample(None))
    return _join(blocks), native


def _join(blocks: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def _check_length(media: Media, seconds: float) -> None:
    if seconds > SECONDS:
        raise DataError(f"{media.where}: sound of {seconds:.0f} s, at most {SECONDS} s allowed; cut it")
