"""Attention bottlenecks: views exchange what they know through a few shared tokens only."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from fusible.fusion._attend import Block
from fusible.fusion._project import ProjectingTokens, at_least_one, mixer


class Bottleneck(ProjectingTokens):
    """Multimodal bottleneck transformer (MBT; Nagrani et al., NeurIPS 2021), for tokens that encoders give.

    In each of `layers` rounds, each view's summary (at first its vector) and `bottlenecks` shared tokens read the
    view's sequence in a block of the view's own; then the shared tokens become the mean of what they are after each
    view that is present. As encoders have already related a view's tokens to one another, these do not attend.
    Summaries and the mean of shared tokens are read side by side. An absent view's summary starts as the token learned
    for its absence.

    >>> import torch
    >>> present = torch.tensor([[True, True], [True, False]])
    >>> operator = Bottleneck({"text": 4, "image": 4}, width=8)
    >>> operator.fuse({"text": torch.ones(2, 4), "image": torch.ones(2, 4)}, present).shape
    torch.Size([2, 8])
    """

    def __init__(self, widths: Mapping[str, int], width: int = 128, layers: int = 2, bottlenecks: int = 4) -> None:
        at_least_one("bottleneck", layers=layers, bottlenecks=bottlenecks)
        super().__init__(widths, width)
        self.shared = nn.Parameter(torch.randn(bottlenecks, self.inner) * 0.1)
        self.layers = layers
        self.blocks = nn.ModuleList(Block(self.inner, crossing=True) for _ in range(layers * len(widths)))
        self.mix = mixer((len(widths) + 1) * self.inner, width)

    def fuse_sequences(
        self, sequences: list[torch.Tensor], real: list[torch.Tensor], presence: torch.Tensor
    ) -> torch.Tensor:
        """Fuse projected tokens, per view (rows, steps, inner), real where `real` is true -> (rows, output_width)."""
        summaries = [sequence[:, :1] for sequence in sequences]
        shared = self.shared.expand(len(presence), -1, -1)
        weights = presence.to(shared.dtype) / presence.sum(dim=1, keepdim=True).clamp(min=1)
        for layer in range(self.layers):
            change = torch.zeros_like(shared)
            for i, sequence in enumerate(sequences):
                block = self.blocks[layer * len(sequences) + i]
                answered = block(torch.cat([summaries[i], shared], dim=1), sequence, real[i].unsqueeze(1))
                summaries[i] = answered[:, :1]
                change = change + weights[:, i, None, None] * (answered[:, 1:] - shared)
            shared = shared + change
        fused: torch.Tensor = self.mix(torch.cat([*summaries, shared.mean(dim=1, keepdim=True)], dim=1).flatten(1))
        return fused
