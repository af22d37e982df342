"""Feeds: where a view's batches come from, decoded items or encoded ones, each distinct item once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from fusible.types import Encoded, ViewBatch

Batcher = Callable[[Sequence[Any]], dict[str, torch.Tensor]]


@dataclass(slots=True)
class Feed:
    """Batches of one view.

    `ids` (rows, slots) index distinct items, -1 where absent. Either `features` (items, width) holds them encoded,
    with `tokens` (items, steps, width) and `mask` (items, steps) where sequences are wanted, or `items` holds them
    decoded (a sequence, or a DataFrame for a table view) and `batcher` stacks them. `evidence` (rows, outputs) is what
    the view's own predictor says of each row, where a network starts from that.
    """

    ids: np.ndarray
    features: np.ndarray | None = None
    tokens: np.ndarray | None = None
    mask: np.ndarray | None = None
    items: Any = None
    batcher: Batcher | None = None
    evidence: np.ndarray | None = None

    @property
    def presence(self) -> np.ndarray:
        """Bool, shape (rows,)."""
        return np.asarray((self.ids >= 0).any(axis=1))

    def batch(self, rows: np.ndarray, device: str = "cpu") -> ViewBatch:
        """The view's batch for some rows, with its distinct items on `device`."""
        batch = self._items(rows, device)
        if self.evidence is None:
            return batch
        return replace(batch, evidence=torch.from_numpy(self.evidence[rows]).to(device))

    def _items(self, rows: np.ndarray, device: str) -> ViewBatch:
        chosen = self.ids[rows]
        distinct, inverse = np.unique(chosen, return_inverse=True)
        index = inverse.reshape(chosen.shape)
        if len(distinct) and distinct[0] < 0:
            distinct, index = distinct[1:], index - 1
        place = torch.from_numpy(np.ascontiguousarray(index)).to(device)
        if self.features is not None:
            vectors = torch.from_numpy(self.features[distinct]).to(device)
            if self.tokens is not None and self.mask is not None:
                tokens = torch.from_numpy(self.tokens[distinct]).to(device).float()
                real = torch.from_numpy(self.mask[distinct]).to(device)
                return ViewBatch(place, encoded=Encoded(tokens, real, vectors))
            mask = torch.ones(len(distinct), 1, dtype=torch.bool, device=device)
            return ViewBatch(place, encoded=Encoded(vectors.unsqueeze(1), mask, vectors))
        if not len(distinct):
            return ViewBatch(place, encoded=self._nothing(device))
        tensors = self._stack(distinct)
        return ViewBatch(place, tensors={name: tensor.to(device) for name, tensor in tensors.items()})

    def _stack(self, distinct: np.ndarray) -> dict[str, torch.Tensor]:
        if self.batcher is None:
            raise TypeError("a feed of decoded items needs the encoder's batcher")
        chosen = self.items.iloc[distinct] if hasattr(self.items, "iloc") else [self.items[i] for i in distinct]
        return self.batcher(chosen)

    def _nothing(self, device: str) -> Encoded:
        width = int(getattr(self.batcher, "__self__").output_width)  # noqa: B009
        empty = torch.zeros(0, width, device=device)
        return Encoded(empty.unsqueeze(1), torch.ones(0, 1, dtype=torch.bool, device=device), empty)
