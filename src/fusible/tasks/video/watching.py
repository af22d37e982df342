"""A film read once: pictures encoded on a grid, shots, and what is heard, while frames and sound go by."""

from __future__ import annotations

import io
import tempfile
import weakref
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from PIL import Image

from fusible.data.film import Film, FilmReader, Frame, SoundBlock
from fusible.encoders._base import Encoder
from fusible.evaluation.cuts import Transition
from fusible.tasks.encode import encode_batch
from fusible.tasks.source import Progress, stage
from fusible.tasks.video.shots import Shot, ShotDetector, part
from fusible.training.batches import prefetch
from fusible.types import Media, Problem

STEP = 0.5
"""Seconds between pictures that are encoded."""
RATE = 16_000
BATCH = 32
"""Pictures that are encoded together."""
CHUNK = 64
"""Frames and blocks of sound that the reading thread hands over at a time."""
SIDE = 224
"""Short side of the pictures that encoders get."""
SILENCE = 10 * RATE
"""Samples of silence that are given at a time."""
TALL = SIDE
"""Height of pictures that are shown: that of most pictures that encoders get, so that few are shrunk again."""


class Listener(Protocol):
    """What hears the sound as it goes by."""

    def push(self, block: np.ndarray) -> None:
        """Take the next samples."""

    def finish(self) -> Any:
        """The sound is over: what was heard."""


class Taker(Protocol):
    """What takes every frame and block of sound as it is read, whole: in the reading thread, so that none is kept."""

    def take(self, part: Frame | SoundBlock) -> None:
        """A frame, or a piece of sound at `RATE`, each in order of time."""


class Pictures:
    """JPEGs of the grid's pictures, at most `tall`, in a file without a name: memory does not grow with the film."""

    def __init__(self, tall: int = TALL) -> None:
        self._tall = tall
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as this object)
        weakref.finalize(self, self._file.close)
        self._places: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._places)

    def add(self, picture: np.ndarray, steps: int = 1) -> None:
        """Keep a picture, uint8 RGB, of so many steps, once; shrunk where it is taller than all may be."""
        image = Image.fromarray(picture)
        image.thumbnail((4 * self._tall, self._tall))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=80)
        self._places += [(self._file.seek(0, io.SEEK_END), len(buffer.getvalue()))] * steps
        self._file.write(buffer.getvalue())

    def jpeg(self, step: int) -> bytes:
        """The bytes of one."""
        start, length = self._places[step]
        self._file.seek(start)
        return self._file.read(length)

    def pixels(self, step: int) -> np.ndarray:
        """One, decoded: uint8 RGB (height, width, 3)."""
        return np.asarray(Image.open(io.BytesIO(self.jpeg(step))).convert("RGB"))


@dataclass(slots=True)
class Watched:
    """What one pass over a film gave.

    `seconds` is the length of the picture, or of the sound where there is none. `times` (steps,) are seconds of the
    grid; `sights` (steps, width) float32 encodings of its pictures, and `pictures` their JPEGs, none without picture.
    `heard` is what each listener gave at the end. `problems`: what could not be read.
    """

    film: Film
    seconds: float
    times: np.ndarray
    sights: np.ndarray
    pictures: Pictures
    shots: list[Shot]
    heard: tuple[Any, ...] = ()
    problems: list[Problem] = field(default_factory=list)


