"""Concatenation: every view's vector, normalised and projected, side by side."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from fusible.fusion._base import Operator


class Concat(Operator):
    """Feature-level fusion by concatenation, the field's plain baseline.

    Each view is layer-normalised and projected to `width`; an absent view is replaced by a vector learned for it.
    The concatenation goes through one hidden layer.

    >>> import torch
    >>> from fusible.types import Encoded
    >>> tokens = torch.randn(2, 1, 4)
    >>> encoded = {v: Encoded(tokens, torch.ones(2, 1, dtype=torch.bool)) for v in ("text", "image")}
    >>> Concat({"text": 4, "image": 4}, width=8)(encoded, torch.tensor([[True, True], [True, False]])).shape
    torch.Size([2, 8])
    """

    def __init__(self, widths: Mapping[str, int], width: int = 128) -> None:
        super().__init__(widths, width)
        self.norms = nn.ModuleList(nn.LayerNorm(w) for w in widths.values())
        self.projections = nn.ModuleList(nn.Linear(w, width) for w in widths.values())
        self.absent = nn.Parameter(torch.zeros(len(widths), width))
        self.mix = nn.Sequential(nn.GELU(), nn.Linear(len(widths) * width, width), nn.GELU())

    def fuse(self, vectors: Mapping[str, torch.Tensor], presence: torch.Tensor) -> torch.Tensor:
        """Fuse vectors {view: (rows, width of view)}, zero where absent -> (rows, output_width)."""
        parts = []
        for i, view in enumerate(self.views):
            projected = self.projections[i](self.norms[i](vectors[view]))
            parts.append(torch.where(presence[:, i : i + 1], projected, self.absent[i]))
        fused: torch.Tensor = self.mix(torch.cat(parts, dim=1))
        return fused
