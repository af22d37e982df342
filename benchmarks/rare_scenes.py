"""Rare scenes in summaries: the share of a film's scenes that a summary of 15 % shows, chosen by worth or diversely.

A film has three common scenes, each in ten shots of 3 to 6 s in mixed order, and nine rare ones, each one shot of 2 to
4 s. A scene is a clip: one of scikit-video's or GRID's, or a photo of Flickr8k under a moving camera (most, as there
are few different clips); each grid step shows one of its pictures, encoded by the packaged encoder. Shots are the
segments, so that only the choice is compared: the exact knapsack, the diverse choice, and evenly spaced shots. "Worth"
is the importance that is kept, as a share of what the knapsack keeps, which is the most there is.

The diverse choice's strength is chosen on films of training photos and judged on films of test photos and clips.
"""

from __future__ import annotations

import csv
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _harness import Benchmark, arguments, data_folder
from _long_films import parts, read_clip
from PIL import Image
from scipy.stats import bootstrap

from fusible.encoders._resolve import resolve
from fusible.tasks.encode import encode_batch
from fusible.tasks.video.diverse import choose_diverse
from fusible.tasks.video.fused import fused
from fusible.tasks.video.importance import importance
from fusible.tasks.video.summary import segment_means, summarize, uniform_summary
from fusible.types import Media, Modality

RATIO, STEP = 0.15, 0.5
COMMON, TIMES, RARE = 3, 10, 9
VIEWS = 8
"""Pictures of a scene."""
PHOTOS, FILMS = 30, 30
STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)


@dataclass(frozen=True, slots=True)
class Film:
    """Encodings (steps, width) of a film, its shots (shots, 2) in seconds, and the scene of each shot."""

    encodings: np.ndarray
    shots: np.ndarray
    scenes: np.ndarray


def main() -> None:
    """Choose the strength on films of training photos, and compare the choices on others."""
    if importlib.util.find_spec("skvideo") is None:
        print("skipped: 'skvideo' is not installed; pip install 'fusible[bench]'")
        sys.exit(0)
    benchmark = Benchmark("rare_scenes", arguments(__doc__))
    quick = benchmark.arguments.quick
    photos, grid = data_folder("flickr8k_1k"), data_folder("grid_s1")
    count, films = (15, 4) if quick else (PHOTOS, FILMS)
    known = encoded(_photos(photos, "train", count))
    new = encoded(_photos(photos, "test", count) + _clips(grid))
    rows = {}
    for seed in benchmark.arguments.seeds:
        tried = [film(known, [seed, 0, number]) for number in range(films)]
        judged = {strength: np.array([covered(one, strength)[0] for one in tried]).mean() for strength in STRENGTHS}
        for strength, share in judged.items():
            benchmark.row(films="training", choice=f"diverse, strength {strength:g}", seed=seed, covered=share)
        best = max(judged, key=judged.__getitem__)
        tests = [film(new, [seed, 1, number]) for number in range(films)]
        for name, how in (("knapsack", None), (f"diverse, strength {best:g}", best), ("evenly spaced", 0.0)):
            found = np.array([covered(one, how) for one in tests])
            rows[name.split(",")[0]] = found
            benchmark.row(films="test", choice=name, seed=seed, covered=found[:, 0].mean(), worth=found[:, 1].mean())
    gain = rows["diverse"][:, 0] - rows["knapsack"][:, 0]
    low = bootstrap((gain,), np.mean, method="percentile", rng=0).confidence_interval.low
    benchmark.claim("share of scenes shown, diverse less knapsack, lower end of its interval", low, at_least=0.0)
    benchmark.claim("importance kept by the diverse choice, of the most", rows["diverse"][:, 1].mean(), at_least=0.8)
    benchmark.finish()


def covered(film: Film, strength: float | None) -> tuple[float, float]:
    """Share of scenes shown, and of importance kept: by the knapsack (None), evenly (0), or diversely."""
    times = np.arange(len(film.encodings)) * STEP
    important = importance(film.encodings)
    most = summarize(important, times, film.shots, ratio=RATIO)
    if strength is None:
        chosen = most.chosen
    elif strength == 0:
        chosen = uniform_summary(film.shots, ratio=RATIO).chosen
    else:
        ticks = np.round((film.shots[:, 1] - film.shots[:, 0]) / STEP).astype(np.int64)
        room = int(ticks.sum() * RATIO)
        means = segment_means(film.encodings, times, film.shots)
        chosen = choose_diverse(most.worth, means, ticks, room, strength=strength)
    shown = len(np.unique(film.scenes[chosen])) / len(np.unique(film.scenes))
    return shown, float(most.worth[chosen].sum() / most.worth[most.chosen].sum())


def film(scenes: np.ndarray, seed: list[int]) -> Film:
    """Make a film of scenes (scenes, VIEWS, width)."""
    rng = np.random.default_rng(seed)
    picked = rng.permutation(len(scenes))[: COMMON + RARE]
    order = rng.permutation(np.concatenate([np.repeat(picked[:COMMON], TIMES), picked[COMMON:]]))
    common = np.isin(order, picked[:COMMON])
    lengths = np.where(common, rng.integers(6, 13, len(order)), rng.integers(4, 9, len(order)))
    steps = [
        scenes[scene, (rng.integers(VIEWS) + np.arange(n)) % VIEWS] for scene, n in zip(order, lengths, strict=True)
    ]
    edges = np.concatenate([[0], np.cumsum(lengths)]) * STEP
    return Film(fused({"sight": np.concatenate(steps)}), np.stack([edges[:-1], edges[1:]], axis=1), order)


def encoded(scenes: list[np.ndarray]) -> np.ndarray:
    """Encodings (scenes, VIEWS, width) of pictures (VIEWS, height, width, 3)."""
    encoder = resolve("image_efficientnet", Modality.IMAGE)
    found = []
    for pictures in scenes:
        items = [Media("picture", i, pixels=picture) for i, picture in enumerate(pictures)]
        found.append(np.stack(encode_batch(encoder, encoder.collate(items), "cpu", 0)))
    return np.stack(found)


def _photos(folder: Path, split: str, count: int) -> list[np.ndarray]:
    """Photos of a split, each seen through a window of three quarters that moves from one corner to another."""
    with (folder / "captions.csv").open(encoding="utf-8") as file:
        names = sorted({row["image"] for row in csv.DictReader(file) if row["split"] == split})
    scenes = []
    for number, name in enumerate(names[:count]):
        with Image.open(folder / name) as image:
            whole = np.asarray(image.convert("RGB"))
        high, wide = (3 * side // 4 for side in whole.shape[:2])
        ends = np.random.default_rng(number).uniform(0, 1, (2, 2)) * [whole.shape[0] - high, whole.shape[1] - wide]
        corners = np.linspace(*ends, VIEWS).astype(int)
        scenes.append(np.stack([whole[top : top + high, left : left + wide] for top, left in corners]))
    return scenes


def _clips(grid: Path) -> list[np.ndarray]:
    """Evenly spaced pictures of scikit-video's shots, and of one clip of GRID, as its talker is one scene."""
    clips, films = parts(grid)
    scenes = []
    for path, first, last in [clips[0], *films]:
        frames = read_clip(path)[0][first:last]
        scenes.append(frames[np.linspace(0, len(frames) - 1, VIEWS).astype(int)])
    return scenes


if __name__ == "__main__":
    main()
