"""Multiplication: element-wise product of projected views, so that one view selects from another."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

import torch

from fusible.fusion._project import Projecting, mixer


class Multiply(Projecting):
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
        self.mix = mixer(width, width)

    def fuse(self, vectors: Mapping[str, torch.Tensor], presence: torch.Tensor) -> torch.Tensor:
        """Fuse vectors {view: (rows, width of view)}, zero where absent -> (rows, output_width)."""
        factors = torch.where(presence.unsqueeze(-1), torch.tanh(self.project(vectors)), 1.0 + self.absent)
        fused: torch.Tensor = self.mix(reduce(torch.mul, factors.unbind(dim=1)))
        return fused
