"""Concatenation: every view's vector, normalised and projected, side by side."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from fusible.fusion._project import Projecting


class Concat(Projecting):
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
        self.mix = nn.Sequential(nn.GELU(), nn.Linear(len(widths) * width, width), nn.GELU())

    def fuse(self, vectors: Mapping[str, torch.Tensor], presence: torch.Tensor) -> torch.Tensor:
        """Fuse vectors {view: (rows, width of view)}, zero where absent -> (rows, output_width)."""
        fused: torch.Tensor = self.mix(self.tokens(vectors, presence).flatten(1))
        return fused
