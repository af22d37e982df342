"""Frames and sound of one span of a film, found by seeking, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Literal

import numpy as np

from fusible.data.content import open_media
from fusible.errors import DataError
from fusible.types import Media

MARGINS = (0.3, 10.0)
"""Seconds before a span to which is sought, one after the other, before the film is read from its start."""
EARLY = 1e-4
"""Seconds by which a frame may come late and still count as shown: times are rounded."""
JITTER = 0.02
"""Seconds by which the times of sound may waver without a gap or an overlap being meant."""


class Track:
    """The first video or audio stream of a film, in a container of its own, decoded from any time on.

    Times are seconds from the first frame shown, which is at `zero` of the file's clock.
    """

    def __init__(self, media: Media, kind: Literal["video", "audio"], zero: float = 0.0) -> None:
        import av

        self._media, self._kind, self.zero = media, kind, zero
        self._used = False
        self._source = open_media(media)
        try:
            self._container: Any = av.open(self._source, mode="r")
        except av.FFmpegError as error:
            self._source.close()
            raise DataError(f"{media.where}: not a readable film: {error.strerror}; replace the file") from None
        cover = av.stream.Disposition.attached_pic
        found = [stream for stream in getattr(self._container.streams, kind) if not stream.disposition & cover]
        self.stream: Any = found[0] if found else None
        if self.stream is not None and kind == "video":
            self.stream.thread_type = "AUTO"

    def close(self) -> None:
        """Close the file."""
        self._container.close()
        self._source.close()

    def decode(self, time: float) -> Iterator[tuple[float, Any]]:
        """Give times and frames in rising order, from one at `time` or before it to the end of the film.

        Without a frame so early, from the first one there is. Damaged packets are passed over.
        """
        for margin in MARGINS:
            if time <= margin or not self._seek(time - margin):
                break
            frames = self._frames()
            first = next(frames, None)
            if first is not None and first[0] <= time:
                yield first
                yield from frames
                return
        if self._used:
            self._reopen()  # seeking to the start is not exact in every format
        yield from self._frames()

    def _seek(self, time: float) -> bool:
        """Seek to the key frame at a time or before it; whether the file allows it."""
        import av

        self._used = True
        try:
            target = round((time + self.zero) / float(self.stream.time_base))
            self._container.seek(target, stream=self.stream, backward=True)
        except (av.FFmpegError, OSError):
            return False
        return True

    def _reopen(self) -> None:
        self.close()
        fresh = Track(self._media, self._kind, self.zero)
        self._source, self._container, self.stream = fresh._source, fresh._container, fresh.stream
        self._used = False

    def _frames(self) -> Iterator[tuple[float, Any]]:
        import av

        self._used, last = True, None
        step = 1.0 / float(self.stream.average_rate or 25) if self._kind == "video" else 0.0
        with suppress(av.FFmpegError):
            for packet in self._container.demux(self.stream):
                frames = []
                with suppress(av.FFmpegError):
                    frames = packet.decode()
                for frame in frames:
                    known = frame.pts is not None and frame.time_base is not None
                    time = float(frame.pts * frame.time_base) - self.zero if known else None
                    if time is None:
                        time = step + last if last is not None else 0.0
                    if last is None or time > last:
                        last = time
                        yield time, frame


def shown(track: Track, start: float, end: float) -> Iterator[tuple[float, float, Any]]:
    """Give the frames shown from `start` to `end`: from when, until when, and the frame.

    The first is the one that stands at `start`. The last frame of the film is shown as long as it says, and not longer
    than the one before: files whose frames are stored out of order say too much.
    """
    held: tuple[float, Any] | None = None
    step = None
    for time, frame in track.decode(start):
        if held is not None and time > start + EARLY:
            yield max(held[0], start), min(time, end), held[1]
        if time >= end - EARLY:
            return
        step = None if held is None else time - held[0]
        held = (time, frame)
    if held is not None:
        said = float((held[1].duration or 0) * (held[1].time_base or 0)) or None
        lasts = min((length for length in (said, step) if length), default=1.0 / float(track.stream.average_rate or 25))
        until = min(held[0] + lasts, end)
        if until > start + EARLY:
            yield max(held[0], start), until, held[1]


class Sound:
    """The sound of a film from a time on, as planar float32 samples (channels, samples) of one rate and layout.

    What the film has no sound for is silence: before late sound, in gaps, and after the end.
    """

    def __init__(self, track: Track, start: float, rate: int, layout: str) -> None:
        self._blocks = self._placed(track, start, rate, layout)
        self._rest = np.zeros((2 if layout == "stereo" else 1, 0), np.float32)

    def read(self, count: int) -> np.ndarray:
        """Give the next `count` samples."""
        parts, have = [self._rest], self._rest.shape[1]
        while have < count:
            block = next(self._blocks, None)
            if block is None:
                block = np.zeros((len(self._rest), count - have), np.float32)
            parts.append(block)
            have += block.shape[1]
        joined = np.concatenate(parts, axis=1)
        self._rest = joined[:, count:]
        return joined[:, :count]

    def _placed(self, track: Track, start: float, rate: int, layout: str) -> Iterator[np.ndarray]:
        done, begun = 0, False
        for time, block in _samples(track, start, rate, layout):
            place = round((time - start) * rate)
            if begun and abs(place - done) <= JITTER * rate:
                place = done
            while place > done:
                silence = min(place - done, rate)
                yield np.zeros((len(block), silence), np.float32)
                done += silence
            kept = block[:, max(0, done - place) :]
            if kept.shape[1]:
                begun = True
                done += kept.shape[1]
                yield kept


def _samples(track: Track, start: float, rate: int, layout: str) -> Iterator[tuple[float, np.ndarray]]:
    """Give times and samples in one form, whatever form the frames have."""
    import av

    form, resampler = None, None
    for time, frame in track.decode(start):
        if resampler is None or form != (frame.format.name, frame.layout.name, frame.sample_rate):
            form = (frame.format.name, frame.layout.name, frame.sample_rate)
            resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)
        frame.pts = None
        pieces = [piece.to_ndarray() for piece in resampler.resample(frame)]
        if pieces:
            block = np.concatenate(pieces, axis=1)
            yield time, np.where(np.isfinite(block), block, np.float32(0))
