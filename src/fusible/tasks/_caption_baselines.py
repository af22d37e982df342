"""What needs no looking: texts by a blind decoder, of the nearest training item, and the most frequent one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from fusible.evaluation.captions import CiderD
from fusible.tasks._caption_data import Material
from fusible.tasks.vectors import pooled
from fusible.tasks.writer import Writer
from fusible.types import View

MOST = 400
"""Texts among which the one is looked for that says most of what all say."""
NEIGHBOURS = 5
"""Nearest training items whose texts are put to the vote."""
MOST_VOTES = 60


def frequent(material: Material) -> str:
    """The most frequent training text; where none repeats, the one that is most like the others by CIDEr-D."""
    _, texts = material.pairs("train")
    (first, count), *_ = Counter(texts).most_common(1)
    if count > 1:
        return first
    spread = [texts[i] for i in np.unique(np.linspace(0, len(texts) - 1, min(MOST, len(texts))).astype(int))]
    return consensus(spread)


def consensus(texts: Sequence[str]) -> str:
    """The text that is most like the others, by CIDEr-D with them as references (Devlin et al., 2015)."""
    if len(texts) < 3:
        return texts[0]
    scorer = CiderD([[text] for text in texts])
    others = [[other for j, other in enumerate(texts) if j != i] for i in range(len(texts))]
    return texts[int(np.argmax(scorer.score(list(texts), others)))]


def nearest(material: Material, writer: Writer, rows: np.ndarray) -> list[str]:
    """For each row, the consensus of texts of its nearest training items.

    Devlin et al., "Exploring Nearest Neighbor Approaches for Image Captioning", 2015. Items are compared by the cosine
    of their views' vectors, each standardised, side by side; encoders that were trained along are as the writer left
    them.
    """
    known = material.rows_of("train")
    texts = material.references("train")
    parts = [_standardised(_vectors(material, view, writer), known) for view in writer.views]
    space = np.concatenate(parts, axis=1)
    space /= np.maximum(np.linalg.norm(space, axis=1, keepdims=True), 1e-9)
    number = min(NEIGHBOURS, len(known))
    found = []
    for row in rows.tolist():
        close = np.argsort(-(space[known] @ space[row]), kind="stable")[:number]
        pool = [text for place in close for text in texts[place]][:MOST_VOTES]
        found.append(consensus(pool) if number > 1 else pool[0])
    return found


def _vectors(material: Material, view: View, writer: Writer) -> np.ndarray:
    """One vector per row of the table, NaN where the view is absent."""
    encoder = writer.encoders[view.name]
    if view.name in writer.live:
        material.source.forget(encoder)
    return pooled(material.source.feed(view, encoder, encoded=True), np.arange(material.dataset.rows))


def _standardised(vectors: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Columns of mean zero and deviation one over some rows, scaled so that every view counts alike; absent: zeros."""
    mean = np.nanmean(vectors[known], axis=0) if np.isfinite(vectors[known]).any() else 0.0
    deviation = np.nanstd(vectors[known], axis=0) if np.isfinite(vectors[known]).any() else 1.0
    scaled = (vectors - mean) / np.maximum(deviation, 1e-6) / np.sqrt(vectors.shape[1])
    cleaned: np.ndarray = np.nan_to_num(scaled, nan=0.0)
    return cleaned
