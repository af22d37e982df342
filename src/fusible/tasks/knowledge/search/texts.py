"""Vectors of texts by the packaged sentence encoder; what was encoded once is read from the cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fusible import registry
from fusible.data.cache import ArrayCache
from fusible.data.content import text_key
from fusible.tasks.encode import encode_batch
from fusible.tasks.source import Progress, stage

ENCODER = "text_minilm"
PIECES = 96
"""Word pieces of a text that are read: what an entity is stands first, and longer ones take their time."""
BATCH = 64
REMEMBERED = 256
"""Texts of questions whose vectors stay in memory: a question is often asked anew, in part or whole."""
SHARD = 1_024
"""Texts that are written to the cache at once."""


class Texts:
    """Encodes texts to vectors of unit length (rows, width); nothing of a text that is empty: zeros."""

    def __init__(
        self,
        device: str = "cpu",
        cache: str | Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.encoder = registry.build("encoders", ENCODER, max_length=PIECES)
        self.device, self.progress = device, progress
        self._recent: dict[str, np.ndarray] = {}
        self._space = ArrayCache(None if cache is None else Path(cache)).open(f"encoded-{self.encoder.fingerprint()}")

    def kept(self, texts: Sequence[str], what: str) -> np.ndarray:
        """Vectors (rows, width) through the cache on disk."""
        keys = [text_key(text) for text in texts]
        lacking = set(self._space.missing(keys))
        left = {key: text for key, text in zip(keys, texts, strict=True) if key in lacking}
        order = sorted(left, key=lambda key: len(left[key]))
        with stage(self.progress if order else None, what, len(order)) as bar:
            for start in range(0, len(order), SHARD):
                part = order[start : start + SHARD]
                self._space.put(part, list(self._encode([left[key] for key in part])))
                bar.advance(len(part))
        return _unit(np.array(self._space.gather(keys), np.float32).reshape(len(texts), self.encoder.output_width))

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors (rows, width) of a few texts, such as questions; the last ones are remembered."""
        known = {text: self._recent[text] for text in texts if text in self._recent}
        new = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(new, _unit(self._encode(new)), strict=True))
        self._recent = dict([*self._recent.items(), *known.items()][-REMEMBERED:])
        return np.stack([known[text] for text in texts])

    def _encode(self, texts: Sequence[str]) -> np.ndarray:
        found = np.zeros((len(texts), self.encoder.output_width), np.float32)
        said = [row for row, text in enumerate(texts) if text.strip()]
        for start in range(0, len(said), BATCH):
            rows = said[start : start + BATCH]
            decoded = [self.encoder.decode(texts[row]) for row in rows]
            found[rows] = encode_batch(self.encoder, self.encoder.batch(decoded), self.device, 0)
        return found


def _unit(vectors: np.ndarray) -> np.ndarray:
    found: np.ndarray = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return found
