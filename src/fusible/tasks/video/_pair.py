"""Picture and sound of a file on one clock: the whole of it, or stretches of a long one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from fusible.data._film_facts import streams
from fusible.data._film_form import OneForm
from fusible.data.content import open_media
from fusible.data.image import PIXELS
from fusible.errors import DataError
from fusible.types import Media

RATE = 16_000
"""Samples per second of the sound of a pair."""
SIZE = 144
"""Short side of the pictures of a pair, in pixels."""
LONGEST = 60.0
"""Seconds that are read at once; longer files are read in stretches."""
GAP = 0.02
"""A sound block that comes later than this after the one before it leaves a gap, which is silent."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Picture and sound on one clock.

    `frames` (frames, height, width) are grey, uint8, shown at `times` (frames,) seconds, rising; `wave` (samples,) is
    mono float32 at `RATE`, its first sample at `start` seconds.
    """

    frames: np.ndarray
    times: np.ndarray
    wave: np.ndarray
    start: float = 0.0
    where: str = "clip"

    def __post_init__(self) -> None:
        if self.frames.ndim != 3 or self.times.shape != (len(self.frames),):
            raise DataError(
                f"{self.where}: expected grey frames (frames, height, width) with a time each, got frames of shape "
                f"{self.frames.shape} and times of shape {self.times.shape}"
            )
        if self.wave.ndim != 1 or not np.isfinite(self.wave).all():
            raise DataError(f"{self.where}: expected mono samples (samples,) that are finite; decode the sound again")
        if len(self.times) < 2 or not (np.diff(self.times) > 0).all():
            raise DataError(f"{self.where}: expected two frames or more, with rising times, got {len(self.times)}")

    def moved(self, seconds: float) -> Pair:
        """The same with its sound so much later."""
        return Pair(self.frames, self.times, self.wave, self.start + seconds, self.where)

    def cut(self, first: float, last: float) -> Pair:
        """What is shown and heard from `first` to `last` second; times are kept."""
        here = (self.times >= first) & (self.times < last)
        low, high = (round((edge - self.start) * RATE) for edge in (first, last))
        low = min(max(low, 0), len(self.wave))
        wave = self.wave[low : max(low, high)]
        return Pair(self.frames[here], self.times[here], wave, self.start + low / RATE, self.where)


class PairFiles(Sequence[Pair]):
    """Pairs of files, read when they are asked for: as many files as one likes, none of them held."""

    def __init__(self, media: Sequence[Media], *, size: int = SIZE) -> None:
        self.media, self.size = media, size

    def __len__(self) -> int:
        return len(self.media)

    @overload
    def __getitem__(self, place: int) -> Pair: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Pair]: ...
    def __getitem__(self, place: int | slice) -> Pair | Sequence[Pair]:
        if isinstance(place, slice):
            return PairFiles(self.media[place], size=self.size)
        return read_pair(self.media[place], size=self.size)


def read_pair(media: Media, *, first: float = 0.0, seconds: float = LONGEST, size: int = SIZE) -> Pair:
    """Read picture and sound from `first` second on, for at most `seconds`; times are those of the file's clock.

    Damaged pieces are passed over. Raises `DataError` for what is no media, lacks a picture or a sound track, or has
    fewer than two frames there.
    """
    import av

    with open_media(media) as stream:
        try:
            with av.open(stream) as container:
                return _read(media, container, first, first + seconds, size)
        except av.FFmpegError as error:
            raise DataError(f"{media.where}: not a readable video: {error.strerror}; replace the file") from None


def read_stretches(media: Media, *, stretches: int = 10, seconds: float = 20.0, size: int = SIZE) -> Iterator[Pair]:
    """Read evenly spaced stretches of a file, one at a time; all of it, in one, where it is no longer than they are.

    Stretches that hold no two frames are passed over. Raises `DataError` as `read_pair` does.
    """
    length = duration(media)
    if length <= stretches * seconds:
        count = max(1, int(np.ceil(length / seconds)))
        starts, seconds = np.arange(count) * (length / count), length / count
    else:
        starts = np.linspace(0.0, length - seconds, stretches)
    failure: DataError | None = None
    found = 0
    for first in starts.tolist():
        try:
            yield read_pair(media, first=first, seconds=seconds, size=size)
            found += 1
        except DataError as error:
            failure = error
    if not found:
        raise failure or DataError(f"{media.where}: no frames to look at; replace the file")


def duration(media: Media) -> float:
    """Seconds that a file lasts, as its header says; raises `DataError` where it is no media or does not say."""
    import av

    with open_media(media) as stream:
        try:
            with av.open(stream, mode="r") as container:
                if not container.duration:
                    raise DataError(f"{media.where}: a file that does not say how long it is; write it again as mp4")
                return float(container.duration) / 1e6
        except av.FFmpegError as error:
            raise DataError(f"{media.where}: not a readable video: {error.strerror}; replace the file") from None


def _read(media: Media, container: Any, first: float, last: float, size: int) -> Pair:
    import av

    video, audio = streams(container)
    if video is None or audio is None:
        lacking = "video stream" if video is None else "sound track"
        raise DataError(f"{media.where}: no {lacking} in the file; synchrony needs both picture and sound")
    if video.width * video.height > PIXELS:
        raise DataError(f"{media.where}: video of {video.width}x{video.height} pixels is too large; shrink it")
    video.codec_context.thread_count = 1
    begins = (container.start_time or 0) / 1e6  # a broadcast's clock may stand anywhere
    if first > 0:
        container.seek(int((first + begins) * 1e6), backward=True)
    first, last = first + begins, last + begins
    frames: list[np.ndarray] = []
    times: list[float] = []
    track = _Track(audio.rate, first, last)
    done = {video.index: False, audio.index: False}
    for index, frame in _decoded(container, video, audio):
        done[index] = frame.time >= last
        if isinstance(frame, av.AudioFrame):
            track.add(frame)
        elif first <= frame.time < last and (not times or frame.time > times[-1]):
            frames.append(_grey(frame, size))
            times.append(float(frame.time))
        if all(done.values()):
            break
    if len(times) < 2:
        span = f"{first - begins:g} to {last - begins:g} s"
        raise DataError(f"{media.where}: fewer than two frames from {span}; replace the file")
    return Pair(np.stack(frames), np.array(times), track.wave(), track.start, media.where)


def _decoded(container: Any, *wanted: Any) -> Iterator[tuple[int, Any]]:
    """Frames that have a time, with the number of their stream; damaged packets are passed over."""
    import av

    with suppress(av.FFmpegError):
        for packet in container.demux(*wanted):
            decoded = []
            with suppress(av.FFmpegError):
                decoded = packet.decode()
            yield from ((packet.stream.index, frame) for frame in decoded if frame.time is not None)


class _Track:
    """Blocks of a sound track between two times, put where their times say."""

    def __init__(self, rate: int, first: float, last: float) -> None:
        import av

        self.rate, self.first, self.last = int(rate), first, last
        self.blocks: list[np.ndarray] = []
        self.end = 0.0
        self.start = first
        self._form = OneForm()
        self._to_float = av.AudioResampler(format="fltp", rate=self.rate)

    def add(self, frame: Any) -> None:
        """Take a block, where it lies between the times."""
        begin = float(frame.time)
        pieces = [piece for own in self._form.take(frame) for piece in self._to_float.resample(own)]
        if pieces:
            block = np.concatenate([piece.to_ndarray() for piece in pieces], axis=1).mean(axis=0, dtype=np.float32)
            if begin + len(block) / self.rate <= self.first or begin >= self.last:
                return
            if not self.blocks:
                self.start = self.end = begin
            if begin - self.end > GAP:
                silent = round((begin - self.end) * self.rate)
                self.blocks.append(np.zeros(silent, np.float32))
                self.end += silent / self.rate
            self.blocks.append(block)
            self.end += len(block) / self.rate

    def wave(self) -> np.ndarray:
        """All samples, at `RATE`."""
        if not self.blocks:
            return np.zeros(0, np.float32)
        wave = np.concatenate(self.blocks)
        if self.rate == RATE:
            return wave
        import soxr

        return np.asarray(soxr.resample(wave, self.rate, RATE), np.float32)


def _grey(frame: Any, size: int) -> np.ndarray:
    """Grey picture of one frame, upright, its short side scaled to `size` where it is longer."""
    scale = min(1.0, size / min(frame.width, frame.height))
    width, height = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    image: np.ndarray = frame.reformat(width=width, height=height, format="gray", interpolation="AREA").to_ndarray()
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image
