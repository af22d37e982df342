"""Heads: the last layers of a network."""

from __future__ import annotations

import torch
from torch import nn


class Head(nn.Module):
    """Dropout and one linear layer: (rows, width) -> (rows, outputs)."""

    def __init__(self, width: int, outputs: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, outputs)

    def forward(self, fused: torch.Tensor) -> torch.Tensor:
        """Outputs (rows, outputs)."""
        outputs: torch.Tensor = self.linear(self.dropout(fused))
        return outputs
