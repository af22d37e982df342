"""Tokens of a frozen encoder, encoded once and read from the feature cache in every epoch."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch

from fusible.data.cache import ArrayCache
from fusible.encoders.text_minilm import TextMinilm
from fusible.tasks.knowledge.extract._text import Window, batch_of
from fusible.tasks.source import Progress, stage

BATCH = 64


class Tokens:
    """Gives tokens (texts, pieces, width) of word pieces that are among `windows`, in half precision on disk."""

    def __init__(
        self,
        encoder: TextMinilm,
        windows: Sequence[Window],
        device: str,
        cache: str | Path | None,
        progress: Progress | None,
    ) -> None:
        self.device, self.width = torch.device(device), encoder.output_width
        self.space = ArrayCache(None if cache is None else Path(cache)).open(f"extractor-{encoder.fingerprint()}")
        held = {_key(one.ids): one for one in windows}
        lacking = sorted(self.space.missing(list(held)), key=lambda key: len(held[key].ids))
        with stage(progress, "encode", len(lacking)) as bar, torch.inference_mode():
            for start in range(0, len(lacking), BATCH):
                keys = lacking[start : start + BATCH]
                batch = batch_of([held[key] for key in keys], self.device)
                tokens = encoder.to(self.device)({"ids": batch.ids, "lengths": batch.lengths}).tokens
                half = tokens.cpu().half().numpy()
                self.space.put(keys, [row[: len(held[key].ids)] for key, row in zip(keys, half, strict=True)])
                bar.advance(len(keys))

    def __call__(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Tokens of these word pieces, zero where a text has ended."""
        found = np.zeros((*ids.shape, self.width), np.float32)
        rows = [row[:length] for row, length in zip(ids.cpu().numpy(), lengths.tolist(), strict=True)]
        for place, (row, tokens) in enumerate(zip(rows, self.space.gather([_key(row) for row in rows]), strict=True)):
            found[place, : len(row)] = tokens
        return torch.from_numpy(found).to(self.device)


def _key(ids: np.ndarray) -> str:
    return blake2b(np.ascontiguousarray(ids, np.int64).tobytes(), digest_size=16).hexdigest()
