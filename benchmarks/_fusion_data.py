"""The tables of `fusion_table`: what is predicted from what, and what is claimed."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _harness import data_folder, few

Loaded = tuple[Any, dict[str, Any]]
SNR_DB = -5.0
RATE = 16_000
SAID = ("transcript", "command", "colour", "preposition", "digit", "adverb")
ATTRIBUTES = ("master", "sub", "article", "colour", "usage")
QUICK = {"text": "text_tfidf", "image": "image_efficientnet", "audio": "audio_stats", "table": "table_trees"}


TRANSFORMER, GRAPH = "end_to_end:multimodal_transformer", "end_to_end:multimodal_graph"
NETWORKS = (f"{TRANSFORMER}+pretrained", GRAPH)
CLASSIC = ("end_to_end:cnn_lstm",)


@dataclass(frozen=True, slots=True)
class Data:
    """One table: its target, how it is loaded, what is run beside the default strategies, and what auto is to reach.

    The transformer starts from encoders as they were fitted alone, which costs a third; not so on GRID, whose encoders
    alone know little.
    """

    name: str
    target: str
    load: Callable[[int, bool], Loaded]
    gains: bool = False
    at_least: float | None = None
    metric: str | None = None
    networks: tuple[str, ...] = NETWORKS


def _table(path: Path, target: str, quick: bool, **options: Any) -> Loaded:
    """A table on disk with its options; cut to a few rows, encoders and strategies in a quick run."""
    import fusible

    if not quick:
        return str(path), options
    data = few(fusible.read(str(path), target=target, **options), 16)
    encoders = {name: QUICK[view.modality] for name, view in data.views.items()}
    return data, {**options, "encoders": encoders, "strategies": ["model:average"]}


def _digits(seed: int, quick: bool) -> Loaded:
    from noisy_digits import build

    for name in ("mnist", "fsdd"):
        data_folder(name)
    if not quick:
        return build(seed), {}
    encoders = {"image": "image_efficientnet", "audio": "audio_stats"}
    return build(seed, 150, 60), {"encoders": encoders, "strategies": ["model:average"]}


def _easy_vqa(seed: int, quick: bool) -> Loaded:
    from fusible.tasks.demo import easy_vqa_table

    del seed
    if not quick:
        return easy_vqa_table(), {}
    encoders = {"image": "image_efficientnet", "question": "text_tfidf"}
    return easy_vqa_table(12), {"encoders": encoders, "strategies": ["model:average"]}


def _grid(seed: int, quick: bool) -> Loaded:
    """Silent clips and their sound under white noise at `SNR_DB`, drawn by seed: which letter is said."""
    import pandas as pd

    folder = data_folder("grid_s1")
    clips = pd.read_csv(folder / "clips.csv").drop(columns=["clip", *SAID])
    if quick:
        clips = clips.groupby("split").head(12)
    rng = np.random.default_rng(seed)
    paths = [folder / name for name in clips["video"]]
    clips["sound"] = [_noisy(path, rng) for path in paths]
    clips["video"] = [_silent(path) for path in paths]
    clips = clips.reset_index(drop=True)
    if not quick:
        return clips, {}
    return clips, {"encoders": {"video": "video_motion", "sound": "audio_stats"}, "strategies": ["model:average"]}


def _noisy(path: Path, rng: np.random.Generator) -> bytes:
    """The clip's sound as a WAV of 32-bit floats, with white noise of its own mean power and 5 dB more."""
    from scipy.io import wavfile

    from fusible.data.audio import decode_audio
    from fusible.types import Media

    wave = decode_audio(Media("video", 0, path=str(path)), RATE)
    deviation = np.sqrt(np.mean(wave**2) / 10 ** (SNR_DB / 10))
    buffer = io.BytesIO()
    wavfile.write(buffer, RATE, (wave + rng.normal(0.0, deviation, len(wave))).astype(np.float32))
    return buffer.getvalue()


def _silent(path: Path) -> bytes:
    """The clip without its sound track, frames untouched."""
    import av

    buffer = io.BytesIO()
    with av.open(str(path)) as source, av.open(buffer, "w", format="mp4") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return buffer.getvalue()


def _houses(seed: int, quick: bool) -> Loaded:
    del seed
    return _table(data_folder("houses") / "houses.csv", "price", quick)


def _fashion(target: str) -> Callable[[int, bool], Loaded]:
    def load(seed: int, quick: bool) -> Loaded:
        del seed
        columns = {name: "category:ignore" for name in ATTRIBUTES if name != target}
        return _table(data_folder("fashion") / "fashion.parquet", target, quick, columns=columns)

    return load


def _reviews(seed: int, quick: bool) -> Loaded:
    del seed
    path = data_folder("womens_clothing") / "reviews.parquet"
    views = {"text": ["title", "review_text"]}
    return _table(path, "recommended_ind", quick, columns={"clothing_id": ":ignore"}, views=views)


DATASETS = {
    data.name: data
    for data in (
        Data("noisy_digits", "digit", _digits, gains=True, at_least=0.960),
        Data("easy_vqa", "answer", _easy_vqa, gains=True, at_least=0.999, networks=NETWORKS + CLASSIC),
        Data("grid", "letter", _grid, gains=True, networks=(TRANSFORMER, GRAPH)),
        Data("houses", "price", _houses),
        Data("fashion_usage", "usage", _fashion("usage"), gains=True, networks=NETWORKS + CLASSIC),
        Data("fashion_colour", "colour", _fashion("colour"), networks=NETWORKS + CLASSIC),
        Data("reviews", "recommended_ind", _reviews, gains=True, metric="f1"),
    )
}
