"""Writing spans of a film, one after the other, as one playable mp4: H.264 and AAC, by PyAV."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from fusible.data._film_spans import Sound, Track, shown
from fusible.data.content import open_media
from fusible.errors import ConfigError, DataError
from fusible.types import Media

CLOCK = 90_000
"""Ticks of a second in which frames are timed."""
RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
"""Sample rates of AAC; sound of others is resampled to `RATE`."""
RATE = 48_000
SMALLEST = 16
"""Smallest side of a picture, in pixels, that is written as it is; players and encoders refuse smaller ones."""
LARGEST = 16_384
"""Largest side that H.264 has; a longer one of a picture is squeezed."""

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: spans of the source as far as it goes, where each begins in the new film, length in seconds."""

    spans: tuple[Span, ...]
    starts: tuple[float, ...]
    seconds: float
    frames: int
    width: int
    height: int
    sound: bool


def write_film(
    media: Media, spans: Sequence[Span], out: str | Path, *, height: int | None = None, quality: int = 21
) -> Written:
    """Write spans of a film (start, end), in seconds from its first frame, one after the other to the mp4 file `out`.

    Every frame keeps its own time and is shown as long as in the source, so that any frame rate, even a changing one,
    stays as it is; the frame that stands where a span begins is the first shown. Sound is cut to the sample; where the
    film has none, as before late sound, it is silent, and a film without sound stays without. Turned films are
    written upright. `height` shrinks taller pictures; `quality` is x264's constant rate factor, less being better.
    A span is cut off at the end of the picture, one that begins after it is left out. Memory does not grow with the
    length. The file is written beside its place and renamed: whole or not at all.

    Raises `DataError` for a file that is no film, without pictures, or without anything in the spans; `ConfigError`
    for spans that are reversed or not finite, none at all, a name other than .mp4, and the film's own file.
    """
    import av

    spans, out = [(float(start), float(end)) for start, end in spans], Path(out)
    _check(media, spans, out)
    if (height is not None and height < SMALLEST) or not 0 <= quality <= 51:
        raise ConfigError(
            f"{out}: height must be at least {SMALLEST} and quality in 0 to 51, got {height} and {quality}"
        )
    with closing(Track(media, "video")) as pictures, closing(Track(media, "audio")) as voices:
        if pictures.stream is None:
            raise DataError(f"{media.where}: no video stream in the file; a film to write needs pictures")
        first = next(pictures.decode(0.0), None)
        if first is None:
            raise DataError(f"{media.where}: no frame can be decoded; replace the file")
        pictures.zero = voices.zero = first[0]
        form = _Form.of(first[1], pictures.stream, height, quality)
        beside = out.with_name(f".{out.name}.{os.getpid()}")
        try:
            written = _write(media, pictures, voices, spans, beside, form)
            beside.replace(out)
        except av.FFmpegError as error:
            raise DataError(f"{out}: the film cannot be written: {error.strerror}") from None
        finally:
            beside.unlink(missing_ok=True)
    return written


@dataclass(frozen=True, slots=True)
class _Form:
    """Size of the pictures, and how the encoder is to be set up."""

    width: int
    height: int
    quality: int
    tags: dict[str, Any]

    @classmethod
    def of(cls, frame: Any, source: Any, height: int | None, quality: int) -> _Form:
        turned = _turns(frame) % 2
        wide, high = (frame.height, frame.width) if turned else (frame.width, frame.height)
        scale = min(1.0, height / high) if height else 1.0
        scale = max(scale, SMALLEST / min(wide, high))
        wide, high = (min(round(side * scale / 2) * 2, LARGEST) for side in (wide, high))
        tags = {name: getattr(frame, name) for name in ("colorspace", "color_primaries", "color_trc")}
        aspect = source.sample_aspect_ratio
        if aspect and aspect != 1:
            tags["sample_aspect_ratio"] = 1 / aspect if turned else aspect
        return cls(wide, high, quality, tags)


def _check(media: Media, spans: Sequence[Span], out: Path) -> None:
    if not spans:
        raise ConfigError(f"{media.where}: no spans to write; give at least one (start, end) in seconds")
    for start, end in spans:
        if not (np.isfinite([start, end]).all() and start < end):
            raise ConfigError(f"{media.where}: expected spans with start < end in seconds, got ({start:g}, {end:g})")
    if not out.parent.is_dir():
        raise ConfigError(f"{out}: the folder {out.parent} is not there; make it first")
    if out.suffix.lower() != ".mp4":
        raise ConfigError(f"{out}: a film is written as .mp4; name the file so")
    open_media(media).close()
    if media.path is not None and out.exists() and out.samefile(media.path):
        raise ConfigError(f"{out}: this is the film itself; write to another file")


