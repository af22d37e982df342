"""Real sentences of the benchmark data and their encodings, for claims about large collections of vectors."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from _harness import data_folder

SHARD = 4096
_END = re.compile(r"(?<=[.!?])\s+")


def sentences(limit: int) -> list[str]:
    """Distinct texts in a fixed random order: sentences and titles of reviews, products, captions, said facts."""
    texts = sorted(set(_all()))
    order = np.random.default_rng(0).permutation(len(texts))
    return [texts[place] for place in order[:limit]]


def _all() -> Iterator[str]:
    import pandas as pd

    reviews = pd.read_parquet(data_folder("womens_clothing") / "reviews.parquet")
    yield from reviews["title"].dropna()
    for text in reviews["review_text"].dropna():
        yield from (part for part in _END.split(text) if len(part) > 15)
    yield from pd.read_parquet(data_folder("fashion") / "fashion.parquet", columns=["title"])["title"].dropna()
    yield from pd.read_csv(data_folder("flickr8k_1k") / "captions.csv")["caption"].dropna()
    for part in ("train", "dev", "test"):
        with gzip.open(data_folder("webnlg") / f"{part}.jsonl.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                yield from json.loads(line)["texts"]


def encodings(texts: list[str], cache: Path | None) -> np.ndarray:
    """MiniLM encodings of unit length, float32 (texts, 384); kept in `cache`, so that they are made once."""
    from fusible.data.cache import ArrayCache
    from fusible.data.media import text_key

    space = ArrayCache(cache).open("benchmark-sentences-minilm")
    keys = [text_key(text) for text in texts]
    missing = set(space.missing(keys))
    wanted = [(key, text) for key, text in zip(keys, texts, strict=True) if key in missing]
    for start in range(0, len(wanted), SHARD):
        part = wanted[start : start + SHARD]
        space.put([key for key, _ in part], list(_encode([text for _, text in part])))
    found = np.stack(space.gather(keys)).astype(np.float32)
    return np.ascontiguousarray(found / np.linalg.norm(found, axis=1, keepdims=True))


def _encode(texts: list[str]) -> np.ndarray:
    from fusible.encoders.text_minilm import TextMinilm

    encoder = TextMinilm(max_length=64)
    order = np.argsort([len(text) for text in texts], kind="stable")
    found = np.empty((len(texts), encoder.output_width), np.float32)
    for start in range(0, len(order), 64):
        rows = order[start : start + 64]
        tensors = encoder.batch([encoder.decode(texts[row]) for row in rows])
        found[rows] = encoder(tensors).pooled.numpy()
    return found
