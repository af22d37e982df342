"""Reading a film once, from its start to its end: frames and sound as they come, in constant memory.

>>> import io
>>> from PIL import Image
>>> buffer = io.BytesIO()
>>> Image.new("RGB", (64, 48)).save(buffer, "PNG")  # a picture is a film of one frame
>>> for part in FilmReader(Media("film", 0, data=buffer.getvalue()), rate=16_000, step=0.5):
...     if isinstance(part, SoundBlock):
...         print(part.time, part.samples.shape)  # about a second of sound
...     elif part.ticks:
...         print(part.time, part.small.shape, part.picture(24).shape)  # the frame shown at a point of the grid
0.0 (36, 64, 3) (24, 32, 3)
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fusible.data._film_facts import RATE, Film, check_size, probe, streams, turns
from fusible.data._film_form import OneForm
from fusible.data._film_sound import SoundBlock, SoundStream
from fusible.data.content import open_media
from fusible.errors import ConfigError, DataError
from fusible.types import Media, Problem

if TYPE_CHECKING:
    from av.container import InputContainer

__all__ = ["SMALL", "Film", "FilmReader", "Frame", "SoundBlock", "probe"]

SMALL = (36, 64)
"""Height and width of the small picture of every frame."""
TOLERANCE = 0.9
"""A film that ends before this share of its announced length is truncated."""
LEAP = 3600.0
"""Seconds; a time stamp that leaps further than this and the film's own length is broken."""
LONGEST = 16
"""Pictures longer than this many times their short side are squeezed."""
_THREADS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame shown: its number, `time` and the time `until` which it is shown (seconds), and its small picture.

    `ticks` are the points k of the grid k · step that fall into this time: empty for most frames, several for a frame
    that stands long. `small` is uint8 RGB of shape `SMALL`, the whole frame stretched to it and as it was stored, not
    turned upright. `raw` is PyAV's frame; as long as a `Frame` is kept, its full picture stays in memory.
    """

    index: int
    time: float
    until: float
    ticks: range
    small: np.ndarray
    raw: Any

    def picture(self, size: int) -> np.ndarray:
        """Uint8 RGB (height, width, 3), upright, the short side scaled to `size`."""
        scale = size / min(self.raw.width, self.raw.height)
        width, height = (
            min(max(size, round(side * scale)), LONGEST * size) for side in (self.raw.width, self.raw.height)
        )
        return _rgb(self.raw, width, height, turns(self.raw))


class FilmReader:
    """Frames (`Frame`) and sound (`SoundBlock`) of a file in the order of their decoding, both in order of time.

    Times are seconds from the first frame shown. `rate` is the sound's rate in Hz, None to leave sound out; `step` the
    step of the grid in seconds, None for no grid; `pictures` false leaves frames out. `film` has the facts.

    Iterating reads the file anew. What was wrong then stands in `problems`, `column` naming the file: kinds "truncated"
    (the film ends long before its announced end), "damaged" (frames or sound that cannot be decoded are passed over),
    "no sound", "no picture", "sound longer", "sound shorter" (than the picture, by more than a second), "sound
    misplaced" (by more than an hour, which nobody means). `end` is the time at which the picture has ended (the sound,
    where there is no picture), `seen` the number of frames.

    Memory does not grow with the film's length. Raises `DataError` where nothing can be read, see `probe`.
    """

    def __init__(
        self, media: Media, *, rate: int | None = None, step: float | None = None, pictures: bool = True
    ) -> None:
        if rate is not None and rate < 1:
            raise ConfigError(f"{media.where}: sample rate must be at least 1 Hz, got {rate}")
        if step is not None and not 0.0 < step < math.inf:
            raise ConfigError(f"{media.where}: step of the grid must be above 0 seconds, got {step}")
        self.media, self.rate, self.step, self.pictures = media, rate, step, pictures
        self.film = probe(media)
        self._reset()

    def _reset(self) -> None:
        self.problems: list[Problem] = []
        self.seen, self.end = 0, 0.0
        self._damaged = 0
        self._broke: str | None = None
        self._small: Any = None

    def __iter__(self) -> Iterator[Frame | SoundBlock]:
        import av

        self._reset()
        with open_media(self.media) as stream:
            try:
                container = av.open(stream, mode="r")
            except av.FFmpegError as error:
                raise DataError(f"{self.media.where}: not a readable film: {error.strerror}; replace it") from None
            with container:
                yield from self._read(container)

    def _read(self, container: InputContainer) -> Iterator[Frame | SoundBlock]:
        from av.video.frame import VideoFrame
        from av.video.reformatter import VideoReformatter

        film = self.film
        self._small = VideoReformatter()
        clock, form = _Clock(film), OneForm()
        sound = None
        if self.rate is not None and film.sound_start is not None:
            far = abs(film.sound_start) > LEAP
            if far:
                told = (
                    f"the sound is stamped {film.sound_start:.0f} s after the picture; both are taken to begin at once"
                )
                self._note("sound misplaced", told)
            sound = SoundStream(film.sound_rate, self.rate, 0.0 if far else film.sound_start)
        late: Any = None
        for raw in self._decode(container, sound is not None):
            if not isinstance(raw, VideoFrame):
                if sound is not None:
                    began = None if raw.time is None else clock.shifted(raw.time)
                    for number, piece in enumerate(form.take(raw)):
                        yield from sound.take(piece, None if number else began)
                continue
            check_size(self.media, raw.width, raw.height)
            time = clock.time(raw)
            if late is not None:
                yield self._frame(late, time)
            late = (time, raw)
        if late is not None:
            yield self._frame(late, late[0] + clock.shown(late[1]))
        if sound is not None:
            yield from sound.finish()
        self._judge(sound)

    def _frame(self, late: tuple[float, Any], until: float) -> Frame:
        time, raw = late
        ticks = range(0)
        if self.step is not None:
            ticks = range(math.ceil(time / self.step - 1e-6), math.ceil(until / self.step - 1e-6))
        height, width = SMALL
        small = self._small.reformat(
            raw, width=width, height=height, format="rgb24", interpolation="AREA", threads=1
        )  # more threads wait for one another longer than so few pixels take
        self.seen, self.end = self.seen + 1, until
        return Frame(self.seen - 1, time, until, ticks, small.to_ndarray(), raw)

    def _decode(self, container: InputContainer, heard: bool) -> Iterator[Any]:
        """Decoded frames of both streams; what is damaged is passed over and counted."""
        import av

        picture, sound = streams(container)
        wanted: list[Any] = []
        if picture is not None and self.film.has_picture and self.pictures:
            picture.thread_type = "AUTO"
            picture.codec_context.thread_count = _THREADS
            wanted.append(picture)
        if sound is not None and heard:
            wanted.append(sound)
        packets = iter(container.demux(wanted)) if wanted else iter(())
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                self._broke = error.strerror
                break
            if packet is None:
                return
            yield from self._frames(packet)
        for stream in wanted:
            try:
                yield from stream.codec_context.decode(None)
            except av.FFmpegError:
                self._damaged += 1

    def _frames(self, packet: Any) -> list[Any]:
        import av

        try:
            frames: list[Any] = packet.decode()
        except av.FFmpegError:
            self._damaged += 1
            return []
        return frames

    def _judge(self, sound: SoundStream | None) -> None:
        film = self.film
        if not self.seen and sound is not None:
            self.end = sound.end
        whole = film.frames is not None and self.seen >= TOLERANCE * film.frames
        read = max(self.end, 0.0 if sound is None else sound.end)
        # Some files count their length from the first stamp of any stream, others from second 0 of their clock.
        length = read + max(film.origin, 0.0 if sound is None else -sound.start, 0.0)
        if sound is not None and film.sound_start is not None:
            length += abs(sound.start - film.sound_start)
        if self._broke or (length < TOLERANCE * film.duration and not whole and (self.pictures or sound is not None)):
            reason = f" ({self._broke})" if self._broke else ""
            self._note("truncated", f"ends after {read:.1f} of {film.duration:.1f} s{reason}; what can be read is used")
        damaged = self._damaged + (0 if sound is None else sound.damaged > 0)
        if damaged:
            self._note("damaged", f"{damaged} pieces cannot be decoded and are passed over", damaged)
        if self.pictures and not film.has_picture:
            self._note("no picture", "no moving pictures in the file; only its sound is used")
        if self.rate is not None and sound is None:
            self._note("no sound", "no sound in the file; only its pictures are used")
        if sound is not None and self.seen and abs(sound.end - self.end) > 1.0:
            kind = "sound longer" if sound.end > self.end else "sound shorter"
            self._note(kind, f"the sound ends at {sound.end:.1f} s, the picture at {self.end:.1f} s")

    def _note(self, kind: str, message: str, count: int = 1) -> None:
        where = self.media.path or self.media.column
        self.problems.append(Problem(kind, where, f"{self.media.where}: {message}", (self.media.row,), count))


class _Clock:
    """Times of frames from the first one shown, always growing, whatever the time stamps say."""

    def __init__(self, film: Film) -> None:
        self._shift = -film.origin
        self._step = 1.0 / (film.rate or RATE)
        self._leap = film.duration + LEAP
        self._last: float | None = None

    def shifted(self, stamp: float) -> float:
        """Time of a stamp in seconds."""
        return float(stamp) + self._shift

    def time(self, raw: Any) -> float:
        """Time of the next frame; a stamp that is absent, falls back or leaps far is replaced by the usual step."""
        last = self._last
        if last is None:
            self._last = 0.0 if raw.time is None else self.shifted(raw.time)
            return self._last
        usual = last + self._step
        time = usual if raw.time is None else self.shifted(raw.time)
        if time < last - 1.0 or time > last + self._leap:
            self._shift += usual - time
        if not last < time <= last + self._leap:
            time = usual
        self._last = time
        return time

    def shown(self, raw: Any) -> float:
        """Seconds for which the last frame is shown."""
        seconds = float(raw.duration * raw.time_base) if raw.duration and raw.time_base else self._step
        return seconds if 0.0 < seconds < self._leap else self._step


def _rgb(raw: Any, width: int, height: int, quarter: int) -> np.ndarray:
    shrunk = raw.reformat(width=width, height=height, format="rgb24", interpolation="AREA", threads=1)
    image: np.ndarray = shrunk.to_ndarray()
    return np.ascontiguousarray(np.rot90(image, quarter)) if quarter else image
