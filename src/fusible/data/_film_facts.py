"""What a film is before it is read: its length, picture and sound, and where they start."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fusible.data.content import open_media
from fusible.data.image import PIXELS
from fusible.errors import DataError
from fusible.types import Media

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

RATE = 25.0
"""Frames per second of a film that does not say its own."""


@dataclass(frozen=True, slots=True)
class Film:
    """Facts of a file with moving pictures, sound, or both, of its header and its first frames.

    `duration` is the longest stream's length in seconds as the header says (0.0 where it does not), `rate` the average
    frames per second, `frames` their announced number (None where unknown), `size` the upright (width, height), (0, 0)
    without pictures. `rotation` is by how many degrees decoded frames are turned counterclockwise to stand upright.
    `origin` is the time stamp, in seconds, of the first frame shown, from which all times count (of the first sound
    where there is no picture). `sound_rate` is in Hz, 0 without sound; `sound_start` is when the sound begins: positive
    where it is late, negative where it begins before the first frame, None without sound.
    """

    duration: float
    rate: float
    frames: int | None
    size: tuple[int, int]
    rotation: int
    origin: float
    sound_rate: int
    sound_start: float | None

    @property
    def has_picture(self) -> bool:
        """Whether a frame can be decoded."""
        return self.size != (0, 0)

    @property
    def has_sound(self) -> bool:
        """Whether sound can be decoded."""
        return self.sound_start is not None


def probe(media: Media) -> Film:
    """Read the header, and decode the first frame and the first piece of sound.

    Raises `DataError` for what is no film: not readable, neither picture nor sound, or frames of more than `PIXELS`
    pixels. A cover picture of a sound file is no film.
    """
    import av

    with open_media(media) as stream:
        try:
            with av.open(stream, mode="r") as container:
                return _facts(media, container)
        except av.FFmpegError as error:
            raise DataError(f"{media.where}: not a readable film: {error.strerror}; replace the file") from None


def streams(container: InputContainer) -> tuple[VideoStream | None, AudioStream | None]:
    """Give the first stream of pictures that is no cover, and the first of sound that has a decoder."""
    from av.stream import Disposition

    pictures = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    sounds = [s for s in container.streams.audio if s.codec_context is not None and s.rate]
    return (pictures[0] if pictures else None), (sounds[0] if sounds else None)


def check_size(media: Media, width: int, height: int) -> None:
    """Raise `DataError` where frames of this size would take too much memory."""
    if width * height > PIXELS:
        limit = PIXELS // 1_000_000
        raise DataError(f"{media.where}: film of {width}x{height} pixels, at most {limit} million allowed; shrink it")


def _facts(media: Media, container: InputContainer) -> Film:
    picture, sound = streams(container)
    if picture is None and sound is None:
        raise DataError(f"{media.where}: neither moving pictures nor sound in the file; leave the cell empty")
    if picture is not None:
        check_size(media, picture.width, picture.height)
    frame, piece = _first(container, picture, sound)
    if frame is None and piece is None:
        raise DataError(f"{media.where}: neither a frame nor sound can be decoded; replace the file")
    start = _stamp(piece)
    origin = start if frame is None else _stamp(frame)
    return Film(
        duration=max(0.0, (container.duration or 0) / 1e6),
        rate=0.0 if frame is None or picture is None else float(picture.average_rate or picture.guessed_rate or RATE),
        frames=(picture.frames or None) if picture is not None and frame is not None else None,
        size=(0, 0) if frame is None else _upright(frame),
        rotation=0 if frame is None else turns(frame) * 90,
        origin=origin,
        sound_rate=0 if piece is None else int(piece.sample_rate),
        sound_start=None if piece is None else start - origin,
    )


def _first(container: InputContainer, picture: VideoStream | None, sound: AudioStream | None) -> tuple[Any, Any]:
    """First decoded frame and piece of sound; None where there is none. Damaged packets are passed over."""
    import av

    found: dict[int, Any] = {}
    wanted = {stream.index for stream in (picture, sound) if stream is not None}
    try:
        for packet in container.demux([stream for stream in (picture, sound) if stream is not None]):
            index = packet.stream_index
            if index not in found:
                with contextlib.suppress(av.FFmpegError):
                    found.update((index, frame) for frame in packet.decode()[:1])
            if wanted <= set(found):
                break
    except av.FFmpegError:
        pass
    return tuple(None if stream is None else found.get(stream.index) for stream in (picture, sound))  # type: ignore[return-value]


def _stamp(frame: Any) -> float:
    return 0.0 if frame is None or frame.time is None else float(frame.time)


def turns(frame: Any) -> int:
    """Quarter turns, counterclockwise, that make a decoded frame stand upright."""
    return round(frame.rotation / 90) % 4


def _upright(frame: Any) -> tuple[int, int]:
    return (frame.height, frame.width) if turns(frame) % 2 else (frame.width, frame.height)
