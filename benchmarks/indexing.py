"""Indexing throughput: decoding, encoding and writing overlap, so that an index is written at the encoders' own pace.

The bare encoders get items that are decoded beforehand, in the same batches, and do nothing else. Both take turns with
one torch thread, and the fastest run of each counts, which other work on the machine disturbs least. Fusible hashes
every file, decodes, encodes, projects, fuses, makes previews, fills the feature cache and writes the index.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _harness import Benchmark, arguments, data_folder

import fusible
from fusible import registry
from fusible.alignment._projections import Affine
from fusible.data.dataset import Dataset
from fusible.tasks._retrieval_calibration import Calibration
from fusible.tasks._retrieval_head import Head, Part
from fusible.tasks.indexing import build_index
from fusible.tasks.retriever import Retriever
from fusible.tasks.source import BATCH

WIDTH = 128
ENCODERS = {"image": "image_efficientnet", "caption": "text_minilm"}


def main() -> None:
    """Take turns, and judge the ratio of the fastest runs; then index again, with nothing and with a little changed."""
    args = arguments(__doc__)
    benchmark = Benchmark("indexing", args)
    data = fusible.read(data_folder("flickr8k_1k") / "captions.csv")
    data = data.take(np.arange(0, data.rows, 16 if args.quick else 1))
    torch.set_num_threads(1)
    retriever = model(data)
    items = decoded(retriever, data)
    count = sum(map(len, items.values()))
    bare_seconds, index_seconds = [], []
    for turn in range(1 if args.quick else 3):
        bare_seconds.append(bare(retriever, items, args.device))
        with tempfile.TemporaryDirectory() as place:
            index_seconds.append(indexed(retriever, data, Path(place), args.device, benchmark if not turn else None))
    for name, seconds in (("bare encoders", bare_seconds), ("fusible index", index_seconds)):
        best = min(seconds)
        benchmark.row(run=name, items=count, rows=data.rows, seconds=best, items_per_second=count / best)
    share = min(bare_seconds) / min(index_seconds)
    benchmark.claim("indexing throughput over that of the bare encoders", share, at_least=0.9)
    benchmark.finish()


def model(data: Dataset) -> Retriever:
    """A retriever with random projections: what is learned changes no throughput."""
    rng = np.random.default_rng(0)
    views = tuple(data.views[name] for name in ENCODERS)
    encoders = {name: registry.build("encoders", part) for name, part in ENCODERS.items()}
    heads: dict[str, torch.nn.Module] = {}
    for name, encoder in encoders.items():
        affine = Affine(encoder.output_width, WIDTH)
        affine.weight.copy_(torch.from_numpy(rng.normal(size=(encoder.output_width, WIDTH))))
        heads[name] = Head([Part(affine, WIDTH)]).eval().requires_grad_(False)
    kept = tuple(column for column in data.columns.values() if column.name in ENCODERS)
    return Retriever("random", kept, views, encoders, heads, Calibration(width=WIDTH))


def decoded(retriever: Retriever, data: Dataset) -> dict[str, list[Any]]:
    """Distinct items of every view, decoded; texts by length within what is encoded together, as indexing does."""
    found = {}
    for view in retriever.views:
        values: Sequence[Any] = data.view_data(view).values
        if isinstance(values[0], str):
            values = sorted(values, key=len)
        found[view.name] = [retriever.encoders[view.name].decode(value) for value in values]
    return found


def bare(retriever: Retriever, items: dict[str, list[Any]], device: str) -> float:
    """Seconds of the encoders alone."""
    began = time.perf_counter()
    with torch.inference_mode():
        for name, decoded_items in items.items():
            encoder: Any = retriever.encoders[name].to(device).eval()
            for start in range(0, len(decoded_items), BATCH):
                tensors = encoder.batch(decoded_items[start : start + BATCH])
                encoder({key: tensor.to(device) for key, tensor in tensors.items()}).pooled.float().cpu().numpy()
    return time.perf_counter() - began


def indexed(retriever: Retriever, data: Dataset, place: Path, device: str, benchmark: Benchmark | None) -> float:
    """Seconds of a first build into an empty cache; where a benchmark is given also those of later runs."""
    first = build_index(data, retriever, place / "index", device=device, cache=place / "cache")
    if benchmark is not None:
        again = build_index(data, retriever, place / "index", device=device, cache=place / "cache")
        other = build_index(data, retriever, place / "other", device=device, cache=place / "cache")
        for name, found in (("first build", first), ("same table again", again), ("build from the cache", other)):
            benchmark.row(
                run=name, rows=found.rows, seconds=found.seconds, encoded=found.items["encoded"],
                cached=found.items["cached"], written=found.added + found.changed,
            )  # fmt: skip
        benchmark.claim("items encoded by a second build", other.items["encoded"], at_most=0)
        benchmark.claim("rows written where nothing changed", again.added + again.changed, at_most=0)
    return first.seconds


if __name__ == "__main__":
    main()
