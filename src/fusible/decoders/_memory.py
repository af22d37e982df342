"""Memory as decoders read it: real tokens only, each with its place."""

from __future__ import annotations

import torch
from torch import nn

from fusible.positions import sinusoids
from fusible.types import Encoded


class Reader(nn.Module):
    """Layer-normalises memory tokens, projects them to `width`, and adds what tells their place.

    Attention alone sees a set: without places a film has no order. A token's place is its place within its item where
    the memory says it (`Encoded.places`), else its number among the row's real tokens.
    """

    def __init__(self, memory: int, width: int, dropout: float) -> None:
        super().__init__()
        self.width = width
        self.norm = nn.LayerNorm(memory)
        self.project = nn.Linear(memory, width)
        self.loudness = nn.Parameter(torch.ones(width))
        self.drop = nn.Dropout(dropout)

    def forward(self, memory: Encoded) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens (rows, steps, width) and mask (rows, steps), true in at least one step of every row."""
        tokens = self.project(self.norm(torch.where(memory.mask.unsqueeze(-1), memory.tokens, 0.0)))
        places = memory.places if memory.places is not None else (memory.mask.cumsum(dim=1) - 1).clamp(min=0)
        tokens = self.drop(tokens + self.loudness * sinusoids(places, self.width).to(tokens.dtype))
        first = torch.arange(memory.mask.shape[1], device=memory.mask.device) == 0
        return tokens, memory.mask | (first & ~memory.mask.any(dim=1, keepdim=True))
