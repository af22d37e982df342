"""Perceiver: a few learned latents read the tokens of all views, and think among themselves."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from fusible.fusion._attend import Block
from fusible.fusion._project import ProjectingTokens, at_least_one, mixer


class Perceiver(ProjectingTokens):
    """Perceiver (Jaegle et al., ICML 2021): cost grows with the number of tokens, not with its square.

    `latents` learned vectors attend to all views' tokens together, then to one another, in `layers` rounds with weights
    of their own; their mean is read. The projection of a view marks its tokens as that view's. An absent view shows
    the token learned for its absence, so that there is always something to attend to.

    >>> import torch
    >>> present = torch.tensor([[True, True], [True, False]])
    >>> operator = Perceiver({"text": 4, "image": 4}, width=8)
    >>> operator.fuse({"text": torch.ones(2, 4), "image": torch.ones(2, 4)}, present).shape
    torch.Size([2, 8])
    """

    def __init__(self, widths: Mapping[str, int], width: int = 128, layers: int = 1, latents: int = 4) -> None:
        at_least_one("perceiver", layers=layers, latents=latents)
        super().__init__(widths, width)
        self.latents = nn.Parameter(torch.randn(latents, self.inner) * 0.1)
        self.reading = nn.ModuleList(Block(self.inner, crossing=True) for _ in range(layers))
        self.thinking = nn.ModuleList(Block(self.inner) for _ in range(layers))
        self.mix = mixer(self.inner, width)

    def fuse_sequences(
        self, sequences: list[torch.Tensor], real: list[torch.Tensor], presence: torch.Tensor
    ) -> torch.Tensor:
        """Fuse projected tokens, per view (rows, steps, inner), real where `real` is true -> (rows, output_width)."""
        context, mask = torch.cat(sequences, dim=1), torch.cat(real, dim=1).unsqueeze(1)
        latents = self.latents.expand(len(presence), -1, -1)
        for read, think in zip(self.reading, self.thinking, strict=True):
            latents = think(read(latents, context, mask))
        fused: torch.Tensor = self.mix(latents.mean(dim=1))
        return fused