def _write(media: Media, pictures: Track, voices: Track, spans: Sequence[Span], path: Path, form: _Form) -> Written:
    import av

    done: list[Span] = []
    starts: list[float] = []
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        screen = _Screen(container, form, pictures.stream)
        speaker = _Speaker(container, voices) if voices.stream is not None else None
        for start, end in spans:
            begun, last = screen.end, None
            if speaker is not None:
                speaker.begin(max(start, 0.0), begun)
            for time, until, frame in shown(pictures, max(start, 0.0), end):
                screen.show(frame, begun + time - max(start, 0.0), begun + until - max(start, 0.0), last is None)
                last = until
                if speaker is not None:
                    speaker.play(screen.end)
            if last is not None:
                done.append((max(start, 0.0), last))
                starts.append(begun)
        if not done:
            raise DataError(f"{media.where}: nothing of the film is in the spans; they begin after its end")
        screen.finish()
        if speaker is not None:
            speaker.finish()
    return Written(tuple(done), tuple(starts), screen.end, screen.frames, form.width, form.height, speaker is not None)


class _Screen:
    """The new film's pictures. `end` is when the last one shown ends."""

    def __init__(self, container: Any, form: _Form, source: Any) -> None:
        self._container, self._form = container, form
        self.end, self.frames, self._next = 0.0, 0, 0
        rate = Fraction(source.average_rate or 25).limit_denominator(1001)
        options = {"crf": str(form.quality), "preset": "veryfast"}
        self._stream = container.add_stream("libx264", rate=min(max(rate, Fraction(1)), Fraction(240)), options=options)
        context = self._stream.codec_context
        context.width, context.height, context.pix_fmt = form.width, form.height, "yuv420p"
        context.time_base = Fraction(1, CLOCK)
        context.max_b_frames = 0  # frames out of order have no lengths of their own in an mp4
        for name, value in form.tags.items():
            setattr(context, name, value)
        self._durations: dict[int, int] = {}

    def show(self, frame: Any, start: float, end: float, first: bool) -> None:
        """Show a frame of the source from `start` to `end`; the first of a span can be sought to."""
        begin = max(round(start * CLOCK), self._next)
        until = max(round(end * CLOCK), begin + 1)
        picture = _upright(frame, self._form.width, self._form.height)
        picture.pts, picture.time_base = begin, Fraction(1, CLOCK)
        picture.pict_type = 1 if first else 0
        self._durations[begin] = until - begin
        self._mux(self._stream.encode(picture))
        self.frames += 1
        self._next, self.end = until, end

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._mux(self._stream.encode(None))

    def _mux(self, packets: Sequence[Any]) -> None:
        for packet in packets:
            packet.duration = self._durations.pop(packet.pts, 0)
            self._container.mux(packet)


class _Speaker:
    """The new film's sound, kept level with its pictures."""

    def __init__(self, container: Any, track: Track) -> None:
        self._container, self._track = container, track
        source = track.stream
        self._rate = int(source.rate)
        self._layout = "mono" if source.channels == 1 else "stereo"
        self._stream = container.add_stream("aac", rate=self._rate if self._rate in RATES else RATE)
        self._stream.layout = self._layout
        self._played = 0
        self._sound: Sound | None = None

    def begin(self, start: float, at: float) -> None:
        """Take the sound from `start` of the source; it is heard from `at` of the new film on."""
        # The first sample falls on a whole one of the new film: the source is read from as much later.
        self._sound = Sound(self._track, start + self._played / self._rate - at, self._rate, self._layout)

    def play(self, until: float) -> None:
        """Write sound up to a time of the new film."""
        from av.audio.frame import AudioFrame

        while self._sound is not None and (count := min(round(until * self._rate) - self._played, self._rate)) > 0:
            block = np.ascontiguousarray(self._sound.read(count))
            frame = AudioFrame.from_ndarray(block, format="fltp", layout=self._layout)
            frame.sample_rate, frame.pts, frame.time_base = self._rate, self._played, Fraction(1, self._rate)
            self._played += count
            self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._container.mux(self._stream.encode(None))


def _turns(frame: Any) -> int:
    turns: int = round(frame.rotation / 90) % 4
    return turns


def _upright(frame: Any, width: int, height: int) -> Any:
    """Give a new frame, upright and of this size, with no memory of how the old one was compressed."""
    from av.video.frame import VideoFrame
    from av.video.reformatter import ColorRange

    turns = _turns(frame)
    if turns % 2:
        width, height = height, width
    frame = frame.reformat(width=width, height=height, format="yuv420p", dst_color_range=ColorRange.MPEG)
    if not turns:
        return frame
    flat = frame.to_ndarray().reshape(-1)
    sizes = [(height, width), (height // 2, width // 2), (height // 2, width // 2)]
    ends = np.cumsum([high * wide for high, wide in sizes])
    planes = [flat[end - high * wide : end].reshape(high, wide) for end, (high, wide) in zip(ends, sizes, strict=True)]
    turned = np.concatenate([np.rot90(plane, turns).reshape(-1) for plane in planes])
    return VideoFrame.from_ndarray(turned.reshape(-1, height if turns % 2 else width), format="yuv420p")