def watch(
    media: Media,
    encoder: Encoder | None,
    *,
    step: float = STEP,
    tall: int = TALL,
    listeners: tuple[Listener, ...] = (),
    takers: tuple[Taker, ...] = (),
    device: str = "cpu",
    progress: Progress | None = None,
) -> Watched:
    """Read a film once, in a thread of its own, and encode its pictures every `step` seconds meanwhile.

    Without an `encoder` pictures are not encoded; they are kept at most `tall` pixels high. `listeners` hear the sound,
    mono float32 at `RATE` Hz from time 0 on; `takers` get every frame and block of sound as it was read. Memory grows
    by the encodings, and by what takers keep, alone. Raises `DataError` where nothing can be read.
    """
    reader = FilmReader(media, rate=RATE if listeners or takers else None, step=step)
    eye = _Eye(encoder, device, tall)
    with stage(progress, "watch", max(1, round(reader.film.duration))) as bar:
        shown = heard = 0
        for chunk in prefetch(lambda chunk: chunk, _chunks(reader, takers), depth=4):
            for one in chunk:
                if isinstance(one, SoundBlock):
                    for samples in _on_clock(one, heard):
                        heard += len(samples)
                        for listener in listeners:
                            listener.push(samples)
                else:
                    eye.take(one)
            now = min(round(reader.end), round(reader.film.duration))
            bar.advance(max(0, now - shown))
            shown = max(now, shown)
    sounds = tuple(listener.finish() for listener in listeners)
    times = np.arange(len(eye.pictures)) * step
    shots = eye.shots(reader.end)
    return Watched(reader.film, reader.end, times, eye.sights(), eye.pictures, shots, sounds, list(reader.problems))


def _on_clock(block: SoundBlock, heard: int) -> Iterator[np.ndarray]:
    """The samples of a block as they stand on the picture's clock, of which `heard` samples were given already.

    Silence stands where the sound begins late; what sounds before the first frame is left out.
    """
    place = round(block.time * RATE)
    for start in range(heard, place, SILENCE):
        yield np.zeros(min(SILENCE, place - start), np.float32)
    if len(block.samples) > heard - place:
        yield block.samples[max(0, heard - place) :]


def _chunks(reader: FilmReader, takers: Sequence[Taker]) -> Iterator[list[SoundBlock | _Seen]]:
    """What the reading thread hands over: sound, and of frames what is needed, as few hand-overs are cheaper."""
    chunk: list[SoundBlock | _Seen] = []
    for one in reader:
        for taker in takers:
            taker.take(one)
        chunk.append(_seen(one) if isinstance(one, Frame) else one)
        if len(chunk) >= CHUNK:
            yield chunk
            chunk = []
    yield chunk


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is needed of a frame: its time, its small picture, and its picture for each point of the grid in it."""

    time: float
    small: np.ndarray
    ticks: int
    picture: np.ndarray | None


def _seen(frame: Frame) -> _Seen:
    count = len(frame.ticks)
    return _Seen(frame.time, frame.small, count, frame.picture(SIDE) if count else None)


class _Eye:
    """Encodes pictures of the grid in batches, keeps them as JPEGs, and looks for transitions."""

    def __init__(self, encoder: Encoder | None, device: str, tall: int) -> None:
        self.pictures = Pictures(tall)
        self._encoder, self._device = encoder, device
        self._detector = ShotDetector()
        self._transitions: list[Transition] = []
        self._clock = array("d")
        self._waiting: list[tuple[np.ndarray, int]] = []
        self._encoded: list[np.ndarray] = []

    def take(self, seen: _Seen) -> None:
        """Take the next frame."""
        self._clock.append(seen.time)
        self._transitions += self._detector.add(seen.small)
        if seen.picture is not None:
            self.pictures.add(seen.picture, seen.ticks)
            self._waiting.append((seen.picture, seen.ticks))
        if len(self._waiting) >= BATCH:
            self._encode()

    def shots(self, end: float) -> list[Shot]:
        """Shots of the film, which ends at `end` seconds."""
        return part(self._transitions + self._detector.finish(), self._clock, end)

    def sights(self) -> np.ndarray:
        """Encodings (steps, width) of all pictures."""
        self._encode()
        width = 0 if self._encoder is None else self._encoder.output_width
        encoded, self._encoded = self._encoded, []
        return np.concatenate(encoded) if encoded else np.zeros((0, width), np.float32)

    def _encode(self) -> None:
        if self._encoder is not None and self._waiting:
            items = [Media("frame", row, pixels=one) for row, (one, _) in enumerate(self._waiting)]
            arrays = encode_batch(self._encoder, self._encoder.collate(items), self._device, 0)
            steps = [ticks for _, ticks in self._waiting]
            self._encoded.append(np.repeat(np.stack(arrays).astype(np.float32), steps, axis=0))
        self._waiting.clear()
