"""Sound of a film as it is decoded: one channel, one rate, one even clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

HOLE = 0.1
"""Seconds by which a time stamp may miss the sound before it; where it is later, silence is put in."""
LONGEST = 3600.0
"""Longest hole in seconds that is filled; a later stamp is taken for broken."""
SILENCE = 10.0
"""Longest block in seconds of such silence."""


@dataclass(frozen=True, slots=True)
class SoundBlock:
    """Mono float32 `samples` (length,) at the rate asked for; the first stands at `time` seconds.

    A block begins where the one before ends.
    """

    time: float
    samples: np.ndarray


class SoundStream:
    """Decoded audio frames → blocks of about `seconds` seconds; holes of the sound are filled with silence.

    `start` is the time of the first sample. Channels are averaged; NaN and infinite samples become 0 and are counted in
    `damaged`.
    """

    def __init__(self, native: int, rate: int, start: float, seconds: float = 1.0) -> None:
        import av
        import soxr

        self.rate, self.start, self.damaged = rate, start, 0
        self._native, self._block = native, max(1, int(native * seconds))
        self._to_float = av.AudioResampler(format="fltp", rate=native)
        self._to_rate = None if native == rate else soxr.ResampleStream(native, rate, 1, dtype="float32")
        self._waiting: list[tuple[np.ndarray, ...]] = []
        self._length = self._taken = self._given = 0

    @property
    def end(self) -> float:
        """Time up to which sound was given."""
        return self.start + self._given / self.rate

    def take(self, frame: Any, time: float | None) -> Iterator[SoundBlock]:
        """Take an audio frame that begins at `time` seconds (None: where the last ended); give what is ready."""
        late = 0.0 if time is None else time - self.start - self._taken / self._native
        if HOLE < late < LONGEST:
            yield from self._silence(round(late * self._native))
        for piece in self._to_float.resample(frame):
            self._add(_channels(piece))
        if self._length >= self._block:
            yield from self._give(last=False)

    def finish(self) -> Iterator[SoundBlock]:
        """Give the rest."""
        for piece in self._to_float.resample(None):
            self._add(_channels(piece))
        yield from self._give(last=True)

    def _add(self, channels: tuple[np.ndarray, ...]) -> None:
        self._waiting.append(channels)
        self._length += len(channels[0])
        self._taken += len(channels[0])

    def _silence(self, length: int) -> Iterator[SoundBlock]:
        longest = int(SILENCE * self._native)
        for first in range(0, length, longest):
            self._add((np.zeros(min(longest, length - first), np.float32),))
            yield from self._give(last=False)

    def _give(self, last: bool) -> Iterator[SoundBlock]:
        samples = self._mono()
        if self._to_rate is not None:
            samples = self._to_rate.resample_chunk(samples, last=last)
        if len(samples):
            time = self.end
            self._given += len(samples)
            yield SoundBlock(time, np.ascontiguousarray(samples, np.float32))

    def _mono(self) -> np.ndarray:
        """The mean of the channels of all that waits: many pieces at once, as each is short."""
        waiting, self._waiting, self._length = self._waiting, [], 0
        if not waiting:
            return np.zeros(0, np.float32)
        count = max(map(len, waiting))
        sides = [np.concatenate([one[min(i, len(one) - 1)] for one in waiting]) for i in range(count)]
        samples = np.mean(sides, axis=0, dtype=np.float32) if count > 1 else sides[0]
        sound = np.isfinite(samples)
        if not sound.all():
            self.damaged += int((~sound).sum())
            samples = np.where(sound, samples, np.float32(0))
        return np.asarray(samples)


def _channels(piece: Any) -> tuple[np.ndarray, ...]:
    """Samples of each channel of a planar float frame, which stays in memory with them."""
    return tuple(np.frombuffer(plane, np.float32, piece.samples) for plane in piece.planes)
