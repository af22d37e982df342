"""Multiplication: element-wise product of projected views, so that one view selects from another."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from fusible.fusion._base import Operator


class Multiply(Operator):
    """Feature-level fusion by the Hadamard product of projections.

    The product lets one view gate another, as a question gates an image (Antol et al., VQA, ICCV 2015; Kim et al.,
    Hadamard product for low-rank bilinear pooling, ICLR 2017). An absent view is the neutral factor: it multiplies
    by one plus a vector learned for its absence.

    >>> import torch
    >>> from fusible.types import Encoded
    >>> tokens = torch.randn(2, 1, 4)
    >>> encoded = {v: Encoded(tokens, torch.ones(2, 1, dtype=torch.bool)) for v in ("text", "image")}
    >>> Multiply({"text": 4, "image": 4}, width=8)(encoded, torch.tensor([[True, True], [True, False]])).shape
    torch.Size([2, 8])
    """

    def __init__(self, widths: Mapping[str, int], width: int = 128) -> None:
        super().__init__(widths, width)
        self.norms = nn.ModuleList(nn.LayerNorm(w) for w in widths.values())
        self.projections = nn.ModuleList(nn.Linear(w, width) for w in widths.values())
        self.absent = nn.Parameter(torch.zeros(len(widths), width))
        self.mix = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU())

    def fuse(self, vectors: Mapping[str, torch.Tensor], presence: torch.Tensor) -> torch.Tensor:
        """Fuse vectors {view: (rows, width of view)}, zero where absent -> (rows, output_width)."""
        product = torch.ones(presence.shape[0], self.output_width, device=presence.device)
        for i, view in enumerate(self.views):
            projected = torch.tanh(self.projections[i](self.norms[i](vectors[view])))
            product = product * torch.where(presence[:, i : i + 1], projected, 1.0 + self.absent[i])
        fused: torch.Tensor = self.mix(product)
        return fused
