"""Addition: projected views summed, so that each moves the same vector."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from fusible.fusion._project import Projecting


class Sum(Projecting):
    """Feature-level fusion by the sum of projections, and one hidden layer on it.

    The first layer of early fusion, written view by view: the sum of projections is one linear map of all views side
    by side. An absent view adds a vector learned for its absence, at first zero.

    >>> import torch
    >>> present = torch.tensor([[True, True], [True, False]])
    >>> Sum({"text": 4, "image": 4}, width=8).fuse({"text": torch.ones(2, 4), "image": torch.ones(2, 4)}, present).shape
    torch.Size([2, 8])
    """

    def __init__(self, widths: Mapping[str, int], width: int = 128) -> None:
        super().__init__(widths, width)
        self.mix = nn.Sequential(nn.GELU(), nn.Linear(width, width), nn.GELU())

    def fuse(self, vectors: Mapping[str, torch.Tensor], presence: torch.Tensor) -> torch.Tensor:
        """Fuse vectors {view: (rows, width of view)}, zero where absent -> (rows, output_width)."""
        fused: torch.Tensor = self.mix(self.tokens(vectors, presence).sum(dim=1))
        return fused
