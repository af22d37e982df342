"""A small table of things with a text, a picture, a sound and numbers that tell the same, and a retriever of them."""

import io

import numpy as np
import pandas as pd
import torch

import fusible
from fusible.alignment._projections import Affine
from fusible.data.cache import ArrayCache
from fusible.tasks._retrieval_calibration import Calibration
from fusible.tasks._retrieval_head import Head, Part
from fusible.tasks.label_free import fit_encoder
from fusible.tasks.retriever import Retriever
from fusible.tasks.source import Source
from fusible.tasks.vectors import pooled

KINDS = ("red", "green", "blue")
ROWS = 60
CACHE = "cache"
ENCODERS = {"note": "text_tfidf", "photo": "image_efficientnet", "sound": "audio_stats", "table": "table_standard"}


def wave(kind, rng):
    """Bytes of a short tone: low for red, high for blue."""
    import soundfile

    time = np.arange(4_000) / 8_000
    stream = io.BytesIO()
    pitch = (300, 900, 2500)[kind] * rng.uniform(0.8, 1.25)
    tone = 0.3 * np.sin(2 * np.pi * pitch * time) + 0.01 * rng.normal(size=4_000)
    soundfile.write(stream, tone, 8_000, format="WAV")
    return stream.getvalue()


def picture(kind, rng, size=32):
    """Pixels of one colour with some noise."""
    pixels = rng.integers(0, 60, (size, size, 3))
    pixels[..., kind] += 150
    return pixels


def write_goods(folder, png, rows=ROWS, seed=0):
    """Write goods.csv with its media; row 3 is an unreadable picture, row 5 has no sound, rows 1 and 7 one picture."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    kinds = np.arange(rows) % 3
    words = np.array([["warm", "fire"], ["calm", "leaf"], ["cold", "sea"]])
    notes, photos, sounds = [], [], []
    for row, kind in enumerate(kinds):
        notes.append(
            f"{KINDS[kind]} {rng.choice(words[kind])} {rng.choice(['box', 'cup', 'hat'])} {rng.choice(words[kind])}"
        )
        photos.append(f"{row}.png")
        sounds.append(f"{row}.wav")
        (folder / photos[-1]).write_bytes(png(picture(kind, rng)))
        (folder / sounds[-1]).write_bytes(wave(kind, rng))
    (folder / "7.png").write_bytes((folder / "1.png").read_bytes())
    (folder / "3.png").write_bytes((folder / "3.png").read_bytes()[:50])
    frame = pd.DataFrame(
        {"name": [f"item-{row}" for row in range(rows)], "note": notes, "photo": photos, "sound": sounds}
    )
    frame["price"] = 10.0 * kinds + rng.normal(size=rows)
    frame["size"] = 10.0 * (kinds == 1) + rng.normal(size=rows)
    frame["shop"] = np.array(["here", "there"])[np.arange(rows) % 2]
    frame.loc[5, "sound"] = None
    frame.to_csv(folder / "goods.csv", index=False)
    return folder / "goods.csv"


def goods(tmp_path_factory, png):
    """The table and the folder of a retriever of its views, made once per test session."""
    place = tmp_path_factory.getbasetemp() / "goods"
    if not (place / "model").is_dir():
        table = write_goods(place, png)
        columns = {"name": "category:ignore", "note": "text", "shop": "category"}
        retriever_of(fusible.read(table, columns=columns), place / CACHE).save(place / "model")
    return place / "goods.csv", place / "model"


def retriever_of(dataset, cache):
    """A retriever whose space has one direction per kind, by ridge regression; not calibrated."""
    source, rows = Source(dataset, cache=ArrayCache(cache)), np.arange(dataset.rows)
    views = tuple(dataset.views[name] for name in ENCODERS)
    encoders = {view.name: fit_encoder(source, view, ENCODERS[view.name], rows, 0) for view in views}
    heads = {view.name: head(pooled(source.feed(view, encoders[view.name], encoded=True), rows)) for view in views}
    used = {name for view in views for name in view.columns}
    kept = tuple(column for column in dataset.columns.values() if column.name in used)
    return Retriever("planted", kept, views, encoders, heads, Calibration(width=len(KINDS)))


def head(vectors):
    """What tells the kinds of rows by vectors (rows, columns), NaN where absent."""
    there = np.isfinite(vectors).all(axis=1)
    kinds = np.eye(len(KINDS))[np.arange(len(vectors)) % len(KINDS)][there] - 1 / len(KINDS)
    mean = vectors[there].mean(axis=0, dtype=np.float64)
    centred = vectors[there] - mean
    weight = centred.T @ np.linalg.solve(centred @ centred.T + 3.0 * (centred**2).mean() * np.eye(len(centred)), kinds)
    affine = Affine(vectors.shape[1], len(KINDS))
    affine.mean.copy_(torch.from_numpy(mean))
    affine.weight.copy_(torch.from_numpy(weight))
    return Head([Part(affine, len(KINDS))]).eval().requires_grad_(False)
