"""Rows of a view as one matrix: what an aligner is fitted on."""

from __future__ import annotations

import numpy as np

from fusible.training.feed import Feed

CHUNK = 4_096
"""Rows whose slots are averaged at once."""


def pooled(feed: Feed, rows: np.ndarray) -> np.ndarray:
    """Vectors (rows, width) of an encoded feed, the mean over filled slots as fusion sees it; absent rows are NaN."""
    if feed.features is None:
        raise TypeError("a feed of decoded items has no vectors: ask for an encoded one")
    ids = feed.ids[rows]
    if ids.shape[1] == 1:
        place = ids[:, 0]
        if not len(feed.features):
            return np.full((len(rows), feed.features.shape[1]), np.nan, feed.features.dtype)
        found: np.ndarray = feed.features[np.maximum(place, 0)]
        found[place < 0] = np.nan
        return found
    return np.concatenate([_means(feed.features, ids[i : i + CHUNK]) for i in range(0, max(1, len(ids)), CHUNK)])


def _means(features: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Mean over the filled slots of each row."""
    filled = ids >= 0
    total = np.zeros((len(ids), features.shape[1]), features.dtype)
    for slot in range(ids.shape[1]):
        here = filled[:, slot]
        total[here] += features[ids[here, slot]]
    count = filled.sum(axis=1)
    total[count == 0] = np.nan
    means: np.ndarray = total / np.maximum(count, 1)[:, None].astype(features.dtype)
    return means
