"""The films of `events`: GRID's clips of one talker, one after the other in random order, with the words he says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd
from _harness import data_folder

CLIPS, SECONDS = 20, 3.0
"""Clips of a film, and seconds of a clip."""
FPS, RATE, HIGH, WIDE = 25, 16_000, 144, 180
SNR_DB = -5.0
CONDITIONS = ("clean", "noisy")


@dataclass(frozen=True, slots=True)
class Clip:
    """Frames (75, 144, 180, 3) uint8, samples (48 000,) float32, and words (start, end, word) of a clip."""

    frames: np.ndarray
    wave: np.ndarray
    words: list[tuple[float, float, str]]


def write_films(folder: Path, condition: str, seed: int, *, copies: int = 1, quick: bool = False) -> pd.DataFrame:
    """Write films as mp4 with sound; their words, one a row: file, start, end, label, split, and clip.

    The seed draws the order of clips and the noise, white and 5 dB above each clip's own mean power where the condition
    is `noisy`. Training clips stand in `copies` orders, each with noise of its own; clips of the three parts never meet
    in one film.
    """
    source = data_folder("grid_s1")
    clips = pd.read_csv(source / "clips.csv")
    words = dict(list(pd.read_csv(source / "words.csv").groupby("clip")))
    rng, rows = np.random.default_rng(seed), []
    for part in ("train", "valid", "test"):
        own = clips[clips["split"] == part]
        own = own.head(4) if quick else own
        for copy in range(copies if part == "train" else 1):
            order = own.iloc[rng.permutation(len(own))]
            size = 2 if quick and part == "train" else CLIPS
            for number in range(0, len(order), size):
                some = order.iloc[number : number + size]
                path = folder / f"{part}{copy}_{number // size:02d}.mp4"
                told = [
                    (clip, source / video, words[clip]) for clip, video in some[["clip", "video"]].to_numpy().tolist()
                ]
                rows += write_film(path, told, part, condition, rng)
    return pd.DataFrame(rows)


def write_film(
    path: Path, clips: Sequence[tuple[str, Path, pd.DataFrame]], part: str, condition: str, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Write one film of clips (name, file, words); the rows of its words."""
    rows: list[dict[str, Any]] = []
    with av.open(str(path), "w") as target:
        video: Any = target.add_stream(
            "libx264", rate=FPS, options={"crf": "16", "preset": "ultrafast", "threads": "1"}
        )
        video.width, video.height, video.pix_fmt = WIDE, HIGH, "yuv420p"
        sound: Any = target.add_stream("aac", rate=RATE, options={"b": "128000", "aac_coder": "fast"})
        waves = []
        for place, (name, file, words) in enumerate(clips):
            frames, wave = read_clip(file)
            waves.append(noisy(wave, rng) if condition == "noisy" else wave)
            for frame in frames:
                target.mux(video.encode(av.VideoFrame.from_ndarray(frame, format="yuv420p")))
            rows += [
                {"file": str(path), "start": place * SECONDS + word.start_s, "end": place * SECONDS + word.end_s,
                 "label": str(word.word), "split": part, "clip": name}
                for word in words.itertuples()
            ]  # fmt: skip
        target.mux(video.encode())
        for packet in encoded(sound, np.concatenate(waves)):
            target.mux(packet)
    return rows


def encoded(stream: Any, wave: np.ndarray) -> Iterator[Any]:
    """Packets of a sound."""
    for first in range(0, len(wave), 1_024):
        frame = av.AudioFrame.from_ndarray(wave[None, first : first + 1_024], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = RATE, first
        yield from stream.encode(frame)
    yield from stream.encode()


def noisy(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A sound with white noise of its own mean power and 5 dB more."""
    deviation = np.sqrt(np.mean(wave**2) / 10 ** (SNR_DB / 10))
    return (wave + rng.normal(0.0, deviation, len(wave))).astype(np.float32)


def read_clip(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Frames of a clip (75, 216, 180), YUV 4:2:0, and its sound (48 000,), of three seconds each."""
    from fusible.data.audio import decode_audio
    from fusible.types import Media

    with av.open(str(path)) as source:
        frames = [frame.to_ndarray(format="yuv420p") for frame in source.decode(video=0)]
    count = round(SECONDS * FPS)
    frames = [*frames, *[frames[-1]] * count][:count]
    wave = decode_audio(Media("video", 0, path=str(path)), RATE)
    length = round(SECONDS * RATE)
    return np.stack(frames), np.pad(wave, (0, max(0, length - len(wave))))[:length]
