"""Joint: encoders, one fusion operator and a head as one network, trained together or on encoded views."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from fusible.networks._heads import Head
from fusible.types import Encoded, ViewBatch


class Joint(nn.Module):
    """From a batch of raw or encoded views to outputs.

    A view that comes encoded (`ViewBatch.encoded`) passes by its encoder, so that the same network serves frozen
    encoders, single views and end-to-end training. Each distinct item is encoded once and gathered per row.

    Parameters: `encoders` {view: module}, may lack views that always come encoded; `operator`, the fusion operator
    over all views in the order of its `views`; `outputs`, width of a prediction; `dropout` before the last layer.
    """

    def __init__(
        self, encoders: Mapping[str, nn.Module], operator: nn.Module, outputs: int, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(encoders.values())
        self.positions = {view: i for i, view in enumerate(encoders)}
        self.operator = operator
        parts: Any = operator
        self.views: tuple[str, ...] = tuple(parts.views)
        self.head = Head(int(parts.output_width), outputs, dropout)

    def forward(self, batches: Mapping[str, ViewBatch]) -> torch.Tensor:
        """Outputs (rows, outputs): logits, or standardised values."""
        encoded: dict[str, Encoded] = {}
        present: list[torch.Tensor] = []
        for view in self.views:
            batch = batches[view]
            items = batch.encoded if batch.encoded is not None else self.encoders[self.positions[view]](batch.tensors)
            encoded[view] = gather(items, batch.index)
            present.append(batch.presence)
        fused = self.operator(encoded, torch.stack(present, dim=1))
        outputs: torch.Tensor = self.head(fused)
        return outputs


def gather(items: Encoded, index: torch.Tensor) -> Encoded:
    """Spread the vectors of distinct items over rows: one token per slot, absent slots masked.

    `items` holds (distinct, …), `index` is (rows, slots); the result has tokens (rows, slots, width).
    """
    mask = index >= 0
    pooled = items.pooled
    if pooled.shape[0] == 0:
        pooled = pooled.new_zeros(1, pooled.shape[1])
    tokens = pooled[index.clamp(min=0)]
    return Encoded(tokens, mask)
