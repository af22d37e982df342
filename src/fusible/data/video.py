"""Decoding of video frames, with PyAV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fusible.data.content import open_media
from fusible.data.image import PIXELS
from fusible.errors import DataError
from fusible.types import Media

if TYPE_CHECKING:
    from av.container import InputContainer

TOLERANCE = 0.9
"""A file that yields fewer than this share of its announced frames is truncated."""


def decode_video(media: Media, frames: int, size: int, *, stretch: bool = False) -> np.ndarray:
    """Decode to uint8 RGB (frames, height, width, 3): `frames` evenly spaced frames, the short side scaled to `size`.

    The video is cut in `frames` equal stretches and the middle frame of each is taken; one with fewer frames gives all
    of them and repeats the last, or with `stretch` each as often as falls to it. Frames are decoded one after the other
    and only those needed are kept. Turned phone videos come upright. Raises `DataError` for a file without a video
    stream, truncated, or not readable.
    """
    if frames < 1 or size < 1:
        raise DataError(f"{media.where}: frames and size must be at least 1, got {frames} and {size}")
    import av

    with open_media(media) as stream:
        try:
            with av.open(stream, mode="r") as container:
                count = _count(media, container)
            stream.seek(0)
            with av.open(stream, mode="r") as container:
                return _decode(media, container, positions(count, frames, stretch), count, size)
        except av.FFmpegError as error:
            raise DataError(f"{media.where}: not a readable video: {error.strerror}; replace the file") from None


def positions(count: int, frames: int, stretch: bool = False) -> np.ndarray:
    """Give indices of `frames` evenly spaced frames among `count`: the middles of equal stretches.

    >>> positions(10, 5).tolist(), positions(2, 4).tolist(), positions(2, 4, stretch=True).tolist()
    ([1, 3, 5, 7, 9], [0, 1, 1, 1], [0, 0, 1, 1])
    """
    if count < frames and not stretch:
        return np.minimum(np.arange(frames), count - 1)
    return ((np.arange(frames) + 0.5) * count / frames).astype(np.int64)


def _count(media: Media, container: InputContainer) -> int:
    """Count frames: as the header says, else by counting packets."""
    if not container.streams.video:
        raise DataError(f"{media.where}: no video stream in the file; leave the cell empty if there is none")
    stream = container.streams.video[0]
    if stream.width * stream.height > PIXELS:
        raise DataError(f"{media.where}: video of {stream.width}x{stream.height} pixels is too large; shrink it")
    count = stream.frames or sum(packet.size > 0 for packet in container.demux(stream))
    if not count:
        raise DataError(f"{media.where}: video without frames; replace the file")
    return count


def _decode(media: Media, container: InputContainer, wanted: np.ndarray, count: int, size: int) -> np.ndarray:
    stream = container.streams.video[0]
    stream.codec_context.thread_count = 1  # callers decode many files at a time, in threads
    need = set(wanted.tolist())
    last = max(need)
    kept: dict[int, np.ndarray] = {}
    seen = 0
    latest: Any = None
    for frame in container.decode(stream):
        latest = frame
        if seen in need:
            kept[seen] = _scale(frame, size)
        seen += 1
        if seen > last:
            break
    if latest is None or (seen <= last and seen < TOLERANCE * count):
        raise DataError(f"{media.where}: truncated video: {seen} of {count} frames can be decoded; replace the file")
    final = _scale(latest, size) if seen <= last else kept[last]
    return np.stack([kept.get(index, final) for index in wanted.tolist()])


def _scale(frame: Any, size: int) -> np.ndarray:
    """RGB of one frame, upright, its short side scaled to `size`."""
    scale = size / min(frame.width, frame.height)
    width, height = max(size, round(frame.width * scale)), max(size, round(frame.height * scale))
    image: np.ndarray = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA").to_ndarray()
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image
