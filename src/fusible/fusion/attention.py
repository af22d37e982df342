"""Self-attention over views: one token per view, read by a learned query."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from fusible.fusion._attend import Block
from fusible.fusion._project import Projecting, at_least_one, mixer

WIDEST = 64
"""Widest view token."""


class Attention(Projecting):
    """Feature-level fusion by a small transformer over view tokens.

    Each view is one token of at most `WIDEST` columns, or a learned token where it is absent. A learned class token
    joins them; `layers` blocks of self-attention let views look at one another, a last one lets the class token look
    at all (Vaswani et al., NeurIPS 2017; the class token as in Devlin et al., BERT, NAACL 2019).

    >>> import torch
    >>> present = torch.tensor([[True, True], [True, False]])
    >>> operator = Attention({"text": 4, "image": 4}, width=8)
    >>> operator.fuse({"text": torch.ones(2, 4), "image": torch.ones(2, 4)}, present).shape
    torch.Size([2, 8])
    """

    def __init__(self, widths: Mapping[str, int], width: int = 128, layers: int = 1) -> None:
        at_least_one("attention", layers=layers)
        super().__init__(widths, width, min(width, WIDEST))
        self.summary = nn.Parameter(torch.randn(self.inner) * 0.1)
        self.blocks = nn.ModuleList(Block(self.inner) for _ in range(layers))
        self.reading = Block(self.inner, crossing=True)
        self.mix = mixer(self.inner, width)

    def fuse(self, vectors: Mapping[str, torch.Tensor], presence: torch.Tensor) -> torch.Tensor:
        """Fuse vectors {view: (rows, width of view)}, zero where absent -> (rows, output_width)."""
        tokens = torch.cat([self.summary.expand(len(presence), 1, -1), self.tokens(vectors, presence)], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        fused: torch.Tensor = self.mix(self.reading(tokens[:, :1], tokens).squeeze(1))
        return fused
